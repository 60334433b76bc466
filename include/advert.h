/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VRRP ADVERTISEMENTs over IPv4 and IPv6: the wire format (RFC 9568 5.2, RFC 3768 5.3), the receive rules RX-5..RX-35 in their order
 * (RFC 9568 7.1, RFC 3768 7.1), and the builder of ours. Pure: bytes and plain structs, no lookup, no clock.
 */
#ifndef VX_ADVERT_H
#define VX_ADVERT_H

#include "abi.h"
#include "parse.h"

enum {
	ADVERT_TYPE = 1, /* ADVERTISEMENT, the only type */
	ADVERT_MAX_ADDRS = 255,
	ADVERT_CHUNK = 16, /* addresses that bpf/ walks in one go; a power of two */
	ADVERT_AUTH_LEN = 8,
	ADVERT_MAX_OPT_WORDS = 10,
	/* v3 over IPv6, 255 addresses: the longest of all; it takes a jumbo frame (WF-4) */
	ADVERT_MAX_LEN = 8 + 16 * ADVERT_MAX_ADDRS,
	ADVERT_TTL = 255,
	ADVERT_TOS = 0xc0, /* CS6, as keepalived and FRR send it */
	ADVERT_AUTH_NONE = 0,
	ADVERT_AUTH_PASS = 1,
	ADVERT_AUTH_AH = 2,
};

#define ADVERT_GROUP4 VX_BE32(0xe0000012U)                                                     /* 224.0.0.18 */
#define ADVERT_GROUP6 ((struct vx_addr){ .w = { VX_BE32(0xff020000U), 0, 0, VX_BE32(0x12) } }) /* ff02::12 */
#define ADVERT_CS_NS  (10 * VX_NS_PER_MS)

/* 224.0.0.0/4, ff00::/8 */
vx_inline bool advert_is_group(__u8 family, const struct vx_addr *addr)
{
	if (family == 6)
		return ip6_is_multicast(addr);
	return (addr->w[0] & VX_BE32(0xf0000000U)) == VX_BE32(0xe0000000U);
}

struct advert_hdr {
	__u8 ver_type;
	__u8 vrid;
	__u8 priority;
	__u8 count;
	__u8 b4; /* v2: Auth Type; v3: Reserve and interval bits 11..8 */
	__u8 b5; /* v2: Adver Int in seconds; v3: interval bits 7..0 in centiseconds */
	__be16 csum;
} vx_wire;

/* An advert as received; filled by advert_ip4_open() or advert_ip6() and advert_hdr(), valid where those return VX_CTR_NONE. */
struct advert {
	struct vx_addr src;
	struct vx_addr dst;
	__u64 adver_ns; /* the sender's interval */
	__u64 ip_sum;   /* sum of the fixed IPv4 header */
	__u32 ip_len;   /* IPv4 header with options, or the IPv6 header */
	__u32 len;  /* IP total length; from advert_ip4_close() on the VRRP message: padding is not counted (RX-12) */
	__u16 frag; /* not 0: a fragment */
	__u16 csum_seed; /* sum of the eight header bytes, folded */
	__u8 ttl;
	__u8 version;
	__u8 type;
	__u8 vrid;
	__u8 priority;
	__u8 count;
	__u8 b4;
	__u8 b5;
	__u8 eth_multicast; /* the frame's destination MAC is a group address (RX-39) */
	__u8 family;
};

/* What the caller found in its maps about an advert. */
struct advert_lookup {
	const struct vx_vr_config *cfg; /* NULL: VRID not configured here */
	const struct vx_peer_val *peer; /* NULL: source is not a configured peer, or nobody asked */
	bool own_src;                   /* source is an address of this interface (RX-15) */
};

/* What was odd about an advert that is kept. */
enum {
	ADVERT_NOTE_INTERVAL = 1 << 0, /* RX-29 */
	ADVERT_NOTE_ADDRS = 1 << 1,    /* RX-31 */
	ADVERT_NOTE_OWNER = 1 << 2,    /* RX-32 */
	ADVERT_NOTE_MAC = 1 << 3,      /* RX-39 */
	ADVERT_NOTE_CSUM_9568 = 1 << 4,
	ADVERT_NOTE_CSUM_5798 = 1 << 5,
};

/*
 * The walks over options and over the message's body go through functions that a BPF program keeps apart, so that the verifier looks at
 * the loops once; hence three steps: open, advert_opt_sum() over advert_opt_words(), close.
 */

