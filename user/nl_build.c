// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests for addresses, routes and rules, and what the kernel's messages about routes and rules identify. */
#include "nl.h"

#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

enum { IP6_METRIC = 1024 }; /* IP6_RT_PRIO_USER: the kernel's metric of an IPv6 route without one */

/* A request that grows; after the first error nothing more is put, so that only the end has to look. */
struct req {
	struct nlmsghdr *nlh;
	size_t cap;
	int (*ifindex)(const void *arg, const char *ifname);
	const void *arg;
	int err;
};

/* ---- steps ---- */

static int to_af(uint8_t family)
{
	return family == 6 ? AF_INET6 : AF_INET;
}

static size_t family_len(uint8_t family)
{
	return family == 6 ? 16 : 4;
}

static void put(struct req *r, uint16_t type, const void *data, size_t len)
{
	if (!r->err && !mnl_attr_put_check(r->nlh, r->cap, type, len, data))
		r->err = -EMSGSIZE;
}

static void put_u8(struct req *r, uint16_t type, uint8_t v)
{
	put(r, type, &v, sizeof(v));
}

static void put_u32(struct req *r, uint16_t type, uint32_t v)
{
	put(r, type, &v, sizeof(v));
}

static void put_str(struct req *r, uint16_t type, const char *s)
{
	put(r, type, s, strlen(s) + 1);
}

static void put_addr(struct req *r, uint16_t type, const struct conf_addr *a)
{
	if (a->family)
		put(r, type, a->b, family_len(a->family));
}

static struct nlattr *nest_start(struct req *r, uint16_t type)
{
	struct nlattr *nest = r->err ? NULL : mnl_attr_nest_start_check(r->nlh, r->cap, type);

	if (!nest)
		r->err = r->err ? r->err : -EMSGSIZE;
	return nest;
}

static void nest_end(struct req *r, struct nlattr *nest)
{
	if (nest)
		mnl_attr_nest_end(r->nlh, nest);
}

/* @len more bytes, all zero, at the end of the request; NULL: no room. */
static void *reserve(struct req *r, size_t len)
{
	if (!r->err && r->nlh->nlmsg_len + MNL_ALIGN(len) > r->cap)
		r->err = -EMSGSIZE;
	return r->err ? NULL : mnl_nlmsg_put_extra_header(r->nlh, len);
}

static int dev_index(struct req *r, const char *dev)
{
	int i = dev[0] ? r->ifindex(r->arg, dev) : 0;

	if (dev[0] && i <= 0 && !r->err)
		r->err = -ENODEV;
	return i;
}

/* ---- addresses ---- */

/* As `ip addr add` chooses. The kernel ignores the scope of IPv6 addresses. */
static uint8_t vip_scope(const struct conf_vip *v)
{
	if (v->flags & CONF_VIP_SCOPE)
		return v->scope;
	return v->addr.family == 4 && v->addr.b[0] == 127 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
}

/* For IPv4 the kernel would store bits that mean nothing there, so they are left out. */
static uint32_t vip_flags(const struct conf_vip *v)
{
	bool v6 = v->addr.family == 6;
	uint32_t f = 0;

	if (v6 && !(v->flags & CONF_VIP_DAD))
		f |= IFA_F_NODAD;
	if (v6 && v->flags & CONF_VIP_HOME)
		f |= IFA_F_HOMEADDRESS;
	if (v6 && v->flags & CONF_VIP_MNGTMPADDR)
		f |= IFA_F_MANAGETEMPADDR;
	if (v->flags & CONF_VIP_NOPREFIXROUTE)
		f |= IFA_F_NOPREFIXROUTE;
	if (v->flags & CONF_VIP_AUTOJOIN)
		f |= IFA_F_MCAUTOJOIN;
	return f;
}

/* An IPv6 /128 is deprecated unless the configuration says otherwise, so that nothing chooses it as a source (spec 3.1). */
static void put_lifetime(struct req *r, const struct conf_vip *v)
{
	struct ifa_cacheinfo ci = { .ifa_valid = UINT32_MAX };

	if (v->flags & CONF_VIP_PREFERRED_LFT)
		ci.ifa_prefered = v->preferred_lft;
	else if (v->addr.family != 6 || v->plen != 128)
		return;
	put(r, IFA_CACHEINFO, &ci, sizeof(ci));
}

