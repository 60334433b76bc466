/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Status and counters: as JSON on the controller's side, as text on the client's. */
#ifndef VX_REPORT_H
#define VX_REPORT_H

#include <jansson.h>

struct vrs;

/* "status" or "stats" of every virtual router and interface; a new reference, NULL for anything else. @arg: a borrowed struct vrs. */
json_t *report_answer(void *arg, const char *request);
/* "drain WHICH" or "undrain WHICH", carried out; a new reference: which routers that were, and their states before. */
json_t *report_drain(void *arg, const char *request);
/* Print one controller's answer for people, to stdout. */
void report_print_status(const json_t *answer);
void report_print_stats(const json_t *answer);

#endif
