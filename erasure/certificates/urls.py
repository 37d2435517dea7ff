from django.urls import path

from erasure.certificates import views

urlpatterns = [
    path("certificates/<uuid:run>/", views.certificate, name="certificate"),
    path("certificates/<uuid:run>/certificate.json", views.certificate_json, name="certificate-json"),
]
