// SPDX-License-Identifier: GPL-2.0-or-later
#include "run.h"
#include "track.h"

#include <limits.h>
#include <sched.h>

enum { EVENTS = 64, HANGING = 20 };

/* A configuration of one instance that tracks all there is, and what was told of it. */
struct rig {
	struct world *w;
	struct conf conf, next;
	struct conf_vr vr, next_vr;
	struct conf_script scripts[HANGING + 1], next_scripts[2];
	struct conf_file files[2], next_files[2];
	struct conf_process procs[2];
	struct conf_track all[HANGING + 1];
	struct track *track;
	int n; /* events */
	struct {
		enum track_kind kind;
		size_t item;
		int value;
	} told[EVENTS];
	int want;
};

static void on_changed(void *arg, enum track_kind kind, size_t item, int value)
{
	struct rig *r = arg;

	assert_true(r->n < EVENTS);
	r->told[r->n].kind = kind;
	r->told[r->n].item = item;
	r->told[r->n++].value = value;
}

static bool told(void *arg)
{
	struct rig *r = arg;

	return r->n >= r->want;
}

/* Runs until so many events in all have been told; the last one is looked at. */
static void expect(struct rig *r, int n, enum track_kind kind, size_t item, int value)
{
	r->want = n;
	run_until(r->w, told, r);
	assert_int_equal(r->n, n);
	assert_int_equal(r->told[n - 1].kind, kind);
	assert_int_equal(r->told[n - 1].item, item);
	assert_int_equal(r->told[n - 1].value, value);
	assert_int_equal(track_value(r->track, kind, item), value);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	size_t i;

	assert_int_equal(world_setup((void **)&r->w), 0);
	for (i = 0; i <= HANGING; i++)
		r->all[i].item = i;
	r->conf.vrs = &r->vr;
	r->conf.nvrs = 1;
	r->conf.scripts = r->scripts;
	r->conf.track_files = r->files;
	r->conf.processes = r->procs;
	r->vr.tracks.scripts = r->vr.tracks.files = r->vr.tracks.procs = r->all;
	*state = r;
	return 0;
}

static void free_argv(struct conf_script *s, size_t n)
{
	while (n--)
		free(s[n].cmd.argv);
}

static int teardown(void **state)
{
	struct rig *r = *state;

	track_free(r->track);
	free_argv(r->scripts, HANGING + 1);
	free_argv(r->next_scripts, 2);
	world_teardown((void **)&r->w);
	free(r);
	return 0;
}

static void start(struct rig *r)
{
	const struct track_ops ops = { .changed = on_changed, .arg = r };

	assert_int_equal(track_new(&r->track, &r->w->loop, r->w->exec, &r->conf, &ops), 0);
	assert_int_equal(track_start(r->track), 0);
}

static void fill_script(struct conf_script *s, const char *name, const char *text)
{
	char **argv = calloc(4, sizeof(char *));

	memcpy(argv, sh(text), 4 * sizeof(char *));
	*s = (struct conf_script){
		.name = name,
		.cmd = { .argv = argv, .uid = geteuid(), .gid = getegid() },
		.interval_ns = 30 * MS,
		.timeout_ns = 20 * S,
		.rise = 1,
		.fall = 1,
	};
}

static struct conf_script *add_script(struct rig *r, const char *text)
{
	size_t i = r->conf.nscripts++;

	r->vr.tracks.nscripts = r->conf.nscripts;
	fill_script(&r->scripts[i], "chk", text);
	return &r->scripts[i];
}

/* @format with the folder for each %s; one per test, for argv points at it. */
static char *script_in(const struct world *w, const char *format)
{
	static char text[512];

	snprintf(text, sizeof(text), format, w->dir, w->dir, w->dir, w->dir);
	return text;
}

