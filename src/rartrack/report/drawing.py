"""How plots look: style, colours, legends, and their way to disk, without a screen or matplotlib's global state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from rartrack.evaluation.scoreboard import Scoreboard
from rartrack.evaluation.scoring import Score
from rartrack.extras import need
from rartrack.outputs import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

COLOURS = ("#0b5fa5", "#d1495b", "#1b998b", "#e28413", "#7b4fa3", "#5aa9e6", "#8c6a3f", "#c65b9a", "#4f772d", "#3d405b")
OTHERS = "#b8bec8"
"""Of trackers beyond the tenth."""
INK, MUTED, GRID = "#1f2733", "#5d6878", "#e4e8ee"

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture everywhere
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": "#c3cad5",
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "path",
    "figure.facecolor": "white",
}
Colours = Mapping[str, str]


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let a function draw in the house's style; it raises InputError where matplotlib is not installed."""

    @wraps(draw)
    def drawn(*args: P.args, **options: P.kwargs) -> Figure:
        with need("matplotlib", "report").rc_context(STYLE):
            return draw(*args, **options)

    return drawn


def colours(boards: Collection[Scoreboard]) -> dict[str, str]:
    """Tracker -> colour, by rank on the first board that has it."""
    names = list(dict.fromkeys(score.tracker for board in boards for score in board.main))
    return {name: COLOURS[index] if index < len(COLOURS) else OTHERS for index, name in enumerate(names)}


def line_of(score: Score, palette: Colours) -> dict[str, Any]:
    """How a tracker's curve is drawn: ours bolder, partial results dashed."""
    return {
        "color": palette[score.tracker],
        "linewidth": 2.6 if _ours(score.tracker) else 1.5,
        "linestyle": (0, (4, 2)) if score.missing else "-",
        "zorder": 3 if _ours(score.tracker) else 2,
    }


def _ours(tracker: str) -> bool:
    return tracker.lower().startswith("rar")


def legend(
    axis: Axes, ranked: Sequence[tuple[float, Score]], palette: Colours, title: str, shown: int = 12, **where: Any
) -> None:
    """Name trackers with their figures, best first; at the right of the plot unless ``where`` says otherwise."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **line_of(score, palette)) for _, score in ranked[:shown]]
    labels = [f"{figure:.3f}  {score.tracker}{' *' if score.missing else ''}" for figure, score in ranked[:shown]]
    if not where:
        where = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
    drawn = axis.legend(handles, labels, title=title, alignment="left", handlelength=1.4, borderaxespad=0.2, **where)
    drawn.get_title().set(color=MUTED, fontsize="small")


def render(figure: Figure, name: str) -> dict[str, bytes]:
    """A figure as ``svg`` and as ``png``; of one name, the same figure gives the same bytes."""
    import matplotlib

    svg, png = BytesIO(), BytesIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(svg, format="svg", metadata={"Date": None})
        figure.set_layout_engine("none")  # it is laid out now, and that takes as long as drawing
        figure.savefig(png, format="png", dpi=150)
    return {"svg": svg.getvalue(), "png": png.getvalue()}


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write NAME.svg and NAME.png; returns their paths.

    Raises:
        InputError: the disk refuses.
    """
    paths = []
    for ending, content in render(figure, name).items():
        paths.append(folder / f"{name}.{ending}")
        replace_file(paths[-1], content)
    return paths


def new_figure(
    rows: int, columns: int, *, width: float, height: float, share: bool = False
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of rows x columns plots, each of the given inches, that no window ever shows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    return figure, [list(row) for row in axes]
