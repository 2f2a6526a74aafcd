"""Counter: an exported model that reads captures. The same steps as in training, without PyTorch."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import trichotrack
from trichotrack.capture import Capture, assess_quality, capture_of, read_capture, scale_warning
from trichotrack.detect.decode import LOWEST_SCORE, chance_of_any, decode
from trichotrack.detect.detections import Detections
from trichotrack.detect.tiling import map_tiles, tiled
from trichotrack.geometry import Scale, map_points, pad_to_multiple, resample, size_at, size_with_long_side
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.model_file import ModelFile, open_model
from trichotrack.runtime.reading import MarkedObject, ModelRef, Reading, SignReading
from trichotrack.runtime.spec import ModelSpec, SignSpec
from trichotrack.signs import COUNTED_AS, DOTS, counted_as, refused_by_preparation

BUNDLED = Path(__file__).parent / "bundled" / "bundled.onnx"

WHOLE_PX = 2048 * 2048
"""Larger images are read in tiles, so that memory, 1 GiB by then, does not grow with the camera."""

CORE_PX = 1152
"""Side of a tile's core, before rounding to the total stride: with its halo as large as what is read whole."""

MAX_CANONICAL_PX = 200_000_000
"""Beyond this the scale given is a mistake: 72 cm² at 6 µm per px, a quarter of a scalp."""

RANGE_SLACK = 1.02
"""A scale measured within 2 % of the range a model was trained for is taken to be in it."""

TIP_LOG_RANGE = (0.0, 10.0)
"""Lengths and widths of 1 µm to 22 mm: what lies outside is the network's confusion, not a hair."""


MIN_SCALP_P = 0.5
"""A cell whose `scalp` output is at least this shows scalp."""

MIN_SCALP_SHARE = 0.3
"""A picture with less scalp than this is refused: it may not be a capture of a scalp at all. Assumed."""

STUBS, STUBS_PER_CM2, STUB_SHARE = 6, 60.0, 0.8
"""Where at least so many thick hairs, so many per cm² and such a share of them end within view, the scalp may have been
clipped, and stubs are no longer counted as broken hairs. So 22 of 30 drawn clipped captures are noticed (others show
few marks), and none of 60 unclipped ones is taken for clipped."""


