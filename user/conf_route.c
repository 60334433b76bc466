// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One route line (spec 3.2): the words of `ip route add`. What depends on the family waits until all words are read, so `via A default`
 * and `default via A` are the same.
 */
#include "conf_words.h"

#include <errno.h>
#include <linux/icmpv6.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOPS_MAX = 256 }; /* more do not fit one netlink attribute of 64 KiB with room to spare */

struct route_line {
	struct conf_route r;
	struct conf_nexthop hops[HOPS_MAX];
	size_t nhops;
	struct conf_nexthop *hop; /* the one in hand; the first also takes what stands before any nexthop */
	uint8_t family;           /* inet, inet6 */
	bool dst_set, list;       /* @list: nexthop or `or` was seen */
	uint32_t realms;
};

/* ---- options ---- */

static int set_family(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	(void)w;
	rl->family = (uint8_t)o->arg;
	return 0;
}

static int set_dst(struct conf_words *w, struct route_line *rl, const char *text)
{
	if (rl->dst_set)
		return conf_words_warn(
			w,
			"\"%.60s\" is neither an option of a route nor its only destination; the route is "
			"dropped",
			text);
	rl->dst_set = true;
	return conf_words_parse_prefix(w, text, &rl->r.dst, &rl->r.dst_plen);
}

static int set_to(struct conf_words *w, void *out, const struct conf_option *o)
{
	const char *text;
	int err = conf_words_value(w, &text);

	(void)o;
	return err ? err : set_dst(w, out, text);
}

static int set_type(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	(void)w;
	rl->r.type = (uint8_t)o->arg;
	return 0;
}

static int set_action(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	(void)w;
	rl->r.action = (uint8_t)o->arg;
	return 0;
}

static int new_hop(struct conf_words *w, struct route_line *rl)
{
	if (rl->nhops == HOPS_MAX)
		return conf_words_warn(w, "there are more than %d hops; the route is dropped", HOPS_MAX);
	rl->hop = &rl->hops[rl->nhops++];
	*rl->hop = (struct conf_nexthop){ .weight = 1 };
	return 0;
}

static int set_via(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	const char *next = conf_words_peek(w);
	uint8_t family = 0;
	int err;

	if (next && (!strcmp(next, "inet") || !strcmp(next, "inet6"))) {
		family = strcmp(next, "inet") ? 6 : 4;
		conf_words_next(w);
	}
	if (o->arg)
		conf_words_warn(w, "\"gw\" is an old word; write \"via\"");
	err = conf_words_addr(w, &rl->hop->via);
	if (!err && family && family != rl->hop->via.family)
		return conf_words_warn(w, "the address after via is IPv%u, not as said; the route is dropped",
				       rl->hop->via.family);
	return err;
}

/* `via A or B`, from the time before nexthop. */
static int set_or(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	int err;

	(void)o;
	conf_words_warn(w, "\"or\" is an old word; write \"nexthop via A nexthop via B\"");
	if (rl->list || !rl->hop->via.family)
		return conf_words_warn(w, "\"or\" stands between two addresses, after via; the route is dropped");
	rl->list = true;
	if (conf_words_peek(w) && !strcmp(conf_words_peek(w), "via"))
		conf_words_next(w);
	err = new_hop(w, rl);
	return err ? err : conf_words_addr(w, &rl->hop->via);
}

static int set_nexthop(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	(void)o;
	if (!rl->list && (rl->hop->via.family || rl->hop->dev[0] || rl->hop->onlink))
		return conf_words_warn(
			w, "via, dev and onlink stand after each nexthop, not before the first; the route is "
			   "dropped");
	if (!rl->list) {
		rl->list = true;
		return 0; /* the hop that is there already is the first */
	}
	return new_hop(w, rl);
}

static int set_dev(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	(void)o;
	return conf_words_dev(w, rl->hop->dev);
}

static int set_onlink(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	(void)w;
	(void)o;
	rl->hop->onlink = true;
	return 0;
}

static int set_weight(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	uint64_t n = 1;
	int err = conf_words_number(w, 1, 256, &n);

	(void)o;
	rl->hop->weight = (uint16_t)n;
	return err;
}

