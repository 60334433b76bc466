// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtual routers are built, started, stopped and taken down; what a dead controller left is removed. */
#include "vr_int.h"

#include "advert.h"
#include "leftover.h"
#include "log.h"
#include "ward.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define HANDOVER_MAX_NS (30 * VX_NS_PER_MS)

enum {
	TIMERS_PER_VR = 7,
	SPARE_VRS = 16, /* room for what a reload may bring, beside half as many again */
	SPARE_IFS = 8,
	SPARE_ADDRS = 256,
	SPARE_PEERS = 64,
};

/* ---- one router ---- */

void vr_configure(struct vr *r)
{
	const struct conf_vr *c = r->conf;
	struct vx_vr_config *k = &r->cfg;
	struct vx_addr a;
	size_t i;

	r->fsm.version = k->version = c->version;
	r->fsm.preempt = c->preempt || c->priority == 255;
	r->fsm.adver_ns = k->adver_ns = c->adver_ns;
	r->fsm.down_adverts = k->down_adverts = c->down_adverts;
	r->fsm.preempt_delay_ns = k->preempt_delay_ns = c->preempt_delay_ns;
	r->fsm.handover_ns = k->handover_ns = c->handover_ns;
	r->fsm.max_adver_ns = k->max_adver_ns = c->max_adver_ns;
	r->fsm.lower_prio_no_advert = c->lower_prio_no_advert;
	r->fsm.higher_prio_send_advert = c->higher_prio_send_advert;
	r->fsm.ignore_adverts = c->owner_ignore_adverts && c->priority == 255;
	k->vrid = c->vrid;
	k->family = c->family;
	k->group = c->group.family ? vr_conf_addr(&c->group) : c->family == 6 ? ADVERT_GROUP6 : vx_addr4(ADVERT_GROUP4);
	k->auth_type = c->auth_pass_set ? ADVERT_AUTH_PASS : ADVERT_AUTH_NONE;
	memset(k->auth, 0, sizeof(k->auth));
	if (c->auth_pass_set)
		memcpy(k->auth, c->auth_pass, sizeof(k->auth));
	k->nvips = r->nadvertised;
	k->vip_sum = 0;
	for (i = 0; i < r->nadvertised; i++) {
		a = vr_conf_addr(&c->vips[i].addr);
		k->vip_sum += advert_vip_mix(c->family, &a);
	}
	k->flags = (r->fsm.preempt ? VX_CFG_PREEMPT : 0) | (c->unicast ? VX_CFG_UNICAST : 0);
	if (c->csum != CONF_CSUM_RFC5798)
		k->flags |= VX_CFG_CSUM_9568;
	if (c->csum != CONF_CSUM_RFC9568)
		k->flags |= VX_CFG_CSUM_5798;
	if (c->use_vmac) { /* WF-14 */
		k->flags |= VX_CFG_VMAC;
		memcpy(r->mac, (uint8_t[]){ 0x00, 0x00, 0x5e, 0x00, c->family == 6 ? 2 : 1, c->vrid }, sizeof(r->mac));
	}
	if (!c->accept)
		k->flags |= VX_CFG_NO_ACCEPT;
	if (!c->unicast && c->nallowed)
		k->flags |= VX_CFG_PEERS;
	if (r->fsm.ignore_adverts)
		k->flags |= VX_CFG_DEAF;
	if (c->family == 6 && r->nadvertised && conf_addr_link_local(&c->vips[0].addr))
		k->flags |= VX_CFG_FIRST_LL;
}

