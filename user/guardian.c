// SPDX-License-Identifier: GPL-2.0-or-later
#include "guardian.h"

#include "abi.h"
#include "log.h"
#include "restart.h"
#include "sd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PRIO_CONTROL = 7 };

/* Nothing is allocated after the start but the mappings of the roles. */
static struct guardian {
	struct guardian_args args;
	struct guardian_page *page;
	struct guardian_roles of;
	uint64_t *role; /* NULL: there is no map yet */
	int frames, packets4, packets6;
	uint64_t kill_ns;          /* UINT64_MAX: it was not asked to stop */
	uint64_t due_ns, until_ns; /* the deadline that is waited for, and with the excuse that it had */
	bool excused, done;        /* it has been put off; it has been acted upon */
	int stat_fd;               /* /proc/PID/stat of the controller */
	clockid_t cpu;             /* its CPU time, */
	uint64_t cpu_ns;           /* and how much that was when the deadline was read */
	bool leaves[VX_MAX_VRS];   /* slots whose will is due */
	unsigned int fenced, sent; /* the last time: routers, adverts */
	bool closed;               /* the controller is being taken apart by the kernel */
	struct guardian_will copy;
} guardian;

static uint64_t read_ns(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * VX_NS_PER_S + ts.tv_nsec;
}

/* ---- fences and wills ---- */

static int open_socket(int domain, int protocol)
{
	int fd = socket(domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol), prio = PRIO_CONTROL;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &prio, sizeof(prio));
	return fd;
}

static bool send_will(const struct guardian *g, const struct guardian_will *w)
{
	const struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = w->ifindex };
	const struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = w->dst.w[0] };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_scope_id = w->ifindex };
	int fd = w->family == 6 ? g->packets6 : g->packets4;

	if (!w->family)
		return sendto(g->frames, w->data, w->len, 0, (const struct sockaddr *)&ll, sizeof(ll)) == w->len;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &w->ifindex, sizeof(w->ifindex)))
		return false;
	if (w->family == 4)
		return sendto(fd, w->data, w->len, 0, (const struct sockaddr *)&in, sizeof(in)) == w->len;
	memcpy(&in6.sin6_addr, &w->dst, sizeof(in6.sin6_addr));
	return sendto(fd, w->data, w->len, 0, (const struct sockaddr *)&in6, sizeof(in6)) == w->len;
}

/* The controller may come back meanwhile; and if it died of writing where it must not, anything may be in here. */
static bool read_will(struct guardian *g, const struct guardian_will *w)
{
	uint32_t seq = __atomic_load_n(&w->seq, __ATOMIC_SEQ_CST);

	if (seq & 1 || !w->len)
		return false;
	g->copy = *w;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&w->seq, __ATOMIC_SEQ_CST) == seq && g->copy.len <= GUARDIAN_WILL_BYTES &&
	       g->copy.slot < g->of.slots;
}

