// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vrrp_track_process: how many processes of a kind run. The kernel tells of each fork, exec, rename and exit (CN_PROC); where it does not,
 * such as in a network namespace of its own, /proc is gone through once a second. Going through it is cut into slices: on a machine with
 * thousands of processes it would hold up adverts.
 */
#include "track.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "track_int.h"

#define NS_PER_MS    1000000ULL
#define SCAN_EACH_NS (1000 * NS_PER_MS)
#define SLICE_NS     NS_PER_MS /* pause between two slices */

enum {
	SLICE = 32,         /* processes looked at in one */
	EVENTS_A_TURN = 64, /* of a machine that forks without end */
	COMM_LEN = 15,      /* what the kernel keeps of a name */
	CMDLINE_LEN = 8192,
	STAT_LEN = 512,
	EVENT_LEN = 256,
	RCVBUF = 1 << 20,
	PIDS_MAX = 1 << 22,
};

struct pids {
	pid_t *v; /* owned */
	size_t n, cap;
};

struct proc {
	struct track_procs *ps;
	const struct conf_process *conf;
	size_t item;
	struct pids now, next; /* @next: of the scan that goes on */
	size_t told;           /* how many there were when the value was looked at last */
	int value;
	struct timer timer; /* fork_delay or terminate_delay runs */
	bool started;
	char last[32];
};

struct track_procs {
	struct track *t;
	struct proc **procs; /* one per conf->processes; NULL: nothing tracks it */
	size_t n;
	struct loop_io io; /* CN_PROC; fd -1: none */
	uint32_t seq;
	bool tried;
	DIR *dir; /* NULL: no scan goes on */
	struct timer scan;
	bool has_room; /* for @scan */
};

/* What was read about one process; the command line only if somebody asks. */
struct about {
	pid_t pid;
	bool runs;
	char comm[COMM_LEN + 1];
	bool have_cmdline;
	size_t cmdline_len;
	char cmdline[CMDLINE_LEN];
};

static ssize_t read_proc(pid_t pid, const char *name, char *buf, size_t len)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, len - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

/* "123 (comm) S ...", where comm may hold anything, brackets as well; a zombie runs no more. */
static void look_at(struct about *a, pid_t pid)
{
	char stat[STAT_LEN], *open_at, *close_at;

	a->pid = pid;
	a->runs = a->have_cmdline = false;
	if (read_proc(pid, "stat", stat, sizeof(stat)) <= 0)
		return;
	open_at = strchr(stat, '(');
	close_at = strrchr(stat, ')');
	if (!open_at || !close_at || close_at < open_at || strlen(close_at) < 3)
		return;
	*close_at = '\0';
	snprintf(a->comm, sizeof(a->comm), "%s", open_at + 1);
	a->runs = !strchr("ZXx", close_at[2]);
}

static void read_cmdline(struct about *a)
{
	ssize_t n;

	if (a->have_cmdline)
		return;
	n = read_proc(a->pid, "cmdline", a->cmdline, sizeof(a->cmdline));
	a->cmdline_len = n > 0 ? n : 0;
	a->have_cmdline = true;
}

/* The arguments: exact: all of them; partial: they begin with ours; initial: and our last one may be cut short. */
static bool args_match(const struct conf_process *c, const char *at, const char *end)
{
	char *const *arg;
	size_t len;

	for (arg = c->argv + 1; *arg; arg++) {
		len = strlen(*arg);
		if (at >= end || strncmp(at, *arg, len))
			return false;
		if (at[len] && (c->param_match != CONF_PARAM_INITIAL || arg[1]))
			return false;
		at += strlen(at) + 1;
	}
	return c->param_match == CONF_PARAM_INITIAL || c->param_match == CONF_PARAM_PARTIAL || at >= end;
}

/*
 * The command line lives in the process's own memory, and reading it may wait for one that hangs: so it is read only where the name
 * alone does not decide.
 */
static bool matches(const struct conf_process *c, struct about *a)
{
	bool name_only = c->param_match == CONF_PARAM_NONE && !c->argv[1];

	if (!a->runs || (!c->full_command && strncmp(c->argv[0], a->comm, COMM_LEN)))
		return false;
	if (name_only && !c->full_command)
		return true;
	read_cmdline(a);
	if (!a->cmdline_len || (c->full_command && strcmp(a->cmdline, c->argv[0])))
		return false;
	return name_only || args_match(c, a->cmdline + strlen(a->cmdline) + 1, a->cmdline + a->cmdline_len);
}

