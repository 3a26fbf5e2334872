"""What is altered: each thing alone, what nobody wants among them, and nothing where nothing matters."""

import copy
from collections.abc import Iterable
from typing import Any

from verification.altering import DIRECTIVES, Altering

NGINX = [["server", [], [["listen", ["443", "ssl"], []]]]]
CROWD = {f"kind {number}": {"status": 200, "headers": [["server", "nginx"], ["vary", "Cookie"]]} for number in range(20)}


def every(value: Any, altering: Altering | None = None) -> list[Any]:
    """What a look would be given, one after the other."""
    holder = {"value": value}
    steps: Iterable[None] = (altering or Altering()).steps(holder, lambda: True)
    found = [copy.deepcopy(holder["value"]) for _step in steps]
    assert holder["value"] == value
    return found


def test_each_line_of_a_text_goes_once() -> None:
    found = every("first\nsecond\nthird\n")
    assert {"second\nthird\n", "first\nthird\n", "first\nsecond\n"} <= {*found}


def test_each_word_goes_once_and_what_was_used_in_secret_comes() -> None:
    found = every("https://casemate.test/?token=[redacted]&who=carol", Altering(unwanted=("nobody says this",)))
    assert "https://casemate.test/?token=&who=carol" in found
    assert "https://casemate.test/?token=[redacted]&who=" in found
    assert any(text.startswith("https://casemate.test/") and text.endswith("nobody says this") for text in found)


def test_a_day_comes_and_goes() -> None:
    assert {"2036-11-23T00:00:00Z", "2016-11-23T00:00:00Z"} <= {*every("2026-11-23T00:00:00Z")}


def test_directives_that_nobody_wants_are_put_among_those_of_nginx_alone() -> None:
    found = every(NGINX)
    assert all([*NGINX, directive] in found for directive in DIRECTIVES)
    assert [["server", [], [["listen", ["443"], []]]]] in found
    assert DIRECTIVES[0] not in [one for other in every(["a", "b"]) for one in other]


def test_nothing_is_tried_where_nothing_matters() -> None:
    holder = {"value": copy.deepcopy(CROWD)}
    seen = copy.deepcopy(holder["value"]["kind 7"])
    tried = [copy.deepcopy(holder["value"]) for _step in Altering().steps(holder, lambda: holder["value"].get("kind 7") != seen)]
    assert holder["value"] == CROWD
    assert {**CROWD, "kind 7": {**CROWD["kind 7"], "status": 1200}} in tried
    assert not [one for one in tried if "kind 8" in one and one["kind 8"] not in (CROWD["kind 8"], *CROWD.values())]
