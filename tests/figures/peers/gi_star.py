"""Gi* of a square map by esda and by numpy: for each line of the input one timed run, answered by its wall and CPU seconds.

usage: gi_star.py FOLDER SIDE; FOLDER/values.f64 holds the values row by row, answers go to FOLDER/<name>.f64.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
folder, side = Path(sys.argv[1]), int(sys.argv[2])
values = np.fromfile(folder / "values.f64", dtype="<f8")
square = values.reshape(side, side)


def three(rows):
    """Sums of each row of numbers with its neighbours above and below."""
    sums = rows.copy()
    sums[1:] += rows[:-1]
    sums[:-1] += rows[1:]
    return sums


# How many cells a neighbourhood has depends on the map alone, so it is not timed.
COUNTS = three(three(np.ones((side, side))).T).T


def with_numpy():
    """The formula with sums over rows, then over columns: no list of neighbours at all."""
    n, mean = square.size, square.mean()
    deviation = np.sqrt(np.square(square).mean() - mean * mean)
    sums = three(three(square).T).T
    return (sums - mean * COUNTS) / (deviation * np.sqrt((n * COUNTS - COUNTS * COUNTS) / (n - 1)))


def beside(cell):
    y, x = divmod(cell, side)
    near = ((y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx)
    return [v * side + u for v, u in near if 0 <= v < side and 0 <= u < side]


lists = None


def weights():
    from libpysal.weights import W

    return W(lists, silence_warnings=True)


def with_esda(permutations):
    from esda.getisord import G_Local

    def run():
        # The lists of neighbours become weights in the timed part, as names become places in ours.
        result = G_Local(values, weights(), transform="B", star=True, permutations=permutations, seed=1)
        return result.p_sim if permutations else result.Zs

    return run


RUNS = {"numpy": with_numpy, "esda": with_esda(0), "esda-999": with_esda(999)}

for line in sys.stdin:
    name = line.strip()
    if name != "numpy" and lists is None:
        lists = {cell: beside(cell) for cell in range(values.size)}
        RUNS["esda"]()  # imports and caches are not the method's cost
    run, repeats = RUNS[name], 0
    wall, cpu = time.perf_counter(), time.process_time()
    while repeats == 0 or time.perf_counter() - wall < 0.3:
        answer, repeats = run(), repeats + 1
    wall, cpu = (time.perf_counter() - wall) / repeats, (time.process_time() - cpu) / repeats
    np.asarray(answer, dtype="<f8").ravel().tofile(folder / f"{name}.f64")
    print(wall, cpu, flush=True)
