// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is legal and still not what its author thinks. Each message names the instance, the value, what it leads to and the way out. What
 * conf_load() has said already is not said again, and what many instances inherit from one line is said once.
 */
#include "conf_lex.h"

#include <stdio.h>
#include <string.h>

#define SEC_NS 1000000000ull

enum { NETS_MAX = 256 };

/* The addresses of an interface. */
struct nets {
	struct {
		struct conf_addr addr;
		uint8_t plen;
	} net[NETS_MAX];
	size_t n;
	bool known; /* the machine was asked, and has that interface */
};

struct lint {
	const struct conf *c;
	const struct conf_io *io;
	struct conf_diag d;
};

#define WARN(x, at, ...) conf_say(&(x)->d, CONF_WARN, at, __VA_ARGS__)

/* ---- addresses and networks ---- */

static void add_net(void *arg, const struct conf_addr *addr, uint8_t plen)
{
	struct nets *nets = arg;

	if (nets->n < NETS_MAX) {
		nets->net[nets->n].addr = *addr;
		nets->net[nets->n++].plen = plen;
	}
}

/* What a VLAN device is called is known at run time only. */
static void ask_nets(const struct lint *x, const struct conf_vr *vr, struct nets *nets)
{
	nets->n = 0;
	nets->known = x->io && x->io->iface && vr->ifname[0] && !vr->vlan &&
		      !x->io->iface(x->io->arg, vr->ifname, add_net, nets);
}

static bool in_prefix(const struct conf_addr *a, const struct conf_addr *net, uint8_t plen)
{
	if (a->family != net->family || memcmp(a->b, net->b, plen / 8) != 0)
		return false;
	return plen % 8 == 0 || (a->b[plen / 8] ^ net->b[plen / 8]) >> (8 - plen % 8) == 0;
}

/* An address does not count as its own network: a VIP may be installed while it is looked for. */
static bool in_nets(const struct nets *nets, const struct conf_addr *a)
{
	for (size_t i = 0; i < nets->n; i++)
		if (!conf_addr_eq(&nets->net[i].addr, a) && in_prefix(a, &nets->net[i].addr, nets->net[i].plen))
			return true;
	return false;
}

static bool has_addr(const struct nets *nets, const struct conf_addr *a)
{
	for (size_t i = 0; i < nets->n; i++)
		if (conf_addr_eq(&nets->net[i].addr, a))
			return true;
	return false;
}

static bool is_vip(const struct conf_vr *vr, const struct conf_addr *a)
{
	for (size_t i = 0; i < vr->nvips; i++)
		if (conf_addr_eq(&vr->vips[i].addr, a))
			return true;
	for (size_t i = 0; i < vr->nexcluded; i++)
		if (conf_addr_eq(&vr->excluded[i].addr, a))
			return true;
	return false;
}

/* ---- one virtual router and its interface ---- */

/* Adverts come from an own address, with IPv6 the link-local one (RFC 9568 5.1.2.1); an owner's virtual address is its own. */
static bool is_source(const struct conf_vr *vr, const struct conf_addr *a)
{
	if (a->family != vr->family || (a->family == 6 && !vr->unicast && !conf_addr_link_local(a)))
		return false;
	return vr->priority == 255 || !is_vip(vr, a);
}

/* Spec 7, 35. */
static void lint_source(struct lint *x, const struct conf_vr *vr, const struct nets *nets)
{
	if (!nets->known || vr->src.family)
		return;
	for (size_t i = 0; i < nets->n; i++)
		if (is_source(vr, &nets->net[i].addr))
			return;
	WARN(x, &vr->at,
	     "%s: %s has no IPv%u address of its own%s, so the virtual router is in FAULT until it gets one; add an "
	     "address that is no virtual one",
	     vr->name, vr->ifname, vr->family, vr->family == 6 && !vr->unicast ? " in fe80::/10" : "");
}

