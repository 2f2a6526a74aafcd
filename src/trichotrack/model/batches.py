"""What an epoch of training sees: crops of captures, and captures as a whole, in an order that a seed decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from trichotrack.model.augment import Augmenter
from trichotrack.model.datasets import LARGEST_WHOLE_PX, CachedCapture, Source
from trichotrack.model.plan import TOTAL_STRIDE, Plan
from trichotrack.model.sample import tensors_of
from trichotrack.problems import InputError, Problem

MOST_TIMES = 8
"""As often a capture whose places are known is cropped in an epoch, beside many of which only numbers are."""


class TrainingSet(Dataset[Mapping[str, Tensor]]):
    """Augmented crops, and whole captures where those must be seen whole (see LabelledCapture.of_image).

    A sample depends on (seed, epoch, index) alone, whichever worker makes it. balance: the share of crops that are
    drawn around a structure of some sign, every sign of a patient alike; the others lie anywhere, and so also where
    there is nothing. A balanced crop is drawn from the captures of the same patient, so that each patient gives as many
    crops as they have captures, however rare what they have.
    """

    def __init__(
        self, sources: Sequence[Source], plan: Plan, augment: Augmenter, *, seed: int, balance: float = 0.0
    ) -> None:
        if not 0 <= balance <= 1:
            raise InputError(f"balance {balance} is no share between 0 and 1.")
        self.sources, self.plan, self.augment, self.seed = sources, plan, augment, seed
        self.balance = balance
        self.whole = [isinstance(source, CachedCapture) and source.capture.of_image for source in sources]
        self.whole_px = _whole_px(sources, self.whole, plan)
        self._augment_whole = Augmenter(self.whole_px, whole=True) if any(self.whole) else augment
        self._structures = _by_patient_and_sign(sources, self.whole) if balance else {}
        # Shared memory, so that workers kept alive over epochs see it change.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        self._epoch[0] = epoch

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> Mapping[str, Tensor]:
        """The sample of a capture; an index beyond the last is the same capture once more, in another crop."""
        epoch = int(self._epoch[0])
        rng = np.random.default_rng([self.seed, epoch, index])
        index %= len(self)
        if self.whole[index]:
            sample = self._augment_whole(self.sources[index].sample(self.seed, epoch, index), rng)
            return tensors_of(sample, self.plan)
        drawn = self._drawn(index, rng) if self.balance and rng.random() < self.balance else None
        number, point = drawn or (index, None)
        sample = self.sources[number].sample(self.seed, epoch, number)
        if point is not None:
            original = self.sources[number].original_px
            point = point * np.array(sample.image.shape[1::-1]) / np.array(original)
        return tensors_of(self.augment(sample, rng, point), self.plan)

    def _drawn(self, index: int, rng: np.random.Generator) -> tuple[int, NDArray[np.float64]] | None:
        """A capture of the same patient and a structure there, original px: the sign is drawn first."""
        signs = self._structures.get(_patient(self.sources[index]), {})
        if not signs:
            return None
        of_sign = signs[sorted(signs)[int(rng.integers(len(signs)))]]
        return of_sign[int(rng.integers(len(of_sign)))]


def _patient(source: Source) -> str | None:
    return source.capture.row.patient if isinstance(source, CachedCapture) else None


def _by_patient_and_sign(
    sources: Sequence[Source], whole: Sequence[bool]
) -> dict[str | None, dict[int, list[tuple[int, NDArray[np.float64]]]]]:
    found: dict[str | None, dict[int, list[tuple[int, NDArray[np.float64]]]]] = {}
    for number, source in enumerate(sources):
        if not isinstance(source, CachedCapture) or whole[number]:
            continue
        known = source.capture.structures
        signs = found.setdefault(_patient(source), {})
        for xy, channel in zip(known.xy, known.channel, strict=True):
            signs.setdefault(int(channel), []).append((number, xy))
    return found


def _whole_px(sources: Sequence[Source], whole: Sequence[bool], plan: Plan) -> tuple[int, int]:
    """(width, height) that holds every capture that is seen whole, in multiples of the total stride."""
    pairs = zip(sources, whole, strict=True)
    seen = [source for source, as_whole in pairs if as_whole and isinstance(source, CachedCapture)]
    if not seen:
        return TOTAL_STRIDE, TOTAL_STRIDE
    sizes = [source.size_px for source in seen]
    width, height = (-(-max(size[axis] for size in sizes) // TOTAL_STRIDE) * TOTAL_STRIDE for axis in (0, 1))
    if width * height > LARGEST_WHOLE_PX:
        largest = seen[int(np.argmax([size[0] * size[1] for size in sizes]))]
        smaller = "more µm per px" if plan.calibrated else "a smaller long_side_px"
        raise InputError(
            Problem(
                str(largest.capture.path),
                f"only numbers or presences are known of captures up to {width}×{height} px at the plan's scale, and "
                f"training must see them whole; {LARGEST_WHOLE_PX / 1e6:.1f} million px fit",
                f"Give the plan {smaller}, or mark the structures of these captures.",
            )
        )
    return width, height


class EpochShuffle(Sampler[int]):
    """A new order each epoch, from the seed; Lightning tells it the epoch, and it tells the data set."""

    def __init__(self, data: TrainingSet) -> None:
        self.data = data
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self.data.set_epoch(epoch)

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self.data.seed, self.epoch]).permutation(len(self.data))
        return iter(order.tolist())

    def __len__(self) -> int:
        return len(self.data)


class CropsOrWholes(Sampler[list[int]]):
    """Batches of crops and batches of whole captures, mixed by the seed: a tensor has one size.

    batch_size: crops of a batch; of whole captures as many as have no more px together, at least one. What fills no
    batch waits for another epoch, unless there would be no batch of its kind. Where the whole captures make more
    batches, other crops are cut until these are as many, each capture at most MOST_TIMES an epoch: places teach more
    than numbers, and would drown among them.
    """

    def __init__(self, data: TrainingSet, batch_size: int) -> None:
        self.data = data
        whole_px, crop_px = (width * height for width, height in (data.whole_px, data.augment.size_px))
        self.of_crops, self.of_wholes = batch_size, max(1, batch_size * crop_px // whole_px)
        # Where Lightning looks for something that knows the epoch.
        self.sampler = EpochShuffle(data)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(self.sampler)
        crops, wholes = ([i for i in order if self.data.whole[i] is kind] for kind in (False, True))
        batches = [wholes[i : i + self.of_wholes] for i in self._starts(len(wholes), self.of_wholes)]
        of_crops = [crops[i : i + self.of_crops] for i in self._starts(len(crops), self.of_crops)]
        for number in range(self._crop_batches()):
            times, batch = divmod(number, len(of_crops))
            batches.append([index + times * len(self.data) for index in of_crops[batch]])
        mixed = np.random.default_rng([self.data.seed, self.sampler.epoch, 1]).permutation(len(batches))
        return iter([batches[i] for i in mixed])

    def __len__(self) -> int:
        return self._crop_batches() + len(self._starts(sum(self.data.whole), self.of_wholes))

    def _crop_batches(self) -> int:
        wholes = sum(self.data.whole)
        once = len(self._starts(len(self.data) - wholes, self.of_crops))
        return min(max(once, len(self._starts(wholes, self.of_wholes))), MOST_TIMES * once)

    @staticmethod
    def _starts(count: int, size: int) -> range:
        return range(0, max(count - size, 0) + 1 if count else 0, size)


def training_loader(data: TrainingSet | None, batch_size: int, workers: int) -> DataLoader[Mapping[str, Tensor]]:
    """Batches of one size where all are crops, else of crops or of whole captures."""
    if data is None:
        raise InputError("the data module has no training captures before setup('fit')")
    mixed = any(data.whole)
    order = (
        {"batch_sampler": CropsOrWholes(data, batch_size)}
        if mixed
        else {"batch_size": min(batch_size, len(data)), "sampler": EpochShuffle(data), "drop_last": True}
    )
    return DataLoader(
        data,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        **order,
    )
