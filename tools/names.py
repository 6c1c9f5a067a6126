"""Fits how people's names are written, for core/registration/names.py, and measures what that gets wrong.

Given and family names come from the Faker package (MIT), which only this tool needs:

    uv run --with faker==40.54.0 tools/names.py [--write]

Seven names in ten are fitted to; what is reported is of the other three, which the model has never seen. `--write`
puts the model beside its loader, in src/tidegate/adapters/lists/.
"""

from __future__ import annotations

import importlib
import json
import math
import random
import sys
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tidegate.core.registration.names import SYMBOLS, Letters, NameModel, symbols_of

PLACE: Final = Path(__file__).parents[1] / "src/tidegate/adapters/lists/letters.json"
SOURCE: Final = "given and family names and words of the Faker package 40.54.0 (MIT), 7 in 10 of them; tools/names.py"
_MOST_SAMPLES: Final = 400_000
_LOCALES: Final = """
az_AZ cs_CZ da_DK de_AT de_CH de_DE en_GB en_IE en_IN en_KE en_NG en_NZ en_PK en_TH en_US es_AR es_CL es_CO
es_ES es_MX et_EE fi_FI fr_BE fr_CA fr_CH fr_DZ fr_FR ga_IE ha_NG hr_HR hu_HU id_ID ig_NG is_IS it_IT lt_LT
lv_LV nl_BE nl_NL no_NO pl_PL pt_BR pt_PT ro_RO sk_SK sl_SI sv_SE sw tr_TR tw_GH uz_UZ vi_VN yo_NG zu_ZA
"""


