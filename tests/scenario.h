/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state a frame finds: one virtual router as a scenario describes it, and a bystander, the same virtual router on VLAN 20,
 * that nothing may ever touch. And what is to be seen afterwards. Both runners of tests/packets.h share this; what they differ
 * in is behind struct dp_ops.
 */
#ifndef VX_TESTS_SCENARIO_H
#define VX_TESTS_SCENARIO_H

#include <stdio.h>

#include "abi.h"
#include "advert.h"
#include "decide.h"
#include "frames.h"

enum scenario_role { INITIALIZE, BACKUP, ACTIVE, LAPSED, LEAVING_BACKUP, LEAVING_INITIALIZE };

enum {
	IFINDEX = 1, /* what a program sees in a test run */
	IFINDEX_OTHER = 7,
	SLOT = VX_TIMER_SHARE, /* the first of those that share its timer */
	SLOT_BYSTANDER = 5,
	SLOT_SECOND = 8,
	SLOT_TWIN = 10,
	SLOTS = VX_TIMER_SHARE + 16,
	ROW_IFACE = SLOTS,
	ROW_IFACE_BYSTANDER,
	ROW_IFACE_TWIN,
	ROWS = 3 * VX_TIMER_SHARE,
	VLAN_BYSTANDER = 20,
	MAX_EVENTS = 8,
	MAX_SCENARIO_VIPS = 4, /* that are put into the maps; all are in the sum */
};

struct scenario {
	enum scenario_role role;
	int family; /* 6, or IPv4 */
	bool twin;  /* the same virtual router of the other family is here too, in the same role */
	int version;
	int priority;
	bool no_preempt;
	__u32 csum; /* VX_CFG_CSUM_* */
	int auth_type;
	const char *auth;
	__u32 vlan;
	int nvips;
	bool owner;     /* the VIP is our address, priority 255 */
	bool elsewhere; /* the virtual router is on another interface */
	bool no_accept; /* Accept_Mode is false */
	bool away;      /* ... and known here to have its VIPs on another interface (DP-5) */
	bool vmac;      /* the virtual MAC is used: MAC_VROUTER, and the interface has MAC_NIC */
	bool second;    /* VRID 52 is Active here, with ADDR_VIP2 or A6_VIP2 */
	bool unicast;   /* with ADDR_PEER or A6_PEER_GLOBAL as a peer */
	bool global;    /* IPv6: the first VIP is none of fe80::/10, as the first advertised is */
	int min_ttl;
	int max_ttl;
	__u32 group;        /* 0: 224.0.0.18 */
	const char *group6; /* NULL: ff02::12 */
	__u32 groups;       /* so many from ADDR_GROUP_OWN or A6_GROUP_OWN on are listened to on the interface */
	int down_adverts;
	bool peers; /* multicast, and only ADDR_PEER may send */
	__u64 preempt_delay_ns, handover_ns, max_adver_ns;
};

/* The virtual router: VRID 51, priority 90, 1 s, one VIP. As Backup it has heard 192.0.2.1 with priority 100. */
#define SCENARIO(...)                                                                                                  \
	{                                                                                                              \
		.version = 3, .priority = 90, .csum = VX_CFG_CSUM_9568 | VX_CFG_CSUM_5798, .nvips = 1, .min_ttl = 255, \
		.max_ttl = 255, .down_adverts = DECIDE_DOWN_ADVERTS, __VA_ARGS__                                       \
	}
#define IN_BACKUP(...) SCENARIO(.role = BACKUP, __VA_ARGS__)
#define IN_ACTIVE(...) SCENARIO(.role = ACTIVE, __VA_ARGS__)
#define IN_LAPSED(...) SCENARIO(.role = LAPSED, __VA_ARGS__)
/* Backup or Initialize, and the kernel has the VIP still. */
#define IN_LEAVING_BACKUP(...)     SCENARIO(.role = LEAVING_BACKUP, __VA_ARGS__)
#define IN_LEAVING_INITIALIZE(...) SCENARIO(.role = LEAVING_INITIALIZE, __VA_ARGS__)
#define IN_INITIALIZE(...)         SCENARIO(.role = INITIALIZE, __VA_ARGS__)
#define V2                         .version = 2
#define V2PASS                     .version = 2, .auth_type = 1, .auth = "1234"

