// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keepalived.conf bytes -> logical lines of words.
 *
 * A physical line goes through lex_text(), which goes round until nothing is left to expand:
 *
 *   comment off -> @condition -> $NAME= definition -> ~SEQ and ~LST -> $ substitution -> include -> braces -> words
 *
 * Everything that can multiply (definitions, ~SEQ, include) is bounded by counters in struct lexer; going over one of
 * them is a single error that stops the whole reading, because what follows could only be guessed.
 */
#include "conf_lex.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LEX_LINE_MAX = 1022,          /* keepalived's own limit for one line of a file */
	LEX_EXPANDED_MAX = 16 * 1024, /* one line after $ substitution */
	LEX_SUBST_MAX = 1000,         /* substitutions in one line; more is a definition that uses itself */
	LEX_DEPTH_MAX = 64,           /* definitions and ~SEQ inside each other */
	LEX_INCLUDE_MAX = 32,         /* files inside each other */
	LEX_FILES_MAX = 4096,         /* files in all */
	LEX_BRACES_MAX = 256,         /* alternatives of one includeb pattern */
	LEX_DEFS_MAX = 65536,         /* $NAME= definitions */
	LEX_BUCKETS = 4096,
	LEX_LST_VARS = 16,    /* variables of one ~LST */
	LEX_ERRORS_MAX = 100, /* then it is not a configuration file, or one needs to be fixed first */
	LEX_WARNINGS_MAX = 1000,
	LEX_STEPS_MAX = 3000000, /* expansions in all: ~SEQ can make 65,000 instances with them, and no more */
	LEX_BYTES_MAX = 512 * 1024 * 1024, /* bytes that expansions move */
};

/* ${_HASH} and ${_BANG} travel as these until the words are cut, else they would start a comment. */
#define LEX_HASH '\001'
#define LEX_BANG '\002'

struct def {
	struct def *next;
	char *name;
	char *value; /* lines separated by \n */
};

struct lexer {
	struct conf *conf;
	const struct conf_io *io;
	struct conf_diag *diag;
	conf_line_fn fn;
	void *arg;

	const char *file; /* being read; owned by conf */
	int line;
	int col; /* of what is worked on, for messages; 0: unknown */
	unsigned int include_depth;
	unsigned int nreads;
	bool stop; /* a message said why, or err is set */
	int err;

	size_t steps, bytes;
	uint64_t random;
	struct def **defs; /* LEX_BUCKETS hash chains */
	size_t ndefs;

	/* a multi-line definition being collected */
	bool cont;
	char *cont_name; /* NULL: it is to be forgotten, its @condition was false */
	char *cont_value;
	size_t cont_len, cont_cap;

	/* scratch of emit_words() */
	char *raw, *text;
	char **words;
	int *cols;
	size_t cap;
};

/*
 * The text of one line on its way through the rounds, and how much of it still stands where the file has it: @buf[0] is in column @col, and
 * bytes up to @known have kept their places. What comes out of a definition has no column.
 */
struct text {
	char *buf;
	int col;
	size_t known;
};

/* A piece of a string, not NUL terminated. */
struct slice {
	const char *p;
	size_t len;
};

/* ---- messages ---- */

static void vsay(struct conf_diag *d, enum conf_severity sev, const struct conf_at *at, const char *fmt, va_list ap)
{
	char text[640];

	int *count = sev == CONF_ERROR ? &d->errors : &d->warnings;
	int max = sev == CONF_ERROR ? LEX_ERRORS_MAX : LEX_WARNINGS_MAX;

	if (*count > max)
		return;
	if (++*count > max)
		snprintf(text, sizeof(text), "%d %s so far, the rest is not shown; correct these first", max,
			 sev == CONF_ERROR ? "errors" : "warnings");
	else
		vsnprintf(text, sizeof(text), fmt, ap);
	if (d->msg)
		d->msg(d->arg, sev, at, text);
}

void conf_say(struct conf_diag *d, enum conf_severity sev, const struct conf_at *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(d, sev, at, fmt, ap);
	va_end(ap);
}

struct conf_at conf_line_at(const struct conf_line *l, size_t i)
{
	return (struct conf_at){ l->file, l->line, i < l->nwords ? l->cols[i] : l->col };
}

