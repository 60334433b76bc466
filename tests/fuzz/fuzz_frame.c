// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frame -> verdict, over the BPF program compiled natively: frames that come and go, the time between them, the timer, changes of
 * role and a full ring buffer, in any order, and what must hold after every step. What an answer has to look like is in fuzz_reply.c.
 */
#include "input.h"

/* What the controller would know. */
static struct {
	struct scenario s;
	__u64 role; /* the role word */
	bool down;  /* DOWN was told, or could not be because the ring was full; for the deadline as it is */
	struct frame in, out;
} m;

static bool active(void)
{
	return m.role >= VX_ROLE_ACTIVE_MIN && m.role > shim.now_ns;
}

static struct vx_vr_watch *watch(void)
{
	__u32 slot = SLOT;

	return bpf_map_lookup_elem(&vr_watch, &slot);
}

/* Whether other virtual routers of this scenario, whose role stays as it was, may have a say. */
static bool others(__u32 vlan)
{
	return m.s.second || m.s.twin || vlan == VLAN_BYSTANDER;
}

/* All that may change in a frame that goes to the kernel: an announcement made as a request becomes one made as a reply. */
static bool became_reply(const struct frame *in, const struct frame *out)
{
	__u32 i, changed = 0;

	for (i = 0; i < in->len; i++) {
		changed += in->b[i] != out->b[i];
		if (in->b[i] != out->b[i] && out->b[i] != ARP_OP_REPLY)
			return false;
	}
	return changed == 1;
}

/* ... and a frame to the virtual MAC goes on as one to the NIC's. */
static bool became_nics(struct frame *in, const struct frame *out)
{
	bool ours = in->len >= 14 &&
		    (!memcmp(in->b, mac_bytes[MAC_VROUTER], 6) || !memcmp(in->b, mac_bytes[MAC_VROUTER6], 6) ||
		     !memcmp(in->b, mac_bytes[MAC_VROUTER2], 6) || !memcmp(in->b, mac_bytes[MAC_VROUTER62], 6));
	__u32 type, vlan;

	if (!m.s.vmac || !ours || memcmp(out->b, mac_bytes[MAC_NIC], 6))
		return false;
	memcpy(in->b, out->b, 6);
	frame_payload(in->b, in->len, 2, &type, &vlan);
	return active() || others(vlan);
}

/* The sum of all counters of row @row, or of all rows. */
static __u64 counted(__u32 row)
{
	const struct shim_entry *e;
	__u64 sum = 0;
	__u32 ctr;

	for (e = shim.entries; e; e = e->next)
		for (ctr = 0;
		     e->map == &counters && (row == ROWS || !memcmp(e->key, &row, sizeof(row))) && ctr < VX_CTR_COUNT;
		     ctr++)
			sum += ((const struct vx_counters *)e->value)->c[ctr];
	return sum;
}

static __u64 counted_of_bystander(void)
{
	return counted(SLOT_BYSTANDER) + counted(ROW_IFACE_BYSTANDER);
}

/* A takeover is at most as far off as the slowest legal Active Router allows. */
static void check_deadline(__u64 then_ns)
{
	__u64 now_ns = watch()->deadline_ns;

	require(!now_ns == !then_ns);
	require(now_ns == then_ns ||
		(now_ns > shim.now_ns && now_ns < shim.now_ns + (__u64)(m.s.down_adverts + 1) * 41 * VX_NS_PER_S));
	require(now_ns == then_ns || m.role == VX_ROLE_BACKUP);
	if (now_ns != then_ns)
		m.down = false;
}

/* An expiry that is still to come cannot be lost: the timer runs, and not for longer than that. */
static void check_timer(void)
{
	const struct vx_vr_watch *w = watch();
	const struct shim_timer *t = shim_timer_of((struct bpf_timer *)&w->timer);
	__u64 at_ns = w->deadline_ns > shim.now_ns ? w->deadline_ns : shim.now_ns;
	__u64 more_ns = RETRY_NS + (w->soon_ns == w->deadline_ns ? VX_FALLBACK_NS : 0);

	require(!w->deadline_ns || m.down || (t && t->at_ns && t->at_ns <= at_ns + more_ns));
}

static void check_frame(int action, __u64 then_ns, __u64 counted_then, __u64 bystander_then)
{
	bool same = became_nics(&m.in, &m.out) || !memcmp(m.in.b, m.out.b, m.in.len);
	__u32 type, vlan;

	frame_payload(m.in.b, m.in.len, 2, &type, &vlan);
	require(action == XDP_PASS || action == XDP_DROP || action == XDP_TX);
	require(action != XDP_TX || active() || others(vlan));
	require(action != XDP_DROP || same);
	require(action != XDP_PASS || same || became_reply(&m.in, &m.out));
	require(action == XDP_PASS || counted(ROWS) > counted_then);
	require(vlan == VLAN_BYSTANDER || m.s.vlan == VLAN_BYSTANDER || counted_of_bystander() == bystander_then);
	require(shim.nev <= 4);
	check_deadline(then_ns);
}

