"""A key that is made of many keys is lost with the first of them."""

from uuid import uuid4

import pytest

from patients.vault.configured import key_store
from patients.vault.joint_keys import joint_key
from patients.vault.keys import KeyGone

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_order_does_not_count_but_the_purpose_and_each_key_do() -> None:
    one, two, three = (uuid4() for _n in range(3))
    for key_id in (one, two, three):
        key_store().create(key_id)
    made = joint_key([one, two], "a test")
    assert len(made) == 32
    assert joint_key([two, one, two], "a test") == made
    others = [joint_key([one, two], "another"), joint_key([one, three], "a test"), joint_key([one], "a test")]
    assert len({made, *others}) == 4
    assert key_store().get(one) not in {made, *others}


def test_it_is_lost_with_any_one_of_them() -> None:
    ids = [uuid4() for _n in range(3)]
    for key_id in ids:
        key_store().create(key_id)
    assert joint_key(ids, "a test")
    key_store().destroy(ids[1])
    with pytest.raises(KeyGone, match=str(ids[1])):
        joint_key(ids, "a test")
    assert joint_key([ids[0], ids[2]], "a test")
