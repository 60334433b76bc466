// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include "vr.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static double ms(uint64_t ns)
{
	return ns / 1e6;
}

/* Milliseconds from now until @at_ns, negative when it is past. */
static double ms_until(uint64_t at_ns, uint64_t now_ns)
{
	return at_ns >= now_ns ? ms(at_ns - now_ns) : -ms(now_ns - at_ns);
}

static json_t *addr_json(const struct vr *r, const struct vx_addr *addr)
{
	char text[VR_ADDR_LEN];

	return vx_addr_none(addr) ? json_null() : json_string(vr_addr(r->conf->family, addr, text));
}

static json_t *vips_json(const struct vr *r)
{
	json_t *a = json_array();
	char text[46], with_len[56];
	size_t i;

	for (i = 0; i < r->nvips; i++) {
		snprintf(with_len, sizeof(with_len), "%s/%u", conf_addr_str(&r->vips[i].conf->addr, text, sizeof(text)),
			 r->vips[i].conf->plen);
		json_array_append_new(a, json_pack("{s:s, s:s, s:b, s:b}", "address", with_len, "interface",
						   r->vips[i].dev->name, "installed", r->vips[i].installed,
						   "advertised", i < r->nadvertised));
	}
	return a;
}

static const char *state_why(const struct vr *r)
{
	return r->fsm.state == FSM_INITIALIZE && r->hold ? r->hold : fsm_why_name(r->fsm.why);
}

/* The interface whose XDP program sees the frames of @f. */
static const struct vr_if *seen_at(const struct vr_if *f)
{
	return f->lower ? f->lower : f;
}

/* NULL: it is not there, or could not be opened. */
static const char *mode_name(const struct vr_if *f)
{
	f = seen_at(f);
	return !f->open ? NULL : f->attachment.mode == DP_MODE_NATIVE ? "native" : "generic";
}

/* Who is Active and when that was last heard: the kernel keeps it. */
static void put_active(json_t *j, const struct vr *r, uint64_t now_ns)
{
	struct vx_vr_watch w = { .deadline_ns = 0 };
	json_t *active = json_null(), *down = json_null();

	if (r->fsm.state == FSM_ACTIVE) {
		active = json_pack("{s:o, s:i, s:f, s:b}", "address", addr_json(r, &r->fsm.src), "priority",
				   r->fsm.priority, "advert_int_ms", ms(r->fsm.adver_ns), "self", 1);
	} else if (r->fsm.state == FSM_BACKUP && !dp_watch_get(r->all->dp, r->slot, &w)) {
		now_ns = loop_now_ns(); /* another advert may have been heard since */
		if (!vx_addr_none(&w.src))
			active = json_pack("{s:o, s:i, s:f, s:b, s:f}", "address", addr_json(r, &w.src), "priority",
					   w.priority, "advert_int_ms", ms(w.adver_ns), "self", 0, "last_advert_ms_ago",
					   ms(now_ns - w.last_ns));
		down = json_real(ms_until(w.deadline_ns, now_ns));
	}
	json_object_set_new(j, "active_router", active);
	json_object_set_new(j, "active_down_in_ms", down);
	json_object_set_new(j, "next_advert_in_ms",
			    r->fsm.state == FSM_ACTIVE ? json_real(ms_until(r->fsm.adver_due_ns, now_ns))
						       : json_null());
	json_object_set_new(j, "lease_ms",
			    r->fsm.state == FSM_ACTIVE ? json_real(ms_until(r->fsm.lease_ns, now_ns)) : json_null());
}

static json_t *vr_status(const struct vr *r, uint64_t now_ns)
{
	const struct conf_vr *c = r->conf;
	json_t *j = json_pack("{s:s, s:s, s:i, s:i, s:s, s:f, s:s, s:i, s:b, s:f, s:o, s:s?, s:s?}", "name", c->name,
			      "interface", r->iface->name, "vrid", c->vrid, "version", c->version, "state",
			      fsm_state_name(r->fsm.state), "since_s", (now_ns - r->fsm.since_ns) / 1e9, "why",
			      state_why(r), "priority", r->fsm.priority, "preempt", r->fsm.preempt, "advert_int_ms",
			      ms(r->fsm.adver_ns), "source", addr_json(r, &r->fsm.src), "xdp_mode", mode_name(r->iface),
			      "xdp_mode_why", r->iface->open ? seen_at(r->iface)->attachment.why : NULL);

	if (!j)
		return json_null();
	put_active(j, r, now_ns);
	json_object_set_new(j, "drained", json_boolean(r->drained));
	json_object_set_new(j, "vips", vips_json(r));
	return j;
}

static json_t *if_status(const struct vr_if *f)
{
	const struct dp_attachment *a = &seen_at(f)->attachment;
	json_t *j = json_pack("{s:s, s:i, s:b, s:s, s:s, s:b}", "name", f->name, "ifindex", f->ifindex, "up", f->up,
			      "xdp_mode", mode_name(f), "xdp_mode_why", a->why, "xdp_shared", a->shared);

	if (j && f->tags_hidden)
		json_object_set_new(j, "vlan_tags_hidden", json_true());
	if (j && f->lower)
		json_object_update_new(j, json_pack("{s:s, s:i}", "xdp_on", f->lower->name, "vlan", f->vlan));
	return j;
}

static json_t *status(const struct vrs *v)
{
	json_t *vrs = json_array(), *ifs = json_array();
	uint64_t now_ns = loop_now_ns();
	size_t i;

	for (i = 0; i < v->nvr; i++)
		json_array_append_new(vrs, vr_status(v->vr[i], now_ns));
	for (i = 0; i < v->nifs; i++)
		if (v->ifs[i]->open)
			json_array_append_new(ifs, if_status(v->ifs[i]));
	/* arrays only: cmd_ctl.c joins the answers of several controllers */
	return json_pack("{s:[{s:i, s:f}], s:o, s:o}", "controllers", "pid", (int)getpid(), "up_s",
			 (now_ns - v->start_ns) / 1e9, "virtual_routers", vrs, "interfaces", ifs);
}

