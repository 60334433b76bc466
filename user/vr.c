// SPDX-License-Identifier: GPL-2.0-or-later
#include "vr.h"

#include "advert.h"
#include "arp.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define DEFEND_NS (10 * VX_NS_PER_S) /* ARP-6, RFC 5227 2.4(c) */

static const struct {
	const char *name, *help;
} ctr_text[VX_CTR_COUNT] = {
#define CTR_TEXT(id, n, h) [VX_CTR_##id] = { n, h },
	VX_COUNTERS(CTR_TEXT)
#undef CTR_TEXT
};

const char *vr_addr(__be32 addr, char buf[16])
{
	inet_ntop(AF_INET, &addr, buf, 16);
	return buf;
}

static __be32 addr4(const struct conf_addr *a)
{
	__be32 x;

	memcpy(&x, a->b, sizeof(x));
	return x;
}

/* ---- frames ---- */

/* Bytes in front of the IPv4 packet: Ethernet where we address the frame, nothing where the kernel does. */
static size_t frame_head(const struct vr *r)
{
	return r->conf->unicast ? 0 : sizeof(struct vx_eth);
}

/* frames[0..nframes) are the adverts, frames[nframes..2*nframes) the same with priority 0. */
static uint8_t *frame_at(const struct vr *r, size_t i, bool prio0)
{
	return r->frames + (i + (prio0 ? r->nframes : 0)) * r->frame_len;
}

static void build_frame(struct vr *r, size_t i, bool prio0, const __be32 *vips)
{
	static const uint8_t group_mac[6] = { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x12 }; /* WF-13 */
	const struct conf_vr *c = r->conf;
	struct advert_params p = {
		.src = r->fsm.src,
		.dst = c->unicast ? addr4(&c->peers[i].addr) : ADVERT_GROUP4,
		.vips = vips,
		.auth = r->cfg.auth,
		.adver_ns = c->adver_ns,
		.version = c->version,
		.vrid = c->vrid,
		.priority = prio0 ? 0 : c->priority,
		.nvips = r->nvips,
		.auth_type = r->cfg.auth_type,
		.csum_5798 = c->csum != CONF_CSUM_RFC9568, /* keepalived's form unless asked otherwise (WF-19) */
	};
	uint8_t *f = frame_at(r, i, prio0);

	if (!c->unicast) {
		struct vx_eth *eth = (struct vx_eth *)f;

		memcpy(eth->dst, group_mac, 6);
		memcpy(eth->src, r->iface->mac, 6);
		eth->type = VX_BE16(VX_ETH_P_IP);
	}
	advert_build(f + frame_head(r), &p, 0);
}

/* Everything that depends on our address, the NIC's MAC and the configuration: frames, and the data plane's copy. */
static int build(struct vr *r)
{
	__be32 vips[ADVERT_MAX_ADDRS];
	size_t i;

	for (i = 0; i < r->nvips; i++) {
		vips[i] = r->vips[i].addr;
		arp_build_gratuitous(r->vips[i].garp, r->iface->mac, vips[i]);
	}
	for (i = 0; i < r->nframes; i++) {
		build_frame(r, i, false, vips);
		build_frame(r, i, true, vips);
	}
	r->cfg.src = r->fsm.src;
	memcpy(r->cfg.mac, r->iface->mac, sizeof(r->cfg.mac));
	return dp_vr_set(r->all->dp, r->slot, &r->cfg);
}

/* ---- carrying out what the state machine decided ---- */

static void mark(struct vr *r)
{
	if (!r->dirty) {
		r->dirty = true;
		r->all->dirty[r->all->ndirty++] = r;
	}
}

/* The role in the data plane. Silence is told at once; speech only by flush(), after the addresses. */
static void tell_role(struct vr *r)
{
	uint64_t role = VX_ROLE_INIT;

	if (r->fsm.state == FSM_BACKUP)
		role = VX_ROLE_BACKUP;
	else if (r->fsm.state == FSM_ACTIVE)
		role = r->fsm.lease_ns > VX_ROLE_ACTIVE_MIN ? r->fsm.lease_ns : VX_ROLE_ACTIVE_MIN;
	dp_role_set(r->all->dp, r->slot, role);
}

static void log_silence(struct vr *r, const struct fsm_event *ev)
{
	char from[16];

	if (r->hold)
		log_info("%s: %s -> %s: %s", r->conf->name, fsm_state_name(r->from), fsm_state_name(r->fsm.state),
			 r->hold);
	else if (ev->type == FSM_EV_ADVERT)
		log_info("%s: %s -> %s: %s: %u from %s, ours %u", r->conf->name, fsm_state_name(r->from),
			 fsm_state_name(r->fsm.state), fsm_why_name(r->fsm.why), ev->priority, vr_addr(ev->src, from),
			 r->conf->priority);
	else
		log_info("%s: %s -> %s: %s", r->conf->name, fsm_state_name(r->from), fsm_state_name(r->fsm.state),
			 fsm_why_name(r->fsm.why));
}

