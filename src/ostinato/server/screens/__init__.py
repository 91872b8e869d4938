"""What the pages of the web interface show, each in one answer; for everybody to use."""

from __future__ import annotations

from typing import Final

from ostinato.server.screens import home, run, runs

HANDLERS: Final = (home.home_screen, runs.runs_screen, run.run_screen, run.graph_screen)
