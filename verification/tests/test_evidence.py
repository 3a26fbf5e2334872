"""The evidence: valid against its schema, failures first, and no secret in it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from verification import evidence, formats, marks, register, report
from verification.formats import sbom
from verification.formats.soundness import faults
from verification.formats.specimen import invented
from verification.host import Facts
from verification.inventory import ROOT
from verification.runner import Run, verify
from verification.tests.conftest import Stage, a_control, a_register, an_inventory
from verification.words import Observation, State

Play = Callable[..., Run]
CHECKS = """
@control("TST-001")
def test_green(see):
    see.exactly("answer", {1, 2}, {1, 2}, show="cat /answer")

@control("TST-002")
def test_red(see):
    see.exactly("listening", {80, 443, 3306}, {80, 443}, show="ss -Hltn")

@control("TST-003")
def test_not_here(see):
    raise NotTestable("no such kernel here")
"""
CONTROLS = a_register(a_control(), a_control("TST-002", title="Only <b>two</b> ports"), a_control("TST-003"))
CANARIES = {  # what a check could see, and the part of it that nobody may read
    "a private key": ("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----", "MIGHAgEAMBMGByqGSM49"),
    "half a private key": ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA", "b3BlbnNzaC1rZXktdjEA"),
    "a PGP key": ("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQVYBGABCDEFGH\n-----END PGP PRIVATE KEY BLOCK-----", "lQVYBGABCDEFGH"),
    "an age identity": ("AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQS98ZS8Y", "QYQSZQGPQYQSZQGPQYQ"),
    "a password hash": ("argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA", "aGFzaGhhc2hoYXNoaGFzaA"),
    "another password hash": ("pbkdf2_sha256$1500000$i97tJ3w9WZitOHX4fQBlyL$rgyOep7eYhKXVRuziOZu9rOBHUlK2p6W6", "rgyOep7eYhKXVRuziOZu9"),
    "a hash of /etc/shadow": ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", "X3DX6M94c7o.9agCG9G317"),
    "a hash of an old /etc/shadow": ("$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2", "qFmFH.bQmmtXzyBY0s9v7"),
    "a database's hash": ("*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"),
    "a Fernet token": ("gAAAAABnQ2lphertextciphertextciphertext", "lphertextciphertextciphertext"),
    "a URL-safe secret of 32 bytes": ("Zx3vT9qLw0yFh2KdR8sNbVmJ4uCeGa1pXoQ7tIiEk5M", "T9qLw0yFh2KdR8sNbVmJ4uCeGa1pXoQ7tIiEk5M"),
    "base64 of 32 bytes": ("k4yQm0Zr2bV8xN1wT6uJ3sLd9fHg7aPc5eRi0oKq2Yw=", "xN1wT6uJ3sLd9fHg7aPc5eRi0oKq2Yw"),
    "a password in a command": ("password=correct-horse-battery", "correct-horse"),
    "a short password in a command": ("password=hunter2", "hunter2"),
    "a password in JSON": ('{"user": "bob", "password": "hunter2"}', "hunter2"),
    "a password in SQL": ("CREATE USER bob IDENTIFIED BY 'hunter2'", "hunter2"),
    "a token in a form": ('name="csrfmiddlewaretoken" value="Qw8hT2kLmN4pR6sV8xZ0aB"', "Qw8hT2kLmN4pR6sV8xZ0aB"),
    "a token in a header": ("Authorization: Bearer abcdefghijkl", "abcdefghijkl"),
    "a signed token": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlc2lnbmF0dXJl", "c2lnbmF0dXJl"),
}


def results(run: Run) -> dict[str, Any]:
    return evidence.document(run)


def test_the_results_keep_to_their_schema(play: Play) -> None:
    schema = json.loads((ROOT / "verification" / "results.schema.json").read_text())
    document = json.loads(json.dumps(results(play(CHECKS, controls=CONTROLS))))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["summary"] == {
        "pass": 1,
        "fail": 1,
        "not_applicable": 0,
        "not_testable": 1,
        "waived": 0,
        "planned": 0,
        "score": 0.5,
    }


def test_what_this_repository_shows_is_green_and_fit_for_the_evidence() -> None:
    known, stage = register.load(), Stage(an_inventory())
    stage.hosts.clear()
    here = frozenset(control.id for control in known.values() if control.implemented and control.of_the_repository)
    marks.load()
    run = verify(stage, only=here, controls=known)
    assert {result.control: (result.host, result.state, result.reason) for result in run.results} == dict.fromkeys(
        here, ("repo", "pass", "")
    )
    schema = json.loads((ROOT / "verification" / "results.schema.json").read_text())
    document = json.loads(json.dumps(results(run)))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert evidence.REMOVED not in json.dumps(document), "nothing in it looks like a secret"
    assert "X-05" in report.html(document)


def test_why_a_control_has_no_probe_stands_in_the_results_and_in_the_report(play: Play) -> None:
    reason = "Nothing that runs can take this away."
    document = results(play(CHECKS, controls={**CONTROLS, **a_register(a_control("TST-002", without_probe=reason))}))
    assert document["without_probe"] == ["TST-001", "TST-002", "TST-003"]
    assert document["why_without_probe"] == {"TST-002": reason}
    assert f"Without one: TST-001, TST-002 ({reason}), TST-003." in report.html(document)


def test_the_report_shows_the_failure_first_with_how_to_see_and_mend_it(play: Play) -> None:
    page = report.html(results(play(CHECKS, controls=CONTROLS)))
    assert page.index("TST-002") < page.index("TST-003") < page.index("TST-001")
    for needed in ("not expected: 3306", "ss -Hltn", "make converge TAGS=nginx", "1 of 2 controls failed", "50 %"):
        assert needed in page
    assert "<b>two</b>" not in page, "what comes from elsewhere is escaped"


def test_the_report_is_one_file_without_a_network(play: Play) -> None:
    page = report.html(results(play(CHECKS, controls=CONTROLS)))
    for way_out in ("http://", "https://", "<script", "<link", "<img", "url("):
        assert way_out not in page


@pytest.mark.parametrize(("seen", "secret"), CANARIES.values(), ids=CANARIES.keys())
def test_no_secret_reaches_any_file(seen: str, secret: str) -> None:
    run = invented(seen)
    run.results[0].observations.append(Observation(seen, State.FAIL, {"environment": {seen: [seen]}}, [], seen, f"seen: {seen}"))
    packages = {
        "debian_packages": {"value": [dict.fromkeys(("name", "version", "architecture", "source"), seen)]},
        "release": {"error": seen},
    }
    files = formats.files(evidence.document(run), run.register, "2026-01-01T00:00:00Z", {"casemate": sbom.software(Facts(packages))})
    assert [name for name, text in files.items() if secret in text] == []
    assert faults(files) == []
    assert evidence.REMOVED in files["results.json"]


@pytest.mark.parametrize(
    "harmless",
    [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "/opt/casemate/current/venv/lib/python3.13/site-packages/casemate/urls.py",
        "SELECT ON casemate_audit.event",
        "max-age=31536000; includeSubDomains",
        "ECDHE-ECDSA-AES256-GCM-SHA384, ECDHE-ECDSA-CHACHA20-POLY1305",
        "argon2$argon2id$v=19$m=102400,t=2,p=8",
        "database-app-password in environ of gunicorn",
        "missing: audit-keys, database-app-password, django-secret-key",
    ],
)
def test_what_is_no_secret_stays(harmless: str) -> None:
    assert evidence.redact({"a": [harmless]}) == {"a": [harmless]}


def test_the_next_run_tells_what_changed(play: Play, tmp_path: Path) -> None:
    run = play(CHECKS, controls=CONTROLS)
    before = results(run)
    before["results"][0]["state"] = "pass"  # the failure of now passed then
    document = evidence.document(run, before)
    assert document["results"][0]["before"] == "pass"
    assert "Changed since" in report.html(document)


def test_each_run_has_a_folder_of_its_own_and_latest_names_the_last(tmp_path: Path) -> None:
    first = evidence.write(tmp_path, {"results.json": "{}"}, datetime(2026, 1, 1, tzinfo=UTC))
    second = evidence.write(tmp_path, {"results.json": "{}"}, datetime(2026, 1, 2, tzinfo=UTC))
    assert first != second
    assert (tmp_path / "latest").resolve() == second
    assert (second / "results.json").stat().st_mode & 0o777 == 0o600
