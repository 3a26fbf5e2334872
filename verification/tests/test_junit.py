"""junit.xml: what a pipeline counts is what the results say, and nothing that a host says breaks it."""

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from verification import evidence
from verification.formats.junit import junit
from verification.runner import Run
from verification.tests.conftest import a_control, a_register
from verification.tests.test_evidence import CHECKS, CONTROLS
from verification.words import Waiver

Play = Callable[..., Run]


@pytest.fixture
def results(play: Play) -> dict[str, Any]:
    """One of each state, and a fault of the verification itself."""
    text = CHECKS + (
        '@control("TST-004")\ndef test_waived(see):\n    see.exactly("ciphers", ["old", "new"], ["new"])\n'
        '@control("TST-005")\ndef test_absent(see):\n    raise NotApplicable("nobody asks for it here")\n'
    )
    run = play(
        text,
        controls={**CONTROLS, **a_register(a_control("TST-004"), a_control("TST-005"))},
        waivers=(Waiver("TST-004", "Maria", "old scanners", "2999-01-31"),),
    )
    run.problems.append("TST-009 has a check and is not in the register")
    return evidence.document(run)


def read(text: str) -> Xml.Element:
    return Xml.fromstring(text)  # noqa: S314 (a text of our own making)


def test_a_suite_a_host_and_a_case_a_control(results: dict[str, Any]) -> None:
    suites = read(junit(results))
    host, itself = suites.findall("testsuite")
    assert (host.get("name"), itself.get("name")) == ("stage", "the verification itself")
    assert {case.get("name") for case in host.iter("testcase")} == {f"{r['control']} {r['title']}" for r in results["results"]}
    counts = [{name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} for suite in (host, itself, suites)]
    assert counts[0] == {"tests": "5", "failures": "1", "errors": "0", "skipped": "3"}
    assert counts[1] == {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}
    assert counts[2] == {"tests": "6", "failures": "1", "errors": "1", "skipped": "3"}
    assert len(list(host.iter("skipped"))) == 3


def test_a_failure_says_what_was_seen_and_how_to_see_and_mend_it(results: dict[str, Any]) -> None:
    (failure,) = read(junit(results)).iter("failure")
    assert failure.get("message") == "listening: not expected: 3306"
    assert failure.get("type") == "high"
    told = failure.text or ""
    places = [told.index(part) for part in ("listening", "observed: 3306", "expected: 443", "show me: ss -Hltn", "why: What goes wrong.")]
    assert places == sorted(places)
    assert "mend it: make converge TAGS=nginx" in told


def test_what_was_not_judged_is_skipped_with_its_reason(results: dict[str, Any]) -> None:
    said = {skipped.get("message") for skipped in read(junit(results)).iter("skipped")}
    assert said == {
        "not testable here: no such kernel here",
        "waived: Maria: old scanners (until 2999-01-31)",
        "not applicable: nobody asks for it here",
    }
