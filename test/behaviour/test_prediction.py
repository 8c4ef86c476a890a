"""The shipped model of sequences: where it must change nothing, where it must help, and that it never jumps."""

import numpy as np
import pytest

from rena_ros.base.errors import RenaError
from rena_ros.base.resources import share_path
from rena_ros.behaviour.policy import Policy
from rena_ros.behaviour.prediction import COEFFICIENTS, FADE_S, GAP_S, Predictor
from rena_ros.perception.face_reader import READING_NAMES

YAW, JAW = READING_NAMES.index("head_yaw"), READING_NAMES.index("jawOpen")


@pytest.fixture(scope="module")
def rest():
    return Policy().robot_neutral


@pytest.fixture
def predictor():
    return Predictor(horizon_s=0.08)


def eased(x):
    """Least jerk from 0 to 1 (Flash and Hogan 1985)."""
    x = np.clip(x, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x * x)


def turning(times_s, rest):
    """Readings of a head that turns by 0.4 rad to and fro, each time within 0.8 s."""
    features = np.repeat(rest.features[None], len(times_s), axis=0)
    features[:, YAW] += 0.4 * (eased((times_s - 1) / 0.8) - eased((times_s - 2.5) / 0.8) + eased((times_s - 4) / 0.8))
    return features


def lead(predictor, times_s, features, landmarks=None):
    return np.array([predictor.ahead(f, landmarks, t_s)[0] for t_s, f in zip(times_s, features, strict=True)])


@pytest.mark.parametrize("rate_hz", [25, 30, 60])
def test_a_turning_head_is_shown_earlier(predictor, rest, rate_hz):
    times_s = np.arange(0, 5.5, 1 / rate_hz)
    features = turning(times_s, rest)
    led = lead(predictor, times_s, features, rest.landmarks)
    later = turning(times_s + 0.08, rest)[:, YAW]
    still, error = (np.sqrt(np.mean((later - one[:, YAW]) ** 2)) for one in (features, led))
    assert error < 0.8 * still


def test_lost_frames_and_uneven_stamps_do_no_harm(predictor, rest):
    rng = np.random.default_rng(3)
    times_s = np.sort(np.arange(0, 5.5, 1 / 30) + rng.normal(0, 0.003, 165))
    times_s = times_s[rng.random(len(times_s)) > 0.25]
    features = turning(times_s, rest)
    led = lead(predictor, times_s, features, rest.landmarks)
    later = turning(times_s + 0.08, rest)[:, YAW]
    still, error = (np.sqrt(np.mean((later - one[:, YAW]) ** 2)) for one in (features, led))
    assert error < 0.9 * still


def test_a_face_at_rest_is_no_more_restless(predictor, rest):
    rng = np.random.default_rng(4)
    times_s = np.arange(0, 20, 1 / 30)
    features = np.clip(rest.features + rng.normal(0, 0.008, (len(times_s), len(READING_NAMES))), 0, 1).astype(
        np.float32
    )
    led = lead(predictor, times_s, features)
    jitter = [np.sqrt(np.mean(np.diff(one, n=2, axis=0) ** 2)) for one in (features, led)]
    assert jitter[1] <= jitter[0]


def test_a_horizon_of_0_gives_back_what_was_given(rest):
    predictor = Predictor(horizon_s=0)
    features, landmarks = predictor.ahead(rest.features, rest.landmarks, 0.0)
    assert features is rest.features and landmarks is rest.landmarks


def test_the_horizon_can_be_changed_while_it_runs(predictor, rest):
    times_s = np.arange(0, 1.4, 1 / 30)
    led = {}
    for horizon_s in (0.04, 0.12):
        predictor.reset()
        predictor.horizon_s = horizon_s
        led[horizon_s] = lead(predictor, times_s, turning(times_s, rest))[-1, YAW]
    assert min(led.values()) > turning(times_s, rest)[-1, YAW] and led[0.12] != led[0.04]
    predictor.horizon_s = 0
    assert predictor.ahead(rest.features, None, 9.0)[0] is rest.features


@pytest.mark.parametrize("horizon_s", [-0.1, 0.001, 1.0, float("nan")])
def test_a_horizon_that_it_was_not_trained_for_is_refused(predictor, horizon_s):
    with pytest.raises(ValueError, match="horizon_s"):
        predictor.horizon_s = horizon_s


def test_coefficients_stay_in_range(predictor):
    rng = np.random.default_rng(5)
    times_s = np.arange(0, 10, 1 / 30)
    features = (rng.random((len(times_s), len(READING_NAMES))) > 0.5).astype(np.float32)
    features[:, COEFFICIENTS:] = 0
    led = lead(predictor, times_s, features)[:, :COEFFICIENTS]
    assert np.isfinite(led).all() and led.min() >= 0 and led.max() <= 1


