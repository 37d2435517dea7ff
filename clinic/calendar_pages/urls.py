from django.urls import path

from clinic.calendar_pages import views

urlpatterns = [
    path("calendar/", views.calendar, name="calendar"),
    path("calendar/sheet/", views.day_sheet, name="day-sheet"),
    path("calendar/bookings/<uuid:booking>/move/", views.move, name="calendar-move"),
]
