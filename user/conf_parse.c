// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keyword tables and blocks -> struct conf, by way of the notes in struct conf_parser.
 *
 * A new keyword is one row in a table, or one row and one small function. The tables of global_defs are in conf_global.c,
 * those of scripts, files, processes and groups in conf_track.c.
 */
#include "conf_int.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	SKIP_DEPTH_MAX = 64,     /* blocks inside a block that is skipped */
	PEERS_MAX = 255,         /* the data plane's own limit */
	RULE_PREF_FIRST = 16384, /* spec 3.3 */
};

/* ---- setters of vrrp_instance ---- */

static void set_state(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_val *v = conf_note(p, k, l);

	if (!strcmp(l->word[1], "MASTER"))
		v->v = 1; /* and stays, whatever a second line says: keepalived does so */
	else if (strcmp(l->word[1], "BACKUP") != 0)
		CONF_TELL_WARN(p, l, 1,
			       "state \"%.60s\" is neither MASTER nor BACKUP, in capitals, and counts as BACKUP",
			       l->word[1]);
}

/* KA-2: what is no priority counts as 100, also with state MASTER. */
static void set_priority(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	uint64_t n;

	if (!conf_take_number(p, k, l, &n))
		n = 100;
	conf_note(p, k, l)->v = n;
}

static void set_ifname(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_vr *vr = conf_cur_vr(p);
	struct conf_at at = conf_line_at(l, 1);

	if (!conf_good_ifname(l->word[1])) {
		CONF_TELL_ERROR(p, l, 1, "interface \"%.60s\" is not an interface name; write %s", l->word[1], k->what);
		conf_cur_inst(p)->reported |= CONF_REP_IFNAME;
		return;
	}
	snprintf(vr->ifname, sizeof(vr->ifname), "%s", l->word[1]);
	if (strcmp(vr->ifname, "lo") != 0)
		conf_need_iface(p, vr->ifname, "interface", &at);
}

/* Our own word. */
static void set_vlan(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	uint64_t n;

	if (!conf_parse_number(l->word[1], &n))
		CONF_TELL_ERROR(p, l, 1, "xdp_vlan \"%.60s\" is not a VLAN id; write %s", l->word[1], k->what);
	else if (n < CONF_VLAN_MIN || n > CONF_VLAN_MAX)
		CONF_TELL_ERROR(p, l, 1, "xdp_vlan %.60s %s; write %s", l->word[1],
				!n ? "is the priority tag, that is untagged" : "is no VLAN id", k->what);
	else
		conf_cur_vr(p)->vlan = (uint16_t)n;
}

static void set_auth_type(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_val *v = conf_note(p, k, l);

	v->v = CONF_AUTH_NONE;
	if (!strcmp(l->word[1], "PASS"))
		v->v = CONF_AUTH_PASS;
	else if (!strcmp(l->word[1], "AH"))
		v->v = CONF_AUTH_AH;
	else
		CONF_TELL_WARN(p, l, 1,
			       "auth_type \"%.60s\" is not known; the instance runs WITHOUT AUTHENTICATION, as in "
			       "keepalived, write PASS in capitals",
			       l->word[1]);
}

static void set_auth_pass(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_inst *in = conf_cur_inst(p);
	size_t len = strlen(l->word[1]);

	conf_note(p, k, l)->v = len;
	memset(in->pass, 0, sizeof(in->pass));
	memcpy(in->pass, l->word[1], len < sizeof(in->pass) ? len : sizeof(in->pass));
}

/* The first address fixes the family of the instance (spec 1.4). */
static bool fits_family(struct conf_parser *p, const struct conf_line *l, size_t i, const struct conf_addr *a,
			const char *advice)
{
	struct conf_vr *vr = conf_cur_vr(p);

	if (!vr->family)
		vr->family = a->family;
	if (vr->family == a->family)
		return true;
	CONF_TELL_WARN(p, l, i, "\"%.60s\" is IPv%d in an IPv%d instance and is dropped; %s", l->word[i], a->family,
		       vr->family, advice);
	return false;
}

#define OWN_FAMILY "give each family its own vrrp_instance"

static void set_src(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	char text[64];
	struct conf_addr a;

	if (k->off) /* unicast_src_ip */
		conf_note(p, k, l);
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(l->word[1], "/-"), l->word[1]); /* cut like keepalived */
	if (conf_parse_addr(text, &a, NULL))
		CONF_TELL_WARN(p, l, 1,
			       "%s \"%.60s\" is not an IP address; the line is dropped and the interface's own address "
			       "is used, write %s",
			       k->word, l->word[1], k->what);
	else if (fits_family(p, l, 1, &a, OWN_FAMILY))
		conf_cur_vr(p)->src = a;
}

static void set_mcast_dst(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_addr a;

	if (conf_parse_addr(l->word[1], &a, NULL) || !conf_good_group(&a))
		CONF_TELL_WARN(p, l, 1,
			       "%s \"%.60s\" is not a multicast address (IPv6: of ff02::/16); the line is dropped and "
			       "the usual group is used, write %s",
			       k->word, l->word[1], k->what);
	else if (fits_family(p, l, 1, &a, OWN_FAMILY))
		conf_cur_vr(p)->group = a;
}

static void note_block(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	conf_note(p, k, l);
}

