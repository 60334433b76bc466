// SPDX-License-Identifier: GPL-2.0-or-later
/* global_defs (spec 2.2): its keywords, and what is made of them when all is read. */
#include "conf_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMTP_TIMEOUT_MAX = 3600, PROCESS_NAME_MAX = 15 };

#define GL(f)  offsetof(struct conf_globals, f)
#define DEF(f) offsetof(struct conf_defs, f)
#define NOT_DONE(w, why)                                                                                               \
	{                                                                                                              \
		.word = w, .set = conf_not_done, .fallback = why, .words = CONF_WORDS_ANY                              \
	}
#define NO_EFFECT(w)                                                                                                   \
	{                                                                                                              \
		.word = w, .set = conf_no_effect, .words = CONF_WORDS_ANY                                              \
	}
#define TEXT(w, f, desc)                                                                                               \
	{                                                                                                              \
		.word = w, .set = conf_put_text, .off = GL(f), .what = desc                                            \
	}
#define FLAG(w, f)                                                                                                     \
	{                                                                                                              \
		.word = w, .set = conf_put_yes, .off = GL(f)                                                           \
	}
#define SECONDS(w, f, high)                                                                                            \
	{                                                                                                              \
		.word = w, .set = conf_put_seconds, .off = GL(f), .max = (high)*CONF_SEC_NS, .what = "seconds",        \
		.fallback = "the line is ignored"                                                                      \
	}
#define COMMAND(w, f)                                                                                                  \
	{                                                                                                              \
		.word = w, .set = conf_put_cmd, .off = GL(f), .min = 1, .words = CONF_WORDS_ANY,                       \
		.what = "a command, in double quotes if it has arguments"                                              \
	}
#define SNMP(w)  NOT_DONE(w, "there is no SNMP agent; read the counters with the status command")
#define DBUS(w)  NOT_DONE(w, "there is no D-Bus service; the notify FIFO tells the same")
#define DUMP(w)  NOT_DONE(w, "the state is read with the status command and no file is written")
#define RXBUF(w) NOT_DONE(w, "socket buffers have the system's size")

/* ---- setters ---- */

void conf_email_entry(struct conf_parser *p, const struct conf_line *l)
{
	struct conf_globals *g = &p->conf->globals;
	const char **bigger;

	for (size_t i = 0; i < l->nwords; i++) {
		/* one more than the entries, for the NULL at the end */
		bigger = p->nemails ? conf_grow(p, g->emails, p->nemails + 1, sizeof(*bigger))
				    : calloc(2, sizeof(*bigger));
		if (!bigger) {
			p->oom = true;
			return;
		}
		g->emails = bigger;
		bigger[p->nemails++] = conf_keep(p, l->word[i]);
		bigger[p->nemails] = NULL;
	}
}

/* "HOST [PORT]" */
static void set_smtp_server(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_globals *g = &p->conf->globals;
	uint64_t port = 25;

	(void)k;
	if (l->nwords > 2 && (!conf_parse_number(l->word[2], &port) || port < 1 || port > 65535)) {
		CONF_TELL_WARN(p, l, 2, "port \"%.60s\" is not a number from 1 to 65535; 25 is used", l->word[2]);
		port = 25;
	}
	g->smtp_server = conf_keep(p, l->word[1]);
	g->smtp_port = (uint16_t)port;
}

static void set_mcast_group(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_addr a;
	uint8_t family = k->off == GL(mcast_group6) ? 6 : 4;

	if (conf_parse_addr(l->word[1], &a, NULL) || a.family != family || !conf_good_group(&a))
		CONF_TELL_WARN(p, l, 1,
			       "%s \"%.60s\" is not an IPv%u multicast address%s; the usual one is used, write %s",
			       k->word, l->word[1], family, family == 6 ? " of ff02::/16" : "", k->what);
	else
		*(struct conf_addr *)conf_field(p, k) = a;
}

static void set_default_interface(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	char *out = conf_field(p, k);

	if (!conf_good_ifname(l->word[1])) {
		CONF_TELL_ERROR(p, l, 1, "%s \"%.60s\" is not an interface name; write %s", k->word, l->word[1],
				k->what);
		return;
	}
	snprintf(out, CONF_IFNAME_MAX, "%s", l->word[1]);
	p->defs.default_interface = conf_line_at(l, 1);
}

