// SPDX-License-Identifier: GPL-2.0-or-later
#include "notify.h"
#include "run.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { NOBODY = 65534, FLAPS = 300, MAILS = 30 };

struct rig {
	struct world *w;
	struct conf conf, next;
	struct conf_vr vr;
	struct conf_notify cmds;
	struct notify *notify;
	char *argv[8][4];
	char text[8][512];
	int nargv;
	int smtp; /* listening socket */
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_int_equal(world_setup((void **)&r->w), 0);
	r->smtp = -1;
	r->conf.vrs = &r->vr;
	r->conf.nvrs = 1;
	r->conf.globals.router_id = "r1";
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	notify_free(r->notify);
	if (r->smtp >= 0)
		close(r->smtp);
	world_teardown((void **)&r->w);
	free(r);
	return 0;
}

static void start(struct rig *r)
{
	assert_int_equal(notify_new(&r->notify, &r->w->loop, r->w->exec, &r->conf, NULL), 0);
}

static void tell(struct rig *r, enum notify_state state)
{
	const struct notify_about who = { .name = "V 1", .cmds = &r->cmds, .mail = r->vr.smtp_alert, .priority = 150 };

	notify_tell(r->notify, &who, state);
}

static void tell_group(struct rig *r, enum notify_state state)
{
	const struct notify_about who = { .group = true, .name = "G1", .cmds = &r->cmds, .mail = r->vr.smtp_alert };

	notify_tell(r->notify, &who, state);
}

/* A script that appends "@word arguments" to the file `out`. */
static struct conf_cmd logs(struct rig *r, const char *word)
{
	int i = r->nargv++;

	snprintf(r->text[i], sizeof(r->text[i]), "echo %s \"$0\" \"$@\" >>%s/out", word, r->w->dir);
	memcpy(r->argv[i], sh(r->text[i]), sizeof(r->argv[i]));
	return (struct conf_cmd){ .argv = r->argv[i], .uid = geteuid(), .gid = getegid() };
}

struct lines {
	const char *path;
	int n;
};

static bool has_lines(void *arg)
{
	const struct lines *l = arg;
	const char *c = content(l->path);
	int n = 0;

	for (; *c; c++)
		n += *c == '\n';
	return n >= l->n;
}

static const char *wait_lines(struct rig *r, const char *name, int n)
{
	struct lines l = { .path = in_dir(r->w, name), .n = n };

	run_until(r->w, has_lines, &l);
	return content(l.path);
}

/* spec 3.5: notify_STATE has its own arguments only, notify gets four more; RX_LOWER_PRI and priorities are not for notify. */
static void scripts_get_their_arguments(void **state)
{
	struct rig *r = *state;
	const char *out;

	r->cmds.master = logs(r, "m");
	r->cmds.any = logs(r, "any");
	r->cmds.master_rx_lower_pri = logs(r, "lower");
	start(r);
	tell(r, NOTIFY_MASTER);
	out = wait_lines(r, "out", 2);
	assert_non_null(strstr(out, "m /bin/sh\n"));
	assert_non_null(strstr(out, "any INSTANCE V 1 MASTER 150\n"));
	tell(r, NOTIFY_MASTER_RX_LOWER_PRI);
	assert_non_null(strstr(wait_lines(r, "out", 3), "lower /bin/sh\n"));
	tell(r, NOTIFY_MASTER_PRIORITY);
	tell(r, NOTIFY_BACKUP_PRIORITY);
	tell_group(r, NOTIFY_STOP);
	out = wait_lines(r, "out", 4);
	assert_non_null(strstr(out, "any GROUP G1 STOP 0\n"));
	assert_null(strstr(out, "PRIORITY"));
}

static void each_state_has_its_script(void **state)
{
	struct rig *r = *state;
	const char *out;

	r->cmds.backup = logs(r, "backup");
	r->cmds.fault = logs(r, "fault");
	r->cmds.stop = logs(r, "stop");
	r->cmds.deleted = logs(r, "deleted");
	start(r);
	tell(r, NOTIFY_BACKUP);
	tell(r, NOTIFY_FAULT);
	tell(r, NOTIFY_STOP);
	tell(r, NOTIFY_DELETED);
	tell(r, NOTIFY_MASTER);
	out = wait_lines(r, "out", 4);
	assert_non_null(strstr(out, "backup"));
	assert_non_null(strstr(out, "fault"));
	assert_non_null(strstr(out, "stop"));
	assert_non_null(strstr(out, "deleted"));
}

