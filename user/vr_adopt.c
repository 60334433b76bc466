// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The routers go over to a controller that follows in this process (`vrrp-xdp restart`): it finds program, maps, timers, sockets and addresses
 * as they are, and each router in the state that it was in. What the machine has done in between is learned as after lost notifications.
 */
#include "vr_int.h"

#include "log.h"
#include "ward.h"
#include "will.h"

#include <stdio.h>
#include <string.h>

enum { NAME_LEN = 64, MANY = 1 << 16 };

/* A text of ours: written, or read and compared with it. */
static bool hand_same(struct hand *h, const char *text)
{
	char there[NAME_LEN] = "";

	if (h->out)
		snprintf(there, sizeof(there), "%s", text);
	HAND(h, there);
	return !strncmp(there, text, sizeof(there) - 1);
}

static void hand_timer(struct hand *h, struct timer_queue *q, struct timer *t)
{
	uint64_t at_ns = t->index ? t->at_ns : 0;

	HAND(h, at_ns);
	if (!h->out && at_ns)
		timer_arm(q, t, at_ns);
}

/* ---- interfaces ---- */

static void hand_attachment(struct hand *h, struct vr_if *f)
{
	if (h->out && f->attachment.why && f->attachment.why != f->mode_why)
		snprintf(f->mode_why, sizeof(f->mode_why), "%s", f->attachment.why);
	HAND(h, f->attachment.mode);
	HAND(h, f->attachment.shared);
	HAND(h, f->attachment.id);
	HAND(h, f->mode_why);
	HAND(h, f->egress_gone);
	if (!h->out)
		f->attachment.why = f->mode_why;
}

static void hand_if(struct hand *h, struct vr_if *f)
{
	bool open = f->open;

	HAND(h, f->ifindex);
	HAND(h, f->kind);
	HAND(h, f->mac);
	HAND(h, f->up);
	HAND(h, f->ethernet);
	HAND(h, f->loopback);
	HAND(h, f->tags_hidden);
	HAND(h, f->carrier_changes);
	HAND(h, f->up_ns);
	HAND(h, f->rx_packets_up);
	HAND(h, f->heard);
	HAND(h, f->send_err);
	HAND(h, f->row);
	hand_attachment(h, f);
	hand_timer(h, &f->all->loop->timers, &f->pace_timer);
	HAND(h, open);
	if (!open)
		return;
	if (h->out)
		tx_hand_over(f->tx, h);
	else
		h->bad |= tx_adopt(&f->tx, f->ifindex, f->name, h) != 0;
	f->open = f->tx;
}

/* By name: a reload appends. */
static bool hand_ifs(struct hand *h, struct vrs *v)
{
	size_t n = v->nifs, i;
	struct vr_if *f;

	hand_count(h, &n, MANY);
	for (i = 0; i < n && !h->bad; i++) {
		char name[IFNAMSIZ] = "";

		if (h->out)
			memcpy(name, v->ifs[i]->name, sizeof(name));
		HAND(h, name);
		f = vrs_if(v, name);
		if (!f)
			return false;
		hand_if(h, f);
	}
	return n == v->nifs && !h->bad;
}

/* ---- routers ---- */

static void hand_fsm(struct hand *h, struct fsm *f)
{
	HAND(h, f->priority);
	HAND(h, f->src);
	HAND(h, f->state);
	HAND(h, f->why);
	HAND(h, f->since_ns);
	HAND(h, f->active_adver_ns);
	HAND(h, f->down_ns);
	HAND(h, f->lower_ns);
	HAND(h, f->adver_due_ns);
	HAND(h, f->lease_ns);
	HAND(h, f->answered_ns);
	HAND(h, f->announced_ns);
	HAND(h, f->active_priority);
	HAND(h, f->active_src);
}

static bool hand_vip(struct hand *h, struct vr *r, struct vr_vip *vip)
{
	struct conf_vip want = { .addr = vip->conf->addr, .plen = vip->conf->plen };
	char at[IFNAMSIZ] = "";

	if (vip->at)
		memcpy(at, vip->at->name, sizeof(at));
	HAND(h, want.addr.family);
	HAND(h, want.addr.b);
	HAND(h, want.plen);
	HAND(h, at);
	HAND(h, vip->away);
	HAND(h, vip->left);
	HAND(h, vip->defended_ns);
	vip->at = at[0] ? vrs_if(r->all, at) : NULL;
	return hand_same(h, vip->conf->dev) && conf_addr_eq(&want.addr, &vip->conf->addr) &&
	       want.plen == vip->conf->plen && !vip->at == !at[0];
}

