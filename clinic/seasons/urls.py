from django.urls import path

from clinic.seasons import views

urlpatterns = [
    path("seasons/", views.seasons, name="seasons"),
    path("seasons/<uuid:season>/", views.season_page, name="season"),
    path("seasons/<uuid:season>/agree/", views.agree, name="season-agree"),
]