static void set_dynamic_interfaces(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_globals *g = &p->conf->globals;

	(void)k;
	g->dynamic_interfaces = true;
	if (l->nwords < 2)
		return;
	if (!strcmp(l->word[1], "allow_if_changes"))
		g->dynamic_allow_if_changes = true;
	else
		CONF_TELL_WARN(p, l, 1, "\"%.60s\" after dynamic_interfaces is not known and is ignored", l->word[1]);
}

/* "USER [[:]GROUP]"; the colon asks for the supplementary groups. */
static void set_script_user(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_globals *g = &p->conf->globals;

	(void)k;
	g->script_user = conf_keep(p, l->word[1]);
	g->script_group = l->nwords > 2 ? conf_keep(p, l->word[2]) : NULL;
}

/* "PATH [USER [GROUP]]" */
static void set_fifo(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_fifo *f = conf_field(p, k);

	f->path = conf_keep(p, l->word[1]);
	f->user = l->nwords > 2 ? conf_keep(p, l->word[2]) : NULL;
	f->group = l->nwords > 3 ? conf_keep(p, l->word[3]) : NULL;
}

static void set_process_name(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	char name[PROCESS_NAME_MAX + 1];

	snprintf(name, sizeof(name), "%.*s", PROCESS_NAME_MAX, l->word[1]);
	if (strlen(l->word[1]) > PROCESS_NAME_MAX)
		CONF_TELL_WARN(p, l, 1, "%s \"%.60s\" is cut to \"%s\"; the kernel keeps %d characters", k->word,
			       l->word[1], name, PROCESS_NAME_MAX);
	p->conf->globals.process_name = conf_keep(p, name);
}

static void set_process_names(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	(void)k;
	(void)l;
	if (!p->conf->globals.process_name)
		p->conf->globals.process_name = conf_keep(p, "keepalived_vrrp");
}

/* Our own word. */
static void set_replaced(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	enum conf_replaced *out = &p->conf->globals.replaced;

	if (!strcmp(l->word[1], "restore"))
		*out = CONF_REPLACED_RESTORE;
	else if (!strcmp(l->word[1], "fault"))
		*out = CONF_REPLACED_FAULT;
	else
		CONF_TELL_ERROR(p, l, 1, "xdp_replaced \"%.60s\" is not known; write %s", l->word[1], k->what);
}

/* Our own word. An unknown group is an error: whoever is to use the socket would find out when it matters. */
static void set_control_group(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_globals *g = &p->conf->globals;
	uint32_t uid;

	g->control_group = conf_keep(p, l->word[1]);
	g->control_group_set = p->io->user && !p->io->user(p->io->arg, NULL, l->word[1], &uid, &g->control_gid);
	if (p->io->user && !g->control_group_set)
		CONF_TELL_ERROR(p, l, 1, "%s: there is no group \"%.60s\"; make it, or write %s", k->word, l->word[1],
				k->what);
}

static void set_nice(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	int64_t n;

	if (!conf_parse_signed(l->word[1], &n) || n < -20 || n > 19)
		CONF_TELL_WARN(p, l, 1, "%s \"%.60s\" is not a number from -20 to 19; the line is ignored", k->word,
			       l->word[1]);
	else
		p->conf->globals.nice = (int)n;
}

/* ---- the table ---- */

