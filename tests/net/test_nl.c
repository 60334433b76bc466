// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nl.c and the kernel, in a network namespace of the test's own: what nl adds looks like what `ip` adds, goes again, and
 * deletions are told as whose they are. Needs root; changes nothing outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "nl.h"

/* ---- helpers ---- */

enum { MANY = 5000, MANY_IPV6 = 1000 }; /* the kernel needs a second for 1,000 IPv6 addresses */

/* What the callbacks were told. */
static struct told {
	size_t links, addrs, addrs_gone, addrs_gone_own, routes, routes_own, rules, rules_own, lost;
	struct nl_addr addr;
	struct nl_route_key route;
	struct nl_rule_key rule;
} told;

static struct nl *nl;

static void on_link(void *arg, const struct nl_link *l)
{
	(void)arg;
	(void)l;
	told.links++;
}

static void on_addr(void *arg, const struct nl_addr *a)
{
	(void)arg;
	told.addr = *a;
	told.addrs++;
	told.addrs_gone += a->gone;
	told.addrs_gone_own += a->gone && a->own;
}

static void on_route(void *arg, const struct nl_route_key *k)
{
	(void)arg;
	told.route = *k;
	told.routes++;
	told.routes_own += k->own;
}

static void on_rule(void *arg, const struct nl_rule_key *k)
{
	(void)arg;
	told.rule = *k;
	told.rules++;
	told.rules_own += k->own;
}

static void on_lost(void *arg)
{
	(void)arg;
	told.lost++;
}

