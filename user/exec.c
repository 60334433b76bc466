// SPDX-License-Identifier: GPL-2.0-or-later
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NS_PER_MS     1000000ULL
#define KILL_AFTER_NS (2000 * NS_PER_MS) /* from SIGTERM to SIGKILL, as keepalived (spec 2.5, timeout) */
#define REAP_NS       (1000 * NS_PER_MS) /* what SIGKILL does not end in this time hangs in the kernel */

enum { NO_EXEC_STATUS = 127, GROUPS_MAX = 1024 };

/* Supplementary groups of a user, looked up once. */
struct groups {
	struct groups *next;
	uid_t uid;
	gid_t gid;
	int n;
	gid_t gids[GROUPS_MAX];
};

/* All that the child needs, made ready by the parent. */
struct spawn {
	char *argv[EXEC_ARGS_MAX + 1];
	char *const *env;
	const struct exec_cmd *cmd;
	const struct groups *groups; /* NULL: none */
	bool switch_user, unpin;
	int null_fd;
	pid_t parent;
	volatile int err; /* why it did not run */
};

/* Lives until its process has been reaped, told of or not: only its own callbacks free it, so no other's can pull it away from the loop. */
struct exec_job {
	struct exec_job *prev, *next;
	struct exec *x;
	struct loop_io io; /* pidfd */
	struct timer timer;
	pid_t pid;      /* and process group */
	bool ending;    /* SIGTERM has been sent */
	bool dead;      /* kept as a zombie until SIGKILL, for nobody else gets the number of its group then */
	bool timed_out; /* EXEC_GONE is due */
	exec_done_fn done;
	void *arg; /* borrowed */
};

struct exec {
	struct loop *loop;
	struct exec_job *jobs;
	struct groups *groups;
	char **env; /* owned array of borrowed strings */
	int null_fd;
	size_t njobs, room; /* timers that the loop's queue holds room for */
};

static bool pinned;

void exec_set_pinned(void)
{
	pinned = true;
}

/*
 * The environment without what changes how a program is loaded or a shell splits words (spec 3.4), and without what systemd says to the
 * service itself: a script must not answer for it. NULL: out of memory.
 */
static char **make_env(void)
{
	static const char *const drop[] = { "IFS=",           "LD_PRELOAD=",    "LD_LIBRARY_PATH=", "LD_AUDIT=",
					    "NOTIFY_SOCKET=", "WATCHDOG_PID=",  "WATCHDOG_USEC=",   "LISTEN_PID=",
					    "LISTEN_FDS=",    "LISTEN_FDNAMES=" };
	size_t i, k, n = 0;
	char **env;

	while (environ && environ[n])
		n++;
	env = calloc(n + 1, sizeof(*env));
	if (!env)
		return NULL;
	for (i = 0, n = 0; environ && environ[i]; i++) {
		for (k = 0; k < sizeof(drop) / sizeof(drop[0]); k++)
			if (!strncmp(environ[i], drop[k], strlen(drop[k])))
				break;
		if (k == sizeof(drop) / sizeof(drop[0]))
			env[n++] = environ[i];
	}
	return env;
}

/* Above the three descriptors that the child puts in its place. */
static int open_null(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), high;

	if (fd < 0)
		return -errno;
	high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (high < 0)
		high = -errno;
	close(fd);
	return high;
}

static int look_up_groups(struct groups *g, uid_t uid, gid_t gid)
{
	struct passwd pw, *found = NULL;
	char buf[4096];
	int err = getpwuid_r(uid, &pw, buf, sizeof(buf), &found);

	*g = (struct groups){ .uid = uid, .gid = gid, .n = GROUPS_MAX };
	if (!found)
		return err ? -err : -ENOENT;
	return getgrouplist(found->pw_name, gid, g->gids, &g->n) < 0 ? -E2BIG : 0;
}

static const struct groups *find_groups(const struct exec *x, uid_t uid, gid_t gid)
{
	const struct groups *g;

	for (g = x->groups; g; g = g->next)
		if (g->uid == uid && g->gid == gid)
			return g;
	return NULL;
}

