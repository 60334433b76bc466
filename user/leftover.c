// SPDX-License-Identifier: GPL-2.0-or-later
#include "leftover.h"

#include "dp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A VLAN device on the interface. */
struct upper {
	int ifindex;
	uint16_t vlan;
	char name[IFNAMSIZ];
};

struct leftover {
	struct nl *nl; /* NULL: not asked yet */
	int ifindex, err;
	const char *ifname;
	struct upper *uppers;
	size_t nuppers;
	struct nl_addr *addrs; /* of all interfaces */
	size_t naddrs, cap_addrs;
	void (*gone)(void *arg, const struct nl_addr *a);
	void *arg;
};

static void note_link(void *arg, const struct nl_link *l)
{
	struct leftover *o = arg;
	struct upper *more;

	if (l->gone || !l->vlan || l->lower != o->ifindex)
		return;
	more = realloc(o->uppers, (o->nuppers + 1) * sizeof(*more));
	if (!more) {
		o->err = -ENOMEM;
		return;
	}
	o->uppers = more;
	more += o->nuppers++;
	more->ifindex = l->ifindex;
	more->vlan = l->vlan;
	memcpy(more->name, l->name, sizeof(more->name));
}

static void note_addr(void *arg, const struct nl_addr *a)
{
	struct leftover *o = arg;
	size_t cap = o->cap_addrs * 2 + 16;
	struct nl_addr *more;

	if (a->gone)
		return;
	if (o->naddrs == o->cap_addrs) {
		more = realloc(o->addrs, cap * sizeof(*more));
		if (!more) {
			o->err = -ENOMEM;
			return;
		}
		o->addrs = more;
		o->cap_addrs = cap;
	}
	o->addrs[o->naddrs++] = *a;
}

static void ignore_lost(void *arg)
{
	(void)arg;
}

/* Only where there is something to remove, for it costs a look at all addresses. */
static int look(struct leftover *o)
{
	const struct nl_ops ops = { .link = note_link, .addr = note_addr, .lost = ignore_lost, .arg = o };
	int err = nl_new(&o->nl, &ops);

	return err ? err : nl_dump(o->nl);
}

/* The prefix length is on the interface. It may have died between the local route and the address (see vr_turn.c). */
static void remove_from(struct leftover *o, int ifindex, const char *ifname, const struct conf_addr *addr)
{
	struct conf_vip vip = { .addr = *addr };
	struct nl_change c = { .addr = &vip, .del = true }, route = { .addr = &vip, .local = true, .del = true };
	struct nl_addr gone;
	size_t i;

	memcpy(vip.dev, ifname, strlen(ifname) + 1);
	nl_commit(o->nl, &route, 1);
	for (i = 0; i < o->naddrs; i++) {
		if (o->addrs[i].ifindex != ifindex || !conf_addr_eq(&o->addrs[i].addr, addr))
			continue;
		vip.plen = o->addrs[i].plen;
		gone = o->addrs[i];
		gone.gone = true;
		if (!nl_commit(o->nl, &c, 1) && !c.err && o->gone)
			o->gone(o->arg, &gone);
	}
}

/* While the program is still attached and keeps the kernel from answering for it. */
static void on_vip(void *arg, uint32_t vlan, uint8_t family, const struct vx_addr *addr)
{
	struct leftover *o = arg;
	struct conf_addr a = { .family = family };
	size_t i;

	if (!o->nl && !o->err)
		o->err = look(o);
	if (o->err)
		return;
	memcpy(a.b, addr, family == 6 ? 16 : 4);
	if (!vlan)
		remove_from(o, o->ifindex, o->ifname, &a);
	for (i = 0; i < o->nuppers; i++)
		if (o->uppers[i].vlan == vlan)
			remove_from(o, o->uppers[i].ifindex, o->uppers[i].name, &a);
}

int leftover_remove(int ifindex, const char *ifname, void (*gone)(void *arg, const struct nl_addr *a), void *arg)
{
	struct leftover o = { .ifindex = ifindex, .ifname = ifname, .gone = gone, .arg = arg };
	int rc = dp_leftovers_remove(ifindex, ifname, on_vip, &o);

	nl_free(o.nl);
	free(o.uppers);
	free(o.addrs);
	return rc < 0 || !o.err ? rc : o.err;
}
