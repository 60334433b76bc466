// SPDX-License-Identifier: GPL-2.0-or-later
#include "nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum {
	BUF_SIZE = 32768,
	OUT_SIZE = 65536,
	BATCH = 200, /* so many errors at once do not overflow the receive buffer */
	WATCH_RCVBUF = 4 << 20,
	LINK_BUCKETS = 1024,
	READ_MAX = 64, /* datagrams of news in one turn */
	SETTLE_NAP_NS = 20 * 1000,
	SETTLE_TRIES =
		200, /* some milliseconds in all; naps of 5 us were too short for the work queue to get anywhere */
	SENT = 1,    /* in nl_change.err: the kernel has not objected yet */
};

/* A name of the table that nl_ifindex() reads. */
struct link {
	struct link *next_name, *next_index;
	int ifindex;
	int vlan_of;   /* a VLAN device: ifindex of its parent; 0: none */
	uint32_t dump; /* the last one that told of it */
	char name[IFNAMSIZ];
};

/* An IPv6 address that nl_commit() has deleted and whose notification is still to be read. */
struct deleted {
	int ifindex;
	uint8_t b[16];
};

struct nl {
	struct mnl_socket *cmd, *ask, *watch; /* a callback of the last two may commit */
	bool asking;
	unsigned int cmd_port;
	uint32_t seq;
	struct nl_ops ops;
	struct link *by_name[LINK_BUCKETS], *by_index[LINK_BUCKETS];
	uint32_t dump;
	struct deleted *deleted;
	size_t deleted_from, deleted_to, deleted_cap;
	char buf[BUF_SIZE]; /* acknowledgements */
	char answer[BUF_SIZE];
	char news[BUF_SIZE];
	char out[OUT_SIZE];
};

/* Whether a whole message is at @nlh. libmnl takes a length of 2 GB or more for one below 0, which fits anywhere. */
static bool message_ok(const struct nlmsghdr *nlh, int left)
{
	return mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= (uint32_t)left;
}

/* ---- names of links ---- */

static struct link **name_bucket(struct nl *nl, const char *name)
{
	uint32_t h = 2166136261U; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619U;
	return &nl->by_name[(h ^ h >> 16) % LINK_BUCKETS];
}

static struct link *link_named(struct nl *nl, const char *name)
{
	struct link *l = *name_bucket(nl, name);

	while (l && strcmp(l->name, name))
		l = l->next_name;
	return l;
}

static struct link *link_at(struct nl *nl, int ifindex)
{
	struct link *l = nl->by_index[(unsigned int)ifindex % LINK_BUCKETS];

	while (l && l->ifindex != ifindex)
		l = l->next_index;
	return l;
}

static void link_forget(struct nl *nl, struct link *l)
{
	struct link **p;

	if (!l)
		return;
	for (p = name_bucket(nl, l->name); *p != l; p = &(*p)->next_name)
		;
	*p = l->next_name;
	for (p = &nl->by_index[(unsigned int)l->ifindex % LINK_BUCKETS]; *p != l; p = &(*p)->next_index)
		;
	*p = l->next_index;
	free(l);
}

/* Without memory the link stays unknown: what needs it fails by name, and its next notification repairs it. */
static void link_note(struct nl *nl, const struct nl_link *now)
{
	struct link *l = link_at(nl, now->ifindex), **p;

	if (!l || strcmp(l->name, now->name)) {
		link_forget(nl, l);
		link_forget(nl, link_named(nl, now->name)); /* its former owner's news were lost */
		l = calloc(1, sizeof(*l));
		if (!l)
			return;
		l->ifindex = now->ifindex;
		memcpy(l->name, now->name, sizeof(l->name));
		p = name_bucket(nl, now->name);
		l->next_name = *p;
		*p = l;
		p = &nl->by_index[(unsigned int)now->ifindex % LINK_BUCKETS];
		l->next_index = *p;
		*p = l;
	}
	l->vlan_of = now->vlan ? now->lower : 0;
	l->dump = nl->dump;
}

/* Forgets the links that the last dump did not tell of: their deletions were lost. */
static void links_sweep(struct nl *nl, bool all)
{
	struct link *l, *next;
	size_t i;

	for (i = 0; i < LINK_BUCKETS; i++) {
		for (l = nl->by_index[i]; l; l = next) {
			next = l->next_index;
			if (all || l->dump != nl->dump)
				link_forget(nl, l);
		}
	}
}

