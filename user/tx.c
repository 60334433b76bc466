// SPDX-License-Identifier: GPL-2.0-or-later
#include "tx.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUE_MAX = 256, PRIO_CONTROL = 7 };

struct queue {
	int fd;
	unsigned int n;
	struct mmsghdr msg[QUEUE_MAX];
	struct iovec iov[QUEUE_MAX];
	struct sockaddr_in to[QUEUE_MAX];
	bool *sent[QUEUE_MAX];
};

struct tx {
	int ifindex;
	struct queue frames, packets;
	int err; /* of a flush that a full queue forced */
};

/* The rest of opening a socket, if all went well so far: adverts leave before data where a queueing discipline looks. */
static int finish(int fd, int err)
{
	int prio = PRIO_CONTROL;

	if (!err && setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &prio, sizeof(prio)))
		err = -errno;
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

static int open_frames(int ifindex)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };
	struct packet_mreq mr = {
		.mr_ifindex = ifindex,
		.mr_type = PACKET_MR_MULTICAST,
		.mr_alen = 6,
		.mr_address = { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x12 }, /* WF-13 */
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : 0;

	/* Protocol 0: the socket sends only, no frame is ever queued to it. */
	if (!err && bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		err = -errno;
	if (!err && setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)))
		err = -errno;
	return finish(fd, err);
}

static int open_packets(const char *ifname)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	int err = fd < 0 ? -errno : 0;

	if (!err && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, strlen(ifname) + 1))
		err = -errno;
	return finish(fd, err);
}

static void queue_init(struct queue *q)
{
	unsigned int i;

	for (i = 0; i < QUEUE_MAX; i++) {
		q->msg[i].msg_hdr.msg_iov = &q->iov[i];
		q->msg[i].msg_hdr.msg_iovlen = 1;
	}
}

int tx_new(struct tx **out, int ifindex, const char *ifname)
{
	struct tx *tx = calloc(1, sizeof(*tx));
	int err;

	*out = NULL;
	if (!tx)
		return -ENOMEM;
	tx->ifindex = ifindex;
	queue_init(&tx->frames);
	queue_init(&tx->packets);
	tx->frames.fd = open_frames(ifindex);
	tx->packets.fd = open_packets(ifname);
	err = tx->frames.fd < 0 ? tx->frames.fd : tx->packets.fd < 0 ? tx->packets.fd : 0;
	if (err) {
		tx_free(tx);
		return err;
	}
	*out = tx;
	return 0;
}

void tx_free(struct tx *tx)
{
	if (!tx)
		return;
	if (tx->frames.fd >= 0)
		close(tx->frames.fd);
	if (tx->packets.fd >= 0)
		close(tx->packets.fd);
	free(tx);
}

int tx_join(struct tx *tx, __be32 group)
{
	const uint8_t *g = (const uint8_t *)&group;
	struct packet_mreq mr = {
		.mr_ifindex = tx->ifindex,
		.mr_type = PACKET_MR_MULTICAST,
		.mr_alen = 6,
		.mr_address = { 0x01, 0x00, 0x5e, g[1] & 0x7f, g[2], g[3] }, /* RFC 1112 6.4 */
	};

	return setsockopt(tx->frames.fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)) ? -errno : 0;
}

int tx_mac(struct tx *tx, const uint8_t mac[6], bool in)
{
	struct packet_mreq mr = { .mr_ifindex = tx->ifindex, .mr_type = PACKET_MR_UNICAST, .mr_alen = 6 };

	memcpy(mr.mr_address, mac, 6);
	return setsockopt(tx->frames.fd, SOL_PACKET, in ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP, &mr,
			  sizeof(mr))
		       ? -errno
		       : 0;
}

/* A frame that cannot be sent is skipped: the next one may be for another peer. */
static int queue_flush(struct queue *q)
{
	unsigned int done = 0;
	int n, i, err = 0;

	while (done < q->n) {
		n = sendmmsg(q->fd, q->msg + done, q->n - done, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err = -errno;
			done++;
			continue;
		}
		for (i = 0; i < n; i++)
			if (q->sent[done + i])
				*q->sent[done + i] = true;
		done += n;
	}
	q->n = 0;
	return err;
}

static unsigned int queue_add(struct tx *tx, struct queue *q, const void *data, size_t len, bool *sent)
{
	if (q->n == QUEUE_MAX) {
		int err = queue_flush(q);

		tx->err = err ? err : tx->err;
	}
	q->iov[q->n] = (struct iovec){ .iov_base = (void *)data, .iov_len = len };
	q->sent[q->n] = sent;
	return q->n++;
}

void tx_frame(struct tx *tx, const void *data, size_t len, bool *sent)
{
	queue_add(tx, &tx->frames, data, len, sent);
}

void tx_packet(struct tx *tx, const void *data, size_t len, __be32 dst, bool *sent)
{
	unsigned int i = queue_add(tx, &tx->packets, data, len, sent);

	tx->packets.to[i] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = dst };
	tx->packets.msg[i].msg_hdr.msg_name = &tx->packets.to[i];
	tx->packets.msg[i].msg_hdr.msg_namelen = sizeof(tx->packets.to[i]);
}

int tx_flush(struct tx *tx)
{
	int frames = queue_flush(&tx->frames), packets = queue_flush(&tx->packets), forced = tx->err;

	tx->err = 0;
	return frames ? frames : packets ? packets : forced;
}
