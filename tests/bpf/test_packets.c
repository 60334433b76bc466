// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of tests/packets.h in the kernel, through BPF_PROG_TEST_RUN, and the same programs and maps through the interpreter that
 * tests/bpf/count.c counts with; and what only a kernel has: the ActiveDown timer and the token buckets against a real clock. Needs root, attaches nothing. Timings are judged by the time stamps of what happened,
 * so that a machine that stalls fails nothing.
 *
 *   bpf_packets [build/vrrp_xdp.bpf.o [build/tests/reset.bpf.o]]
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "decide.h"
#include "tests/bpf/interp.h"
#include "tests/packets.h"
#include "tests/cells.h"

enum { RING_EVENTS = 8192, TRIES = 20 };
static struct {
	struct bpf_object *obj, *reset_obj;
	int xdp, egress, timer, reset; /* programs */
	int map[DP_VR_ROLE + 1];
	struct cells cells[DP_ADDR6 + 1];
	int watch, counters;
	struct ring_buffer *ring;
	struct vx_event ev[RING_EVENTS];
	__u32 nev;
	struct interp it;
	struct frame *low; /* where the interpreter has its frame */
} k;

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (__u64)t.tv_sec * VX_NS_PER_S + (__u64)t.tv_nsec;
}

static int on_event(void *ctx __attribute__((unused)), void *data, size_t size)
{
	assert_int_equal(size, sizeof(k.ev[0]));
	assert_true(k.nev < RING_EVENTS);
	memcpy(&k.ev[k.nev++], data, size);
	return 0;
}

static int load_reset(const char *path)
{
	int err;

	k.reset_obj = bpf_object__open_file(path, NULL);
	if (!k.reset_obj)
		return -errno;
	err = bpf_map__reuse_fd(bpf_object__find_map_by_name(k.reset_obj, "vr_watch"), k.watch);
	if (!err)
		err = bpf_object__load(k.reset_obj);
	if (!err)
		k.reset = bpf_program__fd(bpf_object__find_program_by_name(k.reset_obj, "reset"));
	return err;
}

static int load_interp(void)
{
	struct bpf_map *m;
	int err = 0;

	bpf_object__for_each_map(m, k.obj) err = err ? err : interp_add_map(&k.it, bpf_map__fd(m));
	k.low = interp_low(sizeof(*k.low));
	return err || k.low ? err : -ENOMEM;
}

static int load(const char *path, const char *reset_path)
{
	static const char *const names[] = { DP_MAP_NAMES };
	size_t i;
	int err;

	k.obj = bpf_object__open_file(path, NULL);
	if (!k.obj)
		return -errno;
	err = bpf_object__load(k.obj);
	if (err)
		return err;
	k.xdp = bpf_program__fd(bpf_object__find_program_by_name(k.obj, "vrrp_xdp"));
	k.egress = bpf_program__fd(bpf_object__find_program_by_name(k.obj, "vrrp_egress"));
	k.timer = bpf_program__fd(bpf_object__find_program_by_name(k.obj, "vx_timer"));
	for (i = 0; i < VX_ARRAY_LEN(names); i++)
		k.map[i] = bpf_object__find_map_fd_by_name(k.obj, names[i]);
	for (i = 0; i < VX_ARRAY_LEN(k.cells); i++)
		if (!cells_map(&k.cells[i], bpf_object__find_map_by_name(k.obj, names[i])))
			return -errno;
	k.watch = bpf_object__find_map_fd_by_name(k.obj, "vr_watch");
	k.counters = bpf_object__find_map_fd_by_name(k.obj, "counters");
	err = load_reset(reset_path);
	err = err ? err : load_interp();
	if (err)
		return err;
	k.ring = ring_buffer__new(bpf_object__find_map_fd_by_name(k.obj, "events"), on_event, NULL, NULL);
	return k.ring ? 0 : -errno;
}

static const struct vx_masks masks = { .vr = 63, .addr = 255 }; /* of a program that was told nothing else */

static struct vx_table table(enum dp_map map)
{
	return dp_table(map, cells_at, &k.cells[map], &masks);
}

static void put(enum dp_map map, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(k.map[map], key, value, BPF_ANY), 0);
}

