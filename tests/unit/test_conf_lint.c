// SPDX-License-Identifier: GPL-2.0-or-later
/* conf_lint.c: each trap is said, and the same tree without it is not. A table row changes one thing in a sound configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_lex.h"

#define SEC_NS 1000000000ull

/* A sound configuration: two instances in a group, a tracked script, file and process, mail, a route. Nothing is heap memory. */
struct sound {
	struct conf c;
	struct conf_vr vrs[2];
	struct conf_vip vips[2];
	struct conf_peer peers[1];
	struct conf_route route;
	struct conf_nexthop hop;
	struct conf_group group;
	size_t members[2];
	struct conf_script script;
	struct conf_file file;
	struct conf_process process;
	struct conf_track ifs, scripts, files, procs;
	char *argv[2];
	const char *emails[2];
};

static struct conf_addr addr(const char *text)
{
	struct conf_addr a;

	assert_int_equal(conf_parse_addr(text, &a, NULL), 0);
	return a;
}

static void make_vr(struct sound *s, size_t i)
{
	struct conf_vr *vr = &s->vrs[i];

	s->vips[i] = (struct conf_vip){ .addr = addr(i ? "192.0.2.101" : "192.0.2.100"), .plen = 32, .dev = "eth0" };
	*vr = (struct conf_vr){
		.at = { "test.conf", 10, 1 },
		.ifname = "eth0",
		.vrid = (uint8_t)(51 + i),
		.family = 4,
		.version = 3,
		.priority = 100,
		.adver_ns = SEC_NS,
		.preempt = true,
		.accept = true,
		.down_adverts = 3,
		.garp = { .delay_ns = 5 * SEC_NS, .repeat = 5 },
		.vips = &s->vips[i],
		.nvips = 1,
		.group_index = 0,
	};
	snprintf(vr->name, sizeof(vr->name), "V%zu", i + 1);
}

static void make_trackers(struct sound *s)
{
	s->argv[0] = (char *)"/opt/c.sh";
	s->script = (struct conf_script){
		.name = "chk",
		.at = { "test.conf", 3, 1 },
		.cmd = { .argv = s->argv, .uid = 500, .gid = 500, .at = { "test.conf", 6, 2 } },
		.interval_ns = 2 * SEC_NS,
		.timeout_ns = 2 * SEC_NS,
		.rise = 1,
		.fall = 1,
	};
	s->file = (struct conf_file){ .name = "load", .at = { "test.conf", 4, 1 }, .weight = 1 };
	s->process = (struct conf_process){ .name = "nginx", .at = { "test.conf", 5, 1 } };
	s->ifs = (struct conf_track){ .ifname = "eth1", .weight = -10, .line = 20 };
	s->scripts = (struct conf_track){ .weight = -20, .line = 21 };
	s->files = (struct conf_track){ .weight = 1, .line = 22 };
	s->procs = (struct conf_track){ .weight = 10, .line = 23 };
	s->vrs[0].tracks = (struct conf_tracks){ &s->ifs, &s->scripts, &s->files, &s->procs, 1, 1, 1, 1 };
}

static void make_sound(struct sound *s)
{
	memset(s, 0, sizeof(*s));
	make_vr(s, 0);
	make_vr(s, 1);
	make_trackers(s);
	s->peers[0].addr = addr("192.0.2.2");
	s->hop = (struct conf_nexthop){ .dev = "eth0", .weight = 1 };
	s->route = (struct conf_route){ .text = "default dev eth0", .family = 4, .hops = &s->hop, .nhops = 1 };
	s->vrs[0].routes = &s->route;
	s->vrs[0].nroutes = 1;
	s->members[1] = 1;
	s->group =
		(struct conf_group){ .name = "G", .at = { "test.conf", 2, 1 }, .members = s->members, .nmembers = 2 };
	s->emails[0] = "ops@example.org";
	s->c.vrs = s->vrs;
	s->c.nvrs = 2;
	s->c.groups = &s->group;
	s->c.ngroups = 1;
	s->c.scripts = &s->script;
	s->c.nscripts = 1;
	s->c.track_files = &s->file;
	s->c.ntrack_files = 1;
	s->c.processes = &s->process;
	s->c.nprocesses = 1;
	s->c.globals.smtp_server = "192.0.2.25";
	s->c.globals.emails = s->emails;
}

/* ---- the machine: eth0 has 192.0.2.1/24 and 2001:db8::1/64, eth9 has nothing ---- */