/* Before the first nexthop they are the route's, and every hop's that has none. */
static int set_realms(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	(void)o;
	return conf_words_realms(w, rl->list ? &rl->hop->realms : &rl->realms);
}

static int set_src(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	(void)o;
	return conf_words_addr(w, &rl->r.src);
}

static int set_from(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	(void)o;
	return conf_words_prefix(w, &rl->r.from, &rl->r.from_plen);
}

static int set_table(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	(void)o;
	return conf_words_named(w, CONF_NAMES_TABLES, UINT32_MAX, &rl->r.table);
}

static int set_vrf(struct conf_words *w, void *out, const struct conf_option *o)
{
	(void)out;
	(void)o;
	return conf_words_warn(
		w, "vrf is not supported; the route is dropped, name the table of the VRF with \"table N\"");
}

static int set_encap(struct conf_words *w, void *out, const struct conf_option *o)
{
	(void)out;
	(void)o;
	return conf_words_warn(w, "encap is not supported; the route is dropped, set it up with `ip route`");
}

static int set_metric(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	uint64_t n = 0;
	int err = conf_words_number(w, 0, UINT32_MAX, &n);

	(void)o;
	rl->r.metric = (uint32_t)n;
	rl->r.metric_set = true;
	return err;
}

static int set_expires(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	uint64_t n = 0;
	int err = conf_words_number(w, 0, UINT32_MAX, &n);

	(void)o;
	rl->r.expires = (uint32_t)n;
	rl->r.expires_set = true;
	return err;
}

static int set_tos(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	uint32_t n = 0;
	int err = conf_words_named(w, CONF_NAMES_DSFIELDS, 255, &n);

	(void)o;
	rl->r.tos = (uint8_t)n;
	return err;
}

static int set_protocol(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	uint32_t n = 0;
	int err = conf_words_named(w, CONF_NAMES_PROTOS, 255, &n);

	(void)o;
	rl->r.protocol = (uint8_t)n;
	return err;
}

static int set_scope(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	uint32_t n = 0;
	int err = conf_words_named(w, CONF_NAMES_SCOPES, 255, &n);

	(void)o;
	rl->r.scope = (uint8_t)n;
	rl->r.scope_set = true;
	return err;
}

/* Which of the NULL-terminated @names the value is; -1, said: none. */
static int choice(struct conf_words *w, const char *const *names)
{
	const char *option = w->l->word[w->at], *text;

	if (conf_words_value(w, &text))
		return -1;
	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], text))
			return i;
	conf_words_warn(w, "%.60s \"%.60s\" is not known; the route is dropped, write %s or %s", option, text, names[0],
			names[1]);
	return -1;
}

static int set_pref(struct conf_words *w, void *out, const struct conf_option *o)
{
	static const char *const names[] = { "low", "medium", "high", NULL };
	static const uint8_t value[] = { ICMPV6_ROUTER_PREF_LOW, ICMPV6_ROUTER_PREF_MEDIUM, ICMPV6_ROUTER_PREF_HIGH };
	struct route_line *rl = out;
	int i = choice(w, names);

	(void)o;
	if (i < 0)
		return 1;
	rl->r.pref = (uint8_t)(value[i] + 1);
	return 0;
}

static int set_ttl_propagate(struct conf_words *w, void *out, const struct conf_option *o)
{
	static const char *const names[] = { "disabled", "enabled", NULL };
	struct route_line *rl = out;
	int i = choice(w, names);

	(void)o;
	rl->r.ttl_propagate = (int8_t)i;
	return i < 0;
}

static int set_no_track(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	(void)w;
	(void)o;
	rl->r.no_track = true;
	return 0;
}

static int set_track_group(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	const char *text;
	int err = conf_words_text(w, &text);

	(void)o;
	if (!err && w->x->is_static)
		rl->r.track_group = text;
	else if (!err)
		conf_words_warn(w, "track_group is ignored: it is for static_routes only");
	return err;
}

/* ---- metrics: the option's arg is RTAX_* ---- */

