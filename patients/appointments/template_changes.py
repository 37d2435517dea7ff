"""Adding, changing and retiring templates of appointments. Each is one function with one audit entry."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.appointments.models import AppointmentTemplate

# The fields whose values the log has; LOGGED_OR_NONE may be empty. Of texts it says only that they changed.
LOGGED = (
    *("kind", "minutes", "doctors", "technicians", "place", "buffer_before", "buffer_after"),
    "patients_may_book",
)
LOGGED_OR_NONE = ("follow_up_days", "days_after_night")
FIELDS = (*LOGGED, *LOGGED_OR_NONE, "name", "preparation_en", "preparation_vi", "follow_up")


class TemplateRefused(Exception):
    """The template was not changed. The message is a sentence for the user. field: the one to correct."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


def lock_template(template: UUID) -> AppointmentTemplate | None:
    """Return a template with its row locked, or None if there is none. Call it inside a transaction."""
    return AppointmentTemplate.objects.select_for_update(of=("self",)).filter(pk=template).first()


def _details(row: AppointmentTemplate, names: Collection[str], old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details of the audit entry for the fields `names`. old: values before; {} if it is new."""
    details: dict[str, Any] = {}
    for name in names:
        value = getattr(row, name)
        if name in LOGGED:
            details[name] = str(value) if isinstance(value, str) else value
            if old:
                details[f"{name}_before"] = old[name]
        elif name in LOGGED_OR_NONE:
            details[name] = "none" if value is None else value
            if old:
                details[f"{name}_before"] = "none" if old[name] is None else old[name]
        elif name == "follow_up":
            details[name] = value.pk if value else "none"
        elif old:
            details[f"{name}_changed"] = True
    return details


def _save(row: AppointmentTemplate) -> None:
    """Save a template. Errors: TemplateRefused if there is another one of this name, or it follows itself."""
    if row.follow_up_id == row.pk:
        raise TemplateRefused(_("A template cannot follow itself."), "follow_up")
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise TemplateRefused(_("There is a template of this name already."), "name") from error


@transaction.atomic
def add_template(values: Mapping[str, Any], *, by: User) -> AppointmentTemplate:
    """Add a template. values: by the names in FIELDS. Errors: TemplateRefused."""
    row = AppointmentTemplate(**values)
    _save(row)
    details = _details(row, FIELDS, {})
    record(
        Act(
            "appointment-template.added",
            f"appointment-template:{row.pk}",
            actor=actor_of(by),
            details=details,
        )
    )
    return row


@transaction.atomic
def change_template(
    template: AppointmentTemplate, values: Mapping[str, Any], edited: Collection[str], *, by: User
) -> bool:
    """Change the `edited` fields of a template; appointments already made stay as they are.

    Return whether anything was changed. Errors: TemplateRefused.
    """
    row = AppointmentTemplate.objects.select_for_update(of=("self",)).get(pk=template.pk)
    old = {name: getattr(row, name) for name in FIELDS}
    for name in edited:
        setattr(row, name, values[name])
    changed = [name for name in FIELDS if getattr(row, name) != old[name]]
    if not changed:
        return False
    _save(row)
    details = _details(row, changed, old)
    record(
        Act(
            "appointment-template.changed",
            f"appointment-template:{row.pk}",
            actor=actor_of(by),
            details=details,
        )
    )
    return True


@transaction.atomic
def set_in_use(template: AppointmentTemplate, in_use: bool, *, by: User) -> AppointmentTemplate:
    """Retire a template, or put it back in use. Doing it again changes nothing."""
    row = AppointmentTemplate.objects.select_for_update(of=("self",)).get(pk=template.pk)
    if row.in_use != in_use:
        row.in_use = in_use
        row.save(update_fields=["in_use"])
        action = "appointment-template.in-use" if in_use else "appointment-template.retired"
        record(Act(action, f"appointment-template:{row.pk}", actor=actor_of(by)))
    return row
