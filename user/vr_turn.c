// SPDX-License-Identifier: GPL-2.0-or-later
/* The end of a turn: what the state machines have decided is carried out, for all routers together. See the head of vr.h. */
#include "vr_int.h"

#include "log.h"
#include "ward.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LATE_MAX_NS (100 * VX_NS_PER_MS)

enum { COMMIT_PART = 64 };

static void queue_adverts(struct vr *r, bool prio0)
{
	struct vx_addr peer;
	size_t i;

	for (i = 0; i < r->nframes; i++) {
		if (!r->conf->unicast) {
			tx_frame(r->iface->tx, vr_frame(r, i, prio0), r->frame_len, &r->sent);
			continue;
		}
		peer = vr_conf_addr(&r->conf->peers[i].addr);
		tx_packet(r->iface->tx, vr_frame(r, i, prio0), r->frame_len, r->conf->family, &peer, &r->sent);
	}
}

/* The link is looked at after the turn, see vrs_flush(). */
void vrs_flush_tx(struct vrs *v)
{
	size_t i;
	int err;

	for (i = 0; i < v->nifs; i++) {
		struct vr_if *f = v->ifs[i];

		err = f->tx ? tx_flush(f->tx) : 0;
		if (!err)
			continue;
		f->send_failed = true;
		if (err != f->send_err)
			log_warn("%s: cannot send: %s", f->name, strerror(-err));
		f->send_err = err;
	}
}

/*
 * The interval is shorter since a reload, and this advert says so: who hears it waits no longer than that. Should this process stand still
 * behind the sending, the old lease would outlast their patience; so it ends earlier already before. If nothing leaves, no harm is done.
 */
static void shorten_lease(struct vr *r, uint64_t sent_ns)
{
	if (r->fsm.state != FSM_ACTIVE ||
	    r->fsm.lease_ns <= decide_lease_ns(sent_ns, r->fsm.down_adverts, r->fsm.adver_ns))
		return;
	fsm_sent(&r->fsm, sent_ns);
	vr_tell_role(r);
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
		if (!(r->pending & speak) || !r->iface->tx)
			continue;
		/* From here on a better router's advert is heard as an Active hears it: the lease cannot begin behind its back. */
		if (r->pending & FSM_ACT_CLAIM)
			dp_role_set(v->dp, r->slot, VX_ROLE_ACTIVE_MIN);
		shorten_lease(r, sent_ns);
		queue_adverts(r, r->pending & FSM_ACT_PRIORITY_0);
		if (r->pending & FSM_ACT_PRIORITY_0 && r->twice)
			queue_adverts(r, true);
	}
	vrs_flush_tx(v);
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
			vr_tell_role(r);
	}
}

static void arm_timers(struct vr *r)
{
	int err = 0;

	if (r->pending & FSM_ACT_ADVER_TIMER)
		timer_arm(&r->all->loop->timers, &r->adver_timer, r->fsm.adver_due_ns);
	if (r->pending & FSM_ACT_RELEASE) {
		timer_cancel(&r->all->loop->timers, &r->adver_timer);
		vr_announce_cancel(r);
	}
	if (r->pending & (FSM_ACT_CANCEL_DOWN | FSM_ACT_CLAIM)) /* CLAIM: the one behind the deadline, see on_soon() */
		err = dp_watch_cancel(r->all->dp, r->slot);
	if (err)
		log_err("%s: cannot stop Active_Down_Timer in the kernel: %s", r->conf->name, strerror(-err));
}

/* ---- batches ---- */

void vrs_want(struct vrs *v, const struct nl_change *c, const struct vr_change *owner)
{
	v->changes[v->nchanges] = *c;
	v->owners[v->nchanges++] = *owner;
}

static void say_failed(const struct vrs *v, const struct nl_change *c, const struct vr_change *o)
{
	const char *who = o->vr ? o->vr->conf->name : "static", *verb = c->del ? "remove" : "add";
	const char *dev = c->addr ? c->addr->dev : "";
	const struct vr_if *f = dev[0] ? vrs_if(v, dev) : NULL;
	char text[46];

	if (f && !f->present)
		return;
	if (c->addr)
		log_err("%s: cannot %s %s/%u on %s: %s", who, verb, conf_addr_str(&c->addr->addr, text, sizeof(text)),
			c->addr->plen, dev, strerror(-c->err));
	else
		log_err("%s: cannot %s %s \"%s\": %s", who, verb, c->route ? "route" : "rule",
			c->route ? c->route->text : c->rule->text, strerror(-c->err));
}