bool nl_has_vlans(const struct nl *nl, int ifindex)
{
	const struct link *l;
	size_t i;

	for (i = 0; i < LINK_BUCKETS; i++)
		for (l = nl->by_index[i]; l; l = l->next_index)
			if (l->vlan_of == ifindex)
				return true;
	return false;
}

int nl_ifindex(const struct nl *nl, const char *ifname)
{
	const struct link *l = link_named((struct nl *)nl, ifname);

	return l ? l->ifindex : 0;
}

/* ---- deletions of our own ---- */

/*
 * The kernel says who deleted an IPv4 address, but not who deleted an IPv6 one. It notifies while it carries a request out,
 * so our deletions are in the watch socket, in their order, when nl_commit() returns.
 */
static void deleted_push(struct nl *nl, int ifindex, const struct conf_addr *addr)
{
	size_t cap = nl->deleted_cap ? nl->deleted_cap * 2 : 64;
	struct deleted *d = nl->deleted;

	if (nl->deleted_to == nl->deleted_cap) {
		d = realloc(d, cap * sizeof(*d)); /* as large as the largest commit, once */
		if (!d)
			return;
		nl->deleted = d;
		nl->deleted_cap = cap;
	}
	d[nl->deleted_to].ifindex = ifindex;
	memcpy(d[nl->deleted_to++].b, addr->b, sizeof(d->b));
}

/* Those before the one found have been lost. */
static bool deleted_pop(struct nl *nl, const struct nl_addr *a)
{
	size_t i;

	for (i = nl->deleted_from; i < nl->deleted_to; i++) {
		if (nl->deleted[i].ifindex == a->ifindex && !memcmp(nl->deleted[i].b, a->addr.b, sizeof(a->addr.b))) {
			nl->deleted_from = i + 1;
			return true;
		}
	}
	return false;
}

/* ---- notifications ---- */

static int attr_table(const struct nlattr *attr, void *data)
{
	const struct nlattr **tb = data;

	if (mnl_attr_get_type(attr) <= IFLA_MAX)
		tb[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static uint16_t vlan_id(const struct nlattr *data)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, data) if (mnl_attr_get_type(a) == IFLA_VLAN_ID &&
					      mnl_attr_validate(a, MNL_TYPE_U16) >= 0) return mnl_attr_get_u16(a);
	return 0;
}

static void link_kind(const struct nlattr *info, struct nl_link *l)
{
	const struct nlattr *a, *data = NULL;

	mnl_attr_for_each_nested(a, info)
	{
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
			strncat(l->kind, mnl_attr_get_str(a), sizeof(l->kind) - 1);
		else if (mnl_attr_get_type(a) == IFLA_INFO_DATA)
			data = a;
	}
	if (data && !strcmp(l->kind, "vlan"))
		l->vlan = vlan_id(data);
}

static uint32_t link_xdp(const struct nlattr *xdp)
{
	const struct nlattr *a;

	/* IFLA_XDP_PROG_ID is missing where there is one in hardware, too */
	mnl_attr_for_each_nested(a, xdp) if ((mnl_attr_get_type(a) == IFLA_XDP_DRV_PROG_ID ||
					      mnl_attr_get_type(a) == IFLA_XDP_SKB_PROG_ID) &&
					     mnl_attr_validate(a, MNL_TYPE_U32) >= 0) return mnl_attr_get_u32(a);
	return 0;
}

static uint64_t link_rx_packets(const struct nlattr *stats)
{
	struct rtnl_link_stats64 s = { 0 };

	memcpy(&s, mnl_attr_get_payload(stats),
	       mnl_attr_get_payload_len(stats) < sizeof(s) ? mnl_attr_get_payload_len(stats) : sizeof(s));
	return s.rx_packets;
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
	if (tb[IFLA_MTU] && mnl_attr_validate(tb[IFLA_MTU], MNL_TYPE_U32) >= 0)
		l.mtu = mnl_attr_get_u32(tb[IFLA_MTU]);
	if (tb[IFLA_CARRIER_CHANGES] && mnl_attr_validate(tb[IFLA_CARRIER_CHANGES], MNL_TYPE_U32) >= 0)
		l.carrier_changes = mnl_attr_get_u32(tb[IFLA_CARRIER_CHANGES]);
	if (tb[IFLA_STATS64])
		l.rx_packets = link_rx_packets(tb[IFLA_STATS64]);
	if (tb[IFLA_XDP])
		l.xdp_id = link_xdp(tb[IFLA_XDP]);
	if (tb[IFLA_LINKINFO])
		link_kind(tb[IFLA_LINKINFO], &l);
	if (tb[IFLA_LINK] && !tb[IFLA_LINK_NETNSID] && mnl_attr_validate(tb[IFLA_LINK], MNL_TYPE_U32) >= 0)
		l.lower = mnl_attr_get_u32(tb[IFLA_LINK]);
	if (l.gone)
		link_forget(nl, link_at(nl, l.ifindex));
	else if (l.name[0])
		link_note(nl, &l);
	if (nl->ops.link)
		nl->ops.link(nl->ops.arg, &l);
}

