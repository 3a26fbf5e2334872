"""What is logged has no secret in it, whichever way it came there, and still says who and what."""

import base64
import json
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.log import OneLine
from casemate.redaction import PLACEHOLDER, is_secret, redacted, text

# The thirteen that the requirement names (LOG-011).
NAMED = (
    *("password", "secret", "token", "key", "api_key", "api_secret", "client_secret", "access_token", "refresh_token"),
    *("private_key", "app_master_key", "db_password", "anthropic_api_key"),
)
ALSO = ("new_password", "X-Api-Key", "clientSecret", "Set-Cookie", "__Host-sessionid", "csrfmiddlewaretoken", "code")
HARMLESS = (
    *("keyboard", "monkey", "key_id", "keys", "turkey", "public_key_id", "keynote", "hockey", "passwords_count"),
    *("username", "email", "secretary", "tokenizer", "author", "organization", "status_code", "session_age"),
)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
NESTS: tuple[Callable[[Any], Any], ...] = (
    lambda inner: {"outer": inner},
    lambda inner: ["x", inner],
    lambda inner: (inner,),
)
VALUE = "hunter2 is short"


def in_any_case(name: str) -> st.SearchStrategy[str]:
    cases = st.lists(st.booleans(), min_size=len(name), max_size=len(name))
    return cases.map(lambda up: "".join(c.upper() if u else c for c, u in zip(name, up, strict=True)))


def line_of(message: object, *args: object, **extra: object) -> dict[str, Any]:
    record = logging.getLogger("x").makeRecord("x", logging.INFO, "", 0, message, args, None, extra=extra)
    line = OneLine().format(record)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.mark.parametrize("name", NAMED)
@given(data=st.data())
def test_each_named_field_is_masked_at_any_depth_and_in_any_case(name: str, data: st.DataObject) -> None:
    spelled = data.draw(in_any_case(name))
    fields: Any = {spelled: VALUE, "username": "alice", "email": "alice@acme.example"}
    for nest in data.draw(st.lists(st.sampled_from(NESTS), max_size=3)):
        fields = nest(fields)
    told = json.dumps(redacted(fields))
    assert VALUE not in told
    assert "alice@acme.example" in told
    assert PLACEHOLDER in told
    assert VALUE not in text(str(fields))
    assert VALUE not in text(json.dumps(json.dumps(fields)))


@pytest.mark.parametrize("name", [*NAMED, *ALSO])
def test_a_secret_is_masked_whichever_way_it_was_logged(name: str) -> None:
    fields = {name: "hunter2", "username": "alice"}
    for line in (
        line_of("tried %s", fields),
        line_of("tried", fields=fields),
        line_of(fields),
        line_of("tried %(username)s with " + name + " %(" + name + ")s", fields),
        line_of(f"tried {fields} twice"),
        line_of(f"tried {json.dumps(fields)}"),
        line_of(f"GET https://casemate.test/x?{name}=hunter2&username=alice"),
        line_of(f"username=alice {name}: hunter2"),
        line_of(f"username=alice {name}='hunter2"),
    ):
        assert "hunter2" not in json.dumps(line)
        assert "alice" in json.dumps(line)
        assert PLACEHOLDER in json.dumps(line)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_name_stays_readable(name: str) -> None:
    assert not is_secret(name)
    assert redacted({name: "alice"}) == {name: "alice"}
    assert text(f"{name}=alice") == f"{name}=alice"


def keys(chance: random.Random) -> list[str]:
    """One of each kind of thing that looks like a key, a token or a hash."""

    def of(letters: str, length: int) -> str:
        return "".join(chance.choices(letters, k=length))

    return [
        chance.randbytes(16).hex(),
        chance.randbytes(32).hex().upper(),
        "a1B" + of(ALPHABET, 40),
        of(ALPHABET + "_-", 20) + "x7Y9q" + of(ALPHABET + "_-", 20),
        base64.b64encode(b"\x00\xffk" + chance.randbytes(45)).decode(),
        "sk-ant-api03-" + of(ALPHABET, 40),
        "ghp_" + of(ALPHABET, 36),
        "AKIA" + of(ALPHABET.upper(), 16),
        f"eyJhbGciOiJIUzI1NiJ9.{of(ALPHABET, 30)}.{of(ALPHABET, 43)}",
        f"argon2$argon2id$v=19$m=102400,t=2,p=8${of(ALPHABET, 22)}${of(ALPHABET, 43)}",
        f"$2b$12${of(ALPHABET, 53)}",
        f"pbkdf2_sha256$1000000${of(ALPHABET, 22)}${of(ALPHABET, 43)}=",
        f"-----BEGIN PRIVATE KEY-----\n{of(ALPHABET, 60)}\n{of(ALPHABET, 20)}\n-----END PRIVATE KEY-----",
    ]