static void say(struct lexer *lx, enum conf_severity sev, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void stop(struct lexer *lx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct lexer *lx, enum conf_severity sev, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(lx->diag, sev, &(struct conf_at){ lx->file, lx->line, lx->col }, fmt, ap);
	va_end(ap);
}

/* The last message: nothing after it can be trusted. */
static void stop(struct lexer *lx, const char *fmt, ...)
{
	va_list ap;

	if (lx->stop)
		return;
	va_start(ap, fmt);
	vsay(lx->diag, CONF_ERROR, &(struct conf_at){ lx->file, lx->line, lx->col }, fmt, ap);
	va_end(ap);
	lx->stop = true;
	lx->err = -ECANCELED;
}

/* Past the limit, reading on would change nothing that anybody sees. */
static void too_many_errors(struct lexer *lx)
{
	if (lx->diag->errors <= LEX_ERRORS_MAX)
		return;
	lx->stop = true;
	lx->err = -ECANCELED;
}

static void no_memory(struct lexer *lx)
{
	lx->stop = true;
	lx->err = -ENOMEM;
}

/* Pays for one expansion of @bytes. */
static bool spend(struct lexer *lx, size_t bytes)
{
	lx->bytes += bytes;
	if (++lx->steps <= LEX_STEPS_MAX && lx->bytes <= LEX_BYTES_MAX)
		return true;
	stop(lx, "definitions and ~SEQ need more than %d steps or %d MiB; look for a loop or use fewer values",
	     LEX_STEPS_MAX, LEX_BYTES_MAX >> 20);
	return false;
}

/* ---- characters ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_name(char c, bool first)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static size_t name_len(const char *s)
{
	size_t n = 0;

	while (is_name(s[n], n == 0))
		n++;
	return n;
}

static struct slice trim(const char *p, size_t len)
{
	while (len && is_blank(*p)) {
		p++;
		len--;
	}
	while (len && is_blank(p[len - 1]))
		len--;
	return (struct slice){ p, len };
}

static bool slice_is(struct slice s, const char *word)
{
	return strlen(word) == s.len && memcmp(s.p, word, s.len) == 0;
}

static char *copy(struct lexer *lx, const char *p, size_t len)
{
	char *s = calloc(len + 1, 1);

	if (!s) {
		no_memory(lx);
		return NULL;
	}
	memcpy(s, p, len);
	return s;
}

/* Takes blanks and the comment off @s, in place; returns where it starts. */
static char *clean(char *s)
{
	bool quoted = false;
	char *end;

	while (is_blank(*s))
		s++;
	for (end = s; *end; end++) {
		if (*end == '"')
			quoted = !quoted;
		else if (!quoted && (*end == '#' || *end == '!'))
			break;
	}
	while (end > s && is_blank(end[-1]))
		end--;
	*end = '\0';
	return s;
}

/* ---- definitions ---- */

static struct def **def_slot(const struct lexer *lx, struct slice name)
{
	uint32_t h = 2166136261u;
	struct def **d;

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (uint8_t)name.p[i]) * 16777619u;
	for (d = &lx->defs[h % LEX_BUCKETS]; *d && !slice_is(name, (*d)->name); d = &(*d)->next)
		;
	return d;
}

static void def_del(struct lexer *lx, struct slice name)
{
	struct def **slot = def_slot(lx, name), *d = *slot;

	if (!d)
		return;
	*slot = d->next;
	free(d->name);
	free(d->value);
	free(d);
	lx->ndefs--;
}

static void def_set(struct lexer *lx, struct slice name, struct slice value)
{
	struct def **slot = def_slot(lx, name), *d = *slot;
	char *v = copy(lx, value.p, value.len);

	if (!v)
		return;
	if (d) {
		free(d->value);
		d->value = v;
		return;
	}
	if (lx->ndefs == LEX_DEFS_MAX) {
		free(v);
		stop(lx, "more than %d definitions; use fewer", LEX_DEFS_MAX);
		return;
	}
	d = calloc(1, sizeof(*d));
	if (!d || !(d->name = copy(lx, name.p, name.len))) {
		free(d);
		free(v);
		no_memory(lx);
		return;
	}
	d->value = v;
	*slot = d;
	lx->ndefs++;
}

/* "$NAME=" at @s: length of NAME, else 0. */
static size_t definition_name(const char *s)
{
	size_t n = *s == '$' ? name_len(s + 1) : 0;

	return n && s[n + 1] == '=' ? n : 0;
}

/* Ends with the backslash that continues a definition; cuts it off. */
static bool cut_backslash(char *s)
{
	size_t n = strlen(s);

	if (!n || s[n - 1] != '\\')
		return false;
	s[n - 1] = '\0';
	return true;
}

static void cont_add(struct lexer *lx, const char *p)
{
	struct slice s = trim(p, strlen(p));
	size_t need = lx->cont_len + s.len + 2;

	if (!s.len || !lx->cont_name)
		return;
	if (need > lx->cont_cap) {
		char *bigger = realloc(lx->cont_value, need * 2);

		if (!bigger) {
			no_memory(lx);
			return;
		}
		lx->cont_value = bigger;
		lx->cont_cap = need * 2;
	}
	if (lx->cont_len)
		lx->cont_value[lx->cont_len++] = '\n';
	memcpy(lx->cont_value + lx->cont_len, s.p, s.len);
	lx->cont_len += s.len;
}

static void cont_end(struct lexer *lx)
{
	if (lx->cont_name)
		def_set(lx, (struct slice){ lx->cont_name, strlen(lx->cont_name) },
			(struct slice){ lx->cont_value ? lx->cont_value : "", lx->cont_len });
	free(lx->cont_name);
	lx->cont_name = NULL;
	lx->cont_len = 0;
	lx->cont = false;
}

