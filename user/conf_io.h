/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a configuration asks of this machine: files, users, scripts, names, interfaces. The callbacks of struct conf_io. */
#ifndef VX_CONF_IO_H
#define VX_CONF_IO_H

#include "conf.h"

/* Fills @io in; its strings are static. @config_id NULL: the host name up to the first dot. */
void conf_io_init(struct conf_io *io, const char *config_id);

#endif
