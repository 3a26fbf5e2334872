"""Bad input to site.yml: a sentence that names it, and a host that is as it was, byte for byte."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT, Shell

# What a refused run must not touch: every file of the system's configuration and of the appliance, and what runs.
TREE = r"""
sudo find /etc /opt/casemate /usr/local /var/lib/casemate -xdev \( -type f -o -type l \) -printf '%p %m %u %s %T@ %l\n' | sort
"""
RUNNING = "systemctl show --property=Id,MainPID,ActiveEnterTimestamp nginx mariadb casemate ssh nftables"


BAD = [
    ("nginx_hsts_stage=9", ["nginx_hsts_stage is refused", "got: 9"]),
    ("nginx_hsts_stge=1", ["nginx_hsts_stge is no variable", "nginx_hsts_stage"]),
    ("nginx_body_limit=1g", ["nginx_body_limit is", "between 8k and 64m"]),
    ("security_contact=security@example.org", ["security_contact is", "mailto:security@example.org"]),
    ("body_limits={upload: 20m}", ["body_limits has", "begins and ends with a slash"]),
    ("body_limits={/sign-in/: 20m}", ["body_limits has", "no limit of its own yet"]),
    ("csp_report_only=img-scr 'self'", ["csp_report_only is", "each once"]),
    ("csp_report_only=img-src 'self'; img-src 'none'", ["csp_report_only is", "each once"]),
    ("csp_quiet_days=0", ["csp_quiet_days is 0", "between 1 and 365 days"]),
    ("allowed_features={camera: [meet.example.org]}", ["allowed_features has", "https addresses of hosts alone"]),
    ("csp_enforced=img-src 'none'", ["csp_enforced is", "never on trial"]),
    ("mariadb_innodb_buffer_pool_size=plenty", ["mariadb_innodb_buffer_pool_size", "64M to 64G"]),
    ("valkey_memory_mib=8", ["valkey_memory_mib is 8", "16 to 384"]),
    ("site_name=Casemate", ["site_name", "declared.yml"]),
    ("reboot_at=25:00", ["reboot_at", "in quotes"]),
    ("update_window_days=90", ["update_window_days is 90", "1 to 30 days"]),
    ("time_servers=[{host: 192.0.2.1}]", ["time_servers", "two or more servers"]),
    ("log_collector={host: no host}", ["log_collector is", "host and name must be"]),
    ("log_collector={host: 192.0.2.1, trust_anchor: /nowhere}", ["log_collector is", "files on this controller"]),
    ("application_release_signers=[]", ["application_release_signers"]),
    ("sshd_accounts=['nobody-here']", ["sshd_accounts", "would not get in again"]),
    ("admin_networks=['192.0.2.0/24']", ["admin_networks", "would not get in again"]),
    ("admin_networks=['10.77.1.0/33']", ["admin_networks is refused", "10.77.1.0/33"]),
]


@pytest.fixture(scope="module")
def state_of_the_host(on_host: Shell) -> Shell:
    return lambda: (on_host(TREE).stdout, on_host(RUNNING).stdout)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def refused(converge: Shell, state_of_the_host: Shell) -> tuple[dict[str, subprocess.CompletedProcess[str]], bool]:
    """What became of a converge with each bad variable, two beside each other, and whether the host is as it was before them all."""

    def attempt(setting: str) -> subprocess.CompletedProcess[str]:
        name, _, value = setting.partition("=")
        return converge("-e", f"{{{name}: {value}}}")

    before, settings = state_of_the_host(), [setting for setting, _sentences in BAD]
    with ThreadPoolExecutor(max_workers=2) as pool:
        ran = dict(zip(settings, pool.map(attempt, settings), strict=True))
    return ran, state_of_the_host() == before


@pytest.mark.parametrize(("setting", "sentences"), BAD)
def test_a_bad_variable_stops_the_play_before_anything_is_changed(
    setting: str, sentences: list[str], refused: tuple[dict[str, subprocess.CompletedProcess[str]], bool]
) -> None:
    ran, unchanged = refused
    assert ran[setting].returncode != 0
    for sentence in sentences:
        assert sentence in " ".join(ran[setting].stdout.split()), ran[setting].stdout
    assert "changed=0" in ran[setting].stdout
    assert unchanged, "one of these runs changed the host"


def test_a_missing_variable_is_named(converge: Shell, state_of_the_host: Shell, tmp_path: Path) -> None:
    before = state_of_the_host()
    inventory = tmp_path / "inventories" / "incomplete"
    shutil.copytree(ROOT / "inventories" / "test", inventory)
    for beside in ("dist", ".lab"):
        (tmp_path / beside).symlink_to(ROOT / beside)
    declared = inventory / "declared.yml"
    declared.write_text("\n".join(line for line in declared.read_text().splitlines() if not line.startswith("site_name:")))
    refused = converge(inventory=str(inventory / "hosts.yml"))
    assert refused.returncode != 0
    assert "site_name is missing" in refused.stdout
    assert "changed=0" in refused.stdout
    assert state_of_the_host() == before


@pytest.mark.parametrize(
    ("policy", "nonsense", "role", "service", "installed"),
    [
        ("nginx/nginx.conf.j2", "no_such_directive on;", "nginx", "nginx", "/etc/nginx/nginx.conf"),
        ("sshd/sshd_config.j2", "NoSuchOption yes", "sshd", "ssh", "/etc/ssh/sshd_config"),
        ("nftables/nftables.conf.j2", "this is no rule", "firewall", "nftables", "/etc/nftables.conf"),
        ("mariadb/casemate.cnf.j2", "no-such-option = 1", "mariadb", "mariadb", "/etc/mysql/mariadb.conf.d/99-casemate.cnf"),
        ("fail2ban/jail.local.j2", "no_such_option on;", "fail2ban", "fail2ban", "/etc/fail2ban/jail.local"),
        ("logrotate/nginx", "nosuchdirective 1", "logging", "logrotate.timer", "/etc/logrotate.d/nginx"),
        ("valkey/limiter.conf.j2", "no-such-option 1", "valkey", "casemate-limiter", "/etc/casemate/limiter.conf"),
        ("valkey/limiter-users.acl", "user nobody on +nothing", "valkey", "casemate-limiter", "/etc/casemate/limiter-users.acl"),
    ],
)
def test_a_text_that_its_program_refuses_replaces_nothing(
    policy: str, nonsense: str, role: str, service: str, installed: str, converge: Shell, on_host: Shell, tmp_path: Path
) -> None:
    look = f"sudo sha256sum {installed}; systemctl is-active {service}; systemctl show --property=MainPID,ActiveEnterTimestamp {service}"
    before = on_host(look).stdout
    broken = tmp_path / "files"
    shutil.copytree(ROOT / "files", broken, symlinks=False)
    with (broken / policy).open("a") as text:
        text.write(f"\n{nonsense}\n")
    refused = converge("--tags", role, "-e", f"policy_dir={broken}")
    assert refused.returncode != 0
    assert "failed to validate" in refused.stdout, refused.stdout
    assert nonsense.split()[0].removesuffix(";") in refused.stdout, "the program's own words are missing"
    assert on_host(look).stdout == before
    assert "active" in before


@pytest.fixture
def artefact() -> Path:
    newest = json.loads((ROOT / "dist" / "latest.json").read_text())
    return ROOT / "dist" / str(newest["file"])


def test_an_artefact_that_was_altered_is_refused(artefact: Path, converge: Shell, state_of_the_host: Shell, tmp_path: Path) -> None:
    altered = tmp_path / artefact.name
    altered.write_bytes(artefact.read_bytes()[:-1] + b"\x00")
    for beside in ("sig", "sha256"):
        shutil.copy(f"{artefact}.{beside}", tmp_path)
    before = state_of_the_host()
    refused = converge("--tags", "application", "-e", f"application_artefact={altered}")
    assert refused.returncode != 0
    for named in (altered.name, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in (artefact, altered))):
        assert named in refused.stdout, refused.stdout
    assert state_of_the_host() == before


def test_an_artefact_of_an_unknown_signer_is_refused(converge: Shell, state_of_the_host: Shell) -> None:
    stranger = "casemate-release ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8yBB1cdzq8pTtTnJHwBbWnAMDmUY7Yh2ZLwxHBVhQJ"
    before = state_of_the_host()
    refused = converge("--tags", "application", "-e", f"{{application_release_signers: ['{stranger}']}}")
    assert refused.returncode != 0
    assert "sign" in refused.stdout
    assert state_of_the_host() == before


def test_check_mode_on_a_converged_host_finds_and_changes_nothing(converge: Shell, state_of_the_host: Shell) -> None:
    before = state_of_the_host()
    checked = converge("--check", "--diff")
    assert checked.returncode == 0, checked.stdout
    assert "changed=0" in checked.stdout
    assert state_of_the_host() == before
