"""The renderer's promises: same seed same bytes, every label on its structure, widths as stated, nothing unlabelled."""

import multiprocessing
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trichotrack.signs import SIGN
from trichotrack.synth.camera import draw_camera
from trichotrack.synth.draw import Ground, apart_dots, draw_ground, draw_person, grown
from trichotrack.synth.folds import FOLDS_UM, root_folds
from trichotrack.synth.growth import apart
from trichotrack.synth.label import LUMINANCE, in_view
from trichotrack.synth.patients import draw_pose
from trichotrack.synth.priors import CameraPriors, OverlayPriors, Priors, ScalpPriors, SkinPriors
from trichotrack.synth.render import NO_HAIR, capture_rng, photograph, render_capture
from trichotrack.synth.scalp import EMPTY, GROWN, YELLOW_DOT, Scalp, Structure
from trichotrack.synth.shafts import paint_shafts
from trichotrack.synth.view import Pose, View, noise

HAIRS = tuple(sign for sign in GROWN if sign != EMPTY)
LIGHT = np.array([1.0, 0.0])
SHARP = CameraPriors(
    defocus_um=(0, 0), depth_defocus_um=(0, 0), noise=(0, 0), sharpening=(0, 0), chromatic_px=(0, 0), jpeg_chance=0.0,
    glare_blobs=0, bubbles=0, overlays=OverlayPriors(overlay_chance=0.0),
)  # fmt: skip
BARE = Priors(
    scalp=ScalpPriors(lying_hairs_per_cm2=(0, 0), fragments_per_cm2=(0, 0), fibre_chance=0.0, tattooed_chance=0.0),
    skin=SkinPriors(
        melanin=(0.1, 0.3),
        hair_melanin=(1, 0, 0, 0, 0),
        white_share=(0, 0),
        white_regrowth_share=(0, 0),
        flakes_per_cm2=(0, 0),
        yellow_dot_chance=(0, 0),
    ),
    camera=SHARP,
)  # fmt: skip


def ground(seed: int = 0, radius_um: float = 2500.0, priors: Priors = BARE) -> Ground:
    rng = np.random.default_rng(seed)
    return draw_ground(rng, radius_um, priors, draw_person(rng, priors))


def scalp_with(sign: str, seed: int) -> Scalp:
    """One structure of a sign, its root near the centre of the field."""
    place = ground(seed)
    middle = min(range(len(place.follicles)), key=lambda i: float(np.hypot(*place.follicles[i].root_um)))
    signs = [sign if number == middle else EMPTY for number in range(len(place.follicles))]
    return grown(place, signs, np.random.default_rng(seed))


def straight(width_um: float, length_um: float = 1500.0, angle: float = 0.4) -> Structure:
    along = np.linspace(-0.5, 0.5, 30)[:, None] * length_um * np.array([np.cos(angle), np.sin(angle)])
    return Structure("h", "terminal_hair", along, np.full(30, width_um), (0.1, 0.1, 0.1), veil=0.0, seed=3)


def test_the_same_seed_gives_the_same_bytes_and_labels():
    one, two = (render_capture(capture_rng(3, 1, 7), size_px=(320, 256)) for _ in range(2))
    assert one.image.tobytes() == two.image.tobytes()
    assert one.objects == two.objects


@pytest.mark.parametrize("other", [(4, 1, 7), (3, 2, 7), (3, 1, 8)])
def test_another_seed_epoch_or_index_gives_another_capture(other: tuple[int, int, int]):
    one = render_capture(capture_rng(3, 1, 7), size_px=(192, 160))
    assert not np.array_equal(one.image, render_capture(capture_rng(*other), size_px=(192, 160)).image)


def bytes_of(index: int) -> bytes:
    cv2.setNumThreads(0)
    return render_capture(capture_rng(0, 0, index), size_px=(192, 160)).image.tobytes()


def test_a_spawned_worker_renders_the_same_bytes():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(bytes_of, [5]) == [bytes_of(5)]


