// SPDX-License-Identifier: GPL-2.0-or-later
/* What the virtual routers make of the news of route netlink, and whether each can work (FSM-12, KA-14). */
#include "vr_int.h"

#include "arp.h"
#include "log.h"
#include "ward.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_LOOK_NS  (20 * VX_NS_PER_MS)
#define RESYNC_AGAIN_NS VX_NS_PER_S

enum {
	READS_MAX = 100,
	IP6_MTU_MIN = 1280, /* RFC 8200 5 */
};

struct vr_if *vrs_if(const struct vrs *v, const char *name)
{
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (!strcmp(v->ifs[i]->name, name))
			return v->ifs[i];
	return NULL;
}

static struct vr_if *if_find(const struct vrs *v, int ifindex)
{
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (v->ifs[i]->ifindex == ifindex)
			return v->ifs[i];
	return NULL;
}

/* ---- which VIP an address is ---- */

static size_t vip_hash(const struct vrs *v, const struct vr_if *f, const struct conf_addr *a)
{
	uint64_t w[2], h = (uintptr_t)f ^ a->family;
	int i;

	memcpy(w, a->b, sizeof(w));
	for (i = 0; i < 2; i++) {
		h = (h ^ w[i]) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 32;
	}
	return h & (v->cap_index - 1);
}

/* Where @addr is, or would be. */
static struct vr_at *vip_slot(const struct vrs *v, const struct vr_if *f, const struct conf_addr *addr)
{
	size_t i = vip_hash(v, f, addr);
	struct vr_at *at = &v->vip_index[i];

	while (at->vr && !(at->vip->dev == f && conf_addr_eq(&at->vip->conf->addr, addr))) {
		i = (i + 1) & (v->cap_index - 1);
		at = &v->vip_index[i];
	}
	return at;
}

int vrs_reserve_index(struct vrs *v, size_t nvips)
{
	size_t cap = 16;
	struct vr_at *more;

	while (cap < 2 * nvips) /* half empty at least */
		cap *= 2;
	if (cap <= v->cap_index)
		return 0;
	more = realloc(v->vip_index, cap * sizeof(*more));
	if (!more)
		return -ENOMEM;
	v->vip_index = more;
	v->cap_index = cap;
	v->index_stale = true;
	return 0;
}

/* Of two that have the same the first one counts. */
static void build_index(struct vrs *v)
{
	struct vr_at *at;
	size_t i, k;

	memset(v->vip_index, 0, v->cap_index * sizeof(*v->vip_index));
	for (i = 0; i < v->nvr; i++) {
		struct vr *r = v->vr[i];

		for (k = 0; k < r->nvips; k++) {
			at = vip_slot(v, r->vips[k].dev, &r->vips[k].conf->addr);
			if (!at->vr)
				*at = (struct vr_at){ .vr = r, .vip = &r->vips[k] };
		}
	}
	v->index_stale = false;
}

/* Thousands of addresses are told of at once, so none is searched for. NULL: no VIP. */
static struct vr_vip *vip_find(struct vrs *v, const struct vr_if *f, const struct conf_addr *addr, struct vr **owner)
{
	struct vr_at *at;

	if (v->index_stale)
		build_index(v);
	at = vip_slot(v, f, addr);
	*owner = at->vr;
	return at->vip;
}

/*
 * Whether adverts can come from @a: of the router's family, and of IPv6 link-local (RFC 9568 5.1.2.1) but for unicast peers elsewhere, that
 * would not know which link is meant. One that the kernel still tests for duplicates is not ours yet (RFC 4862 5.4).
 */
static bool is_source(const struct vr *r, const struct nl_addr *a)
{
	const struct conf_vr *c = r->conf;

	if (a->addr.family != c->family || a->tentative)
		return false;
	return c->family == 4 ||
	       conf_addr_link_local(&a->addr) == (!c->unicast || conf_addr_link_local(&c->peers[0].addr));
}

/* The primary address: what was configured, else the first on the interface that is no VIP (WF-11). None: 0. */
static struct vx_addr source_of(const struct vr *r)
{
	const struct vr_if *f = r->iface;
	const struct nl_addr *any = NULL;
	size_t i;

