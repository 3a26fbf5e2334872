"""The verifier itself: what it makes of an exception, of a check that saw nothing, and of a register with holes."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from verification import inventory
from verification.breaking import edit
from verification.marks import control, probe
from verification.rehearsal import a_control, a_register, an_inventory, rehearse
from verification.witness import Witness
from verification.words import CannotRun, Waiver

if TYPE_CHECKING:
    from verification.runner import Run

RED = """
@control("{0}")
def test_{1}(see):
    see.exactly("answer", 41, 42)
"""
GREEN = RED.replace("41", "42")


def a_check(control: str, text: str = RED) -> str:
    return text.format(control, control.lower().replace("-", "_"))


def states(run: "Run") -> dict[str, str]:
    return {result.control: result.state.value for result in run.results}


def taken(*deviations: dict[str, Any]) -> list[dict[str, str]] | str:
    """What the verifier makes of the deviations in a declared.yml: each as it took it, or `refused`."""
    with tempfile.TemporaryDirectory(prefix="casemate-declared-") as folder:
        path = Path(folder) / "declared.yml"
        path.write_text(yaml.safe_dump({"site_name": "casemate.test", "deviations": list(deviations)}))
        try:
            return [vars(waiver) for waiver in inventory.waivers(inventory.declaration(path, {}))]
        except CannotRun:
            return "refused"


@control("X-05")
def test_a_deviation_without_a_name_a_reason_or_a_last_day_is_refused(see: Witness) -> None:
    whole = {"control": "TST-001", "who": "alice", "reason": "old scanners", "until": "2999-01-31"}
    show = "pytest -q verification/tests/test_register.py -k deviation"
    see.exactly("a whole deviation", taken(whole), [whole], show=show)
    for field in whole:
        without = {name: value for name, value in whole.items() if name != field}
        see.exactly(f"a deviation without `{field}`", taken(without), "refused", show=show)
        see.exactly(f"a deviation whose `{field}` is empty", taken({**whole, field: ""}), "refused", show=show)
    for day in ("soon", "2999-02-30", "never"):
        see.exactly(f"a deviation that ends on `{day}`", taken({**whole, "until": day}), "refused", show=show)


@control("X-05")
def test_a_deviation_excuses_to_its_last_day_and_is_a_failure_from_the_next(see: Witness) -> None:
    today = datetime.now(UTC).date()
    days = {"TST-001": -1, "TST-002": 0, "TST-003": 1, "TST-004": -1}
    declared = taken(
        *(
            {"control": name, "who": "alice", "reason": "old scanners", "until": (today + timedelta(days=days[name])).isoformat()}
            for name in days
        )
    )
    waivers = [Waiver(**entry) for entry in declared] if isinstance(declared, list) else []
    checks = "".join(a_check(name, GREEN if name == "TST-004" else RED) for name in days)
    run = rehearse(checks, controls=a_register(*map(a_control, days)), inventory=an_inventory(*waivers))
    expected = {"TST-001": "fail", "TST-002": "waived", "TST-003": "waived", "TST-004": "fail"}
    show = "pytest -q verification/tests/test_states.py -k waiver"
    see.exactly("a failure that ended yesterday, ends today, ends tomorrow; a pass whose deviation ended", states(run), expected, show=show)
    see.exactly("faults by an ended deviation", sorted(problem.partition(":")[0] for problem in run.problems), ["TST-001", "TST-004"])
    told = [result.reason for result in run.results if result.control == "TST-003"]
    see.exactly("what is told of one that lasts", told, [f"alice: old scanners (until {today + timedelta(days=1)})"], show=show)


@probe("X-05")
def a_maintainer_lets_a_deviation_last_until_somebody_takes_it_out(repository: Path) -> None:
    edit(repository / "verification/inventory.py", "return today > date.fromisoformat(waiver.until)", "return False")


@probe("X-05")
def a_maintainer_asks_for_the_field_and_no_longer_for_what_is_in_it(repository: Path) -> None:
    edit(repository / "verification/inventory.py", "if not entry.get(key)]", "if key not in entry]")


HOLLOW = """
import pytest

@control("TST-001")
def test_empty(): pass

@control("TST-002")
def test_broken(see):
    see.exactly("answer", 42, 42)
    raise RuntimeError("a mistake of its author")

@control("TST-003")
def test_blind(host, see):
    see.exactly("listening", host.inside["listeners"], [])

@control("TST-004")
def test_skipped(see): pytest.skip("not today")

@pytest.mark.skip
@control("TST-005")
def test_switched_off(see): see.exactly("answer", 42, 42)

@pytest.mark.xfail
@control("TST-006")
def test_known_to_fail(see): assert False

@control("TST-007", active=True)
def test_held_back(see): see.exactly("answer", 42, 42)

@control("TST-008")
def test_not_here(see): raise NotTestable("no such kernel here")

@control("TST-009")
def test_it_looks(host, see): see.exactly("listening", host.inside["ports"], [443])
"""
BECOMES = {
    **dict.fromkeys(("TST-001", "TST-002", "TST-003", "TST-004", "TST-005", "TST-006"), "fail"),
    "TST-007": "not_testable",
    "TST-008": "not_testable",
    "TST-009": "pass",
    "TST-010": "fail",
}


@control("X-04")
def test_a_check_that_saw_nothing_is_never_green(see: Witness) -> None:
    controls = a_register(*map(a_control, BECOMES))
    run = rehearse(HOLLOW, controls=controls, facts={"ports": [443]})
    show = "pytest -q verification/tests/test_states.py"
    told = "empty, broken, blind, skipped, switched off, known to fail; active, not here; one that looks; without a check"
    see.exactly(told, states(run), BECOMES, show=show)
    see.exactly("score of these", run.score, 1 / 8, show=show)
    see.exactly("reason of what cannot be shown here", reason(run, "TST-008"), "no such kernel here", show=show)
    see.exactly("faults by name", run.problems, ["TST-010 is implemented and has no check"], show=show)


@control("X-04")
def test_checks_that_cannot_be_loaded_end_the_run_before_anything_is_judged(see: Witness) -> None:
    try:
        outcome = str(states(rehearse(GREEN.format("TST-001", "green") + "import no_such_module\n")))
    except CannotRun as error:
        outcome = str(error).partition(":")[0]
    see.exactly("a module of checks with a mistake", outcome, "the checks could not be loaded", show="casemate verify; echo $?")


def reason(run: "Run", control: str) -> str:
    return next((result.reason for result in run.results if result.control == control), "")


@probe("X-04")
def a_maintainer_is_tired_of_empty_checks_and_lets_them_pass(repository: Path) -> None:
    old = 'result.observations.append(_failure(f"`{case.check.sentence}` made no observation"))'
    edit(repository / "verification/runner.py", old, "result.observations.append(Observation(case.check.sentence, State.PASS))")


@probe("X-04")
def what_could_not_be_read_is_reported_as_not_testable(repository: Path) -> None:
    old = 'State.FAIL, reason=f"could not be observed: {error}"'
    edit(repository / "verification/runner.py", old, old.replace("FAIL", "NOT_TESTABLE"))


@probe("X-04")
def a_control_without_a_check_is_left_out_of_the_results(repository: Path) -> None:
    edit(repository / "verification/runner.py", 'run.problems.append(f"{control.id} is implemented and has no check")', "continue")


@probe("X-04")
def modules_that_do_not_load_are_left_out_of_the_run(repository: Path) -> None:
    edit(repository / "verification/runner.py", "self.broken.append(str(report.longrepr))", "pass")
