"""One person's way through the appliance in a real browser: from the enrolment link to the second sign-in.

The browser verifies the certificate against the appliance's own authority, and the journey fails on any violation of the
Content-Security-Policy, any error in the console, any failed request and any answer of 500 or more.
"""

from __future__ import annotations

import os
import re
import time

import pytest
from browsing import PASSWORD, fresh_code, screenshot
from conftest import SITE, Shell
from playwright.sync_api import Page, expect

ALICE = f"alice.{int(time.time())}@example.org"  # a new person in each run, so that the host may be kept
# The controller, as the appliance sees it.
GATEWAY = f"{os.environ.get('CASEMATE_NETWORKS') or '10.77'}.1.1"
STEPS = [
    "accounts.enrolment_link.issue 1",
    "accounts.enrolment_link.open 1",
    "accounts.enrolment_link.use 1",
    "accounts.password.set 1",
    "accounts.totp.check 0",
    "accounts.totp.enrol 1",
    "accounts.backup_codes.issue 1",
    "accounts.sign_in 1",
    "accounts.sign_out 1",
    "accounts.password.check 0",
    "accounts.password.check 1",
    "accounts.totp.check 1",
    "accounts.sign_in 1",
    "accounts.sign_out 1",
    "accounts.password.check 1",
    "accounts.backup_code.check 0",
    "accounts.backup_code.check 1",
    "accounts.sign_in 1",
]


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
    codes = page.locator(".backup-codes code").all_inner_texts()
    assert len(codes) == 10
    screenshot(page, "4-backup-codes")
    page.get_by_role("button", name="I have kept them").click()

    expect(page.locator("main")).to_contain_text(ALICE)
    expect(page.locator("main")).to_contain_text("This is your first sign-in")
    page.get_by_role("button", name="Sign out").click()

    expect(page).to_have_url(f"https://{SITE}/sign-in/")
    screenshot(page, "5-sign-in")
    page.get_by_label("E-mail address").fill(ALICE)
    page.get_by_label("Password").fill("not her password")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("The e-mail address or the password is not right.")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    screenshot(page, "6-verify")
    page.get_by_label("Code from your authenticator app").fill(fresh_code(seed))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("main")).to_contain_text(f"from {GATEWAY}. If that was not you")
    screenshot(page, "7-profile")
    page.get_by_role("button", name="Sign out").click()

    # On another day the telephone stays at home.
    page.get_by_label("E-mail address").fill(ALICE)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Use a backup code").click()
    page.get_by_label("One of your backup codes").fill("abcd-efgh-jkmn")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("That code is none of yours")).to_be_visible()
    screenshot(page, "8-by-backup-code")
    time.sleep(1.2)  # the wait after one wrong code
    page.get_by_label("One of your backup codes").fill(codes[0].upper().replace("-", " "))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="9 left").click()
    expect(page.locator("main")).to_contain_text("9 of 10 left")
    screenshot(page, "9-backup-codes-left")

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


def test_a_page_that_a_screen_reader_cannot_read_would_be_noticed(page: Page) -> None:
    page.goto(f"https://{SITE}/sign-in/")
    page.evaluate("document.querySelectorAll('label').forEach(label => label.remove())")
    with pytest.raises(AssertionError, match="label"):
        screenshot(page, "unreadable")
