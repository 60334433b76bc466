// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * struct conf -> keepalived.conf, for `check` and for tests: what conf_load() makes of it is the same tree.
 * Every default is written out, so a reader sees what runs.
 */
#include "conf_int.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct out {
	char *text;
	size_t len, cap;
	bool oom;
};

static void put(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	char *bigger;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (o->oom || n < 0)
		return;
	if (o->cap - o->len < (size_t)n + 1) {
		bigger = realloc(o->text, (o->cap + (size_t)n) * 2 + 1024);
		if (!bigger) {
			o->oom = true;
			return;
		}
		o->text = bigger;
		o->cap = (o->cap + (size_t)n) * 2 + 1024;
	}
	va_start(ap, fmt);
	vsnprintf(o->text + o->len, o->cap - o->len, fmt, ap);
	va_end(ap);
	o->len += (size_t)n;
}

/* Quotes protect blanks, comment signs and braces. A quote inside cannot be written at all, and no file has one. */
static void put_word(struct out *o, const char *keyword, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/";
	bool bare = word[0] && !word[strspn(word, plain)] && !conf_is_root_word(word) &&
		    strncmp(word, "include", 7) != 0; /* alone on its line it would be one */
	const char *q = bare ? "" : "\"";

	put(o, "%s%s%s%s%s", keyword, *keyword ? " " : "", q, word, q);
}

/* One more word on the line. */
static void put_next(struct out *o, const char *word)
{
	put(o, " ");
	put_word(o, "", word);
}

/* A whole line; nothing when there is no word. */
static void put_line(struct out *o, const char *keyword, const char *word)
{
	if (!word)
		return;
	put_word(o, keyword, word);
	put(o, "\n");
}

/* Decimal seconds with as few places as they need. */
static void put_seconds(struct out *o, const char *keyword, uint64_t ns)
{
	unsigned long long sec = (unsigned long long)(ns / CONF_SEC_NS), frac = ns % CONF_SEC_NS;
	int places = 9;

	while (places && frac % 10 == 0) {
		frac /= 10;
		places--;
	}
	if (places)
		put(o, "%s %llu.%0*llu\n", keyword, sec, places, frac);
	else
		put(o, "%s %llu\n", keyword, sec);
}

static void put_bool(struct out *o, const char *keyword, bool yes)
{
	put(o, "%s %s\n", keyword, yes ? "on" : "off");
}

static void put_flag(struct out *o, const char *keyword, bool yes)
{
	if (yes)
		put(o, "%s\n", keyword);
}

static void put_addr(struct out *o, const char *keyword, const struct conf_addr *a)
{
	char text[46];

	if (a->family)
		put(o, "%s %s\n", keyword, conf_addr_str(a, text, sizeof(text)));
}

/* ---- commands ---- */

/* @text is quoted already; users are put in quotes as far as they need them. */
static void put_cmd(struct out *o, const char *keyword, const struct conf_cmd *cmd)
{
	if (!cmd->argv)
		return;
	put(o, "%s %s", keyword, cmd->text);
	if (cmd->user)
		put_next(o, cmd->user);
	if (cmd->user && cmd->group)
		put_next(o, cmd->group);
	put(o, "\n");
}

static void put_notify(struct out *o, const struct conf_notify *n)
{
	put_cmd(o, "\tnotify", &n->any);
	put_cmd(o, "\tnotify_master", &n->master);
	put_cmd(o, "\tnotify_backup", &n->backup);
	put_cmd(o, "\tnotify_fault", &n->fault);
	put_cmd(o, "\tnotify_stop", &n->stop);
	put_cmd(o, "\tnotify_master_rx_lower_pri", &n->master_rx_lower_pri);
	if (n->deleted_set && !n->deleted.argv)
		put(o, "\tnotify_deleted\n");
	put_cmd(o, "\tnotify_deleted", &n->deleted);
}

/* ---- global_defs ---- */

