// SPDX-License-Identifier: GPL-2.0-or-later
/* Gratuitous ARP and unsolicited Neighbor Advertisements: at once, later, now and then, and one after the other (KA-9..11). */
#include "vr_int.h"

#include "arp.h"
#include "nd.h"

#include <string.h>

enum { AT_ONCE = 512 }; /* announcements */

_Static_assert(sizeof(((struct vr_vip *)0)->frame) >= ND_FRAME_LEN, "an announcement fits");

const uint8_t *vr_vip_mac(const struct vr *r, const struct vr_vip *vip)
{
	return vr_mac_on(r, vip->dev);
}

void vr_vip_build(const struct vr *r, struct vr_vip *vip)
{
	const struct conf_addr *a = &vip->conf->addr;

	vip->frame_len = 0;
	if (!vip->dev->ethernet)
		return;
	if (a->family == 4) {
		arp_build_gratuitous(vip->frame, vr_vip_mac(r, vip), vr_conf_addr(a).w[0]);
		vip->frame_len = ARP_FRAME_LEN;
	} else {
		nd_build_unsolicited(vip->frame, vr_vip_mac(r, vip), a->b);
		vip->frame_len = ND_FRAME_LEN;
	}
}

static uint64_t pause_of(const struct vr_vip *vip)
{
	return vip->conf->addr.family == 4 ? vip->dev->garp_pause_ns : vip->dev->gna_pause_ns;
}

static bool can_announce(const struct vr_vip *vip)
{
	return vip->announce && vip->frame_len && vip->dev->tx;
}

static void arm_pace(struct vr_if *f, uint64_t at_ns)
{
	if (!f->pace_timer.index)
		timer_arm(&f->all->loop->timers, &f->pace_timer, at_ns);
}

static void announce_one(struct vr_vip *vip, unsigned int repeat, uint64_t now_ns)
{
	if (!pause_of(vip)) {
		tx_frame(vip->dev->tx, vip->frame, vip->frame_len, NULL);
		return;
	}
	vip->left = vip->left < repeat ? repeat : vip->left;
	arm_pace(vip->dev, vip->dev->garp_next_ns > now_ns ? vip->dev->garp_next_ns : now_ns);
}

void vr_announce_some(struct vr *r, size_t from, size_t to, unsigned int repeat)
{
	uint64_t now_ns = loop_now_ns();
	unsigned int n;
	size_t i;

	for (n = 0; n < repeat; n++) /* KA-9: for each repeat, all VIPs */
		for (i = from; i < to; i++)
			if (can_announce(&r->vips[i]))
				announce_one(&r->vips[i], repeat, now_ns);
	for (i = from; i < to; i++)
		r->vips[i].announce = false;
}

/* Thousands take longer than an interval may be, so they go in parts, and adverts between these. */
void vr_announce(struct vr *r, unsigned int repeat)
{
	if (r->nvips * repeat <= AT_ONCE && !r->rounds) {
		vr_announce_some(r, 0, r->nvips, repeat);
		return;
	}
	if (r->rounds && r->round_at) /* what is marked anew may be behind */
		repeat++;
	r->rounds = r->rounds < repeat ? repeat : r->rounds;
}

void vr_announce_later(struct vr *r, unsigned int repeat)
{
	vr_announce_installed(r);
	r->rounds = r->rounds < repeat ? repeat : r->rounds;
}

size_t vr_announce_next(struct vr *r, size_t max)
{
	uint64_t now_ns = loop_now_ns();
	size_t n = 0, i;

	if (r->fsm.state != FSM_ACTIVE || !r->nvips) {
		r->rounds = 0;
		r->round_at = 0;
	}
	if (!r->rounds)
		return 0;
	for (; r->round_at < r->nvips && n < max; r->round_at++, n++) {
		struct vr_vip *vip = &r->vips[r->round_at];

		if (!can_announce(vip) || !vr_vip_in(vip))
			continue;
		announce_one(vip, r->rounds, now_ns);
		if (pause_of(vip)) /* it comes round by itself */
			vip->announce = false;
	}
	if (r->round_at < r->nvips)
		return n;
	r->round_at = 0;
	r->rounds--;
	for (i = 0; !r->rounds && i < r->nvips; i++)
		r->vips[i].announce = false;
	return n;
}

/* The VIP on @f that has waited longest: those with most announcements left come first, so all VIPs come round before any repeats. */
static struct vr_vip *next_waiting(struct vr_if *f)
{
	struct vr_vip *best = NULL;
	size_t i, k;

