// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Another configuration in place of the present one (KA-19). First everything that can fail: memory, room in the maps, interfaces that are new.
 * Then the change, which cannot: routers that are gone hand over, those that go on take what is new of them, new ones start.
 */
#include "vr_int.h"

#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a router goes on with. */
struct next {
	struct vr *vr;  /* the one that goes on; NULL: new */
	struct vr made; /* with the arrays for the new configuration; its vr otherwise as before */
};

struct reload {
	struct vrs *v;
	const struct conf *conf;
	struct next *next; /* [conf->nvrs] */
	struct vr **vr;    /* becomes v->vr */
	size_t nprepared;
	bool *statics;
};

/* ---- what is the same ---- */

static bool same_router(const struct vr *r, const struct conf_vr *c)
{
	const struct conf_vr *o = r->conf;

	return o->vrid == c->vrid && o->family == c->family && o->unicast == c->unicast && o->use_vmac == c->use_vmac &&
	       !strcmp(o->ifname, c->ifname) && o->vlan == c->vlan && (!c->unicast || conf_addr_eq(&o->src, &c->src));
}

static bool same_vip(const struct conf_vip *a, const struct conf_vip *b)
{
	return conf_addr_eq(&a->addr, &b->addr) && a->plen == b->plen && a->scope == b->scope && a->flags == b->flags &&
	       !strcmp(a->dev, b->dev) && !strcmp(a->label, b->label) && conf_addr_eq(&a->brd, &b->brd) &&
	       conf_addr_eq(&a->peer, &b->peer) && a->preferred_lft == b->preferred_lft;
}

static bool same_route(const struct conf_route *a, const struct conf_route *b)
{
	return !strcmp(a->text, b->text);
}

static bool same_rule(const struct conf_rule *a, const struct conf_rule *b)
{
	return !strcmp(a->text, b->text) && a->pref == b->pref;
}

/* The list as it was, but for some that came or went, is the likely case: the one behind the last that was found is looked at first. */
static struct vr_vip *find_vip(struct vr_vip *vips, size_t n, size_t hint, const struct conf_vip *c)
{
	size_t i;

	if (hint < n && same_vip(vips[hint].conf, c))
		return &vips[hint];
	for (i = 0; i < n; i++)
		if (same_vip(vips[i].conf, c))
			return &vips[i];
	return NULL;
}

static struct vr_route *find_route(struct vr_route *routes, size_t n, const struct conf_route *c)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (same_route(routes[i].conf, c))
			return &routes[i];
	return NULL;
}

static struct vr_rule *find_rule(struct vr_rule *rules, size_t n, const struct conf_rule *c)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (same_rule(rules[i].conf, c))
			return &rules[i];
	return NULL;
}

/* ---- what can fail ---- */

static int check_room(const struct vrs *v, const struct conf *c)
{
	size_t i, vrs = c->nvrs, addrs = 0, peers = 0, carries = 0;

	for (i = 0; i < v->nvr; i++)
		vrs += !v->vr[i]->match; /* leaves its slot when the new ones are there */
	for (i = 0; i < v->nifs; i++) {
		addrs += v->ifs[i]->naddrs;
		carries += v->ifs[i]->carries || v->ifs[i]->open;
	}
	for (i = 0; i < c->nvrs; i++) {
		addrs += vr_addrs(&c->vrs[i], carries) + 1;
		peers += c->vrs[i].npeers + c->vrs[i].nallowed;
	}
	if (vrs <= v->sizes.vrs && addrs <= v->sizes.addrs && peers <= v->sizes.peers && carries <= v->sizes.ifs)
		return 0;
	log_err("the new configuration does not fit the tables made at the start (%u virtual routers, %u addresses, %u "
		"peers, "
		"%u interfaces); restart vrrp-xdp",
		v->sizes.vrs, v->sizes.addrs, v->sizes.peers, v->sizes.ifs);
	return VRS_NO_ROOM;
}

