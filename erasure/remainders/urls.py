from django.urls import path

from erasure.remainders import views

urlpatterns = [
    path("me/left/", views.left, name="left"),
    path("me/left/<uuid:memory>/give-back/", views.give_back, name="left-give-back"),
    path("me/left/<uuid:memory>/keep/", views.keep, name="left-keep"),
    path("me/left/<uuid:memory>/destroy/", views.destroy, name="left-destroy"),
    path("me/left/files/<uuid:keepsake>/", views.fetch, name="left-fetch"),
]
