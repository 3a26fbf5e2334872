"""What the application says of its models, settings and keys: text that remote/application.py asks it together with the rest.

What it tries of tenants' rows never reaches the database: a broken manager must not delete here what it was asked to.
"""

SHAPE = r"""
import ast, base64, functools, hmac, importlib.util, itertools, logging, os, time, uuid
from datetime import timedelta
from enum import Enum
from pathlib import Path
from unittest import mock
from django import forms
from django.apps import apps
from django.db import connection, models as fields

NOBODY = uuid.UUID(SAMPLES["uuid"])
NEVER_TOLD = ("SECRET_KEY", "KEYRING_KEKS", "AUDIT_KEYS", "LIMITER_PASSWORD", "PASSWORD")


class Asked(Exception):
    "It would have asked the database: the statement, and its values."


def stopped(_execute, sql, values, *_rest):
    raise Asked(sql, values)


def outcome(act, bound=None):
    "What came of it: the name of what it raised, or whose rows it would have asked the database for."
    with connection.execute_wrapper(stopped):
        try:
            act()
        except Asked as asked:
            sql, values = asked.args
            own = bound and "organization_id" in sql and (str(bound) in str(values) or bound.hex in str(values))
            return "asks for the bound organisation's" if own else f"asks for anybody's: {sql[:200]}"
        except Exception as error:
            # An organisation's view takes no slug: the middleware that binds the organisation takes it out.
            return "cannot be called" if "unexpected keyword argument 'organization'" in str(error) else type(error).__name__
    return "done"


def of_rows(rows):
    return {
        "all": lambda: list(rows.all()), "count": rows.count, "exists": rows.exists, "first": rows.first,
        "get": lambda: rows.get(pk=NOBODY), "in_bulk": lambda: rows.in_bulk([NOBODY]), "values": lambda: list(rows.values("pk")),
        "iterator": lambda: list(rows.iterator()), "aggregate": lambda: rows.aggregate(fields.Count("pk")),
        "related": lambda: list(rows.select_related()), "update": lambda: rows.update(id=NOBODY), "delete": lambda: rows.all().delete(),
    }


def tenants():
    from casemate.tenancy.models import TenantModel
    return [model for model in apps.get_models() if issubclass(model, TenantModel)]


def unsealed(model):
    "What a row would seal is left out: that would ask for a key."
    from casemate.keyring.fields import EncryptedTextField
    return {field.name: None for field in model._meta.concrete_fields if isinstance(field, EncryptedTextField)}


def row_of(model, **values):
    "A row that is in no table."
    return model(**unsealed(model), **values)


def ways():
    "Every way to a tenant's row that Django makes: managers, relations from both sides, and a row in the hand."
    for model in tenants():
        called = {"objects": model.objects, "_base_manager": model._base_manager, "_default_manager": model._default_manager}
        for name, rows in {**called, **{rows.name: rows for rows in model._meta.managers}}.items():
            yield from ((f"{model.__name__}.{name}: {way}", act) for way, act in of_rows(rows).items())
            yield f"{model.__name__}.{name}: create", lambda model=model, rows=rows: rows.create(**unsealed(model))
        for way in ("refresh_from_db", "save", "delete"):
            yield f"{model.__name__}: {way}", lambda model=model, way=way: getattr(row_of(model, pk=NOBODY), way)()
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if field.is_relation and field.related_model in tenants():
                row = row_of(model, **{field.attname: NOBODY})
                yield f"{model.__name__}.{field.name}", lambda row=row, name=field.name: getattr(row, name)
        for relation in model._meta.related_objects:
            name = relation.get_accessor_name()
            if name and relation.related_model in tenants():
                rows = getattr(row_of(model, pk=NOBODY), name)
                yield from ((f"{model.__name__}.{name}: {way}", act) for way, act in of_rows(rows).items())


def round_the_gate():
    "What each address of an organisation answers where nothing bound it: as the URL configuration calls it, by somebody signed in."
    from django.contrib.auth import get_user_model
    from django.test import RequestFactory
    from django.urls import resolve
    from casemate.accounts.assurance import SECOND_FACTOR
    for path in sorted(path for path in routes(get_resolver()) if path.startswith("/o/")):
        found = resolve(path)
        for method in ("get", "post"):
            request = getattr(RequestFactory(), method)(path)
            request.user, request.session = get_user_model()(pk=NOBODY), {SECOND_FACTOR: time.time()}
            answers = []
            came = outcome(lambda: answers.append(found.func(request, *found.args, **found.kwargs)))
            if not answers or answers[0].status_code != 405:
                yield f"{method.upper()} {path}", came


def columns_of_the_database():
    "Of each column that this account may see: its type, and whether it may be empty."
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()"
        )
        return {(table, column): (kind, empty) for table, column, kind, empty in cursor.fetchall()}


def named_in(model, columns):
    "How a model, and then its table, names an organisation."
    field = model._meta.get_field("organization")
    empty = columns.get((model._meta.db_table, field.column), ("no such column", "no such column"))[1]
    return [field.related_model._meta.label, "may be without" if field.null else "never without", empty]


def naming(person):
    "The key of people, and each field that refers to it."
    found = [(person, person._meta.pk)]
    for model in apps.get_models(include_auto_created=True):
        found += [(model, field) for field in model._meta.concrete_fields if field.is_relation and field.related_model is person]
    return found


def below(kind):
    for each in kind.__subclasses__():
        yield each
        yield from below(each)


def sets_a_password(form):
    "Of ours: Django has forms for its own administration, to which no address leads."
    fields_of_it = getattr(form, "base_fields", {}).values()
    return form.__module__.startswith("casemate.") and any(
        field.widget.attrs.get("autocomplete") == "new-password" for field in fields_of_it
    )


def recorded():
    "What came of an event that says nothing of success, one that does, and one with a secret in its details."
    from django.db import transaction
    from casemate.audit.actions import Action
    from casemate.audit.origin import TERMINAL, Origin
    from casemate.audit.services import record
    who = {"actor": TERMINAL, "origin": Origin()}
    tried = {"without a word": {}, "with it": {"success": True}, "with a secret": {"success": True, "detail": {"new_password": "x"}}}
    asked = "SELECT IS_NULLABLE, COLUMN_DEFAULT FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND COLUMN_NAME = 'success'"
    with connection.cursor() as cursor:
        cursor.execute(asked, [settings.AUDIT_SCHEMA])
        columns = [list(column) for column in cursor.fetchall()]
    with transaction.atomic():
        came = {name: outcome(lambda said=said: record(Action.SMOKE_TESTED, **who, **said)) for name, said in tried.items()}
    return {"came": came, "columns": columns}


def shape():
    from django.contrib.auth import get_user_model
    from casemate.tenancy.binding import bind
    from casemate.tenancy.models import Organization
    person, elsewhere = get_user_model(), Organization(pk=uuid.uuid4())
    # What Django asks of the server for itself it asks before, and once.
    connection.ensure_connection()
    connection.mysql_server_data, connection.features.can_introspect_foreign_keys
    unbound = {name: outcome(act) for name, act in ways()}
    with bind(elsewhere):
        bound = {name: outcome(act, elsewhere.pk) for name, act in ways()}
    every, columns = apps.get_models(include_auto_created=True), columns_of_the_database()
    named = [model for model in every if any(field.name == "organization" for field in model._meta.get_fields())]
    return {
        "models": sorted(model._meta.label for model in every),
        "of packages of ours": sorted(model._meta.label for model in every if model.__module__.startswith("casemate.")),
        "by the tenants' base": sorted(model._meta.label for model in tenants()),
        "with an organisation": {model._meta.label: named_in(model, columns) for model in named},
        "unbound": unbound, "bound": bound, "round the gate": dict(round_the_gate()),
        "person": f"{person._meta.label} of {person.__module__}, by {type(person._meta.pk).__name__} {person().pk.version}",
        "columns of people": sorted({columns[model._meta.db_table, field.column][0] for model, field in naming(person)}),
        "that name people": len(naming(person)),
        "forms for a new password": sorted({f"{form.__module__}.{form.__name__}" for form in below(forms.Form) if sets_a_password(form)}),
        "events": recorded(),
        "migrations": ran("makemigrations", check=True, dry_run=True),
    }


def plain(value):
    "As JSON has it, without what is secret and without the release's own place."
    if isinstance(value, dict):
        return {str(plain(key)): "never told" if key in NEVER_TOLD else plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool | int | None):
        return value
    return str(value).replace(str(Path(sys.prefix).parent), "RELEASE").replace(os.environ["CREDENTIALS_DIRECTORY"], "CREDENTIALS")


@functools.cache
def written(debug):
    "The module of settings, also with another value of DEBUG."
    found = importlib.util.find_spec("casemate.settings").origin
    tree = ast.parse(Path(found).read_text())
    for node in ast.walk(tree):
        if debug and isinstance(node, ast.Assign) and "DEBUG" in [getattr(target, "id", "") for target in node.targets]:
            node.value = ast.copy_location(ast.Constant(True), node.value)
    return found, compile(tree, found, "exec")


def loaded_with(environment, debug=False):
    "The settings as they would be in another environment, or with DEBUG on; the sentence by which they refuse it."
    found, code = written(debug)
    names = {"__file__": found, "__name__": "casemate.settings"}
    with mock.patch.dict(os.environ, environment):
        try:
            exec(code, names)
        except Exception as error:
            return str(error)
    return {name: plain(value) for name, value in names.items() if name.isupper() and not isinstance(value, type)}


def different(names, other):
    return other if isinstance(other, str) else sorted(key for key in names.keys() | other.keys() if names.get(key) != other.get(key))


def credential(name):
    return Path(os.environ["CREDENTIALS_DIRECTORY"], name).read_text().strip()


def order():
    "The middleware as Django puts it together, from the outermost to the innermost: one that takes itself out is not there."
    from django.core.handlers.wsgi import WSGIHandler
    found, layer = [], WSGIHandler()._middleware_chain.__wrapped__
    while hasattr(layer, "get_response"):
        found.append(f"{type(layer).__module__}.{type(layer).__qualname__}")
        layer = layer.get_response.__wrapped__
    return found


def in_use():
    "Each secret that the application holds, and the credentials in which its values stand."
    held = {
        "django-secret-key": [settings.SECRET_KEY], "database-app-password": [settings.DATABASES["default"]["PASSWORD"]],
        "limiter-app-password": [settings.LIMITER_PASSWORD],
    }
    for name, keys_of_it in {"keyring-keks": settings.KEYRING_KEKS, "audit-keys": settings.AUDIT_KEYS}.items():
        held[name] = [base64.b64encode(key).decode() for key in keys_of_it.values()]
    files = {file.name: file.read_text() for file in Path(os.environ["CREDENTIALS_DIRECTORY"]).iterdir()}
    return {name: sorted({file for value in values for file, text in files.items() if value in text}) for name, values in held.items()}


def settings_asked():
    from casemate.configuration import Environment
    names = loaded_with({})
    known = {f"CASEMATE_{name.upper()}" for name in Environment.model_fields}
    # Every name that somebody could hope to set, in three spellings, but for those that are there to be set.
    words = {f"{before}{name}" for name in names for before in ("", "CASEMATE_", "DJANGO_")} | set(GIVEN["words"])
    hoped = {word for word in words - known if word not in ("CASEMATE_BUILD",)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        version = cursor.fetchone()[0]
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_version'")
        over = cursor.fetchone()[1]
    tries = {f"{name}={value}": loaded_with({name: value}) for name, tried in GIVEN["settings"].items() for value in tried}
    hopes = {value: loaded_with(dict.fromkeys(hoped, value)) for value in ("1", "True", "0", "")}
    loaded = [each for each in (names, *tries.values(), *hopes.values()) if not isinstance(each, str)]
    return {
        "values": {name: "never told" if name in NEVER_TOLD else plain(getattr(settings, name)) for name in names},
        "that depend on DEBUG": different(names, loaded_with({}, debug=True)),
        "known": sorted(known),
        "hoped for": {value: different(names, other) for value, other in hopes.items()},
        "names that were tried": len(hoped),
        "set": {name: different(names, other) for name, other in tries.items()},
        "engines": sorted({each["DATABASES"]["default"]["ENGINE"] for each in loaded}),
        "between lab and baseline": different(*(loaded_with({"CASEMATE_PROFILE": profile}) for profile in ("lab", "baseline"))),
        "in use": [connection.vendor, "MariaDB" in version],
        "its own connection goes over": over,
        "middleware": order(),
        "further origins": plain(settings.CSRF_TRUSTED_ORIGINS),
        "key": {
            "characters": len(settings.SECRET_KEY), "different": len(set(settings.SECRET_KEY)),
            "others": len(settings.SECRET_KEY_FALLBACKS),
        },
        "credentials of secrets in use": in_use(),
        "from its credential": {
            "django-secret-key": settings.SECRET_KEY == credential("django-secret-key"),
            "database-app-password": settings.DATABASES["default"]["PASSWORD"] == credential("database-app-password"),
        },
    }


def derived(key, salt, purpose, length):
    "RFC 5869, by itself: what is compared must not have made the other side."
    pseudorandom = hmac.digest(salt or bytes(32), key, "sha256")
    out, block = b"", b""
    for number in range(1, -(-length // 32) + 1):
        block = hmac.digest(pseudorandom, block + purpose + bytes([number]), "sha256")
        out += block
    return out[:length]


def keys():
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from casemate.keyring import cipher
    from casemate.keyring.models import ScopeKey
    from casemate.keyring.purposes import PURPOSES
    def opens(value, place, key):
        try:
            return b"what is sealed" in AESGCM(key).decrypt(value[5:17], value[17:], place.associated_data(1))
        except InvalidTag:
            return False
    opened = {}
    stored = {key.scope: key.unwrap() for key in ScopeKey.objects.order_by("-pk")[:200]}
    data_keys = [*stored.values(), cipher.new_key(), cipher.new_key()]
    for one, other in itertools.product(PURPOSES, PURPOSES):
        place = cipher.Place(scope="organization:x", purpose=one, row="y")
        for mine, theirs in itertools.product(data_keys[-2:], repeat=2):
            value = cipher.seal("what is sealed", dek=mine, serial=1, place=place)
            whose = "its own" if mine is theirs else "another"
            key = derived(theirs, b"", other.encode(), 32)
            opened.setdefault(f"{one}, by {whose} organisation's key of {other}", opens(value, place, key))
    made = [derived(key, b"", purpose.encode(), 32) for key in data_keys for purpose in PURPOSES]
    return {
        "vectors": [derived(*map(bytes.fromhex, (v["key"], v["salt"], v["info"])), v["length"]).hex() for v in GIVEN["vectors"]],
        "opened": opened, "made twice": len(made) - len(set(made)), "made": len(made),
    }


def quietly(ask):
    "What it told, or why it did not: of another application nothing of this is asked, and the rest must be told all the same."
    def asked():
        logging.disable(logging.CRITICAL)
        try:
            return ask()
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}
        finally:
            logging.disable(logging.NOTSET)
    return asked
"""
