/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf/vrrp_xdp.bpf.c as a native program, and what a test does to it. The one thing replaced besides the helpers is struct
 * xdp_md, whose 32-bit addresses the kernel widens and a native compiler does not.
 */
#ifndef VX_SHIM_PROGRAM_H
#define VX_SHIM_PROGRAM_H

#include "base.h"

struct shim_xdp_md {
	unsigned long data;
	unsigned long data_end;
	__u32 ingress_ifindex;
};

#define xdp_md shim_xdp_md
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include "../../bpf/vrrp_xdp.bpf.c"
#pragma GCC diagnostic pop
#undef xdp_md

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
