// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Defaults that hang on other lines, and what goes with what: applied to each instance when all is read, in an order that matters. Family, then
 * version, then strict mode, then priority; the rest hangs on these (spec 2.3, 2.4, KA-1..8, KA-13).
 */
#include "conf_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	VIPS_MAX = 255, /* Count IPvX Addr has eight bits (RFC 9568 5.2.5) */
	VIPS6_MAX = 89, /* and an advert fits an MTU of 1500 */
};

/* One instance with what the file says about it, and with what it says about all. */
struct work {
	struct conf_parser *p;
	struct conf_vr *vr;
	struct conf_inst *in;
	const struct conf_common *own, *all;
};

#define WARN_AT(w, val, ...) CONF_WARN_AT((w)->p, &(val)->at, __VA_ARGS__)
/* The instance's value, else the global one; .set false: neither. */
#define PICK(w, f) ((w)->own->f.set ? &(w)->own->f : &(w)->all->f)

static uint64_t value(const struct conf_val *v, uint64_t dflt)
{
	return v->set ? v->v : dflt;
}

/* ---- who and how often ---- */

/* KA-1 */
static void finish_version(struct work *w)
{
	struct conf_vr *vr = w->vr;

	if (!vr->family)
		vr->family = 4;
	vr->vrid = (uint8_t)w->in->vrid.v;
	if (vr->family == 6) /* whatever vrrp_version says, in keepalived too */
		vr->version = 3;
	else
		vr->version = (uint8_t)value(PICK(w, version), 2);
	vr->strict = PICK(w, strict)->v;
	if (vr->family == 6 && w->own->version.v == 2)
		WARN_AT(w, &w->own->version,
			"version 2 is for IPv4 only, so 3 is used; a keepalived that speaks 2 over IPv6 is not "
			"understood: "
			"write version 3, on all routers");
}

/* KA-2, KA-13 */
static void finish_priority(struct work *w)
{
	const struct conf_val *state = &w->in->state;
	struct conf_vr *vr = w->vr;
	bool master = state->set && state->v;

	vr->priority = (uint8_t)value(&w->in->priority, master ? 255 : 100);
	vr->state_master = state->set ? master : vr->priority == 255;
	if (!vr->strict || vr->state_master == (vr->priority == 255))
		return;
	WARN_AT(w, state,
		"state %s does not go with priority %u in strict mode; the priority decides, correct the state",
		master ? "MASTER" : "BACKUP", vr->priority);
	vr->state_master = vr->priority == 255;
}

/* KA-3: what keepalived makes of the interval, said aloud. */
static void finish_advert(struct work *w)
{
	const struct conf_val *v = &w->in->advert_ns;
	struct conf_vr *vr = w->vr;
	uint64_t unit = vr->version == 2 ? CONF_SEC_NS : 10 * CONF_MS_NS, ns = (v->v + unit / 2) / unit * unit;

	if (!v->set)
		return;
	if (ns < unit)
		ns = unit;
	if (vr->version == 3 && ns > 40950 * CONF_MS_NS) {
		WARN_AT(w, v, "advert_int %llu.%02llu is too long for version 3; 40.95 is used",
			(unsigned long long)(ns / CONF_SEC_NS),
			(unsigned long long)(ns % CONF_SEC_NS / (10 * CONF_MS_NS)));
		ns = 40950 * CONF_MS_NS;
	} else if (ns != v->v && vr->version == 2) {
		WARN_AT(w, v,
			"advert_int becomes %llu s because version 2 has whole seconds only; write %llu, or version 3",
			(unsigned long long)(ns / CONF_SEC_NS), (unsigned long long)(ns / CONF_SEC_NS));
	} else if (ns != v->v) {
		WARN_AT(w, v, "advert_int becomes %llu.%02llu s because version 3 counts in steps of 0.01 s",
			(unsigned long long)(ns / CONF_SEC_NS),
			(unsigned long long)(ns % CONF_SEC_NS / (10 * CONF_MS_NS)));
	}
	vr->adver_ns = ns;
}

/* Our own words. Version 2 learns no interval, so that what global_defs says of it is for the others. */
static void finish_own(struct work *w)
{
	const struct conf_val *max = PICK(w, max_advert), *block = &w->in->allow_block;
	struct conf_vr *vr = w->vr;

	vr->handover_ns = PICK(w, handover)->v;
	vr->link_settle_ns = PICK(w, link_settle)->v;
	vr->max_adver_ns = vr->version == 2 && !w->own->max_advert.set ? 0 : max->v;
	if (block->set && !vr->nallowed && !vr->npeers)
		WARN_AT(w, block, "xdp_peers is empty, so adverts of EVERYBODY count; add the other routers");
}

