"""Imports the modules with which each package of an app registers something. All of them are optional:

policy.py: the rows of the access policy for the package's URLs (clinic/access/policy.py).
relations.py: the relations of users to objects in URLs (clinic/access/relations.py).
actions.py: the audit actions and their words (clinic/audit/actions.py).
comparisons.py: what is compared with the log when it is verified (clinic/audit/comparisons.py).
configuration.py: what the clinic decides about the package in the browser (clinic/configuration/registry.py).
setup_lines.py: the lines of the set-up page (clinic/setup/checklist.py).
facts.py: the facts of which the status of a case is derived (patients/cases/facts.py).
drafts.py: the forms of its pages that keep drafts (patients/drafts/forms.py).
personal_data.py: what is held about a person (clinic/personal_data/registry.py).
mails.py: the events that people are told of by mail (clinic/outgoing/events.py).
"""

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

MODULES = (
    "actions",
    "relations",
    "policy",
    "comparisons",
    "configuration",
    "setup_lines",
    "facts",
    "drafts",
    "personal_data",
    "mails",
)


def register_packages(app: str) -> None:
    """Import the registering modules of every package of `app`. AppConfig.ready calls it."""
    for package in iter_modules(import_module(app).__path__, f"{app}."):
        if package.ispkg:
            for module in MODULES:
                if find_spec(f"{package.name}.{module}"):
                    import_module(f"{package.name}.{module}")