static void run_ip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run_ip(const char *fmt, ...)
{
	char words[512], cmd[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	snprintf(cmd, sizeof(cmd), "ip %s", words);
	if (system(cmd))
		fail_msg("%s", cmd);
}

/* Lifetimes tick: 100000 may have become 99999. */
static void round_seconds(char *text)
{
	char *p, *end;

	for (p = text; (p = strpbrk(p, "0123456789")); p = end) {
		strtoul(p, &end, 10);
		if (end - p == 6 && !strncmp(p, "100000", 6)) {
			memcpy(p, "99999", 5);
			memmove(p + 5, end, strlen(end) + 1);
			end = p + 5;
		} else if (end - p == 5 && !strncmp(p, "9999", 4) && p[-1] == ':') {
			p[4] = '9';
		}
	}
}

/* All addresses, routes and rules, as `ip` shows them; malloc()ed. */
static char *machine(void)
{
	FILE *f = popen("ip -j -d addr; ip -j -d route show table all; ip -j -d -6 route show table all; "
			"ip -j -d rule; ip -j -d -6 rule",
			"r");
	size_t cap = 1 << 18, len;
	char *text = malloc(cap);

	assert_non_null(f);
	assert_non_null(text);
	len = fread(text, 1, cap - 1, f);
	assert_int_equal(pclose(f), 0);
	text[len] = '\0';
	round_seconds(text);
	return text;
}

static void expect_machine(const char *want)
{
	char *now = machine();

	if (strcmp(now, want))
		fail_msg("is\n%s\nand should be\n%s", now, want);
	free(now);
}

static int commit(struct nl_change c)
{
	assert_int_equal(nl_commit(nl, &c, 1), 0);
	return c.err;
}

static bool readable(void)
{
	struct pollfd p = { .fd = nl_fd(nl), .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* One call takes so much only. */
static void read_all(void)
{
	do
		nl_read(nl);
	while (readable());
}

static void drain(void)
{
	nl_read(nl);
	memset(&told, 0, sizeof(told));
}

static void read_more(void)
{
	struct pollfd p = { .fd = nl_fd(nl), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 5000), 1);
	nl_read(nl);
}

static struct conf_addr ip(const char *text)
{
	struct conf_addr a = { .family = strchr(text, ':') ? 6 : 4 };

	assert_int_equal(inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.b), 1);
	return a;
}

/* Waits for an address that has been added: of IPv6 a worker of the kernel tells, which then adds its route under the lock of links. */
static void wait_addr(void)
{
	while (!told.addrs)
		read_more();
	run_ip("link set lo up");
}

static int set_up(void **state)
{
	const struct nl_ops ops = {
		.link = on_link, .addr = on_addr, .route_gone = on_route, .rule_gone = on_rule, .lost = on_lost
	};

	(void)state;
	assert_int_equal(nl_new(&nl, &ops), 0);
	assert_int_equal(nl_dump(nl), 0);
	run_ip("link add v0 type veth peer name v1");
	run_ip("link set v0 addrgenmode none up");
	run_ip("link set v1 addrgenmode none up");
	while (system("test $(ip -br link show type veth up | grep -c ' UP ') = 2"))
		read_more();
	run_ip("addr add 10.0.0.1/24 dev v0");
	drain();
	run_ip("addr add 2001:db8::1/64 dev v0 nodad");
	wait_addr();
	drain();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	nl_free(nl);
	nl = NULL;
	run_ip("link del v0");
	run_ip("rule flush protocol 18");
	run_ip("-6 rule flush protocol 18");
	return 0;
}

/* What `ip` adds is what we add, and what we delete; twice is once. */
static void expect_same(struct nl_change c, const char *object, const char *words)
{
	char *base = machine(), *want;

	drain();
	run_ip("%s add %s", object, words);
	if (c.addr && !c.local)
		wait_addr();
	want = machine();
	assert_string_not_equal(base, want);
	c.del = true;
	assert_int_equal(commit(c), 0);
	expect_machine(base);
	drain();
	c.del = false;
	assert_int_equal(commit(c), 0);
	if (c.addr && !c.local)
		wait_addr();
	expect_machine(want);
	assert_int_equal(commit(c), 0);
	expect_machine(want);
	c.del = true;
	assert_int_equal(commit(c), 0);
	expect_machine(base);
	assert_int_equal(commit(c), 0);
	free(base);
	free(want);
}

/* ---- the same as ip ---- */

static void addresses_are_as_ip_adds_them(void **state)
{
	static const struct {
		const char *addr, *words;
		uint8_t plen;
		uint16_t flags;
		uint8_t scope;
		uint32_t lft;
		const char *brd, *peer, *label, *dev;
	} rows[] = {
		{ "10.1.0.1", "10.1.0.1/32 dev v0", 32, .dev = "v0" },
		{ "10.0.0.9", "10.0.0.9/24 dev v0", 24, .dev = "v0" },
		{ "127.0.0.9", "127.0.0.9/32 dev lo", 32, .dev = "lo" },
		{ "10.1.0.1", "10.1.0.1/24 brd 10.1.0.255 label v0:vip dev v0", 24, .brd = "10.1.0.255",
		  .label = "v0:vip" },
		{ "10.1.0.1", "10.1.0.1/24 scope link dev v0", 24, .flags = CONF_VIP_SCOPE, .scope = RT_SCOPE_LINK },
		{ "10.1.0.1", "10.1.0.1 peer 10.1.0.2/32 dev v0", 32, .peer = "10.1.0.2" },
		{ "10.1.0.1", "10.1.0.1/24 noprefixroute dev v0", 24, .flags = CONF_VIP_NOPREFIXROUTE },
		{ "239.1.0.1", "239.1.0.1/32 autojoin dev v0", 32, .flags = CONF_VIP_AUTOJOIN },
		{ "10.1.0.1", "10.1.0.1/24 preferred_lft 100000 dev v0", 24, .flags = CONF_VIP_PREFERRED_LFT,
		  .lft = 100000 },
		{ "2001:db8:1::1", "2001:db8:1::1/64 nodad dev v0", 64, .dev = "v0" },
		{ "2001:db8:1::1", "2001:db8:1::1/128 nodad preferred_lft 0 dev v0", 128, .dev = "v0" },
		{ "2001:db8:1::1", "2001:db8:1::1/128 nodad preferred_lft forever dev v0", 128,
		  .flags = CONF_VIP_PREFERRED_LFT, .lft = UINT32_MAX },
		{ "2001:db8:1::1", "2001:db8:1::1/64 nodad preferred_lft 100000 dev v0", 64,
		  .flags = CONF_VIP_PREFERRED_LFT, .lft = 100000 },
		{ "2001:db8:1::1", "2001:db8:1::1 peer 2001:db8:1::2/128 nodad preferred_lft 0 dev v0", 128,
		  .peer = "2001:db8:1::2" },
		{ "2001:db8:1::1", "2001:db8:1::1/64 nodad home dev v0", 64, .flags = CONF_VIP_HOME },
		{ "2001:db8:1::1", "2001:db8:1::1/64 nodad mngtmpaddr noprefixroute dev v0", 64,
		  .flags = CONF_VIP_MNGTMPADDR | CONF_VIP_NOPREFIXROUTE },
		{ "ff05::99", "ff05::99/128 nodad autojoin preferred_lft 0 dev v0", 128, .flags = CONF_VIP_AUTOJOIN },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_vip v = { .addr = ip(rows[i].addr),
				      .plen = rows[i].plen,
				      .flags = rows[i].flags,
				      .scope = rows[i].scope,
				      .preferred_lft = rows[i].lft };

		strcpy(v.dev, rows[i].dev ? rows[i].dev : "v0");
		strcpy(v.label, rows[i].label ? rows[i].label : "");
		if (rows[i].brd)
			v.brd = ip(rows[i].brd);
		if (rows[i].peer)
			v.peer = ip(rows[i].peer);
		expect_same((struct nl_change){ .addr = &v }, "addr", rows[i].words);
	}
}

static void local_routes_are_as_ip_adds_them_and_get_along_with_addresses(void **state)
{
	static const struct {
		const char *addr, *object, *words;
	} rows[] = {
		{ "10.1.0.1", "route", "local 10.1.0.1/32 dev v0 table local proto 18 scope host" },
		{ "2001:db8:1::1", "-6 route", "local 2001:db8:1::1/128 dev v0 table local proto 18" },
	};
	char *base, *with_address, words[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_vip v = { .addr = ip(rows[i].addr), .plen = i ? 128 : 32, .dev = "v0" };
		struct nl_change address = { .addr = &v }, local = { .addr = &v, .local = true };

		snprintf(words, sizeof(words), i ? "%s metric %u" : "%s", rows[i].words, 1024 + if_nametoindex("v0"));
		expect_same(local, rows[i].object, words);
		base = machine();
		drain();
		assert_int_equal(commit(address), 0);
		wait_addr();
		with_address = machine();
		address.del = true;
		assert_int_equal(commit(address), 0);
		expect_machine(base);
		/* the route first, the address behind it, the route away: what is left is the address as ever */
		drain();
		address.del = local.del = false;
		assert_int_equal(commit(local), 0);
		assert_int_equal(commit(address), 0);
		wait_addr();
		local.del = true;
		assert_int_equal(commit(local), 0);
		expect_machine(with_address);
		local.del = false; /* it is not needed, which is no error */
		assert_int_equal(commit(local), 0);
		local.del = address.del = true;
		assert_int_equal(commit(local), 0);
		assert_int_equal(commit(address), 0);
		expect_machine(base);
		free(base);
		free(with_address);
	}
}

static void ipv6_address_has_dad_when_asked(void **state)
{
	struct conf_vip v = { .addr = ip("2001:db8:1::1"), .plen = 64, .flags = CONF_VIP_DAD, .dev = "v0" };

	(void)state;
	assert_int_equal(commit((struct nl_change){ .addr = &v }), 0);
	run_ip("-6 -d addr show dev v0 | grep 2001:db8:1::1 | grep -vq nodad");
}

/* A route of the configuration with its defaults; @dst NULL: default. */
static struct conf_route route(const char *dst, uint8_t plen, uint8_t family)
{
	struct conf_route r = { .family = family,
				.type = RTN_UNICAST,
				.protocol = NL_PROTO,
				.table = RT_TABLE_MAIN,
				.dst_plen = plen,
				.ttl_propagate = -1 };

	if (dst)
		r.dst = ip(dst);
	return r;
}

static struct conf_nexthop hop(const char *via, const char *dev)
{
	struct conf_nexthop h = { .weight = 1 };

	if (via)
		h.via = ip(via);
	strcpy(h.dev, dev ? dev : "");
	return h;
}

static void expect_same_route(const struct conf_route *r, const char *words)
{
	expect_same((struct nl_change){ .route = r }, r->family == 6 ? "-6 route" : "route", words);
}

static void plain_routes_are_as_ip_adds_them(void **state)
{
	struct conf_route r = route(NULL, 0, 4);
	struct conf_nexthop h = hop("10.0.0.254", NULL);

	(void)state;
	r.hops = &h, r.nhops = 1;
	expect_same_route(&r, "default via 10.0.0.254 proto 18");
	r = route("10.9.0.0", 16, 4);
	r.hops = &h, r.nhops = 1, r.metric = 7, r.metric_set = true, r.tos = 0x10, r.table = 1000;
	r.src = ip("10.0.0.1");
	h.realms = 0x10002;
	expect_same_route(&r,
			  "10.9.0.0/16 via 10.0.0.254 metric 7 tos 0x10 table 1000 src 10.0.0.1 realms 1/2 proto 18");
	r = route("10.9.0.0", 16, 4);
	h = hop(NULL, "v0"), r.hops = &h, r.nhops = 1;
	expect_same_route(&r, "10.9.0.0/16 dev v0 proto 18");
	h = hop("172.16.0.1", "v0"), h.onlink = true;
	expect_same_route(&r, "10.9.0.0/16 via 172.16.0.1 dev v0 onlink proto 18");
	h = hop("fe80::1", "v0");
	expect_same_route(&r, "10.9.0.0/16 via inet6 fe80::1 dev v0 proto 18");
	r = route(NULL, 0, 6);
	h = hop("2001:db8::fe", NULL), r.hops = &h, r.nhops = 1;
	expect_same_route(&r, "default via 2001:db8::fe proto 18");
	r = route("2001:db8:9::", 48, 6);
	r.from = ip("2001:db8:7::"), r.from_plen = 48, r.hops = &h, r.nhops = 1, r.src = ip("2001:db8::1");
	r.pref = 2, r.expires = 100000, r.expires_set = true, r.table = 200;
	expect_same_route(&r, "2001:db8:9::/48 from 2001:db8:7::/48 via 2001:db8::fe src 2001:db8::1 pref high "
			      "expires 100000 table 200 proto 18");
}

static void typed_routes_are_as_ip_adds_them(void **state)
{
	static const struct {
		const char *name;
		uint8_t type;
	} types[] = {
		{ "blackhole", RTN_BLACKHOLE },
		{ "unreachable", RTN_UNREACHABLE },
		{ "prohibit", RTN_PROHIBIT },
		{ "throw", RTN_THROW },
	};
	struct conf_route r = route("10.9.0.0", 16, 4);
	struct conf_nexthop h = hop(NULL, "v0");
	char words[100];
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		r = route("10.9.0.0", 16, 4);
		r.type = types[i].type;
		snprintf(words, sizeof(words), "%s 10.9.0.0/16 proto 18", types[i].name);
		expect_same_route(&r, words);
		r = route("2001:db8:9::", 48, 6);
		r.type = types[i].type;
		snprintf(words, sizeof(words), "%s 2001:db8:9::/48 proto 18", types[i].name);
		expect_same_route(&r, words);
	}
	r = route("10.9.0.1", 32, 4);
	r.type = RTN_LOCAL, r.table = RT_TABLE_LOCAL, r.hops = &h, r.nhops = 1;
	expect_same_route(&r, "local 10.9.0.1 dev v0 proto 18");
	r.type = RTN_BROADCAST;
	expect_same_route(&r, "broadcast 10.9.0.1 dev v0 proto 18");
}

