/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Neighbor Discovery for virtual IPv6 addresses (RFC 4861, RFC 9568 8.2): the frame that announces one. */
#ifndef VX_ND_H
#define VX_ND_H

#include "parse.h"

enum {
	ND_ADVERT = 136,
	ND_HOP_LIMIT = 255,
	ND_FLAG_ROUTER = 0x80,
	ND_FLAG_OVERRIDE = 0x20,
	ND_OPT_TARGET_MAC = 2,
	VX_ETH_P_IPV6 = 0x86dd,
	VX_IPPROTO_ICMPV6 = 58,
};

struct vx_ip6 {
	__u8 ver_tc_flow[4];
	__be16 len; /* of what follows this header */
	__u8 next;
	__u8 hop_limit;
	__u8 src[16];
	__u8 dst[16];
} vx_wire;

/* A Neighbor Advertisement with one option, the target's MAC. */
struct nd_advert {
	__u8 type;
	__u8 code;
	__be16 csum;
	__u8 flags[4];
	__u8 target[16];
	__u8 opt_type;
	__u8 opt_len; /* in units of 8 bytes */
	__u8 mac[6];
} vx_wire;

enum { ND_FRAME_LEN = sizeof(struct vx_eth) + sizeof(struct vx_ip6) + sizeof(struct nd_advert) };

_Static_assert(ND_FRAME_LEN == 86, "nd: an advertisement with one option");

/* The ICMPv6 checksum of @icmp (@len bytes, even) between @ip's addresses (RFC 8200 8.1). */
vx_inline __u16 nd_csum(const struct vx_ip6 *ip, const void *icmp, __u32 len)
{
	__u64 sum = VX_BE32(len);
	__u32 i;

	sum += VX_BE32(VX_IPPROTO_ICMPV6);
	for (i = 0; i < 16; i += 4)
		sum += (__u64)vx_get32(ip->src + i) + vx_get32(ip->dst + i);
	for (i = 0; i < len; i += 4)
		sum += vx_get32((const __u8 *)icmp + i);
	return ~csum_fold(sum);
}

/* Unsolicited Neighbor Advertisement for @vip to all nodes (ND-7): R=1, S=0, O=1. */
vx_inline void nd_build_unsolicited(__u8 buf[ND_FRAME_LEN], const __u8 mac[6], const __u8 vip[16])
{
	static const __u8 all_nodes[16] = { 0xff, 0x02, [15] = 1 }, all_nodes_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct vx_eth *eth = (struct vx_eth *)buf;
	struct vx_ip6 *ip = (struct vx_ip6 *)(eth + 1);
	struct nd_advert *na = (struct nd_advert *)(ip + 1);

	__builtin_memset(buf, 0, ND_FRAME_LEN);
	vx_mac_copy(eth->dst, all_nodes_mac);
	vx_mac_copy(eth->src, mac);
	eth->type = VX_BE16(VX_ETH_P_IPV6);
	ip->ver_tc_flow[0] = 0x60;
	ip->len = VX_BE16(sizeof(*na));
	ip->next = VX_IPPROTO_ICMPV6;
	ip->hop_limit = ND_HOP_LIMIT;
	__builtin_memcpy(ip->src, vip, 16);
	__builtin_memcpy(ip->dst, all_nodes, 16);
	na->type = ND_ADVERT;
	na->flags[0] = ND_FLAG_ROUTER | ND_FLAG_OVERRIDE;
	__builtin_memcpy(na->target, vip, 16);
	na->opt_type = ND_OPT_TARGET_MAC;
	na->opt_len = 1;
	vx_mac_copy(na->mac, mac);
	na->csum = nd_csum(ip, na, sizeof(*na));
}

#endif
