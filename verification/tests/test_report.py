"""The page: what it says, in which order, and that it is sound without a script or a network."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from verification import evidence, report
from verification.runner import Run
from verification.tests.conftest import a_control, a_register
from verification.tests.test_evidence import CHECKS, CONTROLS
from verification.words import AREAS, Waiver, percent

Play = Callable[..., Run]
GREEN = '@control("TST-001")\ndef test_green(see):\n    see.exactly("answer", 1, 1)\n'
PLANNED = a_register(
    a_control("TST-004", status="planned", severity="low", title="A thing of later"),
    a_control("TST-005", status="planned", severity="critical", title="A grave thing of later"),
    a_control("OPS-001", status="planned", severity="medium", title="A way to report", implemented_by=("docs",)),
)
VOID = {"meta", "path", "circle", "br", "link", "img", "input", "hr"}


class Reader(HTMLParser):
    """Notes ids, inner links, and tags that do not close in order; `text` is what a person reads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        assert self.open == []

    @property
    def text(self) -> str:
        return re.sub(r"\s+([.,;:)])", r"\1", " ".join(" ".join(self.words).split()))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def page(run: Run, previous: dict[str, Any] | None = None) -> str:
    return report.html(evidence.document(run, previous))


@pytest.fixture
def mixed(play: Play) -> str:
    """A page with everything: failed, waived, not testable, passed, planned, and changes since a run before."""
    text = CHECKS + (
        '@control("TST-006")\ndef test_waived(see):\n    see.exactly("ciphers", ["old", "new"], ["new"])\n'
        '@control("TST-007")\ndef test_grave(see):\n    see.exactly("grants", {"a": 1, "b": 2}, {"a": 1, "b": 3}, show="SHOW GRANTS")\n'
    )
    controls = {**CONTROLS, **a_register(a_control("TST-006"), a_control("TST-007", severity="critical")), **PLANNED}
    run = play(text, controls=controls, waivers=(Waiver("TST-006", "Maria", "old scanners", "2999-01-31"),))
    before = evidence.document(run)
    for result in before["results"]:
        result["state"] = "pass"
    return page(run, before)


def test_it_is_sound_and_each_of_its_links_leads_somewhere(mixed: str) -> None:
    reader = Reader(mixed)
    assert len(reader.ids) == len(set(reader.ids))
    assert {link.removeprefix("#") for link in reader.links} <= {*reader.ids}
    assert all(link.startswith("#") for link in reader.links)
    assert {"fail", "waived", "not_testable", "pass", "planned", "TST-002-stage"} <= {*reader.ids}


def test_it_needs_no_script_and_no_network(mixed: str) -> None:
    for way_out in ("<script", "<link", "<img", "<iframe", "url(", "@import", "http://", "https://", " onclick", "javascript:"):
        assert way_out not in mixed
    assert "default-src 'none'; style-src 'unsafe-inline'" in mixed