/* RFC 9568 6.1: 255 is for the router that owns the addresses. */
static void lint_owner(struct lint *x, const struct conf_vr *vr, const struct nets *nets)
{
	char text[46];

	if (vr->priority != 255 || !nets->known)
		return;
	for (size_t i = 0; i < vr->nvips; i++) {
		if (has_addr(nets, &vr->vips[i].addr))
			continue;
		WARN(x, &vr->at,
		     "%s: priority 255 says that this machine owns the virtual addresses, but %s is not on %s; it "
		     "takes "
		     "over at once and cannot be lowered by tracking. Use 1 to 254%s",
		     vr->name, conf_addr_str(&vr->vips[i].addr, text, sizeof(text)), vr->ifname,
		     vr->state_master ? " (state MASTER without a priority means 255)" : "");
		return;
	}
}

/* A VIP that brings a network along is reachable in it; one of full length needs a network that is there. */
static void lint_vip_networks(struct lint *x, const struct conf_vr *vr, const struct nets *nets)
{
	char text[46];

	if (!nets->known || !nets->n || vr->priority == 255)
		return;
	for (size_t i = 0; i < vr->nvips; i++) {
		const struct conf_vip *v = &vr->vips[i];
		struct conf_at at = vr->at;

		if (v->plen != (v->addr.family == 6 ? 128 : 32) || v->peer.family ||
		    (v->dev[0] && strcmp(v->dev, vr->ifname) != 0) || in_nets(nets, &v->addr))
			continue;
		at.line = v->line ? v->line : at.line;
		at.col = 0;
		WARN(x, &at,
		     "%s: virtual address %s/%u is in no network of %s, so hosts there do not look for it; correct it, "
		     "or give it the prefix length of its network%s",
		     vr->name, conf_addr_str(&v->addr, text, sizeof(text)), v->plen, vr->ifname,
		     v->addr.family == 6 ? " and preferred_lft 0" : "");
		return;
	}
}

/* IPv6 has no secondary addresses: the newest that fits is the source of what the machine itself sends. */
static void lint_preferred(struct lint *x, const struct conf_vr *vr)
{
	char text[46];

	if (vr->priority == 255)
		return;
	for (size_t i = 0; i < vr->nvips; i++) {
		const struct conf_vip *v = &vr->vips[i];
		struct conf_at at = vr->at;

		if (v->addr.family != 6 || v->plen == 128 || !v->preferred_lft || conf_addr_link_local(&v->addr))
			continue;
		at.line = v->line ? v->line : at.line;
		at.col = 0;
		WARN(x, &at,
		     "%s: while Active, this machine uses virtual address %s/%u as the source of its own connections, "
		     "and a takeover breaks these; write it as /128, or add preferred_lft 0",
		     vr->name, conf_addr_str(&v->addr, text, sizeof(text)), v->plen);
		return;
	}
}

static void lint_peers(struct lint *x, const struct conf_vr *vr, const struct nets *nets)
{
	char text[46];

	for (size_t i = 0; i < vr->npeers; i++) {
		const struct conf_addr *peer = &vr->peers[i].addr;

		conf_addr_str(peer, text, sizeof(text));
		if (conf_addr_eq(peer, &vr->src) || has_addr(nets, peer))
			WARN(x, &vr->at, "%s: unicast peer %s is this machine itself; list the other routers only",
			     vr->name, text);
		else if (is_vip(vr, peer))
			WARN(x, &vr->at,
			     "%s: unicast peer %s is a virtual address, so adverts go to whoever is active; list the "
			     "other routers' own addresses",
			     vr->name, text);
		else if (nets->known && nets->n && !in_nets(nets, peer))
			WARN(x, &vr->at,
			     "%s: unicast peer %s is in no network of %s: if it is behind a router, the virtual "
			     "addresses "
			     "cannot move there",
			     vr->name, text, vr->ifname);
	}
}

