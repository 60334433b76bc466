/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names -> numbers, so that no search through a list of thousands is repeated thousands of times. */
#ifndef VX_CONF_MAP_H
#define VX_CONF_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct conf_map_entry;
struct conf_map {
	struct conf_map_entry **buckets;
	size_t n, cap;
};

/* The number of (@kind, @owner, @key), or NULL. */
size_t *conf_map_get(const struct conf_map *m, unsigned int kind, size_t owner, const void *key, size_t len);
/* The same, but makes it, 0, if it is not there; @fresh says so. NULL: out of memory. Valid until conf_map_free(). */
size_t *conf_map_put(struct conf_map *m, unsigned int kind, size_t owner, const void *key, size_t len, bool *fresh);
void conf_map_free(struct conf_map *m);

#endif
