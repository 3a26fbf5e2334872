"""The edge as a stranger's client sees it: redirects, headers on every kind of answer, static files, unknown hosts."""

import re
from typing import Any

from verification.breaking import edit_nginx, patch_application, restart_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

# Every kind of answer that the site can give: its status, and what to ask curl for to see it.
KINDS = {
    "page": (200, "PAGE"),
    "redirect": (302, "SITE/"),
    "static file": (200, "SITE/static/… (a stylesheet of the page)"),
    "404 of the application": (404, "SITE/no-such-page/"),
    "403 of the application": (403, "-d email=nobody@example.com PAGE"),
    "400 of nginx": (400, "SITE/%zz"),
    "404 of nginx": (404, "SITE/static/no-such-file"),
    "405 of nginx": (405, "-X TRACE SITE/"),
    "413 of nginx": (413, "-X POST -H 'Content-Length: 10737418240' PAGE"),
}
POLICY = "/etc/nginx"
STARTS = "sudo casemate check, with CASEMATE_ALLOWED_FEATURES"
Expected = dict[str, Any]


def values(host: Host, kind: str, header: str) -> list[str]:
    """A header's values on one kind of answer, as often as it came."""
    return [value for name, value in host.outside["answers"][kind]["headers"] if name == header]


def directives(policy: str) -> dict[str, list[str]]:
    """A content security policy as its directives."""
    parts = [part.split() for part in policy.split(";") if part.strip()]
    return {name: rest for name, *rest in parts}


def curl(host: Host, kind: str) -> str:
    """The command that shows this kind of answer."""
    return f"curl -si {KINDS[kind][1].replace('PAGE', f'SITE{host.page}').replace('SITE', f'https://{host.site}')}"


def kinds(host: Host) -> list[str]:
    """The kinds of answer that this site can be asked for."""
    return [kind for kind in KINDS if kind not in host.kinds_left_out]


def the_policy(host: Host, see: Witness, kind: str) -> dict[str, list[str]]:
    """The one content security policy of an answer; none, or two that disagree, is an observation of its own."""
    policies = values(host, kind, "content-security-policy")
    see.exactly(f"content security policies on: {kind}", len(policies), 1)
    return directives(policies[0]) if policies else {}


def on_every_kind(host: Host, see: Witness, header: str, expected: list[str]) -> None:
    """The header is there exactly once, with this value, on every kind of answer."""
    for kind in kinds(host):
        see.exactly(f"{header} on: {kind}", values(host, kind, header), expected, show=curl(host, kind))


@control("WEB-001")
def test_plain_http_is_only_a_permanent_redirect(host: Host, see: Witness, declared: Expected) -> None:
    answer = host.outside["strangers"]["plain HTTP"]
    location = [value for name, value in answer["headers"] if name == "location"]
    show = f"curl -si 'http://{declared['site_name']}/x?y=1'"
    see.one_of("status", answer["status"], (301, 308), show=show)
    see.exactly("location", location, [f"https://{declared['site_name']}/x?y=1"], show=show)


@probe("WEB-001", touches=("nginx: port 80",), spoils=("WEB-031",))
def somebody_serves_the_site_in_clear_for_a_quick_test(host: Host) -> None:
    host.sudo(
        f"grep -rlE 'return 30[18] https' {POLICY} | xargs sed -i -E 's/return 30[18] https[^;]*/return 200 \"in clear\"/' "
        "&& nginx -s reload && sleep 0.3"
    )


@control("WEB-002")
def test_only_nginx_answers_and_the_application_has_no_port(host: Host, see: Witness) -> None:
    listeners = host.inside["listeners"]
    see.exactly(
        "programs that listen on 80 and 443",
        {(entry["port"], program) for entry in listeners if entry["port"] in (80, 443) for program in entry["programs"]},
        {(80, "nginx"), (443, "nginx")},
        show="sudo ss -Hltnp",
    )
    application = {entry["pid"] for entry in host.inside["processes"] if entry["unit"] == "casemate.service"}
    see.at_least("processes of casemate.service", len(application), 1, show="systemctl status casemate")
    ports = [entry["port"] for entry in listeners if {"gunicorn", "python3", "python3.13", "python"} & {*entry["programs"]}]
    see.exactly("ports that the application listens on", ports, [], show="sudo ss -Hltunp | grep -E 'gunicorn|python'")


