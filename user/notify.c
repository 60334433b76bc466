// SPDX-License-Identifier: GPL-2.0-or-later
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "notify_script.h"

#ifndef VX_LIBEXEC
#define VX_LIBEXEC "/usr/local/libexec/vrrp-xdp"
#endif

#define MAILER   "vrrp-xdp-mail"
#define NS_PER_S 1000000000ULL

enum {
	NFIFOS = 2,
	MAILS_MAX = 16,  /* at once: an instance that flaps must not fork without bound */
	RECIPIENTS = 40, /* of one mail program; with its options fewer than EXEC_ARGS_MAX */
	LINE_LEN = 512,
};

struct fifo {
	const struct conf_fifo *conf;
	int fd;
	bool made;
	dev_t dev; /* of what was made: only that is unlinked */
	ino_t ino;
	unsigned long dropped; /* lines since the last one that fitted */
	struct exec_job *script;
};

/* A mail program that runs; a NULL @job: free. */
struct run {
	struct notify *n;
	struct exec_job *job;
};

struct notify {
	struct exec *exec;
	const struct conf *conf;
	struct fifo *fifos[NFIFOS]; /* notify_fifo, vrrp_notify_fifo; NULL: none */
	struct notify_scripts *scripts;
	struct run mails[MAILS_MAX];
	bool said_mails_full, said_mail_failed; /* said once, until it works again */
	char mailer[PATH_MAX];                  /* "": there is none */
};

static const char *const state_name[] = {
	[NOTIFY_MASTER] = "MASTER",
	[NOTIFY_BACKUP] = "BACKUP",
	[NOTIFY_FAULT] = "FAULT",
	[NOTIFY_STOP] = "STOP",
	[NOTIFY_DELETED] = "DELETED",
	[NOTIFY_MASTER_RX_LOWER_PRI] = "MASTER_RX_LOWER_PRI",
	[NOTIFY_MASTER_PRIORITY] = "MASTER_PRIORITY",
	[NOTIFY_BACKUP_PRIORITY] = "BACKUP_PRIORITY",
};

/* The script of one state, and whether `notify` is run as well. */
static const struct conf_cmd *state_script(const struct conf_notify *c, enum notify_state state, bool *any)
{
	*any = true;
	switch (state) {
	case NOTIFY_MASTER:
		return &c->master;
	case NOTIFY_BACKUP:
		return &c->backup;
	case NOTIFY_FAULT:
		return &c->fault;
	case NOTIFY_STOP:
		return &c->stop;
	case NOTIFY_DELETED:
		return &c->deleted;
	case NOTIFY_MASTER_RX_LOWER_PRI:
		*any = false;
		return &c->master_rx_lower_pri;
	case NOTIFY_MASTER_PRIORITY:
	case NOTIFY_BACKUP_PRIORITY:
		break;
	}
	*any = false;
	return NULL;
}

static const char *kind_name(const struct notify_about *who)
{
	return who->group ? "GROUP" : "INSTANCE";
}

static void run_script(struct notify *n, const struct notify_about *who, const struct conf_cmd *cmd,
		       const char *const *extra)
{
	notify_scripts_run(n->scripts, who->group, who->name, cmd, extra, n->conf->globals.supplementary_groups);
}

static void run_scripts(struct notify *n, const struct notify_about *who, enum notify_state state)
{
	char priority[16];
	const char *const extra[] = { kind_name(who), who->name, state_name[state], priority, NULL };
	const struct conf_cmd *cmd;
	bool any;

	if (!who->cmds)
		return;
	notify_scripts_next_change(n->scripts);
	cmd = state_script(who->cmds, state, &any);
	if (cmd)
		run_script(n, who, cmd, NULL);
	snprintf(priority, sizeof(priority), "%d", who->priority);
	if (any)
		run_script(n, who, &who->cmds->any, extra);
}

/* A reader that has stopped reading must not hold up an advert: what does not fit is dropped and counted. */
static void fifo_write(struct fifo *f, const char *line, size_t len)
{
	if (write(f->fd, line, len) != (ssize_t)len) { /* a line is shorter than PIPE_BUF: all of it, or nothing */
		if (!f->dropped++)
			log_warn(
				"notify_fifo %s: nobody reads it and it is full; events are dropped until that changes",
				f->conf->path);
		return;
	}
	if (f->dropped)
		log_info("notify_fifo %s: is read again; %lu events were dropped", f->conf->path, f->dropped);
	f->dropped = 0;
}

