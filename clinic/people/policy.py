"""Who may use the URLs of this package, those of django-allauth, and the choice of a language."""

from clinic.access.policy import PUBLIC, SIGNED_IN, Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "home": Row(PUBLIC),
        "health": Row(PUBLIC),
        "set_language": Row(PUBLIC, PUBLIC),
        "invitation": Row(PUBLIC, PUBLIC),
        "people": Row(roles(Role.ADMINISTRATOR), roles(Role.ADMINISTRATOR)),
        "person": Row(roles(Role.ADMINISTRATOR), roles(Role.ADMINISTRATOR)),
        "account_login": Row(PUBLIC, PUBLIC),
        "account_logout": Row(PUBLIC, PUBLIC),
        "account_inactive": Row(PUBLIC),
        "account_signup": Row(PUBLIC),
        "account_reset_password": Row(PUBLIC, PUBLIC),
        "account_reset_password_done": Row(PUBLIC),
        "account_reset_password_from_key": Row(PUBLIC, PUBLIC),
        "account_reset_password_from_key_done": Row(PUBLIC),
        "account_reauthenticate": Row(SIGNED_IN, SIGNED_IN),
        "account_change_password": Row(SIGNED_IN, SIGNED_IN),
        "account_set_password": Row(SIGNED_IN, SIGNED_IN),
        # An address proves who may come in, so nobody changes it alone: closed.
        "account_email": Row(()),
        "account_email_verification_sent": Row(()),
        "account_confirm_email": Row(()),
        # Nobody comes in by a code alone until that way asks for a second factor too: closed.
        "account_confirm_login_code": Row(()),
    }
)
