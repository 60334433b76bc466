// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules across the fields of a virtual router and across virtual routers. A file and the flags of `attach` come
 * through here alike; what only a file can say wrong is in conf_parse.c.
 */
#include "conf_lex.h"

#include "abi.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS_NS  1000000ull
#define SEC_NS 1000000000ull

enum {
	VIPS_MAX = 255,
	VIPS6_OF_1500 = 90, /* WF-4: (1500 - 40 - 8) / 16 */
};

#define FAIL(d, vr, ...) conf_say(d, CONF_ERROR, &(vr)->at, __VA_ARGS__)
#define WARN(d, vr, ...) conf_say(d, CONF_WARN, &(vr)->at, __VA_ARGS__)

/* Of an address line; its column is not kept. */
static struct conf_at line_at(const struct conf_vr *vr, int line)
{
	return line ? (struct conf_at){ vr->at.file, line, 0 } : vr->at;
}

/* ---- one virtual router ---- */

/* "eth0.100" */
static bool vlan_name(const struct conf_vr *vr, char out[CONF_IFNAME_MAX])
{
	char name[CONF_IFNAME_MAX + 8];

	snprintf(name, sizeof(name), "%s.%u", vr->ifname, vr->vlan);
	if (strlen(name) >= CONF_IFNAME_MAX)
		return false;
	memcpy(out, name, strlen(name) + 1);
	return true;
}

static void check_ids(struct conf_diag *d, const struct conf_vr *vr, unsigned int reported)
{
	char name[CONF_IFNAME_MAX];

	if (!vr->name[0] && !(reported & CONF_REP_NAME))
		FAIL(d, vr, "a virtual router has no name; give it one");
	if (!vr->ifname[0] && !(reported & CONF_REP_IFNAME))
		FAIL(d, vr, "%s: interface is missing; name the one that carries the adverts, such as eth0", vr->name);
	if (!strcmp(vr->ifname, "lo"))
		FAIL(d, vr, "%s: interface \"lo\" reaches no other router; name a network interface", vr->name);
	if (!vr->vrid && !(reported & CONF_REP_VRID))
		FAIL(d, vr, "%s: virtual_router_id is missing; set it to a number from 1 to 255", vr->name);
	if (!vr->priority && !(reported & CONF_REP_PRIORITY))
		FAIL(d, vr, "%s: priority 0 is outside 1-255; set it to a number from 1 to 255", vr->name);
	if (vr->version != 2 && vr->version != 3)
		FAIL(d, vr, "%s: VRRP version %u does not exist; set it to 2 or 3", vr->name, vr->version);
	if (vr->vlan && vr->use_vmac)
		FAIL(d, vr,
		     "%s: use_vmac and a VLAN id do not go together; use the VLAN device as the interface instead",
		     vr->name);
	if (vr->vlan && !vlan_name(vr, name))
		FAIL(d, vr, "%s: %s.%u, its VLAN device, is too long a name for an interface; shorten that of %s",
		     vr->name, vr->ifname, vr->vlan, vr->ifname);
	if (vr->vlan > CONF_VLAN_MAX)
		FAIL(d, vr, "%s: VLAN id %u is outside %u-%u; set it to one of these, or leave it out", vr->name,
		     vr->vlan, CONF_VLAN_MIN, CONF_VLAN_MAX);
}

static void check_advert_int(struct conf_diag *d, const struct conf_vr *vr)
{
	unsigned long long us = (unsigned long long)(vr->adver_ns / 1000);

	if (vr->version == 2 && (vr->adver_ns % SEC_NS || vr->adver_ns < SEC_NS || vr->adver_ns > 255 * SEC_NS))
		FAIL(d, vr,
		     "%s: advert_int %llu.%06llu s does not fit version 2; use 1 to 255 whole seconds or version 3",
		     vr->name, us / 1000000, us % 1000000);
	if (vr->version == 3 &&
	    (vr->adver_ns % (10 * MS_NS) || vr->adver_ns < 10 * MS_NS || vr->adver_ns > 40950 * MS_NS))
		FAIL(d, vr, "%s: advert_int %llu.%06llu s does not fit version 3; use 0.01 to 40.95 in steps of 0.01",
		     vr->name, us / 1000000, us % 1000000);
}