/* IPv4 has its own address in IFA_LOCAL, IPv6 only with a peer. */
static bool get_local(const struct nlattr *const *tb, struct conf_addr *out)
{
	const struct nlattr *a = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : out->family == 6 ? tb[IFA_ADDRESS] : NULL;
	size_t len = out->family == 6 ? 16 : 4;

	if (!a || mnl_attr_get_payload_len(a) != len)
		return false;
	memcpy(out->b, mnl_attr_get_payload(a), len);
	return true;
}

static void on_addr(struct nl *nl, const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_MAX + 1] = { 0 };
	struct nl_addr a = { .ifindex = ifa->ifa_index, .plen = ifa->ifa_prefixlen };

	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return;
	a.addr.family = ifa->ifa_family == AF_INET ? 4 : 6;
	mnl_attr_parse(nlh, sizeof(*ifa), attr_table, tb);
	if (!get_local(tb, &a.addr))
		return;
	a.secondary = ifa->ifa_flags & IFA_F_SECONDARY; /* the same bit is IFA_F_TEMPORARY of IPv6 */
	a.tentative = a.addr.family == 6 && ifa->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) &&
		      !(ifa->ifa_flags & IFA_F_OPTIMISTIC);
	a.gone = nlh->nlmsg_type == RTM_DELADDR;
	a.own = nlh->nlmsg_pid == nl->cmd_port;
	if (a.gone && a.addr.family == 6)
		a.own = deleted_pop(nl, &a);
	if (nl->ops.addr)
		nl->ops.addr(nl->ops.arg, &a);
}

static void on_route_gone(struct nl *nl, const struct nlmsghdr *nlh)
{
	struct nl_route_key k;

	if (!nl->ops.route_gone || !nl_parse_route(nlh, &k) || k.protocol != NL_PROTO)
		return;
	k.own = nlh->nlmsg_pid == nl->cmd_port;
	nl->ops.route_gone(nl->ops.arg, &k);
}

static void on_rule_gone(struct nl *nl, const struct nlmsghdr *nlh)
{
	struct nl_rule_key k;

	if (!nl->ops.rule_gone || !nl_parse_rule(nlh, &k) || k.protocol != NL_PROTO)
		return;
	k.own = nlh->nlmsg_pid == nl->cmd_port;
	nl->ops.rule_gone(nl->ops.arg, &k);
}

static void on_tc_gone(struct nl *nl, const struct nlmsghdr *nlh)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);

	if (nl->ops.tc_gone && mnl_nlmsg_get_payload_len(nlh) >= sizeof(*tc))
		nl->ops.tc_gone(nl->ops.arg, tc->tcm_ifindex);
}

static void on_message(const struct nlmsghdr *nlh, void *arg)
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
	case RTM_DELROUTE:
		on_route_gone(arg, nlh);
		break;
	case RTM_DELRULE:
		on_rule_gone(arg, nlh);
		break;
	case RTM_DELQDISC:
	case RTM_DELTFILTER:
		on_tc_gone(arg, nlh);
		break;
	}
}

/*
 * Only what route_gone(), rule_gone() and tc_gone() are about reaches the watch socket: on a router with BGP others change thousands
 * of routes per second. The protocol of a rule is in an attribute, out of reach here.
 */
static int filter_others(struct mnl_socket *s)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 7, 0), /* a BPF load turns the bytes around */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWRULE), 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWQDISC), 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWTFILTER), 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, MNL_NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_protocol)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NL_PROTO, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ? -errno : 0;
}

