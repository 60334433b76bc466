#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows what a client notices when the Active router's cable is pulled, and when it is stopped or frozen.

Two routers and two clients in network namespaces. "client" pings the virtual address every millisecond and learns
of a takeover by gratuitous ARP alone; "client2" asks by ARP who has the address, which shows every router that answers.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lab"))
from lab import Lab  # noqa: E402; pylint: disable=wrong-import-position
from proc import LabError  # noqa: E402; pylint: disable=wrong-import-position

VRID = 51
ADVERT_S = 0.1
PRIORITY = {"r1": 200, "r2": 100}
WATCHED_ANSWERS = 500  # how long the new Active is watched after a takeover, in answers of a millisecond each


def skew_ms(router):
    """RFC 9568 section 6.1: Skew_Time."""
    return ADVERT_S * 1000 * (256 - PRIORITY[router]) / 256


def paint(code, text):
    """Colour for people only: not into files, and not for who asked for none."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\033[{code}m{text}\033[0m"


class Demo:
    """The routers, the clients' probes, and one method per thing that goes wrong."""

    def __init__(self, lab, programs):
        self.lab = lab
        self.programs = programs
        self.router = {}
        self.number = 0
        for name in ("r1", "r2"):
            self.start(name)
        self.ping = lab.probe(echo_us=1000)
        self.arp = lab.probe(echo_us=0, arp_us=1000, host="client2")
        self.wait_active("r1")

    def start(self, name):
        """Starts a router, and waits until it has the address (r1) or stands by (r2)."""
        lab = self.lab
        if self.programs[name] == "keepalived":
            conf = lab.keepalived_conf(vrid=VRID, priority=PRIORITY[name], advert_int=ADVERT_S)
            self.router[name] = lab.start_keepalived(name, conf)
        else:
            self.router[name] = lab.start_vrrp_xdp(name, [
                "attach", "eth0", "--vrid", VRID, "--vip", lab.VIP_CIDR, "--priority", PRIORITY[name],
                "--advert-int", ADVERT_S, "--mode", "native"])
        if name == "r1":
            lab.wait_addr("r1", lab.VIP)
        elif self.programs[name] == "keepalived":
            self.router[name].wait_log("Entering BACKUP STATE")
        else:
            lab.wait_state(name, "Backup")

    def wait_active(self, name, since=0):
        """Waits until both clients have had some answers from this router since then."""
        mac = self.lab.mac(name)
        self.ping.wait_answer(mac, since=since, count=WATCHED_ANSWERS)
        self.arp.wait_answer(mac, since=since, count=WATCHED_ANSWERS, kinds=("arp",))

    def takeover(self, name, since):
        """When the new Active announced itself to the client, or answered it first."""
        kinds = ("garp", "echo")
        return min(e["t"] for e in self.ping.events(since, kinds=kinds) if e["src"] == self.lab.mac(name))

    def wrong_answers(self, name, since):
        """Answers by anybody but the Active, after it took over."""
        answers = self.ping.answers_by_mac(since) + self.arp.answers_by_mac(since)
        return answers.total() - answers[self.lab.mac(name)]

    def report(self, what, active, since):
        """Waits for the new Active and prints the one line about it."""
        self.wait_active(active, since)
        wrong = self.wrong_answers(active, self.takeover(active, since))
        outage_ms = self.ping.outage(since).ns / 1e6
        self.number += 1
        print(f"{self.number}. {what:<27} Active: {paint(1, active)}   client without the address: "
              f"{paint(1, f'{outage_ms:6.1f} ms')}   answers from the wrong router: "
              f"{paint(31 if wrong else 32, wrong)}", flush=True)

    def run(self):
        """The four events, r1 being the Active before 1, 3 and 4."""
        lab = self.lab
        self.report("r1's cable pulled", "r2", lab.cut_cable("r1"))
        lab.wait_link("r1", up=False)
        self.report("r1's cable plugged in again", "r1", lab.plug("r1"))
        self.report("r1 stopped (SIGTERM)", "r2", self.act(self.router["r1"].end))
        self.router["r1"].wait()
        back = self.act(lambda: self.start("r1"))
        self.wait_active("r1", back)
        self.report("r1 frozen (SIGSTOP)", "r2", self.act(self.router["r1"].freeze))
        self.router["r1"].thaw()

    @staticmethod
    def act(action):
        """Does it, and returns the time just before."""
        now = time.time_ns()
        action()
        return now


def introduce(programs):
    """What is about to be seen, and what the protocol itself takes."""
    r1, r2 = programs["r1"], programs["r2"]
    who = f"two {r1} routers" if r1 == r2 else f"{r1} as r1 and {r2} as r2"
    print(f"{who}, priority {PRIORITY['r1']} and {PRIORITY['r2']}, VRRPv3, an advert every {ADVERT_S * 1000:.0f} ms: "
          f"r2 must wait {3 * ADVERT_S * 1000 + skew_ms('r2'):.0f} ms for a silent r1, {skew_ms('r2'):.0f} ms for one "
          f"that says goodbye", flush=True)


def main():
    """Runs the demo; every way out removes what it built."""
    parser = argparse.ArgumentParser(description="Pull the Active router's cable, stop it, freeze it; watch a client.")
    programs = ("vrrp-xdp", "keepalived")
    parser.add_argument("--active", choices=programs, default=programs[0], help="what runs on r1, priority 200")
    parser.add_argument("--peer", choices=programs, default=programs[0], help="what runs on r2, priority 100")
    args = parser.parse_args()
    try:
        with Lab(routers=2, clients=2) as lab:
            chosen = {"r1": args.active, "r2": args.peer}
            introduce(chosen)
            Demo(lab, chosen).run()
    except LabError as e:
        print(f"demo: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted, everything removed", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