/* Each run says it is there and waits for the other: a script that does not end holds up the next change's for no more than a second. */
static void two_runs_of_one_script_do_not_wait_for_each_other(void **state)
{
	struct rig *r = *state;

	r->cmds.any = logs(r, "any");
	snprintf(r->text[0], sizeof(r->text[0]),
		 "echo >%s/$2; while ! test -e %s/MASTER -a -e %s/BACKUP; do sleep 0.02; done; echo >>%s/out",
		 r->w->dir, r->w->dir, r->w->dir, r->w->dir);
	start(r);
	tell(r, NOTIFY_MASTER);
	tell(r, NOTIFY_BACKUP);
	wait_lines(r, "out", 2);
}

static const char *at_line(struct rig *r, int n, const char *word)
{
	const char *out = wait_lines(r, "out", n), *at = strstr(out, word);

	assert_non_null(at);
	return at;
}

/* D-36: the scripts of a change that came a moment later do not overtake; those of another instance do. */
static void scripts_of_one_instance_run_in_the_order_of_its_changes(void **state)
{
	struct rig *r = *state;

	r->cmds.master = logs(r, "slow");
	r->cmds.backup = logs(r, "quick");
	r->cmds.stop = logs(r, "other");
	snprintf(r->text[0], sizeof(r->text[0]), "while ! test -e %s/go; do sleep 0.02; done; echo slow >>%s/out",
		 r->w->dir, r->w->dir);
	snprintf(r->text[2], sizeof(r->text[2]), "echo other >>%s/out; echo >%s/go", r->w->dir, r->w->dir);
	start(r);
	tell(r, NOTIFY_MASTER);
	tell(r, NOTIFY_BACKUP);
	tell_group(r, NOTIFY_STOP);
	assert_true(at_line(r, 3, "other") < at_line(r, 3, "slow"));
	assert_true(at_line(r, 3, "slow") < at_line(r, 3, "quick"));
}

/* A stop does not wait: what was still to run is run. */
static void scripts_that_wait_are_run_at_the_end(void **state)
{
	struct rig *r = *state;
	struct lines l;

	r->cmds.any = logs(r, "any");
	snprintf(r->text[0], sizeof(r->text[0]), "echo $2 >>%s/out; exec sleep 1000", r->w->dir);
	start(r);
	tell(r, NOTIFY_MASTER);
	tell(r, NOTIFY_BACKUP);
	notify_free(r->notify);
	r->notify = NULL;
	l = (struct lines){ .path = in_dir(r->w, "out"), .n = 2 };
	run_until(r->w, has_lines, &l);
	assert_non_null(strstr(content(l.path), "BACKUP"));
}

