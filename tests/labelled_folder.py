"""Small labelled folders for the training tests: synthetic scalps with whatever signs and levels a test asks for."""

from pathlib import Path

from PIL import Image

from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, Level, ObjectRow
from trichotrack.labels.write import write_labels
from trichotrack.signs import SIGN, Sign
from trichotrack.synth.render import capture_rng, render_capture


def _class(name: str, parent: str | None) -> Sign:
    return Sign(name, name, name, "A class of the real hair set.", role="context", parent=parent)


HAIRS = {
    "hair": Sign("hair", "hair", "hairs", "Any hair.", role="context", group=None),
    **{name: _class(name, "hair") for name in ("premium", "single", "undersize")},
    "abnormal": _class("abnormal", None),
}
SYNTHETIC_TO_REAL = {
    "terminal_hair": "premium",
    "broken_hair": "single",
    "short_vellus_hair": "undersize",
    "black_dot": "abnormal",
    "tapering_hair": "single",
}


def write_folder(folder: Path, *, people: int = 4, as_real: bool = False, level: Level = "exhaustive") -> Path:
    """One capture a person, the last two for validation. as_real: signs named as in the real hair set.

    level: of every label; a sign is said to be present in every other capture, and counted as often as it was drawn.
    """
    (folder / "images").mkdir(parents=True)
    signs = HAIRS if as_real else dict(SIGN)
    names = [n for n in signs if n != "hair"]
    captures, labels, objects = [], [], []
    for number in range(people):
        drawn = render_capture(capture_rng(11, 0, number), size_px=(288, 256), um_per_px=6.0)
        file = f"images/p{number}.png"
        Image.fromarray(drawn.image).save(folder / file)
        split = "train" if number < people - 2 else "val"
        captures.append(CaptureRow(file, f"S{number:03d}", um_per_px=6.0, split=split))
        if level in {"count", "presence"}:
            drawn_signs = [item.sign for item in drawn.objects]
            values = {n: float(number % 2) if level == "presence" else float(drawn_signs.count(n)) for n in names}
            labels += [LabelRow(file, name, level, value=value) for name, value in values.items()]
            continue
        labels += [LabelRow(file, name, level) for name in names]
        objects += [
            ObjectRow(
                f"{number}-{i}", file, SYNTHETIC_TO_REAL[item.sign] if as_real else item.sign, item.x, item.y,
                root_width_um=item.root_width_um, tip_width_um=item.tip_width_um,
            )
            for i, item in enumerate(drawn.objects)
            if item.sign in (SYNTHETIC_TO_REAL if as_real else signs)
        ]  # fmt: skip
    write_labels(LabelSet(folder, tuple(captures), tuple(labels), tuple(objects), signs), folder)
    return folder
