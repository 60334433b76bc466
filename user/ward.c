// SPDX-License-Identifier: GPL-2.0-or-later
#include "ward.h"

#include "abi.h"
#include "guardian.h"
#include "log.h"
#include "priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	HIGH_FD = 1000, /* below the usual limit of 1024 */
	RT_MAX = 99,
	WILLS_MAX = 1 << 20,
	WAIT_LIMITS = 3,
};

static struct {
	struct guardian_page *page;
	int memfd, sock, pidfd;
	pid_t pid;       /* of the guardian */
	uint32_t *owner; /* [nwills], owned: slot + 1 of each will, 0: free */
	uint32_t *next;  /* [nwills], owned: 1 + the next will of the same owner, 0: none */
	uint32_t first[VX_MAX_VRS + 1];
	uint32_t nwills;
	uint32_t fences; /* as seen the last time */
	bool resting;
} me = { .memfd = -1, .sock = -1, .pidfd = -1 };

static void store(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}

static void wake(void)
{
	syscall(SYS_pidfd_send_signal, me.pidfd, SIGRTMIN, NULL, 0);
}

static struct guardian_page *map_page(uint32_t nwills)
{
	size_t bytes = sizeof(struct guardian_page) + nwills * sizeof(struct guardian_will);
	void *p;

