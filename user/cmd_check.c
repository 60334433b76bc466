// SPDX-License-Identifier: GPL-2.0-or-later
/* check: what is wrong with a configuration, and what would run. Takes the way of run, starts nothing and needs no rights. */
#include "check_json.h"
#include "cmd.h"
#include "conf_io.h"
#include "log.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check {
	json_t *errors, *warnings; /* NULL: words on stderr */
	int nerrors, nwarnings;
};

static void print_msg(const struct conf_at *at, const char *kind, const char *text)
{
	if (at->file[0] && at->line && at->col)
		fprintf(stderr, "%s:%d:%d: %s: %s\n", at->file, at->line, at->col, kind, text);
	else if (at->file[0] && at->line)
		fprintf(stderr, "%s:%d: %s: %s\n", at->file, at->line, kind, text);
	else
		fprintf(stderr, "%s%s%s: %s\n", at->file, at->file[0] ? ": " : "", kind, text);
}

static void on_msg(void *arg, enum conf_severity sev, const struct conf_at *at, const char *text)
{
	struct check *k = arg;
	json_t *msg;

	*(sev == CONF_ERROR ? &k->nerrors : &k->nwarnings) += 1;
	if (!k->errors) {
		print_msg(at, sev == CONF_ERROR ? "error" : "warning", text);
		return;
	}
	msg = json_pack("{s:s, s:i, s:i, s:s}", "file", at->file, "line", at->line, "column", at->col, "text", text);
	if (!msg) /* not UTF-8 */
		msg = json_pack("{s:i, s:i, s:s}", "line", at->line, "column", at->col, "text",
				"this line is said to be wrong in words that are not UTF-8; run check without --json");
	json_array_append_new(sev == CONF_ERROR ? k->errors : k->warnings, msg);
}

static void say(struct check *k, const char *path, const char *text)
{
	struct conf_at at = { .file = path };

	on_msg(k, CONF_ERROR, &at, text);
}

/* What is printed may land in a ticket. */
static void mask_passwords(struct conf *conf)
{
	for (size_t i = 0; i < conf->nvrs; i++) {
		struct conf_vr *vr = &conf->vrs[i];

		if (vr->auth_pass_set)
			memset(vr->auth_pass, '*', strnlen((const char *)vr->auth_pass, sizeof(vr->auth_pass)));
	}
}

static void load(struct check *k, struct conf *conf, const char *path, const char *config_id)
{
	struct conf_io io;
	int n;

	conf_io_init(&io, config_id);
	n = conf_load(conf, path, &io, on_msg, k);
	if (n < 0)
		say(k, path, strerror(-n));
	else if (!n && !conf->nvrs)
		say(k, path, "there is no vrrp_instance in it, so there is nothing to run; add one");
	else if (!n)
		conf_lint(conf, &io, on_msg, k);
	mask_passwords(conf);
}

static int print_text(const struct check *k, const struct conf *conf, const char *path)
{
	char *text;

	fprintf(stderr, "%s: %d error%s, %d warning%s\n", path, k->nerrors, k->nerrors == 1 ? "" : "s", k->nwarnings,
		k->nwarnings == 1 ? "" : "s");
	if (k->nerrors)
		return 0;
	text = conf_print(conf);
	if (text)
		fputs(text, stdout);
	free(text);
	return text ? 0 : -ENOMEM;
}

static int print_json(const struct check *k, const struct conf *conf, const char *path)
{
	json_t *j = json_pack("{s:s, s:O, s:O, s:o}", "file", path, "errors", k->errors, "warnings", k->warnings,
			      "config", k->nerrors ? json_null() : check_json(conf));
	int err = !j || json_dumpf(j, stdout, JSON_INDENT(2)) ? -ENOMEM : 0;

	putchar('\n');
	json_decref(j);
	return err;
}

static int check(const char *path, const char *config_id, bool json)
{
	struct check k = { .errors = json ? json_array() : NULL, .warnings = json ? json_array() : NULL };
	struct conf conf;
	int err;

	conf_init(&conf);
	load(&k, &conf, path, config_id);
	err = json ? print_json(&k, &conf, path) : print_text(&k, &conf, path);
	if (!err && fflush(stdout))
		err = -errno;
	if (err)
		log_err("check: cannot print the configuration: %s", strerror(-err));
	conf_free(&conf);
	json_decref(k.errors);
	json_decref(k.warnings);
	return err ? EXIT_FAILED : k.nerrors ? EXIT_USAGE : EXIT_DONE;
}

int cmd_check(int argc, char *argv[])
{
	static const struct option opts[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "config-id", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	const char *path = NULL, *config_id = NULL;
	bool json = false;
	int o;

	opterr = 0;
	while ((o = getopt_long(argc, argv, ":f:i:", opts, NULL)) != -1) {
		switch (o) {
		case 'f':
			path = optarg;
			break;
		case 'i':
			config_id = optarg;
			break;
		case 'j':
			json = true;
			break;
		default:
			return run_bad_flag("check", argv[optind - 1], o);
		}
	}
	if (optind < argc) {
		log_err("check: unexpected argument \"%s\"; the file is given with -f", argv[optind]);
		return EXIT_USAGE;
	}
	if (!path)
		path = run_default_conf();
	return path ? check(path, config_id, json) : EXIT_USAGE;
}
