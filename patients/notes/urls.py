from django.urls import path

from patients.notes import views

urlpatterns = [
    path("files/<uuid:case>/notes/", views.notes, name="notes"),
    path("files/<uuid:case>/notes/<uuid:note>/strike/", views.strike, name="note-strike"),
]