static void metrics_are_as_ip_adds_them(void **state)
{
	struct conf_route r = route("10.9.0.0", 16, 4);
	struct conf_nexthop h = hop("10.0.0.254", "v0");

	(void)state;
	r.hops = &h, r.nhops = 1;
	r.metrics[RTAX_MTU] = 1400, r.metrics[RTAX_ADVMSS] = 1300, r.metrics[RTAX_WINDOW] = 5000;
	r.metrics[RTAX_RTT] = 800, r.metrics[RTAX_RTTVAR] = 400, r.metrics[RTAX_RTO_MIN] = 300;
	r.metrics[RTAX_SSTHRESH] = 10, r.metrics[RTAX_CWND] = 20, r.metrics[RTAX_REORDERING] = 5;
	r.metrics[RTAX_HOPLIMIT] = 9, r.metrics[RTAX_INITCWND] = 11, r.metrics[RTAX_INITRWND] = 12;
	r.metrics[RTAX_FEATURES] = 1, r.metrics[RTAX_QUICKACK] = 1, r.metrics[RTAX_FASTOPEN_NO_COOKIE] = 1;
	r.metrics_set = 0x3fffe & ~(1 << RTAX_LOCK | 1 << RTAX_CC_ALGO);
	r.metrics_lock = 1 << RTAX_MTU | 1 << RTAX_RTT;
	r.congctl = "reno";
	expect_same_route(&r, "10.9.0.0/16 via 10.0.0.254 dev v0 proto 18 mtu lock 1400 advmss 1300 window 5000 "
			      "rtt lock 100ms rttvar 100ms rto_min 300ms ssthresh 10 cwnd 20 reordering 5 hoplimit 9 "
			      "initcwnd 11 initrwnd 12 features ecn quickack 1 fastopen_no_cookie 1 congctl reno");
}

