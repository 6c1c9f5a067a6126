"""Looks at a page as axe-core does, light on a phone and dark on a narrow one, and takes pictures of it, wide too."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Page

_RUN: Final = """() => axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    resultTypes: ["violations"], preload: false,
  }).then((found) => found.violations.map(
    ({ id, nodes }) => [id, nodes.map(({ target, any }) => `${target}: ${any[0]?.message}`)]))"""
_WIDE_RUN: Final = "document.documentElement.scrollWidth <= innerWidth"
_HEIGHT: Final = 844
PHONE: Final = 390
NARROW: Final = 320
DESKTOP: Final = 1280


class Look:
    """Call it with a name for what a page shows. `wrongs` in the end tells what axe-core found anywhere."""

    def __init__(self, script: str, pictures: Path, prefix: str) -> None:
        self.found: dict[str, list[Any]] = {}
        self._script, self._pictures, self._prefix = script, pictures, prefix

    def __call__(self, name: str, page: Page, through: Page | None = None) -> None:
        """Where no script runs axe-core does not either: it is shown a copy in the page `through`, which is closed."""
        # Some pages ask again by themselves; what is looked at must not change meanwhile, however long that takes.
        page.evaluate("window.stop()")
        if through is not None:
            copied = page.content().replace("noscript>", "div>").replace("<script", "<template")
            through.set_content(copied.replace('http-equiv="refresh"', ""))
        for width, theme in ((NARROW, "dark"), (PHONE, "light")):
            self._wear(page, width, "dark" if theme == "dark" else "light")
            assert page.evaluate(_WIDE_RUN), f"{name} is scrolled sideways at {width} px"
            if through is not None:
                self._wear(through, width, "dark" if theme == "dark" else "light")
            self._ask(f"{name}-{theme}-{width}", through or page)
            self._picture(f"{name}-{theme}-{width}", page)
        self._wear(page, DESKTOP, "light")
        self._picture(f"{name}-light-{DESKTOP}", page)
        self._wear(page, PHONE, "light")
        if through is not None:
            through.close()

    def wrongs(self) -> dict[str, list[Any]]:
        """Nothing, where all is well."""
        return {name: wrong for name, wrong in self.found.items() if wrong}

    def _wear(self, page: Page, width: int, theme: Literal["dark", "light"]) -> None:
        page.set_viewport_size({"width": width, "height": _HEIGHT})
        page.emulate_media(color_scheme=theme)

    def _ask(self, name: str, page: Page) -> None:
        # The line asks again by itself, without JavaScript; a link on the page turns that off, as WCAG 2.2.1 wants.
        is_line = page.get_by_role("link", name="Do not renew it by itself").count() == 1
        if not page.evaluate("typeof axe === 'object'"):
            page.evaluate(self._script)
        found = page.evaluate(_RUN)
        self.found[name] = [one for one in found if not (is_line and one[0] == "meta-refresh")]

    def _picture(self, name: str, page: Page) -> None:
        page.screenshot(path=self._pictures / f"{self._prefix}-{name}.png", full_page=True)
