"""The text of a policy: what may be put on trial, what may be enforced, and what counts as the same policy."""

import pytest
from django.conf import settings
from django.utils.csp import CSP, build_policy

from casemate import policy

OWN: policy.Policy = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.NONCE],
    "img-src": [CSP.SELF, "data:"],
    "upgrade-insecure-requests": True,
    "report-uri": [policy.REPORTS],
    "report-to": [policy.ENDPOINT],
}


def test_a_text_is_read_as_directives_with_their_sources() -> None:
    read = policy.parse("img-src 'self' https://*.pictures.example:8443;  font-src 'none' ;")
    assert read == {"img-src": ["'self'", "https://*.pictures.example:8443"], "font-src": ["'none'"]}
    assert policy.parse("") == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("img-scr 'self'", "'img-scr' is no directive"),
        ("report-uri https://mallory.example/", "'report-uri' is no directive"),
        ("report-to mallory", "'report-to' is no directive"),
        ("require-trusted-types-for 'none'", "is no directive"),
        ("img-src", "img-src needs its sources"),
        ("img-src 'none' 'self'", "'none' and nothing beside it"),
        ("img-src self", "img-src names 'self'"),
        ("script-src 'unsafe-inline'", "script-src names"),
        ("script-src 'nonce-abc'", "script-src names"),
        ("img-src http://in-clear.example", "img-src names"),
        ("img-src *", "img-src names"),
        ("img-src 'self'\r\nSet-Cookie: x", "img-src names"),
        ("img-src 'self'; img-src data:", "img-src is named twice"),
        ("img-src " + "https://a.example " * 100, "at most 1000 characters"),
    ],
)
def test_a_text_that_is_wrong_is_refused_with_what_is_wrong(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace("'", ".")):
        policy.parse(text)


def test_on_trial_is_the_whole_policy_with_the_changes_and_without_what_cannot_be_tried() -> None:
    tried = policy.on_trial(OWN, "img-src 'self'")
    assert build_policy(tried, "abc") == (
        "default-src 'none'; script-src 'nonce-abc'; img-src 'self'; report-uri /csp-reports/; report-to csp"
    )
    assert policy.on_trial(OWN, "") == {}


@pytest.mark.parametrize("text", ["", "img-src 'self'", "img-src 'none'", "img-src data: 'self'", "style-src 'none'"])
def test_what_allows_less_may_be_enforced(text: str) -> None:
    assert policy.tightened(OWN, text) == {**OWN, **policy.parse(text)}


@pytest.mark.parametrize(
    "text",
    [
        "img-src 'self' https://pictures.example",
        "font-src 'self'",
        "script-src 'self'",
        "script-src-elem 'self'",
        "script-src-attr data:",
        "default-src 'self'",
    ],
)
def test_what_allows_more_may_not(text: str) -> None:
    with pytest.raises(ValueError, match="which the application's own policy does not"):
        policy.tightened(OWN, text)


def test_a_policy_is_the_same_on_trial_and_enforced() -> None:
    text = "img-src 'self'"
    tried, enforced = policy.on_trial(OWN, text), policy.tightened(OWN, text)
    assert policy.told(tried) == policy.told(enforced) == "default-src 'none'; img-src 'self'; script-src 'nonce-…'"
    assert policy.digest(tried) == policy.digest(enforced) != policy.digest(OWN)


def test_nothing_is_on_trial_unless_it_is_declared() -> None:
    assert settings.SECURE_CSP_REPORT_ONLY == {}
    assert settings.SECURE_CSP == settings.CSP_OF_THE_RELEASE
