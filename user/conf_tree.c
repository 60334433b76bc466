// SPDX-License-Identifier: GPL-2.0-or-later
/* The tree itself: made, filled by hand for `attach`, freed; and addresses as text. */
#include "conf_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Spec 2.2 */
void conf_init(struct conf *c)
{
	struct conf_globals *g = &c->globals;

	memset(c, 0, sizeof(*c));
	g->smtp_port = 25;
	g->smtp_timeout_s = 30;
	g->startup_timeout_s = g->shutdown_timeout_s = 10;
	g->child_wait_s = 5;
	snprintf(g->default_interface, sizeof(g->default_interface), "eth0");
}

static void tracks_free(struct conf_tracks *t)
{
	free(t->ifs);
	free(t->scripts);
	free(t->files);
	free(t->procs);
}

static void vr_free(struct conf_vr *vr)
{
	free(vr->vips);
	free(vr->excluded);
	free(vr->peers);
	free(vr->allowed);
	free(vr->routes);
	free(vr->rules);
	tracks_free(&vr->tracks);
}

size_t conf_keep_interface(struct conf *c, const char *ifname)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nvrs; i++) {
		if (strcmp(c->vrs[i].ifname, ifname) != 0) {
			vr_free(&c->vrs[i]);
			continue;
		}
		c->vrs[n] = c->vrs[i];
		c->vrs[n++].group_index = SIZE_MAX;
	}
	for (size_t i = 0; i < c->ngroups; i++) {
		free(c->groups[i].members);
		tracks_free(&c->groups[i].tracks);
	}
	c->nvrs = n;
	c->ngroups = c->nstatic_addrs = c->nstatic_routes = c->nstatic_rules = 0;
	return n;
}

void conf_free(struct conf *c)
{
	for (size_t i = 0; i < c->nvrs; i++)
		vr_free(&c->vrs[i]);
	for (size_t i = 0; i < c->ngroups; i++) {
		free(c->groups[i].members);
		tracks_free(&c->groups[i].tracks);
	}
	for (size_t i = 0; i < c->ntrack_groups; i++)
		free(c->track_groups[i].members);
	for (size_t i = 0; i < c->ngarp_groups; i++)
		free(c->garp_groups[i].ifs);
	for (size_t i = 0; i < c->nfiles; i++)
		free(c->files[i]);
	free(c->vrs);
	free(c->groups);
	free(c->scripts);
	free(c->track_files);
	free(c->processes);
	free(c->static_addrs);
	free(c->static_routes);
	free(c->static_rules);
	free(c->track_groups);
	free(c->garp_groups);
	free(c->updowns);
	free(c->globals.emails);
	free(c->files);
	conf_alloc_free(c);
	memset(c, 0, sizeof(*c));
}

static void *grow(void *array, size_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	return realloc(array, (n ? n * 2 : 1) * size);
}

void *conf_grow(struct conf_parser *p, void *array, size_t n, size_t size)
{
	void *bigger = grow(array, n, size);

	if (!bigger)
		p->oom = true;
	return bigger;
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
	vr->at.file = "";
	vr->version = 3;
	vr->priority = 100; /* RFC 9568 6.1 */
	vr->adver_ns = CONF_SEC_NS;
	vr->preempt = true;
	vr->accept = true;
	vr->down_adverts = 3;
	vr->unicast_ttl = 255;
	vr->group_index = SIZE_MAX;
	vr->garp.delay_ns = vr->garp.lower_prio_delay_ns = 5 * CONF_SEC_NS; /* KA-9, KA-11 */
	vr->garp.repeat = vr->garp.lower_prio_repeat = 5;
	vr->garp.refresh_repeat = 1;
	return vr;
}

bool conf_addr_eq(const struct conf_addr *a, const struct conf_addr *b)
{
	return a->family == b->family && !memcmp(a->b, b->b, sizeof(a->b));
}

bool conf_addr_link_local(const struct conf_addr *a)
{
	return a->family == 6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

int conf_vr_add_vip(struct conf_vr *vr, const struct conf_addr *addr, uint8_t plen, int line)
{
	struct conf_vip *vips;

	for (size_t i = 0; i < vr->nvips; i++)
		if (conf_addr_eq(&vr->vips[i].addr, addr))
			return -EEXIST;
	vips = grow(vr->vips, vr->nvips, sizeof(*vips));
	if (!vips)
		return -ENOMEM;
	vr->vips = vips;
	vips[vr->nvips++] = (struct conf_vip){ .addr = *addr, .plen = plen, .line = line, .preferred_lft = UINT32_MAX };
	if (!vr->family)
		vr->family = addr->family;
	return 0;
}

static int add_peer(struct conf_peer **list, size_t *n, const struct conf_peer *peer)
{
	struct conf_peer *bigger;

	for (size_t i = 0; i < *n; i++)
		if (conf_addr_eq(&(*list)[i].addr, &peer->addr))
			return -EEXIST;
	bigger = grow(*list, *n, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	*list = bigger;
	bigger[(*n)++] = *peer;
	return 0;
}

int conf_vr_add_peer(struct conf_vr *vr, const struct conf_addr *addr)
{
	const struct conf_peer peer = { .addr = *addr, .max_ttl = 255 };
	int err = add_peer(&vr->peers, &vr->npeers, &peer);

	if (err)
		return err;
	vr->unicast = true;
	if (!vr->family)
		vr->family = addr->family;
	return 0;
}

/* Multicast is for the link (RX-35). The family is not told by it: that a list of the other one is an error can only be seen then. */
int conf_vr_allow(struct conf_vr *vr, const struct conf_addr *addr, int line)
{
	const struct conf_peer peer = { .addr = *addr, .line = line, .ttl_set = true, .min_ttl = 255, .max_ttl = 255 };

	return add_peer(&vr->allowed, &vr->nallowed, &peer);
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
	if (slash &&
	    (slash[1] < '0' || slash[1] > '9' || !conf_parse_number(slash + 1, &plen) || plen > (v6 ? 128 : 32)))
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
