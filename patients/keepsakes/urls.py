from django.urls import path

from patients.keepsakes import views

urlpatterns = [
    path("me/keepsakes/", views.keepsakes, name="keepsakes"),
    path("me/keepsakes/done/", views.done, name="keepsakes-done"),
    path("me/keepsakes/<uuid:keepsake>/", views.keepsake, name="keepsake"),
    path("me/keepsakes/<uuid:keepsake>/remove/", views.remove, name="keepsake-remove"),
]
