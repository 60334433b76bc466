/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the vr*.c files share among themselves. */
#ifndef VX_VR_INT_H
#define VX_VR_INT_H

#include "vr.h"

/* vr.c */

struct vx_addr vr_conf_addr(const struct conf_addr *a);
/* Makes everything that depends on our address, the NIC's MAC, the priority and the configuration: frames, and the data plane's copy.
 * 0 or -errno. */
int vr_build(struct vr *r);
/* How many of its virtual addresses an advert of @r holds at the MTU that its interface has (WF-4). */
size_t vr_fits(const struct vr *r);
/* Adverts hold @n addresses from now on; vr_build() makes them. */
void vr_set_advertised(struct vr *r, size_t n);
/* The frame of an advert to peer @i (multicast: 0); see also vr_frame_head(). */
uint8_t *vr_frame(const struct vr *r, size_t i, bool prio0);
/* The MAC that @vip is announced with. */
const uint8_t *vr_vip_mac(const struct vr *r, const struct vr_vip *vip);
/* The MAC of a VIP on @f: virtual on the router's own interface, if it is to be; that of @f elsewhere. */
const uint8_t *vr_mac_on(const struct vr *r, const struct vr_if *f);
/* Bytes in front of the IP packet of an advert: Ethernet where we address the frame, nothing where the kernel does. */
size_t vr_frame_head(const struct vr *r);
/* There is something to carry out for @r at the end of this turn. */
void vr_mark(struct vr *r);
/* The role in the data plane, as the state is now. */
void vr_tell_role(struct vr *r);
/* One event without an advert into the state machine. */
void vr_step(struct vr *r, enum fsm_ev type, uint64_t now_ns);
/* ... caused by what was due at @at_ns. */
void vr_step_at(struct vr *r, enum fsm_ev type, uint64_t at_ns, uint64_t now_ns);
/* Brings the state machine's view of the Active Router up to date, before a timer is set by it. */
void vr_learn(struct vr *r);
void vr_on_adver_timer(void *arg, uint64_t now_ns);
void vr_on_down_timer(void *arg, uint64_t now_ns);
/* The next defence of VIPs that somebody goes on claiming (ARP-6, ND-13). */
void vr_on_defend_timer(void *arg, uint64_t now_ns);
void vrs_on_event(void *arg, const struct vx_event *e);
void vrs_on_dp(void *arg, uint32_t events, uint64_t now_ns);

/* vr_turn.c */

/* Makes room for all routers. 0 or -ENOMEM. */
int vrs_reserve_queues(struct vrs *v);
void vrs_free_queues(struct vrs *v);

/* Whether the kernel takes packets for @vip, as far as that is our doing. */
static inline bool vr_vip_in(const struct vr_vip *vip)
{
	return vip->installed || vip->served;
}

/* The line about it that was to wait until nothing else has to be done. */
void vr_say_active(struct vr *r);

void vrs_flush(void *arg, uint64_t now_ns);
/* The same, with all that is under way brought to its end, however long that takes; adverts go on meanwhile. */
void vrs_finish(struct vrs *v);
/* The guardian is told, and asked. */
void vrs_on_wake(void *arg, uint64_t now_ns);
void vrs_on_sleep(void *arg, uint64_t next_ns);
/* Sends what is queued on all interfaces; a new reason why nothing can be sent is said once. */
void vrs_flush_tx(struct vrs *v);
/* Somebody has removed an address; what he goes on with is not put back while he is at it. */
void vrs_note_burst(struct vrs *v);
void vrs_on_burst(void *arg, uint64_t now_ns);
/* Adds one line to the batch, for vrs_commit(); the owner's flags are set by the outcome. */
void vrs_want(struct vrs *v, const struct nl_change *c, const struct vr_change *owner);
/* Carries the batch out and empties it; what failed is said. */
void vrs_commit(struct vrs *v);

/* vr_garp.c */

