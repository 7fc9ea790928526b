"""OHIF in a browser: a study is opened, and its series shown side by side."""

from __future__ import annotations

from tests.label.browser import Browser

_PANES = "document.querySelectorAll('[data-cy=viewport-pane]')"
_THUMBNAIL = "[...document.querySelectorAll('[data-cy=study-browser-thumbnail]')].find(e => e.innerText.includes('{}'))"
_NOTICE = "[...document.querySelectorAll('button')].filter(e => e.innerText.includes('Confirm')).map(e => e.click())"
# part of a canvas that is brighter than a background
_BRIGHT = """(c => {{const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] > 60; return 4 * n / d.length}})(
{}[{}].querySelector('canvas'))"""


def open_study(browser: Browser, server: str, study: str, series: str) -> None:
    """Open a study, once it lists a series by its description, in two panes."""
    browser.open(f"{server}/ohif/viewer?StudyInstanceUIDs={study}")
    browser.wait_for(f"document.body && {_PANES}.length && {_THUMBNAIL.format(series)} && true")
    browser.value(_NOTICE)
    browser.wait_for(f"{_BRIGHT.format(_PANES, 0)} >= 0")
    browser.click("document.querySelector('[data-cy=Layout]')")
    browser.wait_for("document.querySelector('[data-cy=Layout-1-0]') && true")
    browser.click("document.querySelector('[data-cy=Layout-1-0]')")
    browser.wait_for(f"{_PANES}.length == 2")


def show_series(browser: Browser, pane: int, series: str, place: int) -> float:
    """Show the slice ``place``, from 1, of a series in a pane; returns the part of the pane that is no background."""
    browser.click(f"{_PANES}[{pane}]")
    browser.click(_THUMBNAIL.format(series), times=2)
    text = f"{_PANES}[{pane}].innerText"
    browser.wait_for(f"{text}.includes('{series}') && {text}.includes('(1/')")
    browser.click(f"{_PANES}[{pane}]")  # which then has the keys
    for reached in range(2, place + 1):
        browser.press_down()
        browser.wait_for(f"{text}.includes('({reached}/')")
    browser.wait_for(f"{_BRIGHT.format(_PANES, pane)} > 0.01")
    return float(browser.value(_BRIGHT.format(_PANES, pane)))
