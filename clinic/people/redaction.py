"""Log filters that remove secrets: tokens of invitations and calendar feeds, keys of passphrase resets."""

import logging
import re

# Also percent-encoded, as in `?next=` of the sign-in page.
SECRETS = re.compile(
    r"((?:/|%2F)invitation(?:/|%2F)|(?:/|%2F)calendar(?:/|%2F)feeds(?:/|%2F)|(?:/|%2F)password(?:/|%2F)reset(?:/|%2F)key(?:/|%2F))[\w:-]+",
    re.IGNORECASE,
)


class WithoutTokens(logging.Filter):
    """Replaces tokens in a record's message and traceback by `[ ]`. Drops no record."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            line = record.getMessage()
        except (TypeError, ValueError):  # the handler reports this error
            return True
        if SECRETS.search(line):
            record.msg, record.args = SECRETS.sub(r"\1[ ]", line), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = SECRETS.sub(r"\1[ ]", record.exc_text)
        return True


class OneLineForRefusals(logging.Filter):
    """Removes the traceback of records below ERROR, which a denied request would log in 40 lines.

    Drops no record.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            record.exc_info = record.exc_text = None
        return True