/* use_vmac [[name] IFNAME] [MAC] [netlink_notify_msg] [group G]: of all that only the virtual MAC itself is there without a macvlan. */
static void put_vmac(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	size_t i;

	conf_put_yes(p, k, l);
	for (i = 1; i < l->nwords; i++) {
		const char *word = l->word[i];

		if (!strcmp(word, "group"))
			i++;
		else if (strchr(word, ':') && strncasecmp(word, "00:00:5e:00:01", strlen("00:00:5e:00:01")) != 0 &&
			 strncasecmp(word, "00:00:5e:00:02", strlen("00:00:5e:00:02")) != 0)
			CONF_TELL_WARN(p, l, i,
				       "the virtual MAC is always 00:00:5e:00:01:VRID, with IPv6 00:00:5e:00:02:VRID; "
				       "\"%s\" is not used",
				       word);
		else if (!strchr(word, ':') && strcmp(word, "name") != 0 && strcmp(word, "netlink_notify_msg") != 0)
			CONF_TELL_WARN(p, l, i,
				       "use_vmac makes no interface: none is called \"%s\", the addresses are on the "
				       "instance's own, with the virtual MAC",
				       word);
	}
}

static void set_notify_deleted(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	conf_cur_vr(p)->notify.deleted_set = true;
	if (l->nwords > 1)
		conf_put_cmd(p, k, l);
}

static void open_instance(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_inst *insts;
	struct conf_vr *vr;

	(void)k;
	if (l->nwords > 1 && strlen(l->word[1]) >= CONF_NAME_MAX) {
		CONF_TELL_ERROR(p, l, 1, "vrrp_instance name \"%.80s\" has %zu characters; use at most %d", l->word[1],
				strlen(l->word[1]), CONF_NAME_MAX - 1);
		conf_skip_block(p, l);
		return;
	}
	if (!conf_open_named(p, l, CONF_MAP_INSTANCE, p->conf->nvrs))
		return;
	insts = conf_grow(p, p->insts, p->conf->nvrs, sizeof(*insts));
	if (!insts)
		return;
	p->insts = insts;
	memset(&insts[p->conf->nvrs], 0, sizeof(*insts));
	vr = conf_add_vr(p->conf, l->word[1]);
	if (!vr) {
		p->oom = true;
		return;
	}
	vr->at = conf_line_at(l, 0);
}

static void open_garp_group(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf *c = p->conf;
	struct conf_garp_group *g = conf_grow(p, c->garp_groups, c->ngarp_groups, sizeof(*g));

	(void)k;
	if (!g)
		return;
	c->garp_groups = g;
	g[c->ngarp_groups++] = (struct conf_garp_group){ .at = conf_line_at(l, 0) };
}

/* One interface is in one group only. */
static void add_garp_if(struct conf_parser *p, const struct conf_line *l, size_t i)
{
	struct conf_garp_group *g = &p->conf->garp_groups[p->conf->ngarp_groups - 1];
	struct conf_at at = conf_line_at(l, i);
	const char *name = l->word[i];
	bool fresh;

	if (!conf_good_ifname(name)) {
		CONF_TELL_WARN(p, l, i, "\"%.60s\" is not an interface name and is ignored", name);
		return;
	}
	if (!conf_map_put(&p->map, CONF_MAP_GARP_IF, 0, name, strlen(name), &fresh)) {
		p->oom = true;
	} else if (!fresh) {
		CONF_TELL_WARN(p, l, i, "interface %s is in a garp_group already and is ignored here", name);
	} else {
		void *bigger = conf_grow(p, g->ifs, g->nifs, sizeof(*g->ifs));

		if (!bigger)
			return;
		g->ifs = bigger;
		snprintf(g->ifs[g->nifs++], CONF_IFNAME_MAX, "%s", name);
		conf_need_iface(p, name, "interface of a garp_group", &at);
	}
}

static void set_garp_if(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	(void)k;
	add_garp_if(p, l, 1);
}

static void garp_ifs_entry(struct conf_parser *p, const struct conf_line *l)
{
	for (size_t i = 0; i < l->nwords; i++)
		add_garp_if(p, l, i);
}

/* ---- the tables of this file ---- */

#define IN(f) offsetof(struct conf_inst, f)
#define VR(f) offsetof(struct conf_vr, f)
#define NOT_DONE(w, why)                                                                                               \
	{                                                                                                              \
		.word = w, .set = conf_not_done, .fallback = why, .words = CONF_WORDS_ANY                              \
	}
#define NO_EFFECT(w)                                                                                                   \
	{                                                                                                              \
		.word = w, .set = conf_no_effect, .words = CONF_WORDS_ANY                                              \
	}
#define LIST(w, c)                                                                                                     \
	{                                                                                                              \
		.word = w, .block = c                                                                                  \
	}
#define NOTIFY(w, f)                                                                                                   \
	{                                                                                                              \
		.word = w, .set = conf_put_cmd, .off = VR(notify.f), .min = 1, .max = 1,                               \
		.what = "a command, in double quotes if it has arguments", .words = CONF_WORDS_ANY                     \
	}