	if (r->conf->src.family)
		return vr_conf_addr(&r->conf->src);
	for (i = 0; i < f->naddrs; i++) {
		const struct nl_addr *a = &f->addrs[i];

		if (!is_source(r, a))
			continue;
		if (!a->secondary)
			return vr_conf_addr(&a->addr);
		if (!any)
			any = a;
	}
	return any ? vr_conf_addr(&any->addr) : (struct vx_addr){ 0 };
}

static bool on_interface(const struct vr *r, const struct vx_addr *addr)
{
	const struct vr_if *f = r->iface;
	struct vx_addr a;
	size_t i;

	for (i = 0; i < f->naddrs; i++) {
		a = vr_conf_addr(&f->addrs[i].addr);
		if (f->addrs[i].addr.family == r->conf->family && vx_addr_eq(&a, addr))
			return true;
	}
	return false;
}

static const char *no_source(const struct vr *r)
{
	if (r->conf->family == 4)
		return "the interface has no IPv4 address besides the virtual ones";
	return r->conf->unicast ? "the interface has no IPv6 address of its peers' scope besides the virtual ones"
				: "the interface has no IPv6 link-local address besides the virtual ones";
}

struct vr_if *vr_if_xdp(struct vr_if *f)
{
	return f->lower ? f->lower : f;
}

void vr_if_key(const struct vr_if *f, struct dp_addr *a)
{
	a->ifindex = f->lower ? f->lower->ifindex : f->ifindex;
	a->vlan = f->lower ? f->vlan : 0;
}

/* ---- whether a router can work ---- */

static const char *interface_hold(const struct vr *r, const struct vx_addr *src)
{
	struct vr_if *f = r->iface, *xdp = vr_if_xdp(f);

	if (!f->present)
		return "the interface is gone";
	if (!f->up && !r->conf->dont_track_primary)
		return "link down";
	if (f->lower && !f->lower->present) /* renamed or moved away, which a VLAN device survives */
		return "the interface below it is gone";
	if (f->lower && (f->link_vlan != f->vlan || f->link_ifindex != f->lower->ifindex))
		return "the interface is not the VLAN device of that id on its parent";
	if (!f->open)
		return f->cannot ? f->cannot : "the interface could not be opened";
	if (xdp->xdp_gone[0])
		return xdp->xdp_gone;
	/* there the kernel has classified a frame before XDP sees it, and does not look again */
	if (r->conf->use_vmac && xdp->attachment.mode == DP_MODE_NATIVE && !strcmp(xdp->kind, "veth"))
		return "veth takes frames to the virtual MAC in generic mode only; run with --mode auto or skb";
	if (r->conf->family == 6 && f->mtu && f->mtu < IP6_MTU_MIN)
		return "the interface's MTU is below 1280, so the kernel has no IPv6 there";
	if (vx_addr_none(src))
		return no_source(r);
	if (r->conf->nvips && !vr_fits(r))
		return "the interface's MTU is too small for an advert";
	/* a unicast peer's adverts would not reach us there, and a deaf Backup takes over */
	if ((r->conf->unicast || r->conf->track_src_ip) && !on_interface(r, src))
		return "the source address is not on the interface";
	return NULL;
}

/*
 * A switch's port can be up and yet pass nothing for seconds: who hears nobody there must not take the silence for an Active Router's. The
 * first frame of any kind ends that.
 */
static const char *settle_hold(const struct vr *r)
{
	struct vr_if *f = r->iface;
	uint64_t now_ns = loop_now_ns();

	if (!f->up || f->heard || now_ns - f->up_ns >= r->conf->link_settle_ns)
		return NULL;
	if (!f->settle_timer.index)
		timer_arm(&r->all->loop->timers, &f->settle_timer, now_ns + SETTLE_LOOK_NS);
	return "the link is up and has delivered nothing yet (xdp_link_settle)";
}

/* Interfaces of VIPs are watched like the router's own (spec 3.1). */
static const char *vips_hold(const struct vr *r)
{
	const struct vr_vip *vip;

	for (vip = r->vips; vip < r->vips + r->nvips; vip++)
		if (vip->dev != r->iface && !(vip->conf->flags & CONF_VIP_NO_TRACK) && !vip->dev->up)
			return "the interface of a virtual address is down or gone";
	for (vip = r->vips; vip < r->vips + r->nvips; vip++)
		if (vr_if_xdp(vip->dev)->xdp_gone[0])
			return "the XDP program is not on the interface of a virtual address";
	return NULL;
}

