"""The host is broken on purpose: each check turns red, the converge mends it, and a further one changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from conftest import INVENTORY, Shell, run_here, watched

MARK = "/etc/casemate/disposable"


def test_every_break_turns_its_check_red_and_is_mended() -> None:
    choice = [] if os.environ.get("CASEMATE_PROBES") == "all" else ["--sample"]
    status, words = watched(["casemate", "probe", *choice, "--inventory", INVENTORY, "--host", "casemate"], "probes")
    assert status == 0, words


@pytest.fixture
def host_that_somebody_needs(on_host: Shell) -> Iterator[None]:
    """The throwaway host without the mark that it may be broken."""
    assert on_host(f"sudo mv {MARK} {MARK}.away").returncode == 0
    yield
    assert on_host(f"sudo mv {MARK}.away {MARK}").returncode == 0


@pytest.mark.usefixtures("host_that_somebody_needs")
def test_a_host_that_is_not_marked_disposable_is_never_broken() -> None:
    refused = run_here(["casemate", "probe", "WEB-003", "--inventory", INVENTORY, "--host", "casemate"])
    assert refused.returncode == 2
    assert MARK in refused.stdout + refused.stderr
    assert "casemate" in refused.stdout + refused.stderr
