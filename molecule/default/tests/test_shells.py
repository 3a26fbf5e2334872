"""A person at a shell of the host: what they make, what they may become, what stays in the journal, and a shell that they forget."""

from __future__ import annotations

import secrets

import pytest
from conftest import Shell


def test_what_a_command_over_ssh_makes_is_not_for_everyone(on_host: Shell) -> None:
    assert on_host("umask").stdout.strip() == "0027"


def test_what_a_login_shell_makes_is_not_for_everyone(on_host: Shell) -> None:
    assert on_host("bash -lc umask").stdout.strip() == "0027"


def test_what_sudo_makes_is_for_the_system_as_debian_makes_it(on_host: Shell) -> None:
    assert on_host("sudo sh -c umask").stdout.strip() == "0022"


@pytest.mark.parametrize("account", ["root", "casemate"])
def test_su_lets_nobody_but_root_become_another(account: str, on_host: Shell) -> None:
    refused = on_host(f"su --shell /bin/sh --command id {account} </dev/null")
    assert refused.returncode != 0
    assert "uid=" not in refused.stdout
    assert "uid=" in on_host(f"sudo su --shell /bin/sh --command id {account}").stdout


def test_each_command_of_sudo_stands_in_the_journal(on_host: Shell) -> None:
    marker = secrets.token_hex(8)
    on_host(f"sudo true {marker}")
    assert f"COMMAND=/usr/bin/true {marker}" in on_host("sleep 0.5; sudo journalctl -q -n 200 -o cat _COMM=sudo").stdout


def test_a_shell_that_is_left_open_ends_and_a_script_is_not_hurried(on_host: Shell) -> None:
    assert on_host("bash -lic 'echo $TMOUT; TMOUT=0; echo still $TMOUT' 2>/dev/null").stdout.split() == ["900"]
    assert on_host("bash -lic 'sh -c \"echo in a script: \\$TMOUT\"' 2>/dev/null").stdout.strip() == "in a script:"


def test_nobody_but_root_would_plan_work(on_host: Shell) -> None:
    modes = on_host("sudo stat --format='%a %U %n' /etc/cron.allow /etc/at.allow /etc/cron.daily").stdout.split("\n")
    assert modes[:3] == ["640 root /etc/cron.allow", "640 root /etc/at.allow", "700 root /etc/cron.daily"]
    assert on_host("sudo cat /etc/cron.allow /etc/at.allow").stdout.split() == ["root", "root"]
