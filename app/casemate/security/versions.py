"""What runs here, and whether all tests ran on its series: what is proved of one stack is not proved of another."""

import importlib.metadata
import platform
from collections.abc import Mapping

import django
from django.db import connection

# The first two numbers of each version. A test compares them with what the tests run on.
TESTED = {"Django": "6.1", "Python": "3.13", "gunicorn": "27.0", "MariaDB": "11.8"}


def running() -> dict[str, str]:
    """By product; of a database that is no MariaDB what it says of itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        database = str((cursor.fetchone() or ("",))[0])
    return {
        "Django": django.get_version(),
        "Python": platform.python_version(),
        "gunicorn": importlib.metadata.version("gunicorn"),
        "MariaDB" if "MariaDB" in database else "another database": database,
    }


def untested(versions: Mapping[str, str]) -> list[str]:
    """Those of another series, and products that no test knows."""
    return [product for product, version in versions.items() if series(version) != TESTED.get(product)]


def series(version: str) -> str:
    return ".".join(version.split(".")[:2])
