import json
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.core.exceptions import FieldError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, migrations, transaction
from hypothesis import given
from hypothesis import strategies as st

from casemate.accounts.models import TotpDevice
from casemate.configuration import KeySet, Misconfigured
from casemate.keyring import checks, cipher
from casemate.keyring.cipher import Place
from casemate.keyring.fields import EncryptedTextField, Sealed
from casemate.keyring.models import ScopeKey, UnknownKey
from casemate.keyring.purposes import PURPOSES, RETIRED
from casemate.keyring.scopes import Scope
from casemate.tenancy.binding import bind
from tests.example.models import Note

PART = st.text(st.characters(blacklist_characters="|", blacklist_categories=["Cs"]), min_size=1, max_size=20)
PLACES = st.builds(Place, scope=PART, purpose=PART, row=PART)
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=200)
SERIAL = st.integers(min_value=1, max_value=2**32 - 1)


@given(text=TEXT, place=PLACES, serial=SERIAL)
def test_what_is_sealed_comes_back_in_its_place(text: str, place: Place, serial: int) -> None:
    dek = cipher.new_key()
    value = cipher.seal(text, dek=dek, serial=serial, place=place)
    assert cipher.serial_of(value) == serial
    assert cipher.unseal(value, dek=dek, place=place) == text


@given(text=TEXT, here=PLACES, there=PLACES, part=st.sampled_from(["scope", "purpose", "row"]))
def test_a_value_moved_to_another_scope_purpose_or_row_does_not_open(
    text: str, here: Place, there: Place, part: str
) -> None:
    dek = cipher.new_key()
    value = cipher.seal(text, dek=dek, serial=1, place=here)
    moved = Place(**{**vars(here), part: getattr(here, part) + getattr(there, part)})
    with pytest.raises(InvalidTag):
        cipher.unseal(value, dek=dek, place=moved)


@given(place=PLACES, serial=SERIAL, other=SERIAL)
def test_a_value_whose_serial_was_rewritten_does_not_open(place: Place, serial: int, other: int) -> None:
    dek = cipher.new_key()
    value = cipher.seal("secret", dek=dek, serial=serial, place=place)
    forged = value[:1] + other.to_bytes(4) + value[5:]
    if serial == other:
        assert cipher.unseal(forged, dek=dek, place=place) == "secret"
    else:
        with pytest.raises(InvalidTag):
            cipher.unseal(forged, dek=dek, place=place)


@given(text=TEXT, place=PLACES, position=st.integers(min_value=0), flip=st.integers(min_value=1, max_value=255))
def test_no_byte_can_be_changed_unnoticed(text: str, place: Place, position: int, flip: int) -> None:
    dek = cipher.new_key()
    value = bytearray(cipher.seal(text, dek=dek, serial=7, place=place))
    value[position % len(value)] ^= flip
    with pytest.raises(InvalidTag):
        cipher.unseal(bytes(value), dek=dek, place=place)


@given(text=TEXT, place=PLACES)
def test_a_length_tells_only_the_number_of_32_byte_steps(text: str, place: Place) -> None:
    value = cipher.seal(text, dek=cipher.new_key(), serial=1, place=place)
    body = len(value) - cipher.HEADER_BYTES - cipher.TAG_BYTES
    assert body % cipher.STEP == 0
    assert body - cipher.STEP < len(text.encode()) + cipher.LENGTH_BYTES <= body


@given(scope=PART, other=PART, serial=SERIAL)
def test_a_wrapped_key_opens_only_as_its_own_scope_serial_and_under_its_own_kek(
    scope: str, other: str, serial: int
) -> None:
    dek, kek = cipher.new_key(), cipher.new_key()
    wrapped = cipher.wrap(dek, kek=kek, scope=scope, serial=serial)
    assert cipher.unwrap(wrapped, kek=kek, scope=scope, serial=serial) == dek
    for changed in (
        {"kek": cipher.new_key(), "scope": scope, "serial": serial},
        {"kek": kek, "scope": scope + other, "serial": serial},
        {"kek": kek, "scope": scope, "serial": serial + 1},
    ):
        with pytest.raises(InvalidTag):
            cipher.unwrap(wrapped, **changed)  # type: ignore[arg-type]


