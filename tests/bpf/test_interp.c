// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The interpreter of tests/bpf/interp.c beside the kernel: small programs run in both, over operands that the verifier cannot know
 * because they come in a frame, and every byte that goes out has to be the same. Needs root, attaches nothing.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base.h"
#include "tests/bpf/interp.h"

#define I(op, dst, src, offset, value)                                                                                 \
	((struct bpf_insn){ .code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (value) })
#define MOV(dst, src)            I(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define MOV_IMM(dst, v)          I(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, v)
#define ADD_IMM(dst, v)          I(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, v)
#define LDX(w, dst, src, o)      I(BPF_LDX | BPF_MEM | (w), dst, src, o, 0)
#define STX(w, dst, src, o)      I(BPF_STX | BPF_MEM | (w), dst, src, o, 0)
#define ST(w, dst, o, v)         I(BPF_ST | BPF_MEM | (w), dst, 0, o, v)
#define CALL(helper)             I(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_##helper)
#define CALL_LOCAL(distance)     I(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, distance)
#define LD_MAP(dst, kind, fd, o) I(BPF_LD | BPF_IMM | BPF_DW, dst, kind, 0, fd), I(0, 0, 0, 0, o)
#define EXIT                     I(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* r6 and r7 are the operands, r8 the place for the result, behind them in the frame; ENTRY passes r0 = 0 out where it is too short. */
#define ENTRY                                                                                                          \
	MOV_IMM(0, 0), LDX(BPF_W, 8, 1, offsetof(struct xdp_md, data)),                                                \
		LDX(BPF_W, 2, 1, offsetof(struct xdp_md, data_end)), MOV(3, 8), ADD_IMM(3, FRAME),                     \
		I(BPF_JMP | BPF_JGT | BPF_X, 3, 2, TO_EXIT, 0), LDX(BPF_DW, 6, 8, 0), LDX(BPF_DW, 7, 8, 8),            \
		ADD_IMM(8, 16)

enum { FRAME = 64, MAX_INSNS = 64, TO_EXIT = 0x7fff };

static const __u64 operands[] = { 0,
				  1,
				  2,
				  7,
				  31,
				  32,
				  63,
				  64,
				  0x80,
				  0xffff,
				  0x7fffffff,
				  0x80000000,
				  0xffffffff,
				  0x123456789,
				  0x0102030405060708,
				  0x7fffffffffffffff,
				  0x8000000000000000,
				  0xfffffffffffffffe,
				  0xffffffffffffffff };

static struct {
	struct interp it;
	__u8 *low; /* a frame below 4 GiB */
} t;

struct prog {
	struct bpf_insn insn[MAX_INSNS];
	size_t n;
	int fd;
};

/* Appends the end, and sends there whatever wanted to go there. */
static void prog_load(struct prog *p, const struct bpf_insn *body, size_t n)
{
	static char log[65536];
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_level = 1, .log_buf = log, .log_size = sizeof(log));
	size_t i;

	assert_true(n < MAX_INSNS);
	memcpy(p->insn, body, n * sizeof(*body));
	p->n = n;
	for (i = 0; i < n; i++)
		if (p->insn[i].off == TO_EXIT)
			p->insn[i].off = (__s16)(n - 2 - i);
	p->fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "interp", "GPL", p->insn, p->n, &opts);
	if (p->fd < 0)
		fail_msg("the kernel refuses it: %s", log);
}

static void run_in_kernel(const struct prog *p, const __u8 in[FRAME], __u8 out[FRAME], __u32 *result)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = FRAME, .data_out = out,
		    .data_size_out = FRAME, .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(p->fd, &opts), 0);
	*result = opts.retval;
}

static void run_here(const struct prog *p, const __u8 in[FRAME], __u8 out[FRAME], __u32 *result)
{
	struct xdp_md ctx = { .data = (__u32)(uintptr_t)t.low, .data_end = (__u32)(uintptr_t)t.low + FRAME };
	__u64 r0;

	memcpy(t.low, in, FRAME);
	if (!interp_run(&t.it, p->insn, p->n, &ctx, &r0))
		fail_msg("the interpreter refuses it: %s", t.it.error);
	memcpy(out, t.low, FRAME);
	*result = (__u32)r0;
}

