// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is tracked and who belongs to whom: vrrp_script, track_file, vrrp_track_process, vrrp_sync_group, track_group and the
 * track_* lists (spec 2.5, 2.6, 3.4, 4.1, 4.2). Names are looked up when all is read, so the order of the blocks is free.
 */
#include "conf_int.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUORUM_MAX = 65535, COUNT_MAX = 1000000 };

/* ---- definitions ---- */

/* Room for one more definition and for its place in the order of the file. False: said, or out of memory. */
static bool add_item(struct conf_parser *p, const struct conf_line *l, enum conf_map_kind kind, void **list, size_t n,
		     size_t size)
{
	size_t which = kind - CONF_MAP_SCRIPT, *orders;
	void *bigger;

	if (!conf_open_named(p, l, kind, n))
		return false;
	bigger = conf_grow(p, *list, n, size);
	if (!bigger)
		return false;
	*list = bigger;
	orders = conf_grow(p, p->item_orders[which], n, sizeof(*orders));
	if (!orders)
		return false;
	p->item_orders[which] = orders;
	orders[n] = p->order;
	return true;
}

void conf_open_script(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf *c = p->conf;
	void *list = c->scripts;
	bool good = add_item(p, l, CONF_MAP_SCRIPT, &list, c->nscripts, sizeof(*c->scripts));

	(void)k;
	c->scripts = list;
	if (good)
		c->scripts[c->nscripts++] = (struct conf_script){
			.name = conf_keep(p, l->word[1]),
			.at = conf_line_at(l, 0),
			.interval_ns = CONF_SEC_NS,
			.rise = 1,
			.fall = 1,
		};
}

void conf_open_file(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf *c = p->conf;
	void *list = c->track_files;
	bool good = add_item(p, l, CONF_MAP_FILE, &list, c->ntrack_files, sizeof(*c->track_files));

	(void)k;
	c->track_files = list;
	if (good)
		c->track_files[c->ntrack_files++] = (struct conf_file){
			.name = conf_keep(p, l->word[1]),
			.at = conf_line_at(l, 0),
			.weight = 1,
		};
}

void conf_open_process(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf *c = p->conf;
	void *list = c->processes;
	bool good = add_item(p, l, CONF_MAP_PROCESS, &list, c->nprocesses, sizeof(*c->processes));

	(void)k;
	c->processes = list;
	if (good)
		c->processes[c->nprocesses++] = (struct conf_process){
			.name = conf_keep(p, l->word[1]),
			.at = conf_line_at(l, 0),
			.quorum = 1,
			.quorum_max = UINT_MAX,
		};
}

void conf_open_group(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf *c = p->conf;
	struct conf_group *groups;
	struct conf_group_note *notes;

	(void)k;
	if (strlen(l->word[1]) >= CONF_NAME_MAX) {
		CONF_TELL_ERROR(p, l, 1, "vrrp_sync_group name \"%.80s\" has %zu characters; use at most %d",
				l->word[1], strlen(l->word[1]), CONF_NAME_MAX - 1);
		conf_skip_block(p, l);
		return;
	}
	if (!conf_open_named(p, l, CONF_MAP_GROUP, c->ngroups) ||
	    !(notes = conf_grow(p, p->group_notes, c->ngroups, sizeof(*notes))))
		return;
	p->group_notes = notes;
	notes[c->ngroups] = (struct conf_group_note){ 0 };
	groups = conf_grow(p, c->groups, c->ngroups, sizeof(*groups));
	if (!groups)
		return;
	c->groups = groups;
	groups[c->ngroups] = (struct conf_group){ .at = conf_line_at(l, 0) };
	snprintf(groups[c->ngroups++].name, CONF_NAME_MAX, "%s", l->word[1]);
}

void conf_open_track_group(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf *c = p->conf;
	struct conf_track_group *groups;

	(void)k;
	if (!conf_open_named(p, l, CONF_MAP_TRACK_GROUP, c->ntrack_groups) ||
	    !(groups = conf_grow(p, c->track_groups, c->ntrack_groups, sizeof(*groups))))
		return;
	c->track_groups = groups;
	groups[c->ntrack_groups++] =
		(struct conf_track_group){ .name = conf_keep(p, l->word[1]), .at = conf_line_at(l, 0) };
}

/* ---- their keywords ---- */

/* "N [reverse]" */
static void take_weight(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l, int *weight,
			bool *reverse)
{
	int64_t n;

	if (!conf_parse_signed(l->word[1], &n) || n < -(int64_t)k->max || n > (int64_t)k->max) {
		CONF_TELL_WARN(p, l, 1, "weight \"%.60s\" is not a number from -%d to %d; the line is ignored",
			       l->word[1], (int)k->max, (int)k->max);
		return;
	}
	*weight = (int)n;
	*reverse = l->nwords > 2 && !strcmp(l->word[2], "reverse");
	if (l->nwords > 2 && !*reverse && strcmp(l->word[2], "noreverse") != 0)
		CONF_TELL_WARN(p, l, 2, "\"%.60s\" after a weight is not known and is ignored; only reverse can follow",
			       l->word[2]);
}