static bool is_down(const struct vrs *v, const char *dev)
{
	const struct vr_if *f = dev[0] ? vrs_if(v, dev) : NULL;

	return f && !f->up;
}

/* ... and those of its routes and rules. */
static const char *routes_hold(const struct vr *r)
{
	const struct conf_vr *c = r->conf;
	bool down = false;
	size_t i, k;

	for (i = 0; i < c->nroutes; i++)
		for (k = 0; !c->routes[i].no_track && k < c->routes[i].nhops; k++)
			down |= strcmp(c->routes[i].hops[k].dev, c->ifname) &&
				is_down(r->all, c->routes[i].hops[k].dev);
	for (i = 0; i < c->nrules; i++)
		down |= !c->rules[i].no_track &&
			((strcmp(c->rules[i].iif, c->ifname) && is_down(r->all, c->rules[i].iif)) ||
			 (strcmp(c->rules[i].oif, c->ifname) && is_down(r->all, c->rules[i].oif)));
	return down ? "the interface of a virtual route or rule is down or gone" : NULL;
}

static bool in_track_group(const struct vr *r, const char *name)
{
	const struct conf *c = r->all->conf;
	size_t i, k;

	for (i = 0; name && i < c->ntrack_groups; i++)
		for (k = 0; !strcmp(c->track_groups[i].name, name) && k < c->track_groups[i].nmembers; k++)
			if (&c->vrs[c->track_groups[i].members[k]] == r->conf)
				return true;
	return false;
}

/* Static entries whose track_group names the router are as good as its own: their interfaces have to be up. */
static const char *statics_hold(const struct vr *r)
{
	const struct conf *c = r->all->conf;
	bool down = false;
	size_t i, k;

	for (i = 0; i < c->nstatic_addrs; i++)
		down |= in_track_group(r, c->static_addrs[i].track_group) && is_down(r->all, c->static_addrs[i].dev);
	for (i = 0; i < c->nstatic_routes; i++)
		for (k = 0; in_track_group(r, c->static_routes[i].track_group) && k < c->static_routes[i].nhops; k++)
			down |= is_down(r->all, c->static_routes[i].hops[k].dev);
	for (i = 0; i < c->nstatic_rules; i++)
		down |= in_track_group(r, c->static_rules[i].track_group) &&
			(is_down(r->all, c->static_rules[i].iif) || is_down(r->all, c->static_rules[i].oif));
	return down ? "the interface of a static entry of its track_group is down" : NULL;
}

static const char *own_hold(struct vr *r, const struct vx_addr *src, bool *quiet)
{
	const char *hold, *tracked;

	tracked = vr_tracked(r, quiet);
	if (r->drained) {
		*quiet = false;
		return "drained";
	}
	hold = r->conf->unicast_fault_no_peer && !r->conf->npeers ? "unicast_fault_no_peer, and there is no peer"
								  : interface_hold(r, src);
	if (!hold)
		hold = vips_hold(r);
	if (!hold)
		hold = routes_hold(r);
	if (!hold && r->all->conf->ntrack_groups)
		hold = statics_hold(r);
	if (hold) {
		*quiet = false;
		return hold;
	}
	if (tracked && !*quiet)
		return tracked;
	hold = settle_hold(r);
	if (hold) {
		*quiet = true;
		return hold;
	}
	if (r->all->delay_until_ns) {
		*quiet = true;
		return "vrrp_startup_delay";
	}
	return tracked;
}

/* A member in Initialize keeps all of its group there (KA-26). */
static const char *group_hold(const struct vr *r, bool *quiet)
{
	bool held = false;
	size_t i;

	*quiet = r->own_quiet;
	if (r->own_hold || !r->group)
		return r->own_hold;
	*quiet = true;
	for (i = 0; i < r->group->n && *quiet; i++) {
		const struct vr *m = r->group->members[i];

		held |= m->own_hold != NULL;
		*quiet = !m->own_hold || m->own_quiet; /* one fault is enough */
	}
	return held ? "another member of the sync group cannot work" : NULL;
}

