// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf_addr.c, conf_route.c, conf_rule.c, conf_script.c: one line in, the line as it prints and what is said about it
 * out. The lexer cuts the words, and what is printed must parse to the same without another word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_lex.h"

enum kind { ADDR, ROUTE, RULE, CMD, CMD_USERS };

struct run {
	enum kind kind;
	const char *in;
	bool is_static;
	struct conf conf;
	struct conf_io io;
	struct conf_diag diag;
	int rc, ndropped, nlines;
	char out[2048], said[4096];
	struct conf_vip vip;
	struct conf_route route;
	struct conf_rule rule;
	struct conf_cmd cmd;
};

static void on_msg(void *arg, enum conf_severity sev, const struct conf_at *at, const char *text)
{
	struct run *r = arg;
	size_t n = strlen(r->said);

	assert_int_equal(sev, CONF_WARN);
	assert_true(at->line >= 1);
	snprintf(r->said + n, sizeof(r->said) - n, "%s%s", n ? "; " : "", text);
}

static int read_text(void *arg, const char *pattern, conf_emit_fn emit, void *emit_arg)
{
	struct run *r = arg;
	int err = emit(emit_arg, pattern, r->in, strlen(r->in));

	return err ? err : 1;
}

/* The names that these tests know. */
static int name(void *arg, enum conf_names kind, const char *text, uint32_t *out)
{
	(void)arg;
	if (kind == CONF_NAMES_TABLES && !strcmp(text, "vpn"))
		*out = 1000;
	else if (kind == CONF_NAMES_PROTOS && !strcmp(text, "zebra"))
		*out = 11;
	else if (kind == CONF_NAMES_REALMS && !strcmp(text, "lan"))
		*out = 7;
	else if (kind == CONF_NAMES_DSFIELDS && !strcmp(text, "EF"))
		*out = 0xb8;
	else if (kind == CONF_NAMES_GROUPS && !strcmp(text, "uplinks"))
		*out = 3;
	else if (kind == CONF_NAMES_SCOPES && !strcmp(text, "campus"))
		*out = 150;
	else
		return -ENOENT;
	return 0;
}

static void keep(struct run *r, char *text)
{
	size_t n = strlen(r->out);

	assert_non_null(text);
	snprintf(r->out + n, sizeof(r->out) - n, "%s%s", n ? "\n" : "", text);
}

static int on_line(void *arg, const struct conf_line *l)
{
	struct run *r = arg;
	struct conf_line_ctx x = {
		.conf = &r->conf, .io = &r->io, .diag = &r->diag, .owner = "V1", .is_static = r->is_static
	};
	char *text;

	assert_int_equal(l->ev, CONF_EV_WORDS);
	r->nlines++;
	switch (r->kind) {
	case ADDR:
		r->rc = conf_addr_line(&x, l, &r->vip);
		if (!r->rc) {
			text = conf_addr_text(&r->vip, "eth0");
			keep(r, text);
			free(text);
		}
		break;
	case ROUTE:
		r->rc = conf_route_line(&x, l, &r->route);
		if (!r->rc)
			keep(r, (char *)r->route.text);
		break;
	case RULE:
		r->rc = conf_rule_line(&x, l, &r->rule);
		if (!r->rc)
			keep(r, (char *)r->rule.text);
		break;
	case CMD:
	case CMD_USERS:
		r->rc = conf_cmd_line(&x, l, r->kind == CMD_USERS, &r->cmd);
		if (!r->rc)
			keep(r, (char *)r->cmd.text);
		break;
	}
	assert_true(r->rc == 0 || r->rc == 1);
	r->ndropped += r->rc;
	return 0;
}

static void run(struct run *r, enum kind kind, const char *in, bool is_static)
{
	*r = (struct run){ .kind = kind, .in = in, .is_static = is_static };
	r->io = (struct conf_io){ .read = read_text, .name = name, .arg = r };
	r->diag = (struct conf_diag){ .msg = on_msg, .arg = r };
	conf_init(&r->conf);
	assert_int_equal(conf_lex(&r->conf, "test.conf", &r->io, &r->diag, on_line, r), 0);
	assert_true(r->nlines >= 1);
}

/* One row: NULL as @out says that the line is dropped; @said is part of what is said, NULL says nothing. */
struct row {
	const char *in, *out, *said;
	bool is_static;
};

static void check_again(enum kind kind, const struct row *row, const char *text, const char *keyword)
{
	struct run r;
	char line[2100];

	snprintf(line, sizeof(line), "%s%s", keyword, text);
	run(&r, kind, line, row->is_static);
	if (r.said[0] || strcmp(r.out, text) != 0)
		fail_msg("%s\nprints %s\nand then %s\n%s", row->in, text, r.out, r.said);
	conf_free(&r.conf);
}