static int command(int prog, const struct vx_timer_cmd *cmd)
{
	struct vx_timer_cmd copy = *cmd;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &copy, .ctx_size_in = sizeof(copy));

	assert_int_equal(bpf_prog_test_run_opts(prog, &opts), 0);
	return (int)opts.retval;
}

/* bpf_timer_init() of Linux 6.18 allocates without waiting and may find nothing for a few milliseconds. */
static void timer(const struct vx_timer_cmd *cmd)
{
	int i;

	for (i = 0; command(k.timer, cmd); i++) {
		assert_in_range(i, 0, 1000);
		usleep(1000);
	}
}

static const struct dp_ops kernel_dp = { .table = table, .put = put, .arm = timer };

static void empty(int hash)
{
	struct vx_peer_key key;

	while (!bpf_map_get_next_key(hash, NULL, &key))
		assert_int_equal(bpf_map_delete_elem(hash, &key), 0);
}

static void reset(const struct scenario *s)
{
	static const struct vx_vr_config no_config;
	struct vx_timer_cmd cmd = { .slot = 0 };
	__u64 no_role = VX_ROLE_INIT;
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(k.cells); i++)
		memset(k.cells[i].base, 0, k.cells[i].bytes);
	empty(k.map[DP_PEERS]);
	for (cmd.slot = 0; cmd.slot < SLOTS; cmd.slot++) {
		put(DP_VR_CONFIG, &cmd.slot, &no_config);
		put(DP_VR_ROLE, &cmd.slot, &no_role);
		assert_int_equal(command(k.reset, &cmd), 0);
	}
	scenario_load(&kernel_dp, s, now_ns());
	ring_buffer__consume(k.ring);
	k.nev = 0;
}

static void snapshot(struct vx_vr_watch *to)
{
	__u32 slot;

	for (slot = 0; slot < SLOTS; slot++)
		assert_int_equal(bpf_map_lookup_elem(k.watch, &slot, &to[slot]), 0);
}

static void count(struct vx_counters *to)
{
	int cpus = libbpf_num_possible_cpus(), cpu;
	struct vx_counters *n = calloc((size_t)cpus, sizeof(*n));
	__u32 row, ctr;

	assert_non_null(n);
	memset(to, 0, ROWS * sizeof(*to));
	for (row = 0; row < ROWS; row++) {
		assert_int_equal(bpf_map_lookup_elem(k.counters, &row, n), 0);
		for (cpu = 0; cpu < cpus; cpu++)
			for (ctr = 0; ctr < VX_CTR_COUNT; ctr++)
				to[row].c[ctr] += n[cpu].c[ctr];
	}
	free(n);
}

static __u64 counted(__u32 row, enum vx_ctr ctr)
{
	static struct vx_counters n[ROWS];

	count(n);
	return n[row].c[ctr];
}

static void run(const struct frame *in, struct frame *out, int repeat, __u32 *action)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->b, .data_size_in = in->len, .data_out = out->b,
		    .data_size_out = sizeof(out->b), .repeat = repeat);

	assert_int_equal(bpf_prog_test_run_opts(k.xdp, &opts), 0);
	out->len = opts.data_size_out;
	*action = opts.retval;
}

static void deliver(const struct frame_desc *d, int repeat)
{
	static struct frame in, out;
	__u32 action;

	frame_build(&in, d);
	run(&in, &out, repeat, &action);
	assert_int_equal(action, XDP_DROP);
}

static void packet_is_handled_as_the_table_says(void **state)
{
	static struct vx_counters before[ROWS], after[ROWS];
	const struct packet_case *c = *state;
	static struct outcome o;
	static struct frame in;
	__u32 row, ctr;

	frame_build(&in, &c->frame);
	reset(&c->in);
	snapshot(o.before);
	count(before);
	o.t0_ns = now_ns();
	run(&in, &o.out, 1, &o.action);
	o.t1_ns = now_ns();
	count(after);
	snapshot(o.after);
	ring_buffer__consume(k.ring);
	o.nev = k.nev;
	memcpy(o.ev, k.ev, sizeof(o.ev));
	for (row = 0; row < ROWS; row++)
		for (ctr = 0; ctr < VX_CTR_COUNT; ctr++)
			o.moved[row].c[ctr] = after[row].c[ctr] - before[row].c[ctr];
	assert_true(packet_check(c, &in, &o));
}

