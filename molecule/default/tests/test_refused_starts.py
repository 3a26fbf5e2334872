"""What stops `make up` before it does anything, each with a sentence that names it and says how to mend it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

LAB = [sys.executable, "roles/lab/files/lab.py", "create", "--host", "observer"]


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def test_someone_who_is_not_root_and_has_no_sudo_is_told(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "bin", tmp_path / "bin")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "dirname", "env", "id", "setpriv"):
        (programs / name).symlink_to(shutil.which(name) or name)
    for place in (tmp_path, *tmp_path.parents[:3]):
        if place != Path("/tmp"):  # noqa: S108 # the system's own keeps its mode
            place.chmod(0o755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "-i", f"PATH={programs}"]
    refused = run([*nobody, str(programs / "bash"), str(tmp_path / "bin" / "up")])
    assert refused.returncode == 2
    assert "needs root" in refused.stderr
    assert "no sudo" in refused.stderr


def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n')
    old.chmod(0o755)
    refused = run(["bin/toolchain"], PYTHON=str(old))
    assert refused.returncode == 2
    assert "Python 3.11 or newer" in refused.stderr
    assert "Python 3.9.2" in refused.stderr


@pytest.fixture
def taken_network() -> Iterator[str]:
    """A network that somebody else's interface has."""
    subprocess.run(["ip", "link", "add", "cm-taken", "type", "bridge"], check=True)
    subprocess.run(["ip", "address", "add", "10.77.99.7/24", "dev", "cm-taken"], check=True)
    subprocess.run(["ip", "link", "set", "cm-taken", "up"], check=True)
    yield "10.77.99"
    subprocess.run(["ip", "link", "del", "cm-taken"], check=True)


def test_a_network_in_use_is_named_with_its_interface(taken_network: str, tmp_path: Path) -> None:
    refused = run([*LAB, "--lab", "refused", "--network", taken_network, "--state", str(tmp_path)])
    assert refused.returncode == 2
    assert "10.77.99.0/24 is in use here" in refused.stderr
    assert "cm-taken" in refused.stderr
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "casemate-small", str(tmp_path)], check=True)
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_disk_with_less_than_six_gib_is_refused(small_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.mktemp("state")
    refused = run([*LAB, "--lab", "refused", "--network", "10.77.98", "--state", str(state)], XDG_CACHE_HOME=str(small_disk))
    assert refused.returncode == 2
    assert "GiB free and the lab needs 6 GiB" in refused.stderr
    assert str(small_disk) in refused.stderr


def test_an_archive_that_does_not_answer_is_named(tmp_path: Path) -> None:
    archive = "http://127.0.0.1:9/debian"
    arguments = [*LAB, "--lab", "refused", "--network", "10.77.98", "--state", str(tmp_path / "state")]
    refused = run(arguments, XDG_CACHE_HOME=str(tmp_path / "cache"), CASEMATE_MIRROR=archive)
    assert refused.returncode == 2
    assert archive in refused.stderr
    assert "CASEMATE_MIRROR=" in refused.stderr
    assert not list((tmp_path / "cache" / "casemate").glob("rootfs*")), "a half-made root file system was left"


def test_a_second_make_up_waits_for_nobody_and_says_so() -> None:
    with Path("/run/lock/casemate-up-10-99").open("a") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        refused = run(["bin/up"], CASEMATE_NETWORKS="10.99")
    assert refused.returncode == 2
    assert "another `make up` is running" in refused.stderr
