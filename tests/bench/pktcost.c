// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nanoseconds per frame, by BPF_PROG_TEST_RUN: medians over rounds that take the classes in turn, so that a slow spell of the
 * machine hits all of them. No driver is involved; "above empty" is what the program itself costs. Needs root.
 *
 *   pktcost [--json] [--repeat N] [--rounds N] [build/tests/pktcost.bpf.o]
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/scenario.h"

enum { MAX_ROUNDS = 99 };

static const struct class
{
	const char *name, *help, *prog;
	int less;      /* index of the class whose cost is not part of this one's */
	int target_ns; /* 0: none */
	enum xdp_action action;
	struct scenario in;
	struct frame_desc frame;
} classes[] = {
	{ "empty", "a program that passes everything", "empty", 0, 0, XDP_PASS, IN_ACTIVE(), PACKET() },
	{ "tcp_stranger", "TCP to an address that is not ours", "vrrp_xdp", 0, 10, XDP_PASS, IN_ACTIVE(.nvips = 4),
	  PACKET(.eth_dst = MAC_NIC, .dst = ADDR_STRANGER) },
	{ "tcp_vip", "TCP to a VIP, lease valid", "vrrp_xdp", 0, 0, XDP_PASS, IN_ACTIVE(.nvips = 4),
	  PACKET(.eth_dst = MAC_NIC) },
	{ "arp_restore", "makes a request of an ARP answer", "arp_restore", 0, 0, XDP_TX, IN_ACTIVE(), ARP() },
	{ "arp_answer", "ARP request for a VIP answered", "arp_answer", 3, 60, XDP_TX, IN_ACTIVE(), ARP() },
	{ "arp_stranger", "ARP request for a host passed", "vrrp_xdp", 0, 0, XDP_PASS, IN_ACTIVE(),
	  ARP(.tpa = ADDR_HOST) },
	{ "advert_v3", "v3 advert with one VIP absorbed in Backup", "vrrp_xdp", 0, 100, XDP_DROP, IN_BACKUP(),
	  ADVERT3() },
	{ "advert_v2", "v2 advert with a password absorbed in Backup", "vrrp_xdp", 0, 100, XDP_DROP, IN_BACKUP(V2PASS),
	  ADVERT2PASS() },
	{ "tcp_vmac", "TCP by the virtual MAC of a router without one", "vrrp_xdp", 0, 0, XDP_PASS, IN_ACTIVE(),
	  PACKET(.dst = ADDR_STRANGER) },
	{ "vmac_drop", "... dropped in Backup, where it is used", "vrrp_xdp", 0, 0, XDP_DROP, IN_BACKUP(.vmac = true),
	  PACKET(.dst = ADDR_STRANGER) },
	{ "advert_bad", "v3 advert with a wrong checksum dropped", "vrrp_xdp", 0, 0, XDP_DROP, IN_BACKUP(),
	  ADVERT3(.csum = FRAME_CSUM_WRONG) },
	{ "tcp6_stranger", "IPv6: TCP to an address that is not ours", "vrrp_xdp", 0, 10, XDP_PASS,
	  IN_ACTIVE(.family = 6, .nvips = 4), PACKET6(.eth_dst = MAC_NIC, .dst6 = A6_STRANGER) },
	{ "tcp6_vip", "IPv6: TCP to a VIP, lease valid", "vrrp_xdp", 0, 0, XDP_PASS, IN_ACTIVE(.family = 6, .nvips = 4),
	  PACKET6(.eth_dst = MAC_NIC) },
	{ "nd_restore", "makes a solicitation of its answer", "nd_restore", 0, 0, XDP_TX, IN_ACTIVE(.family = 6),
	  ND() },
	{ "nd_answer", "IPv6: solicitation for a VIP answered", "nd_answer6", 13, 0, XDP_TX, IN_ACTIVE(.family = 6),
	  ND() },
	{ "nd_stranger", "IPv6: solicitation for a host passed", "vrrp_xdp", 0, 0, XDP_PASS, IN_ACTIVE(.family = 6),
	  ND(.target6 = A6_HOST) },
	{ "advert_v6", "IPv6: advert with one VIP absorbed in Backup", "vrrp_xdp", 0, 0, XDP_DROP,
	  IN_BACKUP(.family = 6), ADVERT6() },
};

enum { CLASSES = VX_ARRAY_LEN(classes) };

static struct bpf_object *obj;

static void die(const char *what)
{
	fprintf(stderr, "pktcost: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put(enum dp_map map, const void *key, const void *value)
{
	static const char *const names[] = { DP_MAP_NAMES };

	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(obj, names[map]), key, value, BPF_ANY))
		die(names[map]);
}

