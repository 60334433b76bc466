// SPDX-License-Identifier: GPL-2.0-or-later
#include "dp.h"

#include "log.h"
#include "vrrp_xdp.skel.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#define BPFFS    "/sys/fs/bpf"
#define PIN_ROOT BPFFS "/vrrp-xdp"
#define MOUNT_MARK                                                                                                     \
	PIN_ROOT "/mounted-by-vrrp-xdp" /* an empty folder: this mount is ours to undo, whoever of us is last */
#define PROG_NAME "vrrp_xdp"

#ifndef BPF_FS_MAGIC
#define BPF_FS_MAGIC 0xcafe4a11
#endif

enum { PATH_LEN = 160, KERNEL_MAJOR = 5, KERNEL_MINOR = 15, INIT_TRIES = 5000, INIT_PAUSE_US = 2000 };

struct attached {
	int ifindex;
	char ifname[IFNAMSIZ];
	enum xdp_attach_mode mode;
	uint32_t id;   /* of what the kernel runs there when ours is in it: ours, or libxdp's dispatcher */
	bool egress;   /* so is the program at tc egress */
	bool own_hook; /* the qdisc for it was made by us */
};

/* The maps by the names that bpf/vrrp_xdp.bpf.c gives them, and what their entries must be. */
#define MAPS(X)                                                                                                        \
	X(vr_index, uint32_t, struct vx_vr_cell)                                                                       \
	X(addr4, uint32_t, struct vx_addr4_cell)                                                                       \
	X(addr6, uint32_t, struct vx_addr6_cell)                                                                       \
	X(peers, struct vx_peer_key, struct vx_peer_val)                                                               \
	X(filter, uint32_t, struct vx_filter)                                                                          \
	X(vr_config, uint32_t, struct vx_vr_config)                                                                    \
	X(vr_role, uint32_t, uint64_t)                                                                                 \
	X(vr_watch, uint32_t, struct vx_vr_watch)                                                                      \
	X(events, struct nothing, struct nothing)                                                                      \
	X(counters, uint32_t, struct vx_counters)

struct nothing {
};

enum map {
#define MAP_ENUM(name, key, value) MAP_##name,
	MAPS(MAP_ENUM)
#undef MAP_ENUM
		MAP_COUNT,
};

static const struct {
	const char *name;
	uint32_t key_size, value_size;
} map_shapes[MAP_COUNT] = {
#define MAP_SHAPE(name, key, value) [MAP_##name] = { #name, sizeof(key), sizeof(value) },
	MAPS(MAP_SHAPE)
#undef MAP_SHAPE
};

/* A table's cells, mapped. */
struct cells {
	uint8_t *base; /* NULL: not mapped */
	size_t bytes;
	uint32_t n, size;
};

struct dp {
	struct vrrp_xdp_bpf *skel; /* NULL: the programs were loaded by the controller before this one */
	struct xdp_program *prog;
	int maps[MAP_COUNT], egress_fd, timer_fd; /* -1: not loaded; @skel's, or without it our own */
	uint64_t build;                           /* which build of the programs it is that is loaded */
	struct ring_buffer *ring;
	struct cells vr_index, addr4, addr6;
	struct vx_filter *filter; /* mapped */
	uint64_t *role;           /* mapped */
	uint64_t *role_set;       /* owned: what we have written there */
	size_t role_bytes;
	uint8_t *filter_refs; /* addresses behind each bit, saturating: a bit that ever had 255 stays set */
	struct dp_sizes sizes;
	struct dp_ops ops;
	struct attached *ifs;
	uint32_t nifs;
	int ncpus;
	bool loaded;
};

static char last_words[DP_ERR_LEN]; /* the last warning of libbpf or libxdp, in case that is the best we can say */

static void keep_words(bool warning, const char *fmt, va_list ap)
{
	char line[DP_ERR_LEN];

	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	if (warning && line[0])
		snprintf(last_words, sizeof(last_words), "%s", line);
	if (line[0])
		log_debug("%s", line);
}

static int on_libbpf_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level <= LIBBPF_INFO)
		keep_words(level == LIBBPF_WARN, fmt, ap);
	return 0;
}

static int on_libxdp_print(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	if (level <= LIBXDP_INFO)
		keep_words(level == LIBXDP_WARN, fmt, ap);
	return 0;
}

static int fail(int err, char why[DP_ERR_LEN], const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(int err, char why[DP_ERR_LEN], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, DP_ERR_LEN, fmt, ap);
	va_end(ap);
	return err;
}

static int check_kernel(char why[DP_ERR_LEN])
{
	struct utsname u;
	int major, minor;

	if (uname(&u) || sscanf(u.release, "%d.%d", &major, &minor) != 2)
		return 0; /* the loader will tell */
	if (major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR))
		return 0;
	return fail(-EOPNOTSUPP, why, "kernel %s is too old for timers in BPF; boot %d.%d or later", u.release,
		    KERNEL_MAJOR, KERNEL_MINOR);
}

static bool is_bpffs(void)
{
	struct statfs s;

	return !statfs(BPFFS, &s) && (unsigned long)s.f_type == BPF_FS_MAGIC;
}

/* `ip netns exec`, and hosts without systemd, have no bpffs; the pins and libxdp need one. */
static int mount_bpffs(char why[DP_ERR_LEN])
{
	if (!is_bpffs()) {
		if (mount("bpf", BPFFS, "bpf", 0, "mode=0700"))
			return fail(-errno, why,
				    "cannot mount a bpffs on " BPFFS ": %s; mount one there, or run as root",
				    strerror(errno));
		mkdir(PIN_ROOT, 0700);
		mkdir(MOUNT_MARK, 0700);
	} else {
		mkdir(PIN_ROOT, 0700);
	}
	return 0;
}

