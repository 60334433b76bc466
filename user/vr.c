// SPDX-License-Identifier: GPL-2.0-or-later
/* One virtual router: its frames, and the events of the data plane that go into its state machine. */
#include "vr_int.h"

#include "advert.h"
#include "log.h"
#include "ward.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEFEND_NS     (10 * VX_NS_PER_S) /* ARP-6, RFC 5227 2.4(c) */
#define SAY_PERIOD_NS (100 * VX_NS_PER_MS)

enum { SAY_BURST = 20 };

const struct vr_ctr_text vr_ctr_text[VX_CTR_COUNT] = {
#define CTR_TEXT(id, n, h) [VX_CTR_##id] = { n, h },
	VX_COUNTERS(CTR_TEXT)
#undef CTR_TEXT
};

const char *vr_addr(uint8_t family, const struct vx_addr *addr, char buf[VR_ADDR_LEN])
{
	inet_ntop(family == 6 ? AF_INET6 : AF_INET, addr, buf, VR_ADDR_LEN);
	return buf;
}

struct vx_addr vr_conf_addr(const struct conf_addr *a)
{
	struct vx_addr x = { 0 };

	memcpy(&x, a->b, a->family == 6 ? 16 : 4);
	return x;
}

/* ---- frames ---- */

size_t vr_frame_head(const struct vr *r)
{
	return r->conf->unicast ? 0 : sizeof(struct vx_eth);
}

const uint8_t *vr_mac_on(const struct vr *r, const struct vr_if *f)
{
	return f == r->iface && r->conf->use_vmac ? r->mac : f->mac;
}

/* frames[0..nframes) are the adverts, frames[nframes..2*nframes) the same with priority 0. */
uint8_t *vr_frame(const struct vr *r, size_t i, bool prio0)
{
	return r->frames + (i + (prio0 ? r->nframes : 0)) * r->frame_len;
}

/* WF-13, RFC 1112 6.4, RFC 2464 7. */
static void build_eth(const struct vr *r, struct vx_eth *eth)
{
	const __u8 *g = (const __u8 *)r->cfg.group.w;

	if (r->conf->family == 6)
		memcpy(eth->dst, (uint8_t[]){ 0x33, 0x33, g[12], g[13], g[14], g[15] }, 6);
	else
		memcpy(eth->dst, (uint8_t[]){ 0x01, 0x00, 0x5e, g[1] & 0x7f, g[2], g[3] }, 6);
	memcpy(eth->src, r->conf->vmac_xmit_base ? r->nic : r->mac, 6);
	eth->type = r->conf->family == 6 ? VX_BE16(VX_ETH_P_IPV6) : VX_BE16(VX_ETH_P_IP);
}

size_t vr_fits(const struct vr *r)
{
	size_t n = r->iface->mtu ? advert_fits(r->conf->family, r->conf->version, r->iface->mtu) : ADVERT_MAX_ADDRS;

	return n < r->conf->nvips ? n : r->conf->nvips;
}

void vr_set_advertised(struct vr *r, size_t n)
{
	const struct conf_vr *c = r->conf;

	r->nadvertised = n;
	r->frame_len = vr_frame_head(r) + advert_ip_len(c->family) + advert_len(c->family, c->version, n);
}

static void build_frame(struct vr *r, size_t i, bool prio0, const struct vx_addr *vips)
{
	const struct conf_vr *c = r->conf;
	struct advert_params p = {
		.src = r->fsm.src,
		.dst = c->unicast ? vr_conf_addr(&c->peers[i].addr) : r->cfg.group,
		.vips = vips,
		.auth = r->cfg.auth,
		.adver_ns = c->adver_ns,
		.family = c->family,
		.version = c->version,
		.vrid = c->vrid,
		.priority = prio0 ? 0 : r->fsm.priority,
		.nvips = r->nadvertised,
		.auth_type = r->cfg.auth_type,
		.ttl = c->unicast ? c->unicast_ttl : ADVERT_TTL,
		.csum_5798 = c->csum != CONF_CSUM_RFC9568, /* keepalived's form unless asked otherwise (WF-19) */
	};
	uint8_t *f = vr_frame(r, i, prio0);

	if (!c->unicast)
		build_eth(r, (struct vx_eth *)f);
	advert_build(f + vr_frame_head(r), &p, 0);
}