static void multipath_routes_are_as_ip_adds_them(void **state)
{
	struct conf_nexthop h[3] = { hop("10.0.0.2", NULL), hop("172.16.0.1", "v1"), hop("fe80::1", "v0") };
	struct conf_nexthop h6[2] = { hop("2001:db8::2", NULL), hop("fe80::3", "v1") };
	struct conf_route r = route("10.9.0.0", 16, 4);

	(void)state;
	h[1].onlink = true, h[1].weight = 256, h[2].weight = 3, h[2].realms = 4;
	r.hops = h, r.nhops = 3;
	expect_same_route(&r,
			  "10.9.0.0/16 proto 18 nexthop via 10.0.0.2 nexthop via 172.16.0.1 dev v1 weight 256 onlink "
			  "nexthop via inet6 fe80::1 dev v0 weight 3 realms 4");
	r = route("2001:db8:9::", 48, 6);
	r.hops = h6, r.nhops = 2, h6[1].weight = 2;
	expect_same_route(&r, "2001:db8:9::/48 proto 18 nexthop via 2001:db8::2 nexthop via fe80::3 dev v1 weight 2");
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

static void expect_same_rule(const struct conf_rule *r, const char *words)
{
	expect_same((struct nl_change){ .rule = r }, r->family == 6 ? "-6 rule" : "rule", words);
}

static void rules_are_as_ip_adds_them(void **state)
{
	struct conf_rule r = rule(4);

	(void)state;
	expect_same_rule(&r, "lookup 100 pref 16000 protocol 18");
	r.from = ip("10.0.0.0"), r.from_plen = 8, r.to = ip("192.0.2.0"), r.to_plen = 24, r.invert = true, r.tos = 0x10;
	r.table = 1000, r.realms = 0x10002, r.suppress_plen = 8, r.suppress_group = 2;
	strcpy(r.iif, "v0");
	strcpy(r.oif, "none0");
	expect_same_rule(&r, "not from 10.0.0.0/8 to 192.0.2.0/24 tos 0x10 iif v0 oif none0 lookup 1000 realms 1/2 "
			     "suppress_prefixlength 8 suppress_ifgroup 2 pref 16000 protocol 18");
	r = rule(6);
	r.fwmark = 5, r.fwmask = 0xff, r.uid_min = 1, r.uid_max = 2, r.ip_proto = 6, r.tun_id = 77;
	r.sport_min = 10, r.sport_max = 20, r.dport_min = 30, r.dport_max = 40;
	r.set = CONF_RULE_FWMARK | CONF_RULE_UID | CONF_RULE_SPORT | CONF_RULE_DPORT | CONF_RULE_IPPROTO;
	expect_same_rule(&r, "fwmark 5/0xff uidrange 1-2 ipproto tcp sport 10-20 dport 30-40 tun_id 77 lookup 100 "
			     "pref 16000 protocol 18");
	r = rule(4);
	r.set = CONF_RULE_FWMARK, r.fwmark = 5;
	expect_same_rule(&r, "fwmark 5 lookup 100 pref 16000 protocol 18");
	r = rule(6);
	r.l3mdev = true;
	expect_same_rule(&r, "l3mdev pref 16000 protocol 18");
	r = rule(4);
	r.action = FR_ACT_GOTO, r.goto_pref = 32766;
	expect_same_rule(&r, "goto 32766 pref 16000 protocol 18");
	r.action = FR_ACT_NOP;
	expect_same_rule(&r, "nop pref 16000 protocol 18");
	r.action = FR_ACT_BLACKHOLE;
	expect_same_rule(&r, "blackhole pref 16000 protocol 18");
	r.action = FR_ACT_UNREACHABLE;
	expect_same_rule(&r, "unreachable pref 16000 protocol 18");
	r.action = FR_ACT_PROHIBIT;
	expect_same_rule(&r, "prohibit pref 16000 protocol 18");
}

/* ---- what is already there ---- */

static void prepended_route_comes_before_and_appended_after(void **state)
{
	struct conf_nexthop first = hop("10.0.0.3", NULL), last = hop("10.0.0.4", NULL);
	struct conf_route r = route("10.9.0.0", 16, 4);

	(void)state;
	run_ip("route add 10.9.0.0/16 via 10.0.0.2");
	r.hops = &first, r.nhops = 1, r.action = CONF_ROUTE_PREPEND;
	assert_int_equal(commit((struct nl_change){ .route = &r }), 0);
	r.hops = &last, r.action = CONF_ROUTE_APPEND;
	assert_int_equal(commit((struct nl_change){ .route = &r }), 0);
	run_ip("route show 10.9.0.0/16 | tr -s ' \\n' '  ' | grep -q '10.0.0.3.*10.0.0.2.*10.0.0.4'");
	assert_int_equal(commit((struct nl_change){ .route = &r, .del = true }), 0);
	run_ip("route show 10.9.0.0/16 | tr -s ' \\n' '  ' | grep -q '10.0.0.3.*10.0.0.2 dev v0 $'");
}

/* EEXIST says that the place is taken, not by whom. */
static void added_route_is_there_only_if_it_is_ours(void **state)
{
	struct conf_nexthop h = hop("10.0.0.3", "v0"), h6 = hop("2001:db8::3", "v0");
	struct conf_route r = route("10.9.0.0", 16, 4), r6 = route("2001:db8:9::", 48, 6);

	(void)state;
	r.hops = &h, r.nhops = 1, r.action = CONF_ROUTE_ADD;
	r6.hops = &h6, r6.nhops = 1, r6.action = CONF_ROUTE_ADD;
	run_ip("route add 10.9.0.0/16 via 10.0.0.3 proto static");
	run_ip("-6 route add 2001:db8:9::/48 via 2001:db8::3 proto static");
	assert_int_equal(commit((struct nl_change){ .route = &r }), -EEXIST);
	assert_int_equal(commit((struct nl_change){ .route = &r6 }), -EEXIST);
	run_ip("route replace 10.9.0.0/16 via 10.0.0.2 proto 18");
	assert_int_equal(commit((struct nl_change){ .route = &r }), -EEXIST); /* through another gateway */
	run_ip("route replace 10.9.0.0/16 via 10.0.0.3 proto 18");
	run_ip("-6 route replace 2001:db8:9::/48 via 2001:db8::3 proto 18");
	assert_int_equal(commit((struct nl_change){ .route = &r }), 0);
	assert_int_equal(commit((struct nl_change){ .route = &r6 }), 0);
}

static void deletion_leaves_what_others_have_added(void **state)
{
	struct conf_nexthop h = hop("2001:db8::3", "v0");
	struct conf_route r = route("2001:db8:9::", 48, 6);
	char *before;

	(void)state;
	run_ip("-6 route add 2001:db8:9::/48 via 2001:db8::3 metric 5 proto 18"); /* ours, with another metric */
	run_ip("-6 route add 2001:db8:9::/48 via 2001:db8::3 proto static");
	r.hops = &h, r.nhops = 1;
	before = machine();
	assert_int_equal(commit((struct nl_change){ .route = &r, .del = true }), 0);
	expect_machine(before);
	free(before);
}

static void what_a_vanished_interface_took_along_is_gone(void **state)
{
	struct conf_nexthop h[2] = { hop("10.0.0.3", "v0"), hop(NULL, "b0") };
	struct conf_route multi = route("10.9.0.0", 16, 4), one = route("10.8.0.0", 16, 4);
	struct conf_vip v = { .addr = ip("10.1.0.1"), .plen = 32, .dev = "b0" };
	struct nl_change c[3] = { { .addr = &v }, { .route = &multi }, { .route = &one } };
	char *base = machine();
	size_t i;

	(void)state;
	multi.hops = h, multi.nhops = 2, one.hops = h + 1, one.nhops = 1;
	run_ip("link add b0 type bridge");
	run_ip("link set b0 addrgenmode none up");
	nl_read(nl);
	assert_int_equal(nl_commit(nl, c, 3), 0);
	assert_true(c[0].err == 0 && c[1].err == 0 && c[2].err == 0);
	run_ip("link del b0");
	nl_read(nl);
	for (i = 0; i < 3; i++)
		c[i].del = true;
	assert_int_equal(nl_commit(nl, c, 3), 0);
	assert_true(c[0].err == 0 && c[1].err == 0 && c[2].err == 0);
	expect_machine(base);
	free(base);
}

/* ---- batches ---- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void commit_many(struct nl_change *c, size_t n, bool del, const char *what)
{
	double t = now();
	size_t i;

	for (i = 0; i < n; i++)
		c[i].del = del;
	assert_int_equal(nl_commit(nl, c, n), 0);
	print_message("%s %zu %s: %.0f ms\n", del ? "-" : "+", n, what, (now() - t) * 1e3);
	for (i = 0; i < n; i++)
		assert_int_equal(c[i].err, 0);
	memset(&told, 0, sizeof(told));
	read_all();
}

static void five_thousand_addresses_go_in_one_commit(void **state)
{
	struct nl_change *c = calloc(MANY, sizeof(*c));
	struct conf_vip *v = calloc(MANY, sizeof(*v));
	char *base = machine(), text[64];
	int family, i, n;

	(void)state;
	assert_true(c && v);
	for (family = 4; family <= 6; family += 2) {
		n = family == 4 ? MANY : MANY_IPV6;
		for (i = 0; i < n; i++) {
			snprintf(text, sizeof(text), family == 4 ? "10.2.%d.%d" : "2001:db8:2::%x:%x", i / 250,
				 i % 250 + 1);
			v[i] = (struct conf_vip){ .addr = ip(text), .plen = family == 4 ? 32 : 128, .dev = "v0" };
			c[i] = (struct nl_change){ .addr = &v[i] };
		}
		commit_many(c, n, false, family == 4 ? "IPv4 addresses" : "IPv6 addresses");
		while (told.addrs < (size_t)n) /* a worker of the kernel tells the IPv6 ones */
			read_more();
		commit_many(c, n, true, family == 4 ? "IPv4 addresses" : "IPv6 addresses");
		assert_int_equal(told.lost, 0);
		assert_int_equal(told.addrs_gone, n);
		assert_int_equal(told.addrs_gone_own, n);
	}
	expect_machine(base);
	free(base);
	free(c);
	free(v);
}

