// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nl_build.c: every request attribute by attribute, into heap blocks of their exact length, and what the kernel's messages
 * identify. Talks to nobody; tests/net/test_nl.c asks the kernel what it makes of the requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "nl.h"

/* ---- helpers ---- */

static char buf[1 << 17];

/* eth0 is 7, eth1 is 8. */
static int lookup(const void *arg, const char *ifname)
{
	(void)arg;
	return !strncmp(ifname, "eth", 3) ? 7 + ifname[3] - '0' : 0;
}

static struct conf_addr ip(const char *text)
{
	struct conf_addr a = { .family = strchr(text, ':') ? 6 : 4 };

	assert_int_equal(inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.b), 1);
	return a;
}

static struct conf_vip vip(const char *addr, uint8_t plen)
{
	return (struct conf_vip){ .addr = ip(addr), .plen = plen, .dev = "eth0" };
}

static struct conf_route route(uint8_t family)
{
	return (struct conf_route){
		.family = family, .type = RTN_UNICAST, .protocol = NL_PROTO, .table = RT_TABLE_MAIN, .ttl_propagate = -1
	};
}

static struct conf_rule rule(uint8_t family)
{
	return (struct conf_rule){ .family = family,
				   .action = FR_ACT_TO_TBL,
				   .table = 100,
				   .pref = 16000,
				   .protocol = NL_PROTO,
				   .suppress_plen = -1,
				   .suppress_group = -1 };
}

static const struct nlmsghdr *build(const struct nl_change *c)
{
	int len = nl_build_change(buf, sizeof(buf), c, lookup, NULL, 42);
	const struct nlmsghdr *nlh = (const void *)buf;

	assert_true(len > 0);
	assert_int_equal(len, nlh->nlmsg_len);
	assert_int_equal(nlh->nlmsg_seq, 42);
	return nlh;
}

static const struct nlmsghdr *build_vip(const struct conf_vip *v, bool del)
{
	return build(&(struct nl_change){ .addr = v, .del = del });
}

static const struct nlmsghdr *build_route(const struct conf_route *r, bool del)
{
	return build(&(struct nl_change){ .route = r, .del = del });
}

static const struct nlmsghdr *build_rule(const struct conf_rule *r, bool del)
{
	return build(&(struct nl_change){ .rule = r, .del = del });
}

/* All three headers have their attributes at different places. */
static const struct nlattr *attr(const struct nlmsghdr *nlh, int type)
{
	bool addr = nlh->nlmsg_type == RTM_NEWADDR || nlh->nlmsg_type == RTM_DELADDR;
	const struct nlattr *a, *found = NULL;

	mnl_attr_for_each(a, nlh, addr ? sizeof(struct ifaddrmsg) : sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(a) != type)
			continue;
		assert_null(found); /* none twice */
		found = a;
	}
	return found;
}

static void expect_bytes(const struct nlattr *a, const void *data, size_t len)
{
	assert_non_null(a);
	assert_int_equal(mnl_attr_get_payload_len(a), len);
	assert_memory_equal(mnl_attr_get_payload(a), data, len);
}

static void expect_addr(const struct nlattr *a, const char *addr)
{
	struct conf_addr x = ip(addr);

	expect_bytes(a, x.b, x.family == 6 ? 16 : 4);
}

static void expect_u32(const struct nlattr *a, uint32_t v)
{
	expect_bytes(a, &v, sizeof(v));
}

static void expect_u8(const struct nlattr *a, uint8_t v)
{
	expect_bytes(a, &v, sizeof(v));
}

static void expect_str(const struct nlattr *a, const char *s)
{
	expect_bytes(a, s, strlen(s) + 1);
}

/* ---- addresses ---- */

