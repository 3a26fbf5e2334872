"""SQL on a tenant's table without a word about the organisation, which no test lets pass."""

import re

TENANT_TABLES = ("example_folder", "example_note", "vault_folder", "vault_password", "vault_passwordrevision")
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE)\b")
# Django deletes by primary key what it has loaded, and that went through the tenant's manager.
COLLECTED = re.compile(r"DELETE FROM `\w+` WHERE `\w+`\.`id` IN \(")


def forgets_the_organization(sql: str) -> bool:
    touches = STATEMENT.match(sql) and any(f"`{table}`" in sql for table in TENANT_TABLES)
    return bool(touches) and not COLLECTED.match(sql) and "organization_id" not in sql
