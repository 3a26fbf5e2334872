"""The checks of models, settings and keys, on what a host would tell: what is written passes, and nothing else."""

import ast
import copy
import hmac
from collections.abc import Callable
from typing import Any

import pytest

from verification import expectations
from verification.checks import application, database, tenants, vault
from verification.host import Facts
from verification.household import Household
from verification.remote.shape import SHAPE
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import State

EXPECTED = expectations.load("lab", {"site_name": "casemate.test"})
SETTINGS, MODELS, KEYS = EXPECTED["settings"], EXPECTED["models"], EXPECTED["keys"]
OWN = "asks for the bound organisation's"
WAYS = [f"{model}.objects: {way}" for model in ("Folder", "Password", "PasswordRevision") for way in range(50)]
VAULT = "/o/ORGANIZATION/vault/"
GOOD: dict[str, Any] = {
    "settings": {
        "values": {**SETTINGS["values"], **dict.fromkeys(SETTINGS["looked_at_elsewhere"], "never told")},
        "that depend on DEBUG": ["DEBUG"],
        "known": list(SETTINGS["changes"]),
        "hoped for": {"1": [], "True": []},
        "names that were tried": 240,
        "set": {
            **{f"{name}=x": changes for name, changes in SETTINGS["changes"].items()},
            **dict.fromkeys(SETTINGS["refused"], "The environment is not right."),
            "CASEMATE_BUILD=1": SETTINGS["of_a_build"],
        },
        "engines": [SETTINGS["engine"]],
        "between lab and baseline": [],
        "in use": ["mysql", True],
    },
    "shape": {
        "models": [*MODELS["of_an_organisation"][1:], *MODELS["of_our_packages"], *MODELS["of_other_packages"]],
        "of packages of ours": [*MODELS["by_the_base"], *MODELS["of_our_packages"]],
        "by the tenants' base": MODELS["by_the_base"],
        "with an organisation": {name: ["tenancy.Organization", "never without", "NO"] for name in MODELS["of_an_organisation"]},
        "unbound": dict.fromkeys(WAYS, "NoTenantBound"),
        "bound": dict.fromkeys(WAYS, OWN),
        "round the gate": {f"GET {VAULT}": "cannot be called"},
        "person": MODELS["person"],
        "columns of people": ["uuid"],
        "that name people": 9,
        "forms for a new password": EXPECTED["passwords"]["forms"],
        "migrations": MODELS["migrations"],
    },
    "keys_of_use": {
        "vectors": KEYS["vectors"],
        "opened": {
            f"{one}, by {who} organisation's key of {other}": one == other and who == "its own"
            for one in KEYS["purposes"]
            for other in KEYS["purposes"]
            for who in ("its own", "another")
        },
        "made": 6,
        "made twice": 0,
    },
    "application": {"routes": ["/sign-in/", VAULT]},
    "tenant_tables": {"references": EXPECTED["tenancy"]["references"], "loose": []},
}
BEFORE = "The settings of a build were taken: SQLite."


def failed(check: Callable[..., None], facts: dict[str, Any], **given: Any) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.inside = Facts({name: {"value": value} for name, value in facts.items()})
    host.tried = given.get("tried", {})
    if "seen" in given:
        host._household, host._household_parts = Household(given["seen"], {}, 3, [], True), frozenset({"vault", "each role"})
    arguments = [host, see, EXPECTED][: check.__code__.co_argcount]
    check(*arguments)
    assert see.observations
    return [one.what for one in see.observations if one.state is not State.PASS]


