"""Who may use which URL, written by hand from the README. The tests compare every response with it.

Never generate this from the policy: it is what the policy is checked against. One line for each URL: who may
read, who may change. A word after a colon is the relation to the URL's case, procedure or keepsake that the
role needs.
"""

EVERYBODY, SIGNED_IN, NOBODY = "everybody", "signed-in", ""
PATIENT, OWN = "patient", "patient:own"
DESK, ADMINISTRATOR, AUDITOR, DOCTOR = "receptionist", "administrator", "auditor", "doctor"
STAFF = "receptionist technician doctor administrator auditor"
# "A technician maps, until the night is booked; then runs the session they are booked for."
CASE_TEAM = "doctor technician:assigned technician:mapping"
# "... until the patient takes the consent back": then they see no more of what was brought.
CONTENT_DOCTOR = "doctor:consented doctor:assigned"
CONTENT_TEAM = f"{CONTENT_DOCTOR} technician:assigned technician:mapping"
NIGHT_TEAM = "doctor technician:assigned"
IN_THE_ROOM = "doctor technician:assigned patient:own"
# "Until the patient takes the consent back, doctors, and technicians who work on the case or were asked to
# answer" read and write messages.
ENTRUSTED = "doctor:consented technician:entrusted"
OFFERED = "technician:offered"
CALLED = "administrator:called"

