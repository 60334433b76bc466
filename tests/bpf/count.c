// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the programs cost, counted instead of timed: instructions executed and helpers called for a frame of each class, in the
 * interpreter of tests/bpf/interp.c, and instructions that the kernel's verifier looked at. Fails where one is beyond its bound in
 * tests/bpf/counts.txt. Loads the programs, attaches nothing; needs root.
 *
 *   bpf_count [--json | --table] [build/vrrp_xdp.bpf.o [tests/bpf/counts.txt]]
 *
 * --table prints the file of bounds anew, from what is counted now.
 */
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/bpf/interp.h"
#include "tests/scenario.h"
#include "tests/cells.h"

enum {
	SLACK_PERCENT = 15,         /* compilers differ */
	VERIFIED_ANYWHERE = 500000, /* half of what the kernel allows: where a kernel has no bound of its own */
	RACES = 100,
	BOUNDS = 128,
	UNTOUCHED = -1, /* TC_ACT_UNSPEC */
};

enum kind { FRAME_IN, FRAME_OUT, TIMER, FIRES };

static const struct class
{
	const char *name, *help;
	enum kind kind;
	struct scenario in;
	struct frame_desc frame;
	int result;     /* of the program */
	bool again;     /* the second of two: what each of many costs, not the first */
	__u32 timer_op; /* TIMER */
	__s64 in_ns;    /* FIRES: how far away the deadline is then */
	__u32 event;    /* of EVENT(), the one that has to be written; 0: none may be */
} classes[] = {
	/* What is nobody's here: every frame of the host takes one of these ways. */
	{ "tcp_stranger", "TCP to an address that is not ours", FRAME_IN, IN_ACTIVE(.nvips = 4),
	  PACKET(.eth_dst = MAC_NIC, .dst = ADDR_STRANGER), .result = XDP_PASS },
	{ "tcp6_stranger", "IPv6: TCP to an address that is not ours", FRAME_IN, IN_ACTIVE(.family = 6, .nvips = 4),
	  PACKET6(.eth_dst = MAC_NIC, .dst6 = A6_STRANGER), .result = XDP_PASS },
	{ "tcp_own", "TCP to the interface's own address", FRAME_IN, IN_ACTIVE(),
	  PACKET(.eth_dst = MAC_NIC, .dst = ADDR_US), .result = XDP_PASS },
	{ "other_type", "neither IP nor ARP", FRAME_IN, IN_ACTIVE(), RAW(.eth_dst = MAC_NIC), .result = XDP_PASS },
	{ "tagged_stranger", "TCP in a VLAN to an address that is not ours", FRAME_IN, IN_ACTIVE(),
	  PACKET(.tag = { { 0x8100, 10 } }, .eth_dst = MAC_NIC, .dst = ADDR_STRANGER), .result = XDP_PASS },
	{ "arp_stranger", "ARP request for a host passed", FRAME_IN, IN_ACTIVE(), ARP(.tpa = ADDR_HOST),
	  .result = XDP_PASS },
	{ "nd_stranger", "IPv6: solicitation for a host passed", FRAME_IN, IN_ACTIVE(.family = 6),
	  ND(.target6 = A6_HOST), .result = XDP_PASS },
	/* The guard */
	{ "tcp_vip", "TCP to a VIP, lease valid", FRAME_IN, IN_ACTIVE(.nvips = 4), PACKET(.eth_dst = MAC_NIC),
	  .result = XDP_PASS },
	{ "tcp6_vip", "IPv6: TCP to a VIP, lease valid", FRAME_IN, IN_ACTIVE(.family = 6, .nvips = 4),
	  PACKET6(.eth_dst = MAC_NIC), .result = XDP_PASS },
	{ "tcp_lapsed", "TCP to a VIP dropped, lease lapsed", FRAME_IN, IN_LAPSED(), PACKET(.eth_dst = MAC_NIC),
	  .result = XDP_DROP },
	{ "vmac_take", "TCP to a VIP by the virtual MAC, lease valid", FRAME_IN, IN_ACTIVE(.vmac = true), PACKET(),
	  .result = XDP_PASS },
	{ "vmac_drop", "TCP to the virtual MAC dropped in Backup", FRAME_IN, IN_BACKUP(.vmac = true),
	  PACKET(.dst = ADDR_STRANGER), .result = XDP_DROP },
	/* Answers */
	{ "arp_answer", "ARP request for a VIP answered", FRAME_IN, IN_ACTIVE(), ARP(), .result = XDP_TX },
	{ "arp_drop", "ARP request for a VIP dropped in Backup", FRAME_IN, IN_BACKUP(), ARP(), .result = XDP_DROP },
	{ "nd_answer", "IPv6: solicitation for a VIP answered", FRAME_IN, IN_ACTIVE(.family = 6), ND(),
	  .result = XDP_TX },
	{ "nd_drop", "IPv6: solicitation for a VIP dropped in Backup", FRAME_IN, IN_BACKUP(.family = 6), ND(),
	  .result = XDP_DROP },
	/* Adverts */
	{ "advert_v3", "v3 advert with one VIP absorbed in Backup", FRAME_IN, IN_BACKUP(), ADVERT3(),
	  .result = XDP_DROP, .again = true },
	{ "advert_v3_20", "... with 20", FRAME_IN, IN_BACKUP(.nvips = 20), ADVERT3(.naddrs = 20), .result = XDP_DROP,
	  .again = true },
	{ "advert_v2", "v2 advert with a password absorbed in Backup", FRAME_IN, IN_BACKUP(V2PASS), ADVERT2PASS(),
	  .result = XDP_DROP, .again = true },
	{ "advert_v6", "IPv6: advert with one VIP absorbed in Backup", FRAME_IN, IN_BACKUP(.family = 6), ADVERT6(),
	  .result = XDP_DROP, .again = true },
	{ "advert_v6_20", "... with 20", FRAME_IN, IN_BACKUP(.family = 6, .nvips = 20), ADVERT6(.naddrs = 20),
	  .result = XDP_DROP, .again = true },
	{ "advert_unicast", "unicast advert of a peer absorbed in Backup", FRAME_IN, IN_BACKUP(.unicast = true),
	  ADVERT3(UNICAST), .result = XDP_DROP, .again = true },
	{ "advert_prio0", "priority 0 told to the controller", FRAME_IN, IN_BACKUP(), ADVERT3(.priority = 0),
	  .result = XDP_DROP, .event = EVENT(PRIO0) },
	{ "advert_higher", "a better router's advert told, the lease ended", FRAME_IN, IN_ACTIVE(),
	  ADVERT3(.priority = 200), .result = XDP_DROP, .event = EVENT(HIGHER) },
	/* Floods, of which the controller has been told */
	{ "flood_csum", "v3 adverts with a wrong checksum dropped", FRAME_IN, IN_BACKUP(),
	  ADVERT3(.csum = FRAME_CSUM_WRONG), .result = XDP_DROP, .again = true },
	{ "flood_ttl", "v3 adverts with TTL 254 dropped", FRAME_IN, IN_BACKUP(), ADVERT3(.ttl = 254),
	  .result = XDP_DROP, .again = true },
	{ "flood_vrid", "v3 adverts of another VRID passed", FRAME_IN, IN_BACKUP(), ADVERT3(.vrid = 52),
	  .result = XDP_PASS, .again = true },
	{ "flood_short", "v3 adverts that are too short dropped", FRAME_IN, IN_BACKUP(), ADVERT3(.count = 20),
	  .result = XDP_DROP, .again = true },
	/* At tc egress, where a virtual MAC is used */
	{ "egress_other", "IPv4 leaves", FRAME_OUT, IN_ACTIVE(.vmac = true), PACKET(.eth_src = MAC_NIC),
	  .result = UNTOUCHED },
	{ "egress_arp", "the kernel's ARP request from a VIP gets the virtual MAC", FRAME_OUT, IN_ACTIVE(.vmac = true),
	  ARP(.eth_src = MAC_NIC, .sha = MAC_NIC, .spa = ADDR_VIP, .tpa = ADDR_HOST), .result = UNTOUCHED },
	{ "egress_nd", "IPv6: the kernel's solicitation from a VIP gets the virtual MAC", FRAME_OUT,
	  IN_ACTIVE(.family = 6, .vmac = true),
	  ND(.eth_src = MAC_NIC, .src6 = A6_VIP, .target6 = A6_HOST, .opt_hex = "01 01 02 00 00 00 00 02"),
	  .result = UNTOUCHED },
	/* ActiveDown */
	{ "timer_arm", "the controller arms ActiveDown", TIMER, IN_INITIALIZE(), .timer_op = VX_TIMER_ARM },
	{ "timer_shift", "... moves it", TIMER, IN_BACKUP(), .timer_op = VX_TIMER_SHIFT },
	{ "timer_cancel", "... cancels it", TIMER, IN_BACKUP(), .timer_op = VX_TIMER_CANCEL },
	{ "fires_early", "it fires, and adverts have come meanwhile", FIRES, IN_BACKUP(), .in_ns = VX_NS_PER_S },
	{ "fires_soon", "it fires just before ActiveDown", FIRES, IN_BACKUP(), .in_ns = VX_LEAD_NS - 1,
	  .event = EVENT(SOON) },
	{ "fires_down", "it fires, and the Active Router is down", FIRES, IN_BACKUP(), .in_ns = -1,
	  .event = EVENT(DOWN) },
};