/* Thousands take longer than the guardian has patience. */
static void commit_parts(struct vrs *v)
{
	size_t done, n;
	int err;

	for (done = 0; done < v->nchanges; done += n) {
		n = v->nchanges - done < COMMIT_PART ? v->nchanges - done : COMMIT_PART;
		err = nl_commit(v->nl, v->changes + done, n);
		if (err)
			log_err("route netlink failed: %s", strerror(-err));
		ward_alive(loop_now_ns());
	}
}

void vrs_commit(struct vrs *v)
{
	size_t i;

	if (!v->nchanges)
		return;
	commit_parts(v);
	nl_settle(v->nl, v->changes, v->nchanges); /* invariant 6 */
	for (i = 0; i < v->nchanges; i++) {
		const struct nl_change *c = &v->changes[i];
		struct vr_change *o = &v->owners[i];

		*o->installed = c->del ? c->err != 0 : !c->err;
		if (o->announce)
			*o->announce = *o->installed;
		if (c->err && !(o->said && *o->said && !c->del)) /* it is tried again with every advert */
			say_failed(v, c, o);
		if (o->said)
			*o->said = c->err && !c->del;
	}
	v->nchanges = 0;
}

/* What is to be added in this turn: everything when it becomes Active, what is missing when something was taken away. */
static bool adds(const struct vr *r, bool installed)
{
	return r->pending & FSM_ACT_CLAIM || (r->repair && r->fsm.state == FSM_ACTIVE && !installed);
}

static void want_addresses(struct vr *r, bool del)
{
	size_t i;

	for (i = 0; i < r->nvips; i++) {
		struct vr_vip *vip = &r->vips[i];
		struct vr_change owner = {
			.vr = r, .installed = &vip->installed, .announce = &vip->announce, .said = &vip->said
		};

		if (del ? vip->installed : adds(r, vip->installed))
			vrs_want(r->all, &(struct nl_change){ .addr = vip->conf, .del = del }, &owner);
	}
}

static void want_routes(struct vr *r, bool del)
{
	size_t i;

	for (i = 0; i < r->nroutes; i++) {
		struct vr_change owner = { .vr = r, .installed = &r->routes[i].installed };

		if (del ? r->routes[i].installed : adds(r, r->routes[i].installed))
			vrs_want(r->all, &(struct nl_change){ .route = r->routes[i].conf, .del = del }, &owner);
	}
}

static void want_rules(struct vr *r, bool del)
{
	size_t i;

	for (i = 0; i < r->nrules; i++) {
		struct vr_change owner = { .vr = r, .installed = &r->rules[i].installed };

		if (del ? r->rules[i].installed : adds(r, r->rules[i].installed))
			vrs_want(r->all, &(struct nl_change){ .rule = r->rules[i].conf, .del = del }, &owner);
	}
}

/* Whether solicitations for @vip come in on an interface that does not have it (lo has no frames). */
static bool solicited_elsewhere(const struct vr_vip *vip)
{
	return vip->conf->addr.family == 6 && vip->at && vip->at != vip->dev && vip->at->tx;
}

/* Another Active router may have a VIP of the same group there: that is the last three bytes only. */
static bool others_solicited(const struct vr *r, const struct vr_vip *vip)
{
	const struct vrs *v = r->all;
	const struct vr_vip *o;
	size_t i;

	for (i = 0; i < v->nvr; i++) {
		if (v->vr[i] == r || v->vr[i]->fsm.state != FSM_ACTIVE)
			continue;
		for (o = v->vr[i]->vips; o < v->vr[i]->vips + v->vr[i]->nvips; o++)
			if (solicited_elsewhere(o) && o->at == vip->at &&
			    !memcmp(o->conf->addr.b + 13, vip->conf->addr.b + 13, 3))
				return true;
	}
	return false;
}

