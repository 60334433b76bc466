// SPDX-License-Identifier: GPL-2.0-or-later
/* An episode: routers as a seed has them, rounds of faults, and after each round that everything heals. */
#include "sim.h"

#include <string.h>

enum { ROUNDS = 8 };

/* ---- the routers ---- */

static const uint64_t intervals_3[] = { 10 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS,  200 * MS,
					S,       S,       3 * S,   10 * S,  40950 * MS };
static const uint64_t intervals_2[] = { S, S, S, 2 * S, 5 * S, 10 * S, 255 * S };
static const uint64_t delays[] = { 2 * US, 20 * US, 100 * US, 500 * US };
static const uint64_t handovers[] = { 100 * US, MS, 5 * MS, 50 * MS };

#define PICK(a) ((a)[rnd(VX_ARRAY_LEN(a))])

/* Intervals may differ in version 3 only (RX-27); not by more than what can be waited for. */
static uint64_t another_interval(uint64_t adver_ns)
{
	uint64_t more_ns = adver_ns * between(1, 10);

	return more_ns > 40950 * MS ? adver_ns : more_ns;
}

static uint8_t a_priority(void)
{
	return chance(24) ? 254 + rnd(2) : chance(16) ? 1 : chance(64) ? 100 : between(2, 253);
}

static void configure(struct router *r, uint64_t adver_ns, bool mixed)
{
	struct fsm *c = &r->conf;

	c->version = sim.version;
	c->priority = a_priority();
	c->down_adverts = sim.down_adverts;
	c->preempt = c->priority == 255 || !chance(64);
	c->lower_prio_no_advert = chance(24);
	c->higher_prio_send_advert = chance(24);
	c->src = r->addr = vx_addr4(VX_BE32(0x0a000000U + (r->id * 37 + 11) % 7 * 0x01010001U));
	c->adver_ns = mixed ? another_interval(adver_ns) : adver_ns;
	if (c->preempt && c->priority < 255 && chance(48))
		c->preempt_delay_ns = rnd(10 * adver_ns);
	if (chance(64))
		c->max_adver_ns = 40950 * MS;
	r->adver_max_ns = c->adver_ns;
	r->skew_in_cs = sim.version == 3 && sim.down_adverts == 3 && chance(32);
	r->dp.ring_room = chance(48) ? between(1, 3) : DP_RING_MAX;
	clock_set(r, between(1, 1000) * S, (int64_t)rnd(200001) - 100000);
	r->wake_ns = NEVER;
}

static void configure_all(void)
{
	uint64_t adver_ns, handover_ns;
	bool mixed, mixed_handover;
	unsigned int i;

	sim.n = chance(128) ? 2 : between(2, SIM_ROUTERS);
	sim.version = chance(80) ? 2 : 3;
	sim.down_adverts = chance(16) ? between(1, 5) : 3;
	sim.guardian = chance(128);
	adver_ns = sim.version == 2 ? PICK(intervals_2) : PICK(intervals_3);
	if (sim.down_adverts == 1 && sim.version == 2 && adver_ns > 5 * S) /* clocks run apart by more than the skew */
		adver_ns = 5 * S;
	mixed = sim.version == 3 && chance(96);
	handover_ns = chance(96) ? PICK(handovers) : 0;
	mixed_handover = chance(64);
	sim.delay_max_ns = PICK(delays);
	sim.delay_min_ns = sim.delay_max_ns / between(1, 4);
	for (i = 0; i < sim.n; i++) {
		sim.r[i].id = i;
		configure(&sim.r[i], adver_ns, mixed);
		sim.r[i].conf.handover_ns = mixed_handover && chance(128) ? 0 : handover_ns;
		if (sim.r[i].conf.adver_ns > sim.adver_max_ns)
			sim.adver_max_ns = sim.r[i].conf.adver_ns;
	}
}

/* ---- faults ---- */

static struct router *victim(void)
{
	unsigned int i;