static void seconds(char *buf, size_t len, uint64_t ns)
{
	snprintf(buf, len, "%llu.%06llu", (unsigned long long)(ns / SEC_NS), (unsigned long long)(ns % SEC_NS / 1000));
}

/* A hand-over that is to be faster than Skew_Time and is not: only then does it do harm to run by the RFC. */
static void check_handover(struct conf_diag *d, struct conf_vr *vr)
{
	uint64_t rfc_ns = vr->version == 2 ? SEC_NS : vr->adver_ns;
	char own[32], rfc[32];

	seconds(own, sizeof(own), vr->handover_ns);
	seconds(rfc, sizeof(rfc), rfc_ns);
	if (vr->handover_ns > CONF_HANDOVER_MAX_NS) {
		FAIL(d, vr, "%s: hand-over skew %s s is outside 0-1 s; use less, such as 0.001", vr->name, own);
	} else if (vr->handover_ns > rfc_ns) {
		WARN(d, vr,
		     "%s: hand-over skew %s s is slower than the RFC's, %s s; the RFC's is used, write less, such as "
		     "0.001",
		     vr->name, own, rfc);
		vr->handover_ns = 0;
	}
}

/* SEC-9; with less than our own interval, we would not follow a router that is configured as we are. */
static void check_max_advert(struct conf_diag *d, struct conf_vr *vr)
{
	char own[32], max[32];

	seconds(own, sizeof(own), vr->adver_ns);
	seconds(max, sizeof(max), vr->max_adver_ns);
	if (!vr->max_adver_ns)
		return;
	if (vr->version == 2) {
		WARN(d, vr,
		     "%s: longest advert interval %s s has no meaning in version 2, where another interval than ours "
		     "is dropped; remove it",
		     vr->name, max);
		vr->max_adver_ns = 0;
	} else if (vr->max_adver_ns < vr->adver_ns) {
		FAIL(d, vr, "%s: longest advert interval %s s is below our own, %s s; use that or more", vr->name, max,
		     own);
	} else if (vr->max_adver_ns > CONF_ADVERT_MAX_NS) {
		FAIL(d, vr, "%s: longest advert interval %s s is outside 0.01-40.95 s; use less, or leave it out",
		     vr->name, max);
	}
}

static void check_settle(struct conf_diag *d, const struct conf_vr *vr)
{
	if (vr->link_settle_ns > CONF_SETTLE_MAX_NS)
		FAIL(d, vr, "%s: link settle time %llu s is outside 0-255 s; use less", vr->name,
		     (unsigned long long)(vr->link_settle_ns / SEC_NS));
}

static int cmp_addr(const struct conf_addr *a, const struct conf_addr *b)
{
	return a->family != b->family ? a->family - b->family : memcmp(a->b, b->b, sizeof(a->b));
}

/* Can this be the address of one host? */
static bool is_host(const struct conf_addr *a)
{
	static const uint8_t zero[16], loopback[16] = { [15] = 1 }, mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a->family == 6)
		return a->b[0] != 0xff && memcmp(a->b, zero, sizeof(zero)) != 0 &&
		       memcmp(a->b, loopback, sizeof(loopback)) != 0 && memcmp(a->b, mapped, sizeof(mapped)) != 0;
	return a->b[0] != 0 && a->b[0] != 127 && a->b[0] < 224;
}

static void check_addr(struct conf_diag *d, const struct conf_vr *vr, const char *what, const struct conf_addr *a,
		       int line)
{
	struct conf_at at = line_at(vr, line);
	char text[46];

	conf_addr_str(a, text, sizeof(text));
	if (a->family != vr->family)
		conf_say(d, CONF_ERROR, &at,
			 "%s: %s %s is IPv%u but the virtual router is IPv%u; give each family its own", vr->name, what,
			 text, a->family, vr->family);
	else if (!is_host(a))
		conf_say(d, CONF_ERROR, &at, "%s: %s %s is not the address of a host; use a unicast address", vr->name,
			 what, text);
}