/* What the guardian is to send for @r. */
static void leave_wills(const struct vr *r)
{
	struct ward_will w = {
		.slot = r->slot,
		.ifindex = r->iface->ifindex,
		.family = r->conf->unicast ? r->conf->family : 0,
		.len = r->frame_len,
	};
	int err = 0;
	size_t i;

	ward_forget(r->slot);
	for (i = 0; i < r->nframes && !err; i++) {
		w.data = vr_frame(r, i, true);
		if (r->conf->unicast)
			w.dst = vr_conf_addr(&r->conf->peers[i].addr);
		err = ward_will(&w);
	}
	if (err)
		log_warn("%s: no room for its last will: should vrrp-xdp die, the others wait for three adverts; "
			 "restart vrrp-xdp",
			 r->conf->name);
}

int vr_build(struct vr *r)
{
	struct vx_addr vips[ADVERT_MAX_ADDRS];
	struct dp_addr key;
	size_t i;

	memcpy(r->nic, r->iface->mac, sizeof(r->nic));
	memcpy(r->cfg.nic, r->nic, sizeof(r->cfg.nic));
	if (!r->conf->use_vmac)
		memcpy(r->mac, r->nic, sizeof(r->mac));
	for (i = 0; i < r->nadvertised; i++)
		vips[i] = vr_conf_addr(&r->vips[i].conf->addr);
	for (i = 0; i < r->nvips; i++)
		vr_vip_build(r, &r->vips[i]);
	for (i = 0; i < r->nframes; i++) {
		build_frame(r, i, false, vips);
		build_frame(r, i, true, vips);
	}
	leave_wills(r);
	vr_if_key(r->iface, &key);
	r->cfg.ifindex = key.ifindex;
	r->cfg.vlan = key.vlan;
	r->cfg.src = r->fsm.src;
	r->cfg.priority = r->fsm.priority;
	return dp_vr_set(r->all->dp, r->slot, &r->cfg);
}

/* ---- the state machine ---- */

void vr_mark(struct vr *r)
{
	if (!r->dirty) {
		r->dirty = true;
		r->all->dirty[r->all->ndirty++] = r;
	}
}

/* Silence is told at once; speech only by vrs_flush(), after the addresses. */
void vr_tell_role(struct vr *r)
{
	uint64_t role = r->fsm.state == FSM_BACKUP ? VX_ROLE_BACKUP : VX_ROLE_INIT;
	size_t i;

	if (r->fsm.state == FSM_ACTIVE)
		role = r->fsm.lease_ns > VX_ROLE_ACTIVE_MIN ? r->fsm.lease_ns : VX_ROLE_ACTIVE_MIN;
	else
		for (i = 0; i < r->nvips; i++)
			role |= vr_vip_in(&r->vips[i]) ? VX_ROLE_LEAVING : 0;
	if (!dp_role_set(r->all->dp, r->slot, role))
		r->ended = r->all->ended = true;
}

