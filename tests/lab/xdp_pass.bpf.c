// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The switch side of a lab cable. veth delivers a frame that the far end sent with XDP_TX only to an end that
 * runs an XDP program itself; without this one it drops the frame and counts nothing.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int xdp_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
