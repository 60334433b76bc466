// SPDX-License-Identifier: GPL-2.0-or-later
#include "check_json.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- one field; what is not set is left out, but for flags and numbers ---- */

static void put_bool(json_t *j, const char *key, bool value)
{
	json_object_set_new(j, key, json_boolean(value));
}

static void put_int(json_t *j, const char *key, int64_t value)
{
	json_object_set_new(j, key, json_integer(value));
}

static void put_seconds(json_t *j, const char *key, uint64_t ns)
{
	json_object_set_new(j, key, json_real((double)ns / 1e9));
}

/* Words come out of a file in whatever encoding its author used: what is no UTF-8 is shown byte by byte. */
static json_t *text_json(const char *text)
{
	json_t *j = json_string(text);
	size_t n = strlen(text);
	char *latin, *out;

	if (j)
		return j;
	latin = malloc(2 * n + 1);
	if (!latin)
		return json_null();
	out = latin;
	for (const char *s = text; *s; s++) {
		unsigned char b = (unsigned char)*s;

		if (b >= 0x80)
			*out++ = (char)(0xc0 | b >> 6);
		*out++ = (char)(b >= 0x80 ? 0x80 | (b & 0x3f) : b);
	}
	*out = '\0';
	j = json_string(latin);
	free(latin);
	return j;
}

static void put_text(json_t *j, const char *key, const char *text)
{
	if (text && text[0])
		json_object_set_new(j, key, text_json(text));
}

static void put_addr(json_t *j, const char *key, const struct conf_addr *a)
{
	char text[46];

	if (a->family)
		put_text(j, key, conf_addr_str(a, text, sizeof(text)));
}

/* An array is there even when it is empty. */
static json_t *put_array(json_t *j, const char *key)
{
	json_t *a = json_array();

	json_object_set_new(j, key, a);
	return a;
}

static void put_at(json_t *j, const struct conf_at *at)
{
	put_text(j, "file", at->file);
	if (at->line)
		put_int(j, "line", at->line);
}

/* ---- parts ---- */

static json_t *argv_json(char *const *argv)
{
	json_t *a = json_array();

	for (size_t i = 0; argv && argv[i]; i++)
		json_array_append_new(a, text_json(argv[i]));
	return a;
}

static void put_cmd(json_t *j, const char *key, const struct conf_cmd *cmd)
{
	json_t *o;

	if (!cmd->argv)
		return;
	o = json_pack("{s:o, s:I, s:I}", "argv", argv_json(cmd->argv), "uid", (json_int_t)cmd->uid, "gid",
		      (json_int_t)cmd->gid);
	put_text(o, "user", cmd->user);
	put_text(o, "group", cmd->group);
	json_object_set_new(j, key, o);
}

static void put_notify(json_t *j, const struct conf_notify *n)
{
	put_cmd(j, "notify", &n->any);
	put_cmd(j, "notify_master", &n->master);
	put_cmd(j, "notify_backup", &n->backup);
	put_cmd(j, "notify_fault", &n->fault);
	put_cmd(j, "notify_stop", &n->stop);
	put_cmd(j, "notify_deleted", &n->deleted);
	put_cmd(j, "notify_master_rx_lower_pri", &n->master_rx_lower_pri);
}

static void put_vips(json_t *j, const char *key, const struct conf_vip *vips, size_t n)
{
	json_t *a = put_array(j, key);

	for (size_t i = 0; i < n; i++) {
		char *text = conf_addr_text(&vips[i], NULL);

		if (text)
			json_array_append_new(a, text_json(text));
		free(text);
	}
}

static void put_routes(json_t *j, const char *key, const struct conf_route *routes, size_t n)
{
	json_t *a = put_array(j, key);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, text_json(routes[i].text));
}

static void put_rules(json_t *j, const char *key, const struct conf_rule *rules, size_t n)
{
	json_t *a = put_array(j, key);

	for (size_t i = 0; i < n; i++) { /* the text has a preference that was written, not one that was given */
		json_t *r = json_object();

		put_text(r, "rule", rules[i].text);
		put_int(r, "preference", rules[i].pref);
		json_array_append_new(a, r);
	}
}

