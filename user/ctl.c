// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl.h"

#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PREFIX "vrrp-xdp/"

enum {
	MAX_LISTENERS = 64,
	MAX_CLIENTS = 16,
	MAX_MEMBERS = MAX_CLIENTS / 2, /* of the group: those that say nothing must not lock out root */
	MAX_ACCEPTS = 16,              /* in one turn: anybody can connect, and the loop has other work */
	REQUEST_MAX = 128,             /* with the name of an instance in it */
	ANSWER_TIMEOUT_S = 5,
	MAX_ANSWER = 64 << 20
};

/* Who is at the other end. */
enum who { WHO_STRANGER, WHO_MEMBER, WHO_ROOT };

struct client {
	struct loop_io io;
	struct ctl *ctl;
	enum who who;
	char request[REQUEST_MAX];
	size_t have;
	bool deferred;
	char *answer; /* owned; NULL while the request is read */
	size_t len, done;
};

struct ctl {
	struct loop *loop;
	ctl_answer_fn answer;
	void *arg;
	bool group_set;
	gid_t gid;
	struct listener {
		struct loop_io io; /* fd -1: free */
		struct ctl *ctl;
		char ifname[IFNAMSIZ];
	} listeners[MAX_LISTENERS];
	struct listener inherited[MAX_LISTENERS]; /* not in the loop yet */
	struct client clients[MAX_CLIENTS];
	struct client *asking; /* whose request is being answered */
};

static socklen_t make_name(struct sockaddr_un *un, const char *ifname)
{
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, PREFIX "%s", ifname);
	return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(un->sun_path + 1);
}

static int connect_to(const char *ifname)
{
	struct timeval tv = { .tv_sec = ANSWER_TIMEOUT_S };
	struct sockaddr_un un;
	socklen_t len = make_name(&un, ifname);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (!connect(fd, (struct sockaddr *)&un, len))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static struct ucred peer_of(int fd)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		cred = (struct ucred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
	return cred;
}

pid_t ctl_holder(const char *ifname, uid_t *uid)
{
	int fd = connect_to(ifname);
	struct ucred cred;

	if (fd < 0)
		return 0;
	cred = peer_of(fd);
	close(fd);
	*uid = cred.uid;
	return cred.pid;
}

bool ctl_trusted(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static void client_end(struct client *c)
{
	loop_del(c->ctl->loop, &c->io);
	close(c->io.fd);
	free(c->answer);
	c->answer = NULL;
	c->io.fd = -1;
}

static void client_write(struct client *c)
{
	ssize_t n;

	while (c->done < c->len) {
		n = send(c->io.fd, c->answer + c->done, c->len - c->done, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			loop_mod(c->ctl->loop, &c->io, EPOLLOUT);
			return;
		}
		if (n < 0)
			break;
		c->done += n;
	}
	client_end(c);
}

/* What changes nothing. */
static bool only_looks(const char *request)
{
	static const char *const words[] = { "status", "stats", "monitor" };
	size_t i, n = strcspn(request, " ");

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (n == strlen(words[i]) && !strncmp(request, words[i], n))
			return true;
	return false;
}

/* Steals @j. */
static void client_tell(struct client *c, json_t *j)
{
	c->answer = j ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	if (!c->answer) {
		client_end(c);
		return;
	}
	c->len = strlen(c->answer);
	client_write(c);
}

static void client_answer(struct client *c)
{
	json_t *j;

	if (c->who != WHO_ROOT && !only_looks(c->request)) { /* as to a stranger */
		client_end(c);
		return;
	}
	c->ctl->asking = c;
	j = c->ctl->answer(c->ctl->arg, c->request);
	c->ctl->asking = NULL;
	if (c->deferred)
		return;
	client_tell(c, j ? j : json_pack("{s:s}", "error", "unknown request"));
}

void ctl_defer(struct ctl *ctl)
{
	ctl->asking->deferred = true;
}

void ctl_answer_deferred(struct ctl *ctl, json_t *answer)
{
	struct client *c;

	for (c = ctl->clients; c < ctl->clients + MAX_CLIENTS; c++) {
		if (c->io.fd < 0 || !c->deferred)
			continue;
		c->deferred = false;
		client_tell(c, json_incref(answer));
	}
	json_decref(answer);
}

static void on_client(void *arg, uint32_t events, uint64_t now_ns)
{
	struct client *c = arg;
	ssize_t n;
	char *end;

	(void)events;
	(void)now_ns;
	if (c->answer) {
		client_write(c);
		return;
	}
	n = recv(c->io.fd, c->request + c->have, sizeof(c->request) - 1 - c->have, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		client_end(c);
		return;
	}
	if (c->deferred)
		return;
	c->have += n;
	c->request[c->have] = '\0';
	end = strchr(c->request, '\n');
	if (end) {
		*end = '\0';
		client_answer(c);
	} else if (c->have == sizeof(c->request) - 1) {
		client_end(c);
	}
}

static bool in_groups(int fd, gid_t gid)
{
	socklen_t len = 0;
	gid_t *gids;
	bool in = false;
	size_t i;

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) || errno != ERANGE) /* none, or no telling */
		return false;
	gids = malloc(len);
	if (gids && !getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &len))
		for (i = 0; i < len / sizeof(*gids) && !in; i++)
			in = gids[i] == gid;
	free(gids);
	return in;
}

