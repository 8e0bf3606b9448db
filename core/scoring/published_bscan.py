"""The figures that paper 003 prints (Diao et al. 2023, doi:10.1016/j.bspc.2023.104810), table by table."""

import csv
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

DIFFERENCE = (
    "Published: Spectralis B-scans from the UCSD set (data set I: 2,994 trained on, 750 tested; CNV, drusen, normal) "
    "and from RETOUCH and Srinivasan et al. (data set II: 556 and 200; macular oedema, normal), lesions drawn by hand, "
    "512 pixels, 50 epochs on a GPU. These images, labels and parts are others: no like-for-like comparison."
)


class PublishedRow(BaseModel):
    """One printed figure; ``class_name`` is empty where it is of all classes."""

    model_config = ConfigDict(frozen=True)

    table: str
    data_set: str
    system: str
    class_name: str
    figure: str
    value: float

    @property
    def name(self) -> str:
        """As our own figures are called."""
        return f"{self.class_name}: {self.figure}" if self.class_name else self.figure


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """Every figure of Tables 2 to 9, in their order."""
    text = files("core.scoring").joinpath("published_bscan.csv").read_text(encoding="utf-8")
    return tuple(
        PublishedRow.model_validate(row | {"class_name": row["class"]}) for row in csv.DictReader(text.splitlines())
    )


def systems_of(table: str) -> tuple[str, ...]:
    """The systems of a table, in its order."""
    return tuple(dict.fromkeys(row.system for row in published_rows() if row.table == table))
