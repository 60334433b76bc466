/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: a typed tree, and the way from keepalived.conf's bytes to it.
 *
 *   conf_lex.c     bytes -> logical lines of tokens with file:line:column (comments, quotes, braces, include, $, ~SEQ, @)
 *   conf_parse.c   blocks and keyword tables: what the file says, noted in struct conf and in conf_int.h
 *   conf_key.c     ... values, and the setters that rows of the tables name
 *   conf_global.c  ... of global_defs
 *   conf_track.c   ... of vrrp_script, track_file, vrrp_track_process, sync groups and the track_* lists
 *   conf_default.c the defaults that hang on other lines, when all is read
 *   conf_map.c     names -> numbers
 *   conf_addr.c    one address line -> struct conf_vip
 *   conf_route.c   one route line -> struct conf_route
 *   conf_rule.c    one rule line -> struct conf_rule
 *   conf_words.c   what the words of these three lines can mean
 *   conf_script.c  one script string -> struct conf_cmd
 *   conf_tree.c    the tree made, filled by hand and freed
 *   conf_mem.c     the memory that lives as long as the tree
 *   conf_check.c   rules across fields; the `attach` flags go through the same rules
 *   conf_lint.c    what is legal and still a trap; for `check`
 *   conf_print.c   the tree as a keepalived.conf with every default written out
 *
 * All PURE: no file, clock, socket or log. What has to be asked of the machine comes through struct conf_io, messages go
 * out through a callback. keepalived's words live here and nowhere deeper: below conf, code speaks RFC 9568.
 */
#ifndef VX_CONF_H
#define VX_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_NAME_MAX   64 /* instance names longer than this are an error, never cut */
#define CONF_IFNAME_MAX 16 /* IFNAMSIZ, without including <net/if.h> */
#define CONF_AUTH_LEN   8  /* RFC 2338 5.3.6.2: eight bytes, zero padded */
#define CONF_VLAN_MIN   1  /* IEEE 802.1Q: 0 is the priority tag, 4095 is reserved */
#define CONF_VLAN_MAX   4094

#define CONF_HANDOVER_MAX_NS 1000000000ull  /* the time that version 2 takes for it */
#define CONF_ADVERT_MAX_NS   40950000000ull /* RFC 9568 5.2.7: twelve bits of centiseconds */
#define CONF_SETTLE_MAX_NS   255000000000ull

enum conf_severity { CONF_WARN, CONF_ERROR };

/* Where something was said. @file is "" where there is no file (command-line flags), and owned by struct conf; @line and @col count
 * from 1, 0 is unknown. */
struct conf_at {
	const char *file;
	int line, col;
};

/* One sentence about the configuration. */
typedef void (*conf_msg_fn)(void *arg, enum conf_severity sev, const struct conf_at *at, const char *text);

/* Every pointer below is owned by struct conf, unless it says otherwise. */

/* Address in network byte order; IPv4 in the first four bytes. */
struct conf_addr {
	uint8_t family; /* 4, 6, or 0: not set */
	uint8_t b[16];
};

enum {
	CONF_VIP_HOME = 1 << 0,
	CONF_VIP_DAD = 1 << 1, /* -nodad */
	CONF_VIP_MNGTMPADDR = 1 << 2,
	CONF_VIP_NOPREFIXROUTE = 1 << 3,
	CONF_VIP_AUTOJOIN = 1 << 4,
	CONF_VIP_NO_TRACK = 1 << 5, /* its interface and its removal by others are not watched */
	CONF_VIP_USE_VMAC = 1 << 6,
	CONF_VIP_SCOPE = 1 << 7,         /* @scope was given */
	CONF_VIP_PREFERRED_LFT = 1 << 8, /* @preferred_lft was given */
};

