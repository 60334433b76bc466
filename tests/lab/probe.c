// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lab's eyes: what a client sees of a virtual address, and what routers say on the wire.
 *
 *   probe ping [-i IFACE] [-e ECHO_US] [-a ARP_US] [-t SECONDS] ADDRESS
 *   probe watch [-i IFACE] [-t SECONDS]
 *
 * `ping` sends an echo request every ECHO_US microseconds (default 1000, 0: none) the way an application would, through
 * the kernel's neighbour cache, so that a missing gratuitous ARP shows; and every ARP_US microseconds (default 0: none)
 * a broadcast ARP request, or a neighbour solicitation, past that cache, so that every router which answers is seen.
 * `watch` sends nothing and reports adverts, gratuitous ARPs and unsolicited neighbour advertisements.
 *
 * One JSON object per line on stdout, first "ready", last "summary"; "t" is the kernel's receive time, CLOCK_REALTIME
 * nanoseconds. Lines are flushed every 10 ms: the reader is woken a hundred times a second, not once per frame.
 * Ends after SECONDS, on SIGINT or SIGTERM, or when stdin, being a pipe, is closed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S  1000000000LL
#define NS_PER_US 1000LL
#define FLUSH_NS  (10 * 1000 * NS_PER_US)
#define RCVBUF    (16 << 20)
#define FRAME_MAX 2048

#define IPPROTO_VRRP    112
#define VRRP_ADVERT     1
#define RAW_ICMP_FILTER 1 /* ICMP_FILTER of <linux/icmp.h>, which cannot be included beside <netinet/ip_icmp.h> */

struct probe {
	bool watch;
	const char *ifname;
	long echo_us, arp_us;
	double seconds;
	int family; /* of the address; 0 when watching */
	uint8_t addr[16];
	uint8_t mac[6], src[16]; /* the interface's own */
	int ifindex;
	int rx, echo, epoll;
	uint16_t echo_id, echo_seq;
	uint8_t ask[128]; /* the ARP request or neighbour solicitation, built once */
	size_t ask_len;
	uint64_t echo_sent, echo_got, ask_sent, ask_got, announced, adverts;
};

struct frame {
	int64_t t;
	bool out;
	const uint8_t *b;
	size_t len;
};

