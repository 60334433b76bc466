// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keyword tables -> struct conf.
 *
 * While the file is read, what it says about an instance is noted in struct inst, word by word with its line. The
 * defaults depend on each other and on global_defs, which may come last; finish() applies them when all is read.
 *
 * A new keyword is one row in a table, or one row and one small function.
 */
#include "conf_lex.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS_NS  1000000ull
#define SEC_NS 1000000000ull

enum {
	SKIP_DEPTH_MAX = 64, /* blocks inside a block that is skipped */
	LIST_MAX = 255,      /* VIPs of an instance: Count IPvX Addr has eight bits (RFC 9568 5.2.5); peers likewise */
};

enum auth_type { AUTH_NONE, AUTH_PASS, AUTH_AH };

/* Where something was said. */
struct at {
	const char *file;
	int line;
};

/* One value of the file. */
struct val {
	bool set;
	bool bad; /* a message said so; @v is not to be used */
	uint64_t v;
	struct at at;
};

/* `dev IF` of one VIP, compared with `interface` when that is known. */
struct vip_dev {
	struct at at;
	char ifname[CONF_IFNAME_MAX];
	char vip[46];
};

/* What the file says about one instance. */
struct inst {
	struct val version, state, priority, vrid, advert_ns, preempt, csum, auth_type, auth_pass;
	struct val peer_block, unicast_src; /* only whether they are there */
	uint8_t pass[CONF_AUTH_LEN];
	struct vip_dev *devs;
	size_t ndevs;
	unsigned int reported; /* enum conf_reported */
	bool too_many_vips, too_many_peers;
};

struct globals {
	struct val version, csum, rt_priority;
};

enum ctx { CTX_ROOT, CTX_GLOBAL, CTX_INSTANCE, CTX_AUTH, CTX_VIPS, CTX_PEERS, CTX_NONE };

struct parser;

struct key {
	const char *word;
	void (*set)(struct parser *p, const struct key *k, const struct conf_line *l);
	size_t off;         /* of the struct val in struct inst or struct globals */
	uint64_t min, max;  /* legal range; for flags, @max is the value that the word stands for */
	const char *what;   /* "a number from 1 to 255", for messages; NULL: no value needed */
	unsigned int fault; /* enum conf_reported to note with a bad value */
	enum ctx block;     /* the block that follows, or CTX_NONE */
};

struct open_block {
	enum ctx ctx;
	const char *word;
	struct at at;
};

struct parser {
	struct conf *conf;
	struct conf_diag *diag;
	struct inst *insts; /* one for each conf->vrs */
	struct globals globals;
	struct open_block stack[8]; /* more than any row of the tables can nest */
	size_t depth;
	struct open_block want; /* a block whose '{' must be next */
	char unknown[64];       /* word that may open a block to skip; empty: none */
	struct at unknown_at;
	unsigned int skip; /* depth inside a skipped block */
	struct at skip_at;
	bool oom;
};

/* ---- messages ---- */

static struct at here(const struct conf_line *l)
{
	return (struct at){ l->file, l->line };
}

#define WARN_AT(p, at, ...)  conf_say((p)->diag, CONF_WARN, (at).file, (at).line, __VA_ARGS__)
#define ERROR_AT(p, at, ...) conf_say((p)->diag, CONF_ERROR, (at).file, (at).line, __VA_ARGS__)
#define WARN(p, l, ...)      conf_say((p)->diag, CONF_WARN, (l)->file, (l)->line, __VA_ARGS__)
#define ERROR(p, l, ...)     conf_say((p)->diag, CONF_ERROR, (l)->file, (l)->line, __VA_ARGS__)

/* ---- the tree ---- */

void conf_init(struct conf *c)
{
	memset(c, 0, sizeof(*c));
}

void conf_free(struct conf *c)
{
	for (size_t i = 0; i < c->nvrs; i++) {
		free(c->vrs[i].vips);
		free(c->vrs[i].peers);
	}
	for (size_t i = 0; i < c->nfiles; i++)
		free(c->files[i]);
	free(c->vrs);
	free(c->files);
	memset(c, 0, sizeof(*c));
}

/* Room for one more in an array of @n: grows when @n is a power of two, so no capacity has to be kept. */
static void *grow(void *array, size_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	return realloc(array, (n ? n * 2 : 1) * size);
}

struct conf_vr *conf_add_vr(struct conf *c, const char *name)
{
	struct conf_vr *vrs = grow(c->vrs, c->nvrs, sizeof(*vrs)), *vr;

	if (!vrs)
		return NULL;
	c->vrs = vrs;
	vr = &vrs[c->nvrs++];
	memset(vr, 0, sizeof(*vr));
	snprintf(vr->name, sizeof(vr->name), "%s", name);
	vr->file = "";
	vr->version = 3;
	vr->priority = 100; /* RFC 9568 6.1 */
	vr->adver_ns = SEC_NS;
	vr->preempt = true;
	return vr;
}

