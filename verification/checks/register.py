"""The register: whole, one entry a requirement, each with its check and probe, and each explains itself."""

import io
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import yaml

from verification import catalogue, cli, evidence, marks, register
from verification.breaking import edit
from verification.commands import about_controls
from verification.marks import control, probe
from verification.rehearsal import a_control, a_register, rehearse
from verification.witness import Witness
from verification.words import CannotRun

# How many requirements each area has: the 365 of the three sources, those of our own (X, and WEB-034), and BKP-007 and BKP-008: what the
# sources ask of BKP-001 and BKP-003 and is not built yet, so that neither is called implemented for more than it checks.
REQUIREMENTS = {
    "AI": 16, "API": 15, "APP": 29, "AUD": 17, "AUTH": 30, "BAN": 5, "BKP": 8, "BLD": 23, "DB": 14, "HOST": 11, "K8S": 16,
    "LOG": 17, "OPS": 33, "SCAN": 20, "SSO": 10, "TEN": 18, "TLS": 5, "UI": 13, "UPL": 4, "VAULT": 30, "WEB": 34, "X": 41,
}  # fmt: skip
ENTRY: dict[str, Any] = {
    "id": "TLS-001",
    "title": "A thing that holds",
    "statement": "A requirement that can be checked.",
    "why": "Something goes wrong without it.",
    "severity": "high",
    "applies_to": "edge",
    "profile": "baseline",
    "status": "planned",
    "implemented_by": ["roles/nginx"],
    "sources": ["A source"],
    "mappings": {"nist": ["SC-8"]},
}
CLAIMED = 4  # bars between the five cells of a row in docs/controls.md that says how a control is checked and broken
Change = Callable[[dict[str, Any]], Any]
FAULTS: dict[str, tuple[Change, int]] = {
    "nothing": (lambda entry: None, 1),
    "an entry that is there twice": (lambda entry: None, 2),
    "an entry in the file of another area": (lambda entry: entry.update(id="WEB-001"), 1),
    "a field that nobody knows": (lambda entry: entry.update(misspelt=True), 1),
    "a status of one's own": (lambda entry: entry.update(status="nearly"), 1),
    "an entry without a source": (lambda entry: entry.pop("sources"), 1),
    "an entry without an implementer": (lambda entry: entry.pop("implemented_by"), 1),
    "an entry without a reason": (lambda entry: entry.pop("why"), 1),
    "an entry without an id": (lambda entry: entry.pop("id"), 1),
}


@control("X-01")
def test_each_requirement_has_exactly_one_entry_and_what_is_implemented_can_be_shown(repository: Path, see: Witness) -> None:
    known, marked = register.load(repository / "controls"), marks.load()
    entries = Counter(control.area for control in known.values())
    see.exactly("entries by area", dict(entries), REQUIREMENTS, show="casemate controls")
    numbers = {f"{area}-{number:0{2 if area == 'X' else 3}}" for area, count in REQUIREMENTS.items() for number in range(1, count + 1)}
    see.exactly("ids that are missing or too much", known.keys() ^ numbers, set(), show="casemate controls")
    whole = {"sources": "sources", "mappings": "mappings", "implementer": "implemented_by"}
    for name, field in whole.items():
        empty = [c.id for c in known.values() if not getattr(c, field)]
        see.exactly(f"controls without {name}", empty, [], show=f"casemate controls --json | jq '.[] | select(.{field} | length == 0).id'")
    implemented = [control for control in known.values() if control.implemented]
    see.exactly("implemented without a check", [c.id for c in implemented if not marked.checks.get(c.id)], [])
    unbroken = [c.id for c in implemented if not marked.probes.get(c.id) and not c.without_probe]
    see.exactly("implemented with neither a probe nor a reason", unbroken, [])
    see.exactly("implementers that are not there", register.missing_implementers(known, repository), {})
    see.exactly("checks and probes for what is no control", {*marked.checks, *marked.probes} - known.keys(), set())


@control("X-01")
def test_a_register_with_a_fault_is_refused_and_a_check_for_no_entry_fails_the_run(repository: Path, see: Witness) -> None:
    schema = (repository / "controls" / "schema.json").read_text()
    seen = {name: answer(schema, [changed(change) for _ in range(times)]) for name, (change, times) in FAULTS.items()}
    expected = {name: "accepted" if name == "nothing" else "refused" for name in FAULTS}
    see.exactly("what is said to a register whose fault is", seen, expected, show="pytest -q verification/tests/test_register.py")
    run = rehearse('@control("TST-002")\ndef test_it(see):\n    see.exactly("answer", 42, 42)\n', controls=a_register(a_control()))
    faults = ["TST-002 has a check or a probe and is not in the register", "TST-001 is implemented and has no check"]
    see.exactly("faults of a run", run.problems, faults, show="pytest -q verification/tests/test_states.py")
    see.exactly("whether they fail it", run.failed, True)


def changed(change: Change) -> dict[str, Any]:
    entry = dict(ENTRY)
    change(entry)
    return entry


def answer(schema: str, entries: list[dict[str, Any]]) -> str:
    """What the loader says to a register of just these."""
    with tempfile.TemporaryDirectory(prefix="casemate-register-") as folder:
        (Path(folder) / "schema.json").write_text(schema)
        (Path(folder) / "tls.yml").write_text(yaml.safe_dump(entries))
        try:
            register.load(Path(folder))
        except CannotRun:
            return "refused"
        return "accepted"


@probe("X-01")
def somebody_deletes_a_requirement_that_nobody_got_to(repository: Path) -> None:
    path = repository / "controls" / "k8s.yml"
    path.write_text(path.read_text().rpartition("- id: K8S-")[0])


