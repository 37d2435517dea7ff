from django.apps import AppConfig


class PatientsConfig(AppConfig):
    name = "patients"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import patients.actions
        import patients.cases.relations
        import patients.checks  # noqa: F401
        from clinic.people.invitations import on_joined
        from patients.cases.opening import open_for_patient

        on_joined.append(open_for_patient)
        from clinic.calendar.board import register_lane
        from patients.cases.board import LANE

        register_lane("patients", LANE)
