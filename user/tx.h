/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transmit on one interface. Frames go out through AF_PACKET, all that is due in one sendmmsg(). Adverts to unicast peers go out
 * through a raw IP socket instead: a peer may be behind a gateway, and the kernel knows the way and the neighbour.
 */
#ifndef VX_TX_H
#define VX_TX_H

#include "base.h"
#include "hand.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tx;

/* Opens the sockets on @ifindex and joins 224.0.0.18, so that NIC filters deliver adverts (RX-41).
 * *@out is owned by the caller. 0 or -errno. */
int tx_new(struct tx **out, int ifindex, const char *ifname);
void tx_free(struct tx *tx);
/* The sockets go over to the controller that follows in this process: what they have joined they have never left. */
void tx_hand_over(struct tx *tx, struct hand *h);
int tx_adopt(struct tx **out, int ifindex, const char *ifname, struct hand *h);
/* What tx_packet() of IPv6 needs; apart, because a kernel without IPv6 must not keep IPv4 from working. Again is no error. 0 or -errno. */
int tx_open6(struct tx *tx);
/* Joins another multicast group: one of IPv6, or vrrp_mcast_group4; again is no error. 0 or -errno. */
int tx_join(struct tx *tx, uint8_t family, const struct vx_addr *group);

/* Joins or leaves the solicited-node group of @vip (ND-6). 0 or -errno. */
int tx_solicited(struct tx *tx, const struct vx_addr *vip, bool in);

/* The NIC takes frames to @mac in as well, or no longer. 0 or -errno. */
int tx_mac(struct tx *tx, const uint8_t mac[6], bool in);

/*
 * Queue one frame, or one IP packet for @dst, until tx_flush(). @data is borrowed until then; *@sent (may be NULL) becomes
 * true when it has left, and stays as it is when it could not.
 */
void tx_frame(struct tx *tx, const void *data, size_t len, bool *sent);
void tx_packet(struct tx *tx, const void *data, size_t len, uint8_t family, const struct vx_addr *dst, bool *sent);
/* Sends everything queued. Returns 0, or the -errno of the last frame that could not be sent. */
int tx_flush(struct tx *tx);

#endif
