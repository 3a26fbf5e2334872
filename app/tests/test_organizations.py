"""Who gets into an organisation, and who changes who gets in."""

import re
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from casemate.audit.models import Event
from casemate.tenancy.binding import NoTenantBound, bound_organization_id
from casemate.tenancy.permissions import Permission, allows
from tests.browser import Browser

SignedIn = Callable[[str], Browser]


def under_organizations() -> list[URLPattern]:
    def leaves(resolver: URLResolver) -> list[URLPattern]:
        found: list[URLPattern] = []
        for entry in resolver.url_patterns:
            found += leaves(entry) if isinstance(entry, URLResolver) else [entry]
        return found

    (mounted,) = [r for r in get_resolver().url_patterns if str(r.pattern).startswith("o/")]
    return leaves(mounted)


@pytest.mark.parametrize("route", under_organizations(), ids=lambda route: route.name)
def test_each_view_of_an_organisation_says_what_it_needs(route: URLPattern) -> None:
    assert isinstance(getattr(route.callback, "permission", None), Permission)


def kind(converter: Any) -> str:
    return type(converter).__name__.removesuffix("Converter").lower()


def test_each_view_of_an_organisation_opens_to_whoever_has_its_right_and_to_nobody_else(
    signed_in: SignedIn, world: SimpleNamespace
) -> None:
    """Every route, asked by everyone; ids in it are nobody's, so that 404 is the answer to who may look."""
    known = {name: membership for name, membership in world.membership.items() if name != "mallory"}
    browsers = {name: signed_in(name) for name in (*known, "mallory", "olga")}
    for route in under_organizations():
        nobodys = {"uuid": uuid.uuid4(), "int": 1}
        arguments = {name: nobodys[kind(converter)] for name, converter in route.pattern.converters.items()}
        path = reverse(route.name, kwargs={**arguments, "organization": "acme"})
        needed = route.callback.permission
        for name, browser in browsers.items():
            status = browser.get(path).status_code
            if name not in known:
                assert status == 404, (name, path)
            elif allows(known[name].role, needed):
                assert status in {200, 302, 405} or (arguments and status == 404), (name, path, status)
            else:
                assert status == 403, (name, path)


def test_the_organisation_is_bound_for_its_views_alone(signed_in: SignedIn, monkeypatch: Any) -> None:
    browser = signed_in("bob")
    assert browser.get("/o/acme/members/").status_code == 200
    with pytest.raises(NoTenantBound):
        bound_organization_id()


@pytest.mark.parametrize("slug", ["acme", "nowhere", "ACME", "Globex"])
def test_mallory_is_told_the_same_whether_it_exists_or_not(
    signed_in: SignedIn, world: SimpleNamespace, slug: str
) -> None:
    browser = signed_in("mallory")
    other, answer = browser.get("/o/never-there/members/"), browser.get(f"/o/{slug}/members/")
    assert answer.status_code == other.status_code == 404
    token = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')
    assert token.sub("", answer.text) == token.sub("", other.text)


@pytest.mark.parametrize("slug", ["acme", "nowhere"])
def test_what_mallory_asked_for_is_on_the_installations_log(
    signed_in: SignedIn, world: SimpleNamespace, slug: str
) -> None:
    signed_in("mallory").get(f"/o/{slug}/members/")
    event = Event.objects.latest("pk")
    assert (event.stream, event.action, event.success) == ("installation", "organizations.access.unknown", False)
    assert (event.actor_label, event.target_label) == (world.mallory.email, slug)


def test_a_member_without_the_right_gets_403_on_the_organisations_own_log(
    signed_in: SignedIn, world: SimpleNamespace
) -> None:
    answer = signed_in("carol").get("/o/acme/members/")
    assert answer.status_code == 403
    event = Event.objects.latest("pk")
    assert (event.stream, event.action) == (str(world.acme.pk), "organizations.access.refuse")
    assert event.detail == {"right": "members.view", "role": "viewer", "times": 1}


def test_an_operator_belongs_nowhere_by_being_one(signed_in: SignedIn) -> None:
    assert signed_in("olga").get("/o/acme/members/").status_code == 404


def test_a_membership_id_of_another_organisation_is_not_found(signed_in: SignedIn, world: SimpleNamespace) -> None:
    browser = signed_in("alice")
    for member_id in (world.membership["mallory"].pk, uuid.uuid4()):
        for tail in ("", "confirm/", "end/"):
            path = f"/o/acme/members/{member_id}/{tail}"
            assert browser.get(path).status_code == 404
            assert browser.post(path, {"role": "viewer"}).status_code == 404