static json_t *track_json(const char *name, const struct conf_track *t)
{
	json_t *j = json_object();

	put_text(j, "name", name);
	put_int(j, "weight", t->weight);
	put_bool(j, "reverse", t->reverse);
	return j;
}

static void put_tracks(json_t *j, const struct conf *c, const struct conf_tracks *t)
{
	json_t *a = put_array(j, "track_interface");

	for (size_t i = 0; i < t->nifs; i++)
		json_array_append_new(a, track_json(t->ifs[i].ifname, &t->ifs[i]));
	a = put_array(j, "track_script");
	for (size_t i = 0; i < t->nscripts; i++)
		json_array_append_new(a, track_json(c->scripts[t->scripts[i].item].name, &t->scripts[i]));
	a = put_array(j, "track_file");
	for (size_t i = 0; i < t->nfiles; i++)
		json_array_append_new(a, track_json(c->track_files[t->files[i].item].name, &t->files[i]));
	a = put_array(j, "track_process");
	for (size_t i = 0; i < t->nprocs; i++)
		json_array_append_new(a, track_json(c->processes[t->procs[i].item].name, &t->procs[i]));
}

static void put_garp(json_t *j, const struct conf_garp *g)
{
	put_seconds(j, "garp_master_delay", g->delay_ns);
	put_int(j, "garp_master_repeat", g->repeat);
	put_seconds(j, "garp_master_refresh", g->refresh_ns);
	put_int(j, "garp_master_refresh_repeat", g->refresh_repeat);
	put_seconds(j, "garp_lower_prio_delay", g->lower_prio_delay_ns);
	put_int(j, "garp_lower_prio_repeat", g->lower_prio_repeat);
	put_seconds(j, "garp_extra_if", g->extra_if_ns);
}

/* ---- an instance ---- */

static void put_peers(json_t *j, const struct conf_vr *vr)
{
	json_t *a = put_array(j, "unicast_peer");

	for (size_t i = 0; i < vr->npeers; i++) {
		json_t *p = json_object();

		put_addr(p, "address", &vr->peers[i].addr);
		if (vr->peers[i].ttl_set) {
			put_int(p, "min_ttl", vr->peers[i].min_ttl);
			put_int(p, "max_ttl", vr->peers[i].max_ttl);
		}
		json_array_append_new(a, p);
	}
}

static void put_allowed(json_t *j, const struct conf_vr *vr)
{
	json_t *a = put_array(j, "xdp_peers");
	char text[46];

	for (size_t i = 0; i < vr->nallowed; i++)
		json_array_append_new(a, text_json(conf_addr_str(&vr->allowed[i].addr, text, sizeof(text))));
}

static void put_flags(json_t *j, const struct conf_vr *vr)
{
	put_bool(j, "strict_mode", vr->strict);
	put_bool(j, "accept", vr->accept);
	put_bool(j, "track_src_ip", vr->track_src_ip);
	put_bool(j, "unicast_fault_no_peer", vr->unicast_fault_no_peer);
	put_bool(j, "check_unicast_src", vr->check_unicast_src);
	put_bool(j, "dont_track_primary", vr->dont_track_primary);
	put_bool(j, "lower_prio_no_advert", vr->lower_prio_no_advert);
	put_bool(j, "higher_prio_send_advert", vr->higher_prio_send_advert);
	put_bool(j, "owner_ignore_adverts", vr->owner_ignore_adverts);
	put_bool(j, "skip_check_adv_addr", vr->skip_check_adv_addr);
	put_bool(j, "promote_secondaries", vr->promote_secondaries);
	put_bool(j, "use_vmac", vr->use_vmac);
	put_bool(j, "vmac_xmit_base", vr->vmac_xmit_base);
	put_bool(j, "smtp_alert", vr->smtp_alert);
	put_bool(j, "notify_priority_changes", vr->notify_priority_changes);
	if (vr->csum != CONF_CSUM_AUTO)
		put_bool(j, "v3_checksum_as_v2", vr->csum == CONF_CSUM_RFC9568);
}

