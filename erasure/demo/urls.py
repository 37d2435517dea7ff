"""URLs of the demonstration. erasure/urls.py includes them only with LACUNA_DEMO."""

from django.urls import path

from erasure.demo import views

urlpatterns = [path("demonstration/sign-in/", views.sign_in_as, name="demo-sign-in")]