static void write_fifos(struct notify *n, const struct notify_about *who, enum notify_state state)
{
	char line[LINE_LEN];
	int i, len = snprintf(line, sizeof(line), "%s \"%s\" %s %d\n", kind_name(who), who->name, state_name[state],
			      who->priority);

	for (i = 0; i < NFIFOS && len < LINE_LEN; i++)
		if (n->fifos[i])
			fifo_write(n->fifos[i], line, len);
}

static void on_mail_end(void *arg, enum exec_end end, int code)
{
	struct run *r = arg;
	const struct conf_globals *g = &r->n->conf->globals;
	bool ok = end == EXEC_EXITED && !code;

	if (end != EXEC_TIMEOUT)
		r->job = NULL;
	if (end == EXEC_GONE)
		return;
	if (!ok && !r->n->said_mail_failed && g->smtp_server) {
		if (end == EXEC_EXITED)
			log_warn("cannot send mail through %s port %u: curl error %d, see libcurl-errors(3); check "
				 "smtp_server, "
				 "and that it takes this sender and these recipients",
				 g->smtp_server, g->smtp_port, code);
		else
			log_warn("cannot send mail through %s port %u: it took too long; check smtp_server",
				 g->smtp_server, g->smtp_port);
	}
	r->n->said_mail_failed = !ok;
}

static struct run *free_mail(struct notify *n)
{
	size_t i;

	for (i = 0; i < MAILS_MAX; i++)
		if (!n->mails[i].job)
			return &n->mails[i];
	return NULL;
}

static void start_mailer(struct notify *n, char *const *argv)
{
	struct exec_cmd e = { .argv = argv, .uid = geteuid(), .gid = getegid() }; /* it gives up its rights by itself */
	struct run *r = free_mail(n);
	uint64_t timeout = n->conf->globals.smtp_timeout_s * NS_PER_S;
	int err;

	if (!r) {
		if (!n->said_mails_full)
			log_warn("%d mails are on their way; further ones are dropped until some have gone, check "
				 "smtp_server",
				 MAILS_MAX);
		n->said_mails_full = true;
		return;
	}
	n->said_mails_full = false;
	err = exec_start(n->exec, &e, 2 * timeout + 5 * NS_PER_S, on_mail_end, r, &r->job);
	if (err && !n->said_mail_failed) {
		log_warn("cannot run %s: %s; mail is not sent", n->mailer, strerror(-err));
		n->said_mail_failed = true;
	}
}

/* keepalived's words, for filters in mailboxes know them. False: no mail for this state. */
static bool mail_text(const struct notify_about *who, enum notify_state state, const char **what, const char **body)
{
	switch (state) {
	case NOTIFY_MASTER:
		*what = "Entering MASTER state";
		*body = who->group ? "=> All VRRP group instances are now in MASTER state <="
				   : "=> VRRP Instance is now owning VRRP VIPs <=";
		return true;
	case NOTIFY_BACKUP:
		*what = "Entering BACKUP state";
		*body = who->group ? "=> All VRRP group instances are now in BACKUP state <="
				   : "=> VRRP Instance is no longer owning VRRP VIPs <=";
		return true;
	case NOTIFY_FAULT:
		*what = "Entering FAULT state";
		*body = who->group ? "=> All VRRP group instances are now in FAULT state <="
				   : "=> VRRP Instance is no longer owning VRRP VIPs <=";
		return true;
	case NOTIFY_STOP:
		*what = "Stopping";
		*body = who->group ? "=> All VRRP group instances are now stopping <=" : "=> VRRP Instance stopping <=";
		return true;
	case NOTIFY_DELETED:
	case NOTIFY_MASTER_RX_LOWER_PRI:
	case NOTIFY_MASTER_PRIORITY:
	case NOTIFY_BACKUP_PRIORITY:
		break;
	}
	return false;
}