def test_rendering_leaves_the_threads_of_opencv_alone():
    before = cv2.getNumThreads()
    render_capture(capture_rng(0, 0, 0), size_px=(128, 128))
    assert cv2.getNumThreads() == before


@pytest.mark.parametrize("size", [(640, 512), (333, 257), (64, 64)])
def test_a_capture_has_the_size_asked_for_whatever_it_is(size: tuple[int, int]):
    image = render_capture(capture_rng(1, 0, 0), size_px=size, um_per_px=8.6).image
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize("sign", HAIRS)
@pytest.mark.parametrize("seed", range(4))
def test_a_label_lies_on_its_structure_and_the_structure_nowhere_else(sign: str, seed: int):
    scalp = scalp_with(sign, seed)
    # The light a hair takes from the skin beside it is not the hair.
    scalp = replace(scalp, skin=replace(scalp.skin, halo=0.0))
    pose = Pose(shift_um=tuple(scalp.structures[0].root_um))
    rngs = [np.random.default_rng(9) for _ in range(2)]
    drawn, empty = (
        photograph(s, rng, size_px=(512, 512), um_per_px=4.0, priors=SHARP, pose=pose)
        for s, rng in zip((scalp, scalp.without(scalp.structures[0].id)), rngs, strict=True)
    )
    assert empty.objects == ()
    if not drawn.objects:
        pytest.skip("it leaves the field too soon to be told, so it is not drawn")
    (item,) = drawn.objects
    assert item.sign == sign
    change = np.abs(drawn.image.astype(int) - empty.image.astype(int)).max(axis=2)
    y, x = np.mgrid[:512, :512] + 0.5
    from_root = np.hypot(x - item.x, y - item.y)
    reach = max(3.0, 0.5 * item.root_width_um / 4.0)
    # A shaft is half hidden at its root and plain a little further on; a dot is darkest at its centre.
    assert change[from_root < reach + 6].max() > 25
    if sign == "black_dot":
        strong = np.argwhere(change > 0.6 * change.max())[:, ::-1] + 0.5
        assert np.hypot(*(strong.mean(axis=0) - (item.x, item.y))) < 2.0
        assert change[from_root > 3 * reach + 20].max() < 25
        return
    path = View.of((512, 512), 4.0, pose).px(scalp.structures[0].path_um)
    fine = np.concatenate([np.linspace(a, b, 12) for a, b in pairwise(path)])
    strong = np.argwhere(change > 40)[:, ::-1] + 0.5
    off = np.array([np.hypot(*(fine - point).T).min() for point in strong[::7]])
    # The shaft itself, its shadow, and the part that shines through the skin behind the root.
    ahead = path[2] - path[0]
    behind = ((strong[::7] - path[0]) @ ahead) < 0
    assert np.quantile(off[~behind], 0.98) < scalp.structures[0].width_um.max() / 4.0 / 2 + 10
    if item.tip_in_view:
        assert change[np.hypot(x - item.tip_x, y - item.tip_y) < 5].max() > 20


@pytest.mark.parametrize(
    ("width_um", "um_per_px", "tolerance"),
    [(80, 3.0, 0.02), (60, 6.0, 0.03), (100, 8.6, 0.03), (20, 3.0, 0.06), (20, 6.0, 0.12)],
)
@pytest.mark.parametrize("angle", [0.0, 0.4, 1.1, 1.5708])
def test_a_shaft_is_as_wide_as_stated(width_um: float, um_per_px: float, tolerance: float, angle: float):
    view = View.of((300, 300), um_per_px, Pose())
    # Its cover summed is length times width, for a shaft whose ends (one of them uneven) are out of view.
    hair = straight(width_um, 4000.0, angle)
    cover = paint_shafts([hair], view, LIGHT).cover
    x, y = np.meshgrid(np.arange(300) + 0.5 - 150, np.arange(300) + 0.5 - 150)
    middle = np.abs(x * np.cos(angle) + y * np.sin(angle)) < 80
    measured_um = float(cover[middle].sum()) / 160.0 * um_per_px
    assert measured_um == pytest.approx(width_um, rel=tolerance)