/* Merges the actions of one more step into those of this turn: what is taken back was never done. */
static void add_actions(struct vr *r, unsigned int act)
{
	if (act & FSM_ACT_RELEASE)
		r->pending &= ~(FSM_ACT_CLAIM | FSM_ACT_ADVERT | FSM_ACT_ANNOUNCE | FSM_ACT_ADVER_TIMER);
	if (act & FSM_ACT_CLAIM)
		r->pending &= ~(FSM_ACT_RELEASE | FSM_ACT_ARM_DOWN | FSM_ACT_CANCEL_DOWN);
	if (act & FSM_ACT_ARM_DOWN)
		r->pending &= ~FSM_ACT_CANCEL_DOWN;
	if (act & FSM_ACT_CANCEL_DOWN)
		r->pending &= ~FSM_ACT_ARM_DOWN;
	r->pending |= act;
}

static void step(struct vr *r, const struct fsm_event *ev, uint64_t now_ns)
{
	enum fsm_state from = r->fsm.state;
	unsigned int act = fsm_step(&r->fsm, ev, now_ns);

	if (!act && r->fsm.state == from)
		return;
	if (r->fsm.state != from) {
		r->from = from;
		r->cause_ns = ev->at_ns;
		if (r->fsm.state != FSM_ACTIVE) {
			tell_role(r);
			log_silence(r, ev);
		}
	}
	add_actions(r, act);
	mark(r);
}

static void step_simple(struct vr *r, enum fsm_ev type, uint64_t now_ns)
{
	struct fsm_event ev = { .type = type, .at_ns = now_ns };

	step(r, &ev, now_ns);
}

static void queue_adverts(struct vr *r, bool prio0)
{
	size_t i;

	for (i = 0; i < r->nframes; i++) {
		if (r->conf->unicast)
			tx_packet(r->iface->tx, frame_at(r, i, prio0), r->frame_len, addr4(&r->conf->peers[i].addr),
				  &r->sent);
		else
			tx_frame(r->iface->tx, frame_at(r, i, prio0), r->frame_len, &r->sent);
	}
}

/* A new reason why nothing can be sent is said once; the link is looked at after the turn, see flush(). */
static void flush_tx(struct vrs *v)
{
	struct vr_if *f;
	int err;

	for (f = v->ifs; f < v->ifs + v->nifs; f++) {
		err = f->tx ? tx_flush(f->tx) : 0;
		if (!err)
			continue;
		f->send_failed = true;
		if (err != f->send_err)
			log_warn("%s: cannot send: %s", f->name, strerror(-err));
		f->send_err = err;
	}
}

/* Adverts of all routers, then the lease of those whose advert has left. */
static void flush_adverts(struct vrs *v)
{
	const unsigned int speak = FSM_ACT_ADVERT | FSM_ACT_PRIORITY_0;
	uint64_t sent_ns;
	size_t i;

	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];

		r->sent = false;
		if (r->pending & speak)
			queue_adverts(r, r->pending & FSM_ACT_PRIORITY_0);
	}
	/* Before, not after: a lease counted from a moment when the frame had not left yet could outlast the peer's patience. */
	sent_ns = loop_now_ns();
	flush_tx(v);
	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];

		if (!(r->pending & speak))
			continue;
		if (!r->sent) {
			r->send_errors++;
			continue;
		}
		r->iface->send_err = 0;
		r->adverts_sent++;
		r->prio0_sent += !!(r->pending & FSM_ACT_PRIORITY_0);
		fsm_sent(&r->fsm, sent_ns);
		if (r->fsm.state == FSM_ACTIVE && !(r->pending & FSM_ACT_CLAIM))
			tell_role(r);
	}
}

static void arm_timers(struct vr *r)
{
	int err = 0;

	if (r->pending & FSM_ACT_ADVER_TIMER)
		timer_arm(&r->all->loop->timers, &r->adver_timer, r->fsm.adver_due_ns);
	if (r->pending & FSM_ACT_RELEASE) {
		timer_cancel(&r->all->loop->timers, &r->adver_timer);
		timer_cancel(&r->all->loop->timers, &r->garp_timer);
	}
	if (r->pending & FSM_ACT_ARM_DOWN)
		err = dp_watch_arm(r->all->dp, r->slot, r->fsm.down_ns, r->fsm.active_adver_ns, r->fsm.active_src,
				   r->fsm.active_priority);
	else if (r->pending &
		 (FSM_ACT_CANCEL_DOWN | FSM_ACT_CLAIM)) /* CLAIM: the one behind the deadline, see on_soon() */
		err = dp_watch_cancel(r->all->dp, r->slot);
	if (err)
		log_err("%s: cannot set Active_Down_Timer in the kernel: %s", r->conf->name, strerror(-err));
}

static void want_change(struct vr *r, struct vr_vip *vip, bool del)
{
	r->all->changes[r->all->nchanges++] =
		(struct nl_change){ .ifindex = r->iface->ifindex, .addr = vip->addr, .plen = vip->plen, .del = del };
}

/* Which addresses are to change; the results come back in the same order. */
static bool next_change(struct vr *r, size_t i)
{
	if (r->pending & FSM_ACT_RELEASE)
		return r->vips[i].installed;
	return r->pending & FSM_ACT_CLAIM || (r->repair && !r->vips[i].installed);
}

