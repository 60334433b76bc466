/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzzers of the data plane have in common: an input is INPUT_STATE bytes for the state that a frame finds, then steps: what
 * happens, an argument, the length of a frame in two bytes, the frame. The states and frames of tests/packets.h are where new inputs start from, but an input
 * does not depend on the table, so that a row more spoils no corpus.
 */
#ifndef VX_FUZZ_INPUT_H
#define VX_FUZZ_INPUT_H

#include <stdint.h>
#include <stdio.h>

#include "tests/shim/program.h"
#include "tests/packets.h"
#include "tests/shim/dp.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

#define NOW_NS (1000 * VX_NS_PER_S)

enum { INPUT_STATE = 16, INPUT_STEP = 4, INPUT_STEPS = 8, INPUT_FRAME = 1400 };

enum step_kind { STEP_FRAME, STEP_EGRESS, STEP_WAIT, STEP_TIMER, STEP_ROLE, STEP_SHIFT, STEP_RING, STEP_KINDS };

struct step {
	enum step_kind kind;
	uint8_t arg;
	uint32_t at, len; /* of the frame, in the input */
};

static const char *const input_passwords[] = { NULL, "", "1234", "123", "abcdefgh", "abcdefgH", "whatever" };

/* As assert(), and in every build. */
#define require(holds)                                                                                                 \
	do {                                                                                                           \
		if (!(holds)) {                                                                                        \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #holds);                      \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

/* ---- state ---- */

static inline void state_flags(const bool *flags, size_t n, uint8_t *to)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i / 8] = (uint8_t)(to[i / 8] | flags[i] << i % 8);
}

static inline void state_write(const struct scenario *s, uint8_t to[INPUT_STATE])
{
	const bool flags[] = { s->family == 6, s->twin, s->no_preempt, s->owner,   s->elsewhere, s->no_accept,
			       s->away,        s->vmac, s->second,     s->unicast, s->global,    s->group || s->group6,
			       s->version == 2 };
	uint8_t password = 0;

	while (password < VX_ARRAY_LEN(input_passwords) - 1 &&
	       (!s->auth || !input_passwords[password] || strcmp(s->auth, input_passwords[password])) && s->auth)
		password++;
	memset(to, 0, INPUT_STATE);
	state_flags(flags, VX_ARRAY_LEN(flags), to);
	to[2] = (uint8_t)((unsigned int)s->role | (s->csum & (VX_CFG_CSUM_9568 | VX_CFG_CSUM_5798)));
	to[3] = (uint8_t)s->priority;
	to[4] = (uint8_t)s->nvips;
	to[5] = (uint8_t)s->auth_type;
	to[6] = password;
	to[7] = (uint8_t)s->min_ttl;
	to[8] = (uint8_t)s->max_ttl;
	to[9] = (uint8_t)s->groups;
	to[10] = (uint8_t)s->down_adverts;
	to[11] = (uint8_t)(s->preempt_delay_ns / (VX_NS_PER_S / 4));
	frame_put16(to + 12, s->vlan >> 16);
	frame_put16(to + 14, s->vlan & 0xffff);
}

static inline struct scenario state_read(const uint8_t *b)
{
	bool own_group = b[1] & 8, six = b[0] & 1;

	return (struct scenario){
		.role = (enum scenario_role)(b[2] & 3),
		.family = six ? 6 : 0,
		.twin = b[0] & 2,
		.no_preempt = b[0] & 4,
		.owner = b[0] & 8,
		.elsewhere = b[0] & 16,
		.no_accept = b[0] & 32,
		.away = b[0] & 64,
		.vmac = b[0] & 128,
		.second = b[1] & 1,
		.unicast = b[1] & 2,
		.global = b[1] & 4,
		.group = own_group && !six ? ADDR_GROUP_OWN : 0,
		.group6 = own_group && six ? A6_GROUP_OWN : NULL,
		.version = b[1] & 16 ? 2 : 3,
		.csum = b[2] & (VX_CFG_CSUM_9568 | VX_CFG_CSUM_5798),
		.priority = b[3],
		.nvips = b[4],
		.auth_type = b[5] % 2,
		.auth = input_passwords[b[6] % VX_ARRAY_LEN(input_passwords)],
		.min_ttl = b[7],
		.max_ttl = b[8],
		.groups = b[9] % 4,
		.down_adverts = b[10] ? b[10] : 1,
		.preempt_delay_ns = b[11] * (VX_NS_PER_S / 4),
		.vlan = ((__u32)b[12] << 24 | (__u32)b[13] << 16 | (__u32)b[14] << 8 | b[15]) & 0x0fff0fff,
	};
}

