"""What the backup host keeps of what its clients sent, by when it came."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

NOW = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)


@pytest.fixture
def server(host_program: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    module = host_program("files/backup/casemate-backup-server")
    monkeypatch.setattr(module, "BACKUPS", tmp_path)
    return module


def nights(count: int, *, hour: int = 2) -> dict[str, datetime]:
    """A snapshot a night, the newest one of last night."""
    return {f"{hour:02}-{day:04}": NOW.replace(hour=hour, minute=40) - timedelta(days=day) for day in range(count)}


def test_of_two_years_of_nights_stay_seven_days_five_weeks_and_twelve_months(server: Any) -> None:
    stay = server.staying(nights(730), NOW)
    reasons = [reason.split()[0] for why in stay.values() for reason in why]
    assert {kind: reasons.count(kind) for kind in ("day", "week", "month")} == {"day": 7, "week": 5, "month": 12}
    assert {f"02-{day:04}" for day in range(7)} <= stay.keys()
    oldest = min(nights(730)[identifier] for identifier in stay)
    assert oldest.date().isoformat() == "2025-12-01"


def test_who_sends_by_day_displaces_no_night(server: Any) -> None:
    by_day = {
        f"bad-{day}-{minute}": NOW.replace(hour=3) - timedelta(days=day, minutes=-minute) for day in range(3, 40) for minute in range(30)
    }
    stay = server.staying(nights(40) | by_day, NOW)
    assert not any(identifier.startswith("bad") for identifier in stay)
    assert {f"02-{day:04}" for day in range(7)} <= stay.keys()


def test_of_the_last_two_days_all_stay(server: Any) -> None:
    by_day = {f"by hand {hour}": NOW - timedelta(hours=hour) for hour in (1, 20, 47, 49)}
    stay = server.staying(nights(10) | by_day, NOW)
    assert {"by hand 1", "by hand 20", "by hand 47"} <= stay.keys()
    assert "by hand 49" not in stay


def test_where_no_more_come_the_last_ones_stay(server: Any) -> None:
    long_ago = {identifier: at - timedelta(days=900) for identifier, at in nights(10).items()}
    assert len(server.staying(long_ago, NOW)) >= 7


def test_arrival_is_when_this_host_wrote_the_file_and_other_files_are_none(server: Any, tmp_path: Path) -> None:
    folder = tmp_path / "vault1" / "repository" / "snapshots"
    folder.mkdir(parents=True)
    (folder / ("a" * 64)).touch()
    os.utime(folder / ("a" * 64), (NOW.timestamp(),) * 2)
    (folder / "upload-1234").touch()
    assert server.arrivals("vault1") == {"a" * 64: NOW}


def test_a_client_that_sent_nothing_yet_is_told_so(server: Any) -> None:
    with pytest.raises(server.Refused, match="vault1 has sent nothing yet"):
        server.arrivals("vault1")


@pytest.fixture
def vault1(server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """A client with two nights and five snapshots of one noon; what restic was asked."""
    asked: list[tuple[str, ...]] = []
    noon = datetime.now(UTC).replace(hour=12) - timedelta(days=5)
    arrived = {**nights(2), **{f"x{number}": noon + timedelta(minutes=number) for number in range(5)}}
    monkeypatch.setattr(server, "arrivals", lambda name: arrived)
    monkeypatch.setattr(server, "restic", lambda name, password, *arguments: asked.append((password, *arguments)))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "password").write_text("its own")
    return asked


def test_what_goes_is_named_one_by_one(server: Any, vault1: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    server.thin("vault1")
    ((password, *arguments),) = vault1
    assert (password, arguments[:3]) == ("its own", ["forget", "--prune", "--quiet"])
    assert set(arguments[3:]) == {"x1", "x2", "x3", "x4"}
    assert "4 snapshots of vault1 went" in capsys.readouterr().out


def test_somebody_who_sends_all_day_is_named(server: Any, vault1: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "arrivals", lambda name: {f"{n}": datetime.now(UTC) - timedelta(minutes=n) for n in range(30)})
    with pytest.raises(server.Refused, match="vault1 sent 30 snapshots within a day"):
        server.thin("vault1")
    assert vault1 == []


def test_a_plan_says_of_each_why_it_stays(server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(server, "arrivals", lambda name: {"f" * 64: datetime.now(UTC) - timedelta(days=4)})
    server.plan("vault1", as_json=True)
    (one,) = json.loads(capsys.readouterr().out).values()
    assert [reason.split()[0] for reason in one["stays"]] == ["day", "week", "month"]
    server.plan("vault1", as_json=False)
    assert "ffffffff  day " in capsys.readouterr().out
