/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data plane of one machine: the BPF program itself behind a valid advert, its maps, its timer. Times are of the machine's clock. */
#ifndef VX_SIM_DP_H
#define VX_SIM_DP_H

#include "mutate.h"

enum { DP_RING_MAX = 64 };

struct dp {
	__u64 role;
	__u64 timer_ns; /* when the bpf_timer fires; 0: not armed */
	__u64 now_ns;
	struct vx_vr_config cfg;
	struct vx_vr_watch watch;
	struct vx_counters counters;
	__u32 nring, ring_room;
	struct vx_event ring[DP_RING_MAX];
};

/* An advert that has passed all RX rules comes in. */
void dp_rx(struct dp *dp, __u64 now_ns, __u8 priority, __u64 adver_ns, const struct vx_addr *src);
/* The timer fires. */
void dp_fire(struct dp *dp, __u64 now_ns);
/* The program by which the controller works the timer. */
void dp_timer(struct dp *dp, __u64 now_ns, const struct vx_timer_cmd *cmd);
/* Whether a request for the VIP would be answered. */
bool dp_answers(struct dp *dp, __u64 now_ns);

#endif