static bool has_new_interface(const struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (v->ifs[i]->mark && !v->ifs[i]->ifindex)
			return true;
	return false;
}

/* What is open keeps its data plane: a VLAN device's is its own, or its parent's. */
static int check_vlans(const struct vrs *v, const struct conf *c)
{
	size_t i;

	for (i = 0; i < c->nvrs; i++) {
		const struct vr_if *f = vrs_if(v, c->vrs[i].ifname);

		if (!f || !f->open || !c->vrs[i].vlan == !f->lower)
			continue;
		log_err("%s: whether its frames are looked at on the interface below it (xdp_vlan) cannot change while "
			"it runs; "
			"restart vrrp-xdp",
			f->name);
		return VRS_NO_ROOM;
	}
	return 0;
}

/* What this reload has to open, now or when it appears. */
static bool is_new(const struct vr_if *f)
{
	return f->mark && !f->open && f->carries && !f->loopback && (!f->present || f->ethernet);
}

static int lock_new_interfaces(struct vrs *v, const struct conf *c)
{
	size_t i;

	for (i = 0; i < v->nifs; i++) {
		struct vr_if *f = v->ifs[i];

		if (f->mark && !f->open && !f->present && !c->globals.dynamic_interfaces) {
			log_err("%s: no such interface; see `ip link`", f->name);
			return 2;
		}
		if (!is_new(f))
			continue;
		if (!f->locked && v->lock(v->lock_arg, f->name))
			return 1;
		f->locked = true;
	}
	return 0;
}

/* All are locked before any is open: an interface opens the VLAN devices on it, too. */
static int open_new_interfaces(struct vrs *v, const struct conf *c)
{
	int rc = lock_new_interfaces(v, c);
	size_t i;

	for (i = 0; !rc && i < v->nifs; i++)
		if (is_new(v->ifs[i]) && v->ifs[i]->present && vr_if_open(v->ifs[i]))
			rc = 1;
	return rc;
}

static void close_interfaces(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->nifs; i++) {
		struct vr_if *f = v->ifs[i];

		if (f->carries)
			continue;
		vr_if_close(f);
		if (f->locked)
			v->unlock(v->lock_arg, f->name);
		f->locked = false;
	}
	for (i = 0; i < v->nifs; i++) /* closing one looks for those on top of it */
		if (!v->ifs[i]->carries)
			v->ifs[i]->lower = NULL;
}

/* Interfaces that no configuration names any more; all are closed before any is freed, for they point at each other. */
static void drop_interfaces(struct vrs *v)
{
	size_t i, n = 0;

	close_interfaces(v);
	for (i = 0; i < v->nifs; i++) {
		struct vr_if *f = v->ifs[i];

		if (f->mark) {
			v->ifs[n++] = f;
			continue;
		}
		timer_cancel(&v->loop->timers, &f->pace_timer);
		timer_cancel(&v->loop->timers, &f->updown_timer);
		timer_cancel(&v->loop->timers, &f->settle_timer);
		free(f->addrs);
		free(f);
	}
	v->nifs = n;
}

static void forget(struct reload *l)
{
	size_t i;

	for (i = 0; l->next && i < l->nprepared; i++) {
		struct next *n = &l->next[i];

		if (!n->vr) {
			vr_peers_place(l->vr[i], false);
			vr_free(l->vr[i]);
			continue;
		}
		free(n->made.vips);
		free(n->made.routes);
		free(n->made.rules);
		free(n->made.frames);
	}
	free(l->next);
	free(l->vr);
	free(l->statics);
}

static void match_routers(struct reload *l)
{
	struct vrs *v = l->v;
	size_t i, k;

	for (i = 0; i < v->nvr; i++)
		v->vr[i]->match = NULL;
	for (i = 0; i < l->conf->nvrs; i++) {
		for (k = 0; k < v->nvr; k++) {
			if (!v->vr[k]->match && same_router(v->vr[k], &l->conf->vrs[i])) {
				l->next[i].vr = v->vr[k]->match = v->vr[k];
				break;
			}
		}
	}
}

