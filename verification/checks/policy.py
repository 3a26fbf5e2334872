"""The content security policy: on what a stranger gets, and on every page that a person with a vault looks at."""

import re
from collections.abc import Iterator
from typing import Any

from verification import walk
from verification.breaking import patch_application
from verification.checks.edge import loaded
from verification.checks.web import curl, directives, kinds, values
from verification.host import Host
from verification.marks import control, probe
from verification.walk import trust_anchor as _anchor
from verification.witness import Witness

Expected = dict[str, Any]
Policy = dict[str, list[str]]
NONCE = re.compile(r"'nonce-[^']+'")
NO_NONCE = "'nonce-…'"
SHOW = "the console of a browser's developer tools"
UPGRADE = "upgrade-insecure-requests"
LEAST = 15  # pages that an owner looks at


def html_kinds(host: Host) -> list[str]:
    """The kinds of answer that are pages."""
    return [kind for kind in kinds(host) if any(value.startswith("text/html") for value in values(host, kind, "content-type"))]


def policies(host: Host) -> Iterator[tuple[str, list[str], str]]:
    """Of each page that a stranger gets: what it is, its policies, and the command that shows them."""
    for kind in html_kinds(host):
        yield kind, values(host, kind, "content-security-policy"), curl(host, kind)


def pages(host: Host) -> dict[str, list[dict[str, Any]]]:
    """Each page of a person who is signed in, and the one with the code for the second factor; each page twice."""
    seen = host.household("each page").seen
    enrolment = [one["page of the second factor"] for one in seen["enrolments"].values()]
    return {**seen["each page"], "/enrol/totp/": enrolment}


def wanted(expected: Expected, kind: str) -> Policy:
    """What the one that answers lays on its pages."""
    policy: Policy = expected["policies"]["nginx" if kind.endswith("of nginx") else "application"]
    return policy


def plain(policies: list[str]) -> list[Policy]:
    """Policies with the same word for every nonce."""
    return [directives(NONCE.sub(NO_NONCE, policy)) for policy in policies]


def with_scripts(policy: Policy, nonces: int) -> Policy:
    """A page without a script names no nonce: then the fallback denies scripts."""
    return policy if nonces else {name: sources for name, sources in policy.items() if sources != [NO_NONCE]}


def on_each(host: Host, see: Witness, name: str, expected: Expected) -> None:
    """The sources of a directive (or of default-src, which counts in its place) on each page that a stranger gets."""
    for kind, found, show in policies(host):
        allowed = wanted(expected, kind)
        see.exactly(
            f"{name} on: {kind}", [one.get(name, one.get("default-src")) for one in plain(found)], [effective(allowed, name)], show=show
        )


def on_each_page(host: Host, see: Witness, name: str, expected: Expected) -> None:
    """The same on each page of somebody who is signed in, whose markup asks nobody else for anything."""
    looked = pages(host)
    see.at_least("pages that were looked at", len(looked), LEAST)
    allowed = effective(wanted(expected, "page"), name)
    for path, twice in looked.items():
        see.exactly(
            f"{name} on {path}",
            [[one.get(name, one.get("default-src")) for one in plain(page["policies"])] for page in twice],
            [[allowed]] * len(twice),
        )
        see.exactly(f"other hosts that {path} asks for something", [page["elsewhere"] for page in twice], [[]] * len(twice))


def effective(policy: Policy, name: str) -> list[str]:
    return policy.get(name, policy["default-src"])


@control("WEB-006")
def test_what_the_policy_does_not_name_is_not_loaded(host: Host, see: Witness) -> None:
    found = list(policies(host))
    see.at_least("kinds of answer that are pages", len(found), len(kinds(host)) - 1)
    for kind, given, show in found:
        see.exactly(
            f"default-src of each policy on: {kind}", [directives(one).get("default-src") for one in given], [["'none'"]], show=show
        )


@control("WEB-006", active=True)
def test_nor_on_the_pages_behind_the_sign_in(host: Host, see: Witness) -> None:
    looked = pages(host)
    see.at_least("pages that were looked at", len(looked), LEAST)
    for path, twice in looked.items():
        seen = [[directives(one).get("default-src") for one in page["policies"]] for page in twice]
        see.exactly(f"default-src of each policy on {path}", seen, [[["'none'"]]] * len(twice))


@probe("WEB-006", touches=("settings: default-src",), spoils=("WEB-007", "WEB-010", "WEB-011", "WEB-013"))
def our_own_origin_becomes_the_fallback(host: Host) -> None:
    patch_application(host, "settings.py", '"default-src": [CSP.NONE]', '"default-src": [CSP.SELF]')


