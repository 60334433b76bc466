// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flood IFACE RATE SECONDS FRAME...: sends the frames, in hex, one after the other and again from the first, RATE a second in
 * all (0: as fast as the kernel takes them), and prints how many the kernel took, and the rate. A tool of the tests: what an attacker on
 * the link can do.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, FRAMES_MAX = 256, FRAME_MAX = 1514, USAGE = 2 };

#define NS_PER_S 1000000000ULL

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec ts = { .tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* Length of the frame, or -1. */
static int from_hex(const char *hex, uint8_t *out)
{
	size_t i, n = strlen(hex) / 2;
	unsigned int byte;

	if (strlen(hex) % 2 || n > FRAME_MAX)
		return -1;
	for (i = 0; i < n; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return -1;
		out[i] = byte;
	}
	return n;
}

static int open_on(const char *ifname)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(ifname) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)))
		return -1;
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	return fd;
}

int main(int argc, char *argv[])
{
	static uint8_t frames[FRAMES_MAX][FRAME_MAX];
	static struct mmsghdr msg[BATCH];
	static struct iovec all[FRAMES_MAX], iov[BATCH];
	uint64_t start_ns, until_ns, t, sent = 0, rate;
	int i, n = argc - 4, next = 0, fd, took;

	if (n < 1 || n > FRAMES_MAX) {
		fprintf(stderr, "usage: flood IFACE RATE SECONDS FRAME...\n");
		return USAGE;
	}
	for (i = 0; i < n; i++) {
		int len = from_hex(argv[4 + i], frames[i]);

		if (len < 0) {
			fprintf(stderr, "flood: frame %d is not hex, or longer than %d bytes\n", i, FRAME_MAX);
			return USAGE;
		}
		all[i] = (struct iovec){ .iov_base = frames[i], .iov_len = len };
	}
	fd = open_on(argv[1]);
	if (fd < 0) {
		fprintf(stderr, "flood: %s: %s\n", argv[1], strerror(errno));
		return EXIT_FAILURE;
	}
	rate = strtoull(argv[2], NULL, 10);
	start_ns = now_ns();
	until_ns = start_ns + (uint64_t)(strtod(argv[3], NULL) * NS_PER_S);
	for (t = start_ns; t < until_ns; t = now_ns()) {
		for (i = 0; i < BATCH; i++, next = (next + 1) % n) {
			iov[i] = all[next];
			msg[i].msg_hdr.msg_iov = &iov[i];
			msg[i].msg_hdr.msg_iovlen = 1;
		}
		took = sendmmsg(fd, msg, BATCH, 0);
		if (took < 0 && errno != ENOBUFS && errno != EAGAIN) {
			fprintf(stderr, "flood: cannot send: %s\n", strerror(errno));
			return EXIT_FAILURE;
		}
		sent += took > 0 ? took : 0;
		if (rate)
			sleep_until(start_ns + sent * NS_PER_S / rate);
	}
	printf("{\"sent\": %" PRIu64 ", \"per_s\": %.0f}\n", sent, sent * 1e9 / (t - start_ns));
	return EXIT_SUCCESS;
}