static void a_failing_change_stops_no_other(void **state)
{
	struct conf_vip v[3] = { { .addr = ip("10.1.0.1"), .plen = 32, .dev = "v0" },
				 { .addr = ip("10.1.0.2"), .plen = 32, .dev = "none0" },
				 { .addr = ip("2001:db8:1::3"), .plen = 128, .dev = "v0" } };
	struct conf_nexthop h = hop("192.168.77.1", NULL), *many = calloc(10000, sizeof(*many));
	struct conf_route r = route("10.9.0.0", 16, 4), big = route("10.8.0.0", 16, 4);
	struct nl_change c[5] = {
		{ .addr = &v[0] }, { .route = &big }, { .addr = &v[1] }, { .route = &r }, { .addr = &v[2] }
	};

	(void)state;
	assert_non_null(many);
	r.hops = &h, r.nhops = 1;
	big.hops = many, big.nhops = 10000; /* more than a message holds */
	assert_int_equal(nl_commit(nl, c, 5), 0);
	assert_int_equal(c[0].err, 0);
	assert_int_equal(c[1].err, -EMSGSIZE);
	assert_int_equal(c[2].err, -ENODEV);
	assert_int_equal(c[3].err, -ENETUNREACH);
	assert_int_equal(c[4].err, 0);
	run_ip("addr show dev v0 | grep -q 10.1.0.1/32");
	run_ip("addr show dev v0 | grep -q 2001:db8:1::3/128");
	free(many);
}

