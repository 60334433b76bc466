/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: AF_UNIX in the abstract namespace, which is scoped by network namespace, one name per interface that the
 * controller runs: "@vrrp-xdp/eth0". To hold the name is to hold the interface: a second controller cannot bind it, and
 * it is free again the moment its holder dies. A request is one line, the answer one JSON document.
 */
#ifndef VX_CTL_H
#define VX_CTL_H

#include "hand.h"
#include "loop.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct ctl;

/* Makes the answer to @request, a new reference; NULL: unknown request, or later, see ctl_defer(). */
typedef json_t *(*ctl_answer_fn)(void *arg, const char *request);

/* *@out is owned by the caller; 0 or -errno. ctl_free(NULL) is legal. */
int ctl_new(struct ctl **out, struct loop *loop, ctl_answer_fn answer, void *arg);
void ctl_free(struct ctl *ctl);
/* Takes the name of @ifname and listens. 0 or -errno; -EADDRINUSE: another controller runs it, *@holder is its process and *@uid its user. */
int ctl_listen(struct ctl *ctl, const char *ifname, pid_t *holder, uid_t *uid);

void ctl_unlisten(struct ctl *ctl, const char *ifname);
/* Beside root and our own user, who may ask for anything, the members of group @gid (xdp_control_group) may look: status, stats, monitor. */
void ctl_allow_group(struct ctl *ctl, bool set, gid_t gid);

/* While a request is answered: its client, and who asks the like meanwhile, is answered by ctl_answer_deferred(). */
void ctl_defer(struct ctl *ctl);
/* Steals the reference to @answer; NULL: out of memory. */
void ctl_answer_deferred(struct ctl *ctl, json_t *answer);
/*
 * Names and clients that wait go to the controller that follows in this process: nobody else can take an interface, and nobody's answer is
 * lost. There ctl_listen() takes what was handed over; what is left of it is closed by ctl_adopted().
 */
void ctl_hand(struct ctl *ctl, struct hand *h);
void ctl_adopted(struct ctl *ctl);

/* Client: asks every controller of this network namespace once, or that of @ifname alone; @each takes the answer (borrowed). Returns how many
 * answered, or -errno. */
int ctl_ask(const char *request, const char *ifname, void (*each)(void *arg, json_t *answer), void *arg);
/* Client: the process that holds the name of @ifname, or 0; *@uid is its user. The namespace is open to all: only a name held by root or by
 * our own user is a controller's, see ctl_trusted(). */
pid_t ctl_holder(const char *ifname, uid_t *uid);
bool ctl_trusted(uid_t uid);

#endif
