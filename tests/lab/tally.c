// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tally OBJECT IFACE,MAC,IP4,IP6...: loads tally.bpf.o onto the interfaces of a client (at most TALLY_IFS). Reads commands from stdin: "reset" forgets
 * what was seen, "forget" the addresses only; "count" says how many of them were announced, and answered, since then; "dump" prints
 * everything as one line of JSON, times in ns of CLOCK_BOOTTIME:
 *   {"kind": "dump", "t": now, "rows": [[interface, router, family, vrid, n, first, last, worst gap]...],
 *    "vips": [[interface, address, router, n, first announced, last announced, answered]...]}
 * Ends, and takes the program off, at the end of stdin. Meanwhile it asks, now and then, those that were announced and did not
 * answer: the only request may have come before the address was ready.
 */
#include "tests/lab/echo.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	ASK_MS = 5,
	ASK_SHARE = 20
}; /* at least so long between two rounds, of which each may take one part in so many of the time */

static int vips_fd, ifs_fd, prog_fd, raw_fd;
static struct tally_if ifs[TALLY_IFS];
static int ifindex[TALLY_IFS], nifs;
static struct tally_row *rows; /* the program writes them meanwhile, in whole words */
static struct tally_count *count;

static void die(const char *what)
{
	fprintf(stderr, "tally: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void parse_if(char *arg)
{
	const char *name = strtok(arg, ","), *mac = strtok(NULL, ","), *ip4 = strtok(NULL, ","),
		   *ip6 = strtok(NULL, ",");
	struct tally_if *f = &ifs[nifs];

	if (!ip6 ||
	    sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", f->mac, f->mac + 1, f->mac + 2, f->mac + 3, f->mac + 4,
		   f->mac + 5) != 6 ||
	    inet_pton(AF_INET, ip4, &f->ip4) != 1 || inet_pton(AF_INET6, ip6, &f->ip6) != 1) {
		fprintf(stderr, "tally: an interface is NAME,MAC,IPV4,IPV6\n");
		exit(2);
	}
	f->no = nifs;
	ifindex[nifs] = (int)if_nametoindex(name);
	if (!ifindex[nifs++])
		die(name);
}

static void *mapped(struct bpf_object *obj, const char *name, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_object__find_map_fd_by_name(obj, name), 0);

	if (p == MAP_FAILED)
		die(name);
	return p;
}

static void load(const char *path)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	int i;

	if (!obj || bpf_object__load(obj))
		die(path);
	prog_fd = bpf_program__fd(bpf_object__find_program_by_name(obj, "tally"));
	rows = mapped(obj, "rows", TALLY_ROWS * sizeof(*rows));
	count = mapped(obj, "count", sizeof(*count));
	vips_fd = bpf_object__find_map_fd_by_name(obj, "vips");
	ifs_fd = bpf_object__find_map_fd_by_name(obj, "ifs");
	for (i = 0; i < nifs; i++)
		if (bpf_map_update_elem(ifs_fd, &ifindex[i], &ifs[i], BPF_ANY) ||
		    bpf_xdp_attach(ifindex[i], prog_fd, XDP_FLAGS_DRV_MODE, NULL))
			die("attach");
}

static void forget(void)
{
	struct tally_vip_key k;

	while (!bpf_map_get_next_key(vips_fd, NULL, &k))
		bpf_map_delete_elem(vips_fd, &k);
	*count = (struct tally_count){ 0 };
}

