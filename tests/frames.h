/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames from descriptions: ADVERT3(.ttl = 254) is a good VRRPv3 advert but for its TTL. The bytes and the checksums are made
 * here a second time, from the RFCs and octet by octet, so that an error in include/ is not repeated in its own tests.
 */
#ifndef VX_TESTS_FRAMES_H
#define VX_TESTS_FRAMES_H

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "base.h"

/* A row of a table states what it differs in after the defaults of its macro; that is the point of them. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define IP4(a, b, c, d) ((__u32)(a) << 24 | (__u32)(b) << 16 | (__u32)(c) << 8 | (__u32)(d))

/* The cast, in host byte order (RFC 5737 addresses). */
#define ADDR_GROUP     IP4(224, 0, 0, 18)
#define ADDR_GROUP_OWN IP4(239, 1, 2, 3)
#define ADDR_VIP       IP4(192, 0, 2, 100) /* the first; others count up from it */
#define ADDR_VIP2      IP4(192, 0, 2, 200) /* of the second virtual router, where there is one */
#define ADDR_US        IP4(192, 0, 2, 2)
#define ADDR_PEER      IP4(192, 0, 2, 1) /* the Active Router while we are Backup */
#define ADDR_HOST      IP4(192, 0, 2, 50)
#define ADDR_STRANGER  IP4(198, 51, 100, 7)

/* The same of IPv6 (RFC 3849), as text. */
#define A6_GROUP       "ff02::12"
#define A6_GROUP_OWN   "ff02::1200" /* others count up from it */
#define A6_ALL_NODES   "ff02::1"
#define A6_SOLICITED   "ff02::1:ff00:100" /* of the first two VIPs */
#define A6_VIP         "fe80::100"        /* the first */
#define A6_VIP_NEXT    "2001:db8::100"    /* the second; others count up from it */
#define A6_VIP_GLOBAL  "2001:db8::ff"     /* the first, where it is none of fe80::/10 */
#define A6_VIP2        "fe80::200"        /* of the second virtual router */
#define A6_US          "fe80::2"
#define A6_PEER        "fe80::1"
#define A6_US_GLOBAL   "2001:db8::2" /* these two where adverts are unicast */
#define A6_PEER_GLOBAL "2001:db8::1"
#define A6_HOST        "fe80::50"
#define A6_STRANGER    "2001:db8:7::7"

enum mac {
	MAC_ZERO,
	MAC_BROADCAST,
	MAC_GROUP,   /* of 224.0.0.18 */
	MAC_VROUTER, /* of VRID 51; what ARP is answered with */
	MAC_PEER,
	MAC_HOST,
	MAC_STRANGER,
	MAC_MULTICAST, /* not legal as a sender */
	MAC_VROUTER2,  /* of VRID 52 */
	MAC_VROUTER6,  /* of VRID 51 for IPv6 */
	MAC_NIC,       /* of the interface, where a virtual MAC is used */
	MAC_VROUTER62, /* of VRID 52 for IPv6 */
	MAC_GROUP6,    /* of ff02::12 */
	MAC_SOLICITED, /* of ff02::1:ff00:100 */
	MAC_ALL_NODES,
};

static const __u8 mac_bytes[][6] = {
	[MAC_ZERO] = { 0 },
	[MAC_BROADCAST] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	[MAC_GROUP] = { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x12 },
	[MAC_VROUTER] = { 0x00, 0x00, 0x5e, 0x00, 0x01, 51 },
	[MAC_PEER] = { 0x02, 0x00, 0x00, 0x00, 0x00, 0x01 },
	[MAC_HOST] = { 0x02, 0x00, 0x00, 0x00, 0x00, 0x50 },
	[MAC_STRANGER] = { 0x02, 0x00, 0x00, 0x00, 0x07, 0x07 },
	[MAC_VROUTER2] = { 0x00, 0x00, 0x5e, 0x00, 0x01, 52 },
	[MAC_VROUTER6] = { 0x00, 0x00, 0x5e, 0x00, 0x02, 51 },
	[MAC_NIC] = { 0x02, 0x00, 0x00, 0x00, 0x00, 0x02 },
	[MAC_VROUTER62] = { 0x00, 0x00, 0x5e, 0x00, 0x02, 52 },
	[MAC_GROUP6] = { 0x33, 0x33, 0x00, 0x00, 0x00, 0x12 },
	[MAC_SOLICITED] = { 0x33, 0x33, 0xff, 0x00, 0x01, 0x00 },
	[MAC_ALL_NODES] = { 0x33, 0x33, 0x00, 0x00, 0x00, 0x01 },
	[MAC_MULTICAST] = { 0x03, 0x00, 0x00, 0x00, 0x00, 0x50 },
};

