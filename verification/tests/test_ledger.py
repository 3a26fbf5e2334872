"""The ledger of what was seen red: of just the text that was, and only from what a campaign truly proved."""

import json
from pathlib import Path
from typing import Any

import pytest

from verification import cli, ledger, making, marks, register
from verification.marks import Check, Marked, Probe
from verification.tests.conftest import a_control, a_register
from verification.words import CannotRun


def look_at_ports(see: Any) -> None:
    see.exactly("ports", {80, 443}, {80, 443})


def the_port_is_opened(host: Any) -> None:
    host.sudo("nft flush ruleset")


def marked(check: Any = look_at_ports) -> Marked:
    return Marked(
        {"TST-001": [Check("TST-001", check)]},
        {"TST-001": [Probe("TST-001", the_port_is_opened)], "TST-002": [Probe("TST-002", the_port_is_opened)]},
    )


CONTROLS = a_register(a_control(), a_control("TST-002", applies_to="repo"), a_control("TST-003", status="planned"))
WANTED = ledger.expected(CONTROLS, marked())
(KEY,) = WANTED
MADE_OF = making.digest(CONTROLS["TST-001"])


def a_campaign(folder: Path, **changed: Any) -> Path:
    entry = {"control": KEY[0], "probe": KEY[1], "proved": True, "digest": WANTED[KEY], "made_of": MADE_OF, **changed}
    path = folder / "probes.json"
    path.write_text(json.dumps({"started": "2026-11-22T18:00:00Z", "probes": [entry]}))
    return path


def test_only_probes_of_hosts_are_asked_for() -> None:
    assert list(WANTED) == [("TST-001", "the port is opened")]


def test_what_was_proved_is_kept_with_its_day(tmp_path: Path) -> None:
    path = tmp_path / "seen-red.json"
    assert ledger.take(a_campaign(tmp_path), WANTED, path) == (1, [])
    assert json.loads(path.read_text()) == [
        {"control": "TST-001", "probe": "the port is opened", "digest": WANTED[KEY], "made_of": MADE_OF, "seen": "2026-11-22"},
    ]
    assert ledger.seen(path) == WANTED


def test_a_check_that_was_altered_is_another_one_and_its_marks_are_not_looked_at() -> None:
    def relaxed(see: Any) -> None:
        see.one_of("ports", {80, 443}, {80, 443})

    assert ledger.expected(CONTROLS, marked(relaxed)) != WANTED
    other = Marked(marked().checks, {"TST-001": [Probe("TST-001", the_port_is_opened, frozenset({"nft"}), frozenset({"HOST"}))]})
    assert ledger.expected(CONTROLS, other) == WANTED


def test_what_holds_by_other_files_than_when_it_was_proved_is_known(tmp_path: Path) -> None:
    path = tmp_path / "seen-red.json"
    assert ledger.made_otherwise(CONTROLS, path) == frozenset()
    ledger.take(a_campaign(tmp_path), WANTED, path)
    assert ledger.made_otherwise(CONTROLS, path) == frozenset()
    ledger.take(a_campaign(tmp_path, made_of="0" * 16), WANTED, path)
    assert ledger.made_otherwise(CONTROLS, path) == {"TST-001"}


def test_what_was_not_proved_is_not_taken(tmp_path: Path) -> None:
    assert ledger.take(a_campaign(tmp_path, proved=False), WANTED, tmp_path / "seen-red.json") == (0, ["TST-001"])


def test_a_campaign_of_another_text_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "seen-red.json"
    ledger.take(a_campaign(tmp_path), WANTED, path)
    before = path.read_text()
    with pytest.raises(CannotRun, match="is of other checks or probes than these: TST-001; run make probe again"):
        ledger.take(a_campaign(tmp_path, digest="0" * 16), WANTED, path)
    assert path.read_text() == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"started": "2026-11-22T18:00:00Z"}'])
def test_a_file_that_is_no_evidence_is_named(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "probes.json").write_text(text)
    assert cli.main(["seen-red", str(tmp_path / "probes.json")]) == 2
    assert f"{tmp_path}/probes.json is no evidence of probes" in capsys.readouterr().err


def test_a_broken_ledger_is_named_and_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "seen-red.json"
    path.write_text("[{}")
    with pytest.raises(CannotRun, match=r"seen-red\.json is broken .* take it from git again"):
        ledger.take(a_campaign(tmp_path), WANTED, path)
    assert path.read_text() == "[{}"


def test_every_probe_that_there_is_has_a_text_of_its_own() -> None:
    known, found = register.load(), marks.load()
    digests = ledger.expected(known, found)
    assert len(digests) == len(set(digests.values()))
