/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands. Each gets what follows its name and returns the process's exit code. */
#ifndef VX_CMD_H
#define VX_CMD_H

#include "conf.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int cmd_attach(int argc, char *argv[]); /* cmd_xdp.c */
int cmd_detach(int argc, char *argv[]);
int cmd_run(int argc, char *argv[]);    /* cmd_run.c */
int cmd_check(int argc, char *argv[]);  /* cmd_check.c */
int cmd_status(int argc, char *argv[]); /* cmd_ctl.c */
int cmd_stats(int argc, char *argv[]);
int cmd_reload(int argc, char *argv[]);
int cmd_restart(int argc, char *argv[]);
int cmd_drain(int argc, char *argv[]);   /* cmd_drain.c; and undrain */
int cmd_version(int argc, char *argv[]); /* main.c */
int cmd_help(int argc, char *argv[]);

/* Shared by run and attach, in cmd_run.c. They print what is wrong, and return 0 or an exit code. */

/* The default configuration file: ours if it is there, else keepalived's; NULL (said): neither. */
const char *run_default_conf(void);
/* Prints a message of conf_load() or conf_check(). */
void run_conf_msg(void *arg, enum conf_severity severity, const struct conf_at *at, const char *text);
/* Says which capability is missing before anything fails half way. */
int run_check_privileges(void);
/* What getopt_long() found wrong with @word: unknown, or without its value (@kind ':'). */
int run_bad_flag(const char *cmd, const char *word, int kind);
/* Values of flags: a whole number from @min to @max, and an XDP mode. */
int run_number(const char *flag, const char *word, int min, int max, int *out);
int run_mode(const char *word, enum conf_mode *out);
/* Which of three words it is; -1 (said): none of them. */
int run_choice(const char *flag, const char *word, const char *const names[3]);

#endif
