from django.contrib.auth.decorators import login_not_required
from django.urls import path

from clinic.people import return_views, views

urlpatterns = [
    path("account/state/", return_views.account_state, name="account-state"),
    path("account/return/", login_not_required(return_views.ReturnView.as_view()), name="account-return"),
    path("", views.home, name="home"),
    path("health/", views.health, name="health"),
    path("invitation/<str:token>/", views.invitation, name="invitation"),
    path("people/", views.people, name="people"),
    path("people/<uuid:pk>/", views.person, name="person"),
]
