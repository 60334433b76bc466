/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Route netlink through libmnl: links and addresses watched, addresses set in batches with one round of acknowledgements. */
#ifndef VX_NL_H
#define VX_NL_H

#include <linux/types.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nl;

struct nl_link {
	int ifindex;
	char name[IFNAMSIZ];
	char kind[16]; /* "veth", "vlan", ...; "" for hardware */
	uint8_t mac[6];
	uint32_t carrier_changes; /* ups and downs of the carrier since the interface exists */
	bool ethernet;
	uint32_t xdp_id; /* of the attached XDP program; 0: none */
	bool up;         /* administratively up and with a carrier */
	bool gone;       /* the interface was deleted or left this namespace */
};

struct nl_addr {
	int ifindex;
	__be32 addr;
	uint8_t plen;
	bool secondary;
	bool gone;
	bool own; /* the change was made by this process */
};

struct nl_ops {
	void (*link)(void *arg, const struct nl_link *l);
	void (*addr)(void *arg, const struct nl_addr *a);
	void (*lost)(void *arg); /* notifications were lost; nl_dump() tells the present state */
	void *arg;               /* borrowed */
};

/* Opens both sockets. *@out is owned by the caller; 0 or -errno. nl_free(NULL) is legal. */
int nl_new(struct nl **out, const struct nl_ops *ops);
void nl_free(struct nl *nl);
/* Readable when there are notifications for nl_read(). */
int nl_fd(const struct nl *nl);
void nl_read(struct nl *nl);
/* Tells all links and IPv4 addresses through the callbacks. 0 or -errno. */
int nl_dump(struct nl *nl);

/* Tells one link as it is now, with a carrier that its notifications may still owe. */
int nl_link_read(struct nl *nl, int ifindex);

/* A change of an IPv4 address, carried out by nl_commit(). */
struct nl_change {
	int ifindex;
	__be32 addr;
	uint8_t plen;
	bool del;
	int err; /* out: 0 or -errno; already there and already gone are 0 */
};

/* Builds one request (pure). Returns its length, or -EMSGSIZE. */
int nl_build_change(void *buf, size_t cap, const struct nl_change *c, uint32_t seq);
/* Sends all changes in as few messages as they fit and waits for the acknowledgements. 0, or -errno if the socket failed. */
int nl_commit(struct nl *nl, struct nl_change *changes, size_t n);

#endif
