"""Ostinato: flows and tasks in ordinary Python, recorded for good."""