	if (ftruncate(me.memfd, bytes))
		return NULL;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, me.memfd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* ---- who owns which will ---- */

static void give(uint32_t i, uint32_t owner)
{
	me.owner[i] = owner;
	me.next[i] = me.first[owner];
	me.first[owner] = i + 1;
}

static uint32_t take(uint32_t owner)
{
	uint32_t i = me.first[owner] - 1;

	me.first[owner] = me.next[i];
	return i;
}

/* Of @me.owner as it was taken over, or empty. 0 or -ENOMEM. */
static int index_wills(void)
{
	uint32_t i = me.nwills;

	memset(me.first, 0, sizeof(me.first));
	me.next = calloc(me.nwills + 1, sizeof(*me.next));
	if (!me.next)
		return -ENOMEM;
	while (i--)
		give(i, me.owner[i] <= VX_MAX_VRS ? me.owner[i] : 0);
	return 0;
}

pid_t ward_guardian(void)
{
	return me.pid;
}

int ward_fd(void)
{
	return me.pidfd;
}

/* Those that the loop reads, and no others, whatever was blocked before. */
static void block_signals(void)
{
	const int sigs[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < VX_ARRAY_LEN(sigs); i++)
		sigaddset(&set, sigs[i]);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

/* The kernel closes what a dead process has open from the highest number down: this end shall go first, see the guardian's on_socket(). */
static int to_the_end(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (high < 0)
		return fd;
	close(fd);
	return high;
}

/* What can be had of this is had. Not the CPU affinity: the guardian must not wait for a CPU that is the controller's alone. */
static void settle_in(int rt_priority, int nice, char oom[16])
{
	struct sched_param p = { .sched_priority = rt_priority < RT_MAX ? rt_priority + 1 : RT_MAX };
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC), err;

	if (fd >= 0 && pread(fd, oom, 15, 0) < 0)
		oom[0] = '\0';
	if (fd >= 0 && write(fd, "-1000", 5) < 0)
		log_debug("the guardian may be chosen when memory runs out: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	prctl(PR_SET_NAME, "vrrp-xdp-guard");
	if (nice)
		setpriority(PRIO_PROCESS, 0, nice);
	if (rt_priority)
		sched_setscheduler(0, SCHED_FIFO, &p);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	err = priv_drop_guardian();
	if (!err)
		err = priv_hide_memory(true); /* it was forked from one that has read the configuration */
	if (err)
		log_warn("the guardian keeps more rights than it needs: %s", strerror(-err));
}

/* Of a controller that runs already: the names of its control sockets, and clients that wait for its answer, must not be held by both. */
static void close_others(int a, int b)
{
	unsigned int low = a < b ? a : b, high = a < b ? b : a;

	if (low > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

int ward_start(int rt_priority, int nice, unsigned int stop_s)
{
	struct guardian_args args = { .stop_s = stop_s };
	sigset_t all;
	int sock[2];

	me.memfd = memfd_create("vrrp-xdp-guardian", MFD_CLOEXEC);
	me.page = me.memfd < 0 ? NULL : map_page(0);
	me.pid = getpid();
	me.pidfd = syscall(SYS_pidfd_open, me.pid, 0); /* close-on-exec by itself */
	if (!me.page || me.pidfd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		return -errno;
	me.page->deadline_ns = UINT64_MAX;
	signal(SIGCHLD, SIG_DFL); /* whoever started us may ignore it: then no child's end is told */
	sigfillset(&all);         /* the child may wake its guardian before that waits for it */
	sigprocmask(SIG_SETMASK, &all, NULL);
	args.controller = fork();
	if (args.controller <= 0)
		block_signals();
	if (args.controller < 0)
		return -errno;
	if (!args.controller) {
		me.sock = to_the_end(sock[1]);
		close(sock[0]);
		return 0;
	}
	close(sock[1]);
	close(me.pidfd);
	args.memfd = me.memfd;
	args.page = me.page;
	args.sock = sock[0];
	settle_in(rt_priority, nice, args.oom);
	close_others(args.memfd, args.sock);
	guardian_run(&args);
}

bool ward_guarded(void)
{
	struct pollfd p = { .fd = me.pidfd, .events = POLLIN };

	return me.pidfd >= 0 && poll(&p, 1, 0) == 0;
}

bool ward_watches(void)
{
	return me.nwills;
}

static void hand(struct hand *h)
{
	size_t n = me.nwills;

	HAND(h, me.pid);
	hand_fd(h, &me.memfd);
	hand_fd(h, &me.sock);
	hand_fd(h, &me.pidfd);
	HAND(h, me.fences);
	hand_count(h, &n, 2 * VX_MAX_VRS + WILLS_MAX);
	me.nwills = n;
	if (!h->out)
		me.owner = calloc(n + 1, sizeof(*me.owner));
	h->bad |= n && !me.owner;
	if (!h->bad)
		hand_bytes(h, me.owner, n * sizeof(*me.owner));
}

void ward_hand_over(struct hand *h, uint64_t until_ns)
{
	bool guarded = ward_guarded();

	HAND(h, guarded);
	if (!guarded)
		return;
	hand(h);
	store(&me.page->deadline_ns, until_ns);
	wake(); /* it may sleep without limit, see ward_rest() */
}

int ward_adopt(struct hand *h)
{
	bool guarded = false;

	HAND(h, guarded);
	if (!guarded)
		return -ENOENT;
	hand(h);
	me.page = h->bad || index_wills() ? NULL : map_page(me.nwills);
	return me.page ? 0 : -EPROTO;
}

int ward_watch(int role_fd, uint32_t slots, uint32_t nwills)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} ctl = { 0 };
	struct guardian_roles of = { .slots = slots, .nwills = nwills };
	struct iovec iov = { .iov_base = &of, .iov_len = sizeof(of) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof(ctl) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	uint32_t *owner = calloc(nwills, sizeof(*owner));
	struct guardian_page *page = owner ? map_page(nwills) : NULL;

	if (!page) {
		free(owner);
		return -ENOMEM;
	}
	me.owner = owner;
	me.nwills = nwills;
	me.page = page;
	if (index_wills())
		return -ENOMEM;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(role_fd));
	memcpy(CMSG_DATA(c), &role_fd, sizeof(role_fd));
	return sendmsg(me.sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int ward_notify(const char *text)
{
	return send(me.sock, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* ---- wills ---- */

static void begin(struct guardian_will *w)
{
	__atomic_store_n(&w->seq, w->seq | 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void end(struct guardian_will *w)
{
	__atomic_store_n(&w->seq, w->seq + 1, __ATOMIC_SEQ_CST);
}

void ward_forget(uint32_t slot)
{
	struct guardian_will *w;
	uint32_t i;

	while (me.first[slot + 1]) {
		i = take(slot + 1);
		w = &me.page->wills[i];
		begin(w);
		w->len = 0;
		end(w);
		give(i, 0);
	}
}

int ward_will(const struct ward_will *in)
{
	struct guardian_will *w;
	uint32_t i;

	if (!me.first[0] || in->len > sizeof(w->data))
		return -ENOSPC;
	i = take(0);
	give(i, in->slot + 1);
	w = &me.page->wills[i];
	begin(w);
	w->slot = in->slot;
	w->ifindex = in->ifindex;
	w->family = in->family;
	w->dst = in->dst;
	memcpy(w->data, in->data, in->len);
	w->len = in->len;
	end(w);
	return 0;
}

/* ---- signs of life ---- */

void ward_limit(uint64_t limit_ns, uint64_t now_ns)
{
	uint64_t old_ns = me.page->limit_ns;

	if (limit_ns == old_ns)
		return;
	store(&me.page->limit_ns, limit_ns);
	if (me.resting) /* ward_rested() or ward_sleep() makes the deadline */
		return;
	store(&me.page->deadline_ns, limit_ns ? now_ns + limit_ns : UINT64_MAX);
	if (limit_ns && (!old_ns || limit_ns < old_ns))
		wake();
}

void ward_alive(uint64_t now_ns)
{
	if (me.page->limit_ns && !me.resting)
		store(&me.page->deadline_ns, now_ns + me.page->limit_ns);
}

void ward_waits(uint64_t now_ns, uint64_t until_ns)
{
	uint64_t most_ns = now_ns + WAIT_LIMITS * me.page->limit_ns;

	if (me.page->limit_ns && !me.resting && until_ns > me.page->deadline_ns)
		store(&me.page->deadline_ns, until_ns < most_ns ? until_ns : most_ns);
}

void ward_sleep(uint64_t next_ns)
{
	uint64_t limit_ns = me.page->limit_ns;

	store(&me.page->deadline_ns, limit_ns && next_ns < UINT64_MAX - limit_ns ? next_ns + limit_ns : UINT64_MAX);
	if (me.resting && limit_ns) /* the guardian may have found that it can sleep for ever */
		wake();
	me.resting = false;
}

void ward_rest(void)
{
	me.resting = true;
	store(&me.page->deadline_ns, UINT64_MAX);
}

void ward_rested(uint64_t now_ns)
{
	if (me.resting)
		ward_sleep(now_ns);
}

bool ward_fenced(uint64_t now_ns, uint64_t *away_ns)
{
	uint32_t fences = __atomic_load_n(&me.page->fences, __ATOMIC_SEQ_CST);
	uint64_t since_ns, alive_ns;

	if (fences == me.fences)
		return false;
	me.fences = fences;
	since_ns = me.page->fenced_ns;
	alive_ns = me.page->deadline_ns - me.page->limit_ns;
	if (me.page->limit_ns && alive_ns < since_ns) /* it hung, and was not stopped */
		since_ns = alive_ns;
	*away_ns = now_ns > since_ns ? now_ns - since_ns : 0;
	return true;
}
