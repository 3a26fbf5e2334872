from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from casemate.accounts.models import User


class PasswordBackend(BaseBackend):
    """E-mail address and password. It takes as long for someone who does not exist as for someone who does."""

    def authenticate(
        self, request: HttpRequest | None, email: str = "", password: str = "", **_credentials: Any
    ) -> User | None:
        user = User.objects.by_email(email)
        if user is None:
            make_password(password)
            return None
        right = user.check_password(password)
        return user if right and user.is_active and not user.must_change_password else None

    def get_user(self, user_id: Any) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()
