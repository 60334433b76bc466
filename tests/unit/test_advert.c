// SPDX-License-Identifier: GPL-2.0-or-later
/* include/advert.h: the golden vectors of docs/vrrp-rules.md built and verified, and what is built is accepted again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "advert.h"
#include "tests/frames.h"

#define GV9 "45 c0 00 20 00 00 00 00 ff 70 18 9a c0 00 02 01 e0 00 00 12"

static const struct vx_addr vips[2] = { { { VX_BE32(ADDR_VIP) } }, { { VX_BE32(ADDR_VIP + 1) } } };
/* fe80::100, 2001:db8::100 */
static const struct vx_addr vips6[2] = { { { VX_BE32(0xfe800000), 0, 0, VX_BE32(0x100) } },
					 { { VX_BE32(0x20010db8), 0, 0, VX_BE32(0x100) } } };
static const __u8 password[8] = "1234";

/* VRID 51 from 192.0.2.1, priority 100, one address: what the vectors have in common. */
#define PARAMS(...)                                                                                                    \
	{                                                                                                              \
		.family = 4, .src = { { VX_BE32(ADDR_PEER) } }, .dst = { { ADVERT_GROUP4 } }, .vips = vips,            \
		.auth = password, .adver_ns = VX_NS_PER_S, .version = 3, .vrid = 51, .priority = 100, .nvips = 1,      \
		__VA_ARGS__                                                                                            \
	}

/* From fe80::1 to ff02::12. */
#define PARAMS6(...)                                                                                                   \
	PARAMS(.family = 6, .src = { { VX_BE32(0xfe800000), 0, 0, VX_BE32(1) } },                                      \
	       .dst = { { VX_BE32(0xff020000), 0, 0, VX_BE32(0x12) } }, .vips = vips6, .nvips = 2, __VA_ARGS__)

static const struct golden {
	const char *name, *hex;
	struct advert_params p;
	__u32 note;
} goldens[] = {
	{ "GV-1", "21 33 64 01 00 01 b8 65 c0 00 02 64 00 00 00 00 00 00 00 00", PARAMS(.version = 2), 0 },
	{ "GV-2", "21 33 00 01 00 01 1c 66 c0 00 02 64 00 00 00 00 00 00 00 00", PARAMS(.version = 2, .priority = 0),
	  0 },
	{ "GV-3", "21 33 64 01 01 01 52 ff c0 00 02 64 31 32 33 34 00 00 00 00", PARAMS(.version = 2, .auth_type = 1),
	  0 },
	{ "GV-4", "31 33 64 01 00 64 a8 02 c0 00 02 64", PARAMS(), ADVERT_NOTE_CSUM_9568 },
	{ "GV-5", "31 33 64 01 00 64 05 72 c0 00 02 64", PARAMS(.csum_5798 = true), ADVERT_NOTE_CSUM_5798 },
	{ "GV-6", "31 33 00 01 00 64 0c 03 c0 00 02 64", PARAMS(.priority = 0), ADVERT_NOTE_CSUM_9568 },
	{ "GV-7", "31 33 fe 02 00 01 4b fe c0 00 02 64 c0 00 02 65",
	  PARAMS(.priority = 254, .nvips = 2, .adver_ns = ADVERT_CS_NS), ADVERT_NOTE_CSUM_9568 },
	{ "GV-8",
	  "31 33 64 02 00 64 3d fd fe 80 00 00 00 00 00 00 00 00 00 00 00 00 01 00 "
	  "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 01 00",
	  PARAMS6(), 0 },
};

/* The configuration of the receiver that expects exactly this advert. */
static struct vx_vr_config config_of(const struct advert_params *p)
{
	struct vx_vr_config cfg = { .group = p->dst,
				    .flags = VX_CFG_CSUM_9568 | VX_CFG_CSUM_5798,
				    .adver_ns = p->adver_ns,
				    .vrid = p->vrid,
				    .family = p->family,
				    .version = p->version,
				    .priority = 90,
				    .auth_type = p->auth_type,
				    .nvips = p->nvips };
	int i;

	memcpy(cfg.auth, p->auth, sizeof(cfg.auth));
	for (i = 0; i < p->nvips; i++)
		cfg.vip_sum += advert_vip_mix(p->family, &p->vips[i]);
	return cfg;
}

