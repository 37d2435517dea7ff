"""The web child is ready for the first person who comes."""

from django.template import Engine, TemplateDoesNotExist
from django.template.loaders import cached

from erasure.operations.web import most_open_files, preload


def loaded() -> set[str]:
    """The templates that this process keeps compiled."""
    (loader,) = Engine.get_default().template_loaders
    assert isinstance(loader, cached.Loader)
    return {
        template.name or ""
        for template in loader.get_template_cache.values()
        if not isinstance(template, type | TemplateDoesNotExist)
    }


def test_every_template_is_compiled_before_anybody_asks() -> None:
    (loader,) = Engine.get_default().template_loaders
    loader.reset()
    assert loaded() == set()
    preload()
    assert {"erasure/session/session.html", "account/login.html", "components/number.html"} <= loaded()


def test_no_more_files_are_asked_for_than_macos_gives() -> None:
    assert most_open_files(2**63 - 1, "darwin") == 10240
    assert most_open_files(256, "darwin") == 256
    assert most_open_files(1_048_576, "linux") == 1_048_576