/* One more physical line of a multi-line definition; an empty one ends it, and so does a comment. */
static void cont_line(struct lexer *lx, const char *p, size_t len)
{
	char *buf = copy(lx, p, len), *s;
	bool more;

	if (!buf)
		return;
	s = clean(buf);
	more = cut_backslash(s);
	cont_add(lx, s);
	if (!more)
		cont_end(lx);
	free(buf);
}

/* @s is "$NAME=value"; only a line of a file (@depth 0) can go on with a backslash. */
static void define(struct lexer *lx, char *s, size_t nlen, unsigned int depth, bool keep)
{
	struct slice name = { s + 1, nlen };
	char *value = s + nlen + 2;

	if (depth == 0 && cut_backslash(value)) {
		lx->cont = true;
		lx->cont_name = keep ? copy(lx, name.p, name.len) : NULL;
		cont_add(lx, value);
	} else if (keep) {
		def_set(lx, name, trim(value, strlen(value)));
	}
}

/* ---- $ substitution ---- */

/* The same numbers on every read of the same file on the same host: a reload must not change the configuration. */
static uint64_t next_random(struct lexer *lx)
{
	lx->random ^= lx->random >> 12;
	lx->random ^= lx->random << 25;
	lx->random ^= lx->random >> 27;
	return lx->random * 2685821657736338717ull;
}

/* Decimal, or hexadecimal after 0x; strict. */
static bool parse_long(struct slice s, long *out)
{
	char buf[24], *digits, *end;
	bool hex;

	if (!s.len || s.len >= sizeof(buf))
		return false;
	memcpy(buf, s.p, s.len);
	buf[s.len] = '\0';
	digits = buf + (buf[0] == '-' || buf[0] == '+');
	hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	if (digits[0] < '0' || digits[0] > '9')
		return false;
	errno = 0;
	*out = strtol(buf, &end, hex ? 16 : 10);
	return !*end && !errno && *out >= -1000000000 && *out <= 1000000000;
}

static bool random_value(struct lexer *lx, struct slice args, char *out, size_t size)
{
	long lo = 0, hi = 32767;
	struct slice first = args, rest;
	size_t n = 0;

	while (n < args.len && !is_blank(args.p[n]))
		n++;
	first.len = n;
	rest = trim(args.p + n, args.len - n);
	if ((first.len && !parse_long(first, &lo)) || (rest.len && !parse_long(rest, &hi)) || lo < 0 || hi < lo)
		return false;
	snprintf(out, size, "%ld", lo + (long)(next_random(lx) % (uint64_t)(hi - lo + 1)));
	return true;
}

static void env_value(struct lexer *lx, struct slice name, char *out, size_t size)
{
	const char *v;

	snprintf(out, size, "%.*s", (int)name.len, name.p);
	v = lx->io->env ? lx->io->env(lx->io->arg, out) : NULL;
	out[0] = '\0';
	if (!v) {
		say(lx, CONF_WARN, "${_ENV %.*s} is empty because that environment variable is not set", (int)name.len,
		    name.p);
		return;
	}
	for (size_t i = 0; v[i]; i++)
		if (i + 1 >= size || ((uint8_t)v[i] < 0x20 && v[i] != '\t')) {
			say(lx, CONF_WARN,
			    "${_ENV %.*s} is empty because its value is not one line of at most %d characters",
			    (int)name.len, name.p, LEX_LINE_MAX);
			return;
		}
	snprintf(out, size, "%s", v);
}

static struct slice folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return (struct slice){ ".", 1 };
	return (struct slice){ path, slash == path ? 1 : (size_t)(slash - path) };
}

/* Value of a reference; false: not defined, leave it in the text. @tmp backs values that are made up here. */
static bool lookup(struct lexer *lx, struct slice name, struct slice args, struct slice *value, char *tmp, size_t size)
{
	const struct def *d;
	const char *s = tmp;

	if (slice_is(name, "_PWD")) {
		*value = folder_of(lx->file);
		return true;
	}
	if (slice_is(name, "_INSTANCE")) {
		s = lx->io->config_id ? lx->io->config_id : "";
	} else if (slice_is(name, "_HASH")) {
		snprintf(tmp, size, "%c", LEX_HASH);
	} else if (slice_is(name, "_BANG")) {
		snprintf(tmp, size, "%c", LEX_BANG);
	} else if (slice_is(name, "_RANDOM")) {
		if (!random_value(lx, args, tmp, size))
			return false;
	} else if (slice_is(name, "_ENV")) {
		if (!args.len || args.len >= size)
			return false;
		env_value(lx, args, tmp, size);
	} else {
		d = args.len ? NULL : *def_slot(lx, name);
		if (!d)
			return false;
		s = d->value;
	}
	*value = (struct slice){ s, strlen(s) };
	return true;
}

