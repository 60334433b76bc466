// SPDX-License-Identifier: GPL-2.0-or-later
#include "will.h"

#include "leftover.h"
#include "log.h"
#include "tx.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRAME_MAX = 2048, MANY = 1 << 16 };

/* All roles to VX_ROLE_INIT: nothing is answered from here on. */
static void silence(int role_fd, size_t vrs)
{
	size_t page = sysconf(_SC_PAGESIZE), bytes = (vrs * sizeof(uint64_t) + page - 1) / page * page;
	volatile uint64_t *role = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, role_fd, 0);
	size_t i;

	if (role == MAP_FAILED)
		return;
	for (i = 0; i < vrs; i++)
		role[i] = 0;
	munmap((void *)role, bytes);
}

static void send_one(const struct will_frame *w, const uint8_t *data)
{
	struct tx *tx;

	if (tx_new(&tx, w->ifindex, w->ifname))
		return;
	if (!w->unicast)
		tx_frame(tx, data, w->len, NULL);
	else if (w->family == 4 || !tx_open6(tx))
		tx_packet(tx, data, w->len, w->family, &w->dst, NULL);
	tx_flush(tx);
	tx_free(tx);
}

static void clean(const struct will_if *w)
{
	int err = leftover_remove(w->ifindex, w->ifname, NULL, NULL);

	if (err < 0)
		log_err("%s: cannot remove the XDP program: %s; try `vrrp-xdp detach %s`", w->ifname, strerror(-err),
			w->ifname);
}

int will_read(struct will *w, struct hand *h)
{
	struct will_frame f;
	int32_t role_fd = -1;
	struct will_if i;
	size_t n = 0;

	*w = (struct will){ .role_fd = -1, .h = h, .at = h->at };
	HAND(h, role_fd);
	HAND(h, w->vrs);
	for (hand_count(h, &n, MANY); n; n--) {
		HAND(h, f);
		h->bad |= f.len > h->len - h->at;
		h->at += h->bad ? 0 : f.len;
	}
	for (hand_count(h, &n, MANY); n; n--)
		HAND(h, i);
	if (!h->bad && role_fd >= 0) /* the one that is handed over is the data plane's */
		w->role_fd = fcntl(role_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return h->bad ? -EPROTO : 0;
}

void will_carry_out(struct will *w)
{
	struct hand *h = w->h;
	uint8_t data[FRAME_MAX];
	struct will_frame f;
	struct will_if i;
	int32_t role_fd;
	size_t n = 0;

	h->at = w->at;
	h->bad = false;
	if (w->role_fd >= 0)
		silence(w->role_fd, w->vrs);
	HAND(h, role_fd);
	HAND(h, w->vrs);
	for (hand_count(h, &n, MANY); n; n--) {
		HAND(h, f);
		h->bad |= f.len > sizeof(data);
		hand_bytes(h, data, h->bad ? 0 : f.len);
		if (!h->bad)
			send_one(&f, data);
	}
	for (hand_count(h, &n, MANY); n; n--) {
		HAND(h, i);
		if (!h->bad)
			clean(&i);
	}
	will_drop(w);
}

void will_drop(struct will *w)
{
	if (w->role_fd >= 0)
		close(w->role_fd);
	w->role_fd = -1;
}