def test_a_tapering_hair_is_thin_at_its_root_and_wide_at_its_tip():
    found = 0
    for seed in range(12):
        for item in in_view(scalp_with("tapering_hair", seed), View.of((900, 900), 6.0, Pose()))[1]:
            assert item.tip_width_um is not None
            assert item.tip_width_um > 1.5 * item.root_width_um
            found += 1
    assert found >= 8


def test_sizes_are_those_of_the_vocabulary():
    place = ground(2, radius_um=6000.0)
    for sign in HAIRS:
        least, most = SIGN[sign].width_um if sign in SIGN else (30, 55)
        hairs = [place.grower.seeded([i]).grow(sign, np.zeros(2), 0, "a") for i in range(60)]
        assert all(least <= hair.width_root_um <= most for hair in hairs)
        if sign == "broken_hair":
            assert all(200 <= hair.length_um <= 3001 for hair in hairs)
            assert all(np.ptp(hair.width_um) < 0.25 * hair.width_um.mean() for hair in hairs)


@pytest.mark.parametrize("index", range(6))
def test_every_hair_drawn_with_its_root_in_the_image_is_labelled_and_nothing_else(index: int):
    rng = capture_rng(11, 0, index)
    place = ground(index, radius_um=3400.0, priors=Priors())
    signs = [str(rng.choice(GROWN)) for _ in place.follicles]
    view = View.of((640, 512), 6.0, Pose())
    shown, objects = in_view(grown(place, signs, rng), view)
    rooted = [s.id for s in shown if s.sign and view.holds(view.px(s.path_um[:1]))[0]]
    assert sorted(item.id for item in objects) == sorted(rooted)
    assert all(0 <= item.x < 640 and 0 <= item.y < 512 for item in objects)
    assert all(0 <= item.tip_x <= 640 and 0 <= item.tip_y <= 512 for item in objects if item.tip_x is not None)


def test_no_two_labels_lie_on_one_another():
    least = ScalpPriors().min_root_distance_um
    for index in range(8):
        capture = render_capture(capture_rng(2, 0, index), size_px=(320, 256))
        xy = np.array([[item.x, item.y] for item in capture.objects if item.sign != YELLOW_DOT])
        xy = xy.reshape(-1, 2)
        gaps = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) * 6.0
        assert (gaps[~np.eye(len(xy), dtype=bool)] >= least - 1e-6).all()


def test_a_root_under_other_hair_is_taken_out_of_the_picture():
    scalp = scalp_with("black_dot", 0)
    dot = scalp.structures[0]
    across = replace(straight(110.0), id="across", sign=None, path_um=straight(110.0).path_um + dot.root_um)
    view = View.of((512, 512), 6.0, Pose(shift_um=tuple(dot.root_um)))
    shown, objects = in_view(replace(scalp, structures=(dot, across)), view)
    assert [s.id for s in shown] == ["across"]
    assert objects == []


@pytest.mark.parametrize(
    ("sign", "place", "drawn"),
    [
        *((sign, "root", False) for sign in HAIRS if sign != "black_dot"),
        *((sign, "end", False) for sign in ("broken_hair", "tapering_hair", "upright_regrowing_hair")),
        *((sign, "end", True) for sign in ("short_vellus_hair", "pigtail_hair")),
    ],
)
def test_a_hair_whose_root_or_telling_end_other_hair_hides_is_taken_out(sign: str, place: str, drawn: bool):
    scalp = scalp_with(sign, 3)
    hair = scalp.structures[0]
    hidden = hair.path_um[0] + 30.0 * hair.heading_um() if place == "root" else hair.path_um[-1]
    over = replace(straight(260.0, 500.0), id="over", sign=None)
    over = replace(over, path_um=over.path_um + hidden)
    view = View.of((900, 900), 6.0, Pose(shift_um=tuple(hair.path_um.mean(axis=0) if place == "end" else hair.root_um)))
    labelled = [item.id for item in in_view(replace(scalp, structures=(hair, over)), view)[1]]
    assert labelled == ([hair.id] if drawn else [])
    assert [item.id for item in in_view(scalp, view)[1]] == [hair.id]