@control("WEB-007")
def test_the_policy_has_exactly_the_expected_directives(host: Host, see: Witness, expected: Expected) -> None:
    found = list(policies(host))
    see.at_least("kinds of answer that are pages", len(found), len(kinds(host)) - 1)
    for kind, given, show in found:
        nonces = sum(len(NONCE.findall(one)) for one in given)
        see.exactly(f"policies on: {kind}", plain(given), [with_scripts(wanted(expected, kind), nonces)], show=show)


@control("WEB-007", active=True)
def test_the_pages_behind_the_sign_in_have_the_same(host: Host, see: Witness, expected: Expected) -> None:
    looked = pages(host)
    see.at_least("pages that were looked at", len(looked), LEAST)
    for path, twice in looked.items():
        seen = [plain(page["policies"]) for page in twice]
        see.exactly(f"policies on {path}", seen, [[with_scripts(wanted(expected, "page"), len(page["nonces"]))] for page in twice])


@probe("WEB-007", touches=("settings: form-action",), spoils=("WEB-013",))
def a_form_to_a_payment_service_does_not_work(host: Host) -> None:
    patch_application(host, "settings.py", '    "form-action": [CSP.SELF],\n', "")


@control("WEB-009")
def test_only_our_own_style_sheets_apply(host: Host, see: Witness, expected: Expected) -> None:
    on_each(host, see, "style-src", expected)
    for kind in html_kinds(host):
        body = host.outside["answers"][kind]["body"]
        see.exactly(
            f"style elements and attributes on: {kind}",
            re.findall(r"<style\b|<[^>]*\sstyle\s*=", body, re.IGNORECASE),
            [],
            show=curl(host, kind),
        )


@control("WEB-009", active=True)
def test_a_walk_through_all_pages_finds_nothing_that_the_policy_forbids(host: Host, see: Witness, expected: Expected) -> None:
    on_each_page(host, see, "style-src", expected)
    for path, twice in pages(host).items():
        see.exactly(f"style elements and attributes on {path}", [page["styles"] for page in twice], [[]] * len(twice))
        see.exactly(f"inline scripts without a nonce, and handlers, on {path}", [page["inline"] for page in twice], [[]] * len(twice))


@probe("WEB-009", touches=("settings: style-src",), spoils=("WEB-007",))
def inline_styles_are_allowed_for_an_old_editor(host: Host) -> None:
    patch_application(host, "settings.py", '"style-src": [CSP.SELF]', '"style-src": [CSP.SELF, CSP.UNSAFE_INLINE]')


@control("WEB-010")
def test_fonts_come_from_here_or_not_at_all(host: Host, see: Witness, expected: Expected) -> None:
    on_each(host, see, "font-src", expected)
    sheets = host.inside["style_sheets"]
    see.at_least("style sheets of the release", len(sheets), 2, show="ls /opt/casemate/current/static")
    for name, fetched in sheets.items():
        foreign = [address for address in fetched if not address.startswith(("data:", "#")) and re.match(r"[a-z]+:|//", address)]
        see.exactly(f"addresses of others in {name}", foreign, [], show=f"grep -o 'url([^)]*)' /opt/casemate/current/static/{name}")


@control("WEB-010", active=True)
def test_no_page_asks_another_host_for_a_font(host: Host, see: Witness, expected: Expected) -> None:
    on_each_page(host, see, "font-src", expected)


@probe("WEB-010", touches=("settings: font-src",), spoils=("WEB-007",))
def a_designer_wants_the_fonts_of_a_cdn(host: Host) -> None:
    patch_application(
        host, "settings.py", '    "frame-ancestors": [CSP.NONE],\n', '    "frame-ancestors": [CSP.NONE],\n    "font-src": ["https:"],\n'
    )


@control("WEB-011")
def test_frames_and_connections_go_to_no_other_host(host: Host, see: Witness, expected: Expected) -> None:
    on_each(host, see, "frame-src", expected)
    on_each(host, see, "connect-src", expected)


@control("WEB-011", active=True)
def test_nor_do_those_of_the_pages_behind_the_sign_in(host: Host, see: Witness, expected: Expected) -> None:
    on_each_page(host, see, "frame-src", expected)
    for path, twice in pages(host).items():
        allowed = effective(wanted(expected, "page"), "connect-src")
        see.exactly(
            f"connect-src on {path}",
            [[one.get("connect-src") for one in plain(page["policies"])] for page in twice],
            [[allowed]] * len(twice),
        )


