/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interpreter of BPF instructions that counts: what a loaded program executes for a frame, and which helpers it calls. It takes
 * what libbpf hands to the kernel (relocated, subprograms appended: bpf_program__insns() of a loaded object), before the verifier
 * rewrites it, so that the figures depend on the compiler and on nothing else. tests/bpf/test_interp.c compares it with the kernel,
 * instruction by instruction; tests/bpf/test_packets.c runs the table of tests/packets.h through it.
 *
 * Maps are those of the loaded object, by descriptor. Arrays, also per CPU and of global data, are copies that interp_sync() makes;
 * an entry of a hash is fetched when it is looked up first. Nothing that a program writes gets back into the kernel. Events and
 * timers are recorded, not executed. A program that the verifier has not accepted may crash the interpreter.
 */
#ifndef VX_TESTS_INTERP_H
#define VX_TESTS_INTERP_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>

enum {
	INTERP_MAPS = 32,
	INTERP_ENTRIES = 32, /* of hashes, looked up in one run */
	INTERP_HELPERS = 256,
	INTERP_EVENTS = 64,
	INTERP_EVENT_BYTES = 64,
	INTERP_TIMERS = 8,
	INTERP_STACK = 512,     /* bytes of a function */
	INTERP_DEPTH = 8,       /* functions that call each other */
	INTERP_STEPS = 1000000, /* of one call */
};

struct interp_map {
	int fd;
	__u32 type, key_size, value_size, max_entries, flags;
	size_t stride; /* from one value to the next */
	__u8 *mem;     /* owned; NULL: no array */
};

/* An entry of a hash. */
struct interp_entry {
	const struct interp_map *map;
	void *key, *value; /* owned; value NULL: not there */
};

struct interp_event {
	__u8 data[INTERP_EVENT_BYTES];
	__u32 len;
	bool open; /* reserved, not yet submitted */
};

struct interp_timer {
	const void *timer;
	__u64 callback, after_ns; /* an instruction, for interp_call(); of the last start */
	__u32 starts, cancels;
};

struct interp {
	const struct bpf_insn *insn;
	size_t ninsns;
	int cpu; /* whose values of a map per CPU it works on: the caller stays there */
	__u64 executed;
	__u32 calls[INTERP_HELPERS]; /* by number */
	struct interp_event event[INTERP_EVENTS];
	struct interp_timer timer[INTERP_TIMERS];
	__u32 nevents, ntimers;
	char error[128]; /* why the last run failed */

	struct interp_map map[INTERP_MAPS];
	struct interp_entry entry[INTERP_ENTRIES];
	__u32 nmaps, nentries, depth;
	__u64 limit; /* of executed */
	__u64 stack[INTERP_DEPTH][INTERP_STACK / 8];
};

/* Makes a map known that a program uses. Returns 0 or -errno. */
int interp_add_map(struct interp *it, int fd);

/* Takes over what is in the maps now, and forgets everything that was counted and recorded. Returns 0 or -errno. */
int interp_sync(struct interp *it);

/*
 * Calls the function at instruction @pc of @insn, 0 for the program itself, with these arguments. Counts are added to those before;
 * what is written stays until interp_sync(). False: @it->error says why.
 */
bool interp_call(struct interp *it, const struct bpf_insn *insn, size_t ninsns, size_t pc, const __u64 args[5],
		 __u64 *result);

/* ... a program with its context. */
bool interp_run(struct interp *it, const struct bpf_insn *insn, size_t ninsns, void *ctx, __u64 *result);

/* The value at @index of an array; NULL: no such. */
void *interp_value(struct interp *it, int fd, __u32 index);

/* The name of a helper that is known here, or NULL. */
const char *interp_helper_name(__u32 number);

/* Memory below 4 GiB, as a context has addresses of 32 bits for the data of a frame. NULL: there is none. */
void *interp_low(size_t bytes);

void interp_free(struct interp *it);

#endif