static void script_without_a_result_is_unknown_and_the_first_one_decides(void **state)
{
	struct rig *r = *state;
	struct conf_script *s = add_script(r, script_in(r->w, "echo >>%s/n"));

	s->rise = s->fall = 5;
	start(r);
	assert_int_equal(track_value(r->track, TRACK_SCRIPT, 0), TRACK_UNKNOWN);
	expect(r, 1, TRACK_SCRIPT, 0, 1);
	assert_int_equal(strlen(content(in_dir(r->w, "n"))), 1);
	assert_string_equal(track_last(r->track, TRACK_SCRIPT, 0), "OK");
}

static void first_failure_decides_whatever_fall_says(void **state)
{
	struct rig *r = *state;

	add_script(r, "exit 7")->fall = 5;
	start(r);
	expect(r, 1, TRACK_SCRIPT, 0, 0);
	assert_string_equal(track_last(r->track, TRACK_SCRIPT, 0), "exit status 7");
}

/* Each run appends a line and takes its exit status from a list: 0, then F F S F F F: falls at the sixth failure in a row only. */
static void fall_failures_in_a_row_fault_and_one_success_restarts_the_count(void **state)
{
	struct rig *r = *state;

	add_script(r, script_in(r->w, "echo >>%s/n; n=$(wc -l <%s/n); case $n in 1|4) exit 0;; esac; exit 1"))->fall =
		3;
	start(r);
	expect(r, 1, TRACK_SCRIPT, 0, 1);
	expect(r, 2, TRACK_SCRIPT, 0, 0);
	assert_int_equal(strlen(content(in_dir(r->w, "n"))), 7); /* 1 ok, 2 3 failed, 4 ok, 5 6 7 failed */
}

static void rise_successes_in_a_row_heal(void **state)
{
	struct rig *r = *state;

	add_script(r, script_in(r->w, "echo >>%s/n; n=$(wc -l <%s/n); case $n in 1|3) exit 1;; esac; exit 0"))->rise =
		2;
	start(r);
	expect(r, 1, TRACK_SCRIPT, 0, 0);
	expect(r, 2, TRACK_SCRIPT, 0, 1);
	assert_int_equal(strlen(content(in_dir(r->w, "n"))), 5);
}

static void init_fail_is_failed_at_once_until_rise_successes(void **state)
{
	struct rig *r = *state;
	struct conf_script *s = add_script(r, script_in(r->w, "echo >>%s/n"));

	s->init_fail = true;
	s->rise = 3;
	start(r);
	assert_int_equal(r->n, 1);
	assert_int_equal(track_value(r->track, TRACK_SCRIPT, 0), 0);
	expect(r, 2, TRACK_SCRIPT, 0, 1);
	assert_int_equal(strlen(content(in_dir(r->w, "n"))), 3);
}

static void script_that_cannot_be_run_has_failed(void **state)
{
	struct rig *r = *state;
	static char none[] = "/nonexistent/script";

	add_script(r, "")->cmd.argv[0] = none;
	start(r);
	expect(r, 1, TRACK_SCRIPT, 0, 0);
	assert_string_equal(track_last(r->track, TRACK_SCRIPT, 0), "cannot run: No such file or directory");
}

static bool runs_three_times(void *arg)
{
	return strlen(content(arg)) >= 3;
}

/* It ignores SIGTERM: not before it is gone does the next run start. */
static void time_out_is_a_failure_and_no_two_runs_overlap(void **state)
{
	struct rig *r = *state;

	add_script(r, script_in(r->w,
				"trap '' TERM; echo >>%s/n; mkdir %s/lock || echo >%s/overlap; sleep 0.2; sleep 0.2; "
				"rmdir %s/lock"))
		->timeout_ns = 50 * MS;
	start(r);
	expect(r, 1, TRACK_SCRIPT, 0, 0);
	assert_string_equal(track_last(r->track, TRACK_SCRIPT, 0), "timed out");
	run_until(r->w, runs_three_times, in_dir(r->w, "n"));
	assert_false(file_exists(in_dir(r->w, "overlap")));
}

static void slow_script_is_not_started_again_while_it_runs(void **state)
{
	struct rig *r = *state;

	add_script(r, script_in(r->w, "echo >>%s/n; mkdir %s/lock || echo >%s/overlap; sleep 0.15; rmdir %s/lock"));
	start(r);
	run_until(r->w, runs_three_times, in_dir(r->w, "n"));
	assert_false(file_exists(in_dir(r->w, "overlap")));
}