CASES: list[tuple[Callable[..., None], str, tuple[str, ...], Any]] = [
    (application.test_each_setting_of_the_running_application_has_its_written_value, "settings", ("values", "CSRF_COOKIE_SECURE"), False),
    (application.test_each_setting_of_the_running_application_has_its_written_value, "settings", ("values", "NEW"), 1),
    (application.test_each_setting_of_the_running_application_has_its_written_value, "settings", ("that depend on DEBUG",), ["DEBUG", "X"]),
    (application.test_no_setting_of_a_host_leads_into_another_mode, "settings", ("known",), [*SETTINGS["changes"], "CASEMATE_DEBUG"]),
    (application.test_no_setting_of_a_host_leads_into_another_mode, "settings", ("hoped for", "True"), ["DEBUG"]),
    (application.test_no_setting_of_a_host_leads_into_another_mode, "settings", ("set", "CASEMATE_PROFILE=x"), ["SESSION_COOKIE_SECURE"]),
    (application.test_no_setting_of_a_host_leads_into_another_mode, "settings", ("set", "CASEMATE_BUILD=1"), ["SECRET_KEY"]),
    (application.test_no_setting_of_a_host_leads_into_another_mode, "settings", ("between lab and baseline",), ["MIDDLEWARE"]),
    (application.test_people_are_a_model_of_our_own_with_random_keys, "shape", ("person",), "auth.User of django, by AutoField"),
    (application.test_people_are_a_model_of_our_own_with_random_keys, "shape", ("columns of people",), ["bigint", "uuid"]),
    (application.test_people_are_a_model_of_our_own_with_random_keys, "shape", ("migrations", "status"), 1),
    (database.test_the_application_uses_mariadb_and_no_setting_leads_elsewhere, "settings", ("in use",), ["mysql", False]),
    (database.test_the_application_uses_mariadb_and_no_setting_leads_elsewhere, "settings", ("engines",), [SETTINGS["engine"], "sqlite3"]),
    (database.test_the_application_uses_mariadb_and_no_setting_leads_elsewhere, "settings", ("set", "CASEMATE_BUILD=1"), BEFORE),
    (tenants.test_every_row_of_a_customer_names_its_organisation, "shape", ("models",), [*GOOD["shape"]["models"], "vault.Draft"]),
    (tenants.test_every_row_of_a_customer_names_its_organisation, "shape", ("with an organisation", "vault.Folder"), ["x", "", "YES"]),
    (tenants.test_each_model_of_ours_has_the_tenants_base_or_a_reason, "shape", ("by the tenants' base",), MODELS["by_the_base"][1:]),
    (tenants.test_a_query_without_an_organisation_raises_and_one_within_sees_its_rows, "shape", ("unbound", WAYS[0]), "done"),
    (tenants.test_a_query_without_an_organisation_raises_and_one_within_sees_its_rows, "shape", ("bound", WAYS[0]), "asks for anybody's"),
    (tenants.test_a_query_without_an_organisation_raises_and_one_within_sees_its_rows, "shape", ("unbound",), {}),
    (tenants.test_without_an_organisation_nothing_is_found_by_any_model_or_address, "shape", ("round the gate", f"GET {VAULT}"), "done"),
    (tenants.test_without_an_organisation_nothing_is_found_by_any_model_or_address, "application", ("routes",), [VAULT, f"{VAULT}new/"]),
    (tenants.test_the_database_holds_what_the_code_would_miss, "tenant_tables", ("loose",), ["vault_x (y) to vault_folder (id)"]),
    (vault.test_what_is_sealed_opens_by_the_key_of_its_use_and_by_no_other, "keys_of_use", ("vectors",), KEYS["vectors"][1:]),
    (vault.test_what_is_sealed_opens_by_the_key_of_its_use_and_by_no_other, "keys_of_use", ("made twice",), 1),
]  # fmt: skip


@pytest.mark.parametrize("check", dict.fromkeys(case[0] for case in CASES))
def test_a_host_as_it_is_written_passes(check: Callable[..., None]) -> None:
    assert failed(check, GOOD) == []


@pytest.mark.parametrize(("check", "section", "place", "value"), CASES)
def test_one_thing_that_is_otherwise_is_seen(check: Callable[..., None], section: str, place: tuple[str, ...], value: Any) -> None:
    facts = copy.deepcopy(GOOD)
    *above, last = place
    holder = facts[section]
    for key in above:
        holder = holder[key]
    holder[last] = value
    assert failed(check, facts)


def test_the_derivation_that_is_compared_with_is_that_of_the_published_vectors() -> None:
    tree = ast.parse(SHAPE)
    tree.body = [part for part in tree.body if isinstance(part, ast.FunctionDef) and part.name == "derived"]
    names: dict[str, Any] = {"hmac": hmac}
    exec(compile(tree, "shape", "exec"), names)  # noqa: S102  its own text
    given = EXPECTED["read_inside"]["tried_vectors"]
    made = [names["derived"](*(bytes.fromhex(one[name]) for name in ("key", "salt", "info")), one["length"]).hex() for one in given]
    assert made == KEYS["vectors"]
