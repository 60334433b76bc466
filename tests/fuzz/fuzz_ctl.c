// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes -> control socket -> answers, over a real socket and the real loop. An input is a row of steps for a few clients at once: connect,
 * send what follows, say that no more comes, hang up, read. Every line that fits is answered once with one JSON
 * document, whatever else goes on; nothing else is, and no descriptor is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define require(holds)                                                                                                 \
	do {                                                                                                           \
		if (!(holds)) {                                                                                        \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #holds);                      \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

enum { STEP_CONNECT, STEP_SEND, STEP_END, STEP_HANGUP, STEP_READ, STEP_KINDS };
enum { CLIENTS = 20, LINE_MAX = 126, SERVED = 16, LONG_ANSWER = 1 << 18, LAST_TURNS = 8 };

static struct {
	struct loop loop;
	json_t *long_answer;
	char name[16];
	const uint8_t *data; /* what is left of the input */
	size_t size;
	int last_turns; /* for what is under way */
	unsigned int connected;
	struct client {
		int fd; /* -1: none */
		char sent[LINE_MAX + 2];
		size_t nsent;
		char *got;
		size_t len;
		bool whole; /* the answer is there to its end */
	} clients[CLIENTS];
} t;

/* ---- the server's side ---- */

/* As the controller: some requests are known. One answer is longer than a socket takes at once. */
static json_t *answer(void *arg, const char *request)
{
	(void)arg;
	require(strlen(request) <= LINE_MAX && !strchr(request, '\n'));
	if (!strcmp(request, "status"))
		return json_pack("{s:[]}", "virtual_routers");
	return strcmp(request, "long") ? NULL : json_incref(t.long_answer);
}

/* ---- the clients' side ---- */

static void client_connect(struct client *c)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int len = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "vrrp-xdp/%s", t.name);

	if (c->fd >= 0)
		return;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	require(c->fd >= 0);
	if (connect(c->fd, (struct sockaddr *)&un,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len))) {
		require(errno == EAGAIN); /* the backlog is full */
		close(c->fd);
		c->fd = -1;
	}
	t.connected++;
}

static void client_send(struct client *c, const uint8_t *data, size_t len)
{
	ssize_t n = c->fd < 0 ? 0 : send(c->fd, data, len, MSG_NOSIGNAL);
	size_t room = sizeof(c->sent) - 1 - c->nsent;

	if (n <= 0)
		return;
	room = (size_t)n < room ? (size_t)n : room;
	memcpy(c->sent + c->nsent, data, room);
	c->nsent += room;
}

static void client_read(struct client *c)
{
	static char buf[1 << 16];
	ssize_t n;

	if (c->fd < 0)
		return;
	while ((n = recv(c->fd, buf, sizeof(buf), 0)) > 0) {
		c->got = realloc(c->got, c->len + (size_t)n);
		require(c->got);
		memcpy(c->got + c->len, buf, (size_t)n);
		c->len += (size_t)n;
	}
	c->whole = c->whole || n == 0;
}

/* What there is of an answer, when its client goes. */
static void client_check(const struct client *c)
{
	const char *end = strchr(c->sent, '\n'); /* a zero byte ends what is looked at */
	json_t *j;

	require(end || !c->len);
	if (c->whole && end && end - c->sent <= LINE_MAX && t.connected <= SERVED)
		require(c->len);
	if (!c->whole || !c->len)
		return;
	require(c->len < LONG_ANSWER || (c->got[0] == '{' && c->got[c->len - 1] == '}'));
	if (c->len >= LONG_ANSWER) /* to parse it each time would be most of what the fuzzer does */
		return;
	j = json_loadb(c->got, c->len, 0, NULL);
	require(json_is_object(j) && json_object_size(j) == 1);
	json_decref(j);
}

static void client_close(struct client *c)
{
	if (c->fd < 0)
		return;
	client_check(c);
	close(c->fd);
	free(c->got);
	*c = (struct client){ .fd = -1 };
}

/* ---- steps ---- */

static void step(uint8_t kind, uint8_t arg, const uint8_t *data, size_t len)
{
	struct client *c = &t.clients[arg % CLIENTS];

	switch (kind % STEP_KINDS) {
	case STEP_CONNECT:
		client_connect(c);
		break;
	case STEP_SEND:
		client_send(c, data, len);
		break;
	case STEP_END:
		if (c->fd >= 0)
			shutdown(c->fd, SHUT_WR);
		break;
	case STEP_HANGUP:
		client_close(c);
		break;
	case STEP_READ:
		client_read(c);
		break;
	}
}

/* At the end of a turn comes the next step: what is done, by whom, the length of what is sent, and that. */
static void turn_end(void *arg, uint64_t now_ns)
{
	size_t len;
	int i;

	(void)arg;
	(void)now_ns;
	if (t.size >= 3) {
		len = t.data[2] < t.size - 3 ? t.data[2] : t.size - 3;
		step(t.data[0], t.data[1], t.data + 3, len);
		t.data += 3 + len;
		t.size -= 3 + len;
		return;
	}
	for (i = 0; i < CLIENTS; i++)
		client_read(&t.clients[i]);
	if (!--t.last_turns)
		loop_stop(&t.loop, 1);
}

static int lowest_free_fd(void)
{
	int fd = fcntl(t.loop.epfd, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char text[LONG_ANSWER];

	(void)argc;
	(void)argv;
	memset(text, 'x', sizeof(text) - 1);
	t.long_answer = json_pack("{s:s}", "text", text);
	require(t.long_answer);
	snprintf(t.name, sizeof(t.name), "fuzz%d", (int)getpid());
	require(!loop_init(&t.loop));
	t.loop.turn_end = turn_end;
	loop_stay_awake(&t.loop, UINT64_MAX); /* no turn waits for anybody */
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = lowest_free_fd(), i;
	struct ctl *ctl;
	pid_t holder;
	uid_t uid;

	t.data = data;
	t.size = size;
	t.last_turns = LAST_TURNS;
	t.connected = 0;
	t.loop.stop_signal = 0;
	for (i = 0; i < CLIENTS; i++)
		t.clients[i] = (struct client){ .fd = -1 };
	require(!ctl_new(&ctl, &t.loop, answer, NULL));
	require(!ctl_listen(ctl, t.name, &holder, &uid));
	require(loop_run(&t.loop) == 1);
	for (i = 0; i < CLIENTS; i++)
		client_close(&t.clients[i]);
	ctl_free(ctl);
	require(lowest_free_fd() == fd);
	return 0;
}
