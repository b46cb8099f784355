"""What a LoRA file's tensor names and metadata say: which kind of adapter it is, and which base model it was trained for.

    refused_kind(["transformer.x.lora_A.weight", "transformer.x.dora_scale"])      # "DoRA"
    trained_for({"modelspec.architecture": "flux-1-dev/lora"})                      # "flux-1-dev"

Knows no files and no tensors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from zirelia.domain.value import printable

_KINDS = (
    ("DoRA", re.compile(r"\.(dora_scale|lora_magnitude_vector)(\.|$)")),
    ("LoKr", re.compile(r"\.lokr_")),
    ("LoHa", re.compile(r"\.hada_")),
    ("OFT", re.compile(r"\.b?oft_")),
    ("IA3", re.compile(r"\.(ia3_|on_input$)")),
    ("Tucker LoCon", re.compile(r"\.lora_mid(\.|$)")),
    ("full difference", re.compile(r"\.(diff|diff_b|set_weight)$")),
    ("learned norms", re.compile(r"\.[wb]_norm$")),
)
_BASE_KEYS = ("zirelia.base_model", "modelspec.architecture", "ss_base_model_version", "ss_sd_model_name", "base_model")
_LONGEST = 80


def refused_kind(names: Iterable[str]) -> str | None:
    """The name of an adapter that is no plain LoRA, or None."""
    known = list(names)
    return next((kind for kind, mark in _KINDS if any(mark.search(name) for name in known)), None)


def trained_for(metadata: Mapping[str, str]) -> str | None:
    """The base model that the file names, as it names it, without modelspec's "/lora"; None when it names none."""
    for key in _BASE_KEYS:
        said = printable(metadata.get(key, "")).strip().removesuffix("/lora")
        if said and said.lower() not in {"none", "unknown"}:
            return said[:_LONGEST]
    return None