@probe("WEB-011", touches=("settings: connect-src",), spoils=("WEB-007",))
def a_script_may_report_to_anywhere(host: Host) -> None:
    patch_application(host, "settings.py", '"connect-src": [CSP.SELF]', '"connect-src": [CSP.SELF, "https:"]')


@control("WEB-012")
def test_pictures_come_from_here(host: Host, see: Witness, expected: Expected) -> None:
    on_each(host, see, "img-src", expected)


@control("WEB-012", active=True)
def test_the_code_for_the_second_factor_is_drawn_in_the_page(host: Host, see: Witness, expected: Expected) -> None:
    on_each_page(host, see, "img-src", expected)
    drawn = [page["drawings"] for page in pages(host)["/enrol/totp/"]]
    see.exactly("pictures drawn in the page that enrols, for each of three people", drawn, [1] * 3)


@probe("WEB-012", touches=("settings: img-src",), spoils=("WEB-007",))
def the_code_is_to_be_drawn_by_a_service_again(host: Host) -> None:
    patch_application(host, "settings.py", '"img-src": [CSP.SELF, "data:"]', '"img-src": [CSP.SELF, "data:", "https://qr.example.com"]')


@control("WEB-015")
def test_browsers_are_told_to_fetch_everything_over_https(host: Host, see: Witness) -> None:
    found = list(policies(host))
    see.at_least("kinds of answer that are pages", len(found), len(kinds(host)) - 1)
    for kind, given, show in found:
        see.exactly(f"{UPGRADE} on: {kind}", [directives(one).get(UPGRADE) for one in given], [[]], show=show)


@control("WEB-015", active=True)
def test_so_are_they_behind_the_sign_in(host: Host, see: Witness) -> None:
    looked = pages(host)
    see.at_least("pages that were looked at", len(looked), LEAST)
    for path, twice in looked.items():
        seen = [[directives(one).get(UPGRADE) for one in page["policies"]] for page in twice]
        see.exactly(f"{UPGRADE} on {path}", seen, [[[]]] * len(twice))


@control("WEB-015", active=True)
def test_a_browser_asks_over_https_where_a_page_says_http(host: Host, see: Witness, declared: Expected) -> None:
    seen = host.trial("a stay in a browser", lambda host: walk.stayed(host, _anchor(declared)))
    scheme, _, rest = seen["a picture by an address in clear"].partition("://")
    see.exactly("whence a picture came that was asked for in clear", [scheme, rest.split("/")[0]], ["https", host.site], show=SHOW)


@probe("WEB-015", touches=("settings: upgrade",), spoils=("WEB-007",))
def an_old_device_is_to_be_shown_in_a_page_over_http(host: Host) -> None:
    patch_application(host, "settings.py", f'    "{UPGRADE}": True,\n', "")


@control("WEB-016")
def test_nothing_between_stores_a_page(host: Host, see: Witness) -> None:
    caches = ("proxy_cache", "proxy_cache_path", "proxy_store", "fastcgi_cache", "scgi_cache", "uwsgi_cache", "proxy_ignore_headers")
    found = [f"{one.name} {' '.join(one.words)}" for one in loaded(host).all(*caches) if one.words != ("off",)]
    see.exactly("what lets nginx store an answer", found, [], show="sudo nginx -T | grep -E 'cache|store'")


@control("WEB-016", active=True)
def test_a_nonce_is_the_pages_own_and_new_each_time(host: Host, see: Witness) -> None:
    looked = {path: twice for path, twice in pages(host).items() if any(page["nonces"] for page in twice)}
    see.at_least("pages with a nonce", len(looked), 5)
    every: list[str] = []
    for path, twice in looked.items():
        named = [[one[7:-1] for policy in page["policies"] for one in sorted(set(NONCE.findall(policy)))] for page in twice]
        see.exactly(f"nonces in the header of {path}", named, [sorted(set(page["nonces"])) for page in twice])
        see.exactly(f"what a browser may keep of {path}", [page["kept"] for page in twice], [["no-store"]] * len(twice))
        every += [nonce for nonces in named for nonce in nonces]
    see.exactly("nonces that came twice", sorted({nonce for nonce in every if every.count(nonce) > 1}), [])
    see.at_least("characters of the shortest", min(map(len, every), default=0), 22)


@probe("WEB-016", touches=("settings: nonce",))
def the_nonce_is_made_once_for_all(host: Host) -> None:
    once = "import django.utils.csp\n\ndjango.utils.csp.generate_nonce = lambda: 'always-the-same-nonce-here'\nDEBUG = False\n"
    patch_application(host, "settings.py", "DEBUG = False\n", once)
