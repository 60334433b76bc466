/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line to stderr per message, for the person who must act. Data goes to stdout, never through here. */
#ifndef VX_LOG_H
#define VX_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Messages above @level are not written; the default is LOG_INFO. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
/* Lines are written together from here on, a few dozen with one system call, until log_release(). */
void log_hold(void);
void log_release(void);
/* Every line that is written is also given to @fn, without its end; NULL: to nobody. */
void log_set_tap(void (*fn)(void *arg, enum log_level level, const char *text), void *arg);
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)   log_msg(LOG_ERROR, __VA_ARGS__)   /* the operation at hand failed */
#define log_warn(...)  log_msg(LOG_WARNING, __VA_ARGS__) /* unexpected, survived */
#define log_info(...)  log_msg(LOG_INFO, __VA_ARGS__)    /* rare: transitions, start, stop */
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)   /* -v */

#endif
