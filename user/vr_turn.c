// SPDX-License-Identifier: GPL-2.0-or-later
/* The end of a turn: what the state machines have decided is carried out, for all routers together. See the head of vr.h. */
#include "vr_int.h"

#include "log.h"
#include "ward.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE_MAX_NS (100 * VX_NS_PER_MS)
/*
 * Addresses go in parts of about PART_NS: between two of them adverts are sent and other turns are taken. What one costs the kernel grows
 * with those that are there, from 10 us to milliseconds.
 */
#define PART_NS     VX_NS_PER_MS
#define TURN_NS     (2 * VX_NS_PER_MS)
#define SAY_GONE_NS VX_NS_PER_S
/*
 * Who removes thousands holds the kernel's lock on network settings most of the time: to put them back meanwhile would be to wait for it,
 * adverts and all, and to have them removed once more.
 */
#define BURST_QUIET_NS (10 * VX_NS_PER_MS)
#define BURST_MAX_NS   (3 * VX_NS_PER_S)

enum {
	COMMIT_PART = 64,
	FIRST_PART = 8, /* small, for the sake of the first address */
	ONES_PART = 16, /* of one router: it does not keep the others waiting */
	TX_PART = 256,  /* announcements in one go */
	SAY_COST = 2,   /* what a line for the log costs, in announcements */
	HASTE = 8,      /* addresses: with more to be claimed they are served before they are added */
	BURST = 64,
};

/* ---- who has something to do ---- */

int vrs_reserve_queues(struct vrs *v)
{
	struct vr_ring *q;
	struct vr **at;
	size_t i;

	if (v->nvr <= v->queues[0].cap)
		return 0;
	for (q = v->queues; q < v->queues + VR_QUEUES; q++) {
		at = calloc(v->nvr, sizeof(struct vr *));
		if (!at)
			return -ENOMEM;
		for (i = 0; i < q->n; i++)
			at[i] = q->at[(q->head + i) % q->cap];
		free(q->at);
		*q = (struct vr_ring){ .at = at, .n = q->n, .cap = v->nvr };
	}
	at = realloc(v->parts, v->nvr * sizeof(struct vr *));
	if (!at)
		return -ENOMEM;
	v->parts = at;
	return 0;
}

void vrs_free_queues(struct vrs *v)
{
	struct vr_ring *q;

	for (q = v->queues; q < v->queues + VR_QUEUES; q++)
		free(q->at);
	free(v->parts);
}

static void push(struct vr *r, enum vr_queue which)
{
	struct vr_ring *q = &r->all->queues[which];

	if (r->queued[which])
		return;
	r->queued[which] = true;
	q->at[(q->head + q->n++) % q->cap] = r;
}

static struct vr *pop(struct vrs *v, enum vr_queue which)
{
	struct vr_ring *q = &v->queues[which];
	struct vr *r = q->at[q->head];

	q->head = (q->head + 1) % q->cap;
	q->n--;
	r->queued[which] = false;
	return r;
}

/* Where @r's work belongs; one that was queued for something else is passed over there. */
static void push_work(struct vr *r)
{
	if (r->work == VR_WORK_REPAIR)
		push(r, VR_REPAIRS);
	else if (r->work)
		push(r, VR_URGENT);
}

/* Somebody has no role yet that is to have one, or has addresses still that are not its own any more. */
static bool is_urgent(const struct vrs *v)
{
	return v->queues[VR_URGENT].n;
}

static bool is_under_way(const struct vrs *v)
{
	return v->queues[VR_URGENT].n || v->queues[VR_LATER].n || v->queues[VR_REPAIRS].n;
}

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

/* It has become Active, and none of its addresses is in yet: the role stays without a lease. */
static bool is_claiming(const struct vr *r)
{
	return r->pending & FSM_ACT_CLAIM || (r->work == VR_WORK_CLAIM && !r->answers);
}

/*
 * The interval is shorter since a reload, and this advert says so: who hears it waits no longer than that. Should this process stand still
 * behind the sending, the old lease would outlast their patience; so it ends earlier already before. If nothing leaves, no harm is done.
 */
