/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the product decides, and how it is broken on purpose: the simulator has to find each. Included before bpf/vrrp_xdp.bpf.c and user/fsm.c,
 * whose calls of decide_*() go through the wrappers below; without a mutant these change nothing.
 */
#ifndef VX_SIM_MUTATE_H
#define VX_SIM_MUTATE_H

#include "decide.h"

#include <stdint.h>

/* enum suffix, name, what is broken */
#define MUTANTS(X)                                                                                                     \
	X(LEASE_EIGHTH, "lease-eighth", "the lease is an eighth of an interval longer")                                \
	X(LEASE_INTERVAL, "lease-interval", "the lease is an interval longer")                                         \
	X(LEASE_FAILED, "lease-failed-send", "an advert that could not be sent extends the lease")                     \
	X(LEASE_AFTER, "lease-after-send", "the lease counts from behind the sending")                                 \
	X(LEASE_OLD, "lease-old", "the lease of a longer interval stands while a shorter one is told")                 \
	X(SPEAK_FIRST, "speak-before-hear", "timers go before what was heard")                                         \
	X(TIE, "tie-both-stay", "of equal priorities none yields")                                                     \
	X(YIELD_LATE, "yield-late", "a higher priority ends no lease in the kernel, and is yielded to late")           \
	X(SILENT_LATE, "silent-late", "who leaves is silent after its priority 0, not before")                         \
	X(NO_SKEW, "no-skew", "Skew_Time is 0")                                                                        \
	X(DISCARD_RESTARTS, "discard-restarts", "a discarded advert restarts Active_Down_Timer")                       \
	X(PREEMPT_EARLY, "no-preempt-delay", "preemption does not wait")                                               \
	X(PRIO0_ANYONE, "prio0-from-anyone", "whose priority 0 it is does not matter")                                 \
	X(HANDOVER_SLOW, "handover-slow", "the fast hand-over is not looked at")                                       \
	X(TIMER_NOT_MOVED, "timer-not-moved", "the kernel's timer is not brought forward")                             \
	X(SHIFT_LOST, "shift-lost", "a new priority does not move the running timer")                                  \
	X(STALE_INTERVAL, "stale-interval", "the timer is moved by the interval that events have told last")           \
	X(TIMER_BACK, "timer-back", "an old advert, read late, takes back a timer that a later one has set")           \
	X(EVENT_LOST, "down-lost", "an expiry that found the ring full is not tried again")                            \
	X(WILL_FIRST, "will-before-fence", "the guardian sends the last will before it fences")                        \
	X(NO_GUARDIAN, "no-guardian", "the guardian sleeps")

enum mutant {
	MUTANT_NONE,
#define MUTANT_ENUM(id, name, what) MUTANT_##id,
	MUTANTS(MUTANT_ENUM)
#undef MUTANT_ENUM
};

extern enum mutant mutant;
/* The machine at work computes its skew in whole centiseconds, as FRR does: others have to live with it. */
extern bool skew_in_cs;

static inline __u64 sim_skew_ns(__u8 version, __u8 priority, __u64 active_adver_ns)
{
	__u64 skew_ns = decide_skew_ns(version, priority, active_adver_ns);

	if (mutant == MUTANT_NO_SKEW)
		return 0;
	return skew_in_cs ? skew_ns - skew_ns % (10 * VX_NS_PER_MS) : skew_ns;
}

static inline __u64 sim_down_ns(__u8 version, __u8 priority, __u8 down_adverts, __u64 active_adver_ns)
{
	return decide_down_ns(version, priority, down_adverts, active_adver_ns) -
	       decide_skew_ns(version, priority, active_adver_ns) + sim_skew_ns(version, priority, active_adver_ns);
}

static inline __u64 sim_handover_ns(__u8 version, __u8 priority, __u64 handover_ns, __u64 active_adver_ns)
{
	if (!handover_ns || mutant == MUTANT_HANDOVER_SLOW)
		return sim_skew_ns(version, priority, active_adver_ns);
	return decide_handover_ns(version, priority, handover_ns, active_adver_ns);
}

static inline __u64 sim_lease_ns(__u64 sent_ns, __u8 down_adverts, __u64 adver_ns)
{
	__u64 more_ns = mutant == MUTANT_LEASE_EIGHTH ? adver_ns / 8 : mutant == MUTANT_LEASE_INTERVAL ? adver_ns : 0;

	return decide_lease_ns(sent_ns, down_adverts, adver_ns) + more_ns;
}

static inline enum vx_ev sim_active(__u8 priority, const struct vx_addr *src, __u8 rx_priority,
				    const struct vx_addr *rx_src)
{
	if (mutant == MUTANT_TIE && priority == rx_priority)
		return VX_EV_LOWER;
	return decide_active(priority, src, rx_priority, rx_src);
}

static inline bool sim_preempts(bool preempt, __u64 delay_ns, __u64 *lower_ns, __u8 priority, __u8 rx_priority,
				__u64 now_ns)
{
	return decide_preempts(preempt, mutant == MUTANT_PREEMPT_EARLY ? 0 : delay_ns, lower_ns, priority, rx_priority,
			       now_ns);
}

static inline enum decide_backup sim_backup(__u8 priority, bool preempt, const struct vx_addr *active_src,
					    __u8 rx_priority, const struct vx_addr *rx_src)
{
	enum decide_backup d = decide_backup(priority, preempt, active_src, rx_priority, rx_src);

	if (mutant == MUTANT_PRIO0_ANYONE && rx_priority == 0)
		return DECIDE_HANDOVER;
	if (mutant == MUTANT_DISCARD_RESTARTS && rx_priority && d == DECIDE_DISCARD)
		return DECIDE_REFRESH;
	return d;
}

#define decide_skew_ns     sim_skew_ns
#define decide_down_ns     sim_down_ns
#define decide_handover_ns sim_handover_ns
#define decide_lease_ns    sim_lease_ns
#define decide_active      sim_active
#define decide_preempts    sim_preempts
#define decide_backup      sim_backup

#endif