static void check_rows(enum kind kind, const struct row *rows, size_t n)
{
	struct run r;

	for (size_t i = 0; i < n; i++) {
		const struct row *row = &rows[i];

		run(&r, kind, row->in, row->is_static);
		if (!row->out != !!r.rc || (row->out && strcmp(row->out, r.out) != 0))
			fail_msg("%s\ngives   %s\ninstead %s\n%s", row->in, r.rc ? "nothing" : r.out,
				 row->out ? row->out : "of nothing", r.said);
		if (!row->said != !r.said[0] || (row->said && !strstr(r.said, row->said)))
			fail_msg("%s\nsays    %s\ninstead %s", row->in, r.said, row->said);
		if (!r.rc)
			check_again(kind, row, r.out, kind >= CMD ? "script " : "");
		conf_free(&r.conf);
	}
}

#define CHECK_ROWS(kind, rows) check_rows(kind, rows, sizeof(rows) / sizeof(rows[0]))

/* ---- addresses: spec 3.1 ---- */

static void addresses_print_as_they_parse(void **state)
{
	static const struct row rows[] = {
		{ "192.0.2.1", "192.0.2.1/32", NULL, 0 },
		{ "192.0.2.1/24", "192.0.2.1/24", NULL, 0 },
		{ "2001:db8::1", "2001:db8::1/128", NULL, 0 },
		{ "2001:DB8:0::1/64", "2001:db8::1/64", NULL, 0 },
		{ "192.0.2.1/24 dev eth0", "192.0.2.1/24", NULL, 0 },
		{ "192.0.2.1/24 dev eth1", "192.0.2.1/24 dev eth1", NULL, 0 },
		{ "dev eth1 192.0.2.1/24", "192.0.2.1/24 dev eth1", NULL, 0 },
		{ "192.0.2.1/24 dev \"a#b\"", "192.0.2.1/24 dev \"a#b\"", NULL, 0 },
		{ "192.0.2.1/24 brd 192.0.2.255", "192.0.2.1/24 brd 192.0.2.255", NULL, 0 },
		{ "192.0.2.1/24 broadcast 192.0.2.255", "192.0.2.1/24 brd 192.0.2.255", NULL, 0 },
		{ "192.0.2.69/26 brd +", "192.0.2.69/26 brd 192.0.2.127", NULL, 0 },
		{ "192.0.2.69/26 brd -", "192.0.2.69/26 brd 192.0.2.64", NULL, 0 },
		{ "192.0.2.1/30 brd +", "192.0.2.1/30 brd 192.0.2.3", NULL, 0 },
		{ "192.0.2.1/24 scope link", "192.0.2.1/24 scope link", NULL, 0 },
		{ "192.0.2.1/24 scope 253", "192.0.2.1/24 scope link", NULL, 0 },
		{ "192.0.2.1/24 scope nowhere", "192.0.2.1/24 scope 255", NULL, 0 },
		{ "192.0.2.1/24 scope campus", "192.0.2.1/24 scope 150", NULL, 0 },
		{ "192.0.2.1/24 label eth0:vip", "192.0.2.1/24 label eth0:vip", NULL, 0 },
		{ "192.0.2.1/24 label abcdefghijklmno", "192.0.2.1/24 label abcdefghijklmno", NULL, 0 },
		{ "192.0.2.1/24 peer 198.51.100.1", "192.0.2.1 peer 198.51.100.1/32", NULL, 0 },
		{ "192.0.2.1 peer 198.51.100.1/24", "192.0.2.1 peer 198.51.100.1/24", NULL, 0 },
		{ "192.0.2.1/24 no_track use_vmac", "192.0.2.1/24 no_track use_vmac", NULL, 0 },
		{ "192.0.2.1/24 autojoin noprefixroute", "192.0.2.1/24 noprefixroute autojoin", NULL, 0 },
		{ "2001:db8::1/64 home -nodad mngtmpaddr", "2001:db8::1/64 home -nodad mngtmpaddr", NULL, 0 },
		{ "2001:db8::1 preferred_lft forever", "2001:db8::1/128 preferred_lft forever", NULL, 0 },
		{ "2001:db8::1 preferred_lft 0", "2001:db8::1/128 preferred_lft 0", NULL, 0 },
		{ "192.0.2.1/24 track_group g1", "192.0.2.1/24 track_group g1", NULL, true },
	};

	(void)state;
	CHECK_ROWS(ADDR, rows);
}

