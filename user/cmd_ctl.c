// SPDX-License-Identifier: GPL-2.0-or-later
/* status, stats, reload, restart: clients of the control sockets of this network namespace. */
#include "cmd.h"
#include "ctl.h"
#include "log.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

struct merge {
	json_t *all;
};

/* Several controllers in one namespace look like one: their arrays are joined. */
static void take(void *arg, json_t *answer)
{
	struct merge *m = arg;
	json_t *value, *have;
	const char *key;

	json_object_foreach(answer, key, value)
	{
		have = json_object_get(m->all, key);
		if (json_is_array(value) && json_is_array(have))
			json_array_extend(have, value);
		else if (json_is_array(value))
			json_object_set(m->all, key, value);
	}
}

static int ask_and_print(int argc, char *argv[], const char *request, void (*print)(const json_t *answer))
{
	struct merge m = { .all = json_object() };
	bool json = argc == 2 && !strcmp(argv[1], "--json");
	int n;

	if (argc > 1 && !json) {
		log_err("%s: unknown argument \"%s\"; only --json is known", argv[0], argv[1]);
		json_decref(m.all);
		return EXIT_USAGE;
	}
	n = ctl_ask(request, NULL, take, &m);
	if (n <= 0)
		log_err("no vrrp-xdp answers in this network namespace; start one with `vrrp-xdp attach` or `vrrp-xdp "
			"run`, or "
			"become root");
	else if (json)
		json_dumpf(m.all, stdout, JSON_INDENT(2));
	else
		print(m.all);
	if (n > 0 && json)
		putchar('\n');
	json_decref(m.all);
	return n > 0 ? EXIT_DONE : EXIT_FAILED;
}

/* What controllers said, and the worst of their exit codes. */
static int print_said(const json_t *r)
{
	const json_t *line;
	size_t k;

	json_array_foreach(json_object_get(r, "said"), k, line)
		fprintf(stderr, "%s\n", json_string_value(json_object_get(line, "text")));
	return json_integer_value(json_object_get(r, "exit"));
}

/* A controller started with flags has no file; it is in nobody's way when another has one. */
static int print_reloads(const json_t *all)
{
	const json_t *r;
	size_t i, files = 0;
	int rc = EXIT_DONE, one;

	json_array_foreach(json_object_get(all, "reloads"), i, r) files += json_is_true(json_object_get(r, "has_file"));
	json_array_foreach(json_object_get(all, "reloads"), i, r)
	{
		if (files && !json_is_true(json_object_get(r, "has_file")))
			continue;
		one = print_said(r);
		rc = one > rc ? one : rc;
	}
	return rc;
}

int cmd_reload(int argc, char *argv[])
{
	struct merge m = { .all = json_object() };
	int n, rc = EXIT_FAILED;

	if (argc > 1) {
		log_err("%s: unknown argument \"%s\"; none is taken", argv[0], argv[1]);
		rc = EXIT_USAGE;
	} else {
		n = ctl_ask("reload", NULL, take, &m);
		if (n <= 0)
			log_err("no vrrp-xdp answers in this network namespace; is it running, and are you root?");
		else
			rc = print_reloads(m.all);
	}
	json_decref(m.all);
	return rc;
}

static int print_restarts(const json_t *all)
{
	const json_t *r;
	int rc = EXIT_DONE, one;
	size_t i;

	json_array_foreach(json_object_get(all, "restarts"), i, r)
	{
		one = print_said(r);
		rc = one > rc ? one : rc;
	}
	return rc;
}

int cmd_restart(int argc, char *argv[])
{
	struct merge m = { .all = json_object() };
	int n, rc = EXIT_FAILED;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		log_err("%s: give one interface, or nothing for all", argv[0]);
		rc = EXIT_USAGE;
	} else {
		n = ctl_ask("restart", argc == 2 ? argv[1] : NULL, take, &m);
		if (n <= 0)
			log_err("no vrrp-xdp answers%s%s; is it running, and are you root? If it has just been, its "
				"log says why it ended",
				argc == 2 ? " for " : " in this network namespace", argc == 2 ? argv[1] : "");
		else
			rc = print_restarts(m.all);
	}
	json_decref(m.all);
	return rc;
}

int cmd_status(int argc, char *argv[])
{
	return ask_and_print(argc, argv, "status", report_print_status);
}

int cmd_stats(int argc, char *argv[])
{
	return ask_and_print(argc, argv, "stats", report_print_stats);
}