static void check_addrs(struct conf_diag *d, const struct conf_vr *vr)
{
	char text[46];

	for (size_t i = 0; i < vr->nvips; i++)
		check_addr(d, vr, "virtual address", &vr->vips[i].addr, vr->vips[i].line);
	for (size_t i = 0; i < vr->npeers; i++)
		check_addr(d, vr, "peer", &vr->peers[i].addr, 0);
	for (size_t i = 0; i < vr->nallowed; i++)
		check_addr(d, vr, "allowed peer", &vr->allowed[i].addr, vr->allowed[i].line);
	if (vr->src.family)
		check_addr(d, vr, "source address", &vr->src, 0);
	for (size_t i = 0; vr->src.family && vr->priority != 255 && i < vr->nvips; i++) /* WF-11 */
		if (!cmp_addr(&vr->src, &vr->vips[i].addr))
			FAIL(d, vr,
			     "%s: source address %s is a virtual address too, which only priority 255 may have; use "
			     "one of the "
			     "interface's own",
			     vr->name, conf_addr_str(&vr->src, text, sizeof(text)));
}

/* KA-7 */
static void check_vip_count(struct conf_diag *d, const struct conf_vr *vr, unsigned int reported)
{
	if (vr->nvips > VIPS_MAX)
		FAIL(d, vr, "%s: %zu virtual addresses do not fit an advert; use at most %d", vr->name, vr->nvips,
		     VIPS_MAX);
	if (vr->nvips)
		return;
	if (vr->strict)
		FAIL(d, vr, "%s: there is no virtual address; strict mode needs 1 to %d of them", vr->name, VIPS_MAX);
	else if (vr->version == 2 && (reported & CONF_REP_VIPS))
		return;
	else if (vr->version == 2)
		WARN(d, vr, "%s: there is no virtual address, so a takeover moves nothing; add one", vr->name);
	else
		FAIL(d, vr, "%s: there is no virtual address; version 3 needs 1 to %d of them", vr->name, VIPS_MAX);
}

/* KA-7: between routers that do not follow RFC 9568 5.2.9 any first address will do, and keepalived is one of them. */
static void check_first_vip(struct conf_diag *d, const struct conf_vr *vr)
{
	const struct conf_addr *first = vr->nvips ? &vr->vips[0].addr : NULL;
	struct conf_at at;
	char text[46];

	if (!first || vr->unicast || first->family != 6 || !is_host(first) || conf_addr_link_local(first))
		return;
	at = line_at(vr, vr->vips[0].line);
	conf_addr_str(first, text, sizeof(text));
	if (vr->strict)
		conf_say(d, CONF_ERROR, &at,
			 "%s: the first virtual address, %s, is not link-local, but strict mode needs that; put one "
			 "such as fe80::%u/64 before it",
			 vr->name, text, vr->vrid);
	else
		conf_say(d, CONF_WARN, &at,
			 "%s: the first virtual address, %s, is not link-local: routers that go by RFC 9568 5.2.9 drop "
			 "such adverts; put one such as fe80::%u/64 before it, on all routers",
			 vr->name, text, vr->vrid);
}

/* RX-14 */
static void check_allowed_ipv6(struct conf_diag *d, const struct conf_vr *vr)
{
	char text[46];

	for (size_t i = 0; i < vr->nallowed; i++) {
		const struct conf_peer *p = &vr->allowed[i];
		struct conf_at at = line_at(vr, p->line);

		if (p->addr.family == 6 && !conf_addr_link_local(&p->addr))
			conf_say(d, CONF_WARN, &at,
				 "%s: allowed peer %s is not link-local, but multicast adverts come from link-local "
				 "addresses only; list the router by its one in fe80::/10",
				 vr->name, conf_addr_str(&p->addr, text, sizeof(text)));
	}
}

