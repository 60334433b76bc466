// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of tests/packets.h over the BPF program compiled natively, under ASan and UBSan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/shim/program.h"
#include "tests/packets.h"
#include "tests/shim/dp.h"

#define NOW_NS (1000 * VX_NS_PER_S)

static void snapshot(struct vx_vr_watch *to)
{
	__u32 slot;

	for (slot = 0; slot < SLOTS; slot++)
		to[slot] = *(struct vx_vr_watch *)bpf_map_lookup_elem(&vr_watch, &slot);
}

static void count_moved(struct vx_counters *to)
{
	__u32 row;

	for (row = 0; row < ROWS; row++)
		to[row] = *(struct vx_counters *)bpf_map_lookup_elem(&counters, &row);
}

static void run(struct outcome *o, const struct frame *in)
{
	snapshot(o->before);
	o->t0_ns = o->t1_ns = shim.now_ns;
	o->out = *in;
	o->action = (__u32)shim_run(o->out.b, o->out.len, IFINDEX);
	snapshot(o->after);
	count_moved(o->moved);
	o->nev = shim.nev;
	memcpy(o->ev, shim.ev, sizeof(o->ev));
}

static void packet_is_handled_as_the_table_says(void **state)
{
	const struct packet_case *c = *state;
	static struct outcome o;
	static struct frame in;

	frame_build(&in, &c->frame);
	shim_reset(NOW_NS);
	scenario_load(&shim_dp, &c->in, NOW_NS);
	shim.now_ns += 5 * VX_NS_PER_MS;
	run(&o, &in);
	assert_true(packet_check(c, &in, &o));
}

static void frame_leaves_as_the_table_says(void **state)
{
	const struct egress_case *c = *state;
	static struct frame in, out, want;

	frame_build(&in, &c->frame);
	frame_build(&want, c->out.kind == FRAME_NONE ? &c->frame : &c->out);
	shim_reset(NOW_NS);
	scenario_load(&shim_dp, &c->in, NOW_NS);
	out = in;
	assert_int_equal(shim_run_egress(out.b, out.len, IFINDEX), -1);
	assert_memory_equal(out.b, want.b, want.len);
	assert_int_equal(shim_run_egress(in.b, in.len, IFINDEX_OTHER), -1);
	frame_build(&want, &c->frame);
	assert_memory_equal(in.b, want.b, want.len);
}

/* SEC-10, SEC-12: ASan watches; what the program does with half a frame is at most to drop it. */
static void every_frame_cut_at_every_byte_is_read_within_its_bounds(void **state __attribute__((unused)))
{
	static struct frame in, cut;
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(packet_cases); i++) {
		frame_build(&in, &packet_cases[i].frame);
		shim_reset(NOW_NS);
		scenario_load(&shim_dp, &packet_cases[i].in, NOW_NS);
		for (cut = in; cut.len > 0; cut.len--) {
			int action = shim_run(cut.b, cut.len, IFINDEX);

			assert_true(action == XDP_PASS || action == XDP_DROP || action == XDP_TX);
			memcpy(cut.b, in.b, in.len);
			shim.nev = 0;
			shim.ring_room = SHIM_EVENTS;
		}
	}
}

static const struct packet_case backup = { "", IN_BACKUP(), ADVERT3(), GOOD3 };
static const struct packet_case active = { "", IN_ACTIVE(), ARP(), ANSWERED };

static void start(const struct packet_case *c)
{
	shim_reset(NOW_NS);
	scenario_load(&shim_dp, &c->in, NOW_NS);
}

static int deliver_on(const struct frame_desc *d, __u32 ifindex)
{
	static struct frame f;

	frame_build(&f, d);
	return shim_run(f.b, f.len, ifindex);
}

static int deliver(const struct frame_desc *d)
{
	return deliver_on(d, IFINDEX);
}

static void set_role(__u64 role)
{
	__u32 slot = SLOT;

	shim_put(&vr_role, &slot, &role);
}

static const struct vx_vr_watch *watch(void)
{
	__u32 slot = SLOT;

	return bpf_map_lookup_elem(&vr_watch, &slot);
}

static __u64 counted(enum vx_ctr ctr)
{
	struct vx_counters *n;
	__u32 slot = SLOT;

	n = bpf_map_lookup_elem(&counters, &slot);
	return n->c[ctr];
}

