"""A verification of a host that does not exist, written in every form, signed and verified: what X-03 asks for, seen in a second."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from verification import evidence, formats, signing
from verification.formats.sbom import Software
from verification.formats.soundness import faults
from verification.rehearsal import a_control, a_register, an_inventory
from verification.runner import Run
from verification.words import CannotRun, Observation, Result, State, Waiver

# What a host that mallory holds could say: it is to be shown, and no reader's program is to obey it or to stumble over it.
HOSTILE = "</script>]]>--><b>&amp;'\"\x00\x1b[2J\x7f\r\n\ud800\ufffe\u202egpj.exe " + "A" * 5_000
MAPPED = {"nist": ["IA-5(7)"]}
WHO = "specimen@casemate.invalid"
Alter = Callable[[Path], object]


@dataclass(frozen=True)
class Examined:
    """What came of it. `unnoticed` names what was done to the signed folder and was not told."""

    files: frozenset[str]
    faults: list[str]
    signer: str
    as_signed: frozenset[str]
    unnoticed: list[str]


def examine(said: str = HOSTILE) -> Examined:
    """One control of each state on a host that says `said`, one fault of the verification itself, and one planned control."""
    run = invented(said)
    software = {
        "casemate": Software(({"name": "nginx", "version": "1.26.3-3+deb13u1", "architecture": "amd64", "source": "nginx"},), (), "", "13")
    }
    files = formats.files(evidence.document(run), run.register, "2026-01-01T00:00:00Z", software)
    found = faults(files)
    with tempfile.TemporaryDirectory(prefix="casemate-") as place:
        key = Path(place) / "key"
        signing.make_key(key, WHO)
        files[signing.SUMS] = signing.sums(files)
        files[signing.SIGNATURE] = signing.sign(files[signing.SUMS], key)
        folder = evidence.write(Path(place) / "evidence", files, run.started, latest=False)
        checked = signing.check(folder, signing.signer_line(key), "the specimen")
        unnoticed = [name for name, alter in ALTERATIONS.items() if not _noticed(folder, key, name, alter)]
    return Examined(frozenset(files), found + list(checked.faults.values()), checked.signer, frozenset(checked.as_signed), unnoticed)


def invented(said: str) -> Run:
    """A run that no host was asked for."""
    states = (State.PASS, State.FAIL, State.WAIVED, State.NOT_TESTABLE, State.NOT_APPLICABLE)
    tested = [a_control(f"TST-{number:03}", mappings=MAPPED) for number, _ in enumerate(states, 1)]
    register = a_register(*tested, a_control("TST-006", status="planned", mappings=MAPPED))
    run = Run(an_inventory(), register, active=False, started=datetime.now(UTC), problems=[f"a fault of the verification: {said}"])
    for control, state in zip(register, states, strict=False):
        seen = State.FAIL if state is State.WAIVED else state
        what = Observation(
            f"what the host says: {said}", seen, said, {"expected": [said]}, f"echo {said}", "" if seen is State.PASS else said
        )
        waiver = Waiver(control, "Maria", f"until the scanner is new: {said}", "2999-01-31") if state is State.WAIVED else None
        run.results.append(Result(control, "casemate", [what], waiver))
    host = {"name": "casemate", "seen_from": "observer", "versions": {"debian": said}, "disposable": False}
    run.hosts = [{**host, "seconds_inside": 0.0, "seconds_outside": 0.0}]
    return run


def _alter_a_file(folder: Path) -> None:
    path = folder / "report.html"
    path.write_text(path.read_text().replace("failed", "passed"))


ALTERATIONS: dict[str, Alter] = {
    "a file is altered": _alter_a_file,
    "a file is gone": lambda folder: (folder / "junit.xml").unlink(),
    "a file is added": lambda folder: (folder / "more.html").write_text("all is well"),
    "a line of the sums is gone": lambda folder: (folder / signing.SUMS).write_text((folder / signing.SUMS).read_text().split("\n", 1)[1]),
    "the signature is gone": lambda folder: (folder / signing.SIGNATURE).unlink(),
    "somebody else signed": lambda folder: _sign_as_mallory(folder),
}


def _sign_as_mallory(folder: Path) -> None:
    key = folder.parent / "mallory"
    signing.make_key(key, "mallory@casemate.invalid")
    (folder / signing.SIGNATURE).write_text(signing.sign((folder / signing.SUMS).read_text(), key))


def _noticed(folder: Path, key: Path, name: str, alter: Alter) -> bool:
    """In a copy, since each is tried alone."""
    copy = folder.with_name(name.replace(" ", "-"))
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    alter(copy)
    try:
        return bool(signing.check(copy, signing.signer_line(key), "the specimen").faults)
    except CannotRun:
        return True
