/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX_CHECK_JSON_H
#define VX_CHECK_JSON_H

#include "conf.h"

#include <jansson.h>

/* The tree with every default, keys in keepalived's words, times in seconds; passwords are left out. NULL: out of memory. */
json_t *check_json(const struct conf *c);

#endif
