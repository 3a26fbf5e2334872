"""`casemate controls` and `casemate explain`: what they print of the register, and the sentence that bad input gets."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from verification import cli, evidence, register
from verification.inventory import ROOT
from verification.runner import Run
from verification.tests.conftest import a_control, a_register

Play = Callable[..., Run]
Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """The exit status of a command, what it printed and what it complained of."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(list(arguments))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def ids(text: str) -> list[str]:
    return [line.split()[0] for line in text.split("\n\n")[0].splitlines()]


def test_the_whole_register_is_listed_and_counted(said: Said) -> None:
    status, out, _ = said("controls")
    known = register.load()
    assert (status, ids(out)) == (0, list(known))
    implemented = sum(control.implemented for control in known.values())
    assert f"{len(known)} controls: {implemented} implemented (" in out
    assert f"{len(known) - implemented} planned" in out


@pytest.mark.parametrize(
    ("arguments", "holds"),
    [
        (["--area", "tls"], lambda c: c.area == "TLS"),
        (["--area", "TLS", "--area", "ban"], lambda c: c.area in ("TLS", "BAN")),
        (["--status", "planned"], lambda c: not c.implemented),
        (["--severity", "critical", "--severity", "low"], lambda c: c.severity in ("critical", "low")),
        (["--implementer", "nginx"], lambda c: "roles/nginx" in c.implemented_by),
        (["--implementer", "roles/nginx", "--implementer", "audit"], lambda c: {"roles/nginx", "app.casemate.audit"} & {*c.implemented_by}),
        (["--area", "WEB", "--text", "NONCE answer"], lambda c: c.id in ("WEB-008", "WEB-016")),
    ],
)
def test_each_filter_takes_just_what_it_says(said: Said, arguments: list[str], holds: Callable[[register.Control], bool]) -> None:
    known = register.load()
    wanted = [control.id for control in known.values() if holds(control)]
    status, out, _ = said("controls", *arguments)
    assert (status, ids(out)) == (0, wanted)
    assert f"{len(wanted)} of {len(known)} controls" in out


def test_programs_get_whole_entries(said: Said) -> None:
    _, out, _ = said("controls", "--json", "--area", "WEB")
    entries = {entry["id"]: entry for entry in json.loads(out)}
    control = register.load()["WEB-003"]
    assert len(entries) == 34
    assert (entries["WEB-003"]["why"], entries["WEB-003"]["mappings"]) == (control.why, control.mappings)
    assert entries["WEB-003"]["checks"]
    assert entries["WEB-003"]["probes"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["controls", "--area", "WBE"], "WBE is no area; there are AI (AI requests), API"),
        (["controls", "--implementer", "ngnix"], "ngnix implements no control; nearest: nginx"),
        (["explain", "WEB-035"], "WEB-035 is not in the register; WEB (Edge and headers) has WEB-001 to WEB-034"),
        (["explain", "WBE-003"], "WBE-003 is not in the register; nearest: WEB-003 (HSTS on every kind of answer"),
        (["explain", "hsts"], "nearest: WEB-003 (HSTS on every kind of answer, exactly once), WEB-004"),
        (["explain", "??"], "?? is not in the register; casemate controls lists what there is"),
    ],
)
def test_bad_input_gets_a_sentence_that_helps(said: Said, arguments: list[str], sentence: str) -> None:
    status, out, error = said(*arguments)
    assert (status, out) == (2, "")
    assert error.startswith("casemate: ")
    assert sentence in error
    assert len(error.splitlines()) == 1


def test_nothing_found_is_no_error(said: Said) -> None:
    assert said("controls", "--text", "there is no such word")[:2] == (0, f"0 of {len(register.load())} controls\n")


def test_a_control_is_explained_whole(said: Said, tmp_path: Path) -> None:
    control = register.load()["DB-004"]
    for spelling in ("DB-004", "db-4", " db 004 "):
        _, out, _ = said("explain", spelling, "--evidence", str(tmp_path))
        told = " ".join(out.split())
        for needed in (
            *(control.title, control.statement, control.why, control.corrected, *control.sources, *control.implemented_by),
            *("ASVS 5.0 12.3.2", "verification/checks/database.py:", "make probe ID=DB-004", control.mend, "no result yet: make verify"),
        ):
            assert needed in told


def test_a_planned_control_claims_nothing(said: Said, tmp_path: Path) -> None:
    planned = next(control for control in register.load().values() if not control.implemented)
    _, out, _ = said("explain", planned.id, "--evidence", str(tmp_path))
    assert "nothing is claimed of it yet" in out
    assert "checked " not in out


def test_the_last_result_is_shown_with_observed_expected_and_how_to_see_it(said: Said, play: Play, tmp_path: Path) -> None:
    run = play(
        """
        @control("WEB-001")
        def test_red(see):
            see.exactly("listening", {80, 3306}, {80}, show="ss -Hltn | grep LISTEN")
            see.exactly("name", "casemate", "casemate", show="hostname")
        """,
        controls=a_register(a_control("WEB-001")),
    )
    evidence.write(tmp_path, {"results.json": json.dumps(evidence.document(run))}, run.started)
    _, out, _ = said("explain", "WEB-001", "--evidence", str(tmp_path))
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for needed in ("failed: listening", "observed 3306, 80", "expected 80", "show me ss -Hltn | grep LISTEN", "name", "observed casemate"):
        assert needed in lines, needed
    assert "expected casemate" not in lines, "what is as expected is said once"


def test_listing_the_register_needs_no_pytest_and_no_templates() -> None:
    """It answers in well under a second; the heavy libraries would take longer than all of its work."""
    program = (
        "import sys; from verification import cli; cli.main(sys.argv[1:]); print(*({'pytest', 'jinja2'} & {*sys.modules}), file=sys.stderr)"
    )
    for arguments in (["controls"], ["explain", "WEB-001"]):
        ran = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
        assert ran.stderr == "\n"


def test_a_reader_who_has_enough_is_no_error() -> None:
    command = f"set -o pipefail; {sys.executable} -m verification.cli controls | head -n 1"
    ran = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
