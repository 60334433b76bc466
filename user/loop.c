// SPDX-License-Identifier: GPL-2.0-or-later
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ULL

/* Timers in one turn: where thousands are due together, the first of them are carried out before the last are looked at. */
enum { MAX_READY = 64, MAX_EXPIRED = 128 };

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* The timers themselves are run by the turn; the descriptor only has to be emptied. */
static void on_timerfd(void *arg, uint32_t events, uint64_t now_ns)
{
	struct loop *l = arg;
	uint64_t n;

	(void)events;
	(void)now_ns;
	if (read(l->timerfd, &n, sizeof(n)) == sizeof(n))
		l->timer_set_ns = UINT64_MAX;
}

static void on_signal(void *arg, uint32_t events, uint64_t now_ns)
{
	struct loop *l = arg;
	struct signalfd_siginfo si;

	(void)events;
	(void)now_ns;
	if (read(l->sigfd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT || !l->signal)
		l->stop_signal = si.ssi_signo;
	else
		l->signal(l->signal_arg, si.ssi_signo);
}

int loop_init(struct loop *l)
{
	sigset_t set;
	int err;

	memset(l, 0, sizeof(*l));
	l->epfd = l->timerfd = l->sigfd = -1;
	l->timer_set_ns = UINT64_MAX;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	signal(SIGPIPE, SIG_IGN); /* whoever read our log has gone */
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->timerfd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	l->sigfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (l->epfd < 0 || l->timerfd < 0 || l->sigfd < 0)
		return -errno;
	l->timer_io = (struct loop_io){ .fd = l->timerfd, .prio = LOOP_OTHER, .fn = on_timerfd, .arg = l };
	l->sig_io = (struct loop_io){ .fd = l->sigfd, .prio = LOOP_OTHER, .fn = on_signal, .arg = l };
	err = loop_add(l, &l->timer_io, EPOLLIN);
	return err ? err : loop_add(l, &l->sig_io, EPOLLIN);
}

void loop_fini(struct loop *l)
{
	int fds[] = { l->epfd, l->timerfd, l->sigfd };
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	l->epfd = l->timerfd = l->sigfd = -1;
	timer_queue_fini(&l->timers);
}

static int control(struct loop *l, int op, struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = io };

	return epoll_ctl(l->epfd, op, io->fd, &ev) ? -errno : 0;
}

int loop_add(struct loop *l, struct loop_io *io, uint32_t events)
{
	return control(l, EPOLL_CTL_ADD, io, events);
}

int loop_mod(struct loop *l, struct loop_io *io, uint32_t events)
{
	return control(l, EPOLL_CTL_MOD, io, events);
}

void loop_del(struct loop *l, struct loop_io *io)
{
	int i;

	control(l, EPOLL_CTL_DEL, io, 0);
	for (i = 0; i < l->nready; i++) /* it may be freed now */
		if (l->ready[i].data.ptr == io)
			l->ready[i].data.ptr = NULL;
}

/* Sets the descriptor to the earliest deadline; no system call when it is there already. */
static void set_timerfd(struct loop *l)
{
	struct itimerspec its = { 0 };
	uint64_t at = timer_next(&l->timers);

	if (at == l->timer_set_ns)
		return;
	l->timer_set_ns = at;
	if (at != UINT64_MAX) {
		its.it_value.tv_sec = at / NS_PER_S;
		its.it_value.tv_nsec = at % NS_PER_S;
		if (!at)
			its.it_value.tv_nsec = 1; /* zero would disarm */
	}
	timerfd_settime(l->timerfd, TFD_TIMER_ABSTIME, &its, NULL);
}

static uint64_t go_on(const struct loop *l)
{
	uint64_t now_ns = loop_now_ns();

	if (l->woke)
		l->woke(l->arg, now_ns);
	return now_ns;
}

/* A callback may remove any descriptor, see loop_del(). */
static void dispatch(struct loop *l, struct epoll_event *ready, int n)
{
	enum loop_prio p;
	struct loop_io *io;
	uint64_t now_ns;
	int i;

	l->ready = ready;
	l->nready = n;
	for (p = LOOP_EVENTS; p <= LOOP_OTHER; p++) {
		for (i = 0; i < n; i++) {
			io = ready[i].data.ptr;
			if (io && io->prio == p) {
				now_ns = go_on(l);
				ready[i].data.ptr = NULL; /* the callback may free it */
				io->fn(io->arg, ready[i].events, now_ns);
			}
		}
	}
	l->nready = 0;
}

void loop_stop(struct loop *l, int signo)
{
	l->stop_signal = signo;
}

void loop_stay_awake(struct loop *l, uint64_t at_ns)
{
	if (at_ns > l->busy_until_ns)
		l->busy_until_ns = at_ns;
}

bool loop_is_awake(const struct loop *l)
{
	return l->now_ns < l->busy_until_ns;
}

static void go_to_sleep(struct loop *l)
{
	set_timerfd(l);
	if (l->sleeps)
		l->sleeps(l->arg, timer_next(&l->timers));
}

int loop_run(struct loop *l)
{
	struct epoll_event ready[MAX_READY];
	struct timer *t;
	int n, i, timeout, err;

	while (!l->stop_signal) {
		timeout = loop_is_awake(l) ? 0 : -1;
		if (timeout)
			go_to_sleep(l);
		n = epoll_wait(l->epfd, ready, MAX_READY, timeout);
		err = n < 0 ? -errno : 0;
		if (err && err != -EINTR)
			return err;
		if (n > 0)
			dispatch(l, ready, n);
		l->now_ns = go_on(l);
		/* stopped and continued: what came meanwhile goes before what is due (SEC-29) */
		for (i = 0; !err && i < MAX_EXPIRED && (t = timer_expire(&l->timers, l->now_ns)); i++) {
			t->fn(t->arg, l->now_ns);
			go_on(l);
		}
		l->turn_end(l->arg, l->now_ns);
	}
	return l->stop_signal;
}