/* KA-31; anything but a good PASS block leaves the router without authentication, as in keepalived. */
static void finish_auth(struct work *w)
{
	const struct conf_val *type = &w->in->auth_type, *pass = &w->in->auth_pass, *at = type->set ? type : pass;
	struct conf_vr *vr = w->vr;

	if (!type->set && !pass->set)
		return;
	if (vr->version == 3) {
		WARN_AT(w, at,
			"the authentication block is ignored because version 3 has none (RFC 9568 9); remove it");
	} else if (vr->strict) {
		WARN_AT(w, at, "the authentication block is ignored in strict mode; remove it");
	} else if (type->v == CONF_AUTH_AH) {
		CONF_ERROR_AT(w->p, &at->at,
			      "auth_type AH is not supported, and without it the others' adverts would be refused; "
			      "write PASS, on "
			      "all routers of this virtual router");
	} else if (!type->set) {
		WARN_AT(w, at,
			"auth_pass is ignored because auth_type is missing, so there is NO AUTHENTICATION; add "
			"\"auth_type "
			"PASS\"");
	} else if (type->v == CONF_AUTH_PASS && !pass->v) {
		WARN_AT(w, at,
			"auth_type PASS is ignored because there is no password, so there is NO AUTHENTICATION; add "
			"auth_pass");
	} else if (type->v == CONF_AUTH_PASS) {
		if (pass->v > CONF_AUTH_LEN)
			WARN_AT(w, pass, "auth_pass has %llu characters and only the first %d count; shorten it",
				(unsigned long long)pass->v, CONF_AUTH_LEN);
		vr->auth_pass_set = true;
		memcpy(vr->auth_pass, w->in->pass, sizeof(vr->auth_pass));
	}
}

/* Spec 4.3 */
static void finish_preempt(struct work *w)
{
	const struct conf_val *v = &w->in->preempt, *delay = &w->in->preempt_delay;
	struct conf_vr *vr = w->vr;
	bool master = w->in->state.set && w->in->state.v;
	const char *why = master ? "state MASTER" : vr->priority == 255 ? "priority 255" : NULL;

	vr->preempt = value(v, 1);
	if (!vr->preempt && why) {
		WARN_AT(w, v,
			"nopreempt is cleared because it does not go with %s; use state BACKUP and priority 1 to 254",
			why);
		vr->preempt = true;
	}
	vr->preempt_delay_ns = delay->v;
	why = master ? "state MASTER" : !vr->preempt ? "nopreempt" : vr->strict ? "strict mode" : NULL;
	if (delay->v && why) {
		WARN_AT(w, delay, "preempt_delay is cleared because it does not go with %s; remove one of the two",
			why);
		vr->preempt_delay_ns = 0;
	}
}

/* ---- how it speaks ---- */

/* KA-29, KA-30 */
static void finish_unicast(struct work *w)
{
	const struct conf_val *block = &w->in->peer_block, *src = &w->in->unicast_src, *ttl = &w->in->unicast_ttl;
	struct conf_vr *vr = w->vr;
	const char *then = vr->unicast_fault_no_peer ? "the instance stays in FAULT" : "MULTICAST is used";

	vr->unicast_ttl = (uint8_t)value(ttl, 255);
	if (vr->npeers)
		return;
	if (block->set)
		WARN_AT(w, block, "unicast_peer has no usable peer, so %s; add the other routers", then);
	else if (src->set)
		WARN_AT(w, src, "unicast_src_ip without unicast_peer: %s; add peers or write mcast_src_ip", then);
	if (ttl->set && ttl->v != 255) {
		WARN_AT(w, ttl, "unicast_ttl has no meaning without unicast_peer; adverts go out with 255");
		vr->unicast_ttl = 255;
	}
}

static enum conf_csum csum_of(const struct conf_val *v)
{
	if (!v->set)
		return CONF_CSUM_AUTO;
	return v->v ? CONF_CSUM_RFC9568 : CONF_CSUM_RFC5798;
}

