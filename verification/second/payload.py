"""What goes to a host: the two programs with their libraries and data, as one archive that is unpacked into memory there."""

import io
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from verification.words import CannotRun

# Ten characters, and with the six that mkdtemp fills in as long as the path that is built into OpenSCAP (see `patched`).
PLACE = "/run/cm2nd"
DATA_STREAM = "usr/share/xml/scap/ssg/content/ssg-debian13-ds.xml"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
LYNIS = {"usr/sbin/lynis": "lynis/lynis", "etc/lynis/default.prf": "lynis/default.prf"}
# Tests of lynis that do more than look. A verification neither asks the network nor tries to sign in.
SKIPPED = {
    "PKGS-7392": "runs apt-get update: it writes the package lists and asks the archive",
    "DBS-1816": "tries to sign in to the database as its root without a password",
    "NETW-2704": "sends a query to each name server",
}
# Both have a writable /tmp or /run in mind. The copies that a host gets write into PLACE, which is all they can write to.
PATCHES = {
    "lib/libopenscap.so": (b"/tmp/oscap.XXXXXX", f"{PLACE}/XXXXXX".encode()),
    "lynis/include/functions": (b"/tmp/lynis", f"{PLACE}/lynis".encode()),
    "lynis/lynis": (b"/var/run/lynis.pid", f"{PLACE}/lynis.pid".encode()),
}


def pack(packages: Mapping[str, Path]) -> bytes:
    """The archive, from packages whose hashes were compared just now."""
    found = io.BytesIO()
    patched: set[str] = set()
    with tarfile.open(fileobj=found, mode="w:gz", compresslevel=1) as payload:
        for package in packages.values():
            for member, content in _members(package):
                if name := _place(member):
                    _add(payload, member, name, content, patched)
    if missing := PATCHES.keys() - patched:
        raise CannotRun(f"the packages of the second witness are built otherwise than expected: nothing to patch in {sorted(missing)}")
    return found.getvalue()


def _members(package: Path) -> Iterator[tuple[tarfile.TarInfo, Callable[[], bytes]]]:
    unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], capture_output=True, check=False)
    if unpacked.returncode:
        raise CannotRun(f"dpkg-deb could not read {package}: {unpacked.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(unpacked.stdout)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            yield member, file.read if file else bytes


def _place(member: tarfile.TarInfo) -> str:
    """Where a file of a package goes below PLACE; nowhere for what neither program reads."""
    name = member.name.removeprefix("./")
    if not (member.isfile() or member.issym()):
        return ""
    if name in LYNIS:
        return LYNIS[name]
    if name == DATA_STREAM:
        return "ds.xml"
    if name == "usr/bin/oscap":
        return "oscap"
    if name.startswith("usr/share/lynis/"):
        return name.removeprefix("usr/share/")
    path = PurePosixPath(name)
    return f"lib/{path.name}" if str(path.parent) == LIBRARIES and ".so" in path.name else ""


def _add(payload: tarfile.TarFile, member: tarfile.TarInfo, name: str, content: Callable[[], bytes], patched: set[str]) -> None:
    if member.issym():
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, PurePosixPath(member.linkname).name
        payload.addfile(link)
        return
    data = content()
    if name == "lynis/default.prf":
        data += "".join(f"\nskip-test={test}" for test in SKIPPED).encode() + b"\n"
    for start, (old, new) in PATCHES.items():
        if name.startswith(start) and old in data:
            data = data.replace(old, new)
            patched.add(start)
    _add_file(payload, name, data, member.mode)


def _add_file(payload: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode & 0o755
    payload.addfile(info, io.BytesIO(data))
