// SPDX-License-Identifier: GPL-2.0-or-later
/* The scripts, and what all trackers have in common. */
#include "track.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "track_int.h"

enum { LAST_MAX = 64 };

struct script {
	struct track *t;
	const struct conf_script *conf;
	size_t item;
	struct timer timer; /* the next start */
	bool started;
	struct exec_job *job; /* NULL: does not run */
	int value;
	unsigned int streak;    /* results in a row that speak against @value */
	bool said_cannot_start; /* said once, until it starts again */
	char last[LAST_MAX];
};

int track_room(struct track *t, size_t timers)
{
	return timers ? timer_queue_reserve(&t->loop->timers, t->loop->timers.cap + timers) : 0;
}

static bool listed(const struct conf_track *list, size_t n, size_t item)
{
	while (n--)
		if (list[n].item == item)
			return true;
	return false;
}

bool track_used(const struct conf *conf, enum track_kind kind, size_t item)
{
	const struct conf_tracks *k;
	size_t i;
	bool used = false;

	for (i = 0; i < conf->nvrs && !used; i++) {
		k = &conf->vrs[i].tracks;
		switch (kind) {
		case TRACK_SCRIPT:
			used = listed(k->scripts, k->nscripts, item);
			break;
		case TRACK_FILE:
			used = listed(k->files, k->nfiles, item);
			break;
		case TRACK_PROCESS:
			used = listed(k->procs, k->nprocs, item);
			break;
		}
	}
	return used;
}

void track_tell(struct track *t, enum track_kind kind, size_t item, int value)
{
	if (t->ops.changed)
		t->ops.changed(t->ops.arg, kind, item, value);
}

bool track_same_argv(char *const *a, char *const *b)
{
	if (!a || !b)
		return a == b;
	while (*a && *b && !strcmp(*a, *b)) {
		a++;
		b++;
	}
	return !*a && !*b;
}

/*
 * rise and fall (spec 4.1): only so many results in a row turn the value, and one the other way starts the count again. The very first
 * result decides at once, whatever they say.
 */
static void script_result(struct script *s, bool ok)
{
	unsigned int needed = ok ? s->conf->rise : s->conf->fall;

	if (s->value == ok) {
		s->streak = 0;
		return;
	}
	if (s->value != TRACK_UNKNOWN && ++s->streak < needed)
		return;
	s->streak = 0;
	s->value = ok;
	log_info("VRRP_Script(%s) %s", s->conf->name, ok ? "succeeded" : "failed");
	track_tell(s->t, TRACK_SCRIPT, s->item, s->value);
}

static void on_script_end(void *arg, enum exec_end end, int code)
{
	struct script *s = arg;

	if (end != EXEC_TIMEOUT)
		s->job = NULL;
	switch (end) {
	case EXEC_EXITED:
		if (code)
			snprintf(s->last, sizeof(s->last), "exit status %d", code);
		else
			snprintf(s->last, sizeof(s->last), "OK");
		break;
	case EXEC_SIGNALED:
		snprintf(s->last, sizeof(s->last), "killed by signal %d", code);
		break;
	case EXEC_TIMEOUT: /* still there, and not started again before it is gone */
		snprintf(s->last, sizeof(s->last), "timed out");
		break;
	case EXEC_GONE: /* its time-out has been counted */
		return;
	case EXEC_FAILED:
		break;
	}
	script_result(s, end == EXEC_EXITED && !code);
}

/* A script that cannot be run has failed; keepalived counts it as a success, which hides a lost script (spec 3.4). */
static void cannot_start(struct script *s, int err)
{
	snprintf(s->last, sizeof(s->last), "cannot run: %s", strerror(-err));
	if (!s->said_cannot_start)
		log_err("vrrp_script %s: cannot run %s: %s; it counts as failed until it can be run, check the file "
			"and its user",
			s->conf->name, s->conf->cmd.argv[0], strerror(-err));
	s->said_cannot_start = true;
	script_result(s, false);
}

static void script_run(struct script *s)
{
	/* "</path": whether a file opens is asked in a process too, because a dead file server would hold us up. */
	char test[] = "test", readable[] = "-r";
	char *const test_argv[] = { test, readable, s->conf->cmd.argv[0], NULL };
	struct exec_cmd cmd = {
		.argv = s->conf->test_file ? test_argv : s->conf->cmd.argv,
		.uid = s->conf->cmd.uid,
		.gid = s->conf->cmd.gid,
		.supplementary_groups = s->t->conf->globals.supplementary_groups,
	};
	int err;

	if (s->job)
		return;
	err = exec_start(s->t->exec, &cmd, s->conf->timeout_ns, on_script_end, s, &s->job);
	if (err) {
		cannot_start(s, err);
		return;
	}
	s->said_cannot_start = false;
}

