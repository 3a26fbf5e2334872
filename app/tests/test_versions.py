"""The command for versions: what these tests run on is what it calls tested."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from casemate.security import versions
from casemate.security.management.commands import versions as command


def test_what_these_tests_run_on_is_what_it_calls_tested(db: None) -> None:
    found = versions.running()
    assert {product: versions.series(version) for product, version in found.items()} == versions.TESTED
    out = StringIO()
    call_command("versions", stdout=out)
    assert out.getvalue().splitlines() == [f"{product} {version}" for product, version in found.items()]


@pytest.mark.parametrize(
    "other",
    [
        {"Django": "5.2.8"},
        {"Python": "3.12.1"},
        {"gunicorn": "27.1.0"},
        {"MariaDB": "12.3.2-MariaDB"},
        {"Django": "6.10"},
    ],
    ids=str,
)
def test_another_series_fails_and_is_named(monkeypatch: pytest.MonkeyPatch, other: dict[str, str]) -> None:
    whole = {"Django": "6.1.3", "Python": "3.13.5", "gunicorn": "27.0.1", "MariaDB": "11.8.3-MariaDB-0+deb13u1"}
    assert versions.untested(whole) == []
    monkeypatch.setattr(command, "running", lambda: {**whole, **other})
    out = StringIO()
    with pytest.raises(CommandError, match=f"Not what the tests ran on: {next(iter(other))}"):
        call_command("versions", stdout=out)
    assert f"{next(iter(other))} {next(iter(other.values()))}" in out.getvalue()


def test_another_database_is_known_to_no_test() -> None:
    assert versions.untested({"another database": "11.8.0"}) == ["another database"]
