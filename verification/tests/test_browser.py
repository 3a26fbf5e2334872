"""WEB-018: what Chromium reports of a walk is judged, and a walk that saw nothing proves nothing."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest

from verification import chromium, expectations, walk
from verification.checks import browser, policy
from verification.remote.visitor import NOWHERE
from verification.tests.conftest import Stage, an_inventory
from verification.tests.test_violations import put
from verification.witness import Witness
from verification.words import NotTestable, State

EXPECTED = expectations.load("lab", {"site_name": "casemate.test"})
GOOD = {
    "addresses": {role: sorted(EXPECTED["addresses"]) for role in walk.ROLES},
    "pages": dict(EXPECTED["walk"]["pages"]),
    "violations": [],
    "a secret that is shown": [True, []],
    "made on purpose": ["enforce img-src https://elsewhere.invalid/x.png"],
    "a picture by an address in clear": "https://casemate.test/static/icon.svg?in-clear",
}


def states(seen: dict[str, Any]) -> set[State]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.site, host.tried = "casemate.test", {"a walk in a browser": seen, "a stay in a browser": seen}
    browser.test_a_walk_as_each_role_sees_no_violation(host, see, EXPECTED, {})
    policy.test_a_browser_asks_over_https_where_a_page_says_http(host, see, {})
    return {observation.state for observation in see.observations}


def test_a_quiet_walk_passes() -> None:
    assert states(GOOD) == {State.PASS}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("violations", ["owner, /o/ORGANIZATION/members/: enforce script-src-attr inline"]),
        ("addresses", {"owner": sorted(EXPECTED["addresses"])}),
        ("addresses|auditor", ["/"]),
        ("pages|operator", 1),
        ("a secret that is shown|1", ["enforce script-src-elem inline"]),
        ("made on purpose", []),
        ("a picture by an address in clear", ""),
        ("a picture by an address in clear", "https://elsewhere.invalid/static/icon.svg"),
    ],
)
def test_a_violation_and_a_walk_that_saw_too_little_are_red(path: str, value: Any) -> None:
    seen = copy.deepcopy(GOOD)
    put(seen, path, value)
    assert State.FAIL in states(seen)


def test_every_role_of_the_expectations_walks() -> None:
    assert set(EXPECTED["walk"]["pages"]) == set(walk.ROLES)


def test_a_route_is_walked_with_ids_that_there_are() -> None:
    ids = {"members": "m", "vault/folders": "f", "vault": "v"}
    assert walk.addressed(f"/o/ORGANIZATION/vault/{NOWHERE}/edit/", "slug", ids) == "/o/slug/vault/v/edit/"
    assert walk.addressed(f"/o/ORGANIZATION/vault/folders/{NOWHERE}/", "slug", ids) == "/o/slug/vault/folders/f/"
    assert walk.addressed("/sign-in/", "slug", ids) == "/sign-in/"


def test_a_machine_without_a_browser_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None if program == "chromium" else f"/usr/bin/{program}")
    with pytest.raises(NotTestable, match="lacks chromium"), chromium.started("casemate.test", "192.0.2.10", None):
        pass


@pytest.mark.skipif(shutil.which("certutil") is None, reason="certutil of libnss3-tools is not here")
def test_an_authority_is_laid_where_chromium_looks(tmp_path: Path) -> None:
    chromium.trust(tmp_path, None)
    assert (tmp_path / ".pki" / "nssdb" / "cert9.db").is_file()
