// SPDX-License-Identifier: GPL-2.0-or-later
#include "run.h"

#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { NOBODY = 65534, MANY = 20, TICKS = 50 };

struct result {
	int n; /* calls */
	enum exec_end end[2];
	int code[2];
};

static void on_done(void *arg, enum exec_end end, int code)
{
	struct result *r = arg;

	assert_true(r->n < 2);
	r->end[r->n] = end;
	r->code[r->n++] = code;
}

static bool told_once(void *arg)
{
	return ((struct result *)arg)->n >= 1;
}

static bool told_twice(void *arg)
{
	return ((struct result *)arg)->n >= 2;
}

static int start(struct world *w, const char *script, uint64_t timeout_ns, struct result *r, struct exec_job **job)
{
	struct exec_cmd cmd = sh_cmd(script);

	return exec_start(w->exec, &cmd, timeout_ns, r ? on_done : NULL, r, job);
}

/* Runs a script to its end in the loop and returns what it wrote to the file `out`. */
static const char *output_of(struct world *w, const char *commands)
{
	struct result r = { 0 };
	char script[1024];

	snprintf(script, sizeof(script), "exec >%s/out 2>&1; %s", w->dir, commands);
	assert_int_equal(start(w, script, 0, &r, NULL), 0);
	run_until(w, told_once, &r);
	return content(in_dir(w, "out"));
}

static void exit_status_is_told(void **state)
{
	struct result r = { 0 };

	assert_int_equal(start(*state, "exit 7", 0, &r, NULL), 0);
	run_until(*state, told_once, &r);
	assert_int_equal(r.end[0], EXEC_EXITED);
	assert_int_equal(r.code[0], 7);
}

static void death_by_signal_is_told(void **state)
{
	struct result r = { 0 };

	assert_int_equal(start(*state, "kill -9 $$", 10 * S, &r, NULL), 0);
	run_until(*state, told_once, &r);
	assert_int_equal(r.end[0], EXEC_SIGNALED);
	assert_int_equal(r.code[0], SIGKILL);
}

static void what_cannot_be_run_is_an_errno_and_nothing_is_told(void **state)
{
	struct world *w = *state;
	char none[] = "/nonexistent/script", *plain = in_dir(w, "plain"), arg[] = "x";
	char *argv[EXEC_ARGS_MAX + 2] = { none };
	struct exec_cmd cmd = { .argv = argv, .uid = geteuid(), .gid = getegid() };
	struct result r = { 0 };
	int i;

	assert_int_equal(exec_start(w->exec, &cmd, 0, on_done, &r, NULL), -ENOENT);
	put(plain, "exit 0");
	argv[0] = plain;
	assert_int_equal(exec_start(w->exec, &cmd, 0, on_done, &r, NULL), -EACCES);
	for (i = 0; i <= EXEC_ARGS_MAX; i++)
		argv[i] = arg;
	assert_int_equal(exec_start(w->exec, &cmd, 0, on_done, &r, NULL), -E2BIG);
	assert_int_equal(r.n, 0);
}

static void extra_arguments_follow_the_commands_own(void **state)
{
	struct world *w = *state;
	const char *const extra[] = { "zero", "INSTANCE", "V 1", NULL };
	struct exec_cmd cmd = sh_cmd("echo \"$0/$1/$2\" >$OUT");
	struct result r = { 0 };

	setenv("OUT", in_dir(w, "out"), 1);
	exec_free(w->exec);
	assert_int_equal(exec_new(&w->exec, &w->loop), 0);
	cmd.extra = extra;
	assert_int_equal(exec_start(w->exec, &cmd, 0, on_done, &r, NULL), 0);
	run_until(w, told_once, &r);
	assert_string_equal(content(in_dir(w, "out")), "zero/INSTANCE/V 1\n");
	unsetenv("OUT");
}

