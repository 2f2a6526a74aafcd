"""A model tells by which captures it was taught and chosen, by the content of their files and by nothing else."""

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from test_model_network import network
from tiny_model import build_tiny_model, scalp, tiny_spec
from trichotrack.evaluate.evaluation import captures_csv
from trichotrack.evaluate.run import evaluate
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet
from trichotrack.model.seen import NOTHING, UNKNOWN, digest_of, seen_before, seen_by, seen_in
from trichotrack.model.weights import BUNDLED, save_weights
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.spec import SEEN_DIGITS, ModelSpec

digests = st.lists(st.text("0123456789abcdef", min_size=SEEN_DIGITS, max_size=SEEN_DIGITS))
records = st.fixed_dictionaries({"train": digests, "val": digests, "complete": st.booleans()})


def source(path: Path) -> SimpleNamespace:
    return SimpleNamespace(capture=SimpleNamespace(path=path))


def pictures(folder: Path, *names: str) -> list[Path]:
    """Captures that differ in a disc."""
    for i, name in enumerate(names):
        Image.fromarray(scalp(200, 160, {"black_dot": [(40.0 + 30 * i, 60.0)]})).save(folder / name)
    return [folder / name for name in names]


def test_a_capture_is_known_by_its_content_and_not_by_its_name(tmp_path):
    one, other = pictures(tmp_path, "a.png", "b.png")
    renamed = tmp_path / "somebody.png"
    shutil.copy(one, renamed)
    assert digest_of(one) == digest_of(renamed) == hashlib.sha256(one.read_bytes()).hexdigest()[:SEEN_DIGITS]
    assert digest_of(one) != digest_of(other)


def test_drawn_captures_are_no_files_that_anybody_could_evaluate_on():
    assert seen_by([object()], [object()], NOTHING) == NOTHING


@given(st.lists(records, min_size=1, max_size=4))
def test_what_a_model_has_seen_is_all_that_every_training_before_it_saw(earlier):
    seen = seen_by([], [], *earlier)
    for split in ("train", "val"):
        assert set(seen[split]) == {digest for one in earlier for digest in one[split]}
        assert seen[split] == sorted(set(seen[split]))
    assert seen["complete"] == all(one["complete"] for one in earlier)


def test_weights_tell_what_they_have_seen_and_those_that_do_not_leave_it_unknown(tmp_path):
    seen = {"train": ["a" * SEEN_DIGITS], "val": [], "complete": True}
    assert all(seen_before(start) == NOTHING for start in ("scratch", "imagenet", "bundled", str(BUNDLED)))
    for captures, name in ((seen, "told"), (None, "untold")):
        save_weights(network(), ["a"], tmp_path / f"{name}.safetensors", captures)
        torch.save({"manifest": {} if captures is None else {"captures": captures}}, tmp_path / f"{name}.ckpt")
    for suffix in ("safetensors", "ckpt"):
        assert seen_before(str(tmp_path / f"told.{suffix}")) == seen
        assert seen_before(str(tmp_path / f"untold.{suffix}")) == UNKNOWN
    assert seen_in({}) == UNKNOWN


def labelled(folder: Path, *files: str) -> LabelSet:
    captures = tuple(CaptureRow(file, f"P{i}", um_per_px=6.0) for i, file in enumerate(files))
    return LabelSet(folder, captures, tuple(LabelRow(file, "black_dot", "exhaustive") for file in files), ())


def model_that_saw(out: Path, captures: object) -> Counter:
    spec = tiny_spec(training={"captures": captures} if captures else {})
    assert ModelSpec.from_json(spec.to_json()).seen == spec.seen
    return Counter(build_tiny_model(out, spec))


def test_an_evaluation_notices_captures_that_taught_or_chose_the_model_under_other_names(tmp_path):
    taught, chose, _ = pictures(tmp_path, "a.png", "b.png", "c.png")
    seen = seen_by([source(taught)], [source(chose), source(taught)], NOTHING)
    taught.rename(tmp_path / "x.png")
    chose.rename(tmp_path / "y.png")
    result = evaluate(model_that_saw(tmp_path / "m.onnx", seen), labelled(tmp_path, "c.png", "x.png", "y.png"))
    assert result.seen == {"x.png": "train", "y.png": "val"}
    assert result.to_dict()["data"]["seen"] == {"train": 1, "val": 1, "complete": True}
    assert result.seen_notice == (
        "Of 3 captures, known by content and not by name, 1 taught and 1 chose this model and its thresholds: figures "
        "are too good."
    )
    assert [line.rsplit(",", 1)[1] for line in captures_csv(result).splitlines()] == ["seen", "", "train", "val"]


@pytest.mark.parametrize(
    ("earlier", "told"),
    [
        (NOTHING, "Known by content and not by name, none of these captures taught or chose this model."),
        (UNKNOWN, "taught or chose this model, as far as is known of the weights that it started from."),
    ],
)
def test_where_none_was_seen_it_is_told_how_sure_that_is(tmp_path, earlier, told):
    one, _ = pictures(tmp_path, "a.png", "b.png")
    counter = model_that_saw(tmp_path / "m.onnx", seen_by([source(one)], [], earlier))
    assert evaluate(counter, labelled(tmp_path, "b.png")).seen_notice.endswith(told)


def test_a_model_that_does_not_tell_is_evaluated_without_a_word_on_it(tmp_path):
    pictures(tmp_path, "a.png")
    result = evaluate(model_that_saw(tmp_path / "m.onnx", None), labelled(tmp_path, "a.png"))
    assert (result.seen, result.seen_notice) == (None, "")
    assert "seen" not in result.to_dict()["data"]
