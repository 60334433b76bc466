// SPDX-License-Identifier: GPL-2.0-or-later
/* include/decide.h: timers to the nanosecond, who yields to whom, the lease, the token bucket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "decide.h"
#include "tests/frames.h"

#define MS VX_NS_PER_MS
#define S  VX_NS_PER_S

/* FSM-1, FSM-2, FSM-3: the table of 3.1, in nanoseconds */
static void skew_and_active_down_are_exact(void **state __attribute__((unused)))
{
	static const struct {
		__u8 version, priority;
		__u64 adver_ns, skew_ns, down_ns;
	} rows[] = {
		{ 3, 255, 1 * S, 3906250, 3003906250 },
		{ 3, 254, 1 * S, 7812500, 3007812500 },
		{ 3, 200, 1 * S, 218750000, 3218750000 },
		{ 3, 150, 1 * S, 414062500, 3414062500 },
		{ 3, 100, 1 * S, 609375000, 3609375000 },
		{ 3, 1, 1 * S, 996093750, 3996093750 },
		{ 3, 254, 10 * MS, 78125, 30078125 },
		{ 3, 100, 10 * MS, 6093750, 36093750 },
		{ 3, 200, 100 * MS, 21875000, 321875000 },
		{ 3, 100, 2 * S, 1218750000, 7218750000 },
		{ 3, 100, 40950 * MS, 24953906250, 147803906250 },
		{ 3, 1, 40950 * MS, 40790039063, 163640039063 }, /* 40790039062.5: rounded up */
		{ 3, 255, 10 * MS, 39063, 30039063 },            /* 39062.5 */
		{ 2, 200, 5 * S, 218750000, 15218750000 },
		{ 2, 255, 255 * S, 3906250, 765003906250 },
		{ 2, 1, 1 * S, 996093750, 3996093750 },
		{ 2, 100, 1 * S, 609375000, 3609375000 },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		assert_int_equal(decide_skew_ns(rows[i].version, rows[i].priority, rows[i].adver_ns), rows[i].skew_ns);
		assert_int_equal(decide_down_ns(rows[i].version, rows[i].priority, 3, rows[i].adver_ns),
				 rows[i].down_ns);
	}
}

/* FSM-3 in half-nanoseconds: (256 - P) * cs * 78125, for every priority and interval there is. */
static void skew_is_the_exact_value_rounded_up_everywhere(void **state __attribute__((unused)))
{
	__u64 cs;
	int p;

	for (p = 1; p <= 255; p++)
		for (cs = 1; cs <= 4095; cs++)
			assert_int_equal(decide_skew_ns(3, (__u8)p, cs * 10 * MS), ((256 - p) * cs * 78125 + 1) / 2);
}

/* FSM-4: what others truncate away keeps two Backups apart. */
static void the_higher_priority_always_takes_over_first(void **state __attribute__((unused)))
{
	int p;

	for (p = 1; p < 255; p++) {
		assert_true(decide_down_ns(3, (__u8)(p + 1), 3, 10 * MS) < decide_down_ns(3, (__u8)p, 3, 10 * MS));
		assert_true(decide_down_ns(2, (__u8)(p + 1), 3, S) < decide_down_ns(2, (__u8)p, 3, S));
	}
}

static void settled_by(const struct vx_addr *greater, const struct vx_addr *smaller)
{
	assert_true(decide_yields(100, smaller, 100, greater));
	assert_false(decide_yields(100, greater, 100, smaller));
	assert_false(decide_yields(100, greater, 100, greater)); /* FSM-A8: a storm otherwise */
	assert_int_equal(decide_active(100, smaller, 100, greater), VX_EV_HIGHER);
	assert_int_equal(decide_active(100, greater, 100, smaller), VX_EV_LOWER);
	/* and by nothing else where they differ */
	assert_true(decide_yields(100, greater, 101, smaller));
	assert_false(decide_yields(101, smaller, 100, greater));
}

