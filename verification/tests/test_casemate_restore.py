"""What a host does of its restore: whose lines of the audit log go where."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from verification.inventory import ROOT

BEFORE = "before-restore-20261123T114425Z"


@pytest.fixture
def restore(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    loader = importlib.machinery.SourceFileLoader("casemate_restore", str(ROOT / "files/backup/casemate-restore"))
    spec = importlib.util.spec_from_loader("casemate_restore", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
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
