from django.urls import path

from clinic.alerts import views

urlpatterns = [path("alerts/", views.alerts, name="alerts")]
