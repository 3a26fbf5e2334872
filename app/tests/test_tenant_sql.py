"""What the guard over all tests lets pass, and what not."""

import pytest
from django.apps import apps

from casemate.tenancy.models import TenantModel
from tests.tenant_sql import TENANT_TABLES, forgets_the_organization


def test_it_knows_the_table_of_each_tenant_model() -> None:
    tables = [model._meta.db_table for model in apps.get_models() if issubclass(model, TenantModel)]
    assert sorted(tables) == sorted(TENANT_TABLES)


@pytest.mark.parametrize(
    ("sql", "forgets"),
    [
        ("SELECT `vault_password`.`id` FROM `vault_password`", True),
        ("\n  UPDATE `vault_folder` SET `name` = %s", True),
        ("DELETE FROM `vault_passwordrevision`", True),
        ("INSERT INTO `example_note` (`id`) VALUES (%s)", True),
        ("SELECT 1 FROM `vault_password` WHERE `vault_password`.`organization_id` = %s", False),
        ("DELETE FROM `vault_password` WHERE `vault_password`.`id` IN (%s)", False),
        ("SELECT 1 FROM `accounts_user`", False),
        ("SAVEPOINT `vault_password`", False),
    ],
)
def test_a_statement_names_the_organisation_or_is_told(sql: str, forgets: bool) -> None:
    assert forgets_the_organization(sql) is forgets
