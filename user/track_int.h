/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the trackers share: track.c the scripts and the whole, track_file.c, track_process.c. */
#ifndef VX_TRACK_INT_H
#define VX_TRACK_INT_H

#include "track.h"

#include <stdio.h>

struct track_files;
struct track_procs;

struct track {
	struct loop *loop;
	struct exec *exec;
	const struct conf *conf;
	struct track_ops ops;
	bool started;
	struct script **scripts; /* one per conf->scripts; NULL: nothing tracks it */
	size_t nscripts;
	struct track_files *files;
	struct track_procs *procs;
};

/* Enough of a name to tell one item from another. */
enum { TRACK_NAME = 64, TRACK_MAX = 1 << 16 };
/* Hands over @name, or reads one: whether it is the same. */
bool track_hand_name(struct hand *h, const char *name);

/* The queue is shared by all modules: room is added to what it has. 0 or -ENOMEM. */
int track_room(struct track *t, size_t timers);
/* Whether some instance tracks @item. */
bool track_used(const struct conf *conf, enum track_kind kind, size_t item);
void track_tell(struct track *t, enum track_kind kind, size_t item, int value);
bool track_same_argv(char *const *a, char *const *b);

/*
 * The same shape for both: new makes nothing run, set takes over a configuration (the first time as well) and keeps what @conf has in
 * common with the one before, start begins to watch what is new. @first: the daemon starts, so init_file applies.
 */
int track_files_new(struct track_files **out, struct track *t);
void track_files_free(struct track_files *f);
int track_files_set(struct track_files *f, const struct conf *conf);
void track_files_start(struct track_files *f, bool first);
int track_files_value(const struct track_files *f, size_t item);

int track_procs_new(struct track_procs **out, struct track *t);
void track_procs_free(struct track_procs *p);
int track_procs_set(struct track_procs *p, const struct conf *conf);
void track_procs_start(struct track_procs *p);
void track_procs_hand(struct track_procs *p, struct hand *h);
int track_procs_value(const struct track_procs *p, size_t item);
const char *track_procs_last(const struct track_procs *p, size_t item);

#endif