static bool same_addr(const struct conf_addr *a, const struct conf_addr *b)
{
	return a->family == b->family && !memcmp(a->b, b->b, sizeof(a->b));
}

int conf_vr_add_vip(struct conf_vr *vr, const struct conf_addr *addr, uint8_t plen, int line)
{
	struct conf_vip *vips;

	for (size_t i = 0; i < vr->nvips; i++)
		if (same_addr(&vr->vips[i].addr, addr))
			return -EEXIST;
	vips = grow(vr->vips, vr->nvips, sizeof(*vips));
	if (!vips)
		return -ENOMEM;
	vr->vips = vips;
	vips[vr->nvips++] = (struct conf_vip){ .addr = *addr, .plen = plen, .line = line };
	if (!vr->family)
		vr->family = addr->family;
	return 0;
}

int conf_vr_add_peer(struct conf_vr *vr, const struct conf_addr *addr)
{
	struct conf_peer *peers;

	for (size_t i = 0; i < vr->npeers; i++)
		if (same_addr(&vr->peers[i].addr, addr))
			return -EEXIST;
	peers = grow(vr->peers, vr->npeers, sizeof(*peers));
	if (!peers)
		return -ENOMEM;
	vr->peers = peers;
	peers[vr->npeers++] = (struct conf_peer){ .addr = *addr };
	vr->unicast = true;
	if (!vr->family)
		vr->family = addr->family;
	return 0;
}

/* ---- values ---- */

/* Digits only, after an optional '+'; blanks in front can come out of quotes. */
static bool parse_number(const char *s, uint64_t *out)
{
	s += strspn(s, " \t");
	s += *s == '+';
	if (!*s || strlen(s) > 18)
		return false;
	for (*out = 0; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		*out = *out * 10 + (uint64_t)(*s - '0');
	}
	return true;
}

/* Decimal seconds with at most six places. */
static bool parse_seconds(const char *s, uint64_t *ns)
{
	char whole[24];
	const char *dot;
	uint64_t sec = 0, frac = 0, unit = SEC_NS;
	size_t n;

	s += strspn(s, " \t");
	dot = strchr(s, '.');
	n = dot ? (size_t)(dot - s) : strlen(s);
	if (n >= sizeof(whole) || (n == 0 && !dot))
		return false;
	memcpy(whole, s, n);
	whole[n] = '\0';
	if (n && !parse_number(whole, &sec))
		return false;
	if (dot) {
		n = strlen(dot + 1);
		if (n < 1 || n > 6 || dot[1] == '+' || dot[1] == ' ' || dot[1] == '\t' || !parse_number(dot + 1, &frac))
			return false;
		while (n--)
			unit /= 10;
	}
	if (sec > 1000000000)
		return false;
	*ns = sec * SEC_NS + frac * unit;
	return true;
}

int conf_parse_addr(const char *text, struct conf_addr *out, uint8_t *plen_out)
{
	char addr[64];
	const char *slash = plen_out ? strchr(text, '/') : NULL;
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	bool v6 = memchr(text, ':', n) != NULL;
	uint64_t plen = v6 ? 128 : 32;

	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, n);
	addr[n] = '\0';
	memset(out, 0, sizeof(*out));
	if (inet_pton(v6 ? AF_INET6 : AF_INET, addr, out->b) != 1)
		return -EINVAL;
	out->family = v6 ? 6 : 4;
	if (!plen_out)
		return 0;
	if (slash && (slash[1] < '0' || slash[1] > '9' || !parse_number(slash + 1, &plen) || plen > (v6 ? 128 : 32)))
		return -ERANGE;
	*plen_out = (uint8_t)plen;
	return 0;
}

const char *conf_addr_str(const struct conf_addr *a, char *buf, size_t len)
{
	if (!a->family || !inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->b, buf, (socklen_t)len))
		snprintf(buf, len, "none");
	return buf;
}

/* ---- setters, one for each kind of keyword ---- */

static struct conf_vr *cur_vr(const struct parser *p)
{
	return &p->conf->vrs[p->conf->nvrs - 1];
}

static struct inst *cur_inst(const struct parser *p)
{
	return &p->insts[p->conf->nvrs - 1];
}

static struct val *key_val(struct parser *p, const struct key *k, const struct conf_line *l)
{
	bool global = p->stack[p->depth - 1].ctx == CTX_GLOBAL;
	struct val *v = (struct val *)((global ? (char *)&p->globals : (char *)cur_inst(p)) + k->off);

	v->set = true;
	v->at = here(l);
	return v;
}

static void bad_value(struct parser *p, const struct key *k, struct val *v)
{
	v->bad = true;
	if (k->fault)
		cur_inst(p)->reported |= k->fault;
}

