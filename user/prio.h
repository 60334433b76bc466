/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PURE. What tracked interfaces, scripts, files and processes do to a priority (KA-8; the configuration manual's 4.1). */
#ifndef VX_PRIO_H
#define VX_PRIO_H

#include <stdbool.h>
#include <stdint.h>

/* Sum over what a virtual router tracks. */
struct prio {
	int sum;
	bool fault;   /* something of weight 0 has failed, or a file says so */
	bool waiting; /* something of weight 0 has no result yet */
};

/* An interface, script or process that is OK or failed. */
void prio_add(struct prio *p, bool ok, int weight, bool reverse);
/* A track_file whose number is @value. */
void prio_add_file(struct prio *p, int value, int weight, bool reverse);
/* Something that has no result yet: of weight 0 it is waited for, weighted it counts nothing. */
void prio_add_unknown(struct prio *p, int weight);
/* The priority that goes out: an owner's never moves, others stay within 1..254. */
uint8_t prio_effective(const struct prio *p, uint8_t base);

#endif
