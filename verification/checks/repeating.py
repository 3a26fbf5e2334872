"""A converge says beforehand what it would do, and on a host that is as it should be that is nothing."""

import shlex
from typing import Any

from verification.breaking import edit_nginx
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

SHOW = "make converge CHECK=1"
# What the roles write, and what they would touch: content is told by size and time, which no writing leaves as they were.
FILES = ("/etc", "/usr/local", "/opt/casemate", "/var/lib/casemate")


@control("X-07", active=True)
def test_a_dry_run_on_this_host_finds_nothing_to_change(host: Host, see: Witness) -> None:
    seen = host.trial("a dry run", _dry_run)
    see.exactly("Ansible's words where it failed", seen["failed"], "", show=SHOW)
    see.exactly("tasks that would change something", seen["would change"], [], show=SHOW)


@control("X-07", active=True)
def test_and_leaves_every_file_as_it_was(host: Host, see: Witness) -> None:
    seen = host.trial("a dry run", _dry_run)
    see.at_least("files that were looked at", seen["files"], 500)
    see.exactly("files that are others afterwards", seen["touched"], [], show=SHOW)


def _dry_run(host: Host) -> dict[str, Any]:
    before = _files(host)
    would_change, failed = host.dry_run()
    after = _files(host)
    touched = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return {"would change": would_change, "failed": failed, "files": len(before), "touched": touched}


def _files(host: Host) -> dict[str, str]:
    listed = host.sudo(f"find {shlex.join(FILES)} -xdev -printf '%p\\t%y %m %u:%g %s %T@ %l\\n'").stdout
    return dict(line.split("\t", 1) for line in listed.splitlines() if "\t" in line)


@probe("X-07", touches=("nginx: a comment",), first=True)
def a_note_is_left_in_a_file_that_a_role_writes(host: Host) -> None:
    edit_nginx(host, "server_tokens off;", "server_tokens off; # asked for by the auditor")