/* An address line: a VIP, an excluded one, or a static address (spec 3.1). */
struct conf_vip {
	struct conf_addr addr;
	uint8_t plen;  /* 0..32 or 0..128; keepalived's default is the full length (KA-5) */
	uint8_t scope; /* RT_SCOPE_*; as the kernel would choose unless CONF_VIP_SCOPE */
	uint16_t flags;
	int line;
	/* Never empty in a checked tree: the instance's interface, or default_interface. With conf_vr.vlan the instance's interface stands for
	 * its VLAN device. */
	char dev[CONF_IFNAME_MAX];
	char label[CONF_IFNAME_MAX]; /* "" : none */
	struct conf_addr brd, peer;  /* family 0: none */
	uint32_t preferred_lft;      /* seconds; UINT32_MAX: for ever */
	const char *track_group;     /* static only; NULL: none */
};

struct conf_peer {
	struct conf_addr addr;
	int line;
	bool ttl_set; /* min_ttl or max_ttl was given: the source check is on (KA-28) */
	uint8_t min_ttl, max_ttl;
};

/* One hop of a route; also its only one. */
struct conf_nexthop {
	struct conf_addr via;      /* family 0: none; may be IPv6 in an IPv4 route */
	char dev[CONF_IFNAME_MAX]; /* "": left to the kernel */
	uint16_t weight;           /* 1..256 */
	bool onlink;
	uint32_t realms;
};

enum { CONF_ROUTE_METRICS = 18 }; /* RTAX_* known to Linux 6.1, index RTAX_MTU and so on */

/* A route line (spec 3.2); numbers are the kernel's (<linux/rtnetlink.h>). */
struct conf_route {
	const char *text; /* the words as they print */
	int line;
	uint8_t family;               /* 4 or 6 */
	uint8_t type;                 /* RTN_* */
	uint8_t action;               /* CONF_ROUTE_* */
	uint8_t tos, protocol, scope; /* scope: see scope_set */
	bool scope_set, no_track, metric_set;
	uint8_t pref;                    /* ICMPv6 router preference + 1; 0: not set */
	struct conf_addr dst, from, src; /* family 0 of dst: default, as of the route's family; src: preferred source */
	uint8_t dst_plen, from_plen;
	uint32_t table; /* RT_TABLE_MAIN if not given */
	uint32_t metric, expires;
	bool expires_set;
	uint32_t metrics[CONF_ROUTE_METRICS]; /* [RTAX_*] */
	uint32_t metrics_set;                 /* bit per RTAX_* */
	uint32_t metrics_lock;                /* value of RTAX_LOCK */
	const char *congctl;                  /* RTAX_CC_ALGO; NULL: none */
	int8_t ttl_propagate;                 /* -1: not set */
	struct conf_nexthop *hops;            /* at least one, but for blackhole and the like */
	size_t nhops;
	const char *track_group; /* static only */
};
enum { CONF_ROUTE_PREPEND, CONF_ROUTE_APPEND, CONF_ROUTE_ADD };

/* A rule line (spec 3.3); numbers are the kernel's (<linux/fib_rules.h>). */
struct conf_rule {
	const char *text;
	int line;
	uint8_t family;
	uint8_t action; /* FR_ACT_* */
	bool invert, l3mdev, no_track;
	struct conf_addr from, to;
	uint8_t from_plen, to_plen, tos, protocol, ip_proto;
	char iif[CONF_IFNAME_MAX], oif[CONF_IFNAME_MAX];
	uint32_t table, goto_pref, pref; /* @pref is assigned when none is given */
	uint32_t fwmark, fwmask, realms;
	int64_t suppress_plen, suppress_group; /* -1: not set */
	uint32_t uid_min, uid_max;
	uint16_t sport_min, sport_max, dport_min, dport_max;
	uint64_t tun_id; /* 0: not set */
	uint32_t set;    /* CONF_RULE_* */
	const char *track_group;
};
enum {
	CONF_RULE_FWMARK = 1 << 0,
	CONF_RULE_UID = 1 << 1,
	CONF_RULE_SPORT = 1 << 2,
	CONF_RULE_DPORT = 1 << 3,
	CONF_RULE_PREF = 1 << 4, /* written, not assigned */
	CONF_RULE_PROTOCOL = 1 << 5,
	CONF_RULE_IPPROTO = 1 << 6,
};

