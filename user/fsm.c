// SPDX-License-Identifier: GPL-2.0-or-later
#include "fsm.h"

/* FSM-A8: immediate adverts are capped, or two routers with one address would answer each other without end. */
#define ANSWER_MIN_NS (10 * VX_NS_PER_MS)
/* SEC-6: announcements against lower priorities, at most one set a second. */
#define ANNOUNCE_MIN_NS VX_NS_PER_S

const char *fsm_state_name(enum fsm_state s)
{
	switch (s) {
	case FSM_INITIALIZE:
		return "Initialize";
	case FSM_BACKUP:
		return "Backup";
	case FSM_ACTIVE:
		return "Active";
	}
	return "?";
}

const char *fsm_why_name(enum fsm_why w)
{
	switch (w) {
	case FSM_WHY_NOT_STARTED:
		return "not started";
	case FSM_WHY_STARTUP:
		return "startup";
	case FSM_WHY_OWNER:
		return "priority 255";
	case FSM_WHY_NO_ADVERT:
		return "no advert";
	case FSM_WHY_HANDOVER:
		return "the Active Router left (priority 0)";
	case FSM_WHY_HIGHER:
		return "advert of higher priority";
	case FSM_WHY_GREATER:
		return "advert of the same priority and a greater address";
	case FSM_WHY_STALLED:
		return "another router took over while this one was stalled";
	case FSM_WHY_SYNC:
		return "another member of the sync group is Backup";
	case FSM_WHY_FENCED:
		return "hung, and the guardian has handed over";
	case FSM_WHY_SHUTDOWN:
		return "shutdown";
	}
	return "?";
}

static void enter(struct fsm *f, enum fsm_state s, enum fsm_why why, uint64_t now_ns)
{
	f->state = s;
	f->why = why;
	f->since_ns = now_ns;
}

static unsigned int enter_backup(struct fsm *f, enum fsm_why why, uint64_t from_ns, uint64_t now_ns)
{
	enter(f, FSM_BACKUP, why, now_ns);
	f->down_ns = from_ns + decide_down_ns(f->version, f->priority, f->down_adverts, f->active_adver_ns);
	f->lease_ns = 0;
	f->lower_ns = 0;
	return FSM_ACT_ARM_DOWN;
}

/* FSM-B2, FSM-I1; the timer is of our own interval again (FSM-13). */
static unsigned int enter_active(struct fsm *f, enum fsm_why why, uint64_t now_ns)
{
	enter(f, FSM_ACTIVE, why, now_ns);
	f->adver_due_ns = now_ns + f->adver_ns;
	f->down_ns = 0;
	f->active_adver_ns = f->adver_ns;
	f->active_src = (struct vx_addr){ 0 };
	f->active_priority = 0;
	return FSM_ACT_ADVERT | FSM_ACT_CLAIM | FSM_ACT_ADVER_TIMER;
}

static void learn(struct fsm *f, const struct fsm_event *ev)
{
	f->active_src = ev->src;
	f->active_priority = ev->priority;
	f->active_adver_ns = f->version == 3 ? decide_learn_ns(ev->adver_ns, f->max_adver_ns) : f->adver_ns;
}

static unsigned int initialize_step(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns)
{
	switch (ev->type) {
	case FSM_EV_STARTUP:
		f->active_adver_ns = f->adver_ns;
		f->active_src = (struct vx_addr){ 0 };
		f->active_priority = 0;
		if (f->priority == 255 && !f->starts_backup) /* FSM-I1 */
			return enter_active(f, FSM_WHY_OWNER, now_ns);
		return enter_backup(f, FSM_WHY_STARTUP, now_ns, now_ns); /* FSM-I2 */
	case FSM_EV_SHUTDOWN:
	case FSM_EV_DOWN_TIMER:
	case FSM_EV_ADVER_TIMER:
	case FSM_EV_ADVERT: /* FSM-I3 */
	case FSM_EV_SYNC_BACKUP:
	case FSM_EV_SYNC_WAIT:
	case FSM_EV_FENCED:
	case FSM_EV_BETTER:
		break;
	}
	return 0;
}

static unsigned int backup_advert(struct fsm *f, const struct fsm_event *ev)
{
	bool preempt =
		decide_preempts(f->preempt, f->preempt_delay_ns, &f->lower_ns, f->priority, ev->priority, ev->at_ns);

	switch (decide_backup(f->priority, preempt, &f->active_src, ev->priority, &ev->src)) {
	case DECIDE_DISCARD:
		return 0;
	case DECIDE_HANDOVER:
		if (vx_addr_none(&f->active_src))
			f->active_src = ev->src;
		f->active_priority = 0;
		f->down_ns =
			ev->at_ns + decide_handover_ns(f->version, f->priority, f->handover_ns, f->active_adver_ns);
		return FSM_ACT_ARM_DOWN;
	case DECIDE_REFRESH:
		break;
	}
	learn(f, ev);
	f->down_ns = ev->at_ns + decide_down_ns(f->version, f->priority, f->down_adverts, f->active_adver_ns);
	return FSM_ACT_ARM_DOWN;
}

static unsigned int backup_step(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns)
{
	bool left;

	switch (ev->type) {
	case FSM_EV_SHUTDOWN: /* FSM-B1 */
		enter(f, FSM_INITIALIZE, FSM_WHY_SHUTDOWN, now_ns);
		f->down_ns = 0;
		return FSM_ACT_CANCEL_DOWN;
	case FSM_EV_DOWN_TIMER:
		left = !vx_addr_none(&f->active_src) && f->active_priority == 0;
		return enter_active(f, left ? FSM_WHY_HANDOVER : FSM_WHY_NO_ADVERT, now_ns);
	case FSM_EV_ADVERT:
		return backup_advert(f, ev);
	case FSM_EV_SYNC_WAIT:
		f->down_ns = now_ns + decide_down_ns(f->version, f->priority, f->down_adverts, f->active_adver_ns);
		return FSM_ACT_ARM_DOWN;
	case FSM_EV_STARTUP:
	case FSM_EV_ADVER_TIMER:
	case FSM_EV_SYNC_BACKUP:
	case FSM_EV_FENCED:
	case FSM_EV_BETTER:
		break;
	}
	return 0;
}

