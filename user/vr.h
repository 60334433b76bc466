/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual routers: events go in, fsm.c decides, and what it decided is carried out at the end of the turn, for all routers
 * together and in this order (design):
 *
 *   ceasing          role (XDP is silent from here on), priority 0, addresses removed
 *   becoming Active  advert, addresses, role (XDP answers from here on), gratuitous ARP, log
 *
 * The only glue: everything below is pure, or an edge that calls back into this file.
 */
#ifndef VX_VR_H
#define VX_VR_H

#include "conf.h"
#include "dp.h"
#include "fsm.h"
#include "loop.h"
#include "nl.h"
#include "tx.h"

enum { VR_GARP_REPEAT = 5, VR_GARP_DELAY_S = 5 }; /* KA-9 */

/* An interface that carries virtual routers. */
struct vr_if {
	char name[IFNAMSIZ];
	int ifindex;
	uint32_t number; /* its row of counters, see dp_if_row() */
	char kind[16];
	uint8_t mac[6];
	bool present, up, ethernet;
	uint32_t xdp_id;  /* of the XDP program that is attached; 0: none */
	bool send_failed; /* in this turn */
	int send_err;     /* the last one that was said */
	uint32_t carrier_changes;
	struct tx *tx; /* owned */
	struct dp_attachment attachment;
	struct nl_addr *addrs; /* IPv4 addresses on it that are no VIPs of ours; owned */
	size_t naddrs, cap_addrs;
};

struct vr_vip {
	__be32 addr;
	uint8_t plen;
	bool installed;
	bool announce; /* in this turn */
	uint8_t garp[60];
};

struct vrs;

struct vr {
	struct vrs *all;            /* borrowed */
	const struct conf_vr *conf; /* borrowed */
	struct vr_if *iface;        /* borrowed */
	uint32_t slot;
	struct fsm fsm;
	struct vx_vr_config cfg;
	struct vr_vip *vips; /* owned */
	size_t nvips;
	const char *hold; /* why it is in Initialize, where fsm.why would only say "shutdown"; static string */
	/* prebuilt frames, owned; a unicast router has one packet per peer */
	uint8_t *frames;
	size_t nframes, frame_len;
	struct timer adver_timer, garp_timer;
	struct timer down_timer; /* ActiveDown, when the kernel has said that it is near */
	/* this turn */
	unsigned int pending; /* enum fsm_act */
	bool dirty, sent;
	bool repair;       /* add the VIPs that are missing */
	bool defend;       /* announce the VIP that somebody claims */
	uint64_t cause_ns; /* when what caused the transition was due */
	uint64_t quiet_ns; /* no advert for so long */
	enum fsm_state from;
	/* counted here; the rest is the data plane's */
	uint64_t adverts_sent, prio0_sent, send_errors, became_active;
	uint64_t defended_ns;
};

struct vrs {
	struct loop *loop; /* borrowed */
	struct nl *nl;     /* owned */
	struct dp *dp;     /* owned */
	struct loop_io nl_io, dp_io;
	struct vr_if *ifs; /* owned */
	size_t nifs;
	struct vr *vr; /* owned */
	size_t nvr;
	struct vr **dirty; /* [nvr]; what this turn has work for */
	size_t ndirty;
	struct nl_change *changes; /* [total VIPs] */
	size_t nchanges, nvips;
	bool resync, stopping;
	__u64 say_ns; /* bucket of log lines that frames trigger */
	uint32_t unsaid;
	uint64_t start_ns;
};

/*
 * Builds everything for @conf, which is borrowed until vrs_fini(): finds the interfaces, removes what a dead controller left on
 * them, attaches, fills the maps; no router is started yet. On failure prints why, and returns 1 (failed) or 2 (configuration);
 * vrs_fini() undoes what was done. @lock is called once per interface before anything of the machine is changed.
 */
int vrs_init(struct vrs *v, struct loop *loop, const struct conf *conf, int (*lock)(void *arg, const char *ifname),
	     void *arg);
/* Starts the routers whose interface is ready. Adds itself to the loop and is its turn_end. */
int vrs_start(struct vrs *v);
/* Hands over: priority 0 where Active, addresses removed (FSM-A1). */
void vrs_stop(struct vrs *v);
void vrs_fini(struct vrs *v);

/* Names of the counters, and what they count. */
struct vr_ctr_text {
	const char *name, *help;
};
extern const struct vr_ctr_text vr_ctr_text[VX_CTR_COUNT];

/* An IPv4 address as text. */
const char *vr_addr(__be32 addr, char buf[16]);

#endif