static void check_ipv6(struct conf_diag *d, const struct conf_vr *vr)
{
	char text[46];

	if (vr->family != 6)
		return;
	if (vr->version == 2)
		FAIL(d, vr, "%s: version 2 is for IPv4 only; use version 3", vr->name);
	check_first_vip(d, vr);
	check_allowed_ipv6(d, vr);
	if (!vr->unicast && vr->src.family == 6 && !conf_addr_link_local(&vr->src)) /* RX-14 */
		FAIL(d, vr,
		     "%s: source address %s is not link-local, and other routers drop adverts from it (RFC 9568 "
		     "5.1.2.1); use one of %s's in fe80::/10, or leave it out",
		     vr->name, conf_addr_str(&vr->src, text, sizeof(text)), vr->ifname);
	if (vr->nvips > VIPS6_OF_1500 && vr->nvips <= VIPS_MAX)
		WARN(d, vr, "%s: %zu virtual addresses need an MTU above 1500, which holds %d; use fewer", vr->name,
		     vr->nvips, VIPS6_OF_1500);
}

/* What does not go together, with keepalived's way out of it. */
static void check_conflicts(struct conf_diag *d, struct conf_vr *vr)
{
	if (!vr->preempt && vr->priority == 255) {
		WARN(d, vr, "%s: nopreempt is cleared because priority 255 always takes over; use 1 to 254", vr->name);
		vr->preempt = true;
	}
	if (vr->auth_pass_set && vr->version == 3) {
		WARN(d, vr, "%s: the password is ignored because version 3 has none (RFC 9568 9); use version 2",
		     vr->name);
		vr->auth_pass_set = false;
		memset(vr->auth_pass, 0, sizeof(vr->auth_pass));
	}
}

/* With unicast, the list of peers is who is heard (RX-34). */
static void check_allowed(struct conf_diag *d, struct conf_vr *vr)
{
	struct conf_at at;

	if (!vr->nallowed || !vr->unicast)
		return;
	at = line_at(vr, vr->allowed[0].line);
	conf_say(d, CONF_WARN, &at,
		 "%s: the list of allowed peers is ignored because the unicast peers are the list already; remove it",
		 vr->name);
	vr->nallowed = 0;
}

/* 7 #25 */
static void check_strict(struct conf_diag *d, const struct conf_vr *vr)
{
	if (vr->strict && vr->npeers)
		FAIL(d, vr, "%s: strict mode knows no unicast peers; remove unicast_peer or vrrp_strict", vr->name);
}

static uint8_t family_of(const struct conf_vr *vr)
{
	if (vr->nvips)
		return vr->vips[0].addr.family;
	if (vr->npeers)
		return vr->peers[0].addr.family;
	return vr->src.family ? vr->src.family : 4;
}

/* An address line without `dev` means the instance's interface. */
static void fill_devs(struct conf_vip *vips, size_t n, const char *ifname)
{
	for (size_t i = 0; i < n; i++)
		if (!vips[i].dev[0])
			memcpy(vips[i].dev, ifname, sizeof(vips[i].dev));
}

static void check_vr(struct conf_diag *d, struct conf_vr *vr, unsigned int reported)
{
	fill_devs(vr->vips, vr->nvips, vr->ifname);
	fill_devs(vr->excluded, vr->nexcluded, vr->ifname);
	if (!vr->family)
		vr->family = family_of(vr);
	vr->unicast = vr->npeers > 0;
	check_ids(d, vr, reported);
	check_allowed(d, vr);
	if (!(reported & CONF_REP_ADVERT))
		check_advert_int(d, vr);
	check_handover(d, vr);
	check_max_advert(d, vr);
	check_settle(d, vr);
	check_ipv6(d, vr);
	check_addrs(d, vr);
	check_vip_count(d, vr, reported);
	check_strict(d, vr);
	check_conflicts(d, vr);
}

/* ---- between virtual routers ---- */

/*
 * What a virtual router claims on an interface: its VRID, or one of its addresses. Sorted, equal claims are neighbours. The data
 * plane tells virtual routers apart by interface, VLAN, VRID and family alone, so unicast and multicast share the numbers (not so KA-4).
 */
