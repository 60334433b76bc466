// SPDX-License-Identifier: GPL-2.0-or-later
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum log_level log_level = LOG_INFO;
static void (*log_tap)(void *arg, enum log_level level, const char *text);
static void *log_tap_arg;

void log_set_level(enum log_level level)
{
	log_level = level;
}

void log_set_tap(void (*fn)(void *arg, enum log_level level, const char *text), void *arg)
{
	log_tap = fn;
	log_tap_arg = arg;
}

bool log_enabled(enum log_level level)
{
	return level <= log_level;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[1024];
	va_list ap;
	size_t len;
	int n;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	len = (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
	while (len && line[len - 1] == '\n')
		len--;
	line[len] = '\0';
	if (log_tap)
		log_tap(log_tap_arg, level, line);
	line[len++] = '\n';
	/* A reader that has stopped reading must not hold up an advert: what cannot be written now is dropped. */
	if (poll(&out, 1, 0) <= 0 || !(out.revents & POLLOUT))
		return;
	/* One write per line, so that lines of two processes do not mix. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}
