"""A table of cells, and how it is written: Markdown for GitHub, LaTeX for a paper, HTML for the report, CSV for work.

Text is plain everywhere and escaped here, for the format it goes to. Wide tables are broken into blocks of whole column
groups, one below the other, so that they fit a page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

__all__ = ["MARK", "MISSING", "Cell", "RenderedTable"]

MISSING, MARK = "–", "†"  # no result yet; significantly different
PAGE_ROWS = 45  # of a LaTeX float; of a table that is longer each block is a float of its own
LATEX: dict[str, Any] = dict(zip("&%$#_{}[*–\n", [*r"\& \% \$ \# \_ \{ \} {[} {*} --".split(), " "]))
LATEX |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
MATHS = r"< > | \times \pm - \leq \geq \uparrow \downarrow ^\dagger ^\circ \alpha \beta \sigma \mu".split()
LATEX |= {character: f"${maths}$" for character, maths in zip("<>|×±−≤≥↑↓†°αβσµ", MATHS, strict=True)}
MARKDOWN_SPECIAL = re.compile(r"[\\`*_<>|~$#]|\[(?=\^)|\](?=\()")  # brackets only where a link or footnote begins


@dataclass(frozen=True)
class Cell:
    """``text``; ``rank``, ``best`` or ``second`` of its column or empty; ``marked``: significantly different."""

    text: str = MISSING
    rank: str = ""
    marked: bool = False

    def __str__(self) -> str:
        return self.text + MARK * self.marked


@dataclass(frozen=True)
class RenderedTable:
    """A table ready to be written.

    Args:
        name: of its files.
        title, notes: plain text; the notes are sentences that belong below it.
        frame: :class:`Cell`; its columns have two levels, group and label, and its index too, section and label. Either
            upper level may be empty text.
        values: what the CSV holds: plain numbers, in columns of their own.
        corner: heads the column of row labels.
        width: how many columns stand side by side on a page; a multiple of the columns of a group.
    """

    name: str
    title: str
    notes: Sequence[str]
    frame: pd.DataFrame
    values: pd.DataFrame
    corner: str = "Method"
    width: int = 6

    def markdown(self) -> str:
        """A heading, the table in as many pieces as it needs, and the notes as a list; for GitHub."""
        notes = self._legend("**Bold**: best of a column; *italic*: second best.", _markdown)
        blocks = map(_markdown_block, self._blocks())
        return "\n\n".join([f"### {_markdown(self.title)}", *blocks, "".join(f"- {note}\n" for note in notes)])

    def latex(self) -> str:
        """``table*`` floats; they need the package booktabs."""
        floats = [_latex_block(block) for block in self._blocks()]
        if len(self.frame) * len(floats) <= PAGE_ROWS:
            floats = ["\n\\par\\medskip\n".join(floats)]
        notes = self._legend(r"\textbf{Bold}: best of a column; \underline{underlined}: second best.", _latex)
        minipage = "\\begin{minipage}{\\textwidth}\\footnotesize\\raggedright\n%s\\end{minipage}"
        floats[-1] += "\n\\par\\smallskip\n" + minipage % "".join(f"{note}\\par\n" for note in notes)
        head = "\\begin{table*}[tp]\n\\centering\n\\caption{%s}\n\\footnotesize\n\\setlength{\\tabcolsep}{4pt}\n"
        title, label = _latex(self.title), rf"\label{{tab:{re.sub(r'[^A-Za-z0-9]+', '-', self.name)}}}"
        heads = [head % f"{title}{label}", *[head % f"{title} (continued)"] * (len(floats) - 1)]
        bodies = (f"{top}{body}\n\\end{{table*}}\n" for top, body in zip(heads, floats))
        return "% needs \\usepackage{booktabs}\n" + "".join(bodies)

    def html(self) -> str:
        """A ``<table>`` for each piece, with texts of class ``best`` and ``second``; without title and notes."""
        ranks = {"best": '<span class="best">%s</span>', "second": '<span class="second">%s</span>'}
        texts = (_styled(block, html.escape, ranks).to_html() for block in self._blocks())
        return "\n".join(re.sub(r'(?s)<style.*</style>\s*<table id="\w*"', "<table", text) for text in texts)

    def csv(self) -> str:
        """Numbers in full; empty where there is none."""
        return self.values.to_csv(index=False, lineterminator="\n")

    def _legend(self, legend: str, escape: Callable[[str], str]) -> list[str]:
        ranked = any(cell.rank for cell in self.frame.to_numpy().flat)
        return [legend] * ranked + [escape(note) for note in self.notes]

    def _blocks(self) -> list[pd.DataFrame]:
        """Pieces of the frame, without a level that is all empty; the corner names the columns."""
        frame = self.frame.rename_axis(columns=["", self.corner])
        for axis in (0, 1):
            if not any(frame.axes[axis].get_level_values(0)):
                frame = frame.droplevel(0, axis=axis)
        return [frame.iloc[:, start : start + self.width] for start in range(0, frame.shape[1], self.width)]


def _markdown_block(block: pd.DataFrame) -> str:
    left, labels = block.index.nlevels, block.index.to_frame(index=False).map(_markdown)
    if left > 1:  # a section is named once
        labels[0] = labels[0].mask(labels[0] == labels[0].shift(), "")
    heads = [_markdown("\n".join(head) if isinstance(head, tuple) else head) for head in block.columns]
    lines = [["", block.columns.names[-1]][-left:] + heads, [":---"] * left + ["---:"] * len(heads)]
    lines += np.hstack([labels, block.map(_markdown_cell)]).tolist()
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def _markdown_cell(cell: Cell) -> str:
    around = {"best": "**", "second": "*"}.get(cell.rank, "")
    return f"{around}{_markdown(cell.text)}{around}{MARK * cell.marked}"


def _markdown(text: str) -> str:
    return MARKDOWN_SPECIAL.sub(r"\\\g<0>", text).replace("\n", "<br>")


def _latex_block(block: pd.DataFrame) -> str:
    style = _styled(block, _latex, {"best": r"\textbf{%s}", "second": r"\underline{%s}"})
    left = block.index.nlevels
    columns = "l" * left + "r" * block.shape[1]
    text = style.to_latex(hrules=True, column_format=columns, multicol_align="c", multirow_align="naive")
    if block.columns.nlevels > 1:  # a rule below each group's name
        ends = left + block.columns.get_level_values(0).value_counts(sort=False).cumsum()
        starts = [left + 1, *(ends + 1)]
        rules = " ".join(rf"\cmidrule(lr){{{start}-{end}}}" for start, end in zip(starts, ends))
        text = text.replace("\\\\\n", f"\\\\\n{rules}\n", 1)
    return text.strip()


def _latex(text: str) -> str:
    return text.translate(str.maketrans(LATEX))


def _styled(block: pd.DataFrame, escape: Callable[[str], str], ranks: Mapping[str, str]) -> Styler:
    def label(text: object) -> str:
        return escape(str(text))

    def cell(value: object) -> str:
        return ranks.get(getattr(value, "rank", ""), "%s") % escape(str(value))

    return Styler(block, uuid="", cell_ids=False).format(cell).format_index(label, axis=0).format_index(label, axis=1)
