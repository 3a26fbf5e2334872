"""Active: somebody without the authenticator app, who signs in by the backup codes that an enrolment gave."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from verification.remote.sections import Parameters, output
from verification.remote.visitor import Visitor, backup_codes_on, led

GATE = "/sign-in/backup-code/"


def by_backup_codes(parameters: Parameters, name: str, codes: list[str]) -> dict[str, Any]:
    """Where codes lead: one, the same again, one sent twice at once; then, with ten new ones made, an old one and one of the new.

    What stops this stops no other look.
    """
    try:
        return _used(parameters, name, codes)
    except Exception as error:  # whatever went wrong is what was seen
        return {"error": f"{type(error).__name__}: {error}"}


def _used(parameters: Parameters, name: str, codes: list[str]) -> dict[str, Any]:
    first, again, *both, late, last = (_at_the_second_step(parameters, name) for _time in range(6))
    seen: dict[str, Any] = {"the first time": _given(first, codes[0]), "the second time": _given(again, codes[0])}
    seen["the start page after that"] = led(again.get("/"))
    time.sleep(1.1)  # the wait after one wrong code
    with ThreadPoolExecutor(max_workers=2) as pool:
        seen["twice at the same time"] = sorted(pool.map(lambda who: _given(who, codes[1]), both))
    first.get("/backup-codes/")
    new = backup_codes_on(first.post("/backup-codes/"))
    seen["new ones"] = len({*new} - {*codes})
    seen["shown again"] = len(backup_codes_on(first.get("/backup-codes/")))
    time.sleep(1.1)
    seen["an old one"] = _given(late, codes[2])
    time.sleep(2.1)  # it doubles with each
    seen["a new one"] = _given(last, new[0] if new else "")
    return seen


def kept(people: list[Visitor]) -> dict[str, Any]:
    """Rows of the codes that these people got when they enrolled: how many, of which kind, and how many of them can be read."""
    codes = [code for who in people for code in who.backup_codes]
    words = {word for code in codes for word in (code, code.replace("-", ""))}
    readable = " OR ".join(f"LOCATE('{word}', LOWER(code_hash))" for word in sorted(words)) or "0"
    emails = ", ".join(f"'{who.person['email']}'" for who in people)
    told = output(
        *("mariadb", "--batch", "--skip-column-names"),
        stdin=f"SELECT COUNT(*), COUNT(DISTINCT code_hash), COALESCE(SUM({readable}), 0), "
        "COALESCE(GROUP_CONCAT(DISTINCT SUBSTRING_INDEX(code_hash, '$', 4)), '-') "
        f"FROM casemate.accounts_backupcode WHERE user_id IN (SELECT id FROM casemate.accounts_user WHERE email IN ({emails}));",
    )
    rows, different, legible, kinds = told.rstrip("\n").split("\t")
    return {"rows": int(rows), "different": int(different), "readable": int(legible), "kept as": kinds}


def _at_the_second_step(parameters: Parameters, name: str) -> Visitor:
    who = Visitor(parameters, name)
    who.give_password()
    return who


def _given(who: Visitor, code: str) -> str:
    who.get(GATE)
    return led(who.post(GATE, code=code))
