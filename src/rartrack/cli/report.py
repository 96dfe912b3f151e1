"""``rartrack report RESULTS_DIR --dataset NAME``: score raw results, ours or anybody's, without frames."""

from __future__ import annotations

import argparse
import shlex
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from rartrack.cli.names import listed
from rartrack.cli.numbers import count, positive
from rartrack.cli.streams import say
from rartrack.datasets import load_dataset
from rartrack.errors import InputError
from rartrack.evaluation.scoreboard import PROTOCOLS, Scoreboard, score_results
from rartrack.outputs import output_folder
from rartrack.report import catalogue, summaries
from rartrack.report.table import FORMATS, print_table
from rartrack.report.write import refuse_others, write_parts, write_report

_BOXES = {"0-based": 0, "1-based": 1}
_FORMATS = {"markdown": "md", "latex": "tex", "csv": "csv"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("results", metavar="RESULTS_DIR", type=Path, help="<tracker>/<sequence>.txt, x,y,w,h a line")
    parser.add_argument(
        "--dataset",
        required=True,
        metavar="NAME|DIR",
        help="a benchmark such as otb2015, or a folder; several by commas",
    )
    parser.add_argument("--data", metavar="DIR", help="where the benchmark lies; its annotations alone suffice")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write scores.csv, tables, plots and a page there")
    parser.add_argument(
        "--rules",
        metavar="A,B",
        help="toolkit, pysot, got10k, vot-toolkit or visible, as the data set has them (default: its own)",
    )
    parser.add_argument("--boxes", choices=_BOXES, help="what results count from, where no .json beside them says it")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="another than the data set's own")
    parser.add_argument("--trackers", metavar="A,B", help="these trackers only")
    parser.add_argument("--against", metavar="TRACKER", help="compare the others with this one (default: the best)")
    parser.add_argument("--sequences", metavar="A,B", help="these sequences only")
    parser.add_argument("--first", type=positive, metavar="N", help="only the first N frames of each sequence")
    parser.add_argument("--partial", action="store_true", help="score incomplete results too, marked with a star")
    parser.add_argument("--figure", metavar="A,B", help="only these figures: fig8, fig9, fig10, otb2015-curves, ...")
    parser.add_argument("--table", metavar="A,B", help="only these tables: table2, table3, otb2015-overall, ...")
    parser.add_argument("--format", choices=("terminal", *_FORMATS), default="terminal", help="of what is printed")
    parser.add_argument("--worst", type=count, default=12, metavar="N", help="sequences whose frames the page shows")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    figures, tables = listed("--figure", options.figure), listed("--table", options.table)
    if figures and options.output is None:
        raise InputError("--figure needs --output DIR to write to")
    with nullcontext() if options.output is None else output_folder(options.output) as folder:
        if folder is not None:
            refuse_others(folder, page=not (figures or tables))
        boards = _boards(options)
        for board in boards:
            for remark in board.remarks:
                say(f"rartrack: {remark}")
        if options.against and not any(score.tracker == options.against for board in boards for score in board.main):
            raise InputError(f"--against {options.against}: no such tracker among those scored")
        chosen = [catalogue.choose_table(name, boards, options.against) for name in tables]
        drawn = {name: catalogue.choose_figure(name, boards) for name in figures}
    for table in chosen or ([] if drawn else [summaries.overall(board) for board in boards]):
        if options.format == "terminal":
            print_table(table)
        else:
            print(FORMATS[_FORMATS[options.format]](table))
    if options.output is None:
        return
    if chosen or drawn:
        written = write_parts(boards, options.output, chosen, drawn)
    else:
        command = shlex.join(["rartrack", *options.arguments])
        written = write_report(boards, options.output, against=options.against, command=command, worst=options.worst)
    say(f"{len(written)} files written to {options.output}; {written[-1].name} last")


def _boards(options: argparse.Namespace) -> list[Scoreboard]:
    boards: list[Scoreboard] = []
    for name in listed("--dataset", options.dataset):
        board = score_results(
            options.results,
            load_dataset(name, options.data, listed("--sequences", options.sequences) or None),
            listed("--rules", options.rules),
            trackers=listed("--trackers", options.trackers) or None,
            given_origin=None if options.boxes is None else _BOXES[options.boxes],
            partial=options.partial,
            protocol=options.protocol,
            first=options.first,
        )
        # The same tracker is left out, or remarked on, once, not once a benchmark.
        said = {remark for earlier in boards for remark in earlier.remarks}
        if any(board.benchmark == earlier.benchmark for earlier in boards):
            raise InputError(f"--dataset {name}: a second data set called {board.benchmark}; report them one at a time")
        boards.append(replace(board, remarks=tuple(each for each in board.remarks if each not in said)))
    return boards
