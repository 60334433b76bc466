/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames from descriptions: ADVERT3(.ttl = 254) is a good VRRPv3 advert but for its TTL. The bytes and the checksums are made
 * here a second time, from the RFCs and octet by octet, so that an error in include/ is not repeated in its own tests.
 */
#ifndef VX_TESTS_FRAMES_H
#define VX_TESTS_FRAMES_H

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
	[MAC_MULTICAST] = { 0x03, 0x00, 0x00, 0x00, 0x00, 0x50 },
};

enum frame_kind { FRAME_NONE, FRAME_ADVERT, FRAME_IP, FRAME_ARP, FRAME_RAW };

enum frame_csum { FRAME_CSUM_9568, FRAME_CSUM_5798, FRAME_CSUM_WRONG, FRAME_CSUM_ZERO };

enum { FRAME_AS_IS = -1, FRAME_MAX = 2048, FRAME_MAX_TAGS = 4 };

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
	int cut; /* bytes missing at the frame's end */

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

	/* VRRP */
	int version;
	int type;
	int vrid;
	int priority;
	int naddrs;     /* addresses there are */
	int count;      /* addresses the header speaks of; FRAME_AS_IS: naddrs */
	__u32 addr;     /* the first; the others count up */
	bool backwards; /* addresses in descending order */
	int interval;   /* v2 seconds, v3 centiseconds */
	int reserve;    /* v3 */
	int auth_type;  /* v2 */
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
		sum = (sum & 0xffff) + (sum >> 16);
	}
	sum = ~sum & 0xffff;
	if (d->csum == FRAME_CSUM_ZERO)
		return 0;
	return (d->csum == FRAME_CSUM_WRONG ? sum ^ 0x0100 : sum) ^ d->csum_xor;
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
		frame_u32(f, d->addr + (__u32)(d->backwards ? d->naddrs - 1 - i : i));
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
	if (d->kind == FRAME_IP)
		frame_bytes(&payload, tcp, sizeof(tcp));
	if (d->kind == FRAME_ADVERT || d->kind == FRAME_IP) {
		frame_ip4_header(f, d, payload.len);
		frame_bytes(f, payload.b, payload.len);
	}
	for (i = 0; i < d->pad; i++)
		frame_u8(f, d->pad_byte);
	f->len -= (__u32)d->cut;
}

#endif