static const struct conf_key root_keys[] = {
	{ .word = "global_defs", .block = CONF_CTX_GLOBAL },
	{ .word = "vrrp_instance", .set = open_instance, .what = "a name", .block = CONF_CTX_INSTANCE },
	{ .word = "vrrp_script", .set = conf_open_script, .what = "a name", .block = CONF_CTX_SCRIPT },
	{ .word = "vrrp_sync_group", .set = conf_open_group, .what = "a name", .block = CONF_CTX_GROUP },
	{ .word = "track_file", .set = conf_open_file, .what = "a name", .block = CONF_CTX_FILE },
	{ .word = "vrrp_track_file", .set = conf_open_file, .what = "a name", .block = CONF_CTX_FILE },
	{ .word = "vrrp_track_process", .set = conf_open_process, .what = "a name", .block = CONF_CTX_PROCESS },
	{ .word = "garp_group", .set = open_garp_group, .block = CONF_CTX_GARP_GROUP },
	{ .word = "track_group", .set = conf_open_track_group, .what = "a name", .block = CONF_CTX_TRACK_GROUP },
	LIST("static_ipaddress", CONF_CTX_STATIC_ADDRS),
	LIST("static_routes", CONF_CTX_STATIC_ROUTES),
	LIST("static_rules", CONF_CTX_STATIC_RULES),
	LIST("interface_up_down_delays", CONF_CTX_UPDOWN),
	{ .word = "child_wait_time",
	  .set = conf_put_uint,
	  .off = offsetof(struct conf_globals, child_wait_s),
	  .max = 3600,
	  .what = "a number of seconds" },
	{ .word = "xdp_mode", .set = conf_put_mode, .what = "native, skb or auto" },
	NOT_DONE("bfd_instance", "there are no BFD sessions, and what tracks them is not tracked"),
	NOT_DONE("linkbeat_interfaces", "link states come from netlink, not from polling"),
	NOT_DONE("linkbeat_use_polling", "link states come from netlink, not from polling"),
	NOT_DONE("net_namespace",
		 "everything runs in the namespace it is started in; use \"ip netns exec\" or systemd's "
		 "NetworkNamespacePath="),
	NOT_DONE("instance", "pid files get no suffix; name them on the command line"),
	NOT_DONE("use_pid_dir", "pid files are named on the command line"),
	NO_EFFECT("namespace_with_ipsets"), /* no ipsets are used */
};

static const struct conf_key instance_keys[] = {
	{ .word = "state", .set = set_state, .off = IN(state), .what = "MASTER or BACKUP" },
	{ .word = "interface",
	  .set = set_ifname,
	  .what = "a name of 1 to 15 characters without blanks, such as eth0",
	  .reported = CONF_REP_IFNAME },
	{ .word = "xdp_vlan", .set = set_vlan, .what = "1 to 4094, or leave it out" },
	{ .word = "virtual_router_id",
	  .set = conf_note_number,
	  .off = IN(vrid),
	  .min = 1,
	  .max = 255,
	  .what = "a number from 1 to 255",
	  .reported = CONF_REP_VRID },
	{ .word = "priority",
	  .set = set_priority,
	  .off = IN(priority),
	  .min = 1,
	  .max = 255,
	  .what = "a number from 1 to 255",
	  .fallback = "100 is used" },
	{ .word = "advert_int",
	  .set = conf_note_seconds,
	  .off = IN(advert_ns),
	  .min = 10 * CONF_MS_NS,
	  .max = 255 * CONF_SEC_NS,
	  .what = "1 to 255 seconds for version 2, or 0.01 to 40.95 for version 3",
	  .fallback = "1 is used" },
	{ .word = "nopreempt", .set = conf_note_flag, .off = IN(preempt), .max = 0 },
	{ .word = "preempt", .set = conf_note_flag, .off = IN(preempt), .max = 1 },
	{ .word = "preempt_delay",
	  .set = conf_note_seconds,
	  .off = IN(preempt_delay),
	  .max = 1000 * CONF_SEC_NS,
	  .what = "0 to 1000 seconds",
	  .fallback = "there is no delay" },
	CONF_COMMON_KEYS(""),
	{ .word = "strict_mode", .set = conf_note_bool, .off = CONF_COMMON(strict) },
	{ .word = "mcast_src_ip", .set = set_src, .what = "an address of this interface" },
	{ .word = "unicast_src_ip", .set = set_src, .off = IN(unicast_src), .what = "an address of this interface" },
	{ .word = "mcast_dst_ip", .set = set_mcast_dst, .what = "one such as 224.0.0.18 or ff02::12" },
	{ .word = "unicast_ttl",
	  .set = conf_note_number,
	  .off = IN(unicast_ttl),
	  .max = 255,
	  .what = "a number from 0 to 255",
	  .fallback = "255 is used" },
	{ .word = "unicast_fault_no_peer", .set = conf_put_yes, .off = VR(unicast_fault_no_peer) },
	{ .word = "track_src_ip", .set = conf_put_yes, .off = VR(track_src_ip) },
	{ .word = "dont_track_primary", .set = conf_put_yes, .off = VR(dont_track_primary) },
	{ .word = "accept", .set = conf_note_flag, .off = IN(accept), .max = 1 },
	{ .word = "no_accept", .set = conf_note_flag, .off = IN(accept), .max = 0 },
	{ .word = "no_virtual_ipaddress", .set = conf_note_flag, .off = IN(no_vip), .max = 1 },
	{ .word = "authentication", .block = CONF_CTX_AUTH },
	LIST("virtual_ipaddress", CONF_CTX_VIPS),
	LIST("virtual_ipaddress_excluded", CONF_CTX_EXCLUDED),
	LIST("virtual_routes", CONF_CTX_ROUTES),
	LIST("virtual_rules", CONF_CTX_RULES),
	{ .word = "unicast_peer", .set = note_block, .off = IN(peer_block), .block = CONF_CTX_PEERS },
	{ .word = "xdp_peers", .set = note_block, .off = IN(allow_block), .block = CONF_CTX_ALLOWED },
	LIST("track_interface", CONF_CTX_TRACK_IFS),
	LIST("track_script", CONF_CTX_TRACK_SCRIPTS),
	LIST("track_file", CONF_CTX_TRACK_FILES),
	LIST("track_process", CONF_CTX_TRACK_PROCESSES),
	NOTIFY("notify", any),
	NOTIFY("notify_master", master),
	NOTIFY("notify_backup", backup),
	NOTIFY("notify_fault", fault),
	NOTIFY("notify_stop", stop),
	NOTIFY("notify_master_rx_lower_pri", master_rx_lower_pri),
	{ .word = "notify_deleted",
	  .set = set_notify_deleted,
	  .off = VR(notify.deleted),
	  .min = 1,
	  .max = 1,
	  .words = CONF_WORDS_ANY },
	{ .word = "promote_secondaries", .set = conf_put_yes, .off = VR(promote_secondaries) },
	{ .word = "use_vmac", .set = put_vmac, .off = VR(use_vmac), .words = CONF_WORDS_ANY },
	{ .word = "vmac_xmit_base", .set = conf_put_yes, .off = VR(vmac_xmit_base) },
	NOT_DONE("use_vmac_addr", "addresses on other interfaces keep the interface's own MAC"),
	NOT_DONE("use_ipvlan", "addresses go to the interface itself, with its own MAC"),
	NOT_DONE("auth_hmac", "adverts carry NO HMAC and none is asked for; routers that enforce it drop them"),
	NOT_DONE("track_bfd", "there are no BFD sessions, so this instance runs as if they were up"),
	NOT_DONE("vrf", "the instance runs on its interface only"),
	NOT_DONE("timer_expired_backup", "running late does not lead to BACKUP"),
	NOT_DONE("thread_timer_expired", "running late does not lead to BACKUP"),
	NOT_DONE("old_unicast_checksum", "checksums are those of the RFC"),
	NOT_DONE("kernel_rx_buf_size", "socket buffers have the system's size"),
	NOT_DONE("linkbeat_use_polling", "link states come from netlink, not from polling"),
	NOT_DONE("lvs_sync_daemon_interface", "the IPVS sync daemon is keepalived's"),
	NO_EFFECT("native_ipv6"), /* obsolete in keepalived */
	NO_EFFECT("debug"),       /* without effect in keepalived */
};

