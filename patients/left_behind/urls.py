from django.urls import path

from patients.left_behind import views

urlpatterns = [
    path("me/left-behind/", views.left_behind, name="left-behind"),
    path("me/left-behind/<slug:place>/tick/", views.left_behind_tick, name="left-behind-tick"),
    path("me/left-behind/<slug:place>/untick/", views.left_behind_untick, name="left-behind-untick"),
]