enum { CLASSES = VX_ARRAY_LEN(classes) };

static struct {
	struct bpf_object *obj;
	struct interp it;
	struct frame *low;
	struct cells cells[DP_ADDR6 + 1];
	int watch;
} k;

static struct count {
	__u64 executed;
	__u32 calls[INTERP_HELPERS];
} counts[CLASSES];

/* A line of the file of bounds. */
static struct bound {
	char name[32], kernel[16]; /* "" : a class */
	__u32 measured, most;
	__u32 calls[INTERP_HELPERS];
	bool used;
} bounds[BOUNDS];
static size_t nbounds;
static char release[16]; /* of the kernel: 6.18 */

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "bpf_count: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the kernel's side ---- */

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (__u64)t.tv_sec * VX_NS_PER_S + (__u64)t.tv_nsec;
}

static const char *const names[] = { DP_MAP_NAMES };
static const struct vx_masks masks = { .vr = 63, .addr = 255 }; /* of a program that was told nothing else */

static struct vx_table table(enum dp_map map)
{
	return dp_table(map, cells_at, &k.cells[map], &masks);
}

static void put(enum dp_map map, const void *key, const void *value)
{
	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(k.obj, names[map]), key, value, BPF_ANY))
		die(names[map]);
}

/* bpf_timer_init() of Linux 6.18 may find no memory for a few milliseconds. */
static void arm(const struct vx_timer_cmd *cmd)
{
	const struct bpf_program *p = bpf_object__find_program_by_name(k.obj, "vx_timer");
	struct vx_timer_cmd copy = *cmd;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &copy, .ctx_size_in = sizeof(copy));
	int i;

	for (i = 0; i < 1000; i++) {
		if (bpf_prog_test_run_opts(bpf_program__fd(p), &opts))
			die("vx_timer");
		if (!opts.retval)
			return;
		usleep(1000);
	}
	die("vx_timer");
}

