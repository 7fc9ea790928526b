"""What the tests of the demo data share."""

from __future__ import annotations

import functools

import pytest

from bundle.demo import phantom, tissues


@pytest.fixture(scope="session", autouse=True)
def one_template():
    """The average head takes ten seconds to make; it is made once."""
    with pytest.MonkeyPatch.context() as patch:
        made_once = functools.cache(tissues.template_head)
        for module in (phantom, tissues):
            patch.setattr(module, "template_head", made_once)
        yield