class Counter:
    """An exported model, ready to read captures.

    >>> reading = Counter.bundled().read("capture.jpg", um_per_px=2.82)  # doctest: +SKIP
    >>> reading.signs["black_dot"].density_per_cm2  # doctest: +SKIP
    """

    def __init__(self, path: str | Path, *, threads: int | None = None) -> None:
        """path: an ONNX file that trichotrack exported. threads: of one inference; None: one per physical core.

        Raises InputError where the file is no such model.
        """
        self.model_file: ModelFile = open_model(path, threads=threads)

    @classmethod
    def bundled(cls, *, threads: int | None = None) -> Counter:
        """The model that comes with trichotrack, which `analyze` uses too where none is named.

        It is trained on synthetic scalps alone and not validated on patients; each of its readings says so
        (`reading.model.notice`). Raises InputError where this installation has none.
        """
        if not BUNDLED.is_file():
            raise InputError("this installation holds no bundled model; name a model of your own.")
        return cls(BUNDLED, threads=threads)

    @property
    def spec(self) -> ModelSpec:
        return self.model_file.spec

    @property
    def model(self) -> ModelRef:
        spec = self.spec
        validated = spec.validated_on_people is not None
        return ModelRef(
            spec.name,
            self.model_file.sha256,
            spec.spec,
            validated=validated,
            notice=spec.notice,
            figures={channel.sign.name: channel.figures for channel in spec.signs if validated and channel.figures},
        )

    def detect(self, image: NDArray[np.uint8], preparation: str = "none") -> Detections:
        """Structures above their thresholds in image, uint8 (H, W, 3), RGB, already at the canonical scale.

        preparation: of the scalp, as `read` takes it.
        Points are canonical px within the image. Large images are read in tiles, with the same result. Where the model
        tells scalp from what is not, nothing is found off it.
        """
        return self._look(image, preparation)[0]

    def _look(self, image: NDArray[np.uint8], preparation: str) -> tuple[Detections, list[float], float | None]:
        """As detect; the presence of each sign, (C,); and the share of the image that is scalp, None where not told.

        Signs that cannot be there take no structure from others; what looks like one may be counted as another.
        Where a training measured presence, it is reckoned as there, from all marks above LOWEST_SCORE. These are
        decoded anew: among them a mark that is not counted may take the place of one that is. Elsewhere scores need not
        be chances, and many weak ones would make any sign present: the marks that are counted speak.
        """
        spec = self.spec
        becomes = counted_as([channel.sign for channel in spec.signs], preparation)
        cut = self._cut(image)
        heads = map_tiles(self.model_file.run, **cut)
        inside = _cells_inside(image, cut["image"], spec.stride)
        valid = inside & _is_scalp(heads["scalp"]) if "scalp" in heads else inside
        height, width = image.shape[:2]

        def marks(thresholds: list[float]) -> Detections:
            found = decode(
                heads["peaks"],
                heads.get("offset"),
                heads.get("shaft"),
                stride=spec.stride,
                thresholds=thresholds,
                groups=[channel.sign.group for channel in spec.signs],
                min_distance_px=spec.suppression_px,
                valid=valid,
            )
            sign = np.array([becomes[i] for i in found.sign], np.int64)
            return Detections(np.clip(found.xy, 0, (width, height)), sign, found.score, found.shaft)

        counted = marks(spec.thresholds(preparation))
        presence = [chance_of_any(counted.score[counted.sign == i]) for i in range(len(spec.signs))]
        if spec.presence_learnt:
            weak = marks([math.inf if sign is None else LOWEST_SCORE for sign in becomes])
            for i, name in enumerate(spec.sign_names):
                if name in spec.presence_learnt:
                    presence[i] = max(presence[i], chance_of_any(weak.score[weak.sign == i]))
        share = float(valid.sum() / max(inside.sum(), 1)) if "scalp" in heads else None
        return counted, presence, share

    def _cut(self, image: NDArray[np.uint8]) -> dict[str, Any]:
        """The image, padded, and how it is cut into tiles: not at all unless it is large."""
        spec = self.spec
        padded = pad_to_multiple(image, spec.total_stride, spec.pad_value)
        whole = padded.shape[0] * padded.shape[1] <= WHOLE_PX
        core_px = max(padded.shape) if whole else max(1, CORE_PX // spec.total_stride) * spec.total_stride
        return {
            "image": padded,
            "core_px": core_px,
            # The spec's halo is what a cell sees; whether it is a peak depends on its neighbours too.
            "halo_px": spec.halo_px + spec.total_stride,
            "total_stride": spec.total_stride,
            "stride": spec.stride,
        }

    def read(
        self,
        capture: str | Path | NDArray[np.uint8] | Capture,
        *,
        um_per_px: float | None = None,
        field_width_mm: float | None = None,
        scale: Scale | None = None,
        preparation: str = "none",
    ) -> Reading:
        """The signs in one capture, with where they are.

        capture: a file, a Capture, or pixels uint8 (H, W, 3) RGB. One of um_per_px (of the original image),
        field_width_mm (width of the whole image on the scalp) and scale says how large things are; a model trained
        without scales needs none. preparation: a key of signs.REFUSED_BY_PREPARATION; signs that cannot be
        told apart on such a scalp are refused, as are signs that the scale is too coarse for.
        Raises InputError for a capture that cannot be read, and for a missing or impossible scale.
        """
        capture = _opened(capture)
        size = (capture.width, capture.height)
        scale = self._scale(capture, um_per_px, field_width_mm, scale)
        share, calibrated = None, self.spec.um_per_px is not None
        presence = [0.0] * len(self.spec.signs)
        channels = [channel.on(preparation) for channel in self.spec.signs]
        refusals = [self._refusal(channel, scale, preparation) for channel in channels]
        if all(refusals):
            objects: tuple[MarkedObject, ...] = ()
        else:
            wanted = self._canonical_size(capture, scale)
            found, presence, share = self._look(resample(capture.pixels, wanted), preparation)
            if share is not None and share < MIN_SCALP_SHARE:
                reason = f"only {share:.0%} of the picture is scalp; {MIN_SCALP_SHARE:.0%} needed"
                refusals = [refusal or reason for refusal in refusals]
            if preparation == "none" and scale is not None and calibrated:
                clipped = self._looks_clipped(found, scale.area_cm2(*size) * (1.0 if share is None else share))
                refusals = [
                    refusal or (clipped if name in COUNTED_AS["clipped"] else None)
                    for refusal, name in zip(refusals, self.spec.sign_names, strict=True)
                ]
            objects = self._objects(found, wanted, size, refusals)
        shown = 1.0 if share is None else share
        area = scale.area_cm2(*size) * shown if scale and calibrated else None
        counted = {
            channel.sign.name: SignReading("refused", refusal) if refusal else _counted(channel, objects, area, chance)
            for channel, refusal, chance in zip(channels, refusals, presence, strict=True)
        }
        return Reading(
            file=capture.file,
            sha256=capture.sha256,
            width=capture.width,
            height=capture.height,
            scale=scale,
            area_cm2=area,
            quality=assess_quality(capture.pixels, scale.um_per_px if scale else None, shown),
            author="model",
            software=f"trichotrack {trichotrack.__version__}",
            signs=counted,
            objects=objects,
            model=self.model,
            warnings=_warnings(objects, calibrated=calibrated),
            scalp_share=None if share is None else round(share, 4),
        )

    def features(
        self,
        capture: str | Path | NDArray[np.uint8] | Capture,
        *,
        um_per_px: float | None = None,
        field_width_mm: float | None = None,
        scale: Scale | None = None,
    ) -> NDArray[np.float32]:
        """What the model sees in one capture, (D,): the mean of its features over the scalp. Arguments as read.

        Raises InputError as read does, for a model without features, and for a picture without scalp.
        """
        if "features" not in self.spec.outputs:
            raise self.model_file.refused("gives no features")
        capture, image = self._canonical(capture, um_per_px, field_width_mm, scale)
        network = functools.partial(self.model_file.run, outputs=("features", "scalp"))
        cut = self._cut(image)
        inside = _cells_inside(image, cut["image"], self.spec.stride)
        total, cells = np.zeros(1), 0
        for (rows, columns), heads in tiled(network, **cut):
            valid = inside[rows, columns]
            if "scalp" in heads:
                valid = valid & _is_scalp(heads["scalp"])
            total = total + heads["features"][:, valid].sum(axis=1, dtype=np.float64)
            cells += int(valid.sum())
        if not cells:
            raise InputError(Problem(capture.file or "capture", "shows no scalp", "Give a picture of a scalp."))
        return (total / cells).astype(np.float32)

    def scalp(
        self,
        capture: str | Path | NDArray[np.uint8] | Capture,
        *,
        um_per_px: float | None = None,
        field_width_mm: float | None = None,
        scale: Scale | None = None,
    ) -> NDArray[np.bool_]:
        """Where the picture shows scalp, as read takes it: (H, W) in the picture's own px. Arguments as read.

        Raises InputError as read does, and for a model that does not tell scalp.
        """
        if "scalp" not in self.spec.outputs:
            raise self.model_file.refused("does not tell scalp from what is not")
        capture, image = self._canonical(capture, um_per_px, field_width_mm, scale)
        heads = map_tiles(functools.partial(self.model_file.run, outputs=("scalp",)), **self._cut(image))
        cells = np.uint8(255) * _is_scalp(heads["scalp"])
        stride, (height, width) = self.spec.stride, image.shape[:2]
        shown = cells.repeat(stride, axis=0).repeat(stride, axis=1)[:height, :width]
        return np.asarray(resample(shown, (capture.width, capture.height)) > 127)

    def _canonical(
        self,
        capture: str | Path | NDArray[np.uint8] | Capture,
        um_per_px: float | None,
        field_width_mm: float | None,
        scale: Scale | None,
    ) -> tuple[Capture, NDArray[np.uint8]]:
        """The capture, and its pixels as the model takes them."""
        capture = _opened(capture)
        scale = self._scale(capture, um_per_px, field_width_mm, scale)
        return capture, resample(capture.pixels, self._canonical_size(capture, scale))

    def _scale(
        self, capture: Capture, um_per_px: float | None, field_width_mm: float | None, scale: Scale | None
    ) -> Scale | None:
        given = [value for value in (um_per_px, field_width_mm, scale) if value is not None]
        place = capture.file or "capture"
        if len(given) > 1:
            message = "has its scale given more than once"
            raise InputError(Problem(place, message, "Give one of um_per_px, field_width_mm and scale."))
        if not given and self.spec.um_per_px is not None:
            message = "has no scale, which this model needs to know sizes and densities"
            remedy = "Give the micrometres per pixel or the width of the field in mm."
            raise InputError(Problem(place, message, remedy))
        if um_per_px is not None:
            return Scale(um_per_px, "option")
        if field_width_mm is not None:
            return Scale.from_field_width(field_width_mm, capture.width)
        return scale

    def _refusal(self, channel: SignSpec, scale: Scale | None, preparation: str) -> str | None:
        prepared = refused_by_preparation(channel.sign, preparation)
        if prepared or scale is None:
            return prepared or channel.missed
        trained = self.spec.training_um_per_px
        if trained and not trained[0] / RANGE_SLACK <= scale.um_per_px <= trained[1] * RANGE_SLACK:
            return f"{scale.um_per_px:.3g} µm per px; the model was trained for {trained[0]:.3g} to {trained[1]:.3g}"
        return channel.sign.too_coarse(scale.um_per_px) or channel.missed

    def _looks_clipped(self, found: Detections, area_cm2: float) -> str | None:
        """Why stubs are not told from clipped hair here, where nobody said that it was clipped; None where they are."""
        whole = set(COUNTED_AS["clipped"].values())
        names = [self.spec.sign_names[i] for i in found.sign]
        stubs = sum(name in COUNTED_AS["clipped"] for name in names)
        thick = stubs + sum(name in whole for name in names)
        few = stubs < max(STUBS, STUBS_PER_CM2 * area_cm2)
        if not whole <= set(self.spec.sign_names) or few or stubs < STUB_SHARE * thick:
            return None
        return (
            f"{stubs} of {thick} thick hairs end within view, {stubs / area_cm2:.0f} per cm², as on a clipped scalp; "
            "say whether it was: preparation clipped or unclipped"
        )

    def _canonical_size(self, capture: Capture, scale: Scale | None) -> tuple[int, int]:
        size = (capture.width, capture.height)
        if self.spec.um_per_px is None:
            wanted = size_with_long_side(size, self.spec.long_side_px or max(size))
        else:
            um_per_px = scale.um_per_px if scale else self.spec.um_per_px
            wanted = size_at(size, um_per_px, self.spec.um_per_px)
        if wanted[0] * wanted[1] > MAX_CANONICAL_PX:
            um = scale.um_per_px if scale else 0.0
            message = f"would show {size[0] * um / 1e4:.0f}×{size[1] * um / 1e4:.0f} cm of scalp at {um:g} µm per px"
            raise InputError(Problem(capture.file or "capture", message, "Check the scale."))
        return wanted

    def _objects(
        self, found: Detections, from_px: tuple[int, int], to_px: tuple[int, int], refusals: list[str | None]
    ) -> tuple[MarkedObject, ...]:
        points = map_points(found.xy, from_px, to_px)
        has_shaft = self.spec.um_per_px is not None and found.shaft.shape[1] == 5
        tips = map_points(_tips(found, self.spec.um_per_px or 1.0), from_px, to_px) if has_shaft else points
        widths = np.exp(np.clip(found.shaft[:, 3:], *TIP_LOG_RANGE)) if has_shaft else np.zeros((len(found), 2))
        objects: list[MarkedObject] = []
        for i in range(len(found)):
            if refusals[found.sign[i]]:
                continue
            sign = self.spec.signs[found.sign[i]].sign
            shaft = has_shaft and not {sign.name, sign.parent} & DOTS
            tip, width = shaft and "tip" in self.spec.measures, shaft and "width" in self.spec.measures
            objects.append(
                MarkedObject(
                    id=str(len(objects) + 1),
                    sign=sign.name,
                    x=round(float(points[i, 0]), 2),
                    y=round(float(points[i, 1]), 2),
                    tip_x=round(float(tips[i, 0]), 2) if tip else None,
                    tip_y=round(float(tips[i, 1]), 2) if tip else None,
                    root_width_um=round(float(widths[i, 0]), 1) if width else None,
                    tip_width_um=round(float(widths[i, 1]), 1) if width else None,
                    score=round(float(found.score[i]), 4),
                )
            )
        return tuple(objects)


def _opened(capture: str | Path | NDArray[np.uint8] | Capture) -> Capture:
    if isinstance(capture, Capture):
        return capture
    return capture_of(capture) if isinstance(capture, np.ndarray) else read_capture(capture)


def _cells_inside(image: NDArray[np.uint8], padded: NDArray[np.uint8], stride: int) -> NDArray[np.bool_]:
    """Cells (h, w) of the padded image whose centre lies in the image itself."""
    inside = np.zeros((padded.shape[0] // stride, padded.shape[1] // stride), np.bool_)
    height, width = image.shape[:2]
    inside[: math.ceil(height / stride - 0.5), : math.ceil(width / stride - 0.5)] = True
    return inside


def _is_scalp(scalp: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.asarray(scalp[0] >= MIN_SCALP_P)


def _tips(found: Detections, um_per_px: float) -> NDArray[np.float64]:
    direction = found.shaft[:, :2] / np.maximum(np.hypot(found.shaft[:, 0], found.shaft[:, 1]), 1e-6)[:, None]
    length_px = np.exp(np.clip(found.shaft[:, 2], *TIP_LOG_RANGE)) / um_per_px
    return np.asarray(found.xy + direction * length_px[:, None], np.float64)


def _counted(
    channel: SignSpec, objects: tuple[MarkedObject, ...], area_cm2: float | None, presence: float
) -> SignReading:
    count = sum(mark.sign == channel.sign.name for mark in objects)
    return SignReading(
        "counted",
        count=count,
        estimate=estimate(channel, count, area_cm2),
        density_per_cm2=count / area_cm2 if area_cm2 else None,
        presence=presence,
    )


def estimate(channel: SignSpec, count: int, area_cm2: float | None) -> float | None:
    """The true number behind a count: (count − false positives per cm² × area) / recall, not below 0.

    None where the model's recall or false positives were not measured, recall is 0, or the area is unknown.
    """
    if area_cm2 is None or not channel.recall or channel.false_positives_per_cm2 is None:
        return None
    return max(0.0, (count - channel.false_positives_per_cm2 * area_cm2) / channel.recall)


def _warnings(objects: tuple[MarkedObject, ...], *, calibrated: bool) -> tuple[str, ...]:
    warnings = []
    if not calibrated:
        warnings.append("this model was trained without scales: counts per capture only, no density")
    widths = [mark.root_width_um for mark in objects if mark.sign == "terminal_hair" and mark.root_width_um is not None]
    if warning := scale_warning(widths):
        warnings.append(warning)
    return tuple(warnings)
