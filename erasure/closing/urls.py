from django.urls import path

from erasure.closing import views

urlpatterns = [path("me/close/", views.close, name="close-account")]