static const struct conf_key keys[] = {
	{ .word = "notification_email", .block = CONF_CTX_EMAILS },
	TEXT("notification_email_from", email_from, "an address"),
	{ .word = "smtp_server", .set = set_smtp_server, .what = "the address or name of a mail server", .words = 2 },
	{ .word = "smtp_connect_timeout",
	  .set = conf_put_uint,
	  .off = GL(smtp_timeout_s),
	  .min = 1,
	  .max = SMTP_TIMEOUT_MAX,
	  .what = "a number of seconds" },
	TEXT("smtp_helo_name", smtp_helo, "a host name"),
	{ .word = "smtp_alert_vrrp", .set = conf_note_bool, .off = DEF(smtp_alert_vrrp) },
	FLAG("no_email_faults", no_email_faults),
	TEXT("router_id", router_id, "a word"),
	{ .word = "vrrp_strict", .set = conf_note_bool, .off = CONF_COMMON(strict) },
	CONF_COMMON_KEYS("vrrp_"),
	{ .word = "vrrp_vmac_garp_intvl", .set = conf_note_extra_if, .what = "[all] SECONDS", .words = 2 },
	SECONDS("vrrp_garp_interval", garp_interval_ns, 4294),
	SECONDS("vrrp_gna_interval", gna_interval_ns, 4294),
	{ .word = "vrrp_min_garp", .set = conf_note_bool, .off = DEF(min_garp) },
	{ .word = "vrrp_mcast_group4",
	  .set = set_mcast_group,
	  .off = GL(mcast_group4),
	  .what = "one such as 224.0.0.18" },
	{ .word = "vrrp_mcast_group6",
	  .set = set_mcast_group,
	  .off = GL(mcast_group6),
	  .what = "one such as ff02::12" },
	SECONDS("vrrp_startup_delay", startup_delay_ns, 86400),
	SECONDS("vrrp_delay_after_boot", delay_after_boot_ns, 86400),
	{ .word = "default_interface",
	  .set = set_default_interface,
	  .off = GL(default_interface),
	  .what = "a name of 1 to 15 characters" },
	{ .word = "dynamic_interfaces", .set = set_dynamic_interfaces, .words = 1 },
	{ .word = "script_user", .set = set_script_user, .what = "a user, and a group if you like", .words = 2 },
	FLAG("enable_script_security", script_security),
	{ .word = "use_symlink_paths", .set = conf_put_bool, .off = GL(use_symlink_paths) },
	{ .word = "set_supplementary_groups", .set = conf_put_bool, .off = GL(supplementary_groups) },
	COMMAND("startup_script", startup_script),
	COMMAND("shutdown_script", shutdown_script),
	{ .word = "startup_script_timeout",
	  .set = conf_put_uint,
	  .off = GL(startup_timeout_s),
	  .min = 1,
	  .max = 1000,
	  .what = "1 to 1000 seconds" },
	{ .word = "shutdown_script_timeout",
	  .set = conf_put_uint,
	  .off = GL(shutdown_timeout_s),
	  .min = 1,
	  .max = 1000,
	  .what = "1 to 1000 seconds" },
	{ .word = "notify_fifo", .set = set_fifo, .off = GL(fifo), .what = "a path", .words = 3 },
	{ .word = "vrrp_notify_fifo", .set = set_fifo, .off = GL(vrrp_fifo), .what = "a path", .words = 3 },
	COMMAND("notify_fifo_script", fifo.script),
	COMMAND("vrrp_notify_fifo_script", vrrp_fifo.script),
	FLAG("fifo_write_vrrp_states_on_reload", fifo_states_on_reload),
	FLAG("reload_check_config", reload_check_config),
	NOT_DONE("log_unknown_vrids", "adverts for VRIDs of nobody are counted, see rx_vrid in the stats command"),
	{ .word = "process_names", .set = set_process_names },
	{ .word = "process_name", .set = set_process_name, .what = "a name" },
	{ .word = "vrrp_process_name", .set = set_process_name, .what = "a name" },
	{ .word = "vrrp_priority", .set = set_nice, .what = "a number from -20 to 19" },
	{ .word = "vrrp_rt_priority",
	  .set = conf_note_clamped,
	  .off = DEF(rt_priority),
	  .min = 1,
	  .max = 99,
	  .what = "a number from 1 to 99" },
	FLAG("vrrp_no_swap", no_swap),
	{ .word = "vrrp_cpu_affinity",
	  .set = conf_put_cpus,
	  .off = GL(cpu_affinity),
	  .what = "numbers of CPUs",
	  .words = CONF_WORDS_ANY },
	{ .word = "xdp_mode", .set = conf_put_mode, .what = "native, skb or auto" },
	{ .word = "xdp_replaced", .set = set_replaced, .what = "restore or fault" },
	{ .word = "xdp_control_group", .set = set_control_group, .what = "the name of one that exists" },

	NOT_DONE("max_auto_priority", "the scheduling priority stays as vrrp_rt_priority has it"),
	NOT_DONE("min_auto_priority_delay", "the scheduling priority stays as vrrp_rt_priority has it"),
	NOT_DONE("disable_local_igmp", "the host answers IGMP queries for the group as it always does"),
	NOT_DONE("umask", "files are made with mode 0600, a notify FIFO readable for all"),
	RXBUF("vrrp_rx_bufs_policy"),
	RXBUF("vrrp_rx_bufs_multiplier"),
	NOT_DONE("reload_time_file", "a reload happens on SIGHUP and on the reload command only"),
	NOT_DONE("reload_repeat", "a reload happens on SIGHUP and on the reload command only"),
	NOT_DONE("reload_file", "the configuration is read without a lock file"),
	NOT_DONE("include_check",
		 "a plain include of a missing file stays a warning; write includea, includem or includew"),
	NOT_DONE("config_save_dir", "no copy of the configuration is written"),
	NOT_DONE("tmp_config_directory", "no copy of the configuration is written"),
	NOT_DONE("iproute_usr_dir", "names of routing tables and the like come from the system's own files"),
	NOT_DONE("iproute_etc_dir", "names of routing tables and the like come from the system's own files"),
	DUMP("state_dump_file"),
	DUMP("data_use_instance"),
	DUMP("json_version"),
	SNMP("snmp_socket"),
	SNMP("enable_snmp_vrrp"),
	SNMP("enable_snmp_keepalived"),
	SNMP("enable_snmp_rfc"),
	SNMP("enable_snmp_rfcv2"),
	SNMP("enable_snmp_rfcv3"),
	SNMP("enable_traps"),
	DBUS("enable_dbus"),
	DBUS("dbus_service_name"),
	DBUS("dbus_no_interface_name"),

	/* Nothing that anybody can observe hangs on these. No packet filter rule is made, for VIPs are guarded otherwise. */
	NO_EFFECT("nftables"),
	NO_EFFECT("nftables_priority"),
	NO_EFFECT("nftables_counters"),
	NO_EFFECT("nftables_ifindex"),
	NO_EFFECT("vrrp_iptables"),
	NO_EFFECT("vrrp_ipsets"),
	/* A use_vmac that would take the name is said itself. */
	NO_EFFECT("vmac_prefix"),
	NO_EFFECT("vmac_addr_prefix"),
	/* Limits on CPU time under SCHED_RR and sizes of buffers: this process is one thread that sleeps. */
	NO_EFFECT("vrrp_rlimit_rttime"),
	NO_EFFECT("vrrp_rlimit_rtime"),
	NO_EFFECT("vrrp_netlink_cmd_rcv_bufs"),
	NO_EFFECT("vrrp_netlink_cmd_rcv_bufs_force"),
	NO_EFFECT("vrrp_netlink_monitor_rcv_bufs"),
	NO_EFFECT("vrrp_netlink_monitor_rcv_bufs_force"),
	NO_EFFECT("process_monitor_rcv_bufs"),
	NO_EFFECT("process_monitor_rcv_bufs_force"),
	/* No number is drawn while it runs. */
	NO_EFFECT("random_seed"),
	/* keepalived reads these two and never uses them. */
	NO_EFFECT("stats_dump_file"),
	NO_EFFECT("json_dump_file"),
};

