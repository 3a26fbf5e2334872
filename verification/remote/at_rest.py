"""Inside: whether what the database stores can be read in the files that it writes, and in the copy that a backup is made of."""

import re
import secrets
import subprocess
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, on_request, output, section

DATABASE = "/var/lib/mysql"
COPY = Path("/var/lib/casemate-backup-data")
MAKES_THE_COPY = "casemate-backup-data.service"


@section
def database_encryption(parameters: Parameters) -> dict[str, Any]:
    """What the server says of its files, and the files in which a value stands that is surely stored: the names of the migrations."""
    spaces = [line.split("\t") for line in _sql("SELECT name, encryption_scheme FROM information_schema.innodb_tablespaces_encryption")]
    names = ", ".join(f"'{name}'" for name in parameters["encryption_variables"])
    stored = _sql("SELECT DISTINCT name FROM casemate.django_migrations")
    return {
        "variables": dict(line.split("\t") for line in _sql(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")),
        "tablespaces": len(spaces),
        "in clear": sorted(name for name, scheme in spaces if scheme == "0"),
        "values": len(stored),
        "files with one": _files_with(stored, DATABASE),
    }


@on_request
def marker_on_disk(_parameters: Parameters) -> dict[str, Any]:
    """Stores a marker in a table of its own, which it takes away again: the files in which it stands, there and in a backup's copy.

    The name of the column, which stands in clear beside each table, shows that the search would find it.
    """
    table, column, marker = (f"{kind}_{secrets.token_hex(16)}" for kind in ("verifier", "column", "marker"))
    in_clear = f"CREATE TABLE casemate.{table} (i INT) ENCRYPTED=NO"
    refused = re.search(r"ERROR \d+", subprocess.run(["mariadb"], input=in_clear, capture_output=True, text=True, check=False).stderr)
    try:
        _sql(f"CREATE OR REPLACE TABLE casemate.{table} ({column} VARCHAR(60))")
        _sql(f"INSERT INTO casemate.{table} SELECT '{marker}' FROM casemate.seq_1_to_2000")
        _sql(f"FLUSH TABLES casemate.{table} FOR EXPORT; UNLOCK TABLES")
        places = (DATABASE, "/tmp", "/var/tmp")  # noqa: S108 (they are read)
        found = {
            "a table in clear": refused[0] if refused else "made",
            "column": _short(_files_with([column], *places)),
            "marker": _files_with([marker], *places),
        }
        if Path("/etc/systemd/system", MAKES_THE_COPY).exists():
            output("systemctl", "start", MAKES_THE_COPY, timeout=240)
            found |= {
                "column in the copy": _short(_files_with([column], str(COPY))),
                "marker in the copy": _files_with([marker], str(COPY)),
            }
            output("find", str(COPY), "-mindepth", "1", "-delete")
    finally:
        _sql(f"DROP TABLE IF EXISTS casemate.{table}")
    return found


def _files_with(texts: list[str], *places: str) -> list[str]:
    return sorted(output("grep", "-rlaFf", "-", *places, stdin="\n".join(texts), ok=(0, 1)).splitlines()) if texts else []


def _short(paths: list[str]) -> list[str]:
    """Of the table's own file the kind alone, since its name is another each time."""
    return sorted({path.rpartition(".")[2] for path in paths})


def _sql(statement: str) -> list[str]:
    return output("mariadb", "-N", "-B", stdin=statement).splitlines()
