/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data plane seen from userspace: loads bpf/vrrp_xdp.bpf.c through libxdp, attaches it, fills its maps, works its timers, reads
 * its events and counters, and removes what a dead controller left. The only file that includes the skeleton.
 *
 * Pins: BPFFS/vrrp-xdp/<inode of the network namespace>/<interface>/{program and map names}.
 */
#ifndef VX_DP_H
#define VX_DP_H

#include "abi.h"
#include "hand.h"

#include <stdint.h>

struct dp;

enum dp_mode { DP_MODE_AUTO, DP_MODE_NATIVE, DP_MODE_SKB };

/* How many of each the maps must hold. */
struct dp_sizes {
	uint32_t vrs;
	uint32_t ifs;
	uint32_t addrs;
	uint32_t peers;
};

struct dp_ops {
	void (*event)(void *arg, const struct vx_event *ev);
	void *arg; /* borrowed */
};

/* What dp_attach() did, for status. */
struct dp_attachment {
	enum dp_mode mode; /* native or skb */
	const char *why;   /* static string: why that mode */
	bool shared;       /* attached through libxdp's dispatcher, beside other programs */
	uint32_t id;       /* by which news of the link name what is attached: our program, or that dispatcher */
};

/* What the kernel runs on an interface. */
enum { DP_NAME_LEN = 16 };
struct dp_seen {
	uint32_t id; /* of the XDP program: ours, libxdp's dispatcher, somebody else's; 0: none */
	char name[DP_NAME_LEN];
	bool generic;
	bool ours;   /* it is our program, or a dispatcher with our program in it */
	bool shared; /* the latter */
};

enum { DP_ERR_LEN = 256 };

/*
 * Opens the object and makes the maps as large as @sizes says; nothing is in the kernel yet but perhaps a bpffs mount.
 * *@out is owned by the caller. On failure returns -errno and puts one sentence without a final stop into @why.
 */
int dp_new(struct dp **out, const struct dp_sizes *sizes, const struct dp_ops *ops, char why[DP_ERR_LEN]);
/* Detaches from every interface, removes the pins, and the bpffs mount if it was ours. dp_free(NULL) is legal. */
void dp_free(struct dp *dp);

/*
 * Leaves everything in the kernel to the controller that follows in this process, and takes it over there instead of dp_new(), with the
 * sizes that it was made with: programs, maps, timers and attachments are used as they are. -EPROTO: they are not what this version works
 * with. On failure, too, nothing is detached.
 */
void dp_hand_over(struct dp *dp, struct hand *h);
int dp_adopt(struct dp **out, const struct dp_sizes *sizes, const struct dp_ops *ops, struct hand *h,
	     char why[DP_ERR_LEN]);
/* Ends @dp alone: everything in the kernel stays as it is. dp_forget(NULL) is legal. */
void dp_forget(struct dp *dp);

/* Attaches to one interface; @kind is the link's kind as rtnetlink names it ("veth"). Loads the programs the first time.
 * 0 or -errno with a sentence in @why. */
int dp_attach(struct dp *dp, int ifindex, const char *ifname, const char *kind, enum dp_mode mode,
	      struct dp_attachment *out, char why[DP_ERR_LEN]);

/* Keeps the kernel's ARP from telling hosts another MAC than the virtual one (ARP-12), until dp_detach(). Again is no error. 0 or -errno. */
int dp_egress_attach(struct dp *dp, int ifindex);

/* Whether somebody has taken that away; the next dp_egress_attach() puts it back. */
bool dp_egress_lost(struct dp *dp, int ifindex);

/* Asks the kernel; news of links may be older than what we did. 0 or -errno. */
int dp_look(struct dp *dp, int ifindex, struct dp_seen *out);
/* Attaches again, in the mode that dp_attach() chose, where somebody took our program off: the same program with the same maps. Beside other
 * programs where that is possible, never in the place of one. 0, -ENODEV, or another -errno with a sentence in @why. */
int dp_restore(struct dp *dp, int ifindex, char why[DP_ERR_LEN]);

/* Takes the program off @ifindex and removes its pins; the interface may be gone already, or have somebody else's program, which stays. */
void dp_detach(struct dp *dp, int ifindex);

