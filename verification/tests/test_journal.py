"""A campaign that was stopped goes on where it was, and with nothing but what was proved by the same verifier on the same host."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from verification import cli, signing
from verification.batches import MOST, batches
from verification.journal import Journal
from verification.marks import Probe
from verification.probing import Outcome
from verification.words import CannotRun, State


def breaks_it(_host: object) -> None:
    """A probe that breaks nothing."""


def breaks_it_otherwise(_host: object) -> None:
    """Another one of the same control."""


FIRST, SECOND = Probe("TST-001", breaks_it, frozenset()), Probe("TST-001", breaks_it_otherwise, frozenset())
THIRD = Probe("TST-002", breaks_it, frozenset())


def a_journal(folder: Path, *, host: str = "casemate", commit: str = "abc1234", hour: int = 1) -> Journal:
    return Journal(folder, host, datetime(2026, 11, 22, hour, tzinfo=UTC), [], commit=commit)


def proved(probe: Probe) -> Outcome:
    return Outcome(probe, "casemate", State.PASS, State.FAIL, "ports", State.PASS)


def test_what_was_proved_is_not_proved_again(tmp_path: Path) -> None:
    stopped = a_journal(tmp_path)
    stopped.write([proved(FIRST), Outcome(THIRD, "casemate", fault="not red after it was broken")])
    following = a_journal(tmp_path, hour=2)
    following.goes_on()
    assert following.left([FIRST, SECOND, THIRD]) == [SECOND, THIRD]
    record = json.loads(following.write([proved(SECOND), proved(THIRD)], finished=True).read_text())
    assert [(entry["control"], entry["probe"]) for entry in record["probes"]] == [
        ("TST-001", "breaks it"),
        ("TST-001", "breaks it otherwise"),
        ("TST-002", "breaks it"),
    ]
    assert record["finished"]


def test_each_batch_is_written_in_the_place_of_the_one_before(tmp_path: Path) -> None:
    journal = a_journal(tmp_path)
    first = journal.write([proved(FIRST)])
    second = journal.write([proved(FIRST), proved(SECOND)])
    assert first == second
    assert len(json.loads(second.read_text())["probes"]) == 2
    assert second.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ({"host": "another"}, "no campaign on casemate was stopped"),
        ({"commit": "9999999"}, "the stopped campaign was of 9999999 and this is abc1234"),
    ],
)
def test_what_another_verifier_or_host_proved_is_not_taken_over(before: dict[str, str], sentence: str, tmp_path: Path) -> None:
    a_journal(tmp_path, **before).write([proved(FIRST)])  # type: ignore[arg-type]
    with pytest.raises(CannotRun, match=sentence):
        a_journal(tmp_path, hour=2).goes_on()


def test_a_campaign_that_ended_is_not_resumed_nor_one_that_is_broken(tmp_path: Path) -> None:
    a_journal(tmp_path).write([proved(FIRST)], finished=True)
    (tmp_path / "20261122T020000.000000Z").mkdir()
    (tmp_path / "20261122T020000.000000Z" / "probes.json").write_text("{")
    with pytest.raises(CannotRun, match="begin one: casemate probe --all --host casemate"):
        a_journal(tmp_path, hour=3).goes_on()


def test_no_stop_costs_more_than_a_batch() -> None:
    many = [Probe(f"TST-{number:03}", breaks_it, frozenset()) for number in range(2 * MOST + 1)]
    assert [len(batch.probes) for batch in batches(many)] == [MOST, MOST, 1]


def test_a_campaign_that_is_through_is_signed_and_an_altered_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, journal = tmp_path / "alice_key", a_journal(tmp_path / "evidence")
    signing.make_key(key, "alice@example.test")
    (tmp_path / "signers").write_text(signing.signer_line(key))
    place = journal.write([proved(FIRST), Outcome(THIRD, "casemate", fault="not red after it was broken")], left_worse=["WEB-003"])
    journal.sign(key)
    verify = ["evidence", "verify", str(place.parent), "--signers", str(tmp_path / "signers")]
    assert cli.main(verify) == 0
    out = capsys.readouterr().out
    assert "signed by alice@example.test" in out
    assert "probes on casemate, 2026-11-22 01:00:00 UTC: 1 of 2 proved; left red: WEB-003" in out
    place.write_text(place.read_text().replace('"proved": false', '"proved": true'))
    assert cli.main(verify) == 2
    assert "probes.json is not as it was signed" in capsys.readouterr().err


def test_a_signed_campaign_that_is_none_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, journal = tmp_path / "alice_key", a_journal(tmp_path / "evidence")
    signing.make_key(key, "alice@example.test")
    (tmp_path / "signers").write_text(signing.signer_line(key))
    place = journal.write([])
    place.write_text('{"host": "casemate"}')
    journal.sign(key)
    assert cli.main(["evidence", "verify", str(place.parent), "--signers", str(tmp_path / "signers")]) == 2
    assert "probes.json is as signed, and broken" in capsys.readouterr().err
