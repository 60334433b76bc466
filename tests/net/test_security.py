# SPDX-License-Identifier: GPL-2.0-or-later
"""What the process keeps of root's rights, what its scripts get of it, who may ask it, and where its password shows up."""

import os
import re
import shutil
from pathlib import Path

import pytest
from lab import BINARY
from routers import Client, cli, transitions

# include/uapi/linux/capability.h
CAPS = {"chown": 0, "dac_override": 1, "kill": 5, "setgid": 6, "setuid": 7, "net_admin": 12, "net_raw": 13, "ipc_lock": 14,
        "sys_ptrace": 19, "sys_admin": 21, "sys_nice": 23, "perfmon": 38, "bpf": 39}
GUARDIAN = sum(1 << bit for bit in (5, 13, 14))  # kill, net_raw, ipc_lock
KEPT = sum(1 << bit for name, bit in CAPS.items() if name != "sys_ptrace")
NOBODY, GROUP, OTHER_GROUP = 65534, "adm", "operator"  # these two are Debian's own
PASSWORD = "s3cr3t!X"

FILE = """\
global_defs {{
    vrrp_version {version}
    script_user root
    enable_script_security
    {globals}
}}
{scripts}
vrrp_instance V {{
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int {advert}
    {extra}
    virtual_ipaddress {{
        10.77.0.100/24
    }}
}}
"""

# What a process can know of itself. `ls` shows its own descriptors: the three, and the folder it reads.
LOOK = """\
#!/bin/sh
exec >{out}.new 2>&1
ls -l /proc/self/fd
cat /proc/self/status
echo "STAT $(cat /proc/self/stat)"
echo "SELF $$"
echo "OOM $(cat /proc/self/oom_score_adj)"
env | sed 's/^/ENV /'
mv {out}.new {out}
"""


def config(priority=200, version=3, advert=0.1, scripts="", extra="", **more):
    return FILE.format(priority=priority, version=version, advert=advert, scripts=scripts, extra=extra,
                       globals=more.get("globals", ""))


def run(lab, router, text, *flags, wrapper=()):
    path = lab.tmp / f"{router}.conf"
    path.write_text(text, encoding="utf-8")
    # pylint: disable-next=protected-access
    lab._daemons[router] = proc = lab.popen(router, [*wrapper, BINARY, "run", "-f", path, "--mode", "native", *flags])
    return path, proc


@pytest.fixture(name="folder")
def _folder(lab):
    """Every folder above it is root's alone, unlike those of /tmp; everybody may write into it, and put nothing away."""
    path = Path("/run") / f"vx-security-{lab.prefix}"
    path.mkdir()
    path.chmod(0o1777)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def fields(text):
    """The `Key:\tvalue` lines of /proc/PID/status."""
    return dict(line.split(":\t", 1) for line in text.splitlines() if re.match(r"\w+:\t", line))


def status_of(pid):
    return fields(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))


def caps(status):
    return {key: int(status[f"Cap{key}"], 16) for key in ("Inh", "Prm", "Eff", "Bnd", "Amb")}


# ---- capabilities ----

def test_the_controller_keeps_only_what_it_needs(lab):
    """After the start and after a reload, which still opens an interface and loads its program."""
    path, proc = run(lab, "r1", config(), wrapper=["setpriv", "--inh-caps", "+net_raw,+sys_time"])
    proc.wait_log("-> Active")
    bounding = caps(status_of("self"))["Bnd"]
    expected = {"Inh": 0, "Prm": KEPT & bounding, "Eff": KEPT & bounding, "Bnd": bounding, "Amb": 0}
    assert caps(status_of(proc.worker)) == expected
    assert caps(status_of(proc.pid)) == {**expected, "Prm": GUARDIAN & bounding, "Eff": GUARDIAN & bounding}
    lab.run("r1", ["sh", "-c", "ip link add d0 type veth peer name d1 && ip addr add 192.0.2.1/24 dev d0 && "
                               "ip link set d0 up && ip link set d1 up"])
    second = config().split("vrrp_instance", 1)[1].replace("V ", "W ").replace("eth0", "d0").replace("10.77.0.", "192.0.2.")
    path.write_text(f"{config(globals='vrrp_rt_priority 5')}vrrp_instance{second}", encoding="utf-8")
    done = cli(lab, "r1", "reload")
    assert done.returncode == 0, done.stderr
    proc.wait_log("W: Backup -> Active")
    assert caps(status_of(proc.worker)) == expected
    assert proc.stop() == 0
    assert "prog/xdp" not in lab.run("r1", "ip link show dev d0")


# ---- scripts ----

