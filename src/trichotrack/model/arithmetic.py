"""In which numbers a training is calculated: bf16 where the machine has it, else float32."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

BF16, FLOAT32 = "bf16-mixed", "32-true"
"""As Lightning calls them."""

CALCULATES_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""What `torch.cpu.get_capabilities` calls the instructions for it, on x86 and on ARM. Older torch tells of none."""


def capabilities() -> Mapping[str, object]:
    """What this CPU can do, as torch tells it; nothing where it does not."""
    return getattr(torch.cpu, "get_capabilities", dict)()


def on_cpu(accelerator: object) -> bool:
    """Whether a Trainer with such an accelerator trains on the CPU."""
    card = CUDAAccelerator.is_available() or MPSAccelerator.is_available()
    return accelerator == "cpu" or (accelerator == "auto" and not card)


def precision_here(asked: str | int | None, accelerator: object = "auto") -> str | int | None:
    """The precision asked for; float32 in place of bf16 on a CPU that has no instructions for it.

    Such a CPU emulates bf16, and a step takes several times as long.
    """
    emulated = asked == BF16 and on_cpu(accelerator) and not any(map(capabilities().get, CALCULATES_BF16))
    return FLOAT32 if emulated else asked