/* RX-34: a mistake in the list makes two Active Routers. */
static void lint_allowed(struct lint *x, const struct conf_vr *vr, const struct nets *nets)
{
	size_t own = 0;
	char text[46];

	for (size_t i = 0; i < vr->nallowed; i++) {
		const struct conf_addr *a = &vr->allowed[i].addr;
		struct conf_at at = vr->at;

		if (conf_addr_eq(a, &vr->src) || has_addr(nets, a)) {
			own++;
			continue;
		}
		if (!nets->known || !nets->n || a->family != 4 || in_nets(nets, a))
			continue;
		at.line = vr->allowed[i].line ? vr->allowed[i].line : at.line;
		at.col = 0;
		WARN(x, &at,
		     "%s: allowed peer %s is in no network of %s, where multicast adverts come from; correct it",
		     vr->name, conf_addr_str(a, text, sizeof(text)), vr->ifname);
	}
	if (own && own == vr->nallowed)
		WARN(x, &vr->at,
		     "%s: xdp_peers lists this machine only, so no other router is heard and all become Active; add "
		     "the others",
		     vr->name);
}

/* RX-34: peers take adverts from whom they list. With IPv6 a router has several addresses, one of them link-local. */
static void lint_unicast_source(struct lint *x, const struct conf_vr *vr)
{
	if (vr->family == 6 && vr->unicast && !vr->src.family)
		WARN(x, &vr->at,
		     "%s: unicast peers know this router by the source of its adverts, which may be any IPv6 address "
		     "of %s; "
		     "set unicast_src_ip to the one that they list",
		     vr->name, vr->ifname);
}

/* A route whose hop is where the virtual router has nothing; its failure counts all the same. */
static void lint_route_dev(struct lint *x, const struct conf_vr *vr, const struct conf_route *r, const char *dev)
{
	if (!dev[0] || r->no_track || !strcmp(dev, vr->ifname))
		return;
	for (size_t i = 0; i < vr->nvips; i++)
		if (!strcmp(dev, vr->vips[i].dev))
			return;
	for (size_t i = 0; i < vr->nexcluded; i++)
		if (!strcmp(dev, vr->excluded[i].dev))
			return;
	WARN(x, &vr->at,
	     "%s: route \"%s\" uses %s, which carries none of the virtual addresses; when %s fails the virtual router "
	     "goes to FAULT. Add no_track to the route if it should not",
	     vr->name, r->text, dev, dev);
}

static void lint_routes(struct lint *x, const struct conf_vr *vr, const struct nets *nets)
{
	char text[46];

	for (size_t i = 0; i < vr->nroutes; i++) {
		const struct conf_route *r = &vr->routes[i];
		bool elsewhere = false;

		for (size_t h = 0; h < r->nhops; h++) {
			elsewhere = elsewhere || (r->hops[h].dev[0] && strcmp(r->hops[h].dev, vr->ifname) != 0);
			lint_route_dev(x, vr, r, r->hops[h].dev);
		}
		if (r->src.family && nets->known && !elsewhere && !is_vip(vr, &r->src) && !has_addr(nets, &r->src))
			WARN(x, &vr->at,
			     "%s: route \"%s\" has source %s, which is neither a virtual address nor on %s; the kernel "
			     "refuses such a route",
			     vr->name, r->text, conf_addr_str(&r->src, text, sizeof(text)), vr->ifname);
	}
}

/* ---- tracking ---- */

/* KA-8, spec 4.1: what an item adds while it is well, and after it has failed. */
static int when_ok(const struct conf_track *t)
{
	return t->weight > 0 ? (t->reverse ? -t->weight : t->weight) : 0;
}

static int when_failed(const struct conf_track *t)
{
	return t->weight < 0 ? (t->reverse ? -t->weight : t->weight) : 0;
}

static int clamp(int priority)
{
	return priority < 1 ? 1 : priority > 254 ? 254 : priority;
}