static void ipv4_address_has_every_option(void **state)
{
	struct conf_vip v = vip("192.0.2.1", 24);
	const struct ifaddrmsg *ifa;
	const struct nlmsghdr *nlh;

	(void)state;
	v.brd = ip("192.0.2.255");
	v.scope = RT_SCOPE_LINK;
	v.flags = CONF_VIP_SCOPE | CONF_VIP_NOPREFIXROUTE | CONF_VIP_AUTOJOIN | CONF_VIP_HOME | CONF_VIP_MNGTMPADDR;
	strcpy(v.label, "eth0:vip");
	nlh = build_vip(&v, false);
	ifa = mnl_nlmsg_get_payload(nlh);
	assert_int_equal(nlh->nlmsg_type, RTM_NEWADDR);
	assert_int_equal(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE);
	assert_int_equal(ifa->ifa_family, AF_INET);
	assert_int_equal(ifa->ifa_prefixlen, 24);
	assert_int_equal(ifa->ifa_index, 7);
	assert_int_equal(ifa->ifa_scope, RT_SCOPE_LINK);
	expect_addr(attr(nlh, IFA_LOCAL), "192.0.2.1");
	expect_addr(attr(nlh, IFA_ADDRESS), "192.0.2.1");
	expect_addr(attr(nlh, IFA_BROADCAST), "192.0.2.255");
	expect_str(attr(nlh, IFA_LABEL), "eth0:vip");
	expect_u32(attr(nlh, IFA_FLAGS), IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN); /* the others are of IPv6 */
	assert_null(attr(nlh, IFA_CACHEINFO));
}

static void ipv4_scope_is_host_for_loopback_and_global_else(void **state)
{
	static const struct {
		const char *addr;
		uint8_t scope;
	} rows[] = { { "127.0.0.9", RT_SCOPE_HOST }, { "10.0.0.1", RT_SCOPE_UNIVERSE } };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct conf_vip v = vip(rows[i].addr, 32);
		const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(build_vip(&v, false));

		assert_int_equal(ifa->ifa_scope, rows[i].scope);
	}
}

static void peer_is_the_address_and_own_is_local(void **state)
{
	struct conf_vip v = vip("10.0.0.1", 32);
	const struct nlmsghdr *nlh;

	(void)state;
	v.peer = ip("10.0.0.2");
	nlh = build_vip(&v, true);
	expect_addr(attr(nlh, IFA_LOCAL), "10.0.0.1");
	expect_addr(attr(nlh, IFA_ADDRESS), "10.0.0.2");
}

static void ipv6_address_skips_dad_unless_asked(void **state)
{
	struct conf_vip v = vip("2001:db8::1", 64);

	(void)state;
	v.flags = CONF_VIP_HOME | CONF_VIP_MNGTMPADDR;
	expect_u32(attr(build_vip(&v, false), IFA_FLAGS), IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR);
	v.flags = CONF_VIP_DAD;
	expect_u32(attr(build_vip(&v, false), IFA_FLAGS), 0);
	assert_null(attr(build_vip(&v, false), IFA_CACHEINFO));
}

static void expect_preferred(const struct conf_vip *v, uint32_t preferred)
{
	const struct nlattr *a = attr(build_vip(v, false), IFA_CACHEINFO);
	const struct ifa_cacheinfo *ci;

	assert_non_null(a);
	assert_int_equal(mnl_attr_get_payload_len(a), sizeof(*ci));
	ci = mnl_attr_get_payload(a);
	assert_int_equal(ci->ifa_valid, UINT32_MAX);
	assert_int_equal(ci->ifa_prefered, preferred);
}

/* Spec 3.1 */
static void ipv6_host_address_is_deprecated_unless_preferred(void **state)
{
	struct conf_vip v = vip("2001:db8::1", 128);

	(void)state;
	expect_preferred(&v, 0);
	v.flags = CONF_VIP_PREFERRED_LFT;
	v.preferred_lft = UINT32_MAX;
	expect_preferred(&v, UINT32_MAX);
	v = vip("192.0.2.1", 32);
	assert_null(attr(build_vip(&v, false), IFA_CACHEINFO));
	v.flags = CONF_VIP_PREFERRED_LFT;
	v.preferred_lft = 600;
	expect_preferred(&v, 600);
}

static void address_is_deleted_whatever_its_label_and_flags(void **state)
{
	struct conf_vip v = vip("192.0.2.1", 24);
	const struct nlmsghdr *nlh;

	(void)state;
	strcpy(v.label, "eth0:1");
	v.brd = ip("192.0.2.255");
	nlh = build_vip(&v, true);
	assert_int_equal(nlh->nlmsg_type, RTM_DELADDR);
	assert_int_equal(nlh->nlmsg_flags, NLM_F_REQUEST);
	assert_null(attr(nlh, IFA_LABEL));
	assert_null(attr(nlh, IFA_FLAGS));
	assert_null(attr(nlh, IFA_BROADCAST));
}

/* ---- routes ---- */

