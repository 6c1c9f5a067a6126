"""What the package carries is there, is what it says it is, and is seldom wrong about people."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from tidegate.adapters.lists.carried import disposable_list, name_model
from tidegate.core.registration.names import LARGE_FAMILY, Letters, Recent

# Of people, not of the package that the model was fitted to.
_PEOPLE = """
ada.lovelace grace.hopper alan.turing edsger.dijkstra barbara.liskov donald.knuth tony.hoare leslie.lamport
radia.perlman margaret.hamilton katherine.johnson dorothy.vaughan mary.jackson linus.torvalds guido.vanrossum
bjarne.stroustrup yukihiro.matsumoto srinivasa.ramanujan chandrasekhar.subramanian ngozi.okonjoiweala
wangari.maathai chimamanda.adichie nnamdi.azikiwe kwame.nkrumah rigoberta.menchu gabriel.garciamarquez
jorgeluisborges frida.kahlo szymborska.wislawa czeslaw.milosz krzysztof.kieslowski zbigniew.brzezinski
bohumil.hrabal vaclav.havel sigrid.undset halldor.laxness tove.jansson astrid.lindgren soren.kierkegaard
nguyen.vanthieu tran.hungdao nguyenthiminh aung.sansuukyi sukarno.hatta pramoedya.toer lee.kuanyew chiang.kaishek
zhang.yimou wang.xiaobo xi.chuan haruki.murakami yoko.ogawa kenzaburo.oe bong.joonho park.chanwook orhan.pamuk
elif.shafak mustafa.kemal naguib.mahfouz mahmoud.darwish ghassan.kanafani shirin.ebadi forugh.farrokhzad amos.oz
wole.soyinka albert.schweitzer friedrich.schiller jschmidt mmueller87 kfischer1990 pwagner dschwartz
christoph.szczepaniak wojciechowski.k brzeczyszczykiewicz fstrydom bvanderwesthuizen xochitl.hernandez xvillanueva
"""
PEOPLE = _PEOPLE.split()
NOW = 1_790_000_000.0


@pytest.fixture(scope="module")
def letters() -> Letters:
    return Letters(name_model())


def test_the_list_says_where_and_when_it_comes_from() -> None:
    """An operator can ask for another as soon as it is old."""
    found = disposable_list()

    assert found.source.startswith("https://")
    assert len(found.commit) == 40
    assert found.licence == "CC0-1.0"
    assert datetime.fromtimestamp(found.taken_at_s, UTC).year >= 2026
    assert len(found.domains) > 8000
    assert found.has("mailinator.com")
    assert not any(map(found.has, ("gmail.com", "outlook.com", "proton.me", "example.org", "duck.com", "mozmail.com")))


def test_people_are_not_called_random(letters: Letters) -> None:
    """Names from many languages, as people write them into addresses."""
    assert [name for name in PEOPLE if letters.judge(name).is_random] == []


def test_names_drawn_at_random_are_mostly_told(letters: Letters) -> None:
    """Ten letters or digits: nine in ten and more."""
    dice = random.Random(4)
    drawn = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=10)) for _ in range(500)]

    assert sum(letters.judge(name).is_random for name in drawn) >= 450


def test_people_who_share_a_template_only_are_no_large_family(letters: Letters) -> None:
    """Years behind names are everybody's template."""
    recent = Recent(letters, disposable_list(), b"k" * 32)
    dice = random.Random(5)
    judged = [recent.judge(f"{name}{dice.randrange(1950, 2010)}@example.org", NOW) for name in PEOPLE * 3]

    assert max(one.family_size for one in judged) < LARGE_FAMILY
    assert not any(one.is_of_large_family for one in judged)
