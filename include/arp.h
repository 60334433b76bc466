/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ARP for virtual addresses (RFC 9568 6.4.3, 8.1.2; RFC 826, RFC 5227): what a frame asks or claims, the reply made in place, and
 * our gratuitous ARP.
 */
#ifndef VX_ARP_H
#define VX_ARP_H

#include "abi.h"
#include "parse.h"

enum { ARP_OP_REQUEST = 1, ARP_OP_REPLY = 2 };

struct arp_ip4 {
	__be16 htype;
	__be16 ptype;
	__u8 hlen;
	__u8 plen;
	__be16 op;
	__u8 sha[6];
	__u8 spa[4];
	__u8 tha[6];
	__u8 tpa[4];
} vx_wire;

_Static_assert(sizeof(struct arp_ip4) == 28, "arp: 28 bytes on the wire");

struct arp_view {
	__be32 spa;
	__be32 tpa;
	__be16 op;
	bool odd;       /* ARP-5: not plain Ethernet/IPv4, or the sender is not who sent the frame */
	bool broadcast; /* Ethernet destination is a group address */
};

/* Reads the ARP packet at the cursor; NULL: shorter than 28 bytes, nobody's business (RFC 826). */
vx_inline struct arp_ip4 *arp_parse(struct cur *c, const struct vx_eth *eth, struct arp_view *v)
{
	struct arp_ip4 *arp = (struct arp_ip4 *)c->pos;

	if (!cur_take(c, sizeof(*arp)))
		return NULL;
	v->op = arp->op;
	v->spa = vx_get32(arp->spa);
	v->tpa = vx_get32(arp->tpa);
	v->broadcast = eth->dst[0] & 1;
	v->odd = arp->htype != VX_BE16(1) || arp->ptype != VX_BE16(VX_ETH_P_IP) || arp->hlen != 6 || arp->plen != 4 ||
		 arp->sha[0] & 1 || !vx_mac_eq(arp->sha, eth->src);
	return arp;
}

/* What an ARP packet is about a VIP of ours, before the role is looked at. */
enum arp_about {
	ARP_NOTHING,
	ARP_ASKS,   /* a request or probe for the VIP (ARP-3, ARP-4) */
	ARP_CLAIMS, /* somebody else says the VIP is his (ARP-6) */
};

/*
 * @target_is_vip, @sender_is_vip: what the maps say of the two addresses. A claim wins over a request: the answer to an
 * announcement is not a reply (ARP-6). A frame from our own MAC is our own gratuitous ARP come back.
 */
vx_inline enum arp_about arp_classify(const struct arp_view *v, bool target_is_vip, bool sender_is_vip, bool own_mac)
{
	if (own_mac)
		return ARP_NOTHING;
	if (sender_is_vip && v->spa)
		return ARP_CLAIMS;
	if (target_is_vip && v->op == VX_BE16(ARP_OP_REQUEST))
		return ARP_ASKS;
	return ARP_NOTHING;
}

/* Turns the request into the reply from @mac (ARP-2, and ARP-4: a probe's sender 0.0.0.0 becomes the target). */
vx_inline void arp_reply_in_place(struct vx_eth *eth, struct arp_ip4 *arp, const __u8 *mac)
{
	__u32 vip = vx_get32(arp->tpa);

	vx_mac_copy(eth->dst, arp->sha);
	vx_mac_copy(eth->src, mac);
	arp->op = VX_BE16(ARP_OP_REPLY);
	vx_mac_copy(arp->tha, arp->sha);
	vx_put32(arp->tpa, vx_get32(arp->spa));
	vx_mac_copy(arp->sha, mac);
	vx_put32(arp->spa, vip);
}

enum { ARP_FRAME_LEN = sizeof(struct vx_eth) + sizeof(struct arp_ip4) };

/* Gratuitous ARP for @vip (ARP-8): a broadcast request, target hardware address all ones as keepalived and FRR send it. */
vx_inline void arp_build_gratuitous(__u8 buf[ARP_FRAME_LEN], const __u8 mac[6], __be32 vip)
{
	struct vx_eth *eth = (struct vx_eth *)buf;
	struct arp_ip4 *arp = (struct arp_ip4 *)(buf + sizeof(*eth));

	__builtin_memset(eth->dst, 0xff, 6);
	vx_mac_copy(eth->src, mac);
	eth->type = VX_BE16(VX_ETH_P_ARP);
	arp->htype = VX_BE16(1);
	arp->ptype = VX_BE16(VX_ETH_P_IP);
	arp->hlen = 6;
	arp->plen = 4;
	arp->op = VX_BE16(ARP_OP_REQUEST);
	vx_mac_copy(arp->sha, mac);
	vx_put32(arp->spa, vip);
	__builtin_memset(arp->tha, 0xff, 6);
	vx_put32(arp->tpa, vip);
}

#endif
