"""The checks of policy violations, on facts of our own: each can pass, and each can fail."""

import copy
import inspect
from typing import Any

import pytest

from verification import expectations
from verification.checks import answers, violations, web
from verification.host import Facts
from verification.remote import violations as sent
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import State

TRIED = "script-src-attr 'none'; style-src-attr 'none'"
EXPECTED = expectations.load("lab", {"site_name": "casemate.test"})
LIMITS = EXPECTED["violations"]
APPLICATION = ("page", "redirect", "404 of the application", "403 of the application")


def written(policy: dict[str, list[str]], nonce: str) -> str:
    given = {name: [one.replace("…", nonce) for one in sources] for name, sources in policy.items()}
    return "; ".join(" ".join([name, *sources]) for name, sources in given.items() if nonce or sources != ["'nonce-'"])


def answer(nonce: str, tried: str = TRIED) -> dict[str, Any]:
    own = EXPECTED["policies"]["application"]
    on_trial = {name: sources for name, sources in own.items() if name != answers.NOT_ON_TRIAL} | web.directives(tried)
    headers = [["content-security-policy", written(own, nonce)], ["reporting-endpoints", 'csp="/csp-reports/"']]
    headers += [["content-security-policy-report-only", written(on_trial, nonce)]] if tried else []
    return {"status": 200, "headers": headers, "body": ""}


def facts(tried: str = TRIED) -> dict[str, Any]:
    """Of a host on which all is as it should be."""
    answers = {"report-uri": 204, "report-to": 204, "of another type": 415, "that is cut off": 400, "of another site's page": 204}
    ours = ["img-src", "/sign-in/", "https://MARK.invalid"]
    told = {"never tried": "never on trial", "looser": "would allow"}
    days = {"unused": "Nobody has signed in", "a new kind": "The last new violation", "almost": "The last new violation"}
    return {
        "answers": {kind: answer("a-nonce" if kind == "page" else "", tried) for kind in web.KINDS},
        "reports": {
            "answers": {**answers, "of the limit": 204, "one byte more": [413, True], "one byte more, in chunks": [413, True]},
            "listed": [
                ["on trial", *ours, 1],
                ["enforced", "img-src", "/enrol/<str:token>/", "inline", 1],
                ["enforced", *ours, 4],
            ][0 if tried else 1 :],
            "rows with a secret": 0,
        },
        "a flood of reports": {
            "at once": {"204": 22, "429 of nginx": 18},
            "of one address": {"204": 120, "429": 10},
            "kinds of one address": 30,
            "kinds beside a full list": 0,
            "counted beside a full list": 5,
            "rows": 201,
        },
        "a policy on trial": {**told, **days, "quiet": "It may be enforced"} if tried else told,
    }


def failed(check: Any, seen: dict[str, Any], tried: str = TRIED) -> list[str]:
    """What of it was red."""
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.site = "casemate.test"
    host.outside = Facts({"answers": {"value": seen["answers"]}})
    host.tried = {name: value for name, value in seen.items() if name != "answers"}
    given = {"host": host, "see": see, "expected": EXPECTED, "declared": {"csp_report_only": tried} if tried else {}}
    check(**{name: given[name] for name in inspect.signature(check).parameters})
    assert see.observations
    return [observation.what for observation in see.observations if observation.state is not State.PASS]


def put(seen: Any, path: str, value: Any) -> None:
    *above, last = path.split("|")
    for step in above:
        seen = seen[int(step) if step.isdigit() else step]
    seen[int(last) if last.isdigit() else last] = value