static void what_an_address_cannot_use_is_said(void **state)
{
	static const struct row rows[] = {
		{ "192.0.2.1/33", "192.0.2.1/32", "/32 is used", 0 },
		{ "192.0.2.1/24x", "192.0.2.1/32", "/32 is used", 0 },
		{ "192.0.2.1/255.255.255.0", "192.0.2.1/32", "/32 is used", 0 },
		{ "2001:db8::1/129", "2001:db8::1/128", "/128 is used", 0 },
		{ "www.example.org", NULL, "not an IP address", 0 },
		{ "192.0.2.1-9", NULL, "not an IP address", 0 },
		{ "192.0.2.300/24", NULL, "not an IP address", 0 },
		{ "dev eth0", NULL, "no address", 0 },
		{ "192.0.2.1/24 quick", "192.0.2.1/24", "\"quick\" is not an option", 0 },
		{ "192.0.2.1/24 192.0.2.2/24", "192.0.2.1/24", "is not an option", 0 },
		{ "192.0.2.1/24 dev", NULL, "dev has no value", 0 },
		{ "192.0.2.1/24 dev abcdefghijklmnop", NULL, "name of an interface", 0 },
		{ "192.0.2.1/31 brd +", "192.0.2.1/31", "brd + is ignored", 0 },
		{ "192.0.2.1/24 brd nine", NULL, "not an IP address", 0 },
		{ "192.0.2.1/24 brd 2001:db8::", NULL, "no IPv4 address", 0 },
		{ "192.0.2.1/24 brd", NULL, "brd has no value", 0 },
		{ "2001:db8::1/64 brd +", NULL, "IPv6 has no broadcast", 0 },
		{ "192.0.2.1/24 scope moon", NULL, "rt_scopes", 0 },
		{ "192.0.2.1/24 scope 256", NULL, "rt_scopes", 0 },
		{ "192.0.2.1/24 label abcdefghijklmnop", "192.0.2.1/24", "label \"abcdefghijklmnop\" is ignored", 0 },
		{ "2001:db8::1/64 label a scope link", "2001:db8::1/64", "label \"a\" is ignored", 0 },
		{ "2001:db8::1/64 scope link", "2001:db8::1/64", "scope is ignored", 0 },
		{ "192.0.2.1 peer 198.51.100.1 brd +", "192.0.2.1 peer 198.51.100.1/32", "brd is ignored", 0 },
		{ "192.0.2.1 peer 2001:db8::1", NULL, "peer is IPv6", 0 },
		{ "192.0.2.1/24 home -nodad", "192.0.2.1/24", "-nodad is ignored", 0 },
		{ "192.0.2.1/24 preferred_lft soon", NULL, "preferred_lft", 0 },
		{ "192.0.2.1/24 track_group g1", "192.0.2.1/24", "track_group is ignored", 0 },
		{ "192.0.2.1/24 use_vmac", "192.0.2.1/24", "use_vmac is ignored", true },
	};

	(void)state;
	CHECK_ROWS(ADDR, rows);
}

static void fields_of_an_address(void **state)
{
	struct run r;

	(void)state;
	run(&r, ADDR, "\n192.0.2.1/24 dev eth1", false);
	assert_int_equal(r.vip.line, 2);
	assert_string_equal(r.vip.dev, "eth1");
	assert_true(r.vip.preferred_lft == UINT32_MAX && r.vip.flags == 0);
	conf_free(&r.conf);
	run(&r, ADDR, "192.0.2.1/24", false);
	assert_string_equal(r.vip.dev, "");
	conf_free(&r.conf);
	run(&r, ADDR, "127.1.0.1/32", false); /* as the kernel and ip(8) would choose */
	assert_int_equal(r.vip.scope, RT_SCOPE_HOST);
	conf_free(&r.conf);
}

/* ---- routes: spec 3.2 ---- */