static void thousands_of_errors_all_arrive(void **state)
{
	struct conf_nexthop h = hop("192.168.77.1", NULL);
	struct conf_route r = route("10.9.0.0", 16, 4);
	struct nl_change *c = calloc(MANY, sizeof(*c));
	size_t i;

	(void)state;
	assert_non_null(c);
	r.hops = &h, r.nhops = 1;
	for (i = 0; i < MANY; i++)
		c[i].route = &r;
	assert_int_equal(nl_commit(nl, c, MANY), 0);
	for (i = 0; i < MANY; i++)
		assert_int_equal(c[i].err, -ENETUNREACH);
	free(c);
}

static void long_routes_share_no_batch_that_they_do_not_fit(void **state)
{
	enum { ROUTES = 50, HOPS = 200 }; /* 160 kB */
	struct conf_nexthop *h = calloc(HOPS, sizeof(*h));
	struct conf_route r[ROUTES];
	struct nl_change c[ROUTES];
	char *base, text[20];
	size_t i;

	(void)state;
	assert_non_null(h);
	for (i = 0; i < HOPS; i++) {
		snprintf(text, sizeof(text), "10.0.0.%zu", i % 250 + 2);
		h[i] = hop(text, "v0");
	}
	base = machine();
	for (i = 0; i < ROUTES; i++) {
		snprintf(text, sizeof(text), "10.9.%zu.0", i);
		r[i] = route(text, 24, 4);
		r[i].hops = h, r[i].nhops = HOPS;
		c[i] = (struct nl_change){ .route = &r[i] };
	}
	commit_many(c, ROUTES, false, "routes with 200 hops");
	run_ip("route show | grep -c '^10.9[.]' | grep -qx 50");
	commit_many(c, ROUTES, true, "routes with 200 hops");
	expect_machine(base);
	free(base);
	free(h);
}

/* ---- notifications ---- */

static void deleted_route_is_told_with_who_did_it(void **state)
{
	struct conf_nexthop h = hop("10.0.0.3", "v0"), h6 = hop("2001:db8::3", "v0");
	struct conf_route r[2] = { route("10.9.0.0", 16, 4), route("2001:db8:9::", 48, 6) };
	const char *words[2] = { "route del 10.9.0.0/16", "-6 route del 2001:db8:9::/48" };
	int i;

	(void)state;
	r[0].hops = &h, r[0].nhops = 1, r[1].hops = &h6, r[1].nhops = 1;
	assert_int_equal(nl_watch_routes(nl, true, false), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(commit((struct nl_change){ .route = &r[i] }), 0);
		assert_false(readable()); /* the filter: new routes do not wake us */
		run_ip("%s", words[i]);
		drain();
		assert_int_equal(commit((struct nl_change){ .route = &r[i] }), 0);
		run_ip("%s", words[i]);
		nl_read(nl);
		assert_true(told.routes == 1 && told.routes_own == 0);
		assert_true(nl_is_route(nl, &told.route, &r[i]));
		assert_false(nl_is_route(nl, &told.route, &r[!i]));
		drain();
		assert_int_equal(commit((struct nl_change){ .route = &r[i] }), 0);
		assert_int_equal(commit((struct nl_change){ .route = &r[i], .del = true }), 0);
		nl_read(nl);
		assert_true(told.routes == 1 && told.routes_own == 1);
		drain();
	}
}

static void hop_that_goes_is_told_as_its_route(void **state)
{
	struct conf_nexthop h[2] = { hop("2001:db8::2", "v0"), hop("2001:db8::3", "v0") };
	struct conf_route r = route("2001:db8:9::", 48, 6);

	(void)state;
	r.hops = h, r.nhops = 2;
	assert_int_equal(nl_watch_routes(nl, true, true), 0);
	assert_int_equal(commit((struct nl_change){ .route = &r }), 0);
	drain();
	run_ip("-6 route del 2001:db8:9::/48 via 2001:db8::3 dev v0");
	nl_read(nl);
	assert_int_equal(told.routes, 1);
	assert_true(nl_is_route(nl, &told.route, &r));
	drain();
	run_ip("-6 route del 2001:db8:9::/48");
	nl_read(nl);
	assert_int_equal(told.routes, 1);
	assert_true(nl_is_route(nl, &told.route, &r));
}

static void routes_of_others_wake_nobody(void **state)
{
	(void)state;
	assert_int_equal(nl_watch_routes(nl, true, true), 0);
	run_ip("route add 10.9.0.0/16 via 10.0.0.2 proto bgp");
	run_ip("route del 10.9.0.0/16");
	run_ip("-6 route add 2001:db8:9::/48 via 2001:db8::2 proto bgp");
	run_ip("-6 route del 2001:db8:9::/48");
	assert_false(readable());
	run_ip("rule add lookup 100 pref 16000 protocol static");
	assert_false(readable());
	run_ip("rule del pref 16000");
	nl_read(nl);
	assert_int_equal(told.rules, 0);
}

