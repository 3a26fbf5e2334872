"""A password's way: an organisation with its owner, a folder, stored, listed, revealed, copied, changed; and who saw it.

The same browser and the same strictness as in test_journey.py.
"""

from __future__ import annotations

import time

import pytest
from browsing import enrol, fresh_code, screenshot
from conftest import SITE, Shell
from playwright.sync_api import Page, expect

RUN = int(time.time())  # new names in each run, so that the host may be kept
ACME = f"acme-{RUN}"
BOB = f"bob.{RUN}@example.org"
MALLORY = f"mallory.{RUN}@example.org"
# Marked, so that a search for them can tell where they went.
SECRET, FORMER, USER_NAME, NOTES = (f"canary-{part}-{RUN}" for part in ("now", "former", "user", "notes"))
REASON = "Ticket 4711: the printer is offline"
ID = f"(SELECT REPLACE(id, '-', '') FROM casemate.tenancy_organization WHERE slug = '{ACME}')"  # noqa: S608 (our own slug)
EVENTS = f"SELECT action FROM casemate_audit.event WHERE REPLACE(stream, '-', '') = {ID} ORDER BY seq"  # noqa: S608
STEPS = [
    "vault.folder.create",
    "vault.password.create",
    "vault.password.reveal",
    "vault.password.copy",
    "vault.password.change",
    "vault.revision.reveal",
]


@pytest.fixture
def bob(page: Page, on_host: Shell) -> str:
    """The owner of a new organisation, signed in; the seed of his second factor."""
    made = on_host(f'sudo casemate create_organization "Acme Ltd" --slug {ACME} --owner {BOB}')
    return enrol(page, made.stdout + made.stderr)


def test_bob_stores_a_password_and_everybody_can_see_who_saw_it(page: Page, complaints: list[str], on_host: Shell, bob: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=f"https://{SITE}")
    page.get_by_role("link", name="Acme Ltd").first.click()
    expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    screenshot(page, "10-vault-empty")

    page.get_by_role("button", name="Make the first folder").click()
    page.get_by_label("Name", exact=True).fill("Printers")
    page.get_by_label("Ask for a reason").check()
    screenshot(page, "11-folder-new")
    page.get_by_role("button", name="Make the folder").click()
    expect(page.get_by_role("link", name="Printers", exact=True)).to_be_visible()

    page.goto(f"https://{SITE}/o/{ACME}/vault/new/")
    page.get_by_label("Name", exact=True).fill("Printer on floor 2")
    page.get_by_label("Folder").select_option(label="Printers")
    page.get_by_label("User name").fill(USER_NAME)
    page.get_by_role("textbox", name="Password").fill(FORMER)
    page.get_by_label("Notes").fill(NOTES)
    screenshot(page, "12-password-new")
    page.get_by_role("button", name="Seal and store").click()
    expect(page.get_by_role("heading", name="Printer on floor 2")).to_be_visible()
    screenshot(page, "13-password")

    page.get_by_role("navigation", name="Acme Ltd").get_by_role("link", name="Vault").click()
    expect(page.get_by_role("main")).to_contain_text("Printer on floor 2")
    expect(page.get_by_role("main")).not_to_contain_text("canary")
    screenshot(page, "14-vault")

    page.get_by_role("link", name="Printer on floor 2").click()
    page.get_by_role("button", name="Reveal").click()
    expect(page.locator(".errorlist")).to_be_visible()
    expect(page.get_by_role("main")).not_to_contain_text("canary")  # no reason, no password
    page.get_by_label("Why do you need it?").fill(REASON)
    page.get_by_role("button", name="Reveal").click()
    expect(page.get_by_text(FORMER)).to_be_visible()
    page.get_by_role("button", name="Copy the Password").click()
    expect(page.get_by_text("Copied, and recorded.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == FORMER
    screenshot(page, "15-revealed")
    page.get_by_role("link", name="Hide it now").click()
    expect(page.get_by_role("main")).to_contain_text(REASON)
    expect(page.get_by_role("main")).not_to_contain_text("canary")

    page.get_by_role("button", name="Edit").click()
    page.get_by_role("textbox", name="Password").fill(SECRET)
    screenshot(page, "16-password-edit")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("main")).to_contain_text("Version 2")
    page.get_by_role("button", name="History").click()
    expect(page.get_by_role("main")).to_contain_text("Version 1")
    screenshot(page, "17-history")
    page.get_by_role("link", name="Reveal version 1").click()
    page.get_by_label("Why do you need it?").fill(REASON)
    page.get_by_role("button", name="Reveal").click()
    expect(page.get_by_text(FORMER)).to_be_visible()
    page.get_by_role("link", name="Hide it now").click()

    page.get_by_role("link", name="Audit").click()
    expect(page.get_by_role("main")).to_contain_text(REASON)
    screenshot(page, "18-audit")
    page.get_by_role("link", name="Members").click()
    screenshot(page, "19-members")

    page.goto(f"https://{SITE}/step-up/?next=/o/{ACME}/vault/")
    screenshot(page, "20-step-up")
    page.get_by_label("Code from your authenticator app").fill(fresh_code(bob))
    page.get_by_role("button", name="Confirm").click()
    expect(page).to_have_url(f"https://{SITE}/o/{ACME}/vault/")

    assert complaints == []
    events = on_host(f'sudo mariadb --batch --skip-column-names --execute "{EVENTS}"').stdout.split()
    assert [event for event in events if event.startswith("vault.")] == STEPS
    verified = on_host("sudo casemate audit_verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert rows_with(on_host, ACME) > 0
    assert rows_with(on_host, "canar[y]-") == 0
    assert logged_in_clear(on_host) == ""


def test_mallory_of_another_organisation_finds_nothing(page: Page, on_host: Shell) -> None:
    """No complaint is counted here: a 404 is what the browser is meant to see."""
    made = on_host(f'sudo casemate create_organization "Mallory and Sons" --slug mallory-{RUN} --owner {MALLORY}')
    enrol(page, made.stdout + made.stderr)
    for place in ("", "vault/", "audit/", "members/"):
        told = []
        for slug in (ACME, "there-is-none"):
            answer = page.goto(f"https://{SITE}/o/{slug}/{place}")
            assert answer is not None
            told.append((answer.status, page.get_by_role("main").inner_text()))
        assert told[0] == told[1], "the answer tells whether an organisation exists"
        assert told[0][0] == 404
    screenshot(page, "21-nothing-here")


# The brackets keep sudo's own line about a command from being what is found.


def rows_with(on_host: Shell, text: str) -> int:
    """How many lines of a dump of every table have it: in the files all of it is encrypted once more."""
    return int(on_host(f"sudo mariadb-dump --all-databases --single-transaction | grep --text --count -e '{text}'").stdout)


def logged_in_clear(on_host: Shell) -> str:
    """Where a marked value stands readable in the logs and the journal."""
    return on_host(
        "sudo grep --recursive --files-with-matches --text 'canar[y]-' /var/log /run/log;"
        " sudo journalctl --quiet --no-pager --grep 'canar[y]-' --output cat"
    ).stdout