/* FSM-A4, FSM-A5, FSM-A7: the traps of byte order, sign and text */
static void equal_priorities_are_settled_by_the_address(void **state __attribute__((unused)))
{
	static const struct {
		__u32 greater, smaller;
	} rows[] = {
		{ IP4(10, 0, 0, 2), IP4(9, 255, 255, 255) },  { IP4(128, 0, 0, 1), IP4(127, 255, 255, 255) },
		{ IP4(2, 0, 0, 1), IP4(1, 0, 0, 2) },         { IP4(192, 0, 2, 10), IP4(192, 0, 2, 9) },
		{ IP4(223, 255, 255, 255), IP4(1, 0, 0, 0) }, { IP4(192, 0, 2, 1), IP4(192, 0, 1, 255) },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		struct vx_addr greater = vx_addr4(VX_BE32(rows[i].greater)),
			       smaller = vx_addr4(VX_BE32(rows[i].smaller));

		settled_by(&greater, &smaller);
	}
}

/* All 16 bytes count, the first most. */
static void equal_priorities_are_settled_by_the_ipv6_address(void **state __attribute__((unused)))
{
	static const char *const rows[][2] = {
		{ "fe80::2", "fe80::1" },
		{ "fe80::10", "fe80::9" },
		{ "fe80::1:0", "fe80::ffff" },
		{ "fe80:0:0:1::", "fe80::ffff:ffff" },
		{ "fe80:0:1::", "fe80::1" },
		{ "fe81::", "fe80::1" },
		{ "8000::", "7fff:ffff::ffff" },
		{ "200::1", "100::2" },
		{ "fe80::8000:0", "fe80::7fff:ffff" },
	};
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++) {
		struct in6_addr a = frame_addr6(rows[i][0]), b = frame_addr6(rows[i][1]);
		struct vx_addr greater, smaller;

		memcpy(&greater, &a, sizeof(greater));
		memcpy(&smaller, &b, sizeof(smaller));
		settled_by(&greater, &smaller);
	}
}

static void an_active_tells_three_kinds_of_adverts_apart(void **state __attribute__((unused)))
{
	static const struct {
		__u8 priority, rx;
		enum vx_ev ev;
	} rows[] = {
		{ 100, 0, VX_EV_PRIO0 },    { 255, 0, VX_EV_PRIO0 },    { 1, 0, VX_EV_PRIO0 },
		{ 100, 101, VX_EV_HIGHER }, { 100, 255, VX_EV_HIGHER }, { 254, 255, VX_EV_HIGHER },
		{ 100, 99, VX_EV_LOWER },   { 255, 254, VX_EV_LOWER },  { 255, 1, VX_EV_LOWER },
	};
	struct vx_addr us = vx_addr4(VX_BE32(ADDR_US)), peer = vx_addr4(VX_BE32(ADDR_PEER));
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++)
		assert_int_equal(decide_active(rows[i].priority, &us, rows[i].rx, &peer), rows[i].ev);
}

/* FSM-B3, FSM-B4, FSM-B5 */
static void a_backup_refreshes_discards_or_hands_over(void **state __attribute__((unused)))
{
	static const struct {
		__u8 priority;
		bool preempt;
		__u8 rx;
		enum decide_backup want;
	} rows[] = {
		{ 100, true, 0, DECIDE_HANDOVER },   { 100, false, 0, DECIDE_HANDOVER },
		{ 100, true, 101, DECIDE_REFRESH },  { 100, true, 100, DECIDE_REFRESH },
		{ 100, true, 99, DECIDE_DISCARD },   { 100, true, 1, DECIDE_DISCARD },
		{ 100, false, 99, DECIDE_REFRESH },  { 100, false, 1, DECIDE_REFRESH },
		{ 100, false, 255, DECIDE_REFRESH }, { 255, true, 255, DECIDE_REFRESH },
		{ 255, true, 254, DECIDE_DISCARD },
	};
	const struct vx_addr active = vx_addr4(VX_BE32(0xc0000201));
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(rows); i++)
		assert_int_equal(decide_backup(rows[i].priority, rows[i].preempt, &active, rows[i].rx, &active),
				 rows[i].want);
}

