"""The root URLconf. Only this file and clinic/settings.py name all apps."""

from django.contrib.auth.decorators import login_not_required
from django.urls import include, path

from clinic.people.language import choose_language

handler500 = "clinic.unavailable.server_error"

urlpatterns = [
    path("", include("clinic.alerts.urls")),
    path("", include("clinic.setup.urls")),
    path("", include("clinic.configuration.urls")),
    path("", include("clinic.people.urls")),
    path("", include("clinic.seasons.urls")),
    path("", include("clinic.availability.urls")),
    path("", include("clinic.calendar.urls")),
    path("", include("clinic.calendar_feeds.urls")),
    path("", include("clinic.calendar_pages.urls")),
    path("", include("clinic.oversight.urls")),
    path("", include("clinic.outbox.urls")),
    path("", include("clinic.outgoing.urls")),
    path("", include("clinic.style.urls")),
    path("account/", include("allauth.account.urls")),
    path("language/", login_not_required(choose_language), name="set_language"),
    path("", include("patients.urls")),
    path("", include("erasure.urls")),
]