static void step_frame(const uint8_t *data, const struct step *s)
{
	__u64 then_ns = watch()->deadline_ns, counted_then = counted(ROWS), bystander_then = counted_of_bystander();

	m.in.len = 0;
	frame_bytes(&m.in, data + s->at, s->len);
	memcpy(m.out.b, m.in.b, m.in.len);
	m.out.len = m.in.len;
	check_frame(shim_run(m.out.b, m.out.len, IFINDEX), then_ns, counted_then, bystander_then);
}

/* What leaves goes on; the program is attached only where a virtual MAC is used. */
static void step_egress(const uint8_t *data, const struct step *s)
{
	if (!m.s.vmac || s->len < sizeof(struct vx_eth))
		return;
	memcpy(m.out.b, data + s->at, s->len);
	require(shim_run_egress(m.out.b, s->len, IFINDEX) == TC_ACT_UNSPEC);
	require(active() || m.s.second || m.s.twin || !memcmp(m.out.b, data + s->at, s->len));
	require(!shim.nev);
}

/* The callback tells at most one thing, and DOWN not before its time. */
static void step_timer(void)
{
	bool ring = shim.ring_room;

	if (!shim_fire(SLOT))
		return;
	require(shim.nev <= 1);
	require(!shim.nev || shim.ev[0].at_ns == watch()->deadline_ns);
	require(!shim.nev || shim.ev[0].type == (shim.now_ns < shim.ev[0].at_ns ? VX_EV_SOON : VX_EV_DOWN));
	m.down = m.down || (ring && shim.nev && shim.ev[0].type == VX_EV_DOWN);
}

/* As the controller does it. */
static void step_role(uint8_t arg)
{
	enum scenario_role role = (enum scenario_role)(arg % 4);
	struct vx_timer_cmd cmd = { .op = role == BACKUP ? VX_TIMER_ARM : VX_TIMER_CANCEL,
				    .slot = SLOT,
				    .deadline_ns = shim.now_ns + VX_NS_PER_S * (arg / 4),
				    .adver_ns = VX_NS_PER_S,
				    .priority = 100 };
	__u32 slot = SLOT;

	m.role = scenario_role_word(role, shim.now_ns);
	shim_put(&vr_role, &slot, &m.role);
	require(!vx_timer(&cmd));
	m.down = false;
}

/* Another priority, in Backup (FSM-11): the deadline moves by less than a second, and not to 0, which means none. */
static void step_shift(uint8_t arg)
{
	struct vx_timer_cmd cmd = { .op = VX_TIMER_SHIFT, .slot = SLOT, .deadline_ns = (arg - 128ULL) * VX_NS_PER_MS };
	__u64 then_ns = watch()->deadline_ns;

	require(!vx_timer(&cmd));
	require(watch()->deadline_ns == (then_ns ? then_ns + cmd.deadline_ns : 0));
	m.down = m.down && !cmd.deadline_ns;
}

static void step_run(const uint8_t *data, const struct step *s)
{
	shim.nev = 0;
	if (shim.ring_room)
		shim.ring_room = SHIM_EVENTS;
	switch (s->kind) {
	case STEP_FRAME:
		step_frame(data, s);
		break;
	case STEP_EGRESS:
		step_egress(data, s);
		break;
	case STEP_WAIT:
		shim.now_ns += 1ULL << s->arg % 37;
		break;
	case STEP_TIMER:
		step_timer();
		break;
	case STEP_ROLE:
		step_role(s->arg);
		break;
	case STEP_SHIFT:
		step_shift(s->arg);
		break;
	case STEP_RING:
		shim.ring_room = s->arg & 1 ? SHIM_EVENTS : 0;
		break;
	case STEP_KINDS:
		break;
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	input_check_rows();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step steps[INPUT_STEPS];
	uint32_t n, i;

	if (size < INPUT_STATE)
		return -1;
	m.s = state_read(data);
	m.role = scenario_role_word(m.s.role, NOW_NS);
	m.down = false;
	n = steps_read(data, size, steps);
	shim_reset(NOW_NS);
	scenario_load(&shim_dp, &m.s, NOW_NS);
	for (i = 0; i < n; i++) {
		step_run(data, &steps[i]);
		check_timer();
	}
	return 0;
}

static bool any(const struct frame_desc *d)
{
	(void)d;
	return true;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return input_mutate(data, size, max, seed, any);
}