/* Is @s, which points at a '$', a reference? Returns its length, else 0. */
static size_t reference(const char *s, struct slice *name, struct slice *args)
{
	bool braces = s[1] == '{';
	const char *p = s + 1 + braces, *end;

	name->p = p;
	name->len = name_len(p);
	args->p = p;
	args->len = 0;
	p += name->len;
	if (!name->len)
		return 0;
	if (!braces)
		return !*p || is_blank(*p) || *p == ',' || *p == ')' ? (size_t)(p - s) : 0;
	if (is_blank(*p)) {
		for (end = p; *end && *end != '}' && *end != '{' && *end != '"'; end++)
			;
		*args = trim(p, (size_t)(end - p));
		p = end;
	}
	return *p == '}' ? (size_t)(p + 1 - s) : 0;
}

/*
 * Replaces what is defined in @s, also inside the replacement. Returns a new string, or NULL when there was nothing to
 * do or lx->stop is set. A definition of several lines ends the work: its lines must be read one after the other.
 * @first: where the first replacement is; all before it is as in @s.
 */
static char *substitute(struct lexer *lx, const char *s, unsigned int *count, size_t *first)
{
	char tmp[LEX_LINE_MAX + 2], *cur = NULL, *next;
	size_t pos = 0, len, newlen;
	struct slice name, args, value;

	for (;;) {
		const char *in = cur ? cur : s, *dollar = strchr(in + pos, '$');

		if (!dollar)
			return cur;
		pos = (size_t)(dollar - in);
		len = reference(dollar, &name, &args);
		if (!len || !lookup(lx, name, args, &value, tmp, sizeof(tmp))) {
			pos++;
			continue;
		}
		newlen = strlen(in) - len + value.len;
		if (++*count > LEX_SUBST_MAX) {
			stop(lx, "\"$%.*s\" still needs substitution after %d rounds; it is probably defined by itself",
			     (int)name.len, name.p, LEX_SUBST_MAX);
			break;
		}
		if (newlen > LEX_EXPANDED_MAX && !memchr(value.p, '\n', value.len)) {
			stop(lx, "\"$%.*s\" makes this line longer than %d characters; shorten or split it",
			     (int)name.len, name.p, LEX_EXPANDED_MAX);
			break;
		}
		if (!spend(lx, newlen))
			break;
		next = malloc(newlen + 1);
		if (!next) {
			no_memory(lx);
			break;
		}
		memcpy(next, in, pos);
		memcpy(next + pos, value.p, value.len);
		memcpy(next + pos + value.len, in + pos + len, newlen - pos - value.len + 1);
		if (!cur)
			*first = pos;
		free(cur);
		cur = next;
		if (memchr(next + pos, '\n', value.len))
			return cur;
	}
	free(cur);
	return NULL;
}

/* ---- words and braces ---- */

static void emit(struct lexer *lx, struct conf_line *l)
{
	l->file = lx->file;
	l->line = lx->line;
	if (lx->fn(lx->arg, l)) {
		lx->stop = true;
		lx->err = -ECANCELED;
	}
}

static bool make_room(struct lexer *lx, size_t len)
{
	size_t cap = len * 2 + 2; /* a quote can end a word without a blank: one more NUL for each */

	if (cap <= lx->cap)
		return true;
	free(lx->raw);
	free(lx->text);
	free(lx->words);
	free(lx->cols);
	lx->cap = 0;
	lx->raw = malloc(cap);
	lx->text = malloc(cap);
	lx->words = malloc(cap * sizeof(*lx->words));
	lx->cols = malloc(cap * sizeof(*lx->cols));
	if (!lx->raw || !lx->text || !lx->words || !lx->cols) {
		no_memory(lx);
		return false;
	}
	lx->cap = cap;
	return true;
}

static void put_char(char **out, char c)
{
	*(*out)++ = c == LEX_HASH ? '#' : c == LEX_BANG ? '!' : c;
}

static int column(const struct text *t, const char *p)
{
	size_t at = (size_t)(p - t->buf);

	return at < t->known ? t->col + (int)at : 0;
}

static void emit_words(struct lexer *lx, const struct text *t, const char *p, size_t len)
{
	struct slice s = trim(p, len);
	struct conf_line l = { .ev = CONF_EV_WORDS };
	const char *end = s.p + s.len;
	char *out, *raw;

	if (!s.len || !make_room(lx, s.len))
		return;
	raw = lx->raw;
	for (p = s.p; p < end; p++)
		put_char(&raw, *p);
	*raw = '\0';

	out = lx->text;
	for (p = s.p; p < end;) {
		if (is_blank(*p)) {
			p++;
			continue;
		}
		lx->cols[l.nwords] = column(t, p);
		lx->words[l.nwords++] = out;
		if (*p == '"') {
			for (p++; p < end && *p != '"'; p++)
				put_char(&out, *p);
			p += p < end;
		} else {
			for (; p < end && *p != '"' && !is_blank(*p); p++)
				put_char(&out, *p);
		}
		*out++ = '\0';
	}
	l.raw = lx->raw;
	l.word = lx->words;
	l.cols = lx->cols;
	l.col = column(t, s.p);
	emit(lx, &l);
}

