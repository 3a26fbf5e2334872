"""controls/seen-red.json: on which day each probe of a host was last seen to turn its check red, and of which text of the two that is true.

A check or a probe that was altered since has shown nothing: X-02 is red until `make probe` was run again and its evidence taken in here.
Where what makes the control hold was altered since, the check still counts, and a sample of the probes takes it first.
"""

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from verification import making
from verification.marks import Marked, Probe
from verification.register import CONTROLS, Register
from verification.words import CannotRun

LEDGER = CONTROLS / "seen-red.json"
Key = tuple[str, str]  # the control and the probe's sentence


def digest(marked: Marked, probe: Probe) -> str:
    """Of what a probe and the checks of its control say, but for blanks and marks; 16 hexadecimal digits."""
    functions = [*(check.function for check in marked.checks.get(probe.control, [])), probe.function]
    return hashlib.sha256("\n".join(_text(function) for function in functions).encode()).hexdigest()[:16]


def expected(controls: Register, marked: Marked) -> dict[Key, str]:
    """The digest of each probe that breaks a host, of the implemented controls. A probe of a copy is run with every make test-full."""
    return {
        (probe.control, probe.sentence): digest(marked, probe)
        for identifier, control in controls.items()
        if control.implemented and not control.of_the_repository
        for probe in marked.probes.get(identifier, [])
    }


def seen(path: Path = LEDGER) -> dict[Key, str]:
    """The digests that were seen red. Raises CannotRun where the ledger is broken."""
    try:
        return {(entry["control"], entry["probe"]): entry["digest"] for entry in json.loads(path.read_text())}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotRun(f"{path} is broken ({error!r}): take it from git again, then run casemate seen-red") from error


def made_otherwise(controls: Register, path: Path = LEDGER) -> frozenset[str]:
    """The controls of hosts that hold by other files today than when their probes were proved."""
    if not path.exists():
        return frozenset()
    entries = {entry["control"]: entry.get("made_of") for entry in json.loads(path.read_text())}
    return frozenset(name for name, made_of in entries.items() if name in controls and making.digest(controls[name]) != made_of)


def take(campaign: Path, wanted: dict[Key, str], path: Path = LEDGER) -> tuple[int, list[str]]:
    """Takes what a campaign's probes.json proved into the ledger, and leaves out what is no more: how many, and what is still missing.

    Raises CannotRun where the file is none, or was written by another verifier than this one.
    """
    proved = dict(_proved(campaign, wanted))
    if stale := sorted(control for control, probe in proved if wanted.get((control, probe), "") != proved[control, probe]["digest"]):
        raise CannotRun(f"{campaign} is of other checks or probes than these: {', '.join(dict.fromkeys(stale))}; run make probe again")
    seen(path)  # a broken one is not written over
    kept = {(e["control"], e["probe"]): e for e in (json.loads(path.read_text()) if path.exists() else [])}
    entries = [entry for key, entry in sorted((kept | proved).items()) if wanted.get(key) == entry["digest"]]
    path.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n")
    return len(proved), sorted({control for control, _ in wanted.keys() - seen(path).keys()})


def _proved(campaign: Path, wanted: dict[Key, str]) -> Iterator[tuple[Key, dict[str, Any]]]:
    try:
        record = json.loads(campaign.read_text())
        day = record["started"][:10]
        for entry in record["probes"]:
            if entry["proved"] and (key := (entry["control"], entry["probe"])) in wanted:
                yield key, {"control": key[0], "probe": key[1], "digest": entry["digest"], "made_of": entry["made_of"], "seen": day}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotRun(f"{campaign} is no evidence of probes ({error!r}); make probe writes evidence/<time>/probes.json") from error


def _text(function: Callable[..., Any]) -> str:
    """A function from its `def` on, with one blank where there are several: a syntax tree would differ between versions of Python."""
    source = inspect.getsource(inspect.unwrap(function))
    marks_end = re.search(r"^\s*def ", source, re.MULTILINE)
    return " ".join(source[marks_end.start() if marks_end else 0 :].split())
