// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The controller of one virtual router. Its state machine is user/fsm.c; what is around it follows user/loop.c, vr.c, vr_turn.c and
 * vr_reload.c line by line, with the same names, but between two system calls virtual time goes by, and it can be frozen there.
 */
#include "sim.h"

#include <string.h>

/* ---- the data plane ---- */

static void watch(struct router *r, struct vx_timer_cmd cmd)
{
	skew_in_cs = r->skew_in_cs;
	dp_timer(&r->dp, local_ns(r), &cmd);
	timer_follow(r);
}

/* vr_build() */
static void build(struct router *r)
{
	struct vx_vr_config *k = &r->dp.cfg;
	const struct fsm *f = &r->fsm;

	k->flags = (f->preempt ? VX_CFG_PREEMPT : 0) | (mutant == MUTANT_YIELD_LATE ? VX_CFG_DEAF : 0);
	k->src = f->src;
	k->adver_ns = f->adver_ns;
	k->preempt_delay_ns = f->preempt_delay_ns;
	k->handover_ns = f->handover_ns;
	k->max_adver_ns = f->max_adver_ns;
	k->version = f->version;
	k->priority = f->priority;
	k->down_adverts = f->down_adverts;
	k->family = 4;
}

/* dp_role_set(): a lease that the guardian or the kernel has ended is not renewed before that was looked into. */
static void role_set(struct router *r, uint64_t role)
{
	if (role >= VX_ROLE_ACTIVE_MIN && r->role_set >= VX_ROLE_ACTIVE_MIN && r->dp.role != r->role_set) {
		r->ended = true;
		return;
	}
	check_role(r, role);
	r->dp.role = r->role_set = role;
}

static void tell_role(struct router *r)
{
	uint64_t role = VX_ROLE_INIT;

	if (r->fsm.state == FSM_BACKUP)
		role = VX_ROLE_BACKUP;
	else if (r->fsm.state == FSM_ACTIVE)
		role = r->fsm.lease_ns > VX_ROLE_ACTIVE_MIN ? r->fsm.lease_ns : VX_ROLE_ACTIVE_MIN;
	role_set(r, role);
}

static void arm_down(struct router *r)
{
	watch(r, (struct vx_timer_cmd){ .op = VX_TIMER_ARM,
					.deadline_ns = r->fsm.down_ns,
					.adver_ns = r->fsm.active_adver_ns,
					.src = r->fsm.active_src,
					.priority = r->fsm.active_priority });
	r->pending &= ~FSM_ACT_CANCEL_DOWN;
}

/* ---- the state machine ---- */

static void add_actions(struct router *r, unsigned int act)
{
	if (act & FSM_ACT_RELEASE)
		r->pending &= ~(FSM_ACT_CLAIM | FSM_ACT_ADVERT | FSM_ACT_ANNOUNCE | FSM_ACT_ANSWER_LOWER |
				FSM_ACT_ADVER_TIMER);
	if (act & FSM_ACT_CLAIM)
		r->pending &= ~(FSM_ACT_RELEASE | FSM_ACT_PRIORITY_0);
	r->pending |= act & ~FSM_ACT_ARM_DOWN;
}

static void step(struct router *r, const struct fsm_event *ev, uint64_t now_ns)
{
	enum fsm_state from = r->fsm.state;
	unsigned int act;

	skew_in_cs = r->skew_in_cs;
	act = fsm_step(&r->fsm, ev, now_ns);
	if (!act && r->fsm.state == from)
		return;
	if (act & FSM_ACT_ARM_DOWN)
		arm_down(r);
	if (r->fsm.state != from) {
		trace(r, "was %s: %s", fsm_state_name(from), fsm_why_name(r->fsm.why));
		check_state(r, from);
		if (r->fsm.state != FSM_ACTIVE && mutant != MUTANT_SILENT_LATE)
			tell_role(r);
	}
	add_actions(r, act);
	r->dirty = true;
}

static void step_type(struct router *r, enum fsm_ev type, uint64_t at_ns, uint64_t now_ns)
{
	struct fsm_event ev = { .type = type, .at_ns = at_ns };

	step(r, &ev, now_ns);
}

/* ---- events of the data plane ---- */

static void down_expired(struct router *r, uint64_t at_ns, uint64_t now_ns)
{
	const struct vx_vr_watch *w = &r->dp.watch;

	if (r->fsm.state != FSM_BACKUP || !w->deadline_ns)
		return;
	if (w->deadline_ns > now_ns) {
		if (!w->fire_ns)
			watch(r, (struct vx_timer_cmd){ .op = VX_TIMER_ARM,
							.deadline_ns = w->deadline_ns,
							.adver_ns = w->adver_ns,
							.src = w->src,
							.priority = w->priority });
		return;
	}
	r->fsm.active_src = w->src;
	r->fsm.active_priority = w->priority;
	step_type(r, FSM_EV_DOWN_TIMER, at_ns, now_ns);
}