static void emit_brace(struct lexer *lx, const struct text *t, const char *p)
{
	struct conf_line l = { .ev = *p == '{' ? CONF_EV_OPEN : CONF_EV_CLOSE, .raw = "", .col = column(t, p) };

	emit(lx, &l);
}

/* An undefined ${NAME} stays in the text, so its braces are no block. */
static const char *next_brace(const char *s)
{
	struct slice name, args;
	bool quoted = false;
	size_t len;

	for (; *s; s++) {
		if (*s == '"')
			quoted = !quoted;
		if (quoted)
			continue;
		if (*s == '{' || *s == '}')
			break;
		len = *s == '$' && s[1] == '{' ? reference(s, &name, &args) : 0;
		if (len)
			s += len - 1;
	}
	return s;
}

static void emit_line(struct lexer *lx, const struct text *t, const char *s)
{
	while (!lx->stop) {
		const char *brace = next_brace(s);

		emit_words(lx, t, s, (size_t)(brace - s));
		if (!*brace || lx->stop)
			return;
		emit_brace(lx, t, brace);
		s = brace + 1;
	}
}

/* A quote without its partner, after which keepalived loses the rest of the line: say so and go on as if it were not there, which keeps a '{' behind it alive. */
static char *check_quotes(struct lexer *lx, const struct text *t, char *s)
{
	char *last = NULL;
	size_t n = 0;

	for (char *p = s; *p; p++)
		if (*p == '"') {
			last = p;
			n++;
		}
	if (n % 2 == 0)
		return s;
	n = strcspn(s, "\" \t"); /* not what is in the quotes: it may be a password */
	lx->col = column(t, last);
	say(lx, CONF_WARN,
	    "a quote %s%.*s is not closed and is taken out, so its words count one by one; add a '\"' on the same line",
	    n ? "after " : "", n ? (int)(n < 60 ? n : 60) : 12, n ? s : "on this line");
	*last = ' ';
	return clean(s);
}

/* ---- include ---- */

static int lex_file(void *arg, const char *path, const char *bytes, size_t len);

/* "include" or one of its variants at @s: where the pattern starts; *@variant is '\0' or the letter. */
static char *include_pattern(char *s, char *variant)
{
	if (strncmp(s, "include", 7) != 0)
		return NULL;
	s += 7;
	*variant = *s && strchr("rmwba", *s) ? *s++ : '\0';
	if (*s && !is_blank(*s))
		return NULL;
	while (is_blank(*s))
		s++;
	return s;
}

static void include_read(struct lexer *lx, char variant, const char *pattern, size_t skip)
{
	bool wild = strpbrk(pattern, "*?[{"), must_match = variant && strchr("wba", variant);
	const char *shown = pattern + skip;
	int n;

	if (!spend(lx, strlen(pattern)))
		return;
	n = lx->io->read(lx->io->arg, pattern, lex_file, lx);
	if (lx->stop || n > 0)
		return;
	if (variant == 'm' && !wild)
		must_match = true;
	if (n < 0 && n != -ENOENT)
		say(lx, variant == 'r' || variant == 'a' ? CONF_ERROR : CONF_WARN,
		    "\"%.200s\" cannot be included: %s; check the file and its permissions", shown, strerror(-n));
	else if (must_match)
		say(lx, CONF_ERROR, "\"%.200s\" matches no file; create it, or write \"include\" if it may be missing",
		    shown);
	else if (!wild)
		say(lx, CONF_WARN, "\"%.200s\" does not exist, nothing is included", shown);
}

/* The end of the "{a,b}" that starts at @s, or NULL. */
static const char *brace_end(const char *s)
{
	int depth = 0;

	for (; *s; s++) {
		depth += *s == '{';
		depth -= *s == '}';
		if (!depth)
			return s;
	}
	return NULL;
}

/* includeb and includea: every alternative of the first {a,b} on its own, then the next ones inside it. */
static void include_each(struct lexer *lx, char variant, const char *pattern, size_t skip, unsigned int *left)
{
	const char *open = strchr(pattern + skip, '{'), *close = open ? brace_end(open) : NULL, *alt;
	int depth = 0;

	if (!close) {
		if (*left == 0) {
			stop(lx, "\"%.200s\" has more than %d alternatives; use fewer", pattern + skip, LEX_BRACES_MAX);
			return;
		}
		--*left;
		include_read(lx, variant, pattern, skip);
		return;
	}
	alt = open + 1;
	for (const char *p = alt; p <= close && !lx->stop; p++) {
		if (p == close || (*p == ',' && depth == 0)) {
			size_t need = strlen(pattern) + 1;
			char *one = malloc(need);

			if (!one) {
				no_memory(lx);
				return;
			}
			snprintf(one, need, "%.*s%.*s%s", (int)(open - pattern), pattern, (int)(p - alt), alt,
				 close + 1);
			include_each(lx, variant, one, skip, left);
			free(one);
			alt = p + 1;
		}
		depth += *p == '{';
		depth -= *p == '}';
	}
}

