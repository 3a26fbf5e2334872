"""What a page carries: its policies, its nonces, its own styles and scripts, and whom it makes a browser ask."""

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

# Attributes whose address a browser fetches, or sends a form to, without being told; `href` of a link to follow is none.
FETCHED = ("src", "srcset", "poster", "data", "action", "formaction", "background", "manifest", "ping")
FOLLOWED = ("a", "area")
IN_STYLES = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])([^'\")\s]+)", re.IGNORECASE)


class Page(HTMLParser):
    """Collects while it reads."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.nonces: list[str] = []
        self.styles: list[str] = []
        self.inline: list[str] = []
        self.addresses: list[str] = []
        self.drawings = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.drawings += tag == "svg"
        if tag == "style" or "style" in given:
            self.styles.append(f"<{tag}>")
        if tag == "script":
            self.nonces += [given["nonce"]] if given.get("nonce") else []
            self.inline += [] if given.get("nonce") or "src" in given else ["<script>"]
        self.inline += [f"{name} of <{tag}>" for name in given if re.fullmatch(r"on[a-z]+", name)]
        self.addresses += [value for name, value in given.items() if name in FETCHED]
        self.addresses += [given[name] for name in ("href", "xlink:href") if name in given and tag not in FOLLOWED]
        self.addresses += IN_STYLES.findall(given.get("style", ""))

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        if self.lasttag == "style":
            self.addresses += IN_STYLES.findall(data)


def looked_at(answer: dict[str, Any], site: str) -> dict[str, Any]:
    """A page as its policy will judge it."""
    headers = answer["headers"]
    page = Page()
    page.feed(answer["body"])
    return {
        "status": answer["status"],
        "html": any(name == "content-type" and value.startswith("text/html") for name, value in headers),
        "policies": [value for name, value in headers if name == "content-security-policy"],
        "kept": [value for name, value in headers if name == "cache-control"],
        "nonces": page.nonces,
        "styles": page.styles,
        "inline": page.inline,
        "elsewhere": [address for address in page.addresses if elsewhere(address, site)],
        "drawings": page.drawings,
    }


def elsewhere(address: str, site: str) -> bool:
    """Whether a browser would ask somebody else than this site for it; data: asks nobody."""
    split = urlsplit(address.strip())
    return split.netloc not in ("", site) or split.scheme not in ("", "https", "data")
