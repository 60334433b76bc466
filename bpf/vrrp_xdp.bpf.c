// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The data plane: one XDP program per interface, one at tc egress where a virtual MAC is used, and the small program by which the controller
 * reaches the timers.
 *
 * A frame is parsed, looked up, decided on by the pure code in include/, counted, and acted on. What is not VRRP for a VRID of
 * ours, ARP or Neighbor Discovery for a VIP of ours, or addressed to a VIP of ours passes untouched, whether or not a controller is alive.
 *
 * RFC 9568 (with errata 7947, 7949, 8298..8301), RFC 3768, RFC 2338, RFC 826, RFC 5227, RFC 4861.
 */
#include "abi.h"
#include "advert.h"
#include "arp.h"
#include "decide.h"
#include "nd.h"

#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

/* uapi constants that BTF does not carry by name */
#define CLOCK_BOOTTIME 7
#define BPF_F_MMAPABLE (1U << 10)
#define ENOENT         2
#define EBUSY          16
#define TC_ACT_UNSPEC  (-1)

#define VX_NEVER (~0ULL)
#define RETRY_NS VX_NS_PER_MS /* an expiry that found the ring buffer full is tried again */

/* Offsets into a frame stay below this for the verifier's eyes: Ethernet, tags, the longest IPv4 header and the fixed part make 90. */
enum { OFF_MASK = 0xff, FAR_MASK = 0x1fff }; /* and this, where 255 addresses are behind it */

