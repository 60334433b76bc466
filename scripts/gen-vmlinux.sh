#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Writes vmlinux.h: the kernel types that bpf/ uses, taken from a kernel's BTF. The whole dump is 2.8 MB; these are a few
# kilobytes, all of them fixed uapi layouts, so one file serves every kernel from 5.15 on.
#
#   scripts/gen-vmlinux.sh [BTF file, default /sys/kernel/btf/vmlinux] > vmlinux.h
set -eu

btf=${1:-/sys/kernel/btf/vmlinux}
# In the order in which they must be declared.
types='__s8 __u8 __s16 __u16 __s32 __u32 __s64 __u64 __be16 __be32 __be64 __sum16 __wsum
	bpf_map_type xdp_action xdp_md bpf_timer __sk_buff'

command -v bpftool >/dev/null || { echo "gen-vmlinux.sh: bpftool is missing; install Debian's package bpftool" >&2; exit 1; }
dump=$(mktemp)
trap 'rm -f "$dump"' EXIT
bpftool btf dump file "$btf" format c >"$dump"

cat <<'TXT'
/* Made by scripts/gen-vmlinux.sh from the kernel's BTF; do not edit. Only the types that bpf/ uses. */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef _Bool bool;
enum { false = 0, true = 1 };

TXT
for t in $types; do
	awk -v t="$t" '
		function want(line) { return line ~ "^(struct|enum) " t " {$" }
		# A typedef of a basic type names what BTF calls unsigned char and so on; chains are followed to __uNN.
		$1 == "typedef" && $NF == t ";" { print; found = 1; exit }
		want($0) { on = 1 }
		on { print; if ($0 ~ /^}/) { found = 1; exit } }
		END { if (!found) { print "gen-vmlinux.sh: no type " t " in this BTF" > "/dev/stderr"; exit 1 } }
	' "$dump"
	case $t in *[!_a-z0-9]*) ;; xdp_*|bpf_*|__sk_buff) echo ;; esac
done
cat <<'TXT'

#endif /* __VMLINUX_H__ */
TXT