static __u32 filter_bit6(const char *text)
{
	struct in6_addr a = frame_addr6(text);
	struct vx_addr addr = ip6_addr(a.s6_addr);

	return vx_filter_bit6(&addr);
}

/* Rows of the table count on it. */
static void the_address_that_collides_has_the_bit_of_a_vip(void **state __attribute__((unused)))
{
	assert_int_equal(vx_filter_bit(VX_BE32(ADDR_COLLIDES)), vx_filter_bit(VX_BE32(ADDR_VIP)));
	assert_int_not_equal(vx_filter_bit(VX_BE32(ADDR_STRANGER)), vx_filter_bit(VX_BE32(ADDR_VIP)));
	assert_int_equal(filter_bit6(A6_COLLIDES), filter_bit6(A6_VIP));
	assert_int_not_equal(filter_bit6(A6_STRANGER), filter_bit6(A6_VIP));
}

static void lease_lapses_at_its_very_nanosecond(void **state __attribute__((unused)))
{
	start(&active);
	set_role(NOW_NS + 1);
	assert_int_equal(deliver(&active.frame), XDP_TX);
	set_role(NOW_NS);
	assert_int_equal(deliver(&active.frame), XDP_DROP);
}

static __u64 role(void)
{
	__u32 slot = SLOT;

	return *(__u64 *)bpf_map_lookup_elem(&vr_role, &slot);
}

/* FSM-A4 before the controller runs: it may stand still, with a lease of three intervals. */
static void a_better_routers_advert_ends_the_lease(void **state __attribute__((unused)))
{
	static const struct frame_desc higher = ADVERT3(.priority = 91), lower = ADVERT3(.priority = 89),
				       tcp = PACKET();

	start(&active);
	assert_int_equal(deliver(&lower), XDP_DROP);
	assert_int_equal(deliver(&active.frame), XDP_TX);
	assert_int_equal(deliver(&tcp), XDP_PASS);
	assert_int_equal(deliver(&higher), XDP_DROP);
	assert_int_equal(deliver(&active.frame), XDP_DROP);
	assert_int_equal(deliver(&tcp), XDP_DROP);
	assert_int_equal(role(), NOW_NS);
}

/* A router that is just becoming Active swaps the lease in for this very word. */
static void a_better_routers_advert_is_seen_by_one_that_has_no_lease_yet(void **state __attribute__((unused)))
{
	static const struct frame_desc higher = ADVERT3(.priority = 91);

	start(&active);
	set_role(VX_ROLE_ACTIVE_MIN);
	deliver(&higher);
	assert_int_equal(role(), NOW_NS);
	start(&backup);
	deliver(&higher);
	assert_int_equal(role(), VX_ROLE_BACKUP);
}

/* owner_ignore_adverts */
static void one_that_yields_to_nobody_keeps_its_lease(void **state __attribute__((unused)))
{
	static const struct frame_desc higher = ADVERT3(.priority = 91);
	struct vx_vr_config cfg;
	__u32 slot = SLOT;

	start(&active);
	cfg = *(struct vx_vr_config *)bpf_map_lookup_elem(&vr_config, &slot);
	cfg.flags |= VX_CFG_DEAF;
	shim_put(&vr_config, &slot, &cfg);
	deliver(&higher);
	assert_int_equal(deliver(&active.frame), XDP_TX);
}

