"""The converged throwaway host, as an operator and as a browser reach it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from verification import chromium

ROOT = Path(__file__).parents[3]
# The throwaway host; CASEMATE_TEST_ON=up takes the host of `make up` instead, for a quick loop.
KEPT = os.environ.get("CASEMATE_TEST_ON") == "up"
STATE = ROOT / ".lab" if KEPT else ROOT / ".lab" / "test"
INVENTORY = "inventories/lab/hosts.yml" if KEPT else "inventories/test/hosts.yml"
SITE = "casemate.test"
PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=900)
REPORT_VIOLATIONS = """
addEventListener('securitypolicyviolation', e => reportViolation(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`))
"""

Shell = Callable[..., subprocess.CompletedProcess[str]]


def run_here(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout, as an operator does."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def watched(command: list[str], name: str) -> tuple[int, str]:
    """The same for long work: what it says so far stands in .lab/test/NAME.log. Its status and its words."""
    log = STATE / f"{name}.log"
    with log.open("w") as file:
        status = subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
    return status, log.read_text()


@pytest.fixture(scope="session")
def on_host() -> Shell:
    """Run a shell command on the appliance, as the administrator who has sudo."""

    def run(command: str, host: str = "casemate") -> subprocess.CompletedProcess[str]:
        return run_here(["ssh", "-F", str(STATE / "ssh_config"), host, command])

    return run


@pytest.fixture(scope="session")
def converge() -> Shell:
    """Run site.yml against the throwaway host, with further arguments of ansible-playbook."""

    def run(*arguments: str, inventory: str = INVENTORY) -> subprocess.CompletedProcess[str]:
        return run_here(["ansible-playbook", "ansible/site.yml", "-i", inventory, *arguments])

    return run


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium with one more authority, the appliance's, and nothing ignored."""
    # What a policy kept it from it tells at once, and not when a minute is over.
    with chromium.started(SITE, address(), STATE / "ca.crt", "--short-reporting-delay") as browser:
        yield browser


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