static void on_soon(struct router *r, const struct vx_event *e)
{
	if (r->fsm.state != FSM_BACKUP)
		return;
	r->down_timer_ns = e->at_ns;
	if (e->at_ns > r->busy_until_ns)
		r->busy_until_ns = e->at_ns;
}

static void on_advert(struct router *r, const struct vx_event *e, uint64_t now_ns)
{
	struct fsm_event ev = {
		.type = FSM_EV_ADVERT,
		.priority = e->priority,
		.src = e->src,
		.adver_ns = e->adver_ns,
		.at_ns = e->at_ns,
	};

	if (mutant == MUTANT_YIELD_LATE && r->fsm.state == FSM_ACTIVE && e->type == VX_EV_HIGHER &&
	    now_ns + r->fsm.adver_ns / 2 < r->fsm.adver_due_ns)
		return;
	if (r->fsm.state == FSM_BACKUP && e->absorbed) {
		skew_in_cs = r->skew_in_cs;
		fsm_step(&r->fsm, &ev, now_ns);
		return;
	}
	if (r->fsm.state == FSM_BACKUP && r->dp.watch.last_ns > e->at_ns && mutant != MUTANT_TIMER_BACK)
		return;
	if (r->fsm.state == FSM_BACKUP && now_ns - ev.at_ns > r->fsm.adver_ns)
		ev.at_ns = now_ns;
	step(r, &ev, now_ns);
}

static void on_event(struct router *r, const struct vx_event *e, uint64_t now_ns)
{
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
	case VX_EV_BAD:
		break;
	}
}

/* dp_events_read(): no time goes by in it, so nothing comes in meanwhile. */
static void events_read(struct router *r, uint64_t now_ns)
{
	__u32 i;

	for (i = 0; i < r->dp.nring; i++)
		on_event(r, &r->dp.ring[i], now_ns);
	r->dp.nring = 0;
}

static void on_adver_timer(struct router *r, uint64_t now_ns)
{
	if (((r->fsm.lease_ns && now_ns > r->fsm.lease_ns) || r->dp.role != r->role_set) &&
	    mutant != MUTANT_SPEAK_FIRST) {
		events_read(r, now_ns);
		if (r->fsm.state == FSM_ACTIVE && r->dp.role != r->role_set)
			step_type(r, FSM_EV_BETTER, now_ns, now_ns);
		if (r->fsm.state != FSM_ACTIVE)
			return;
	}
	step_type(r, FSM_EV_ADVER_TIMER, now_ns, now_ns);
}

/* Timers in the order in which they are due. */
static void timers(struct router *r, uint64_t now_ns)
{
	uint64_t at_ns;

	while (1) {
		if (r->down_timer_ns && r->down_timer_ns <= now_ns &&
		    (!r->adver_timer_ns || r->down_timer_ns <= r->adver_timer_ns)) {
			at_ns = r->down_timer_ns;
			r->down_timer_ns = 0;
			down_expired(r, at_ns, now_ns);
		} else if (r->adver_timer_ns && r->adver_timer_ns <= now_ns) {
			r->adver_timer_ns = 0;
			on_adver_timer(r, now_ns);
		} else {
			return;
		}
	}
}

/* ---- reload and stop ---- */

/* vr_learn() */
static void learn(struct router *r)
{
	const struct vx_vr_watch *w = &r->dp.watch;

	if (r->fsm.state != FSM_BACKUP || !w->deadline_ns || mutant == MUTANT_STALE_INTERVAL)
		return;
	r->fsm.active_src = w->src;
	r->fsm.active_priority = w->priority;
	r->fsm.active_adver_ns = w->adver_ns;
}

static void retime(struct router *r, uint64_t now_ns)
{
	struct fsm *f = &r->fsm;

	if (f->state == FSM_ACTIVE) {
		f->active_adver_ns = f->adver_ns;
		if (f->adver_due_ns > now_ns + f->adver_ns) {
			f->adver_due_ns = now_ns + f->adver_ns;
			r->adver_timer_ns = f->adver_due_ns;
		}
	} else if (f->state == FSM_BACKUP) {
		learn(r);
		if (f->version == 2)
			f->active_adver_ns = f->adver_ns;
		step_type(r, FSM_EV_SYNC_WAIT, now_ns, now_ns);
	}
}

