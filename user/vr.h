/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual routers: events go in, fsm.c decides, and what it decided is carried out at the end of the turn, for all routers
 * together and in this order (design):
 *
 *   ceasing          role (XDP is silent from here on), priority 0, rules, routes and addresses removed
 *   becoming Active  advert, addresses, role (XDP answers from here on), gratuitous ARP, routes and rules
 *   both             log, notifications
 *
 *   vr.c         one router: frames, events of the data plane into the state machine
 *   vr_turn.c    the end of a turn: what was decided is carried out
 *   vr_garp.c    announcements: repeats, delays, refreshes, pauses between two (KA-9..11)
 *   vr_net.c     news of links, addresses, routes, rules; whether a router can work (FSM-12, KA-14)
 *   vr_state.c   trackers into priorities and faults; sync groups; who is told of a new state
 *   vr_init.c    built, started, stopped
 *   vr_xdp.c     our program was taken off an interface: put back, or a fault (SEC-28)
 *   vr_place.c   interfaces are opened and closed; addresses and routers entered into the maps
 *   vr_adopt.c   all of it handed over to a controller that follows in this process
 *   vr_reload.c  another configuration in place of the present one
 *
 * The only glue: everything below is pure, or an edge that calls back into these files.
 */
#ifndef VX_VR_H
#define VX_VR_H

#include "conf.h"
#include "dp.h"
#include "exec.h"
#include "fsm.h"
#include "loop.h"
#include "nl.h"
#include "notify.h"
#include "track.h"
#include "tx.h"

struct vrs;

/* An interface that the configuration names. */
struct vr_if {
	struct vrs *all; /* borrowed */
	char name[IFNAMSIZ];
	int ifindex; /* 0: not there yet */
	char kind[16];
	uint8_t mac[6];
	bool present, up, ethernet, loopback;
	uint32_t mtu;       /* 0: not known yet */
	int link_ifindex;   /* of the interface that it is on top of; 0: none */
	uint16_t link_vlan; /* a VLAN device: its id */
	struct vr_if
		*lower;   /* its tagged frames are looked at there, by the lower interface's XDP program; NULL: here */
	uint16_t vlan;    /* with @lower: the tag */
	bool tags_hidden; /* VLAN devices are on top of it, and XDP does not see their tags (RX-40) */
	uint32_t carrier_changes;
	/* where adverts or VIPs of ours are */
	bool carries;       /* the configuration wants it open */
	bool open;          /* XDP is attached, sockets are there, maps know it */
	bool locked;        /* its control socket is ours */
	int row;            /* number of its row of counters, see dp_if_row(); -1: none */
	const char *cannot; /* why it could not be opened when it appeared; static string */
	struct tx *tx;      /* owned */
	struct dp_attachment attachment;
	char mode_why[96]; /* what @attachment.why points at, if a controller before this one has attached it */
	char xdp_gone[DP_ERR_LEN + 96];  /* why our program is not on it though it is open; "": it is */
	uint32_t xdp_other;              /* the program that is there instead and that we cannot be attached beside */
	bool egress_gone;                /* the program at tc egress is to be put back */
	__u64 xdp_try_ns, egress_try_ns; /* buckets: how often either is put back */
	struct timer xdp_timer;          /* the next attempt */
	struct nl_addr *addrs;           /* addresses on it that are no VIPs of ours; owned */
	size_t naddrs, cap_addrs;
	bool send_failed; /* in this turn */
	int send_err;     /* the last one that was said */
	/* gratuitous ARP and unsolicited NA with a pause between two */
	uint64_t garp_pause_ns, gna_pause_ns, garp_next_ns;
	struct timer pace_timer;
	uint64_t up_delay_ns, down_delay_ns; /* interface_up_down_delays */
	struct timer updown_timer;           /* when @up becomes the other value */
	/* xdp_link_settle: since @up_ns the link is up; @heard: it has delivered a frame since */
	uint64_t up_ns, rx_packets, rx_packets_up;
	bool heard;
	struct timer settle_timer; /* the next look whether it has */
	bool mark;                 /* still named by the configuration that is being gone over to */
};

