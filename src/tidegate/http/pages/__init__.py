"""Pages for people, without JavaScript: their templates, their style and the headers they share."""

from tidegate.http.pages.assets import ASSETS as ASSETS
from tidegate.http.pages.headers import CHALLENGE_HEADERS as CHALLENGE_HEADERS
from tidegate.http.pages.headers import HEADERS as HEADERS
from tidegate.http.pages.rendering import render as render
