"""Keeps what opens a door out of the logs: the token of an invitation, the key of a passphrase reset."""

import logging
import re

# Also percent-encoded, as they stand in `?next=` of a log-in.
SECRETS = re.compile(
    r"((?:/|%2F)invitation(?:/|%2F)|(?:/|%2F)password(?:/|%2F)reset(?:/|%2F)key(?:/|%2F))[\w:-]+",
    re.IGNORECASE,
)


class WithoutTokens(logging.Filter):
    """Puts `[ ]` where a record's line would show a token; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            line = record.getMessage()
        except (TypeError, ValueError):  # the handler says so itself
            return True
        if SECRETS.search(line):
            record.msg, record.args = SECRETS.sub(r"\1[ ]", line), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = SECRETS.sub(r"\1[ ]", record.exc_text)
        return True


class OneLineForRefusals(logging.Filter):
    """Takes the traceback off what is no fault: each refused page would write forty lines. Lets all pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            record.exc_info = record.exc_text = None
        return True
