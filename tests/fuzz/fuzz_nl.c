// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Netlink messages -> callbacks. The functions of libmnl that talk to the kernel are defined here, so that what user/nl.c reads is the input: news,
 * dumps, and the answers to changes. An input is a row of steps: what is done, the length of a datagram in two bytes, the datagram that the
 * kernel sends meanwhile; after it the kernel says what ends the step. No socket is bound and nothing is asked.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nl.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define require(holds)                                                                                                 \
	do {                                                                                                           \
		if (!(holds)) {                                                                                        \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #holds);                      \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

enum { STEP_NEWS, STEP_DUMP, STEP_LINK, STEP_COMMIT, STEP_LOST, STEP_KINDS };
enum { STEP_HEAD = 3, MAX_STEPS = 16, OUR_PORT = 4242, VLANS = 8 };

/* The sockets in the order in which they are opened; only their addresses are used. */
struct mnl_socket {
	enum { CMD, ASK, WATCH } what;
};

static struct mnl_socket sockets[3] = { { CMD }, { ASK }, { WATCH } };

static struct {
	int opened, fd;
	const uint8_t *datagram; /* NULL: it was read */
	size_t len;
	bool lost;
	uint32_t seq, first; /* of the last and the first request that was sent */
	void *guarded;       /* what of a buffer lies behind a datagram */
	size_t guarded_len;
	const struct nl *nl;
} k;

/* ---- libmnl's side of the kernel ---- */

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	(void)bus;
	(void)flags;
	return &sockets[k.opened++ % 3];
}

int mnl_socket_bind(struct mnl_socket *s, unsigned int groups, pid_t pid)
{
	(void)s;
	(void)groups;
	(void)pid;
	return 0;
}

int mnl_socket_close(struct mnl_socket *s)
{
	(void)s;
	return 0;
}

int mnl_socket_setsockopt(const struct mnl_socket *s, int type, void *buf, socklen_t len)
{
	(void)s;
	(void)type;
	(void)buf;
	(void)len;
	return 0;
}

int mnl_socket_get_fd(const struct mnl_socket *s)
{
	(void)s;
	return k.fd;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *s)
{
	(void)s;
	return OUR_PORT;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *s, const void *req, size_t len)
{
	const struct nlmsghdr *nlh = req;
	int left = (int)len;

	(void)s;
	require(mnl_nlmsg_ok(nlh, left));
	for (k.first = nlh->nlmsg_seq; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		require(nlh->nlmsg_flags & NLM_F_REQUEST);
		k.seq = nlh->nlmsg_seq;
	}
	require(left == 0);
	return (ssize_t)len;
}

/* libmnl takes a length of 2 GB for one below 0. */
static bool message_ok(const struct nlmsghdr *nlh, int left)
{
	return mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= (uint32_t)left;
}

/* The answers are to the requests: small sequence numbers count from the first of them. */
static void answer_seqs(void *buf, size_t len)
{
	struct nlmsghdr *nlh = buf;
	int left = (int)len;

	for (; message_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		if (nlh->nlmsg_seq < 256)
			nlh->nlmsg_seq += k.first;
}

static void unguard(void)
{
	ASAN_UNPOISON_MEMORY_REGION(k.guarded, k.guarded_len);
	k.guarded_len = 0;
}

static ssize_t receive_input(const struct mnl_socket *s, uint8_t *buf, size_t cap)
{
	size_t len = k.len < cap ? k.len : cap;

	memcpy(buf, k.datagram, len);
	k.datagram = NULL;
	if (s->what != WATCH)
		answer_seqs(buf, len);
	if (s->what != ASK) { /* requests are built in the place of their answers */
		k.guarded = buf + len;
		k.guarded_len = cap - len;
		ASAN_POISON_MEMORY_REGION(k.guarded, k.guarded_len);
	}
	return (ssize_t)len;
}

/* What ends a step: nothing more to read, or a success. */
ssize_t mnl_socket_recvfrom(const struct mnl_socket *s, void *buf, size_t cap)
{
	struct nlmsghdr *nlh = buf;

	unguard();
	if (k.datagram)
		return receive_input(s, buf, cap);
	if (s->what == WATCH) {
		errno = k.lost ? ENOBUFS : EAGAIN;
		k.lost = false;
		return -1;
	}
	memset(buf, 0, NLMSG_SPACE(sizeof(struct nlmsgerr)));
	nlh->nlmsg_len = NLMSG_LENGTH(sizeof(struct nlmsgerr));
	nlh->nlmsg_type = s->what == CMD ? NLMSG_ERROR : NLMSG_DONE;
	nlh->nlmsg_seq = k.seq;
	return nlh->nlmsg_len;
}

/* ---- what is told ---- */

static void on_link(void *arg, const struct nl_link *l)
{
	(void)arg;
	require(memchr(l->name, '\0', sizeof(l->name)) && memchr(l->kind, '\0', sizeof(l->kind)));
	require(!l->vlan || !strcmp(l->kind, "vlan"));
	if (l->gone)
		require(!l->name[0] || nl_ifindex(k.nl, l->name) != l->ifindex || l->ifindex == 0);
	else if (l->name[0])
		require(nl_ifindex(k.nl, l->name) == l->ifindex);
	if (!l->gone && l->name[0] && l->vlan && l->lower)
		require(nl_has_vlans(k.nl, l->lower));
}

static void on_addr(void *arg, const struct nl_addr *a)
{
	(void)arg;
	require(a->addr.family == 4 || a->addr.family == 6);
	require(!a->tentative || a->addr.family == 6);
}

static const struct conf_nexthop hops[2] = { { .via = { 4, { 192, 0, 2, 254 } }, .dev = "eth0" }, { .dev = "eth1" } };
static const struct conf_route route = { .family = 4,
					 .type = RTN_UNICAST,
					 .protocol = NL_PROTO,
					 .table = RT_TABLE_MAIN,
					 .dst = { 4, { 198, 51, 100 } },
					 .dst_plen = 20,
					 .hops = (struct conf_nexthop *)hops,
					 .nhops = 2,
					 .ttl_propagate = -1 };
static const struct conf_rule rule = { .family = 6,
				       .action = 1,
				       .table = 100,
				       .pref = 16000,
				       .protocol = NL_PROTO,
				       .suppress_plen = -1,
				       .suppress_group = -1 };
static const struct conf_vip vips[2] = {
	{ .addr = { 4, { 192, 0, 2, 100 } }, .plen = 24, .dev = "eth0" },
	{ .addr = { 6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } }, .plen = 64, .dev = "eth1" }
};

static void on_route_gone(void *arg, const struct nl_route_key *r)
{
	(void)arg;
	require(r->protocol == NL_PROTO && (r->family == 4 || r->family == 6));
	require(!nl_is_route(k.nl, r, &route) || (r->family == 4 && r->dst_plen == 20));
}

static void on_rule_gone(void *arg, const struct nl_rule_key *r)
{
	(void)arg;
	require(r->protocol == NL_PROTO && (r->family == 4 || r->family == 6));
	require(!nl_is_rule(r, &rule) || (r->family == 6 && r->table == 100));
}

static void on_tc_gone(void *arg, int ifindex)
{
	(void)arg;
	(void)ifindex;
}

static void on_lost(void *arg)
{
	(void)arg;
}

/* ---- steps ---- */

/* The input says what became of them: each has 0 or an error, none the mark of one that is under way. */
static void commit(struct nl *nl, bool del)
{
	struct nl_change changes[] = { { .addr = &vips[0], .del = del },
				       { .addr = &vips[1], .del = del },
				       { .route = &route, .del = del },
				       { .rule = &rule, .del = del } };
	int err = nl_commit(nl, changes, sizeof(changes) / sizeof(changes[0]));
	size_t i;

	require(err <= 0);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		require(changes[i].err != 1);
}

static void step(struct nl *nl, uint8_t kind)
{
	switch (kind % STEP_KINDS) {
	case STEP_LOST:
		k.lost = true;
		/* fallthrough */
	case STEP_NEWS:
		nl_read(nl);
		break;
	case STEP_DUMP:
		nl_dump(nl);
		break;
	case STEP_LINK:
		nl_link_read(nl, 2);
		break;
	case STEP_COMMIT:
		commit(nl, kind & 128);
		break;
	}
	unguard();
	k.datagram = NULL;
}

/* A socket for the options that are set without libmnl. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	k.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	require(k.fd >= 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct nl_ops ops = { .link = on_link,
				    .addr = on_addr,
				    .route_gone = on_route_gone,
				    .rule_gone = on_rule_gone,
				    .tc_gone = on_tc_gone,
				    .lost = on_lost };
	struct nl *nl;
	int n;

	require(!nl_new(&nl, &ops));
	k.nl = nl;
	for (n = 0; n < MAX_STEPS && size >= STEP_HEAD; n++) {
		size_t len = (size_t)(data[1] << 8 | data[2]), have = size - STEP_HEAD;

		k.datagram = data + STEP_HEAD;
		k.len = len < have ? len : have;
		step(nl, data[0]);
		len = len < have ? len : have;
		data += STEP_HEAD + len;
		size -= STEP_HEAD + len;
	}
	nl_free(nl);
	return 0;
}
