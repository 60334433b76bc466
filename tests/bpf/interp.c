// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bpf/interp.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define NS_PER_S 1000000000ULL

static bool fail(struct interp *it, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(it->error, sizeof(it->error), fmt, ap);
	va_end(ap);
	return false;
}

static void *at(__u64 addr)
{
	return (void *)(uintptr_t)addr;
}

static __u64 addr_of(const void *p)
{
	return (uintptr_t)p;
}

/* ---- maps ---- */

static bool per_cpu(const struct interp_map *m)
{
	return m->type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

int interp_add_map(struct interp *it, int fd)
{
	struct interp_map *m = &it->map[it->nmaps];
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	if (it->nmaps == INTERP_MAPS)
		return -E2BIG;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*m = (struct interp_map){ .fd = fd,
				  .type = info.type,
				  .key_size = info.key_size,
				  .value_size = info.value_size,
				  .max_entries = info.max_entries,
				  .flags = info.map_flags,
				  .stride = (info.value_size + 7UL) & ~7UL };
	if (m->type == BPF_MAP_TYPE_ARRAY || per_cpu(m)) {
		m->mem = calloc(m->max_entries, m->stride);
		if (!m->mem)
			return -ENOMEM;
	}
	it->nmaps++;
	return 0;
}

/* Large arrays can be mapped, small ones are read one by one. */
static int sync_mapped(const struct interp_map *m)
{
	size_t bytes = m->max_entries * m->stride;
	void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, m->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	memcpy(m->mem, p, bytes);
	munmap(p, bytes);
	return 0;
}

static int sync_elements(const struct interp_map *m, int cpu)
{
	size_t copies = per_cpu(m) ? (size_t)libbpf_num_possible_cpus() : 1;
	__u8 *values = calloc(copies, m->stride);
	int err = values ? 0 : -ENOMEM;
	__u32 i;

	for (i = 0; !err && i < m->max_entries; i++) {
		if (bpf_map_lookup_elem(m->fd, &i, values))
			err = -errno;
		else
			memcpy(m->mem + i * m->stride, values + (per_cpu(m) ? (size_t)cpu * m->stride : 0),
			       m->value_size);
	}
	free(values);
	return err;
}

static void forget_entries(struct interp *it)
{
	__u32 i;

	for (i = 0; i < it->nentries; i++) {
		free(it->entry[i].key);
		free(it->entry[i].value);
	}
	it->nentries = 0;
}

int interp_sync(struct interp *it)
{
	int err = 0;
	__u32 i;

	for (i = 0; !err && i < it->nmaps; i++) {
		const struct interp_map *m = &it->map[i];

		if (m->mem)
			err = m->flags & BPF_F_MMAPABLE ? sync_mapped(m) : sync_elements(m, it->cpu);
	}
	forget_entries(it);
	it->executed = it->nevents = it->ntimers = 0;
	memset(it->calls, 0, sizeof(it->calls));
	return err;
}

static struct interp_map *map_of(struct interp *it, int fd)
{
	__u32 i;

	for (i = 0; i < it->nmaps; i++)
		if (it->map[i].fd == fd)
			return &it->map[i];
	return NULL;
}

void *interp_value(struct interp *it, int fd, __u32 index)
{
	const struct interp_map *m = map_of(it, fd);

	return m && m->mem && index < m->max_entries ? m->mem + index * m->stride : NULL;
}

/* Two lookups of a key find the same memory, as in the kernel. */
static bool hash_lookup(struct interp *it, const struct interp_map *m, const void *key, __u64 *r0)
{
	struct interp_entry *e;
	__u32 i;

	for (i = 0; i < it->nentries; i++) {
		e = &it->entry[i];
		if (e->map == m && !memcmp(e->key, key, m->key_size)) {
			*r0 = addr_of(e->value);
			return true;
		}
	}
	if (it->nentries == INTERP_ENTRIES)
		return fail(it, "more than %d entries of hashes looked up", INTERP_ENTRIES);
	e = &it->entry[it->nentries++];
	e->map = m;
	e->key = malloc(m->key_size);
	e->value = calloc(1, m->value_size);
	if (!e->key || !e->value)
		return fail(it, "out of memory");
	memcpy(e->key, key, m->key_size);
	if (bpf_map_lookup_elem(m->fd, key, e->value)) {
		free(e->value);
		e->value = NULL;
	}
	*r0 = addr_of(e->value);
	return true;
}

static bool map_lookup(struct interp *it, const __u64 *r, __u64 *r0)
{
	const struct interp_map *m = at(r[1]);
	__u32 index;

	if (m->type == BPF_MAP_TYPE_HASH)
		return hash_lookup(it, m, at(r[2]), r0);
	if (!m->mem)
		return fail(it, "lookup in a map of type %u", m->type);
	memcpy(&index, at(r[2]), sizeof(index));
	*r0 = index < m->max_entries ? addr_of(m->mem + index * m->stride) : 0;
	return true;
}

/* ---- the other helpers ---- */

static __u64 clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (__u64)t.tv_sec * NS_PER_S + (__u64)t.tv_nsec;
}

