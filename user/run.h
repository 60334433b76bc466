/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process that runs virtual routers: loop, routers, control socket, signals, reload. `run` and `attach` are its two ways in. */
#ifndef VX_RUN_H
#define VX_RUN_H

#include "conf.h"

/* Where a configuration comes from, and what flags say in its place. */
struct run_source {
	const char *ifname;    /* only the virtual routers on this interface; NULL: all */
	const char *path;      /* NULL: from flags, which no reload can change */
	const char *config_id; /* NULL: the host name */
	const char *mode;      /* name of an XDP mode; NULL: the file's */
	int rt_priority;       /* 0: the file's */
};

/* Runs @conf, which came from @src, in the foreground until SIGTERM or SIGINT. Takes @conf over: it is freed. Returns an exit code. */
int run_conf(struct conf *conf, const struct run_source *src);
/* Reads the file of @src into @conf; conf_free() is due in either case. 0, or an exit code (said). */
int run_load(struct conf *conf, const struct run_source *src);

#endif