static void set_number(struct parser *p, const struct key *k, const struct conf_line *l)
{
	struct val *v = key_val(p, k, l);
	uint64_t n;

	if (!parse_number(l->word[1], &n)) {
		ERROR(p, l, "%s \"%.60s\" is not a whole number; write %s", k->word, l->word[1], k->what);
		bad_value(p, k, v);
	} else if (n < k->min || n > k->max) {
		ERROR(p, l, "%s %.60s is outside %llu-%llu; write %s", k->word, l->word[1], (unsigned long long)k->min,
		      (unsigned long long)k->max, k->what);
		bad_value(p, k, v);
	} else {
		v->v = n;
	}
}

/* keepalived moves the value into its range and runs. */
static void set_clamped(struct parser *p, const struct key *k, const struct conf_line *l)
{
	struct val *v = key_val(p, k, l);
	uint64_t n;

	if (!parse_number(l->word[1], &n)) {
		ERROR(p, l, "%s \"%.60s\" is not a whole number; write %s", k->word, l->word[1], k->what);
		return;
	}
	v->v = n < k->min ? k->min : n > k->max ? k->max : n;
	if (v->v != n)
		WARN(p, l, "%s %.60s is outside %llu-%llu, %llu is used; write %s", k->word, l->word[1],
		     (unsigned long long)k->min, (unsigned long long)k->max, (unsigned long long)v->v, k->what);
}

static void set_seconds(struct parser *p, const struct key *k, const struct conf_line *l)
{
	struct val *v = key_val(p, k, l);
	uint64_t ns;

	if (!parse_seconds(l->word[1], &ns)) {
		ERROR(p, l, "%s \"%.60s\" is not a number of seconds; write %s", k->word, l->word[1], k->what);
		bad_value(p, k, v);
	} else if (ns < k->min || ns > k->max) {
		ERROR(p, l, "%s %.60s is outside the legal range; write %s", k->word, l->word[1], k->what);
		bad_value(p, k, v);
	} else {
		v->v = ns;
	}
}

static void set_flag(struct parser *p, const struct key *k, const struct conf_line *l)
{
	key_val(p, k, l)->v = k->max;
}

/* Without a value, the keyword means yes. */
static void set_bool(struct parser *p, const struct key *k, const struct conf_line *l)
{
	static const char *const yes[] = { "on", "true", "yes" }, *const no[] = { "off", "false", "no" };
	struct val *v = key_val(p, k, l);

	v->v = 1;
	if (l->nwords == 1)
		return;
	for (size_t i = 0; i < 3; i++) {
		if (!strcmp(l->word[1], yes[i]))
			return;
		if (!strcmp(l->word[1], no[i])) {
			v->v = 0;
			return;
		}
	}
	ERROR(p, l, "%s \"%.60s\" is not understood; write on or off", k->word, l->word[1]);
}

static void set_nothing(struct parser *p, const struct key *k, const struct conf_line *l)
{
	(void)p;
	(void)k;
	(void)l;
}

static void set_state(struct parser *p, const struct key *k, const struct conf_line *l)
{
	struct val *v = key_val(p, k, l);

	if (!strcmp(l->word[1], "MASTER"))
		v->v = 1; /* and stays, whatever a second line says: keepalived does so */
	else if (strcmp(l->word[1], "BACKUP") != 0)
		WARN(p, l, "state \"%.60s\" is neither MASTER nor BACKUP, in capitals, and counts as BACKUP",
		     l->word[1]);
}

static void set_ifname(struct parser *p, const struct key *k, const struct conf_line *l)
{
	struct conf_vr *vr = cur_vr(p);
	size_t len = strlen(l->word[1]);

	if (!len || len >= sizeof(vr->ifname) || strpbrk(l->word[1], "/ \t")) {
		ERROR(p, l, "interface \"%.60s\" is not an interface name; write %s", l->word[1], k->what);
		cur_inst(p)->reported |= CONF_REP_IFNAME;
		return;
	}
	memcpy(vr->ifname, l->word[1], len + 1);
}

static void set_auth_type(struct parser *p, const struct key *k, const struct conf_line *l)
{
	struct val *v = key_val(p, k, l);

	v->v = AUTH_NONE;
	v->bad = false;
	if (!strcmp(l->word[1], "PASS")) {
		v->v = AUTH_PASS;
	} else if (!strcmp(l->word[1], "AH")) {
		v->v = AUTH_AH;
	} else {
		ERROR(p, l, "auth_type \"%.60s\" is not known and would leave the router without a password; write %s",
		      l->word[1], k->what);
		v->bad = true;
	}
}

