/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internal to conf_parse.c, conf_key.c, conf_global.c, conf_track.c and conf_default.c: what the file says, before it becomes the tree.
 *
 * Defaults hang on each other and on global_defs, which may come last, and names may be used before they are defined. So
 * the parser notes values with their places; conf_finish_*() make the tree of them when all is read.
 */
#ifndef VX_CONF_INT_H
#define VX_CONF_INT_H

#include "conf_lex.h"
#include "conf_map.h"

#define CONF_MS_NS  1000000ull
#define CONF_SEC_NS 1000000000ull
#define CONF_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* One value of the file. */
struct conf_val {
	bool set;
	uint64_t v;
	struct conf_at at;
};

/* Options that global_defs sets for all instances and an instance overrides. */
struct conf_common {
	struct conf_val version, strict, csum, skip_check, garp_delay, garp_repeat, garp_refresh, garp_refresh_repeat;
	struct conf_val lower_delay, lower_repeat, extra_if, extra_all, down_adverts, lower_no_advert, higher_advert;
	struct conf_val owner_ignore, check_src, smtp_alert, priority_events;
	struct conf_val handover, max_advert, link_settle; /* nanoseconds */
};

enum conf_auth_type { CONF_AUTH_NONE, CONF_AUTH_PASS, CONF_AUTH_AH };

/* What the file says about one instance; index as in conf->vrs. @common comes first, as in struct conf_defs: a keyword's offset serves for both. */
struct conf_inst {
	struct conf_common common;
	struct conf_val state, priority, vrid, advert_ns, preempt, preempt_delay, auth_type, auth_pass, accept, no_vip;
	struct conf_val peer_block, allow_block, unicast_src, unicast_ttl, vmac_addr;
	uint8_t pass[CONF_AUTH_LEN];
	unsigned int reported; /* enum conf_reported */
	bool too_many_peers, too_many_allowed;
};

/* ... and about all of them. */
struct conf_defs {
	struct conf_common common;
	struct conf_val min_garp, smtp_alert_vrrp, rt_priority, nice;
	struct conf_at default_interface;
};

enum conf_track_kind { CONF_TRACK_IF, CONF_TRACK_SCRIPT, CONF_TRACK_FILE, CONF_TRACK_PROCESS };

/* A block that members and trackers belong to. */
enum conf_owner { CONF_OWNER_NONE, CONF_OWNER_INSTANCE, CONF_OWNER_GROUP, CONF_OWNER_TRACK_GROUP };

/* An entry of a track_* list, and of a list of instances; found by name when all is read. */
struct conf_track_note {
	enum conf_track_kind kind;
	enum conf_owner owner;
	size_t index; /* of the owner */
	const char *name;
	bool weight_set, reverse;
	int weight;
	struct conf_at at;
	size_t order;
};

struct conf_member_note {
	enum conf_owner owner;
	size_t index;
	const char *name;
	struct conf_at at;
};

struct conf_group_note {
	bool smtp_set, events_set;
	size_t index; /* in conf->groups, when the empty ones are gone; SIZE_MAX: it was one */
};

/* An interface that the machine does not have. */
struct conf_missing {
	const char *ifname, *what;
	struct conf_at at;
};

enum conf_ctx {
	CONF_CTX_NONE,
	CONF_CTX_ROOT,
	CONF_CTX_GLOBAL,
	CONF_CTX_EMAILS,
	CONF_CTX_INSTANCE,
	CONF_CTX_AUTH,
	CONF_CTX_VIPS,
	CONF_CTX_EXCLUDED,
	CONF_CTX_PEERS,
	CONF_CTX_ALLOWED,
	CONF_CTX_ROUTES,
	CONF_CTX_RULES,
	CONF_CTX_TRACK_IFS,
	CONF_CTX_TRACK_SCRIPTS,
	CONF_CTX_TRACK_FILES,
	CONF_CTX_TRACK_PROCESSES,
	CONF_CTX_SCRIPT,
	CONF_CTX_FILE,
	CONF_CTX_PROCESS,
	CONF_CTX_GROUP,
	CONF_CTX_MEMBERS,
	CONF_CTX_STATIC_ADDRS,
	CONF_CTX_STATIC_ROUTES,
	CONF_CTX_STATIC_RULES,
	CONF_CTX_TRACK_GROUP,
	CONF_CTX_GARP_GROUP,
	CONF_CTX_GARP_IFS,
	CONF_CTX_UPDOWN,
};