int vr_alloc(struct vr *r)
{
	const struct conf_vr *c = r->conf;
	size_t i, n = c->nvips + c->nexcluded;
	struct vr_vip *vips = calloc(n + 1, sizeof(*vips));
	struct vr_route *routes = calloc(c->nroutes + 1, sizeof(*routes));
	struct vr_rule *rules = calloc(c->nrules + 1, sizeof(*rules));
	size_t nframes = c->unicast ? c->npeers : 1;
	size_t len = vr_frame_head(r) + advert_ip_len(c->family) + advert_len(c->family, c->version, c->nvips);
	uint8_t *frames = calloc(2 * nframes, len);

	if (!vips || !routes || !rules || !frames) {
		free(vips);
		free(routes);
		free(rules);
		free(frames);
		return -ENOMEM;
	}
	for (i = 0; i < n; i++) {
		vips[i].conf = i < c->nvips ? &c->vips[i] : &c->excluded[i - c->nvips];
		vips[i].dev = vrs_if(r->all, vips[i].conf->dev);
	}
	for (i = 0; i < c->nroutes; i++)
		routes[i].conf = &c->routes[i];
	for (i = 0; i < c->nrules; i++)
		rules[i].conf = &c->rules[i];
	r->vips = vips;
	r->nvips = n;
	r->routes = routes;
	r->nroutes = c->nroutes;
	r->rules = rules;
	r->nrules = c->nrules;
	r->frames = frames;
	r->nframes = nframes;
	vr_set_advertised(r, vr_fits(r));
	return 0;
}

struct vr *vr_new(struct vrs *v, const struct conf_vr *c)
{
	struct vr *r;
	uint32_t slot;

	for (slot = 0; slot < v->sizes.vrs && v->slots[slot]; slot++)
		;
	r = slot < v->sizes.vrs ? calloc(1, sizeof(*r)) : NULL;
	if (!r)
		return NULL;
	r->all = v;
	r->conf = c;
	r->slot = slot;
	r->iface = vrs_if(v, c->ifname);
	if (vr_alloc(r)) {
		free(r);
		return NULL;
	}
	r->adver_timer = (struct timer){ .fn = vr_on_adver_timer, .arg = r };
	r->down_timer = (struct timer){ .fn = vr_on_down_timer, .arg = r };
	r->defend_timer = (struct timer){ .fn = vr_on_defend_timer, .arg = r };
	vr_announce_init(r);
	vr_configure(r);
	r->fsm.priority = r->cfg.priority = c->priority;
	v->slots[slot] = r;
	return r;
}

void vr_free(struct vr *r)
{
	if (!r)
		return;
	timer_cancel(&r->all->loop->timers, &r->adver_timer);
	timer_cancel(&r->all->loop->timers, &r->down_timer);
	vr_announce_cancel(r);
	ward_forget(r->slot);
	r->all->slots[r->slot] = NULL;
	free(r->vips);
	free(r->routes);
	free(r->rules);
	free(r->frames);
	free(r);
}

/* ---- all of them ---- */

static uint64_t pause_of(const struct conf *c, const char *ifname, bool gna)
{
	size_t i, k;

	for (i = 0; i < c->ngarp_groups; i++) {
		const struct conf_garp_group *g = &c->garp_groups[i];

		for (k = 0; k < g->nifs; k++)
			if (!strcmp(g->ifs[k], ifname))
				return gna ? g->gna_interval_ns : g->garp_interval_ns;
	}
	return gna ? c->globals.gna_interval_ns : c->globals.garp_interval_ns;
}

static struct vr_if *need_if(struct vrs *v, const char *name, bool carries)
{
	struct vr_if *f = vrs_if_add(v, name);

	if (f) {
		f->mark = true;
		f->carries |= carries;
	}
	return f;
}

/* A router on a VLAN of @parent has the VLAN device's addresses and the parent's XDP program. */
static bool need_vr_if(struct vrs *v, const struct conf_vr *r)
{
	struct vr_if *f = need_if(v, r->ifname, true), *lower;

	if (!f || !r->vlan)
		return f;
	lower = need_if(v, r->parent, true);
	f->lower = lower;
	f->vlan = r->vlan;
	return lower;
}

static bool vips_ifs(struct vrs *v, const struct conf_vip *vips, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!need_if(v, vips[i].dev, true))
			return false;
	return true;
}