/* Whether somebody else has put something into our bpffs; libxdp's empty folder goes, the kernel's own files do not count. */
static bool bpffs_in_use(void)
{
	static const char *const none[] = { ".", "..", "maps.debug", "progs.debug" };
	DIR *d = opendir(BPFFS);
	struct dirent *e;
	bool used = !d;
	size_t i;

	rmdir(BPFFS "/xdp");
	while (!used && (e = readdir(d))) {
		for (i = 0; i < VX_ARRAY_LEN(none) && strcmp(e->d_name, none[i]); i++)
			;
		used = i == VX_ARRAY_LEN(none);
	}
	if (d)
		closedir(d);
	return used;
}

/* Takes back the mount when it is ours and nobody uses it any more. */
static void unmount_bpffs(void)
{
	bool ours = !access(MOUNT_MARK, F_OK);

	rmdir(MOUNT_MARK);
	if (!rmdir(PIN_ROOT) && ours && !bpffs_in_use()) {
		umount2(BPFFS, MNT_DETACH);
	} else if (ours) { /* for the next of us to undo */
		mkdir(PIN_ROOT, 0700);
		mkdir(MOUNT_MARK, 0700);
	}
}

/* A bpffs takes no dot in a name, and eth0.100 has one; no interface has a colon. */
static int pin_folder(const char *ifname, char *out, size_t cap, bool make)
{
	char ns[sizeof(PIN_ROOT) + 24], name[IFNAMSIZ];
	struct stat st;
	char *dot;

	if (stat("/proc/self/ns/net", &st))
		return -errno;
	snprintf(name, sizeof(name), "%s", ifname);
	while ((dot = strchr(name, '.')))
		*dot = ':';
	snprintf(ns, sizeof(ns), PIN_ROOT "/%lu", (unsigned long)st.st_ino);
	snprintf(out, cap, "%s/%s", ns, name);
	if (!make)
		return 0;
	if ((mkdir(ns, 0700) && errno != EEXIST) || (mkdir(out, 0700) && errno != EEXIST))
		return -errno;
	return 0;
}

static void remove_folder(const char *dir)
{
	char path[2 * PATH_LEN + 256];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

static void unpin(const char *ifname)
{
	char dir[PATH_LEN];

	if (pin_folder(ifname, dir, sizeof(dir), false))
		return;
	remove_folder(dir);
	*strrchr(dir, '/') = '\0';
	rmdir(dir); /* stays while another interface of this namespace has pins */
}

static int pin(struct dp *dp, const char *ifname)
{
	char dir[PATH_LEN], path[2 * PATH_LEN];
	int err = pin_folder(ifname, dir, sizeof(dir), true), m;

	snprintf(path, sizeof(path), "%s/" PROG_NAME, dir);
	if (!err && bpf_obj_pin(xdp_program__fd(dp->prog), path))
		err = -errno;
	for (m = 0; m < MAP_COUNT; m++) {
		snprintf(path, sizeof(path), "%s/%s", dir, map_shapes[m].name);
		if (!err && bpf_obj_pin(dp->maps[m], path))
			err = -errno;
	}
	return err;
}

/* At most half of the cells are used. */
static uint32_t cells_for(uint32_t keys)
{
	uint32_t n = 2;

	while (n < 2 * keys)
		n *= 2;
	return n;
}

static int set_sizes(struct dp *dp)
{
	const struct dp_sizes *s = &dp->sizes;
	uint32_t vr_cells = cells_for(s->vrs + 2 * s->ifs), addr_cells = cells_for(s->addrs);
	struct {
		struct bpf_map *map;
		uint32_t n;
	} t[] = {
		{ dp->skel->maps.vr_index, vr_cells }, { dp->skel->maps.addr4, addr_cells },
		{ dp->skel->maps.addr6, addr_cells },  { dp->skel->maps.peers, s->peers ? s->peers : 1 },
		{ dp->skel->maps.vr_config, s->vrs },  { dp->skel->maps.vr_role, s->vrs },
		{ dp->skel->maps.vr_watch, s->vrs },   { dp->skel->maps.counters, s->vrs + s->ifs },
	};
	size_t i;
	int err = 0;

	for (i = 0; i < VX_ARRAY_LEN(t) && !err; i++)
		err = bpf_map__set_max_entries(t[i].map, t[i].n);
	dp->skel->rodata->masks.vr = vr_cells - 1;
	dp->skel->rodata->masks.addr = addr_cells - 1;
	return err;
}

/* FNV-1a over the object. */
static uint64_t build_of_ours(void)
{
	uint64_t hash = 14695981039346656037ULL;
	const uint8_t *b;
	size_t len, i;

	b = vrrp_xdp_bpf__elf_bytes(&len);
	for (i = 0; i < len; i++)
		hash = (hash ^ b[i]) * 1099511628211ULL;
	return hash;
}

/* Without anything of the kernel's. NULL: out of memory. */
static struct dp *dp_make(const struct dp_sizes *sizes, const struct dp_ops *ops)
{
	struct dp *dp = calloc(1, sizeof(*dp));
	int m;

	if (!dp)
		return NULL;
	dp->sizes = *sizes;
	dp->ops = *ops;
	dp->build = build_of_ours();
	dp->egress_fd = dp->timer_fd = -1;
	for (m = 0; m < MAP_COUNT; m++)
		dp->maps[m] = -1;
	dp->ncpus = libbpf_num_possible_cpus();
	dp->ifs = calloc(sizes->ifs, sizeof(*dp->ifs));
	dp->filter_refs = calloc(VX_FILTER_BITS, 1);
	if (dp->ifs && dp->filter_refs && dp->ncpus > 0)
		return dp;
	free(dp->ifs);
	free(dp->filter_refs);
	free(dp);
	return NULL;
}

int dp_new(struct dp **out, const struct dp_sizes *sizes, const struct dp_ops *ops, char why[DP_ERR_LEN])
{
	struct dp *dp = dp_make(sizes, ops);
	int err;

	*out = NULL;
	if (!dp)
		return fail(-ENOMEM, why, "out of memory");
	libbpf_set_print(on_libbpf_print);
	libxdp_set_print(on_libxdp_print);
	err = check_kernel(why);
	if (!err)
		err = mount_bpffs(why);
	if (err) {
		free(dp->ifs);
		free(dp->filter_refs);
		free(dp);
		return err;
	}
	dp->skel = vrrp_xdp_bpf__open();
	if (!dp->skel)
		err = fail(-errno, why, "cannot open the BPF object: %s", strerror(errno));
	else if (set_sizes(dp))
		err = fail(-EINVAL, why, "cannot size the BPF maps for %u virtual routers", sizes->vrs);
	if (!err) {
		dp->prog = xdp_program__from_bpf_obj(dp->skel->obj, "xdp");
		if (libxdp_get_error(dp->prog)) {
			dp->prog = NULL;
			err = fail(-EINVAL, why, "libxdp cannot use the BPF object: %s", last_words);
		}
	}
	if (err) {
		dp_free(dp);
		return err;
	}
	*out = dp;
	return 0;
}

static struct attached *find_attached(struct dp *dp, int ifindex)
{
	uint32_t i;

	for (i = 0; i < dp->nifs; i++)
		if (dp->ifs[i].ifindex == ifindex)
			return &dp->ifs[i];
	return NULL;
}

/* ---- tc egress ---- */

/* A fixed place, by which the next controller finds what a dead one left; in front of others it does not stop them. */
enum { EGRESS_PRIORITY = 1, EGRESS_HANDLE = 0x56525250 };

int dp_egress_attach(struct dp *dp, int ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_EGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = dp->egress_fd, .priority = EGRESS_PRIORITY,
			    .handle = EGRESS_HANDLE, .flags = BPF_TC_F_REPLACE);
	struct attached *a = find_attached(dp, ifindex);
	int err;

	if (!a)
		return -ENODEV;
	if (a->egress)
		return 0;
	err = bpf_tc_hook_create(&hook);
	a->own_hook |= !err;
	if (err && err != -EEXIST)
		return err;
	err = bpf_tc_attach(&hook, &opts);
	a->egress = !err;
	return err;
}