static size_t pids_find(const struct pids *p, pid_t pid)
{
	size_t i = 0;

	while (i < p->n && p->v[i] != pid)
		i++;
	return i;
}

static bool pids_has(const struct pids *p, pid_t pid)
{
	return pids_find(p, pid) < p->n;
}

static void pids_set(struct pids *p, pid_t pid, bool in)
{
	size_t at = pids_find(p, pid), cap = p->cap ? 2 * p->cap : 16;
	pid_t *v;

	if (in == (at < p->n))
		return;
	if (!in) {
		p->v[at] = p->v[--p->n];
		return;
	}
	if (p->n == p->cap) {
		v = realloc(p->v, cap * sizeof(*v));
		if (!v)
			return;
		p->v = v;
		p->cap = cap;
	}
	p->v[p->n++] = pid;
}

static void set_value(struct proc *p, int value)
{
	timer_cancel(&p->ps->t->loop->timers, &p->timer);
	if (p->value == value)
		return;
	p->value = value;
	log_info("vrrp_track_process %s: %s, %zu running", p->conf->name, value ? "quorum gained" : "quorum lost",
		 p->now.n);
	track_tell(p->ps->t, TRACK_PROCESS, p->item, value);
}

static bool has_quorum(const struct proc *p)
{
	return p->now.n >= p->conf->quorum && p->now.n <= p->conf->quorum_max;
}

/* A change must last: fork_delay when processes came, terminate_delay when they went. Turning back ends the wait. */
static void look_at_count(struct proc *p, bool first)
{
	uint64_t delay_ns = p->now.n > p->told ? p->conf->fork_delay_ns : p->conf->terminate_delay_ns;

	snprintf(p->last, sizeof(p->last), "%zu running", p->now.n);
	p->told = p->now.n;
	if (first || has_quorum(p) == p->value || !delay_ns)
		set_value(p, has_quorum(p));
	else if (!p->timer.index)
		timer_arm(&p->ps->t->loop->timers, &p->timer, loop_now_ns() + delay_ns);
}

static void on_delay(void *arg, uint64_t now_ns)
{
	struct proc *p = arg;

	(void)now_ns;
	set_value(p, has_quorum(p));
}

/* One process came, went or changed. */
static void set_pid(struct proc *p, pid_t pid, bool in)
{
	if (p->ps->dir)
		pids_set(&p->next, pid, in);
	pids_set(&p->now, pid, in);
	if (p->value != TRACK_UNKNOWN && p->now.n != p->told)
		look_at_count(p, false);
}

static void start_scan(struct track_procs *ps, uint64_t at_ns)
{
	size_t i;

	if (ps->dir)
		closedir(ps->dir);
	ps->dir = NULL;
	for (i = 0; i < ps->n; i++)
		if (ps->procs[i])
			ps->procs[i]->next.n = 0;
	timer_arm(&ps->t->loop->timers, &ps->scan, at_ns);
}

static void end_scan(struct track_procs *ps, uint64_t now_ns)
{
	struct pids before;
	struct proc *p;
	size_t i;

	closedir(ps->dir);
	ps->dir = NULL;
	for (i = 0; i < ps->n; i++) {
		p = ps->procs[i];
		if (!p || !p->started)
			continue;
		before = p->now;
		p->now = p->next;
		p->next = before;
		look_at_count(p, p->value == TRACK_UNKNOWN);
	}
	if (ps->io.fd < 0) /* nobody tells us what changes */
		start_scan(ps, now_ns + SCAN_EACH_NS);
}

static void scan_one(struct track_procs *ps, pid_t pid, struct about *a)
{
	size_t i;

	look_at(a, pid);
	for (i = 0; i < ps->n; i++)
		if (ps->procs[i] && matches(ps->procs[i]->conf, a))
			pids_set(&ps->procs[i]->next, pid, true);
}