static int all_ok(const struct conf_vr *vr)
{
	int total = vr->priority;

	for (size_t i = 0; i < vr->tracks.nifs; i++)
		total += when_ok(&vr->tracks.ifs[i]);
	for (size_t i = 0; i < vr->tracks.nscripts; i++)
		total += when_ok(&vr->tracks.scripts[i]);
	for (size_t i = 0; i < vr->tracks.nprocs; i++)
		total += when_ok(&vr->tracks.procs[i]);
	return total;
}

static void lint_weight(struct lint *x, const struct conf_vr *vr, const char *kind, const char *name,
			const struct conf_track *t)
{
	int ok = all_ok(vr), failed = ok - when_ok(t) + when_failed(t), moved = clamp(failed) - clamp(ok);
	struct conf_at at = vr->at;

	if (!t->weight)
		return;
	at.line = t->line ? t->line : at.line;
	at.col = 0;
	if (vr->priority == 255)
		WARN(x, &at, "%s: weight %d of %s %s does nothing, because priority 255 never changes; use 1 to 254",
		     vr->name, t->weight, kind, name);
	else if (!moved)
		WARN(x, &at,
		     "%s: when %s %s fails, the priority stays %d: %d with its weight %d is cut to 1-254. Choose a "
		     "priority and weights that stay inside",
		     vr->name, kind, name, clamp(ok), when_ok(t) ? ok : failed, t->weight);
	else if (moved != failed - ok)
		WARN(x, &at,
		     "%s: when %s %s fails, the priority moves by %d and not by its weight %d, because %d is cut to %d",
		     vr->name, kind, name, moved, t->weight, clamp(ok) != ok ? ok : failed,
		     clamp(ok) != ok ? clamp(ok) : clamp(failed));
}

static void lint_weights(struct lint *x, const struct conf_vr *vr)
{
	const struct conf_tracks *t = &vr->tracks;

	for (size_t i = 0; i < t->nifs; i++)
		lint_weight(x, vr, "interface", t->ifs[i].ifname, &t->ifs[i]);
	for (size_t i = 0; i < t->nscripts; i++)
		lint_weight(x, vr, "script", x->c->scripts[t->scripts[i].item].name, &t->scripts[i]);
	for (size_t i = 0; i < t->nprocs; i++)
		lint_weight(x, vr, "process", x->c->processes[t->procs[i].item].name, &t->procs[i]);
}

/* ---- one virtual router by itself ---- */

static void lint_election(struct lint *x, const struct conf_vr *vr)
{
	if (!vr->preempt && vr->state_master)
		WARN(x, &vr->at, "%s: nopreempt does not work with state MASTER; write state BACKUP", vr->name);
	if (!vr->preempt && vr->preempt_delay_ns)
		WARN(x, &vr->at, "%s: preempt_delay has no effect with nopreempt; take one of them out", vr->name);
	if (vr->down_adverts == 1)
		WARN(x, &vr->at,
		     "%s: with down_timer_adverts 1 a single lost advert makes two Active Routers; use 3 as the RFC "
		     "does",
		     vr->name);
	if (vr->strict && !vr->accept && vr->priority != 255)
		WARN(x, &vr->at,
		     "%s: strict mode drops every packet to the virtual addresses, so no service and no ping answers "
		     "there; add accept, or take vrrp_strict out",
		     vr->name);
}

static void lint_vr(struct lint *x, const struct conf_vr *vr)
{
	struct nets nets;

	ask_nets(x, vr, &nets);
	lint_source(x, vr, &nets);
	lint_owner(x, vr, &nets);
	lint_vip_networks(x, vr, &nets);
	lint_preferred(x, vr);
	lint_peers(x, vr, &nets);
	lint_allowed(x, vr, &nets);
	lint_unicast_source(x, vr);
	lint_routes(x, vr, &nets);
	lint_weights(x, vr);
	lint_election(x, vr);
}

/* ---- what instances share ---- */