/* NULL: no room. */
static struct interp_event *event_begin(struct interp *it, __u64 size)
{
	struct interp_event *e = &it->event[it->nevents];

	if (it->nevents == INTERP_EVENTS || size > INTERP_EVENT_BYTES) {
		fail(it, "no room for %u events of %llu bytes", it->nevents + 1, size);
		return NULL;
	}
	it->nevents++;
	*e = (struct interp_event){ .len = (__u32)size };
	return e;
}

static bool ringbuf_output(struct interp *it, const __u64 *r)
{
	struct interp_event *e = event_begin(it, r[3]);

	if (e)
		memcpy(e->data, at(r[2]), r[3]);
	return e;
}

static bool ringbuf_reserve(struct interp *it, const __u64 *r, __u64 *r0)
{
	struct interp_event *e = event_begin(it, r[2]);

	if (!e)
		return false;
	e->open = true;
	*r0 = addr_of(e->data);
	return true;
}

/* What is discarded was the last that was reserved, in every program that does one thing after the other. */
static bool ringbuf_close(struct interp *it, const __u64 *r, bool discard)
{
	struct interp_event *e = it->nevents ? &it->event[it->nevents - 1] : NULL;

	if (!e || !e->open || addr_of(e->data) != r[1])
		return fail(it, "a record of the ring buffer that is not the last");
	e->open = false;
	it->nevents -= discard;
	return true;
}

/* NULL: too many. */
static struct interp_timer *timer_find(struct interp *it, const void *timer)
{
	struct interp_timer *t = it->timer;
	__u32 i;

	for (i = 0; i < it->ntimers; i++, t++)
		if (t->timer == timer)
			return t;
	if (it->ntimers == INTERP_TIMERS) {
		fail(it, "more than %d timers", INTERP_TIMERS);
		return NULL;
	}
	it->ntimers++;
	*t = (struct interp_timer){ .timer = timer };
	return t;
}

static bool timer_helper(struct interp *it, __u32 helper, const __u64 *r)
{
	struct interp_timer *t = timer_find(it, at(r[1]));

	if (!t)
		return false;
	if (helper == BPF_FUNC_timer_set_callback) {
		t->callback = r[2];
	} else if (helper == BPF_FUNC_timer_start) {
		t->after_ns = r[2];
		t->starts++;
	} else if (helper == BPF_FUNC_timer_cancel) {
		t->cancels++;
	}
	return true;
}

static const struct {
	__u32 number;
	const char *name;
} helpers[] = {
	{ BPF_FUNC_map_lookup_elem, "map_lookup_elem" },
	{ BPF_FUNC_ktime_get_ns, "ktime_get_ns" },
	{ BPF_FUNC_ktime_get_boot_ns, "ktime_get_boot_ns" },
	{ BPF_FUNC_get_smp_processor_id, "get_smp_processor_id" },
	{ BPF_FUNC_ringbuf_output, "ringbuf_output" },
	{ BPF_FUNC_ringbuf_reserve, "ringbuf_reserve" },
	{ BPF_FUNC_ringbuf_submit, "ringbuf_submit" },
	{ BPF_FUNC_ringbuf_discard, "ringbuf_discard" },
	{ BPF_FUNC_timer_init, "timer_init" },
	{ BPF_FUNC_timer_set_callback, "timer_set_callback" },
	{ BPF_FUNC_timer_start, "timer_start" },
	{ BPF_FUNC_timer_cancel, "timer_cancel" },
};

