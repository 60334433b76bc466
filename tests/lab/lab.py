# SPDX-License-Identifier: GPL-2.0-or-later
"""A LAN in network namespaces: a switch, routers, a client; for the tests, the demo and the benchmarks.

    with Lab(routers=2) as lab:
        r1 = lab.start_vrrp_xdp("r1", ["attach", "eth0", "--vrid", "51", "--vip", lab.VIP_CIDR, "--mode", "native"])
        lab.wait_addr("r1", lab.VIP)
        lab.cut_cable("r1")

Needs root. Nothing here sleeps for a guessed time: whatever is waited for is announced by the kernel or by a
program's output, under a deadline.
"""

import atexit
import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import namedtuple
from pathlib import Path

from proc import SLOW, LabError, Probe, Proc, signal_all

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
BINARY = Path(os.environ.get("VRRP_XDP", BUILD / "vrrp-xdp"))
KEEPALIVED = os.environ.get("KEEPALIVED", "keepalived")
PASS_OBJECT = BUILD / "lab" / "xdp_pass.bpf.o"
PROBE = BUILD / "lab" / "probe"

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

Frame = namedtuple("Frame", "t data out")  # kernel time in ns, bytes from the Ethernet header on, sent by this end
_instances = itertools.count(1)
_open_labs = []
_opening = threading.Lock()  # sweep() must not take what another thread's lab has made but not yet put into _open_labs


# ---- network namespaces, without a process for every step ----

def in_netns(netns, fn):
    """Runs fn() in a thread that has entered the namespace; a socket it opens stays there for good."""
    result = []

    def body():
        try:
            with open(f"/run/netns/{netns}", "rb") as f:
                if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"cannot enter namespace {netns}")
            result.append((fn(), None))
        except Exception as e:  # pylint: disable=broad-except; it is raised again in the caller's thread
            result.append((None, e))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    value, error = result[0]
    if error:
        raise error
    return value


def set_sysctls(netns, settings):
    """Settings as {"net/ipv6/conf/all/accept_dad": 0}."""
    def write():
        for key, value in settings.items():
            Path("/proc/sys", key).write_text(f"{value}\n", encoding="ascii")
    in_netns(netns, write)


def netns_pids(netns):
    out = subprocess.run(["ip", "netns", "pids", netns], capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in out.split()]


def remove_netns(netns):
    """Kills what is left inside, which would otherwise keep the namespace alive without a name."""
    deadline = time.monotonic() + 5
    while (pids := netns_pids(netns)) and time.monotonic() < deadline:
        signal_all(pids, signal.SIGKILL)
        for pid in pids:
            wait_gone(pid, deadline)
    subprocess.run(["ip", "netns", "del", netns], capture_output=True, check=False)


def wait_gone(pid, deadline):
    """Waits for the end of a process that need not be our child."""
    with contextlib.suppress(OSError):
        fd = os.pidfd_open(pid)
        try:
            select.select([fd], [], [], max(0, deadline - time.monotonic()))
        finally:
            os.close(fd)


def abandoned(name):
    """Whether a namespace or folder "vx-PID-..." belongs to no lab any more; it may have had our own pid, long ago."""
    owner = name.split("-")[1]
    if owner == str(os.getpid()):
        return not any(name.startswith(f"{lab.prefix}-") for lab in _open_labs)
    return owner.isdigit() and not Path("/proc", owner).exists()


def sweep():
    """Removes what a lab left behind that was killed with SIGKILL."""
    for path in filter(lambda p: abandoned(p.name), Path("/run/netns").glob("vx-*-*-*")):
        remove_netns(path.name)
    for path in filter(lambda p: abandoned(p.name), Path(tempfile.gettempdir()).glob("vx-*-*-*")):
        shutil.rmtree(path, ignore_errors=True)


# ---- frames ----

