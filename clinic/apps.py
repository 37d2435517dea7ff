from django.apps import AppConfig


class ClinicConfig(AppConfig):
    name = "clinic"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import clinic.access.denials
        import clinic.audit.checks
        import clinic.people.actions  # noqa: F401