static void include(struct lexer *lx, char variant, char *s)
{
	struct slice dir = folder_of(lx->file), pat = trim(s, strlen(s));
	unsigned int left = LEX_BRACES_MAX;
	size_t need, skip;
	char *pattern;

	if (pat.len >= 2 && pat.p[0] == '"' && pat.p[pat.len - 1] == '"') {
		pat.p++;
		pat.len -= 2;
	}
	if (!pat.len) {
		say(lx, CONF_ERROR, "\"include\" needs a file name; add one or remove the line");
		return;
	}
	if (lx->include_depth >= LEX_INCLUDE_MAX) {
		stop(lx,
		     "\"%.*s\" would be include number %d inside each other; look for files that include themselves",
		     (int)pat.len, pat.p, LEX_INCLUDE_MAX);
		return;
	}
	if (pat.p[0] == '/' || !strchr(lx->file, '/'))
		dir.len = 0;
	need = dir.len + pat.len + 2;
	pattern = malloc(need);
	if (!pattern) {
		no_memory(lx);
		return;
	}
	snprintf(pattern, need, "%.*s%s%.*s", (int)dir.len, dir.p, dir.len && dir.p[dir.len - 1] != '/' ? "/" : "",
		 (int)pat.len, pat.p);
	skip = strlen(pattern) - pat.len; /* messages show what the file says */
	if (variant == 'b' || variant == 'a')
		include_each(lx, variant, pattern, skip, &left);
	else
		include_read(lx, variant, pattern, skip);
	free(pattern);
}

/* ---- @condition, ~SEQ, ~LST ---- */

static void lex_text(struct lexer *lx, const char *text, size_t len, unsigned int depth);

/* @s starts with '@'. Returns what follows the id when it applies to this host, else NULL. */
static char *condition(struct lexer *lx, char *s, unsigned int depth)
{
	const char *id = lx->io->config_id ? lx->io->config_id : "";
	bool differ = s[1] == '^', match;
	char *word = s + 1 + differ, *end = word;
	size_t n;

	while (*end && !is_blank(*end))
		end++;
	match = slice_is((struct slice){ word, (size_t)(end - word) }, id);
	while (is_blank(*end))
		end++;
	if (match != differ)
		return end;
	while (*end == '@') { /* a definition of several lines goes as a whole */
		while (*end && !is_blank(*end))
			end++;
		while (is_blank(*end))
			end++;
	}
	n = definition_name(end);
	if (n)
		define(lx, end, n, depth, false);
	return NULL;
}

/* Up to @max pieces of @s between commas; a '{' hides its commas. Returns how many, @max + 1 if more. */
static size_t split(struct slice s, struct slice *out, size_t max)
{
	size_t n = 0, start = 0;
	int depth = 0;

	for (size_t i = 0; i <= s.len; i++) {
		if (i == s.len || (s.p[i] == ',' && depth == 0)) {
			if (n == max)
				return max + 1;
			out[n++] = trim(s.p + start, i - start);
			start = i + 1;
			continue;
		}
		depth += s.p[i] == '{';
		depth -= s.p[i] == '}';
	}
	return n;
}

static bool is_var(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_name(s.p[i], i == 0))
			return false;
	return s.len > 0;
}

static void run_seq(struct lexer *lx, bool hex, struct slice args, const char *rest, unsigned int depth)
{
	struct slice f[4];
	size_t n = split(args, f, 4);
	long start, end, step;
	char text[24];

	if (n < 2 || n > 4 || !is_var(f[0]) || !parse_long(f[n - 1], &end) || (n > 2 && !parse_long(f[1], &start)) ||
	    (n == 4 && !parse_long(f[2], &step))) {
		say(lx, CONF_ERROR,
		    "\"~SEQ(%.*s)\" is not understood; write ~SEQ(NAME, START, STEP, END) with whole numbers",
		    (int)args.len, args.p);
		return;
	}
	if (n == 2)
		start = end < 0 ? -1 : 1;
	if (n < 4)
		step = end < start ? -1 : 1;
	if (step == 0 || (step > 0 && end < start) || (step < 0 && end > start)) {
		say(lx, CONF_ERROR,
		    "\"~SEQ(%.*s)\" never reaches its end; give a step that leads from the start to the end",
		    (int)args.len, args.p);
		return;
	}
	for (long v = start; (step > 0 ? v <= end : v >= end) && !lx->stop; v += step) {
		if (hex)
			snprintf(text, sizeof(text), "%s%lx", v < 0 ? "-" : "", v < 0 ? -v : v);
		else
			snprintf(text, sizeof(text), "%ld", v);
		def_set(lx, f[0], (struct slice){ text, strlen(text) });
		lex_text(lx, rest, strlen(rest), depth + 1);
	}
	def_del(lx, f[0]);
}