static void put_protocol(json_t *j, const struct conf_vr *vr)
{
	put_text(j, "state", vr->state_master ? "MASTER" : "BACKUP");
	put_text(j, "interface", vr->ifname);
	if (vr->vlan)
		put_int(j, "xdp_vlan", vr->vlan);
	put_int(j, "virtual_router_id", vr->vrid);
	put_int(j, "version", vr->version);
	put_text(j, "family", vr->family == 6 ? "inet6" : "inet");
	put_int(j, "priority", vr->priority);
	put_seconds(j, "advert_int", vr->adver_ns);
	put_bool(j, "preempt", vr->preempt);
	put_seconds(j, "preempt_delay", vr->preempt_delay_ns);
	put_int(j, "down_timer_adverts", vr->down_adverts);
	put_seconds(j, "xdp_handover_skew", vr->handover_ns);
	put_seconds(j, "xdp_max_advert_int", vr->max_adver_ns);
	put_seconds(j, "xdp_link_settle", vr->link_settle_ns);
	if (vr->auth_pass_set)
		put_text(j, "auth_type", "PASS");
	put_addr(j, vr->unicast ? "unicast_src_ip" : "mcast_src_ip", &vr->src);
	put_addr(j, "mcast_dst_ip", &vr->group);
	if (vr->unicast)
		put_int(j, "unicast_ttl", vr->unicast_ttl);
}

static json_t *vr_json(const struct conf *c, const struct conf_vr *vr)
{
	json_t *j = json_object();

	put_text(j, "name", vr->name);
	put_at(j, &vr->at);
	put_protocol(j, vr);
	put_flags(j, vr);
	put_garp(j, &vr->garp);
	put_peers(j, vr);
	put_allowed(j, vr);
	put_vips(j, "virtual_ipaddress", vr->vips, vr->nvips);
	put_vips(j, "virtual_ipaddress_excluded", vr->excluded, vr->nexcluded);
	put_routes(j, "virtual_routes", vr->routes, vr->nroutes);
	put_rules(j, "virtual_rules", vr->rules, vr->nrules);
	put_tracks(j, c, &vr->tracks);
	put_notify(j, &vr->notify);
	if (vr->group_index < c->ngroups)
		put_text(j, "vrrp_sync_group", c->groups[vr->group_index].name);
	return j;
}

/* ---- the other blocks ---- */

static void put_members(json_t *j, const struct conf *c, const size_t *members, size_t n)
{
	json_t *a = put_array(j, "group");

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, text_json(c->vrs[members[i]].name));
}

static json_t *group_json(const struct conf *c, const struct conf_group *g)
{
	json_t *j = json_object();

	put_text(j, "name", g->name);
	put_at(j, &g->at);
	put_members(j, c, g->members, g->nmembers);
	put_bool(j, "smtp_alert", g->smtp_alert);
	put_bool(j, "notify_priority_changes", g->notify_priority_changes);
	put_bool(j, "sync_group_tracking_weight", g->tracking_weight);
	put_tracks(j, c, &g->tracks);
	put_notify(j, &g->notify);
	return j;
}

static json_t *script_json(const struct conf_script *s)
{
	json_t *j = json_object();

	put_text(j, "name", s->name);
	put_at(j, &s->at);
	put_cmd(j, "script", &s->cmd);
	put_bool(j, "disabled", !s->cmd.argv);
	put_seconds(j, "interval", s->interval_ns);
	put_seconds(j, "timeout", s->timeout_ns);
	put_int(j, "rise", s->rise);
	put_int(j, "fall", s->fall);
	put_int(j, "weight", s->weight);
	put_bool(j, "reverse", s->reverse);
	put_bool(j, "init_fail", s->init_fail);
	return j;
}

