// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Somebody takes our program off an interface, or puts another one in its place (SEC-28). Put back within the same turn nothing has
 * happened: the program with its maps, timers and roles has lived on. A router whose program is not back is blind and must not hold
 * its addresses.
 */
#include "vr_int.h"

#include "decide.h"
#include "log.h"
#include "ward.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Who takes it off in a loop shall not make us join in. */
enum { TRY_BURST = 5 };
#define TRY_PERIOD_NS (1 * VX_NS_PER_S)

/* Not all that makes room for us is told: a program that was attached through a BPF link goes in silence. */
static void try_later(struct vr_if *f)
{
	timer_arm(&f->all->loop->timers, &f->xdp_timer, loop_now_ns() + TRY_PERIOD_NS);
}

static bool may_try(__u64 *bucket_ns)
{
	return decide_bucket(bucket_ns, loop_now_ns(), TRY_PERIOD_NS, TRY_BURST);
}

static void gone(struct vr_if *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void gone(struct vr_if *f, const char *fmt, ...)
{
	char text[sizeof(f->xdp_gone)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!strcmp(text, f->xdp_gone))
		return;
	memcpy(f->xdp_gone, text, sizeof(text));
	log_warn("%s: %s", f->name, text);
}

static void there(struct vr_if *f, const struct dp_seen *seen)
{
	if (f->xdp_gone[0])
		log_info("%s: the XDP program is attached again", f->name);
	f->xdp_gone[0] = '\0';
	f->xdp_other = 0;
	f->attachment.id = seen->id;
	f->attachment.shared = seen->shared;
}

enum { WHAT_LEN = 96 };

static const char *what(const struct dp_seen *seen, char buf[WHAT_LEN])
{
	if (!seen->id)
		return "somebody took the XDP program off";
	snprintf(buf, WHAT_LEN, "somebody replaced the XDP program by program %u \"%s\"", seen->id, seen->name);
	return buf;
}

static void restore(struct vr_if *f, struct dp_seen *seen)
{
	char why[DP_ERR_LEN], buf[WHAT_LEN];
	int err;

	ward_rest(); /* see vr_if_open() */
	err = dp_restore(f->all->dp, f->ifindex, why);
	if (err == -ENODEV) /* it went with the interface, as will be told */
		return;
	if (!err) {
		log_warn("%s: %s; put back", f->name, what(seen, buf));
		if (!dp_look(f->all->dp, f->ifindex, seen) && seen->ours)
			there(f, seen);
		return; /* gone again: that is told, too */
	}
	dp_look(f->all->dp, f->ifindex, seen);
	f->xdp_other = seen->id;
	if (seen->id)
		gone(f, "%s, which cannot be shared with; take it off with `ip link set dev %s %s off`",
		     what(seen, buf), f->name, seen->generic ? "xdpgeneric" : "xdp");
	else
		gone(f, "%s, and it cannot be put back: %s", what(seen, buf), why);
	try_later(f);
}

/* @asked: by the operator, who reloads. */
static void check(struct vr_if *f, bool asked)
{
	bool wait_for_it = f->all->conf->globals.replaced == CONF_REPLACED_FAULT && !asked;
	struct dp_seen seen;
	char buf[WHAT_LEN];

	if (dp_look(f->all->dp, f->ifindex, &seen)) {
		try_later(f);
	} else if (seen.ours) {
		there(f, &seen);
	} else if (wait_for_it) {
		gone(f, "%s; xdp_replaced is fault: reload to put it back", what(&seen, buf));
	} else if (seen.id && seen.id == f->xdp_other && !asked) {
		try_later(f);
	} else if (!may_try(&f->xdp_try_ns) && !asked) {
		gone(f, "%s again and again; put back when a second has passed", what(&seen, buf));
		try_later(f);
	} else {
		restore(f, &seen);
	}
}

void vr_xdp_on_link(struct vr_if *f, uint32_t xdp_id)
{
	if (f->open && !f->lower && !f->all->stopping && (xdp_id != f->attachment.id || f->xdp_gone[0]))
		check(f, false);
}

/* ---- tc egress, for the virtual MAC: without it a router works, but hosts may learn the NIC's MAC (ARP-12) ---- */

static void check_egress(struct vr_if *f)
{
	bool was = f->egress_gone;
	int err;

	f->egress_gone |= dp_egress_lost(f->all->dp, f->ifindex);
	if (!f->egress_gone)
		return;
	err = may_try(&f->egress_try_ns) ? dp_egress_attach(f->all->dp, f->ifindex) : -EAGAIN;
	f->egress_gone = err;
	if (!err)
		log_warn("%s: somebody took the program off tc egress; put back", f->name);
	else if (!was)
		log_warn("%s: somebody took the program off tc egress; put back later: %s", f->name, strerror(-err));
	if (err)
		try_later(f);
}

void vrs_on_tc_gone(void *arg, int ifindex)
{
	struct vrs *v = arg;
	size_t i;

	for (i = 0; i < v->nifs && !v->stopping; i++)
		if (v->ifs[i]->open && v->ifs[i]->ifindex == ifindex && !v->ifs[i]->lower)
			check_egress(v->ifs[i]);
}

/* ---- both ---- */

void vr_xdp_on_timer(void *arg, uint64_t now_ns)
{
	struct vr_if *f = arg;

	(void)now_ns;
	if (f->xdp_gone[0])
		check(f, false);
	if (f->egress_gone)
		check_egress(f);
	vrs_follow_all(f->all);
}

void vrs_xdp_reload(struct vrs *v)
{
	size_t i;

	for (i = 0; i < v->nifs; i++)
		if (v->ifs[i]->xdp_gone[0])
			check(v->ifs[i], true);
}

void vr_xdp_forget(struct vr_if *f)
{
	timer_cancel(&f->all->loop->timers, &f->xdp_timer);
	f->xdp_gone[0] = '\0';
	f->xdp_other = 0;
	f->egress_gone = false;
}