static void set_auth_pass(struct parser *p, const struct key *k, const struct conf_line *l)
{
	struct inst *in = cur_inst(p);
	size_t len = strlen(l->word[1]);

	key_val(p, k, l)->v = len;
	memset(in->pass, 0, sizeof(in->pass));
	memcpy(in->pass, l->word[1], len < sizeof(in->pass) ? len : sizeof(in->pass));
}

/* The first address fixes the family of the instance. */
static bool fits_family(struct parser *p, const struct conf_line *l, const char *text, const struct conf_addr *a)
{
	struct conf_vr *vr = cur_vr(p);

	if (!vr->family)
		vr->family = a->family;
	if (vr->family == a->family)
		return true;
	ERROR(p, l, "\"%.60s\" is IPv%d in an IPv%d instance; give each family its own vrrp_instance", text, a->family,
	      vr->family);
	return false;
}

static void set_src(struct parser *p, const struct key *k, const struct conf_line *l)
{
	char text[64];
	struct conf_addr a;

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(l->word[1], "/-"), l->word[1]); /* cut like keepalived */
	if (conf_parse_addr(text, &a, NULL))
		ERROR(p, l, "%s \"%.60s\" is not an IP address; write %s", k->word, l->word[1], k->what);
	else if (fits_family(p, l, l->word[1], &a))
		cur_vr(p)->src = a;
}

static void set_unicast_src(struct parser *p, const struct key *k, const struct conf_line *l)
{
	key_val(p, k, l);
	set_src(p, k, l);
}

static void open_peers(struct parser *p, const struct key *k, const struct conf_line *l)
{
	key_val(p, k, l);
}

static void open_instance(struct parser *p, const struct key *k, const struct conf_line *l)
{
	struct inst *insts = grow(p->insts, p->conf->nvrs, sizeof(*insts));
	struct conf_vr *vr;

	if (!insts) {
		p->oom = true;
		return;
	}
	p->insts = insts;
	memset(&insts[p->conf->nvrs], 0, sizeof(*insts));
	vr = conf_add_vr(p->conf, l->nwords > 1 ? l->word[1] : "");
	if (!vr) {
		p->oom = true;
		return;
	}
	vr->file = l->file;
	vr->line = l->line;
	if (l->nwords == 1 || !*l->word[1])
		ERROR(p, l, "%s has no name; write one word before the \"{\"", k->word);
	else if (l->nwords > 2)
		ERROR(p, l, "%s \"%.60s\" is followed by \"%.60s\"; put a name with blanks in double quotes", k->word,
		      l->word[1], l->word[2]);
	else if (strlen(l->word[1]) >= CONF_NAME_MAX)
		ERROR(p, l, "%s name \"%.80s\" has %zu characters; use at most %d", k->word, l->word[1],
		      strlen(l->word[1]), CONF_NAME_MAX - 1);
	else
		return;
	cur_inst(p)->reported |= CONF_REP_NAME;
}

/* ---- tables ---- */

#define IN(field) offsetof(struct inst, field)
#define GL(field) offsetof(struct globals, field)

static const struct key root_keys[] = {
	{ "global_defs", NULL, 0, 0, 0, NULL, 0, CTX_GLOBAL },
	{ "vrrp_instance", open_instance, 0, 0, 0, NULL, 0, CTX_INSTANCE },
};

static const struct key global_keys[] = {
	{ "router_id", set_nothing, 0, 0, 0, "a word", 0, CTX_NONE },
	{ "vrrp_version", set_number, GL(version), 2, 3, "2 or 3", 0, CTX_NONE },
	{ "vrrp_rt_priority", set_clamped, GL(rt_priority), 1, 99, "a number from 1 to 99", 0, CTX_NONE },
	{ "v3_checksum_as_v2", set_bool, GL(csum), 0, 0, NULL, 0, CTX_NONE },
};

static const struct key instance_keys[] = {
	{ "state", set_state, IN(state), 0, 0, "MASTER or BACKUP", 0, CTX_NONE },
	{ "interface", set_ifname, 0, 0, 0, "a name of 1 to 15 characters without blanks, such as eth0",
	  CONF_REP_IFNAME, CTX_NONE },
	{ "virtual_router_id", set_number, IN(vrid), 1, 255, "a number from 1 to 255", CONF_REP_VRID, CTX_NONE },
	{ "priority", set_number, IN(priority), 1, 255, "a number from 1 to 255", CONF_REP_PRIORITY, CTX_NONE },
	{ "advert_int", set_seconds, IN(advert_ns), 10 * MS_NS, 255 * SEC_NS,
	  "1 to 255 seconds for version 2, or 0.01 to 40.95 for version 3", CONF_REP_ADVERT, CTX_NONE },
	{ "version", set_number, IN(version), 2, 3, "2 or 3", 0, CTX_NONE },
	{ "nopreempt", set_flag, IN(preempt), 0, 0, NULL, 0, CTX_NONE },
	{ "preempt", set_flag, IN(preempt), 0, 1, NULL, 0, CTX_NONE },
	{ "v3_checksum_as_v2", set_bool, IN(csum), 0, 0, NULL, 0, CTX_NONE },
	{ "mcast_src_ip", set_src, 0, 0, 0, "an address of this interface", 0, CTX_NONE },
	{ "unicast_src_ip", set_unicast_src, IN(unicast_src), 0, 0, "an address of this interface", 0, CTX_NONE },
	{ "authentication", NULL, 0, 0, 0, NULL, 0, CTX_AUTH },
	{ "virtual_ipaddress", NULL, 0, 0, 0, NULL, 0, CTX_VIPS },
	{ "unicast_peer", open_peers, IN(peer_block), 0, 0, NULL, 0, CTX_PEERS },
};

