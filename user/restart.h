/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `vrrp-xdp restart`: the controller makes way for another, of a newer build perhaps, in the same process. It is run by the path that this one
 * was started by, with the same words, and goes on where this one stopped, see hand.h; or starts afresh, when it cannot.
 */
#ifndef VX_RESTART_H
#define VX_RESTART_H

#include "exec.h"
#include "hand.h"

/* Exit codes of `vrrp-xdp can-adopt VERSION COMMAND ...`, which is what a controller asks the one that shall follow. */
enum { RESTART_OTHER_VERSION = 3, RESTART_REFUSED = 4 };

/* First of all in main(): keeps what the process was started by, and takes what it was handed over. @argv is borrowed for good. */
void restart_init(char *argv[]);
/* What was handed over, until one of the next two; NULL: nothing. */
struct hand *restart_hand(void);
/* It has been taken over. */
void restart_taken(void);
/* It cannot be taken over: hands over to the other routers, and removes what the controller before had on the machine. True: there was some. */
bool restart_give_up(void);

const char *restart_path(void);
/* Asks the program at restart_path() whether it can go on, with its words and this configuration: @done as in exec_start(). 0 or -errno. */
int restart_ask(struct exec *x, exec_done_fn done, void *arg);
/* Runs it; @h, which is written to its end, goes with it, or is NULL. Returns only when it cannot be run: -errno, and @h is as before. */
int restart_exec(struct hand *h);

/* Whether only the question above is to be answered: whoever would run virtual routers returns 0 instead. */
void restart_rehearse(void);
bool restart_rehearsing(void);

/*
 * The guardian becomes the next image, when the controller has ended for that; @oom is its OOM score from before. All signals stay blocked: what
 * is pending concerns the next one or nobody. Returns when that was not possible (said).
 */
void restart_again(const char *oom);

#endif
