// SPDX-License-Identifier: GPL-2.0-or-later
/* include/nd.h: what a message says, the answer made in place, our announcement to the octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nd.h"
#include "tests/frames.h"

/* ND-7: fe80::100, virtual MAC 00:00:5e:00:02:33. */
static void unsolicited_advertisement_is_the_vector(void **state __attribute__((unused)))
{
	static const __u8 vip[16] = { 0xfe, 0x80, [14] = 1 }, mac[6] = { 0, 0, 0x5e, 0, 2, 0x33 };
	static const char hex[] = "33 33 00 00 00 01 00 00 5e 00 02 33 86 dd 60 00 00 00 00 20 3a ff "
				  "fe 80 00 00 00 00 00 00 00 00 00 00 00 00 01 00 "
				  "ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01 "
				  "88 00 77 6a a0 00 00 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 01 00 "
				  "02 01 00 00 5e 00 02 33";
	struct frame want = { .len = 0 };
	__u8 buf[ND_FRAME_LEN + 1];

	frame_hex(&want, hex);
	assert_int_equal(want.len, ND_FRAME_LEN);
	memset(buf, 0xee, sizeof(buf));
	nd_build_unsolicited(buf, mac, vip);
	assert_memory_equal(buf, want.b, want.len);
	assert_int_equal(buf[ND_FRAME_LEN], 0xee);
}

/* Parses the frame in a heap block of exactly its length; the caller frees *block. */
static struct nd_packet *parse(const struct frame_desc *d, struct nd_view *v, struct nd_opts *o, bool *valid,
			       __u8 **block)
{
	struct nd_packet *p;
	struct frame f;
	struct link l;
	struct cur c;

	frame_build(&f, d);
	*block = malloc(f.len);
	assert_non_null(*block);
	memcpy(*block, f.b, f.len);
	c = (struct cur){ .pos = *block, .end = *block + f.len };
	assert_int_equal(parse_link(&c, &l), PARSE_OK);
	p = (struct nd_packet *)c.pos;
	*o = (struct nd_opts){ .sum = 0 };
	if (!nd_parse(&c, (const struct vx_eth *)*block, v))
		return NULL;
	*valid = nd_walk(&c, nd_units(v), v->type == ND_ADVERT ? ND_OPT_TARGET_MAC : ND_OPT_SOURCE_MAC, o) &&
		 nd_valid(v, o);
	return p;
}

static void answers_are_made_in_place_to_the_octet(void **state __attribute__((unused)))
{
	static const struct {
		struct frame_desc in, out;
	} rows[] = {
		{ ND(), ND_ANSWER() },
		{ ND(.opt_hex = OPT_STRANGER), ND_ANSWER(.eth_dst = MAC_STRANGER) },
		{ ND(.opt_hex = OPT_NONCE), ND_ANSWER() },
		{ ND(.src6 = "2001:db8::50", .target6 = A6_VIP_NEXT),
		  ND_ANSWER(.dst6 = "2001:db8::50", .src6 = A6_VIP_NEXT, .target6 = A6_VIP_NEXT) },
		{ ND_PROBE(), ND_PROBE_ANSWER() },
		{ ND(.tag = { { 0x8100, 10 } }, .pad = 3, .pad_byte = 7),
		  ND_ANSWER(.tag = { { 0x8100, 10 } }, .pad = 3, .pad_byte = 7) },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		struct nd_packet *p;
		struct frame want;
		struct nd_view v;
		struct nd_opts o;
		bool valid;
		__u8 *b;

		frame_build(&want, &rows[i].out);
		p = parse(&rows[i].in, &v, &o, &valid, &b);
		assert_non_null(p);
		assert_true(valid);
		nd_answer_in_place((struct vx_eth *)b, p, &v, &o, mac_bytes[MAC_VROUTER6]);
		assert_memory_equal(b, want.b, want.len);
		free(b);
	}
}

static void a_message_of_23_bytes_is_nobodys_business(void **state __attribute__((unused)))
{
	static const struct frame_desc cut = ND(.opt_hex = "", .cut = 1), whole = ND(.opt_hex = "");
	struct nd_view v;
	struct nd_opts o;
	bool valid;
	__u8 *b;

	assert_null(parse(&cut, &v, &o, &valid, &b));
	free(b);
	assert_non_null(parse(&whole, &v, &o, &valid, &b));
	assert_true(valid);
	free(b);
}

/* RFC 4861 7.1.1: every bit of a solicitation counts, but for traffic class, flow label, the reserved field and what it asks. */
static void a_solicitation_with_any_bit_flipped_is_invalid(void **state __attribute__((unused)))
{
	static const struct frame_desc d = ND();
	struct frame f;
	__u32 bit;

	frame_build(&f, &d);
	for (bit = (14 + 4) * 8; bit < f.len * 8; bit++) {
		struct nd_opts o = { .sum = 0 };
		struct cur c = { .pos = f.b + 14, .end = f.b + f.len };
		struct nd_view v;

		if (bit / 8 == 14 + 6) /* which protocol it is, the caller has seen */
			continue;
		f.b[bit / 8] ^= 1 << bit % 8;
		assert_non_null(nd_parse(&c, (const struct vx_eth *)f.b, &v));
		assert_false(nd_walk(&c, nd_units(&v), ND_OPT_SOURCE_MAC, &o) && nd_valid(&v, &o));
		f.b[bit / 8] ^= 1 << bit % 8;
	}
}

