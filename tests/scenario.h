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

enum scenario_role { INITIALIZE, BACKUP, ACTIVE, LAPSED };

enum {
	IFINDEX = 1, /* what a program sees in a test run */
	IFINDEX_OTHER = 7,
	SLOT = 3,
	SLOT_BYSTANDER = 5,
	SLOT_SECOND = 8,
	SLOTS = 16,
	ROW_IFACE = SLOTS,
	ROW_IFACE_BYSTANDER,
	ROWS = 32,
	VLAN_BYSTANDER = 20,
	MAX_EVENTS = 8,
	MAX_SCENARIO_VIPS = 4, /* that are put into addr4; all are in the sum */
};

struct scenario {
	enum scenario_role role;
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
	bool second;    /* VRID 52 is Active here, with ADDR_VIP2 */
	bool unicast;   /* with ADDR_PEER as a peer */
	int min_ttl;
	int max_ttl;
	__u32 group;  /* 0: 224.0.0.18 */
	__u32 groups; /* so many from ADDR_GROUP_OWN on are listened to on the interface */
	int down_adverts;
	__u64 preempt_delay_ns;
};

/* The virtual router: VRID 51, priority 90, 1 s, one VIP. As Backup it has heard 192.0.2.1 with priority 100. */
#define SCENARIO(...)                                                                                                  \
	{                                                                                                              \
		.version = 3, .priority = 90, .csum = VX_CFG_CSUM_9568 | VX_CFG_CSUM_5798, .nvips = 1, .min_ttl = 255, \
		.max_ttl = 255, .down_adverts = DECIDE_DOWN_ADVERTS, __VA_ARGS__                                       \
	}
#define IN_BACKUP(...)     SCENARIO(.role = BACKUP, __VA_ARGS__)
#define IN_ACTIVE(...)     SCENARIO(.role = ACTIVE, __VA_ARGS__)
#define IN_LAPSED(...)     SCENARIO(.role = LAPSED, __VA_ARGS__)
#define IN_INITIALIZE(...) SCENARIO(.role = INITIALIZE, __VA_ARGS__)
#define V2                 .version = 2
#define V2PASS             .version = 2, .auth_type = 1, .auth = "1234"

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

enum dp_map { DP_VR_INDEX, DP_ADDR4, DP_PEERS, DP_FILTER, DP_VR_CONFIG, DP_VR_ROLE };

struct dp_ops {
	void (*put)(enum dp_map map, const void *key, const void *value);
	void (*arm)(const struct vx_timer_cmd *cmd);
};

static inline void scenario_config(const struct scenario *s, struct vx_vr_config *cfg)
{
	int i;

	*cfg = (struct vx_vr_config){
		.ifindex = s->elsewhere || s->away ? IFINDEX_OTHER : IFINDEX,
		.vlan = s->vlan,
		.src = VX_BE32(s->owner ? ADDR_VIP : ADDR_US),
		.group = s->group ? VX_BE32(s->group) : ADVERT_GROUP4,
		.down_adverts = (__u8)s->down_adverts,
		.preempt_delay_ns = s->preempt_delay_ns,
		.flags = s->csum | (s->no_preempt ? 0 : VX_CFG_PREEMPT) | (s->unicast ? VX_CFG_UNICAST : 0) |
			 (s->no_accept ? VX_CFG_NO_ACCEPT : 0) | (s->vmac ? VX_CFG_VMAC : 0),
		.adver_ns = VX_NS_PER_S,
		.vrid = 51,
		.family = 4,
		.version = (__u8)s->version,
		.priority = (__u8)(s->owner ? 255 : s->priority),
		.auth_type = (__u8)s->auth_type,
		.nvips = (__u8)s->nvips,
	};
	memcpy(cfg->nic, mac_bytes[MAC_NIC], 6);
	if (s->auth)
		memcpy(cfg->auth, s->auth, strlen(s->auth));
	for (i = 0; i < s->nvips; i++)
		cfg->vip_sum += advert_addr_mix(VX_BE32(ADDR_VIP + (__u32)i));
}

static inline void scenario_addr(const struct dp_ops *dp, const struct vx_vr_config *cfg, struct vx_filter *bits,
				 __u32 addr, __u32 slot, __u32 flags, enum mac mac)
{
	struct vx_addr4_key k = { .ifindex = cfg->ifindex, .vlan = cfg->vlan, .addr = VX_BE32(addr) };
	struct vx_addr4_val v = { .slot = slot, .flags = flags };
	__u32 bit = vx_filter_bit(k.addr);

	memcpy(v.mac, mac_bytes[mac], 6);
	memcpy(v.nic, mac_bytes[cfg->flags & VX_CFG_VMAC ? MAC_NIC : mac], 6);
	bits->word[bit / 64] |= 1ULL << bit % 64;
	dp->put(DP_ADDR4, &k, &v);
}