static void routes_are_told_only_while_watched(void **state)
{
	(void)state;
	run_ip("route add 10.9.0.0/16 via 10.0.0.2 proto 18");
	run_ip("route del 10.9.0.0/16");
	assert_false(readable());
	assert_int_equal(nl_watch_routes(nl, true, true), 0);
	assert_int_equal(nl_watch_routes(nl, false, true), 0);
	run_ip("route add 10.9.0.0/16 via 10.0.0.2 proto 18");
	run_ip("route del 10.9.0.0/16");
	assert_false(readable());
}

static void deleted_rule_is_told_with_who_did_it(void **state)
{
	struct conf_rule r[2] = { rule(4), rule(6) };
	int i;

	(void)state;
	assert_int_equal(nl_watch_routes(nl, false, true), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(commit((struct nl_change){ .rule = &r[i] }), 0);
		run_ip("%s rule del pref 16000", i ? "-6" : "-4");
		nl_read(nl);
		assert_true(told.rules == 1 && told.rules_own == 0);
		assert_true(nl_is_rule(&told.rule, &r[i]));
		assert_false(nl_is_rule(&told.rule, &r[!i]));
		assert_int_equal(commit((struct nl_change){ .rule = &r[i] }), 0);
		assert_int_equal(commit((struct nl_change){ .rule = &r[i], .del = true }), 0);
		nl_read(nl);
		assert_true(told.rules == 2 && told.rules_own == 1);
		drain();
	}
}

/* The kernel does not say who deletes an IPv6 address. */
static void deleted_ipv6_address_is_ours_only_if_we_did_it(void **state)
{
	struct conf_vip v = { .addr = ip("2001:db8:1::1"), .plen = 64, .dev = "v0" };
	struct nl_change add = { .addr = &v }, del = { .addr = &v, .del = true };

	(void)state;
	assert_int_equal(commit(add), 0);
	run_ip("addr del 2001:db8:1::1/64 dev v0");
	nl_read(nl);
	assert_true(told.addrs_gone == 1 && told.addrs_gone_own == 0);
	assert_true(told.addr.addr.family == 6 && told.addr.plen == 64 && told.addr.ifindex == nl_ifindex(nl, "v0"));
	assert_memory_equal(told.addr.addr.b, v.addr.b, 16);
	run_ip("addr add 2001:db8:1::2/64 dev v0 nodad");
	assert_int_equal(commit(add), 0);
	run_ip("addr del 2001:db8:1::2/64 dev v0");
	assert_int_equal(commit(del), 0);
	assert_int_equal(commit(del), 0); /* gone already: nothing will be told of it */
	nl_read(nl);
	assert_true(told.addrs_gone == 3 && told.addrs_gone_own == 1);
	assert_int_equal(commit(add), 0);
	run_ip("addr del 2001:db8:1::1/64 dev v0");
	nl_read(nl);
	assert_true(told.addrs_gone == 4 && told.addrs_gone_own == 1);
}

static void peer_address_is_told_by_its_own_side(void **state)
{
	struct conf_addr own = ip("2001:db8:1::1");

	(void)state;
	run_ip("addr add 2001:db8:1::1 peer 2001:db8:1::2/128 dev v0 nodad");
	read_more(); /* a worker of the kernel tells it */
	assert_memory_equal(told.addr.addr.b, own.b, 16);
	run_ip("addr add 10.1.0.1 peer 10.1.0.2/32 dev v0");
	nl_read(nl);
	own = ip("10.1.0.1");
	assert_true(told.addr.addr.family == 4 && !told.addr.secondary);
	assert_memory_equal(told.addr.addr.b, own.b, 4);
	run_ip("addr add 10.0.0.77/24 dev v0");
	nl_read(nl);
	assert_true(told.addr.secondary);
}

static void dump_tells_links_and_addresses_of_both_families(void **state)
{
	(void)state;
	memset(&told, 0, sizeof(told));
	assert_int_equal(nl_dump(nl), 0);
	assert_true(told.links >= 3);    /* lo, v0, v1, and what modules add to every namespace */
	assert_int_equal(told.addrs, 4); /* two, and lo's */
}