static void set_hold(struct vr *r, const char *hold, bool quiet, uint64_t now_ns)
{
	bool was_quiet = r->quiet, held = r->hold;

	if (hold && r->fsm.state == FSM_INITIALIZE && !r->all->adopting && (r->hold != hold || was_quiet != quiet)) {
		log_info("%s: Initialize: %s", r->conf->name, hold);
		if (!quiet && (!held || was_quiet))
			log_info("(%s) Entering FAULT STATE", r->conf->name);
	}
	r->all->news |= r->hold != hold || r->quiet != quiet;
	r->hold = hold;
	r->quiet = quiet;
	if (hold) {
		r->twice |= r->fsm.state == FSM_ACTIVE && hold == r->own_hold; /* KA-15 */
		vr_step(r, FSM_EV_SHUTDOWN, now_ns);
	} else if (r->fsm.state == FSM_INITIALIZE) {
		vr_step(r, FSM_EV_STARTUP, now_ns);
	}
}

static void take_source(struct vr *r, const struct vx_addr *src)
{
	struct dp_addr a = { .family = r->conf->family, .addr = r->fsm.src, .flag = VX_ADDR_OWN };

	vr_if_key(r->iface, &a);
	/* a configured source need not be an address of the interface */
	if (!vx_addr_none(&r->fsm.src) && !on_interface(r, &r->fsm.src))
		dp_addr_set(r->all->dp, &a, false);
	a.addr = r->fsm.src = *src;
	dp_addr_set(r->all->dp, &a, true);
	if (vr_build(r) || vr_place(r) || vr_peers_place(r, true))
		log_err("%s: cannot write the configuration map", r->conf->name);
	if (r->fsm.state == FSM_ACTIVE) { /* another MAC: hosts have to be told */
		r->pending |= FSM_ACT_ANNOUNCE;
		vr_mark(r);
	}
}

/* Whether frames and maps were built with other MACs than the interfaces have now; one of a VIP may not have been there. */
static bool other_macs(const struct vr *r)
{
	const struct vr_vip *vip;

	if (memcmp(r->nic, r->iface->mac, sizeof(r->nic)))
		return true;
	for (vip = r->vips; vip < r->vips + r->nvips; vip++)
		if (vip->dev->ethernet &&
		    (!vip->frame_len || memcmp(((const struct vx_eth *)vip->frame)->src, vr_vip_mac(r, vip), 6)))
			return true;
	return false;
}

/*
 * WF-4: an advert that is longer than the MTU would never leave. What it does not hold is as if excluded, in the order of the configuration: the
 * other side, with the same MTU and the same file, leaves out the same.
 */
static void fit_advert(struct vr *r)
{
	size_t n = vr_fits(r), all = r->conf->nvips;

	if (n != r->nadvertised) {
		vr_set_advertised(r, n);
		vr_configure(r);
		if (r->placed && vr_build(r))
			log_err("%s: cannot write the configuration map", r->conf->name);
	}
	if (n == all || n == r->said_advertised) {
		r->said_advertised = n == all ? 0 : n;
		return;
	}
	r->said_advertised = n;
	log_warn("%s: at the MTU of %s, %u, an advert holds %zu of the %zu virtual addresses; the other %zu count as "
		 "virtual_ipaddress_excluded",
		 r->conf->name, r->iface->name, r->iface->mtu, n, all, all - n);
}

static void look(struct vr *r)
{
	struct vx_addr src = source_of(r);

	r->own_quiet = false;
	r->own_hold = own_hold(r, &src, &r->own_quiet);
}

static void follow_one(struct vr *r, uint64_t now_ns)
{
	struct vx_addr src = source_of(r);
	const char *hold;
	bool quiet;

	fit_advert(r);
	look(r);
	hold = group_hold(r, &quiet);
	if (!hold && (!vx_addr_eq(&src, &r->fsm.src) || other_macs(r) || !r->placed))
		take_source(r, &src);
	else if (!r->placed && r->iface->open && (vr_build(r) || vr_place(r))) /* RX-36: counted as its own */
		log_err("%s: cannot write the configuration map", r->conf->name);
	set_hold(r, hold, quiet, now_ns);
}

/* Half of the truth is not told. */
static bool deaf(const struct vrs *v)
{
	return v->resync || v->stopping || v->reloading || !v->start_ns;
}

