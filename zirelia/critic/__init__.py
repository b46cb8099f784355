"""The critic: instruments that each measure a few criteria of one picture, and the panel that asks them all.

    panel = CriticPanel((TechnicalInstrument(), DuplicatesInstrument()), time_limit=30)
    fold(panel.examine(exhibit), persona.rubric)

Critics give findings; the verdict is a pure rule of `domain.verdict`, and only people decide. Imports nothing heavy by itself.
"""
