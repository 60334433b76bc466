// SPDX-License-Identifier: GPL-2.0-or-later
/* True time, machines' clocks, the queue of events, the link. */
#include "sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sim sim;
enum mutant mutant;
bool skew_in_cs;

/* ---- chance: splitmix64, the same on every machine ---- */

static uint64_t next(void)
{
	uint64_t z = sim.rng += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t rnd(uint64_t n)
{
	return (uint64_t)((unsigned __int128)next() * n >> 64);
}

uint64_t between(uint64_t lo, uint64_t hi)
{
	return lo + rnd(hi - lo + 1);
}

bool chance(unsigned int of_256)
{
	return next() >> 56 < of_256;
}

/* ---- clocks ---- */

static uint64_t clock_at(const struct clock *c, uint64_t at_ns)
{
	int64_t dt = (int64_t)(at_ns - c->true0_ns);

	return c->local0_ns + (uint64_t)(dt + dt / 1000 * c->ppb / 1000000);
}

uint64_t local_ns(const struct router *r)
{
	return clock_at(&r->clock, sim.now_ns);
}

uint64_t true_ns(const struct router *r, uint64_t at_ns)
{
	int64_t dt = (int64_t)(at_ns - r->clock.local0_ns);
	uint64_t t = r->clock.true0_ns + (uint64_t)(dt - dt / 1000 * r->clock.ppb / 1000000);

	while (clock_at(&r->clock, t) >= at_ns && t > sim.now_ns)
		t -= clock_at(&r->clock, t) - at_ns + 1;
	while (clock_at(&r->clock, t) < at_ns)
		t += at_ns - clock_at(&r->clock, t);
	return t > sim.now_ns ? t : sim.now_ns;
}

void clock_set(struct router *r, uint64_t at_ns, int64_t ppb)
{
	r->clock = (struct clock){ .true0_ns = sim.now_ns, .local0_ns = at_ns, .ppb = ppb };
}

/* ---- events ---- */

static bool earlier(const struct event *a, const struct event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void push(const struct event *ev)
{
	unsigned int i, up;

	if (sim.nheap == sim.cap) {
		sim.cap = sim.cap ? 2 * sim.cap : 256;
		sim.heap = realloc(sim.heap, sim.cap * sizeof(*sim.heap));
		if (!sim.heap)
			abort();
	}
	for (i = sim.nheap++; i && earlier(ev, &sim.heap[up = (i - 1) / 2]); i = up)
		sim.heap[i] = sim.heap[up];
	sim.heap[i] = *ev;
}

static struct event pop(void)
{
	struct event top = sim.heap[0], last = sim.heap[--sim.nheap];
	unsigned int i = 0, kid;

	while ((kid = 2 * i + 1) < sim.nheap) {
		if (kid + 1 < sim.nheap && earlier(&sim.heap[kid + 1], &sim.heap[kid]))
			kid++;
		if (!earlier(&sim.heap[kid], &last))
			break;
		sim.heap[i] = sim.heap[kid];
		i = kid;
	}
	if (sim.nheap)
		sim.heap[i] = last;
	return top;
}

void event_at(uint64_t at_ns, enum sim_ev type, const struct router *r, uint32_t gen)
{
	struct event ev = { .at_ns = at_ns, .order = sim.order++, .type = type, .who = r ? r->id : 0, .gen = gen };

	push(&ev);
}

/* ---- the link ---- */

static void harm(struct link *l, uint64_t at_ns)
{
	if (at_ns > l->harm_ns)
		l->harm_ns = at_ns;
}

static void frame_at(uint64_t at_ns, unsigned int to, const struct frame *f)
{
	struct event ev = { .at_ns = at_ns, .order = sim.order++, .type = EV_FRAME, .who = to, .frame = *f };

	if (at_ns > sim.arrives_ns)
		sim.arrives_ns = at_ns;
	push(&ev);
}

static void link_send(unsigned int to, const struct frame *f)
{
	struct link *l = &sim.link[f->src][to];
	uint64_t at_ns = sim.now_ns + between(sim.delay_min_ns, sim.delay_max_ns);

	if (l->cut || (l->loss && chance(l->loss))) {
		harm(l, sim.now_ns);
		return;
	}
	if (l->late && chance(l->late)) {
		at_ns += rnd(l->late_max_ns);
		harm(l, at_ns);
	}
	frame_at(at_ns, to, f);
	if (l->dup && chance(l->dup)) {
		at_ns += rnd(l->late_max_ns);
		harm(l, at_ns);
		frame_at(at_ns, to, f);
	}
}

/* An advert of @r, as the interval and the priority are now; 0: that it leaves. */
void send_advert(struct router *r, uint8_t priority)
{
	struct frame f = { .src = r->id,
			   .priority = priority,
			   .adver_ns = r->fsm.adver_ns,
			   .sent_ns = sim.now_ns,
			   .serial = ++sim.serial };
	unsigned int i;

	trace(r, "sends priority %u", priority);
	check_sent(r, priority);
	for (i = 0; i < sim.n; i++)
		if (i != r->id)
			link_send(i, &f);
}

/* ---- machines ---- */

void timer_follow(struct router *r)
{
	if (r->dp.timer_ns == r->timer_ns)
		return;
	r->timer_ns = r->dp.timer_ns;
	r->timer_gen++;
	if (r->timer_ns)
		event_at(true_ns(r, r->timer_ns), EV_TIMER, r, r->timer_gen);
}

static void stall_end(struct router *r)
{
	r->stalled_ns = 0;
	check_disturbed(r);
	r->timer_ns = 0; /* its clock may have stood still */
	r->wake_ns = NEVER;
	r->ctl_gen++;
	timer_follow(r);
	trace(r, "its machine goes on");
	r->missed = true;
	if (!r->runs || r->frozen)
		return;
	if (r->phase == PHASE_IDLE)
		ctl_follow(r);
	else
		event_at(sim.now_ns + rnd(WAKE_MAX_NS), EV_CTL, r, r->ctl_gen);
}

/* @clock_stops: as that of a guest whose host has paused it. */
void stall(struct router *r, uint64_t for_ns, bool keeps, bool clock_stops)
{
	uint64_t at_ns = local_ns(r);

	trace(r, "its machine stands still for %.3f ms%s", for_ns / 1e6, clock_stops ? ", its clock too" : "");
	r->stalled_ns = sim.now_ns + for_ns;
	r->stall_keeps = keeps;
	r->paused_ns = clock_stops ? r->stalled_ns : r->paused_ns;
	if (clock_stops)
		r->clock = (struct clock){ .true0_ns = r->stalled_ns, .local0_ns = at_ns, .ppb = r->clock.ppb };
	event_at(r->stalled_ns, EV_THAW, r, UINT32_MAX);
}

static void receive(struct router *r, const struct event *ev)
{
	const struct frame *f = &ev->frame;
	uint64_t lost;

	if (!r->up || r->dp.role == VX_ROLE_INIT || (r->stalled_ns && !r->stall_keeps)) {
		harm(&sim.link[f->src][r->id], sim.now_ns);
		return;
	}
	if (r->stalled_ns) {
		harm(&sim.link[f->src][r->id], r->stalled_ns + WAKE_MAX_NS);
		frame_at(r->stalled_ns + rnd(WAKE_MAX_NS), r->id, f);
		return;
	}
	trace(r, "hears priority %u of R%u, sent %.3f ms ago", f->priority, f->src, (sim.now_ns - f->sent_ns) / 1e6);
	check_heard(r, f);
	skew_in_cs = r->skew_in_cs;
	lost = r->dp.counters.c[VX_CTR_EV_LOST];
	dp_rx(&r->dp, local_ns(r), f->priority, f->adver_ns, &sim.r[f->src].addr);
	if (r->dp.counters.c[VX_CTR_EV_LOST] != lost) /* the controller has not heard it: its ring is full */
		harm(&sim.link[f->src][r->id], sim.now_ns);
	check_yields(r, f);
	timer_follow(r);
	ctl_follow(r);
}

static void fire(struct router *r)
{
	r->timer_ns = 0;
	if (r->dp.nring == r->dp.ring_room && (!r->runs || r->frozen) && r->dp.watch.deadline_ns <= local_ns(r))
		return; /* it finds the ring full every millisecond until the controller is back, see ctl_thaw() */
	skew_in_cs = r->skew_in_cs;
	dp_fire(&r->dp, local_ns(r));
	timer_follow(r);
	ctl_follow(r);
}

static void happen(const struct event *ev)
{
	struct router *r = &sim.r[ev->who];

	switch ((enum sim_ev)ev->type) {
	case EV_FRAME:
		receive(r, ev);
		break;
	case EV_TIMER:
		if (r->up && !r->stalled_ns && ev->gen == r->timer_gen)
			fire(r);
		break;
	case EV_CTL:
		if (r->up && !r->stalled_ns && ev->gen == r->ctl_gen)
			ctl_go(r);
		break;
	case EV_GUARD:
		if (r->up && ev->gen == r->guard_gen)
			guard_go(r);
		break;
	case EV_THAW:
		if (ev->gen != UINT32_MAX)
			ctl_thaw(r);
		else if (r->up && r->stalled_ns && r->stalled_ns <= sim.now_ns)
			stall_end(r);
		break;
	case EV_PLAN:
		plan_go();
		break;
	}
}

void world_reset(void)
{
	struct sim old = sim;

	memset(&sim, 0, sizeof(sim));
	sim.heap = old.heap;
	sim.cap = old.cap;
	sim.trace = old.trace;
	sim.stats = old.stats;
	sim.now_ns = 1000 * S;
	sim.settled_ns = NEVER;
}

void world_run(void)
{
	uint64_t from_ns = sim.now_ns;

	while (!sim.over && !sim.failure[0] && sim.nheap) {
		struct event ev = pop();

		check_before(ev.at_ns);
		sim.now_ns = ev.at_ns;
		happen(&ev);
		check_after();
		sim.stats.events++;
	}
	sim.stats.virtual_ns += sim.now_ns - from_ns;
}

void trace_line(const struct router *r, const char *fmt, ...)
{
	va_list ap;

	printf("%15.6f ms  ", (sim.now_ns - 1000 * S) / 1e6);
	if (r)
		printf("R%u %-10s ", r->id, r->up ? fsm_state_name(r->fsm.state) : "off");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}
