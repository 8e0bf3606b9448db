"""What an act would do, before anybody does it, and what orders to score again have found beside grades."""

from pydantic import BaseModel, ConfigDict, Field

from core.store.re_evaluation import Reach
from core.usecases.compare_findings import Move, WordMove
from core.usecases.re_evaluate import Forecast
from core.vocabulary import AdoptionOutcome, Laterality, Outcome, ScanKind, Slab, Verdict
from dashboard.api.documents.base import Document, GivenDay, Id


class ReachQuery(BaseModel):
    """Which scans of a study: of one site, captured on some days, or all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Id = Field(description="Id of the version to go by.")
    site: Id | None = Field(None, description="Id of a site.")
    since: GivenDay | None = Field(None, description="Captured from this day on.")
    until: GivenDay | None = Field(None, description="Captured before this day.")

    def reach(self, study_id: int) -> Reach:
        """The scans meant."""
        return Reach(study_id, self.site, self.since, self.until)


class RescoringQuery(ReachQuery):
    """The same of one lane."""

    kind: ScanKind


class MoveDocument(Document):
    """Scans whose verdict would change in one way."""

    before: Verdict
    after: Verdict
    n: int
    examples: list[int] = Field(description="Ids of a few of them.")


class RateChangeDocument(Document):
    """What the rates of the scans within reach rest on, before and after."""

    decided: tuple[int, int] = Field(description="First captures that are decided.")
    gradable: tuple[int, int] = Field(description="Of these, the gradable.")
    final_received: tuple[int, int] = Field(description="Expected scans received.")
    final_gradable: tuple[int, int] = Field(description="Of these, with a gradable capture.")


class ForecastDocument(Document):
    """What judging stored scores by a protocol version would change. Nothing was written."""

    version_id: int
    n_judged: int
    outcomes: dict[Outcome, int]
    left: dict[Outcome, list[int]] = Field(description="Ids of a few scans that would be left alone, by why.")
    moves: list[MoveDocument] = Field(description="Verdicts that would change.")
    rates: RateChangeDocument
    n_grades_begin: int = Field(description="Model grades that would begin to count.")
    n_grades_cease: int = Field(description="Model grades that would cease to count.")
    n_window_closed: int = Field(description="To be taken again, although the visit's window has closed.")

    @classmethod
    def of(cls, found: Forecast) -> "ForecastDocument":
        """The document of a forecast."""
        moves = [
            MoveDocument(before=before, after=after, n=n, examples=found.examples.get((before, after), []))
            for (before, after), n in found.moves.most_common()
        ]
        return cls(
            version_id=found.version_id, n_judged=found.n_judged, outcomes=dict(found.n_by_outcome),
            left=dict(found.left), moves=moves, rates=RateChangeDocument.model_validate(found.rates),
            n_grades_begin=found.n_grades_begin, n_grades_cease=found.n_grades_cease,
            n_window_closed=found.n_window_closed,
        )  # fmt: skip


class ForeseenOrderDocument(Document):
    """How many scans an order would take."""

    n_scans: int


class AdoptionDocument(Document):
    """What letting the scores of an order count would do to its scans."""

    outcomes: dict[AdoptionOutcome, int]


class RescoringFailureDocument(Document):
    """A scan that could not be scored again."""

    scan_id: int
    why: str


class FindingDocument(Document):
    """One figure that both versions gave: numbers with how far they moved, words with how often they are the same."""

    name: str
    unit: str = Field(description="Empty: a word.")
    n_both: int
    n_former_only: int | None = Field(None, description="Null for words.")
    n_other_only: int | None = None
    former: float | None = Field(None, description="Median by what counts; null for words.")
    other: float | None = Field(None, description="Median by the other version.")
    moved: float | None = Field(None, description="Median of the other's minus what counts.")
    low: float | None = Field(None, description="The middle 95 % of the differences lie from here ...")
    high: float | None = Field(None, description="... to here.")
    n_same: int | None = Field(None, description="Of words: scans on which both say the same; null for numbers.")

    @classmethod
    def of(cls, move: Move) -> "FindingDocument":
        """The document of a figure or a word."""
        names = ("n_both", "n_same") if isinstance(move, WordMove) else _OF_NUMBERS
        return cls(name=move.figure.name, unit=move.figure.unit, **{name: getattr(move, name) for name in names})


_OF_NUMBERS = ("n_both", "n_former_only", "n_other_only", "former", "other", "moved", "low", "high")


class ProposedScanDocument(Document):
    """One scan of a list that could be accepted in bulk."""

    scan_id: int
    site_code: str
    subject_code: str
    visit_code: str
    laterality: Laterality
    slab: Slab
    left_out: str = Field(description="Why it would be left out; empty: it would be accepted.")


class ProposalDocument(Document):
    """What accepting a list in bulk would do. Nothing was written."""

    n_eligible: int
    n_sample: int = Field(description="Scans to look at first.")
    is_cut: bool = Field(description="The list is longer than one acceptance takes.")
    scans: list[ProposedScanDocument]
