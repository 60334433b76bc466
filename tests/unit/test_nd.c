// SPDX-License-Identifier: GPL-2.0-or-later
/* include/nd.h: the vector of ND-7 in docs/vrrp-rules.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nd.h"

/* ND-7: fe80::100, virtual MAC 00:00:5e:00:02:33. */
static void unsolicited_advertisement_is_the_vector(void **state)
{
	static const __u8 vip[16] = { 0xfe, 0x80, [14] = 1 }, mac[6] = { 0, 0, 0x5e, 0, 2, 0x33 };
	static const __u8 icmp[] = { 0x88, 0x00, 0x77, 0x6a, 0xa0, 0, 0, 0, 0xfe, 0x80, 0, 0, 0,    0,    0, 0,
				     0,    0,    0,    0,    0,    0, 1, 0, 2,    1,    0, 0, 0x5e, 0x00, 2, 0x33 };
	static const __u8 head[] = { 0x33, 0x33, 0,    0, 0, 1, 0, 0,  0x5e, 0,   2,    0x33,
				     0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58,   255, 0xfe, 0x80 };
	__u8 buf[ND_FRAME_LEN];

	(void)state;
	nd_build_unsolicited(buf, mac, vip);
	assert_memory_equal(buf, head, sizeof(head));
	assert_memory_equal(buf + 54, icmp, sizeof(icmp));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(unsolicited_advertisement_is_the_vector) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