static void an_advert_that_moves_the_deadline_later_leaves_the_timer_alone(void **state __attribute__((unused)))
{
	__u32 starts, slot = SLOT;
	struct vx_timer_cmd arm = { .op = VX_TIMER_ARM,
				    .slot = SLOT,
				    .deadline_ns = NOW_NS + VX_NS_PER_S,
				    .adver_ns = VX_NS_PER_S,
				    .src = { .w = { VX_BE32(ADDR_PEER) } },
				    .priority = 100 };
	struct vx_vr_watch *w;

	start(&backup);
	vx_timer(&arm);
	w = bpf_map_lookup_elem(&vr_watch, &slot);
	starts = shim_timer_of(&w->timer)->starts;
	shim.now_ns += VX_NS_PER_MS;
	deliver(&backup.frame);
	assert_int_equal(shim_timer_of(&w->timer)->starts, starts);
	assert_int_equal(w->deadline_ns, shim.now_ns + DOWN_90);

	/* it fires for the old deadline, says nothing and goes on for the rest */
	assert_true(shim_fire(SLOT));
	assert_int_equal(shim.now_ns, NOW_NS + VX_NS_PER_S - VX_LEAD_NS);
	assert_int_equal(shim.nev, 0);
	assert_int_equal(shim_timer_of(&w->timer)->at_ns, w->deadline_ns - VX_LEAD_NS);

	/* the controller is woken ahead of the deadline, and told again behind it, should it not have got there */
	assert_true(shim_fire(SLOT));
	assert_int_equal(shim.nev, 1);
	assert_int_equal(shim.ev[0].type, VX_EV_SOON);
	assert_int_equal(shim.ev[0].slot, SLOT);
	assert_int_equal(shim.ev[0].at_ns, w->deadline_ns);
	assert_true(shim_fire(SLOT));
	assert_int_equal(shim.now_ns, w->deadline_ns + VX_FALLBACK_NS);
	assert_int_equal(shim.nev, 2);
	assert_int_equal(shim.ev[1].type, VX_EV_DOWN);
	assert_int_equal(shim.ev[1].slot, SLOT);
	assert_int_equal(shim.ev[1].at_ns, w->deadline_ns);
	assert_int_equal(shim.ev[1].src.w[0], VX_BE32(ADDR_PEER));
	assert_int_equal(shim.ev[1].priority, 100);
	assert_int_equal(shim.ev[1].adver_ns, VX_NS_PER_S);
	assert_false(shim_fire(SLOT)); /* once */

	deliver(&backup.frame);
	assert_int_equal(shim_timer_of(&w->timer)->at_ns, shim.now_ns + DOWN_90 - VX_LEAD_NS);
}

static void hand_over_on_another_cpu(void)
{
	__u32 slot = SLOT;
	struct vx_vr_watch *w = bpf_map_lookup_elem(&vr_watch, &slot);

	w->deadline_ns =
		shim.now_ns + SKEW_90; /* it saw no timer armed and started one, which ours has just replaced */
}

static void priority_0_is_not_lost_while_the_timer_is_started_again(void **state __attribute__((unused)))
{
	start(&backup);
	deliver(&backup.frame);
	shim.now_ns += VX_NS_PER_S;
	deliver(&backup.frame);
	shim.at_start = hand_over_on_another_cpu;
	assert_true(shim_fire(SLOT));
	assert_null(shim.at_start);
	assert_int_equal(shim.nev, 0);
	assert_true(shim_fire(SLOT));
	assert_int_equal(shim.nev, 1);
	assert_int_equal(shim.ev[0].type, VX_EV_SOON);
	assert_int_equal(shim.ev[0].at_ns, NOW_NS + DOWN_90 - VX_LEAD_NS + SKEW_90);
	assert_int_equal(shim.now_ns, shim.ev[0].at_ns - VX_LEAD_NS);
}

/* As before, but the hand-over falls into the moment in which the controller is told. */
static void priority_0_is_not_lost_while_the_controller_is_woken(void **state __attribute__((unused)))
{
	start(&backup);
	deliver(&backup.frame);
	shim.at_start = hand_over_on_another_cpu;
	assert_true(shim_fire(SLOT));
	assert_int_equal(shim.ev[0].type, VX_EV_SOON);
	assert_true(shim_fire(SLOT)); /* the fallback of the old deadline: early for the new one */
	assert_int_equal(shim.nev, 1);
	assert_int_equal(watch()->deadline_ns, NOW_NS + DOWN_90 - VX_LEAD_NS + SKEW_90);
	assert_int_equal(watch()->fire_ns, watch()->deadline_ns - VX_LEAD_NS);
}