static void test_file_is_ok_while_the_file_can_be_opened(void **state)
{
	struct rig *r = *state;
	struct conf_script *s = add_script(r, "");

	s->test_file = true;
	s->cmd.argv[0] = in_dir(r->w, "flag");
	put(s->cmd.argv[0], "");
	start(r);
	expect(r, 1, TRACK_SCRIPT, 0, 1);
	unlink(s->cmd.argv[0]);
	expect(r, 2, TRACK_SCRIPT, 0, 0);
}

static void nothing_runs_that_nothing_tracks(void **state)
{
	struct rig *r = *state;

	add_script(r, "exit 0");
	add_script(r, "exit 0");
	r->all[0].item = 1;
	r->vr.tracks.nscripts = 1;
	start(r);
	expect(r, 1, TRACK_SCRIPT, 1, 1);
	assert_int_equal(track_value(r->track, TRACK_SCRIPT, 0), TRACK_UNKNOWN);
	assert_string_equal(track_last(r->track, TRACK_SCRIPT, 0), "not tracked");
}

/* Others hang for ever; the one that matters is told of, again and again. */
static void hanging_scripts_do_not_hold_up_another(void **state)
{
	struct rig *r = *state;
	int i;

	add_script(r, script_in(r->w, "test ! -e %s/down"));
	for (i = 0; i < HANGING; i++)
		add_script(r, "trap '' TERM; while :; do sleep 1; done");
	start(r);
	for (i = 0; i < 4; i++) {
		expect(r, i + 1, TRACK_SCRIPT, 0, i % 2 == 0);
		if (i % 2)
			unlink(in_dir(r->w, "down"));
		else
			put(in_dir(r->w, "down"), "");
	}
}

/* spec 5: the result of a script of the same name, argv and user is kept, wherever it now stands in the configuration. */
static void reload_keeps_what_is_the_same(void **state)
{
	struct rig *r = *state;

	add_script(r, "exit 0")->name = "kept";
	add_script(r, "exit 1")->name = "changed";
	start(r);
	r->want = 2;
	run_until(r->w, told, r);
	r->next = r->conf;
	r->next.vrs = &r->next_vr;
	r->next_vr = r->vr;
	r->next.scripts = r->next_scripts;
	fill_script(&r->next_scripts[0], "changed", "exit 0");
	fill_script(&r->next_scripts[1], "kept", "exit 0");
	assert_int_equal(track_reload(r->track, &r->next), 0);
	assert_int_equal(track_value(r->track, TRACK_SCRIPT, 1), 1);
	assert_int_equal(track_value(r->track, TRACK_SCRIPT, 0), TRACK_UNKNOWN);
	r->scripts[0].name = r->scripts[1].name = NULL; /* not looked at any more */
	expect(r, 3, TRACK_SCRIPT, 0, 1);
}

static void reload_ends_what_is_gone(void **state)
{
	struct rig *r = *state;

	add_script(r, script_in(r->w, "trap 'echo >%s/ended; exit' TERM; echo >%s/up; while :; do sleep 0.02; done"));
	start(r);
	run_until(r->w, file_exists, in_dir(r->w, "up"));
	r->next = r->conf;
	r->next.nscripts = 0;
	r->next.vrs = &r->next_vr;
	assert_int_equal(track_reload(r->track, &r->next), 0);
	run_until(r->w, file_exists, in_dir(r->w, "ended"));
	assert_int_equal(r->n, 0);
}

static struct conf_file *add_file(struct rig *r, const char *path)
{
	size_t i = r->conf.ntrack_files++;

	r->vr.tracks.nfiles = r->conf.ntrack_files;
	r->files[i] = (struct conf_file){ .name = "f", .path = path };
	return &r->files[i];
}

