/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rights of the running process: what it keeps of root's capabilities, and who may read its memory. */
#ifndef VX_PRIV_H
#define VX_PRIV_H

#include <stdbool.h>

/*
 * Drops every capability that neither running, reloading, scripts nor a restart by execve() needs. The bounding set stays: a program run as
 * root, a script or our own next image, has what the service was given. May be called again. 0 or -errno.
 */
int priv_drop(void);
/* The same of the guardian, which sends adverts and sees to one process. 0 or -errno. */
int priv_drop_guardian(void);
/* With a password in memory no core dump is written and only root may look into the process. 0 or -errno. */
int priv_hide_memory(bool has_password);

#endif