def look(lab, folder, user, *, settings="", wrapper=()):
    """What a script of this user finds out about itself."""
    script, out = folder / "look.sh", folder / "out"
    script.write_text(LOOK.format(out=out), encoding="utf-8")
    script.chmod(0o755)
    block = f'vrrp_script look {{\n    script "{script}"\n    interval 1\n    user {user}\n}}\n'
    _, proc = run(lab, "r1", config(scripts=block, globals=settings, extra="track_script {\n        look\n    }"),
                  wrapper=wrapper)
    proc.wait_log("-> Active")
    lab.wait_until(out.exists, what="the script's end")
    return proc, out.read_text(encoding="utf-8")


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_a_script_inherits_nothing(lab, folder, user):
    """Whatever the controller was started with and has made of itself."""
    proc, text = look(lab, folder, user, settings="vrrp_rt_priority 5\n    vrrp_no_swap\n    vrrp_cpu_affinity 1", wrapper=[
        "setpriv", "--inh-caps", "+net_raw,+net_admin", "env", "--ignore-signal=USR1,HUP", "--block-signal=USR2",
        "NOTIFY_SOCKET=@nowhere", "WATCHDOG_USEC=1", "WATCHDOG_PID=1", "IFS=x", "LD_PRELOAD=", "LD_LIBRARY_PATH=/nowhere",
        "MINE=yes"])
    mine = status_of("self")
    status = fields(text)
    fds = {int(match[1]): match[2] for match in re.finditer(r" (\d+) -> (.*)", text)}
    assert set(fds) == {0, 1, 2, 3}
    assert fds[0] == "/dev/null" and fds[1] == fds[2] == f"{folder}/out.new" and fds[3].startswith("/proc/")
    bounding = caps(mine)["Bnd"]
    held = bounding if user == "root" else 0
    assert caps(status) == {"Inh": 0, "Prm": held, "Eff": held, "Bnd": bounding, "Amb": 0}
    number = str(0 if user == "root" else NOBODY)
    assert set(status["Uid"].split()) == {number} and set(status["Gid"].split()) == {number}
    assert status["Groups"].split() == []
    assert int(status["SigBlk"], 16) == int(status["SigIgn"], 16) == 0
    assert status["VmLck"].split() == ["0", "kB"]
    assert status["Cpus_allowed_list"] == mine["Cpus_allowed_list"]
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("0", "0")
    assert os.sched_getaffinity(proc.worker) == {1} and os.sched_getscheduler(proc.worker) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
    stat = re.search(r"STAT .*\) (.*)", text)[1].split()
    shell = re.search(r"SELF (\d+)", text)[1]
    group, session, tty = stat[2:5]
    assert (group, session, tty) == (shell, shell, "0")
    assert (stat[16], stat[38]) == ("0", "0")  # nice, policy SCHED_OTHER
    assert re.search(r"OOM (.*)", text)[1] == Path("/proc/self/oom_score_adj").read_text(encoding="ascii").strip()
    env = dict(line[4:].split("=", 1) for line in text.splitlines() if re.match(r"ENV \w+=", line))
    assert env["MINE"] == "yes"
    assert not set(env) & {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "IFS", "LD_PRELOAD", "LD_LIBRARY_PATH"}


# ---- the control socket ----

def ask_as(lab, router, command, *, gid=NOBODY, groups=()):
    """As nobody, in these groups, by name or number."""
    more = [f"--groups={','.join(map(str, groups))}"] if groups else ["--clear-groups"]
    return lab.run(router, ["setpriv", f"--reuid={NOBODY}", f"--regid={gid}", *more, BINARY, command], check=False)


def answers(done):
    return done.returncode == 0 and "Active" in done.stdout


def test_without_a_group_only_root_is_answered(lab):
    _, proc = run(lab, "r1", config())
    proc.wait_log("-> Active")
    for gid, groups in ((NOBODY, ()), (0, ()), (NOBODY, (0,))):
        for command in ("status", "stats", "reload"):
            done = ask_as(lab, "r1", command, gid=gid, groups=groups)
            assert (done.returncode, done.stdout) == (1, "") and "no vrrp-xdp answers" in done.stderr
    assert answers(cli(lab, "r1", "status"))
    assert not any("Reloading" in line for line in proc.log)