/* Everything goes in arguments: none of it is secret. argv is only read. */
static void send_mail(struct notify *n, const char *subject, const char *body)
{
	const struct conf_globals *g = &n->conf->globals;
	char port[16], timeout[16];
	const char *argv[EXEC_ARGS_MAX + 1], **to = g->emails;
	size_t argc, k;

	snprintf(port, sizeof(port), "%u", g->smtp_port);
	snprintf(timeout, sizeof(timeout), "%u", g->smtp_timeout_s);
	while (*to) {
		const char *const head[] = { n->mailer,      "-s",
					     g->smtp_server, "-p",
					     port,           "-t",
					     timeout,        "-S",
					     subject,        "-b",
					     body,           g->smtp_helo ? "-H" : NULL,
					     g->smtp_helo,   g->email_from ? "-f" : NULL,
					     g->email_from };

		for (argc = 0, k = 0; k < sizeof(head) / sizeof(head[0]); k++)
			if (head[k])
				argv[argc++] = head[k];
		argv[argc++] = "--";
		for (k = 0; k < RECIPIENTS && *to; k++)
			argv[argc++] = *to++;
		argv[argc] = NULL;
		start_mailer(n, (char *const *)argv);
	}
}

static void mail(struct notify *n, const struct notify_about *who, enum notify_state state)
{
	const struct conf_globals *g = &n->conf->globals;
	const char *what, *body;
	char subject[LINE_LEN];

	if (!who->mail || !n->mailer[0] || (state == NOTIFY_FAULT && g->no_email_faults))
		return;
	if (!mail_text(who, state, &what, &body))
		return;
	snprintf(subject, sizeof(subject), "[%s] VRRP %s %s - %s", g->router_id ? g->router_id : "",
		 who->group ? "Group" : "Instance", who->name, what);
	send_mail(n, subject, body);
}

void notify_tell(struct notify *n, const struct notify_about *who, enum notify_state state)
{
	run_scripts(n, who, state);
	write_fifos(n, who, state);
	mail(n, who, state);
}

void notify_repeat(struct notify *n, const struct notify_about *who, enum notify_state state)
{
	write_fifos(n, who, state);
}

