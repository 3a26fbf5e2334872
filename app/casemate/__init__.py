"""Casemate: a vault and IT documentation for many organisations."""

from importlib import metadata

try:
    __version__ = metadata.version("casemate")
except metadata.PackageNotFoundError:  # run from a source tree, as the tests do
    __version__ = "development"