void vr_follow(struct vr *r, uint64_t now_ns)
{
	bool held = r->own_hold, quiet = r->own_quiet, changed;
	size_t i;

	if (deaf(r->all))
		return;
	ward_alive(loop_now_ns()); /* there may be thousands to look at */
	follow_one(r, now_ns);
	changed = held != !!r->own_hold || quiet != r->own_quiet;
	for (i = 0; r->group && changed && i < r->group->n; i++)
		if (r->group->members[i] != r)
			follow_one(r->group->members[i], now_ns);
}

void vrs_follow_all(struct vrs *v)
{
	uint64_t now_ns = loop_now_ns();
	size_t i;

	if (deaf(v))
		return;
	for (i = 0; i < v->nvr; i++) /* first all, or the first member of a group acts on what the others were */
		look(v->vr[i]);
	for (i = 0; i < v->nvr; i++)
		vr_follow(v->vr[i], now_ns);
}

/* "eth0", "eth0/51", or the name of the instance; "": all. */
static bool is_named(const struct vr *r, const char *which)
{
	char text[IFNAMSIZ + 8];

	snprintf(text, sizeof(text), "%s/%u", r->iface->name, r->conf->vrid);
	return !which[0] || !strcmp(which, r->iface->name) || !strcmp(which, text) || !strcmp(which, r->conf->name);
}

void vrs_drain(struct vrs *v, const char *which, bool away, void (*each)(void *arg, const struct vr *r), void *arg)
{
	size_t i;

	for (i = 0; i < v->nvr; i++) {
		if (!is_named(v->vr[i], which))
			continue;
		each(arg, v->vr[i]);
		v->vr[i]->drained = away;
	}
	vrs_follow_all(v);
}

static bool tracks_if(const struct vr *r, const struct vr_if *f)
{
	size_t i;

	if (r->iface == f || r->iface->lower == f || r->all->conf->ntrack_groups)
		return true;
	for (i = 0; i < r->nvips; i++)
		if (r->vips[i].dev == f || r->vips[i].dev->lower == f)
			return true;
	for (i = 0; i < r->conf->tracks.nifs; i++)
		if (!strcmp(r->conf->tracks.ifs[i].ifname, f->name))
			return true;
	if (r->nroutes || r->nrules) /* one of them may name it; looking costs little */
		return true;
	return false;
}

static void follow_if(struct vrs *v, const struct vr_if *f)
{
	uint64_t now_ns = loop_now_ns();
	size_t i;

	log_hold();
	for (i = 0; i < v->nvr; i++)
		if (tracks_if(v->vr[i], f))
			vr_follow(v->vr[i], now_ns);
	log_release();
}

/* ---- links ---- */

/*
 * The kernel tells of a carrier late, and not at all of one that is back within a second. Another router may have been Active
 * meanwhile and yielded to our adverts without a word, so hosts and switches have to be told anew.
 */
static void announce_all(struct vrs *v, const struct vr_if *f)
{
	size_t i;

	for (i = 0; f->up && i < v->nvr; i++) {
		if ((v->vr[i]->iface == f || v->vr[i]->iface->lower == f) && v->vr[i]->fsm.state == FSM_ACTIVE) {
			v->vr[i]->pending |= FSM_ACT_ANNOUNCE;
			vr_mark(v->vr[i]);
		}
	}
}

/* A renamed interface keeps its addresses, and without us the kernel would go on answering for them (invariant 1). */
static void take_off(struct vrs *v, const struct vr_vip *vip, const char *ifname)
{
	struct conf_vip there = *vip->conf;
	struct nl_change c = { .addr = &there, .del = true }, route = { .addr = &there, .local = true, .del = true };
	char text[46];

	memcpy(there.dev, ifname, sizeof(there.dev));
	if (vip->served)
		nl_commit(v->nl, &route, 1);
	if (nl_commit(v->nl, &c, 1) || c.err)
		log_err("cannot remove %s/%u from %s, which was renamed: %s",
			conf_addr_str(&there.addr, text, sizeof(text)), there.plen, ifname, strerror(-c.err));
}

