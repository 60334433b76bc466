// SPDX-License-Identifier: GPL-2.0-or-later
#include "nl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BUF_SIZE = 32768, BATCH = 200, MSG_MAX = 64, WATCH_RCVBUF = 4 << 20 };

struct nl {
	struct mnl_socket *cmd, *watch;
	unsigned int cmd_port;
	uint32_t seq;
	struct nl_ops ops;
	char buf[BUF_SIZE];
};

static int attr_table(const struct nlattr *attr, void *data)
{
	const struct nlattr **tb = data;

	if (mnl_attr_get_type(attr) <= IFLA_MAX)
		tb[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static void link_kind(const struct nlattr *info, char *out, size_t cap)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, info) if (mnl_attr_get_type(a) == IFLA_INFO_KIND &&
					      mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
		strncat(out, mnl_attr_get_str(a), cap - 1);
}

static uint32_t link_xdp(const struct nlattr *xdp)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, xdp) if (mnl_attr_get_type(a) == IFLA_XDP_PROG_ID &&
					     mnl_attr_validate(a, MNL_TYPE_U32) >= 0) return mnl_attr_get_u32(a);
	return 0;
}

static void on_link(struct nl *nl, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_MAX + 1] = { 0 };
	struct nl_link l = { .ifindex = ifi->ifi_index };

	if (ifi->ifi_family != AF_UNSPEC) /* a bridge's own notifications about its ports */
		return;
	mnl_attr_parse(nlh, sizeof(*ifi), attr_table, tb);
	l.gone = nlh->nlmsg_type == RTM_DELLINK;
	l.up = ifi->ifi_flags & IFF_UP && ifi->ifi_flags & IFF_RUNNING;
	if (tb[IFLA_CARRIER] && mnl_attr_validate(tb[IFLA_CARRIER], MNL_TYPE_U8) >= 0) /* fresher than IFF_RUNNING */
		l.up = ifi->ifi_flags & IFF_UP && mnl_attr_get_u8(tb[IFLA_CARRIER]);
	l.ethernet = ifi->ifi_type == ARPHRD_ETHER;
	if (tb[IFLA_IFNAME] && mnl_attr_validate(tb[IFLA_IFNAME], MNL_TYPE_NUL_STRING) >= 0)
		strncat(l.name, mnl_attr_get_str(tb[IFLA_IFNAME]), sizeof(l.name) - 1);
	if (tb[IFLA_ADDRESS] && mnl_attr_get_payload_len(tb[IFLA_ADDRESS]) == sizeof(l.mac))
		memcpy(l.mac, mnl_attr_get_payload(tb[IFLA_ADDRESS]), sizeof(l.mac));
	if (tb[IFLA_CARRIER_CHANGES] && mnl_attr_validate(tb[IFLA_CARRIER_CHANGES], MNL_TYPE_U32) >= 0)
		l.carrier_changes = mnl_attr_get_u32(tb[IFLA_CARRIER_CHANGES]);
	if (tb[IFLA_XDP])
		l.xdp_id = link_xdp(tb[IFLA_XDP]);
	if (tb[IFLA_LINKINFO])
		link_kind(tb[IFLA_LINKINFO], l.kind, sizeof(l.kind));
	nl->ops.link(nl->ops.arg, &l);
}

static void on_addr(struct nl *nl, const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_MAX + 1] = { 0 };
	struct nl_addr a = { .ifindex = ifa->ifa_index, .plen = ifa->ifa_prefixlen };

	if (ifa->ifa_family != AF_INET)
		return;
	mnl_attr_parse(nlh, sizeof(*ifa), attr_table, tb);
	if (!tb[IFA_LOCAL] || mnl_attr_get_payload_len(tb[IFA_LOCAL]) != sizeof(a.addr))
		return;
	memcpy(&a.addr, mnl_attr_get_payload(tb[IFA_LOCAL]), sizeof(a.addr));
	a.secondary = ifa->ifa_flags & IFA_F_SECONDARY;
	a.gone = nlh->nlmsg_type == RTM_DELADDR;
	a.own = nlh->nlmsg_pid == nl->cmd_port;
	nl->ops.addr(nl->ops.arg, &a);
}

static int on_message(const struct nlmsghdr *nlh, void *arg)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct ifinfomsg))
			on_link(arg, nlh);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct ifaddrmsg))
			on_addr(arg, nlh);
		break;
	}
	return MNL_CB_OK;
}

static struct mnl_socket *open_socket(unsigned int groups, int flags)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);

	if (s && mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID)) {
		mnl_socket_close(s);
		return NULL;
	}
	return s;
}

int nl_new(struct nl **out, const struct nl_ops *ops)
{
	struct nl *nl = calloc(1, sizeof(*nl));
	int size = WATCH_RCVBUF;

	*out = nl;
	if (!nl)
		return -ENOMEM;
	nl->ops = *ops;
	nl->cmd = open_socket(0, 0);
	nl->watch = open_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR, SOCK_NONBLOCK);
	if (!nl->cmd || !nl->watch) {
		int err = -errno;

		nl_free(nl);
		*out = NULL;
		return err;
	}
	nl->cmd_port = mnl_socket_get_portid(nl->cmd);
	/* A burst of changes by others should not cost us the news; without the capability the default must do. */
	setsockopt(mnl_socket_get_fd(nl->watch), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return 0;
}