def folded(name: str) -> str:
    """A name as people write it into an address: without accents, small, in Latin letters; "" where it has others."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate({0xF8: "o", 0x142: "l", 0x111: "d", 0x131: "i"}))
    kept = "".join(c for c in plain if not unicodedata.combining(c) and c not in " -'.\u2019")
    return kept if kept.isascii() and kept.isalpha() and len(kept) > 1 else ""


class Names:
    """Given names, family names and words; each half that is fitted to and half that is not."""

    def __init__(self, *, is_fitted: bool) -> None:
        """Read them."""
        self.given: list[str] = []
        self.family: list[str] = []
        for locale in _LOCALES.split():
            provider: Any = importlib.import_module(f"faker.providers.person.{locale}").Provider
            for attribute in dir(provider):
                found = getattr(provider, attribute)
                if "name" in attribute and isinstance(found, (tuple, list, dict)):
                    texts = [folded(text) for text in found if isinstance(text, str)]
                    (self.given if "first" in attribute else self.family).extend(filter(None, texts))
        lorem: Any = importlib.import_module("faker.providers.lorem.en_US").Provider
        self.words = [word for word in map(folded, lorem.word_list) if len(word) > 2]
        for kind in ("given", "family", "words"):
            mine = sorted({one for one in getattr(self, kind) if (zlib.crc32(one.encode()) % 10 < 7) is is_fitted})
            setattr(self, kind, mine)


def people(names: Names, dice: random.Random) -> dict[str, Callable[[], str]]:
    """How people make the part before the @, by the kind of it."""

    def given() -> str:
        return dice.choice(names.given)

    def family() -> str:
        return dice.choice(names.family)

    def word() -> str:
        return dice.choice(names.words)

    def year() -> str:
        return str(dice.randrange(1945, 2012))

    return {
        "given.family": lambda: f"{given()}.{family()}",
        "givenfamily": lambda: given() + family(),
        "given_family": lambda: f"{given()}_{family()}",
        "family.given": lambda: f"{family()}.{given()}",
        "initial+family": lambda: given()[0] + family(),
        "initials+family": lambda: given()[0] + given()[0] + family(),
        "family+initial": lambda: family() + given()[0],
        "given+digits": lambda: given() + str(dice.randrange(1, 10_000)),
        "given+year": lambda: given() + year(),
        "givenfamily+2": lambda: given() + family() + year()[2:],
        "given.family+year": lambda: f"{given()}.{family()}{year()}",
        "initial.family+digits": lambda: f"{given()[0]}.{family()}{dice.randrange(1, 1000)}",
        "two given": lambda: f"{given()}-{given()}.{family()}",
        "words": lambda: word() + word() + (str(dice.randrange(100)) if dice.random() < 0.5 else ""),
        "word_given": lambda: f"{word()}_{given()}",
        "family only": family,
        "clipped": lambda: given()[:3] + family()[:4] + (year()[2:] if dice.random() < 0.5 else ""),
        "university id": lambda: _university_id(dice, given, family),
        "department": lambda: dice.choice(("info", "office", "hello", "billing", "admin", "support")) + "." + word(),
    }


def _university_id(dice: random.Random, given: Callable[[], str], family: Callable[[], str]) -> str:
    initials = given()[0] + given()[0] + family()[0]
    return dice.choice(
        (
            f"s{dice.randrange(1_000_000, 9_999_999)}",
            f"{initials}{dice.randrange(1, 9999)}",
            f"{initials[:2]}{dice.randrange(10, 99)}{initials[2]}",
            f"{family()[:6]}{initials[0]}{dice.randrange(1, 99)}",
            f"u{dice.randrange(1_000_000, 9_999_999)}",
            f"{dice.randrange(10_000_000, 99_999_999)}",
        )
    )


def robots(dice: random.Random) -> dict[str, Callable[[], str]]:
    """How programs make it, by the kind of it."""

    def of(alphabet: str, least: int, most: int) -> Callable[[], str]:
        return lambda: "".join(dice.choice(alphabet) for _ in range(dice.randint(least, most)))

    letters, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"

    def spoken() -> str:
        return "".join(dice.choice("bcdfghjklmnprstvz") + dice.choice("aeiou") for _ in range(5))

    return {
        "8 letters": of(letters, 8, 8),
        "10 letters": of(letters, 10, 10),
        "12 letters": of(letters, 12, 12),
        "8 letters and digits": of(letters + digits, 8, 8),
        "10-14 letters and digits": of(letters + digits, 10, 14),
        "16 hex": of("0123456789abcdef", 16, 16),
        "5 syllables": spoken,
    }


def samples(kinds: dict[str, Callable[[], str]], most: int) -> Iterator[str]:
    """As many of each kind."""
    for _ in range(most // len(kinds)):
        for make in kinds.values():
            yield make()


def fitted(texts: Iterator[str]) -> NameModel:
    """Count which symbol follows which, as bits; one half of a count for what was never seen."""
    pairs: Counter[tuple[str, str]] = Counter()
    for text in texts:
        written = symbols_of(text)
        pairs.update(zip("^" + written, written, strict=False))
    rows = {}
    for first in "^" + SYMBOLS:
        counts = [pairs[first, second] + 0.5 for second in SYMBOLS]
        rows[first] = [round(-math.log2(count / sum(counts)), 2) for count in counts]
    return NameModel(source=SOURCE, bits=rows)


def main() -> int:
    """Fit, measure, and write where that is asked for."""
    model = fitted(samples(people(Names(is_fitted=True), random.Random(1)), _MOST_SAMPLES))
    letters = Letters(model)
    unseen = people(Names(is_fitted=False), random.Random(2))
    wrong = {kind: sum(letters.judge(make()).is_random for _ in range(5000)) / 50 for kind, make in unseen.items()}
    found = {
        kind: sum(letters.judge(make()).is_random for _ in range(5000)) / 50
        for kind, make in robots(random.Random(3)).items()
    }
    for told in (wrong, found):
        lines = [f"{kind:28} {share:6.2f} %" for kind, share in told.items()]
        sys.stdout.write("\n".join([*lines, f"{'together':28} {sum(told.values()) / len(told):6.2f} %", "", ""]))
    if "--write" in sys.argv[1:]:
        PLACE.write_text(json.dumps({"source": model.source, "bits": model.bits}).replace("], ", "],\n") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