static void take_lock(struct conf_words *w, struct conf_route *r, size_t rtax)
{
	const char *next = conf_words_peek(w);

	if (!next || strcmp(next, "lock") != 0)
		return;
	conf_words_next(w);
	r->metrics_lock |= 1u << rtax;
}

static void put_metric(struct conf_route *r, size_t rtax, uint32_t value)
{
	r->metrics[rtax] = value;
	r->metrics_set |= 1u << rtax;
}

static int set_number(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	uint64_t n;
	int err;

	take_lock(w, &rl->r, o->arg);
	err = conf_words_number(w, 0, UINT32_MAX, &n);
	if (!err)
		put_metric(&rl->r, o->arg, (uint32_t)n);
	return err;
}

static int set_switch(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	uint64_t n;
	int err = conf_words_number(w, 0, 1, &n);

	if (!err)
		put_metric(&rl->r, o->arg, (uint32_t)n);
	return err;
}

/* "20", "20ms", "1.5s" as iproute2 reads them: without a unit the number is the kernel's own. */
static bool parse_time(const char *text, double *ms, bool *raw)
{
	char *end;

	if ((*text < '0' || *text > '9') && *text != '.')
		return false;
	*ms = strchr(text, '.') ? strtod(text, &end) : (double)strtoull(text, &end, 0);
	*raw = !*end;
	if (!strcmp(end, "s") || !strcmp(end, "sec") || !strcmp(end, "secs"))
		*ms *= 1000;
	else if (!*raw && strcmp(end, "ms") != 0 && strcmp(end, "msec") != 0 && strcmp(end, "msecs") != 0)
		return false;
	return end > text;
}

static int set_time(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;
	unsigned int unit = o->arg == RTAX_RTT ? 8 : o->arg == RTAX_RTTVAR ? 4 : 1; /* per ms, in the kernel */
	const char *option = w->l->word[w->at], *text;
	uint64_t n;
	double ms;
	bool raw;
	int err;

	take_lock(w, &rl->r, o->arg);
	err = conf_words_value(w, &text);
	if (err)
		return err;
	if (!parse_time(text, &ms, &raw) || ms > UINT32_MAX)
		n = UINT64_MAX;
	else
		n = ((uint64_t)ms + ((double)(uint64_t)ms < ms)) * (raw ? 1 : unit); /* rounded up */
	if (n > UINT32_MAX)
		return conf_words_warn(w, "%s \"%.60s\" is not a time such as 20ms or 1.5s; the route is dropped",
				       option, text);
	put_metric(&rl->r, o->arg, (uint32_t)n);
	return 0;
}

static int set_features(struct conf_words *w, void *out, const struct conf_option *o)
{
	static const char *const names[] = { "ecn", "ecn", NULL };
	struct route_line *rl = out;

	if (choice(w, names) < 0)
		return 1;
	put_metric(&rl->r, o->arg, RTAX_FEATURE_ECN);
	return 0;
}

static int set_congctl(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct route_line *rl = out;

	take_lock(w, &rl->r, o->arg);
	return conf_words_text(w, &rl->r.congctl);
}

