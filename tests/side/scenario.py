# SPDX-License-Identifier: GPL-2.0-or-later
"""One configuration file with the steps it is played with: how both are written, and how they are read.

A file in tests/side/conf is a keepalived.conf whose first lines say what is done with it:

    #: start r1; active r1; start r2; look; stop r1; active r2; look

`{{a|b}}` stands for `a` on router r1 and `b` on r2; `%DIR%` for the router's own folder, in which the file lies as
`main.conf`, `%TAG%` for a word that no other run uses. A line `#= NAME` starts another file of that folder: an include, a
script (its first line is `#!`), the file of a reload.

Steps, separated by `;` or by lines:

    start R            the daemon of R, with main.conf
    runs R, ends R     it is up (says something on the wire, takes an address, or lives on), it has ended by itself
    active R | none    exactly this router has the first address, 10.77.0.100
    has R ADDR [DEV]   the address is there, or with `hasnot` no longer
    adverts R N        N more adverts have left R
    hears R KEY=VALUE..    an advert with these fields leaves R
    said R TEXT        the recorder of R (%DIR%/rec) was called with these words
    fifo R TEXT        this line came out of the FIFO %DIR%/fifo
    shows R CMD: TEXT  the output of the command has the text
    sh R CMD           a command in the namespace of R
    stop R, kill R     SIGTERM, and its end; SIGKILL to all of it
    cut R, plug R      R's cable, at the switch
    hup R [NAME]       SIGHUP, with the file NAME in the place of main.conf
    isolate, join      the switch forwards nothing between the two routers, or again all
    seen               what was on the wire and in the recorders up to here is of no interest
    look [garps]       everything that can be observed is noted, for the comparison; with the number of announcements

Options are steps as well: `flags WORD..` for both daemons, `solo` (one router), `eth1` (a second interface on each),
`before R CMD` (a command before anything else, one per line).
"""

import re
from pathlib import Path

CONF = Path(__file__).resolve().parent / "conf"
OPTIONS = ("flags", "solo", "eth1", "before")


class Scenario:
    """A file, taken apart: its name, its options, its steps, and what each router finds in its folder."""

    def __init__(self, path):
        self.name = path.stem
        text = path.read_text(encoding="utf-8")
        said = ";".join(line[2:] for line in text.splitlines() if line.startswith("#:"))
        steps = [step.split() for step in said.split(";") if step.strip()]
        self.options = {step[0]: step[1:] for step in steps if step[0] in OPTIONS}
        self.before = [step[1:] for step in steps if step[0] == "before" and (step[1] == "r1" or "solo" not in self.options)]
        self.steps = [step for step in steps if step[0] not in OPTIONS]
        self.routers = ["r1"] if "solo" in self.options else ["r1", "r2"]
        self._parts = re.split(r"^#= (\S+)\n", text, flags=re.M)

    def files(self, router, folder, tag):
        """{name: content} for one router."""
        names = ["main.conf", *self._parts[1::2]]
        return {name: self.fill(text, router, folder, tag) for name, text in zip(names, self._parts[::2])}

    @staticmethod
    def fill(text, router, folder, tag):
        """`{{a|b}}`, `%DIR%` and `%TAG%` in their final form."""
        mine = re.sub(r"\{\{([^|}]*)\|([^}]*)\}\}", r"\1" if router == "r1" else r"\2", text)
        return mine.replace("%DIR%", str(folder)).replace("%TAG%", tag)


def scenarios(names=()):
    """All of them, or the named ones."""
    found = [Scenario(path) for path in sorted(CONF.glob("*.conf"))]
    return [s for s in found if not names or s.name in names]