static enum vx_ctr check_ip(struct cur *c, struct advert *a, __u32 len, __u8 family)
{
	enum vx_ctr bad;
	int opt;

	if (family == 6)
		return advert_ip6(c, a, len);
	bad = advert_ip4_open(c, a);
	if (bad)
		return bad;
	opt = advert_opt_sum(c, advert_opt_words(a));
	return opt < 0 ? VX_CTR_RX_IP_HDR : advert_ip4_close(a, opt, len);
}

/* All of the receive rules over a packet of @len bytes, in a heap block of that length. */
static enum vx_ctr check(const __u8 *packet, __u32 len, const struct vx_vr_config *cfg, struct advert *a, __u32 *notes)
{
	struct advert_lookup lk = { .cfg = cfg };
	struct advert_sums sums = { .sum = 0 };
	__u8 *copy = malloc(len);
	struct cur c = { .pos = copy, .end = copy + len };
	enum vx_ctr bad;

	assert_non_null(copy);
	memcpy(copy, packet, len);
	*a = (struct advert){ .eth_multicast = 1 };
	bad = check_ip(&c, a, len, cfg->family);
	if (!bad)
		bad = advert_hdr(&c, a);
	if (!bad)
		bad = advert_check_head(a, &lk);
	if (!bad && !(a->family == 6 ? advert_walk6(&c, ADVERT_MAX_ADDRS, a->count, &sums)
				     : advert_walk(&c, ADVERT_MAX_ADDRS, a->count, a->version == 2, &sums)))
		bad = VX_CTR_RX_LEN;
	if (!bad)
		bad = advert_check_body(a, &lk, &sums, notes);
	assert_true(bad || c.pos == c.end);
	free(copy);
	return bad;
}

static void golden_vectors_are_built_to_the_octet(void **state __attribute__((unused)))
{
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(goldens); i++) {
		struct frame want = { .len = 0 };
		__u8 buf[ADVERT_MAX_PACKET];
		__u32 len, head = goldens[i].p.family == 6 ? 40 : 20;

		frame_hex(&want, goldens[i].hex);
		len = advert_build(buf, &goldens[i].p, 0);
		print_message("%s\n", goldens[i].name);
		assert_int_equal(len, head + want.len);
		assert_memory_equal(buf + head, want.b, want.len);
	}
}

static void golden_vector_9_is_the_header_around_golden_vector_4(void **state __attribute__((unused)))
{
	struct advert_params p = PARAMS();
	struct frame want = { .len = 0 };
	__u8 buf[ADVERT_MAX_PACKET];

	frame_hex(&want, GV9);
	assert_int_equal(advert_build(buf, &p, 0), 32);
	assert_memory_equal(buf, want.b, 20);
}

static void golden_vectors_are_accepted(void **state __attribute__((unused)))
{
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(goldens); i++) {
		const struct advert_params *p = &goldens[i].p;
		struct frame_desc d = ADVERT3(.msg_hex = goldens[i].hex), d6 = ADVERT6(.msg_hex = goldens[i].hex);
		struct vx_vr_config cfg = config_of(p);
		struct frame f;
		struct advert a;
		__u32 notes = 0;

		frame_build(&f, p->family == 6 ? &d6 : &d);
		print_message("%s\n", goldens[i].name);
		assert_int_equal(check(f.b + 14, f.len - 14, &cfg, &a, &notes), VX_CTR_NONE);
		assert_int_equal(notes, goldens[i].note);
		assert_true(vx_addr_eq(&a.src, &p->src));
		assert_true(vx_addr_eq(&a.dst, &p->dst));
		assert_int_equal(a.vrid, 51);
		assert_int_equal(a.priority, p->priority);
		assert_int_equal(a.count, p->nvips);
		assert_int_equal(a.adver_ns, p->adver_ns);
	}
}

/* SEC-14: every octet counts. The v3 header's Reserve bits too: they are ignored, but covered by the checksum. */
static void golden_vectors_with_any_bit_flipped_are_refused(void **state __attribute__((unused)))
{
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(goldens); i++) {
		struct vx_vr_config cfg = config_of(&goldens[i].p);
		__u8 buf[ADVERT_MAX_PACKET];
		__u32 len = advert_build(buf, &goldens[i].p, 0), bit;
		struct advert a;
		__u32 notes;

		for (bit = 0; bit < len * 8; bit++) {
			if (goldens[i].p.family == 6 && (bit < 8 ? 1 << (7 - bit) & 0x0f : bit < 32))
				continue; /* traffic class and flow label, which nothing protects */
			buf[bit / 8] ^= 0x80 >> bit % 8;
			assert_int_not_equal(check(buf, len, &cfg, &a, &notes), VX_CTR_NONE);
			buf[bit / 8] ^= 0x80 >> bit % 8;
		}
	}
}

