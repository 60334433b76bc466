/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Route netlink through libmnl: links, addresses, routes and rules are watched, and set in batches with one round of
 * acknowledgements.
 *
 *   nl.c        sockets, notifications, batches
 *   nl_build.c  requests, and the parts of a notification that identify what it is about; talks to nobody
 */
#ifndef VX_NL_H
#define VX_NL_H

#include "conf.h"

#include <linux/types.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nl;
struct nlmsghdr;

struct nl_link {
	int ifindex;
	char name[IFNAMSIZ];
	char kind[16]; /* "veth", "vlan", ...; "" for hardware */
	uint8_t mac[6];
	uint32_t mtu;
	uint32_t carrier_changes; /* ups and downs of the carrier since the interface exists */
	uint64_t rx_packets;      /* received since the interface exists */
	bool ethernet, loopback;
	uint32_t xdp_id; /* of the attached XDP program, the one in hardware not counted; 0: none */
	int lower;       /* ifindex of the interface below it (IFLA_LINK); 0: none, or in another namespace */
	uint16_t vlan;   /* VLAN device: its VLAN id */
	bool up;         /* administratively up and with a carrier */
	bool gone;       /* the interface was deleted or left this namespace */
};

struct nl_addr {
	int ifindex;
	struct conf_addr addr;
	uint8_t plen;
	bool secondary; /* IPv6: temporary, replaced by another within a day (RFC 8981) */
	bool tentative; /* IPv6: tested for duplicates, or found to be one */
	bool gone;
	bool own; /* the change was made by this process; of new IPv6 addresses the kernel does not say */
};

/* A route or a rule that has gone, as far as it can be told apart: see nl_is_route(), nl_is_rule(). */
struct nl_route_key {
	uint8_t family, dst_plen, tos, type, protocol;
	struct conf_addr dst, via; /* family 0: default; no gateway */
	uint32_t table, metric;
	int oif; /* 0 without @via: several hops, or none */
	bool own;
};

struct nl_rule_key {
	uint8_t family, action, protocol;
	uint32_t table, pref;
	bool own;
};

struct nl_ops {
	void (*link)(void *arg, const struct nl_link *l);
	void (*addr)(void *arg, const struct nl_addr *a);
	void (*route_gone)(void *arg, const struct nl_route_key *k); /* only routes of protocol 18 (keepalived) */
	void (*rule_gone)(void *arg, const struct nl_rule_key *k);   /* only rules of protocol 18 */
	void (*tc_gone)(void *arg, int ifindex);                     /* a qdisc or a filter of it */
	void (*lost)(void *arg); /* notifications were lost; nl_dump() tells the present state */
	void *arg;               /* borrowed */
};

enum { NL_PROTO = 18 }; /* RTPROT_KEEPALIVED: of every route and rule that comes and goes with a role */

/* Opens both sockets. *@out is owned by the caller; 0 or -errno. nl_free(NULL) is legal. */
int nl_new(struct nl **out, const struct nl_ops *ops);
void nl_free(struct nl *nl);
/* Readable as long as there are notifications for nl_read(), which takes some milliseconds' worth of them. */
int nl_fd(const struct nl *nl);
/* Whether that was all. After a loss the kernel tells nothing until it was, and what was left is older than any dump. */
bool nl_read(struct nl *nl);
/* Tells all links and addresses, of both families, through the callbacks. 0 or -errno. */
int nl_dump(struct nl *nl);

/* Turns route_gone() and rule_gone() on or off; off at first. With routes on, only deletions of protocol 18 wake the reader, but the
 * kernel filters every change of every table: leave it off where nothing depends on it. 0 or -errno.
 * The kernel keeps silent about an IPv4 route that goes with its interface, and older ones also about one that goes with its
 * preferred source: link() and addr() tell. Those that it does tell of are not own, even if we deleted the address. */
int nl_watch_routes(struct nl *nl, bool routes, bool rules);

/* Turns tc_gone() on or off; off at first. 0 or -errno. */
int nl_watch_tc(struct nl *nl, bool on);

/* Tells one link as it is now, with a carrier that its notifications may still owe. */
int nl_link_read(struct nl *nl, int ifindex);
/* The index of @ifname as the last notification said; 0: no such interface. No system call. */
int nl_ifindex(const struct nl *nl, const char *ifname);
/* Whether VLAN devices are on top of @ifindex, as far as notifications said. No system call. */
bool nl_has_vlans(const struct nl *nl, int ifindex);

/*
 * A change, carried out by nl_commit(). Exactly one of the pointers is set; all are borrowed. @local: not the address itself but a route that makes the
 * kernel take packets for it, in the local table, of protocol 18. To add that takes 4 us; to add an address 20 to 130, and more with every one that the
 * interface has: IPv4 walks their list, IPv6 has the network hear of a multicast group. Where the address is there, too, the two do not mind each other.
 */
struct nl_change {
	const struct conf_vip *addr;
	bool local;
	bool no_wait; /* for nl_settle() */
	const struct conf_route *route;
	const struct conf_rule *rule;
	bool del;
	int err; /* out: 0 or -errno; already there and already gone are 0 */
};

/* Builds one request without NLM_F_ACK; names of interfaces become indices through @ifindex(@arg, name), 0 is an unknown one.
 * Returns its length, -EMSGSIZE (@cap, or more than 65535 bytes), or -ENODEV. */
int nl_build_change(void *buf, size_t cap, const struct nl_change *c,
		    int (*ifindex)(const void *arg, const char *ifname), const void *arg, uint32_t seq);
/* Sends all changes, in their order, in as few messages as they fit and waits for the acknowledgements. 0, or -errno if the socket
 * failed. A request that cannot be built has its error in its err and stops nothing. Needs one nl_dump()
 * before it, for the names of interfaces. May be called from a callback; nl_dump() and nl_link_read() may not, and say -EBUSY. A new IPv6 address is told by a worker of the kernel, later than this returns. */
int nl_commit(struct nl *nl, struct nl_change *changes, size_t n);

/*
 * Waits, some milliseconds at most, until the kernel takes packets for the IPv6 addresses that were added: it acknowledges them before that
 * and lets a work queue do the rest.
 */
void nl_settle(struct nl *nl, const struct nl_change *changes, size_t n);
/* The same before local routes are taken away: until the addresses do without them. */
void nl_await(struct nl *nl, const struct nl_change *changes, size_t n);

/* What a route or rule message of the kernel is about; not @own. False: of another family, or malformed. */
bool nl_parse_route(const struct nlmsghdr *nlh, struct nl_route_key *k);
bool nl_parse_rule(const struct nlmsghdr *nlh, struct nl_rule_key *k);
/* Is @k the route, the rule, of the configuration? One hop of several that has gone counts as the route. */
bool nl_is_route(const struct nl *nl, const struct nl_route_key *k, const struct conf_route *r);
bool nl_is_rule(const struct nl_rule_key *k, const struct conf_rule *r);

#endif
