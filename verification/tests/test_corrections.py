"""The errors of the sources: all of them decided, none against the register, and each told where its control is explained."""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from verification import cli, corrections, register
from verification.words import CannotRun

ALL = 118  # the list of errors that was made when the three sources were read


def test_every_error_of_the_sources_is_decided() -> None:
    found = corrections.load(register.load())
    assert [correction.id for correction in found] == [f"E-{number:03}" for number in range(1, ALL + 1)]
    assert Counter(correction.status for correction in found).keys() == {"built", "planned", "not_taken"}


def test_each_has_words_of_its_own() -> None:
    found = corrections.load(register.load())
    for name in ("says", "right", "instead", "why"):
        texts = [getattr(correction, name) for correction in found]
        assert sorted({text for text in texts if texts.count(text) > 1}) == [], name


def test_a_source_is_named_as_the_register_names_it() -> None:
    controls = register.load()
    titles = {source.partition(":")[0] for control in controls.values() for source in control.sources}
    named = {source.partition(":")[0] for correction in corrections.load(controls) for source in correction.sources}
    assert named - titles == {"The first plan of this project"}


def test_an_implemented_control_does_not_hold_what_is_still_planned() -> None:
    """Each exception is a control that claims less than the correction asks for: what is missing is named in its `instead`."""
    controls = register.load()
    planned = [correction for correction in corrections.load(controls) if correction.status == "planned"]
    held = {correction.id: [name for name in correction.controls if controls[name].implemented] for correction in planned}
    assert {identifier: names for identifier, names in held.items() if names} == {
        "E-039": ["APP-014"],  # the order; the locale comes with UI-013's languages
        "E-049": ["BKP-003"],  # encrypted and drilled; not yet by a timer
        "E-077": ["AUTH-006"],  # the list, and what is padded; the breach list is AUTH-008's
        "E-118": ["WEB-001"],  # there is no API to refuse
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda entries: entries[0].pop("instead"), "E-001: 'instead' is a required property"),
        (lambda entries: entries[0].update(status="done"), "E-001: 'done' is not one of"),
        (lambda entries: entries[0].update(controls=["WEB-999"]), "E-001: WEB-999 is not in the register"),
        (lambda entries: entries[0].update(controls=["WEB-027"]), "E-001: WEB-027 has no `corrected` text"),
        (lambda entries: entries[0].update(controls=[]), "E-001: "),
        (lambda entries: entries[0].update(status="not_taken"), "E-001: 'reason' is a required property"),
        (lambda entries: entries[0].update(reason="It was built, so there is nothing to excuse."), "E-001: "),
        (lambda entries: entries.pop(1), "E-003: ids run from E-001 without a gap"),
        (lambda entries: entries.append(entries[-1]), "E-118: ids run from E-001 without a gap, each once"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, change: Callable[[list[dict[str, Any]]], Any], said: str) -> None:
    for path in register.CONTROLS.glob("corrections.*"):
        shutil.copy(path, tmp_path)
    entries = yaml.safe_load((tmp_path / register.CORRECTIONS).read_text())
    change(entries)
    (tmp_path / register.CORRECTIONS).write_text(yaml.safe_dump(entries))
    with pytest.raises(CannotRun, match=said):
        corrections.load(register.load(), tmp_path)


def test_a_control_that_no_source_asks_for_needs_no_corrected_text() -> None:
    controls = register.load()
    assert controls["X-13"].sources == (corrections.OURS,)
    silent = {**controls, "X-13": replace(controls["X-13"], corrected="")}
    assert len(corrections.load(silent)) == ALL


@pytest.mark.parametrize(("control", "errors"), [("WEB-024", ["E-012", "E-013"]), ("X-13", ["E-065"]), ("WEB-002", [])])
def test_a_control_is_explained_with_the_errors_behind_it(
    control: str, errors: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["explain", control, "--evidence", str(tmp_path)]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip().startswith("E-")] == errors