static void put_mail(struct out *o, const struct conf_globals *g)
{
	if (g->emails && g->emails[0]) {
		put(o, "\tnotification_email {\n");
		for (size_t i = 0; g->emails[i]; i++) {
			put(o, "\t\t");
			put_line(o, "", g->emails[i]);
		}
		put(o, "\t}\n");
	}
	put_line(o, "\tnotification_email_from", g->email_from);
	if (g->smtp_server) {
		put_word(o, "\tsmtp_server", g->smtp_server);
		put(o, " %u\n", g->smtp_port);
	}
	put(o, "\tsmtp_connect_timeout %u\n", g->smtp_timeout_s);
	put_line(o, "\tsmtp_helo_name", g->smtp_helo);
	put_flag(o, "\tno_email_faults", g->no_email_faults);
}

static void put_fifo(struct out *o, const char *keyword, const char *script, const struct conf_fifo *f)
{
	if (f->path) {
		put_word(o, keyword, f->path);
		if (f->user)
			put_next(o, f->user);
		if (f->user && f->group)
			put_next(o, f->group);
		put(o, "\n");
	}
	put_cmd(o, script, &f->script);
}

static void put_scripts_of_globals(struct out *o, const struct conf_globals *g)
{
	if (g->script_user) {
		put_word(o, "\tscript_user", g->script_user);
		if (g->script_group)
			put_next(o, g->script_group);
		put(o, "\n");
	}
	put_flag(o, "\tenable_script_security", g->script_security);
	put_bool(o, "\tuse_symlink_paths", g->use_symlink_paths);
	put_bool(o, "\tset_supplementary_groups", g->supplementary_groups);
	put_cmd(o, "\tstartup_script", &g->startup_script);
	put(o, "\tstartup_script_timeout %u\n", g->startup_timeout_s);
	put_cmd(o, "\tshutdown_script", &g->shutdown_script);
	put(o, "\tshutdown_script_timeout %u\n", g->shutdown_timeout_s);
	put_fifo(o, "\tnotify_fifo", "\tnotify_fifo_script", &g->fifo);
	put_fifo(o, "\tvrrp_notify_fifo", "\tvrrp_notify_fifo_script", &g->vrrp_fifo);
	put_flag(o, "\tfifo_write_vrrp_states_on_reload", g->fifo_states_on_reload);
}

static void put_process(struct out *o, const struct conf_globals *g)
{
	put_line(o, "\tvrrp_process_name", g->process_name);
	put(o, "\tvrrp_priority %d\n", g->nice);
	if (g->rt_priority)
		put(o, "\tvrrp_rt_priority %d\n", g->rt_priority);
	put_flag(o, "\tvrrp_no_swap", g->no_swap);
	if (g->cpu_affinity)
		put(o, "\tvrrp_cpu_affinity %s\n", g->cpu_affinity);
	put_flag(o, "\treload_check_config", g->reload_check_config);
}

static const char *mode_word(enum conf_mode mode)
{
	switch (mode) {
	case CONF_MODE_AUTO:
		break;
	case CONF_MODE_NATIVE:
		return "native";
	case CONF_MODE_SKB:
		return "skb";
	}
	return "auto";
}

static const char *replaced_word(enum conf_replaced replaced)
{
	switch (replaced) {
	case CONF_REPLACED_RESTORE:
		break;
	case CONF_REPLACED_FAULT:
		return "fault";
	}
	return "restore";
}

static void put_globals(struct out *o, const struct conf *c)
{
	const struct conf_globals *g = &c->globals;

	put(o, "global_defs {\n");
	put_line(o, "\trouter_id", g->router_id);
	put_mail(o, g);
	put_bool(o, "\tvrrp_strict", g->strict);
	put_addr(o, "\tvrrp_mcast_group4", &g->mcast_group4);
	put_addr(o, "\tvrrp_mcast_group6", &g->mcast_group6);
	put_seconds(o, "\tvrrp_garp_interval", g->garp_interval_ns);
	put_seconds(o, "\tvrrp_gna_interval", g->gna_interval_ns);
	put_seconds(o, "\tvrrp_startup_delay", g->startup_delay_ns);
	put_seconds(o, "\tvrrp_delay_after_boot", g->delay_after_boot_ns);
	put_line(o, "\tdefault_interface", g->default_interface);
	if (g->dynamic_interfaces)
		put(o, "\tdynamic_interfaces%s\n", g->dynamic_allow_if_changes ? " allow_if_changes" : "");
	put_scripts_of_globals(o, g);
	put_process(o, g);
	put_line(o, "\txdp_control_group", g->control_group);
	put(o, "\txdp_mode %s\n", mode_word(c->mode));
	put(o, "\txdp_replaced %s\n}\n", replaced_word(g->replaced));
	put(o, "child_wait_time %u\n", g->child_wait_s);
}

