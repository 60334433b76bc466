#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs tests in a QEMU guest: a kernel of Debian's, the host's root file system over 9p, this very tree and its build.

    tests/vm/vm.py --kernel 6.1 tests/vm/test_dispatcher.py tests/net/test_arp.py     paths and options are pytest's
    tests/vm/vm.py --kernel 6.12-rt --shell 'uname -a; ip -br link'                   or any commands

Nothing the guest does reaches the host's files: they are mounted read-only below a file system in memory. The guest's
output is shown as it comes; a guest that does not boot, panics, oopses or hangs counts as one failed test, and the end of
its console is shown. Kernels are downloaded once, below build/vm, with an apt of our own; nothing is installed.
"""

import argparse
import lzma
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / "build" / "vm"
MIRROR = os.environ.get("VM_MIRROR", "http://deb.debian.org")
KERNELS = {  # what a package's name has between "linux-image-" and "amd64"
    "6.1": r"6\.1\.[^-]*(-\d+)?-",
    "6.12": r"6\.12\.[^-]*-",
    "6.12-rt": r"6\.12\.[^-]*-rt-",
}
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = (f"{MIRROR}/debian bookworm", f"{MIRROR}/debian-security bookworm-security", f"{MIRROR}/debian bookworm-backports")
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")  # to reach the root; the rest is loaded from there
# Two NICs of each kind on a hub of their own, the first with the MAC address of tests/lab's router r1.
NICS = ("virtio-net-pci", "e1000e", "vmxnet3")
NIC_MACS = ("02:77:00:00:00:0b", "02:77:00:00:01:0b")
MEMORY_MB, CPUS = 1536, 2
# Software emulation is slow, but the same everywhere: a nested KVM may exist and not work. VM_ACCEL=kvm asks for it.
ACCEL = ("-accel", os.environ.get("VM_ACCEL", "tcg,thread=multi"))
BOOT_S, SILENCE_S = 120, 300
SLOW = 4  # how much more time than on real CPUs the tests are given
BROKEN = re.compile(r"BUG: (?!soft lockup)|Oops|Kernel panic|general protection fault|possible deadlock|list_(add|del) corruption")
CONSOLE_LINES = 40


class GuestError(Exception):
    """Why there is no result."""


# ---- kernels ----

def run(*argv, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **more)
    if done.returncode:
        raise GuestError(f"{' '.join(argv[:2])}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Apt:
    """apt with lists and sources of its own; of the host's configuration only the proxies and the like count."""

    def __init__(self):
        self.home = CACHE / "apt"
        for folder in ("lists/partial", "cache/archives/partial", "none"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        lines = [f"deb [signed-by={KEYRING}] {source} main\n" for source in SOURCES]
        (self.home / "sources.list").write_text("".join(lines), encoding="ascii")
        self.options = [word for option in (f"Dir::Etc::SourceList={self.home}/sources.list",
                                            f"Dir::Etc::SourceParts={self.home}/none",
                                            f"Dir::Etc::PreferencesParts={self.home}/none",
                                            f"Dir::State::Lists={self.home}/lists", f"Dir::Cache={self.home}/cache",
                                            "Acquire::Languages=none", "Acquire::Retries=3", "APT::Sandbox::User=root")
                        for word in ("-o", option)]

    def newest(self, pattern):
        names = run("apt-cache", *self.options, "pkgnames", "linux-image-").split()
        fits = [name for name in names if re.fullmatch(f"linux-image-{pattern}amd64", name)]
        if not fits:
            raise GuestError(f"{MIRROR} has no package linux-image-{pattern}amd64")
        return max(fits, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])

    def download(self, package, folder):
        run("apt-get", *self.options, "-q", "download", package, cwd=folder)
        return next(folder.glob("*.deb"))