/* ---- steps ---- */

/* The step at @at, or false at the end. A frame that is not all there is what there is. */
static inline bool step_read(const uint8_t *data, size_t size, size_t at, struct step *s)
{
	size_t len;

	if (at + INPUT_STEP > size)
		return false;
	len = (size_t)(data[at + 2] << 8 | data[at + 3]);
	s->kind = (enum step_kind)(data[at] % STEP_KINDS);
	s->arg = data[at + 1];
	s->at = (uint32_t)(at + INPUT_STEP);
	s->len = (uint32_t)(len < size - s->at ? len : size - s->at);
	return s->len <= FRAME_MAX;
}

static inline uint32_t steps_read(const uint8_t *data, size_t size, struct step to[INPUT_STEPS])
{
	size_t at = INPUT_STATE;
	uint32_t n = 0;

	while (n < INPUT_STEPS && step_read(data, size, at, &to[n])) {
		at = to[n].at + to[n].len;
		n++;
	}
	return n;
}

/* Puts a step with @f at the end; the new size, or @size where there is no room. */
static inline size_t step_append(uint8_t *data, size_t size, size_t max, enum step_kind kind, uint8_t arg,
				 const struct frame *f)
{
	uint32_t len = f ? f->len : 0;

	if (size + INPUT_STEP + len > max)
		return size;
	data[size] = (uint8_t)kind;
	data[size + 1] = arg;
	frame_put16(data + size + 2, len);
	if (len)
		memcpy(data + size + INPUT_STEP, f->b, len);
	return size + INPUT_STEP + len;
}

/* ---- frames ---- */

/* Where the payload of the frame begins, behind at most @most tags; *@type is what it is and *@vlan as in struct vx_vr_key. Apart from include/parse.h. */
static inline uint32_t frame_payload(const uint8_t *b, uint32_t len, uint32_t most, uint32_t *type, uint32_t *vlan)
{
	uint32_t at = 12, n, vid;

	*vlan = *type = 0;
	for (n = 0; at + 2 <= len; n++, at += 4) {
		*type = (uint32_t)(b[at] << 8 | b[at + 1]);
		if ((*type != 0x8100 && *type != 0x88a8) || n == most || at + 6 > len)
			break;
		vid = (uint32_t)(b[at + 2] << 8 | b[at + 3]) & 0xfff;
		*vlan = vid ? *vlan << 16 | vid : *vlan;
	}
	return at + 2;
}

/* Sum of the pseudo-header and the message of an IPv6 packet. */
static inline uint32_t sum6(const uint8_t *ip, uint8_t next, uint32_t len)
{
	struct frame pseudo = { .len = 0 };

	frame_bytes(&pseudo, ip + 8, 32);
	frame_u32(&pseudo, len);
	frame_u32(&pseudo, next);
	frame_bytes(&pseudo, ip + 40, len);
	return frame_sum(pseudo.b, pseudo.len);
}

/* The checksum of VRRP or ICMPv6 over IPv6. */
static inline void repair6(uint8_t *ip, uint32_t len)
{
	uint32_t total, at;

	if (len < 48)
		return;
	total = (uint32_t)(ip[4] << 8 | ip[5]);
	at = ip[6] == 112 ? 46 : 42;
	if (total < 8 || 40 + total > len)
		return;
	frame_put16(ip + at, 0);
	frame_put16(ip + at, ~sum6(ip, ip[6], total));
}

/* The checksums of an IPv4 header and of VRRP behind it; @pseudo: as RFC 5798 has it. */
static inline void repair4(uint8_t *ip, uint32_t len, bool pseudo)
{
	uint32_t ihl, total, sum;

	if (len < 20)
		return;
	ihl = (ip[0] & 15) * 4u;
	total = (uint32_t)(ip[2] << 8 | ip[3]);
	if (ihl < 20 || ihl > len)
		return;
	frame_put16(ip + 10, 0);
	frame_put16(ip + 10, ~frame_sum(ip, ihl));
	if (total < ihl + 8 || total > len)
		return;
	frame_put16(ip + ihl + 6, 0);
	sum = frame_sum(ip + ihl, total - ihl);
	if (pseudo)
		sum += frame_sum(ip + 12, 8) + 112 + total - ihl;
	frame_put16(ip + ihl + 6, ~((sum & 0xffff) + (sum >> 16)));
}

