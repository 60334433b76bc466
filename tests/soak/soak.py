#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a router has taken after thousands of failovers, or an hour of random faults, it must have given back: memory, descriptors, pins,
maps, programs, addresses. `make soak`."""

import argparse
import contextlib
import json
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
sys.path.insert(0, str(ROOT / "tests" / "net"))
from lab import BINARY, Lab  # noqa: E402; pylint: disable=wrong-import-position
from proc import LabError, family  # noqa: E402; pylint: disable=wrong-import-position
from routers import Client, active_routers, assert_settled, attach, machine, partition  # noqa: E402; pylint: disable=wrong-import-position

ADVERT_MS = {"failovers": 10, "faults": 100}
WARM = 50  # failovers until every lazy allocation was made
RSS_KB = 256  # what the allocator may have kept of one peak


def status_kb(pid, key):
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    return 0


def footprint(lab, router, proc):
    """What a router holds now; equal before and after, memory but for what the allocator keeps."""
    fds = {pid: len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in family(proc.pid)}
    kinds = [Path(f"/proc/{pid}/fdinfo") for pid in fds]
    maps = sum("map_id" in info.read_text(encoding="ascii") for kind in kinds for info in kind.iterdir())
    return {"rss": sum(status_kb(pid, "VmRSS") for pid in fds), "fds": sorted(fds.values()), "maps": maps,
            "machine": [*(words := machine(lab, router))[:-1], f"{len(words[-1])} processes"]}


def same(before, after):
    """What differs, as text; "": nothing."""
    text = [f"{key}: {before[key]} -> {after[key]}" for key in ("fds", "maps") if before[key] != after[key]]
    if after["rss"] > before["rss"] + RSS_KB:
        text.append(f"resident: {before['rss']} -> {after['rss']} kB")
    for a, b in zip(before["machine"], after["machine"]):
        if str(a) != str(b) and not str(a).startswith("[{"):  # links and addresses have counters in them
            text.append(f"machine: {a} -> {b}")
    if len(before["machine"]) != len(after["machine"]):
        text.append(f"machine: {before['machine'][2:]} -> {after['machine'][2:]}")
    return "; ".join(text)


def cli(lab, router, *words):
    return lab.run(router, [BINARY, *words], check=False)


class Pair:
    """r1, preferred, and r2; and everything that can happen to them."""

    def __init__(self, lab, advert_ms):
        self.lab, self.advert_ms = lab, advert_ms
        self.proc = {}
        for router in lab.routers:
            self.start(router)
        self.client = Client(lab)
        self.settle()

    def start(self, router):
        if router in self.proc:
            self.lab.forget(self.proc[router])
        self.proc[router] = attach(self.lab, router, None, "--handover-skew", 0.001, advert_ms=self.advert_ms)
        self.proc[router].wait_log("Initialize -> ")

    def settle(self, timeout=30):
        self.lab.wait_until(lambda: active_routers(self.lab) == ["r1"] and self.lab.state("r2") == "Backup", timeout, "r1 alone")

    def reached(self):
        """Two that were apart have both announced the address, and the host may believe the wrong one until it asks again."""
        self.lab.wait_until(lambda: self.lab.run("client", f"ping -c 1 -W 1 {self.lab.VIP}", check=False).returncode == 0, 15,
                            "an echo reply")

    def footprints(self):
        return {router: footprint(self.lab, router, proc) for router, proc in self.proc.items()}

    def failover(self):
        """There, and back."""
        done = cli(self.lab, "r1", "drain")
        if done.returncode:
            raise LabError(f"drain: {done.stderr}")
        cli(self.lab, "r1", "undrain")
        self.client.wait_advert("r1", priority=200, timeout=20)

    # -- faults; each leaves two running routers, and nothing in their way

    def kill(self, router, rng):
        self.proc[router].kill()
        time.sleep(rng.random())
        self.start(router)

    def stop(self, router, rng):
        assert self.proc[router].stop() == 0
        time.sleep(rng.random() / 2)
        self.start(router)

    def freeze(self, router, rng):
        self.proc[router].freeze()
        time.sleep(rng.random() * 2)
        self.proc[router].thaw()

    def cut(self, router, rng):
        self.lab.cut_cable(router)
        time.sleep(rng.random() * 2)
        self.lab.plug(router)

    def apart(self, _router, rng):
        partition(self.lab, True)
        time.sleep(rng.random() * 2)
        partition(self.lab, False)

    def drain(self, router, rng):
        cli(self.lab, router, "drain")
        time.sleep(rng.random())
        cli(self.lab, router, "undrain")

    def unaddress(self, router, _rng):
        self.lab.run(router, ["ip", "addr", "del", self.lab.VIP_CIDR, "dev", "eth0"], check=False)

    def xdp_off(self, router, _rng):
        self.lab.run(router, ["ip", "link", "set", "dev", "eth0", "xdp", "off"], check=False)

    FAULTS = ("kill", "stop", "freeze", "cut", "apart", "drain", "unaddress", "xdp_off")


def failovers(count, say):
    """So many failovers; returns what was not given back."""
    with Lab() as lab:
        pair = Pair(lab, ADVERT_MS["failovers"])
        for _ in range(min(WARM, count)):
            pair.failover()
        pair.settle()
        before, began = pair.footprints(), time.monotonic()
        for n in range(count):
            pair.failover()
            if (n + 1) % 1000 == 0:
                say(f"{n + 1} failovers in {time.monotonic() - began:.0f} s")
        pair.settle()
        assert_settled(lab, pair.client, "r1", ["r2"])
        after = pair.footprints()
        return "; ".join(f"{router}: {text}" for router in lab.routers if (text := same(before[router], after[router])))


def faults(seconds, seed, say):
    """Random faults for so long, both routers as at the start after each; returns what was not given back."""
    rng, counts = random.Random(seed), dict.fromkeys(Pair.FAULTS, 0)
    with Lab() as lab:
        pair = Pair(lab, ADVERT_MS["faults"])
        for name in Pair.FAULTS:  # what each makes for the first time
            for router in lab.routers:
                getattr(pair, name)(router, rng)
                pair.settle()
        before, end = pair.footprints(), time.monotonic() + seconds
        while time.monotonic() < end:
            name, router = rng.choice(Pair.FAULTS), rng.choice(lab.routers)
            try:
                getattr(pair, name)(router, rng)
                pair.settle()
                if sum(counts.values()) % 20 == 0:
                    pair.reached()
                    assert_settled(lab, pair.client, "r1", ["r2"])
            except (LabError, AssertionError) as e:
                raise LabError(f"seed {seed}, fault {sum(counts.values())}: {name} of {router}: {e}") from e
            counts[name] += 1
            if sum(counts.values()) % 100 == 0:
                say(f"{sum(counts.values())} faults: {counts}")
        after = pair.footprints()
        say(f"{sum(counts.values())} faults: {counts}; memory {json.dumps({r: (before[r]['rss'], after[r]['rss']) for r in before})} kB")
        return "; ".join(f"{router}: {text}" for router in lab.routers if (text := same(before[router], after[router])))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--failovers", type=int, default=10000)
    parser.add_argument("--seconds", type=int, default=3600, help="of random faults")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    def say(text):
        print(text, flush=True)

    wrong = False
    for what, left in ((f"{args.failovers} failovers", lambda: failovers(args.failovers, say)),
                       (f"{args.seconds} s of faults, seed {args.seed}", lambda: faults(args.seconds, args.seed, say))):
        with contextlib.suppress(KeyboardInterrupt):
            text = left()
            wrong |= bool(text)
            say(f"{what}: {text or 'everything was given back'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
