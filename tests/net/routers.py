# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests do again and again: start routers, ask as a client, look at a machine, compare counters."""

import contextlib
import time
from collections import namedtuple

import frames
from lab import BINARY, Lab, netns_pids
from proc import LabError

VRID = 51
ADVERT_MS = 100  # three of them outlast every stall that this suite has to live with
STALL_MS = 100  # so far apart may one frame reach two hosts, where the machine is short of time
PRIORITY = {"r1": 200, "r2": 100}
Pair = namedtuple("Pair", "r1 r2 client")
FAKE_MAC, FAKE_IP = "02:77:00:00:00:fe", "10.77.0.254"  # a router that only crafted frames come from


def attach(lab, router, priority=None, *flags, advert_ms=ADVERT_MS, mode="native", vips=(Lab.VIP_CIDR,)):
    """Starts vrrp-xdp on a router's eth0."""
    words = ["attach", "eth0", "--vrid", VRID, "--priority", priority or PRIORITY[router], "--advert-int",
             advert_ms / 1000, "--mode", mode, *flags]
    for vip in vips:
        words += ["--vip", vip]
    return lab.start_vrrp_xdp(router, words)


def attach_pair(lab, *flags, **more):
    """r1 with priority 200 and r2 with 100, settled, and a client. r2 starts later, so it has never been Active."""
    r1 = attach(lab, "r1", None, *flags, **more)
    r1.wait_log("Initialize -> Backup")
    r2 = attach(lab, "r2", None, *flags, **more)
    r1.wait_log("-> Active")
    r2.wait_log(f"the Active Router is {lab.ip('r1')}, priority 200")
    return Pair(r1, r2, Client(lab))


def partition(lab, apart):
    """The switch forwards nothing between the two routers, or again all; both keep their carrier, and the client."""
    for router in ("r1", "r2"):
        lab.run("sw", ["ip", "link", "set", "dev", router, "type", "bridge_slave", "isolated", "on" if apart else "off"])


def active_routers(lab):
    """Those that say they are Active and run."""
    found = []
    for router in lab.routers:
        with contextlib.suppress(LabError, ValueError):
            found += [router] if lab.state(router) == "Active" else []
    return found


def assert_settled(lab, client, active, backups=()):
    """Exactly this router is Active, has the address, answers for it, and a client's own kernel reaches it."""
    for backup in backups:
        lab.wait_state(backup, "Backup")
    lab.wait_state(active, "Active")
    assert active_routers(lab) == [active]
    assert {router for router in [active, *backups] if lab.VIP in lab.addrs(router)} == {active}
    assert client.who_has(lab.VIP, [active, *backups]) == [lab.mac(active)]
    assert client.is_answered(active), "the Active router does not accept packets for the address"
    lab.run("client", f"ping -c 1 -W 2 {lab.VIP}")


def adverts(lab, router, seen):
    """The adverts of one router among frames, as frames.Advert."""
    found = [frames.parse_advert(frame.data) for frame in seen]
    return [a for a in found if a and a.eth_src == lab.mac(router)]


def transitions(proc, since=0):
    """The state changes in a router's log, as "Backup -> Active"."""
    return [line.split(": ")[1] for line in proc.log[since:] if " -> " in line]


# ---- the client ----