static void take_result(struct vr *r, struct vr_vip *vip, const struct nl_change *c)
{
	char text[16];

	vip->installed = !c->del && !c->err;
	vip->announce = vip->installed;
	if (c->err && r->iface->present)
		log_err("%s: cannot %s %s/%u on %s: %s", r->conf->name, c->del ? "remove" : "add",
			vr_addr(vip->addr, text), vip->plen, r->iface->name, strerror(-c->err));
}

static void flush_addresses(struct vrs *v)
{
	size_t i, k, n = 0;
	int err;

	v->nchanges = 0;
	for (i = 0; i < v->ndirty; i++)
		for (k = 0; k < v->dirty[i]->nvips; k++)
			if (next_change(v->dirty[i], k))
				want_change(v->dirty[i], &v->dirty[i]->vips[k], v->dirty[i]->pending & FSM_ACT_RELEASE);
	if (!v->nchanges)
		return;
	err = nl_commit(v->nl, v->changes, v->nchanges);
	if (err)
		log_err("route netlink failed while changing addresses: %s", strerror(-err));
	for (i = 0; i < v->ndirty; i++)
		for (k = 0; k < v->dirty[i]->nvips; k++)
			if (n < v->nchanges && next_change(v->dirty[i], k))
				take_result(v->dirty[i], &v->dirty[i]->vips[k], &v->changes[n++]);
}

static void queue_garps(struct vr *r, unsigned int repeat)
{
	unsigned int n;
	size_t i;

	for (n = 0; n < repeat; n++) /* KA-9: for each repeat, all VIPs */
		for (i = 0; i < r->nvips; i++)
			if (r->vips[i].announce)
				tx_frame(r->iface->tx, r->vips[i].garp, ARP_FRAME_LEN, NULL);
}

/* Invariant 6: only what was installed is announced, and only while Active. */
static void announce_installed(struct vr *r)
{
	size_t i;

	for (i = 0; i < r->nvips; i++)
		r->vips[i].announce = r->vips[i].installed;
}

static void log_claim(const struct vr *r, const uint64_t at_ns[4])
{
	uint64_t t[4];
	char why[64] = "";
	int i;

	for (i = 0; i < 4; i++)
		t[i] = at_ns[i] > r->cause_ns ? (at_ns[i] - r->cause_ns) / VX_NS_PER_US : 0;
	if (r->fsm.why == FSM_WHY_NO_ADVERT)
		snprintf(why, sizeof(why), " for %.1f ms", r->quiet_ns / 1e6);
	log_info("%s: %s -> Active: %s%s; advert +%" PRIu64 " us, address +%" PRIu64 " us, answering +%" PRIu64
		 " us, gratuitous ARP +%" PRIu64 " us",
		 r->conf->name, fsm_state_name(r->from), fsm_why_name(r->fsm.why), why, t[0], t[1], t[2], t[3]);
}

/* Announcements follow the addresses (invariant 6); one that repeats itself needs a lease. */
static void flush_announcements(struct vrs *v)
{
	uint64_t now_ns = loop_now_ns();
	size_t i;

	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];
		bool again = r->pending & FSM_ACT_ANNOUNCE && r->fsm.lease_ns > now_ns;

		if (r->fsm.state != FSM_ACTIVE)
			continue;
		if (r->pending & FSM_ACT_CLAIM || again)
			announce_installed(r);
		if (r->pending & FSM_ACT_CLAIM || again || r->repair)
			queue_garps(r, r->pending & FSM_ACT_CLAIM ? VR_GARP_REPEAT : 1);
	}
	flush_tx(v);
}

/* What was decided, in the order that the head of vr.h gives. */
static void carry_out(struct vrs *v)
{
	uint64_t at_ns[4];
	size_t i, k;

	flush_adverts(v);
	at_ns[0] = loop_now_ns();
	flush_addresses(v);
	at_ns[1] = loop_now_ns();
	for (i = 0; i < v->ndirty; i++)
		if (v->dirty[i]->pending & FSM_ACT_CLAIM)
			tell_role(v->dirty[i]);
	at_ns[2] = loop_now_ns();
	flush_announcements(v);
	at_ns[3] = loop_now_ns();
	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];

		arm_timers(r);
		if (r->pending & FSM_ACT_CLAIM) {
			r->became_active++;
			timer_arm(&v->loop->timers, &r->garp_timer, at_ns[3] + VR_GARP_DELAY_S * VX_NS_PER_S);
			log_claim(r, at_ns);
		}
		for (k = 0; k < r->nvips; k++)
			r->vips[k].announce = false;
		r->pending = 0;
		r->dirty = r->repair = false;
	}
	v->ndirty = 0;
}

/*
 * The end of a turn. Where sending failed the kernel is asked for the link: its own news of a lost carrier can be a second late.
 */
static void flush(void *arg, uint64_t now_ns)
{
	struct vrs *v = arg;
	struct vr_if *f;

	(void)now_ns;
	while (v->ndirty) {
		carry_out(v);
		for (f = v->ifs; f < v->ifs + v->nifs; f++) {
			if (f->send_failed && f->up)
				nl_link_read(v->nl, f->ifindex);
			f->send_failed = false;
		}
	}
}