/* The lines that users of keepalived look for (KA-37), and under -v what is behind them. */
static void log_silence(struct vr *r, const struct fsm_event *ev)
{
	const char *name = r->conf->name;
	char from[VR_ADDR_LEN];

	if (ev->type == FSM_EV_ADVERT && ev->priority > r->fsm.priority)
		log_info("(%s) Master received advert from %s with higher priority %u, ours %u", name,
			 vr_addr(r->conf->family, &ev->src, from), ev->priority, r->fsm.priority);
	else if (ev->type == FSM_EV_ADVERT && r->fsm.why == FSM_WHY_GREATER)
		log_info("(%s) Master received advert from %s with same priority %u but higher IP address than ours",
			 name, vr_addr(r->conf->family, &ev->src, from), ev->priority);
	if (r->fsm.state == FSM_BACKUP)
		log_info("(%s) Entering BACKUP STATE%s", name,
			 r->from == FSM_INITIALIZE && !r->any_told ? " (init)" : "");
	else if (r->hold && !r->quiet)
		log_info("(%s) Entering FAULT STATE", name);
	if (ev->type == FSM_EV_ADVERT)
		log_info("%s: %s -> %s: %s: %u from %s, ours %u", name, fsm_state_name(r->from),
			 fsm_state_name(r->fsm.state), fsm_why_name(r->fsm.why), ev->priority,
			 vr_addr(r->conf->family, &ev->src, from), r->fsm.priority);
	else
		log_info("%s: %s -> %s: %s", name, fsm_state_name(r->from), fsm_state_name(r->fsm.state),
			 r->hold ? r->hold : fsm_why_name(r->fsm.why));
}

static void arm_down(struct vr *r)
{
	int err = dp_watch_arm(r->all->dp, r->slot, r->fsm.down_ns, r->fsm.active_adver_ns, &r->fsm.active_src,
			       r->fsm.active_priority);

	r->pending &= ~FSM_ACT_CANCEL_DOWN;
	if (err)
		log_err("%s: cannot set Active_Down_Timer in the kernel: %s", r->conf->name, strerror(-err));
}

/* Merges the actions of one more step into those of this turn: what is taken back was never done. */
static void add_actions(struct vr *r, unsigned int act)
{
	if (act & FSM_ACT_RELEASE)
		r->pending &= ~(FSM_ACT_CLAIM | FSM_ACT_ADVERT | FSM_ACT_ANNOUNCE | FSM_ACT_ANSWER_LOWER |
				FSM_ACT_ADVER_TIMER);
	if (act & FSM_ACT_CLAIM)
		r->pending &= ~(FSM_ACT_RELEASE | FSM_ACT_PRIORITY_0);
	r->pending |= act & ~FSM_ACT_ARM_DOWN;
}

static void step(struct vr *r, const struct fsm_event *ev, uint64_t now_ns)
{
	enum fsm_state from = r->fsm.state;
	unsigned int act;

	vr_say_active(r);
	act = fsm_step(&r->fsm, ev, now_ns);

	if (!act && r->fsm.state == from)
		return;
	/* Before the role says Backup: from then on the kernel arms it too, and must not be overruled by what is older. */
	if (act & FSM_ACT_ARM_DOWN)
		arm_down(r);
	if (r->fsm.state != from) {
		r->from = from;
		r->cause_ns = ev->at_ns;
		r->wants_ns = 0;
		r->all->news = true;
		ward_alive(loop_now_ns()); /* thousands may change in one turn, each with its lines for the log */
		if (r->fsm.state != FSM_ACTIVE) {
			vr_tell_role(r);
			log_silence(r, ev);
		}
	}
	add_actions(r, act);
	vr_mark(r);
	/* what was fenced was fenced with all of its group */
	if (from == FSM_ACTIVE && r->fsm.state == FSM_BACKUP && ev->type != FSM_EV_SYNC_BACKUP &&
	    ev->type != FSM_EV_FENCED)
		vr_group_follow_backup(r, now_ns);
}

void vr_step_at(struct vr *r, enum fsm_ev type, uint64_t at_ns, uint64_t now_ns)
{
	struct fsm_event ev = { .type = type, .at_ns = at_ns };

	step(r, &ev, now_ns);
}

void vr_step(struct vr *r, enum fsm_ev type, uint64_t now_ns)
{
	vr_step_at(r, type, now_ns, now_ns);
}

/* Whether a lease has lapsed or was ended, by the kernel for a better router: then what was heard goes before what is to be said (SEC-29). */
static bool must_hear(const struct vr *r, uint64_t now_ns)
{
	return (r->fsm.lease_ns && now_ns > r->fsm.lease_ns) || dp_role_ended(r->all->dp, r->slot);
}

