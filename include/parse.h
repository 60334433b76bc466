/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frame is read through a cursor that moves only after a bounds check. Wire structs and the steps from Ethernet to
 * the payload of IP; offsets and rules are in docs/vrrp-rules.md (WF, RX).
 */
#ifndef VX_PARSE_H
#define VX_PARSE_H

#include "base.h"

enum {
	VX_ETH_P_IP = 0x0800,
	VX_ETH_P_ARP = 0x0806,
	VX_ETH_P_IPV6 = 0x86dd,
	VX_ETH_P_8021Q = 0x8100,
	VX_ETH_P_8021AD = 0x88a8,
	VX_IPPROTO_HOPOPTS = 0,
	VX_IPPROTO_ROUTING = 43,
	VX_IPPROTO_FRAGMENT = 44,
	VX_IPPROTO_AH = 51,
	VX_IPPROTO_ICMPV6 = 58,
	VX_IPPROTO_DSTOPTS = 60,
	VX_IPPROTO_VRRP = 112,
	VX_VLAN_VID_MASK = 0x0fff,
	VX_MAX_TAGS = 2,
};

struct vx_eth {
	__u8 dst[6];
	__u8 src[6];
	__be16 type;
} vx_wire;

/* WF-14: 00:00:5e:00, 01 for IPv4 or 02 for IPv6, then the VRID. */
#define VX_VMAC_HEAD VX_BE32(0x00005e00)
enum { VX_VMAC_IP4 = 1, VX_VMAC_IP6 = 2 };

struct vx_tag {
	__be16 tci;
	__be16 type;
} vx_wire;

struct vx_ip4 {
	__u8 ver_ihl;
	__u8 tos;
	__be16 len;
	__be16 id;
	__be16 frag;
	__u8 ttl;
	__u8 proto;
	__be16 csum;
	__be32 src;
	__be32 dst;
} vx_wire;

struct vx_ip6 {
	__u8 ver_tc_flow[4];
	__be16 len; /* of what follows this header */
	__u8 next;
	__u8 hop_limit;
	__u8 src[16];
	__u8 dst[16];
} vx_wire;

vx_inline struct vx_addr ip6_addr(const __u8 from[16])
{
	return (struct vx_addr){ .w = { vx_get32(from), vx_get32(from + 4), vx_get32(from + 8), vx_get32(from + 12) } };
}

vx_inline void ip6_put(__u8 to[16], const struct vx_addr *a)
{
	__u32 i;

	for (i = 0; i < 4; i++)
		vx_put32(to + 4 * i, a->w[i]);
}

/* ff00::/8 */
vx_inline bool ip6_is_multicast(const struct vx_addr *a)
{
	return (a->w[0] & VX_BE32(0xff000000U)) == VX_BE32(0xff000000U);
}

/* fe80::/10 */
vx_inline bool ip6_is_link_local(const struct vx_addr *a)
{
	return (a->w[0] & VX_BE32(0xffc00000U)) == VX_BE32(0xfe800000U);
}

/* Addresses that no packet on a wire can come from: ::1 and multicast. Whether :: can depends on what it is. */
vx_inline bool ip6_src_bad(const struct vx_addr *a)
{
	return ip6_is_multicast(a) || !(a->w[0] | a->w[1] | a->w[2] | (a->w[3] ^ VX_BE32(1)));
}

/* The extension headers of RX-11. */
vx_inline bool ip6_is_extension(__u8 next)
{
	return next == VX_IPPROTO_HOPOPTS || next == VX_IPPROTO_ROUTING || next == VX_IPPROTO_FRAGMENT ||
	       next == VX_IPPROTO_AH || next == VX_IPPROTO_DSTOPTS;
}

