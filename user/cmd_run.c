// SPDX-License-Identifier: GPL-2.0-or-later
/* run: every virtual router of a keepalived.conf, in the foreground. */
#include "cmd.h"
#include "conf.h"
#include "log.h"
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN_CONF        "/etc/vrrp-xdp/vrrp-xdp.conf"
#define KEEPALIVED_CONF "/etc/keepalived/keepalived.conf"

const char *run_default_conf(void)
{
	if (!access(OWN_CONF, F_OK))
		return OWN_CONF;
	if (!access(KEEPALIVED_CONF, F_OK))
		return KEEPALIVED_CONF;
	log_err("no configuration: neither " OWN_CONF " nor " KEEPALIVED_CONF
		" exists; give one with `vrrp-xdp run -f FILE`, "
		"or flags to `vrrp-xdp attach`");
	return NULL;
}

void run_conf_msg(void *arg, enum conf_severity severity, const struct conf_at *at, const char *text)
{
	enum log_level level = severity == CONF_ERROR ? LOG_ERROR : LOG_WARNING;

	(void)arg;
	if (at->file[0] && at->col)
		log_msg(level, "%s:%d:%d: %s", at->file, at->line, at->col, text);
	else if (at->file[0])
		log_msg(level, "%s:%d: %s", at->file, at->line, text);
	else
		log_msg(level, "%s", text);
}

int run_check_privileges(void)
{
	static const struct {
		int bit;
		const char *name;
	} need[] = { { 12, "CAP_NET_ADMIN" }, { 13, "CAP_NET_RAW" }, { 21, "CAP_SYS_ADMIN" } };
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t eff = UINT64_MAX;
	char line[256];
	size_t i;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %" SCNx64, &eff) == 1)
			break;
	if (f)
		fclose(f);
	for (i = 0; i < sizeof(need) / sizeof(need[0]); i++) {
		if (!(eff >> need[i].bit & 1)) {
			log_err("vrrp-xdp lacks %s; run it as root, or give the service that capability", need[i].name);
			return EXIT_FAILED;
		}
	}
	return 0;
}

int run_choice(const char *flag, const char *word, const char *const names[3])
{
	int i;

	for (i = 0; i < 3; i++)
		if (!strcmp(word, names[i]))
			return i;
	log_err("%s \"%s\" is not known; use %s, %s or %s", flag, word, names[0], names[1], names[2]);
	return -1;
}

int run_mode(const char *word, enum conf_mode *out)
{
	static const char *const names[] = {
		[CONF_MODE_AUTO] = "auto",
		[CONF_MODE_NATIVE] = "native",
		[CONF_MODE_SKB] = "skb",
	};
	int i = run_choice("--mode", word, names);

	if (i >= 0)
		*out = i;
	return i >= 0 ? 0 : EXIT_USAGE;
}

int run_number(const char *flag, const char *word, int min, int max, int *out)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(word, &end, 10);
	if (errno || end == word || *end || n < min || n > max) {
		log_err("%s \"%s\" is not a number from %d to %d", flag, word, min, max);
		return EXIT_USAGE;
	}
	*out = n;
	return 0;
}

int run_bad_flag(const char *cmd, const char *word, int kind)
{
	if (kind == ':')
		log_err("%s: %s needs a value; see `vrrp-xdp help`", cmd, word);
	else
		log_err("%s: unknown flag \"%s\"; see `vrrp-xdp help`", cmd, word);
	return EXIT_USAGE;
}

int cmd_run(int argc, char *argv[])
{
	static const struct option opts[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "mode", required_argument, NULL, 'm' },
		{ "rt-priority", required_argument, NULL, 'r' },
		{ "config-id", required_argument, NULL, 'i' },
		{ 0 },
	};
	struct run_source src = { 0 };
	struct conf conf;
	int rc = 0, o;

	opterr = 0;
	while (!rc && (o = getopt_long(argc, argv, ":f:i:v", opts, NULL)) != -1) {
		switch (o) {
		case 'f':
			src.path = optarg;
			break;
		case 'i':
			src.config_id = optarg;
			break;
		case 'm':
			src.mode = optarg;
			rc = run_mode(optarg, &(enum conf_mode){ CONF_MODE_AUTO });
			break;
		case 'r':
			rc = run_number("--rt-priority", optarg, 1, 99, &src.rt_priority);
			break;
		case 'v':
			log_set_level(LOG_DEBUG);
			break;
		default:
			return run_bad_flag("run", argv[optind - 1], o);
		}
	}
	if (!rc && optind < argc) {
		log_err("run: unexpected argument \"%s\"; the file is given with -f", argv[optind]);
		return EXIT_USAGE;
	}
	if (!rc && !src.path)
		src.path = run_default_conf();
	if (rc || !src.path)
		return EXIT_USAGE;
	rc = run_load(&conf, &src);
	if (!rc)
		rc = run_conf(&conf, &src);
	conf_free(&conf);
	return rc;
}
