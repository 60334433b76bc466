// SPDX-License-Identifier: GPL-2.0-or-later
#include "timer.h"

#include <errno.h>
#include <stdlib.h>

void timer_queue_fini(struct timer_queue *q)
{
	free(q->heap);
	*q = (struct timer_queue){ 0 };
}

int timer_queue_reserve(struct timer_queue *q, size_t n)
{
	struct timer **heap;

	if (n <= q->cap)
		return 0;
	heap = realloc(q->heap, (n + 1) * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	q->heap = heap;
	q->cap = n;
	return 0;
}

static void place(struct timer_queue *q, size_t i, struct timer *t)
{
	q->heap[i] = t;
	t->index = i;
}

/* Finds the place for @t from @i on, upwards or downwards, and puts it there. */
static void settle(struct timer_queue *q, size_t i, struct timer *t)
{
	size_t child;

	for (; i > 1 && t->at_ns < q->heap[i / 2]->at_ns; i /= 2)
		place(q, i, q->heap[i / 2]);
	for (; (child = 2 * i) <= q->n; i = child) {
		if (child < q->n && q->heap[child + 1]->at_ns < q->heap[child]->at_ns)
			child++;
		if (t->at_ns <= q->heap[child]->at_ns)
			break;
		place(q, i, q->heap[child]);
	}
	place(q, i, t);
}

void timer_arm(struct timer_queue *q, struct timer *t, uint64_t at_ns)
{
	if (!t->index) {
		if (q->n == q->cap)
			abort(); /* the owner reserved too little: a bug, and a router without its timer is worse than none */
		t->index = ++q->n;
	}
	t->at_ns = at_ns;
	settle(q, t->index, t);
}

void timer_cancel(struct timer_queue *q, struct timer *t)
{
	size_t i = t->index;
	struct timer *last;

	if (!i)
		return;
	t->index = 0;
	last = q->heap[q->n--];
	if (last != t)
		settle(q, i, last);
}

uint64_t timer_next(const struct timer_queue *q)
{
	return q->n ? q->heap[1]->at_ns : UINT64_MAX;
}

struct timer *timer_expire(struct timer_queue *q, uint64_t now_ns)
{
	struct timer *t;

	if (timer_next(q) > now_ns)
		return NULL;
	t = q->heap[1];
	timer_cancel(q, t);
	return t;
}