struct claim {
	const struct conf_vr *vr;
	const struct conf_vip *vip; /* NULL: the VRID */
	const char *ifname;
	uint16_t vlan; /* each has addresses of its own */
	bool excluded;
};

static int cmp_claim(const struct claim *a, const struct claim *b)
{
	int c = strcmp(a->ifname, b->ifname);

	if (!c)
		c = a->vlan - b->vlan;
	if (!c)
		c = !!a->vip - !!b->vip;
	if (!c && a->vip)
		return cmp_addr(&a->vip->addr, &b->vip->addr);
	if (!c)
		c = a->vr->vrid - b->vr->vrid;
	return c ? c : a->vr->family - b->vr->family;
}

/* Equal claims stay in the order of the configuration, so that the later one is complained about. */
static int by_claim(const void *x, const void *y)
{
	const struct claim *a = x, *b = y;
	int c = cmp_claim(a, b);

	return c ? c : (a->vr > b->vr) - (a->vr < b->vr);
}

static struct claim claim_vip(const struct conf_vr *vr, const struct conf_vip *vip, bool excluded)
{
	return (struct claim){ vr, vip, vip->dev, strcmp(vip->dev, vr->ifname) ? 0 : vr->vlan, excluded };
}

static size_t collect_claims(const struct conf *c, struct claim *out)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nvrs; i++) {
		const struct conf_vr *vr = &c->vrs[i];

		if (!vr->ifname[0])
			continue;
		if (vr->vrid)
			out[n++] = (struct claim){ vr, NULL, vr->ifname, vr->vlan, false };
		for (size_t j = 0; j < vr->nvips; j++)
			out[n++] = claim_vip(vr, &vr->vips[j], false);
		for (size_t j = 0; j < vr->nexcluded; j++)
			out[n++] = claim_vip(vr, &vr->excluded[j], true);
	}
	return n;
}

static void where(const struct conf_vr *vr, char *buf, size_t len)
{
	buf[0] = '\0';
	if (vr->at.file[0]) {
		const char *slash = strrchr(vr->at.file, '/');

		snprintf(buf, len, " (%.80s:%d)", slash ? slash + 1 : vr->at.file, vr->at.line);
	}
}

static void say_claim(struct conf_diag *d, const struct claim *first, const struct claim *second)
{
	const struct conf_vr *vr = second->vr;
	struct conf_at at = line_at(vr, second->vip ? second->vip->line : 0);
	char place[128], text[46], vlan[16] = "";
	const char *cast = "";

	where(first->vr, place, sizeof(place));
	if (second->vlan)
		snprintf(vlan, sizeof(vlan), " VLAN %u", second->vlan);
	if (second->vip) { /* only what is in adverts has an owner that the data plane looks up */
		conf_say(d, first->excluded || second->excluded ? CONF_WARN : CONF_ERROR, &at,
			 "%s: virtual address %s on %s%s is taken by \"%s\"%s; leave it to one of them", vr->name,
			 conf_addr_str(&second->vip->addr, text, sizeof(text)), second->ifname, vlan, first->vr->name,
			 place);
		return;
	}
	if (vr->unicast != first->vr->unicast)
		cast = " (keepalived tells unicast and multicast apart, XDP does not)";
	else if (vr->unicast)
		cast = " (keepalived tells them apart by their peers, XDP does not)";
	FAIL(d, vr, "%s: virtual_router_id %u on %s%s is taken by \"%s\"%s%s; use another number from 1 to 255",
	     vr->name, vr->vrid, vr->ifname, vlan, first->vr->name, place, cast);
}

