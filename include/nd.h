/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Neighbor Discovery for virtual IPv6 addresses (RFC 4861, RFC 9568 8.2): what a solicitation or advertisement says, the answer made in
 * place, and the frame that announces an address.
 */
#ifndef VX_ND_H
#define VX_ND_H

#include "parse.h"

enum {
	ND_SOLICIT = 135,
	ND_ADVERT = 136,
	ND_HOP_LIMIT = 255,
	ND_FLAG_ROUTER = 0x80,
	ND_FLAG_SOLICITED = 0x40,
	ND_FLAG_OVERRIDE = 0x20,
	ND_OPT_SOURCE_MAC = 1,
	ND_OPT_TARGET_MAC = 2,
	ND_CHUNK = 16,      /* units that bpf/ walks in one go; a power of two */
	ND_MAX_UNITS = 128, /* of 8 bytes, all options together: a kilobyte, where a solicitation has one or two */
};

/* ff02::1 */
#define ND_ALL_NODES ((struct vx_addr){ .w = { VX_BE32(0xff020000U), 0, 0, VX_BE32(1) } })

/* What a Neighbor Solicitation and a Neighbor Advertisement have in common. */
struct nd_msg {
	__u8 type;
	__u8 code;
	__be16 csum;
	__u8 flags[4]; /* of an advertisement */
	__u8 target[16];
} vx_wire;

/* The option that both may have: who is the source or the target. */
struct nd_opt_mac {
	__u8 type;
	__u8 len; /* in units of 8 bytes */
	__u8 mac[6];
} vx_wire;

/* A Neighbor Advertisement with one option, the target's MAC. */
struct nd_advert {
	struct nd_msg msg;
	struct nd_opt_mac opt;
} vx_wire;

/* ... in its packet. */
struct nd_packet {
	struct vx_ip6 ip;
	struct nd_advert na;
} vx_wire;

enum { ND_FRAME_LEN = sizeof(struct vx_eth) + sizeof(struct nd_packet) };

_Static_assert(ND_FRAME_LEN == 86, "nd: an advertisement with one option");

/* A message as received, but for its options. */
struct nd_view {
	struct vx_addr src;
	struct vx_addr dst;
	struct vx_addr target;
	__u64 sum; /* of the pseudo-header and of what is not options */
	__u32 len; /* of the ICMPv6 message, as the IPv6 header has it: padding is not counted */
	__u8 type;
	__u8 code;
	__u8 hop_limit;
	__u8 version;  /* of IP */
	bool group;    /* the frame's destination is a group address */
	bool answered; /* NA: it says that it was asked for */
};

/* Reads the IPv6 packet at the cursor; NULL: too short for a solicitation, nobody's business. */
vx_inline struct nd_msg *nd_parse(struct cur *c, const struct vx_eth *eth, struct nd_view *v)
{
	const struct vx_ip6 *ip = (const struct vx_ip6 *)c->pos;
	struct nd_msg *m = (struct nd_msg *)(c->pos + sizeof(*ip));
	__u32 i;

	if (!cur_take(c, sizeof(*ip) + sizeof(*m)))
		return NULL;
	v->src = ip6_addr(ip->src);
	v->dst = ip6_addr(ip->dst);
	v->target = ip6_addr(m->target);
	v->len = vx_host16(ip->len);
	v->sum = ip6_pseudo(&v->src, &v->dst, v->len, VX_IPPROTO_ICMPV6);
	for (i = 0; i < sizeof(*m); i += 4)
		v->sum += vx_get32((const __u8 *)m + i);
	v->type = m->type;
	v->code = m->code;
	v->hop_limit = ip->hop_limit;
	v->version = ip->ver_tc_flow[0] >> 4;
	v->group = eth->dst[0] & 1;
	v->answered = m->flags[0] & ND_FLAG_SOLICITED;
	return m;
}

/* How many units of options a message has; more than ND_MAX_UNITS: none that can be read. */
vx_inline __u32 nd_units(const struct nd_view *v)
{
	if (v->len < sizeof(struct nd_msg) || (v->len - sizeof(struct nd_msg)) % 8)
		return ND_MAX_UNITS + 1;
	return (v->len - sizeof(struct nd_msg)) / 8;
}

struct nd_opts {
	__u64 sum;
	__u32 found; /* 1: the option looked for is there */
	__u32 head; /* ... and this is its MAC, in two words because the verifier wants the stack read as it was written */
	__u16 tail;
	__u16 zero;
	__u32 next; /* the unit where the next option begins, from where the walk is now */
};