/* RX-5: the fixed IPv4 header at the cursor. The verdict is VX_CTR_NONE or the counter of the rule that failed. */
vx_inline enum vx_ctr advert_ip4_open(struct cur *c, struct advert *a)
{
	const struct vx_ip4 *ip = cur_take(c, sizeof(*ip));
	__u32 i;

	if (!ip)
		return VX_CTR_RX_IP_HDR;
	if (ip->ver_ihl >> 4 != 4 || (ip->ver_ihl & 0x0f) < 5)
		return VX_CTR_RX_IP_HDR;
	a->family = 4;
	a->ip_len = (ip->ver_ihl & 0x0f) * 4;
	a->ip_sum = 0;
	for (i = 0; i < sizeof(*ip) / 4; i++)
		a->ip_sum += vx_get32((const __u8 *)ip + 4 * i);
	a->len = vx_host16(ip->len);
	a->frag = ip->frag & VX_IP4_FRAG_MASK;
	a->src = vx_addr4(ip->src);
	a->dst = vx_addr4(ip->dst);
	a->ttl = ip->ttl;
	return VX_CTR_NONE;
}

/* RX-6: options are legal. How many 32-bit words of them follow; that they are there is RX-5 as well. */
vx_inline __u32 advert_opt_words(const struct advert *a)
{
	return (a->ip_len - sizeof(struct vx_ip4)) / 4;
}

/* The sum of @words words of options at the cursor, folded; below 0: they are not all there. */
vx_inline int advert_opt_sum(struct cur *c, __u32 words)
{
	__u64 sum = 0;
	__u32 i;

	for (i = 0; i < ADVERT_MAX_OPT_WORDS && i < words; i++) {
		const __u8 *w = cur_word(c);

		if (!w)
			return -1;
		sum += vx_get32(w);
	}
	return csum_fold(sum);
}

/* RX-7..RX-9 and RX-12. @opt_sum: of the options' words; @present: bytes in the frame from the IPv4 header on. */
vx_inline enum vx_ctr advert_ip4_close(struct advert *a, __u64 opt_sum, __u32 present)
{
	if (a->frag) /* RX-7 */
		return VX_CTR_RX_FRAG;
	if (csum_fold(a->ip_sum + opt_sum) != 0xffff) /* RX-8 */
		return VX_CTR_RX_IP_CSUM;
	if (a->len < a->ip_len + sizeof(struct advert_hdr) || a->len > present) /* RX-9 */
		return VX_CTR_RX_LEN;
	a->len -= a->ip_len;
	return VX_CTR_NONE;
}

/* RX-5, RX-10..RX-12: the IPv6 header at the cursor, of a packet @present bytes of which are in the frame. */
vx_inline enum vx_ctr advert_ip6(struct cur *c, struct advert *a, __u32 present)
{
	const struct vx_ip6 *ip = cur_take(c, sizeof(*ip));

	if (!ip || ip->ver_tc_flow[0] >> 4 != 6)
		return VX_CTR_RX_IP_HDR;
	a->family = 6;
	a->ip_len = sizeof(*ip);
	a->len = vx_host16(ip->len);
	a->src = ip6_addr(ip->src);
	a->dst = ip6_addr(ip->dst);
	a->ttl = ip->hop_limit;
	if (a->len < sizeof(struct advert_hdr) || a->len + sizeof(*ip) > present) /* RX-10 */
		return VX_CTR_RX_LEN;
	if (ip->next != VX_IPPROTO_VRRP) /* RX-11 */
		return VX_CTR_RX_EXT;
	return VX_CTR_NONE;
}

/* The fixed part of the message at the cursor; after advert_ip4_close() or advert_ip6() it is there. */
vx_inline enum vx_ctr advert_hdr(struct cur *c, struct advert *a)
{
	const struct advert_hdr *h = cur_take(c, sizeof(*h));

	if (!h)
		return VX_CTR_RX_LEN;
	a->version = h->ver_type >> 4;
	a->type = h->ver_type & 0x0f;
	a->vrid = h->vrid;
	a->priority = h->priority;
	a->count = h->count;
	a->b4 = h->b4;
	a->b5 = h->b5;
	a->csum_seed = csum_fold((__u64)vx_get32(h) + vx_get32((const __u8 *)h + 4));
	if (a->version == 3) /* WF-5: the Reserve bits are the sender's business */
		a->adver_ns = (__u64)((a->b4 & 0x0f) << 8 | a->b5) * ADVERT_CS_NS;
	else
		a->adver_ns = a->b5 * VX_NS_PER_S;
	return VX_CTR_NONE;
}

