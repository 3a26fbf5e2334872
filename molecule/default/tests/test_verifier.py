"""The verifier as an operator meets it: what it says of a host that it cannot look at, and what it leaves behind on one that it can."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import INVENTORY, STATE, Shell, run_here

from verification.ssh import Connection
from verification.words import CannotRun

NO_SUDO = "/etc/sudoers.d/zz-without-sudo"
# Every file that a verification might leave behind or alter: all disks of the host, but what a host writes by itself.
TREE = r"""
sudo find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /var/log \
  -o -path /var/lib/mysql -o -path /var/lib/fail2ban \) -prune -o -type f -printf '%p %m %u %g %s %T@\n' | sort
"""
ROWS = r"""
for table in $(sudo mariadb -NBe "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables
  WHERE table_schema IN ('casemate', 'casemate_audit')"); do sudo mariadb -NBe "CHECKSUM TABLE $table"; done
sudo mariadb -NBe "SELECT user, host, priv FROM mysql.global_priv" | sha256sum
"""
# A session of SSH says these of itself; whoever is asked for a page, or refuses a wrong certificate, notes that it was asked.
OF_A_SESSION = {"sshd", "sshd-session", "sshd-auth", "sudo", "systemd", "systemd-logind", "(systemd)", "dbus-daemon"}
WERE_ASKED = {"nginx", "gunicorn", "mariadbd", "fail2ban-server"}


def verified(*options: str) -> subprocess.CompletedProcess[str]:
    return run_here(["casemate", "verify", "-i", INVENTORY, *options])


def connected_by(config: str) -> tuple[str, str]:
    return ("-e", f"ansible_ssh_common_args=-F {config}")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The lab's SSH configuration, to be altered."""
    return Path(shutil.copy(STATE / "ssh_config", tmp_path / "ssh_config"))


def test_a_host_that_does_not_answer_is_named(config: Path) -> None:
    config.write_text(f"Host casemate\n    HostName 127.0.0.1\n    Port 1\n{config.read_text()}")
    refused = verified(*connected_by(str(config)))
    assert refused.returncode == 2
    assert re.fullmatch(r"casemate: casemate is not reached over SSH .*: ssh: connect to host .* refused", refused.stderr.strip())


def test_a_host_with_another_key_is_not_looked_at(config: Path, tmp_path: Path) -> None:
    """Whoever sits between the two would be told of every weakness."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "mallory"], check=True)
    key = " ".join((tmp_path / "mallory.pub").read_text().split()[:2])
    hosts = re.findall(r"HostName (\S+)", config.read_text())
    (tmp_path / "known_hosts").write_text("".join(f"{host} {key}\n" for host in hosts))
    config.write_text(re.sub(r"UserKnownHostsFile .*", f"UserKnownHostsFile {tmp_path / 'known_hosts'}", config.read_text()))
    refused = verified(*connected_by(str(config)))
    assert refused.returncode == 2
    assert "Host key verification failed" in refused.stderr
    assert "evidence" not in refused.stdout


@pytest.fixture
def account_without_sudo(on_host: Shell) -> Iterator[None]:
    """The administrator's sudo asks for a password that nobody has, but to take this rule away again."""
    rule = f"admin ALL=(ALL) PASSWD: ALL, NOPASSWD: /usr/bin/rm {NO_SUDO}"
    assert on_host(f"echo '{rule}' | sudo install -m 0440 /dev/stdin {NO_SUDO}").returncode == 0
    yield
    assert on_host(f"sudo /usr/bin/rm {NO_SUDO}").returncode == 0


@pytest.mark.usefixtures("account_without_sudo")
def test_an_account_without_sudo_is_told_what_it_lacks() -> None:
    refused = verified()
    assert refused.returncode == 2
    assert refused.stderr.startswith("casemate: casemate: sudo asks for a password there")
    assert "NOPASSWD" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_command_that_ends_with_255_is_not_a_lost_connection() -> None:
    connection = Connection("casemate", ("-F", str(STATE / "ssh_config"), "casemate"))
    try:
        assert connection.run("exit 255").status == 255
    finally:
        connection.close()
    lost = Connection("casemate", ("-F", str(STATE / "ssh_config"), "-p", "1", "casemate"))
    with pytest.raises(CannotRun, match="is not reached over SSH"):
        lost.run("exit 255")


def test_an_observing_verification_leaves_the_host_as_it_was(on_host: Shell) -> None:
    assert verified().returncode == 0  # what the first look of all makes, such as compiled Python of the host's own, is made
    moment = on_host("date '+%Y-%m-%d %H:%M:%S.%6N'").stdout.strip()
    before = (on_host(TREE).stdout.splitlines(), on_host(ROWS).stdout)
    seen = verified()
    assert seen.returncode == 0, seen.stdout
    after = (on_host(TREE).stdout.splitlines(), on_host(ROWS).stdout)
    assert len(before[0]) > 10_000
    assert before[1].count("\n") > 20
    changed = sorted(set(before[0]) ^ set(after[0]))
    # What was sent, and how far the collector has got: the session's own lines leave the host as all others do.
    assert [line for line in changed if not line.startswith(("/var/lib/casemate-backup/", "/var/lib/casemate-forward/"))] == []
    assert after[1] == before[1]
    fields = "_COMM,SYSLOG_IDENTIFIER,MESSAGE"
    told = on_host(f"sudo journalctl --since='{moment}' --output=json --output-fields={fields}").stdout.splitlines()
    assert [line for line in map(json.loads, told) if program(line) not in OF_A_SESSION | WERE_ASKED] == []


def program(line: dict[str, str]) -> str | None:
    """Which one wrote it; of one that had ended before journald looked, as sudo may have, by its own word."""
    return line.get("_COMM") or line.get("SYSLOG_IDENTIFIER")
