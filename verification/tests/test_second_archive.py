"""The packages of the second witness: what is not pinned is not used, and what goes to a host can write nowhere but into its own folder."""

import gzip
import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from verification.second import archive, hearing, payload
from verification.second.archive import Pin
from verification.words import CannotRun

PLACE = "pool/main/l/lynis/lynis_3.1.4-1_all.deb"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served as an archive of Debian, with one package in it."""
    package = tmp_path / "archive" / PLACE
    package.parent.mkdir(parents=True)
    package.write_bytes(b"a package")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "archive")))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("CASEMATE_MIRROR", f"http://127.0.0.1:{server.server_port}")
    yield package
    server.shutdown()


def pinned(content: bytes = b"a package") -> tuple[Pin, ...]:
    return (Pin(hashlib.sha256(content).hexdigest(), PLACE),)


def fetch(kept_in: Path, wanted: tuple[Pin, ...] | None = None) -> tuple[dict[str, Path], list[str]]:
    notes: list[str] = []
    return archive.fetch(notes.append, wanted or pinned(), kept_in), notes


def test_the_lock_pins_the_programs_and_the_data_stream_of_debian_13() -> None:
    found = {pin.package: pin for pin in archive.pins()}
    assert {"openscap-scanner", "libopenscap33", "lynis", "ssg-debian"} <= found.keys()
    assert found["ssg-debian"].version == "0.1.82-1"
    assert [pin for pin in found.values() if len(pin.sha256) != 64 or not pin.place.startswith("pool/main/")] == []


@pytest.mark.usefixtures("an_archive")
def test_a_package_is_fetched_once(tmp_path: Path) -> None:
    found, notes = fetch(tmp_path / "kept")
    assert found["lynis"].read_bytes() == b"a package"
    assert len(notes) == 1
    assert fetch(tmp_path / "kept")[1] == []


def test_another_package_under_the_same_name_is_refused_and_not_kept(an_archive: Path, tmp_path: Path) -> None:
    an_archive.write_bytes(b"a package with a back door")
    with pytest.raises(CannotRun, match="nothing of it was used"):
        fetch(tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.usefixtures("an_archive")
def test_a_kept_package_that_was_altered_is_fetched_again(tmp_path: Path) -> None:
    found, _ = fetch(tmp_path / "kept")
    found["lynis"].write_bytes(b"altered")
    assert fetch(tmp_path / "kept")[0]["lynis"].read_bytes() == b"a package"


def test_a_package_that_the_archive_has_no_longer_is_named_with_a_way_out(an_archive: Path, tmp_path: Path) -> None:
    an_archive.unlink()
    with pytest.raises(CannotRun, match=r"404.*make lock.*by hand"):
        fetch(tmp_path / "kept")


@pytest.mark.parametrize("mirror", ["http://127.0.0.1:9", "file:///etc"])
def test_an_archive_that_is_none_is_named(mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEMATE_MIRROR", mirror)
    with pytest.raises(CannotRun, match=mirror):
        fetch(tmp_path / "kept")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(CannotRun, match="cannot be kept"):
        fetch(tmp_path / "kept" / "second-witness")


FILES = {
    "usr/bin/oscap": b"a program",
    "usr/lib/x86_64-linux-gnu/libopenscap.so.33.0.2": b"\0/tmp/oscap.XXXXXX\0",
    "usr/lib/x86_64-linux-gnu/engines/other.so": b"not asked for",
    "usr/share/doc/oscap/manual": b"not asked for",
    "usr/share/xml/scap/ssg/content/ssg-debian13-ds.xml": b"<rules/>",
    "usr/share/xml/scap/ssg/content/ssg-debian12-ds.xml": b"<rules/>",
    "usr/sbin/lynis": b"PIDFILE=/var/run/lynis.pid",
    "usr/share/lynis/include/functions": b"mktemp /tmp/lynis.XXXXXXXXXX",
    "etc/lynis/default.prf": b"quick=no\n",
}


@pytest.fixture
def a_package(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    for name, content in {**FILES, "DEBIAN/control": b"Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    (tree / "usr/lib/x86_64-linux-gnu/libopenscap.so.33").symlink_to("libopenscap.so.33.0.2")
    for folder in (tree, tree / "DEBIAN"):
        folder.chmod(0o755)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(tree), str(tmp_path / "x.deb")], capture_output=True, check=True)
    return tmp_path / "x.deb"


def test_a_host_gets_what_the_programs_read_and_nothing_else(a_package: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(payload.pack({"x": a_package}))) as found:
        assert sorted(found.getnames()) == [
            "ds.xml",
            "lib/libopenscap.so.33",
            "lib/libopenscap.so.33.0.2",
            "lynis/default.prf",
            "lynis/include/functions",
            "lynis/lynis",
            "oscap",
        ]


def test_the_programs_write_into_their_own_folder_and_a_binary_keeps_its_length(a_package: Path) -> None:
    text = gzip.decompress(payload.pack({"x": a_package}))
    assert b"\0/run/cm2nd/XXXXXX\0" in text
    assert b"PIDFILE=/run/cm2nd/lynis.pid" in text
    assert b"mktemp /run/cm2nd/lynis.XXXXXXXXXX" in text
    assert b"/tmp/" not in text
    assert len(payload.PLACE + "/XXXXXX") == len("/tmp/oscap.XXXXXX")  # noqa: S108 (the name that is built in)


def test_lynis_neither_asks_the_network_nor_signs_in(a_package: Path) -> None:
    text = gzip.decompress(payload.pack({"x": a_package}))
    assert {f"skip-test={test}".encode() in text for test in ("PKGS-7392", "DBS-1816", "NETW-2704")} == {True}


def test_a_program_that_is_built_otherwise_is_refused(a_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(payload.PATCHES, "lynis/lynis", (b"/run/elsewhere", b"/"))
    with pytest.raises(CannotRun, match="lynis/lynis"):
        payload.pack({"x": a_package})


def test_what_is_no_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_text("hello")
    with pytest.raises(CannotRun, match="dpkg-deb could not read"):
        payload.pack({"x": tmp_path / "x.deb"})


def test_on_a_host_it_runs_in_a_bounded_unit_that_goes_with_all_it_made() -> None:
    command = hearing.command()
    assert command.startswith("sudo -n systemd-run --quiet --pipe --wait --collect --unit=casemate-second-witness ")
    for part in ("RuntimeDirectory=cm2nd", "PrivateMounts=yes", "RuntimeMaxSec=400", "MemoryMax=1G"):
        assert f"--property={part}" in command