/*
 * RX-14: addresses that no advert can come from: 0.0.0.0/8, 127/8, and everything from 224.0.0.0 up; ::, ::1, multicast, and, where
 * adverts are @strict, that is multicast themselves, whatever is not link-local (WF-11).
 */
vx_inline bool advert_src_bad(__u8 family, const struct vx_addr *src, bool strict)
{
	__u32 s = vx_host32(src->w[0]);

	if (family == 6)
		return vx_addr_none(src) || ip6_src_bad(src) || (strict && !ip6_is_link_local(src));
	return s >> 24 == 0 || s >> 24 == 127 || s >= 0xe0000000U;
}

/* Sum of the IPv4 pseudo-header that RFC 5798's checksum is read to include (WF-17). */
vx_inline __u64 advert_pseudo4(__be32 src, __be32 dst, __u32 len)
{
	return (__u64)src + dst + VX_BE16(VX_IPPROTO_VRRP) + VX_BE16(len);
}

/* One address's share of vx_vr_config.vip_sum. The sum of the shares does not depend on the order (WF-3). */
vx_inline __u64 advert_addr_mix(__be32 addr)
{
	__u64 x = (__u64)addr * 0x9e3779b97f4a7c15ULL;

	return x ^ x >> 29;
}

/* The same of an address of either family. */
vx_inline __u64 advert_vip_mix(__u8 family, const struct vx_addr *a)
{
	__u64 x;

	if (family == 4)
		return advert_addr_mix(a->w[0]);
	x = ((__u64)a->w[0] << 32 | a->w[1]) * 0xd6e8feb86659fd93ULL + ((__u64)a->w[2] << 32 | a->w[3]);
	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 29;
}

/* Length that WF-1 demands for @count addresses. */
vx_inline __u32 advert_len(__u8 family, __u32 version, __u32 count)
{
	return sizeof(struct advert_hdr) + (family == 6 ? 16 : 4) * count + (version == 2 ? ADVERT_AUTH_LEN : 0);
}

/* Of the IP header in front of it. */
vx_inline __u32 advert_ip_len(__u8 family)
{
	return family == 6 ? sizeof(struct vx_ip6) : sizeof(struct vx_ip4);
}

/*
 * How many addresses an advert holds that is no longer than @mtu (WF-4). keepalived counts the Ethernet header in, and the lists of both sides
 * should be the same.
 */
vx_inline __u32 advert_fits(__u8 family, __u32 version, __u32 mtu)
{
	__u32 empty = sizeof(struct vx_eth) + advert_ip_len(family) + advert_len(family, version, 0), n;

	if (mtu < empty)
		return 0;
	n = (mtu - empty) / (family == 6 ? 16 : 4);
	return n < ADVERT_MAX_ADDRS ? n : ADVERT_MAX_ADDRS;
}

/* What the walk over everything behind the fixed header yields. */
struct advert_sums {
	__u64 sum;     /* of its 32-bit words */
	__u64 mix;     /* advert_addr_mix() of the addresses, summed */
	__u32 tail[2]; /* its last eight bytes: v2's Auth Data */
	__be32 first;  /* IPv6: the upper word of the first address (RX-30) */
	__u32 walked;  /* IPv6: addresses so far */
};

vx_inline void advert_add(struct advert_sums *s, __u32 word)
{
	s->sum += word;
	s->mix += advert_addr_mix(word);
}

/*
 * Walks @count addresses at the cursor, no more than @max, a constant, four at a step, and v2's Auth Data behind them where @auth is set. Returns false when they are not all
 * there. Costs at most ADVERT_MAX_ADDRS / 4 + 3 steps (RX-42).
 */