static void address_can_be_served_by_a_local_route(void **state)
{
	static const char *const addrs[] = { "10.1.0.1", "2001:db8::1" };
	const struct nlmsghdr *nlh;
	const struct rtmsg *rtm;
	size_t i, del;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct conf_vip v = vip(addrs[i], 24);

		for (del = 0; del < 2; del++) {
			nlh = build(&(struct nl_change){ .addr = &v, .local = true, .del = del });
			rtm = mnl_nlmsg_get_payload(nlh);
			assert_int_equal(nlh->nlmsg_type, del ? RTM_DELROUTE : RTM_NEWROUTE);
			assert_int_equal(nlh->nlmsg_flags,
					 del ? NLM_F_REQUEST : NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
			assert_int_equal(rtm->rtm_family, i ? AF_INET6 : AF_INET);
			assert_int_equal(rtm->rtm_dst_len, i ? 128 : 32);
			assert_int_equal(rtm->rtm_table, RT_TABLE_LOCAL);
			assert_int_equal(rtm->rtm_protocol, NL_PROTO);
			assert_int_equal(rtm->rtm_scope, i ? RT_SCOPE_UNIVERSE : RT_SCOPE_HOST);
			assert_int_equal(rtm->rtm_type, RTN_LOCAL);
			expect_addr(attr(nlh, RTA_DST), addrs[i]);
			expect_u32(attr(nlh, RTA_OIF), 7);
			if (i)
				expect_u32(attr(nlh, RTA_PRIORITY), 1024 + 7);
			else
				assert_null(attr(nlh, RTA_PRIORITY));
		}
	}
}

static void route_has_every_option(void **state)
{
	struct conf_nexthop hop = { .via = ip("2001:db8::fe"), .dev = "eth1", .onlink = true, .realms = 0x20003 };
	struct conf_route r = route(6);
	const struct nlmsghdr *nlh;
	const struct rtmsg *rtm;

	(void)state;
	r.dst = ip("2001:db8:1::"), r.dst_plen = 48;
	r.from = ip("2001:db8:2::"), r.from_plen = 56;
	r.src = ip("2001:db8::1");
	r.table = 1000, r.metric = 50, r.tos = 0x10;
	r.pref = 4, r.expires = 300, r.expires_set = true, r.ttl_propagate = 0;
	r.hops = &hop, r.nhops = 1;
	nlh = build_route(&r, false);
	rtm = mnl_nlmsg_get_payload(nlh);
	assert_int_equal(nlh->nlmsg_type, RTM_NEWROUTE);
	assert_int_equal(rtm->rtm_family, AF_INET6);
	assert_int_equal(rtm->rtm_dst_len, 48);
	assert_int_equal(rtm->rtm_src_len, 56);
	assert_int_equal(rtm->rtm_tos, 0x10);
	assert_int_equal(rtm->rtm_table, RT_TABLE_UNSPEC);
	assert_int_equal(rtm->rtm_protocol, 18);
	assert_int_equal(rtm->rtm_type, RTN_UNICAST);
	assert_int_equal(rtm->rtm_scope, RT_SCOPE_UNIVERSE);
	assert_int_equal(rtm->rtm_flags, RTNH_F_ONLINK);
	expect_u32(attr(nlh, RTA_TABLE), 1000);
	expect_addr(attr(nlh, RTA_DST), "2001:db8:1::");
	expect_addr(attr(nlh, RTA_SRC), "2001:db8:2::");
	expect_addr(attr(nlh, RTA_PREFSRC), "2001:db8::1");
	expect_addr(attr(nlh, RTA_GATEWAY), "2001:db8::fe");
	expect_u32(attr(nlh, RTA_OIF), 8);
	expect_u32(attr(nlh, RTA_FLOW), 0x20003);
	expect_u32(attr(nlh, RTA_PRIORITY), 50);
	expect_u8(attr(nlh, RTA_PREF), 3);
	expect_u32(attr(nlh, RTA_EXPIRES), 300);
	expect_u8(attr(nlh, RTA_TTL_PROPAGATE), 0);
	assert_null(attr(nlh, RTA_METRICS));
	assert_null(attr(nlh, RTA_MULTIPATH));
}

static void default_route_has_no_destination(void **state)
{
	struct conf_nexthop hop = { .via = ip("192.0.2.254") };
	struct conf_route r = route(4);
	const struct nlmsghdr *nlh;
	const struct rtmsg *rtm;

	(void)state;
	r.hops = &hop, r.nhops = 1, r.dst_plen = 32;
	nlh = build_route(&r, false);
	rtm = mnl_nlmsg_get_payload(nlh);
	assert_int_equal(rtm->rtm_dst_len, 0);
	assert_int_equal(rtm->rtm_table, RT_TABLE_MAIN);
	assert_null(attr(nlh, RTA_DST));
	assert_null(attr(nlh, RTA_OIF));
	assert_null(attr(nlh, RTA_PRIORITY));
}