/* xorshift64: the same in every run. */
static __u32 rnd(void)
{
	static __u64 x = 0x4861;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (__u32)(x >> 32);
}

/* The rule, option by option; @mac is set to the first of @type. */
static bool options_are_good(const __u8 *b, __u32 units, __u8 type, const __u8 **mac)
{
	__u32 at = 0;

	*mac = NULL;
	while (at < units) {
		const __u8 *opt = b + 8 * at;

		if (opt[1] == 0 || opt[1] > units - at || (opt[0] == type && opt[1] != 1))
			return false;
		if (opt[0] == type && !*mac)
			*mac = opt + 2;
		at += opt[1];
	}
	return units <= ND_MAX_UNITS;
}

static void options_are_walked_as_option_by_option(void **state __attribute__((unused)))
{
	__u32 good = 0, found = 0, i, j;

	for (i = 0; i < 100000; i++) {
		__u32 units = rnd() % 12, want_sum = 0;
		struct nd_opts o = { .sum = 0 };
		__u8 *b = malloc(8 * units + 1);
		const __u8 *mac;
		struct cur c;
		bool want;

		assert_non_null(b);
		for (j = 0; j < 8 * units; j++)
			b[j] = (__u8)(j % 8 == 1 ? rnd() % 16 ? 1 + rnd() % 2 : 0 : j % 8 ? rnd() : rnd() % 4);
		c = (struct cur){ .pos = b, .end = b + 8 * units };
		want = options_are_good(b, units, 1, &mac);
		assert_int_equal(nd_walk(&c, units, 1, &o), want);
		if (want) {
			want_sum = frame_sum(b, 8 * units);
			assert_int_equal(csum_fold(o.sum), VX_BE16(want_sum));
			assert_int_equal(o.found, mac != NULL);
			if (mac)
				assert_memory_equal(nd_opt_mac(&o), mac, 6);
			good++;
			found += mac != NULL;
		}
		free(b);
	}
	assert_true(good > 10000 && found > 1000 && found < good);
}

/* RFC 1624 against a checksum made anew. */
static void another_mac_changes_the_checksum_as_if_computed_anew(void **state __attribute__((unused)))
{
	static const __u8 ones[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, zeros[6];
	__u8 mac[2][6];
	int i, j;

	for (i = 0; i < 20000; i++) {
		__u8 a[ND_FRAME_LEN], b[ND_FRAME_LEN], vip[16];
		struct nd_advert *na = (struct nd_advert *)(a + ND_FRAME_LEN - sizeof(*na));

		for (j = 0; j < 12; j++)
			mac[j / 6][j % 6] = (__u8)rnd();
		for (j = 0; j < 16; j++)
			vip[j] = (__u8)rnd();
		if (i % 16 == 0)
			memcpy(mac[i / 16 % 2], i & 32 ? ones : zeros, 6);
		nd_build_unsolicited(a, mac[0], vip);
		nd_build_unsolicited(b, mac[1], vip);
		na->msg.csum = nd_csum_replace(na->msg.csum, mac[0], mac[1]);
		vx_mac_copy(na->opt.mac, mac[1]);
		assert_memory_equal(a + 14, b + 14, ND_FRAME_LEN - 14);
	}
}

static void a_claim_wins_over_a_question(void **state __attribute__((unused)))
{
	static const struct {
		__u8 type;
		bool target, sender;
		enum nd_about about;
	} rows[] = {
		{ ND_SOLICIT, true, false, ND_ASKS },  { ND_SOLICIT, false, false, ND_NOTHING },
		{ ND_SOLICIT, true, true, ND_CLAIMS }, { ND_SOLICIT, false, true, ND_CLAIMS },
		{ ND_ADVERT, true, false, ND_CLAIMS }, { ND_ADVERT, false, false, ND_NOTHING },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		struct nd_view v = { .type = rows[i].type };

		assert_int_equal(nd_classify(&v, rows[i].target, rows[i].sender), rows[i].about);
	}
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unsolicited_advertisement_is_the_vector),
		TEST(answers_are_made_in_place_to_the_octet),
		TEST(a_message_of_23_bytes_is_nobodys_business),
		TEST(a_solicitation_with_any_bit_flipped_is_invalid),
		TEST(options_are_walked_as_option_by_option),
		TEST(another_mac_changes_the_checksum_as_if_computed_anew),
		TEST(a_claim_wins_over_a_question),
	};

	return cmocka_run_group_tests_name("nd", tests, NULL, NULL);
}
