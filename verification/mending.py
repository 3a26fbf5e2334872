"""Puts a host right again with site.yml, and tells what that changed."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from verification.inventory import ROOT, Inventory


def converge(inventory: Inventory, host: str, tags: list[str], *, dry: bool = False) -> tuple[list[str], str]:
    """Runs site.yml, whole or with these tags: the tasks that changed something, and Ansible's words where it failed.

    A dry run is Ansible's check mode: what would change.
    """
    argv = [str(ROOT / ".venv" / "bin" / "ansible-playbook"), "ansible/site.yml", "-i", str(inventory.path), "--limit", host]
    argv += [
        *(["--check"] if dry else []),
        *(["--tags", ",".join(tags)] if tags else []),
        *(part for pair in inventory.extra for part in ("-e", pair)),
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible" / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    environment["PATH"] = f"{ROOT / '.venv' / 'bin'}:{environment.get('PATH', '')}"
    ran = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return changed_tasks(ran.stdout), failure(ran.stdout + ran.stderr) if ran.returncode else ""


def failure(output: str) -> str:
    """Ansible's own words about what failed, from the first of them on."""
    found = re.search(r"^(\[ERROR\]|fatal: |ERROR! ).*", output, re.MULTILINE | re.DOTALL)
    return (found[0] if found else output[-800:])[:800]


def changed_tasks(output: str) -> list[str]:
    """From what ansible-playbook printed: a line of each task or handler, then one of each host."""
    named, changed = "", []
    for line in output.splitlines():
        if match := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*)\]", line):
            named = match[1]
        elif line.startswith("changed: ["):
            changed.append(named)
    return changed


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and a closed terminal end the work as Ctrl-C does, so that what follows a probe still happens."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def not_interrupted() -> Iterator[None]:
    """Nothing short of SIGKILL ends what stands here; the programs that it starts ignore these signals too."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
