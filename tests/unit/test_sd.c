// SPDX-License-Identifier: GPL-2.0-or-later
/* A real socket stands in for systemd's. */
#include "sd.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* A datagram socket of this name in the form of $NOTIFY_SOCKET, which is set to it. */
static int listen_at(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + strlen(name) + (name[0] == '/');
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(un.sun_path, name, strlen(name));
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&un, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void assert_received(int fd, const char *text)
{
	char buf[256];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

	assert_true(n >= 0);
	buf[n] = '\0';
	assert_string_equal(buf, text);
}

static void without_notify_socket_nothing_is_sent_and_that_is_no_error(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(sd_notify_state("READY=1"), 0);
	assert_int_equal(sd_notify_reloading(), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(sd_notify_state("READY=1"), 0);
}

static void message_reaches_a_socket_in_a_folder(void **state)
{
	char dir[] = "/tmp/test_sd.XXXXXX", path[sizeof(dir) + 16];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/notify", dir);
	fd = listen_at(path);
	assert_int_equal(sd_notify_state("READY=1\nSTATUS=1 of 2 Active"), 0);
	assert_received(fd, "READY=1\nSTATUS=1 of 2 Active");
	close(fd);
	unlink(path);
	rmdir(dir);
}

static void message_reaches_an_abstract_socket(void **state)
{
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@test_sd/%d", (int)getpid());
	fd = listen_at(name);
	assert_int_equal(sd_notify_state("STOPPING=1"), 0);
	assert_received(fd, "STOPPING=1");
	close(fd);
}

/* sd_notify(3): Type=notify-reload wants MONOTONIC_USEC beside RELOADING=1. */
static void reloading_carries_the_monotonic_time(void **state)
{
	struct timespec now;
	char name[64], buf[128];
	uint64_t usec = 0;
	ssize_t n;
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@test_sd/%d", (int)getpid());
	fd = listen_at(name);
	assert_int_equal(sd_notify_reloading(), 0);
	n = recv(fd, buf, sizeof(buf) - 1, 0);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_int_equal(sscanf(buf, "RELOADING=1\nMONOTONIC_USEC=%" SCNu64, &usec), 1);
	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	assert_in_range(usec, 1, (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	close(fd);
}

static void full_queue_is_eagain_and_does_not_wait(void **state)
{
	char name[64];
	int fd, err = 0, n;

	(void)state;
	snprintf(name, sizeof(name), "@test_sd/%d", (int)getpid());
	fd = listen_at(name);
	for (n = 0; !err && n < 100000; n++)
		err = sd_notify_state("STATUS=x");
	assert_int_equal(err, -EAGAIN);
	close(fd);
}

static void socket_that_is_not_there_or_cannot_be_is_an_errno(void **state)
{
	char name[256];

	(void)state;
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	assert_int_equal(sd_notify_state("READY=1"), -ENOENT);
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	assert_int_equal(sd_notify_state("READY=1"), -EAFNOSUPPORT);
	setenv("NOTIFY_SOCKET", "@", 1);
	assert_int_equal(sd_notify_state("READY=1"), -EINVAL);
	memset(name, 'a', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(sd_notify_state("READY=1"), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_notify_socket_nothing_is_sent_and_that_is_no_error),
		cmocka_unit_test(message_reaches_a_socket_in_a_folder),
		cmocka_unit_test(message_reaches_an_abstract_socket),
		cmocka_unit_test(reloading_carries_the_monotonic_time),
		cmocka_unit_test(full_queue_is_eagain_and_does_not_wait),
		cmocka_unit_test(socket_that_is_not_there_or_cannot_be_is_an_errno),
	};

	return cmocka_run_group_tests_name("sd", tests, NULL, NULL);
}