static uint32_t prog_id(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

bool dp_egress_lost(struct dp *dp, int ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_EGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .priority = EGRESS_PRIORITY, .handle = EGRESS_HANDLE);
	struct attached *a = find_attached(dp, ifindex);

	if (!a || !a->egress)
		return false;
	a->egress = !bpf_tc_query(&hook, &opts) && opts.prog_id == prog_id(dp->egress_fd);
	return !a->egress;
}

/* A qdisc that was there before us, or that others use by now, stays. */
static void egress_detach(int ifindex, bool own_hook)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_EGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .priority = EGRESS_PRIORITY, .handle = EGRESS_HANDLE);

	bpf_tc_detach(&hook, &opts);
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	if (own_hook)
		bpf_tc_hook_destroy(&hook);
}

/*
 * A dispatcher that was taken off without libxdp stays pinned with our program in it; of no use to the others that were in it either.
 * Where it is, libxdp's protocol lays down.
 */
static void forget_dispatcher(const struct attached *a)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	char dir[PATH_LEN];

	if (bpf_xdp_query(a->ifindex, 0, &q) || a->id == q.drv_prog_id || a->id == q.skb_prog_id)
		return;
	snprintf(dir, sizeof(dir), BPFFS "/xdp/dispatch-%d-%u", a->ifindex, a->id);
	remove_folder(dir);
}

static void detach(struct dp *dp, const struct attached *a)
{
	int err = xdp_program__detach(dp->prog, a->ifindex, a->mode, 0);

	if (err == -ENOENT) { /* somebody was faster; what is there now is not ours */
		forget_dispatcher(a);
		err = 0;
	}
	if (a->egress || a->own_hook)
		egress_detach(a->ifindex, a->own_hook);
	if (err && if_nametoindex(a->ifname) == (unsigned int)a->ifindex)
		log_warn("%s: cannot detach the XDP program: %s; remove it with `vrrp-xdp detach %s`", a->ifname,
			 strerror(-err), a->ifname);
	unpin(a->ifname);
}

void dp_detach(struct dp *dp, int ifindex)
{
	struct attached *a = find_attached(dp, ifindex);

	if (!a)
		return;
	detach(dp, a);
	*a = dp->ifs[--dp->nifs];
}

static void close_fds(const struct dp *dp)
{
	int m;

	for (m = 0; m < MAP_COUNT; m++)
		if (dp->maps[m] >= 0)
			close(dp->maps[m]);
	if (dp->egress_fd >= 0)
		close(dp->egress_fd);
	if (dp->timer_fd >= 0)
		close(dp->timer_fd);
}

