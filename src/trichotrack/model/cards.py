"""Is there an NVIDIA card that torch does not use? And what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

CARD_FILES = (
    Path("/proc/driver/nvidia/version"),  # Linux
    Path("/usr/lib/wsl/lib/nvidia-smi"),  # Linux under Windows
    Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32" / "nvcuda.dll",
)
"""What NVIDIA's driver leaves on a machine: told without torch, which a CPU's build does not know."""

CUDA_REMEDY = (
    "uv pip install --torch-backend=auto --reinstall-package torch --reinstall-package torchvision torch torchvision"
)


def card_present(files: Sequence[Path] = CARD_FILES) -> bool:
    """An NVIDIA driver is installed here."""
    return shutil.which("nvidia-smi") is not None or any(file.exists() for file in files)


def card_remedy(files: Sequence[Path] = CARD_FILES) -> str | None:
    """What to do so that torch uses the machine's NVIDIA card; None where it does, or where there is none."""
    if torch.cuda.is_available() or not card_present(files):
        return None
    if torch.version.cuda is None and torch.version.hip is None:
        return (
            f"This machine has an NVIDIA card, but its torch ({torch.__version__}) is built for the CPU alone. Install "
            f"a CUDA build: `{CUDA_REMEDY}`, and start with `uv run --no-sync`, which leaves it in place; without uv "
            "see https://pytorch.org/get-started/locally."
        )
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in {"", "-1"}:
        return "This machine has an NVIDIA card, which CUDA_VISIBLE_DEVICES hides: unset it to train on the card."
    return (
        f"This machine has an NVIDIA card that torch {torch.__version__} cannot use, though built for CUDA "
        f"{torch.version.cuda}: its driver is too old for that, or the card is not reachable; `nvidia-smi` tells."
    )