struct vr_vip {
	const struct conf_vip *conf; /* borrowed */
	struct vr_if *dev;           /* that has the address */
	struct vr_if *at;            /* in whose data plane it is answered; NULL: nowhere yet */
	bool away;                   /* entered on all other interfaces, not to be accepted there (DP-5) */
	bool installed;
	bool served;          /* the kernel takes packets for it by a local route, until it is installed */
	bool told;            /* the kernel has told that it is there, since it was added */
	bool announce;        /* in this turn */
	uint64_t defended_ns; /* against somebody else's claim, the last time */
	bool said;            /* that it cannot be added */
	uint8_t found_plen;   /* prefix length of a leftover that was there at the start */
	unsigned int left;    /* announcements that wait for their turn */
	uint8_t frame[96];    /* the announcement: gratuitous ARP or unsolicited NA */
	uint8_t frame_len;    /* 0: cannot be announced (loopback) */
};

struct vr_route {
	const struct conf_route *conf; /* borrowed */
	bool installed;
};

struct vr_rule {
	const struct conf_rule *conf; /* borrowed */
	bool installed;
};

struct vr_group;

/* What is being done with the addresses of a router, over several turns where there are many. */
enum vr_work {
	VR_WORK_NONE,
	VR_WORK_CLAIM,   /* it has become Active */
	VR_WORK_REPAIR,  /* what is missing */
	VR_WORK_RELEASE, /* it is not Active any more */
};

/* What is under way beyond a turn, in the order in which it comes first. */
enum vr_queue {
	VR_URGENT,  /* claims and releases */
	VR_LATER,   /* announcements that repeat others, and words */
	VR_REPAIRS, /* addresses that are missing, or served without being there */
	VR_QUEUES,
};

/* A ring of routers that have something to do, each once. */
struct vr_ring {
	struct vr **at; /* [cap], owned array of borrowed routers */
	size_t head, n, cap;
};

struct vr {
	struct vrs *all;            /* borrowed */
	const struct conf_vr *conf; /* borrowed */
	struct vr_if *iface;        /* borrowed */
	struct vr_group *group;     /* borrowed; NULL: none */
	uint32_t slot;
	struct fsm fsm;
	struct vx_vr_config cfg;
	uint8_t nic[6];            /* of the interface, that frames and maps were built with */
	uint8_t mac[6];            /* that we speak with: the same, or the virtual one */
	bool mac_in;               /* the NIC takes frames to the virtual one */
	struct vr_vip *vips;       /* the advertised ones, then the excluded; owned */
	size_t nvips, nadvertised; /* fewer than the configuration says where the MTU holds no more */
	size_t said_advertised;    /* that it is fewer */
	struct vr_route *routes;   /* owned */
	size_t nroutes;
	struct vr_rule *rules; /* owned */
	size_t nrules;
	const char *
		hold; /* why it is in Initialize, where fsm.why would only say "shutdown"; static or of the configuration */
	const char *own_hold; /* the same without what the sync group adds */
	bool quiet;           /* @hold is no fault: a first result or a delay is waited for */
	bool own_quiet;       /* the same of @own_hold */
	bool drained;         /* the operator wants it to stay away */
	bool placed;          /* it is in the maps under its interface's index */
	/* prebuilt frames, owned; a unicast router has one packet per peer */
	uint8_t *frames;
	size_t nframes, frame_len;
	struct timer adver_timer;
	struct timer garp_timer, refresh_timer, lower_timer, extra_timer;
	struct timer defend_timer; /* claims went on after a defence: the next one */
	struct timer down_timer;   /* ActiveDown, when the kernel has said that it is near */
	uint64_t wants_ns;         /* sync group: when its own ActiveDown came; 0: it does not want to be Active */
	enum notify_state told;
	bool any_told;
	int told_priority;
	/* this turn */
	unsigned int pending; /* enum fsm_act */
	bool dirty, sent;
	bool twice;       /* priority 0 goes out twice (KA-15) */
	bool repair;      /* add what is missing: addresses, routes, rules */
	bool defend;      /* announce the VIP that somebody claims */
	bool ended;       /* its lease was ended from outside: why, is still to be read */
	bool done, begun; /* the last of its addresses was in this part; a claim's first */
	size_t part_at;   /* where this part begins */
	/* what is under way beyond this turn */
	enum vr_work work;
	bool queued[VR_QUEUES];
	size_t work_at, work_top; /* the next address; a claim: the first that it has not come to yet */
	unsigned int work_turn;   /* when it was begun, see vrs.turn */
	bool answers;             /* a claim's first addresses are in, and the role has its lease */
	bool hasty;               /* a claim: some of them are served by routes as yet */
	bool again;               /* a repair has another round to go */
	bool unsaid;              /* that it has become Active */
	uint64_t step_ns[4];      /* a claim: advert, address, answering, announcement */
	unsigned int rounds;      /* of announcements, see vr_announce_next() */
	size_t round_at;
	/* addresses that somebody removed and that were not said yet: how many, and the first of them */
	size_t ngone;
	struct conf_vip gone;
	uint64_t said_gone_ns;
	bool rx_lower;     /* a lower priority was heard while Active */
	uint64_t cause_ns; /* when what caused the transition was due */
	uint64_t quiet_ns; /* no advert for so long */
	enum fsm_state from;
	/* counted here; the rest is the data plane's */
	uint64_t adverts_sent, prio0_sent, send_errors, became_active;
	struct vr *match; /* reload: the router that goes on as this one, or as which this one goes on */
};

