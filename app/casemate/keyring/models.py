from typing import ClassVar, Self

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from casemate.keyring import cipher


class UnknownKey(LookupError):
    """No key of that scope and serial, or none of the key-encryption keys at hand is the one that wraps it."""


class ScopeKey(models.Model):
    """A data-encryption key, wrapped: useless without the key-encryption key that is no row anywhere."""

    runtime_grants: ClassVar = {"SELECT": (), "INSERT": ()}

    id = models.BigAutoField(primary_key=True)
    scope = models.CharField(max_length=64, db_collation="utf8mb4_bin")
    serial = models.PositiveIntegerField()
    kek_id = models.CharField(max_length=20)
    wrapped = models.BinaryField(max_length=128)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("scope", "serial"), name="one_key_a_serial"),)

    def __str__(self) -> str:
        return f"{self.scope} #{self.serial}"

    def unwrap(self) -> bytes:
        """Raise UnknownKey without its KEK, InvalidTag if the row was changed."""
        if self.kek_id not in settings.KEYRING_KEKS:
            raise UnknownKey(f"The key-encryption key {self.kek_id} of {self} is not among the credentials.")
        kek = settings.KEYRING_KEKS[self.kek_id]
        return cipher.unwrap(bytes(self.wrapped), kek=kek, scope=self.scope, serial=self.serial)

    @classmethod
    def add(cls, scope: str, serial: int) -> Self:
        kek_id, kek = settings.KEYRING_KEKS.newest
        wrapped = cipher.wrap(cipher.new_key(), kek=kek, scope=scope, serial=serial)
        return cls.objects.create(scope=scope, serial=serial, kek_id=kek_id, wrapped=wrapped)

    @classmethod
    def newest(cls, scope: str) -> Self:
        """The key that new values are sealed with; a scope's first use makes its first key."""
        keys = cls.objects.filter(scope=scope).order_by("-serial")
        if (key := keys.first()) is not None:
            return key
        try:
            with transaction.atomic():
                return cls.add(scope, 1)
        except IntegrityError:  # another process was first
            return keys.get(serial=1)


def seal(text: str, place: cipher.Place) -> bytes:
    key = ScopeKey.newest(place.scope)
    return cipher.seal(text, dek=key.unwrap(), serial=key.serial, place=place)


def unseal(value: bytes, place: cipher.Place) -> str:
    serial = cipher.serial_of(value)
    key = ScopeKey.objects.filter(scope=place.scope, serial=serial).first()
    if key is None:
        raise UnknownKey(f"There is no key {serial} of {place.scope}.")
    return cipher.unseal(value, dek=key.unwrap(), place=place)