static void set_script_weight(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_script *s = &p->conf->scripts[p->conf->nscripts - 1];

	take_weight(p, k, l, &s->weight, &s->reverse);
}

static void set_file_weight(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_file *f = &p->conf->track_files[p->conf->ntrack_files - 1];

	take_weight(p, k, l, &f->weight, &f->reverse);
}

static void set_process_weight(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_process *t = &p->conf->processes[p->conf->nprocesses - 1];

	take_weight(p, k, l, &t->weight, &t->reverse);
}

/* Milliseconds count, and 0 becomes 1 s (spec 2.5). */
static void set_script_time(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	uint64_t ns;

	if (!conf_take_seconds(p, k, l, &ns))
		return;
	ns = (ns + CONF_MS_NS / 2) / CONF_MS_NS * CONF_MS_NS;
	if (!ns)
		CONF_TELL_WARN(p, l, 1, "%s 0 becomes 1 second; write the seconds you want", k->word);
	*(uint64_t *)conf_field(p, k) = ns ? ns : CONF_SEC_NS;
}

static void set_script(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_script *s = &p->conf->scripts[p->conf->nscripts - 1];
	const char *user = s->cmd.user, *group = s->cmd.group;

	s->cmd.argv = NULL;
	conf_put_cmd(p, k, l);
	s->cmd.user = user;
	s->cmd.group = group;
}

/* "USER [[:]GROUP]" */
static void set_script_user(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_script *s = &p->conf->scripts[p->conf->nscripts - 1];

	(void)k;
	s->cmd.user = conf_keep(p, l->word[1]);
	s->cmd.group = l->nwords > 2 ? conf_keep(p, l->word[2]) : NULL;
}

/* "[VALUE] [overwrite]" */
static void set_init_file(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_file *f = &p->conf->track_files[p->conf->ntrack_files - 1];
	int64_t n;

	(void)k;
	f->init = true;
	for (size_t i = 1; i < l->nwords; i++) {
		if (!strcmp(l->word[i], "overwrite"))
			f->init_overwrite = true;
		else if (conf_parse_signed(l->word[i], &n) && n >= INT_MIN && n <= INT_MAX)
			f->init_value = (int)n;
		else
			CONF_TELL_WARN(p, l, i,
				       "\"%.60s\" after init_file is neither a number nor \"overwrite\" and is ignored",
				       l->word[i]);
	}
}

static void set_process(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_process *t = &p->conf->processes[p->conf->nprocesses - 1];
	char **argv = conf_alloc(p->conf, l->nwords * sizeof(*argv));

	(void)k;
	if (!argv) {
		p->oom = true;
		return;
	}
	for (size_t i = 1; i < l->nwords; i++)
		argv[i - 1] = (char *)conf_keep(p, l->word[i]);
	t->argv = argv;
}

static void set_param_match(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_process *t = &p->conf->processes[p->conf->nprocesses - 1];

	(void)k;
	t->param_match = CONF_PARAM_EXACT;
	if (l->nwords < 2)
		return;
	if (!strcmp(l->word[1], "initial"))
		t->param_match = CONF_PARAM_INITIAL;
	else if (!strcmp(l->word[1], "partial"))
		t->param_match = CONF_PARAM_PARTIAL;
	else
		CONF_TELL_WARN(p, l, 1,
			       "param_match \"%.60s\" is not known; the parameters must be equal, write initial or "
			       "partial",
			       l->word[1]);
}

static void set_delay(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_process *t = &p->conf->processes[p->conf->nprocesses - 1];
	uint64_t ns;

	if (conf_take_seconds(p, k, l, &ns))
		t->fork_delay_ns = t->terminate_delay_ns = ns;
}

static void set_group_smtp(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	conf_put_bool(p, k, l);
	p->group_notes[p->conf->ngroups - 1].smtp_set = true;
}

static void set_group_events(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	conf_put_bool(p, k, l);
	p->group_notes[p->conf->ngroups - 1].events_set = true;
}

#define SC(f) offsetof(struct conf_script, f)
#define TF(f) offsetof(struct conf_file, f)
#define TP(f) offsetof(struct conf_process, f)
#define SG(f) offsetof(struct conf_group, f)
#define NOTIFY(w, f)                                                                                                   \
	{                                                                                                              \
		.word = w, .set = conf_put_cmd, .off = SG(notify.f), .min = 1, .max = 1,                               \
		.what = "a command, in double quotes if it has arguments", .words = CONF_WORDS_ANY                     \
	}