/* KA-9..11 */
static void finish_garp(struct work *w)
{
	struct conf_garp *g = &w->vr->garp;
	const struct conf_val *refresh = PICK(w, garp_refresh_repeat);
	uint64_t delay_s = value(&w->all->garp_delay, 5), repeat = value(&w->all->garp_repeat, 5);

	g->delay_ns = value(&w->own->garp_delay, delay_s) * CONF_SEC_NS;
	g->repeat = (unsigned int)value(&w->own->garp_repeat, repeat);
	g->refresh_ns = PICK(w, garp_refresh)->v * CONF_SEC_NS;
	g->refresh_repeat = (unsigned int)value(refresh, 1);
	if (!g->refresh_repeat) { /* vrrp_min_garp */
		g->refresh_repeat = 1;
		g->refresh_ns = 0;
	}
	g->lower_prio_delay_ns = value(PICK(w, lower_delay), delay_s) * CONF_SEC_NS;
	g->lower_prio_repeat = (unsigned int)value(PICK(w, lower_repeat), repeat);
	g->extra_if_ns = PICK(w, extra_if)->v;
	g->extra_if_all = g->extra_if_ns && PICK(w, extra_all)->v;
	if (w->vr->strict) {
		if (w->own->lower_delay.v || w->own->lower_repeat.v)
			WARN_AT(w, w->own->lower_repeat.set ? &w->own->lower_repeat : &w->own->lower_delay,
				"there is no gratuitous ARP after a lower priority in strict mode; remove the line");
		g->lower_prio_delay_ns = 0;
		g->lower_prio_repeat = 0;
	}
}

/* Spec 2.2 and 2.4 */
static void finish_adverts(struct work *w)
{
	struct conf_vr *vr = w->vr;
	const struct conf_val *down = PICK(w, down_adverts);

	vr->down_adverts = (unsigned int)value(down, 3);
	vr->lower_prio_no_advert = PICK(w, lower_no_advert)->v;
	vr->higher_prio_send_advert = PICK(w, higher_advert)->v;
	vr->owner_ignore_adverts = PICK(w, owner_ignore)->v;
	vr->skip_check_adv_addr = PICK(w, skip_check)->v;
	vr->check_unicast_src = PICK(w, check_src)->v;
	vr->notify_priority_changes = PICK(w, priority_events)->v;
	vr->csum = csum_of(PICK(w, csum));
	if (!vr->strict)
		return;
	if (w->own->down_adverts.set && vr->down_adverts != 3)
		WARN_AT(w, down, "down_timer_adverts becomes 3 in strict mode; remove the line");
	if (w->own->higher_advert.v)
		WARN_AT(w, &w->own->higher_advert, "higher_prio_send_advert is off in strict mode; remove the line");
	if (w->own->lower_no_advert.set && !w->own->lower_no_advert.v)
		WARN_AT(w, &w->own->lower_no_advert, "lower_prio_no_advert is on in strict mode; remove the line");
	vr->down_adverts = 3;
	vr->lower_prio_no_advert = true;
	vr->higher_prio_send_advert = false;
	vr->owner_ignore_adverts = true;
}

/* ---- what it serves ---- */

static void finish_accept(struct work *w)
{
	const struct conf_val *v = &w->in->accept;
	struct conf_vr *vr = w->vr;
	bool strict_off = vr->strict && vr->priority != 255;

	vr->accept = value(v, !strict_off);
	if (strict_off && vr->accept && vr->version == 2) {
		WARN_AT(w, v, "accept does not exist in version 2 and is ignored in strict mode; remove it");
		vr->accept = false;
	}
	if (!vr->accept && vr->priority == 255) { /* DP-2 */
		WARN_AT(w, v, "no_accept has no effect with priority 255: an owner accepts; remove it");
		vr->accept = true;
	}
}

static bool move_vip(struct work *w, size_t i)
{
	struct conf_vr *vr = w->vr;
	struct conf_vip *bigger = conf_grow(w->p, vr->excluded, vr->nexcluded, sizeof(*bigger));

	if (!bigger)
		return false;
	vr->excluded = bigger;
	bigger[vr->nexcluded++] = vr->vips[i];
	return true;
}

/* More than an advert holds are installed all the same, as in keepalived. */
static void finish_vips(struct work *w)
{
	struct conf_vr *vr = w->vr;
	size_t max = vr->family == 6 ? VIPS6_MAX : VIPS_MAX, n = vr->nvips;
	struct conf_at at = vr->at;

	if (n <= max)
		return;
	for (size_t i = max; i < n; i++)
		if (!move_vip(w, i))
			return;
	vr->nvips = max;
	at.line = vr->vips[max].line ? vr->vips[max].line : at.line;
	at.col = 0;
	CONF_WARN_AT(w->p, &at,
		     "%s: an advert holds %zu of the %zu virtual addresses; the other %zu count as "
		     "virtual_ipaddress_excluded",
		     vr->name, max, n, n - max);
}

static const char *dev_of(const struct conf_vr *vr, const struct conf_vip *v)
{
	return v->dev[0] ? v->dev : vr->ifname;
}