static unsigned int yield(struct fsm *f, const struct fsm_event *ev, enum fsm_why why, uint64_t now_ns)
{
	/* An advert read late does not say that its sender has been silent since: the newest events may be lost. */
	uint64_t from_ns = now_ns - ev->at_ns > f->adver_ns ? now_ns : ev->at_ns;

	learn(f, ev);
	return FSM_ACT_RELEASE | enter_backup(f, why, from_ns, now_ns) |
	       (f->higher_prio_send_advert ? FSM_ACT_ADVERT : 0);
}

static unsigned int active_advert(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns)
{
	unsigned int act = 0;

	if (f->ignore_adverts)
		return 0;
	switch (decide_active(f->priority, &f->src, ev->priority, &ev->src)) {
	case VX_EV_PRIO0: /* FSM-A3 */
		f->adver_due_ns = now_ns + f->adver_ns;
		return FSM_ACT_ADVERT | FSM_ACT_ADVER_TIMER;
	case VX_EV_HIGHER: /* FSM-A4 */
		return yield(f, ev, ev->priority > f->priority ? FSM_WHY_HIGHER : FSM_WHY_GREATER, now_ns);
	default:
		break;
	}
	/* SEC-29: it spoke because we had been silent too long. It is the Active Router now; preemption goes the usual way. */
	if (f->lease_ns && ev->at_ns > f->lease_ns)
		return yield(f, ev, FSM_WHY_STALLED, now_ns);
	/* FSM-A5 (RFC 9568 6.4.3). v2 says discard silently; answering costs a frame and ends a double Active sooner (KA-11). */
	if (!f->lower_prio_no_advert && now_ns - f->answered_ns >= ANSWER_MIN_NS) {
		f->answered_ns = now_ns;
		act |= FSM_ACT_ADVERT;
	}
	if (now_ns - f->announced_ns >= ANNOUNCE_MIN_NS) {
		f->announced_ns = now_ns;
		act |= FSM_ACT_ANSWER_LOWER;
	}
	return act;
}

static unsigned int active_step(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns)
{
	switch (ev->type) {
	case FSM_EV_SHUTDOWN: /* FSM-A1 */
		enter(f, FSM_INITIALIZE, FSM_WHY_SHUTDOWN, now_ns);
		f->lease_ns = 0;
		return FSM_ACT_RELEASE | FSM_ACT_PRIORITY_0;
	case FSM_EV_ADVER_TIMER:              /* FSM-A2; a late one does not make up for those it missed */
		if (now_ns < f->adver_due_ns) /* FSM-A3 has moved it in the turn in which it was due */
			return 0;
		f->adver_due_ns += f->adver_ns;
		if (f->adver_due_ns <= now_ns)
			f->adver_due_ns = now_ns + f->adver_ns;
		/* stalled, but nobody spoke: hosts that asked meanwhile got no answer, so tell them */
		return FSM_ACT_ADVERT | FSM_ACT_ADVER_TIMER |
		       (f->lease_ns && now_ns > f->lease_ns ? FSM_ACT_ANNOUNCE : 0);
	case FSM_EV_ADVERT:
		return active_advert(f, ev, now_ns);
	case FSM_EV_SYNC_BACKUP:
		return FSM_ACT_RELEASE | enter_backup(f, FSM_WHY_SYNC, now_ns, now_ns);
	case FSM_EV_BETTER: /* FSM-A4 */
		return FSM_ACT_RELEASE | enter_backup(f, FSM_WHY_HIGHER, now_ns, now_ns);
	case FSM_EV_FENCED: /* once more priority 0: an advert may have left behind the guardian's, and taken it back */
		return FSM_ACT_RELEASE | FSM_ACT_PRIORITY_0 | enter_backup(f, FSM_WHY_FENCED, now_ns, now_ns);
	case FSM_EV_SYNC_WAIT:
	case FSM_EV_STARTUP:
	case FSM_EV_DOWN_TIMER:
		break;
	}
	return 0;
}

unsigned int fsm_step(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns)
{
	switch (f->state) {
	case FSM_INITIALIZE:
		return initialize_step(f, ev, now_ns);
	case FSM_BACKUP:
		return backup_step(f, ev, now_ns);
	case FSM_ACTIVE:
		return active_step(f, ev, now_ns);
	}
	return 0;
}

/* What a running Active_Down_Timer has in it of the priority: Skew_Time, or what takes its place once the Active Router has left. */
static uint64_t share_ns(const struct fsm *f, uint8_t priority)
{
	if (f->active_priority == 0 && !vx_addr_none(&f->active_src))
		return decide_handover_ns(f->version, priority, f->handover_ns, f->active_adver_ns);
	return decide_skew_ns(f->version, priority, f->active_adver_ns);
}

int64_t fsm_set_priority(struct fsm *f, uint8_t priority)
{
	int64_t shift_ns = (int64_t)(share_ns(f, priority) - share_ns(f, f->priority));

	f->priority = priority;
	if (f->state != FSM_BACKUP)
		return 0;
	f->down_ns += shift_ns;
	return shift_ns;
}

void fsm_sent(struct fsm *f, uint64_t sent_ns)
{
	if (f->state == FSM_ACTIVE)
		f->lease_ns = decide_lease_ns(sent_ns, f->down_adverts, f->adver_ns);
}
