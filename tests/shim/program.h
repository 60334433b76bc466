/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf/vrrp_xdp.bpf.c as a native program, and what a test does to it. What is replaced besides the helpers are struct
 * xdp_md and struct __sk_buff, whose 32-bit addresses the kernel widens and a native compiler does not.
 */
#ifndef VX_SHIM_PROGRAM_H
#define VX_SHIM_PROGRAM_H

#include "base.h"

struct shim_xdp_md {
	unsigned long data;
	unsigned long data_end;
	__u32 ingress_ifindex;
};

struct shim_sk_buff {
	unsigned long data;
	unsigned long data_end;
	__u32 ifindex;
	__u32 protocol;
	__u32 vlan_present;
};

#define xdp_md    shim_xdp_md
#define __sk_buff shim_sk_buff
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include "../../bpf/vrrp_xdp.bpf.c"
#pragma GCC diagnostic pop
#undef xdp_md
#undef __sk_buff

/*
 * Runs the program on a copy of @frame in a heap block of exactly its length, so that ASan sees a read one byte too far; @frame
 * gets what the program made of it. Returns the XDP action.
 */
static inline int shim_run(__u8 *frame, __u32 len, __u32 ifindex)
{
	struct shim_xdp_md ctx = { .ingress_ifindex = ifindex };
	__u8 *copy = malloc(len);
	int action;

	if (!copy)
		abort();
	if (len)
		memcpy(copy, frame, len);
	ctx.data = (unsigned long)copy;
	ctx.data_end = (unsigned long)copy + len;
	action = vrrp_xdp(&ctx);
	if (len)
		memcpy(frame, copy, len);
	free(copy);
	return action;
}

/* The same for what leaves through @ifindex. */
static inline int shim_run_egress(__u8 *frame, __u32 len, __u32 ifindex)
{
	struct shim_sk_buff skb = { .ifindex = ifindex };
	__u8 *copy = malloc(len);
	int action;

	if (!copy || len < sizeof(struct vx_eth))
		abort();
	memcpy(copy, frame, len);
	skb.data = (unsigned long)copy;
	skb.data_end = (unsigned long)copy + len;
	skb.protocol = vx_get16(copy + offsetof(struct vx_eth, type));
	action = vrrp_egress(&skb);
	memcpy(frame, copy, len);
	free(copy);
	return action;
}

/* Lets the timer of @slot expire, as the kernel would at the time it was started for. False: it was not armed. */
static inline bool shim_fire(__u32 slot)
{
	struct vx_vr_watch *w = bpf_map_lookup_elem(&vr_watch, &slot);
	struct shim_timer *t = w ? shim_timer_of(&w->timer) : NULL;

	if (!t || !t->at_ns)
		return false;
	if (shim.now_ns < t->at_ns)
		shim.now_ns = t->at_ns;
	t->at_ns = 0;
	t->cb(&vr_watch, &slot, w);
	return true;
}

#endif