static void on_adver_timer(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;
	size_t i;

	if (r->fsm.lease_ns &&
	    now_ns > r->fsm.lease_ns) { /* stalled just now, maybe: hear first, then speak (SEC-29) */
		dp_events_read(r->all->dp);
		if (r->fsm.state != FSM_ACTIVE)
			return;
	}
	step_simple(r, FSM_EV_ADVER_TIMER, now_ns);
	for (i = 0; i < r->nvips; i++)
		if (!r->vips[i].installed) /* could not be added last time */
			r->repair = true;
}

static void on_garp_timer(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;

	(void)now_ns;
	if (r->fsm.state != FSM_ACTIVE)
		return;
	announce_installed(r);
	queue_garps(r, VR_GARP_REPEAT);
	mark(r); /* flush() sends what is queued */
}

/* ---- events of the data plane ---- */

/* Active_Down_Timer was due at @at_ns. If an advert came meanwhile, it has moved the deadline: the expiry is void. */
static void down_expired(struct vr *r, uint64_t at_ns, uint64_t now_ns)
{
	struct fsm_event ev = { .type = FSM_EV_DOWN_TIMER, .at_ns = at_ns };
	struct vx_vr_watch w;

	if (r->fsm.state != FSM_BACKUP || dp_watch_get(r->all->dp, r->slot, &w) || !w.deadline_ns)
		return;
	if (w.deadline_ns > now_ns) {
		if (!w.fire_ns)
			dp_watch_arm(r->all->dp, r->slot, w.deadline_ns, w.adver_ns, w.src, w.priority);
		return;
	}
	r->quiet_ns = at_ns - (w.last_ns > r->fsm.since_ns ? w.last_ns : r->fsm.since_ns);
	r->fsm.active_src = w.src;
	r->fsm.active_priority = w.priority;
	step(r, &ev, now_ns);
}

/*
 * ActiveDown is near: stay awake for it. The kernel's timer is armed again behind it, should this process not get there. The look at
 * the watch is for the caches: the same lines are on the way at the deadline, where every cold one costs a microsecond.
 */
static void on_soon(struct vr *r, const struct vx_event *e)
{
	struct vx_vr_watch w;

	if (r->fsm.state != FSM_BACKUP || dp_watch_get(r->all->dp, r->slot, &w))
		return;
	timer_arm(&r->all->loop->timers, &r->down_timer, e->at_ns);
	loop_stay_awake(r->all->loop, e->at_ns);
}

static void on_down_timer(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;

	down_expired(r, r->down_timer.at_ns, now_ns);
}

/* A Backup's adverts are acted upon in the kernel; what comes here is news for the log and for fsm's view. */
static void on_backup_news(struct vr *r, const struct vx_event *e, const struct fsm_event *ev, uint64_t now_ns)
{
	char from[16];

	fsm_step(&r->fsm, ev, now_ns);
	if (e->priority == 0)
		log_info("%s: the Active Router %s is leaving (priority 0)", r->conf->name, vr_addr(e->src, from));
	else
		log_info("%s: the Active Router is %s, priority %u, interval %g ms", r->conf->name,
			 vr_addr(e->src, from), e->priority, r->fsm.active_adver_ns / 1e6);
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
	char from[16];

	if (r->fsm.state == FSM_BACKUP) {
		if (e->type == VX_EV_CHANGE || e->type == VX_EV_PRIO0)
			on_backup_news(r, e, &ev, now_ns);
		else if (e->type == VX_EV_HIGHER ||
			 e->type == VX_EV_LOWER) /* seen while Active, in the turn we ceased */
			fsm_step(&r->fsm, &ev, now_ns);
		return;
	}
	if (r->fsm.state == FSM_ACTIVE && e->type == VX_EV_LOWER && now_ns - r->fsm.announced_ns > VX_NS_PER_S)
		log_info("%s: advert of lower priority %u from %s, ours %u: answered", r->conf->name, e->priority,
			 vr_addr(e->src, from), r->conf->priority);
	step(r, &ev, now_ns);
}

static void on_conflict(struct vr *r, const struct vx_event *e, uint64_t now_ns)
{
	char text[16];
	size_t i;

	if (r->fsm.state != FSM_ACTIVE || (r->defended_ns && now_ns - r->defended_ns < DEFEND_NS))
		return;
	r->defended_ns = now_ns;
	log_warn("%s: %02x:%02x:%02x:%02x:%02x:%02x claims our address %s; defended with one gratuitous ARP, find that "
		 "host",
		 r->conf->name, e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4], e->mac[5],
		 vr_addr(e->src, text));
	for (i = 0; i < r->nvips; i++)
		if (r->vips[i].addr == e->src && r->vips[i].installed)
			tx_frame(r->iface->tx, r->vips[i].garp, ARP_FRAME_LEN, NULL);
	mark(r);
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

static void on_bad(struct vr *r, const struct vx_event *e)
{
	char from[16];

	if (e->ctr < VX_CTR_COUNT)
		log_warn("%s: advert from %s (%02x:%02x:%02x:%02x:%02x:%02x): %s [%s]%s", r->conf->name,
			 vr_addr(e->src, from), e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4], e->mac[5],
			 ctr_text[e->ctr].help, ctr_text[e->ctr].name, bad_hint(e->ctr));
}

static void on_event(void *arg, const struct vx_event *e)
{
	struct vrs *v = arg;
	struct vr *r;
	uint64_t now_ns = loop_now_ns();

	if (e->slot >= v->nvr)
		return;
	r = &v->vr[e->slot];
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
		on_bad(r, e);
		break;
	}
}

