"""What release this tree is, whether it has to be built, and the steps of a build that belong on the controller.

release_state.py state                    print {"version", "content_hash", "needed", "epoch", "wheels", "wheels_cached"}
release_state.py pack FILE                write app/ as the builder gets it
release_state.py finish FILE --key KEY    sign what was built, keep its wheels, and name it in dist/latest.json

A release is needed when app/ (with its locks) or the way it is built changed since the newest artefact, or that artefact is
gone or spoilt. Nothing here needs more than Python and git.
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

TREE = Path(__file__).resolve().parents[3]
DIST = TREE / "dist"
LOCKS = ("app/requirements/runtime.txt", "app/requirements/build.txt")
BUILT_BY = ("roles/release/files/build.py", "roles/release/files/bill_of_materials.py")
LEFT_OUT = ("app/tests/", "app/.")
KEPT = 3  # artefacts in dist/, the newest: one to go back to, and one more
FIRST_EPOCH = 1767225600  # 2026-01-01, for a tree without a commit


class Refused(Exception):
    """A sentence for the operator."""


def git(*arguments: str) -> str:
    # Under sudo the tree belongs to someone else, which git would refuse.
    command = ["git", "-C", str(TREE), "-c", f"safe.directory={TREE}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def sources() -> list[str]:
    """What a release is made of: files of app/ that git knows or would take, without tests, and the builder itself."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z", "app").split("\0")
    files = {name for name in listed if name and not name.startswith(LEFT_OUT) and (TREE / name).is_file()}
    return sorted(files)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(names: list[str]) -> str:
    total = hashlib.sha256()
    for name in names:
        total.update(f"{name}\0{sha256(TREE / name)}\n".encode())
    return total.hexdigest()


def version(content: str) -> str:
    """PEP 440, for the wheel takes it too: v0.1 -> 0.1; three commits later 0.1+3.g1a2b3c4; not committed ....dirty.<hash>."""
    described = git("describe", "--always", "--tags").strip()
    dirty = git("status", "--porcelain", "--", "app", *BUILT_BY).strip()
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


def state() -> dict[str, Any]:
    names = sources()
    missing = [lock for lock in LOCKS if lock not in names]
    if missing:
        raise Refused(f"{', '.join(missing)} is missing: lock the application's packages first.")
    content = digest([*names, *BUILT_BY])
    newest = read_latest()
    artefact = DIST / str(newest.get("file", "-"))
    kept = (
        newest.get("content_hash") == content
        and artefact.is_file()
        and artefact.with_name(f"{artefact.name}.sig").is_file()
        and sha256(artefact) == newest.get("sha256")
    )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache", "casemate", f"wheels-{digest(sorted(LOCKS))[:16]}.tar")
    return {
        "version": newest["version"] if kept else version(content),
        "content_hash": content,
        "needed": not kept,
        "epoch": int(git("log", "-1", "--format=%ct").strip() or FIRST_EPOCH),
        "wheels": str(cache),
        "wheels_cached": cache.is_file(),
    }


def read_latest() -> dict[str, Any]:
    try:
        latest: dict[str, Any] = json.loads((DIST / "latest.json").read_text())
    except (OSError, ValueError):
        return {}
    return latest


def pack(target: Path) -> None:
    target.parent.mkdir(exist_ok=True)  # a fresh checkout has no dist/
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in sources():
            content = (TREE / name).read_bytes()
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), 0o644, FIRST_EPOCH
            archive.addfile(member, io.BytesIO(content))


def keep_wheels(wheels: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    temporary = cache.with_name(f".{cache.name}.{os.getpid()}")
    temporary.write_bytes(wheels.read_bytes())
    temporary.rename(cache)


def finish(artefact: Path, key: Path, content: str) -> dict[str, Any]:
    """The private key never leaves the controller: what the builder made is signed here.

    content is the hash of what was packed: the tree may have moved on since.
    """
    if not key.is_file():
        raise Refused(f"{key} does not exist: make a key with ssh-keygen -t ed25519 and name it in release_signing_key.")
    signature = artefact.with_name(f"{artefact.name}.sig")
    signature.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", "casemate-release", str(artefact)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused(f"ssh-keygen could not sign with {key}: {done.stderr.strip()}")
    total = sha256(artefact)
    artefact.with_name(f"{artefact.name}.sha256").write_text(f"{total}  {artefact.name}\n")
    version = artefact.name.removeprefix("casemate-").removesuffix(".tar.zst")
    latest = {"version": version, "file": artefact.name, "sha256": total, "content_hash": content}
    latest["built"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    temporary = DIST / ".latest.json.new"
    temporary.write_text(json.dumps(latest, indent=2) + "\n")
    temporary.rename(DIST / "latest.json")
    for left in (".source.tar", ".wheels.tar"):
        (DIST / left).unlink(missing_ok=True)
    forget_old(artefact)
    return latest


def forget_old(newest: Path) -> None:
    others = [path for path in DIST.glob("casemate-*.tar.zst") if path != newest]
    for old in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT - 1 :]:
        for path in (old, old.with_name(f"{old.name}.sig"), old.with_name(f"{old.name}.sha256")):
            path.unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
        if arguments.command == "state":
            print(json.dumps(state()))
        elif arguments.command == "pack":
            pack(arguments.file)
        else:
            if arguments.wheels:
                keep_wheels(arguments.wheels, Path(state()["wheels"]))
            print(json.dumps(finish(arguments.file, arguments.key, arguments.content)))
    except Refused as refusal:
        print(f"release: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