/* Puts right what stands in the way of random bytes: checksums, and with @lengths the lengths that IP speaks of. */
static inline void frame_repair(uint8_t *f, uint32_t len, bool lengths, bool pseudo)
{
	uint32_t type, vlan, at = frame_payload(f, len, 3, &type, &vlan);

	if (at + 6 > len)
		return;
	if (lengths && type == 0x86dd && len - at >= 40)
		frame_put16(f + at + 4, len - at - 40);
	if (lengths && type == 0x0800)
		frame_put16(f + at + 2, len - at);
	if (type == 0x86dd)
		repair6(f + at, len - at);
	else if (type == 0x0800)
		repair4(f + at, len - at, pseudo);
}

/* ---- mutation ---- */

/* A random number per call, from the seed of the mutation. */
static inline uint32_t draw(uint32_t *seed)
{
	*seed = *seed * 1664525U + 1013904223U;
	return *seed >> 8;
}

/* Puts tags in front of the payload, or takes one off. */
static inline uint32_t mutate_tags(uint8_t *f, uint32_t len, uint32_t cap, uint32_t *seed)
{
	static const uint16_t vids[] = { 0, 7, 10, 20, 4095 };

	if (len < 16)
		return len;
	if (draw(seed) % 3 == 0 && ((f[12] == 0x81 && !f[13]) || (f[12] == 0x88 && f[13] == 0xa8))) {
		memmove(f + 12, f + 16, len - 16);
		return len - 4;
	}
	if (len + 4 > cap)
		return len;
	memmove(f + 16, f + 12, len - 12);
	frame_put16(f + 12, draw(seed) % 2 ? 0x8100 : 0x88a8);
	frame_put16(f + 14, vids[draw(seed) % VX_ARRAY_LEN(vids)] | (draw(seed) % 8) << 13);
	return len + 4;
}

/* Puts somebody of the cast where a MAC or an address is. */
static inline void mutate_cast(uint8_t *f, uint32_t len, uint32_t *seed)
{
	static const uint32_t cast4[] = { ADDR_GROUP, ADDR_GROUP_OWN, ADDR_VIP,      ADDR_VIP + 1,  ADDR_VIP2, ADDR_US,
					  ADDR_PEER,  ADDR_HOST,      ADDR_STRANGER, ADDR_COLLIDES, 0 };
	static const char *const cast6[] = { A6_GROUP,     A6_GROUP_OWN,   A6_ALL_NODES, A6_SOLICITED,
					     A6_VIP,       A6_VIP2,        A6_VIP_NEXT,  A6_VIP_GLOBAL,
					     A6_US,        A6_PEER,        A6_HOST,      A6_STRANGER,
					     A6_US_GLOBAL, A6_PEER_GLOBAL, A6_COLLIDES,  "::" };
	static const uint8_t in_arp[] = { 14, 24 }, in_ip[] = { 12, 16 }, in_ip6[] = { 8, 24, 48 };
	uint32_t type, vlan, at = frame_payload(f, len, 3, &type, &vlan);
	struct in6_addr a6 = frame_addr6(cast6[draw(seed) % VX_ARRAY_LEN(cast6)]);
	uint32_t a4 = htonl(cast4[draw(seed) % VX_ARRAY_LEN(cast4)]);
	const uint8_t *mac = mac_bytes[draw(seed) % VX_ARRAY_LEN(mac_bytes)];

	if (draw(seed) % 2 && len >= 12)
		memcpy(f + draw(seed) % 2 * 6, mac, 6);
	else if (type == 0x0806 && at + 28 <= len && draw(seed) % 2)
		memcpy(f + at + (draw(seed) % 2 ? 8 : 18), mac, 6);
	else if (type == 0x0806 && at + 28 <= len)
		memcpy(f + at + in_arp[draw(seed) % 2], &a4, 4);
	else if (type == 0x0800 && at + 20 <= len)
		memcpy(f + at + in_ip[draw(seed) % 2], &a4, 4);
	else if (type == 0x86dd && at + 64 <= len)
		memcpy(f + at + in_ip6[draw(seed) % 3], &a6, 16);
}

/* Changes the frame @f, which has room for @cap bytes; returns its new length. */
static inline uint32_t mutate_frame(uint8_t *f, uint32_t len, uint32_t cap, uint32_t *seed)
{
	uint32_t how = draw(seed) % 8;

	if (how == 0)
		len = mutate_tags(f, len, cap, seed);
	else if (how < 3)
		mutate_cast(f, len, seed);
	else if (how < 7)
		len = (uint32_t)LLVMFuzzerMutate(f, len, cap);
	if (draw(seed) % 4)
		frame_repair(f, len, draw(seed) % 4 == 0, draw(seed) % 4 == 0);
	return len;
}