static const struct conf_option options[] = {
	{ "inet", set_family, 4 },
	{ "inet6", set_family, 6 },
	{ "to", set_to, 0 },
	{ "unicast", set_type, RTN_UNICAST },
	{ "local", set_type, RTN_LOCAL },
	{ "broadcast", set_type, RTN_BROADCAST },
	{ "anycast", set_type, RTN_ANYCAST },
	{ "multicast", set_type, RTN_MULTICAST },
	{ "blackhole", set_type, RTN_BLACKHOLE },
	{ "unreachable", set_type, RTN_UNREACHABLE },
	{ "prohibit", set_type, RTN_PROHIBIT },
	{ "throw", set_type, RTN_THROW },
	{ "nat", set_type, RTN_NAT },
	{ "add", set_action, CONF_ROUTE_ADD },
	{ "prepend", set_action, CONF_ROUTE_PREPEND },
	{ "append", set_action, CONF_ROUTE_APPEND },
	{ "via", set_via, 0 },
	{ "gw", set_via, 1 },
	{ "or", set_or, 0 },
	{ "nexthop", set_nexthop, 0 },
	{ "dev", set_dev, 0 },
	{ "oif", set_dev, 0 },
	{ "onlink", set_onlink, 0 },
	{ "weight", set_weight, 0 },
	{ "realms", set_realms, 0 },
	{ "src", set_src, 0 },
	{ "from", set_from, 0 },
	{ "table", set_table, 0 },
	{ "vrf", set_vrf, 0 },
	{ "encap", set_encap, 0 },
	{ "metric", set_metric, 0 },
	{ "priority", set_metric, 0 },
	{ "preference", set_metric, 0 },
	{ "expires", set_expires, 0 },
	{ "tos", set_tos, 0 },
	{ "dsfield", set_tos, 0 },
	{ "protocol", set_protocol, 0 },
	{ "scope", set_scope, 0 },
	{ "pref", set_pref, 0 },
	{ "ttl-propagate", set_ttl_propagate, 0 },
	{ "no_track", set_no_track, 0 },
	{ "track_group", set_track_group, 0 },
	{ "mtu", set_number, RTAX_MTU },
	{ "advmss", set_number, RTAX_ADVMSS },
	{ "reordering", set_number, RTAX_REORDERING },
	{ "cwnd", set_number, RTAX_CWND },
	{ "ssthresh", set_number, RTAX_SSTHRESH },
	{ "hoplimit", set_number, RTAX_HOPLIMIT },
	{ "window", set_number, RTAX_WINDOW },
	{ "initcwnd", set_number, RTAX_INITCWND },
	{ "initrwnd", set_number, RTAX_INITRWND },
	{ "rtt", set_time, RTAX_RTT },
	{ "rttvar", set_time, RTAX_RTTVAR },
	{ "rto_min", set_time, RTAX_RTO_MIN },
	{ "quickack", set_switch, RTAX_QUICKACK },
	{ "fastopen_no_cookie", set_switch, RTAX_FASTOPEN_NO_COOKIE },
	{ "features", set_features, RTAX_FEATURES },
	{ "congctl", set_congctl, RTAX_CC_ALGO },
};

enum { NOPTIONS = sizeof(options) / sizeof(options[0]) };

_Static_assert((int)RTAX_FASTOPEN_NO_COOKIE < (int)CONF_ROUTE_METRICS, "every metric has its place");

/* ---- the end of the line ---- */

static int finish_family(struct conf_words *w, struct route_line *rl)
{
	struct conf_route *r = &rl->r;
	const struct conf_addr *given[] = { &r->dst, &r->src, &r->from };
	uint8_t family = rl->family;

	for (size_t i = 0; i < 3; i++) {
		if (given[i]->family && family && given[i]->family != family)
			return conf_words_warn(w,
					       "the route has IPv4 and IPv6 addresses; it is dropped, use one family");
		family = given[i]->family ? given[i]->family : family;
	}
	for (size_t i = 0; i < rl->nhops && !family; i++)
		family = rl->hops[i].via.family;
	r->family = family ? family : 4;
	for (size_t i = 0; i < rl->nhops; i++)
		if (r->family == 6 && rl->hops[i].via.family == 4)
			return conf_words_warn(w, "an IPv6 route cannot go via an IPv4 address; it is dropped");
	return 0;
}

/* IPv6 alone knows these. */
static void drop_v6_only(struct conf_words *w, struct conf_route *r)
{
	if (r->family == 6)
		return;
	if (r->from.family)
		conf_words_warn(w, "from is ignored: only IPv6 routes have a source prefix; use a rule for IPv4");
	if (r->expires_set)
		conf_words_warn(w, "expires is ignored: only IPv6 routes expire");
	if (r->pref)
		conf_words_warn(w, "pref is ignored: only IPv6 routes have a router preference");
	memset(&r->from, 0, sizeof(r->from));
	r->from_plen = 0;
	r->expires = 0;
	r->expires_set = false;
	r->pref = 0;
}