/*
 * ND-6: the kernel joins the group of an address on the interface that has it; the others are joined here. A second VIP of the same group,
 * or a leave without a join, is no error worth a word.
 */
static void join_solicited(struct vr *r)
{
	bool in = r->fsm.state == FSM_ACTIVE;
	const struct vr_vip *vip;
	struct vx_addr a;

	for (vip = r->vips; vip < r->vips + r->nvips; vip++) {
		if (!solicited_elsewhere(vip) || (!in && others_solicited(r, vip)))
			continue;
		a = vr_conf_addr(&vip->conf->addr);
		tx_solicited(vip->at->tx, &a, in);
	}
}

/* KA-18: rules, routes and addresses go, in this order; addresses come before anything else. */
static void flush_addresses(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];

		if (r->pending & FSM_ACT_RELEASE) {
			want_rules(r, true);
			want_routes(r, true);
			want_addresses(r, true);
		} else {
			want_addresses(r, false);
		}
	}
	vrs_commit(v);
}

static void flush_routes(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];

		if (!(r->pending & FSM_ACT_RELEASE)) {
			want_routes(r, false);
			want_rules(r, false);
		}
	}
	vrs_commit(v);
}

/* ---- announcements and log ---- */

static void log_claim(const struct vr *r, const uint64_t at_ns[4])
{
	uint64_t t[4];
	char why[64] = "";
	int i;

	for (i = 0; i < 4; i++)
		t[i] = at_ns[i] > r->cause_ns ? (at_ns[i] - r->cause_ns) / VX_NS_PER_US : 0;
	if (r->fsm.why == FSM_WHY_NO_ADVERT)
		snprintf(why, sizeof(why), " for %.1f ms", r->quiet_ns / 1e6);
	log_info("(%s) Entering MASTER STATE", r->conf->name);
	log_info("%s: %s -> Active: %s%s; advert +%" PRIu64 " us, address +%" PRIu64 " us, answering +%" PRIu64
		 " us, %s +%" PRIu64 " us",
		 r->conf->name, fsm_state_name(r->from), fsm_why_name(r->fsm.why), why, t[0], t[1], t[2],
		 r->conf->family == 6 ? "unsolicited NA" : "gratuitous ARP", t[3]);
}

/* Announcements follow the addresses (invariant 6); one that repeats itself needs a lease. */
static void flush_announcements(struct vrs *v)
{
	const unsigned int again = FSM_ACT_ANNOUNCE | FSM_ACT_ANSWER_LOWER;
	uint64_t now_ns = loop_now_ns();
	size_t i;

	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];
		const struct conf_garp *g = &r->conf->garp;
		bool all = r->pending & again && r->fsm.lease_ns > now_ns;

		if (r->fsm.state != FSM_ACTIVE || r->ended)
			continue;
		ward_alive(loop_now_ns());
		if (r->pending & FSM_ACT_CLAIM || all)
			vr_announce_installed(r);
		if (r->pending & FSM_ACT_CLAIM)
			vr_announce(r, g->repeat);
		else if (all && r->pending & FSM_ACT_ANSWER_LOWER)
			vr_announce(r, g->lower_prio_repeat);
		else if (all || r->repair || r->defend)
			vr_announce(r, 1);
	}
	vrs_flush_tx(v);
}

static void carry_out(struct vrs *v)
{
	uint64_t at_ns[4];
	size_t i, k;

	flush_adverts(v);
	at_ns[0] = loop_now_ns();
	ward_alive(at_ns[0]);
	flush_addresses(v);
	at_ns[1] = loop_now_ns();
	ward_alive(at_ns[1]);
	for (i = 0; i < v->ndirty; i++)
		if (v->dirty[i]->pending & (FSM_ACT_CLAIM | FSM_ACT_RELEASE))
			vr_tell_role(v->dirty[i]);
	for (i = 0; i < v->ndirty; i++)
		if (v->dirty[i]->pending & (FSM_ACT_CLAIM | FSM_ACT_RELEASE) || v->dirty[i]->repair)
			join_solicited(v->dirty[i]);
	at_ns[2] = loop_now_ns();
	flush_announcements(v);
	at_ns[3] = loop_now_ns();
	ward_alive(at_ns[3]);
	flush_routes(v);
	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];

		arm_timers(r);
		if (r->pending & FSM_ACT_CLAIM) {
			r->became_active++;
			vr_announce_arm(r, at_ns[3]);
			log_claim(r, at_ns);
			ward_alive(loop_now_ns());
		} else if (r->pending & FSM_ACT_ANSWER_LOWER) {
			vr_announce_arm_lower(r, at_ns[3]);
		}
		for (k = 0; k < r->nvips; k++)
			r->vips[k].announce = false;
		r->pending = 0;
		r->dirty = r->repair = r->defend = r->twice = false;
	}
	v->ndirty = 0;
}