/* spec 3.4: own group, stdio on /dev/null, no IFS, LD_PRELOAD, LD_LIBRARY_PATH; and nothing else of ours. */
static void child_has_nothing_of_ours(void **state)
{
	struct world *w = *state;
	int leaked = open("/dev/null", O_RDONLY); /* without close-on-exec, as a library might */
	const char *out;

	setenv("IFS", "x", 1);
	setenv("LD_LIBRARY_PATH", "/nonexistent", 1);
	setenv("LD_PRELOAD", "", 1);
	setenv("KEPT", "yes", 1);
	exec_free(w->exec);
	assert_int_equal(exec_new(&w->exec, &w->loop), 0);
	out = output_of(
		w,
		"env; echo fds $(ls /proc/self/fd); readlink /proc/$$/fd/0; grep -E 'SigBlk|SigIgn' /proc/self/status");
	assert_null(strstr(out, "\nIFS="));
	assert_null(strstr(out, "\nLD_LIBRARY_PATH="));
	assert_null(strstr(out, "\nLD_PRELOAD="));
	assert_non_null(strstr(out, "KEPT=yes"));
	assert_non_null(strstr(out, "/dev/null\n"));
	assert_non_null(strstr(out, "fds 0 1 2 3\n")); /* 3 is the folder that ls reads */
	assert_non_null(strstr(out, "SigBlk:\t0000000000000000"));
	assert_non_null(strstr(out, "SigIgn:\t"));
	/* 32 and 33 are the C library's own: what make starts has them ignored, and nobody can set them */
	assert_int_equal(strtoull(strstr(out, "SigIgn:\t") + 8, NULL, 16) & ~0x180000000ULL, 0);
	unsetenv("IFS");
	unsetenv("LD_LIBRARY_PATH");
	unsetenv("LD_PRELOAD");
	unsetenv("KEPT");
	close(leaked);
}

static void child_leads_a_process_group_of_its_own(void **state)
{
	long group, pid;

	assert_int_equal(sscanf(output_of(*state, "cut -d' ' -f5 /proc/$$/stat; echo $$"), "%ld %ld", &group, &pid), 2);
	assert_int_equal(group, pid);
	assert_int_not_equal(group, getpgrp());
}

/* The controller may run above or below the others, or in real time; a script never does. Only root may change that and go back. */
static void child_has_nice_zero_and_ordinary_scheduling(void **state)
{
	const struct sched_param rr = { .sched_priority = 1 }, other = { 0 };
	int before = getpriority(PRIO_PROCESS, 0);

	if (!geteuid())
		setpriority(PRIO_PROCESS, 0, 5);
	assert_string_equal(output_of(*state, "nice"), "0\n");
	setpriority(PRIO_PROCESS, 0, before);
	sched_setscheduler(0, SCHED_RR, &rr);
	assert_string_equal(output_of(*state, "cut -d' ' -f41 /proc/$$/stat"), "0\n");
	sched_setscheduler(0, SCHED_OTHER, &other);
}

static void child_runs_as_its_user_without_groups_of_ours(void **state)
{
	struct exec_cmd cmd = sh_cmd("id -u >$OUT; id -g >>$OUT; id -G >>$OUT");
	struct world *w = *state;
	struct result r = { 0 };
	int err;

	setenv("OUT", in_dir(w, "out"), 1);
	exec_free(w->exec);
	assert_int_equal(exec_new(&w->exec, &w->loop), 0);
	unsetenv("OUT");
	cmd.uid = cmd.gid = geteuid() ? geteuid() + 1 : NOBODY;
	if (!geteuid())
		assert_int_equal(setgroups(2, (const gid_t[]){ 1, 2 }), 0);
	err = exec_start(w->exec, &cmd, 0, on_done, &r, NULL);
	if (geteuid()) {
		assert_int_equal(err, -EPERM);
		return;
	}
	assert_int_equal(err, 0);
	run_until(w, told_once, &r);
	assert_string_equal(content(in_dir(w, "out")), "65534\n65534\n65534\n");
}

static void supplementary_groups_are_the_users_own(void **state)
{
	struct exec_cmd cmd = sh_cmd("exit 0");
	struct world *w = *state;
	struct result r = { 0 };

	assert_int_equal(exec_learn(w->exec, 4123456789U, 1), -ENOENT);
	cmd.supplementary_groups = true;
	cmd.uid = 4123456789U;
	assert_int_equal(exec_start(w->exec, &cmd, 0, on_done, &r, NULL), -ENOENT);
	cmd.uid = geteuid();
	assert_int_equal(exec_start(w->exec, &cmd, 0, on_done, &r, NULL), 0);
	run_until(w, told_once, &r);
	assert_int_equal(r.end[0], EXEC_EXITED);
}