static void *map_memory(int fd, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The cells of the table @fd; false: errno says why not. */
static bool cells_map(struct cells *c, int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	size_t page = sysconf(_SC_PAGESIZE);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return false;
	c->n = info.max_entries;
	c->size = info.value_size;
	c->bytes = ((size_t)c->n * c->size + page - 1) / page * page;
	c->base = map_memory(fd, c->bytes);
	return c->base;
}

static void cells_unmap(struct cells *c)
{
	if (c->base)
		munmap(c->base, c->bytes);
	c->base = NULL;
}

static void *cells_at(void *arg, uint32_t i)
{
	const struct cells *c = arg;

	return c->base + (size_t)c->size * i;
}

void dp_free(struct dp *dp)
{
	uint32_t i;

	if (!dp)
		return;
	for (i = 0; i < dp->nifs; i++)
		detach(dp, &dp->ifs[i]);
	ring_buffer__free(dp->ring);
	cells_unmap(&dp->vr_index);
	cells_unmap(&dp->addr4);
	cells_unmap(&dp->addr6);
	if (dp->filter)
		munmap(dp->filter, sizeof(*dp->filter));
	if (dp->role)
		munmap(dp->role, dp->role_bytes);
	xdp_program__close(dp->prog);
	if (dp->skel)
		vrrp_xdp_bpf__destroy(dp->skel);
	else
		close_fds(dp);
	free(dp->filter_refs);
	free(dp->role_set);
	free(dp->ifs);
	free(dp);
	unmount_bpffs();
}

static int on_ring(void *arg, void *data, size_t len)
{
	struct dp *dp = arg;

	if (len >= sizeof(struct vx_event))
		dp->ops.event(dp->ops.arg, data);
	return 0;
}

static void find_fds(struct dp *dp)
{
#define MAP_FD(name, key, value) dp->maps[MAP_##name] = bpf_map__fd(dp->skel->maps.name);
	MAPS(MAP_FD)
#undef MAP_FD
	dp->egress_fd = bpf_program__fd(dp->skel->progs.vrrp_egress);
	dp->timer_fd = bpf_program__fd(dp->skel->progs.vx_timer);
}

/* What needs the programs in the kernel, which libxdp puts there at the first attach. */
static int after_load(struct dp *dp)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (dp->skel)
		find_fds(dp);
	dp->role_bytes = (dp->sizes.vrs * sizeof(uint64_t) + page - 1) / page * page;
	dp->role = map_memory(dp->maps[MAP_vr_role], dp->role_bytes);
	dp->role_set = calloc(dp->sizes.vrs, sizeof(*dp->role_set));
	dp->filter = map_memory(dp->maps[MAP_filter], sizeof(*dp->filter));
	dp->ring = ring_buffer__new(dp->maps[MAP_events], on_ring, dp, NULL);
	if (!dp->role || !dp->role_set || !dp->filter || !dp->ring ||
	    !cells_map(&dp->vr_index, dp->maps[MAP_vr_index]) || !cells_map(&dp->addr4, dp->maps[MAP_addr4]) ||
	    !cells_map(&dp->addr6, dp->maps[MAP_addr6]))
		return -ENOMEM;
	memcpy(dp->role_set, dp->role, dp->sizes.vrs * sizeof(*dp->role_set));
	dp->loaded = true;
	return 0;
}

static bool is_generic(const char *ifname)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(if_nametoindex(ifname));
	bool generic = !libxdp_get_error(mp) && xdp_multiprog__attach_mode(mp) == XDP_MODE_SKB;

	if (!libxdp_get_error(mp))
		xdp_multiprog__close(mp);
	return generic;
}

/* The verifier says so in a log that nobody sees, and libxdp makes other errors of it. */
static bool no_timers(int err)
{
	struct utsname u;

	return err != -EPERM && err != -EACCES && err != -EBUSY && err != -EEXIST && !uname(&u) &&
	       strstr(u.version, "PREEMPT_RT");
}

static int explain_attach(int err, const char *ifname, enum dp_mode mode, char why[DP_ERR_LEN])
{
	if (no_timers(err))
		return fail(
			err, why,
			"%s: cannot attach the XDP program: %s; kernels with PREEMPT_RT have no timers in BPF: boot "
			"one without it",
			ifname, strerror(-err));
	switch (err) {
	case -EPERM:
	case -EACCES:
		return fail(err, why,
			    "%s: the kernel refuses BPF: run as root or with CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW and "
			    "CAP_SYS_ADMIN, and see whether lockdown is on (/sys/kernel/security/lockdown)",
			    ifname);
	case -EBUSY:
	case -EEXIST:
		return fail(err, why,
			    "%s: another XDP program is attached and cannot be shared with; see `ip link show %s`, and "
			    "take it off with `ip link set %s %s off`",
			    ifname, ifname, ifname, is_generic(ifname) ? "xdpgeneric" : "xdp");
	case -EOPNOTSUPP:
		if (mode == DP_MODE_NATIVE)
			return fail(err, why, "%s: the driver has no native XDP; use --mode skb (slower, any NIC)",
				    ifname);
		break;
	}
	return fail(err, why, "%s: cannot attach the XDP program: %s%s%s", ifname, strerror(-err),
		    last_words[0] ? ": " : "", last_words);
}

static int attach_as(struct dp *dp, int ifindex, enum xdp_attach_mode mode)
{
	last_words[0] = '\0';
	return xdp_program__attach(dp->prog, ifindex, mode, 0);
}

/* Drivers refuse native XDP in many ways (too large an MTU, too few queues); these errors would be the same in generic mode. */
static bool worth_generic(int err)
{
	return err && err != -EPERM && err != -EACCES && err != -EBUSY && err != -EEXIST && err != -ENOMEM;
}

/* It may be gone by now. */
static void name_of(uint32_t id, char out[DP_NAME_LEN])
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	out[0] = '\0';
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		snprintf(out, DP_NAME_LEN, "%s", info.name);
	close(fd);
}

int dp_look(struct dp *dp, int ifindex, struct dp_seen *out)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	struct attached *a = find_attached(dp, ifindex);
	int err = bpf_xdp_query(ifindex, 0, &q);

	*out = (struct dp_seen){ 0 };
	if (err)
		return err;
	out->id = q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id;
	out->generic = !q.drv_prog_id;
	if (!out->id)
		return 0;
	name_of(out->id, out->name);
	out->shared = out->id != dp_prog_id(dp) && xdp_program__is_attached(dp->prog, ifindex) != XDP_MODE_UNSPEC;
	out->ours = out->shared || out->id == dp_prog_id(dp);
	if (a && out->ours)
		a->id = out->id;
	return 0;
}

