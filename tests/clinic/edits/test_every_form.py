"""W2: every posted form of the project carries what its page showed, or is listed here with a reason."""

import re
from pathlib import Path

from django.conf import settings

TEMPLATES = Path(settings.BASE_DIR) / "templates"
# The tag ends at its own `>`, not at one inside a template tag.
FORM = re.compile(r"<form\b(?P<tag>(?:[^>{]|{[{%].*?[%}]})*)>(?P<inside>.*?)</form>", re.DOTALL)
BASIS = re.compile(r'\.based_on }}|name="seen"|form\.expected_start')
TARGETS = [
    re.compile(r"""\baction="{% url ["']([\w:-]+)["']"""),
    re.compile(r"\bcontrols\.(\w+)"),
    re.compile(r'\baction="([^"]*)"'),
]

PASSPHRASE = "changes what no page shows: a passphrase, a session"
NEW = "makes something new, and replaces nothing"
READS = "reads, and changes nothing but the log"
REPEATABLE = "sets a state; sending it twice changes nothing more, and no text is replaced"
LOOK = "adds a look to those on record"
RUN = "acts on a run; run_actions.py compares it with the run's state under the run's lock, and answers 409"
HOLD = "is refused with 409 once the hold is decided (resistance.open_hold)"
OWN = "the patient's own decision on what is left; it can be taken back until it is destroyed"
CONSENT = "is bound to the digests of the text, the map and the list that the page showed"
OFFER = "an offer is answered once; another answer is told what became of it"

TICKS = "each tick carries the mark of what the page showed of its keepsake"
DRAFT = "ends only the draft that the page shows, by its revision"
AGAIN = "sends a form once more, with what that form was based on inside"

