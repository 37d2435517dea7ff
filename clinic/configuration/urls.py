from django.urls import path

from clinic.configuration import views

urlpatterns = [
    path("settings/", views.clinic_settings, name="settings"),
    path("settings/policies/", views.policies, name="settings-policies"),
    path("settings/history/", views.history, name="settings-history"),
]
