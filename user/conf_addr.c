// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One address line (spec 3.1): virtual_ipaddress, virtual_ipaddress_excluded, static_ipaddress.
 *
 *   ADDR[/PREFIX] [dev IF] [brd A|+|-] [scope S] [label L] [peer A] [home] [-nodad] [mngtmpaddr] [noprefixroute]
 *   [autojoin] [preferred_lft N|forever] [no_track] [use_vmac] [track_group G]
 */
#include "conf_words.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum brd { BRD_NONE, BRD_ADDR, BRD_ONES, BRD_ZEROS };

/* The line while it is read: what hangs on the family or the prefix length waits until the end. */
struct addr_line {
	struct conf_vip v;
	struct conf_addr brd;
	enum brd how;
	uint8_t peer_plen;
};

static uint8_t full_len(uint8_t family)
{
	return family == 6 ? 128 : 32;
}

static int parse_address(struct conf_words *w, struct addr_line *a, const char *text)
{
	int err = conf_parse_addr(text, &a->v.addr, &a->v.plen);
	char addr[64];

	if (err == -ERANGE) {
		snprintf(addr, sizeof(addr), "%.*s", (int)strcspn(text, "/"), text);
		err = conf_parse_addr(addr, &a->v.addr, NULL);
		a->v.plen = full_len(a->v.addr.family);
		if (!err)
			conf_words_warn(w, "\"%.60s\" has a wrong prefix length, /%u is used; write 0 to %u", text,
					a->v.plen, a->v.plen);
	}
	if (err)
		return conf_words_warn(w, "\"%.60s\" is not an IP address; the line is dropped, write it such as %s",
				       text, strchr(text, ':') ? "2001:db8::1/64" : "192.0.2.1/24");
	return 0;
}

/* ---- options ---- */

static int set_dev(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct addr_line *a = out;

	(void)o;
	return conf_words_dev(w, a->v.dev);
}

static int set_brd(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct addr_line *a = out;
	const char *next = conf_words_peek(w);

	(void)o;
	if (next && (!strcmp(next, "+") || !strcmp(next, "-"))) {
		a->how = *next == '+' ? BRD_ONES : BRD_ZEROS;
		conf_words_next(w);
		return 0;
	}
	a->how = BRD_ADDR;
	return conf_words_addr(w, &a->brd);
}

static int set_scope(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct addr_line *a = out;
	uint32_t scope;
	int err = conf_words_named(w, CONF_NAMES_SCOPES, 255, &scope);

	(void)o;
	if (err)
		return err;
	a->v.scope = (uint8_t)scope;
	a->v.flags |= CONF_VIP_SCOPE;
	return 0;
}

static int set_label(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct addr_line *a = out;
	const char *text;
	int err = conf_words_value(w, &text);

	(void)o;
	if (err)
		return err;
	if (!*text || strlen(text) >= sizeof(a->v.label))
		conf_words_warn(w, "label \"%.60s\" is ignored; it may have 1 to %zu characters", text,
				sizeof(a->v.label) - 1);
	else
		snprintf(a->v.label, sizeof(a->v.label), "%s", text);
	return 0;
}

static int set_peer(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct addr_line *a = out;
	const char *text;
	int err = conf_words_value(w, &text);

	(void)o;
	if (err)
		return err;
	if (conf_parse_addr(text, &a->v.peer, &a->peer_plen))
		return conf_words_warn(w, "peer \"%.60s\" is not an IP address; the line is dropped", text);
	return 0;
}

static int set_preferred_lft(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct addr_line *a = out;
	const char *next = conf_words_peek(w);
	uint64_t n = UINT32_MAX;
	int err = 0;

	(void)o;
	if (next && !strcmp(next, "forever"))
		conf_words_next(w);
	else
		err = conf_words_number(w, 0, UINT32_MAX, &n);
	if (err)
		return err;
	a->v.preferred_lft = (uint32_t)n;
	a->v.flags |= CONF_VIP_PREFERRED_LFT;
	return 0;
}

static int set_flag(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct addr_line *a = out;

	(void)w;
	a->v.flags |= (uint16_t)o->arg;
	return 0;
}

