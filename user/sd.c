// SPDX-License-Identifier: GPL-2.0-or-later
#include "sd.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* "/path", or "@name" for the abstract namespace, where a zero byte stands for the "@" and none ends the name. */
static int make_addr(struct sockaddr_un *un, socklen_t *len, const char *name)
{
	size_t n = strlen(name);

	if (name[0] != '/' && name[0] != '@')
		return -EAFNOSUPPORT;
	if (!name[1])
		return -EINVAL;
	if (n >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, name, n);
	if (name[0] == '@')
		un->sun_path[0] = '\0';
	*len = offsetof(struct sockaddr_un, sun_path) + n + (name[0] == '/');
	return 0;
}

static int (*relay)(const char *text);

void sd_relay(int (*send)(const char *text))
{
	relay = send;
}

int sd_notify_state(const char *text)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un;
	socklen_t len;
	int fd, err;

	if (!name || !name[0])
		return 0;
	if (relay)
		return relay(text);
	err = make_addr(&un, &len, name);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&un, len) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Not the loop's clock: systemd compares with CLOCK_MONOTONIC (sd_notify(3)), and nothing here depends on it. */
int sd_notify_reloading(void)
{
	struct timespec now;
	char text[64];

	if (clock_gettime(CLOCK_MONOTONIC, &now))
		return -errno;
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	return sd_notify_state(text);
}
