"""What an entry keeps sealed: one value, so that the database does not even tell which parts of it are filled in."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Self

from casemate.keyring.fields import Sealed


@dataclass(frozen=True, repr=False)
class Contents:
    """Plaintext. It exists between opening and sealing, and in the answer of a reveal; repr() shows nothing of it."""

    password: str = ""
    user_name: str = ""
    url: str = ""
    notes: str = ""

    def __repr__(self) -> str:
        return "<Contents>"

    def text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    def changed(self, parts: Mapping[str, str]) -> Self:
        return replace(self, **parts)

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(**json.loads(text))

    @classmethod
    def open(cls, sealed: Sealed) -> Self:
        """Raise InvalidTag if the value was changed or moved, UnknownKey if its key is gone."""
        return cls.parse(sealed.reveal())


PARTS = tuple(field.name for field in fields(Contents))
