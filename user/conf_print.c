// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * struct conf -> keepalived.conf, for `check` and for tests: what conf_load() makes of it is the same tree.
 * Every default is written out, so a reader sees what runs.
 */
#include "conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct out {
	char *text;
	size_t len, cap;
	bool oom;
};

static void put(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	char *bigger;
	int n;

	if (o->oom)
		return;
	if (o->cap - o->len < 512) { /* more than any of the lines below */
		bigger = realloc(o->text, o->cap * 2 + 1024);
		if (!bigger) {
			o->oom = true;
			return;
		}
		o->text = bigger;
		o->cap = o->cap * 2 + 1024;
	}
	va_start(ap, fmt);
	n = vsnprintf(o->text + o->len, o->cap - o->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->len += (size_t)n < o->cap - o->len ? (size_t)n : o->cap - o->len - 1;
}

/* Quotes protect blanks, comment signs and braces. A quote inside cannot be written at all, and no file has one. */
static void put_word(struct out *o, const char *keyword, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/";
	const char *q = word[0] && !word[strspn(word, plain)] ? "" : "\"";

	put(o, "%s %s%s%s", keyword, q, word, q);
}

static void put_seconds(struct out *o, uint64_t ns)
{
	unsigned long long us = (unsigned long long)(ns / 1000);

	if (us % 1000000 == 0)
		put(o, "\tadvert_int %llu\n", us / 1000000);
	else if (us % 10000 == 0)
		put(o, "\tadvert_int %llu.%02llu\n", us / 1000000, us % 1000000 / 10000);
	else
		put(o, "\tadvert_int %llu.%06llu\n", us / 1000000, us % 1000000);
}

static void put_csum(struct out *o, enum conf_csum csum)
{
	switch (csum) {
	case CONF_CSUM_AUTO:
		break;
	case CONF_CSUM_RFC9568:
		put(o, "\tv3_checksum_as_v2 on\n");
		break;
	case CONF_CSUM_RFC5798:
		put(o, "\tv3_checksum_as_v2 off\n");
		break;
	}
}

static void put_auth(struct out *o, const struct conf_vr *vr)
{
	char pass[CONF_AUTH_LEN + 1] = "";

	if (!vr->auth_pass_set)
		return;
	memcpy(pass, vr->auth_pass, CONF_AUTH_LEN);
	put(o, "\tauthentication {\n\t\tauth_type PASS\n");
	put_word(o, "\t\tauth_pass", pass);
	put(o, "\n\t}\n");
}

static void put_addrs(struct out *o, const struct conf_vr *vr)
{
	char text[46];

	if (vr->src.family)
		put(o, "\t%s %s\n", vr->unicast ? "unicast_src_ip" : "mcast_src_ip",
		    conf_addr_str(&vr->src, text, sizeof(text)));
	if (vr->npeers)
		put(o, "\tunicast_peer {\n");
	for (size_t i = 0; i < vr->npeers; i++)
		put(o, "\t\t%s\n", conf_addr_str(&vr->peers[i].addr, text, sizeof(text)));
	if (vr->npeers)
		put(o, "\t}\n");
	if (vr->nvips)
		put(o, "\tvirtual_ipaddress {\n");
	for (size_t i = 0; i < vr->nvips; i++)
		put(o, "\t\t%s/%u\n", conf_addr_str(&vr->vips[i].addr, text, sizeof(text)), vr->vips[i].plen);
	if (vr->nvips)
		put(o, "\t}\n");
}

static void put_vr(struct out *o, const struct conf_vr *vr)
{
	put_word(o, "vrrp_instance", vr->name);
	put(o, " {\n");
	put_word(o, "\tinterface", vr->ifname);
	put(o, "\n\tvirtual_router_id %u\n\tversion %u\n\tpriority %u\n", vr->vrid, vr->version, vr->priority);
	put_seconds(o, vr->adver_ns);
	if (!vr->preempt)
		put(o, "\tnopreempt\n");
	put_csum(o, vr->csum);
	put_auth(o, vr);
	put_addrs(o, vr);
	put(o, "}\n");
}

char *conf_print(const struct conf *c)
{
	struct out o = { 0 };

	put(&o, "%s", "");
	if (c->rt_priority)
		put(&o, "global_defs {\n\tvrrp_rt_priority %d\n}\n", c->rt_priority);
	for (size_t i = 0; i < c->nvrs; i++)
		put_vr(&o, &c->vrs[i]);
	if (o.oom) {
		free(o.text);
		return NULL;
	}
	return o.text;
}