/* A deletion says no more than what identifies: an address found with another label or lifetime has to go as well. */
static void build_vip(struct req *r, const struct conf_vip *v, bool del)
{
	struct ifaddrmsg *ifa = reserve(r, sizeof(*ifa));
	uint32_t flags = vip_flags(v);

	if (!ifa)
		return;
	ifa->ifa_family = to_af(v->addr.family);
	ifa->ifa_prefixlen = v->plen;
	ifa->ifa_scope = vip_scope(v);
	ifa->ifa_index = dev_index(r, v->dev);
	put_addr(r, IFA_LOCAL, &v->addr);
	put_addr(r, IFA_ADDRESS, v->peer.family ? &v->peer : &v->addr);
	if (del)
		return;
	if (v->addr.family == 4) {
		put_addr(r, IFA_BROADCAST, &v->brd);
		if (v->label[0])
			put_str(r, IFA_LABEL, v->label);
	}
	ifa->ifa_flags = flags;
	put_u32(r, IFA_FLAGS, flags);
	put_lifetime(r, v);
}

/*
 * IPv6 tells two routes for one destination apart by their metric, and a link-local address may be on every interface. That of the route which
 * comes with the address is 0, so both can be there.
 */
static void build_local(struct req *r, const struct conf_vip *v)
{
	struct rtmsg *rtm = reserve(r, sizeof(*rtm));
	int ifindex = dev_index(r, v->dev);

	if (!rtm)
		return;
	rtm->rtm_family = to_af(v->addr.family);
	rtm->rtm_dst_len = 8 * family_len(v->addr.family);
	rtm->rtm_table = RT_TABLE_LOCAL;
	rtm->rtm_protocol = NL_PROTO;
	rtm->rtm_scope = v->addr.family == 4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_LOCAL;
	put_addr(r, RTA_DST, &v->addr);
	put_u32(r, RTA_OIF, ifindex);
	if (v->addr.family == 6)
		put_u32(r, RTA_PRIORITY, IP6_METRIC + ifindex);
}

/* ---- routes ---- */

static uint8_t route_type(const struct conf_route *rt)
{
	return rt->type ? rt->type : RTN_UNICAST;
}

static uint32_t route_table(const struct conf_route *rt)
{
	return rt->table ? rt->table : RT_TABLE_MAIN;
}

static uint32_t route_metric(const struct conf_route *rt)
{
	return !rt->metric && rt->family == 6 ? IP6_METRIC : rt->metric;
}

/* As `ip route` chooses: a deletion without a scope takes any. */
static uint8_t route_scope(const struct conf_route *rt, bool del)
{
	if (rt->scope_set)
		return rt->scope;
	if (del)
		return RT_SCOPE_NOWHERE;
	switch (route_type(rt)) {
	case RTN_LOCAL:
	case RTN_NAT:
		return RT_SCOPE_HOST;
	case RTN_BROADCAST:
	case RTN_MULTICAST:
	case RTN_ANYCAST:
		return RT_SCOPE_LINK;
	case RTN_UNICAST:
		if (!rt->nhops || (rt->nhops == 1 && !rt->hops[0].via.family))
			return RT_SCOPE_LINK;
	}
	return RT_SCOPE_UNIVERSE;
}

static int route_flags(const struct conf_route *rt)
{
	static const int flags[] = {
		[CONF_ROUTE_PREPEND] = NLM_F_CREATE,
		[CONF_ROUTE_APPEND] = NLM_F_CREATE | NLM_F_APPEND,
		[CONF_ROUTE_ADD] = NLM_F_CREATE | NLM_F_EXCL,
	};

	return flags[rt->action];
}

/* Gateway and realms, which single and multiple hops write in the same way. */
static void put_hop(struct req *r, const struct conf_route *rt, const struct conf_nexthop *h)
{
	uint8_t via[sizeof(struct rtvia) + sizeof(h->via.b)];
	__kernel_sa_family_t af = to_af(h->via.family);

	if (h->via.family == rt->family) {
		put_addr(r, RTA_GATEWAY, &h->via);
	} else if (h->via.family) {
		memcpy(via, &af, sizeof(af));
		memcpy(via + sizeof(af), h->via.b, family_len(h->via.family));
		put(r, RTA_VIA, via, sizeof(af) + family_len(h->via.family));
	}
	if (h->realms)
		put_u32(r, RTA_FLOW, h->realms);
}

static void put_hops(struct req *r, const struct conf_route *rt)
{
	struct nlattr *nest = nest_start(r, RTA_MULTIPATH);
	const struct conf_nexthop *h;
	struct rtnexthop *nh;

	for (h = rt->hops; h < rt->hops + rt->nhops; h++) {
		nh = reserve(r, sizeof(*nh));
		if (!nh)
			return;
		nh->rtnh_flags = h->onlink ? RTNH_F_ONLINK : 0;
		nh->rtnh_hops = h->weight ? h->weight - 1 : 0;
		nh->rtnh_ifindex = dev_index(r, h->dev);
		put_hop(r, rt, h);
		nh->rtnh_len = (char *)mnl_nlmsg_get_payload_tail(r->nlh) - (char *)nh;
	}
	nest_end(r, nest);
}

