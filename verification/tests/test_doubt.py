"""The doubt: it finds the observation that looks at nothing, and leaves the facts as they were."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest

from verification.checks import supply
from verification.doubt import Doubt, doubt, doubts
from verification.host import Facts, Host, Newcomer
from verification.inventory import ROOT
from verification.marks import Check, Marked
from verification.tests.conftest import Stage, a_control, a_register, an_inventory
from verification.witness import Witness
from verification.words import NotApplicable, State

FACTS: dict[str, Any] = {
    "listeners": {"value": [{"port": 443, "programs": ["nginx"]}]},
    "answers": {"value": {"page": {"status": 200, "headers": [["x-frame-options", "DENY"]], "body": "hello"}}},
}


def doubted(function: Any) -> Doubt:
    stage = Stage(an_inventory())
    stage.hosts[0].inside = Facts(copy.deepcopy(FACTS))
    found = doubt(Check("TST-001", function), stage, stage.hosts[0])
    assert stage.hosts[0].inside.sections == FACTS, "the facts are as they were"
    return found


def test_a_check_that_looks_can_fail() -> None:
    def check(host: Host, see: Witness) -> None:
        page = host.inside["answers"]["page"]
        see.exactly("ports", {entry["port"] for entry in host.inside["listeners"]}, {443})
        see.exactly("framing", [value for name, value in page["headers"] if name == "x-frame-options"], ["DENY"])
        see.exactly("no traceback", "traceback" in page["body"], False)

    assert doubted(check) == Doubt("TST-001", 3, ())


def test_an_observation_that_looks_at_nothing_is_named() -> None:
    def check(host: Host, see: Witness) -> None:
        see.exactly("ports", len(host.inside["listeners"]), 1)
        see.exactly("nothing at all", host.inside["answers"]["page"]["status"] * 0, 0)
        see.at_least("headers, or none", len(host.inside["answers"]["page"]["headers"]), 0)

    assert doubted(check) == Doubt("TST-001", 1, ("headers, or none", "nothing at all"))


def test_what_cannot_be_doubted_says_why() -> None:
    def absent(see: Witness) -> None:
        raise NotApplicable("nobody is enrolled here yet")

    def red(see: Witness) -> None:
        see.exactly("answer", 41, 42)

    assert doubted(absent).not_seen == "nobody is enrolled here yet"
    assert doubted(red).not_seen == "red before anything was altered: answer"


def test_all_checks_are_doubted_in_their_order_and_what_they_try_is_tried_once(tmp_path: Path) -> None:
    tried = tmp_path / "tried"

    def attempt(_host: Host) -> dict[str, Any]:
        tried.write_text(f"{tried.read_text() if tried.exists() else ''}once ")
        return {"banned": True}

    def ports(host: Host, see: Witness) -> None:
        see.exactly("ports", {entry["port"] for entry in host.inside["listeners"]}, {443})

    def ban(host: Host, see: Witness) -> None:
        see.exactly("banned", host.trial("ban", attempt)["banned"], True)

    def absent() -> None:
        raise NotApplicable("nobody is enrolled here yet")

    stage = Stage(an_inventory())
    stage.hosts[0].inside = Facts(copy.deepcopy(FACTS))
    stage.hosts[0]._newcomer = Newcomer({}, {}, {}, {})
    checks = {"TST-001": [Check("TST-001", ports), Check("TST-001", ban, active=True)], "TST-002": [Check("TST-002", absent)]}
    controls = a_register(a_control(), a_control("TST-002"))
    found = list(doubts(stage, stage.hosts[0], controls, Marked(checks, {}), active=True))
    assert found == [Doubt("TST-001", 1, ()), Doubt("TST-001", 1, ()), Doubt("TST-002", 0, (), "nobody is enrolled here yet")]
    assert tried.read_text() == "once "


@pytest.mark.parametrize(
    ("old", "new", "turned_red"),
    [
        ("==", ">=", "without a version and a hash"),
        ("--hash=sha256:", "--hash=md5:", "without a version and a hash"),
        (" \\\n", " @ https://packages.example/x.whl \\\n", "addresses"),
    ],
)
@pytest.mark.parametrize("lock", supply.LOCKS)
def test_a_loose_lock_is_seen(tmp_path: Path, lock: str, old: str, new: str, turned_red: str) -> None:
    for name in supply.LOCKS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    head, found, rest = (tmp_path / lock).read_text().partition(old)
    assert found, f"{lock} has no {old!r}"
    (tmp_path / lock).write_text(head + new + rest)
    see = Witness()
    supply.test_every_dependency_is_pinned_by_version_and_hash(tmp_path, see)
    assert any(turned_red in seen.what for seen in see.observations if seen.state is State.FAIL and lock in seen.what)
