"""The checks of policies, sizes, addresses, floods and crooked requests, on facts of our own: each can pass, and each can fail."""

import copy
import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from verification import expectations
from verification.checks import crooked, edge, policy, web
from verification.host import Facts
from verification.household import Household
from verification.inventory import ROOT
from verification.remote import crooked as sent
from verification.remote.pages import looked_at
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import State

EXPECTED = expectations.load("lab", {"site_name": "casemate.test"})
CONTACT = "mailto:security@casemate.test"
NONCE = "a-nonce-of-twenty-two-x"


def written(policy: dict[str, list[str]], nonce: str = "") -> str:
    sources = {name: [one.replace("…", nonce) for one in given] for name, given in policy.items() if nonce or "'nonce-…'" not in given}
    return "; ".join(" ".join([name, *given]) for name, given in sources.items())


def answer(kind: str) -> dict[str, Any]:
    policies = EXPECTED["policies"]["nginx" if kind.endswith("of nginx") else "application"]
    headers = [["content-type", "text/html; charset=utf-8"], ["content-security-policy", written(policies)]]
    headers += [[name, "same-origin"] for name in EXPECTED["one_owner"]]
    return {"status": web.KINDS[kind][0], "headers": headers, "body": "<html><p>hello</p></html>"}


def a_page(number: int, time: int) -> dict[str, Any]:
    nonce = f"{NONCE}{number}-{time}" if number % 2 else ""
    script = f'<script src="/static/vault.js" nonce="{nonce}"></script>' if nonce else ""
    headers = [["content-type", "text/html"], ["content-security-policy", written(EXPECTED["policies"]["application"], nonce)]]
    headers += [["cache-control", "no-store"]]
    body = f'<html><link rel="stylesheet" href="/static/app.css">{script}<svg></svg><a href="https://else.example">away</a></html>'
    return looked_at({"status": 200, "headers": headers, "body": body}, "casemate.test")


def facts() -> dict[str, Any]:
    """Of a host on which all is as it should be."""
    limits = EXPECTED["body_limits"]
    bodies = {path: {"of the limit": 403, "one byte more": [413, True], "one byte more, in chunks": [413, True]} for path in limits}
    told = [[name, "same-origin"] for name in EXPECTED["one_owner"]]
    names = sent.requests("casemate.test", "mark")
    return {
        "answers": {kind: answer(kind) for kind in web.KINDS},
        "bodies": bodies,
        "nowhere": dict.fromkeys(EXPECTED["nowhere"], 404),
        "application": {"routes": sorted(EXPECTED["addresses"])},
        "headers_of_the_application": {kind: copy.deepcopy(told) for kind in ("page", "redirect", "404 of the application")},
        "nginx_packages": {"pending": {}, "held": [], "pinned": {}, "packages": ["nginx"], "days since apt looked": 0.2},
        "style_sheets": {"app.css": ["data:image/svg+xml,x", "logo.svg"], "pico.css": []},
        "a flood": {
            "tries": ["403"] * 11 + ["429 of nginx"] * 49,
            "served meanwhile": [200] * 6,
            "slowest": 0.4,
            "passed on": [11, 60],
        },
        "declarations of preloading": {name: wanted for name, (_given, wanted) in edge.PRELOADS.items()},
        "crooked requests": {
            "answers": {name: 404 if name == crooked.WHOLE else 400 for name in names},
            "marks that the application saw": ["-whole"],
            "requests that it could not read": [],
            "passed on": 1,
            "refused by nginx": 40,
        },
        "security_txt": {
            "status": 200,
            "type": "text/plain; charset=utf-8",
            "fields": [
                ["Contact", CONTACT],
                ["Expires", f"{datetime.now(UTC) + timedelta(days=90):%Y-%m-%dT%H:%M:%SZ}"],
                ["Preferred-Languages", "en"],
                ["Canonical", "https://casemate.test/.well-known/security.txt"],
            ],
        },
        "each page": {f"/page/{number}/": [a_page(number, time) for time in range(2)] for number in range(16)},
        "enrolments": {name: {"page of the second factor": a_page(0, 0)} for name in ("alice", "mallory", "carol")},
    }


def failed(check: Any, seen: dict[str, Any]) -> list[str]:
    """What of it was red."""
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.site = "casemate.test"
    host.inside = host.outside = Facts({name: {"value": value} for name, value in seen.items()})
    host.tried = {name: seen[name] for name in ("a flood", "declarations of preloading", "crooked requests")}
    host._household = Household({name: seen[name] for name in ("each page", "enrolments")}, {}, 3, [], True)
    host._household_parts = frozenset({"each page"})
    given = {"host": host, "see": see, "expected": EXPECTED, "declared": {"hsts_stage": 1, "security_contact": CONTACT}, "repository": ROOT}
    check(**{name: given[name] for name in inspect.signature(check).parameters})
    assert see.observations
    return [observation.what for observation in see.observations if observation.state is not State.PASS]


def put(seen: Any, path: str, value: Any) -> None:
    *above, last = path.split("|")
    for step in above:
        seen = seen[int(step) if step.isdigit() else step]
    seen[int(last) if last.isdigit() else last] = value