static const struct key auth_keys[] = {
	{ "auth_type", set_auth_type, IN(auth_type), 0, 0, "PASS", 0, CTX_NONE },
	{ "auth_pass", set_auth_pass, IN(auth_pass), 0, 0, "a password of 1 to 8 characters", 0, CTX_NONE },
};

/* Words after a VIP; the number says how many values follow the word. */
static const struct {
	const char *word;
	size_t values;
} vip_options[] = {
	{ "dev", 1 },      { "brd", 1 },      { "broadcast", 1 }, { "scope", 1 },         { "label", 1 },
	{ "peer", 1 },     { "home", 0 },     { "-nodad", 0 },    { "mngtmpaddr", 0 },    { "noprefixroute", 0 },
	{ "autojoin", 0 }, { "no_track", 0 }, { "use_vmac", 0 },  { "preferred_lft", 1 }, { "track_group", 1 },
};

/* ---- list entries ---- */

static void vip_dev(struct parser *p, const struct conf_line *l, const char *ifname)
{
	struct inst *in = cur_inst(p);
	struct vip_dev *devs = grow(in->devs, in->ndevs, sizeof(*devs)), *d;

	if (!devs) {
		p->oom = true;
		return;
	}
	in->devs = devs;
	d = &devs[in->ndevs++];
	d->at = here(l);
	snprintf(d->ifname, sizeof(d->ifname), "%.15s", ifname);
	snprintf(d->vip, sizeof(d->vip), "%.45s", l->word[0]);
}

static void vip_words(struct parser *p, const struct conf_line *l)
{
	for (size_t i = 1; i < l->nwords; i++) {
		const char *word = l->word[i];
		size_t k = 0, n = sizeof(vip_options) / sizeof(vip_options[0]);

		while (k < n && strcmp(word, vip_options[k].word) != 0)
			k++;
		if (k == n) {
			WARN(p, l, "\"%.60s\" after %.60s is not known and is ignored", word, l->word[0]);
			continue;
		}
		if (i + vip_options[k].values >= l->nwords) {
			ERROR(p, l, "\"%s\" after %.60s has no value; add one or remove the word", word, l->word[0]);
			return;
		}
		i += vip_options[k].values;
		if (k == 0)
			vip_dev(p, l, l->word[i]);
		else
			WARN(p, l, "\"%s\" after %.60s is not supported yet and is ignored", word, l->word[0]);
	}
}

static void vip_entry(struct parser *p, const struct conf_line *l)
{
	struct inst *in = cur_inst(p);
	struct conf_vr *vr = cur_vr(p);
	struct conf_addr a;
	uint8_t plen;
	int err = conf_parse_addr(l->word[0], &a, &plen);

	in->reported |= err ? CONF_REP_VIPS : 0;
	if (err == -ERANGE) {
		ERROR(p, l, "the prefix length of \"%.60s\" is not a number from 0 to %d; correct or remove it",
		      l->word[0], a.family == 6 ? 128 : 32);
	} else if (err) {
		ERROR(p, l, "\"%.60s\" is not an IP address; write one as in 192.0.2.1/24", l->word[0]);
	} else if (!fits_family(p, l, l->word[0], &a)) {
		in->reported |= CONF_REP_VIPS;
	} else if (vr->nvips >= LIST_MAX) {
		if (!in->too_many_vips)
			ERROR(p, l, "\"%.60s\" is address number %d; an instance carries at most %d, start another one",
			      l->word[0], LIST_MAX + 1, LIST_MAX);
		in->too_many_vips = true;
	} else {
		err = conf_vr_add_vip(vr, &a, plen, l->line);
		if (err == -EEXIST)
			ERROR(p, l, "\"%.60s\" is in this instance already; remove one of the two", l->word[0]);
		p->oom |= err == -ENOMEM;
		vip_words(p, l);
	}
}