static void shorten_lease(struct vr *r, uint64_t sent_ns)
{
	if (r->fsm.state != FSM_ACTIVE || is_claiming(r) ||
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
		if (r->fsm.state == FSM_ACTIVE && !is_claiming(r))
			vr_tell_role(r);
	}
}

/* An advert of @r that is due, while nothing else of a turn may happen. What better routers have said meanwhile is for the next turn. */
static void send_one(struct vr *r, uint64_t now_ns)
{
	const struct fsm_event ev = { .type = FSM_EV_ADVER_TIMER, .at_ns = now_ns };

	if (now_ns <= r->fsm.lease_ns && !dp_role_ended(r->all->dp, r->slot) &&
	    fsm_step(&r->fsm, &ev, now_ns) & FSM_ACT_ADVERT) {
		timer_arm(&r->all->loop->timers, &r->adver_timer, r->fsm.adver_due_ns);
		queue_adverts(r, false);
	}
}

/* What is due is sent while something takes its time that cannot be left and come back to. */
static void send_due(struct vrs *v)
{
	uint64_t now_ns = loop_now_ns();
	size_t i;

	if (timer_next(&v->loop->timers) > now_ns)
		return;
	for (i = 0; i < v->nvr; i++) {
		struct vr *r = v->vr[i];

		r->sent = false;
		if (r->fsm.state == FSM_ACTIVE && r->adver_timer.index && r->adver_timer.at_ns <= now_ns &&
		    r->iface->tx)
			send_one(r, now_ns);
	}
	vrs_flush_tx(v);
	for (i = 0; i < v->nvr; i++) {
		struct vr *r = v->vr[i];

		if (!r->sent)
			continue;
		r->adverts_sent++;
		fsm_sent(&r->fsm, now_ns);
		if (!is_claiming(r))
			vr_tell_role(r);
	}
}