static void action_of_a_route_is_its_flags(void **state)
{
	struct conf_route r = route(4);

	(void)state;
	r.type = RTN_BLACKHOLE;
	r.action = CONF_ROUTE_PREPEND;
	assert_int_equal(build_route(&r, false)->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE);
	r.action = CONF_ROUTE_APPEND;
	assert_int_equal(build_route(&r, false)->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND);
	r.action = CONF_ROUTE_ADD;
	assert_int_equal(build_route(&r, false)->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
	assert_int_equal(build_route(&r, true)->nlmsg_flags, NLM_F_REQUEST);
}

/* As iproute2 */
static void route_scope_follows_type_and_gateway(void **state)
{
	static const struct {
		uint8_t type, scope;
		bool via;
	} rows[] = {
		{ RTN_UNICAST, RT_SCOPE_LINK, false },   { RTN_UNICAST, RT_SCOPE_UNIVERSE, true },
		{ RTN_LOCAL, RT_SCOPE_HOST, false },     { RTN_NAT, RT_SCOPE_HOST, false },
		{ RTN_BROADCAST, RT_SCOPE_LINK, false }, { RTN_BLACKHOLE, RT_SCOPE_UNIVERSE, false },
	};
	struct conf_nexthop hop = { .dev = "eth0" };
	struct conf_route r = route(4);
	const struct rtmsg *rtm;
	size_t i;

	(void)state;
	r.hops = &hop, r.nhops = 1;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hop.via = rows[i].via ? ip("10.0.0.1") : (struct conf_addr){ 0 };
		r.type = rows[i].type;
		rtm = mnl_nlmsg_get_payload(build_route(&r, false));
		assert_int_equal(rtm->rtm_scope, rows[i].scope);
		rtm = mnl_nlmsg_get_payload(build_route(&r, true));
		assert_int_equal(rtm->rtm_scope, RT_SCOPE_NOWHERE);
	}
	r.scope = RT_SCOPE_SITE, r.scope_set = true;
	rtm = mnl_nlmsg_get_payload(build_route(&r, false));
	assert_int_equal(rtm->rtm_scope, RT_SCOPE_SITE);
}

static void gateway_of_another_family_is_a_via(void **state)
{
	struct conf_nexthop hop = { .via = ip("fe80::1"), .dev = "eth0" };
	struct conf_route r = route(4);
	const struct nlmsghdr *nlh;
	uint8_t want[18] = { 0 };

	(void)state;
	r.hops = &hop, r.nhops = 1;
	nlh = build_route(&r, false);
	*(uint16_t *)want = AF_INET6;
	memcpy(want + 2, hop.via.b, 16);
	expect_bytes(attr(nlh, RTA_VIA), want, sizeof(want));
	assert_null(attr(nlh, RTA_GATEWAY));
}

static const struct nlattr *inner(const struct nlattr *nest, int type)
{
	const struct nlattr *a;

	assert_non_null(nest);
	mnl_attr_for_each_nested(a, nest)
	{
		if (mnl_attr_get_type(a) == type)
			return a;
	}
	return NULL;
}

static void metrics_are_nested_with_their_locks(void **state)
{
	struct conf_route r = route(4);
	const struct nlattr *m;

	(void)state;
	r.type = RTN_BLACKHOLE;
	r.metrics[RTAX_MTU] = 1400, r.metrics[RTAX_RTT] = 800, r.metrics[RTAX_FASTOPEN_NO_COOKIE] = 1;
	r.metrics[RTAX_WINDOW] = 99; /* not set */
	r.metrics_set = 1 << RTAX_MTU | 1 << RTAX_RTT | 1 << RTAX_FASTOPEN_NO_COOKIE | 1 << RTAX_LOCK;
	r.metrics_lock = 1 << RTAX_MTU | 1 << RTAX_CC_ALGO;
	r.congctl = "reno";
	m = attr(build_route(&r, false), RTA_METRICS);
	expect_u32(inner(m, RTAX_LOCK), 1 << RTAX_MTU | 1 << RTAX_CC_ALGO);
	expect_u32(inner(m, RTAX_MTU), 1400);
	expect_u32(inner(m, RTAX_RTT), 800);
	expect_u32(inner(m, RTAX_FASTOPEN_NO_COOKIE), 1);
	expect_str(inner(m, RTAX_CC_ALGO), "reno");
	assert_null(inner(m, RTAX_WINDOW));
	assert_null(attr(build_route(&r, true), RTA_METRICS));
}

