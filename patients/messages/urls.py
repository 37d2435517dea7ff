from django.urls import path

from patients.messages import own_views, views

urlpatterns = [
    path("me/messages/", own_views.my_messages, name="my-messages"),
    path("messages/", views.inbox, name="inbox"),
    path("files/<uuid:case>/messages/", views.case_messages, name="case-messages"),
    path("files/<uuid:case>/messages/assign/", views.assign, name="messages-assign"),
    path("files/<uuid:case>/messages/settle/", views.settle, name="messages-settle"),
    path("files/<uuid:case>/messages/unsettle/", views.unsettle, name="messages-unsettle"),
]
