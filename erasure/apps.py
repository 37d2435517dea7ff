from django.apps import AppConfig


class ErasureConfig(AppConfig):
    name = "erasure"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import erasure.checks  # noqa: F401
        from clinic.alerts.sources import register_alerts
        from clinic.calendar.board import register_lane
        from clinic.registration import register_packages
        from erasure.remainders.portal_notice import half_gone
        from erasure.runs.board_entries import LANE
        from erasure.runs.call_alerts import call_alerts
        from erasure.runs.withdrawal import stop_case
        from patients.consent.signing import on_withdrawal
        from patients.portal.notices import register_notice

        register_packages("erasure")
        on_withdrawal.append(stop_case)
        register_lane("erasure", LANE)
        register_alerts("calls", call_alerts)
        register_notice("remainders", half_gone)
