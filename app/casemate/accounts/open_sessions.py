"""Where a person is signed in: the sessions that are open, as their owner sees them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.utils import timezone

from casemate.accounts.assurance import SECOND_FACTOR
from casemate.accounts.gate import ADDRESS, DEVICE, SEEN, STARTED
from casemate.accounts.models import Session, User
from casemate.accounts.sessions import name_of, stored

# By words of a browser's own name for itself; the first that fits, since each also claims to be those after it.
BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
SYSTEMS = {
    "Windows": "Windows",
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


@dataclass(frozen=True)
class OpenSession:
    name: str
    started_at: datetime
    seen_at: datetime
    address: str
    device: str
    whole: bool  # whether the second factor was given
    asking: bool  # whether it is the one that looks at them


def of(user: User, *, key: str | None) -> list[OpenSession]:
    """The one of this key first, then those that were used last."""
    now, mine = timezone.now(), stored(key or "")
    found = []
    for row in Session.objects.filter(user=user, expire_date__gt=now):
        data = row.get_decoded()
        started, seen = (datetime.fromtimestamp(data.get(name, 0), UTC) for name in (STARTED, SEEN))
        # The gate ends the others at their next request.
        if now - started <= settings.SESSION_ABSOLUTE and now - seen <= settings.SESSION_IDLE:
            where, what = data.get(ADDRESS, ""), device(data.get(DEVICE, ""))
            asking = row.session_key == mine
            found.append(
                OpenSession(name_of(row.session_key), started, seen, where, what, SECOND_FACTOR in data, asking)
            )
    return sorted(found, key=lambda one: (not one.asking, -one.seen_at.timestamp()))


def device(agent: str) -> str:
    """Browser and system, or what it calls itself where we know neither."""
    browser = next((name for word, name in BROWSERS.items() if word in agent), "")
    system = next((name for word, name in SYSTEMS.items() if word in agent), "")
    return f"{browser} on {system}" if browser and system else agent