#define DELAY(w, setter, f)                                                                                            \
	{                                                                                                              \
		.word = w, .set = setter, .off = f, .min = 1000, .max = 3600 * CONF_SEC_NS,                            \
		.what = "0.000001 to 3600 seconds", .fallback = "the line is ignored"                                  \
	}

static const struct conf_key script_keys[] = {
	{ .word = "script",
	  .set = set_script,
	  .off = SC(cmd),
	  .what = "a command, in double quotes if it has arguments",
	  .words = CONF_WORDS_ANY },
	{ .word = "interval",
	  .set = set_script_time,
	  .off = SC(interval_ns),
	  .max = 1000000 * CONF_SEC_NS,
	  .what = "seconds",
	  .fallback = "the line is ignored" },
	{ .word = "timeout",
	  .set = set_script_time,
	  .off = SC(timeout_ns),
	  .max = 1000000 * CONF_SEC_NS,
	  .what = "seconds",
	  .fallback = "the line is ignored" },
	{ .word = "weight", .set = set_script_weight, .max = 253, .what = "a number from -253 to 253", .words = 2 },
	{ .word = "rise",
	  .set = conf_put_uint,
	  .off = SC(rise),
	  .min = 1,
	  .max = COUNT_MAX,
	  .what = "a number from 1" },
	{ .word = "fall",
	  .set = conf_put_uint,
	  .off = SC(fall),
	  .min = 1,
	  .max = COUNT_MAX,
	  .what = "a number from 1" },
	{ .word = "user", .set = set_script_user, .what = "a user, and a group if you like", .words = 2 },
	{ .word = "init_fail", .set = conf_put_yes, .off = SC(init_fail) },
};

static const struct conf_key file_keys[] = {
	{ .word = "file", .set = conf_put_text, .off = TF(path), .what = "a path" },
	{ .word = "weight", .set = set_file_weight, .max = 254, .what = "a number from -254 to 254", .words = 2 },
	{ .word = "init_file", .set = set_init_file, .words = 2 },
};

static const struct conf_key process_keys[] = {
	{ .word = "process", .set = set_process, .what = "the name of a process", .words = CONF_WORDS_ANY },
	{ .word = "param_match", .set = set_param_match, .words = 1 },
	{ .word = "weight", .set = set_process_weight, .max = 254, .what = "a number from -254 to 254", .words = 2 },
	{ .word = "quorum",
	  .set = conf_put_uint,
	  .off = TP(quorum),
	  .min = 1,
	  .max = QUORUM_MAX,
	  .what = "a number from 1 to 65535" },
	{ .word = "quorum_max",
	  .set = conf_put_uint,
	  .off = TP(quorum_max),
	  .max = QUORUM_MAX,
	  .what = "a number from 0 to 65535" },
	DELAY("delay", set_delay, 0),
	DELAY("fork_delay", conf_put_seconds, TP(fork_delay_ns)),
	DELAY("terminate_delay", conf_put_seconds, TP(terminate_delay_ns)),
	{ .word = "full_command", .set = conf_put_yes, .off = TP(full_command) },
};

static const struct conf_key group_keys[] = {
	{ .word = "group", .set = conf_open_members, .block = CONF_CTX_MEMBERS },
	{ .word = "sync_group_tracking_weight", .set = conf_put_yes, .off = SG(tracking_weight) },
	{ .word = "global_tracking", .set = conf_put_yes, .off = SG(tracking_weight) },
	{ .word = "track_interface", .block = CONF_CTX_TRACK_IFS },
	{ .word = "track_script", .block = CONF_CTX_TRACK_SCRIPTS },
	{ .word = "track_file", .block = CONF_CTX_TRACK_FILES },
	{ .word = "track_process", .block = CONF_CTX_TRACK_PROCESSES },
	{ .word = "track_bfd",
	  .set = conf_not_done,
	  .words = CONF_WORDS_ANY,
	  .fallback = "there are no BFD sessions, so this group runs as if they were up" },
	{ .word = "smtp_alert", .set = set_group_smtp, .off = SG(smtp_alert) },
	{ .word = "notify_priority_changes", .set = set_group_events, .off = SG(notify_priority_changes) },
	NOTIFY("notify", any),
	NOTIFY("notify_master", master),
	NOTIFY("notify_backup", backup),
	NOTIFY("notify_fault", fault),
	NOTIFY("notify_stop", stop),
	NOTIFY("notify_master_rx_lower_pri", master_rx_lower_pri),
};

const struct conf_keys conf_script_keys = { script_keys, CONF_LEN(script_keys) };
const struct conf_keys conf_file_keys = { file_keys, CONF_LEN(file_keys) };
const struct conf_keys conf_process_keys = { process_keys, CONF_LEN(process_keys) };
const struct conf_keys conf_group_keys = { group_keys, CONF_LEN(group_keys) };

