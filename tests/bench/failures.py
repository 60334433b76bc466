# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows about the worst case: what a client is without when the Active's process dies, hangs or is stopped, and what forged
adverts do to an Active and its Backup."""

import contextlib
import functools
import os
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
sys.path.insert(0, str(ROOT / "tests" / "net"))
import frames  # noqa: E402; pylint: disable=wrong-import-position
from lab import Lab, tshark_fields  # noqa: E402; pylint: disable=wrong-import-position
from proc import hung  # noqa: E402; pylint: disable=wrong-import-position
from rows import Row  # noqa: E402; pylint: disable=wrong-import-position

VRID = 51
SLOW_S, SLOW_PRIORITY = 1, {"r1": 200, "r2": 150}  # of the outages
FAST_S, FAST_PRIORITY = 0.01, {"r1": 200, "r2": 100}  # of the floods
HANDOVER_S = 0.001
ECHO_US = 200
FLOOD = ROOT / "build/lab/flood"
FLOOD_S = 10
FAILURES, FLOODS = 5, 3  # at most: each takes seconds
RATE = 50000
FAKE_MAC, FAKE_IP = "02:77:00:00:00:fe", "10.77.0.254"
ANSWERED = ("echo", "arp")


def start(lab, program, router, advert_s, priority, handover_s=None):
    if program == "keepalived":
        return lab.start_keepalived(router, lab.keepalived_conf(vrid=VRID, priority=priority, advert_int=advert_s))
    return lab.start_vrrp_xdp(router, ["attach", "eth0", "--vrid", VRID, "--priority", priority, "--advert-int", advert_s,
                                       "--mode", "native", "--vip", lab.VIP_CIDR,
                                       *(["--handover-skew", handover_s] if handover_s else [])])


@contextlib.contextmanager
def gone(pid, how):
    """What happens to the controller of the Active."""
    if how == "hang":
        with hung(pid):
            yield
        return
    os.kill(pid, how)
    yield
    if how == signal.SIGSTOP:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def fail_once(program, how, handover):
    """(what a client is without in ms, how often the failed router has answered it after the other's takeover)"""
    with Lab() as lab:
        proc = {}
        for router in lab.routers:
            proc[router] = start(lab, program, router, SLOW_S, SLOW_PRIORITY[router], HANDOVER_S if handover else None)
            if router == "r1":
                lab.wait_addr("r1", lab.VIP, timeout=20)
        ask, watch = lab.probe(lab.VIP, ECHO_US, 1000), lab.watch()
        ask.wait_answer(lab.mac("r1"), count=100)
        watch.wait_event(lambda e: e["kind"] == "advert" and e["priority"] == SLOW_PRIORITY["r1"], 10, time.time_ns(), 2)
        since = time.time_ns()
        with gone(proc["r1"].pid if how == signal.SIGTERM else proc["r1"].worker, how):
            over = ask.wait_answer(lab.mac("r2"), 20, since)["t"]
            ask.wait_answer(lab.mac("r2"), 20, over, 1000)
            until = time.time_ns()
        wrong = ask.answers_by_mac(over + 1_000_000, until, ANSWERED)[lab.mac("r1")]
        return ask.outage(since, until).ns / 1e6, wrong


@functools.lru_cache(None)
def failed(program, how, handover, runs):
    """The same failure so many times: it gives several rows."""
    return [fail_once(program, how, handover) for _ in range(runs)]


def failure(how, what, handover=False):
    """One figure of fail_once(); keepalived has no fast hand-over, there it is that of the same failure without."""
    return lambda program, runs: [f[what] for f in failed(program, how, handover and program == "vrrp-xdp", min(runs, FAILURES))]


# ---- floods ----

def forged(lab):
    """What anybody on the link can send; of the highest priority where it is not to be obeyed for another reason."""
    base = {"eth_src": FAKE_MAC, "src": FAKE_IP, "priority": 255, "interval": 1}
    own = {"eth_src": FAKE_MAC, "src": lab.ip("r1"), "priority": FAST_PRIORITY["r1"], "interval": 1}
    return {
        "bad checksum": frames.advert(**base, csum=0x5aa5),
        "TTL 254": frames.advert(**base, ttl=254),
        "other VRID": frames.advert(**base, vrid=VRID + 1),
        "short": frames.advert(**base, cut=3),
        "lower priority": frames.advert(**{**base, "priority": 50}),
        "replayed own": frames.advert(**own),
    }


def cpu_s(pid):
    """Of a process and those that it has started."""
    total = 0
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    total += int(fields[11]) + int(fields[12])
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        total += cpu_s(child) * os.sysconf("SC_CLK_TCK")
    return total / os.sysconf("SC_CLK_TCK")


def flood(program, kind, rate):
    """(longest gap between the Active's adverts in ms, takeovers, its process's CPU in percent) under a flood."""
    with Lab(clients=2) as lab:
        proc = {router: start(lab, program, router, FAST_S, FAST_PRIORITY[router]) for router in lab.routers}
        watch = lab.watch()
        watch.wait_event(lambda e: e["kind"] == "advert" and e["priority"] == FAST_PRIORITY["r1"], 20, time.time_ns(), 100)
        watch.stop()
        # a filter, or the capture would be what is flooded
        pcap = lab.capture("client", capture_filter=f"ip proto 112 and (ether src {lab.mac('r1')} or ether src {lab.mac('r2')})")
        before, t, since = cpu_s(proc["r1"].pid), time.monotonic(), time.time()
        lab.run("client2", [FLOOD, "eth0", rate, FLOOD_S, forged(lab)[kind].hex()], timeout=FLOOD_S + 20)
        used, t, until = cpu_s(proc["r1"].pid) - before, time.monotonic() - t, time.time()
        rows = tshark_fields(pcap.stop(), ["frame.time_epoch", "eth.src", "vrrp.prio"])
    mine = [since, *(at for at in (float(row[0]) for row in rows if row[1] == lab.mac("r1")) if since < at < until), until]
    taken = any(row[1] == lab.mac("r2") for row in rows)
    return max(b - a for a, b in zip(mine, mine[1:])) * 1e3, int(taken), 100 * used / t


@functools.lru_cache(None)
def flooded(program, kind, rate, runs):
    """The same flood so many times: it gives several rows."""
    return [flood(program, kind, rate) for _ in range(runs)]


def flood_part(kind, rate, what):
    return lambda program, runs: [f[what] for f in flooded(program, kind, rate, min(runs, FLOODS))]


KINDS = ("bad checksum", "TTL 254", "other VRID", "short", "lower priority", "replayed own")
DIES = {"kill": ("kill -9", signal.SIGKILL), "segv": ("SIGSEGV", signal.SIGSEGV), "stop": ("SIGSTOP", signal.SIGSTOP)}
HANDOVER = f"fast hand-over of {HANDOVER_S * 1e3:.0f} ms"


def row(name, *args, **kwargs):
    return Row(name, "The worst case", *args, **kwargs)


def failure_rows(name, said, how, rfc, fast):
    """`rfc` and `fast`: what a client may be without in ms, as the RFC has it and with fast hand-over. One of them is enough for a
    quick run."""
    without, wrong = "client without an answer", "wrong answers after the takeover, in a second"
    quick = int(how == signal.SIGKILL)
    return [row(f"{name}-outage", f"{said}: {without}", "ms", "less", rfc, failure(how, 0), quick=quick),
            row(f"{name}-wrong", f"{said}: {wrong}", "", "less", 0, failure(how, 1), quick=quick),
            row(f"{name}-fast-outage", f"{said}, {HANDOVER}: {without}", "ms", "less", fast, failure(how, 0, True), quick=quick),
            row(f"{name}-fast-wrong", f"{said}, {HANDOVER}: {wrong}", "", "less", 0, failure(how, 1, True), quick=quick)]


def flood_rows(name, kind, rate, fast):
    said = f"forged adverts, {kind}, {fast}, {FLOOD_S} s"
    return [row(f"{name}-gap", f"{said}: longest gap between two adverts", "ms", "less", 2e3 * FAST_S, flood_part(kind, rate, 0)),
            row(f"{name}-takeover", f"{said}: takeovers", "", "less", 0, flood_part(kind, rate, 1)),
            row(f"{name}-cpu", f"{said}: CPU of the Active's processes", "%", "less", 5, flood_part(kind, rate, 2))]


def rows():
    """Failures, then floods."""
    found = []
    for name, (said, how) in DIES.items():
        found += failure_rows(name, f"{said} of the Active's process", how, 450, 5)
    found += failure_rows("hang", "the Active's process hangs", "hang", 550, 110)
    found += [row("term-outage", "SIGTERM: client without an answer", "ms", "less", 450, failure(signal.SIGTERM, 0)),
              row("term-fast-outage", f"SIGTERM, {HANDOVER}: client without an answer", "ms", "less", 1.5,
                  failure(signal.SIGTERM, 0, True))]
    for short, rate, fast in (("", RATE, f"{RATE:,} a second"), ("full-", 0, "at full speed")):
        for kind in KINDS:
            found += flood_rows(f"flood-{short}{kind.lower().replace(' ', '-')}", kind, rate, fast)
    return found


def series():
    return []
