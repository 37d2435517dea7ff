"""The web process is ready before the first request."""

from django.template import Engine, TemplateDoesNotExist
from django.template.loaders import cached

from erasure.operations.web import most_open_files, preload


def loaded() -> set[str]:
    """Names of the templates that this process has compiled."""
    (loader,) = Engine.get_default().template_loaders
    assert isinstance(loader, cached.Loader)
    return {
        template.name or ""
        for template in loader.get_template_cache.values()
        if not isinstance(template, type | TemplateDoesNotExist)
    }


def test_every_template_is_compiled_before_the_first_request() -> None:
    (loader,) = Engine.get_default().template_loaders
    loader.reset()
    assert loaded() == set()
    preload()
    assert {"erasure/session/session.html", "account/login.html", "components/number.html"} <= loaded()


def test_the_file_limit_is_at_most_what_macos_allows() -> None:
    assert most_open_files(2**63 - 1, "darwin") == 10240
    assert most_open_files(256, "darwin") == 256
    assert most_open_files(1_048_576, "linux") == 1_048_576