static const struct conf_key auth_keys[] = {
	{ .word = "auth_type", .set = set_auth_type, .off = IN(auth_type), .what = "PASS" },
	{ .word = "auth_pass", .set = set_auth_pass, .off = IN(auth_pass), .what = "a password of 1 to 8 characters" },
};

static const struct conf_key garp_group_keys[] = {
	{ .word = "garp_interval",
	  .set = conf_put_seconds,
	  .off = offsetof(struct conf_garp_group, garp_interval_ns),
	  .max = 4294 * CONF_SEC_NS,
	  .what = "seconds",
	  .fallback = "the line is ignored" },
	{ .word = "gna_interval",
	  .set = conf_put_seconds,
	  .off = offsetof(struct conf_garp_group, gna_interval_ns),
	  .max = 4294 * CONF_SEC_NS,
	  .what = "seconds",
	  .fallback = "the line is ignored" },
	{ .word = "interface", .set = set_garp_if, .what = "the name of an interface" },
	LIST("interfaces", CONF_CTX_GARP_IFS),
};

static const struct conf_key track_group_keys[] = {
	{ .word = "group", .set = conf_open_members, .block = CONF_CTX_MEMBERS },
};

/* IPVS, health checks and their processes (tier X): keepalived's business, also beside this program. */
static const char *const ipvs_words[] = {
	"virtual_server",
	"virtual_server_group",
	"SSL",
	"net_namespace_ipvs",
	"lvs_id",
	"lvs_flush",
	"lvs_flush_on_stop",
	"lvs_flush_onstop",
	"lvs_timeouts",
	"lvs_sync_daemon",
	"lvs_notify_fifo",
	"lvs_notify_fifo_script",
	"lvs_process_name",
	"lvs_netlink_cmd_rcv_bufs",
	"lvs_netlink_cmd_rcv_bufs_force",
	"lvs_netlink_monitor_rcv_bufs",
	"lvs_netlink_monitor_rcv_bufs_force",
	"checker_process_name",
	"checker_priority",
	"checker_no_swap",
	"checker_rt_priority",
	"checker_cpu_affinity",
	"checker_rlimit_rttime",
	"checker_rlimit_rtime",
	"checker_log_all_failures",
	"smtp_alert_checker",
	"rs_init_notifies",
	"no_checker_emails",
	"nftables_ipvs",
	"nftables_ipvs_priority",
	"nftables_ipvs_start_fwmark",
	"enable_snmp_checker",
	"snmp_vs_stats_update_interval",
	"snmp_rs_stats_update_interval",
	"bfd_process_name",
	"bfd_priority",
	"bfd_no_swap",
	"bfd_rt_priority",
	"bfd_cpu_affinity",
	"bfd_rlimit_rttime",
	"bfd_rlimit_rtime",
};

/* ---- list entries ---- */

static void add_vip(struct conf_parser *p, struct conf_vip **list, size_t *n, const struct conf_vip *v)
{
	struct conf_vip *bigger = conf_grow(p, *list, *n, sizeof(*bigger));

	if (!bigger)
		return;
	*list = bigger;
	bigger[(*n)++] = *v;
}

/* False: in the list already, or out of memory. */
static bool new_addr(struct conf_parser *p, const struct conf_line *l, enum conf_map_kind kind, size_t owner,
		     const struct conf_addr *a, size_t value)
{
	bool fresh;
	size_t *slot = conf_map_put(&p->map, kind, owner, a, sizeof(*a), &fresh);

	if (!slot) {
		p->oom = true;
		return false;
	}
	if (fresh)
		*slot = value;
	else
		CONF_TELL_WARN(p, l, 0, "\"%.60s\" is in this list already; this line is dropped", l->word[0]);
	return fresh;
}

static bool take_addr_line(struct conf_parser *p, const struct conf_line *l, bool is_static, struct conf_vip *v)
{
	struct conf_line_ctx x = conf_line_ctx(p, is_static);
	struct conf_at at = conf_line_at(l, 0);
	int err = conf_addr_line(&x, l, v);

	p->oom |= err < 0;
	if (err)
		return false;
	conf_need_iface(p, v->dev, "device of an address", &at);
	return true;
}