/* The kernel refuses an IPv4 route with bits set behind its prefix. */
static void clear_host_bits(struct conf_words *w, struct conf_route *r)
{
	struct conf_addr given = r->dst;
	char text[46];

	for (unsigned int bit = r->dst_plen; r->dst.family && bit < (r->family == 6 ? 128 : 32); bit++)
		r->dst.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	if (!conf_addr_eq(&given, &r->dst))
		conf_words_warn(w, "the destination has bits set behind /%u; %s/%u is used", r->dst_plen,
				conf_addr_str(&r->dst, text, sizeof(text)), r->dst_plen);
}

/* Routes that lead nowhere have no hop, though IPv4 gives an error if one is named. */
static bool leads_nowhere(uint8_t type)
{
	return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_THROW;
}

static int finish_hops(struct conf_words *w, struct route_line *rl)
{
	struct conf_route *r = &rl->r;

	if (leads_nowhere(r->type)) {
		if (rl->list || rl->hop->via.family || rl->hop->dev[0])
			conf_words_warn(w, "via and dev are ignored: a route of this type leads nowhere");
		return 0;
	}
	for (size_t i = 0; i < rl->nhops; i++) {
		if (!rl->hops[i].realms)
			rl->hops[i].realms = rl->realms;
		if (rl->list && !rl->hops[i].via.family && !rl->hops[i].dev[0])
			return conf_words_warn(w, "a nexthop has neither via nor dev; the route is dropped");
	}
	r->hops = conf_alloc(w->x->conf, rl->nhops * sizeof(*r->hops));
	if (!r->hops)
		return -ENOMEM;
	memcpy(r->hops, rl->hops, rl->nhops * sizeof(*r->hops));
	r->nhops = rl->nhops;
	return 0;
}

/* Its protocol tells a tracked route from others', when it goes. */
static void finish_protocol(struct conf_words *w, struct conf_route *r)
{
	if (!r->no_track && r->protocol != RTPROT_KEEPALIVED)
		conf_words_warn(w, "protocol %u is ignored: a tracked route has protocol %d; add no_track to keep it",
				r->protocol, RTPROT_KEEPALIVED);
	if (!r->no_track)
		r->protocol = RTPROT_KEEPALIVED;
}

/* ---- printing ---- */

static void print_addr(FILE *f, const char *keyword, const struct conf_addr *a)
{
	char text[46];

	if (a->family)
		fprintf(f, " %s %s", keyword, conf_addr_str(a, text, sizeof(text)));
}

static void print_head(FILE *f, const struct conf_route *r)
{
	char text[46];

	if (!r->dst.family && !r->src.family) /* nothing else may tell the family */
		fputs(r->family == 6 ? "inet6 " : "inet ", f);
	for (size_t i = 0; r->type != RTN_UNICAST && i < NOPTIONS; i++)
		if (options[i].set == set_type && options[i].arg == r->type)
			fprintf(f, "%s ", options[i].word);
	if (r->dst.family)
		fprintf(f, "%s/%u", conf_addr_str(&r->dst, text, sizeof(text)), r->dst_plen);
	else
		fputs("default", f);
	if (r->action != CONF_ROUTE_PREPEND)
		fputs(r->action == CONF_ROUTE_ADD ? " add" : " append", f);
	if (r->from.family)
		fprintf(f, " from %s/%u", conf_addr_str(&r->from, text, sizeof(text)), r->from_plen);
	print_addr(f, "src", &r->src);
}

static void print_fields(FILE *f, const struct conf_route *r)
{
	static const char *const pref[] = {
		[ICMPV6_ROUTER_PREF_LOW + 1] = "low",
		[ICMPV6_ROUTER_PREF_MEDIUM + 1] = "medium",
		[ICMPV6_ROUTER_PREF_HIGH + 1] = "high",
	};

	if (r->table != RT_TABLE_MAIN)
		fprintf(f, " table %u", r->table);
	if (r->metric_set)
		fprintf(f, " metric %u", r->metric);
	if (r->tos)
		fprintf(f, " tos %u", r->tos);
	if (r->protocol != RTPROT_KEEPALIVED)
		fprintf(f, " protocol %u", r->protocol);
	if (r->scope_set)
		fprintf(f, " scope %u", r->scope);
	if (r->pref)
		fprintf(f, " pref %s", pref[r->pref]);
	if (r->expires_set)
		fprintf(f, " expires %u", r->expires);
	if (r->ttl_propagate >= 0)
		fprintf(f, " ttl-propagate %s", r->ttl_propagate ? "enabled" : "disabled");
	if (r->no_track)
		fputs(" no_track", f);
	if (r->track_group)
		conf_words_print(f, "track_group", r->track_group);
}

