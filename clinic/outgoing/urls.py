from django.urls import path

from clinic.outgoing import views

urlpatterns = [
    path("mail/", views.undelivered, name="mails"),
    path("mail/<uuid:message>/", views.decide, name="mail-decide"),
]
