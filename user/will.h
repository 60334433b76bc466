/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last will of a controller that hands over to the next in its process: with it the next one can give up what it cannot go on with, whatever
 * it was that it could not read. It is in front of everything else that is handed over.
 */
#ifndef VX_WILL_H
#define VX_WILL_H

#include "base.h"
#include "hand.h"

#include <net/if.h>

/* In the hand: the descriptor of the map of the roles, for how many routers; a number of these, each with its frame or packet behind it; a number of will_if. */
struct will_frame {
	int32_t ifindex;
	char ifname[IFNAMSIZ];
	struct vx_addr dst; /* of a unicast router's packet */
	uint8_t unicast, family;
	uint16_t len;
};

struct will_if {
	int32_t ifindex;
	char ifname[IFNAMSIZ];
};

struct will {
	int role_fd; /* our own */
	uint64_t vrs;
	struct hand *h; /* borrowed */
	size_t at;
};

/* Goes past it. 0 or -errno. Either of the others ends it. */
int will_read(struct will *w, struct hand *h);
/* Silences every router, sends priority 0 where one was Active, and removes programs, pins and addresses. */
void will_carry_out(struct will *w);
void will_drop(struct will *w);

#endif