/* ---- lists ---- */

static void put_vips(struct out *o, const char *indent, const char *keyword, const struct conf_vip *vips, size_t n,
		     const char *dev)
{
	if (n)
		put(o, "%s%s {\n", indent, keyword);
	for (size_t i = 0; i < n; i++) {
		char *text = conf_addr_text(&vips[i], dev);

		o->oom |= !text;
		put(o, "%s\t%s\n", indent, text ? text : "");
		free(text);
	}
	if (n)
		put(o, "%s}\n", indent);
}

static void put_routes(struct out *o, const char *indent, const char *keyword, const struct conf_route *r, size_t n)
{
	if (n)
		put(o, "%s%s {\n", indent, keyword);
	for (size_t i = 0; i < n; i++)
		put(o, "%s\t%s\n", indent, r[i].text);
	if (n)
		put(o, "%s}\n", indent);
}

/* An assigned preference is written, for another order of lines would assign another one. */
static void put_rules(struct out *o, const char *indent, const char *keyword, const struct conf_rule *r, size_t n)
{
	if (n)
		put(o, "%s%s {\n", indent, keyword);
	for (size_t i = 0; i < n; i++) {
		put(o, "%s\t%s", indent, r[i].text);
		if (!(r[i].set & CONF_RULE_PREF))
			put(o, " preference %u", r[i].pref);
		put(o, "\n");
	}
	if (n)
		put(o, "%s}\n", indent);
}

/* ---- what is tracked ---- */

static void put_weight(struct out *o, int weight, bool reverse)
{
	put(o, "\tweight %d%s\n", weight, reverse ? " reverse" : "");
}

static void put_script(struct out *o, const struct conf_script *s)
{
	put_word(o, "vrrp_script", s->name);
	put(o, " {\n\tscript %s\n", s->cmd.text);
	put_seconds(o, "\tinterval", s->interval_ns);
	put_seconds(o, "\ttimeout", s->timeout_ns);
	put_weight(o, s->weight, s->reverse);
	put(o, "\trise %u\n\tfall %u\n", s->rise, s->fall);
	if (s->cmd.user) {
		put_word(o, "\tuser", s->cmd.user);
		if (s->cmd.group)
			put_next(o, s->cmd.group);
		put(o, "\n");
	}
	put_flag(o, "\tinit_fail", s->init_fail);
	put(o, "}\n");
}

static void put_file(struct out *o, const struct conf_file *f)
{
	put_word(o, "track_file", f->name);
	put(o, " {\n");
	put_line(o, "\tfile", f->path);
	put_weight(o, f->weight, f->reverse);
	if (f->init)
		put(o, "\tinit_file %d%s\n", f->init_value, f->init_overwrite ? " overwrite" : "");
	put(o, "}\n");
}

static void put_track_process(struct out *o, const struct conf_process *t)
{
	static const char *const match[] = {
		[CONF_PARAM_NONE] = NULL,
		[CONF_PARAM_EXACT] = "\tparam_match\n",
		[CONF_PARAM_INITIAL] = "\tparam_match initial\n",
		[CONF_PARAM_PARTIAL] = "\tparam_match partial\n",
	};

	put_word(o, "vrrp_track_process", t->name);
	put(o, " {\n\tprocess");
	for (size_t i = 0; t->argv[i]; i++)
		put_next(o, t->argv[i]);
	put(o, "\n%s", match[t->param_match] ? match[t->param_match] : "");
	put_weight(o, t->weight, t->reverse);
	put(o, "\tquorum %u\n", t->quorum);
	if (t->quorum_max != UINT_MAX)
		put(o, "\tquorum_max %u\n", t->quorum_max);
	if (t->fork_delay_ns)
		put_seconds(o, "\tfork_delay", t->fork_delay_ns);
	if (t->terminate_delay_ns)
		put_seconds(o, "\tterminate_delay", t->terminate_delay_ns);
	put_flag(o, "\tfull_command", t->full_command);
	put(o, "}\n");
}