const char *interp_helper_name(__u32 number)
{
	size_t i;

	for (i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		if (helpers[i].number == number)
			return helpers[i].name;
	return NULL;
}

/* @r are the registers before the call; r0 is 0 where a helper has nothing else to say. */
static bool help(struct interp *it, __u32 helper, const __u64 *r, __u64 *r0)
{
	if (helper < INTERP_HELPERS)
		it->calls[helper]++;
	*r0 = 0;
	switch (helper) {
	case BPF_FUNC_map_lookup_elem:
		return map_lookup(it, r, r0);
	case BPF_FUNC_ktime_get_ns:
		*r0 = clock_ns(CLOCK_MONOTONIC);
		return true;
	case BPF_FUNC_ktime_get_boot_ns:
		*r0 = clock_ns(CLOCK_BOOTTIME);
		return true;
	case BPF_FUNC_get_smp_processor_id:
		*r0 = (__u64)it->cpu;
		return true;
	case BPF_FUNC_ringbuf_output:
		return ringbuf_output(it, r);
	case BPF_FUNC_ringbuf_reserve:
		return ringbuf_reserve(it, r, r0);
	case BPF_FUNC_ringbuf_submit:
		return ringbuf_close(it, r, false);
	case BPF_FUNC_ringbuf_discard:
		return ringbuf_close(it, r, true);
	case BPF_FUNC_timer_init:
	case BPF_FUNC_timer_set_callback:
	case BPF_FUNC_timer_start:
	case BPF_FUNC_timer_cancel:
		return timer_helper(it, helper, r);
	}
	return fail(it, "helper %u is not known here", helper);
}

/* ---- arithmetic ---- */

static __u64 divide(__u64 a, __u64 b, bool remainder)
{
	if (!b)
		return remainder ? a : 0;
	return remainder ? a % b : a / b;
}

static __u64 shift_arithmetic(__u64 a, unsigned int n, unsigned int bits)
{
	__u64 sign = a >> (bits - 1) & 1;
	__u64 low = a >> n;

	return sign && n ? low | ~0ULL << (bits - n) : low;
}

/* Of @bits, 32 or 64; the caller cuts the upper half off. */
static bool alu(struct interp *it, __u8 op, __u64 *dst, __u64 src, unsigned int bits)
{
	__u64 a = bits == 32 ? (__u32)*dst : *dst, b = bits == 32 ? (__u32)src : src;

	switch (op) {
	case BPF_ADD:
		a += b;
		break;
	case BPF_SUB:
		a -= b;
		break;
	case BPF_MUL:
		a *= b;
		break;
	case BPF_DIV:
	case BPF_MOD:
		a = divide(a, b, op == BPF_MOD);
		break;
	case BPF_OR:
		a |= b;
		break;
	case BPF_AND:
		a &= b;
		break;
	case BPF_XOR:
		a ^= b;
		break;
	case BPF_LSH:
		a <<= b & (bits - 1);
		break;
	case BPF_RSH:
		a >>= b & (bits - 1);
		break;
	case BPF_ARSH:
		a = shift_arithmetic(a, b & (bits - 1), bits);
		break;
	case BPF_NEG:
		a = -a;
		break;
	case BPF_MOV:
		a = b;
		break;
	default:
		return fail(it, "arithmetic operation %#x", op);
	}
	*dst = bits == 32 ? (__u32)a : a;
	return true;
}

/* The source bit says to which order, the immediate how many bits are turned; what is above them is cut off. */
static bool swap(struct interp *it, const struct bpf_insn *i, __u64 *dst)
{
	bool big = BPF_SRC(i->code) == BPF_TO_BE;

	switch (i->imm) {
	case 16:
		*dst = big ? htobe16((__u16)*dst) : htole16((__u16)*dst);
		return true;
	case 32:
		*dst = big ? htobe32((__u32)*dst) : htole32((__u32)*dst);
		return true;
	case 64:
		*dst = big ? htobe64(*dst) : htole64(*dst);
		return true;
	}
	return fail(it, "byte order of %d bits", i->imm);
}

static bool taken(struct interp *it, __u8 op, __u64 a, __u64 b, unsigned int bits, bool *yes)
{
	__s64 sa = bits == 32 ? (__s32)a : (__s64)a, sb = bits == 32 ? (__s32)b : (__s64)b;

	if (bits == 32) {
		a = (__u32)a;
		b = (__u32)b;
	}
	switch (op) {
	case BPF_JEQ:
		*yes = a == b;
		return true;
	case BPF_JNE:
		*yes = a != b;
		return true;
	case BPF_JGT:
		*yes = a > b;
		return true;
	case BPF_JGE:
		*yes = a >= b;
		return true;
	case BPF_JLT:
		*yes = a < b;
		return true;
	case BPF_JLE:
		*yes = a <= b;
		return true;
	case BPF_JSET:
		*yes = a & b;
		return true;
	case BPF_JSGT:
		*yes = sa > sb;
		return true;
	case BPF_JSGE:
		*yes = sa >= sb;
		return true;
	case BPF_JSLT:
		*yes = sa < sb;
		return true;
	case BPF_JSLE:
		*yes = sa <= sb;
		return true;
	}
	return fail(it, "jump %#x", op);
}

/* ---- memory ---- */

static size_t width(__u8 code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	default:
		return 8;
	}
}

