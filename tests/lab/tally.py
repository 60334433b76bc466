# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client sees of thousands of virtual routers: see tally.bpf.c."""

from collections import namedtuple
from pathlib import Path

from proc import Probe

ROOT = Path(__file__).resolve().parents[2]
TALLY, OBJECT = ROOT / "build/lab/tally", ROOT / "build/lab/tally.bpf.o"

# times in ns of CLOCK_BOOTTIME; `router` as Lab names it
Row = namedtuple("Row", "lan router family vrid n first last worst")
Vip = namedtuple("Vip", "lan addr router n announced last answered")
Dump = namedtuple("Dump", "t rows vips")


class Tally(Probe):
    """Runs on `host`, on all its interfaces."""

    @classmethod
    def start(cls, lab, host="client"):
        ifs = [f"eth{lan},{lab.mac(host, lan)},{lab.ip(host, lan)},{lab.ip6(host, lan)}" for lan in lab.lans]
        tally = lab.popen(host, [TALLY, OBJECT, *ifs], cls)
        tally.routers = {int(lab.mac(router)[-2:], 16) % 32: router for router in lab.routers}
        return tally

    def _ask(self, command):
        since = self.mark()
        self.popen.stdin.write(f"{command}\n".encode())
        self.popen.stdin.flush()
        said = self._wait_line(lambda e: e if e["kind"] in (command, "error") else None, 20, since, command)
        if said["kind"] == "error":
            raise self.error(f"no {command}")
        return said

    def reset(self):
        """Forgets everything seen so far."""
        self._ask("reset")

    def forget(self):
        """Forgets the addresses, and goes on counting adverts; returns the time at which it was done."""
        return self._ask("forget")["t"]

    def count(self):
        """(addresses announced, addresses that answered) since then: cheap, to be asked while something is measured."""
        said = self._ask("count")
        return said["announced"], said["answered"]

    def dump(self):
        """A Dump: adverts by router and VRID, addresses as they were announced and as they answered (0: not yet)."""
        said = self._ask("dump")
        with self._news:
            self._lines[self._lines.index(said)] = {"kind": "said"}  # it is large
        return Dump(said["t"], [Row(lan, self.routers.get(number), *rest) for lan, number, *rest in said["rows"]],
                    [Vip(lan, addr, self.routers.get(number), *rest) for lan, addr, number, *rest in said["vips"]])