static void routes_print_as_they_parse(void **state)
{
	static const struct row rows[] = {
		{ "192.0.2.0/24 via 198.51.100.1", "192.0.2.0/24 via 198.51.100.1", NULL, 0 },
		{ "default via 198.51.100.1", "inet default via 198.51.100.1", NULL, 0 },
		{ "via 198.51.100.1 default", "inet default via 198.51.100.1", NULL, 0 },
		{ "src 192.0.2.9 default via 198.51.100.1", "default src 192.0.2.9 via 198.51.100.1", NULL, 0 },
		{ "any dev eth1", "inet default dev eth1", NULL, 0 },
		{ "inet6 default dev eth1", "inet6 default dev eth1", NULL, 0 },
		{ "default via fe80::1 dev eth0", "inet6 default via inet6 fe80::1 dev eth0", NULL, 0 },
		{ "inet default via inet6 fe80::1 dev eth0", "inet default via inet6 fe80::1 dev eth0", NULL, 0 },
		{ "192.0.2.0/24 via inet6 fe80::1 dev eth0", "192.0.2.0/24 via inet6 fe80::1 dev eth0", NULL, 0 },
		{ "2001:db8::/32 via fe80::1", "2001:db8::/32 via inet6 fe80::1", NULL, 0 },
		{ "to 192.0.2.7 dev eth0", "192.0.2.7/32 dev eth0", NULL, 0 },
		{ "blackhole 192.0.2.0/24", "blackhole 192.0.2.0/24", NULL, 0 },
		{ "unreachable default metric 9", "inet unreachable default metric 9", NULL, 0 },
		{ "192.0.2.0/24 dev eth0 table vpn", "192.0.2.0/24 table 1000 dev eth0", NULL, 0 },
		{ "192.0.2.0/24 dev eth0 table local", "192.0.2.0/24 table 255 dev eth0", NULL, 0 },
		{ "192.0.2.0/24 dev eth0 table 0x10", "192.0.2.0/24 table 16 dev eth0", NULL, 0 },
		{ "192.0.2.0/24 oif eth0 priority 5 tos EF", "192.0.2.0/24 metric 5 tos 184 dev eth0", NULL, 0 },
		{ "192.0.2.0/24 dev eth0 scope link onlink", "192.0.2.0/24 scope 253 dev eth0 onlink", NULL, 0 },
		{ "192.0.2.0/24 dev eth0 protocol zebra no_track", "192.0.2.0/24 protocol 11 no_track dev eth0", NULL,
		  0 },
		{ "192.0.2.0/24 dev eth0 mtu lock 1400 advmss 1360", "192.0.2.0/24 mtu lock 1400 advmss 1360 dev eth0",
		  NULL, 0 },
		{ "192.0.2.0/24 dev eth0 rtt 20ms rttvar 1.5s rto_min lock 300",
		  "192.0.2.0/24 rtt 160 rttvar 6000 rto_min lock 300 dev eth0", NULL, 0 },
		{ "192.0.2.0/24 dev eth0 hoplimit 9 window 2 initcwnd 10 initrwnd 20 reordering 4 cwnd 3 ssthresh 5",
		  "192.0.2.0/24 reordering 4 cwnd 3 ssthresh 5 hoplimit 9 window 2 initcwnd 10 initrwnd 20 dev eth0",
		  NULL, 0 },
		{ "192.0.2.0/24 dev eth0 features ecn quickack 1 congctl lock bbr fastopen_no_cookie 0",
		  "192.0.2.0/24 quickack 1 fastopen_no_cookie 0 congctl lock bbr features ecn dev eth0", NULL, 0 },
		{ "2001:db8::/32 dev eth0 pref high expires 90 from 2001:db8:1::/48",
		  "2001:db8::/32 from 2001:db8:1::/48 pref high expires 90 dev eth0", NULL, 0 },
		{ "192.0.2.0/24 dev eth0 ttl-propagate disabled realms lan",
		  "192.0.2.0/24 ttl-propagate disabled dev eth0 realms 0/7", NULL, 0 },
		{ "192.0.2.0/24 dev eth0 rtt 300000s", "192.0.2.0/24 rtt 2400000000 dev eth0", NULL, 0 },
		{ "append 192.0.2.0/24 dev eth0", "192.0.2.0/24 append dev eth0", NULL, 0 },
		{ "add 192.0.2.0/24 dev eth0", "192.0.2.0/24 add dev eth0", NULL, 0 },
		{ "prepend 192.0.2.0/24 dev eth0", "192.0.2.0/24 dev eth0", NULL, 0 },
		{ "default nexthop via 192.0.2.1 weight 3 nexthop via 192.0.2.2 dev eth1 onlink realms 2/lan",
		  "inet default nexthop via 192.0.2.1 weight 3 nexthop via 192.0.2.2 dev eth1 onlink realms 2/7", NULL,
		  0 },
		{ "192.0.2.0/24 dev eth0 track_group g", "192.0.2.0/24 track_group g dev eth0", NULL, true },
	};

	(void)state;
	CHECK_ROWS(ROUTE, rows);
}

