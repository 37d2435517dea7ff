from django.urls import path

from patients.repeats import views

urlpatterns = [
    path("repeats/", views.repeats, name="repeats"),
    path("files/<uuid:case>/repeat/", views.repeat, name="repeat"),
]
