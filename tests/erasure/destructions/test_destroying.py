"""Destroying what a patient ordered: keys, rows, log, verification and certificate, also after crashes."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.utils.translation import override

from clinic.audit.comparisons import COMPARISONS
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.verify import verify_log
from clinic.failpoints import hit as real_hit
from erasure.certificates import verify_certificate
from erasure.certificates.issued import examine
from erasure.certificates.models import Certificate
from erasure.certificates.pdf import certificate_file, render_pdf
from erasure.destructions import destroying
from erasure.destructions.destroying import destroy_next, finish
from erasure.destructions.models import Destruction, DestructionItem
from erasure.destructions.orders import belongings_of, order, stop
from erasure.jobs import certifying
from erasure.jobs.destroying import advance_destruction, due_destructions
from erasure.jobs.supervisor import destroy_due
from erasure.runs.run_actions import after
from erasure.verification.process import NotVerified
from patients.consent.signing import withdraw
from patients.keepsakes.models import Keepsake
from patients.keepsakes.staging import begin_upload
from patients.memories.models import Memory
from patients.memories.silhouette import CERTIFICATE, silhouette
from patients.vault import objects
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from tests.erasure.destructions.orders import carry_out, make_withdrawn, places_found
from tests.factories import make_case, make_keepsake, make_memory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_nothing_of_a_case_is_left_after_its_destruction() -> None:
    case = make_withdrawn()
    ids = set(StoredObject.objects.filter(case=case).values_list("pk", flat=True))
    destruction = carry_out(order(case, by=case.patient, everything=True))
    assert (destruction.state, destruction.outcome) == ("finished", "complete")
    assert set(StoredObject.objects.filter(case=case).values_list("state", flat=True)) == {"destroyed"}
    assert not ids & set(key_store().ids())
    assert not Keepsake.objects.filter(case=case, gone_at__isnull=True).exists()
    assert set(Memory.objects.filter(case=case).values_list("fate", flat=True)) == {"erased"}
    assert not belongings_of(case)
    assert places_found(destruction) == set()
    actions = list(
        Entry.objects.filter(run=destruction.pk).order_by("index").values_list("action", flat=True)
    )
    assert actions == [
        "destruction.ordered",
        *["destruction.memory"] * 3,
        "destruction.case",
        "destruction.finished",
        "keys.rolled",
        "destruction.verified",
        "certificate.issued",
    ]


def test_one_keepsake_of_an_open_case_is_destroyed_and_all_else_stays() -> None:
    case = make_case()
    memory = make_memory(case)
    chosen, other = make_keepsake(memory), make_keepsake(memory)
    destruction = carry_out(order(case, by=case.patient, keepsakes={chosen.pk}))
    item = destruction.items.get()
    assert (item.state, item.objects_destroyed) == ("destroyed", 3)
    assert item.bytes_destroyed == sum(
        StoredObject.objects.filter(keepsake=chosen).exclude(role="seal").values_list("size", flat=True)
    )
    left = belongings_of(case)
    assert left.keepsakes == [other]
    assert left.has_words
    assert set(StoredObject.objects.filter(keepsake=other).values_list("state", flat=True)) == {"live"}
    assert places_found(destruction) == set()
    assert Memory.objects.get(pk=memory.pk).fate == "target"


def test_the_verifier_finds_one_key_that_was_not_destroyed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_withdrawn(1)
    survivor = StoredObject.objects.filter(case=case, role="original").first()
    assert survivor
    store = key_store()
    real = store.destroy
    monkeypatch.setattr(type(store), "destroy", lambda self, key: key == survivor.pk or real(key))
    destruction = carry_out(order(case, by=case.patient, everything=True))
    monkeypatch.undo()
    assert "keys" in places_found(destruction)
    assert Certificate.objects.get().statement["verification"]["result"] == "found"


def test_an_unfinished_upload_is_destroyed_with_the_whole_case_but_not_with_one_memory() -> None:
    case = make_case()
    memory = make_memory(case)
    make_keepsake(memory)
    upload = begin_upload(case, by=case.patient, length=1000, filename="film.mp4")
    one_memory = carry_out(order(case, by=case.patient, memories={memory.pk}))
    assert places_found(one_memory) == set()
    assert upload.pk in set(key_store().ids())
    withdraw(case, by=case.patient)
    case.refresh_from_db()
    whole_case = carry_out(order(case, by=case.patient, everything=True))
    assert upload.pk not in set(key_store().ids())
    assert places_found(whole_case) == set()


def test_a_stop_spares_the_items_that_wait_and_the_certificate_says_so() -> None:
    case = make_withdrawn()
    destruction = order(case, by=case.patient, everything=True)
    assert destroy_next(destruction.pk)
    assert stop(destruction.pk, by=case.patient)
    ended = carry_out(destruction)
    assert ended.outcome == "stopped"
    assert len(belongings_of(case).memories) == 2
    assert belongings_of(case).has_words
    says = Certificate.objects.get().statement
    assert (says["outcome"], len(says["destroyed"]), len(says["remains"]["spared"])) == ("stopped", 1, 3)
    assert places_found(ended) == set()


@pytest.mark.parametrize(
    "label",
    ["item-doomed", "key-destroyed", "file-unlinked", "recorded", "item-destroyed", "rolled", "verified"],
)
def test_after_a_crash_at_any_point_all_is_destroyed_and_recorded_once(
    label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_withdrawn(1)
    destruction = order(case, by=case.patient, everything=True)
    crashed: list[str] = []

    def hit(name: str) -> None:
        if name == label and not crashed:
            crashed.append(name)
            raise KeyboardInterrupt  # nothing on the way catches it, so the work ends as in a crash
        real_hit(name)

    for module in (destroying, certifying, objects):
        monkeypatch.setattr(module, "hit", hit)
    with pytest.raises(KeyboardInterrupt):
        carry_out(destruction)
    assert crashed == [label]
    Destruction.objects.update(lease_until=None)
    ended = carry_out(destruction)
    assert (ended.state, ended.outcome) == ("finished", "complete")
    assert places_found(ended) == set()
    recorded = list(Entry.objects.filter(run=destruction.pk).values_list("action", "subject"))
    assert len(recorded) == len(set(recorded))
    assert Certificate.objects.count() == 1


def test_two_workers_that_destroy_the_same_item_record_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_withdrawn(1)
    destruction = order(case, by=case.patient, everything=True)
    item = destruction.items.order_by("position").first()
    assert item
    second_worker: list[bool] = []

    def hit(name: str) -> None:
        if name == "item-destroyed" and not second_worker:
            second_worker.append(True)
            destroy_next(destruction.pk)

    monkeypatch.setattr(destroying, "hit", hit)
    assert destroy_next(destruction.pk)
    assert second_worker == [True]
    assert Entry.objects.filter(subject=item.mark).count() == 1


def test_a_destruction_finishes_once_and_only_when_no_item_is_left() -> None:
    case = make_withdrawn(1)
    destruction = order(case, by=case.patient, everything=True)
    assert not finish(destruction.pk)
    while destroy_next(destruction.pk):
        pass
    assert finish(destruction.pk)
    assert not finish(destruction.pk)
    assert Entry.objects.filter(action="destruction.finished").count() == 1


def test_a_destruction_is_left_to_another_process_until_its_lease_ends() -> None:
    case = make_withdrawn(1)
    destruction = order(case, by=case.patient, everything=True)
    Destruction.objects.update(lease_until=after(60), lease_holder="another")
    assert not due_destructions().exists()
    assert not advance_destruction(destruction.pk)
    assert not DestructionItem.objects.filter(state="destroyed").exists()
    Destruction.objects.update(lease_until=after(-1))
    assert carry_out(destruction).state == "finished"


def test_an_unavailable_storage_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_withdrawn(1)
    destruction = order(case, by=case.patient, everything=True)

    def unavailable(self: object, *arguments: object) -> None:
        raise OSError("no storage")

    with monkeypatch.context() as patched:
        patched.setattr(type(objects.storage()), "delete", unavailable)
        with pytest.raises(OSError, match="no storage"):
            destroy_due()
        assert not due_destructions().exists()  # not again at once
    Destruction.objects.update(next_due_at=after(-1))
    assert carry_out(destruction).state == "finished"


def test_a_failed_verification_is_recorded_and_done_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_withdrawn(1)
    destruction = order(case, by=case.patient, everything=True)

    def fail(work_id: object) -> None:
        raise NotVerified("no-report")

    with monkeypatch.context() as patched:
        patched.setattr(certifying, "verify_in_subprocess", fail)
        assert not advance_destruction(destruction.pk)
    entry = Entry.objects.get(action="destruction.unverified")
    assert entry.details == {"why": "no-report", "attempt": 1}
    assert not Certificate.objects.exists()
    assert not due_destructions().exists()
    Destruction.objects.update(next_due_at=after(-1))
    carry_out(destruction)
    assert Certificate.objects.count() == 1


def make_certificate() -> Certificate:
    case = make_withdrawn()
    carry_out(order(case, by=case.patient, everything=True))
    return Certificate.objects.get()


def test_the_certificate_holds_in_the_clinic_and_for_the_separate_verifier(tmp_path: Path) -> None:
    certificate = make_certificate()
    examined = examine(certificate)
    assert examined.sentences == []
    assert examined.holds
    says = certificate.statement
    assert says["type"] == "lacuna.certificate-of-destruction"
    assert [one["what"] for one in says["destroyed"]] == ["memory"] * 3 + ["case"]
    kinds = Counter(kind for one in says["destroyed"] for kind in one["kinds"])
    assert kinds == {"photo": 2, "recording": 1}
    assert "Clementine" not in certificate.body
    file = tmp_path / "certificate.json"
    file.write_text(certificate_file(certificate))
    command = [
        sys.executable,
        "-I",
        verify_certificate.__file__,
        str(file),
        "--key",
        says["log"]["verifier-key"],
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert ended.returncode == 0, ended.stdout
    assert "with the same figures: 4" in ended.stdout
    assert ended.stdout.startswith("Certificate of destruction")


@pytest.mark.parametrize("field", ["objects", "bytes", "what", "item"])
def test_a_certificate_that_differs_from_the_log_does_not_hold(field: str) -> None:
    says = make_certificate().statement
    wrong = {"objects": 99, "bytes": 1, "what": "keepsake", "item": says["run"]}
    says["destroyed"][0][field] = wrong[field]
    entries = {
        one["index"]: verify_certificate.read_json(one["text"].encode()) for one in says["log"]["entries"]
    }
    codes = {finding.code: finding.holds for finding in verify_certificate.compare_entries(says, entries)}
    assert codes["items-not"] is False


def test_the_certificate_is_rendered_as_pdf_in_both_languages() -> None:
    certificate = make_certificate()
    for language in ("en", "vi"):
        with override(language):
            chart = silhouette(certificate.case, CERTIFICATE, paper=True)
            assert render_pdf(certificate, chart, "https://lacuna.example/v/1").startswith(b"%PDF")


def test_changed_rows_are_found_by_the_comparisons_of_the_log() -> None:
    certificate = make_certificate()
    size = Checkpoint.objects.order_by("-size").values_list("size", flat=True)[0]
    assert verify_log().problems == []
    assert list(COMPARISONS["destructions"](size)) == []
    assert list(COMPARISONS["destroyed things"](size)) == []
    DestructionItem.objects.filter(destruction=certificate.destruction, kind="case").update(
        objects_destroyed=7
    )
    Destruction.objects.update(outcome="stopped")
    assert len(list(COMPARISONS["destructions"](size))) == 1
    assert len(list(COMPARISONS["destroyed things"](size))) == 1
