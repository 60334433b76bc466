/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internal to conf_addr.c, conf_route.c, conf_rule.c: the words of one line, taken in order, and what a word can mean. */
#ifndef VX_CONF_WORDS_H
#define VX_CONF_WORDS_H

#include "conf_lex.h"

#include <stdio.h>

struct conf_words {
	struct conf_line_ctx *x;
	const struct conf_line *l;
	size_t at;   /* the word in hand: messages point at it */
	size_t next; /* the one after */
};

/* What may follow an option word: the setter of a row takes its values. Setters return as conf_addr_line() does. */
struct conf_option {
	const char *word;
	int (*set)(struct conf_words *w, void *out, const struct conf_option *o);
	size_t arg; /* the setter's: a flag, an offset, a constant */
};

/* Takes the next word; NULL: there is none. */
const char *conf_words_next(struct conf_words *w);
const char *conf_words_peek(const struct conf_words *w);
/* Warns at the word in hand, with the owner's name in front. Returns 1. */
int conf_words_warn(const struct conf_words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The row of @word; NULL: none. */
const struct conf_option *conf_words_option(const struct conf_option *opts, size_t n, const char *word);

/*
 * Values of the option in hand. Return 0; 1: missing or wrong, which is said, and the line is dropped; -ENOMEM.
 * Numbers are C's, as iproute2 reads them: decimal, 0x for hexadecimal, 0 for octal.
 */
int conf_words_value(struct conf_words *w, const char **out);
int conf_words_number(struct conf_words *w, uint64_t min, uint64_t max, uint64_t *out);
/* A number up to @max, or a name of @kind. */
int conf_words_named(struct conf_words *w, enum conf_names kind, uint32_t max, uint32_t *out);
int conf_words_dev(struct conf_words *w, char out[CONF_IFNAME_MAX]);
int conf_words_addr(struct conf_words *w, struct conf_addr *out);
/* "192.0.2.0/24", an address alone, or default, any, all: then family 0. */
int conf_words_prefix(struct conf_words *w, struct conf_addr *out, uint8_t *plen);
int conf_words_text(struct conf_words *w, const char **out);
/* "A" or "A-B", each from 0 to @max, A not above B. */
int conf_words_range(struct conf_words *w, uint64_t max, uint64_t *lo, uint64_t *hi);
/* "[FROM/]TO" of rt_realms. */
int conf_words_realms(struct conf_words *w, uint32_t *out);

/* All of @text a number, not above @max? */
bool conf_words_is_number(const char *text, uint64_t max, uint64_t *out);
int conf_words_parse_prefix(const struct conf_words *w, const char *text, struct conf_addr *out, uint8_t *plen);
/* " KEYWORD WORD", the word in quotes where the lexer would take it apart. */
void conf_words_print(FILE *f, const char *keyword, const char *word);

#endif
