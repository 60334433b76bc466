/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is told of a change of state: notify scripts, FIFOs and mail, in this order (spec 3.5, 3.6; KA-39). Nobody is waited for.
 */
#ifndef VX_NOTIFY_H
#define VX_NOTIFY_H

#include "conf.h"
#include "exec.h"

enum notify_state {
	NOTIFY_MASTER,
	NOTIFY_BACKUP,
	NOTIFY_FAULT,
	NOTIFY_STOP,
	NOTIFY_DELETED,
	NOTIFY_MASTER_RX_LOWER_PRI,
	NOTIFY_MASTER_PRIORITY, /* FIFO only */
	NOTIFY_BACKUP_PRIORITY, /* FIFO only */
};

/* Of whom. */
struct notify_about {
	bool group;
	const char *name;
	const struct conf_notify *cmds;
	bool mail;
	int priority; /* effective; 0 for a group */
};

struct notify;

/* @h: what the controller before this one handed over, or NULL. @conf, @loop and @exec are borrowed. Makes the FIFOs and starts their scripts. *@out is owned by the caller; 0 or -errno; what cannot
 * be made is said and left out. */
int notify_new(struct notify **out, struct loop *loop, struct exec *exec, const struct conf *conf, struct hand *h);
/* FIFOs and their scripts go on under the controller that follows in this process. */
void notify_hand_over(struct notify *n, struct hand *h);
/* Whether scripts wait for those of an earlier change: they would not be run by the controller that follows. */
bool notify_waits(const struct notify *n);
/* Unlinks the FIFOs that notify_new() made. */
void notify_free(struct notify *n);
/* Goes over to @conf, borrowed from now on: FIFOs that are the same stay open, others are closed, removed and made. */
int notify_reload(struct notify *n, const struct conf *conf);
void notify_tell(struct notify *n, const struct notify_about *who, enum notify_state state);
/* The FIFOs alone, where nothing has changed (fifo_write_vrrp_states_on_reload). */
void notify_repeat(struct notify *n, const struct notify_about *who, enum notify_state state);

#endif
