"""How a person stands to a night, and what an offer to take it over gives them."""

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
    return standing.relations


def test_a_night_is_offered_to_whom_it_was_offered_and_as_long_as_it_is() -> None:
    run, other_run = make_run(1), make_run(1)
    asked, colleague = make_technician(), make_technician()
    giver = technician_of(run)
    assert relations_to(giver, {"run": run.pk}) == {"assigned"}
    assert relations_to(asked, {"run": run.pk}) == frozenset()
    handover.offer(run.pk, asked.pk, by=giver)
    assert relations_to(asked, {"run": run.pk}) == {"offered"}
    assert relations_to(asked, {"run": other_run.pk}) == frozenset()
    assert relations_to(colleague, {"run": run.pk}) == frozenset()
    handover.decline(run.pk, by=asked)
    assert Handover.objects.get().state == Handover.State.DECLINED
    assert relations_to(asked, {"run": run.pk}) == frozenset()


def test_a_procedure_stands_as_its_case_does() -> None:
    run, other_run = make_run(1), make_run(1)
    technician = technician_of(run)
    assert relations_to(technician, {"procedure": run.procedure_id}) == {"assigned"}
    assert relations_to(technician, {"procedure": other_run.procedure_id}) == frozenset()


@pytest.mark.parametrize("keyword", ["run", "procedure"])
def test_what_does_not_exist_is_nobodys(keyword: str) -> None:
    assert standing_in(make_technician(), {keyword: uuid4()}) is None