/* ---- entries ---- */

/* The first `group` block stays (spec 1.4). */
void conf_open_members(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	bool sync = p->owner == CONF_OWNER_GROUP;
	size_t index = (sync ? p->conf->ngroups : p->conf->ntrack_groups) - 1;
	bool fresh;

	if (!conf_map_put(&p->map, CONF_MAP_MEMBER + p->owner, index, "", 0, &fresh)) {
		p->oom = true;
	} else if (!fresh) {
		CONF_TELL_WARN(p, l, 0, "%s is there already and the first one stays; this one is skipped", k->word);
		conf_skip_block(p, l);
	}
}

static void add_member_note(struct conf_parser *p, const struct conf_line *l, size_t i, size_t index)
{
	struct conf_member_note *bigger;
	const char *name = l->word[i];
	bool fresh;

	if (!*name)
		return;
	if (!conf_map_put(&p->map, CONF_MAP_MEMBER + p->owner, index, name, strlen(name), &fresh)) {
		p->oom = true;
	} else if (!fresh) {
		CONF_TELL_WARN(p, l, i, "\"%.60s\" is in this group already; remove one of the two", name);
	} else if ((bigger = conf_grow(p, p->members, p->nmembers, sizeof(*bigger)))) {
		p->members = bigger;
		bigger[p->nmembers++] =
			(struct conf_member_note){ p->owner, index, conf_keep(p, name), conf_line_at(l, i) };
	}
}

/* Every word on every line is a name (spec 1.4). */
void conf_member_entry(struct conf_parser *p, const struct conf_line *l)
{
	bool sync = p->owner == CONF_OWNER_GROUP;
	size_t index = (sync ? p->conf->ngroups : p->conf->ntrack_groups) - 1;

	for (size_t i = 0; i < l->nwords; i++)
		add_member_note(p, l, i, index);
}

static const char *const kind_words[] = {
	[CONF_TRACK_IF] = "interface",
	[CONF_TRACK_SCRIPT] = "script",
	[CONF_TRACK_FILE] = "file",
	[CONF_TRACK_PROCESS] = "process",
};

/* "[weight N [reverse|noreverse]]" after the name. False: the entry is dropped, which is said. */
static bool track_weight(struct conf_parser *p, const struct conf_line *l, struct conf_track_note *t)
{
	bool wide = t->kind == CONF_TRACK_FILE || t->kind == CONF_TRACK_PROCESS;
	int max = wide ? 254 : 253;
	int64_t n;

	if (l->nwords < 2)
		return true;
	if (strcmp(l->word[1], "weight") != 0 || l->nwords < 3) {
		CONF_TELL_WARN(p, l, 1,
			       "\"%.60s\" after \"%.60s\" is not understood and the %s is NOT tracked; write \"weight "
			       "NUMBER\"",
			       l->word[1], l->word[0], kind_words[t->kind]);
		return false;
	}
	if (!conf_parse_signed(l->word[2], &n) || n < -254 || n > 254) {
		CONF_TELL_WARN(
			p, l, 2, "weight \"%.60s\" is not a number from -%d to %d; %s is used", l->word[2], max, max,
			t->kind == CONF_TRACK_IF ? "0, a fault when it is down," : "the weight of the definition");
		return true;
	}
	if (n < -max || n > max) {
		CONF_TELL_WARN(p, l, 2, "weight %d is outside -%d to %d; %d is used", (int)n, max, max,
			       n < 0 ? -max : max);
		n = n < 0 ? -max : max;
	}
	t->weight = (int)n;
	t->weight_set = true;
	t->reverse = l->nwords > 3 && !strcmp(l->word[3], "reverse");
	if (l->nwords > 3 && !t->reverse && strcmp(l->word[3], "noreverse") != 0)
		CONF_TELL_WARN(p, l, 3, "\"%.60s\" after a weight is not known and is ignored; only reverse can follow",
			       l->word[3]);
	return true;
}

