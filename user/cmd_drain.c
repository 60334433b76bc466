// SPDX-License-Identifier: GPL-2.0-or-later
/* drain, undrain: the role is given away without stopping, and called back. */
#include "cmd.h"
#include "ctl.h"
#include "log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROUND_MS = 20, WHICH_MAX = 80 };

/* Joins the arrays @key of all controllers' answers. */
struct gather {
	json_t *all;
	const char *key;
};

static void take(void *arg, json_t *answer)
{
	struct gather *g = arg;
	json_t *a = json_object_get(answer, g->key);

	if (json_is_array(a))
		json_array_extend(g->all, a);
}

/* Array @key of the answers to @request, a new reference; NULL: nobody answered. */
static json_t *ask(const char *request, const char *key)
{
	struct gather g = { .all = json_array(), .key = key };

	if (ctl_ask(request, NULL, take, &g) > 0)
		return g.all;
	json_decref(g.all);
	return NULL;
}

static const char *str(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "-";
}

/* Adverts that @name has heard in Initialize, by @stats. */
static json_int_t heard(const json_t *stats, const char *name)
{
	json_int_t n = 0;
	const json_t *r;
	size_t i;

	json_array_foreach(stats, i, r)
	{
		if (!strcmp(str(r, "name"), name))
			n += json_integer_value(json_object_get(json_object_get(r, "counters"), "rx_state"));
	}
	return n;
}

/* A drained router still counts the adverts that it hears: one more than @before, and another router is Active. */
static bool another_took_over(const json_t *router, const json_t *before)
{
	const char *name = str(router, "name");
	double wait_ms = 4 * json_number_value(json_object_get(router, "advert_int_ms")) + 1000;
	int rounds = (int)(wait_ms / ROUND_MS) + 1;
	bool yes = false;
	json_t *now;

	while (!yes && rounds--) {
		usleep(ROUND_MS * 1000);
		now = ask("stats", "virtual_routers");
		yes = heard(now, name) > heard(before, name);
		json_decref(now);
	}
	return yes;
}

static int check_takeovers(const json_t *routers, const json_t *before)
{
	int rc = EXIT_DONE;
	const json_t *r;
	size_t i;

	json_array_foreach(routers, i, r)
	{
		if (strcmp(str(r, "state"), "Active") || another_took_over(r, before))
			continue;
		log_err("%s: drained, and no other router has taken its addresses over: nobody answers for them; "
			"`vrrp-xdp undrain %s` takes them back",
			str(r, "name"), str(r, "name"));
		rc = EXIT_FAILED;
	}
	return rc;
}

static int ask_for(int argc, char *argv[])
{
	char request[WHICH_MAX];
	json_t *before, *routers;
	bool away = !strcmp(argv[0], "drain");
	int rc = EXIT_DONE;

	if (argc > 2 || (argc == 2 && strlen(argv[1]) + strlen("undrain ") >= sizeof(request))) {
		log_err("%s: give one interface, INTERFACE/VRID or instance, or nothing for all", argv[0]);
		return EXIT_USAGE;
	}
	snprintf(request, sizeof(request), "%s %s", argv[0], argc == 2 ? argv[1] : "");
	before = ask("stats", "virtual_routers");
	routers = before ? ask(request, "drained") : NULL;
	if (!routers) {
		log_err("no vrrp-xdp answers in this network namespace; is it running, and are you root?");
		rc = EXIT_FAILED;
	} else if (!json_array_size(routers)) {
		log_err("%s: no virtual router of that name or interface; see `vrrp-xdp status`",
			argc == 2 ? argv[1] : argv[0]);
		rc = EXIT_USAGE;
	} else if (away) {
		rc = check_takeovers(routers, before);
	}
	json_decref(routers);
	json_decref(before);
	return rc;
}

int cmd_drain(int argc, char *argv[])
{
	return ask_for(argc, argv);
}