static bool hops_known(const struct req *r, const struct conf_route *rt)
{
	size_t i;

	for (i = 0; i < rt->nhops; i++) {
		if (rt->hops[i].dev[0] && r->ifindex(r->arg, rt->hops[i].dev) <= 0)
			return false;
	}
	return true;
}

static void put_metrics(struct req *r, const struct conf_route *rt)
{
	struct nlattr *nest;
	int i;

	if (!rt->metrics_set && !rt->metrics_lock && !rt->congctl)
		return;
	nest = nest_start(r, RTA_METRICS);
	if (rt->metrics_lock)
		put_u32(r, RTAX_LOCK, rt->metrics_lock);
	for (i = RTAX_MTU; i < CONF_ROUTE_METRICS; i++) {
		if (i != RTAX_CC_ALGO && rt->metrics_set & 1U << i)
			put_u32(r, i, rt->metrics[i]);
	}
	if (rt->congctl)
		put_str(r, RTAX_CC_ALGO, rt->congctl);
	nest_end(r, nest);
}

static void put_route_options(struct req *r, const struct conf_route *rt)
{
	put_metrics(r, rt);
	if (rt->pref)
		put_u8(r, RTA_PREF, rt->pref - 1);
	if (rt->expires_set)
		put_u32(r, RTA_EXPIRES, rt->expires);
	if (rt->ttl_propagate >= 0)
		put_u8(r, RTA_TTL_PROPAGATE, rt->ttl_propagate);
}

/* The metric of a deletion is always said for IPv6, where none means any: it must not hit a route of ours with another one. */
static void put_route_key(struct req *r, const struct conf_route *rt, bool del)
{
	uint32_t metric = del ? route_metric(rt) : rt->metric;

	put_addr(r, RTA_DST, &rt->dst);
	put_addr(r, RTA_SRC, &rt->from);
	put_addr(r, RTA_PREFSRC, &rt->src);
	put_u32(r, RTA_TABLE, route_table(rt));
	if (metric)
		put_u32(r, RTA_PRIORITY, metric);
}

static void build_route(struct req *r, const struct conf_route *rt, bool del)
{
	struct rtmsg *rtm = reserve(r, sizeof(*rtm));
	int oif;

	if (!rtm)
		return;
	rtm->rtm_family = to_af(rt->family);
	rtm->rtm_dst_len = rt->dst.family ? rt->dst_plen : 0;
	rtm->rtm_src_len = rt->from.family ? rt->from_plen : 0;
	rtm->rtm_tos = rt->tos;
	rtm->rtm_table = route_table(rt) < 256 ? route_table(rt) : RT_TABLE_UNSPEC;
	rtm->rtm_protocol = rt->protocol;
	rtm->rtm_scope = route_scope(rt, del);
	rtm->rtm_type = route_type(rt);
	put_route_key(r, rt, del);
	if (rt->nhops == 1) {
		rtm->rtm_flags = rt->hops->onlink ? RTNH_F_ONLINK : 0;
		oif = dev_index(r, rt->hops->dev);
		if (oif > 0)
			put_u32(r, RTA_OIF, oif);
		put_hop(r, rt, rt->hops);
	} else if (rt->nhops && (!del || hops_known(r, rt))) {
		/* A route outlives the interface of one of its hops; it is deleted by its other marks then. */
		put_hops(r, rt);
	}
	if (!del)
		put_route_options(r, rt);
}

/* ---- rules ---- */

static bool rule_has_table(const struct conf_rule *ru)
{
	return ru->action == FR_ACT_TO_TBL && !ru->l3mdev;
}

static void put_ports(struct req *r, uint16_t type, uint16_t min, uint16_t max)
{
	struct fib_rule_port_range range = { .start = min, .end = max };

	put(r, type, &range, sizeof(range));
}

