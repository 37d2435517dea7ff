"""The URLs that shared templates link to, so that they can be tested without the real pages."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


urlpatterns = [
    path("", home, name="home"),
    path("language/", include("django.conf.urls.i18n")),
    path("account/", include("allauth.account.urls")),
]
