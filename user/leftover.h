/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a dead controller left on an interface: its program, the pins, and the virtual addresses that the program answered for, also those
 * on VLAN devices, whose frames it saw.
 */
#ifndef VX_LEFTOVER_H
#define VX_LEFTOVER_H

#include "nl.h"

/* @gone, which may be NULL, is called for every address removed. Returns 1: there was a program, 0: nothing was there, or -errno. */
int leftover_remove(int ifindex, const char *ifname, void (*gone)(void *arg, const struct nl_addr *a), void *arg);

#endif