/* Without /proc nothing can be counted, and what cannot be seen is taken for not running. */
static void no_proc(struct track_procs *ps, uint64_t now_ns)
{
	size_t i;

	for (i = 0; i < ps->n; i++) {
		if (!ps->procs[i] || ps->procs[i]->value != TRACK_UNKNOWN)
			continue;
		log_err("vrrp_track_process %s: cannot read /proc: %s; it counts as not running, mount /proc",
			ps->procs[i]->conf->name, strerror(errno));
		look_at_count(ps->procs[i], true);
	}
	timer_arm(&ps->t->loop->timers, &ps->scan, now_ns + SCAN_EACH_NS);
}

static void on_scan(void *arg, uint64_t now_ns)
{
	struct track_procs *ps = arg;
	struct about a;
	struct dirent *d;
	int left = SLICE;

	if (!ps->dir)
		ps->dir = opendir("/proc");
	if (!ps->dir) {
		no_proc(ps, now_ns);
		return;
	}
	while (left && (d = readdir(ps->dir))) {
		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		scan_one(ps, atoi(d->d_name), &a);
		left--;
	}
	if (left)
		end_scan(ps, now_ns);
	else
		timer_arm(&ps->t->loop->timers, &ps->scan, now_ns + SLICE_NS);
}

static void process_changed(struct track_procs *ps, pid_t pid)
{
	struct about a;
	size_t i;

	look_at(&a, pid);
	for (i = 0; i < ps->n; i++)
		if (ps->procs[i])
			set_pid(ps->procs[i], pid, matches(ps->procs[i]->conf, &a));
}

/* A child is what its parent is until it says otherwise; while a scan goes on, the parent may not have been looked at yet. */
static void process_forked(struct track_procs *ps, pid_t parent, pid_t child)
{
	size_t i;

	if (ps->dir) {
		process_changed(ps, child);
		return;
	}
	for (i = 0; i < ps->n; i++)
		if (ps->procs[i] && pids_has(&ps->procs[i]->now, parent))
			set_pid(ps->procs[i], child, true);
}

static void process_ended(struct track_procs *ps, pid_t pid)
{
	size_t i;

	for (i = 0; i < ps->n; i++)
		if (ps->procs[i])
			set_pid(ps->procs[i], pid, false);
}

/* Threads have events too; only what leads its thread group is a process. */
static void on_event(struct track_procs *ps, const struct proc_event *ev)
{
	switch ((unsigned int)ev->what) {
	case PROC_EVENT_FORK:
		if (ev->event_data.fork.child_pid == ev->event_data.fork.child_tgid)
			process_forked(ps, ev->event_data.fork.parent_tgid, ev->event_data.fork.child_tgid);
		break;
	case PROC_EVENT_EXEC:
		process_changed(ps, ev->event_data.exec.process_tgid);
		break;
	case PROC_EVENT_COMM:
		if (ev->event_data.comm.process_pid == ev->event_data.comm.process_tgid)
			process_changed(ps, ev->event_data.comm.process_tgid);
		break;
	case (unsigned int)PROC_EVENT_EXIT:
		if (ev->event_data.exit.process_pid == ev->event_data.exit.process_tgid)
			process_ended(ps, ev->event_data.exit.process_tgid);
		break;
	}
}

/* One event from the kernel. 0; -EAGAIN: there is none; -ENOBUFS: some were lost; -EBADMSG: not an event. @seq NULL: not asked. */
static int receive(int fd, struct proc_event *ev, uint32_t *seq)
{
	char buf[EVENT_LEN] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct sockaddr_nl from = { 0 };
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	const size_t head = NLMSG_HDRLEN + sizeof(struct cn_msg);
	struct cn_msg msg;

	if (n < 0)
		return -errno;
	if (from.nl_pid || (size_t)n < head + sizeof(*ev)) /* only the kernel is asked */
		return -EBADMSG;
	memcpy(&msg, buf + NLMSG_HDRLEN, sizeof(msg));
	if (msg.id.idx != CN_IDX_PROC || msg.id.val != CN_VAL_PROC)
		return -EBADMSG;
	memcpy(ev, buf + head, sizeof(*ev));
	if (seq)
		*seq = msg.seq;
	return 0;
}

