"""Algorithm 1 over a folder: the first set from image indices, later ones from the disagreement of two levels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.measures.indices import image_indices
from core.measures.selection import Choice, Place, SelectionRule, first_set, most_wanted
from core.scoring.lanes.level_output import Region, region_mask
from core.scoring.torch_backend.qunet import BATCH, LevelReader
from core.training.qunet.recipe import QuNetRecipe
from core.training.supervised.picture import Picture, read_grey_levels
from core.values import ImageIndices, Measure, NotComputable

NOT_ASKED = NotComputable("no network was asked")


class Standing(StrEnum):
    """Where an image stands after a step."""

    ANNOTATED = "annotated"
    FIRST_SET = "first set"
    """Good, and unlike the others that were chosen: train on these first."""
    LACKS_TRAINING = "lacks training"
    """Q lies below q0: annotate it next."""
    NOT_NEEDED = "not needed"
    DUPLICATE = "duplicate"
    BEYOND_LIMIT = "beyond limit"
    LOWER_QUALITY = "lower quality"
    NOT_MEASURED = "not measured"


_OF_CHOICE = {
    Choice.CHOSEN: Standing.FIRST_SET,
    Choice.DUPLICATE: Standing.DUPLICATE,
    Choice.BEYOND_LIMIT: Standing.BEYOND_LIMIT,
    Choice.LOWER_QUALITY: Standing.LOWER_QUALITY,
    Choice.NOT_MEASURED: Standing.NOT_MEASURED,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One image of the folder after a step.

    ``rank`` counts those to annotate next from 1, the most wanted first; None for all others. ``like`` is the chosen
    image that a duplicate resembles.
    """

    picture: Picture
    indices: ImageIndices
    standing: Standing
    rank: int | None = None
    q: Measure = NOT_ASKED
    like: Picture | None = None


def rule_of(recipe: QuNetRecipe, max_initial: int | None = None) -> SelectionRule:
    """The recipe's thresholds as the pure rule."""
    limit = recipe.max_initial if max_initial is None else min(max_initial, recipe.max_initial)
    return SelectionRule(epsilon=recipe.epsilon, max_initial=max(limit, 1), q0=recipe.q0)


def measure(
    pictures: Sequence[Picture], region: Region, on_done: Callable[[int], None] = lambda _: None
) -> list[ImageIndices]:
    """The four indices of every image: all of them inside the region, as the lanes store them."""
    found = []
    for number, picture in enumerate(pictures, start=1):
        image = read_grey_levels(picture.record.path)
        found.append(image_indices(image, region_mask(image, region)))
        on_done(number)
    return found


def first_step(pictures: Sequence[Picture], indices: Sequence[ImageIndices], rule: SelectionRule) -> list[Candidate]:
    """S0 of every source (device) of the folder."""
    places = first_set(indices, [picture.record.source for picture in pictures], rule)
    rank_of = _ranks(places)
    return [
        Candidate(
            picture,
            index,
            _OF_CHOICE[place.choice],
            rank=rank_of.get(number),
            like=None if place.like is None else pictures[place.like],
        )
        for number, (picture, index, place) in enumerate(zip(pictures, indices, places, strict=True))
    ]


def second_step(
    pictures: Sequence[Picture],
    indices: Sequence[ImageIndices],
    reader: LevelReader,
    rule: SelectionRule,
    limit: int | None = None,
) -> list[Candidate]:
    """Sm: of the images without a mask those with Q below q0, the lowest first, at most ``limit`` of them."""
    asked = [number for number, picture in enumerate(pictures) if picture.record.mask_path is None]
    qs = dict(zip(asked, disagreement([pictures[number] for number in asked], reader), strict=True))
    wanted = [asked[place] for place in most_wanted([qs[number] for number in asked], rule, limit)]
    rank_of = {number: rank for rank, number in enumerate(wanted, start=1)}
    return [
        Candidate(picture, index, _standing(number, qs, rank_of), rank_of.get(number), qs.get(number, NOT_ASKED))
        for number, (picture, index) in enumerate(zip(pictures, indices, strict=True))
    ]


def disagreement(pictures: Sequence[Picture], reader: LevelReader) -> list[Measure]:
    """Q of every image, read a batch at a time: a folder may hold more than memory does."""
    batches = (pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH))
    return [
        reading.q
        for batch in batches
        for reading in reader.read([read_grey_levels(picture.record.path) for picture in batch])
    ]


def _standing(number: int, qs: dict[int, Measure], rank_of: dict[int, int]) -> Standing:
    if number not in qs:
        return Standing.ANNOTATED
    return Standing.LACKS_TRAINING if number in rank_of else Standing.NOT_NEEDED


def _ranks(places: Sequence[Place]) -> dict[int, int]:
    """Rank over all sets: the best of each set first, then the second of each, and so on."""
    chosen = sorted((place.order, number) for number, place in enumerate(places) if place.order is not None)
    return {number: rank for rank, (_, number) in enumerate(chosen, start=1)}
