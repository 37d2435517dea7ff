"""The house's addresses: with clinic/settings.py the only place that names every room."""

from django.urls import include, path

urlpatterns = [
    path("", include("clinic.people.urls")),
    path("", include("clinic.calendar.urls")),
    path("", include("clinic.audit.urls")),
    path("", include("clinic.outbox.urls")),
    path("account/", include("allauth.account.urls")),
    path("language/", include("django.conf.urls.i18n")),
    path("", include("patients.urls")),
    path("", include("erasure.urls")),
]