/* Behind each news of the carrier. At the start what has come in before counts: then the link has been up for long. */
static void note_up(struct vr_if *f)
{
	if (!f->up || !f->present) {
		f->up_ns = 0;
		f->heard = false;
	} else if (!f->up_ns) {
		f->up_ns = loop_now_ns();
		f->rx_packets_up = f->all->start_ns ? f->rx_packets : 0;
	}
	f->heard |= f->up && f->rx_packets > f->rx_packets_up;
}

/* The interface has gone, or is now called @new_name; one that gets its name later is another one, with another index. */
static void if_gone(struct vrs *v, struct vr_if *f, const char *new_name)
{
	size_t i, k;

	f->present = f->up = false;
	note_up(f);
	for (i = 0; i < v->nvr; i++) {
		for (k = 0; k < v->vr[i]->nvips; k++) {
			struct vr_vip *vip = &v->vr[i]->vips[k];

			if (vip->dev == f && new_name && (vip->installed || v->vr[i]->fsm.state == FSM_ACTIVE))
				take_off(v, vip, new_name);
			vip->installed &= vip->dev != f;
			vip->served &= vip->dev != f;
		}
	}
	follow_if(v, f);
	vrs_flush(v, loop_now_ns());
	vr_if_close(f);
	f->naddrs = 0;
	f->ifindex = 0;
}

/* interface_up_down_delays: what does not last that long has not happened. */
static void take_carrier(struct vr_if *f, bool up)
{
	uint64_t delay_ns = up ? f->up_delay_ns : f->down_delay_ns;

	timer_cancel(&f->all->loop->timers, &f->updown_timer);
	if (f->up == up || !delay_ns || !f->all->start_ns || f->all->reloading) {
		f->up = up;
		return;
	}
	timer_arm(&f->all->loop->timers, &f->updown_timer, loop_now_ns() + delay_ns);
}

void vr_if_on_updown(void *arg, uint64_t now_ns)
{
	struct vr_if *f = arg;

	(void)now_ns;
	f->up = !f->up;
	note_up(f);
	follow_if(f->all, f);
}

void vr_if_on_settle(void *arg, uint64_t now_ns)
{
	struct vr_if *f = arg;

	(void)now_ns;
	nl_link_read(f->all->nl, f->ifindex);
	follow_if(f->all, f);
}

static void note_link(struct vr_if *f, const struct nl_link *l)
{
	f->ifindex = l->ifindex;
	f->present = true;
	f->ethernet = l->ethernet;
	f->loopback = l->loopback;
	f->link_ifindex = l->lower;
	f->link_vlan = l->vlan;
	f->rx_packets = l->rx_packets;
	f->mtu = l->mtu;
	take_carrier(f, l->up);
	note_up(f);
	memcpy(f->mac, l->mac, sizeof(f->mac));
	memcpy(f->kind, l->kind, sizeof(f->kind));
}

/* There is a VLAN device on top of @f, if that is an interface of ours. */
static void note_upper(struct vr_if *f)
{
	if (f && f->open)
		vr_if_check_tags(f);
}

void vrs_on_link(void *arg, const struct nl_link *l)
{
	struct vrs *v = arg;
	struct vr_if *f = if_find(v, l->ifindex);
	bool started = v->start_ns;

	if (l->vlan && l->lower && !l->gone)
		note_upper(if_find(v, l->lower));
	if (f && (l->gone || strcmp(f->name, l->name))) { /* deleted, moved to another namespace, or renamed */
		if (started)
			if_gone(v, f, l->gone ? NULL : l->name);
		f = NULL;
	}
	if (l->gone)
		return;
	if (!f)
		f = vrs_if(v, l->name);
	if (!f)
		return;
	if (started && f->ifindex && f->ifindex != l->ifindex) /* made anew, and the news of its end were lost */
		if_gone(v, f, NULL);
	v->reread |= started && !f->present && !v->resync;
	note_link(f, l);
	if (started && !v->reloading && f->carries && !f->open && f->present && !vr_if_open(f) && f->open)
		log_info("%s: the interface is there", f->name);
	vr_xdp_on_link(f, l->xdp_id);
	if (started && l->carrier_changes != f->carrier_changes)
		announce_all(v, f);
	f->carrier_changes = l->carrier_changes;
	if (started)
		follow_if(v, f);
}

/* ---- addresses ---- */