/* Somebody else is our child's parent: it gets SIGTERM when that one dies. */
static void child_is_terminated_when_we_die(void **state)
{
	struct world *w = *state;
	char script[256];
	pid_t pid;

	snprintf(script, sizeof(script), "trap 'echo >%s/died; exit' TERM; echo >%s/up; while :; do sleep 0.02; done",
		 w->dir, w->dir);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		start(w, script, 0, NULL, NULL);
		while (access(in_dir(w, "up"), F_OK))
			usleep(1000);
		_exit(0);
	}
	run_until(w, file_exists, in_dir(w, "died"));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void time_out_is_told_at_once_and_the_end_when_it_comes(void **state)
{
	struct result r = { 0 };

	assert_int_equal(start(*state, "trap '' TERM; while :; do sleep 1; done", 50 * MS, &r, NULL), 0);
	run_until(*state, told_once, &r);
	assert_int_equal(r.end[0], EXEC_TIMEOUT);
	run_until(*state, told_twice, &r); /* SIGKILL */
	assert_int_equal(r.end[1], EXEC_GONE);
}

struct hangup {
	int fd;
	bool was_open;
};

/* Nobody has the FIFO open for writing any more. */
static bool hung_up(void *arg)
{
	struct hangup *h = arg;
	struct pollfd p = { .fd = h->fd, .events = POLLIN };

	poll(&p, 1, 0);
	if (p.revents & POLLIN)
		h->was_open = true;
	return h->was_open && p.revents & POLLHUP;
}

static bool opened(void *arg)
{
	hung_up(arg);
	return ((struct hangup *)arg)->was_open;
}

