"""FAZ outlines by hand: how the model and readers agree."""

from datetime import datetime

from pydantic import Field

from core.statistics.agreement_intervals import BlandAltman, IntraclassIntervals
from core.usecases.compare_outlines import MethodAgreement, OutlineComparison
from dashboard.api.documents.base import Document, MaybeRange


class MethodPairDocument(Document):
    """One patient's scan measured twice, in the metric's unit."""

    scan_id: int
    subject_code: str
    reference_value: float
    other_value: float


class MethodAgreementDocument(Document):
    """Bias and 95 % limits of agreement (other less reference), and intraclass correlations, each with its interval."""

    reference: str
    other: str
    bias: MaybeRange
    low: MaybeRange
    high: MaybeRange
    icc_agreement: MaybeRange = Field(description="ICC(2,1).")
    icc_consistency: MaybeRange = Field(description="ICC(3,1).")
    pairs: list[MethodPairDocument]

    @classmethod
    def of(cls, found: MethodAgreement) -> "MethodAgreementDocument":
        """The document of what was compared."""
        limits, icc = found.limits, found.correlation
        known = limits if isinstance(limits, BlandAltman) else None
        return cls(
            reference=found.reference,
            other=found.other,
            bias=known.bias if known else limits,
            low=known.low if known else limits,
            high=known.high if known else limits,
            icc_agreement=icc.agreement if isinstance(icc, IntraclassIntervals) else icc,
            icc_consistency=icc.consistency if isinstance(icc, IntraclassIntervals) else icc,
            pairs=[
                MethodPairDocument(
                    scan_id=pair.scan.scan_id, subject_code=pair.scan.subject_code, reference_value=pair.reference,
                    other_value=pair.other,
                )
                for pair in found.pairs
            ],
        )  # fmt: skip


class OutlinesDocument(Document):
    """What the page Agreement shows of outlines by hand."""

    as_of: datetime
    metric: str
    readers: dict[str, int] = Field(description="Outlines by reader.")
    model: MethodAgreementDocument = Field(description="The model against the mean of readers.")
    people: MethodAgreementDocument = Field(description="The two readers who have most scans in common.")
    left_out: dict[str, int] = Field(description="Outlines in no pair, by reason.")
    is_cut: bool

    @classmethod
    def of(cls, found: OutlineComparison) -> "OutlinesDocument":
        """The document of a comparison."""
        return cls(
            as_of=found.as_of,
            metric=found.column,
            readers=dict(found.readers),
            model=MethodAgreementDocument.of(found.model),
            people=MethodAgreementDocument.of(found.people),
            left_out=dict(found.left_out),
            is_cut=found.is_cut,
        )