static void die(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void usage(void)
{
	fprintf(stderr, "usage: probe ping [-i IFACE] [-e ECHO_US] [-a ARP_US] [-t SECONDS] ADDRESS\n"
			"       probe watch [-i IFACE] [-t SECONDS]\n");
	exit(2);
}

static size_t addr_len(const struct probe *p)
{
	return p->family == AF_INET ? 4 : 16;
}

/* The Internet checksum as it goes into the packet; @sum carries a pseudo-header's 16-bit words. */
static uint16_t csum(const uint8_t *b, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)b[i] << 8 | b[i + 1];
	if (len & 1)
		sum += (uint32_t)b[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* ---- what is printed ---- */

static void print_mac(const char *key, const uint8_t *m)
{
	printf(",\"%s\":\"%02x:%02x:%02x:%02x:%02x:%02x\"", key, m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void print_head(const struct frame *f, const char *kind)
{
	printf("{\"t\":%" PRId64 ",\"kind\":\"%s\",\"dir\":\"%s\"", f->t, kind, f->out ? "out" : "in");
	print_mac("src", f->b + 6);
	print_mac("dst", f->b);
}

static void print_ip(int family, const void *addr)
{
	char text[INET6_ADDRSTRLEN];

	printf(",\"ip\":\"%s\"", inet_ntop(family, addr, text, sizeof(text)));
}

static void print_summary(struct probe *p)
{
	struct tpacket_stats st = { 0 };
	socklen_t len = sizeof(st);

	getsockopt(p->rx, SOL_PACKET, PACKET_STATISTICS, &st, &len);
	printf("{\"kind\":\"summary\",\"echo_sent\":%" PRIu64 ",\"echo_got\":%" PRIu64 ",\"arp_sent\":%" PRIu64
	       ",\"arp_got\":%" PRIu64 ",\"announced\":%" PRIu64 ",\"adverts\":%" PRIu64 ",\"lost_by_probe\":%u}\n",
	       p->echo_sent, p->echo_got, p->ask_sent, p->ask_got, p->announced, p->adverts, st.tp_drops);
	fflush(stdout);
}

/* ---- what is received ---- */

static bool concerns(const struct probe *p, int family, const uint8_t *addr)
{
	return p->watch || (family == p->family && !memcmp(addr, p->addr, addr_len(p)));
}

/* Announcements always; answers to a question only when pinging. */
static void on_claim(struct probe *p, const struct frame *f, bool announce, int family, const uint8_t *addr,
		     const uint8_t *lladdr)
{
	bool v4 = family == AF_INET;

	if (!concerns(p, family, addr) || (p->watch && !announce))
		return;
	if (announce)
		p->announced++;
	else
		p->ask_got++;
	print_head(f, announce ? (v4 ? "garp" : "una") : (v4 ? "arp" : "na"));
	print_ip(family, addr);
	print_mac("lladdr", lladdr);
	printf("}\n");
}

static void on_arp(struct probe *p, const struct frame *f)
{
	const struct ether_arp *a = (const void *)(f->b + ETH_HLEN);
	bool announce;

	if (f->len < ETH_HLEN + sizeof(*a))
		return;
	announce = !memcmp(a->arp_spa, a->arp_tpa, 4);
	if (announce || a->ea_hdr.ar_op == htons(ARPOP_REPLY))
		on_claim(p, f, announce, AF_INET, a->arp_spa, a->arp_sha);
}

/* Neighbour advertisement: the target's link-layer address stands in option 2; without one the sender's counts. */
static void on_na(struct probe *p, const struct frame *f, const uint8_t *b, size_t len)
{
	const struct nd_neighbor_advert *na = (const void *)b;
	const uint8_t *lladdr = f->b + 6;

	if (len < sizeof(*na))
		return;
	if (len >= sizeof(*na) + 8 && b[sizeof(*na)] == ND_OPT_TARGET_LINKADDR)
		lladdr = b + sizeof(*na) + 2;
	on_claim(p, f, !(na->nd_na_flags_reserved & ND_NA_FLAG_SOLICITED), AF_INET6, na->nd_na_target.s6_addr, lladdr);
}

static void on_echo(struct probe *p, const struct frame *f, int family, const uint8_t *src, const uint8_t *b)
{
	uint16_t id = (uint16_t)(b[4] << 8 | b[5]);

	if (p->watch || id != p->echo_id || !concerns(p, family, src))
		return;
	p->echo_got++;
	print_head(f, "echo");
	printf(",\"seq\":%d}\n", b[6] << 8 | b[7]);
}

static void on_advert(struct probe *p, const struct frame *f, int family, const uint8_t *src, const uint8_t *b)
{
	int version = b[0] >> 4;
	int64_t interval = version == 3 ? ((b[4] & 0x0f) << 8 | b[5]) * (NS_PER_S / 100) : b[5] * NS_PER_S;

	if (!p->watch || (b[0] & 0x0f) != VRRP_ADVERT)
		return;
	p->adverts++;
	print_head(f, "advert");
	print_ip(family, src);
	printf(",\"version\":%d,\"vrid\":%d,\"priority\":%d,\"interval_ns\":%" PRId64 ",\"addresses\":%d}\n", version,
	       b[1], b[2], interval, b[3]);
}

static void on_ipv4(struct probe *p, const struct frame *f)
{
	const uint8_t *b = f->b + ETH_HLEN;
	size_t len = f->len - ETH_HLEN;
	size_t head = (b[0] & 0x0f) * 4u;

	if (len < sizeof(struct iphdr) || head < sizeof(struct iphdr) || len < head + 8)
		return;
	if (b[9] == IPPROTO_ICMP && b[head] == ICMP_ECHOREPLY)
		on_echo(p, f, AF_INET, b + 12, b + head);
	else if (b[9] == IPPROTO_VRRP)
		on_advert(p, f, AF_INET, b + 12, b + head);
}

static void on_ipv6(struct probe *p, const struct frame *f)
{
	const uint8_t *b = f->b + ETH_HLEN;
	const uint8_t *body = b + sizeof(struct ip6_hdr);

	if (f->len < ETH_HLEN + sizeof(struct ip6_hdr) + 8)
		return;
	if (b[6] == IPPROTO_ICMPV6 && body[0] == ICMP6_ECHO_REPLY)
		on_echo(p, f, AF_INET6, b + 8, body);
	else if (b[6] == IPPROTO_ICMPV6 && body[0] == ND_NEIGHBOR_ADVERT)
		on_na(p, f, body, f->len - ETH_HLEN - sizeof(struct ip6_hdr));
	else if (b[6] == IPPROTO_VRRP)
		on_advert(p, f, AF_INET6, b + 8, body);
}

static void on_frame(struct probe *p, const struct frame *f)
{
	if (f->len < ETH_HLEN + 8 || (f->out && !p->watch))
		return;
	switch (f->b[12] << 8 | f->b[13]) {
	case ETHERTYPE_ARP:
		on_arp(p, f);
		break;
	case ETHERTYPE_IP:
		on_ipv4(p, f);
		break;
	case ETHERTYPE_IPV6:
		on_ipv6(p, f);
		break;
	}
}

static int64_t receive_time(struct msghdr *m)
{
	struct timespec ts = { 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void receive_all(struct probe *p)
{
	for (;;) {
		uint8_t buf[FRAME_MAX], control[128];
		struct sockaddr_ll from;
		struct iovec iov = { buf, sizeof(buf) };
		struct msghdr m = { &from, sizeof(from), &iov, 1, control, sizeof(control), 0 };
		ssize_t n = recvmsg(p->rx, &m, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == ENETDOWN))
			return;
		if (n < 0)
			die("receive");
		on_frame(p, &(struct frame){ receive_time(&m), from.sll_pkttype == PACKET_OUTGOING, buf, (size_t)n });
	}
}

/* ---- what is sent ---- */

/* A lab cable may be cut and an address unresolved: such a probe is lost, which is what is being measured. */
static bool sent(ssize_t n)
{
	if (n >= 0)
		return true;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENETDOWN || errno == ENETUNREACH || errno == EHOSTUNREACH ||
	    errno == EHOSTDOWN)
		return false;
	die("send");
	return false;
}

static void send_echo(struct probe *p)
{
	uint8_t b[16] = { p->family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST };
	uint16_t sum;

	p->echo_seq++;
	b[4] = p->echo_id >> 8;
	b[5] = p->echo_id & 0xff;
	b[6] = p->echo_seq >> 8;
	b[7] = p->echo_seq & 0xff;
	if (p->family == AF_INET) { /* a raw ICMPv6 socket fills it in itself */
		sum = csum(b, sizeof(b), 0);
		memcpy(b + 2, &sum, 2);
	}
	p->echo_sent += sent(send(p->echo, b, sizeof(b), MSG_DONTWAIT));
}

static void send_ask(struct probe *p)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = p->ifindex };

	p->ask_sent += sent(sendto(p->rx, p->ask, p->ask_len, MSG_DONTWAIT, (void *)&to, sizeof(to)));
}

static void build_eth(struct probe *p, const uint8_t *dst, uint16_t type)
{
	memcpy(p->ask, dst, 6);
	memcpy(p->ask + 6, p->mac, 6);
	p->ask[12] = type >> 8;
	p->ask[13] = type & 0xff;
}

static void build_arp_request(struct probe *p)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct ether_arp *a = (void *)(p->ask + ETH_HLEN);

	build_eth(p, broadcast, ETHERTYPE_ARP);
	a->ea_hdr = (struct arphdr){ htons(ARPHRD_ETHER), htons(ETHERTYPE_IP), 6, 4, htons(ARPOP_REQUEST) };
	memcpy(a->arp_sha, p->mac, 6);
	memcpy(a->arp_spa, p->src, 4);
	memcpy(a->arp_tpa, p->addr, 4);
	p->ask_len = ETH_HLEN + sizeof(*a);
}

/* To the solicited-node group ff02::1:ffXX:XXXX (RFC 4861 7.2.2), with our link-layer address for the answer. */
static void build_solicitation(struct probe *p)
{
	const uint8_t *a = p->addr;
	const uint8_t dst[6] = { 0x33, 0x33, 0xff, a[13], a[14], a[15] };
	const uint8_t group[16] = { 0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a[13], a[14], a[15] };
	const uint8_t head[8] = { 0x60, 0, 0, 0, 0, 32, IPPROTO_ICMPV6, 255 };
	uint8_t *b = p->ask + ETH_HLEN, *ns = b + 40;
	uint16_t sum;

	build_eth(p, dst, ETHERTYPE_IPV6);
	memcpy(b, head, 8);
	memcpy(b + 8, p->src, 16);
	memcpy(b + 24, group, 16);
	ns[0] = ND_NEIGHBOR_SOLICIT;
	memcpy(ns + 8, a, 16);
	ns[24] = ND_OPT_SOURCE_LINKADDR;
	ns[25] = 1;
	memcpy(ns + 26, p->mac, 6);
	sum = csum(b + 8, 32 + 32, 32 + IPPROTO_ICMPV6);
	memcpy(ns + 2, &sum, 2);
	p->ask_len = ETH_HLEN + 40 + 32;
}

/* ---- set-up ---- */

static void open_rx(struct probe *p)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq all = { .mr_type = PACKET_MR_PROMISC };
	struct ifreq ifr = { 0 };
	int one = 1, size = RCVBUF;

	p->ifindex = all.mr_ifindex = ll.sll_ifindex = (int)if_nametoindex(p->ifname);
	if (!p->ifindex)
		die(p->ifname);
	p->rx = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (p->rx < 0 || setsockopt(p->rx, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) ||
	    setsockopt(p->rx, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    (p->watch && setsockopt(p->rx, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all))) ||
	    bind(p->rx, (void *)&ll, sizeof(ll)))
		die("packet socket");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", p->ifname);
	if (ioctl(p->rx, SIOCGIFHWADDR, &ifr))
		die(p->ifname);
	memcpy(p->mac, ifr.ifr_hwaddr.sa_data, 6);
}