int exec_learn(struct exec *x, uid_t uid, gid_t gid)
{
	struct groups *g;
	int err;

	if (find_groups(x, uid, gid))
		return 0;
	g = malloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	err = look_up_groups(g, uid, gid);
	if (err) {
		free(g);
		return err;
	}
	g->next = x->groups;
	x->groups = g;
	return 0;
}

/*
 * A change of user takes root's capabilities but not the inheritable ones, which some container managers leave set and which files with
 * capabilities of their own would turn into permitted ones; nor the ambient ones of a controller that is not root.
 */
static void drop_inheritable(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &h, d))
		return;
	d[0].inheritable = d[1].inheritable = 0;
	syscall(SYS_capset, &h, d);
}

static int become_user(const struct spawn *s)
{
	const struct exec_cmd *c = s->cmd;

	if (setgroups(s->groups ? s->groups->n : 0, s->groups ? s->groups->gids : NULL) && s->switch_user)
		return -errno; /* a caller without rights may still run a script as itself */
	if (!s->switch_user)
		return 0;
	if (setresgid(c->gid, c->gid, c->gid) || setresuid(c->uid, c->uid, c->uid))
		return -errno;
	return 0;
}

/* Not signal(), which leaves alone those two that are the C library's own: its posix_spawn() has them ignored, as make's children do. */
static void reset_signals(void)
{
	static const unsigned long dfl[8]; /* a struct sigaction of the kernel: SIG_DFL, no flags, on every machine */
	int sig;

	for (sig = 1; sig < _NSIG; sig++)
		syscall(SYS_rt_sigaction, sig, dfl, NULL, _NSIG / 8);
}

/* The kernel leaves of all CPUs those that the service may use at all. */
static void unpin(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
}

/*
 * In the child, on the parent's memory: system calls and the spawn's own fields, nothing that allocates, logs or locks. The umask, the
 * working directory and the limits stay what the service was given. A session of its own and not only a process group: whoever runs
 * us from a terminal would else give it to the script's user, who can put words into it (TIOCSTI).
 */
__attribute__((noinline, noreturn)) static void run_child(struct spawn *s)
{
	const struct sched_param other = { 0 };
	sigset_t none;
	int err;

	setsid();
	if (sched_getscheduler(0) != SCHED_OTHER)
		sched_setscheduler(0, SCHED_OTHER, &other);
	setpriority(PRIO_PROCESS, 0, 0);
	if (s->unpin)
		unpin();
	reset_signals();
	dup2(s->null_fd, STDIN_FILENO);
	dup2(s->null_fd, STDOUT_FILENO);
	dup2(s->null_fd, STDERR_FILENO);
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC); /* ours are CLOEXEC already, a library's may not be */
	drop_inheritable();
	err = become_user(s);
	if (!err) {
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* a change of user clears it */
		if (getppid() != s->parent)
			_exit(NO_EXEC_STATUS);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execvpe(s->argv[0], s->argv, s->env);
		err = -errno;
	}
	s->err = err;
	_exit(NO_EXEC_STATUS);
}

/*
 * vfork() and not fork(): the controller may have locked its memory and mapped large maps, and copying its page tables, with the page faults
 * that follow on both sides, would hold up adverts. The parent sleeps only until execve(), whose error then is in @s->err; that is as long
 * as the program's file takes to open, so a script belongs on a local disk. Signals are blocked meanwhile: a handler in the child would
 * run on the parent's memory.
 */
static pid_t spawn(struct spawn *s)
{
	sigset_t all, before;
	pid_t pid;

	s->parent = getpid();
	s->err = 0;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = vfork();
	if (!pid)
		run_child(s);
	if (pid < 0)
		pid = -errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid > 0 && s->err) {
		waitpid(pid, NULL, 0);
		return s->err;
	}
	return pid;
}

static int fill_spawn(struct spawn *s, const struct exec_cmd *cmd, char *const *env, int null_fd)
{
	size_t i, n = 0;

	memset(s, 0, sizeof(*s));
	for (i = 0; cmd->argv[i] && n < EXEC_ARGS_MAX; i++)
		s->argv[n++] = cmd->argv[i];
	if (cmd->argv[i])
		return -E2BIG;
	for (i = 0; cmd->extra && cmd->extra[i] && n < EXEC_ARGS_MAX; i++)
		s->argv[n++] = (char *)cmd->extra[i]; /* execve() only reads it */
	if (cmd->extra && cmd->extra[i])
		return -E2BIG;
	if (!n)
		return -EINVAL;
	s->cmd = cmd;
	s->env = env;
	s->null_fd = null_fd;
	s->unpin = pinned;
	s->switch_user = cmd->uid != geteuid() || cmd->gid != getegid();
	return 0;
}