/* Whether it is the router that this configuration has in this place. */
static bool hand_identity(struct hand *h, struct vr *r)
{
	const struct conf_vr *c = r->conf;
	struct conf_vr there = {
		.vrid = c->vrid, .family = c->family, .vlan = c->vlan, .unicast = c->unicast, .use_vmac = c->use_vmac
	};
	size_t n = r->nvips, i;
	bool same = hand_same(h, c->ifname);

	HAND(h, there.vrid);
	HAND(h, there.family);
	HAND(h, there.vlan);
	HAND(h, there.unicast);
	HAND(h, there.use_vmac);
	hand_count(h, &n, MANY);
	same &= there.vrid == c->vrid && there.family == c->family && there.vlan == c->vlan &&
		there.unicast == c->unicast && there.use_vmac == c->use_vmac && n == r->nvips;
	for (i = 0; i < n && same; i++)
		same = hand_vip(h, r, &r->vips[i]);
	return same;
}

static void hand_told(struct hand *h, struct vr *r)
{
	HAND(h, r->told);
	HAND(h, r->any_told);
	HAND(h, r->told_priority);
	HAND(h, r->rx_lower);
	HAND(h, r->adverts_sent);
	HAND(h, r->prio0_sent);
	HAND(h, r->send_errors);
	HAND(h, r->became_active);
}

static bool hand_vr(struct hand *h, struct vr *r)
{
	struct timer *timers[] = { &r->adver_timer, &r->garp_timer,   &r->refresh_timer, &r->lower_timer,
				   &r->extra_timer, &r->defend_timer, &r->down_timer };
	size_t i;

	if (!hand_identity(h, r))
		return false;
	HAND(h, r->slot);
	if (r->slot >= r->all->sizes.vrs) {
		r->slot = 0;
		return false;
	}
	HAND(h, r->mac_in);
	HAND(h, r->placed);
	HAND(h, r->drained);
	HAND(h, r->wants_ns);
	hand_fsm(h, &r->fsm);
	hand_told(h, r);
	for (i = 0; i < VX_ARRAY_LEN(timers); i++)
		hand_timer(h, &r->all->loop->timers, timers[i]);
	return !h->bad;
}

static bool hand_groups(struct hand *h, struct vrs *v)
{
	size_t n = v->ngroups, i;
	bool same = true;

	hand_count(h, &n, MANY);
	for (i = 0; i < n && i < v->ngroups && same; i++) {
		same = hand_same(h, v->groups[i].conf->name);
		HAND(h, v->groups[i].told);
		HAND(h, v->groups[i].any_told);
	}
	return same && n == v->ngroups;
}

static bool hand_statics(struct hand *h, struct vrs *v)
{
	const struct conf *c = v->conf;
	size_t n = c->nstatic_addrs + c->nstatic_routes + c->nstatic_rules, there = n;

	hand_count(h, &there, MANY);
	if (there == n)
		hand_bytes(h, v->statics, n * sizeof(*v->statics));
	return there == n;
}

/* What depends on the configuration. False: it is another one. */
static bool hand_routers(struct hand *h, struct vrs *v)
{
	size_t n = v->nvr, i;
	bool same = hand_ifs(h, v);

	hand_count(h, &n, VX_MAX_VRS);
	same &= n == v->nvr;
	for (i = 0; i < v->nvr && same; i++)
		same = hand_vr(h, v->vr[i]);
	return same && hand_groups(h, v) && hand_statics(h, v);
}

/* ---- going ---- */

static void will_of(struct hand *h, struct vr *r)
{
	struct will_frame w = { .ifindex = r->iface->ifindex, .unicast = r->conf->unicast, .family = r->conf->family };
	size_t i;

	memcpy(w.ifname, r->iface->name, sizeof(w.ifname));
	w.len = r->frame_len;
	for (i = 0; i < r->nframes; i++) {
		if (w.unicast)
			w.dst = vr_conf_addr(&r->conf->peers[i].addr);
		HAND(h, w);
		hand_bytes(h, vr_frame(r, i, true), w.len);
	}
}

/* The lease lasts longest when an advert has just left; the next regular one is due when it would have been. */
static void advertise_now(struct vrs *v)
{
	size_t i;

	dp_events_read(v->dp);
	for (i = 0; i < v->nvr; i++) {
		if (v->vr[i]->fsm.state != FSM_ACTIVE)
			continue;
		v->vr[i]->pending |= FSM_ACT_ADVERT;
		vr_mark(v->vr[i]);
	}
	vrs_flush(v, loop_now_ns());
}

void vrs_write_will(struct vrs *v, struct hand *h)
{
	int32_t role_fd = dp_loaded(v->dp) ? dp_role_fd(v->dp) : -1;
	uint64_t vrs = v->sizes.vrs;
	struct will_if w = { 0 };
	size_t n = 0, i;

	vrs_finish(v);
	advertise_now(v);
	HAND(h, role_fd); /* which dp_hand_over() keeps open */
	HAND(h, vrs);
	for (i = 0; i < v->nvr; i++)
		n += v->vr[i]->fsm.state == FSM_ACTIVE ? v->vr[i]->nframes : 0;
	hand_count(h, &n, MANY);
	for (i = 0; i < v->nvr; i++)
		if (v->vr[i]->fsm.state == FSM_ACTIVE)
			will_of(h, v->vr[i]);
	for (n = i = 0; i < v->nifs; i++)
		n += v->ifs[i]->open && !v->ifs[i]->lower;
	hand_count(h, &n, MANY);
	for (i = 0; i < v->nifs; i++) {
		w.ifindex = v->ifs[i]->ifindex;
		memcpy(w.ifname, v->ifs[i]->name, sizeof(w.ifname));
		if (v->ifs[i]->open && !v->ifs[i]->lower)
			HAND(h, w);
	}
}