static struct conf_nexthop three_hops[3];

static struct conf_route multipath(void)
{
	struct conf_route r = route(4);

	three_hops[0] = (struct conf_nexthop){ .via = ip("10.0.0.1"), .weight = 1 };
	three_hops[1] = (struct conf_nexthop){ .via = ip("fe80::1"), .dev = "eth1", .weight = 256, .onlink = true };
	three_hops[2] = (struct conf_nexthop){ .dev = "eth0", .weight = 2, .realms = 5 };
	r.hops = three_hops, r.nhops = 3;
	return r;
}

static void every_hop_has_its_weight_flags_and_gateway(void **state)
{
	struct conf_route r = multipath();
	const struct nlmsghdr *nlh = build_route(&r, false);
	const struct nlattr *m = attr(nlh, RTA_MULTIPATH), *first;
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct rtnexthop *h;

	(void)state;
	assert_int_equal(rtm->rtm_scope, RT_SCOPE_UNIVERSE);
	assert_non_null(m);
	assert_null(attr(nlh, RTA_OIF));
	h = mnl_attr_get_payload(m);
	first = (const void *)RTNH_DATA(h);
	assert_int_equal(h->rtnh_len, 8 + 8);
	assert_true(h->rtnh_hops == 0 && h->rtnh_ifindex == 0 && h->rtnh_flags == 0);
	assert_int_equal(mnl_attr_get_type(first), RTA_GATEWAY);
	expect_addr(first, "10.0.0.1");
	h = RTNH_NEXT(h);
	assert_int_equal(h->rtnh_len, 8 + 24);
	assert_true(h->rtnh_hops == 255 && h->rtnh_ifindex == 8 && h->rtnh_flags == RTNH_F_ONLINK);
	assert_int_equal(mnl_attr_get_type((const void *)RTNH_DATA(h)), RTA_VIA);
	h = RTNH_NEXT(h);
	assert_int_equal(h->rtnh_len, 8 + 8);
	assert_true(h->rtnh_hops == 1 && h->rtnh_ifindex == 7);
	assert_int_equal(mnl_attr_get_type((const void *)RTNH_DATA(h)), RTA_FLOW);
	assert_ptr_equal(RTNH_NEXT(h), (const char *)m + m->nla_len);
}

/* IPv6 deletes by the metric, or any: ours without one has the kernel's. */
static void ipv6_deletion_names_the_metric_of_a_route_without_one(void **state)
{
	struct conf_route r = route(6);

	(void)state;
	r.type = RTN_BLACKHOLE;
	assert_null(attr(build_route(&r, false), RTA_PRIORITY));
	expect_u32(attr(build_route(&r, true), RTA_PRIORITY), 1024);
	r.metric = 7;
	expect_u32(attr(build_route(&r, true), RTA_PRIORITY), 7);
}

static void route_with_a_vanished_hop_is_deleted_by_its_other_marks(void **state)
{
	struct conf_route r = multipath();

	(void)state;
	assert_non_null(attr(build_route(&r, true), RTA_MULTIPATH));
	strcpy(three_hops[1].dev, "gone0");
	assert_null(attr(build_route(&r, true), RTA_MULTIPATH));
	assert_int_equal(nl_build_change(buf, sizeof(buf), &(struct nl_change){ .route = &r }, lookup, NULL, 1),
			 -ENODEV);
}

/* ---- rules ---- */

static struct conf_rule full_rule(void)
{
	struct conf_rule r = rule(4);

	r.from = ip("10.0.0.0"), r.from_plen = 8;
	r.to = ip("192.0.2.0"), r.to_plen = 24;
	r.invert = true, r.tos = 0x10, r.table = 1000;
	strcpy(r.iif, "lo");
	strcpy(r.oif, "eth9");
	r.fwmark = 5, r.fwmask = 0xff, r.uid_min = 1, r.uid_max = 2, r.ip_proto = 6;
	r.sport_min = 10, r.sport_max = 20, r.dport_min = 30, r.dport_max = 40;
	r.set = CONF_RULE_FWMARK | CONF_RULE_UID | CONF_RULE_SPORT | CONF_RULE_DPORT | CONF_RULE_IPPROTO;
	r.tun_id = 0x0102, r.realms = 0x10002, r.suppress_plen = 0, r.suppress_group = 3;
	return r;
}