struct conf_open {
	enum conf_ctx ctx;
	const char *word;
	struct conf_at at;
};

/* What conf_map_put() keeps apart. */
enum conf_map_kind {
	CONF_MAP_INSTANCE,
	CONF_MAP_GROUP,
	CONF_MAP_TRACK_GROUP,
	CONF_MAP_SCRIPT,
	CONF_MAP_FILE,
	CONF_MAP_PROCESS,
	CONF_MAP_IFACE,    /* -> 0: the machine has it, 1: it has not */
	CONF_MAP_VIP,      /* owner: instance */
	CONF_MAP_EXCLUDED, /* same */
	CONF_MAP_STATIC,
	CONF_MAP_PEER,
	CONF_MAP_NOTE = 0x20,       /* + kind; owner: instance */
	CONF_MAP_GROUP_NOTE = 0x30, /* + kind; owner: group */
	CONF_MAP_TRACKED = 0x40,    /* + kind; owner: instance -> index in its conf_tracks */
	CONF_MAP_MEMBER = 0x50,     /* + conf_owner; owner: group */
	CONF_MAP_GARP_IF = 0x60,
	CONF_MAP_UPDOWN,
};

struct conf_parser {
	struct conf *conf;
	const struct conf_io *io;
	struct conf_diag *diag;
	struct conf_map map;
	struct conf_inst *insts; /* one for each conf->vrs */
	struct conf_defs defs;
	struct conf_track_note *tracks;
	size_t ntracks;
	struct conf_member_note *members;
	size_t nmembers;
	struct conf_missing *missing;
	size_t nmissing;
	size_t *item_orders[3]; /* when scripts, files and processes were defined; as in struct conf */
	size_t order;           /* blocks and entries so far */
	size_t nemails;
	struct conf_group_note *group_notes; /* one for each conf->groups while the file is read */
	uint32_t rule_pref[2];               /* next to assign, IPv4 and IPv6 (spec 3.3) */

	struct conf_open stack[8]; /* more than any row of the tables can nest */
	size_t depth;
	struct conf_open want; /* a block whose '{' must be next */
	enum conf_owner owner; /* of the list block in hand */

	char unknown[64]; /* word that may open a block to skip; empty: none */
	bool unknown_said;
	struct conf_at unknown_at;
	unsigned int skip; /* depth inside a skipped block */
	struct conf_at skip_at;
	bool ipvs_said; /* of virtual_server and friends, once */
	bool oom;
	char who[96]; /* owner of the line in hand, for messages */
};