enum frame_kind { FRAME_NONE, FRAME_ADVERT, FRAME_IP, FRAME_ARP, FRAME_ND, FRAME_RAW };

/* Over IPv6 the first is right; BARE lacks the pseudo-header, GROUP has ff02::12 in it whatever the destination. */
enum frame_csum {
	FRAME_CSUM_9568,
	FRAME_CSUM_5798,
	FRAME_CSUM_WRONG,
	FRAME_CSUM_ZERO,
	FRAME_CSUM_BARE,
	FRAME_CSUM_GROUP,
};

enum { FRAME_AS_IS = -1, FRAME_MAX = 4352, FRAME_MAX_TAGS = 4 };

struct frame_desc {
	enum frame_kind kind;
	enum mac eth_dst;
	enum mac eth_src;
	struct {
		__u16 tpid; /* 0: no more tags */
		__u16 tci;
	} tag[FRAME_MAX_TAGS];
	__u16 eth_type;
	int pad; /* bytes of Ethernet padding behind the packet */
	__u8 pad_byte;
	const char *pad_hex; /* in its place */
	int cut;             /* bytes missing at the frame's end */

	/* IPv4 */
	__u32 src;
	__u32 dst;
	int ip_version;
	int ihl;       /* 32-bit words; from 5 on that many are there */
	int total_len; /* FRAME_AS_IS: what there is */
	int frag;
	int ttl;
	int proto;
	__u16 ip_csum_xor;
	const char *ip_hex; /* a golden header in its place */

	/* IPv6; what has no field of its own is above: total_len is the payload's length, ttl the hop limit, proto the next header */
	int family; /* 6, or IPv4 */
	__u32 flow; /* traffic class and flow label */
	const char *src6;
	const char *dst6;
	const char *ext_hex;     /* extension headers, in front of the payload */
	const char *payload_hex; /* in place of TCP */

	/* VRRP */
	int version;
	int type;
	int vrid;
	int priority;
	int naddrs;             /* addresses there are */
	int count;              /* addresses the header speaks of; FRAME_AS_IS: naddrs */
	__u32 addr;             /* the first; the others count up */
	bool backwards;         /* addresses in descending order */
	const char *addr6;      /* IPv6: the first */
	const char *addr6_next; /* ... the second; the others count up from it */
	int interval;           /* v2 seconds, v3 centiseconds */
	int reserve;            /* v3 */
	int auth_type;          /* v2 */
	const char *auth;
	int msg_add; /* bytes put behind the message, or taken off it; the IP length knows of them */
	enum frame_csum csum;
	__u16 csum_xor;
	const char *msg_hex; /* a golden message in its place */

	/* ARP */
	int op;
	int htype;
	int ptype;
	int hlen;
	int plen;
	enum mac sha;
	__u32 spa;
	enum mac tha;
	__u32 tpa;

	/* Neighbor Discovery, with msg_add and csum as VRRP has them */
	int nd_type;
	int nd_code;
	int nd_flags;
	const char *target6;
	const char *opt_hex;
};