/* The operator's word holds also for a router that has to be made anew. */
static bool is_drained(const struct vrs *v, const struct conf_vr *c)
{
	size_t i;

	for (i = 0; i < v->nvr; i++) {
		const struct conf_vr *o = v->vr[i]->conf;

		if (o->vrid == c->vrid && o->family == c->family && !strcmp(o->ifname, c->ifname))
			return v->vr[i]->drained;
	}
	return false;
}

static int prepare_router(struct reload *l, size_t i)
{
	struct next *n = &l->next[i];
	int err;

	if (n->vr) {
		n->made = *n->vr;
		n->made.conf = &l->conf->vrs[i];
		l->vr[i] = n->vr;
		return vr_alloc(&n->made);
	}
	l->vr[i] = vr_new(l->v, &l->conf->vrs[i]);
	if (!l->vr[i])
		return -ENOMEM;
	l->vr[i]->drained = is_drained(l->v, &l->conf->vrs[i]);
	if (!dp_loaded(l->v->dp)) /* see vrs_dp_ready() */
		return 0;
	err = dp_watch_init(l->v->dp, l->vr[i]->slot);
	if (!err)
		err = dp_counters_clear(l->v->dp, l->vr[i]->slot);
	if (!err)
		err = vr_peers_place(l->vr[i], true);
	if (err)
		vr_free(l->vr[i]);
	return err;
}

static int prepare(struct reload *l)
{
	const struct conf *c = l->conf;
	struct vrs *v = l->v;
	int err, rc;

	rc = vrs_check_vlans(c);
	if (!rc)
		rc = check_vlans(v, c);
	if (rc)
		return rc;
	l->next = calloc(c->nvrs + 1, sizeof(*l->next));
	l->vr = calloc(c->nvrs + 1, sizeof(struct vr *));
	l->statics = calloc(c->nstatic_addrs + c->nstatic_routes + c->nstatic_rules + 1, sizeof(bool));
	if (!l->next || !l->vr || !l->statics || vrs_ifs_build(v, c)) {
		log_err("out of memory for %zu virtual routers", c->nvrs);
		return 1;
	}
	match_routers(l);
	if (has_new_interface(v))
		nl_dump(v->nl);
	rc = check_room(v, c);
	if (!rc)
		rc = open_new_interfaces(v, c);
	for (err = 0; !rc && !err && l->nprepared < c->nvrs; l->nprepared += !err)
		err = prepare_router(l, l->nprepared);
	if (!rc && err)
		log_err("%s: cannot be set up: %s", c->vrs[l->nprepared].name, strerror(-err));
	return rc ? rc : err ? 1 : 0;
}

/* ---- what cannot ---- */

/* A router that the new configuration does not have: hands over, and its slot is free. */
static void retire(struct vr *r, uint64_t now_ns)
{
	r->hold = NULL;
	vr_step(r, FSM_EV_SHUTDOWN, now_ns);
	r->pending |= FSM_ACT_RELEASE;
	vr_mark(r);
	vrs_finish(r->all);
	vr_tell_end(r, r->conf->notify.deleted_set ? NOTIFY_DELETED : NOTIFY_FAULT);
	log_info("%s: no longer configured", r->conf->name);
	vr_unplace(r);
	vr_peers_place(r, false);
}

