"""What a browser reports of a policy, made safe to keep: which directive, on which page, what was asked for.

Anybody may send anything. Of an address of ours the route alone is kept (an enrolment link's path is a secret, and ids
would make one kind of violation a thousand); of others' the origin; samples of scripts are left where they came from,
since what a script works on may be anybody's secret.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.urls import Resolver404, resolve

from casemate.audit.text import visible
from casemate.policy import DIRECTIVES

ONE, SEVERAL = "application/csp-report", "application/reports+json"
TYPES = frozenset({ONE, SEVERAL})
MOST = 50  # reports of one request that are looked at
LONGEST = 200
# What a report can be of beside what a policy of ours may change.
REPORTED = DIRECTIVES | {"require-trusted-types-for", "upgrade-insecure-requests", "sandbox"}
WORD = re.compile(r"[a-z][a-z0-9+.-]{0,30}")  # inline, eval, trusted-types-sink, data, blob …
HOST = re.compile(r"[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\]")
NO_PAGE = "(no page of ours)"


class Malformed(ValueError):
    """It is not what a browser sends."""


@dataclass(frozen=True)
class Report:
    directive: str
    page: str
    blocked: str
    by_extension: bool
    on_trial: bool

    def digest(self, policy: str) -> str:
        """The same for equal reports about one policy."""
        kind = (policy, self.directive, self.page, self.blocked, self.by_extension)
        return hashlib.sha256(json.dumps(kind).encode()).hexdigest()


def read(body: bytes, content_type: str) -> list[Report]:
    """The reports about our own pages in the body of one request. Raises Malformed."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed from None
    found = list(_bodies(given, content_type))[:MOST]
    return [report for one in found if (report := _report(one)) is not None]


def _bodies(given: Any, content_type: str) -> Iterator[Mapping[str, Any]]:
    """Both forms in the names of the older one."""
    if content_type == ONE:
        if not isinstance(given, dict) or not isinstance(given.get("csp-report"), dict):
            raise Malformed
        yield given["csp-report"]
        return
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise Malformed
    for entry in given:
        body = entry.get("body")
        if entry.get("type") == "csp-violation" and isinstance(body, dict):
            yield {
                "document-uri": body.get("documentURL"),
                "effective-directive": body.get("effectiveDirective"),
                "blocked-uri": body.get("blockedURL"),
                "source-file": body.get("sourceFile"),
                "disposition": body.get("disposition"),
            }


def _report(given: Mapping[str, Any]) -> Report | None:
    """None where it is not about a page of this site, or names no directive that there is."""
    words = (_text(given, "effective-directive") or _text(given, "violated-directive")).split()
    document = _split(_text(given, "document-uri"))
    if not words or words[0] not in REPORTED or document is None or not _ours(document):
        return None
    blocked, source = _text(given, "blocked-uri"), _text(given, "source-file")
    return Report(
        directive=words[0],
        page=_page(document.path),
        blocked=_asked_for(blocked),
        by_extension=any(_scheme(address).endswith("-extension") for address in (blocked, source)),
        on_trial=_text(given, "disposition") == "report",
    )


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    return value if isinstance(value, str) else ""


def _split(address: str) -> SplitResult | None:
    try:
        return urlsplit(address)
    except ValueError:
        return None


def _ours(address: SplitResult) -> bool:
    return address.scheme == "https" and address.netloc.lower() == settings.SITE_NAME


def _page(path: str) -> str:
    """The route of a path, never the path."""
    try:
        return visible(f"/{resolve(path).route}", LONGEST)
    except (Resolver404, ValueError):
        return "/static/" if path.startswith(settings.STATIC_URL) else NO_PAGE


def _scheme(address: str) -> str:
    return address.partition(":")[0].lower()


def _asked_for(address: str) -> str:
    """A word as it is, an address of ours as its route, of others as their origin; of all else the scheme."""
    if WORD.fullmatch(address):
        return address
    split = _split(address)
    if split is None or split.scheme not in {"http", "https", "ws", "wss"}:
        scheme = _scheme(address)
        return f"{scheme}:" if WORD.fullmatch(scheme) and ":" in address else "(unreadable)"
    if _ours(split):
        return _page(split.path)
    try:
        host, port = (split.hostname or "").lower(), split.port
    except ValueError:
        return "(unreadable)"
    bracketed = f"[{host}]" if ":" in host else host
    if not HOST.fullmatch(bracketed):
        return "(unreadable)"
    return visible(f"{split.scheme}://{bracketed}{f':{port}' if port else ''}", LONGEST)
