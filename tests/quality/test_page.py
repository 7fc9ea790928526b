"""The page and the command: nothing loaded from elsewhere, the worst first, nothing half written."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from bundle.__main__ import main
from bundle.quality import cohort, judge, write_page


class References(HTMLParser):
    """All that a page refers to, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "srcset", "action", "data", "poster")]


@pytest.fixture
def known(examined, monkeypatch):
    """The command does not examine again what was examined."""
    monkeypatch.setattr(cohort, "examine", lambda item, *_: {**examined[item["subject"]], "list": item.get("list", "")})


def quality(*arguments: object) -> int:
    return main(["quality", *map(str, arguments)])


def test_the_command_writes_a_page_with_the_worst_pairs_first_and_their_numbers(pairs, tmp_path, known, capsys):
    page = tmp_path / "sheet.html"
    assert quality(pairs, "--output", page, "--workers", 1) == 0
    text = page.read_text(encoding="utf-8")
    order = [name.split(",")[0] for name in re.findall(r"<h3>([^<]+)<", text)]
    assert set(order[:2]) == {"mirrored", "other"} and set(order[2:]) == {"none", "far"}
    table = pd.read_csv(page.with_suffix(".csv"))
    assert (
        table["subject"].tolist() == ["damaged", *order] and table["flags"].notna().tolist() == [True] * 3 + [False] * 2
    )
    assert table["suspicion"].dropna().is_monotonic_decreasing
    assert text.index("damaged-T1.nii.gz cannot be read") < text.index('id="flagged"')
    said = capsys.readouterr().out
    assert "5 pairs, 3 of them flagged or not examined" in said and "mirrored: " in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet.csv", "sheet.html"]


def test_the_page_loads_nothing_and_escapes_names(examined, tmp_path):
    records = [{**examined["none"], "subject": "<script>alert(1)</script>"}, examined["other"], examined["damaged"]]
    write_page(judge(records), ["<b> has no T2"], "<i>", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    found = References(text).found
    assert sum(one.startswith("data:image/jpeg;base64,") for one in found) == 2
    assert all(one.startswith(("data:image/", "#")) for one in found)
    assert "<script" not in text and "url(" not in text and "@import" not in text
    assert "&lt;script&gt;" in text and "&lt;b&gt; has no T2" in text


def test_pictures_that_are_not_flagged_take_a_few_kilobytes(examined):
    assert len(examined["none"]["small"]) < 16_000 and len(examined["none"]["large"]) < 160_000


def test_a_page_that_is_there_is_replaced_only_when_asked(pairs, tmp_path, known, capsys):
    page = tmp_path / "sheet.html"
    page.with_suffix(".csv").write_text("mine")
    assert quality(pairs, "-o", page, "--workers", 1) == 1
    assert "sheet.csv is there already" in capsys.readouterr().err and not page.exists()
    assert quality(pairs, "-o", page, "--workers", 1, "--overwrite") == 0
    assert page.with_suffix(".csv").read_text() != "mine"


def test_a_list_of_pairs_is_never_replaced_by_the_sheets_numbers(tmp_path, capsys):
    pairs = tmp_path / "quality.csv"
    pairs.write_text("subject,t1,t2\n")
    assert quality(pairs, "--overwrite") == 1
    assert "lists the pairs, and would be replaced" in capsys.readouterr().err
    assert pairs.read_text() == "subject,t1,t2\n"


def test_mistakes_are_one_sentence_and_leave_nothing(pairs, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for arguments, words in (
        ((pairs, "-o", tmp_path / "sheet.pdf"), "named .html"),
        ((pairs, "-o", tmp_path / "file" / "sheet.html"), "give another --output"),
        (("~nobody/pairs", "-o", tmp_path / "sheet.html"), "does not exist"),
        ((tmp_path / "file", "-o", tmp_path / "sheet.html"), "is none"),
        ((pairs, "-o", tmp_path / "sheet.html", "--split", "best"), "has no list 'best'"),
        ((pairs, "-o", tmp_path / "sheet.html", "--cache", tmp_path / "file" / "kept"), "cannot be written"),
    ):
        assert quality(*arguments) == 1
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1 and said.startswith("Error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_page_of_nothing_but_failed_pairs_is_written(examined, tmp_path):
    write_page(judge([examined["damaged"]]), [], "x", tmp_path / "page.html")
    assert "Not examined" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_pair_whose_process_is_killed_is_listed_and_the_others_go_on(pairs, tmp_path, known, monkeypatch):
    def dies_once(function, calls, workers):
        for name, arguments in calls.items():
            yield name, None if name == "1" else function(*arguments)

    monkeypatch.setattr(cohort, "results", dies_once)
    assert quality(pairs, "-o", tmp_path / "sheet.html", "--workers", 2) == 0
    text = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert text.count("run again with fewer --workers") == 1 and "mirrored" in text


@pytest.mark.parametrize("workers", ["0", "-1", "two"])
def test_workers_are_a_whole_number_from_1_on(pairs, workers, capsys):
    with pytest.raises(SystemExit):
        quality(pairs, f"--workers={workers}")
    assert "no whole number from 1 on" in capsys.readouterr().err
