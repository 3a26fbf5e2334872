"""The edge's own rules: HSTS by declaration, sizes, addresses, floods, who owns a header, and a patched nginx."""

import json
import os
import re
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from verification import nginx_configuration
from verification.breaking import edit_nginx, patch_application
from verification.checks.web import curl, kinds, values
from verification.host import Host
from verification.inventory import ROOT
from verification.marks import control, probe
from verification.remote.wire import https, request
from verification.witness import Witness
from verification.words import NotTestable

Expected = dict[str, Any]
HSTS = "strict-transport-security"
LOG = "/var/log/nginx/access.log"


def loaded(host: Host) -> nginx_configuration.Directive:
    """What nginx has loaded, as directives; a reader that may not run nginx sees nothing of it."""
    seen = host.inside["nginx"]
    if "not_testable" in seen:
        raise NotTestable(seen["not_testable"])
    return nginx_configuration.read(seen["directives"])


@control("WEB-004")
def test_the_lifetime_is_that_of_the_declared_stage(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    see.one_of("stage that is declared", declared.get("hsts_stage"), (1, 2, 3, 4), show="grep hsts_stage declared.yml")
    lifetime = re.match(r"max-age=\d+", expected["hsts"]["stages"][int(declared.get("hsts_stage", expected["hsts"]["stage"]))])
    wanted = [lifetime[0]] if lifetime else []
    for kind in kinds(host):
        seen = [part.strip() for value in values(host, kind, HSTS) for part in value.split(";") if "max-age" in part]
        see.exactly(f"lifetime on: {kind}", seen, wanted, show=curl(host, kind))
    headers = [one.words for one in loaded(host).all("add_header", "more_set_headers") if HSTS in " ".join(one.words).lower()]
    see.at_least("places in the configuration that name it", len(headers), 1, show="sudo nginx -T | grep -i strict-transport")
    # A value with a variable in it could change with time, or with who asks.
    said = {tuple(re.findall(r"max-age[^;]*|\$\w+", words[1])) for words in headers}
    see.exactly("lifetimes in the configuration", said, {tuple(wanted)}, show="sudo nginx -T | grep -i strict-transport")


@probe("WEB-004", touches=("nginx: hsts",), spoils=("WEB-003",))
def a_year_is_written_into_the_template_whatever_is_declared(host: Host) -> None:
    edit_nginx(host, 'Strict-Transport-Security "max-age=300;', 'Strict-Transport-Security "max-age=31536000;')


@control("WEB-005")
def test_nothing_asks_to_be_preloaded(host: Host, see: Witness) -> None:
    for kind in kinds(host):
        seen = [value for value in values(host, kind, HSTS) if "preload" in value.lower()]
        see.exactly(f"headers with preload on: {kind}", seen, [], show=curl(host, kind))
    texts = [" ".join(one.words) for one in loaded(host).all("add_header") if one.words[0].lower() == HSTS]
    see.exactly("headers in the configuration with preload", [text for text in texts if "preload" in text.lower()], [])


# What is declared, and what the role's preflight must say to it: site.yml asks it before anything is changed.
PRELOADS = {
    "the site's name, in the first week": ({"nginx_hsts_stage": 1, "nginx_hsts_preload": "casemate.test"}, "refused"),
    "the site's name, in the first month": ({"nginx_hsts_stage": 3, "nginx_hsts_preload": "casemate.test"}, "refused"),
    "another name, at a year": ({"nginx_hsts_stage": 4, "nginx_hsts_preload": "casemate.example"}, "refused"),
    "a word that means yes, at a year": ({"nginx_hsts_stage": 4, "nginx_hsts_preload": "yes"}, "refused"),
    "nothing, in the first week": ({"nginx_hsts_stage": 1, "nginx_hsts_preload": ""}, "accepted"),
    "the site's name, at a year": ({"nginx_hsts_stage": 4, "nginx_hsts_preload": "casemate.test"}, "accepted"),
}


@control("WEB-005", active=True)
def test_declaring_it_too_early_is_refused_before_anything_is_changed(host: Host, see: Witness, repository: Path) -> None:
    answers = host.trial(
        "declarations of preloading", lambda _host: said_to(repository, {name: given for name, (given, _) in PRELOADS.items()})
    )
    see.exactly(
        "what is said to",
        answers,
        {name: wanted for name, (_, wanted) in PRELOADS.items()},
        show="make converge, with -e nginx_hsts_preload=…",
    )
    first, *_others = yaml.safe_load((repository / "ansible" / "site.yml").read_text())
    asked = [task.get("ansible.builtin.import_role") for task in first["tasks"]]
    see.exactly("the first play asks it", {"name": "nginx", "tasks_from": "preflight"} in asked, True, show="ansible/site.yml")
    template = (repository / "files" / "nginx" / "site.conf.j2").read_text()
    preloading = [line.strip() for line in template.splitlines() if "preload" in line]
    see.exactly("subdomains stand beside each preload", ["includeSubDomains" in line for line in preloading], [True])


def said_to(repository: Path, declarations: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The preflight of role nginx with each of these, on no host."""
    ask = [
        {
            "block": [
                {"ansible.builtin.include_role": {"name": "nginx", "tasks_from": "preflight"}, "vars": given},
                {"ansible.builtin.debug": {"msg": f"verdict {number} accepted"}},
            ],
            "rescue": [{"ansible.builtin.debug": {"msg": f"verdict {number} refused"}}],
        }
        for number, given in enumerate(declarations.values())
    ]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": {"site_name": "casemate.test"}, "tasks": ask}
    environment = {**os.environ, "ANSIBLE_CONFIG": str(repository / "ansible" / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    with tempfile.TemporaryDirectory(prefix="casemate-preflight-") as folder:
        (Path(folder) / "play.yml").write_text(yaml.safe_dump([play]))
        argv = [str(ROOT / ".venv" / "bin" / "ansible-playbook"), "-i", "localhost,", str(Path(folder) / "play.yml")]
        ran = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=120)
    verdicts = re.findall(r"verdict (\d+) (accepted|refused)", ran.stdout)
    return {list(declarations)[int(number)]: verdict for number, verdict in verdicts}


@probe("WEB-005", touches=("nginx: preload",), spoils=("WEB-003",))
def preload_is_added_since_a_guide_says_so(host: Host) -> None:
    edit_nginx(host, "; includeSubDomains", "; includeSubDomains; preload")


@control("WEB-025")
def test_each_header_has_one_owner(host: Host, see: Witness, expected: Expected) -> None:
    inside = host.inside["headers_of_the_application"]
    for kind, headers in inside.items():
        for name in expected["one_owner"]:
            own = [value for header, value in headers if header == name]
            see.exactly(f"{name} leaves the application once on: {kind}", len(own), 1)
            see.exactly(f"{name} is the same after nginx on: {kind}", values(host, kind, name), own, show=curl(host, kind))
        see.exactly(f"{HSTS}, which is nginx's own, on: {kind}", [value for header, value in headers if header == HSTS], [])
    see.exactly("kinds of answer of the application", set(inside), {"page", "redirect", "404 of the application"})
    for kind in kinds(host):
        often = {name: len(values(host, kind, name)) for name in expected["one_owner"]}
        see.exactly(f"how often each came on: {kind}", often, dict.fromkeys(expected["one_owner"], 1), show=curl(host, kind))


@probe("WEB-025", touches=("settings: policy headers",), spoils=("WEB-016", "WEB-022", "WEB-024"))
def the_middleware_goes_since_nginx_sends_headers_too(host: Host) -> None:
    patch_application(host, "settings.py", '    "casemate.headers.PolicyHeaders",\n', "")


@control("WEB-027")
def test_one_byte_more_than_the_limit_is_refused(host: Host, see: Witness, expected: Expected) -> None:
    seen, limits = host.outside["bodies"], expected["body_limits"]
    for path, limit in limits.items():
        given = seen.get(path, {})
        show = f"head -c {limit + 1} /dev/zero | curl -si --data-binary @- https://{host.site}{path}"
        see.one_of(f"status of {limit} bytes to {path}", given.get("of the limit"), (302, 403, 404), show=show)
        see.exactly(f"{limit + 1} bytes to {path}: status, and whether nginx says it", given.get("one byte more"), [413, True], show=show)
        see.exactly(f"{limit + 1} bytes in chunks to {path}", given.get("one byte more, in chunks"), [413, True], show=show)
    see.exactly("addresses that were asked", set(seen), set(limits))


@probe("WEB-027", touches=("nginx: body limit",), spoils=("WEB",))
def the_limits_are_lifted_for_an_import(host: Host) -> None:
    host.sudo(
        "sed -i -E 's/client_max_body_size [0-9]+[km];/client_max_body_size 0;/' /etc/nginx/nginx.conf "
        "&& nginx -t -q && nginx -s reload && sleep 0.3"
    )


@control("WEB-029")
def test_nginx_has_no_update_waiting(host: Host, see: Witness, expected: Expected) -> None:
    seen = host.inside["nginx_packages"]
    see.exactly("nginx is among the packages", "nginx" in seen["packages"], True, show="dpkg -l 'nginx*' 'libnginx-mod-*'")
    see.exactly("updates that wait", seen["pending"], {}, show="apt-cache policy nginx")
    see.exactly("packages that are held back", seen["held"], [], show="apt-mark showhold")
    see.exactly("packages that are pinned", seen["pinned"], {}, show="apt-cache policy nginx")
    see.at_most(
        "days since apt looked", seen["days since apt looked"], expected["patched"]["days_since_apt_looked"], show="sudo apt-get update"
    )


@probe("WEB-029", touches=("nginx: packages",), spoils=("HOST-009",))
def nginx_is_held_back_until_somebody_has_time(host: Host) -> None:
    host.sudo("apt-mark hold nginx >/dev/null")


@control("WEB-030")
def test_exactly_the_intended_addresses_answer(host: Host, see: Witness, expected: Expected) -> None:
    routes = host.inside["application"]["routes"]
    show = "sudo casemate shell --command 'from django.urls import get_resolver; print(get_resolver().url_patterns)'"
    see.exactly("addresses of the running application", routes, sorted(expected["addresses"]), show=show)
    seen = host.outside["nowhere"]
    see.exactly("addresses beside them that were tried", set(seen), set(expected["nowhere"]))
    for path, status in seen.items():
        see.exactly(f"status of {path}", status, 404, show=f"curl -si https://{host.site}{path}")


@probe("WEB-030", touches=("urls",), spoils=("APP-013", "AUTH-010"))
def a_page_that_helps_to_find_a_fault_stays(host: Host) -> None:
    patch_application(host, "urls.py", '    path("healthz",', '    path("debug/", healthz, name="debug"),\n    path("healthz",')


@control("OPS-001")
def test_a_weakness_can_be_reported_in_private(host: Host, see: Witness, declared: Expected, repository: Path) -> None:
    seen, show = host.outside["security_txt"], f"curl -si https://{host.site}/.well-known/security.txt"
    see.exactly("status and type", [seen["status"], seen["type"]], [200, "text/plain; charset=utf-8"], show=show)
    fields: dict[str, list[str]] = {}
    for name, value in seen["fields"]:
        fields.setdefault(name.lower(), []).append(value)
    see.exactly("its fields", set(fields), {"contact", "expires", "preferred-languages", "canonical"}, show=show)
    see.exactly("contact, as it is declared", fields.get("contact"), [declared.get("security_contact", "none is declared")], show=show)
    see.exactly("where it says that it stands", fields.get("canonical"), [f"https://{host.site}/.well-known/security.txt"], show=show)
    ends = [datetime.fromisoformat(value) for value in fields.get("expires", [])]
    see.exactly("times that an end is named", len(ends), 1, show=show)
    left = [(end - datetime.now(UTC)).days for end in ends]
    see.at_least("days until it expires", min(left, default=0), 1, show=show)
    see.at_most("days that it promises", max(left, default=0), 366, show=show)
    policy = " ".join((repository / "SECURITY.md").read_text().partition("## Report a weakness")[2].partition("\n## ")[0].split())
    see.exactly(
        "SECURITY.md leads to it", "the contact that it names in `/.well-known/security.txt`" in policy, True, show="cat SECURITY.md"
    )
    see.exactly("public trackers that SECURITY.md leads to", re.findall(r"\S*/issues\S*", policy), [], show="cat SECURITY.md")


@probe("OPS-001", touches=("nginx: security.txt",))
def the_day_on_which_the_contact_ends_goes_by(host: Host) -> None:
    edit_nginx(host, "\\nExpires: 20", "\\nExpires: 19")


@control("WEB-032", active=True)
def test_a_flood_of_one_address_is_refused_by_nginx_while_others_are_served(
    host: Host, see: Witness, expected: Expected, declared: Expected
) -> None:
    if not host.seen_by_stranger:
        raise NotTestable("whether others are served meanwhile: name a second host in the group `observers`")

    def attempt(host: Host) -> dict[str, Any]:
        size, observers = int(host.sudo(f"stat --format=%s {LOG}").stdout), host.seen_from()
        served, slowest = [], 0.0
        with ThreadPoolExecutor(max_workers=1) as pool:
            flood = pool.submit(host.look_outside, {"sections": ["flood"]})
            while not flood.done():
                began = time.monotonic()
                served.append(by_another_address(host, declared))
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.1)
            tries = flood.result()["flood"]
        lines = [json.loads(line) for line in host.sudo(f"tail -c +{size + 1} {LOG}").stdout.splitlines()]
        # By the path alone: what nginx refuses it answers with a page of its own, and logs that as a GET.
        ours = [line for line in lines if line["client"] in observers and line["path"] == "/sign-in/"]
        passed_on = sum(line["upstream_seconds"] not in ("", "-") for line in ours)
        host.sudo("systemctl restart nginx && sleep 0.3")  # which forgets its counts: whoever signs in next from there is not to be refused
        return {"tries": tries, "served meanwhile": served, "slowest": round(slowest, 2), "passed on": [passed_on, len(ours)]}

    seen, least = host.trial("a flood", attempt), expected["nginx"]["sign_ins_of_a_flood"]
    show = f"60 times at once: curl -sd email=x https://{host.site}/sign-in/; then sudo tail /var/log/nginx/access.log"
    see.exactly("sign-ins in its log", seen["passed on"][1], 60, show=show)
    see.at_most("sign-ins of sixty that nginx passed on", seen["passed on"][0], least, show=show)
    see.at_least("sign-ins of sixty that nginx passed on, since people must get in", seen["passed on"][0], 5, show=show)
    see.at_least("sign-ins that nginx refused", seen["tries"].count("429 of nginx"), 60 - least, show=show)
    see.at_least("times that another address asked meanwhile", len(seen["served meanwhile"]), 3)
    see.exactly("answers to it", sorted(set(seen["served meanwhile"])), [200], show=f"curl -si https://{host.site}{host.page}")
    see.at_most("seconds that it waited at the most", seen["slowest"], 5)


def by_another_address(host: Host, declared: Expected) -> int:
    """The status of the page for the controller, who floods nobody."""
    anchor = declared.get("trust_anchor")
    parameters = {"address": declared["site_addresses"][0], "site": host.site, "ca": Path(anchor).read_text() if anchor else None}
    status: int = https(parameters, request("GET", host.page, host.site))["status"]
    return status


@control("WEB-032")
def test_whatever_reaches_the_application_is_counted(host: Host, see: Witness, expected: Expected) -> None:
    configuration = loaded(host)
    show = "sudo nginx -T | grep -E 'limit_(req|conn)'"
    zones = {name: [" ".join(one.words) for one in configuration.all(name)] for name in ("limit_req_zone", "limit_conn_zone")}
    see.exactly("what is counted, by whom and how fast", zones, expected["nginx"]["zones"], show=show)
    passed_on = [place for place in configuration.all("location", "if", "limit_except") if place.own("proxy_pass")]
    see.at_least("locations that pass requests on", len(passed_on), 2, show=show)
    for place in passed_on:
        counted = {word for words in place.counts("limit_req") for word in words if word.startswith("zone=")}
        see.exactly(f"requests are counted in {place.where}", "zone=dynamic" in counted, True, show=show)
        see.exactly(f"connections are counted in {place.where}", place.counts("limit_conn"), [("address", "100")], show=show)


@probe("WEB-032", touches=("nginx: limits",))
def the_limits_go_for_a_load_test(host: Host) -> None:
    host.sudo("sed -i -E '/^ *limit_req zone=/d' /etc/nginx/nginx.conf && nginx -t -q && nginx -s reload && sleep 0.3")
