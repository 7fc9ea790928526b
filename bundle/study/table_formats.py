"""A table of cells, and how it is written: Markdown for GitHub, LaTeX for a paper, HTML for the report, CSV for work.

Text is plain everywhere and escaped here, for the format it goes to. Wide tables are broken into blocks of whole column
groups, one below the other, so that they fit a page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

__all__ = ["MARK", "MISSING", "Cell", "RenderedTable"]

MISSING = "–"  # no result yet
MARK = "†"
PAGE_ROWS = 45  # of a LaTeX float; what is longer goes on in another
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "−": r"$-$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "†": r"$\dagger$",
    "°": r"$^\circ$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "σ": r"$\sigma$",
    "µ": r"$\mu$",
    "–": "--",
    "\n": " ",
    "[": "{[}",
    "*": "{*}",  # the last two would belong to the row's end that they follow
}
MATHS = {"±": r"\pm", "−": "-", "×": r"\times", "%": r"\%"}
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
class _Block:
    """Some column groups of a table: their labels and widths, the columns' labels, and rows.

    A row is a label and its cells; no cells where it heads the rows that follow.
    """

    groups: list[tuple[str, int]]
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]


@dataclass(frozen=True)
class RenderedTable:
    """A table ready to be written.

    Args:
        name: of its files.
        title: plain text.
        notes: sentences that belong below it, plain text.
        frame: :class:`Cell`; its columns have two levels, group and label, and its index too, section and label, where
            a section of several rows gets a row of its own as heading. Either upper level may be empty text.
        values: what the CSV holds: plain numbers, in columns of their own.
        corner: heads the column of row labels.
        width: how many columns fit side by side on a page; whole groups are kept together.
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
        parts = [f"### {_markdown(self.title)}", *(_markdown_block(self.corner, block) for block in self._blocks())]
        notes = [_markdown(note) for note in self.notes]
        if self._ranked():
            notes.insert(0, "**Bold**: best of a column; *italic*: second best.")
        return "\n\n".join(parts) + "\n\n" + "".join(f"- {note}\n" for note in notes)

    def latex(self) -> str:
        """``table*`` floats; they need the package booktabs."""
        floats = list(self._floats())
        legend = r"\textbf{Bold}: best of a column; \underline{underlined}: second best."
        notes = [legend] * self._ranked() + [_latex(note) for note in self.notes]
        lines = [r"% needs \usepackage{booktabs}"]
        for number, blocks in enumerate(floats):
            continued = " (continued)" if number else ""
            lines += [r"\begin{table*}[tp]", r"\centering", rf"\caption{{{_latex(self.title)}{continued}}}"]
            lines += [] if number else [rf"\label{{tab:{re.sub(r'[^A-Za-z0-9]+', '-', self.name)}}}"]
            lines += [r"\footnotesize", r"\setlength{\tabcolsep}{4pt}", *_latex_tabular(self.corner, blocks)]
            if notes and number == len(floats) - 1:
                lines += [r"\par\smallskip", r"\begin{minipage}{\textwidth}\footnotesize\raggedright"]
                lines += [*(f"{note}\\par" for note in notes), r"\end{minipage}"]
            lines += [r"\end{table*}"]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """A ``<table>`` for each piece, with cells of class ``best`` and ``second``; without title and notes."""
        return "\n".join(_html_block(self.corner, block, number) for number, block in enumerate(self._blocks()))

    def csv(self) -> str:
        """Numbers in full; empty where there is none."""
        return self.values.to_csv(index=False, lineterminator="\n")

    def _ranked(self) -> bool:
        return any(cell.rank for cell in self.frame.to_numpy().flat)

    def _blocks(self) -> list[_Block]:
        groups = [(name, len(list(members))) for name, members in groupby(self.frame.columns.get_level_values(0))]
        blocks, start, pending = [], 0, []
        for group in groups:
            if pending and sum(size for _, size in pending) + group[1] > self.width:
                blocks.append(self._block(pending, start))
                start += sum(size for _, size in pending)
                pending = []
            pending.append(group)
        return [*blocks, self._block(pending, start)]

    def _block(self, groups: list[tuple[str, int]], start: int) -> _Block:
        part = self.frame.iloc[:, start : start + sum(size for _, size in groups)]
        rows, section = [], ""
        for (heading, label), cells in zip(part.index, part.to_numpy().tolist(), strict=True):
            if heading != section:
                rows.append((heading, []))
                section = heading
            rows.append((label, cells))
        return _Block(groups, list(part.columns.get_level_values(1)), rows)

    def _floats(self) -> Iterator[list[_Block]]:
        """Blocks of one LaTeX float each."""
        pending: list[_Block] = []
        for block in self._blocks():
            if pending and sum(len(other.rows) for other in [*pending, block]) > PAGE_ROWS:
                yield pending
                pending = []
            pending.append(block)
        yield pending


