// SPDX-License-Identifier: GPL-2.0-or-later
#include "hand.h"

#include "abi.h"
#include "guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define ENV_NAME "VRRP_XDP_HANDOVER"
#define MAGIC    0x5652525048414e44ULL

enum { LEN_MAX = 64 << 20 };

#define STR_(x) #x
#define STR(x)  STR_(x)

struct header {
	uint64_t magic;
	char version[16];
	uint64_t pid; /* an old one, found in an environment that somebody kept, is nobody's */
	uint64_t len; /* of all */
};

const char *hand_version(void)
{
	return "hand-" STR(VX_ABI_VERSION) "." STR(GUARDIAN_FORMAT) "." STR(HAND_FORMAT);
}

static void fill_header(struct header *hd, size_t len)
{
	memset(hd, 0, sizeof(*hd));
	hd->magic = MAGIC;
	snprintf(hd->version, sizeof(hd->version), "%s", hand_version());
	hd->pid = getpid();
	hd->len = len;
}

void hand_init(struct hand *h)
{
	struct header hd = { 0 };

	memset(h, 0, sizeof(*h));
	h->out = true;
	HAND(h, hd);
}

void hand_free(struct hand *h)
{
	free(h->b);
	free(h->fds);
	memset(h, 0, sizeof(*h));
}

static void *grown(void *p, size_t *cap, size_t want, size_t size)
{
	size_t n = *cap ? *cap : 64;
	void *more;

	while (n < want)
		n *= 2;
	more = realloc(p, n * size);
	if (more)
		*cap = n;
	return more;
}

static void put(struct hand *h, const void *p, size_t n)
{
	uint8_t *more = h->len + n > h->cap ? grown(h->b, &h->cap, h->len + n, 1) : h->b;

	if (!more) {
		h->bad = true;
		return;
	}
	h->b = more;
	memcpy(h->b + h->len, p, n);
	h->len += n;
}

void hand_bytes(struct hand *h, void *p, size_t n)
{
	if (h->out) {
		put(h, p, n);
		return;
	}
	h->bad |= n > h->len - h->at;
	if (h->bad) {
		memset(p, 0, n);
		return;
	}
	memcpy(p, h->b + h->at, n);
	h->at += n;
}

static void note_fd(struct hand *h, int fd)
{
	int *more = h->nfds == h->cap_fds ? grown(h->fds, &h->cap_fds, h->nfds + 1, sizeof(*h->fds)) : h->fds;

	if (!more) {
		h->bad = true;
		return;
	}
	h->fds = more;
	h->fds[h->nfds++] = fd;
}

void hand_fd(struct hand *h, int *fd)
{
	int32_t n = *fd;

	HAND(h, n);
	if (h->out && n >= 0)
		note_fd(h, n);
	if (!h->out) {
		h->bad |= n >= 0 && fcntl(n, F_SETFD, FD_CLOEXEC);
		*fd = h->bad ? -1 : n;
	}
}

void hand_count(struct hand *h, size_t *n, size_t max)
{
	uint64_t count = *n;

	HAND(h, count);
	h->bad |= count > max;
	*n = h->bad && !h->out ? 0 : count;
}

static void keep_fds(const struct hand *h, bool keep)
{
	size_t i;

	for (i = 0; i < h->nfds; i++)
		fcntl(h->fds[i], F_SETFD, keep ? 0 : FD_CLOEXEC);
}

int hand_offer(struct hand *h, int *fd, char env[HAND_ENV_LEN])
{
	struct header hd;
	int err = 0;

	if (h->bad)
		return -ENOMEM;
	fill_header(&hd, h->len);
	memcpy(h->b, &hd, sizeof(hd));
	*fd = memfd_create("vrrp-xdp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return -errno;
	if (write(*fd, h->b, h->len) != (ssize_t)h->len)
		err = -ENOMEM;
	else if (fcntl(*fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		err = -errno;
	if (err) {
		close(*fd);
		return err;
	}
	fcntl(*fd, F_SETFD, 0);
	keep_fds(h, true);
	snprintf(env, HAND_ENV_LEN, ENV_NAME "=%d", *fd);
	return 0;
}

void hand_withdraw(struct hand *h, int fd)
{
	keep_fds(h, false);
	close(fd);
}

static int read_all(struct hand *h, int fd)
{
	struct header hd;
	struct stat st;

	if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) || st.st_size < (off_t)sizeof(hd) || st.st_size > LEN_MAX)
		return -EINVAL;
	h->b = malloc(st.st_size);
	if (!h->b)
		return -ENOMEM;
	h->len = st.st_size;
	if (pread(fd, h->b, h->len, 0) != st.st_size)
		return -EIO;
	fill_header(&hd, h->len);
	h->at = sizeof(hd);
	return memcmp(h->b, &hd, sizeof(hd)) ? -EPROTO : 0;
}

int hand_take(struct hand *h)
{
	const char *word = getenv(ENV_NAME);
	int fd = word ? atoi(word) : -1, err;

	memset(h, 0, sizeof(*h));
	if (!word)
		return 0;
	unsetenv(ENV_NAME);
	err = fd > STDERR_FILENO ? read_all(h, fd) : -EINVAL;
	if (!err) {
		close(fd);
		return 1;
	}
	hand_free(h);
	close_range(STDERR_FILENO + 1, ~0U, 0); /* whatever it was that it named */
	return err;
}