/* Shortly before the first lease ends: a slow machine is given nearly all of it, and a last will still comes before the others act without. */
uint64_t vrs_patience(const struct vrs *v)
{
	uint64_t until_ns = UINT64_MAX;
	size_t i;

	for (i = 0; i < v->nvr; i++) {
		const struct fsm *f = &v->vr[i]->fsm;

		if (f->state == FSM_ACTIVE && f->lease_ns > f->adver_ns && f->lease_ns - f->adver_ns / 4 < until_ns)
			until_ns = f->lease_ns - f->adver_ns / 4;
	}
	return until_ns;
}

bool vrs_can_hand_over(const struct vrs *v)
{
	return v->start_ns && !notify_waits(v->notify);
}

void vrs_hand_over(struct vrs *v, struct hand *h)
{
	HAND(h, v->sizes);
	HAND(h, v->start_ns);
	dp_hand_over(v->dp, h);
	hand_routers(h, v);
	exec_hand(v->exec, h);
	track_hand_over(v->track, h);
	notify_hand_over(v->notify, h);
}

/* ---- coming ---- */

static void take_slots(struct vrs *v)
{
	size_t i;

	memset(v->slots, 0, v->sizes.vrs * sizeof(struct vr *));
	for (i = 0; i < v->nvr; i++)
		v->slots[v->vr[i]->slot] = v->vr[i];
}

static bool slots_fit(const struct vrs *v)
{
	size_t i, k;

	for (i = 0; i < v->nvr; i++) {
		for (k = 0; k < i; k++)
			if (v->vr[k]->slot == v->vr[i]->slot)
				return false;
	}
	return true;
}

/* Memory only; nothing in the kernel or on the wire depends on it yet. 0, or 1 (said). */
static int take_all(struct vrs *v, struct hand *h)
{
	const struct dp_ops dp_ops = { .event = vrs_on_event, .arg = v };
	char why[DP_ERR_LEN];
	uint64_t start_ns;

	HAND(h, start_ns);
	if (dp_adopt(&v->dp, &v->sizes, &dp_ops, h, why)) {
		log_err("%s", why);
		return 1;
	}
	if (!hand_routers(h, v) || h->bad || !slots_fit(v)) {
		log_err("the configuration has changed while vrrp-xdp restarted");
		return 1;
	}
	take_slots(v);
	v->start_ns = start_ns;
	v->resync = true; /* half of the truth is not told */
	return 0;
}

static int build(struct vrs *v)
{
	size_t i;

	if (dp_loaded(v->dp) && !ward_watches() && vrs_guard(v))
		return 1;
	for (i = 0; i < v->nvr; i++)
		if (v->vr[i]->placed && vr_build(v->vr[i])) {
			log_err("%s: cannot write the configuration map", v->vr[i]->conf->name);
			return 1;
		}
	return dp_loaded(v->dp) ? vrs_watch_events(v) : 0;
}

int vrs_adopt(struct vrs *v, const struct vrs_host *host, const struct conf *conf, struct hand *h)
{
	struct dp_sizes sizes;
	int rc;

	HAND(h, sizes);
	if (h->bad || conf->nvrs > sizes.vrs)
		log_err("the configuration has changed while vrrp-xdp restarted");
	rc = h->bad || conf->nvrs > sizes.vrs ? 1 : vrs_build(v, host, conf, &sizes);
	if (!rc)
		rc = take_all(v, h);
	if (!rc)
		rc = vrs_edges(v, h);
	if (!rc && (h->bad || h->at != h->len)) {
		log_err("what the controller before has left is not complete");
		rc = 1;
	}
	if (!rc)
		rc = vrs_open_netlink(v);
	if (!rc)
		rc = vrs_lock(v);
	if (!rc)
		rc = build(v);
	return rc;
}

void vrs_leave(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (v->ifs[i]->locked)
			v->unlock(v->lock_arg, v->ifs[i]->name);
	dp_forget(v->dp);
	v->dp = NULL;
	vrs_fini(v);
}

int vrs_resume(struct vrs *v)
{
	int rc = vrs_join_loop(v);

	if (rc)
		return rc;
	vrs_arm_delay(v);
	v->adopting = true;
	vrs_relearn(v);
	v->adopting = false;
	vrs_statics(v, v->conf, v->statics, false);
	v->news = true; /* for a new guardian */
	vrs_flush(v, loop_now_ns());
	return 0;
}