/* The kernel runs it on the loopback device, whose index is IFINDEX. */
static void frame_leaves_as_the_table_says(void **state)
{
	const struct egress_case *c = *state;
	static struct frame in, out, want;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.b, .data_out = out.b, .data_size_out = sizeof(out.b),
		    .repeat = 1);

	frame_build(&in, &c->frame);
	frame_build(&want, c->out.kind == FRAME_NONE ? &c->frame : &c->out);
	reset(&c->in);
	opts.data_size_in = in.len;
	assert_int_equal(bpf_prog_test_run_opts(k.egress, &opts), 0);
	assert_int_equal((int)opts.retval, -1); /* TC_ACT_UNSPEC */
	assert_int_equal(opts.data_size_out, want.len);
	assert_memory_equal(out.b, want.b, want.len);
}

/* The interpreter */

static void interpret(const char *prog, void *ctx, __u64 *result)
{
	const struct bpf_program *p = bpf_object__find_program_by_name(k.obj, prog);

	if (!interp_run(&k.it, bpf_program__insns(p), bpf_program__insn_cnt(p), ctx, result))
		fail_msg("the interpreter gives up: %s", k.it.error);
}

static __u32 low_put(const struct frame *in)
{
	*k.low = *in;
	return (__u32)(uintptr_t)k.low->b;
}

static void snapshot_interp(struct vx_vr_watch *watch, struct vx_counters *counters)
{
	__u32 i;

	for (i = 0; i < SLOTS; i++)
		watch[i] = *(struct vx_vr_watch *)interp_value(&k.it, k.watch, i);
	for (i = 0; i < ROWS; i++)
		counters[i] = *(struct vx_counters *)interp_value(&k.it, k.counters, i);
}

static void packet_is_interpreted_as_the_table_says(void **state)
{
	static struct vx_counters before[ROWS], after[ROWS];
	const struct packet_case *c = *state;
	struct xdp_md ctx = { .ingress_ifindex = IFINDEX };
	static struct outcome o;
	static struct frame in;
	__u32 row, ctr;
	__u64 action;

	frame_build(&in, &c->frame);
	reset(&c->in);
	assert_int_equal(interp_sync(&k.it), 0);
	snapshot_interp(o.before, before);
	ctx.data = low_put(&in);
	ctx.data_end = ctx.data + (__u32)in.len;
	o.t0_ns = now_ns();
	interpret("vrrp_xdp", &ctx, &action);
	o.t1_ns = now_ns();
	snapshot_interp(o.after, after);
	o.action = (__u32)action;
	o.out = *k.low;
	o.nev = k.it.nevents;
	for (row = 0; row < o.nev && row < MAX_EVENTS; row++)
		memcpy(&o.ev[row], k.it.event[row].data, sizeof(o.ev[row]));
	for (row = 0; row < ROWS; row++)
		for (ctr = 0; ctr < VX_CTR_COUNT; ctr++)
			o.moved[row].c[ctr] = after[row].c[ctr] - before[row].c[ctr];
	assert_true(packet_check(c, &in, &o));
}

static void frame_is_interpreted_as_the_table_says(void **state)
{
	struct __sk_buff ctx = { .ifindex = IFINDEX };
	const struct egress_case *c = *state;
	static struct frame in, want;
	__be16 type;
	__u64 action;

	frame_build(&in, &c->frame);
	frame_build(&want, c->out.kind == FRAME_NONE ? &c->frame : &c->out);
	reset(&c->in);
	assert_int_equal(interp_sync(&k.it), 0);
	memcpy(&type, in.b + 12, sizeof(type));
	ctx.protocol = type;
	ctx.data = low_put(&in);
	ctx.data_end = ctx.data + (__u32)in.len;
	interpret("vrrp_egress", &ctx, &action);
	assert_int_equal((int)action, -1); /* TC_ACT_UNSPEC */
	assert_memory_equal(k.low->b, want.b, want.len);
}

/* The timer */

static const struct scenario in_backup = IN_BACKUP(), in_active = IN_ACTIVE();
/* Adverts of 2 cs: a Backup of priority 90 waits 60 ms and a skew of 12.96875 ms. */
static const struct frame_desc fast = ADVERT3(.interval = 2), bye = ADVERT3(.priority = 0);
#define DOWN_90_2CS 72968750ULL
#define SKEW_90_2CS 12968750ULL

