#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Two routers, a client, and what can go wrong, from a bare machine; arguments go to make.
#   scripts/demo.sh                    both routers are vrrp-xdp
#   scripts/demo.sh PEER=keepalived    the second one is keepalived
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
	echo "demo.sh: run it as root: the demo builds network namespaces and loads XDP programs." >&2
	exit 1
fi
case " $* PEER=${PEER:-} " in
*" PEER=keepalived "*) scripts/install-deps.sh demo keepalived ;;
*) scripts/install-deps.sh demo ;;
esac
exec make demo "$@"