static int iface(void *arg, const char *ifname, void (*tell)(void *a, const struct conf_addr *x, uint8_t plen), void *a)
{
	struct conf_addr own = addr("192.0.2.1"), own6 = addr("2001:db8::1");

	(void)arg;
	if (!strcmp(ifname, "eth0")) {
		tell(a, &own, 24);
		tell(a, &own6, 64);
	}
	return strcmp(ifname, "eth0") && strcmp(ifname, "eth9") ? -ENODEV : 0;
}

static int user(void *arg, const char *name, const char *group, uint32_t *uid, uint32_t *gid)
{
	(void)arg;
	(void)name;
	(void)group;
	*uid = *gid = 0;
	return 0;
}

struct said {
	int n;
	char text[4096];
};

static void on_msg(void *arg, enum conf_severity sev, const struct conf_at *at, const char *text)
{
	struct said *s = arg;
	size_t n = strlen(s->text);

	assert_int_equal(sev, CONF_WARN);
	assert_non_null(at->file);
	snprintf(s->text + n, sizeof(s->text) - n, "%d: %s\n", at->line, text);
	s->n++;
}

static void lint(const struct sound *s, struct said *out)
{
	struct conf_io io = { .iface = iface, .user = user };

	memset(out, 0, sizeof(*out));
	conf_lint(&s->c, &io, on_msg, out);
}

/* ---- the traps ---- */

static void no_address(struct sound *s)
{
	strcpy(s->vrs[1].ifname, "eth9");
	strcpy(s->vips[1].dev, "eth9");
}

/* An address of the family that is not link-local sends no advert. */
static void no_link_local(struct sound *s)
{
	s->vrs[1].family = 6;
	s->vips[1].addr = addr("fe80::1:1");
	s->vips[1].plen = 64;
}

static void preferred_vip(struct sound *s)
{
	s->vrs[1].family = 6;
	s->vrs[1].src = addr("fe80::9");
	s->vips[1] = (struct conf_vip){ .addr = addr("2001:db8::7"), .plen = 64, .line = 33, .preferred_lft = 1 };
}

/* Between unicast peers any address of the family is a source, so that eth0's is enough. */
static void unicast_ipv6(struct sound *s)
{
	preferred_vip(s);
	s->vips[1].plen = 128;
	s->vrs[1].src.family = 0;
	s->vrs[1].unicast = true;
}

static void owner(struct sound *s)
{
	s->vrs[1].priority = 255;
	s->vrs[0].priority = 254; /* keep lint_group() apart */
	s->group.nmembers = 1;
	s->procs.weight = -10;
}

static void owner_by_state(struct sound *s)
{
	owner(s);
	s->vrs[1].state_master = true;
}

static void owner_tracks(struct sound *s)
{
	s->vrs[0].priority = s->vrs[1].priority = 255;
	s->vips[0].addr = s->vips[1].addr = addr("192.0.2.1");
	s->ifs.weight = s->procs.weight = 0;
}

static void foreign_vip(struct sound *s)
{
	s->vips[1].addr = addr("198.51.100.7");
	s->vips[1].line = 33;
}

static void self_peer(struct sound *s)
{
	s->vrs[0].peers = s->peers;
	s->vrs[0].npeers = 1;
	s->peers[0].addr = addr("192.0.2.1");
}

static void source_peer(struct sound *s)
{
	self_peer(s);
	s->peers[0].addr = s->vrs[0].src = addr("192.0.2.77");
}

static void vip_peer(struct sound *s)
{
	self_peer(s);
	s->peers[0].addr = s->vips[0].addr;
}

static void allowed_self(struct sound *s)
{
	s->vrs[0].allowed = s->peers;
	s->vrs[0].nallowed = 1;
	s->peers[0] = (struct conf_peer){ .addr = addr("192.0.2.1"), .line = 30 };
}

static void allowed_far(struct sound *s)
{
	allowed_self(s);
	s->peers[0].addr = addr("198.51.100.7");
}

static void far_peer(struct sound *s)
{
	self_peer(s);
	s->peers[0].addr = addr("198.51.100.7");
}

static void route_elsewhere(struct sound *s)
{
	strcpy(s->hop.dev, "eth7");
}

static void route_source(struct sound *s)
{
	s->route.src = addr("192.0.2.55");
}

static void weight_up(struct sound *s)
{
	s->vrs[0].priority = s->vrs[1].priority = 254;
	s->ifs.weight = s->scripts.weight = 0;
}

static void weight_down(struct sound *s)
{
	s->vrs[0].priority = s->vrs[1].priority = 1;
	s->ifs.weight = s->procs.weight = 0;
}

static void weight_in_part(struct sound *s)
{
	s->vrs[0].priority = s->vrs[1].priority = 250;
	s->ifs.weight = s->scripts.weight = 0;
}