int dp_restore(struct dp *dp, int ifindex, char why[DP_ERR_LEN])
{
	struct attached *a = find_attached(dp, ifindex);
	int err = a ? attach_as(dp, ifindex, a->mode) : -ENODEV;

	if (!err)
		forget_dispatcher(a);
	else if (a)
		explain_attach(err, a->ifname, a->mode == XDP_MODE_SKB ? DP_MODE_SKB : DP_MODE_NATIVE, why);
	return err;
}

/* Why a native program would not do its work on such an interface although the kernel takes it, or NULL. */
static const char *native_flaw(const char *kind)
{
	if (!strcmp(kind, "veth"))
		return "veth loses XDP_TX frames in native mode unless its peer runs an XDP program too";
	if (!strcmp(kind, "bond"))
		return "in native mode the kernel runs the program for the bond's ports, not for the bond";
	return NULL;
}

/* An interface that was away in another namespace brings our program along, and the kernel would take that for somebody else's. */
static void take_off_own(struct dp *dp, int ifindex)
{
	struct dp_seen seen;

	if (dp->loaded && !dp_look(dp, ifindex, &seen) && seen.id && seen.id == dp_prog_id(dp))
		bpf_xdp_detach(ifindex, seen.generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE, NULL);
}

int dp_attach(struct dp *dp, int ifindex, const char *ifname, const char *kind, enum dp_mode mode,
	      struct dp_attachment *out, char why[DP_ERR_LEN])
{
	struct attached *a = &dp->ifs[dp->nifs];
	const char *flaw = native_flaw(kind);
	struct dp_seen seen;
	int err = -EOPNOTSUPP;

	if (mode == DP_MODE_NATIVE && !strcmp(kind, "bond"))
		return fail(err, why, "%s: %s; use --mode skb", ifname, flaw);
	take_off_own(dp, ifindex);
	out->mode = DP_MODE_NATIVE;
	out->why = mode == DP_MODE_NATIVE ? "asked for" : "the driver has it";
	if (mode == DP_MODE_AUTO && flaw) {
		out->why = flaw;
		mode = DP_MODE_SKB;
	} else if (mode != DP_MODE_SKB) {
		err = attach_as(dp, ifindex, XDP_MODE_NATIVE);
		if (mode == DP_MODE_AUTO && worth_generic(err)) {
			out->why = err == -EOPNOTSUPP ? "the driver has no native XDP"
						      : "the driver refuses native XDP as it is set up";
			mode = DP_MODE_SKB;
		}
	} else {
		out->why = "asked for";
	}
	if (mode == DP_MODE_SKB) {
		out->mode = DP_MODE_SKB;
		err = attach_as(dp, ifindex, XDP_MODE_SKB);
	}
	if (err)
		return explain_attach(err, ifname, mode, why);
	*a = (struct attached){ .ifindex = ifindex };
	a->mode = out->mode == DP_MODE_SKB ? XDP_MODE_SKB : XDP_MODE_NATIVE;
	snprintf(a->ifname, sizeof(a->ifname), "%s", ifname);
	dp->nifs++;
	dp_look(dp, ifindex, &seen);
	out->shared = seen.shared;
	out->id = seen.id;
	if (!dp->loaded && after_load(dp))
		return fail(-ENOMEM, why, "%s: cannot map the BPF maps: %s", ifname, strerror(errno));
	err = pin(dp, ifname);
	if (err)
		return fail(err, why, "%s: cannot pin the BPF maps under " PIN_ROOT ": %s", ifname, strerror(-err));
	return 0;
}

bool dp_loaded(const struct dp *dp)
{
	return dp->loaded;
}

uint32_t dp_prog_id(const struct dp *dp)
{
	return xdp_program__id(dp->prog);
}

int dp_events_fd(const struct dp *dp)
{
	return ring_buffer__epoll_fd(dp->ring);
}

void dp_events_read(struct dp *dp)
{
	if (dp->loaded)
		ring_buffer__consume(dp->ring);
}

static int put(int map, const void *key, const void *value)
{
	return bpf_map_update_elem(map, key, value, BPF_ANY) ? -errno : 0;
}

int dp_vr_set(struct dp *dp, uint32_t slot, const struct vx_vr_config *cfg)
{
	return put(dp->maps[MAP_vr_config], &slot, cfg);
}

uint32_t dp_if_row(const struct dp *dp, uint32_t if_number)
{
	return dp->sizes.vrs + if_number;
}

int dp_index_set(struct dp *dp, const struct vx_vr_config *cfg, uint8_t vrid, uint32_t slot)
{
	struct vx_vr_key k = { .ifindex = cfg->ifindex, .vlan = cfg->vlan, .vrid = vrid, .family = cfg->family };
	struct vx_table t = VX_TABLE(cells_at, &dp->vr_index, dp->vr_index.n, struct vx_vr_cell);
	uint64_t hash = vx_vr_hash(&k);
	__u64 *word = vx_table_put(&t, hash, &k);

	if (!word)
		return -E2BIG;
	vx_table_publish(word, hash, vx_vr_load(slot));
	return 0;
}

int dp_index_del(struct dp *dp, const struct vx_vr_config *cfg, uint8_t vrid)
{
	struct vx_vr_key k = { .ifindex = cfg->ifindex, .vlan = cfg->vlan, .vrid = vrid, .family = cfg->family };
	struct vx_table t = VX_TABLE(cells_at, &dp->vr_index, dp->vr_index.n, struct vx_vr_cell);
	uint64_t hash = vx_vr_hash(&k);
	__u64 *word = vx_table_find(&t, hash, &k);

	if (!word)
		return -ENOENT;
	vx_table_remove(&t, hash, word);
	return 0;
}

