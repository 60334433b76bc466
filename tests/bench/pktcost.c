// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nanoseconds per frame, by BPF_PROG_TEST_RUN: medians over rounds that take the classes in turn, so that a slow spell of the
 * machine hits all of them. No driver is involved; "above empty" is what the program itself costs. Needs root.
 *
 *   pktcost [--json] [--repeat N] [--rounds N] [--only CLASS] [--vips N] [--vrs N] [build/tests/pktcost.bpf.o]
 *
 * --only measures one class, and what is to be taken off it. --vips and --vrs configure so many more VIPs of each family and virtual routers
 * beforehand, which no frame is for: whether a packet gets dearer by them.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/cells.h"
#include "tests/packets.h"

enum { MAX_ROUNDS = 99, MAX_MORE = 100000, IFINDEX_MORE = 100, FEW = 256 };

static const struct class
{
	const char *name, *help, *prog;
	const char *less; /* the class whose cost is not part of this one's */
	int target_ns;    /* 0: none */
	enum xdp_action action;
	struct scenario in;
	struct frame_desc frame;
} classes[] = {
	{ "empty", "a program that passes everything", "empty", "empty", 0, XDP_PASS, IN_ACTIVE(), PACKET() },
	{ "clock", "... after it has read the clock, as a lease demands", "clock", "empty", 0, XDP_PASS, IN_ACTIVE(),
	  PACKET() },
	{ "tcp_free", "TCP where no VIP is configured", "vrrp_xdp", "empty", 5, XDP_PASS, IN_ACTIVE(.nvips = 0),
	  PACKET(.eth_dst = MAC_NIC, .dst = ADDR_STRANGER) },
	{ "tcp_stranger", "TCP to an address that is not ours", "vrrp_xdp", "empty", 12, XDP_PASS,
	  IN_ACTIVE(.nvips = 4), PACKET(.eth_dst = MAC_NIC, .dst = ADDR_STRANGER) },
	{ "tcp_collides", "... that the filter takes for ours", "vrrp_xdp", "empty", 0, XDP_PASS, IN_ACTIVE(.nvips = 4),
	  PACKET(.eth_dst = MAC_NIC, .dst = ADDR_COLLIDES) },
	{ "tcp_vip", "TCP to a VIP, lease valid", "vrrp_xdp", "empty", 0, XDP_PASS, IN_ACTIVE(.nvips = 4),
	  PACKET(.eth_dst = MAC_NIC) },
	{ "tcp_backup", "TCP to a VIP in Backup", "vrrp_xdp", "empty", 0, XDP_PASS, IN_BACKUP(.nvips = 4),
	  PACKET(.eth_dst = MAC_NIC) },
	{ "arp_restore", "makes a request of an ARP answer", "arp_restore", "empty", 0, XDP_TX, IN_ACTIVE(), ARP() },
	{ "arp_answer", "ARP request for a VIP answered", "arp_answer", "arp_restore", 50, XDP_TX, IN_ACTIVE(), ARP() },
	{ "arp_stranger", "ARP request for a host passed", "vrrp_xdp", "empty", 0, XDP_PASS, IN_ACTIVE(),
	  ARP(.tpa = ADDR_HOST) },
	{ "advert_v3", "v3 advert with one VIP absorbed in Backup", "vrrp_xdp", "empty", 80, XDP_DROP, IN_BACKUP(),
	  ADVERT3() },
	{ "advert_v3_20", "... with 20 VIPs", "vrrp_xdp", "empty", 120, XDP_DROP, IN_BACKUP(.nvips = 20),
	  ADVERT3(.naddrs = 20) },
	{ "advert_v2", "v2 advert with a password absorbed in Backup", "vrrp_xdp", "empty", 80, XDP_DROP,
	  IN_BACKUP(V2PASS), ADVERT2PASS() },
	{ "advert_active", "v3 advert of a lower router in Active", "vrrp_xdp", "empty", 0, XDP_DROP, IN_ACTIVE(),
	  ADVERT3(.priority = 1) },
	{ "advert_bad", "v3 advert with a wrong checksum dropped", "vrrp_xdp", "empty", 0, XDP_DROP, IN_BACKUP(),
	  ADVERT3(.csum = FRAME_CSUM_WRONG) },
	{ "advert_vrid", "v3 advert for a VRID that is not ours passed", "vrrp_xdp", "empty", 0, XDP_PASS, IN_BACKUP(),
	  ADVERT3(.vrid = 99) },
	{ "tcp_vmac", "TCP by the virtual MAC of a router without one", "vrrp_xdp", "empty", 0, XDP_PASS, IN_ACTIVE(),
	  PACKET(.dst = ADDR_STRANGER) },
	{ "vmac_drop", "... dropped in Backup, where it is used", "vrrp_xdp", "empty", 0, XDP_DROP,
	  IN_BACKUP(.vmac = true), PACKET(.dst = ADDR_STRANGER) },
	{ "tcp6_free", "IPv6: TCP where no VIP is configured", "vrrp_xdp", "empty", 5, XDP_PASS,
	  IN_ACTIVE(.family = 6, .nvips = 0), PACKET6(.eth_dst = MAC_NIC, .dst6 = A6_STRANGER) },
	{ "tcp6_stranger", "IPv6: TCP to an address that is not ours", "vrrp_xdp", "empty", 12, XDP_PASS,
	  IN_ACTIVE(.family = 6, .nvips = 4), PACKET6(.eth_dst = MAC_NIC, .dst6 = A6_STRANGER) },
	{ "tcp6_vip", "IPv6: TCP to a VIP, lease valid", "vrrp_xdp", "empty", 0, XDP_PASS,
	  IN_ACTIVE(.family = 6, .nvips = 4), PACKET6(.eth_dst = MAC_NIC) },
	{ "nd_restore", "makes a solicitation of its answer", "nd_restore", "empty", 0, XDP_TX, IN_ACTIVE(.family = 6),
	  ND() },
	{ "nd_answer", "IPv6: solicitation for a VIP answered", "nd_answer6", "nd_restore", 90, XDP_TX,
	  IN_ACTIVE(.family = 6), ND() },
	{ "nd_stranger", "IPv6: solicitation for a host passed", "vrrp_xdp", "empty", 0, XDP_PASS,
	  IN_ACTIVE(.family = 6), ND(.target6 = A6_HOST) },
	{ "advert_v6", "IPv6: advert with one VIP absorbed in Backup", "vrrp_xdp", "empty", 80, XDP_DROP,
	  IN_BACKUP(.family = 6), ADVERT6() },
	{ "advert_v6_20", "... with 20 VIPs", "vrrp_xdp", "empty", 0, XDP_DROP, IN_BACKUP(.family = 6, .nvips = 20),
	  ADVERT6(.naddrs = 20) },
};