/* Of a group, and as its members have it too? Then it is printed there. */
static bool from_group(const struct conf_track *t, const struct conf_track *group, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (t->item == group[i].item && !strcmp(t->ifname, group[i].ifname) && t->weight == group[i].weight &&
		    t->reverse == group[i].reverse)
			return true;
	return false;
}

/* An array of struct conf_track, with the array of the group that it is merged from. */
struct track_view {
	const char *keyword;
	const struct conf_track *own, *group;
	size_t n, ngroup;
};

static const char *item_name(const struct conf *c, const struct track_view *v, const struct conf_track *t)
{
	switch (v->keyword[6]) { /* track_X */
	case 's':
		return c->scripts[t->item].name;
	case 'f':
		return c->track_files[t->item].name;
	case 'p':
		return c->processes[t->item].name;
	default:
		return t->ifname;
	}
}

static void put_track_list(struct out *o, const struct conf *c, const struct track_view *v)
{
	bool open = false;

	for (size_t i = 0; i < v->n; i++) {
		const struct conf_track *t = &v->own[i];

		if (from_group(t, v->group, v->ngroup))
			continue;
		if (!open)
			put(o, "\t%s {\n", v->keyword);
		open = true;
		put(o, "\t\t");
		put_word(o, "", item_name(c, v, t));
		put(o, " weight %d%s\n", t->weight, t->reverse ? " reverse" : "");
	}
	if (open)
		put(o, "\t}\n");
}

static void put_tracks(struct out *o, const struct conf *c, const struct conf_tracks *t,
		       const struct conf_tracks *group)
{
	static const struct conf_tracks none;
	const struct conf_tracks *g = group ? group : &none;
	const struct track_view views[] = {
		{ "track_interface", t->ifs, g->ifs, t->nifs, g->nifs },
		{ "track_script", t->scripts, g->scripts, t->nscripts, g->nscripts },
		{ "track_file", t->files, g->files, t->nfiles, g->nfiles },
		{ "track_process", t->procs, g->procs, t->nprocs, g->nprocs },
	};

	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		put_track_list(o, c, &views[i]);
}

/* ---- groups ---- */

static void put_members(struct out *o, const struct conf *c, const size_t *members, size_t n)
{
	if (!n)
		return;
	put(o, "\tgroup {\n");
	for (size_t i = 0; i < n; i++) {
		put(o, "\t\t");
		put_line(o, "", c->vrs[members[i]].name);
	}
	put(o, "\t}\n");
}

static void put_group(struct out *o, const struct conf *c, const struct conf_group *g)
{
	put_word(o, "vrrp_sync_group", g->name);
	put(o, " {\n");
	put_members(o, c, g->members, g->nmembers);
	put_flag(o, "\tsync_group_tracking_weight", g->tracking_weight);
	put_tracks(o, c, &g->tracks, NULL);
	put_bool(o, "\tsmtp_alert", g->smtp_alert);
	put_bool(o, "\tnotify_priority_changes", g->notify_priority_changes);
	put_notify(o, &g->notify);
	put(o, "}\n");
}

static void put_track_group(struct out *o, const struct conf *c, const struct conf_track_group *g)
{
	put_word(o, "track_group", g->name);
	put(o, " {\n");
	put_members(o, c, g->members, g->nmembers);
	put(o, "}\n");
}

static void put_garp_group(struct out *o, const struct conf_garp_group *g)
{
	put(o, "garp_group {\n");
	put_seconds(o, "\tgarp_interval", g->garp_interval_ns);
	put_seconds(o, "\tgna_interval", g->gna_interval_ns);
	put(o, "\tinterfaces {\n");
	for (size_t i = 0; i < g->nifs; i++) {
		put(o, "\t\t");
		put_line(o, "", g->ifs[i]);
	}
	put(o, "\t}\n}\n");
}

