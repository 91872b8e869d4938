"""The web interface as files: one page for all addresses, and what it loads, named by what they hold.

The files of `ostinato/ui` are sent as they are written, compressed once. Their folder in addresses is the
hash of all of them, so a browser may keep them for ever.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from ostinato.core.errors import DoorNotFound, MethodRefused

if TYPE_CHECKING:
    from ostinato.server.exchange import Exchange

FOLDER: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "ui")
PREFIX: Final = "/ui/"
PLACES: Final = frozenset(
    {
        "artifacts",
        "datasets",
        "deployments",
        "events",
        "experiments",
        "flows",
        "models",
        "runs",
        "settings",
        "variables",
        "workers",
    }
)
"""First parts of the addresses that are pages of the interface, besides `/`."""
KINDS: Final = {
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
    ".json": b"application/json",
}
IMPORTS: Final = {
    "preact": "vendor/preact.js",
    "preact/hooks": "vendor/preact-hooks.js",
    "@preact/signals": "vendor/signals.js",
    "@preact/signals-core": "vendor/signals-core.js",
    "htm": "vendor/htm.js",
}
"""Names that modules import by, and the files that they mean."""
SMALLEST: Final = 512
"""Smaller files are not worth compressing."""

_STATIC: Final = re.compile(r"""^(?:import|export) [^;]*?from ["'](\.{1,2}/[^"']+)["']""", re.MULTILINE)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Ostinato</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="now" content="{now}">
<base href="{base}">
<link rel="icon" href="{root}icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{root}style/tokens.css">
<link rel="stylesheet" href="{root}style/app.css">
<script type="importmap">{imports}</script>
{preloads}
<script type="module" src="{root}app.js"></script>
</head>
<body><div id="app"></div>
<noscript>Ostinato needs JavaScript. The API is described at api/openapi.json.</noscript></body>
</html>
"""


class Asset:
    """One file, plain and compressed."""

    def __init__(self, path: str, data: bytes) -> None:
        self.kind = KINDS[os.path.splitext(path)[1]]
        self.data = data
        self.packed = gzip.compress(data, 9, mtime=0) if len(data) > SMALLEST else b""


class Assets:
    """All files of the interface, read once."""

    @cached_property
    def files(self) -> dict[str, Asset]:
        """All files by their path in the folder."""
        found = {}
        for folder, _, names in os.walk(FOLDER):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.splitext(name)[1] in KINDS:
                    with open(path, "rb") as file:
                        inner = os.path.relpath(path, FOLDER).replace(os.sep, "/")
                        found[inner] = Asset(inner, file.read())
        return found

    @cached_property
    def root(self) -> str:
        """The folder of all files in addresses, relative to the base of the page."""
        digest = hashlib.blake2b(digest_size=8)
        for path, asset in sorted(self.files.items()):
            digest.update(path.encode() + b"\0" + asset.data)
        return f"ui/{digest.hexdigest()}/"

    async def show(self, exchange: Exchange) -> None:
        """Send the page: it holds nothing that is not for everybody, and asks who you are."""
        if exchange.method not in {"GET", "HEAD"}:
            raise MethodRefused(path=exchange.path, method=exchange.method)
        imports = json.dumps({"imports": {name: f"./{self.root}{path}" for name, path in IMPORTS.items()}})
        text = _PAGE.format(
            base=base_of(exchange),
            now=datetime.now(UTC).isoformat(),
            root=self.root,
            imports=imports,
            preloads=self._preloads[exchange.path == "/"],
        ).encode()
        allowed = base64.b64encode(hashlib.sha256(imports.encode()).digest()).decode()
        policy = (
            f"default-src 'none'; script-src 'self' 'sha256-{allowed}'; style-src 'self'; connect-src 'self'; "
            "img-src 'self' data: blob:; frame-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
        )
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", b"%d" % len(text)),
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cache-control", b"no-cache"),
        ]
        await exchange.begin(200, headers)
        await exchange.more(b"" if exchange.method == "HEAD" else text, last=True)

    @cached_property
    def _preloads(self) -> tuple[str, str]:
        """Links to what every page loads, and to what Home loads."""
        every, home = (
            "\n".join(f'<link rel="modulepreload" href="{self.root}{path}">' for path in self.needed(*names))
            for names in (["app.js"], ["app.js", "pages/home.js"])
        )
        return every, home

    def needed(self, *names: str) -> list[str]:
        """Give modules with all that they import, by whatever way, but for what is loaded when it is first shown."""
        found: dict[str, None] = dict.fromkeys(IMPORTS.values())
        waiting = list(names)
        while waiting:
            path = waiting.pop()
            found[path] = None
            for name in _STATIC.findall(self.files[path].data.decode()):
                inner = os.path.normpath(os.path.join(os.path.dirname(path), name)).replace(os.sep, "/")
                if inner not in found:
                    waiting.append(inner)
        return list(found)

    async def serve(self, exchange: Exchange) -> None:
        """Send one file; a folder that is not ours is that of another version."""
        if exchange.method not in {"GET", "HEAD"}:
            raise MethodRefused(path=exchange.path, method=exchange.method)
        path = exchange.path.removeprefix(f"/{self.root}")
        asset = self.files.get(path)
        if asset is None:
            raise DoorNotFound(method=exchange.method, path=exchange.path)
        packed = asset.packed if "gzip" in exchange.header(b"accept-encoding") else b""
        body = packed or asset.data
        headers = [
            (b"content-type", asset.kind),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"public, max-age=31536000, immutable"),
            (b"x-content-type-options", b"nosniff"),
            (b"vary", b"accept-encoding"),
        ]
        if packed:
            headers.append((b"content-encoding", b"gzip"))
        await exchange.begin(200, headers)
        await exchange.more(b"" if exchange.method == "HEAD" else body, last=True)


def is_page(path: str) -> bool:
    """Tell whether an address is a page of the interface."""
    return path == "/" or path[1:].split("/", 1)[0] in PLACES


def base_of(exchange: Exchange) -> str:
    """Give the address of the first page as the page that is asked for has to write it.

    A proxy that shows the server below a path may say which. Otherwise it is the way back from the page, so that
    nobody has to say anything.
    """
    if exchange.prefix:
        return f"{exchange.prefix}/"
    depth = exchange.scope["raw_path"].count(b"/") - 1
    return "../" * depth or "./"
