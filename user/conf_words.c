// SPDX-License-Identifier: GPL-2.0-or-later
#include "conf_words.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What iproute2 knows without its files. */
static const struct {
	enum conf_names kind;
	const char *name;
	uint32_t id;
} builtin[] = {
	{ CONF_NAMES_TABLES, "unspec", RT_TABLE_UNSPEC },
	{ CONF_NAMES_TABLES, "default", RT_TABLE_DEFAULT },
	{ CONF_NAMES_TABLES, "main", RT_TABLE_MAIN },
	{ CONF_NAMES_TABLES, "local", RT_TABLE_LOCAL },
	{ CONF_NAMES_PROTOS, "unspec", RTPROT_UNSPEC },
	{ CONF_NAMES_PROTOS, "redirect", RTPROT_REDIRECT },
	{ CONF_NAMES_PROTOS, "kernel", RTPROT_KERNEL },
	{ CONF_NAMES_PROTOS, "boot", RTPROT_BOOT },
	{ CONF_NAMES_PROTOS, "static", RTPROT_STATIC },
	{ CONF_NAMES_PROTOS, "ra", RTPROT_RA },
	{ CONF_NAMES_PROTOS, "dhcp", RTPROT_DHCP },
	{ CONF_NAMES_PROTOS, "keepalived", RTPROT_KEEPALIVED },
	{ CONF_NAMES_PROTOS, "bgp", RTPROT_BGP },
	{ CONF_NAMES_PROTOS, "isis", RTPROT_ISIS },
	{ CONF_NAMES_PROTOS, "ospf", RTPROT_OSPF },
	{ CONF_NAMES_PROTOS, "rip", RTPROT_RIP },
	{ CONF_NAMES_PROTOS, "eigrp", RTPROT_EIGRP },
	{ CONF_NAMES_SCOPES, "global", RT_SCOPE_UNIVERSE },
	{ CONF_NAMES_SCOPES, "universe", RT_SCOPE_UNIVERSE },
	{ CONF_NAMES_SCOPES, "site", RT_SCOPE_SITE },
	{ CONF_NAMES_SCOPES, "link", RT_SCOPE_LINK },
	{ CONF_NAMES_SCOPES, "host", RT_SCOPE_HOST },
	{ CONF_NAMES_SCOPES, "nowhere", RT_SCOPE_NOWHERE },
	{ CONF_NAMES_REALMS, "cosmos", 0 },
	{ CONF_NAMES_REALMS, "unknown", 0 },
	{ CONF_NAMES_DSFIELDS, "default", 0 },
	{ CONF_NAMES_GROUPS, "default", 0 },
};

/* The file that a name is looked for in, for messages. */
static const char *const names_file[] = {
	[CONF_NAMES_TABLES] = "rt_tables", [CONF_NAMES_PROTOS] = "rt_protos",    [CONF_NAMES_SCOPES] = "rt_scopes",
	[CONF_NAMES_REALMS] = "rt_realms", [CONF_NAMES_DSFIELDS] = "rt_dsfield", [CONF_NAMES_GROUPS] = "group",
};

const char *conf_words_peek(const struct conf_words *w)
{
	return w->next < w->l->nwords ? w->l->word[w->next] : NULL;
}

const char *conf_words_next(struct conf_words *w)
{
	const char *word = conf_words_peek(w);

	if (word)
		w->at = w->next++;
	return word;
}

int conf_words_warn(const struct conf_words *w, const char *fmt, ...)
{
	struct conf_at at = conf_line_at(w->l, w->at);
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	conf_say(w->x->diag, CONF_WARN, &at, "%s: %s", w->x->owner, text);
	return 1;
}

const struct conf_option *conf_words_option(const struct conf_option *opts, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(opts[i].word, word))
			return &opts[i];
	return NULL;
}

bool conf_words_is_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 0);
	return !errno && !*end && *out <= max;
}

int conf_words_value(struct conf_words *w, const char **out)
{
	const char *option = w->l->word[w->at];

	*out = conf_words_next(w);
	return *out ? 0 : conf_words_warn(w, "%.60s has no value; the line is dropped, give it one", option);
}

int conf_words_number(struct conf_words *w, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *option = w->l->word[w->at], *text;
	int err = conf_words_value(w, &text);

	if (err)
		return err;
	if (!conf_words_is_number(text, max, out) || *out < min)
		return conf_words_warn(w, "%.60s \"%.60s\" is not a number from %llu to %llu; the line is dropped",
				       option, text, (unsigned long long)min, (unsigned long long)max);
	return 0;
}

static bool find_name(const struct conf_io *io, enum conf_names kind, const char *name, uint32_t max, uint32_t *out)
{
	for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++)
		if (builtin[i].kind == kind && !strcmp(builtin[i].name, name)) {
			*out = builtin[i].id;
			return true;
		}
	return io && io->name && !io->name(io->arg, kind, name, out) && *out <= max;
}