/* Adds what is not there yet to the batch of removals. */
static void remove_vips(struct vr *r, struct vr *made)
{
	size_t i, hint = 0;

	for (i = 0; i < made->nvips; i++) {
		struct vr_vip *old = find_vip(r->vips, r->nvips, hint, made->vips[i].conf);

		if (!old)
			continue;
		hint = old - r->vips + 1;
		made->vips[i].installed = old->installed;
		made->vips[i].served = old->served;
		made->vips[i].told = old->told;
		made->vips[i].at = old->at;
		made->vips[i].away = old->away;
		made->vips[i].left = old->left;
		made->vips[i].defended_ns = old->defended_ns;
		old->installed = old->served = false;
		old->at = NULL; /* the new one has its place */
	}
	for (i = 0; i < r->nvips; i++) {
		struct vr_vip *old = &r->vips[i];

		vr_vip_place(r, old, false);
		if (old->installed)
			vrs_want(r->all, &(struct nl_change){ .addr = old->conf, .del = true },
				 &(struct vr_change){ .vr = r, .installed = &old->installed });
	}
}

static void remove_routes(struct vr *r, struct vr *made)
{
	struct vr_route *route;
	struct vr_rule *rule;
	size_t i;

	for (i = 0; i < made->nrules; i++) {
		rule = find_rule(r->rules, r->nrules, made->rules[i].conf);
		made->rules[i].installed = rule && rule->installed;
		if (rule)
			rule->installed = false;
	}
	for (i = 0; i < made->nroutes; i++) {
		route = find_route(r->routes, r->nroutes, made->routes[i].conf);
		made->routes[i].installed = route && route->installed;
		if (route)
			route->installed = false;
	}
	for (i = 0; i < r->nrules; i++)
		if (r->rules[i].installed)
			vrs_want(r->all, &(struct nl_change){ .rule = r->rules[i].conf, .del = true },
				 &(struct vr_change){ .vr = r, .installed = &r->rules[i].installed });
	for (i = 0; i < r->nroutes; i++)
		if (r->routes[i].installed)
			vrs_want(r->all, &(struct nl_change){ .route = r->routes[i].conf, .del = true },
				 &(struct vr_change){ .vr = r, .installed = &r->routes[i].installed });
}

static bool same_list(const struct conf_peer *a, size_t na, const struct conf_peer *b, size_t nb)
{
	size_t i;

	for (i = 0; i < na && i < nb; i++)
		if (!conf_addr_eq(&a[i].addr, &b[i].addr) || a[i].ttl_set != b[i].ttl_set ||
		    a[i].min_ttl != b[i].min_ttl || a[i].max_ttl != b[i].max_ttl)
			return false;
	return na == nb;
}

static bool same_peers(const struct conf_vr *a, const struct conf_vr *b)
{
	return same_list(a->peers, a->npeers, b->peers, b->npeers) &&
	       same_list(a->allowed, a->nallowed, b->allowed, b->nallowed);
}

/* Timers that run by the old interval go over to the new one. */
static void retime(struct vr *r, uint64_t now_ns)
{
	struct fsm *f = &r->fsm;

	if (f->state == FSM_ACTIVE) {
		f->active_adver_ns = f->adver_ns;
		if (f->adver_due_ns > now_ns + f->adver_ns) {
			f->adver_due_ns = now_ns + f->adver_ns;
			timer_arm(&r->all->loop->timers, &r->adver_timer, f->adver_due_ns);
		}
	} else if (f->state == FSM_BACKUP) {
		vr_learn(r);
		if (f->version == 2)
			f->active_adver_ns = f->adver_ns;
		vr_step(r, FSM_EV_SYNC_WAIT, now_ns);
	}
}

static bool vip_missing(const struct vr *r)
{
	size_t i;

	for (i = 0; i < r->nvips; i++)
		if (!r->vips[i].installed)
			return true;
	return false;
}

static bool route_missing(const struct vr *r)
{
	size_t i;

	for (i = 0; i < r->nroutes; i++)
		if (!r->routes[i].installed)
			return true;
	for (i = 0; i < r->nrules; i++)
		if (!r->rules[i].installed)
			return true;
	return false;
}

/* What the router does not keep goes first: what one router gives up another one may take. */
static void let_go(struct vr *r, struct vr *made)
{
	remove_routes(r, made);
	remove_vips(r, made);
	if (!conf_addr_eq(&r->conf->group, &made->conf->group))
		vr_unplace(r);
	if (!same_peers(r->conf, made->conf))
		vr_peers_place(r, false);
}