static void file_is_an_integer_and_anything_else_is_zero(void **state)
{
	static const struct {
		const char *text;
		int value;
	} cases[] = {
		{ "5\n", 5 },
		{ "x", 0 },
		{ "-7", -7 },
		{ "0x10\n", 16 },
		{ "010", 8 },
		{ "+3 junk", 3 },
		{ "99999999999999999999", INT_MAX },
		{ "", 0 },
		{ " \t42\n", 42 },
		{ "-99999999999", -INT_MAX },
	};
	struct rig *r = *state;
	char *path = in_dir(r->w, "value");
	size_t i;

	add_file(r, path);
	start(r);
	expect(r, 1, TRACK_FILE, 0, 0); /* missing */
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(path, cases[i].text);
		expect(r, i + 2, TRACK_FILE, 0, cases[i].value);
	}
}

static void replaced_and_removed_files_are_followed(void **state)
{
	struct rig *r = *state;
	char *path = in_dir(r->w, "value"), *other = in_dir(r->w, "new");
	int i;

	put(path, "1");
	add_file(r, path);
	start(r);
	expect(r, 1, TRACK_FILE, 0, 1);
	for (i = 2; i < 5; i++) { /* a rename, again and again */
		put(other, (char[]){ '0' + i, '\0' });
		assert_int_equal(rename(other, path), 0);
		expect(r, i, TRACK_FILE, 0, i);
	}
	unlink(path);
	expect(r, 5, TRACK_FILE, 0, 0);
	put(other, "9");
	assert_int_equal(link(other, path), 0);
	expect(r, 6, TRACK_FILE, 0, 9);
}

/* `echo 6 >file` empties it first: nobody is told of a 0 in between. */
static void file_that_is_being_written_is_not_zero(void **state)
{
	struct rig *r = *state;
	char *path = in_dir(r->w, "value"), *other = in_dir(r->w, "other");
	int fd;

	put(path, "5");
	put(other, "1");
	add_file(r, path);
	add_file(r, other);
	start(r);
	expect(r, 2, TRACK_FILE, 1, 1);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	put(other, "2");
	expect(r, 3, TRACK_FILE, 1, 2); /* events come in order: the emptying has been looked at */
	assert_int_equal(track_value(r->track, TRACK_FILE, 0), 5);
	assert_int_equal(write(fd, "6", 1), 1);
	expect(r, 4, TRACK_FILE, 0, 6); /* still open */
	close(fd);
}

static void fifo_in_place_of_a_file_does_not_block(void **state)
{
	struct rig *r = *state;
	char *path = in_dir(r->w, "value");

	assert_int_equal(mkfifo(path, 0600), 0);
	add_file(r, path);
	start(r);
	expect(r, 1, TRACK_FILE, 0, 0);
}

