// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frame -> reply: ARP and Neighbor Discovery for a VIP, looked at by code that shares nothing with include/. What goes out is a right answer
 * to a right question, with its bytes where they belong and no byte changed beyond it; a question that every host may ask is answered while
 * Active and never otherwise; what goes to the kernel is as it came, but for what is documented. What leaves through
 * tc egress has its MAC changed and nothing else, and a checksum that is as right as before.
 */
#include "input.h"

static struct {
	struct scenario s;
	struct frame in, out;
	uint32_t type, vlan, at; /* of the frame as it came; where its payload begins */
} m;

static bool is_vip(const uint8_t *addr, bool six, uint32_t *vmac)
{
	struct scenario s = m.s;
	struct vx_addr a;
	uint32_t i, len = six ? 16 : 4;

	s.family = six ? 6 : 0;
	*vmac = six ? MAC_VROUTER6 : MAC_VROUTER;
	for (i = 0; (six == (m.s.family == 6) || (m.s.twin && m.vlan == m.s.vlan)) && i < (uint32_t)s.nvips &&
		    i < MAX_SCENARIO_VIPS;
	     i++) {
		a = scenario_vip(&s, i);
		if (!memcmp(addr, &a, len))
			return true;
	}
	a = scenario_pick(&s, ADDR_VIP2, A6_VIP2, 0);
	*vmac = six ? MAC_VROUTER62 : MAC_VROUTER2;
	return m.s.second && m.vlan == m.s.vlan && six == (m.s.family == 6) && !memcmp(addr, &a, len);
}

/* Whether the VIPs are on this interface and VLAN: those of the scenario, or the bystander's. */
static bool is_here(void)
{
	return !m.s.elsewhere && !m.s.away && (m.vlan == m.s.vlan || m.vlan == VLAN_BYSTANDER);
}

static bool same(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	return !memcmp(a, b, len);
}

/* ---- ARP ---- */