/* Rows of the keyword tables. */
struct conf_key;
typedef void (*conf_key_fn)(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
struct conf_key {
	const char *word;
	conf_key_fn set;
	size_t off;            /* where the value goes: in notes or in the tree, as the setter has it */
	uint64_t min, max;     /* legal range; for flags, @max is the value that the word stands for */
	const char *what;      /* "a number from 1 to 255"; NULL: no value needed */
	const char *fallback;  /* what a bad value leads to, "100 is used"; NULL: it is an error */
	unsigned int reported; /* enum conf_reported to note with an error */
	size_t words;          /* that may follow; 0: one if @what, else none */
	enum conf_ctx block;   /* the block that follows */
};
enum { CONF_WORDS_ANY = 1000 };

struct conf_keys {
	const struct conf_key *keys;
	size_t n;
};
extern const struct conf_keys conf_global_keys, conf_script_keys, conf_file_keys, conf_process_keys, conf_group_keys;

/* ---- conf_key.c: messages, values and setters ---- */

/* At word @i of @l. */
void conf_tell(struct conf_parser *p, enum conf_severity sev, const struct conf_line *l, size_t i, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
#define CONF_TELL_WARN(p, l, i, ...)  conf_tell(p, CONF_WARN, l, i, __VA_ARGS__)
#define CONF_TELL_ERROR(p, l, i, ...) conf_tell(p, CONF_ERROR, l, i, __VA_ARGS__)
#define CONF_WARN_AT(p, at, ...)      conf_say((p)->diag, CONF_WARN, at, __VA_ARGS__)
#define CONF_ERROR_AT(p, at, ...)     conf_say((p)->diag, CONF_ERROR, at, __VA_ARGS__)

/* Digits only, after an optional '+'; blanks in front can come out of quotes. */
bool conf_parse_number(const char *s, uint64_t *out);
/* The same with a sign. */
bool conf_parse_signed(const char *s, int64_t *out);
/* Decimal seconds with at most six places, in nanoseconds. */
bool conf_parse_seconds(const char *s, uint64_t *ns);
/* -1: neither yes nor no. */
int conf_parse_bool(const char *s);
bool conf_good_ifname(const char *s);
/* Can adverts be sent to it? */
bool conf_good_group(const struct conf_addr *a);

/* Where the block in hand keeps its notes and its part of the tree. */
struct conf_vr *conf_cur_vr(const struct conf_parser *p);
struct conf_inst *conf_cur_inst(const struct conf_parser *p);
struct conf_group *conf_cur_group(const struct conf_parser *p);
struct conf_val *conf_note(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void *conf_field(const struct conf_parser *p, const struct conf_key *k);
/* The range and the value of word 1 as @k has them; false: said. */
bool conf_take_number(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l, uint64_t *out);
bool conf_take_seconds(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l, uint64_t *out);
const char *conf_keep(struct conf_parser *p, const char *text);
/* Room for one more in an array of @n: grows when @n is a power of two, so no capacity has to be kept. NULL: p->oom is set. */
void *conf_grow(struct conf_parser *p, void *array, size_t n, size_t size);
struct conf_line_ctx conf_line_ctx(struct conf_parser *p, bool is_static);

/* Setters; "note" goes to a struct conf_val, "put" into the tree. */
void conf_note_number(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_note_clamped(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_note_seconds(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_note_fine_seconds(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_note_flag(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_note_bool(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_put_uint(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_put_seconds(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_put_bool(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_put_yes(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_put_text(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_put_cpus(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_put_cmd(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_put_mode(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_note_extra_if(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
/* Read, and not carried out: @k->fallback says what that means. Takes its block along. */
void conf_not_done(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
/* Read, and of no consequence here. */
void conf_no_effect(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
/* The rest of this block is passed over, as something has been said about it. */
void conf_skip_block(struct conf_parser *p, const struct conf_line *l);
/* Asks for an interface that the file names; conf_finish_interfaces() complains. */
void conf_need_iface(struct conf_parser *p, const char *ifname, const char *what, const struct conf_at *at);

/* Rows that global_defs and vrrp_instance share, there with "vrrp_" in front. */
#define CONF_COMMON(f) offsetof(struct conf_common, f)
#define CONF_COMMON_KEYS(P)                                                                                            \
	{ .word = P "version",                                                                                         \
	  .set = conf_note_number,                                                                                     \
	  .off = CONF_COMMON(version),                                                                                 \
	  .min = 2,                                                                                                    \
	  .max = 3,                                                                                                    \
	  .what = "2 or 3",                                                                                            \
	  .fallback = "the line is ignored" },                                                                         \
		{ .word = P "skip_check_adv_addr", .set = conf_note_bool, .off = CONF_COMMON(skip_check) },            \
		{ .word = P "garp_master_delay",                                                                       \
		  .set = conf_note_number,                                                                             \
		  .off = CONF_COMMON(garp_delay),                                                                      \
		  .max = 86400,                                                                                        \
		  .what = "0 to 86400 seconds",                                                                        \
		  .fallback = "the line is ignored" },                                                                 \
		{ .word = P "garp_master_repeat",                                                                      \
		  .set = conf_note_clamped,                                                                            \
		  .off = CONF_COMMON(garp_repeat),                                                                     \
		  .min = 1,                                                                                            \
		  .max = 1000000,                                                                                      \
		  .what = "a number from 1" },                                                                         \
		{ .word = P "garp_master_refresh",                                                                     \
		  .set = conf_note_number,                                                                             \
		  .off = CONF_COMMON(garp_refresh),                                                                    \
		  .max = 86400,                                                                                        \
		  .what = "0 to 86400 seconds",                                                                        \
		  .fallback = "the line is ignored" },                                                                 \
		{ .word = P "garp_master_refresh_repeat",                                                              \
		  .set = conf_note_clamped,                                                                            \
		  .off = CONF_COMMON(garp_refresh_repeat),                                                             \
		  .min = 1,                                                                                            \
		  .max = 1000000,                                                                                      \
		  .what = "a number from 1" },                                                                         \
		{ .word = P "garp_lower_prio_delay",                                                                   \
		  .set = conf_note_number,                                                                             \
		  .off = CONF_COMMON(lower_delay),                                                                     \
		  .max = 86400,                                                                                        \
		  .what = "0 to 86400 seconds",                                                                        \
		  .fallback = "the line is ignored" },                                                                 \
		{ .word = P "garp_lower_prio_repeat",                                                                  \
		  .set = conf_note_number,                                                                             \
		  .off = CONF_COMMON(lower_repeat),                                                                    \
		  .max = 1000000,                                                                                      \
		  .what = "a number from 0",                                                                           \
		  .fallback = "the line is ignored" },                                                                 \
		{ .word = P "garp_extra_if", .set = conf_note_extra_if, .what = "[all] SECONDS", .words = 2 },         \
		{ .word = P "vmac_garp_intvl", .set = conf_note_extra_if, .what = "[all] SECONDS", .words = 2 },       \
		{ .word = P "down_timer_adverts",                                                                      \
		  .set = conf_note_number,                                                                             \
		  .off = CONF_COMMON(down_adverts),                                                                    \
		  .min = 1,                                                                                            \
		  .max = 100,                                                                                          \
		  .what = "a number from 1 to 100",                                                                    \
		  .fallback = "the line is ignored" },                                                                 \
		{ .word = P "lower_prio_no_advert", .set = conf_note_bool, .off = CONF_COMMON(lower_no_advert) },      \
		{ .word = P "higher_prio_send_advert", .set = conf_note_bool, .off = CONF_COMMON(higher_advert) },     \
		{ .word = P "owner_ignore_adverts", .set = conf_note_bool, .off = CONF_COMMON(owner_ignore) },         \
		{ .word = P "check_unicast_src", .set = conf_note_flag, .off = CONF_COMMON(check_src), .max = 1 },     \
		{ .word = P "notify_priority_changes", .set = conf_note_bool, .off = CONF_COMMON(priority_events) },   \
		{ .word = "v3_checksum_as_v2", .set = conf_note_bool, .off = CONF_COMMON(csum) },                      \
		{ .word = "xdp_handover_skew",                                                                         \
		  .set = conf_note_fine_seconds,                                                                       \
		  .off = CONF_COMMON(handover),                                                                        \
		  .max = CONF_HANDOVER_MAX_NS,                                                                         \
		  .what = "0 to 1 seconds, such as 0.001" },                                                           \
		{ .word = "xdp_max_advert_int",                                                                        \
		  .set = conf_note_fine_seconds,                                                                       \
		  .off = CONF_COMMON(max_advert),                                                                      \
		  .max = CONF_ADVERT_MAX_NS,                                                                           \
		  .what = "0.01 to 40.95 seconds, or 0 for any" },                                                     \
		{ .word = "xdp_link_settle",                                                                           \
		  .set = conf_note_fine_seconds,                                                                       \
		  .off = CONF_COMMON(link_settle),                                                                     \
		  .max = CONF_SETTLE_MAX_NS,                                                                           \
		  .what = "0 to 255 seconds" },                                                                        \
	{                                                                                                              \
		.word = "smtp_alert", .set = conf_note_bool, .off = CONF_COMMON(smtp_alert)                            \
	}

/* ---- conf_global.c ---- */
void conf_email_entry(struct conf_parser *p, const struct conf_line *l);
void conf_finish_globals(struct conf_parser *p);

/* ---- conf_track.c ---- */
void conf_open_script(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_open_file(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_open_process(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_open_group(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_open_track_group(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_open_members(struct conf_parser *p, const struct conf_key *k, const struct conf_line *l);
void conf_track_entry(struct conf_parser *p, const struct conf_line *l);
void conf_member_entry(struct conf_parser *p, const struct conf_line *l);
void conf_finish_commands(struct conf_parser *p);
void conf_finish_tracks(struct conf_parser *p);

/* ---- conf_parse.c ---- */
/* These words stand at the top of a file only: inside a block they show where a "}" was forgotten. A name like that needs quotes. */
bool conf_is_root_word(const char *word);
/* A block with one name: false: bad or taken, said, and the block is passed over. The name's index is @index from now on. */
bool conf_open_named(struct conf_parser *p, const struct conf_line *l, enum conf_map_kind kind, size_t index);

/* ---- conf_default.c ---- */
void conf_finish_instances(struct conf_parser *p);
void conf_finish_interfaces(struct conf_parser *p);

#endif
