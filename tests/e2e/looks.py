"""What every page of the web interface has to be: for all who use it, at twice its size, and without colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from axe_playwright_python.sync_playwright import DEFAULT_OPTIONS, Axe
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

WHOLE: Final[ViewportSize] = {"width": 1280, "height": 900}
TWICE: Final[ViewportSize] = {"width": 640, "height": 450}
"""The same screen at 200 %."""
COLOURS: Final = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}

FITS: Final = "document.documentElement.scrollWidth <= innerWidth"

COVERED: Final = """async () => {
    document.activeElement?.blur(); // what is offered while one writes goes
    for (let n = 0; n < 2; n++) await new Promise(requestAnimationFrame);
    const shown = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.querySelector(".panel") ?? document;
    const acts = [...shown.querySelectorAll("button, input, select, textarea, summary, nav a")];
    return acts.filter((one) => {
        if (!one.checkVisibility({ visibilityProperty: true })) return false;
        one.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
        const { x, y, width, height } = one.getBoundingClientRect();
        const top = document.elementFromPoint(x + width / 2, y + height / 2);
        return !one.contains(top) && top?.closest("label")?.control !== one;
    }).map((one) => one.outerHTML.slice(0, 200));
}"""
"""Actions that are there and cannot be seen, wherever one scrolls."""

UNTOLD: Final = """() => {
    const words = (one) => [one.getAttribute("aria-label"), one.getAttribute("title"), one.textContent].join(" ");
    return [...document.querySelectorAll("main [data-kind]")].filter((one) => {
        if (one.closest("[aria-hidden]")) return false; // the same is told beside it
        const word = one.lastChild?.textContent ?? "";
        if (one.matches(".state")) return !one.querySelector("i")?.textContent.trim() || !/\\p{L}/u.test(word);
        const told = one.closest("[aria-label], [title]") ?? one;
        return !document.querySelector("main").contains(told) || !/\\p{L}/u.test(words(told));
    }).map((one) => one.outerHTML.slice(0, 200));
}"""
"""States that only their colour tells."""

SHAPES: Final = """async () => {
    const file = (path) => document.querySelector("link[rel=icon]").href.replace("icon.svg", path);
    const { STATES } = await import(file("lib/states.js"));
    const place = document.createElement("p");
    place.id = "shapes";
    document.querySelector("main").prepend(place);
    const add = (name, kind, text) => {
        const one = document.createElement("i");
        Object.assign(one, { className: name, textContent: text });
        one.dataset.kind = kind;
        const size = { display: "inline-block", width: "40px", height: "20px", fontStyle: "normal" };
        Object.assign(one.style, size, text ? { color: "black", background: "white" } : { backgroundColor: "grey" });
        place.append(one);
    };
    const glyphs = new Set(Object.values(STATES).map((one) => one.glyph));
    glyphs.add("\\u{10FFFD}"); // what a letter looks like that no font has
    for (const glyph of glyphs) add("glyph", "", glyph);
    for (const kind of ["failed", "crashed", "completed"]) add("hatch", kind, "");
    return glyphs.size;
}"""
"""Draw all glyphs in one colour, and bars of what failed and what did not in another one; gives how many there are."""


def look(page: Page, *, twice: bool = True) -> None:
    """Compare what is on the screen with the rules, when all of it has come; `twice`: also at twice the size."""
    expect(page.locator(".skeleton")).to_have_count(0)
    assert page.evaluate(FITS), page.url
    _accessible(page)
    untold = page.evaluate(UNTOLD)
    assert untold == [], (page.url, untold)
    if not twice:
        return
    page.set_viewport_size(TWICE)
    assert page.evaluate(FITS), f"{page.url} is wider than the screen at twice its size"
    covered = page.evaluate(COVERED)
    assert covered == [], (page.url, covered)
    page.set_viewport_size(WHOLE)


def look_in_the_dark(page: Page) -> None:
    """Compare the colours of the other theme with the rules."""
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    _accessible(page, runOnly=COLOURS)
    page.evaluate("document.documentElement.dataset.theme = 'light'")


def look_at_shapes(page: Page) -> None:
    """See that states differ by their shapes, on a page of ours, when no colour does."""
    n_glyphs = page.evaluate(SHAPES)
    glyphs, bars = page.locator("#shapes .glyph"), page.locator("#shapes .hatch")
    assert len({one.screenshot() for one in glyphs.all()}) == n_glyphs
    assert len({one.screenshot() for one in bars.all()}) == 3


def _accessible(page: Page, **options: Any) -> None:
    found = Axe().run(page, options={**DEFAULT_OPTIONS, **options})
    assert found.violations_count == 0, (page.url, found.generate_report())
