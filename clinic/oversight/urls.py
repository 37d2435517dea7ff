from django.urls import path

from clinic.oversight import views

urlpatterns = [
    path("audit/", views.audit, name="audit"),
    path("audit/verify/", views.audit_verify, name="audit-verify"),
    path("audit/compare/", views.audit_compare, name="audit-compare"),
    path("audit/export/", views.audit_export, name="audit-export"),
]