/* SEC-5 */
static void only_the_active_router_hands_over(void **state __attribute__((unused)))
{
	const struct vx_addr none = { 0 }, active = vx_addr4(VX_BE32(0xc0000201)),
			     other = vx_addr4(VX_BE32(0xc0000209));

	assert_int_equal(decide_backup(100, true, &active, 0, &active), DECIDE_HANDOVER);
	assert_int_equal(decide_backup(100, true, &active, 0, &other), DECIDE_DISCARD);
	assert_int_equal(decide_backup(100, false, &active, 0, &other), DECIDE_DISCARD);
	assert_int_equal(decide_backup(100, true, &none, 0, &other), DECIDE_HANDOVER);
	assert_int_equal(decide_backup(100, true, &active, 101, &other), DECIDE_REFRESH);
}

/* Fast hand-over keeps the order of the priorities: the best of several Backups is first. */
static void a_fast_handover_is_a_share_of_what_is_configured(void **state __attribute__((unused)))
{
	assert_int_equal(decide_handover_ns(3, 150, VX_NS_PER_MS, VX_NS_PER_S), 414063);
	assert_int_equal(decide_handover_ns(2, 254, VX_NS_PER_MS, VX_NS_PER_S), 7813);
	assert_int_equal(decide_handover_ns(3, 150, 0, VX_NS_PER_S), decide_skew_ns(3, 150, VX_NS_PER_S));
}

/* SEC-9 */
static void a_learned_interval_is_bounded_where_that_is_configured(void **state __attribute__((unused)))
{
	assert_int_equal(decide_learn_ns(40950 * VX_NS_PER_MS, 0), 40950 * VX_NS_PER_MS);
	assert_int_equal(decide_learn_ns(40950 * VX_NS_PER_MS, VX_NS_PER_S), VX_NS_PER_S);
	assert_int_equal(decide_learn_ns(10 * VX_NS_PER_MS, VX_NS_PER_S), 10 * VX_NS_PER_MS);
}

/* The lease ends an eighth of an interval before the first peer may speak, even one whose skew is truncated to nothing. */
static void the_lease_ends_before_any_peer_takes_over(void **state __attribute__((unused)))
{
	assert_int_equal(decide_lease_ns(7 * S, 3, 1 * S), 7 * S + 2875 * MS);
	assert_int_equal(decide_lease_ns(0, 3, 10 * MS), 28750000);
	assert_int_equal(decide_lease_ns(0, 3, 40950 * MS), 117731250000);
	assert_true(decide_lease_ns(0, 3, 10 * MS) < 3 * 10 * MS);
	assert_true(decide_lease_ns(0, 3, 10 * MS) > 2 * 10 * MS);
}

/* KA-23 */
static void fewer_down_adverts_shorten_both_timer_and_lease(void **state __attribute__((unused)))
{
	unsigned int n;

	assert_int_equal(decide_down_ns(3, 100, 1, S), S + decide_skew_ns(3, 100, S));
	assert_int_equal(decide_down_ns(2, 100, 10, S), 10 * S + decide_skew_ns(2, 100, S));
	assert_int_equal(decide_lease_ns(0, 2, S), 1875 * MS);
	assert_int_equal(decide_lease_ns(0, 100, S), 2875 * MS);
	for (n = 1; n < 5; n++) /* before the best of Backups, and after the next advert */
		assert_true(decide_lease_ns(0, (__u8)n, S) < decide_down_ns(3, 254, (__u8)n, S) &&
			    decide_lease_ns(0, (__u8)n, S) > S);
	/* the best peer there can be, with the shortest skew; version 2's does not grow with the interval */
	assert_true(decide_lease_ns(0, 1, S) < decide_down_ns(3, 255, 1, S));
	assert_true(decide_lease_ns(0, 1, 5 * S) < decide_down_ns(2, 255, 1, 5 * S));
}