/* Runs it and gives a pidfd for it. Returns the process or -errno. */
static pid_t spawn_with_pidfd(struct spawn *s, int *pidfd)
{
	pid_t pid = spawn(s);
	int err;

	if (pid < 0)
		return pid;
	*pidfd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
	if (*pidfd >= 0)
		return pid;
	err = -errno;
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return err;
}

static enum exec_end end_of(int status, int *code)
{
	if (WIFSIGNALED(status)) {
		*code = WTERMSIG(status);
		return EXEC_SIGNALED;
	}
	*code = WEXITSTATUS(status);
	return EXEC_EXITED;
}

static void job_free(struct exec_job *j)
{
	struct exec *x = j->x;

	timer_cancel(&x->loop->timers, &j->timer);
	if (!j->dead)
		loop_del(x->loop, &j->io);
	close(j->io.fd);
	if (j->prev)
		j->prev->next = j->next;
	else
		x->jobs = j->next;
	if (j->next)
		j->next->prev = j->prev;
	x->njobs--;
	free(j);
}

/* SIGTERM to the group; the timer's next turn is SIGKILL. */
static void job_end(struct exec_job *j, uint64_t now_ns)
{
	j->ending = true;
	kill(-j->pid, SIGTERM);
	timer_arm(&j->x->loop->timers, &j->timer, now_ns + KILL_AFTER_NS);
}

static void on_timer(void *arg, uint64_t now_ns)
{
	struct exec_job *j = arg;

	if (!j->ending) {
		job_end(j, now_ns);
		j->timed_out = true;
		if (j->done)
			j->done(j->arg, EXEC_TIMEOUT, 0);
		return;
	}
	kill(-j->pid, SIGKILL); /* what it left behind too */
	if (j->dead) {
		waitpid(j->pid, NULL, 0);
		job_free(j);
	}
}

static void on_end(void *arg, uint32_t events, uint64_t now_ns)
{
	struct exec_job *j = arg;
	exec_done_fn done = j->done;
	void *done_arg = j->arg;
	int status = W_EXITCODE(NO_EXEC_STATUS, 0), code; /* if another took it, it is no success */
	enum exec_end end;

	(void)events;
	(void)now_ns;
	if (j->ending && j->timer.index) { /* its children may live on: they have until SIGKILL */
		j->dead = true;
		loop_del(j->x->loop, &j->io);
		j->done = NULL;
		if (done)
			done(done_arg, EXEC_GONE, 0);
		return;
	}
	if (waitpid(j->pid, &status, WNOHANG) == 0)
		return;
	end = end_of(status, &code);
	if (j->timed_out)
		end = EXEC_GONE;
	job_free(j);
	if (done)
		done(done_arg, end, code);
}

int exec_new(struct exec **out, struct loop *loop)
{
	struct exec *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	signal(SIGCHLD,
	       SIG_DFL); /* whoever started us may ignore it: then the kernel reaps, and every script seems to vanish */
	x->loop = loop;
	x->null_fd = open_null();
	x->env = make_env();
	if (x->null_fd < 0 || !x->env) {
		int err = x->null_fd < 0 ? x->null_fd : -ENOMEM;

		exec_free(x);
		return err;
	}
	*out = x;
	return 0;
}

/* Reaps a process that got SIGKILL; one that hangs in the kernel, on a dead file server say, is left to init. */
static void reap(struct exec_job *j, uint64_t until_ns)
{
	struct pollfd p = { .fd = j->io.fd, .events = POLLIN };
	uint64_t now = loop_now_ns();

	poll(&p, 1, now < until_ns ? (until_ns - now) / NS_PER_MS + 1 : 0);
	waitpid(j->pid, NULL, WNOHANG);
}

