# SPDX-License-Identifier: GPL-2.0-or-later
"""`check`: every message with its place, the configuration with all defaults, no secret, and what the machine is asked."""

import json
import os
import re
import stat
import time

import pytest
from lab import BINARY, Lab
from routers import cli

INSTANCE = """\
vrrp_instance V1 {{
    interface eth0
    virtual_router_id 51
    priority {priority}
    virtual_ipaddress {{
        {vip}
    }}
    {extra}
}}
"""


def instance(priority=100, vip="10.77.0.100/24", extra=""):
    return INSTANCE.format(priority=priority, vip=vip, extra=extra)


@pytest.fixture(name="host", scope="module")
def one_host():
    with Lab(routers=1, clients=0) as made:
        yield made


@pytest.fixture(name="home")
def root_only(host, request):
    """A folder that nobody but root can write, for the files of one test."""
    path = host.tmp / re.sub(r"\W", "_", request.node.name)
    path.mkdir(mode=0o755)
    path.chmod(0o755)
    host.tmp.chmod(0o755)
    return path


def check(host, home, text, *flags):
    path = home / "vrrp.conf"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return cli(host, "r1", "check", "-f", path, *flags)


def messages(host, home, text):
    """(line, column, kind, text) of what is said, without the summary."""
    found = []
    for line in check(host, home, text).stderr.splitlines()[:-1]:
        match = re.match(rf"{home}/vrrp\.conf:(\d+)(?::(\d+))?: (error|warning): (.*)", line)
        assert match, line
        found.append((int(match[1]), int(match[2] or 0), match[3], match[4]))
    return found


def one_message(host, home, text):
    said = messages(host, home, text)
    assert len(said) == 1, said
    return said[0]


def executable(path, text="#!/bin/sh\nexit 0\n", mode=0o755):
    path.write_text(text, encoding="ascii")
    path.chmod(mode)
    return path


# ---- the command ----


def test_sound_file_prints_with_every_default(host, home):
    done = check(host, home, instance())
    assert done.returncode == 0
    assert done.stderr == f"{home}/vrrp.conf: 0 errors, 0 warnings\n"
    for line in ("vrrp_instance V1 {", "interface eth0", "virtual_router_id 51", "version 2", "advert_int 1", "10.77.0.100/24"):
        assert line in done.stdout


def test_printed_configuration_checks_to_itself(host, home):
    first = check(host, home, instance(extra='notify "/bin/true a \'b c\'" nobody\n virtual_routes {\n default via 10.77.0.1\n}'))
    again = check(host, home, first.stdout)
    assert again.returncode == 0
    assert again.stdout == first.stdout


def test_message_has_file_line_and_column(host, home):
    said = one_message(host, home, instance(vip="10.77.0.100/24 dev eth0 quick"))
    assert said[:3] == (6, 33, "warning")
    assert '"quick"' in said[3]


def test_message_in_included_file_names_that_file(host, home):
    (home / "more.conf").write_text("vrrp_instance V2 {\n  virtual_router_id 300\n}\n", encoding="ascii")
    done = check(host, home, instance() + "include more.conf\n")
    assert done.returncode == 2
    assert re.search(rf"^{home}/more\.conf:2:\d+: error: .*300", done.stderr, re.M)


