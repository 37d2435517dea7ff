from django.urls import path

from patients.intake import views

urlpatterns = [path("me/intake/", views.intake, name="intake")]
