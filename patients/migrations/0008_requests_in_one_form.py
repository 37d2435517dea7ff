"""Names of requests are stored composed, and e-mail addresses in one form, as those of accounts are."""

import unicodedata

import idna
from django.db import migrations


def normalize_text(text):
    return " ".join(unicodedata.normalize("NFC", text).split())


def normalize_address(address):
    local, at, domain = unicodedata.normalize("NFC", address.strip()).rpartition("@")
    try:
        plain = domain.isascii() and "xn--" not in domain.lower()
        domain = domain.lower() if plain else idna.encode(domain, uts46=True).decode()
    except ValueError:
        domain = unicodedata.normalize("NFC", domain.lower())
    return f"{local}{at}{domain}"


def bring_into_one_form(apps, schema_editor):
    for request in apps.get_model("patients", "AppointmentRequest").objects.only("name", "email").iterator():
        name, address = normalize_text(request.name), normalize_address(request.email)
        if (name, address) != (request.name, request.email) and len(name) <= 120 and len(address) <= 254:
            request.name, request.email = name, address
            request.save(update_fields=["name", "email"])


class Migration(migrations.Migration):
    dependencies = [("patients", "0007_file_numbers_with_check_digits")]

    operations = [migrations.RunPython(bring_into_one_form, migrations.RunPython.noop)]
