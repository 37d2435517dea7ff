from django.urls import path

from erasure.session import call_views, handover_views, replay_views, start_views, views

urlpatterns = [
    path("procedures/<uuid:procedure>/start/", start_views.start, name="start"),
    path("sessions/<uuid:run>/", views.session, name="session"),
    path("sessions/<uuid:run>/state.json", views.state, name="state"),
    path("sessions/<uuid:run>/wall/", views.wall, name="wall"),
    path("sessions/<uuid:run>/replay/", replay_views.replay_page, name="replay"),
    path("sessions/<uuid:run>/map.css", views.map_css, name="map-css"),
    path("sessions/<uuid:run>/pause/", views.pause, name="pause"),
    path("sessions/<uuid:run>/resume/", views.resume, name="resume"),
    path("sessions/<uuid:run>/protect/", views.protect, name="protect"),
    path("sessions/<uuid:run>/call-doctor/", views.call_doctor, name="call-doctor"),
    path("sessions/<uuid:run>/call/", call_views.call, name="call"),
    path("sessions/<uuid:run>/call/seen/", call_views.call_seen, name="call-seen"),
    path("sessions/<uuid:run>/acknowledge/", views.acknowledge, name="acknowledge"),
    path("sessions/<uuid:run>/abort/", views.abort, name="abort"),
    path("sessions/<uuid:run>/abort/finish/", views.abort_finish, name="abort-finish"),
    path("sessions/<uuid:run>/decide/", views.decide, name="decide"),
    path("sessions/<uuid:run>/safe-word/", views.safe_word, name="safe-word"),
    path("sessions/<uuid:run>/presence/", views.answer_presence_check, name="presence"),
    path("sessions/<uuid:run>/here/", views.here, name="here"),
    path("sessions/<uuid:run>/handover/", handover_views.page, name="handover"),
    path("sessions/<uuid:run>/handover/offer/", handover_views.offer, name="handover-offer"),
    path("sessions/<uuid:run>/handover/accept/", handover_views.accept, name="handover-accept"),
    path("sessions/<uuid:run>/handover/decline/", handover_views.decline, name="handover-decline"),
    path("sessions/<uuid:run>/take-over/", handover_views.take_over, name="take-over"),
    path("sessions/<uuid:run>/hand-back/", handover_views.hand_back, name="hand-back"),
]
