// SPDX-License-Identifier: GPL-2.0-or-later
/* One rule line (spec 3.3): the words of `ip rule add` and exactly one action. A missing preference is given when all lines are read. */
#include "conf_words.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rule_line {
	struct conf_rule r;
	uint8_t family; /* inet, inet6 */
	unsigned int actions;
};

/* ---- options ---- */

static int set_family(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;

	(void)w;
	rl->family = (uint8_t)o->arg;
	return 0;
}

static int set_not(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;

	(void)w;
	(void)o;
	rl->r.invert = true;
	return 0;
}

static int set_from(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;

	(void)o;
	return conf_words_prefix(w, &rl->r.from, &rl->r.from_plen);
}

static int set_to(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;

	(void)o;
	return conf_words_prefix(w, &rl->r.to, &rl->r.to_plen);
}

static int set_iif(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;

	(void)o;
	return conf_words_dev(w, rl->r.iif);
}

static int set_oif(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;

	(void)o;
	return conf_words_dev(w, rl->r.oif);
}

static int set_fwmark(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;
	uint64_t mark, mask = UINT32_MAX;
	const char *text, *slash;
	char first[24];
	int err = conf_words_value(w, &text);

	(void)o;
	if (err)
		return err;
	slash = strchr(text, '/');
	snprintf(first, sizeof(first), "%.*s", slash && slash - text < 23 ? (int)(slash - text) : 23, text);
	if (!conf_words_is_number(first, UINT32_MAX, &mark) ||
	    (slash && !conf_words_is_number(slash + 1, UINT32_MAX, &mask)))
		return conf_words_warn(w, "fwmark \"%.60s\" is not MARK or MARK/MASK of 32 bits; the rule is dropped",
				       text);
	rl->r.fwmark = (uint32_t)mark;
	rl->r.fwmask = (uint32_t)mask;
	rl->r.set |= CONF_RULE_FWMARK;
	return 0;
}

static int set_tos(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;
	uint32_t n = 0;
	int err = conf_words_named(w, CONF_NAMES_DSFIELDS, 255, &n);

	(void)o;
	rl->r.tos = (uint8_t)n;
	return err;
}

static int set_uids(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;
	uint64_t lo = 0, hi = 0;
	int err = conf_words_range(w, UINT32_MAX, &lo, &hi);

	(void)o;
	rl->r.uid_min = (uint32_t)lo;
	rl->r.uid_max = (uint32_t)hi;
	rl->r.set |= CONF_RULE_UID;
	return err;
}

static int set_ports(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;
	uint64_t lo = 0, hi = 0;
	int err = conf_words_range(w, UINT16_MAX, &lo, &hi);

	if (o->arg == CONF_RULE_SPORT) {
		rl->r.sport_min = (uint16_t)lo;
		rl->r.sport_max = (uint16_t)hi;
	} else {
		rl->r.dport_min = (uint16_t)lo;
		rl->r.dport_max = (uint16_t)hi;
	}
	rl->r.set |= (uint32_t)o->arg;
	return err;
}

static int set_ip_proto(struct conf_words *w, void *out, const struct conf_option *o)
{
	static const struct {
		const char *name;
		uint8_t id;
	} names[] = {
		{ "icmp", 1 },       { "igmp", 2 },  { "ipip", 4 },   { "tcp", 6 },    { "udp", 17 },
		{ "dccp", 33 },      { "gre", 47 },  { "esp", 50 },   { "ah", 51 },    { "icmpv6", 58 },
		{ "ipv6-icmp", 58 }, { "ospf", 89 }, { "vrrp", 112 }, { "sctp", 132 }, { "udplite", 136 },
	};
	struct rule_line *rl = out;
	const char *text;
	uint64_t n;
	int err = conf_words_value(w, &text);

	(void)o;
	if (err)
		return err;
	rl->r.set |= CONF_RULE_IPPROTO;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].name, text)) {
			rl->r.ip_proto = names[i].id;
			return 0;
		}
	if (!conf_words_is_number(text, 255, &n))
		return conf_words_warn(w, "ipproto \"%.60s\" is not known; the rule is dropped, write its number",
				       text);
	rl->r.ip_proto = (uint8_t)n;
	return 0;
}

