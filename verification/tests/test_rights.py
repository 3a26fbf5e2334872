"""HOST-004: the programs that lend rights are an exact set, each with its owner, group and mode."""

import os
from pathlib import Path

import pytest

from verification import expectations
from verification.checks import rights
from verification.host import Facts
from verification.remote import rights as reading
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import State

EXPECTED = expectations.load("baseline", {})
GOOD: dict[str, str] = EXPECTED["lends_rights"]["always"]


def states(seen: dict[str, str]) -> set[State]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.inside = Facts({"borrowed_rights": {"value": seen}})
    rights.test_exactly_these_programs_lend_rights_to_whoever_calls_them(host, see, EXPECTED)
    return {observation.state for observation in see.observations}


def test_what_is_expected_passes_with_and_without_what_may_be_there() -> None:
    assert states(GOOD) == {State.PASS}
    assert states(GOOD | {"/usr/bin/crontab": "root:crontab 2755"}) == {State.PASS}


@pytest.mark.parametrize(
    "more",
    [
        {"/usr/bin/chfn": "root:root 4755"},
        {"/tmp/.sh": "root:root 4755"},  # noqa: S108
        {"/usr/bin/crontab": "root:root 4755"},
        {"/usr/bin/python3.13": "root:root 0755 capabilities 0100000280000000"},
        {"/usr/bin/sudo": "root:root 4777"},
    ],
)
def test_one_more_or_another_mode_is_red(more: dict[str, str]) -> None:
    assert states(GOOD | more) == {State.FAIL}


def test_one_that_is_missing_is_red() -> None:
    assert states({path: mode for path, mode in GOOD.items() if path != "/usr/bin/passwd"}) == {State.FAIL}


def test_a_program_with_set_user_id_is_found_and_a_plain_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, mode in (("plain", 0o755), ("lends", 0o4755), ("a name\nof two lines", 0o2755)):
        (tmp_path / name).touch()
        os.chmod(tmp_path / name, mode)
    monkeypatch.setattr(reading, "_file_systems", lambda: [str(tmp_path)])
    found = reading.borrowed_rights({})
    assert {Path(path).name: rights.split()[1] for path, rights in found.items()} == {"lends": "4755", "a name\nof two lines": "2755"}


def test_file_systems_on_which_the_kernel_heeds_such_bits_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "2 1 0:5 / /proc rw,relatime - proc proc rw\n"
        "3 1 0:6 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw\n"
        "4 1 8:2 / /srv/two\\040words rw,noatime - xfs /dev/sdb rw\n"
    )
    monkeypatch.setattr(Path, "read_text", lambda *_: lines)
    assert reading._file_systems() == ["/", "/srv/two words"]
