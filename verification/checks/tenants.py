"""Two organisations that try each other's addresses, and what the audit log says of it."""

from typing import Any

from verification.breaking import patch_application
from verification.checks.vault import walk
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness
from verification.words import NotTestable

Expected = dict[str, Any]
EVENTS = "sudo mariadb casemate_audit -e 'SELECT * FROM event ORDER BY id DESC LIMIT 50'"
MODELS = "sudo casemate shell --command 'from django.apps import apps; print(*apps.get_models())'"
BOUND = "sudo casemate shell --command 'from casemate.vault.models import Password; Password.objects.count()'"
REFERENCES = "sudo mariadb casemate -e 'SHOW CREATE TABLE vault_password'"
CHANGE = "organizations.member.change_role"


@control("TEN-004", active=True)
def test_requests_at_once_see_their_own_organisation(host: Host, see: Witness) -> None:
    seen = host.household("at once").seen
    see.exactly("people on alice's page of members", seen["members"], ["alice", "carol"])
    see.exactly("30 pages asked for at once: whose they were", seen["at once"], {"of their own": 30, "of the other's": 0})


@probe("TEN-004", touches=("access",), spoils=("AUD", "TEN-005", "TEN-009"))
def the_organisation_is_kept_from_the_request_before(host: Host) -> None:
    own = "request.organization, request.membership = membership.organization, membership"
    kept = 'request.membership = globals().setdefault("KEPT", membership)\n        request.organization = request.membership.organization'
    patch_application(host, "organizations/access.py", own, kept)


@control("TEN-005", active=True)
def test_a_foreign_id_is_answered_like_one_that_is_nobodys(host: Host, see: Witness) -> None:
    seen = host.household("foreign").seen
    see.exactly("kinds of things that there are ids of", seen["made"], ["members", "vault", "vault/folders"])
    see.at_least("addresses with an id", len(seen["foreign"]), 9)
    for address, answers in seen["foreign"].items():
        see.exactly(f"foreign and missing, {address}", answers, seen["missing"].get(address), show=f"curl https://{host.site}{address}")


@probe("TEN-005", touches=("organizations: views",))
def a_member_is_looked_up_by_the_id_alone(host: Host) -> None:
    of_the_organization = "subject = request.organization.memberships.select_related"
    patch_application(host, "organizations/views.py", of_the_organization, "subject = Membership.objects.select_related")


@control("TEN-009", active=True)
def test_an_audit_log_is_its_own_organisations(host: Host, see: Witness) -> None:
    audit = host.household("role change").seen["audit"]
    see.exactly("an auditor opens the page", audit["an auditor opens it"], "200")
    see.exactly("whether it tells of the change", audit["and reads of the change"], True)
    see.exactly("whether a stranger's own page tells of alice", audit["a stranger, of hers"], False)
    see.exactly("whether it does where she is asked for", audit["a stranger, who asks for alice"], False)
    see.exactly("the installation's page, asked for by an owner", audit["the installation's, by an owner"], "403")


@probe("TEN-009", touches=("audit: search",))
def the_page_shows_every_stream(host: Host) -> None:
    patch_application(host, "audit/search.py", "events = Event.objects.filter(stream=stream)", "events = Event.objects.all()")


@control("AUD-005", active=True)
def test_a_changed_role_leaves_an_event(host: Host, see: Witness) -> None:
    household = host.household("role change")
    see.exactly("where the change leads", household.seen["role change"], "/o/OWN/members/")
    rights = ("organizations.create", "organizations.member.add", CHANGE)
    told = [[event["stream"], event["action"], event["target_label"], event["detail"].get("role")] for event in household.events]
    see.exactly(
        "events of rights, of people",
        [event for event in told if event[1] in rights[1:]],
        [
            ["own", rights[1], "alice", "owner"],
            ["else", rights[1], "mallory", "owner"],
            ["own", rights[1], "carol", "viewer"],
            ["own", rights[2], "carol", "auditor"],
        ],
        show=EVENTS,
    )
    changed = [event["detail"] for event in household.events if event["action"] == CHANGE]
    see.exactly("before and after", changed, [{"before": "viewer", "role": "auditor"}], show=EVENTS)


@probe("AUD-005", touches=("organizations: services",), spoils=("AUD", "TEN-009"))
def changes_of_roles_are_left_out_of_the_log(host: Host) -> None:
    event = "    _record_change(Action.MEMBER_ROLE_CHANGED, assurance, subject,"
    patch_application(host, "organizations/services.py", event, "    str((Action.MEMBER_ROLE_CHANGED, assurance, subject)) or (subject,")


def change(host: Host) -> dict[str, Any]:
    """The event of the changed role; of nothing where there is none."""
    return next((event for event in host.household("role change").events if event["action"] == CHANGE), {})


