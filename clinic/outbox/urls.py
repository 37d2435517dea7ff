from django.urls import path

from clinic.outbox import views

urlpatterns = [path("outbox/", views.outbox, name="outbox")]