void vr_on_adver_timer(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;
	size_t i;

	if (must_hear(r, now_ns)) {
		dp_events_read(r->all->dp);
		if (r->fsm.state == FSM_ACTIVE && dp_role_ended(r->all->dp, r->slot))
			vr_step(r, FSM_EV_BETTER, now_ns);
		if (r->fsm.state != FSM_ACTIVE)
			return;
	}
	vr_step(r, FSM_EV_ADVER_TIMER, now_ns);
	for (i = 0; !r->work && !r->repair && i < r->nvips; i++)
		r->repair = !r->vips[i].installed; /* could not be added last time */
}

/* ---- events of the data plane ---- */

/* Active_Down_Timer was due at @at_ns. If an advert came meanwhile, it has moved the deadline: the expiry is void. */
static void down_expired(struct vr *r, uint64_t at_ns, uint64_t now_ns)
{
	struct vx_vr_watch w;
	uint64_t heard_ns;

	if (r->fsm.state != FSM_BACKUP || dp_watch_get(r->all->dp, r->slot, &w) || !w.deadline_ns)
		return;
	if (w.deadline_ns > now_ns) {
		if (!dp_watch_armed(r->all->dp, r->slot))
			dp_watch_arm(r->all->dp, r->slot, w.deadline_ns, w.adver_ns, &w.src, w.priority);
		return;
	}
	heard_ns = w.last_ns > r->fsm.since_ns ? w.last_ns : r->fsm.since_ns;
	r->quiet_ns = now_ns > heard_ns ? now_ns - heard_ns : 0;
	r->fsm.active_src = w.src;
	r->fsm.active_priority = w.priority;
	if (vr_group_may_claim(r, at_ns, now_ns))
		vr_step_at(r, FSM_EV_DOWN_TIMER, at_ns, now_ns);
}

/* What the kernel has learned as a Backup: of events that tell of it some may have been held back, or lost. */
void vr_learn(struct vr *r)
{
	struct vx_vr_watch w;

	if (r->fsm.state != FSM_BACKUP || dp_watch_get(r->all->dp, r->slot, &w) || !w.deadline_ns)
		return;
	r->fsm.active_src = w.src;
	r->fsm.active_priority = w.priority;
	r->fsm.active_adver_ns = w.adver_ns;
}

/*
 * ActiveDown is near: stay awake for it. The kernel's timer is armed again behind it, should this process not get there. The look at
 * the watch is for the caches: the same lines are on the way at the deadline, where every cold one costs a microsecond. One look does for
 * all that come together.
 */
static void on_soon(struct vr *r, const struct vx_event *e)
{
	struct vx_vr_watch w;

	if (r->fsm.state != FSM_BACKUP)
		return;
	if (!loop_is_awake(r->all->loop))
		dp_watch_get(r->all->dp, r->slot, &w);
	timer_arm(&r->all->loop->timers, &r->down_timer, e->at_ns);
	loop_stay_awake(r->all->loop, e->at_ns);
}

void vr_on_down_timer(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;

	down_expired(r, r->down_timer.at_ns, now_ns);
}

/* What a frame can trigger is limited for all routers together (SEC-31): ten lines a second, and how many were left out. */
static bool may_say(struct vrs *v, uint64_t now_ns)
{
	if (!decide_bucket(&v->say_ns, now_ns, SAY_PERIOD_NS, SAY_BURST)) {
		v->unsaid++;
		return false;
	}
	if (v->unsaid)
		log_info("%u lines about adverts were left out", v->unsaid);
	v->unsaid = 0;
	return true;
}

/* A Backup's adverts are acted upon in the kernel; what comes here is news for the log and for fsm's view. */
static void on_backup_news(struct vr *r, const struct vx_event *e, const struct fsm_event *ev, uint64_t now_ns)
{
	char from[VR_ADDR_LEN];

	fsm_step(&r->fsm, ev, now_ns);
	r->wants_ns = 0;
	if (!may_say(r->all, now_ns))
		return;
	if (e->priority == 0)
		log_info("%s: the Active Router %s is leaving (priority 0)", r->conf->name,
			 vr_addr(r->conf->family, &e->src, from));
	else
		log_info("%s: the Active Router is %s, priority %u, interval %g ms", r->conf->name,
			 vr_addr(r->conf->family, &e->src, from), e->priority, r->fsm.active_adver_ns / 1e6);
}

