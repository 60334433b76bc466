// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What must hold, told apart from the code under test: nothing here calls decide_*(), and every time is true time. docs/simulator.md gives the
 * rules in words; the numbers in comments are its.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fail(const char *fmt, ...)
{
	va_list ap;

	if (sim.failure[0])
		return;
	va_start(ap, fmt);
	vsnprintf(sim.failure, sizeof(sim.failure), fmt, ap);
	va_end(ap);
	trace(NULL, "FAILED: %s", sim.failure);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static bool disturbed(const struct router *r)
{
	return !r->runs || r->frozen || r->stalled_ns;
}

bool answers(struct router *r)
{
	return r->dp.role >= VX_ROLE_ACTIVE_MIN && r->up && !r->stalled_ns && dp_answers(&r->dp, local_ns(r));
}

/* ---- 1: who answers ---- */

static bool outranks(const struct router *a, const struct router *b)
{
	if (a->fsm.priority != b->fsm.priority)
		return a->fsm.priority > b->fsm.priority;
	return vx_host32(a->addr.w[0]) > vx_host32(b->addr.w[0]);
}

/*
 * 1.1: until when two may both answer. The loser has to hear the winner: whose advert is on its way if it began to answer last, else the
 * winner's next one, as often as one was lost or late. NEVER: one of them is frozen, and its lease ends it.
 */
static uint64_t double_until(const struct router *a, const struct router *b, uint64_t since_ns)
{
	const struct router *w = outranks(a, b) ? a : b, *l = w == a ? b : a;
	uint64_t harm_ns = sim.link[w->id][l->id].harm_ns, from_ns = later(w->calm_ns, later(l->calm_ns, harm_ns));
	uint64_t hear_ns = sim.delay_max_ns + REACT_MAX_NS;

	harm_ns = later(harm_ns, later(l->since_ns, later(w->ranked_ns, l->ranked_ns)));
	from_ns = later(later(from_ns, harm_ns), later(w->send_fails_ns, since_ns));
	if (disturbed(w) || disturbed(l))
		return NEVER;
	if (from_ns == since_ns && w->answers_ns == since_ns && harm_ns < w->answers_sent_ns &&
	    since_ns - w->answers_sent_ns < TURN_MAX_NS)
		return since_ns + hear_ns;
	return from_ns + w->adver_max_ns + DRIFT(w->adver_max_ns) + hear_ns;
}

static void double_ends(struct router *a, struct router *b, uint64_t at_ns)
{
	uint64_t *since_ns = &sim.double_ns[a->id][b->id], end_ns = at_ns, until_ns;
	uint64_t lease_ns;

	lease_ns = true_ns(a, a->dp.role);
	end_ns = lease_ns < end_ns ? lease_ns : end_ns;
	lease_ns = true_ns(b, b->dp.role);
	end_ns = lease_ns < end_ns ? lease_ns : end_ns;
	until_ns = double_until(a, b, *since_ns);
	if (until_ns != NEVER && end_ns > until_ns)
		fail("1.1: R%u and R%u both answer since %.6f ms, and have heard each other", a->id, b->id,
		     (*since_ns - 1000 * S) / 1e6);
	if (end_ns - *since_ns > sim.stats.double_max_ns && until_ns != NEVER)
		sim.stats.double_max_ns = end_ns - *since_ns;
	if (end_ns == at_ns)
		return;
	*since_ns = 0;
	sim.doubles--;
}

/* 1.2: who takes over when it has heard the advert that the other's lease counts from, and nothing else since, has waited until that is over. */
static void check_lease(const struct router *r)
{
	const struct heard *h = &r->claimed;
	struct router *a = &sim.r[h->src];

	if (!h->known || h->left_ns || h->vague || h->serial != a->lease_serial || a->paused_ns > a->last_sent_ns)
		return;
	if (answers(a))
		fail("1.2: R%u begins to answer in the lease of R%u, whose last advert it has heard", r->id, a->id);
}

/*
 * 1.5: no lease outlasts the patience of the fastest peer that there can be, counted from the last advert that left: one of a clock that runs
 * fast and with no skew; without any adverts to miss, with the shortest one.
 */
static void check_lease_end(struct router *r, uint64_t role)
{
	uint64_t adver_ns = r->told_ns, wait_ns = (sim.down_adverts < 3 ? sim.down_adverts : 3) * adver_ns;

	if (sim.down_adverts == 1)
		wait_ns += (sim.version == 2 ? S : adver_ns) / 256;
	wait_ns -= DRIFT(wait_ns);
	if (mutant != MUTANT_NONE && mutant != MUTANT_LEASE_AFTER) /* the others have to be found by what a host sees */
		return;
	if (role > local_ns(r) && r->paused_ns <= r->last_sent_ns && true_ns(r, role) > r->last_sent_ns + wait_ns)
		fail("1.5: R%u has a lease until %.6f ms after its last advert", r->id,
		     (true_ns(r, role) - r->last_sent_ns) / 1e6);
}

void check_role(struct router *r, uint64_t role)
{
	if (role > VX_ROLE_ACTIVE_MIN)
		check_lease_end(r, role);
	if (r->spoken_ns && role > r->spoken_local_ns)
		r->spoken_ns = 0;
	if (role >= VX_ROLE_ACTIVE_MIN && role > local_ns(r) &&
	    (r->dp.role == VX_ROLE_BACKUP || r->dp.role == VX_ROLE_ACTIVE_MIN))
		check_lease(r);
}

/* 1.6: who was silent past its lease does not speak as Active before it has read what came in meanwhile (SEC-29). */
static void check_speech(const struct router *r, uint8_t priority)
{
	if (priority && r->fsm.state == FSM_ACTIVE && r->spoken_ns && r->spoken_ns < r->turn_ns)
		fail("1.6: R%u speaks after its lease, and has not read the advert that came at %.6f ms", r->id,
		     (r->spoken_ns - 1000 * S) / 1e6);
}

/* 1.3: nobody answers once it has said goodbye. */
void check_sent(struct router *r, uint8_t priority)
{
	check_speech(r, priority);
	if (priority) {
		r->last_sent_ns = sim.now_ns;
		r->told_ns = r->fsm.adver_ns;
		r->lease_serial = sim.serial;
	} else if (answers(r)) {
		fail("1.3: R%u says priority 0 while it answers", r->id);
	}
}

/* 1.4: with a guardian that is awake, who is dead, stopped, or hangs for longer than its limit does not answer. */
static void check_guard(struct router *r)
{
	if (r->dp.role < VX_ROLE_ACTIVE_MIN || !r->guarded || (r->runs && !r->frozen) || r->stalled_ns)
		return;
	if (sim.now_ns > r->fence_by_ns + WAKE_MAX_NS && answers(r))
		fail("1.4: R%u answers, and its guardian has had the time to fence it", r->id);
}

/* ---- 3: why a router takes over ---- */

static uint64_t skew_ns(const struct router *r, uint64_t adver_ns)
{
	uint64_t unit_ns = sim.version == 2 ? S : adver_ns, s_ns = (256 - r->fsm.priority) * unit_ns / 256;

	return r->skew_in_cs ? s_ns / (10 * MS) * (10 * MS) : s_ns;
}

/* What Active_Down_Timer has to run for, and since when at the earliest and at the latest. */
static uint64_t wait_ns(const struct router *r, uint64_t *from_ns, uint64_t *late_ns)
{
	const struct heard *h = &r->heard;
	uint64_t adver_ns = h->adver_ns;

	*from_ns = h->at_ns;
	*late_ns = h->late_ns;
	if (h->left_ns) {
		*from_ns = *late_ns = h->left_ns;
		return r->fsm.handover_ns ? (256 - r->fsm.priority) * r->fsm.handover_ns / 256 : skew_ns(r, adver_ns);
	}
	if (!h->at_ns)
		*from_ns = *late_ns = r->since_ns;
	return sim.down_adverts * adver_ns + skew_ns(r, adver_ns);
}

/* 3: not before the Active Router has been silent for as long as the RFC has it, or has left; and not later either. */
static void check_claim(struct router *r)
{
	struct heard *h = &r->heard;
	uint64_t from_ns, late_ns, w_ns = wait_ns(r, &from_ns, &late_ns);

	r->claimed = *h;
	if (h->left_ns)
		sim.stats.handovers++;
	else if (h->discarded)
		sim.stats.preemptions++;
	else if (h->known)
		sim.stats.silent++;
	else
		sim.stats.first++;
	sim.stats.failovers = sim.stats.handovers + sim.stats.silent;
	if (h->vague)
		return;
	if (sim.now_ns + DRIFT(w_ns) + US < from_ns + w_ns)
		fail("3: R%u takes over %.6f ms too early", r->id, (from_ns + w_ns - sim.now_ns) / 1e6);
	if (r->calm_ns <= from_ns && sim.now_ns > later(late_ns + w_ns + DRIFT(w_ns), r->ranked_ns) + REACT_MAX_NS)
		fail("3: R%u takes over %.6f ms too late", r->id, (sim.now_ns - late_ns - w_ns) / 1e6);
}

static unsigned int sender(const struct vx_addr *addr)
{
	unsigned int i;

	for (i = 0; i < sim.n && !vx_addr_eq(&sim.r[i].addr, addr); i++)
		;
	return i;
}

void check_state(struct router *r, enum fsm_state from)
{
	struct heard *h = &r->heard;
	unsigned int src;

	if (r->fsm.state == FSM_ACTIVE && from == FSM_BACKUP)
		check_claim(r);
	r->since_ns = sim.now_ns;
	r->spoken_ns = 0;
	if (r->fsm.state != FSM_BACKUP)
		return;
	memset(h, 0, sizeof(*h));
	h->vague = r->dp.nring >
		   (r->fsm.why != FSM_WHY_FENCED); /* what else was heard while it was Active moves the timer, too */
	h->adver_ns = r->fsm.adver_ns;
	src = from == FSM_ACTIVE ? sender(&r->fsm.active_src) : sim.n;
	if (src == sim.n)
		return;
	/* It has yielded: to an advert that was read late, maybe, and which one is its secret. */
	h->known = true;
	h->src = src;
	h->adver_ns = sim.version == 2 ? r->fsm.adver_ns : r->fsm.active_adver_ns;
	h->late_ns = sim.now_ns;
	h->at_ns = sim.now_ns - r->fsm.adver_ns - DRIFT(r->fsm.adver_ns);
}

/* KA-22: for how long lower ones are honoured, too. */
static bool delays(struct router *r, const struct frame *f)
{
	uint64_t delay_ns = r->fsm.preempt_delay_ns;
	struct heard *h = &r->heard;

	if (!delay_ns)
		return false;
	if (f->priority >= r->dp.cfg.priority) {
		h->lower_ns = 0;
		return false;
	}
	if (!h->lower_ns)
		h->lower_ns = local_ns(r);
	return local_ns(r) - h->lower_ns < delay_ns;
}

static void heard_lapsed(struct router *r)
{
	r->spoken_ns = sim.now_ns;
	r->spoken_local_ns = local_ns(r);
}

/* 1.7: a better router's advert is the end of all answers, whether or not the controller runs. */
void check_yields(struct router *r, const struct frame *f)
{
	if (f->priority && decide_yields(r->dp.cfg.priority, &r->dp.cfg.src, f->priority, &sim.r[f->src].addr) &&
	    answers(r) && mutant == MUTANT_NONE)
		fail("1.7: R%u answers on behind the advert of R%u, which is better", r->id, f->src);
}

void check_heard(struct router *r, const struct frame *f)
{
	struct heard *h = &r->heard;
	bool honour;

	if (r->dp.role >= VX_ROLE_ACTIVE_MIN && f->priority && !answers(r) && !r->spoken_ns &&
	    r->last_sent_ns >= r->since_ns && r->dp.nring < r->dp.ring_room &&
	    r->dp.watch.bucket_ns[VX_EV_LOWER] <= local_ns(r))
		heard_lapsed(r);
	if (r->dp.role != VX_ROLE_BACKUP)
		return;
	if (!f->priority) { /* FSM-B3, SEC-5 */
		if (!h->known || h->src == f->src) {
			h->left_ns = sim.now_ns;
			h->src = f->src;
			h->known = true;
			h->discarded = false;
		}
		return;
	}
	honour = delays(r, f) || !r->fsm.preempt || f->priority >= r->dp.cfg.priority;
	if (!honour) {
		h->discarded = true;
		return;
	}
	h->at_ns = h->late_ns = sim.now_ns;
	h->adver_ns = sim.version == 2 ? r->fsm.adver_ns : f->adver_ns;
	h->left_ns = 0;
	h->serial = f->serial;
	h->src = f->src;
	h->known = true;
	h->discarded = false;
	h->vague = false;
}

/* A new priority moves the timer by the change of Skew_Time (FSM-11), which is not that of a fast hand-over. */
void check_reload(struct router *r, bool other_times)
{
	r->heard.vague |= r->heard.left_ns || r->fsm.preempt_delay_ns;
	r->ranked_ns = sim.now_ns;
	if (!other_times)
		return;
	r->heard.lower_ns = 0; /* the timer is set anew, and with it the delay of preemption */
	check_disturbed(r);
}

void check_disturbed(struct router *r)
{
	r->calm_ns = sim.now_ns;
}

/* ---- 4: adverts on schedule ---- */

static void check_schedule(const struct router *r, uint64_t at_ns)
{
	uint64_t from_ns = later(later(r->last_sent_ns, r->calm_ns), later(r->since_ns, r->send_fails_ns));

	if (r->fsm.state != FSM_ACTIVE || disturbed(r) || at_ns <= from_ns)
		return;
	if (at_ns - from_ns > r->fsm.adver_ns + DRIFT(r->fsm.adver_ns) + REACT_MAX_NS)
		fail("4: R%u has not sent an advert for %.6f ms", r->id, (at_ns - from_ns) / 1e6);
}

/* ---- 2: one ---- */

/* The time in which the one that is preempted is silent already and the other one installs its addresses. */
#define NONE_MAX_NS (REACT_MAX_NS + ADDRESS_MAX_NS)

static void check_none(uint64_t at_ns)
{
	unsigned int i, runs = 0;

	if (sim.settled_ns == NEVER || !sim.none_ns || at_ns < sim.settled_ns)
		return;
	for (i = 0; i < sim.n; i++)
		runs += sim.r[i].runs;
	if (runs && at_ns - later(sim.none_ns, sim.settled_ns) > NONE_MAX_NS)
		fail("2: nobody answers since %.6f ms, and the last fault is over", (sim.none_ns - 1000 * S) / 1e6);
}

void check_settled(void)
{
	uint64_t hear_ns = sim.adver_max_ns + DRIFT(sim.adver_max_ns) + sim.delay_max_ns + REACT_MAX_NS;
	struct router *active = NULL, *r;
	unsigned int n = 0, runs = 0;
	bool fresh = false;

	for (r = sim.r; r < sim.r + sim.n; r++) {
		runs += r->runs;
		if (r->fsm.state != FSM_ACTIVE || !r->runs)
			continue;
		fresh |= sim.now_ns - r->since_ns <
			 hear_ns; /* it preempts another, or that one's next advert preempts it: 1.1 */
		active = r;
		n++;
	}
	if (runs && (!n || (n > 1 && !fresh)))
		fail("2: %u routers are Active, and the last fault is over", n);
	for (r = sim.r; n == 1 && r < sim.r + sim.n; r++)
		if (r->runs && r->fsm.preempt && r->fsm.priority > active->fsm.priority &&
		    sim.now_ns >= sim.preempted_ns)
			fail("2: R%u does not preempt R%u", r->id, active->id);
}

/* ---- every event ---- */

void check_before(uint64_t at_ns)
{
	unsigned int i, k;

	for (i = 0; sim.doubles && i < sim.n; i++)
		for (k = 0; k < i; k++)
			if (sim.double_ns[i][k])
				double_ends(&sim.r[i], &sim.r[k], at_ns);
	for (i = 0; i < sim.n; i++) {
		check_schedule(&sim.r[i], at_ns);
		check_guard(&sim.r[i]);
	}
	check_none(at_ns);
	sim.stats.checks++;
}

static void pair(unsigned int i, unsigned int k, bool both)
{
	uint64_t *since_ns = &sim.double_ns[i][k];

	if (both == (*since_ns != 0))
		return;
	*since_ns = both ? sim.now_ns : 0;
	sim.doubles += both ? 1 : -1;
	sim.stats.doubles += both;
}

void check_after(void)
{
	unsigned int i, k, n = 0;
	uint32_t who = 0;

	for (i = 0; i < sim.n; i++) {
		struct router *r = &sim.r[i];

		if (r->dp.role < VX_ROLE_ACTIVE_MIN || !answers(r)) {
			r->answers_ns = 0;
			continue;
		}
		if (!r->answers_ns) {
			r->answers_ns = sim.now_ns;
			r->answers_sent_ns = r->last_sent_ns;
		}
		who |= 1U << i;
		n++;
	}
	if (n > 1 || sim.doubles)
		for (i = 0; i < sim.n; i++)
			for (k = 0; k < i; k++)
				pair(i, k, who >> i & who >> k & 1);
	if (n)
		sim.none_ns = 0;
	else if (!sim.none_ns)
		sim.none_ns = sim.now_ns;
}
