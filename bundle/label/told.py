"""How a client is told of a mistake: in one sentence, by FastAPI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from monailabel.interfaces.exception import MONAILabelException

from ..errors import first_bundle_error

__all__ = ["tell_of_no_json", "told_to_the_client"]


def tell_of_no_json(app: FastAPI) -> None:
    """Answer a form whose ``params`` are no JSON in one sentence, too: MONAI Label reads them before it asks us."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        text = error.doc if isinstance(error, json.JSONDecodeError) else ""
        return JSONResponse({"detail": f"{text[:60]!r} is no JSON: {error}."}, 400)

    app.add_exception_handler(json.JSONDecodeError, answer)


@contextmanager
def told_to_the_client() -> Iterator[None]:
    """Turn mistakes into answers with one sentence, as FastAPI sends them: 400, or 404 where there is no such model."""
    try:
        yield
    except HTTPException:
        raise
    except MONAILabelException as error:
        raise HTTPException(404, error.msg) from error
    except Exception as error:  # MONAI wraps what happens while it builds a component
        if sentence := first_bundle_error(error):
            raise HTTPException(400, sentence) from error
        raise