static __u64 load(const void *p, size_t bytes)
{
	__u64 v8;
	__u32 v4;
	__u16 v2;

	switch (bytes) {
	case 1:
		return *(const __u8 *)p;
	case 2:
		memcpy(&v2, p, 2);
		return v2;
	case 4:
		memcpy(&v4, p, 4);
		return v4;
	default:
		memcpy(&v8, p, 8);
		return v8;
	}
}

static void store(void *p, __u64 v, size_t bytes)
{
	__u32 v4 = (__u32)v;
	__u16 v2 = (__u16)v;

	switch (bytes) {
	case 1:
		*(__u8 *)p = (__u8)v;
		break;
	case 2:
		memcpy(p, &v2, 2);
		break;
	case 4:
		memcpy(p, &v4, 4);
		break;
	default:
		memcpy(p, &v, 8);
	}
}

/* Nobody else is in this memory, so that plain loads and stores do. */
static bool atomic(struct interp *it, const struct bpf_insn *i, __u64 *r)
{
	void *p = at(r[i->dst_reg] + (__u64)i->off);
	size_t bytes = width(i->code);
	__u64 old = load(p, bytes), arg = r[i->src_reg], now = old;

	if (bytes < 4)
		return fail(it, "atomic operation of %zu bytes", bytes);
	if (i->imm == BPF_CMPXCHG) {
		now = old == (bytes == 4 ? (__u32)r[0] : r[0]) ? arg : old;
		r[0] = old;
	} else if (i->imm == BPF_XCHG) {
		now = arg;
	} else if (!alu(it, (__u8)(i->imm & ~BPF_FETCH), &now, arg, 64)) {
		return false;
	}
	store(p, now, bytes);
	if (i->imm & BPF_FETCH && i->imm != BPF_CMPXCHG)
		r[i->src_reg] = old;
	return true;
}

/* ---- control ---- */

/* Two instructions that are one: a constant, a map, a place in global data, or a function. */
static bool load_constant(struct interp *it, size_t pc, __u64 *dst)
{
	const struct bpf_insn *i = &it->insn[pc];
	const struct interp_map *m = NULL;

	if (pc + 1 >= it->ninsns)
		return fail(it, "half a constant at the end");
	if (i->src_reg == BPF_PSEUDO_MAP_FD || i->src_reg == BPF_PSEUDO_MAP_VALUE) {
		m = map_of(it, i->imm);
		if (!m)
			return fail(it, "a map that is not known here: descriptor %d", i->imm);
	}
	switch (i->src_reg) {
	case 0:
		*dst = (__u32)i->imm | (__u64)(__u32)i[1].imm << 32;
		return true;
	case BPF_PSEUDO_MAP_FD:
		*dst = addr_of(m);
		return true;
	case BPF_PSEUDO_MAP_VALUE:
		if (!m->mem)
			return fail(it, "global data in a map of type %u", m->type);
		*dst = addr_of(m->mem) + (__u32)i[1].imm;
		return true;
	case BPF_PSEUDO_FUNC:
		*dst = pc + (size_t)i->imm + 1;
		return true;
	}
	return fail(it, "a constant of kind %u", i->src_reg);
}

static bool function(struct interp *it, size_t pc, __u64 *r);

/* A subprogram has the same arguments, registers of its own, and a stack of its own. */
static bool call(struct interp *it, size_t pc, __u64 *r)
{
	const struct bpf_insn *i = &it->insn[pc];
	__u64 inner[11] = { 0 }, r0;
	int k;

	if (i->src_reg == 0) {
		if (!help(it, (__u32)i->imm, r, &r0))
			return false;
		r[0] = r0;
		return true;
	}
	if (i->src_reg != BPF_PSEUDO_CALL)
		return fail(it, "a call of kind %u", i->src_reg);
	for (k = 1; k <= 5; k++)
		inner[k] = r[k];
	if (!function(it, pc + (size_t)i->imm + 1, inner))
		return false;
	r[0] = inner[0];
	return true;
}