void nl_free(struct nl *nl)
{
	if (!nl)
		return;
	if (nl->cmd)
		mnl_socket_close(nl->cmd);
	if (nl->watch)
		mnl_socket_close(nl->watch);
	free(nl);
}

int nl_fd(const struct nl *nl)
{
	return mnl_socket_get_fd(nl->watch);
}

void nl_read(struct nl *nl)
{
	ssize_t n;

	for (;;) {
		n = mnl_socket_recvfrom(nl->watch, nl->buf, sizeof(nl->buf));
		if (n > 0) {
			mnl_cb_run(nl->buf, n, 0, 0, on_message, nl);
			continue;
		}
		if (n < 0 && errno == ENOBUFS) {
			nl->ops.lost(nl->ops.arg);
			continue;
		}
		return;
	}
}

static int ask(struct nl *nl, int type, int family, int ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->buf);
	struct ifinfomsg *ifi; /* the longer of the two headers: for a dump of addresses its zeros mean all */
	ssize_t n;
	int rc = 1;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | (ifindex ? NLM_F_ACK : NLM_F_DUMP);
	nlh->nlmsg_seq = ++nl->seq;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = family;
	ifi->ifi_index = ifindex;
	if (mnl_socket_sendto(nl->cmd, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (rc > 0) {
		n = mnl_socket_recvfrom(nl->cmd, nl->buf, sizeof(nl->buf));
		if (n < 0)
			return -errno;
		rc = mnl_cb_run(nl->buf, n, nl->seq, nl->cmd_port, on_message, nl);
	}
	/* An interrupted dump is complete but for changes that the watch socket tells us anyway. */
	return rc < 0 && errno != EINTR ? -errno : 0;
}

int nl_dump(struct nl *nl)
{
	int err = ask(nl, RTM_GETLINK, AF_UNSPEC, 0);

	return err ? err : ask(nl, RTM_GETADDR, AF_INET, 0);
}

int nl_link_read(struct nl *nl, int ifindex)
{
	return ask(nl, RTM_GETLINK, AF_UNSPEC, ifindex);
}

int nl_build_change(void *buf, size_t cap, const struct nl_change *c, uint32_t seq)
{
	struct nlmsghdr *nlh;
	struct ifaddrmsg *ifa;

	if (cap < MSG_MAX)
		return -EMSGSIZE;
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = c->del ? RTM_DELADDR : RTM_NEWADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (c->del ? 0 : NLM_F_CREATE | NLM_F_REPLACE);
	nlh->nlmsg_seq = seq;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = c->plen;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	ifa->ifa_index = c->ifindex;
	if (!mnl_attr_put_check(nlh, cap, IFA_LOCAL, sizeof(c->addr), &c->addr) ||
	    !mnl_attr_put_check(nlh, cap, IFA_ADDRESS, sizeof(c->addr), &c->addr))
		return -EMSGSIZE;
	return nlh->nlmsg_len;
}

static int settled(const struct nl_change *c, int err)
{
	if ((!c->del && err == -EEXIST) || (c->del && (err == -EADDRNOTAVAIL || err == -ENODEV)))
		return 0;
	return err;
}

/* Reads acknowledgements until all of @first..@first+n-1 are there. */
static int read_acks(struct nl *nl, struct nl_change *changes, size_t n, uint32_t first)
{
	size_t open = n;
	ssize_t len;
	int left;

	while (open) {
		const struct nlmsghdr *nlh = (const void *)nl->buf;

		len = mnl_socket_recvfrom(nl->cmd, nl->buf, sizeof(nl->buf));
		if (len < 0)
			return -errno;
		for (left = len; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
			uint32_t i = nlh->nlmsg_seq - first;

			if (nlh->nlmsg_type != NLMSG_ERROR || i >= n)
				continue;
			changes[i].err = settled(&changes[i], e->error);
			open--;
		}
	}
	return 0;
}

static int commit_batch(struct nl *nl, struct nl_change *changes, size_t n)
{
	uint32_t first = nl->seq + 1;
	char out[BATCH * MSG_MAX];
	size_t i, len = 0;
	int one;

	for (i = 0; i < n; i++) {
		one = nl_build_change(out + len, sizeof(out) - len, &changes[i], ++nl->seq);
		if (one < 0)
			return one;
		len += one;
	}
	if (mnl_socket_sendto(nl->cmd, out, len) < 0)
		return -errno;
	return read_acks(nl, changes, n, first);
}

int nl_commit(struct nl *nl, struct nl_change *changes, size_t n)
{
	size_t i, part;
	int err = 0;

	for (i = 0; i < n; i++)
		changes[i].err = -EIO; /* until the kernel says otherwise */
	for (i = 0; i < n && !err; i += part) {
		part = n - i < BATCH ? n - i : BATCH;
		err = commit_batch(nl, changes + i, part);
	}
	return err;
}
