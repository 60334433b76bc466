/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PURE. A queue of deadlines: a binary heap of timers that live in their owners. Reads no clock. */
#ifndef VX_TIMER_H
#define VX_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
	uint64_t at_ns;
	size_t index; /* place in the heap, from 1; 0: not armed */
	void (*fn)(void *arg, uint64_t now_ns);
	void *arg; /* borrowed */
};

struct timer_queue {
	struct timer **heap; /* [1..n]; owned array of borrowed timers */
	size_t n, cap;
};

/* Frees the array; the timers are their owners'. A zeroed queue is ready for use. */
void timer_queue_fini(struct timer_queue *q);
/* Makes room for @n timers at once, so that arming never allocates afterwards. Returns 0 or -ENOMEM. */
int timer_queue_reserve(struct timer_queue *q, size_t n);
/* Arms @t for @at_ns, or moves it there. There must be room: see timer_queue_reserve(). */
void timer_arm(struct timer_queue *q, struct timer *t, uint64_t at_ns);
void timer_cancel(struct timer_queue *q, struct timer *t);
/* The earliest deadline, or UINT64_MAX. */
uint64_t timer_next(const struct timer_queue *q);
/* Takes the earliest timer that is due at @now_ns off the queue, or returns NULL. */
struct timer *timer_expire(struct timer_queue *q, uint64_t now_ns);

#endif