/* Adverts and ARP must be seen before any program that redirects or drops: run early, and let everything else go on. */
struct {
	__uint(priority, 10);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(vrrp_xdp);

/* Sizes are for a few virtual routers; the controller sets what its configuration needs before it loads. */

const volatile struct vx_masks masks = { .vr = 63, .addr = 255 };

/* Written by user through memory. Which virtual router an advert is for; read once per advert. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct vx_vr_cell);
} vr_index SEC(".maps");

/* Written by user through memory. VIPs, here or on other interfaces, and own addresses; read for frames that the filter lets through. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct vx_addr4_cell);
} addr4 SEC(".maps");

/* Written by user through memory. The same of IPv6. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct vx_addr6_cell);
} addr6 SEC(".maps");

/* Written by user. Senders that a virtual router listens to, if not to everybody (RX-34). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct vx_peer_key);
	__type(value, struct vx_peer_val);
} peers SEC(".maps");

/* Written by user. In front of addr4 and addr6: a load and a test for every frame that is not ours. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vx_filter);
} filter SEC(".maps");

/* Written by user, on start and reload. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * VX_TIMER_SHARE + 16);
	__type(key, __u32);
	__type(value, struct vx_vr_config);
} vr_config SEC(".maps");

/* Written by user through memory: a change of role is one store. Written here only by role_end(). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2 * VX_TIMER_SHARE + 16);
	__type(key, __u32);
	__type(value, __u64);
} vr_role SEC(".maps");

/* Written here only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * VX_TIMER_SHARE + 16);
	__type(key, __u32);
	__type(value, struct vx_vr_watch);
} vr_watch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, VX_EVENTS_BYTES);
} events SEC(".maps");

/* Written here only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3 * VX_TIMER_SHARE);
	__type(key, __u32);
	__type(value, struct vx_counters);
} counters SEC(".maps");

vx_inline void count(__u32 row, enum vx_ctr ctr)
{
	struct vx_counters *n = bpf_map_lookup_elem(&counters, &row);

	if (n && ctr < VX_CTR_COUNT)
		n->c[ctr]++;
}

vx_inline bool filter_has(__u32 bit)
{
	__u32 zero = 0;
	struct vx_filter *f = bpf_map_lookup_elem(&filter, &zero);

	return f && f->word[bit / 64] >> bit % 64 & 1;
}

/*
 * The tables. Nearly every key is where its hash says, or nowhere: the search beyond the first cell is a function of its own, which tells the
 * cell's number. It may be given to another key in that moment, and is looked at again.
 */
enum { NO_CELL = -1 };

vx_inline bool is_addr4(const struct vx_addr4_cell *c, __u64 word, __u64 hash, const struct vx_addr4_key *k)
{
	return (word & VX_CELL_HEAD) == vx_cell_head(hash) && c->key.addr == k->addr && c->key.ifindex == k->ifindex &&
	       c->key.vlan == k->vlan && !vx_cell_reused(&c->e.word, word);
}

__noinline int addr4_behind(__u32 ifindex, __u32 vlan, __u32 addr)
{
	const struct vx_addr4_key k = { .ifindex = ifindex, .vlan = vlan, .addr = addr };
	__u64 hash = vx_addr4_hash(&k), word;
	const struct vx_addr4_cell *c;
	__u32 n, i;

	for (n = 1; n < VX_TABLE_PROBES; n++) {
		i = (vx_cell_home(hash) + n) & masks.addr;
		c = bpf_map_lookup_elem(&addr4, &i);
		if (!c)
			return NO_CELL;
		word = vx_cell_read(&c->e.word);
		if (is_addr4(c, word, hash, &k))
			return i;
		if (!(word & VX_CELL_USED))
			return NO_CELL;
	}
	return NO_CELL;
}

/* What the tables say of an address: @word was read once, a second look could see another (DP-8). */
struct hit {
	const struct vx_addr_entry *e; /* NULL: nothing */
	__u64 word;
};

/* Of @addr on this interface and VLAN. */
vx_inline struct hit addr4_find(__u32 ifindex, __u32 vlan, __be32 addr)
{
	const struct vx_addr4_key k = { .ifindex = ifindex, .vlan = vlan, .addr = addr };
	const struct vx_addr4_cell *c;
	struct hit hit = {};
	__u64 hash, word;
	__u32 i;

	if (!filter_has(vx_filter_bit(addr)))
		return hit;
	hash = vx_addr4_hash(&k);
	i = vx_cell_home(hash) & masks.addr;
	c = bpf_map_lookup_elem(&addr4, &i);
	if (!c)
		return hit;
	word = vx_cell_read(&c->e.word);
	if (!is_addr4(c, word, hash, &k)) {
		if (!(word & VX_CELL_USED))
			return hit;
		i = addr4_behind(ifindex, vlan, addr);
		c = bpf_map_lookup_elem(&addr4, &i);
		if (!c)
			return hit;
		word = vx_cell_read(&c->e.word);
		if (!is_addr4(c, word, hash, &k))
			return hit;
	}
	hit.e = &c->e;
	hit.word = word;
	return hit;
}

vx_inline bool is_addr6(const struct vx_addr6_cell *c, __u64 word, __u64 hash, const struct vx_addr6_key *k)
{
	return (word & VX_CELL_HEAD) == vx_cell_head(hash) && vx_addr_eq(&c->key.addr, &k->addr) &&
	       c->key.ifindex == k->ifindex && c->key.vlan == k->vlan && !vx_cell_reused(&c->e.word, word);
}

__noinline int addr6_behind(const struct vx_addr6_key *k)
{
	const struct vx_addr6_cell *c;
	__u64 hash, word;
	__u32 n, i;

	if (!k)
		return NO_CELL;
	hash = vx_addr6_hash(k);
	for (n = 1; n < VX_TABLE_PROBES; n++) {
		i = (vx_cell_home(hash) + n) & masks.addr;
		c = bpf_map_lookup_elem(&addr6, &i);
		if (!c)
			return NO_CELL;
		word = vx_cell_read(&c->e.word);
		if (is_addr6(c, word, hash, k))
			return i;
		if (!(word & VX_CELL_USED))
			return NO_CELL;
	}
	return NO_CELL;
}

vx_inline struct hit addr6_find(__u32 ifindex, __u32 vlan, const struct vx_addr *addr)
{
	const struct vx_addr6_cell *c;
	struct vx_addr6_key k;
	struct hit hit = {};
	__u64 hash, word;
	__u32 i;

	if (!filter_has(vx_filter_bit6(addr)))
		return hit;
	k = (struct vx_addr6_key){ .ifindex = ifindex, .vlan = vlan, .addr = *addr };
	hash = vx_addr6_hash(&k);
	i = vx_cell_home(hash) & masks.addr;
	c = bpf_map_lookup_elem(&addr6, &i);
	if (!c)
		return hit;
	word = vx_cell_read(&c->e.word);
	if (!is_addr6(c, word, hash, &k)) {
		if (!(word & VX_CELL_USED))
			return hit;
		i = addr6_behind(&k);
		c = bpf_map_lookup_elem(&addr6, &i);
		if (!c)
			return hit;
		word = vx_cell_read(&c->e.word);
		if (!is_addr6(c, word, hash, &k))
			return hit;
	}
	hit.e = &c->e;
	hit.word = word;
	return hit;
}

/* @h if it is of a VIP, or nothing. */
vx_inline struct hit vip_only(struct hit h)
{
	if (h.e && !(vx_addr_flags(h.word) & VX_ADDR_VIP))
		h.e = NULL;
	return h;
}

/* Copies the MACs of a VIP. False: it is another's by now. */
vx_inline bool macs_of(const struct hit *h, __u64 *mac, __u64 *nic)
{
	*mac = vx_cell_read(&h->e->mac);
	*nic = vx_cell_read(&h->e->nic);
	return !vx_cell_reused(&h->e->word, h->word);
}

enum { NO_VR = -1, VR_BEHIND = -2 };

/* The slot in the @n-th cell of a search; NO_VR: the key is not in the table, VR_BEHIND: if at all, farther on. */
vx_inline int vr_at(__u32 n, const struct vx_vr_key *k)
{
	__u64 hash = vx_vr_hash(k), word;
	__u32 i = (vx_cell_home(hash) + n) & masks.vr;
	const struct vx_vr_cell *c = bpf_map_lookup_elem(&vr_index, &i);

	if (!c)
		return NO_VR;
	word = vx_cell_read(&c->word);
	if ((word & VX_CELL_HEAD) == vx_cell_head(hash) && c->key.ifindex == k->ifindex && c->key.vlan == k->vlan &&
	    c->key.vrid == k->vrid && c->key.family == k->family && !vx_cell_reused(&c->word, word))
		return vx_vr_slot(word);
	return word & VX_CELL_USED ? VR_BEHIND : NO_VR;
}

__noinline int vr_behind(__u32 ifindex, __u32 vlan, __u32 family, __u32 vrid)
{
	const struct vx_vr_key k = { .ifindex = ifindex, .vlan = vlan, .vrid = vrid, .family = family };
	__u32 n;
	int slot;

	for (n = 1; n < VX_TABLE_PROBES; n++) {
		slot = vr_at(n, &k);
		if (slot != VR_BEHIND)
			return slot;
	}
	return NO_VR;
}

/* The slot of a virtual router, or its interface's row of counters for VRID 0; below 0: it is not ours. */
vx_inline int vr_find(__u32 ifindex, __u32 vlan, __u8 family, __u8 vrid)
{
	const struct vx_vr_key k = { .ifindex = ifindex, .vlan = vlan, .vrid = vrid, .family = family };
	int slot = vr_at(0, &k);

	return slot == VR_BEHIND ? vr_behind(ifindex, vlan, family, vrid) : slot;
}

/* The role word, read once: a second look could see another role (DP-8). */
vx_inline __u64 role_of(__u32 slot)
{
	__u64 *role = bpf_map_lookup_elem(&vr_role, &slot);

	return role ? *(volatile __u64 *)role : VX_ROLE_INIT;
}

/*
 * A better router is Active (FSM-A4): the controller will yield as soon as it runs, and until then nobody here answers; it may stand still, and
 * its lease have long to run. One that is just becoming Active sees that the word has changed. What was written since @role was read stays.
 */
vx_inline void role_end(__u32 slot, __u64 role, __u64 now_ns)
{
	__u64 *at = bpf_map_lookup_elem(&vr_role, &slot);

	if (at)
		__sync_val_compare_and_swap(at, role, now_ns);
}

vx_inline bool in_lease(__u64 role)
{
	return role >= VX_ROLE_ACTIVE_MIN && role > bpf_ktime_get_boot_ns();
}

vx_inline bool push(const struct vx_event *ev)
{
	bool ok = !bpf_ringbuf_output(&events, (void *)ev, sizeof(*ev), 0);

	count(ev->slot, ok ? VX_CTR_EV_SENT : VX_CTR_EV_LOST);
	return ok;
}

vx_inline void push_limited(struct vx_vr_watch *w, const struct vx_event *ev, enum vx_ev class)
{
	if (decide_bucket(&w->bucket_ns[class], ev->at_ns, DECIDE_EV_PERIOD_NS, DECIDE_EV_BURST))
		push(ev);
	else
		count(ev->slot, VX_CTR_EV_LIMITED);
}

/* Said once per reason and minute: the mask costs a flood of one reason nothing and hides no other. */
vx_inline void push_bad(struct vx_vr_watch *w, struct vx_event *ev, enum vx_ctr ctr)
{
	__u64 bit = 1ULL << (ctr & 63);

	if (ev->at_ns - w->said_ns > DECIDE_SAID_FOR_NS) {
		w->said_ns = ev->at_ns;
		w->said = 0;
	}
	if (w->said & bit)
		return;
	w->said |= bit;
	ev->type = VX_EV_BAD;
	ev->ctr = ctr;
	push(ev);
	ev->ctr = VX_CTR_NONE;
}

/*
 * When the watch of @slot has to be looked at, but not later than @next_ns; VX_NEVER: not before it is armed anew. Global, as the ones
 * below, see advert4_in(): what a loop over all slots of a timer learns from it has one state, not one for each way through.
 */
__noinline __u64 watch_due(__u32 slot, __u64 now_ns, __u64 next_ns)
{
	const struct vx_vr_watch *w = bpf_map_lookup_elem(&vr_watch, &slot);
	__u64 deadline_ns = w ? *(const volatile __u64 *)&w->deadline_ns : 0, at_ns;

	if (!deadline_ns || w->down_ns == deadline_ns)
		return next_ns;
	at_ns = deadline_ns > now_ns + VX_LEAD_NS ? deadline_ns - VX_LEAD_NS : deadline_ns;
	if (w->full_ns == deadline_ns)
		at_ns = deadline_ns > now_ns ? deadline_ns : now_ns + RETRY_NS;
	else if (w->soon_ns == deadline_ns)
		at_ns = deadline_ns + VX_FALLBACK_NS; /* the interrupt must not hit the controller at work */
	return at_ns < next_ns ? at_ns : next_ns;
}

/* The earliest of those whose timer is that of slot @first. */
__noinline __u64 timer_due(__u32 first, __u64 now_ns)
{
	__u64 next_ns = VX_NEVER;
	__u32 i, slot;

	for (i = 0; i < VX_TIMER_SHARE; i++) {
		slot = first + i;
		if (!bpf_map_lookup_elem(&vr_watch, &slot))
			break;
		next_ns = watch_due(slot, now_ns, next_ns);
	}
	return next_ns;
}

vx_inline void timer_set(struct vx_vr_watch *t, __u64 at_ns, __u64 now_ns)
{
	t->fire_ns = at_ns;
	bpf_timer_start(&t->timer, at_ns > now_ns ? at_ns - now_ns : 0, 0);
}

/*
 * Starts the timer @t of slot @first. Another CPU may have done so for an earlier time in this very moment, and this start have replaced that one;
 * its deadline was stored before, so it is seen now. Who starts it last sees all.
 */
vx_inline void timer_start(struct vx_vr_watch *t, __u32 first, __u64 at_ns, __u64 now_ns)
{
	__u64 due_ns;

	timer_set(t, at_ns, now_ns);
	due_ns = timer_due(first, now_ns);
	if (due_ns < at_ns)
		timer_set(t, due_ns, now_ns);
}

/*
 * Sets ActiveDown. The timer is started only when it would fire too late or not at all. The store of the deadline and the
 * read of fire_ns have a full barrier between them here, as the reverse pair has in on_timer(): when both run at once, one
 * of them sees the other, so the timer cannot be lost.
 */
vx_inline void watch_start(__u32 slot, __u64 now_ns)
{
	__u32 first = slot - slot % VX_TIMER_SHARE;
	struct vx_vr_watch *t = bpf_map_lookup_elem(&vr_watch, &first);
	__u64 at_ns, fire_ns;

	if (!t)
		return;
	fire_ns = __sync_fetch_and_add(&t->fire_ns, 0);
	at_ns = watch_due(slot, now_ns, VX_NEVER);
	if (at_ns != VX_NEVER && (!fire_ns || fire_ns > at_ns))
		timer_start(t, first, at_ns, now_ns);
}

vx_inline void watch_arm(struct vx_vr_watch *w, __u32 slot, __u64 deadline_ns, __u64 now_ns)
{
	*(volatile __u64 *)&w->deadline_ns = deadline_ns;
	watch_start(slot, now_ns);
}

/*
 * Tells the controller what is due of the watch of @slot, once for each deadline: the decision is its own (design: the state machine is in one
 * place). 0: there is no such slot.
 */
__noinline int watch_tell(__u32 slot, __u64 now_ns)
{
	struct vx_vr_watch *w = bpf_map_lookup_elem(&vr_watch, &slot);
	struct vx_event ev = { .type = VX_EV_DOWN, .slot = slot };
	__u64 deadline_ns, *told;

	if (!w)
		return 0;
	deadline_ns = *(volatile __u64 *)&w->deadline_ns;
	if (!deadline_ns || w->down_ns == deadline_ns || now_ns + VX_LEAD_NS + VX_SLACK_NS < deadline_ns)
		return 1;
	if (w->soon_ns == deadline_ns && now_ns + VX_SLACK_NS < deadline_ns + VX_FALLBACK_NS)
		return 1;
	ev.at_ns = deadline_ns;
	ev.adver_ns = w->adver_ns;
	ev.src = w->src;
	ev.priority = w->priority;
	told = &w->down_ns;
	if (now_ns < deadline_ns) {
		ev.type = VX_EV_SOON;
		told = &w->soon_ns;
	}
	*(push(&ev) ? told : &w->full_ns) = deadline_ns;
	return 1;
}

/* Active_Down_Timer of all the routers that share it, see VX_TIMER_SHARE. */
static int on_timer(void *map __attribute__((unused)), const __u32 *key, struct vx_vr_watch *t)
{
	__u64 now_ns = bpf_ktime_get_boot_ns(), next_ns;
	__u32 first = *key, i;

	__sync_lock_test_and_set(&t->fire_ns, 0);
	for (i = 0; i < VX_TIMER_SHARE; i++)
		if (!watch_tell(first + i, now_ns))
			break;
	next_ns = timer_due(first, now_ns);
	if (next_ns != VX_NEVER)
		timer_start(t, first, next_ns, now_ns);
	return 0;
}

/* FSM-B3..B6 and the learning they imply; returns true when the controller has to know. */
vx_inline bool backup_advert(struct vx_vr_watch *w, const struct vx_vr_config *cfg, const struct advert *a,
			     struct vx_event *ev)
{
	__u64 adver_ns = cfg->version == 3 ? decide_learn_ns(a->adver_ns, cfg->max_adver_ns) : cfg->adver_ns;
	__u64 now_ns = ev->at_ns;
	bool changed;

