from django.urls import path

from erasure.certificates import public, views

urlpatterns = [
    path("certificates/<uuid:work>/", views.certificate, name="certificate"),
    path("certificates/<uuid:work>/certificate.json", views.certificate_json, name="certificate-json"),
    path(
        "certificates/<uuid:work>/statement.json", views.certificate_statement, name="certificate-statement"
    ),
    path(
        "certificates/<uuid:work>/certificate.sig", views.certificate_signature, name="certificate-signature"
    ),
    path("certificates/<uuid:work>/certificate.pdf", views.certificate_pdf, name="certificate-pdf"),
    # Short, because people type it from the printed certificate.
    path("v/", public.verify, name="verify"),
    path("v/key.txt", public.key, name="verify-key"),
    path("v/verify_certificate.py", public.verifier, name="verifier"),
    path("v/<str:key>/", public.verify_number, name="verify-number"),
]