def fetch_kernel(name):
    """build/vm/NAME with vmlinuz and modules/RELEASE, downloaded when it is not there."""
    home = CACHE / name
    if (home / "vmlinuz").exists():
        return home
    print(f"guest {name}: downloading the kernel", flush=True)
    new = CACHE / f"{name}.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    apt = Apt()
    run("apt-get", *apt.options, "-q", "update")
    deb = apt.download(apt.newest(KERNELS[name]), new)
    run("dpkg-deb", "-x", str(deb), str(new / "root"))
    deb.unlink()
    release = next((new / "root/lib/modules").iterdir()).name
    run("/usr/sbin/depmod", "-b", str(new / "root"), release)
    (new / "root/lib/modules").rename(new / "modules")
    next((new / "root/boot").glob("vmlinuz-*")).rename(new / "vmlinuz")
    shutil.rmtree(new / "root")
    shutil.rmtree(home, ignore_errors=True)
    new.rename(home)
    return home


def load_order(modules):
    """Files of MODULES and what they need, in the order to load them; what is built in is left out."""
    needs = {}
    for line in (modules / "modules.dep").read_text(encoding="ascii").splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    order = []
    for name in MODULES:
        path = next((p for p in needs if re.fullmatch(rf"{name}\.ko(\.xz)?", Path(p).name)), None)
        for one in [*reversed(needs[path]), path] if path else []:
            if one not in order:
                order.append(one)
    return order


# ---- the file system to start from ----