#define ADVERT3(...)                                                                                                   \
	{                                                                                                              \
		.kind = FRAME_ADVERT, .eth_dst = MAC_GROUP, .eth_src = MAC_PEER, .eth_type = 0x0800, .src = ADDR_PEER, \
		.dst = ADDR_GROUP, .ip_version = 4, .ihl = 5, .total_len = FRAME_AS_IS, .ttl = 255, .proto = 112,      \
		.version = 3, .type = 1, .vrid = 51, .priority = 100, .naddrs = 1, .count = FRAME_AS_IS,               \
		.addr = ADDR_VIP, .interval = 100, __VA_ARGS__                                                         \
	}
#define ADVERT2(...)     ADVERT3(.version = 2, .interval = 1, __VA_ARGS__)
#define ADVERT2PASS(...) ADVERT2(.auth_type = 1, .auth = "1234", __VA_ARGS__)

/* To a unicast virtual router. */
#define UNICAST .eth_dst = MAC_VROUTER, .dst = ADDR_US

/* TCP to an address. */
#define PACKET(...)                                                                                                    \
	{                                                                                                              \
		.kind = FRAME_IP, .eth_dst = MAC_VROUTER, .eth_src = MAC_HOST, .eth_type = 0x0800, .src = ADDR_HOST,   \
		.dst = ADDR_VIP, .ip_version = 4, .ihl = 5, .total_len = FRAME_AS_IS, .ttl = 64, .proto = 6,           \
		__VA_ARGS__                                                                                            \
	}

/* A host asks for the VIP. */
#define ARP(...)                                                                                                       \
	{                                                                                                              \
		.kind = FRAME_ARP, .eth_dst = MAC_BROADCAST, .eth_src = MAC_HOST, .eth_type = 0x0806, .pad = 18,       \
		.htype = 1, .ptype = 0x0800, .hlen = 6, .plen = 4, .op = 1, .sha = MAC_HOST, .spa = ADDR_HOST,         \
		.tha = MAC_ZERO, .tpa = ADDR_VIP, __VA_ARGS__                                                          \
	}
/* ... and is answered. */
#define ARP_ANSWER(...)                                                                                                \
	ARP(.eth_dst = MAC_HOST, .eth_src = MAC_VROUTER, .op = 2, .sha = MAC_VROUTER, .spa = ADDR_VIP,                 \
	    .tha = MAC_HOST, .tpa = ADDR_HOST, __VA_ARGS__)
/* Somebody announces the VIP; keepalived and FRR fill the target hardware address with ones. */
#define ARP_ANNOUNCE(...)                                                                                              \
	ARP(.eth_src = MAC_PEER, .sha = MAC_PEER, .spa = ADDR_VIP, .tha = MAC_BROADCAST, .tpa = ADDR_VIP, __VA_ARGS__)

/* The same over IPv6. */
#define ADVERT6(...)                                                                                                   \
	ADVERT3(.family = 6, .flow = 0x0c012345, .eth_dst = MAC_GROUP6, .eth_type = 0x86dd, .ip_version = 6,           \
		.src6 = A6_PEER, .dst6 = A6_GROUP, .addr6 = A6_VIP, .addr6_next = A6_VIP_NEXT, __VA_ARGS__)
#define UNICAST6 .eth_dst = MAC_VROUTER6, .dst6 = A6_US_GLOBAL, .src6 = A6_PEER_GLOBAL
#define PACKET6(...)                                                                                                   \
	PACKET(.family = 6, .flow = 0x0012345, .eth_dst = MAC_VROUTER6, .eth_type = 0x86dd, .ip_version = 6,           \
	       .src6 = A6_HOST, .dst6 = A6_VIP, __VA_ARGS__)

#define OPT_HOST     "01 01 02 00 00 00 00 50"
#define OPT_STRANGER "01 01 02 00 00 00 07 07"
#define OPT_NONCE    "0e 01 11 22 33 44 55 66"
#define OPT_VROUTER  "02 01 00 00 5e 00 02 33"
#define OPT_VROUTER2 "02 01 00 00 5e 00 02 34"
#define OPT_PEER     "02 01 02 00 00 00 00 01"

