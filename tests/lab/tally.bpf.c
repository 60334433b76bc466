// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The eyes of a client that has thousands of virtual routers to watch: counts adverts per router, notes when a virtual address is announced, and
 * asks it in that moment, by an echo request made of the announcement, whether it answers. In the driver, so that 25,000 adverts a second
 * do not take the CPU from those that are measured.
 */
#include "tests/lab/echo.h"

#include <bpf/bpf_helpers.h>

#define BPF_F_MMAPABLE (1U << 10)

/* Mapped: a system call for each row would take a CPU from those that are measured. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TALLY_ROWS);
	__type(key, __u32);
	__type(value, struct tally_row);
} rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tally_count);
} count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TALLY_VIPS);
	__type(key, struct tally_vip_key);
	__type(value, struct tally_vip);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TALLY_IFS);
	__type(key, __u32);
	__type(value, struct tally_if);
} ifs SEC(".maps");

/* More by this much; clients have several CPUs. */
vx_inline void add(__u64 announced, __u64 answered)
{
	__u32 zero = 0;
	struct tally_count *c = bpf_map_lookup_elem(&count, &zero);

	if (!c)
		return;
	__sync_fetch_and_add(&c->announced, announced);
	__sync_fetch_and_add(&c->answered, answered);
}

vx_inline int note_advert(const struct vx_eth *eth, __u32 ifno, __u32 six, __u8 vrid)
{
	__u32 i = ((ifno * TALLY_ROUTERS + (eth->src[5] & (TALLY_ROUTERS - 1))) * 2 + six) * TALLY_VRIDS + vrid;
	struct tally_row *r = bpf_map_lookup_elem(&rows, &i);
	__u64 now_ns = bpf_ktime_get_boot_ns();

	if (!r)
		return XDP_PASS;
	if (!r->n++)
		r->first_ns = now_ns;
	else if (now_ns - r->last_ns > r->worst_ns)
		r->worst_ns = now_ns - r->last_ns;
	r->last_ns = now_ns;
	return XDP_PASS;
}

/* Whether it is to be asked. */
vx_inline bool note_announced(const struct vx_eth *eth, const struct tally_vip_key *k)
{
	struct tally_vip *v = bpf_map_lookup_elem(&vips, k), made = {};
	__u64 now_ns = bpf_ktime_get_boot_ns();

	if (!v) {
		made.announced_ns = made.last_ns = now_ns;
		made.n = 1;
		vx_mac_copy(made.mac, eth->src);
		if (!bpf_map_update_elem(&vips, k, &made, 1 /* BPF_NOEXIST */))
			add(1, 0);
		return true;
	}
	v->last_ns = now_ns;
	v->n++;
	return !v->answered_ns;
}

vx_inline int note_answer(const struct tally_vip_key *k)
{
	struct tally_vip *v = bpf_map_lookup_elem(&vips, k);

	if (v && !v->answered_ns) {
		v->answered_ns = bpf_ktime_get_boot_ns();
		add(0, 1);
	}
	return XDP_DROP;
}

vx_inline void ask_eth(struct vx_eth *eth, const struct tally_if *f)
{
	vx_mac_copy(eth->dst, eth->src);
	vx_mac_copy(eth->src, f->mac);
}

vx_inline int ask4(struct xdp_md *ctx, const struct tally_if *f, __be32 vip)
{
	struct vx_eth *eth = (struct vx_eth *)(long)ctx->data;
	struct echo4 *p = (struct echo4 *)(eth + 1);
	const void *end = (const void *)(long)ctx->data_end;

	if ((const void *)(p + 1) > end)
		return XDP_PASS;
	ask_eth(eth, f);
	eth->type = VX_BE16(VX_ETH_P_IP);
	echo4_put(p, end, f->ip4, vip);
	return XDP_TX;
}

vx_inline int ask6(struct xdp_md *ctx, const struct tally_if *f, const struct vx_addr *vip)
{
	struct vx_eth *eth = (struct vx_eth *)(long)ctx->data;
	struct echo6 *p = (struct echo6 *)(eth + 1);
	const void *end = (const void *)(long)ctx->data_end;

	if ((const void *)(p + 1) > end)
		return XDP_PASS;
	ask_eth(eth, f);
	echo6_put(p, end, &f->ip6, vip);
	return XDP_TX;
}

