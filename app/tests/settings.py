"""The application's own settings, with models of tenants to try the isolation on."""

from casemate.settings import *  # noqa: F403

INSTALLED_APPS += ["tests.example"]  # noqa: F405
PASSWORD_HASHERS = ["tests.hashers.QuickArgon2"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