/* Whether the slot was Active with a lease that had not lapsed: after that another router may be Active, and the will would be no news. */
static bool fence_slot(uint64_t *role, uint64_t now_ns)
{
	uint64_t was = __atomic_load_n(role, __ATOMIC_SEQ_CST);

	while (was > VX_ROLE_ACTIVE_MIN)
		if (__atomic_compare_exchange_n(role, &was, (uint64_t)VX_ROLE_ACTIVE_MIN, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			break;
	return was > now_ns;
}

/* All fences, then the wills. */
static void fence(struct guardian *g)
{
	uint64_t now_ns = read_ns(CLOCK_BOOTTIME);
	uint32_t i;

	g->due_ns = __atomic_load_n(&g->page->deadline_ns, __ATOMIC_SEQ_CST);
	g->done = true;
	g->fenced = g->sent = 0;
	__atomic_store_n(&g->page->fenced_ns, now_ns, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&g->page->fences, 1, __ATOMIC_SEQ_CST);
	for (i = 0; g->role && i < g->of.slots; i++)
		g->fenced += g->leaves[i] = fence_slot(&g->role[i], now_ns);
	for (i = 0; g->fenced && i < g->of.nwills; i++) /* not where the controller has gone on by itself meanwhile */
		if (read_will(g, &g->page->wills[i]) && g->leaves[g->copy.slot] &&
		    __atomic_load_n(&g->role[g->copy.slot], __ATOMIC_SEQ_CST) == VX_ROLE_ACTIVE_MIN)
			g->sent += send_will(g, &g->copy);
}

/* ---- what has happened to the controller ---- */

static void say(const struct guardian *g, const char *what, const char *advice)
{
	log_err("the controller (process %d) %s; fenced: %u virtual router%s, adverts of priority 0 sent: %u; %s",
		(int)g->args.controller, what, g->fenced, g->fenced == 1 ? "" : "s", g->sent, advice);
}

static void hand_over(struct guardian *g, const char *what, const char *advice)
{
	fence(g);
	if (g->fenced)
		say(g, what, advice);
}

__attribute__((noreturn)) static void on_ended(struct guardian *g, int status)
{
	char what[64];

	if (!g->closed)
		fence(g); /* nothing, if it has ended itself */
	if (WIFEXITED(status) && WEXITSTATUS(status) == GUARDIAN_AGAIN)
		restart_again(g->args.oom);
	if (!WIFSIGNALED(status))
		_exit(WEXITSTATUS(status));
	snprintf(what, sizeof(what), "was killed by signal %d (%s)", WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
	say(g, what, "start vrrp-xdp again; `vrrp-xdp detach` removes what is left");
	_exit(EXIT_FAILURE);
}

/* All children: as the first process of a container it inherits the orphans. */
static void reap(struct guardian *g)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid == g->args.controller && WIFSTOPPED(status))
			hand_over(g, "was stopped", "kill -CONT lets it go on");
		else if (pid == g->args.controller)
			on_ended(g, status);
	}
}

/* It would run and gets no CPU: it does not hang, and what it cannot keep its lease ends. One that spins uses CPU time. */
static bool starves(const struct guardian *g, uint64_t limit_ns)
{
	char buf[64] = "";
	const char *end = pread(g->stat_fd, buf, sizeof(buf) - 1, 0) > 0 ? strrchr(buf, ')') : NULL;

	return end && end[1] && end[2] == 'R' && read_ns(g->cpu) - g->cpu_ns < limit_ns / 2;
}

/*
 * Looks at the deadline, having asked to be woken at @asked_ns (UINT64_MAX: by a signal only), and returns until when to sleep. When it was
 * itself woken late by a quarter of the limit, then the machine has stalled, and not the controller: that gets half a limit more, once; and
 * again and again as long as it waits for a CPU.
 */
static uint64_t judge(struct guardian *g, uint64_t now_ns, uint64_t asked_ns)
{
	uint64_t due_ns = __atomic_load_n(&g->page->deadline_ns, __ATOMIC_SEQ_CST);
	uint64_t limit_ns = __atomic_load_n(&g->page->limit_ns, __ATOMIC_SEQ_CST);
	char what[64];

	if (due_ns != g->due_ns) {
		g->due_ns = g->until_ns = due_ns;
		g->excused = g->done = false;
		g->cpu_ns = read_ns(g->cpu);
	}
	if (g->done)
		return UINT64_MAX;
	if (now_ns < g->until_ns)
		return g->until_ns;
	if ((!g->excused && now_ns > asked_ns && now_ns - asked_ns > limit_ns / 4) || starves(g, limit_ns)) {
		g->excused = true;
		g->until_ns = now_ns + limit_ns / 2;
		return g->until_ns;
	}
	snprintf(what, sizeof(what), "has hung for %u ms", (unsigned int)((now_ns - due_ns + limit_ns) / VX_NS_PER_MS));
	hand_over(g, what, "find out what holds it up");
	return UINT64_MAX;
}

/* ---- the process ---- */

/* The roles, once there is a map of them, and the page with room for the wills. */
static void take_roles(struct guardian *g, int fd, const struct guardian_roles *of)
{
	struct guardian_page *page = mmap(NULL, sizeof(*page) + of->nwills * sizeof(page->wills[0]),
					  PROT_READ | PROT_WRITE, MAP_SHARED, g->args.memfd, 0);
	uint64_t *role = mmap(NULL, of->slots * sizeof(*role), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED || role == MAP_FAILED || of->slots > VX_MAX_VRS) {
		log_err("the guardian cannot map the roles: %s; raise RLIMIT_MEMLOCK and restart vrrp-xdp",
			strerror(errno));
		return;
	}
	g->page = page;
	g->role = role;
	g->of = *of;
}

