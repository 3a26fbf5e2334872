"""Active: people in each role at the pages of the audit log: who opens them, what comes of each method, and what they offer to do."""

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from verification.remote.sections import Parameters, on_request, output
from verification.remote.visitor import Visitor, led
from verification.remote.wire import request

OWN, INSTALLATION = "/o/ORGANIZATION/audit/", "/audit/"
# Who may open which of them, and is then refused all but reading.
READERS = (("owner", OWN), ("administrator", OWN), ("auditor", OWN), ("operator", INSTALLATION))
METHODS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD")  # HEAD last: its answer has no page, and so no token
WITH_A_BODY = frozenset({"POST", "PUT", "PATCH"})
EVENTS = (
    "SELECT e.id, e.mac FROM casemate_audit.event e JOIN casemate.tenancy_organization o ON e.stream = o.id"
    " WHERE o.slug = '{slug}' ORDER BY e.id;"
)


class Reader(Visitor):
    """A browser that asks by any method, with the token of the page that it looked at last."""

    def ask(self, method: str, path: str) -> dict[str, Any]:
        site = self.parameters["site"]
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page)
        headers = f"{self._cookies()}Origin: https://{site}\r\nReferer: https://{site}{path}\r\n"
        headers += f"X-CSRFToken: {token[1] if token else ''}\r\n"
        return self._sent(request(method, path, site, headers, "delete=all" if method in WITH_A_BODY else ""))


class Offers(HTMLParser):
    """What the content of a page offers: its forms by their method, scripts' ways to send something, links, and lines with a time."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[str] = []
        self.sends: list[str] = []
        self.links: list[str] = []
        self.times = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.forms += [given.get("method", "get").lower()] if tag == "form" else []
        self.links += [given["href"]] if tag == "a" and "href" in given else []
        self.sends += [name for name in given if name.startswith(("hx-", "data-hx-")) or name in ("formaction", "formmethod")]
        self.times += tag == "time"


@on_request
def audit_pages(parameters: Parameters) -> dict[str, Any]:
    """By page what each one gets, and by reader what comes of each method; the events before that are compared with those after it."""
    ways, slug = parameters["ways"], parameters["ways"][OWN].split("/")[2]
    people = {name: Reader(parameters) for name in (*parameters["sessions"], "stranger")}
    for name, key in parameters["sessions"].items():
        people[name].jar["__Host-sessionid"] = key
    before = kept(slug)
    opened = {page: {name: led(who.get(ways[page])) for name, who in people.items()} for page in (OWN, INSTALLATION)}
    tried, offers = {}, {}
    for name, page in READERS:
        offers[f"{name} at {page}"] = offered(people[name].get(ways[page])["body"], ways[page])
        tried[f"{name} at {page}"] = {method: led(people[name].ask(method, ways[page])) for method in METHODS}
    after = kept(slug)
    return {"opened": opened, "tried": tried, "offers": offers, "events": len(before), "other events": len(before - after)}


def offered(body: str, path: str) -> dict[str, Any]:
    """What stands between the page's head and foot, where there is the way out for whoever is signed in."""
    content = Offers()
    content.feed(body.partition("<main")[2].partition("</main>")[0])
    elsewhere = sorted({link for link in content.links if urlsplit(link)._replace(query="").geturl() not in ("", path)})
    return {"forms": content.forms, "sends": content.sends, "leads elsewhere": elsewhere, "lines": content.times}


def kept(slug: str) -> set[str]:
    """Each event of the organisation with its seal."""
    return set(output("mariadb", "--batch", "--skip-column-names", stdin=EVENTS.format(slug=slug)).splitlines())