@probe("X-01")
def a_control_is_called_implemented_before_its_check_stands(repository: Path) -> None:
    path = repository / "controls" / "k8s.yml"
    head, entry, rest = path.read_text().rpartition("- id: K8S-")
    path.write_text(head + entry + rest.replace("status: planned", "status: implemented"))


@probe("X-01")
def an_id_is_used_again(repository: Path) -> None:
    edit(repository / "verification/register.py", "if control.id in register:", "if False:")


@control("OPS-030")
def test_a_control_is_planned_or_implemented_and_a_claim_that_nothing_observes_fails_the_run(repository: Path, see: Witness) -> None:
    known = register.load(repository / "controls")
    schema = (repository / "controls" / "schema.json").read_text()
    see.exactly("states in the register", {c.status for c in known.values()}, {"planned", "implemented"}, show="casemate controls")
    answers = {word: answer(schema, [{**ENTRY, "status": word}]) for word in ("planned", "implemented", "partly", "done", "")}
    expected = {word: "accepted" if word in ("planned", "implemented") else "refused" for word in answers}
    see.exactly("what is said to a state of", answers, expected, show="pytest -q verification/tests/test_register.py")
    run = rehearse("", controls=a_register(a_control(), a_control("TST-002", status="planned")))
    results = {result.control: result.state.value for result in run.results}
    see.exactly("results where nobody checks what is claimed", (results, run.failed), ({"TST-001": "fail"}, True))
    see.exactly("what is planned, by name", [one.id for one in run.planned], ["TST-002"])
    page = (repository / "docs" / "controls.md").read_text()
    claimed = {
        row.split("**")[1] for row in page.splitlines() if row.startswith("| **") and row.count(" | ") == CLAIMED and "**E-" not in row
    }
    built = {one.id for one in known.values() if one.implemented}
    see.exactly(
        "claims of docs/controls.md that the register does not make, and the reverse", claimed ^ built, set(), show=catalogue.COMMAND
    )


@probe("OPS-030")
def the_page_claims_what_a_customer_asked_for(repository: Path) -> None:
    edit(repository / "docs/controls.md", "| **X-35** ", "| **X-35** it is so | low | `image` | checked | broken |\n| **X-35** ")


@probe("OPS-030")
def a_third_state_is_let_in_for_what_is_nearly_done(repository: Path) -> None:
    edit(repository / "controls/schema.json", '["planned", "implemented"]', '["planned", "implemented", "partly"]')


@control("X-37")
def test_each_control_tells_what_it_asks_and_why_and_how_it_is_shown_broken_and_mended(repository: Path, see: Witness) -> None:
    known, marked = register.load(repository / "controls"), marks.load()
    silent: dict[str, list[str]] = {part: [] for part in about(known["X-37"], marked)}
    for one in known.values():
        told = squeezed(about_controls.explained(one, marked, None))
        for part, texts in about(one, marked).items():
            if not all(squeezed([text]) in told for text in texts):
                silent[part].append(one.id)
    for part, ids in silent.items():
        see.exactly(f"controls that do not tell {part}", ids, [], show="casemate explain X-37")


@control("X-37")
def test_one_command_tells_it_with_the_last_result(see: Witness) -> None:
    seen = {"what": "listening", "state": "fail", "observed": [80, 3306], "expected": [80], "show": "ss -Hltn", "reason": "r"}
    result = {"control": "WEB-001", "host": "web-1", "state": "fail", "reason": "listening: not expected: 3306", "observations": [seen]}
    last = {"schema_version": evidence.SCHEMA_VERSION, "started": "2026-01-31T12:00:00Z", "results": [result]}
    with tempfile.TemporaryDirectory(prefix="casemate-evidence-") as folder:
        (Path(folder) / "latest").mkdir()
        (Path(folder) / "latest" / "results.json").write_text(json.dumps(last))
        printed = io.StringIO()
        with redirect_stdout(printed):
            status = cli.main(["explain", "WEB-001", "--evidence", folder])
    see.exactly("exit status", status, 0, show="casemate explain WEB-001")
    told = squeezed(printed.getvalue().splitlines())
    parts = ("failed on web-1, 2026-01-31 12:00:00 UTC", "listening: not expected: 3306", "observed 80, 3306", "expected 80", "ss -Hltn")
    missing = [part for part in parts if squeezed([part]) not in told]
    see.exactly("what it does not tell of the last result", missing, [], show="casemate explain WEB-001")


def about(one: register.Control, marked: marks.Marked) -> dict[str, list[str]]:
    """Everything that a reader is to be told of a control, by what it is."""
    texts = {
        "the requirement": [one.title, one.statement],
        "the reason": [one.why],
        "the sources": list(one.sources),
        "what is right where a source was wrong": [one.corrected],
        "who implements it": list(one.implemented_by),
        "what it maps to": [identifier for ids in one.mappings.values() for identifier in ids],
        "how it is checked": [check.sentence for check in marked.checks.get(one.id, [])],
        "how it is broken": [probe.sentence for probe in marked.probes.get(one.id, [])] or [one.without_probe],
        "how it is mended": [one.mend or "mended by"],
    }
    return texts if one.implemented else {**texts, "how it is mended": []}


def squeezed(lines: Iterable[str]) -> str:
    """The words without the spaces and breaks between them, which are the terminal's."""
    return "".join("".join(lines).split())


@probe("X-37")
def the_reasons_are_left_out_to_make_it_shorter(repository: Path) -> None:
    edit(
        repository / "verification/commands/about_controls.py", '        "why": control.why,\n        "corrected": control.corrected,\n', ""
    )


@probe("X-37")
def the_last_result_is_told_no_longer(repository: Path) -> None:
    edit(repository / "verification/commands/about_controls.py", "    yield from _last(control, latest)\n", "")