	for (i = 0; i < sim.n && chance(240); i++)
		if (sim.r[i].runs && sim.r[i].fsm.state == FSM_ACTIVE)
			return &sim.r[i];
	return &sim.r[rnd(sim.n)];
}

/* Shorter than an interval, as long as the others wait, or much longer. */
static uint64_t a_while(const struct router *r)
{
	uint64_t adver_ns = r->fsm.adver_ns ? r->fsm.adver_ns : MS;

	return 1 + rnd((chance(64) ? 1 : chance(128) ? 4 : 12) * adver_ns);
}

static void crash(struct router *r)
{
	if (!r->up)
		return;
	trace(r, "its machine crashes");
	ctl_kill(r);
	r->up = false;
	r->dp.role = VX_ROLE_INIT;
	r->fsm.state = FSM_INITIALIZE;
}

static void cut(unsigned int from, unsigned int to, bool cut)
{
	trace(&sim.r[from], "%s R%u%s", cut ? "is not heard by" : "is heard by", to, cut ? " any more" : "");
	sim.link[from][to].cut = cut;
}

static void partition(void)
{
	uint64_t side = rnd(1U << sim.n);
	unsigned int i, k;

	for (i = 0; i < sim.n; i++)
		for (k = 0; k < sim.n; k++)
			if (i != k && (side >> i & 1) != (side >> k & 1))
				cut(i, k, true);
}

static void isolate(struct router *r)
{
	bool out = chance(160), in = !out || chance(160);
	unsigned int i;

	for (i = 0; i < sim.n; i++) {
		if (i == r->id)
			continue;
		if (out)
			cut(r->id, i, true);
		if (in)
			cut(i, r->id, true);
	}
}

static void impair(void)
{
	uint8_t loss = chance(128) ? rnd(256) : 0, late = chance(128) ? rnd(256) : 0, dup = chance(96) ? rnd(256) : 0;
	uint64_t late_ns = 1 + rnd(3 * sim.adver_max_ns);
	unsigned int i, k;

	trace(NULL, "the link loses %u, delays %u, repeats %u of 256 by up to %.3f ms", loss, late, dup, late_ns / 1e6);
	for (i = 0; i < sim.n; i++)
		for (k = 0; k < sim.n; k++) {
			struct link *l = &sim.link[i][k];

			l->loss = loss;
			l->late = late;
			l->dup = dup;
			l->late_max_ns = late_ns;
		}
}

/* Between two system calls of its next turn that has something to do. */
static void freeze_in_turn(struct router *r)
{
	r->freeze_in = between(PHASE_STAMP, PHASE_END);
	r->freeze_for_ns = a_while(r);
}

static void reload(struct router *r)
{
	uint8_t priority = r->conf.priority < 255 && chance(192) ? between(1, 254) : r->conf.priority;
	uint64_t adver_ns = r->conf.adver_ns;

	if (sim.version == 3 && chance(96)) {
		adver_ns = between(1, sim.adver_max_ns / (10 * MS)) * (10 * MS);
		if (adver_ns * 10 < sim.adver_max_ns)
			adver_ns = sim.adver_max_ns;
	}
	ctl_reload(r, priority, adver_ns);
	if (chance(32))
		freeze_in_turn(r);
}

static void fault_controller(struct router *r)
{
	switch (rnd(8)) {
	case 0:
	case 1:
		ctl_kill(r);
		break;
	case 2:
	case 3:
		ctl_stop(r);
		break;
	case 4:
	case 5:
		ctl_freeze(r, a_while(r));
		break;
	case 6:
		freeze_in_turn(r);
		break;
	case 7:
		trace(r, "cannot send");
		r->send_fails_ns = sim.now_ns + a_while(r);
		break;
	}
}

