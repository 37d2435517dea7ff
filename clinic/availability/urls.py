from django.urls import path

from clinic.availability import views

urlpatterns = [
    path("hours/", views.everybody, name="hours"),
    path("hours/mine/", views.own_hours, name="my-hours"),
    path("hours/<uuid:resource>/", views.resource_hours, name="hours-of"),
]
