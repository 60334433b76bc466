// SPDX-License-Identifier: GPL-2.0-or-later
#include "run.h"

#include "cmd.h"
#include "conf_io.h"
#include "ctl.h"
#include "guardian.h"
#include "log.h"
#include "loop.h"
#include "priv.h"
#include "report.h"
#include "restart.h"
#include "sd.h"
#include "vr.h"
#include "ward.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LOCK_TRIES = 100, LOCK_PAUSE_US = 10000, FILES_MIN = 512, STOP_S = 30, RESTART_TRIES = 60 };
#define RESTART_PAUSE_NS (20 * VX_NS_PER_MS)

struct run {
	struct loop loop;
	struct vrs vrs;
	struct ctl *ctl;
	struct conf *conf; /* owned: what runs */
	struct loop_io guardian_io;
	const struct run_source *src;
	/* restart */
	bool restarting;
	bool no_room;        /* the file's configuration does not fit what was made at the start */
	bool fresh;          /* stop, and start afresh */
	struct timer timer;  /* the next look whether it can be handed over */
	unsigned int waited; /* how often that was looked at */
};

int run_load(struct conf *conf, const struct run_source *src)
{
	struct conf_io io;
	int n, rc = 0;

	conf_io_init(&io, src->config_id);
	conf_init(conf);
	n = conf_load(conf, src->path, &io, run_conf_msg, NULL);
	if (n < 0)
		log_err("%s: cannot read the configuration: %s", src->path, strerror(-n));
	else if (n > 0)
		log_err("%s: %d error%s; nothing was started or changed", src->path, n, n == 1 ? "" : "s");
	else if (!conf->nvrs)
		log_err("%s: no vrrp_instance in it; there is nothing to run", src->path);
	if (n || !conf->nvrs)
		return EXIT_USAGE;
	if (src->ifname && !conf_keep_interface(conf, src->ifname)) {
		log_err("%s: no virtual router in %s is on this interface; give --vrid and --vip", src->ifname,
			src->path);
		return EXIT_USAGE;
	}
	if (src->mode)
		rc = run_mode(src->mode, &conf->mode);
	if (src->rt_priority)
		conf->globals.rt_priority = src->rt_priority;
	return rc;
}

/* ---- the process ---- */

/* What the flag asks for must be; what the file asks for and cannot have is said, and the routers run without it, as keepalived does. */
static int go_realtime(int priority, bool must)
{
	struct sched_param p = { .sched_priority = priority };
	const char *step = "lock memory", *need = "raise RLIMIT_MEMLOCK";

	if (!priority)
		return 0;
	if (!mlockall(MCL_CURRENT | MCL_FUTURE)) {
		step = "take the priority";
		need = "it needs CAP_SYS_NICE and a cgroup with real-time budget";
		if (!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p))
			return 0;
	}
	log_msg(must ? LOG_ERROR : LOG_WARNING, "real-time priority %d: cannot %s: %s; %s, or leave it out", priority,
		step, strerror(errno), need);
	return must ? EXIT_FAILED : 0;
}

/* vrrp_cpu_affinity: numbers of CPUs. */
static int set_affinity(const char *words)
{
	char *end;
	cpu_set_t set;
	long cpu;

	CPU_ZERO(&set);
	for (; *words; words = end + strspn(end, " \t")) {
		cpu = strtol(words, &end, 10);
		if (end == words)
			break;
		if (cpu >= 0 && cpu < CPU_SETSIZE)
			CPU_SET(cpu, &set);
	}
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/*
 * To undo a start that has run out of descriptors takes descriptors, a few dozen with libxdp: so there is no start with too few. 64
 * interfaces need most of these.
 */
static int check_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur >= FILES_MIN)
		return 0;
	l.rlim_cur = l.rlim_max;
	if (l.rlim_max >= FILES_MIN && !setrlimit(RLIMIT_NOFILE, &l))
		return 0;
	log_err("the limit of %llu open files is too low; give at least %d with `ulimit -n`, or LimitNOFILE= of the "
		"service",
		(unsigned long long)l.rlim_max, FILES_MIN);
	return EXIT_FAILED;
}