static void on_events(void *arg, uint32_t events, uint64_t now_ns)
{
	struct track_procs *ps = arg;
	struct proc_event ev;
	int i, err = 0;

	(void)events;
	for (i = 0; i < EVENTS_A_TURN && err != -EAGAIN; i++) {
		err = receive(ps->io.fd, &ev, NULL);
		if (!err)
			on_event(ps, &ev);
		else if (err == -ENOBUFS)
			start_scan(ps, now_ns);
	}
}

static int ask_for_events(int fd, uint32_t seq, enum proc_cn_mcast_op op)
{
	struct nlmsghdr h = {
		.nlmsg_len = NLMSG_HDRLEN + sizeof(struct cn_msg) + sizeof(op),
		.nlmsg_type = NLMSG_DONE,
		.nlmsg_pid = 0,
	};
	struct cn_msg msg = {
		.id = { .idx = CN_IDX_PROC, .val = CN_VAL_PROC },
		.seq = seq,
		.len = sizeof(op),
	};
	char buf[NLMSG_HDRLEN + sizeof(msg) + sizeof(op)];

	memcpy(buf, &h, sizeof(h));
	memcpy(buf + NLMSG_HDRLEN, &msg, sizeof(msg));
	memcpy(buf + NLMSG_HDRLEN + sizeof(msg), &op, sizeof(op));
	return send(fd, buf, sizeof(buf), 0) < 0 ? -errno : 0;
}

/*
 * The kernel answers while we send, and says nothing at all to who asks from another user or process namespace: then the numbers in its events
 * would not be ours.
 */
static int await_answer(int fd, uint32_t seq)
{
	struct proc_event ev = { 0 };
	uint32_t got = 0;
	int i, err;

	for (i = 0; i < EVENTS_A_TURN; i++) {
		err = receive(fd, &ev, &got);
		if (err == -EAGAIN)
			return -EOPNOTSUPP;
		if (!err && (unsigned int)ev.what == PROC_EVENT_NONE && got == seq)
			return -(int)ev.event_data.ack.err;
	}
	return -EOPNOTSUPP;
}

static int open_events(struct track_procs *ps)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR), err = 0;
	int size = RCVBUF;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); /* smaller is worse, not wrong: see ENOBUFS */
	ps->seq = getpid();
	if (bind(fd, (struct sockaddr *)&nl, sizeof(nl)))
		err = -errno;
	if (!err)
		err = ask_for_events(fd, ps->seq, PROC_CN_MCAST_LISTEN);
	if (!err)
		err = await_answer(fd, ps->seq);
	ps->io.fd = fd;
	if (!err)
		err = loop_add(ps->t->loop, &ps->io, EPOLLIN);
	if (err) {
		close(fd);
		ps->io.fd = -1;
	}
	return err;
}

int track_procs_new(struct track_procs **out, struct track *t)
{
	struct track_procs *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return -ENOMEM;
	ps->t = t;
	ps->io = (struct loop_io){ .fd = -1, .prio = LOOP_OTHER, .fn = on_events, .arg = ps };
	ps->scan = (struct timer){ .fn = on_scan, .arg = ps };
	*out = ps;
	return 0;
}

static void proc_free(struct proc *p)
{
	if (!p)
		return;
	timer_cancel(&p->ps->t->loop->timers, &p->timer);
	free(p->now.v);
	free(p->next.v);
	free(p);
}

void track_procs_free(struct track_procs *ps)
{
	size_t i;

	if (!ps)
		return;
	for (i = 0; i < ps->n; i++)
		proc_free(ps->procs[i]);
	free(ps->procs);
	timer_cancel(&ps->t->loop->timers, &ps->scan);
	if (ps->dir)
		closedir(ps->dir);
	if (ps->io.fd >= 0) {
		ask_for_events(ps->io.fd, ps->seq, PROC_CN_MCAST_IGNORE); /* the kernel counts its listeners */
		loop_del(ps->t->loop, &ps->io);
		close(ps->io.fd);
	}
	free(ps);
}

static bool same_process(const struct conf_process *a, const struct conf_process *b)
{
	return !strcmp(a->name, b->name) && a->param_match == b->param_match && a->full_command == b->full_command &&
	       a->quorum == b->quorum && a->quorum_max == b->quorum_max && track_same_argv(a->argv, b->argv);
}