/* KA-22 */
static void preemption_waits_from_the_first_lower_advert_on(void **state __attribute__((unused)))
{
	__u64 lower = 0;

	assert_false(decide_preempts(true, 5 * S, &lower, 100, 90, 7 * S));
	assert_int_equal(lower, 7 * S);
	assert_false(decide_preempts(true, 5 * S, &lower, 100, 80, 12 * S - 1));
	assert_true(decide_preempts(true, 5 * S, &lower, 100, 90, 12 * S));
	assert_true(decide_preempts(true, 5 * S, &lower, 100, 0, 13 * S)); /* a hand-over leaves the wait alone */
	assert_int_equal(lower, 7 * S);
	assert_true(decide_preempts(true, 5 * S, &lower, 100, 100, 13 * S)); /* an equal ends it */
	assert_int_equal(lower, 0);
	assert_false(decide_preempts(true, 5 * S, &lower, 100, 90, 14 * S));
	assert_true(decide_preempts(true, 0, &lower, 100, 90, 14 * S));
	assert_false(decide_preempts(false, 0, &lower, 100, 90, 14 * S));
}

static void a_bucket_gives_its_burst_and_then_one_per_period(void **state __attribute__((unused)))
{
	__u64 bucket = 0;
	int i;

	for (i = 0; i < 10; i++)
		assert_true(decide_bucket(&bucket, S, 10 * MS, 10));
	assert_false(decide_bucket(&bucket, S, 10 * MS, 10));
	assert_false(decide_bucket(&bucket, S + 10 * MS - 1, 10 * MS, 10));
	assert_true(decide_bucket(&bucket, S + 10 * MS, 10 * MS, 10));
	assert_false(decide_bucket(&bucket, S + 10 * MS, 10 * MS, 10));
	/* refused ones cost nothing: later there are as many as the time that went by */
	assert_true(decide_bucket(&bucket, S + 30 * MS, 10 * MS, 10));
	assert_true(decide_bucket(&bucket, S + 30 * MS, 10 * MS, 10));
	assert_false(decide_bucket(&bucket, S + 30 * MS, 10 * MS, 10));
}

static void a_bucket_left_alone_never_holds_more_than_its_burst(void **state __attribute__((unused)))
{
	__u64 bucket = 0;
	int i;

	assert_true(decide_bucket(&bucket, S, 10 * MS, 10));
	for (i = 0; i < 10; i++)
		assert_true(decide_bucket(&bucket, 1000 * S, 10 * MS, 10));
	assert_false(decide_bucket(&bucket, 1000 * S, 10 * MS, 10));
}

static void a_bucket_of_one_gives_one_per_period(void **state __attribute__((unused)))
{
	__u64 bucket = 0;

	assert_true(decide_bucket(&bucket, S, S, 1));
	assert_false(decide_bucket(&bucket, S, S, 1));
	assert_false(decide_bucket(&bucket, 2 * S - 1, S, 1));
	assert_true(decide_bucket(&bucket, 2 * S, S, 1));
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(skew_and_active_down_are_exact),
		TEST(skew_is_the_exact_value_rounded_up_everywhere),
		TEST(the_higher_priority_always_takes_over_first),
		TEST(equal_priorities_are_settled_by_the_address),
		TEST(equal_priorities_are_settled_by_the_ipv6_address),
		TEST(an_active_tells_three_kinds_of_adverts_apart),
		TEST(a_backup_refreshes_discards_or_hands_over),
		TEST(only_the_active_router_hands_over),
		TEST(a_fast_handover_is_a_share_of_what_is_configured),
		TEST(a_learned_interval_is_bounded_where_that_is_configured),
		TEST(the_lease_ends_before_any_peer_takes_over),
		TEST(fewer_down_adverts_shorten_both_timer_and_lease),
		TEST(preemption_waits_from_the_first_lower_advert_on),
		TEST(a_bucket_gives_its_burst_and_then_one_per_period),
		TEST(a_bucket_left_alone_never_holds_more_than_its_burst),
		TEST(a_bucket_of_one_gives_one_per_period),
	};

	return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