/* From start to start, so a script's own time does not stretch the interval; after a stall the missed runs are not made up for. */
static void on_script_timer(void *arg, uint64_t now_ns)
{
	struct script *s = arg;
	uint64_t next = s->timer.at_ns + s->conf->interval_ns;

	timer_arm(&s->t->loop->timers, &s->timer, next > now_ns ? next : now_ns + s->conf->interval_ns);
	script_run(s);
}

static void script_start(struct script *s)
{
	if (s->started)
		return;
	s->started = true;
	timer_arm(&s->t->loop->timers, &s->timer, loop_now_ns() + s->conf->interval_ns);
	if (s->value != TRACK_UNKNOWN)
		track_tell(s->t, TRACK_SCRIPT, s->item, s->value);
	script_run(s);
}

static void script_free(struct script *s)
{
	if (!s)
		return;
	if (s->job)
		exec_kill(s->t->exec, s->job);
	timer_cancel(&s->t->loop->timers, &s->timer);
	free(s);
}

static struct script *script_new(struct track *t, const struct conf_script *conf, size_t item)
{
	struct script *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->t = t;
	s->conf = conf;
	s->item = item;
	s->timer = (struct timer){ .fn = on_script_timer, .arg = s };
	s->value = conf->init_fail ? 0 : TRACK_UNKNOWN; /* init_fail: failed until `rise` successes say otherwise */
	snprintf(s->last, sizeof(s->last), "not run yet");
	return s;
}

static bool same_script(const struct conf_script *a, const struct conf_script *b)
{
	return !strcmp(a->name, b->name) && a->test_file == b->test_file && a->cmd.uid == b->cmd.uid &&
	       a->cmd.gid == b->cmd.gid && track_same_argv(a->cmd.argv, b->cmd.argv);
}

static struct script *old_script(const struct track *t, const struct conf_script *conf)
{
	size_t i;

	for (i = 0; i < t->nscripts; i++)
		if (t->scripts[i] && same_script(t->scripts[i]->conf, conf))
			return t->scripts[i];
	return NULL;
}

/* Frees the scripts of the list that @t does not have; @list itself as well. */
static void drop_scripts(struct track *t, struct script **list, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < t->nscripts && t->scripts[k] != list[i]; k++)
			;
		if (k == t->nscripts)
			script_free(list[i]);
	}
	free(list);
}

static struct script **make_scripts(struct track *t, const struct conf *conf, struct script **fresh, size_t *nfresh)
{
	struct script **list = calloc(conf->nscripts + 1, sizeof(struct script *)), *s;
	size_t i;

	for (i = 0; list && i < conf->nscripts; i++) {
		if (!conf->scripts[i].cmd.argv || !track_used(conf, TRACK_SCRIPT, i))
			continue;
		s = old_script(t, &conf->scripts[i]);
		if (!s) {
			s = fresh[*nfresh] = script_new(t, &conf->scripts[i], i);
			*nfresh += s != NULL;
		}
		list[i] = s;
		if (!s) {
			free(list);
			return NULL;
		}
	}
	return list;
}

/* Either all of @conf's scripts are in place, or nothing has changed. */
static int set_scripts(struct track *t, const struct conf *conf)
{
	struct script **fresh = calloc(conf->nscripts + 1, sizeof(struct script *)), **list = NULL, **old = t->scripts;
	size_t nfresh = 0, nold = t->nscripts, i;

	if (fresh)
		list = make_scripts(t, conf, fresh, &nfresh);
	if (!list || track_room(t, nfresh)) {
		while (nfresh)
			script_free(fresh[--nfresh]);
		free(fresh);
		free(list);
		return -ENOMEM;
	}
	free(fresh);
	for (i = 0; i < conf->nscripts; i++) {
		if (!list[i])
			continue;
		list[i]->conf = &conf->scripts[i];
		list[i]->item = i;
	}
	t->scripts = list;
	t->nscripts = conf->nscripts;
	drop_scripts(t, old, nold);
	return 0;
}

