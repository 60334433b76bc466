// SPDX-License-Identifier: GPL-2.0-or-later
#include "tx.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
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
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to[QUEUE_MAX];
	bool *sent[QUEUE_MAX];
};

struct tx {
	int ifindex;
	char ifname[IFNAMSIZ];
	struct queue frames, packets, packets6; /* the last is opened when there is need for it */
	int err;                                /* of a flush that a full queue forced */
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

static int open_packets(int family, const char *ifname)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
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

/* Without sockets. NULL: out of memory. */
static struct tx *tx_make(int ifindex, const char *ifname)
{
	struct tx *tx = calloc(1, sizeof(*tx));

	if (!tx)
		return NULL;
	tx->ifindex = ifindex;
	snprintf(tx->ifname, sizeof(tx->ifname), "%s", ifname);
	queue_init(&tx->frames);
	queue_init(&tx->packets);
	queue_init(&tx->packets6);
	tx->frames.fd = tx->packets.fd = tx->packets6.fd = -1;
	return tx;
}

int tx_new(struct tx **out, int ifindex, const char *ifname)
{
	struct tx *tx = tx_make(ifindex, ifname);
	int err;

	*out = NULL;
	if (!tx)
		return -ENOMEM;
	tx->frames.fd = open_frames(ifindex);
	tx->packets.fd = open_packets(AF_INET, ifname);
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
	if (tx->packets6.fd >= 0)
		close(tx->packets6.fd);
	free(tx);
}

void tx_hand_over(struct tx *tx, struct hand *h)
{
	hand_fd(h, &tx->frames.fd);
	hand_fd(h, &tx->packets.fd);
	hand_fd(h, &tx->packets6.fd);
}

int tx_adopt(struct tx **out, int ifindex, const char *ifname, struct hand *h)
{
	struct tx *tx = tx_make(ifindex, ifname);

	*out = NULL;
	if (!tx)
		return -ENOMEM;
	tx_hand_over(tx, h);
	if (h->bad || tx->frames.fd < 0 || tx->packets.fd < 0) {
		tx_free(tx);
		return -EPROTO;
	}
	*out = tx;
	return 0;
}

int tx_open6(struct tx *tx)
{
	if (tx->packets6.fd < 0)
		tx->packets6.fd = open_packets(AF_INET6, tx->ifname);
	return tx->packets6.fd < 0 ? tx->packets6.fd : 0;
}

/* With a membership report, for switches that listen to those; the socket's protocol lets no packet in. */
static int member6(struct tx *tx, const struct vx_addr *group, bool in)
{
	struct ipv6_mreq mr = { .ipv6mr_interface = tx->ifindex };
	int err = tx_open6(tx), option = in ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP;

	if (err)
		return err;
	memcpy(&mr.ipv6mr_multiaddr, group, sizeof(mr.ipv6mr_multiaddr));
	if (setsockopt(tx->packets6.fd, IPPROTO_IPV6, option, &mr, sizeof(mr)) && errno != EADDRINUSE)
		return -errno;
	return 0;
}

int tx_solicited(struct tx *tx, const struct vx_addr *vip, bool in)
{
	struct vx_addr group = { .w = { VX_BE32(0xff020000), 0, VX_BE32(1) } }; /* ff02::1:ff00:0/104, RFC 4291 2.7.1 */

	group.w[3] = vip->w[3] | VX_BE32(0xff000000);
	return member6(tx, &group, in);
}

int tx_join(struct tx *tx, uint8_t family, const struct vx_addr *group)
{
	const uint8_t *g = (const uint8_t *)group->w;
	struct packet_mreq mr = {
		.mr_ifindex = tx->ifindex,
		.mr_type = PACKET_MR_MULTICAST,
		.mr_alen = 6,
		.mr_address = { 0x01, 0x00, 0x5e, g[1] & 0x7f, g[2], g[3] }, /* RFC 1112 6.4 */
	};

	if (family == 6)
		return member6(tx, group, true);
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

void tx_packet(struct tx *tx, const void *data, size_t len, uint8_t family, const struct vx_addr *dst, bool *sent)
{
	struct queue *q = family == 6 ? &tx->packets6 : &tx->packets;
	unsigned int i = queue_add(tx, q, data, len, sent);
	struct msghdr *m = &q->msg[i].msg_hdr;

	m->msg_name = &q->to[i];
	if (family == 6) {
		q->to[i].in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_scope_id = tx->ifindex };
		memcpy(&q->to[i].in6.sin6_addr, dst, sizeof(q->to[i].in6.sin6_addr));
		m->msg_namelen = sizeof(q->to[i].in6);
	} else {
		q->to[i].in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = dst->w[0] };
		m->msg_namelen = sizeof(q->to[i].in);
	}
}

int tx_flush(struct tx *tx)
{
	struct queue *const all[] = { &tx->frames, &tx->packets, &tx->packets6 };
	int first = 0, err;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		err = all[i]->n ? queue_flush(all[i]) : 0;
		first = first ? first : err;
	}
	if (!first)
		first = tx->err;
	tx->err = 0;
	return first;
}