@given(st.floats(0.0, 1.0), st.floats(0.2, 0.7))
def test_no_hair_has_the_brightness_of_its_skin(hair: float, skin: float):
    seen = apart(np.full(3, hair), replace(ground().person.skin, colour=(skin,) * 3), 0.13)
    gap = float(LUMINANCE @ (np.array(seen) - skin))
    assert gap <= -0.13 + 1e-9 or gap >= 0.2 - 1e-9


def test_white_hair_on_light_skin_is_lighter_than_it():
    skin = replace(BARE.skin, melanin=(0.0, 0.3), white_chance=1.0, white_share=(1.0, 1.0))
    priors = replace(BARE, skin=skin)
    lighter = []
    for seed in range(12):
        place = ground(seed, priors=priors)
        signs = ["terminal_hair"] * len(place.follicles)
        hairs = grown(place, signs, np.random.default_rng(seed)).structures
        lighter += [LUMINANCE @ (np.array(hair.colour) - np.array(place.person.skin.colour)) > 0.1 for hair in hairs]
    assert np.mean(lighter) > 0.8


def test_a_hair_that_drowns_in_blur_and_noise_is_neither_drawn_nor_labelled():
    scalp = scalp_with("short_vellus_hair", 0)
    view = View.of((256, 256), 6.0, Pose(shift_um=tuple(scalp.structures[0].root_um)))
    clear = replace(draw_camera(np.random.default_rng(0), SHARP), tilt=np.zeros(2))
    assert len(in_view(scalp, view, clear)[1]) == 1
    assert in_view(scalp, view, replace(clear, defocus_um=500.0)) == ([], [])
    assert in_view(scalp, view, replace(clear, noise=0.5)) == ([], [])


def test_a_stub_cut_off_by_the_border_is_neither_drawn_nor_labelled():
    scalp = scalp_with("broken_hair", 1)
    hair = scalp.structures[0]
    ahead = hair.path_um[-1] - hair.path_um[0]
    # The border runs through the middle of the stub.
    middle = hair.path_um[0] + 0.5 * ahead
    size_um = 256 * 6.0
    sideways = np.where(np.abs(ahead) == np.abs(ahead).max(), np.sign(ahead), 0.0)
    view = View.of((256, 256), 6.0, Pose(shift_um=tuple(middle - 0.5 * size_um * sideways)))
    assert view.holds(view.px(hair.path_um[:1]))[0]
    assert not view.holds(view.px(hair.path_um[-1:]))[0]
    assert in_view(scalp, view) == ([], [])


def test_dots_seen_at_two_magnifications_are_the_same_dots():
    place = ground(4, radius_um=4000.0)
    scalp = grown(place, ["black_dot"] * len(place.follicles), np.random.default_rng(0))
    wide, near = (View.of((400, 400), um_per_px, Pose()) for um_per_px in (8.0, 3.0))
    wide_ids = {item.id for item in in_view(scalp, wide)[1]}
    near_ids = {item.id for item in in_view(scalp, near)[1]}
    common = {s.id for s in scalp.structures if near.holds(near.px(s.path_um))[0]}
    assert near_ids == common
    assert near_ids < wide_ids


def test_as_much_long_hair_crosses_a_small_field_as_the_middle_of_a_large_one():
    priors = Priors(camera=replace(CameraPriors(), overlays=OverlayPriors(overlay_chance=0.0)))

    def haired(seed: int, *size_px: int) -> np.ndarray:
        """Where hair is, in the 1.9 × 1.5 mm in the middle of a field."""
        capture = render_capture(capture_rng(seed, 0, 0), size_px=size_px, um_per_px=16.0, priors=priors)
        x, y = (size_px[0] - 120) // 2, (size_px[1] - 96) // 2
        return capture.strands[y : y + 96, x : x + 120] != NO_HAIR

    small, large = (np.mean([haired(seed, *size) for seed in range(12)]) for size in ((120, 96), (456, 342)))
    assert large > 0.15
    assert abs(small / large - 1) < 0.15