static void vip_entry(struct conf_parser *p, const struct conf_line *l)
{
	size_t i = p->conf->nvrs - 1;
	struct conf_vr *vr = conf_cur_vr(p);
	struct conf_vip v = { 0 };

	if (take_addr_line(p, l, false, &v) &&
	    fits_family(p, l, 0, &v.addr, "move it to virtual_ipaddress_excluded or an instance of its own") &&
	    new_addr(p, l, CONF_MAP_VIP, i, &v.addr, vr->nvips))
		add_vip(p, &vr->vips, &vr->nvips, &v);
}

static void excluded_entry(struct conf_parser *p, const struct conf_line *l)
{
	size_t i = p->conf->nvrs - 1;
	struct conf_vr *vr = conf_cur_vr(p);
	struct conf_vip v = { 0 };

	if (take_addr_line(p, l, false, &v) && new_addr(p, l, CONF_MAP_EXCLUDED, i, &v.addr, vr->nexcluded))
		add_vip(p, &vr->excluded, &vr->nexcluded, &v);
}

static void static_addr_entry(struct conf_parser *p, const struct conf_line *l)
{
	struct conf_vip v = { 0 };

	if (take_addr_line(p, l, true, &v) && new_addr(p, l, CONF_MAP_STATIC, 0, &v.addr, 0))
		add_vip(p, &p->conf->static_addrs, &p->conf->nstatic_addrs, &v);
}

static void route_entry(struct conf_parser *p, const struct conf_line *l)
{
	bool is_static = p->stack[p->depth - 1].ctx == CONF_CTX_STATIC_ROUTES;
	struct conf_line_ctx x = conf_line_ctx(p, is_static);
	struct conf_vr *vr = is_static ? NULL : conf_cur_vr(p);
	struct conf_route **list = vr ? &vr->routes : &p->conf->static_routes, *bigger, r = { 0 };
	size_t *n = vr ? &vr->nroutes : &p->conf->nstatic_routes;
	struct conf_at at = conf_line_at(l, 0);
	int err = conf_route_line(&x, l, &r);

	p->oom |= err < 0;
	if (err || !(bigger = conf_grow(p, *list, *n, sizeof(*bigger))))
		return;
	*list = bigger;
	bigger[(*n)++] = r;
	for (size_t i = 0; i < r.nhops; i++)
		conf_need_iface(p, r.hops[i].dev, "device of a route", &at);
}

static void rule_entry(struct conf_parser *p, const struct conf_line *l)
{
	bool is_static = p->stack[p->depth - 1].ctx == CONF_CTX_STATIC_RULES;
	struct conf_line_ctx x = conf_line_ctx(p, is_static);
	struct conf_vr *vr = is_static ? NULL : conf_cur_vr(p);
	struct conf_rule **list = vr ? &vr->rules : &p->conf->static_rules, *bigger, r = { 0 };
	size_t *n = vr ? &vr->nrules : &p->conf->nstatic_rules;
	struct conf_at at = conf_line_at(l, 0);
	int err = conf_rule_line(&x, l, &r);

	p->oom |= err < 0;
	if (err || !(bigger = conf_grow(p, *list, *n, sizeof(*bigger))))
		return;
	*list = bigger;
	if (!(r.set & CONF_RULE_PREF)) {
		uint32_t *pref = &p->rule_pref[r.family == 6];

		r.pref = *pref > 1 ? (*pref)-- : 1;
		CONF_TELL_WARN(p, l, 0,
			       "this rule has no preference and gets %u; write one, since the number hangs on the "
			       "order of the lines",
			       r.pref);
	}
	bigger[(*n)++] = r;
	conf_need_iface(p, r.iif, "device of a rule", &at);
	conf_need_iface(p, r.oif, "device of a rule", &at);
}

/* "min_ttl N" and "max_ttl N"; either turns the source check on (KA-28). */
static void peer_words(struct conf_parser *p, const struct conf_line *l, struct conf_peer *peer)
{
	uint64_t n;

	for (size_t i = 1; i < l->nwords; i += 2) {
		bool min = !strcmp(l->word[i], "min_ttl");

		if (!min && strcmp(l->word[i], "max_ttl") != 0) {
			CONF_TELL_WARN(p, l, i,
				       "\"%.60s\" after peer %.60s is not known; the rest of the line is ignored",
				       l->word[i], l->word[0]);
			return;
		}
		if (i + 1 == l->nwords || !conf_parse_number(l->word[i + 1], &n) || n > 255) {
			CONF_TELL_WARN(
				p, l, i,
				"\"%s\" after peer %.60s has no value from 0 to 255; the rest of the line is ignored",
				l->word[i], l->word[0]);
			return;
		}
		peer->ttl_set = true;
		*(min ? &peer->min_ttl : &peer->max_ttl) = (uint8_t)n;
	}
}

static void too_many_peers(struct conf_parser *p, const struct conf_line *l, size_t i, bool *said)
{
	if (!*said)
		CONF_TELL_ERROR(p, l, i, "\"%.60s\" is peer number %d; an instance has at most %d, remove some",
				l->word[i], PEERS_MAX + 1, PEERS_MAX);
	*said = true;
}

static void peer_entry(struct conf_parser *p, const struct conf_line *l)
{
	struct conf_inst *in = conf_cur_inst(p);
	struct conf_vr *vr = conf_cur_vr(p);
	struct conf_peer peer = { .max_ttl = 255 }, *bigger;

	if (conf_parse_addr(l->word[0], &peer.addr, NULL)) {
		CONF_TELL_WARN(p, l, 0,
			       "peer \"%.60s\" is not an IP address and is dropped; write one as in 192.0.2.1, without "
			       "a prefix",
			       l->word[0]);
	} else if (!fits_family(p, l, 0, &peer.addr, OWN_FAMILY)) {
		return;
	} else if (vr->npeers >= PEERS_MAX) {
		too_many_peers(p, l, 0, &in->too_many_peers);
	} else if (new_addr(p, l, CONF_MAP_PEER, p->conf->nvrs - 1, &peer.addr, vr->npeers)) {
		peer_words(p, l, &peer);
		bigger = conf_grow(p, vr->peers, vr->npeers, sizeof(*bigger));
		if (!bigger)
			return;
		vr->peers = bigger;
		bigger[vr->npeers++] = peer;
	}
}

