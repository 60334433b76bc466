/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vr.c, vr_net.c and vr_init.c share among themselves. */
#ifndef VX_VR_INT_H
#define VX_VR_INT_H

#include "vr.h"

/* vr.c: a virtual router takes events, and the turn's end carries out what was decided */

__be32 vr_conf_addr4(const struct conf_addr *a);
/* Bytes in front of the IPv4 packet of an advert: Ethernet where we address the frame, nothing where the kernel does. */
size_t vr_frame_head(const struct vr *r);
/* Makes everything that depends on our address, the NIC's MAC and the configuration: frames, and the data plane's copy. 0 or -errno. */
int vr_build(struct vr *r);
/* There is something to carry out for @r at the end of this turn. */
void vr_mark(struct vr *r);
/* One event without an advert into the state machine. */
void vr_step(struct vr *r, enum fsm_ev type, uint64_t now_ns);
/* Notes a change of an address in v->changes, for nl_commit(). */
void vr_want_change(struct vr *r, const struct vr_vip *vip, bool del);
void vr_on_adver_timer(void *arg, uint64_t now_ns);
void vr_on_down_timer(void *arg, uint64_t now_ns);
void vr_on_garp_timer(void *arg, uint64_t now_ns);
void vrs_flush(void *arg, uint64_t now_ns);
void vrs_on_event(void *arg, const struct vx_event *e);
void vrs_on_dp(void *arg, uint32_t events, uint64_t now_ns);

/* vr_net.c */

/* FSM-12: Shutdown where the interface has become unusable, Startup where it is usable again. */
void vr_follow_interface(struct vr *r, uint64_t now_ns);
void vr_addr_note(struct vr_if *f, const struct nl_addr *a);
void vrs_on_link(void *arg, const struct nl_link *l);
void vrs_on_addr(void *arg, const struct nl_addr *a);
void vrs_on_lost(void *arg);
void vrs_on_netlink(void *arg, uint32_t events, uint64_t now_ns);

#endif
