from django.urls import path

from patients.cases import portal

urlpatterns = [
    path("me/", portal.portal, name="portal"),
    path("me/intake/", portal.intake, name="intake"),
]