static json_t *file_json(const struct conf_file *f)
{
	json_t *j = json_object();

	put_text(j, "name", f->name);
	put_at(j, &f->at);
	put_text(j, "path", f->path);
	put_int(j, "weight", f->weight);
	put_bool(j, "reverse", f->reverse);
	if (f->init)
		json_object_set_new(j, "init_file",
				    json_pack("{s:i, s:b}", "value", f->init_value, "overwrite", f->init_overwrite));
	return j;
}

static json_t *process_json(const struct conf_process *p)
{
	static const char *const match[] = {
		[CONF_PARAM_NONE] = "none",
		[CONF_PARAM_EXACT] = "exact",
		[CONF_PARAM_INITIAL] = "initial",
		[CONF_PARAM_PARTIAL] = "partial",
	};
	json_t *j = json_object();

	put_text(j, "name", p->name);
	put_at(j, &p->at);
	json_object_set_new(j, "process", argv_json(p->argv));
	put_text(j, "param_match", match[p->param_match]);
	put_bool(j, "full_command", p->full_command);
	put_int(j, "quorum", p->quorum);
	if (p->quorum_max != UINT_MAX)
		put_int(j, "quorum_max", p->quorum_max);
	put_seconds(j, "fork_delay", p->fork_delay_ns);
	put_seconds(j, "terminate_delay", p->terminate_delay_ns);
	put_int(j, "weight", p->weight);
	put_bool(j, "reverse", p->reverse);
	return j;
}

static json_t *garp_group_json(const struct conf_garp_group *g)
{
	json_t *j = json_object(), *a = put_array(j, "interfaces");

	put_seconds(j, "garp_interval", g->garp_interval_ns);
	put_seconds(j, "gna_interval", g->gna_interval_ns);
	for (size_t i = 0; i < g->nifs; i++)
		json_array_append_new(a, text_json(g->ifs[i]));
	return j;
}

static json_t *updown_json(const struct conf_updown *u)
{
	json_t *j = json_object();

	put_text(j, "interface", u->ifname);
	put_seconds(j, "down", u->down_ns);
	put_seconds(j, "up", u->up_ns);
	return j;
}

static json_t *track_group_json(const struct conf *c, const struct conf_track_group *g)
{
	json_t *j = json_object();

	put_text(j, "name", g->name);
	put_members(j, c, g->members, g->nmembers);
	return j;
}

/* ---- global_defs ---- */

static void put_mail(json_t *j, const struct conf_globals *g)
{
	json_t *a = put_array(j, "notification_email");

	for (size_t i = 0; g->emails && g->emails[i]; i++)
		json_array_append_new(a, text_json(g->emails[i]));
	put_text(j, "notification_email_from", g->email_from);
	put_text(j, "smtp_server", g->smtp_server);
	if (g->smtp_server)
		put_int(j, "smtp_port", g->smtp_port);
	put_int(j, "smtp_connect_timeout", g->smtp_timeout_s);
	put_text(j, "smtp_helo_name", g->smtp_helo);
	put_bool(j, "no_email_faults", g->no_email_faults);
}

static void put_fifo(json_t *j, const char *key, const char *script, const struct conf_fifo *f)
{
	if (!f->path)
		return;
	put_text(j, key, f->path);
	put_cmd(j, script, &f->script);
}

static void put_process(json_t *j, const struct conf_globals *g)
{
	put_int(j, "vrrp_rt_priority", g->rt_priority);
	put_int(j, "vrrp_priority", g->nice);
	put_text(j, "vrrp_cpu_affinity", g->cpu_affinity);
	put_text(j, "process_name", g->process_name);
	put_int(j, "child_wait_time", g->child_wait_s);
	put_bool(j, "vrrp_no_swap", g->no_swap);
	put_bool(j, "reload_check_config", g->reload_check_config);
}