/* A sync group (KA-25..27). */
struct vr_group {
	const struct conf_group *conf; /* borrowed */
	struct vr **members;           /* owned array, borrowed routers */
	size_t n;
	enum notify_state told;
	bool any_told;
};

/* One line of a batch, and whose it is. */
struct vr_change {
	struct vr *vr; /* NULL: static */
	bool *installed;
	bool *announce; /* NULL: nothing to announce */
	bool *said;     /* NULL: every failure is said */
};

/* A virtual address and whose it is. */
struct vr_at {
	struct vr *vr; /* NULL: none */
	struct vr_vip *vip;
};

struct vrs {
	struct loop *loop;       /* borrowed */
	const struct conf *conf; /* borrowed */
	struct nl *nl;           /* owned */
	struct dp *dp;           /* owned */
	struct exec *exec;       /* owned */
	struct track *track;     /* owned */
	struct notify *notify;   /* owned */
	int (*lock)(void *arg, const char *ifname);
	void (*unlock)(void *arg, const char *ifname);
	void *lock_arg;
	struct loop_io nl_io, dp_io;
	struct vr_if **ifs; /* owned, and what they point at */
	size_t nifs;
	struct vr **vr; /* owned, and what they point at; in the order of the configuration */
	size_t nvr;
	struct vr **slots;       /* [dp_sizes.vrs] */
	struct vr_group *groups; /* owned */
	size_t ngroups;
	struct dp_sizes sizes;
	struct vr **dirty; /* [nvr]; what this turn has work for */
	size_t ndirty, cap_dirty;
	struct vr_ring queues[VR_QUEUES];
	struct vr **parts;    /* [nvr]; who has addresses in this part */
	size_t nparts, part;  /* @part: addresses in one go */
	unsigned int turn;    /* counts them */
	uint64_t limit_ns;    /* that the guardian was told */
	uint64_t patience_ns; /* until when the kernel may keep this turn waiting */
	bool finishing;       /* nothing is left for another turn */
	bool haste;           /* many addresses are claimed in this turn */
	/* somebody removes addresses of Active routers: how many at a stretch, since when, and the last time */
	unsigned int burst;
	uint64_t burst_ns, gone_ns;
	struct timer burst_timer;  /* it may be over */
	struct nl_change *changes; /* one batch */
	struct vr_change *owners;  /* of each */
	size_t nchanges, cap_changes, timers;
	struct vr_at *vip_index; /* hash of (interface, address), see vip_find(); owned */
	size_t cap_index;        /* a power of two, or 0 */
	bool index_stale;        /* to be built anew */
	bool *statics;           /* which static addresses, routes and rules are installed, in this order; owned */
	bool resync, stopping, reloading;
	bool ended;    /* some router's lease was, in this turn */
	bool adopting; /* what routers cannot do has been said by the controller before */
	bool reread; /* an interface is there that was not: it may have got its name late, and its addresses before that */
	bool news;                 /* a state or a priority may be another than was told */
	struct timer resync_timer; /* the next attempt to read everything anew */
	struct timer delay_timer;  /* vrrp_startup_delay */
	uint64_t delay_until_ns;
	__u64 say_ns; /* bucket of log lines that frames trigger */
	uint32_t unsaid;
	uint64_t start_ns; /* 0: not started */
};

