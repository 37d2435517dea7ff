"""Texts of Django and allauth that users can see, and that these do not translate into Vietnamese.

Because they are listed here, makemessages collects them into our catalogs, which Django searches first.
"""

from django.utils.translation import gettext_noop as _

ALLAUTH = (
    _("Email"),
    _("Email address"),
    _("Password"),
    _("Password (again)"),
    _("Current Password"),
    _("New Password"),
    _("New Password (again)"),
    _("Remember Me"),
    _("Forgot your password?"),
    _("This account is currently inactive."),
    _("The email address and/or password you specified are not correct."),
    _("Please type your current password."),
    _("Incorrect password."),
    _("Invalid login."),
    _("The password reset token was invalid."),
    _("Too many failed login attempts. Try again later."),
    _("The new value must be different from the current one."),
    _("Be patient, you are sending too many requests."),
    _("You must type the same password each time."),
)
DJANGO = (
    _("Null characters are not allowed."),
    _("Enter a complete value."),
    _("Enter a valid UUID."),
    _("Enter a valid duration."),
    _("“%(value)s” is not a valid UUID."),
)