static int set_use_vmac(struct conf_words *w, void *out, const struct conf_option *o)
{
	if (w->x->is_static) {
		conf_words_warn(w, "use_vmac is ignored: a static address belongs to no virtual router");
		return 0;
	}
	return set_flag(w, out, o);
}

static int set_track_group(struct conf_words *w, void *out, const struct conf_option *o)
{
	struct addr_line *a = out;
	const char *text;
	int err = conf_words_text(w, &text);

	(void)o;
	if (!err && w->x->is_static)
		a->v.track_group = text;
	else if (!err)
		conf_words_warn(w, "track_group is ignored: it is for static_ipaddress only");
	return err;
}

static const struct conf_option options[] = {
	{ "dev", set_dev, 0 },
	{ "brd", set_brd, 0 },
	{ "broadcast", set_brd, 0 },
	{ "scope", set_scope, 0 },
	{ "label", set_label, 0 },
	{ "peer", set_peer, 0 },
	{ "home", set_flag, CONF_VIP_HOME },
	{ "-nodad", set_flag, CONF_VIP_DAD },
	{ "mngtmpaddr", set_flag, CONF_VIP_MNGTMPADDR },
	{ "noprefixroute", set_flag, CONF_VIP_NOPREFIXROUTE },
	{ "autojoin", set_flag, CONF_VIP_AUTOJOIN },
	{ "preferred_lft", set_preferred_lft, 0 },
	{ "no_track", set_flag, CONF_VIP_NO_TRACK },
	{ "use_vmac", set_use_vmac, CONF_VIP_USE_VMAC },
	{ "track_group", set_track_group, 0 },
};

/* ---- the end of the line ---- */

/* `peer` replaces the prefix length and has no broadcast address. */
static int finish_peer(struct conf_words *w, struct addr_line *a)
{
	if (!a->v.peer.family)
		return 0;
	if (a->v.peer.family != a->v.addr.family)
		return conf_words_warn(w, "peer is IPv%u but the address is IPv%u; the line is dropped",
				       a->v.peer.family, a->v.addr.family);
	a->v.plen = a->peer_plen;
	if (a->how != BRD_NONE)
		conf_words_warn(w, "brd is ignored: an address with a peer has no broadcast address");
	a->how = BRD_NONE;
	return 0;
}

static int finish_brd(struct conf_words *w, struct addr_line *a)
{
	if (a->how == BRD_NONE)
		return 0;
	if (a->v.addr.family == 6)
		return conf_words_warn(w, "IPv6 has no broadcast; the line is dropped, take brd away");
	if (a->how == BRD_ADDR) {
		if (a->brd.family != 4)
			return conf_words_warn(w, "brd is no IPv4 address; the line is dropped");
		a->v.brd = a->brd;
		return 0;
	}
	if (a->v.plen > 30) {
		conf_words_warn(w, "brd %c is ignored: /%u leaves no broadcast address; use /30 or shorter",
				a->how == BRD_ONES ? '+' : '-', a->v.plen);
		return 0;
	}
	a->v.brd = a->v.addr;
	for (unsigned int bit = a->v.plen; bit < 32; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		a->v.brd.b[bit / 8] =
			(uint8_t)(a->how == BRD_ONES ? a->v.brd.b[bit / 8] | mask : a->v.brd.b[bit / 8] & ~mask);
	}
	return 0;
}

