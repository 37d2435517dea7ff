from django.apps import AppConfig


class PatientsConfig(AppConfig):
    name = "patients"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import patients.checks  # noqa: F401
        from clinic.alerts.sources import register_alerts
        from clinic.calendar.board import register_board_source
        from clinic.calendar.models import Booking
        from clinic.calendar.moving import register_mover
        from clinic.calendar.span_changes import register_listener
        from clinic.oversight.search import FileNumbers, file_numbers
        from clinic.people.invitations import on_joined
        from clinic.registration import register_packages
        from patients.appointments.board_entries import BOARD_SOURCE as APPOINTMENTS
        from patients.appointments.booking import end_appointments_on_withdrawal, on_appointment_changed
        from patients.appointments.moving import MOVER
        from patients.case_file.board_entries import BOARD_SOURCE
        from patients.cases.opening import open_case_if_patient
        from patients.cases.references import is_mistyped, read_reference
        from patients.consent.signing import on_withdrawal
        from patients.messages.board_entries import BOARD_SOURCE as MESSAGES
        from patients.messages.board_entries import message_alerts
        from patients.messages.waiting import end_wait_on_withdrawal
        from patients.requests.mails import add_messages_to_file, copy_phone_to_contact
        from patients.waitlist import automatic_ends as waitlist
        from patients.waitlist.appointment_waitables import EARLIER_APPOINTMENT, NEW_APPOINTMENT
        from patients.waitlist.board_entries import BOARD_SOURCE as WAITLIST
        from patients.waitlist.models import WaitlistEntry, add_changed_span
        from patients.waitlist.waitables import register_waitable

        register_packages("patients")
        file_numbers.append(FileNumbers(read_reference, is_mistyped))
        on_joined.extend([open_case_if_patient, add_messages_to_file, copy_phone_to_contact])
        on_withdrawal.extend([end_appointments_on_withdrawal, waitlist.end_entries_on_withdrawal])
        on_withdrawal.append(end_wait_on_withdrawal)
        on_appointment_changed.append(waitlist.end_appointment_entries)
        register_listener("waitlist", add_changed_span)
        register_waitable(WaitlistEntry.Kind.APPOINTMENT, NEW_APPOINTMENT)
        register_waitable(WaitlistEntry.Kind.EARLIER, EARLIER_APPOINTMENT)
        register_board_source("patients", BOARD_SOURCE)
        register_board_source("appointments", APPOINTMENTS)
        register_board_source("waitlist", WAITLIST)
        register_board_source("messages", MESSAGES)
        register_alerts("messages", message_alerts)
        for kind in (Booking.Kind.VISIT, Booking.Kind.MAPPING, Booking.Kind.FOLLOW_UP):
            register_mover(kind, MOVER)
