// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory of the tree: texts, words of commands, hops of routes. Nothing of it is freed alone, so a line that is dropped leaks nothing. */
#include "conf_lex.h"

#include <stdlib.h>
#include <string.h>

struct conf_string {
	struct conf_string *next;
	_Alignas(max_align_t) char bytes[];
};

void *conf_alloc(struct conf *c, size_t size)
{
	struct conf_string *s = calloc(1, sizeof(*s) + size);

	if (!s)
		return NULL;
	s->next = c->strings;
	c->strings = s;
	return s->bytes;
}

const char *conf_string(struct conf *c, const char *text)
{
	size_t size = strlen(text) + 1;
	char *s = conf_alloc(c, size);

	return s ? memcpy(s, text, size) : NULL;
}

void conf_alloc_free(struct conf *c)
{
	struct conf_string *next;

	for (struct conf_string *s = c->strings; s; s = next) {
		next = s->next;
		free(s);
	}
	c->strings = NULL;
}
