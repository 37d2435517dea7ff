"""Who may use the URL of this package. It exists only with LACUNA_DEMO."""

from clinic.access.policy import PUBLIC, Row, register

register({"erasure:demo-sign-in": Row((), PUBLIC, ownerless=True)})
