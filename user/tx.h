/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transmit on one interface. Frames go out through AF_PACKET, all that is due in one sendmmsg(). Adverts to unicast peers go out
 * through a raw IP socket instead: a peer may be behind a gateway, and the kernel knows the way and the neighbour.
 */
#ifndef VX_TX_H
#define VX_TX_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tx;

/* Opens the sockets on @ifindex and joins 224.0.0.18, so that switches and NIC filters deliver adverts (RX-41).
 * *@out is owned by the caller. 0 or -errno. */
int tx_new(struct tx **out, int ifindex, const char *ifname);
void tx_free(struct tx *tx);
/* Joins another multicast group (vrrp_mcast_group4); again is no error. 0 or -errno. */
int tx_join(struct tx *tx, __be32 group);

/* The NIC takes frames to @mac in as well, or no longer. 0 or -errno. */
int tx_mac(struct tx *tx, const uint8_t mac[6], bool in);

/*
 * Queue one frame, or one IPv4 packet for @dst, until tx_flush(). @data is borrowed until then; *@sent (may be NULL) becomes
 * true when it has left, and stays as it is when it could not.
 */
void tx_frame(struct tx *tx, const void *data, size_t len, bool *sent);
void tx_packet(struct tx *tx, const void *data, size_t len, __be32 dst, bool *sent);
/* Sends everything queued. Returns 0, or the -errno of the last frame that could not be sent. */
int tx_flush(struct tx *tx);

#endif