static int set_group(struct nl *nl, int group, bool on)
{
	int opt = on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP;

	return mnl_socket_setsockopt(nl->watch, opt, &group, sizeof(group)) ? -errno : 0;
}

int nl_watch_routes(struct nl *nl, bool routes, bool rules)
{
	int err = set_group(nl, RTNLGRP_IPV4_ROUTE, routes);

	err = err ? err : set_group(nl, RTNLGRP_IPV6_ROUTE, routes);
	err = err ? err : set_group(nl, RTNLGRP_IPV4_RULE, rules);
	return err ? err : set_group(nl, RTNLGRP_IPV6_RULE, rules);
}

int nl_watch_tc(struct nl *nl, bool on)
{
	return set_group(nl, RTNLGRP_TC, on);
}

/* ---- sockets ---- */

static struct mnl_socket *open_socket(unsigned int groups, int flags)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);

	if (s && mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID)) {
		mnl_socket_close(s);
		return NULL;
	}
	return s;
}

static int open_sockets(struct nl *nl)
{
	int size = WATCH_RCVBUF, on = 1, err;

	nl->cmd = open_socket(0, 0);
	if (!nl->cmd)
		return -errno;
	nl->ask = open_socket(0, 0);
	if (!nl->ask)
		return -errno;
	nl->watch = open_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, SOCK_NONBLOCK);
	if (!nl->watch)
		return -errno;
	err = filter_others(nl->watch);
	if (err)
		return err;
	nl->cmd_port = mnl_socket_get_portid(nl->cmd);
	/* A burst of changes by others should not cost us the news; without the capability the default must do. */
	setsockopt(mnl_socket_get_fd(nl->watch), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	/* Errors without the request that they are about; dumps that the kernel filters. Before Linux 4.20 they are longer. */
	mnl_socket_setsockopt(nl->cmd, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->ask, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->ask, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return 0;
}

int nl_new(struct nl **out, const struct nl_ops *ops)
{
	struct nl *nl = calloc(1, sizeof(*nl));
	int err;

	*out = nl;
	if (!nl)
		return -ENOMEM;
	nl->ops = *ops;
	err = open_sockets(nl);
	if (err) {
		nl_free(nl);
		*out = NULL;
	}
	return err;
}

void nl_free(struct nl *nl)
{
	if (!nl)
		return;
	if (nl->cmd)
		mnl_socket_close(nl->cmd);
	if (nl->ask)
		mnl_socket_close(nl->ask);
	if (nl->watch)
		mnl_socket_close(nl->watch);
	links_sweep(nl, true);
	free(nl->deleted);
	free(nl);
}

int nl_fd(const struct nl *nl)
{
	return mnl_socket_get_fd(nl->watch);
}

static void read_messages(struct nl *nl, size_t len)
{
	const struct nlmsghdr *nlh = (const void *)nl->news;
	int left = len;

	for (; message_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		on_message(nlh, nl);
}

/* Not without end: somebody who changes addresses all the time must not keep adverts from being sent. */
bool nl_read(struct nl *nl)
{
	ssize_t n;
	int i;

	for (i = 0; i < READ_MAX; i++) {
		n = mnl_socket_recvfrom(nl->watch, nl->news, sizeof(nl->news));
		if (n > 0) {
			read_messages(nl, n);
			continue;
		}
		if (n < 0 && (errno == ENOBUFS || errno == ENOSPC)) { /* too many, or one too long for the buffer */
			if (nl->ops.lost)
				nl->ops.lost(nl->ops.arg);
			continue;
		}
		nl->deleted_from = nl->deleted_to = 0; /* what has not been told by now never will be */
		return true;
	}
	return false;
}

/* ---- questions ---- */

typedef void (*nl_each)(const struct nlmsghdr *nlh, void *arg);

/* The requests are built in place: an answer overwrites its question. */
static void *question(struct nl *nl, int type, int flags, size_t size)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->answer);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++nl->seq;
	return mnl_nlmsg_put_extra_header(nlh, size);
}

/*
 * One datagram of an answer: 1, and 0 or -errno with its end. mnl_cb_run() would stop in the middle of an interrupted dump, which
 * is complete but for changes that the watch socket tells us anyway.
 */
