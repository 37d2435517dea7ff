"""Proposes which keepsakes belong in one memory. Proposals are made anew for each page and stored nowhere.

The order: groups by time, oldest first; then those that are only alike; then single ones that stand alone on
their day. See groups.py for the rules.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from patients.memories.models import MemoryFields
from patients.placement.groups import Fingerprints, like_groups, time_groups
from patients.placement.sheet import Brought, ReadKeepsake
from patients.placement.titles import common_day, part_of_day, proposed_title

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# A proposal is not made if more than this share of its keepsakes was dismissed together.
DISMISSED_SHARE = 0.5
# How many pictures of a proposal are shown at once; more are behind a line that opens.
PICTURES_SHOWN = 12


@dataclass(frozen=True)
class Proposal:
    """Keepsakes that may belong in one memory.

    day: the ISO day on which they were made, "" if that is unknown. memory: an existing memory to which they
    may belong, with its fields. undated: how many of them have no date and only look like another.
    """

    keepsakes: Sequence[ReadKeepsake]
    day: str = ""
    memory: tuple[UUID, MemoryFields] | None = None
    undated: int = 0

    @property
    def title(self) -> str:
        return proposed_title(self.keepsakes)

    @property
    def first(self) -> Sequence[ReadKeepsake]:
        return self.keepsakes[:PICTURES_SHOWN]

    @property
    def rest(self) -> Sequence[ReadKeepsake]:
        return self.keepsakes[PICTURES_SHOWN:]

    @property
    def sentence(self) -> "StrOrPromise":
        """Say why they may belong together."""
        n = len(self.keepsakes)
        if self.memory:
            text = ngettext(
                "This one is from the time of “%(title)s”.",
                "These %(n)d are from the time of “%(title)s”.",
                n,
            )
            return text % {"n": n, "title": self.memory[1].title}
        if n == 1:
            return _("This one stands alone on its day.")
        if not self.day:
            return ngettext("These %(n)d look alike.", "These %(n)d look alike.", n) % {"n": n}
        return self._time_words(n)

    def _time_words(self, n: int) -> str:
        words = {
            _("morning"): ngettext(
                "These %(n)d are from one morning.", "These %(n)d are from one morning.", n
            ),
            _("midday"): ngettext("These %(n)d are from one midday.", "These %(n)d are from one midday.", n),
            _("afternoon"): ngettext(
                "These %(n)d are from one afternoon.", "These %(n)d are from one afternoon.", n
            ),
            _("evening"): ngettext(
                "These %(n)d are from one evening.", "These %(n)d are from one evening.", n
            ),
            _("night"): ngettext("These %(n)d are from one night.", "These %(n)d are from one night.", n),
        }
        of_a_day = ngettext("These %(n)d are from one day.", "These %(n)d are from one day.", n)
        return words.get(part_of_day(self.keepsakes), of_a_day) % {"n": n}


def proposals_for(brought: Brought) -> list[Proposal]:
    """Return all proposals for what is in no memory yet, without those that were dismissed."""
    dated = [keepsake for keepsake in brought.keepsakes if keepsake.exact_day]
    undated = [keepsake for keepsake in brought.loose if not keepsake.exact_day and not keepsake.fields.when]
    fingerprints = Fingerprints(dated)
    like = {keepsake.key: found[0].key for keepsake in undated if (found := fingerprints.like(keepsake))}
    groups = [_proposal(group, undated, like, brought) for group in time_groups(dated)]
    by_time = [proposal for proposal in groups if proposal.keepsakes and not is_dismissed(proposal.keepsakes)]
    joined = {keepsake.key for proposal in by_time for keepsake in proposal.keepsakes}
    left = [keepsake for keepsake in undated if keepsake.key not in joined]
    by_likeness = [Proposal(group) for group in like_groups(left) if not is_dismissed(group)]
    several = [proposal for proposal in by_time if len(proposal.keepsakes) > 1 or proposal.memory]
    alone = [proposal for proposal in by_time if len(proposal.keepsakes) == 1 and not proposal.memory]
    return [*several, *by_likeness, *alone]


def _proposal(
    group: Sequence[ReadKeepsake], undated: Sequence[ReadKeepsake], like: dict[str, str], brought: Brought
) -> Proposal:
    """Return the proposal for a group by time: those in no memory, and undated ones that are like the group.

    like: by the key of each undated keepsake, the key of the dated one that it is like.
    """
    loose = [keepsake for keepsake in group if keepsake.row.memory_id is None]
    keys = {keepsake.key for keepsake in group}
    joining = [keepsake for keepsake in undated if like.get(keepsake.key) in keys]
    memory = _memory_of(group, brought)
    return Proposal([*loose, *joining], common_day(group), memory, len(joining))


def _memory_of(group: Sequence[ReadKeepsake], brought: Brought) -> tuple[UUID, MemoryFields] | None:
    """Return the memory that has most of the group; else the only one with exactly its day."""
    placed = Counter(
        keepsake.row.memory_id for keepsake in group if keepsake.row.memory_id in brought.memories
    )
    if placed:
        chosen = placed.most_common(1)[0][0]
        return chosen, brought.memories[chosen][1]
    day = common_day(group)
    same = [
        (key, fields)
        for key, (_row, fields) in brought.memories.items()
        if day and fields.day == day and not fields.when
    ]
    return same[0] if len(same) == 1 else None


def is_dismissed(keepsakes: Sequence[ReadKeepsake]) -> bool:
    """Return whether more than half of these were dismissed together."""
    together: Counter[str] = Counter(key for keepsake in keepsakes for key in set(keepsake.fields.dismissed))
    return any(count > DISMISSED_SHARE * len(keepsakes) for count in together.values())
