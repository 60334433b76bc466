# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make install` brings: the unit and its sandbox, the manual pages, bash completion."""

import fnmatch
import os
import re
import socket
import subprocess

import pytest
from lab import BINARY, ROOT

# What `systemd-analyze security` gave when the unit was last changed, in tenths (keepalived's own unit: 96). What other
# versions of systemd count beside it must not matter: they have some room.
EXPOSURE = {252: 52}
EXPOSURE_OTHERS = 56
EXPOSURE_TIGHT = {252: 31}
EXPOSURE_TIGHT_OTHERS = 36

CONF = """\
global_defs {{
    script_user root
    enable_script_security
    vrrp_version 3
    vrrp_rt_priority 50
}}
vrrp_script fine {{
    script /usr/bin/true
    interval 1
}}
vrrp_instance V1 {{
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 0.1
    virtual_ipaddress {{
        {vip}
    }}
    track_script {{
        fine
    }}
    notify /usr/bin/true
}}
"""


def run(*argv, **kwargs):
    return subprocess.run(argv, capture_output=True, text=True, check=False, **kwargs)


@pytest.fixture(name="installed", scope="module")
def _installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    done = run("make", "-C", str(ROOT), "install", f"DESTDIR={root}", "PREFIX=/usr", env=env)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(name="unit", scope="module")
def _unit(installed):
    """The [Service] section: {key: all its values}, lists of one key joined as systemd does."""
    found = {}
    section = None
    for line in (installed / "usr/lib/systemd/system/vrrp-xdp.service").read_text(encoding="utf-8").splitlines():
        section = line if line.startswith("[") else section
        key, equals, value = line.partition("=")
        if section == "[Service]" and equals and not line.startswith("#"):
            found[key] = [*found.get(key, []), *value.split()]
    return found