static void on_dp(void *arg, uint32_t events, uint64_t now_ns)
{
	struct vrs *v = arg;

	(void)events;
	(void)now_ns;
	dp_events_read(v->dp);
}

/* ---- interfaces and addresses ---- */

static struct vr_if *if_find(struct vrs *v, int ifindex)
{
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (v->ifs[i].ifindex == ifindex)
			return &v->ifs[i];
	return NULL;
}

static struct vr_vip *vip_find(struct vrs *v, const struct vr_if *f, __be32 addr, struct vr **owner)
{
	size_t i, k;

	for (i = 0; i < v->nvr; i++) {
		struct vr *r = &v->vr[i];

		for (k = 0; r->iface == f && k < r->nvips; k++) {
			if (r->vips[k].addr == addr) {
				*owner = r;
				return &r->vips[k];
			}
		}
	}
	return NULL;
}

/* The primary address: what was configured, else the first on the interface that is no VIP (WF-11). */
static __be32 source_of(const struct vr *r)
{
	const struct vr_if *f = r->iface;
	size_t i;

	if (r->conf->src.family == 4)
		return addr4(&r->conf->src);
	for (i = 0; i < f->naddrs; i++)
		if (!f->addrs[i].secondary)
			return f->addrs[i].addr;
	return f->naddrs ? f->addrs[0].addr : 0;
}

/* Follows what the interface has become: FSM-12 where the router cannot work, Startup when it can again. */
static void follow_interface(struct vr *r, uint64_t now_ns)
{
	struct vr_if *f = r->iface;
	__be32 src = source_of(r);
	const char *hold = NULL;

	if (!f->present)
		hold = "the interface is gone";
	else if (!f->up)
		hold = "link down";
	else if (!src)
		hold = "the interface has no IPv4 address besides the virtual ones";
	if (hold) {
		r->hold = hold;
		step_simple(r, FSM_EV_SHUTDOWN, now_ns);
		return;
	}
	if (src != r->fsm.src || memcmp(r->cfg.mac, f->mac, 6)) {
		if (r->fsm.src)
			dp_addr_set(r->all->dp, f->ifindex, 0, r->fsm.src, VX_ADDR_OWN, 0, false);
		r->fsm.src = src;
		dp_addr_set(r->all->dp, f->ifindex, 0, src, VX_ADDR_OWN, 0, true);
		if (build(r))
			log_err("%s: cannot write the configuration map", r->conf->name);
	}
	r->hold = NULL;
	if (r->fsm.state == FSM_INITIALIZE)
		step_simple(r, FSM_EV_STARTUP, now_ns);
}

static void follow_all(struct vrs *v, const struct vr_if *f)
{
	uint64_t now_ns = loop_now_ns();
	size_t i;

	for (i = 0; !v->resync && i < v->nvr; i++) /* while resync() reads, half of the truth is not told */
		if (v->vr[i].iface == f)
			follow_interface(&v->vr[i], now_ns);
}

/*
 * The kernel tells of a carrier late, and not at all of one that is back within a second. Another router may have been Active
 * meanwhile and yielded to our adverts without a word, so hosts and switches have to be told anew.
 */
static void announce_all(struct vrs *v, const struct vr_if *f)
{
	size_t i;

	for (i = 0; f->up && i < v->nvr; i++) {
		if (v->vr[i].iface == f && v->vr[i].fsm.state == FSM_ACTIVE) {
			v->vr[i].pending |= FSM_ACT_ANNOUNCE;
			mark(&v->vr[i]);
		}
	}
}

static void on_link(void *arg, const struct nl_link *l)
{
	struct vrs *v = arg;
	struct vr_if *f = if_find(v, l->ifindex);
	bool started = v->start_ns;
	size_t i;

	for (i = 0; !f && !started && i < v->nifs; i++)
		if (!strcmp(v->ifs[i].name, l->name))
			f = &v->ifs[i];
	if (!f)
		return;
	f->ifindex = l->ifindex;
	f->present = !l->gone;
	f->ethernet = l->ethernet;
	f->up = l->up && !l->gone;
	memcpy(f->mac, l->mac, sizeof(f->mac));
	memcpy(f->kind, l->kind, sizeof(f->kind));
	if (started && l->carrier_changes != f->carrier_changes)
		announce_all(v, f);
	f->carrier_changes = l->carrier_changes;
	if (started)
		follow_all(v, f);
}

static void addr_note(struct vr_if *f, const struct nl_addr *a)
{
	struct nl_addr *more;
	size_t i;

	for (i = 0; i < f->naddrs && f->addrs[i].addr != a->addr; i++)
		;
	if (a->gone) {
		if (i < f->naddrs)
			memmove(&f->addrs[i], &f->addrs[i + 1], (--f->naddrs - i) * sizeof(*f->addrs));
		return;
	}
	if (i == f->naddrs) {
		if (f->naddrs == f->cap_addrs) {
			more = realloc(f->addrs, (f->cap_addrs * 2 + 8) * sizeof(*more));
			if (!more)
				return;
			f->addrs = more;
			f->cap_addrs = f->cap_addrs * 2 + 8;
		}
		f->naddrs++;
	}
	f->addrs[i] = *a;
}

