"""The Debian packages of the second witness: pinned in requirements/second-witness.txt, fetched once, compared on each use."""

import hashlib
import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from verification.inventory import ROOT
from verification.words import CannotRun

LOCK = ROOT / "requirements" / "second-witness.txt"
LARGEST = 20_000_000  # bytes of one package: an archive that sends more sends something else
PATIENCE = 30  # seconds without a byte


@dataclass(frozen=True)
class Pin:
    """One package: what its bytes hash to, and where an archive of Debian keeps it."""

    sha256: str
    place: str

    @property
    def file(self) -> str:
        return self.place.rpartition("/")[2]

    @property
    def package(self) -> str:
        return self.file.split("_")[0]

    @property
    def version(self) -> str:
        return self.file.split("_")[1]


def pins(lock: Path = LOCK) -> tuple[Pin, ...]:
    """The lines `SHA-256  pool/…/name_version_architecture.deb`; lines that begin with # are remarks."""
    lines = [line.split() for line in lock.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return tuple(Pin(sha256, place) for sha256, place in lines)


def url() -> str:
    """The archive that the lab takes too: CASEMATE_MIRROR, else where this controller's own apt has Debian from."""
    if mirror := os.environ.get("CASEMATE_MIRROR"):
        return mirror.rstrip("/")
    command = ["apt-get", "indextargets", "--format", "$(LABEL)\t$(REPO_URI)", "Created-By: Packages"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        listing = ""
    for line in sorted(listing.splitlines()):
        label, _, archive = line.partition("\t")
        if label == "Debian" and archive.startswith("http"):
            return archive.rstrip("/")
    raise CannotRun("no archive of Debian is known here for the second witness. Name one: CASEMATE_MIRROR=http://… make verify SECOND=1")


def folder() -> Path:
    """Where the packages are kept: beside the lab's downloads, or in the caller's own cache where that folder is root's."""
    shared = Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache")
    base = shared if os.access(shared, os.W_OK) else Path.home() / ".cache"
    return base / "casemate" / "second-witness"


def fetch(note: Callable[[str], None], wanted: tuple[Pin, ...] | None = None, kept_in: Path | None = None) -> dict[str, Path]:
    """The packages by name, each with the bytes that are pinned. Raises CannotRun where one is not to be had, or is another."""
    found = pins() if wanted is None else wanted
    place = kept_in or folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotRun(f"the packages of the second witness cannot be kept: {error}") from error
    missing = [pin for pin in found if not _is_there(place / pin.file, pin)]
    if missing:
        archive = url()
        note(f"fetching {len(missing)} packages of the second witness from {archive}")
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(lambda pin: _fetch(archive, pin, place), missing))
    return {pin.package: place / pin.file for pin in found}


def _is_there(path: Path, pin: Pin) -> bool:
    with suppress(OSError):
        return hashlib.sha256(path.read_bytes()).hexdigest() == pin.sha256
    return False


def _fetch(archive: str, pin: Pin, place: Path) -> None:
    if not archive.startswith(("http://", "https://")):
        raise CannotRun(f"CASEMATE_MIRROR is {archive!r}; it begins with http:// or https://")
    try:
        with urllib.request.urlopen(f"{archive}/{pin.place}", timeout=PATIENCE) as answer:  # noqa: S310 (http or https, see above)
            content = answer.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise CannotRun(
            f"the archive {archive} did not give {pin.place} ({error}). Where it has a newer one by now, `make lock` pins it; "
            f"a file with the SHA-256 {pin.sha256[:12]}… may also be laid into {place} by hand"
        ) from error
    if hashlib.sha256(content).hexdigest() != pin.sha256:
        raise CannotRun(f"{archive}/{pin.place} is not what requirements/second-witness.txt pins: nothing of it was used")
    with tempfile.NamedTemporaryFile(dir=place, delete=False) as file:
        file.write(content)
    Path(file.name).replace(place / pin.file)
