"""casemate verify | explain | controls | probe | doubt"""

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
    verify.add_argument("--second-witness", action="store_true", help="also hear OpenSCAP (CIS) and lynis on each host")
    _add_evidence(verify)
    verify.set_defaults(command=("about_hosts", "verify"))

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
    controls.set_defaults(command=("about_controls", "controls"))

    probe = commands.add_parser("probe", help="break a disposable host to show that checks can fail and are mended")
    which = probe.add_mutually_exclusive_group()
    which.add_argument("id", nargs="*", default=[], metavar="ID", help="the controls to probe; all that have a probe where none is named")
    which.add_argument("--all", action="store_true", help="every probe")
    which.add_argument("--sample", type=int, nargs="?", const=4, metavar="N", help="one of each role, and N others (4) by the day")
    _add_inventory(probe)
    probe.add_argument("--host", required=True)
    _add_evidence(probe)
    probe.set_defaults(command=("about_hosts", "probe"))

    doubt = commands.add_parser("doubt", help="alter in memory what was read of a host: which observations never turn red?")
    _add_inventory(doubt)
    doubt.add_argument("--host", required=True)
    doubt.set_defaults(command=("about_hosts", "doubt"))
    return parser


def _add_inventory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--inventory", type=Path, default=LAB, metavar="FILE")
    parser.add_argument("-e", "--extra", action="append", default=[], metavar="NAME=VALUE", help="a variable of the inventory")


def _add_evidence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--evidence", type=Path, default=HOUSE / "evidence", metavar="DIR")


if __name__ == "__main__":
    sys.exit(main())