/* RFC 826: a request for a VIP; @vmac is who has it. */
static bool arp_is_good(const uint8_t *b, uint32_t *vmac)
{
	static const uint8_t head[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	const uint8_t *arp = b + m.at;

	if (m.type != 0x0806 || m.in.len < m.at + 28 || !is_here())
		return false;
	return same(arp, head, 8) && !(b[6] & 1) && same(arp + 8, b + 6, 6) && is_vip(arp + 24, false, vmac);
}

static void check_arp_answer(uint32_t vmac)
{
	static const uint8_t head[] = { 0, 1, 8, 0, 6, 4, 0, 2 };
	const uint8_t *in = m.in.b, *out = m.out.b, *asked = in + m.at, *arp = out + m.at;

	require(same(out, in + 6, 6) && same(out + 6, mac_bytes[vmac], 6));
	require(same(out + 12, in + 12, m.at - 12)); /* tags and type stay */
	require(same(arp, head, 8));
	require(same(arp + 8, mac_bytes[vmac], 6) && same(arp + 14, asked + 24, 4));
	require(same(arp + 18, asked + 8, 6) && same(arp + 24, asked + 14, 4));
	require(same(arp + 28, asked + 28, m.in.len - m.at - 28));
}

/* ---- Neighbor Discovery ---- */

/* The option @type of the message of @len bytes at @icmp, or NULL; *@good: all options are whole. */
static const uint8_t *nd_option(const uint8_t *icmp, uint32_t len, uint8_t type, bool *good)
{
	const uint8_t *found = NULL;
	uint32_t at = 24;

	*good = true;
	while (at + 2 <= len && icmp[at + 1]) {
		found = icmp[at] == type && !found ? icmp + at : found;
		at += icmp[at + 1] * 8u;
	}
	*good = at == len;
	return *good ? found : NULL;
}

/* RFC 4861 7.1.1 for the packet at @ip, of which @room bytes are there. */
static bool ns_is_valid(const uint8_t *ip, uint32_t room)
{
	static const uint8_t none[16], solicited[13] = { 0xff, 0x02, [11] = 1, [12] = 0xff };
	const uint8_t *icmp = ip + 40, *mac;
	uint32_t len;
	bool good;

	if (room < 64)
		return false;
	len = (uint32_t)(ip[4] << 8 | ip[5]);
	if (ip[0] >> 4 != 6 || len < 24 || 40 + len > room || ip[6] != 58 || ip[7] != 255)
		return false;
	if (icmp[0] != 135 || icmp[1] || icmp[8] == 0xff || sum6(ip, 58, len) != 0xffff)
		return false;
	mac = nd_option(icmp, len, 1, &good);
	return good && (!same(ip + 8, none, 16) || (same(ip + 24, solicited, 13) && !mac));
}

/* RFC 4861 7.1.2 and 7.2.4 for the answer that the solicitation has become. */
static void check_na(uint32_t vmac)
{
	static const uint8_t none[16], all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	static const uint8_t all_nodes_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	const uint8_t *in = m.in.b + m.at, *out = m.out.b + m.at, *icmp = out + 40, *asker = m.in.b + 6, *mac;
	uint32_t len = (uint32_t)(out[4] << 8 | out[5]);
	bool probe = same(in + 8, none, 16), good;

	mac = nd_option(in + 40, (uint32_t)(in[4] << 8 | in[5]), 1, &good);
	if (mac && !(mac[2] & 1))
		asker = mac + 2;
	require(out[0] >> 4 == 6 && out[6] == 58 && out[7] == 255 && (len == 24 || len == 32) &&
		40 + len <= m.out.len - m.at);
	require(same(out + 8, in + 48, 16) && same(out + 24, probe ? all_nodes : in + 8, 16));
	require(icmp[0] == 136 && !icmp[1] && icmp[4] == (probe ? 0xa0 : 0xe0) && !icmp[5] && !icmp[6] && !icmp[7]);
	require(same(icmp + 8, in + 48, 16) && sum6(out, 58, len) == 0xffff);
	require(len == 32 ? icmp[24] == 2 && icmp[25] == 1 && same(icmp + 26, mac_bytes[vmac], 6)
			  : !probe && in[24] != 0xff); /* RFC 4861 7.2.4: to a group the MAC has to be named */
	require(same(m.out.b, probe ? all_nodes_mac : asker, 6) && !(asker[0] & 1));
	require(same(m.out.b + 6, mac_bytes[vmac], 6) && same(m.out.b + 12, m.in.b + 12, m.at - 12));
	require(same(out + 40 + len, in + 40 + len, m.in.len - m.at - 40 - len));
}

/* ---- verdicts ---- */

/* Whether we are Active for the VIPs that @vmac is for. */
static bool is_active(uint32_t vmac)
{
	return m.s.role == ACTIVE || vmac == MAC_VROUTER2 || vmac == MAC_VROUTER62;
}

/* From one of our own MACs: a frame of ours come back. To another station: not for us. */
static bool is_to_us(void)
{
	uint32_t i;

	for (i = 0; i < VX_ARRAY_LEN(mac_bytes); i++)
		if (same(m.in.b + 6, mac_bytes[i], 6) && i != MAC_HOST && i != MAC_PEER && i != MAC_STRANGER)
			return false;
	return m.in.b[0] & 1;
}

static void check_answer(void)
{
	uint32_t vmac = 0, sender;

	if (m.type == 0x0806) {
		require(arp_is_good(m.in.b, &vmac) && is_active(vmac));
		require(!is_vip(m.in.b + m.at + 14, false, &sender) || !is_active(sender)); /* that would be a claim */
		check_arp_answer(vmac);
	} else {
		require(m.type == 0x86dd && is_here() && ns_is_valid(m.in.b + m.at, m.in.len - m.at));
		require(is_vip(m.in.b + m.at + 48, true, &vmac) && is_active(vmac));
		require(!is_vip(m.in.b + m.at + 8, true, &sender) || !is_active(sender));
		check_na(vmac);
	}
}

/* A question of a host to all is answered while Active, and never while we are not. */
static void check_question(int action)
{
	uint32_t vmac = 0, sender;

	if (arp_is_good(m.in.b, &vmac) && is_to_us() && !is_vip(m.in.b + m.at + 14, false, &sender))
		require(action == (is_active(vmac) ? XDP_TX : XDP_DROP));
}

/* The same for a solicitation with the asker's MAC, from nobody's VIP. */
static void check_solicitation(int action)
{
	const uint8_t *ip = m.in.b + m.at;
	uint32_t vmac = 0, other;
	bool good;

	if (m.type != 0x86dd || m.in.len < m.at + 72 || !is_here() || !is_to_us() || !ns_is_valid(ip, m.in.len - m.at))
		return;
	if (!is_vip(ip + 48, true, &vmac) || is_vip(ip + 8, true, &other) || (ip[8] == 0xff))
		return;
	if (!nd_option(ip + 40, (uint32_t)(ip[4] << 8 | ip[5]), 1, &good) || m.in.b[6] & 1)
		return;
	require(is_active(vmac) ? action != XDP_PASS : action == XDP_DROP);
}

/* To the kernel: as it came, but for the MAC of a virtual router and an announcement that became a reply. */
static void check_passed(void)
{
	uint32_t i;

	if (m.s.vmac && same(m.out.b, mac_bytes[MAC_NIC], 6) && m.in.len >= 6)
		memcpy(m.in.b, m.out.b, 6);
	for (i = 0; i < m.in.len; i++)
		require(m.in.b[i] == m.out.b[i] ||
			(m.type == 0x0806 && i == m.at + 7 && m.in.b[i] == 1 && m.out.b[i] == 2 &&
			 same(m.in.b + m.at + 14, m.in.b + m.at + 24, 4)));
}

static void step_frame(void)
{
	int action = shim_run(m.out.b, m.out.len, IFINDEX);

	check_question(action);
	check_solicitation(action);
	if (action == XDP_TX)
		check_answer();
	else
		check_passed();
}

/* ---- egress ---- */

static bool nd_sum_is_right(const struct frame *f)
{
	uint32_t len = m.at + 40 <= f->len ? (uint32_t)(f->b[m.at + 4] << 8 | f->b[m.at + 5]) : 0;

	return m.type == 0x86dd && len && m.at + 40 + len <= f->len && sum6(f->b + m.at, 58, len) == 0xffff;
}

enum { ETH_SENDER = 6, ARP_SENDER = 22, ND_MAC = 80, ND_SUM = 56 };

/* Whether byte @i belongs to a MAC at @at that has become the VIP's: the NIC's, or whatever an ARP packet has for the VIP's. */
static bool became_virtual(uint32_t at, uint32_t i)
{
	uint32_t vmac = 0;
	bool six = m.type == 0x86dd;
	const uint8_t *vip = !six ? m.in.b + 28 : m.in.b[54] == 135 ? m.in.b + 22 : m.in.b + 62;

	require(is_vip(vip, six, &vmac));
	if (at != ARP_SENDER && !same(m.in.b + at, mac_bytes[MAC_NIC], 6))
		return false;
	return i >= at && i < at + 6 && same(m.out.b + at, mac_bytes[vmac], 6);
}

static void step_egress(void)
{
	uint32_t i, mac = m.type == 0x0806 ? ARP_SENDER : ND_MAC;
	bool right = nd_sum_is_right(&m.in);

	if (!m.s.vmac || m.in.len < sizeof(struct vx_eth)) /* attached only where a virtual MAC is used */
		return;
	require(shim_run_egress(m.out.b, m.out.len, IFINDEX) == TC_ACT_UNSPEC);
	for (i = 0; i < m.in.len; i++) {
		if (m.in.b[i] == m.out.b[i])
			continue;
		require((m.s.role == ACTIVE || m.s.second) && m.at == 14);
		require(became_virtual(ETH_SENDER, i) || became_virtual(mac, i) ||
			(m.type == 0x86dd && i / 2 == ND_SUM / 2));
	}
	require(!right || nd_sum_is_right(&m.out));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	input_check_rows();
	return 0;
}

/* The steps of an input are frames here and nothing else; each finds the state anew. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step steps[INPUT_STEPS];
	uint32_t n, i;

	if (size < INPUT_STATE)
		return -1;
	m.s = state_read(data);
	n = steps_read(data, size, steps);
	shim_reset(NOW_NS);
	scenario_load(&shim_dp, &m.s, NOW_NS);
	for (i = 0; i < n; i++) {
		m.in.len = 0;
		frame_bytes(&m.in, data + steps[i].at, steps[i].len);
		memcpy(m.out.b, m.in.b, m.in.len);
		m.out.len = m.in.len;
		m.at = frame_payload(m.in.b, m.in.len, 2, &m.type, &m.vlan);
		if (steps[i].kind == STEP_EGRESS)
			step_egress();
		else
			step_frame();
	}
	return 0;
}

static bool asks(const struct frame_desc *d)
{
	return d->kind == FRAME_ARP || d->kind == FRAME_ND;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return input_mutate(data, size, max, seed, asks);
}