TAKEN = violations.test_a_report_is_taken_from_anybody_and_shows_up
SIZE = violations.test_reports_are_taken_up_to_a_size
EQUAL = violations.test_equal_reports_are_one_and_no_secret_is_kept
FLOOD = violations.test_nobody_fills_the_disk_with_reports
QUIET = violations.test_a_policy_is_enforced_only_after_its_quiet
TRIAL = violations.test_a_policy_can_be_tried_beside_the_enforced_one
CHECKS: list[tuple[Any, str, Any]] = [
    *((TRIAL, f"answers|{kind}|headers|0|1", "default-src 'none'; report-uri /csp-reports/") for kind in APPLICATION),
    (TRIAL, "answers|page|headers|1|1", 'csp="https://mallory.example/"'),
    (TRIAL, "answers|page|headers|2|1", "default-src 'none'; script-src-attr 'none'; style-src-attr 'none'"),
    (TRIAL, "answers|redirect|headers|2|0", "x-content-security-policy-report-only"),
    (TAKEN, "reports|answers|report-uri", 404),
    (TAKEN, "reports|answers|report-to", 403),
    (TAKEN, "reports|listed", []),
    (TAKEN, "reports|listed|0|0", "enforced"),
    (SIZE, "reports|answers|of the limit", 413),
    (SIZE, "reports|answers|one byte more", [413, False]),
    (SIZE, "reports|answers|one byte more, in chunks", [400, False]),
    (SIZE, "reports|answers|of another type", 204),
    (SIZE, "reports|answers|that is cut off", 500),
    (EQUAL, "reports|listed|2|4", 3),
    (EQUAL, "reports|listed|1|2", "/enrol/token/"),
    (EQUAL, "reports|listed|0", ["enforced", "img-src", "/sign-in/", "eval", 1]),
    (EQUAL, "reports|rows with a secret", 1),
    (FLOOD, "a flood of reports|at once", {"204": 40}),
    (FLOOD, "a flood of reports|at once", {"204": 22, "429": 18}),
    (FLOOD, "a flood of reports|of one address", {"204": 130}),
    (FLOOD, "a flood of reports|kinds of one address", 120),
    (FLOOD, "a flood of reports|kinds beside a full list", 5),
    (FLOOD, "a flood of reports|counted beside a full list", 0),
    (FLOOD, "a flood of reports|rows", 400),
    (QUIET, "a policy on trial|never tried", "It may be enforced"),
    (QUIET, "a policy on trial|looser", "It may be enforced"),
    (QUIET, "a policy on trial|unused", "It may be enforced"),
    (QUIET, "a policy on trial|a new kind", "It may be enforced"),
    (QUIET, "a policy on trial|almost", "It may be enforced"),
    (QUIET, "a policy on trial|quiet", "The last new violation"),
]


@pytest.mark.parametrize(("check", "path", "value"), CHECKS, ids=[f"{check.__name__[5:50]}-{path[-30:]}" for check, path, _ in CHECKS])
def test_the_check_can_pass_and_fail(check: Any, path: str, value: Any) -> None:
    good = copy.deepcopy(facts())
    assert failed(check, good) == []
    put(good, path, value)
    assert failed(check, good) != []


@pytest.mark.parametrize("check", [TRIAL, TAKEN, SIZE, EQUAL, FLOOD, QUIET])
def test_a_host_on_which_nothing_is_on_trial_is_well(check: Any) -> None:
    assert failed(check, facts(""), "") == []


def test_a_trial_that_nobody_declared_is_red() -> None:
    assert failed(TRIAL, facts(), "") != []


def test_the_endpoint_is_the_one_that_the_page_names() -> None:
    host = Stage(an_inventory()).hosts[0]
    host.outside = Facts({"answers": {"value": facts()["answers"]}})
    assert violations.endpoint(host) == "/csp-reports/"
    host.outside = Facts({"answers": {"value": {"page": {"status": 200, "headers": [], "body": ""}}}})
    assert violations.endpoint(host) == "/no-endpoint-is-named/"


def test_what_is_enforced_after_a_trial_is_expected_of_the_application() -> None:
    tightened = expectations.load("lab", {"site_name": "casemate.test", "csp_enforced": "img-src 'self'; font-src 'none'"})
    policy = tightened["policies"]["application"]
    assert (policy["img-src"], policy["font-src"]) == (["'self'"], ["'none'"])
    assert EXPECTED["policies"]["application"]["img-src"] == ["'self'", "data:"]


def test_a_report_is_sent_with_its_length() -> None:
    text = sent.post("/csp-reports/", "casemate.test", sent.old("casemate.test", "inline"))
    head, _, body = text.partition("\r\n\r\n")
    assert f"Content-Length: {len(body)}" in head
    assert head.startswith("POST /csp-reports/ HTTP/1.1\r\nHost: casemate.test\r\n")