def test_members_of_the_group_may_look_and_change_nothing(lab):
    """By their first group or any other; a reload can name another group."""
    path, proc = run(lab, "r1", config(globals=f"xdp_control_group {GROUP}"))
    proc.wait_log("-> Active")
    for member in ({"gid": GROUP}, {"groups": (OTHER_GROUP, GROUP)}):
        assert answers(ask_as(lab, "r1", "status", **member))
        assert "tx_adverts" in ask_as(lab, "r1", "stats", **member).stdout
        done = ask_as(lab, "r1", "reload", **member)
        assert done.returncode == 1 and "are you root?" in done.stderr
    assert not any("Reloading" in line for line in proc.log)
    for stranger in ({}, {"groups": (OTHER_GROUP,)}):
        assert ask_as(lab, "r1", "status", **stranger).returncode == 1
    path.write_text(config(globals=f"xdp_control_group {OTHER_GROUP}"), encoding="utf-8")
    assert cli(lab, "r1", "reload").returncode == 0
    assert not answers(ask_as(lab, "r1", "status", gid=GROUP))
    assert answers(ask_as(lab, "r1", "status", gid=OTHER_GROUP))


SILENT = """\
import socket, sys, time
held = []
for _ in range(40):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].connect("\\0vrrp-xdp/eth0")
print("connected", flush=True)
time.sleep(60)
"""


def test_members_that_say_nothing_do_not_lock_out_root(lab):
    _, proc = run(lab, "r1", config(globals=f"xdp_control_group {GROUP}"))
    proc.wait_log("-> Active")
    silent = lab.popen("r1", ["setpriv", f"--reuid={NOBODY}", f"--regid={GROUP}", "--clear-groups", "/usr/bin/python3", "-I", "-c", SILENT])
    silent.wait_log("connected")
    assert answers(cli(lab, "r1", "status"))


FLOOD = """\
import socket, sys
print("floods", flush=True)
while True:
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect("\\0vrrp-xdp/eth0")
        except OSError:
            pass
"""


def test_strangers_that_connect_all_the_time_delay_no_advert(lab):
    """Anybody in the network namespace can connect: what that costs is bounded in each turn of the loop."""
    _, r1 = run(lab, "r1", config())
    r1.wait_log("-> Active")
    _, r2 = run(lab, "r2", config(priority=100))
    r2.wait_log("the Active Router is")
    client = Client(lab)
    flood = lab.popen("r1", ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "/usr/bin/python3", "-I", "-c", FLOOD])
    flood.wait_log("floods")
    client.wait_advert("r1", count=20)
    assert answers(cli(lab, "r1", "status")), "root is not answered while others connect"
    assert transitions(r2) == ["Initialize -> Backup"], "an advert was so late that the Backup took over"


# ---- the password ----

AUTH = """authentication {{
        auth_type {kind}
        auth_pass {word}
    }}"""


def readable_without_ptrace(lab, router, pid):
    """Whether root's rights without CAP_SYS_PTRACE are enough to look into the process: they are when it may be dumped."""
    look = ["setpriv", "--bounding-set", "-sys_ptrace", "sh", "-c", f": </proc/{pid}/mem"]
    return lab.run(router, look, check=False).returncode == 0


def test_a_password_is_nowhere_to_be_read(lab):
    """Not in the log at its most talkative, nor in what the commands print, nor by somebody else in the process."""
    auth = AUTH.format(kind="PASS", word=PASSWORD)
    path, r1 = run(lab, "r1", config(version=2, advert=1, extra=auth), "-v")
    _, r2 = run(lab, "r2", config(priority=100, version=2, advert=1, extra=auth.replace(PASSWORD, "another1")), "-v")
    r1.wait_log("-> Active")
    r2.wait_log("auth")  # what it hears has the wrong password
    told = [cli(lab, "r1", *words) for words in (("status",), ("stats",), ("status", "--json"), ("stats", "--json"),
                                                 ("check", "-f", path), ("check", "-f", path, "--json"))]
    assert all(done.returncode == 0 for done in told)
    assert not readable_without_ptrace(lab, "r1", r1.worker)
    mistakes = (("PASS", f"{PASSWORD} more words"), ("PASS", f"{PASSWORD}{PASSWORD}"), ("WORD", PASSWORD), ("PASS", f'"{PASSWORD}'))
    for kind, word in mistakes:
        path.write_text(config(version=2, advert=1, extra=AUTH.format(kind=kind, word=word)), encoding="utf-8")
        told += [cli(lab, "r1", "check", "-f", path), cli(lab, "r1", "check", "-f", path, "--json"), cli(lab, "r1", "reload")]
    for text in ["\n".join(r1.log + r2.log), *(done.stdout + done.stderr for done in told)]:
        assert PASSWORD not in text and PASSWORD[:6] not in text
    path.write_text(config(version=2, advert=1), encoding="utf-8")
    assert cli(lab, "r1", "reload").returncode == 0
    assert readable_without_ptrace(lab, "r1", r1.worker), "nothing is hidden any more, and a crash could be looked into"
