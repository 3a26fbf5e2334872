"""What must hold before the first request is taken."""

import logging

from django.db import DatabaseError, connection

from casemate.configuration import Misconfigured

log = logging.getLogger(__name__)
# It is away, not wrong: the requests ask again. All else would be wrong tomorrow too.
NO_SOCKET, NO_HOST, GONE, LOST = 2002, 2003, 2006, 2013
AWAY = {NO_SOCKET, NO_HOST, GONE, LOST}


def verify_database() -> None:
    """Refuses a database whose certificate it cannot verify, or that does not let it in. Raises Misconfigured."""
    try:
        connection.ensure_connection()
    except DatabaseError as problem:
        number = problem.args[0] if problem.args else 0
        if number in AWAY:
            log.warning("the database does not answer yet: %s", problem)
            return
        where = "{HOST}:{PORT}".format(**connection.settings_dict)
        raise Misconfigured(
            f"The database at {where} cannot be verified: {problem}. Its certificate must be of the authority in"
            " CASEMATE_DATABASE_CA and name that host; password and certificate of this account are made by"
            " `casemate-credentials ensure` and `casemate-certificates ensure`."
        ) from None
    finally:
        connection.close()  # a connection of before the fork would be shared by all workers