/* Makes or opens the FIFO without ever opening something else for writing. 0 or -errno; -EPERM: it is somebody else's. */
static int fifo_open(struct fifo *f)
{
	const struct conf_fifo *c = f->conf;
	struct stat st;

	f->made = !mkfifo(c->path, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
	if (!f->made && errno != EEXIST)
		return -errno;
	if (lstat(c->path, &st))
		return -errno;
	if (!S_ISFIFO(st.st_mode)) /* opening a device may do things */
		return -EEXIST;
	f->fd = open(c->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd < 0 || fstat(f->fd, &st))
		return -errno;
	if (!S_ISFIFO(st.st_mode))
		return -EEXIST;
	if (st.st_uid != geteuid() && !(c->user && st.st_uid == c->uid))
		return -EPERM;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	if (f->made && c->user && fchown(f->fd, c->uid, c->gid))
		return -errno;
	return 0;
}

static void on_fifo_script_end(void *arg, enum exec_end end, int code)
{
	struct fifo *f = arg;

	(void)end;
	(void)code;
	f->script = NULL;
	log_warn("notify_fifo %s: its script %s has ended; it is started again at the next start or reload that "
		 "changes it",
		 f->conf->path, f->conf->script.argv[0]);
}

static void start_fifo_script(struct notify *n, struct fifo *f)
{
	const char *const extra[] = { f->conf->path, NULL };
	struct exec_cmd cmd = {
		.argv = f->conf->script.argv,
		.extra = extra,
		.uid = f->conf->script.uid,
		.gid = f->conf->script.gid,
		.supplementary_groups = n->conf->globals.supplementary_groups,
	};
	int err;

	if (!cmd.argv)
		return;
	err = exec_start(n->exec, &cmd, 0, on_fifo_script_end, f, &f->script);
	if (err)
		log_err("notify_fifo %s: cannot run its script %s: %s; check the file and its user", f->conf->path,
			cmd.argv[0], strerror(-err));
}

static void fifo_free(struct notify *n, struct fifo *f)
{
	struct stat st;

	if (!f)
		return;
	if (f->script)
		exec_kill(n->exec, f->script);
	if (f->fd >= 0)
		close(f->fd);
	if (f->made && !lstat(f->conf->path, &st) && S_ISFIFO(st.st_mode) &&
	    (f->fd < 0 || (st.st_dev == f->dev && st.st_ino == f->ino)))
		unlink(f->conf->path);
	free(f);
}

static struct fifo *fifo_new(struct notify *n, const struct conf_fifo *conf)
{
	struct fifo *f = calloc(1, sizeof(*f));
	int err = -ENOMEM;

	if (f) {
		f->conf = conf;
		f->fd = -1;
		err = fifo_open(f);
	}
	if (!err) {
		start_fifo_script(n, f);
		return f;
	}
	if (err == -EEXIST)
		log_err("notify_fifo %s: is there already and is no FIFO; nothing is written to it, remove it or name "
			"another path",
			conf->path);
	else if (err == -EPERM)
		log_err("notify_fifo %s: belongs to another user; nothing is written to it, remove it or name its "
			"owner "
			"in the configuration",
			conf->path);
	else
		log_err("notify_fifo %s: cannot make or open it: %s; check the folder and its rights", conf->path,
			strerror(-err));
	fifo_free(n, f);
	return NULL;
}

static bool same_fifo(const struct conf_fifo *a, const struct conf_fifo *b)
{
	char *const *x = a->script.argv, *const *y = b->script.argv;

	if (strcmp(a->path, b->path) || !a->user != !b->user || a->uid != b->uid || a->gid != b->gid || !x != !y)
		return false;
	if (!x)
		return true;
	while (*x && *y && !strcmp(*x, *y)) {
		x++;
		y++;
	}
	return !*x && !*y && a->script.uid == b->script.uid && a->script.gid == b->script.gid;
}

/* What is the same stays open, whichever of the two it is now; the rest is closed before new ones are made, as the path may be the same. */
static void set_fifos(struct notify *n)
{
	static const struct conf_fifo none = { 0 };
	const struct conf_globals *g = &n->conf->globals;
	const struct conf_fifo *want[NFIFOS] = { &g->fifo, &g->vrrp_fifo };
	struct fifo *list[NFIFOS] = { NULL };
	int i, k;

	if (g->fifo.path && g->vrrp_fifo.path && !strcmp(g->fifo.path, g->vrrp_fifo.path))
		want[1] = &none; /* one path, one line per event */
	for (i = 0; i < NFIFOS; i++) {
		for (k = 0; want[i]->path && !list[i] && k < NFIFOS; k++) {
			if (!n->fifos[k] || !same_fifo(n->fifos[k]->conf, want[i]))
				continue;
			list[i] = n->fifos[k];
			list[i]->conf = want[i];
			n->fifos[k] = NULL;
		}
	}
	for (i = 0; i < NFIFOS; i++)
		fifo_free(n, n->fifos[i]);
	for (i = 0; i < NFIFOS; i++)
		n->fifos[i] = list[i] || !want[i]->path ? list[i] : fifo_new(n, want[i]);
}

static bool wants_mail(const struct conf *c)
{
	bool any = false;
	size_t i;

	for (i = 0; i < c->nvrs; i++)
		any |= c->vrs[i].smtp_alert;
	for (i = 0; i < c->ngroups; i++)
		any |= c->groups[i].smtp_alert;
	return any && c->globals.smtp_server && c->globals.emails && c->globals.emails[0];
}

/* Beside our own program, as in the folder it was built in; else where `make install` puts it. */
static void find_mailer(struct notify *n)
{
	char exe[PATH_MAX], *slash;
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - sizeof(MAILER) - 1);

	n->mailer[0] = '\0';
	if (!wants_mail(n->conf))
		return;
	exe[len > 0 ? len : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash) {
		strcpy(slash + 1, MAILER);
		snprintf(n->mailer, sizeof(n->mailer), "%s", exe);
	}
	if (slash && !access(n->mailer, X_OK))
		return;
	snprintf(n->mailer, sizeof(n->mailer), "%s", VX_LIBEXEC "/" MAILER);
	if (!access(n->mailer, X_OK))
		return;
	log_warn("smtp_alert: no mail is sent, for %s cannot be run: %s; `make install` puts it there", n->mailer,
		 strerror(errno));
	n->mailer[0] = '\0';
}

