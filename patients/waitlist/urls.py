from django.urls import path

from patients.waitlist import patient_views, views

urlpatterns = [
    path("waitlist/", views.waitlist, name="waitlist"),
    path("waitlist/offer-free-times/", views.offer_free_times, name="waitlist-go-through"),
    path("files/<uuid:case>/waitlist/", views.new_entry, name="waitlist-new"),
    path("waitlist/<uuid:waitlist_entry>/", views.entry_page, name="waitlist-entry"),
    path("waitlist/<uuid:waitlist_entry>/up/", views.move_up_entry, name="waitlist-up"),
    path("waitlist/<uuid:waitlist_entry>/end/", views.take_off_entry, name="waitlist-end"),
    path("waitlist/offers/<uuid:waitlist_offer>/answer/", views.answer_offer, name="waitlist-answer"),
    path("offers/<uuid:waitlist_offer>/", patient_views.offer, name="waitlist-offer"),
    path("appointments/<uuid:appointment>/earlier/", patient_views.earlier, name="waitlist-earlier"),
    path("night/earlier/", patient_views.earlier_night, name="waitlist-earlier-night"),
]