static int set_process(const struct conf_globals *g, bool rt_must)
{
	int err;

	if (g->nice && setpriority(PRIO_PROCESS, 0, g->nice))
		log_warn("vrrp_priority %d: %s", g->nice, strerror(errno));
	err = g->cpu_affinity ? set_affinity(g->cpu_affinity) : 0;
	if (err)
		log_warn("vrrp_cpu_affinity %s: %s", g->cpu_affinity, strerror(-err));
	else if (g->cpu_affinity)
		exec_set_pinned();
	if (g->no_swap && mlockall(MCL_CURRENT | MCL_FUTURE))
		log_warn("vrrp_no_swap: %s; raise RLIMIT_MEMLOCK", strerror(errno));
	if (g->process_name)
		prctl(PR_SET_NAME, g->process_name);
	return go_realtime(g->rt_priority, rt_must);
}

/* startup_script, shutdown_script: nothing else goes on meanwhile. */
static void run_script(const struct conf_cmd *c, const char *what, unsigned int timeout_s)
{
	const struct exec_cmd cmd = { .argv = c->argv, .uid = c->uid, .gid = c->gid };
	int code = 0;

	if (!c->argv)
		return;
	switch (exec_wait(&cmd, timeout_s * VX_NS_PER_S, &code)) {
	case EXEC_EXITED:
		if (code)
			log_warn("%s %s: exit status %d", what, c->text, code);
		break;
	case EXEC_SIGNALED:
		log_warn("%s %s: ended by signal %d", what, c->text, code);
		break;
	case EXEC_TIMEOUT:
	case EXEC_GONE:
		log_warn("%s %s: not done after %u s, killed", what, c->text, timeout_s);
		break;
	case EXEC_FAILED:
		log_warn("%s %s: cannot be run: %s", what, c->text, strerror(code));
		break;
	}
}

/* A controller that was killed while it started a script leaves its sockets to the script's process, until that has begun to run. */
static int listen_when_free(struct ctl *ctl, const char *ifname, pid_t *holder, uid_t *uid)
{
	int tries, err = -EADDRINUSE;

	for (tries = 0; err == -EADDRINUSE && tries < LOCK_TRIES; tries++) {
		if (tries)
			usleep(LOCK_PAUSE_US);
		err = ctl_listen(ctl, ifname, holder, uid);
		if (err == -EADDRINUSE && (*holder <= 0 || !kill(*holder, 0) || errno != ESRCH))
			break;
	}
	return err;
}

