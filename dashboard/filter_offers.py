"""What each filter offers: its label, its values and how they read. Draws nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.store.finer_choice import FinerChoices
from core.store.scan_filter import Choice, FilterChoices
from core.vocabulary import GradeSource, Laterality, Slab
from core.wording import EYE_NAMES, SLAB_NAMES, scan_type_words

_NOTHING = FinerChoices((), (), (), (), ())


@dataclass(frozen=True, slots=True)
class Offer:
    """One filter: ``words`` by value, a value without any reads as itself; ``all_words`` stands for no choice."""

    label: str
    values: Sequence[str]
    words: Mapping[str, str]
    all_words: str
    is_open: bool = False
    """Whether another value can be typed in."""

    @property
    def is_a_choice(self) -> bool:
        """False where there is but one value."""
        return self.is_open or len(self.values) > 1


def offers_of(choices: FilterChoices, finer: FinerChoices | None, given: Mapping[str, str]) -> dict[str, Offer]:
    """The offers by the filters' names in the URL (dashboard.filters.Field), but for the period.

    ``given`` is what the URL has chosen: where a list does not hold it, it is offered all the same.
    """
    finer = finer or _NOTHING

    def with_given(name: str, values: Sequence[str]) -> list[str]:
        asked = given.get(name)
        return [*([asked] if asked and asked not in values else []), *values]

    types = {each: scan_type_words(each) for each in choices.scan_types}
    slabs = {slab.value: SLAB_NAMES[slab] for slab in Slab}
    eyes = {eye.value: f"{eye} · {EYE_NAMES[eye]}" for eye in Laterality}
    sources = {GradeSource.MODEL.value: "Graded by the model", GradeSource.PERSON.value: "Graded by a person"}
    return {
        "study": _of_choices("Study", choices.studies, "All studies"),
        "site": _of_choices("Site", choices.sites, "All sites"),
        "device": _of_choices("Device", choices.devices, "All devices"),
        "technician": _of_choices("Technician", choices.technicians, "All technicians"),
        "type": Offer("Scan type", choices.scan_types, types, "All types"),
        "slab": Offer("Slab", list(slabs), slabs, "All slabs"),
        "eye": Offer("Eye", list(eyes), eyes, "Both eyes"),
        "manufacturer": Offer("Manufacturer", with_given("manufacturer", finer.manufacturers), {}, "All manufacturers"),
        "model": Offer("Model", with_given("model", finer.device_models), {}, "All models"),
        "software": Offer("Software", with_given("software", finer.software_versions), {}, "All versions"),
        "visit": Offer("Visit", with_given("visit", finer.visit_codes), {}, "All visits", is_open=True),
        "scored_by": _of_choices("Model version", finer.model_versions, "All model versions"),
        "graded_by": Offer("Whose grade counts", list(sources), sources, "Anybody's grade"),
    }


def _of_choices(label: str, choices: Sequence[Choice], all_words: str) -> Offer:
    return Offer(label, [str(choice.id) for choice in choices], {str(c.id): c.label for c in choices}, all_words)