static void on_addr(void *arg, const struct nl_addr *a)
{
	struct vrs *v = arg;
	struct vr_if *f = if_find(v, a->ifindex);
	struct vr *owner = NULL;
	struct vr_vip *vip;
	char text[16];

	if (!f)
		return;
	vip = vip_find(v, f, a->addr, &owner);
	if (!vip) {
		addr_note(f, a);
		if (v->start_ns) {
			dp_addr_set(v->dp, f->ifindex, 0, a->addr, VX_ADDR_OWN, 0, !a->gone);
			follow_all(v, f);
		}
		return;
	}
	if (!v->start_ns) { /* a leftover of a killed controller (KA-16) */
		vip->installed = true;
		vip->plen = a->plen;
		return;
	}
	if (a->own || !a->gone || owner->fsm.state != FSM_ACTIVE || !vip->installed)
		return;
	log_warn("%s: somebody removed %s/%u from %s; put back", owner->conf->name, vr_addr(vip->addr, text), vip->plen,
		 f->name);
	vip->installed = false;
	owner->repair = true;
	mark(owner);
}

static void on_lost(void *arg)
{
	struct vrs *v = arg;

	v->resync = true;
}

/* After lost notifications everything is told anew; VIPs that are not mentioned have gone. */
static void resync(struct vrs *v)
{
	struct vr_if *f;
	size_t i, k;
	int err;

	log_warn("route netlink lost notifications: reading links and addresses anew");
	for (f = v->ifs; f < v->ifs + v->nifs; f++) {
		f->present = f->up = false;
		f->naddrs = 0;
	}
	err = nl_dump(v->nl);
	if (err)
		log_err("cannot read links and addresses: %s", strerror(-err));
	v->resync = false;
	for (f = v->ifs; f < v->ifs + v->nifs; f++)
		follow_all(v, f);
	for (i = 0; i < v->nvr; i++) { /* adding again what is there changes nothing */
		for (k = 0; k < v->vr[i].nvips; k++)
			v->vr[i].vips[k].installed = false;
		if (v->vr[i].fsm.state == FSM_ACTIVE) {
			v->vr[i].repair = true;
			mark(&v->vr[i]);
		}
	}
}

static void on_netlink(void *arg, uint32_t events, uint64_t now_ns)
{
	struct vrs *v = arg;

	(void)events;
	(void)now_ns;
	nl_read(v->nl);
	if (v->resync)
		resync(v);
}

/* ---- building and taking down ---- */

static struct vr_if *if_add(struct vrs *v, const char *name)
{
	struct vr_if *f;
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (!strcmp(v->ifs[i].name, name))
			return &v->ifs[i];
	f = &v->ifs[v->nifs];
	f->number = v->nifs++;
	snprintf(f->name, sizeof(f->name), "%s", name);
	return f;
}

static void config_fill(struct vr *r)
{
	const struct conf_vr *c = r->conf;
	struct vx_vr_config *k = &r->cfg;
	size_t i;

	r->fsm.version = k->version = c->version;
	r->fsm.priority = k->priority = c->priority;
	r->fsm.preempt = c->preempt || c->priority == 255;
	r->fsm.adver_ns = k->adver_ns = c->adver_ns;
	k->vrid = c->vrid;
	k->family = 4;
	k->auth_type = c->auth_pass_set ? ADVERT_AUTH_PASS : ADVERT_AUTH_NONE;
	if (c->auth_pass_set)
		memcpy(k->auth, c->auth_pass, sizeof(k->auth));
	k->nvips = r->nvips;
	for (i = 0; i < r->nvips; i++)
		k->vip_sum += advert_addr_mix(r->vips[i].addr);
	k->flags = (r->fsm.preempt ? VX_CFG_PREEMPT : 0) | (c->unicast ? VX_CFG_UNICAST : 0);
	if (c->csum != CONF_CSUM_RFC5798)
		k->flags |= VX_CFG_CSUM_9568;
	if (c->csum != CONF_CSUM_RFC9568)
		k->flags |= VX_CFG_CSUM_5798;
}

static int vr_init(struct vrs *v, struct vr *r, const struct conf_vr *c)
{
	size_t i;

	r->all = v;
	r->conf = c;
	r->slot = r - v->vr;
	r->iface = if_add(v, c->ifname);
	r->nvips = c->nvips;
	r->nframes = c->unicast ? c->npeers : 1;
	r->frame_len = frame_head(r) + sizeof(struct vx_ip4) + advert_len4(c->version, c->nvips);
	r->vips = calloc(r->nvips + 1, sizeof(*r->vips));
	r->frames = calloc(2 * r->nframes, r->frame_len);
	if (!r->vips || !r->frames)
		return -ENOMEM;
	for (i = 0; i < r->nvips; i++) {
		r->vips[i].addr = addr4(&c->vips[i].addr);
		r->vips[i].plen = c->vips[i].plen;
	}
	v->nvips += r->nvips;
	r->adver_timer = (struct timer){ .fn = on_adver_timer, .arg = r };
	r->down_timer = (struct timer){ .fn = on_down_timer, .arg = r };
	r->garp_timer = (struct timer){ .fn = on_garp_timer, .arg = r };
	config_fill(r);
	return 0;
}

