"""Profiles: data beside the baseline, with a reason for each difference, and none of them a way to pass what is not there."""

import tempfile
from pathlib import Path
from typing import Any

import yaml

from verification import evidence, expectations
from verification.breaking import edit
from verification.marks import control, probe
from verification.register import load
from verification.rehearsal import a_control, a_register, an_inventory, rehearse
from verification.witness import Witness
from verification.words import CannotRun

# What may not stand in a profile's file, each with an example.
FAULTS = {
    "a change without a reason": "reasons: {}\nhsts: {stage: 1}",
    "a reason that is empty": "reasons: {hsts.stage: ''}\nhsts: {stage: 1}",
    "a reason without a change": "reasons: {hsts.stage: short}",
    "a change of what nobody expects": "reasons: {hsts.stges: short}\nhsts: {stges: 1}",
}
TWO = """
@control("TST-001")
def test_usual(see):
    see.exactly("answer", 42, 42)

@control("TST-002")
def test_asked_for_by_strict(see):
    see.exactly("answer", 42, 42)
"""


def taken(text: str) -> Any:
    """What the verifier makes of a profile beside the true baseline: its differences, or `refused`."""
    with tempfile.TemporaryDirectory(prefix="casemate-profile-") as place:
        folder = Path(place)
        (folder / "profile").mkdir()
        (folder / "baseline").symlink_to(expectations.EXPECTED / "baseline")
        (folder / "profile" / "mild.yml").write_text(text)
        try:
            return expectations.differences("mild", folder)
        except CannotRun:
            return "refused"


@control("X-38")
def test_a_profile_is_data_with_a_reason_for_each_difference(see: Witness) -> None:
    show = "pytest -q verification/tests/test_profiles.py"
    see.exactly("profiles", expectations.profiles(), ["baseline", "lab", "strict"], show="ls verification/expected/profile")
    see.exactly("profiles in which controls hold", {control.profile for control in load().values()} - {"strict"}, {"baseline"})
    for profile in ("lab", "strict"):
        written = yaml.safe_load((expectations.EXPECTED / "profile" / f"{profile}.yml").read_text())
        changed = dict(expectations.leaves({key: value for key, value in written.items() if key != "reasons"}))
        told = expectations.differences(profile)
        see.exactly(
            f"what {profile} changes, told with a reason", {entry["what"]: entry["here"] for entry in told if entry["why"]}, changed
        )
        see.exactly(f"what {profile} only repeats", [entry["what"] for entry in told if entry["here"] == entry["baseline"]], [])
    see.exactly("a whole profile", len(taken("reasons: {hsts.stage: short}\nhsts: {stage: 1}")), 1, show=show)
    for fault, text in FAULTS.items():
        see.exactly(fault, taken(text), "refused", show=show)


@control("X-38")
def test_what_a_profile_asks_otherwise_is_told_by_name_and_never_passed(see: Witness) -> None:
    controls = a_register(a_control(), a_control("TST-002", profile="strict"))
    states = {}
    for profile in ("lab", "baseline", "strict"):
        run = rehearse(TWO, controls=controls, inventory=an_inventory(profile=profile))
        states[profile] = {result.control: result.state.value for result in run.results}
    apart = {"TST-001": "pass", "TST-002": "not_applicable"}
    both = dict.fromkeys(apart, "pass")
    see.exactly("a usual control and one of strict, by profile", states, {"lab": apart, "baseline": apart, "strict": both})
    document = evidence.document(rehearse(TWO, controls=controls, inventory=an_inventory(profile="lab")))
    told = {entry["what"]: [entry["baseline"], entry["here"]] for entry in document["profile_differs"]}
    clock = "/usr/sbin/chronyd -F 1"
    expected = {"hsts.stage": [4, 1], "time.daemons": [[clock], [f"{clock} -x"]]}
    see.exactly("what results.json tells of the lab", told, expected, show="jq .profile_differs evidence/latest/results.json")
    from verification import report  # here: who lists the register needs no templates

    page = report.html(document)
    see.exactly("what of it report.html leaves out", [name for name in expected if f"<td>{name}</td>" not in page], [])


@probe("X-38")
def a_profile_may_change_what_it_likes(repository: Path) -> None:
    edit(repository / "verification/expectations.py", "(sorted(found.keys() - why.keys()),", "([],")


@probe("X-38")
def the_page_is_shorter_without_the_profile(repository: Path) -> None:
    edit(repository / "verification/report.html.j2", "{% if run.profile_differs %}\n<h2", "{% if false %}\n<h2")


@probe("X-38")
def a_control_of_strict_counts_as_passed_everywhere(repository: Path) -> None:
    edit(repository / "verification/runner.py", 'if control.profile != "baseline" and', 'if control.profile == "none" and')
