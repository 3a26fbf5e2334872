"""What the journeys in Chromium share: codes of an authenticator app, pictures of pages, and what an assistive device makes of them."""

from __future__ import annotations

import base64
import hmac
import re
import time
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from conftest import DESK, PHONE, SITE, STATE
from playwright.sync_api import Page

PASSWORD = "turnip-lantern-orbit-38"  # of people who live for one test


def totp(seed: str, at: float) -> str:
    """RFC 6238 with SHA-1, six digits and steps of 30 seconds, as every authenticator has it."""
    key = base64.b32decode(seed.replace(" ", "").upper() + "=" * (-len(seed.replace(" ", "")) % 8))
    digest = hmac.digest(key, int(at // 30).to_bytes(8), "sha1")
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF) % 1_000_000:06d}"


def fresh_code(seed: str) -> str:
    """A code that was not used before: wait for the next step of 30 seconds."""
    time.sleep(30.2 - time.time() % 30)
    return totp(seed, time.time())


def screenshot(page: Page, name: str) -> None:
    """The page on a desk and on a phone, light and dark: four pictures for a person to look at, and axe-core finds nothing."""
    place = STATE / "screens"
    place.mkdir(exist_ok=True)
    found = []
    for device, size in (("desk", DESK), ("phone", PHONE)):
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            # Without motion, or the picture shows colours on their way from one scheme to the other.
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.screenshot(path=Path(place, f"{name}-{device}-{scheme}.png"))
            looked = Axe().run(page)
            found += [f"{name}, {device}, {scheme}: {looked.generate_report()}"] if looked.violations_count else []
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], f"{name} is {width} px wide on a {device} of {size['width']} px"
    page.emulate_media(color_scheme=None)
    page.set_viewport_size(DESK)
    assert not found, "\n".join(found)


def enrol(page: Page, printed: str) -> str:
    """Follow an enrolment link to the end of its way and return the seed of the second factor."""
    link = re.search(rf"https://{SITE}/enrol/\S+", printed)
    assert link, printed
    page.goto(link[0])
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    page.get_by_text("No camera? Type the key in").click()
    seed = page.locator(".typed-key").inner_text()
    page.get_by_label("Code from your authenticator app").fill(fresh_code(seed))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="I have kept them").click()
    return seed