/* Over every pair of operands. */
static void same_in_both(const char *what, unsigned int detail, const struct bpf_insn *body, size_t n)
{
	__u8 in[FRAME] = { 0 }, kernel[FRAME], here[FRAME];
	__u32 kernel_result, result;
	struct prog p = { 0 };
	size_t a, b;

	prog_load(&p, body, n);
	for (a = 0; a < VX_ARRAY_LEN(operands); a++) {
		for (b = 0; b < VX_ARRAY_LEN(operands); b++) {
			memcpy(in, &operands[a], 8);
			memcpy(in + 8, &operands[b], 8);
			run_here(&p, in, here, &result); /* first: what the kernel then writes it does not see */
			run_in_kernel(&p, in, kernel, &kernel_result);
			if (result != kernel_result || memcmp(here, kernel, FRAME))
				fail_msg("%s %#x of %#llx and %#llx differs: result %#x, the kernel's %#x", what,
					 detail, operands[a], operands[b], result, kernel_result);
		}
	}
	close(p.fd);
}

#define SAME(what, detail, ...)                                                                                        \
	do {                                                                                                           \
		const struct bpf_insn body_[] = { ENTRY, __VA_ARGS__, EXIT };                                          \
		same_in_both(what, detail, body_, VX_ARRAY_LEN(body_));                                                \
	} while (0)

static const __u8 alu_ops[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR,  BPF_AND, BPF_LSH,
				BPF_RSH, BPF_NEG, BPF_MOD, BPF_XOR, BPF_MOV, BPF_ARSH };
static const __u8 classes[] = { BPF_ALU, BPF_ALU64 };

static void arithmetic_of_registers_is_that_of_the_kernel(void **state __attribute__((unused)))
{
	size_t i, c;

	for (i = 0; i < VX_ARRAY_LEN(alu_ops); i++) {
		for (c = 0; c < VX_ARRAY_LEN(classes); c++) {
			__u8 op = alu_ops[i] | classes[c] | (alu_ops[i] == BPF_NEG ? 0 : BPF_X);

			SAME("operation", op, I(op, 6, alu_ops[i] == BPF_NEG ? 0 : 7, 0, 0), STX(BPF_DW, 8, 6, 0));
		}
	}
}

static void arithmetic_with_constants_is_that_of_the_kernel(void **state __attribute__((unused)))
{
	static const __s32 constants[] = { 1, 3, 31, -1, -2147483647 - 1, 0x12345678 };
	size_t i, c, k;

	for (i = 0; i < VX_ARRAY_LEN(alu_ops); i++) {
		for (c = 0; c < VX_ARRAY_LEN(classes); c++) {
			for (k = 0; k < VX_ARRAY_LEN(constants); k++) {
				bool shift = alu_ops[i] == BPF_LSH || alu_ops[i] == BPF_RSH || alu_ops[i] == BPF_ARSH;
				__u8 op = alu_ops[i] | classes[c];

				if (alu_ops[i] == BPF_NEG || (shift && (constants[k] < 0 || constants[k] > 31)))
					continue; /* the verifier allows none */
				SAME("operation with a constant", op, I(op, 6, 0, 0, constants[k]),
				     STX(BPF_DW, 8, 6, 0));
			}
		}
	}
}

static void byte_orders_are_those_of_the_kernel(void **state __attribute__((unused)))
{
	static const int bits[] = { 16, 32, 64 };
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(bits); i++) {
		SAME("to big endian", bits[i], I(BPF_ALU | BPF_END | BPF_TO_BE, 6, 0, 0, bits[i]),
		     STX(BPF_DW, 8, 6, 0));
		SAME("to little endian", bits[i], I(BPF_ALU | BPF_END | BPF_TO_LE, 6, 0, 0, bits[i]),
		     STX(BPF_DW, 8, 6, 0));
	}
}

