"""The number of a request, which a visitor can quote on the telephone."""

from uuid import UUID

from patients.cases.references import check_digits

DIGITS = 8


def request_number(pk: UUID) -> str:
    """Return the number of the request with this id, such as "4837-1591-06".

    It is computed from the random id, so it tells nothing of how many requests there are. The last two are
    check digits as those of file numbers.
    """
    digits = f"{pk.int % 10**DIGITS:0{DIGITS}d}"
    return f"{digits[:4]}-{digits[4:]}-{check_digits(digits)}"