vx_inline bool advert_walk(struct cur *c, __u32 max, __u32 count, bool auth, struct advert_sums *s)
{
	const __u8 *w;
	__u32 i;

	for (i = 0; i < max / 4 && count >= 4; i++, count -= 4) {
		w = cur_ip6(c);
		if (!w)
			return false;
		advert_add(s, vx_get32(w));
		advert_add(s, vx_get32(w + 4));
		advert_add(s, vx_get32(w + 8));
		advert_add(s, vx_get32(w + 12));
	}
	for (i = 0; i < 3 && i < count; i++) {
		w = cur_word(c);
		if (!w)
			return false;
		advert_add(s, vx_get32(w));
	}
	if (!auth)
		return true;
	w = cur_unit(c);
	if (!w)
		return false;
	s->tail[0] = vx_get32(w);
	s->tail[1] = vx_get32(w + 4);
	s->sum += (__u64)s->tail[0] + s->tail[1];
	return true;
}

/* The same of @count IPv6 addresses and nothing else: as many as an advert can count, whatever the frame's size (RX-42). */
vx_inline bool advert_walk6(struct cur *c, __u32 max, __u32 count, struct advert_sums *s)
{
	struct vx_addr addr;
	__u32 i;

	for (i = 0; i < max && i < count; i++) {
		const __u8 *a = cur_ip6(c);

		if (!a)
			return false;
		addr = ip6_addr(a);
		if (!s->walked++)
			s->first = addr.w[0];
		s->sum += (__u64)addr.w[0] + addr.w[1] + addr.w[2] + addr.w[3];
		s->mix += advert_vip_mix(6, &addr);
	}
	return true;
}

/*
 * RX-13..RX-22 for an advert that advert_ip4_close() or advert_ip6() and advert_hdr() have let through, in the order of the rules; the first that fails
 * names the verdict. VX_CTR_RX_VRID means pass to the kernel, every other verdict but VX_CTR_NONE means drop.
 */
vx_inline enum vx_ctr advert_check_head(const struct advert *a, const struct advert_lookup *lk)
{
	const struct vx_vr_config *cfg = lk->cfg;
	bool strict = cfg ? !(cfg->flags & VX_CFG_UNICAST) : advert_is_group(a->family, &a->dst);

	if (strict && a->ttl != ADVERT_TTL) /* RX-13: RFC 9568 5.1.1.3, 5.1.2.3 */
		return VX_CTR_RX_TTL;
	if (advert_src_bad(a->family, &a->src, strict)) /* RX-14 */
		return VX_CTR_RX_SRC;
	if (lk->own_src) /* RX-15, FSM-A8: a reflected advert is never answered */
		return VX_CTR_RX_OWN;
	if (a->version != 3 && (a->version != 2 || a->family == 6)) /* RX-16 */
		return VX_CTR_RX_VERSION;
	if (a->type != ADVERT_TYPE) /* RX-17 */
		return VX_CTR_RX_TYPE;
	if (!cfg) /* RX-18 */
		return VX_CTR_RX_VRID;
	if (a->version != cfg->version) /* RX-19 */
		return VX_CTR_RX_VERSION;
	if (a->count == 0) /* RX-20: erratum 8299 */
		return VX_CTR_RX_COUNT;
	if (a->len != advert_len(a->family, a->version, a->count)) /* RX-21, RX-22 */
		return VX_CTR_RX_LEN;
	return VX_CTR_NONE;
}

/* RX-23 (WF-17, WF-19): which form of the checksum is right, as ADVERT_NOTE_CSUM_*, 0 where there is but one: v2, IPv6. */
vx_inline enum vx_ctr advert_check_csum(const struct advert *a, const struct vx_vr_config *cfg, __u64 sum, __u32 *notes)
{
	sum += a->csum_seed;
	if (a->family == 6)
		sum += ip6_pseudo(&a->src, &a->dst, a->len, VX_IPPROTO_VRRP);
	if (a->family == 6 || a->version == 2)
		return csum_fold(sum) == 0xffff ? VX_CTR_NONE : VX_CTR_RX_CSUM;
	if (cfg->flags & VX_CFG_CSUM_9568 && csum_fold(sum) == 0xffff) {
		*notes |= ADVERT_NOTE_CSUM_9568;
		return VX_CTR_NONE;
	}
	sum += advert_pseudo4(a->src.w[0], a->dst.w[0], a->len);
	if (cfg->flags & VX_CFG_CSUM_5798 && csum_fold(sum) == 0xffff) {
		*notes |= ADVERT_NOTE_CSUM_5798;
		return VX_CTR_NONE;
	}
	return VX_CTR_RX_CSUM;
}

