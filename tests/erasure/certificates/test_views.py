"""The certificate's page: it says what was destroyed and what was kept, and does not name the subject."""

import pytest
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import Role
from clinic.audit.checkpoints import public_key
from erasure.certificates.checking import read_and_check
from erasure.runs.models import Run
from tests.erasure.certificates.proofs import ended_run, make_stopped, stopped_run
from tests.factories import make_run, make_user
from tests.snapshots import snapshotted

pytestmark = pytest.mark.django_db(transaction=True)

stopped_at_once = snapshotted(lambda: make_stopped(turns=0))


def page(client: Client, run: Run) -> str:
    client.force_login(make_user(Role.DOCTOR))
    answer = client.get(reverse("erasure:certificate", args=[run.pk]))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_a_complete_certificate_holds_and_does_not_name_the_subject(client: Client) -> None:
    run = ended_run()
    shown = page(client, run)
    assert "<strong>2</strong> memories of one person, who is not named here, were destroyed." in shown
    assert "Not all that was on the map is gone" not in shown
    assert "they hold." in shown
    assert "Joel Barish has had" in shown
    assert run.certificate.digest in shown
    results = [place["found"] for place in run.certificate.statement["verification"]["places"]]
    assert shown.count("clean") == results.count("clean") > 20
    for word in ("Clementine", "Kruczynski", "Zanzibar"):
        assert word not in shown


def test_a_partial_certificate_says_what_remains(client: Client) -> None:
    shown = page(client, ended_run(kept=True))
    assert "<strong>1</strong> memory of one person, who is not named here, was destroyed." in shown
    assert "Not all that was on the map is gone. What remains is counted below." in shown
    assert '<dt>Kept during the night</dt> <dd class="figure"> 1 </dd>' in shown


def test_a_stopped_certificate_says_so(client: Client) -> None:
    shown = page(client, stopped_run())
    assert "was stopped before its end" in shown
    assert "<strong>1</strong> memory of one person, who is not named here, was destroyed." in shown
    assert "What was not reached is whole." in shown
    assert "1 memory stayed, but not whole: it had begun to fade." in shown


def test_a_certificate_of_no_destruction_shows_no_card_to_the_people_around(client: Client) -> None:
    shown = page(client, stopped_at_once())
    assert "no memory was destroyed." in shown
    assert "has had" not in shown


def test_the_map_is_drawn_with_presentation_attributes_only(client: Client) -> None:
    shown = page(client, ended_run())
    drawing = shown[shown.index("<svg") : shown.index("</svg>")]
    assert "style" not in drawing
    assert drawing.count("<path") == 2  # two erased memories in two ages
    assert 'stroke="#1b5a5f"' in drawing  # and one protected memory


def test_the_statement_can_be_downloaded_and_checked(client: Client) -> None:
    run = ended_run()
    shown = page(client, run)
    url = reverse("erasure:certificate-json", args=[run.pk])
    assert f'href="{url}"' in shown
    assert f"python -I verify_certificate.py certificate-{run.pk}.json --key KEY" in shown
    file = client.get(url)
    assert file["Content-Disposition"] == f'attachment; filename="certificate-{run.pk}.json"'
    assert read_and_check(file.content, public_key()).problems == []
    broken = file.content.replace(b"complete", b"complet3")
    assert broken != file.content
    assert read_and_check(broken, public_key()).holds is False


def test_a_run_that_goes_on_has_no_certificate(client: Client) -> None:
    run = make_run(memories=1)
    client.force_login(make_user(Role.DOCTOR))
    for name in ("certificate", "certificate-json"):
        assert client.get(reverse(f"erasure:{name}", args=[run.pk])).status_code == 404
