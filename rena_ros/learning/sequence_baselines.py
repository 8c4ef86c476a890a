"""What a model of sequences is measured against: constant velocity, and a Kalman filter with the same assumption."""

import numpy as np

from rena_ros.base.arrays import FloatArray

# Of the Kalman filter: the standard deviation of a reading, and the power of the white acceleration, in units / s^1.5,
# tuned on sequences of the training persons for the least error 80 ms ahead (`rena sequences evaluate` on them).
READING_SD, ACCELERATION = 0.03, 0.1


def constant_velocity(times_s: FloatArray, track: FloatArray, horizon_s: float) -> FloatArray:
    """Return each row of a track (n, c) led by the velocity of its last two frames, (n, c)."""
    velocity = np.zeros_like(track)
    velocity[1:] = np.diff(track, axis=0) / np.diff(times_s)[:, None]
    led: FloatArray = track + horizon_s * velocity
    return led


def kalman(
    times_s: FloatArray,
    track: FloatArray,
    horizon_s: float,
    reading_sd: float = READING_SD,
    acceleration: float = ACCELERATION,
) -> FloatArray:
    """Return each row of a track (n, c) as a constant-velocity Kalman filter expects it ``horizon_s`` later, (n, c).

    State: value and velocity of each channel; the velocity is disturbed by white acceleration (Bar-Shalom et al.,
    "Estimation with Applications to Tracking and Navigation", 2001, chapter 6). All channels share one covariance.
    """
    noise, power = reading_sd**2, acceleration**2
    state = np.stack([track[0], np.zeros_like(track[0])]).astype(np.float64)
    spread = np.array([[noise, 0.0], [0.0, 1.0]])
    led = np.empty(track.shape)
    led[0] = track[0]
    for k in range(1, len(track)):
        dt = times_s[k] - times_s[k - 1]
        step = np.array([[1.0, dt], [0.0, 1.0]])
        state = step @ state
        spread = step @ spread @ step.T + power * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        gain = spread[:, 0] / (spread[0, 0] + noise)
        state = state + gain[:, None] * (track[k] - state[0])
        spread = spread - np.outer(gain, spread[0])
        led[k] = state[0] + horizon_s * state[1]
    return led