/* Sets the bit before the address goes into the map and clears it after: a frame never finds the bit without need for it. */
static void filter_ref(struct dp *dp, uint32_t bit, int delta)
{
	uint8_t *refs = &dp->filter_refs[bit];

	if (*refs != UINT8_MAX)
		*refs += delta;
	if (*refs)
		__atomic_fetch_or(&dp->filter->word[bit / 64], 1ULL << bit % 64, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&dp->filter->word[bit / 64], ~(1ULL << bit % 64), __ATOMIC_RELAXED);
}

/* What belongs to a flag of @e becomes that of @a; false: there is nothing to change. */
static bool addr_change(struct vx_addr_entry *e, const struct dp_addr *a, bool present)
{
	uint32_t flags = vx_addr_flags(e->word), slot = vx_addr_slot(e->word), away = vx_addr_away(e->word);
	const struct vx_addr_entry old = *e;

	flags = present ? flags | a->flag : flags & ~a->flag;
	if (present && a->flag == VX_ADDR_AWAY)
		away = a->slot;
	if (present && a->flag == VX_ADDR_VIP) {
		slot = a->slot;
		memcpy(&e->mac, a->mac, sizeof(a->mac));
		memcpy(&e->nic, a->nic, sizeof(a->nic));
	}
	e->word = vx_addr_load(flags, slot, away);
	return memcmp(e, &old, sizeof(old));
}

/* Where an address is entered. */
struct place {
	struct vx_table table;
	union {
		struct vx_addr4_key k4;
		struct vx_addr6_key k6;
	} key;
	uint64_t hash;
	uint32_t bit;
};

static struct place place_of(struct dp *dp, const struct dp_addr *a)
{
	struct place p = { .bit = vx_filter_bit6(&a->addr) };

	if (a->family == 6) {
		p.table = VX_TABLE(cells_at, &dp->addr6, dp->addr6.n, struct vx_addr6_cell);
		p.key.k6 = (struct vx_addr6_key){ .ifindex = a->ifindex, .vlan = a->vlan, .addr = a->addr };
		p.hash = vx_addr6_hash(&p.key.k6);
		return p;
	}
	p.table = VX_TABLE(cells_at, &dp->addr4, dp->addr4.n, struct vx_addr4_cell);
	p.bit = vx_filter_bit(a->addr.w[0]);
	p.key.k4 = (struct vx_addr4_key){ .ifindex = a->ifindex, .vlan = a->vlan, .addr = a->addr.w[0] };
	p.hash = vx_addr4_hash(&p.key.k4);
	return p;
}

/* The MACs first: what finds the word finds them. False: no room. */
static bool addr_write(const struct place *p, const struct vx_addr_entry *e)
{
	struct vx_addr_entry *to = (void *)vx_table_put(&p->table, p->hash, &p->key);

	if (!to)
		return false;
	__atomic_store_n(&to->mac, e->mac, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->nic, e->nic, __ATOMIC_SEQ_CST);
	vx_table_publish(&to->word, p->hash, e->word);
	return true;
}

int dp_addr_set(struct dp *dp, const struct dp_addr *a, bool present)
{
	struct place p = place_of(dp, a);
	__u64 *word = vx_table_find(&p.table, p.hash, &p.key);
	struct vx_addr_entry e = { 0 };

	if (word) {
		e = *(struct vx_addr_entry *)(void *)word;
		e.word = vx_addr_load(vx_addr_flags(e.word), vx_addr_slot(e.word), vx_addr_away(e.word));
	}
	if (!present && a->flag == VX_ADDR_VIP && vx_addr_slot(e.word) != a->slot) /* another router's by now (KA-19) */
		return 0;
	if (!present && a->flag == VX_ADDR_AWAY && vx_addr_away(e.word) != a->slot)
		return 0;
	if (!addr_change(&e, a, present))
		return 0;
	if (!vx_addr_flags(e.word)) {
		vx_table_remove(&p.table, p.hash, word);
		filter_ref(dp, p.bit, -1);
		return 0;
	}
	if (!word)
		filter_ref(dp, p.bit, 1);
	if (addr_write(&p, &e))
		return 0;
	filter_ref(dp, p.bit, -1);
	return -E2BIG;
}

int dp_peer_set(struct dp *dp, uint32_t slot, const struct vx_addr *addr, uint8_t min_ttl, uint8_t max_ttl)
{
	struct vx_peer_key k = { .slot = slot, .addr = *addr };
	struct vx_peer_val v = { .min_ttl = min_ttl, .max_ttl = max_ttl };

	return put(dp->maps[MAP_peers], &k, &v);
}

int dp_peer_del(struct dp *dp, uint32_t slot, const struct vx_addr *addr)
{
	struct vx_peer_key k = { .slot = slot, .addr = *addr };

	return bpf_map_delete_elem(dp->maps[MAP_peers], &k) ? -errno : 0;
}

int dp_role_fd(const struct dp *dp)
{
	return dp->maps[MAP_vr_role];
}

bool dp_role_set(struct dp *dp, uint32_t slot, uint64_t role)
{
	uint64_t was = dp->role_set[slot];

	if (role < VX_ROLE_ACTIVE_MIN || was < VX_ROLE_ACTIVE_MIN) {
		__atomic_store_n(&dp->role[slot], role, __ATOMIC_SEQ_CST);
	} else if (!__atomic_compare_exchange_n(&dp->role[slot], &was, role, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST)) {
		return false;
	}
	dp->role_set[slot] = role;
	return true;
}

bool dp_role_ended(const struct dp *dp, uint32_t slot)
{
	return __atomic_load_n(&dp->role[slot], __ATOMIC_SEQ_CST) != dp->role_set[slot];
}

static int timer_cmd(struct dp *dp, struct vx_timer_cmd *cmd)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = cmd, .ctx_size_in = sizeof(*cmd));

	if (bpf_prog_test_run_opts(dp->timer_fd, &opts))
		return -errno;
	return (int)opts.retval;
}

