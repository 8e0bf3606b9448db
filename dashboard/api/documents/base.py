"""What every document of the API stands on: frozen, read from the frozen values below, absent numbers with a reason."""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from core.statistics.resampling import Interval
from core.values import Measured, NotComputable
from core.vocabulary import Laterality, Slab

MAX_ID = 2**63 - 1
"""Largest id of the database; a longer number is no id."""


class Document(BaseModel):
    """Frozen, and filled by ``model_validate`` from the attributes and properties of a value of the floors below."""

    model_config = ConfigDict(frozen=True, from_attributes=True, populate_by_name=True)


class Body(BaseModel):
    """What a request may carry, and nothing beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorDocument(Document):
    """Every error of the API: stable code, sentence, cure."""

    code: str = Field(description="Stable name of the kind of error, for programs.")
    message: str = Field(description="One sentence for people.")
    remedy: str = Field(description="What to do about it.")


class Quantity(Document):
    """A number that may not exist. ``value`` is null exactly where ``not_computable`` says why."""

    value: float | None = Field(description="In the unit that the field's name carries.")
    not_computable: str | None = Field(description="Why there is no value; null where there is one.")


class Range(Document):
    """An estimate with its interval; all three are null exactly where ``not_computable`` says why."""

    value: float | None
    low: float | None
    high: float | None
    not_computable: str | None = Field(description="Why there is no value; null where there is one.")


class Rate(Document):
    """A share with what was divided by what, and its Wilson interval on the effective number."""

    numerator: int
    denominator: int
    unit: str = Field(description="What is counted, e.g. first captures.")
    value: float | None = Field(description="Share, 0..1; null where nothing was counted.")
    low: float | None = Field(description="Lower end of the 95 % interval, 0..1.")
    high: float | None = Field(description="Upper end of the 95 % interval, 0..1.")


Item = TypeVar("Item")


class Page(Document, Generic[Item]):
    """One page of a list that goes on."""

    items: list[Item]
    next: str | None = Field(description="Give it back as `after` for the next page; null on the last.")


class Listing(Document, Generic[Item]):
    """A list that is short enough to be given whole."""

    items: list[Item]


class Ref(Document):
    """A row by id, with what people read."""

    id: int
    label: str


def as_quantity(value: object) -> object:
    """A measure, number or absence as the fields of a Quantity."""
    match value:
        case Measured(number):
            return as_quantity(number)
        case NotComputable(reason):
            return {"value": None, "not_computable": reason}
        case None:
            return {"value": None, "not_computable": "not measured"}
        case int() | float():
            if math.isfinite(value):
                return {"value": float(value), "not_computable": None}
            return {"value": None, "not_computable": "not finite"}
    return value


def as_range(value: object) -> object:
    """An interval, or its absence, as the fields of a Range."""
    match value:
        case Interval(middle, low, high) if not all(math.isfinite(each) for each in (middle, low, high)):
            return {"value": None, "low": None, "high": None, "not_computable": "not finite"}
        case NotComputable(reason):
            return {"value": None, "low": None, "high": None, "not_computable": reason}
        case None:
            return {"value": None, "low": None, "high": None, "not_computable": "not measured"}
    if isinstance(value, Quantity | Range | Mapping):
        return value
    parts = {name: getattr(value, name) for name in ("value", "low", "high")}
    return parts | {"not_computable": None}


def finite(value: float | None) -> float | None:
    """``value`` where JSON can say it: neither infinite nor NaN."""
    return value if value is not None and math.isfinite(value) else None


MaybeNumber = Annotated[Quantity, BeforeValidator(as_quantity)]
MaybeRange = Annotated[Range, BeforeValidator(as_range)]
Number = Annotated[float | None, BeforeValidator(finite)]
"""A number that JSON can say; what is infinite is null."""
Text = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
"""Free text of a request; PostgreSQL stores no NUL."""
Code = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$")]
Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Day = date
Moment = datetime
"""UTC, with zone."""


def _as_written(value: object) -> object:
    """Else a number would pass for the day that lies so many seconds after 1970."""
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("a day is written as in 2026-03-14")


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
GivenDay = Annotated[date, BeforeValidator(_as_written)]
"""A day of a request, written as the schema says and in no other way."""


def _as_moment(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _DAY.match(value)):
        return value
    raise ValueError("a moment is written as in 2026-03-14T09:30:00Z")


GivenMoment = Annotated[AwareDatetime, BeforeValidator(_as_moment)]
"""The same of a moment with its zone."""
Eye = Laterality
Layer = Slab
Facts = Annotated[dict[str, Any], PlainSerializer(dict)]
"""A document of the database as it is stored."""
