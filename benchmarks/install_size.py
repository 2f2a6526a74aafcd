"""How much a clinic installs: the size of the core dependencies in an environment of their own.

uv run benchmarks/install_size.py
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

from records import PACKAGES, write_record

LIMIT_MB = 250
"""What a clinic's `analyze` may take, MB of 10⁶ bytes."""

ROOT = Path(__file__).resolve().parents[1]


def measure(site_packages: Path) -> dict[str, float]:
    """MB of each installed distribution, largest first, from the files that it lists."""
    sizes = {}
    for distribution in metadata.distributions(path=[str(site_packages)]):
        files = [Path(distribution.locate_file(file)) for file in distribution.files or []]
        sizes[distribution.name] = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        venv = Path(scratch) / "venv"
        environment = {**os.environ, "VIRTUAL_ENV": str(venv)}
        subprocess.run(["uv", "venv", "--quiet", str(venv)], check=True)
        subprocess.run(["uv", "pip", "install", "--quiet", "."], check=True, cwd=ROOT, env=environment)
        (site_packages,) = [path for path in venv.rglob("site-packages") if path.is_dir()]
        sizes = measure(site_packages)
        total_mb = sum(file.stat().st_size for file in site_packages.rglob("*") if file.is_file()) / 1e6
        installed = {found.name: found.version for found in metadata.distributions(path=[str(site_packages)])}
        packages = {name: round(size, 1) for name, size in sizes.items()}
    print(f"{total_mb:.0f} MB in {len(packages)} packages (limit {LIMIT_MB} MB)")
    figures = {"total_mb": round(total_mb, 1), "limit_mb": LIMIT_MB, "packages_mb": packages}
    figures["versions"] = {name: installed[name] for name in PACKAGES if name in installed}
    print(write_record("install", "core", figures))
    if total_mb > LIMIT_MB:
        raise SystemExit(f"The core install takes {total_mb:.0f} MB, more than {LIMIT_MB}.")


if __name__ == "__main__":
    main()