README: dict[str, tuple[str, str]] = {
    # "A visitor asks for an appointment", and everybody may check a certificate.
    "home": (EVERYBODY, NOBODY),
    "health": (EVERYBODY, NOBODY),
    "set_language": (EVERYBODY, EVERYBODY),
    "invitation": (EVERYBODY, EVERYBODY),
    "account_login": (EVERYBODY, EVERYBODY),
    "account_logout": (EVERYBODY, EVERYBODY),
    "account-state": (EVERYBODY, NOBODY),
    # Only in the demonstration there is a URL of this name.
    "erasure:demo-sign-in": (NOBODY, EVERYBODY),
    "account-return": (EVERYBODY, EVERYBODY),
    "account_inactive": (EVERYBODY, NOBODY),
    "account_signup": (EVERYBODY, NOBODY),
    "account_reset_password": (EVERYBODY, EVERYBODY),
    "account_reset_password_done": (EVERYBODY, NOBODY),
    "account_reset_password_from_key": (EVERYBODY, EVERYBODY),
    "account_reset_password_from_key_done": (EVERYBODY, NOBODY),
    "account_reauthenticate": (SIGNED_IN, SIGNED_IN),
    "account_change_password": (SIGNED_IN, SIGNED_IN),
    "account_set_password": (SIGNED_IN, SIGNED_IN),
    "account_email": (NOBODY, NOBODY),
    "account_email_verification_sent": (NOBODY, NOBODY),
    "account_confirm_email": (NOBODY, NOBODY),
    "account_confirm_login_code": (NOBODY, NOBODY),
    "patients:request": (EVERYBODY, EVERYBODY),
    "patients:request-sent": (EVERYBODY, NOBODY),
    "erasure:verify": (EVERYBODY, EVERYBODY),
    "erasure:verify-number": (EVERYBODY, NOBODY),
    "erasure:verify-key": (EVERYBODY, NOBODY),
    "erasure:verifier": (EVERYBODY, NOBODY),
    # "A patient answers the intake, brings and takes back keepsakes, signs, withdraws, decides on remains."
    "patients:portal": (PATIENT, NOBODY),
    "patients:looks": (PATIENT, NOBODY),
    "patients:everything": (PATIENT, PATIENT),
    "erasure:close-account": (PATIENT, PATIENT),
    "patients:left-behind": (PATIENT, NOBODY),
    "patients:left-behind-tick": (NOBODY, PATIENT),
    "patients:left-behind-untick": (NOBODY, PATIENT),
    "patients:intake": (PATIENT, PATIENT),
    "patients:memory-new": (PATIENT, PATIENT),
    "patients:memory": (OWN, OWN),
    "patients:memory-remove": (NOBODY, OWN),
    "patients:keepsakes": (PATIENT, PATIENT),
    "patients:keepsakes-done": (NOBODY, PATIENT),
    "patients:sheet": (PATIENT, PATIENT),
    "patients:sheet-undo": (NOBODY, PATIENT),
    "patients:proposals": (PATIENT, NOBODY),
    "patients:proposals-dismiss": (NOBODY, PATIENT),
    "patients:proposals-recall": (NOBODY, PATIENT),
    "patients:timeline": (PATIENT, NOBODY),
    "patients:keepsake": (OWN, OWN),
    "patients:keepsake-remove": (NOBODY, OWN),
    "patients:upload": (PATIENT, PATIENT),
    "patients:upload-form": (NOBODY, PATIENT),
    # Whoever may save a form may keep a draft of it. The matrix uses the form of a keepsake's review.
    "patients:draft": (NOBODY, f"{CONTENT_TEAM} patient:writing receptionist:writing"),
    "patients:draft-discard": (NOBODY, f"{CONTENT_TEAM} patient:writing receptionist:writing"),
    "patients:consent": (PATIENT, NOBODY),
    "patients:consent-sign": (NOBODY, PATIENT),
    "patients:consent-paper": (OWN, NOBODY),
    "patients:own-appointment-new": (PATIENT, PATIENT),
    "patients:own-appointment-move": (OWN, OWN),
    "patients:own-appointment-cancel": (OWN, OWN),
    "patients:withdraw": (PATIENT, PATIENT),
    "erasure:belongings": (PATIENT, NOBODY),
    "erasure:belongings-choose": (NOBODY, OWN),
    "erasure:belongings-take": (NOBODY, OWN),
    "erasure:belongings-destroy": (NOBODY, OWN),
    "erasure:belongings-reopen": (NOBODY, OWN),
    "erasure:destruction": (OWN, NOBODY),
    "erasure:destruction-stop": (NOBODY, OWN),
    "erasure:left": (PATIENT, NOBODY),
    "erasure:left-give-back": (NOBODY, OWN),
    "erasure:left-keep": (NOBODY, OWN),
    "erasure:left-destroy": (NOBODY, OWN),
    "erasure:left-fetch": (OWN, NOBODY),
    # "The front desk decides requests, invites, books procedures, keeps the day board."
    "patients:requests": (DESK, NOBODY),
    "patients:request-one": (DESK, NOBODY),
    "patients:requests-decide": (NOBODY, DESK),
    "patients:request-decide": (NOBODY, DESK),
    "today": (STAFF, NOBODY),
    "today-wall": (STAFF, NOBODY),
    "style": (STAFF, NOBODY),
    "alerts": (STAFF, NOBODY),
    # The front desk for mail to patients, the administrator for all.
    "mails": ("receptionist administrator", NOBODY),
    "mail-decide": (NOBODY, "receptionist administrator"),
    "erasure:book": ("receptionist doctor", "receptionist doctor"),
    "erasure:procedure-move": ("receptionist doctor", "receptionist doctor"),
    "erasure:procedure-cancel": ("receptionist doctor", "receptionist doctor"),
    # "Books appointments, and enters who came"; an administrator keeps their templates, and may move one.
    "patients:appointment-new": ("receptionist doctor", "receptionist doctor"),
    "patients:appointment-book": ("receptionist doctor", "receptionist doctor"),
    "patients:appointment-move": ("receptionist doctor administrator", "receptionist doctor administrator"),
    "patients:appointment-cancel": ("receptionist doctor", "receptionist doctor"),
    "patients:appointment-calendar": (OWN, NOBODY),
    "patients:appointment-state": (NOBODY, f"receptionist {CASE_TEAM}"),
    "patients:desk-task-close": (NOBODY, "receptionist doctor"),
    # "Puts patients on the waitlist"; the patient answers an offer, or the desk for whoever calls.
    "patients:waitlist": ("receptionist doctor", NOBODY),
    "patients:waitlist-go-through": (NOBODY, "receptionist doctor"),
    "patients:waitlist-new": ("receptionist doctor", "receptionist doctor"),
    "patients:waitlist-entry": ("receptionist doctor", "receptionist doctor"),
    "patients:waitlist-up": (NOBODY, "receptionist doctor"),
    "patients:waitlist-end": (NOBODY, "receptionist doctor"),
    "patients:waitlist-answer": (NOBODY, "receptionist doctor"),
    "patients:waitlist-offer": (OWN, OWN),
    "patients:waitlist-earlier": (NOBODY, OWN),
    "patients:waitlist-earlier-night": (NOBODY, PATIENT),
    "patients:appointment-templates": (ADMINISTRATOR, NOBODY),
    "patients:appointment-template-new": (ADMINISTRATOR, ADMINISTRATOR),
    "patients:appointment-template": (ADMINISTRATOR, ADMINISTRATOR),
    "outbox": ("receptionist administrator", NOBODY),
    # The case: names for the desk, content for the team, the file number for the auditor.
    "patients:cases": ("receptionist technician doctor auditor", NOBODY),
    "patients:case": (f"receptionist auditor {CASE_TEAM}", NOBODY),
    # "The front desk writes down how a patient is reached"; notes are for those who read the patient's name.
    "patients:contact": (DESK, DESK),
    "patients:notes": (f"receptionist {CASE_TEAM}", f"receptionist {CASE_TEAM}"),
    "patients:my-messages": (PATIENT, PATIENT),
    "patients:inbox": ("receptionist technician doctor", NOBODY),
    "patients:case-messages": (ENTRUSTED, ENTRUSTED),
    "patients:messages-assign": (NOBODY, ENTRUSTED),
    "patients:messages-settle": (NOBODY, ENTRUSTED),
    "patients:messages-unsettle": (NOBODY, ENTRUSTED),
    "patients:note-strike": (NOBODY, f"receptionist {CASE_TEAM}"),
    "patients:custody": (f"receptionist auditor {CASE_TEAM}", NOBODY),
    "patients:custody-change": (NOBODY, f"receptionist {CASE_TEAM}"),
    # "A doctor reads the intake, and says whether the patient may go on."
    "patients:intake-review": (CONTENT_DOCTOR, CONTENT_DOCTOR),
    # "A technician reviews and maps"; "a doctor everything a technician may; unlocks a map".
    "patients:review": (CONTENT_TEAM, NOBODY),
    "patients:review-decide": (NOBODY, CONTENT_TEAM),
    "patients:review-unblur": (NOBODY, CONTENT_TEAM),
    "patients:review-rest": (NOBODY, CONTENT_TEAM),
    "patients:map-look": (NOBODY, CONTENT_TEAM),
    "patients:mapping": (CONTENT_TEAM, CONTENT_TEAM),
    "patients:map-link": (NOBODY, CONTENT_TEAM),
    "patients:map-place": (NOBODY, CONTENT_TEAM),
    "patients:map-chapters": (NOBODY, CONTENT_TEAM),
    "patients:map-lock": (NOBODY, CONTENT_TEAM),
    "patients:map-unlock": (NOBODY, CONTENT_DOCTOR),
    "patients:picture": (f"patient:own {CONTENT_TEAM}", NOBODY),
    "patients:picture-blurred": (f"patient:own {CONTENT_TEAM}", NOBODY),
    "patients:playback": (f"patient:own {CONTENT_TEAM}", NOBODY),
    # "Runs a session they are booked for"; the patient watches their own, the auditor reads what happened.
    "erasure:start": (NIGHT_TEAM, NIGHT_TEAM),
    "erasure:session": (f"auditor {IN_THE_ROOM}", NOBODY),
    "erasure:state": (f"auditor {IN_THE_ROOM}", NOBODY),
    "erasure:live": (f"auditor {IN_THE_ROOM}", NOBODY),
    "erasure:replay": (f"auditor {IN_THE_ROOM}", NOBODY),
    "erasure:map-css": (f"auditor {IN_THE_ROOM}", NOBODY),
    "erasure:wall": (f"auditor {NIGHT_TEAM}", NOBODY),
    "erasure:pause": (NOBODY, IN_THE_ROOM),
    "erasure:protect": (NOBODY, IN_THE_ROOM),
    "erasure:call-doctor": (NOBODY, IN_THE_ROOM),
    "erasure:safe-word": (NOBODY, IN_THE_ROOM),
    "erasure:here": (NOBODY, IN_THE_ROOM),
    # "The page for the bed": the patient's, or by its token without a sign-in (tests/erasure/bedside). The
    # patient opens it and chooses the word; the team can close it.
    "erasure:bed": (OWN, NOBODY),
    "erasure:bed-now": (OWN, NOBODY),
    "erasure:bed-live": (OWN, NOBODY),
    "erasure:bed-safe-word": (NOBODY, OWN),
    "erasure:bed-pause": (NOBODY, OWN),
    "erasure:bed-call-doctor": (NOBODY, OWN),
    "erasure:bed-close": (NOBODY, OWN),
    "erasure:bed-open": (NOBODY, OWN),
    "erasure:bed-word": (NOBODY, OWN),
    "erasure:bed-end": (NOBODY, NIGHT_TEAM),
    "erasure:resume": (NOBODY, NIGHT_TEAM),
    "erasure:abort": (NOBODY, NIGHT_TEAM),
    "erasure:abort-finish": (NOBODY, NIGHT_TEAM),
    "erasure:presence": (NOBODY, NIGHT_TEAM),
    "erasure:acknowledge": (NOBODY, DOCTOR),
    "erasure:decide": (DOCTOR, DOCTOR),
    "erasure:look": (NOBODY, DOCTOR),
    "erasure:decide-damaged": (NOBODY, DOCTOR),
    # "Lets a session go on after a safe word."
    "erasure:lift-safe-word": (DOCTOR, DOCTOR),
    # Those who were called may read the call; an administrator only if the call reached them.
    "erasure:call": (f"{NIGHT_TEAM} {CALLED}", NOBODY),
    "erasure:call-seen": (NOBODY, CALLED),
    "erasure:take-over": (NOBODY, DOCTOR),
    "erasure:hand-back": (NOBODY, DOCTOR),
    "erasure:handover": (f"{NIGHT_TEAM} {OFFERED}", NOBODY),
    "erasure:handover-offer": (NOBODY, NIGHT_TEAM),
    "erasure:handover-accept": (NOBODY, f"technician:assigned {OFFERED}"),
    "erasure:handover-decline": (NOBODY, f"{NIGHT_TEAM} {OFFERED}"),
    # The certificate: its files name the patient, so the auditor reads the page only.
    "erasure:certificate": (f"receptionist auditor {IN_THE_ROOM}", NOBODY),
    "erasure:certificate-json": (f"receptionist {IN_THE_ROOM}", NOBODY),
    "erasure:certificate-statement": (f"receptionist {IN_THE_ROOM}", NOBODY),
    "erasure:certificate-signature": (f"receptionist {IN_THE_ROOM}", NOBODY),
    "erasure:certificate-pdf": (f"receptionist {IN_THE_ROOM}", NOBODY),
    # "An administrator sets the clinic up, manages rooms, kits, people and roles, reads the audit log, sees
    # backups"; an auditor reads both.
    "setup": (ADMINISTRATOR, NOBODY),
    "setup-mail": (NOBODY, ADMINISTRATOR),
    "places": (ADMINISTRATOR, ADMINISTRATOR),
    "settings": (ADMINISTRATOR, ADMINISTRATOR),
    "settings-policies": (ADMINISTRATOR, ADMINISTRATOR),
    "settings-history": (f"{ADMINISTRATOR} {AUDITOR}", NOBODY),
    # "An administrator keeps the seasons": all staff read their rules, and people agree to extra hours
    # themselves. One more night than the limit allows needs a doctor and an administrator.
    "seasons": (STAFF, ADMINISTRATOR),
    "season": (f"{ADMINISTRATOR} {AUDITOR}", ADMINISTRATOR),
    "season-agree": (NOBODY, "technician doctor"),
    "patients:repeats": ("doctor administrator auditor", NOBODY),
    "patients:repeat": ("receptionist doctor administrator auditor", "doctor administrator"),
    # "The front desk and administrators keep hours and absences"; doctors and technicians read their own.
    "hours": ("receptionist administrator", "receptionist administrator"),
    "hours-of": ("receptionist administrator", "receptionist administrator"),
    "my-hours": ("technician doctor", NOBODY),
    # The calendar is every member of staff's; feeds are for those who can be booked, and by a secret address.
    "calendar": (STAFF, NOBODY),
    "calendar-move": ("receptionist technician doctor", "receptionist technician doctor"),
    "day-sheet": (STAFF, NOBODY),
    "calendar-feed": ("technician doctor", "technician doctor"),
    "calendar-feed-file": (EVERYBODY, NOBODY),
    "people": (ADMINISTRATOR, ADMINISTRATOR),
    "person": (ADMINISTRATOR, ADMINISTRATOR),
    "audit": ("administrator auditor", NOBODY),
    "audit-verify": (NOBODY, "administrator auditor"),
    "audit-export": (NOBODY, "administrator auditor"),
    "audit-compare": (NOBODY, "administrator auditor"),
    "erasure:reports": ("administrator auditor", NOBODY),
    "erasure:forecast": ("administrator auditor", NOBODY),
    "erasure:report-export": (NOBODY, "administrator auditor"),
    "erasure:backups": ("administrator auditor", NOBODY),
    "erasure:backups-end-held": (NOBODY, ADMINISTRATOR),
}

