// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables of include/table.h, against a list of what has to be in them; and what a reader may see of a cell that changes hands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi.h"

enum { CELLS = 256, KEYS = CELLS / 2 };

static struct vx_addr4_cell cells[CELLS];

static void *at(void *arg, __u32 i)
{
	return (struct vx_addr4_cell *)arg + i;
}

static struct vx_table table_of(__u32 n)
{
	memset(cells, 0, sizeof(cells));
	return VX_TABLE(at, cells, n, struct vx_addr4_cell);
}

static struct vx_addr4_key key_of(__u32 addr)
{
	return (struct vx_addr4_key){ .ifindex = 2, .addr = addr };
}

static bool add(const struct vx_table *t, __u64 hash, __u32 addr, __u32 slot)
{
	struct vx_addr4_key k = key_of(addr);
	__u64 *word = vx_table_put(t, hash, &k);

	if (word)
		vx_table_publish(word, hash, vx_addr_load(VX_ADDR_VIP, slot, 0));
	return word;
}

static __u64 *find(const struct vx_table *t, __u64 hash, __u32 addr)
{
	struct vx_addr4_key k = key_of(addr);

	return vx_table_find(t, hash, &k);
}

static void drop(const struct vx_table *t, __u64 hash, __u32 addr)
{
	__u64 *word = find(t, hash, addr);

	assert_non_null(word);
	vx_table_remove(t, hash, word);
	assert_null(find(t, hash, addr));
}

static __u32 draw(void)
{
	static __u32 seed = 1;

	seed = seed * 1664525U + 1013904223U;
	return seed >> 8;
}

/* Half full, with three homes only, so that all of it is one long chain. */
static void what_is_put_in_is_found_until_it_is_taken_out(void **state __attribute__((unused)))
{
	struct vx_table t = table_of(CELLS);
	__u32 slot[KEYS] = { 0 }, i, n, step, live = 0; /* 0: not in the table */

	for (step = 0; step < 20000; step++) {
		i = draw() % KEYS;
		n = i * 0x01010101U;
#define HASH ((__u64)(i % 3) << 60 | (__u64)(i % 7) << 28)
		if (slot[i] && draw() % 2) {
			drop(&t, HASH, n);
			slot[i] = 0;
			live--;
		} else if (slot[i] || live < VX_TABLE_PROBES / 4) {
			live += !slot[i];
			slot[i] = 1 + draw() % 1000;
			assert_true(add(&t, HASH, n, slot[i]));
		}
		for (i = 0; i < KEYS; i++) {
			const __u64 *word = find(&t, HASH, i * 0x01010101U);

			assert_int_equal(word ? vx_addr_slot(*word) : 0, slot[i]);
		}
#undef HASH
	}
}

static void keys_with_one_hash_are_told_apart(void **state __attribute__((unused)))
{
	struct vx_table t = table_of(CELLS);

	assert_true(add(&t, 5, 1, 10) && add(&t, 5, 2, 20) && add(&t, 5, 3, 30));
	drop(&t, 5, 1);
	assert_int_equal(vx_addr_slot(*find(&t, 5, 2)), 20);
	assert_int_equal(vx_addr_slot(*find(&t, 5, 3)), 30);
}

static void a_table_that_is_full_says_so(void **state __attribute__((unused)))
{
	struct vx_table t = table_of(4), big = table_of(CELLS);
	__u32 i;

	for (i = 0; i < 4; i++)
		assert_true(add(&t, (__u64)i << 28, i, i));
	assert_false(add(&t, 9ULL << 28, 9, 9));
	assert_true(add(&t, 0, 0, 7)); /* one that is there has room */
	big = table_of(CELLS);
	for (i = 0; i < VX_TABLE_PROBES; i++)
		assert_true(add(&big, (__u64)i << 28, i, i));
	assert_false(add(&big, 99ULL << 28, 99, 99));
}

static void the_version_changes_before_the_key_does(void **state __attribute__((unused)))
{
	struct vx_table t = table_of(CELLS);
	struct vx_addr4_key k = key_of(2);
	__u64 old, *word;

	assert_true(add(&t, 1ULL << 28, 1, 1) && add(&t, 2ULL << 28, 3, 3));
	word = find(&t, 1ULL << 28, 1);
	old = *word;
	vx_table_publish(word, 1ULL << 28, vx_addr_load(VX_ADDR_VIP, 9, 0));
	assert_false(vx_cell_reused(word, old)); /* another load of the same key */
	drop(&t, 1ULL << 28, 1);
	assert_false(vx_cell_reused(word, old));
	assert_ptr_equal(vx_table_claim(&t, 3ULL << 28, &k), word);
	assert_true(vx_cell_reused(word, old));
	assert_false(*word & VX_CELL_LIVE);
}

static void a_dead_cell_goes_to_no_key_of_the_same_tag(void **state __attribute__((unused)))
{
	struct vx_table t = table_of(CELLS);
	__u64 *word;

	assert_true(add(&t, 1ULL << 28, 1, 1));
	word = find(&t, 1ULL << 28, 1);
	drop(&t, 1ULL << 28, 1);
	assert_true(add(&t, 1ULL << 28, 2, 2));
	assert_ptr_not_equal(find(&t, 1ULL << 28, 2), word);
	assert_true(*word & VX_CELL_USED); /* the chain leads over it */
}

static void a_chain_ends_again_where_it_did_when_what_made_it_longer_is_gone(void **state __attribute__((unused)))
{
	struct vx_table t = table_of(CELLS);
	__u32 i;

	for (i = 0; i < 8; i++)
		assert_true(add(&t, (__u64)i << 28, i, i));
	for (i = 1; i < 8; i++)
		drop(&t, (__u64)i << 28, i);
	for (i = 1; i < CELLS; i++)
		assert_false(cells[i].e.word & VX_CELL_USED);
	assert_non_null(find(&t, 0, 0));
}

/* How far a search goes for addresses as people number them; a table is half full at the most. */
static void addresses_in_a_row_are_near_their_home(void **state __attribute__((unused)))
{
	enum { MANY = 5000, ROOM = 16384 };
	struct vx_addr4_cell *many = calloc(ROOM, sizeof(*many));
	struct vx_table t = VX_TABLE(at, many, ROOM, struct vx_addr4_cell);
	__u32 i, behind = 0;

	assert_non_null(many);
	for (i = 0; i < MANY; i++) {
		struct vx_addr4_key k = { .ifindex = 2 + i % 4, .vlan = i % 3 * 100, .addr = VX_BE32(0x0a000001 + i) };
		__u64 hash = vx_addr4_hash(&k);
		__u64 *word = vx_table_put(&t, hash, &k);

		assert_non_null(word);
		vx_table_publish(word, hash, vx_addr_load(VX_ADDR_VIP, 0, 0));
		behind += word != at(many, vx_cell_home(hash) & (ROOM - 1));
	}
	assert_in_range(behind, 0, MANY / 4);
	free(many);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_put_in_is_found_until_it_is_taken_out),
		TEST(keys_with_one_hash_are_told_apart),
		TEST(a_table_that_is_full_says_so),
		TEST(the_version_changes_before_the_key_does),
		TEST(a_dead_cell_goes_to_no_key_of_the_same_tag),
		TEST(a_chain_ends_again_where_it_did_when_what_made_it_longer_is_gone),
		TEST(addresses_in_a_row_are_near_their_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
