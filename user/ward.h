/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The controller's half of the guardian (guardian.h): starts it, tells it what to fence and to send, shows it life, and learns from it
 * that it has fenced. A process has one guardian: there is no handle.
 */
#ifndef VX_WARD_H
#define VX_WARD_H

#include "base.h"
#include "hand.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Forks. The parent becomes the guardian, with the priorities given (0: none), and never returns; the child goes on as the controller,
 * which is killed when it has not ended @stop_s seconds after SIGTERM. Returns 0 there, or -errno when no process was made. The signals that the guardian passes on are blocked from here on.
 */
int ward_start(int rt_priority, int nice, unsigned int stop_s);
pid_t ward_guardian(void);
bool ward_guarded(void); /* it is there */
/*
 * The guardian goes on guarding the controller that follows in this process, which has until @until_ns to show life, and takes it over in the
 * place of ward_start(). 0, -ENOENT: none is left, or another -errno.
 */
void ward_hand_over(struct hand *h, uint64_t until_ns);
int ward_adopt(struct hand *h);
/* Readable when the guardian has ended. */
int ward_fd(void);

/* Whether it has been given any; one that was adopted has. */
bool ward_watches(void);
/* Gives the guardian the roles of @slots virtual routers, and makes room for @nwills wills. 0 or -errno. */
int ward_watch(int role_fd, uint32_t slots, uint32_t nwills);

/* Has the guardian send @text to systemd, which listens to the main process only. 0 or -errno. */
int ward_notify(const char *text);

/* An advert of priority 0, as it is to leave. */
struct ward_will {
	uint32_t slot;
	int ifindex;
	uint8_t family;     /* of an IP packet for @dst; 0: an Ethernet frame */
	struct vx_addr dst; /* of a packet */
	const void *data;   /* borrowed during the call */
	size_t len;
};
/* Adds one to those of its slot. 0, or -ENOSPC. */
int ward_will(const struct ward_will *in);
void ward_forget(uint32_t slot);

/* By how much the controller may be late from now on; 0: nothing is Active. */
void ward_limit(uint64_t limit_ns, uint64_t now_ns);
/* It runs, and goes on running; it goes to sleep until @next_ns. */
void ward_alive(uint64_t now_ns);
/*
 * What comes next may wait for a lock that somebody else holds in the kernel. That is no hanging before @until_ns, when the first lease is near
 * its end, and no more than a few times the limit; until the next ward_alive().
 */
void ward_waits(uint64_t now_ns, uint64_t until_ns);
void ward_sleep(uint64_t next_ns);
/* What comes now is known to take long: until ward_rested() or ward_sleep() only death and SIGSTOP count. */
void ward_rest(void);
void ward_rested(uint64_t now_ns);
/* Whether the guardian has fenced since the last call; *@away_ns: for how long the controller was away. */
bool ward_fenced(uint64_t now_ns, uint64_t *away_ns);

#endif
