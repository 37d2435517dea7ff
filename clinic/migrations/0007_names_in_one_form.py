"""Names are stored composed, with keys to search and sort them by; e-mail addresses have one form.

An address stays as it is if its one form has an account already. The check clinic.W001 then reports both.
The functions are copies of clinic/names.py as of this migration.
"""

import unicodedata

import idna
from django.db import migrations, models

PLAIN_LETTERS = str.maketrans(
    {"đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ø": "o", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th"}
)
VIETNAMESE_LETTERS = {
    letter: f"{base}{place}"
    for base, family in {"a": "aăâ", "d": "dđ", "e": "eê", "o": "oôơ", "u": "uư"}.items()
    for place, letter in enumerate(family)
}
VIETNAMESE_TONES = {"\u0300": "2", "\u0309": "3", "\u0303": "4", "\u0301": "5", "\u0323": "6"}
HYPHENS = "-\u2010\u2011\u2013"


def compose(text):
    return unicodedata.normalize("NFC", text)


def normalize_text(text):
    return " ".join(compose(text).split())


def without_accents(text):
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def name_key(name):
    letters = without_accents(without_accents(name).casefold()).casefold()
    return " ".join(letters.translate(PLAIN_LETTERS).split())


def words_of(name):
    kept = (
        " " if char.isspace() or char in HYPHENS else char
        for char in compose(name)
        if char.isspace() or char in HYPHENS or unicodedata.category(char)[0] in "LMN"
    )
    return "".join(kept).split()


def vietnamese_key(word):
    letters, tones = [], []
    for char in unicodedata.normalize("NFKD", word.casefold()):
        if char in "\u0302\u0306\u031b" and letters:
            whole = compose(letters[-1][0] + char)
            if whole in VIETNAMESE_LETTERS:
                letters[-1] = VIETNAMESE_LETTERS[whole]
                continue
        if unicodedata.combining(char):
            tones.append(VIETNAMESE_TONES.get(char, "7"))
        else:
            letters += [
                VIETNAMESE_LETTERS.get(char) or f"{plain}0"
                for plain in ("đ" if char == "đ" else char.translate(PLAIN_LETTERS))
            ]
    return f"{''.join(letters)}\1{''.join(tones)}"


def sort_keys(name):
    same = normalize_text(unicodedata.normalize("NFKC", compose(name).casefold()).casefold())
    english = name_key(" ".join(words_of(name)))
    vietnamese = "\0".join(vietnamese_key(word) for word in words_of(name))
    return [f"{key}\0\0{same}\0{name}".encode(errors="replace") for key in (english, vietnamese)]


def normalize_address(address):
    local, at, domain = compose(address.strip()).rpartition("@")
    try:
        plain = domain.isascii() and "xn--" not in domain.lower()
        domain = domain.lower() if plain else idna.encode(domain, uts46=True).decode()
    except ValueError:
        domain = compose(domain.lower())
    return f"{local}{at}{domain}"


def bring_into_one_form(apps, schema_editor):
    User = apps.get_model("clinic", "User")
    for user in User.objects.order_by("pk").only("name", "email").iterator():
        name = normalize_text(user.name)
        user.name = name if len(name) <= 120 else user.name
        user.search_key = name_key(user.name)
        user.sort_en, user.sort_vi = sort_keys(user.name)
        address = compose(normalize_address(user.email).lower())
        taken = User.objects.filter(email__iexact=address).exclude(pk=user.pk).exists()
        user.email = user.email if taken or len(address) > 254 else address
        user.save(update_fields=["name", "search_key", "sort_en", "sort_vi", "email"])
    Invitation = apps.get_model("clinic", "Invitation")
    for invitation in Invitation.objects.only("name", "email").iterator():
        name, address = normalize_text(invitation.name), normalize_address(invitation.email)
        if (
            (name, address) != (invitation.name, invitation.email)
            and len(name) <= 120
            and len(address) <= 254
        ):
            invitation.name, invitation.email = name, address
            invitation.save(update_fields=["name", "email"])


class Migration(migrations.Migration):
    dependencies = [("clinic", "0006_bookings_are_released")]

    operations = [
        migrations.AddField("user", "family_name_first", models.BooleanField(default=False)),
        migrations.AddField("user", "search_key", models.TextField(default="", editable=False)),
        migrations.AddField("user", "sort_en", models.BinaryField(default=b"", editable=False)),
        migrations.AddField("user", "sort_vi", models.BinaryField(default=b"", editable=False)),
        migrations.RunPython(bring_into_one_form, migrations.RunPython.noop),
    ]
