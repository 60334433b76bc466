// SPDX-License-Identifier: GPL-2.0-or-later
/* Interfaces are opened and closed, and what depends on their indices is entered into the data plane's maps and taken out. */
#include "vr_int.h"

#include "advert.h"
#include "log.h"
#include "nic.h"
#include "ward.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct vr_if *vrs_if_add(struct vrs *v, const char *name)
{
	struct vr_if *f = vrs_if(v, name), **more;

	if (f)
		return f;
	more = realloc(v->ifs, (v->nifs + 1) * sizeof(struct vr_if *));
	if (more)
		v->ifs = more;
	f = more ? calloc(1, sizeof(*f)) : NULL;
	if (!f)
		return NULL;
	f->all = v;
	f->row = -1;
	f->pace_timer = (struct timer){ .fn = vr_if_on_pace, .arg = f };
	f->updown_timer = (struct timer){ .fn = vr_if_on_updown, .arg = f };
	f->xdp_timer = (struct timer){ .fn = vr_xdp_on_timer, .arg = f };
	f->settle_timer = (struct timer){ .fn = vr_if_on_settle, .arg = f };
	snprintf(f->name, sizeof(f->name), "%s", name);
	v->ifs[v->nifs++] = f;
	return f;
}

/* ---- addresses ---- */

void vr_if_own_addr(struct vr_if *f, const struct nl_addr *a)
{
	struct dp_addr own = { .family = a->addr.family, .addr = vr_conf_addr(&a->addr), .flag = VX_ADDR_OWN };

	vr_if_key(f, &own);
	if (f->open)
		dp_addr_set(f->all->dp, &own, !a->gone);
}

/* Where the data plane sees requests for it: on the interface that has it, or, where that has no frames (lo), on the router's. */
static struct vr_if *vip_at(const struct vr *r, const struct vr_vip *vip)
{
	return vip->dev->open ? vip->dev : r->iface;
}

/* A VIP as it looks from @f: the kernel holds it and would accept it there too, or send it on, whatever interface has it (DP-5). */
static int place_away(const struct vr *r, const struct vr_vip *vip, const struct vr_if *f)
{
	struct dp_addr a = { .flag = VX_ADDR_AWAY, .slot = r->slot };

	vr_if_key(f, &a);
	a.family = vip->conf->addr.family;
	a.addr = vr_conf_addr(&vip->conf->addr);
	return dp_addr_set(r->all->dp, &a, vip->away && vip->at != f && f->open);
}

static int place_away_all(const struct vr *r, struct vr_vip *vip, bool away)
{
	const struct vrs *v = r->all;
	bool was = vip->away;
	int err = 0;
	size_t i;

	vip->away = away;
	for (i = 0; (was || away) && !err && i < v->nifs; i++)
		if (v->ifs[i]->open)
			err = place_away(r, vip, v->ifs[i]);
	return err;
}

int vr_vip_place(struct vr *r, struct vr_vip *vip, bool present)
{
	struct vr_if *at = present ? vip_at(r, vip) : vip->at;
	struct dp_addr a = { .flag = VX_ADDR_VIP, .slot = r->slot };
	int err;

	if (present && vip->at && vip->at != at) /* it stood in for an interface that is there now */
		vr_vip_place(r, vip, false);
	if (!at || !at->open)
		return 0;
	vr_if_key(at, &a);
	a.family = vip->conf->addr.family;
	a.addr = vr_conf_addr(&vip->conf->addr);
	memcpy(a.mac, vr_mac_on(r, at), sizeof(a.mac));
	memcpy(a.nic, at->mac, sizeof(a.nic));
	vip->at = present ? at : NULL;
	err = dp_addr_set(r->all->dp, &a, present);
	return err ? err : place_away_all(r, vip, present && !r->conf->accept);
}

/* ---- routers ---- */

static bool own_group(const struct vr *r)
{
	const struct vx_addr standard = r->cfg.family == 6 ? ADVERT_GROUP6 : vx_addr4(ADVERT_GROUP4);

	return !vx_addr_eq(&r->cfg.group, &standard);
}

/* Another router on the same interface may listen to the same group. */
static int place_group(const struct vr *r, bool present)
{
	struct dp_addr a = { .family = r->cfg.family, .addr = r->cfg.group, .flag = VX_ADDR_GROUP };
	size_t i;

	vr_if_key(r->iface, &a);
	for (i = 0; !present && i < r->all->nvr; i++) {
		const struct vr *o = r->all->vr[i];

		if (o != r && o->placed && o->iface == r->iface && vx_addr_eq(&o->cfg.group, &r->cfg.group))
			return 0;
	}
	return dp_addr_set(r->all->dp, &a, present);
}