/* Our own block. Who is missing in it is not heard, and two routers are Active: a bad address is an error, not a line less. */
static void allow(struct conf_parser *p, const struct conf_line *l, size_t i)
{
	struct conf_inst *in = conf_cur_inst(p);
	struct conf_vr *vr = conf_cur_vr(p);
	struct conf_addr a;
	int err;

	if (conf_parse_addr(l->word[i], &a, NULL)) {
		CONF_TELL_ERROR(
			p, l, i,
			"\"%.60s\" in xdp_peers is not an IP address; write addresses such as 192.0.2.1, without "
			"a prefix",
			l->word[i]);
		return;
	}
	if (vr->nallowed >= PEERS_MAX) {
		too_many_peers(p, l, i, &in->too_many_allowed);
		return;
	}
	err = conf_vr_allow(vr, &a, l->line);
	p->oom |= err == -ENOMEM;
	if (err == -EEXIST)
		CONF_TELL_WARN(p, l, i, "\"%.60s\" is in this list already; remove one of them", l->word[i]);
}

static void allowed_entry(struct conf_parser *p, const struct conf_line *l)
{
	conf_cur_inst(p)->allow_block.set = false; /* it is not empty, whatever becomes of these */
	for (size_t i = 0; i < l->nwords; i++)
		allow(p, l, i);
}

/* "IF DOWN [UP]" (spec 2.1) */
static void updown_entry(struct conf_parser *p, const struct conf_line *l)
{
	struct conf *c = p->conf;
	struct conf_updown u = { .down_ns = 0 }, *bigger;
	struct conf_at at = conf_line_at(l, 0);
	bool fresh;

	if (l->nwords < 2 || l->nwords > 3 || !conf_good_ifname(l->word[0]) ||
	    !conf_parse_seconds(l->word[1], &u.down_ns) ||
	    (l->nwords == 3 && !conf_parse_seconds(l->word[2], &u.up_ns)) || u.down_ns > 255 * CONF_SEC_NS ||
	    u.up_ns > 255 * CONF_SEC_NS) {
		CONF_TELL_WARN(p, l, 0,
			       "\"%.60s\" is no entry of interface_up_down_delays and is dropped; write INTERFACE "
			       "DOWN-SECONDS [UP-SECONDS], each 0 to 255",
			       l->word[0]);
		return;
	}
	snprintf(u.ifname, sizeof(u.ifname), "%s", l->word[0]);
	if (!conf_map_put(&p->map, CONF_MAP_UPDOWN, 0, u.ifname, strlen(u.ifname), &fresh)) {
		p->oom = true;
	} else if (!fresh) {
		CONF_TELL_WARN(p, l, 0, "interface %s is in this list already; this line is dropped", u.ifname);
	} else if ((bigger = conf_grow(p, c->updowns, c->nupdowns, sizeof(*bigger)))) {
		c->updowns = bigger;
		bigger[c->nupdowns++] = u;
		conf_need_iface(p, u.ifname, "interface of interface_up_down_delays", &at);
	}
}

/* ---- blocks ---- */

#define KEYS(table)                                                                                                    \
	{                                                                                                              \
		table, CONF_LEN(table)                                                                                 \
	}
static const struct conf_keys root_table = KEYS(root_keys), instance_table = KEYS(instance_keys),
			      auth_table = KEYS(auth_keys), garp_group_table = KEYS(garp_group_keys),
			      track_group_table = KEYS(track_group_keys);

static const struct {
	const struct conf_keys *table;
	void (*entry)(struct conf_parser *p, const struct conf_line *l); /* a list block */
} contexts[] = {
	[CONF_CTX_NONE] = { NULL, NULL },
	[CONF_CTX_ROOT] = { &root_table, NULL },
	[CONF_CTX_GLOBAL] = { &conf_global_keys, NULL },
	[CONF_CTX_EMAILS] = { NULL, conf_email_entry },
	[CONF_CTX_INSTANCE] = { &instance_table, NULL },
	[CONF_CTX_AUTH] = { &auth_table, NULL },
	[CONF_CTX_VIPS] = { NULL, vip_entry },
	[CONF_CTX_EXCLUDED] = { NULL, excluded_entry },
	[CONF_CTX_PEERS] = { NULL, peer_entry },
	[CONF_CTX_ALLOWED] = { NULL, allowed_entry },
	[CONF_CTX_ROUTES] = { NULL, route_entry },
	[CONF_CTX_RULES] = { NULL, rule_entry },
	[CONF_CTX_TRACK_IFS] = { NULL, conf_track_entry },
	[CONF_CTX_TRACK_SCRIPTS] = { NULL, conf_track_entry },
	[CONF_CTX_TRACK_FILES] = { NULL, conf_track_entry },
	[CONF_CTX_TRACK_PROCESSES] = { NULL, conf_track_entry },
	[CONF_CTX_SCRIPT] = { &conf_script_keys, NULL },
	[CONF_CTX_FILE] = { &conf_file_keys, NULL },
	[CONF_CTX_PROCESS] = { &conf_process_keys, NULL },
	[CONF_CTX_GROUP] = { &conf_group_keys, NULL },
	[CONF_CTX_MEMBERS] = { NULL, conf_member_entry },
	[CONF_CTX_STATIC_ADDRS] = { NULL, static_addr_entry },
	[CONF_CTX_STATIC_ROUTES] = { NULL, route_entry },
	[CONF_CTX_STATIC_RULES] = { NULL, rule_entry },
	[CONF_CTX_TRACK_GROUP] = { &track_group_table, NULL },
	[CONF_CTX_GARP_GROUP] = { &garp_group_table, NULL },
	[CONF_CTX_GARP_IFS] = { NULL, garp_ifs_entry },
	[CONF_CTX_UPDOWN] = { NULL, updown_entry },
};