static void load(const char *path)
{
	struct bpf_map *m;
	size_t i;

	k.obj = bpf_object__open_file(path, NULL);
	if (!k.obj || bpf_object__load(k.obj))
		die(path);
	for (i = 0; i < VX_ARRAY_LEN(k.cells); i++)
		if (!cells_map(&k.cells[i], bpf_object__find_map_by_name(k.obj, names[i])))
			die(names[i]);
	bpf_object__for_each_map(m, k.obj) if (interp_add_map(&k.it, bpf_map__fd(m))) die(bpf_map__name(m));
	k.watch = bpf_object__find_map_fd_by_name(k.obj, "vr_watch");
	k.low = interp_low(sizeof(*k.low));
	if (!k.low)
		die("memory below 4 GiB");
}

/* ---- counting ---- */

/* What the last run has left is written over, and its tables are emptied. */
static void set_up(const struct scenario *s)
{
	static const struct dp_ops dp = { .table = table, .put = put, .arm = arm };
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(k.cells); i++)
		memset(k.cells[i].base, 0, k.cells[i].bytes);
	scenario_load(&dp, s, now_ns());
	if (interp_sync(&k.it))
		die("maps");
}

static void count_none(void)
{
	k.it.executed = 0;
	k.it.nevents = 0;
	memset(k.it.calls, 0, sizeof(k.it.calls));
}

