"""`python -m ostinato.cli`: the command line, for those who have an interpreter and no PATH."""

from __future__ import annotations

from ostinato.cli.main import main

if __name__ == "__main__":
    main()