/* A host asks for the VIP. */
#define ND(...)                                                                                                        \
	{                                                                                                              \
		.kind = FRAME_ND, .family = 6, .flow = 0x0012345, .eth_dst = MAC_SOLICITED, .eth_src = MAC_HOST,       \
		.eth_type = 0x86dd, .ip_version = 6, .total_len = FRAME_AS_IS, .ttl = 255, .proto = 58,                \
		.src6 = A6_HOST, .dst6 = A6_SOLICITED, .nd_type = 135, .target6 = A6_VIP, .opt_hex = OPT_HOST,         \
		__VA_ARGS__                                                                                            \
	}
/* ... and is answered: R, S, O. */
#define ND_ANSWER(...)                                                                                                 \
	ND(.eth_dst = MAC_HOST, .eth_src = MAC_VROUTER6, .src6 = A6_VIP, .dst6 = A6_HOST, .nd_type = 136,              \
	   .nd_flags = 0xe0, .opt_hex = OPT_VROUTER, .flow = 0, __VA_ARGS__)
/* A host that wants to have the VIP asks whether it is free; the answer goes to all. */
#define ND_PROBE(...)        ND(.src6 = "::", .opt_hex = OPT_NONCE, __VA_ARGS__)
#define ND_PROBE_ANSWER(...) ND_ANSWER(.eth_dst = MAC_ALL_NODES, .dst6 = A6_ALL_NODES, .nd_flags = 0xa0, __VA_ARGS__)
/* Somebody announces the VIP. */
#define ND_ANNOUNCE(...)                                                                                               \
	ND(.eth_dst = MAC_ALL_NODES, .eth_src = MAC_PEER, .src6 = A6_VIP, .dst6 = A6_ALL_NODES, .nd_type = 136,        \
	   .nd_flags = 0x20, .opt_hex = OPT_PEER, __VA_ARGS__)

/* Nothing behind the Ethernet header. */
#define RAW(...)                                                                                                       \
	{                                                                                                              \
		.kind = FRAME_RAW, .eth_dst = MAC_VROUTER, .eth_src = MAC_HOST, .eth_type = 0x88b5, __VA_ARGS__        \
	}

struct frame {
	__u8 b[FRAME_MAX];
	__u32 len;
};

vx_inline void frame_u8(struct frame *f, int v)
{
	assert(f->len < FRAME_MAX);
	f->b[f->len++] = (__u8)v;
}

vx_inline void frame_u16(struct frame *f, int v)
{
	frame_u8(f, v >> 8);
	frame_u8(f, v);
}

vx_inline void frame_u32(struct frame *f, __u32 v)
{
	frame_u16(f, v >> 16);
	frame_u16(f, v & 0xffff);
}

vx_inline void frame_bytes(struct frame *f, const void *from, __u32 len)
{
	assert(f->len + len <= FRAME_MAX);
	memcpy(f->b + f->len, from, len);
	f->len += len;
}

