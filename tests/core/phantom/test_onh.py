"""ONH phantoms: seeded, labelled as drawn, graded by the rule that the module states."""

from dataclasses import replace

import numpy as np
import pytest

from core.phantom.onh import lay_breaks, render_onh
from core.phantom.onh_spec import (
    BACKGROUND,
    DARK,
    DISC,
    MOTION,
    SHALLOW,
    OnhPhantomSpec,
    burden_of,
    onh_grade,
    random_onh_spec,
)
from core.vocabulary import OnhGrade

CLEAN = OnhPhantomSpec(size_px=96)


def test_the_same_seed_renders_the_same_bytes_and_another_seed_another_eye():
    spec = replace(CLEAN, dark=0.1, motion=0.05)
    one, again, other = render_onh(spec, 4), render_onh(spec, 4), render_onh(spec, 5)
    assert np.array_equal(one.image, again.image)
    assert np.array_equal(one.labels, again.labels)
    assert not np.array_equal(one.image, other.image)


def test_a_clean_scan_shows_its_disc_where_it_was_put_and_is_of_no_concern():
    phantom = render_onh(replace(CLEAN, disc_mm=(1.0, -0.5)), 1)
    rows, columns = np.nonzero(phantom.labels == DISC)
    mm_per_px = phantom.spec.field_mm / phantom.spec.size_px
    assert (columns.mean() + 0.5) * mm_per_px - 3.0 == pytest.approx(1.0, abs=0.03)
    assert (rows.mean() + 0.5) * mm_per_px - 3.0 == pytest.approx(-0.5, abs=0.03)
    radius = phantom.spec.disc_radius_mm
    assert len(rows) * mm_per_px**2 == pytest.approx(np.pi * radius[0] * radius[1], rel=0.02)
    assert set(np.unique(phantom.labels)) == {BACKGROUND, DISC}
    assert phantom.disc_lost_fraction < 0.02
    assert phantom.grade is OnhGrade.NO_CONCERN


@pytest.mark.parametrize(("kind", "label"), [("dark", DARK), ("shallow", SHALLOW), ("motion", MOTION)])
def test_each_artifact_takes_the_share_that_was_asked_for(kind, label):
    phantom = render_onh(replace(CLEAN, **{kind: 0.2}), 3)
    assert phantom.share(label) == pytest.approx(0.2, abs=0.03)
    assert set(np.unique(phantom.labels)) <= {BACKGROUND, DISC, label}


def test_lost_signal_is_darker_than_dimmed_signal_and_that_darker_than_the_rest():
    means = {label: [] for label in (BACKGROUND, SHALLOW, DARK)}
    for seed in range(6):
        phantom = render_onh(replace(CLEAN, shallow=0.25, dark=0.2), seed)
        for label, found in means.items():
            found.append(phantom.image[phantom.labels == label].mean())
    assert np.mean(means[DARK]) < 0.5 * np.mean(means[SHALLOW])
    assert np.mean(means[SHALLOW]) < 0.85 * np.mean(means[BACKGROUND])


def test_pathology_is_drawn_and_never_labelled():
    plain, ill = render_onh(CLEAN, 8), render_onh(replace(CLEAN, fibre_loss=1.0, atrophy=1.0), 8)
    assert not np.array_equal(plain.image, ill.image)
    assert np.array_equal(plain.labels, ill.labels)
    assert ill.grade is OnhGrade.NO_CONCERN


def test_a_break_moves_the_lines_below_it():
    motion = lay_breaks(np.random.default_rng(2), 0.06, 200)
    assert motion.hit.sum() == 12
    assert np.ptp(motion.shift_px[~motion.hit]) > 0  # the scan went on beside where it was


def test_left_and_right_eye_are_mirror_images_of_one_anatomy():
    right = render_onh(replace(CLEAN, is_right_eye=True), 6)
    left = render_onh(replace(CLEAN, is_right_eye=False), 6)
    same = np.corrcoef(right.image.ravel(), left.image[:, ::-1].ravel())[0, 1]
    other = np.corrcoef(right.image.ravel(), left.image.ravel())[0, 1]
    assert same > other + 0.1


@pytest.mark.parametrize(
    ("burden", "signal", "lost", "grade"),
    [(0.0, 1.0, 0.0, 3), (0.011, 1.0, 0.0, 2), (0.0, 0.74, 0.0, 2), (0.061, 1.0, 0.0, 1), (0.0, 0.54, 0.0, 1),
     (0.21, 1.0, 0.0, 0), (0.0, 0.34, 0.0, 0), (0.0, 1.0, 0.51, 0), (0.07, 0.6, 0.0, 1)],
)  # fmt: skip
def test_the_grade_is_the_worse_of_burden_and_signal(burden, signal, lost, grade):
    assert onh_grade(burden, signal, lost) == grade


def test_a_dimmed_area_counts_half():
    assert burden_of(shallow=0.2, dark=0.03, motion=0.02) == pytest.approx(0.15)


def test_random_scans_come_in_all_grades_in_about_the_shares_of_the_poster():
    rng = np.random.default_rng(5)
    grades = [int(render_onh(random_onh_spec(rng, size_px=64), seed).grade) for seed in range(80)]
    shares = np.bincount(grades, minlength=4) / len(grades)
    np.testing.assert_allclose(shares, np.array([358, 327, 257, 349]) / 1291, atol=0.14)


@pytest.mark.parametrize("wrong", [{"size_px": 32}, {"field_mm": 2.0}, {"dark": 1.2}, {"signal": -0.1}])
def test_what_cannot_be_drawn_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).partition("_")[0]):
        OnhPhantomSpec(**wrong)