/* The following are legal after the first dp_attach(), when dp_loaded(); 0 or -errno. */
bool dp_loaded(const struct dp *dp);

/* The id by which the kernel knows our program. */
uint32_t dp_prog_id(const struct dp *dp);

/* Maps @ring to the events; readable when there are any. */
int dp_events_fd(const struct dp *dp);
void dp_events_read(struct dp *dp); /* before it too: there are none */

int dp_vr_set(struct dp *dp, uint32_t slot, const struct vx_vr_config *cfg);
/* @vrid 0: the interface itself, @slot then is its row of counters: see dp_if_row(). */
int dp_index_set(struct dp *dp, const struct vx_vr_config *cfg, uint8_t vrid, uint32_t slot);
int dp_index_del(struct dp *dp, const struct vx_vr_config *cfg, uint8_t vrid);
uint32_t dp_if_row(const struct dp *dp, uint32_t if_number);

/* One VX_ADDR_* flag of an address of an interface. */
struct dp_addr {
	int ifindex;
	uint32_t vlan; /* as in struct vx_addr4_key */
	uint8_t family;
	struct vx_addr addr;
	uint32_t flag;
	uint32_t slot;  /* VX_ADDR_VIP, VX_ADDR_AWAY: of its virtual router */
	uint8_t mac[6]; /* VX_ADDR_VIP: what ARP or ND is answered with */
	uint8_t nic[6]; /* VX_ADDR_VIP: the MAC of the interface */
};
/* Sets or clears it; of a VIP that is there already the slot and the MAC become those of @a. 0 or -errno. */
int dp_addr_set(struct dp *dp, const struct dp_addr *a, bool present);
/* Who may send to a unicast virtual router, and with which TTL (RX-34, RX-35). */
int dp_peer_set(struct dp *dp, uint32_t slot, const struct vx_addr *addr, uint8_t min_ttl, uint8_t max_ttl);
int dp_peer_del(struct dp *dp, uint32_t slot, const struct vx_addr *addr);

/* The map of the roles, for the guardian. */
int dp_role_fd(const struct dp *dp);
/*
 * Atomic, no system call: VX_ROLE_INIT, VX_ROLE_BACKUP or the lease (DP-8). False: a lease was not renewed, because somebody has ended the one
 * before, and none will be until it was another role.
 */
bool dp_role_set(struct dp *dp, uint32_t slot, uint64_t role);
/* Whether somebody has ended the lease that was set last. */
bool dp_role_ended(const struct dp *dp, uint32_t slot);

/* Makes the timer of a slot, before any is armed: the kernel does it without waiting for memory and may find none for a moment, so this
 * waits and tries again. Arming allocates nothing afterwards. */
int dp_watch_init(struct dp *dp, uint32_t slot);
int dp_watch_arm(struct dp *dp, uint32_t slot, uint64_t deadline_ns, uint64_t adver_ns, const struct vx_addr *src,
		 uint8_t priority);
/* Moves a running ActiveDown by @shift_ns (FSM-11). */
int dp_watch_shift(struct dp *dp, uint32_t slot, int64_t shift_ns);
int dp_watch_cancel(struct dp *dp, uint32_t slot);
int dp_watch_get(const struct dp *dp, uint32_t slot, struct vx_vr_watch *out);
/* Whether the timer of a slot, which it may share, is running. */
bool dp_watch_armed(const struct dp *dp, uint32_t slot);
/* For a row that another router or interface had before. */
int dp_counters_clear(struct dp *dp, uint32_t row);
/* Sums a row over all CPUs. */
int dp_counters_get(const struct dp *dp, uint32_t row, struct vx_counters *out);

/* @vlan: as in struct vx_addr4_key */
typedef void (*dp_vip_fn)(void *arg, uint32_t vlan, uint8_t family, const struct vx_addr *addr);
/*
 * Removes a program of ours and its pins from an interface that no controller runs. @vip is called for every VIP that the
 * program answered for. Returns 1: there was one, 0: nothing was there, or -errno.
 */
int dp_leftovers_remove(int ifindex, const char *ifname, dp_vip_fn vip, void *arg);

#endif
