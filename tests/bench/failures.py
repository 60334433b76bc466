# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows of bench.py about the worst case: what a client is without when the Active's process dies, hangs or is stopped, and what
forged adverts do to an Active and its Backup. For each program by itself; see measure()."""

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

VRID = 51
SLOW_S, SLOW_PRIORITY = 1, {"r1": 200, "r2": 150}  # of the outages
FAST_S, FAST_PRIORITY = 0.01, {"r1": 200, "r2": 100}  # of the floods
HANDOVER_S = 0.001
ECHO_US = 200
FLOOD = ROOT / "build/lab/flood"
FLOOD_S = 10
RUNS = 5
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
def failed(program, how, handover):
    """The same failure RUNS times: it gives several rows."""
    return [fail_once(program, how, handover) for _ in range(RUNS)]


def failure(how, what, handover=False):
    """One figure of fail_once(); keepalived has no fast hand-over, there it is that of the same failure without."""
    return lambda program, _runs: [f[what] for f in failed(program, how, handover and program == "vrrp-xdp")]


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


def flood(program, kind, rate, seconds=FLOOD_S):
    """(longest gap between the Active's adverts in ms, takeovers, its process's CPU in percent, frames a second) under a flood."""
    with Lab(clients=2) as lab:
        proc = {router: start(lab, program, router, FAST_S, FAST_PRIORITY[router]) for router in lab.routers}
        watch = lab.watch()
        watch.wait_event(lambda e: e["kind"] == "advert" and e["priority"] == FAST_PRIORITY["r1"], 20, time.time_ns(), 100)
        watch.stop()
        # a filter, or the capture would be what is flooded
        pcap = lab.capture("client", capture_filter=f"ip proto 112 and (ether src {lab.mac('r1')} or ether src {lab.mac('r2')})")
        before, t, since = cpu_s(proc["r1"].pid), time.monotonic(), time.time()
        sent = lab.run("client2", [FLOOD, "eth0", rate, seconds, forged(lab)[kind].hex()], timeout=seconds + 20)
        used, t, until = cpu_s(proc["r1"].pid) - before, time.monotonic() - t, time.time()
        rows = tshark_fields(pcap.stop(), ["frame.time_epoch", "eth.src", "vrrp.prio"])
    mine = [since, *(at for at in (float(row[0]) for row in rows if row[1] == lab.mac("r1")) if since < at < until), until]
    taken = any(row[1] == lab.mac("r2") for row in rows)
    return max(b - a for a, b in zip(mine, mine[1:])) * 1e3, int(taken), 100 * used / t, sent


@functools.lru_cache(None)
def flooded(program, kind, rate):
    """One flood gives several rows."""
    return flood(program, kind, rate)


def flood_row(kind, rate, what):
    return lambda program, _runs: [flooded(program, kind, rate)[what]]


KINDS = ("bad checksum", "TTL 254", "other VRID", "short", "lower priority", "replayed own")
DIES = {"kill -9": signal.SIGKILL, "SIGSEGV": signal.SIGSEGV, "SIGSTOP": signal.SIGSTOP}


def plan():
    """Rows as bench.py has them: (figure, unit, to reach, function of program and runs)."""
    rows = []
    for said, how, rfc, fast in ([(said, how, 450, 5) for said, how in DIES.items()] + [("hang", "hang", 550, 110)]):
        rows += [(f"{said} of the Active's process, 1 s adverts: client without an answer", "ms", rfc, failure(how, 0)),
                 ("... its wrong answers after the takeover", "", 0, failure(how, 1)),
                 (f"... client without an answer, fast hand-over of {HANDOVER_S * 1e3:.0f} ms", "ms", fast, failure(how, 0, True)),
                 ("... its wrong answers after that takeover", "", 0, failure(how, 1, True))]
    rows += [("SIGTERM, 1 s adverts: client without an answer", "ms", 450, failure(signal.SIGTERM, 0)),
             ("... with fast hand-over", "ms", 1.5, failure(signal.SIGTERM, 0, True))]
    for rate, fast in ((RATE, f"{RATE} a second"), (0, "at full speed")):
        for kind in KINDS:
            rows += [(f"forged adverts, {kind}, {fast}, {FLOOD_S} s: longest gap between two adverts", "ms", 2e3 * FAST_S,
                      flood_row(kind, rate, 0)),
                     ("... takeovers", "", 0, flood_row(kind, rate, 1)),
                     ("... CPU of the Active's processes", "%", 5, flood_row(kind, rate, 2))]
    return rows