class Client:
    """A packet socket on a client's eth0: what arrives there, and questions whose missing answer is proven.

    A question to the virtual address is followed by one to each router's own address, which its kernel always answers: when
    those answers are there, so is every answer to the first. Twice, because the answers take different ways.
    """

    def __init__(self, lab, host="client"):
        self.lab, self.host = lab, host
        self.sniffer = lab.sniff(host)
        self._ident = 0x7000

    def wait(self, pred, timeout=10):
        """Waits for a frame from somebody else for which pred(frame) holds."""
        return self.sniffer.wait(lambda frame: not frame.out and pred(frame), timeout)

    def frames(self):
        """All frames from others since the last look."""
        return [frame for frame in self.sniffer.drain() if not frame.out]

    def send(self, *data):
        for one in data:
            self.sniffer.send(one)

    def wait_advert(self, router=None, timeout=10, count=1, **fields):
        """Waits for the count-th advert from a router with these fields."""
        seen = 0

        def fits(frame):
            nonlocal seen
            advert = frames.parse_advert(frame.data)
            if advert and (router is None or advert.eth_src == self.lab.mac(router)) and \
               all(getattr(advert, key) == value for key, value in fields.items()):
                seen += 1
            return seen == count

        return self.wait(fits, timeout)

    def hears_nothing(self, router, seconds):
        """Fails if an advert from this router comes within that time, a deadline of the protocol."""
        with contextlib.suppress(LabError):
            frame = self.wait_advert(router, seconds)
            raise AssertionError(f"{router} sent {frames.parse_advert(frame.data)}")

    def ask(self, tpa, **fields):
        """Sends one ARP request, by default a broadcast from the client itself."""
        defaults = {"eth_src": self.lab.mac(self.host), "spa": self.lab.ip(self.host)}
        self.send(frames.arp(tpa=tpa, **{**defaults, **fields}))

    def fence(self, routers):
        """Waits until everything these routers had to answer is here; returns all frames that came meanwhile."""
        seen = []
        for _ in range(2):
            waiting = {self.lab.ip(router) for router in routers}
            for addr in waiting.copy():
                self.ask(addr)
            deadline = time.monotonic() + 10
            while waiting:
                frame = self.sniffer.read(1)
                if not frame and time.monotonic() > deadline:
                    raise LabError(f"{', '.join(waiting)}: no answer by its own address")
                if not frame:  # a frame may be lost on a machine that is short of time
                    for addr in waiting:
                        self.ask(addr)
                    continue
                if frame.out:
                    continue
                seen.append(frame)
                answer = frames.parse_arp(frame.data)
                if answer and answer.op == frames.REPLY:
                    waiting.discard(answer.spa)
        return seen

    def replies(self, tpa, routers, times=1, **fields):
        """Every ARP reply for an address to that many requests, as frames.Arp."""
        self.frames()
        for _ in range(times):
            self.ask(tpa, **fields)
        found = [frames.parse_arp(frame.data) for frame in self.fence(routers)]
        return [a for a in found if a and a.op == frames.REPLY and a.spa == tpa]

    def who_has(self, addr, routers):
        """The MAC addresses from which a broadcast ARP request is answered, one per answer."""
        return sorted(a.eth_src for a in self.replies(addr, routers))

    def ping(self, router, dst):
        """Sends one echo request to a router's MAC; returns its id."""
        self._ident += 1
        self.send(frames.echo(eth_src=self.lab.mac(self.host), eth_dst=self.lab.mac(router), src=self.lab.ip(self.host),
                              dst=dst, ident=self._ident, seq=1))
        return self._ident

    def is_answered(self, router, addr=None):
        """Whether a router answers an echo request to `addr`, by default the virtual address, that is sent to its MAC."""
        self.frames()
        ident = self.ping(router, addr or self.lab.VIP)
        answers = [frames.parse_echo_reply(frame.data) for frame in self.fence([router])]
        return any(a and a.ident == ident for a in answers)


# ---- a machine from outside ----

LOOK = """ip -j addr; ip -d -j link; grep -v nsfs /proc/self/mounts; find /sys/fs/bpf 2>/dev/null
grep -o '@vrrp-xdp.*' /proc/net/unix || true"""


def machine(lab, host):
    """Addresses, links with their XDP programs, mounts, pins, control sockets and processes, to be compared.

    A connection, which has the name of the socket that it came to, gets time to be closed by a controller short of it.
    """
    def look():
        return [*lab.run(host, ["sh", "-c", LOOK]).splitlines(), sorted(netns_pids(lab.netns(host)))]

    def connected():
        names = [line for line in look() if str(line).startswith("@")]
        return len(names) > len(set(names))

    with contextlib.suppress(LabError):
        lab.wait_until(lambda: not connected(), 2)
    return look()


def xdp(lab, host, dev="eth0"):
    """Whether an XDP program is attached."""
    return "xdp" in lab.run(host, ["ip", "link", "show", "dev", dev])


def cli(lab, host, *words, timeout=20):
    """Runs vrrp-xdp to its end: a CompletedProcess."""
    return lab.run(host, [BINARY, *words], check=False, timeout=timeout)


def wakeups(proc):
    """How often the controller and its guardian have gone to sleep by themselves, thus were woken."""
    return sum(sleeps(pid) for pid in (proc.pid, proc.worker))


def sleeps(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(next(line.split()[1] for line in f if line.startswith("voluntary_ctxt_switches")))


# ---- counters ----

def counters(lab, router, name=None):
    """All counters of a router: of its virtual router (the only one, or the named one) and of the interface, added up."""
    stats = lab.stats(router)
    chosen = [vr for vr in stats["virtual_routers"] if name in (None, vr["name"])]
    total = dict(chosen[0]["counters"])
    for interface in stats["interfaces"]:
        for key, value in interface["counters"].items():
            total[key] = total.get(key, 0) + value
    return total


def moved(before, after, ignore=()):
    """The counters that changed, and by how much."""
    return {key: after[key] - before[key] for key in after if after[key] != before[key] and key not in ignore}