void conf_track_entry(struct conf_parser *p, const struct conf_line *l)
{
	bool group = p->owner == CONF_OWNER_GROUP;
	struct conf_track_note t = {
		.kind = (enum conf_track_kind)(p->stack[p->depth - 1].ctx - CONF_CTX_TRACK_IFS),
		.owner = p->owner,
		.index = (group ? p->conf->ngroups : p->conf->nvrs) - 1,
		.at = conf_line_at(l, 0),
		.order = p->order,
	};
	unsigned int kind = (group ? CONF_MAP_GROUP_NOTE : CONF_MAP_NOTE) + t.kind;
	struct conf_track_note *bigger;
	bool fresh;

	if (!track_weight(p, l, &t))
		return;
	if (!conf_map_put(&p->map, kind, t.index, l->word[0], strlen(l->word[0]), &fresh)) {
		p->oom = true;
	} else if (!fresh) {
		CONF_TELL_WARN(p, l, 0, "\"%.60s\" is tracked here already; this line is ignored", l->word[0]);
	} else if (t.kind == CONF_TRACK_IF && !conf_good_ifname(l->word[0])) {
		CONF_TELL_WARN(p, l, 0, "\"%.60s\" is not an interface name and is NOT tracked", l->word[0]);
	} else if ((bigger = conf_grow(p, p->tracks, p->ntracks, sizeof(*bigger)))) {
		t.name = conf_keep(p, l->word[0]);
		p->tracks = bigger;
		bigger[p->ntracks++] = t;
		if (t.kind == CONF_TRACK_IF)
			conf_need_iface(p, l->word[0], "tracked interface", &t.at);
	}
}

/* ---- when all is read: commands ---- */

static void resolve(struct conf_parser *p, const char *owner, struct conf_cmd *cmd)
{
	struct conf_line_ctx x = { p->conf, p->io, p->diag, owner, false };

	if (cmd->argv && conf_cmd_resolve(&x, cmd) < 0)
		p->oom = true;
}

static void resolve_notify(struct conf_parser *p, const char *owner, struct conf_notify *n)
{
	struct conf_cmd *all[] = {
		&n->any, &n->master, &n->backup, &n->fault, &n->stop, &n->deleted, &n->master_rx_lower_pri
	};

	for (size_t i = 0; i < CONF_LEN(all); i++)
		resolve(p, owner, all[i]);
}

static void finish_script(struct conf_parser *p, struct conf_script *s)
{
	if (!s->timeout_ns)
		s->timeout_ns = s->interval_ns;
	if (!s->cmd.argv)
		CONF_WARN_AT(p, &s->at, "vrrp_script \"%.60s\" has no script and is disabled; add one", s->name);
	else
		resolve(p, s->name, &s->cmd);
	/* "</path" asks only whether the file can be opened (spec 3.4) */
	s->test_file = s->cmd.argv && s->cmd.argv[0][0] == '<' && s->cmd.argv[0][1] == '/';
	if (s->test_file)
		s->cmd.argv[0]++;
}

/* The user who may own and read the pipe. */
static void finish_fifo(struct conf_parser *p, const char *word, struct conf_fifo *f)
{
	const struct conf_at at = { .file = "" };

	if (f->path && f->user && p->io->user && p->io->user(p->io->arg, f->user, f->group, &f->uid, &f->gid)) {
		CONF_WARN_AT(p, &at,
			     "%s: user \"%.60s\" or its group does not exist, so the pipe stays ours; correct it", word,
			     f->user);
		f->user = f->group = NULL;
		f->uid = f->gid = 0;
	}
	if (f->script.argv && !f->path)
		CONF_WARN_AT(p, &f->script.at, "%s_script without %s is never started; add the pipe", word, word);
	resolve(p, word, &f->script);
}

void conf_finish_commands(struct conf_parser *p)
{
	struct conf *c = p->conf;
	struct conf_globals *g = &c->globals;

	for (size_t i = 0; i < c->nscripts; i++)
		finish_script(p, &c->scripts[i]);
	for (size_t i = 0; i < c->nvrs; i++)
		resolve_notify(p, c->vrs[i].name, &c->vrs[i].notify);
	for (size_t i = 0; i < c->ngroups; i++)
		resolve_notify(p, c->groups[i].name, &c->groups[i].notify);
	resolve(p, "startup_script", &g->startup_script);
	resolve(p, "shutdown_script", &g->shutdown_script);
	finish_fifo(p, "notify_fifo", &g->fifo);
	finish_fifo(p, "vrrp_notify_fifo", &g->vrrp_fifo);
}

/* ---- when all is read: definitions ---- */

static void set_index(struct conf_parser *p, enum conf_map_kind kind, const char *name, size_t index)
{
	size_t *slot = conf_map_get(&p->map, kind, 0, name, strlen(name));

	if (slot)
		*slot = index;
}

/* What cannot work goes, and then counts as not defined. */
static void finish_files(struct conf_parser *p)
{
	struct conf *c = p->conf;
	size_t n = 0;

	for (size_t i = 0; i < c->ntrack_files; i++) {
		struct conf_file f = c->track_files[i];

		set_index(p, CONF_MAP_FILE, f.name, f.path ? n : SIZE_MAX);
		if (f.path) {
			p->item_orders[CONF_TRACK_FILE - 1][n] = p->item_orders[CONF_TRACK_FILE - 1][i];
			c->track_files[n++] = f;
		} else {
			CONF_WARN_AT(p, &f.at, "track_file \"%.60s\" names no file and is dropped; add \"file PATH\"",
				     f.name);
		}
	}
	c->ntrack_files = n;
}