def test_skin_stays_on_the_scalp_when_the_probe_moves():
    rngs = [np.random.default_rng(1) for _ in range(2)]
    here = noise(rngs[0], View.of((200, 160), 6.0, Pose()), 3000.0, 25.0)
    there = noise(rngs[1], View.of((200, 160), 6.0, Pose(shift_um=(60.0, 30.0))), 3000.0, 25.0)
    assert np.abs(here[5:, 10:] - there[:-5, :-10]).max() < 0.05


def test_a_clipped_capture_says_so_and_holds_no_sign_that_clipping_looks_like():
    priors = Priors(scalp=ScalpPriors(clipped_chance=1.0))
    captures = [render_capture(capture_rng(0, 0, i), size_px=(256, 256), priors=priors) for i in range(6)]
    assert {capture.preparation for capture in captures} == {"clipped"}
    assert render_capture(capture_rng(0, 0, 0), size_px=(256, 256)).preparation == "unclipped"
    assert {item.sign for capture in captures for item in capture.objects} <= {
        "terminal_hair", "short_vellus_hair", "intermediate_hair", YELLOW_DOT,
    }  # fmt: skip


def test_a_pose_is_near_the_field_it_returns_to():
    rng = np.random.default_rng(0)
    poses = [draw_pose(rng) for _ in range(200)]
    assert max(abs(value) for pose in poses for value in pose.shift_um) <= 3 * 260
    assert np.std([pose.turn_deg for pose in poses]) == pytest.approx(4.0, rel=0.25)


def test_black_dots_keep_their_distance_from_what_could_be_taken_for_them():
    place = ground(6, radius_um=5000.0)
    drawn = ("black_dot", "broken_hair", "black_dot", EMPTY)
    signs = apart_dots(place, [drawn[number % 4] for number in range(len(place.follicles))])
    roots = np.array([follicle.root_um for follicle in place.follicles])
    shown = [number for number in range(len(roots)) if signs[number] != EMPTY]
    gaps = np.hypot(*(roots[shown, None] - roots[None, shown]).transpose(2, 0, 1)) + 1e9 * np.eye(len(shown))
    dots = [signs[number] == "black_dot" for number in shown]
    assert 20 < sum(dots) < len(shown)
    assert gaps[dots].min() >= 125.0


def test_hair_told_by_its_free_end_is_not_labelled_where_the_end_is_out_of_view():
    view = View.of((320, 256), 6.0, Pose())
    for sign in ("broken_hair", "upright_regrowing_hair", "pigtail_hair"):
        place = ground(5)
        scalp = grown(place, [sign] * len(place.follicles), np.random.default_rng(0))
        objects = in_view(scalp, view)[1]
        assert objects
        assert all(item.tip_in_view for item in objects)


def test_upright_and_pigtail_hair_is_full_at_its_base_and_thin_at_its_end():
    grower = ground().grower
    for seed in range(20):
        upright, pigtail = (
            grower.seeded([seed]).grow(sign, np.zeros(2), 0, "a") for sign in ("upright_regrowing_hair", "pigtail_hair")
        )
        assert upright.width_um[-1] < 0.2 * upright.width_um[0]
        straight_um = float(np.hypot(*(upright.path_um[-1] - upright.path_um[0])))
        assert straight_um > 0.97 * upright.length_um
        assert pigtail.width_um[-1] < 0.5 * pigtail.width_um.max()
        assert float(np.hypot(*(pigtail.path_um[-1] - pigtail.path_um[0]))) < 0.75 * pigtail.length_um


