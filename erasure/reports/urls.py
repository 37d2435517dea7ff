from django.urls import path

from erasure.reports import views

urlpatterns = [
    path("reports/", views.reports, name="reports"),
    path("reports/forecast/", views.forecast, name="forecast"),
    path("reports/<slug:figure>/export/", views.export, name="report-export"),
]
