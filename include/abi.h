/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between bpf/ and user/: map names, keys, values, counters, events. Both sides include this one file; a
 * change of any layout here raises VX_ABI_VERSION.
 *
 *   map        kind                     written by  what
 *   vr_index   table vx_vr_cell, mmap   user        advert -> slot of its virtual router; VRID 0: the interface's own entry
 *   addr4      table vx_addr4_cell, mmap  user      IPv4 addresses that matter: VIPs, also of other interfaces, and this interface's own
 *   addr6      table vx_addr6_cell, mmap  user      the same of IPv6
 *   peers      hash vx_peer_key         user        who may send to a virtual router that does not listen to everybody
 *   filter     array[1], mmap           user        one bit per hash of an address in addr4 or addr6: frames of strangers stop here
 *   vr_config  array[slot]              user        what is fixed between reloads
 *   vr_role    array[slot], mmap        user        one word: Initialize, Backup, or Active until; a lease is ended by bpf and the guardian, too
 *   vr_watch   array[slot]              bpf         the Active Router as heard, and its bpf_timer
 *   events     ring buffer              bpf         what the controller must look at
 *   counters   per-CPU array[row]       bpf         enum vx_ctr; rows [0, slots) per virtual router, then per interface
 *
 * Addresses and VRIDs are in network byte order exactly as on the wire; all times are nanoseconds of CLOCK_BOOTTIME.
 */
#ifndef VX_ABI_H
#define VX_ABI_H

#include "table.h"

#define VX_ABI_VERSION 7

enum {
	VX_MAX_VRS = 4096,         /* virtual routers per controller: 255 VRIDs x 16 interfaces */
	VX_MAX_IFS = 64,           /* interfaces per controller */
	VX_FILTER_BITS = 32768,    /* one page; 1 in 6 strangers passes it when 5,000 VIPs are set */
	VX_EVENTS_BYTES = 1 << 18, /* a power of two pages; 2,800 events of one turn of the controller */
};

/* vr_index: who is this advert for. VRID 0 is not valid on the wire: that key marks "an instance of this family lives here". */
struct vx_vr_key {
	__u32 ifindex;
	__u32 vlan; /* 0 untagged; VID; outer VID << 16 | inner VID */
	__u8 vrid;
	__u8 family; /* 4 or 6 */
	__u16 zero;
};

/* A cell of vr_index; behind the version, its word has the slot. VRID 0: the interface's row of counters, already past the slots. */
struct vx_vr_cell {
	__u64 word;
	struct vx_vr_key key;
	__u32 zero;
};

struct vx_addr4_key {
	__u32 ifindex;
	__u32 vlan;
	__be32 addr;
};

struct vx_addr6_key {
	__u32 ifindex;
	__u32 vlan;
	struct vx_addr addr;
};

enum {
	VX_ADDR_VIP = 1,
	VX_ADDR_OWN = 2,
	VX_ADDR_GROUP = 4, /* a multicast group that adverts go to, not 224.0.0.18 or ff02::12 */
	VX_ADDR_AWAY =
		8, /* a VIP of another interface, without Accept_Mode: the kernel would accept it on this one too (DP-5) */
};

/*
 * What addr4 and addr6 say of an address. Its word has, behind the version, VX_ADDR_* flags, the slot of the virtual router that holds it where
 * VX_ADDR_VIP is set, and that of the one that holds it elsewhere where VX_ADDR_AWAY is set. Every member changes in one store.
 */
struct vx_addr_entry {
	__u64 word;
	__u64 mac; /* bytes: what ARP or ND for a VIP is answered with: of the interface that has it, or the virtual one */
	__u64 nic; /* ... of that interface in any case */
};

struct vx_addr4_cell {
	struct vx_addr_entry e;
	struct vx_addr4_key key;
	__u32 zero;
};

struct vx_addr6_cell {
	struct vx_addr_entry e;
	struct vx_addr6_key key;
};

vx_inline __u64 vx_addr_load(__u32 flags, __u32 slot, __u32 away)
{
	return (__u64)flags << 24 | (__u64)slot << 32 | (__u64)away << 48;
}

vx_inline __u32 vx_addr_flags(__u64 word)
{
	return word >> 24 & 0xff;
}

vx_inline __u32 vx_addr_slot(__u64 word)
{
	return word >> 32 & 0xffff;
}