static void set_priority(struct router *r, uint8_t priority)
{
	int64_t shift_ns;

	if (priority == r->fsm.priority)
		return;
	learn(r);
	skew_in_cs = r->skew_in_cs;
	shift_ns = fsm_set_priority(&r->fsm, priority);
	build(r);
	if (shift_ns && mutant != MUTANT_SHIFT_LOST)
		watch(r, (struct vx_timer_cmd){ .op = VX_TIMER_SHIFT, .deadline_ns = (uint64_t)shift_ns });
}

static void reload(struct router *r, uint64_t now_ns)
{
	bool other_times = r->conf.adver_ns != r->fsm.adver_ns;

	r->reload = false;
	events_read(r, now_ns);
	r->fsm.adver_ns = r->conf.adver_ns;
	r->fsm.preempt = r->conf.preempt;
	build(r);
	if (other_times)
		retime(r, now_ns);
	set_priority(r, r->conf.priority);
	check_reload(r, other_times);
	trace(r, "has reloaded: priority %u, interval %.0f ms", r->fsm.priority, r->fsm.adver_ns / 1e6);
}

/* ---- the turn ---- */

/* The last will has been said: final. */
static void heed_guardian(struct router *r)
{
	uint64_t now_ns = local_ns(r);

	if (!r->fenced)
		return;
	r->fenced = false;
	if (r->fsm.state == FSM_ACTIVE)
		step_type(r, FSM_EV_FENCED, now_ns, now_ns);
}

/* A better router was heard, see vr_turn.c. */
static void heed_kernel(struct router *r)
{
	if (!r->ended && (r->fsm.state != FSM_ACTIVE || r->dp.role == r->role_set))
		return;
	r->ended = false;
	events_read(r, local_ns(r));
	if (r->fsm.state == FSM_ACTIVE && r->dp.role != r->role_set)
		step_type(r, FSM_EV_BETTER, local_ns(r), local_ns(r));
}

static void turn_begin(struct router *r)
{
	uint64_t now_ns = local_ns(r);

	r->wake_ns = NEVER;
	r->turn_ns = sim.now_ns;
	heed_guardian(r);
	if (mutant != MUTANT_SPEAK_FIRST || !r->adver_timer_ns || r->adver_timer_ns > now_ns)
		events_read(r, now_ns);
	if (r->reload)
		reload(r, now_ns);
	timers(r, now_ns);
	if (r->stop) {
		step_type(r, FSM_EV_SHUTDOWN, now_ns, now_ns);
		r->pending |= FSM_ACT_RELEASE;
		r->dirty = true;
	}
}

/* A shorter interval after a reload: who hears of it waits no longer, see vr_turn.c. */
static void shorten_lease(struct router *r)
{
	if (r->fsm.state != FSM_ACTIVE || mutant == MUTANT_LEASE_OLD ||
	    r->fsm.lease_ns <= decide_lease_ns(r->sent_ns, r->fsm.down_adverts, r->fsm.adver_ns))
		return;
	fsm_sent(&r->fsm, r->sent_ns);
	tell_role(r);
}

static void transmit(struct router *r)
{
	r->sent = false;
	if (!(r->pending & (FSM_ACT_ADVERT | FSM_ACT_PRIORITY_0)))
		return;
	if (r->pending & FSM_ACT_CLAIM)
		role_set(r, VX_ROLE_ACTIVE_MIN);
	shorten_lease(r);
	if (r->send_fails_ns > sim.now_ns)
		return;
	send_advert(r, r->pending & FSM_ACT_PRIORITY_0 ? 0 : r->fsm.priority);
	r->sent = true;
}

static void extend_lease(struct router *r)
{
	if (!(r->pending & (FSM_ACT_ADVERT | FSM_ACT_PRIORITY_0)) || (!r->sent && mutant != MUTANT_LEASE_FAILED))
		return;
	fsm_sent(&r->fsm, mutant == MUTANT_LEASE_AFTER ? local_ns(r) : r->sent_ns);
	if (r->fsm.state == FSM_ACTIVE && !(r->pending & FSM_ACT_CLAIM))
		tell_role(r);
}

static void turn_end(struct router *r)
{
	if (r->pending & FSM_ACT_ADVER_TIMER)
		r->adver_timer_ns = r->fsm.adver_due_ns;
	if (r->pending & FSM_ACT_RELEASE)
		r->adver_timer_ns = 0;
	if (r->pending & (FSM_ACT_CANCEL_DOWN | FSM_ACT_CLAIM))
		watch(r, (struct vx_timer_cmd){ .op = VX_TIMER_CANCEL });
	if (mutant == MUTANT_SILENT_LATE && r->fsm.state != FSM_ACTIVE)
		tell_role(r);
	r->pending = 0;
	r->dirty = false;
	heed_guardian(r);
	heed_kernel(r);
	if (r->dirty || !r->stop)
		return;
	trace(r, "has stopped");
	ctl_kill(r);
}