/* KA-22: counted from the first lower one; one that is not lower begins anew. */
static void preemption_waits_its_delay_from_the_first_lower_advert_on(void **state __attribute__((unused)))
{
	static const struct packet_case delayed = { "", IN_BACKUP(.preempt_delay_ns = VX_NS_PER_S), ADVERT3(), GOOD3 };
	static const struct frame_desc lower = ADVERT3(.priority = 89), equal = ADVERT3(.priority = 90);
	__u64 deadline_ns;

	start(&delayed);
	deliver(&lower);
	assert_int_equal(watch()->deadline_ns, NOW_NS + DOWN_90);
	assert_int_equal(watch()->priority, 89);
	shim.now_ns = NOW_NS + VX_NS_PER_S - 1;
	deliver(&lower);
	assert_int_equal(watch()->deadline_ns, shim.now_ns + DOWN_90);
	shim.now_ns++;
	deadline_ns = watch()->deadline_ns;
	deliver(&lower);
	assert_int_equal(watch()->deadline_ns, deadline_ns);
	assert_int_equal(watch()->last_ns, shim.now_ns - 1);

	deliver(&equal);
	assert_int_equal(watch()->deadline_ns, shim.now_ns + DOWN_90);
	shim.now_ns++;
	deliver(&lower);
	assert_int_equal(watch()->deadline_ns, shim.now_ns + DOWN_90);
	shim.now_ns += VX_NS_PER_S;
	deliver(&lower);
	assert_int_equal(watch()->deadline_ns, shim.now_ns - VX_NS_PER_S + DOWN_90);
}

/* FSM-11 */
static void a_shift_moves_the_deadline_and_the_timer_only_where_it_would_be_late(void **state __attribute__((unused)))
{
	struct vx_timer_cmd later = { .op = VX_TIMER_SHIFT, .slot = SLOT, .deadline_ns = VX_NS_PER_MS },
			    earlier = { .op = VX_TIMER_SHIFT, .slot = SLOT, .deadline_ns = -2 * VX_NS_PER_MS },
			    cancel = { .op = VX_TIMER_CANCEL, .slot = SLOT };
	__u64 at_ns = NOW_NS + DOWN_90;

	start(&backup);
	deliver(&backup.frame);
	vx_timer(&later);
	assert_int_equal(watch()->deadline_ns, at_ns + VX_NS_PER_MS);
	assert_int_equal(watch()->fire_ns, at_ns - VX_LEAD_NS);
	vx_timer(&earlier);
	assert_int_equal(watch()->deadline_ns, at_ns - VX_NS_PER_MS);
	assert_int_equal(watch()->fire_ns, at_ns - VX_NS_PER_MS - VX_LEAD_NS);
	assert_int_equal(watch()->last_ns, NOW_NS);
	vx_timer(&cancel);
	vx_timer(&later);
	assert_int_equal(watch()->deadline_ns, 0);
	assert_true(shim_fire(SLOT)); /* for nothing: see a_timer_cancelled_stays_silent_until_armed_again */
	assert_int_equal(shim.nev, 0);
	assert_false(shim_fire(SLOT));
}

/* ---- slots that share a timer ---- */

enum { SHARES = SLOT + 1 };

static void arm_slot(__u32 slot, __u64 deadline_ns)
{
	struct vx_timer_cmd cmd = {
		.op = VX_TIMER_ARM, .slot = slot, .deadline_ns = deadline_ns, .adver_ns = VX_NS_PER_S
	};

	assert_int_equal(vx_timer(&cmd), 0);
}

static void assert_told(__u32 i, enum vx_ev type, __u32 slot, __u64 deadline_ns)
{
	assert_true(shim.nev > i);
	assert_int_equal(shim.ev[i].type, type);
	assert_int_equal(shim.ev[i].slot, slot);
	assert_int_equal(shim.ev[i].at_ns, deadline_ns);
}

static void routers_that_share_a_timer_are_told_each_at_its_own_time(void **state __attribute__((unused)))
{
	const __u64 early_ns = NOW_NS + VX_NS_PER_S, late_ns = early_ns + 10 * VX_NS_PER_MS;
	__u32 first;

	for (first = 0; first < 2; first++) { /* whichever is armed first */
		start(&backup);
		arm_slot(first ? SLOT : SHARES, late_ns);
		arm_slot(first ? SHARES : SLOT, early_ns);
		assert_int_equal(watch()->fire_ns, early_ns - VX_LEAD_NS);
		assert_true(shim_fire(SLOT));
		assert_told(0, VX_EV_SOON, first ? SHARES : SLOT, early_ns);
		assert_true(shim_fire(SLOT));
		assert_told(1, VX_EV_DOWN, first ? SHARES : SLOT, early_ns);
		assert_true(shim_fire(SLOT));
		assert_told(2, VX_EV_SOON, first ? SLOT : SHARES, late_ns);
		assert_int_equal(shim.now_ns, late_ns - VX_LEAD_NS);
		assert_true(shim_fire(SLOT));
		assert_told(3, VX_EV_DOWN, first ? SLOT : SHARES, late_ns);
		assert_false(shim_fire(SLOT));
		assert_int_equal(shim.nev, 4);
	}
}