vx_inline __u32 vx_addr_away(__u64 word)
{
	return word >> 48;
}

vx_inline __u64 vx_vr_load(__u32 slot)
{
	return (__u64)slot << 32;
}

vx_inline __u32 vx_vr_slot(__u64 word)
{
	return word >> 32;
}

/* Odd multipliers; the upper bits of the sum are the good ones. */
vx_inline __u64 vx_hash_place(__u32 ifindex, __u32 vlan)
{
	return ifindex * 0xd6e8feb86659fd93ULL + vlan * 0xa0761d6478bd642fULL;
}

vx_inline __u64 vx_vr_hash(const struct vx_vr_key *k)
{
	return vx_hash_place(k->ifindex, k->vlan) + (k->vrid << 8 | k->family) * 0x9e3779b97f4a7c15ULL;
}

vx_inline __u64 vx_addr4_hash(const struct vx_addr4_key *k)
{
	return vx_hash_place(k->ifindex, k->vlan) + k->addr * 0x9e3779b97f4a7c15ULL;
}

vx_inline __u64 vx_addr6_hash(const struct vx_addr6_key *k)
{
	const __be32 *w = k->addr.w;

	return vx_hash_place(k->ifindex, k->vlan) + w[0] * 0x8ebc6af09c88c6e3ULL + w[1] * 0x589965cc75374cc3ULL +
	       w[2] * 0x1d8e4e27c47d124fULL + w[3] * 0x9e3779b97f4a7c15ULL;
}

/* Sizes of the tables less one: they are powers of two. Set before the program is loaded. */
struct vx_masks {
	__u32 vr;
	__u32 addr; /* addr4 and addr6 */
};

struct vx_peer_key {
	__u32 slot;
	struct vx_addr addr;
};

struct vx_peer_val {
	__u8 min_ttl; /* RX-35: 255 and 255 unless widened */
	__u8 max_ttl;
	__u16 zero;
};

enum {
	VX_CFG_PREEMPT = 1 << 0,
	VX_CFG_UNICAST = 1 << 1,
	VX_CFG_CSUM_9568 = 1 << 2, /* VRRPv3/IPv4 checksum forms accepted (WF-19); at least one is set */
	VX_CFG_CSUM_5798 = 1 << 3,
	VX_CFG_NO_ACCEPT = 1 << 4, /* Accept_Mode is false (DP-4) */
	VX_CFG_VMAC = 1 << 5,      /* speaks with 00:00:5e:00:01:VRID, IPv6 with 00:00:5e:00:02:VRID (WF-14) */
	VX_CFG_FIRST_LL = 1 << 6,  /* IPv6: our first VIP is link-local, so theirs has to be (RX-30) */
	VX_CFG_PEERS = 1 << 7,     /* multicast, and yet only who is in `peers` may send (RX-34) */
	VX_CFG_DEAF = 1 << 8,      /* yields to nobody (owner_ignore_adverts) */
};

struct vx_vr_config {
	__u32 ifindex;
	__u32 vlan;
	struct vx_addr src;   /* our primary address: Sme of FSM-A4 */
	struct vx_addr group; /* where multicast adverts go (WF-12) */
	__u32 flags;
	__u32 zero32;
	__u64 adver_ns;         /* own Advertisement_Interval */
	__u64 vip_sum;          /* advert_addr_mix() over the VIPs, summed: adverts are compared as sets (WF-3) */
	__u64 preempt_delay_ns; /* KA-22; 0: none */
	__u64 handover_ns;      /* decide_handover_ns(); 0: Skew_Time as in the RFC */
	__u64 max_adver_ns;     /* longest Active_Adver_Interval that is learned (SEC-9); 0: any */
	__u8 auth[8];           /* v2 type 1 (WF-7) */
	__u8 vrid;
	__u8 family;
	__u8 version;
	__u8 priority;
	__u8 auth_type; /* 0 or 1 */
	__u8 nvips;
	__u8 down_adverts; /* KA-23: 3 but where configured */
	__u8 zero;
	__u8 nic[6]; /* VX_CFG_VMAC: the interface's own MAC, which the kernel takes frames for */
	__u8 zero2[2];
};

/*
 * vr_role is one word, so that every change of role is one atomic store (DP-8): VX_ROLE_INIT, VX_ROLE_BACKUP, or Active with
 * the lease: the time until which the controller has proved to be alive. Where a lease is ended early, by the guardian or because a better
 * router was heard, that is a compare-and-swap, and so is every renewal: what has ended stays ended until the controller has seen why.
 */