static void nopreempt_master(struct sound *s)
{
	s->vrs[0].preempt = s->vrs[1].preempt = false;
	s->vrs[1].state_master = true;
}

static void nopreempt_delay(struct sound *s)
{
	s->vrs[0].preempt = s->vrs[1].preempt = false;
	s->vrs[1].preempt_delay_ns = SEC_NS;
}

static void one_advert(struct sound *s)
{
	s->vrs[1].down_adverts = 1;
}

static void strict_mode(struct sound *s)
{
	s->vrs[1].strict = true;
	s->vrs[1].accept = false;
}

static void one_garp(struct sound *s)
{
	s->vrs[0].garp = s->vrs[1].garp = (struct conf_garp){ .repeat = 1 };
}

static void no_relay(struct sound *s)
{
	s->vrs[1].smtp_alert = true;
	s->c.globals.smtp_server = NULL;
}

static void no_recipient(struct sound *s)
{
	s->vrs[1].smtp_alert = true;
	s->emails[0] = NULL;
}

static void group_nopreempt(struct sound *s)
{
	s->vrs[1].preempt = false;
}

static void group_delay(struct sound *s)
{
	s->vrs[1].preempt_delay_ns = SEC_NS;
}

static void group_priority(struct sound *s)
{
	s->vrs[1].priority = 150;
}

static void unused_script(struct sound *s)
{
	s->vrs[0].tracks.nscripts = 0;
}

static void unused_file(struct sound *s)
{
	s->vrs[0].tracks.nfiles = 0;
}

static void unused_process(struct sound *s)
{
	s->vrs[0].tracks.nprocs = 0;
}

static void long_timeout(struct sound *s)
{
	s->script.timeout_ns = 10 * SEC_NS;
}

static void fast_script(struct sound *s)
{
	s->script.interval_ns = s->script.timeout_ns = SEC_NS / 4;
}

static void script_of_root(struct sound *s)
{
	s->script.cmd.uid = 0;
}

static void notify_of_root(struct sound *s)
{
	s->vrs[0].notify.master = (struct conf_cmd){ .argv = s->argv, .at = { "test.conf", 30, 2 } };
	s->vrs[1].notify.any = (struct conf_cmd){ .argv = s->argv, .at = { "test.conf", 40, 2 } };
}