static void what_a_route_cannot_use_is_said(void **state)
{
	static const struct row rows[] = {
		{ "192.0.2.0/24 via 198.51.100.1 or 198.51.100.2",
		  "192.0.2.0/24 nexthop via 198.51.100.1 nexthop via 198.51.100.2", "\"or\" is an old word", 0 },
		{ "192.0.2.0/24 gw 198.51.100.1", "192.0.2.0/24 via 198.51.100.1", "\"gw\" is an old word", 0 },
		{ "192.0.2.9/24 dev eth0", "192.0.2.0/24 dev eth0", "192.0.2.0/24 is used", 0 },
		{ "192.0.2.0/24 dev eth0 proto static", NULL, "\"proto\" is neither", 0 },
		{ "proto static 192.0.2.0/24 dev eth0", NULL, "\"proto\" is neither", 0 },
		{ "via 198.51.100.1", NULL, "no destination", 0 },
		{ "192.0.2.0/40 dev eth0", NULL, "wrong prefix length", 0 },
		{ "192.0.2.0/24 dev eth0 table nowhere", NULL, "rt_tables", 0 },
		{ "192.0.2.0/24 dev eth0 metric -1", NULL, "metric \"-1\" is not a number", 0 },
		{ "192.0.2.0/24 via here", NULL, "not an IP address", 0 },
		{ "192.0.2.0/24 via inet6 198.51.100.1", NULL, "IPv4, not as said", 0 },
		{ "192.0.2.0/24 src 2001:db8::1 dev eth0", NULL, "IPv4 and IPv6", 0 },
		{ "inet6 192.0.2.0/24 dev eth0", NULL, "IPv4 and IPv6", 0 },
		{ "2001:db8::/32 via 192.0.2.1", NULL, "cannot go via an IPv4", 0 },
		{ "192.0.2.0/24 dev eth0 protocol static", "192.0.2.0/24 dev eth0", "protocol 4 is ignored", 0 },
		{ "192.0.2.0/24 dev eth0 expires 3 pref low from 192.0.2.0/25", "192.0.2.0/24 dev eth0",
		  "expires is ignored", 0 },
		{ "blackhole 192.0.2.0/24 dev eth0", "blackhole 192.0.2.0/24", "leads nowhere", 0 },
		{ "192.0.2.0/24 encap mpls 100 via 198.51.100.1", NULL, "encap is not supported", 0 },
		{ "192.0.2.0/24 dev eth0 vrf red", NULL, "vrf is not supported", 0 },
		{ "192.0.2.0/24 dev eth0 pref best", NULL, "pref \"best\"", 0 },
		{ "192.0.2.0/24 dev eth0 rtt 3days", NULL, "not a time", 0 },
		{ "192.0.2.0/24 dev eth0 rtt 600000000s", NULL, "not a time", 0 },
		{ "192.0.2.0/24 dev eth0 nexthop via 198.51.100.1", NULL, "after each nexthop", 0 },
		{ "default nexthop weight 2", NULL, "neither via nor dev", 0 },
		{ "default nexthop via 198.51.100.1 weight 257", NULL, "weight \"257\"", 0 },
		{ "192.0.2.0/24 dev eth0 realms mars", NULL, "rt_realms", 0 },
		{ "192.0.2.0/24 dev eth0 track_group g", "192.0.2.0/24 dev eth0", "track_group is ignored", 0 },
	};

	(void)state;
	CHECK_ROWS(ROUTE, rows);
}

static void fields_of_a_route(void **state)
{
	struct run r;

	(void)state;
	run(&r, ROUTE, "default nexthop via 192.0.2.1 weight 3 nexthop via 192.0.2.2 realms 1/2 table 9 mtu lock 1400",
	    false);
	assert_int_equal(r.route.nhops, 2);
	assert_int_equal(r.route.hops[0].weight, 3);
	assert_int_equal(r.route.hops[1].realms, 1 << 16 | 2);
	assert_int_equal(r.route.table, 9);
	assert_int_equal(r.route.metrics[RTAX_MTU], 1400);
	assert_int_equal(r.route.metrics_lock, 1 << RTAX_MTU);
	assert_int_equal(r.route.protocol, 18);
	assert_int_equal(r.route.family, 4);
	conf_free(&r.conf);
	run(&r, ROUTE, "2001:db8::/32 realms 5 pref medium", false);
	assert_int_equal(r.route.nhops, 1);
	assert_int_equal(r.route.hops[0].realms, 5);
	assert_int_equal(r.route.pref, 1);
	assert_int_equal(r.route.ttl_propagate, -1);
	assert_string_equal(r.route.hops[0].dev, "");
	conf_free(&r.conf);
	run(&r, ROUTE, "throw 192.0.2.0/24", false);
	assert_int_equal(r.route.nhops, 0);
	assert_int_equal(r.route.type, RTN_THROW);
	conf_free(&r.conf);
}

/* ---- rules: spec 3.3 ---- */

static void rules_print_as_they_parse(void **state)
{
	static const struct row rows[] = {
		{ "from 192.0.2.0/24 table 100 preference 9", "from 192.0.2.0/24 table 100 preference 9", NULL, 0 },
		{ "not to 192.0.2.1 lookup vpn order 9", "not to 192.0.2.1/32 table 1000 preference 9", NULL, 0 },
		{ "from all table main priority 9", "inet table 254 preference 9", NULL, 0 },
		{ "inet6 from any fwmark 0x10/0xff table 5 priority 9", "inet6 fwmark 0x10/0xff table 5 preference 9",
		  NULL, 0 },
		{ "fwmark 16 table 5 priority 9", "inet fwmark 0x10/0xffffffff table 5 preference 9", NULL, 0 },
		{ "fwmark 0 blackhole priority 9", "inet fwmark 0/0xffffffff blackhole preference 9", NULL, 0 },
		{ "dev eth0 oif eth1 tos 0x10 type prohibit priority 9",
		  "inet iif eth0 oif eth1 tos 16 prohibit preference 9", NULL, 0 },
		{ "ipproto tcp sport 1000-2000 dport 53-53 unreachable priority 9",
		  "inet ipproto 6 sport 1000-2000 dport 53-53 unreachable preference 9", NULL, 0 },
		{ "ip_proto 17 dport 53 nop priority 9", "inet ipproto 17 dport 53-53 nop preference 9", NULL, 0 },
		{ "uidrange 0-99 l3mdev priority 9", "inet uidrange 0-99 l3mdev preference 9", NULL, 0 },
		{ "from 2001:db8::/32 goto 100 priority 9", "from 2001:db8::/32 goto 100 preference 9", NULL, 0 },
		{ "tunnel-id 7 realms lan/3 table 5 priority 9", "inet tunnel-id 7 table 5 realms 7/3 preference 9",
		  NULL, 0 },
		{ "table main sup_pl 0 sup_group uplinks priority 9",
		  "inet table 254 suppress_prefixlength 0 suppress_ifgroup 3 preference 9", NULL, 0 },
		{ "table 5 protocol zebra no_track priority 9", "inet table 5 protocol 11 no_track preference 9", NULL,
		  0 },
		{ "from 192.0.2.1 table 5", "from 192.0.2.1/32 table 5", NULL, 0 },
		{ "goto 9", "inet goto 9", NULL, 0 },
		{ "table 5 track_group g priority 9", "inet table 5 track_group g preference 9", NULL, true },
	};

	(void)state;
	CHECK_ROWS(RULE, rows);
}

