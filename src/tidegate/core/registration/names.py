"""What the address says that somebody signs up with: evidence, and never alone a ground to refuse anybody.

Three questions, each answered from the address itself and from the last few
thousand sign-ups (`Recent`):

- Is the domain one that hands out addresses for minutes (`disposable.py`)?
- Does the part before the @ look drawn at random? A model of how names are
  written says how many bits each letter takes after the one before it. It is
  weighed against letters that are all alike likely: only what is RANDOM_BITS
  (256 times) more likely under chance than under the model is called random.
  So short names are never called so: they have not enough letters to tell. Nor
  are names with letters that the model does not know, nor those at relays that
  draw them at random on behalf of people who want to be left alone.
- Is it one of a family: a template such as a word and digits, or the same name
  but for one letter? A family gathers around its first member, so that it does
  not creep from one common name to the next. Its size halves every HALF_LIFE_S.
  It is large only with LARGE_FAMILY members that are LARGE_PART of all sign-ups
  as well: among very many people some have a common name in common.

Bounded: the last `most` families, with at most _MOST_LETTERS + 1 keys each (see
`_keys`). Nobody's address is kept, only keyed hashes of parts of it.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator
from hashlib import blake2s
from typing import Final

import msgspec

from tidegate.core.identifiers import Fingerprint
from tidegate.core.registration.disposable import DisposableList

SYMBOLS: Final = "abcdefghijklmnopqrstuvwxyz0."
"""What a name is written in, to the model: letters, any digit as 0, anything between names as a dot."""

RANDOM_BITS: Final = 8.0
LARGE_FAMILY: Final = 8
LARGE_PART: Final = 0.01
HALF_LIFE_S: Final = 6 * 3600.0

_CHANCE_BITS: Final = 4.7
"""Of one letter, where all of them are alike likely: log2(26)."""
_DIGIT_BITS: Final = 3.32
_LEAST_JUDGED: Final = 7
_LEAST_LETTERS: Final = 5
_MOST_LETTERS: Final = 24
_MOST_CHARACTERS: Final = 64
_PREFIX: Final = 3
_SWITCHES_OF_CHANCE: Final = 2

_RELAYS: Final = frozenset(
    {"privaterelay.appleid.com", "duck.com", "mozmail.com", "passmail.net", "passinbox.com", "simplelogin.com"}
)
"""Draw names at random for people: that one looks so says nothing there."""

_DOTLESS: Final = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}
"""Deliver to the same box with dots in the name and without."""


class NameModel(msgspec.Struct, frozen=True, kw_only=True):
    """Bits that each of SYMBOLS takes after each of them, and after "^", the beginning. `source`: fitted to what."""

    source: str
    bits: dict[str, list[float]]


class Judged(msgspec.Struct, frozen=True):
    """How a name is written: bits for each of its characters, and whether chance explains it far better than habit.

    `is_long_enough` says whether there are letters enough to tell anything.
    """

    bits_per_char: float
    is_random: bool
    is_long_enough: bool = False


class NameSignals(msgspec.Struct, frozen=True, kw_only=True):
    """What an address tells. `family_size` counts this sign-up too; `disposable_weight` is 0 where it is not listed.

    `is_of_large_family`: so many lately were made after one pattern that people alone hardly explain it.
    """

    is_disposable: bool
    entropy_bits_per_char: float | None
    """None where the name is too short, or a number: honest ones take as many bits then as those drawn at random."""
    is_random_looking: bool
    family: Fingerprint
    family_size: int = 1
    is_of_large_family: bool = False
    disposable_weight: float = 0.0


class Letters:
    """Judges by a model how names are written."""

    def __init__(self, model: NameModel) -> None:
        """Take the model apart, so that judging is one look-up for each letter."""
        self.source = model.source
        self._bits = {
            first + second: bits + (_DIGIT_BITS if second == "0" else 0.0)
            for first, row in model.bits.items()
            for second, bits in zip(SYMBOLS, row, strict=True)
        }

    def judge(self, local: str) -> Judged:
        """Judge the part before the @. Empty, or in letters that the model does not know, it is nothing."""
        written = symbols_of(local)
        if not written:
            return Judged(0.0, is_random=False)
        bits = sum(self._bits[first + second] for first, second in itertools.pairwise("^" + written))
        judged = len(written) - written.count(".")
        margin = bits - _CHANCE_BITS * judged
        is_long_enough = judged >= _LEAST_JUDGED and not _is_number(written)
        is_random = is_long_enough and margin >= RANDOM_BITS
        return Judged(bits / len(written), is_random=is_random, is_long_enough=is_long_enough)


class _Fading(msgspec.Struct):
    count: float = 0.0
    counted_at_s: float = 0.0

    def add(self, now: float) -> float:
        # A clock that steps back makes nothing grow.
        left = 0.5 ** (max(0.0, now - self.counted_at_s) / HALF_LIFE_S)
        self.count = self.count * left + 1.0
        self.counted_at_s = max(self.counted_at_s, now)
        return self.count


class _Family(msgspec.Struct):
    name: Fingerprint
    keys: tuple[str, ...]
    size: _Fading


class Recent:
    """The families of the last sign-ups. Synchronous; not to be shared between threads."""

    def __init__(self, letters: Letters, disposable: DisposableList, key: bytes, *, most: int = 4096) -> None:
        """Know nobody. `key` (at most 32 bytes) hides names; at most so many families are remembered."""
        if most < 1:
            msg = "most: expected at least 1"
            raise ValueError(msg)
        self.disposable = disposable
        self._letters = letters
        self._key = key
        self._most = most
        # The one that was added to longest ago first.
        self._families: OrderedDict[Fingerprint, _Family] = OrderedDict()
        self._by_key: dict[str, Fingerprint] = {}
        self._all = _Fading()

    def __len__(self) -> int:
        """How many families are remembered."""
        return len(self._families)

    def judge(self, email: str, now: float) -> NameSignals:
        """Tell what a normalised address says, and count it as the latest sign-up (Unix s)."""
        local, _, domain = email.rpartition("@")
        judged = self._letters.judge(local)
        is_random = judged.is_random and not _is_below(domain, _RELAYS)
        is_disposable = self.disposable.has(domain)
        family = self._joined(local, domain, is_random=is_random)
        size, everybody = family.size.add(now), self._all.add(now)
        return NameSignals(
            is_disposable=is_disposable,
            entropy_bits_per_char=round(judged.bits_per_char, 2)
            if judged.is_long_enough and not _is_below(domain, _RELAYS)
            else None,
            is_random_looking=is_random,
            family=family.name,
            family_size=round(size),
            is_of_large_family=size >= LARGE_FAMILY - 0.5 and size >= LARGE_PART * everybody,
            disposable_weight=self.disposable.weight(now) if is_disposable else 0.0,
        )

    def _joined(self, local: str, domain: str, *, is_random: bool) -> _Family:
        keys = tuple(_keys(local, domain, is_random=is_random))
        found = next((self._by_key[key] for key in keys if key in self._by_key), None)
        if found is None:
            family = self._founded(keys)
        else:
            family = self._families[found]
            self._families.move_to_end(found)
        return family

    def _founded(self, keys: tuple[str, ...]) -> _Family:
        # Named after its first key; whoever founds it anew once it was forgotten gives it the same name.
        digest = blake2s(keys[0].encode("utf-8", "surrogatepass"), key=self._key, digest_size=8).hexdigest()
        family = _Family(Fingerprint(digest), keys, _Fading())
        self._families[family.name] = family
        self._by_key.update(dict.fromkeys(keys, family.name))
        if len(self._families) > self._most:
            _, oldest = self._families.popitem(last=False)
            for key in oldest.keys:
                if self._by_key.get(key) == oldest.name:
                    del self._by_key[key]
        return family


def canonical(email: str) -> str:
    """The box that a normalised address means: without what follows a plus, nor dots where they mean nothing."""
    local, _, domain = email.rpartition("@")
    local = local.partition("+")[0] or local
    same = _DOTLESS.get(domain)
    if same is None:
        return f"{local}@{domain}"
    return f"{local.replace('.', '') or local}@{same}"


def symbols_of(local: str) -> str:
    """A name in SYMBOLS, without its accents; empty when it has letters that these cannot write."""
    local = local[:_MOST_CHARACTERS]
    if not local.isascii():
        plain = unicodedata.normalize("NFKD", local)
        local = "".join(letter for letter in plain if not unicodedata.combining(letter))
        if not local.isascii():
            return ""
    return local.lower().translate(_WRITTEN)


_WRITTEN: Final = {
    code: (chr(code) if chr(code).isalpha() else "0" if chr(code).isdigit() else ".") for code in range(128)
}


def _is_number(written: str) -> bool:
    # A student's or a customer's number is drawn by somebody, and yet a person's.
    return written.lstrip("abcdefghijklmnopqrstuvwxyz").strip("0.") == "" and written.count("0") > len(written) // 2


def _is_below(domain: str, domains: frozenset[str]) -> bool:
    return domain in domains or domain.partition(".")[2] in domains


def _keys(local: str, domain: str, *, is_random: bool) -> Iterator[str]:
    """What a name shares with those of its family; the first of them names it.

    Its letters alone, and these with each of them left out in turn: two names
    that differ by one letter, more or other, have one of these in common.
    """
    local = (local.partition("+")[0] or local)[:_MOST_CHARACTERS]
    written = symbols_of(local)
    letters = "".join(symbol for symbol in written or local if symbol.isalpha())[:_MOST_LETTERS]
    if is_random:
        yield f"random {len(written)} {'0' in written} {domain}"
    elif _switches(written) >= _SWITCHES_OF_CHANCE:
        yield f"mixed {letters[:_PREFIX]} {len(written)} {domain}"
    elif len(letters) < _PREFIX:
        yield f"own {local} {domain}"  # Numbers of students of one university are no template.
    elif len(letters) < _LEAST_LETTERS:
        yield f"short {letters} {len(local)} {domain}"
    else:
        yield f"name {letters}"
        yield from (f"name {letters[:place]}{letters[place + 1 :]}" for place in range(len(letters)))


def _switches(written: str) -> int:
    """How often letters follow digits."""
    return sum(first == "0" and second not in "0." for first, second in itertools.pairwise(written))
