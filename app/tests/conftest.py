import os
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import connection
from django.utils.timezone import now
from hypothesis import settings as hypothesis_settings

from casemate import limiter
from casemate.accounts.assurance import Assurance
from casemate.accounts.models import TotpDevice, User
from casemate.accounts.totp import new_seed
from casemate.audit.models import Event
from casemate.audit.origin import Origin
from casemate.audit.schema import statements
from casemate.audit.services import begin_stream
from casemate.tenancy.models import Membership, Organization
from casemate.tenancy.permissions import Role
from casemate.vault import reveals
from tests.browser import ADDRESS, PASSWORD, Browser
from tests.tenant_sql import forgets_the_organization
from tests.vault import Who, fill, telling

# No example database: the source tree stays as it was. A run may ask for more examples.
hypothesis_settings.register_profile(
    "casemate", database=None, deadline=None, max_examples=int(os.environ.get("CASEMATE_EXAMPLES", "50"))
)
hypothesis_settings.load_profile("casemate")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The audit schema, from the same DDL that root applies on a host, triggers and all."""
    schema = settings.AUDIT_SCHEMA
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS `{schema}`")
        cursor.execute(f"CREATE SCHEMA `{schema}`")
        for statement in statements(schema):
            cursor.execute(statement)
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA `{schema}`")


@pytest.fixture(autouse=True)
def every_statement_names_the_tenant() -> Iterator[None]:
    """Fail on SQL that touches a tenant's table without a word about the organisation."""

    def guard(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if forgets_the_organization(sql):
            pytest.fail(f"SQL on a tenant's table without organization_id: {sql}")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(guard):
        yield


@pytest.fixture(autouse=True)
def counts_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real valkey, and names that no other test counts under: what it keeps is not rolled back."""
    monkeypatch.setattr(limiter, "PREFIX", f"limit:test-{uuid.uuid4()}:")


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Argon2id once a run: the tests are about what happens around it."""
    return make_password(PASSWORD)


# Two organisations, each a stranger's to the other, and an operator, who belongs to none.
PEOPLE = {
    "alice": ("acme", Role.OWNER),
    "adam": ("acme", Role.ADMINISTRATOR),
    "bob": ("acme", Role.EDITOR),
    "carol": ("acme", Role.VIEWER),
    "arthur": ("acme", Role.AUDITOR),
    "mallory": ("globex", Role.OWNER),
    "olga": (None, None),
}


@pytest.fixture
def world(db: None, password_hash: str) -> SimpleNamespace:
    """acme with alice (owner), adam (administrator), bob (editor), carol (viewer), arthur (auditor); globex with
    mallory, its owner; olga, operator of the installation. Memberships by name: `world.membership["bob"]`."""
    made = SimpleNamespace(
        acme=Organization.objects.create(slug="acme", name="Acme"),
        globex=Organization.objects.create(slug="globex", name="Globex"),
        membership={},
    )
    for organization in (made.acme, made.globex):
        begin_stream(str(organization.pk))
    for name, (slug, role) in PEOPLE.items():
        person = User.objects.create(
            email=f"{name}@{slug or 'casemate'}.example",
            name=name.title(),
            password=password_hash,
            is_operator=slug is None,
        )
        if slug is not None:
            organization = getattr(made, slug)
            made.membership[name] = Membership.objects.create(organization=organization, user=person, role=role)
        TotpDevice.objects.create(user=person, name="Authenticator app", confirmed=True, seed=new_seed())
        setattr(made, name, person)
    return made


@pytest.fixture
def signed_in(world: SimpleNamespace) -> Callable[[str], Browser]:
    """`signed_in("bob")`: a browser in which bob is wholly signed in, just now."""

    def sign_in(name: str) -> Browser:
        browser = Browser()
        browser.sign_in(getattr(world, name))
        return browser

    return sign_in


@pytest.fixture
def assurance(world: SimpleNamespace) -> Callable[..., Assurance]:
    """`assurance("bob")`: what a service is told when bob has just given his second factor, or did so `age` ago."""

    def of(name: str, *, age: timedelta = timedelta()) -> Assurance:
        return Assurance(user=getattr(world, name), origin=Origin(ip=ADDRESS), second_factor_at=now() - age)

    return of


@pytest.fixture
def who(world: SimpleNamespace, assurance: Callable[..., Assurance]) -> Who:
    """`who("bob")`: the arguments by which a service of an organisation knows bob."""
    return telling(world, assurance)


@pytest.fixture
def vault(world: SimpleNamespace, who: Who) -> SimpleNamespace:
    return fill(world, who)


@pytest.fixture
def two_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two in a window that belongs to this test alone."""
    monkeypatch.setattr(reveals, "LIMITS", ((2, timedelta(seconds=60)),))


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def alice(world: SimpleNamespace, browser: Browser) -> Browser:
    browser.sign_in(world.alice)
    return browser


@pytest.fixture
def trail() -> Callable[[], list[tuple[str, bool]]]:
    """What was written to the audit log since the test began: (action, success)."""
    start = 0

    def since() -> list[tuple[str, bool]]:
        return list(Event.objects.filter(pk__gt=start).order_by("pk").values_list("action", "success"))

    return since


@pytest.fixture
def bob_at_globex(world: SimpleNamespace) -> Membership:
    return Membership.objects.create(organization=world.globex, user=world.bob, role=Role.EDITOR)


@pytest.fixture
def reset(world: SimpleNamespace) -> Callable[[str], tuple[str, str]]:
    """`reset("bob")`: what `casemate reset_second_factor` prints, and what it says beside that."""

    def run(name: str) -> tuple[str, str]:
        out, err = StringIO(), StringIO()
        person = getattr(world, name)
        call_command("reset_second_factor", person.email, stdout=out, stderr=err)
        person.refresh_from_db()
        return out.getvalue(), err.getvalue()

    return run