static json_t *counters_json(const struct vrs *v, uint32_t row)
{
	json_t *j = json_object();
	struct vx_counters n;
	int i;

	if (!dp_loaded(v->dp) || dp_counters_get(v->dp, row, &n))
		return j;
	for (i = 1; i < VX_CTR_COUNT; i++)
		json_object_set_new(j, vr_ctr_text[i].name, json_integer(n.c[i]));
	return j;
}

static json_t *vr_stats(const struct vr *r)
{
	json_t *j = counters_json(r->all, r->slot);

	json_object_set_new(j, "tx_adverts", json_integer(r->adverts_sent));
	json_object_set_new(j, "tx_prio0", json_integer(r->prio0_sent));
	json_object_set_new(j, "tx_errors", json_integer(r->send_errors));
	json_object_set_new(j, "became_active", json_integer(r->became_active));
	return json_pack("{s:s, s:s, s:i, s:o}", "name", r->conf->name, "interface", r->iface->name, "vrid",
			 r->conf->vrid, "counters", j);
}

static json_t *stats(const struct vrs *v)
{
	json_t *vrs = json_array(), *ifs = json_array();
	size_t i;

	for (i = 0; i < v->nvr; i++)
		json_array_append_new(vrs, vr_stats(v->vr[i]));
	for (i = 0; i < v->nifs; i++)
		if (v->ifs[i]->open)
			json_array_append_new(ifs, json_pack("{s:s, s:o}", "name", v->ifs[i]->name, "counters",
							     counters_json(v, dp_if_row(v->dp, v->ifs[i]->row))));
	return json_pack("{s:o, s:o}", "virtual_routers", vrs, "interfaces", ifs);
}

json_t *report_answer(void *arg, const char *request)
{
	const struct vrs *v = arg;

	if (!strcmp(request, "status"))
		return status(v);
	if (!strcmp(request, "stats"))
		return stats(v);
	return NULL;
}

static void note_drained(void *arg, const struct vr *r)
{
	json_array_append_new(arg, json_pack("{s:s, s:s, s:f}", "name", r->conf->name, "state",
					     fsm_state_name(r->fsm.state), "advert_int_ms", ms(r->fsm.adver_ns)));
}

json_t *report_drain(void *arg, const char *request)
{
	const char *which = strchr(request, ' ');
	json_t *routers = json_array();

	vrs_drain(arg, which ? which + 1 : "", request[0] == 'd', note_drained, routers);
	return json_pack("{s:o}", "drained", routers);
}

/* ---- the client's side ---- */

static const char *str(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "-";
}

static double num(const json_t *j, const char *key)
{
	return json_number_value(json_object_get(j, key));
}

static bool has(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);

	return v && !json_is_null(v);
}

static void print_duration(double s)
{
	if (s < 60)
		printf("%.1f s", s);
	else if (s < 3600)
		printf("%.0f min", s / 60);
	else if (s < 86400)
		printf("%.1f h", s / 3600);
	else
		printf("%.1f days", s / 86400);
}

static void print_active(const json_t *r)
{
	const json_t *a = json_object_get(r, "active_router");

	if (!has(r, "active_router"))
		printf("  Active Router: none heard\n");
	else if (json_is_true(json_object_get(a, "self")))
		printf("  Active Router: this one, next advert in %.1f ms, lease for %.1f ms\n",
		       num(r, "next_advert_in_ms"), num(r, "lease_ms"));
	else
		printf("  Active Router: %s, priority %.0f, interval %g ms, last advert %.1f ms ago\n",
		       str(a, "address"), num(a, "priority"), num(a, "advert_int_ms"), num(a, "last_advert_ms_ago"));
	if (has(r, "active_down_in_ms"))
		printf("  Active_Down_Timer: in %.1f ms\n", num(r, "active_down_in_ms"));
}

static void print_vr(const json_t *r)
{
	const json_t *vip;
	size_t i;

	printf("%s: %s for ", str(r, "name"), str(r, "state"));
	print_duration(num(r, "since_s"));
	printf(": %s\n  priority %.0f, %s, VRRPv%.0f, interval %g ms, from %s\n", str(r, "why"), num(r, "priority"),
	       json_is_true(json_object_get(r, "preempt")) ? "preempt" : "no preempt", num(r, "version"),
	       num(r, "advert_int_ms"), str(r, "source"));
	print_active(r);
	printf("  virtual addresses:");
	json_array_foreach(json_object_get(r, "vips"), i, vip) printf(
		" %s%s", str(vip, "address"), json_is_true(json_object_get(vip, "installed")) ? " (installed)" : "");
	printf("\n  interface %s, XDP %s: %s\n", str(r, "interface"), str(r, "xdp_mode"), str(r, "xdp_mode_why"));
}

void report_print_status(const json_t *answer)
{
	const json_t *r;
	size_t i;

	json_array_foreach(json_object_get(answer, "virtual_routers"), i, r) print_vr(r);
}

static void print_counters(const json_t *owner)
{
	const json_t *value;
	const char *key;

	printf("%s:\n", str(owner, "name"));
	json_object_foreach(json_object_get(owner, "counters"), key, value)
		printf("  %-18s %" PRId64 "\n", key, (int64_t)json_integer_value(value));
}

void report_print_stats(const json_t *answer)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(answer, "virtual_routers"), i, o) print_counters(o);
	json_array_foreach(json_object_get(answer, "interfaces"), i, o) print_counters(o);
}
