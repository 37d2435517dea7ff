from django.urls import path

from patients.archives import views

urlpatterns = [path("me/everything/", views.everything, name="everything")]