enum {
	VX_ROLE_INIT = 0,
	VX_ROLE_BACKUP = 1,
	VX_ROLE_LEAVING = 2, /* bit of the two: the kernel has the addresses still, and must not serve them */
	VX_ROLE_ACTIVE_MIN = 4,
};

/* What the controller is told. The first kinds have a token bucket each per virtual router: a flood of one hides no other. */
enum vx_ev {
	VX_EV_PRIO0,                /* the Active Router is leaving (FSM-B3, FSM-A3) */
	VX_EV_HIGHER,               /* Active: higher, or equal with the greater address (FSM-A4) */
	VX_EV_LOWER,                /* Active: any other advert (FSM-A5) */
	VX_EV_CHANGE,               /* Backup: another Active Router, priority or interval than before */
	VX_EV_CONFLICT,             /* ARP-6: somebody else claims a VIP of ours */
	VX_EV_LIMITED,              /* how many kinds are limited so */
	VX_EV_DOWN = VX_EV_LIMITED, /* Active_Down_Timer fired (FSM-B2) */
	VX_EV_SOON,                 /* it will in at most VX_LEAD_NS; at_ns says when */
	VX_EV_BAD,                  /* a frame was refused or is odd: `ctr` says why; once per reason and minute */
};

struct vx_event {
	__u32 type; /* enum vx_ev */
	__u32 slot;
	__u64 at_ns;        /* when the frame came in, or when the timer is or was due */
	__u64 adver_ns;     /* interval of the advert */
	struct vx_addr src; /* of the advert; VX_EV_CONFLICT: the VIP */
	__u8 mac[6];        /* of the sender */
	__u8 priority;
	__u8 ctr;      /* VX_EV_BAD: enum vx_ctr */
	__u8 absorbed; /* an advert: the kernel has acted on it as a Backup */
	__u8 zero[7];
};

/*
 * How long before ActiveDown the controller is woken: longer than a timer interrupt and the way into a sleeping process take, so that
 * at the deadline it stands ready and is not just being woken. Only a router that has missed three adverts gets there.
 */
#define VX_LEAD_NS (200 * VX_NS_PER_US)

/*
 * The watch over the Active Router, written by BPF alone. The timer is armed lazily: an advert that moves the deadline
 * later leaves the timer as it is, and the callback, finding that it fired early, starts it for the rest. Each VX_TIMER_SHARE slots
 * share the timer of the first of them: when an Active Router with thousands dies, few interrupts tell of all, in the order in which it
 * sent; and few timers have to be allocated, which the kernel does without waiting for memory, so that hundreds in a row fail (ENOMEM).
 */
#define VX_SLACK_NS    (300 * VX_NS_PER_US) /* what is due so much later is told of by the same interrupt */
#define VX_FALLBACK_NS (2 * VX_NS_PER_MS)   /* behind ActiveDown, should the controller not have got there in time */

enum { VX_TIMER_SHARE = 32, VX_TIMERS = VX_MAX_VRS / VX_TIMER_SHARE };

struct vx_vr_watch {
	struct bpf_timer timer;
	__u64 deadline_ns; /* ActiveDown; 0: not watching */
	__u64 fire_ns;     /* when the armed timer fires; 0: not armed. As @timer, of the first that share it only */
	__u64 soon_ns;     /* the deadline of which VX_EV_SOON was sent, */
	__u64 down_ns;     /* ... VX_EV_DOWN, */
	__u64 full_ns;     /* ... and one of the two could not be sent */
	__u64 last_ns;     /* last advert absorbed */
	__u64 adver_ns;    /* Active_Adver_Interval as learned */
	__u64 lower_ns;    /* first advert of lower priority since preemption is delayed (KA-22); 0: none */
	__u64 bucket_ns[VX_EV_LIMITED];
	__u64 said_ns;      /* when `said` was last emptied */
	__u64 said;         /* bit per enum vx_ctr: VX_EV_BAD sent for it */
	struct vx_addr src; /* the Active Router's address; 0: none heard */
	__u8 priority;
	__u8 zero[7];
};

/* Input of the BPF program vx_timer, by which the controller works the timers that userspace cannot reach. */
enum { VX_TIMER_ARM, VX_TIMER_CANCEL, VX_TIMER_SHIFT };