/* Those of virtual routes and rules: the router cannot work without them (spec 4.1). */
static bool routes_ifs(struct vrs *v, const struct conf_vr *r)
{
	size_t i, k;

	for (i = 0; i < r->nroutes; i++)
		for (k = 0; k < r->routes[i].nhops; k++)
			if (r->routes[i].hops[k].dev[0] && !need_if(v, r->routes[i].hops[k].dev, false))
				return false;
	for (i = 0; i < r->nrules; i++)
		if ((r->rules[i].iif[0] && !need_if(v, r->rules[i].iif, false)) ||
		    (r->rules[i].oif[0] && !need_if(v, r->rules[i].oif, false)))
			return false;
	return true;
}

/* Those of static entries are watched for the sake of track_group; without one nobody asks. */
static bool statics_ifs(struct vrs *v, const struct conf *c)
{
	size_t i, k;

	for (i = 0; c->ntrack_groups && i < c->nstatic_addrs; i++)
		if (!need_if(v, c->static_addrs[i].dev, false))
			return false;
	for (i = 0; c->ntrack_groups && i < c->nstatic_routes; i++)
		for (k = 0; k < c->static_routes[i].nhops; k++)
			if (c->static_routes[i].hops[k].dev[0] && !need_if(v, c->static_routes[i].hops[k].dev, false))
				return false;
	for (i = 0; c->ntrack_groups && i < c->nstatic_rules; i++)
		if ((c->static_rules[i].iif[0] && !need_if(v, c->static_rules[i].iif, false)) ||
		    (c->static_rules[i].oif[0] && !need_if(v, c->static_rules[i].oif, false)))
			return false;
	return true;
}

/* An open VLAN device that is still wanted, for a VIP maybe, goes on being looked at where it is (see check_vlans()). */
static void need_lowers(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (v->ifs[i]->carries && v->ifs[i]->lower)
			v->ifs[i]->lower->mark = v->ifs[i]->lower->carries = true;
}

int vrs_ifs_build(struct vrs *v, const struct conf *c)
{
	size_t i, k;

	for (i = 0; i < v->nifs; i++) {
		v->ifs[i]->mark = v->ifs[i]->carries = false;
		if (!v->ifs[i]->open)
			v->ifs[i]->lower = NULL;
	}
	for (i = 0; i < c->nvrs; i++) {
		const struct conf_vr *r = &c->vrs[i];

		if (!need_vr_if(v, r) || !vips_ifs(v, r->vips, r->nvips) || !vips_ifs(v, r->excluded, r->nexcluded) ||
		    !routes_ifs(v, r))
			return -ENOMEM;
		for (k = 0; k < r->tracks.nifs; k++)
			if (!need_if(v, r->tracks.ifs[k].ifname, false))
				return -ENOMEM;
	}
	if (!statics_ifs(v, c))
		return -ENOMEM;
	need_lowers(v);
	for (i = 0; i < v->nifs; i++) {
		v->ifs[i]->garp_pause_ns = pause_of(c, v->ifs[i]->name, false);
		v->ifs[i]->gna_pause_ns = pause_of(c, v->ifs[i]->name, true);
		v->ifs[i]->up_delay_ns = v->ifs[i]->down_delay_ns = 0;
	}
	for (i = 0; i < c->nupdowns; i++) {
		struct vr_if *f = vrs_if(v, c->updowns[i].ifname);

		if (f) {
			f->up_delay_ns = c->updowns[i].up_ns;
			f->down_delay_ns = c->updowns[i].down_ns;
		}
	}
	return 0;
}

size_t vr_addrs(const struct conf_vr *c, size_t ifs)
{
	return (c->nvips + c->nexcluded) * (c->accept ? 1 : ifs);
}

/* With room for a reload: maps cannot grow. */
struct dp_sizes vrs_sizes(const struct vrs *v, const struct conf *c)
{
	struct dp_sizes s = { .vrs = c->nvrs + c->nvrs / 2 + SPARE_VRS, .addrs = SPARE_ADDRS, .peers = SPARE_PEERS };
	size_t i, carries;