static void finish_processes(struct conf_parser *p)
{
	struct conf *c = p->conf;
	size_t n = 0;

	for (size_t i = 0; i < c->nprocesses; i++) {
		struct conf_process t = c->processes[i];

		set_index(p, CONF_MAP_PROCESS, t.name, t.argv ? n : SIZE_MAX);
		if (t.argv) {
			p->item_orders[CONF_TRACK_PROCESS - 1][n] = p->item_orders[CONF_TRACK_PROCESS - 1][i];
			c->processes[n++] = t;
			if (t.argv[1] && t.param_match == CONF_PARAM_NONE)
				c->processes[n - 1].param_match = CONF_PARAM_EXACT;
		} else {
			CONF_WARN_AT(p, &t.at,
				     "vrrp_track_process \"%.60s\" names no process and is dropped; add \"process "
				     "NAME\"",
				     t.name);
		}
	}
	c->nprocesses = n;
}

/* ---- when all is read: groups ---- */

static size_t *add_index(struct conf_parser *p, size_t *list, size_t *n, size_t value)
{
	size_t *bigger = conf_grow(p, list, *n, sizeof(*bigger));

	if (!bigger)
		return list;
	bigger[(*n)++] = value;
	return bigger;
}

static void join(struct conf_parser *p, const struct conf_member_note *m)
{
	struct conf *c = p->conf;
	size_t *slot = conf_map_get(&p->map, CONF_MAP_INSTANCE, 0, m->name, strlen(m->name));
	struct conf_vr *vr = slot ? &c->vrs[*slot] : NULL;
	struct conf_group *g;

	if (!vr) {
		CONF_WARN_AT(p, &m->at, "there is no vrrp_instance \"%.60s\"; it is left out of the group", m->name);
	} else if (m->owner == CONF_OWNER_TRACK_GROUP) {
		struct conf_track_group *t = &c->track_groups[m->index];

		t->members = add_index(p, t->members, &t->nmembers, *slot);
	} else if (vr->group_index != SIZE_MAX) {
		CONF_WARN_AT(p, &m->at,
			     "\"%s\" is in group \"%s\" already and is left out of this one; an instance has one "
			     "group only",
			     m->name, c->groups[vr->group_index].name);
	} else {
		g = &c->groups[m->index];
		g->members = add_index(p, g->members, &g->nmembers, *slot);
		vr->group_index = m->index;
	}
}

static void finish_group(struct conf_parser *p, struct conf_group *g, const struct conf_group_note *note)
{
	const struct conf_common *d = &p->defs.common;
	const struct conf_val *alert = p->defs.smtp_alert_vrrp.set ? &p->defs.smtp_alert_vrrp : &d->smtp_alert;

	if (!note->smtp_set)
		g->smtp_alert = alert->v;
	if (!note->events_set)
		g->notify_priority_changes = d->priority_events.v;
	if (g->nmembers == 1)
		CONF_WARN_AT(p, &g->at,
			     "vrrp_sync_group \"%s\" has one member only, so it changes nothing; add the others",
			     g->name);
	for (size_t i = 0; i < g->nmembers; i++) {
		size_t m = g->members[i];

		if (!p->insts[m].common.priority_events.set)
			p->conf->vrs[m].notify_priority_changes = g->notify_priority_changes;
	}
}

/* Empty groups go. @p->group_notes keeps where the others have gone to. */
static void finish_groups(struct conf_parser *p)
{
	struct conf *c = p->conf;
	size_t n = 0;

	for (size_t i = 0; i < p->nmembers; i++)
		join(p, &p->members[i]);
	for (size_t i = 0; i < c->ngroups; i++) {
		struct conf_group *g = &c->groups[i];

		p->group_notes[i].index = g->nmembers ? n : SIZE_MAX;
		if (!g->nmembers) {
			CONF_WARN_AT(p, &g->at, "vrrp_sync_group \"%s\" has no member and is removed; add them",
				     g->name);
			continue;
		}
		finish_group(p, g, &p->group_notes[i]);
		for (size_t k = 0; k < g->nmembers; k++)
			c->vrs[g->members[k]].group_index = n;
		c->groups[n++] = *g;
	}
	c->ngroups = n;
}

/* ---- when all is read: trackers ---- */

static struct conf_track **track_list(struct conf_tracks *t, enum conf_track_kind kind, size_t **n)
{
	switch (kind) {
	case CONF_TRACK_IF:
		*n = &t->nifs;
		return &t->ifs;
	case CONF_TRACK_SCRIPT:
		*n = &t->nscripts;
		return &t->scripts;
	case CONF_TRACK_FILE:
		*n = &t->nfiles;
		return &t->files;
	case CONF_TRACK_PROCESS:
		break;
	}
	*n = &t->nprocs;
	return &t->procs;
}