vx_inline int frame_nibble(char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* Octets in hex, lower case, blanks between them. */
static inline void frame_hex(struct frame *f, const char *hex)
{
	for (; *hex; hex += 2) {
		while (*hex == ' ')
			hex++;
		frame_u8(f, frame_nibble(hex[0]) << 4 | frame_nibble(hex[1]));
	}
}

/* RFC 1071, octet by octet; an odd last octet is followed by a zero. */
static inline __u32 frame_sum(const __u8 *b, __u32 len)
{
	__u32 sum = 0, i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? b[i] : b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

vx_inline void frame_put16(__u8 *at, __u32 v)
{
	at[0] = (__u8)(v >> 8);
	at[1] = (__u8)v;
}

static inline struct in6_addr frame_addr6(const char *text)
{
	struct in6_addr a;

	assert(inet_pton(AF_INET6, text, &a) == 1);
	return a;
}

vx_inline void frame_put_addr6(struct frame *f, const char *text)
{
	struct in6_addr a = frame_addr6(text);

	frame_bytes(f, &a, sizeof(a));
}

static inline void frame_ip6_header(struct frame *f, const struct frame_desc *d, __u32 payload)
{
	frame_u32(f, (__u32)d->ip_version << 28 | d->flow);
	frame_u16(f, d->total_len == FRAME_AS_IS ? (int)payload : d->total_len);
	frame_u8(f, d->proto);
	frame_u8(f, d->ttl);
	frame_put_addr6(f, d->src6);
	frame_put_addr6(f, d->dst6);
}

/* Sum of the pseudo-header of RFC 8200 8.1. */
static inline __u32 frame_pseudo6(const struct frame_desc *d, __u32 len, int next)
{
	struct frame pseudo = { .len = 0 };

	frame_put_addr6(&pseudo, d->src6);
	frame_put_addr6(&pseudo, d->csum == FRAME_CSUM_GROUP ? A6_GROUP : d->dst6);
	frame_u32(&pseudo, len);
	frame_u32(&pseudo, (__u32)next);
	return frame_sum(pseudo.b, pseudo.len);
}

static inline void frame_ip4_header(struct frame *f, const struct frame_desc *d, __u32 payload)
{
	__u32 start = f->len, words = d->ihl < 5 ? 5 : d->ihl, i;

	if (d->ip_hex) {
		frame_hex(f, d->ip_hex);
		return;
	}
	frame_u8(f, d->ip_version << 4 | d->ihl);
	frame_u8(f, 0xc0);
	frame_u16(f, d->total_len == FRAME_AS_IS ? (int)(words * 4 + payload) : d->total_len);
	frame_u16(f, 0);
	frame_u16(f, d->frag);
	frame_u8(f, d->ttl);
	frame_u8(f, d->proto);
	frame_u16(f, 0);
	frame_u32(f, d->src);
	frame_u32(f, d->dst);
	for (i = 5; i < words; i++) /* options: no-operation, one security option's worth of other bits, end */
		frame_u32(f, i == words - 1 ? 0x01010100 : 0x01010101);
	frame_put16(f->b + start + 10, (~frame_sum(f->b + start, words * 4) & 0xffff) ^ d->ip_csum_xor);
}

/* The checksum of the message of @len octets at @m; its own field is 0 by now. */
static inline __u32 frame_vrrp_csum(const struct frame_desc *d, const __u8 *m, __u32 len)
{
	struct frame pseudo = { .len = 0 };
	__u32 sum = frame_sum(m, len);

	if (d->csum == FRAME_CSUM_5798) {
		frame_u32(&pseudo, d->src);
		frame_u32(&pseudo, d->dst);
		frame_u16(&pseudo, 112);
		frame_u16(&pseudo, (int)len);
		sum += frame_sum(pseudo.b, pseudo.len);
	} else if (d->family == 6 && d->csum != FRAME_CSUM_BARE) {
		sum += frame_pseudo6(d, len, 112);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	if (d->csum == FRAME_CSUM_ZERO)
		return 0;
	return (d->csum == FRAME_CSUM_WRONG ? sum ^ 0x0100 : sum) ^ d->csum_xor;
}

/* The @i-th address of an advert. */
static inline void frame_vrrp_addr(struct frame *f, const struct frame_desc *d, int i)
{
	struct in6_addr a;

	if (d->family != 6) {
		frame_u32(f, d->addr + (__u32)i);
		return;
	}
	a = frame_addr6(i ? d->addr6_next : d->addr6);
	if (i)
		frame_put16(a.s6_addr + 14, (__u32)(a.s6_addr[14] << 8 | a.s6_addr[15]) + (__u32)i - 1);
	frame_bytes(f, &a, sizeof(a));
}

static inline void frame_vrrp(struct frame *f, const struct frame_desc *d)
{
	__u32 start = f->len;
	int i;

	if (d->msg_hex) {
		frame_hex(f, d->msg_hex);
		return;
	}
	frame_u8(f, d->version << 4 | d->type);
	frame_u8(f, d->vrid);
	frame_u8(f, d->priority);
	frame_u8(f, d->count == FRAME_AS_IS ? d->naddrs : d->count);
	frame_u16(f, d->version == 2 ? d->auth_type << 8 | d->interval : d->reserve << 12 | d->interval);
	frame_u16(f, 0);
	for (i = 0; i < d->naddrs; i++)
		frame_vrrp_addr(f, d, d->backwards ? d->naddrs - 1 - i : i);
	if (d->version == 2) {
		__u8 auth[8] = { 0 };

		if (d->auth)
			memcpy(auth, d->auth, strlen(d->auth));
		frame_bytes(f, auth, sizeof(auth));
	}
	for (i = 0; i < d->msg_add; i++)
		frame_u8(f, 0);
	if (d->msg_add < 0)
		f->len += (__u32)d->msg_add;
	if (f->len - start >= 8)
		frame_put16(f->b + start + 6, frame_vrrp_csum(d, f->b + start, f->len - start));
}

static inline void frame_arp(struct frame *f, const struct frame_desc *d)
{
	frame_u16(f, d->htype);
	frame_u16(f, d->ptype);
	frame_u8(f, d->hlen);
	frame_u8(f, d->plen);
	frame_u16(f, d->op);
	frame_bytes(f, mac_bytes[d->sha], 6);
	frame_u32(f, d->spa);
	frame_bytes(f, mac_bytes[d->tha], 6);
	frame_u32(f, d->tpa);
}

static inline void frame_nd(struct frame *f, const struct frame_desc *d)
{
	__u32 start = f->len, sum;
	int i;

	frame_u8(f, d->nd_type);
	frame_u8(f, d->nd_code);
	frame_u16(f, 0);
	frame_u32(f, (__u32)d->nd_flags << 24);
	frame_put_addr6(f, d->target6);
	frame_hex(f, d->opt_hex);
	for (i = 0; i < d->msg_add; i++)
		frame_u8(f, 0);
	if (d->msg_add < 0)
		f->len += (__u32)d->msg_add;
	if (f->len - start < 4)
		return;
	sum = frame_sum(f->b + start, f->len - start) + frame_pseudo6(d, f->len - start, 58);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	frame_put16(f->b + start + 2, sum ^ d->csum_xor);
}

/* The IP header and what is behind it. */
static inline void frame_packet(struct frame *f, const struct frame_desc *d, const struct frame *payload)
{
	struct frame ext = { .len = 0 };

	if (d->family == 6) {
		frame_hex(&ext, d->ext_hex ? d->ext_hex : "");
		frame_ip6_header(f, d, ext.len + payload->len);
		frame_bytes(f, ext.b, ext.len);
	} else {
		frame_ip4_header(f, d, payload->len);
	}
	frame_bytes(f, payload->b, payload->len);
}

static inline void frame_build(struct frame *f, const struct frame_desc *d)
{
	static const __u8 tcp[20] = { 0x9c, 0x40, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff };
	struct frame payload = { .len = 0 };
	int i;

	f->len = 0;
	frame_bytes(f, mac_bytes[d->eth_dst], 6);
	frame_bytes(f, mac_bytes[d->eth_src], 6);
	for (i = 0; i < FRAME_MAX_TAGS && d->tag[i].tpid; i++) {
		frame_u16(f, d->tag[i].tpid);
		frame_u16(f, d->tag[i].tci);
	}
	frame_u16(f, d->eth_type);
	if (d->kind == FRAME_ARP)
		frame_arp(f, d);
	if (d->kind == FRAME_ADVERT)
		frame_vrrp(&payload, d);
	if (d->kind == FRAME_ND)
		frame_nd(&payload, d);
	if (d->kind == FRAME_IP && d->payload_hex)
		frame_hex(&payload, d->payload_hex);
	else if (d->kind == FRAME_IP)
		frame_bytes(&payload, tcp, sizeof(tcp));
	if (d->kind == FRAME_ADVERT || d->kind == FRAME_IP || d->kind == FRAME_ND)
		frame_packet(f, d, &payload);
	for (i = 0; i < d->pad; i++)
		frame_u8(f, d->pad_byte);
	frame_hex(f, d->pad_hex ? d->pad_hex : "");
	f->len -= (__u32)d->cut;
}

#endif