static void lost_notifications_are_told_and_a_dump_repairs(void **state)
{
	struct conf_vip v = { .addr = ip("10.1.0.1"), .plen = 32, .dev = "v0" };
	int i, size = 4096;

	(void)state;
	assert_int_equal(setsockopt(nl_fd(nl), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(commit((struct nl_change){ .addr = &v, .del = i & 1 }), 0);
	run_ip("link set v1 name w1");
	run_ip("link add w2 type bridge");
	nl_read(nl);
	assert_true(told.lost > 0);
	assert_int_equal(nl_ifindex(nl, "w2"), 0);
	assert_int_equal(nl_dump(nl), 0);
	assert_int_equal(nl_ifindex(nl, "v1"), 0);
	assert_true(nl_ifindex(nl, "w1") > 0 && nl_ifindex(nl, "w2") > 0);
	run_ip("link del w2");
	assert_int_equal(nl_dump(nl), 0);
	assert_int_equal(nl_ifindex(nl, "w2"), 0);
}

/* ---- links ---- */

static void names_of_links_follow_renames_and_deletions(void **state)
{
	int v0 = nl_ifindex(nl, "v0"), v1 = nl_ifindex(nl, "v1");

	(void)state;
	assert_true(v0 > 0 && v1 > 0 && v0 != v1);
	assert_int_equal(nl_ifindex(nl, "lo"), 1);
	assert_int_equal(nl_ifindex(nl, "v"), 0);
	run_ip("link set v1 name tmp0");
	run_ip("link add v1 type bridge");
	run_ip("link set v1 name v9");
	run_ip("link set tmp0 name v1");
	nl_read(nl);
	assert_int_equal(nl_ifindex(nl, "v1"), v1);
	assert_int_equal(nl_ifindex(nl, "tmp0"), 0);
	assert_true(nl_ifindex(nl, "v9") > 0);
	run_ip("link del v9");
	nl_read(nl);
	assert_int_equal(nl_ifindex(nl, "v9"), 0);
	assert_int_equal(nl_link_read(nl, v0), 0);
	assert_int_equal(nl_ifindex(nl, "v0"), v0);
	assert_int_equal(nl_link_read(nl, 999999), -ENODEV);
}

static void a_thousand_links_keep_their_names(void **state)
{
	enum { PAIRS = 500 };
	char name[20];
	int i;

	(void)state;
	run_ip("-batch - <<E\n$(seq %d | sed 's/.*/link add many& type veth peer name peer&/')\nE", PAIRS);
	read_all();
	for (i = 1; i <= PAIRS; i++) {
		snprintf(name, sizeof(name), "many%d", i);
		assert_true(nl_ifindex(nl, name) > 0);
		snprintf(name, sizeof(name), "peer%d", i);
		assert_true(nl_ifindex(nl, name) > 0);
	}
	run_ip("-batch - <<E\n$(seq -f 'link del many%%.0f' 1 2 %d)\nE", PAIRS);
	read_all();
	for (i = 1; i <= PAIRS; i++) {
		snprintf(name, sizeof(name), "peer%d", i);
		assert_int_equal(nl_ifindex(nl, name) > 0, i % 2 == 0);
	}
	run_ip("-batch - <<E\n$(seq -f 'link del many%%.0f' 2 2 %d)\nE", PAIRS);
}

static void commit_and_ask(void *arg, const struct nl_link *l)
{
	struct conf_vip vip = { .addr = { .family = 4, .b = { 10, 66, 0, 1 } }, .plen = 32, .dev = "v0" };
	struct nl_change c = { .addr = &vip };

	assert_int_equal(nl_commit(*(struct nl **)arg, &c, 1), 0);
	assert_int_equal(nl_link_read(*(struct nl **)arg, l->ifindex), -EBUSY);
	told.links++;
}

/* A renamed interface is met in a dump, and what we had on it has to go at once. */
static void a_callback_of_a_dump_may_commit(void **state)
{
	struct nl *n;
	const struct nl_ops ops = { .link = commit_and_ask, .arg = &n };

	(void)state;
	told.links = 0;
	assert_int_equal(nl_new(&n, &ops), 0);
	alarm(10);
	assert_int_equal(nl_dump(n), 0);
	alarm(0);
	assert_true(told.links >= 2);
	nl_free(n);
}

static void callbacks_may_be_missing(void **state)
{
	const struct nl_ops none = { 0 };
	struct nl *quiet;

	(void)state;
	assert_int_equal(nl_new(&quiet, &none), 0);
	assert_int_equal(nl_watch_routes(quiet, true, true), 0);
	assert_int_equal(nl_dump(quiet), 0);
	run_ip("route add 10.9.0.0/16 via 10.0.0.2 proto 18");
	run_ip("route del 10.9.0.0/16");
	run_ip("rule add lookup 100 pref 16000 protocol 18");
	run_ip("rule del pref 16000");
	run_ip("addr add 10.1.0.1/32 dev v0");
	nl_read(quiet);
	assert_true(nl_ifindex(quiet, "v0") > 0);
	nl_free(quiet);
	nl_free(NULL);
}

#define NET_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		NET_TEST(addresses_are_as_ip_adds_them),
		NET_TEST(local_routes_are_as_ip_adds_them_and_get_along_with_addresses),
		NET_TEST(ipv6_address_has_dad_when_asked),
		NET_TEST(plain_routes_are_as_ip_adds_them),
		NET_TEST(typed_routes_are_as_ip_adds_them),
		NET_TEST(metrics_are_as_ip_adds_them),
		NET_TEST(multipath_routes_are_as_ip_adds_them),
		NET_TEST(rules_are_as_ip_adds_them),
		NET_TEST(prepended_route_comes_before_and_appended_after),
		NET_TEST(added_route_is_there_only_if_it_is_ours),
		NET_TEST(deletion_leaves_what_others_have_added),
		NET_TEST(what_a_vanished_interface_took_along_is_gone),
		NET_TEST(five_thousand_addresses_go_in_one_commit),
		NET_TEST(a_failing_change_stops_no_other),
		NET_TEST(thousands_of_errors_all_arrive),
		NET_TEST(long_routes_share_no_batch_that_they_do_not_fit),
		NET_TEST(deleted_route_is_told_with_who_did_it),
		NET_TEST(hop_that_goes_is_told_as_its_route),
		NET_TEST(routes_of_others_wake_nobody),
		NET_TEST(routes_are_told_only_while_watched),
		NET_TEST(deleted_rule_is_told_with_who_did_it),
		NET_TEST(deleted_ipv6_address_is_ours_only_if_we_did_it),
		NET_TEST(peer_address_is_told_by_its_own_side),
		NET_TEST(dump_tells_links_and_addresses_of_both_families),
		NET_TEST(lost_notifications_are_told_and_a_dump_repairs),
		NET_TEST(names_of_links_follow_renames_and_deletions),
		NET_TEST(a_thousand_links_keep_their_names),
		NET_TEST(a_callback_of_a_dump_may_commit),
		NET_TEST(callbacks_may_be_missing),
	};

	if (unshare(CLONE_NEWNET)) {
		fprintf(stderr, "test_nl: cannot make a network namespace: %s; run it as root\n", strerror(errno));
		return 1;
	}
	run_ip("link set lo up");
	return cmocka_run_group_tests_name("nl in the kernel", tests, NULL, NULL);
}