/* What a packet must have. */
static void put_selectors(struct req *r, const struct conf_rule *ru)
{
	struct fib_rule_uid_range uids = { .start = ru->uid_min, .end = ru->uid_max };
	__be64 tun_id = htobe64(ru->tun_id);

	put_addr(r, FRA_SRC, &ru->from);
	put_addr(r, FRA_DST, &ru->to);
	if (ru->iif[0])
		put_str(r, FRA_IIFNAME, ru->iif);
	if (ru->oif[0])
		put_str(r, FRA_OIFNAME, ru->oif);
	if (ru->set & CONF_RULE_FWMARK) {
		put_u32(r, FRA_FWMARK, ru->fwmark);
		put_u32(r, FRA_FWMASK, ru->fwmask ? ru->fwmask : UINT32_MAX);
	}
	if (ru->set & CONF_RULE_UID)
		put(r, FRA_UID_RANGE, &uids, sizeof(uids));
	if (ru->set & CONF_RULE_IPPROTO)
		put_u8(r, FRA_IP_PROTO, ru->ip_proto);
	if (ru->set & CONF_RULE_SPORT)
		put_ports(r, FRA_SPORT_RANGE, ru->sport_min, ru->sport_max);
	if (ru->set & CONF_RULE_DPORT)
		put_ports(r, FRA_DPORT_RANGE, ru->dport_min, ru->dport_max);
	if (ru->tun_id)
		put(r, FRA_TUN_ID, &tun_id, sizeof(tun_id));
}

static void build_rule(struct req *r, const struct conf_rule *ru)
{
	struct fib_rule_hdr *frh = reserve(r, sizeof(*frh));

	if (!frh)
		return;
	frh->family = to_af(ru->family);
	frh->dst_len = ru->to.family ? ru->to_plen : 0;
	frh->src_len = ru->from.family ? ru->from_plen : 0;
	frh->tos = ru->tos;
	frh->action = ru->action;
	frh->flags = ru->invert ? FIB_RULE_INVERT : 0;
	put_u32(r, FRA_PRIORITY, ru->pref);
	put_u8(r, FRA_PROTOCOL, ru->protocol);
	put_selectors(r, ru);
	if (rule_has_table(ru)) {
		frh->table = ru->table < 256 ? ru->table : RT_TABLE_UNSPEC;
		put_u32(r, FRA_TABLE, ru->table);
	}
	if (ru->l3mdev)
		put_u8(r, FRA_L3MDEV, 1);
	if (ru->action == FR_ACT_GOTO)
		put_u32(r, FRA_GOTO, ru->goto_pref);
	if (ru->realms)
		put_u32(r, FRA_FLOW, ru->realms);
	if (ru->suppress_plen >= 0)
		put_u32(r, FRA_SUPPRESS_PREFIXLEN, ru->suppress_plen);
	if (ru->suppress_group >= 0)
		put_u32(r, FRA_SUPPRESS_IFGROUP, ru->suppress_group);
}

/* ---- requests ---- */

static int change_type(const struct nl_change *c)
{
	if (c->addr && !c->local)
		return c->del ? RTM_DELADDR : RTM_NEWADDR;
	if (c->addr || c->route)
		return c->del ? RTM_DELROUTE : RTM_NEWROUTE;
	return c->del ? RTM_DELRULE : RTM_NEWRULE;
}

static int change_flags(const struct nl_change *c)
{
	if (c->del)
		return 0;
	if (c->addr && !c->local)
		return NLM_F_CREATE | NLM_F_REPLACE;
	return c->route ? route_flags(c->route) : NLM_F_CREATE | NLM_F_EXCL;
}

int nl_build_change(void *buf, size_t cap, const struct nl_change *c,
		    int (*ifindex)(const void *arg, const char *ifname), const void *arg, uint32_t seq)
{
	/* Lengths of attributes have 16 bits: a shorter request cannot hold a longer one. */
	struct req r = { .cap = cap < UINT16_MAX ? cap : UINT16_MAX, .ifindex = ifindex, .arg = arg };

	if (cap < MNL_NLMSG_HDRLEN)
		return -EMSGSIZE;
	r.nlh = mnl_nlmsg_put_header(buf);
	r.nlh->nlmsg_type = change_type(c);
	r.nlh->nlmsg_flags = NLM_F_REQUEST | change_flags(c);
	r.nlh->nlmsg_seq = seq;
	if (c->addr && c->local)
		build_local(&r, c->addr);
	else if (c->addr)
		build_vip(&r, c->addr, c->del);
	else if (c->route)
		build_route(&r, c->route, c->del);
	else
		build_rule(&r, c->rule);
	return r.err ? r.err : (int)r.nlh->nlmsg_len;
}

/* ---- what the kernel tells ---- */

static uint8_t from_af(uint8_t af)
{
	return af == AF_INET ? 4 : af == AF_INET6 ? 6 : 0;
}

static void get_addr(const struct nlattr *a, uint8_t family, struct conf_addr *out)
{
	if (!family || mnl_attr_get_payload_len(a) != family_len(family))
		return;
	out->family = family;
	memcpy(out->b, mnl_attr_get_payload(a), family_len(family));
}

