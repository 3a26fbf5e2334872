"""A walk through every address in Chromium, as each role: what the pages' own policy kept them from."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verification import chromium
from verification.host import Host
from verification.household import SESSION, in_the_application, move_out
from verification.remote.application import ROUTES
from verification.remote.visitor import NOWHERE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Members by their role; `newcomer` has given the password alone, and `stranger` nothing.
MEMBERS = ("owner", "administrator", "editor", "viewer", "auditor")
PEOPLE = (*MEMBERS, "operator", "newcomer")
ROLES = (*PEOPLE, "stranger")
# Run by the application's own command: sessions of these people, without seven sign-ins. The names stand before it.
MOVE_IN = """
import json
from casemate.accounts.assurance import Assurance
from casemate.accounts.models import TotpDevice, User
from casemate.accounts.totp import new_seed
from casemate.audit.origin import Origin
from casemate.organizations.services import add_member, create_organization
from casemate.tenancy.binding import bind
from casemate.tenancy.models import Membership
from casemate.vault.folders import create_folder
from casemate.vault.services import create_password

organization, _token = create_organization(name="Verification", slug=SLUG, owner=EMAILS["owner"])
for role, email in EMAILS.items():
    if role in MEMBERS and role != "owner":
        add_member(slug=SLUG, email=email, role=role)
for name in ("operator", "newcomer"):
    User.objects.create(email=EMAILS[name], is_operator=name == "operator")
sessions, now = {}, datetime.now(UTC)
for role, email in EMAILS.items():
    user = User.objects.by_email(email)
    if role != "newcomer":
        TotpDevice.objects.create(user=user, name="Authenticator app", confirmed=True, seed=new_seed())
    sessions[role] = session_of(user, whole=role != "newcomer")
owner = Membership.objects.get(organization=organization, user__email=EMAILS["owner"])
who = {"membership": owner, "assurance": Assurance(user=owner.user, origin=Origin(), second_factor_at=now)}
with bind(organization):
    folder = create_folder(name="Routers", parent_id=None, reason_required=True, **who)
    password = create_password(folder_id=folder.pk, name="Router", parts={"password": "nobody-uses-it"}, **who)