static int read_answer(struct nl *nl, size_t len, uint32_t seq, nl_each each, void *arg)
{
	const struct nlmsghdr *nlh = (const void *)nl->answer;
	int left = len;

	for (; message_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_seq != seq)
			continue;
		/* Both begin with the error. */
		if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR)
			return mnl_nlmsg_get_payload_len(nlh) < sizeof(int) ? 0 : *(int *)mnl_nlmsg_get_payload(nlh);
		each(nlh, arg);
	}
	return 1;
}

static int ask(struct nl *nl, nl_each each, void *arg)
{
	const struct nlmsghdr *nlh = (const void *)nl->answer;
	uint32_t seq = nlh->nlmsg_seq;
	ssize_t n;
	int rc = 1;

	if (mnl_socket_sendto(nl->ask, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	nl->asking = true;
	while (rc > 0) {
		n = mnl_socket_recvfrom(nl->ask, nl->answer, sizeof(nl->answer));
		rc = n < 0 ? -errno : read_answer(nl, n, seq, each, arg);
	}
	nl->asking = false;
	return rc;
}

int nl_dump(struct nl *nl)
{
	int err;

	if (nl->asking)
		return -EBUSY;
	nl->dump++;
	question(nl, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	err = ask(nl, on_message, nl);
	if (err)
		return err;
	links_sweep(nl, false);
	question(nl, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg)); /* AF_UNSPEC: of both families */
	return ask(nl, on_message, nl);
}

int nl_link_read(struct nl *nl, int ifindex)
{
	struct ifinfomsg *ifi;

	if (nl->asking) /* from a callback: the dump under way tells */
		return -EBUSY;
	ifi = question(nl, RTM_GETLINK, NLM_F_ACK, sizeof(*ifi));
	ifi->ifi_index = ifindex;
	return ask(nl, on_message, nl);
}

struct search {
	const struct nl *nl;
	const struct conf_route *route;
	bool found;
};

static void match_route(const struct nlmsghdr *nlh, void *arg)
{
	struct search *s = arg;
	struct nl_route_key k;

	if (nlh->nlmsg_type == RTM_NEWROUTE && nl_parse_route(nlh, &k) && nl_is_route(s->nl, &k, s->route))
		s->found = true;
}

/* The kernel looks through the route's table, and tells of its protocol only. */
static bool route_is_there(struct nl *nl, const struct conf_route *r)
{
	struct search s = { .nl = nl, .route = r };
	struct rtmsg *rtm;

	if (nl->asking)
		return false;
	rtm = question(nl, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rtm));
	rtm->rtm_family = r->family == 6 ? AF_INET6 : AF_INET;
	rtm->rtm_protocol = r->protocol;
	mnl_attr_put_u32((struct nlmsghdr *)nl->answer, RTA_TABLE, r->table ? r->table : RT_TABLE_MAIN);
	return !ask(nl, match_route, &s) && s.found;
}

/* ---- changes ---- */

/* What is already there, or already gone, is as it should be. */
static int settled(struct nl *nl, const struct nl_change *c, int err)
{
	if (!c->del && err == -EEXIST)
		/* A route in the place of ours need not be ours. */
		return c->route && !route_is_there(nl, c->route) ? err : 0;
	if (!c->del)
		return err;
	if (err == -ENODEV) /* its interface took it along */
		return 0;
	if (c->addr && !c->local) /* ENXIO: IPv6 is off there */
		return err == -EADDRNOTAVAIL || err == -ENXIO ? 0 : err;
	return err == (c->route || c->local ? -ESRCH : -ENOENT) ? 0 : err;
}

static void settle(struct nl *nl, struct nl_change *c, int rc)
{
	if (c->err == SENT) {
		c->err = rc ? -EIO : 0;
		if (!rc && c->del && c->addr && !c->local && c->addr->addr.family == 6)
			deleted_push(nl, nl_ifindex(nl, c->addr->dev), &c->addr->addr);
	}
	c->err = settled(nl, c, c->err);
}

/* Reads errors until the acknowledgement of @last, the only one that was asked for. */
static int read_acks(struct nl *nl, struct nl_change *changes, size_t n, uint32_t first, uint32_t last)
{
	ssize_t len;
	int left;

	for (;;) {
		const struct nlmsghdr *nlh = (const void *)nl->buf;

		len = mnl_socket_recvfrom(nl->cmd, nl->buf, sizeof(nl->buf));
		if (len < 0)
			return -errno;
		for (left = len; message_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
			uint32_t i = nlh->nlmsg_seq - first;

			if (nlh->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*e) || i >= n)
				continue;
			if (e->error)
				changes[i].err = e->error;
			if (nlh->nlmsg_seq == last)
				return 0;
		}
	}
}