static int prog_fd(const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(obj, name));
}

static void arm(const struct vx_timer_cmd *cmd)
{
	struct vx_timer_cmd copy = *cmd;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &copy, .ctx_size_in = sizeof(copy));

	if (bpf_prog_test_run_opts(prog_fd("vx_timer"), &opts) || opts.retval)
		die("vx_timer");
}

static __u64 boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (__u64)t.tv_sec * VX_NS_PER_S + (__u64)t.tv_nsec;
}

/* Every scenario writes over the one before; the VIPs that are left over do not matter. */
static __u32 measure(const struct class *c, int repeat)
{
	static const struct dp_ops dp = { .put = put, .arm = arm };
	static struct frame in, out;

	frame_build(&in, &c->frame);
	scenario_load(&dp, &c->in, boot_ns());
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.b, .data_size_in = in.len, .data_out = out.b,
		    .data_size_out = sizeof(out.b), .repeat = repeat);
	if (bpf_prog_test_run_opts(prog_fd(c->prog), &opts))
		die(c->name);
	if (opts.retval != (__u32)c->action) {
		fprintf(stderr, "pktcost: %s: action %u, not %u\n", c->name, opts.retval, c->action);
		exit(1);
	}
	return opts.duration;
}

static int by_value(const void *a, const void *b)
{
	__u32 x = *(const __u32 *)a, y = *(const __u32 *)b;

	return (x > y) - (x < y);
}

static void report(const __u32 *median)
{
	int i;

	printf("%-14s %8s %12s %7s  %s\n", "class", "ns", "above empty", "target", "what");
	for (i = 0; i < CLASSES; i++) {
		const struct class *c = &classes[i];
		int above = (int)median[i] - (int)median[c->less];

		if (c->target_ns)
			printf("%-14s %8u %12d %7d  %s\n", c->name, median[i], above, c->target_ns, c->help);
		else
			printf("%-14s %8u %12d %7s  %s\n", c->name, median[i], above, "", c->help);
	}
}

/* "samples" are the rounds one by one, each against the same round of the class "above". */
static void report_json(const __u32 *median, int above[][MAX_ROUNDS], int rounds)
{
	int i, r;

	for (i = 0; i < CLASSES; i++) {
		const struct class *c = &classes[i];

		printf("%s{\"class\": \"%s\", \"help\": \"%s\", \"above\": \"%s\", \"ns\": %u, \"above_empty_ns\": %d, "
		       "\"target_ns\": %d, \"samples\": [",
		       i ? ",\n " : "[", c->name, c->help, classes[c->less].name, median[i],
		       (int)median[i] - (int)median[c->less], c->target_ns);
		for (r = 0; r < rounds; r++)
			printf("%s%d", r ? ", " : "", above[i][r]);
		printf("]}");
	}
	printf("]\n");
}

/* One CPU: a migration in the middle of a run is noise. */
static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

int main(int argc, char *argv[])
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "repeat", required_argument, NULL, 'n' },
						 { "rounds", required_argument, NULL, 'r' },
						 { 0 } };
	int repeat = 1000000, rounds = 9, json = 0, o, i, r;
	static __u32 ns[CLASSES][MAX_ROUNDS], median[CLASSES];
	static int above[CLASSES][MAX_ROUNDS];
	const char *path;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'j')
			json = 1;
		else if (o == 'n')
			repeat = atoi(optarg);
		else if (o == 'r')
			rounds = atoi(optarg);
		else
			return 2;
	}
	if (rounds < 1 || rounds > MAX_ROUNDS || repeat < 1) {
		fprintf(stderr, "pktcost: --rounds is 1-%d, --repeat at least 1\n", MAX_ROUNDS);
		return 2;
	}
	path = optind < argc ? argv[optind] : "build/tests/pktcost.bpf.o";
	obj = bpf_object__open_file(path, NULL);
	if (!obj || bpf_object__load(obj))
		die(path);
	pin();
	for (r = 0; r < rounds; r++)
		for (i = 0; i < CLASSES; i++)
			ns[i][r] = measure(&classes[i], repeat);
	for (i = 0; i < CLASSES; i++)
		for (r = 0; r < rounds; r++)
			above[i][r] = (int)ns[i][r] - (int)ns[classes[i].less][r];
	for (i = 0; i < CLASSES; i++) {
		qsort(ns[i], (size_t)rounds, sizeof(ns[i][0]), by_value);
		median[i] = ns[i][rounds / 2];
	}
	if (json)
		report_json(median, above, rounds);
	else
		report(median);
	bpf_object__close(obj);
	return 0;
}
