"""The content security policy as text: what declared.yml puts on trial, and what it enforces after one.

Such a text names directives; each takes the place of the application's own of that name, and all others stay.
"""

import hashlib
import re
from collections.abc import Mapping

from django.utils.csp import CSP

type Policy = Mapping[str, list[str] | bool]

# Where browsers report to, and the name under which the header Reporting-Endpoints knows it.
REPORTS, ENDPOINT = "/csp-reports/", "csp"
DIRECTIVES = frozenset(
    {
        *("default-src", "script-src", "script-src-elem", "script-src-attr", "style-src", "style-src-elem"),
        *("style-src-attr", "img-src", "font-src", "media-src", "object-src", "frame-src", "child-src", "worker-src"),
        *("manifest-src", "connect-src", "form-action", "frame-ancestors", "base-uri", "trusted-types"),
    }
)
SOURCE = re.compile(r"'(?:none|self)'|data:|blob:|https://(?:\*\.)?[a-z0-9][a-z0-9.-]{0,251}(?::\d{1,5})?")
LONGEST = 1000
# What no report-only policy can do; Chromium complains of the first on every page.
NOT_ON_TRIAL = {"upgrade-insecure-requests", "sandbox"}
# How a policy is told, and nothing that it stops.
ABOUT_REPORTS = {"report-uri", "report-to"}


def parse(text: str) -> dict[str, list[str]]:
    """Read `img-src 'self'; font-src 'none'`. Raises ValueError with a sentence that names what is wrong."""
    if len(text) > LONGEST:
        raise ValueError(f"a policy is at most {LONGEST} characters long, and this one has {len(text)}")
    found: dict[str, list[str]] = {}
    for name, *sources in (part.split() for part in text.split(";") if part.strip()):
        if name not in DIRECTIVES:
            raise ValueError(f"{name!r} is no directive that can be changed; those are {', '.join(sorted(DIRECTIVES))}")
        if name in found:
            raise ValueError(f"{name} is named twice; browsers heed the first alone")
        if wrong := [source for source in sources if not SOURCE.fullmatch(source)]:
            raise ValueError(
                f"{name} names {wrong[0]!r}; a source is 'none', 'self', data:, blob: or https:// and a host"
            )
        if not sources or ("'none'" in sources and len(sources) > 1):
            raise ValueError(f"{name} needs its sources, or 'none' and nothing beside it")
        found[name] = sources
    return found


def on_trial(own: Policy, text: str) -> Policy:
    """The whole policy that is tried; none where the text is empty."""
    changes = parse(text)
    kept = {name: sources for name, sources in own.items() if name not in NOT_ON_TRIAL}
    return {**kept, **changes} if changes else {}


def tightened(own: Policy, text: str) -> Policy:
    """The whole policy with these changes, none of which may allow what the application's own does not."""
    changes = parse(text)
    for name, sources in changes.items():
        more = [source for source in sources if source not in ("'none'", *allowed(own, name))]
        if more:
            raise ValueError(f"{name} would allow {more[0]}, which the application's own policy does not")
    return {**own, **changes}


def allowed(own: Policy, name: str) -> list[str]:
    """The sources of a directive, or of the one that counts in its place."""
    for called in (name, name.removesuffix("-elem").removesuffix("-attr"), "default-src"):
        if isinstance(sources := own.get(called), list):
            return sources
    return []


def told(policy: Policy) -> str:
    """One text for all that stops the same: in one order, with one word for every nonce."""
    parts = []
    for name, sources in sorted(policy.items()):
        if name not in ABOUT_REPORTS | NOT_ON_TRIAL:
            words = sources if isinstance(sources, list) else []
            parts.append(" ".join([name, *("'nonce-…'" if word == CSP.NONCE else word for word in words)]))
    return "; ".join(parts)


def digest(policy: Policy) -> str:
    return hashlib.sha256(told(policy).encode()).hexdigest()
