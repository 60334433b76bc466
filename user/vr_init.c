// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtual routers are built, started, stopped and taken down; what a dead controller left is removed. */
#include "vr_int.h"

#include "advert.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static struct vr_if *if_add(struct vrs *v, const char *name)
{
	struct vr_if *f;
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (!strcmp(v->ifs[i].name, name))
			return &v->ifs[i];
	f = &v->ifs[v->nifs];
	f->number = v->nifs++;
	snprintf(f->name, sizeof(f->name), "%s", name);
	return f;
}

static void config_fill(struct vr *r)
{
	const struct conf_vr *c = r->conf;
	struct vx_vr_config *k = &r->cfg;
	size_t i;

	r->fsm.version = k->version = c->version;
	r->fsm.priority = k->priority = c->priority;
	r->fsm.preempt = c->preempt || c->priority == 255;
	r->fsm.adver_ns = k->adver_ns = c->adver_ns;
	k->vrid = c->vrid;
	k->family = 4;
	k->auth_type = c->auth_pass_set ? ADVERT_AUTH_PASS : ADVERT_AUTH_NONE;
	if (c->auth_pass_set)
		memcpy(k->auth, c->auth_pass, sizeof(k->auth));
	k->nvips = r->nvips;
	for (i = 0; i < r->nvips; i++)
		k->vip_sum += advert_addr_mix(r->vips[i].addr);
	k->flags = (r->fsm.preempt ? VX_CFG_PREEMPT : 0) | (c->unicast ? VX_CFG_UNICAST : 0);
	if (c->csum != CONF_CSUM_RFC5798)
		k->flags |= VX_CFG_CSUM_9568;
	if (c->csum != CONF_CSUM_RFC9568)
		k->flags |= VX_CFG_CSUM_5798;
}

static int vr_init(struct vrs *v, struct vr *r, const struct conf_vr *c)
{
	size_t i;

	r->all = v;
	r->conf = c;
	r->slot = r - v->vr;
	r->iface = if_add(v, c->ifname);
	r->nvips = c->nvips;
	r->nframes = c->unicast ? c->npeers : 1;
	r->frame_len = vr_frame_head(r) + sizeof(struct vx_ip4) + advert_len4(c->version, c->nvips);
	r->vips = calloc(r->nvips + 1, sizeof(*r->vips));
	r->frames = calloc(2 * r->nframes, r->frame_len);
	if (!r->vips || !r->frames)
		return -ENOMEM;
	for (i = 0; i < r->nvips; i++) {
		r->vips[i].addr = vr_conf_addr4(&c->vips[i].addr);
		r->vips[i].plen = c->vips[i].plen;
	}
	v->nvips += r->nvips;
	r->adver_timer = (struct timer){ .fn = vr_on_adver_timer, .arg = r };
	r->down_timer = (struct timer){ .fn = vr_on_down_timer, .arg = r };
	r->garp_timer = (struct timer){ .fn = vr_on_garp_timer, .arg = r };
	config_fill(r);
	return 0;
}

