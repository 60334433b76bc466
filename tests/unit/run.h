/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests that run real processes share: a loop, a temporary folder, and waiting for something to be true. */
#ifndef TESTS_UNIT_RUN_H
#define TESTS_UNIT_RUN_H

#include "exec.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MS 1000000ULL
#define S  (1000 * MS)

#define WATCHDOG_NS (60 * S)

struct world {
	struct loop loop;
	struct exec *exec;
	char dir[64];
	struct timer watchdog, poll;
	bool (*until)(void *arg);
	void *arg;
	bool gave_up;
};

static inline void world_turn_end(void *arg, uint64_t now_ns)
{
	struct world *w = arg;

	(void)now_ns;
	if (w->until(w->arg) || w->gave_up)
		w->loop.stop_signal = SIGTERM;
}

static inline void world_give_up(void *arg, uint64_t now_ns)
{
	struct world *w = arg;

	(void)now_ns;
	w->gave_up = true;
}

/* Some conditions are files that others make: they are looked at now and then. */
static inline void world_poll(void *arg, uint64_t now_ns)
{
	struct world *w = arg;

	timer_arm(&w->loop.timers, &w->poll, now_ns + 10 * MS);
}

/* Runs the loop until @until is true; the watchdog only ends a test that has failed. */
static inline void run_until(struct world *w, bool (*until)(void *arg), void *arg)
{
	w->until = until;
	w->arg = arg;
	w->loop.stop_signal = 0;
	timer_arm(&w->loop.timers, &w->watchdog, loop_now_ns() + WATCHDOG_NS);
	timer_arm(&w->loop.timers, &w->poll, loop_now_ns());
	assert_int_equal(loop_run(&w->loop), SIGTERM);
	timer_cancel(&w->loop.timers, &w->watchdog);
	timer_cancel(&w->loop.timers, &w->poll);
	assert_false(w->gave_up);
}

static inline int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(loop_init(&w->loop), 0);
	w->loop.turn_end = world_turn_end;
	w->loop.arg = w;
	assert_int_equal(timer_queue_reserve(&w->loop.timers, 2), 0);
	w->watchdog = (struct timer){ .fn = world_give_up, .arg = w };
	w->poll = (struct timer){ .fn = world_poll, .arg = w };
	assert_int_equal(exec_new(&w->exec, &w->loop), 0);
	strcpy(w->dir, "/tmp/vrrp-xdp-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chmod(w->dir, 0777), 0);
	log_set_level(LOG_ERROR);
	*state = w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;
	char rm[] = "rm", rf[] = "-rf";
	char *const argv[] = { rm, rf, w->dir, NULL };
	const struct exec_cmd cmd = { .argv = argv, .uid = geteuid(), .gid = getegid() };
	int code;

	exec_free(w->exec);
	loop_fini(&w->loop);
	assert_int_equal(exec_wait(&cmd, 0, &code), EXEC_EXITED);
	free(w);
	return 0;
}

/* "@dir/name" in one of a few static buffers. */
static inline char *in_dir(const struct world *w, const char *name)
{
	static char buf[8][128];
	static int next;
	char *p = buf[next++ % 8];

	snprintf(p, sizeof(buf[0]), "%s/%s", w->dir, name);
	return p;
}

static inline bool file_exists(void *path)
{
	return !access(path, F_OK);
}

/* A static copy of the file, "" if there is none. */
static inline const char *content(const char *path)
{
	static char buf[16384];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static inline void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* `/bin/sh -c @script`, the arguments of which are $0 and so on; for one command at a time. */
static inline char **sh(const char *script)
{
	static char shell[] = "/bin/sh", c[] = "-c";
	static char *argv[4] = { shell, c };

	argv[2] = (char *)script;
	return argv;
}

static inline struct exec_cmd sh_cmd(const char *script)
{
	return (struct exec_cmd){ .argv = sh(script), .uid = geteuid(), .gid = getegid() };
}

#endif