void vr_announce_init(struct vr *r);
/* Builds the announcement of @vip with the MAC that it has. */
void vr_vip_build(const struct vr *r, struct vr_vip *vip);
/* Queues @repeat announcements of each VIP that is marked: now, or one after the other where pauses are configured. */
void vr_announce(struct vr *r, unsigned int repeat);
/* The same of the VIPs [@from, @to), at once. */
void vr_announce_some(struct vr *r, size_t from, size_t to, unsigned int repeat);
/* Looks at up to @max VIPs, 1 at least, and queues those of the announcements that were left for later. Returns at how many; 0: there are none left. */
size_t vr_announce_next(struct vr *r, size_t max);
/* Marks every VIP that is in (invariant 6: only what the kernel takes packets for is announced). */
void vr_announce_installed(struct vr *r);
/* @repeat announcements of every VIP that is in, when nothing else is to be done. */
void vr_announce_later(struct vr *r, unsigned int repeat);
/* The later ones: after becoming Active, after a lower priority, periodically. */
void vr_announce_arm(struct vr *r, uint64_t now_ns);
/* The periodic ones as the configuration has them now. */
void vr_announce_arm_periodic(struct vr *r, uint64_t now_ns);
void vr_announce_arm_lower(struct vr *r, uint64_t now_ns);
void vr_announce_cancel(struct vr *r);
void vr_if_on_pace(void *arg, uint64_t now_ns);

/* vr_net.c */

void vr_if_on_updown(void *arg, uint64_t now_ns);
void vr_if_on_settle(void *arg, uint64_t now_ns);
/* The interface whose XDP program sees the frames of @f. */
struct vr_if *vr_if_xdp(struct vr_if *f);
/* What the data plane knows @f by; @a's ifindex and VLAN are set. */
void vr_if_key(const struct vr_if *f, struct dp_addr *a);
struct vr_if *vrs_if(const struct vrs *v, const char *name);
/* Looks at everything @r depends on: FSM-12 where it cannot work, Startup where it can again, and its priority. */
void vr_follow(struct vr *r, uint64_t now_ns);
void vrs_follow_all(struct vrs *v);
void vr_addr_note(struct vr_if *f, const struct nl_addr *a);
void vrs_on_link(void *arg, const struct nl_link *l);
void vrs_on_addr(void *arg, const struct nl_addr *a);
void vrs_on_route_gone(void *arg, const struct nl_route_key *k);
void vrs_on_rule_gone(void *arg, const struct nl_rule_key *k);
void vrs_on_lost(void *arg);
void vrs_on_resync(void *arg, uint64_t now_ns);
void vrs_on_netlink(void *arg, uint32_t events, uint64_t now_ns);
/* All that there are now, where somebody relies on it. */
void vrs_read_news(struct vrs *v);

/* Room to find @nvips VIPs by their addresses. 0 or -ENOMEM. */
int vrs_reserve_index(struct vrs *v, size_t nvips);
/* Learns from the kernel how interfaces and addresses are, and takes nothing for granted of what Active routers have installed. */
void vrs_relearn(struct vrs *v);

/* vr_state.c */

/* Why @r must be in Initialize because of what it tracks, or NULL; *@quiet: no fault, only waiting. Sets its effective priority. */
const char *vr_tracked(struct vr *r, bool *quiet);
void vrs_on_track(void *arg, enum track_kind kind, size_t item, int value);
/* ActiveDown of a group's member: whether it may become Active now. Takes the others along, or makes it wait (KA-25). */
bool vr_group_may_claim(struct vr *r, uint64_t at_ns, uint64_t now_ns);
/* A member has become Backup: so do the others (KA-26). */
void vr_group_follow_backup(struct vr *r, uint64_t now_ns);
/* A lower priority was heard: the other members announce their addresses too (KA-11). */
void vr_group_answer_lower(struct vr *r);
/* At the end of a turn: scripts, FIFOs and mail, where the state or the priority is another than was told. */
void vrs_tell(struct vrs *v);
/* After a reload that asks for it: all states to the FIFOs once more. */
void vrs_tell_again(struct vrs *v);
/* At a stop or a removal. */
void vr_tell_end(struct vr *r, enum notify_state state);
void vrs_tell_groups_stop(struct vrs *v);
/* Builds v->groups for v->conf. 0 or -ENOMEM. */
int vrs_groups_build(struct vrs *v);
void vrs_groups_free(struct vrs *v);