/* Whether the kernel has acted on an advert that came later: what is older must not take the timer back. */
static bool heard_since(const struct vr *r, uint64_t at_ns)
{
	struct vx_vr_watch w;

	return !dp_watch_get(r->all->dp, r->slot, &w) && w.last_ns > at_ns;
}

static void on_advert(struct vr *r, const struct vx_event *e, uint64_t now_ns)
{
	struct fsm_event ev = {
		.type = FSM_EV_ADVERT,
		.priority = e->priority,
		.src = e->src,
		.adver_ns = e->adver_ns,
		.at_ns = e->at_ns,
	};
	char from[VR_ADDR_LEN];

	if (r->fsm.state == FSM_BACKUP && e->absorbed) {
		on_backup_news(r, e, &ev, now_ns);
		return;
	}
	if (r->fsm.state == FSM_BACKUP && heard_since(r, e->at_ns))
		return;
	/* Seen while Active, in the turn we ceased; read late, it says nothing of how long its sender has been silent. */
	if (r->fsm.state == FSM_BACKUP && now_ns - ev.at_ns > r->fsm.adver_ns)
		ev.at_ns = now_ns;
	if (r->fsm.state == FSM_ACTIVE && e->type == VX_EV_LOWER && e->at_ns <= r->fsm.lease_ns &&
	    now_ns - r->fsm.announced_ns > VX_NS_PER_S) {
		r->rx_lower = r->all->news = true;
		if (may_say(r->all, now_ns))
			log_info("(%s) Received advert from %s with lower priority %u, ours %u, forcing new election",
				 r->conf->name, vr_addr(r->conf->family, &e->src, from), e->priority, r->fsm.priority);
	}
	step(r, &ev, now_ns);
	if (r->pending & FSM_ACT_ANSWER_LOWER)
		vr_group_answer_lower(r);
}

/*
 * ARP-6, ND-13: defended at once, so that no host keeps what somebody has claimed, and then at most every 10 s, once more for what came in
 * between: two that both defend must not answer each other without end (RFC 5227 2.4).
 */
static void defend(struct vr *r, struct vr_vip *vip, const struct vx_event *e, uint64_t now_ns)
{
	char text[VR_ADDR_LEN];

	if (vip->defended_ns && now_ns - vip->defended_ns < DEFEND_NS) {
		if (!r->defend_timer.index)
			timer_arm(&r->all->loop->timers, &r->defend_timer, vip->defended_ns + DEFEND_NS);
		return;
	}
	if (r->defend_timer.index && r->defend_timer.at_ns <= now_ns) /* it does so in this very turn */
		return;
	vip->defended_ns = now_ns;
	vip->announce = vr_vip_in(vip);
	r->defend = true;
	vr_mark(r);
	if (may_say(r->all, now_ns))
		log_warn("%s: %02x:%02x:%02x:%02x:%02x:%02x claims our address %s; defended with one announcement, "
			 "find that host",
			 r->conf->name, e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4], e->mac[5],
			 vr_addr(vip->conf->addr.family, &e->src, text));
}

static void on_conflict(struct vr *r, const struct vx_event *e, uint64_t now_ns)
{
	struct vx_addr a;
	size_t i;

	for (i = 0; r->fsm.state == FSM_ACTIVE && i < r->nvips; i++) {
		a = vr_conf_addr(&r->vips[i].conf->addr);
		if (vx_addr_eq(&a, &e->src))
			defend(r, &r->vips[i], e, now_ns);
	}
}

