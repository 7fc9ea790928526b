"""A table of cells, and how it is written: Markdown for GitHub, LaTeX for a paper, HTML for the report, CSV for work.

Text is plain everywhere and escaped here, for the format it goes to. Wide tables are broken into blocks of whole column
groups, one below the other, so that they fit a page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from .outputs import write_text

__all__ = ["MARK", "MISSING", "Cell", "RenderedTable", "aligned"]

MISSING, MARK = "–", "†"  # no result yet; significantly different
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
        name, title, notes: of its files; above and below it.
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
        """A ``table*`` float for each piece, the notes below the last; they need the package booktabs."""
        text, title, label = (
            "% needs \\usepackage{booktabs}\n",
            _latex(self.title),
            re.sub(r"[^A-Za-z0-9]+", "-", self.name),
        )
        for number, block in enumerate(self._blocks()):
            names = {"caption": f"{title} (continued)"} if number else {"caption": title, "label": f"tab:{label}"}
            text += _latex_float(block, **names)
        notes = self._legend(r"\textbf{Bold}: best of a column; \underline{underlined}: second best.", _latex)
        below = "".join(f"{note}\\par\n" for note in notes)
        below = f"\\par\\smallskip\n\\begin{{minipage}}{{\\textwidth}}\\raggedright\n{below}\\end{{minipage}}\n"
        return text.removesuffix("\\end{table*}\n") + below + "\\end{table*}\n"

    def html(self) -> str:
        """A ``<table>`` for each piece, with texts of class ``best`` and ``second``; without title and notes."""
        ranks = {rank: f'<span class="{rank}">%s</span>' for rank in ("best", "second")}
        texts = (_styled(block, html.escape, ranks).to_html() for block in self._blocks())
        return "\n".join(re.sub(r'(?s)<style.*</style>\s*<table id="\w*"', "<table", text) for text in texts)

    def csv(self) -> str:
        """Numbers in full; empty where there is none."""
        return self.values.to_csv(index=False, lineterminator="\n")

    def write(self, folder: Path) -> None:
        """Write ``NAME.md``, ``NAME.tex`` and ``NAME.csv``; BundleError where a file cannot be written."""
        for suffix, text in ((".md", self.markdown()), (".tex", self.latex()), (".csv", self.csv())):
            write_text(folder / (self.name + suffix), text)

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


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as Markdown, the second being the rule; columns are aligned, so that it reads in a terminal."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def _markdown_block(block: pd.DataFrame) -> str:
    left, labels = block.index.nlevels, block.index.to_frame(index=False).map(_markdown)
    if left > 1:  # a section is named once
        labels[0] = labels[0].mask(labels[0] == labels[0].shift(), "")
    heads = [_markdown("\n".join(head) if isinstance(head, tuple) else head) for head in block.columns]
    lines = [["", block.columns.names[-1]][-left:] + heads, [":---"] * left + ["---:"] * len(heads)]
    cells = block.map(lambda cell: {"best": "**%s**", "second": "*%s*"}.get(cell.rank, "%s") % _markdown(str(cell)))
    return aligned(lines + np.hstack([labels, cells]).tolist())


def _markdown(text: str) -> str:
    return MARKDOWN_SPECIAL.sub(r"\\\g<0>", text).replace("\n", "<br>")


def _latex_float(block: pd.DataFrame, **names: str) -> str:
    style, left = _styled(block, _latex, {"best": r"\textbf{%s}", "second": r"\underline{%s}"}), block.index.nlevels
    where = {"environment": "table*", "position": "tp", "position_float": "centering", "hrules": True, **names}
    columns = "l" * left + "r" * block.shape[1]
    text = style.to_latex(column_format=columns, multicol_align="c", multirow_align="naive", **where)
    if block.columns.nlevels > 1:  # a rule below each group's name
        ends = left + block.columns.get_level_values(0).value_counts(sort=False).cumsum()
        rules = " ".join(rf"\cmidrule(lr){{{start + 1}-{end}}}" for start, end in zip([left, *ends], ends))
        text = text.replace("\\\\\n", f"\\\\\n{rules}\n", 1)
    return text.replace("\\begin{tabular}", "\\footnotesize\n\\setlength{\\tabcolsep}{4pt}\n\\begin{tabular}")


def _latex(text: str) -> str:
    return text.translate(str.maketrans(LATEX))


def _styled(block: pd.DataFrame, escape: Callable[[str], str], ranks: Mapping[str, str]) -> Styler:
    def text(value: object) -> str:
        return ranks.get(getattr(value, "rank", ""), "%s") % escape(str(value))

    return Styler(block, uuid="", cell_ids=False).format(text).format_index(text, axis=0).format_index(text, axis=1)
