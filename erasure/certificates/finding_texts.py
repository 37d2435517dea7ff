"""The sentences of verify_certificate.py for translation. That file itself has them in English only."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from erasure.certificates.verify_certificate import Finding

SENTENCES: dict[str, str | Promise] = {
    "unreadable": gettext_lazy("It cannot be checked: %(why)s."),
    "key-given": gettext_lazy("The key is the one you gave: %(key)s."),
    "key-own": gettext_lazy(
        "You gave no key. The one in the file was used, %(key)s: that shows that nothing was "
        "changed, not who made it. Get the clinic's key from somewhere else and compare."
    ),
    "signature": gettext_lazy("The signature belongs to this text and this key."),
    "signature-not": gettext_lazy("The signature does NOT belong to this text and this key."),
    "checkpoint": gettext_lazy("The checkpoint over %(size)d entries is signed with this key."),
    "checkpoint-not": gettext_lazy("A checkpoint is NOT to be believed: %(why)s."),
    "entries": gettext_lazy("Entries of the log proved to be among those %(size)d: %(n)d."),
    "entry-not": gettext_lazy("Entry %(index)d is NOT proved to be in the log."),
    "entry-foreign": gettext_lazy("Entry %(index)d belongs to another run."),
    "destroyed": gettext_lazy(
        "Destroyed memories that have their entry in the log, with the same figures: %(n)d."
    ),
    "destroyed-not": gettext_lazy(
        "Destroyed memories that have NO entry of the log that says the same of them: %(n)d."
    ),
    "destroyed-more": gettext_lazy("Destroyed memories in the log that the certificate leaves out: %(n)d."),
    "items": gettext_lazy(
        "Memories, keepsakes and words destroyed that have their entry in the log, with the same "
        "figures: %(n)d."
    ),
    "items-not": gettext_lazy(
        "Memories, keepsakes or words destroyed that have NO entry of the log that says the same of them: "
        "%(n)d."
    ),
    "items-more": gettext_lazy(
        "Memories, keepsakes or words destroyed in the log that the certificate leaves out: %(n)d."
    ),
    "outcome": gettext_lazy("The log says that the run ended as the certificate does: %(outcome)s."),
    "outcome-not": gettext_lazy("The log does NOT say that the run ended as the certificate does."),
    "verified": gettext_lazy("The log says that the verification found what the certificate says it found."),
    "verified-not": gettext_lazy(
        "The log does NOT say that the verification found what the certificate says."
    ),
    "logged": gettext_lazy("That this very certificate was issued is entry %(index)d of the log."),
    "logged-not": gettext_lazy("The log you gave has NO entry that this certificate was issued."),
    "log-root": gettext_lazy(
        "The log of %(size)d entries has the root %(root)s, computed from its first entry on."
    ),
    "log-shown": gettext_lazy(
        "Entries written out: %(shown)d. Others, of which only hashes were given: %(hidden)d."
    ),
    "log-line": gettext_lazy("Line %(line)d is NOT what belongs there: %(why)s."),
    "note-same": gettext_lazy(
        "The log you hold a checkpoint of, %(size)d entries, is a beginning of this one."
    ),
    "note-not": gettext_lazy(
        "The log you hold a checkpoint of, %(size)d entries, is NOT a beginning of this one: it "
        "was rewritten."
    ),
    "note-longer": gettext_lazy(
        "The checkpoint over %(size)d entries is of a longer log than these %(have)d: the end was "
        "cut, unless this was made earlier."
    ),
    "note-hidden": gettext_lazy(
        "The checkpoint over %(size)d entries cannot be compared: it ends among entries that were not given."
    ),
    "note-apart": gettext_lazy(
        "The checkpoint over %(size)d entries cannot be compared with the certificate's alone: "
        "give the exported log too."
    ),
    "note-lost": gettext_lazy(
        "The checkpoint over %(size)d entries is of a log whose end a restored backup lost, as a "
        "note signed over %(after)d entries declares."
    ),
    "note-lost-late": gettext_lazy(
        "The checkpoint over %(size)d entries is of a log whose end a restored backup lost, as a "
        "note signed over %(after)d entries declares. It was signed afterwards, at %(at)s."
    ),
    "restored-not": gettext_lazy(
        "Entry %(index)d says that a backup was restored, and NO note signed over this log declares it."
    ),
    "handed-over": gettext_lazy("Entry %(index)d hands the signature over to another key, signed with both."),
}
UNKNOWN: dict[str, str | Promise] = {
    "disk": gettext_lazy(
        "whether a disk, a snapshot or a thief kept an old copy of a key before it was "
        "overwritten: the certificate says where keys lay and what limits that has"
    ),
    "copies": gettext_lazy("whether copies exist outside the clinic: phones, clouds, prints, other people"),
    "honest": gettext_lazy(
        "whether the clinic's program did what it wrote down: its source and its tests are public"
    ),
    "other-log": gettext_lazy(
        "whether somebody else was shown another log: only comparing checkpoints tells"
    ),
    "person": gettext_lazy("whose memories they were, and whom they were about: that is not in any of this"),
}


def sentence_of(finding: Finding) -> str:
    """Return the sentence for a finding, in the active language."""
    return str(SENTENCES[finding.code]) % finding.values