static int check_interfaces(struct vrs *v)
{
	struct vr_if *f;

	for (f = v->ifs; f < v->ifs + v->nifs; f++) {
		if (!f->present) {
			log_err("%s: no such interface; see `ip link`", f->name);
			return 2;
		}
		if (!f->ethernet) {
			log_err("%s: not an Ethernet interface; VRRP needs one", f->name);
			return 2;
		}
	}
	return 0;
}

/*
 * A VIP that is there already is taken for a leftover and removed, but not when that would leave the interface without any address: then it
 * is the machine's own, and no router could run without a source anyway.
 */
static int check_addresses(const struct vrs *v)
{
	const struct vr_vip *vip;
	char text[16];
	size_t i;

	for (i = 0; i < v->nvr; i++) {
		const struct vr *r = &v->vr[i];

		for (vip = r->vips; vip < r->vips + r->nvips; vip++) {
			if (vip->installed && !r->iface->naddrs && !r->conf->src.family) {
				log_err("%s: %s is the only address of %s; give the interface one of its own beside it",
					r->conf->name, vr_addr(vip->addr, text), r->iface->name);
				return 2;
			}
		}
	}
	return 0;
}

struct leftover {
	struct vrs *v;
	struct vr_if *f;
};

/* A VIP of the dead controller that this configuration does not have: its prefix length is on the interface. */
static void on_leftover_vip(void *arg, __be32 addr)
{
	struct leftover *l = arg;
	struct nl_change c = { .ifindex = l->f->ifindex, .addr = addr, .del = true };
	struct nl_addr gone = { .addr = addr, .gone = true };
	size_t i;

	for (i = 0; i < l->f->naddrs; i++) {
		if (l->f->addrs[i].addr == addr) {
			c.plen = l->f->addrs[i].plen;
			nl_commit(l->v->nl, &c, 1);
			addr_note(l->f, &gone);
			return;
		}
	}
}

static int clean_interface(struct vrs *v, struct vr_if *f)
{
	struct leftover l = { .v = v, .f = f };
	int err = dp_leftovers_remove(f->ifindex, f->name, on_leftover_vip, &l);

	if (err < 0) {
		log_err("%s: cannot remove the XDP program that a dead controller left: %s", f->name, strerror(-err));
		return 1;
	}
	if (err)
		log_info("%s: removed what a dead controller left", f->name);
	return 0;
}

/* KA-16: addresses of the configuration that are there at the start are a dead controller's. */
static void clean_vips(struct vrs *v)
{
	size_t i, k;

	v->nchanges = 0;
	for (i = 0; i < v->nvr; i++) {
		for (k = 0; k < v->vr[i].nvips; k++) {
			struct vr_vip *vip = &v->vr[i].vips[k];

			if (vip->installed)
				want_change(&v->vr[i], vip, true);
			vip->installed = false;
			vip->plen = v->vr[i].conf->vips[k].plen;
		}
	}
	if (v->nchanges)
		nl_commit(v->nl, v->changes, v->nchanges);
}

static int attach_interface(struct vrs *v, struct vr_if *f, enum conf_mode mode)
{
	static const enum dp_mode modes[] = {
		[CONF_MODE_AUTO] = DP_MODE_AUTO,
		[CONF_MODE_NATIVE] = DP_MODE_NATIVE,
		[CONF_MODE_SKB] = DP_MODE_SKB,
	};
	char why[DP_ERR_LEN];
	int err;

	if (dp_attach(v->dp, f->ifindex, f->name, f->kind, modes[mode], &f->attachment, why)) {
		log_err("%s", why);
		return 1;
	}
	err = tx_new(&f->tx, f->ifindex, f->name);
	if (err) {
		log_err("%s: cannot open the packet sockets: %s", f->name, strerror(-err));
		return 1;
	}
	log_info("%s: XDP attached in %s mode: %s%s", f->name,
		 f->attachment.mode == DP_MODE_NATIVE ? "native" : "generic", f->attachment.why,
		 f->attachment.shared ? "; shared through libxdp's dispatcher" : "");
	return 0;
}

static int fill_maps(struct vr *r)
{
	struct dp *dp = r->all->dp;
	int err = 0, ifindex = r->iface->ifindex;
	size_t i;

	r->cfg.ifindex = ifindex;
	err = dp_vr_set(dp, r->slot, &r->cfg);
	for (i = 0; !err && i < r->nvips; i++)
		err = dp_addr_set(dp, ifindex, 0, r->vips[i].addr, VX_ADDR_VIP, r->slot, true);
	for (i = 0; !err && i < r->iface->naddrs; i++)
		err = dp_addr_set(dp, ifindex, 0, r->iface->addrs[i].addr, VX_ADDR_OWN, 0, true);
	for (i = 0; !err && r->conf->unicast && i < r->conf->npeers; i++)
		err = dp_peer_add(dp, r->slot, addr4(&r->conf->peers[i].addr));
	if (!err)
		err = dp_watch_init(dp, r->slot);
	if (!err)
		err = dp_index_set(dp, &r->cfg, 0, dp_if_row(dp, r->iface->number));
	if (!err)
		err = dp_index_set(dp, &r->cfg, r->conf->vrid, r->slot);
	if (err)
		log_err("%s: cannot fill the BPF maps: %s", r->conf->name, strerror(-err));
	return err ? 1 : 0;
}