/* xorshift64: the same adverts in every run. */
static __u32 rnd(void)
{
	static __u64 x = 0x9568;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (__u32)(x >> 32);
}

static void random_params(struct advert_params *p, struct vx_addr *addrs, __u8 *auth)
{
	int i;

	for (i = 0; i < ADVERT_MAX_ADDRS; i++)
		addrs[i] = (struct vx_addr){ .w = { rnd(), rnd(), rnd(), rnd() } };
	for (i = 0; i < 8; i++)
		auth[i] = (__u8)rnd();
	*p = (struct advert_params){ .family = 4,
				     .src = vx_addr4(VX_BE32(IP4(10, 0, 0, 0) | (rnd() & 0xffffff))),
				     .dst = vx_addr4(ADVERT_GROUP4),
				     .vips = addrs,
				     .auth = auth,
				     .version = rnd() & 1 ? 2 : 3,
				     .vrid = (__u8)(rnd() % 255 + 1),
				     .priority = (__u8)rnd(),
				     .nvips = (__u8)(rnd() % 255 + 1),
				     .csum_5798 = rnd() & 1 };
	p->adver_ns = p->version == 2 ? (rnd() % 255 + 1) * VX_NS_PER_S : (rnd() % 4095 + 1) * ADVERT_CS_NS;
	p->auth_type = p->version == 2 && rnd() & 1;
}

static void what_is_built_is_accepted_and_says_the_same(void **state __attribute__((unused)))
{
	static struct vx_addr addrs[ADVERT_MAX_ADDRS];
	struct advert_params p;
	__u8 auth[8];
	int i, j;

	for (i = 0; i < 20000; i++) {
		__u8 buf[ADVERT_MAX_PACKET + 1];
		struct vx_vr_config cfg;
		struct advert a;
		__u32 len, notes = 0;

		random_params(&p, addrs, auth);
		cfg = config_of(&p);
		cfg.flags = p.csum_5798 ? VX_CFG_CSUM_5798 : VX_CFG_CSUM_9568;
		memset(buf, 0xee, sizeof(buf));
		len = advert_build(buf, &p, (__u16)rnd());
		assert_int_equal(buf[len], 0xee);
		assert_int_equal(len, 20 + (p.version == 2 ? 16 : 8) + 4 * p.nvips); /* WF-1 */
		assert_int_equal(frame_sum(buf, 20), 0xffff);
		assert_int_equal(check(buf, len, &cfg, &a, &notes), VX_CTR_NONE);
		assert_int_equal(notes, p.version == 2 ? 0
					: p.csum_5798  ? ADVERT_NOTE_CSUM_5798
						       : ADVERT_NOTE_CSUM_9568);
		assert_true(vx_addr_eq(&a.src, &p.src));
		assert_int_equal(a.version, p.version);
		assert_int_equal(a.vrid, p.vrid);
		assert_int_equal(a.priority, p.priority);
		assert_int_equal(a.adver_ns, p.adver_ns);
		assert_int_equal(a.count, p.nvips);
		assert_int_equal(a.ttl, 255);
		for (j = 0; j < p.nvips; j++) /* WF-3: in the order given */
			assert_int_equal(vx_get32(buf + 28 + 4 * j), addrs[j].w[0]);
	}
}

static void random_params6(struct advert_params *p, struct vx_addr *addrs, __u8 *auth)
{
	random_params(p, addrs, auth);
	p->family = 6;
	p->version = 3;
	p->auth_type = 0;
	p->adver_ns = (rnd() % 4095 + 1) * ADVERT_CS_NS;
	p->src = (struct vx_addr){ .w = { VX_BE32(0xfe800000U | (rnd() & 0x3fffff)), rnd(), rnd(), rnd() } };
	p->dst = ADVERT_GROUP6;
	addrs[0].w[0] = VX_BE32(0xfe800000U);
}

