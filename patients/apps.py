from django.apps import AppConfig


class PatientsConfig(AppConfig):
    name = "patients"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import patients.checks  # noqa: F401
        from clinic.calendar.board import register_lane
        from clinic.oversight.search import FileNumbers, file_numbers
        from clinic.people.invitations import on_joined
        from clinic.registration import register_packages
        from patients.case_file.board_entries import LANE
        from patients.cases.opening import open_case_if_patient
        from patients.cases.references import is_mistyped, read_reference

        register_packages("patients")
        file_numbers.append(FileNumbers(read_reference, is_mistyped))
        on_joined.append(open_case_if_patient)
        register_lane("patients", LANE)