static void arm_timers(struct vr *r)
{
	int err = 0;

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

/* The next part is such that it takes about PART_NS. */
static void adapt_part(struct vrs *v, uint64_t took_ns)
{
	if (took_ns < PART_NS && v->part < COMMIT_PART)
		v->part *= 2;
	else if (took_ns > 2 * PART_NS && v->part > 1)
		v->part /= 2;
}

/* Thousands take longer than the guardian has patience, and the others, if they hear no adverts. */
static void commit_parts(struct vrs *v)
{
	uint64_t since_ns = loop_now_ns(), now_ns;
	size_t done, n;
	int err;

	for (done = 0; done < v->nchanges; done += n) {
		n = v->nchanges - done < v->part ? v->nchanges - done : v->part;
		if (v->finishing)
			nl_await(v->nl, v->changes + done, n);
		ward_waits(since_ns, v->patience_ns); /* the kernel has one lock for all of its network settings */
		err = nl_commit(v->nl, v->changes + done, n);
		if (err)
			log_err("route netlink failed: %s", strerror(-err));
		nl_settle(v->nl, v->changes + done, n); /* invariant 6 */
		now_ns = loop_now_ns();
		adapt_part(v, now_ns - since_ns);
		since_ns = now_ns;
		ward_alive(now_ns);
		if (done + n < v->nchanges)
			send_due(v);
	}
}

void vrs_commit(struct vrs *v)
{
	size_t i;

	if (!v->nchanges)
		return;
	commit_parts(v);
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

/* ---- addresses, part by part ---- */

/*
 * The addresses of a router are added or removed over as many turns as it takes, from r->work_at on. A claim's role gets its lease, and XDP
 * answers, behind the first part, for all addresses: hosts that ask for one that is not in yet lose a packet instead of a request, and those
 * that are in do not wait for it. Each address is announced when it is in (invariant 6).
 *
 * Where many are claimed, by one router or by hundreds, the kernel first gets a local route for each, which makes it take packets in a tenth
 * of the time (nl.h); when all of them are served and announced, a repair adds the addresses as they are configured, and another takes the
 * routes away, of IPv6 when the kernel has told of the address: it acknowledges it earlier. Everybody sees the same in the end. So it is with
 * any IPv6 address, which takes the kernel 0.2 ms: it has a group joined, and is not done when it says so.
 */

static void want_addr(struct vr *r, struct vr_vip *vip, bool del)
{
	struct vr_change owner = { .vr = r,
				   .installed = &vip->installed,
				   .announce = vip->served ? NULL : &vip->announce,
				   .said = &vip->said };

	vrs_want(r->all, &(struct nl_change){ .addr = vip->conf, .no_wait = vip->served, .del = del }, &owner);
}

static void want_served(struct vr *r, struct vr_vip *vip, bool del)
{
	struct vr_change owner = { .vr = r, .installed = &vip->served, .announce = del ? NULL : &vip->announce };

	vrs_want(r->all, &(struct nl_change){ .addr = vip->conf, .local = true, .del = del }, &owner);
}

/* One that is to be tested for duplicates before it is used must not be; nor is there a route to a group, or one to 127.0.0.1 on a NIC. */
static bool can_serve(const struct conf_vip *c)
{
	return !(c->flags & (CONF_VIP_DAD | CONF_VIP_AUTOJOIN)) && (c->addr.family == 6 || c->addr.b[0] != 127);
}

/* Into the batch goes what there is to do for the VIP @i. Returns how many changes that are. */
static size_t want_vip(struct vr *r, size_t i)
{
	struct vr_vip *vip = &r->vips[i];
	size_t n = r->all->nchanges;

	switch (r->work) {
	case VR_WORK_NONE:
		break;
	case VR_WORK_CLAIM: /* takes none for granted that it has not added itself */
		if (i < r->work_top && vr_vip_in(vip))
			break;
		if ((r->all->haste || vip->conf->addr.family == 6) && can_serve(vip->conf)) {
			r->hasty = true;
			want_served(r, vip, false);
		} else {
			want_addr(r, vip, false);
		}
		break;
	case VR_WORK_REPAIR:
		if (!vip->installed)
			want_addr(r, vip, false);
		else if (vip->served && (vip->told || vip->conf->addr.family == 4 || r->all->finishing))
			want_served(r, vip, true);
		break;
	case VR_WORK_RELEASE:
		if (vip->served)
			want_served(r, vip, true);
		if (vip->installed)
			want_addr(r, vip, true);
		break;
	}
	return r->all->nchanges - n;
}

/* At most @max addresses of @r into the batch. */
static void take_part(struct vr *r, size_t max)
{
	size_t n = 0, i;

	r->part_at = r->work_at;
	r->all->parts[r->all->nparts++] = r;
	for (i = r->work_at; i < r->nvips && n < max; i++)
		n += want_vip(r, i);
	r->work_at = i;
}

void vrs_note_burst(struct vrs *v)
{
	uint64_t now_ns = loop_now_ns();

	if (now_ns - v->gone_ns > BURST_QUIET_NS) {
		v->burst = 0;
		v->burst_ns = now_ns;
	}
	v->burst++;
	v->gone_ns = now_ns;
}

/* The end of this turn goes on with what has been waiting for this. */
void vrs_on_burst(void *arg, uint64_t now_ns)
{
	(void)arg;
	(void)now_ns;
}

/* Repairs wait until the burst is over. */
static bool waits(const struct vr *r, uint64_t now_ns)
{
	const struct vrs *v = r->all;

	return r->work == VR_WORK_REPAIR && !v->finishing && v->burst > BURST &&
	       now_ns - v->gone_ns <= BURST_QUIET_NS && now_ns - v->burst_ns < BURST_MAX_NS;
}

/* Round robin: where one router has thousands, another has to wait for few of them. */
static bool next_part(struct vrs *v, enum vr_queue which)
{
	uint64_t now_ns = loop_now_ns();
	size_t i, n = v->queues[which].n, left;

	v->nparts = 0;

	for (i = 0; i < n && v->nchanges < v->part; i++) {
		struct vr *r = pop(v, which);

		if (!r->work || (which == VR_REPAIRS) != (r->work == VR_WORK_REPAIR))
			continue;
		left = v->part - v->nchanges;
		if (waits(r, now_ns))
			push(r, which);
		else
			take_part(r, left < ONES_PART ? left : ONES_PART);
	}
	return v->nparts;
}

/* New work for @r begins with its first address, and replaces what was under way. */
static void begin_work(struct vr *r)
{
	enum vr_work work = VR_WORK_NONE;

	if (r->pending & FSM_ACT_RELEASE)
		work = VR_WORK_RELEASE;
	else if (r->pending & FSM_ACT_CLAIM)
		work = VR_WORK_CLAIM;
	else if (r->repair && r->fsm.state == FSM_ACTIVE && !r->work)
		work = VR_WORK_REPAIR;
	if (!work)
		return;
	r->work = work;
	r->work_at = r->work_top = 0;
	r->work_turn = r->all->turn;
	r->again = r->hasty = false;
	if (work != VR_WORK_REPAIR)
		r->answers = false;
	push_work(r);
}

/* Routes and rules that are to be added: all when it becomes Active, what is missing when something was taken away. */
static bool adds(const struct vr *r, bool installed)
{
	return r->work == VR_WORK_CLAIM || !installed;
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
static void join_solicited(struct vr *r, size_t from, size_t to)
{
	bool in = r->fsm.state == FSM_ACTIVE;
	const struct vr_vip *vip;
	struct vx_addr a;

	for (vip = r->vips + from; vip < r->vips + to; vip++) {
		if (!solicited_elsewhere(vip) || (!in && others_solicited(r, vip)))
			continue;
		a = vr_conf_addr(&vip->conf->addr);
		tx_solicited(vip->at->tx, &a, in);
	}
}

/* ---- announcements and log ---- */

static void log_claim(struct vr *r)
{
	uint64_t t[4];
	char why[64] = "";
	int i;

	for (i = 0; i < 4; i++)
		t[i] = r->step_ns[i] > r->cause_ns ? (r->step_ns[i] - r->cause_ns) / VX_NS_PER_US : 0;
	r->unsaid = false;
	if (r->fsm.why == FSM_WHY_NO_ADVERT)
		snprintf(why, sizeof(why), " for %.1f ms", r->quiet_ns / 1e6);
	log_info("(%s) Entering MASTER STATE", r->conf->name);
	log_info("%s: %s -> Active: %s%s; advert +%" PRIu64 " us, address +%" PRIu64 " us, answering +%" PRIu64
		 " us, %s +%" PRIu64 " us",
		 r->conf->name, fsm_state_name(r->from), fsm_why_name(r->fsm.why), why, t[0], t[1], t[2],
		 r->conf->family == 6 ? "unsolicited NA" : "gratuitous ARP", t[3]);
}

void vr_say_active(struct vr *r)
{
	if (r->unsaid)
		log_claim(r);
}

/* Once a second and router, however many: the rest is counted. */
static void say_gone(struct vr *r, uint64_t now_ns)
{
	char text[46];

	if (!r->ngone || (r->said_gone_ns && now_ns - r->said_gone_ns < SAY_GONE_NS))
		return;
	conf_addr_str(&r->gone.addr, text, sizeof(text));
	if (r->ngone == 1)
		log_warn("%s: somebody removed %s/%u from %s; put back", r->conf->name, text, r->gone.plen,
			 r->gone.dev);
	else
		log_warn("%s: somebody removed %zu addresses, %s/%u from %s the first of them; put back", r->conf->name,
			 r->ngone, text, r->gone.plen, r->gone.dev);
	r->ngone = 0;
	r->said_gone_ns = now_ns;
}

/* Those of this part, as soon as they are in. */
static void announce_part(struct vr *r)
{
	const struct conf_garp *g = &r->conf->garp;

	if (r->fsm.state != FSM_ACTIVE || r->ended || r->work == VR_WORK_RELEASE)
		return;
	vr_announce_some(r, r->part_at, r->work_at, r->work == VR_WORK_CLAIM && !r->hasty ? g->repeat : 1);
}

/* The addresses of a part are in, or have gone. */
static void settle_part(struct vrs *v)
{
	uint64_t in_ns = loop_now_ns(), answers_ns;
	size_t i;

	for (i = 0; i < v->nparts; i++) {
		struct vr *r = v->parts[i];
		bool all = r->work_at == r->nvips;

		if (r->work == VR_WORK_CLAIM ? !r->answers : r->work == VR_WORK_RELEASE && all)
			vr_tell_role(r);
		if (r->work == VR_WORK_CLAIM && !r->answers)
			r->step_ns[1] = in_ns;
		join_solicited(r, r->part_at, r->work_at);
	}
	answers_ns = loop_now_ns();
	for (i = 0; i < v->nparts; i++)
		announce_part(v->parts[i]);
	vrs_flush_tx(v);
	for (i = 0; i < v->nparts; i++) {
		struct vr *r = v->parts[i];

		if (r->work == VR_WORK_CLAIM && !r->answers) {
			r->step_ns[2] = answers_ns;
			r->step_ns[3] = loop_now_ns();
			r->answers = r->begun = true;
			vr_mark(r);
		}
		r->done = r->work_at == r->nvips;
		r->work_top = r->work_at > r->work_top ? r->work_at : r->work_top;
	}
}

static bool any_served(const struct vr *r)
{
	size_t i;

	for (i = 0; i < r->nvips && !r->vips[i].served; i++)
		;
	return i < r->nvips;
}

/* Scripts are told then: that the kernel takes packets is not all that they may rely on. */
static bool adds_the_last(const struct vr *r)
{
	return r->work == VR_WORK_CLAIM ? !r->hasty || !any_served(r) : r->work == VR_WORK_REPAIR && r->again;
}

/* Of a claim that has lasted, how long. */
static void say_done(const struct vr *r)
{
	bool last = adds_the_last(r);

	if (r->work_turn == r->all->turn || r->nvips <= ONES_PART || !(last || r->work == VR_WORK_CLAIM))
		return;
	log_info("%s: all %zu addresses %s, +%" PRIu64 " us", r->conf->name, r->nvips, last ? "are in" : "answer",
		 (uint64_t)((loop_now_ns() - r->cause_ns) / VX_NS_PER_US));
}

/* What comes next for @r, whose last address was in this part. */
static void go_over(struct vr *r)
{
	enum vr_work was = r->work;

	r->work = VR_WORK_NONE;
	if (r->fsm.state != FSM_ACTIVE)
		return;
	if (was == VR_WORK_CLAIM && r->hasty) {
		vr_announce_later(r, r->conf->garp.repeat - 1);
		push(r, VR_LATER);
	}
	if ((was == VR_WORK_CLAIM || r->again) && any_served(r)) {
		r->again = was == VR_WORK_CLAIM;
		r->work = VR_WORK_REPAIR;
		r->work_at = r->work_top = 0;
	}
}

/* Routes and rules follow the last address, which may be their source. */
static void finish_work(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->nparts; i++) {
		struct vr *r = v->parts[i];

		if (r->done && r->work != VR_WORK_RELEASE && r->fsm.state == FSM_ACTIVE &&
		    !(r->work == VR_WORK_CLAIM && any_served(r))) {
			want_routes(r, false);
			want_rules(r, false);
		}
	}
	vrs_commit(v);
	for (i = 0; i < v->nparts; i++) {
		struct vr *r = v->parts[i];

		if (r->done) {
			say_done(r);
			v->news |= adds_the_last(r);
			go_over(r);
		}
		r->done = false;
		push_work(r);
	}
}

/* Whether a turn that has lasted since @since_ns may go on: nothing is due, or it has to come to an end at once. */
static bool may_go_on(struct vrs *v, uint64_t since_ns)
{
	uint64_t now_ns = loop_now_ns();

	ward_alive(now_ns);
	if (v->finishing) {
		send_due(v);
		return true;
	}
	return now_ns - since_ns < TURN_NS && (now_ns < timer_next(&v->loop->timers) || is_urgent(v));
}

/* Part by part, as long as there is time. */
static void work_on(struct vrs *v, enum vr_queue which)
{
	uint64_t since_ns = loop_now_ns();

	while (next_part(v, which)) {
		vrs_commit(v);
		settle_part(v);
		finish_work(v);
		if (!may_go_on(v, since_ns))
			break;
	}
}

/* Whether more than HASTE addresses are to be claimed. */
static bool is_many(const struct vrs *v)
{
	const struct vr_ring *q = &v->queues[VR_URGENT];
	size_t i, n = 0;

	for (i = 0; i < q->n && n <= HASTE; i++) {
		const struct vr *r = q->at[(q->head + i) % q->cap];

		n += r->work == VR_WORK_CLAIM ? r->nvips - r->work_at : 0;
	}
	return n > HASTE;
}

/* KA-18: rules, routes and addresses go, in this order; addresses come before anything else. */
static void flush_addresses(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];

		begin_work(r);
		if (r->pending & FSM_ACT_RELEASE) {
			want_rules(r, true);
			want_routes(r, true);
		}
	}
	vrs_commit(v);
	v->haste = is_many(v);
	v->patience_ns = is_under_way(v) ? vrs_patience(v) : 0;
	work_on(v, VR_URGENT);
}

