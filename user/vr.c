// SPDX-License-Identifier: GPL-2.0-or-later
#include "vr_int.h"

#include "advert.h"
#include "arp.h"
#include "log.h"

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

const char *vr_addr(__be32 addr, char buf[16])
{
	inet_ntop(AF_INET, &addr, buf, 16);
	return buf;
}

__be32 vr_conf_addr4(const struct conf_addr *a)
{
	__be32 x;

	memcpy(&x, a->b, sizeof(x));
	return x;
}

/* ---- frames ---- */

/* Bytes in front of the IPv4 packet: Ethernet where we address the frame, nothing where the kernel does. */
size_t vr_frame_head(const struct vr *r)
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
		.dst = c->unicast ? vr_conf_addr4(&c->peers[i].addr) : ADVERT_GROUP4,
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
	advert_build(f + vr_frame_head(r), &p, 0);
}

/* Everything that depends on our address, the NIC's MAC and the configuration: frames, and the data plane's copy. */
int vr_build(struct vr *r)
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

void vr_mark(struct vr *r)
{
	if (!r->dirty) {
		r->dirty = true;
		r->all->dirty[r->all->ndirty++] = r;
	}
}

/* The role in the data plane. Silence is told at once; speech only by vrs_flush(), after the addresses. */
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

static void arm_down(struct vr *r)
{
	int err = dp_watch_arm(r->all->dp, r->slot, r->fsm.down_ns, r->fsm.active_adver_ns, r->fsm.active_src,
			       r->fsm.active_priority);

	r->pending &= ~FSM_ACT_CANCEL_DOWN;
	if (err)
		log_err("%s: cannot set Active_Down_Timer in the kernel: %s", r->conf->name, strerror(-err));
}

/* Merges the actions of one more step into those of this turn: what is taken back was never done. */
static void add_actions(struct vr *r, unsigned int act)
{
	if (act & FSM_ACT_RELEASE)
		r->pending &= ~(FSM_ACT_CLAIM | FSM_ACT_ADVERT | FSM_ACT_ANNOUNCE | FSM_ACT_ADVER_TIMER);
	if (act & FSM_ACT_CLAIM)
		r->pending &= ~(FSM_ACT_RELEASE | FSM_ACT_PRIORITY_0);
	r->pending |= act & ~FSM_ACT_ARM_DOWN;
}

static void step(struct vr *r, const struct fsm_event *ev, uint64_t now_ns)
{
	enum fsm_state from = r->fsm.state;
	unsigned int act = fsm_step(&r->fsm, ev, now_ns);

	if (!act && r->fsm.state == from)
		return;
	/* Before the role says Backup: from then on the kernel arms it too, and must not be overruled by what is older. */
	if (act & FSM_ACT_ARM_DOWN)
		arm_down(r);
	if (r->fsm.state != from) {
		r->from = from;
		r->cause_ns = ev->at_ns;
		if (r->fsm.state != FSM_ACTIVE) {
			tell_role(r);
			log_silence(r, ev);
		}
	}
	add_actions(r, act);
	vr_mark(r);
}

void vr_step(struct vr *r, enum fsm_ev type, uint64_t now_ns)
{
	struct fsm_event ev = { .type = type, .at_ns = now_ns };

	step(r, &ev, now_ns);
}

static void queue_adverts(struct vr *r, bool prio0)
{
	size_t i;

	for (i = 0; i < r->nframes; i++) {
		if (r->conf->unicast)
			tx_packet(r->iface->tx, frame_at(r, i, prio0), r->frame_len,
				  vr_conf_addr4(&r->conf->peers[i].addr), &r->sent);
		else
			tx_frame(r->iface->tx, frame_at(r, i, prio0), r->frame_len, &r->sent);
	}
}

/* A new reason why nothing can be sent is said once; the link is looked at after the turn, see vrs_flush(). */
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

	/* Before, not after: a lease counted from a moment when the frame had not left yet could outlast the peer's patience. */
	sent_ns = loop_now_ns();
	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];

		r->sent = false;
		if (r->pending & speak)
			queue_adverts(r, r->pending & FSM_ACT_PRIORITY_0);
	}
	flush_tx(v);
	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];

		if (!(r->pending & speak))
			continue;
		if (!r->sent) {
			r->send_errors++;
			continue;
		}
		if (!r->iface->send_failed)
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
	if (r->pending & (FSM_ACT_CANCEL_DOWN | FSM_ACT_CLAIM)) /* CLAIM: the one behind the deadline, see on_soon() */
		err = dp_watch_cancel(r->all->dp, r->slot);
	if (err)
		log_err("%s: cannot stop Active_Down_Timer in the kernel: %s", r->conf->name, strerror(-err));
}

