"""HOST-009: the check passes on a host that is kept up, and each thing that can be wrong turns it red."""

import copy
import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from verification.checks import updates
from verification.host import Facts
from verification.inventory import ROOT
from verification.remote import updates as reading
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import State

EXPECTED: dict[str, Any] = yaml.safe_load((ROOT / "verification/expected/baseline/updates.yml").read_text())
GOOD: dict[str, Any] = {
    "settings": EXPECTED["updates"]["settings"]
    | {
        "Casemate::Update-Window-Days": ["3"],
        "Unattended-Upgrade::Automatic-Reboot": ["true"],
        "Unattended-Upgrade::Automatic-Reboot-Time": ["03:30"],
    },
    "units": EXPECTED["updates"]["units"],
    "archives": ["trixie-security"],
    "lists are days old": 0.4,
    "pending": {"openssl": {"installed": "3.5.1-1", "offered": "3.5.1-1+deb13u1", "days": 0.3}},
    "held": [],
    "a reboot waits for days": 0.0,
}


def states(declared: dict[str, Any] | None = None, **altered: Any) -> set[State]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.inside = Facts({"updates": {"value": {**copy.deepcopy(GOOD), **altered}}})
    updates.test_debians_timers_fetch_and_install_what_closes_a_hole(host, see, EXPECTED, declared or {})
    updates.test_no_security_update_waits_longer_than_the_window(host, see, declared or {})
    return {observation.state for observation in see.observations}


def test_a_host_that_is_kept_up_passes() -> None:
    assert states() == {State.PASS}


@pytest.mark.parametrize(
    "altered",
    [
        {"settings": GOOD["settings"] | {"APT::Periodic::Unattended-Upgrade": ["0"]}},
        {"settings": GOOD["settings"] | {"Unattended-Upgrade::Package-Blacklist": ["nginx"]}},
        {"settings": GOOD["settings"] | {"Acquire::AllowInsecureRepositories": ["true"]}},
        {"units": GOOD["units"] | {"apt-daily-upgrade.timer": {**GOOD["units"]["apt-daily-upgrade.timer"], "enabled": "disabled"}}},
        {"units": GOOD["units"] | {"apt-daily.service": {"loaded": "masked"}}},
        {"archives": []},
        {"lists are days old": 3.1},
        {"pending": {"openssl": {"installed": "1", "offered": "2", "days": 3.1}}},
        {"held": ["nginx"]},
        {"a reboot waits for days": 4.0},
    ],
)
def test_what_lets_a_hole_stay_open_is_red(altered: dict[str, Any]) -> None:
    assert State.FAIL in states(**altered)


def test_the_window_and_the_hour_are_those_that_are_declared() -> None:
    assert State.FAIL in states({"update_window_days": 2})
    assert State.FAIL in states({"reboot_at": "04:00"})
    wider = GOOD["settings"] | {"Casemate::Update-Window-Days": ["7"], "Unattended-Upgrade::Automatic-Reboot-Time": ["22:15"]}
    declared = {"update_window_days": 7, "reboot_at": "22:15"}
    old = {"openssl": {"installed": "1", "offered": "2", "days": 6.9}}
    assert states(declared, settings=wider, pending=old) == {State.PASS}


def test_a_host_that_starts_anew_by_hand_alone_says_so() -> None:
    never = {key: value for key, value in GOOD["settings"].items() if not key.endswith("Reboot-Time")}
    assert State.FAIL in states({"reboot_at": "never"})
    assert states({"reboot_at": "never"}, settings=never | {"Unattended-Upgrade::Automatic-Reboot": ["false"]}) == {State.PASS}


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"status": 0, "origins": EXPECTED["updates"]["taken"]}, {State.PASS}),
        ({"status": 1, "origins": EXPECTED["updates"]["taken"]}, {State.PASS, State.FAIL}),
        ({"status": 0, "origins": "origin=Somebody"}, {State.PASS, State.FAIL}),
    ],
)
def test_what_the_program_says_of_itself_is_compared(said: dict[str, Any], state: set[State]) -> None:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.tried["an upgrade"] = said
    updates.test_the_program_that_installs_them_takes_debians_security_archive_alone(host, see, EXPECTED)
    assert {observation.state for observation in see.observations} == state


