/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for libbpf's header when bpf/vrrp_xdp.bpf.c is compiled natively, so that the very program runs under ASan and
 * UBSan. Every map value is a heap block of its own, the clock stands still until a test moves it, events and timers are
 * recorded. Included through tests/shim/program.h only.
 */
#ifndef VX_SHIM_BPF_HELPERS_H
#define VX_SHIM_BPF_HELPERS_H

#include <stdlib.h>
#include <string.h>

#include "abi.h"

#define SEC(name)         __attribute__((used))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) __typeof__(val) *name
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

enum { SHIM_EVENTS = 64, SHIM_TIMERS = 4, SHIM_KEY = 24 };

typedef int (*shim_timer_cb)(void *map, const __u32 *slot, struct vx_vr_watch *w);

struct shim_entry {
	struct shim_entry *next;
	const void *map;
	__u8 key[SHIM_KEY];
	void *value;
};

struct shim_timer {
	struct bpf_timer *timer;
	shim_timer_cb cb;
	__u64 at_ns; /* 0: not armed */
	__u32 starts;
};

static struct {
	struct shim_entry *entries;
	__u64 now_ns;
	struct vx_event ev[SHIM_EVENTS];
	__u32 nev;
	__u32 ring_room; /* events that the ring buffer still takes */
	struct shim_timer timer[SHIM_TIMERS];
	void (*at_start)(void); /* called once, from bpf_timer_start(): what another CPU does in this very moment */
} shim;

/* What BTF tells the kernel about a map is in the types of its members. */
#define SHIM_KEY_SIZE(map)   sizeof(*(map)->key)
#define SHIM_VALUE_SIZE(map) sizeof(*(map)->value)
#define SHIM_IS_HASH(map)    (sizeof(*(map)->type) / sizeof(int) == BPF_MAP_TYPE_HASH)
#define SHIM_ENTRIES(map)    (sizeof(*(map)->max_entries) / sizeof(int))

vx_inline struct shim_entry *shim_find(const void *map, const void *key, size_t key_size)
{
	struct shim_entry *e;

	for (e = shim.entries; e; e = e->next)
		if (e->map == map && !memcmp(e->key, key, key_size))
			return e;
	return NULL;
}

vx_inline void *shim_new(const void *map, const void *key, size_t key_size, size_t value_size)
{
	struct shim_entry *e = calloc(1, sizeof(*e));

	if (!e)
		abort();
	e->value = calloc(1, value_size);
	if (!e->value)
		abort();
	e->map = map;
	memcpy(e->key, key, key_size);
	e->next = shim.entries;
	shim.entries = e;
	return e->value;
}

static inline void *shim_lookup(const void *map, const void *key, size_t key_size, size_t value_size, bool hash,
				size_t entries)
{
	struct shim_entry *e = shim_find(map, key, key_size);
	__u32 index;

	if (e)
		return e->value;
	if (hash)
		return NULL;
	memcpy(&index, key, sizeof(index));
	return index < entries ? shim_new(map, key, key_size, value_size) : NULL;
}

#define bpf_map_lookup_elem(map, k)                                                                                    \
	shim_lookup((map), (k), SHIM_KEY_SIZE(map), SHIM_VALUE_SIZE(map), SHIM_IS_HASH(map), SHIM_ENTRIES(map))

/* What bpf_map_update_elem() is for the controller. */
#define shim_put(map, k, v)                                                                                            \
	do {                                                                                                           \
		struct shim_entry *shim_e = shim_find((map), (k), SHIM_KEY_SIZE(map));                                 \
		memcpy(shim_e ? shim_e->value : shim_new((map), (k), SHIM_KEY_SIZE(map), SHIM_VALUE_SIZE(map)), (v),   \
		       SHIM_VALUE_SIZE(map));                                                                          \
	} while (0)

/* An empty data plane at @now_ns. */
static inline void shim_reset(__u64 now_ns)
{
	struct shim_entry *e, *next;

	for (e = shim.entries; e; e = next) {
		next = e->next;
		free(e->value);
		free(e);
	}
	memset(&shim, 0, sizeof(shim));
	shim.now_ns = now_ns;
	shim.ring_room = SHIM_EVENTS;
}

static inline __u64 bpf_ktime_get_boot_ns(void)
{
	return shim.now_ns;
}

static inline long bpf_ringbuf_output(const void *map __attribute__((unused)), const void *data, __u64 size,
				      __u64 flags __attribute__((unused)))
{
	if (!shim.ring_room || size != sizeof(shim.ev[0]))
		return -1;
	shim.ring_room--;
	memcpy(&shim.ev[shim.nev++], data, sizeof(shim.ev[0]));
	return 0;
}

static inline struct shim_timer *shim_timer_of(struct bpf_timer *timer)
{
	int i;

	for (i = 0; i < SHIM_TIMERS; i++)
		if (shim.timer[i].timer == timer)
			return &shim.timer[i];
	return NULL;
}

static inline long bpf_timer_init(struct bpf_timer *timer, const void *map __attribute__((unused)),
				  __u64 clock __attribute__((unused)))
{
	struct shim_timer *t;

	if (shim_timer_of(timer))
		return -16; /* EBUSY */
	t = shim_timer_of(NULL);
	if (!t)
		abort();
	t->timer = timer;
	return 0;
}

static inline long bpf_timer_set_callback(struct bpf_timer *timer, shim_timer_cb cb)
{
	struct shim_timer *t = shim_timer_of(timer);

	if (!t)
		return -22; /* EINVAL */
	t->cb = cb;
	return 0;
}

static inline long bpf_timer_start(struct bpf_timer *timer, __u64 nsecs, __u64 flags __attribute__((unused)))
{
	struct shim_timer *t = shim_timer_of(timer);

	if (!t || !t->cb)
		return -22; /* EINVAL */
	t->at_ns = shim.now_ns + nsecs;
	t->starts++;
	if (shim.at_start) {
		void (*at_start)(void) = shim.at_start;

		shim.at_start = NULL;
		at_start();
	}
	return 0;
}

static inline long bpf_timer_cancel(struct bpf_timer *timer)
{
	struct shim_timer *t = shim_timer_of(timer);

	if (!t)
		return -22; /* EINVAL */
	t->at_ns = 0;
	return 0;
}

#endif