	if (s.vrs > VX_MAX_VRS)
		s.vrs = VX_MAX_VRS;
	for (i = 0; i < v->nifs; i++) {
		s.ifs += v->ifs[i]->carries;
		s.addrs += v->ifs[i]->naddrs + 64;
	}
	carries = s.ifs;
	s.ifs = s.ifs + SPARE_IFS > VX_MAX_IFS ? VX_MAX_IFS : s.ifs + SPARE_IFS;
	for (i = 0; i < c->nvrs; i++) {
		size_t n = vr_addrs(&c->vrs[i], carries);

		s.addrs += n + n / 2 + 2;
		n = c->vrs[i].npeers + c->vrs[i].nallowed;
		s.peers += n + n / 2;
	}
	return s;
}

static size_t count_statics(const struct conf *c)
{
	return c->nstatic_addrs + c->nstatic_routes + c->nstatic_rules;
}

int vrs_reserve(struct vrs *v)
{
	size_t i, n = count_statics(v->conf) + 1, timers = TIMERS_PER_VR * v->nvr + 4 * v->nifs + 3, nvips = 0;
	struct vr_change *owners;
	struct nl_change *changes;
	struct vr **dirty;

	for (i = 0; i < v->nvr; i++) {
		n += 2 * v->vr[i]->nvips + v->vr[i]->nroutes + v->vr[i]->nrules;
		nvips += v->vr[i]->nvips;
	}
	if (vrs_reserve_index(v, nvips))
		return -ENOMEM;
	if (timers > v->timers) {
		if (timer_queue_reserve(&v->loop->timers, v->loop->timers.cap + timers - v->timers))
			return -ENOMEM;
		v->timers = timers;
	}
	if (v->nvr + 1 > v->cap_dirty) {
		dirty = realloc(v->dirty, (v->nvr + 1) * sizeof(struct vr *));
		if (!dirty)
			return -ENOMEM;
		v->dirty = dirty;
		v->cap_dirty = v->nvr + 1;
	}
	if (vrs_reserve_queues(v))
		return -ENOMEM;
	if (n <= v->cap_changes)
		return 0;
	changes = realloc(v->changes, n * sizeof(*changes));
	if (changes)
		v->changes = changes;
	owners = realloc(v->owners, n * sizeof(*owners));
	if (owners)
		v->owners = owners;
	if (!changes || !owners)
		return -ENOMEM;
	v->cap_changes = n;
	return 0;
}

void vrs_statics(struct vrs *v, const struct conf *c, bool *installed, bool del)
{
	size_t i, n = 0;

	for (i = 0; i < c->nstatic_addrs; i++, n++)
		if (installed[n] == del)
			vrs_want(v, &(struct nl_change){ .addr = &c->static_addrs[i], .del = del },
				 &(struct vr_change){ .installed = &installed[n] });
	for (i = 0; i < c->nstatic_routes; i++, n++)
		if (installed[n] == del)
			vrs_want(v, &(struct nl_change){ .route = &c->static_routes[i], .del = del },
				 &(struct vr_change){ .installed = &installed[n] });
	for (i = 0; i < c->nstatic_rules; i++, n++)
		if (installed[n] == del)
			vrs_want(v, &(struct nl_change){ .rule = &c->static_rules[i], .del = del },
				 &(struct vr_change){ .installed = &installed[n] });
	vrs_commit(v);
}

/*
 * By name they were two interfaces, the parent with a VLAN id and the VLAN device itself; conf_name_vlans() has made them one. Nor is there a
 * program on a VLAN device that is reached with its parent's, so nothing can be reached through it in turn.
 */
