from django.urls import path

from patients.consent import views

urlpatterns = [
    path("me/withdraw/", views.withdraw_consent, name="withdraw"),
]