/* Takes the same process out of the former list, or makes one. */
static struct proc *take(struct track_procs *ps, const struct conf_process *conf)
{
	struct proc *p;
	size_t i;

	for (i = 0; i < ps->n; i++) {
		p = ps->procs[i];
		if (!p || !same_process(p->conf, conf))
			continue;
		ps->procs[i] = NULL;
		return p;
	}
	p = calloc(1, sizeof(*p));
	if (!p || track_room(ps->t, 1)) {
		free(p);
		return NULL;
	}
	p->ps = ps;
	p->value = TRACK_UNKNOWN;
	p->timer = (struct timer){ .fn = on_delay, .arg = p };
	snprintf(p->last, sizeof(p->last), "not counted yet");
	return p;
}

int track_procs_set(struct track_procs *ps, const struct conf *conf)
{
	struct proc **list = calloc(conf->nprocesses + 1, sizeof(struct proc *)), **old = ps->procs;
	size_t i, nold = ps->n;
	int err = list ? 0 : -ENOMEM;

	if (!err && conf->nprocesses && !ps->has_room)
		err = track_room(ps->t, 1);
	if (err) {
		free(list);
		return err;
	}
	ps->has_room |= conf->nprocesses > 0;
	for (i = 0; i < conf->nprocesses; i++) {
		if (!track_used(conf, TRACK_PROCESS, i))
			continue;
		list[i] = take(ps, &conf->processes[i]);
		if (!list[i]) {
			err = -ENOMEM;
			continue;
		}
		list[i]->conf = &conf->processes[i];
		list[i]->item = i;
	}
	for (i = 0; i < nold; i++)
		proc_free(old[i]);
	free(old);
	ps->procs = list;
	ps->n = conf->nprocesses;
	return err;
}

void track_procs_start(struct track_procs *ps)
{
	bool fresh = false;
	size_t i;
	int err;

	for (i = 0; i < ps->n; i++) {
		if (!ps->procs[i] || ps->procs[i]->started)
			continue;
		ps->procs[i]->started = true;
		fresh = true;
	}
	if (!fresh)
		return;
	err = ps->tried ? 0 : open_events(ps);
	ps->tried = true;
	if (err)
		log_info("vrrp_track_process: the kernel does not tell of processes here (%s); they are counted once a "
			 "second",
			 strerror(-err));
	start_scan(ps, loop_now_ns());
}

static void hand_pids(struct hand *h, struct pids *p)
{
	bool out = h->out;
	size_t n = p->n, i;

	hand_count(h, &n, PIDS_MAX);
	for (i = 0; i < n; i++) {
		pid_t pid = i < p->n ? p->v[i] : 0;

		HAND(h, pid);
		if (!out && pid)
			pids_set(p, pid, true);
	}
}

/* What runs is counted anew, but not from nothing: a count that is on its way to what it was has no quorum. */
static void hand_proc(struct hand *h, struct proc *p)
{
	uint64_t at_ns = p->timer.index ? p->timer.at_ns : 0;
	bool same = track_hand_name(h, p->conf ? p->conf->name : "");
	struct proc in = *p;
	struct pids now = { 0 };

	HAND(h, in.told);
	HAND(h, in.value);
	HAND(h, in.last);
	HAND(h, at_ns);
	if (h->out) {
		hand_pids(h, &p->now);
		return;
	}
	hand_pids(h, &now);
	if (!p->conf || !same) {
		free(now.v);
		return;
	}
	*p = in;
	p->now = now;
	if (at_ns)
		timer_arm(&p->ps->t->loop->timers, &p->timer, at_ns);
}

void track_procs_hand(struct track_procs *ps, struct hand *h)
{
	size_t n = ps->n, i;

	hand_count(h, &n, TRACK_MAX);
	for (i = 0; i < n; i++) {
		struct proc none = { .value = TRACK_UNKNOWN };

		hand_proc(h, i < ps->n && ps->procs[i] ? ps->procs[i] : &none);
	}
}

int track_procs_value(const struct track_procs *ps, size_t item)
{
	return item < ps->n && ps->procs[item] ? ps->procs[item]->value : TRACK_UNKNOWN;
}

const char *track_procs_last(const struct track_procs *ps, size_t item)
{
	return item < ps->n && ps->procs[item] ? ps->procs[item]->last : "not tracked";
}
