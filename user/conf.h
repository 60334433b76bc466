/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: a typed tree, and the way from keepalived.conf's bytes to it.
 *
 *   conf_lex.c    bytes -> logical lines of tokens with file:line (comments, quotes, braces, include, $, ~SEQ, @)
 *   conf_parse.c  keyword tables -> struct conf
 *   conf_check.c  rules across fields; the `attach` flags go through the same rules
 *
 * All three are PURE: no file, clock, socket or log. Files come in through a callback, messages go out through one.
 * keepalived's words live here and nowhere deeper: below conf, code speaks RFC 9568.
 */
#ifndef VX_CONF_H
#define VX_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_NAME_MAX   64 /* instance names longer than this are an error, never cut */
#define CONF_IFNAME_MAX 16 /* IFNAMSIZ, without including <net/if.h> */
#define CONF_AUTH_LEN   8  /* RFC 2338 5.3.6.2: eight bytes, zero padded */

enum conf_severity { CONF_WARN, CONF_ERROR };

/* One sentence about the configuration. @file is "" where there is no file (command-line flags); @line counts from 1. */
typedef void (*conf_msg_fn)(void *arg, enum conf_severity sev, const char *file, int line, const char *text);

/* Address in network byte order; IPv4 in the first four bytes. */
struct conf_addr {
	uint8_t family; /* 4, 6, or 0: not set */
	uint8_t b[16];
};

struct conf_vip {
	struct conf_addr addr;
	uint8_t plen; /* 0..32 or 0..128; keepalived's default is the full length (KA-5) */
	int line;
};

struct conf_peer {
	struct conf_addr addr;
};

/* Which IPv4 VRRPv3 checksum (WF-18, WF-19): what may come in; what goes out is fixed. */
enum conf_csum { CONF_CSUM_AUTO, CONF_CSUM_RFC9568, CONF_CSUM_RFC5798 };

enum conf_mode { CONF_MODE_AUTO, CONF_MODE_NATIVE, CONF_MODE_SKB };

struct conf_vr {
	char name[CONF_NAME_MAX]; /* keepalived's instance name; "eth0/51" for attach */
	const char *file;         /* where the block starts; owned by struct conf; "" for attach */
	int line;
	char ifname[CONF_IFNAME_MAX];
	uint8_t vrid;       /* 1..255; 0: not set */
	uint8_t family;     /* 4 or 6, from the first address (spec 1.4); 0 until known */
	uint8_t version;    /* 2 or 3 */
	uint8_t priority;   /* 1..255 */
	uint64_t adver_ns;  /* own Advertisement_Interval in nanoseconds: v3 10 ms..40.95 s, v2 1 s..255 s */
	bool preempt;       /* Preempt_Mode; nopreempt clears it */
	bool auth_pass_set; /* v2 auth type 1 (WF-7); else type 0 */
	uint8_t auth_pass[CONF_AUTH_LEN];
	struct conf_addr src; /* mcast_src_ip / unicast_src_ip / --src; family 0: the interface's primary address */
	bool unicast;         /* unicast_peer given with at least one peer */
	enum conf_csum csum;
	struct conf_vip *vips; /* owned, in the configured order (WF-3) */
	size_t nvips;
	struct conf_peer *peers; /* owned */
	size_t npeers;
};

struct conf {
	struct conf_vr *vrs; /* owned */
	size_t nvrs;
	char **files; /* owned: every file name that a message or a conf_vr may point at */
	size_t nfiles;
	enum conf_mode mode; /* XDP mode for all interfaces; attach --mode */
	int rt_priority;     /* SCHED_FIFO 1..99; 0: off (vrrp_rt_priority) */
};

/*
 * Gives the whole content of @path to the lexer. @path is as written for the main file; for an include it is the
 * pattern resolved against the including file's folder. The callback expands wildcards and calls @emit once per file,
 * in glob order, with bytes that stay valid during that call only. What is no regular file or has an execute bit is
 * passed over, as keepalived does. @emit calls read() again for an include inside; if it returns other than 0, the
 * callback stops and returns that.
 * Returns the number of files given (0 or -ENOENT: nothing matches), or -errno, such as -EACCES.
 */
typedef int (*conf_emit_fn)(void *emit_arg, const char *path, const char *bytes, size_t len);
struct conf_io {
	int (*read)(void *arg, const char *pattern, conf_emit_fn emit, void *emit_arg);
	const char *(*env)(void *arg, const char *name); /* ${_ENV NAME}; NULL: not set */
	const char *config_id; /* what @ID conditions compare with: host name up to the first dot */
	void *arg;
};

/* Makes @c an empty configuration with every default in place. Never fails. */
void conf_init(struct conf *c);
/* Frees what @c owns; @c may be conf_init()ed or all zero. */
void conf_free(struct conf *c);

/* Appends a virtual router with the defaults of RFC 9568 and `attach`: version 3, priority 100, 1 s, Preempt_Mode.
 * conf_load() puts keepalived's in their place. NULL: out of memory. The pointer is valid until the next call. */
struct conf_vr *conf_add_vr(struct conf *c, const char *name);
/* Parse "192.0.2.1/24", "fd00::1"; @plen_out NULL: no prefix allowed. Returns 0, -EINVAL (malformed), -ERANGE (prefix). */
int conf_parse_addr(const char *text, struct conf_addr *out, uint8_t *plen_out);
/* Append; 0, -EEXIST (the address is there already), -ENOMEM. */
int conf_vr_add_vip(struct conf_vr *vr, const struct conf_addr *addr, uint8_t plen, int line);
int conf_vr_add_peer(struct conf_vr *vr, const struct conf_addr *addr);

/*
 * Reads @path and all it includes into @c, which is conf_init()ed, and applies keepalived's defaults (KA-1..3) and
 * conf_check(). Every message goes through @msg, but no more than 101 errors and 1001 warnings. Returns the number of
 * CONF_ERROR messages (0: @c may run), or -ENOENT and the like when @path itself cannot be read; @c is conf_free()d
 * by the caller in any case.
 */
int conf_load(struct conf *c, const char *path, const struct conf_io *io, conf_msg_fn msg, void *msg_arg);

/* Rules across fields and across virtual routers (KA-4, KA-7, ...). Fills in family and unicast, and clears with a
 * warning what keepalived clears. Returns the number of CONF_ERROR messages. */
int conf_check(struct conf *c, conf_msg_fn msg, void *msg_arg);

/* Writes @c as a keepalived.conf that conf_load() reads back to the same tree, in malloc()ed memory; the password is
 * printed, so mind who reads it. NULL: out of memory. */
char *conf_print(const struct conf *c);

/* "10.0.0.4" of @a into @buf of at least 46 bytes; returns @buf. */
const char *conf_addr_str(const struct conf_addr *a, char *buf, size_t len);

#endif