/* Sum of the pseudo-header (RFC 8200 8.1), as of 32-bit words, for @len bytes of @next. */
vx_inline __u64 ip6_pseudo(const struct vx_addr *src, const struct vx_addr *dst, __u32 len, __u8 next)
{
	__u64 sum = (__u64)VX_BE32(len) + VX_BE32(next);
	__u32 i;

	for (i = 0; i < 4; i++)
		sum += (__u64)src->w[i] + dst->w[i];
	return sum;
}

/* The family whose virtual routers have MACs like @mac, or 0; one load where it is nobody's. */
vx_inline __u8 vmac_family(const __u8 *mac)
{
	if (vx_get32(mac) != VX_VMAC_HEAD)
		return 0;
	return mac[4] == VX_VMAC_IP4 ? 4 : mac[4] == VX_VMAC_IP6 ? 6 : 0;
}

#define VX_IP4_FRAG_MASK VX_BE16(0x3fff) /* MF and the offset; DF is fine (RX-7) */

struct cur {
	const __u8 *pos;
	const __u8 *end;
};

/* The next @len bytes, a compile-time constant for the verifier's sake, or NULL; the cursor moves only on success. */
vx_inline const void *cur_take(struct cur *c, size_t len)
{
	const __u8 *p = c->pos;

	if (p + len > c->end)
		return NULL;
	c->pos = p + len;
	return p;
}

/*
 * The next 32-bit word, for loops over a variable number of them. The compiler would turn the bounds check of each step into
 * a count of steps made beforehand, which the verifier cannot follow; the empty asm hides the pointer from it.
 */
vx_inline const __u8 *cur_word(struct cur *c)
{
#ifdef __bpf__
	asm volatile("" : "+r"(c->pos));
#endif
	return cur_take(c, 4);
}

/* The same for 16 bytes, an IPv6 address, and for 8, the unit of Neighbor Discovery's options. */
vx_inline const __u8 *cur_ip6(struct cur *c)
{
#ifdef __bpf__
	asm volatile("" : "+r"(c->pos));
#endif
	return cur_take(c, 16);
}

vx_inline const __u8 *cur_unit(struct cur *c)
{
#ifdef __bpf__
	asm volatile("" : "+r"(c->pos));
#endif
	return cur_take(c, 8);
}

/* Which VLAN a frame is of and what its payload is, after parse_link(). */
struct link {
	__u32 vlan;  /* as in struct vx_vr_key: 0 untagged, VID, or outer VID << 16 | inner VID */
	__be16 type; /* EtherType of the payload */
};

enum parse_result { PARSE_OK, PARSE_SHORT, PARSE_TAGS };

/*
 * Ethernet header and up to two VLAN tags (RX-1, RX-2). A tag with VID 0 carries a priority only and counts as untagged.
 * PARSE_SHORT: the frame ends inside its own headers; PARSE_TAGS: more tags than supported.
 */
vx_inline enum parse_result parse_link(struct cur *c, struct link *l)
{
	const struct vx_eth *eth;
	const struct vx_tag *tag;
	int i;

	eth = cur_take(c, sizeof(*eth));
	if (!eth)
		return PARSE_SHORT;
	l->vlan = 0;
	l->type = eth->type;
	for (i = 0; i < VX_MAX_TAGS; i++) {
		__u32 vid;

		if (l->type != VX_BE16(VX_ETH_P_8021Q) && l->type != VX_BE16(VX_ETH_P_8021AD))
			return PARSE_OK;
		tag = cur_take(c, sizeof(*tag));
		if (!tag)
			return PARSE_SHORT;
		vid = vx_host16(tag->tci) & VX_VLAN_VID_MASK;
		if (vid)
			l->vlan = l->vlan << 16 | vid;
		l->type = tag->type;
	}
	if (l->type == VX_BE16(VX_ETH_P_8021Q) || l->type == VX_BE16(VX_ETH_P_8021AD))
		return PARSE_TAGS;
	return PARSE_OK;
}

/* Folds a sum of 32-bit words in any byte order to 16 bits, as RFC 1071 lets one do. */
vx_inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

#endif