/* "{A,B}" or "A": the pieces; 0: malformed. */
static size_t tuple(struct slice s, struct slice *out)
{
	size_t n;

	if (s.len < 2 || s.p[0] != '{' || s.p[s.len - 1] != '}') {
		out[0] = s;
		return 1;
	}
	n = split((struct slice){ s.p + 1, s.len - 2 }, out, LEX_LST_VARS);
	return n > LEX_LST_VARS ? 0 : n;
}

static void run_lst(struct lexer *lx, struct slice args, const char *rest, unsigned int depth)
{
	struct slice vars[LEX_LST_VARS], vals[LEX_LST_VARS], *items;
	size_t max = args.len / 2 + 2, n, nvars;
	bool good;

	items = calloc(max, sizeof(*items));
	if (!items) {
		no_memory(lx);
		return;
	}
	n = split(args, items, max);
	nvars = tuple(items[0], vars);
	good = nvars > 0 && n > 1 && n <= max;
	for (size_t i = 0; good && i < nvars; i++)
		good = is_var(vars[i]);
	for (size_t i = 1; good && i < n; i++)
		good = tuple(items[i], vals) == nvars;
	if (!good)
		say(lx, CONF_ERROR,
		    "\"~LST(%.*s)\" is not understood; write ~LST(NAME, VALUE, ...) or ~LST({A,B}, {1,2}, ...)",
		    (int)args.len, args.p);
	for (size_t i = 1; good && i < n && !lx->stop; i++) {
		tuple(items[i], vals);
		for (size_t v = 0; v < nvars; v++)
			def_set(lx, vars[v], vals[v]);
		lex_text(lx, rest, strlen(rest), depth + 1);
	}
	for (size_t v = 0; good && v < nvars; v++)
		def_del(lx, vars[v]);
	free(items);
}

static bool is_repeat(const char *s)
{
	return !strncmp(s, "~SEQ(", 5) || !strncmp(s, "~SEQx(", 6) || !strncmp(s, "~LST(", 5);
}

/* @s starts with ~SEQ(, ~SEQx( or ~LST(: the rest of the line is read once for each value. */
static void repeat(struct lexer *lx, char *s, unsigned int depth, unsigned int *count)
{
	char *open = strchr(s, '('), *close = strchr(open, ')'), *args, *more;
	size_t first;

	if (!close) {
		say(lx, CONF_ERROR, "\"%.60s\" has no closing \")\"; add it after the last value", s);
		return;
	}
	args = copy(lx, open + 1, (size_t)(close - open - 1));
	while (args && (more = substitute(lx, args, count, &first))) {
		free(args);
		args = more;
	}
	if (args && !lx->stop) {
		struct slice a = trim(args, strlen(args));

		if (s[1] == 'L')
			run_lst(lx, a, close + 1, depth);
		else
			run_seq(lx, s[4] == 'x', a, close + 1, depth);
	}
	free(args);
}

/* ---- one line ---- */

/* The lines of a definition that has more than one; a definition inside can change what the next line means. */
static void lex_lines(struct lexer *lx, const char *s, unsigned int depth)
{
	while (!lx->stop) {
		size_t len = strcspn(s, "\n");

		lex_text(lx, s, len, depth);
		if (!s[len])
			return;
		s += len + 1;
	}
}

static void lex_clean(struct lexer *lx, const struct text *t, char *s)
{
	char variant, *pattern = include_pattern(s, &variant);

	lx->col = column(t, s);
	if (pattern) {
		include(lx, variant, pattern);
		return;
	}
	emit_line(lx, t, check_quotes(lx, t, s));
	too_many_errors(lx);
}

/* @next stands for the bytes from @s on, which keep their columns up to the first replacement. */
static void replace_text(struct text *t, const char *s, char *next, size_t first)
{
	size_t cut = (size_t)(s - t->buf);
	size_t known = t->known > cut ? t->known - cut : 0;

	t->known = known < first ? known : first;
	t->col += (int)cut;
	free(t->buf);
	t->buf = next;
}

/* One round. Returns what is left to look at, or NULL. */
static char *lex_round(struct lexer *lx, struct text *t, char *s, unsigned int depth, unsigned int *count)
{
	size_t n, first = 0;
	char *next;

	lx->col = column(t, s);
	if (*s == '@')
		return condition(lx, s, depth);
	if ((n = definition_name(s))) {
		define(lx, s, n, depth, true);
	} else if (is_repeat(s)) {
		repeat(lx, s, depth, count);
	} else if ((next = substitute(lx, s, count, &first))) {
		replace_text(t, s, next, first);
		if (!strchr(next, '\n'))
			return next;
		lex_lines(lx, next, depth + 1);
	} else if (!lx->stop) {
		lex_clean(lx, t, s);
	}
	return NULL;
}

