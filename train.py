"""Train a model: `uv run train.py fit --config configs/demo.yaml`; go on with `--ckpt_path RUN/checkpoints/last.ckpt`."""

from trichotrack.model.cli import main

if __name__ == "__main__":
    main()