/* What an Active router does later and now and then, where the new configuration has it otherwise. */
static void reannounce(struct vr *r, const struct conf_garp *old, uint64_t now_ns)
{
	const struct conf_garp *new = &r->conf->garp;

	if (vip_missing(r) && new->delay_ns)
		timer_arm(&r->all->loop->timers, &r->garp_timer, now_ns + new->delay_ns);
	if (old->refresh_ns != new->refresh_ns || old->extra_if_ns != new->extra_if_ns)
		vr_announce_arm_periodic(r, now_ns);
}

static void adopt(struct vr *r, struct vr *made, uint64_t now_ns)
{
	const struct conf_vr *old = r->conf, *new = made->conf;
	bool other_times = old->adver_ns != new->adver_ns || old->version != new->version ||
			   old->down_adverts != new->down_adverts;
	bool other_peers = !same_peers(old, new) || old->unicast_ttl != new->unicast_ttl; /* see place_peer() */
	size_t i;

	free(r->vips);
	free(r->routes);
	free(r->rules);
	free(r->frames);
	r->conf = new;
	r->vips = made->vips;
	r->nvips = made->nvips;
	r->nadvertised = made->nadvertised;
	r->routes = made->routes;
	r->nroutes = made->nroutes;
	r->rules = made->rules;
	r->nrules = made->nrules;
	r->frames = made->frames;
	r->nframes = made->nframes;
	r->frame_len = made->frame_len;
	r->said_advertised = 0;
	r->work_at = r->work_top = r->round_at = 0; /* in the new list */
	r->all->index_stale = true;
	vr_configure(r);
	if (other_peers && vr_peers_place(r, true))
		log_err("%s: cannot fill the BPF maps", new->name);
	for (i = 0; r->placed && i < r->nvips; i++)
		if (!r->vips[i].at || old->accept != new->accept)
			vr_vip_place(r, &r->vips[i], true);
	if (!vx_addr_none(&r->fsm.src) && vr_build(r))
		log_err("%s: cannot write the configuration map", new->name);
	if (other_times)
		retime(r, now_ns);
	if (r->fsm.state != FSM_ACTIVE)
		return;
	reannounce(r, &old->garp, now_ns);
	if (vip_missing(r) || route_missing(r)) {
		r->repair = true;
		vr_mark(r);
	}
}

/* Static entries: what both have stays, what only the old one had goes, what is new comes. */
static void reload_statics(struct reload *l)
{
	const struct conf *old = l->v->conf, *new = l->conf;
	bool *had = l->v->statics, *has = l->statics;
	size_t i, k;

	for (i = 0; i < new->nstatic_addrs; i++)
		for (k = 0; k < old->nstatic_addrs && !has[i]; k++)
			if (had[k] && same_vip(&old->static_addrs[k], &new->static_addrs[i])) {
				has[i] = true;
				had[k] = false;
			}
	had += old->nstatic_addrs;
	has += new->nstatic_addrs;
	for (i = 0; i < new->nstatic_routes; i++)
		for (k = 0; k < old->nstatic_routes && !has[i]; k++)
			if (had[k] && same_route(&old->static_routes[k], &new->static_routes[i])) {
				has[i] = true;
				had[k] = false;
			}
	had += old->nstatic_routes;
	has += new->nstatic_routes;
	for (i = 0; i < new->nstatic_rules; i++)
		for (k = 0; k < old->nstatic_rules && !has[i]; k++)
			if (had[k] && same_rule(&old->static_rules[k], &new->static_rules[i])) {
				has[i] = true;
				had[k] = false;
			}
	vrs_statics(l->v, old, l->v->statics, true);
	vrs_statics(l->v, new, l->statics, false);
	free(l->v->statics);
	l->v->statics = l->statics;
}