/* @n instances do what @text says; the first is named. */
static void warn_many(struct lint *x, const struct conf_vr *first, size_t n, const char *text)
{
	if (n == 1)
		WARN(x, &first->at, "%s: %s", first->name, text);
	else if (n)
		WARN(x, &first->at, "%s and %zu more: %s", first->name, n - 1, text);
}

static void lint_garp(struct lint *x)
{
	const struct conf_vr *first = NULL;
	size_t n = 0;

	for (size_t i = x->c->nvrs; i-- > 0;) {
		const struct conf_garp *g = &x->c->vrs[i].garp;

		if (g->repeat > 1 || g->delay_ns || g->refresh_ns)
			continue;
		first = &x->c->vrs[i];
		n++;
	}
	warn_many(x, first, n,
		  "a takeover is announced by a single gratuitous ARP; if it is lost, hosts keep the old MAC. Raise "
		  "garp_master_repeat, or set garp_master_delay");
}

static void lint_mail(struct lint *x)
{
	const struct conf_globals *g = &x->c->globals;
	const struct conf_vr *first = NULL;
	size_t n = 0;

	if (g->smtp_server && g->emails && g->emails[0])
		return;
	for (size_t i = x->c->nvrs; i-- > 0;) {
		if (!x->c->vrs[i].smtp_alert)
			continue;
		first = &x->c->vrs[i];
		n++;
	}
	warn_many(x, first, n,
		  g->smtp_server ? "smtp_alert sends no mail without notification_email; list the recipients"
				 : "smtp_alert sends no mail without smtp_server; name the mail relay");
}

static void lint_group(struct lint *x, const struct conf_group *g)
{
	const struct conf_vr *low = NULL, *high = NULL, *never = NULL, *may = NULL, *late = NULL, *soon = NULL;

	for (size_t i = 0; i < g->nmembers; i++) {
		const struct conf_vr *vr = &x->c->vrs[g->members[i]];

		low = !low || vr->priority < low->priority ? vr : low;
		high = !high || vr->priority > high->priority ? vr : high;
		*(vr->preempt ? &may : &never) = vr;
		*(vr->preempt_delay_ns ? &late : &soon) = vr;
	}
	if (never && may)
		WARN(x, &g->at,
		     "group %s: nopreempt of %s keeps %s and the whole group from preempting; set it on all or "
		     "none",
		     g->name, never->name, may->name);
	if (late && soon && !never)
		WARN(x, &g->at, "group %s: preempt_delay of %s delays %s and the whole group; set it on all or none",
		     g->name, late->name, soon->name);
	if (low && low->priority != high->priority)
		WARN(x, &g->at,
		     "group %s: %s has priority %u and %s has %u; unless both are on the same side of the other "
		     "router's, "
		     "the group never preempts. Use one priority",
		     g->name, low->name, low->priority, high->name, high->priority);
}

/* ---- trackers ---- */

enum kind { SCRIPTS, FILES, PROCESSES };

static bool tracks_item(const struct conf_tracks *t, enum kind kind, size_t item)
{
	const struct conf_track *tracks = kind == SCRIPTS ? t->scripts : kind == FILES ? t->files : t->procs;
	size_t n = kind == SCRIPTS ? t->nscripts : kind == FILES ? t->nfiles : t->nprocs;

	for (size_t i = 0; i < n; i++)
		if (tracks[i].item == item)
			return true;
	return false;
}

static bool is_tracked(const struct conf *c, enum kind kind, size_t item)
{
	for (size_t i = 0; i < c->nvrs; i++)
		if (tracks_item(&c->vrs[i].tracks, kind, item))
			return true;
	for (size_t i = 0; i < c->ngroups; i++)
		if (tracks_item(&c->groups[i].tracks, kind, item))
			return true;
	return false;
}