/* Announcements of what is in already; one that repeats itself needs a lease. */
static void flush_announcements(struct vrs *v)
{
	const unsigned int again = FSM_ACT_ANNOUNCE | FSM_ACT_ANSWER_LOWER;
	uint64_t now_ns = loop_now_ns();
	size_t i;

	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];
		bool all = r->pending & again && !(r->pending & FSM_ACT_CLAIM) && r->fsm.lease_ns > now_ns;

		if (r->fsm.state != FSM_ACTIVE || r->ended)
			continue;
		if (all)
			vr_announce_installed(r);
		if (all && r->pending & FSM_ACT_ANSWER_LOWER)
			vr_announce(r, r->conf->garp.lower_prio_repeat);
		else if (all || r->defend)
			vr_announce(r, 1);
	}
	vrs_flush_tx(v);
}

/* Announcements that repeat others, and what there is to say, when nothing is urgent. */
static void flush_later(struct vrs *v)
{
	uint64_t since_ns = loop_now_ns();
	size_t n = 0, k;
	struct vr *r;

	log_hold();
	while (v->queues[VR_LATER].n && !is_urgent(v)) {
		r = pop(v, VR_LATER);
		n += r->unsaid ? SAY_COST : 0;
		vr_say_active(r);
		while (n < TX_PART && (k = vr_announce_next(r, TX_PART - n)))
			n += k;
		if (r->rounds)
			push(r, VR_LATER);
		if (n < TX_PART)
			continue;
		n = 0;
		vrs_flush_tx(v);
		if (!may_go_on(v, since_ns))
			break;
	}
	vrs_flush_tx(v);
	log_release();
}