/* All VIPs: a flood of claims to one may have hidden those to another. */
void vr_on_defend_timer(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;
	size_t i;

	if (r->fsm.state != FSM_ACTIVE)
		return;
	vr_announce_installed(r);
	for (i = 0; i < r->nvips; i++)
		r->vips[i].defended_ns = now_ns;
	r->defend = true;
	vr_mark(r);
	if (may_say(r->all, now_ns))
		log_warn("%s: somebody else still claims our addresses; defended with one announcement of each",
			 r->conf->name);
}

/* What the operator should look at, beside what the counter says. */
static const char *bad_hint(enum vx_ctr ctr)
{
	switch (ctr) {
	case VX_CTR_RX_ADV_INT:
		return "; with version 2 both sides become Active: give them the same interval";
	case VX_CTR_RX_AUTH_TYPE:
	case VX_CTR_RX_AUTH_MISMATCH:
	case VX_CTR_RX_AUTH_FAIL:
		return "; give both sides the same authentication";
	case VX_CTR_RX_VERSION:
		return "; give both sides the same version";
	case VX_CTR_RX_CSUM:
		return "; if the sender is sound, its checksum form differs: see --checksum";
	case VX_CTR_RX_PEER:
		return "; add it as a unicast peer if it is one";
	case VX_CTR_RX_CAST:
		return "; one side uses unicast, the other multicast";
	case VX_CTR_ADDR_LIST:
		return "; give both sides the same addresses";
	case VX_CTR_ADV_INT_MISMATCH:
		return "; give both sides the same interval";
	case VX_CTR_OWNER_CONFLICT:
		return "; only one router may have priority 255";
	default:
		return "";
	}
}

/* How keepalived begins the line (KA-37). */
static const char *bad_words(const struct vr *r, enum vx_ctr ctr)
{
	switch (ctr) {
	case VX_CTR_RX_TTL:
		return "invalid TTL/HL";
	case VX_CTR_RX_CSUM:
		return r->conf->version == 2 ? "Invalid VRRPv2 checksum" : "Invalid VRRPv3 checksum";
	case VX_CTR_RX_VERSION:
		return "wrong VRRP version";
	case VX_CTR_RX_AUTH_FAIL:
		return "received an invalid passwd";
	default:
		return "advert";
	}
}

static void on_bad(struct vr *r, const struct vx_event *e, uint64_t now_ns)
{
	char from[VR_ADDR_LEN];

	if (e->ctr < VX_CTR_COUNT && may_say(r->all, now_ns))
		log_warn("(%s) %s from %s (%02x:%02x:%02x:%02x:%02x:%02x): %s [%s]%s", r->conf->name,
			 bad_words(r, e->ctr), vr_addr(r->conf->family, &e->src, from), e->mac[0], e->mac[1], e->mac[2],
			 e->mac[3], e->mac[4], e->mac[5], vr_ctr_text[e->ctr].help, vr_ctr_text[e->ctr].name,
			 bad_hint(e->ctr));
}

void vrs_on_event(void *arg, const struct vx_event *e)
{
	struct vrs *v = arg;
	struct vr *r;
	uint64_t now_ns = loop_now_ns();

	r = e->slot < v->sizes.vrs ? v->slots[e->slot] : NULL;
	if (!r)
		return;
	switch ((enum vx_ev)e->type) {
	case VX_EV_DOWN:
		down_expired(r, e->at_ns, now_ns);
		break;
	case VX_EV_SOON:
		on_soon(r, e);
		break;
	case VX_EV_PRIO0:
	case VX_EV_HIGHER:
	case VX_EV_LOWER:
	case VX_EV_CHANGE:
		on_advert(r, e, now_ns);
		break;
	case VX_EV_CONFLICT:
		on_conflict(r, e, now_ns);
		break;
	case VX_EV_BAD:
		on_bad(r, e, now_ns);
		break;
	}
}

void vrs_on_dp(void *arg, uint32_t events, uint64_t now_ns)
{
	struct vrs *v = arg;

	(void)events;
	(void)now_ns;
	dp_events_read(v->dp);
}