static int check_vlan_pair(const struct conf_vr *a, const struct conf_vr *b)
{
	if (!b->vlan && !strcmp(a->ifname, b->ifname)) {
		log_err("%s: its interface is the one that %s reaches with a VLAN id; name it the same way in both",
			b->name, a->name);
		return 2;
	}
	if (b->vlan && !strcmp(a->ifname, b->parent)) {
		log_err("%s: %s is itself reached with a VLAN id, by %s; use %s as the interface, without a VLAN id",
			b->name, b->parent, a->name, b->ifname);
		return 2;
	}
	return 0;
}

int vrs_check_vlans(const struct conf *c)
{
	size_t i, k;
	int rc = 0;

	for (i = 0; i < c->nvrs; i++)
		for (k = 0; c->vrs[i].vlan && !rc && k < c->nvrs; k++)
			rc = check_vlan_pair(&c->vrs[i], &c->vrs[k]);
	return rc;
}

static int check_interfaces(struct vrs *v)
{
	bool may_be_missing = v->conf->globals.dynamic_interfaces;
	size_t i;

	for (i = 0; i < v->nifs; i++) {
		const struct vr_if *f = v->ifs[i];

		if (!f->present && may_be_missing)
			continue;
		if (!f->present) {
			log_err("%s: no such interface; see `ip link`, or write dynamic_interfaces into global_defs",
				f->name);
			return 2;
		}
	}
	for (i = 0; i < v->nvr; i++) {
		const struct vr_if *f = v->vr[i]->iface;

		if (f->present && !f->ethernet) {
			log_err("%s: not an Ethernet interface; VRRP needs one", f->name);
			return 2;
		}
	}
	return 0;
}

/*
 * A VIP that is there already is taken for a leftover and removed, but not when that would leave the interface without any address: then it
 * is the machine's own, and no router could run without a source anyway.
 */
static int check_addresses(const struct vrs *v)
{
	const struct vr_vip *vip;
	char text[46];
	size_t i, k, own;

	for (i = 0; i < v->nvr; i++) {
		const struct vr *r = v->vr[i];

		for (own = k = 0; k < r->iface->naddrs; k++)
			own += r->iface->addrs[k].addr.family == r->conf->family;
		for (vip = r->vips; vip < r->vips + r->nvips; vip++) {
			if (vip->installed && vip->dev == r->iface && vip->conf->addr.family == r->conf->family &&
			    !own && !r->conf->src.family) {
				log_err("%s: %s is the only address of %s; give the interface one of its own beside it",
					r->conf->name, conf_addr_str(&vip->conf->addr, text, sizeof(text)),
					r->iface->name);
				return 2;
			}
		}
	}
	return 0;
}

/* A VIP of the dead controller that this configuration does not have: it must not be taken for an address of the machine's own. */
static void on_leftover_gone(void *arg, const struct nl_addr *a)
{
	struct vrs *v = arg;
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (v->ifs[i]->ifindex == a->ifindex)
			vr_addr_note(v->ifs[i], a);
}

static int clean_interface(struct vrs *v, struct vr_if *f)
{
	int err = leftover_remove(f->ifindex, f->name, on_leftover_gone, v);

	if (err < 0) {
		log_err("%s: cannot remove the XDP program that a dead controller left: %s", f->name, strerror(-err));
		return 1;
	}
	if (err)
		log_info("%s: removed what a dead controller left", f->name);
	return 0;
}

/* KA-16: addresses, routes and rules of the configuration that are there at the start are a dead controller's. */
static void clean_entries(struct vr *r)
{
	struct nl_change c;
	struct conf_vip found;
	size_t i;

	for (i = 0; i < r->nrules; i++) {
		c = (struct nl_change){ .rule = r->rules[i].conf, .del = true };
		nl_commit(r->all->nl, &c, 1);
	}
	for (i = 0; i < r->nroutes; i++) {
		c = (struct nl_change){ .route = r->routes[i].conf, .del = true };
		nl_commit(r->all->nl, &c, 1);
	}
	for (i = 0; i < r->nvips; i++) {
		if (!r->vips[i].installed)
			continue;
		found = *r->vips[i].conf;
		found.plen = r->vips[i].found_plen;
		c = (struct nl_change){ .addr = &found, .del = true };
		nl_commit(r->all->nl, &c, 1);
		r->vips[i].installed = false;
	}
}

