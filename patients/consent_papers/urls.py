from django.urls import path

from patients.consent_papers import views

urlpatterns = [
    path("me/consent/", views.consent, name="consent"),
    path("me/consent/sign/", views.consent_sign, name="consent-sign"),
    path("me/consent/papers/<uuid:consent_paper>/", views.consent_paper, name="consent-paper"),
]