static void add_track(struct conf_parser *p, struct conf_tracks *tracks, enum conf_track_kind kind,
		      const struct conf_track *t)
{
	size_t *n;
	struct conf_track **list = track_list(tracks, kind, &n), *bigger = conf_grow(p, *list, *n, sizeof(*bigger));

	if (!bigger)
		return;
	*list = bigger;
	bigger[(*n)++] = *t;
}

/* The weight that the definition has. */
static void default_weight(const struct conf *c, const struct conf_track_note *note, struct conf_track *t)
{
	switch (note->kind) {
	case CONF_TRACK_IF:
		break;
	case CONF_TRACK_SCRIPT:
		t->weight = c->scripts[t->item].weight;
		t->reverse = c->scripts[t->item].reverse;
		break;
	case CONF_TRACK_FILE:
		t->weight = c->track_files[t->item].weight;
		t->reverse = c->track_files[t->item].reverse;
		break;
	case CONF_TRACK_PROCESS:
		t->weight = c->processes[t->item].weight;
		t->reverse = c->processes[t->item].reverse;
		break;
	}
}

/* Name -> item. False: there is none that works, which is said. */
static bool find_item(struct conf_parser *p, const struct conf_track_note *note, struct conf_track *t)
{
	const char *what = kind_words[note->kind];
	size_t *slot;

	if (note->kind == CONF_TRACK_IF) {
		snprintf(t->ifname, sizeof(t->ifname), "%.15s", note->name);
		return true;
	}
	slot = conf_map_get(&p->map, CONF_MAP_SCRIPT + note->kind - CONF_TRACK_SCRIPT, 0, note->name,
			    strlen(note->name));
	if (!slot || *slot == SIZE_MAX) {
		CONF_WARN_AT(p, &note->at,
			     "%s \"%.60s\" is not defined, so it is NOT tracked; define it or correct the name", what,
			     note->name);
		return false;
	}
	t->item = *slot;
	if (note->kind == CONF_TRACK_SCRIPT && !p->conf->scripts[t->item].cmd.argv) {
		CONF_WARN_AT(p, &note->at, "script \"%.60s\" is disabled, so it is NOT tracked; correct its definition",
			     note->name);
		return false;
	}
	if (p->item_orders[note->kind - CONF_TRACK_SCRIPT][t->item] > note->order) { /* spec 1.4: not found, as there */
		CONF_WARN_AT(p, &note->at,
			     "%s \"%.60s\" is defined further down, so it is NOT tracked; move its definition up", what,
			     note->name);
		return false;
	}
	return true;
}

static bool make_track(struct conf_parser *p, const struct conf_track_note *note, struct conf_track *t)
{
	*t = (struct conf_track){ .weight = note->weight, .reverse = note->reverse, .line = note->at.line };
	if (!find_item(p, note, t))
		return false;
	if (!note->weight_set)
		default_weight(p->conf, note, t);
	return true;
}

/*
 * An owner's priority never moves, and members of a group without sync_group_tracking_weight must not move theirs alone (spec 4.1, 4.2).
 * False: the entry is dropped.
 */
static bool weight_allowed(struct conf_parser *p, const struct conf_track_note *note, const struct conf_vr *vr,
			   struct conf_track *t)
{
	bool owner = vr->priority == 255;
	bool group = vr->group_index != SIZE_MAX && !p->conf->groups[vr->group_index].tracking_weight;
	const char *why =
		owner ? "priority 255 never changes" : "members of a sync group do not change their priority alone";
	bool to_zero;

	if (!t->weight || (!owner && !group) || note->kind == CONF_TRACK_PROCESS)
		return true;
	to_zero = note->kind == CONF_TRACK_IF ? !owner : note->kind == CONF_TRACK_FILE && t->weight == 1;
	if (to_zero) {
		CONF_WARN_AT(p, &note->at,
			     "the weight of %s \"%.60s\" becomes 0, so its failure is a FAULT, because %s%s",
			     kind_words[note->kind], note->name, why, owner ? "" : "; see sync_group_tracking_weight");
		t->weight = 0;
		return true;
	}
	CONF_WARN_AT(p, &note->at, "%s \"%.60s\" is NOT tracked because it has a weight and %s%s",
		     kind_words[note->kind], note->name, why, owner ? "" : "; see sync_group_tracking_weight");
	return false;
}

