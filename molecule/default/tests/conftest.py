"""The converged throwaway host, as an operator and as a browser reach it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STATE = ROOT / ".lab" / "test"
INVENTORY = "inventories/test/hosts.yml"
SITE = "casemate.test"

Shell = Callable[..., subprocess.CompletedProcess[str]]


def run_here(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout, as an operator does."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


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
