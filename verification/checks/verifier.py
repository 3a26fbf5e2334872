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
