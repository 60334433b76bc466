/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a controller hands over to the one that follows it in the same process, by execve(): a sealed memory file with the state of every
 * module, and descriptors that stay open. Each module goes through its fields once, in either direction, so that what is written and
 * what is read cannot differ.
 */
#ifndef VX_HAND_H
#define VX_HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Another order, number, size or meaning of any field that is handed over is another format. */
#define HAND_FORMAT 1

struct hand {
	bool out;   /* it is being written */
	bool bad;   /* no memory; or what is read is not what was expected: the rest reads as zeroes */
	uint8_t *b; /* owned */
	size_t len, cap, at;
	int *fds; /* owned; those that have to stay open */
	size_t nfds, cap_fds;
};

/* "hand-ABI.GUARDIAN.FORMAT": only a controller of the same word can go on. */
const char *hand_version(void);

/* For writing. */
void hand_init(struct hand *h);
void hand_free(struct hand *h);
/* Writes @p, or reads it. */
void hand_bytes(struct hand *h, void *p, size_t n);
#define HAND(h, field) hand_bytes(h, &(field), sizeof(field))
/* A descriptor; one that is read is this process's alone, as if opened with O_CLOEXEC. -1 is none. */
void hand_fd(struct hand *h, int *fd);
/* A number of things to follow; what is read is at most @max, or the hand is bad. */
void hand_count(struct hand *h, size_t *n, size_t max);

/*
 * Ends the writing: the descriptors, and that of the file itself in *@fd, now outlive execve(), until hand_withdraw(). 0 or -errno. @env
 * (HAND_ENV_LEN) is what names it in the environment of the next.
 */
enum { HAND_ENV_LEN = 40 };
int hand_offer(struct hand *h, int *fd, char env[HAND_ENV_LEN]);
void hand_withdraw(struct hand *h, int fd);
/*
 * For reading: what the environment names, which forgets it. 1: there is something, 0: there is nothing, or -errno: what there is cannot be
 * used, and no descriptor is left of it.
 */
int hand_take(struct hand *h);

#endif
