"""Sentences on what the way of storing keys means for a claim of erasure.

They appear on certificates, at start-up and in `manage.py keys status`. They are English here and in stored
certificates, and translated where they are shown.
"""

from django.utils.translation import gettext_noop

from patients.vault.keys import KeyStoreState, Reason

SLOTS_METHOD = gettext_noop("overwritten in place, flushed, read back; then the epoch key rolled")
TOKEN_METHOD = gettext_noop(
    "overwritten in place, flushed, read back; then the epoch key destroyed inside a PKCS#11 token"
)
DATABASE_METHOD = gettext_noop(
    "erased from its row; then the key of its case destroyed inside a PKCS#11 token, survivors wrapped anew"
)

ROOT_IN_FILE = gettext_noop(
    "The epoch key stood on a disk, wrapped under a root key from a file: a copy of that file together with "
    "an old block of that disk would open what the epoch's keys opened."
)
ROOT_IN_ENVIRONMENT = gettext_noop(
    "The epoch key stood on a disk, wrapped under a root key handed over at each start: a copy of that "
    "secret together with an old block of that disk would open what the epoch's keys opened."
)
OTHER_COPIES = gettext_noop(
    "Images or snapshots of the key volume that were taken from outside the house are not known to it."
)
OLD_BLOCKS = gettext_noop(
    "A disk, flash above all, may keep an overwritten block. What it keeps is wrapped under a destroyed key."
)
IN_TOKEN = gettext_noop(
    "The keys above the data keys existed only inside a PKCS#11 token. That no copy was made there, by its "
    "backup or by whoever runs it, is for the token's maker and keeper to say."
)
TOKEN_IS_A_PROGRAM = gettext_noop(
    "The token is a program that keeps its keys in files of a machine: it is for trials, and protects no "
    "more than those files are protected."
)
UNTIL_THE_STEPS_END = gettext_noop(
    "Old pages, logs and copies of the database hold wrapped keys. They open with nothing from the moment "
    "the key of the case is destroyed, at the end of the step; not before."
)

VOLUMES: dict[Reason, str] = {
    "copy-on-write": gettext_noop(
        "A key volume is copy-on-write: an overwritten block stays there until it is used again."
    ),
    "data-journal": gettext_noop(
        "A key volume writes its data to a journal first: overwritten blocks stay there for a time."
    ),
    "overlay": gettext_noop("A key volume is an overlay: an older layer may hold what was overwritten."),
    "snapshot": gettext_noop("A key volume is kept in snapshots, or is thin: old blocks may stay there."),
    "network": gettext_noop("A key volume is another machine's: what its server keeps is not known here."),
    "volatile": gettext_noop("A key volume is in memory: its keys end with the machine's next start."),
    "unsynced": gettext_noop("The database does not wait for its disk: a crash may undo what was destroyed."),
    "unknown": gettext_noop("A key volume is of a kind that is not known to overwrite in place."),
}


def method(state: KeyStoreState) -> str:
    """Return the phrase that says how a key was destroyed."""
    if state.kind == "database":
        return DATABASE_METHOD
    return TOKEN_METHOD if state.custody == "token" else SLOTS_METHOD


def limits(state: KeyStoreState) -> list[str]:
    """Return what the claim depends on, the weakest point first. Each sentence stands alone."""
    sentences = [VOLUMES[reason] for reason in dict.fromkeys(warning.reason for warning in state.warnings)]
    if state.custody == "token":
        sentences += [TOKEN_IS_A_PROGRAM] if "softhsm" in state.token.lower() else []
        sentences.append(IN_TOKEN)
    else:
        sentences.append(ROOT_IN_ENVIRONMENT if state.root == "environment" else ROOT_IN_FILE)
    if state.kind == "database":
        return [*sentences, UNTIL_THE_STEPS_END]
    return [*sentences, OTHER_COPIES, OLD_BLOCKS]