vx_inline int on_ip4(struct xdp_md *ctx, struct vx_eth *eth, __u32 ifno)
{
	struct vx_ip4 *ip = (struct vx_ip4 *)(eth + 1);
	struct icmp_echo *icmp = (struct icmp_echo *)(ip + 1); /* of an advert: its header, of the same size */
	struct tally_vip_key k = { .ifno = ifno, .family = 4 };

	if ((const void *)(icmp + 1) > (const void *)(long)ctx->data_end || ip->ver_ihl != 0x45)
		return XDP_PASS;
	if (ip->proto == VX_IPPROTO_VRRP)
		return note_advert(eth, ifno, 0, icmp->code);
	if (ip->proto != IPPROTO_ICMP4 || icmp->type != ICMP_REPLY || icmp->id != VX_BE16(TALLY_ECHO_ID))
		return XDP_PASS;
	k.addr.w[0] = ip->src;
	return note_answer(&k);
}

vx_inline int on_ip6(struct xdp_md *ctx, struct vx_eth *eth, __u32 ifno, const struct tally_if *f)
{
	struct vx_ip6 *ip = (struct vx_ip6 *)(eth + 1);
	struct icmp_echo *icmp = (struct icmp_echo *)(ip + 1);
	struct nd_packet *nd = (struct nd_packet *)(eth + 1);
	struct tally_vip_key k = { .ifno = ifno, .family = 6 };
	struct vx_addr dst;

	if ((const void *)(icmp + 1) > (const void *)(long)ctx->data_end)
		return XDP_PASS;
	if (ip->next == VX_IPPROTO_VRRP)
		return note_advert(eth, ifno, 1, icmp->code);
	if (ip->next != VX_IPPROTO_ICMPV6)
		return XDP_PASS;
	if (icmp->type == ICMP6_REPLY && icmp->id == VX_BE16(TALLY_ECHO_ID)) {
		k.addr = ip6_addr(ip->src);
		return note_answer(&k);
	}
	dst = ip6_addr(ip->dst);
	if (icmp->type != ND_ADVERT || !vx_addr_eq(&dst, &ND_ALL_NODES) ||
	    (const void *)(nd + 1) > (const void *)(long)ctx->data_end)
		return XDP_PASS;
	k.addr = ip6_addr(nd->na.msg.target);
	return note_announced(eth, &k) ? ask6(ctx, f, &k.addr) : XDP_PASS;
}

vx_inline int on_arp(struct xdp_md *ctx, struct vx_eth *eth, __u32 ifno, const struct tally_if *f)
{
	struct arp_ip4 *arp = (struct arp_ip4 *)(eth + 1);
	struct tally_vip_key k = { .ifno = ifno, .family = 4 };

	if ((const void *)(arp + 1) > (const void *)(long)ctx->data_end || vx_get32(arp->spa) != vx_get32(arp->tpa))
		return XDP_PASS;
	k.addr.w[0] = vx_get32(arp->spa);
	return note_announced(eth, &k) ? ask4(ctx, f, k.addr.w[0]) : XDP_PASS;
}

SEC("xdp")
int tally(struct xdp_md *ctx)
{
	struct vx_eth *eth = (struct vx_eth *)(long)ctx->data;
	__u32 ifindex = ctx->ingress_ifindex, ifno;
	struct tally_if *f;

	if ((const void *)(eth + 1) > (const void *)(long)ctx->data_end)
		return XDP_PASS;
	f = bpf_map_lookup_elem(&ifs, &ifindex);
	if (!f)
		return XDP_PASS;
	ifno = f->no;
	if (eth->type == VX_BE16(VX_ETH_P_IP))
		return on_ip4(ctx, eth, ifno);
	if (eth->type == VX_BE16(VX_ETH_P_ARP))
		return on_arp(ctx, eth, ifno, f);
	if (eth->type == VX_BE16(VX_ETH_P_IPV6))
		return on_ip6(ctx, eth, ifno, f);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