static void learn_user(struct notify *n, const struct conf_cmd *cmd)
{
	int err = cmd->argv ? exec_learn(n->exec, cmd->uid, cmd->gid) : 0;

	if (err)
		log_err("%s: cannot look up the groups of user %u: %s; check set_supplementary_groups and the user",
			cmd->argv[0], (unsigned int)cmd->uid, strerror(-err));
}

static void learn_users_of(struct notify *n, const struct conf_notify *c)
{
	const struct conf_cmd *const cmds[] = {
		&c->master, &c->backup, &c->fault, &c->stop, &c->any, &c->deleted, &c->master_rx_lower_pri
	};
	size_t i;

	for (i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		learn_user(n, cmds[i]);
}

/* Name services are asked now, and not at a change of state. */
static void learn_users(struct notify *n)
{
	const struct conf *c = n->conf;
	size_t i;

	if (!c->globals.supplementary_groups)
		return;
	for (i = 0; i < c->nvrs; i++)
		learn_users_of(n, &c->vrs[i].notify);
	for (i = 0; i < c->ngroups; i++)
		learn_users_of(n, &c->groups[i].notify);
	learn_user(n, &c->globals.fifo.script);
	learn_user(n, &c->globals.vrrp_fifo.script);
}

int notify_reload(struct notify *n, const struct conf *conf)
{
	n->conf = conf;
	learn_users(n);
	find_mailer(n);
	set_fifos(n);
	return 0;
}

enum { HAND_PATH = 256 };

/* One that @conf no longer has is let go of as at a reload. */
static void hand_fifo(struct notify *n, struct hand *h, struct fifo **slot, const struct conf_fifo *conf)
{
	struct fifo none = { .fd = -1 }, *f = *slot ? *slot : &none;
	pid_t pid = exec_pid(f->script);
	char path[HAND_PATH] = "";
	bool same;

	if (h->out && f->conf)
		snprintf(path, sizeof(path), "%s", f->conf->path);
	HAND(h, path);
	hand_fd(h, &f->fd);
	HAND(h, f->made);
	HAND(h, f->dev);
	HAND(h, f->ino);
	HAND(h, f->dropped);
	HAND(h, pid);
	if (h->out || f->fd < 0)
		return;
	same = conf->path && !strcmp(conf->path, path);
	f = same ? calloc(1, sizeof(*f)) : NULL;
	if (!f) {
		close(none.fd);
		return;
	}
	*f = none;
	f->conf = conf;
	f->script = exec_claim(n->exec, pid, on_fifo_script_end, f);
	*slot = f;
}

static void hand_fifos(struct notify *n, struct hand *h)
{
	hand_fifo(n, h, &n->fifos[0], &n->conf->globals.fifo);
	hand_fifo(n, h, &n->fifos[1], &n->conf->globals.vrrp_fifo);
}

void notify_hand_over(struct notify *n, struct hand *h)
{
	hand_fifos(n, h);
}

bool notify_waits(const struct notify *n)
{
	return notify_scripts_wait(n->scripts);
}

int notify_new(struct notify **out, struct loop *loop, struct exec *exec, const struct conf *conf, struct hand *h)
{
	struct notify *n = calloc(1, sizeof(*n));
	int err = n ? notify_scripts_new(&n->scripts, loop, exec) : -ENOMEM;
	size_t i;

	if (err) {
		free(n);
		return err;
	}
	n->exec = exec;
	for (i = 0; i < MAILS_MAX; i++)
		n->mails[i].n = n;
	n->conf = conf;
	if (h)
		hand_fifos(n, h);
	notify_reload(n, conf);
	*out = n;
	return 0;
}

/* Scripts and mails on their way go on: exec_drain() waits for them. */
void notify_free(struct notify *n)
{
	int i;

	if (!n)
		return;
	notify_scripts_free(n->scripts);
	for (i = 0; i < MAILS_MAX; i++)
		if (n->mails[i].job)
			exec_forget(n->mails[i].job);
	for (i = 0; i < NFIFOS; i++)
		fifo_free(n, n->fifos[i]);
	free(n);
}