static void put_scripts(json_t *j, const struct conf_globals *g)
{
	put_bool(j, "enable_script_security", g->script_security);
	put_text(j, "script_user", g->script_user);
	put_text(j, "script_group", g->script_group);
	put_bool(j, "use_symlink_paths", g->use_symlink_paths);
	put_bool(j, "set_supplementary_groups", g->supplementary_groups);
	put_cmd(j, "startup_script", &g->startup_script);
	put_int(j, "startup_script_timeout", g->startup_timeout_s);
	put_cmd(j, "shutdown_script", &g->shutdown_script);
	put_int(j, "shutdown_script_timeout", g->shutdown_timeout_s);
	put_fifo(j, "notify_fifo", "notify_fifo_script", &g->fifo);
	put_fifo(j, "vrrp_notify_fifo", "vrrp_notify_fifo_script", &g->vrrp_fifo);
	put_bool(j, "fifo_write_vrrp_states_on_reload", g->fifo_states_on_reload);
}

static json_t *globals_json(const struct conf_globals *g)
{
	json_t *j = json_object();

	put_text(j, "router_id", g->router_id);
	put_mail(j, g);
	put_addr(j, "vrrp_mcast_group4", &g->mcast_group4);
	put_addr(j, "vrrp_mcast_group6", &g->mcast_group6);
	put_seconds(j, "vrrp_garp_interval", g->garp_interval_ns);
	put_seconds(j, "vrrp_gna_interval", g->gna_interval_ns);
	put_seconds(j, "vrrp_startup_delay", g->startup_delay_ns);
	put_seconds(j, "vrrp_delay_after_boot", g->delay_after_boot_ns);
	put_text(j, "default_interface", g->default_interface);
	put_bool(j, "dynamic_interfaces", g->dynamic_interfaces);
	put_bool(j, "vrrp_strict", g->strict);
	put_text(j, "xdp_control_group", g->control_group);
	put_text(j, "xdp_replaced", g->replaced == CONF_REPLACED_FAULT ? "fault" : "restore");
	put_scripts(j, g);
	put_process(j, g);
	return j;
}

/* Every item of an array of the tree. */
#define PUT_ALL(j, key, items, n, to_json)                                                                             \
	do {                                                                                                           \
		json_t *all = put_array(j, key);                                                                       \
		for (size_t i = 0; i < (n); i++)                                                                       \
			json_array_append_new(all, to_json(&(items)[i]));                                              \
	} while (0)

static const char *mode_name(enum conf_mode mode)
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

json_t *check_json(const struct conf *c)
{
	json_t *j = json_object(), *a;

	json_object_set_new(j, "global_defs", globals_json(&c->globals));
	put_text(j, "xdp_mode", mode_name(c->mode));
	PUT_ALL(j, "vrrp_script", c->scripts, c->nscripts, script_json);
	PUT_ALL(j, "track_file", c->track_files, c->ntrack_files, file_json);
	PUT_ALL(j, "vrrp_track_process", c->processes, c->nprocesses, process_json);
	PUT_ALL(j, "garp_group", c->garp_groups, c->ngarp_groups, garp_group_json);
	PUT_ALL(j, "interface_up_down_delays", c->updowns, c->nupdowns, updown_json);
	put_vips(j, "static_ipaddress", c->static_addrs, c->nstatic_addrs);
	put_routes(j, "static_routes", c->static_routes, c->nstatic_routes);
	put_rules(j, "static_rules", c->static_rules, c->nstatic_rules);
	a = put_array(j, "track_group");
	for (size_t i = 0; i < c->ntrack_groups; i++)
		json_array_append_new(a, track_group_json(c, &c->track_groups[i]));
	a = put_array(j, "vrrp_sync_group");
	for (size_t i = 0; i < c->ngroups; i++)
		json_array_append_new(a, group_json(c, &c->groups[i]));
	a = put_array(j, "vrrp_instance");
	for (size_t i = 0; i < c->nvrs; i++)
		json_array_append_new(a, vr_json(c, &c->vrs[i]));
	return j;
}
