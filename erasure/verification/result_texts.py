"""Names of the places, and why some cannot be checked. Certificates store the English texts."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from erasure.verification.places import CLEAN, FOUND, UNCHECKABLE

NAMES: dict[str, str | Promise] = {
    "keys": gettext_lazy("keys in the key store"),
    "mirrors": gettext_lazy("mirrors of the key store"),
    "epochs": gettext_lazy("older epoch keys"),
    "files": gettext_lazy("files in the vault"),
    "orphans": gettext_lazy("files, keys and rows without a partner"),
    "frames": gettext_lazy("originals, renditions and older frames"),
    "thumbs": gettext_lazy("small pictures"),
    "pointers": gettext_lazy("pictures still shown"),
    "staging": gettext_lazy("uploads on their way"),
    "seals": gettext_lazy("titles, stories and captions"),
    "rows": gettext_lazy("what rows say in clear"),
    "sqlite": gettext_lazy("how the database overwrites"),
    "statistics": gettext_lazy("statistics of the database"),
    "indexes": gettext_lazy("full-text indexes"),
    "replicas": gettext_lazy("replicas of the database"),
    "sessions": gettext_lazy("sessions"),
    "admin": gettext_lazy("entries of an admin site"),
    "cache": gettext_lazy("cache"),
    "queue": gettext_lazy("queue of tasks"),
    "outbox": gettext_lazy("mail in the house"),
    "logs": gettext_lazy("log files"),
    "temporary": gettext_lazy("temporary files"),
    "processes": gettext_lazy("processes that may remember the night"),
    "cores": gettext_lazy("dumps of memory"),
    "swap": gettext_lazy("swapped memory"),
    "browser_cache": gettext_lazy("pages that browsers may store"),
    "catalogue": gettext_lazy("keys in known backups"),
}

# Places where a byte could survive and that nobody can check by id or name. Certificates store the English
# text, so it is marked for translation here and translated where it is shown.
BEYOND = {
    "database_pages": gettext_noop(
        "freed pages and journals of the database: what lies there is sealed under destroyed keys"
    ),
    "database_log": gettext_noop("logs of the database server: what passes through it is sealed before"),
    "file_system": gettext_noop(
        "journal and freed blocks of the file system: what lies there is encrypted under destroyed keys"
    ),
    "backups": gettext_noop("backups of database and files: they never hold a key"),
    "memory": gettext_noop("memory of processes that were not replaced, of the database server, and swap"),
    "browsers": gettext_noop("browsers that were told not to store what they showed"),
    "exports": gettext_noop("exports and printed notices that left the house"),
    "outside": gettext_noop("copies outside the clinic: phones, clouds, prints, other people"),
}
WHY: dict[str, str | Promise] = {
    "none-here": gettext_lazy("there is none here"),
    "elsewhere": gettext_lazy("it is kept where this machine cannot look"),
    "swap-on": gettext_lazy("the machine swaps, and nobody can say what"),
    "no-proc": gettext_lazy("the system does not tell"),
    "replica-follows": gettext_lazy("another server follows; what it holds is sealed under destroyed keys"),
    "pages-move": gettext_lazy("the database moves its pages"),
    "renewed": gettext_lazy("each was replaced"),
    "not-renewed": gettext_lazy("some were not replaced in time"),
    "not-asked": gettext_lazy("this run asked for no new processes"),
    "needs-a-sample": gettext_lazy("only a search for the content itself could tell, and nobody has it"),
}


def describe_result(result: str, why: str) -> str:
    """Describe one result. why: the first thing found, or a code of WHY, which explains the result."""
    reason = str(WHY.get(why, why))
    if result == CLEAN:
        return f"{_('clean')}, {reason}" if why else _("clean")
    if result == FOUND:
        return f"{_('something is left')}: {why}" if why else _("something is left")
    if result == UNCHECKABLE and why and why not in WHY:
        names = why.replace("_", ", ")
        return f"{_('not checkable here')}: {_('not replaced in time: %(names)s') % {'names': names}}"
    if result == UNCHECKABLE and why:
        return f"{_('not checkable here')}: {reason}"
    return _("not checked")
