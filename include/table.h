/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hash tables in arrays that userspace writes through memory: what the BPF program looks up for every frame to a VIP costs it a few loads this
 * way, where a hash map costs a call. Open addressing, linear probing, at most half full; one writer, any number of readers beside it.
 *
 * A cell starts with its word: a tag of the key's hash, whether the cell is live, and what the key stands for, so that all of that changes in
 * one store. The key is written while the cell is dead, and every time the cell has another version: who has read the same version before and
 * after the key has read one key and what belongs to it. A dead cell is never given to a key with the same tag, for machines that reorder reads.
 */
#ifndef VX_TABLE_H
#define VX_TABLE_H

#include "base.h"

enum {
	VX_TABLE_PROBES = 64
}; /* a half-full table needs more for one address in 10^5, one that has the room it was made with never */

#define VX_CELL_USED    1ULL        /* the chain goes on behind it */
#define VX_CELL_LIVE    2ULL        /* its key is in the table */
#define VX_CELL_HEAD    0xffffULL   /* the two and the tag */
#define VX_CELL_VERSION 0xff0000ULL /* one more with every key */
#define VX_CELL_ONE     0x010000ULL

/* Where the search for a key begins, to be cut to the size of the table. */
vx_inline __u32 vx_cell_home(__u64 hash)
{
	return hash >> 40;
}

/* What VX_CELL_HEAD is in a live cell of the key. */
vx_inline __u64 vx_cell_head(__u64 hash)
{
	return (hash >> 24 & VX_CELL_HEAD) | VX_CELL_USED | VX_CELL_LIVE;
}

vx_inline __u64 vx_cell_read(const __u64 *word)
{
	return *(const volatile __u64 *)word;
}

/* Whether a cell has been given to another key since @word was read. */
vx_inline bool vx_cell_reused(const __u64 *at, __u64 word)
{
	return (vx_cell_read(at) ^ word) & VX_CELL_VERSION;
}

#ifndef __bpf__

/* A table for its one writer. All of it is borrowed. */
struct vx_table {
	void *(*cell)(void *arg, __u32 i); /* the @i-th, which begins with its word */
	void *arg;
	__u32 cells; /* a power of two */
	__u32 key_at;
	__u32 key_len;
};

#define VX_TABLE(at, with, n, type)                                                                                    \
	((struct vx_table){ .cell = (at),                                                                              \
			    .arg = (with),                                                                             \
			    .cells = (n),                                                                              \
			    .key_at = offsetof(type, key),                                                             \
			    .key_len = sizeof(((type *)0)->key) })

vx_inline __u64 *vx_table_word(const struct vx_table *t, __u32 i)
{
	return t->cell(t->arg, i & (t->cells - 1));
}

vx_inline void *vx_table_key(const struct vx_table *t, __u64 *word)
{
	return (__u8 *)word + t->key_at;
}

/* The word of the live cell of @key, or NULL. */
vx_inline __u64 *vx_table_find(const struct vx_table *t, __u64 hash, const void *key)
{
	__u32 i, home = vx_cell_home(hash);
	__u64 *word;

	for (i = 0; i < VX_TABLE_PROBES && i < t->cells; i++) {
		word = vx_table_word(t, home + i);
		if (!(*word & VX_CELL_USED))
			return NULL;
		if ((*word & VX_CELL_HEAD) == vx_cell_head(hash) &&
		    !__builtin_memcmp(vx_table_key(t, word), key, t->key_len))
			return word;
	}
	return NULL;
}

/* A cell for a key that is not in the table; not live yet. NULL: there is none near enough. */
vx_inline __u64 *vx_table_claim(const struct vx_table *t, __u64 hash, const void *key)
{
	__u32 i, home = vx_cell_home(hash);
	__u64 *word, dead;

	for (i = 0; i < VX_TABLE_PROBES && i < t->cells; i++) {
		word = vx_table_word(t, home + i);
		if (*word & VX_CELL_LIVE)
			continue;
		if (*word && ((*word | VX_CELL_USED | VX_CELL_LIVE) & VX_CELL_HEAD) == vx_cell_head(hash)) {
			__atomic_store_n(word, *word | VX_CELL_USED, __ATOMIC_SEQ_CST); /* it is passed by */
			continue;
		}
		dead = (*word & ~VX_CELL_VERSION) | ((*word + VX_CELL_ONE) & VX_CELL_VERSION);
		__atomic_store_n(word, dead, __ATOMIC_SEQ_CST);
		__builtin_memcpy(vx_table_key(t, word), key, t->key_len);
		return word;
	}
	return NULL;
}

/* Makes a cell live that was claimed, or gives a live one another @load: what the key stands for, in the bits behind the version. */
vx_inline void vx_table_publish(__u64 *word, __u64 hash, __u64 load)
{
	__atomic_store_n(word, vx_cell_head(hash) | (*word & VX_CELL_VERSION) | load, __ATOMIC_SEQ_CST);
}

/* The cell of @key, which is new and not live yet if the key was not in the table. NULL: no room. */
vx_inline __u64 *vx_table_put(const struct vx_table *t, __u64 hash, const void *key)
{
	__u64 *word = vx_table_find(t, hash, key);

	return word ? word : vx_table_claim(t, hash, key);
}

/* Takes a live cell out; where no chain leads over it, those before it that were dead are unused again. */
vx_inline void vx_table_remove(const struct vx_table *t, __u64 hash, __u64 *word)
{
	__u32 i = vx_cell_home(hash);

	__atomic_store_n(word, *word & (VX_CELL_HEAD | VX_CELL_VERSION) & ~VX_CELL_LIVE, __ATOMIC_SEQ_CST);
	while (vx_table_word(t, i) != word)
		i++;
	while (!(*word & VX_CELL_LIVE) && *word & VX_CELL_USED && !(*vx_table_word(t, i + 1) & VX_CELL_USED)) {
		__atomic_store_n(word, *word & ~VX_CELL_USED, __ATOMIC_SEQ_CST);
		word = vx_table_word(t, --i);
	}
}

#endif

#endif