static int interpret(const struct class *c, const char *prog, size_t pc, const __u64 args[5])
{
	const struct bpf_program *p = bpf_object__find_program_by_name(k.obj, prog);
	__u64 result;

	if (!p || !interp_call(&k.it, bpf_program__insns(p), bpf_program__insn_cnt(p), pc, args, &result)) {
		fprintf(stderr, "bpf_count: %s: %s\n", c->name, p ? k.it.error : "no such program");
		exit(1);
	}
	return (int)result;
}

static int run_frame(const struct class *c)
{
	static struct frame in;
	__u32 data = (__u32)(uintptr_t)k.low->b;
	struct xdp_md xdp = { .ingress_ifindex = IFINDEX, .data = data };
	struct __sk_buff skb = { .ifindex = IFINDEX, .data = data };
	__be16 type;

	frame_build(&in, &c->frame);
	*k.low = in;
	xdp.data_end = skb.data_end = data + in.len;
	memcpy(&type, in.b + 12, sizeof(type));
	skb.protocol = type;
	return c->kind == FRAME_IN ? interpret(c, "vrrp_xdp", 0, (__u64[5]){ (uintptr_t)&xdp })
				   : interpret(c, "vrrp_egress", 0, (__u64[5]){ (uintptr_t)&skb });
}

static int run_command(const struct class *c, __u32 op)
{
	struct vx_timer_cmd cmd = { .op = op,
				    .slot = SLOT,
				    .deadline_ns = op == VX_TIMER_SHIFT ? VX_NS_PER_MS : now_ns() + VX_NS_PER_S,
				    .adver_ns = VX_NS_PER_S,
				    .priority = 100 };

	return interpret(c, "vx_timer", 0, (__u64[5]){ (uintptr_t)&cmd });
}

/* The callback is what arming it has set; the deadline is moved close enough then. */
static int run_callback(const struct class *c)
{
	struct vx_vr_watch *w = interp_value(&k.it, k.watch, SLOT);
	__u32 slot = SLOT;

	run_command(c, VX_TIMER_ARM);
	count_none();
	w->deadline_ns = now_ns() + (__u64)c->in_ns;
	return interpret(c, "vx_timer", (size_t)k.it.timer[0].callback,
			 (__u64[5]){ (uintptr_t)&k.it.map[0], (uintptr_t)&slot, (uintptr_t)w });
}

static int run(const struct class *c)
{
	set_up(&c->in);
	if (c->kind == TIMER)
		return run_command(c, c->timer_op);
	if (c->kind == FIRES)
		return run_callback(c);
	if (c->again) {
		run_frame(c);
		count_none();
	}
	return run_frame(c);
}

static bool as_expected(const struct class *c, int result)
{
	__u32 type;

	if (result != c->result || k.it.nevents != !!c->event)
		return false;
	memcpy(&type, k.it.event[0].data, sizeof(type));
	return !c->event || type == (c->event & 0xff);
}

/* ActiveDown may go by before its callback is run. */
static void measure(const struct class *c, struct count *to)
{
	int result = run(c), i;

	for (i = 0; i < RACES && c->kind == FIRES && !as_expected(c, result); i++)
		result = run(c);
	if (!as_expected(c, result)) {
		fprintf(stderr, "bpf_count: %s: result %d and %u events, not %d and %d\n", c->name, result,
			k.it.nevents, c->result, !!c->event);
		exit(1);
	}
	to->executed = k.it.executed;
	memcpy(to->calls, k.it.calls, sizeof(to->calls));
}

/* 0: this kernel does not tell, as none does before 5.16. */
static __u32 verified(const struct bpf_program *p)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len))
		die(bpf_program__name(p));
	return info.verified_insns;
}