/* Adds and remembers where, for a group that tracks the same. */
static void add_vr_track(struct conf_parser *p, size_t vr, const struct conf_track_note *note,
			 const struct conf_track *t)
{
	struct conf_tracks *tracks = &p->conf->vrs[vr].tracks;
	size_t *slot, *n;
	bool fresh;

	slot = conf_map_put(&p->map, CONF_MAP_TRACKED + note->kind, vr, note->name, strlen(note->name), &fresh);
	if (!slot) {
		p->oom = true;
		return;
	}
	track_list(tracks, note->kind, &n);
	*slot = *n;
	add_track(p, tracks, note->kind, t);
}

static bool own_interface(const struct conf_track_note *note, const struct conf_vr *vr)
{
	return note->kind == CONF_TRACK_IF && !strcmp(note->name, vr->ifname);
}

static void finish_vr_track(struct conf_parser *p, const struct conf_track_note *note)
{
	const struct conf_vr *vr = &p->conf->vrs[note->index];
	struct conf_track t;

	if (own_interface(note, vr))
		CONF_WARN_AT(p, &note->at,
			     "%s is the interface of \"%s\" itself, which is watched anyway; the line is ignored",
			     note->name, vr->name);
	else if (make_track(p, note, &t) && weight_allowed(p, note, vr, &t))
		add_vr_track(p, note->index, note, &t);
}

/* A group's tracker in one member: its weight wins unless the member's own is 0 (spec 4.2). */
static void merge_track(struct conf_parser *p, size_t vr, const struct conf_track_note *note,
			const struct conf_track *t)
{
	size_t *slot = conf_map_get(&p->map, CONF_MAP_TRACKED + note->kind, vr, note->name, strlen(note->name)), *n;
	struct conf_track *own;

	if (own_interface(note, &p->conf->vrs[vr]))
		return;
	if (!slot) {
		add_vr_track(p, vr, note, t);
		return;
	}
	own = &(*track_list(&p->conf->vrs[vr].tracks, note->kind, &n))[*slot];
	CONF_WARN_AT(p, &note->at, "\"%s\" tracks %s \"%.60s\" itself; %s counts, keep one of the two",
		     p->conf->vrs[vr].name, kind_words[note->kind], note->name,
		     own->weight ? "the group's weight" : "its own weight 0");
	if (own->weight) {
		own->weight = t->weight;
		own->reverse = t->reverse;
	}
}

static void finish_group_track(struct conf_parser *p, const struct conf_track_note *note)
{
	size_t index = p->group_notes[note->index].index;
	struct conf_group *g = index == SIZE_MAX ? NULL : &p->conf->groups[index];
	struct conf_track t;
	bool owner = false;

	if (!g || !make_track(p, note, &t))
		return;
	add_track(p, &g->tracks, note->kind, &t);
	for (size_t i = 0; i < g->nmembers; i++)
		owner |= p->conf->vrs[g->members[i]].priority == 255;
	if (owner && t.weight) {
		CONF_WARN_AT(
			p, &note->at,
			"the weight of %s \"%.60s\" becomes 0, so its failure is a FAULT, because group \"%s\" has a "
			"member of priority 255",
			kind_words[note->kind], note->name, g->name);
		t.weight = 0;
	}
	for (size_t i = 0; i < g->nmembers; i++)
		merge_track(p, g->members[i], note, &t);
}

/* Static entries name groups of instances. */
static void check_track_group(struct conf_parser *p, const char **name, const char *what, int line)
{
	const struct conf_at at = { .file = p->conf->nfiles ? p->conf->files[0] : "", .line = line };

	if (!*name || conf_map_get(&p->map, CONF_MAP_TRACK_GROUP, 0, *name, strlen(*name)))
		return;
	CONF_WARN_AT(p, &at, "there is no track_group \"%.60s\"; the static %s affects no instance", *name, what);
	*name = NULL;
}

void conf_finish_tracks(struct conf_parser *p)
{
	struct conf *c = p->conf;

	finish_files(p);
	finish_processes(p);
	finish_groups(p);
	for (size_t i = 0; i < p->ntracks; i++)
		if (p->tracks[i].owner == CONF_OWNER_INSTANCE)
			finish_vr_track(p, &p->tracks[i]);
	for (size_t i = 0; i < p->ntracks; i++)
		if (p->tracks[i].owner == CONF_OWNER_GROUP)
			finish_group_track(p, &p->tracks[i]);
	for (size_t i = 0; i < c->nstatic_addrs; i++)
		check_track_group(p, &c->static_addrs[i].track_group, "address", c->static_addrs[i].line);
	for (size_t i = 0; i < c->nstatic_routes; i++)
		check_track_group(p, &c->static_routes[i].track_group, "route", c->static_routes[i].line);
	for (size_t i = 0; i < c->nstatic_rules; i++)
		check_track_group(p, &c->static_rules[i].track_group, "rule", c->static_rules[i].line);
}
