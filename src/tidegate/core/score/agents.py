"""What a user agent calls itself. Anybody can call themselves anything: a name that admits to be a
program is believed, a name of a browser is evidence of nothing.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class AgentClass(StrEnum):
    """What the name admits."""

    BROWSER = "browser"
    TOOL = "tool"
    DECLARED = "declared"
    HEADLESS = "headless"
    MISSING = "missing"
    OTHER = "other"


LONGEST_FAMILY: Final = 40
_LONGEST_AGENT: Final = 1024

_HEADLESS: Final = re.compile(r"headless|phantomjs|slimerjs|puppeteer|playwright|selenium|webdriver", re.IGNORECASE)
_TOOLS: Final = re.compile(
    r"(python-openai|openai[-/ ]?(?:python|node|js)?|langchain|litellm|anthropic|python-requests|python-httpx|httpx|"
    r"aiohttp|python-urllib|urllib|python|curl|wget|libwww-perl|lwp|go-http-client|java|okhttp|apache-httpclient|"
    r"axios|node-fetch|undici|node|got|ruby|faraday|php|guzzle|perl|scrapy|mechanize|postman|insomnia|httpie|"
    r"libcurl|winhttp|powershell|jmeter|ab|apachebench|hey|k6|locust|wrk|siege|vegeta|nikto|sqlmap|nmap|masscan|zgrab)"
    r"(?![a-z])",
    re.IGNORECASE,
)
# Words that robots put into their names, and robots of language models whose names have none of them:
# ai-robots-txt/ai.robots.txt @738c80d (MIT).
_DECLARED: Final = re.compile(
    r"(?:(?<!cu)bot(?![a-z])|crawl|spider|slurp|archiver|scraper|fetcher|preview|monitor|pingdom|uptime|checker|"
    r"facebookexternalhit|meta-externalagent|chatgpt-user|chatgpt agent|claude-user|claude-web|anthropic-ai|"
    r"perplexity-user|mistralai-user|cohere-ai|google-extended|googleother|google-agent|googleagent|amzn-user|"
    r"img2dataset|omgili|laion|panscient|webzio|yandexadditional|feedfetcher|mediapartners|bigsur\.ai|"
    r"notebooklm|novaact|manus-user|kimi-user|diffbot|bytespider|ia_archiver)",
    re.IGNORECASE,
)
_BROWSERS: Final = (
    ("edge", re.compile(r"\bEdg(?:e|A|iOS)?/|^edge\b", re.IGNORECASE)),
    ("opera", re.compile(r"\bOPR/|\bOpera\b", re.IGNORECASE)),
    ("samsung", re.compile(r"SamsungBrowser|^samsung\b", re.IGNORECASE)),
    ("firefox", re.compile(r"Firefox/|FxiOS/|^firefox\b", re.IGNORECASE)),
    ("chrome", re.compile(r"Chrome/|CriOS/|Chromium/|^chrom", re.IGNORECASE)),
    ("safari", re.compile(r"Version/[\d.]+.*Safari/|AppleWebKit/.*Mobile|^safari\b", re.IGNORECASE)),
    ("ie", re.compile(r"MSIE |Trident/|^ie\b", re.IGNORECASE)),
    ("mozilla", re.compile(r"^Mozilla/", re.IGNORECASE)),
)
_WORD_END, _WORD_START = re.compile(r"[\w.-]*\Z"), re.compile(r"[\w.-]*")
_NOT_IN_A_FAMILY: Final = re.compile(r"[^a-z0-9._-]+")


def family(agent: str) -> str:
    """The short name by which the event log calls this user agent; empty when it named nothing."""
    name, _ = _named(agent[:_LONGEST_AGENT].strip())
    return name


def class_of(agent: str) -> AgentClass:
    """What a family, or a whole user agent, admits to be."""
    _, kind = _named(agent[:_LONGEST_AGENT].strip())
    return kind


def _named(agent: str) -> tuple[str, AgentClass]:
    if agent in {"", "-", "none", "unknown", "empty"}:
        return "", AgentClass.MISSING
    if _HEADLESS.search(agent):
        return "headless-chrome" if "chrome" in agent.lower() else "headless", AgentClass.HEADLESS
    if robot := _DECLARED.search(agent):
        return _short(_word_around(agent, robot)), AgentClass.DECLARED
    if tool := _TOOLS.match(agent):
        return _short(tool[1]), AgentClass.TOOL
    for name, pattern in _BROWSERS:
        if pattern.search(agent):
            return name, AgentClass.BROWSER
    return _short(agent.split("/", maxsplit=1)[0]) or "other", AgentClass.OTHER


def _word_around(agent: str, found: re.Match[str]) -> str:
    before = _WORD_END.search(agent[max(0, found.start() - LONGEST_FAMILY) : found.start()])
    after = _WORD_START.match(agent[found.end() : found.end() + LONGEST_FAMILY])
    return "".join(part[0] for part in (before, found, after) if part)


def _short(name: str) -> str:
    return _NOT_IN_A_FAMILY.sub("-", name.lower()).strip("-./")[:LONGEST_FAMILY]
