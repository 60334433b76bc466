// SPDX-License-Identifier: GPL-2.0-or-later
#include "log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum log_level log_level = LOG_INFO;
static void (*log_tap)(void *arg, enum log_level level, const char *text);
static void *log_tap_arg;
static char held[PIPE_BUF]; /* a pipe that is ready takes so much without waiting */
static size_t held_len;
static bool holding;

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

/* A reader that has stopped reading must not hold up an advert: what cannot be written now is dropped. */
static void put(const char *lines, size_t len)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&out, 1, 0) <= 0 || !(out.revents & POLLOUT))
		return;
	/* Whole lines in one write, so that those of two processes do not mix. */
	if (write(STDERR_FILENO, lines, len) < 0)
		return;
}

static void put_held(void)
{
	if (held_len)
		put(held, held_len);
	held_len = 0;
}

void log_hold(void)
{
	holding = true;
}

void log_release(void)
{
	holding = false;
	put_held();
}

void log_msg(enum log_level level, const char *fmt, ...)
{
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
	if (!holding) {
		put(line, len);
		return;
	}
	if (held_len + len > sizeof(held))
		put_held();
	memcpy(held + held_len, line, len);
	held_len += len;
}