def test_it_begins_with_the_verdict_and_the_score_by_area_and_then_the_severest_failure(mixed: str) -> None:
    text = Reader(mixed).text
    order = ["2 of 3 controls failed", "By area", "1 of 3 hold, 1 waived, 1 not testable here, 2 planned", "Failed 2", "TST-007", "TST-002"]
    order += ["Changed since", "Waived 1", "Not testable here 1", "Passed 1", "Planned 3", "Hosts", "How to read this"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "33 %" in text


def test_a_failure_has_its_reason_both_values_the_command_that_shows_and_the_one_that_mends(mixed: str) -> None:
    text = Reader(mixed).text
    start = text.index("critical TST-007")
    card = text[start : text.index("high TST-002")]
    order = ["passed in the last run", "What goes wrong.", "grants", "Observed a: 1 b: 2", "Expected a: 1 b: 3"]
    order += ["Show me SHOW GRANTS", "Mend it make converge TAGS=nginx", "No probe has yet shown that this check can fail."]
    places = [card.index(part) for part in order]
    assert places == sorted(places)


def test_what_differs_is_marked_and_what_is_as_expected_is_not(mixed: str) -> None:
    assert re.findall(r"<mark>(.*?)</mark>", mixed) == ["b: 2", "b: 3", "3306", "old"]


def test_a_deviation_says_who_answers_for_it_until_when_and_why(mixed: str) -> None:
    text = Reader(mixed).text
    row = text[text.index("Waived 1") : text.index("Not testable here 1")]
    for needed in ("TST-006", "old scanners", "Until 2999-01-31, Maria"):
        assert needed in row


def test_planned_controls_are_counted_by_area_the_severest_first_and_claim_nothing(mixed: str) -> None:
    text = Reader(mixed).text
    part = text[text.index("Planned 3") : text.index("Hosts")]
    order = ["not claimed here: 1 critical, 1 medium, 1 low", "2 planned: 1 critical, 1 low", "TST-005", "TST-004", AREAS["OPS"], "OPS-001"]
    places = [part.index(word) for word in order]
    assert places == sorted(places)
    assert f"Only planned so far: {AREAS['OPS']} (1)." in text
    assert mixed.count('<details class="area">') == 3, "folded: one area of passed controls, two of planned ones"


def test_all_is_well(play: Play) -> None:
    text = Reader(page(play(GREEN))).text
    assert "Every control that was tested holds" in text
    assert "0 failed" in text
    assert "100 %" in text
    assert "Mend it" not in text


def test_a_fault_of_the_verification_is_no_success(play: Play) -> None:
    run = play(GREEN)
    run.problems.append("TST-009 has a check and is not in the register")
    text = Reader(page(run)).text
    assert "The verification itself has faults" in text
    assert "TST-009 has a check and is not in the register" in text


def test_where_nothing_was_judged_there_is_no_score(play: Play) -> None:
    run = play('@control("TST-001")\ndef test_it(see):\n    raise NotTestable("no such kernel here")\n')
    text = Reader(page(run)).text
    assert "Nothing was tested" in text
    assert "none" in text


def test_a_hundred_says_that_nothing_failed() -> None:
    assert [percent(score) for score in (1.0, 0.9999, 0.0, None)] == ["100 %", "99 %", "0 %", "none"]


def test_long_values_show_what_differs_and_count_the_rest() -> None:
    ports = [["tcp", port] for port in range(100)]
    assert report.compared([*ports, ["tcp", 3306]], ports) == [("tcp 3306", True), ("… and 100 that are as expected", False)]
    assert report.compared([1, 2], [2]) == [("1", True), ("2", False)]
    assert report.compared("one\ntwo", "one") == [("one", False), ("two", False)]
    assert report.compared([], [1]) == [("nothing", False)]
    assert report.compared(False, True) == [("false", False)]


def test_areas_have_an_order_failing_ones_first_and_empty_ones_last(play: Play) -> None:
    run = play(
        "".join(
            f'@control("{name}-001")\ndef test_{name.lower()}(see):\n    see.exactly("it", 1, {expected})\n'
            for name, expected in (("X", 1), ("WEB", 1), ("AI", 2))
        ),
        controls=a_register(*map(a_control, ("X-001", "WEB-001", "AI-001")), a_control("DB-001", status="planned")),
    )
    found = report.areas(evidence.document(run))
    assert [(area.short, area.score) for area in found] == [("AI", 0.0), ("WEB", 1.0), ("X", 1.0), ("DB", None)]


def test_what_was_merely_not_tried_this_time_is_no_change(play: Play) -> None:
    """An observing run after one with the active checks would list each of these; one that failed then is told all the same."""
    text = """
@control("TST-001", active=True)
def test_tried_then(see):
    see.exactly("answer", 1, 1)

@control("TST-002", active=True)
def test_failed_then(see):
    see.exactly("answer", 1, 1)

@control("TST-003")
def test_turned(see):
    see.exactly("answer", 1, 1)
"""
    now = evidence.document(play(text, controls=CONTROLS))
    then = {**now, "active": True, "results": [{**result, "state": "pass"} for result in now["results"]]}
    for result in then["results"]:
        if result["control"] != "TST-001":
            result["state"] = "fail"
    for result in now["results"]:
        result["before"] = next(entry["state"] for entry in then["results"] if entry["control"] == result["control"])
    now["previous"] = {"started": now["started"], "active": True, "score": 1.0}
    told = Reader(report.html(now)).text.partition("Changed since")[2].partition("Not testable here")[0]
    assert [name for name in ("TST-001", "TST-002", "TST-003") if name in told] == ["TST-002", "TST-003"]