def test_a_list_has_all_its_values_and_what_is_empty_is_not_set() -> None:
    dump = 'APT::Periodic "";\nAPT::Periodic::Enable "1";\nDPkg::Options "";\nDPkg::Options:: "--a";\nDPkg::Options:: "--b";\nOther "1";\n'
    assert reading._settings(dump) == {"APT::Periodic::Enable": ["1"], "DPkg::Options": ["--a", "--b"]}


@pytest.mark.parametrize("compressed", [False, True])
def test_what_the_security_archive_offers_and_the_host_lacks_is_pending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: bool
) -> None:
    def stanza(name: str, version: str, architecture: str = "amd64") -> str:
        return f"Package: {name}\nArchitecture: {architecture}\nVersion: {version}\nDescription: Version of it\n"

    text = "\n".join([stanza("openssl", "3.5.1-1+deb13u1"), stanza("nginx", "1.26.3-3"), stanza("absent", "9"), stanza("py", "2", "all")])
    archive = "deb.debian.org_debian-security_dists_trixie-security"
    (tmp_path / f"{archive}_InRelease").write_text("Origin: Debian\nLabel: Debian-Security\n")
    (tmp_path / "other_dists_trixie_InRelease").write_text("Origin: Debian\nLabel: Debian\n")
    (tmp_path / "other_dists_trixie_main_binary-amd64_Packages").write_text(stanza("nginx", "99"))
    packages = tmp_path / f"{archive}_main_binary-amd64_Packages{'.gz' if compressed else ''}"
    packages.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    installed = {("openssl", "amd64"): "3.5.1-1", ("nginx", "amd64"): "1.26.3-3+deb13u9", ("py", "all"): "1"}
    monkeypatch.setattr(reading, "LISTS", tmp_path)
    monkeypatch.setattr(reading, "SEEN", tmp_path / "seen.json")
    monkeypatch.setattr(reading, "output", lambda *_argv: text)
    (tmp_path / "seen.json").write_text(f'{{"openssl 3.5.1-1+deb13u1": {time.time() - 5 * reading.DAY}}}')
    archives = list(reading._security_archives())
    assert archives == [archive]
    found = reading._pending(archives, installed)
    assert {name: (update["installed"], update["offered"], update["days"]) for name, update in found.items()} == {
        "openssl": ("3.5.1-1", "3.5.1-1+deb13u1", 5.0),
        "py": ("1", "2", 0.0),
    }


def test_lists_are_as_old_as_the_last_time_all_of_them_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LISTS", tmp_path / "lists")
    monkeypatch.setattr(reading, "STAMP", tmp_path / "update-stamp")
    (tmp_path / "lists").mkdir()
    (tmp_path / "update-stamp").touch()
    for place, days in (("lists", 9), ("update-stamp", 2)):
        os.utime(tmp_path / place, (time.time() - days * reading.DAY,) * 2)
    assert reading._days(reading._fetched()) == 2.0


def test_the_hosts_own_look_reads_what_apt_would_install(host_program: Callable[[str], ModuleType]) -> None:
    program = host_program("files/base/sbin/casemate-updates")
    said = (
        "Inst openssl [3.5.1-1] (3.5.1-1+deb13u1 Debian-Security:13/stable-security [amd64]) []\n"
        "Inst nano [8.4-1] (8.4-1+deb13u1 Debian:13.2/stable [amd64])\n"
        "Inst linux-image-6.12.57 (6.12.57-1 Debian:13.2/stable, Debian-Security:13/stable-security [amd64])\n"
        "Conf openssl (3.5.1-1+deb13u1 Debian-Security:13/stable-security [amd64])\n"
    )
    vars(program)["output"] = lambda *_argv: said
    assert program.waiting() == ["linux-image-6.12.57 6.12.57-1", "openssl 3.5.1-1+deb13u1"]