def offered_by_help():
    """{command: flags} of `vrrp-xdp help`."""
    found = {}
    command = None
    for line in run(BINARY, "help").stdout.splitlines():
        if match := re.match(r"  ([a-z]+)( .*)?$", line):
            command, flags = match[1], match[2] or ""
        elif match := re.match(r"([a-z]+) takes(.*)", line):
            command, flags = match[1], match[2]
        else:
            flags = match[0] if (match := re.match(r"  --?[a-z-]+", line)) else ""
        if command:
            found.setdefault(command, set()).update(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", flags))
    assert {"attach", "run", "status", "help"} <= set(found)
    return found


# ---- files ----

def test_make_install_puts_every_file_in_place(installed):
    files = {str(path.relative_to(installed)): path for path in installed.rglob("*") if not path.is_dir()}
    mail = {"usr/libexec/vrrp-xdp/vrrp-xdp-mail"} if (ROOT / "build/vrrp-xdp-mail").exists() else set()
    assert set(files) == mail | {
        "usr/sbin/vrrp-xdp", "usr/lib/systemd/system/vrrp-xdp.service", "usr/share/man/man8/vrrp-xdp.8",
        "usr/share/man/man5/vrrp-xdp.conf.5", "usr/share/bash-completion/completions/vrrp-xdp"}
    assert {name for name, path in files.items() if path.stat().st_mode & 0o111} == mail | {"usr/sbin/vrrp-xdp"}
    assert list((installed / "etc/vrrp-xdp").iterdir()) == []


def rendered(installed, page):
    """A page as text: no bold, no broken lines. Nothing may be wrong with it."""
    done = run("groff", "-t", "-man", "-Tutf8", "-P-cbou", "-rLL=900n", "-ww", installed / "usr/share/man" / page)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("page", ["man8/vrrp-xdp.8", "man5/vrrp-xdp.conf.5"])
def test_a_manual_page_renders_without_a_warning(installed, page):
    assert "SEE ALSO" in rendered(installed, page)


def test_the_manual_page_knows_every_command_and_flag(installed):
    text = rendered(installed, "man8/vrrp-xdp.8")
    for command, flags in offered_by_help().items():
        for word in (command, *flags):
            assert re.search(rf"(?<![\w-]){word}(?![\w-])", text), f"{command} {word}"


def keywords():
    """Of every table of the parser: rows, macros that make a row, plain lists, and those that stand twice, with a prefix."""
    words = set()
    for path in (ROOT / "user").glob("conf_*.c"):
        text = path.read_text(encoding="utf-8")
        words |= set(re.findall(r'^\t(?:\{ (?:\.word = )?|[A-Z_]+\()"([a-z]\w+)"', text, re.M))
        for rows in re.findall(r"\bipvs_words\[\] = \{(.*?)\};", text, re.S):
            words |= set(re.findall(r'"(\w+)"', rows))
    common = re.findall(r'\.word = P "(\w+)"', (ROOT / "user/conf_int.h").read_text(encoding="utf-8"))
    assert common
    return words | set(common) | {f"vrrp_{word}" for word in common}


def test_the_manual_page_knows_every_keyword_of_the_parser(installed):
    """As it stands, or as part of a group such as enable_snmp_*."""
    text = rendered(installed, "man5/vrrp-xdp.conf.5")
    known = {word for word in re.findall(r"[A-Za-z_0-9*]+", text) if word.strip("*")}
    words = keywords()
    assert {"vrrp_instance", "virtual_router_id", "vrrp_version", "lvs_flush", "notify_master", "quorum"} <= words
    # The common rows that exist in one place only, or that have the prefix in neither.
    words -= {"vmac_garp_intvl", "vrrp_v3_checksum_as_v2"} - known
    assert [word for word in sorted(words) if not any(fnmatch.fnmatchcase(word, k) for k in known)] == []


def complete(installed, *words):
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vrrp_xdp; printf "%s\\n" "${COMPREPLY[@]}"')
    done = run("bash", "--norc", "-c", script, "bash", installed / "usr/share/bash-completion/completions/vrrp-xdp", "vrrp-xdp",
               *words, cwd=installed)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_completion_offers_every_command_and_flag_of_help(installed):
    assert complete(installed, "") >= set(offered_by_help())
    for command, flags in offered_by_help().items():
        words = [command, "eth0", ""] if command == "attach" else [command, ""]
        assert complete(installed, *words) >= flags, command


def test_completion_offers_values_and_files(installed):
    assert complete(installed, "st") == {"status", "stats"}
    assert complete(installed, "run", "--mode", "") == {"auto", "native", "skb"}
    assert complete(installed, "attach", "eth0", "--vrid", "") == set()
    assert complete(installed, "check", "-f", "et") == {"etc"}
    assert complete(installed, "check", "-i", "") == complete(installed, "run", "-i", "") == set()
    assert complete(installed, "nonsense", "") == set()


# ---- the unit ----

def verify(installed, tmp_path, extra=""):
    """A copy of the unit that names the installed program, with more lines for [Service]; what systemd says of it."""
    text = (installed / "usr/lib/systemd/system/vrrp-xdp.service").read_text(encoding="utf-8")
    copy = tmp_path / "vrrp-xdp.service"
    copy.write_text(text.replace("=/usr/sbin", f"={installed}/usr/sbin").replace("\n[Install]", f"{extra}\n[Install]"),
                    encoding="utf-8")
    return copy, run("systemd-analyze", "verify", "--man=no", copy)


def test_systemd_accepts_the_unit(installed, tmp_path):
    _, done = verify(installed, tmp_path)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def drop_in(word):
    """The [Service] lines of vrrp-xdp(8) that have @word."""
    page = (ROOT / "docs/vrrp-xdp.8.scd").read_text(encoding="utf-8")
    return next(block for block in page.split("```")[1::2] if word in block)


def exposes_more_than(unit, tenths):
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={tenths}", unit)
    return done.stdout[-200:] if done.returncode else ""


def test_the_manual_page_says_how_to_lift_the_sandbox(installed, tmp_path):
    """With its lines on top systemd sees an unconfined service."""
    unit, done = verify(installed, tmp_path, drop_in("CapabilityBoundingSet=~\n"))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert exposes_more_than(unit, 90)


def limit(known, others):
    return known.get(int(run("systemd-analyze", "--version").stdout.split()[1]), others)


def test_the_unit_exposes_no_more_than_it_did(installed):
    assert not exposes_more_than(installed / "usr/lib/systemd/system/vrrp-xdp.service", limit(EXPOSURE, EXPOSURE_OTHERS))


def test_the_manual_page_says_how_to_tighten_the_sandbox(installed, tmp_path):
    unit, done = verify(installed, tmp_path, drop_in("NoNewPrivileges=yes"))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert not exposes_more_than(unit, limit(EXPOSURE_TIGHT, EXPOSURE_TIGHT_OTHERS))


# ---- the sandbox, as far as it can be had without systemd ----

def sandbox(caps, *flags):
    """A prefix for a command: these capabilities only."""
    return ["setpriv", *flags, "--inh-caps=-all",
            f"--bounding-set=-all,{','.join('+' + cap[4:].lower() for cap in sorted(caps))}"]


def protect(lab, unit):
    """ProtectSystem=strict, ProtectKernelTunables, ReadWritePaths."""
    assert unit["ProtectSystem"] == ["strict"]
    writable = {path.lstrip("-") for path in unit["ReadWritePaths"]}
    assert {"/run", "/var", "/tmp", "/sys/fs/bpf"} <= writable
    lab.run("r1", ["sh", "-c", r"""
        set -e
        mount -t bpf bpf /sys/fs/bpf
        mount -o remount,bind,ro /sys
        for dir in /*; do
            case " $WRITABLE /dev /proc /sys " in *" $dir "*) continue ;; esac
            [ -d "$dir" ] && [ ! -L "$dir" ] || continue
            mount --bind "$dir" "$dir"
            mount -o remount,bind,ro "$dir"
        done
        ! mkdir /sys/fs/x /etc/x /usr/x 2>/dev/null
    """.replace("$WRITABLE", " ".join(sorted(writable)))])


def start(lab, *prefix, env=(), conf=CONF):
    path = lab.tmp / "r1.conf"
    path.write_text(conf.format(vip=lab.VIP_CIDR), encoding="utf-8")
    return lab.popen("r1", [*(["env", *env] if env else []), *prefix, BINARY, "run", "-f", path, "--mode", "native"])


def wait_nobody_has_the_socket(lab):
    """A script that was being started at the kill has it until it notices."""
    lab.wait_until(lambda: "@vrrp-xdp/" not in lab.run("r1", ["cat", "/proc/net/unix"]), what="end of the control socket")


def runs_and_recovers(lab, prefix, conf):
    first = start(lab, *prefix, conf=conf)
    first.wait_log("-> Active")
    first.kill()
    wait_nobody_has_the_socket(lab)
    second = start(lab, *prefix, conf=conf)
    second.wait_log("removed what a dead controller left")
    second.wait_log("-> Active")
    assert second.stop() == 0
    assert not [line for line in second.log if "cannot" in line]
    assert lab.VIP not in lab.addrs("r1")
    assert "xdp" not in lab.run("r1", ["ip", "link", "show", "eth0"])


@pytest.mark.lan(routers=1)
def test_the_daemon_runs_and_recovers_in_the_sandbox_of_its_unit(lab, unit):
    protect(lab, unit)
    fifo = lab.tmp / "events"
    runs_and_recovers(lab, sandbox(unit["CapabilityBoundingSet"]),
                      CONF.replace("script_user root", f"script_user root\n    notify_fifo {fifo} nobody"))


@pytest.mark.lan(routers=1)
def test_without_scripts_the_daemon_runs_and_recovers_in_the_tighter_sandbox(lab, unit):
    """What the drop-in takes off is read out of it, as systemd does with a ~."""
    protect(lab, unit)
    removed = re.search(r"CapabilityBoundingSet=~(.+)", drop_in("NoNewPrivileges=yes"))[1].split()
    conf = re.sub(r"vrrp_script.*?\n}}\n|    track_script.*?}}\n|    notify .*?\n", "", CONF, flags=re.S)
    runs_and_recovers(lab, sandbox(set(unit["CapabilityBoundingSet"]) - set(removed), "--no-new-privs"), conf)


@pytest.mark.lan(routers=1)
@pytest.mark.parametrize("cap", ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN"])
def test_without_a_capability_the_daemon_names_it(lab, unit, cap):
    proc = start(lab, *sandbox(set(unit["CapabilityBoundingSet"]) - {cap}))
    assert proc.wait() == 1
    assert any(cap in line for line in proc.log)


@pytest.mark.lan(routers=1)
def test_without_the_right_to_real_time_the_daemon_says_so_and_runs(lab, unit):
    proc = start(lab, *sandbox(set(unit["CapabilityBoundingSet"]) - {"CAP_SYS_NICE"}))
    proc.wait_log("-> Active")
    assert any("CAP_SYS_NICE" in line for line in proc.log)
    assert proc.stop() == 0


def syscalls_of(group):
    found = set()
    for line in run("systemd-analyze", "syscall-filter", "--no-pager", group).stdout.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            found |= syscalls_of(name)
        elif name and not name.startswith("#"):
            found.add(name)
    return found


@pytest.mark.lan(routers=1)
def test_the_unit_lets_every_system_call_of_the_daemon_through(lab, unit):
    """Its scripts' too; -D, so that signals reach the daemon and not strace."""
    allowed = set().union(*(syscalls_of(word) if word.startswith("@") else {word} for word in unit["SystemCallFilter"]))
    trace = lab.tmp / "trace"
    proc = start(lab, "strace", "-D", "-f", "-qq", "-o", trace)
    proc.wait_log("-> Active")
    assert proc.stop() == 0
    text = trace.read_text(encoding="utf-8", errors="replace")
    assert "PROT_WRITE|PROT_EXEC" not in text  # MemoryDenyWriteExecute of the tighter lines
    used = set(re.findall(r"^\d+ +(\w+)\(", text, re.M))
    assert {"bpf", "socket", "epoll_wait"} <= used
    assert used <= allowed, used - allowed


@pytest.mark.lan(routers=1)
def test_the_daemon_tells_systemd_when_it_is_ready_reloads_and_stops(lab, unit):
    """Type=notify: without READY=1 systemd would kill it after a minute and a half."""
    assert unit["Type"] == ["notify"]
    path = lab.tmp / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(10)

        def wait_for(word):
            while word not in (told := sock.recv(4096).decode().splitlines()):
                pass
            return told

        proc = start(lab, env=[f"NOTIFY_SOCKET={path}"])
        wait_for("READY=1")
        assert proc.alive()
        lab.run("r1", [BINARY, "reload"])
        assert any(line.startswith("MONOTONIC_USEC=") for line in wait_for("RELOADING=1"))
        wait_for("READY=1")
        proc.signal(15)
        wait_for("STOPPING=1")
        assert proc.wait() == 0
