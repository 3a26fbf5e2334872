"""Where the code comes from: locks with hashes, and a host that runs what was signed."""

import re
from pathlib import Path

from verification.breaking import edit
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

# name==version, perhaps for some platforms, and nothing but SHA-256 after it: pip takes whichever hash of an entry fits.
PINNED = re.compile(r"[\w.\[\],-]+==[\w.+!-]+(?: *;[^\\\n]+)?(?:\s*\\\n\s+--hash=sha256:[0-9a-f]{64})+")
LOCKS = ("requirements/controller.txt", "app/requirements/runtime.txt", "app/requirements/dev.txt", "requirements/oscal.txt")


@control("BLD-009")
def test_every_dependency_is_pinned_by_version_and_hash(repository: Path, see: Witness) -> None:
    for lock in LOCKS:
        entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n?", "", (repository / lock).read_text()).strip())
        loose = [entry.splitlines()[0] for entry in entries if not PINNED.fullmatch(entry)]
        see.exactly(f"entries of {lock} without a version and a hash", loose, [], show=f"cat {lock}")
        see.at_least(f"entries of {lock}", len(entries), 5)
        see.exactly(f"addresses in {lock}", re.findall(r"https?://\S+", "\n".join(entries)), [], show=f"grep http {lock}")


@probe("BLD-009")
def a_package_is_added_to_the_lock_by_hand(repository: Path) -> None:
    edit(repository / LOCKS[1], "argon2-cffi==", "left-pad\nargon2-cffi==")


@probe("BLD-009")
def the_hashes_of_a_lock_are_made_with_what_is_quicker(repository: Path) -> None:
    edit(repository / LOCKS[2], "--hash=sha256:", "--hash=md5:")


@control("BLD-020")
def test_a_host_has_no_tools_to_build_with(host: Host, see: Witness) -> None:
    see.exactly("compilers and builders", host.inside["builders"], [], show="dpkg -l gcc make git; ls /opt/casemate/current/venv/bin")


@probe("BLD-020", touches=("release: tools",))
def pip_is_brought_back_to_add_a_package_by_hand(host: Host) -> None:
    host.sudo("/opt/casemate/current/venv/bin/python -m ensurepip --default-pip >/dev/null 2>&1")


@control("BLD-021")
def test_what_runs_is_what_was_signed(host: Host, see: Witness) -> None:
    release = host.inside["release"]
    see.exactly("files that differ from the release", release["altered"], [], show="sudo cat /opt/casemate/current/manifest.json")
    see.exactly(
        "packages in it",
        set(release["packages"]),
        set(release["named"]),
        show="sudo jq .components[].purl /opt/casemate/current/sbom.cdx.json",
    )
    see.exactly("folder of the version", release["folder"], release["version"], show="readlink /opt/casemate/current")
    see.exactly("files that somebody but root may write", host.inside["release_owners"], [], show="sudo find /opt/casemate -perm /022")


@probe("BLD-021", touches=("release files",), spoils=("X-07",), first=True)
def a_line_is_changed_on_the_host(host: Host) -> None:
    host.sudo("file=$(find /opt/casemate/current/ -path '*site-packages/casemate/urls.py') && printf '\\n# quick fix\\n' >> \"$file\"")
