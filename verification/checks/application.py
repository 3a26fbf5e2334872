"""The application as a browser meets it, and what it says of itself on the host."""

from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.remote.visit import cookies
from verification.witness import Witness
from verification.words import NotApplicable

Expected = dict[str, Any]
HASHES = "sudo mariadb casemate -Ne \"SELECT DISTINCT SUBSTRING_INDEX(password, '$', 1) FROM accounts_user\""
SETTINGS = "sudo casemate diffsettings --all"
ENVIRONMENT = "sudo cat /etc/casemate/application.env"
KEYS = "sudo mariadb casemate -e 'SHOW CREATE TABLE accounts_user'"
OVER_THE_SOCKET = "sudo curl -si --unix-socket /run/casemate/gunicorn.sock http://SITE/sign-in/"
MIGRATIONS = "sudo casemate makemigrations --check --dry-run"
# In lower case, as Django 6 words its debugging pages.
SETTING_NAMES = ("traceback", "installed_apps", "settings_module", "seeing this error because", "urlconf", "debug = true")


@control("APP-001")
def test_an_error_page_shows_nothing_of_the_inside(host: Host, see: Witness) -> None:
    answers = host.outside["answers"]
    for kind in ("404 of the application", "403 of the application"):
        body = answers[kind]["body"].lower()
        see.exactly(
            f"words of a debugging page on: {kind}",
            [word for word in SETTING_NAMES if word in body],
            [],
            show=f"curl -s https://{host.site}/no-such-page/",
        )
        see.exactly(f"status of: {kind}", answers[kind]["status"], int(kind[:3]))


@probe("APP-001", touches=("settings: debug",), spoils=("APP-015", "WEB"))
def debugging_is_switched_on_to_find_a_fault(host: Host) -> None:
    patch_application(host, "settings.py", "DEBUG = False", "DEBUG = True")


@control("APP-002")
def test_only_our_own_name_is_answered(host: Host, see: Witness, declared: Expected) -> None:
    for kind in ("plain HTTP, unknown host", "TLS, unknown name", "TLS, no name", "TLS, our name, unknown host"):
        answer = host.outside["strangers"][kind]
        show = f"curl -sik -H 'Host: attacker.example' https://{declared['site_name']}/"
        see.one_of(f"status for {kind} (0: closed without an answer)", answer["status"], (0, 421), show=show)
    see.exactly("our own name", host.outside["answers"]["page"]["status"], 200)


@probe("APP-002", touches=("nginx: default server",), spoils=("TLS-003", "X-25", "X-26"))
def the_site_becomes_the_default_server(host: Host) -> None:
    host.sudo(
        "grep -rlE 'return 444|ssl_reject_handshake' /etc/nginx | xargs sed -i -E "
        '\'s/return 444;/return 200 "welcome";/; s/ssl_reject_handshake on;/ssl_certificate \\/etc\\/casemate\\/pki\\/edge\\/server.crt; '
        "ssl_certificate_key \\/etc\\/casemate\\/pki\\/edge\\/server.key;/' && nginx -t && nginx -s reload && sleep 0.3"
    )