/* The same over IPv6; the checksum is computed a second time, octet by octet. */
static void what_is_built_over_ipv6_is_accepted_and_says_the_same(void **state __attribute__((unused)))
{
	static struct vx_addr addrs[ADVERT_MAX_ADDRS];
	static const __u8 next[4] = { 0, 0, 0, 112 };
	struct advert_params p;
	__u8 auth[8];
	int i;

	for (i = 0; i < 5000; i++) {
		__u8 buf[ADVERT_MAX_PACKET + 1];
		struct frame pseudo = { .len = 0 };
		struct vx_vr_config cfg;
		__u32 len, notes = 0;
		struct advert a;

		random_params6(&p, addrs, auth);
		cfg = config_of(&p);
		cfg.flags |= VX_CFG_FIRST_LL;
		memset(buf, 0xee, sizeof(buf));
		len = advert_build(buf, &p, (__u16)rnd());
		assert_int_equal(buf[len], 0xee);
		assert_int_equal(len, 48 + 16 * p.nvips); /* WF-1 */
		frame_bytes(&pseudo, buf + 8, 32);
		frame_u32(&pseudo, len - 40);
		frame_bytes(&pseudo, next, 4);
		frame_bytes(&pseudo, buf + 40, len - 40);
		assert_int_equal(frame_sum(pseudo.b, pseudo.len), 0xffff);
		assert_int_equal(check(buf, len, &cfg, &a, &notes), VX_CTR_NONE);
		assert_int_equal(notes, 0);
		assert_true(vx_addr_eq(&a.src, &p.src));
		assert_true(vx_addr_eq(&a.dst, &p.dst));
		assert_int_equal(a.version, 3);
		assert_int_equal(a.vrid, p.vrid);
		assert_int_equal(a.priority, p.priority);
		assert_int_equal(a.adver_ns, p.adver_ns);
		assert_int_equal(a.count, p.nvips);
		assert_int_equal(a.ttl, 255);
		assert_memory_equal(buf + 48, addrs, 16 * p.nvips); /* WF-3: in the order given */
	}
}

/* RFC 9568 5.2.7: the field is in centiseconds. */
static void interval_is_rounded_down_to_what_the_wire_has(void **state __attribute__((unused)))
{
	static const struct {
		__u64 ns;
		__u8 b4, b5;
	} rows[] = {
		{ 10 * VX_NS_PER_MS, 0x00, 0x01 },   { 19999999, 0x00, 0x01 },
		{ 20 * VX_NS_PER_MS, 0x00, 0x02 },   { 2550 * VX_NS_PER_MS, 0x00, 0xff },
		{ 2560 * VX_NS_PER_MS, 0x01, 0x00 }, { 40950 * VX_NS_PER_MS, 0x0f, 0xff },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		struct advert_params p = PARAMS(.adver_ns = rows[i].ns);
		__u8 buf[ADVERT_MAX_PACKET];

		advert_build(buf, &p, 0);
		assert_int_equal(buf[24], rows[i].b4);
		assert_int_equal(buf[25], rows[i].b5);
	}
}

/* WF-6: no password leaves under type 0, nor in v3. */
static void password_is_sent_under_type_1_only(void **state __attribute__((unused)))
{
	struct advert_params p = PARAMS(.version = 2);
	static const __u8 zero[8];
	__u8 buf[ADVERT_MAX_PACKET];
	__u32 len = advert_build(buf, &p, 0);

	assert_memory_equal(buf + len - 8, zero, 8);
	p.version = 3;
	p.auth_type = 1;
	assert_int_equal(advert_build(buf, &p, 0), 32);
	assert_int_equal(buf[24], 0);
}

/* 1.3: TOS, TTL, no options, no fragment field, the ID as given. */
static void ip_header_is_what_other_routers_send(void **state __attribute__((unused)))
{
	struct advert_params p = PARAMS(.dst = { { VX_BE32(ADDR_US) } });
	struct frame want = { .len = 0 };
	__u8 buf[ADVERT_MAX_PACKET];

	advert_build(buf, &p, 0x1234);
	frame_hex(&want, "45 c0 00 20 12 34 00 00 ff 70");
	assert_memory_equal(buf, want.b, 10);
	assert_int_equal(frame_sum(buf, 20), 0xffff);
	want.len = 0;
	frame_u32(&want, ADDR_PEER);
	frame_u32(&want, ADDR_US);
	assert_memory_equal(buf + 12, want.b, 8);
}

