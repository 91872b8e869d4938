"""The pages of docs/reference, written from the code so that they cannot differ from it."""

from __future__ import annotations

from pages import addresses, api, commands, errors, settings, states


def render() -> dict[str, str]:
    """Give the text of every reference page by its file name."""
    made = {
        "api.md": api.page(),
        "cli.md": commands.page(),
        "errors.md": errors.page(),
        "http.md": addresses.page(),
        "settings.md": settings.page(),
        "states.md": states.page(),
    }
    return {name: text.rstrip() + "\n" for name, text in made.items()}


def inventory() -> dict[str, list[str]]:
    """Give all names that the reference must hold, by kind, each written as the reference writes it."""
    return {
        "public name": api.names(),
        "command": commands.names(),
        "error code": errors.names(),
        "setting": settings.names(),
    }
