"""What release a project's tree is, whether it has to be built, and the steps of a build that belong on the controller.

release_state.py PROJECT state                    print {"version", "file", "dist", "content_hash", "needed", "epoch", "wheels", ...}
release_state.py PROJECT pack FILE                write the project as the builder gets it
release_state.py PROJECT finish FILE --key KEY    sign what was built, keep its wheels, and name it in latest.json beside it

PROJECT is the folder of a Django project: app/, or your own (contract.py). A release is needed when the project (with its locks) or
the way it is built changed since the newest artefact, or that artefact is gone or spoilt. Nothing here needs more than Python and git.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import contract
from contract import Contract, Refused

TREE = Path(__file__).resolve().parents[3]
RUNTIME, BUILD = "requirements/runtime.txt", "requirements/build.txt"
BUILT_BY = tuple(Path(__file__).with_name(name) for name in ("build.py", "bill_of_materials.py", "contract.py"))
MUST_BE_LOCKED = ("django", "gunicorn", "mysqlclient")
KEPT = 3  # artefacts that stay, the newest: one to go back to, and one more
FIRST_EPOCH = 1767225600  # 2026-01-01, for a tree without a commit


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(files: dict[str, Path]) -> str:
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{sha256(files[name])}\n".encode())
    return total.hexdigest()


class Project:
    """A folder with a Django project in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.contract: Contract = contract.read(self.folder)
        if not git(self.folder, "rev-parse", "--git-dir"):
            raise Refused(f"{self.folder} is in no git repository: a release is named after its commit. Run `git init` there.")
        self.dist = (self.folder / self.contract.dist).resolve()
        self.locks = {RUNTIME: self.folder / RUNTIME, BUILD: self.folder / BUILD}
        if not self.locks[BUILD].is_file():
            self.locks[BUILD] = TREE / "app" / BUILD  # what builds Casemate's own wheel builds another one too
        if not self.locks[RUNTIME].is_file():
            raise Refused(f"{self.locks[RUNTIME]} is missing: lock the application's packages first (docs/your-own-project.md).")
        locked = set(re.findall(r"(?m)^([A-Za-z0-9._-]+)==", self.locks[RUNTIME].read_text().lower()))
        if missing := [name for name in MUST_BE_LOCKED if name not in locked]:
            raise Refused(f"{self.locks[RUNTIME]} does not name {', '.join(missing)}, without which no host serves a project.")

    def sources(self) -> dict[str, Path]:
        """What a release is made of, as the builder sees it: files that git knows or would take, without what the contract leaves out."""
        listed = git(self.folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z", ".").split("\0")
        left_out = (".", "dist/", *self.contract.exclude)
        paths = {name: self.folder / name for name in listed if name and not name.startswith(left_out)}
        return {name: path for name, path in paths.items() if path.is_file()} | self.locks


def git(folder: Path, *arguments: str) -> str:
    # Under sudo the tree belongs to someone else: git would refuse it, and its index must not become root's. And nobody's tree
    # may name a program that root runs.
    command = ["git", "--no-optional-locks", "-C", str(folder), "-c", "safe.directory=*", "-c", "core.fsmonitor=false", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def version(project: Project, content: str) -> str:
    """PEP 440, for the wheel takes it too: v0.1 -> 0.1; three commits later 0.1+3.g1a2b3c4; not committed ....dirty.<hash>."""
    described = git(project.folder, "describe", "--always", "--tags").strip()
    dirty = git(project.folder, "status", "--porcelain", "--", ".", ":(exclude)dist").strip()
    if TREE in project.folder.parents:
        dirty += git(TREE, "status", "--porcelain", "--", *map(str, BUILT_BY)).strip()
    tagged = re.fullmatch(r"v(?P<tag>\d+(?:\.\d+)*)(?:-(?P<ahead>\d+)-(?P<commit>g[0-9a-f]+))?", described)
    local = []
    if tagged:
        base = tagged["tag"]
        local += [tagged["ahead"], tagged["commit"]] if tagged["ahead"] else []
    else:
        base = "0.0.0"
        local += [f"g{described}"] if described else []
    local += ["dirty", content[:12]] if dirty else []
    return base + (f"+{'.'.join(local)}" if local else "")


def state(project: Project) -> dict[str, Any]:
    content = digest(project.sources() | {path.name: path for path in BUILT_BY})
    newest = read_latest(project)
    artefact = project.dist / str(newest.get("file", "-"))
    kept = (
        newest.get("content_hash") == content
        and artefact.is_file()
        and artefact.with_name(f"{artefact.name}.sig").is_file()
        and sha256(artefact) == newest.get("sha256")
    )
    locks = {f"app/{name}": path for name, path in project.locks.items()}
    name = newest["version"] if kept else version(project, content)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache", "casemate", f"wheels-{digest(locks)[:16]}.tar")
    return {
        "version": name,
        "file": f"{project.contract.name}-{name}.tar.zst",
        "dist": str(project.dist),
        "content_hash": content,
        "needed": not kept,
        "epoch": int(git(project.folder, "log", "-1", "--format=%ct").strip() or FIRST_EPOCH),
        "wheels": str(cache),
        "wheels_cached": cache.is_file(),
    }


def read_latest(project: Project) -> dict[str, Any]:
    try:
        latest: dict[str, Any] = json.loads((project.dist / "latest.json").read_text())
    except (OSError, ValueError):
        return {}
    return latest


def pack(project: Project, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)  # a fresh checkout has no dist/
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in sorted(project.sources().items()):
            content = path.read_bytes()
            member = tarfile.TarInfo(f"app/{name}")
            member.size, member.mode, member.mtime = len(content), 0o644, FIRST_EPOCH
            archive.addfile(member, io.BytesIO(content))


def keep_wheels(wheels: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    temporary = cache.with_name(f".{cache.name}.{os.getpid()}")
    temporary.write_bytes(wheels.read_bytes())
    temporary.rename(cache)


def finish(project: Project, artefact: Path, key: Path, content: str) -> dict[str, Any]:
    """The private key never leaves the controller: what the builder made is signed here.

    content is the hash of what was packed: the tree may have moved on since.
    """
    if not key.is_file():
        raise Refused(f"{key} does not exist: make a key with ssh-keygen -t ed25519 and name it in release_signing_key.")
    with artefact.open("rb") as content_of_it:
        command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", "casemate-release"]
        done = subprocess.run(command, stdin=content_of_it, capture_output=True, text=True)
    if done.returncode != 0:
        hint = "A key with a passphrase goes into ssh-agent (ssh-add); then name its public half, KEY=….pub."
        raise Refused(f"ssh-keygen could not sign with {key}: {done.stderr.strip()}. {hint}")
    artefact.with_name(f"{artefact.name}.sig").write_text(done.stdout)
    total = sha256(artefact)
    artefact.with_name(f"{artefact.name}.sha256").write_text(f"{total}  {artefact.name}\n")
    built = artefact.name.removeprefix(f"{project.contract.name}-").removesuffix(".tar.zst")
    latest = {"version": built, "file": artefact.name, "sha256": total, "content_hash": content}
    latest["built"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    temporary = project.dist / ".latest.json.new"
    temporary.write_text(json.dumps(latest, indent=2) + "\n")
    temporary.rename(project.dist / "latest.json")
    for left in (".source.tar", ".wheels.tar"):
        (project.dist / left).unlink(missing_ok=True)
    forget_old(project, artefact)
    return latest


def forget_old(project: Project, newest: Path) -> None:
    others = [path for path in project.dist.glob(f"{project.contract.name}-*.tar.zst") if path != newest]
    for old in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT - 1 :]:
        for path in (old, old.with_name(f"{old.name}.sig"), old.with_name(f"{old.name}.sha256")):
            path.unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("state")
    commands.add_parser("pack").add_argument("file", type=Path)
    finishing = commands.add_parser("finish")
    finishing.add_argument("file", type=Path)
    finishing.add_argument("--key", type=Path, required=True)
    finishing.add_argument("--content", required=True, help="the content_hash that `state` told before the build")
    finishing.add_argument("--wheels", type=Path, help="a fetched archive of the wheels, to keep for the next build")
    arguments = parser.parse_args()
    try:
        project = Project(arguments.project)
        if arguments.command == "state":
            print(json.dumps(state(project)))
        elif arguments.command == "pack":
            pack(project, arguments.file)
        else:
            if arguments.wheels:
                keep_wheels(arguments.wheels, Path(state(project)["wheels"]))
            print(json.dumps(finish(project, arguments.file, arguments.key, arguments.content)))
    except Refused as refusal:
        print(f"release: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
