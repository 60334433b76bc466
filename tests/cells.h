/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of bpf/vrrp_xdp.bpf.c in the kernel, mapped: for the tests that load the program without user/dp.c. */
#ifndef VX_TESTS_CELLS_H
#define VX_TESTS_CELLS_H

#include <sys/mman.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "scenario.h"

struct cells {
	__u8 *base;
	size_t bytes;
	__u32 size; /* of one */
};

static inline void *cells_at(void *arg, __u32 i)
{
	const struct cells *c = arg;

	return c->base + (size_t)c->size * i;
}

/* False: the kernel does not map it. */
static inline bool cells_map(struct cells *c, const struct bpf_map *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE),
	       bytes = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *p;

	c->size = bpf_map__value_size(map);
	c->bytes = (bytes + page - 1) / page * page;
	p = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	c->base = p;
	return p != MAP_FAILED;
}

static inline void cells_unmap(struct cells *c)
{
	munmap(c->base, c->bytes);
}

/* Before @obj is loaded: gives the tables their sizes and tells the program. False: it has no such place. */
static inline bool cells_resize(struct bpf_object *obj, const struct vx_masks *masks)
{
	struct bpf_map *rodata = bpf_object__find_map_by_name(obj, ".rodata");

	return rodata && bpf_map__value_size(rodata) == sizeof(*masks) &&
	       !bpf_map__set_initial_value(rodata, masks, sizeof(*masks)) &&
	       !bpf_map__set_max_entries(bpf_object__find_map_by_name(obj, "vr_index"), masks->vr + 1) &&
	       !bpf_map__set_max_entries(bpf_object__find_map_by_name(obj, "addr4"), masks->addr + 1) &&
	       !bpf_map__set_max_entries(bpf_object__find_map_by_name(obj, "addr6"), masks->addr + 1);
}

/* For a table of @n keys at the least. */
static inline __u32 cells_mask(__u32 n)
{
	__u32 mask = 1;

	while (mask + 1 < 2 * n)
		mask = 2 * mask + 1;
	return mask;
}

#endif