static const char *kind_word(enum conf_map_kind kind)
{
	switch (kind) {
	case CONF_MAP_INSTANCE:
		return "vrrp_instance";
	case CONF_MAP_GROUP:
		return "vrrp_sync_group";
	case CONF_MAP_TRACK_GROUP:
		return "track_group";
	case CONF_MAP_SCRIPT:
		return "vrrp_script";
	case CONF_MAP_FILE:
		return "track_file";
	default:
		return "vrrp_track_process";
	}
}

/* keepalived leaves a missing or empty name, and words after it, to chance. */
bool conf_open_named(struct conf_parser *p, const struct conf_line *l, enum conf_map_kind kind, size_t index)
{
	const char *word = kind_word(kind);
	size_t *slot;
	bool fresh;

	if (!*l->word[1]) {
		CONF_TELL_ERROR(p, l, 0, "%s has no name; write one word before the \"{\"", word);
	} else if (l->nwords > 2) {
		CONF_TELL_ERROR(p, l, 2,
				"%s \"%.60s\" is followed by \"%.60s\"; put a name with blanks in double quotes", word,
				l->word[1], l->word[2]);
	} else {
		slot = conf_map_put(&p->map, kind, 0, l->word[1], strlen(l->word[1]), &fresh);
		if (!slot) {
			p->oom = true;
			return false;
		}
		if (fresh) {
			*slot = index;
			return true;
		}
		CONF_TELL_WARN(p, l, 1, "%s \"%.60s\" is defined already; this block is skipped, rename or remove it",
			       word, l->word[1]);
	}
	conf_skip_block(p, l);
	return false;
}

static void push(struct conf_parser *p, struct conf_open b)
{
	p->stack[p->depth++] = b;
	p->want.ctx = CONF_CTX_NONE;
}

