/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread, one epoll loop. The only reader of the clock. A turn: wait; what is ready, in the order of priority; what is due; then
 * the end of the turn, where everything that the turn decided is carried out together.
 */
#ifndef VX_LOOP_H
#define VX_LOOP_H

#include "timer.h"

struct epoll_event;

/* Adverts are looked at before timers and everything else: a router that was stalled must hear before it speaks (SEC-29). */
enum loop_prio { LOOP_EVENTS, LOOP_NETLINK, LOOP_OTHER };

struct loop_io {
	int fd;
	enum loop_prio prio;
	void (*fn)(void *arg, uint32_t epoll_events, uint64_t now_ns);
	void *arg; /* borrowed */
};

struct loop {
	struct timer_queue timers;
	void (*turn_end)(void *arg, uint64_t now_ns);
	void (*woke)(void *arg, uint64_t now_ns);    /* before each of what there is to do; NULL: nobody asks */
	void (*sleeps)(void *arg, uint64_t next_ns); /* until then, or an event; NULL: nobody asks */
	void (*rests)(void);                         /* what comes now in this turn may take long; NULL: nobody asks */
	void *arg;                                   /* borrowed, of these three */
	void (*signal)(void *arg, int signo);        /* SIGHUP, SIGUSR1, SIGUSR2; NULL: SIGHUP stops */
	void *signal_arg;                            /* borrowed */
	/* private */
	int epfd, timerfd, sigfd;
	uint64_t timer_set_ns;
	uint64_t busy_until_ns, now_ns; /* @now_ns: of the last turn's end */
	int stop_signal;
	struct epoll_event *ready; /* what this turn still has to look at */
	int nready;
	struct loop_io timer_io, sig_io;
};

/* CLOCK_BOOTTIME, the clock of the lease and of every deadline. */
uint64_t loop_now_ns(void);

/* Blocks the signals: SIGTERM and SIGINT end loop_run(), the others go to @signal. Ignores SIGPIPE. Returns 0 or -errno; loop_fini() is legal after either. */
int loop_init(struct loop *l);
void loop_fini(struct loop *l);
/* @io is borrowed until loop_del(). Return 0 or -errno. */
int loop_add(struct loop *l, struct loop_io *io, uint32_t epoll_events);
int loop_mod(struct loop *l, struct loop_io *io, uint32_t epoll_events);
void loop_del(struct loop *l, struct loop_io *io);
/* Until @at_ns the loop polls instead of sleeping: something is due then that cannot wait for a wake-up. */
void loop_stay_awake(struct loop *l, uint64_t at_ns);
/* Whether it does so already. */
bool loop_is_awake(const struct loop *l);
/* Ends loop_run() after this turn, which then returns @signo. */
void loop_stop(struct loop *l, int signo);
/* Runs until a signal asks to stop; returns its number, or -errno. */
int loop_run(struct loop *l);

#endif
