/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Echo requests, as a program in the driver and one beside it make them; a request is recognised by TALLY_ECHO_ID. */
#ifndef ECHO_H
#define ECHO_H

#include "advert.h"
#include "arp.h"
#include "nd.h"
#include "tests/lab/tally.h"

enum { ICMP_REPLY = 0, ICMP_REQUEST = 8, ICMP6_REQUEST = 128, ICMP6_REPLY = 129, IPPROTO_ICMP4 = 1 };

struct icmp_echo {
	__u8 type, code;
	__be16 csum, id, seq;
};

/* Behind the Ethernet header; the one as long as an announcement by ARP, the other as one by ND with one option. */
struct echo4 {
	struct vx_ip4 ip;
	struct icmp_echo icmp;
};

struct echo6 {
	struct vx_ip6 ip;
	struct icmp_echo icmp;
	__u8 data[24];
};

/* Inverted, of @words words of 4 bytes; none is read behind @end, which is for the verifier. */
vx_inline __be16 sum_of(const void *p, const void *end, __u64 sum, __u32 words)
{
	const __u8 *w = p;
	__u32 i;

	for (i = 0; i < words && (const void *)(w + 4 * i + 4) <= end; i++)
		sum += vx_get32(w + 4 * i);
	return ~csum_fold(sum);
}

/* The whole of @p is before @end. */
vx_inline void echo4_put(struct echo4 *p, const void *end, __be32 src, __be32 dst)
{
	p->ip = (struct vx_ip4){ .ver_ihl = 0x45,
				 .len = VX_BE16(sizeof(p->ip) + sizeof(p->icmp)),
				 .ttl = 64,
				 .proto = IPPROTO_ICMP4,
				 .src = src,
				 .dst = dst };
	p->ip.csum = sum_of(&p->ip, end, 0, sizeof(p->ip) / 4);
	p->icmp = (struct icmp_echo){ .type = ICMP_REQUEST, .id = VX_BE16(TALLY_ECHO_ID) };
	p->icmp.csum = sum_of(&p->icmp, end, 0, sizeof(p->icmp) / 4);
}

/* The same; version and flow are left as they are. */
vx_inline void echo6_put(struct echo6 *p, const void *end, const struct vx_addr *src, const struct vx_addr *dst)
{
	__u32 len = sizeof(p->icmp) + sizeof(p->data);

	p->ip.len = VX_BE16(sizeof(p->icmp) + sizeof(p->data));
	p->ip.next = VX_IPPROTO_ICMPV6;
	p->ip.hop_limit = 64;
	ip6_put(p->ip.src, src);
	ip6_put(p->ip.dst, dst);
	__builtin_memset(p->data, 0, sizeof(p->data));
	p->icmp = (struct icmp_echo){ .type = ICMP6_REQUEST, .id = VX_BE16(TALLY_ECHO_ID) };
	p->icmp.csum = sum_of(&p->icmp, end, ip6_pseudo(src, dst, len, VX_IPPROTO_ICMPV6), len / 4);
}

#endif