/* Connecting chooses our source address by the kernel's own rules; the answers come in through the packet socket. */
static void open_echo(struct probe *p)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to = { .sa.sa_family = (sa_family_t)p->family };
	bool v4 = p->family == AF_INET;
	socklen_t len = v4 ? sizeof(to.in) : sizeof(to.in6);
	uint8_t *addr = v4 ? (uint8_t *)&to.in.sin_addr : to.in6.sin6_addr.s6_addr;
	uint32_t block_all[8];
	int err;

	memcpy(addr, p->addr, addr_len(p));
	memset(block_all, 0xff, sizeof(block_all));
	p->echo_id = (uint16_t)getpid();
	p->echo = socket(p->family, SOCK_RAW | SOCK_CLOEXEC, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (p->echo < 0)
		die("ICMP socket");
	err = v4 ? setsockopt(p->echo, SOL_RAW, RAW_ICMP_FILTER, block_all, 4)
		 : setsockopt(p->echo, IPPROTO_ICMPV6, ICMP6_FILTER, block_all, 32);
	if (err || connect(p->echo, &to.sa, len) || getsockname(p->echo, &to.sa, &len))
		die("ICMP socket");
	memcpy(p->src, addr, addr_len(p));
}

static void poll_in(struct probe *p, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &ev))
		die("epoll");
}

