from django.urls import path

from patients.consent import views

urlpatterns = [
    path("me/consent/", views.consent, name="consent"),
    path("me/consent/sign/", views.consent_sign, name="consent-sign"),
    path("me/withdraw/", views.withdraw_consent, name="withdraw"),
]