CSP = "answers|page|headers|1|1"
CHECKS: list[tuple[Any, str, Any]] = [
    (policy.test_what_the_policy_does_not_name_is_not_loaded, CSP, "default-src 'self'"),
    (policy.test_what_the_policy_does_not_name_is_not_loaded, "answers|400 of nginx|headers|1|0", "x-content-security-policy"),
    (policy.test_nor_on_the_pages_behind_the_sign_in, "each page|/page/3/|1|policies", []),
    (
        policy.test_the_policy_has_exactly_the_expected_directives,
        CSP,
        written({**EXPECTED["policies"]["application"], "worker-src": ["*"]}),
    ),
    (policy.test_the_policy_has_exactly_the_expected_directives, "answers|413 of nginx|headers|1|1", "default-src 'none'"),
    (policy.test_the_pages_behind_the_sign_in_have_the_same, "each page|/page/4/|0|policies|0", "default-src 'none'; base-uri 'none'"),
    (policy.test_only_our_own_style_sheets_apply, CSP, "default-src 'none'; style-src 'self' 'unsafe-inline'"),
    (policy.test_only_our_own_style_sheets_apply, "answers|page|body", "<html><p style='color: red'>hello</p></html>"),
    (policy.test_a_walk_through_all_pages_finds_nothing_that_the_policy_forbids, "each page|/page/2/|0|styles", ["<p>"]),
    (policy.test_a_walk_through_all_pages_finds_nothing_that_the_policy_forbids, "each page|/page/2/|1|inline", ["onclick of <a>"]),
    (
        policy.test_a_walk_through_all_pages_finds_nothing_that_the_policy_forbids,
        "each page|/page/2/|0|elsewhere",
        ["https://cdn.example/x.css"],
    ),
    (policy.test_fonts_come_from_here_or_not_at_all, CSP, "default-src 'none'; font-src https:"),
    (policy.test_fonts_come_from_here_or_not_at_all, "style_sheets|app.css", ["//fonts.example/one.woff2"]),
    (policy.test_no_page_asks_another_host_for_a_font, "each page|/page/1/|0|policies|0", "default-src 'none'; font-src data:"),
    (policy.test_frames_and_connections_go_to_no_other_host, CSP, "default-src 'none'; connect-src 'self' https://draw.example"),
    (policy.test_frames_and_connections_go_to_no_other_host, CSP, "default-src 'none'; connect-src 'self'; frame-src https://draw.example"),
    (policy.test_nor_do_those_of_the_pages_behind_the_sign_in, "each page|/page/1/|0|policies|0", "default-src 'none'; connect-src *"),
    (policy.test_pictures_come_from_here, CSP, "default-src 'none'; img-src 'self' data: https://qr.example"),
    (policy.test_the_code_for_the_second_factor_is_drawn_in_the_page, "enrolments|alice|page of the second factor|drawings", 0),
    (
        policy.test_the_code_for_the_second_factor_is_drawn_in_the_page,
        "enrolments|carol|page of the second factor|elsewhere",
        ["//qr.example"],
    ),
    (policy.test_a_nonce_is_the_pages_own_and_new_each_time, "each page|/page/5/|0", a_page(5, 1)),
    (policy.test_a_nonce_is_the_pages_own_and_new_each_time, "each page|/page/5/|0|nonces", ["another"]),
    (policy.test_a_nonce_is_the_pages_own_and_new_each_time, "each page|/page/5/|1|kept", ["private"]),
    (policy.test_a_nonce_is_the_pages_own_and_new_each_time, "each page", {"/": [a_page(0, 0)]}),
    (edge.test_each_header_has_one_owner, "headers_of_the_application|page", []),
    (edge.test_each_header_has_one_owner, "headers_of_the_application|redirect|0|1", "camera=()"),
    (edge.test_each_header_has_one_owner, "headers_of_the_application|redirect|1|0", "strict-transport-security"),
    (edge.test_each_header_has_one_owner, "answers|404 of nginx|headers|4|0", "permissions-policy"),
    (edge.test_one_byte_more_than_the_limit_is_refused, "bodies|/sign-in/|one byte more", [403, False]),
    (edge.test_one_byte_more_than_the_limit_is_refused, "bodies|/sign-in/|one byte more, in chunks", [400, True]),
    (edge.test_one_byte_more_than_the_limit_is_refused, "bodies|/no-such-page/|of the limit", 413),
    (edge.test_one_byte_more_than_the_limit_is_refused, "bodies", {}),
    (edge.test_nginx_has_no_update_waiting, "nginx_packages|pending", {"nginx": "1.26.3-3 → 1.26.3-3+deb13u1"}),
    (edge.test_nginx_has_no_update_waiting, "nginx_packages|held", ["nginx"]),
    (edge.test_nginx_has_no_update_waiting, "nginx_packages|pinned", {"nginx": "1.26.3-3"}),
    (edge.test_nginx_has_no_update_waiting, "nginx_packages|days since apt looked", 30),
    (edge.test_nginx_has_no_update_waiting, "nginx_packages|packages", []),
    (edge.test_exactly_the_intended_addresses_answer, "application|routes", [*sorted(EXPECTED["addresses"]), "/zz-debug/"]),
    (edge.test_exactly_the_intended_addresses_answer, "nowhere|/admin/", 200),
    (edge.test_exactly_the_intended_addresses_answer, "nowhere", {}),
    (edge.test_a_weakness_can_be_reported_in_private, "security_txt|fields|0|1", "mailto:somebody@else.example"),
    (edge.test_a_weakness_can_be_reported_in_private, "security_txt|fields|1|1", "1999-12-31T23:59:59Z"),
    (edge.test_a_weakness_can_be_reported_in_private, "security_txt|fields|1|1", "2099-12-31T23:59:59Z"),
    (edge.test_a_weakness_can_be_reported_in_private, "security_txt|status", 404),
    (edge.test_a_flood_of_one_address_is_refused_by_nginx_while_others_are_served, "a flood|tries", ["429"] * 60),
    (edge.test_a_flood_of_one_address_is_refused_by_nginx_while_others_are_served, "a flood|served meanwhile|2", 503),
    (edge.test_a_flood_of_one_address_is_refused_by_nginx_while_others_are_served, "a flood|served meanwhile", []),
    (edge.test_a_flood_of_one_address_is_refused_by_nginx_while_others_are_served, "a flood|slowest", 9.0),
    (edge.test_a_flood_of_one_address_is_refused_by_nginx_while_others_are_served, "a flood|passed on", [60, 60]),
    (edge.test_a_flood_of_one_address_is_refused_by_nginx_while_others_are_served, "a flood|passed on", [0, 0]),
    (
        edge.test_declaring_it_too_early_is_refused_before_anything_is_changed,
        "declarations of preloading|the site's name, in the first week",
        "accepted",
    ),
    (crooked.test_crooked_requests_are_refused_by_nginx, "crooked requests|answers|two lengths", 200),
    (crooked.test_crooked_requests_are_refused_by_nginx, "crooked requests|answers|a body that stops in its middle", -1),
    (crooked.test_crooked_requests_are_refused_by_nginx, "crooked requests|answers", {}),
    (crooked.test_none_of_them_reaches_the_application, "crooked requests|marks that the application saw", ["-07", "-whole"]),
    (crooked.test_none_of_them_reaches_the_application, "crooked requests|marks that the application saw", []),
    (crooked.test_none_of_them_reaches_the_application, "crooked requests|passed on", 2),
]


