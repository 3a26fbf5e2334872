"""The hand-written grants of verification/expected against what the application's models ask for.

The verifier compares the same table with a host. This test needs none, so a model that changes alone fails at once.
"""

import ast
import re
from collections.abc import Iterator

from verification import expectations
from verification.inventory import ROOT

APPLICATION = ROOT / "app" / "casemate"
RUNTIME = "casemate_app@127.0.0.1"
Rights = dict[str, tuple[str, ...]]


def test_the_hand_written_grants_are_those_that_the_models_ask_for() -> None:
    asked = {grant for table, rights in models() for grant in as_grants(table, rights)}
    asked |= {grant for table, rights in tables_of_packages() for grant in as_grants(table, rights)}
    expected = set(expectations.load("baseline", {})["database"]["grants"][RUNTIME]) - {"USAGE ON *.*"}
    assert asked == expected, "verification/expected/baseline/database.yml is written by hand: think, then write what is allowed"


def test_every_model_was_read() -> None:
    read = [table for table, _rights in models()]
    declared = sum(path.read_text().count("runtime_grants: ") for path in APPLICATION.rglob("*.py") if "migrations" not in path.parts)
    assert len(read) == len(set(read)) == declared >= 8


def models() -> Iterator[tuple[str, Rights]]:
    """Table and rights of each class with `runtime_grants`, from the text: neither Django nor its Python is on the controller."""
    for path in sorted(APPLICATION.rglob("*.py")):
        for name, body in re.findall(r"^class (\w+)\b.*\n((?:(?:[ \t].*)?\n)+)", path.read_text(), re.MULTILINE):
            if rights := re.search(r"^    runtime_grants[^=\n]*= (\{[^}]*\})", body, re.MULTILINE):
                yield _table(name, body, path.relative_to(APPLICATION).parts[0]), ast.literal_eval(rights[1])


def tables_of_packages() -> list[tuple[str, Rights]]:
    """Tables of packages, which have no model of ours, and what the application may do with them."""
    named = re.search(r"^FOREIGN_TABLES.*?= (\{.*?^\})$", (APPLICATION / "audit" / "grants.py").read_text(), re.MULTILINE | re.DOTALL)
    assert named, "app/casemate/audit/grants.py has no FOREIGN_TABLES that ends with its bracket on a line"
    return [(f"casemate.{table}", rights) for table, rights in ast.literal_eval(named[1]).items()]


def as_grants(table: str, rights: Rights) -> list[str]:
    return [f"{right} ON {table}{f'.{column}' if column else ''}" for right, columns in rights.items() for column in columns or ("",)]


def _table(name: str, body: str, label: str) -> str:
    """schema.table: Django's own name, or the one in Meta, which for the audit log brings its schema along."""
    named = re.search(r"^        db_table = f?\"([^\"]+)\"", body, re.MULTILINE)
    if named is None:
        return f"casemate.{label}_{name.lower()}"
    table = named[1].replace("{settings.AUDIT_SCHEMA}", "casemate_audit").replace("`", "")
    return table if "." in table else f"casemate.{table}"
