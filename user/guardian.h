/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guardian: the parent of the controller, the process that a terminal, a script or systemd knows. It sleeps, and is woken when its
 * child was killed or stopped, or when the child missed the deadline that it sets itself while a router of its own is Active. Then it
 * fences every Active router in the data plane ("Active, lease lapsed": nothing is answered or let through), and after that sends the
 * priority-0 adverts that the controller has left ready, so that the others need not wait for three adverts to be missed.
 *
 * The two share one piece of memory. Nothing is polled: the guardian sleeps until the deadline that it has read, or without limit when
 * nothing is Active; the controller signals it when a limit begins or becomes shorter. The controller's half is ward.c.
 */
#ifndef VX_GUARDIAN_H
#define VX_GUARDIAN_H

#include "base.h"

#include <stdint.h>
#include <sys/types.h>

/* Another layout, or meaning, of what is shared is another format: a controller of a newer build may have a guardian of an older one. */
#define GUARDIAN_FORMAT 1

/* Exit status of a controller that has stopped, and wants the program to be started afresh. */
enum { GUARDIAN_AGAIN = 75 };

enum { GUARDIAN_WILL_BYTES = 4160 }; /* Ethernet, IPv6, VRRP, 255 addresses of IPv6, rounded up */

/* A priority-0 advert as it is to leave. */
struct guardian_will {
	uint32_t seq; /* odd while it is written: a controller that dies then leaves no torn one behind */
	uint32_t slot;
	int32_t ifindex;
	uint16_t len;   /* 0: none */
	uint8_t family; /* of an IP packet for @dst; 0: an Ethernet frame */
	uint8_t zero;
	struct vx_addr dst;
	uint8_t data[GUARDIAN_WILL_BYTES];
};

/* Shared. Times are CLOCK_BOOTTIME. */
struct guardian_page {
	uint64_t deadline_ns; /* by when the controller will have shown life again; UINT64_MAX: it need not */
	uint64_t limit_ns;    /* by how much it may be late; 0: nothing is Active */
	uint64_t fenced_ns;   /* when it was fenced the last time */
	uint32_t fences;      /* how often: raised before the first role is touched */
	uint32_t zero;
	struct guardian_will wills[];
};

/* From the controller, with the descriptor of the map of the roles: what there is to fence, and the size of the page. What comes without a
 * descriptor is text for systemd. */
struct guardian_roles {
	uint32_t slots, nwills;
};

struct guardian_args {
	pid_t controller;
	int memfd; /* of the page */
	int sock;
	struct guardian_page *page; /* without wills yet */
	char oom[16];               /* /proc/self/oom_score_adj as it was; "": not known */
	unsigned int stop_s;        /* one that has not ended so long after SIGTERM never will */
};

/* The calling process becomes the guardian of its child. It ends with the controller, and with its exit status. No descriptor
 * of the caller's is left open but those of @args. */
__attribute__((noreturn)) void guardian_run(const struct guardian_args *args);

#endif