class Sniffer:
    """A packet socket: from its opening on no frame is missed, however late it is read."""

    def __init__(self, netns, iface):
        self.sock = in_netns(netns, lambda: self._open(iface))

    @staticmethod
    def _open(iface):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.bind((iface, ETH_P_ALL))
        return sock

    def read(self, timeout=0):
        """The next frame, or None when none came in time."""
        if not select.select([self.sock], [], [], max(0, timeout))[0]:
            return None
        data, control, _, sender = self.sock.recvmsg(1 << 16, 256)
        t = 0
        for level, kind, value in control:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, ns = struct.unpack("qq", value)
                t = seconds * 10**9 + ns
        return Frame(t, data, sender[2] == PACKET_OUTGOING)

    def wait(self, pred, timeout=10):
        """Waits for a frame for which pred(frame) holds; those before it are dropped."""
        deadline = time.monotonic() + timeout
        while frame := self.read(deadline - time.monotonic()):
            if pred(frame):
                return frame
        raise LabError(f"no such frame within {timeout} s")

    def drain(self):
        """All that has been received so far."""
        return list(iter(self.read, None))

    def send(self, data):
        self.sock.send(data)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Capture:
    """tcpdump into a pcap file; it captures when the constructor returns, and is complete after stop()."""

    COUNTS = r"(\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped by kernel"

    def __init__(self, proc, path):
        self.path = path
        self._proc = proc
        proc.wait_log("listening on")

    def _counts(self):
        """How many frames are in the file, and how many should be: those that the kernel has kept for it."""
        since = self._proc.mark()
        self._proc.signal(signal.SIGUSR1)
        written, received, dropped = map(int, self._proc.wait_log(self.COUNTS, since=since).groups())
        return written, received - dropped

    def _catch_up(self):
        """What has arrived by now gets into the file: with SIGTERM a tcpdump that had no CPU would leave it in the kernel."""
        written, kept = self._counts()
        deadline = time.monotonic() + 10 * SLOW
        while written < kept:
            if time.monotonic() > deadline:
                raise self._proc.error(f"{kept - written} frames do not get into the file")
            time.sleep(0.01)
            written, _ = self._counts()

    def stop(self):
        """Ends the capture and returns the path of its file."""
        if self._proc.alive():
            self._catch_up()
            self._proc.signal(signal.SIGTERM)
            self._proc.wait()
        return self.path


def tshark_fields(pcap, fields, display_filter="", prefs=()):
    """One tuple of strings per frame that passes the filter."""
    argv = ["tshark", "-n", "-r", str(pcap), "-T", "fields", "-E", "separator=/t"]
    for pref in ("ip.check_checksum:TRUE", "arp.detect_duplicate_ips:FALSE", *prefs):
        argv += ["-o", pref]
    for field in fields:
        argv += ["-e", field]
    argv += ["-Y", display_filter] if display_filter else []
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"tshark: {done.stderr.strip()}")
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def tshark_check(pcap, checksum="rfc5798", only=""):
    """What tshark finds wrong with the frames in `pcap`, one sentence each: malformed, bad checksums, warnings.

    `checksum` is the form that VRRPv3 over IPv4 must have: "rfc5798" with a pseudo-header, "rfc9568" without.
    `only` narrows the check, e.g. to "vrrp".
    """
    bad = "_ws.malformed or _ws.expert.severity >= 0x600000 or vrrp.checksum.status == 0 or ip.checksum.status == 0" \
          " or icmpv6.checksum.status == 0"
    form = f"vrrp.v3_checksum_as_in_v2:{'TRUE' if checksum == 'rfc9568' else 'FALSE'}"
    fields = ["frame.number", "eth.src", "_ws.col.Info", "_ws.expert.message", "_ws.malformed"]
    rows = tshark_fields(pcap, fields, f"({only}) and ({bad})" if only else bad, [form])
    return [f"frame {frame} from {src}: {info}: {expert or malformed}" for frame, src, info, expert, malformed in rows]


# ---- the LAN ----