static void put_updowns(struct out *o, const struct conf *c)
{
	if (c->nupdowns)
		put(o, "interface_up_down_delays {\n");
	for (size_t i = 0; i < c->nupdowns; i++) {
		put(o, "\t");
		put_word(o, "", c->updowns[i].ifname);
		put(o, " %llu.%06llu", (unsigned long long)(c->updowns[i].down_ns / 1000000000),
		    (unsigned long long)(c->updowns[i].down_ns % 1000000000 / 1000));
		put_seconds(o, "", c->updowns[i].up_ns);
	}
	if (c->nupdowns)
		put(o, "}\n");
}

/* ---- instances ---- */

static void put_csum(struct out *o, enum conf_csum csum)
{
	switch (csum) {
	case CONF_CSUM_AUTO:
		break;
	case CONF_CSUM_RFC9568:
		put(o, "\tv3_checksum_as_v2 on\n");
		break;
	case CONF_CSUM_RFC5798:
		put(o, "\tv3_checksum_as_v2 off\n");
		break;
	}
}

static void put_auth(struct out *o, const struct conf_vr *vr)
{
	char pass[CONF_AUTH_LEN + 1] = "";

	if (!vr->auth_pass_set)
		return;
	memcpy(pass, vr->auth_pass, CONF_AUTH_LEN);
	put(o, "\tauthentication {\n\t\tauth_type PASS\n");
	put_word(o, "\t\tauth_pass", pass);
	put(o, "\n\t}\n");
}

static void put_cast(struct out *o, const struct conf_vr *vr)
{
	char text[46];

	put_addr(o, vr->unicast ? "\tunicast_src_ip" : "\tmcast_src_ip", &vr->src);
	put_flag(o, "\ttrack_src_ip", vr->track_src_ip);
	put_addr(o, "\tmcast_dst_ip", &vr->group);
	if (vr->npeers)
		put(o, "\tunicast_ttl %u\n\tunicast_peer {\n", vr->unicast_ttl);
	for (size_t i = 0; i < vr->npeers; i++) {
		const struct conf_peer *p = &vr->peers[i];

		put(o, "\t\t%s", conf_addr_str(&p->addr, text, sizeof(text)));
		if (p->ttl_set)
			put(o, " min_ttl %u max_ttl %u", p->min_ttl, p->max_ttl);
		put(o, "\n");
	}
	if (vr->npeers)
		put(o, "\t}\n");
	if (vr->nallowed)
		put(o, "\txdp_peers {\n");
	for (size_t i = 0; i < vr->nallowed; i++)
		put(o, "\t\t%s\n", conf_addr_str(&vr->allowed[i].addr, text, sizeof(text)));
	if (vr->nallowed)
		put(o, "\t}\n");
	put_flag(o, "\tunicast_fault_no_peer", vr->unicast_fault_no_peer);
	put_flag(o, "\tcheck_unicast_src", vr->check_unicast_src);
}

static void put_garp(struct out *o, const struct conf_garp *g)
{
	put_seconds(o, "\tgarp_master_delay", g->delay_ns);
	put(o, "\tgarp_master_repeat %u\n", g->repeat);
	put_seconds(o, "\tgarp_master_refresh", g->refresh_ns);
	put(o, "\tgarp_master_refresh_repeat %u\n", g->refresh_repeat);
	put_seconds(o, "\tgarp_lower_prio_delay", g->lower_prio_delay_ns);
	put(o, "\tgarp_lower_prio_repeat %u\n", g->lower_prio_repeat);
	put_seconds(o, g->extra_if_all ? "\tgarp_extra_if all" : "\tgarp_extra_if", g->extra_if_ns);
}

