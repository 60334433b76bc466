// SPDX-License-Identifier: GPL-2.0-or-later
/* What the virtual routers make of the news of route netlink: links, carriers, addresses. */
#include "vr_int.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct vr_if *if_find(struct vrs *v, int ifindex)
{
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (v->ifs[i].ifindex == ifindex)
			return &v->ifs[i];
	return NULL;
}

static struct vr_vip *vip_find(struct vrs *v, const struct vr_if *f, __be32 addr, struct vr **owner)
{
	size_t i, k;

	for (i = 0; i < v->nvr; i++) {
		struct vr *r = &v->vr[i];

		for (k = 0; r->iface == f && k < r->nvips; k++) {
			if (r->vips[k].addr == addr) {
				*owner = r;
				return &r->vips[k];
			}
		}
	}
	return NULL;
}

/* The primary address: what was configured, else the first on the interface that is no VIP (WF-11). */
static __be32 source_of(const struct vr *r)
{
	const struct vr_if *f = r->iface;
	size_t i;

	if (r->conf->src.family)
		return vr_conf_addr4(&r->conf->src);
	for (i = 0; i < f->naddrs; i++)
		if (!f->addrs[i].secondary)
			return f->addrs[i].addr;
	return f->naddrs ? f->addrs[0].addr : 0;
}

static bool on_interface(const struct vr_if *f, __be32 addr)
{
	size_t i;

	for (i = 0; i < f->naddrs && f->addrs[i].addr != addr; i++)
		;
	return i < f->naddrs;
}

/* Follows what the interface has become: FSM-12 where the router cannot work, Startup when it can again. */
void vr_follow_interface(struct vr *r, uint64_t now_ns)
{
	struct vr_if *f = r->iface;
	__be32 src = source_of(r);
	const char *hold = NULL;

	if (!f->present)
		hold = "the interface is gone; restart vrrp-xdp when it is back";
	else if (!f->up)
		hold = "link down";
	else if (!f->xdp_id || (!f->attachment.shared && f->xdp_id != dp_prog_id(r->all->dp)))
		hold = "somebody took the XDP program off or replaced it; restart vrrp-xdp";
	else if (!src)
		hold = "the interface has no IPv4 address besides the virtual ones";
	else if (r->conf->unicast &&
		 !on_interface(f, src)) /* its adverts would not reach us: a deaf Backup takes over */
		hold = "the source address is not on the interface";
	if (hold) {
		if (r->fsm.state == FSM_INITIALIZE && r->hold != hold)
			log_info("%s: Initialize: %s", r->conf->name, hold);
		r->hold = hold;
		vr_step(r, FSM_EV_SHUTDOWN, now_ns);
		return;
	}
	if (src != r->fsm.src || memcmp(r->cfg.mac, f->mac, 6)) {
		if (r->fsm.src)
			dp_addr_set(r->all->dp, f->ifindex, 0, r->fsm.src, VX_ADDR_OWN, 0, false);
		r->fsm.src = src;
		dp_addr_set(r->all->dp, f->ifindex, 0, src, VX_ADDR_OWN, 0, true);
		if (vr_build(r))
			log_err("%s: cannot write the configuration map", r->conf->name);
		if (r->fsm.state == FSM_ACTIVE) { /* another MAC: hosts have to be told */
			r->pending |= FSM_ACT_ANNOUNCE;
			vr_mark(r);
		}
	}
	r->hold = NULL;
	if (r->fsm.state == FSM_INITIALIZE)
		vr_step(r, FSM_EV_STARTUP, now_ns);
}

static void follow_all(struct vrs *v, const struct vr_if *f)
{
	uint64_t now_ns = loop_now_ns();
	size_t i;

	for (i = 0; !v->resync && !v->stopping && i < v->nvr;
	     i++) /* while resync() reads, half of the truth is not told */
		if (v->vr[i].iface == f)
			vr_follow_interface(&v->vr[i], now_ns);
}

/*
 * The kernel tells of a carrier late, and not at all of one that is back within a second. Another router may have been Active
 * meanwhile and yielded to our adverts without a word, so hosts and switches have to be told anew.
 */
