"""Train: `uv run train.py fit --config configs/demo.yaml`; resume: `--ckpt_path RUN/checkpoints/last.ckpt`."""

import sys

from trichotrack.model.cli import main
from trichotrack.problems import InputError

if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
