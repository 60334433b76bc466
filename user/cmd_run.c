// SPDX-License-Identifier: GPL-2.0-or-later
/* run: every virtual router of a keepalived.conf, in the foreground. */
#include "cmd.h"
#include "conf.h"
#include "ctl.h"
#include "log.h"
#include "loop.h"
#include "report.h"
#include "vr.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_CONF        "/etc/vrrp-xdp/vrrp-xdp.conf"
#define KEEPALIVED_CONF "/etc/keepalived/keepalived.conf"

enum { MAX_FILE = 64 << 20 };

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

void run_conf_msg(void *arg, enum conf_severity severity, const char *file, int line, const char *text)
{
	enum log_level level = severity == CONF_ERROR ? LOG_ERROR : LOG_WARNING;

	(void)arg;
	if (file[0])
		log_msg(level, "%s:%d: %s", file, line, text);
	else
		log_msg(level, "%s", text);
}

static int read_file(const char *path, conf_emit_fn emit, void *emit_arg)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	char *bytes = NULL;
	size_t len = 0;
	int err = 0;

	if (!f)
		return -errno;
	if (fstat(fileno(f), &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if (st.st_size > MAX_FILE)
		err = -EFBIG;
	if (!err) {
		bytes = malloc(st.st_size + 1);
		len = bytes ? fread(bytes, 1, st.st_size, f) : 0;
		err = !bytes ? -ENOMEM : ferror(f) ? -EIO : emit(emit_arg, path, bytes, len);
	}
	free(bytes);
	fclose(f);
	return err;
}

/* keepalived skips what is not a plain file or may be executed: an editor's leavings and scripts. */
static bool includable(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH));
}

static int read_pattern(void *arg, const char *pattern, conf_emit_fn emit, void *emit_arg)
{
	int n = 0, err = 0;
	glob_t g;
	size_t i;

	(void)arg;
	if (!strpbrk(pattern, "*?[{")) {
		err = read_file(pattern, emit, emit_arg);
		return err ? err : 1;
	}
	if (glob(pattern, GLOB_BRACE, NULL, &g))
		return 0;
	for (i = 0; i < g.gl_pathc && !err; i++) {
		if (includable(g.gl_pathv[i])) {
			err = read_file(g.gl_pathv[i], emit, emit_arg);
			n++;
		}
	}
	globfree(&g);
	return err ? err : n;
}

static const char *read_env(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

int run_load(struct conf *conf, const char *path)
{
	char id[64] = "";
	struct conf_io io = { .read = read_pattern, .env = read_env, .config_id = id };
	int n;

	if (!gethostname(id, sizeof(id) - 1))
		id[strcspn(id, ".")] = '\0';
	conf_init(conf);
	n = conf_load(conf, path, &io, run_conf_msg, NULL);
	if (n < 0)
		log_err("%s: cannot read the configuration: %s", path, strerror(-n));
	else if (n > 0)
		log_err("%s: %d error%s; nothing was started", path, n, n == 1 ? "" : "s");
	else if (!conf->nvrs)
		log_err("%s: no vrrp_instance in it; there is nothing to run", path);
	return n || !conf->nvrs ? EXIT_USAGE : 0;
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

static int go_realtime(int priority)
{
	struct sched_param p = { .sched_priority = priority };

	if (!priority)
		return 0;
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
		log_err("cannot lock memory for real-time priority %d: %s; raise RLIMIT_MEMLOCK or leave --rt-priority "
			"out",
			priority, strerror(errno));
		return EXIT_FAILED;
	}
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p)) {
		log_err("cannot take real-time priority %d: %s; it needs CAP_SYS_NICE and a cgroup with real-time "
			"budget, or leave "
			"--rt-priority out",
			priority, strerror(errno));
		return EXIT_FAILED;
	}
	return 0;
}

static int lock_interface(void *arg, const char *ifname)
{
	uid_t uid = 0;
	pid_t holder;
	int err = ctl_listen(arg, ifname, &holder, &uid);

	if (err == -EADDRINUSE && !ctl_trusted(uid)) {
		log_err("%s: the name of its control socket is taken by process %d of user %u, which is not vrrp-xdp; "
			"end that process",
			ifname, (int)holder, (unsigned int)uid);
		return EXIT_FAILED;
	}
	if (err == -EADDRINUSE) {
		log_err("%s: vrrp-xdp runs there already, as process %d; stop it, or put all virtual routers of %s "
			"into one file "
			"for `vrrp-xdp run`",
			ifname, (int)holder, ifname);
		return EXIT_FAILED;
	}
	if (err) {
		log_err("%s: cannot open the control socket: %s", ifname, strerror(-err));
		return EXIT_FAILED;
	}
	return 0;
}

int run_conf(const struct conf *conf)
{
	struct loop loop;
	struct vrs vrs = { 0 };
	struct ctl *ctl = NULL;
	int rc, err;

	rc = run_check_privileges();
	if (rc)
		return rc;
	err = loop_init(&loop);
	if (!err)
		err = ctl_new(&ctl, &loop, report_answer, &vrs);
	if (err) {
		log_err("cannot set up the event loop: %s", strerror(-err));
		rc = EXIT_FAILED;
		goto out;
	}
	rc = go_realtime(conf->rt_priority);
	if (!rc)
		rc = vrs_init(&vrs, &loop, conf, lock_interface, ctl);
	if (!rc)
		rc = vrs_start(&vrs);
	if (!rc) {
		err = loop_run(&loop);
		if (err < 0) {
			log_err("the event loop failed: %s", strerror(-err));
			rc = EXIT_FAILED;
		}
		vrs_stop(&vrs);
	}
out:
	vrs_fini(&vrs);
	ctl_free(ctl);
	loop_fini(&loop);
	return rc;
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
		{ 0 },
	};
	const char *path = NULL;
	enum conf_mode mode = CONF_MODE_AUTO;
	int rt = 0, rc = 0, o;
	struct conf conf;

	opterr = 0;
	while (!rc && (o = getopt_long(argc, argv, ":f:v", opts, NULL)) != -1) {
		switch (o) {
		case 'f':
			path = optarg;
			break;
		case 'm':
			rc = run_mode(optarg, &mode);
			break;
		case 'r':
			rc = run_number("--rt-priority", optarg, 1, 99, &rt);
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
	if (!rc && !path)
		path = run_default_conf();
	if (rc || !path)
		return EXIT_USAGE;
	rc = run_load(&conf, path);
	if (!rc) {
		conf.mode = mode;
		conf.rt_priority = rt ? rt : conf.rt_priority;
		rc = run_conf(&conf);
	}
	conf_free(&conf);
	return rc;
}