/* Rows never used stay untouched, and no page of them in memory. */
static void reset(void)
{
	__u32 i;

	for (i = 0; i < TALLY_ROWS; i++)
		if (rows[i].n)
			rows[i] = (struct tally_row){ 0 };
	forget();
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * VX_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void dump_rows(void)
{
	const char *comma = "";
	__u32 i;

	for (i = 0; i < TALLY_ROWS; i++) {
		const struct tally_row *r = &rows[i];

		if (!r->n)
			continue;
		printf("%s[%u,%u,%d,%u,%llu,%llu,%llu,%llu]", comma, i / TALLY_VRIDS / 2 / TALLY_ROUTERS,
		       i / TALLY_VRIDS / 2 % TALLY_ROUTERS, i / TALLY_VRIDS % 2 ? 6 : 4, i % TALLY_VRIDS, r->n,
		       r->first_ns, r->last_ns, r->worst_ns);
		comma = ",";
	}
}

static void dump_vips(void)
{
	struct tally_vip_key k, *before = NULL;
	char text[INET6_ADDRSTRLEN];
	const char *comma = "";
	struct tally_vip v;

	while (!bpf_map_get_next_key(vips_fd, before, &k)) {
		before = &k;
		if (bpf_map_lookup_elem(vips_fd, &k, &v))
			continue;
		inet_ntop(k.family == 6 ? AF_INET6 : AF_INET, &k.addr, text, sizeof(text));
		printf("%s[%u,\"%s\",%u,%llu,%llu,%llu,%llu]", comma, k.ifno, text, v.mac[5] & (TALLY_ROUTERS - 1), v.n,
		       v.announced_ns, v.last_ns, v.answered_ns);
		comma = ",";
	}
}

static void send_to(const struct tally_vip_key *k, const struct tally_vip *v)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = ifindex[k->ifno] };
	const struct tally_if *f = &ifs[k->ifno];
	struct {
		struct vx_eth eth;
		union {
			struct echo4 v4;
			struct echo6 v6;
		};
	} frame = { .eth.type = k->family == 6 ? VX_BE16(VX_ETH_P_IPV6) : VX_BE16(VX_ETH_P_IP) };
	size_t len = sizeof(frame.eth) + (k->family == 6 ? sizeof(frame.v6) : sizeof(frame.v4));

	vx_mac_copy(frame.eth.dst, v->mac);
	vx_mac_copy(frame.eth.src, f->mac);
	if (k->family == 6) {
		frame.v6.ip.ver_tc_flow[0] = 0x60;
		echo6_put(&frame.v6, &frame + 1, &f->ip6, &k->addr);
	} else {
		echo4_put(&frame.v4, &frame + 1, f->ip4, k->addr.w[0]);
	}
	sendto(raw_fd, &frame, len, 0, (struct sockaddr *)&to, sizeof(to)); /* one that is lost is sent again */
}

/* Asks all that have not answered for a while; returns for how long to leave it at that. */
static int ask_again(void)
{
	static struct tally_vip_key keys[TALLY_VIPS];
	static struct tally_vip vips[TALLY_VIPS];
	__u32 n = TALLY_VIPS, next, i;
	uint64_t start_ns = now_ns();
	int ms;

	if (count->announced == count->answered)
		return ASK_MS;
	if (bpf_map_lookup_batch(vips_fd, NULL, &next, keys, vips, &n, NULL) && errno != ENOENT)
		die("vips");
	for (i = 0; i < n; i++)
		if (!vips[i].answered_ns && vips[i].last_ns + ASK_MS * VX_NS_PER_S / 1000 < start_ns)
			send_to(&keys[i], &vips[i]);
	ms = (int)((now_ns() - start_ns) * ASK_SHARE * 1000 / VX_NS_PER_S);
	return ms > ASK_MS ? ms : ASK_MS;
}

/* The next command; stdin is a pipe of whole lines, and nobody asks twice without having read. */
static bool next_line(char *line, int size)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int ms = ASK_MS;

	while (!poll(&in, 1, ms))
		ms = ask_again();
	return fgets(line, size, stdin);
}

int main(int argc, char *argv[])
{
	char line[64];
	int i;

	if (argc < 3 || argc > 2 + TALLY_IFS) {
		fprintf(stderr, "usage: tally OBJECT IFACE,MAC,IP4,IP6...\n");
		return 2;
	}
	for (i = 2; i < argc; i++)
		parse_if(argv[i]);
	raw_fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (raw_fd < 0)
		die("packet socket");
	load(argv[1]);
	printf("{\"kind\": \"ready\"}\n");
	fflush(stdout);
	while (next_line(line, sizeof(line))) {
		if (!strcmp(line, "reset\n")) {
			reset();
			printf("{\"kind\": \"reset\"}\n");
		} else if (!strcmp(line, "forget\n")) {
			forget();
			printf("{\"kind\": \"forget\", \"t\": %" PRIu64 "}\n", now_ns());
		} else if (!strcmp(line, "count\n")) {
			printf("{\"kind\": \"count\", \"announced\": %llu, \"answered\": %llu}\n", count->announced,
			       count->answered);
		} else if (!strcmp(line, "dump\n")) {
			printf("{\"kind\": \"dump\", \"t\": %" PRIu64 ", \"rows\": [", now_ns());
			dump_rows();
			printf("], \"vips\": [");
			dump_vips();
			printf("]}\n");
		}
		fflush(stdout);
	}
	for (i = 0; i < nifs; i++)
		bpf_xdp_detach(ifindex[i], XDP_FLAGS_DRV_MODE, NULL);
	return 0;
}
