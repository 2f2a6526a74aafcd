"""The demonstration patient in a record, read by someone who knows the truth: no model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from trichotrack.capture import Capture, Quality
from trichotrack.labels.read import read_labels
from trichotrack.runtime.reading import MarkedObject, ModelRef, Reading, SignReading
from trichotrack.signs import SIGN
from trichotrack.visits.add import add_visit
from trichotrack.visits.dates import full_date
from trichotrack.visits.history import add_patient
from trichotrack.visits.plan import plan_visit
from trichotrack.visits.record import open_record

DEMO = Path(__file__).resolve().parents[1] / "data" / "demo" / "patient"
UM_PER_PX = 5.8


class TruthReader:
    """Reads what is labelled. validated: as a model that needs no review."""

    model = ModelRef("truth", "c" * 64, 1, validated=True)

    def __init__(self) -> None:
        self.objects: dict[str, list[MarkedObject]] = {}
        for item in read_labels(DEMO).objects:
            if item.sign in SIGN:
                mark = MarkedObject(item.id, item.sign, item.x, item.y)
                self.objects.setdefault(item.file, []).append(mark)

    def read(self, capture: Capture, /, *, scale, preparation):  # noqa: ARG002
        objects = tuple(self.objects["/".join(Path(capture.file).parts[-2:])])
        counts = Counter(item.sign for item in objects)
        signs = {name: SignReading("counted", count=counts[name]) for name in SIGN}
        area = scale.area_cm2(capture.width, capture.height)
        return Reading(
            capture.file, capture.sha256, capture.width, capture.height, scale, area, Quality(), "model", "test", signs,
            objects, self.model,
        )  # fmt: skip


def demo_record(path: Path, folder: Path, dates: tuple[str, ...], names: tuple[str, ...]) -> Path:
    """A record at path with the named captures of these visits, the names as `site_field_n`."""
    reader = TruthReader()
    with open_record(path, create=True) as session:
        add_patient(session, "P001", synthetic=True)
    for day in dates:
        place = folder / day
        place.mkdir(parents=True)
        for name in names:
            (place / f"{name}.jpg").write_bytes((DEMO / day / f"{name}.jpg").read_bytes())
        plan = plan_visit(place, "{site}_{field}_{n}", patient="P001", day=full_date(day))
        add_visit(path, plan, reader, um_per_px=UM_PER_PX)
    return path
