// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What tests/bench/pktcost.c compares bpf/vrrp_xdp.bpf.c with. A test run does not restore the frame between its repetitions,
 * and an answered ARP request is a request no more: arp_answer makes it one again before every run, arp_restore does only that,
 * and the difference is the answer. The same for a Neighbor Solicitation.
 */
#include "base.h"

/* Inlined into arp_answer: libbpf lets no program call another. */
__attribute__((always_inline)) int vrrp_xdp(struct xdp_md *ctx);

#include "../../bpf/vrrp_xdp.bpf.c"

vx_inline bool restore(struct xdp_md *ctx)
{
	struct vx_eth *eth = (struct vx_eth *)(long)ctx->data;
	struct arp_ip4 *arp = (struct arp_ip4 *)(eth + 1);
	const __u8 host[6] = { 0x02, 0x00, 0x00, 0x00, 0x00, 0x50 };

	if ((const __u8 *)(arp + 1) > (const __u8 *)(long)ctx->data_end)
		return false;
	__builtin_memset(eth->dst, 0xff, 6);
	vx_mac_copy(eth->src, host);
	arp->op = VX_BE16(ARP_OP_REQUEST);
	vx_mac_copy(arp->sha, host);
	vx_put32(arp->spa, VX_BE32(0xc0000232));
	__builtin_memset(arp->tha, 0, 6);
	vx_put32(arp->tpa, VX_BE32(0xc0000264));
	return true;
}

SEC("xdp")
int arp_answer(struct xdp_md *ctx)
{
	return restore(ctx) ? vrrp_xdp(ctx) : XDP_ABORTED;
}

SEC("xdp")
int arp_restore(struct xdp_md *ctx)
{
	return restore(ctx) ? XDP_TX : XDP_ABORTED;
}

/* ND() of tests/frames.h from the answer to it: what the two have in common stays. */
vx_inline bool restore6(struct xdp_md *ctx)
{
	const __u8 host[6] = { 0x02, 0x00, 0x00, 0x00, 0x00, 0x50 }, group[6] = { 0x33, 0x33, 0xff, 0x00, 0x01, 0x00 };
	const struct vx_addr src = { .w = { VX_BE32(0xfe800000), 0, 0, VX_BE32(0x50) } };
	const struct vx_addr dst = { .w = { VX_BE32(0xff020000), 0, VX_BE32(1), VX_BE32(0xff000100) } };
	struct vx_eth *eth = (struct vx_eth *)(long)ctx->data;
	struct nd_packet *p = (struct nd_packet *)(eth + 1);

	if ((const __u8 *)(p + 1) > (const __u8 *)(long)ctx->data_end)
		return false;
	vx_mac_copy(eth->dst, group);
	vx_mac_copy(eth->src, host);
	ip6_put(p->ip.src, &src);
	ip6_put(p->ip.dst, &dst);
	p->na.msg.type = ND_SOLICIT;
	p->na.msg.csum = VX_BE16(0x77fd);
	vx_put32(p->na.msg.flags, 0);
	p->na.opt.type = ND_OPT_SOURCE_MAC;
	vx_mac_copy(p->na.opt.mac, host);
	return true;
}

SEC("xdp")
int nd_answer6(struct xdp_md *ctx)
{
	return restore6(ctx) ? vrrp_xdp(ctx) : XDP_ABORTED;
}

SEC("xdp")
int nd_restore(struct xdp_md *ctx)
{
	return restore6(ctx) ? XDP_TX : XDP_ABORTED;
}

SEC("xdp")
int empty(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

/* What the kernel's clock costs on this machine: the least that a frame to a VIP can. */
SEC("xdp")
int clock(struct xdp_md *ctx __attribute__((unused)))
{
	return bpf_ktime_get_boot_ns() ? XDP_PASS : XDP_ABORTED;
}
