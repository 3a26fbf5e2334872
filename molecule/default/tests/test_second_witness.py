"""OpenSCAP and lynis on the converged host: each thing they find wanting has an answer of ours, and nothing of them stays there."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import INVENTORY, ROOT, Shell

pytestmark = pytest.mark.skipif(os.environ.get("CASEMATE_PROBES") != "all", reason="takes a minute: make test-full")
# Whatever is installed, configured or cached. Below /var/log and /var/lib the services themselves write all the time.
CHANGED = (
    "sudo find /etc /usr /opt /root /home /boot /srv /var/lib/dpkg /var/lib/apt /var/cache /tmp /var/tmp -mindepth 1 -xdev"
    " -printf '%p %s %m %T@\\n' | grep -v '/systemd-private-' | sort"
)
LEFT = "ls -d /run/cm2nd /run/lynis.pid /var/log/lynis* 2>/dev/null; systemctl list-units --all --plain --no-legend 'casemate-second-*'"
VERIFY = ["casemate", "verify", "--inventory", INVENTORY, "--second-witness", "--only", "HOST-002"]


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory, on_host: Shell) -> dict[str, Any]:
    """The part of the results, and the host's files before and after."""
    folder = tmp_path_factory.mktemp("evidence")
    before = on_host(CHANGED).stdout.splitlines()
    ran = subprocess.run([*VERIFY, "--evidence", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (results,) = folder.glob("*/results.json")
    after = on_host(CHANGED).stdout.splitlines()
    found: dict[str, Any] = json.loads(results.read_text())["second_witness"]
    return {**found, "changed": sorted({*before} ^ {*after})}


def test_each_thing_that_others_find_wanting_has_an_answer(heard: dict[str, Any]) -> None:
    (host,) = heard["hosts"]
    unexplained = [(entry["rule"], entry["title"]) for entry in host["disagreements"] if entry["state"] == "unexplained"]
    assert unexplained == []
    assert heard["stale"] == []


def test_they_judged_a_whole_server(heard: dict[str, Any]) -> None:
    (host,) = heard["hosts"]
    judged = {witness["name"]: witness["counts"] for witness in host["witnesses"]}
    assert [name for name, counts in judged.items() if name != "lynis" and counts["pass"] < 200] == []
    assert judged["lynis"]["tests run"] > 200


def test_nothing_of_them_stays_on_the_host(heard: dict[str, Any], on_host: Shell) -> None:
    assert heard["changed"] == []
    assert on_host(LEFT).stdout == ""


def until(true: Callable[[], bool], seconds: int = 20) -> bool:
    ends = time.monotonic() + seconds
    while not true():
        if time.monotonic() > ends:
            return False
        time.sleep(0.5)
    return True


def test_a_controller_that_dies_leaves_nothing_on_the_host(on_host: Shell, tmp_path: Path) -> None:
    command = [*VERIFY, "--evidence", str(tmp_path)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    assert until(lambda: on_host("pgrep -f '[c]m2nd/lynis'").returncode == 0, 90), "lynis did not begin"
    os.killpg(running.pid, 9)
    running.wait()
    assert until(lambda: on_host(LEFT).stdout == ""), on_host(LEFT).stdout
    assert on_host("pgrep -af '[c]m2nd'").stdout == ""