static void jumps_are_those_of_the_kernel(void **state __attribute__((unused)))
{
	static const __u8 ops[] = { BPF_JEQ,  BPF_JGT, BPF_JGE, BPF_JSET, BPF_JNE, BPF_JSGT,
				    BPF_JSGE, BPF_JLT, BPF_JLE, BPF_JSLT, BPF_JSLE };
	static const __u8 widths[] = { BPF_JMP, BPF_JMP32 };
	static const __s32 constants[] = { 0, 7, -1, 0x7fffffff };
	size_t i, c, k;

	for (i = 0; i < VX_ARRAY_LEN(ops); i++) {
		for (c = 0; c < VX_ARRAY_LEN(widths); c++) {
			__u8 op = ops[i] | widths[c];

			SAME("jump", op, MOV_IMM(0, 1), I(op | BPF_X, 6, 7, 1, 0), MOV_IMM(0, 2));
			for (k = 0; k < VX_ARRAY_LEN(constants); k++)
				SAME("jump by a constant", op, MOV_IMM(0, 1), I(op, 6, 0, 1, constants[k]),
				     MOV_IMM(0, 2));
		}
	}
	SAME("jump always", 0, MOV_IMM(0, 1), I(BPF_JMP | BPF_JNE | BPF_X, 6, 7, 1, 0), I(BPF_JMP | BPF_JA, 0, 0, 1, 0),
	     MOV_IMM(0, 2));
}

static void loads_and_stores_are_those_of_the_kernel(void **state __attribute__((unused)))
{
	static const __u8 widths[] = { BPF_B, BPF_H, BPF_W, BPF_DW };
	size_t i;

	for (i = 0; i < VX_ARRAY_LEN(widths); i++) {
		SAME("load", widths[i], LDX(widths[i], 6, 8, -16), STX(BPF_DW, 8, 6, 0));
		SAME("store", widths[i], STX(widths[i], 8, 6, 3));
		SAME("store of a constant", widths[i], ST(widths[i], 8, 5, -2));
		SAME("stack", widths[i], ST(BPF_DW, 10, -8, 0x5a), STX(widths[i], 10, 7, -8), LDX(BPF_DW, 6, 10, -8),
		     STX(BPF_DW, 8, 6, 0));
	}
	SAME("constant", 64, I(BPF_LD | BPF_IMM | BPF_DW, 6, 0, 0, -2), I(0, 0, 0, 0, 0x7654321), STX(BPF_DW, 8, 6, 0));
}

static void atomic_operations_are_those_of_the_kernel(void **state __attribute__((unused)))
{
	static const int ops[] = { BPF_ADD,
				   BPF_OR,
				   BPF_AND,
				   BPF_XOR,
				   BPF_ADD | BPF_FETCH,
				   BPF_OR | BPF_FETCH,
				   BPF_AND | BPF_FETCH,
				   BPF_XOR | BPF_FETCH,
				   BPF_XCHG,
				   BPF_CMPXCHG };
	static const __u8 widths[] = { BPF_W, BPF_DW };
	size_t i, c;

	for (i = 0; i < VX_ARRAY_LEN(ops); i++) {
		for (c = 0; c < VX_ARRAY_LEN(widths); c++) {
			/* r0 is what a compare-and-exchange compares with: 7 is one of the operands */
			SAME("atomic operation", ops[i], MOV_IMM(0, 7), STX(BPF_DW, 10, 6, -8),
			     I(BPF_STX | BPF_ATOMIC | widths[c], 10, 7, -8, ops[i]), LDX(BPF_DW, 6, 10, -8),
			     STX(BPF_DW, 8, 6, 0), STX(BPF_DW, 8, 7, 8), STX(BPF_DW, 8, 0, 16), MOV_IMM(0, 2));
		}
	}
}

/* The callee's r6 is its own, and so is its stack; its arguments are the caller's. */
static void subprograms_are_called_as_in_the_kernel(void **state __attribute__((unused)))
{
	const struct bpf_insn body[] = {
		ENTRY,
		STX(BPF_DW, 10, 6, -8),
		MOV(1, 6),
		MOV(2, 7),
		CALL_LOCAL(5),
		STX(BPF_DW, 8, 0, 0),
		STX(BPF_DW, 8, 6, 8),
		LDX(BPF_DW, 6, 10, -8),
		STX(BPF_DW, 8, 6, 16),
		EXIT,
		MOV(6, 2),
		ST(BPF_DW, 10, -8, 0),
		MOV(0, 1),
		I(BPF_ALU64 | BPF_SUB | BPF_X, 0, 6, 0, 0),
		EXIT,
	};
	struct bpf_insn shifted[VX_ARRAY_LEN(body)];

	memcpy(shifted, body, sizeof(body));
	shifted[5].off = 8 + 3; /* to the exit of the first function */
	same_in_both("subprogram", 0, shifted, VX_ARRAY_LEN(shifted));
}