int dp_watch_arm(struct dp *dp, uint32_t slot, uint64_t deadline_ns, uint64_t adver_ns, const struct vx_addr *src,
		 uint8_t priority)
{
	struct vx_timer_cmd cmd = {
		.op = VX_TIMER_ARM,
		.slot = slot,
		.deadline_ns = deadline_ns,
		.adver_ns = adver_ns,
		.src = *src,
		.priority = priority,
	};

	return timer_cmd(dp, &cmd);
}

int dp_watch_init(struct dp *dp, uint32_t slot)
{
	const struct vx_addr none = { 0 };
	int tries, err = -ENOMEM;

	for (tries = 0; err == -ENOMEM && tries < INIT_TRIES; tries++) {
		if (tries)
			usleep(INIT_PAUSE_US);
		err = dp_watch_arm(dp, slot, UINT64_MAX / 2, 0, &none, 0);
	}
	return err ? err : dp_watch_cancel(dp, slot);
}

int dp_watch_shift(struct dp *dp, uint32_t slot, int64_t shift_ns)
{
	struct vx_timer_cmd cmd = { .op = VX_TIMER_SHIFT, .slot = slot, .deadline_ns = (uint64_t)shift_ns };

	return timer_cmd(dp, &cmd);
}

int dp_watch_cancel(struct dp *dp, uint32_t slot)
{
	struct vx_timer_cmd cmd = { .op = VX_TIMER_CANCEL, .slot = slot };

	return timer_cmd(dp, &cmd);
}

int dp_watch_get(const struct dp *dp, uint32_t slot, struct vx_vr_watch *out)
{
	return bpf_map_lookup_elem(dp->maps[MAP_vr_watch], &slot, out) ? -errno : 0;
}

bool dp_watch_armed(const struct dp *dp, uint32_t slot)
{
	struct vx_vr_watch t;

	return !dp_watch_get(dp, slot - slot % VX_TIMER_SHARE, &t) && t.fire_ns;
}

int dp_counters_clear(struct dp *dp, uint32_t row)
{
	struct vx_counters *per_cpu = calloc(dp->ncpus, sizeof(*per_cpu));
	int err = -ENOMEM;

	if (per_cpu)
		err = bpf_map_update_elem(dp->maps[MAP_counters], &row, per_cpu, 0) ? -errno : 0;
	free(per_cpu);
	return err;
}

int dp_counters_get(const struct dp *dp, uint32_t row, struct vx_counters *out)
{
	struct vx_counters *per_cpu = calloc(dp->ncpus, sizeof(*per_cpu));
	int err = 0, cpu, i;

	if (!per_cpu)
		return -ENOMEM;
	*out = (struct vx_counters){ 0 };
	if (bpf_map_lookup_elem(dp->maps[MAP_counters], &row, per_cpu))
		err = -errno;
	for (cpu = 0; !err && cpu < dp->ncpus; cpu++)
		for (i = 0; i < VX_CTR_COUNT; i++)
			out->c[i] += per_cpu[cpu].c[i];
	free(per_cpu);
	return err;
}

/* ---- handed over to the next controller ---- */

/* Whether @fd is the map that this build would have made. */
static bool map_fits(int fd, enum map m)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, map_shapes[m].name) &&
	       info.key_size == map_shapes[m].key_size && info.value_size == map_shapes[m].value_size;
}

static int hand_programs(struct dp *dp, struct hand *h)
{
	int prog_fd = h->out ? xdp_program__fd(dp->prog) : -1, m;
	bool fits = true;

	hand_fd(h, &prog_fd);
	hand_fd(h, &dp->egress_fd);
	hand_fd(h, &dp->timer_fd);
	for (m = 0; m < MAP_COUNT; m++)
		hand_fd(h, &dp->maps[m]);
	HAND(h, dp->build);
	if (h->out || h->bad)
		return 0;
	for (m = 0; m < MAP_COUNT; m++)
		fits &= map_fits(dp->maps[m], m);
	dp->prog = fits ? xdp_program__from_fd(prog_fd) : NULL; /* which keeps a descriptor of its own */
	close(prog_fd);
	if (libxdp_get_error(dp->prog))
		dp->prog = NULL;
	return dp->prog ? after_load(dp) : -EPROTO;
}

/* Who ends a lease while nobody looks has to be heard of. */
static void hand_roles(struct dp *dp, struct hand *h)
{
	if (h->out || dp->role_set)
		hand_bytes(h, dp->role_set, dp->sizes.vrs * sizeof(*dp->role_set));
}

static int hand_all(struct dp *dp, struct hand *h)
{
	size_t n = dp->nifs, i;
	int err;

	hand_bytes(h, dp->filter_refs, VX_FILTER_BITS);
	hand_count(h, &n, dp->sizes.ifs);
	dp->nifs = n;
	for (i = 0; i < n; i++) {
		HAND(h, dp->ifs[i].ifindex);
		HAND(h, dp->ifs[i].ifname);
		HAND(h, dp->ifs[i].mode);
		HAND(h, dp->ifs[i].id);
		HAND(h, dp->ifs[i].egress);
		HAND(h, dp->ifs[i].own_hook);
	}
	err = hand_programs(dp, h);
	hand_roles(dp, h);
	return err;
}

void dp_hand_over(struct dp *dp, struct hand *h)
{
	HAND(h, dp->loaded);
	if (dp->loaded)
		hand_all(dp, h);
}

void dp_forget(struct dp *dp)
{
	if (dp)
		dp->nifs = 0;
	dp_free(dp);
}

