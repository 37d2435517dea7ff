from django.urls import path

from patients.requests import views

urlpatterns = [
    path("appointment/", views.ask_for_appointment, name="request"),
    path("appointment/sent/", views.sent, name="request-sent"),
    path("requests/", views.inbox, name="requests"),
    path("requests/answer/", views.decide_several, name="requests-decide"),
    path("requests/<uuid:appointment_request>/", views.one, name="request-one"),
    path("requests/<uuid:pk>/decide/", views.decide_request, name="request-decide"),
]
