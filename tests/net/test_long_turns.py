# SPDX-License-Identifier: GPL-2.0-or-later
"""A controller that has much to do at once is no controller that hangs: its guardian lets it."""

import signal

from routers import transitions

ROUTERS = 120
INSTANCE = """
vrrp_instance V{n} {{
    interface eth0
    version 3
    virtual_router_id {n}
    priority {priority}
    advert_int {seconds}
    virtual_ipaddress {{ 10.77.1.{n}/24 }}
    notify_master "{script} 1"
    notify "{script} 2"
}}
"""


class Crowd:
    """Many routers, each with two scripts; to start one takes half a millisecond and more."""

    def __init__(self, lab, priority, first_s, seconds):
        self._lab, self._how = lab, {"priority": priority}
        self._seconds = [first_s] + [seconds] * (ROUTERS - 1)
        self._told, script = lab.tmp / "told", lab.tmp / "script"
        script.write_text(f'#!/bin/sh\n[ "$1$4" = 2BACKUP ] || echo >> {self._told}\n', encoding="ascii")
        script.chmod(0o755)
        self._how["script"] = script
        self.proc = lab.start_vrrp_xdp("r1", ["run", "-f", self.write(range(1, ROUTERS + 1)), "--mode", "native"])

    def write(self, numbers):
        path = self._lab.tmp / "r1.conf"
        path.write_text("".join(INSTANCE.format(n=n, seconds=self._seconds[n - 1], **self._how) for n in numbers),
                        encoding="ascii")
        return path

    def wait_told(self):
        self._lab.wait_until(lambda: self._told.exists() and len(self._told.read_text()) >= 2 * ROUTERS, timeout=20,
                             what="all scripts' start")

    def fenced(self):
        return [line for line in self.proc.log if "has hung" in line]


def test_the_guardian_waits_while_hundreds_of_scripts_are_started(lab):
    crowd = Crowd(lab, 200, 0.4, 0.4)
    crowd.wait_told()
    assert sorted(transitions(crowd.proc)) == ["Backup -> Active"] * ROUTERS + ["Initialize -> Backup"] * ROUTERS
    assert crowd.fenced() == []


def test_the_guardian_waits_during_a_start_and_a_reload_whatever_that_changes_of_its_patience(lab):
    """Its patience is an interval, of the first router at first, and 100 ms when that one has been taken out."""
    crowd = Crowd(lab, 255, 0.05, 1)
    crowd.wait_told()
    assert transitions(crowd.proc) == ["Initialize -> Active"] * ROUTERS
    crowd.write([ROUTERS])
    since = crowd.proc.mark()
    crowd.proc.signal(signal.SIGHUP)
    crowd.proc.wait_log("Reload finished", since=since, timeout=20)
    assert transitions(crowd.proc, since) == ["Active -> Initialize"] * (ROUTERS - 1)
    assert crowd.fenced() == []


def test_the_guardian_waits_while_thousands_of_addresses_are_added(lab):
    """Beside a router that is Active already, with an interval that is shorter than that takes."""
    plain = "".join(line for line in INSTANCE.splitlines(keepends=True) if "notify" not in line)
    text = plain.format(n=1, priority=255, seconds=0.02)
    for n in range(2, 102):
        vips = "\n".join(f"10.80.{n}.{i}/32" for i in range(1, 21))
        text += plain.replace("10.77.1.{n}/24", vips).format(n=n, priority=200, seconds=0.1)
    conf = lab.tmp / "r1.conf"
    conf.write_text(text, encoding="ascii")
    r1 = lab.start_vrrp_xdp("r1", ["run", "-f", conf, "--mode", "native"])
    r1.wait_log("V101: Backup -> Active", timeout=20)
    assert r1.stop() == 0
    assert [line for line in r1.log if "has hung" in line] == []
