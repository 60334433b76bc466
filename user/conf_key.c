// SPDX-License-Identifier: GPL-2.0-or-later
/* Values, and the setters that rows of the keyword tables name. */
#include "conf_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- messages ---- */

void conf_tell(struct conf_parser *p, enum conf_severity sev, const struct conf_line *l, size_t i, const char *fmt, ...)
{
	struct conf_at at = conf_line_at(l, i);
	char text[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	conf_say(p->diag, sev, &at, "%s", text);
}

/* Word 1 is no good: @why says how, the row what follows from it. What is a number at least needs no quotes. */
static void bad_value(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l, const char *why)
{
	const char *q = strncmp(why, "is outside", 10) != 0 ? "\"" : "";

	if (k->fallback)
		CONF_TELL_WARN(p, l, 1, "%s %s%.60s%s %s; %s, write %s", k->word, q, l->word[1], q, why, k->fallback,
			       k->what ? k->what : "on or off");
	else
		CONF_TELL_ERROR(p, l, 1, "%s %s%.60s%s %s; write %s", k->word, q, l->word[1], q, why, k->what);
	if (k->reported)
		conf_cur_inst(p)->reported |= k->reported;
}

/* ---- values ---- */

bool conf_parse_number(const char *s, uint64_t *out)
{
	s += strspn(s, " \t");
	s += *s == '+';
	if (!*s || strlen(s) > 18)
		return false;
	for (*out = 0; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		*out = *out * 10 + (uint64_t)(*s - '0');
	}
	return true;
}

bool conf_parse_signed(const char *s, int64_t *out)
{
	uint64_t n;
	bool minus;

	s += strspn(s, " \t");
	minus = *s == '-';
	if (minus && (s[1] < '0' || s[1] > '9'))
		return false;
	if (!conf_parse_number(s + minus, &n))
		return false;
	*out = minus ? -(int64_t)n : (int64_t)n;
	return true;
}

static bool parse_seconds(const char *s, size_t places, uint64_t *ns)
{
	char whole[24];
	const char *dot;
	uint64_t sec = 0, frac = 0, unit = CONF_SEC_NS;
	size_t n;

	s += strspn(s, " \t");
	dot = strchr(s, '.');
	n = dot ? (size_t)(dot - s) : strlen(s);
	if (n >= sizeof(whole) || (n == 0 && !dot))
		return false;
	memcpy(whole, s, n);
	whole[n] = '\0';
	if (n && !conf_parse_number(whole, &sec))
		return false;
	if (dot) {
		n = strlen(dot + 1);
		if (n < 1 || n > places || dot[1] < '0' || dot[1] > '9' || !conf_parse_number(dot + 1, &frac))
			return false;
		while (n--)
			unit /= 10;
	}
	if (sec > 1000000000)
		return false;
	*ns = sec * CONF_SEC_NS + frac * unit;
	return true;
}

bool conf_parse_seconds(const char *s, uint64_t *ns)
{
	return parse_seconds(s, 6, ns);
}

int conf_parse_bool(const char *s)
{
	static const char *const yes[] = { "on", "true", "yes" }, *const no[] = { "off", "false", "no" };

	for (size_t i = 0; i < CONF_LEN(yes); i++) {
		if (!strcmp(s, yes[i]))
			return 1;
		if (!strcmp(s, no[i]))
			return 0;
	}
	return -1;
}

bool conf_good_ifname(const char *s)
{
	size_t len = strlen(s);

	return len && len < CONF_IFNAME_MAX && !strpbrk(s, "/ \t") && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

/* Adverts are for the link; in IPv6 the address itself says so (RFC 9568 5.1.2.2). */
bool conf_good_group(const struct conf_addr *a)
{
	return a->family == 4 ? a->b[0] >> 4 == 14 : a->b[0] == 0xff && (a->b[1] & 0xf) == 2;
}

/* ---- where values go ---- */

struct conf_vr *conf_cur_vr(const struct conf_parser *p)
{
	return &p->conf->vrs[p->conf->nvrs - 1];
}

struct conf_inst *conf_cur_inst(const struct conf_parser *p)
{
	return &p->insts[p->conf->nvrs - 1];
}

struct conf_group *conf_cur_group(const struct conf_parser *p)
{
	return &p->conf->groups[p->conf->ngroups - 1];
}

/* struct conf_common comes first in both, so that its rows fit both. */
struct conf_val *conf_note(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	bool global = p->stack[p->depth - 1].ctx == CONF_CTX_GLOBAL || p->stack[p->depth - 1].ctx == CONF_CTX_ROOT;
	struct conf_val *v = (struct conf_val *)((global ? (char *)&p->defs : (char *)conf_cur_inst(p)) + k->off);

	v->set = true;
	v->at = conf_line_at(l, 0);
	return v;
}

void *conf_field(const struct conf_parser *p, const struct conf_key *k)
{
	struct conf *c = p->conf;
	char *base = (char *)&c->globals;

	switch (p->stack[p->depth - 1].ctx) {
	case CONF_CTX_INSTANCE:
		base = (char *)conf_cur_vr(p);
		break;
	case CONF_CTX_GROUP:
		base = (char *)conf_cur_group(p);
		break;
	case CONF_CTX_SCRIPT:
		base = (char *)&c->scripts[c->nscripts - 1];
		break;
	case CONF_CTX_FILE:
		base = (char *)&c->track_files[c->ntrack_files - 1];
		break;
	case CONF_CTX_PROCESS:
		base = (char *)&c->processes[c->nprocesses - 1];
		break;
	case CONF_CTX_GARP_GROUP:
		base = (char *)&c->garp_groups[c->ngarp_groups - 1];
		break;
	default: /* the root's own words and global_defs */
		break;
	}
	return base + k->off;
}

const char *conf_keep(struct conf_parser *p, const char *text)
{
	const char *s = conf_string(p->conf, text);

	if (!s)
		p->oom = true;
	return s;
}

struct conf_line_ctx conf_line_ctx(struct conf_parser *p, bool is_static)
{
	const char *name = "global_defs";

	if (is_static)
		name = p->stack[p->depth - 1].word;
	else if (p->stack[1].ctx == CONF_CTX_INSTANCE)
		name = conf_cur_vr(p)->name;
	else if (p->stack[1].ctx == CONF_CTX_GROUP)
		name = conf_cur_group(p)->name;
	else if (p->stack[1].ctx == CONF_CTX_SCRIPT)
		name = p->conf->scripts[p->conf->nscripts - 1].name;
	snprintf(p->who, sizeof(p->who), "%.80s", name);
	return (struct conf_line_ctx){ p->conf, p->io, p->diag, p->who, is_static };
}

/* ---- numbers and seconds ---- */

bool conf_take_number(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l, uint64_t *out)
{
	char why[64];

	if (!conf_parse_number(l->word[1], out)) {
		bad_value(p, k, l, "is not a whole number");
		return false;
	}
	if (*out >= k->min && *out <= k->max)
		return true;
	snprintf(why, sizeof(why), "is outside %llu-%llu", (unsigned long long)k->min, (unsigned long long)k->max);
	bad_value(p, k, l, why);
	return false;
}

static bool take_seconds(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l, size_t places,
			 uint64_t *out)
{
	if (!parse_seconds(l->word[1], places, out)) {
		bad_value(p, k, l, "is not a number of seconds");
		return false;
	}
	if (*out >= k->min && *out <= k->max)
		return true;
	bad_value(p, k, l, "is outside the legal range");
	return false;
}

bool conf_take_seconds(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l, uint64_t *out)
{
	return take_seconds(p, k, l, 6, out);
}

/* keepalived moves the value into its range and runs; what is no number has no effect. */
static bool take_clamped(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l, uint64_t *out)
{
	uint64_t n;

	if (!conf_parse_number(l->word[1], &n)) {
		CONF_TELL_WARN(p, l, 1, "%s \"%.60s\" is not a whole number; the line is ignored, write %s", k->word,
			       l->word[1], k->what);
		return false;
	}
	*out = n < k->min ? k->min : n > k->max ? k->max : n;
	if (*out != n)
		CONF_TELL_WARN(p, l, 1, "%s %.60s is outside %llu-%llu; %llu is used, write %s", k->word, l->word[1],
			       (unsigned long long)k->min, (unsigned long long)k->max, (unsigned long long)*out,
			       k->what);
	return true;
}

void conf_note_number(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	uint64_t n;

	if (conf_take_number(p, k, l, &n))
		conf_note(p, k, l)->v = n;
}

void conf_note_clamped(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	uint64_t n;

	if (take_clamped(p, k, l, &n))
		conf_note(p, k, l)->v = n;
}

void conf_note_seconds(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	uint64_t ns;

	if (conf_take_seconds(p, k, l, &ns))
		conf_note(p, k, l)->v = ns;
}

void conf_put_uint(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	uint64_t n;

	if (take_clamped(p, k, l, &n))
		*(unsigned int *)conf_field(p, k) = (unsigned int)n;
}

void conf_put_seconds(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	uint64_t ns;

	if (conf_take_seconds(p, k, l, &ns))
		*(uint64_t *)conf_field(p, k) = ns;
}

/* ---- yes and no ---- */

/* Our own words need not stop at keepalived's microsecond. */
void conf_note_fine_seconds(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	uint64_t ns;

	if (take_seconds(p, k, l, 9, &ns))
		conf_note(p, k, l)->v = ns;
}

void conf_note_flag(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	conf_note(p, k, l)->v = k->max;
}

/* Without a value, the keyword means yes. -1: said. */
static int take_bool(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	int yes = l->nwords == 1 ? 1 : conf_parse_bool(l->word[1]);

	if (yes < 0)
		CONF_TELL_WARN(p, l, 1, "%s \"%.60s\" is not understood; the line is ignored, write on or off", k->word,
			       l->word[1]);
	return yes;
}

void conf_note_bool(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	int yes = take_bool(p, k, l);

	if (yes >= 0)
		conf_note(p, k, l)->v = (uint64_t)yes;
}

void conf_put_bool(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	int yes = take_bool(p, k, l);

	if (yes >= 0)
		*(bool *)conf_field(p, k) = yes;
}

void conf_put_yes(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	(void)l;
	*(bool *)conf_field(p, k) = true;
}

/* "[all] SECONDS" (spec 2.2) */
void conf_note_extra_if(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	static const struct conf_key sec = { .off = CONF_COMMON(extra_if) }, all = { .off = CONF_COMMON(extra_all) };
	bool every = !strcmp(l->word[1], "all");
	uint64_t n;

	if (every && l->nwords < 3) {
		CONF_TELL_ERROR(p, l, 1, "%s has no value; it takes %s", k->word, k->what);
	} else if (!conf_parse_number(l->word[1 + every], &n) || n > 86400) {
		CONF_TELL_WARN(p, l, 1 + every,
			       "%s \"%.60s\" is not a number from 1 to 86400, or 0 for off; the line is ignored",
			       k->word, l->word[1 + every]);
	} else {
		conf_note(p, &sec, l)->v = n * CONF_SEC_NS;
		conf_note(p, &all, l)->v = every;
	}
}

/* Our own word. */
void conf_put_mode(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	static const struct {
		const char *word;
		enum conf_mode mode;
	} modes[] = { { "auto", CONF_MODE_AUTO }, { "native", CONF_MODE_NATIVE }, { "skb", CONF_MODE_SKB } };

	(void)k;
	for (size_t i = 0; i < CONF_LEN(modes); i++)
		if (!strcmp(l->word[1], modes[i].word)) {
			p->conf->mode = modes[i].mode;
			return;
		}
	CONF_TELL_ERROR(p, l, 1, "xdp_mode \"%.60s\" is not known; write native, skb or auto", l->word[1]);
}

/* ---- text and commands ---- */

void conf_put_text(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	*(const char **)conf_field(p, k) = conf_keep(p, l->word[1]);
}

/* All the words after the keyword, as one text. */
void conf_put_cpus(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	size_t len = 1;
	uint64_t cpu;
	char *text;

	for (size_t i = 1; i < l->nwords; i++) {
		if (!conf_parse_number(l->word[i], &cpu)) {
			CONF_TELL_WARN(p, l, i, "%s \"%.60s\" is not the number of a CPU; the line is ignored", k->word,
				       l->word[i]);
			return;
		}
		len += strlen(l->word[i]) + 1;
	}
	text = conf_alloc(p->conf, len);
	if (!text) {
		p->oom = true;
		return;
	}
	*(const char **)conf_field(p, k) = text;
	for (size_t i = 1; i < l->nwords; i++)
		text += sprintf(text, "%s%s", i > 1 ? " " : "", l->word[i]);
}

/* No user or group has such a name, and it could not be printed so that it reads the same again. */
static bool odd_name(const char *name)
{
	return name && (!*name || strpbrk(name, "\\'\""));
}

/* @k->min: a user may follow; @k->max: the first one stays (spec 1.4). */
void conf_put_cmd(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	struct conf_line_ctx x = conf_line_ctx(p, false);
	struct conf_cmd *out = conf_field(p, k), cmd = { 0 };
	int err;

	if (k->max && out->argv) {
		CONF_TELL_WARN(p, l, 0, "%s is there already and the first one stays; remove this line", k->word);
		return;
	}
	err = conf_cmd_line(&x, l, k->min, &cmd);
	if (err < 0)
		p->oom = true;
	else if (!err && (odd_name(cmd.user) || odd_name(cmd.group)))
		CONF_TELL_WARN(
			p, l, 0,
			"the user or group after %s is no name; the command is dropped, put it and its arguments "
			"into one pair of quotes",
			k->word);
	else if (!err)
		*out = cmd;
}

/* ---- what has no place in the tree ---- */

void conf_skip_block(struct conf_parser *p, const struct conf_line *l)
{
	snprintf(p->unknown, sizeof(p->unknown), "%.63s", l->word[0]);
	p->unknown_said = true;
	p->unknown_at = conf_line_at(l, 0);
}

void conf_not_done(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	CONF_TELL_WARN(p, l, 0, "\"%s\" is read but not carried out: %s", k->word, k->fallback);
	conf_skip_block(p, l);
}

void conf_no_effect(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l)
{
	(void)k;
	conf_skip_block(p, l);
}

static void ignore_addr(void *arg, const struct conf_addr *x, uint8_t plen)
{
	(void)arg;
	(void)x;
	(void)plen;
}

void conf_need_iface(struct conf_parser *p, const char *ifname, const char *what, const struct conf_at *at)
{
	bool fresh;
	size_t *missing;
	struct conf_missing *list;

	if (!ifname[0] || !p->io->iface)
		return;
	missing = conf_map_put(&p->map, CONF_MAP_IFACE, 0, ifname, strlen(ifname), &fresh);
	if (!missing) {
		p->oom = true;
		return;
	}
	if (fresh)
		*missing = p->io->iface(p->io->arg, ifname, ignore_addr, NULL) != 0;
	if (!*missing)
		return;
	list = conf_grow(p, p->missing, p->nmissing, sizeof(*list));
	if (!list)
		return;
	p->missing = list;
	list[p->nmissing++] = (struct conf_missing){ conf_keep(p, ifname), what, *at };
}