@given(seed=st.integers(0, 2**64), before=st.sampled_from(["", "was ", "(", "'", "/", "x="]))
def test_what_looks_like_a_key_a_token_or_a_hash_is_masked_without_a_name(seed: int, before: str) -> None:
    for key in keys(random.Random(seed)):  # noqa: S311
        line = json.dumps(line_of(f"{before}{key} of alice@acme.example"))
        assert not [part for part in key.splitlines() if len(part) > 18 and part in line], key
        assert "alice@acme.example" in line


@pytest.mark.parametrize(
    "words",
    [
        "Not Found: /o/acme/vault/0f0e0d0c-1111-4222-8333-444455556666/history/1/reveal/",
        "alice-0123456789abcdef@casemate.invalid signed in from 2001:db8:1234:5678:9abc:def0:1234:5678",
        "Duplicate entry 'acme' for key 'PRIMARY'",
        'File "/opt/casemate/releases/20261122T101112Z-v0.2.1/venv/lib/python3.13/site-packages/casemate/log.py"',
        "django.contrib.sessions.middleware.SessionMiddleware, AxesStandaloneBackendTestsOfEverybody",
        "test_a_wrong_password_and_an_unknown_person_look_the_same_2",
        "KeyError: 'name'",
    ],
)
def test_who_and_what_stay_readable(words: str) -> None:
    assert text(words) == words


@given(seed=st.integers(0, 2**64))
def test_a_key_in_a_path_is_masked_and_the_path_is_not(seed: int) -> None:
    key = "a1B" + "".join(random.Random(seed).choices(ALPHABET, k=40))  # noqa: S311
    assert text(f"Not Found: /enrol/{key}/page/") == f"Not Found: /enrol/{PLACEHOLDER}/page/"


def test_the_password_in_an_address_is_masked_and_its_user_is_not() -> None:
    assert text("smtps://mailer:hunter2@relay.example:465/") == f"smtps://mailer:{PLACEHOLDER}@relay.example:465/"
    assert text("Authorization: Bearer hunter2") == f"Authorization: {PLACEHOLDER}"


def test_a_traceback_has_no_secret_and_no_local_value() -> None:
    def fail(password: str, beside: str) -> None:
        raise ValueError(f"password={password} of alice")

    given, beside = "hunter" + str(2), "only-in-" + "a-variable"
    try:
        fail(given, beside)
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", None, (type(error), error, error.__traceback__))
    line = OneLine().format(record)
    assert "hunter2" not in line
    assert "only-in-a-variable" not in line
    assert "in fail" in json.loads(line)["traceback"]
    assert f"ValueError: password={PLACEHOLDER} of alice" in json.loads(line)["traceback"]


@given(words=st.text(max_size=300), named=st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=4))
def test_whatever_is_logged_is_one_line_of_json(words: str, named: dict[str, str]) -> None:
    line_of("%s %r", words, named)
    line_of("%d tries in %.1f s by %s", 3, 0.5, words, fields=named)
    assert text(text(words)) == text(words) or PLACEHOLDER in text(words)


@pytest.mark.parametrize(
    "part", ["a:", "password='", "key=", "://a", "\\", "x1Y", "-----BEGIN PRIVATE KEY-----", "[(", "a" * 99 + "="]
)
def test_no_text_takes_long(part: str) -> None:
    started = time.process_time()
    line = OneLine().format(logging.LogRecord("x", logging.INFO, "", 0, part * (200_000 // len(part)), None, None))
    assert time.process_time() - started < 1
    assert len(line) < 48 * 1024, "journald would cut it"


def test_what_holds_itself_ends() -> None:
    loop: list[Any] = ["alice"]
    loop.append(loop)
    assert PLACEHOLDER in str(redacted(loop))