/* 1 where @x is 0, else 0, for @x below 2^31; without a branch, which the verifier would follow both ways at every step. */
vx_inline __u32 nd_zero(__u32 x)
{
	return (x - 1) >> 31;
}

/* nd_walk() over a part of them, no more than @max, a constant, which goes on where the part before has left @o. False: malformed. */
vx_inline bool nd_walk_part(struct cur *c, __u32 max, __u32 units, __u32 type, struct nd_opts *o)
{
	__u32 i, next = o->next;

	for (i = 0; i < max; i++) {
		__u32 begins, hit, take;
		const __u8 *u;

		if (i >= units)
			break;
		u = cur_unit(c);
		if (!u)
			return false;
		o->sum += (__u64)vx_get32(u) + vx_get32(u + 4);
		begins = nd_zero(i ^ next);
		hit = begins & nd_zero(u[0] ^ type);
		if (hit && u[1] != 1)
			return false;
		next += u[1] & -begins;
		take = -(hit & ~o->found);
		o->head = (o->head & ~take) | (vx_get32(u + 2) & take);
		o->tail = (o->tail & ~take) | (vx_get16(u + 6) & take);
		o->found |= hit;
	}
	if (next < units) /* an option of length 0: behind it none begins */
		return false;
	o->next = next - units;
	return true;
}

/*
 * Walks @units units of options at the cursor and picks the first of @type. False: they are not all there, or malformed (ND-2); as one
 * that is no Ethernet address's length, which other stacks refuse too.
 */
vx_inline bool nd_walk(struct cur *c, __u32 units, __u32 type, struct nd_opts *o)
{
	return units <= ND_MAX_UNITS && nd_walk_part(c, ND_MAX_UNITS, units, type, o) && !o->next;
}

/* ff02::1:ff00:0/104 */
vx_inline bool nd_is_solicited_node(const struct vx_addr *a)
{
	return a->w[0] == VX_BE32(0xff020000U) && !a->w[1] && a->w[2] == VX_BE32(1) &&
	       (a->w[3] & VX_BE32(0xff000000U)) == VX_BE32(0xff000000U);
}

/* RFC 4861 7.1.1 and 7.1.2 (ND-2) for a message whose options nd_walk() has let through. */
vx_inline bool nd_valid(const struct nd_view *v, const struct nd_opts *o)
{
	if (v->version != 6 || v->hop_limit != ND_HOP_LIMIT || v->code || ip6_is_multicast(&v->target) ||
	    ip6_src_bad(&v->src))
		return false;
	if (csum_fold(v->sum + o->sum) != 0xffff)
		return false;
	if (v->type == ND_ADVERT)
		return !(v->answered && ip6_is_multicast(&v->dst));
	return !vx_addr_none(&v->src) || (nd_is_solicited_node(&v->dst) && !o->found);
}

/* What a message is about a VIP of ours, before the role is looked at. */
enum nd_about {
	ND_NOTHING,
	ND_ASKS,   /* a solicitation or a probe for the VIP (ND-1, ND-4) */
	ND_CLAIMS, /* somebody else has the VIP (ND-13) */
};

/* @target_is_vip, @sender_is_vip: what the maps say of the two addresses. A claim wins over a question, as with ARP. */
vx_inline enum nd_about nd_classify(const struct nd_view *v, bool target_is_vip, bool sender_is_vip)
{
	if (v->type == ND_ADVERT)
		return target_is_vip ? ND_CLAIMS : ND_NOTHING;
	if (sender_is_vip)
		return ND_CLAIMS;
	return target_is_vip ? ND_ASKS : ND_NOTHING;
}

/* The headers of an advertisement of @len bytes for @vip; the checksum is still 0. Returns the sum of the pseudo-header. */
vx_inline __u64 nd_put_head(struct vx_ip6 *ip, struct nd_msg *m, const struct vx_addr *vip, const struct vx_addr *dst,
			    __u8 flags, __u32 len)
{
	vx_put32(ip->ver_tc_flow, VX_BE32(0x60000000U));
	ip->len = VX_BE16(len);
	ip->next = VX_IPPROTO_ICMPV6;
	ip->hop_limit = ND_HOP_LIMIT;
	ip6_put(ip->src, vip);
	ip6_put(ip->dst, dst);
	vx_put32(m, VX_BE32((__u32)ND_ADVERT << 24));
	vx_put32(m->flags, VX_BE32((__u32)flags << 24));
	ip6_put(m->target, vip);
	return ip6_pseudo(vip, dst, len, VX_IPPROTO_ICMPV6);
}

