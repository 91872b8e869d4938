"""`python -m ostinato.cli.leash COMMAND ...`: a command that ends when the pipe at its standard input does.

Whoever starts it so need not be able to end it: when they are killed, the system closes the pipe.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from ostinato.cli.main import main


def _watch() -> None:
    while os.read(sys.__stdin__.fileno(), 1):  # type: ignore[union-attr]  # it is a pipe
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_watch, name="ostinato-leash", daemon=True).start()
    main()