static void peer_words(struct parser *p, const struct conf_line *l)
{
	for (size_t i = 1; i < l->nwords; i++) {
		if (strcmp(l->word[i], "min_ttl") != 0 && strcmp(l->word[i], "max_ttl") != 0) {
			WARN(p, l, "\"%.60s\" after peer %.60s is not known and is ignored", l->word[i], l->word[0]);
			continue;
		}
		if (i + 1 == l->nwords) {
			ERROR(p, l, "\"%s\" after peer %.60s has no value; add 0 to 255 or remove the word", l->word[i],
			      l->word[0]);
			return;
		}
		WARN(p, l, "\"%s\" after peer %.60s is not supported yet and is ignored", l->word[i], l->word[0]);
		i++;
	}
}

static void peer_entry(struct parser *p, const struct conf_line *l)
{
	struct inst *in = cur_inst(p);
	struct conf_vr *vr = cur_vr(p);
	struct conf_addr a;
	int err;

	if (conf_parse_addr(l->word[0], &a, NULL)) {
		in->peer_block.bad = true;
		ERROR(p, l, "peer \"%.60s\" is not an IP address; write one as in 192.0.2.1, without a prefix",
		      l->word[0]);
	} else if (!fits_family(p, l, l->word[0], &a)) {
		in->peer_block.bad = true;
	} else if (vr->npeers >= LIST_MAX) {
		if (!in->too_many_peers)
			ERROR(p, l, "\"%.60s\" is peer number %d; an instance has at most %d, remove some", l->word[0],
			      LIST_MAX + 1, LIST_MAX);
		in->too_many_peers = true;
	} else {
		err = conf_vr_add_peer(vr, &a);
		if (err == -EEXIST)
			ERROR(p, l, "peer \"%.60s\" is in this instance already; remove one of the two", l->word[0]);
		p->oom |= err == -ENOMEM;
		peer_words(p, l);
	}
}

/* ---- blocks ---- */

#define KEYS(table) table, sizeof(table) / sizeof((table)[0])

static const struct {
	const struct key *keys;
	size_t nkeys;
	void (*entry)(struct parser *p, const struct conf_line *l); /* a list block */
} contexts[] = {
	[CTX_ROOT] = { KEYS(root_keys), NULL },
	[CTX_GLOBAL] = { KEYS(global_keys), NULL },
	[CTX_INSTANCE] = { KEYS(instance_keys), NULL },
	[CTX_AUTH] = { KEYS(auth_keys), NULL },
	[CTX_VIPS] = { NULL, 0, vip_entry },
	[CTX_PEERS] = { NULL, 0, peer_entry },
};

static void push(struct parser *p, struct open_block b)
{
	p->stack[p->depth++] = b;
	p->want.ctx = CTX_NONE;
}