int conf_words_named(struct conf_words *w, enum conf_names kind, uint32_t max, uint32_t *out)
{
	const char *option = w->l->word[w->at], *text;
	int err = conf_words_value(w, &text);
	uint64_t n;

	if (err)
		return err;
	if (conf_words_is_number(text, max, &n)) {
		*out = (uint32_t)n;
		return 0;
	}
	if (find_name(w->x->io, kind, text, max, out))
		return 0;
	return conf_words_warn(
		w,
		"%.60s \"%.60s\" is neither a number from 0 to %u nor a name in iproute2's %s; the line is "
		"dropped",
		option, text, max, names_file[kind]);
}

int conf_words_dev(struct conf_words *w, char out[CONF_IFNAME_MAX])
{
	const char *text;
	size_t len;
	int err = conf_words_value(w, &text);

	if (err)
		return err;
	len = strlen(text);
	if (!len || len >= CONF_IFNAME_MAX || strchr(text, '/'))
		return conf_words_warn(
			w,
			"\"%.60s\" cannot be the name of an interface, which has 1 to %d characters and no "
			"\"/\"; the line is dropped",
			text, CONF_IFNAME_MAX - 1);
	memcpy(out, text, len + 1);
	return 0;
}

int conf_words_addr(struct conf_words *w, struct conf_addr *out)
{
	const char *option = w->l->word[w->at], *text;
	int err = conf_words_value(w, &text);

	if (err)
		return err;
	if (conf_parse_addr(text, out, NULL))
		return conf_words_warn(w, "%.60s \"%.60s\" is not an IP address; the line is dropped", option, text);
	return 0;
}

int conf_words_parse_prefix(const struct conf_words *w, const char *text, struct conf_addr *out, uint8_t *plen)
{
	memset(out, 0, sizeof(*out));
	*plen = 0;
	if (!strcmp(text, "default") || !strcmp(text, "any") || !strcmp(text, "all"))
		return 0;
	switch (conf_parse_addr(text, out, plen)) {
	case 0:
		return 0;
	case -ERANGE:
		return conf_words_warn(w, "\"%.60s\" has a wrong prefix length; the line is dropped, use %s", text,
				       strchr(text, ':') ? "/0 to /128" : "/0 to /32");
	default:
		return conf_words_warn(w,
				       "\"%.60s\" is neither an address with a prefix length nor a word that is known "
				       "here; the line is dropped",
				       text);
	}
}

int conf_words_prefix(struct conf_words *w, struct conf_addr *out, uint8_t *plen)
{
	const char *text;
	int err = conf_words_value(w, &text);

	return err ? err : conf_words_parse_prefix(w, text, out, plen);
}

int conf_words_text(struct conf_words *w, const char **out)
{
	const char *text;
	int err = conf_words_value(w, &text);

	if (err)
		return err;
	*out = conf_string(w->x->conf, text);
	return *out ? 0 : -ENOMEM;
}

int conf_words_range(struct conf_words *w, uint64_t max, uint64_t *lo, uint64_t *hi)
{
	const char *option = w->l->word[w->at], *text, *dash;
	int err = conf_words_value(w, &text);
	char first[24];

	if (err)
		return err;
	dash = strchr(text, '-');
	snprintf(first, sizeof(first), "%.*s", dash ? (int)(dash - text < 23 ? dash - text : 23) : 23, text);
	if (conf_words_is_number(first, max, lo) && conf_words_is_number(dash ? dash + 1 : first, max, hi) &&
	    *lo <= *hi)
		return 0;
	return conf_words_warn(w, "%.60s \"%.60s\" is not a range such as 1000-2000, up to %llu; the line is dropped",
			       option, text, (unsigned long long)max);
}

int conf_words_realms(struct conf_words *w, uint32_t *out)
{
	enum { REALM_MAX = 65535 };
	const char *text, *slash;
	int err = conf_words_value(w, &text);
	char part[64];

	if (err)
		return err;
	slash = strchr(text, '/');
	*out = 0;
	for (const char *p = text; p; p = p == text && slash ? slash + 1 : NULL) {
		uint32_t id = 0;
		uint64_t n;

		snprintf(part, sizeof(part), "%.*s", slash && p == text ? (int)(slash - text) : 63, p);
		if (conf_words_is_number(part, REALM_MAX, &n))
			id = (uint32_t)n;
		else if (!find_name(w->x->io, CONF_NAMES_REALMS, part, REALM_MAX, &id))
			return conf_words_warn(
				w,
				"realm \"%.60s\" is neither a number from 0 to %d nor a name in iproute2's "
				"rt_realms; the line is dropped",
				part, REALM_MAX);
		*out = *out << 16 | id;
	}
	return 0;
}

void conf_words_print(FILE *f, const char *keyword, const char *word)
{
	const char *q = !*word || strpbrk(word, " \t#!{}") ? "\"" : "";

	fprintf(f, " %s %s%s%s", keyword, q, word, q);
}
