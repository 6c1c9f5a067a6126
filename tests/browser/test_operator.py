"""The first operator comes with the link that the service printed, once."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.chatting import PASSWORD, composer, new_address, sign_up
from tests.browser.conftest import Visiting
from tests.integration.running import Instance

LINK = re.compile(r"^ +(http://[0-9.:]+)(/setup/\S+)$", re.MULTILINE)


def test_the_printed_link_makes_one_operator_who_sees_people(visit: Visiting, real: Instance) -> None:
    user = visit(real.public).foresee_status(403).page()
    email = sign_up(user)
    user.goto("/people")
    expect(user.get_by_role("alert")).to_be_visible()
    assert user.get_by_text(email).count() == 0

    printed = LINK.search(real.output)
    assert printed, real.output
    operator = visit(real.public).page(printed[2])
    operator_email = new_address()
    operator.get_by_label("Email address").fill(operator_email)
    operator.get_by_label("Password").fill(PASSWORD)
    operator.get_by_role("button", name="Set up this service").click()
    expect(composer(operator)).to_be_visible()
    operator.get_by_role("link", name="People").click()
    expect(operator.get_by_role("row", name=operator_email)).to_contain_text("operator")
    expect(operator.get_by_role("row", name=email)).to_contain_text("user")

    late = visit(real.public).foresee_status(404).page(printed[2])
    expect(late.get_by_role("alert")).to_contain_text(re.compile(r"This link .*not valid"))
