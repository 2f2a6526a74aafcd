"""What to label next: the doubted and the unlike first, nothing that is labelled or kept for testing."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from tiny_model import build_tiny_model, scalp, tiny_spec
from trichotrack.cli.app import app
from trichotrack.evaluate.suggest import Looked, doubt_of, ranked, suggest
from trichotrack.labels.read import read_labels
from trichotrack.problems import InputError
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.reading import MarkedObject


def seen(file, features, doubt=1.0):
    return Looked(file, f"P{file}", np.array(features, np.float32), doubt, marks=3)


def files(suggestions):
    return [one.file for one in suggestions]


def test_without_doubt_the_order_is_that_of_k_centre_greedy():
    # Labelled at 0: farthest first, then the middle of the largest gap, as worked by hand.
    line = [seen("a", [1.0], 0), seen("b", [10.0], 0), seen("c", [5.0], 0), seen("d", [9.0], 0)]
    assert files(ranked(line, [seen("known", [0.0])], 4)) == ["b", "c", "a", "d"]


def test_of_equally_unlike_captures_the_doubted_one_comes_first():
    same = [seen("sure", [4.0], 0.0), seen("doubted", [-4.0], 6.0)]
    assert files(ranked(same, [seen("known", [0.0])], 2)) == ["doubted", "sure"]


def test_a_copy_of_a_suggested_capture_comes_last_however_doubted():
    pool = [seen("first", [3.0, 0.0], 9.0), seen("copy", [3.0, 0.0], 9.0), seen("other", [0.0, 1.0], 0.1)]
    assert files(ranked(pool, [], 3)) == ["first", "other", "copy"]


def test_where_nothing_is_labelled_the_most_doubted_begins_and_tells_no_distance():
    first, second = ranked([seen("a", [0.0], 1.0), seen("b", [1.0], 5.0)], [], 2)
    assert (first.file, first.distance, first.nearest) == ("b", None, "")
    assert second.nearest == "b"
    assert "SD from the nearest, b" in second.why


@given(
    st.lists(st.tuples(st.tuples(*[st.floats(-5, 5, width=32)] * 3), st.floats(0, 20)), min_size=1, max_size=12),
    st.lists(st.tuples(*[st.floats(-5, 5, width=32)] * 3), max_size=4),
    st.integers(1, 15),
)
def test_every_capture_is_suggested_once_and_a_longer_list_begins_with_the_shorter(pool, known, count):
    candidates = [seen(str(i), features, doubt) for i, (features, doubt) in enumerate(pool)]
    labelled = [seen(f"k{i}", features) for i, features in enumerate(known)]
    some, all_ = ranked(candidates, labelled, count), ranked(candidates, labelled, len(pool))
    assert files(some) == files(all_)[:count]
    assert sorted(files(all_)) == sorted(one.file for one in candidates)
    assert [one.rank for one in all_] == list(range(1, len(pool) + 1))
    assert all(one.distance is None or np.isfinite(one.distance) for one in all_)


def test_a_mark_at_a_half_is_one_bit_of_doubt_and_a_sure_one_none():
    marks = [MarkedObject(str(i), "black_dot", 0, 0, score=score) for i, score in enumerate((0.5, 0.5, 1.0, None))]
    assert doubt_of(marks) == pytest.approx(2.0, abs=1e-6)
    assert doubt_of([MarkedObject("1", "black_dot", 0, 0, score=0.11)]) == pytest.approx(0.49992, abs=1e-4)
    assert doubt_of([]) == 0.0


@pytest.fixture
def model(tmp_path):
    return build_tiny_model(tmp_path / "tiny.onnx", tiny_spec(outputs=("peaks", "offset", "features")))


@pytest.fixture
def folder(tmp_path):
    """Six captures: one labelled, one for test, three alike and one reddish, all unlabelled."""
    out = tmp_path / "set"
    (out / "images").mkdir(parents=True)
    plain = scalp(160, 128, {"black_dot": [(40, 40), (100, 80)]})
    reddish = np.clip(plain.astype(int) + np.array([0, -60, -60]), 0, 255).astype(np.uint8)
    rows = ["file,patient,visit,site,field,um_per_px,preparation,split"]
    for name, split in (("known", "train"), ("kept", "test"), ("a", ""), ("b", "train"), ("c", ""), ("red", "")):
        Image.fromarray(reddish if name == "red" else plain).save(out / "images" / f"{name}.png")
        rows.append(f"images/{name}.png,{name},v1,vertex,1,6,none,{split}")
    (out / "captures.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (out / "labels.csv").write_text(
        "file,sign,level,value,rater\nimages/known.png,black_dot,exhaustive,,\n", encoding="utf-8"
    )
    return out


def test_what_is_labelled_or_kept_for_testing_is_never_suggested_and_the_unlike_comes_first(model, folder):
    result = suggest(Counter(model), read_labels(folder), 10)
    assert (result.candidates, result.labelled) == (4, 1)
    assert result.suggestions[0].file == "images/red.png"
    assert result.suggestions[0].nearest == "images/known.png"
    assert {one.file for one in result.suggestions} == {f"images/{name}.png" for name in ("a", "b", "c", "red")}


def test_a_sign_that_is_not_labelled_in_a_capture_makes_it_a_candidate_for_that_sign(model, folder):
    result = suggest(Counter(model), read_labels(folder), 10, signs=["broken_hair"])
    assert (result.candidates, result.labelled) == (5, 0)
    with pytest.raises(InputError, match="does not count yellow_dot; it counts black_dot, broken_hair"):
        suggest(Counter(model), read_labels(folder), 10, signs=["yellow_dot"])


def test_a_capture_that_cannot_be_read_is_told_and_costs_no_other(model, folder):
    (folder / "images" / "b.png").write_bytes(b"no picture")
    result = suggest(Counter(model), read_labels(folder), 10)
    assert len(result.suggestions) == 3
    assert "b.png" in result.problems[0].place


def test_a_folder_with_everything_labelled_is_told_what_to_do(model, folder):
    text = "".join(f"images/{name}.png,black_dot,exhaustive,,\n" for name in ("known", "kept", "a", "b", "c", "red"))
    (folder / "labels.csv").write_text(f"file,sign,level,value,rater\n{text}", encoding="utf-8")
    with pytest.raises(InputError, match="List further captures"):
        suggest(Counter(model), read_labels(folder), 10)


def test_a_model_without_features_is_refused(tmp_path, folder):
    bare = build_tiny_model(tmp_path / "bare.onnx")
    with pytest.raises(InputError, match="gives no features"):
        suggest(Counter(bare), read_labels(folder), 10)


def test_the_command_writes_a_table_with_rank_and_reason(model, folder, tmp_path):
    out = tmp_path / "next.csv"
    command = ["labels", "suggest", str(folder), "--model", str(model), "--captures", "2", "--out", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "2 of 4 unlabelled captures" in result.output
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert rows[0]["file"] == "images/red.png"
    assert "bits of doubt" in rows[0]["why"]


def test_the_command_goes_on_past_a_broken_capture_with_status_3(model, folder):
    (folder / "images" / "b.png").write_bytes(b"no picture")
    result = CliRunner().invoke(app, ["labels", "suggest", str(folder), "--model", str(model), "--json"])
    assert result.exit_code == 3
    assert len(json.loads(result.stdout)["suggestions"]) == 3