static void grandchildren_die_with_the_group(void **state)
{
	struct world *w = *state;
	struct result r = { 0 };
	struct hangup h = { 0 };
	char script[256];

	assert_int_equal(mkfifo(in_dir(w, "fifo"), 0600), 0);
	h.fd = open(in_dir(w, "fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(h.fd >= 0);
	snprintf(script, sizeof(script),
		 "(trap '' TERM; exec 3>%s/fifo; echo x >&3; while :; do sleep 0.1; done) & sleep 1000", w->dir);
	assert_int_equal(start(w, script, 200 * MS, &r, NULL), 0);
	run_until(w, told_twice, &r); /* the shell itself ends at SIGTERM */
	run_until(w, hung_up, &h);
	close(h.fd);
}

static void killed_job_is_not_told_of(void **state)
{
	struct world *w = *state;
	struct result killed = { 0 }, other = { 0 };
	struct hangup h = { 0 };
	struct exec_job *job;
	char script[256];

	assert_int_equal(mkfifo(in_dir(w, "fifo"), 0600), 0);
	h.fd = open(in_dir(w, "fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	snprintf(script, sizeof(script), "exec 3>%s/fifo; echo x >&3; exec sleep 1000", w->dir);
	assert_int_equal(start(w, script, 0, &killed, &job), 0);
	run_until(w, opened, &h);
	exec_kill(w->exec, job);
	run_until(w, hung_up, &h);
	assert_int_equal(start(w, "exit 0", 0, &other, NULL), 0);
	run_until(w, told_once, &other);
	assert_int_equal(killed.n, 0);
	close(h.fd);
}

static void forgotten_job_goes_on_untold(void **state)
{
	struct world *w = *state;
	struct result r = { 0 };
	struct exec_job *job;
	char script[256];

	snprintf(script, sizeof(script), "sleep 0.1; echo >%s/done", w->dir);
	assert_int_equal(start(w, script, 0, &r, &job), 0);
	exec_forget(job);
	run_until(w, file_exists, in_dir(w, "done"));
	exec_drain(w->exec, 5 * S);
	assert_int_equal(r.n, 0);
}

static void waiting_gives_the_end_and_ends_what_takes_too_long(void **state)
{
	struct exec_cmd cmd = sh_cmd("exit 3");
	char none[] = "/nonexistent/script", *argv[] = { none, NULL };
	int code;

	(void)state;
	assert_int_equal(exec_wait(&cmd, 10 * S, &code), EXEC_EXITED);
	assert_int_equal(code, 3);
	cmd.argv = sh("kill -TERM $$");
	assert_int_equal(exec_wait(&cmd, 0, &code), EXEC_SIGNALED);
	assert_int_equal(code, SIGTERM);
	cmd.argv = sh("trap '' TERM; while :; do sleep 1; done");
	assert_int_equal(exec_wait(&cmd, 20 * MS, &code), EXEC_TIMEOUT);
	cmd.argv = argv;
	assert_int_equal(exec_wait(&cmd, 0, &code), EXEC_FAILED);
	assert_int_equal(code, ENOENT);
}

static void drain_lets_the_quick_end_and_terminates_the_rest(void **state)
{
	struct world *w = *state;
	char quick[256], slow[256];

	snprintf(quick, sizeof(quick), "sleep 0.1; echo >%s/quick", w->dir);
	snprintf(slow, sizeof(slow), "trap 'echo >%s/slow; exit' TERM; echo >%s/up; while :; do sleep 0.02; done",
		 w->dir, w->dir);
	assert_int_equal(start(w, quick, 0, NULL, NULL), 0);
	assert_int_equal(start(w, slow, 0, NULL, NULL), 0);
	run_until(w, file_exists, in_dir(w, "up"));
	exec_drain(w->exec, 1 * S);
	assert_true(file_exists(in_dir(w, "quick")));
	assert_true(file_exists(in_dir(w, "slow")));
}

struct ticker {
	struct world *w;
	struct timer timer;
	int ticks;
};

static void on_tick(void *arg, uint64_t now_ns)
{
	struct ticker *t = arg;

	t->ticks++;
	timer_arm(&t->w->loop.timers, &t->timer, now_ns + 10 * MS);
}

static bool ticked(void *arg)
{
	return ((struct ticker *)arg)->ticks >= TICKS;
}

/* Scripts that hang, flood, fork or stop answering signals: the loop's own timer goes on, and none of them has been told to have ended. */
static void no_script_holds_up_the_loop(void **state)
{
	static const char *const bad[] = {
		"sleep 1000",
		"trap '' TERM; while :; do sleep 1; done",
		"while :; do echo flood; echo flood >&2; sleep 0.001; done",
		"while :; do (sleep 0.01) & wait; done",
		"kill -STOP $$",
	};
	struct world *w = *state;
	struct result r[MANY] = { 0 };
	struct ticker t = { .w = w };
	int i, k;

	t.timer = (struct timer){ .fn = on_tick, .arg = &t };
	assert_int_equal(timer_queue_reserve(&w->loop.timers, w->loop.timers.cap + 1), 0);
	for (i = 0; i < MANY; i++)
		assert_int_equal(start(w, bad[i % 5], 0, &r[i], NULL), 0);
	timer_arm(&w->loop.timers, &t.timer, loop_now_ns());
	for (k = 0; k < 3; k++) {
		t.ticks = 0;
		run_until(w, ticked, &t);
	}
	for (i = 0; i < MANY; i++)
		assert_int_equal(r[i].n, 0);
	timer_cancel(&w->loop.timers, &t.timer);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(exit_status_is_told),
		T(death_by_signal_is_told),
		T(what_cannot_be_run_is_an_errno_and_nothing_is_told),
		T(extra_arguments_follow_the_commands_own),
		T(child_has_nothing_of_ours),
		T(child_leads_a_process_group_of_its_own),
		T(child_has_nice_zero_and_ordinary_scheduling),
		T(child_runs_as_its_user_without_groups_of_ours),
		T(supplementary_groups_are_the_users_own),
		T(child_is_terminated_when_we_die),
		T(time_out_is_told_at_once_and_the_end_when_it_comes),
		T(grandchildren_die_with_the_group),
		T(killed_job_is_not_told_of),
		T(forgotten_job_goes_on_untold),
		T(waiting_gives_the_end_and_ends_what_takes_too_long),
		T(drain_lets_the_quick_end_and_terminates_the_rest),
		T(no_script_holds_up_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