/* @every_ns 0: a timer that never fires, so that the loop needs no case for it. */
static int new_timer(struct probe *p, int64_t every_ns)
{
	struct timespec ts = { every_ns / NS_PER_S, every_ns % NS_PER_S };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	poll_in(p, fd);
	if (timerfd_settime(fd, 0, &(struct itimerspec){ ts, ts }, NULL))
		die("timer");
	return fd;
}

static int new_signals(struct probe *p)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_DFL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	poll_in(p, fd);
	return fd;
}

static void watch_stdin(struct probe *p)
{
	struct stat st;

	if (!fstat(STDIN_FILENO, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		poll_in(p, STDIN_FILENO);
}

static void loop(struct probe *p)
{
	int echo = new_timer(p, p->echo_us * NS_PER_US), ask = new_timer(p, p->arp_us * NS_PER_US);
	int flush = new_timer(p, FLUSH_NS), end = new_timer(p, (int64_t)(p->seconds * NS_PER_S));
	int signals = new_signals(p);

	poll_in(p, p->rx);
	watch_stdin(p);
	for (;;) {
		struct epoll_event ev;
		uint64_t ticks;
		int fd, n = epoll_wait(p->epoll, &ev, 1, -1);

		if (n < 0 && errno != EINTR)
			die("epoll");
		if (n <= 0)
			continue;
		fd = ev.data.fd;
		if (fd == p->rx) {
			receive_all(p);
			continue;
		}
		if (fd == signals || fd == end || (fd == STDIN_FILENO && read(fd, &ticks, sizeof(ticks)) <= 0))
			return;
		if (read(fd, &ticks, sizeof(ticks)) <= 0)
			continue;
		if (fd == echo)
			send_echo(p);
		else if (fd == ask)
			send_ask(p);
		else if (fd == flush)
			fflush(stdout);
	}
}

static long number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || end == text || n < 0)
		usage();
	return n;
}

