"""Zirelia runs a virtual character whose posts a person approves."""

__version__ = "0.1.0"