static bool same_net(const uint8_t *a, const uint8_t *b, uint8_t plen)
{
	return !memcmp(a, b, plen / 8) && (!(plen % 8) || !((a[plen / 8] ^ b[plen / 8]) >> (8 - plen % 8)));
}

static bool on_link(const struct vr_if *f, const struct conf_addr *addr)
{
	size_t i;

	for (i = 0; i < f->naddrs; i++) {
		const struct nl_addr *a = &f->addrs[i];

		if (a->addr.family == addr->family && a->plen && same_net(a->addr.b, addr->b, a->plen))
			return true;
	}
	return false;
}

/*
 * RX-35: what comes from our own link has not been routed. A peer behind a gateway, or where unicast_ttl makes them send another TTL, is believed
 * with any, as keepalived does (KA-28); min_ttl and max_ttl of the peer say otherwise.
 */
static int place_peer(struct vr *r, const struct conf_peer *p)
{
	bool strict = r->conf->unicast_ttl == ADVERT_TTL && on_link(r->iface, &p->addr);
	struct vx_addr addr = vr_conf_addr(&p->addr);
	uint8_t min = p->ttl_set ? p->min_ttl : strict ? ADVERT_TTL : 0;

	return dp_peer_set(r->all->dp, r->slot, &addr, min, p->ttl_set ? p->max_ttl : ADVERT_TTL);
}

static void del_peer(struct vr *r, const struct conf_peer *p)
{
	struct vx_addr addr = vr_conf_addr(&p->addr);

	dp_peer_del(r->all->dp, r->slot, &addr);
}

int vr_peers_place(struct vr *r, bool present)
{
	const struct conf_vr *c = r->conf;
	size_t i, n = c->unicast ? c->npeers : c->nallowed;
	int err = 0;

	if (!dp_loaded(r->all->dp))
		return 0;
	for (i = 0; !err && i < n; i++) {
		const struct conf_peer *p = c->unicast ? &c->peers[i] : &c->allowed[i];

		if (present)
			err = place_peer(r, p);
		else
			del_peer(r, p);
	}
	return err;
}

/* Frames to the virtual MAC come in from here on, and no ARP of the kernel's tells hosts another (ARP-12, RX-41). */
static int open_vmac(struct vr *r)
{
	int err = tx_mac(r->iface->tx, r->mac, true);

	if (err)
		return err;
	r->mac_in = true;
	err = dp_egress_attach(r->all->dp, r->iface->ifindex);
	if (err)
		log_warn("%s: no program at tc egress of %s: %s; hosts may learn the NIC's MAC from the kernel's ARP; "
			 "the "
			 "kernel needs CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS",
			 r->conf->name, r->iface->name, strerror(-err));
	return 0;
}

int vr_place(struct vr *r)
{
	int err = 0;
	size_t i;

	for (i = 0; !err && i < r->nvips; i++)
		err = vr_vip_place(r, &r->vips[i], true);
	if (!err && own_group(r))
		err = place_group(r, true);
	if (!err && !r->conf->unicast && (r->cfg.family == 6 || own_group(r)))
		err = tx_join(r->iface->tx, r->cfg.family, &r->cfg.group);
	if (!err && r->conf->unicast && r->cfg.family == 6)
		err = tx_open6(r->iface->tx);
	if (!err && r->conf->use_vmac && !r->mac_in)
		err = open_vmac(r);
	if (!err) /* RX-3: the interface has routers of this family */
		err = dp_index_set(r->all->dp, &r->cfg, 0, dp_if_row(r->all->dp, r->iface->row));
	if (!err)
		err = dp_index_set(r->all->dp, &r->cfg, r->conf->vrid, r->slot);
	r->placed = !err;
	return err;
}

void vr_unplace(struct vr *r)
{
	size_t i;

	for (i = 0; i < r->nvips; i++)
		vr_vip_place(r, &r->vips[i], false);
	if (r->mac_in)
		tx_mac(r->iface->tx, r->mac, false);
	r->mac_in = false;
	if (!r->placed)
		return;
	if (own_group(r))
		place_group(r, false);
	dp_index_del(r->all->dp, &r->cfg, r->cfg.vrid);
	r->placed = false;
}