enum { CLASSES = VX_ARRAY_LEN(classes) };

static struct bpf_object *obj;
static struct cells cells[DP_ADDR6 + 1];
static struct vx_masks masks;
static struct vx_filter more_bits; /* of the VIPs that were configured beforehand */

static void die(const char *what)
{
	fprintf(stderr, "pktcost: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The filter of a scenario has the bits of its own addresses only. */
static void add_more_bits(struct vx_filter *f)
{
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(f->word); i++)
		f->word[i] |= more_bits.word[i];
}

static void put(enum dp_map map, const void *key, const void *value)
{
	static const char *const names[] = { DP_MAP_NAMES };
	static struct vx_filter bits;

	if (map == DP_FILTER) {
		memcpy(&bits, value, sizeof(bits));
		add_more_bits(&bits);
		value = &bits;
	}
	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(obj, names[map]), key, value, BPF_ANY))
		die(names[map]);
}

static struct vx_table table(enum dp_map map)
{
	return dp_table(map, cells_at, &cells[map], &masks);
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

/* The scenarios need less than FEW. */
static void set_sizes(__u32 vips, __u32 vrs)
{
	const struct {
		const char *name;
		__u32 n;
	} sizes[] = { { "vr_config", FEW + vrs },
		      { "vr_role", FEW + vrs },
		      { "vr_watch", FEW + vrs },
		      { "counters", FEW + vrs } };
	size_t i;

	masks = (struct vx_masks){ .vr = cells_mask(FEW + vrs), .addr = cells_mask(FEW + vips) };
	if (!cells_resize(obj, &masks))
		die("tables");
	for (i = 0; i < VX_ARRAY_LEN(sizes); i++)
		if (bpf_map__set_max_entries(bpf_object__find_map_by_name(obj, sizes[i].name), sizes[i].n))
			die(sizes[i].name);
}

/* 10.0.0.1 and on, 2001:db8:a::1 and on, all of the bystander. */
static void put_more_vips(__u32 n)
{
	const struct vx_vr_config cfg = { .ifindex = IFINDEX, .family = 4 };
	const struct vx_vr_config cfg6 = { .ifindex = IFINDEX, .family = 6 };
	static const struct dp_ops dp = { .table = table };
	const struct scenario s = { .family = 4 }, six = { .family = 6 };
	__u32 i;

	for (i = 0; i < n; i++) {
		scenario_addr(&dp, &cfg, &more_bits, scenario_pick(&s, IP4(10, 0, 0, 1), NULL, i), SLOT_BYSTANDER,
			      VX_ADDR_VIP, MAC_NIC);
		scenario_addr(&dp, &cfg6, &more_bits, scenario_pick(&six, 0, "2001:db8:a::1", i), SLOT_BYSTANDER,
			      VX_ADDR_VIP, MAC_NIC);
	}
}

static void put_more_vrs(__u32 n)
{
	static const struct dp_ops dp = { .table = table };
	__u32 i;

	for (i = 0; i < n; i++) {
		struct vx_vr_key k = { .ifindex = IFINDEX_MORE + i / 510,
				       .vrid = (__u8)(1 + i % 255),
				       .family = i / 255 % 2 ? 6 : 4 };

		scenario_put_vr(&dp, &k, FEW + i);
	}
}

/* Every scenario writes over the one before; the VIPs that are left over do not matter. */
static __u32 measure(const struct class *c, int repeat)
{
	static const struct dp_ops dp = { .table = table, .put = put, .arm = arm };
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

static int index_of(const char *name)
{
	int i;

	for (i = 0; i < CLASSES && strcmp(classes[i].name, name); i++)
		;
	return i;
}

/* Whether @c is measured when @only is asked for, NULL: everything. */
static bool is_wanted(const struct class *c, const char *only)
{
	return !only || !strcmp(c->name, only) || !strcmp(c->name, classes[index_of(only)].less);
}

static void report(const __u32 *median, const char *only)
{
	int i;

	printf("%-14s %8s %12s %7s  %s\n", "class", "ns", "above empty", "target", "what");
	for (i = 0; i < CLASSES; i++) {
		const struct class *c = &classes[i];
		int above = (int)median[i] - (int)median[index_of(c->less)];

		if (!is_wanted(c, only))
			continue;
		if (c->target_ns)
			printf("%-14s %8u %12d %7d  %s\n", c->name, median[i], above, c->target_ns, c->help);
		else
			printf("%-14s %8u %12d %7s  %s\n", c->name, median[i], above, "", c->help);
	}
}

/* "samples" are the rounds one by one, each against the same round of the class "above". */
static void report_json(const __u32 *median, int above[][MAX_ROUNDS], int rounds, const char *only)
{
	const char *sep = "[";
	int i, r;

	for (i = 0; i < CLASSES; i++) {
		const struct class *c = &classes[i];

		if (!is_wanted(c, only))
			continue;
		printf("%s{\"class\": \"%s\", \"help\": \"%s\", \"above\": \"%s\", \"ns\": %u, \"above_empty_ns\": %d, "
		       "\"target_ns\": %d, \"samples\": [",
		       sep, c->name, c->help, c->less, median[i], (int)median[i] - (int)median[index_of(c->less)],
		       c->target_ns);
		sep = ",\n ";
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

/* A number of 0 to @max; leaves the program if it is none. */
static int number(const char *option, const char *text, int max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 0 || n > max) {
		fprintf(stderr, "pktcost: --%s %s is not a number of 0 to %d\n", option, text, max);
		exit(2);
	}
	return (int)n;
}

static void load(const char *path, int vips, int vrs)
{
	static const char *const names[] = { DP_MAP_NAMES };
	size_t i;

	obj = bpf_object__open_file(path, NULL);
	if (!obj)
		die(path);
	set_sizes((__u32)vips, (__u32)vrs);
	if (bpf_object__load(obj))
		die(path);
	for (i = 0; i < VX_ARRAY_LEN(cells); i++)
		if (!cells_map(&cells[i], bpf_object__find_map_by_name(obj, names[i])))
			die(names[i]);
	put_more_vips((__u32)vips);
	put_more_vrs((__u32)vrs);
}

int main(int argc, char *argv[])
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "repeat", required_argument, NULL, 'n' },
						 { "rounds", required_argument, NULL, 'r' },
						 { "only", required_argument, NULL, 'o' },
						 { "vips", required_argument, NULL, 'v' },
						 { "vrs", required_argument, NULL, 's' },
						 { 0 } };
	int repeat = 1000000, rounds = 9, vips = 0, vrs = 0, json = 0, o, i, r;
	static __u32 ns[CLASSES][MAX_ROUNDS], median[CLASSES];
	static int above[CLASSES][MAX_ROUNDS];
	const char *only = NULL;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'j')
			json = 1;
		else if (o == 'n')
			repeat = number("repeat", optarg, 1 << 30);
		else if (o == 'r')
			rounds = number("rounds", optarg, MAX_ROUNDS);
		else if (o == 'o')
			only = optarg;
		else if (o == 'v')
			vips = number("vips", optarg, MAX_MORE);
		else if (o == 's')
			vrs = number("vrs", optarg, MAX_MORE);
		else
			return 2;
	}
	if (!rounds || !repeat || (only && index_of(only) == CLASSES)) {
		fprintf(stderr, "pktcost: --rounds and --repeat are at least 1, --only is one of the classes\n");
		return 2;
	}
	load(optind < argc ? argv[optind] : "build/tests/pktcost.bpf.o", vips, vrs);
	pin();
	for (r = 0; r < rounds; r++)
		for (i = 0; i < CLASSES; i++)
			if (is_wanted(&classes[i], only))
				ns[i][r] = measure(&classes[i], repeat);
	for (i = 0; i < CLASSES; i++)
		for (r = 0; r < rounds; r++)
			above[i][r] = (int)ns[i][r] - (int)ns[index_of(classes[i].less)][r];
	for (i = 0; i < CLASSES; i++) {
		qsort(ns[i], (size_t)rounds, sizeof(ns[i][0]), by_value);
		median[i] = ns[i][rounds / 2];
	}
	if (json)
		report_json(median, above, rounds, only);
	else
		report(median, only);
	for (i = 0; i < (int)VX_ARRAY_LEN(cells); i++)
		cells_unmap(&cells[i]);
	bpf_object__close(obj);
	return 0;
}