def test_error_prints_no_configuration(host, home):
    done = check(host, home, instance(priority=100, extra="virtual_router_id 300"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "1 error, " in done.stderr


def test_file_without_instance_is_an_error(host, home):
    done = check(host, home, "global_defs {\n}\n")
    assert done.returncode == 2
    assert "vrrp_instance" in done.stderr


def test_missing_file_is_an_error(host, home):
    done = cli(host, "r1", "check", "-f", home / "none.conf")
    assert done.returncode == 2
    assert f"{home}/none.conf: error: No such file" in done.stderr


@pytest.mark.parametrize("flags", [["-i", "left"], ["--config-id", "left"], ["-i", "right"], []])
def test_lines_of_another_id_do_not_count(host, home, flags):
    text = instance().replace("priority 100", "@left priority 150\n@^left priority 50")
    done = check(host, home, text, *flags)
    assert done.returncode == 0
    assert f"priority {150 if 'left' in flags else 50}\n" in done.stdout


@pytest.mark.parametrize("flags, said", [(["--frobnicate"], "--frobnicate"), (["stray"], "stray"), (["-f"], "needs a value"),
                                         (["-i"], "needs a value")])
def test_wrong_flags_are_said(host, flags, said):
    done = cli(host, "r1", "check", *flags)
    assert done.returncode == 2
    assert said in done.stderr


def test_needs_no_rights(host, home):
    path = home / "vrrp.conf"
    path.write_text(instance(), encoding="ascii")
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
    binary = home / "vrrp-xdp"
    binary.write_bytes(BINARY.read_bytes())
    binary.chmod(0o755)
    done = host.run("r1", [*words, binary, "check", "-f", path], check=False)
    assert done.returncode == 0, done.stderr


# ---- secrets ----

AUTH = "authentication {\n auth_type PASS\n auth_pass geh3im\n}"


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_password_is_not_printed(host, home, flags):
    done = check(host, home, instance(extra=AUTH), *flags)
    assert done.returncode == 0
    assert "geh3im" not in done.stdout + done.stderr
    assert ('auth_pass "******"' in done.stdout) == (not flags)


# ---- JSON ----


def test_json_of_a_sound_file(host, home):
    done = check(host, home, instance(extra=AUTH + "\n notify /bin/true nobody"), "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (answer["file"], answer["errors"], answer["warnings"]) == (f"{home}/vrrp.conf", [], [])
    vr = answer["config"]["vrrp_instance"][0]
    assert (vr["name"], vr["interface"], vr["virtual_router_id"], vr["advert_int"]) == ("V1", "eth0", 51, 1.0)
    assert vr["virtual_ipaddress"] == ["10.77.0.100/24 dev eth0"]
    assert vr["auth_type"] == "PASS" and "auth_pass" not in vr
    assert vr["notify"]["argv"] == ["/bin/true"] and vr["notify"]["uid"] > 0


def test_json_of_errors(host, home):
    done = check(host, home, instance(vip="10.77.0.100/24 quick", extra="virtual_router_id 300"), "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["config"]) == (2, None)
    assert [(m["line"], "300" in m["text"]) for m in answer["errors"]] == [(8, True)]
    assert answer["warnings"][0]["line"] == 6 and answer["warnings"][0]["column"] == 24


def test_json_survives_bytes_that_are_no_utf8(host, home):
    text = instance(extra='notify "/bin/true \xff" nobody').encode("latin-1") + b"vrrp_script \xfe {\n script /bin/true\n user nobody\n}\n"
    answer = json.loads(check(host, home, text, "--json").stdout)
    assert answer["config"]["vrrp_instance"][0]["notify"]["argv"][1] == "ÿ"


# ---- what the machine is asked ----


def test_unknown_interface_is_an_error(host, home):
    line, _, kind, text = one_message(host, home, instance().replace("eth0", "eth7"))
    assert (line, kind) == (2, "error")
    assert '"eth7"' in text


def test_vip_outside_the_networks_is_said(host, home):
    line, _, _, text = one_message(host, home, instance(vip="192.0.2.1"))
    assert line == 6 and "192.0.2.1/32 is in no network of eth0" in text


def test_vip_of_full_length_inside_is_not(host, home):
    assert not messages(host, home, instance(vip="10.77.0.100"))


def test_owner_without_the_address_is_said(host, home):
    assert "10.77.0.100 is not on eth0" in one_message(host, home, instance(priority=255))[3]


def test_own_address_among_the_peers_is_said(host, home):
    extra = f"unicast_peer {{\n {host.ip('r1')}\n 10.77.0.12\n}}"
    assert "is this machine itself" in one_message(host, home, instance(extra=extra))[3]


def test_table_names_come_from_iproute2(host, home):
    done = check(host, home, instance(extra="virtual_routes {\n 192.0.2.0/24 via 10.77.0.1 table local\n}"))
    assert "table 255" in done.stdout
    said = one_message(host, home, instance(extra="virtual_routes {\n 192.0.2.0/24 via 10.77.0.1 table no-such\n}"))
    assert "rt_tables" in said[3]


def test_unknown_user_disables_the_command(host, home):
    said = one_message(host, home, instance(extra="notify /bin/true no-such-user"))
    assert 'no user "no-such-user"' in said[3]


def test_command_is_looked_up_in_path(host, home):
    assert not messages(host, home, instance(extra="notify true nobody"))
    assert "PATH" in one_message(host, home, instance(extra="notify no-such-command nobody"))[3]


def script_said(host, home, command, extra="nobody"):
    return one_message(host, home, instance(extra=f"notify {command} {extra}"))[3]


def test_missing_script_names_what_is_missing(host, home):
    assert f"{home}/none does not exist" in script_said(host, home, home / "none" / "n.sh")


def test_script_must_be_executable_for_its_user(host, home):
    script = executable(home / "n.sh", mode=0o744)
    assert "is not executable for the user" in script_said(host, home, script)
    script.chmod(0o755)
    assert not messages(host, home, instance(extra=f"notify {script} nobody"))


def test_script_in_a_closed_folder_is_said(host, home):
    (home / "closed").mkdir(mode=0o700)
    script = executable(home / "closed" / "n.sh")
    assert f"{home}/closed is closed to the user" in script_said(host, home, script)


def test_folder_is_no_script(host, home):
    assert "is not a file" in script_said(host, home, home)


SECURE = "global_defs {\n enable_script_security\n script_user root\n}\n"


@pytest.mark.parametrize("what", ["mode of the file", "group of the file", "owner of the file", "mode of the folder", "link"])
def test_script_of_root_that_others_can_change_is_disabled(host, home, what):
    folder = home / "scripts"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    script = executable(folder / "n.sh")
    assert not messages(host, home, SECURE + instance(extra=f"notify {script}"))
    if what == "mode of the file":
        script.chmod(0o757)
    elif what == "group of the file":
        os.chown(script, 0, 65534)
        script.chmod(0o775)
    elif what == "owner of the file":
        os.chown(script, 65534, 0)
    elif what == "mode of the folder":
        folder.chmod(0o757)
    else:  # a link is as safe as the folder that it stands in
        (home / "open").mkdir()
        (home / "open").chmod(0o757)
        (home / "open" / "n.sh").symlink_to(script)
        script = home / "open" / "n.sh"
    assert "disabled by enable_script_security" in one_message(host, home, SECURE + instance(extra=f"notify {script}"))[3]


def test_links_and_sticky_folders_are_safe(host, home):
    script = executable(home / "n.sh")
    sticky = home / "sticky"
    sticky.mkdir()
    sticky.chmod(0o777 | stat.S_ISVTX)
    (sticky / "absolute").symlink_to(script)
    (sticky / "relative").symlink_to("../n.sh")
    for path in (sticky / "absolute", sticky / "relative"):
        assert not messages(host, home, SECURE + instance(extra=f"notify {path}"))


def test_links_in_a_circle_are_missing(host, home):
    (home / "a").symlink_to("b")
    (home / "b").symlink_to("a")
    assert "leads nowhere" in script_said(host, home, home / "a")


def test_insecure_script_of_root_is_said_without_security(host, home):
    script = executable(home / "n.sh")
    script.chmod(0o757)
    said = messages(host, home, instance(extra=f"notify {script}"))
    assert any("others can change it" in text for _, _, _, text in said)
    assert any("without enable_script_security" in text for _, _, _, text in said)


# ---- size ----


def test_a_thousand_instances_are_checked_in_seconds(host, home):
    blocks = [f"""\
vrrp_instance V{i} {{
    interface eth{i // 250}
    virtual_router_id {i % 250 + 1}
    virtual_ipaddress {{
        10.{i // 250}.{i % 250}.1/24
    }}
    virtual_routes {{
        default via 10.77.0.1 table no-such-{i}
    }}
    notify /bin/true nobody
}}
""" for i in range(1000)]
    begin = time.monotonic()
    done = check(host, home, "global_defs {\n dynamic_interfaces\n}\n" + "".join(blocks), "--json")
    assert time.monotonic() - begin < 10
    assert len(json.loads(done.stdout)["config"]["vrrp_instance"]) == 1000
