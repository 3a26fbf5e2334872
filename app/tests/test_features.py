"""What pages may use of a browser's devices: nothing, or exactly what is declared."""

import pytest
from django.test import Client

from casemate import features


def test_nothing_is_allowed_to_anybody_where_nothing_is_declared(client: Client) -> None:
    told = client.get("/sign-in/", secure=True)["Permissions-Policy"]
    assert told.split(", ") == [f"{feature}=()" for feature in features.FEATURES]


def test_what_is_declared_is_in_the_header_as_browsers_read_it() -> None:
    told = features.header(features.parse("camera self https://meet.example.org:8443; microphone self"))
    assert 'camera=(self "https://meet.example.org:8443")' in told.split(", ")
    assert "microphone=(self)" in told.split(", ")
    assert told.count("=()") == len(features.FEATURES) - 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("camera http://meet.example.org", "camera is allowed to 'http://meet.example.org'"),
        ("camera meet.example.org", "camera is allowed to 'meet.example.org'"),
        ("camera https://meet.example.org/room", "camera is allowed to 'https://meet.example.org/room'"),
        ("camera https://*.example.org", r"camera is allowed to 'https://\*.example.org'"),
        ("camera *", r"camera is allowed to '\*'"),
        ('camera https://a.example"),geolocation=(*', "camera is allowed to 'https://a.example"),
        ("camera self; camera self", "camera is named twice"),
        ("camera", "camera names nobody"),
        ("camra self", "'camra' is no feature that can be allowed; those are accelerometer, "),
    ],
)
def test_a_slip_is_named(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        features.parse(text)
