from django.urls import path

from erasure.backups import views

urlpatterns = [path("backups/", views.backups, name="backups")]
