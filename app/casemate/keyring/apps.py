from django.apps import AppConfig


class KeyringConfig(AppConfig):
    name = "casemate.keyring"

    def ready(self) -> None:
        from casemate.keyring import checks  # noqa: F401, PLC0415
