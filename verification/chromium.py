"""Chromium on the machine that verifies: one more authority, the site's own, and nothing ignored."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from verification.words import NotTestable

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROGRAMS = {"chromium": "chromium", "certutil": "libnss3-tools"}
ARGUMENTS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
)


@contextmanager
def started(site: str, address: str, anchor: Path | None, *arguments: str) -> Iterator["Browser"]:
    """A browser for which the site lies at this address. Raises NotTestable where this machine has none."""
    if missing := [package for program, package in PROGRAMS.items() if shutil.which(program) is None]:
        raise NotTestable(f"in a browser: the machine that verifies lacks {' and '.join(missing)} (apt install {' '.join(missing)})")
    from playwright.sync_api import sync_playwright  # here: nobody else waits for it

    with tempfile.TemporaryDirectory(prefix="casemate-chromium-") as home, sync_playwright() as playwright:
        trust(Path(home), anchor)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            env={**os.environ, "HOME": home},
            args=[*ARGUMENTS, *arguments, f"--host-resolver-rules=MAP {site} {address}"],
        )
        yield browser
        browser.close()


def trust(home: Path, anchor: Path | None) -> None:
    """Lays a certificate store where Chromium looks for one."""
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    nss = ["certutil", "-d", f"sql:{store}"]
    subprocess.run([*nss, "-N", "--empty-password"], check=True)
    if anchor is not None:
        subprocess.run([*nss, "-A", "-n", "casemate", "-t", "C,,", "-i", str(anchor)], check=True)
