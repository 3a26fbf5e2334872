"""casemate evidence verify | signer: whether a folder is as it was signed, and the key that others verify with."""

import argparse
import json
from pathlib import Path
from typing import Any

import jsonschema

from verification import journal, signing
from verification.evidence import SCHEMA_VERSION
from verification.inventory import ROOT
from verification.report import moment
from verification.words import CannotRun, percent

SCHEMA = ROOT / "verification" / "results.schema.json"


def verify(options: argparse.Namespace) -> int:
    """Exit status 0 where every file is as signed; CannotRun with a sentence for each that is not."""
    folder = options.folder or options.evidence / "latest"
    if not folder.is_dir():
        raise CannotRun(f"{folder} is no folder of evidence; casemate verify makes one, and evidence/latest names the last")
    checked = signing.check(folder.resolve(), *_signers(options))
    told = "" if checked.faults else _told(checked.folder)
    for name in sorted([*checked.as_signed, *checked.faults]):
        print(f"{'NOT as signed' if name in checked.faults else 'as signed':15}{name}")
    if checked.faults:
        raise CannotRun("\n  ".join(checked.faults.values()))
    print(f"{len(checked.as_signed)} files, signed by {checked.signer} ({checked.fingerprint})")
    print(told)
    return 0


def signer(options: argparse.Namespace) -> int:
    """Prints the public half of the key that signs here, as a line for an auditor's allowed signers."""
    print(signing.signer_line(signing.chosen_key(options.sign_with)))
    return 0


def _signers(options: argparse.Namespace) -> tuple[str, str]:
    """Whose signature counts, and where that comes from: the file that was named, else this controller's own key alone."""
    if options.signers is None:
        key = signing.place_of_own_key()
        if not key.is_file():
            raise CannotRun(f"this controller has signed nothing yet: there is no {key}; name who may sign with --signers FILE")
        return signing.signer_line(key), f"this controller ({key}.pub)"
    try:
        return options.signers.read_text(), str(options.signers)
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRun(f"--signers names {options.signers}, which cannot be read: {error}") from error


def _told(folder: Path) -> str:
    """What was verified and when, by the signed results themselves: the signature has no clock of its own."""
    path = folder / "results.json"
    if not path.exists() and (folder / journal.NAME).exists():
        return _told_of_probes(folder / journal.NAME)
    try:
        results: dict[str, Any] = json.loads(path.read_text())
        if results["schema_version"] == SCHEMA_VERSION:
            jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(results)
        figures, when = results["summary"], f"{moment(results['started'])} to {moment(results['ended'])}"
        counted = f"{figures['pass']} passed, {figures['fail']} failed, {figures['waived']} waived"
        return f"{results['site']}, {when}: score {percent(figures['score'])}, {counted}, {len(results['problems'])} problems"
    except (OSError, ValueError, KeyError, TypeError, jsonschema.ValidationError) as error:
        said = " ".join(str(getattr(error, "message", error)).split())[:200]
        raise CannotRun(f"{path} is as signed, and broken: {said}; verify the hosts anew with this version") from error


def _told_of_probes(path: Path) -> str:
    """What a campaign of probes proved."""
    try:
        campaign: dict[str, Any] = json.loads(path.read_text())
        proved = [probe["control"] for probe in campaign["probes"] if probe["proved"]]
        left = f"; left red: {', '.join(campaign['left_worse'])}" if campaign["left_worse"] else ""
        return f"probes on {campaign['host']}, {moment(campaign['started'])}: {len(proved)} of {len(campaign['probes'])} proved{left}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotRun(f"{path} is as signed, and broken: {error!r}; run the probes anew with this version") from error
