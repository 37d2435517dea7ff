"""The addresses that the shared templates name, so that they are tested apart from the pages."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


urlpatterns = [
    path("", home, name="home"),
    path("language/", include("django.conf.urls.i18n")),
    path("account/", include("allauth.account.urls")),
]