class Cpio:
    """An archive as the kernel unpacks it at boot ("newc")."""

    def __init__(self):
        self.data = bytearray()
        self.count = 0

    def add(self, path, content=b"", mode=0o100755):
        self.count += 1
        name = path.encode() + b"\0"
        fields = (self.count, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        self._put(b"070701" + b"".join(b"%08X" % f for f in fields) + name)
        self._put(content)

    def _put(self, data):
        self.data += data + bytes(-(len(self.data) + len(data)) % 4)

    def folder(self, path):
        self.add(path, mode=0o040755)


def initrd(home, script):
    modules = next((home / "modules").iterdir())
    order = load_order(modules)
    busybox = Path(shutil.which("busybox") or "/bin/busybox")
    cpio = Cpio()
    cpio.folder("bin")
    cpio.folder("modules")
    cpio.add("bin/busybox", busybox.read_bytes())
    cpio.add("init", (HERE / "init").read_bytes())
    for path in order:
        content = (modules / path).read_bytes()
        cpio.add(f"modules/{Path(path).name.removesuffix('.xz')}",
                 lzma.decompress(content) if path.endswith(".xz") else content)
    cpio.add("modules/order", "".join(f"{Path(p).name.removesuffix('.xz')}\n" for p in order).encode())
    cpio.add("settings", f"TREE={shlex.quote(str(ROOT))} MODULES={shlex.quote(str(modules))} "
                         f"RELEASE={modules.name}\n".encode())
    cpio.add("guest", script.encode())
    cpio.add("TRAILER!!!", mode=0)
    return bytes(cpio.data)


GUEST = """\
exec >/dev/ttyS1 2>&1 </dev/null
stty -F /dev/ttyS1 raw
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
export VRRP_XDP_GUEST={name} VRRP_XDP_SLOW={slow} PYTHONDONTWRITEBYTECODE=1
ip link set lo up
hostname guest
echo "vm: booted $(uname -r)"
cd {tree}
(
{command}
)
echo "vm: exit $?"
sleep 3600 # vm.py ends it
"""


# ---- a guest ----

class Guest:
    """One run of QEMU; what the guest's second serial port says is printed as it comes."""

    def __init__(self, name, command, slow):
        self.name = name
        self.status = None
        self.booted = False
        self.news = time.monotonic()
        home = fetch_kernel(name)
        self.run = CACHE / f"run-{os.getpid()}"
        self.run.mkdir(parents=True, exist_ok=True)
        self.console = self.run / "console"
        script = GUEST.format(name=name, slow=slow, tree=shlex.quote(str(ROOT)), command=command)
        (self.run / "initrd").write_bytes(initrd(home, script))
        self.popen = subprocess.Popen(self.argv(home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def argv(self, home):
        argv = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                *ACCEL, "-cpu", "max", "-m", str(MEMORY_MB), "-smp", str(CPUS),
                "-kernel", str(home / "vmlinuz"), "-initrd", str(self.run / "initrd"),
                "-append", "console=ttyS0 quiet panic=-1 oops=panic net.ifnames=0",
                "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
                "-serial", f"file:{self.console}", "-chardev", "stdio,id=out,signal=off", "-serial", "chardev:out"]
        for hub, model in enumerate(NICS):
            for n in range(2):
                argv += ["-netdev", f"hubport,id=h{hub}{n},hubid={hub}",
                         "-device", f"{model},netdev=h{hub}{n},mac={NIC_MACS[n]}"]
        return argv

    def _read(self):
        """Whole lines, but for the name of the test that runs now, so that one sees where a guest hangs."""
        rest = ""
        while chunk := os.read(self.popen.stdout.fileno(), 1 << 16):
            self.news = time.monotonic()
            *lines, rest = (rest + chunk.decode("utf-8", "replace").replace("\r", "")).split("\n")
            for line in lines:
                self._take(line)
            if rest.startswith("tests/"):
                print(rest, end="", flush=True)
                rest = ""

    def _take(self, line):
        exited = re.match(r"vm: exit (\d+)", line)
        if exited:
            self.status = int(exited[1])
            return
        self.booted = self.booted or line.startswith("vm: booted")
        if "is not connected to host network" not in line:  # as it should be
            print(line, flush=True)

    def wait(self, limit):
        """The exit status of the command."""
        start = time.monotonic()
        while self.popen.poll() is None and self.status is None:
            time.sleep(0.2)
            now = time.monotonic()
            if not self.booted and now - start > BOOT_S:
                raise GuestError(f"did not boot within {BOOT_S} s")
            if now - self.news > SILENCE_S:
                raise GuestError(f"hangs: said nothing for {SILENCE_S} s")
            if now - start > limit:
                raise GuestError(f"is not done within {limit} s")
        self.reader.join(2)
        broken = [line for line in self.said() if BROKEN.search(line)]
        if broken:
            raise GuestError(f"kernel trouble: {broken[0]}")
        if self.status is None:
            raise GuestError("ended by itself" if self.booted else "did not boot: QEMU ended by itself")
        return self.status

    def said(self):
        try:
            text = self.console.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [line for line in re.sub(r"\x1b\[[?0-9;]*[A-Za-z]|\x1bc|\r", "", text).split("\n") if line.strip()]

    def close(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        shutil.rmtree(self.run, ignore_errors=True)


def play(name, command, slow, limit):
    """Whether all went well in one guest; without a result of the tests in it, a line that counts as one failed test."""
    start = time.monotonic()
    guest = None
    try:
        guest = Guest(name, command, slow)
        status = guest.wait(limit)
    except GuestError as e:
        for line in guest.said()[-CONSOLE_LINES:] if guest else []:
            print(f"  {line}")
        print(f"guest {name}: {e}\n1 failed in {time.monotonic() - start:.2f}s", flush=True)
        return False
    finally:
        if guest:
            guest.close()
    print(f"guest {name}: {time.monotonic() - start:.0f} s", flush=True)
    return status == 0


def missing():
    tools = ("qemu-system-x86_64", "busybox", "apt-get", "apt-cache", "dpkg-deb")
    return [tool for tool in tools if not shutil.which(tool)]


def main():
    parser = argparse.ArgumentParser(description="Runs tests in QEMU guests.")
    parser.add_argument("--kernel", action="append", choices=list(KERNELS), help="6.1 without it; may be repeated")
    parser.add_argument("--shell", metavar="COMMANDS", help="instead of pytest")
    parser.add_argument("--slow", type=float, default=SLOW, help="factor for the tests' deadlines")
    parser.add_argument("--limit", type=int, default=3600, help="seconds for one guest")
    args, words = parser.parse_known_args()
    if os.geteuid():
        sys.exit("vm.py: the guest reads the host's root file system: run it as root")
    if platform.machine() != "x86_64" or not shutil.which("apt-get"):
        print("guests need Debian's or Ubuntu's apt and x86_64\n1 skipped in 0.00s")
        return 0
    if missing():
        sys.exit(f"vm.py: {', '.join(missing())} missing: run scripts/install-deps.sh test")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    command = args.shell or shlex.join([sys.executable, "-m", "pytest", "-v", "--no-header", "-p", "no:cacheprovider", *words])
    results = [play(name, command, args.slow, args.limit) for name in args.kernel or ["6.1"]]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
