"""The access policy as a page of documentation: `manage.py access_table` prints it for docs/access.md."""

from itertools import groupby

from clinic.access.policy import TABLE, Rule, Who
from clinic.accounts.models import Role

INTRODUCTION = """# Who may do what

Each row is one URL, by its name. A role in *reads* may open it, a role in *changes* may send to it. In
brackets: only towards cases, nights and keepsakes that the person stands in that relation to. Nobody else is
let in. Nobody uses a staff role on a case whose patient they are, or which is about forgetting them.

What a page shows depends on the roles that opened it. The subject, chapters, titles and pictures of a case
are for doctor, technician and the patient, and for the patient alone once the consent is taken back; the
patient's name is for the front desk too; everybody else knows a case by its file number. Lists, counts and
searches ask the same rule (`patients/cases/models.py`).

*bed page* is no role. It is the pass of a browser that has the page for the bed open. It works without a
sign-in, for one night, until its certificate ([decision 28](decisions/0028-bed-token.md)).

`manage.py access_table` prints this page from the `policy.py` of each package; a test compares it.

| relation | what it means |
|---|---|
| own | The case is the patient's own. |
| assigned | The person is booked for the night of the case, and it has no certificate yet. |
| mapping | The case is not booked yet; its memories are being mapped. |
| consented | The patient has not taken the consent back. |
| offered | The technician was asked to take the night over. |
| called | The administrator was told of a doctor call of the night, because no doctor answered. |
"""


def access_table() -> str:
    """Return the text of docs/access.md: all rows of the policy, sorted by app and URL name."""
    parts = [INTRODUCTION]
    names = sorted(TABLE, key=lambda name: (_app_of(name), name))
    for app, group in groupby(names, key=_app_of):
        parts.append(f"\n## {app}\n\n| URL | reads | changes |\n|---|---|---|\n")
        for name in group:
            row = TABLE[name]
            parts.append(f"| `{name}` | {_allowed_text(row.read)} | {_allowed_text(row.write)} |\n")
    return "".join(parts)


def _app_of(name: str) -> str:
    return name.partition(":")[0] if ":" in name else "clinic"


def _allowed_text(who: Who) -> str:
    if isinstance(who, str):
        return {"public": "everybody", "signed-in": "everybody signed in"}[who]
    order = list(Role.values)  # passes come after the roles
    rules = sorted(who, key=lambda rule: order.index(rule.role) if rule.role in order else len(order))
    return ", ".join(map(_rule_text, rules)) or "nobody"


def _rule_text(rule: Rule) -> str:
    return f"{rule.role} ({' or '.join(sorted(rule.relations))})" if rule.relations else rule.role
