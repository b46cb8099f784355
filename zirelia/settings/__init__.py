"""Settings: one tree from .env, the environment and config/*.toml, in that order of strength.

    settings = load_settings()                  # ConfigurationError with every problem at once
    settings.image.backend                      # "auto"
    resolve_backends(settings)["image"].why     # "no Replicate key and no ZIRELIA_IMAGE_MODEL: the embedded pocket Flux"

Knows which backend a role would get and why; builds none (that is the studio's).
"""

from __future__ import annotations

from zirelia.settings.backends import Choice, Role, is_installed, resolve_backends
from zirelia.settings.conflicts import conflicts
from zirelia.settings.loading import load_settings
from zirelia.settings.pages import env_example, masked, settings_page
from zirelia.settings.tree import Settings

__all__ = [
    "Choice",
    "Role",
    "Settings",
    "conflicts",
    "env_example",
    "is_installed",
    "load_settings",
    "masked",
    "resolve_backends",
    "settings_page",
]
