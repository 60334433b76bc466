// SPDX-License-Identifier: GPL-2.0-or-later
/* What trackers do to a router, what the members of a sync group do to each other, and who is told of it. */
#include "vr_int.h"

#include "log.h"
#include "prio.h"
#include "ward.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- trackers ---- */

/* FSM-11: the running ActiveDown moves by the change of Skew_Time; the map first, see VX_TIMER_SHIFT. */
static void set_priority(struct vr *r, uint8_t priority)
{
	int64_t shift_ns;
	int err = 0;

	if (priority == r->fsm.priority)
		return;
	if (r->any_told)
		log_info("(%s) Changing effective priority from %u to %u", r->conf->name, r->fsm.priority, priority);
	vr_learn(r);
	shift_ns = fsm_set_priority(&r->fsm, priority);
	r->all->news = true;
	if (r->placed)
		err = vr_build(r);
	if (!err && shift_ns)
		err = dp_watch_shift(r->all->dp, r->slot, shift_ns);
	if (err)
		log_err("%s: cannot change the priority in the BPF maps: %s", r->conf->name, strerror(-err));
}

static void add_item(const struct vr *r, enum track_kind kind, const struct conf_track *t, struct prio *p)
{
	int value = track_value(r->all->track, kind, t->item);

	if (value == TRACK_UNKNOWN)
		prio_add_unknown(p, t->weight);
	else if (kind == TRACK_FILE)
		prio_add_file(p, value, t->weight, t->reverse);
	else
		prio_add(p, value, t->weight, t->reverse);
}

const char *vr_tracked(struct vr *r, bool *quiet)
{
	const struct conf_tracks *t = &r->conf->tracks;
	struct prio p = { 0 };
	size_t i;

	for (i = 0; i < t->nifs; i++) {
		const struct vr_if *f = vrs_if(r->all, t->ifs[i].ifname);

		prio_add(&p, f && f->present && f->up, t->ifs[i].weight, t->ifs[i].reverse);
	}
	for (i = 0; i < t->nscripts; i++)
		add_item(r, TRACK_SCRIPT, &t->scripts[i], &p);
	for (i = 0; i < t->nfiles; i++)
		add_item(r, TRACK_FILE, &t->files[i], &p);
	for (i = 0; i < t->nprocs; i++)
		add_item(r, TRACK_PROCESS, &t->procs[i], &p);
	set_priority(r, prio_effective(&p, r->conf->priority));
	*quiet = p.waiting && !p.fault;
	if (p.fault)
		return "a tracked interface, script, file or process has failed";
	/* one that a reload has brought has not failed yet */
	return p.waiting && r->fsm.state == FSM_INITIALIZE ? "waiting for the first result of a tracked script" : NULL;
}

void vrs_on_track(void *arg, enum track_kind kind, size_t item, int value)
{
	(void)kind;
	(void)item;
	(void)value;
	vrs_follow_all(arg);
}

/* ---- sync groups ---- */

/* Whether @m wants to be Active, or is: its own ActiveDown came, and no advert since that it had to accept. */
static bool wants(const struct vr *m)
{
	struct vx_vr_watch w;

	if (m->fsm.state == FSM_ACTIVE)
		return true;
	return m->fsm.state == FSM_BACKUP && m->wants_ns && !dp_watch_get(m->all->dp, m->slot, &w) &&
	       w.last_ns <= m->wants_ns;
}

bool vr_group_may_claim(struct vr *r, uint64_t at_ns, uint64_t now_ns)
{
	struct vr_group *g = r->group;
	bool all = true;
	size_t i;

	if (!g)
		return true;
	r->wants_ns = now_ns;
	for (i = 0; i < g->n && all; i++)
		all = wants(g->members[i]);
	if (!all) {
		vr_step(r, FSM_EV_SYNC_WAIT, now_ns);
		return false;
	}
	for (i = 0; i < g->n; i++) {
		if (g->members[i] == r || g->members[i]->fsm.state == FSM_ACTIVE)
			continue;
		g->members[i]->quiet_ns = now_ns - g->members[i]->fsm.since_ns;
		vr_step_at(g->members[i], FSM_EV_DOWN_TIMER, at_ns, now_ns);
	}
	return true;
}

void vr_group_follow_backup(struct vr *r, uint64_t now_ns)
{
	size_t i;

	for (i = 0; r->group && i < r->group->n; i++)
		if (r->group->members[i] != r)
			vr_step(r->group->members[i], FSM_EV_SYNC_BACKUP, now_ns);
}

void vr_group_answer_lower(struct vr *r)
{
	size_t i;

	for (i = 0; r->group && i < r->group->n; i++) {
		struct vr *m = r->group->members[i];

		if (m != r && m->fsm.state == FSM_ACTIVE) {
			m->pending |= FSM_ACT_ANSWER_LOWER;
			vr_mark(m);
		}
	}
}

static struct vr_group *group_named(struct vr_group *groups, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(groups[i].conf->name, name))
			return &groups[i];
	return NULL;
}

/* KA-27: owners among others start as Backup. */
static void group_join(struct vr_group *g)
{
	bool owners = true;
	size_t i;

	for (i = 0; i < g->n; i++)
		owners &= g->members[i]->conf->priority == 255;
	for (i = 0; i < g->n; i++) {
		g->members[i]->group = g;
		g->members[i]->fsm.starts_backup = !owners;
	}
}