/* ---- maps and helpers ---- */

static int make_map(enum bpf_map_type type, __u32 flags, __u32 key_size, __u32 value_size, __u32 entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(type, "interp", key_size, value_size, entries, &opts);

	assert_true(fd >= 0);
	assert_int_equal(interp_add_map(&t.it, fd), 0);
	return fd;
}

/* Looks the first operand up, writes to the frame what is found, and one more into the map. */
static void lookups_in(int fd)
{
	const struct bpf_insn body[] = {
		ENTRY,
		STX(BPF_W, 10, 6, -4),
		MOV(2, 10),
		ADD_IMM(2, -4),
		LD_MAP(1, BPF_PSEUDO_MAP_FD, fd, 0),
		CALL(map_lookup_elem),
		I(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5, 0),
		LDX(BPF_DW, 6, 0, 0),
		STX(BPF_DW, 8, 6, 0),
		ADD_IMM(6, 1),
		STX(BPF_DW, 0, 6, 0),
		MOV_IMM(0, 2),
		EXIT,
	};

	same_in_both("lookup", 0, body, VX_ARRAY_LEN(body));
}

/* The kernel and the interpreter run in turn, and what the one has changed the other sees only after interp_sync(). */
static void lookups_find_what_the_kernel_finds(enum bpf_map_type type, __u32 flags)
{
	int fd = make_map(type, flags, 4, 12, 40), cpus = libbpf_num_possible_cpus();
	__u64 *values = calloc((size_t)cpus, 16);
	__u32 key;
	int cpu;

	assert_non_null(values);
	for (key = 0; key < 40; key += type == BPF_MAP_TYPE_HASH ? 7 : 1) {
		for (cpu = 0; cpu < cpus; cpu++)
			values[(size_t)cpu * 2] = 1000 + key;
		assert_int_equal(bpf_map_update_elem(fd, &key, values, BPF_ANY), 0);
	}
	free(values);
	assert_int_equal(interp_sync(&t.it), 0);
	lookups_in(fd);
	close(fd);
}

static void lookups_in_a_hash(void **state __attribute__((unused)))
{
	lookups_find_what_the_kernel_finds(BPF_MAP_TYPE_HASH, 0);
}

static void lookups_in_an_array(void **state __attribute__((unused)))
{
	lookups_find_what_the_kernel_finds(BPF_MAP_TYPE_ARRAY, 0);
}

static void lookups_in_a_mapped_array(void **state __attribute__((unused)))
{
	lookups_find_what_the_kernel_finds(BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE);
}

static void lookups_in_an_array_per_cpu(void **state __attribute__((unused)))
{
	lookups_find_what_the_kernel_finds(BPF_MAP_TYPE_PERCPU_ARRAY, 0);
}

static void global_data_is_found_by_its_place(void **state __attribute__((unused)))
{
	int fd = make_map(BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, 4, 64, 1);
	__u64 data[8] = { 11, 22, 33 };
	__u32 key = 0;

	assert_int_equal(bpf_map_update_elem(fd, &key, data, BPF_ANY), 0);
	assert_int_equal(interp_sync(&t.it), 0);
	SAME("global data", 0, LD_MAP(1, BPF_PSEUDO_MAP_VALUE, fd, 16), LDX(BPF_DW, 6, 1, 0), STX(BPF_DW, 8, 6, 0),
	     LD_MAP(1, BPF_PSEUDO_MAP_VALUE, fd, 0), LDX(BPF_DW, 6, 1, 8), STX(BPF_DW, 8, 6, 8));
	close(fd);
}

#define RUN(p, in, ...)                                                                                                \
	do {                                                                                                           \
		const struct bpf_insn body_[] = { ENTRY, __VA_ARGS__, EXIT };                                          \
		prog_load(p, body_, VX_ARRAY_LEN(body_));                                                              \
		run_here(p, in, out, &result);                                                                         \
		close((p)->fd);                                                                                        \
	} while (0)

