// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frame -> verdict, over the BPF program compiled natively. An input is two bytes that choose a row of tests/packets.h, for the
 * state that the frame finds, and the frame. New inputs start from the rows' own frames and get right checksums
 * half of the time: random bytes would never get behind RX-8.
 */
#include <stdint.h>

#include "tests/shim/program.h"
#include "tests/packets.h"
#include "tests/shim/dp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

#define NOW_NS (1000 * VX_NS_PER_S)
enum { CHOICE = 2 };

static const struct packet_case *chosen(const uint8_t *data)
{
	return &packet_cases[(data[0] << 8 | data[1]) % VX_ARRAY_LEN(packet_cases)];
}

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* All that may change in a frame that goes to the kernel: an announcement made as a request becomes one made as a reply. */
static bool became_reply(const struct frame *in, const struct frame *out)
{
	__u32 i, changed = 0;

	for (i = 0; i < in->len; i++) {
		changed += in->b[i] != out->b[i];
		if (in->b[i] != out->b[i] && out->b[i] != ARP_OP_REPLY)
			return false;
	}
	return changed == 1;
}

/* RFC 4861 7.1.2, looked at apart from include/nd.h: whether @f is a Neighbor Advertisement that a host takes, from its @l2 bytes on. */
static bool is_good_na(const struct frame *f, __u32 l2)
{
	static const __u8 all_nodes[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	const __u8 *ip = f->b + l2, *na = ip + 40;
	struct frame pseudo = { .len = 0 };
	bool to_all = f->len > l2 + 24 && ip[24] == 0xff;
	__u32 len = to_all || (f->len > l2 + 5 && ip[5] != 24) ? 32 : 24; /* without a MAC to one host only */

	if (f->len < l2 + 40 + len || ip[0] >> 4 != 6 || ip[4] || ip[5] != len || ip[6] != 58 || ip[7] != 255)
		return false;
	frame_bytes(&pseudo, ip + 8, 32);
	frame_u32(&pseudo, len);
	frame_u32(&pseudo, 58);
	frame_bytes(&pseudo, na, len);
	if (frame_sum(pseudo.b, pseudo.len) != 0xffff || na[0] != 136 || na[1] || memcmp(ip + 8, na + 8, 16))
		return false;
	if (len == 32 && (na[24] != 2 || na[25] != 1 || memcmp(na + 26, f->b + 6, 6)))
		return false;
	return to_all ? na[4] == 0xa0 && !memcmp(f->b, all_nodes, 6) : na[4] == 0xe0 && !(f->b[0] & 1);
}

/* An answer: to ARP, or a good Neighbor Advertisement. */
static bool is_answer(const struct frame *f)
{
	__u32 l2 = 12;

	while (l2 + 6 <= f->len && ((f->b[l2] == 0x81 && !f->b[l2 + 1]) || (f->b[l2] == 0x88 && f->b[l2 + 1] == 0xa8)))
		l2 += 4;
	l2 += 2;
	if (f->len >= l2 + 28 && f->b[l2 - 2] == 0x08 && f->b[l2 - 1] == 0x06)
		return f->b[l2 + 7] == ARP_OP_REPLY;
	return f->len >= l2 && f->b[l2 - 2] == 0x86 && f->b[l2 - 1] == 0xdd && is_good_na(f, l2);
}

/* ... and a frame to the virtual MAC goes on as one to the NIC's. */
static bool became_nics(const struct scenario *s, struct frame *in, const struct frame *out)
{
	bool ours = in->len >= 14 &&
		    (!memcmp(in->b, mac_bytes[MAC_VROUTER], 6) || !memcmp(in->b, mac_bytes[MAC_VROUTER6], 6) ||
		     !memcmp(in->b, mac_bytes[MAC_VROUTER2], 6) || !memcmp(in->b, mac_bytes[MAC_VROUTER62], 6));

	if (!s->vmac || !ours || memcmp(out->b, mac_bytes[MAC_NIC], 6))
		return false;
	memcpy(in->b, out->b, 6);
	return s->role == ACTIVE || s->second;
}

/* What must hold for every frame in every state. */
static void check(const struct scenario *s, struct frame *in, const struct frame *out, int action, __u64 deadline_ns,
		  __u64 then_ns)
{
	bool same = became_nics(s, in, out) || !memcmp(in->b, out->b, in->len);
	bool active = s->role == ACTIVE || s->second;

	require(action == XDP_PASS || action == XDP_DROP || action == XDP_TX);
	require(action != XDP_TX || (active && is_answer(out)));
	require(action != XDP_DROP || same);
	require(action != XDP_PASS || same || became_reply(in, out));
	require(shim.nev <= 4 && (s->role != INITIALIZE || active || !shim.nev));
	/* a takeover is at most as far off as the slowest legal Active Router allows */
	require(s->role == BACKUP ? deadline_ns : !deadline_ns);
	require(deadline_ns == then_ns ||
		(deadline_ns > shim.now_ns && deadline_ns < shim.now_ns + (s->down_adverts + 1) * 41 * VX_NS_PER_S));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frame in, out;
	const struct packet_case *c;
	const struct vx_vr_watch *w;
	__u32 slot = SLOT;
	__u64 then_ns;
	int action;

	if (size < CHOICE || size - CHOICE > FRAME_MAX)
		return 0;
	c = chosen(data);
	in.len = 0;
	frame_bytes(&in, data + CHOICE, (__u32)(size - CHOICE));
	out = in;
	shim_reset(NOW_NS);
	scenario_load(&shim_dp, &c->in, NOW_NS);
	w = bpf_map_lookup_elem(&vr_watch, &slot);
	then_ns = w->deadline_ns;
	action = shim_run(out.b, out.len, IFINDEX);
	check(&c->in, &in, &out, action, w->deadline_ns, then_ns);
	return 0;
}

/* The checksum at @at, of a packet over IPv6. */
static void repair6(uint8_t *f, size_t len)
{
	size_t total = (size_t)(f[18] << 8 | f[19]), at = f[20] == 112 ? 6 : 2;
	struct frame pseudo = { .len = 0 };

	if (total < 8 || 54 + total > len || total > 1200)
		return;
	frame_put16(f + 54 + at, 0);
	frame_bytes(&pseudo, f + 22, 32);
	frame_u32(&pseudo, (__u32)total);
	frame_u32(&pseudo, f[20]);
	frame_bytes(&pseudo, f + 54, (__u32)total);
	frame_put16(f + 54 + at, ~frame_sum(pseudo.b, pseudo.len));
}

/* Puts right what stands in the way: the checksums of an untagged advert, or of Neighbor Discovery. */
static void repair(uint8_t *f, size_t len)
{
	size_t ihl, total;

	if (len >= 14 + 40 && f[12] == 0x86 && f[13] == 0xdd) {
		repair6(f, len);
		return;
	}
	if (len < 14 + 20 || f[12] != 0x08 || f[13] != 0)
		return;
	ihl = (f[14] & 15) * 4u;
	total = (size_t)(f[16] << 8 | f[17]);
	if (ihl < 20 || 14 + ihl > len)
		return;
	frame_put16(f + 24, 0);
	frame_put16(f + 24, ~frame_sum(f + 14, (__u32)ihl));
	if (total < ihl + 8 || 14 + total > len)
		return;
	frame_put16(f + 14 + ihl + 6, 0);
	frame_put16(f + 14 + ihl + 6, ~frame_sum(f + 14 + ihl, (__u32)(total - ihl)));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	static struct frame f;

	if (size < CHOICE || seed % 8 == 0) {
		size_t i = seed / 8 % VX_ARRAY_LEN(packet_cases);

		frame_build(&f, &packet_cases[i].frame);
		if (f.len + CHOICE > max)
			return size;
		data[0] = (uint8_t)(i >> 8);
		data[1] = (uint8_t)i;
		memcpy(data + CHOICE, f.b, f.len);
		size = f.len + CHOICE;
	}
	if (seed % 16)
		size = LLVMFuzzerMutate(data, size, max);
	if (size > CHOICE && seed & 1)
		repair(data + CHOICE, size - CHOICE);
	return size;
}
