"""One person's way through the appliance in a real browser: from the enrolment link to the second sign-in.

The browser verifies the certificate against the appliance's own authority, and the journey fails on any violation of the
Content-Security-Policy, any error in the console, any failed request and any answer of 500 or more.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import SITE, STATE, Shell
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

ALICE = f"alice.{int(time.time())}@example.org"  # a new person in each run, so that the host may be kept
# The controller, as the appliance sees it.
GATEWAY = f"{os.environ.get('CASEMATE_NETWORKS') or '10.77'}.1.1"
PASSWORD = "turnip-lantern-orbit-38"
PHONE = ViewportSize(width=390, height=844)
STEPS = [
    "accounts.enrolment_link.issue 1",
    "accounts.enrolment_link.open 1",
    "accounts.enrolment_link.use 1",
    "accounts.password.set 1",
    "accounts.totp.check 0",
    "accounts.totp.enrol 1",
    "accounts.sign_in 1",
    "accounts.sign_out 1",
    "accounts.password.check 0",
    "accounts.password.check 1",
    "accounts.totp.check 1",
    "accounts.sign_in 1",
]
DESK = ViewportSize(width=1280, height=900)
REPORT_VIOLATIONS = """
addEventListener('securitypolicyviolation', e => reportViolation(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`))
"""


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


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium with one more authority, the appliance's, and nothing ignored."""
    home = tmp_path_factory.mktemp("home")
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    nss = ["certutil", "-d", f"sql:{store}"]
    subprocess.run([*nss, "-N", "--empty-password"], check=True)
    subprocess.run([*nss, "-A", "-n", "casemate", "-t", "C,,", "-i", str(STATE / "ca.crt")], check=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            env={**os.environ, "HOME": str(home)},
            args=[
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--no-proxy-server",
                "--disable-background-networking",
                "--disable-component-update",
                f"--host-resolver-rules=MAP {SITE} {address()}",
            ],
        )
        yield chromium
        chromium.close()


def address() -> str:
    """The appliance's address, from the lab's own SSH configuration."""
    match = re.search(r"Host casemate\n\s+HostName (\S+)", (STATE / "ssh_config").read_text())
    assert match
    return match[1]


@pytest.fixture
def complaints() -> list[str]:
    """Whatever the browser had to complain of; empty at the end of a journey."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    context: BrowserContext = browser.new_context(viewport=DESK)
    context.expose_function("reportViolation", lambda text: complaints.append(f"CSP: {text}"))
    context.add_init_script(REPORT_VIOLATIONS)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(f"console: {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    page.on("requestfailed", lambda request: complaints.append(f"request: {urlsplit(request.url).path} {request.failure}"))
    page.on("response", lambda answer: complaints.append(f"{answer.status}: {answer.url}") if answer.status >= 500 else None)
    yield page
    context.close()


def screenshot(page: Page, name: str) -> None:
    """The page on a desk and on a phone, light and dark: four pictures for a person to look at."""
    place = STATE / "screens"
    place.mkdir(exist_ok=True)
    for device, size in (("desk", DESK), ("phone", PHONE)):
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            # Without motion, or the picture shows colours on their way from one scheme to the other.
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.screenshot(path=Path(place, f"{name}-{device}-{scheme}.png"))
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], f"{name} is {width} px wide on a {device} of {size['width']} px"
    page.emulate_media(color_scheme=None)
    page.set_viewport_size(DESK)


def test_alice_goes_from_her_enrolment_link_to_a_second_sign_in(page: Page, complaints: list[str], on_host: Shell) -> None:
    issued = on_host(f"sudo casemate enrol_operator {ALICE} --name Alice")
    link = re.search(rf"https://{SITE}/enrol/\S+", issued.stdout)
    assert link, issued.stdout + issued.stderr

    page.goto(link[0])
    screenshot(page, "1-password")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()

    page.get_by_text("No camera? Type the key in").click()
    seed = page.locator(".typed-key").inner_text()
    screenshot(page, "2-second-factor")
    page.get_by_label("Code from your authenticator app").fill("000000")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("That code is wrong")).to_be_visible()
    screenshot(page, "3-wrong-code")
    page.get_by_label("Code from your authenticator app").fill(fresh_code(seed))
    page.get_by_role("button", name="Confirm").click()

    expect(page.locator("main")).to_contain_text(ALICE)
    expect(page.locator("main")).to_contain_text("This is your first sign-in")
    page.get_by_role("button", name="Sign out").click()

    expect(page).to_have_url(f"https://{SITE}/sign-in/")
    screenshot(page, "4-sign-in")
    page.get_by_label("E-mail address").fill(ALICE)
    page.get_by_label("Password").fill("not her password")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("The e-mail address or the password is not right.")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    screenshot(page, "5-verify")
    page.get_by_label("Code from your authenticator app").fill(fresh_code(seed))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("main")).to_contain_text(f"from {GATEWAY}. If that was not you")
    screenshot(page, "6-profile")

    assert complaints == []
    # Each step stands in the chained log, in order, and the chain holds.
    events = on_host("sudo mariadb --batch --skip-column-names --execute 'SELECT action, success FROM casemate_audit.event ORDER BY seq'")
    assert [line.replace("\t", " ") for line in events.stdout.splitlines()][-len(STEPS) :] == STEPS
    verified = on_host("sudo casemate audit_verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_violation_would_be_noticed(page: Page, complaints: list[str]) -> None:
    """The journey's own check can fail: an inline script that the policy forbids is reported."""
    page.goto(f"https://{SITE}/sign-in/")
    page.evaluate("const s = document.createElement('img'); s.src = 'https://elsewhere.invalid/x.png'; document.body.append(s)")
    page.wait_for_timeout(300)
    assert any("CSP" in complaint for complaint in complaints), complaints
