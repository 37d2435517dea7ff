"""Lets every package of an app register what it has.

A package states each in a module of its own, whose import registers it:

policy.py: the rows of the access policy for the package's URLs (clinic/access/policy.py).
relations.py: how a person stands to an object that a URL names (clinic/access/relations.py).
actions.py: the audit actions, with their words (clinic/audit/actions.py).
"""

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

MODULES = ("actions", "relations", "policy")


def register_packages(app: str) -> None:
    """Import the registering modules of every package of `app`. AppConfig.ready calls it."""
    for package in iter_modules(import_module(app).__path__, f"{app}."):
        if package.ispkg:
            for module in MODULES:
                if find_spec(f"{package.name}.{module}"):
                    import_module(f"{package.name}.{module}")