int dp_adopt(struct dp **out, const struct dp_sizes *sizes, const struct dp_ops *ops, struct hand *h,
	     char why[DP_ERR_LEN])
{
	bool loaded = false;
	struct dp *dp;
	int err;

	*out = NULL;
	HAND(h, loaded);
	if (!loaded)
		return dp_new(out, sizes, ops, why);
	dp = dp_make(sizes, ops);
	if (!dp)
		return fail(-ENOMEM, why, "out of memory");
	libbpf_set_print(on_libbpf_print);
	libxdp_set_print(on_libxdp_print);
	err = hand_all(dp, h);
	if (!err && h->bad)
		err = -EPROTO;
	if (!err && dp->build != build_of_ours())
		log_info("the programs in the kernel stay those of the version before, until vrrp-xdp is stopped and "
			 "started");
	if (!err) {
		*out = dp;
		return 0;
	}
	dp_forget(dp);
	return fail(err, why, "the programs and maps in the kernel are not those of this version");
}

/* The map @name of a program, or -1: the pins may be gone with their mount, the program knows its maps. */
static int map_of(int prog_fd, const char *name, uint32_t value_size)
{
	struct bpf_prog_info info = { 0 };
	struct bpf_map_info mi;
	uint32_t ids[32], len = sizeof(info), i, n;
	int fd;

	info.nr_map_ids = VX_ARRAY_LEN(ids);
	info.map_ids = (uintptr_t)ids;
	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return -1;
	n = info.nr_map_ids < VX_ARRAY_LEN(ids) ? info.nr_map_ids : VX_ARRAY_LEN(ids);
	for (i = 0; i < n; i++) {
		fd = bpf_map_get_fd_by_id(ids[i]);
		if (fd < 0)
			continue;
		mi = (struct bpf_map_info){ 0 };
		len = sizeof(mi);
		if (!bpf_obj_get_info_by_fd(fd, &mi, &len) && !strcmp(mi.name, name) &&
		    mi.key_size == sizeof(uint32_t) && mi.value_size == value_size)
			return fd;
		close(fd);
	}
	return -1;
}

static bool is_vip(uint64_t word)
{
	return word & VX_CELL_LIVE && vx_addr_flags(word) & VX_ADDR_VIP;
}

static void tell_vips4(int prog_fd, int ifindex, dp_vip_fn vip, void *arg)
{
	int fd = map_of(prog_fd, "addr4", sizeof(struct vx_addr4_cell));
	struct cells cells = { 0 };
	struct vx_addr addr;
	uint32_t i;

	if (fd >= 0 && cells_map(&cells, fd))
		for (i = 0; i < cells.n; i++) {
			const struct vx_addr4_cell *c = cells_at(&cells, i);

			addr = vx_addr4(c->key.addr);
			if (c->key.ifindex == (uint32_t)ifindex && is_vip(c->e.word))
				vip(arg, c->key.vlan, 4, &addr);
		}
	cells_unmap(&cells);
	if (fd >= 0)
		close(fd);
}

static void tell_vips6(int prog_fd, int ifindex, dp_vip_fn vip, void *arg)
{
	int fd = map_of(prog_fd, "addr6", sizeof(struct vx_addr6_cell));
	struct cells cells = { 0 };
	uint32_t i;

	if (fd >= 0 && cells_map(&cells, fd))
		for (i = 0; i < cells.n; i++) {
			const struct vx_addr6_cell *c = cells_at(&cells, i);

			if (c->key.ifindex == (uint32_t)ifindex && is_vip(c->e.word))
				vip(arg, c->key.vlan, 6, &c->key.addr);
		}
	cells_unmap(&cells);
	if (fd >= 0)
		close(fd);
}

static bool is_ours(struct xdp_program *p)
{
	return p && !strcmp(xdp_program__name(p), PROG_NAME);
}

/*
 * Our program alone on the interface, without libxdp: it keeps a descriptor of a program without dispatcher that it has looked at, and the dead
 * controller's program and maps would stay in the kernel as long as we live. 1: removed, 0: it is not that, or -errno.
 */
static int remove_alone(int ifindex, dp_vip_fn vip, void *arg)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	LIBBPF_OPTS(bpf_xdp_attach_opts, old);
	char name[DP_NAME_LEN];
	uint32_t id;
	int fd, err;

	if (bpf_xdp_query(ifindex, 0, &q))
		return 0;
	id = q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id;
	name_of(id, name);
	fd = id && !strcmp(name, PROG_NAME) ? bpf_prog_get_fd_by_id(id) : -1;
	if (fd < 0)
		return 0;
	tell_vips4(fd, ifindex, vip, arg);
	tell_vips6(fd, ifindex, vip, arg);
	old.old_prog_fd = fd;
	err = bpf_xdp_detach(ifindex, XDP_FLAGS_REPLACE | (q.drv_prog_id ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE),
			     &old);
	close(fd);
	return err ? err : 1;
}

static int remove_shared(int ifindex, dp_vip_fn vip, void *arg)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *p = NULL;
	int err = 0;

	if (libxdp_get_error(mp))
		return 0;
	if (!xdp_multiprog__is_legacy(mp))
		while ((p = xdp_multiprog__next_prog(p, mp)) && !is_ours(p))
			;
	if (p) {
		tell_vips4(xdp_program__fd(p), ifindex, vip, arg);
		tell_vips6(xdp_program__fd(p), ifindex, vip, arg);
		err = xdp_program__detach(p, ifindex, xdp_multiprog__attach_mode(mp), 0);
	}
	xdp_multiprog__close(mp);
	return err ? err : p != NULL;
}

int dp_leftovers_remove(int ifindex, const char *ifname, dp_vip_fn vip, void *arg)
{
	int rc;

	libbpf_set_print(on_libbpf_print);
	libxdp_set_print(on_libxdp_print);
	rc = remove_alone(ifindex, vip, arg);
	if (!rc)
		rc = remove_shared(ifindex, vip, arg);
	if (rc)
		egress_detach(ifindex, false);
	if (is_bpffs()) {
		unpin(ifname);
		unmount_bpffs();
	}
	return rc;
}
