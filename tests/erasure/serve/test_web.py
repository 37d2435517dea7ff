"""The web child is ready for the first person who comes."""

from django.template import Engine, TemplateDoesNotExist
from django.template.loaders import cached

from erasure.serve.web import warm


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
    warm()
    assert {"erasure/session/session.html", "account/login.html", "components/number.html"} <= loaded()
