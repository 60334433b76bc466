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

void conf_say(struct conf_diag *d, enum conf_severity sev, const struct conf_at *at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

enum conf_ev { CONF_EV_WORDS, CONF_EV_OPEN, CONF_EV_CLOSE };

/* One logical line: words, or a single brace. Everything is valid during the call only, except @file. */
struct conf_line {
	enum conf_ev ev;
	const char *file; /* owned by struct conf */
	int line;
	int col;         /* of the first word or the brace in its physical line; 0: it came out of a definition */
	const char *raw; /* the words with their quotes, for keywords that split by shell rules; "" for braces */
	char *const *word;
	const int *cols; /* of each word, as col */
	size_t nwords;   /* at least 1 for CONF_EV_WORDS */
};

/* Where word @i of @l stands. */
struct conf_at conf_line_at(const struct conf_line *l, size_t i);

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

/* Zeroed memory, and a copy of @text, that live as long as @c. NULL: out of memory. In conf_mem.c. The argv of commands and the hops of
 * routes are such memory too; conf_free() frees all of it with conf_alloc_free() and nothing of it with free(). */
void *conf_alloc(struct conf *c, size_t size);
const char *conf_string(struct conf *c, const char *text);
void conf_alloc_free(struct conf *c);

/*
 * One line of a list block, and one script keyword. Return 0, with everything in *@out set; 1: said, the line is dropped; -ENOMEM. What else is
 * odd is said as a warning and the rest of the line is used, as keepalived does (spec 3). @io may be NULL.
 */
struct conf_line_ctx {
	struct conf *conf;
	const struct conf_io *io;
	struct conf_diag *diag;
	const char *owner; /* for messages: instance "V1", static_routes */
	bool is_static;    /* track_group is allowed, use_vmac is not */
};
/* conf_addr.c; dev "" when the line names none (the caller knows the default). */
int conf_addr_line(struct conf_line_ctx *x, const struct conf_line *l, struct conf_vip *out);
/* conf_route.c; hops[] of a route whose line names no dev have dev "". */
int conf_route_line(struct conf_line_ctx *x, const struct conf_line *l, struct conf_route *out);
int conf_rule_line(struct conf_line_ctx *x, const struct conf_line *l, struct conf_rule *out);
/* conf_script.c; @l->raw is `KEYWORD COMMAND [USER [[:]GROUP]]` (spec 3.4). uid and gid are left 0: script_user may come later in the
 * file, see conf_cmd_resolve(). @users: words 3 and 4 are allowed. */
int conf_cmd_line(struct conf_line_ctx *x, const struct conf_line *l, bool users, struct conf_cmd *out);
/* When all is read: user, group or script_user into uid and gid, and the file checked (spec 3.4, 3.5). 0; 1: said, the command is
 * disabled and its argv NULL. */
int conf_cmd_resolve(struct conf_line_ctx *x, struct conf_cmd *cmd);

/* conf_check() with one enum conf_reported mask per virtual router; NULL: nothing reported yet. */
void conf_check_rest(struct conf *c, const unsigned int *reported, struct conf_diag *d);

#endif