static void what_a_rule_cannot_use_is_said(void **state)
{
	static const struct row rows[] = {
		{ "from 192.0.2.1 preference 9", NULL, "no action", 0 },
		{ "from 192.0.2.1 table 5 blackhole preference 9", NULL, "more than one action", 0 },
		{ "from 192.0.2.1 table 0 preference 9", NULL, "table 0", 0 },
		{ "from 192.0.2.1 table 5 pref 9", NULL, "write \"preference\"", 0 },
		{ "from 192.0.2.1 table 5 proto 9", NULL, "write \"protocol\"", 0 },
		{ "from 192.0.2.1 table 5 quickly", NULL, "\"quickly\" is not an option", 0 },
		{ "from 192.0.2.1 to 2001:db8::1 table 5", NULL, "IPv4 and IPv6", 0 },
		{ "goto 9 preference 10", NULL, "does not lead forward", 0 },
		{ "blackhole sup_pl 0 preference 9", NULL, "only a rule with a table", 0 },
		{ "table 5 sport 9-1 preference 9", NULL, "is not a range", 0 },
		{ "table 5 dport 1-70000 preference 9", NULL, "is not a range", 0 },
		{ "table 5 dport - preference 9", NULL, "is not a range", 0 },
		{ "table 5 fwmark x preference 9", NULL, "fwmark", 0 },
		{ "table 5 fwmark 1/ preference 9", NULL, "fwmark", 0 },
		{ "table 5 ipproto carp preference 9", NULL, "ipproto", 0 },
		{ "table 5 from", NULL, "from has no value", 0 },
		{ "table 5 protocol 9 preference 9", "inet table 5 preference 9", "protocol 9 is ignored", 0 },
		{ "table 5 track_group g preference 9", "inet table 5 preference 9", "track_group is ignored", 0 },
	};

	(void)state;
	CHECK_ROWS(RULE, rows);
}

static void fields_of_a_rule(void **state)
{
	struct run r;

	(void)state;
	run(&r, RULE, "from 192.0.2.0/24 l3mdev", false);
	assert_int_equal(r.rule.action, FR_ACT_TO_TBL);
	assert_true(r.rule.l3mdev && !r.rule.set && !r.rule.table && !r.rule.pref);
	assert_true(r.rule.suppress_plen == -1 && r.rule.suppress_group == -1);
	assert_int_equal(r.rule.protocol, 18);
	conf_free(&r.conf);
	run(&r, RULE, "goto 100 fwmark 5 preference 9", false);
	assert_int_equal(r.rule.action, FR_ACT_GOTO);
	assert_int_equal(r.rule.goto_pref, 100);
	assert_true(r.rule.fwmark == 5 && r.rule.fwmask == UINT32_MAX);
	assert_int_equal(r.rule.set, CONF_RULE_FWMARK | CONF_RULE_PREF);
	conf_free(&r.conf);
}

/* ---- commands: spec 3.4 ---- */

