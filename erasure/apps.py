from django.apps import AppConfig


class ErasureConfig(AppConfig):
    name = "erasure"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.conf import settings
        from django.contrib.auth.signals import user_logged_out

        import erasure.checks  # noqa: F401
        from clinic.alerts.sources import register_alerts
        from clinic.calendar.board import register_board_source
        from clinic.calendar.models import Booking
        from clinic.calendar.moving import register_mover
        from clinic.registration import register_packages
        from erasure.bed_pages.portal_notice import page_for_the_bed
        from erasure.bedside.tokens import end_tokens_at_sign_out
        from erasure.procedures.moving import MOVER
        from erasure.procedures.night_waitables import EARLIER_NIGHT, NIGHT
        from erasure.remainders.portal_notice import half_gone
        from erasure.runs.board_entries import BOARD_SOURCE
        from erasure.runs.call_alerts import call_alerts
        from erasure.runs.night_alerts import handover_alerts, missed_alerts
        from erasure.runs.withdrawal import stop_case
        from patients.consent.signing import on_withdrawal
        from patients.portal.notices import register_notice
        from patients.waitlist.models import WaitlistEntry
        from patients.waitlist.waitables import register_waitable

        register_packages("erasure")
        on_withdrawal.append(stop_case)
        register_board_source("erasure", BOARD_SOURCE)
        register_mover(Booking.Kind.ERASURE, MOVER)
        register_waitable(WaitlistEntry.Kind.NIGHT, NIGHT)
        register_waitable(WaitlistEntry.Kind.EARLIER_NIGHT, EARLIER_NIGHT)
        register_alerts("calls", call_alerts)
        register_alerts("handovers", handover_alerts)
        register_alerts("missed nights", missed_alerts)
        register_notice("remainders", half_gone)
        register_notice("bed", page_for_the_bed)
        user_logged_out.connect(end_tokens_at_sign_out, dispatch_uid="bed tokens")
        if settings.LACUNA_DEMO:
            from erasure.demo.doctor import decide_waiting
            from erasure.jobs.supervisor import register_part

            register_part(decide_waiting)