const struct conf_keys conf_global_keys = { keys, CONF_LEN(keys) };

/* ---- when all is read ---- */

/* vrrp_min_garp: one announcement where nothing else was asked for (spec 2.2). */
static void min_garp(struct conf_common *g)
{
	if (!g->garp_repeat.set)
		g->garp_repeat = (struct conf_val){ .set = true, .v = 1 };
	if (!g->garp_delay.set)
		g->garp_delay = (struct conf_val){ .set = true, .v = 0 };
	if (!g->garp_refresh_repeat.set)
		g->garp_refresh_repeat = (struct conf_val){ .set = true, .v = 0 };
}

/* Without an interval or without an interface there is nothing to slow down (spec 2.5). */
static void finish_garp_groups(struct conf_parser *p)
{
	struct conf *c = p->conf;
	size_t n = 0;

	for (size_t i = 0; i < c->ngarp_groups; i++) {
		struct conf_garp_group g = c->garp_groups[i];

		if (g.nifs && (g.garp_interval_ns || g.gna_interval_ns)) {
			c->garp_groups[n++] = g;
			continue;
		}
		CONF_WARN_AT(p, &g.at, "this garp_group has no %s and is dropped; add it",
			     g.nifs ? "interval" : "interface");
		free(g.ifs);
	}
	c->ngarp_groups = n;
}

void conf_finish_globals(struct conf_parser *p)
{
	struct conf_globals *g = &p->conf->globals;
	struct conf_common *common = &p->defs.common;

	if (!g->router_id && p->io->host_name)
		g->router_id = conf_keep(p, p->io->host_name);
	g->rt_priority = (int)p->defs.rt_priority.v;
	g->strict = common->strict.v;
	if (p->defs.min_garp.v)
		min_garp(common);
	finish_garp_groups(p);
	if (g->fifo.path && g->vrrp_fifo.path && !strcmp(g->fifo.path, g->vrrp_fifo.path)) {
		conf_say(p->diag, CONF_WARN, &(struct conf_at){ .file = "" },
			 "vrrp_notify_fifo is ignored because it names the same path as notify_fifo, %.200s",
			 g->fifo.path);
		g->vrrp_fifo = (struct conf_fifo){ 0 };
	}
}
