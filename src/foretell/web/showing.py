"""The page itself: files of the package, nothing from outside, and a way in where a token is asked for."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import FileResponse, Response

from ..errors import RefusedError
from .description import refusals
from .guard import COOKIE, Guard

_KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
_ALWAYS_ASKED = {"cache-control": "no-cache"}
FOLDER = Path(str(resources.files("foretell.web") / "page"))
FILES = {path.name: path for path in sorted(FOLDER.iterdir()) if path.suffix in _KINDS} if FOLDER.is_dir() else {}
PUBLIC = ("/", "/v1/session", *(f"/page/{name}" for name in FILES), "/page/plotly.js")


class Entry(BaseModel):
    """A token, as a person gives it."""

    token: str = Field(max_length=1000)


def showing(guard: Callable[[], Guard], about: Callable[[], dict[str, Any]]) -> APIRouter:
    """The routes of the page.

    Args:
        guard: Knows the token.
        about: What the page should know of the service.
    """
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    def index() -> FileResponse:
        return _file("index.html")

    @router.get("/page/{name}", include_in_schema=False)
    def file(name: str) -> FileResponse:
        if name == "plotly.js":
            return FileResponse(_plotly(), media_type=_KINDS[".js"], headers=_ALWAYS_ASKED)
        return _file(name)

    @router.post("/v1/session", responses=refusals(413, 422))
    def open_session(given: Entry, response: Response) -> dict[str, bool]:
        """Keeps the token in this browser, out of reach of any script."""
        if guard().token is None:
            return {"open": True}
        if not guard().knows(given.token.strip()):
            raise RefusedError(401, "this is not the token of the service")
        response.set_cookie(COOKIE, quote(given.token.strip(), safe=""), httponly=True, samesite="strict", path="/")
        return {"open": True}

    @router.get("/v1/about", responses=refusals())
    def tell_about() -> dict[str, Any]:
        """What the page should know: where runs are, which extras are installed."""
        return about()

    return router


def _file(name: str) -> FileResponse:
    if name not in FILES:
        raise RefusedError(404, f"the page has no file {name[:60]}")
    return FileResponse(FILES[name], media_type=_KINDS[FILES[name].suffix], headers=_ALWAYS_ASKED)


def _plotly() -> Path:
    """What draws figures, as the installed package has it."""
    return Path(str(resources.files("plotly") / "package_data" / "plotly.min.js"))