/* A gateway of another family than the route. */
static void get_via(const struct nlattr *a, struct conf_addr *out)
{
	const struct rtvia *via = mnl_attr_get_payload(a);
	uint8_t family;

	if (mnl_attr_get_payload_len(a) < sizeof(*via))
		return;
	family = from_af(via->rtvia_family);
	if (!family || mnl_attr_get_payload_len(a) < sizeof(*via) + family_len(family))
		return;
	out->family = family;
	memcpy(out->b, via->rtvia_addr, family_len(family));
}

static uint32_t get_u32(const struct nlattr *a)
{
	return mnl_attr_validate(a, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(a);
}

bool nl_parse_route(const struct nlmsghdr *nlh, struct nl_route_key *k)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) || !from_af(rtm->rtm_family))
		return false;
	*k = (struct nl_route_key){ .family = from_af(rtm->rtm_family),
				    .dst_plen = rtm->rtm_dst_len,
				    .tos = rtm->rtm_tos,
				    .type = rtm->rtm_type,
				    .protocol = rtm->rtm_protocol,
				    .table = rtm->rtm_table };
	mnl_attr_for_each(a, nlh, sizeof(*rtm))
	{
		switch (mnl_attr_get_type(a)) {
		case RTA_DST:
			get_addr(a, k->family, &k->dst);
			break;
		case RTA_GATEWAY:
			get_addr(a, k->family, &k->via);
			break;
		case RTA_VIA:
			get_via(a, &k->via);
			break;
		case RTA_TABLE:
			k->table = get_u32(a);
			break;
		case RTA_PRIORITY:
			k->metric = get_u32(a);
			break;
		case RTA_OIF:
			k->oif = get_u32(a);
			break;
		}
	}
	return true;
}

bool nl_parse_rule(const struct nlmsghdr *nlh, struct nl_rule_key *k)
{
	const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*frh) || !from_af(frh->family))
		return false;
	*k = (struct nl_rule_key){ .family = from_af(frh->family), .action = frh->action, .table = frh->table };
	mnl_attr_for_each(a, nlh, sizeof(*frh))
	{
		switch (mnl_attr_get_type(a)) {
		case FRA_TABLE:
			k->table = get_u32(a);
			break;
		case FRA_PRIORITY:
			k->pref = get_u32(a);
			break;
		case FRA_PROTOCOL:
			k->protocol = mnl_attr_validate(a, MNL_TYPE_U8) < 0 ? 0 : mnl_attr_get_u8(a);
			break;
		}
	}
	return true;
}

/* The first @plen bits; the kernel clears the others of an IPv6 route. */
static bool same_prefix(const struct conf_addr *a, const struct conf_addr *b, uint8_t plen)
{
	uint8_t mask = 0xff00 >> plen % 8;

	return !memcmp(a->b, b->b, plen / 8) && (!mask || !((a->b[plen / 8] ^ b->b[plen / 8]) & mask));
}

static bool is_hop(const struct nl *nl, const struct nl_route_key *k, const struct conf_nexthop *h)
{
	int oif = h->dev[0] ? nl_ifindex(nl, h->dev) : 0;

	if (oif && k->oif != oif)
		return false;
	return h->via.family == k->via.family && !memcmp(h->via.b, k->via.b, family_len(h->via.family));
}

static bool is_any_hop(const struct nl *nl, const struct nl_route_key *k, const struct conf_route *rt)
{
	size_t i;

	if (!rt->nhops || (!k->oif && !k->via.family))
		return true;
	for (i = 0; i < rt->nhops; i++) {
		if (is_hop(nl, k, &rt->hops[i]))
			return true;
	}
	return false;
}

bool nl_is_route(const struct nl *nl, const struct nl_route_key *k, const struct conf_route *r)
{
	uint8_t plen = r->dst.family ? r->dst_plen : 0;

	if (k->family != r->family || k->table != route_table(r) || k->type != route_type(r))
		return false;
	if (k->protocol != r->protocol || k->metric != route_metric(r) || (r->family == 4 && k->tos != r->tos))
		return false;
	return k->dst_plen == plen && same_prefix(&k->dst, &r->dst, plen) && is_any_hop(nl, k, r);
}

bool nl_is_rule(const struct nl_rule_key *k, const struct conf_rule *r)
{
	return k->family == r->family && k->action == r->action && k->protocol == r->protocol && k->pref == r->pref &&
	       (!rule_has_table(r) || k->table == r->table);
}
