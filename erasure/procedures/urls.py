from django.urls import path

from erasure.procedures import views

urlpatterns = [
    path("files/<uuid:case>/book/", views.book, name="book"),
    path("procedures/<uuid:procedure>/move/", views.move, name="procedure-move"),
    path("procedures/<uuid:procedure>/cancel/", views.cancel, name="procedure-cancel"),
]
