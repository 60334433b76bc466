// SPDX-License-Identifier: GPL-2.0-or-later
/* What one controller hands to the next: the same fields come out, and nothing else is taken for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hand.h"

struct things {
	uint64_t number;
	char text[8];
	size_t n;
	int open, none;
};

static void exchange(struct hand *h, struct things *t)
{
	HAND(h, t->number);
	HAND(h, t->text);
	hand_count(h, &t->n, 10);
	hand_fd(h, &t->open);
	hand_fd(h, &t->none);
}

/* Offers @t; what the next process would have in its environment is in this one's. Returns the descriptor of the file. */
static int offer(struct things *t)
{
	static char env[HAND_ENV_LEN];
	struct hand h;
	int fd;

	hand_init(&h);
	exchange(&h, t);
	assert_int_equal(hand_offer(&h, &fd, env), 0);
	assert_int_equal(putenv(env), 0);
	hand_free(&h);
	return fd;
}

static bool cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	assert_true(flags >= 0);
	return flags & FD_CLOEXEC;
}

static void what_was_put_in_comes_out(void **state)
{
	struct things in = { .number = 1ULL << 60, .text = "seven..", .n = 10, .none = -1 }, out = { 0 };
	struct hand h;
	int fd;

	(void)state;
	in.open = open("/dev/null", O_RDWR | O_CLOEXEC);
	fd = offer(&in);
	assert_false(cloexec(in.open));
	assert_false(cloexec(fd));
	assert_int_equal(hand_take(&h), 1);
	assert_null(getenv("VRRP_XDP_HANDOVER"));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	exchange(&h, &out);
	assert_false(h.bad);
	assert_int_equal(h.at, h.len);
	assert_memory_equal(&in, &out, sizeof(in));
	assert_true(cloexec(out.open));
	hand_free(&h);
	close(in.open);
	assert_int_equal(hand_take(&h), 0);
}

static void what_is_not_taken_stays_as_it_was(void **state)
{
	struct things in = { .none = -1 };
	char env[HAND_ENV_LEN];
	struct hand h;
	int fd;

	(void)state;
	in.open = open("/dev/null", O_RDWR | O_CLOEXEC);
	hand_init(&h);
	exchange(&h, &in);
	assert_int_equal(hand_offer(&h, &fd, env), 0);
	hand_withdraw(&h, fd);
	assert_true(cloexec(in.open));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	hand_free(&h);
	close(in.open);
}

static void the_rest_of_what_is_too_short_or_too_many_reads_as_zeroes(void **state)
{
	struct things in = { .number = 5, .n = 10, .open = -1, .none = -1 }, out = { 0 };
	uint64_t more = 7;
	struct hand h;
	size_t n = 0;

	(void)state;
	offer(&in);
	assert_int_equal(hand_take(&h), 1);
	exchange(&h, &out);
	HAND(&h, more);
	assert_true(h.bad);
	assert_int_equal(more, 0);
	hand_free(&h);
	offer(&in);
	assert_int_equal(hand_take(&h), 1);
	HAND(&h, out.number);
	HAND(&h, out.text);
	hand_count(&h, &n, 9);
	assert_true(h.bad);
	assert_int_equal(n, 0);
	hand_free(&h);
}

static void a_descriptor_that_is_not_open_is_bad(void **state)
{
	struct things in = { .none = -1 }, out = { 0 };
	struct hand h;

	(void)state;
	in.open = open("/dev/null", O_RDWR | O_CLOEXEC);
	offer(&in);
	close(in.open);
	assert_int_equal(hand_take(&h), 1);
	exchange(&h, &out);
	assert_true(h.bad);
	assert_int_equal(out.open, -1);
	hand_free(&h);
}

/* In a process of its own, for hand_take() closes all descriptors then: 0, or the -errno that it gave. */
static int taken_elsewhere(void)
{
	struct hand h;
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(-hand_take(&h));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void nothing_else_is_taken(void **state)
{
	struct things in = { .open = -1, .none = -1 };
	int fd = offer(&in), plain;
	char env[HAND_ENV_LEN];

	(void)state;
	assert_int_equal(taken_elsewhere(), -EPROTO); /* of another process */
	close(fd);
	assert_int_equal(taken_elsewhere(), -EINVAL);
	plain = open("/dev/null", O_RDWR | O_CLOEXEC);
	snprintf(env, sizeof(env), "VRRP_XDP_HANDOVER=%d", plain);
	putenv(env);
	assert_int_equal(taken_elsewhere(), -EINVAL);
	close(plain);
	plain = memfd_create("short", MFD_CLOEXEC);
	snprintf(env, sizeof(env), "VRRP_XDP_HANDOVER=%d", plain);
	assert_int_equal(taken_elsewhere(), -EINVAL);
	close(plain);
	putenv((char[]){ "VRRP_XDP_HANDOVER=0" });
	assert_int_equal(taken_elsewhere(), -EINVAL);
	unsetenv("VRRP_XDP_HANDOVER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_in_comes_out),
		cmocka_unit_test(what_is_not_taken_stays_as_it_was),
		cmocka_unit_test(the_rest_of_what_is_too_short_or_too_many_reads_as_zeroes),
		cmocka_unit_test(a_descriptor_that_is_not_open_is_bad),
		cmocka_unit_test(nothing_else_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
