from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class ClinicConfig(AppConfig):
    name = "clinic"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import clinic.accounts.checks
        import clinic.audit.checks
        import clinic.configuration.checks  # noqa: F401
        from clinic.access.session_limits import set_session_start
        from clinic.calendar.bookable_people import update_resources_of
        from clinic.people.changes import on_changed
        from clinic.people.invitations import on_joined
        from clinic.registration import register_packages

        register_packages("clinic")
        on_changed.append(update_resources_of)
        on_joined.append(lambda user, _role: update_resources_of(user))
        user_logged_in.connect(
            set_session_start, dispatch_uid="clinic.access.session_limits.set_session_start"
        )