/* Changes one of the steps. */
static inline size_t mutate_step(uint8_t *data, size_t size, size_t max, uint32_t *seed)
{
	static struct frame f;
	static uint8_t tail[1 << 16];
	struct step steps[INPUT_STEPS], *s;
	uint32_t n = steps_read(data, size, steps), cap;
	size_t rest;

	if (!n)
		return size;
	s = &steps[draw(seed) % n];
	if (s->kind != STEP_FRAME && s->kind != STEP_EGRESS) {
		data[s->at - INPUT_STEP + 1] = (uint8_t)draw(seed);
		return size;
	}
	rest = size - s->at - s->len;
	cap = (uint32_t)(max - size + s->len < INPUT_FRAME ? max - size + s->len : INPUT_FRAME);
	if (s->len > cap || rest > sizeof(tail))
		return size;
	memcpy(tail, data + s->at + s->len, rest);
	memcpy(f.b, data + s->at, s->len);
	f.len = mutate_frame(f.b, s->len, cap, seed);
	frame_put16(data + s->at - 2, f.len);
	memcpy(data + s->at, f.b, f.len);
	memcpy(data + s->at + f.len, tail, rest);
	return s->at + f.len + rest;
}

typedef bool (*row_fits)(const struct frame_desc *d);

/* A frame of the table that @fits, and the state it finds to @state unless that is NULL. */
static inline enum step_kind row_frame(row_fits fits, struct frame *f, uint8_t *state, uint32_t *seed)
{
	uint32_t leaving = VX_ARRAY_LEN(egress_cases), n = leaving + VX_ARRAY_LEN(packet_cases), i;
	const struct scenario *s;
	const struct frame_desc *d;

	do {
		i = draw(seed) % n;
		d = i < leaving ? &egress_cases[i].frame : &packet_cases[i - leaving].frame;
		s = i < leaving ? &egress_cases[i].in : &packet_cases[i - leaving].in;
	} while (!fits(d));
	frame_build(f, d);
	if (state)
		state_write(s, state);
	return i < leaving ? STEP_EGRESS : STEP_FRAME;
}

/* A new input from the table, one step more, another state, or another frame. */
static inline size_t input_mutate(uint8_t *data, size_t size, size_t max, uint32_t seed, row_fits fits)
{
	static struct frame f;
	uint32_t how = draw(&seed) % 16;
	enum step_kind kind;

	if (max < INPUT_STATE + INPUT_STEP)
		return size;
	if (size < INPUT_STATE + INPUT_STEP || how == 0) {
		kind = row_frame(fits, &f, data, &seed);
		return step_append(data, INPUT_STATE, max, kind, 0, &f);
	}
	if (how == 1) {
		kind = row_frame(fits, &f, NULL, &seed);
		return step_append(data, size, max, kind, 0, &f);
	}
	if (how == 2)
		return step_append(data, size, max,
				   (enum step_kind)(STEP_WAIT + draw(&seed) % (STEP_KINDS - STEP_WAIT)),
				   (uint8_t)draw(&seed), NULL);
	if (how == 3) {
		data[draw(&seed) % INPUT_STATE] ^= (uint8_t)(1 << draw(&seed) % 8);
		return size;
	}
	if (how == 4)
		return LLVMFuzzerMutate(data, size, max);
	return mutate_step(data, size, max, &seed);
}

static inline bool same_state(const struct scenario *a, const struct scenario *b)
{
	struct scenario x = *a, y = *b;
	bool same = !strcmp(a->auth ? a->auth : "-", b->auth ? b->auth : "-") && !a->group6 == !b->group6;

	x.auth = y.auth = x.group6 = y.group6 = NULL;
	return same && x.role == y.role && !memcmp(&x, &y, sizeof(x));
}

/* Says what the fuzzer cannot get at: a state of the table that no input can express. */
static inline void input_check_rows(void)
{
	uint8_t state[INPUT_STATE];
	struct scenario s;
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(packet_cases); i++) {
		state_write(&packet_cases[i].in, state);
		s = state_read(state);
		if (!same_state(&s, &packet_cases[i].in))
			fprintf(stderr, "tests/fuzz/input.h cannot express the state of \"%s\"\n",
				packet_cases[i].name);
	}
}

#endif