/*
 * Messages, or the end of the socket, whose other end is the first thing of a dead process that the kernel closes: to close a packet
 * socket takes it 10 ms, and the death is told when all are closed.
 */
static void on_socket(struct guardian *g)
{
	union {
		struct guardian_roles of;
		char text[128];
	} m;
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} ctl;
	struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) - 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = 1;
	int fd;

	while (n > 0) {
		msg.msg_control = &ctl;
		msg.msg_controllen = sizeof(ctl);
		n = recvmsg(g->args.sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n > 0 && CMSG_FIRSTHDR(&msg)) {
			memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
			take_roles(g, fd, &m.of);
			close(fd);
		} else if (n > 0) {
			m.text[n] = '\0';
			sd_notify_state(m.text);
		}
	}
	if (!n && !g->closed)
		fence(g);
	g->closed |= !n;
}

static void forward(struct guardian *g, int sig)
{
	kill(g->args.controller, sig); /* from a terminal it has it twice, which is harmless */
	if (sig != SIGTERM && sig != SIGINT)
		return;
	kill(g->args.controller, SIGCONT); /* a stopped one could not end */
	if (g->kill_ns == UINT64_MAX)
		g->kill_ns = read_ns(CLOCK_BOOTTIME) + g->args.stop_s * VX_NS_PER_S;
}

/* systemd may be told to kill the main process only, which is this one: a controller that hangs for good would be there for ever. */
static void kill_late(struct guardian *g, uint64_t now_ns)
{
	if (now_ns < g->kill_ns)
		return;
	log_err("the controller (process %d) has not ended %u s after it was asked to", (int)g->args.controller,
		g->args.stop_s);
	kill(g->args.controller, SIGKILL);
	g->kill_ns = UINT64_MAX;
}

void guardian_run(const struct guardian_args *args)
{
	const int wakers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGIO, SIGRTMIN };
	struct guardian *g = &guardian;
	uint64_t now_ns, wake_ns, until_ns = UINT64_MAX;
	struct timespec ts;
	char stat[32];
	sigset_t set;
	size_t i;
	int sig;

	sigfillset(&set); /* Ctrl-Z too: it stops the controller, which is then handed over for */
	sigprocmask(SIG_SETMASK, &set, NULL);
	g->args = *args;
	g->page = args->page;
	g->due_ns = g->until_ns = g->kill_ns = UINT64_MAX;
	g->frames = open_socket(AF_PACKET, 0); /* protocol 0: it takes nothing in */
	g->packets4 = open_socket(AF_INET, IPPROTO_RAW);
	g->packets6 = open_socket(AF_INET6, IPPROTO_RAW);
	if (g->frames < 0 || g->packets4 < 0)
		log_err("the guardian has no sockets: %s; it will fence, and send nothing", strerror(errno));
	snprintf(stat, sizeof(stat), "/proc/%d/stat", (int)args->controller);
	g->stat_fd = open(stat, O_RDONLY | O_CLOEXEC);
	clock_getcpuclockid(args->controller, &g->cpu);
	fcntl(args->sock, F_SETOWN, getpid());
	fcntl(args->sock, F_SETFL, O_ASYNC);
	sigemptyset(&set);
	for (i = 0; i < VX_ARRAY_LEN(wakers); i++)
		sigaddset(&set, wakers[i]);
	on_socket(g); /* what came before there was a SIGIO for it */
	for (;;) {
		reap(g);
		now_ns = read_ns(CLOCK_BOOTTIME);
		kill_late(g, now_ns);
		until_ns = judge(g, now_ns, until_ns);
		wake_ns = until_ns < g->kill_ns ? until_ns : g->kill_ns;
		ts.tv_sec = (wake_ns - now_ns) / VX_NS_PER_S;
		ts.tv_nsec = (wake_ns - now_ns) % VX_NS_PER_S;
		sig = sigtimedwait(&set, NULL, wake_ns == UINT64_MAX ? NULL : &ts);
		if (sig == SIGIO)
			on_socket(g);
		else if (sig > 0 && sig != SIGCHLD && sig != SIGRTMIN)
			forward(g, sig);
	}
}
