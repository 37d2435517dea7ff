from django.urls import path

from erasure.backups import views

urlpatterns = [
    path("backups/", views.backups, name="backups"),
    path("backups/held/", views.end_held_keys, name="backups-end-held"),
]