/* FSM-1, FSM-2 for priority 90, by hand: skew = 166/256 of the interval; of a second in v2. */
#define SKEW_90        648437500ULL
#define DOWN_90        (3 * VX_NS_PER_S + SKEW_90)
#define DOWN_90_1CS    36484375ULL
#define DOWN_90_4095CS 149403515625ULL

/* An expected event: DOWN is 0, so each carries a mark. */
#define EVENT(type)    (1 << 16 | VX_EV_##type)
#define EVENT_BAD(why) (1 << 16 | VX_CTR_##why << 8 | VX_EV_BAD)

struct packet_case {
	const char *name; /* starts with the id of the rule */
	struct scenario in;
	struct frame_desc frame;
	enum xdp_action action;
	__u32 row;            /* 0: the virtual router's; otherwise the one where the counters move */
	enum vx_ctr moved[6]; /* by one; no other counter of any row moves, but ev_sent by the number of events */
	__u32 events[3];
	__u64 deadline_ns;     /* ActiveDown, from the frame on; 0: nothing about the watch changes */
	struct frame_desc out; /* FRAME_NONE: the frame is as it came */
};

enum dp_map { DP_VR_INDEX, DP_ADDR4, DP_ADDR6, DP_PEERS, DP_FILTER, DP_VR_CONFIG, DP_VR_ROLE };
#define DP_MAP_NAMES "vr_index", "addr4", "addr6", "peers", "filter", "vr_config", "vr_role"

/* The table in the cells of @map. */
static inline struct vx_table dp_table(enum dp_map map, void *(*cell)(void *arg, __u32 i), void *arg,
				       const struct vx_masks *m)
{
	if (map == DP_VR_INDEX)
		return VX_TABLE(cell, arg, m->vr + 1, struct vx_vr_cell);
	if (map == DP_ADDR4)
		return VX_TABLE(cell, arg, m->addr + 1, struct vx_addr4_cell);
	return VX_TABLE(cell, arg, m->addr + 1, struct vx_addr6_cell);
}

struct dp_ops {
	struct vx_table (*table)(enum dp_map map); /* DP_VR_INDEX, DP_ADDR4, DP_ADDR6 */
	void (*put)(enum dp_map map, const void *key, const void *value);
	void (*arm)(const struct vx_timer_cmd *cmd);
};

/* An address of a scenario's family, @n further on. */
static inline struct vx_addr scenario_pick(const struct scenario *s, __u32 addr, const char *text, __u32 n)
{
	struct in6_addr a;
	struct vx_addr to;

	if (s->family != 6)
		return vx_addr4(VX_BE32(addr + n));
	a = frame_addr6(text);
	memcpy(&to, &a, sizeof(to));
	to.w[3] = VX_BE32(vx_host32(to.w[3]) + n);
	return to;
}

static inline struct vx_addr scenario_vip(const struct scenario *s, __u32 i)
{
	if (s->family == 6 && i)
		return scenario_pick(s, 0, A6_VIP_NEXT, i - 1);
	return scenario_pick(s, ADDR_VIP, s->global ? A6_VIP_GLOBAL : A6_VIP, i);
}

static inline struct vx_addr scenario_us(const struct scenario *s)
{
	return s->owner ? scenario_vip(s, 0) : scenario_pick(s, ADDR_US, s->unicast ? A6_US_GLOBAL : A6_US, 0);
}

static inline struct vx_addr scenario_peer(const struct scenario *s)
{
	return scenario_pick(s, ADDR_PEER, s->unicast ? A6_PEER_GLOBAL : A6_PEER, 0);
}

static inline __u8 scenario_family(const struct scenario *s)
{
	return s->family == 6 ? 6 : 4;
}

