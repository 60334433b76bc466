// SPDX-License-Identifier: GPL-2.0-or-later
/* A hash table with chains; it doubles when there are as many entries as chains. */
#include "conf_map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 256 };

struct conf_map_entry {
	struct conf_map_entry *next;
	uint64_t hash;
	unsigned int kind;
	size_t owner, value, len;
	char key[];
};

static uint64_t hash_bytes(uint64_t h, const void *p, size_t len)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * 1099511628211ull;
	return h;
}

static uint64_t hash_of(unsigned int kind, size_t owner, const void *key, size_t len)
{
	uint64_t h = 14695981039346656037ull;

	h = hash_bytes(h, &kind, sizeof(kind));
	h = hash_bytes(h, &owner, sizeof(owner));
	h = hash_bytes(h, key, len);
	return h ^ h >> 32;
}

static struct conf_map_entry *find(const struct conf_map *m, uint64_t hash, unsigned int kind, size_t owner,
				   const void *key, size_t len)
{
	struct conf_map_entry *e = m->cap ? m->buckets[hash & (m->cap - 1)] : NULL;

	while (e && (e->hash != hash || e->kind != kind || e->owner != owner || e->len != len ||
		     memcmp(e->key, key, len) != 0))
		e = e->next;
	return e;
}

static bool rehash(struct conf_map *m)
{
	size_t cap = m->cap ? m->cap * 2 : FIRST_BUCKETS;
	struct conf_map_entry **buckets = calloc(cap, sizeof(struct conf_map_entry *)), *e, *next;

	if (!buckets)
		return false;
	for (size_t i = 0; i < m->cap; i++)
		for (e = m->buckets[i]; e; e = next) {
			next = e->next;
			e->next = buckets[e->hash & (cap - 1)];
			buckets[e->hash & (cap - 1)] = e;
		}
	free(m->buckets);
	m->buckets = buckets;
	m->cap = cap;
	return true;
}

size_t *conf_map_get(const struct conf_map *m, unsigned int kind, size_t owner, const void *key, size_t len)
{
	struct conf_map_entry *e = find(m, hash_of(kind, owner, key, len), kind, owner, key, len);

	return e ? &e->value : NULL;
}

size_t *conf_map_put(struct conf_map *m, unsigned int kind, size_t owner, const void *key, size_t len, bool *fresh)
{
	uint64_t hash = hash_of(kind, owner, key, len);
	struct conf_map_entry *e = find(m, hash, kind, owner, key, len);

	*fresh = !e;
	if (e)
		return &e->value;
	if (m->n >= m->cap && !rehash(m))
		return NULL;
	e = calloc(1, sizeof(*e) + len);
	if (!e)
		return NULL;
	e->hash = hash;
	e->kind = kind;
	e->owner = owner;
	e->len = len;
	memcpy(e->key, key, len);
	e->next = m->buckets[hash & (m->cap - 1)];
	m->buckets[hash & (m->cap - 1)] = e;
	m->n++;
	return &e->value;
}

void conf_map_free(struct conf_map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		while (m->buckets[i]) {
			struct conf_map_entry *next = m->buckets[i]->next;

			free(m->buckets[i]);
			m->buckets[i] = next;
		}
	free(m->buckets);
	*m = (struct conf_map){ 0 };
}
