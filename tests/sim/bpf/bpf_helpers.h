/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for libbpf's header when the simulator compiles bpf/vrrp_xdp.bpf.c: every map has one entry, that of the machine at work,
 * and which entry is meant is known when it is compiled. tests/shim is the careful stand-in, this is the fast one.
 */
#ifndef VX_SIM_BPF_HELPERS_H
#define VX_SIM_BPF_HELPERS_H

#include "dp.h"

#define SEC(name)         __attribute__((used))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) __typeof__(val) *name
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

static struct dp *here; /* the machine at work */

#define bpf_map_lookup_elem(map, k)                                                                                    \
	((void)(k), _Generic((map)->value, __u64 *                                                                     \
			     : &here->role, struct vx_vr_config *                                                      \
			     : &here->cfg, struct vx_vr_watch *                                                        \
			     : *(const __u32 *)(k) ? NULL : &here->watch, struct vx_counters *                         \
			     : &here->counters, struct vx_filter *                                                     \
			     : (struct vx_filter *)NULL, struct vx_vr_cell *                                           \
			     : (struct vx_vr_cell *)NULL, struct vx_peer_val *                                         \
			     : (struct vx_peer_val *)NULL, struct vx_addr4_cell *                                      \
			     : (struct vx_addr4_cell *)NULL, struct vx_addr6_cell *                                    \
			     : (struct vx_addr6_cell *)NULL))

static inline __u64 bpf_ktime_get_boot_ns(void)
{
	return here->now_ns;
}

static inline long bpf_ringbuf_output(const void *map __attribute__((unused)), const void *data,
				      __u64 size __attribute__((unused)), __u64 flags __attribute__((unused)))
{
	if (here->nring == here->ring_room)
		return mutant == MUTANT_EVENT_LOST ? 0 : -1;
	here->ring[here->nring++] = *(const struct vx_event *)data;
	return 0;
}

static inline long bpf_timer_init(struct bpf_timer *timer __attribute__((unused)),
				  const void *map __attribute__((unused)), __u64 clock __attribute__((unused)))
{
	return 0;
}

static inline long bpf_timer_set_callback(struct bpf_timer *timer __attribute__((unused)),
					  int (*cb)(void *, const __u32 *, struct vx_vr_watch *)
						  __attribute__((unused)))
{
	return 0;
}

static inline long bpf_timer_start(struct bpf_timer *timer __attribute__((unused)), __u64 nsecs,
				   __u64 flags __attribute__((unused)))
{
	if (mutant == MUTANT_TIMER_NOT_MOVED && here->timer_ns)
		return 0;
	here->timer_ns = here->now_ns + nsecs;
	return 0;
}

static inline long bpf_timer_cancel(struct bpf_timer *timer __attribute__((unused)))
{
	here->timer_ns = 0;
	return 0;
}

#endif