/* A command with the user it runs as (spec 3.4). */
struct conf_cmd {
	char **argv;       /* NULL-terminated; NULL: no command */
	const char *text;  /* the command as it prints, quoted */
	const char *user;  /* as written; NULL: script_user */
	const char *group; /* as written; NULL: none */
	uint32_t uid, gid; /* of user and group, or of script_user */
	struct conf_at at;
};

/* notify lines of an instance or a group; a NULL argv: not set. */
struct conf_notify {
	struct conf_cmd master, backup, fault, stop, any, deleted, master_rx_lower_pri;
	bool deleted_set; /* `notify_deleted` without a script counts too */
};

/* Tracked item -> weight (spec 2.6, 4.1). */
struct conf_track {
	size_t item; /* index in conf->scripts, files or processes; of an interface: unused */
	char ifname[CONF_IFNAME_MAX];
	int weight; /* 0: its failure is a fault */
	bool reverse;
	int line;
};

struct conf_tracks {
	struct conf_track *ifs, *scripts, *files, *procs;
	size_t nifs, nscripts, nfiles, nprocs;
};

/* vrrp_script */
struct conf_script {
	const char *name;
	struct conf_at at;
	struct conf_cmd cmd; /* argv NULL: disabled, and nothing tracks it */
	uint64_t interval_ns, timeout_ns;
	unsigned int rise, fall;
	int weight;
	bool reverse, init_fail;
	bool test_file; /* "</path": it is OK when the file can be opened; argv[0] is the path */
};

struct conf_file {
	const char *name, *path;
	struct conf_at at;
	int weight; /* multiplier */
	bool reverse;
	bool init, init_overwrite; /* init_file */
	int init_value;
};

enum conf_param_match { CONF_PARAM_NONE, CONF_PARAM_EXACT, CONF_PARAM_INITIAL, CONF_PARAM_PARTIAL };

struct conf_process {
	const char *name;
	struct conf_at at;
	char **argv; /* [0]: the process's name (or path with full_command) */
	enum conf_param_match param_match;
	bool full_command;
	unsigned int quorum, quorum_max; /* quorum_max UINT_MAX: unlimited */
	uint64_t fork_delay_ns, terminate_delay_ns;
	int weight;
	bool reverse;
};

/* Gratuitous ARP and unsolicited NA (KA-9..11); seconds in nanoseconds, 0: off. */
struct conf_garp {
	uint64_t delay_ns, refresh_ns, lower_prio_delay_ns, extra_if_ns;
	unsigned int repeat, refresh_repeat, lower_prio_repeat;
	bool extra_if_all;
};

/* Which IPv4 VRRPv3 checksum (WF-18, WF-19): what may come in; what goes out is fixed. */
enum conf_csum { CONF_CSUM_AUTO, CONF_CSUM_RFC9568, CONF_CSUM_RFC5798 };

enum conf_mode { CONF_MODE_AUTO, CONF_MODE_NATIVE, CONF_MODE_SKB };

/* Somebody takes our XDP program off an interface, or puts another one in its place: attach again, or Initialize until it is back. */
enum conf_replaced { CONF_REPLACED_RESTORE, CONF_REPLACED_FAULT };

