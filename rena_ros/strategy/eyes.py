"""Human blinks and movements of the gaze: their statistics as data, and generators without end. No clock.

Blinks. Rate: 17 a minute at rest, 26 in conversation, 4.5 while reading (Bentivoglio et al., "Analysis of blink rate
patterns in normal subjects", Movement Disorders 12, 1997). Intervals are highly skewed, most are short (Garcia et al.,
"Spontaneous interblink time distributions", IOVS 52, 2011); a log-normal distribution with the coefficient of variation
below is our assumption. The lid goes down within 66 ms and rests shut for about 8 ms in a spontaneous blink ("Kinematic
comparison of spontaneously generated blinks and voluntary blinks in normal adult subjects", search coil: voluntary
77.6 ms, which is 17.6 % longer, and 13.4 ms, 61.4 % longer); it goes up with a highest speed 40 to 47 % lower (Sforza
et al., "Spontaneous blinking in healthy persons", Ophthalmic and Physiological Optics 28, 2008), so about 1.8 times as
long. Spontaneous blinks vary most of all kinds (VanderWerf et al., "Eyelid movements", J. Neurophysiology 89, 2003).
47.6 % of blinks of normal subjects are complete (Ousler et al., "Blink patterns and lid-contact times in dry-eye and
normal subjects", Clinical Ophthalmology 8, 2014). The spreads, and the longer rest of some blinks, are assumptions.

Gaze. The duration of a saccade rises linearly with its amplitude, the main sequence (Bahill, Clark and Stark, "The main
sequence, a tool for studying human eye movements", Mathematical Biosciences 24, 1975): 2.2 ms a degree and 21 ms
(Carpenter, "Movements of the Eyes", 1988). 53 % of natural saccades are below 5 degrees, 83 % below 15 (Malinov et al.,
"Characteristics of saccades and vergence in two kinds of sequential looking tasks", Vision Research 40, 2000): an
exponential distribution with a mean of 7 degrees has 51 % and 88 %. Fixations last 0.2 to 0.35 s in reading, search and
viewing scenes (Rayner and Castelhano, "Eye movements", Scholarpedia 2, 2007); their distribution is exponential after a
refractory period (Harris et al., "The distribution of fixation durations in infants and naive adults", Vision Research
28, 1988). The refractory period is an assumption; so is the course of lids and eyes: least jerk.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.base.easing import least_jerk

BLINKS_A_MINUTE = {"rest": 17.0, "conversation": 26.0, "reading": 4.5}
INTERVAL_VARIATION = 0.6  # standard deviation / mean of the time from the end of a blink to the start of the next
MIN_INTERVAL_S = 0.3
CLOSING_S, CLOSING_STD_S = 0.066, 0.010
CLOSED_S = 0.030  # mean of an exponential distribution: most lids turn at once, some rest shut for long
OPENING_RATIO, OPENING_RATIO_STD = 1.8, 0.3  # duration of opening / of closing
COMPLETE_SHARE = 0.476
LEAST_DEPTH = 0.5  # of an incomplete blink

SACCADE_MEAN_RAD = float(np.radians(7.0))
SACCADE_BASE_S, SACCADE_S_PER_RAD = 0.021, 0.0022 / float(np.radians(1.0))
REACH_RAD = (float(np.radians(15.0)), float(np.radians(10.0)))  # yaw, pitch: beyond, the head turns (Malinov et al.)
FIXATION_S, REFRACTORY_S = 0.33, 0.15


@dataclass(frozen=True)
class Blink:
    """One blink: it begins at ``start_s``; the lids close, rest and open; ``depth``: the largest closure, in (0, 1]."""

    start_s: float
    closing_s: float
    closed_s: float
    opening_s: float
    depth: float = 1.0

    @property
    def end_s(self) -> float:
        """The time from which on the lids are as before."""
        return self.start_s + self.closing_s + self.closed_s + self.opening_s

    def closure(self, t_s: float) -> float:
        """Return how far the lids are shut at ``t_s``, 0 as without the blink to 1 shut."""
        closing, opening = (t_s - self.start_s) / self.closing_s, (self.end_s - t_s) / self.opening_s
        return self.depth * min(least_jerk(closing), least_jerk(opening))


@dataclass(frozen=True)
class Saccade:
    """One movement of the gaze, ``before`` -> ``after``, float64 (2,): yaw (+ left) and pitch (+ down) in rad."""

    start_s: float
    duration_s: float
    before: FloatArray
    after: FloatArray

    def gaze(self, t_s: float) -> FloatArray:
        """Return yaw and pitch at ``t_s``, float64 (2,) in rad; ``before`` until it starts, ``after`` from its end."""
        return self.before + least_jerk((t_s - self.start_s) / self.duration_s) * (self.after - self.before)


def draw_blink(start_s: float, rng: np.random.Generator, complete_share: float = COMPLETE_SHARE) -> Blink:
    """Return a human blink that begins at ``start_s``. ``complete_share``: of blinks that close the lids whole."""
    closing_s = CLOSING_S + CLOSING_STD_S * _bounded_normal(rng)
    opening_s = closing_s * (OPENING_RATIO + OPENING_RATIO_STD * _bounded_normal(rng))
    closed_s = float(rng.exponential(CLOSED_S))
    depth = 1.0 if rng.random() < complete_share else float(rng.uniform(LEAST_DEPTH, 1.0))
    return Blink(start_s, closing_s, closed_s, opening_s, depth)


def draw_blinks(
    rng: np.random.Generator,
    blinks_a_minute: float = BLINKS_A_MINUTE["rest"],
    complete_share: float = COMPLETE_SHARE,
    start_s: float = 0.0,
) -> Iterator[Blink]:
    """Yield blinks after ``start_s`` without end, one after the other. Raises ValueError for a rate not above 0."""
    if not blinks_a_minute > 0:
        raise ValueError(f"the rate of blinks must be above 0, not {blinks_a_minute}")
    spread = np.sqrt(np.log1p(INTERVAL_VARIATION**2))  # of the logarithm; its mean follows from the mean interval
    blink_s = CLOSING_S * (1 + OPENING_RATIO) + CLOSED_S
    interval_s = max(60.0 / blinks_a_minute - blink_s, MIN_INTERVAL_S)
    t_s = start_s
    while True:
        drawn_s = float(rng.lognormal(np.log(interval_s) - spread**2 / 2, spread))
        blink = draw_blink(t_s + max(drawn_s, MIN_INTERVAL_S), rng, complete_share)
        yield blink
        t_s = blink.end_s


def saccade_duration_s(amplitude_rad: float) -> float:
    """Return the duration of a saccade of this amplitude: the main sequence."""
    return SACCADE_BASE_S + SACCADE_S_PER_RAD * abs(amplitude_rad)


def draw_saccades(
    rng: np.random.Generator, fixation_s: float = FIXATION_S, start_s: float = 0.0, scale: float = 1.0
) -> Iterator[Saccade]:
    """Yield movements of the gaze after ``start_s`` without end; the first begins straight ahead, at (0, 0).

    ``fixation_s``: mean time between two. ``scale``: factor of all amplitudes, below 1 for small shifts; the gaze stays
    within ``scale`` times REACH_RAD. Raises ValueError when the mean is not above REFRACTORY_S.
    """
    if not fixation_s > REFRACTORY_S:
        raise ValueError(f"the mean fixation must be above {REFRACTORY_S} s, not {fixation_s}")
    t_s, gaze = start_s, np.zeros(2)
    while True:
        t_s += REFRACTORY_S + float(rng.exponential(fixation_s - REFRACTORY_S))
        target = _next_gaze(gaze, rng, scale)
        duration_s = saccade_duration_s(float(np.linalg.norm(target - gaze)))
        yield Saccade(t_s, duration_s, gaze, target)
        t_s, gaze = t_s + duration_s, target


def _next_gaze(gaze: FloatArray, rng: np.random.Generator, scale: float) -> FloatArray:
    """Return the end of a saccade from ``gaze`` within reach; straight ahead where chance finds none."""
    reach = scale * np.array(REACH_RAD)
    for _ in range(50):
        angle, amplitude = rng.uniform(0, 2 * np.pi), scale * rng.exponential(SACCADE_MEAN_RAD)
        target = gaze + amplitude * np.array([np.cos(angle), np.sin(angle)])
        if (np.abs(target) <= reach).all():
            return target
    return np.zeros(2)


def _bounded_normal(rng: np.random.Generator) -> float:
    """Return a draw of a standard normal distribution, cut at two standard deviations."""
    return float(np.clip(rng.standard_normal(), -2.0, 2.0))