	for (i = 0; i < f->all->nvr; i++) {
		struct vr *r = f->all->vr[i];

		for (k = 0; k < r->nvips; k++) {
			struct vr_vip *vip = &r->vips[k];

			if (vip->dev != f || !vip->left)
				continue;
			if (r->fsm.state != FSM_ACTIVE || !vr_vip_in(vip))
				vip->left = 0;
			else if (!best || vip->left > best->left)
				best = vip;
		}
	}
	return best;
}

void vr_if_on_pace(void *arg, uint64_t now_ns)
{
	struct vr_if *f = arg;
	struct vr_vip *vip = next_waiting(f);

	if (!vip || !f->tx)
		return;
	vip->left--;
	tx_frame(f->tx, vip->frame, vip->frame_len, NULL);
	tx_flush(f->tx);
	f->garp_next_ns = now_ns + pause_of(vip);
	timer_arm(&f->all->loop->timers, &f->pace_timer, f->garp_next_ns);
}

void vr_announce_installed(struct vr *r)
{
	size_t i;

	for (i = 0; i < r->nvips; i++)
		r->vips[i].announce = vr_vip_in(&r->vips[i]);
}

/* ---- later ones ---- */

static void again(struct vr *r, unsigned int repeat)
{
	if (r->fsm.state != FSM_ACTIVE)
		return;
	vr_announce_installed(r);
	vr_announce(r, repeat);
	vr_mark(r); /* vrs_flush() sends what is queued */
}

static void arm(struct vr *r, struct timer *t, uint64_t now_ns, uint64_t after_ns)
{
	if (after_ns)
		timer_arm(&r->all->loop->timers, t, now_ns + after_ns);
}

static void on_delay(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;

	(void)now_ns;
	again(r, r->conf->garp.repeat);
}

static void on_lower(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;

	(void)now_ns;
	again(r, r->conf->garp.lower_prio_repeat);
}

static void on_refresh(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;

	again(r, r->conf->garp.refresh_repeat);
	arm(r, &r->refresh_timer, now_ns, r->conf->garp.refresh_ns);
}

/* garp_extra_if: VIPs on other interfaces than that of the adverts, where no switch learns from these. */
static void on_extra(void *arg, uint64_t now_ns)
{
	struct vr *r = arg;
	size_t i;

	arm(r, &r->extra_timer, now_ns, r->conf->garp.extra_if_ns);
	if (r->fsm.state != FSM_ACTIVE)
		return;
	for (i = 0; i < r->nvips; i++)
		r->vips[i].announce =
			vr_vip_in(&r->vips[i]) && (r->vips[i].dev != r->iface || r->conf->garp.extra_if_all);
	vr_announce(r, 1);
	vr_mark(r);
}

void vr_announce_init(struct vr *r)
{
	r->garp_timer = (struct timer){ .fn = on_delay, .arg = r };
	r->refresh_timer = (struct timer){ .fn = on_refresh, .arg = r };
	r->lower_timer = (struct timer){ .fn = on_lower, .arg = r };
	r->extra_timer = (struct timer){ .fn = on_extra, .arg = r };
}

void vr_announce_arm_periodic(struct vr *r, uint64_t now_ns)
{
	timer_cancel(&r->all->loop->timers, &r->refresh_timer);
	timer_cancel(&r->all->loop->timers, &r->extra_timer);
	arm(r, &r->refresh_timer, now_ns, r->conf->garp.refresh_ns);
	arm(r, &r->extra_timer, now_ns, r->conf->garp.extra_if_ns);
}

void vr_announce_arm(struct vr *r, uint64_t now_ns)
{
	const struct conf_garp *g = &r->conf->garp;

	arm(r, &r->garp_timer, now_ns, g->delay_ns);
	vr_announce_arm_periodic(r, now_ns);
}

void vr_announce_arm_lower(struct vr *r, uint64_t now_ns)
{
	if (r->conf->garp.lower_prio_repeat)
		arm(r, &r->lower_timer, now_ns, r->conf->garp.lower_prio_delay_ns);
}

void vr_announce_cancel(struct vr *r)
{
	struct timer *t[] = { &r->garp_timer, &r->refresh_timer, &r->lower_timer, &r->extra_timer, &r->defend_timer };
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(t); i++)
		timer_cancel(&r->all->loop->timers, t[i]);
}