static void arm(__u32 slot, __u64 deadline_ns)
{
	struct vx_timer_cmd cmd = { .op = VX_TIMER_ARM,
				    .slot = slot,
				    .deadline_ns = deadline_ns,
				    .adver_ns = 2 * ADVERT_CS_NS,
				    .src = { .w = { VX_BE32(ADDR_PEER) } },
				    .priority = 100 };

	timer(&cmd);
}

static void cancel(__u32 slot)
{
	struct vx_timer_cmd cmd = { .op = VX_TIMER_CANCEL, .slot = slot };

	timer(&cmd);
}

/* The next VX_EV_DOWN among the events from @from on, or NULL; does not wait. */
static const struct vx_event *seen_down(__u32 *from)
{
	ring_buffer__consume(k.ring);
	while (*from < k.nev)
		if (k.ev[(*from)++].type == VX_EV_DOWN)
			return &k.ev[*from - 1];
	return NULL;
}

static const struct vx_event *wait_down(__u32 *from)
{
	struct pollfd fd = { .fd = ring_buffer__epoll_fd(k.ring), .events = POLLIN };
	const struct vx_event *ev = seen_down(from);

	while (!ev) {
		assert_int_equal(poll(&fd, 1, 10000), 1); /* a timer that never fires fails here */
		ev = seen_down(from);
	}
	return ev;
}

/* Nothing more comes from SLOT: a timer of another slot, armed for later, is the only one to be heard. */
static void nothing_more_before(__u64 later_ns, __u32 *from)
{
	const struct vx_event *ev;

	arm(SLOT_BYSTANDER, later_ns);
	ev = wait_down(from);
	assert_int_equal(ev->slot, SLOT_BYSTANDER);
	assert_int_equal(ev->at_ns, later_ns);
}

static void active_down_fires_once_and_not_before_its_deadline(void **state __attribute__((unused)))
{
	const struct vx_event *ev;
	__u64 deadline_ns;
	__u32 from = 0;

	reset(&in_backup);
	deadline_ns = now_ns() + 5 * VX_NS_PER_MS;
	arm(SLOT, deadline_ns);
	ev = wait_down(&from);
	assert_true(now_ns() >= deadline_ns);
	assert_int_equal(ev->slot, SLOT);
	assert_int_equal(ev->at_ns, deadline_ns);
	assert_int_equal(ev->adver_ns, 2 * ADVERT_CS_NS);
	assert_int_equal(ev->src.w[0], VX_BE32(ADDR_PEER));
	assert_int_equal(ev->priority, 100);
	nothing_more_before(now_ns() + 20 * VX_NS_PER_MS, &from);
}

static void a_deadline_in_the_past_fires_at_once(void **state __attribute__((unused)))
{
	__u64 deadline_ns;
	__u32 from = 0;

	reset(&in_backup);
	deadline_ns = now_ns() - VX_NS_PER_S;
	arm(SLOT, deadline_ns);
	assert_int_equal(wait_down(&from)->at_ns, deadline_ns);
}

/* FSM-B4. The advert must come before the deadline; where the machine stalled over it, try again. */
static void an_absorbed_advert_moves_the_deadline_later(void **state __attribute__((unused)))
{
	__u64 deadline_ns, t0_ns, t1_ns;
	const struct vx_event *ev;
	int i;

	for (i = 0; i < TRIES; i++) {
		__u32 from = 0;

		reset(&in_backup);
		deadline_ns = now_ns() + 30 * VX_NS_PER_MS;
		arm(SLOT, deadline_ns);
		t0_ns = now_ns();
		deliver(&fast, 1);
		t1_ns = now_ns();
		if (t1_ns >= deadline_ns)
			continue;
		ev = wait_down(&from);
		assert_true(now_ns() >= ev->at_ns);
		assert_in_range(ev->at_ns, t0_ns + DOWN_90_2CS, t1_ns + DOWN_90_2CS);
		nothing_more_before(now_ns() + 5 * VX_NS_PER_MS, &from);
		return;
	}
	fail_msg("this machine stalls for more than 30 ms at a time");
}