static void routers_that_share_a_timer_and_are_due_together_are_told_by_one_interrupt(void **state
										      __attribute__((unused)))
{
	const __u64 at_ns = NOW_NS + VX_NS_PER_S;

	start(&backup);
	arm_slot(SLOT, at_ns);
	arm_slot(SHARES, at_ns + VX_SLACK_NS);
	assert_true(shim_fire(SLOT));
	assert_int_equal(shim.nev, 2);
	assert_told(0, VX_EV_SOON, SLOT, at_ns);
	assert_told(1, VX_EV_SOON, SHARES, at_ns + VX_SLACK_NS);
	assert_true(shim_fire(SLOT)); /* and so by the fallback */
	assert_int_equal(shim.nev, 4);
	assert_told(2, VX_EV_DOWN, SLOT, at_ns);
	assert_told(3, VX_EV_DOWN, SHARES, at_ns + VX_SLACK_NS);
	assert_false(shim_fire(SLOT));
}

static void one_that_is_cancelled_leaves_the_timer_to_the_others(void **state __attribute__((unused)))
{
	struct vx_timer_cmd cancel = { .op = VX_TIMER_CANCEL, .slot = SLOT };
	const __u64 at_ns = NOW_NS + VX_NS_PER_S;

	start(&backup);
	arm_slot(SHARES, at_ns);
	arm_slot(SLOT, at_ns);
	assert_int_equal(vx_timer(&cancel), 0);
	assert_true(shim_fire(SLOT));
	assert_int_equal(shim.nev, 1);
	assert_told(0, VX_EV_SOON, SHARES, at_ns);
}

static void share_on_another_cpu(void)
{
	__u32 slot = SHARES;
	struct vx_vr_watch *w = bpf_map_lookup_elem(&vr_watch, &slot);

	w->deadline_ns = shim.now_ns + VX_NS_PER_MS;
}

static void who_starts_a_shared_timer_last_sees_all(void **state __attribute__((unused)))
{
	__u64 at_ns;

	start(&backup);
	arm_slot(SLOT, NOW_NS + VX_NS_PER_S);
	shim.at_start = share_on_another_cpu;
	arm_slot(SLOT, NOW_NS + VX_NS_PER_S / 2);
	assert_null(shim.at_start);
	at_ns = NOW_NS + VX_NS_PER_MS;
	assert_int_equal(watch()->fire_ns, at_ns - VX_LEAD_NS);
	assert_true(shim_fire(SLOT));
	assert_told(0, VX_EV_SOON, SHARES, at_ns);
}

/* SEC-15 */
static void an_interface_is_told_from_another(void **state __attribute__((unused)))
{
	static const struct packet_case elsewhere = { "", IN_ACTIVE(.elsewhere = true), ARP(), PASSED };

	start(&active);
	assert_int_equal(deliver_on(&active.frame, IFINDEX_OTHER), XDP_PASS);
	assert_int_equal(deliver_on(&backup.frame, IFINDEX_OTHER), XDP_PASS);
	assert_int_equal(deliver_on(&active.frame, IFINDEX), XDP_TX);
	start(&elsewhere);
	assert_int_equal(deliver_on(&active.frame, IFINDEX_OTHER), XDP_TX);
	assert_int_equal(deliver_on(&backup.frame, IFINDEX_OTHER), XDP_DROP);
	assert_int_equal(deliver_on(&active.frame, IFINDEX), XDP_PASS);
}

/* The filter is what keeps the cost of strangers' frames down: nothing is looked up behind it. */
static void an_address_without_its_bit_in_the_filter_is_a_strangers(void **state __attribute__((unused)))
{
	static const struct vx_filter none;
	__u32 zero = 0;

	start(&active);
	assert_int_equal(deliver(&active.frame), XDP_TX);
	shim_put(&filter, &zero, &none);
	assert_int_equal(deliver(&active.frame), XDP_PASS);
}