class Lab:
    """A bridge `br0` on host "sw", routers "r1", "r2".., clients "client", "client2"..; all but "sw" have one `eth0`.

    The switch's end of a cable is named after who is at the other end and runs an XDP pass program, without which
    veth drops what the other end sends with XDP_TX. Frames are best watched on the client's eth0: it sees every
    broadcast and multicast frame once.
    """

    VIP, VIP_CIDR = "10.77.0.100", "10.77.0.100/24"
    VIP6, VIP6_CIDR = "fd77::100", "fd77::100/64"
    CLIENT_IP, CLIENT_IP6 = "10.77.0.200", "fd77::200"

    def __init__(self, routers=2, clients=1, spaced_links=False):
        if os.geteuid():
            raise LabError("the lab builds network namespaces: run it as root")
        for path in (PASS_OBJECT, PROBE):
            if not path.exists():
                raise LabError(f"{path.relative_to(ROOT)} is missing: build it with make")
        self.routers = [f"r{n}" for n in range(1, routers + 1)]
        self.hosts = self.routers + [f"client{n if n > 1 else ''}" for n in range(1, clients + 1)]
        self.spaced_links = spaced_links
        self.lans = [0]
        self.prefix = f"vx-{os.getpid()}-{next(_instances)}"
        self._closers = []
        self._procs = []
        self._holders = {}
        self._daemons = {}
        self._closed = False
        self._catch_signals()
        with _opening:
            sweep()
            self.tmp = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
            _open_labs.append(self)
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def _catch_signals():
        """A terminated or hung-up suite must clean up as well: turn the signal into an orderly exit."""
        if threading.current_thread() is not threading.main_thread():
            return
        for sig in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(sig) == signal.SIG_DFL:
                signal.signal(sig, lambda number, _frame: sys.exit(128 + number))

    # -- names and addresses

    def netns(self, host):
        return f"{self.prefix}-{host}"

    @staticmethod
    def _number(host):
        if host.startswith("client"):
            return 199 + int(host[6:] or 1)
        return 10 + int(host[1:])

    def ip(self, host, lan=0):
        return f"10.77.{lan}.{self._number(host)}"

    def ip6(self, host, lan=0):
        return f"fd77:{lan:x}::{self._number(host)}" if lan else f"fd77::{self._number(host)}"

    def ll(self, host):
        """The link-local address that the kernel makes of the MAC."""
        return f"fe80::77:ff:fe00:{self._number(host):x}"

    def mac(self, host, lan=0):
        return f"02:77:00:00:{lan:02x}:{self._number(host):02x}"

    # -- building

    def _build(self):
        for host in ["sw", *self.hosts]:
            self._ip(f"netns add {self.netns(host)}")
            self._holders[host] = self._hold(host)
        self._build_switch()
        for host in self.hosts:
            self.set_up(host)
        for host in self.hosts:
            self.wait_link(host, up=True)

    def _hold(self, host):
        """One mount namespace per host, alive as long as the lab, so that a restarted program finds the bpffs and
        the pins of the one before it, as on a real host; `ip netns exec` would give each its own."""
        # Not `ip netns exec`: it insists on "/" being a mount point, which it is not in a plain chroot.
        enter = ("mount --make-rslave / 2>/dev/null || mount --make-rslave /sys; mount -t sysfs sysfs /sys && "
                 "echo ready; exec cat")
        holder = Proc(f"{host}: holder", ["nsenter", f"--net=/run/netns/{self.netns(host)}", "unshare", "--mount",
                                          "--propagation", "unchanged", "sh", "-c", enter])
        self._procs.append(holder)
        holder.wait_log("ready")
        return holder

    @staticmethod
    def _ip(*commands, netns=None):
        """One process for a batch of ip commands."""
        enter = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []  # not `ip -n`: see _hold()
        done = subprocess.run([*enter, "ip", "-batch", "-"], input="\n".join(commands), text=True,
                              capture_output=True, check=False)
        if done.returncode:
            raise LabError(f"ip: {done.stderr.strip()} ({'; '.join(commands)})")

    def _build_switch(self):
        """The kernel tells of a carrier at once where the two ends of a cable have different numbers, and spaces such news
        by up to a second where they have the same, as it does with a real NIC. The bridge depends on that news as well:
        with spaced links a port forwards up to a second after plug()."""
        sw = self.netns("sw")
        set_sysctls(sw, {"net/ipv6/conf/default/disable_ipv6": 1})
        if Path("/proc/sys/net/bridge").exists():  # a switch does not look into packets: malformed ones are forwarded as well
            set_sysctls(sw, {f"net/bridge/bridge-nf-call-{what}tables": 0 for what in ("ip", "ip6", "arp")})
        self._ip(*(f"link add {self._cable(host, n)}" for n, host in enumerate(self.hosts)))
        self._ip("link set lo up", "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set br0 up",
                 *(command for host in self.hosts for command in self._port(host)), netns=sw)

    def _cable(self, host, n, index=None):
        """Arguments of `ip link add`; `index` is that of the host's end."""
        index = index or (100 + n if self.spaced_links else 99)
        return (f"{host} index {100 + n} netns {self.netns('sw')} type veth peer name eth0 index {index} "
                f"address {self.mac(host)} netns {self.netns(host)}")

    @staticmethod
    def _port(host):
        return (f"link set {host} master br0", f"link set dev {host} xdpdrv obj {PASS_OBJECT} sec xdp", f"link set {host} up")

    def set_up(self, host, lan=0):
        """Gives eth0, or that of another LAN, its addresses. No duplicate address detection and no router solicitations: both only cost time here."""
        netns = self.netns(host)
        for scope in ("all", "default", f"eth{lan}"):
            base = f"net/ipv6/conf/{scope}"
            set_sysctls(netns, {f"{base}/accept_dad": 0, f"{base}/router_solicitations": 0, f"{base}/accept_ra": 0})
        self._ip("link set lo up", f"addr add {self.ip(host, lan)}/24 dev eth{lan}", f"addr add {self.ip6(host, lan)}/64 dev eth{lan}",
                 f"link set eth{lan} up", netns=netns)

    def add_lans(self, n):
        """`n` more LANs: every host gets eth1, eth2.., each with a bridge and ports of its own ("r1-1", "r1-2"..) on "sw"."""
        for lan in range(len(self.lans), len(self.lans) + n):
            for i, host in enumerate(self.hosts):
                port, index = f"{host}-{lan}", 1000 * lan + 100 + i
                self._ip(f"link add {port} index {index} netns {self.netns('sw')} type veth peer name eth{lan} index {1000 * lan + 99} "
                         f"address {self.mac(host, lan)} netns {self.netns(host)}")
            self._ip(f"link add br{lan} type bridge stp_state 0 forward_delay 0 mcast_snooping 0", f"link set br{lan} up",
                     *(f"link set {host}-{lan} master br{lan}" for host in self.hosts),
                     *(f"link set dev {host}-{lan} xdpdrv obj {PASS_OBJECT} sec xdp" for host in self.hosts),
                     *(f"link set {host}-{lan} up" for host in self.hosts), netns=self.netns("sw"))
            for host in self.hosts:
                self.set_up(host, lan)
            for host in self.hosts:
                self.wait_link(host, up=True, dev=f"eth{lan}")
            self.lans.append(lan)

    # -- programs

    @staticmethod
    def _words(cmd):
        return shlex.split(cmd) if isinstance(cmd, str) else [str(word) for word in cmd]

    def _inside(self, host, words):
        target = str(self._holders[host].pid)
        return ["nsenter", "--target", target, "--net", "--mount", "--root", f"--wd={os.getcwd()}", "--", *words]

    def run(self, host, cmd, check=True, timeout=20):
        """Runs a command to its end and returns its stdout; with check=False the CompletedProcess instead."""
        words = self._words(cmd)
        timeout *= SLOW
        try:
            done = subprocess.run(self._inside(host, words), capture_output=True, text=True, timeout=timeout,
                                  check=False, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise LabError(f"{host}: {shlex.join(words)}: still runs after {timeout} s") from None
        if not check:
            return done
        if done.returncode:
            raise LabError(f"{host}: {shlex.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def popen(self, host, cmd, kind=Proc):
        """Starts a program that the lab stops at its end."""
        words = self._words(cmd)
        proc = kind(f"{host}: {Path(words[0]).name}", self._inside(host, words))
        self._procs.append(proc)
        return proc

    def forget(self, proc):
        """Closes what belongs to a program that has ended: thousands of them are more than a process may have open."""
        self._procs.remove(proc)
        proc.close()

    def start_vrrp_xdp(self, router, args):
        """vrrp-xdp with these arguments, as a list or as one string."""
        if not BINARY.exists():
            raise LabError(f"{BINARY} is missing: build it with make")
        self._daemons[router] = self.popen(router, [BINARY, *self._words(args)])
        return self._daemons[router]

    def start_keepalived(self, router, conf):
        """A keepalived that runs VRRP only, touches no file but its own, and does not restart a crashed child."""
        home = Path(tempfile.mkdtemp(prefix=f"{router}-", dir=self.tmp))
        (home / "keepalived.conf").write_text(conf, encoding="utf-8")
        self._daemons[router] = self.popen(router, [
            KEEPALIVED, "-P", "-n", "-l", "-D", "-G", "-R", "-f", home / "keepalived.conf", "-p", home / "pid",
            "-r", home / "vrrp.pid", "-c", home / "checkers.pid", "-b", home / "bfd.pid"])
        return self._daemons[router]

    def keepalived_conf(self, vip=VIP_CIDR, vrid=51, priority=100, advert_int=1, version=3, extra=""):
        """A configuration with one instance VI_1; `extra` are more lines for it."""
        return f"""global_defs {{
    script_user root
    enable_script_security
}}
vrrp_instance VI_1 {{
    version {version}
    interface eth0
    state BACKUP
    virtual_router_id {vrid}
    priority {priority}
    advert_int {advert_int}
    {extra}
    virtual_ipaddress {{
        {vip}
    }}
}}
"""

    def status(self, router):
        """What `vrrp-xdp status --json` says there, parsed."""
        return json.loads(self.run(router, [BINARY, "status", "--json"]))

    def stats(self, router):
        return json.loads(self.run(router, [BINARY, "stats", "--json"]))

    def state(self, router, name=None):
        """The state of one virtual router: of the one called `name`, or of the only one."""
        found = [vr for vr in self.status(router)["virtual_routers"] if name in (None, vr["name"])]
        if len(found) != 1:
            raise LabError(f"{router}: {len(found)} virtual routers called {name}")
        return found[0]["state"]

    # -- waiting

    def wait_until(self, condition, timeout=10, what="it", every=0.02):
        """Polls condition() until it holds, for what nothing announces; returns what it returned."""
        timeout *= SLOW
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise LabError(f"{what} did not happen within {timeout} s")
            time.sleep(every)
        return value

    def _failure(self, host, what):
        """A LabError with the log of the daemon there, if one was started: it usually knows why."""
        daemon = self._daemons.get(host)
        return daemon.error(what) if daemon else LabError(f"{host}: {what}")

    def _require_daemon(self, host):
        """Fails at once, instead of after a timeout, when the daemon that is to do something has ended."""
        if host in self._daemons and not self._daemons[host].alive():
            raise self._failure(host, f"ended with status {self._daemons[host].popen.returncode}")

    def wait_state(self, router, state, timeout=10, name=None):
        """Waits for a state of a vrrp-xdp that may still be starting."""
        def there():
            self._require_daemon(router)
            with contextlib.suppress(LabError, ValueError):
                return self.state(router, name) == state
        try:
            self.wait_until(there, timeout)
        except LabError as e:
            raise self._failure(router, f"state {state}: {e}") from None

    def _wait_netlink(self, host, groups, condition, timeout, what, daemon=None):
        """Subscribes first and looks then, so that no change can fall between; the kernel says when to look again."""
        def subscribe():
            sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            sock.bind((0, groups))
            return sock

        timeout *= SLOW
        deadline = time.monotonic() + timeout
        with contextlib.closing(in_netns(self.netns(host), subscribe)) as sock:
            while not condition():
                news = select.select([sock, daemon.pidfd] if daemon else [sock], [], [],
                                     max(0, deadline - time.monotonic()))[0]
                if not news:
                    raise self._failure(host, f"{what} did not happen within {timeout} s")
                if sock not in news:
                    self._require_daemon(host)
                sock.recv(1 << 16)

    def addrs(self, host, dev="eth0"):
        """The addresses on an interface, without their prefix lengths."""
        shown = json.loads(self.run(host, ["ip", "-j", "addr", "show", "dev", dev]))
        return [a["local"] for a in shown[0]["addr_info"]]

    def wait_addr(self, host, addr, present=True, timeout=10, dev="eth0"):
        """Waits until `addr` is on the interface, or gone from it; the end of the daemon that must bring it ends it."""
        self._wait_netlink(host, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
                           lambda: (addr in self.addrs(host, dev)) == present, timeout,
                           f"{addr} {'appearing on' if present else 'leaving'} {dev}",
                           self._daemons.get(host) if present else None)

    def wait_link(self, host, up, timeout=10, dev="eth0"):
        """Waits for operstate UP, or for anything else."""
        def state():
            return json.loads(self.run(host, ["ip", "-j", "link", "show", "dev", dev]))[0]["operstate"]
        self._wait_netlink(host, RTMGRP_LINK, lambda: (state() == "UP") == up, timeout,
                           f"{dev} {'coming up' if up else 'going down'}")

    # -- cables and frames

    def _set_port(self, host, lan, up):
        """By ioctl: the time of the event is known to some microseconds, which starting a program would blur."""
        port = f"{host}-{lan}" if lan else host

        def change():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                request = bytearray(struct.pack("16sh22x", port.encode(), 0))
                fcntl.ioctl(sock, SIOCGIFFLAGS, request)
                flags = struct.unpack_from("h", request, 16)[0]
                struct.pack_into("h", request, 16, flags | IFF_UP if up else flags & ~IFF_UP)
                now = time.time_ns()
                fcntl.ioctl(sock, SIOCSIFFLAGS, request)
                return now
        return in_netns(self.netns("sw"), change)

    def cut_cable(self, host, lan=0):
        """Takes the switch's port down: the host loses its carrier. Returns the time in ns.

        With spaced_links the host's kernel may tell its programs up to a second later, and never, when the cable is back
        by then: a test of a cable that stays out waits with wait_link(host, up=False).
        """
        return self._set_port(host, lan, False)

    def plug(self, host, lan=0):
        """The opposite of cut_cable()."""
        return self._set_port(host, lan, True)

    def pull_nic(self, host):
        """Takes the interface out of a host."""
        self._ip(f"link del {host}", netns=self.netns("sw"))

    def put_nic(self, host, index):
        """Puts one in again, with this index and the MAC and addresses of the one before."""
        self._ip(f"link add {self._cable(host, self.hosts.index(host), index)}")
        self._ip(*self._port(host), netns=self.netns("sw"))
        self.set_up(host)

    def load_pass_program(self, host, mode="xdpdrv", dev="eth0"):
        """Attaches an XDP program that passes every frame, as somebody else's; `mode` as `ip link` has it."""
        self._ip(f"link set dev {dev} {mode} obj {PASS_OBJECT} sec xdp", netns=self.netns(host))

    def sniff(self, host, iface="eth0"):
        """A Sniffer, closed with the lab. It sees no frame that an XDP program on `iface` dropped or sent."""
        sniffer = Sniffer(self.netns(host), iface)
        self._closers.append(sniffer.close)
        return sniffer

    def sender(self, host, iface="eth0"):
        """A packet socket that only sends, closed with the lab: from "sw" onto the cable named `iface`, whoever is at its end."""
        def opened():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.bind((iface, 0))
            return sock

        sock = in_netns(self.netns(host), opened)
        self._closers.append(sock.close)
        return sock

    def send_frame(self, host, iface, data):
        with Sniffer(self.netns(host), iface) as sock:
            sock.send(data)

    def capture(self, host, iface="eth0", capture_filter="", path=None):
        """A running Capture, by default into a file that goes with the lab."""
        if path is None:
            fd, path = tempfile.mkstemp(".pcap", f"{host}-{iface}-", self.tmp)
            os.close(fd)
        return Capture(self.popen(host, ["tcpdump", "-Z", "root", "-n", "-U", "--immediate-mode", "-B", "16384",
                                         "--time-stamp-precision=nano", "-i", iface, "-w", path,
                                         *shlex.split(capture_filter)]), Path(path))

    def probe(self, addr=VIP, echo_us=1000, arp_us=0, host="client"):
        """Asks for `addr` all the time: a Probe."""
        return self.popen(host, [PROBE, "ping", "-e", echo_us, "-a", arp_us, addr], Probe)

    def watch(self, host="client", iface="eth0"):
        """Notes adverts and gratuitous ARPs with the kernel's time: a Probe."""
        return self.popen(host, [PROBE, "watch", "-i", iface], Probe)

    # -- the end

    def close(self):
        """Stops and removes everything; may be called twice. An impatient second Ctrl-C does not interrupt it."""
        if self._closed:
            return
        self._closed = True
        with uninterrupted():
            for close in self._closers:
                close()
            for proc in reversed(self._procs):
                proc.end()
            for proc in self._procs:
                proc.close()
            for host in ["sw", *self.hosts]:
                remove_netns(self.netns(host))
            shutil.rmtree(self.tmp, ignore_errors=True)
            _open_labs.remove(self)


@contextlib.contextmanager
def uninterrupted():
    """Ignores SIGINT and the like; only the main thread may and need do so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {sig: signal.signal(sig, signal.SIG_IGN) for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


@atexit.register
def close_all():
    """For a program that ended without closing its lab."""
    for lab in list(_open_labs):
        lab.close()