static void each_trap_is_said_once(void **state)
{
	static const struct {
		void (*set)(struct sound *s);
		const char *said;
	} rows[] = {
		{ no_address, "10: V2: eth9 has no IPv4 address of its own" },
		{ no_link_local, "10: V2: eth0 has no IPv6 address of its own in fe80::/10" },
		{ owner, "10: V2: priority 255 says that this machine owns the virtual addresses, but 192.0.2.101" },
		{ owner_by_state, "(state MASTER without a priority means 255)" },
		{ owner_tracks, "21: V1: weight -20 of script chk does nothing" },
		{ foreign_vip, "33: V2: virtual address 198.51.100.7/32 is in no network of eth0" },
		{ preferred_vip,
		  "33: V2: while Active, this machine uses virtual address 2001:db8::7/64 as the source" },
		{ unicast_ipv6, "10: V2: unicast peers know this router by the source of its adverts" },
		{ self_peer, "10: V1: unicast peer 192.0.2.1 is this machine itself" },
		{ source_peer, "unicast peer 192.0.2.77 is this machine itself" },
		{ vip_peer, "unicast peer 192.0.2.100 is a virtual address" },
		{ far_peer, "unicast peer 198.51.100.7 is in no network" },
		{ allowed_self, "10: V1: xdp_peers lists this machine only" },
		{ allowed_far, "30: V1: allowed peer 198.51.100.7 is in no network of eth0" },
		{ route_elsewhere, "uses eth7, which carries none" },
		{ route_source, "has source 192.0.2.55" },
		{ weight_up, "23: V1: when process nginx fails, the priority stays 254" },
		{ weight_down, "21: V1: when script chk fails, the priority stays 1" },
		{ weight_in_part, "moves by -4 and not by its weight 10, because 260 is cut to 254" },
		{ nopreempt_master, "nopreempt does not work with state MASTER" },
		{ nopreempt_delay, "preempt_delay has no effect" },
		{ one_advert, "down_timer_adverts 1" },
		{ strict_mode, "strict mode drops every packet" },
		{ one_garp, "V1 and 1 more: a takeover is announced by a single gratuitous ARP" },
		{ no_relay, "V2: smtp_alert sends no mail without smtp_server" },
		{ no_recipient, "V2: smtp_alert sends no mail without notification_email" },
		{ group_nopreempt, "2: group G: nopreempt of V2 keeps V1" },
		{ group_delay, "group G: preempt_delay of V2 delays V1" },
		{ group_priority, "group G: V1 has priority 100 and V2 has 150" },
		{ unused_script, "3: vrrp_script chk is never tracked" },
		{ unused_file, "4: track_file load is never tracked" },
		{ unused_process, "5: vrrp_track_process nginx is never tracked" },
		{ long_timeout, "3: vrrp_script chk: timeout 10 s is longer than interval 2 s" },
		{ fast_script, "one failure in 0.25 s counts at once" },
		{ script_of_root, "6: 1 command runs as root" },
		{ notify_of_root, "30: 2 commands run as root" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sound s;
		struct said said;

		make_sound(&s);
		rows[i].set(&s);
		lint(&s, &said);
		if (said.n != 1 || !strstr(said.text, rows[i].said))
			fail_msg("instead of %s:\n%s", rows[i].said, said.text);
	}
}

static void a_sound_configuration_is_left_alone(void **state)
{
	struct sound s;
	struct said said;

	(void)state;
	make_sound(&s);
	lint(&s, &said);
	assert_string_equal(said.text, "");
}

/* ---- and what is no trap ---- */

static void own_address(struct sound *s)
{
	s->vrs[0].priority = s->vrs[1].priority = 255;
	s->vips[0].addr = s->vips[1].addr = addr("192.0.2.1");
	s->vrs[0].tracks.nifs = 0;
	s->scripts.weight = s->procs.weight = 0;
}

static void vip_with_a_network(struct sound *s)
{
	s->vips[1].addr = addr("198.51.100.7");
	s->vips[1].plen = 24;
}

/* KA-5: nothing chooses a deprecated address as its source. */
static void deprecated_vip(struct sound *s)
{
	preferred_vip(s);
	s->vips[1].preferred_lft = 0;
}

static void full_length_vip(struct sound *s)
{
	preferred_vip(s);
	s->vips[1].plen = 128;
}

static void link_local_vip(struct sound *s)
{
	preferred_vip(s);
	s->vips[1].addr = addr("fe80::7");
}

/* Nobody knows its device. */
static void vip_in_a_vlan(struct sound *s)
{
	foreign_vip(s);
	s->vrs[1].vlan = 100;
}

static void vip_elsewhere(struct sound *s)
{
	foreign_vip(s);
	strcpy(s->vips[1].dev, "eth5");
}

static void route_not_tracked(struct sound *s)
{
	route_elsewhere(s);
	s->route.no_track = true;
}

static void route_to_vip_dev(struct sound *s)
{
	route_elsewhere(s);
	strcpy(s->vips[0].dev, "eth7");
}

static void route_from_vip(struct sound *s)
{
	s->route.src = s->vips[0].addr;
}

static void source_given(struct sound *s)
{
	no_address(s);
	s->vrs[1].src = addr("203.0.113.9");
}

static void group_tracks(struct sound *s)
{
	s->group.tracks = s->vrs[0].tracks;
	memset(&s->vrs[0].tracks, 0, sizeof(s->vrs[0].tracks));
}

static void security_on(struct sound *s)
{
	script_of_root(s);
	s->c.globals.script_security = true;
}

static void strict_and_accept(struct sound *s)
{
	s->vrs[1].strict = true;
}

static void disabled_script(struct sound *s)
{
	long_timeout(s);
	unused_script(s);
	s->script.cmd.argv = NULL;
}

static void what_is_no_trap_is_left_alone(void **state)
{
	static void (*const rows[])(struct sound * s) = {
		own_address,     vip_with_a_network, vip_elsewhere,   route_not_tracked, route_to_vip_dev,
		route_from_vip,  source_given,       group_tracks,    security_on,       strict_and_accept,
		disabled_script, deprecated_vip,     full_length_vip, link_local_vip,    vip_in_a_vlan,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sound s;
		struct said said;

		make_sound(&s);
		rows[i](&s);
		lint(&s, &said);
		if (said.n)
			fail_msg("row %zu: %s", i, said.text);
	}
}

static void without_a_machine_nothing_of_it_is_said(void **state)
{
	struct sound s;
	struct said said = { 0 };

	(void)state;
	make_sound(&s);
	owner(&s);
	script_of_root(&s);
	conf_lint(&s.c, NULL, on_msg, &said);
	assert_string_equal(said.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_trap_is_said_once),
		cmocka_unit_test(a_sound_configuration_is_left_alone),
		cmocka_unit_test(what_is_no_trap_is_left_alone),
		cmocka_unit_test(without_a_machine_nothing_of_it_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