/* RX-24..RX-27: what only VRRPv2 has. */
vx_inline enum vx_ctr advert_check_v2(const struct advert *a, const struct vx_vr_config *cfg,
				      const struct advert_sums *s)
{
	if (a->b4 > ADVERT_AUTH_AH)
		return VX_CTR_RX_AUTH_TYPE;
	if (a->b4 != cfg->auth_type)
		return VX_CTR_RX_AUTH_MISMATCH;
	/* both words are always compared, so that the time taken says nothing about the password */
	if (a->b4 == ADVERT_AUTH_PASS && ((s->tail[0] ^ vx_get32(cfg->auth)) | (s->tail[1] ^ vx_get32(cfg->auth + 4))))
		return VX_CTR_RX_AUTH_FAIL;
	if (a->adver_ns != cfg->adver_ns)
		return VX_CTR_RX_ADV_INT;
	return VX_CTR_NONE;
}

/*
 * RX-23..RX-35 and RX-39, in order, after advert_check_head() and the walk; verdicts as there. @notes is set to the ADVERT_NOTE_*
 * of an advert that is kept.
 *
 * RX-31 is a MAY: a different address list is reported, not refused, in both versions. Refusing it, as RFC 3768 has it for
 * those who check, makes two Actives out of a typing error, and no implementation in the field does (KA-33).
 */
vx_inline enum vx_ctr advert_check_body(const struct advert *a, const struct advert_lookup *lk,
					const struct advert_sums *s, __u32 *notes)
{
	const struct vx_vr_config *cfg = lk->cfg;
	bool multicast = advert_is_group(a->family, &a->dst), unicast_vr = cfg->flags & VX_CFG_UNICAST;
	enum vx_ctr bad;

	*notes = 0;
	bad = advert_check_csum(a, cfg, s->sum, notes);
	if (bad)
		return bad;
	if (a->version == 2) {
		bad = advert_check_v2(a, cfg, s);
		if (bad)
			return bad;
	} else if (a->adver_ns == 0) { /* RX-28: erratum 8301 */
		return VX_CTR_RX_ADV_INT;
	} else if (a->adver_ns != cfg->adver_ns) { /* RX-29 */
		*notes |= ADVERT_NOTE_INTERVAL;
	}
	/* RX-30: erratum 8300. Only where ours is link-local itself, so that two that are configured alike hear each other. */
	if (a->family == 6 && !unicast_vr && cfg->flags & VX_CFG_FIRST_LL &&
	    !ip6_is_link_local(&(struct vx_addr){ .w = { s->first } }))
		return VX_CTR_RX_FIRST_ADDR;
	if (a->count != cfg->nvips || s->mix != cfg->vip_sum) /* RX-31 */
		*notes |= ADVERT_NOTE_ADDRS;
	if (cfg->priority == 255) { /* RX-32: erratum 8298 makes it log-only in v3 */
		if (a->version == 2)
			return VX_CTR_OWNER_CONFLICT;
		*notes |= ADVERT_NOTE_OWNER;
	}
	if (unicast_vr == multicast || (multicast && !vx_addr_eq(&a->dst, &cfg->group))) /* RX-33 */
		return VX_CTR_RX_CAST;
	if (cfg->flags & (VX_CFG_UNICAST | VX_CFG_PEERS)) {
		if (!lk->peer) /* RX-34 */
			return VX_CTR_RX_PEER;
		if (a->ttl < lk->peer->min_ttl || a->ttl > lk->peer->max_ttl) /* RX-35 */
			return VX_CTR_RX_TTL;
	}
	if (multicast && !a->eth_multicast) /* RX-39 */
		*notes |= ADVERT_NOTE_MAC;
	return VX_CTR_NONE;
}

/* What advert_build() needs; all borrowed for the call. */
struct advert_params {
	struct vx_addr src;
	struct vx_addr dst; /* the group, or the unicast peer */
	const struct vx_addr *vips;
	const __u8 *auth; /* v2: eight bytes */
	__u64 adver_ns; /* v2: whole seconds, 1..255 s; v3: 10 ms..40.95 s, rounded down to centiseconds (RFC 9568 5.2.7) */
	__u8 family; /* 4 or 6 */
	__u8 version;
	__u8 vrid;
	__u8 priority;
	__u8 nvips; /* 1..255 */
	__u8 auth_type;
	__u8 ttl;       /* of unicast adverts (KA-29); 0: ADVERT_TTL */
	bool csum_5798; /* v3: with the pseudo-header, as keepalived and FRR send by default (WF-18) */
};

