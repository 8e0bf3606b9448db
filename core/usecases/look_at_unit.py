"""What is done about a unit: its acknowledged flags, its open actions, and what a form about it has to offer."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.errors import NotAllowedError
from core.store.access import Actor
from core.store.action import ActionRow, Person, list_people, read_open_actions
from core.store.flag_acknowledgement import Acknowledgement, read_acknowledgements
from core.store.scan_filter import Choice, ScanFilter, read_filter_choices
from core.store.unit import UnitKind
from core.store.unit_place import UnitPlace, find_unit
from core.usecases.acknowledge_flag import KEEPERS, managed_unit
from core.vocabulary import ActionKind


@dataclass(frozen=True, slots=True)
class UnitDossier:
    """A unit with what was done about it. The choices are empty for who may not act on it."""

    unit: UnitPlace
    acknowledged: tuple[Acknowledgement, ...]
    actions: tuple[ActionRow, ...]
    may_act: bool
    people: Mapping[int, tuple[Person, ...]]
    """Who could own an action, by site."""
    sites: tuple[Choice, ...]
    """Where an issue can be opened: the unit's own site, or of a unit that spans sites all that the person manages."""
    technicians: tuple[Choice, ...]
    """Who could be retrained because of it."""

    @property
    def suspension(self) -> ActionRow | None:
        """The suspension that the unit is under, where it is a device."""
        is_device = self.unit.kind is UnitKind.DEVICE
        return next((each for each in self.actions if is_device and each.kind is ActionKind.SUSPENSION), None)


@dataclass(frozen=True, slots=True)
class UnitNote:
    """What a table of units says beside one: who has seen its flags, and how much is open."""

    acknowledged: tuple[Acknowledgement, ...] = ()
    actions: tuple[ActionRow, ...] = ()

    @property
    def is_suspended(self) -> bool:
        """Whether a device's certificate is suspended."""
        return any(action.kind is ActionKind.SUSPENSION for action in self.actions)


def look_at_unit(
    session: Session, actor: Actor, kind: UnitKind, unit_key: str, *, study_id: int | None
) -> UnitDossier | None:
    """The dossier; None where the session sees no such unit in one study."""
    unit = find_unit(session, kind, unit_key, study_id=study_id)
    if unit is None:
        return None
    standing = read_acknowledgements(session, unit.study_id)
    actions = read_open_actions(session, study_id=unit.study_id, site_id=unit.site_id)
    sites = _managed_sites(session, actor, unit)
    return UnitDossier(
        unit=unit,
        acknowledged=tuple(each for key, each in standing.items() if key[:2] == (kind, unit_key)),
        actions=tuple(each for each in actions if _concerns(each, unit)),
        may_act=_may_act(session, actor, unit) or bool(sites),
        people={site.id: list_people(session, site.id) for site in sites},
        sites=sites,
        technicians=_technicians(session, unit) if sites else (),
    )


def read_notes(session: Session, kind: UnitKind, *, study_id: int | None) -> dict[str, UnitNote]:
    """What stands and is open about units of a kind, by the unit's key."""
    acknowledged: dict[str, list[Acknowledgement]] = defaultdict(list)
    for key, each in read_acknowledgements(session, study_id).items():
        if key.kind is kind:
            acknowledged[key.unit_key].append(each)
    actions: dict[str, list[ActionRow]] = defaultdict(list)
    for action in read_open_actions(session, study_id=study_id):
        if kind is UnitKind.SITE:
            actions[str(action.site_id)].append(action)
        elif action.unit_kind is kind:
            actions[action.unit_key].append(action)
    keys = acknowledged.keys() | actions.keys()
    return {key: UnitNote(tuple(acknowledged[key]), tuple(actions[key])) for key in keys}


def _concerns(action: ActionRow, unit: UnitPlace) -> bool:
    """A site's dossier holds all of its actions, any other unit's its own."""
    if unit.kind is UnitKind.SITE:
        return action.site_id == unit.site_id
    return (action.unit_kind, action.unit_key) == (unit.kind, unit.key)


def _may_act(session: Session, actor: Actor, unit: UnitPlace) -> bool:
    try:
        managed_unit(session, actor, unit.kind, unit.key, study_id=unit.study_id)
    except NotAllowedError:
        return False
    return True


def _managed_sites(session: Session, actor: Actor, unit: UnitPlace) -> tuple[Choice, ...]:
    offered = read_filter_choices(session, ScanFilter(study_id=unit.study_id)).sites
    return tuple(
        site
        for site in offered
        if unit.site_id in {None, site.id} and actor.has_role(*KEEPERS, study_id=unit.study_id, site_id=site.id)
    )


def _technicians(session: Session, unit: UnitPlace) -> tuple[Choice, ...]:
    if unit.site_id is None:
        return ()
    offered = read_filter_choices(session, ScanFilter(study_id=unit.study_id, site_id=unit.site_id)).technicians
    return tuple(each for each in offered if unit.technician_id in {None, each.id})
