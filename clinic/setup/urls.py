from django.urls import path

from clinic.setup import views

urlpatterns = [
    path("setup/", views.setup, name="setup"),
    path("setup/mail/", views.mail, name="setup-mail"),
]