@control("AUD-009", active=True)
def test_an_event_says_who_also_when_they_are_gone(host: Host, see: Witness) -> None:
    event = change(host)
    see.exactly("who: kind and label", [event.get("actor_kind"), event.get("actor_label")], ["person", "alice"], show=EVENTS)
    see.exactly("length of the id", len(event.get("actor", "")), 36, show=EVENTS)
    see.exactly("whether the log says the same now that the people are gone", host.household("role change").kept, True, show=EVENTS)


@probe("AUD-009", touches=("origin: actor",))
def a_person_is_a_number(host: Host) -> None:
    patch_application(
        host, "audit/origin.py", "ActorKind.PERSON, str(user.pk), visible(user.email, 254))", 'ActorKind.PERSON, str(user.pk), "")'
    )


@control("AUD-010", active=True)
def test_an_event_says_what_in_one_vocabulary(host: Host, see: Witness, expected: Expected) -> None:
    events, event = host.household("vault", "locks", "role change").events, change(host)
    see.exactly("actions on no list", sorted({event["action"] for event in events} - set(expected["audit"]["vocabulary"])), [], show=EVENTS)
    see.at_least("different actions that were seen", len({event["action"] for event in events}), 14)
    see.exactly("of what kind the object is", [event.get("target_type"), event.get("target_label")], ["user", "carol"], show=EVENTS)
    see.exactly("length of its id", len(event.get("target_id", "")), 36, show=EVENTS)


@probe("AUD-010", touches=("audit: actions",), spoils=("AUD-005", "AUD-009", "AUD-011", "AUD-012"))
def an_action_gets_a_name_of_the_moment(host: Host) -> None:
    patch_application(host, "audit/actions.py", f'"{CHANGE}"', '"role changed"')


@control("AUD-011", active=True)
def test_an_event_says_where_from(host: Host, see: Witness) -> None:
    events, event = host.household("guessing", "role change").events, change(host)
    where = [event.get(name) for name in ("stream", "ip", "user_agent", "path")]
    route = "/o/<slug:organization>/members/<uuid:member_id>/"
    see.exactly("stream, address, browser and path", where, ["own", "127.0.0.8", "casemate-verify", route], show=EVENTS)
    cut = {(len(each["user_agent"]), each["user_agent"][-1:]) for each in events if each["target_label"] == "nobody"}
    see.exactly("a browser's name of 3,000 characters: length and end", cut, {(200, "…")}, show=EVENTS)


@probe("AUD-011", touches=("origin: address",), spoils=("AUTH", "AUD-003", "OPS-011"))
def the_address_comes_from_a_header_that_anybody_sends(host: Host) -> None:
    patch_application(host, "audit/origin.py", 'request.META.get("HTTP_X_REAL_IP", "")', 'request.META.get("HTTP_X_FORWARDED_FOR", "")')


@control("AUD-012", active=True)
def test_an_event_has_the_servers_time(host: Host, see: Witness) -> None:
    began, ended = host.household("role change").seen["role change between"]
    at = change(host).get("at", 0) / 1_000_000
    see.at_least("seconds from the request to the event", round(at - began, 3), 0, show=EVENTS)
    see.at_least("seconds from the event to the answer", round(ended - at, 3), 0, show=EVENTS)


@probe("AUD-012", touches=("audit: services",))
def events_are_dated_in_local_time(host: Host) -> None:
    patch_application(host, "audit/services.py", "at=timezone.now(),", 'at=timezone.now() + __import__("datetime").timedelta(hours=2),')