/* Keys of other interfaces whose search begins at @home. */
static void crowd(enum dp_map map, __u32 home)
{
	struct vx_table t = shim_dp_table(map);
	__u32 ifindex, n = 0;

	for (ifindex = 1000; n < 5; ifindex++) {
		struct vx_addr6_key k6 = { .ifindex = ifindex };
		struct vx_addr4_key k4 = { .ifindex = ifindex };
		struct vx_vr_key kv = { .ifindex = ifindex };
		__u64 hash = map == DP_ADDR6   ? vx_addr6_hash(&k6)
			     : map == DP_ADDR4 ? vx_addr4_hash(&k4)
					       : vx_vr_hash(&kv);
		const void *k = map == DP_ADDR6 ? (void *)&k6 : map == DP_ADDR4 ? (void *)&k4 : (void *)&kv;
		__u64 *word;

		if (((vx_cell_home(hash) ^ home) & (t.cells - 1)))
			continue;
		word = vx_table_put(&t, hash, k);
		assert_non_null(word);
		vx_table_publish(word, hash, vx_addr_load(VX_ADDR_OWN, 0, 0));
		n++;
	}
}

static void what_is_not_where_its_hash_says_is_found_behind_it(void **state __attribute__((unused)))
{
	const struct vx_addr4_key k4 = { .ifindex = IFINDEX, .addr = VX_BE32(ADDR_VIP) };
	static const struct scenario four = IN_ACTIVE(), six = IN_ACTIVE(V6), listens = IN_BACKUP();
	static const struct frame_desc tcp = PACKET(), other = ADVERT3(.vrid = 99);
	const struct vx_vr_key kv = { .ifindex = IFINDEX, .vrid = 51, .family = 4 };
	const struct vx_addr6_key k6 = { .ifindex = IFINDEX, .addr = scenario_vip(&six, 0) };
	static const struct packet_case ask6 = { "", IN_ACTIVE(V6), ND(), SOLVED };
	struct vx_table t;

	shim_reset(NOW_NS);
	crowd(DP_ADDR4, vx_cell_home(vx_addr4_hash(&k4)));
	scenario_load(&shim_dp, &four, NOW_NS);
	t = shim_dp_table(DP_ADDR4);
	assert_ptr_not_equal(vx_table_find(&t, vx_addr4_hash(&k4), &k4),
			     vx_table_word(&t, vx_cell_home(vx_addr4_hash(&k4))));
	assert_int_equal(deliver(&active.frame), XDP_TX);
	set_role(NOW_NS);
	assert_int_equal(deliver(&active.frame), XDP_DROP);
	assert_int_equal(deliver(&tcp), XDP_DROP);

	shim_reset(NOW_NS);
	crowd(DP_ADDR6, vx_cell_home(vx_addr6_hash(&k6)));
	scenario_load(&shim_dp, &six, NOW_NS);
	assert_int_equal(deliver(&ask6.frame), XDP_TX);
	set_role(NOW_NS);
	assert_int_equal(deliver(&ask6.frame), XDP_DROP);

	shim_reset(NOW_NS);
	crowd(DP_VR_INDEX, vx_cell_home(vx_vr_hash(&kv)));
	scenario_load(&shim_dp, &listens, NOW_NS);
	assert_int_equal(deliver(&backup.frame), XDP_DROP);
	assert_int_equal(counted(VX_CTR_RX_OK), 1);
	assert_int_equal(deliver(&other), XDP_PASS);
}

static void an_expiry_that_finds_the_ring_buffer_full_is_tried_again(void **state __attribute__((unused)))
{
	start(&backup);
	shim.ring_room = 0;
	assert_true(shim_fire(SLOT));
	assert_true(shim_fire(SLOT));
	assert_int_equal(counted(VX_CTR_EV_LOST), 2);
	assert_int_equal(counted(VX_CTR_EV_SENT), 0);
	shim.ring_room = 1;
	assert_true(shim_fire(SLOT));
	assert_int_equal(shim.now_ns, watch()->deadline_ns + VX_NS_PER_MS);
	assert_int_equal(shim.nev, 1);
	assert_int_equal(shim.ev[0].type, VX_EV_DOWN);
	assert_int_equal(shim.ev[0].at_ns, watch()->deadline_ns);
	assert_int_equal(counted(VX_CTR_EV_SENT), 1);
}