/* A VIP of @slot as it looks from this interface, where it is not. */
static inline void scenario_away(const struct dp_ops *dp, const struct vx_vr_config *cfg, __u32 addr, __u32 slot)
{
	struct vx_addr4_key k = { .ifindex = IFINDEX, .vlan = cfg->vlan, .addr = VX_BE32(addr) };
	struct vx_addr4_val v = { .flags = VX_ADDR_AWAY, .away = (__u16)slot };

	dp->put(DP_ADDR4, &k, &v);
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
				    .src = VX_BE32(ADDR_PEER),
				    .priority = 100 };
	struct vx_peer_key peer = { .slot = slot, .addr = VX_BE32(ADDR_PEER) };
	struct vx_peer_val ttl = { .min_ttl = (__u8)s->min_ttl, .max_ttl = (__u8)s->max_ttl };
	__u64 role = scenario_role_word(s->role, now_ns);
	struct vx_vr_config cfg;
	struct vx_vr_key k;
	int i;

	scenario_config(s, &cfg);
	k = (struct vx_vr_key){ .ifindex = cfg.ifindex, .vlan = cfg.vlan, .vrid = cfg.vrid, .family = 4 };
	dp->put(DP_VR_INDEX, &k, &slot);
	k.vrid = 0;
	dp->put(DP_VR_INDEX, &k, &iface_row);
	for (i = 0; i < s->nvips && i < MAX_SCENARIO_VIPS; i++)
		scenario_addr(dp, &cfg, bits, ADDR_VIP + (__u32)i, slot,
			      VX_ADDR_VIP | (s->owner && i == 0 ? VX_ADDR_OWN : 0), MAC_VROUTER);
	for (i = 0; s->away && i < s->nvips && i < MAX_SCENARIO_VIPS; i++)
		scenario_away(dp, &cfg, ADDR_VIP + (__u32)i, slot);
	if (!s->owner)
		scenario_addr(dp, &cfg, bits, ADDR_US, slot, VX_ADDR_OWN, MAC_VROUTER);
	for (i = 0; i < (int)s->groups; i++)
		scenario_addr(dp, &cfg, bits, ADDR_GROUP_OWN + (__u32)i, 0, VX_ADDR_GROUP, MAC_GROUP);
	if (s->unicast)
		dp->put(DP_PEERS, &peer, &ttl);
	dp->put(DP_VR_CONFIG, &slot, &cfg);
	dp->put(DP_VR_ROLE, &slot, &role);
	if (s->role == BACKUP)
		dp->arm(&arm);
}

static inline void scenario_load_second(const struct dp_ops *dp, const struct scenario *s, struct vx_filter *bits,
					__u64 now_ns)
{
	__u64 role = scenario_role_word(ACTIVE, now_ns);
	struct vx_vr_config cfg;
	__u32 slot = SLOT_SECOND;
	struct vx_vr_key k;

	scenario_config(s, &cfg);
	cfg.vrid = 52;
	cfg.flags &= ~(__u32)VX_CFG_NO_ACCEPT;
	cfg.vip_sum = advert_addr_mix(VX_BE32(ADDR_VIP2));
	k = (struct vx_vr_key){ .ifindex = cfg.ifindex, .vlan = cfg.vlan, .vrid = cfg.vrid, .family = 4 };
	dp->put(DP_VR_INDEX, &k, &slot);
	scenario_addr(dp, &cfg, bits, ADDR_VIP2, slot, VX_ADDR_VIP, MAC_VROUTER2);
	dp->put(DP_VR_CONFIG, &slot, &cfg);
	dp->put(DP_VR_ROLE, &slot, &role);
}

/* Into maps that are empty. */
static inline void scenario_load(const struct dp_ops *dp, const struct scenario *s, __u64 now_ns)
{
	struct scenario bystander = *s;
	struct vx_filter bits = { .word = { 0 } };
	__u32 zero = 0;

	bystander.vlan = VLAN_BYSTANDER;
	scenario_load_vr(dp, s, &bits, SLOT, ROW_IFACE, now_ns);
	scenario_load_vr(dp, &bystander, &bits, SLOT_BYSTANDER, ROW_IFACE_BYSTANDER, now_ns);
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

static inline bool packet_check_event(const struct packet_case *c, const struct outcome *o, __u32 i)
{
	const struct vx_event *ev = &o->ev[i];
	__u32 want = c->events[i] & 0xff, why = c->events[i] >> 8 & 0xff;
	bool ok = true;

	if (ev->type != want || (want == VX_EV_BAD && ev->ctr != why))
		ok = COMPLAIN("event %u: type %u why %u, not type %u why %u", i, ev->type, ev->ctr, want, why);
	if (ev->slot != SLOT)
		ok = COMPLAIN("event %u: slot %u", i, ev->slot);
	if (ev->at_ns < o->t0_ns || ev->at_ns > o->t1_ns)
		ok = COMPLAIN("event %u: at %llu, not in %llu..%llu", i, ev->at_ns, o->t0_ns, o->t1_ns);
	if (memcmp(ev->mac, mac_bytes[c->frame.eth_src], 6))
		ok = COMPLAIN("event %u: another sender's MAC", i);
	if (vx_host32(ev->src) != (want == VX_EV_CONFLICT ? c->frame.spa : c->frame.src))
		ok = COMPLAIN("event %u: address %#x", i, vx_host32(ev->src));
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
	const struct vx_vr_watch *w = &o->after[SLOT];
	bool ok = true;
	__u32 slot;

	for (slot = 0; slot < SLOTS; slot++) {
		const struct vx_vr_watch *a = &o->before[slot], *b = &o->after[slot];

		if (slot == SLOT && c->deadline_ns)
			continue;
		if (a->deadline_ns != b->deadline_ns || a->fire_ns != b->fire_ns || a->last_ns != b->last_ns ||
		    a->adver_ns != b->adver_ns || a->src != b->src || a->priority != b->priority)
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
	if (c->frame.priority && vx_host32(w->src) != c->frame.src)
		ok = COMPLAIN("watch: address %#x", vx_host32(w->src));
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
