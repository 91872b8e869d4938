"""Flows and tasks: the rules of their lives as generators, and the drivers that carry them out."""