void vr_addr_note(struct vr_if *f, const struct nl_addr *a)
{
	struct nl_addr *more;
	size_t i;

	for (i = 0; i < f->naddrs && !conf_addr_eq(&f->addrs[i].addr, &a->addr); i++)
		;
	if (a->gone) {
		if (i < f->naddrs)
			memmove(&f->addrs[i], &f->addrs[i + 1], (--f->naddrs - i) * sizeof(*f->addrs));
		return;
	}
	if (i == f->naddrs) {
		if (f->naddrs == f->cap_addrs) {
			more = realloc(f->addrs, (f->cap_addrs * 2 + 8) * sizeof(*more));
			if (!more)
				return;
			f->addrs = more;
			f->cap_addrs = f->cap_addrs * 2 + 8;
		}
		f->naddrs++;
	}
	f->addrs[i] = *a;
}

static void on_vip(struct vrs *v, struct vr *owner, struct vr_vip *vip, const struct nl_addr *a)
{
	size_t i;

	if (!v->start_ns) {                /* a leftover of a killed controller (KA-16) */
		vip->installed = !a->gone; /* gone: our own clearing away */
		vip->found_plen = a->plen;
		return;
	}
	if (v->resync && !a->gone)
		vip->installed = true;
	vip->told = !a->gone;
	if (vip->told && vip->installed && vip->served && owner->fsm.state == FSM_ACTIVE) { /* not needed any longer */
		owner->repair = true;
		vr_mark(owner);
	}
	if (!a->gone || owner->fsm.state != FSM_ACTIVE || !vip->installed || vip->conf->flags & CONF_VIP_NO_TRACK)
		return;
	/* Our own removal of one VIP takes others with it that the kernel made its secondaries. */
	if (!a->own && !owner->ngone++) {
		owner->gone = *vip->conf;
		owner->gone.plen = a->plen;
	}
	if (!a->own)
		vrs_note_burst(v);
	vip->installed = false;
	if (owner->work && (size_t)(vip - owner->vips) < owner->work_at)
		owner->work_at = vip - owner->vips;
	for (i = 0; i < owner->nroutes; i++) /* those that prefer it as source go with it, and nobody says so */
		owner->routes[i].installed = false;
	owner->repair = true;
	vr_mark(owner);
}

void vrs_on_addr(void *arg, const struct nl_addr *a)
{
	struct vrs *v = arg;
	struct vr_if *f = if_find(v, a->ifindex);
	struct vr *owner = NULL;
	struct vr_vip *vip;

	if (!f)
		return;
	vip = vip_find(v, f, &a->addr, &owner);
	if (vip) {
		on_vip(v, owner, vip, a);
		return;
	}
	vr_addr_note(f, a);
	if (v->start_ns) {
		vr_if_own_addr(f, a);
		follow_if(v, f);
	}
}

/* ---- routes and rules ---- */

/* A static entry that somebody removed is put back, as keepalived does. */
static void static_gone(struct vrs *v, const struct nl_route_key *route, const struct nl_rule_key *rule)
{
	const struct conf *c = v->conf;
	bool *routes = v->statics + c->nstatic_addrs, *rules = routes + c->nstatic_routes;
	bool any = false;
	size_t i;

	for (i = 0; route && i < c->nstatic_routes; i++) {
		if (routes[i] && nl_is_route(v->nl, route, &c->static_routes[i])) {
			log_warn("static route \"%s\" has gone; put back", c->static_routes[i].text);
			routes[i] = false;
			any = true;
		}
	}
	for (i = 0; rule && i < c->nstatic_rules; i++) {
		if (rules[i] && nl_is_rule(rule, &c->static_rules[i])) {
			log_warn("somebody removed the static rule \"%s\"; put back", c->static_rules[i].text);
			rules[i] = false;
			any = true;
		}
	}
	if (any && v->start_ns && !v->stopping && !v->reloading)
		vrs_statics(v, c, v->statics, false);
}

void vrs_on_route_gone(void *arg, const struct nl_route_key *k)
{
	struct vrs *v = arg;
	size_t i, n;

	if (!k->own)
		static_gone(v, k, NULL);

	for (i = 0; i < v->nvr && !k->own; i++) {
		struct vr *r = v->vr[i];

		for (n = 0; n < r->nroutes && r->fsm.state == FSM_ACTIVE; n++) {
			if (!r->routes[n].installed || r->routes[n].conf->no_track ||
			    !nl_is_route(v->nl, k, r->routes[n].conf))
				continue;
			log_warn("%s: route \"%s\" has gone; put back", r->conf->name, r->routes[n].conf->text);
			r->routes[n].installed = false;
			r->repair = true;
			vr_mark(r);
		}
	}
}

