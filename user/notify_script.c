// SPDX-License-Identifier: GPL-2.0-or-later
#include "notify_script.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* An instance that flaps before scripts that hang must not fork without bound. */
enum { SCRIPTS_MAX = 256 };

/* One script: waiting, running, or (@job NULL, @waiting false) a free place. */
struct script {
	struct notify_scripts *s;
	struct exec_job *job;
	struct timer timer; /* armed while it waits */
	bool waiting;
	bool group; /* whose: with @name */
	bool supplementary_groups;
	uint64_t change;
	uint64_t started_ns;
	uid_t uid;
	gid_t gid;
	char *name;  /* owned; behind it in the same block, the texts of argv */
	char **argv; /* owned */
};

struct notify_scripts {
	struct loop *loop; /* borrowed */
	struct exec *exec; /* borrowed */
	struct script list[SCRIPTS_MAX];
	uint64_t change;
	bool said_full; /* said once, until it works again */
};

static bool is_free(const struct script *c)
{
	return !c->job && !c->waiting;
}

static void clear(struct script *c)
{
	timer_cancel(&c->s->loop->timers, &c->timer);
	free(c->name);
	free(c->argv);
	c->name = NULL;
	c->argv = NULL;
	c->job = NULL;
	c->waiting = false;
}

/* Whether scripts of an earlier change of the same instance are still to run, or are fresh enough to be waited for. */
static bool must_wait(const struct notify_scripts *s, const struct script *c, uint64_t now_ns)
{
	const struct script *o;

	for (o = s->list; o < s->list + SCRIPTS_MAX; o++)
		if (!is_free(o) && o->change < c->change && o->group == c->group && !strcmp(o->name, c->name) &&
		    (o->waiting || now_ns - o->started_ns < NOTIFY_ORDER_NS))
			return true;
	return false;
}

static void on_end(void *arg, enum exec_end end, int code);

static void start(struct script *c, uint64_t now_ns)
{
	const struct exec_cmd e = {
		.argv = c->argv,
		.uid = c->uid,
		.gid = c->gid,
		.supplementary_groups = c->supplementary_groups,
	};
	int err = exec_start(c->s->exec, &e, 0, on_end, c, &c->job);

	timer_cancel(&c->s->loop->timers, &c->timer);
	c->waiting = false;
	c->started_ns = now_ns;
	if (!err)
		return;
	log_err("%s: cannot run notify script %s: %s; check the file and its user", c->name, c->argv[0],
		strerror(-err));
	clear(c);
}

/* One that cannot be started makes room for the next: the list is gone through until nothing moves. */
static void start_ready(struct notify_scripts *s, uint64_t now_ns)
{
	struct script *c;
	bool moved = true;

	while (moved) {
		moved = false;
		for (c = s->list; c < s->list + SCRIPTS_MAX; c++) {
			if (!c->waiting || must_wait(s, c, now_ns))
				continue;
			start(c, now_ns);
			moved = true;
		}
	}
}

static void on_end(void *arg, enum exec_end end, int code)
{
	struct script *c = arg;

	(void)end;
	(void)code;
	clear(c);
	start_ready(c->s, loop_now_ns());
}

/* It has waited long enough. */
static void on_late(void *arg, uint64_t now_ns)
{
	struct script *c = arg;

	start(c, now_ns);
	start_ready(c->s, now_ns);
}

static size_t count_args(char *const *argv, const char *const *extra, size_t *bytes)
{
	size_t n = 0;

	for (; *argv; argv++, n++)
		*bytes += strlen(*argv) + 1;
	for (; extra && *extra; extra++, n++)
		*bytes += strlen(*extra) + 1;
	return n;
}

static char *put(char **at, const char *text)
{
	char *mine = *at;

	*at = stpcpy(mine, text) + 1;
	return mine;
}

/* What is configured may be gone when its turn comes. 0 or -ENOMEM. */
static int copy_args(struct script *c, const char *name, char *const *argv, const char *const *extra)
{
	size_t bytes = strlen(name) + 1, n = count_args(argv, extra, &bytes);
	char *at = malloc(bytes), **arg = calloc(n + 1, sizeof(*arg));

	c->name = at;
	c->argv = arg;
	if (!at || !arg) {
		clear(c);
		return -ENOMEM;
	}
	put(&at, name);
	for (; *argv; argv++)
		*arg++ = put(&at, *argv);
	for (; extra && *extra; extra++)
		*arg++ = put(&at, *extra);
	return 0;
}

static struct script *free_place(struct notify_scripts *s, const char *name, const char *program)
{
	struct script *c;

	for (c = s->list; c < s->list + SCRIPTS_MAX; c++) {
		if (!is_free(c))
			continue;
		s->said_full = false;
		return c;
	}
	if (!s->said_full)
		log_err("%s: %d notify scripts run already; %s and what follows is not run until some end, make them "
			"end by themselves",
			name, SCRIPTS_MAX, program);
	s->said_full = true;
	return NULL;
}

void notify_scripts_run(struct notify_scripts *s, bool group, const char *name, const struct conf_cmd *cmd,
			const char *const *extra, bool supplementary_groups)
{
	uint64_t now = loop_now_ns();
	struct script *c;

	if (!cmd->argv)
		return;
	c = free_place(s, name, cmd->argv[0]);
	if (!c)
		return;
	if (copy_args(c, name, cmd->argv, extra)) {
		log_err("%s: cannot run notify script %s: out of memory", name, cmd->argv[0]);
		return;
	}
	c->group = group;
	c->supplementary_groups = supplementary_groups;
	c->uid = cmd->uid;
	c->gid = cmd->gid;
	c->change = s->change;
	c->waiting = true;
	if (must_wait(s, c, now))
		timer_arm(&s->loop->timers, &c->timer, now + NOTIFY_ORDER_NS);
	else
		start(c, now);
}

void notify_scripts_next_change(struct notify_scripts *s)
{
	s->change++;
}

int notify_scripts_new(struct notify_scripts **out, struct loop *loop, struct exec *exec)
{
	struct notify_scripts *s = calloc(1, sizeof(*s));
	int err = s ? timer_queue_reserve(&loop->timers, loop->timers.cap + SCRIPTS_MAX) : -ENOMEM;
	size_t i;

	if (err) {
		free(s);
		return err;
	}
	s->loop = loop;
	s->exec = exec;
	for (i = 0; i < SCRIPTS_MAX; i++) {
		s->list[i].s = s;
		s->list[i].timer = (struct timer){ .fn = on_late, .arg = &s->list[i] };
	}
	*out = s;
	return 0;
}

/* In the order of the changes, oldest first. */
static struct script *first_waiting(struct notify_scripts *s)
{
	struct script *c, *first = NULL;

	for (c = s->list; c < s->list + SCRIPTS_MAX; c++)
		if (c->waiting && (!first || c->change < first->change))
			first = c;
	return first;
}

bool notify_scripts_wait(const struct notify_scripts *s)
{
	size_t i;

	for (i = 0; i < SCRIPTS_MAX; i++)
		if (s->list[i].waiting)
			return true;
	return false;
}

void notify_scripts_free(struct notify_scripts *s)
{
	struct script *c;

	if (!s)
		return;
	while ((c = first_waiting(s)))
		start(c, loop_now_ns());
	for (c = s->list; c < s->list + SCRIPTS_MAX; c++) {
		if (is_free(c))
			continue;
		exec_forget(c->job);
		clear(c);
	}
	free(s);
}