static int set_tunnel(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;

	(void)o;
	return conf_words_number(w, 1, UINT64_MAX, &rl->r.tun_id);
}

static int set_protocol(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;
	uint32_t n = 0;
	int err = conf_words_named(w, CONF_NAMES_PROTOS, 255, &n);

	(void)o;
	rl->r.protocol = (uint8_t)n;
	rl->r.set |= CONF_RULE_PROTOCOL;
	return err;
}

static int set_pref(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;
	uint64_t n = 0;
	int err = conf_words_number(w, 0, UINT32_MAX, &n);

	(void)o;
	rl->r.pref = (uint32_t)n;
	rl->r.set |= CONF_RULE_PREF;
	return err;
}

static int set_realms(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;

	(void)o;
	return conf_words_realms(w, &rl->r.realms);
}

static int set_suppress_plen(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;
	uint64_t n = 0;
	int err = conf_words_number(w, 0, 128, &n);

	(void)o;
	rl->r.suppress_plen = (int64_t)n;
	return err;
}

static int set_suppress_group(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;
	uint32_t n = 0;
	int err = conf_words_named(w, CONF_NAMES_GROUPS, INT32_MAX, &n);

	(void)o;
	rl->r.suppress_group = n;
	return err;
}

static int set_no_track(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;

	(void)w;
	(void)o;
	rl->r.no_track = true;
	return 0;
}

static int set_track_group(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;
	const char *text;
	int err = conf_words_text(w, &text);

	(void)o;
	if (!err && w->x->is_static)
		rl->r.track_group = text;
	else if (!err)
		conf_words_warn(w, "track_group is ignored: it is for static_rules only");
	return err;
}

/* ---- actions ---- */

static int set_table(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;
	int err = conf_words_named(w, CONF_NAMES_TABLES, UINT32_MAX, &rl->r.table);

	(void)o;
	if (!err && !rl->r.table)
		return conf_words_warn(w, "table 0 is no table; the rule is dropped, name one");
	rl->r.action = FR_ACT_TO_TBL;
	rl->actions++;
	return err;
}

static int set_goto(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;
	uint64_t n = 0;
	int err = conf_words_number(w, 1, UINT32_MAX, &n);

	(void)o;
	rl->r.goto_pref = (uint32_t)n;
	rl->r.action = FR_ACT_GOTO;
	rl->actions++;
	return err;
}

static int set_l3mdev(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;

	(void)w;
	(void)o;
	rl->r.l3mdev = true;
	rl->r.action = FR_ACT_TO_TBL;
	rl->actions++;
	return 0;
}

static int set_action(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct rule_line *rl = out;

	(void)w;
	rl->r.action = (uint8_t)o->arg;
	rl->actions++;
	return 0;
}

/* `type` before an action says nothing. */
static int set_nothing(struct conf_words *w, void *out, const struct conf_option *o)
{
	(void)w;
	(void)out;
	(void)o;
	return 0;
}

static const struct conf_option options[] = {
	{ "not", set_not, 0 },
	{ "inet", set_family, 4 },
	{ "inet6", set_family, 6 },
	{ "from", set_from, 0 },
	{ "to", set_to, 0 },
	{ "dev", set_iif, 0 },
	{ "iif", set_iif, 0 },
	{ "oif", set_oif, 0 },
	{ "fwmark", set_fwmark, 0 },
	{ "tos", set_tos, 0 },
	{ "dsfield", set_tos, 0 },
	{ "uidrange", set_uids, 0 },
	{ "ipproto", set_ip_proto, 0 },
	{ "ip_proto", set_ip_proto, 0 },
	{ "sport", set_ports, CONF_RULE_SPORT },
	{ "dport", set_ports, CONF_RULE_DPORT },
	{ "tunnel-id", set_tunnel, 0 },
	{ "protocol", set_protocol, 0 },
	{ "preference", set_pref, 0 },
	{ "order", set_pref, 0 },
	{ "priority", set_pref, 0 },
	{ "realms", set_realms, 0 },
	{ "suppress_prefixlength", set_suppress_plen, 0 },
	{ "sup_pl", set_suppress_plen, 0 },
	{ "suppress_ifgroup", set_suppress_group, 0 },
	{ "sup_group", set_suppress_group, 0 },
	{ "no_track", set_no_track, 0 },
	{ "track_group", set_track_group, 0 },
	{ "table", set_table, 0 },
	{ "lookup", set_table, 0 },
	{ "goto", set_goto, 0 },
	{ "l3mdev", set_l3mdev, 0 },
	{ "type", set_nothing, 0 },
	{ "nop", set_action, FR_ACT_NOP },
	{ "blackhole", set_action, FR_ACT_BLACKHOLE },
	{ "unreachable", set_action, FR_ACT_UNREACHABLE },
	{ "prohibit", set_action, FR_ACT_PROHIBIT },
};