/* Room for the batches of both configurations: the larger of either is there, and they never meet in one batch. */
static int reserve(struct reload *l)
{
	struct vrs *v = l->v;
	const struct conf *old_conf = v->conf;
	struct vr **old = v->vr, **both;
	size_t old_n = v->nvr, i, n = 0;
	int err;

	both = calloc(v->nvr + l->conf->nvrs + 1, sizeof(struct vr *));
	if (!both)
		return -ENOMEM;
	for (i = 0; i < v->nvr; i++)
		both[n++] = v->vr[i];
	for (i = 0; i < l->conf->nvrs; i++)
		both[n++] = l->next[i].vr ? &l->next[i].made : l->vr[i];
	v->vr = both;
	v->nvr = n;
	v->conf = l->conf;
	err = vrs_reserve(v);
	v->vr = old;
	v->nvr = old_n;
	v->conf = old_conf;
	free(both);
	return err;
}

static void apply(struct reload *l)
{
	struct vrs *v = l->v;
	uint64_t now_ns = loop_now_ns();
	struct vr **old = v->vr;
	size_t i, nold = v->nvr;

	for (i = 0; i < nold; i++)
		if (!old[i]->match)
			retire(old[i], now_ns);
	for (i = 0; i < l->conf->nvrs; i++)
		if (l->next[i].vr)
			let_go(l->next[i].vr, &l->next[i].made);
	vrs_commit(v);
	for (i = 0; i < l->conf->nvrs; i++)
		if (l->next[i].vr)
			adopt(l->next[i].vr, &l->next[i].made, now_ns);
	reload_statics(l);
	v->vr = l->vr;
	v->nvr = l->conf->nvrs;
	v->conf = l->conf;
	v->index_stale = true;
	for (i = 0; i < nold; i++) {
		if (!old[i]->match)
			vr_free(old[i]);
		else
			old[i]->match = NULL;
	}
	free(old);
	free(l->next);
}

/* A group that comes together half Active is Backup (KA-26, KA-27); so is one that a new member joins. */
static void settle_groups(struct vrs *v)
{
	uint64_t now_ns = loop_now_ns();
	size_t i;

	for (i = 0; i < v->nvr; i++)
		if (v->vr[i]->fsm.state == FSM_BACKUP)
			vr_group_follow_backup(v->vr[i], now_ns);
}

int vrs_reload(struct vrs *v, const struct conf *conf)
{
	struct reload l = { .v = v, .conf = conf };
	int rc, err;

	if (dp_loaded(v->dp))
		dp_events_read(v->dp); /* what is under way concerns the routers as they are */
	v->reloading = true;
	rc = prepare(&l);
	if (!rc && reserve(&l)) {
		log_err("out of memory for %zu virtual routers", conf->nvrs);
		rc = 1;
	}
	if (rc) {
		forget(&l);
		vrs_ifs_build(v, v->conf);
		drop_interfaces(v);
		v->reloading = false;
		vrs_follow_all(v);
		return rc;
	}
	vrs_finish(v); /* what is half done is done for the routers as they are */
	apply(&l);
	drop_interfaces(v);
	if (vrs_groups_build(v))
		log_err("out of memory for the sync groups; restart vrrp-xdp");
	err = vrs_watch_routes(v);
	if (err)
		log_err("cannot watch routes and rules: %s", strerror(-err));
	err = track_reload(v->track, conf);
	if (!err)
		err = notify_reload(v->notify, conf);
	if (err)
		log_err("cannot set up scripts and notifications anew: %s", strerror(-err));
	/* our own attachments and removals, before they can be mistaken for somebody's of what comes now */
	vrs_read_news(v);
	vrs_xdp_reload(v);
	v->reloading = false;
	v->news = true; /* a group may be new whose members stay what they are */
	vrs_follow_all(v);
	settle_groups(v);
	if (conf->globals.fifo_states_on_reload)
		vrs_tell_again(v);
	vrs_flush(v, loop_now_ns());
	return 0;
}
