from django.urls import path

from clinic.people import views

urlpatterns = [
    path("", views.home, name="home"),
    path("health/", views.health, name="health"),
    path("invitation/<str:token>/", views.invitation, name="invitation"),
    path("people/", views.people, name="people"),
    path("people/<uuid:pk>/", views.person, name="person"),
]