/* ---- interfaces ---- */

static int free_row(const struct vrs *v)
{
	uint32_t row;
	size_t i;

	for (row = 0; row < v->sizes.ifs; row++) {
		for (i = 0; i < v->nifs && v->ifs[i]->row != (int)row; i++)
			;
		if (i == v->nifs)
			return row;
	}
	return -1;
}

static int enter(struct vr_if *f)
{
	int err = dp_counters_clear(f->all->dp, dp_if_row(f->all->dp, f->row));
	size_t i, k;

	for (i = 0; i < f->naddrs; i++)
		vr_if_own_addr(f, &f->addrs[i]);
	for (i = 0; i < f->all->nvr; i++) {
		struct vr *r = f->all->vr[i];

		for (k = 0; !err && k < r->nvips; k++)
			if (r->vips[k].dev == f)
				err = vr_vip_place(r, &r->vips[k], true);
			else if (r->vips[k].away)
				err = place_away(r, &r->vips[k], f);
	}
	return err;
}

int vrs_watch_routes(struct vrs *v)
{
	bool routes = v->conf->nstatic_routes, rules = v->conf->nstatic_rules, tc = false;
	size_t i;
	int err;

	for (i = 0; i < v->nvr; i++) {
		routes |= v->vr[i]->nroutes > 0;
		rules |= v->vr[i]->nrules > 0;
		tc |= v->vr[i]->conf->use_vmac;
	}
	err = nl_watch_tc(v->nl, tc);
	return err ? err : nl_watch_routes(v->nl, routes, rules);
}

int vrs_watch_events(struct vrs *v)
{
	int err;

	v->dp_io = (struct loop_io){ .fd = dp_events_fd(v->dp), .prio = LOOP_EVENTS, .fn = vrs_on_dp, .arg = v };
	err = loop_add(v->loop, &v->dp_io, EPOLLIN);
	if (err)
		log_err("cannot watch the data plane's events: %s", strerror(-err));
	return err ? 1 : 0;
}

int vrs_guard(struct vrs *v)
{
	int err = ward_watch(dp_role_fd(v->dp), v->sizes.vrs, v->sizes.vrs + v->sizes.peers);

	if (err)
		log_err("the guardian cannot be given the virtual routers: %s", strerror(-err));
	return err ? 1 : 0;
}

int vrs_dp_ready(struct vrs *v)
{
	size_t i;
	int err;

	if (vrs_guard(v))
		return 1;
	for (i = 0; i < v->nvr; i++) {
		err = dp_watch_init(v->dp, v->vr[i]->slot);
		if (err) {
			log_err("%s: the kernel makes no timer: %s; try again, or run fewer virtual routers",
				v->vr[i]->conf->name, strerror(-err));
			return 1;
		}
		err = vr_peers_place(v->vr[i], true);
		if (err) {
			log_err("%s: cannot fill the BPF maps: %s", v->vr[i]->conf->name, strerror(-err));
			return 1;
		}
	}
	return vrs_watch_events(v);
}

static int cannot(struct vr_if *f, const char *why)
{
	f->cannot = why;
	return 1;
}

/* The XDP program onto @f. 0, or 1 (said). */
static int attach(struct vr_if *f)
{
	static const enum dp_mode modes[] = {
		[CONF_MODE_AUTO] = DP_MODE_AUTO,
		[CONF_MODE_NATIVE] = DP_MODE_NATIVE,
		[CONF_MODE_SKB] = DP_MODE_SKB,
	};
	char why[DP_ERR_LEN];

	if (!dp_attach(f->all->dp, f->ifindex, f->name, f->kind, modes[f->all->conf->mode], &f->attachment, why))
		return 0;
	log_err("%s", why);
	dp_detach(f->all->dp, f->ifindex); /* it may have failed behind the attachment */
	return 1;
}

/* What an interface has beside the program. 0, or 1 (said). */
static int open_rest(struct vr_if *f, bool first)
{
	int err = tx_new(&f->tx, f->ifindex, f->name);

	if (err)
		log_err("%s: cannot open the packet sockets: %s", f->name, strerror(-err));
	f->open = true;
	if (err || (first && vrs_dp_ready(f->all)))
		return 1;
	err = enter(f);
	if (err)
		log_err("%s: cannot fill the BPF maps: %s", f->name, strerror(-err));
	return err ? 1 : 0;
}