void exec_free(struct exec *x)
{
	uint64_t until = loop_now_ns() + REAP_NS;
	struct exec_job *j;
	struct groups *g;

	if (!x)
		return;
	for (j = x->jobs; j; j = j->next)
		kill(-j->pid, SIGKILL);
	while (x->jobs) {
		reap(x->jobs, until);
		job_free(x->jobs);
	}
	while ((g = x->groups)) {
		x->groups = g->next;
		free(g);
	}
	if (x->null_fd >= 0)
		close(x->null_fd);
	free(x->env);
	free(x);
}

/* One more job's timer must always find room; the queue is shared, so room is added to what it has. */
static int make_room(struct exec *x)
{
	size_t more = x->room ? x->room : 8;
	int err;

	if (x->njobs < x->room)
		return 0;
	err = timer_queue_reserve(&x->loop->timers, x->loop->timers.cap + more);
	if (!err)
		x->room += more;
	return err;
}

/* Puts the started job into the loop; on failure the process is ended again. */
static int watch(struct exec *x, struct exec_job *j, uint64_t timeout_ns)
{
	int err = loop_add(x->loop, &j->io, EPOLLIN);

	if (err) {
		kill(-j->pid, SIGKILL);
		waitpid(j->pid, NULL, 0);
		close(j->io.fd);
		free(j);
		return err;
	}
	j->next = x->jobs;
	if (j->next)
		j->next->prev = j;
	x->jobs = j;
	x->njobs++;
	if (timeout_ns)
		timer_arm(&x->loop->timers, &j->timer, loop_now_ns() + timeout_ns);
	return 0;
}

int exec_start(struct exec *x, const struct exec_cmd *cmd, uint64_t timeout_ns, exec_done_fn done, void *arg,
	       struct exec_job **job)
{
	struct exec_job *j;
	struct spawn s;
	int err = fill_spawn(&s, cmd, x->env, x->null_fd);

	if (x->loop->rests) /* on a machine without a free CPU the child gets to its execve() late */
		x->loop->rests();
	if (!err)
		err = make_room(x);
	if (!err && cmd->supplementary_groups) {
		err = exec_learn(x, cmd->uid, cmd->gid);
		s.groups = find_groups(x, cmd->uid, cmd->gid);
	}
	if (err)
		return err;
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->x = x;
	j->done = done;
	j->arg = arg;
	j->io = (struct loop_io){ .prio = LOOP_OTHER, .fn = on_end, .arg = j };
	j->timer = (struct timer){ .fn = on_timer, .arg = j };
	j->pid = spawn_with_pidfd(&s, &j->io.fd);
	if (j->pid < 0) {
		err = j->pid;
		free(j);
		return err;
	}
	err = watch(x, j, timeout_ns);
	if (!err && job)
		*job = j;
	return err;
}

enum { JOBS_MAX = 1 << 16 };

static void hand_job(struct hand *h, struct exec_job *j)
{
	uint64_t at_ns = j->timer.index ? j->timer.at_ns : 0;

	HAND(h, j->pid);
	HAND(h, j->ending);
	HAND(h, j->timed_out);
	HAND(h, at_ns);
	j->timer.at_ns = at_ns;
}

/* What is a child of another process by now, of a guardian that was the controller before, is that one's. */
static int adopt_job(struct exec *x, struct hand *h)
{
	struct exec_job *j = calloc(1, sizeof(*j));
	int err = j ? make_room(x) : -ENOMEM;
	siginfo_t si;
	uint64_t at_ns;

	if (err) {
		free(j);
		return err;
	}
	j->x = x;
	j->io = (struct loop_io){ .fd = -1, .prio = LOOP_OTHER, .fn = on_end, .arg = j };
	j->timer = (struct timer){ .fn = on_timer, .arg = j };
	hand_job(h, j);
	at_ns = j->timer.at_ns;
	if (!h->bad && !waitid(P_PID, j->pid, &si, WEXITED | WNOHANG | WNOWAIT))
		j->io.fd = syscall(SYS_pidfd_open, j->pid, 0);
	if (j->io.fd < 0) {
		free(j);
		return 0;
	}
	err = watch(x, j, 0);
	if (!err && at_ns)
		timer_arm(&x->loop->timers, &j->timer, at_ns);
	return err;
}

