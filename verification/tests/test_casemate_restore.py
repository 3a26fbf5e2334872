"""What a host does of its restore: whose lines of the audit log go where, and which keys open which files."""

import errno
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BEFORE = "before-restore-20261123T114425Z"


@pytest.fixture
def restore(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host_program: Callable[[str], ModuleType]) -> Any:
    module = host_program("files/backup/casemate-restore")
    (tmp_path / "machine-id").write_text("0123\n")
    monkeypatch.setattr(module, "MACHINE", tmp_path / "machine-id")
    monkeypatch.setattr(module, "JOURNALS", tmp_path)
    return module


def test_the_lines_of_before_are_kept_in_a_journal_of_their_own(
    restore: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(restore, "run", lambda *command, hint: ran.append(command))
    (tmp_path / "0123.casemate-audit").mkdir()
    (tmp_path / "0123.casemate-audit" / "system.journal").write_text("a line")
    restore.set_audit_lines_aside(BEFORE)
    assert (tmp_path / f"0123.casemate-audit-{BEFORE}" / "system.journal").read_text() == "a line"
    assert not (tmp_path / "0123.casemate-audit").exists()
    assert ran == [("systemctl", "stop", "systemd-journald@casemate-audit.service")]
    assert f"journalctl --namespace=casemate-audit-{BEFORE}" in capsys.readouterr().out


def test_a_host_that_told_nothing_yet_has_nothing_to_keep(restore: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "run", lambda *command, hint: pytest.fail(f"{command} was run"))
    restore.set_audit_lines_aside(BEFORE)
    assert [path.name for path in tmp_path.iterdir()] == ["machine-id"]


OURS, THEIRS = "sealed by this host: 1;aa", "1;bb\n2;bb\n3;bb"
MANIFEST = {"taken_at": "2026-11-23T02:00:00Z", "tables": {"casemate.accounts_user": 2}, "heads": {}}


@pytest.fixture
def received(restore: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[tuple[str, ...]]]:
    """A database that has come, with so many people in it; what is run with it, and what the keys were sealed from."""
    for name, folder in {"DATABASE": "mysql", "ARRIVING": "mysql.arriving"}.items():
        monkeypatch.setattr(restore, name, tmp_path / folder)
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ibdata1").write_text(folder)
    monkeypatch.setattr(restore, "SEALED", tmp_path / "credstore" / restore.CREDENTIAL)
    restore.SEALED.parent.mkdir()
    restore.SEALED.write_text(OURS)

    def with_people(people: int) -> list[tuple[str, ...]]:
        ran: list[tuple[str, ...]] = []

        def run(*command: str, hint: str, text: str | None = None) -> str:
            ran.append(command)
            if command[0].endswith("casemate-credentials"):
                restore.SEALED.write_text(f"sealed by this host: {text}")
            return ""

        monkeypatch.setattr(restore, "run", run)
        monkeypatch.setattr(restore, "sql", lambda statement: [str(people)] if "COUNT" in statement else [])
        return ran

    return with_people


def test_the_keys_of_the_files_come_with_the_files_and_the_old_ones_stay_with_theirs(
    restore: Any, received: Callable[[int], list[tuple[str, ...]]]
) -> None:
    ran = received(2)
    restore.swap(MANIFEST, THEIRS)
    assert (restore.DATABASE / "ibdata1").read_text() == "mysql.arriving"
    assert restore.SEALED.read_text() == f"sealed by this host: {THEIRS}"
    (kept,) = restore.DATABASE.parent.glob("mysql.before-restore-*")
    assert ((kept / "ibdata1").read_text(), (kept / restore.CREDENTIAL).read_text()) == ("mysql", OURS)
    sealed = ("/usr/local/sbin/casemate-credentials", "set", restore.CREDENTIAL)
    assert ran.index(sealed) < ran.index(("systemctl", "start", "mariadb.service"))


def test_where_a_row_is_missing_the_old_database_is_back_with_its_own_keys(
    restore: Any, received: Callable[[int], list[tuple[str, ...]]]
) -> None:
    received(1)
    with pytest.raises(restore.Refused, match=r"1 rows, 2 in the backup.*The database from before is back"):
        restore.swap(MANIFEST, THEIRS)
    assert (restore.DATABASE / "ibdata1").read_text() == "mysql"
    assert restore.SEALED.read_text() == OURS
    assert [path.name for path in restore.DATABASE.iterdir()] == ["ibdata1"]


def test_a_disk_that_is_full_by_then_stops_nothing(
    restore: Any, received: Callable[[int], list[tuple[str, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: Path, target: Path) -> None:
        target.write_text("the first half")
        raise OSError(errno.ENOSPC, "No space left on device")

    ran = received(2)
    monkeypatch.setattr(restore.shutil, "copy2", full)
    with pytest.raises(restore.Refused, match=r"No space left on device.*Nothing was changed"):
        restore.swap(MANIFEST, THEIRS)
    assert ran == []
    assert [path.name for path in restore.DATABASE.iterdir()] == ["ibdata1"]


def test_a_backup_from_before_the_encryption_gets_this_hosts_keys(restore: Any, received: Callable[[int], list[tuple[str, ...]]]) -> None:
    ran = received(2)
    restore.swap(MANIFEST, "")
    assert restore.SEALED.read_text() == OURS
    assert not any("casemate-credentials" in command[0] for command in ran)


def test_a_restore_that_was_told_no_keys_at_all_is_refused(
    restore: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["casemate-restore", "swap"])
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(MANIFEST)))
    assert restore.main() == 1
    assert "The database is as it was" in capsys.readouterr().err
