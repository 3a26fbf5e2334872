from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "casemate.tenancy"

    def ready(self) -> None:
        from casemate.tenancy import checks  # noqa: F401, PLC0415
