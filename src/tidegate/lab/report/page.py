"""One page that an operator can send to others: everything in it, nothing fetched, readable without JavaScript.

Its policy lets one script and one style run, by their hashes, and nothing turn text into markup. Findings come
from files that others may have written, so every value is escaped: by the templates where it is text, and in the
data of the plots by leaving no `<`, `>` or `&` in it.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

import jinja2
import msgspec
from markupsafe import Markup

from tidegate.lab.judge.definitions import definitions, intro
from tidegate.lab.judge.findings import Findings, Result
from tidegate.lab.report.sheets import course, sheets
from tidegate.lab.report.words import GROUP_NAMES, count, headlines, seconds, sentences

DIST: Final = Path(__file__).parent / "dist"
_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["seconds"] = seconds
_TEMPLATES.filters["count"] = count
_IN_JSON: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
_KINDS: Final = {"attack": "attack", "crowd": "crowd", "fault": "fault", "odd": "odd, and harmless"}


class UnbuiltError(RuntimeError):
    """The script and the style of the page are not there: the package was not built whole."""


def page(result: Result, command: str) -> str:
    """Give the page. `command` is what repeats the rehearsal. Raises UnbuiltError."""
    findings = result.findings
    script, style, notice = (_built(name) for name in ("page.js", "page.css", "licenses.txt"))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return _TEMPLATES.get_template("page.html").render(
        findings=findings,
        run=result.run,
        command=command,
        policy=policy,
        script=Markup(script),  # noqa: S704 - our own, built with the package
        style=Markup(style),  # noqa: S704 - the same
        notice=notice,
        course=Markup(_plotted(findings)),  # noqa: S704 - JSON without a character that means something in HTML
        headlines=headlines(findings),
        sentences=sentences(findings),
        sheets=sheets(findings),
        course_sheet=course(findings),
        definitions=definitions(),
        intro=intro,
        groups=GROUP_NAMES,
        kinds={kind: said for kind, said in _KINDS.items() if any(mark.kind == kind for mark in findings.marks)},
        modes=list(dict.fromkeys(findings.load.mode)),
    )


def _plotted(findings: Findings) -> str:
    told = {
        "duration_s": findings.duration_s,
        "warm_s": findings.warm_s,
        "first_s": findings.slo.first_s,
        "marks": findings.marks,
        "load": findings.load,
    }
    return msgspec.json.encode(told).decode().translate(_IN_JSON)


def _built(name: str) -> str:
    try:
        text = (DIST / name).read_text("utf-8")
    except OSError:
        msg = f"the report's {name} is missing: this copy of Tidegate was not built whole (make run builds it)"
        raise UnbuiltError(msg) from None
    if "</" in text.lower() and not name.endswith(".txt"):
        # It would end the element that it stands in; the build writes `<\/`.
        text = text.replace("</", "<\\/")
    return text.strip()


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