static void the_clocks_are_those_of_the_kernel(void **state __attribute__((unused)))
{
	__u8 in[FRAME] = { 0 }, out[FRAME];
	struct prog p = { 0 };
	__u64 mono_ns, boot_ns, kernel_ns;
	__u32 result;

	RUN(&p, in, CALL(ktime_get_ns), STX(BPF_DW, 8, 0, 0), CALL(ktime_get_boot_ns), STX(BPF_DW, 8, 0, 8));
	memcpy(&mono_ns, out + 16, 8);
	memcpy(&boot_ns, out + 24, 8);
	prog_load(&p,
		  (struct bpf_insn[]){ ENTRY, CALL(ktime_get_ns), STX(BPF_DW, 8, 0, 0), CALL(ktime_get_boot_ns),
				       STX(BPF_DW, 8, 0, 8), EXIT },
		  14);
	run_in_kernel(&p, in, out, &result);
	close(p.fd);
	memcpy(&kernel_ns, out + 16, 8);
	assert_in_range(mono_ns, 1, kernel_ns);
	memcpy(&kernel_ns, out + 24, 8);
	assert_in_range(boot_ns, mono_ns, kernel_ns);
}

static void events_are_recorded_and_discarded_ones_are_not(void **state __attribute__((unused)))
{
	int fd = make_map(BPF_MAP_TYPE_RINGBUF, 0, 0, 0, 4096);
	__u8 in[FRAME] = { 1, 2, 3 }, out[FRAME];
	struct prog p = { 0 };
	__u64 value;
	__u32 result;

	assert_int_equal(interp_sync(&t.it), 0);
	RUN(&p, in, ST(BPF_DW, 10, -8, 77), LD_MAP(1, BPF_PSEUDO_MAP_FD, fd, 0), MOV(2, 10), ADD_IMM(2, -8),
	    MOV_IMM(3, 8), MOV_IMM(4, 0), CALL(ringbuf_output), LD_MAP(1, BPF_PSEUDO_MAP_FD, fd, 0), MOV_IMM(2, 16),
	    MOV_IMM(3, 0), CALL(ringbuf_reserve), I(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4, 0), ST(BPF_DW, 0, 0, 78),
	    MOV(1, 0), MOV_IMM(2, 0), CALL(ringbuf_submit), LD_MAP(1, BPF_PSEUDO_MAP_FD, fd, 0), MOV_IMM(2, 16),
	    MOV_IMM(3, 0), CALL(ringbuf_reserve), I(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3, 0), MOV(1, 0), MOV_IMM(2, 0),
	    CALL(ringbuf_discard), MOV_IMM(0, 2));
	assert_int_equal(result, 2);
	assert_int_equal(t.it.nevents, 2);
	memcpy(&value, t.it.event[0].data, 8);
	assert_int_equal(value, 77);
	memcpy(&value, t.it.event[1].data, 8);
	assert_int_equal(value, 78);
	assert_int_equal(t.it.event[1].len, 16);
	assert_int_equal(t.it.calls[BPF_FUNC_ringbuf_reserve], 2);
	close(fd);
}

static void instructions_and_calls_are_counted(void **state __attribute__((unused)))
{
	__u8 in[FRAME] = { 0 }, out[FRAME];
	struct prog p = { 0 };
	__u32 result;

	assert_int_equal(interp_sync(&t.it), 0);
	RUN(&p, in, CALL(ktime_get_boot_ns), CALL(ktime_get_boot_ns), MOV_IMM(0, 2));
	assert_int_equal(t.it.executed, 9 + 3 + 1);
	assert_int_equal(t.it.calls[BPF_FUNC_ktime_get_boot_ns], 2);
	assert_int_equal(t.it.calls[BPF_FUNC_ktime_get_ns], 0);
	memset(in, 0xff, sizeof(in)); /* a loop of as many rounds as the last byte of r6 says, less the even ones */
	assert_int_equal(interp_sync(&t.it), 0);
	RUN(&p, in, MOV_IMM(0, 10), ADD_IMM(0, -1), I(BPF_JMP | BPF_JNE | BPF_K, 0, 0, -2, 0));
	assert_int_equal(t.it.executed, 9 + 1 + 10 * 2 + 1);
}