static void a_timer_cancelled_stays_silent_until_armed_again(void **state __attribute__((unused)))
{
	struct vx_timer_cmd cancel = { .op = VX_TIMER_CANCEL, .slot = SLOT };

	start(&backup);
	assert_int_equal(vx_timer(&cancel), 0);
	assert_int_equal(watch()->deadline_ns, 0); /* for a callback that is on its way */
	assert_true(shim_fire(SLOT));              /* others may share it, so it goes on, once */
	assert_int_equal(shim.nev, 0);
	assert_false(shim_fire(SLOT));
	shim.now_ns = NOW_NS;
	deliver(&backup.frame);
	assert_int_equal(watch()->fire_ns, NOW_NS + DOWN_90 - VX_LEAD_NS);
	assert_true(shim_fire(SLOT));
	assert_int_equal(shim.nev, 2);
	assert_int_equal(shim.ev[0].type, VX_EV_CHANGE);
	assert_int_equal(shim.ev[1].type, VX_EV_SOON);
}

/* Between the expiry and the change of role the controller is taking over: an answer to its first advert must reach it. */
static void an_advert_behind_the_deadline_is_news_although_nothing_changed(void **state __attribute__((unused)))
{
	start(&backup);
	deliver(&backup.frame);
	assert_int_equal(shim.nev, 0);
	shim.now_ns = watch()->deadline_ns - 1;
	deliver(&backup.frame);
	assert_int_equal(shim.nev, 0);
	shim.now_ns = watch()->deadline_ns;
	deliver(&backup.frame);
	assert_int_equal(shim.nev, 1);
	assert_int_equal(shim.ev[0].type, VX_EV_CHANGE);
	assert_true(shim.ev[0].absorbed);
}

static void a_slot_out_of_range_is_refused(void **state __attribute__((unused)))
{
	struct vx_timer_cmd arm = { .op = VX_TIMER_ARM, .slot = VX_MAX_VRS, .deadline_ns = 1 };

	start(&backup);
	assert_int_equal(vx_timer(&arm), -2); /* ENOENT */
}

/* FSM-B3: the skew is that of the learned interval, whatever interval the priority 0 itself has. */
static void priority_0_starts_the_skew_of_the_learned_interval(void **state __attribute__((unused)))
{
	static const struct frame_desc fast = ADVERT3(.interval = 1), bye = ADVERT3(.priority = 0, .interval = 4095);

	start(&backup);
	deliver(&fast);
	deliver(&bye);
	assert_int_equal(watch()->deadline_ns, NOW_NS + 6484375);
	assert_int_equal(watch()->fire_ns, NOW_NS + 6484375 - VX_LEAD_NS);
}

/* Invariant 4: a reason is told once a minute, and a flood of one does not hide another. */
static void a_refused_kind_of_frame_is_told_once_a_minute(void **state __attribute__((unused)))
{
	static const struct frame_desc ttl = ADVERT3(.ttl = 1), csum = ADVERT3(.csum = FRAME_CSUM_WRONG);
	int i;

	start(&backup);
	for (i = 0; i < 100; i++)
		deliver(&ttl);
	assert_int_equal(shim.nev, 1);
	deliver(&csum);
	assert_int_equal(shim.nev, 2);
	assert_int_equal(shim.ev[1].ctr, VX_CTR_RX_CSUM);
	shim.now_ns = NOW_NS + 60 * VX_NS_PER_S;
	deliver(&ttl);
	assert_int_equal(shim.nev, 2);
	shim.now_ns++;
	deliver(&ttl);
	assert_int_equal(shim.nev, 3);
	assert_int_equal(counted(VX_CTR_RX_TTL), 102);
}

static const struct packet_case active6 = { "", IN_ACTIVE(V6), ND(), SOLVED };