/* @m has @len bytes, a constant, @sum is that of its pseudo-header. */
vx_inline void nd_put_csum(struct nd_msg *m, __u64 sum, __u32 len)
{
	__u32 i;

	for (i = 0; i < len; i += 4)
		sum += vx_get32((const __u8 *)m + i);
	m->csum = ~csum_fold(sum);
}

/* The packet of an advertisement for @vip from @mac to @dst; every byte is written. */
vx_inline void nd_put_advert(struct nd_packet *p, const struct vx_addr *vip, const __u8 *mac, const struct vx_addr *dst,
			     __u8 flags)
{
	__u64 sum = nd_put_head(&p->ip, &p->na.msg, vip, dst, flags, sizeof(p->na));

	p->na.opt.type = ND_OPT_TARGET_MAC;
	p->na.opt.len = 1;
	vx_mac_copy(p->na.opt.mac, mac);
	nd_put_csum(&p->na.msg, sum, sizeof(p->na));
}

/* 33:33:00:00:00:01 */
vx_inline void nd_put_all_nodes(__u8 *mac)
{
	vx_put32(mac, VX_BE32(0x33330000U));
	mac[4] = 0;
	mac[5] = 1;
}

/* The MAC that an option names. */
vx_inline const __u8 *nd_opt_mac(const struct nd_opts *o)
{
	return (const __u8 *)&o->head;
}

/* Where an answer goes: to the MAC that the solicitation names, else to the one it came from (ND-3). */
vx_inline const __u8 *nd_asker(const struct vx_eth *eth, const struct nd_opts *o)
{
	return o->found && !(nd_opt_mac(o)[0] & 1) ? nd_opt_mac(o) : eth->src;
}

/*
 * The answer to a solicitation without options that came to the VIP itself: who asks so knows our MAC, and wants to hear only that we are
 * still here (RFC 4861 7.2.4). One that came to a group has to be told the MAC, and there is no room for it.
 */
vx_inline void nd_answer_short_in_place(struct vx_eth *eth, struct vx_ip6 *ip, struct nd_msg *m,
					const struct nd_view *v, const __u8 *mac)
{
	__u64 sum = nd_put_head(ip, m, &v->target, &v->src, ND_FLAG_ROUTER | ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE,
				sizeof(*m));

	nd_put_csum(m, sum, sizeof(*m));
	vx_mac_copy(eth->dst, eth->src);
	vx_mac_copy(eth->src, mac);
}

/*
 * Turns a valid solicitation into the answer from @mac (ND-1, ND-3, ND-5; ND-4: a probe's goes to all nodes). Options behind the first
 * eight bytes become Ethernet padding.
 */
vx_inline void nd_answer_in_place(struct vx_eth *eth, struct nd_packet *p, const struct nd_view *v,
				  const struct nd_opts *o, const __u8 *mac)
{
	if (vx_addr_none(&v->src)) {
		nd_put_all_nodes(eth->dst);
		nd_put_advert(p, &v->target, mac, &ND_ALL_NODES, ND_FLAG_ROUTER | ND_FLAG_OVERRIDE);
	} else {
		vx_mac_copy(eth->dst, nd_asker(eth, o));
		nd_put_advert(p, &v->target, mac, &v->src, ND_FLAG_ROUTER | ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE);
	}
	vx_mac_copy(eth->src, mac);
}

/* Unsolicited Neighbor Advertisement for @vip to all nodes (ND-7): R=1, S=0, O=1. */
vx_inline void nd_build_unsolicited(__u8 buf[ND_FRAME_LEN], const __u8 mac[6], const __u8 vip[16])
{
	struct vx_eth *eth = (struct vx_eth *)buf;
	struct vx_addr addr = ip6_addr(vip);

	nd_put_all_nodes(eth->dst);
	vx_mac_copy(eth->src, mac);
	eth->type = VX_BE16(VX_ETH_P_IPV6);
	nd_put_advert((struct nd_packet *)(eth + 1), &addr, mac, &ND_ALL_NODES, ND_FLAG_ROUTER | ND_FLAG_OVERRIDE);
}

/* A checksum after the MAC @old in what it covers has become @new (RFC 1624). */
vx_inline __be16 nd_csum_replace(__be16 csum, const __u8 *old, const __u8 *new)
{
	__u64 sum = (__u64)(__u16)~csum + vx_get32(new) + vx_get16(new + 4) + (__u32)~vx_get32(old) +
		    (__u16)~vx_get16(old + 4);

	return ~csum_fold(sum);
}

#endif
