"""What a profile's file may say, and what is told of each fault in it."""

from pathlib import Path

import pytest

from verification import expectations
from verification.words import CannotRun

BASELINE = "hsts: {stage: 4, stages: {1: short}}\nheaders: {x-frame-options: DENY}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "baseline").mkdir()
    (tmp_path / "profile").mkdir()
    (tmp_path / "baseline" / "edge.yml").write_text(BASELINE)
    return tmp_path


def mild(folder: Path, text: str) -> list[dict[str, object]]:
    (folder / "profile" / "mild.yml").write_text(text)
    return expectations.differences("mild", folder)


def test_each_difference_has_both_values_and_the_reason(folder: Path) -> None:
    found = mild(folder, "reasons: {hsts.stage: labs end}\nhsts: {stage: 1}")
    assert found == [{"what": "hsts.stage", "baseline": 4, "here": 1, "why": "labs end"}]
    assert expectations.differences("baseline", folder) == []
    assert expectations.load("mild", {}, folder)["hsts"] == {"stage": 1, "stages": {1: "short"}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("reasons: {}\nhsts: {stage: 1}", "mild.yml changes hsts.stage and gives no reason"),
        ("reasons: {hsts.stage: ''}\nhsts: {stage: 1}", "mild.yml changes hsts.stage and gives no reason"),
        ("reasons: {hsts.stage: labs end}", "mild.yml gives a reason for hsts.stage and changes nothing there"),
        ("reasons: {hsts.stge: labs end}\nhsts: {stge: 1}", "mild.yml changes hsts.stge, of which baseline knows nothing"),
        ("hsts: {stage: 1}", "mild.yml has no `reasons`"),
        ("", "mild.yml has no `reasons`"),
    ],
)
def test_a_fault_is_named(folder: Path, text: str, sentence: str) -> None:
    with pytest.raises(CannotRun, match=sentence.replace(".", r"\.")):
        mild(folder, text)


def test_an_unknown_profile_is_named_with_those_that_are(folder: Path) -> None:
    mild(folder, "reasons: {}")
    with pytest.raises(CannotRun, match="names the profile 'lax'; there are expectations for: baseline, mild"):
        expectations.load("lax", {}, folder)