struct vx_timer_cmd {
	__u32 op;
	__u32 slot;
	__u64 deadline_ns;  /* ARM; SHIFT: how much later, two's complement for earlier (FSM-11) */
	__u64 adver_ns;     /* ARM: Active_Adver_Interval to start from */
	struct vx_addr src; /* ARM: the Active Router, 0 when not known */
	__u32 priority;
	__u32 zero32;
};

/* Counters; the names are the ids of the requirements. One line each: enum suffix, printed name, what it counts. */
#define VX_COUNTERS(X)                                                                                                 \
	X(RX_OK, "rx_ok", "adverts accepted (RX-37)")                                                                  \
	X(RX_PRIO0, "rx_prio0", "... of priority 0 (RX-37)")                                                           \
	X(RX_ABSORBED, "rx_absorbed", "... that needed no controller")                                                 \
	X(RX_CSUM_RFC9568, "rx_csum_rfc9568", "v3 adverts whose checksum had no pseudo-header (WF-19)")                \
	X(RX_CSUM_RFC5798, "rx_csum_rfc5798", "v3 adverts whose checksum had a pseudo-header (WF-19)")                 \
	X(ADV_INT_MISMATCH, "adv_int_mismatch", "kept, but another interval than ours (RX-29)")                        \
	X(ADDR_LIST, "addr_list", "kept, but other addresses than ours (RX-31)")                                       \
	X(RX_MAC_ODD, "rx_mac_odd", "kept, but a multicast advert in a unicast frame (RX-39)")                         \
	X(OWNER_CONFLICT, "owner_conflict", "advert although we own the addresses (RX-32)")                            \
	X(RX_VLAN_OTHER, "rx_vlan_other", "passed: more than two VLAN tags (RX-2)")                                    \
	X(RX_VRID, "rx_vrid", "passed: a VRID that is not ours (RX-18)")                                               \
	X(RX_IP_HDR, "rx_ip_hdr", "dropped: malformed IP header (RX-5)")                                               \
	X(RX_FRAG, "rx_frag", "dropped: fragment (RX-7)")                                                              \
	X(RX_IP_CSUM, "rx_ip_csum", "dropped: IPv4 header checksum (RX-8)")                                            \
	X(RX_EXT, "rx_ext", "dropped: IPv6 extension header (RX-11)")                                                  \
	X(RX_LEN, "rx_len", "dropped: length (RX-9, RX-10, RX-21, RX-22)")                                             \
	X(RX_TTL, "rx_ttl", "dropped: TTL or hop limit (RX-13, RX-35)")                                                \
	X(RX_SRC, "rx_src", "dropped: source address cannot be (RX-14)")                                               \
	X(RX_OWN, "rx_own", "dropped: our own source address (RX-15)")                                                 \
	X(RX_VERSION, "rx_version", "dropped: version (RX-16, RX-19)")                                                 \
	X(RX_TYPE, "rx_type", "dropped: type (RX-17)")                                                                 \
	X(RX_COUNT, "rx_count", "dropped: no address (RX-20)")                                                         \
	X(RX_CSUM, "rx_csum", "dropped: VRRP checksum (RX-23)")                                                        \
	X(RX_AUTH_TYPE, "rx_auth_type", "dropped: unknown authentication type, or AH (RX-24, WF-8)")                   \
	X(RX_AUTH_MISMATCH, "rx_auth_mismatch", "dropped: another authentication type (RX-25)")                        \
	X(RX_AUTH_FAIL, "rx_auth_fail", "dropped: password (RX-26)")                                                   \
	X(RX_ADV_INT, "rx_adv_int", "dropped: advertisement interval (RX-27, RX-28)")                                  \
	X(RX_FIRST_ADDR, "rx_first_addr", "dropped: IPv6, first address not link-local (RX-30)")                       \
	X(RX_CAST, "rx_cast", "dropped: multicast for a unicast router or the reverse (RX-33)")                        \
	X(RX_PEER, "rx_peer", "dropped: not a configured peer (RX-34)")                                                \
	X(RX_STATE, "rx_state", "dropped: in Initialize (RX-36)")                                                      \
	X(ARP_REPLY, "arp_reply", "ARP requests for a VIP answered (ARP-1)")                                           \
	X(ARP_DROP, "arp_drop", "ARP requests for a VIP dropped, not Active (ARP-7)")                                  \
	X(ARP_LAPSED, "arp_lapsed", "... or Active with a lapsed lease")                                               \
	X(ARP_ODD, "arp_odd", "ARP requests for a VIP left to the kernel as odd (ARP-5)")                              \
	X(ND_REPLY, "nd_reply", "Neighbor Solicitations for a VIP answered (ND-1)")                                    \
	X(ND_DROP, "nd_drop", "Neighbor Solicitations for a VIP dropped, not Active (ND-8)")                           \
	X(ND_LAPSED, "nd_lapsed", "... or Active with a lapsed lease")                                                 \
	X(ND_BAD, "nd_bad", "Neighbor Solicitations for a VIP dropped as invalid (ND-2)")                              \
	X(ND_ODD, "nd_odd", "Neighbor Solicitations for a VIP left to the kernel: too short to answer in place")       \
	X(VIP_CONFLICT, "vip_conflict", "others that claim a VIP of ours (ARP-6, ND-13)")                              \
	X(GUARD_LAPSED, "guard_lapsed", "packets to a VIP dropped, Active with a lapsed lease (DP)")                   \
	X(GUARD_NO_ACCEPT, "guard_no_accept", "packets to a VIP dropped, Active without accept mode (DP-4, DP-5)")     \
	X(VMAC_DROP, "vmac_drop", "frames to the virtual MAC dropped, not Active or with a lapsed lease (DP-1)")       \
	X(EV_SENT, "ev_sent", "events given to the controller")                                                        \
	X(EV_LIMITED, "ev_limited", "events held back by their token bucket")                                          \
	X(EV_LOST, "ev_lost", "events lost because the ring buffer was full")