static int build_routers(struct vrs *v)
{
	const struct conf *c = v->conf;
	size_t i;

	v->slots = calloc(v->sizes.vrs, sizeof(struct vr *));
	v->vr = calloc(c->nvrs + 1, sizeof(struct vr *));
	v->statics = calloc(count_statics(c) + 1, sizeof(bool));
	if (!v->slots || !v->vr || !v->statics)
		return -ENOMEM;
	for (i = 0; i < c->nvrs; i++) {
		v->vr[i] = vr_new(v, &c->vrs[i]);
		if (!v->vr[i])
			return -ENOMEM;
		v->nvr++;
	}
	return vrs_groups_build(v) ? -ENOMEM : vrs_reserve(v);
}

static int build_all(struct vrs *v, const struct dp_sizes *sizes)
{
	size_t i, carries = 0;
	int err;

	if (v->conf->nvrs > VX_MAX_VRS) {
		log_err("%zu virtual routers are more than the %d that fit; split them over several network namespaces",
			v->conf->nvrs, VX_MAX_VRS);
		return 2;
	}
	if (vrs_check_vlans(v->conf))
		return 2;
	err = vrs_ifs_build(v, v->conf);
	for (i = 0; i < v->nifs; i++)
		carries += v->ifs[i]->carries;
	if (carries > VX_MAX_IFS) {
		log_err("%zu interfaces are more than the %d that one vrrp-xdp runs; split them over several files",
			carries, VX_MAX_IFS);
		return 2;
	}
	v->sizes = sizes ? *sizes : vrs_sizes(v, v->conf);
	if (!err)
		err = build_routers(v);
	if (err)
		log_err("out of memory for %zu virtual routers", v->conf->nvrs);
	return err ? 1 : 0;
}

static int open_interfaces(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (v->ifs[i]->carries && v->ifs[i]->ethernet && !v->ifs[i]->open && vr_if_open(v->ifs[i]))
			return 1;
	return 0;
}

int vrs_edges(struct vrs *v, struct hand *h)
{
	const struct track_ops ops = { .changed = vrs_on_track, .arg = v };
	int err = exec_new(&v->exec, v->loop);

	if (!err && h)
		exec_hand(v->exec, h);
	if (!err)
		err = track_new(&v->track, v->loop, v->exec, v->conf, &ops);
	if (!err && h)
		err = track_resume(v->track, h);
	if (!err)
		err = notify_new(&v->notify, v->loop, v->exec, v->conf, h);
	if (err)
		log_err("cannot set up scripts and notifications: %s", strerror(-err));
	return err ? 1 : 0;
}

int vrs_open_netlink(struct vrs *v)
{
	const struct nl_ops ops = {
		.link = vrs_on_link,
		.addr = vrs_on_addr,
		.route_gone = vrs_on_route_gone,
		.rule_gone = vrs_on_rule_gone,
		.tc_gone = vrs_on_tc_gone,
		.lost = vrs_on_lost,
		.arg = v,
	};
	int err = nl_new(&v->nl, &ops);

	if (!err)
		err = vrs_watch_routes(v);
	if (err)
		log_err("cannot open route netlink: %s", strerror(-err));
	return err ? 1 : 0;
}

static int read_interfaces(struct vrs *v)
{
	int err = nl_dump(v->nl);

	if (err)
		log_err("cannot read the interfaces: %s", strerror(-err));
	return err ? 1 : 0;
}

int vrs_lock(struct vrs *v)
{
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < v->nifs; i++) {
		if (!v->ifs[i]->carries || v->ifs[i]->loopback)
			continue;
		rc = v->lock(v->lock_arg, v->ifs[i]->name);
		v->ifs[i]->locked = !rc;
	}
	return rc;
}