static void lex_text(struct lexer *lx, const char *text, size_t len, unsigned int depth)
{
	struct text t = { .col = depth ? 0 : 1, .known = depth ? 0 : len };
	unsigned int count = 0;
	char *s;

	if (lx->stop || (depth && !spend(lx, len)))
		return;
	if (depth > LEX_DEPTH_MAX) {
		stop(lx,
		     "definitions and ~SEQ stand more than %d deep inside each other; look for one that uses itself",
		     LEX_DEPTH_MAX);
		return;
	}
	s = t.buf = copy(lx, text, len);
	while (s && !lx->stop) {
		s = clean(s);
		s = *s ? lex_round(lx, &t, s, depth, &count) : NULL;
	}
	free(t.buf);
}

/* ---- files ---- */

/* Messages and the tree point at file names, so each is kept once, as long as the tree. */
static const char *keep_name(struct lexer *lx, const char *path)
{
	struct conf *c = lx->conf;
	char **bigger, *name;

	for (size_t i = 0; i < c->nfiles; i++)
		if (!strcmp(c->files[i], path))
			return c->files[i];
	bigger = realloc(c->files, (c->nfiles + 1) * sizeof(*c->files));
	if (!bigger) {
		no_memory(lx);
		return NULL;
	}
	c->files = bigger;
	name = copy(lx, path, strlen(path));
	if (name)
		c->files[c->nfiles++] = name;
	return name;
}

static bool is_text(struct lexer *lx, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)p[i] < 0x20 && !is_blank(p[i])) {
			stop(lx, "byte 0x%02x is not text; this is probably not a configuration file", (uint8_t)p[i]);
			return false;
		}
	return true;
}

static void physical_line(struct lexer *lx, const char *p, size_t len)
{
	lx->col = 0;
	if (len && p[len - 1] == '\r')
		len--;
	if (!is_text(lx, p, len))
		return;
	if (len > LEX_LINE_MAX)
		say(lx, CONF_ERROR, "this line has %zu characters and is skipped; %d is the limit, split it", len,
		    LEX_LINE_MAX);
	else if (lx->cont)
		cont_line(lx, p, len);
	else
		lex_text(lx, p, len, 0);
}

static void read_lines(struct lexer *lx, const char *p, size_t len)
{
	const char *end = p + len;

	if (len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) /* byte order mark of some editors */
		p += 3;
	for (lx->line = 1; p < end && !lx->stop; lx->line++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);

		physical_line(lx, p, n);
		p += n + 1;
		too_many_errors(lx);
		if (!nl)
			break;
	}
	if (lx->cont && !lx->stop) {
		say(lx, CONF_WARN, "the definition at the end of the file still ends with \"\\\"; remove that sign");
		cont_end(lx);
	}
}

/* io->read() gives a file here; also called from inside a line, through include. */
static int lex_file(void *arg, const char *path, const char *bytes, size_t len)
{
	struct lexer *lx = arg;
	const char *file = lx->file, *name;
	int line = lx->line, col = lx->col;

	if (lx->stop)
		return -ECANCELED;
	if (lx->nreads++ >= LEX_FILES_MAX) {
		stop(lx, "more than %d files are included; use fewer", LEX_FILES_MAX);
		return -ECANCELED;
	}
	name = keep_name(lx, path);
	if (!name)
		return -ENOMEM;
	lx->file = name;
	lx->include_depth++;
	read_lines(lx, bytes, len);
	lx->include_depth--;
	if (file) {
		lx->file = file;
		lx->line = line;
		lx->col = col;
	}
	return lx->stop ? lx->err : 0;
}

static void lexer_fini(struct lexer *lx)
{
	for (size_t i = 0; lx->defs && i < LEX_BUCKETS; i++)
		while (lx->defs[i])
			def_del(lx, (struct slice){ lx->defs[i]->name, strlen(lx->defs[i]->name) });
	free(lx->defs);
	free(lx->cont_name);
	free(lx->cont_value);
	free(lx->raw);
	free(lx->text);
	free(lx->words);
	free(lx->cols);
}

int conf_lex(struct conf *c, const char *path, const struct conf_io *io, struct conf_diag *d, conf_line_fn fn,
	     void *arg)
{
	struct lexer lx = { .conf = c, .io = io, .diag = d, .fn = fn, .arg = arg, .random = 88172645463325252ull };
	int n, err;

	/* hosts should differ where somebody asks for chance */
	for (const char *id = io->config_id; id && *id; id++)
		lx.random = (lx.random ^ (uint8_t)*id) * 1099511628211ull;
	if (!lx.random)
		lx.random = 1;
	lx.defs = calloc(LEX_BUCKETS, sizeof(*lx.defs));
	if (!lx.defs)
		return -ENOMEM;
	n = io->read(io->arg, path, lex_file, &lx);
	err = lx.stop ? lx.err : lx.nreads ? 0 : n < 0 ? n : -ENOENT;
	lexer_fini(&lx);
	return err;
}
