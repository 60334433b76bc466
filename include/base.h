/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every shared header needs: kernel integer types, byte order, unaligned reads. No types of ours. */
#ifndef VX_BASE_H
#define VX_BASE_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#include <linux/bpf.h> /* struct bpf_timer, enum xdp_action */
#include <stdbool.h>
#endif
#include <stddef.h>

#define vx_inline       static inline __attribute__((always_inline, unused))
#define VX_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define VX_NS_PER_US 1000ULL
#define VX_NS_PER_MS 1000000ULL
#define VX_NS_PER_S  1000000000ULL

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define VX_BE16(x) ((__be16)__builtin_bswap16(x))
#define VX_BE32(x) ((__be32)__builtin_bswap32(x))
#else
#define VX_BE16(x) ((__be16)(x))
#define VX_BE32(x) ((__be32)(x))
#endif

/* Network to host order; host to network is the same operation, spelt VX_BE16() and VX_BE32(). */
vx_inline __u16 vx_host16(__be16 x)
{
	return VX_BE16(x);
}

vx_inline __u32 vx_host32(__be32 x)
{
	return VX_BE32(x);
}

/*
 * Wire structs have no padding by layout. Natively they are packed, so that UBSan accepts them at any address; clang
 * turns a packed field into byte loads on BPF, where unaligned loads are fine, so there they are plain.
 */
#ifdef __bpf__
#define vx_wire
#else
#define vx_wire __attribute__((packed))
#endif

/* Reads and writes at any alignment, in whatever byte order the memory has. */
vx_inline __u32 vx_get32(const void *p)
{
#ifdef __bpf__
	return *(const __u32 *)p;
#else
	__u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
#endif
}

vx_inline __u16 vx_get16(const void *p)
{
#ifdef __bpf__
	return *(const __u16 *)p;
#else
	__u16 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
#endif
}

vx_inline void vx_put32(void *p, __u32 v)
{
#ifdef __bpf__
	*(__u32 *)p = v;
#else
	__builtin_memcpy(p, &v, sizeof(v));
#endif
}

/* An address of either family as it is on the wire; IPv4 is in w[0], the rest is 0. */
struct vx_addr {
	__be32 w[4];
};

vx_inline struct vx_addr vx_addr4(__be32 addr)
{
	return (struct vx_addr){ .w = { addr } };
}

vx_inline bool vx_addr_eq(const struct vx_addr *a, const struct vx_addr *b)
{
	return !((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) | (a->w[2] ^ b->w[2]) | (a->w[3] ^ b->w[3]));
}

/* 0.0.0.0 and :: */
vx_inline bool vx_addr_none(const struct vx_addr *a)
{
	return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

/* Whether @a is the greater number, most significant byte first (FSM-A7). */
vx_inline bool vx_addr_greater(const struct vx_addr *a, const struct vx_addr *b)
{
	__u32 i;

	for (i = 0; i < 4; i++)
		if (a->w[i] != b->w[i])
			return vx_host32(a->w[i]) > vx_host32(b->w[i]);
	return false;
}

/* MAC addresses are compared and copied as 4 + 2 bytes: two loads instead of six. */
vx_inline bool vx_mac_eq(const void *a, const void *b)
{
	return vx_get32(a) == vx_get32(b) && vx_get16((const __u8 *)a + 4) == vx_get16((const __u8 *)b + 4);
}

vx_inline void vx_mac_copy(void *to, const void *from)
{
	__u16 tail = vx_get16((const __u8 *)from + 4);

	vx_put32(to, vx_get32(from));
#ifdef __bpf__
	*(__u16 *)((__u8 *)to + 4) = tail;
#else
	__builtin_memcpy((__u8 *)to + 4, &tail, sizeof(tail));
#endif
}

#endif