static int lock_interface(void *arg, const char *ifname)
{
	uid_t uid = 0;
	pid_t holder;
	int err = listen_when_free(arg, ifname, &holder, &uid);

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

static void unlock_interface(void *arg, const char *ifname)
{
	ctl_unlisten(arg, ifname);
}

/* What follows from @conf for the rights of this process and of others; going on with more than is needed beats not going on. */
static void settle_rights(struct run *r, const struct conf *conf)
{
	bool password = false;
	int err = priv_drop();
	size_t i;

	if (err)
		log_warn("cannot drop the capabilities that are not needed: %s", strerror(-err));
	for (i = 0; i < conf->nvrs; i++)
		password |= conf->vrs[i].auth_pass_set;
	err = priv_hide_memory(password);
	if (err)
		log_warn("cannot keep the password out of core dumps: %s", strerror(-err));
	ctl_allow_group(r->ctl, conf->globals.control_group_set, conf->globals.control_gid);
}

/* ---- reload ---- */

static int reload(struct run *r)
{
	struct conf *conf;
	int rc;

	if (!r->src->path) {
		log_warn("this vrrp-xdp was started with flags: there is no file to read again");
		return EXIT_USAGE;
	}
	sd_notify_reloading();
	conf = malloc(sizeof(*conf));
	if (!conf) {
		log_err("out of memory");
		return EXIT_FAILED;
	}
	log_info("Reloading %s", r->src->path);
	ward_rest(); /* a driver may take seconds to be given a program */
	rc = run_load(conf, r->src);
	if (!rc) {
		conf_name_vlans(conf);
		rc = vrs_reload(&r->vrs, conf);
	}
	if (rc) {
		log_err("%s: not taken over; everything goes on as before", r->src->path);
	} else {
		struct conf *old = r->conf;

		r->conf = conf;
		conf = old;
		settle_rights(r, r->conf);
		log_info("Reload finished");
	}
	conf_free(conf);
	free(conf);
	sd_notify_state("READY=1");
	return rc;
}

static void take_line(void *arg, enum log_level level, const char *text)
{
	if (level <= LOG_WARNING)
		json_array_append_new(arg, json_pack("{s:s, s:s}", "severity", level == LOG_ERROR ? "error" : "warning",
						     "text", text));
}

/* The client is told what the log is told. */
static json_t *answer_reload(struct run *r)
{
	json_t *said = json_array();
	int rc;

	log_set_tap(take_line, said);
	rc = reload(r);
	log_set_tap(NULL, NULL);
	return json_pack("{s:[{s:i, s:b, s:i, s:o}]}", "reloads", "pid", (int)getpid(), "has_file",
			 r->src->path != NULL, "exit", rc == VRS_NO_ROOM ? EXIT_FAILED : rc, "said", said);
}

/* ---- restart ---- */

/* @said: steals the reference. */
static json_t *restart_answer(int rc, json_t *said)
{
	return json_pack("{s:[{s:i, s:i, s:o}]}", "restarts", "pid", (int)getpid(), "exit", rc, "said", said);
}

static void say_unguarded(void)
{
	if (!ward_guarded())
		log_warn("this controller (process %d) goes on without a guardian: should it die, only its lease "
			 "silences "
			 "it, and the others wait for three adverts; see to it that `vrrp-xdp restart` works",
			 (int)getpid());
}

/* The log and the clients that wait are told why nothing came of it. */
static void restart_failed(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void restart_failed(struct run *r, const char *fmt, ...)
{
	json_t *said = json_array();
	char text[PATH_MAX + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_set_tap(take_line, said);
	log_err("%s; everything goes on as before", text);
	log_set_tap(NULL, NULL);
	say_unguarded();
	r->restarting = r->no_room = false;
	ctl_answer_deferred(r->ctl, restart_answer(EXIT_FAILED, said));
}

/* As at SIGTERM, see run_conf() for what follows. */
static void restart_afresh(struct run *r)
{
	json_t *said = json_array();

	log_set_tap(take_line, said);
	log_warn("%s: handing over to the other routers, and starting afresh",
		 r->no_room ? "the configuration does not fit what was made at the start"
			    : "the program that is installed is of a version that cannot go on where this one stops");
	log_set_tap(NULL, NULL);
	ctl_answer_deferred(r->ctl, restart_answer(EXIT_DONE, said));
	r->fresh = true;
	loop_stop(&r->loop, SIGTERM);
}

static void hand_over(struct run *r)
{
	uint64_t now_ns;
	struct hand h;
	int err;

	log_info("Restarting %s", restart_path());
	sd_notify_reloading();
	hand_init(&h);
	vrs_write_will(&r->vrs, &h);
	ward_hand_over(&h, vrs_patience(&r->vrs));
	now_ns = loop_now_ns();
	HAND(&h, now_ns);
	ctl_hand(r->ctl, &h);
	vrs_hand_over(&r->vrs, &h);
	err = restart_exec(&h);
	hand_free(&h);
	sd_notify_state("READY=1");
	restart_failed(r, "%s: cannot be run: %s", restart_path(), strerror(-err));
}

/* A second for what scripts of earlier changes hold up; those that still wait then are not run. */
static void on_restart_timer(void *arg, uint64_t now_ns)
{
	struct run *r = arg;

	if (!vrs_can_hand_over(&r->vrs) && ++r->waited < RESTART_TRIES)
		timer_arm(&r->loop.timers, &r->timer, now_ns + RESTART_PAUSE_NS);
	else
		hand_over(r);
}

/* A program that does not know the question is older than it. */
static void on_asked(void *arg, enum exec_end end, int code)
{
	struct run *r = arg;
	bool other = end == EXEC_EXITED && (code == RESTART_OTHER_VERSION || code == EXIT_USAGE);

	if (end == EXEC_GONE)
		return;
	if (other || (end == EXEC_EXITED && code == EXIT_DONE && r->no_room))
		restart_afresh(r);
	else if (end == EXEC_EXITED && code == EXIT_DONE)
		on_restart_timer(r, loop_now_ns());
	else if (end == EXEC_EXITED && code == RESTART_REFUSED)
		restart_failed(r, "%s does not take the configuration or the flags that this one runs with",
			       restart_path());
	else
		restart_failed(r, "%s does not work: %s %d", restart_path(),
			       end == EXEC_EXITED     ? "exit status"
			       : end == EXEC_SIGNALED ? "signal"
						      : "no answer in time;",
			       code);
}

static int begin_restart(struct run *r)
{
	int err = restart_ask(r->vrs.exec, on_asked, r);

	if (err)
		log_err("%s: cannot be run: %s; everything goes on as before", restart_path(), strerror(-err));
	r->restarting = !err;
	r->waited = 0;
	return err;
}

/* First the file, as at a reload: it is what the next one finds, and what it takes over has to be the same. */
static json_t *answer_restart(struct run *r)
{
	json_t *said = json_array();
	int rc = 0;

	if (r->restarting) {
		json_decref(said);
		ctl_defer(r->ctl);
		return NULL;
	}
	log_set_tap(take_line, said);
	if (r->src->path)
		rc = reload(r);
	r->no_room = rc == VRS_NO_ROOM;
	if ((!rc || r->no_room) && begin_restart(r))
		rc = EXIT_FAILED;
	log_set_tap(NULL, NULL);
	if (!r->restarting)
		return restart_answer(rc, said);
	json_decref(said);
	ctl_defer(r->ctl);
	return NULL;
}

static json_t *answer(void *arg, const char *request)
{
	struct run *r = arg;

	ward_rest(); /* thousands of routers are many counters */
	if (!strcmp(request, "reload"))
		return answer_reload(r);
	if (!strcmp(request, "restart"))
		return answer_restart(r);
	if (!strncmp(request, "drain", 5) || !strncmp(request, "undrain", 7))
		return report_drain(&r->vrs, request);
	return report_answer(&r->vrs, request);
}

static void on_signal(void *arg, int signo)
{
	struct run *r = arg;

	if (signo == SIGHUP && !r->src->path) /* there is no file, but there was a terminal, and it was closed */
		loop_stop(&r->loop, signo);
	else if (signo == SIGHUP)
		reload(r);
	else
		log_info("signal %d: nothing is written to files; see `vrrp-xdp status --json` and `vrrp-xdp stats "
			 "--json`",
			 signo);
}

/* ---- the guardian ---- */

static void on_guardian_gone(void *arg, uint32_t events, uint64_t now_ns)
{
	struct run *r = arg;

	(void)events;
	(void)now_ns;
	loop_del(&r->loop, &r->guardian_io);
	sd_relay(NULL);
	log_err("the guardian (process %d) has been killed; restarting the controller (process %d) with a new one",
		(int)ward_guardian(), (int)getpid());
	if (!r->restarting && begin_restart(r))
		say_unguarded();
}

static int watch_guardian(struct run *r)
{
	r->guardian_io = (struct loop_io){ .fd = ward_fd(), .prio = LOOP_OTHER, .fn = on_guardian_gone, .arg = r };
	return loop_add(&r->loop, &r->guardian_io, EPOLLIN);
}

/* ---- from start to stop ---- */

static int start(struct run *r)
{
	const struct vrs_host host = {
		.loop = &r->loop, .lock = lock_interface, .unlock = unlock_interface, .arg = r->ctl
	};
	int rc = set_process(&r->conf->globals, r->src->rt_priority != 0);

	if (rc)
		return rc;
	run_script(&r->conf->globals.startup_script, "startup_script", r->conf->globals.startup_timeout_s);
	rc = vrs_init(&r->vrs, &host, r->conf);
	if (!rc)
		rc = vrs_start(&r->vrs);
	if (!rc)
		settle_rights(r, r->conf);
	return rc;
}

/* In the place of the controller before this one. False: it cannot be, and what that has left is removed. */
static bool adopt(struct run *r, struct hand *h)
{
	const struct vrs_host host = {
		.loop = &r->loop, .lock = lock_interface, .unlock = unlock_interface, .arg = r->ctl
	};
	uint64_t since_ns;

	HAND(h, since_ns);
	ctl_hand(r->ctl, h);
	if (vrs_adopt(&r->vrs, &host, r->conf, h) || vrs_resume(&r->vrs)) {
		vrs_leave(&r->vrs);
		restart_give_up();
		return false;
	}
	log_info("Restarted: %zu virtual router%s on; %.1f ms without a controller", r->vrs.nvr,
		 r->vrs.nvr == 1 ? " goes" : "s go", (loop_now_ns() - since_ns) / 1e6);
	restart_taken();
	set_process(&r->conf->globals, false);
	settle_rights(r, r->conf);
	return true;
}

static int start_or_adopt(struct run *r)
{
	struct hand *h = restart_hand();
	int rc;

	conf_name_vlans(r->conf);
	rc = h && adopt(r, h) ? 0 : start(r);
	ctl_adopted(r->ctl);
	return rc;
}

static int run_until_stopped(struct run *r)
{
	int err;

	sd_notify_state("READY=1");
	ctl_answer_deferred(r->ctl, restart_answer(EXIT_DONE, json_array())); /* who asked the controller before */
	err = loop_run(&r->loop);
	sd_notify_state("STOPPING=1");
	if (err < 0)
		log_err("the event loop failed: %s", strerror(-err));
	vrs_stop(&r->vrs);
	return err < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* The guardian that the controller before had, or one of our own: then this process becomes it, and its child goes on here. */
static int find_guardian(const struct conf_globals *g)
{
	struct hand *h = restart_hand();
	int err = h ? ward_adopt(h) : -ENOENT;

	return err == -ENOENT ? ward_start(g->rt_priority, g->nice, STOP_S + g->shutdown_timeout_s) : err;
}

static int run_afresh(void)
{
	int err;

	if (ward_guarded())
		return GUARDIAN_AGAIN;
	err = restart_exec(NULL);
	log_err("%s: cannot be run: %s; start it", restart_path(), strerror(-err));
	return EXIT_FAILED;
}

int run_conf(struct conf *conf, const struct run_source *src)
{
	struct run r = { .src = src };
	int rc, err;

	if (restart_rehearsing()) {
		conf_free(conf);
		return 0;
	}
	rc = run_check_privileges();
	if (!rc)
		rc = check_descriptors();
	err = rc ? 0 : find_guardian(&conf->globals);
	if (err) {
		log_err("cannot start the guardian: %s", strerror(-err));
		rc = EXIT_FAILED;
	}
	r.timer = (struct timer){ .fn = on_restart_timer, .arg = &r };
	r.conf = rc ? NULL : malloc(sizeof(*conf));
	if (!r.conf) {
		conf_free(conf);
		return rc ? rc : EXIT_FAILED;
	}
	*r.conf = *conf;
	memset(conf, 0, sizeof(*conf));
	sd_relay(ward_notify);
	err = loop_init(&r.loop);
	r.loop.signal = on_signal;
	r.loop.signal_arg = &r;
	if (!err)
		err = watch_guardian(&r);
	if (!err)
		err = timer_queue_reserve(&r.loop.timers, 1);
	if (!err)
		err = ctl_new(&r.ctl, &r.loop, answer, &r);
	if (err) {
		log_err("cannot set up the event loop: %s", strerror(-err));
		rc = EXIT_FAILED;
	}
	if (!rc)
		rc = start_or_adopt(&r);
	if (!rc)
		rc = run_until_stopped(&r);
	vrs_fini(&r.vrs);
	ctl_free(r.ctl);
	if (!rc)
		run_script(&r.conf->globals.shutdown_script, "shutdown_script", r.conf->globals.shutdown_timeout_s);
	loop_fini(&r.loop);
	conf_free(r.conf);
	free(r.conf);
	return r.fresh && !rc ? run_afresh() : rc;
}