static void fault(void)
{
	struct router *r = victim();

	if (!r->runs) {
		if (chance(192))
			ctl_start(r);
		return;
	}
	if (chance(128)) {
		if (!r->frozen && !r->stalled_ns)
			fault_controller(r);
		return;
	}
	switch (rnd(8)) {
	case 0:
		crash(r);
		break;
	case 1:
		if (!r->stalled_ns)
			stall(r, a_while(r), chance(128), chance(64));
		break;
	case 2:
		isolate(r);
		break;
	case 3:
		partition();
		break;
	case 4:
		impair();
		break;
	case 5:
		cut(rnd(sim.n), rnd(sim.n), chance(160));
		break;
	case 6:
	case 7:
		reload(r);
		break;
	}
}

/* ---- the plan ---- */

/* Everything works again, now or when the last late advert has come in. Returns from when on. */
static uint64_t heal(void)
{
	uint64_t at_ns = sim.now_ns;
	struct router *r;
	unsigned int i, k;

	for (i = 0; i < sim.n; i++)
		for (k = 0; k < sim.n; k++)
			sim.link[i][k] = (struct link){ .harm_ns = sim.link[i][k].harm_ns };
	if (sim.arrives_ns > at_ns)
		at_ns = sim.arrives_ns;
	for (r = sim.r; r < sim.r + sim.n; r++) {
		r->freeze_in = PHASE_IDLE;
		if (r->send_fails_ns > sim.now_ns)
			r->send_fails_ns = sim.now_ns;
		if (r->stalled_ns > at_ns)
			at_ns = r->stalled_ns;
		ctl_thaw(r);
		if (!r->runs && (chance(224) || r == sim.r))
			ctl_start(r);
	}
	return at_ns + WAKE_MAX_NS + sim.delay_max_ns;
}

/* 2: how long it takes at most until exactly one is Active: all others have to give up first, and then one to be heard. */
static uint64_t settle_ns(void)
{
	uint64_t skew_ns = sim.version == 2 ? S : sim.adver_max_ns, ns;

	ns = sim.down_adverts * sim.adver_max_ns + skew_ns + sim.adver_max_ns;
	return ns + DRIFT(ns) + 2 * (sim.delay_max_ns + REACT_MAX_NS) + MS;
}

static void begin_quiet(void)
{
	uint64_t at_ns = heal(), delay_ns = 0;
	unsigned int i;

	for (i = 0; i < sim.n; i++)
		if (sim.r[i].conf.preempt_delay_ns > delay_ns)
			delay_ns = sim.r[i].conf.preempt_delay_ns;
	sim.settled_ns = at_ns + settle_ns();
	sim.preempted_ns = sim.settled_ns + settle_ns() + delay_ns + DRIFT(delay_ns);
	trace(NULL, "healed; exactly one is Active from %.6f ms on", (sim.settled_ns - 1000 * S) / 1e6);
	sim.quiet = true;
	event_at(chance(96) ? sim.preempted_ns : sim.settled_ns + rnd(sim.adver_max_ns), EV_PLAN, NULL, 0);
}

static void end_quiet(void)
{
	check_settled();
	sim.quiet = false;
	sim.settled_ns = NEVER;
	sim.stats.rounds++;
	sim.over = ++sim.rounds == ROUNDS;
	sim.faults = between(1, 12);
}

void plan_go(void)
{
	const struct router *r = victim();

	if (sim.quiet)
		end_quiet();
	if (sim.over)
		return;
	if (!sim.faults) {
		begin_quiet();
		return;
	}
	sim.faults--;
	fault();
	event_at(sim.now_ns + rnd((chance(64) ? 1 : 5) * (r->adver_max_ns + 1)), EV_PLAN, NULL, 0);
}

void episode(uint64_t seed)
{
	unsigned int i;

	world_reset();
	sim.seed = sim.rng = seed;
	sim.stats.episodes++;
	configure_all();
	for (i = 0; i < sim.n; i++)
		ctl_start(&sim.r[i]);
	sim.faults = between(1, 12);
	event_at(sim.now_ns + settle_ns(), EV_PLAN, NULL, 0);
	world_run();
}