def _markdown_block(corner: str, block: _Block) -> str:
    groups = [name for name, size in block.groups for _ in range(size)]
    heads = [_markdown(f"{group}\n{label}" if group else label) for group, label in zip(groups, block.columns)]
    lines = [[_markdown(corner), *heads]]
    for label, cells in block.rows:
        label = _markdown(label)
        lines.append([label, *map(_markdown_cell, cells)] if cells else [f"**{label}**", *[""] * len(heads)])
    widths = [max(3, *map(len, column)) for column in zip(*lines)]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    padded = [
        [line[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(line[1:], widths[1:]))] for line in lines
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in [padded[0], rule, *padded[1:]])


def _markdown_cell(cell: Cell) -> str:
    around = {"best": "**", "second": "*"}.get(cell.rank, "")
    return f"{around}{_markdown(cell.text)}{around}{MARK * cell.marked}"


def _markdown(text: str) -> str:
    return MARKDOWN_SPECIAL.sub(r"\\\g<0>", text).replace("\n", "<br>")


def _latex_tabular(corner: str, blocks: list[_Block]) -> list[str]:
    """One tabular, the blocks below each other; shorter ones are filled up."""
    width = max(len(block.columns) for block in blocks)
    lines = [rf"\begin{{tabular}}{{l*{{{width}}}{{r}}}}", r"\toprule"]
    for number, block in enumerate(blocks):
        lines += [r"\midrule[\heavyrulewidth]"] if number else []
        lines += _latex_heads(corner, block, width) + [r"\midrule"]
        for position, (label, cells) in enumerate(block.rows):
            if cells:
                lines.append(_latex_row([_latex(label), *map(_latex_cell, cells)], width))
            else:
                lines += [r"\addlinespace"] if position else []
                lines.append(_latex_row([rf"\textbf{{{_latex(label)}}}"], width))
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _latex_heads(corner: str, block: _Block, width: int) -> list[str]:
    heads = [_latex(corner), *map(_latex, block.columns)]
    if not any(name for name, _ in block.groups):
        return [_latex_row(heads, width)]
    names, rules, start = [""], [], 2
    for name, size in block.groups:
        names.append(rf"\multicolumn{{{size}}}{{c}}{{{_latex(name)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + size - 1}}}")
        start += size
    missing = [""] * (width - len(block.columns))
    return [" & ".join([*names, *missing]) + r" \\", " ".join(rules), _latex_row(heads, width)]


def _latex_row(texts: Sequence[str], width: int) -> str:
    return " & ".join([*texts, *[""] * (width + 1 - len(texts))]) + r" \\"


def _latex_cell(cell: Cell) -> str:
    mark = r"^{\dagger}" if cell.marked else ""
    if not re.search(r"\d", cell.text):
        return _latex(cell.text) + (f"${mark}$" if mark else "")
    number = re.sub(r"(?<=\d),(?=\d)", "{,}", cell.text)  # maths sets a space after every other comma
    for character, command in MATHS.items():
        number = number.replace(character, command)
    number = rf"$\mathbf{{{number}}}{mark}$" if cell.rank == "best" else f"${number}{mark}$"
    return rf"\underline{{{number}}}" if cell.rank == "second" else number


def _latex(text: str) -> str:
    return text.translate(str.maketrans(LATEX))


def _html_block(corner: str, block: _Block, number: int) -> str:
    width = len(block.columns)
    heads = [f'<th scope="col">{html.escape(label)}</th>' for label in block.columns]
    corner = f'<th scope="col">{html.escape(corner)}</th>'
    groups = [f'<th scope="colgroup" colspan="{size}">{html.escape(name)}</th>' for name, size in block.groups]
    head = [corner, *heads]
    if any(name for name, _ in block.groups):
        head = ["<td></td>", *groups, "</tr>\n<tr>", *head]
    gap = ' style="margin-top: 1.4rem"' if number else ""
    lines = [f"<table{gap}>", "<thead>", f"<tr>{''.join(head)}</tr>", "</thead>", "<tbody>"]
    for label, cells in block.rows:
        label = html.escape(label)
        if cells:
            lines.append(f'<tr><th scope="row">{label}</th>{"".join(map(_html_cell, cells))}</tr>')
        else:
            heading = f"<strong>{label}</strong>"
            lines.append(f'<tr class="section"><th scope="rowgroup" colspan="{width + 1}">{heading}</th></tr>')
    return "\n".join([*lines, "</tbody>", "</table>"])


def _html_cell(cell: Cell) -> str:
    kind = f' class="{cell.rank}"' if cell.rank else ""
    return f"<td{kind}>{html.escape(str(cell))}</td>"
