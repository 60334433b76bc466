// SPDX-License-Identifier: GPL-2.0-or-later
/* include/arp.h: what a packet is about, the answer made in place, our gratuitous ARP to the octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arp.h"
#include "tests/frames.h"

/* Parses the frame in a heap block of exactly its length; the caller frees *block. */
static struct arp_ip4 *parse(const struct frame_desc *d, struct arp_view *v, __u8 **block)
{
	struct frame f;
	struct link l;
	struct cur c;

	frame_build(&f, d);
	*block = malloc(f.len);
	assert_non_null(*block);
	memcpy(*block, f.b, f.len);
	c = (struct cur){ .pos = *block, .end = *block + f.len };
	assert_int_equal(parse_link(&c, &l), PARSE_OK);
	return arp_parse(&c, (const struct vx_eth *)*block, v);
}

static void answers_are_made_in_place_to_the_octet(void **state __attribute__((unused)))
{
	static const struct {
		struct frame_desc in, out;
	} rows[] = {
		{ ARP(), ARP_ANSWER() },
		{ ARP(.pad = 0), ARP_ANSWER(.pad = 0) },
		{ ARP(.spa = 0), ARP_ANSWER(.tpa = 0) }, /* ARP-4 */
		{ ARP(.eth_dst = MAC_VROUTER, .tha = MAC_VROUTER), ARP_ANSWER() },
		{ ARP(.tag = { { 0x8100, 10 } }), ARP_ANSWER(.tag = { { 0x8100, 10 } }) },
		{ ARP(.pad_byte = 0xa5), ARP_ANSWER(.pad_byte = 0xa5) },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		struct frame want;
		struct arp_ip4 *arp;
		struct arp_view v;
		__u8 *b;

		frame_build(&want, &rows[i].out);
		arp = parse(&rows[i].in, &v, &b);
		assert_non_null(arp);
		assert_false(v.odd);
		arp_reply_in_place((struct vx_eth *)b, arp, mac_bytes[MAC_VROUTER]);
		assert_memory_equal(b, want.b, want.len);
		free(b);
	}
}

/* ARP-8; the target hardware address is all ones, as keepalived and FRR have it. */
static void gratuitous_arp_is_built_to_the_octet(void **state __attribute__((unused)))
{
	static const char hex[] = "ff ff ff ff ff ff 00 00 5e 00 01 33 08 06 00 01 08 00 06 04 00 01 "
				  "00 00 5e 00 01 33 c0 00 02 64 ff ff ff ff ff ff c0 00 02 64";
	struct frame want = { .len = 0 };
	__u8 buf[ARP_FRAME_LEN + 1];

	frame_hex(&want, hex);
	assert_int_equal(want.len, ARP_FRAME_LEN);
	memset(buf, 0xee, sizeof(buf));
	arp_build_gratuitous(buf, mac_bytes[MAC_VROUTER], VX_BE32(ADDR_VIP));
	assert_memory_equal(buf, want.b, want.len);
	assert_int_equal(buf[ARP_FRAME_LEN], 0xee);
}

static void a_packet_of_27_bytes_is_nobodys_business(void **state __attribute__((unused)))
{
	static const struct frame_desc cut = ARP(.pad = 0, .cut = 1), whole = ARP(.pad = 0);
	struct arp_view v;
	__u8 *b;

	assert_null(parse(&cut, &v, &b));
	free(b);
	assert_non_null(parse(&whole, &v, &b));
	free(b);
}

/* ARP-5 */
static void odd_packets_are_told_from_plain_ones(void **state __attribute__((unused)))
{
	static const struct {
		struct frame_desc in;
		bool odd, broadcast;
	} rows[] = {
		{ ARP(), false, true },
		{ ARP(.eth_dst = MAC_VROUTER), false, false },
		{ ARP(.htype = 6), true, true },
		{ ARP(.htype = 0x0100), true, true },
		{ ARP(.ptype = 0x0806), true, true },
		{ ARP(.hlen = 8), true, true },
		{ ARP(.hlen = 4, .plen = 6), true, true },
		{ ARP(.plen = 16), true, true },
		{ ARP(.sha = MAC_STRANGER), true, true },
		{ ARP(.sha = MAC_MULTICAST, .eth_src = MAC_MULTICAST), true, true },
		{ ARP(.sha = MAC_BROADCAST, .eth_src = MAC_BROADCAST), true, true },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		struct arp_view v;
		__u8 *b;

		assert_non_null(parse(&rows[i].in, &v, &b));
		assert_int_equal(v.odd, rows[i].odd);
		assert_int_equal(v.broadcast, rows[i].broadcast);
		assert_int_equal(v.tpa, VX_BE32(ADDR_VIP));
		assert_int_equal(v.spa, VX_BE32(ADDR_HOST));
		free(b);
	}
}

static void a_claim_wins_over_a_request(void **state __attribute__((unused)))
{
	static const struct {
		int op;
		__u32 spa;
		bool target, sender, own;
		enum arp_about about;
	} rows[] = {
		{ 1, ADDR_HOST, true, false, false, ARP_ASKS },
		{ 1, 0, true, false, false, ARP_ASKS },
		{ 1, 0, true, true, false, ARP_ASKS }, /* nobody claims 0.0.0.0 */
		{ 2, ADDR_HOST, true, false, false, ARP_NOTHING },
		{ 1, ADDR_HOST, false, false, false, ARP_NOTHING },
		{ 1, ADDR_VIP, true, true, false, ARP_CLAIMS },
		{ 2, ADDR_VIP, true, true, false, ARP_CLAIMS },
		{ 2, ADDR_VIP, false, true, false, ARP_CLAIMS },
		{ 1, ADDR_VIP, false, true, false, ARP_CLAIMS },
		{ 1, ADDR_VIP, true, true, true, ARP_NOTHING }, /* our own, come back */
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		struct arp_view v = { .op = VX_BE16(rows[i].op),
				      .spa = VX_BE32(rows[i].spa),
				      .tpa = VX_BE32(ADDR_VIP) };

		assert_int_equal(arp_classify(&v, rows[i].target, rows[i].sender, rows[i].own), rows[i].about);
	}
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_are_made_in_place_to_the_octet),
		TEST(gratuitous_arp_is_built_to_the_octet),
		TEST(a_packet_of_27_bytes_is_nobodys_business),
		TEST(odd_packets_are_told_from_plain_ones),
		TEST(a_claim_wins_over_a_request),
	};

	return cmocka_run_group_tests_name("arp", tests, NULL, NULL);
}
