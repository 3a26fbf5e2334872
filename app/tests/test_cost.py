"""What the list page costs, as a ratio within one run: wall times differ by machine, this does not."""

import statistics
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import RequestFactory, override_settings
from django.urls import include, path

from casemate.tenancy.binding import bind
from casemate.vault.models import Password
from tests.browser import Browser
from tests.vault import HOME

ROWS, SHOWN, ROUNDS = 1000, 50, 40
CEILING = 3.0
BARE = Template(
    "<!doctype html><title>Bare</title><ul>{% for p in rows %}<li><a href='/p/{{ p.pk }}/'>{{ p.name }}</a>"
    "<span>{{ p.folder.name }}</span><span>{{ p.changed_at|date:'j M Y' }}, {{ p.changed_by.called }}</span></li>"
    "{% endfor %}</ul>"
)


def bare(_request: HttpRequest) -> HttpResponse:
    """The same rows by one query, and nothing else: no session, no person, no policy, no folders."""
    return HttpResponse(BARE.render(Context({"rows": Password.listed().filter(deleted_at=None)[:SHOWN]})))


# Beside the application's own, so that both are found in one table of addresses, which is made once.
urlpatterns = [path("bare/", bare), path("", include("casemate.urls"))]


def cpu(handler: WSGIHandler, environ: dict[str, Any]) -> Callable[[], float]:
    """CPU seconds of one answer, in this process; without the signals around it, which would close the connection."""

    def once() -> float:
        started = time.process_time()
        answer = handler.get_response(WSGIRequest({**environ}))
        assert isinstance(answer, HttpResponse)
        body = answer.content
        spent = time.process_time() - started
        assert answer.status_code == 200
        assert body.count(b"<li><a href=") >= SHOWN
        return spent

    return once


@pytest.fixture
def thousand(vault: SimpleNamespace, world: SimpleNamespace) -> SimpleNamespace:
    with bind(vault.acme.organization):
        rows = [
            Password(folder=vault.acme.folder, name=f"server {number:04d}", contents="{}", changed_by=world.bob)
            for number in range(ROWS - 2)
        ]
        Password.objects.bulk_create(rows)
    return vault.acme


@pytest.mark.urls(__name__)
def test_the_list_costs_at_most_three_bare_pages(
    thousand: SimpleNamespace, signed_in: Callable[[str], Browser], capsys: pytest.CaptureFixture[str]
) -> None:
    browser = signed_in("bob")
    environ = (
        RequestFactory(
            SERVER_NAME="casemate.test", REMOTE_ADDR="", HTTP_X_REAL_IP="192.0.2.7", HTTP_X_FORWARDED_PROTO="https"
        )
        .generic("GET", HOME)
        .environ
    )
    environ["HTTP_COOKIE"] = "; ".join(f"{name}={cookie.value}" for name, cookie in browser.cookies.items())
    whole = cpu(WSGIHandler(), environ)
    with override_settings(MIDDLEWARE=[]):
        least = cpu(WSGIHandler(), {**environ, "PATH_INFO": "/bare/"})
    spent: dict[str, list[float]] = {"list": [], "bare": []}
    for _ in range(ROUNDS):  # in turns, so that whatever else the machine does hits both
        spent["list"].append(whole())
        with bind(thousand.organization):
            spent["bare"].append(least())
    page, bare_page = (statistics.median(spent[name]) * 1000 for name in ("list", "bare"))
    told = f"list of {SHOWN} of {ROWS}: {page:.1f} ms, bare page: {bare_page:.1f} ms, ratio {page / bare_page:.2f}"
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert page / bare_page <= CEILING