void vr_want_change(struct vr *r, const struct vr_vip *vip, bool del)
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

	vip->installed = c->del ? c->err != 0 : !c->err;
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
				vr_want_change(v->dirty[i], &v->dirty[i]->vips[k],
					       v->dirty[i]->pending & FSM_ACT_RELEASE);
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
		if (r->pending & FSM_ACT_CLAIM || again || r->repair || r->defend)
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
		r->dirty = r->repair = r->defend = false;
	}
	v->ndirty = 0;
}

/*
 * The end of a turn. Where sending failed the kernel is asked for the link: its own news of a lost carrier can be a second late.
 */
void vrs_flush(void *arg, uint64_t now_ns)
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

void vr_on_adver_timer(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;
	size_t i;

	if (r->fsm.lease_ns &&
	    now_ns > r->fsm.lease_ns) { /* stalled just now, maybe: hear first, then speak (SEC-29) */
		dp_events_read(r->all->dp);
		if (r->fsm.state != FSM_ACTIVE)
			return;
	}
	vr_step(r, FSM_EV_ADVER_TIMER, now_ns);
	for (i = 0; i < r->nvips; i++)
		if (!r->vips[i].installed) /* could not be added last time */
			r->repair = true;
}

void vr_on_garp_timer(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;

	(void)now_ns;
	if (r->fsm.state != FSM_ACTIVE)
		return;
	announce_installed(r);
	queue_garps(r, VR_GARP_REPEAT);
	vr_mark(r); /* vrs_flush() sends what is queued */
}

/* ---- events of the data plane ---- */

/* Active_Down_Timer was due at @at_ns. If an advert came meanwhile, it has moved the deadline: the expiry is void. */
static void down_expired(struct vr *r, uint64_t at_ns, uint64_t now_ns)
{
	struct fsm_event ev = { .type = FSM_EV_DOWN_TIMER, .at_ns = at_ns };
	struct vx_vr_watch w;
	uint64_t heard_ns;

	if (r->fsm.state != FSM_BACKUP || dp_watch_get(r->all->dp, r->slot, &w) || !w.deadline_ns)
		return;
	if (w.deadline_ns > now_ns) {
		if (!w.fire_ns)
			dp_watch_arm(r->all->dp, r->slot, w.deadline_ns, w.adver_ns, w.src, w.priority);
		return;
	}
	heard_ns = w.last_ns > r->fsm.since_ns ? w.last_ns : r->fsm.since_ns;
	r->quiet_ns = now_ns > heard_ns ? now_ns - heard_ns : 0;
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
	char from[16];

	fsm_step(&r->fsm, ev, now_ns);
	if (!may_say(r->all, now_ns))
		return;
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

	if (r->fsm.state == FSM_BACKUP && e->absorbed) {
		on_backup_news(r, e, &ev, now_ns);
		return;
	}
	/* Seen while Active, in the turn we ceased; read late, it says nothing of how long its sender has been silent. */
	if (r->fsm.state == FSM_BACKUP && now_ns - ev.at_ns > r->fsm.adver_ns)
		ev.at_ns = now_ns;
	if (r->fsm.state == FSM_ACTIVE && e->type == VX_EV_LOWER && e->at_ns <= r->fsm.lease_ns &&
	    now_ns - r->fsm.announced_ns > VX_NS_PER_S && may_say(r->all, now_ns))
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
	r->defend = true;
	log_warn("%s: %02x:%02x:%02x:%02x:%02x:%02x claims our address %s; defended with one gratuitous ARP, find that "
		 "host",
		 r->conf->name, e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4], e->mac[5],
		 vr_addr(e->src, text));
	for (i = 0; i < r->nvips; i++)
		if (r->vips[i].addr == e->src)
			r->vips[i].announce = r->vips[i].installed;
	vr_mark(r);
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

static void on_bad(struct vr *r, const struct vx_event *e, uint64_t now_ns)
{
	char from[16];

	if (e->ctr < VX_CTR_COUNT && may_say(r->all, now_ns))
		log_warn("%s: advert from %s (%02x:%02x:%02x:%02x:%02x:%02x): %s [%s]%s", r->conf->name,
			 vr_addr(e->src, from), e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4], e->mac[5],
			 vr_ctr_text[e->ctr].help, vr_ctr_text[e->ctr].name, bad_hint(e->ctr));
}

void vrs_on_event(void *arg, const struct vx_event *e)
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