@pytest.mark.parametrize(("check", "path", "value"), CHECKS, ids=[f"{check.__name__[5:50]}-{path[-30:]}" for check, path, _ in CHECKS])
def test_the_check_can_pass_and_fail(check: Any, path: str, value: Any) -> None:
    good = facts()
    assert failed(check, good) == []
    put(good, path, value)
    assert failed(check, good) != []


def test_what_has_no_fallback_is_named_in_every_expected_policy() -> None:
    for allowed in EXPECTED["policies"].values():
        assert {"base-uri", "form-action", "frame-ancestors"} <= allowed.keys()


def test_a_path_with_a_limit_of_its_own_may_send_more_than_the_others() -> None:
    *named, everything_else = EXPECTED["body_limits"].values()
    assert min(named) > everything_else


def test_each_crooked_request_is_there_once_and_carries_its_mark() -> None:
    texts = sent.requests("casemate.test", "verifier0123")
    assert len(set(texts.values())) == len(texts) >= 40
    without = [name for name, text in texts.items() if b"verifier0123" not in text]
    assert without == ["CONNECT"], "it has no path"
    assert [name for name, text in texts.items() if b"verifier0123-whole" in text] == [crooked.WHOLE]


def test_a_page_is_looked_at_as_its_policy_will_judge_it() -> None:
    body = """<html><style>@import "https://fonts.example/a.css"; p { background: url(/static/b.svg) }</style><script>x</script>
    <p style="background: url('//c.example/d.png')" onclick="y">z</p><img src="data:image/png;base64,AA"><img src="http://casemate.test/e">
    <script src="/static/f.js" nonce="n"></script><form action="https://casemate.test/g"></form><a href="https://h.example">h</a>
    <link rel="preconnect" href="https://i.example"><svg><use href="#j"></use></svg></html>"""
    seen = looked_at({"status": 200, "headers": [["content-type", "text/html"]], "body": body}, "casemate.test")
    assert seen["styles"] == ["<style>", "<p>"]
    assert seen["inline"] == ["<script>", "onclick of <p>"]
    assert seen["nonces"] == ["n"]
    assert seen["elsewhere"] == ["https://fonts.example/a.css", "//c.example/d.png", "http://casemate.test/e", "https://i.example"]
    assert (seen["drawings"], seen["policies"], seen["html"]) == (1, [], True)


def test_the_role_refuses_preloading_that_comes_too_early() -> None:
    some = ("the site's name, in the first week", "the site's name, at a year")
    answers = edge.said_to(ROOT, {name: edge.PRELOADS[name][0] for name in some})
    assert answers == dict(zip(some, ("refused", "accepted"), strict=True))