static void lint_unused(struct lint *x)
{
	const struct conf *c = x->c;

	for (size_t i = 0; i < c->nscripts; i++)
		if (c->scripts[i].cmd.argv && !is_tracked(c, SCRIPTS, i))
			WARN(x, &c->scripts[i].at, "vrrp_script %s is never tracked; name it in a track_script",
			     c->scripts[i].name);
	for (size_t i = 0; i < c->ntrack_files; i++)
		if (!is_tracked(c, FILES, i))
			WARN(x, &c->track_files[i].at,
			     "track_file %s is never tracked; name it in a track_file of an "
			     "instance",
			     c->track_files[i].name);
	for (size_t i = 0; i < c->nprocesses; i++)
		if (!is_tracked(c, PROCESSES, i))
			WARN(x, &c->processes[i].at,
			     "vrrp_track_process %s is never tracked; name it in a track_process",
			     c->processes[i].name);
}

static void lint_script(struct lint *x, const struct conf_script *s)
{
	double interval = (double)s->interval_ns / 1e9, timeout = (double)s->timeout_ns / 1e9;

	if (!s->cmd.argv)
		return;
	if (s->timeout_ns > s->interval_ns)
		WARN(x, &s->at,
		     "vrrp_script %s: timeout %g s is longer than interval %g s: one that hangs is noticed after %g s, "
		     "and "
		     "the runs in between are left out. Shorten the timeout",
		     s->name, timeout, interval, timeout);
	if (s->fall <= 1 && s->interval_ns < SEC_NS)
		WARN(x, &s->at,
		     "vrrp_script %s: one failure in %g s counts at once, so a short hiccup moves the virtual "
		     "addresses; "
		     "set fall 2 or more",
		     s->name, interval);
}

/* ---- scripts that run as root ---- */

struct root_cmds {
	size_t n;
	const struct conf_cmd *first;
};

static void count_root(struct root_cmds *r, const struct conf_cmd *cmd)
{
	if (!cmd->argv || cmd->uid != 0)
		return;
	r->first = r->first ? r->first : cmd;
	r->n++;
}

static void count_notify(struct root_cmds *r, const struct conf_notify *n)
{
	count_root(r, &n->master);
	count_root(r, &n->backup);
	count_root(r, &n->fault);
	count_root(r, &n->stop);
	count_root(r, &n->any);
	count_root(r, &n->deleted);
	count_root(r, &n->master_rx_lower_pri);
}

/* keepalived says it once too (spec 3.4). */
static void lint_security(struct lint *x)
{
	const struct conf *c = x->c;
	struct root_cmds r = { 0 };

	if (c->globals.script_security || !x->io || !x->io->user)
		return;
	count_root(&r, &c->globals.startup_script);
	count_root(&r, &c->globals.shutdown_script);
	for (size_t i = 0; i < c->nscripts; i++)
		count_root(&r, &c->scripts[i].cmd);
	for (size_t i = 0; i < c->nvrs; i++)
		count_notify(&r, &c->vrs[i].notify);
	for (size_t i = 0; i < c->ngroups; i++)
		count_notify(&r, &c->groups[i].notify);
	if (r.n)
		WARN(x, &r.first->at,
		     "%zu command%s run%s as root without enable_script_security, so whoever can change a file of "
		     "theirs is "
		     "root; set script_user, or enable_script_security in global_defs",
		     r.n, r.n == 1 ? "" : "s", r.n == 1 ? "s" : "");
}

void conf_lint(const struct conf *c, const struct conf_io *io, conf_msg_fn msg, void *msg_arg)
{
	struct lint x = { .c = c, .io = io, .d = { .msg = msg, .arg = msg_arg } };

	for (size_t i = 0; i < c->nvrs; i++)
		lint_vr(&x, &c->vrs[i]);
	for (size_t i = 0; i < c->ngroups; i++)
		lint_group(&x, &c->groups[i]);
	lint_garp(&x);
	lint_mail(&x);
	lint_unused(&x);
	for (size_t i = 0; i < c->nscripts; i++)
		lint_script(&x, &c->scripts[i]);
	lint_security(&x);
}