static int check_interfaces(struct vrs *v)
{
	struct vr_if *f;

	for (f = v->ifs; f < v->ifs + v->nifs; f++) {
		if (!f->present) {
			log_err("%s: no such interface; see `ip link`", f->name);
			return 2;
		}
		if (!f->ethernet) {
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
	char text[16];
	size_t i;

	for (i = 0; i < v->nvr; i++) {
		const struct vr *r = &v->vr[i];

		for (vip = r->vips; vip < r->vips + r->nvips; vip++) {
			if (vip->installed && !r->iface->naddrs && !r->conf->src.family) {
				log_err("%s: %s is the only address of %s; give the interface one of its own beside it",
					r->conf->name, vr_addr(vip->addr, text), r->iface->name);
				return 2;
			}
		}
	}
	return 0;
}

struct leftover {
	struct vrs *v;
	struct vr_if *f;
};

/* A VIP of the dead controller that this configuration does not have: its prefix length is on the interface. */
static void on_leftover_vip(void *arg, __be32 addr)
{
	struct leftover *l = arg;
	struct nl_change c = { .ifindex = l->f->ifindex, .addr = addr, .del = true };
	struct nl_addr gone = { .addr = addr, .gone = true };
	size_t i;

	for (i = 0; i < l->f->naddrs; i++) {
		if (l->f->addrs[i].addr == addr) {
			c.plen = l->f->addrs[i].plen;
			nl_commit(l->v->nl, &c, 1);
			vr_addr_note(l->f, &gone);
			return;
		}
	}
}

static int clean_interface(struct vrs *v, struct vr_if *f)
{
	struct leftover l = { .v = v, .f = f };
	int err = dp_leftovers_remove(f->ifindex, f->name, on_leftover_vip, &l);

	if (err < 0) {
		log_err("%s: cannot remove the XDP program that a dead controller left: %s", f->name, strerror(-err));
		return 1;
	}
	if (err)
		log_info("%s: removed what a dead controller left", f->name);
	return 0;
}

/* KA-16: addresses of the configuration that are there at the start are a dead controller's. */
static void clean_vips(struct vrs *v)
{
	size_t i, k;

	v->nchanges = 0;
	for (i = 0; i < v->nvr; i++) {
		for (k = 0; k < v->vr[i].nvips; k++) {
			struct vr_vip *vip = &v->vr[i].vips[k];

			if (vip->installed)
				vr_want_change(&v->vr[i], vip, true);
			vip->installed = false;
			vip->plen = v->vr[i].conf->vips[k].plen;
		}
	}
	if (v->nchanges)
		nl_commit(v->nl, v->changes, v->nchanges);
}

static int attach_interface(struct vrs *v, struct vr_if *f, enum conf_mode mode)
{
	static const enum dp_mode modes[] = {
		[CONF_MODE_AUTO] = DP_MODE_AUTO,
		[CONF_MODE_NATIVE] = DP_MODE_NATIVE,
		[CONF_MODE_SKB] = DP_MODE_SKB,
	};
	char why[DP_ERR_LEN];
	int err;

	if (dp_attach(v->dp, f->ifindex, f->name, f->kind, modes[mode], &f->attachment, why)) {
		log_err("%s", why);
		return 1;
	}
	err = tx_new(&f->tx, f->ifindex, f->name);
	if (err) {
		log_err("%s: cannot open the packet sockets: %s", f->name, strerror(-err));
		return 1;
	}
	log_info("%s: XDP attached in %s mode: %s%s", f->name,
		 f->attachment.mode == DP_MODE_NATIVE ? "native" : "generic", f->attachment.why,
		 f->attachment.shared ? "; shared through libxdp's dispatcher" : "");
	return 0;
}

static int fill_maps(struct vr *r)
{
	struct dp *dp = r->all->dp;
	int err = 0, ifindex = r->iface->ifindex;
	size_t i;

	err = dp_watch_init(dp, r->slot);
	if (err) {
		log_err("%s: the kernel makes no timer: %s; try again, or run fewer virtual routers", r->conf->name,
			strerror(-err));
		return 1;
	}
	r->cfg.ifindex = ifindex;
	err = dp_vr_set(dp, r->slot, &r->cfg);
	for (i = 0; !err && i < r->nvips; i++)
		err = dp_addr_set(dp, ifindex, 0, r->vips[i].addr, VX_ADDR_VIP, r->slot, true);
	for (i = 0; !err && i < r->iface->naddrs; i++)
		err = dp_addr_set(dp, ifindex, 0, r->iface->addrs[i].addr, VX_ADDR_OWN, 0, true);
	for (i = 0; !err && r->conf->unicast && i < r->conf->npeers; i++)
		err = dp_peer_add(dp, r->slot, vr_conf_addr4(&r->conf->peers[i].addr));
	if (!err)
		err = dp_index_set(dp, &r->cfg, 0, dp_if_row(dp, r->iface->number));
	if (!err)
		err = dp_index_set(dp, &r->cfg, r->conf->vrid, r->slot);
	if (err)
		log_err("%s: cannot fill the BPF maps: %s", r->conf->name, strerror(-err));
	return err ? 1 : 0;
}

static struct dp_sizes sizes_of(const struct vrs *v)
{
	struct dp_sizes s = { .vrs = v->nvr, .ifs = v->nifs, .addrs = 64 * v->nifs };
	size_t i;

	for (i = 0; i < v->nifs; i++)
		s.addrs += v->ifs[i].naddrs;
	for (i = 0; i < v->nvr; i++) {
		s.addrs += v->vr[i].nvips + 1;
		s.peers += v->vr[i].conf->npeers;
	}
	return s;
}

static int build_all(struct vrs *v, const struct conf *conf)
{
	size_t i;

	if (conf->nvrs > VX_MAX_VRS) {
		log_err("%zu virtual routers are more than the %d that fit; split them over several network namespaces",
			conf->nvrs, VX_MAX_VRS);
		return 2;
	}
	v->ifs = calloc(conf->nvrs, sizeof(*v->ifs));
	v->vr = calloc(conf->nvrs, sizeof(*v->vr));
	v->dirty = calloc(conf->nvrs, sizeof(struct vr *));
	if (!v->ifs || !v->vr || !v->dirty || timer_queue_reserve(&v->loop->timers, 3 * conf->nvrs))
		goto nomem;
	v->nvr = conf->nvrs;
	for (i = 0; i < v->nvr; i++)
		if (vr_init(v, &v->vr[i], &conf->vrs[i]))
			goto nomem;
	if (v->nifs > VX_MAX_IFS) {
		log_err("%zu interfaces are more than the %d that one vrrp-xdp runs; split them over several files",
			v->nifs, VX_MAX_IFS);
		return 2;
	}
	v->changes = calloc(v->nvips + 1, sizeof(*v->changes));
	if (v->changes)
		return 0;
nomem:
	log_err("out of memory for %zu virtual routers", conf->nvrs);
	return 1;
}

int vrs_init(struct vrs *v, struct loop *loop, const struct conf *conf, int (*lock)(void *arg, const char *ifname),
	     void *arg)
{
	const struct nl_ops nl_ops = { .link = vrs_on_link, .addr = vrs_on_addr, .lost = vrs_on_lost, .arg = v };
	const struct dp_ops dp_ops = { .event = vrs_on_event, .arg = v };
	struct dp_sizes sizes;
	char why[DP_ERR_LEN];
	size_t i;
	int rc;

	memset(v, 0, sizeof(*v));
	v->loop = loop;
	rc = build_all(v, conf);
	if (rc)
		return rc;
	rc = nl_new(&v->nl, &nl_ops);
	if (!rc)
		rc = nl_dump(v->nl);
	if (rc) {
		log_err("cannot read the interfaces: %s", strerror(-rc));
		return 1;
	}
	rc = check_interfaces(v);
	if (!rc)
		rc = check_addresses(v);
	for (i = 0; !rc && i < v->nifs; i++)
		rc = lock(arg, v->ifs[i].name);
	if (!rc)
		clean_vips(v); /* while the dead controller's program still guards them */
	for (i = 0; !rc && i < v->nifs; i++)
		rc = clean_interface(v, &v->ifs[i]);
	if (rc)
		return rc;
	sizes = sizes_of(v);
	if (dp_new(&v->dp, &sizes, &dp_ops, why)) {
		log_err("%s", why);
		return 1;
	}
	for (i = 0; !rc && i < v->nifs; i++)
		rc = attach_interface(v, &v->ifs[i], conf->mode);
	for (i = 0; !rc && i < v->nvr; i++)
		rc = fill_maps(&v->vr[i]);
	return rc;
}

int vrs_start(struct vrs *v)
{
	size_t i;
	int err;

	v->nl_io = (struct loop_io){ .fd = nl_fd(v->nl), .prio = LOOP_NETLINK, .fn = vrs_on_netlink, .arg = v };
	v->dp_io = (struct loop_io){ .fd = dp_events_fd(v->dp), .prio = LOOP_EVENTS, .fn = vrs_on_dp, .arg = v };
	v->loop->turn_end = vrs_flush;
	v->loop->arg = v;
	err = loop_add(v->loop, &v->nl_io, EPOLLIN);
	if (!err)
		err = loop_add(v->loop, &v->dp_io, EPOLLIN);
	if (err) {
		log_err("cannot watch the kernel's events: %s", strerror(-err));
		return 1;
	}
	nl_read(v->nl); /* what has changed since the dump, our own attachments among it */
	v->start_ns = loop_now_ns();
	for (i = 0; i < v->nvr; i++) {
		v->vr[i].fsm.since_ns = v->start_ns;
		vr_follow_interface(&v->vr[i], v->start_ns);
		if (v->vr[i].fsm.state == FSM_INITIALIZE)
			log_warn("%s: Initialize: %s", v->vr[i].conf->name, v->vr[i].hold);
	}
	vrs_flush(v, v->start_ns);
	return 0;
}

void vrs_stop(struct vrs *v)
{
	uint64_t now_ns = loop_now_ns();
	size_t i;

	for (i = 0; v->start_ns && i < v->nvr; i++) {
		v->vr[i].hold = NULL;
		vr_step(&v->vr[i], FSM_EV_SHUTDOWN, now_ns);
		v->vr[i].pending |= FSM_ACT_RELEASE; /* also of what could not be removed before */
		vr_mark(&v->vr[i]);
	}
	v->stopping = true;
	vrs_flush(v, now_ns);
}

void vrs_fini(struct vrs *v)
{
	size_t i;

	dp_free(v->dp);
	for (i = 0; i < v->nifs; i++) {
		tx_free(v->ifs[i].tx);
		free(v->ifs[i].addrs);
	}
	for (i = 0; i < v->nvr; i++) {
		free(v->vr[i].vips);
		free(v->vr[i].frames);
	}
	nl_free(v->nl);
	free(v->ifs);
	free(v->vr);
	free(v->dirty);
	free(v->changes);
	memset(v, 0, sizeof(*v));
}
