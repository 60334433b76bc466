# SPDX-License-Identifier: GPL-2.0-or-later
"""The guardian as a process: its rights, its memory, and what becomes of it as the first process of a container."""

import os
import signal
from pathlib import Path

import frames
from lab import BINARY
from proc import family
from routers import Client, attach

# include/uapi/linux/capability.h: kill, net_raw, ipc_lock
NEEDED = sum(1 << bit for bit in (5, 13, 14))


def fields(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())


def test_the_guardian_has_no_more_rights_than_its_controller_and_shows_nobody_its_memory(lab):
    """It has the configuration, and with it the passwords, from its child's start on."""
    r1 = attach(lab, "r1", 255, "--version", 2, "--auth-pass", "12345678", advert_ms=1000)
    r1.wait_log("-> Active")
    status = fields(r1.pid)
    assert int(status["CapEff"], 16) & ~NEEDED == 0 == int(status["CapPrm"], 16) & ~NEEDED
    look = ["setpriv", "--bounding-set", "-sys_ptrace", "sh", "-c", f": </proc/{r1.pid}/mem"]
    assert lab.run("r1", look, check=False).returncode != 0


SCRIPT = """\
#!/bin/sh
(sh -c 'echo $$ >{orphan}; exec sleep 0.2' &)
"""
FILE = """\
vrrp_instance A {{
    interface eth0
    virtual_router_id 51
    version 3
    priority 255
    advert_int 1
    virtual_ipaddress {{
        {vip}
    }}
    notify_master {script}
}}
"""


def test_as_the_first_process_of_a_container(lab):
    """To it a signal is nothing unless it is asked for, and it inherits whoever has lost his parent."""
    client = Client(lab)
    orphan, script, conf = lab.tmp / "orphan", lab.tmp / "script", lab.tmp / "conf"
    script.write_text(SCRIPT.format(orphan=orphan), encoding="ascii")
    script.chmod(0o755)
    conf.write_text(FILE.format(vip=lab.VIP_CIDR, script=script), encoding="ascii")
    # not --mount-proc: where "/" is no mount point, as in a plain chroot, everybody would get that /proc
    enter = ("mount --make-rslave / 2>/dev/null || mount --make-rslave /proc && mount -t proc proc /proc && "
             'exec "$@"')
    shell = lab.popen("r1", ["unshare", "--pid", "--fork", "--mount", "--propagation", "unchanged", "sh", "-c", enter, "sh",
                             str(BINARY), "run", "-f", conf, "--mode", "skb"])
    shell.wait_log("-> Active")
    guardian, controller = family(shell.pid)[1:3]
    assert fields(guardian)["NSpid"].split()[-1] == "1"
    lab.wait_until(lambda: orphan.exists() and orphan.read_text(), what="an orphan")
    lab.wait_until(lambda: family(guardian) == [guardian, controller], what="the orphan's end, and nothing left of it")
    client.frames()
    os.kill(guardian, signal.SIGTERM)
    assert shell.wait() == 0
    seen = [advert.priority for advert in map(frames.parse_advert, (f.data for f in client.fence(["r1"]))) if advert]
    assert seen[-1] == 0
    assert lab.VIP not in lab.addrs("r1")