@given(junk=st.binary(max_size=120))
def test_junk_is_no_sealed_value(junk: bytes) -> None:
    with pytest.raises(InvalidTag):
        cipher.unseal(junk, dek=cipher.new_key(), place=Place("installation", "p", "r"))


def test_a_separator_inside_a_part_is_refused() -> None:
    with pytest.raises(ValueError, match=r"free of '\|'"):
        Place("a|b", "c", "d")


@pytest.fixture
def note(world: SimpleNamespace) -> Note:
    with bind(world.acme):
        return Note.objects.create(title="door", secret="correct horse", other="battery staple")


def reloaded(note: Note) -> Note:
    with bind(note.organization):
        return Note.objects.get(pk=note.pk)


def stored(note: Note, column: str) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column}, organization_id FROM example_note WHERE id = %s", [note.pk])
        return bytes(cursor.fetchone()[0])


def test_a_secret_comes_back_only_by_reveal(note: Note) -> None:
    secret = reloaded(note).secret
    assert isinstance(secret, Sealed)
    assert secret.reveal() == "correct horse"
    assert {repr(secret), str(secret), f"{secret}", f"{secret:>20}"} == {"<Sealed>"}


def test_the_database_never_holds_the_plaintext(note: Note) -> None:
    assert b"correct horse" not in stored(note, "secret")


@pytest.mark.parametrize("fresh", [True, False])
def test_a_sealed_value_is_neither_pickled_nor_serialised(note: Note, fresh: bool) -> None:
    secret = Note(secret="correct horse").secret if fresh else reloaded(note).secret
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps({"secret": secret}, cls=DjangoJSONEncoder)


def test_values_and_reprs_of_rows_show_no_plaintext(note: Note) -> None:
    with bind(note.organization):
        shown = f"{list(Note.objects.values('secret'))} {Note.objects.values_list('secret', flat=True)} {vars(note)}"
    assert "correct horse" not in shown


@pytest.mark.parametrize("move", ["row", "purpose", "scope"])
def test_a_ciphertext_moved_in_the_database_does_not_open(note: Note, world: SimpleNamespace, move: str) -> None:
    with bind(world.acme):
        sibling = Note.objects.create(title="window", secret="x")
    with bind(world.globex):
        foreign = Note.objects.create(title="gate", secret="x")
    target, column = {"row": (sibling, "secret"), "purpose": (note, "other"), "scope": (foreign, "secret")}[move]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE example_note SET {column} = %s WHERE id = %s AND organization_id = %s",
            [stored(note, "secret"), target.pk, target.organization_id],
        )
    with pytest.raises(InvalidTag):
        getattr(reloaded(target), column).reveal()


def test_a_new_serial_seals_new_values_while_old_ones_still_open(note: Note) -> None:
    ScopeKey.add(str(note.encryption_scope), 2)
    old = reloaded(note)
    with bind(note.organization):
        old.other = "new"
        old.save()
    assert cipher.serial_of(stored(note, "secret")) == 1
    assert cipher.serial_of(stored(note, "other")) == 2
    assert (reloaded(note).secret.reveal(), reloaded(note).other.reveal()) == ("correct horse", "new")


def test_a_value_of_a_key_that_is_gone_names_it(note: Note) -> None:
    ScopeKey.objects.filter(scope=str(note.encryption_scope)).delete()
    with pytest.raises(UnknownKey, match="key 1 of organization:"):
        reloaded(note).secret.reveal()


def test_every_kek_unwraps_and_the_newest_one_wraps(note: Note, settings: Any) -> None:
    older, _key = settings.KEYRING_KEKS.newest
    newest = str(int(older) + 1)
    settings.KEYRING_KEKS = KeySet({**settings.KEYRING_KEKS, newest: cipher.new_key()}, name="keyring-keks")
    assert reloaded(note).secret.reveal() == "correct horse"
    assert ScopeKey.add("organization:new", 1).kek_id == newest
    settings.KEYRING_KEKS = KeySet({newest: settings.KEYRING_KEKS[newest]}, name="keyring-keks")
    with pytest.raises(UnknownKey, match=f"key-encryption key {older} "):
        reloaded(note).secret.reveal()


