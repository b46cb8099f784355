"""Takes secrets out of words that are about to leave the process: a log line, a message to a person.

    mask = Masking(settings)
    mask.text("401 for sk-proj-1234567890abcdef")        # "401 for ••••"
    mask.value({"password": "hunter2", "tries": 3})      # {"password": "••••", "tries": 3}: what JSON can hold

Two nets: the values of the settings' secrets, as they are and as URLs, Python and JSON write them; and what has the form of a
secret, whoever wrote it. The second one rather hides a harmless word than shows a key. Knows nothing of who reads.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote

from pydantic import BaseModel, SecretStr

from zirelia.domain.value import printable
from zirelia.settings import Settings

MASK = "••••"
LONGEST = 20_000
"""Characters of one text; the rest is cut off."""

_SHORTEST = 4
_LONG = 16
_DEEPEST = 8
_NAMES = r"api[_-]?key|access[_-]?key|private[_-]?key|token|secret|passwd|password|passphrase|authorization|credentials?"
_SECRET_NAME = re.compile(rf"(?i)(?:{_NAMES}|cookie|dsn|(?:database|webhook)_url)$")
_QUOTED = r"\"(?:[^\"\\]|\\.){0,2000}\"|'(?:[^'\\]|\\.){0,2000}'"
_FORMS = (
    (re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    # user and password of a URL; the digits of a port are none
    (
        re.compile(r"(?<=://)[^\s/:@]{0,200}:(?!\d{1,5}(?:[/?#\s]|$))[^\s@]{0,400}(?:@[^\s/@]{0,400}){0,8}(?=@)"),
        MASK,
    ),
    (re.compile(r"(?<=://)[^\s/:?#@]{1,400}(?=@)"), MASK),
    (re.compile(r"(?i)\b((?:set-)?cookie[\"']?\s*[:=]\s*)[^\n]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer\s+)[^\s\"',;]{6,}"), rf"\1{MASK}"),
    (
        re.compile(rf"(?i)((?:{_NAMES})[\"']?\s*[:=]\s*)(?:{_QUOTED}|(?:(?:basic|bearer|digest|token)\s+)?[^\s\"',;&}}\])]+)"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)(?<=[?&])((?:[\w-]{0,40}signature|key|sig|code|auth)=)[^&\s\"'#]+"), rf"\1{MASK}"),
    (re.compile(r"\b(?:sk|pk|r8|hf|xai|gsk|gh[oprsu]|pat|glpat|github_pat|xox[a-z]|xapp)[-_][A-Za-z0-9_*-]{12,}"), MASK),
    (re.compile(r"\b(?:AKIA|ASIA|AIza|ya29\.)[\w-]{12,}|\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"), MASK),
)


class Masking:
    """Knows the secrets of these settings, and PGPASSWORD, which PostgreSQL's library reads by itself."""

    def __init__(self, settings: Settings) -> None:
        found = {form for secret in _secrets(settings) for form in _written(secret)}
        # the longest first: one may hold another
        self._values = sorted((form for form in found if len(form) >= _SHORTEST), key=lambda form: (-len(form), form))

    def text(self, text: str) -> str:
        """The text without secrets, printable, and at most `LONGEST` characters."""
        # what cannot be written is replaced first: it could stand inside a secret and fall out later
        text = printable(text.encode("utf-8", "replace").decode())
        for value in self._values:
            text = text.replace(value, MASK)
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]}… and {len(text) - LONGEST} more characters"
        for form, mask in _FORMS:
            text = form.sub(mask, text)
        return text

    def value(self, value: object, *, depth: int = 0) -> object:
        """The same of a whole structure: objects become their words, numbers that JSON does not know too."""
        if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        if depth < _DEEPEST:
            if isinstance(value, dict):
                return {self.text(str(key)): self.field(str(key), one, depth=depth + 1) for key, one in value.items()}
            if isinstance(value, list | tuple | set | frozenset):
                return [self.value(one, depth=depth + 1) for one in value]
        return self.text(_words(value))

    def field(self, name: str, value: object, *, depth: int = 0) -> object:
        """The value of a field with that name, which may say by itself that it is a secret."""
        if _SECRET_NAME.search(name) and isinstance(value, str | bytes):
            return MASK
        return self.value(value, depth=depth)


def _words(value: object) -> str:
    try:
        return str(value)
    except Exception:  # whatever an object's own code does, the event is told
        return f"<{type(value).__name__}>"


def _secrets(settings: Settings) -> Iterator[str]:
    yield os.environ.get("PGPASSWORD", "")
    for name in Settings.model_fields:
        if name != "passed_on":
            yield from _found(getattr(settings, name))
    if settings.token_keys is not None:
        yield from _each(settings.token_keys.get_secret_value())
    for name, secret in settings.passed_on.items():
        said = secret.get_secret_value()
        # .env holds harmless names of other programs too, whose values are words such as `true`
        if _SECRET_NAME.search(name) or (len(said) >= _LONG and not re.search(r"\s", said)):
            yield said
        # and several keys in one value; of a list of harmless words none is so long
        yield from (one for one in _each(said) if len(one) >= _LONG and not re.search(r"\s", one))


def _each(several: str) -> Iterator[str]:
    """The single secrets of a setting that holds several, with commas or semicolons between."""
    yield from (one.strip() for one in re.split("[,;]", several))


def _found(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _found(getattr(value, name))


def _written(secret: str) -> Iterator[str]:
    """All the ways in which a secret may turn up."""
    for part in _parts(secret):
        yield from (part, printable(part), quote(part, safe=""), quote(part), quote_plus(part))
        yield from (repr(part)[1:-1], json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1])


def _parts(secret: str) -> Iterator[str]:
    """The secret, and of a URL its password, and the path of a webhook, in which its key stands."""
    yield secret
    for pattern in (r"://[^:/@]*:([^@]*)@", r"://[^:/@]*:(.*)@"):
        if (found := re.search(pattern, secret)) is not None:
            yield from (found[1], unquote(found[1]))
    for found in re.finditer(r"[?&]password=([^&\s]+)", secret):
        yield from (found[1], unquote(found[1]))
    if (found := re.match(r"https?://[^/]+(/.{7,})", secret)) is not None:
        yield found[1]
