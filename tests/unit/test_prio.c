// SPDX-License-Identifier: GPL-2.0-or-later
/* user/prio.c: the table of weights, row by row. */
#include "prio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void weights_add_up_as_the_table_says(void **state)
{
	static const struct {
		int weight;
		bool reverse;
		int ok, failed; /* contributions; 1000: a fault */
	} rows[] = {
		{ 20, false, 20, 0 }, { 20, true, -20, 0 },  { -20, false, 0, -20 },
		{ -20, true, 0, 20 }, { 0, false, 0, 1000 }, { 0, true, 1000, 0 },
	};
	size_t i;
	int ok;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (ok = 0; ok < 2; ok++) {
			struct prio p = { 0 };

			prio_add(&p, ok, rows[i].weight, rows[i].reverse);
			assert_int_equal(p.fault ? 1000 : p.sum, ok ? rows[i].ok : rows[i].failed);
		}
	}
}

static void files_multiply_and_can_fault(void **state)
{
	static const struct {
		int value, weight;
		bool reverse;
		int want; /* 1000: a fault */
	} rows[] = {
		{ 5, 2, false, 10 },
		{ 5, 2, true, -10 },
		{ -127, 2, false, 1000 },
		{ -253, 1, false, -253 },
		{ 400, 1, false, 253 },
		{ 3, 0, false, 1000 },
		{ 0, 0, false, 0 },
		{ 0, 0, true, 1000 },
		{ 2147483647, 254, false, 253 },
		{ -2147483647, 254, true, 253 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prio p = { 0 };

		prio_add_file(&p, rows[i].value, rows[i].weight, rows[i].reverse);
		assert_int_equal(p.fault ? 1000 : p.sum, rows[i].want);
	}
}

static void only_the_sum_is_clamped(void **state) /* KA-8 */
{
	struct prio p = { 0 };

	(void)state;
	prio_add(&p, true, 250, false);
	assert_int_equal(prio_effective(&p, 100), 254);
	prio_add(&p, false, -253, false);
	assert_int_equal(prio_effective(&p, 100), 97);
	prio_add(&p, false, -200, false);
	assert_int_equal(prio_effective(&p, 100), 1);
	assert_int_equal(prio_effective(&p, 255), 255);
}

static void what_has_no_result_is_waited_for_or_counts_nothing(void **state)
{
	struct prio p = { 0 };

	(void)state;
	prio_add_unknown(&p, 10);
	assert_false(p.waiting);
	assert_int_equal(p.sum, 0);
	prio_add_unknown(&p, 0);
	assert_true(p.waiting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_add_up_as_the_table_says),
		cmocka_unit_test(files_multiply_and_can_fault),
		cmocka_unit_test(only_the_sum_is_clamped),
		cmocka_unit_test(what_has_no_result_is_waited_for_or_counts_nothing),
	};

	return cmocka_run_group_tests_name("prio", tests, NULL, NULL);
}
