"""The order of the applications, the settings and the grants: what reviewers would otherwise have to remember."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command, get_commands
from django.db import connection
from MySQLdb import DatabaseError

import casemate
from casemate.accounts.management.commands import smoke
from casemate.audit.grants import Ungranted, grants
from casemate.audit.models import Event
from tests.example.models import Folder

PACKAGE = Path(casemate.__file__).parent

MAY_IMPORT = {
    "tenancy": set(),
    "keyring": {"tenancy"},
    "audit": {"tenancy", "keyring"},
    "accounts": {"tenancy", "keyring", "audit"},
    "organizations": {"tenancy", "keyring", "audit", "accounts"},
    "vault": {"tenancy", "keyring", "audit", "accounts", "organizations"},
    "security": {"tenancy", "keyring", "audit", "accounts", "organizations", "vault"},
}
# Modules of the project itself that any application may use: they hold no state and import no application.
SHARED = {"errors", "configuration", "limiter", "policy"}


def imports(module: Path) -> Iterator[str]:
    """Names under `casemate.` that a module imports, at its top or anywhere inside."""
    for node in ast.walk(ast.parse(module.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            whole = node.module == "casemate"
            names = [f"casemate.{alias.name}" for alias in node.names] if whole else [str(node.module)]
        yield from (name.split(".")[1] for name in names if name.startswith("casemate."))


@pytest.mark.parametrize("app", MAY_IMPORT)
def test_an_application_imports_only_the_layers_below_it(app: str) -> None:
    allowed = MAY_IMPORT[app] | SHARED | {app}
    for module in (PACKAGE / app).rglob("*.py"):
        assert set(imports(module)) <= allowed, module


def test_every_application_has_its_place_in_the_order() -> None:
    ours = {name.removeprefix("casemate.") for name in settings.INSTALLED_APPS if name.startswith("casemate.")}
    assert ours == set(MAY_IMPORT)


@pytest.mark.parametrize("module", sorted(SHARED))
def test_shared_modules_import_no_application(module: str) -> None:
    assert not set(imports(PACKAGE / f"{module}.py")) & set(MAY_IMPORT)


MAKING = {"create", "get_or_create", "update_or_create", "bulk_create", "add"}
WRITES = MAKING | {"update", "bulk_update", "save", "delete"}


def writes_of_rights(module: Path) -> list[str]:
    """Expressions that make, change or end a membership: a written `role`, and each writing call on one or several."""
    found = []
    for node in ast.walk(ast.parse(module.read_text())):
        match node:
            case ast.Assign(targets=[ast.Attribute(attr="role")]):
                found.append(ast.unparse(node))
            case ast.Call(func=ast.Attribute(value=on, attr=called)) if called in WRITES:
                if re.search(r"member|subject", ast.unparse(on), re.IGNORECASE):
                    found.append(ast.unparse(node))
    return found


def test_rights_are_written_by_the_service_that_records_it_and_nowhere_else() -> None:
    service = PACKAGE / "organizations" / "services.py"
    assert len(writes_of_rights(service)) >= 4, "made twice, changed, ended"
    others = [module for module in PACKAGE.rglob("*.py") if module != service and "migrations" not in module.parts]
    assert {str(module): found for module in others if (found := writes_of_rights(module))} == {}


def test_a_password_is_set_by_the_services_that_record_it_and_nowhere_else() -> None:
    modules = [module for module in PACKAGE.rglob("*.py") if "migrations" not in module.parts]
    found = [str(module.relative_to(PACKAGE)) for module in modules if ".set_password(" in module.read_text()]
    assert sorted(found) == ["accounts/new_passwords.py", "accounts/services.py"]
    assert get_commands()["changepassword"] == "casemate.accounts", "Django's own goes past them"


def test_no_file_is_longer_than_400_lines() -> None:
    for file in [*PACKAGE.rglob("*.py"), *Path(__file__).parent.rglob("*.py")]:
        assert len(file.read_text().splitlines()) <= 400, file


EXPECTED_GRANTS = {
    "`casemate_test_audit`.`chain_head`": "SELECT, INSERT, UPDATE (`seq`, `mac`)",
    "`casemate_test_audit`.`event`": "SELECT, INSERT",
    "accounts_backupcode": "SELECT, INSERT, UPDATE (`used_at`), DELETE",
    "accounts_enrolmentlink": "SELECT, INSERT, UPDATE, DELETE",
    "accounts_session": "SELECT, INSERT, UPDATE, DELETE",
    "accounts_totpdevice": "SELECT, INSERT, UPDATE, DELETE",
    "accounts_user": "SELECT, INSERT, UPDATE",
    "axes_accessattempt": "SELECT, INSERT, UPDATE, DELETE",
    "axes_accessattemptexpiration": "SELECT, DELETE",
    "django_migrations": "SELECT",
    "keyring_scopekey": "SELECT, INSERT",
    "vault_folder": "SELECT, INSERT, UPDATE (`name`, `parent_id`, `reason_required`)",
    "vault_password": "SELECT, INSERT, UPDATE (`folder_id`, `name`, `contents`, `version`, `changed_at`,"
    " `changed_by_id`, `deleted_at`, `deleted_by_id`)",
    "vault_passwordrevision": "SELECT, INSERT",
    "security_trial": "SELECT, INSERT",
    "security_violation": "SELECT, INSERT, UPDATE (`count`, `last_seen_at`), DELETE",
    "tenancy_membership": "SELECT, INSERT, UPDATE (`role`, `confirmed_reset_at`), DELETE",
    "tenancy_organization": "SELECT, INSERT",
}


def test_the_grants_are_exactly_these() -> None:
    schema = settings.DATABASES["default"]["NAME"]
    expected = {
        f"GRANT {rights} ON {table if '.' in table else f'`{schema}`.`{table}`'} TO 'casemate_app'@'localhost'"
        for table, rights in EXPECTED_GRANTS.items()
    }
    assert {g for g in grants("casemate_app", "localhost") if "`example_" not in g} == expected


def test_a_model_without_a_word_about_grants_stops_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Folder, "runtime_grants")
    with pytest.raises(Ungranted, match=r"example\.Folder"):
        list(grants("casemate_app", "localhost"))


@pytest.mark.parametrize("name", ["app'; DROP TABLE x", "", "a b", "`x`"])
def test_the_grants_command_refuses_what_is_no_name(name: str) -> None:
    with pytest.raises(CommandError, match="is not the name"):
        call_command("grants", "--sql", "--host", name)


def test_the_audit_schema_is_printed_for_the_client() -> None:
    out = StringIO()
    call_command("audit_schema", "--sql", stdout=out)
    text = out.getvalue()
    assert text.startswith("DELIMITER ;;\n")
    assert text.endswith("DELIMITER ;\n")
    assert text.count("CREATE TABLE IF NOT EXISTS") == 2
    assert text.count("CREATE OR REPLACE TRIGGER") == 5


def test_the_smoke_test_passes_and_leaves_nothing(db: None) -> None:
    before, out = Event.objects.count(), StringIO()
    call_command("smoke", stdout=out)
    assert out.getvalue().count("ok: ") == 6
    assert Event.objects.count() == before


def test_the_smoke_test_says_what_is_not_so(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise smoke.Failed("for a reason")

    monkeypatch.setattr(smoke, "tls", broken)
    with pytest.raises(CommandError, match=r"the database answers over verified TLS.*for a reason"):
        call_command("smoke", stdout=StringIO())


def test_the_deployment_checks_are_clean() -> None:
    call_command("check", "--deploy", "--fail-level", "WARNING", "--tag", "security", "--tag", "mail")


@pytest.mark.django_db
def test_a_database_server_of_another_authority_is_refused() -> None:
    """`ssl` without `ssl_mode` would encrypt, and talk to anyone."""
    parameters = connection.get_connection_params()
    parameters["ssl"] = {**parameters["ssl"], "ca": parameters["ssl"]["cert"]}
    with pytest.raises(DatabaseError, match=r"TLS/SSL error|SSL connection error"):
        connection.get_new_connection(parameters)


def test_there_is_one_mode(settings: Any) -> None:
    source = (PACKAGE / "settings.py").read_text()
    assert source.count("DEBUG") == 2, "the docstring and the line that says False"
    assert "DEBUG = False" in source


def run(*, drop: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **changes}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    environment.pop(drop, None)
    command = [sys.executable, "-m", "casemate", "audit_schema", "--sql"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"drop": "CASEMATE_SITE_NAME"}, "CASEMATE_SITE_NAME: Field required"),
        ({"drop": "CASEMATE_DATABASE_ACCOUNT"}, "CASEMATE_DATABASE_ACCOUNT: Field required"),
        (
            {"CASEMATE_DATABASE_ACCOUNT": "root"},
            "CASEMATE_DATABASE_ACCOUNT: Input should be 'app', 'migrate' or 'test'",
        ),
        ({"CASEMATE_DATABASE_PORT": "70000"}, "CASEMATE_DATABASE_PORT"),
        ({"CASEMATE_DATABASE_CA": "/nowhere"}, "CASEMATE_DATABASE_CA: Path does not point to a file"),
        ({"CASEMATE_AUDIT_SCHEMA": "a`; DROP"}, "CASEMATE_AUDIT_SCHEMA"),
        ({"CASEMATE_CSP_REPORT_ONLY": "img-scr 'self'"}, "'img-scr' is no directive that can be changed"),
        ({"CASEMATE_CSP_ENFORCED": "img-src https://cdn.example"}, "img-src would allow https://cdn.example"),
        ({"CASEMATE_ALLOWED_FEATURES": "camera meet.example.org"}, "camera is allowed to 'meet.example.org'"),
        ({"CASEMATE_CSP_QUIET_DAYS": "0"}, "CASEMATE_CSP_QUIET_DAYS"),
        ({"drop": "CREDENTIALS_DIRECTORY"}, "CREDENTIALS_DIRECTORY is not set"),
        ({"CASEMATE_BUILD": "1"}, "CASEMATE_BUILD is set in a unit of a host"),
        ({"CREDENTIALS_DIRECTORY": "/nowhere"}, "The credential database-test-password is missing in /nowhere"),
    ],
)
def test_a_mistake_in_the_environment_stops_the_start_with_its_name(changes: dict[str, str], sentence: str) -> None:
    stopped = run(**changes)
    assert stopped.returncode == 2
    assert sentence in stopped.stderr
    assert "Traceback" not in stopped.stderr


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("database-test-password", "", "is empty"),
        ("django-secret-key", "short", "shorter than 50"),
        ("keyring-keks", "{", "must be JSON"),
        ("audit-keys", '{"1": "c2hvcnQ="}', "must be JSON"),
        ("database-test-password", "x" * 31, "is shorter than 32 characters"),
        ("django-secret-key", "django-insecure-641xw29uuar#$5&nj!kxjozc+#2#=f6s+4lmziq&_8hnh$#", "known from samples"),
        ("django-secret-key", "dev-key-insecure" * 4, "known from samples"),
        ("limiter-app-password", "ChangeMe-ChangeMe-ChangeMe-42-ChangeMe", "known from samples"),
        ("keyring-keks", '{"1": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}', "1 different characters"),
        ("audit-keys", '{"1": "VGhpcy1pcy1hbi1leGFtcGxlLW9mLWEta2V5LCA0MiE="}', "known from samples"),
    ],
)
def test_a_credential_that_is_not_right_stops_the_start_with_its_name(
    tmp_path: Path, name: str, content: str, sentence: str
) -> None:
    for credential in Path(os.environ["CREDENTIALS_DIRECTORY"]).iterdir():
        (tmp_path / credential.name).write_bytes(credential.read_bytes())
    (tmp_path / name).write_text(content)
    stopped = run(CREDENTIALS_DIRECTORY=str(tmp_path))
    assert stopped.returncode == 2
    assert name in stopped.stderr
    assert sentence in stopped.stderr
    assert "c2hvcnQ=" not in stopped.stderr


def test_the_build_settings_need_no_secret_and_never_serve() -> None:
    built = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE.parent), "CASEMATE_BUILD": "1"}
    check = subprocess.run(
        [sys.executable, "-m", "casemate", "check", "--deploy", "--fail-level", "WARNING"],
        env=built,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (check.returncode, check.stderr) == (0, "")
    serve = subprocess.run(
        [sys.executable, "-c", "import casemate.wsgi"], env=built, capture_output=True, text=True, check=False
    )
    assert serve.returncode == 1
    assert "must not serve" in serve.stderr