static bool check_claims(struct conf_diag *d, const struct conf *c)
{
	struct claim *claims;
	size_t max = 0, n;

	for (size_t i = 0; i < c->nvrs; i++)
		max += c->vrs[i].nvips + c->vrs[i].nexcluded + 1;
	claims = calloc(max + 1, sizeof(*claims));
	if (!claims)
		return false;
	n = collect_claims(c, claims);
	qsort(claims, n, sizeof(*claims), by_claim);
	for (size_t i = 1, start = 0; i < n; i++) {
		if (cmp_claim(&claims[start], &claims[i]) || claims[start].vr == claims[i].vr)
			start = i;
		else
			say_claim(d, &claims[start], &claims[i]);
	}
	free(claims);
	return true;
}

/* A unicast instance with its own source, and one of its peers: the peer could not tell two such instances apart (7 #7). */
struct talk {
	const struct conf_vr *vr;
	const struct conf_addr *peer;
};

static int cmp_talk(const struct talk *a, const struct talk *b)
{
	int c = a->vr->vrid - b->vr->vrid;

	if (!c)
		c = cmp_addr(&a->vr->src, &b->vr->src);
	return c ? c : cmp_addr(a->peer, b->peer);
}

static int by_talk(const void *x, const void *y)
{
	const struct talk *a = x, *b = y;
	int c = cmp_talk(a, b);

	return c ? c : (a->vr > b->vr) - (a->vr < b->vr);
}

static void say_talk(struct conf_diag *d, const struct talk *first, const struct talk *second)
{
	char place[128], src[46], peer[46];
	const struct conf_vr *vr = second->vr;

	if (!strcmp(vr->ifname, first->vr->ifname) && vr->vlan == first->vr->vlan)
		return; /* say_claim() has said it */
	if (conf_addr_link_local(&vr->src) || conf_addr_link_local(second->peer))
		return; /* another link, another host */
	where(first->vr, place, sizeof(place));
	FAIL(d, vr,
	     "%s: virtual_router_id %u from %s to peer %s is used by \"%s\"%s; use another number, source or peer",
	     vr->name, vr->vrid, conf_addr_str(&vr->src, src, sizeof(src)),
	     conf_addr_str(second->peer, peer, sizeof(peer)), first->vr->name, place);
}

static bool check_talks(struct conf_diag *d, const struct conf *c)
{
	struct talk *talks;
	size_t max = 0, n = 0;

	for (size_t i = 0; i < c->nvrs; i++)
		max += c->vrs[i].npeers;
	talks = calloc(max + 1, sizeof(*talks));
	if (!talks)
		return false;
	for (size_t i = 0; i < c->nvrs; i++)
		for (size_t j = 0; c->vrs[i].src.family && j < c->vrs[i].npeers; j++)
			talks[n++] = (struct talk){ &c->vrs[i], &c->vrs[i].peers[j].addr };
	qsort(talks, n, sizeof(*talks), by_talk);
	for (size_t i = 1, start = 0; i < n; i++) {
		if (cmp_talk(&talks[start], &talks[i]))
			start = i;
		else
			say_talk(d, &talks[start], &talks[i]);
	}
	free(talks);
	return true;
}

static int by_name(const void *x, const void *y)
{
	const struct conf_vr *a = *(const struct conf_vr *const *)x, *b = *(const struct conf_vr *const *)y;
	int c = strcmp(a->name, b->name);

	return c ? c : (a > b) - (a < b);
}

static bool check_names(struct conf_diag *d, const struct conf *c)
{
	const struct conf_vr **vrs = calloc(c->nvrs + 1, sizeof(*vrs));
	char at[128];

	if (!vrs)
		return false;
	for (size_t i = 0; i < c->nvrs; i++)
		vrs[i] = &c->vrs[i];
	qsort(vrs, c->nvrs, sizeof(*vrs), by_name);
	for (size_t i = 1; i < c->nvrs; i++) {
		if (!vrs[i]->name[0] || strcmp(vrs[i - 1]->name, vrs[i]->name) != 0)
			continue;
		where(vrs[i - 1], at, sizeof(at));
		FAIL(d, vrs[i], "%s: this name is taken already%s; give each virtual router its own name", vrs[i]->name,
		     at);
	}
	free(vrs);
	return true;
}

