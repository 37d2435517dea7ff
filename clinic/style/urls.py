from django.urls import path

from clinic.style import views

urlpatterns = [path("style/", views.style, name="style")]
