"""The relations of a person to a run, and what an offer of a handover adds."""

from uuid import UUID, uuid4

import pytest

from clinic.access.relations import standing_in
from clinic.accounts.models import User
from erasure.runs import handover
from erasure.runs.models import Handover
from tests.erasure.runs.nights import technician_of
from tests.factories import make_run, make_technician

pytestmark = pytest.mark.django_db(transaction=True)


def relations_to(user: User, ids: dict[str, UUID]) -> frozenset[str]:
    standing = standing_in(user, ids)
    assert standing
    return standing.relations - {"consented"}  # everybody has it until the consent is taken back


def test_the_relation_offered_lasts_as_long_as_the_offer() -> None:
    run, other_run = make_run(1), make_run(1)
    invited, colleague = make_technician(), make_technician()
    giver = technician_of(run)
    assert relations_to(giver, {"run": run.pk}) == {"assigned", "entrusted"}
    assert relations_to(invited, {"run": run.pk}) == frozenset()
    handover.offer(run.pk, invited.pk, by=giver)
    assert relations_to(invited, {"run": run.pk}) == {"offered"}
    assert relations_to(invited, {"run": other_run.pk}) == frozenset()
    assert relations_to(colleague, {"run": run.pk}) == frozenset()
    handover.decline(run.pk, by=invited)
    assert Handover.objects.get().state == Handover.State.DECLINED
    assert relations_to(invited, {"run": run.pk}) == frozenset()


def test_the_relations_to_a_procedure_are_those_to_its_case() -> None:
    run, other_run = make_run(1), make_run(1)
    technician = technician_of(run)
    assert relations_to(technician, {"procedure": run.procedure_id}) == {"assigned", "entrusted"}
    assert relations_to(technician, {"procedure": other_run.procedure_id}) == frozenset()


@pytest.mark.parametrize("keyword", ["run", "procedure"])
def test_there_are_no_relations_to_an_unknown_object(keyword: str) -> None:
    assert standing_in(make_technician(), {keyword: uuid4()}) is None