static inline void scenario_config(const struct scenario *s, struct vx_vr_config *cfg)
{
	int i;

	*cfg = (struct vx_vr_config){
		.ifindex = s->elsewhere || s->away ? IFINDEX_OTHER : IFINDEX,
		.vlan = s->vlan,
		.src = scenario_us(s),
		.group = scenario_pick(s, s->group ? s->group : ADDR_GROUP, s->group6 ? s->group6 : A6_GROUP, 0),
		.down_adverts = (__u8)s->down_adverts,
		.preempt_delay_ns = s->preempt_delay_ns,
		.handover_ns = s->handover_ns,
		.max_adver_ns = s->max_adver_ns,
		.flags = s->csum | (s->no_preempt ? 0 : VX_CFG_PREEMPT) | (s->unicast ? VX_CFG_UNICAST : 0) |
			 (s->peers ? VX_CFG_PEERS : 0) | (s->no_accept ? VX_CFG_NO_ACCEPT : 0) |
			 (s->vmac ? VX_CFG_VMAC : 0) | (s->family == 6 && !s->global ? VX_CFG_FIRST_LL : 0),
		.adver_ns = VX_NS_PER_S,
		.vrid = 51,
		.family = scenario_family(s),
		.version = (__u8)s->version,
		.priority = (__u8)(s->owner ? 255 : s->priority),
		.auth_type = (__u8)s->auth_type,
		.nvips = (__u8)s->nvips,
	};
	memcpy(cfg->nic, mac_bytes[MAC_NIC], 6);
	if (s->auth)
		memcpy(cfg->auth, s->auth, strlen(s->auth));
	for (i = 0; i < s->nvips; i++) {
		struct vx_addr vip = scenario_vip(s, (__u32)i);

		cfg->vip_sum += advert_vip_mix(cfg->family, &vip);
	}
}

static inline void scenario_put_addr(const struct dp_ops *dp, const struct vx_vr_config *cfg, __u32 ifindex,
				     struct vx_addr addr, const struct vx_addr_entry *e)
{
	struct vx_addr4_key k = { .ifindex = ifindex, .vlan = cfg->vlan, .addr = addr.w[0] };
	struct vx_addr6_key k6 = { .ifindex = ifindex, .vlan = cfg->vlan, .addr = addr };
	struct vx_table t = dp->table(cfg->family == 6 ? DP_ADDR6 : DP_ADDR4);
	__u64 hash = cfg->family == 6 ? vx_addr6_hash(&k6) : vx_addr4_hash(&k);
	__u64 *word = vx_table_put(&t, hash, cfg->family == 6 ? (void *)&k6 : (void *)&k);
	struct vx_addr_entry *to = (struct vx_addr_entry *)word;

	assert(word);
	to->mac = e->mac;
	to->nic = e->nic;
	vx_table_publish(word, hash, e->word);
}

static inline void scenario_put_vr(const struct dp_ops *dp, const struct vx_vr_key *k, __u32 slot)
{
	struct vx_table t = dp->table(DP_VR_INDEX);
	__u64 hash = vx_vr_hash(k);
	__u64 *word = vx_table_put(&t, hash, k);

	assert(word);
	vx_table_publish(word, hash, vx_vr_load(slot));
}

static inline void scenario_addr(const struct dp_ops *dp, const struct vx_vr_config *cfg, struct vx_filter *bits,
				 struct vx_addr addr, __u32 slot, __u32 flags, enum mac mac)
{
	struct vx_addr_entry e = { .word = vx_addr_load(flags, slot, 0) };
	__u32 bit = cfg->family == 6 ? vx_filter_bit6(&addr) : vx_filter_bit(addr.w[0]);

	memcpy(&e.mac, mac_bytes[mac], 6);
	memcpy(&e.nic, mac_bytes[cfg->flags & VX_CFG_VMAC ? MAC_NIC : mac], 6);
	bits->word[bit / 64] |= 1ULL << bit % 64;
	scenario_put_addr(dp, cfg, cfg->ifindex, addr, &e);
}

/* A VIP of @slot as it looks from this interface, where it is not. */
static inline void scenario_away(const struct dp_ops *dp, const struct vx_vr_config *cfg, struct vx_addr addr,
				 __u32 slot)
{
	struct vx_addr_entry e = { .word = vx_addr_load(VX_ADDR_AWAY, 0, slot) };

	scenario_put_addr(dp, cfg, IFINDEX, addr, &e);
}

