/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a Backup or an Active does with a valid advert (RFC 9568 6.4.2, 6.4.3), the timer arithmetic (6.1), the lease, and the
 * limits on events. The kernel runs these lines on every advert, fsm.c and the simulator run the same lines.
 */
#ifndef VX_DECIDE_H
#define VX_DECIDE_H

#include "abi.h"

/* Skew_Time (FSM-1, FSM-2), rounded up to a nanosecond. v2's does not depend on the interval. */
vx_inline __u64 decide_skew_ns(__u8 version, __u8 priority, __u64 active_adver_ns)
{
	__u64 unit = version == 2 ? VX_NS_PER_S : active_adver_ns;

	return ((256 - priority) * unit + 255) / 256;
}

enum { DECIDE_DOWN_ADVERTS = 3 }; /* of the RFCs; keepalived can be told another number (KA-23) */

/* Active_Down_Interval (FSM-1, FSM-2). */
vx_inline __u64 decide_down_ns(__u8 version, __u8 priority, __u8 down_adverts, __u64 active_adver_ns)
{
	return down_adverts * active_adver_ns + decide_skew_ns(version, priority, active_adver_ns);
}

/*
 * ActiveDown after the Active Router's priority 0 (FSM-B3): Skew_Time, or its share of @handover_ns where a faster hand-over is
 * configured. In both the Backups wait in the order of their priorities. It changes nothing on the wire.
 */
vx_inline __u64 decide_handover_ns(__u8 version, __u8 priority, __u64 handover_ns, __u64 active_adver_ns)
{
	return handover_ns ? ((256 - priority) * handover_ns + 255) / 256
			   : decide_skew_ns(version, priority, active_adver_ns);
}

/* What is learned of the interval in an advert (FSM-B4): no more than @max_ns, or who can send once could silence us for two minutes (SEC-9). */
vx_inline __u64 decide_learn_ns(__u64 adver_ns, __u64 max_ns)
{
	return max_ns && adver_ns > max_ns ? max_ns : adver_ns;
}

/*
 * The lease of an Active whose advert left at @sent_ns: silent 1/8 interval before the first peer may speak, which is 3
 * intervals and a skew that short-interval peers truncate to 0 after it heard that advert. Peers that are told to wait for fewer adverts
 * shorten it; at one advert all that is left is half the shortest skew, v2's not above half of 1/256 s. Peers that wait longer do not lengthen
 * it: they may not all do so.
 */
vx_inline __u64 decide_lease_ns(__u64 sent_ns, __u8 down_adverts, __u64 adver_ns)
{
	if (down_adverts == 1)
		return sent_ns + adver_ns + (adver_ns < VX_NS_PER_S ? adver_ns : VX_NS_PER_S) / 512;
	return sent_ns + (down_adverts < DECIDE_DOWN_ADVERTS ? down_adverts : DECIDE_DOWN_ADVERTS) * adver_ns -
	       adver_ns / 8;
}

/* FSM-A4, FSM-A7: addresses compare as unsigned numbers, most significant byte first. */
vx_inline bool decide_yields(__u8 priority, const struct vx_addr *src, __u8 rx_priority, const struct vx_addr *rx_src)
{
	return rx_priority > priority || (rx_priority == priority && vx_addr_greater(rx_src, src));
}

/* An Active's view of a valid advert: which class of event it is. Its timers are the controller's. */
vx_inline enum vx_ev decide_active(__u8 priority, const struct vx_addr *src, __u8 rx_priority,
				   const struct vx_addr *rx_src)
{
	if (rx_priority == 0)
		return VX_EV_PRIO0; /* FSM-A3 */
	return decide_yields(priority, src, rx_priority, rx_src) ? VX_EV_HIGHER : VX_EV_LOWER;
}

enum decide_backup {
	DECIDE_DISCARD,  /* FSM-B5, SEC-5: the timer keeps running, nothing is learned */
	DECIDE_REFRESH,  /* FSM-B4: learn, ActiveDown = Active_Down_Interval */
	DECIDE_HANDOVER, /* FSM-B3: ActiveDown = Skew_Time of the running interval */
};

/*
 * Whether an advert of lower priority is to be overcome (Preempt_Mode), or accepted like a higher one for now: preemption waits @delay_ns from
 * the first such advert on, noted in @lower_ns; one of equal or higher priority ends the wait (KA-22).
 */
vx_inline bool decide_preempts(bool preempt, __u64 delay_ns, __u64 *lower_ns, __u8 priority, __u8 rx_priority,
			       __u64 now_ns)
{
	if (!preempt || !delay_ns || rx_priority == 0)
		return preempt;
	if (rx_priority >= priority) {
		*lower_ns = 0;
		return true;
	}
	if (!*lower_ns)
		*lower_ns = now_ns;
	return now_ns - *lower_ns >= delay_ns;
}

/*
 * A Backup's decision. The sender's address @rx_src matters in one case only (FSM-B6): that somebody leaves who is not the Active Router
 * @active_src, as far as one is known, is no reason to take over from it (SEC-5).
 */
vx_inline enum decide_backup decide_backup(__u8 priority, bool preempt, const struct vx_addr *active_src,
					   __u8 rx_priority, const struct vx_addr *rx_src)
{
	if (rx_priority == 0)
		return vx_addr_none(active_src) || vx_addr_eq(active_src, rx_src) ? DECIDE_HANDOVER : DECIDE_DISCARD;
	if (preempt && rx_priority < priority)
		return DECIDE_DISCARD;
	return DECIDE_REFRESH;
}

/*
 * A token bucket in one word, the time up to which tokens are spoken for: one token per @period_ns, @burst of them at once.
 * Returns whether there was one.
 */
vx_inline bool decide_bucket(__u64 *bucket_ns, __u64 now_ns, __u64 period_ns, __u32 burst)
{
	__u64 t = *bucket_ns;

	if (t < now_ns)
		t = now_ns;
	if (t - now_ns > (burst - 1) * period_ns)
		return false;
	*bucket_ns = t + period_ns;
	return true;
}

enum { DECIDE_EV_BURST = 10 };
#define DECIDE_EV_PERIOD_NS (10 * VX_NS_PER_MS) /* invariant 4: at most 100 wake-ups a second of one class and router */
#define DECIDE_SAID_FOR_NS  (60 * VX_NS_PER_S)  /* a refused kind of frame is reported once a minute */

#endif