/* One that changes no program counter but past itself. */
static bool step(struct interp *it, size_t pc, __u64 *r)
{
	const struct bpf_insn *i = &it->insn[pc];
	unsigned int bits = BPF_CLASS(i->code) == BPF_ALU64 ? 64 : 32;
	__u64 operand = BPF_SRC(i->code) == BPF_X ? r[i->src_reg] : (__u64)(__s64)i->imm;
	bool plain = BPF_MODE(i->code) == BPF_MEM;

	switch (BPF_CLASS(i->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		if (BPF_OP(i->code) == BPF_END && bits == 32)
			return swap(it, i, &r[i->dst_reg]);
		if (i->off)
			return fail(it, "arithmetic with an offset, at %zu", pc);
		return alu(it, BPF_OP(i->code), &r[i->dst_reg], operand, bits);
	case BPF_LDX:
		if (!plain)
			return fail(it, "load of mode %#x", BPF_MODE(i->code));
		r[i->dst_reg] = load(at(r[i->src_reg] + (__u64)i->off), width(i->code));
		return true;
	case BPF_ST:
		if (!plain)
			return fail(it, "store of mode %#x", BPF_MODE(i->code));
		store(at(r[i->dst_reg] + (__u64)i->off), (__u64)(__s64)i->imm, width(i->code));
		return true;
	case BPF_STX:
		if (BPF_MODE(i->code) == BPF_ATOMIC)
			return atomic(it, i, r);
		if (!plain)
			return fail(it, "store of mode %#x", BPF_MODE(i->code));
		store(at(r[i->dst_reg] + (__u64)i->off), r[i->src_reg], width(i->code));
		return true;
	case BPF_LD:
		if (i->code != (BPF_LD | BPF_IMM | BPF_DW))
			return fail(it, "load %#x", i->code);
		return load_constant(it, pc, &r[i->dst_reg]);
	}
	return fail(it, "instruction %#x", i->code);
}

/* A jump or a call; to what is behind the program function() says no. */
static bool jump(struct interp *it, size_t *pc, __u64 *r)
{
	const struct bpf_insn *i = &it->insn[*pc];
	unsigned int bits = BPF_CLASS(i->code) == BPF_JMP ? 64 : 32;
	__u64 operand = BPF_SRC(i->code) == BPF_X ? r[i->src_reg] : (__u64)(__s64)i->imm;
	bool yes = true;

	if (i->code == (BPF_JMP | BPF_CALL)) {
		if (!call(it, *pc, r))
			return false;
		(*pc)++;
		return true;
	}
	if (i->code != (BPF_JMP | BPF_JA) && !taken(it, BPF_OP(i->code), r[i->dst_reg], operand, bits, &yes))
		return false;
	*pc += 1 + (yes ? (size_t)i->off : 0);
	return true;
}

/* @r: registers, with the arguments in place; the result is in r[0]. */
static bool function(struct interp *it, size_t pc, __u64 *r)
{
	if (it->depth == INTERP_DEPTH)
		return fail(it, "more than %d functions that call each other", INTERP_DEPTH);
	memset(it->stack[it->depth], 0xa5, INTERP_STACK); /* whoever reads what he has not written shall notice */
	r[10] = addr_of(it->stack[it->depth]) + INTERP_STACK;
	it->depth++;
	for (;;) {
		const struct bpf_insn *i;

		if (pc >= it->ninsns)
			return fail(it, "instruction %zu of %zu", pc, it->ninsns);
		if (++it->executed > it->limit)
			return fail(it, "does not come to an end");
		i = &it->insn[pc];
		if (i->code == (BPF_JMP | BPF_EXIT))
			break;
		if (BPF_CLASS(i->code) == BPF_JMP || BPF_CLASS(i->code) == BPF_JMP32) {
			if (!jump(it, &pc, r))
				return false;
			continue;
		}
		if (!step(it, pc, r))
			return false;
		pc += i->code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1;
	}
	it->depth--;
	return true;
}

bool interp_call(struct interp *it, const struct bpf_insn *insn, size_t ninsns, size_t pc, const __u64 args[5],
		 __u64 *result)
{
	__u64 r[11] = { 0 };

	it->insn = insn;
	it->ninsns = ninsns;
	it->depth = 0;
	it->limit = it->executed + INTERP_STEPS;
	it->error[0] = '\0';
	memcpy(&r[1], args, 5 * sizeof(r[0]));
	if (!function(it, pc, r))
		return false;
	*result = r[0];
	return true;
}

bool interp_run(struct interp *it, const struct bpf_insn *insn, size_t ninsns, void *ctx, __u64 *result)
{
	return interp_call(it, insn, ninsns, 0, (__u64[5]){ addr_of(ctx) }, result);
}

void *interp_low(size_t bytes)
{
	uintptr_t hint;
	void *p;

	for (hint = 1UL << 28; hint < 1UL << 32; hint += 1UL << 28) {
		p = mmap(at(hint), bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return NULL;
		if (addr_of(p) + bytes <= 1ULL << 32)
			return p;
		munmap(p, bytes);
	}
	return NULL;
}

void interp_free(struct interp *it)
{
	__u32 i;

	forget_entries(it);
	for (i = 0; i < it->nmaps; i++)
		free(it->map[i].mem);
	it->nmaps = 0;
}