/* What is left of the turn for @r. */
static void end_turn(struct vr *r, uint64_t now_ns)
{
	arm_timers(r);
	if (r->begun) {
		r->became_active++;
		vr_announce_arm(r, r->step_ns[3]);
		r->unsaid = true;
	} else if (r->pending & FSM_ACT_ANSWER_LOWER) {
		vr_announce_arm_lower(r, now_ns);
	}
	if (r->unsaid || r->rounds)
		push(r, VR_LATER);
	say_gone(r, now_ns);
	r->pending = 0;
	r->begun = r->repair = r->defend = r->twice = r->dirty = false;
}

static void carry_out(struct vrs *v)
{
	uint64_t now_ns;
	size_t i;

	v->turn++;
	flush_adverts(v);
	now_ns = loop_now_ns();
	ward_alive(now_ns);
	for (i = 0; i < v->ndirty; i++) {
		struct vr *r = v->dirty[i];

		if (r->pending & FSM_ACT_ADVER_TIMER)
			timer_arm(&v->loop->timers, &r->adver_timer, r->fsm.adver_due_ns);
		if (r->pending & FSM_ACT_CLAIM)
			r->step_ns[0] = now_ns;
	}
	flush_addresses(v);
	flush_announcements(v);
	now_ns = loop_now_ns();
	ward_alive(now_ns);
	for (i = 0; i < v->ndirty; i++)
		end_turn(v->dirty[i], now_ns);
	v->ndirty = 0;
	flush_later(v);
	if (!is_urgent(v) && !v->queues[VR_LATER].n)
		work_on(v, VR_REPAIRS);
	if (!is_under_way(v))
		v->part = FIRST_PART;
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
static void tell_limit(struct vrs *v, uint64_t limit_ns)
{
	v->limit_ns = limit_ns;
	ward_limit(limit_ns < LATE_MAX_NS ? limit_ns : LATE_MAX_NS, loop_now_ns());
}

static void narrow(const struct vr *r, uint64_t *limit_ns)
{
	if (r->fsm.state == FSM_ACTIVE && (!*limit_ns || r->fsm.adver_ns < *limit_ns))
		*limit_ns = r->fsm.adver_ns;
}

static void set_limit(struct vrs *v)
{
	uint64_t limit_ns = 0;
	size_t i;

	for (i = 0; i < v->nvr; i++)
		narrow(v->vr[i], &limit_ns);
	tell_limit(v, limit_ns);
}

/* Before a router is Active, or it would not be guarded from the first moment on. */
static void narrow_limit(struct vrs *v)
{
	uint64_t limit_ns = v->limit_ns;
	size_t i;

	for (i = 0; i < v->ndirty; i++)
		narrow(v->dirty[i], &limit_ns);
	if (limit_ns != v->limit_ns)
		tell_limit(v, limit_ns);
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
static void turn(struct vrs *v)
{
	size_t i;

	narrow_limit(v);
	carry_out(v);
	for (i = 0; i < v->nifs; i++) {
		if (v->ifs[i]->send_failed && v->ifs[i]->up)
			nl_link_read(v->nl, v->ifs[i]->ifindex);
		v->ifs[i]->send_failed = false;
	}
	heed_guardian(v, loop_now_ns()); /* between the look and the sending maybe */
	heed_kernel(v);
}

/* The rest of the work, after what has come in meanwhile and what is due; or when a burst is over. */
static void go_on_later(struct vrs *v)
{
	const struct vr_ring *q = &v->queues[VR_REPAIRS];
	uint64_t now_ns = loop_now_ns();

	if (is_urgent(v) || v->queues[VR_LATER].n || !waits(q->at[q->head], now_ns))
		loop_stay_awake(v->loop, now_ns + VX_NS_PER_MS);
	else
		timer_arm(&v->loop->timers, &v->burst_timer, v->gone_ns + BURST_QUIET_NS + 1);
}

void vrs_flush(void *arg, uint64_t now_ns)
{
	struct vrs *v = arg;

	heed_guardian(v, now_ns);
	heed_kernel(v);
	if (v->ndirty || is_under_way(v))
		turn(v);
	while (v->ndirty || (v->finishing && is_under_way(v)))
		turn(v);
	if (is_under_way(v))
		go_on_later(v);
	if (v->news && !is_urgent(v)) {
		set_limit(v);
		vrs_tell(v);
	}
}

void vrs_finish(struct vrs *v)
{
	size_t i;

	v->finishing = true;
	for (i = 0; i < v->nvr; i++) { /* it is not waited for what the kernel will tell */
		if (v->vr[i]->fsm.state != FSM_ACTIVE || !any_served(v->vr[i]))
			continue;
		v->vr[i]->repair = true;
		vr_mark(v->vr[i]);
	}
	vrs_flush(v, loop_now_ns());
	v->finishing = false;
}
