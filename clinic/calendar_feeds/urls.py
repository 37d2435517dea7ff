from django.urls import path

from clinic.calendar_feeds import views

urlpatterns = [
    path("calendar/feed/", views.own_feed, name="calendar-feed"),
    path("calendar/feeds/<str:token>.ics", views.feed_file, name="calendar-feed-file"),
]
