"""Two pictures of a model on the validation month: predicted against actual minutes, and what is left over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ride_duration.data import LONGEST_MIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, GRID, ACCENT, BARS = "#1f2430", "#6b7280", "#e5e7eb", "#c2410c", "#0e7490"
MAP = "YlGnBu"


def predicted_against_actual(actual: np.ndarray[Any, Any], predicted: np.ndarray[Any, Any], title: str) -> Figure:
    """Give a density of rides over actual (x) and predicted (y) minutes, with the line of no error."""
    figure, axes = _page(title, width=6.4)
    limits = (0, LONGEST_MIN)
    density = axes.hexbin(
        actual, predicted, gridsize=60, extent=(*limits, *limits), bins="log", mincnt=1, cmap=MAP, linewidths=0
    )
    axes.plot(limits, limits, color=ACCENT, linewidth=1.2)
    axes.annotate("no error", (53, 53), (-4, 6), textcoords="offset points", color=ACCENT, ha="right", fontsize=9)
    middles, medians = _medians(actual, predicted)
    axes.plot(middles, medians, color=INK, linewidth=1.2, linestyle="--")
    axes.annotate(
        "median\nprediction",
        (middles[-1], medians[-1]),
        (2, -30),
        textcoords="offset points",
        color=INK,
        fontsize=9,
        ha="right",
        bbox={"facecolor": "white", "alpha": 0.6, "linewidth": 0, "pad": 1},
    )
    axes.set(xlim=limits, ylim=limits, xlabel="actual minutes", ylabel="predicted minutes", aspect="equal")
    bar = figure.colorbar(density, ax=axes, shrink=0.82, pad=0.03, format="{x:,.0f}")
    bar.set_label("rides", color=MUTED)
    bar.ax.tick_params(colors=MUTED, labelsize=8)
    bar.outline.set_visible(False)
    return figure


def residuals(actual: np.ndarray[Any, Any], predicted: np.ndarray[Any, Any], title: str) -> Figure:
    """Give the spread of predicted minus actual minutes, with bias and middle 90 %."""
    figure, axes = _page(title, width=7.2)
    errors = predicted - actual
    low, middle, high = np.quantile(errors, [0.05, 0.5, 0.95])
    bias = float(errors.mean())
    axes.axvspan(low, high, color=BARS, alpha=0.10, linewidth=0)
    axes.hist(errors, bins=120, range=(-30, 30), color=BARS, alpha=0.85)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.axvline(bias, color=ACCENT, linewidth=1.4)
    beside: dict[str, Any] = {
        "xycoords": axes.get_xaxis_transform(),
        "textcoords": "offset points",
        "fontsize": 9,
        "va": "top",
    }
    axes.annotate(f"bias {bias:+.2f} min", (bias, 1), (-6, -4), color=ACCENT, ha="right", **beside)
    axes.annotate(
        f"90 % of the rides:\n{low:+.1f} to {high:+.1f} min\nmedian {middle:+.1f} min",
        (high, 1),
        (8, -4),
        color=MUTED,
        linespacing=1.4,
        **beside,
    )
    axes.set(xlim=(-30, 30), xlabel="predicted minus actual minutes", ylabel="rides")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    return figure


def _page(title: str, *, width: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold", pad=10)
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=9, length=0)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure, axes


def _medians(
    actual: np.ndarray[Any, Any], predicted: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    edges = np.arange(0, LONGEST_MIN + 1, 5)
    where = np.digitize(actual, edges) - 1
    filled = [index for index in range(len(edges) - 1) if (where == index).any()]
    middles = np.array([(edges[index] + edges[index + 1]) / 2 for index in filled])
    return middles, np.array([np.median(predicted[where == index]) for index in filled])