enum { NOPTIONS = sizeof(options) / sizeof(options[0]) };

/* ---- the end of the line ---- */

static int finish_family(struct conf_words *w, struct rule_line *rl)
{
	uint8_t family = rl->family;
	const struct conf_addr *given[] = { &rl->r.from, &rl->r.to };

	for (size_t i = 0; i < 2; i++) {
		if (given[i]->family && family && given[i]->family != family)
			return conf_words_warn(w,
					       "the rule has IPv4 and IPv6 addresses; it is dropped, use one family");
		family = given[i]->family ? given[i]->family : family;
	}
	rl->r.family = family ? family : 4;
	return 0;
}

static int finish_action(struct conf_words *w, struct rule_line *rl)
{
	const struct conf_rule *r = &rl->r;

	if (rl->actions != 1)
		return conf_words_warn(w, "the rule has %s action; it is dropped, give it one, such as \"table 100\"",
				       rl->actions ? "more than one" : "no");
	if ((r->suppress_plen >= 0 || r->suppress_group >= 0) && r->action != FR_ACT_TO_TBL)
		return conf_words_warn(w, "only a rule with a table can suppress routes of it; the rule is dropped");
	return 0;
}

static int finish_goto(struct conf_words *w, const struct conf_rule *r)
{
	if (r->action != FR_ACT_GOTO || !(r->set & CONF_RULE_PREF) || r->goto_pref > r->pref)
		return 0;
	return conf_words_warn(w, "goto %u does not lead forward from preference %u; the rule is dropped", r->goto_pref,
			       r->pref);
}

/* As of a route: its protocol tells a tracked rule from others'; one that is not tracked has the kernel's default. */
static void finish_protocol(struct conf_words *w, struct conf_rule *r)
{
	if (r->set & CONF_RULE_PROTOCOL && !r->no_track && r->protocol != RTPROT_KEEPALIVED)
		conf_words_warn(w, "protocol %u is ignored: a tracked rule has protocol %d; add no_track to keep it",
				r->protocol, RTPROT_KEEPALIVED);
	if (!r->no_track)
		r->protocol = RTPROT_KEEPALIVED;
	else if (!(r->set & CONF_RULE_PROTOCOL))
		r->protocol = RTPROT_UNSPEC;
}

/* ---- printing ---- */

static void print_prefix(FILE *f, const char *keyword, const struct conf_addr *a, uint8_t plen)
{
	char text[46];

	if (a->family)
		fprintf(f, " %s %s/%u", keyword, conf_addr_str(a, text, sizeof(text)), plen);
}

static void print_match(FILE *f, const struct conf_rule *r)
{
	print_prefix(f, "from", &r->from, r->from_plen);
	print_prefix(f, "to", &r->to, r->to_plen);
	if (r->iif[0])
		conf_words_print(f, "iif", r->iif);
	if (r->oif[0])
		conf_words_print(f, "oif", r->oif);
	if (r->set & CONF_RULE_FWMARK)
		fprintf(f, " fwmark %#x/%#x", r->fwmark, r->fwmask);
	if (r->tos)
		fprintf(f, " tos %u", r->tos);
	if (r->set & CONF_RULE_UID)
		fprintf(f, " uidrange %u-%u", r->uid_min, r->uid_max);
	if (r->set & CONF_RULE_IPPROTO)
		fprintf(f, " ipproto %u", r->ip_proto);
	if (r->set & CONF_RULE_SPORT)
		fprintf(f, " sport %u-%u", r->sport_min, r->sport_max);
	if (r->set & CONF_RULE_DPORT)
		fprintf(f, " dport %u-%u", r->dport_min, r->dport_max);
	if (r->tun_id)
		fprintf(f, " tunnel-id %llu", (unsigned long long)r->tun_id);
}

