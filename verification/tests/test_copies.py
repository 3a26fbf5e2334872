"""Probes of the repository: what they copy, what they call proved, and that the checkout itself is never touched."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from verification import cli, copies, marks, register
from verification.breaking import edit
from verification.copies import Copy, a_copy
from verification.inventory import ROOT
from verification.marks import Probe
from verification.probing import Outcome
from verification.words import CannotRun, Result, State

LOCK = "app/requirements/runtime.txt"


def break_the_lock(repository: Path) -> None:
    """And leaves a file behind, in which its check stumbles as long as it is there."""
    edit(repository / LOCK, "--hash=sha256:", "--hash=md5:")
    (repository / "verification" / "checks" / "left_over.py").write_text("assert 'md5' in open('app/requirements/runtime.txt').read()")


def nothing(_repository: Path) -> None:
    """A probe that breaks nothing."""


def break_the_check_itself(repository: Path) -> None:
    (repository / LOCK).unlink()


def a_probe(function: Callable[[Path], None]) -> Probe:
    return Probe("BLD-009", function)


def test_green_red_and_green_with_its_files_back_is_proved() -> None:
    before = (ROOT / LOCK).read_bytes()
    outcome = copies.outcome_of(a_probe(break_the_lock))
    assert outcome.proved, outcome.fault
    assert (outcome.before, outcome.broken, outcome.mended, outcome.host) == ("pass", "fail", "pass", "repo")
    assert "without a version and a hash" in outcome.turned_red_by
    assert (ROOT / LOCK).read_bytes() == before


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (nothing, "not red after it was broken"),
        (break_the_check_itself, "red only because nothing could be observed: FileNotFoundError"),
        (lambda repository: edit(repository / LOCK, "no such line", ""), "runtime.txt does not have 'no such line'"),
    ],
)
def test_a_probe_that_shows_nothing_is_not_called_proved(function: Callable[[Path], None], said: str) -> None:
    outcome = copies.outcome_of(a_probe(function))
    assert not outcome.proved
    assert outcome.fault.startswith(said)


def test_a_check_that_is_red_before_is_not_broken_further(monkeypatch: pytest.MonkeyPatch) -> None:
    broken: list[Path] = []
    monkeypatch.setattr(Copy, "look", lambda _copy, control: Result(control, "repo"))
    outcome = copies.outcome_of(a_probe(broken.append))
    assert (outcome.fault.partition(":")[0], broken) == ("not green before", [])


def test_a_copy_has_what_git_has_and_none_of_the_keys_and_results_that_lie_about(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    for name in (".gitignore", "README.md", ".lab/release_key", "evidence/results.json", "vault_password", "verification/checks/new.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(".lab\n" if name == ".gitignore" else "")
    subprocess.run(["git", "-C", str(tmp_path), "add", ".gitignore", "README.md"], check=True)
    assert sorted(copies.checkout(tmp_path)) == [".gitignore", "README.md", "verification/checks/new.py"]
    (tmp_path / "README.md").unlink()
    assert "README.md" not in copies.checkout(tmp_path), "what somebody removed and has not committed yet"


def test_a_folder_that_git_does_not_know_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(CannotRun, match="copies what git knows of it"):
        copies.checkout(tmp_path)


def test_the_code_of_the_copy_is_what_runs() -> None:
    with a_copy() as copy:
        assert copy.root.stat().st_mode & 0o077 == 0, "for its owner alone"
        text = "raise SystemExit('this is the copy')\n"
        (copy.root / "verification" / "looking.py").write_text(text)
        with pytest.raises(CannotRun, match="this is the copy"):
            copy.look("BLD-009")
    assert not copy.root.exists()


def test_a_look_that_saw_another_checkout_is_refused() -> None:
    with a_copy() as copy:
        elsewhere = json.dumps({"root": str(ROOT), "observations": []})
        (copy.root / "verification" / "looking.py").write_text(f"print({elsewhere!r})\n")
        with pytest.raises(CannotRun, match="and not the copy"):
            copy.look("BLD-009")


def test_what_says_nothing_is_refused_in_a_sentence() -> None:
    with a_copy() as copy:
        (copy.root / "verification" / "looking.py").write_text("")
        with pytest.raises(CannotRun, match="said nothing that can be read"):
            copy.look("BLD-009")


def test_every_probe_of_the_repository_finds_what_it_breaks() -> None:
    """Whether that turns the check red, `casemate probe` shows: here it is seen early that a text has changed under a probe."""
    controls = register.load()
    with a_copy() as copy:
        whole = {copy.root / name: (ROOT / name).read_bytes() for name in copies.checkout(ROOT)}
        for probe in [probe for found in marks.load().probes.values() for probe in found if controls[probe.control].of_the_repository]:
            probe.function(copy.root)
            broken = [path for path, content in whole.items() if path.read_bytes() != content]
            assert len(broken) == 1, f"{probe.control} {probe.sentence}"
            broken[0].write_bytes(whole[broken[0]])


def test_no_check_is_no_pass() -> None:
    with a_copy() as copy:
        assert copy.look("X-99").state is State.FAIL


@pytest.mark.parametrize("arguments", [["WEB-003"], ["X-05", "WEB-003"], ["--all"], []])
def test_what_breaks_a_host_asks_for_one(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["probe", *arguments, "--evidence", str(tmp_path)]) == 2
    assert "name it with --host" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["", "not red after it was broken"])
def test_a_control_of_the_repository_is_probed_without_a_host(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(marks.load().probes, "BLD-009", [a_probe(nothing)])
    monkeypatch.setattr(copies, "outcome_of", lambda probe: Outcome(probe, "repo", "pass", "fail", "it", "pass", fault))
    assert cli.main(["probe", "bld-9", "--evidence", str(tmp_path)]) == (1 if fault else 0)
    assert f"{0 if fault else 1} of 1 probes proved" in capsys.readouterr().out
    (record,) = tmp_path.glob("*/probes.json")
    assert json.loads(record.read_text())["host"] == "repo"


def test_a_sample_has_a_probe_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = {control.id for control in register.load().values() if control.of_the_repository and control.implemented}
    assert cli.main(["probe", "--sample", "0", "--evidence", str(tmp_path)]) == 2
    assert here & {*capsys.readouterr().out.partition(": ")[2].strip().split(", ")}


def test_why_there_is_no_probe_stands_in_the_report_and_in_the_explanation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = "A lamp that was switched off cannot be broken further."
    known = register.load()
    monkeypatch.setattr(register, "load", lambda: {**known, "BLD-009": replace(known["BLD-009"], without_probe=reason)})
    monkeypatch.setitem(marks.load().probes, "BLD-009", [])
    assert cli.main(["explain", "BLD-009", "--evidence", str(tmp_path)]) == 0
    assert reason in " ".join(capsys.readouterr().out.split())
