// SPDX-License-Identifier: GPL-2.0-or-later
#include "timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 1000 };

static void empty_queue_has_no_next_deadline(void **state)
{
	struct timer_queue q = { 0 };

	(void)state;
	assert_int_equal(timer_next(&q), UINT64_MAX);
	assert_null(timer_expire(&q, UINT64_MAX - 1));
	timer_queue_fini(&q);
}

static void timer_expires_at_its_deadline_and_not_before(void **state)
{
	struct timer_queue q = { 0 };
	struct timer t = { 0 };

	(void)state;
	assert_int_equal(timer_queue_reserve(&q, 1), 0);
	timer_arm(&q, &t, 100);
	assert_null(timer_expire(&q, 99));
	assert_ptr_equal(timer_expire(&q, 100), &t);
	assert_null(timer_expire(&q, 100));
	timer_queue_fini(&q);
}

static void cancelled_timer_does_not_expire_and_cancelling_twice_is_harmless(void **state)
{
	struct timer_queue q = { 0 };
	struct timer a = { 0 }, b = { 0 };

	(void)state;
	assert_int_equal(timer_queue_reserve(&q, 2), 0);
	timer_arm(&q, &a, 1);
	timer_arm(&q, &b, 2);
	timer_cancel(&q, &a);
	timer_cancel(&q, &a);
	assert_ptr_equal(timer_expire(&q, 10), &b);
	assert_null(timer_expire(&q, 10));
	timer_queue_fini(&q);
}

static void armed_timer_can_be_moved_both_ways(void **state)
{
	struct timer_queue q = { 0 };
	struct timer a = { 0 }, b = { 0 };

	(void)state;
	assert_int_equal(timer_queue_reserve(&q, 2), 0);
	timer_arm(&q, &a, 10);
	timer_arm(&q, &b, 20);
	timer_arm(&q, &b, 5);
	assert_int_equal(timer_next(&q), 5);
	timer_arm(&q, &b, 30);
	assert_int_equal(timer_next(&q), 10);
	assert_int_equal(q.n, 2);
	timer_queue_fini(&q);
}

/* Against the plain truth: whatever is armed, moved and cancelled, timers come out in the order of their deadlines. */
static void random_use_keeps_the_order(void **state)
{
	static struct timer t[MANY];
	struct timer_queue q = { 0 };
	uint64_t last = 0;
	unsigned int seed = 51, i, armed = 0;
	struct timer *x;

	(void)state;
	assert_int_equal(timer_queue_reserve(&q, MANY), 0);
	for (i = 0; i < 20 * MANY; i++) {
		x = &t[rand_r(&seed) % MANY];
		if (rand_r(&seed) % 4)
			timer_arm(&q, x, rand_r(&seed) % 5000);
		else
			timer_cancel(&q, x);
	}
	for (i = 0; i < MANY; i++)
		armed += t[i].index != 0;
	assert_int_equal(armed, q.n);
	assert_true(armed > MANY / 2);
	for (i = 0; i < armed; i++) {
		x = timer_expire(&q, 5000);
		assert_non_null(x);
		assert_true(x->at_ns >= last);
		assert_int_equal(x->index, 0);
		last = x->at_ns;
	}
	assert_null(timer_expire(&q, 5000));
	timer_queue_fini(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_queue_has_no_next_deadline),
		cmocka_unit_test(timer_expires_at_its_deadline_and_not_before),
		cmocka_unit_test(cancelled_timer_does_not_expire_and_cancelling_twice_is_harmless),
		cmocka_unit_test(armed_timer_can_be_moved_both_ways),
		cmocka_unit_test(random_use_keeps_the_order),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