	bool preempt = decide_preempts(cfg->flags & VX_CFG_PREEMPT, cfg->preempt_delay_ns, &w->lower_ns, cfg->priority,
				       a->priority, now_ns);

	switch (decide_backup(cfg->priority, preempt, &w->src, a->priority, &a->src)) {
	case DECIDE_DISCARD:
		return false;
	case DECIDE_HANDOVER:
		w->last_ns = now_ns;
		if (vx_addr_none(&w->src)) /* the first we hear of it is that it leaves */
			w->src = a->src;
		w->priority = 0;
		watch_arm(w, ev->slot,
			  now_ns + decide_handover_ns(cfg->version, cfg->priority, cfg->handover_ns, w->adver_ns),
			  now_ns);
		ev->type = VX_EV_PRIO0;
		return true;
	case DECIDE_REFRESH:
		break;
	}
	/* One that comes behind the deadline is news in any case: the controller is taking over and has to think again. */
	changed = *(volatile __u64 *)&w->deadline_ns <= now_ns || !vx_addr_eq(&w->src, &a->src) ||
		  w->priority != a->priority || w->adver_ns != adver_ns;
	w->last_ns = now_ns;
	if (changed) {
		w->src = a->src;
		w->priority = a->priority;
		w->adver_ns = adver_ns;
	}
	watch_arm(w, ev->slot, now_ns + decide_down_ns(cfg->version, cfg->priority, cfg->down_adverts, adver_ns),
		  now_ns);
	ev->type = VX_EV_CHANGE;
	return changed;
}

/* A valid advert for a virtual router of ours (RX-36, RX-37, FSM-B, FSM-A). */
vx_inline void advert_deliver(struct vx_vr_watch *w, const struct vx_vr_config *cfg, const struct advert *a, __u32 slot,
			      __u32 notes, struct vx_event *ev)
{
	struct vx_counters *n = bpf_map_lookup_elem(&counters, &slot);
	__u64 role = role_of(slot);
	bool wake = true;

	if (!n)
		return;
	if (role < VX_ROLE_ACTIVE_MIN)
		role &= ~(__u64)VX_ROLE_LEAVING;
	if (role == VX_ROLE_INIT) {
		n->c[VX_CTR_RX_STATE]++;
		return;
	}
	n->c[VX_CTR_RX_OK]++;
	if (a->priority == 0)
		n->c[VX_CTR_RX_PRIO0]++;
	if (notes & ADVERT_NOTE_CSUM_9568)
		n->c[VX_CTR_RX_CSUM_RFC9568]++;
	if (notes & ADVERT_NOTE_CSUM_5798)
		n->c[VX_CTR_RX_CSUM_RFC5798]++;
	if (notes & ADVERT_NOTE_MAC)
		n->c[VX_CTR_RX_MAC_ODD]++;
	if (notes & ADVERT_NOTE_INTERVAL) {
		n->c[VX_CTR_ADV_INT_MISMATCH]++;
		push_bad(w, ev, VX_CTR_ADV_INT_MISMATCH);
	}
	if (notes & ADVERT_NOTE_ADDRS) {
		n->c[VX_CTR_ADDR_LIST]++;
		push_bad(w, ev, VX_CTR_ADDR_LIST);
	}
	if (notes & ADVERT_NOTE_OWNER) {
		n->c[VX_CTR_OWNER_CONFLICT]++;
		push_bad(w, ev, VX_CTR_OWNER_CONFLICT);
	}
	ev->absorbed = role == VX_ROLE_BACKUP;
	if (ev->absorbed) {
		wake = backup_advert(w, cfg, a, ev);
	} else {
		ev->type = decide_active(cfg->priority, &cfg->src, a->priority, &a->src);
		if (ev->type == VX_EV_HIGHER && !(cfg->flags & VX_CFG_DEAF))
			role_end(slot, role, ev->at_ns);
	}
	if (!wake)
		n->c[VX_CTR_RX_ABSORBED]++;
	else if (ev->type < VX_EV_LIMITED)
		push_limited(w, ev, ev->type);
}

/*
 * The functions below are global, so that the verifier looks at each once and by itself, and not once for every number of VLAN tags and IP
 * options that leads to it: inlined, they take 780,000 of the million steps that Linux 6.1 allows, and its verifier is the weaker one.
 * They get offsets instead of pointers, and check them anew.
 */

/* A cursor @off bytes into the frame. */
vx_inline struct cur cur_at(const struct xdp_md *ctx, __u32 off)
{
	return (struct cur){ .pos = (const __u8 *)(long)ctx->data + (off & OFF_MASK),
			     .end = (const __u8 *)(long)ctx->data_end };
}

/* The same far into an advert with many addresses. */
vx_inline struct cur cur_far(const struct xdp_md *ctx, __u32 off)
{
	return (struct cur){ .pos = (const __u8 *)(long)ctx->data + (off & FAR_MASK),
			     .end = (const __u8 *)(long)ctx->data_end };
}

/*
 * ADVERT_CHUNK addresses from @off on; 0: the frame is shorter. A function of its own is looked at once, where a loop over all that an advert may
 * have is gone through step by step: the verifier's time is half of that from the command to the first advert.
 */
__noinline int walk_chunk(struct xdp_md *ctx, __u32 off, struct advert_sums *s)
{
	struct cur c = cur_far(ctx, off);

	if (!s)
		return 0;
	return advert_walk(&c, ADVERT_CHUNK, ADVERT_CHUNK, false, s);
}

/* advert_walk() from @off on; 0: the frame is shorter. */
__noinline int walk(struct xdp_md *ctx, __u32 off, __u32 count, __u32 auth, struct advert_sums *s)
{
	struct cur c;
	__u32 i;

	if (!s)
		return 0;
	for (i = 0; i < ADVERT_MAX_ADDRS / ADVERT_CHUNK && count >= ADVERT_CHUNK; i++) {
		if (!walk_chunk(ctx, off, s))
			return 0;
		off += ADVERT_CHUNK * sizeof(__be32);
		count -= ADVERT_CHUNK;
	}
	c = cur_far(ctx, off);
	return advert_walk(&c, ADVERT_CHUNK, count, auth, s);
}

/* advert_opt_sum() from @off on. */
__noinline int options(struct xdp_md *ctx, __u32 off, __u32 words)
{
	struct cur c = cur_at(ctx, off);

	return advert_opt_sum(&c, words);
}

/* RX-5..RX-12 for the IPv4 header @off bytes into the frame. */
vx_inline enum vx_ctr ip4_check(struct xdp_md *ctx, __u32 off, struct advert *a)
{
	struct cur c = cur_at(ctx, off);
	__u32 present = c.end - c.pos;
	enum vx_ctr bad;
	int opt = 0;

	bad = advert_ip4_open(&c, a);
	if (bad)
		return bad;
	if (advert_opt_words(a)) {
		opt = options(ctx, off + sizeof(struct vx_ip4), advert_opt_words(a));
		if (opt < 0)
			return VX_CTR_RX_IP_HDR;
	}
	bad = advert_ip4_close(a, opt, present);
	if (bad)
		return bad;
	c = cur_at(ctx, off + a->ip_len);
	return advert_hdr(&c, a);
}

__noinline int walk6_chunk(struct xdp_md *ctx, __u32 off, struct advert_sums *s)
{
	struct cur c = cur_far(ctx, off);

	if (!s)
		return 0;
	return advert_walk6(&c, ADVERT_CHUNK, ADVERT_CHUNK, s);
}

/* advert_walk6() from @off on; 0: the frame is shorter. */
__noinline int walk6(struct xdp_md *ctx, __u32 off, __u32 count, struct advert_sums *s)
{
	struct cur c;
	__u32 i;

	if (!s)
		return 0;
	for (i = 0; i < ADVERT_MAX_ADDRS / ADVERT_CHUNK && count >= ADVERT_CHUNK; i++) {
		if (!walk6_chunk(ctx, off, s))
			return 0;
		off += ADVERT_CHUNK * sizeof(struct vx_addr);
		count -= ADVERT_CHUNK;
	}
	c = cur_far(ctx, off);
	return advert_walk6(&c, ADVERT_CHUNK, count, s);
}

/* RX-5, RX-10..RX-12 for the IPv6 header @off bytes into the frame. */
vx_inline enum vx_ctr ip6_check(struct xdp_md *ctx, __u32 off, struct advert *a)
{
	struct cur c = cur_at(ctx, off);
	enum vx_ctr bad = advert_ip6(&c, a, c.end - c.pos);

	return bad ? bad : advert_hdr(&c, a);
}

/* RX-13..RX-35; @lk->cfg is NULL for a VRID that is not ours. */
vx_inline enum vx_ctr advert_check(struct xdp_md *ctx, __u32 off, const struct advert *a,
				   const struct advert_lookup *lk, __u32 *notes)
{
	struct advert_sums sums = {};
	enum vx_ctr bad;

	bad = advert_check_head(a, lk);
	if (bad)
		return bad;
	off += a->ip_len + sizeof(struct advert_hdr);
	if (a->family == 6 ? !walk6(ctx, off, a->count, &sums) : !walk(ctx, off, a->count, a->version == 2, &sums))
		return VX_CTR_RX_LEN;
	return advert_check_body(a, lk, &sums, notes);
}

/* An advert that has passed all checks, for the router of ev->slot. */
__noinline int advert_taken(const struct advert *a, __u32 notes, struct vx_event *ev)
{
	const struct vx_vr_config *cfg;
	struct vx_vr_watch *w;
	__u32 slot;

	if (!a || !ev)
		return XDP_DROP;
	slot = ev->slot;
	cfg = bpf_map_lookup_elem(&vr_config, &slot);
	w = bpf_map_lookup_elem(&vr_watch, &slot);
	if (!cfg || !w)
		return XDP_DROP;
	ev->at_ns = bpf_ktime_get_boot_ns();
	advert_deliver(w, cfg, a, slot, notes, ev);
	return XDP_DROP;
}

/* One that has failed the check that @bad is named after, and was counted. */
__noinline int advert_refused(struct vx_event *ev, __u32 bad)
{
	struct vx_vr_watch *w;
	__u32 slot;

	if (!ev)
		return XDP_DROP;
	slot = ev->slot;
	w = bpf_map_lookup_elem(&vr_watch, &slot);
	if (w && role_of(slot) & ~(__u64)VX_ROLE_LEAVING) {
		ev->at_ns = bpf_ktime_get_boot_ns();
		push_bad(w, ev, bad);
	}
	return XDP_DROP;
}

/*
 * A VRRP packet for this host, its IP header @off bytes into the frame. What is wrong with it before its VRID is known counts for the
 * interface, if that has virtual routers of its family at all (RX-3).
 */
vx_inline int advert_in(struct xdp_md *ctx, __u32 off, __u32 vlan, __u8 family)
{
	const struct vx_eth *eth = (const void *)(long)ctx->data;
	struct advert_lookup lk = {};
	struct vx_event ev = {};
	struct advert a = {};
	enum vx_ctr bad;
	__u32 notes = 0;
	struct hit from;
	__u32 row;
	int found;

	if ((const void *)(eth + 1) > (const void *)(long)ctx->data_end)
		return XDP_PASS;
	a.eth_multicast = eth->dst[0] & 1;
	vx_mac_copy(ev.mac, eth->src);
	bad = family == 6 ? ip6_check(ctx, off, &a) : ip4_check(ctx, off, &a);
	found = bad || !a.vrid ? NO_VR : vr_find(ctx->ingress_ifindex, vlan, family, a.vrid);
	if (found < 0) {
		found = vr_find(ctx->ingress_ifindex, vlan, family, 0);
		if (found < 0)
			return XDP_PASS;
		row = found;
		if (bad) {
			count(row, bad);
			return XDP_DROP;
		}
	} else {
		row = found;
		lk.cfg = bpf_map_lookup_elem(&vr_config, &row);
		if (!lk.cfg)
			return XDP_PASS;
		if (lk.cfg->flags & (VX_CFG_UNICAST | VX_CFG_PEERS)) {
			struct vx_peer_key k = { .slot = row, .addr = a.src };

			lk.peer = bpf_map_lookup_elem(&peers, &k);
		}
	}
	from = family == 6 ? addr6_find(ctx->ingress_ifindex, vlan, &a.src)
			   : addr4_find(ctx->ingress_ifindex, vlan, a.src.w[0]);
	lk.own_src = from.e && vx_addr_flags(from.word) & VX_ADDR_OWN;
	bad = advert_check(ctx, off, &a, &lk, &notes);

	ev.slot = row;
	ev.src = a.src;
	ev.priority = a.priority;
	ev.adver_ns = a.adver_ns;
	if (bad == VX_CTR_NONE && lk.cfg)
		return advert_taken(&a, notes, &ev);
	count(row, bad);
	if (bad == VX_CTR_RX_VRID)
		return XDP_PASS;
	return lk.cfg ? advert_refused(&ev, bad) : XDP_DROP;
}

/* Two functions, because each is faster than one that does both. */
__noinline int advert4_in(struct xdp_md *ctx, __u32 off, __u32 vlan)
{
	return advert_in(ctx, off, vlan, 4);
}

__noinline int advert6_in(struct xdp_md *ctx, __u32 off, __u32 vlan)
{
	return advert_in(ctx, off, vlan, 6);
}

/*
 * The guard: a packet to a VIP of @slot, on the interface that has it or on another. In Backup the kernel knows whether the VIP is local: a
 * direct-routing real server holds it on lo.
 */
vx_inline int guard(__u32 slot)
{
	const struct vx_vr_config *cfg;
	__u64 role = role_of(slot);

	if (role == VX_ROLE_INIT || role == VX_ROLE_BACKUP)
		return XDP_PASS;
	if (!in_lease(role)) { /* or not Active any more, and the kernel has the VIP still */
		count(slot, VX_CTR_GUARD_LAPSED);
		return XDP_DROP;
	}
	cfg = bpf_map_lookup_elem(&vr_config, &slot);
	if (!cfg || !(cfg->flags & VX_CFG_NO_ACCEPT))
		return XDP_PASS;
	/* Here, before the kernel can answer with an ICMP error or send it on (DP-4, DP-5). */
	count(slot, VX_CTR_GUARD_NO_ACCEPT);
	return XDP_DROP;
}

/* ... where @word is what the maps say of a packet's destination. */
vx_inline int guard_of(__u64 word)
{
	if (!(vx_addr_flags(word) & (VX_ADDR_VIP | VX_ADDR_AWAY)))
		return XDP_PASS;
	return guard(vx_addr_flags(word) & VX_ADDR_VIP ? vx_addr_slot(word) : vx_addr_away(word));
}

vx_inline int ip4_in(struct xdp_md *ctx, const struct cur *c, __u32 vlan)
{
	const struct vx_ip4 *ip = (const struct vx_ip4 *)c->pos;
	struct hit to = {};
	__u32 flags = 0;
	bool group;
	int row;

	if ((const __u8 *)(ip + 1) > c->end)
		return XDP_PASS;
	group = ip->dst == ADVERT_GROUP4;
	if (!group) {
		to = addr4_find(ctx->ingress_ifindex, vlan, ip->dst);
		if (!to.e)
			return XDP_PASS;
		flags = vx_addr_flags(to.word);
	}
	group = (group || flags & VX_ADDR_GROUP) && (ip->proto == VX_IPPROTO_VRRP || ip->proto == VX_IPPROTO_AH);
	if (group && ip->proto == VX_IPPROTO_AH) { /* WF-8: out of scope */
		row = vr_find(ctx->ingress_ifindex, vlan, 4, 0);
		if (row < 0)
			return XDP_PASS;
		count(row, VX_CTR_RX_AUTH_TYPE);
		return XDP_DROP;
	}
	if (group || (ip->proto == VX_IPPROTO_VRRP && flags & VX_ADDR_OWN)) /* RX-4 */
		return advert4_in(ctx, c->pos - (const __u8 *)(long)ctx->data, vlan);
	return guard_of(to.word);
}

/* Whether @mac is the virtual one of the router of @slot. */
vx_inline bool is_vmac_of(const __u8 *mac, __u32 slot)
{
	const struct vx_vr_config *cfg = bpf_map_lookup_elem(&vr_config, &slot);

	return cfg && vmac_family(mac) == cfg->family && mac[5] == cfg->vrid;
}

/*
 * ARP-6, ND-13: somebody says that @mac has the VIP. Counted and told to the controller, which defends at once, but not without end; the kernel sees the
 * frame. From and for the virtual MAC it is another router of ours that takes over: FRR announces before its first advert, and not again.
 */
vx_inline int conflict(const struct vx_eth *eth, const __u8 *mac, const struct vx_addr *vip, __u32 slot)
{
	struct vx_vr_watch *w = bpf_map_lookup_elem(&vr_watch, &slot);
	struct vx_event ev = { .type = VX_EV_CONFLICT, .slot = slot, .src = *vip };

	if (is_vmac_of(eth->src, slot) && vx_mac_eq(mac, eth->src))
		return XDP_PASS;
	count(slot, VX_CTR_VIP_CONFLICT);
	if (w) {
		ev.at_ns = bpf_ktime_get_boot_ns();
		vx_mac_copy(ev.mac, eth->src);
		push_limited(w, &ev, VX_EV_CONFLICT);
	}
	return XDP_PASS;
}

/* An ARP packet @off bytes into the frame. */
__noinline int arp_in(struct xdp_md *ctx, __u32 off, __u32 vlan)
{
	struct vx_eth *eth = (struct vx_eth *)(long)ctx->data;
	struct cur c = cur_at(ctx, off);
	struct hit sender, target, vip;
	__u64 role, mac, nic;
	enum arp_about about;
	struct arp_ip4 *arp;
	bool lease, own_mac;
	struct arp_view v;
	__u32 slot;

	if ((const void *)(eth + 1) > (const void *)(long)ctx->data_end)
		return XDP_PASS;
	arp = arp_parse(&c, eth, &v);
	if (!arp)
		return XDP_PASS;
	sender = vip_only(addr4_find(ctx->ingress_ifindex, vlan, v.spa));
	target = vip_only(addr4_find(ctx->ingress_ifindex, vlan, v.tpa));
	vip = sender.e ? sender : target;
	if (!vip.e)
		return XDP_PASS;
	slot = vx_addr_slot(vip.word);
	role = role_of(slot);
	/* A peer that is Active for the one may ask for the other: its VIP as sender claims nothing from us. */
	if (sender.e && role < VX_ROLE_ACTIVE_MIN && v.spa != v.tpa && target.e) {
		sender.e = NULL;
		vip = target;
		slot = vx_addr_slot(vip.word);
		role = role_of(slot);
	}
	if (!macs_of(&vip, &mac, &nic))
		return XDP_DROP;
	/*
	 * Frames for another station's MAC are not ours to answer or to drop: we see them in promiscuous mode only. Those to the virtual MAC have
	 * the NIC's by now.
	 */
	if (!v.broadcast && !vx_mac_eq(eth->dst, &nic))
		return XDP_PASS;
	/* Our own frame come back; a Backup shares the virtual MAC with the Active Router, so there it is the Active's. */
	own_mac = role >= VX_ROLE_ACTIVE_MIN && vx_mac_eq(eth->src, &mac);
	about = arp_classify(&v, target.e, sender.e, own_mac);
	if (about == ARP_NOTHING)
		return XDP_PASS;
	lease = in_lease(role);
	if (about == ARP_CLAIMS) {
		/*
		 * The kernel should learn who has the VIP, but where it holds the VIP itself it can answer an announcement made as
		 * a request; made as a reply it says the same and is never answered (ARP-6, ARP-7).
		 */
		if (v.spa == v.tpa && v.op == VX_BE16(ARP_OP_REQUEST))
			arp->op = VX_BE16(ARP_OP_REPLY);
		return role >= VX_ROLE_ACTIVE_MIN ? conflict(eth, arp->sha, &(struct vx_addr){ .w = { v.spa } }, slot)
						  : XDP_PASS;
	}
	if (lease && v.odd) { /* ARP-5 */
		count(slot, VX_CTR_ARP_ODD);
		return XDP_PASS;
	}
	if (lease) {
		count(slot, VX_CTR_ARP_REPLY);
		arp_reply_in_place(eth, arp, (const __u8 *)&mac);
		return XDP_TX;
	}
	count(slot, role >= VX_ROLE_ACTIVE_MIN ? VX_CTR_ARP_LAPSED : VX_CTR_ARP_DROP);
	return XDP_DROP;
}

__noinline int nd_chunk(struct xdp_md *ctx, __u32 off, __u32 type, struct nd_opts *o)
{
	struct cur c = cur_far(ctx, off);

	if (!o)
		return 0;
	return nd_walk_part(&c, ND_CHUNK, ND_CHUNK, type, o);
}

/* nd_walk() from @off on; 0: not valid. */
__noinline int nd_options(struct xdp_md *ctx, __u32 off, __u32 units, __u32 type, struct nd_opts *o)
{
	struct cur c;
	__u32 i;

	if (!o || units > ND_MAX_UNITS)
		return 0;
	for (i = 0; i < ND_MAX_UNITS / ND_CHUNK && units >= ND_CHUNK; i++) {
		if (!nd_chunk(ctx, off, type, o))
			return 0;
		off += ND_CHUNK * 8;
		units -= ND_CHUNK;
	}
	c = cur_far(ctx, off);
	return nd_walk_part(&c, ND_CHUNK, units, type, o) && !o->next;
}

/* Whether the message @v, its IPv6 header @off bytes into the frame, is valid (ND-2); its options go to @o. */
vx_inline bool nd_check(struct xdp_md *ctx, __u32 off, const struct nd_view *v, struct nd_opts *o)
{
	__u32 type = v->type == ND_ADVERT ? ND_OPT_TARGET_MAC : ND_OPT_SOURCE_MAC;

	return nd_options(ctx, off + sizeof(struct vx_ip6) + sizeof(struct nd_msg), nd_units(v), type, o) &&
	       nd_valid(v, o);
}

/*
 * A solicitation without options has no room for the MAC that an answer to a group has to name, and a program that makes room, by
 * bpf_xdp_adjust_tail(), may not be able to share the NIC: newer kernels refuse it behind a dispatcher that makes none itself, as libxdp's
 * did until 2025. So that is left to the kernel, which has the VIP while we are Active: probes of a few stacks, which any answer ends.
 */
vx_inline int nd_answer_short(struct xdp_md *ctx, struct cur c, const struct nd_view *v, const __u8 *mac, __u32 slot)
{
	struct vx_eth *eth = (struct vx_eth *)(long)ctx->data;
	struct vx_ip6 *ip = (struct vx_ip6 *)c.pos;
	struct nd_msg *m = (struct nd_msg *)(ip + 1);

	if (ip6_is_multicast(&v->dst) || vx_addr_none(&v->src) || !cur_take(&c, sizeof(*ip) + sizeof(*m)) ||
	    (const void *)(eth + 1) > (const void *)(long)ctx->data_end) {
		count(slot, VX_CTR_ND_ODD);
		return XDP_PASS;
	}
	count(slot, VX_CTR_ND_REPLY);
	nd_answer_short_in_place(eth, ip, m, v, mac);
	return XDP_TX;
}

/* The solicitation becomes the answer. */
vx_inline int nd_answer(struct xdp_md *ctx, __u32 off, const struct nd_view *v, const __u8 *mac, __u32 slot)
{
	struct vx_eth *eth = (struct vx_eth *)(long)ctx->data;
	struct cur c = cur_at(ctx, off);
	struct nd_packet *p = (struct nd_packet *)c.pos;
	struct nd_opts o = {};

	if ((const void *)(eth + 1) > (const void *)(long)ctx->data_end)
		return XDP_PASS;
	if (!nd_check(ctx, off, v, &o) || nd_asker(eth, &o)[0] & 1) {
		count(slot, VX_CTR_ND_BAD);
		return XDP_DROP;
	}
	if (!cur_take(&c, sizeof(*p)))
		return nd_answer_short(ctx, cur_at(ctx, off), v, mac, slot);
	count(slot, VX_CTR_ND_REPLY);
	nd_answer_in_place(eth, p, v, &o, mac);
	return XDP_TX;
}

/* Whether a valid claim is somebody else's, and not our own frame come back: then both its MACs are ours. */
vx_inline bool nd_foreign(const struct vx_eth *eth, const struct nd_opts *o, const __u8 *mac)
{
	return !vx_mac_eq(eth->src, mac) || (o->found && !vx_mac_eq(nd_opt_mac(o), mac));
}

/*
 * A Neighbor Solicitation or Advertisement, its IPv6 header @off bytes into the frame. The kernel, which takes VIPs without duplicate
 * address detection, does no more about a claim than to log it.
 */
__noinline int nd_in(struct xdp_md *ctx, __u32 off, __u32 vlan)
{
	struct vx_eth *eth = (struct vx_eth *)(long)ctx->data;
	struct hit sender = {}, target, vip;
	struct cur c = cur_at(ctx, off);
	struct nd_view v = {};
	struct nd_opts o = {};
	enum nd_about about;
	__u64 role, mac, nic;
	__u32 slot;

	if ((const void *)(eth + 1) > (const void *)(long)ctx->data_end || !nd_parse(&c, eth, &v))
		return XDP_PASS;
	target = vip_only(addr6_find(ctx->ingress_ifindex, vlan, &v.target));
	if (v.type == ND_SOLICIT)
		sender = vip_only(addr6_find(ctx->ingress_ifindex, vlan, &v.src));
	vip = sender.e ? sender : target;
	if (!vip.e)
		return XDP_PASS;
	slot = vx_addr_slot(vip.word);
	role = role_of(slot);
	/* As with ARP, a peer's VIP as the source of a question for ours claims nothing from us. */
	if (sender.e && role < VX_ROLE_ACTIVE_MIN && target.e && !vx_addr_eq(&v.src, &v.target)) {
		sender.e = NULL;
		vip = target;
		slot = vx_addr_slot(vip.word);
		role = role_of(slot);
	}
	if (!macs_of(&vip, &mac, &nic))
		return XDP_DROP;
	if (!v.group && !vx_mac_eq(eth->dst, &nic)) /* another station's, seen in promiscuous mode only */
		return XDP_PASS;
	about = nd_classify(&v, target.e, sender.e);
	if (about == ND_NOTHING)
		return XDP_PASS;
	if (about == ND_CLAIMS) {
		if (role < VX_ROLE_ACTIVE_MIN || !nd_check(ctx, off, &v, &o) ||
		    !nd_foreign(eth, &o, (const __u8 *)&mac))
			return XDP_PASS;
		return conflict(eth, o.found ? nd_opt_mac(&o) : eth->src, v.type == ND_ADVERT ? &v.target : &v.src,
				slot);
	}
	if (role >= VX_ROLE_ACTIVE_MIN && vx_mac_eq(eth->src, &mac)) /* our own frame come back */
		return XDP_PASS;
	if (in_lease(role))
		return nd_answer(ctx, off, &v, (const __u8 *)&mac, slot);
	count(slot, role >= VX_ROLE_ACTIVE_MIN ? VX_CTR_ND_LAPSED : VX_CTR_ND_DROP);
	return XDP_DROP;
}

/*
 * A packet behind an extension header is looked at by its destination only. To an adverts' group it is nobody's here (RX-11) but MLD's: a
 * querier asks with an option for routers, and a switch that got no report would no longer deliver the adverts. A solicitation that hides
 * behind one is left to the kernel: no host sends such, and to find it is not cheap.
 */
vx_inline int ip6_in(struct xdp_md *ctx, const struct cur *c, __u32 vlan)
{
	const struct vx_ip6 *ip = (const struct vx_ip6 *)c->pos;
	const __u8 *first = (const __u8 *)(ip + 1); /* type of an ICMPv6 message, next header of an extension header */
	__u32 off = c->pos - (const __u8 *)(long)ctx->data;
	struct hit to = {};
	struct vx_addr dst;
	bool group;

	if (first > c->end)
		return XDP_PASS;
	if (ip->next == VX_IPPROTO_ICMPV6 && first + 1 <= c->end && (*first == ND_SOLICIT || *first == ND_ADVERT))
		return nd_in(ctx, off, vlan); /* whatever Accept_Mode says (ND-9) */
	dst = ip6_addr(ip->dst);
	group = vx_addr_eq(&dst, &ADVERT_GROUP6);
	if (!group) {
		to = addr6_find(ctx->ingress_ifindex, vlan, &dst);
		if (!to.e)
			return XDP_PASS;
		group = vx_addr_flags(to.word) & VX_ADDR_GROUP;
	}
	if (group && ip6_is_extension(ip->next)) {
		if (first + 1 <= c->end && *first == VX_IPPROTO_ICMPV6)
			return XDP_PASS;
	} else if (ip->next != VX_IPPROTO_VRRP || (!group && !(vx_addr_flags(to.word) & VX_ADDR_OWN))) { /* RX-4 */
		return group ? XDP_PASS : guard_of(to.word);
	}
	return advert6_in(ctx, off, vlan);
}

/*
 * A frame to a virtual MAC. Active: it becomes one to the NIC's own, which the kernel takes. Otherwise nobody here may take it, nor send it on
 * (DP-1, SEC-25). False: drop it. Those of other VRIDs may belong to another daemon's macvlan.
 */
vx_inline bool vmac_take(const struct xdp_md *ctx, struct vx_eth *eth, __u32 vlan, __u8 family)
{
	int found = vr_find(ctx->ingress_ifindex, vlan, family, eth->dst[5]);
	const struct vx_vr_config *cfg;
	__u32 slot = found;

	if (found < 0)
		return true;
	cfg = bpf_map_lookup_elem(&vr_config, &slot);
	if (!cfg || !(cfg->flags & VX_CFG_VMAC))
		return true;
	if (!in_lease(role_of(slot))) {
		count(slot, VX_CTR_VMAC_DROP);
		return false;
	}
	vx_mac_copy(eth->dst, cfg->nic);
	return true;
}

enum { NOT_PLAIN = -1 };

/*
 * Most frames are untagged IPv4 to nobody of ours, or to a VIP: what becomes of them is found from a few loads, before anything else is looked
 * at. NOT_PLAIN: it takes more.
 */
vx_inline int plain4_in(struct xdp_md *ctx)
{
	const struct vx_eth *eth = (const void *)(long)ctx->data;
	const struct vx_ip4 *ip = (const void *)(eth + 1);
	struct hit to;

	if ((const void *)(ip + 1) > (const void *)(long)ctx->data_end || eth->type != VX_BE16(VX_ETH_P_IP) ||
	    vx_get32(eth->dst) == VX_VMAC_HEAD)
		return NOT_PLAIN;
	if (ip->dst == ADVERT_GROUP4)
		return ip->proto == VX_IPPROTO_VRRP ? advert4_in(ctx, sizeof(*eth), 0) : NOT_PLAIN;
	to = addr4_find(ctx->ingress_ifindex, 0, ip->dst);
	if (!to.e)
		return XDP_PASS;
	if (ip->proto == VX_IPPROTO_VRRP || ip->proto == VX_IPPROTO_AH)
		return NOT_PLAIN;
	return guard_of(to.word);
}

SEC("xdp")
int vrrp_xdp(struct xdp_md *ctx)
{
	struct cur c = cur_at(ctx, 0);
	struct vx_eth *eth = (struct vx_eth *)(long)ctx->data;
	struct link l;
	__u8 family;
	int verdict, row;

	verdict = plain4_in(ctx);
	if (verdict != NOT_PLAIN)
		return verdict;
	switch (parse_link(&c, &l)) {
	case PARSE_SHORT: /* RX-1 */
		return XDP_PASS;
	case PARSE_TAGS: /* RX-2 */
		row = vr_find(ctx->ingress_ifindex, 0, 4, 0);
		if (row < 0)
			row = vr_find(ctx->ingress_ifindex, 0, 6, 0);
		if (row >= 0)
			count(row, VX_CTR_RX_VLAN_OTHER);
		return XDP_PASS;
	case PARSE_OK:
		break;
	}
	if ((const __u8 *)(eth + 1) > c.end)
		return XDP_PASS;
	family = vmac_family(eth->dst);
	if (family && eth->dst[5] && !vmac_take(ctx, eth, l.vlan, family))
		return XDP_DROP;
	if (l.type == VX_BE16(VX_ETH_P_IP))
		return ip4_in(ctx, &c, l.vlan);
	if (l.type == VX_BE16(VX_ETH_P_ARP))
		return arp_in(ctx, c.pos - (const __u8 *)(long)ctx->data, l.vlan);
	if (l.type == VX_BE16(VX_ETH_P_IPV6))
		return ip6_in(ctx, &c, l.vlan);
	return XDP_PASS;
}

/* Whether what leaves as from @h has to get its @mac: a VIP's, from the NIC, while we are Active. */
vx_inline bool egress_takes(const struct vx_eth *eth, struct hit h, __u64 *mac, __u64 *nic)
{
	h = vip_only(h);
	return h.e && macs_of(&h, mac, nic) && vx_mac_eq(eth->src, nic) && in_lease(role_of(vx_addr_slot(h.word)));
}

vx_inline void egress_arp(struct __sk_buff *skb)
{
	struct vx_eth *eth = (struct vx_eth *)(long)skb->data;
	struct arp_ip4 *arp = (struct arp_ip4 *)(eth + 1);
	__u64 mac, nic;

	if ((const void *)(arp + 1) > (const void *)(long)skb->data_end)
		return;
	if (!egress_takes(eth, addr4_find(skb->ifindex, 0, vx_get32(arp->spa)), &mac, &nic))
		return;
	vx_mac_copy(eth->src, &mac);
	vx_mac_copy(arp->sha, &mac);
}

/*
 * The kernel puts the MAC into the first option and the checksum in software. What has no option, or another MAC in it, changes no neighbor
 * cache; a switch's table it would change.
 */
vx_inline void egress_nd(struct __sk_buff *skb)
{
	struct vx_eth *eth = (struct vx_eth *)(long)skb->data;
	struct nd_packet *p = (struct nd_packet *)(eth + 1);
	struct nd_msg *m = &p->na.msg;
	struct vx_addr addr;
	__u64 mac, nic;

	if ((const void *)(m + 1) > (const void *)(long)skb->data_end || p->ip.next != VX_IPPROTO_ICMPV6 ||
	    (m->type != ND_SOLICIT && m->type != ND_ADVERT))
		return;
	addr = ip6_addr(m->type == ND_SOLICIT ? p->ip.src : m->target);
	if (!egress_takes(eth, addr6_find(skb->ifindex, 0, &addr), &mac, &nic))
		return;
	vx_mac_copy(eth->src, &mac);
	if ((const void *)(p + 1) > (const void *)(long)skb->data_end || vx_host16(p->ip.len) < sizeof(p->na) ||
	    p->na.opt.type != (m->type == ND_SOLICIT ? ND_OPT_SOURCE_MAC : ND_OPT_TARGET_MAC) ||
	    !vx_mac_eq(p->na.opt.mac, &nic))
		return;
	m->csum = nd_csum_replace(m->csum, p->na.opt.mac, (const __u8 *)&mac);
	vx_mac_copy(p->na.opt.mac, &mac);
}

/*
 * ARP-12: what the kernel asks with a VIP as sender, to answer a host that XDP has answered before, carries the NIC's MAC, and every host
 * that hears it would take that for the VIP's; so do its own solicitations and advertisements (RFC 9568 8.2.2). Nothing else that leaves is
 * looked into: it changes no cache. Attached at tc egress where a virtual MAC is used.
 */
SEC("tc")
int vrrp_egress(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		return TC_ACT_UNSPEC;
	if (skb->protocol == VX_BE16(VX_ETH_P_ARP))
		egress_arp(skb);
	else if (skb->protocol == VX_BE16(VX_ETH_P_IPV6))
		egress_nd(skb);
	return TC_ACT_UNSPEC;
}

/* Run by the controller through BPF_PROG_RUN with a struct vx_timer_cmd: userspace cannot call bpf_timer_start(). */
SEC("syscall")
int vx_timer(struct vx_timer_cmd *cmd)
{
	__u32 slot = cmd->slot, first = slot - slot % VX_TIMER_SHARE;
	struct vx_vr_watch *w = bpf_map_lookup_elem(&vr_watch, &slot), *t = bpf_map_lookup_elem(&vr_watch, &first);
	long err;

	if (!w || !t)
		return -ENOENT;
	if (cmd->op == VX_TIMER_SHIFT) {
		__u64 old_ns = *(volatile __u64 *)&w->deadline_ns, at_ns = old_ns + cmd->deadline_ns;

		/* An advert that comes in between counts from the new priority already: leave what it has set. */
		if (old_ns && __sync_val_compare_and_swap(&w->deadline_ns, old_ns, at_ns) == old_ns)
			watch_start(slot, bpf_ktime_get_boot_ns());
		return 0;
	}
	if (cmd->op == VX_TIMER_CANCEL) { /* others may wait for the timer; once more it fires for nothing */
		*(volatile __u64 *)&w->deadline_ns = 0;
		return 0;
	}
	err = bpf_timer_init(&t->timer, &vr_watch, CLOCK_BOOTTIME);
	if (err && err != -EBUSY) /* EBUSY: it was done before */
		return err;
	err = bpf_timer_set_callback(&t->timer, on_timer);
	if (err)
		return err;
	w->adver_ns = cmd->adver_ns;
	w->src = cmd->src;
	w->priority = cmd->priority;
	w->lower_ns = 0;
	w->said = 0;
	w->soon_ns = w->down_ns = w->full_ns = 0;
	watch_arm(w, slot, cmd->deadline_ns, bpf_ktime_get_boot_ns());
	return 0;
}

char _license[] SEC("license") = "GPL";
