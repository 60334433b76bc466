// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands: script, notify*, startup_script and the like (spec 3.4). Words are cut twice. First the raw line: quotes of both kinds group
 * and go away, a backslash keeps the sign behind it. Then its second word, the whole command: the same, and backslashes are decoded.
 * There is no shell.
 */
#include "conf_lex.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINE_WORDS = 6,    /* keyword, command, user, group, and what is too many */
	COMMAND_WORDS = 63 /* arguments of a command; what is appended when it runs comes on top */
};

enum cut { CUT_END, CUT_WORD, CUT_OPEN, CUT_NUL };

static int warn(struct conf_line_ctx *x, const struct conf_at *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int warn(struct conf_line_ctx *x, const struct conf_at *at, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	conf_say(x->diag, CONF_WARN, at, "%s: %s", x->owner, text);
	return 1;
}

/* ---- cutting ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static char decode_number(const char **p, int base, int max_digits)
{
	int value = 0, d;

	for (int n = 0; n < max_digits && (d = hex_digit(**p)) >= 0 && d < base; n++, (*p)++)
		value = value * base + d;
	return (char)value;
}

/* *@p stands behind a backslash. */
static char decode(const char **p)
{
	static const char from[] = "abEfnrtv", to[] = "\a\b\033\f\n\r\t\v";
	const char *known;
	char c = **p;

	if (c >= '0' && c <= '7')
		return decode_number(p, 8, 3);
	(*p)++;
	if (c == 'x' && hex_digit(**p) >= 0)
		return decode_number(p, 16, 2);
	if (c == 'c' && **p) {
		c = (char)(**p & 0x1f);
		(*p)++;
		return c;
	}
	known = strchr(from, c);
	return known ? to[known - from] : c;
}

/* Cuts the next word off *@p into @out, which has room for all of it. @decoding: the second pass. */
static enum cut cut_word(const char **p, char *out, bool decoding)
{
	enum cut cut = CUT_WORD;
	char quote = '\0';

	while (is_blank(**p))
		(*p)++;
	if (!**p)
		return CUT_END;
	while (**p && (quote || !is_blank(**p))) {
		char c = *(*p)++;

		if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? '\0' : c;
		} else if (c == '\\' && **p && decoding) {
			*out = decode(p);
			if (!*out++)
				cut = CUT_NUL;
		} else {
			*out++ = c;
			if (c == '\\' && **p)
				*out++ = *(*p)++;
		}
	}
	*out = '\0';
	return quote ? CUT_OPEN : cut;
}

/* ---- printing ---- */

/* A sign as it has to be written so that neither the lexer nor one of the two passes takes it for something else. */
static void print_char(FILE *f, char c, char next)
{
	if (c == '\\' || c == '\'')
		fprintf(f, "\\%c", c);
	else if (c == '"' || (c == '$' && next == '{') || ((unsigned char)c < ' '))
		fprintf(f, "\\x%02x", (unsigned char)c);
	else
		fputc(c, f);
}

static void print_command(FILE *f, char *const *argv)
{
	fputc('"', f);
	for (size_t i = 0; argv[i]; i++) {
		const char *q = !argv[i][0] || strchr(argv[i], ' ') ? "'" : "";

		fprintf(f, "%s%s", i ? " " : "", q);
		for (const char *s = argv[i]; *s; s++)
			print_char(f, s[0], s[1]);
		fputs(q, f);
	}
	fputc('"', f);
}

static const char *command_text(struct conf *c, char *const *argv)
{
	const char *kept = NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool bad;

	if (!f)
		return NULL;
	print_command(f, argv);
	bad = ferror(f);
	if (!fclose(f) && !bad)
		kept = conf_string(c, text);
	free(text);
	return kept;
}

/* ---- one line ---- */

static int cut_command(struct conf_line_ctx *x, const char *command, char *scratch, struct conf_cmd *out)
{
	char *words[COMMAND_WORDS + 1];
	size_t n = 0;
	enum cut cut;

	while ((cut = cut_word(&command, scratch, true)) != CUT_END) {
		if (cut == CUT_OPEN)
			return warn(x, &out->at, "a quote inside the command is not closed; the command is dropped");
		if (cut == CUT_NUL)
			return warn(x, &out->at, "the command contains a NUL byte; it is dropped");
		if (n == COMMAND_WORDS)
			return warn(x, &out->at, "the command has more than %d words; it is dropped", COMMAND_WORDS);
		words[n] = (char *)conf_string(x->conf, scratch);
		if (!words[n++])
			return -ENOMEM;
	}
	if (!n || !words[0][0])
		return warn(x, &out->at, "the command is empty and dropped; give it the path of a program");
	out->argv = conf_alloc(x->conf, (n + 1) * sizeof(*out->argv));
	if (!out->argv)
		return -ENOMEM;
	memcpy(out->argv, words, n * sizeof(*words));
	out->text = command_text(x->conf, out->argv);
	return out->text ? 0 : -ENOMEM;
}

