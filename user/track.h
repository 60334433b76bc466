/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trackers: vrrp_script, track_file, vrrp_track_process. They run, watch and count, and tell when a result changes; what it means for a
 * priority is prio.c's, interfaces are vr_net.c's.
 */
#ifndef VX_TRACK_H
#define VX_TRACK_H

#include "conf.h"
#include "exec.h"

enum track_kind { TRACK_SCRIPT, TRACK_FILE, TRACK_PROCESS };

/* Value of an item that has no result yet. */
enum { TRACK_UNKNOWN = -2147483647 - 1 };

struct track;

struct track_ops {
	/* @value: TRACK_FILE its number; the others 1 OK, 0 failed. Only called when it changes. */
	void (*changed)(void *arg, enum track_kind kind, size_t item, int value);
	void *arg; /* borrowed */
};

/* @conf, @loop and @exec are borrowed. Nothing runs before track_start(). *@out is owned by the caller; 0 or -errno. */
int track_new(struct track **out, struct loop *loop, struct exec *exec, const struct conf *conf,
	      const struct track_ops *ops);
void track_free(struct track *t);
/* Starts every tracker that something tracks: scripts at once, then each interval from start to start; one that still runs is not started
 * again. What cannot be watched is said; a script that cannot be run has failed, a file that cannot be watched is polled, and
 * without /proc a process counts as not running. Returns 0. */
int track_start(struct track *t);
/* The same in the place of a controller before this one in the same process: what tracks has its results, counts, processes and schedule. */
int track_resume(struct track *t, struct hand *h);
/* For the controller that follows. */
void track_hand_over(struct track *t, struct hand *h);
/* The present value of @conf's @item; TRACK_UNKNOWN before the first result. */
int track_value(const struct track *t, enum track_kind kind, size_t item);
/*
 * Goes over to @conf, which is borrowed from now on: a script of the same name, argv, uid and gid keeps its result, its counts and its
 * schedule; a file of the same path and a process of the same definition keep theirs. What is new starts, what is gone is killed.
 * The former configuration must live until this returns. 0, or -ENOMEM: then @t can only be freed.
 */
int track_reload(struct track *t, const struct conf *conf);

/* For status: "OK", "failed", "exit status 7", "timed out", ... of a script's last run; static or owned by @t. */
const char *track_last(const struct track *t, enum track_kind kind, size_t item);

#endif