enum { ADVERT_MAX_PACKET = sizeof(struct vx_ip6) + ADVERT_MAX_LEN };

vx_inline void advert_put_ip4(__u8 *buf, const struct advert_params *p, __u32 len, __u16 ip_id)
{
	struct vx_ip4 *ip = (struct vx_ip4 *)buf;
	__u64 sum = 0;
	__u32 i;

	ip->ver_ihl = 0x45;
	ip->tos = ADVERT_TOS;
	ip->len = VX_BE16(len + sizeof(*ip));
	ip->id = VX_BE16(ip_id);
	ip->ttl = p->ttl ? p->ttl : ADVERT_TTL;
	ip->proto = VX_IPPROTO_VRRP;
	ip->src = p->src.w[0];
	ip->dst = p->dst.w[0];
	for (i = 0; i < sizeof(*ip) / 4; i++)
		sum += vx_get32(buf + 4 * i);
	ip->csum = ~csum_fold(sum);
}

vx_inline void advert_put_ip6(__u8 *buf, const struct advert_params *p, __u32 len)
{
	struct vx_ip6 *ip = (struct vx_ip6 *)buf;

	ip->ver_tc_flow[0] = 0x60 | ADVERT_TOS >> 4;
	ip->ver_tc_flow[1] = (__u8)(ADVERT_TOS << 4);
	ip->len = VX_BE16(len);
	ip->next = VX_IPPROTO_VRRP;
	ip->hop_limit = p->ttl ? p->ttl : ADVERT_TTL;
	ip6_put(ip->src, &p->src);
	ip6_put(ip->dst, &p->dst);
}

/* What is in front of the checksummed message; over IPv6 always, in v2 never (WF-17). */
vx_inline __u64 advert_pseudo(const struct advert_params *p, __u32 len)
{
	if (p->family == 6)
		return ip6_pseudo(&p->src, &p->dst, len, VX_IPPROTO_VRRP);
	return p->version == 3 && p->csum_5798 ? advert_pseudo4(p->src.w[0], p->dst.w[0], len) : 0;
}

/* The message of @len bytes at @m, which is zeroed. */
vx_inline void advert_put_message(__u8 *m, const struct advert_params *p, __u32 len)
{
	struct advert_hdr *h = (struct advert_hdr *)m;
	__u8 *addr = m + sizeof(*h);
	__u64 sum = advert_pseudo(p, len);
	__u32 i;

	h->ver_type = p->version << 4 | ADVERT_TYPE;
	h->vrid = p->vrid;
	h->priority = p->priority;
	h->count = p->nvips;
	if (p->version == 2) {
		h->b4 = p->auth_type;
		h->b5 = p->adver_ns / VX_NS_PER_S;
	} else {
		h->b4 = p->adver_ns / ADVERT_CS_NS >> 8 & 0x0f;
		h->b5 = p->adver_ns / ADVERT_CS_NS;
	}
	for (i = 0; i < p->nvips; i++)
		if (p->family == 6)
			ip6_put(addr + 16 * i, &p->vips[i]);
		else
			vx_put32(addr + 4 * i, p->vips[i].w[0]);
	if (p->version == 2 && p->auth_type == ADVERT_AUTH_PASS)
		__builtin_memcpy(m + len - ADVERT_AUTH_LEN, p->auth, ADVERT_AUTH_LEN);
	for (i = 0; i < len / 4; i++)
		sum += vx_get32(m + 4 * i);
	h->csum = ~csum_fold(sum);
}

/*
 * Writes the IP packet of one advert into @buf of ADVERT_MAX_PACKET bytes: header without options (RFC 9568 5.1.1, 5.1.2),
 * message, checksums. Returns its length. @ip_id is in host order and of no use over IPv6.
 */
vx_inline __u32 advert_build(__u8 *buf, const struct advert_params *p, __u16 ip_id)
{
	__u32 len = advert_len(p->family, p->version, p->nvips), ip_len = advert_ip_len(p->family);

	__builtin_memset(buf, 0, ip_len + len);
	if (p->family == 6)
		advert_put_ip6(buf, p, len);
	else
		advert_put_ip4(buf, p, len, ip_id);
	advert_put_message(buf + ip_len, p, len);
	return ip_len + len;
}

#endif
