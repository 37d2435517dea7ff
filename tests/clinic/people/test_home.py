"""The home page redirects people to the page of their role, and the header links only to allowed pages."""

import re

import pytest
from django.test import Client
from pytest_django import Settings

from clinic.access.navigation import GROUPS, LINKS, MOST_BESIDE
from clinic.access.policy import allowed
from clinic.accounts.models import Role
from tests.factories import make_case, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("roles", "place"),
    [
        ([Role.RECEPTIONIST], "/today/"),
        ([Role.TECHNICIAN], "/today/"),
        ([Role.DOCTOR], "/today/"),
        ([Role.DOCTOR, Role.RECEPTIONIST], "/today/"),
        ([Role.AUDITOR], "/audit/"),
        ([Role.ADMINISTRATOR], "/setup/"),  # until a night can be booked (tests/clinic/setup)
        ([Role.PATIENT], "/me/"),
    ],
)
def test_a_person_with_one_start_page_is_redirected_to_it(
    roles: list[str], place: str, client: Client
) -> None:
    client.force_login(make_user(*roles))
    assert client.get("/")["Location"] == place


def test_a_person_with_several_start_pages_gets_links(client: Client) -> None:
    client.force_login(make_user(Role.TECHNICIAN, Role.PATIENT, Role.AUDITOR))
    page = client.get("/").content.decode()
    assert [place in page for place in ('href="/today/"', 'href="/audit/"', 'href="/me/"')] == [True] * 3


def test_a_person_without_a_role_gets_a_message(client: Client) -> None:
    client.force_login(make_user())
    assert "Your account has no role at the moment." in client.get("/").content.decode()


def test_a_visitor_gets_links_to_request_and_sign_in(client: Client) -> None:
    page = client.get("/").content.decode()
    assert 'href="/appointment/"' in page
    assert 'href="/account/login/"' in page


def test_a_visitor_chooses_the_language(client: Client) -> None:
    answer = client.post("/language/", {"language": "vi", "next": "/"})
    assert answer.status_code == 302
    assert '<html lang="vi"' in client.get("/").content.decode()


def test_the_health_page_answers_ok(client: Client) -> None:
    answer = client.get("/health/")
    assert (answer.status_code, answer.content) == (200, b"ok")


@pytest.mark.parametrize("demonstration", [False, True])
@pytest.mark.parametrize("role", list(Role))
def test_the_header_has_exactly_the_links_that_the_person_may_open(
    role: str, demonstration: bool, client: Client, settings: Settings
) -> None:
    settings.LACUNA_DEMO = demonstration
    user = make_user(role)
    if role == Role.PATIENT:
        make_case(user)
    client.force_login(user)
    page = client.get("/account/password/change/")
    shown = [item.url for item in page.context["nav"]]
    assert shown
    existing = [name for name, _label in LINKS if demonstration or name != "outbox"]
    assert len(shown) == sum(allowed(user, name, {}, "GET").allowed for name in existing)
    for url in shown:
        assert client.get(url).status_code in {200, 302}
    # In groups there are the same links, each once.
    groups = page.context["nav_groups"]
    assert bool(groups) == (len(shown) > MOST_BESIDE) == (role == Role.ADMINISTRATOR)
    if groups:
        assert sorted(item.url for group in groups for item in group.items) == sorted(shown)
        assert [str(group.label) for group in groups if group.label] == [
            *("Planning", "Records", "Running the clinic")
        ]
        assert all(len(group.items) > 1 for group in groups if group.label)
        html = page.content.decode()
        nav = html[html.index('<nav class="nav"') : html.index("</nav>")]
        assert re.findall(r'href="([^"]+)"', nav) == [item.url for group in groups for item in group.items]
        assert nav.count('<details name="nav">') == nav.count("<summary") == 3


def test_the_group_of_the_page_shown_is_marked(client: Client) -> None:
    client.force_login(make_user(Role.ADMINISTRATOR))
    for language, label in (("en", "Planning"), ("vi", "Lập kế hoạch")):
        client.cookies["django_language"] = language
        page = client.get("/people/").content.decode()
        (summary,) = re.findall(r'<summary aria-current="true">\s*<span>([^<]+)</span>', page)
        assert summary == label
        assert len(re.findall(r'aria-current="page"', page)) == 1


def test_every_link_of_a_group_is_a_link() -> None:
    """A name that no link has would leave a page without its place."""
    names = [name for _label, group in GROUPS for name in group]
    assert set(names) <= {name for name, _label in LINKS}
    assert len(names) == len(set(names))