@control("TEN-001")
def test_every_row_of_a_customer_names_its_organisation(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["shape"], expected["models"]
    lists = {*wanted["of_an_organisation"], *wanted["of_our_packages"], *wanted["of_other_packages"]}
    see.exactly("models", set(seen["models"]), lists, show=MODELS)
    never = ["tenancy.Organization", "never without", "NO"]
    each = dict.fromkeys(wanted["of_an_organisation"], never)
    show = "sudo mariadb casemate -e 'SHOW CREATE TABLE vault_folder'"
    see.exactly("to what it refers, and whether model and table let it be empty", seen["with an organisation"], each, show=show)


@probe("TEN-001", touches=("tenancy: models",), spoils=("APP-023",))
def rows_of_nobody_are_let_in_for_templates_that_all_may_use(host: Host) -> None:
    field = "organization = models.ForeignKey(Organization, on_delete=models.PROTECT,"
    patch_application(host, "tenancy/models.py", field, f"{field} null=True,")


@control("TEN-002")
def test_each_model_of_ours_has_the_tenants_base_or_a_reason(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["shape"], expected["models"]
    see.exactly("models with the tenants' base", set(seen["by the tenants' base"]), set(wanted["by_the_base"]), show=MODELS)
    others = set(seen["of packages of ours"]) - set(seen["by the tenants' base"])
    see.exactly("other models of our packages", others, set(wanted["of_our_packages"]), show=MODELS)
    see.exactly("of which have no reason", [name for name in sorted(others) if not wanted["of_our_packages"].get(name)], [])


@probe("TEN-002", touches=("vault: models",), spoils=("APP-023", "TEN-001"))
def a_table_for_drafts_is_added_in_a_hurry(host: Host) -> None:
    draft = "class Draft(models.Model):\n    text = models.TextField()\n\n\n"
    patch_application(host, "vault/models.py", "class PasswordRevision(", f"{draft}class PasswordRevision(")


def refused_unbound(see: Witness, seen: Expected) -> None:
    """Every way to a row that Django makes, tried while no organisation was bound; nothing of it reached the database."""
    see.at_least("ways to rows of tenants that were tried", len(seen["unbound"]), 150)
    open_ways = {way: came for way, came in seen["unbound"].items() if came != "NoTenantBound"}
    see.exactly("ways that are open with no organisation bound", open_ways, {}, show=BOUND)


@control("TEN-003")
def test_a_query_without_an_organisation_raises_and_one_within_sees_its_rows(host: Host, see: Witness) -> None:
    seen = host.inside["shape"]
    refused_unbound(see, seen)
    see.exactly("ways that were tried within one", set(seen["bound"]), set(seen["unbound"]))
    foreign = {way: came for way, came in seen["bound"].items() if came != "asks for the bound organisation's"}
    see.exactly("ways by which more than its own rows are asked for", foreign, {}, show=BOUND)


@probe("TEN-003", touches=("tenancy: manager",), spoils=("TEN-012", "X-14"))
def commands_see_all_rows_where_they_bind_nothing(host: Host) -> None:
    of_the_bound = "return TenantQuerySet(self.model, using=self._db).filter(organization_id=bound_organization_id())"
    of_all = (
        "from casemate.tenancy.binding import _bound\n\n"
        "        rows = TenantQuerySet(self.model, using=self._db)\n"
        "        return rows.filter(organization_id=_bound.get()) if _bound.get() else rows"
    )
    patch_application(host, "tenancy/models.py", of_the_bound, of_all)


@control("X-14")
def test_without_an_organisation_nothing_is_found_by_any_model_or_address(host: Host, see: Witness, expected: Expected) -> None:
    seen = host.inside["shape"]
    refused_unbound(see, seen)
    walked = {way.partition(".")[0].partition(":")[0] for way in seen["unbound"]}
    see.exactly("models that were walked", walked, {name.partition(".")[2] for name in expected["models"]["by_the_base"]}, show=MODELS)
    below = {path for path in host.inside["application"]["routes"] if path.startswith("/o/")}
    reached = {address.partition(" ")[2] for address in seen["round the gate"]}
    see.exactly("addresses of an organisation that were walked", reached, below, show="casemate/organizations/access.py")
    answered = {address: came for address, came in seen["round the gate"].items() if came != "cannot be called"}
    see.exactly("addresses that can be called while nothing is bound", answered, {}, show="casemate/organizations/access.py")


@control("X-14")
def test_the_database_holds_what_the_code_would_miss(host: Host, see: Witness, expected: Expected) -> None:
    found, wanted = host.inside["tenant_tables"], expected["tenancy"]
    show = "sudo mariadb casemate -e 'SHOW CREATE TABLE vault_password'"
    see.exactly("references that stay in one organisation", set(found["references"]), set(wanted["references"]), show=show)
    see.exactly("references that could lead out of it", found["loose"], [], show=show)


@probe("X-14", touches=("tenancy: manager's count",), spoils=("TEN-003", "TEN-012"))
def a_report_counts_the_rows_of_all_organisations(host: Host) -> None:
    counted = "def count(self) -> int:\n        return models.QuerySet(self.model).count()\n\n    "
    found = "def get_queryset(self) -> TenantQuerySet[M]:"
    patch_application(host, "tenancy/models.py", found, f"{counted}{found}")


@control("TEN-013", active=True)
def test_the_database_refuses_the_runtime_account_a_row_that_refers_elsewhere(host: Host, see: Witness, expected: Expected) -> None:
    if "app" not in host.tiers:
        raise NotTestable("the application, whose account it is tried by, runs on another host")
    seen, ways = walk(host)["references"], expected["tenancy"]["ways"]
    see.exactly("references to rows of its own organisation", seen["to its own"], dict.fromkeys(ways, "taken"), show=REFERENCES)
    # 1452: there is no such row, for the composite key.
    see.exactly("references to rows of another", seen["to the other's"], dict.fromkeys(ways, "refused 1452"), show=REFERENCES)


@probe("TEN-013", touches=("configuration: database",), spoils=("APP-018",))
def foreign_keys_are_not_looked_at_since_an_import(host: Host) -> None:
    patch_application(host, "configuration.py", "NO_ENGINE_SUBSTITUTION'", "NO_ENGINE_SUBSTITUTION', foreign_key_checks=0")
