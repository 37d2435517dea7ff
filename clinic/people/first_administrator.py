"""The first administrator of a new installation, made by a command. Everybody else is invited."""

from django.db import transaction
from django.forms import ValidationError

from clinic.accounts.models import Role, User
from clinic.audit.record import Act, locked_head, record
from clinic.people.fields import AddressField
from clinic.people.forms import WelcomeForm


class NotCreated(Exception):
    """No account was created. sentences: why, one sentence each."""

    def __init__(self, *sentences: str) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


def check_there_is_none() -> None:
    """Check that no open account has the role of administrator. Errors: NotCreated."""
    administrators = User.objects.filter(is_active=True, grants__role=Role.ADMINISTRATOR)
    if administrators.exists():
        raise NotCreated(
            "There is an administrator already. They invite everybody else on the page People. Who has "
            'forgotten a passphrase gets a new one by "Forgotten?" on the sign-in page.'
        )


def create_first_administrator(email: str, name: str, passphrase: str) -> User:
    """Create the account and return it.

    The three values are checked as in the browser. Errors: NotCreated, also if there is an administrator.
    """
    try:
        address = AddressField(max_length=254).clean(email)
    except ValidationError as error:
        raise NotCreated(f"E-mail address: {' '.join(error.messages)}") from error
    form = WelcomeForm({"name": name, "passphrase": passphrase}, email=address)
    if not form.is_valid():
        wrong = {form[name].label: " ".join(map(str, errors)) for name, errors in form.errors.items()}
        raise NotCreated(*(f"{label}: {sentences}" for label, sentences in wrong.items()))
    with transaction.atomic():
        locked_head()  # if two commands run at once, the second waits here, and then finds an administrator
        check_there_is_none()
        if User.objects.at_address(address).exists():
            raise NotCreated("There is an account for this address already.")
        user = User.objects.create_user(
            address,
            form.cleaned_data["passphrase"],
            name=form.cleaned_data["name"],
            roles=(Role.ADMINISTRATOR,),
        )
        record(Act("person.first-administrator", f"user:{user.pk}", actor="system:operator"))
    return user