/* In both lists an address can only be on two interfaces (spec 3.1). */
static void finish_excluded(struct work *w)
{
	struct conf_vr *vr = w->vr;
	size_t index = (size_t)(vr - w->p->conf->vrs), n = 0;
	struct conf_at at = vr->at;
	char text[46];

	for (size_t i = 0; i < vr->nexcluded; i++) {
		const struct conf_vip *v = &vr->excluded[i];
		size_t *vip = conf_map_get(&w->p->map, CONF_MAP_VIP, index, &v->addr, sizeof(v->addr));

		if (!vip || strcmp(dev_of(vr, v), dev_of(vr, &vr->vips[*vip])) != 0) {
			vr->excluded[n++] = *v;
			continue;
		}
		at.line = v->line;
		at.col = 0;
		CONF_WARN_AT(w->p, &at,
			     "%s: %s is in virtual_ipaddress already; it is left out of virtual_ipaddress_excluded",
			     vr->name, conf_addr_str(&v->addr, text, sizeof(text)));
	}
	vr->nexcluded = n;
}

static void finish_no_vip(struct work *w)
{
	const struct conf_val *v = &w->in->no_vip;

	if (!v->set)
		return;
	if (w->vr->strict)
		WARN_AT(w, v, "no_virtual_ipaddress is ignored in strict mode; remove it");
	else if (w->vr->version == 2)
		w->in->reported |= CONF_REP_VIPS;
}

static void finish_vmac(struct work *w)
{
	struct conf_vr *vr = w->vr;

	if (vr->vmac_xmit_base && vr->strict) {
		CONF_WARN_AT(w->p, &vr->at, "%s: vmac_xmit_base is dropped in strict mode; remove it", vr->name);
		vr->vmac_xmit_base = false;
	}
	if (vr->use_vmac && vr->npeers)
		CONF_WARN_AT(
			w->p, &vr->at,
			"%s: use_vmac: adverts to unicast peers leave with the interface's own MAC, all else with the "
			"virtual one",
			vr->name);
	if (vr->vmac_xmit_base && !vr->use_vmac)
		CONF_WARN_AT(w->p, &vr->at, "%s: vmac_xmit_base has no effect without use_vmac; remove it", vr->name);
	if (vr->promote_secondaries && vr->family == 4) /* IPv6 addresses are never secondary */
		CONF_WARN_AT(w->p, &vr->at,
			     "%s: promote_secondaries is read but not carried out: set the sysctl net.ipv4.conf.%s."
			     "promote_secondaries",
			     vr->name, vr->ifname);
}

static void finish_alert(struct work *w)
{
	const struct conf_val *all = &w->p->defs.smtp_alert_vrrp;

	if (!all->set)
		all = &w->all->smtp_alert;
	w->vr->smtp_alert = value(&w->own->smtp_alert, all->v);
}

static void finish(struct work *w)
{
	struct conf_vr *vr = w->vr;

	finish_version(w);
	finish_priority(w);
	finish_advert(w);
	finish_preempt(w);
	finish_unicast(w);
	finish_adverts(w);
	finish_own(w);
	finish_garp(w);
	finish_auth(w);
	finish_accept(w);
	finish_no_vip(w);
	finish_excluded(w);
	finish_vips(w);
	finish_vmac(w);
	finish_alert(w);
	if (!vr->group.family)
		vr->group = vr->family == 6 ? w->p->conf->globals.mcast_group6 : w->p->conf->globals.mcast_group4;
}

void conf_finish_instances(struct conf_parser *p)
{
	for (size_t i = 0; i < p->conf->nvrs; i++) {
		struct work w = { p, &p->conf->vrs[i], &p->insts[i], &p->insts[i].common, &p->defs.common };

		finish(&w);
	}
}

/* ---- interfaces ---- */

/* 7 #2 and #3; dynamic_interfaces lets an instance wait in FAULT for them. */
void conf_finish_interfaces(struct conf_parser *p)
{
	const struct conf_globals *g = &p->conf->globals;
	bool defaulted = p->defs.default_interface.file != NULL;

	for (size_t i = 0; i < p->conf->nstatic_addrs; i++)
		if (!p->conf->static_addrs[i].dev[0]) {
			struct conf_at at = { .file = p->conf->files[0], .line = p->conf->static_addrs[i].line };

			conf_need_iface(p, g->default_interface, "default_interface of a static address",
					defaulted ? &p->defs.default_interface : &at);
			break;
		}
	for (size_t i = 0; !g->dynamic_interfaces && i < p->nmissing; i++)
		CONF_ERROR_AT(p, &p->missing[i].at,
			      "%s \"%s\" does not exist on this machine; create it, correct the name, or set "
			      "dynamic_interfaces",
			      p->missing[i].what, p->missing[i].ifname);
}
