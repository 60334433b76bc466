#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs what is missing, on Debian and Ubuntu by apt-get, on Fedora by dnf; with nothing missing it does nothing.
#   scripts/install-deps.sh SET...
# build: to build vrrp-xdp   demo: build and the lab   keepalived: as the demo's peer   test: all that `make check` uses
# bench: all that `make bench` uses
set -eu

fail()
{
	echo "install-deps.sh: $*" >&2
	exit 1
}

# libc6-dev and its like are only recommended by the compiler, and recommendations are not installed.
debian_packages()
{
	case $1 in
	build) echo make gcc libc6-dev linux-libc-dev clang llvm "$(debian_bpftool)" pkg-config libbpf-dev libxdp-dev \
		libelf-dev zlib1g-dev libmnl-dev libjansson-dev libcurl4-gnutls-dev scdoc ;;
	demo) echo "$(debian_packages build)" python3 iproute2 ;;
	keepalived) echo keepalived ;;
	test) echo "$(debian_packages demo)" "$(debian_packages keepalived)" libcmocka-dev python3-pytest python3-pytest-xdist \
		python3-scapy clang-tidy clang-tools cppcheck spin \
		tshark tcpdump ethtool iputils-ping procps kmod clang-format "$(debian_clang_rt)" \
		systemd groff-base strace curl openssl frr nginx "$(debian_guest)" ;;
	bench) echo "$(debian_packages test)" python3-matplotlib ;;
	esac
}

# QEMU guests with Debian's kernels, on the machines that tests/vm knows; elsewhere those tests are skipped.
debian_guest()
{
	[ "$(dpkg --print-architecture)" != amd64 ] || echo qemu-system-x86 seabios busybox-static xdp-tools \
		debian-archive-keyring
}

# shellcheck source=/dev/null
# Ubuntu before 25.04 has bpftool only among the tools of its kernels.
debian_bpftool()
{
	case $(. /etc/os-release && echo "$ID ${VERSION_ID:-}") in
	"ubuntu 22."* | "ubuntu 23."* | "ubuntu 24."*) echo linux-tools-generic ;;
	*) echo bpftool ;;
	esac
}

# shellcheck source=/dev/null
# The sanitizers of clang, which Ubuntu 22.04 ships inside clang's own packages.
debian_clang_rt()
{
	case $(. /etc/os-release && echo "$ID ${VERSION_ID:-}") in
	"ubuntu 22."*) ;;
	*) echo libclang-rt-dev ;;
	esac
}

fedora_packages()
{
	case $1 in
	build) echo make gcc glibc-devel kernel-headers clang llvm bpftool pkgconf-pkg-config libbpf-devel libxdp-devel \
		elfutils-libelf-devel zlib-devel libmnl-devel jansson-devel libcurl-devel scdoc ;;
	demo) echo "$(fedora_packages build)" python3 iproute util-linux ;;
	keepalived) echo keepalived ;;
	test) echo "$(fedora_packages demo)" "$(fedora_packages keepalived)" libcmocka-devel python3-pytest python3-pytest-xdist \
		python3-scapy cppcheck clang-analyzer spin wireshark-cli tcpdump ethtool iputils procps-ng kmod clang-tools-extra compiler-rt libasan libubsan \
		systemd groff-base strace curl openssl frr nginx-core ;;
	bench) echo "$(fedora_packages test)" python3-matplotlib ;;
	esac
}

debian_has()
{
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# zlib-devel and others are names that other packages provide.
fedora_has()
{
	rpm -q --whatprovides "$1" >/dev/null 2>&1
}

# Debian starts a daemon it installs, if that has a configuration: a keepalived that takes over somebody's address, an FRR
# that touches the routes or an nginx at port 80 is the last thing wanted. So they are neither started now nor at the next
# boot; one that was there before is left alone.
debian_daemons()
{
	for package in "$@"; do
		case $package in keepalived | frr | nginx) echo "$package" ;; esac
	done
}

debian_stay_off()
{
	[ -e /usr/sbin/policy-rc.d ] && return
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	trap 'exit 1' INT TERM HUP
	cat >/usr/sbin/policy-rc.d <<-EOF
		#!/bin/sh
		for word in $*; do
			case " \$* " in *" \$word "* | *" \$word.service "*) exit 101 ;; esac
		done
	EOF
	chmod 755 /usr/sbin/policy-rc.d
}

debian_disable()
{
	if command -v systemctl >/dev/null; then
		systemctl --quiet disable "$1.service" >/dev/null 2>&1
	else
		update-rc.d "$1" disable >/dev/null
	fi
}

debian_install()
{
	daemons=$(debian_daemons "$@")
	# shellcheck disable=SC2086 # a list of words
	[ -z "$daemons" ] || debian_stay_off $daemons
	export DEBIAN_FRONTEND=noninteractive
	# Lists that do not know a package are missing; lists that are merely old show when a download fails.
	apt-cache show "$@" >/dev/null 2>&1 || apt-get -qq update
	apt_get_install "$@" || { apt-get -qq update && apt_get_install "$@"; } ||
		fail "apt-get could not install the packages; its messages are above"
	for daemon in $daemons; do
		debian_disable "$daemon" || true
	done
}

apt_get_install()
{
	apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" >/dev/null
}

fedora_install()
{
	dnf -q -y --setopt=install_weak_deps=False install "$@" ||
		fail "dnf could not install the packages; its messages are above"
}

[ $# -gt 0 ] || fail "which set: build, demo, keepalived, test or bench?"
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
	os=debian
elif command -v dnf >/dev/null; then
	os=fedora
else
	fail "this knows apt-get and dnf only; the packages needed are listed in it"
fi

missing=
for set in "$@"; do
	packages=$("${os}_packages" "$set")
	[ -n "$packages" ] || fail "no set called $set; there are build, demo, keepalived, test and bench"
	for package in $packages; do
		"${os}_has" "$package" || missing="$missing $package"
	done
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || fail "run it as root, to install:$missing"
echo "Installing:$missing"
# shellcheck disable=SC2086 # a list of words
"${os}_install" $missing