/* What the family has no use for. */
static void finish_family(struct conf_words *w, struct addr_line *a)
{
	static const struct {
		uint16_t flag;
		const char *word;
	} v6_only[] = {
		{ CONF_VIP_HOME, "home" },
		{ CONF_VIP_DAD, "-nodad" },
		{ CONF_VIP_MNGTMPADDR, "mngtmpaddr" },
	};

	if (a->v.addr.family == 4) {
		for (size_t i = 0; i < sizeof(v6_only) / sizeof(v6_only[0]); i++)
			if (a->v.flags & v6_only[i].flag)
				conf_words_warn(w, "%s is ignored: it is for IPv6 addresses only", v6_only[i].word);
		a->v.flags &= (uint16_t) ~(CONF_VIP_HOME | CONF_VIP_DAD | CONF_VIP_MNGTMPADDR);
		if (!(a->v.flags & CONF_VIP_SCOPE) && a->v.addr.b[0] == 127)
			a->v.scope = RT_SCOPE_HOST;
		return;
	}
	if (a->v.flags & CONF_VIP_SCOPE)
		conf_words_warn(w, "scope is ignored: the kernel derives it from an IPv6 address");
	if (a->v.label[0])
		conf_words_warn(w, "label \"%s\" is ignored: IPv6 addresses have none", a->v.label);
	a->v.flags &= (uint16_t)~CONF_VIP_SCOPE;
	a->v.scope = RT_SCOPE_UNIVERSE;
	a->v.label[0] = '\0';
}

int conf_addr_line(struct conf_line_ctx *x, const struct conf_line *l, struct conf_vip *out)
{
	struct conf_words w = { .x = x, .l = l };
	struct addr_line a = { .v = { .preferred_lft = UINT32_MAX, .line = l->line } };
	const struct conf_option *o;
	const char *word;
	int err = 0;

	while (!err && (word = conf_words_next(&w))) {
		o = conf_words_option(options, sizeof(options) / sizeof(options[0]), word);
		if (o)
			err = o->set(&w, &a, o);
		else if (!a.v.addr.family)
			err = parse_address(&w, &a, word);
		else
			conf_words_warn(&w, "\"%.60s\" is not an option of an address and is ignored", word);
	}
	w.at = 0;
	if (!err && !a.v.addr.family)
		err = conf_words_warn(&w, "there is no address on this line; it is dropped");
	if (!err)
		err = finish_peer(&w, &a);
	if (!err)
		err = finish_brd(&w, &a);
	if (err)
		return err;
	finish_family(&w, &a);
	*out = a.v;
	return 0;
}

/* ---- printing ---- */

static void print_scope(FILE *f, uint8_t scope)
{
	switch (scope) {
	case RT_SCOPE_UNIVERSE:
		fputs(" scope global", f);
		break;
	case RT_SCOPE_SITE:
		fputs(" scope site", f);
		break;
	case RT_SCOPE_LINK:
		fputs(" scope link", f);
		break;
	case RT_SCOPE_HOST:
		fputs(" scope host", f);
		break;
	default:
		fprintf(f, " scope %u", scope);
	}
}

static void print_head(FILE *f, const struct conf_vip *v)
{
	char text[46];

	if (!v->peer.family) {
		fprintf(f, "%s/%u", conf_addr_str(&v->addr, text, sizeof(text)), v->plen);
	} else {
		fprintf(f, "%s", conf_addr_str(&v->addr, text, sizeof(text)));
		fprintf(f, " peer %s/%u", conf_addr_str(&v->peer, text, sizeof(text)), v->plen);
	}
	if (v->brd.family)
		fprintf(f, " brd %s", conf_addr_str(&v->brd, text, sizeof(text)));
}

char *conf_addr_text(const struct conf_vip *v, const char *default_dev)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool bad;

	if (!f)
		return NULL;
	print_head(f, v);
	if (v->dev[0] && (!default_dev || strcmp(v->dev, default_dev) != 0))
		conf_words_print(f, "dev", v->dev);
	if (v->flags & CONF_VIP_SCOPE)
		print_scope(f, v->scope);
	if (v->label[0])
		conf_words_print(f, "label", v->label);
	if (v->flags & CONF_VIP_PREFERRED_LFT && v->preferred_lft == UINT32_MAX)
		fputs(" preferred_lft forever", f);
	else if (v->flags & CONF_VIP_PREFERRED_LFT)
		fprintf(f, " preferred_lft %u", v->preferred_lft);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (v->flags & options[i].arg)
			fprintf(f, " %s", options[i].word);
	if (v->track_group)
		conf_words_print(f, "track_group", v->track_group);
	bad = ferror(f);
	if (fclose(f) || bad) {
		free(text);
		return NULL;
	}
	return text;
}