static inline __u64 scenario_role_word(enum scenario_role role, __u64 now_ns)
{
	switch (role) {
	case INITIALIZE:
		return VX_ROLE_INIT;
	case BACKUP:
		return VX_ROLE_BACKUP;
	case ACTIVE:
		return now_ns + 3600 * VX_NS_PER_S;
	case LAPSED:
		return now_ns;
	case LEAVING_BACKUP:
		return VX_ROLE_BACKUP | VX_ROLE_LEAVING;
	case LEAVING_INITIALIZE:
		return VX_ROLE_INIT | VX_ROLE_LEAVING;
	}
	return VX_ROLE_INIT;
}

static inline void scenario_load_vr(const struct dp_ops *dp, const struct scenario *s, struct vx_filter *bits,
				    __u32 slot, __u32 iface_row, __u64 now_ns)
{
	struct vx_timer_cmd arm = { .op = VX_TIMER_ARM,
				    .slot = slot,
				    .deadline_ns = now_ns + 3600 * VX_NS_PER_S,
				    .adver_ns = VX_NS_PER_S,
				    .src = scenario_peer(s),
				    .priority = 100 };
	enum mac mac = s->family == 6 ? MAC_VROUTER6 : MAC_VROUTER;
	struct vx_peer_key peer = { .slot = slot, .addr = scenario_peer(s) };
	struct vx_peer_val ttl = { .min_ttl = (__u8)s->min_ttl, .max_ttl = (__u8)s->max_ttl };
	__u64 role = scenario_role_word(s->role, now_ns);
	struct vx_vr_config cfg;
	struct vx_vr_key k;
	int i;

	scenario_config(s, &cfg);
	k = (struct vx_vr_key){ .ifindex = cfg.ifindex, .vlan = cfg.vlan, .vrid = cfg.vrid, .family = cfg.family };
	scenario_put_vr(dp, &k, slot);
	k.vrid = 0;
	scenario_put_vr(dp, &k, iface_row);
	for (i = 0; i < s->nvips && i < MAX_SCENARIO_VIPS; i++)
		scenario_addr(dp, &cfg, bits, scenario_vip(s, (__u32)i), slot,
			      VX_ADDR_VIP | (s->owner && i == 0 ? VX_ADDR_OWN : 0), mac);
	for (i = 0; s->away && i < s->nvips && i < MAX_SCENARIO_VIPS; i++)
		scenario_away(dp, &cfg, scenario_vip(s, (__u32)i), slot);
	if (!s->owner)
		scenario_addr(dp, &cfg, bits, scenario_us(s), slot, VX_ADDR_OWN, mac);
	for (i = 0; i < (int)s->groups; i++)
		scenario_addr(dp, &cfg, bits, scenario_pick(s, ADDR_GROUP_OWN, A6_GROUP_OWN, (__u32)i), 0,
			      VX_ADDR_GROUP, MAC_GROUP);
	if (s->unicast || s->peers)
		dp->put(DP_PEERS, &peer, &ttl);
	dp->put(DP_VR_CONFIG, &slot, &cfg);
	dp->put(DP_VR_ROLE, &slot, &role);
	if (s->role == BACKUP || s->role == LEAVING_BACKUP)
		dp->arm(&arm);
}

static inline void scenario_load_second(const struct dp_ops *dp, const struct scenario *s, struct vx_filter *bits,
					__u64 now_ns)
{
	struct vx_addr vip = scenario_pick(s, ADDR_VIP2, A6_VIP2, 0);
	__u64 role = scenario_role_word(ACTIVE, now_ns);
	struct vx_vr_config cfg;
	__u32 slot = SLOT_SECOND;
	struct vx_vr_key k;

	scenario_config(s, &cfg);
	cfg.vrid = 52;
	cfg.flags &= ~(__u32)VX_CFG_NO_ACCEPT;
	cfg.vip_sum = advert_vip_mix(cfg.family, &vip);
	k = (struct vx_vr_key){ .ifindex = cfg.ifindex, .vlan = cfg.vlan, .vrid = cfg.vrid, .family = cfg.family };
	scenario_put_vr(dp, &k, slot);
	scenario_addr(dp, &cfg, bits, vip, slot, VX_ADDR_VIP, s->family == 6 ? MAC_VROUTER62 : MAC_VROUTER2);
	dp->put(DP_VR_CONFIG, &slot, &cfg);
	dp->put(DP_VR_ROLE, &slot, &role);
}

