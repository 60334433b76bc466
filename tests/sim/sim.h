/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator: routers made of bpf/vrrp_xdp.bpf.c and user/fsm.c on a virtual clock, faults by a seed, and what must hold after every
 * event. docs/simulator.md says what is the product's code, what is modelled, and what is checked.
 *
 *   dp.c       the data plane of one machine: the BPF program
 *   ctl.c      the controller: one turn as user/loop.c, vr.c and vr_turn.c do it
 *   world.c    true time, machines' clocks, the queue of events, the link
 *   check.c    what must hold
 *   fault.c    an episode: the routers of a seed, and what happens to them
 *   main.c     the command
 */
#ifndef VX_SIM_H
#define VX_SIM_H

#include "dp.h"
#include "fsm.h"

#include <stdbool.h>
#include <stdint.h>

#define US    VX_NS_PER_US
#define MS    VX_NS_PER_MS
#define S     VX_NS_PER_S
#define NEVER UINT64_MAX

enum { SIM_ROUTERS = 6 };

/* How long the parts of a controller's turn take at most; a longer one is a frozen controller. */
#define WAKE_MAX_NS    (60 * US)  /* from the event or timer to the first line */
#define STEP_MAX_NS    (20 * US)  /* between two system calls */
#define ADDRESS_MAX_NS (400 * US) /* the VIPs are installed or removed */
#define TURN_MAX_NS    (WAKE_MAX_NS + 4 * STEP_MAX_NS + ADDRESS_MAX_NS)
/* An event comes in the middle of a turn and has to wait for the next one. */
#define REACT_MAX_NS (2 * TURN_MAX_NS)
/* Clocks are at most 1/10,000 off true time: 200 ppm between two. */
#define DRIFT(ns) ((ns) / 9998)

enum sim_ev {
	EV_FRAME, /* an advert comes in */
	EV_TIMER, /* bpf_timer */
	EV_CTL,   /* the controller goes on */
	EV_GUARD, /* the guardian looks */
	EV_THAW,  /* the controller was frozen */
	EV_PLAN,  /* the next fault */
};

struct frame {
	uint8_t src, priority;
	uint64_t adver_ns;
	uint64_t sent_ns; /* true time */
	uint32_t serial;
};

struct event {
	uint64_t at_ns; /* true time */
	uint64_t order;
	uint32_t gen;
	uint8_t type, who;
	struct frame frame;
};

/* local = local0 + (true - true0) * (1 + ppb/10^9) */
struct clock {
	uint64_t true0_ns, local0_ns;
	int64_t ppb;
};

enum phase { PHASE_IDLE, PHASE_STAMP, PHASE_SEND, PHASE_SENT, PHASE_LEASE, PHASE_ADDRESSES, PHASE_ROLE, PHASE_END };

/* What a router heard last and had to honour, by the RFC's words and not by the code under test; times are true. */
struct heard {
	uint64_t at_ns;   /* Active_Down_Timer runs since then; 0: since it started */
	uint64_t late_ns; /* ... or at the latest since then */
	uint64_t adver_ns;
	uint64_t left_ns;  /* the priority 0 after it; 0: none */
	uint64_t lower_ns; /* the first lower advert while preemption is delayed, by its clock */
	uint32_t serial;
	uint8_t src;
	bool known;     /* @src is the Active Router as far as it knows */
	bool discarded; /* lower ones were, since */
	bool vague;     /* its clock decides */
};

struct router {
	uint8_t id;
	struct vx_addr addr;
	bool skew_in_cs;
	/* the machine */
	bool up;
	uint64_t stalled_ns; /* nothing runs until then; 0: it runs */
	bool stall_keeps;    /* frames wait meanwhile; else they are lost */
	struct clock clock;
	struct dp dp;
	uint64_t timer_ns; /* that an EV_TIMER is queued for, of dp.timer_ns */
	uint32_t timer_gen;
	/* the controller */
	struct fsm fsm;
	struct fsm conf; /* as it is configured: what it starts with */
	bool runs, frozen;
	bool missed;       /* it should have gone on while it was frozen */
	bool stop, reload; /* SIGTERM, SIGHUP have come */
	enum phase phase;
	enum phase freeze_in; /* it will be frozen in front of this; PHASE_IDLE: no */
	uint64_t freeze_for_ns;
	unsigned int pending;
	bool dirty, sent, gaps;
	uint64_t sent_ns;
	uint64_t role_set;                                     /* its copy of the role */
	bool ended;                                            /* its lease was, from outside */
	uint64_t adver_timer_ns, down_timer_ns, busy_until_ns; /* local; 0: not armed */
	uint64_t wake_ns;                                      /* true time of the EV_CTL that is queued; NEVER: none */
	uint32_t ctl_gen;
	uint64_t send_fails_ns; /* true time until which nothing leaves */
	bool guarded;           /* the guardian is awake */
	bool fenced;            /* the guardian has fenced it, and it has not seen that yet */
	bool fences;            /* the guardian is between the fence and the last will */
	uint32_t guard_gen;
	/* what the checks know, all in true time */
	struct heard heard, claimed; /* now, and when it took over */
	uint64_t last_sent_ns;
	uint64_t answers_ns;      /* it answers since then; 0: it does not */
	uint64_t answers_sent_ns; /* the last advert before that */
	uint64_t told_ns;         /* the interval in it */
	uint32_t lease_serial;    /* of the last advert that left, not of priority 0 */
	uint64_t calm_ns;     /* controller and machine have run undisturbed since, and are configured as they are */
	uint64_t fence_by_ns; /* the guardian fences it then, if it is not back */
	uint64_t turn_ns;     /* its turn began */
	uint64_t spoken_ns;   /* since its lease is over, the first advert came in; 0: none */
	uint64_t spoken_local_ns;
	uint64_t paused_ns;    /* its clock stood still until then */
	uint64_t adver_max_ns; /* its intervals of this episode */
	uint64_t since_ns;     /* of its state */
	uint64_t ranked_ns;    /* of its priority */
};