static void announce_all(struct vrs *v, const struct vr_if *f)
{
	size_t i;

	for (i = 0; f->up && i < v->nvr; i++) {
		if (v->vr[i].iface == f && v->vr[i].fsm.state == FSM_ACTIVE) {
			v->vr[i].pending |= FSM_ACT_ANNOUNCE;
			vr_mark(&v->vr[i]);
		}
	}
}

void vrs_on_link(void *arg, const struct nl_link *l)
{
	struct vrs *v = arg;
	struct vr_if *f = if_find(v, l->ifindex);
	bool started = v->start_ns;
	size_t i;

	for (i = 0; !f && !started && i < v->nifs; i++)
		if (!strcmp(v->ifs[i].name, l->name))
			f = &v->ifs[i];
	if (!f)
		return;
	f->ifindex = l->ifindex;
	f->present = !l->gone;
	f->ethernet = l->ethernet;
	f->xdp_id = l->xdp_id;
	f->up = l->up && !l->gone;
	memcpy(f->mac, l->mac, sizeof(f->mac));
	memcpy(f->kind, l->kind, sizeof(f->kind));
	if (started && l->carrier_changes != f->carrier_changes)
		announce_all(v, f);
	f->carrier_changes = l->carrier_changes;
	if (started)
		follow_all(v, f);
}

void vr_addr_note(struct vr_if *f, const struct nl_addr *a)
{
	struct nl_addr *more;
	size_t i;

	for (i = 0; i < f->naddrs && f->addrs[i].addr != a->addr; i++)
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

void vrs_on_addr(void *arg, const struct nl_addr *a)
{
	struct vrs *v = arg;
	struct vr_if *f = if_find(v, a->ifindex);
	struct vr *owner = NULL;
	struct vr_vip *vip;
	char text[16];

	if (!f)
		return;
	vip = vip_find(v, f, a->addr, &owner);
	if (!vip) {
		vr_addr_note(f, a);
		if (v->start_ns) {
			dp_addr_set(v->dp, f->ifindex, 0, a->addr, VX_ADDR_OWN, 0, !a->gone);
			follow_all(v, f);
		}
		return;
	}
	if (!v->start_ns) { /* a leftover of a killed controller (KA-16) */
		vip->installed = true;
		vip->plen = a->plen;
		return;
	}
	if (v->resync && !a->gone)
		vip->installed = true;
	if (!a->gone || owner->fsm.state != FSM_ACTIVE || !vip->installed)
		return;
	/* Our own removal of one VIP takes others with it that the kernel made its secondaries. */
	if (!a->own)
		log_warn("%s: somebody removed %s/%u from %s; put back", owner->conf->name, vr_addr(vip->addr, text),
			 vip->plen, f->name);
	vip->installed = false;
	owner->repair = true;
	vr_mark(owner);
}

void vrs_on_lost(void *arg)
{
	struct vrs *v = arg;

	v->resync = true;
}

/* After lost notifications everything is told anew; VIPs that are not mentioned have gone. */
static void resync(struct vrs *v)
{
	struct vr_if *f;
	size_t i, k;
	int err;

	log_warn("route netlink lost notifications: reading links and addresses anew");
	for (f = v->ifs; f < v->ifs + v->nifs; f++) {
		f->present = f->up = false;
		f->naddrs = 0;
	}
	for (i = 0; i < v->nvr; i++)
		for (k = 0; k < v->vr[i].nvips; k++)
			v->vr[i].vips[k].installed = false;
	err = nl_dump(v->nl);
	if (err)
		log_err("cannot read links and addresses: %s", strerror(-err));
	v->resync = false;
	for (f = v->ifs; f < v->ifs + v->nifs; f++)
		follow_all(v, f);
	for (i = 0; i < v->nvr; i++) { /* adding again what is there changes nothing */
		if (v->vr[i].fsm.state == FSM_ACTIVE) {
			v->vr[i].repair = true;
			vr_mark(&v->vr[i]);
		}
	}
}

void vrs_on_netlink(void *arg, uint32_t events, uint64_t now_ns)
{
	struct vrs *v = arg;

	(void)events;
	(void)now_ns;
	nl_read(v->nl);
	if (v->resync)
		resync(v);
}