/* What the routers need of the process that runs them. */
struct vrs_host {
	struct loop *loop;
	/* Called once per interface before anything of the machine is changed: 0, or an exit code (said). */
	int (*lock)(void *arg, const char *ifname);
	void (*unlock)(void *arg, const char *ifname);
	void *arg;
};

/*
 * Builds everything for @conf, which is borrowed until vrs_fini() or the next vrs_reload(): finds the interfaces, removes what a dead
 * controller left on them, attaches, fills the maps; no router is started yet. On failure prints why, and returns 1 (failed) or
 * 2 (configuration); vrs_fini() undoes what was done.
 */
int vrs_init(struct vrs *v, const struct vrs_host *host, const struct conf *conf);
/* Starts the routers whose interface is ready. Adds itself to the loop and is its turn_end. */
int vrs_start(struct vrs *v);
/*
 * Goes over to @conf, borrowed from then on: routers that are the same (VRID, family, interface, unicast or not) keep their state, and what of
 * them has changed changes, no more (KA-19). On failure prints why, returns 1, 2 or VRS_NO_ROOM, and nothing has changed.
 */
enum { VRS_NO_ROOM = 3 }; /* what was made at the start does not do for it: only another start can */
int vrs_reload(struct vrs *v, const struct conf *conf);
/*
 * Sends routers away, until they are called back: those of an interface, of "interface/VRID", of an instance name, or of "" all. An Active one
 * hands over. @each is told of every one before.
 */
void vrs_drain(struct vrs *v, const char *which, bool away, void (*each)(void *arg, const struct vr *r), void *arg);
/* Whether nothing is under way that could not be handed over. */
bool vrs_can_hand_over(const struct vrs *v);
/* What vrs_hand_over() is to be preceded by in the hand, see will.h. One advert goes out before, where Active. */
void vrs_write_will(struct vrs *v, struct hand *h);
/* By when a controller that follows has to be there, while one can still be told from a dead one; UINT64_MAX: nothing is Active. */
uint64_t vrs_patience(const struct vrs *v);
/* Leaves everything as it is to the controller that follows in this process; nothing may be done with @v afterwards unless none follows. */
void vrs_hand_over(struct vrs *v, struct hand *h);
/*
 * In the place of vrs_init() and vrs_start(): finds everything as it was left. vrs_adopt() changes nothing on the machine and on the wire, and
 * fails, printing why, with 1: then vrs_leave() ends @v and leaves the machine as it is. vrs_resume() returns what vrs_start() does.
 */
int vrs_adopt(struct vrs *v, const struct vrs_host *host, const struct conf *conf, struct hand *h);
void vrs_leave(struct vrs *v);
int vrs_resume(struct vrs *v);
/* Hands over: priority 0 where Active, addresses removed (FSM-A1). */
void vrs_stop(struct vrs *v);
void vrs_fini(struct vrs *v);

/* Names of the counters, and what they count. */
struct vr_ctr_text {
	const char *name, *help;
};
extern const struct vr_ctr_text vr_ctr_text[VX_CTR_COUNT];

/* An address as text. */
enum { VR_ADDR_LEN = 46 };
const char *vr_addr(uint8_t family, const struct vx_addr *addr, char buf[VR_ADDR_LEN]);

#endif