/* Does the phase that is due; returns how long the one after it has to wait. */
static uint64_t phase(struct router *r)
{
	uint64_t step_ns = r->gaps ? rnd(STEP_MAX_NS) : 0;

	switch (r->phase++) {
	case PHASE_IDLE:
		turn_begin(r);
		if (!r->dirty)
			r->phase = PHASE_IDLE;
		return 0;
	case PHASE_STAMP: /* before, not after: see flush_adverts() */
		heed_guardian(r);
		if (mutant != MUTANT_SPEAK_FIRST)
			heed_kernel(r);
		r->sent_ns = local_ns(r);
		return step_ns;
	case PHASE_SEND:
		transmit(r);
		return step_ns;
	case PHASE_SENT:
		extend_lease(r);
		return step_ns;
	case PHASE_LEASE:
		return r->pending & (FSM_ACT_CLAIM | FSM_ACT_RELEASE) ? between(STEP_MAX_NS, ADDRESS_MAX_NS) : 0;
	case PHASE_ADDRESSES:
		if (r->pending & FSM_ACT_CLAIM)
			tell_role(r);
		return step_ns;
	case PHASE_ROLE:
		return 0;
	case PHASE_END:
		turn_end(r);
		r->phase = r->dirty ? PHASE_STAMP : PHASE_IDLE;
	}
	return 0;
}

void ctl_go(struct router *r)
{
	uint64_t wait_ns;

	if (!r->runs)
		return;
	if (r->frozen) {
		r->missed = true;
		return;
	}
	if (r->phase == PHASE_IDLE)
		r->gaps = chance(64);
	do {
		if (r->freeze_in && r->freeze_in == r->phase) {
			r->freeze_in = PHASE_IDLE;
			r->missed = true;
			ctl_freeze(r, r->freeze_for_ns);
			return;
		}
		wait_ns = phase(r);
		if (wait_ns) {
			event_at(sim.now_ns + wait_ns, EV_CTL, r, r->ctl_gen);
			return;
		}
	} while (r->runs && r->phase != PHASE_IDLE);
	ctl_follow(r);
}

/* epoll_wait(): ready when there are events, the timerfd when a timer is due. */
void ctl_follow(struct router *r)
{
	uint64_t at_ns = NEVER, now_ns, timer_ns = r->adver_timer_ns;

	if (!r->runs || r->frozen || r->stalled_ns || r->phase != PHASE_IDLE)
		return;
	if (r->down_timer_ns && (!timer_ns || r->down_timer_ns < timer_ns))
		timer_ns = r->down_timer_ns;
	if (r->dp.nring || r->fenced || r->stop || r->reload)
		at_ns = sim.now_ns;
	else if (timer_ns)
		at_ns = true_ns(r, timer_ns);
	if (at_ns == NEVER || at_ns + WAKE_MAX_NS < r->wake_ns) {
		if (at_ns == NEVER && r->wake_ns == NEVER)
			return;
		r->ctl_gen++;
		r->wake_ns = at_ns;
		if (at_ns == NEVER)
			return;
		now_ns = local_ns(r);
		r->wake_ns += rnd(now_ns < r->busy_until_ns ? US : WAKE_MAX_NS);
		event_at(r->wake_ns, EV_CTL, r, r->ctl_gen);
	}
}

/* ---- what happens to it ---- */

/* A new process on a data plane of its own. */
void ctl_start(struct router *r)
{
	struct fsm_event ev = { .type = FSM_EV_STARTUP, .at_ns = local_ns(r) };
	__u32 room = r->dp.ring_room;

	memset(&r->dp, 0, sizeof(r->dp));
	r->dp.ring_room = room;
	r->fsm = r->conf;
	r->fsm.since_ns = ev.at_ns;
	r->up = r->runs = true;
	r->frozen = r->missed = r->stop = r->reload = r->fenced = r->fences = false;
	r->phase = r->freeze_in = PHASE_IDLE;
	r->role_set = VX_ROLE_INIT;
	r->pending = 0;
	r->dirty = false;
	r->adver_timer_ns = r->down_timer_ns = r->busy_until_ns = 0;
	r->wake_ns = NEVER;
	r->stalled_ns = 0;
	r->send_fails_ns = 0;
	r->ctl_gen++;
	r->guard_gen++;
	timer_follow(r);
	memset(&r->heard, 0, sizeof(r->heard));
	check_disturbed(r);
	trace(r, "starts: priority %u, interval %.0f ms%s", r->fsm.priority, r->fsm.adver_ns / 1e6,
	      r->fsm.preempt ? "" : ", nopreempt");
	build(r);
	step(r, &ev, ev.at_ns);
	if (!r->dirty)
		return;
	r->phase = PHASE_STAMP;
	event_at(sim.now_ns + rnd(STEP_MAX_NS), EV_CTL, r, r->ctl_gen);
}