static void put_election(struct out *o, const struct conf_vr *vr)
{
	put(o, "\tstate %s\n", vr->state_master ? "MASTER" : "BACKUP");
	put_word(o, "\tinterface", vr->ifname);
	if (vr->vlan)
		put(o, "\n\txdp_vlan %u", vr->vlan);
	put(o, "\n\tvirtual_router_id %u\n\tversion %u\n\tpriority %u\n", vr->vrid, vr->version, vr->priority);
	put_seconds(o, "\tadvert_int", vr->adver_ns);
	put(o, "\t%s\n", vr->preempt ? "preempt" : "nopreempt");
	if (vr->preempt_delay_ns)
		put_seconds(o, "\tpreempt_delay", vr->preempt_delay_ns);
	if (vr->handover_ns)
		put_seconds(o, "\txdp_handover_skew", vr->handover_ns);
	if (vr->max_adver_ns)
		put_seconds(o, "\txdp_max_advert_int", vr->max_adver_ns);
	if (vr->link_settle_ns)
		put_seconds(o, "\txdp_link_settle", vr->link_settle_ns);
	put(o, "\tdown_timer_adverts %u\n", vr->down_adverts);
	put_bool(o, "\tstrict_mode", vr->strict);
	put(o, "\t%s\n", vr->accept ? "accept" : "no_accept");
	put_bool(o, "\tlower_prio_no_advert", vr->lower_prio_no_advert);
	put_bool(o, "\thigher_prio_send_advert", vr->higher_prio_send_advert);
	put_bool(o, "\towner_ignore_adverts", vr->owner_ignore_adverts);
	put_bool(o, "\tskip_check_adv_addr", vr->skip_check_adv_addr);
	put_flag(o, "\tdont_track_primary", vr->dont_track_primary);
	put_csum(o, vr->csum);
}

static void put_vr(struct out *o, const struct conf *c, const struct conf_vr *vr)
{
	const struct conf_group *g = vr->group_index == SIZE_MAX ? NULL : &c->groups[vr->group_index];

	put_word(o, "vrrp_instance", vr->name);
	put(o, " {\n");
	put_election(o, vr);
	put_garp(o, &vr->garp);
	put_auth(o, vr);
	put_cast(o, vr);
	put_flag(o, "\tpromote_secondaries", vr->promote_secondaries);
	put_flag(o, "\tuse_vmac", vr->use_vmac);
	put_flag(o, "\tvmac_xmit_base", vr->vmac_xmit_base);
	put_vips(o, "\t", "virtual_ipaddress", vr->vips, vr->nvips, vr->ifname);
	put_vips(o, "\t", "virtual_ipaddress_excluded", vr->excluded, vr->nexcluded, vr->ifname);
	put_routes(o, "\t", "virtual_routes", vr->routes, vr->nroutes);
	put_rules(o, "\t", "virtual_rules", vr->rules, vr->nrules);
	put_tracks(o, c, &vr->tracks, g ? &g->tracks : NULL);
	put_bool(o, "\tsmtp_alert", vr->smtp_alert);
	put_bool(o, "\tnotify_priority_changes", vr->notify_priority_changes);
	put_notify(o, &vr->notify);
	put(o, "}\n");
}

/* ---- all ---- */

/* keepalived wants a definition before what names it. */
static void put_definitions(struct out *o, const struct conf *c)
{
	for (size_t i = 0; i < c->nscripts; i++)
		if (c->scripts[i].cmd.argv) /* else it is disabled, and nothing names it */
			put_script(o, &c->scripts[i]);
	for (size_t i = 0; i < c->ntrack_files; i++)
		put_file(o, &c->track_files[i]);
	for (size_t i = 0; i < c->nprocesses; i++)
		put_track_process(o, &c->processes[i]);
	for (size_t i = 0; i < c->ntrack_groups; i++)
		put_track_group(o, c, &c->track_groups[i]);
}

char *conf_print(const struct conf *c)
{
	struct out o = { 0 };

	put_globals(&o, c);
	put_definitions(&o, c);
	put_updowns(&o, c);
	for (size_t i = 0; i < c->ngarp_groups; i++)
		put_garp_group(&o, &c->garp_groups[i]);
	put_vips(&o, "", "static_ipaddress", c->static_addrs, c->nstatic_addrs, c->globals.default_interface);
	put_routes(&o, "", "static_routes", c->static_routes, c->nstatic_routes);
	put_rules(&o, "", "static_rules", c->static_rules, c->nstatic_rules);
	for (size_t i = 0; i < c->ngroups; i++)
		put_group(&o, c, &c->groups[i]);
	for (size_t i = 0; i < c->nvrs; i++)
		put_vr(&o, c, &c->vrs[i]);
	if (o.oom) {
		free(o.text);
		return NULL;
	}
	return o.text;
}