# (template, where it is posted) -> why it carries no basis. Reviewed one by one.
EXCEPTIONS = {
    ("account/login.html", "account_login"): PASSPHRASE,
    ("account/logout.html", "account_logout"): PASSPHRASE,
    ("account/password_change.html", "account_change_password"): PASSPHRASE,
    ("account/password_reset.html", "account_reset_password"): PASSPHRASE,
    ("account/password_reset_from_key.html", "{{ action_url }}"): PASSPHRASE,
    ("account/password_set.html", "account_set_password"): PASSPHRASE,
    ("account/reauthenticate.html", "account_reauthenticate"): PASSPHRASE,
    ("clinic/access/send_again.html", "{{ path }}"): AGAIN,
    ("clinic/access/signed_out.html", "account-return"): AGAIN,
    ("clinic/availability/_season_hours.html", "season-agree"): "carries the version of the hours it showed",
    ("clinic/availability/_exceptions.html", ""): "ends what it names, once",
    ("clinic/availability/everybody.html", ""): NEW,
    ("clinic/availability/one.html", ""): NEW,
    ("clinic/calendar/places.html", ""): REPEATABLE,
    ("clinic/calendar_pages/calendar.html", "{{ undo.url }}?{{ query }}"): (
        "moves back from the span that the fields name; from another it is refused"
    ),
    ("clinic/oversight/_compare.html", "audit-compare"): READS,
    ("clinic/oversight/_log.html", "audit-export"): READS,
    ("clinic/oversight/_verdict.html", "audit-verify"): READS,
    ("clinic/people/invitation.html", ""): "an invitation is accepted once",
    ("clinic/people/people.html", ""): NEW,
    ("clinic/people/person.html", ""): REPEATABLE,
    ("clinic/seasons/season.html", ""): "carries the version of the hours, or the last day, that it showed",
    ("clinic/seasons/seasons.html", ""): NEW,
    ("clinic/setup/setup.html", "setup-mail"): NEW,
    ("components/languages.html", "{{ set_language_url }}"): "the language of one browser",
    ("components/logout.html", "{{ logout_url }}"): PASSPHRASE,
    ("erasure/backups/backups.html", "erasure:backups-end-held"): "carries the digest of the keys it showed",
    ("erasure/certificates/verify.html", "erasure:verify"): READS,
    ("erasure/reports/_figure.html", "erasure:report-export"): READS,
    ("erasure/demo/people.html", "erasure:demo-sign-in"): PASSPHRASE,
    ("erasure/procedures/book.html", ""): NEW,
    ("erasure/destructions/belongings.html", "erasure:belongings-choose"): READS,
    ("erasure/destructions/belongings.html", "erasure:belongings-reopen"): REPEATABLE,
    ("erasure/destructions/destroy.html", "erasure:belongings-destroy"): OWN,
    ("erasure/destructions/destruction.html", "erasure:destruction-stop"): OWN,
    ("erasure/destructions/take.html", "erasure:belongings-take"): READS,
    ("patients/archives/everything.html", ""): READS,
    ("erasure/closing/close.html", ""): PASSPHRASE,
    ("erasure/remainders/left.html", "erasure:left-give-back"): OWN,
    ("erasure/remainders/left.html", "erasure:left-keep"): OWN,
    ("erasure/remainders/left.html", "erasure:left-destroy"): OWN,
    ("erasure/bed_pages/bed.html", "erasure:bed-safe-word"): RUN,
    ("erasure/bed_pages/bed.html", "erasure:bed-pause"): RUN,
    ("erasure/bed_pages/bed.html", "erasure:bed-call-doctor"): RUN,
    ("erasure/bed_pages/bed.html", "erasure:bed-close"): REPEATABLE,
    ("erasure/bed_pages/before.html", "erasure:bed-open"): NEW,
    ("erasure/session/_bed_pages.html", "erasure:bed-end"): REPEATABLE,
    ("erasure/session/_decision_form.html", "erasure:decide"): HOLD,
    ("erasure/session/_lift_form.html", "erasure:lift-safe-word"): RUN,
    ("erasure/session/_likeness.html", "erasure:look"): LOOK,
    ("erasure/session/alarms.html", "decide_damaged"): RUN,
    ("erasure/session/alarms.html", "acknowledge"): RUN,
    ("erasure/session/alarms.html", "presence"): RUN,
    ("erasure/session/alarms.html", "handover_accept"): RUN,
    ("erasure/session/alarms.html", "handover_decline"): RUN,
    ("erasure/session/call.html", "erasure:acknowledge"): RUN,
    ("erasure/session/call.html", "erasure:call-seen"): RUN,
    ("erasure/session/controls.html", "pause"): RUN,
    ("erasure/session/controls.html", "resume"): RUN,
    ("erasure/session/controls.html", "protect"): RUN,
    ("erasure/session/controls.html", "doctor"): RUN,
    ("erasure/session/controls.html", "safe_word"): RUN,
    ("erasure/session/controls.html", "take_over"): RUN,
    ("erasure/session/controls.html", "hand_back"): RUN,
    ("erasure/session/controls.html", "abort"): RUN,
    ("erasure/session/controls.html", "abort_finish"): RUN,
    ("erasure/session/handover.html", "erasure:handover-accept"): RUN,
    ("erasure/session/handover.html", "erasure:handover-decline"): RUN,
    ("erasure/session/handover.html", "erasure:handover-offer"): RUN,
    ("erasure/session/start.html", ""): "a night starts once, and its readiness is checked under its lock",
    ("patients/appointments/_on_file.html", "patients:desk-task-close"): "ends what it names, once",
    ("patients/appointments/book.html", ""): "a hold is booked once; whether it still holds is asked again",
    ("patients/appointments/new.html", ""): NEW,
    ("patients/appointments/template.html", ""): REPEATABLE,
    ("patients/consent_papers/consent.html", "patients:consent-sign"): CONSENT,
    ("patients/drafts/_unsaved.html", "patients:draft-discard"): DRAFT,
    ("patients/consent/withdraw.html", ""): "a withdrawal counts whatever was changed before it",
    ("patients/keepsakes/_bring.html", "/upload/form"): NEW,
    ("patients/keepsakes/_look_form.html", "{{ url }}"): LOOK,
    ("patients/keepsakes/keepsakes.html", "patients:keepsakes-done"): REPEATABLE,
    ("patients/left_behind/left_behind.html", "patients:left-behind-tick"): REPEATABLE,
    ("patients/left_behind/left_behind.html", "patients:left-behind-untick"): REPEATABLE,
    ("patients/maps/_findings.html", "patients:map-unlock"): REPEATABLE,
    ("patients/maps/_memory.html", "patients:map-link"): REPEATABLE,
    ("patients/messages/_write.html", "{{ action }}"): NEW,
    ("patients/notes/notes.html", "patients:notes"): NEW,
    ("patients/placement/_form.html", "patients:sheet"): TICKS,
    ("patients/placement/_proposal.html", "patients:sheet"): TICKS,
    ("patients/placement/_undo.html", "patients:sheet-undo"): "is refused if anything was changed since",
    ("patients/placement/proposals.html", "patients:proposals-recall"): REPEATABLE,
    ("patients/requests/request.html", ""): NEW,
    ("patients/waitlist/_answer.html", "patients:waitlist-answer"): OFFER,
    ("patients/waitlist/_earlier.html", "{{ action }}"): REPEATABLE,
    ("patients/waitlist/list.html", "patients:waitlist-go-through"): NEW,
    ("patients/waitlist/new.html", "patients:waitlist-new"): NEW,
    ("patients/waitlist/offer.html", "patients:waitlist-offer"): OFFER,
    ("patients/requests/rows.html", "patients:requests-decide"): "each tick carries the mark of its row",
}