void vr_if_check_tags(struct vr_if *f)
{
	bool hidden = nl_has_vlans(f->all->nl, f->ifindex) && nic_hides_tags(f->name) > 0;

	if (hidden && !f->tags_hidden)
		log_warn("%s: rx-vlan-offload takes VLAN tags out of frames before XDP sees them: adverts of a VLAN "
			 "look untagged; turn it off with `ethtool -K %s rxvlan off`",
			 f->name, f->name);
	f->tags_hidden = hidden;
}

static void say_open(struct vr_if *f)
{
	if (f->lower)
		log_info("%s: frames with VLAN tag %u are looked at on %s", f->name, f->vlan, f->lower->name);
	else
		log_info("%s: XDP attached in %s mode: %s%s", f->name,
			 f->attachment.mode == DP_MODE_NATIVE ? "native" : "generic", f->attachment.why,
			 f->attachment.shared ? "; shared through libxdp's dispatcher" : "");
}

/* The VLAN devices on @f whose tagged frames it looks at may be there already. */
static int open_uppers(const struct vr_if *f)
{
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < f->all->nifs; i++) {
		struct vr_if *upper = f->all->ifs[i];

		if (upper->lower == f && upper->present && upper->carries && !upper->open)
			rc = vr_if_open(upper);
	}
	return rc;
}

int vr_if_open(struct vr_if *f)
{
	bool first = !dp_loaded(f->all->dp);

	ward_rest(); /* a driver may take seconds to be given a program */
	if (!f->ethernet)
		return cannot(f, "not an Ethernet interface; VRRP needs one");
	if (f->lower && !f->lower->open) { /* its turn comes when that one has had it, see open_uppers() */
		f->cannot = f->lower->present ? f->lower->cannot : "the interface below it is not there";
		return 0;
	}
	f->row = free_row(f->all);
	if (f->row < 0) {
		log_err("%s: the tables made at the start have no room for another interface; restart vrrp-xdp",
			f->name);
		return cannot(f, "no room for another interface; restart vrrp-xdp");
	}
	if (!f->lower && attach(f)) {
		f->row = -1;
		return cannot(f, "the XDP program could not be attached");
	}
	if (open_rest(f, first)) {
		vr_if_close(f);
		return cannot(f, "its sockets or maps could not be set up");
	}
	f->cannot = NULL;
	say_open(f);
	vr_if_check_tags(f);
	return open_uppers(f);
}

/* The VIPs of other interfaces, after @f was closed. */
static void forget_away(const struct vr_if *f)
{
	size_t i, k;

	for (i = 0; i < f->all->nvr; i++) {
		struct vr *r = f->all->vr[i];

		for (k = 0; k < r->nvips; k++)
			if (r->vips[k].away)
				place_away(r, &r->vips[k], f);
	}
}

static void forget_index(const struct vr_if *f)
{
	struct vx_vr_config key = { .family = 4 };
	struct dp_addr at;

	vr_if_key(f, &at);
	key.ifindex = at.ifindex;
	key.vlan = at.vlan;
	dp_index_del(f->all->dp, &key, 0);
	key.family = 6;
	dp_index_del(f->all->dp, &key, 0);
}

void vr_if_close(struct vr_if *f)
{
	struct nl_addr gone;
	size_t i, k;

	if (!f->open)
		return;
	ward_rest(); /* ... and to have it taken away */
	for (i = 0; i < f->all->nifs; i++)
		if (f->all->ifs[i]->lower == f)
			vr_if_close(f->all->ifs[i]);
	for (i = 0; i < f->all->nvr; i++) {
		struct vr *r = f->all->vr[i];

		if (r->iface == f)
			vr_unplace(r);
		for (k = 0; k < r->nvips; k++)
			if (r->vips[k].at == f)
				vr_vip_place(r, &r->vips[k], false);
	}
	for (i = 0; i < f->naddrs; i++) {
		gone = f->addrs[i];
		gone.gone = true;
		vr_if_own_addr(f, &gone);
	}
	forget_index(f);
	if (!f->lower)
		dp_detach(f->all->dp, f->ifindex);
	timer_cancel(&f->all->loop->timers, &f->pace_timer);
	tx_free(f->tx);
	f->tx = NULL;
	f->open = false;
	forget_away(f);
	f->row = -1;
	vr_xdp_forget(f);
}
