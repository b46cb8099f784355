"""One self-contained page: a template, one style sheet, pictures as data, and a policy that allows nothing else.

    render("sheet.html", title="Mira", rows=rows)
    data_uri(picture, side=160)      # "data:image/jpeg;base64,..."

Every value that a template shows is escaped by Jinja; a value that a template asks for and does not get is an error.
"""

from __future__ import annotations

import base64
import hashlib
import io
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from zirelia.domain.value import printable

if TYPE_CHECKING:
    from jinja2 import Environment
    from PIL.Image import Image

_TEMPLATES = "templates"
_QUALITY = 84


def render(template: str, **values: object) -> str:
    """The page as text, ASCII alone, so that no wrong guess at its encoding can change a letter."""
    style = _style()
    page = _environment().get_template(template).render(values | {"style": style, "policy": _policy(style)})
    return page.encode("ascii", "xmlcharrefreplace").decode("ascii")


def data_uri(image: Image, *, side: int) -> str:
    """The picture as a JPEG whose longest side is `side` pixels at most; without metadata."""
    from PIL import Image as Pictures

    small = image.convert("RGB")
    small.thumbnail((side, side), Pictures.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _policy(style: str) -> str:
    """Nothing may be loaded, run or sent; only this very style sheet counts, so that no other one can be slipped in."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _style() -> str:
    return files(__package__).joinpath(_TEMPLATES, "style.css").read_text(encoding="ascii")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def load(name: str) -> str:
        return files(__package__).joinpath(_TEMPLATES, name).read_text(encoding="utf-8")

    def clean(value: object) -> object:
        return printable(value) if isinstance(value, str) and type(value) is str else value

    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(load),
        finalize=clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