/* 1.3: traffic class CS6, no flow label, next header 112, hop limit as asked for. */
static void ipv6_header_is_what_other_routers_send(void **state __attribute__((unused)))
{
	struct advert_params p = PARAMS6();
	struct frame want = { .len = 0 };
	__u8 buf[ADVERT_MAX_PACKET];

	frame_hex(&want, "6c 00 00 00 00 28 70 ff fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01 "
			 "ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 12");
	assert_int_equal(advert_build(buf, &p, 0x1234), 80);
	assert_memory_equal(buf, want.b, 40);
	p.ttl = 64; /* KA-29 */
	advert_build(buf, &p, 0);
	assert_int_equal(buf[7], 64);
}

/* WF-1 */
static void lengths_are_those_of_the_standard(void **state __attribute__((unused)))
{
	assert_int_equal(advert_len(4, 2, 1), 20);
	assert_int_equal(advert_len(4, 2, 255), 1036);
	assert_int_equal(advert_len(4, 3, 1), 12);
	assert_int_equal(advert_len(4, 3, 255), 1028);
	assert_int_equal(advert_len(6, 3, 1), 24);
	assert_int_equal(advert_len(6, 3, 90), 1448);
	assert_int_equal(advert_len(6, 3, 255), 4088);
	assert_int_equal(ADVERT_MAX_PACKET, 4128);
	assert_int_equal(advert_ip_len(4), 20);
	assert_int_equal(advert_ip_len(6), 40);
}

/* RX-14 at each edge. */
/* WF-4: 68 is the least that IPv4 allows (RFC 791), 1280 that IPv6 does (RFC 8200 5). The numbers are those of keepalived 2.2.7. */
static void an_advert_holds_what_the_mtu_lets_it_hold(void **state __attribute__((unused)))
{
	static const struct {
		__u8 family, version;
		__u32 mtu, fits;
	} cases[] = {
		{ 4, 3, 68, 6 },      { 4, 2, 68, 4 },     { 4, 3, 69, 6 },     { 4, 3, 70, 7 },
		{ 4, 3, 576, 133 },   { 4, 3, 1061, 254 }, { 4, 3, 1062, 255 }, { 4, 3, 1500, 255 },
		{ 4, 3, 65535, 255 }, { 6, 3, 1280, 76 },  { 6, 3, 1400, 83 },  { 6, 3, 1500, 89 },
		{ 6, 3, 9000, 255 },  { 4, 3, 42, 0 },     { 4, 2, 20, 0 },     { 6, 3, 0, 0 },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(cases); i++) {
		__u32 n = advert_fits(cases[i].family, cases[i].version, cases[i].mtu);

		assert_int_equal(n, cases[i].fits);
		if (n)
			assert_true(advert_ip_len(cases[i].family) + advert_len(cases[i].family, cases[i].version, n) <=
				    cases[i].mtu);
	}
}

static void sources_that_cannot_be_are_told_from_those_that_can(void **state __attribute__((unused)))
{
	static const struct {
		__u32 addr;
		bool bad;
	} rows[] = {
		{ IP4(0, 0, 0, 0), true },         { IP4(0, 255, 255, 255), true },
		{ IP4(1, 0, 0, 0), false },        { IP4(126, 255, 255, 255), false },
		{ IP4(127, 0, 0, 0), true },       { IP4(127, 255, 255, 255), true },
		{ IP4(128, 0, 0, 0), false },      { IP4(223, 255, 255, 255), false },
		{ IP4(224, 0, 0, 0), true },       { IP4(240, 0, 0, 1), true },
		{ IP4(255, 255, 255, 255), true },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		struct vx_addr src = vx_addr4(VX_BE32(rows[i].addr));

		assert_int_equal(advert_src_bad(4, &src, true), rows[i].bad);
		assert_int_equal(advert_src_bad(4, &src, false), rows[i].bad);
	}
}

