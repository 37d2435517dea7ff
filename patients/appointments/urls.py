from django.urls import path

from patients.appointments import calendar_files, own_views, template_views, views

urlpatterns = [
    path("files/<uuid:case>/appointment/", views.new, name="appointment-new"),
    path("appointments/<uuid:appointment>/book/", views.book, name="appointment-book"),
    path("appointments/<uuid:appointment>/move/", views.move, name="appointment-move"),
    path("appointments/<uuid:appointment>/cancel/", views.cancel, name="appointment-cancel"),
    path("me/appointments/<uuid:appointment>.ics", calendar_files.own_file, name="appointment-calendar"),
    path("me/appointments/new/", own_views.new, name="own-appointment-new"),
    path("me/appointments/<uuid:appointment>/move/", own_views.move, name="own-appointment-move"),
    path("me/appointments/<uuid:appointment>/cancel/", own_views.cancel, name="own-appointment-cancel"),
    path("appointments/<uuid:appointment>/state/", views.change_state, name="appointment-state"),
    path("desk-tasks/<uuid:desk_task>/close/", views.close_desk_task, name="desk-task-close"),
    path("appointment-templates/", template_views.templates, name="appointment-templates"),
    path("appointment-templates/new/", template_views.new, name="appointment-template-new"),
    path("appointment-templates/<uuid:template>/", template_views.one, name="appointment-template"),
]
