from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class ClinicConfig(AppConfig):
    name = "clinic"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import clinic.audit.checks  # noqa: F401
        from clinic.access.session_limits import set_session_start
        from clinic.registration import register_packages

        register_packages("clinic")
        user_logged_in.connect(
            set_session_start, dispatch_uid="clinic.access.session_limits.set_session_start"
        )