/* Status names addresses and peers, so it is not for everybody. All is as it was when the peer connected. */
static enum who who_is(const struct ctl *ctl, int fd)
{
	struct ucred cred = peer_of(fd);

	if (ctl_trusted(cred.uid))
		return WHO_ROOT;
	if (!ctl->group_set || cred.uid == (uid_t)-1)
		return WHO_STRANGER;
	return cred.gid == ctl->gid || in_groups(fd, ctl->gid) ? WHO_MEMBER : WHO_STRANGER;
}

/* NULL: no room for one of these. */
static struct client *free_client(struct ctl *ctl, enum who who)
{
	struct client *c, *found = NULL;
	int members = 0;

	for (c = ctl->clients; c < ctl->clients + MAX_CLIENTS; c++) {
		if (c->io.fd < 0)
			found = c;
		else
			members += c->who == WHO_MEMBER;
	}
	return who == WHO_MEMBER && members >= MAX_MEMBERS ? NULL : found;
}

/* Takes over what @from has open. */
static void client_add(struct ctl *ctl, const struct client *from)
{
	struct client *c = from->who == WHO_STRANGER ? NULL : free_client(ctl, from->who);

	if (!c) {
		close(from->io.fd);
		free(from->answer);
		return;
	}
	*c = *from;
	c->ctl = ctl;
	c->io.prio = LOOP_OTHER;
	c->io.fn = on_client;
	c->io.arg = c;
	if (loop_add(ctl->loop, &c->io, c->answer ? EPOLLOUT : EPOLLIN)) {
		close(c->io.fd);
		free(c->answer);
		c->io.fd = -1;
	}
}

static void client_new(struct ctl *ctl, int fd)
{
	client_add(ctl, &(struct client){ .io.fd = fd, .who = who_is(ctl, fd) });
}

static void on_listener(void *arg, uint32_t events, uint64_t now_ns)
{
	struct listener *l = arg;
	int fd, n;

	(void)events;
	(void)now_ns;
	for (n = 0; n < MAX_ACCEPTS; n++) { /* what is left wakes the next turn */
		fd = accept4(l->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		client_new(l->ctl, fd);
	}
}

void ctl_allow_group(struct ctl *ctl, bool set, gid_t gid)
{
	ctl->group_set = set;
	ctl->gid = gid;
}

int ctl_new(struct ctl **out, struct loop *loop, ctl_answer_fn answer, void *arg)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	size_t i;

	*out = ctl;
	if (!ctl)
		return -ENOMEM;
	ctl->loop = loop;
	ctl->answer = answer;
	ctl->arg = arg;
	for (i = 0; i < MAX_CLIENTS; i++)
		ctl->clients[i].io.fd = -1;
	for (i = 0; i < MAX_LISTENERS; i++)
		ctl->listeners[i].io.fd = ctl->inherited[i].io.fd = -1;
	return 0;
}

static void listener_end(struct ctl *ctl, struct listener *l)
{
	if (l->io.fd < 0)
		return;
	loop_del(ctl->loop, &l->io);
	close(l->io.fd);
	l->io.fd = -1;
	l->ifname[0] = '\0';
}

void ctl_free(struct ctl *ctl)
{
	size_t i;

	if (!ctl)
		return;
	for (i = 0; i < MAX_CLIENTS; i++)
		if (ctl->clients[i].io.fd >= 0)
			client_end(&ctl->clients[i]);
	for (i = 0; i < MAX_LISTENERS; i++)
		listener_end(ctl, &ctl->listeners[i]);
	ctl_adopted(ctl);
	free(ctl);
}

void ctl_unlisten(struct ctl *ctl, const char *ifname)
{
	size_t i;

	for (i = 0; i < MAX_LISTENERS; i++)
		if (!strcmp(ctl->listeners[i].ifname, ifname))
			listener_end(ctl, &ctl->listeners[i]);
}

static void hand_listener(struct hand *h, struct listener *l)
{
	HAND(h, l->ifname);
	hand_fd(h, &l->io.fd);
}

/* With what has come in and what is still to go out. */
static void hand_client(struct hand *h, struct client *c)
{
	size_t left = c->answer ? c->len - c->done : 0;
	char *rest = c->answer ? c->answer + c->done : NULL;

	hand_fd(h, &c->io.fd);
	HAND(h, c->who);
	HAND(h, c->deferred);
	HAND(h, c->request);
	HAND(h, c->have);
	hand_count(h, &left, MAX_ANSWER);
	if (!h->out && left) {
		rest = c->answer = malloc(left);
		c->len = left;
		h->bad |= !rest;
	}
	if (rest && !h->bad)
		hand_bytes(h, rest, left);
}