viewer = Membership.objects.get(organization=organization, user__email=EMAILS["viewer"])
ids = {"members": str(viewer.pk), "vault/folders": str(folder.pk), "vault": str(password.pk)}
print("\\n" + json.dumps({"sessions": sessions, "ids": ids, "routes": sorted(routes(get_resolver()))}))
"""
LISTEN = """
window.violations = [];
addEventListener('securitypolicyviolation', e => window.violations.push(`${e.disposition} ${e.effectiveDirective} ${e.blockedURI}`));
"""
ON_PURPOSE = "const image = document.createElement('img'); image.src = 'https://elsewhere.invalid/x.png'; document.body.append(image)"
# The page's own picture once more, by an address in clear, and where it came from; nothing where it did not.
IN_CLEAR = """async () => {
  const icon = document.querySelector('link[rel=icon]').href, image = document.createElement('img');
  const came = new Promise(done => { image.onload = () => done(image.currentSrc); image.onerror = () => done(''); });
  image.src = icon.replace('https:', 'http:') + '?in-clear';
  document.body.append(image);
  return await came;
}"""
# Where an address leads in the end.
LEADS_TO = "async path => (await fetch(path, {method: 'HEAD'})).url"
# Chromium does by itself what the policy is to tell it. Without this the two could not be told apart.
NOT_BY_ITSELF = "--disable-features=AutoupgradeMixedContent"


def trust_anchor(declared: dict[str, Any]) -> Path | None:
    """The authority that a browser has to trust for this site; none where it is a public one."""
    return Path(str(declared["trust_anchor"])) if declared.get("trust_anchor") else None


@contextmanager
def moved_in(host: Host) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """An organisation with its people: a session of each by their role, and by route an address with ids that there are."""
    tag = secrets.token_hex(6)
    slug, emails = f"verify-{tag}-walk", {name: f"{name}-{tag}@casemate.invalid" for name in PEOPLE}
    try:
        script = f"{ROUTES}SLUG, EMAILS, MEMBERS = {slug!r}, {emails!r}, {MEMBERS!r}\n{SESSION}{MOVE_IN}"
        told = host.sudo(in_the_application(script)).stdout
        made = json.loads(told.strip().splitlines()[-1])
        yield made["sessions"], {route: addressed(route, slug, made["ids"]) for route in made["routes"]}
    finally:
        move_out(host, [slug], {name: {"email": email} for name, email in emails.items()})


def walked(host: Host, anchor: Path | None) -> dict[str, Any]:
    """Which addresses each role asked for, how many of them led to a page, and what those violated."""
    # Two browsers side by side: while one renders, the host answers the other.
    with moved_in(host) as (sessions, ways), ThreadPoolExecutor(max_workers=2) as pool:
        walks = [pool.submit(_walk_as, roles, host, anchor, sessions, ways) for roles in (ROLES[::2], ROLES[1::2])]
        by_role = {role: way for one in walks for role, way in one.result().items()}
    seen = {role: by_role[role] for role in ROLES}
    return {
        "addresses": {role: sorted(way) for role, way in seen.items()},
        "pages": {role: sum(status == 200 for status, _found in way.values()) for role, way in seen.items()},
        "violations": sorted(
            {f"{role}, {route}: {one}" for role, way in seen.items() for route, (_, found) in way.items() for one in found}
        ),
    }


def stayed(host: Host, anchor: Path | None) -> dict[str, Any]:
    """A secret that is shown, a violation that is made, so that silence says something, and whence a picture comes, asked for in clear."""
    with moved_in(host) as (sessions, ways), _started(host, anchor, NOT_BY_ITSELF) as browser:
        page = opened(browser)
        return {
            "a secret that is shown": reveal(page, host.site, sessions["owner"], ways),
            "made on purpose": on_purpose(page, host.site),
            "a picture by an address in clear": str(page.evaluate(IN_CLEAR)),
        }


def _started(host: Host, anchor: Path | None, *arguments: str) -> AbstractContextManager["Browser"]:
    return chromium.started(host.site, str(host.declared["site_addresses"][0]), anchor, *arguments)


def _walk_as(
    roles: tuple[str, ...], host: Host, anchor: Path | None, sessions: dict[str, str], ways: dict[str, str]
) -> dict[str, dict[str, tuple[int, list[str]]]]:
    """A browser of its own, in which one role after the other walks."""
    with _started(host, anchor) as browser:
        page = opened(browser)
        asking = page.context.new_page()
        return {role: walk(page, asking, host.site, sessions.get(role, ""), ways) for role in roles}


def addressed(route: str, slug: str, ids: dict[str, str]) -> str:
    """A route with ids that there are."""
    path = route.replace("ORGANIZATION", slug)
    kind = next((kind for kind in ids if path.startswith(f"/o/{slug}/{kind}/{NOWHERE}")), "")
    return path.replace(NOWHERE, ids[kind]) if kind else path


def opened(browser: "Browser") -> "Page":
    """A page that listens. All roles take it, one after the other: what it keeps of style sheets it need not ask for again."""
    context = browser.new_context(service_workers="block")
    context.add_init_script(LISTEN)
    return context.new_page()


def become(page: "Page", site: str, session: str) -> None:
    """From now on the page is of somebody with this session; of a stranger where it is empty."""
    page.context.clear_cookies()
    if session:
        page.context.add_cookies(
            [{"name": "__Host-sessionid", "value": session, "url": f"https://{site}/", "secure": True, "httpOnly": True}]
        )


def walk(page: "Page", asking: "Page", site: str, session: str, ways: dict[str, str]) -> dict[str, tuple[int, list[str]]]:
    """By route the status, and what was violated on the page that it led to.

    Where many routes lead to one page, as to the sign-in, it is rendered for the first of them; `asking` tells where they lead.
    """
    become(page, site, session)
    asking.goto(f"https://{site}/sign-in/")
    seen, rendered = {}, dict[str, tuple[int, list[str]]]()
    for route, path in ways.items():
        end = str(asking.evaluate(LEADS_TO, path))
        if end not in rendered:
            answer = page.goto(f"https://{site}{path}", wait_until="load")
            rendered[end] = (answer.status if answer else 0, list(page.evaluate("window.violations")))
        seen[route] = rendered[end]
    return seen


def reveal(page: "Page", site: str, session: str, ways: dict[str, str]) -> list[Any]:
    """Whether a secret is shown to its owner, and what that page violated: it is the one with the most script."""
    become(page, site, session)
    route = next(route for route in ways if route.endswith(f"vault/{NOWHERE}/reveal/"))
    page.goto(f"https://{site}{ways[route]}")
    page.get_by_label("Why do you need it?").fill("verification")
    page.get_by_role("button", name="Reveal").click()
    page.get_by_text("nobody-uses-it").wait_for(timeout=15_000)
    return [True, list(page.evaluate("window.violations"))]


def on_purpose(page: "Page", site: str) -> list[str]:
    become(page, site, "")
    page.goto(f"https://{site}/sign-in/")
    page.evaluate(ON_PURPOSE)
    page.wait_for_timeout(300)
    return list(page.evaluate("window.violations"))
