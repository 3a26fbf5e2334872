"""casemate verify | evidence | explain | controls | probe"""

import argparse
import importlib
import os
import sys
from pathlib import Path

from verification.words import SEVERITIES, CannotRun

HOUSE = Path(__file__).parent.parent
LAB = HOUSE / "inventories" / "lab" / "hosts.yml"


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 where nothing failed, 1 where a control did, 2 where the verification could not be made."""
    options = _parser().parse_args(arguments)
    module, name = options.command
    try:
        # Only what is asked for is imported: to list the register takes no pytest and no templates.
        status: int = getattr(importlib.import_module(f"verification.commands.{module}"), name)(options)
        sys.stdout.flush()
    except CannotRun as error:
        print(f"casemate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("casemate: interrupted; nothing was judged", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `casemate controls | head`: the reader has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="casemate", description="Verifies hosts against the register of controls.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    verify = commands.add_parser("verify", help="check every implemented control and write the evidence")
    _add_inventory(verify)
    verify.add_argument("--limit", metavar="HOST", help="only this host")
    verify.add_argument("--active", action="store_true", help="also checks that log in or write, on disposable hosts")
    verify.add_argument("--only", metavar="ID", action="append", help="only this control (may be repeated)")
    verify.add_argument("--doubt", action="store_true", help="then alter in memory what was read: which observations never turn red?")
    verify.add_argument("--second-witness", action="store_true", help="also hear OpenSCAP (CIS) and lynis on each host")
    _add_evidence(verify)
    _add_key(verify)
    verify.set_defaults(command=("about_hosts", "verify"))

    evidence = commands.add_parser("evidence", help="is a folder of evidence as it was signed?").add_subparsers(
        required=True, metavar="WHAT"
    )
    check = evidence.add_parser("verify", help="which files are as signed, by whom, when; status 2 where one is not")
    check.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="evidence/latest, where none is named")
    check.add_argument("--signers", type=Path, metavar="FILE", help="allowed signers of ssh-keygen; else this controller's key alone")
    _add_evidence(check)
    check.set_defaults(command=("about_evidence", "verify"))
    signer = evidence.add_parser("signer", help="the public half of the key that signs here, as a line of allowed signers")
    _add_key(signer)
    signer.set_defaults(command=("about_evidence", "signer"))

    explain = commands.add_parser("explain", help="one control whole: requirement, check, probe, last results")
    explain.add_argument("id", metavar="ID", help="as in the register: WEB-003")
    _add_evidence(explain)
    explain.set_defaults(command=("about_controls", "explain"))

    controls = commands.add_parser("controls", help="list the register")
    controls.add_argument("--area", metavar="AREA", action="append", default=[], help="only this area, such as WEB (may be repeated)")
    controls.add_argument("--status", choices=("implemented", "planned"))
    controls.add_argument("--severity", choices=SEVERITIES, action="append", default=[], help="only these (may be repeated)")
    controls.add_argument(
        "--implementer", metavar="NAME", action="append", default=[], help="who meets it: nginx, vault, verification (may be repeated)"
    )
    controls.add_argument("--text", metavar="WORDS", help="only those in whose texts all of these words stand")
    controls.add_argument("--json", action="store_true", help="whole entries, with the sentences of checks and probes")
    controls.add_argument(
        "--markdown", action="store_true", help="the page docs/controls.md: the whole register, whatever else is asked for"
    )
    controls.set_defaults(command=("about_controls", "controls"))

    probe = commands.add_parser("probe", help="break a disposable host, or a copy of this checkout, to show that checks can fail")
    which = probe.add_mutually_exclusive_group()
    which.add_argument("id", nargs="*", default=[], metavar="ID", help="the controls to probe; all that have a probe where none is named")
    which.add_argument("--all", action="store_true", help="every probe")
    which.add_argument(
        "--sample",
        type=int,
        nargs="?",
        const=4,
        metavar="N",
        help="one of each role, and by the day N (4) of what was changed since it was proved and N others",
    )
    which.add_argument("--resume", action="store_true", help="what a campaign on this host that was stopped had still to prove")
    _add_inventory(probe)
    probe.add_argument("--host", help="the one to break; a control of the repository needs none: a copy of the checkout is broken")
    _add_evidence(probe)
    _add_key(probe)
    probe.set_defaults(command=("about_hosts", "probe"))

    red = commands.add_parser("seen-red", help="take into the register's ledger what a campaign of probes proved")
    red.add_argument("campaign", type=Path, metavar="FILE", help="evidence/<time>/probes.json, as make probe wrote it")
    red.set_defaults(command=("about_controls", "seen_red"))

    return parser


def _add_inventory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--inventory", type=Path, default=LAB, metavar="FILE")
    parser.add_argument("-e", "--extra", action="append", default=[], metavar="NAME=VALUE", help="a variable of the inventory")


def _add_evidence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--evidence", type=Path, default=HOUSE / "evidence", metavar="DIR")


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sign-with", type=Path, metavar="KEY", help="an SSH key; else ~/.config/casemate/evidence_key, made once")


if __name__ == "__main__":
    sys.exit(main())
