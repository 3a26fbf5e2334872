"""The filter of tenants' rows, and its back doors: tried on rows of two organisations, and looked after by the application's tests."""

import re
from pathlib import Path
from typing import Any

from verification.back_doors import tried
from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
MODELS, MANAGERS = ("Folder", "Password", "PasswordRevision"), ("objects", "_base_manager", "_default_manager")
OWN = ["own"]
BY_MANAGER = {
    **dict.fromkeys(("all()", "filter()", "in_bulk()", "iterator()", "values_list()", "union()", "first()"), OWN),
    "count()": 1,
    "aggregate()": 1,
    "exists()": True,
    "exists() of a foreign one": False,
    "get() of a foreign one": "DoesNotExist",
    "raw()": "WrongTenant",
    "in a thread of its own": "NoTenantBound",
}
BY_RELATION = {
    "the folder of a foreign password": "DoesNotExist",
    "the password of a foreign version": "DoesNotExist",
    "the passwords of a foreign folder": 0,
    "the folders in a foreign folder": 0,
    "the versions of a foreign password": 0,
    "passwords, by a foreign folder": 0,
    "refresh_from_db() of a foreign password": "DoesNotExist",
    "save() of a foreign password": "WrongTenant",
    "delete() of a foreign folder": "WrongTenant",
}
SHOW = "sudo casemate shell"
TESTS = "app/tests/tenant_sql.py app/tests/conftest.py"
# What the guard is made of; that it tells each statement by it, its own test shows.
GUARD = (
    're.compile(r"\\s*(SELECT|INSERT|UPDATE|DELETE)\\b")',
    'touches = STATEMENT.match(sql) and any(f"`{table}`" in sql for table in TENANT_TABLES)\n',
    'return bool(touches) and not COLLECTED.match(sql) and "organization_id" not in sql\n',
)
GUARDED = (
    "@pytest.fixture(autouse=True)\ndef every_statement_names_the_tenant()",
    "if forgets_the_organization(sql):\n            pytest.fail(",
)


@control("TEN-012", active=True)
def test_each_way_to_a_row_shows_ones_own_or_fails(host: Host, see: Witness) -> None:
    seen = host.trial("ways to rows of two organisations", tried)
    wanted = {f"{model}.{manager}": BY_MANAGER for model in MODELS for manager in MANAGERS} | {"relations": BY_RELATION}
    see.exactly("managers that were tried", set(seen), set(wanted), show=SHOW)
    for name, ways in wanted.items():
        see.exactly(f"what each way comes to, by {name}", seen.get(name, {}), ways, show=SHOW)


@control("TEN-012", active=True)
def test_sql_that_forgets_the_organisation_fails_any_test(repository: Path, see: Witness, expected: Expected) -> None:
    guard, tests = ((repository / "app/tests" / name).read_text() for name in ("tenant_sql.py", "conftest.py"))
    ours = set(re.findall(r'"(\w+)"', guard.partition("TENANT_TABLES = ")[2].partition("\n")[0]))
    # Who belongs where is asked before anything is bound.
    tables = set(expected["tenancy"]["tenants"]) - {"tenancy_membership"}
    looked_after = {table for table in ours if not table.startswith("example_")}
    see.exactly("tables that the tests of the application look after", looked_after, tables, show=f"cat {TESTS}")
    see.exactly("parts by which SQL is known that forgets it", [guard.count(part) for part in GUARD], [1, 1, 1], show=f"cat {TESTS}")
    see.exactly("parts that make each test fail by it", [tests.count(part) for part in GUARDED], [1, 1], show=f"cat {TESTS}")


@probe("TEN-012", touches=("tenancy: raw",))
def a_report_needs_sql_that_the_query_set_cannot_write(host: Host) -> None:
    refused = '        raise WrongTenant("Raw SQL does not know the bound organisation; use the query set.")\n'
    patch_application(host, "tenancy/models.py", refused, "        return super().raw(*args, **kwargs)\n")


@probe("TEN-012", touches=("tenancy: manager's in_bulk",), spoils=("TEN-003", "X-14"))
def rows_are_fetched_by_their_ids_since_those_were_filtered_already(host: Host) -> None:
    in_bulk = (
        "def in_bulk(self, *args: Any, **kwargs: Any) -> Any:\n        return models.QuerySet(self.model).in_bulk(*args, **kwargs)\n\n    "
    )
    found = "def get_queryset(self) -> TenantQuerySet[M]:"
    patch_application(host, "tenancy/models.py", found, f"{in_bulk}{found}")