int vrs_build(struct vrs *v, const struct vrs_host *host, const struct conf *conf, const struct dp_sizes *sizes)
{
	memset(v, 0, sizeof(*v));
	v->loop = host->loop;
	v->resync_timer = (struct timer){ .fn = vrs_on_resync, .arg = v };
	v->burst_timer = (struct timer){ .fn = vrs_on_burst, .arg = v };
	v->lock = host->lock;
	v->unlock = host->unlock;
	v->lock_arg = host->arg;
	v->conf = conf;
	v->part = 1;
	return build_all(v, sizes);
}

int vrs_init(struct vrs *v, const struct vrs_host *host, const struct conf *conf)
{
	const struct dp_ops dp_ops = { .event = vrs_on_event, .arg = v };
	char why[DP_ERR_LEN];
	size_t i;
	int rc = vrs_build(v, host, conf, NULL);

	if (!rc)
		rc = vrs_open_netlink(v);
	if (!rc)
		rc = read_interfaces(v);
	if (!rc)
		rc = check_interfaces(v);
	if (!rc)
		rc = check_addresses(v);
	if (!rc)
		rc = vrs_lock(v);
	for (i = 0; !rc && i < v->nvr; i++)
		clean_entries(v->vr[i]); /* while the dead controller's program still guards them */
	for (i = 0; !rc && i < v->nifs; i++)
		if (v->ifs[i]->locked && v->ifs[i]->present)
			rc = clean_interface(v, v->ifs[i]);
	if (rc)
		return rc;
	v->sizes = vrs_sizes(v, conf);
	if (dp_new(&v->dp, &v->sizes, &dp_ops, why)) {
		log_err("%s", why);
		return 1;
	}
	rc = vrs_edges(v, NULL);
	return rc ? rc : open_interfaces(v);
}

/* vrrp_startup_delay, and vrrp_delay_after_boot, which counts from the boot: the longer one holds. */
static void on_delay(void *arg, uint64_t now_ns)
{
	struct vrs *v = arg;

	(void)now_ns;
	v->delay_until_ns = 0;
	vrs_follow_all(v);
}

void vrs_arm_delay(struct vrs *v)
{
	const struct conf_globals *g = &v->conf->globals;
	uint64_t now_ns = loop_now_ns();
	uint64_t until_ns = g->startup_delay_ns ? v->start_ns + g->startup_delay_ns : 0;

	if (g->delay_after_boot_ns > until_ns) /* CLOCK_BOOTTIME is the time since the boot */
		until_ns = g->delay_after_boot_ns;
	if (until_ns <= now_ns)
		return;
	v->delay_until_ns = until_ns;
	v->delay_timer = (struct timer){ .fn = on_delay, .arg = v };
	timer_arm(&v->loop->timers, &v->delay_timer, until_ns);
	log_info("Delaying startup by %.3g s", (until_ns - now_ns) / 1e9);
}

int vrs_join_loop(struct vrs *v)
{
	int err;

	v->nl_io = (struct loop_io){ .fd = nl_fd(v->nl), .prio = LOOP_NETLINK, .fn = vrs_on_netlink, .arg = v };
	v->loop->turn_end = vrs_flush;
	v->loop->woke = vrs_on_wake;
	v->loop->sleeps = vrs_on_sleep;
	v->loop->rests = ward_rest;
	v->loop->arg = v;
	err = loop_add(v->loop, &v->nl_io, EPOLLIN);
	if (err)
		log_err("cannot watch the kernel's events: %s", strerror(-err));
	return err ? 1 : 0;
}

