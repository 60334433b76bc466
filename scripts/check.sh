#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every test there is, from a bare machine: installs what they need, then `make check`; arguments go to make.
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
	echo "check.sh: run it as root: the tests build network namespaces and load XDP programs." >&2
	exit 1
fi
scripts/install-deps.sh test
exec make check "$@"
