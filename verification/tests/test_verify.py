"""`casemate verify` from its arguments to its last line, on a host of the test's own making."""

from collections.abc import Callable
from pathlib import Path

import pytest

from verification import cli, inventory, signing
from verification.commands import about_hosts
from verification.host import Facts
from verification.inventory import Inventory
from verification.runner import Run
from verification.tests.conftest import Stage, an_inventory

Play = Callable[..., Run]
GREEN = '@control("TST-001")\ndef test_green(see):\n    see.exactly("answer", 1, 1)\n'


@pytest.fixture
def arguments(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command that finds one host on which one control holds."""
    run = play(GREEN)

    class OnStage(Stage):
        def __post_init__(self) -> None:
            super().__post_init__()
            package = {"name": "nginx", "version": "1.26.3-3", "architecture": "amd64", "source": "nginx"}
            self.hosts[0].inside = Facts({"debian_packages": {"value": [package]}})

    def read(*_: object) -> Inventory:
        return an_inventory()

    monkeypatch.setenv("HOME", str(tmp_path / "alice"))
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(inventory, "read", read)
    monkeypatch.setattr(about_hosts, "Session", OnStage)
    monkeypatch.setattr(about_hosts, "run_checks", lambda *_, **__: run)
    return ["verify", "--evidence", str(tmp_path / "evidence")]


def test_it_writes_every_form_signed_and_names_the_folder_last(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(arguments) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("evidence: ")
    assert last.endswith("/ results.json, report.html, junit.xml, results.sarif, oscal-*.json, sbom-*.json; signed")
    folder = tmp_path / "evidence" / "latest"
    assert "pkg:deb/debian/nginx@1.26.3-3" in (folder / "sbom-stage.cdx.json").read_text()
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert cli.main(["evidence", "verify", str(folder)]) == 0


def test_a_key_that_is_not_there_is_said_before_any_host_is_asked(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(about_hosts, "Session", None)
    assert cli.main([*arguments, "--sign-with", "nowhere"]) == 2
    assert "--sign-with names nowhere, which is no file" in capsys.readouterr().err


def test_what_was_found_is_not_lost_for_a_key_that_cannot_sign(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "broken").write_text("no key at all")
    assert cli.main([*arguments, "--sign-with", str(tmp_path / "broken")]) == 2
    said = capsys.readouterr()
    assert "score 100 %" in said.out
    assert said.out.splitlines()[-1].endswith("; NOT signed")
    assert "ssh-keygen could not sign with" in said.err
    folder = tmp_path / "evidence" / "latest"
    assert (folder / "results.json").is_file()
    assert not (folder / signing.SIGNATURE).exists()