/* The controller defends; what it must know is that claims go on. */
static void conflicts_are_told_a_hundred_times_a_second(void **state __attribute__((unused)))
{
	static const struct frame_desc claim = ARP_ANNOUNCE(), claim6 = ND_ANNOUNCE();
	int i, family;

	for (family = 4; family <= 6; family += 2) {
		start(family == 6 ? &active6 : &active);
		for (i = 0; i < 100; i++)
			assert_int_equal(deliver(family == 6 ? &claim6 : &claim), XDP_PASS);
		assert_int_equal(shim.nev, 10);
		assert_int_equal(counted(VX_CTR_VIP_CONFLICT), 100);
		assert_int_equal(counted(VX_CTR_EV_LIMITED), 90);
		shim.now_ns += DECIDE_EV_PERIOD_NS;
		deliver(family == 6 ? &claim6 : &claim);
		assert_int_equal(shim.nev, 11);
	}
}

/* SEC-27 over IPv6 */
static void nobody_is_answered_from_the_very_nanosecond_of_the_lapse_on(void **state __attribute__((unused)))
{
	static const struct frame_desc probe = ND_PROBE(), tcp = PACKET6();

	start(&active6);
	set_role(NOW_NS + 1);
	assert_int_equal(deliver(&active6.frame), XDP_TX);
	assert_int_equal(deliver(&probe), XDP_TX);
	assert_int_equal(deliver(&tcp), XDP_PASS);
	set_role(NOW_NS);
	assert_int_equal(deliver(&active6.frame), XDP_DROP);
	assert_int_equal(deliver(&probe), XDP_DROP);
	assert_int_equal(deliver(&tcp), XDP_DROP);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest others[] = {
		TEST(every_frame_cut_at_every_byte_is_read_within_its_bounds),
		TEST(the_address_that_collides_has_the_bit_of_a_vip),
		TEST(lease_lapses_at_its_very_nanosecond),
		TEST(a_better_routers_advert_ends_the_lease),
		TEST(a_better_routers_advert_is_seen_by_one_that_has_no_lease_yet),
		TEST(one_that_yields_to_nobody_keeps_its_lease),
		TEST(an_advert_that_moves_the_deadline_later_leaves_the_timer_alone),
		TEST(priority_0_is_not_lost_while_the_timer_is_started_again),
		TEST(priority_0_is_not_lost_while_the_controller_is_woken),
		TEST(preemption_waits_its_delay_from_the_first_lower_advert_on),
		TEST(a_shift_moves_the_deadline_and_the_timer_only_where_it_would_be_late),
		TEST(an_interface_is_told_from_another),
		TEST(an_address_without_its_bit_in_the_filter_is_a_strangers),
		TEST(what_is_not_where_its_hash_says_is_found_behind_it),
		TEST(an_expiry_that_finds_the_ring_buffer_full_is_tried_again),
		TEST(a_timer_cancelled_stays_silent_until_armed_again),
		TEST(routers_that_share_a_timer_are_told_each_at_its_own_time),
		TEST(routers_that_share_a_timer_and_are_due_together_are_told_by_one_interrupt),
		TEST(one_that_is_cancelled_leaves_the_timer_to_the_others),
		TEST(who_starts_a_shared_timer_last_sees_all),
		TEST(an_advert_behind_the_deadline_is_news_although_nothing_changed),
		TEST(a_slot_out_of_range_is_refused),
		TEST(priority_0_starts_the_skew_of_the_learned_interval),
		TEST(a_refused_kind_of_frame_is_told_once_a_minute),
		TEST(conflicts_are_told_a_hundred_times_a_second),
		TEST(nobody_is_answered_from_the_very_nanosecond_of_the_lapse_on),
	};
	static struct CMUnitTest table[VX_ARRAY_LEN(packet_cases)], egress[VX_ARRAY_LEN(egress_cases)];
	size_t i;
	int failed;

	for (i = 0; i < VX_ARRAY_LEN(packet_cases); i++)
		table[i] = (struct CMUnitTest){ .name = packet_cases[i].name,
						.test_func = packet_is_handled_as_the_table_says,
						.initial_state = (void *)&packet_cases[i] };
	for (i = 0; i < VX_ARRAY_LEN(egress_cases); i++)
		egress[i] = (struct CMUnitTest){ .name = egress_cases[i].name,
						 .test_func = frame_leaves_as_the_table_says,
						 .initial_state = (void *)&egress_cases[i] };
	failed = cmocka_run_group_tests_name("packets", table, NULL, NULL);
	failed += cmocka_run_group_tests_name("egress", egress, NULL, NULL);
	failed += cmocka_run_group_tests_name("program", others, NULL, NULL);
	shim_reset(0);
	return failed != 0;
}