static void an_advert_after_the_timer_fired_arms_it_again(void **state __attribute__((unused)))
{
	const struct vx_event *ev;
	__u64 deadline_ns, t0_ns;
	__u32 from = 0;

	reset(&in_backup);
	deadline_ns = now_ns() + VX_NS_PER_MS;
	arm(SLOT, deadline_ns);
	assert_int_equal(wait_down(&from)->at_ns, deadline_ns);
	t0_ns = now_ns();
	deliver(&fast, 1);
	ev = wait_down(&from);
	assert_in_range(ev->at_ns, t0_ns + DOWN_90_2CS, now_ns());
}

/* FSM-B3: from an hour to the skew of the learned interval. */
static void priority_0_shortens_the_deadline_to_the_skew(void **state __attribute__((unused)))
{
	const struct vx_event *ev;
	__u64 t0_ns, t1_ns;
	__u32 from = 0;

	reset(&in_backup);
	arm(SLOT, now_ns() + 3600 * VX_NS_PER_S);
	t0_ns = now_ns();
	deliver(&bye, 1);
	t1_ns = now_ns();
	ev = wait_down(&from);
	assert_true(now_ns() >= ev->at_ns);
	assert_in_range(ev->at_ns, t0_ns + SKEW_90_2CS, t1_ns + SKEW_90_2CS);
	assert_int_equal(ev->priority, 0);
	assert_int_equal(k.ev[0].type, VX_EV_PRIO0);
}

static void a_cancelled_timer_never_fires(void **state __attribute__((unused)))
{
	__u64 deadline_ns;
	int i;

	for (i = 0; i < TRIES; i++) {
		__u32 from = 0;

		reset(&in_backup);
		deadline_ns = now_ns() + 10 * VX_NS_PER_MS;
		arm(SLOT, deadline_ns);
		cancel(SLOT);
		if (now_ns() >= deadline_ns)
			continue;
		nothing_more_before(deadline_ns + 20 * VX_NS_PER_MS, &from);
		assert_null(seen_down(&from));
		return;
	}
	fail_msg("this machine stalls for more than 10 ms at a time");
}

static void shift(__u32 slot, __s64 by_ns)
{
	struct vx_timer_cmd cmd = { .op = VX_TIMER_SHIFT, .slot = slot, .deadline_ns = (__u64)by_ns };

	timer(&cmd);
}

/* FSM-11: from an hour to a few milliseconds, which only a timer that is started again can keep. */
static void a_shift_to_earlier_starts_the_timer_again(void **state __attribute__((unused)))
{
	const __s64 hour_ns = 3600 * VX_NS_PER_S;
	const struct vx_event *ev;
	__u64 deadline_ns;
	__u32 from = 0;

	reset(&in_backup);
	deadline_ns = now_ns() + 5 * VX_NS_PER_MS;
	arm(SLOT, deadline_ns + hour_ns);
	shift(SLOT, -hour_ns);
	ev = wait_down(&from);
	assert_true(now_ns() >= deadline_ns);
	assert_int_equal(ev->slot, SLOT);
	assert_int_equal(ev->at_ns, deadline_ns);
	assert_int_equal(ev->adver_ns, 2 * ADVERT_CS_NS);
	assert_int_equal(ev->src.w[0], VX_BE32(ADDR_PEER));
	nothing_more_before(now_ns() + 5 * VX_NS_PER_MS, &from);
}

/* The shift must come before the deadline; where the machine stalled over it, try again. */
static void a_shift_to_later_is_heard_of_at_the_later_deadline_only(void **state __attribute__((unused)))
{
	__u64 deadline_ns;
	int i;

	for (i = 0; i < TRIES; i++) {
		__u32 from = 0;

		reset(&in_backup);
		deadline_ns = now_ns() + 20 * VX_NS_PER_MS;
		arm(SLOT, deadline_ns);
		shift(SLOT, 10 * VX_NS_PER_MS);
		if (now_ns() >= deadline_ns - VX_LEAD_NS)
			continue;
		assert_int_equal(wait_down(&from)->at_ns, deadline_ns + 10 * VX_NS_PER_MS);
		nothing_more_before(now_ns() + 5 * VX_NS_PER_MS, &from);
		return;
	}
	fail_msg("this machine stalls for more than 20 ms at a time");
}