static void ipv6_sources_that_cannot_be_are_told_from_those_that_can(void **state __attribute__((unused)))
{
	static const struct {
		const char *addr;
		bool bad, bad_multicast;
	} rows[] = {
		{ "::", true, true },           { "::1", true, true },        { "::2", false, true },
		{ "1::1", false, true },        { "::1:0:0:1", false, true }, { "2001:db8::1", false, true },
		{ "fe7f:ffff::", false, true }, { "fe80::1", false, false },  { "febf:ffff::", false, false },
		{ "fec0::", false, true },      { "feff::", false, true },    { "ff00::", true, true },
		{ "ff02::12", true, true },     { "ffff::", true, true },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		struct in6_addr a = frame_addr6(rows[i].addr);
		struct vx_addr src = ip6_addr(a.s6_addr);

		assert_int_equal(advert_src_bad(6, &src, false), rows[i].bad);
		assert_int_equal(advert_src_bad(6, &src, true), rows[i].bad_multicast);
	}
}

/* WF-3, RX-31: the same set in any order, and no cheap collision such as swapped halves or neighbours. */
static void address_sets_are_told_apart_whatever_their_order(void **state __attribute__((unused)))
{
	static const struct {
		__u32 a[3], b[3];
		bool same;
	} rows[] = {
		{ { 1, 2, 3 }, { 3, 1, 2 }, true },
		{ { 0xc0000264, 0xc0000265, 0 }, { 0xc0000263, 0xc0000266, 0 }, false },
		{ { 0xc0000264, 0x0a000001, 0 }, { 0xc0000001, 0x0a000264, 0 }, false },
		{ { 0xc0000264, 0, 0 }, { 0x640200c0, 0, 0 }, false },
		{ { 5, 5, 7 }, { 5, 7, 7 }, false },
	};
	size_t i;
	int j;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		__u64 a = 0, b = 0;

		for (j = 0; j < 3; j++) {
			a += advert_addr_mix(VX_BE32(rows[i].a[j]));
			b += advert_addr_mix(VX_BE32(rows[i].b[j]));
		}
		assert_int_equal(a == b, rows[i].same);
	}
}

static __u64 mix_of(const char *const *addrs)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < 2; i++) {
		struct in6_addr a = frame_addr6(addrs[i]);
		struct vx_addr addr = ip6_addr(a.s6_addr);

		sum += advert_vip_mix(6, &addr);
	}
	return sum;
}

static void ipv6_address_sets_are_told_apart_whatever_their_order(void **state __attribute__((unused)))
{
	static const struct {
		const char *a[2], *b[2];
		bool same;
	} rows[] = {
		{ { "fe80::1", "2001:db8::1" }, { "2001:db8::1", "fe80::1" }, true },
		{ { "fe80::1", "fe80::4" }, { "fe80::2", "fe80::3" }, false },
		{ { "fe80::1", "2001:db8::2" }, { "fe80::2", "2001:db8::1" }, false },
		{ { "fe80::1", "::" }, { "::1", "fe80::" }, false },
		{ { "1:2:3:4:5:6:7:8", "::" }, { "5:6:7:8:1:2:3:4", "::" }, false },
		{ { "1:2:3:4:5:6:7:8", "::" }, { "2:1:3:4:5:6:7:8", "::" }, false },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++)
		assert_int_equal(mix_of(rows[i].a) == mix_of(rows[i].b), rows[i].same);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(golden_vectors_are_built_to_the_octet),
		TEST(golden_vector_9_is_the_header_around_golden_vector_4),
		TEST(golden_vectors_are_accepted),
		TEST(golden_vectors_with_any_bit_flipped_are_refused),
		TEST(what_is_built_is_accepted_and_says_the_same),
		TEST(what_is_built_over_ipv6_is_accepted_and_says_the_same),
		TEST(ipv6_header_is_what_other_routers_send),
		TEST(ipv6_sources_that_cannot_be_are_told_from_those_that_can),
		TEST(ipv6_address_sets_are_told_apart_whatever_their_order),
		TEST(interval_is_rounded_down_to_what_the_wire_has),
		TEST(password_is_sent_under_type_1_only),
		TEST(ip_header_is_what_other_routers_send),
		TEST(lengths_are_those_of_the_standard),
		TEST(an_advert_holds_what_the_mtu_lets_it_hold),
		TEST(sources_that_cannot_be_are_told_from_those_that_can),
		TEST(address_sets_are_told_apart_whatever_their_order),
	};

	return cmocka_run_group_tests_name("advert", tests, NULL, NULL);
}