/* Words that keepalived drops without a sound. */
static void warn_extra(struct conf_line_ctx *x, const struct conf_at *at, char *const *words, bool users)
{
	if (users)
		warn(x, at, "\"%.60s\" and what follows is ignored: after the command come a user and a group only",
		     words[4]);
	else
		warn(x, at,
		     "\"%.60s\" and what follows is ignored: put the command and its arguments into one pair of quotes",
		     words[2]);
}

/* @words of the raw line: keyword, command, user, group, extra. */
static int take_words(struct conf_line_ctx *x, char *const *words, size_t n, bool users, char *scratch,
		      struct conf_cmd *out)
{
	if (n < 2)
		return warn(x, &out->at, "%.60s has no command; the line is dropped", words[0]);
	if (n > (users ? 4 : 2))
		warn_extra(x, &out->at, words, users);
	if (users && n > 2 && !(out->user = conf_string(x->conf, words[2])))
		return -ENOMEM;
	if (users && n > 3 && !(out->group = conf_string(x->conf, words[3])))
		return -ENOMEM;
	return cut_command(x, words[1], scratch, out);
}

int conf_cmd_line(struct conf_line_ctx *x, const struct conf_line *l, bool users, struct conf_cmd *out)
{
	size_t size = strlen(l->raw) + 1, n = 0;
	char *words[LINE_WORDS] = { l->word[0] }, *scratch = malloc(2 * size), *end;
	struct conf_cmd cmd = { .at = conf_line_at(l, 0) };
	const char *p = l->raw;
	enum cut cut = CUT_END;
	int err;

	if (!scratch)
		return -ENOMEM;
	end = scratch + size; /* the words; in front of them the place for one of the second pass */
	while (n < LINE_WORDS && (cut = cut_word(&p, end, false)) == CUT_WORD) {
		words[n++] = end;
		end += strlen(end) + 1;
	}
	if (cut == CUT_OPEN)
		err = warn(x, &cmd.at, "%.60s: a quote is not closed; the command is dropped", l->word[0]);
	else
		err = take_words(x, words, n, users, scratch, &cmd);
	if (!err)
		*out = cmd;
	free(scratch);
	return err;
}

/* ---- when all is read ---- */

/* "GROUP", ":GROUP" (with supplementary groups) or ":" -> the name, or NULL. */
static const char *group_name(const char *group)
{
	if (group && *group == ':')
		group++;
	return group && *group ? group : NULL;
}

/* keepalived_script if there is such a user; else ourselves, unless enable_script_security forbids it. */
static int default_user(struct conf_line_ctx *x, struct conf_cmd *cmd)
{
	const struct conf_io *io = x->io;

	if (!io->user(io->arg, "keepalived_script", NULL, &cmd->uid, &cmd->gid))
		return 0;
	if (x->conf->globals.script_security)
		return warn(
			x, &cmd->at,
			"the command %s is disabled: enable_script_security wants a user for it; set script_user, or "
			"make the user keepalived_script",
			cmd->text);
	if (io->user(io->arg, NULL, NULL, &cmd->uid, &cmd->gid))
		cmd->uid = cmd->gid = 0;
	return 0;
}

static int resolve_user(struct conf_line_ctx *x, struct conf_cmd *cmd)
{
	const struct conf_globals *g = &x->conf->globals;
	const char *user = cmd->user ? cmd->user : g->script_user;
	const char *group = group_name(cmd->user ? cmd->group : g->script_group);

	if (!x->io || !x->io->user)
		return 0;
	if (!user)
		return default_user(x, cmd);
	switch (x->io->user(x->io->arg, user, group, &cmd->uid, &cmd->gid)) {
	case 0:
		return 0;
	case -ESRCH:
		return warn(x, &cmd->at, "the command %s is disabled: there is no group \"%.60s\"", cmd->text, group);
	default:
		return warn(x, &cmd->at, "the command %s is disabled: there is no user \"%.60s\"%s", cmd->text, user,
			    cmd->user ? "; if it is an argument, put it and the command into one pair of quotes" : "");
	}
}

static int check_file(struct conf_line_ctx *x, struct conf_cmd *cmd)
{
	const struct conf_io *io = x->io;
	char why[256] = "";

	if (!io || !io->script || cmd->argv[0][0] == '<')
		return 0;
	switch (io->script(io->arg, cmd, why, sizeof(why))) {
	case CONF_SCRIPT_OK:
		return 0;
	case CONF_SCRIPT_MISSING:
	case CONF_SCRIPT_NOT_EXECUTABLE:
		return warn(x, &cmd->at, "the command %s is disabled: %s", cmd->text, why);
	case CONF_SCRIPT_INSECURE:
		if (x->conf->globals.script_security)
			return warn(x, &cmd->at, "the command %s is disabled by enable_script_security: %s", cmd->text,
				    why);
		warn(x, &cmd->at, "the command %s runs as root although others can change it: %s", cmd->text, why);
		return 0;
	}
	return 0;
}

int conf_cmd_resolve(struct conf_line_ctx *x, struct conf_cmd *cmd)
{
	int err;

	if (!cmd->argv)
		return 0;
	err = resolve_user(x, cmd);
	if (!err)
		err = check_file(x, cmd);
	if (err)
		cmd->argv = NULL;
	return err;
}