static void a_shift_wakes_no_timer_that_is_cancelled(void **state __attribute__((unused)))
{
	__u32 from = 0;

	reset(&in_backup);
	arm(SLOT, now_ns() + VX_NS_PER_S);
	cancel(SLOT);
	shift(SLOT, -(__s64)VX_NS_PER_S);
	nothing_more_before(now_ns() + 5 * VX_NS_PER_MS, &from);
	assert_null(seen_down(&from));
}

/* KA-22, against a real clock: with a delay of a nanosecond the second lower advert is overcome. */
static void a_lower_advert_after_the_delay_of_preemption_is_discarded(void **state __attribute__((unused)))
{
	static const struct scenario delayed = IN_BACKUP(.preempt_delay_ns = 1);
	static const struct frame_desc lower = ADVERT3(.priority = 89);
	static struct vx_vr_watch first[SLOTS], second[SLOTS];

	reset(&delayed);
	deliver(&lower, 1);
	snapshot(first);
	assert_int_equal(first[SLOT].priority, 89);
	assert_int_equal(first[SLOT].deadline_ns, first[SLOT].last_ns + DOWN_90);
	assert_int_equal(first[SLOT].lower_ns, first[SLOT].last_ns);
	deliver(&lower, 10);
	snapshot(second);
	assert_int_equal(second[SLOT].deadline_ns, first[SLOT].deadline_ns);
	assert_int_equal(second[SLOT].last_ns, first[SLOT].last_ns);
}

/* Lazily re-armed, the timer fires many times meanwhile; what it says must be true every time. */
static void adverts_every_millisecond_never_let_it_fire(void **state __attribute__((unused)))
{
	static const struct timespec ms = { .tv_nsec = VX_NS_PER_MS };
	__u64 end_ns, last_ns, t1_ns, longest_ns = 0;
	const struct vx_event *ev;
	__u32 from = 0;

	reset(&in_backup);
	deliver(&fast, 1);
	last_ns = now_ns();
	end_ns = last_ns + 200 * VX_NS_PER_MS;
	do {
		nanosleep(&ms, NULL);
		deliver(&fast, 1);
		t1_ns = now_ns();
		longest_ns = t1_ns - last_ns > longest_ns ? t1_ns - last_ns : longest_ns;
		last_ns = t1_ns;
		ev = seen_down(&from);
		/* unless this process was held up for longer than a Backup waits */
		assert_true(!ev || longest_ns >= DOWN_90_2CS);
	} while (last_ns < end_ns);
	ev = wait_down(&from);
	assert_in_range(ev->at_ns, end_ns, last_ns + DOWN_90_2CS);
	assert_true(now_ns() >= ev->at_ns);
}

/* RX: "no timer of any instance is touched" */
static void refused_and_lower_adverts_do_not_hold_the_timer_up(void **state __attribute__((unused)))
{
	static const struct frame_desc bad = ADVERT3(.csum = FRAME_CSUM_WRONG), lower = ADVERT3(.priority = 89);
	__u64 deadline_ns;
	__u32 from = 0;

	reset(&in_backup);
	deadline_ns = now_ns() + 20 * VX_NS_PER_MS;
	arm(SLOT, deadline_ns);
	deliver(&bad, 100);
	deliver(&lower, 100);
	assert_int_equal(wait_down(&from)->at_ns, deadline_ns);
}

static __u32 events_of(enum vx_ev type)
{
	__u32 i, n = 0;

	ring_buffer__consume(k.ring);
	for (i = 0; i < k.nev; i++)
		n += k.ev[i].type == (__u32)type;
	return n;
}

/* Invariant 4 */
static void a_flood_wakes_the_controller_a_hundred_times_a_second(void **state __attribute__((unused)))
{
	static const struct frame_desc higher = ADVERT3(.priority = 200), prio0 = ADVERT3(.priority = 0);
	static const struct frame_desc lower = ADVERT3(.priority = 1);
	__u64 limited, sent, t0_ns;
	__u32 n;

	reset(&in_active);
	limited = counted(SLOT, VX_CTR_EV_LIMITED);
	sent = counted(SLOT, VX_CTR_EV_SENT);
	t0_ns = now_ns();
	deliver(&higher, 1000);
	n = events_of(VX_EV_HIGHER);
	assert_in_range(n, DECIDE_EV_BURST, DECIDE_EV_BURST + (now_ns() - t0_ns) / DECIDE_EV_PERIOD_NS + 1);
	assert_int_equal(counted(SLOT, VX_CTR_EV_SENT) - sent, n);
	assert_int_equal(counted(SLOT, VX_CTR_EV_LIMITED) - limited, 1000 - n);

	deliver(&lower, 1000);
	deliver(&prio0, 1);
	assert_int_equal(events_of(VX_EV_PRIO0), 1);
}