@pytest.mark.parametrize("lookup", ["secret", "secret__contains", "secret__in", "secret__length"])
def test_looking_up_a_secret_is_refused(world: SimpleNamespace, lookup: str) -> None:
    with bind(world.acme), pytest.raises(FieldError, match="encrypted"):
        Note.objects.filter(**{lookup: ["x"]}).exists()


def test_a_secret_is_written_by_save_alone(note: Note) -> None:
    with bind(note.organization):
        for attempt in (
            lambda: Note.objects.update(secret="plain"),
            lambda: Note.objects.bulk_update([Note(pk=note.pk, secret="plain")], ["secret"]),
            lambda: setattr(note, "secret", reloaded(note).other),
            lambda: setattr(note, "secret", b"bytes"),
        ):
            with pytest.raises(TypeError), transaction.atomic():
                attempt()
    assert reloaded(note).secret.reveal() == "correct horse"


def test_bulk_create_seals_each_row_for_itself(world: SimpleNamespace) -> None:
    with bind(world.acme):
        Note.objects.bulk_create([Note(title=str(n), secret=f"secret {n}") for n in range(3)])
        assert [n.secret.reveal() for n in Note.objects.order_by("title")] == ["secret 0", "secret 1", "secret 2"]


def test_the_seed_of_a_totp_device_is_sealed_for_the_installation(world: SimpleNamespace) -> None:
    device = TotpDevice.objects.get(user=world.alice)
    assert device.encryption_scope == Scope("installation")
    assert len(device.seed.reveal()) == 32


def ids(messages: Any) -> set[str]:
    return {message.id for message in messages}


def test_the_registry_agrees_with_the_fields() -> None:
    ours = [field for field in checks._fields() if field.model._meta.app_label != "example"]
    assert list(checks.registered(ours, PURPOSES, RETIRED)) == []
    assert list(checks.unchanged(checks._history())) == []


def test_a_changed_reused_retired_or_forgotten_purpose_is_refused() -> None:
    seed = TotpDevice._meta.get_field("seed")
    assert isinstance(seed, EncryptedTextField)
    assert ids(checks.registered([seed], {"other": "accounts.TotpDevice.seed"}, RETIRED)) >= {"keyring.E003"}
    its_own = {"totp-seed": PURPOSES["totp-seed"]}
    assert ids(checks.registered([seed, seed], its_own, RETIRED)) == {"keyring.E002"}
    assert ids(checks.registered([seed], {}, frozenset({"totp-seed"}))) == {"keyring.E001"}
    assert ids(checks.registered([], PURPOSES, RETIRED)) == {"keyring.E005"}


def test_a_purpose_that_a_migration_changes_is_refused() -> None:
    class Made(migrations.Migration):
        operations = [migrations.AddField("Thing", "secret", EncryptedTextField(purpose="first"))]

    class Altered(migrations.Migration):
        operations = [migrations.AlterField("thing", "secret", EncryptedTextField(purpose="second"))]

    history = [Made("1", "example"), Altered("2", "example")]
    assert ids(checks.unchanged(history)) == {"keyring.E006"}
    assert list(checks.unchanged(history[:1])) == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"one": "AAAA"}', '{"1": "AAAA"}', '{"1": 5}', '{"²": "AA=="}', "not"]
)
def test_a_key_file_that_is_not_right_is_refused_by_name(text: str) -> None:
    with pytest.raises(Misconfigured, match="credential keyring-keks"):
        KeySet.parse(text, name="keyring-keks")


def test_a_key_set_shows_no_key() -> None:
    shown = repr(KeySet({"1": cipher.new_key()}, name="keyring-keks"))
    assert shown == "<KeySet keyring-keks: 1 keys>"


def test_the_newest_key_has_the_highest_number() -> None:
    assert KeySet({"9": b"a" * 32, "10": b"b" * 32}, name="keyring-keks").newest == ("10", b"b" * 32)