struct conf_vr {
	char name[CONF_NAME_MAX]; /* keepalived's instance name; "eth0/51", "eth0.100/51" for attach */
	struct conf_at at;        /* where the block starts */
	char ifname[CONF_IFNAME_MAX];
	uint16_t vlan;                /* 1..4094: tagged on @ifname, its VLAN device has the addresses; 0: untagged */
	char parent[CONF_IFNAME_MAX]; /* of @vlan, once conf_name_vlans() has made @ifname the VLAN device */
	uint8_t vrid;                 /* 1..255; 0: not set */
	uint8_t family;               /* 4 or 6, from the first address (spec 1.4); 0 until known */
	uint8_t version;              /* 2 or 3; IPv6: 3 */
	uint8_t priority;             /* 1..255, before tracking (KA-8) */
	uint64_t adver_ns;            /* own Advertisement_Interval in nanoseconds: v3 10 ms..40.95 s, v2 1 s..255 s */
	bool preempt;                 /* Preempt_Mode; nopreempt clears it */
	bool state_master;            /* `state MASTER` (KA-13); of no effect but on other defaults */
	bool strict;                  /* 2.4 */
	bool accept;                  /* Accept_Mode */
	bool auth_pass_set;           /* v2 auth type 1 (WF-7); else type 0 */
	uint8_t auth_pass[CONF_AUTH_LEN];
	uint64_t preempt_delay_ns; /* KA-22 */
	uint64_t
		handover_ns; /* xdp_handover_skew: priority 0 is followed after this share of Skew_Time's; 0: as in the RFC */
	uint64_t max_adver_ns; /* xdp_max_advert_int: longest interval that is learned (SEC-9); 0: any */
	uint64_t
		link_settle_ns; /* xdp_link_settle: with a link that came up and delivers nothing yet it waits so long; 0: not at all */
	unsigned int down_adverts; /* KA-23: 1..100, default 3 */
	struct conf_addr src;      /* mcast_src_ip / unicast_src_ip / --src; family 0: one of the interface's own */
	struct conf_addr group;    /* mcast_dst_ip or vrrp_mcast_group4/6; family 0: the standard's */
	bool track_src_ip;         /* a fault when @src is not on the machine */
	bool unicast;              /* unicast_peer given with at least one peer */
	bool unicast_fault_no_peer;
	uint8_t unicast_ttl;     /* default 255 */
	bool check_unicast_src;  /* accepted; ours is on anyway (RX-34) */
	bool dont_track_primary; /* own interface down is no fault */
	bool lower_prio_no_advert, higher_prio_send_advert, owner_ignore_adverts, skip_check_adv_addr;
	bool promote_secondaries, use_vmac, vmac_xmit_base;
	bool smtp_alert;
	bool notify_priority_changes;
	enum conf_csum csum;
	struct conf_garp garp;
	struct conf_vip *vips; /* in the configured order (WF-3) */
	size_t nvips;
	struct conf_vip *excluded; /* virtual_ipaddress_excluded (KA-6); any family */
	size_t nexcluded;
	struct conf_peer *peers;
	size_t npeers;
	struct conf_peer *allowed; /* xdp_peers: who may send to a multicast router (RX-34), TTL 255; none: everybody */
	size_t nallowed;
	struct conf_route *routes;
	size_t nroutes;
	struct conf_rule *rules;
	size_t nrules;
	struct conf_tracks tracks; /* a group's are merged in (4.2) */
	struct conf_notify notify;
	size_t group_index; /* in conf->groups, or SIZE_MAX */
};

/* vrrp_sync_group */
struct conf_group {
	char name[CONF_NAME_MAX];
	struct conf_at at;
	size_t *members; /* indices in conf->vrs */
	size_t nmembers;
	struct conf_notify notify;
	bool smtp_alert, notify_priority_changes, tracking_weight;
	struct conf_tracks tracks; /* as written, for printing; conf_load() has merged them into the members */
};

/* garp_group */
struct conf_garp_group {
	uint64_t garp_interval_ns, gna_interval_ns;
	char (*ifs)[CONF_IFNAME_MAX];
	size_t nifs;
	struct conf_at at;
};

struct conf_updown {
	char ifname[CONF_IFNAME_MAX];
	uint64_t down_ns, up_ns;
};

struct conf_fifo {
	const char *path; /* NULL: none */
	const char *user, *group;
	uint32_t uid, gid;
	struct conf_cmd script; /* gets the path as its last argument */
};

/* track_group: instances that a static entry's failure makes faulty */
struct conf_track_group {
	const char *name;
	size_t *members;
	size_t nmembers;
	struct conf_at at;
};

