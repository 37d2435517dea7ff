"""The access policy of the URLs of this package, of django-allauth, and of choosing a language."""

from clinic.access.policy import PUBLIC, SIGNED_IN, Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "home": Row(PUBLIC),
        "health": Row(PUBLIC),
        "set_language": Row(PUBLIC, PUBLIC, ownerless=True),
        "invitation": Row(PUBLIC, PUBLIC),
        "people": Row(roles(Role.ADMINISTRATOR), roles(Role.ADMINISTRATOR)),
        "person": Row(roles(Role.ADMINISTRATOR), roles(Role.ADMINISTRATOR)),
        "account_login": Row(PUBLIC, PUBLIC, ownerless=True),
        "account_logout": Row(PUBLIC, PUBLIC, ownerless=True),
        "account-state": Row(PUBLIC, quiet=True, ownerless=True),
        "account-return": Row(PUBLIC, PUBLIC, ownerless=True),
        "account_inactive": Row(PUBLIC),
        "account_signup": Row(PUBLIC),
        "account_reset_password": Row(PUBLIC, PUBLIC, ownerless=True),
        "account_reset_password_done": Row(PUBLIC),
        "account_reset_password_from_key": Row(PUBLIC, PUBLIC, ownerless=True),
        "account_reset_password_from_key_done": Row(PUBLIC),
        "account_reauthenticate": Row(SIGNED_IN, SIGNED_IN),
        "account_change_password": Row(SIGNED_IN, SIGNED_IN),
        "account_set_password": Row(SIGNED_IN, SIGNED_IN),
        # Closed: the address was proved by the invitation, so users cannot change it themselves.
        "account_email": Row(()),
        "account_email_verification_sent": Row(()),
        "account_confirm_email": Row(()),
        # Closed: sign-in by an e-mailed code would need a second factor.
        "account_confirm_login_code": Row(()),
    }
)