enum vx_ctr {
	VX_CTR_NONE,
#define VX_CTR_ENUM(id, name, help) VX_CTR_##id,
	VX_COUNTERS(VX_CTR_ENUM)
#undef VX_CTR_ENUM
		VX_CTR_COUNT,
};

struct vx_counters {
	__u64 c[VX_CTR_COUNT];
};

struct vx_filter {
	__u64 word[VX_FILTER_BITS / 64];
};

/* Which bit of the filter stands for @addr: Fibonacci hashing, the upper bits are the good ones. */
vx_inline __u32 vx_filter_bit(__be32 addr)
{
	return (addr * 2654435769U) >> 17;
}

vx_inline __u32 vx_filter_bit6(const struct vx_addr *addr)
{
	return (addr->w[0] * 2246822519U + addr->w[1] * 3266489917U + addr->w[2] * 668265263U +
		addr->w[3] * 2654435769U) >>
	       17;
}

_Static_assert(VX_FILTER_BITS == 1 << (32 - 17), "vx_filter_bit() yields 15 bits");
_Static_assert(VX_TIMERS *VX_TIMER_SHARE == VX_MAX_VRS, "every slot has a timer");
_Static_assert(VX_MAX_VRS <= 1 << 16, "a word holds a slot");
_Static_assert(VX_CTR_COUNT <= 64, "vx_vr_watch.said has a bit per counter");
_Static_assert(sizeof(struct vx_vr_key) == 12, "abi: no padding in a hash key");
_Static_assert(sizeof(struct vx_addr4_key) == 12, "abi: no padding in a hash key");
_Static_assert(sizeof(struct vx_addr6_key) == 24, "abi: no padding in a hash key");
_Static_assert(sizeof(struct vx_peer_key) == 20, "abi: no padding in a hash key");
_Static_assert(sizeof(struct bpf_timer) == 16, "abi: bpf_timer");
_Static_assert(sizeof(struct vx_vr_config) == 112, "abi: vr_config");
_Static_assert(sizeof(struct vx_vr_cell) == 24, "abi: vr_index");
_Static_assert(sizeof(struct vx_addr4_cell) == 40, "abi: addr4");
_Static_assert(sizeof(struct vx_addr6_cell) == 48, "abi: addr6");
_Static_assert(offsetof(struct vx_vr_config, vrid) == 96, "abi: vr_config.vrid");
_Static_assert(sizeof(struct vx_event) == 56, "abi: event");
_Static_assert(sizeof(struct vx_vr_watch) == 160, "abi: vr_watch");
_Static_assert(offsetof(struct vx_vr_watch, src) == 136, "abi: vr_watch.src");
_Static_assert(sizeof(struct vx_timer_cmd) == 48, "abi: timer command");

#endif