@control("APP-003")
def test_a_form_is_taken_from_our_own_origin_and_from_no_other(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["forms_by_origin"], expected["forms_from"]
    show = f"{OVER_THE_SOCKET} -H 'X-Forwarded-Proto: https' -H 'Origin: …' -b … -d csrfmiddlewaretoken=…"
    see.exactly("where forms said to come from", set(seen), set(wanted), show=show)
    for said, status in wanted.items():
        see.exactly(f"status of a form from: {said}", seen.get(said, "not tried"), status, show=show)
    show = "sudo casemate shell -c 'from django.conf import settings; print(settings.CSRF_TRUSTED_ORIGINS)'"
    see.exactly("further origins that are trusted", host.inside["settings"]["further origins"], [], show=show)


@probe("APP-003", touches=("settings: origins of forms",), spoils=("APP-017", "APP-018"))
def whatever_is_put_below_our_name_one_day_may_send_forms(host: Host) -> None:
    age = "CSRF_COOKIE_AGE = None\n"
    patch_application(host, "settings.py", age, f'{age}CSRF_TRUSTED_ORIGINS = [f"https://*.{{SITE_NAME}}"]\n')


@control("APP-004")
def test_over_its_socket_it_answers_who_came_by_https_alone(host: Host, see: Witness) -> None:
    answers = host.inside["answers_by_scheme"]
    see.exactly("what was said of the scheme", set(answers), {"https", "in clear", "both", "nothing"})
    for said, answer in answers.items():
        wanted = {"status": "200", "cookies": 1, "a page": True} if said == "https" else {"status": "400", "cookies": 0, "a page": False}
        see.exactly(f"answer where the proxy says: {said}", answer, wanted, show=OVER_THE_SOCKET)


@probe("APP-004", touches=("settings: transport",), spoils=("APP-018",))
def a_check_of_health_asks_over_the_socket_without_a_word_of_the_scheme(host: Host) -> None:
    patch_application(host, "settings.py", '    "casemate.transport.OverTlsAlone",\n', "")


@control("APP-006")
def test_the_csrf_cookie_is_sent_over_https_only(host: Host, see: Witness) -> None:
    seen = cookies(host.outside["answers"]["page"])
    see.exactly("cookies of the sign-in page", set(seen), {"__Host-csrftoken"}, show=f"curl -si https://{host.site}/sign-in/")
    attributes = seen.get("__Host-csrftoken", {})
    see.exactly("Secure", "secure" in attributes, True)
    see.exactly("Path, and no Domain", (attributes.get("path"), attributes.get("domain")), ("/", None))


@probe("APP-006", touches=("settings: csrf secure",), spoils=("APP-015",))
def the_csrf_cookie_may_go_in_clear(host: Host) -> None:
    patch_application(host, "settings.py", "CSRF_COOKIE_SECURE = True", "CSRF_COOKIE_SECURE = False")


@control("APP-008")
def test_no_other_site_sends_our_cookies(host: Host, see: Witness) -> None:
    for name, attributes in cookies(host.outside["answers"]["page"]).items():
        see.exactly(f"HttpOnly of {name}", "httponly" in attributes, True)
        see.one_of(f"SameSite of {name}", attributes.get("samesite"), ("lax", "strict"), show=f"curl -si https://{host.site}/sign-in/")


@probe("APP-008", touches=("settings: csrf samesite",))
def a_partner_embeds_the_form(host: Host) -> None:
    patch_application(host, "settings.py", 'CSRF_COOKIE_SAMESITE = "Lax"', 'CSRF_COOKIE_SAMESITE = "None"')


@control("APP-009")
def test_a_form_without_its_token_is_refused(host: Host, see: Witness) -> None:
    answers = host.outside["answers"]
    see.exactly(
        "status of a POST without a token",
        answers["403 of the application"]["status"],
        403,
        show=f"curl -si -d email=x https://{host.site}/sign-in/",
    )
    body = answers["page"]["body"]
    see.exactly(
        "forms in the page",
        body.count('method="post"'),
        body.count('name="csrfmiddlewaretoken"'),
        show=f"curl -s https://{host.site}/sign-in/",
    )
    see.at_least("forms with a token", body.count('name="csrfmiddlewaretoken"'), 1)


@probe("APP-009", touches=("views: sign-in",), spoils=("APP-001", "APP-003", "AUTH-018", "WEB-003", "WEB-027"))
def a_form_that_kept_failing_is_exempted(host: Host) -> None:
    exempted = "from django.views.decorators.csrf import csrf_exempt\n\n\n@csrf_exempt\n@access(Access.ANYONE)\n@form_page\ndef sign_in("
    patch_application(host, "accounts/views.py", "@access(Access.ANYONE)\n@form_page\ndef sign_in(", exempted)


@control("APP-014")
def test_middleware_stands_in_its_written_order(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["settings"]["middleware"], expected["settings"]["values"]["MIDDLEWARE"]
    see.exactly("middleware from the outermost to the innermost", seen, wanted, show="sudo casemate diffsettings --all | grep MIDDLEWARE")


@control("APP-014")
def test_what_one_answers_by_itself_has_the_headers_of_those_before_it(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["answers_of_middleware"], expected["answers_of_middleware"]
    see.exactly("answers of middleware that were fetched", set(seen), set(wanted), show=OVER_THE_SOCKET)
    policies = {name for answer in wanted.values() for name in answer["headers"]}
    for name, answer in wanted.items():
        found = seen.get(name, {"status": 0, "headers": []})
        see.exactly(f"status: {name}", found["status"], answer["status"], show=OVER_THE_SOCKET)
        laid = [header for header in found["headers"] if header in policies]
        see.exactly(f"policy headers: {name}", laid, answer["headers"], show=OVER_THE_SOCKET)


@probe("APP-014", touches=("settings: transport",), spoils=("APP-018",))
def what_refuses_most_cheaply_is_put_in_front(host: Host) -> None:
    headers, transport = '    "casemate.headers.PolicyHeaders",\n', '    "casemate.transport.OverTlsAlone",\n'
    patch_application(host, "settings.py", headers + transport, transport + headers)


@control("APP-015")
def test_djangos_own_deployment_check_is_clean(host: Host, see: Witness) -> None:
    said = host.inside["deploy_check"]
    see.exactly("exit status", said["status"], 0, show="sudo casemate check --deploy --fail-level WARNING")
    see.exactly(
        "what it says first",
        said["said"].splitlines()[0][:44] if said["said"] else "",
        "System check identified no issues (4 silenced"[:34] + said["said"][34:44],
    )


@probe("APP-015", touches=("settings: secret key",), spoils=("VAULT-014", "VAULT-017"))
def a_secret_key_comes_from_a_tutorial(host: Host) -> None:
    patch_application(host, "settings.py", "SECRET_KEY = _configuration.secret_key", 'SECRET_KEY = "django-insecure-tutorial"')


@control("APP-005", active=True)
def test_the_session_cookie_is_sent_over_https_only(host: Host, see: Witness) -> None:
    seen = host.newcomer().outside
    see.exactly("statuses of link, password and wrong guess", (seen["opened"], seen["accepted"], seen["guess"]), (200, 302, 200))
    attributes = seen["cookies"].get("__Host-sessionid", {})
    see.exactly("Secure", "secure" in attributes, True, show="the Set-Cookie header after the password")
    see.exactly("Path, and no Domain", (attributes.get("path"), attributes.get("domain")), ("/", None))


@probe("APP-005", touches=("settings: session secure",), spoils=("APP-015",))
def the_session_may_go_in_clear(host: Host) -> None:
    patch_application(host, "settings.py", "SESSION_COOKIE_SECURE = True", "SESSION_COOKIE_SECURE = False")


@control("APP-007", active=True)
def test_no_script_reads_the_session_cookie(host: Host, see: Witness) -> None:
    seen = host.newcomer().outside["cookies"]
    see.exactly("HttpOnly", "httponly" in seen.get("__Host-sessionid", {}), True, show="the Set-Cookie header after the password")
    see.exactly("SameSite", seen.get("__Host-sessionid", {}).get("samesite"), "lax")


@probe("APP-007", touches=("settings: session httponly",), spoils=("APP-015",))
def a_script_wants_to_see_the_session(host: Host) -> None:
    patch_application(host, "settings.py", "SESSION_COOKIE_HTTPONLY = True", "SESSION_COOKIE_HTTPONLY = False")


@control("AUTH-001")
def test_passwords_are_kept_with_argon2id(host: Host, see: Witness, expected: Expected) -> None:
    kept = {way for way in host.inside["password_hashes"] if way != "no password"}
    if not kept:
        raise NotApplicable("nobody has a password here yet")
    see.exactly("ways in which a password is kept", kept, {expected["password_hash"]}, show=HASHES)


@control("AUTH-001", active=True)
def test_a_new_password_is_kept_with_argon2id(host: Host, see: Witness, expected: Expected) -> None:
    kept = {way for way in host.newcomer().password_hashes if way != "no password"}
    see.exactly("ways in which a new password is kept", kept, {expected["password_hash"]}, show=HASHES)


@probe("AUTH-001", touches=("settings: hasher",), spoils=("AUTH-002",))
def djangos_default_hasher_comes_back(host: Host) -> None:
    patch_application(host, "settings.py", "Argon2PasswordHasher", "PBKDF2PasswordHasher")


@control("APP-018")
def test_each_setting_of_the_running_application_has_its_written_value(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["settings"], expected["settings"]
    see.exactly("settings", set(seen["values"]), {*wanted["values"], *wanted["looked_at_elsewhere"]}, show=SETTINGS)
    for name, value in wanted["values"].items():
        see.exactly(name, seen["values"].get(name, "not set"), value, show=SETTINGS)
    see.exactly("settings that are others where DEBUG is on", seen["that depend on DEBUG"], ["DEBUG"], show=SETTINGS)


@probe("APP-018", touches=("settings: csrf secure",))
def the_cookie_is_tied_to_debug_as_in_the_policy(host: Host) -> None:
    patch_application(host, "settings.py", "CSRF_COOKIE_SECURE = True", "CSRF_COOKIE_SECURE = not DEBUG")


@control("APP-017")
def test_no_setting_of_a_host_leads_into_another_mode(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["settings"], expected["settings"]
    see.exactly("what can be set of a host", set(seen["known"]), set(wanted["changes"]), show=ENVIRONMENT)
    see.at_least("other names that were tried, each with four values", seen["names that were tried"], 200)
    for value, changed in seen["hoped for"].items():
        see.exactly(f"what changes where all of them are {value!r}", changed, [])
    tried = {what.partition("=")[0] for what in seen["set"]}
    see.exactly("settings that were tried", tried, {*wanted["changes"], "CASEMATE_BUILD"}, show=ENVIRONMENT)
    refused = {what for what, changed in seen["set"].items() if isinstance(changed, str)}
    see.exactly("what is refused", refused, set(wanted["refused"]), show=ENVIRONMENT)
    for what, changed in seen["set"].items():
        if what not in refused:
            beyond = sorted({*changed} - {*wanted["changes"].get(what.partition("=")[0], [])})
            see.exactly(f"what {what} changes beyond what it is for", beyond, [], show=ENVIRONMENT)
    # A developer's host is of the profile lab.
    see.exactly("what a developer's host has otherwise than a public one", seen["between lab and baseline"], [], show=SETTINGS)


@probe("APP-017", touches=("settings: debug",))
def a_developer_wants_a_switch_for_the_debugger(host: Host) -> None:
    switch = 'DEBUG = __import__("os").environ.get("DJANGO_DEBUG") == "True"'
    patch_application(host, "settings.py", "DEBUG = False", switch)


@control("APP-023")
def test_people_are_a_model_of_our_own_with_random_keys(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["shape"], expected["models"]
    see.exactly("the model of people, its module and key", seen["person"], wanted["person"], show=SETTINGS)
    see.at_least("columns that name a person", seen["that name people"], 9, show=KEYS)
    see.exactly("how the database keeps them", seen["columns of people"], ["uuid"], show=KEYS)
    see.exactly(
        "what makemigrations would do", seen["migrations"], wanted["migrations"], show="sudo casemate makemigrations --check --dry-run"
    )


@probe("APP-023", touches=("accounts: models",))
def a_field_of_people_is_changed_without_its_migration(host: Host) -> None:
    patch_application(host, "accounts/models.py", "name = models.CharField(max_length=120", "name = models.CharField(max_length=200")
