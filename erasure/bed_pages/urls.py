from django.urls import path

from erasure.bed_pages import views

urlpatterns = [
    path("bed/<uuid:procedure>/", views.bed, name="bed"),
    path("bed/<uuid:procedure>/now/", views.status, name="bed-now"),
    path("bed/<uuid:procedure>/open/", views.open_bed, name="bed-open"),
    path("bed/<uuid:procedure>/close/", views.close, name="bed-close"),
    path("bed/<uuid:procedure>/word/", views.word, name="bed-word"),
    path("bed/<uuid:procedure>/safe-word/", views.safe_word, name="bed-safe-word"),
    path("bed/<uuid:procedure>/pause/", views.pause, name="bed-pause"),
    path("bed/<uuid:procedure>/call-doctor/", views.call_doctor, name="bed-call-doctor"),
    path("sessions/<uuid:run>/bed/end/", views.close_all, name="bed-end"),
]