int vrs_start(struct vrs *v)
{
	size_t i;

	if (vrs_join_loop(v))
		return 1;
	track_start(v->track);
	vrs_statics(v, v->conf, v->statics, false);
	/* what has changed since the dump; our attachments and static addresses, a router's source maybe, among it */
	vrs_read_news(v);
	v->start_ns = loop_now_ns();
	vrs_arm_delay(v);
	for (i = 0; i < v->nvr; i++)
		v->vr[i]->fsm.since_ns = v->start_ns;
	ward_rested(v->start_ns); /* all interfaces are open */
	vrs_follow_all(v);
	vrs_flush(v, v->start_ns);
	return 0;
}

/*
 * How long the others need at most to take over from us: Skew_Time is below one interval. Beyond some milliseconds it does not matter, they are
 * not yet at it.
 */
static uint64_t handover_ns(const struct vrs *v)
{
	uint64_t longest = 0;
	size_t i;

	for (i = 0; i < v->nvr; i++)
		if (v->vr[i]->fsm.state == FSM_ACTIVE && v->vr[i]->fsm.adver_ns > longest)
			longest = v->vr[i]->fsm.adver_ns;
	return longest < HANDOVER_MAX_NS ? longest : HANDOVER_MAX_NS;
}

/*
 * To take a program off an interface keeps the kernel's lock on network settings for milliseconds. Containers on one machine share that
 * lock: a router in another one could not set its addresses meanwhile.
 */
static void rest(uint64_t until_ns)
{
	uint64_t now_ns = loop_now_ns();
	struct timespec pause = { 0 };

	if (now_ns >= until_ns)
		return;
	pause.tv_nsec = until_ns - now_ns;
	nanosleep(&pause, NULL);
}

void vrs_stop(struct vrs *v)
{
	uint64_t now_ns = loop_now_ns(), rest_ns = handover_ns(v);
	size_t i;

	if (!v->start_ns)
		return;
	v->stopping = true;
	for (i = 0; i < v->nvr; i++) {
		v->vr[i]->hold = NULL;
		vr_step(v->vr[i], FSM_EV_SHUTDOWN, now_ns);
		v->vr[i]->pending |= FSM_ACT_RELEASE; /* also of what could not be removed before */
		vr_mark(v->vr[i]);
	}
	vrs_finish(v);
	vrs_statics(v, v->conf, v->statics, true);
	for (i = 0; i < v->nvr; i++)
		vr_tell_end(v->vr[i], NOTIFY_STOP);
	vrs_tell_groups_stop(v);
	track_free(v->track);
	notify_free(v->notify); /* ends the FIFO scripts, which would use the time up */
	v->track = NULL;
	v->notify = NULL;
	exec_drain(v->exec, VX_NS_PER_S); /* KA-18: scripts get a second */
	rest(now_ns + rest_ns);
}

void vrs_fini(struct vrs *v)
{
	size_t i;

	notify_free(v->notify);
	track_free(v->track);
	exec_free(v->exec);
	dp_free(v->dp);
	for (i = 0; i < v->nvr; i++)
		vr_free(v->vr[i]);
	for (i = 0; i < v->nifs; i++) {
		timer_cancel(&v->loop->timers, &v->ifs[i]->pace_timer);
		timer_cancel(&v->loop->timers, &v->ifs[i]->updown_timer);
		timer_cancel(&v->loop->timers, &v->ifs[i]->xdp_timer);
		timer_cancel(&v->loop->timers, &v->ifs[i]->settle_timer);
		tx_free(v->ifs[i]->tx);
		free(v->ifs[i]->addrs);
		free(v->ifs[i]);
	}
	if (v->loop) {
		timer_cancel(&v->loop->timers, &v->delay_timer);
		timer_cancel(&v->loop->timers, &v->resync_timer);
		timer_cancel(&v->loop->timers, &v->burst_timer);
	}
	vrs_groups_free(v);
	nl_free(v->nl);
	free(v->ifs);
	free(v->vr);
	free(v->slots);
	free(v->dirty);
	vrs_free_queues(v);
	free(v->changes);
	free(v->owners);
	free(v->statics);
	free(v->vip_index);
	memset(v, 0, sizeof(*v));
}
