"""Who did it and from where: what an event says about its actor."""

import ipaddress
from dataclasses import dataclass
from typing import Protocol, Self

from django.http import HttpRequest

from casemate.audit.actions import ActorKind
from casemate.audit.text import visible


def client_address(request: HttpRequest) -> str:
    """The client's address; the only function that says so.

    Over the unix socket the peer is nginx, which overwrites X-Real-IP; from anything else that header is a stranger's.
    """
    peer = request.META.get("REMOTE_ADDR", "")
    text = peer or request.META.get("HTTP_X_REAL_IP", "")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


@dataclass(frozen=True)
class Origin:
    ip: str = ""
    user_agent: str = ""
    path: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        # The route, not the path: an enrolment link's path is a secret.
        route = request.resolver_match.route if request.resolver_match else ""
        return cls(
            ip=client_address(request),
            user_agent=visible(request.headers.get("User-Agent", ""), 200),
            path=f"/{route}",
        )


class Person(Protocol):
    @property
    def pk(self) -> object: ...
    @property
    def email(self) -> str: ...


@dataclass(frozen=True)
class Actor:
    kind: ActorKind
    id: str = ""
    label: str = ""

    @classmethod
    def person(cls, user: Person) -> Self:
        return cls(ActorKind.PERSON, str(user.pk), visible(user.email, 254))


STRANGER = Actor(ActorKind.STRANGER)
TERMINAL = Actor(ActorKind.TERMINAL)


@dataclass(frozen=True)
class Target:
    type: str
    id: str = ""
    label: str = ""

    @classmethod
    def person(cls, user: Person) -> Self:
        return cls("user", str(user.pk), visible(user.email, 254))