def test_a_yellow_dot_may_hold_a_hair_or_a_dot_and_an_opening_is_filled_once():
    priors = replace(BARE, skin=replace(BARE.skin, yellow_dot_chance=(1.0, 1.0)))
    place = next(g for g in (ground(seed, priors=priors) for seed in range(20)) if g.yellow)
    scalp = grown(place, ["black_dot"] * len(place.follicles), np.random.default_rng(0))
    yellow = [s for s in scalp.structures if s.sign == YELLOW_DOT]
    assert {s.follicle for s in yellow} <= {s.follicle for s in scalp.structures if s.sign == "black_dot"}
    assert len({s.unit for s in yellow}) == len(yellow) > 5
    rest = scalp.without(yellow[0].id)
    assert len(rest.structures) == len(scalp.structures) - 1
    assert [mark for mark in scalp.marks if mark not in rest.marks] == [
        mark for mark in scalp.marks if mark.kind == "yellow" and mark.xy_um == tuple(yellow[0].root_um)
    ]
    assert len(rest.marks) == len(scalp.marks) - 1
    assert all(300 <= s.width_root_um <= 500 for s in yellow)


@given(st.floats(-np.pi, np.pi), st.floats(35.0, 110.0), st.integers(0, 999))
def test_folds_lie_behind_the_root_and_leave_the_shaft_ahead_of_it_as_it_was(angle: float, width_um: float, seed: int):
    hair = replace(straight(width_um, 600.0, angle), folds=SkinPriors().folds[1], seed=seed)
    view = View.of((256, 256), 4.0, Pose())
    folds = root_folds([hair], view)
    assert folds.dark.max() > 0.05
    x, y = view.um_across()
    ahead = hair.heading_um()
    along = (x - hair.root_um[0]) * ahead[0] + (y - hair.root_um[1]) * ahead[1]
    away = np.hypot(x - hair.root_um[0], y - hair.root_um[1])
    for layer in (folds.dark, folds.bright, folds.over):
        assert (layer >= 0).all()
        assert (layer <= 1).all()
        assert layer[along > 120.0].max() < 0.1
        assert layer[away > FOLDS_UM + 200.0].max() < 0.1


def test_a_hair_without_folds_and_a_dot_leave_the_skin_flat():
    dot = Structure("d", "black_dot", np.zeros((1, 2)), np.array([80.0]), (0.1, 0.1, 0.1), folds=1.0)
    folds = root_folds([straight(80.0, 600.0), dot], View.of((256, 256), 4.0, Pose()))
    assert not any(layer.any() for layer in (folds.dark, folds.bright, folds.over))


def test_thick_hair_throws_deeper_folds_than_thin():
    view = View.of((256, 256), 4.0, Pose())
    thick, thin = (root_folds([replace(straight(um, 600.0), folds=1.0)], view).bright.max() for um in (80.0, 15.0))
    assert thin < 0.5 * thick


def test_skin_beside_dark_hair_is_darker_and_redder_and_beside_white_hair_as_it_was():
    def lost(colour: tuple[float, float, float], away_um: float) -> np.ndarray:
        """(3,): of red, green and blue light at a distance from the edge of a shaft."""
        hair = replace(straight(80.0, 1500.0), colour=colour)
        plain = ground(3, priors=BARE).person.skin
        factors = []
        for halo in (0.0, 1.0):
            scalp = Scalp(2000.0, replace(plain, halo=halo), (hair,))
            image = photograph(scalp, np.random.default_rng(4), size_px=(256, 256), um_per_px=4.0, priors=SHARP).image
            at = round(128 + (40.0 + away_um) / 4.0)
            factors.append(image[at, 100:156].astype(float).mean(axis=0))
        return np.asarray(1.0 - factors[1] / factors[0])

    near, further, far = (lost((0.1, 0.1, 0.1), um) for um in (30.0, 80.0, 300.0))
    assert near[2] > near[1] > near[0] > 0.03
    assert (near > 1.3 * further).all()
    assert (further > far + 0.01).all()
    assert (np.abs(far) < 0.01).all()
    assert (np.abs(lost((0.84, 0.83, 0.81), 30.0)) < 0.01).all()
