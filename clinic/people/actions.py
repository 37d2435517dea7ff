"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "person.signed-in": (_("Signed in"), "plain"),
        "person.signed-out": (_("Signed out"), "plain"),
        "person.sign-in-failed": (_("Sign-in failed"), "alarm"),
        "person.first-administrator": (_("First administrator created"), "alarm"),
        "person.invited": (_("Person invited"), "plain"),
        "person.invitation-withdrawn": (_("Invitation taken back"), "plain"),
        "person.joined": (_("Invitation accepted"), "plain"),
        "person.roles-changed": (_("Roles changed"), "plain"),
        "person.language-chosen": (_("Language chosen"), "plain"),
        "person.name-order-changed": (_("Order of a name changed"), "plain"),
        "person.deactivated": (_("Account closed"), "alarm"),
        "person.reactivated": (_("Account opened again"), "plain"),
        "person.passphrase-changed": (_("Passphrase changed"), "plain"),
    }
)