static struct dp_sizes sizes_of(const struct vrs *v)
{
	struct dp_sizes s = { .vrs = v->nvr, .ifs = v->nifs, .addrs = 64 * v->nifs };
	size_t i;

	for (i = 0; i < v->nvr; i++) {
		s.addrs += v->vr[i].nvips + 1;
		s.peers += v->vr[i].conf->npeers;
	}
	return s;
}

static int build_all(struct vrs *v, const struct conf *conf)
{
	size_t i;

	if (conf->nvrs > VX_MAX_VRS) {
		log_err("%zu virtual routers are more than the %d that fit; split them over several network namespaces",
			conf->nvrs, VX_MAX_VRS);
		return 2;
	}
	v->ifs = calloc(conf->nvrs, sizeof(*v->ifs));
	v->vr = calloc(conf->nvrs, sizeof(*v->vr));
	v->dirty = calloc(conf->nvrs, sizeof(struct vr *));
	if (!v->ifs || !v->vr || !v->dirty || timer_queue_reserve(&v->loop->timers, 3 * conf->nvrs))
		goto nomem;
	v->nvr = conf->nvrs;
	for (i = 0; i < v->nvr; i++)
		if (vr_init(v, &v->vr[i], &conf->vrs[i]))
			goto nomem;
	v->changes = calloc(v->nvips + 1, sizeof(*v->changes));
	if (v->changes)
		return 0;
nomem:
	log_err("out of memory for %zu virtual routers", conf->nvrs);
	return 1;
}

int vrs_init(struct vrs *v, struct loop *loop, const struct conf *conf, int (*lock)(void *arg, const char *ifname),
	     void *arg)
{
	const struct nl_ops nl_ops = { .link = on_link, .addr = on_addr, .lost = on_lost, .arg = v };
	const struct dp_ops dp_ops = { .event = on_event, .arg = v };
	struct dp_sizes sizes;
	char why[DP_ERR_LEN];
	size_t i;
	int rc;

	memset(v, 0, sizeof(*v));
	v->loop = loop;
	rc = build_all(v, conf);
	if (rc)
		return rc;
	rc = nl_new(&v->nl, &nl_ops);
	if (!rc)
		rc = nl_dump(v->nl);
	if (rc) {
		log_err("cannot read the interfaces: %s", strerror(-rc));
		return 1;
	}
	rc = check_interfaces(v);
	if (!rc)
		rc = check_addresses(v);
	for (i = 0; !rc && i < v->nifs; i++)
		rc = lock(arg, v->ifs[i].name);
	for (i = 0; !rc && i < v->nifs; i++)
		rc = clean_interface(v, &v->ifs[i]);
	if (rc)
		return rc;
	sizes = sizes_of(v);
	if (dp_new(&v->dp, &sizes, &dp_ops, why)) {
		log_err("%s", why);
		return 1;
	}
	for (i = 0; !rc && i < v->nifs; i++)
		rc = attach_interface(v, &v->ifs[i], conf->mode);
	for (i = 0; !rc && i < v->nvr; i++)
		rc = fill_maps(&v->vr[i]);
	if (!rc)
		clean_vips(v);
	return rc;
}

int vrs_start(struct vrs *v)
{
	size_t i;
	int err;

	v->nl_io = (struct loop_io){ .fd = nl_fd(v->nl), .prio = LOOP_NETLINK, .fn = on_netlink, .arg = v };
	v->dp_io = (struct loop_io){ .fd = dp_events_fd(v->dp), .prio = LOOP_EVENTS, .fn = on_dp, .arg = v };
	v->loop->turn_end = flush;
	v->loop->arg = v;
	err = loop_add(v->loop, &v->nl_io, EPOLLIN);
	if (!err)
		err = loop_add(v->loop, &v->dp_io, EPOLLIN);
	if (err) {
		log_err("cannot watch the kernel's events: %s", strerror(-err));
		return 1;
	}
	v->start_ns = loop_now_ns();
	for (i = 0; i < v->nvr; i++) {
		follow_interface(&v->vr[i], v->start_ns);
		if (v->vr[i].fsm.state == FSM_INITIALIZE)
			log_warn("%s: Initialize: %s", v->vr[i].conf->name, v->vr[i].hold);
	}
	flush(v, v->start_ns);
	return 0;
}

void vrs_stop(struct vrs *v)
{
	uint64_t now_ns = loop_now_ns();
	size_t i;

	for (i = 0; v->start_ns && i < v->nvr; i++) {
		v->vr[i].hold = NULL;
		step_simple(&v->vr[i], FSM_EV_SHUTDOWN, now_ns);
	}
	flush(v, now_ns);
}

void vrs_fini(struct vrs *v)
{
	size_t i;

	dp_free(v->dp);
	for (i = 0; i < v->nifs; i++) {
		tx_free(v->ifs[i].tx);
		free(v->ifs[i].addrs);
	}
	for (i = 0; i < v->nvr; i++) {
		free(v->vr[i].vips);
		free(v->vr[i].frames);
	}
	nl_free(v->nl);
	free(v->ifs);
	free(v->vr);
	free(v->dirty);
	free(v->changes);
	memset(v, 0, sizeof(*v));
}