/* Interfaces whose frames are looked at: those of adverts and of virtual addresses. */
struct carriers {
	const char *names[VX_MAX_IFS + 1];
	char vlans[VX_MAX_IFS + 1][CONF_IFNAME_MAX];
	size_t n;
};

/* False: one too many. */
static bool carries(struct carriers *k, const char *name)
{
	size_t i;

	for (i = 0; i < k->n && strcmp(k->names[i], name) != 0; i++)
		;
	if (i == k->n)
		k->names[k->n++] = name;
	return k->n <= VX_MAX_IFS;
}

static bool vips_carry(struct carriers *k, const struct conf_vr *vr, const struct conf_vip *vips, size_t n)
{
	bool fit = true;

	for (size_t i = 0; fit && i < n; i++)
		if (strcmp(vips[i].dev, vr->ifname) != 0)
			fit = carries(k, vips[i].dev);
	return fit;
}

/* A router with a VLAN id takes two: the parent's program, and the VLAN device that has the addresses. */
static bool vr_carries(struct carriers *k, const struct conf_vr *vr)
{
	char *vlan = k->vlans[k->n];

	if (vr->ifname[0] && !carries(k, vr->ifname))
		return false;
	if (vr->vlan && vlan_name(vr, vlan) && !carries(k, vlan))
		return false;
	return vips_carry(k, vr, vr->vips, vr->nvips) && vips_carry(k, vr, vr->excluded, vr->nexcluded);
}

/* What the data plane has room for; the router at which it is full is where the line points. */
static void check_room(struct conf_diag *d, const struct conf *c)
{
	struct carriers k = { .n = 0 };
	size_t i;

	if (c->nvrs > VX_MAX_VRS)
		FAIL(d, &c->vrs[VX_MAX_VRS],
		     "%s: there are %zu virtual routers, and one vrrp-xdp runs at most %d; this is the first beyond; "
		     "split them over several network namespaces",
		     c->vrs[VX_MAX_VRS].name, c->nvrs, VX_MAX_VRS);
	for (i = 0; i < c->nvrs && vr_carries(&k, &c->vrs[i]); i++)
		;
	if (i < c->nvrs)
		FAIL(d, &c->vrs[i],
		     "%s: with its interfaces there are more than the %d that one vrrp-xdp runs; split the virtual "
		     "routers over several files and network namespaces",
		     c->vrs[i].name, VX_MAX_IFS);
}

void conf_check_rest(struct conf *c, const unsigned int *reported, struct conf_diag *d)
{
	const struct conf_at nowhere = { .file = "" };

	fill_devs(c->static_addrs, c->nstatic_addrs, c->globals.default_interface);
	for (size_t i = 0; i < c->nvrs; i++)
		check_vr(d, &c->vrs[i], reported ? reported[i] : 0);
	check_room(d, c);
	if (!check_names(d, c) || !check_claims(d, c) || !check_talks(d, c))
		conf_say(d, CONF_ERROR, &nowhere, "there is not enough memory to compare the virtual routers");
}

int conf_check(struct conf *c, conf_msg_fn msg, void *msg_arg)
{
	struct conf_diag d = { .msg = msg, .arg = msg_arg };

	conf_check_rest(c, NULL, &d);
	return d.errors;
}

static void rename_dev(struct conf_vip *vips, size_t n, const char *from, const char *to)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(vips[i].dev, from))
			memcpy(vips[i].dev, to, CONF_IFNAME_MAX);
}

void conf_name_vlans(struct conf *c)
{
	char name[CONF_IFNAME_MAX] = "";

	for (size_t i = 0; i < c->nvrs; i++) {
		struct conf_vr *vr = &c->vrs[i];

		if (!vr->vlan || !vlan_name(vr, name))
			continue;
		rename_dev(vr->vips, vr->nvips, vr->ifname, name);
		rename_dev(vr->excluded, vr->nexcluded, vr->ifname, name);
		memcpy(vr->parent, vr->ifname, sizeof(vr->parent));
		memcpy(vr->ifname, name, sizeof(vr->ifname));
	}
}
