#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vrrp-xdp under valgrind, for `make check-net-valgrind`: exec keeps the process id that the lab knows. A log without a line that
# begins with "==" is one without an error. The guardian and the controller write into one log, being one program that forks; scripts are not looked at.
here=$(dirname "$(readlink -f "$0")")
root=${here%/tests/lab}
LD_PRELOAD="$root/build/lab/pidfd.so" exec valgrind --quiet --trace-children=no --child-silent-after-fork=no \
	--leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect \
	--suppressions="$here/valgrind.supp" --log-file="$root/build/valgrind/%p.log" "$root/build/vrrp-xdp" "$@"