static void rule_has_every_selector(void **state)
{
	static const uint8_t tun_id[8] = { 0, 0, 0, 0, 0, 0, 1, 2 };
	struct conf_rule r = full_rule();
	const struct nlmsghdr *nlh = build_rule(&r, false);
	const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(nlh);

	(void)state;
	assert_int_equal(nlh->nlmsg_type, RTM_NEWRULE);
	assert_int_equal(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
	assert_true(frh->family == AF_INET && frh->src_len == 8 && frh->dst_len == 24 && frh->tos == 0x10);
	assert_true(frh->table == RT_TABLE_UNSPEC && frh->action == FR_ACT_TO_TBL && frh->flags == FIB_RULE_INVERT);
	expect_addr(attr(nlh, FRA_SRC), "10.0.0.0");
	expect_addr(attr(nlh, FRA_DST), "192.0.2.0");
	expect_str(attr(nlh, FRA_IIFNAME), "lo");
	expect_str(attr(nlh, FRA_OIFNAME), "eth9"); /* by name: it need not exist */
	expect_u32(attr(nlh, FRA_PRIORITY), 16000);
	expect_u32(attr(nlh, FRA_TABLE), 1000);
	expect_u32(attr(nlh, FRA_FWMARK), 5);
	expect_u32(attr(nlh, FRA_FWMASK), 0xff);
	expect_u32(attr(nlh, FRA_FLOW), 0x10002);
	expect_u32(attr(nlh, FRA_SUPPRESS_PREFIXLEN), 0);
	expect_u32(attr(nlh, FRA_SUPPRESS_IFGROUP), 3);
	expect_u8(attr(nlh, FRA_PROTOCOL), 18);
	expect_u8(attr(nlh, FRA_IP_PROTO), 6);
	expect_bytes(attr(nlh, FRA_TUN_ID), tun_id, sizeof(tun_id));
	expect_bytes(attr(nlh, FRA_UID_RANGE), (uint32_t[]){ 1, 2 }, 8);
	expect_bytes(attr(nlh, FRA_SPORT_RANGE), (uint16_t[]){ 10, 20 }, 4);
	expect_bytes(attr(nlh, FRA_DPORT_RANGE), (uint16_t[]){ 30, 40 }, 4);
	assert_int_equal(build_rule(&r, true)->nlmsg_type, RTM_DELRULE);
	assert_int_equal(build_rule(&r, true)->nlmsg_flags, NLM_F_REQUEST);
}

static void plain_rule_has_no_selector(void **state)
{
	struct conf_rule r = rule(6);
	const struct nlmsghdr *nlh = build_rule(&r, false);
	int type;

	(void)state;
	for (type = FRA_UNSPEC; type <= FRA_MAX; type++)
		assert_int_equal(!!attr(nlh, type), type == FRA_PRIORITY || type == FRA_PROTOCOL || type == FRA_TABLE);
}

static void only_a_lookup_has_a_table(void **state)
{
	struct conf_rule r = rule(4);

	(void)state;
	r.l3mdev = true;
	expect_u8(attr(build_rule(&r, false), FRA_L3MDEV), 1);
	assert_null(attr(build_rule(&r, false), FRA_TABLE));
	r.l3mdev = false, r.action = FR_ACT_GOTO, r.goto_pref = 20000;
	expect_u32(attr(build_rule(&r, false), FRA_GOTO), 20000);
	assert_null(attr(build_rule(&r, false), FRA_TABLE));
	r.action = FR_ACT_BLACKHOLE;
	assert_null(attr(build_rule(&r, false), FRA_GOTO));
	assert_null(attr(build_rule(&r, false), FRA_TABLE));
}

/* ---- limits ---- */

/* Every shorter block, each on the heap with its exact length: nothing is written behind it. */
static void expect_fits_exactly(const struct nl_change *c)
{
	size_t len = build(c)->nlmsg_len, cap;
	void *block;

	for (cap = 0; cap < len; cap++) {
		block = malloc(cap ? cap : 1);
		assert_non_null(block);
		assert_int_equal(nl_build_change(block, cap, c, lookup, NULL, 1), -EMSGSIZE);
		free(block);
	}
	block = malloc(len);
	assert_non_null(block);
	assert_int_equal(nl_build_change(block, len, c, lookup, NULL, 1), len);
	free(block);
}

static void request_never_exceeds_its_room(void **state)
{
	struct conf_vip v = vip("2001:db8::1", 128);
	struct conf_route r = multipath();
	struct conf_rule ru = full_rule();

	(void)state;
	r.metrics_set = 1 << RTAX_MTU, r.congctl = "cubic", r.dst = ip("10.9.0.0"), r.dst_plen = 16;
	expect_fits_exactly(&(struct nl_change){ .addr = &v });
	expect_fits_exactly(&(struct nl_change){ .route = &r });
	expect_fits_exactly(&(struct nl_change){ .rule = &ru });
}

static void more_hops_than_an_attribute_holds_are_too_long(void **state)
{
	struct conf_nexthop *hops = calloc(5000, sizeof(*hops));
	struct conf_route r = route(4);
	size_t i;

	(void)state;
	assert_non_null(hops);
	for (i = 0; i < 5000; i++)
		hops[i].via = ip("10.0.0.1");
	r.hops = hops, r.nhops = 4000; /* 64,000 bytes */
	build_route(&r, false);
	r.nhops = 5000;
	assert_int_equal(nl_build_change(buf, sizeof(buf), &(struct nl_change){ .route = &r }, lookup, NULL, 1),
			 -EMSGSIZE);
	free(hops);
}

static void unknown_interface_is_enodev(void **state)
{
	struct conf_nexthop hop = { .dev = "none" };
	struct conf_vip v = vip("10.0.0.1", 32);
	struct conf_route r = route(4);

	(void)state;
	strcpy(v.dev, "none");
	r.hops = &hop, r.nhops = 1;
	assert_int_equal(nl_build_change(buf, sizeof(buf), &(struct nl_change){ .addr = &v }, lookup, NULL, 1),
			 -ENODEV);
	assert_int_equal(nl_build_change(buf, sizeof(buf), &(struct nl_change){ .route = &r }, lookup, NULL, 1),
			 -ENODEV);
}

/* ---- what the kernel tells ---- */

/* A request says what the kernel's own message says: it serves as one. */
static struct nl_route_key told_route(const struct conf_route *r)
{
	struct nl_route_key k;

	assert_true(nl_parse_route(build_route(r, true), &k));
	return k;
}

static void route_is_told_apart_by_every_key(void **state)
{
	struct conf_nexthop hop = { .via = ip("2001:db8::fe") }, other;
	struct conf_route r = route(6), x;
	struct nl_route_key k;

	(void)state;
	r.dst = ip("2001:db8:1::5"), r.dst_plen = 44, r.table = 1000; /* the kernel clears the bits behind the prefix */
	r.hops = &hop, r.nhops = 1;
	k = told_route(&r);
	assert_true(k.family == 6 && k.dst_plen == 44 && k.table == 1000 && k.metric == 1024 && k.protocol == 18);
	memset(k.dst.b + 6, 0, 10);
	k.dst.b[5] &= 0xf0;
	assert_true(nl_is_route(NULL, &k, &r));
	k.tos = 4; /* IPv6 routes have none */
	assert_true(nl_is_route(NULL, &k, &r));
#define EXPECT_OTHER(change)                                                                                           \
	do {                                                                                                           \
		x = r, other = hop, x.hops = &other;                                                                   \
		change;                                                                                                \
		assert_false(nl_is_route(NULL, &k, &x));                                                               \
	} while (0)
	EXPECT_OTHER(x.table = 1001);
	EXPECT_OTHER(x.type = RTN_LOCAL);
	EXPECT_OTHER(x.protocol = 4);
	EXPECT_OTHER(x.metric = 5);
	EXPECT_OTHER(x.dst_plen = 45);
	EXPECT_OTHER(x.dst = ip("2001:db8:21::"));
	EXPECT_OTHER(x.family = 4);
	EXPECT_OTHER(other.via = ip("2001:db8::ff"));
	EXPECT_OTHER(other.via.family = 0);
#undef EXPECT_OTHER
}

static void one_hop_of_several_is_the_route(void **state)
{
	struct conf_nexthop hops[2] = { { .via = ip("10.0.0.1") }, { .via = ip("10.0.0.2") } };
	struct conf_route r = route(4), one = route(4);
	struct nl_route_key k;

	(void)state;
	r.hops = hops, r.nhops = 2;
	k = told_route(&r);
	assert_true(k.via.family == 0 && k.oif == 0);
	assert_true(nl_is_route(NULL, &k, &r));
	one.hops = hops + 1, one.nhops = 1;
	k = told_route(&one);
	assert_true(nl_is_route(NULL, &k, &r));
	k.tos = 4;
	assert_false(nl_is_route(NULL, &k, &r));
}

static void gateway_of_another_family_is_told(void **state)
{
	struct conf_nexthop hop = { .via = ip("fe80::1"), .dev = "eth0" };
	struct conf_route r = route(4);
	struct nl_route_key k;

	(void)state;
	r.hops = &hop, r.nhops = 1;
	k = told_route(&r);
	assert_true(k.via.family == 6 && k.oif == 7 && !memcmp(k.via.b, hop.via.b, 16));
}

static void rule_is_told_apart_by_every_key(void **state)
{
	struct conf_rule r = full_rule(), x;
	struct nl_rule_key k;

	(void)state;
	assert_true(nl_parse_rule(build_rule(&r, true), &k));
	assert_true(k.family == 4 && k.table == 1000 && k.pref == 16000 && k.protocol == 18 &&
		    k.action == FR_ACT_TO_TBL);
	assert_true(nl_is_rule(&k, &r));
	x = r, x.family = 6;
	assert_false(nl_is_rule(&k, &x));
	x = r, x.table = 7;
	assert_false(nl_is_rule(&k, &x));
	x = r, x.pref = 7;
	assert_false(nl_is_rule(&k, &x));
	x = r, x.protocol = 7;
	assert_false(nl_is_rule(&k, &x));
	x = r, x.action = FR_ACT_BLACKHOLE;
	assert_false(nl_is_rule(&k, &x));
}

static void other_families_and_short_messages_are_none(void **state)
{
	struct nlmsghdr *nlh = (void *)buf;
	struct nl_route_key k;
	struct nl_rule_key rk;
	struct rtmsg *rtm;

	(void)state;
	nlh = mnl_nlmsg_put_header(buf);
	assert_false(nl_parse_route(nlh, &k));
	assert_false(nl_parse_rule(nlh, &rk));
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = AF_BRIDGE;
	assert_false(nl_parse_route(nlh, &k));
	assert_false(nl_parse_rule(nlh, &rk));
	rtm->rtm_family = AF_INET;
	mnl_attr_put_u8(nlh, RTA_DST, 1); /* not four bytes */
	mnl_attr_put_u8(nlh, RTA_TABLE, 1);
	mnl_attr_put_u8(nlh, RTA_VIA, 1);
	assert_true(nl_parse_route(nlh, &k));
	assert_true(k.dst.family == 0 && k.via.family == 0 && k.table == 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_address_has_every_option),
		cmocka_unit_test(ipv4_scope_is_host_for_loopback_and_global_else),
		cmocka_unit_test(peer_is_the_address_and_own_is_local),
		cmocka_unit_test(ipv6_address_skips_dad_unless_asked),
		cmocka_unit_test(ipv6_host_address_is_deprecated_unless_preferred),
		cmocka_unit_test(address_is_deleted_whatever_its_label_and_flags),
		cmocka_unit_test(address_can_be_served_by_a_local_route),
		cmocka_unit_test(route_has_every_option),
		cmocka_unit_test(default_route_has_no_destination),
		cmocka_unit_test(action_of_a_route_is_its_flags),
		cmocka_unit_test(route_scope_follows_type_and_gateway),
		cmocka_unit_test(gateway_of_another_family_is_a_via),
		cmocka_unit_test(metrics_are_nested_with_their_locks),
		cmocka_unit_test(every_hop_has_its_weight_flags_and_gateway),
		cmocka_unit_test(ipv6_deletion_names_the_metric_of_a_route_without_one),
		cmocka_unit_test(route_with_a_vanished_hop_is_deleted_by_its_other_marks),
		cmocka_unit_test(rule_has_every_selector),
		cmocka_unit_test(plain_rule_has_no_selector),
		cmocka_unit_test(only_a_lookup_has_a_table),
		cmocka_unit_test(request_never_exceeds_its_room),
		cmocka_unit_test(more_hops_than_an_attribute_holds_are_too_long),
		cmocka_unit_test(unknown_interface_is_enodev),
		cmocka_unit_test(route_is_told_apart_by_every_key),
		cmocka_unit_test(one_hop_of_several_is_the_route),
		cmocka_unit_test(gateway_of_another_family_is_told),
		cmocka_unit_test(rule_is_told_apart_by_every_key),
		cmocka_unit_test(other_families_and_short_messages_are_none),
	};

	return cmocka_run_group_tests_name("nl", tests, NULL, NULL);
}