def in_motion(predictor, rest):
    """Let a head turn until it leads; return the time and the reading of its last frame."""
    times_s = np.arange(0, 1.4, 1 / 30)
    features = turning(times_s, rest)
    led = lead(predictor, times_s, features, rest.landmarks)
    assert led[-1, YAW] > features[-1, YAW] + 0.005
    return times_s[-1], features[-1]


@pytest.mark.parametrize(
    ("after_s", "turned", "marks"),
    [(GAP_S + 0.01, 0.0, 0.0), (30.0, 0.0, 0.0), (-0.5, 0.0, 0.0), (1 / 30, 0.5, 0.0), (1 / 30, 0.0, 0.1)],
    ids=["pause", "absence", "time goes back", "another pose", "another face"],
)
def test_history_begins_again(predictor, rest, after_s, turned, marks):
    t_s, features = in_motion(predictor, rest)
    features, t_s = features.copy(), t_s + after_s
    features[YAW] += turned
    landmarks = rest.landmarks + np.float32(marks)
    leads = []
    for _ in range(10):
        led, led_marks = predictor.ahead(features, landmarks, t_s)
        leads.append(max(np.abs(led - features).max(), np.abs(led_marks - landmarks).max()))
        t_s += 1 / 30
    assert leads[0] == 0  # as it was read
    assert max(leads) < 0.05 and np.abs(np.diff(leads)).max() < 0.03  # a face that holds still stays so


def test_the_lead_grows_in_proportion_to_the_time_since_the_face_came(predictor, rest, monkeypatch):
    # Beside one that leads in full at once. The head turns fastest 1.4 s after the beginning of ``turning``.
    since_s = np.arange(0, 0.6, 1 / 30)
    features = turning(1.3 + since_s, rest)
    moved = (lead(predictor, since_s, features, rest.landmarks) - features)[:, YAW]
    monkeypatch.setattr("rena_ros.behaviour.prediction.FADE_S", 1e-9)
    whole = (lead(Predictor(horizon_s=0.08), since_s, features, rest.landmarks) - features)[:, YAW]
    assert np.abs(whole).max() > 0.005
    np.testing.assert_allclose(moved, np.minimum(since_s / FADE_S, 1) * whole, atol=1e-6)


def test_a_short_pause_does_not_forget(predictor, rest):
    t_s, features = in_motion(predictor, rest)
    led, _ = predictor.ahead(features + 0.02 * (np.arange(len(READING_NAMES)) == YAW), rest.landmarks, t_s + 2.2 / 30)
    assert led[YAW] > features[YAW] + 0.02


def test_landmarks_that_stop_coming_begin_history_again(predictor, rest):
    t_s, features = in_motion(predictor, rest)
    led, landmarks = predictor.ahead(features, None, t_s + 1 / 30)
    assert landmarks is None and (led == features).all()


def test_a_repeated_stamp_leads_as_before(predictor, rest):
    t_s, features = in_motion(predictor, rest)
    first, again = (predictor.ahead(features, rest.landmarks, t_s)[0] for _ in range(2))
    assert (first == again).all() and first[YAW] > features[YAW]


def test_what_is_not_finite_comes_back_and_is_forgotten(predictor, rest):
    t_s, features = in_motion(predictor, rest)
    torn = features.copy()
    torn[JAW] = np.nan
    assert predictor.ahead(torn, rest.landmarks, t_s + 1 / 30)[0] is torn
    assert predictor.ahead(features, rest.landmarks, float("nan"))[0] is features
    led, landmarks = predictor.ahead(features, rest.landmarks, t_s + 2 / 30)
    assert np.isfinite(led).all() and np.isfinite(landmarks).all()


def test_a_reset_forgets_the_person(predictor, rest):
    t_s, features = in_motion(predictor, rest)
    trusted = predictor.trust[YAW]
    predictor.reset()
    assert predictor.trust[YAW] != trusted
    assert (predictor.ahead(features, rest.landmarks, t_s + 1 / 30)[0] == features).all()


def test_what_comes_true_is_trusted(predictor, rest):
    before = predictor.trust[YAW]
    times_s = np.arange(0, 5.5, 1 / 30)
    lead(predictor, times_s, turning(times_s, rest), rest.landmarks)
    assert predictor.trust[YAW] > before


def test_readings_of_another_shape_are_refused(predictor, rest):
    with pytest.raises(ValueError, match="55"):
        predictor.ahead(rest.features[:52], None, 0.0)


def test_another_model_is_refused():
    with pytest.raises(RenaError, match=r"rena\.onnx lacks horizon_s"):
        Predictor(share_path("models/rena.onnx"))
    with pytest.raises(RenaError, match="there is no model"):
        Predictor("/nowhere/sequence.onnx")
