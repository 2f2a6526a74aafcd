"""Export a checkpoint: `uv run export.py RUN/checkpoints/best.ckpt model.onnx`."""

import sys

from trichotrack.cli.app import main

if __name__ == "__main__":
    sys.argv[1:1] = ["export-model"]
    main()
