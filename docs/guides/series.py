"""
Alarms in a series
==================

Sensors and servers write many channels, and a fault lasts for some time. Windows of several lengths score each time
point. Alarms that are close in time become one event, which is narrowed to the points whose own values are unusual.
"""

# %%
# A series
# --------
#
# Rows are time points in order, columns are channels. The first part is normal. In the second part, a channel jumps.

import numpy as np

rng = np.random.default_rng(0)
time = np.arange(1200)
series = np.stack(
    [np.sin(time / 5), np.cos(time / 9)], axis=1
) + 0.05 * rng.standard_normal((1200, 2))
normal, later = series[:800], series[800:].copy()
later[200:220, 1] += 2.0

# %%
# Events
# ------

from isthmus import AnomalyDetector, SlidingWindows

detector = AnomalyDetector(
    SlidingWindows(lengths=(24, 48)), fpr=0.05, random_state=0
).fit(normal)
events = detector.events(later)
for event in events:
    print(event)

# %%
# Severity 1 means that the lowest score is as far beyond the threshold as the threshold is from a typical score. Events
# of a severity below 1 are often false alarms. "Expected if normal" is how many events at least as severe a normal
# series of this length has on average, at most. It counts such events in the series of ``fit``, and adds one: no event
# can have less than the length of the searched series as a share of that of ``fit``. The most severe one has nearly the
# points of the jump, 200 to 219, although all windows that contain a part of the jump have low scores:

worst = max(events, key=lambda event: event.severity)
scores = detector.score_samples(later)
print(f"event: {worst.start} to {worst.end}")
print(f"points with low scores: {np.sum(scores < detector.offset_)}")

# %%
# On the command line, ``--time`` names the column of times, which may be irregular. Each explained event comes with its
# values, and with the range of most values outside all events:
#
# .. code-block:: console
#
#    $ isthmus detect pump.csv --normal pump-january.csv --time timestamp --top 3 --plot events.png
#    wrote pump.alarms.csv: the worst 3 of 5 events, 176 of 2,016 time points
#    false alarms: 1 % of normal time points are asked for (--fpr), but neighbouring points depend on each other, and
#    4,320 points to learn from can guarantee only at most 7 % of normal time points on average; 1 % needs about 25,344
#    points and --fpr 0.01
#    expected if normal: the average number of events that are at least as severe in normal data of this length; it is
#    an upper limit, and more points to learn from make it smaller
#    2026-02-09 02:50 to 2026-02-10 00:50 (133 points), severity 36, expected if normal 0.47: temperature 49 to 61,
#    usually 43 to 56
#    2026-02-06 00:10 to 2026-02-06 06:40 (40 points), severity 8.45, expected if normal 0.47: flow 18.5 at 39 points in
#    a row
#    ...
#
# The file of alarms has a row for each event: its times, its severity, the channels that explain it, and in ``reasons``
# their values beside the usual ones. If the values are within the usual range, the reason says so: then their course
# is unusual, or their combination with the other channels. ``--top 3`` writes and explains the three most severe events
# only, and ``--exit-code`` ends with exit code 1 if there are events.
#
# Two rates of false alarms are printed. The first is asked for: ``--fpr``, by default 1 % of normal time points. The
# second is guaranteed on average, whatever the series. Points of a series depend on each other, so that n points tell
# as much as n / m independent ones; no rule can guarantee a rate below about m / n. More points to learn from lower it.
#
# Without ``--normal``, the file itself is learned from. Events in it make the threshold lower, so that even strong
# events can be missed: of the events above, only one is then found. A file of normal time points, and a longer one,
# finds more.

# %%
import matplotlib.pyplot as plt

from isthmus import plots

plots.events(detector, later)
plt.show()

# %%
# Is it good?
# -----------
#
# With labels of some time points, ``series_quality`` computes measures for ranges. Each is shown beside that of random
# scores, because some measures are high for random scores too.

from isthmus.metrics.series import series_quality

labels = (np.arange(400) >= 200) & (np.arange(400) < 220)
print(series_quality(labels, -detector.score_samples(later)))

# %%
# What goes wrong
# ---------------
#
# - **The series is short.** The rate ``fpr`` needs some independent stretches. The detector says which rate it
#   guarantees: ``fpr_``. The rate is an average over series.
# - **Values are missing.** The other values are scored. ``isthmus detect`` names a channel without values for a long
#   time: "dead sensor? flow has no value at 112 points from 2026-02-17 08:00 on".
#   For a method that accepts no gaps, :class:`isthmus.SeriesImputer` fills them from other times and channels
#   (``isthmus fit --time`` and ``isthmus impute``).
# - **The normal part is not normal.** A fault in the training rows is learned. Look at it first.
# - **Alarms cover many points.** ``predict`` calls all points alarms whose windows contain something unusual;
#   ``events``, ``isthmus detect`` and ``isthmus score`` are narrower. Give shorter windows, such as
#   ``SlidingWindows(lengths=(12, 36))`` or ``--lengths 12,36``. More of them fit into the training part, too, so that
#   ``fpr_`` comes nearer to ``fpr``.
# - **A weak event close to a strong one is missed.** Within one window of a point, values that are less than a tenth
#   as unusual are not part of an event. Others count if their scores without the strong event are alarms, too.
# - **The start of a slow drift is cut off.** For the same reason, points count from where they are a tenth as unusual
#   as the most unusual ones. Squared distances are compared, so this is about a third of the largest deviation: a drift
#   of 200 points over 10 degrees is an event from its 70th point on. Look at the values before the start of such an
#   event.
# - **A few values outside the range raise no alarm.** A score is about all values of a window. With ``--normal`` or
#   ``--detector``, ``isthmus detect`` names such values: "without an alarm: power -8.11 at 8 points".
# - **A sensor is stuck.** Nets reconstruct a constant that is a usual value well, so that there may be no alarm. With
#   ``--normal`` or ``--detector``, ``isthmus detect`` names it: "stuck sensor? head is 17.8 at 16 points, learned from
#   at most 2 equal values in a row". ``--exit-code`` counts stuck and dead sensors, too.
# - **An event names the wrong sensor.** Nets expect the values of related sensors from each other, so that a broken
#   heating may look like a wrong outdoor temperature. Sensors whose values lie outside those learned from are named
#   too; look at all sensors of an event.
# - **Seasons are longer than windows.** Add a window of the length of the season: ``lengths``.
# - **Point-adjusted scores.** They count a whole event as found after one lucky point, and random scores look good.
#
# See :class:`isthmus.SlidingWindows`, :func:`isthmus.plots.events` and :mod:`isthmus.metrics`.
