/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests/lab/tally.bpf.c notes and tests/lab/tally.c prints. All times are nanoseconds of CLOCK_BOOTTIME. */
#ifndef TALLY_H
#define TALLY_H

#include "base.h"

enum {
	TALLY_IFS = 8,
	TALLY_ROUTERS = 32, /* by the last byte of the source MAC */
	TALLY_VRIDS = 256,
	TALLY_ROWS = TALLY_IFS * TALLY_ROUTERS * 2 * TALLY_VRIDS,
	TALLY_VIPS = 16384,
	TALLY_ECHO_ID = 0x7a11,
};

/* The adverts of one router for one VRID and family on one interface. */
struct tally_row {
	__u64 n, first_ns, last_ns, worst_ns; /* worst_ns: the longest time between two */
};

/* Addresses since the last reset: what can be asked for all the time, as a dump cannot. */
struct tally_count {
	__u64 announced, answered;
};

/* By the index of the interface. */
struct tally_if {
	__u32 no;
	__be32 ip4;
	struct vx_addr ip6;
	__u8 mac[6];
	__u8 zero[2];
};

struct tally_vip_key {
	__u32 ifno;
	__u32 family;
	struct vx_addr addr;
};

struct tally_vip {
	__u64 announced_ns; /* the first gratuitous ARP or unsolicited NA */
	__u64 last_ns;      /* the last one */
	__u64 answered_ns; /* the first echo reply, to a request that each of them is answered with until then, and later ones */
	__u64 n;
	__u8 mac[6]; /* that was announced first */
	__u8 zero[2];
};

#endif