bool conf_is_root_word(const char *word)
{
	static const char *const words[] = {
		"global_defs",  "vrrp_instance", "vrrp_script",      "vrrp_sync_group", "vrrp_track_process",
		"bfd_instance", "garp_group",    "static_ipaddress", "static_routes",   "static_rules",
	};

	for (size_t i = 0; i < CONF_LEN(words); i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

static void missing_close(struct conf_parser *p)
{
	static const char text[] =
		"the block \"%.60s\" that starts here has no closing \"}\"; it is taken to end before the "
		"next block, add it";

	if (p->skip)
		CONF_WARN_AT(p, &p->skip_at, text, p->unknown[0] ? p->unknown : "{");
	else if (p->depth > 1)
		CONF_WARN_AT(p, &p->stack[p->depth - 1].at, text, p->stack[p->depth - 1].word);
	p->skip = 0;
	p->unknown[0] = '\0';
	p->depth = 1;
}

static void extra_words(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	bool named = k->block != CONF_CTX_NONE && k->what; /* conf_open_named() looks */
	bool yes = k->set == conf_note_bool || k->set == conf_put_bool;
	size_t used = 1 + (k->words ? k->words : k->what || yes ? 1 : 0);

	if (named || l->nwords <= used)
		return;
	CONF_TELL_WARN(p, l, used, "\"%.60s\" after \"%s\" is one word too many and is ignored", l->word[used],
		       k->word);
}

static void keyword(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	enum conf_ctx ctx = p->stack[p->depth - 1].ctx;

	if (k->what && l->nwords < 2) {
		CONF_TELL_ERROR(p, l, 0, "%s has no value; it takes %s", k->word, k->what);
		if (k->reported)
			conf_cur_inst(p)->reported |= k->reported;
		if (k->block != CONF_CTX_NONE)
			conf_skip_block(p, l);
		return;
	}
	extra_words(p, k, l);
	p->order++;
	p->owner = ctx == CONF_CTX_GROUP         ? CONF_OWNER_GROUP
		   : ctx == CONF_CTX_TRACK_GROUP ? CONF_OWNER_TRACK_GROUP
						 : CONF_OWNER_INSTANCE;
	if (k->set)
		k->set(p, k, l);
	if (k->block != CONF_CTX_NONE && !p->unknown[0])
		p->want = (struct conf_open){ k->block, k->word, conf_line_at(l, 0) };
}

/* One warning for all of them: a file with health checks has hundreds. */
static bool ipvs_word(struct conf_parser *p, const struct conf_line *l)
{
	size_t i = 0;

	while (i < CONF_LEN(ipvs_words) && strcmp(l->word[0], ipvs_words[i]) != 0)
		i++;
	if (i == CONF_LEN(ipvs_words))
		return false;
	if (!p->ipvs_said)
		CONF_TELL_WARN(p, l, 0,
			       "\"%s\" is skipped: IPVS and health checking stay keepalived's: keep a keepalived with "
			       "--check for "
			       "these blocks",
			       l->word[0]);
	p->ipvs_said = true;
	conf_skip_block(p, l);
	return true;
}

static void words(struct conf_parser *p, const struct conf_line *l)
{
	enum conf_ctx ctx = p->stack[p->depth - 1].ctx;
	const struct conf_keys *t = contexts[ctx].table;

	if (contexts[ctx].entry) {
		p->order++;
		contexts[ctx].entry(p, l);
		return;
	}
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(l->word[0], t->keys[i].word)) {
			keyword(p, &t->keys[i], l);
			return;
		}
	if ((ctx == CONF_CTX_ROOT || ctx == CONF_CTX_GLOBAL) && ipvs_word(p, l))
		return;
	conf_skip_block(p, l);
	p->unknown_said = false;
	if (!*l->word[0])
		snprintf(p->unknown, sizeof(p->unknown), "(empty word)");
	if (ctx == CONF_CTX_AUTH) /* `auth_pass=secret`: what is said here ends up in a log */
		snprintf(p->unknown, sizeof(p->unknown), "(not shown)");
}

/* Only the next line shows whether an unknown word had a block. */
static bool unknown_word(struct conf_parser *p, const struct conf_line *l)
{
	bool block = l && l->ev == CONF_EV_OPEN;

	if (!p->unknown_said)
		CONF_WARN_AT(p, &p->unknown_at, "\"%s\" is not a keyword here and is %s; look for a typing error",
			     p->unknown, block ? "skipped with its block" : "ignored");
	if (block) {
		p->skip = 1;
		p->skip_at = p->unknown_at;
		return true;
	}
	p->unknown[0] = '\0';
	return false;
}

static int skipped(struct conf_parser *p, const struct conf_line *l)
{
	switch (l->ev) {
	case CONF_EV_OPEN:
		if (++p->skip <= SKIP_DEPTH_MAX)
			break;
		CONF_TELL_ERROR(p, l, 0, "blocks stand more than %d deep inside each other; remove some \"{\"",
				SKIP_DEPTH_MAX);
		return -1;
	case CONF_EV_CLOSE:
		p->skip--;
		if (!p->skip)
			p->unknown[0] = '\0';
		break;
	case CONF_EV_WORDS:
		break;
	}
	return 0;
}

/* keepalived drops the brace and is then one "}" short for the rest of the file; a block nobody named holds nothing either. */
static void stray_open(struct conf_parser *p, const struct conf_line *l)
{
	CONF_TELL_WARN(
		p, l, 0,
		"this \"{\" follows no word that starts a block, so all up to its \"}\" is skipped; remove both");
	p->skip = 1;
	p->skip_at = conf_line_at(l, 0);
}

/* The '{' that a keyword needs. True: @l was it. */
static bool open_wanted(struct conf_parser *p, const struct conf_line *l)
{
	bool open = l->ev == CONF_EV_OPEN;

	if (!open)
		CONF_WARN_AT(p, &p->want.at, "\"%s\" is not followed by \"{\"; it is taken to be there, add it",
			     p->want.word);
	push(p, p->want);
	return open;
}

static int on_line(void *arg, const struct conf_line *l)
{
	struct conf_parser *p = arg;
	/* in quotes it is a name: no keyword is written like that */
	bool root_word = l->ev == CONF_EV_WORDS && l->raw[0] != '"' && conf_is_root_word(l->word[0]);

	if (root_word && p->skip)
		missing_close(p);
	if (p->skip)
		return skipped(p, l);
	if (p->unknown[0] && unknown_word(p, l))
		return 0;
	if (p->want.ctx != CONF_CTX_NONE && open_wanted(p, l))
		return 0;
	if (root_word)
		missing_close(p);
	switch (l->ev) {
	case CONF_EV_OPEN:
		stray_open(p, l);
		break;
	case CONF_EV_CLOSE:
		if (p->depth > 1)
			p->depth--;
		else
			CONF_TELL_WARN(p, l, 0, "this \"}\" closes no block and is ignored; remove it");
		break;
	case CONF_EV_WORDS:
		words(p, l);
		break;
	}
	return p->oom ? -1 : 0;
}

static void end_of_file(struct conf_parser *p)
{
	if (!p->skip && p->unknown[0])
		unknown_word(p, NULL);
	if (p->want.ctx != CONF_CTX_NONE) {
		CONF_WARN_AT(p, &p->want.at,
			     "\"%s\" is not followed by \"{\" and is empty; add it and the closing \"}\"",
			     p->want.word);
		p->want.ctx = CONF_CTX_NONE;
		p->depth = 1;
	}
	missing_close(p);
}

/* Names first, then what hangs on them; conf_check() looks at the result. */
static int finish(struct conf_parser *p)
{
	unsigned int *reported;

	conf_finish_globals(p);
	conf_finish_instances(p);
	conf_finish_commands(p);
	conf_finish_tracks(p);
	conf_finish_interfaces(p);
	reported = calloc(p->conf->nvrs + 1, sizeof(*reported));
	if (!reported || p->oom) {
		free(reported);
		return -ENOMEM;
	}
	for (size_t i = 0; i < p->conf->nvrs; i++)
		reported[i] = p->insts[i].reported;
	conf_check_rest(p->conf, reported, p->diag);
	free(reported);
	return 0;
}

static void parser_fini(struct conf_parser *p)
{
	conf_map_free(&p->map);
	for (size_t i = 0; i < CONF_LEN(p->item_orders); i++)
		free(p->item_orders[i]);
	free(p->insts);
	free(p->tracks);
	free(p->members);
	free(p->group_notes);
	free(p->missing);
}

int conf_load(struct conf *c, const char *path, const struct conf_io *io, conf_msg_fn msg, void *msg_arg)
{
	struct conf_diag d = { .msg = msg, .arg = msg_arg };
	struct conf_parser p = {
		.conf = c,
		.io = io,
		.diag = &d,
		.depth = 1,
		.stack = { { .ctx = CONF_CTX_ROOT, .word = "" } },
		.rule_pref = { RULE_PREF_FIRST, RULE_PREF_FIRST },
	};
	int err = conf_lex(c, path, io, &d, on_line, &p);

	if (p.oom)
		err = -ENOMEM;
	if (!err) {
		end_of_file(&p);
		err = finish(&p);
	}
	parser_fini(&p);
	return err && err != -ECANCELED ? err : d.errors;
}