def posted_forms() -> list[tuple[str, str, bool]]:
    """Each form that is posted: its template, where to ("": its own page), and whether it has a basis."""
    found = []
    for path in sorted(TEMPLATES.rglob("*.html")):
        for form in FORM.finditer(path.read_text()):
            if 'method="post"' in form["tag"]:
                target = next(filter(None, (pattern.search(form["tag"]) for pattern in TARGETS)), None)
                where = target[1] if target else ""
                found.append((str(path.relative_to(TEMPLATES)), where, bool(BASIS.search(form["inside"]))))
    return found


def test_w2_every_posted_form_carries_what_it_was_based_on() -> None:
    forms = posted_forms()
    without = {(template, where) for template, where, based in forms if not based}
    assert without - EXCEPTIONS.keys() == set(), "carry a basis, or say here why none is needed"
    assert EXCEPTIONS.keys() - without == set(), "these are not there any more, or carry one now"


def test_posted_forms_finds_every_form() -> None:
    posted = sum(path.read_text().count('method="post"') for path in TEMPLATES.rglob("*.html"))
    assert len(posted_forms()) == posted
    assert {template for template, _where, based in posted_forms() if based} == {
        "clinic/availability/one.html",
        "clinic/calendar_feeds/feed.html",
        "clinic/calendar_pages/move.html",
        "clinic/configuration/settings.html",
        "clinic/outgoing/_messages.html",
        "clinic/people/person.html",
        "clinic/seasons/season.html",
        "erasure/bed_pages/before.html",
        "erasure/procedures/cancel.html",
        "erasure/procedures/move.html",
        "patients/appointments/_shown.html",
        "patients/appointments/_times.html",
        "patients/appointments/cancel.html",
        "patients/appointments/move.html",
        "patients/appointments/own_cancel.html",
        "patients/appointments/template.html",
        "patients/case_file/case.html",
        "patients/contacts/contact.html",
        "patients/custody/custody.html",
        "patients/intake/intake.html",
        "patients/intake_review/review.html",
        "patients/keepsakes/_inbox.html",
        "patients/keepsakes/_item.html",
        "patients/keepsakes/keepsake.html",
        "patients/maps/_findings.html",
        "patients/maps/_memory.html",
        "patients/maps/mapping.html",
        "patients/messages/case.html",
        "patients/notes/notes.html",
        "patients/portal/memory.html",
        "patients/repeats/repeat.html",
        "patients/requests/decided.html",
        "patients/requests/row.html",
        "patients/waitlist/one.html",
    }
