"""`casemate-manage COMMAND`: Django's commands, with mistakes of configuration told as a sentence."""

import os
import sys

from django.core.management import execute_from_command_line

from casemate.configuration import Misconfigured


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "casemate.settings")
    try:
        execute_from_command_line(sys.argv)
    except Misconfigured as problem:
        sys.stderr.write(f"casemate-manage: {problem}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