/* global_defs and what else belongs to no instance */
struct conf_globals {
	const char *router_id;   /* default: the host name */
	const char **emails;     /* notification_email; NULL-terminated */
	const char *email_from;  /* NULL: user@host */
	const char *smtp_server; /* NULL: no mail */
	uint16_t smtp_port;
	unsigned int smtp_timeout_s;
	const char *smtp_helo; /* NULL: host name */
	bool no_email_faults;
	struct conf_addr mcast_group4, mcast_group6; /* family 0: the standard's */
	uint64_t garp_interval_ns, gna_interval_ns;  /* pause between two on one interface; 0: none */
	uint64_t startup_delay_ns, delay_after_boot_ns;
	char default_interface[CONF_IFNAME_MAX]; /* "eth0" */
	bool dynamic_interfaces, dynamic_allow_if_changes;
	bool script_security; /* enable_script_security */
	bool use_symlink_paths, supplementary_groups;
	const char *script_user, *script_group;
	struct conf_cmd startup_script, shutdown_script;
	unsigned int startup_timeout_s, shutdown_timeout_s;
	struct conf_fifo fifo, vrrp_fifo;
	bool fifo_states_on_reload, reload_check_config, no_swap;
	int rt_priority;          /* vrrp_rt_priority, SCHED_FIFO 1..99; 0: off */
	int nice;                 /* vrrp_priority */
	const char *cpu_affinity; /* words of vrrp_cpu_affinity; NULL: none */
	const char *process_name; /* NULL: none */
	unsigned int child_wait_s;
	bool strict;                 /* vrrp_strict */
	enum conf_replaced replaced; /* xdp_replaced */
	const char *control_group;   /* xdp_control_group; NULL: none */
	bool control_group_set;      /* ... and the machine has it */
	uint32_t control_gid;        /* who may use the control socket beside root */
};

struct conf {
	struct conf_vr *vrs;
	size_t nvrs;
	struct conf_group *groups;
	size_t ngroups;
	struct conf_script *scripts;
	size_t nscripts;
	struct conf_file *track_files;
	size_t ntrack_files;
	struct conf_process *processes;
	size_t nprocesses;
	struct conf_vip *static_addrs;
	size_t nstatic_addrs;
	struct conf_route *static_routes;
	size_t nstatic_routes;
	struct conf_rule *static_rules;
	size_t nstatic_rules;
	struct conf_track_group *track_groups;
	size_t ntrack_groups;
	struct conf_garp_group *garp_groups;
	size_t ngarp_groups;
	struct conf_updown *updowns;
	size_t nupdowns;
	struct conf_globals globals;
	char **files; /* every file name that a message or a conf_at may point at */
	size_t nfiles;
	struct conf_string *strings; /* every text of the tree; private to conf_*.c */
	enum conf_mode mode;         /* XDP mode for all interfaces; attach --mode, xdp_mode */
};

enum conf_names {
	CONF_NAMES_TABLES,
	CONF_NAMES_PROTOS,
	CONF_NAMES_SCOPES,
	CONF_NAMES_REALMS,
	CONF_NAMES_DSFIELDS,
	CONF_NAMES_GROUPS
};

/* What is wrong with the file of a script; the text says what in words and names the path component. */
enum conf_script_fault { CONF_SCRIPT_OK, CONF_SCRIPT_MISSING, CONF_SCRIPT_NOT_EXECUTABLE, CONF_SCRIPT_INSECURE };

/*
 * What the configuration asks of the machine. read() gives the whole content of @path to the lexer: @path is as written for the main
 * file; for an include it is the pattern resolved against the including file's folder. The callback expands wildcards and calls
 * @emit once per file, in glob order, with bytes that stay valid during that call only. What is no regular file or has an
 * execute bit is passed over, as keepalived does. @emit calls read() again for an include inside; if it returns other than
 * 0, the callback stops and returns that.
 * Returns the number of files given (0 or -ENOENT: nothing matches), or -errno, such as -EACCES.
 *
 * Every callback but read() may be NULL: then the question is not asked, and what hangs on the answer is taken to be right.
 */
