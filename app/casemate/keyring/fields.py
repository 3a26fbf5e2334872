"""`EncryptedTextField`: ciphertext in the database, `Sealed` as the attribute, plaintext only by `.reveal()`."""

from typing import Any, NoReturn, Protocol

from django.core.exceptions import FieldError
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from casemate.keyring.cipher import Place
from casemate.keyring.models import seal, unseal
from casemate.keyring.scopes import Scope


class Ciphertext(bytes):
    """Bytes of the column, marked so that nothing else is ever taken for them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<Sealed>"

    __str__ = __repr__


class Sealed:
    """A secret that prints as `<Sealed>` everywhere and can be neither compared, pickled nor serialised."""

    __slots__ = ("_content", "_place")

    def __init__(self, content: Ciphertext | str, place: Place | None) -> None:
        self._content, self._place = content, place

    def reveal(self) -> str:
        """The plaintext. Raise InvalidTag if the value was changed or moved here from elsewhere."""
        if isinstance(self._content, str):  # assigned a moment ago and not yet saved
            return self._content
        if self._place is None:
            raise RuntimeError("A sealed value that was read without its row cannot be opened.")
        return unseal(self._content, self._place)

    def __repr__(self) -> str:
        return "<Sealed>"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "<Sealed>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A sealed value is never pickled.")


class HasScope(Protocol):
    @property
    def encryption_scope(self) -> Scope: ...


class SealedAttribute(DeferredAttribute):
    """Hands out Sealed, and takes the plaintext that the next save() will seal."""

    field: "EncryptedTextField"

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if instance is None or value is None or isinstance(value, Sealed):
            return value
        return Sealed(value, self.field.place_of(instance))

    def __set__(self, instance: Any, value: Any) -> None:
        if isinstance(value, str):
            value = Sealed(value, None)
        elif value is not None and not isinstance(value, Ciphertext):
            raise TypeError(f"{self.field.name} takes text; a sealed value is not copied from another row.")
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.BinaryField):  # type: ignore[type-arg]
    """Text, sealed for its scope, purpose and row. Its model names the scope by `encryption_scope`."""

    descriptor_class = SealedAttribute

    def __init__(self, *args: Any, purpose: str, **kwargs: Any) -> None:
        self.purpose = purpose
        super().__init__(*args, **{**kwargs, "editable": False})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        return name, path, args, {**kwargs, "purpose": self.purpose}

    def place_of(self, instance: Any) -> Place:
        return Place(scope=str(instance.encryption_scope), purpose=self.purpose, row=str(instance.pk))

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        value = model_instance.__dict__.get(self.attname)
        if isinstance(value, Sealed):
            value = Ciphertext(seal(value.reveal(), self.place_of(model_instance)))
            model_instance.__dict__[self.attname] = value
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is not None and not isinstance(value, Ciphertext):
            raise TypeError(f"{self.name} is written by save() alone, which knows the row that it is sealed for.")
        return super().get_db_prep_value(None if value is None else bytes(value), connection, prepared)

    def from_db_value(self, value: Any, _expression: Any, _connection: Any) -> Ciphertext | None:
        return None if value is None else Ciphertext(value)

    def value_to_string(self, obj: Any) -> str:
        return "<Sealed>"

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name == "isnull":
            return super().get_lookup(lookup_name)
        raise FieldError(f"{self.name} is encrypted: there is nothing to look up in it.")

    def get_transform(self, lookup_name: str) -> Any:
        raise FieldError(f"{self.name} is encrypted: there is nothing to transform in it.")
