"""Frozen values and pure rules. Imports nothing of Zirelia but errors, and no third party but pydantic and holidays."""