OPEN = 299  # as in doors.py
READING = {"GET", "HEAD", "OPTIONS"}
ALL_STAFF = frozenset(STAFF.split())


def status_by_readme(
    name: str,
    method: str,
    roles: frozenset[str],
    relations: frozenset[str],
    *,
    about_case: bool,
    has_arguments: bool,
) -> int:
    """Return the status that a signed-in person gets: OPEN, 403, 404 or 405.

    relations: "own", "subject", "assigned", "mapping", "consented", "entrusted", "offered". about_case:
    whether the URL names an object of a case. has_arguments: whether the URL has any argument.
    """
    read, write = README[name]
    spec, other = (read, write) if method in READING else (write, read)
    if (
        not spec
        and status_by(other, roles, relations, about_case=about_case, has_arguments=has_arguments) == OPEN
    ):
        return 405
    return status_by(spec, roles, relations, about_case=about_case, has_arguments=has_arguments)


def status_by(
    spec: str, roles: frozenset[str], relations: frozenset[str], *, about_case: bool, has_arguments: bool
) -> int:
    """Return the status by one column (`spec`) of README: OPEN, 403 or 404. Other arguments: as above."""
    if spec in {EVERYBODY, SIGNED_IN}:
        return OPEN
    rules = [word.partition(":")[::2] for word in spec.split()]
    if not any(role in roles for role, _relation in rules):
        return 403 if roles & ALL_STAFF or not has_arguments else 404
    # "Nobody may use a staff role on a case in which they are the patient or the subject."
    roles_that_count = roles & {PATIENT} if about_case and relations & {"own", "subject"} else roles
    relations_here = relations if about_case else frozenset[str]()
    if any(
        role in roles_that_count and (not relation or relation in relations_here) for role, relation in rules
    ):
        return OPEN
    return 404 if has_arguments else 403