static int by_name(const void *arg, const char *ifname)
{
	return nl_ifindex(arg, ifname);
}

struct batch {
	size_t n, len;
	uint32_t first;
	struct nlmsghdr *last; /* NULL: none could be built */
};

/* As many changes as fit; what cannot be built has its error and is passed over. */
static struct batch fill_batch(struct nl *nl, struct nl_change *changes, size_t n)
{
	struct batch b = { .first = nl->seq + 1 };
	int one;

	for (; b.n < n && b.n < BATCH; b.n++) {
		one = nl_build_change(nl->out + b.len, sizeof(nl->out) - b.len, &changes[b.n], by_name, nl,
				      nl->seq + 1);
		if (one == -EMSGSIZE && b.len) /* the next batch has the room */
			break;
		nl->seq++;
		changes[b.n].err = one < 0 ? one : SENT;
		if (one < 0)
			continue;
		b.last = (struct nlmsghdr *)(nl->out + b.len);
		b.len += one;
	}
	return b;
}

static int commit_batch(struct nl *nl, struct nl_change *changes, size_t n, size_t *done)
{
	struct batch b = fill_batch(nl, changes, n);
	int err = 0;
	size_t i;

	*done = b.n;
	if (b.last) {
		b.last->nlmsg_flags |=
			NLM_F_ACK; /* errors come unasked; the rest has succeeded when the last one has an answer */
		if (mnl_socket_sendto(nl->cmd, nl->out, b.len) < 0)
			err = -errno;
		else
			err = read_acks(nl, changes, b.n, b.first, b.last->nlmsg_seq);
	}
	for (i = 0; i < b.n; i++)
		settle(nl, &changes[i], err);
	return err;
}

int nl_commit(struct nl *nl, struct nl_change *changes, size_t n)
{
	size_t i, part;
	int err = 0;

	for (i = 0; i < n; i++)
		changes[i].err = -EIO; /* until the kernel says otherwise */
	for (i = 0; i < n && !err; i += part)
		err = commit_batch(nl, changes + i, n - i, &part);
	return err;
}

static void note_local(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type == RTM_NEWROUTE)
		*(bool *)arg |= rtm->rtm_type == RTN_LOCAL && rtm->rtm_protocol != NL_PROTO;
}

/* Whether a packet for @vip that came in on its interface would be taken, and not only because of a local route of ours. */
static bool is_local(struct nl *nl, const struct conf_vip *vip)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)nl->answer;
	struct rtmsg *rtm = question(nl, RTM_GETROUTE, NLM_F_ACK, sizeof(*rtm));
	bool local = false;

	rtm->rtm_family = AF_INET6;
	rtm->rtm_dst_len = 128;
	mnl_attr_put(nlh, RTA_DST, 16, vip->addr.b);
	mnl_attr_put_u32(nlh, RTA_IIF, nl_ifindex(nl, vip->dev));
	ask(nl, note_local, &local);
	return local;
}

/* Asleep, because the work queue may need this CPU, whatever priority we have; without slack, which is 50 us, as the takeover waits. */
static void nap(void)
{
	const struct timespec pause = { .tv_nsec = SETTLE_NAP_NS };

	prctl(PR_SET_TIMERSLACK, 1);
	nanosleep(&pause, NULL);
	prctl(PR_SET_TIMERSLACK, 0); /* the default again */
}

static void wait_for(struct nl *nl, const struct nl_change *changes, size_t n, bool routes)
{
	unsigned int tries = SETTLE_TRIES;
	size_t i;

	for (i = 0; i < n && !nl->asking; i++) {
		const struct nl_change *c = &changes[i];

		if (!c->addr || c->addr->addr.family != 6 || c->local != routes || c->del != routes || c->no_wait ||
		    c->err)
			continue;
		for (; tries && !is_local(nl, c->addr); tries--)
			nap();
	}
}

void nl_settle(struct nl *nl, const struct nl_change *changes, size_t n)
{
	wait_for(nl, changes, n, false);
}

void nl_await(struct nl *nl, const struct nl_change *changes, size_t n)
{
	wait_for(nl, changes, n, true);
}
