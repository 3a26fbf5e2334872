"""What a host says of itself: marked as its own word, silent on what only others can see, and remembered."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from verification import attest, evidence, inventory
from verification.inventory import ROOT
from verification.words import CannotRun

DECLARED = {
    "site_name": "casemate.test",
    "site_addresses": ["192.0.2.10"],
    "profile": "baseline",
    "deviations": [{"control": "DB-014", "who": "alice", "reason": "moving", "until": "2099-01-01"}],
}


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "attest.json"
    path.write_text(json.dumps({"host": "casemate", "tiers": ["appliance", "edge", "db", "monitor"], "declared": DECLARED}))
    return path


def said(settings: Path, facts: dict[str, Any], kept: Path) -> dict[str, Any]:
    read = settings.with_name("facts.json")
    read.write_text(json.dumps(facts))
    attest.judge(settings, read, kept)
    document: dict[str, Any] = json.loads((kept / "latest" / "results.json").read_text())
    return document


def test_what_was_not_read_is_red_and_what_only_others_see_is_not_testable(settings: Path, tmp_path: Path) -> None:
    document = said(settings, {}, tmp_path / "kept")
    jsonschema.Draft202012Validator(json.loads((ROOT / "verification" / "results.schema.json").read_text())).validate(document)
    assert document["attested_by"] == attest.BY_HOST
    states = {result["control"]: (result["state"], result["reason"]) for result in document["results"]}
    assert states["DB-003"][0] == "fail"
    assert "nothing was read" in states["DB-003"][1]
    assert states["WEB-003"] == ("not_testable", attest.NOBODY_OUTSIDE)
    assert states["DB-014"][0] == "waived"
    assert states["X-06"][0] == "not_testable", "its own word cannot vouch for its own word"
    assert "BLD-009" not in states, "the repository is not on the host"


def test_what_turned_since_the_day_before_is_remembered(settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    said(settings, {"files_unused": {"value": 1}}, kept)
    for document in kept.glob("2*Z/results.json"):
        document.write_text(document.read_text().replace('"control": "DB-003"', '"control": "DB-OLD"'))
        before = json.loads(document.read_text())
        for result in before["results"]:
            if result["control"] == "DB-001":
                result["state"] = "pass"
        document.write_text(json.dumps(before))
    said(settings, {}, kept)
    assert "DB-001 was pass and is fail" in capsys.readouterr().err
    days = [json.loads(line) for line in (kept / "history.jsonl").read_text().splitlines()]
    assert [day["turned"].get("DB-001") for day in days] == [None, {"was": "pass", "is": "fail"}]


def test_whole_results_are_forgotten_after_their_time_and_the_history_is_not(settings: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    for age in (attest.DAYS - 1, attest.DAYS + 1):
        evidence.write(kept, {"results.json": "{}"}, datetime.now(UTC) - timedelta(days=age))
    said(settings, {}, kept)
    assert len(list(kept.glob("2*Z"))) == 2
    assert len((kept / "history.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", '{"host": "casemate"}'])
def test_settings_that_say_nothing_are_named_with_what_mends_them(text: str, tmp_path: Path) -> None:
    (tmp_path / "attest.json").write_text(text)
    with pytest.raises(CannotRun, match=r"attest\.json does not say what this host is .* make converge TAGS=monitoring"):
        inventory.own(tmp_path / "attest.json")


def test_facts_that_were_never_read_are_named_with_what_reads_them(settings: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match=r"systemctl start casemate-attest-read"):
        attest.judge(settings, tmp_path / "facts.json", tmp_path / "kept")