void vrs_on_rule_gone(void *arg, const struct nl_rule_key *k)
{
	struct vrs *v = arg;
	size_t i, n;

	if (!k->own)
		static_gone(v, NULL, k);

	for (i = 0; i < v->nvr && !k->own; i++) {
		struct vr *r = v->vr[i];

		for (n = 0; n < r->nrules && r->fsm.state == FSM_ACTIVE; n++) {
			if (!r->rules[n].installed || r->rules[n].conf->no_track || !nl_is_rule(k, r->rules[n].conf))
				continue;
			log_warn("%s: somebody removed the rule \"%s\"; put back", r->conf->name,
				 r->rules[n].conf->text);
			r->rules[n].installed = false;
			r->repair = true;
			vr_mark(r);
		}
	}
}

/* ---- lost news ---- */

void vrs_on_lost(void *arg)
{
	struct vrs *v = arg;

	v->resync = true;
}

static void if_missing(struct vr_if *f)
{
	f->up = false;
	note_up(f);
	vr_if_close(f);
}

/* Everything is told anew; VIPs that are not mentioned have gone. */
void vrs_relearn(struct vrs *v)
{
	size_t i, k;
	int err;

	v->resync = true; /* half of the truth is not told */
	ward_rest();      /* of thousands of routers, and of all links and addresses */
	for (i = 0; i < v->nifs; i++) {
		v->ifs[i]->present = false;
		v->ifs[i]->naddrs = 0;
	}
	for (i = 0; i < v->nvr; i++) {
		for (k = 0; k < v->vr[i]->nvips; k++)
			v->vr[i]->vips[k].installed = false;
		v->vr[i]->work_at = 0;
	}
	err = nl_dump(v->nl);
	if (err) {
		log_err("cannot read links and addresses: %s; tried again in a second", strerror(-err));
		timer_arm(&v->loop->timers, &v->resync_timer, loop_now_ns() + RESYNC_AGAIN_NS);
	}
	for (i = 0; i < v->nifs; i++)
		if (!v->ifs[i]->present)
			if_missing(v->ifs[i]);
	v->resync = false;
	vrs_follow_all(v);
	for (i = 0; i < v->nvr; i++) { /* adding again what is there changes nothing */
		if (v->vr[i]->fsm.state == FSM_ACTIVE) {
			for (k = 0; k < v->vr[i]->nroutes; k++)
				v->vr[i]->routes[k].installed = false;
			for (k = 0; k < v->vr[i]->nrules; k++)
				v->vr[i]->rules[k].installed = false;
			v->vr[i]->repair = true;
			vr_mark(v->vr[i]);
		}
	}
}

static void resync(struct vrs *v)
{
	log_warn("route netlink lost notifications: reading links and addresses anew");
	vrs_flush(v, loop_now_ns()); /* what is to be removed is only known as long as it counts as installed */
	vrs_relearn(v);
}

void vrs_on_resync(void *arg, uint64_t now_ns)
{
	struct vrs *v = arg;

	(void)now_ns;
	v->resync = true; /* again nobody acts before all has been told */
	resync(v);
}

/* What an interface that was renamed had under its other name is not told again. */
static void reread(struct vrs *v)
{
	int err;

	ward_rest();
	err = nl_dump(v->nl);
	v->reread = false;
	if (err)
		log_err("cannot read links and addresses: %s", strerror(-err));
}

/* @all: they have been read to the end. */
static void take_news(struct vrs *v, bool all)
{
	if (v->resync && all)
		resync(v);
	if (v->reread)
		reread(v);
}

void vrs_on_netlink(void *arg, uint32_t events, uint64_t now_ns)
{
	struct vrs *v = arg;

	(void)events;
	(void)now_ns;
	take_news(v, nl_read(v->nl));
}

void vrs_read_news(struct vrs *v)
{
	bool all = false;
	int i;

	for (i = 0; i < READS_MAX && !all; i++)
		all = nl_read(v->nl);
	take_news(v, all);
}
