"""Chooses the scans of a study whose masks should be drawn next, and writes the choice down as a round.

QU-Net++ (core.measures.selection): where the lane's network gives Q, the scans on which its levels disagree most;
where it gives none, or nothing is drawn yet, the first set by image indices, device model by device model. Of volumes
single B-scans are chosen. What a round asked for is not asked for again.
"""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from core.errors import NotAllowedError, UsageError
from core.measures.selection import Choice, SelectionRule, first_set, most_wanted
from core.store.access import Actor
from core.store.audit import record_event
from core.store.mask import MaskCandidate, add_round, read_asked, read_drawn, read_mask_candidates
from core.values import Measured
from core.vocabulary import Role, ScanKind
from core.wording import KIND_NAMES

KEEPERS = (Role.MANAGER, Role.ADMIN)
MAX_ROUND = 50
"""Masks of one round: more than a person draws before the next choice would be a better one."""
MOST_OF_A_VOLUME = 5
"""B-scans of one volume in one round where Q decides: neighbours are wanted alike, and one mask teaches for both."""


@dataclass(frozen=True, slots=True)
class MaskChoice:
    """What a round would ask for.

    ``step`` is 1 for a first set and 2 where Q decides; ``wanted`` holds each scan with its Q (None in a first set),
    the most wanted first. ``n_looked_at`` scans were open to choice, ``n_with_q`` of them with a Q; of volumes all
    numbers are those of B-scans.
    """

    step: int
    wanted: tuple[tuple[MaskCandidate, float | None], ...]
    n_looked_at: int
    n_with_q: int
    n_drawn: int


def foresee_round(
    session: Session, *, study_id: int, kind: ScanKind, rule: SelectionRule | None = None, limit: int = MAX_ROUND
) -> MaskChoice:
    """What a round would ask for now; writes nothing."""
    rule = rule or SelectionRule()
    asked, drawn = read_asked(session, study_id, kind), read_drawn(session, study_id, kind)
    candidates = [one for one in read_mask_candidates(session, study_id, kind) if not _is_asked(one, asked)]
    qs = [candidate.indices.q_level_agreement for candidate in candidates]
    n_with_q = sum(isinstance(q, Measured) for q in qs)
    step = 2 if drawn and n_with_q else 1
    found = _least_agreed(candidates, rule, limit) if step == 2 else _first(candidates, rule, limit)  # noqa: PLR2004
    return MaskChoice(step, tuple(found), len(candidates), n_with_q, len(drawn))


def choose_masks(
    session: Session,
    *,
    actor: Actor,
    study_id: int,
    kind: ScanKind,
    rule: SelectionRule | None = None,
    limit: int = MAX_ROUND,
) -> int:
    """Write down what ``foresee_round`` says; return the round's id.

    Raises
    ------
    NotAllowedError
        The person is neither manager nor administrator of the whole study.
    UsageError
        There is nothing to ask for.
    """
    refuse_others(actor, study_id)
    if not may_choose(actor, study_id):
        raise NotAllowedError(
            "A round is asked for by who manages every site of the study.", remedy="Ask a manager of the whole study."
        )
    rule = rule or SelectionRule()
    choice = foresee_round(session, study_id=study_id, kind=kind, rule=rule, limit=min(limit, MAX_ROUND))
    if not choice.wanted:
        raise UsageError(
            f"No scan of kind {KIND_NAMES[kind]} lacks a mask that would teach anything new.",
            remedy="Wait for new scans, or raise q0.",
        )
    round_id = add_round(
        session,
        study_id=study_id,
        kind=kind,
        step=choice.step,
        rule=asdict(rule) | {"n_looked_at": choice.n_looked_at},
        created_by_id=actor.user_id or 0,
        wanted=choice.wanted,
    )
    record_event(
        session, actor=actor, action="choose_masks", entity="mask_round", entity_id=round_id, study_id=study_id,
        after={"kind": kind.value, "step": choice.step, "scans": len(choice.wanted)},
    )  # fmt: skip
    return round_id


def may_choose(actor: Actor, study_id: int) -> bool:
    """Whether a person manages or administers the whole study, not some of its sites only."""
    return any(
        grant.role in KEEPERS and grant.site_id is None and grant.covers(study_id, None) for grant in actor.grants
    )


def refuse_others(actor: Actor, study_id: int) -> None:
    """NotAllowedError for everybody but managers and administrators of the study."""
    if actor.user_id is None or not actor.has_role(*KEEPERS, study_id=study_id):
        raise NotAllowedError(
            "Masks are asked for and put in by managers and administrators of the study.",
            remedy="Ask one of them.",
        )


def _is_asked(candidate: MaskCandidate, asked: AbstractSet[tuple[int, int | None]]) -> bool:
    """A volume's middle B-scan is also asked for where its image was, before single B-scans were."""
    places = {candidate.bscan_index, None} if candidate.is_middle else {candidate.bscan_index}
    return any((candidate.scan_id, place) in asked for place in places)


def _least_agreed(
    candidates: Sequence[MaskCandidate], rule: SelectionRule, limit: int
) -> list[tuple[MaskCandidate, float | None]]:
    qs = [candidate.indices.q_level_agreement for candidate in candidates]
    found: list[tuple[MaskCandidate, float | None]] = []
    of_volume = Counter[int]()
    for place in most_wanted(qs, rule):
        candidate, q = candidates[place], qs[place]
        assert isinstance(q, Measured)  # only a measured Q is wanted
        of_volume[candidate.scan_id] += 1
        if of_volume[candidate.scan_id] <= MOST_OF_A_VOLUME:
            found.append((candidate, q.value))
    return found[:limit]


def _first(
    candidates: Sequence[MaskCandidate], rule: SelectionRule, limit: int
) -> list[tuple[MaskCandidate, float | None]]:
    """The best of every device model, then the second of each, and so on."""
    places = first_set([c.indices for c in candidates], [c.device_model for c in candidates], rule)
    chosen = [(place.order or 0, number) for number, place in enumerate(places) if place.choice is Choice.CHOSEN]
    return [(candidates[number], None) for _, number in sorted(chosen)[:limit]]