/* vr_place.c */

/* Finds or makes the interface @name. NULL: out of memory. */
struct vr_if *vrs_if_add(struct vrs *v, const char *name);
/* What needs the programs in the kernel, which the first interface puts there: timers, peers, the events. 0, or 1 (said). */
int vrs_dp_ready(struct vrs *v);
/* Gives the guardian what there is to guard. 0, or 1 (said). */
int vrs_guard(struct vrs *v);
/* The events of the data plane into the loop. 0, or 1 (said). */
int vrs_watch_events(struct vrs *v);
/* Routes, rules and tc are watched where the configuration depends on them. 0 or -errno. */
int vrs_watch_routes(struct vrs *v);
/* Attaches, opens the sockets, enters it into the maps. 0, or 1 (said). */
int vr_if_open(struct vr_if *f);
/* Looks whether XDP sees the tags of the VLAN devices on @f, which is open, and says if not. */
void vr_if_check_tags(struct vr_if *f);
void vr_if_close(struct vr_if *f);
/* Enters what depends on indices of interfaces into the maps, or takes it out. 0 or -errno. */
int vr_place(struct vr *r);
void vr_unplace(struct vr *r);
int vr_vip_place(struct vr *r, struct vr_vip *vip, bool present);
/* The peers of a unicast router. */
int vr_peers_place(struct vr *r, bool present);
/* Tells the data plane of an own address of an interface. */
void vr_if_own_addr(struct vr_if *f, const struct nl_addr *a);

/* vr_xdp.c */

/* News of @f's link, with the XDP program on it: one that is not ours is looked into at once. The caller follows. */
void vr_xdp_on_link(struct vr_if *f, uint32_t xdp_id);
void vrs_on_tc_gone(void *arg, int ifindex);
void vr_xdp_on_timer(void *arg, uint64_t now_ns);
/* What is off is put back, whatever xdp_replaced says. The caller follows. */
void vrs_xdp_reload(struct vrs *v);
/* @f is closed. */
void vr_xdp_forget(struct vr_if *f);

/* vr_init.c */

/* Makes a router of @c in a free slot: nothing outside memory is changed. NULL: out of memory or slots. */
struct vr *vr_new(struct vrs *v, const struct conf_vr *c);
void vr_free(struct vr *r);
/* Takes over what @r->conf says but addresses, routes and peers. */
void vr_configure(struct vr *r);
/* Makes the arrays of @r's VIPs, routes, rules and frames as @r->conf has them. 0 or -ENOMEM. */
int vr_alloc(struct vr *r);
/* Whether a VLAN is reached in one way only. 0, or 2 (said). */
int vrs_check_vlans(const struct conf *c);
/* Every interface that the configuration names; which ones carry adverts or VIPs. 0 or -ENOMEM. */
int vrs_ifs_build(struct vrs *v, const struct conf *conf);
/* How many entries the VIPs of a router take with @ifs open interfaces. */
size_t vr_addrs(const struct conf_vr *c, size_t ifs);
/* How much the maps must hold for @conf. */
struct dp_sizes vrs_sizes(const struct vrs *v, const struct conf *conf);
/* Room for everything that @v's routers can have to do in one turn. 0 or -ENOMEM. */
int vrs_reserve(struct vrs *v);
/* What vrs_init() and vrs_start() share with vrs_adopt() and vrs_resume(). @sizes: of maps that are there, or NULL; @h: what is taken over, or
 * NULL. 0 or an exit code (said). */
int vrs_build(struct vrs *v, const struct vrs_host *host, const struct conf *conf, const struct dp_sizes *sizes);
int vrs_edges(struct vrs *v, struct hand *h);
int vrs_lock(struct vrs *v);
int vrs_open_netlink(struct vrs *v);
int vrs_join_loop(struct vrs *v);
/* vrrp_startup_delay, counted from the start. */
void vrs_arm_delay(struct vrs *v);
/* Static addresses, routes and rules: those with @installed[i] false are added, or removed where @del. */
void vrs_statics(struct vrs *v, const struct conf *conf, bool *installed, bool del);

#endif