static int open_fifo(struct rig *r, const char *name)
{
	int fd = open(in_dir(r->w, name), O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static const char *read_fifo(int fd)
{
	static char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

/* KA-39; and what was written before the reader came is there. */
static void fifo_lines_are_keepaliveds(void **state)
{
	struct rig *r = *state;
	struct stat st;
	int fd;

	r->conf.globals.vrrp_fifo.path = in_dir(r->w, "fifo");
	umask(022);
	start(r);
	assert_int_equal(stat(in_dir(r->w, "fifo"), &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0644);
	tell(r, NOTIFY_BACKUP);
	tell(r, NOTIFY_MASTER_RX_LOWER_PRI);
	tell(r, NOTIFY_MASTER_PRIORITY);
	tell(r, NOTIFY_BACKUP_PRIORITY);
	tell_group(r, NOTIFY_FAULT);
	fd = open_fifo(r, "fifo");
	assert_string_equal(read_fifo(fd), "INSTANCE \"V 1\" BACKUP 150\n"
					   "INSTANCE \"V 1\" MASTER_RX_LOWER_PRI 150\n"
					   "INSTANCE \"V 1\" MASTER_PRIORITY 150\n"
					   "INSTANCE \"V 1\" BACKUP_PRIORITY 150\n"
					   "GROUP \"G1\" FAULT 0\n");
	close(fd);
	notify_free(r->notify);
	r->notify = NULL;
	assert_false(file_exists(in_dir(r->w, "fifo")));
}

static void one_path_gets_one_line(void **state)
{
	struct rig *r = *state;
	int fd;

	r->conf.globals.fifo.path = r->conf.globals.vrrp_fifo.path = in_dir(r->w, "fifo");
	start(r);
	tell(r, NOTIFY_MASTER);
	fd = open_fifo(r, "fifo");
	assert_string_equal(read_fifo(fd), "INSTANCE \"V 1\" MASTER 150\n");
	close(fd);
}

static void full_fifo_drops_and_recovers(void **state)
{
	struct rig *r = *state;
	char buf[65536];
	int fd, i;

	r->conf.globals.fifo.path = in_dir(r->w, "fifo");
	start(r);
	for (i = 0; i < 5000; i++)
		tell(r, NOTIFY_MASTER);
	fd = open_fifo(r, "fifo");
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	tell(r, NOTIFY_BACKUP);
	assert_string_equal(read_fifo(fd), "INSTANCE \"V 1\" BACKUP 150\n");
	close(fd);
}

static void existing_fifo_is_used_and_stays_another_file_is_not_touched(void **state)
{
	struct rig *r = *state;
	int fd;

	assert_int_equal(mkfifo(in_dir(r->w, "fifo"), 0600), 0);
	put(in_dir(r->w, "file"), "precious");
	fd = open_fifo(r, "fifo");
	r->conf.globals.fifo.path = in_dir(r->w, "fifo");
	r->conf.globals.vrrp_fifo.path = in_dir(r->w, "file");
	start(r);
	tell(r, NOTIFY_FAULT);
	assert_string_equal(read_fifo(fd), "INSTANCE \"V 1\" FAULT 150\n");
	notify_free(r->notify);
	r->notify = NULL;
	assert_true(file_exists(in_dir(r->w, "fifo")));
	assert_string_equal(content(in_dir(r->w, "file")), "precious");
	close(fd);
}

/* As root: a FIFO of somebody's who is not named gets nothing; one that we make belongs to whom the configuration names. */
static void owner_of_a_fifo_must_be_us_or_who_is_named(void **state)
{
	struct rig *r = *state;
	struct stat st;
	int fd;

	if (geteuid()) { /* the same rule, seen from the other side: we cannot give it away */
		r->conf.globals.fifo = (struct conf_fifo){ .path = in_dir(r->w, "made"), .user = "root" };
		start(r);
		assert_false(file_exists(in_dir(r->w, "made")));
		return;
	}
	assert_int_equal(mkfifo(in_dir(r->w, "fifo"), 0666), 0);
	assert_int_equal(chown(in_dir(r->w, "fifo"), NOBODY, NOBODY), 0);
	fd = open_fifo(r, "fifo");
	r->conf.globals.fifo.path = in_dir(r->w, "fifo");
	r->conf.globals.vrrp_fifo =
		(struct conf_fifo){ .path = in_dir(r->w, "made"), .user = "nobody", .uid = NOBODY, .gid = NOBODY };
	start(r);
	tell(r, NOTIFY_MASTER);
	assert_string_equal(read_fifo(fd), "");
	assert_int_equal(stat(in_dir(r->w, "made"), &st), 0);
	assert_int_equal(st.st_uid, NOBODY);
	close(fd);
}

static void fifo_script_gets_the_path_and_ends_with_us(void **state)
{
	struct rig *r = *state;
	struct conf_cmd cmd = logs(r, "");

	snprintf(r->text[0], sizeof(r->text[0]),
		 "trap 'echo >%s/ended; exit' TERM; exec 3<\"$0\"; read line <&3; echo \"$line\" >%s/out; "
		 "while :; do sleep 0.02; done",
		 r->w->dir, r->w->dir);
	r->conf.globals.fifo = (struct conf_fifo){ .path = in_dir(r->w, "fifo"), .script = cmd };
	start(r);
	tell(r, NOTIFY_MASTER);
	assert_string_equal(wait_lines(r, "out", 1), "INSTANCE \"V 1\" MASTER 150\n");
	notify_free(r->notify);
	r->notify = NULL;
	run_until(r->w, file_exists, in_dir(r->w, "ended"));
}

static void reload_keeps_a_fifo_that_is_the_same(void **state)
{
	struct rig *r = *state;
	int kept, gone;

	r->conf.globals.fifo.path = in_dir(r->w, "kept");
	r->conf.globals.vrrp_fifo.path = in_dir(r->w, "gone");
	start(r);
	kept = open_fifo(r, "kept");
	gone = open_fifo(r, "gone");
	r->next = r->conf;
	r->next.globals.fifo.path = in_dir(r->w, "new");
	r->next.globals.vrrp_fifo.path = in_dir(r->w, "kept");
	assert_int_equal(notify_reload(r->notify, &r->next), 0);
	r->conf.globals.fifo.path = NULL; /* not looked at any more */
	assert_false(file_exists(in_dir(r->w, "gone")));
	tell(r, NOTIFY_MASTER);
	assert_string_equal(read_fifo(kept), "INSTANCE \"V 1\" MASTER 150\n");
	assert_string_equal(read_fifo(gone), "");
	assert_true(file_exists(in_dir(r->w, "new")));
	close(kept);
	close(gone);
}

/* A flapping instance, scripts that never end: no more than a fixed number of them, and they may end after notify_free(). */
static void flapping_does_not_fork_without_bound(void **state)
{
	struct rig *r = *state;
	const char *out;
	size_t n = 0;
	int i;

	r->cmds.any = logs(r, "any");
	snprintf(r->text[0], sizeof(r->text[0]), "echo >>%s/out; exec sleep 1000", r->w->dir);
	start(r);
	for (i = 0; i < FLAPS; i++)
		tell(r, i % 2 ? NOTIFY_MASTER : NOTIFY_BACKUP);
	out = wait_lines(r, "out", 256);
	notify_free(r->notify);
	r->notify = NULL;
	exec_free(r->w->exec);
	assert_int_equal(exec_new(&r->w->exec, &r->w->loop), 0);
	for (out = content(in_dir(r->w, "out")); *out; out++)
		n += *out == '\n';
	assert_int_equal(n, 256);
}

static void on_waiter_end(void *arg, enum exec_end end, int code)
{
	assert_int_equal(end, EXEC_EXITED);
	assert_int_equal(code, 0);
	*(bool *)arg = true;
}

static bool is_set(void *arg)
{
	return *(bool *)arg;
}

/* A stop: the scripts of the last change go on, and end when there is nobody left to be told. */
static void scripts_outlive_the_notifier(void **state)
{
	struct rig *r = *state;
	struct exec_cmd cmd;
	bool ended = false;
	char wait[256];

	r->cmds.any = logs(r, "any");
	snprintf(r->text[0], sizeof(r->text[0]), "echo $$ >%s/pid; while ! test -e %s/go; do sleep 0.02; done",
		 r->w->dir, r->w->dir);
	start(r);
	tell(r, NOTIFY_STOP);
	wait_lines(r, "pid", 1);
	notify_free(r->notify);
	r->notify = NULL;
	snprintf(wait, sizeof(wait), "echo >%s/go; while test -e /proc/$(cat %s/pid); do sleep 0.02; done", r->w->dir,
		 r->w->dir);
	cmd = sh_cmd(wait); /* ends when the other has been reaped */
	assert_int_equal(exec_start(r->w->exec, &cmd, 0, on_waiter_end, &ended, NULL), 0);
	run_until(r->w, is_set, &ended);
}

static void listen_smtp(struct rig *r)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	r->smtp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(r->smtp >= 0);
	assert_int_equal(bind(r->smtp, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(r->smtp, MAILS), 0);
	assert_int_equal(getsockname(r->smtp, (struct sockaddr *)&sin, &len), 0);
	r->conf.globals.smtp_port = ntohs(sin.sin_port);
}

/* A relay that takes one mail and writes down all it heard. */
static void relay(int listener, const char *path)
{
	int fd = accept(listener, NULL, NULL), log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	FILE *in = fdopen(fd, "r");
	bool data = false;
	char line[1024];

	dprintf(fd, "220 relay\r\n");
	while (fgets(line, sizeof(line), in)) {
		dprintf(log, "%s", line);
		if (data && strcmp(line, ".\r\n"))
			continue;
		data = !strcmp(line, "DATA\r\n");
		dprintf(fd, data ? "354 go on\r\n" : "250 ok\r\n");
		if (!strcmp(line, "QUIT\r\n"))
			break;
	}
	fclose(in);
	close(log);
}

static void want_mail(struct rig *r)
{
	static const char *emails[] = { "Ops <ops@example.com>", "second@example.com", NULL };

	listen_smtp(r);
	r->vr.smtp_alert = true;
	r->conf.globals.emails = emails;
	r->conf.globals.smtp_server = "127.0.0.1";
	r->conf.globals.smtp_timeout_s = 10;
	r->conf.globals.smtp_helo = "router.example.com";
	r->conf.globals.email_from = "vrrp@example.com";
}

static const char *one_mail(struct rig *r, void (*who)(struct rig *r, enum notify_state s), enum notify_state state)
{
	char *path = in_dir(r->w, "mail");
	pid_t pid;

	unlink(path);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		relay(r->smtp, path);
		_exit(0);
	}
	who(r, state);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return content(path);
}

static void mail_is_sent_with_keepaliveds_words(void **state)
{
	struct rig *r = *state;
	const char *m;

	want_mail(r);
	start(r);
	m = one_mail(r, tell, NOTIFY_MASTER);
	assert_non_null(strstr(m, "EHLO router.example.com\r\n"));
	assert_non_null(strstr(m, "MAIL FROM:<vrrp@example.com>"));
	assert_non_null(strstr(m, "RCPT TO:<ops@example.com>"));
	assert_non_null(strstr(m, "RCPT TO:<second@example.com>"));
	assert_non_null(strstr(m, "\r\nDate: "));
	assert_non_null(strstr(m, "\r\nFrom: vrrp@example.com\r\n"));
	assert_non_null(strstr(m, "\r\nTo: Ops <ops@example.com>,\r\n second@example.com\r\n"));
	assert_non_null(strstr(m, "\r\nSubject: [r1] VRRP Instance V 1 - Entering MASTER state\r\n"));
	assert_non_null(strstr(m, "\r\n\r\n=> VRRP Instance is now owning VRRP VIPs <=\r\n.\r\n"));
	m = one_mail(r, tell, NOTIFY_BACKUP);
	assert_non_null(strstr(m, "Subject: [r1] VRRP Instance V 1 - Entering BACKUP state\r\n"));
	assert_non_null(strstr(m, "=> VRRP Instance is no longer owning VRRP VIPs <=\r\n"));
	m = one_mail(r, tell_group, NOTIFY_FAULT);
	assert_non_null(strstr(m, "Subject: [r1] VRRP Group G1 - Entering FAULT state\r\n"));
	assert_non_null(strstr(m, "=> All VRRP group instances are now in FAULT state <=\r\n"));
}

/* no_email_faults; and a value that tries to bring a header of its own does not. */
static void faults_can_be_left_out_and_headers_cannot_be_smuggled(void **state)
{
	struct rig *r = *state;
	const char *m;

	want_mail(r);
	r->conf.globals.no_email_faults = true;
	r->conf.globals.router_id = "r1]\r\nBcc: x@example.com";
	start(r);
	tell(r, NOTIFY_FAULT); /* no mail: the next one is the first that arrives */
	m = one_mail(r, tell, NOTIFY_STOP);
	assert_non_null(strstr(m, "VRRP Instance V 1 - Stopping\r\n"));
	assert_null(strstr(m, "FAULT"));
	assert_null(strstr(m, "\nBcc"));
}

/* Accepts up to 16 and says nothing to any: more do not come, whatever the instance does. */
static void relay_that_hangs_gets_so_many_mails_and_no_more(void **state)
{
	struct rig *r = *state;
	int i, fds[MAILS], n = 0;

	want_mail(r);
	log_set_level(LOG_ERROR);
	start(r);
	for (i = 0; i < MAILS; i++)
		tell(r, i % 2 ? NOTIFY_MASTER : NOTIFY_BACKUP);
	while (n < 16 && (fds[n] = accept(r->smtp, NULL, NULL)) >= 0)
		n++;
	exec_drain(r->w->exec, 0); /* they end: had there been a 17th, it would have connected by now or never will */
	assert_int_equal(fcntl(r->smtp, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(accept(r->smtp, NULL, NULL), -1);
	while (n)
		close(fds[--n]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(scripts_get_their_arguments),
		T(each_state_has_its_script),
		T(two_runs_of_one_script_do_not_wait_for_each_other),
		T(scripts_of_one_instance_run_in_the_order_of_its_changes),
		T(scripts_that_wait_are_run_at_the_end),
		T(fifo_lines_are_keepaliveds),
		T(one_path_gets_one_line),
		T(full_fifo_drops_and_recovers),
		T(existing_fifo_is_used_and_stays_another_file_is_not_touched),
		T(owner_of_a_fifo_must_be_us_or_who_is_named),
		T(fifo_script_gets_the_path_and_ends_with_us),
		T(reload_keeps_a_fifo_that_is_the_same),
		T(flapping_does_not_fork_without_bound),
		T(scripts_outlive_the_notifier),
		T(mail_is_sent_with_keepaliveds_words),
		T(faults_can_be_left_out_and_headers_cannot_be_smuggled),
		T(relay_that_hangs_gets_so_many_mails_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
