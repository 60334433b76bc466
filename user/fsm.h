/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PURE. The VRRP state machine (RFC 9568 6.4, RFC 3768 6.4): state, event and time in; state, deadlines and action bits out.
 * The one place where an election is decided; the daemon, the tests and the simulator drive the same code, and what it does
 * with an advert is include/decide.h, which the kernel runs too.
 */
#ifndef VX_FSM_H
#define VX_FSM_H

#include "decide.h"

#include <stdint.h>

enum fsm_state { FSM_INITIALIZE, FSM_BACKUP, FSM_ACTIVE };

enum fsm_ev {
	FSM_EV_STARTUP,
	FSM_EV_SHUTDOWN,
	FSM_EV_DOWN_TIMER,  /* Active_Down_Timer */
	FSM_EV_ADVER_TIMER, /* Adver_Timer */
	FSM_EV_ADVERT,
	FSM_EV_SYNC_BACKUP, /* a member of the sync group became Backup (KA-26) */
	FSM_EV_SYNC_WAIT, /* Active_Down_Timer, but other members of the sync group do not want to be Active (KA-25) */
	FSM_EV_FENCED,    /* the guardian has said for us that we leave */
	FSM_EV_BETTER,    /* the kernel has heard a better router, and the advert was lost on the way here */
};

struct fsm_event {
	enum fsm_ev type;
	uint8_t priority;   /* ADVERT */
	struct vx_addr src; /* ADVERT */
	uint64_t adver_ns;  /* ADVERT: the sender's interval */
	uint64_t at_ns;     /* ADVERT: when it came in; else the same as now */
};

/* What to do, and in this order; vr.c carries it out. */
enum fsm_act {
	FSM_ACT_RELEASE = 1 << 0,     /* stop answering for the VIPs; remove them after what is sent below */
	FSM_ACT_PRIORITY_0 = 1 << 1,  /* send an advert of priority 0 */
	FSM_ACT_ADVERT = 1 << 2,      /* send an advert */
	FSM_ACT_CLAIM = 1 << 3,       /* install the VIPs, answer for them, announce them, and again later */
	FSM_ACT_ANNOUNCE = 1 << 4,    /* announce the VIPs once more: others may have answered meanwhile */
	FSM_ACT_ADVER_TIMER = 1 << 5, /* Adver_Timer to adver_due_ns */
	FSM_ACT_ARM_DOWN = 1 << 6,    /* Active_Down_Timer to down_ns */
	FSM_ACT_CANCEL_DOWN = 1 << 7,
	FSM_ACT_ANSWER_LOWER =
		1 << 8, /* announce the VIPs because of an advert of lower priority, and again later (KA-11) */
};

/* Why the state is what it is. */
enum fsm_why {
	FSM_WHY_NOT_STARTED,
	FSM_WHY_STARTUP,
	FSM_WHY_OWNER,     /* priority 255 goes straight to Active (FSM-I1) */
	FSM_WHY_NO_ADVERT, /* Active_Down_Timer (FSM-B2) */
	FSM_WHY_HANDOVER,  /* ... after the Active Router's priority 0 (FSM-B3) */
	FSM_WHY_HIGHER,    /* FSM-A4 */
	FSM_WHY_GREATER,   /* FSM-A4 by address */
	FSM_WHY_STALLED,   /* another router took over while this one was silent past its lease (SEC-29) */
	FSM_WHY_SYNC,      /* another member of the sync group is Backup */
	FSM_WHY_FENCED,    /* this one hung, and its guardian has handed over */
	FSM_WHY_SHUTDOWN,
};

struct fsm {
	/* configuration; set before the first step, and by a reload; priority by fsm_set_priority() afterwards (FSM-11) */
	uint8_t version;
	uint8_t priority;
	uint8_t down_adverts; /* KA-23 */
	bool preempt;
	bool starts_backup;           /* a member of a sync group that is not all owners (KA-27) */
	bool lower_prio_no_advert;    /* KA-11: does not answer a lower priority */
	bool higher_prio_send_advert; /* KA-12: one more advert before it yields */
	bool ignore_adverts;          /* an owner that hears nobody (owner_ignore_adverts) */
	struct vx_addr src;
	uint64_t adver_ns;
	uint64_t preempt_delay_ns; /* KA-22 */
	uint64_t handover_ns;      /* decide_handover_ns() */
	uint64_t max_adver_ns;     /* decide_learn_ns() */
	/* state; written by fsm_step() and fsm_sent() only */
	enum fsm_state state;
	enum fsm_why why;
	uint64_t since_ns;        /* of the state; before the first step: of the start */
	uint64_t active_adver_ns; /* Active_Adver_Interval */
	uint64_t down_ns;         /* Backup: Active_Down_Timer */
	__u64 lower_ns;           /* Backup: see decide_preempts() */
	uint64_t adver_due_ns;    /* Active: Adver_Timer */
	uint64_t lease_ns;        /* Active: others may take over from here on */
	uint64_t answered_ns;     /* last immediate advert (FSM-A8) */
	uint64_t announced_ns;    /* last announcement against a lower priority */
	uint8_t active_priority;  /* Backup: of the Active Router as far as events told */
	struct vx_addr active_src;
};

/* Takes one event; returns FSM_ACT_* bits. @now_ns must not run backwards. */
unsigned int fsm_step(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns);

/* Tracking or a reload has changed the priority. Returns by how many nanoseconds a running Active_Down_Timer moves, and moves its copy
 * here; Active uses the new priority from the next advert on. */
int64_t fsm_set_priority(struct fsm *f, uint8_t priority);

/* An advert of ours left at @sent_ns: extends the lease (design: a failed send does not). */
void fsm_sent(struct fsm *f, uint64_t sent_ns);

/* "Backup", and "no advert" for a reason. */
const char *fsm_state_name(enum fsm_state s);
const char *fsm_why_name(enum fsm_why w);

#endif