static void parse_args(struct probe *p, int argc, char *argv[])
{
	int c;

	if (argc < 2 || (strcmp(argv[1], "ping") && strcmp(argv[1], "watch")))
		usage();
	p->watch = !strcmp(argv[1], "watch");
	p->echo_us = p->watch ? 0 : 1000;
	optind = 2;
	while ((c = getopt(argc, argv, p->watch ? "i:t:" : "i:e:a:t:")) != -1) {
		if (c == 'i')
			p->ifname = optarg;
		else if (c == 'e')
			p->echo_us = number(optarg);
		else if (c == 'a')
			p->arp_us = number(optarg);
		else if (c == 't')
			p->seconds = atof(optarg);
		else
			usage();
	}
	if (argc - optind != !p->watch)
		usage();
	if (p->watch)
		return;
	p->family = strchr(argv[optind], ':') ? AF_INET6 : AF_INET;
	if (inet_pton(p->family, argv[optind], p->addr) != 1)
		usage();
}

int main(int argc, char *argv[])
{
	static char outbuf[1 << 20];
	struct probe p = { .ifname = "eth0" };

	parse_args(&p, argc, argv);
	if (p.watch) /* an observer that preempts the router under test measures itself; the kernel takes the time */
		sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
	setvbuf(stdout, outbuf, _IOFBF, sizeof(outbuf));
	p.epoll = epoll_create1(EPOLL_CLOEXEC);
	open_rx(&p);
	if (!p.watch) {
		open_echo(&p);
		if (p.family == AF_INET)
			build_arp_request(&p);
		else
			build_solicitation(&p);
	}
	printf("{\"kind\":\"ready\"}\n");
	fflush(stdout);
	loop(&p);
	receive_all(&p);
	print_summary(&p);
	return 0;
}