static void folder_that_comes_and_goes_is_found_again(void **state)
{
	struct rig *r = *state;
	char *folder = in_dir(r->w, "run"), *path = in_dir(r->w, "run/value");

	log_set_level(LOG_ERROR);
	add_file(r, path);
	start(r);
	expect(r, 1, TRACK_FILE, 0, 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	put(path, "4");
	expect(r, 2, TRACK_FILE, 0, 4);
	put(path, "3");
	expect(r, 3, TRACK_FILE, 0, 3);
	assert_int_equal(rename(folder, in_dir(r->w, "gone")), 0);
	expect(r, 4, TRACK_FILE, 0, 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	put(path, "8");
	expect(r, 5, TRACK_FILE, 0, 8);
}

static void init_file_creates_and_only_overwrite_replaces(void **state)
{
	struct rig *r = *state;
	char *path = in_dir(r->w, "value"), *other = in_dir(r->w, "other");
	struct conf_file *f = add_file(r, path);

	f->init = true;
	f->init_value = 7;
	f = add_file(r, other);
	f->init = f->init_overwrite = true;
	f->init_value = -2;
	put(path, "5");
	put(other, "123456");
	start(r);
	assert_int_equal(track_value(r->track, TRACK_FILE, 0), 5);
	assert_int_equal(track_value(r->track, TRACK_FILE, 1), -2);
	assert_string_equal(content(other), "-2\n");
	unlink(path);
	track_free(r->track);
	r->n = 0;
	start(r);
	assert_int_equal(track_value(r->track, TRACK_FILE, 0), 7);
}

/* Never at a reload, not even of a file that is new then. */
static void reload_keeps_files_and_does_not_init_them(void **state)
{
	struct rig *r = *state;
	char *path = in_dir(r->w, "value"), *fresh = in_dir(r->w, "fresh");

	put(path, "5");
	add_file(r, path);
	start(r);
	expect(r, 1, TRACK_FILE, 0, 5);
	r->next = r->conf;
	r->next.vrs = &r->next_vr;
	r->next_vr = r->vr;
	r->next_vr.tracks.nfiles = 2;
	r->next.track_files = r->next_files;
	r->next.ntrack_files = 2;
	r->next_files[0] = (struct conf_file){ .name = "n", .path = fresh, .init = true, .init_value = 3 };
	r->next_files[1] =
		(struct conf_file){ .name = "f", .path = strdup(path), .init = true, .init_overwrite = true };
	assert_int_equal(track_reload(r->track, &r->next), 0);
	memset(path, 0, 1); /* the former text is not looked at any more */
	assert_false(file_exists(fresh));
	assert_int_equal(track_value(r->track, TRACK_FILE, 0), 0);
	assert_int_equal(track_value(r->track, TRACK_FILE, 1), 5);
	put(r->next_files[1].path, "6");
	expect(r, 3, TRACK_FILE, 1, 6);
	free((char *)r->next_files[1].path);
}

/* A program of our own name, so that nobody else's processes count. */
static void copy_sleep(const char *path)
{
	static char script[256];
	struct exec_cmd cmd;
	int code;

	snprintf(script, sizeof(script), "cp /bin/sleep %s", path);
	cmd = sh_cmd(script);
	assert_int_equal(exec_wait(&cmd, 0, &code), EXEC_EXITED);
	assert_int_equal(code, 0);
}

static struct exec_job *run_copy(struct rig *r, char *path, const char *arg)
{
	char *const argv[] = { path, NULL };
	const char *const extra[] = { arg, NULL };
	const struct exec_cmd cmd = { .argv = argv, .extra = extra, .uid = geteuid(), .gid = getegid() };
	struct exec_job *job;

	assert_int_equal(exec_start(r->w->exec, &cmd, 0, NULL, NULL, &job), 0);
	return job;
}

static struct conf_process *add_process(struct rig *r, char **argv)
{
	size_t i = r->conf.nprocesses++;

	r->vr.tracks.nprocs = r->conf.nprocesses;
	r->procs[i] = (struct conf_process){ .name = "p", .argv = argv, .quorum = 1, .quorum_max = UINT_MAX };
	return &r->procs[i];
}

static void processes_are_counted(struct rig *r)
{
	char name[32], *path, *argv[] = { name, NULL };
	struct exec_job *a, *b;

	snprintf(name, sizeof(name), "vx%d", (int)getpid());
	path = in_dir(r->w, name);
	copy_sleep(path);
	add_process(r, argv)->quorum = 2;
	a = run_copy(r, path, "1000");
	start(r);
	expect(r, 1, TRACK_PROCESS, 0, 0);
	assert_string_equal(track_last(r->track, TRACK_PROCESS, 0), "1 running");
	b = run_copy(r, path, "1001");
	expect(r, 2, TRACK_PROCESS, 0, 1);
	exec_kill(r->w->exec, a);
	expect(r, 3, TRACK_PROCESS, 0, 0);
	run_copy(r, path, "1002");
	expect(r, 4, TRACK_PROCESS, 0, 1);
	exec_kill(r->w->exec, b);
	expect(r, 5, TRACK_PROCESS, 0, 0);
}

static void quorum_is_gained_and_lost_with_processes(void **state)
{
	processes_are_counted(*state);
}

/* Where the kernel tells nothing of processes: a network namespace of its own. The last test, for there is no way back. */
static void without_events_processes_are_counted_once_a_second(void **state)
{
	log_set_level(LOG_ERROR);
	if (!geteuid())
		assert_int_equal(unshare(CLONE_NEWNET), 0);
	processes_are_counted(*state);
}

static void arguments_narrow_the_match(void **state)
{
	struct rig *r = *state;
	char name[32], *path, first[] = "100";
	char *exact[] = { name, first, NULL }, *initial[] = { name, first, NULL };

	snprintf(name, sizeof(name), "vx%d", (int)getpid());
	path = in_dir(r->w, name);
	copy_sleep(path);
	add_process(r, exact)->param_match = CONF_PARAM_EXACT;
	add_process(r, initial)->param_match = CONF_PARAM_INITIAL;
	start(r);
	r->want = 2;
	run_until(r->w, told, r);
	run_copy(r, path, "1005");
	expect(r, 3, TRACK_PROCESS, 1, 1); /* begins with 100, is not 100 */
	assert_int_equal(track_value(r->track, TRACK_PROCESS, 0), 0);
	run_copy(r, path, "100");
	expect(r, 4, TRACK_PROCESS, 0, 1);
}

static bool counted_two(void *arg)
{
	struct rig *r = arg;

	return !strcmp(track_last(r->track, TRACK_PROCESS, 0), "2 running") &&
	       !strcmp(track_last(r->track, TRACK_PROCESS, 1), "2 running");
}

/* quorum_max 0: it must not run. The delay of the other is longer than this test: a short absence is not told. */
static void quorum_max_and_delay(void **state)
{
	struct rig *r = *state;
	char name[32], *path, *argv[] = { name, NULL };
	struct exec_job *job;

	snprintf(name, sizeof(name), "vx%d", (int)getpid());
	path = in_dir(r->w, name);
	copy_sleep(path);
	add_process(r, argv)->quorum = 2;
	r->procs[0].terminate_delay_ns = 3600 * S;
	add_process(r, argv)->quorum = 0;
	r->procs[1].quorum_max = 1;
	run_copy(r, path, "1000");
	job = run_copy(r, path, "1000");
	start(r);
	r->want = 2;
	run_until(r->w, told, r);
	assert_int_equal(track_value(r->track, TRACK_PROCESS, 0), 1);
	assert_int_equal(track_value(r->track, TRACK_PROCESS, 1), 0);
	exec_kill(r->w->exec, job);
	expect(r, 3, TRACK_PROCESS, 1, 1);
	assert_int_equal(track_value(r->track, TRACK_PROCESS, 0), 1);
	run_copy(r, path, "1000");
	run_until(r->w, counted_two, r);
	assert_int_equal(track_value(r->track, TRACK_PROCESS, 0), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(script_without_a_result_is_unknown_and_the_first_one_decides),
		T(first_failure_decides_whatever_fall_says),
		T(fall_failures_in_a_row_fault_and_one_success_restarts_the_count),
		T(rise_successes_in_a_row_heal),
		T(init_fail_is_failed_at_once_until_rise_successes),
		T(script_that_cannot_be_run_has_failed),
		T(time_out_is_a_failure_and_no_two_runs_overlap),
		T(slow_script_is_not_started_again_while_it_runs),
		T(test_file_is_ok_while_the_file_can_be_opened),
		T(nothing_runs_that_nothing_tracks),
		T(hanging_scripts_do_not_hold_up_another),
		T(reload_keeps_what_is_the_same),
		T(reload_ends_what_is_gone),
		T(file_is_an_integer_and_anything_else_is_zero),
		T(replaced_and_removed_files_are_followed),
		T(file_that_is_being_written_is_not_zero),
		T(fifo_in_place_of_a_file_does_not_block),
		T(folder_that_comes_and_goes_is_found_again),
		T(init_file_creates_and_only_overwrite_replaces),
		T(reload_keeps_files_and_does_not_init_them),
		T(quorum_is_gained_and_lost_with_processes),
		T(arguments_narrow_the_match),
		T(quorum_max_and_delay),
		T(without_events_processes_are_counted_once_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
