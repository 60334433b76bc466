/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notify scripts in the order of the changes they tell of: those of one change run beside each other, those of the instance's next
 * change when they have ended, or NOTIFY_ORDER_NS after that change. Without that, the last of two scripts to finish would decide what the
 * machine looks like, and that need not be the script of the last state.
 */
#ifndef VX_NOTIFY_SCRIPT_H
#define VX_NOTIFY_SCRIPT_H

#include "conf.h"
#include "exec.h"

/* Longer than a script that sets something takes; one that lives on, as some start daemons, holds up nothing for long. */
#define NOTIFY_ORDER_NS (1000 * 1000000ULL)

struct notify_scripts;

/* @loop and @exec are borrowed. *@out is owned by the caller; 0 or -errno. */
int notify_scripts_new(struct notify_scripts **out, struct loop *loop, struct exec *exec);
/* What waits is started now; what runs goes on: exec_drain() waits for it. */
void notify_scripts_free(struct notify_scripts *s);
bool notify_scripts_wait(const struct notify_scripts *s);
/* What is run from here on, for whichever instance, tells of another change than what was run before. */
void notify_scripts_next_change(struct notify_scripts *s);
/*
 * Runs @cmd with @extra (see exec.h) for the group or instance @name, now or after the scripts of its earlier changes. Everything is
 * copied. What cannot be run is said.
 */
void notify_scripts_run(struct notify_scripts *s, bool group, const char *name, const struct conf_cmd *cmd,
			const char *const *extra, bool supplementary_groups);

#endif