int vrs_groups_build(struct vrs *v)
{
	const struct conf *c = v->conf;
	struct vr_group *groups = calloc(c->ngroups + 1, sizeof(*groups)), *old;
	size_t i, k;

	if (!groups)
		return -ENOMEM;
	for (i = 0; i < c->ngroups; i++) {
		struct vr_group *g = &groups[i];

		g->conf = &c->groups[i];
		g->members = calloc(g->conf->nmembers + 1, sizeof(struct vr *));
		if (!g->members) {
			while (i--)
				free(groups[i].members);
			free(groups);
			return -ENOMEM;
		}
		g->n = g->conf->nmembers;
		for (k = 0; k < g->n; k++)
			g->members[k] = v->vr[g->conf->members[k]];
		old = group_named(v->groups, v->ngroups, g->conf->name);
		if (old) {
			g->told = old->told;
			g->any_told = old->any_told;
		}
	}
	vrs_groups_free(v);
	v->groups = groups;
	v->ngroups = c->ngroups;
	for (i = 0; i < v->nvr; i++) {
		v->vr[i]->group = NULL;
		v->vr[i]->fsm.starts_backup = false;
	}
	for (i = 0; i < v->ngroups; i++)
		group_join(&v->groups[i]);
	return 0;
}

void vrs_groups_free(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->ngroups; i++)
		free(v->groups[i].members);
	free(v->groups);
	v->groups = NULL;
	v->ngroups = 0;
}

/* ---- who is told ---- */

/* What scripts are to be told of @r; false: nothing yet, a delay, a first result or addresses are waited for. */
static bool state_of(const struct vr *r, enum notify_state *out)
{
	switch (r->fsm.state) {
	case FSM_ACTIVE:
		*out = NOTIFY_MASTER;
		return r->work != VR_WORK_CLAIM && !r->again; /* a script may want to use the addresses */
	case FSM_BACKUP:
		*out = NOTIFY_BACKUP;
		return true;
	case FSM_INITIALIZE:
		*out = NOTIFY_FAULT;
		return r->hold && !r->quiet;
	}
	return false;
}

static void tell(struct vr *r, enum notify_state state)
{
	const struct notify_about who = {
		.name = r->conf->name,
		.cmds = &r->conf->notify,
		.mail = r->conf->smtp_alert,
		.priority = r->fsm.priority,
	};

	notify_tell(r->all->notify, &who, state);
}

/* Whether there was something to tell. */
static bool tell_router(struct vr *r)
{
	enum notify_state state;
	bool news;

	if (!state_of(r, &state))
		return false;
	news = !r->any_told || r->told != state || r->told_priority != r->fsm.priority || r->rx_lower;
	if (!r->any_told || r->told != state)
		tell(r, state);
	else if (r->rx_lower && state == NOTIFY_MASTER)
		tell(r, NOTIFY_MASTER_RX_LOWER_PRI);
	if (r->any_told && r->told_priority != r->fsm.priority && r->conf->notify_priority_changes)
		tell(r, state == NOTIFY_MASTER ? NOTIFY_MASTER_PRIORITY : NOTIFY_BACKUP_PRIORITY);
	r->told = state;
	r->told_priority = r->fsm.priority;
	r->any_told = true;
	r->rx_lower = false;
	return news;
}

static void tell_group_state(struct vrs *v, struct vr_group *g, enum notify_state state)
{
	const struct notify_about who = {
		.group = true,
		.name = g->conf->name,
		.cmds = &g->conf->notify,
		.mail = g->conf->smtp_alert,
	};

	notify_tell(v->notify, &who, state);
}

/* A group has a state when its members agree on one. */
static void tell_group(struct vrs *v, struct vr_group *g)
{
	static const char *const words[] = {
		[NOTIFY_MASTER] = "MASTER", [NOTIFY_BACKUP] = "BACKUP", [NOTIFY_FAULT] = "FAULT"
	};
	enum notify_state state = NOTIFY_BACKUP, other;
	size_t i;

	for (i = 0; i < g->n; i++) {
		if (!state_of(g->members[i], &other) || (i && other != state))
			return;
		state = other;
	}
	if (g->any_told && g->told == state)
		return;
	log_info("VRRP_Group(%s) Syncing instances to %s state", g->conf->name, words[state]);
	tell_group_state(v, g, state);
	g->told = state;
	g->any_told = true;
}

void vrs_tell(struct vrs *v)
{
	uint64_t now_ns;
	size_t i;

	v->news = false;
	if (v->stopping)
		return;
	for (i = 0; i < v->nvr; i++) {
		if (!tell_router(v->vr[i]))
			continue;
		now_ns = loop_now_ns();
		ward_alive(now_ns); /* the guardian's patience is shorter than the time to the next advert may be */
		/* Starting hundreds of scripts takes longer than the lease of a short interval: adverts go in between. */
		if (now_ns >= timer_next(&v->loop->timers)) {
			v->news = true;
			loop_stay_awake(v->loop, now_ns + VX_NS_PER_MS);
			return;
		}
	}
	for (i = 0; i < v->ngroups; i++) {
		tell_group(v, &v->groups[i]);
		ward_alive(loop_now_ns());
	}
}

void vrs_tell_again(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->nvr; i++) {
		const struct vr *r = v->vr[i];
		const struct notify_about who = { .name = r->conf->name, .priority = r->fsm.priority };

		if (r->any_told)
			notify_repeat(v->notify, &who, r->told);
	}
	for (i = 0; i < v->ngroups; i++) {
		const struct notify_about who = { .group = true, .name = v->groups[i].conf->name };

		if (v->groups[i].any_told)
			notify_repeat(v->notify, &who, v->groups[i].told);
	}
}

void vr_tell_end(struct vr *r, enum notify_state state)
{
	tell(r, state);
}

void vrs_tell_groups_stop(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->ngroups; i++)
		tell_group_state(v, &v->groups[i], NOTIFY_STOP);
}