/* These words stand at the top of a file only: inside a block they show where a "}" was forgotten. */
static bool is_root_word(const char *word)
{
	static const char *const words[] = { "global_defs", "vrrp_instance", "vrrp_script", "vrrp_sync_group" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

static void missing_close(struct parser *p)
{
	if (p->skip)
		ERROR_AT(p, p->skip_at, "the block \"%.60s\" that starts here has no closing \"}\"; add it",
			 p->unknown[0] ? p->unknown : "{");
	else if (p->depth > 1)
		ERROR_AT(p, p->stack[p->depth - 1].at, "the block \"%s\" that starts here has no closing \"}\"; add it",
			 p->stack[p->depth - 1].word);
	p->skip = 0;
	p->unknown[0] = '\0';
	p->depth = 1;
}

static void extra_words(struct parser *p, const struct key *k, const struct conf_line *l)
{
	size_t used = k->what || k->set == set_bool ? 2 : 1;

	if (k->set == open_instance || l->nwords <= used)
		return;
	WARN(p, l, "\"%.60s\" after \"%s\" is one word too many and is ignored", l->word[used], k->word);
}

static void keyword(struct parser *p, const struct key *k, const struct conf_line *l)
{
	if (k->what && l->nwords < 2) {
		ERROR(p, l, "%s has no value; it takes %s", k->word, k->what);
		if (k->fault)
			cur_inst(p)->reported |= k->fault;
		return;
	}
	extra_words(p, k, l);
	if (k->set)
		k->set(p, k, l);
	if (k->block != CTX_NONE)
		p->want = (struct open_block){ k->block, k->word, here(l) };
}

static void words(struct parser *p, const struct conf_line *l)
{
	enum ctx ctx = p->stack[p->depth - 1].ctx;

	if (contexts[ctx].entry) {
		contexts[ctx].entry(p, l);
		return;
	}
	for (size_t i = 0; i < contexts[ctx].nkeys; i++)
		if (!strcmp(l->word[0], contexts[ctx].keys[i].word)) {
			keyword(p, &contexts[ctx].keys[i], l);
			return;
		}
	snprintf(p->unknown, sizeof(p->unknown), "%.63s", *l->word[0] ? l->word[0] : "(empty word)");
	p->unknown_at = here(l);
}

/* Only the next line shows whether an unknown word had a block. */
static bool unknown_word(struct parser *p, const struct conf_line *l)
{
	bool block = l && l->ev == CONF_EV_OPEN;

	if (block) {
		WARN_AT(p, p->unknown_at, "\"%s\" is not supported and is skipped with its block", p->unknown);
		p->skip = 1;
		p->skip_at = p->unknown_at;
		return true;
	}
	WARN_AT(p, p->unknown_at, "\"%s\" is not supported and is ignored", p->unknown);
	p->unknown[0] = '\0';
	return false;
}

static int skipped(struct parser *p, const struct conf_line *l)
{
	switch (l->ev) {
	case CONF_EV_OPEN:
		if (++p->skip <= SKIP_DEPTH_MAX)
			break;
		ERROR(p, l, "blocks stand more than %d deep inside each other; remove some \"{\"", SKIP_DEPTH_MAX);
		return -1;
	case CONF_EV_CLOSE:
		p->skip--;
		if (!p->skip)
			p->unknown[0] = '\0';
		break;
	case CONF_EV_WORDS:
		break;
	}
	return 0;
}

static void stray_open(struct parser *p, const struct conf_line *l)
{
	ERROR(p, l, "this \"{\" follows no word that starts a block, so all up to its \"}\" is skipped; remove both");
	p->skip = 1;
	p->skip_at = here(l);
}

static int on_line(void *arg, const struct conf_line *l)
{
	struct parser *p = arg;

	bool root_word = l->ev == CONF_EV_WORDS && is_root_word(l->word[0]);

	if (root_word && p->skip)
		missing_close(p);
	if (p->skip)
		return skipped(p, l);
	if (p->unknown[0] && unknown_word(p, l))
		return 0;
	if (p->want.ctx != CTX_NONE) {
		bool open = l->ev == CONF_EV_OPEN;

		if (!open)
			ERROR_AT(p, p->want.at, "\"%s\" is not followed by \"{\"; add it", p->want.word);
		push(p, p->want);
		if (open)
			return 0;
	}
	if (root_word)
		missing_close(p);
	switch (l->ev) {
	case CONF_EV_OPEN:
		stray_open(p, l);
		break;
	case CONF_EV_CLOSE:
		if (p->depth > 1)
			p->depth--;
		else
			ERROR(p, l, "this \"}\" closes no block; remove it");
		break;
	case CONF_EV_WORDS:
		words(p, l);
		break;
	}
	return p->oom ? -1 : 0;
}

static void end_of_file(struct parser *p)
{
	if (!p->skip && p->unknown[0])
		unknown_word(p, NULL);
	if (p->want.ctx != CTX_NONE) {
		ERROR_AT(p, p->want.at, "\"%s\" is not followed by \"{\"; add it and the closing \"}\"", p->want.word);
		p->want.ctx = CTX_NONE;
		p->depth = 1;
	}
	missing_close(p);
}

/* ---- defaults ---- */

/* KA-3: what keepalived makes of the interval, said aloud. */
static void finish_advert(struct parser *p, struct conf_vr *vr, struct inst *in)
{
	const struct val *v = &in->advert_ns;
	uint64_t unit = vr->version == 2 ? SEC_NS : 10 * MS_NS, ns = (v->v + unit / 2) / unit * unit;

	if (!v->set || (in->reported & CONF_REP_ADVERT))
		return;
	if (ns < unit)
		ns = unit;
	if (vr->version == 3 && ns > 40950 * MS_NS) {
		ERROR_AT(p, v->at, "advert_int %llu.%02llu is too long for version 3; write 0.01 to 40.95",
			 (unsigned long long)(ns / SEC_NS), (unsigned long long)(ns % SEC_NS / (10 * MS_NS)));
		in->reported |= CONF_REP_ADVERT;
		return;
	}
	if (ns != v->v && vr->version == 2)
		WARN_AT(p, v->at,
			"advert_int becomes %llu s because version 2 has whole seconds only; write %llu, or version 3",
			(unsigned long long)(ns / SEC_NS), (unsigned long long)(ns / SEC_NS));
	else if (ns != v->v)
		WARN_AT(p, v->at, "advert_int becomes %llu.%02llu s because version 3 counts in steps of 0.01 s",
			(unsigned long long)(ns / SEC_NS), (unsigned long long)(ns % SEC_NS / (10 * MS_NS)));
	vr->adver_ns = ns;
}

/* KA-31; anything but a good PASS block leaves the router without authentication, as in keepalived. */
static void finish_auth(struct parser *p, struct conf_vr *vr, struct inst *in)
{
	const struct val *type = &in->auth_type, *pass = &in->auth_pass;
	struct at at = type->set ? type->at : pass->at;

	if ((!type->set && !pass->set) || type->bad)
		return;
	if (vr->version == 3) {
		WARN_AT(p, at,
			"the authentication block is ignored because version 3 has none (RFC 9568 9); remove it");
	} else if (type->v == AUTH_AH) {
		ERROR_AT(p, at, "auth_type AH is not supported; write PASS, on all routers of this virtual router");
	} else if (!type->set) {
		WARN_AT(p, at, "auth_pass is ignored because auth_type is missing; add \"auth_type PASS\"");
	} else if (!pass->v) {
		WARN_AT(p, at, "auth_type PASS is ignored because there is no password; add auth_pass");
	} else {
		if (pass->v > CONF_AUTH_LEN)
			WARN_AT(p, pass->at, "auth_pass has %llu characters and only the first %d count; shorten it",
				(unsigned long long)pass->v, CONF_AUTH_LEN);
		vr->auth_pass_set = true;
		memcpy(vr->auth_pass, in->pass, sizeof(vr->auth_pass));
	}
}

static void finish_preempt(struct parser *p, struct conf_vr *vr, const struct inst *in)
{
	const struct val *v = &in->preempt;

	vr->preempt = !v->set || v->v;
	if (vr->preempt || !(in->state.v || vr->priority == 255))
		return;
	WARN_AT(p, v->at, "nopreempt is cleared because it does not go with %s; use state BACKUP and priority 1 to 254",
		in->state.v ? "state MASTER" : "priority 255");
	vr->preempt = true;
}

/* KA-30 */
static void finish_unicast(struct parser *p, const struct conf_vr *vr, const struct inst *in)
{
	if (vr->npeers || in->peer_block.bad)
		return;
	if (in->peer_block.set)
		WARN_AT(p, in->peer_block.at, "unicast_peer is empty, so multicast is used; add the other routers");
	else if (in->unicast_src.set)
		WARN_AT(p, in->unicast_src.at,
			"unicast_src_ip without unicast_peer means multicast; add peers or write mcast_src_ip");
}

static void finish_devs(struct parser *p, const struct conf_vr *vr, const struct inst *in)
{
	for (size_t i = 0; i < in->ndevs; i++)
		if (vr->ifname[0] && strcmp(in->devs[i].ifname, vr->ifname) != 0)
			WARN_AT(p, in->devs[i].at,
				"\"dev %s\" after %s is not supported yet and is ignored: the address goes to %s",
				in->devs[i].ifname, in->devs[i].vip, vr->ifname);
}

static enum conf_csum csum_of(const struct val *v)
{
	if (!v->set)
		return CONF_CSUM_AUTO;
	return v->v ? CONF_CSUM_RFC9568 : CONF_CSUM_RFC5798;
}

/* KA-1, KA-2: the defaults that hang on other lines. */
static void finish(struct parser *p, struct conf_vr *vr, struct inst *in)
{
	const struct globals *g = &p->globals;

	if (!vr->family)
		vr->family = 4;
	vr->vrid = (uint8_t)in->vrid.v;
	if (in->version.set && !in->version.bad)
		vr->version = (uint8_t)in->version.v;
	else if (vr->family == 6)
		vr->version = 3;
	else
		vr->version = g->version.v ? (uint8_t)g->version.v : 2;
	if (in->priority.v)
		vr->priority = (uint8_t)in->priority.v;
	else if (in->state.v)
		vr->priority = 255;
	vr->csum = csum_of(in->csum.set ? &in->csum : &g->csum);
	finish_advert(p, vr, in);
	finish_preempt(p, vr, in);
	finish_unicast(p, vr, in);
	finish_devs(p, vr, in);
	finish_auth(p, vr, in);
}

static int finish_all(struct parser *p)
{
	unsigned int *reported = calloc(p->conf->nvrs + 1, sizeof(*reported));

	if (!reported)
		return -ENOMEM;
	p->conf->rt_priority = (int)p->globals.rt_priority.v;
	for (size_t i = 0; i < p->conf->nvrs; i++) {
		finish(p, &p->conf->vrs[i], &p->insts[i]);
		reported[i] = p->insts[i].reported;
	}
	conf_check_rest(p->conf, reported, p->diag);
	free(reported);
	return 0;
}

int conf_load(struct conf *c, const char *path, const struct conf_io *io, conf_msg_fn msg, void *msg_arg)
{
	struct conf_diag d = { .msg = msg, .arg = msg_arg };
	struct parser p = { .conf = c, .diag = &d, .depth = 1, .want.ctx = CTX_NONE };
	int err = conf_lex(c, path, io, &d, on_line, &p);

	if (p.oom)
		err = -ENOMEM;
	if (!err) {
		end_of_file(&p);
		err = finish_all(&p);
	}
	for (size_t i = 0; i < c->nvrs; i++)
		free(p.insts[i].devs);
	free(p.insts);
	return err && err != -ECANCELED ? err : d.errors;
}
