"""The session store. A cookie carries the key; the database knows only its SHA-256."""

import hashlib
from typing import Any, NoReturn

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone


def stored(session_key: str) -> str:
    return hashlib.sha256(session_key.encode()).hexdigest()


def name_of(digest: str) -> str:
    """What tells a session from its owner's other ones. It is of the digest, and opens nothing."""
    return digest[:16]


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> Any:
        from casemate.accounts.models import Session  # noqa: PLC0415

        return Session

    def _get_session_from_db(self) -> Any:
        key = self.session_key
        found = key and self.model.objects.filter(session_key=stored(key), expire_date__gt=timezone.now()).first()
        if not found:
            self._session_key = None
        return found or None

    def exists(self, session_key: str) -> bool:
        return bool(self.model.objects.filter(session_key=stored(session_key)).exists())

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        return self.get_model_class()(
            session_key=stored(self._get_or_create_session_key()),  # type: ignore[attr-defined]
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=data.get(SESSION_KEY),
        )

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            self.model.objects.filter(session_key=stored(key)).delete()

    # The inherited asynchronous ways would look for the key itself. Nothing here is asynchronous.
    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NotImplementedError("Sessions are used synchronously.")

    aexists = acreate = acreate_model_instance = asave = adelete = aload = _refuse
