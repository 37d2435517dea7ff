"""Who may do what, written by hand from the README: the crawl compares every answer with it.

Never make this from the policy: it is what the policy is checked against. One line for each URL: who reads,
who changes. A word after a colon is the relation that is needed: to the case, night or keepsake in the URL.
"""

EVERYBODY, SIGNED_IN, NOBODY = "everybody", "signed-in", ""
PATIENT, OWN = "patient", "patient:own"
DESK, ADMINISTRATOR, AUDITOR, DOCTOR = "receptionist", "administrator", "auditor", "doctor"
STAFF = "receptionist technician doctor administrator auditor"
# "A technician maps, until the night is booked; then runs the session they are booked for."
CASE_TEAM = "doctor technician:assigned technician:mapping"
NIGHT_TEAM = "doctor technician:assigned"
IN_THE_ROOM = "doctor technician:assigned patient:own"
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
    "patients:intake": (PATIENT, PATIENT),
    "patients:memory-new": (PATIENT, PATIENT),
    "patients:memory": (OWN, OWN),
    "patients:memory-remove": (NOBODY, OWN),
    "patients:keepsakes": (PATIENT, PATIENT),
    "patients:keepsakes-done": (NOBODY, PATIENT),
    "patients:keepsake": (OWN, OWN),
    "patients:keepsake-remove": (NOBODY, OWN),
    "patients:upload": (PATIENT, PATIENT),
    "patients:upload-form": (NOBODY, PATIENT),
    "patients:consent": (PATIENT, NOBODY),
    "patients:consent-sign": (NOBODY, PATIENT),
    "patients:withdraw": (PATIENT, PATIENT),
    "erasure:left": (PATIENT, NOBODY),
    "erasure:left-give-back": (NOBODY, OWN),
    "erasure:left-keep": (NOBODY, OWN),
    "erasure:left-destroy": (NOBODY, OWN),
    "erasure:left-fetch": (OWN, NOBODY),
    # "The front desk decides requests, invites, books procedures, keeps the day board."
    "patients:requests": (DESK, NOBODY),
    "patients:request-decide": (NOBODY, DESK),
    "today": (STAFF, NOBODY),
    "today-wall": (STAFF, NOBODY),
    "style": (STAFF, NOBODY),
    "alerts": (STAFF, NOBODY),
    "erasure:book": ("receptionist doctor", "receptionist doctor"),
    "erasure:procedure-move": ("receptionist doctor", "receptionist doctor"),
    "erasure:procedure-cancel": (NOBODY, "receptionist doctor"),
    "outbox": ("receptionist administrator", NOBODY),
    # The file: names for the desk, content for the team, the file number for the auditor.
    "patients:cases": ("receptionist technician doctor auditor", NOBODY),
    "patients:case": (f"receptionist auditor {CASE_TEAM}", NOBODY),
    "patients:custody": (f"receptionist auditor {CASE_TEAM}", NOBODY),
    "patients:custody-change": (NOBODY, f"receptionist {CASE_TEAM}"),
    # "A technician reviews and maps"; "a doctor everything a technician may; unlocks a map".
    "patients:review": (CASE_TEAM, NOBODY),
    "patients:review-decide": (NOBODY, CASE_TEAM),
    "patients:review-unblur": (NOBODY, CASE_TEAM),
    "patients:review-rest": (NOBODY, CASE_TEAM),
    "patients:map-look": (NOBODY, CASE_TEAM),
    "patients:mapping": (CASE_TEAM, CASE_TEAM),
    "patients:map-link": (NOBODY, CASE_TEAM),
    "patients:map-place": (NOBODY, CASE_TEAM),
    "patients:map-chapters": (NOBODY, CASE_TEAM),
    "patients:map-lock": (NOBODY, CASE_TEAM),
    "patients:map-unlock": (NOBODY, DOCTOR),
    "patients:picture": (f"patient:own {CASE_TEAM}", NOBODY),
    "patients:picture-blurred": (f"patient:own {CASE_TEAM}", NOBODY),
    "patients:playback": (f"patient:own {CASE_TEAM}", NOBODY),
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
    # Whoever was called reads of the call; an administrator only where they were told of it.
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
    # "An administrator manages people and roles, reads the audit log, sees backups"; an auditor reads both.
    "people": (ADMINISTRATOR, ADMINISTRATOR),
    "person": (ADMINISTRATOR, ADMINISTRATOR),
    "audit": ("administrator auditor", NOBODY),
    "audit-verify": (NOBODY, "administrator auditor"),
    "audit-export": (NOBODY, "administrator auditor"),
    "audit-compare": (NOBODY, "administrator auditor"),
    "erasure:backups": ("administrator auditor", NOBODY),
    "erasure:backups-end-held": (NOBODY, ADMINISTRATOR),
}

OPEN = 299  # see doors.py
READING = {"GET", "HEAD", "OPTIONS"}
ALL_STAFF = frozenset(STAFF.split())


def answer(
    name: str, method: str, roles: frozenset[str], relations: frozenset[str], *, about: bool, keywords: bool
) -> int:
    """Return the answer that a signed-in person gets: OPEN, 403, 404 or 405.

    relations: "own", "subject", "assigned", "mapping", "offered". about: the URL names an object of a case.
    keywords: the URL has any argument.
    """
    read, write = README[name]
    spec, other = (read, write) if method in READING else (write, read)
    if not spec and told(other, roles, relations, about=about, keywords=keywords) == OPEN:
        return 405
    return told(spec, roles, relations, about=about, keywords=keywords)


def told(spec: str, roles: frozenset[str], relations: frozenset[str], *, about: bool, keywords: bool) -> int:
    if spec in {EVERYBODY, SIGNED_IN}:
        return OPEN
    rules = [word.partition(":")[::2] for word in spec.split()]
    if not any(role in roles for role, _relation in rules):
        return 403 if roles & ALL_STAFF or not keywords else 404
    # "Nobody may use a staff role on a case in which they are the patient or the subject."
    counted = roles & {PATIENT} if about and relations & {"own", "subject"} else roles
    near = relations if about else frozenset[str]()
    if any(role in counted and (not relation or relation in near) for role, relation in rules):
        return OPEN
    return 404 if keywords else 403
