// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Empties a watch but for its timer, between two cases of tests/bpf/test_packets.c. Userspace can only write the whole value,
 * which destroys the timer, and Linux 6.18 cannot make new ones at the rate of a table of tests.
 */
#include "abi.h"

#include <bpf/bpf_helpers.h>

/* The map of bpf/vrrp_xdp.bpf.c; the test hands it in. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * VX_TIMER_SHARE + 16);
	__type(key, __u32);
	__type(value, struct vx_vr_watch);
} vr_watch SEC(".maps");

SEC("syscall")
int reset(struct vx_timer_cmd *cmd)
{
	__u32 slot = cmd->slot, i;
	struct vx_vr_watch *w = bpf_map_lookup_elem(&vr_watch, &slot);

	if (!w)
		return -1;
	bpf_timer_cancel(&w->timer);
	w->deadline_ns = 0;
	w->fire_ns = 0;
	w->soon_ns = w->down_ns = w->full_ns = 0;
	w->last_ns = 0;
	w->adver_ns = 0;
	for (i = 0; i < VX_EV_LIMITED; i++)
		w->bucket_ns[i] = 0;
	w->said_ns = 0;
	w->said = 0;
	w->src = (struct vx_addr){};
	w->priority = 0;
	return 0;
}

char _license[] SEC("license") = "GPL";
