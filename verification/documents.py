"""YAML, read by the safe loader of libyaml where PyYAML has it: ten times as fast as its own."""

from pathlib import Path
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: Path) -> Any:
    """What stands in a file. Raises OSError or yaml.YAMLError."""
    return yaml.load(path.read_text(), LOADER)  # noqa: S506 (both loaders are the safe one)