void exec_hand(struct exec *x, struct hand *h)
{
	struct exec_job *j;
	size_t n = x->njobs;

	hand_count(h, &n, JOBS_MAX);
	for (j = x->jobs; h->out && j; j = j->next)
		hand_job(h, j);
	for (; !h->out && n; n--)
		h->bad |= adopt_job(x, h) != 0;
}

struct exec_job *exec_claim(struct exec *x, pid_t pid, exec_done_fn done, void *arg)
{
	struct exec_job *j;

	for (j = x->jobs; j && j->pid != pid; j = j->next)
		;
	if (!j)
		return NULL;
	j->done = done;
	j->arg = arg;
	return j;
}

pid_t exec_pid(const struct exec_job *job)
{
	return job ? job->pid : 0;
}

void exec_forget(struct exec_job *job)
{
	job->done = NULL;
}

void exec_kill(struct exec *x, struct exec_job *job)
{
	(void)x;
	exec_forget(job);
	if (!job->ending)
		job_end(job, loop_now_ns());
}

/* Waits for the process; 0, or -ETIMEDOUT. */
static int wait_pidfd(int pidfd, uint64_t timeout_ns)
{
	uint64_t now = loop_now_ns(), until = now + timeout_ns;
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n;

	for (;;) {
		n = poll(&p, 1, timeout_ns ? (int)((until - now) / NS_PER_MS + 1) : -1);
		if (n > 0)
			return 0;
		now = loop_now_ns();
		if (timeout_ns && now >= until)
			return -ETIMEDOUT;
	}
}

static enum exec_end wait_spawned(struct spawn *s, uint64_t timeout_ns, int *code)
{
	int pidfd = -1, status = 0;
	pid_t pid = spawn_with_pidfd(s, &pidfd);
	enum exec_end end = EXEC_TIMEOUT;

	*code = 0;
	if (pid < 0) {
		*code = -pid;
		return EXEC_FAILED;
	}
	if (!wait_pidfd(pidfd, timeout_ns)) {
		waitpid(pid, &status, 0);
		end = end_of(status, code);
	} else {
		kill(-pid, SIGKILL);
		wait_pidfd(pidfd, REAP_NS);
		waitpid(pid, NULL, WNOHANG);
	}
	close(pidfd);
	return end;
}

enum exec_end exec_wait(const struct exec_cmd *cmd, uint64_t timeout_ns, int *code)
{
	int null_fd = open_null(), err;
	enum exec_end end = EXEC_FAILED;
	char **env = make_env();
	struct groups g;
	struct spawn s;

	err = null_fd < 0 ? null_fd : !env ? -ENOMEM : fill_spawn(&s, cmd, env, null_fd);
	if (!err && cmd->supplementary_groups) {
		err = look_up_groups(&g, cmd->uid, cmd->gid);
		s.groups = &g;
	}
	*code = -err;
	if (!err)
		end = wait_spawned(&s, timeout_ns, code);
	if (null_fd >= 0)
		close(null_fd);
	free(env);
	return end;
}

/* Until all have ended or it is @until_ns. */
static void wait_all(struct exec *x, uint64_t until_ns)
{
	struct exec_job *j;
	struct pollfd p;
	uint64_t now;

	for (j = x->jobs; j; j = j->next) {
		p = (struct pollfd){ .fd = j->io.fd, .events = POLLIN };
		while ((now = loop_now_ns()) < until_ns)
			if (poll(&p, 1, (until_ns - now) / NS_PER_MS + 1) > 0)
				break;
	}
}

void exec_drain(struct exec *x, uint64_t grace_ns)
{
	struct pollfd p = { .events = POLLIN };
	struct exec_job *j;
	bool left = false;

	wait_all(x, loop_now_ns() + grace_ns);
	for (j = x->jobs; j; j = j->next) {
		p.fd = j->io.fd;
		if (poll(&p, 1, 0) > 0)
			continue;
		left = true;
		if (!j->ending)
			kill(-j->pid, SIGTERM);
	}
	if (left)
		wait_all(x, loop_now_ns() + KILL_AFTER_NS);
}
