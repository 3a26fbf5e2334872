"""Reports of policy violations: taken from anybody, bounded, without secrets, grouped, shown to operators."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from casemate import limiter, policy
from casemate.accounts.models import Session
from casemate.audit.models import Event
from casemate.security import reports, services
from casemate.security.models import Trial, Violation
from tests.browser import Browser

PAGE = "https://casemate.test/sign-in/"
TRIED = "img-src 'self'"


def old(**fields: Any) -> dict[str, Any]:
    """As browsers send it that know report-uri."""
    told = {"document-uri": PAGE, "effective-directive": "img-src", "blocked-uri": "https://else.example/x.png"}
    return {"csp-report": {**told, "disposition": "enforce", **fields}}


def new(**fields: Any) -> list[dict[str, Any]]:
    """As browsers send it that know report-to."""
    told = {"documentURL": PAGE, "effectiveDirective": "img-src", "blockedURL": "https://else.example/x.png"}
    return [{"type": "csp-violation", "age": 1, "url": PAGE, "body": {**told, "disposition": "enforce", **fields}}]


def send(given: Any, browser: Browser | None = None, content_type: str = "") -> int:
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    kind = content_type or (reports.SEVERAL if isinstance(given, list) else reports.ONE)
    client = browser or Browser(enforce_csrf_checks=True)
    return client.generic("POST", policy.REPORTS, body, content_type=kind).status_code


def kinds() -> list[tuple[str, str, str, int]]:
    return list(Violation.objects.order_by("pk").values_list("directive", "page", "blocked", "count"))


@pytest.fixture
def tried(settings: Any, db: None) -> Trial:
    """A policy on trial, since twenty days."""
    settings.CSP_REPORT_ONLY, settings.CSP_QUIET = TRIED, timedelta(days=14)
    settings.SECURE_CSP_REPORT_ONLY = policy.on_trial(settings.SECURE_CSP, TRIED)
    call_command("policy_trial", "--begin", stdout=StringIO())
    Trial.objects.update(began_at=now() - timedelta(days=20))
    return Trial.objects.get()


def command(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def test_both_forms_of_a_report_are_taken_and_are_one_kind(db: None) -> None:
    assert [send(old()), send(new()), send(old())] == [204, 204, 204]
    assert kinds() == [("img-src", "/sign-in/", "https://else.example", 3)]


def test_several_reports_of_one_request_are_each_counted(db: None) -> None:
    assert send(new() + new() + new(blockedURL="inline", effectiveDirective="script-src-elem")) == 204
    assert sorted(count for *_kind, count in kinds()) == [1, 2]


def test_other_reports_of_a_browser_are_taken_and_left(db: None) -> None:
    assert send([{"type": "deprecation", "body": {"id": "x"}}, {"type": "csp-violation", "body": None}]) == 204
    assert kinds() == []


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/o/acme/vault/?q=canary", "/o/<slug:organization>/vault/"),
        ("/enrol/canary-token/#canary", "/enrol/<str:token>/"),
        ("/static/casemate/app.css", "/static/"),
        ("/canary/nowhere", "(no page of ours)"),
    ],
)
def test_of_an_address_of_ours_the_route_alone_is_kept(db: None, path: str, page: str) -> None:
    assert (
        send(old(**{"document-uri": f"https://casemate.test{path}", "blocked-uri": f"https://casemate.test{path}"}))
        == 204
    )
    assert kinds() == [("img-src", page, page, 1)]


@pytest.mark.parametrize(
    ("blocked", "kept"),
    [
        ("inline", "inline"),
        ("trusted-types-sink", "trusted-types-sink"),
        ("https://alice:canary@ELSE.example:8443/canary?canary#canary", "https://else.example:8443"),
        ("http://[2001:db8::1]/canary", "http://[2001:db8::1]"),
        ("data:text/html,canary", "data:"),
        ("chrome-extension://canary/x.js", "chrome-extension:"),
        ("javascript:canary", "javascript:"),
        ("https://else.example:port/canary", "(unreadable)"),
        ("https://[canary", "https:"),
        ("https://<script>canary</script>/", "(unreadable)"),
        ("Canary \u202e\x00", "(unreadable)"),
        ("", "(unreadable)"),
    ],
)
def test_of_what_was_asked_for_no_secret_is_kept(db: None, blocked: str, kept: str) -> None:
    sample = {
        "script-sample": "canary",
        "referrer": "https://x/canary",
        "original-policy": "canary",
        "source-file": "canary",
    }
    assert send(old(**{"blocked-uri": blocked, **sample})) == 204
    assert kinds()[0][2] == kept
    assert "canary" not in str(list(Violation.objects.values()))


@pytest.mark.parametrize(
    "fields",
    [
        {"document-uri": "https://mallory.example/"},
        {"document-uri": "http://casemate.test/"},
        {"document-uri": "about:blank"},
        {"document-uri": 7},
        {"effective-directive": "no-such-thing", "violated-directive": ""},
        {"effective-directive": None},
        {"disposition": "report"},
    ],
)
def test_what_is_about_no_policy_of_ours_is_not_listed(db: None, fields: dict[str, Any]) -> None:
    assert send(old(**fields)) == 204
    assert kinds() == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", reports.ONE, 400),
        (b"[]", reports.ONE, 400),
        (b'{"csp-report": []}', reports.ONE, 400),
        (b"{}", reports.SEVERAL, 400),
        (b"[1]", reports.SEVERAL, 400),
        (b"[" * 30_000, reports.SEVERAL, 400),
        (b"\xff\xfe", reports.ONE, 400),
        (b"{}", "application/json", 415),
        (b"{}", "text/plain", 415),
        (b" " * (64 * 1024 + 1), reports.ONE, 413),
    ],
)
def test_what_no_browser_sends_is_refused(db: None, body: bytes, content_type: str, status: int) -> None:
    assert send(body, content_type=content_type) == status
    assert kinds() == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["csp-report", "body", "type", *old()["csp-report"]]), inner)
        ),
    )
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_of_a_stranger_is_more_than_malformed(given: Any) -> None:
    for content_type in reports.TYPES:
        try:
            reports.read(json.dumps(given).encode(), content_type)
        except reports.Malformed:
            continue


@given(st.text(), st.text())
def test_any_address_is_kept_in_bounds_or_as_unreadable(blocked: str, path: str) -> None:
    told = old(**{"blocked-uri": blocked, "document-uri": f"https://casemate.test/{path}"})
    for report in reports.read(json.dumps(told).encode(), reports.ONE):
        assert max(len(report.page), len(report.blocked)) <= reports.LONGEST
        assert (report.page + report.blocked).isprintable()


def test_more_than_fifty_of_one_request_are_not_looked_at(db: None) -> None:
    assert send(new() * 80) == 204
    assert kinds() == [("img-src", "/sign-in/", "https://else.example", reports.MOST)]


def test_a_session_is_neither_asked_for_nor_made(alice: Browser) -> None:
    before = list(Session.objects.values())
    with CaptureQueriesContext(connection) as queries:
        assert send(old(), alice) == 204
    assert list(Session.objects.values()) == before
    assert not [query for query in queries if "accounts_session" in query["sql"] or "accounts_user" in query["sql"]]


def test_who_sends_too_many_is_refused_and_others_are_not(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "FROM_ONE", 2)
    assert [send(old()) for _ in range(3)] == [204, 204, 429]
    assert send(old(), Browser(address="198.51.100.9")) == 204


def test_all_together_are_bounded_too(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "FROM_ALL", 2)
    assert [send(old(), Browser(address=f"198.51.100.{last}")) for last in range(3)] == [204, 204, 429]


def test_without_the_limiter_nothing_is_taken(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_arguments: Any, **_named: Any) -> None:
        raise limiter.LimiterDown

    monkeypatch.setattr(limiter, "hit", down)
    assert send(old()) == 503
    assert kinds() == []


def test_the_list_has_an_end_and_what_comes_then_is_counted_in_one_row(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "KINDS", 3)
    for number in range(6):
        assert send(old(**{"blocked-uri": f"https://n{number}.example/"})) == 204
    assert [(blocked, count) for *_kind, blocked, count in kinds()] == [
        ("https://n0.example", 1),
        ("https://n1.example", 1),
        ("https://n2.example", 1),
        ("", 3),
    ]


def test_a_full_list_makes_room_by_what_was_not_seen_for_long(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "KINDS", 1)
    send(old())
    ago = now() - timedelta(days=91)
    Violation.objects.update(first_seen_at=ago, last_seen_at=ago)
    send(old(**{"blocked-uri": "inline"}))
    assert [blocked for *_kind, blocked, _count in kinds()] == ["inline"]


def test_one_address_does_not_fill_the_list_alone(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "NEW_FROM_ONE", 1)
    send(old())
    send(old(**{"blocked-uri": "inline"}))
    send(old(**{"blocked-uri": "eval"}), Browser(address="198.51.100.9"))
    assert [blocked for *_kind, blocked, _count in kinds()] == ["https://else.example", "", "eval"]


def test_the_database_holds_one_row_a_kind(db: None) -> None:
    send(old())
    one = Violation.objects.get()
    with pytest.raises(IntegrityError):
        Violation.objects.create(digest=one.digest, directive="img-src")


def test_a_new_kind_is_a_line_of_the_log_and_no_audit_event(db: None, caplog: pytest.LogCaptureFixture) -> None:
    before = Event.objects.count()
    send(old())
    send(old())
    told = [record.fields for record in caplog.records if record.name == "casemate.violations"]  # type: ignore[attr-defined]
    assert told == [
        {"directive": "img-src", "page": "/sign-in/", "blocked": "https://else.example", "policy": "enforced"}
    ]
    assert Event.objects.count() == before


def test_the_policy_on_trial_is_sent_beside_the_enforced_one(tried: Trial) -> None:
    answer = Browser().get("/sign-in/")
    assert "img-src 'self';" in answer["Content-Security-Policy-Report-Only"]
    assert "report-to csp" in answer["Content-Security-Policy-Report-Only"]
    assert "upgrade-insecure-requests" not in answer["Content-Security-Policy-Report-Only"]
    assert "img-src 'self' data:;" in answer["Content-Security-Policy"]


def test_a_trial_begins_once(tried: Trial, trail: Callable[[], list[tuple[str, bool]]]) -> None:
    assert command("policy_trial", "--begin") == "as it was\n"
    assert [action for action, _done in trail()].count("security.trial.begin") == 1


@pytest.fixture
def used(tried: Trial, world: SimpleNamespace) -> Trial:
    world.bob.signed_in_at = now()
    world.bob.save(update_fields=["signed_in_at"])
    return tried


def test_a_trial_in_which_nobody_signed_in_shows_nothing(tried: Trial) -> None:
    with pytest.raises(CommandError, match="Nobody has signed in since the trial began"):
        command("policy_trial", "--may-enforce", TRIED)
    assert "nobody has signed in" in command("policy_trial")


def test_a_quiet_trial_may_be_enforced(used: Trial) -> None:
    assert command("policy_trial", "--may-enforce", TRIED) == "It may be enforced.\n"
    assert command("policy_trial").endswith("It may be enforced.\n")


def test_a_new_kind_begins_the_quiet_anew_and_a_known_one_does_not(used: Trial) -> None:
    send(old(disposition="report"))
    with pytest.raises(CommandError, match=r"The last new violation of it came on .*\(14 days of quiet\)"):
        command("policy_trial", "--may-enforce", TRIED)
    Violation.objects.update(first_seen_at=now() - timedelta(days=15))
    send(old(disposition="report"))
    assert command("policy_trial", "--may-enforce", TRIED) == "It may be enforced.\n"


def test_what_had_no_place_in_the_list_may_have_been_new(used: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "KINDS", 0)
    send(old(disposition="report"))
    Violation.objects.update(first_seen_at=now() - timedelta(days=15))
    with pytest.raises(CommandError, match="The last new violation"):
        command("policy_trial", "--may-enforce", TRIED)


@pytest.mark.parametrize(
    "fields",
    [{"disposition": "enforce"}, {"disposition": "report", "blocked-uri": "moz-extension://x/"}],
)
def test_what_is_not_of_its_pages_leaves_a_trial_quiet(used: Trial, fields: dict[str, Any]) -> None:
    send(old(**fields))
    assert command("policy_trial", "--may-enforce", TRIED) == "It may be enforced.\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("img-src 'none'", "never on trial"),
        ("img-src https://cdn.example", "would allow https://cdn.example"),
        ("img-scr 'self'", "is no directive"),
    ],
)
def test_what_was_not_tried_or_allows_more_is_refused(used: Trial, text: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        command("policy_trial", "--may-enforce", text)


def test_what_is_enforced_already_may_stay(db: None, settings: Any) -> None:
    settings.SECURE_CSP = policy.tightened(settings.CSP_OF_THE_RELEASE, TRIED)
    assert command("policy_trial", "--may-enforce", TRIED) == "It may be enforced.\n"


def test_an_operator_takes_one_off_the_list_and_that_is_recorded(
    used: Trial, trail: Callable[[], list[tuple[str, bool]]]
) -> None:
    send(old(disposition="report"))
    number = json.loads(command("violations", "--json"))["number"]
    assert command("violations", "--forget", str(number)).startswith("Forgotten: img-src on /sign-in/")
    assert kinds() == []
    assert trail()[-1] == ("security.violation.forget", True)
    assert command("policy_trial", "--may-enforce", TRIED) == "It may be enforced.\n"
    with pytest.raises(CommandError, match="There is no violation"):
        command("violations", "--forget", str(number))


def test_the_command_lists_what_came(used: Trial) -> None:
    assert command("violations") == "No browser has reported a violation.\n"
    send(old(disposition="report"))
    send(old())
    listed = command("violations").splitlines()
    assert [line.split("  ")[3:] for line in listed] == [
        ["enforced", "img-src on /sign-in/: https://else.example"],
        ["on trial", "img-src on /sign-in/: https://else.example"],
    ]


def test_an_operator_sees_the_list_and_nobody_else_does(used: Trial, signed_in: Callable[[str], Browser]) -> None:
    send(old(disposition="report"))
    send(old(**{"blocked-uri": "moz-extension://x/"}))
    olga = signed_in("olga")
    with CaptureQueriesContext(connection) as queries:
        page = olga.get("/violations/").text
    assert len(queries) <= 12, "\n".join(query["sql"] for query in queries)
    for word in ("https://else.example", "img-src on /sign-in/", "on trial", "Not yet to be enforced", "extension"):
        assert word in page
    for name in ("alice", "arthur", "mallory"):
        assert signed_in(name).get("/violations/").status_code == 403


def test_the_page_says_so_where_nothing_is_on_trial_and_nothing_came(signed_in: Callable[[str], Browser]) -> None:
    page = signed_in("olga").get("/violations/").text
    assert "No browser has reported a violation." in page
    assert "csp_report_only" in page
