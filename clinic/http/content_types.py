"""Which Content-Type a request may have.

Django takes any charset that Python knows for the text of a form, fails with some of them, and has read the
header before any middleware runs. So it is checked before Django.
"""

import re
from collections.abc import Iterable

from clinic.http.guard import Refused

NO_TYPE = "The content type of this request cannot be read here."
NO_CHARSET = "Text is read as UTF-8 only."

MOST_BYTES = 1000
_TOKEN = rb"[!#$%&'+.^_`|~0-9A-Za-z-]++"  # of RFC 9110, 5.6.2, without the asterisk of RFC 2231
_PARAMETER = rb'(%b)=(%b|"(?:[^"\\\x00-\x08\x0a-\x1f\x7f-\xff]|\\[\t -~])*+")' % (_TOKEN, _TOKEN)
_VALUE = re.compile(rb"%b/%b(?:[ \t]*+;[ \t]*+(?:%b)?+)*+[ \t]*+" % (_TOKEN, _TOKEN, _PARAMETER))
_PARAMETERS = re.compile(rb";[ \t]*+%b" % _PARAMETER)


def check_content_type(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Check the Content-Type among the request's headers, if there is one.

    Errors: Refused (400 for one that is no media type, 415 for another charset than UTF-8).
    """
    values = [value.strip(b" \t") for name, value in headers if name.lower() == b"content-type"]
    if not any(values):
        return
    value, *others = values
    if others or len(value) > MOST_BYTES or not _VALUE.fullmatch(value):
        raise Refused(400, NO_TYPE)
    for name, charset in _PARAMETERS.findall(value):
        if name.lower() == b"charset" and charset.strip(b'"').lower() != b"utf-8":
            raise Refused(415, NO_CHARSET)