/* ---- bounds ---- */

static bool parse_call(char *word, struct bound *b)
{
	char *value = strchr(word, '=');
	const char *name;
	__u32 i;

	if (!value)
		return false;
	*value++ = '\0';
	for (i = 0; i < INTERP_HELPERS; i++) {
		name = interp_helper_name(i);
		if (name && !strcmp(name, word)) {
			b->calls[i] = (__u32)strtoul(value, NULL, 10);
			return true;
		}
	}
	return false;
}

static bool parse_bound(char *line, struct bound *b)
{
	char *save, *word;
	int n = 0;

	*b = (struct bound){ 0 };
	if (sscanf(line, "program %31s %15s %u %u", b->name, b->kernel, &b->measured, &b->most) == 4)
		return true;
	if (sscanf(line, "class %31s %u %u%n", b->name, &b->measured, &b->most, &n) != 3)
		return false;
	for (word = strtok_r(line + n, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
		if (!parse_call(word, b))
			return false;
	return true;
}

static void read_bounds(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[512];

	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		if (nbounds == BOUNDS || !parse_bound(line, &bounds[nbounds++])) {
			fprintf(stderr, "bpf_count: %s: not understood: %s", path, line);
			exit(1);
		}
	}
	fclose(f);
}

static struct bound *find_bound(const char *name, const char *kernel)
{
	size_t i;

	for (i = 0; i < nbounds; i++)
		if (!strcmp(bounds[i].name, name) && !strcmp(bounds[i].kernel, kernel))
			return &bounds[i];
	return NULL;
}

static __u32 slack(__u64 measured)
{
	return (__u32)(measured + (measured * SLACK_PERCENT + 99) / 100);
}

static bool check_class(const struct class *c, const struct count *n)
{
	struct bound *b = find_bound(c->name, "");
	bool ok = true;
	__u32 i;

	if (!b)
		return COMPLAIN("%s: has no bound", c->name);
	b->used = true;
	if (n->executed > b->most)
		ok = COMPLAIN("%s: %llu instructions, at most %u allowed", c->name, n->executed, b->most);
	for (i = 0; i < INTERP_HELPERS; i++)
		if (n->calls[i] > b->calls[i])
			ok = COMPLAIN("%s: %u calls of %s, at most %u allowed", c->name, n->calls[i],
				      interp_helper_name(i), b->calls[i]);
	return ok;
}

static bool check_program(const struct bpf_program *p)
{
	const struct bound *b = find_bound(bpf_program__name(p), release);
	__u32 most = b ? b->most : VERIFIED_ANYWHERE, n = verified(p);

	if (n > most)
		return COMPLAIN("%s: the verifier looked at %u instructions, at most %u allowed", bpf_program__name(p),
				n, most);
	return true;
}

/* A bound that nothing is compared with is a mistake: a class was renamed. */
static bool check_bounds(void)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < nbounds; i++) {
		if (bounds[i].kernel[0] && !bpf_object__find_program_by_name(k.obj, bounds[i].name))
			ok = COMPLAIN("%s: a bound for no program", bounds[i].name);
		if (!bounds[i].kernel[0] && !bounds[i].used)
			ok = COMPLAIN("%s: a bound for no class", bounds[i].name);
	}
	return ok;
}

static bool check_all(void)
{
	struct bpf_program *p;
	bool ok = true;
	size_t i;

	for (i = 0; i < CLASSES; i++)
		ok = check_class(&classes[i], &counts[i]) && ok;
	bpf_object__for_each_program(p, k.obj) ok = check_program(p) && ok;
	return check_bounds() && ok;
}

/* ---- output ---- */

static void print_calls(const struct count *n, const char *between, const char *format)
{
	const char *sep = "";
	__u32 i;

	for (i = 0; i < INTERP_HELPERS; i++) {
		if (!n->calls[i])
			continue;
		fputs(sep, stdout);
		printf(format, interp_helper_name(i), n->calls[i]);
		sep = between;
	}
}