/* Into maps that are empty. */
static inline void scenario_load(const struct dp_ops *dp, const struct scenario *s, __u64 now_ns)
{
	struct scenario bystander = *s, twin = *s;
	struct vx_filter bits = { .word = { 0 } };
	__u32 zero = 0;

	bystander.vlan = VLAN_BYSTANDER;
	scenario_load_vr(dp, s, &bits, SLOT, ROW_IFACE, now_ns);
	scenario_load_vr(dp, &bystander, &bits, SLOT_BYSTANDER, ROW_IFACE_BYSTANDER, now_ns);
	twin.family = s->family == 6 ? 4 : 6;
	if (s->twin)
		scenario_load_vr(dp, &twin, &bits, SLOT_TWIN, ROW_IFACE_TWIN, now_ns);
	if (s->second)
		scenario_load_second(dp, s, &bits, now_ns);
	dp->put(DP_FILTER, &zero, &bits);
}

/* What a runner saw. */
struct outcome {
	__u32 action;
	struct frame out;
	struct vx_counters moved[ROWS]; /* after less before */
	struct vx_event ev[MAX_EVENTS];
	__u32 nev;
	struct vx_vr_watch before[SLOTS], after[SLOTS];
	__u64 t0_ns, t1_ns; /* clock before and after */
};

static const char *const counter_names[] = { "none",
#define VX_CTR_NAME(id, name, help) name,
					     VX_COUNTERS(VX_CTR_NAME)
#undef VX_CTR_NAME
};

/* Says what is wrong; every check of a case goes through it, so that one run shows all that differs. */
#define COMPLAIN(...) (fprintf(stderr, "    " __VA_ARGS__), fputc('\n', stderr), false)

static inline __u32 packet_events(const struct packet_case *c)
{
	__u32 n = 0;

	while (n < VX_ARRAY_LEN(c->events) && c->events[n])
		n++;
	return n;
}

static inline __u64 packet_expects_moved(const struct packet_case *c, __u32 row, __u32 ctr)
{
	size_t i;

	if (row != (c->row ? c->row : (__u32)SLOT))
		return 0;
	if (ctr == VX_CTR_EV_SENT)
		return packet_events(c);
	for (i = 0; i < VX_ARRAY_LEN(c->moved); i++)
		if (c->moved[i] == ctr)
			return 1;
	return 0;
}

static inline bool packet_check_counters(const struct packet_case *c, const struct outcome *o)
{
	__u32 row, ctr;
	bool ok = true;

	for (row = 0; row < ROWS; row++)
		for (ctr = 1; ctr < VX_CTR_COUNT; ctr++) {
			__u64 want = packet_expects_moved(c, row, ctr), got = o->moved[row].c[ctr];

			if (got != want)
				ok = COMPLAIN("row %u: %s moved by %llu, not %llu", row, counter_names[ctr], got, want);
		}
	return ok;
}

/* The address that an event is about. */
static inline struct vx_addr packet_event_addr(const struct frame_desc *d, __u32 type)
{
	struct scenario s = { .family = d->family };
	const char *claimed = d->nd_type == 136 ? d->target6 : d->src6;

	return type == VX_EV_CONFLICT ? scenario_pick(&s, d->spa, claimed, 0) : scenario_pick(&s, d->src, d->src6, 0);
}