static void print_action(FILE *f, const struct conf_rule *r)
{
	if (r->l3mdev)
		fputs(" l3mdev", f);
	else if (r->action == FR_ACT_TO_TBL)
		fprintf(f, " table %u", r->table);
	else if (r->action == FR_ACT_GOTO)
		fprintf(f, " goto %u", r->goto_pref);
	for (size_t i = 0; i < NOPTIONS; i++)
		if (options[i].set == set_action && options[i].arg == r->action)
			fprintf(f, " %s", options[i].word);
}

static void print_rest(FILE *f, const struct conf_rule *r)
{
	if (r->set & CONF_RULE_PROTOCOL && r->protocol != RTPROT_KEEPALIVED)
		fprintf(f, " protocol %u", r->protocol);
	if (r->realms)
		fprintf(f, " realms %u/%u", r->realms >> 16, r->realms & 0xffff);
	if (r->suppress_plen >= 0)
		fprintf(f, " suppress_prefixlength %u", (unsigned int)r->suppress_plen);
	if (r->suppress_group >= 0)
		fprintf(f, " suppress_ifgroup %u", (unsigned int)r->suppress_group);
	if (r->no_track)
		fputs(" no_track", f);
	if (r->track_group)
		conf_words_print(f, "track_group", r->track_group);
	if (r->set & CONF_RULE_PREF) /* last, as where it was assigned and is written behind the rest */
		fprintf(f, " preference %u", r->pref);
}

static int print_rule(struct conf *c, struct conf_rule *r)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool bad;

	if (!f)
		return -ENOMEM;
	if (!r->from.family && !r->to.family) /* nothing else tells the family */
		fputs(r->family == 6 ? " inet6" : " inet", f);
	if (r->invert)
		fputs(" not", f);
	print_match(f, r);
	print_action(f, r);
	print_rest(f, r);
	bad = ferror(f);
	if (!fclose(f) && !bad)
		r->text = conf_string(c, text + 1); /* every part starts with a blank */
	free(text);
	return r->text ? 0 : -ENOMEM;
}

/* ---- the line ---- */

static int unknown(struct conf_words *w, const char *word)
{
	static const struct {
		const char *word, *say;
	} hints[] = {
		{ "pref", "preference" },
		{ "proto", "protocol" },
		{ "prio", "priority" },
		{ "tun_id", "tunnel-id" },
	};
	const char *hint = NULL;

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (!strcmp(hints[i].word, word))
			hint = hints[i].say;
	return conf_words_warn(w, "\"%.60s\" is not an option of a rule; the rule is dropped%s%s%s", word,
			       hint ? ", write \"" : "", hint ? hint : "", hint ? "\"" : "");
}

static int finish(struct conf_words *w, struct rule_line *rl)
{
	int err;

	w->at = 0;
	err = finish_family(w, rl);
	if (!err)
		err = finish_action(w, rl);
	if (err)
		return err;
	finish_protocol(w, &rl->r);
	err = finish_goto(w, &rl->r);
	return err ? err : print_rule(w->x->conf, &rl->r);
}

int conf_rule_line(struct conf_line_ctx *x, const struct conf_line *l, struct conf_rule *out)
{
	struct conf_words w = { .x = x, .l = l };
	struct rule_line rl = { .r = { .line = l->line, .suppress_plen = -1, .suppress_group = -1 } };
	const struct conf_option *o;
	const char *word;
	int err = 0;

	while (!err && (word = conf_words_next(&w))) {
		o = conf_words_option(options, NOPTIONS, word);
		err = o ? o->set(&w, &rl, o) : unknown(&w, word);
	}
	if (!err)
		err = finish(&w, &rl);
	if (!err)
		*out = rl.r;
	return err;
}
