"""Running sums of the counts, made from them by the keeper, so that a page reads as much at a million scans as at few.

Vectors are packed (core.store.packed): 32-bit integers, little-endian. What their places mean stands in ``rate_term``.
"""

from datetime import date

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Id


class RateTerm(Base):
    """What stands at one place of every vector of sums: scan type, measure and detail of a count. Never changed."""

    __tablename__ = "rate_term"
    __table_args__ = (UniqueConstraint("scan_type", "measure", "detail"),)

    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 0 on, without gaps."""
    scan_type: Mapped[str]
    measure: Mapped[str]
    detail: Mapped[str]


class RateCell(Base):
    """One site, device, device with software version, or technician, of which sums are kept."""

    __tablename__ = "rate_cell"
    __table_args__ = (
        Index(
            "uq_rate_cell_key",
            "grain", "site_id", "device_id", "technician_id", "software_version",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )  # fmt: skip

    id: Mapped[Id]
    grain: Mapped[str]
    """core.store.rate_sum.Grain: which of the columns below are given."""
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    device_id: Mapped[int | None] = mapped_column(ForeignKey("device.id"))
    technician_id: Mapped[int | None] = mapped_column(ForeignKey("technician.id"))
    software_version: Mapped[str | None]


class RateSum(Base):
    """Everything counted of a cell up to and including a week; weeks in which nothing changed have no row.

    A period's counts are the difference of two rows, however many scans lie between.
    """

    __tablename__ = "rate_sum"

    cell_id: Mapped[int] = mapped_column(ForeignKey("rate_cell.id"), primary_key=True, autoincrement=False)
    week_on: Mapped[date] = mapped_column(primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    """The cell's, for row-level security."""
    totals: Mapped[bytes] = mapped_column(LargeBinary)
    """One number per place of rate_term; places beyond the end are 0."""


class RateSeries(Base):
    """A cell's weeks one after the other, quiet ones included, for charts over time."""

    __tablename__ = "rate_series"

    cell_id: Mapped[int] = mapped_column(ForeignKey("rate_cell.id"), primary_key=True, autoincrement=False)
    scan_type: Mapped[str] = mapped_column(primary_key=True)
    """Empty: all types together, visits counted as a whole."""
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    starts_on: Mapped[date]
    """Monday of the first week."""
    visits: Mapped[bytes] = mapped_column(LargeBinary)
    """Six numbers per week: the sums of core.statistics.clustering.ClusteredCount of the ungradable."""
    tallies: Mapped[bytes] = mapped_column(LargeBinary)
    """Five numbers per week: the measures of core.store.tally.TALLIED in that order."""