@probe("WEB-002", touches=("casemate.socket: addresses",), spoils=("HOST-001", "HOST-010"))
def the_application_gets_a_port_for_a_load_test(host: Host) -> None:
    host.replace("/etc/systemd/system/casemate.socket", "[Socket]\n", "[Socket]\nListenStream=8000\n")
    host.sudo("systemctl daemon-reload && systemctl stop casemate.service && systemctl restart casemate.socket")
    restart_application(host)


@control("WEB-003")
def test_hsts_is_on_every_kind_of_answer(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    stage = int(declared.get("hsts_stage", expected["hsts"]["stage"]))
    on_every_kind(host, see, "strict-transport-security", [expected["hsts"]["stages"][stage]])
    for kind in kinds(host):
        see.exactly(f"this was truly: {kind}", host.outside["answers"][kind]["status"], KINDS[kind][0], show=curl(host, kind))


@probe("WEB-003", touches=("nginx: hsts",), spoils=("X-26",))
def an_upgrade_of_the_snippet_forgets_always(host: Host) -> None:
    host.sudo(
        f"grep -rlZ Strict-Transport-Security {POLICY} | xargs -0 sed -i -E '/Strict-Transport-Security/s/ always;/;/' "
        "&& nginx -t && nginx -s reload && sleep 0.3"
    )


@control("WEB-008")
def test_only_scripts_with_this_answers_nonce_run(host: Host, see: Witness) -> None:
    nonces = []
    for kind in ("page", "page again"):
        policy = the_policy(host, see, kind)
        script = policy.get("script-src", policy.get("default-src", []))
        nonces += [source for source in script if source.startswith("'nonce-")]
        unsafe = [s for s in script if s in ("'unsafe-inline'", "'unsafe-eval'", "*", "data:", "https:", "http:", "blob:")]
        see.exactly(f"sources that would run anybody's script ({kind})", unsafe, [], show=curl(host, "page"))
        see.at_least(f"sources that are named for scripts, be it 'none' ({kind})", len(script), 1)
        other = [s for s in script if not s.startswith("'") and s not in unsafe]
        see.exactly(f"other origins that may send scripts ({kind})", other, [])
    if nonces:  # Django names none where the page has no script
        see.exactly("nonces that came twice", sorted({nonce for nonce in nonces if nonces.count(nonce) > 1}), [])
    body = host.outside["answers"]["page"]["body"]
    without = re.findall(r"<script(?![^>]*\b(?:src|nonce)=)[^>]*>|\son[a-z]+=[\"']", body)
    see.exactly("inline scripts without a nonce in the page", without, [], show=curl(host, "page"))


@probe("WEB-008", touches=("settings: script-src",), spoils=("WEB-007",))
def inline_scripts_are_allowed_for_a_widget(host: Host) -> None:
    patch_application(host, "settings.py", '"script-src": [CSP.NONCE]', '"script-src": [CSP.NONCE, CSP.UNSAFE_INLINE]')


@control("WEB-013")
def test_plugins_bases_and_foreign_forms_are_denied(host: Host, see: Witness, expected: Expected) -> None:
    for kind in ("page", "404 of the application"):
        seen = the_policy(host, see, kind)
        for name, allowed in expected["csp"].items():
            inherited = seen.get("default-src") if name.endswith("-src") else None  # base-uri and form-action inherit nothing
            see.exactly(f"{name} on: {kind}", seen.get(name, inherited or ["not set"]), allowed)


@probe("WEB-013", touches=("settings: base-uri",), spoils=("WEB-007", "WEB-017"))
def a_directive_is_lost_in_a_merge(host: Host) -> None:
    patch_application(host, "settings.py", '    "base-uri": [CSP.NONE],\n', "")


@control("WEB-014")
def test_no_answer_may_be_framed(host: Host, see: Witness) -> None:
    for kind in kinds(host):
        policies = values(host, kind, "content-security-policy")
        framing = [directives(policy).get("frame-ancestors") for policy in policies]
        see.exactly(f"frame-ancestors on: {kind}", framing, [["'none'"]])


@probe("WEB-014", touches=("nginx: frame-ancestors",), spoils=("WEB-007",))
def the_status_page_wants_a_frame(host: Host) -> None:
    edit_nginx(host, "frame-ancestors 'none'", "frame-ancestors 'self'")


@control("WEB-019")
def test_old_browsers_are_told_not_to_frame(host: Host, see: Witness, expected: Expected) -> None:
    on_every_kind(host, see, "x-frame-options", [expected["headers"]["x-frame-options"]])


@probe("WEB-019", touches=("nginx: headers",))
def a_second_layer_sends_the_header_too(host: Host) -> None:
    host.sudo(
        f"grep -rlZ Strict-Transport-Security {POLICY} | xargs -0 sed -i -E "
        "'0,/add_header Strict-Transport-Security/s//add_header X-Frame-Options SAMEORIGIN always; &/' "
        "&& nginx -t && nginx -s reload && sleep 0.3"
    )


@control("WEB-020")
def test_no_browser_guesses_a_type(host: Host, see: Witness, expected: Expected) -> None:
    on_every_kind(host, see, "x-content-type-options", [expected["headers"]["x-content-type-options"]])


@probe("WEB-020", touches=("nginx: nosniff",))
def a_location_loses_the_header(host: Host) -> None:
    edit_nginx(host, 'add_header X-Content-Type-Options "nosniff" always;', "")


@control("WEB-021")
def test_other_sites_learn_no_address_of_ours(host: Host, see: Witness, expected: Expected) -> None:
    on_every_kind(host, see, "referrer-policy", [expected["headers"]["referrer-policy"]])


@probe("WEB-021", touches=("nginx: referrer",))
def a_statistics_service_wants_to_know_the_page(host: Host) -> None:
    edit_nginx(host, 'Referrer-Policy "same-origin"', 'Referrer-Policy "unsafe-url"')


@control("WEB-022")
def test_pages_may_not_use_the_devices(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    for kind in kinds(host):
        allowed = {} if kind.endswith("of nginx") or kind == "static file" else declared.get("allowed_features", {})
        policies = values(host, kind, "permissions-policy")
        see.exactly(f"permissions-policy headers on: {kind}", len(policies), 1)
        denied = {part.strip().removesuffix("=()") for policy in policies for part in policy.split(",") if part.strip().endswith("=()")}
        missing = [feature for feature in expected["denied_features"] if feature not in denied and feature not in allowed]
        see.exactly(f"features that are not denied on: {kind}", missing, [])


@probe("WEB-022", touches=("nginx: camera",))
def the_camera_is_allowed_for_a_scanner(host: Host) -> None:
    edit_nginx(host, "camera=()", "camera=*")


@control("WEB-023")
def test_a_page_has_exactly_the_devices_that_are_declared(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    for kind in (kind for kind in kinds(host) if not kind.endswith("of nginx") and kind != "static file"):
        seen = ", ".join(values(host, kind, "permissions-policy")).split(", ")
        see.exactly(f"what is allowed on: {kind}", seen, devices(expected, declared).split(", "), show=curl(host, kind))


def devices(expected: Expected, declared: Expected) -> str:
    """The permissions policy of the application's own pages."""
    allowed = declared.get("allowed_features", {})
    parts = (part.removesuffix("=()") for part in str(expected["answers"]["every"]["permissions-policy"]).split(", "))
    quoted = {feature: " ".join(one if one == "self" else f'"{one}"' for one in allowed.get(feature, [])) for feature in parts}
    return ", ".join(f"{feature}=({words})" for feature, words in quoted.items())


@control("WEB-023", active=True)
def test_a_start_with_an_origin_that_is_none_is_refused(host: Host, see: Witness, expected: Expected) -> None:
    wanted = expected["refused_features"]
    asked = {"sections": ["starts_with_features"], "tried": {name: one["text"] for name, one in wanted.items()}}
    starts = host.trial("starts with features", lambda host: dict(host.look_inside(asked)["starts_with_features"]))
    see.exactly("starts that were tried", set(starts), set(wanted), show=STARTS)
    for name, one in wanted.items():
        start = starts.get(name, {"status": "not tried", "says": ""})
        see.exactly(f"status of a start with {name}", start["status"], 1 if one["says"] else 0, show=STARTS)
        if one["says"]:
            see.exactly(f"it says so: {name}", one["says"] in start["says"], True, show=STARTS)


@probe("WEB-023", touches=("settings: features",), spoils=("WEB-022", "WEB-026"))
def a_scanner_app_is_let_in_past_the_declaration(host: Host) -> None:
    patch_application(host, "settings.py", "features.parse(_environment.allowed_features)", '{"camera": ["self"]}')


@probe("WEB-023", touches=("features: origin",))
def an_origin_in_clear_is_let_pass_for_a_device_in_the_office(host: Host) -> None:
    patch_application(host, "features.py", 'compile(r"https://', 'compile(r"https?://')


@control("WEB-024")
def test_no_header_names_a_feature_that_is_no_more(host: Host, see: Witness) -> None:
    policies = [policy for kind in kinds(host) for policy in values(host, kind, "permissions-policy")]
    see.at_least("answers with a permissions policy", len(policies), len(kinds(host)))
    see.exactly("answers that name interest-cohort", [p for p in policies if "interest-cohort" in p], [])
    see.exactly("X-XSS-Protection, which opens holes in old browsers", values(host, "page", "x-xss-protection"), [])


@probe("WEB-024", touches=("nginx: dead feature",))
def a_line_is_pasted_from_an_old_guide(host: Host) -> None:
    edit_nginx(host, 'add_header Permissions-Policy "', 'add_header Permissions-Policy "interest-cohort=(), ')


@control("WEB-028")
def test_nginx_serves_static_files_and_nothing_beside_them(host: Host, see: Witness) -> None:
    answers = host.outside["answers"]
    see.exactly("status of a static file", answers["static file"]["status"], 200)
    type_ = values(host, "static file", "content-type")
    see.exactly("its type", [value.split(";")[0] for value in type_], ["text/css"])
    see.exactly("cookies that come with it", values(host, "static file", "set-cookie"), [])
    for kind in ("out of the static folder", "encoded, out of the static folder"):
        see.one_of(f"status of a path that climbs {kind}", answers[kind]["status"], (400, 403, 404))
    see.exactly("content of the release that leaked", [k for k in answers if '"files":' in answers[k]["body"]], [])


@probe("WEB-028", touches=("nginx: static",), spoils=("X-26",))
def an_alias_that_is_one_folder_too_high(host: Host) -> None:
    host.sudo(
        f"grep -rlZE '(alias|root) /opt/casemate/current/static' {POLICY} | xargs -0 sed -i -E "
        "'s#(alias|root) /opt/casemate/current/static/?#\\1 /opt/casemate/current/#' && nginx -s reload && sleep 0.3"
    )


@control("WEB-031")
def test_nobody_passes_as_https_by_saying_so(host: Host, see: Witness, declared: Expected) -> None:
    answer = host.outside["strangers"]["plain HTTP that says it is https"]
    show = f"curl -si -H 'X-Forwarded-Proto: https' http://{declared['site_name']}/"
    see.one_of("status", answer["status"], (301, 308), show=show)


@probe("WEB-031", touches=("nginx: who says https",))
def a_balancer_is_believed_that_is_not_there(host: Host) -> None:
    believing = 'if ($http_x_forwarded_proto = "https") { return 200 "as if over TLS"; }'
    edit_nginx(host, "    return 308 ", f"    {believing}\n    return 308 ")


@control("WEB-033")
def test_hidden_files_and_inner_pages_are_not_there(host: Host, see: Witness) -> None:
    answers = host.outside["answers"]
    see.exactly("status of /.git/config", answers["a hidden file"]["status"], 404)
    see.exactly("status of /healthz", answers["health, from outside"]["status"], 404)
    see.exactly("version in the Server header", {v for k in kinds(host) for v in values(host, k, "server") if "/" in v}, set())


@probe("WEB-033", touches=("nginx: health",), spoils=("WEB-030",))
def the_health_page_is_opened_for_a_monitor(host: Host) -> None:
    edit_nginx(host, "location = /healthz {", "location = /healthz { return 200 well;")