static void print_metrics(FILE *f, const struct conf_route *r)
{
	for (size_t i = 0; i < NOPTIONS; i++) {
		const struct conf_option *o = &options[i];
		char keyword[40];

		if (o->set != set_number && o->set != set_time && o->set != set_switch && o->set != set_congctl)
			continue;
		snprintf(keyword, sizeof(keyword), "%s%s", o->word, r->metrics_lock >> o->arg & 1 ? " lock" : "");
		if (o->set == set_congctl && r->congctl)
			conf_words_print(f, keyword, r->congctl);
		else if (r->metrics_set >> o->arg & 1)
			fprintf(f, " %s %u", keyword, r->metrics[o->arg]);
	}
	if (r->metrics_set >> RTAX_FEATURES & 1)
		fputs(" features ecn", f);
}

static void print_hop(FILE *f, const struct conf_nexthop *h, bool list)
{
	if (list)
		fputs(" nexthop", f);
	print_addr(f, h->via.family == 6 ? "via inet6" : "via", &h->via);
	if (h->dev[0])
		conf_words_print(f, "dev", h->dev);
	if (h->weight != 1)
		fprintf(f, " weight %u", h->weight);
	if (h->onlink)
		fputs(" onlink", f);
	if (h->realms)
		fprintf(f, " realms %u/%u", h->realms >> 16, h->realms & 0xffff);
}

static int print_route(struct conf *c, struct conf_route *r)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool bad;

	if (!f)
		return -ENOMEM;
	print_head(f, r);
	print_fields(f, r);
	print_metrics(f, r);
	for (size_t i = 0; i < r->nhops; i++)
		print_hop(f, &r->hops[i], r->nhops > 1);
	bad = ferror(f);
	if (!fclose(f) && !bad)
		r->text = conf_string(c, text);
	free(text);
	return r->text ? 0 : -ENOMEM;
}

/* ---- the line ---- */

static int parse_words(struct conf_words *w, struct route_line *rl)
{
	const struct conf_option *o;
	const char *word;
	int err = 0;

	while (!err && (word = conf_words_next(w))) {
		o = conf_words_option(options, NOPTIONS, word);
		err = o ? o->set(w, rl, o) : set_dst(w, rl, word);
	}
	w->at = 0;
	if (!err && !rl->dst_set)
		return conf_words_warn(w, "the route has no destination; it is dropped, add one or \"default\"");
	return err;
}

static int finish(struct conf_words *w, struct route_line *rl)
{
	int err = finish_family(w, rl);

	if (err)
		return err;
	drop_v6_only(w, &rl->r);
	clear_host_bits(w, &rl->r);
	finish_protocol(w, &rl->r);
	err = finish_hops(w, rl);
	return err ? err : print_route(w->x->conf, &rl->r);
}

int conf_route_line(struct conf_line_ctx *x, const struct conf_line *l, struct conf_route *out)
{
	struct conf_words w = { .x = x, .l = l };
	struct route_line *rl = calloc(1, sizeof(*rl));
	int err;

	if (!rl)
		return -ENOMEM;
	rl->r = (struct conf_route){
		.line = l->line,
		.type = RTN_UNICAST,
		.table = RT_TABLE_MAIN,
		.protocol = RTPROT_KEEPALIVED,
		.ttl_propagate = -1,
	};
	new_hop(&w, rl);
	err = parse_words(&w, rl);
	if (!err)
		err = finish(&w, rl);
	if (!err)
		*out = rl->r;
	free(rl);
	return err;
}
