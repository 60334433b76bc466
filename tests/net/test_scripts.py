# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripts that hang, flood, fork or vanish: they fail their own check, and no advert is late because of them."""

import time
from pathlib import Path

from routers import Client, transitions
from test_run_file import run

SCRIPTS = {
    "hang": "exec sleep 1000",
    "deaf": "trap '' TERM; while :; do sleep 1000 & wait $!; done",
    "flood": "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy >&2; done",
    "fork": "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; exec sleep 1000",
    "vanish": "rm -f \"$0\"; exit 0",
}

FILE = """\
global_defs {{
    vrrp_version 3
    script_user root
    enable_script_security
}}
{scripts}
vrrp_instance V {{
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 0.05
    virtual_ipaddress {{
        10.77.0.100/24
    }}
    track_script {{
{tracked}
    }}
    notify "{folder}/flood.sh"
    notify_master "{folder}/hang.sh"
}}
"""


def make_scripts(folder):
    for name, text in SCRIPTS.items():
        path = folder / f"{name}.sh"
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)


def config(folder, priority, scripts):
    blocks = "".join(
        f'vrrp_script {name} {{\n    script "{folder}/{name}.sh"\n    interval 0.2\n    timeout 0.2\n    weight -1\n}}\n'
        for name in scripts)
    tracked = "\n".join(f"        {name}" for name in scripts)
    return FILE.format(scripts=blocks, priority=priority, tracked=tracked, folder=folder)


def children_of(pid):
    return {int(p) for task in Path(f"/proc/{pid}/task").iterdir() for p in (task / "children").read_text().split()}


def test_scripts_that_misbehave_delay_no_advert(lab):
    folder = Path("/run") / f"vx-scripts-{lab.prefix}"  # every folder above it is root's alone, unlike those of /tmp
    folder.mkdir()
    try:
        make_scripts(folder)
        _, r1 = run(lab, "r1", config(folder, 200, SCRIPTS), "--mode", "native")
        r1.wait_log("-> Active")
        _, r2 = run(lab, "r2", config(folder, 100, []).replace(f'notify "{folder}/flood.sh"', ""), "--mode", "native")
        r2.wait_log("the Active Router is")
        for name in ("hang", "deaf", "flood", "fork"):
            r1.wait_log(rf"VRRP_Script\({name}\) failed")
        r1.wait_log(r"vanish")
        client = Client(lab)
        client.wait_advert("r1", 20, count=100, priority=195)  # five seconds of adverts, each failed check counted
        assert transitions(r1) == ["Initialize -> Backup", "Backup -> Active"]
        assert transitions(r2) == ["Initialize -> Backup"], "an advert was so late that the Backup took over"
        left = children_of(r1.worker)
        r1.stop()
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in left) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(Path(f"/proc/{pid}").exists() for pid in left), "a script outlived the router"
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