/* Name services are asked now, while it may take its time, and not when a script has to start. */
static void learn_users(struct track *t, const struct conf *conf)
{
	size_t i;
	int err;

	for (i = 0; conf->globals.supplementary_groups && i < conf->nscripts; i++) {
		if (!t->scripts[i])
			continue;
		err = exec_learn(t->exec, conf->scripts[i].cmd.uid, conf->scripts[i].cmd.gid);
		if (err)
			log_err("vrrp_script %s: cannot look up the groups of user %u: %s; check "
				"set_supplementary_groups and the user",
				conf->scripts[i].name, (unsigned int)conf->scripts[i].cmd.uid, strerror(-err));
	}
}

static int set_conf(struct track *t, const struct conf *conf)
{
	int err = set_scripts(t, conf);

	if (!err)
		err = track_files_set(t->files, conf);
	if (!err)
		err = track_procs_set(t->procs, conf);
	t->conf = conf;
	if (!err)
		learn_users(t, conf);
	return err;
}

int track_new(struct track **out, struct loop *loop, struct exec *exec, const struct conf *conf,
	      const struct track_ops *ops)
{
	struct track *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->loop = loop;
	t->exec = exec;
	t->ops = *ops;
	err = track_files_new(&t->files, t);
	if (!err)
		err = track_procs_new(&t->procs, t);
	if (!err)
		err = set_conf(t, conf);
	if (err)
		track_free(t);
	else
		*out = t;
	return err;
}

void track_free(struct track *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->nscripts; i++)
		script_free(t->scripts[i]);
	free(t->scripts);
	track_files_free(t->files);
	track_procs_free(t->procs);
	free(t);
}

static void start_new(struct track *t, bool first)
{
	size_t i;

	for (i = 0; i < t->nscripts; i++)
		if (t->scripts[i])
			script_start(t->scripts[i]);
	track_files_start(t->files, first);
	track_procs_start(t->procs);
}

int track_start(struct track *t)
{
	t->started = true;
	start_new(t, true);
	return 0;
}

bool track_hand_name(struct hand *h, const char *name)
{
	char text[TRACK_NAME] = "";

	if (h->out)
		snprintf(text, sizeof(text), "%s", name);
	HAND(h, text);
	return !strncmp(text, name, sizeof(text) - 1);
}

/* @s as it is handed over. What is read for a script that is no longer there is read for nobody. */
static void hand_script(struct track *t, struct hand *h, struct script *s)
{
	uint64_t at_ns = s->timer.index ? s->timer.at_ns : 0;
	bool same = track_hand_name(h, s->conf ? s->conf->name : "");
	pid_t pid = exec_pid(s->job);
	struct script in = *s;

	HAND(h, in.started);
	HAND(h, in.value);
	HAND(h, in.streak);
	HAND(h, in.said_cannot_start);
	HAND(h, in.last);
	HAND(h, at_ns);
	HAND(h, pid);
	if (h->out || !s->conf || !same || !in.started)
		return;
	*s = in;
	s->job = exec_claim(t->exec, pid, on_script_end, s);
	timer_arm(&t->loop->timers, &s->timer, at_ns);
}

static void hand_all(struct track *t, struct hand *h)
{
	size_t n = t->nscripts, i;

	hand_count(h, &n, TRACK_MAX);
	for (i = 0; i < n; i++) {
		struct script none = { .conf = NULL };

		hand_script(t, h, i < t->nscripts && t->scripts[i] ? t->scripts[i] : &none);
	}
	track_procs_hand(t->procs, h);
}

void track_hand_over(struct track *t, struct hand *h)
{
	hand_all(t, h);
}

int track_resume(struct track *t, struct hand *h)
{
	hand_all(t, h);
	t->started = true;
	start_new(t, false);
	return 0;
}

int track_reload(struct track *t, const struct conf *conf)
{
	int err = set_conf(t, conf);

	if (!err && t->started)
		start_new(t, false);
	return err;
}

int track_value(const struct track *t, enum track_kind kind, size_t item)
{
	switch (kind) {
	case TRACK_SCRIPT:
		return item < t->nscripts && t->scripts[item] ? t->scripts[item]->value : TRACK_UNKNOWN;
	case TRACK_FILE:
		return track_files_value(t->files, item);
	case TRACK_PROCESS:
		return track_procs_value(t->procs, item);
	}
	return TRACK_UNKNOWN;
}

const char *track_last(const struct track *t, enum track_kind kind, size_t item)
{
	switch (kind) {
	case TRACK_SCRIPT:
		return item < t->nscripts && t->scripts[item] ? t->scripts[item]->last : "not tracked";
	case TRACK_FILE:
		return track_files_value(t->files, item) == TRACK_UNKNOWN ? "not read yet" : "OK";
	case TRACK_PROCESS:
		return track_procs_last(t->procs, item);
	}
	return "";
}
