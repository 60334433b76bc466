/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internal to conf_*.c: the lexer's output and the way messages go out. Everybody else includes conf.h.
 */
#ifndef VX_CONF_LEX_H
#define VX_CONF_LEX_H

#include "conf.h"

/* Counts what goes out through conf_say(); one per conf_load() or conf_check(). */
struct conf_diag {
	conf_msg_fn msg;
	void *arg;
	int errors;
	int warnings;
};

void conf_say(struct conf_diag *d, enum conf_severity sev, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

enum conf_ev { CONF_EV_WORDS, CONF_EV_OPEN, CONF_EV_CLOSE };

/* One logical line: words, or a single brace. Everything is valid during the call only, except @file. */
struct conf_line {
	enum conf_ev ev;
	const char *file; /* owned by struct conf */
	int line;
	const char *raw; /* the words with their quotes, for keywords that split by shell rules; "" for braces */
	char *const *word;
	size_t nwords; /* at least 1 for CONF_EV_WORDS */
};

/* Returns 0 to go on; anything else stops the lexer, which then says nothing more. */
typedef int (*conf_line_fn)(void *arg, const struct conf_line *l);

/*
 * Feeds @path and what it includes to @fn, line by line. File names are kept in @c->files.
 * Returns 0; -ECANCELED: stopped early, with an error message; -ENOMEM; or io->read()'s -errno for @path.
 */
int conf_lex(struct conf *c, const char *path, const struct conf_io *io, struct conf_diag *d, conf_line_fn fn,
	     void *arg);

/* What the parser has complained about already, per virtual router, so that conf_check() does not say it again. */
enum conf_reported {
	CONF_REP_VRID = 1 << 0,
	CONF_REP_IFNAME = 1 << 1,
	CONF_REP_PRIORITY = 1 << 2,
	CONF_REP_ADVERT = 1 << 3,
	CONF_REP_VIPS = 1 << 4,
	CONF_REP_NAME = 1 << 5,
};

/* conf_check() with one enum conf_reported mask per virtual router; NULL: nothing reported yet. */
void conf_check_rest(struct conf *c, const unsigned int *reported, struct conf_diag *d);

#endif