typedef int (*conf_emit_fn)(void *emit_arg, const char *path, const char *bytes, size_t len);
struct conf_io {
	int (*read)(void *arg, const char *pattern, conf_emit_fn emit, void *emit_arg);
	const char *(*env)(void *arg, const char *name); /* ${_ENV NAME}; NULL: not set */
	/* 0; -ENOENT: no such user; -ESRCH: no such group. @user NULL: script_user's default (keepalived_script, else ourselves). */
	int (*user)(void *arg, const char *user, const char *group, uint32_t *uid, uint32_t *gid);
	/* Looks the command's file up as its user would (PATH where argv[0] has no slash) and checks it. @why: one sentence. */
	enum conf_script_fault (*script)(void *arg, const struct conf_cmd *cmd, char *why, size_t len);
	/* A name of rt_tables and the like. 0 or -ENOENT. */
	int (*name)(void *arg, enum conf_names kind, const char *name, uint32_t *out);
	/* 0, or -ENODEV. Tells the addresses of an interface, prefix lengths included. */
	int (*iface)(void *arg, const char *ifname, void (*addr)(void *a, const struct conf_addr *x, uint8_t plen),
		     void *a);
	const char *config_id; /* what @ID conditions compare with, and ${_INSTANCE}: host name up to the first dot */
	const char *host_name; /* default router_id */
	void *arg;
};

/* Makes @c an empty configuration with every default in place. Never fails. */
void conf_init(struct conf *c);
/* Frees what @c owns; @c may be conf_init()ed or all zero. */
void conf_free(struct conf *c);

/* Keeps the virtual routers on @ifname; the others go, and with them sync groups and static entries, which are of the whole file.
 * Returns how many are left. */
size_t conf_keep_interface(struct conf *c, const char *ifname);

/* Appends a virtual router with the defaults of RFC 9568 and `attach`: version 3, priority 100, 1 s, Preempt_Mode.
 * conf_load() puts keepalived's in their place. NULL: out of memory. The pointer is valid until the next call. */
struct conf_vr *conf_add_vr(struct conf *c, const char *name);
/* Parse "192.0.2.1/24", "fd00::1"; @plen_out NULL: no prefix allowed. Returns 0, -EINVAL (malformed), -ERANGE (prefix). */
int conf_parse_addr(const char *text, struct conf_addr *out, uint8_t *plen_out);
/* Append; 0, -EEXIST (the address is there already), -ENOMEM. */
int conf_vr_add_vip(struct conf_vr *vr, const struct conf_addr *addr, uint8_t plen, int line);
int conf_vr_add_peer(struct conf_vr *vr, const struct conf_addr *addr);
int conf_vr_allow(struct conf_vr *vr, const struct conf_addr *addr, int line); /* into @allowed */

/*
 * Reads @path and all it includes into @c, which is conf_init()ed, and applies keepalived's defaults (KA-1..3) and
 * conf_check(). Every message goes through @msg, but no more than 101 errors and 1001 warnings. Returns the number of
 * CONF_ERROR messages (0: @c may run), or -ENOENT and the like when @path itself cannot be read; @c is conf_free()d
 * by the caller in any case.
 */
int conf_load(struct conf *c, const char *path, const struct conf_io *io, conf_msg_fn msg, void *msg_arg);

/* Rules across fields and across virtual routers (KA-4, KA-7, ...). Fills in what is derived (family, unicast, dev of VIPs), and clears
 * with a warning what keepalived clears. Returns the number of CONF_ERROR messages. */
int conf_check(struct conf *c, conf_msg_fn msg, void *msg_arg);

/* Before it is run: a router with a VLAN id goes over to the VLAN device, PARENT.VID, and so do its addresses that named the parent. */
void conf_name_vlans(struct conf *c);

/* Warns of what is legal and does not do what its author thinks, for `check`; @c has been loaded without error. */
void conf_lint(const struct conf *c, const struct conf_io *io, conf_msg_fn msg, void *msg_arg);

/* Writes @c as a keepalived.conf that conf_load() reads back to the same tree, in malloc()ed memory; the password is
 * printed, so mind who reads it. NULL: out of memory. */
char *conf_print(const struct conf *c);

/* "10.0.0.4" of @a into @buf of at least 46 bytes; returns @buf. */
const char *conf_addr_str(const struct conf_addr *a, char *buf, size_t len);
/* An address line as it prints, which parses to the same; dev is left out where it is @default_dev. malloc()ed, or NULL. */
char *conf_addr_text(const struct conf_vip *v, const char *default_dev);
/* Same family and bytes. */
bool conf_addr_eq(const struct conf_addr *a, const struct conf_addr *b);
/* fe80::/10 */
bool conf_addr_link_local(const struct conf_addr *a);

#endif
