from django.urls import path

from erasure.session import views

urlpatterns = [
    path("sessions/<uuid:run>/", views.session, name="session"),
    path("sessions/<uuid:run>/state.json", views.state, name="state"),
    path("sessions/<uuid:run>/wall/", views.wall, name="wall"),
    path("sessions/<uuid:run>/map.css", views.map_css, name="map-css"),
    path("sessions/<uuid:run>/pause/", views.pause, name="pause"),
    path("sessions/<uuid:run>/resume/", views.resume, name="resume"),
    path("sessions/<uuid:run>/protect/", views.protect, name="protect"),
    path("sessions/<uuid:run>/call-doctor/", views.call_doctor, name="call-doctor"),
    path("sessions/<uuid:run>/acknowledge/", views.acknowledge, name="acknowledge"),
    path("sessions/<uuid:run>/abort/", views.abort, name="abort"),
    path("sessions/<uuid:run>/abort/finish/", views.abort_finish, name="abort-finish"),
    path("sessions/<uuid:run>/decide/", views.decide, name="decide"),
    path("sessions/<uuid:run>/safe-word/", views.safe_word, name="safe-word"),
]