static inline bool packet_check_event(const struct packet_case *c, const struct outcome *o, __u32 i)
{
	const struct vx_event *ev = &o->ev[i];
	__u32 want = c->events[i] & 0xff, why = c->events[i] >> 8 & 0xff;
	struct vx_addr addr = packet_event_addr(&c->frame, want);
	bool ok = true;

	if (ev->type != want || (want == VX_EV_BAD && ev->ctr != why))
		ok = COMPLAIN("event %u: type %u why %u, not type %u why %u", i, ev->type, ev->ctr, want, why);
	if (ev->slot != SLOT)
		ok = COMPLAIN("event %u: slot %u", i, ev->slot);
	if (ev->at_ns < o->t0_ns || ev->at_ns > o->t1_ns)
		ok = COMPLAIN("event %u: at %llu, not in %llu..%llu", i, ev->at_ns, o->t0_ns, o->t1_ns);
	if (memcmp(ev->mac, mac_bytes[c->frame.eth_src], 6))
		ok = COMPLAIN("event %u: another sender's MAC", i);
	if (!vx_addr_eq(&ev->src, &addr))
		ok = COMPLAIN("event %u: address %#x..%#x", i, vx_host32(ev->src.w[0]), vx_host32(ev->src.w[3]));
	if (want != VX_EV_CONFLICT && ev->priority != c->frame.priority)
		ok = COMPLAIN("event %u: priority %u", i, ev->priority);
	if (want != VX_EV_CONFLICT &&
	    ev->adver_ns != (__u64)c->frame.interval * (c->frame.version == 3 ? ADVERT_CS_NS : VX_NS_PER_S))
		ok = COMPLAIN("event %u: interval %llu ns", i, ev->adver_ns);
	return ok;
}

static inline bool packet_check_events(const struct packet_case *c, const struct outcome *o)
{
	__u32 want = packet_events(c), i;
	bool ok = true;

	if (o->nev != want)
		ok = COMPLAIN("%u events, not %u (the first: type %u why %u)", o->nev, want, o->ev[0].type,
			      o->ev[0].ctr);
	for (i = 0; i < want && i < o->nev; i++)
		ok = packet_check_event(c, o, i) && ok;
	return ok;
}

/* "No timer of any instance is touched" (section 2 of the rules), but by an advert that says so. */
static inline bool packet_check_watch(const struct packet_case *c, const struct outcome *o)
{
	struct vx_addr src = packet_event_addr(&c->frame, VX_EV_CHANGE);
	const struct vx_vr_watch *w = &o->after[SLOT];
	bool ok = true;
	__u32 slot;

	for (slot = 0; slot < SLOTS; slot++) {
		const struct vx_vr_watch *a = &o->before[slot], *b = &o->after[slot];

		if (slot == SLOT && c->deadline_ns)
			continue;
		if (a->deadline_ns != b->deadline_ns || a->fire_ns != b->fire_ns || a->last_ns != b->last_ns ||
		    a->adver_ns != b->adver_ns || !vx_addr_eq(&a->src, &b->src) || a->priority != b->priority)
			ok = COMPLAIN("slot %u: its watch was touched", slot);
	}
	if (!c->deadline_ns)
		return ok;
	if (w->last_ns < o->t0_ns || w->last_ns > o->t1_ns)
		ok = COMPLAIN("last advert at %llu, not in %llu..%llu", w->last_ns, o->t0_ns, o->t1_ns);
	if (w->deadline_ns - w->last_ns != c->deadline_ns)
		ok = COMPLAIN("ActiveDown in %lld ns, not %llu", w->deadline_ns - w->last_ns, c->deadline_ns);
	if (!w->fire_ns || w->fire_ns > w->deadline_ns)
		ok = COMPLAIN("timer set for %llu, after the deadline %llu", w->fire_ns, w->deadline_ns);
	if (w->priority != c->frame.priority)
		ok = COMPLAIN("watch: priority %u", w->priority);
	if (c->frame.priority && !vx_addr_eq(&w->src, &src))
		ok = COMPLAIN("watch: address %#x..%#x", vx_host32(w->src.w[0]), vx_host32(w->src.w[3]));
	return ok;
}

/* Whether @o is what @c says; complains to stderr where it is not. */
static inline bool packet_check(const struct packet_case *c, const struct frame *in, const struct outcome *o)
{
	static struct frame want;
	bool ok = true;

	want = *in;
	if (c->out.kind != FRAME_NONE)
		frame_build(&want, &c->out);
	if (o->action != (__u32)c->action)
		ok = COMPLAIN("action %u, not %u", o->action, c->action);
	if (o->out.len != want.len || memcmp(o->out.b, want.b, want.len))
		ok = COMPLAIN("another frame came out");
	ok = packet_check_counters(c, o) && ok;
	ok = packet_check_events(c, o) && ok;
	return packet_check_watch(c, o) && ok;
}

#endif