static void hand_clients(struct ctl *ctl, struct hand *h)
{
	struct client *c = ctl->clients, in;
	size_t n = 0, i;

	for (i = 0; i < MAX_CLIENTS; i++)
		n += c[i].io.fd >= 0;
	hand_count(h, &n, MAX_CLIENTS);
	for (i = 0; h->out && i < MAX_CLIENTS; i++)
		if (c[i].io.fd >= 0)
			hand_client(h, &c[i]);
	for (i = 0; !h->out && i < n; i++) {
		in = (struct client){ .io.fd = -1 };
		hand_client(h, &in);
		if (in.io.fd < 0 || in.have >= sizeof(in.request)) {
			h->bad = true;
			free(in.answer);
			continue;
		}
		client_add(ctl, &in);
	}
}

void ctl_hand(struct ctl *ctl, struct hand *h)
{
	size_t n = 0, i;

	for (i = 0; i < MAX_LISTENERS; i++)
		n += ctl->listeners[i].io.fd >= 0;
	hand_count(h, &n, MAX_LISTENERS);
	for (i = 0; h->out && i < MAX_LISTENERS; i++)
		if (ctl->listeners[i].io.fd >= 0)
			hand_listener(h, &ctl->listeners[i]);
	for (i = 0; !h->out && i < n; i++)
		hand_listener(h, &ctl->inherited[i]);
	hand_clients(ctl, h);
}

void ctl_adopted(struct ctl *ctl)
{
	size_t i;

	for (i = 0; i < MAX_LISTENERS; i++) {
		if (ctl->inherited[i].io.fd >= 0)
			close(ctl->inherited[i].io.fd);
		ctl->inherited[i].io.fd = -1;
	}
}

/* A socket that listens to @ifname: handed over, or new. -errno. */
static int open_listener(struct ctl *ctl, const char *ifname)
{
	struct sockaddr_un un;
	socklen_t len = make_name(&un, ifname);
	size_t i;
	int fd, err;

	for (i = 0; i < MAX_LISTENERS; i++) {
		fd = ctl->inherited[i].io.fd;
		if (fd < 0 || strcmp(ctl->inherited[i].ifname, ifname))
			continue;
		ctl->inherited[i].io.fd = -1;
		listen(fd, MAX_CLIENTS); /* clients tell controllers apart by the process that did this last */
		return fd;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&un, len) && !listen(fd, MAX_CLIENTS))
		return fd;
	err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

int ctl_listen(struct ctl *ctl, const char *ifname, pid_t *holder, uid_t *uid)
{
	struct listener *l = ctl->listeners;
	int fd, err;

	for (; l < ctl->listeners + MAX_LISTENERS && l->io.fd >= 0; l++)
		;
	if (l == ctl->listeners + MAX_LISTENERS)
		return -ENOSPC;
	fd = open_listener(ctl, ifname);
	if (fd < 0) {
		*holder = fd == -EADDRINUSE ? ctl_holder(ifname, uid) : 0;
		return fd;
	}
	l->ctl = ctl;
	l->io = (struct loop_io){ .fd = fd, .prio = LOOP_OTHER, .fn = on_listener, .arg = l };
	err = loop_add(ctl->loop, &l->io, EPOLLIN);
	if (err) {
		close(fd);
		l->io.fd = -1;
		return err;
	}
	snprintf(l->ifname, sizeof(l->ifname), "%s", ifname);
	return 0;
}

static json_t *ask_one(int fd, const char *request)
{
	char *buf = NULL, *more;
	char line[REQUEST_MAX];
	size_t len = 0, cap = 0;
	json_t *j = NULL;
	ssize_t n = 1;

	snprintf(line, sizeof(line), "%s\n", request);
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0) /* closed at once: not for us to ask */
		return NULL;
	while (n > 0 && len < MAX_ANSWER) {
		if (len == cap) {
			cap = cap ? 2 * cap : 4096;
			more = realloc(buf, cap);
			if (!more)
				break;
			buf = more;
		}
		n = recv(fd, buf + len, cap - len, 0);
		if (n > 0)
			len += n;
	}
	if (n == 0 && len)
		j = json_loadb(buf, len, 0, NULL);
	free(buf);
	return j;
}

/* The names of this namespace's listeners are in /proc/net/unix, "@" for the leading zero byte. */
int ctl_ask(const char *request, const char *ifname, void (*each)(void *arg, json_t *answer), void *arg)
{
	FILE *f = fopen("/proc/net/unix", "re");
	pid_t seen[MAX_LISTENERS];
	size_t nseen = 0, i;
	char line[512], *at;
	int n = 0, fd;
	json_t *j;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		struct ucred cred;

		at = strstr(line, " @" PREFIX);
		if (!at)
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (ifname && strcmp(at + strlen(" @" PREFIX), ifname))
			continue;
		fd = connect_to(at + strlen(" @" PREFIX));
		if (fd < 0)
			continue;
		cred = peer_of(fd);
		for (i = 0; i < nseen && seen[i] != cred.pid; i++)
			;
		/* one controller has a name per interface; a name that another user took is no controller */
		if (i == nseen && nseen < MAX_LISTENERS && ctl_trusted(cred.uid)) {
			seen[nseen++] = cred.pid;
			j = ask_one(fd, request);
			if (j) {
				each(arg, j);
				n++;
			}
			json_decref(j);
		}
		close(fd);
	}
	fclose(f);
	return n;
}