#define TEST(name) cmocka_unit_test(name)

int main(int argc, char *argv[])
{
	const struct CMUnitTest others[] = {
		TEST(active_down_fires_once_and_not_before_its_deadline),
		TEST(a_deadline_in_the_past_fires_at_once),
		TEST(an_absorbed_advert_moves_the_deadline_later),
		TEST(an_advert_after_the_timer_fired_arms_it_again),
		TEST(priority_0_shortens_the_deadline_to_the_skew),
		TEST(a_cancelled_timer_never_fires),
		TEST(a_shift_to_earlier_starts_the_timer_again),
		TEST(a_shift_to_later_is_heard_of_at_the_later_deadline_only),
		TEST(a_shift_wakes_no_timer_that_is_cancelled),
		TEST(a_lower_advert_after_the_delay_of_preemption_is_discarded),
		TEST(adverts_every_millisecond_never_let_it_fire),
		TEST(refused_and_lower_adverts_do_not_hold_the_timer_up),
		TEST(a_flood_wakes_the_controller_a_hundred_times_a_second),
	};
	static struct CMUnitTest table[VX_ARRAY_LEN(packet_cases)], egress[VX_ARRAY_LEN(egress_cases)];
	static struct CMUnitTest again[VX_ARRAY_LEN(packet_cases)], egress_again[VX_ARRAY_LEN(egress_cases)];
	const char *path = argc > 1 ? argv[1] : "build/vrrp_xdp.bpf.o";
	const char *reset_path = argc > 2 ? argv[2] : "build/tests/reset.bpf.o";
	int err, failed;
	size_t i, n = 0;

	if (geteuid()) {
		fprintf(stderr, "bpf_packets: needs root to load a BPF program\n");
		return 1;
	}
	err = load(path, reset_path);
	if (err) {
		fprintf(stderr, "bpf_packets: cannot load %s and %s: %s\n", path, reset_path, strerror(-err));
		return 1;
	}
	for (i = 0; i < VX_ARRAY_LEN(packet_cases); i++) {
		static struct frame in;

		frame_build(&in, &packet_cases[i].frame);
		/* the kernel's test run takes no shorter ones, and no longer ones in one piece; tests/unit does */
		if (in.len >= 14 && in.len <= 3000)
			table[n++] = (struct CMUnitTest){ .name = packet_cases[i].name,
							  .test_func = packet_is_handled_as_the_table_says,
							  .initial_state = (void *)&packet_cases[i] };
		again[i] = (struct CMUnitTest){ .name = packet_cases[i].name,
						.test_func = packet_is_interpreted_as_the_table_says,
						.initial_state = (void *)&packet_cases[i] };
	}
	failed = _cmocka_run_group_tests("packets in the kernel", table, n, NULL, NULL);
	failed += cmocka_run_group_tests_name("packets in the interpreter", again, NULL, NULL);
	for (i = 0; i < VX_ARRAY_LEN(egress_cases); i++) {
		egress[i] = (struct CMUnitTest){ .name = egress_cases[i].name,
						 .test_func = frame_leaves_as_the_table_says,
						 .initial_state = (void *)&egress_cases[i] };
		egress_again[i] = (struct CMUnitTest){ .name = egress_cases[i].name,
						       .test_func = frame_is_interpreted_as_the_table_says,
						       .initial_state = (void *)&egress_cases[i] };
	}
	failed += cmocka_run_group_tests_name("egress in the kernel", egress, NULL, NULL);
	failed += cmocka_run_group_tests_name("egress in the interpreter", egress_again, NULL, NULL);
	failed += cmocka_run_group_tests_name("timers and limits in the kernel", others, NULL, NULL);
	interp_free(&k.it);
	ring_buffer__free(k.ring);
	for (i = 0; i < VX_ARRAY_LEN(k.cells); i++)
		cells_unmap(&k.cells[i]);
	bpf_object__close(k.reset_obj);
	bpf_object__close(k.obj);
	return failed != 0;
}