/* ---- the guardian ---- */

/*
 * It has fenced: every such router is Backup now, before it hears what the others have said meanwhile. That is for a Backup, and priority 0
 * has to leave also if one of them took over: an advert that left behind the guardian's may have made it yield since.
 */
static void heed_guardian(struct vrs *v, uint64_t now_ns)
{
	uint64_t away_ns;
	bool said = false;
	size_t i;

	if (!ward_fenced(now_ns, &away_ns))
		return;
	for (i = 0; i < v->nvr; i++) {
		/* one that was only about to claim its addresses has not been: no will has left for it, and its lease holds */
		if (v->vr[i]->fsm.state != FSM_ACTIVE || !dp_role_ended(v->dp, v->vr[i]->slot))
			continue;
		if (!said)
			log_warn("this controller was stopped or hung for %.1f ms; its guardian has handed over for it",
				 away_ns / 1e6);
		said = true;
		vr_step(v->vr[i], FSM_EV_FENCED, now_ns);
	}
}

/*
 * It has ended leases: it heard better routers, and has written events of that. Of who is Active yet when they were read they did not fit into
 * the ring buffer. Nobody speaks before that (SEC-29).
 */
static void heed_kernel(struct vrs *v)
{
	bool ended = v->ended;
	size_t i;

	for (i = 0; !ended && i < v->ndirty; i++)
		ended = v->dirty[i]->fsm.state == FSM_ACTIVE && dp_role_ended(v->dp, v->dirty[i]->slot);
	if (!ended)
		return;
	v->ended = false;
	dp_events_read(v->dp);
	for (i = 0; i < v->nvr; i++) {
		struct vr *r = v->vr[i];

		if (r->fsm.state == FSM_ACTIVE && dp_role_ended(v->dp, r->slot))
			vr_step(r, FSM_EV_BETTER, loop_now_ns());
		r->ended = false;
	}
}

/* An interval late is dead, and so is LATE_MAX_NS. */
static void set_limit(const struct vrs *v)
{
	uint64_t limit_ns = 0;
	size_t i;

	for (i = 0; i < v->nvr; i++) {
		const struct fsm *f = &v->vr[i]->fsm;

		if (f->state == FSM_ACTIVE && (!limit_ns || f->adver_ns < limit_ns))
			limit_ns = f->adver_ns;
	}
	ward_limit(limit_ns < LATE_MAX_NS ? limit_ns : LATE_MAX_NS, loop_now_ns());
}

void vrs_on_wake(void *arg, uint64_t now_ns)
{
	heed_guardian(arg, now_ns);
	ward_alive(now_ns);
}

void vrs_on_sleep(void *arg, uint64_t next_ns)
{
	(void)arg;
	ward_sleep(next_ns);
}

/* Where sending failed the kernel is asked for the link: its own news of a lost carrier can be a second late. */
void vrs_flush(void *arg, uint64_t now_ns)
{
	struct vrs *v = arg;
	size_t i;

	heed_guardian(v, now_ns);
	heed_kernel(v);
	while (v->ndirty) {
		if (v->news) /* before a router is Active, or it would not be guarded from the first moment on */
			set_limit(v);
		carry_out(v);
		for (i = 0; i < v->nifs; i++) {
			if (v->ifs[i]->send_failed && v->ifs[i]->up)
				nl_link_read(v->nl, v->ifs[i]->ifindex);
			v->ifs[i]->send_failed = false;
		}
		heed_guardian(v, loop_now_ns()); /* between the look and the sending maybe */
		heed_kernel(v);
	}
	if (v->news) {
		set_limit(v);
		vrs_tell(v);
	}
}
