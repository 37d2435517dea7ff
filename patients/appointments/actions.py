"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "appointment.held": (_("Appointment held"), "plain"),
        "appointment.given-up": (_("Held appointment given up"), "plain"),
        "appointment.booked": (_("Appointment booked"), "plain"),
        "appointment.moved": (_("Appointment moved"), "plain"),
        "appointment.cancelled": (_("Appointment canceled"), "plain"),
        "appointment.arrived": (_("Patient arrived"), "plain"),
        "appointment.begun": (_("Patient in the room"), "plain"),
        "appointment.completed": (_("Appointment done"), "plain"),
        "appointment.missed": (_("Patient did not come"), "plain"),
        "appointment.undone": (_("State of an appointment taken back"), "plain"),
        "desk-task.closed": (_("Task of the desk closed"), "plain"),
        "appointment-template.added": (_("Template of appointments added"), "plain"),
        "appointment-template.changed": (_("Template of appointments changed"), "plain"),
        "appointment-template.retired": (_("Template of appointments retired"), "plain"),
        "appointment-template.in-use": (_("Template of appointments put back in use"), "plain"),
    }
)