static void commands_are_cut_in_two_passes(void **state)
{
	static const struct row rows[] = {
		{ "script /opt/c.sh", "\"/opt/c.sh\"", NULL, 0 },
		{ "script \"/opt/c.sh a 'b c'\"", "\"/opt/c.sh a 'b c'\"", NULL, 0 },
		{ "script '/opt/c.sh a \"b c\"'", "\"/opt/c.sh a 'b c'\"", NULL, 0 },
		{ "script \"/opt/c.sh\ta\"", "\"/opt/c.sh a\"", NULL, 0 },
		{ "script /opt/'my c.sh'", "\"/opt/my c.sh\"", NULL, 0 },
		{ "script \"/opt/my\\ c.sh x\"", "\"'/opt/my c.sh' x\"", NULL, 0 },
		{ "script \"/opt/c.sh a\\tb \\x41\\102 \\E \\cA \\q \\\\\"",
		  "\"/opt/c.sh a\\x09b AB \\x1b \\x01 q \\\\\"", NULL, 0 },
		{ "script \"/opt/c.sh ''\"", "\"/opt/c.sh ''\"", NULL, 0 },
		{ "script \"/opt/c.sh it\\'s \\x22\"", "\"/opt/c.sh it\\'s \\x22\"", NULL, 0 },
		{ "script \"/opt/c.sh && $HOME | {x} #y!\"", "\"/opt/c.sh && $HOME | {x} #y!\"", NULL, 0 },
		{ "script \"</proc/sys/x\"", "\"</proc/sys/x\"", NULL, 0 },
	};

	(void)state;
	CHECK_ROWS(CMD, rows);
}

static void commands_that_cannot_run_are_dropped(void **state)
{
	static const struct row rows[] = {
		{ "script", NULL, "script has no command", 0 },
		{ "script \"\"", NULL, "the command is empty", 0 },
		{ "script \"  \"", NULL, "the command is empty", 0 },
		{ "script \"'' x\"", NULL, "the command is empty", 0 },
		{ "script '/opt/c.sh a", NULL, "a quote is not closed", 0 },
		{ "script \"/opt/c.sh 'a\"", NULL, "a quote inside the command is not closed", 0 },
		{ "script \"/opt/c.sh a\\0b\"", NULL, "NUL", 0 },
		{ "script \"/opt/c.sh \\x00\"", NULL, "NUL", 0 },
		{ "script /opt/c.sh a b", "\"/opt/c.sh\"", "\"a\" and what follows is ignored", 0 },
	};

	(void)state;
	CHECK_ROWS(CMD, rows);
}

static void too_many_words_are_dropped(void **state)
{
	char line[600] = "script \"/opt/c.sh";
	struct run r;

	(void)state;
	for (int i = 0; i < 62; i++)
		strcat(line, " a");
	strcat(line, "\"");
	run(&r, CMD, line, false);
	assert_int_equal(r.rc, 0);
	assert_null(r.cmd.argv[63]);
	conf_free(&r.conf);
	strcpy(line + strlen(line) - 1, " a\"");
	run(&r, CMD, line, false);
	assert_int_equal(r.rc, 1);
	conf_free(&r.conf);
}

static void user_and_group_follow_a_notify_command(void **state)
{
	struct run r;

	(void)state;
	run(&r, CMD_USERS, "notify \"/opt/n.sh a\" nobody :daemon", false);
	assert_string_equal(r.cmd.user, "nobody");
	assert_string_equal(r.cmd.group, ":daemon");
	assert_string_equal(r.cmd.argv[1], "a");
	assert_null(r.cmd.argv[2]);
	assert_string_equal(r.said, "");
	conf_free(&r.conf);
	run(&r, CMD_USERS, "notify /opt/n.sh a b c d e f", false);
	assert_string_equal(r.cmd.user, "a");
	assert_non_null(strstr(r.said, "\"c\" and what follows is ignored"));
	conf_free(&r.conf);
}

/* ---- commands when all is read ---- */

struct machine {
	bool keepalived_script;
	enum conf_script_fault fault;
	int asked;
};

static int user(void *arg, const char *name_, const char *group, uint32_t *uid, uint32_t *gid)
{
	const struct machine *m = arg;

	if (name_ && !strcmp(name_, "keepalived_script") && !m->keepalived_script)
		return -ENOENT;
	if (name_ && !strcmp(name_, "absent"))
		return -ENOENT;
	if (group && !strcmp(group, "absent"))
		return -ESRCH;
	*uid = !name_ ? 0 : !strcmp(name_, "keepalived_script") ? 500 : 1000;
	*gid = group ? 7 : *uid;
	return 0;
}

static enum conf_script_fault script(void *arg, const struct conf_cmd *cmd, char *why, size_t len)
{
	struct machine *m = arg;

	assert_non_null(cmd->argv);
	m->asked++;
	snprintf(why, len, "/opt/c.sh is at fault");
	return m->fault;
}