/* ---- what it refuses ---- */

static void refused(const char *why, const struct bpf_insn *insn, size_t n)
{
	struct xdp_md ctx = { 0 };
	__u64 r0;

	assert_false(interp_run(&t.it, insn, n, &ctx, &r0));
	if (!strstr(t.it.error, why))
		fail_msg("\"%s\" instead of \"%s\"", t.it.error, why);
}

#define REFUSED(why, ...)                                                                                              \
	do {                                                                                                           \
		const struct bpf_insn body_[] = { __VA_ARGS__ };                                                       \
		refused(why, body_, VX_ARRAY_LEN(body_));                                                              \
	} while (0)

static void what_it_does_not_know_is_refused_and_named(void **state __attribute__((unused)))
{
	assert_int_equal(interp_sync(&t.it), 0);
	REFUSED("helper 7 is not known", CALL(get_prandom_u32), EXIT);
	REFUSED("a call of kind 2", I(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, 1), EXIT);
	REFUSED("arithmetic operation 0xe0", I(BPF_ALU64 | 0xe0, 0, 0, 0, 0), EXIT);
	REFUSED("arithmetic with an offset", I(BPF_ALU64 | BPF_DIV, 0, 0, 1, 1), EXIT); /* signed, of Linux 6.6 */
	REFUSED("load of mode 0x80", I(BPF_LDX | 0x80 | BPF_W, 0, 10, -8, 0), EXIT);
	REFUSED("a map that is not known here: descriptor 999", LD_MAP(1, BPF_PSEUDO_MAP_FD, 999, 0), EXIT);
	REFUSED("a constant of kind 3", LD_MAP(1, BPF_PSEUDO_BTF_ID, 1, 0), EXIT);
	REFUSED("byte order of 8 bits", I(BPF_ALU | BPF_END, 0, 0, 0, 8), EXIT);
	REFUSED("jump 0xf0", I(BPF_JMP | 0xf0, 0, 0, 0, 0), EXIT);
	REFUSED("instruction 1 of 1", MOV_IMM(0, 1));
	REFUSED("functions that call each other", CALL_LOCAL(-1), EXIT);
	REFUSED("does not come to an end", I(BPF_JMP | BPF_JA, 0, 0, -1, 0), EXIT);
}

static int forget_maps(void **state __attribute__((unused)))
{
	interp_free(&t.it);
	return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, forget_maps)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arithmetic_of_registers_is_that_of_the_kernel),
		TEST(arithmetic_with_constants_is_that_of_the_kernel),
		TEST(byte_orders_are_those_of_the_kernel),
		TEST(jumps_are_those_of_the_kernel),
		TEST(loads_and_stores_are_those_of_the_kernel),
		TEST(atomic_operations_are_those_of_the_kernel),
		TEST(subprograms_are_called_as_in_the_kernel),
		TEST(lookups_in_a_hash),
		TEST(lookups_in_an_array),
		TEST(lookups_in_a_mapped_array),
		TEST(lookups_in_an_array_per_cpu),
		TEST(global_data_is_found_by_its_place),
		TEST(the_clocks_are_those_of_the_kernel),
		TEST(events_are_recorded_and_discarded_ones_are_not),
		TEST(instructions_and_calls_are_counted),
		TEST(what_it_does_not_know_is_refused_and_named),
	};
	cpu_set_t set;

	if (geteuid()) {
		fprintf(stderr, "bpf_interp: needs root to load a BPF program\n");
		return 1;
	}
	/* the kernel's values of a map per CPU are those of where it runs */
	t.it.cpu = sched_getcpu();
	CPU_ZERO(&set);
	CPU_SET((size_t)t.it.cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("bpf_interp: sched_setaffinity");
		return 1;
	}
	t.low = interp_low(FRAME);
	if (!t.low) {
		fprintf(stderr, "bpf_interp: no memory below 4 GiB\n");
		return 1;
	}
	return cmocka_run_group_tests_name("the interpreter beside the kernel", tests, NULL, NULL) != 0;
}
