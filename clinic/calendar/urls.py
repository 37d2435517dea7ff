from django.urls import path

from clinic.calendar import views

urlpatterns = [
    path("today/", views.today, name="today"),
    path("places/", views.places_page, name="places"),
    path("today/wall/", views.wall, name="today-wall"),
]