/* Death and SIGSTOP wake the guardian. */
static void guard_wake(struct router *r, uint64_t after_ns)
{
	r->guard_gen++;
	r->fences = false;
	r->guarded = sim.guardian && !chance(16);
	r->fence_by_ns = sim.now_ns + after_ns;
	if (r->guarded && mutant != MUTANT_NO_GUARDIAN)
		event_at(r->fence_by_ns + rnd(WAKE_MAX_NS), EV_GUARD, r, r->guard_gen);
}

/* ward.c: by when a controller that hangs should have shown life, and by how much it may be late. */
static uint64_t guard_limit_ns(const struct router *r)
{
	uint64_t limit_ns = r->fsm.adver_ns < 100 * MS ? r->fsm.adver_ns : 100 * MS, now_ns = local_ns(r);

	if (r->phase != PHASE_IDLE || r->adver_timer_ns <= now_ns)
		return limit_ns;
	return limit_ns + r->adver_timer_ns - now_ns;
}

/* SIGKILL; after SIGTERM the role is Initialize already. The data plane goes on. */
void ctl_kill(struct router *r)
{
	trace(r, "its controller is gone");
	r->runs = r->frozen = false;
	r->ctl_gen++;
	r->wake_ns = NEVER;
	check_disturbed(r);
	r->stop = false;
	guard_wake(r, 0);
}

void ctl_stop(struct router *r)
{
	trace(r, "is told to stop");
	r->stop = true;
	ctl_follow(r);
}

void ctl_reload(struct router *r, uint8_t priority, uint64_t adver_ns)
{
	r->conf.priority = priority;
	r->conf.adver_ns = adver_ns;
	if (adver_ns > r->adver_max_ns)
		r->adver_max_ns = adver_ns;
	r->reload = r->runs;
	ctl_follow(r);
}

void ctl_freeze(struct router *r, uint64_t for_ns)
{
	bool stopped = chance(128);

	trace(r, "its controller %s for %.3f ms", stopped ? "is stopped" : "hangs", for_ns / 1e6);
	r->frozen = true;
	r->ctl_gen += r->phase == PHASE_IDLE; /* in a turn, what is queued is what it will go on with */
	r->wake_ns = NEVER;
	guard_wake(r, stopped ? 0 : guard_limit_ns(r));
	event_at(sim.now_ns + for_ns, EV_THAW, r, r->guard_gen);
}

void ctl_thaw(struct router *r)
{
	if (!r->frozen || !r->up)
		return;
	trace(r, "its controller goes on");
	r->frozen = false;
	r->guard_gen += !r->fences;
	check_disturbed(r);
	if (r->missed && r->phase != PHASE_IDLE)
		event_at(sim.now_ns + rnd(WAKE_MAX_NS), EV_CTL, r, r->ctl_gen);
	r->missed = false;
	timer_follow(r);
	ctl_follow(r);
}

/* ---- the guardian ---- */

static void last_will(struct router *r)
{
	r->fences = false;
	if (r->send_fails_ns <= sim.now_ns)
		send_advert(r, 0);
}

/* guardian.c: first it fences, then it says the last will of who has not been silent anyway. */
void guard_go(struct router *r)
{
	uint64_t was = r->dp.role;

	if (r->stalled_ns) {
		r->fence_by_ns =
			r->stalled_ns + r->fsm.adver_ns / 2; /* the machine has stalled, and not the controller */
		event_at(r->fence_by_ns + rnd(WAKE_MAX_NS), EV_GUARD, r, r->guard_gen);
		return;
	}
	if (r->fences) {
		last_will(r);
		return;
	}
	r->fenced = r->runs;
	if (was <= VX_ROLE_ACTIVE_MIN)
		return;
	trace(r, "is fenced by its guardian");
	if (mutant == MUTANT_WILL_FIRST)
		last_will(r);
	r->dp.role = VX_ROLE_ACTIVE_MIN;
	if (was <= local_ns(r) || mutant == MUTANT_WILL_FIRST)
		return;
	r->fences = true;
	event_at(sim.now_ns + rnd(STEP_MAX_NS), EV_GUARD, r, r->guard_gen);
}
