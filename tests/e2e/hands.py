"""Two hands of a visitor of the web interface: one has only the keys, one the mouse as well.

What a journey does, it does by a hand, so that each journey is made by either: `scripts/test --hand mouse`.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PATIENCE_MS = 30_000
"""So long a look waits for what should come: the machine may be busy with other tests."""
MOST = 1_500
"""More key presses than this lead nowhere."""

WAY: Final = """(asked) => {
    const STOP = "a[href], button, input, select, textarea, summary, iframe, [tabindex], [role=option]";
    const follows = (one, other) => one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
    const goal = asked.closest(STOP) ?? asked;
    const active = document.activeElement ?? document.body;
    const here = document.getElementById(active.getAttribute("aria-activedescendant")) ?? active;
    if (here === goal || active === goal) return { there: true };

    // All that the Tab key leads to, in its order.
    const box = [...document.querySelectorAll("dialog:modal")].at(-1);
    const scope = box ?? document.body;
    if (!scope.contains(goal)) return { shut: "a box lies over it" };
    const stops = [...scope.querySelectorAll(STOP)].filter((one) =>
        one.tabIndex >= 0 && !one.matches(":disabled") && one.checkVisibility({ visibilityProperty: true }));

    // Of rows, tabs, nodes and cells only one is in that order: arrow keys lead from it to the others.
    let part = goal, door = goal;
    while (!stops.includes(door)) {
        part = part.parentElement;
        if (!part || part.matches("main, dialog, body")) return { shut: "the Tab key never comes to it" };
        door = stops.find((one) => part.contains(one)) ?? goal;
    }
    if (door !== goal && part.contains(active)) {
        const ways = door.matches("tr") ? [["j"], ["k"]] : [["ArrowDown", "ArrowRight"], ["ArrowUp", "ArrowLeft"]];
        const name = here.getAttribute("aria-label") ?? here.textContent;
        const spot = `${[...part.querySelectorAll("*")].indexOf(here)} ${name}`.slice(0, 100);
        return { keys: (follows(here, goal) ? ways : ways.reverse()).flat(), spot };
    }

    const at = stops.indexOf(door);
    const skipped = active.matches("a[href^='#']") && document.querySelector(active.hash);
    if (skipped && skipped.contains(door)) return { keys: ["Enter"] };
    if (active === document.body || !scope.contains(active)) {
        // As on a page that was just opened: the first stop of it leads past the rail.
        const main = box ? null : door.closest("main");
        const ahead = main ? Math.min(at, stops.filter((one) => main.contains(one)).indexOf(door) + 2) : at;
        return { keys: [ahead < stops.length - at ? "Tab" : "Shift+Tab"] };
    }
    const own = stops.indexOf(active);
    const next = stops.findIndex((one) => one === active || follows(active, one));
    let far = at - (next < 0 ? stops.length : next);
    if (own < 0 && far >= 0) far += 1;
    if (Math.abs(far) > stops.length / 2) far -= Math.sign(far) * stops.length;
    return { keys: [far < 0 ? "Shift+Tab" : "Tab"], times: Math.abs(far) };
}"""
"""What to press next to get from what has the focus to an element."""

FAR: Final = """(select, wanted) => {
    const at = [...select.options].findIndex((one) => [one.value, one.label].includes(wanted));
    return [at - select.selectedIndex, select.options[at]?.label ?? "", select.options[at]?.value ?? ""];
}"""
"""How many options a wanted one is away from the one that is chosen; its label and its value."""


class Way(msgspec.Struct, frozen=True):
    """What to press next: one of some keys, so many times."""

    there: bool = False
    shut: str = ""
    """Why no key leads there now."""
    keys: tuple[str, ...] = ()
    times: int = 1
    spot: str = ""
    """Where we are, when there are several keys to try."""


class Hand(Protocol):
    """Does what one does to the elements of a page."""

    def __init__(self, page: Page) -> None: ...

    def reach(self, target: Locator) -> str:
        """Have the focus on an element; gives the key that led there, if one did."""

    def press(self, target: Locator) -> None:
        """Press a button, follow a link, open what is folded."""

    def fill(self, target: Locator, text: str) -> None:
        """Write into a field, in place of what is there."""

    def choose(self, target: Locator, option: str) -> None:
        """Choose an option by its value or its words."""

    def check(self, target: Locator, *, on: bool = True) -> None:
        """Tick a box, or take the tick away."""


class Keys(Hand):
    """Has the keys only: what the Tab key and the arrow keys do not lead to cannot be used."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._keys = page.keyboard

    def reach(self, target: Locator) -> str:
        expect(target).to_be_visible()
        expect(target).to_be_enabled()
        end = time.monotonic() + PATIENCE_MS / 1000
        tried = Counter[tuple[str, str]]()
        n, key = 0, ""
        while not (way := msgspec.convert(target.evaluate(WAY), Way)).there:
            assert n < MOST, f"keys do not lead to {target}: {n} were pressed, {key!r} last"
            if way.shut:
                assert time.monotonic() < end, f"keys do not lead to {target}: {way.shut}"
                self._page.wait_for_timeout(20)
                continue
            # Of several keys the one that was least often pressed there: so one comes by in the end.
            key = min(way.keys, key=lambda one: tried[way.spot, one])
            tried[way.spot, key] += 1
            for _ in range(way.times):
                self._keys.press(key)
            n += max(1, way.times)
        return key

    def press(self, target: Locator) -> None:
        self.reach(target)
        self._keys.press("Enter")

    def fill(self, target: Locator, text: str) -> None:
        key = self.reach(target)
        kind = target.evaluate("one => one.type")
        if kind == "range":
            self._slide(target, float(text))
        elif kind == "date":
            self._date(target, text, key)
        else:
            self._keys.press("Control+a")
            self._keys.press("Backspace")
            self._keys.type(text)
        expect(target).to_have_value(text)

    def _slide(self, target: Locator, wanted: float) -> None:
        """Move a slider from the nearer end."""
        low, high, step = target.evaluate("one => [one.min, one.max, one.step].map(Number)")
        at_end = wanted - low > high - wanted
        self._keys.press("End" if at_end else "Home")
        for _ in range(round((high - wanted if at_end else wanted - low) / step)):
            self._keys.press("ArrowLeft" if at_end else "ArrowRight")

    def _date(self, target: Locator, text: str, key: str) -> None:
        """Write a date: month, day and year are three fields, of which the first one has the focus from before."""
        if key == "Shift+Tab":
            while target.evaluate("one => one === document.activeElement"):
                self._keys.press("Shift+Tab")
            self._keys.press("Tab")
        year, month, day = text.split("-")
        self._keys.type(month + day + year)

    def choose(self, target: Locator, option: str) -> None:
        self.reach(target)
        far, words, value = target.evaluate(FAR, option)
        assert words, f"{target} has no option {option!r}"
        for letter in words.split()[0]:  # nearer by its first word, as one does in a long list
            if abs(far) <= 2:
                break
            self._keys.type(letter)
            far = target.evaluate(FAR, option)[0]
        for _ in range(abs(far)):
            self._keys.press("ArrowDown" if far > 0 else "ArrowUp")
        expect(target).to_have_value(value)

    def check(self, target: Locator, *, on: bool = True) -> None:
        self.reach(target)
        if target.is_checked() != on:
            self._keys.press("Space")
        expect(target).to_be_checked(checked=on)


class Mouse(Hand):
    """Points and clicks; it writes by keys, as everybody does."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def reach(self, target: Locator) -> str:
        target.focus()
        return ""

    def press(self, target: Locator) -> None:
        target.click()

    def fill(self, target: Locator, text: str) -> None:
        target.fill(text)

    def choose(self, target: Locator, option: str) -> None:
        target.select_option(option)

    def check(self, target: Locator, *, on: bool = True) -> None:
        target.set_checked(on)


HANDS: Final[dict[str, type[Hand]]] = {"keyboard": Keys, "mouse": Mouse}
