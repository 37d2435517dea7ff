from django.urls import path

from patients.contacts import views

urlpatterns = [path("files/<uuid:case>/contact/", views.contact, name="contact")]