static void commands_are_checked_when_all_is_read(void **state)
{
	static const struct {
		struct machine m;
		const char *line, *script_user, *script_group;
		bool security;
		int rc;
		uint32_t uid, gid;
		const char *said;
	} rows[] = {
		{ { true, CONF_SCRIPT_OK, 0 }, "notify /opt/c.sh", NULL, NULL, false, 0, 500, 500, NULL },
		{ { false, CONF_SCRIPT_OK, 0 }, "notify /opt/c.sh", NULL, NULL, false, 0, 0, 0, NULL },
		{ { false, CONF_SCRIPT_OK, 0 }, "notify /opt/c.sh", NULL, NULL, true, 1, 0, 0, "set script_user" },
		{ { true, CONF_SCRIPT_OK, 0 }, "notify /opt/c.sh", "u", "g", true, 0, 1000, 7, NULL },
		{ { true, CONF_SCRIPT_OK, 0 }, "notify /opt/c.sh", "u", ":", true, 0, 1000, 1000, NULL },
		{ { true, CONF_SCRIPT_OK, 0 }, "notify /opt/c.sh v :h", "u", "g", true, 0, 1000, 7, NULL },
		{ { true, CONF_SCRIPT_OK, 0 }, "notify /opt/c.sh v", "u", "g", true, 0, 1000, 1000, NULL },
		{ { true, CONF_SCRIPT_OK, 0 },
		  "notify /opt/c.sh absent",
		  NULL,
		  NULL,
		  false,
		  1,
		  0,
		  0,
		  "no user \"absent\"; if it is an argument" },
		{ { true, CONF_SCRIPT_OK, 0 },
		  "notify /opt/c.sh",
		  "absent",
		  NULL,
		  false,
		  1,
		  0,
		  0,
		  "no user \"absent\"" },
		{ { true, CONF_SCRIPT_OK, 0 },
		  "notify /opt/c.sh v absent",
		  NULL,
		  NULL,
		  false,
		  1,
		  0,
		  0,
		  "no group \"absent\"" },
		{ { true, CONF_SCRIPT_MISSING, 0 },
		  "notify /opt/c.sh",
		  NULL,
		  NULL,
		  false,
		  1,
		  0,
		  0,
		  "is disabled: /opt/c.sh is at fault" },
		{ { true, CONF_SCRIPT_NOT_EXECUTABLE, 0 },
		  "notify /opt/c.sh",
		  NULL,
		  NULL,
		  false,
		  1,
		  0,
		  0,
		  "is disabled" },
		{ { true, CONF_SCRIPT_INSECURE, 0 },
		  "notify /opt/c.sh",
		  NULL,
		  NULL,
		  false,
		  0,
		  500,
		  500,
		  "others can change it" },
		{ { true, CONF_SCRIPT_INSECURE, 0 },
		  "notify /opt/c.sh",
		  NULL,
		  NULL,
		  true,
		  1,
		  0,
		  0,
		  "disabled by enable_script_security" },
		{ { true, CONF_SCRIPT_MISSING, 0 }, "notify </etc/motd", NULL, NULL, false, 0, 500, 500, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct machine m = rows[i].m;
		struct conf_line_ctx x = { .owner = "V1" };
		struct run r;

		run(&r, CMD_USERS, rows[i].line, false);
		r.io = (struct conf_io){ .user = user, .script = script, .arg = &m };
		r.conf.globals.script_security = rows[i].security;
		r.conf.globals.script_user = rows[i].script_user;
		r.conf.globals.script_group = rows[i].script_group;
		x.conf = &r.conf;
		x.io = &r.io;
		x.diag = &r.diag;
		assert_int_equal(conf_cmd_resolve(&x, &r.cmd), rows[i].rc);
		assert_int_equal(!r.cmd.argv, rows[i].rc);
		if (!rows[i].rc)
			assert_true(r.cmd.uid == rows[i].uid && r.cmd.gid == rows[i].gid);
		if (!rows[i].said != !r.said[0] || (rows[i].said && !strstr(r.said, rows[i].said)))
			fail_msg("row %zu says %s instead of %s", i, r.said, rows[i].said);
		conf_free(&r.conf);
	}
}

static void without_a_machine_every_command_is_right(void **state)
{
	struct run r;
	struct conf_line_ctx x = { .owner = "V1" };

	(void)state;
	run(&r, CMD_USERS, "notify /opt/c.sh absent", false);
	x.conf = &r.conf;
	x.diag = &r.diag;
	assert_int_equal(conf_cmd_resolve(&x, &r.cmd), 0);
	assert_non_null(r.cmd.argv);
	conf_free(&r.conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_print_as_they_parse),
		cmocka_unit_test(what_an_address_cannot_use_is_said),
		cmocka_unit_test(fields_of_an_address),
		cmocka_unit_test(routes_print_as_they_parse),
		cmocka_unit_test(what_a_route_cannot_use_is_said),
		cmocka_unit_test(fields_of_a_route),
		cmocka_unit_test(rules_print_as_they_parse),
		cmocka_unit_test(what_a_rule_cannot_use_is_said),
		cmocka_unit_test(fields_of_a_rule),
		cmocka_unit_test(commands_are_cut_in_two_passes),
		cmocka_unit_test(commands_that_cannot_run_are_dropped),
		cmocka_unit_test(too_many_words_are_dropped),
		cmocka_unit_test(user_and_group_follow_a_notify_command),
		cmocka_unit_test(commands_are_checked_when_all_is_read),
		cmocka_unit_test(without_a_machine_every_command_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