static void print_json(void)
{
	struct bpf_program *p;
	const char *sep = "";
	size_t i;

	printf("{\"classes\": [\n");
	for (i = 0; i < CLASSES; i++) {
		printf(" {\"class\": \"%s\", \"what\": \"%s\", \"instructions\": %llu, \"calls\": {", classes[i].name,
		       classes[i].help, counts[i].executed);
		print_calls(&counts[i], ", ", "\"%s\": %u");
		printf("}}%s\n", i + 1 < CLASSES ? "," : "");
	}
	printf("], \"programs\": [\n");
	bpf_object__for_each_program(p, k.obj)
	{
		printf("%s {\"program\": \"%s\", \"kernel\": \"%s\", \"instructions\": %zu, \"verified\": %u}", sep,
		       bpf_program__name(p), release, bpf_program__insn_cnt(p), verified(p));
		sep = ",\n";
	}
	printf("\n]}\n");
}

static void print_table(void)
{
	struct bpf_program *p;
	size_t i;

	printf("# Bounds of build/tests/bpf_count, and made by it: build/tests/bpf_count --table > counts.new\n");
	printf("# class NAME EXECUTED AT-MOST HELPER=CALLS-AT-MOST...\n");
	for (i = 0; i < CLASSES; i++) {
		printf("class %s %llu %u", classes[i].name, counts[i].executed, slack(counts[i].executed));
		print_calls(&counts[i], "", " %s=%u");
		printf("\n");
	}
	printf("# program NAME KERNEL VERIFIED AT-MOST; on other kernels at most %d\n", VERIFIED_ANYWHERE);
	bpf_object__for_each_program(p, k.obj)
	{
		if (verified(p))
			printf("program %s %s %u %u\n", bpf_program__name(p), release, verified(p), slack(verified(p)));
		for (i = 0; i < nbounds; i++)
			if (!strcmp(bounds[i].name, bpf_program__name(p)) && strcmp(bounds[i].kernel, release))
				printf("program %s %s %u %u\n", bounds[i].name, bounds[i].kernel, bounds[i].measured,
				       bounds[i].most);
	}
}

static void print_plain(void)
{
	struct bpf_program *p;
	size_t i;

	printf("%-16s %8s %8s  %-64s %s\n", "class", "executed", "at most", "what", "calls");
	for (i = 0; i < CLASSES; i++) {
		const struct bound *b = find_bound(classes[i].name, "");

		printf("%-16s %8llu %8u  %-64s", classes[i].name, counts[i].executed, b ? b->most : 0, classes[i].help);
		print_calls(&counts[i], "", " %s=%u");
		printf("\n");
	}
	printf("%-16s %8s %8s\n", "program", "verified", "at most");
	bpf_object__for_each_program(p, k.obj)
	{
		const struct bound *b = find_bound(bpf_program__name(p), release);

		if (verified(p))
			printf("%-16s %8u %8u\n", bpf_program__name(p), verified(p), b ? b->most : VERIFIED_ANYWHERE);
		else
			printf("%-16s  skipped: this kernel does not say what it verified; 5.16 and later do\n",
			       bpf_program__name(p));
	}
}

static void read_release(void)
{
	unsigned int major, minor;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		die("uname");
	snprintf(release, sizeof(release), "%u.%u", major, minor);
}

int main(int argc, char *argv[])
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "table", no_argument, NULL, 't' },
						 { 0 } };
	void (*print)(void) = print_plain;
	bool ok;
	int o;
	size_t i;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == '?')
			return 2;
		print = o == 'j' ? print_json : print_table;
	}
	if (geteuid()) {
		fprintf(stderr, "bpf_count: needs root to load a BPF program\n");
		return 1;
	}
	read_release();
	read_bounds(optind + 1 < argc ? argv[optind + 1] : "tests/bpf/counts.txt");
	load(optind < argc ? argv[optind] : "build/vrrp_xdp.bpf.o");
	for (i = 0; i < CLASSES; i++)
		measure(&classes[i], &counts[i]);
	print();
	ok = print == print_table || check_all();
	interp_free(&k.it);
	for (i = 0; i < VX_ARRAY_LEN(k.cells); i++)
		cells_unmap(&k.cells[i]);
	bpf_object__close(k.obj);
	return !ok;
}
