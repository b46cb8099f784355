"""A new persona pack to fill in: a persona.yaml that is complete, commented, and loads as it is.

    new_persona("noor", Path("persona/noor"))      # → persona/noor/persona.yaml

Writes words only: pictures and weights come from a dataset and a training.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from zirelia.definitions.personas import FILE
from zirelia.errors import ConfigurationError

_SLUG = re.compile(r"^[a-z][a-z0-9-]{0,39}$")

ROUTINE = """\
# What the character does when, by the clock of its own time zone. The planner chooses among these.
routine:
  - name: morning
    start_hour: 7
    end_hour: 12
    activities: [has a first coffee, plans the day]
    scenes: [cafe, kitchen]
    light: daylight
  - name: day
    start_hour: 12
    end_hour: 18
    activities: [works at a desk, walks around the block]
    scenes: [studio, park, city street]
    light: daylight
  - name: evening
    start_hour: 18
    end_hour: 23
    activities: [takes the long way home, reads]
    scenes: [city street, library]
    light: golden hour
"""

CADENCE = """\
# When posts appear. MIN_DAILY_POSTS, MAX_DAILY_POSTS and TIMEZONE in .env replace the first three.
cadence:
  timezone: UTC
  min_daily: 1
  max_daily: 1
  # country: PT       # whose public holidays are known
  # holiday_max_daily: 1 # the most posts on one of them
  # rest_days: [7]    # 1 is Monday
  # min_gap_minutes: 120
  # spread: { shape: triangular, width: 0.8 } # towards the middle of each window
  windows:
    - { name: morning, start: 08:30, end: 10:00 }
    - { name: evening, start: 18:30, end: 20:00 }
  # events:           # on that day the planner hears of the topic; with start and end there is one post more
  #   - { name: book-fair, day: 2027-05-29, topic: the book fair in the park, start: 16:00, end: 17:00 }
  # blackouts:        # days without any post
  #   - { start: 2027-08-01, end: 2027-08-14, because: summer break }
"""

_TEMPLATE = """\
# A persona pack. Every key is explained in docs/persona.md; check a change with: zirelia persona check @NAME@

name: @NAME@
display_name: @DISPLAY@
kind: illustrated # or photographic: chooses how the identity is measured
age: 25
bio: One or two sentences that say who this is and what a reader comes back for.

voice:
  tone: [warm, plain]
  style: Short sentences. One concrete detail, then one thought about it.
  catchphrases: []
  avoid: [blessed, link in bio]
  examples: # whole posts; three or four of them teach the voice best
    - Rain on the window and a second coffee. Some mornings ask for nothing, so I gave this one nothing.
  language: en
  emoji: few
  hashtags: []

look:
  noun: woman
  traits: # the constants: a prompt says the phrase when no LoRA carries it, and never says a contradiction
    - feature: hair
      value: short, brown
      phrase: short brown hair
      synonyms: [brown hair]
      contradictions: [long hair, blonde, black hair, red hair]
    - feature: eyes
      value: green
      phrase: green eyes
      contradictions: [blue eyes, brown eyes]
  style: flat illustration, soft colours
  wardrobe: [green sweater, white t-shirt, black blazer]

# After a training: the word that calls up the face, and the weights inside this folder.
# lora:
#   trigger: @TRIGGER@
#   weights: lora/@NAME@.safetensors
#   scale: 1.0

# Pictures of the character that every new one is compared with, inside this folder.
references: []

# Before there is a training: give these pictures to an edit model with every prompt.
# identity: references

# A real person's likeness needs person, scope, expires and document_sha256 instead.
consent:
  fictional: true

@ROUTINE@
# How often a topic is chosen, relative to the others.
interests:
  - { topic: small things seen in the street, weight: 2 }
  - { topic: coffee and books, weight: 1 }

@CADENCE@
boundaries:
  topics: [politics, religion, medicine, investment]
  images: [nudity, weapons, alcohol, children, logos of real brands, real people]

channels: [folder]

disclosure:
  visible_line: @DISPLAY@ is a virtual character, made with AI.
"""


def new_persona(name: str, target: Path) -> Path:
    """Writes a pack of that name into the folder `target` and answers the path of its persona.yaml.

    Raises ConfigurationError for a name that is none, or when the folder has a pack already.
    """
    checked_name(name)
    display = " ".join(part.capitalize() for part in name.split("-") if part)
    fields = {"NAME": name, "DISPLAY": display, "TRIGGER": trigger_for(name), "ROUTINE": ROUTINE, "CADENCE": CADENCE}
    write_pack(re.sub(r"@([A-Z]+)@", lambda match: fields[match.group(1)], _TEMPLATE), target)
    return target / FILE


def checked_name(name: str) -> str:
    """The same name. Raises ConfigurationError when a pack cannot have it."""
    if not _SLUG.fullmatch(name):
        raise ConfigurationError(
            f"'{name}' cannot be a persona's name", hint="use lower-case letters, digits and dashes, a letter first"
        )
    return name


def write_pack(text: str, target: Path) -> None:
    """Puts persona.yaml and its empty folders into `target`; never over a file that is there."""
    try:
        for folder in (target, target / "references", target / "lora"):
            folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(target / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigurationError(f"there is a pack already: {target / FILE}", hint="choose another name or folder") from error
    except OSError as error:
        raise ConfigurationError(f"the pack cannot be written to {target}: {error.strerror or error}") from error


def trigger_for(name: str) -> str:
    """A made-up word for a name: its beginning differs from name to name, because small text encoders go by beginnings."""
    digest = hashlib.sha256(name.encode()).digest()
    syllables = [f"{'bdfgklmprtvz'[a % 12]}{'aeiou'[b % 5]}" for a, b in zip(digest[::2], digest[1::2], strict=True)]
    return "".join(syllables[:2]) + re.sub(r"[^a-z0-9]", "", name)[:6] + "x"
