"""Counts trichoscopic signs of alopecia areata in scalp dermoscopy, and follows their density over visits.

>>> from trichotrack import Counter
>>> reading = Counter.bundled().read("capture.jpg", um_per_px=2.82)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trichotrack.runtime.counter import Counter

__version__ = "0.1.0"
__all__ = ["Counter", "__version__"]


def __getattr__(name: str) -> Any:
    # On first use, so that `import trichotrack` costs nothing.
    if name == "Counter":
        from trichotrack.runtime.counter import Counter

        return Counter
    raise AttributeError(f"module 'trichotrack' has no attribute {name!r}")