/* The link from one router to another. */
struct link {
	bool cut;
	uint8_t loss, dup, late; /* of 256 */
	uint64_t late_max_ns;
	uint64_t harm_ns; /* last time an advert did not come in, or came late or twice */
};

struct stats {
	uint64_t episodes, rounds, events, checks;
	uint64_t failovers, silent, handovers, preemptions, first;
	uint64_t doubles, double_max_ns;
	uint64_t virtual_ns;
};

struct sim {
	uint64_t now_ns, seed, rng, order;
	unsigned int n;
	struct router r[SIM_ROUTERS];
	struct link link[SIM_ROUTERS][SIM_ROUTERS];
	uint64_t delay_min_ns, delay_max_ns; /* of a sound link */
	uint64_t arrives_ns;                 /* the last advert that is on its way */
	struct event *heap;
	unsigned int nheap, cap;
	uint32_t serial;
	uint8_t version, down_adverts;
	uint64_t adver_max_ns; /* the longest interval of this episode */
	bool guardian;
	/* the checks */
	uint64_t double_ns[SIM_ROUTERS][SIM_ROUTERS]; /* since when both answer; 0: not */
	uint32_t doubles;                             /* how many pairs */
	uint64_t settled_ns;   /* from then on exactly one is Active; NEVER: faults are going on */
	uint64_t preempted_ns; /* ... and the best of those that preempt */
	uint64_t none_ns;      /* since when nobody answers; 0: somebody does */
	/* the plan */
	bool over, quiet;
	unsigned int rounds, faults;
	bool trace;
	char failure[256];
	struct stats stats;
};

extern struct sim sim;

/* world.c */
uint64_t rnd(uint64_t n); /* 0 .. n-1 */
uint64_t between(uint64_t lo, uint64_t hi);
bool chance(unsigned int of_256);
uint64_t local_ns(const struct router *r);
/* When @r's clock shows @local_ns, or now if it has. */
uint64_t true_ns(const struct router *r, uint64_t local_ns);
void clock_set(struct router *r, uint64_t local_ns, int64_t ppb);
void event_at(uint64_t at_ns, enum sim_ev type, const struct router *r, uint32_t gen);
void send_advert(struct router *r, uint8_t priority);
/* The bpf_timer may have been set anew. */
void timer_follow(struct router *r);
void stall(struct router *r, uint64_t for_ns, bool keeps, bool clock_stops);
void world_reset(void);
/* Until the plan is over or a check has failed. */
void world_run(void);
void trace_line(const struct router *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define trace(...)                                                                                                     \
	do {                                                                                                           \
		if (sim.trace)                                                                                         \
			trace_line(__VA_ARGS__);                                                                       \
	} while (0)

/* ctl.c */
void ctl_start(struct router *r);
void ctl_kill(struct router *r);
void ctl_stop(struct router *r);
void ctl_freeze(struct router *r, uint64_t for_ns);
void ctl_thaw(struct router *r);
void ctl_reload(struct router *r, uint8_t priority, uint64_t adver_ns);
void ctl_go(struct router *r);
/* Something may have come that it has to wake for. */
void ctl_follow(struct router *r);
void guard_go(struct router *r);

/* check.c */
bool answers(struct router *r);
/* Time goes on until @at_ns, and nothing happens until then. */
void check_before(uint64_t at_ns);
void check_after(void);
void check_heard(struct router *r, const struct frame *f);
void check_yields(struct router *r, const struct frame *f);
void check_sent(struct router *r, uint8_t priority);
void check_state(struct router *r, enum fsm_state from);
void check_role(struct router *r, uint64_t role);
void check_reload(struct router *r, bool other_times);
void check_disturbed(struct router *r);
/* At the end of a quiet time. */
void check_settled(void);
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* fault.c */
void episode(uint64_t seed);
void plan_go(void);

#endif
