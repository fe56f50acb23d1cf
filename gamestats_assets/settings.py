"""All settings, read from environment variables.

`Settings()` reads the environment when it is called, never at import.
"""

from __future__ import annotations

import csv
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gamestats_assets.folders import lake_folder, own_folder, plainly_named

_PACKAGE = Path(__file__).resolve().parent


def shipped(*parts: str) -> Path:
    """Returns the path of a shipped file or folder: `sql/`, `data/reference/`, `dagster.yaml`, ...

    In a checkout these are beside the package, in a wheel inside it.
    """
    checkout = _PACKAGE.parent
    root = checkout if (checkout / "workspace.yaml").exists() else _PACKAGE / "_shipped"
    return root.joinpath(*parts)


def shipped_rows(*parts: str) -> list[dict[str, str]]:
    """Returns the lines of a shipped CSV file, each with its cells by column."""
    with shipped(*parts).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shipped_facts(*parts: str) -> dict[str, Any]:
    """Returns the contents of a shipped TOML file."""
    return tomllib.loads(shipped(*parts).read_text("utf-8"))


def _default_data() -> str:
    return str(shipped("data")) if (_PACKAGE.parent / "workspace.yaml").exists() else str(Path.home() / ".gamestats")


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(lambda value: _split_commas(value))]


def _split_commas(value: Any) -> Any:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


class SignInProvider(BaseModel):
    """A provider of accounts with which people may sign in.

    Attributes:
        name: name in addresses.
        title: name shown to people.
        issuer: address of the OpenID Connect provider, without its `/.well-known/...`.
        client_id: id of gamestats at the provider. Without it, the provider uses OpenID 2.0, as Steam does.
        scope: scopes to request.
        platform: platform of the accounts in games, such as `steam` or `epic`: a signed-in person owns these players.
            Steam's own accounts are always of `steam`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    title: str = ""
    issuer: str = Field(default="https://steamcommunity.com/openid", pattern=r"^https?://[^?#\s]+$")
    client_id: str | None = None
    scope: str = "openid profile"
    platform: str | None = Field(default=None, pattern=r"^[a-z0-9]{1,20}$")

    def model_post_init(self, context: Any) -> None:
        """Refuses a provider whose traffic could be intercepted."""
        here = urlsplit(self.issuer).hostname in ("localhost", "127.0.0.1", "::1")
        if not (self.issuer.startswith("https:") or here):
            raise ValueError(f"The issuer of {self.name} must have an https:// address.")


class Settings(BaseSettings):
    """Settings of one process, from the environment, with working defaults.

    Raises:
        pydantic.ValidationError: if a variable is invalid; the message names it.
    """

    # Error messages do not show inputs, some of which are passwords or keys.
    model_config = SettingsConfigDict(
        env_prefix="GAMESTATS_",
        env_ignore_empty=True,
        populate_by_name=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    data: str = Field(
        default_factory=_default_data,
        validation_alias="GAMESTATS_DATA",
        description="Folder or object-store URL (s3://bucket/prefix) of the landing zone and the lake.",
    )
    state: Path | None = Field(
        default=None,
        validation_alias="GAMESTATS_STATE",
        description="Local folder for Dagster's files and the embedded PostgreSQL; by default a local data folder.",
    )
    postgres_url: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_POSTGRES_URL",
        description="PostgreSQL for published tables and Dagster's storage; an embedded server by default.",
    )
    postgres_reader_url: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_POSTGRES_READER_URL",
        description="The same PostgreSQL with a read-only user, who runs people's queries.",
    )
    postgres_serving_url: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_POSTGRES_SERVING_URL",
        description="The same PostgreSQL with a user in the role gamestats_serving, who reads public answers.",
    )
    postgres_writer_url: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_POSTGRES_WRITER_URL",
        description="The same PostgreSQL with a user in the role gamestats_writer, who writes for signed-in people.",
    )
    storage_options: dict[str, str] = Field(
        default_factory=dict,
        validation_alias="GAMESTATS_STORAGE_OPTIONS",
        repr=False,
        description="JSON object of object-store options (aws_endpoint_url, aws_access_key_id, ...).",
    )
    pubg_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="PUBG_API_KEY",
        description="Key of the PUBG API, for fetching players' match lists. Ingesting files works without it.",
    )
    pubg_api_url: str = Field(
        default="https://api.pubg.com",
        validation_alias="PUBG_API_URL",
        description="Address of the PUBG API, or of a proxy.",
    )
    pubg_requests_per_minute: int = Field(
        default=10,
        ge=1,
        validation_alias="PUBG_REQUESTS_PER_MINUTE",
        description="Requests for players that the key allows per minute, until the API reports its own limit.",
    )
    riot_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="RIOT_API_KEY",
        description="Key of the Riot API, for fetching players' matches. Ingesting files works without it.",
    )
    riot_api_url: str = Field(
        default="https://{region}.api.riotgames.com",
        validation_alias="RIOT_API_URL",
        description="Address of the Riot API, with {region} for americas, asia, europe or sea, or of a proxy.",
    )
    riot_platform: str | None = Field(
        default=None,
        validation_alias="RIOT_PLATFORM",
        description="Default platform of League of Legends players, such as euw1, kr or na1.",
    )
    data_dragon_url: str = Field(
        default="https://ddragon.leagueoflegends.com",
        validation_alias="DATA_DRAGON_URL",
        description="Address of Data Dragon, Riot's lists of items and champions; needs no key.",
    )
    ballchasing_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="BALLCHASING_API_KEY",
        description="Key of ballchasing.com, for fetching players' replays. Ingesting files works without it.",
    )
    ballchasing_api_url: str = Field(
        default="https://ballchasing.com/api",
        validation_alias="BALLCHASING_API_URL",
        description="Address of ballchasing's API, or of a proxy.",
    )
    ballchasing_files: bool = Field(
        default=False,
        validation_alias="GAMESTATS_BALLCHASING_FILES",
        description="Also fetches the replays themselves, at most 200 an hour; their statistics are always fetched.",
    )
    retention_days: int = Field(
        default=730,
        ge=1,
        le=36_500,
        validation_alias="GAMESTATS_RETENTION_DAYS",
        description="Days for which a player's matches are kept, unless the player chooses otherwise.",
    )
    privacy_contact: str | None = Field(
        default=None,
        max_length=500,
        validation_alias="GAMESTATS_PRIVACY_CONTACT",
        description="Contact for questions about personal data, shown on the privacy page.",
    )
    export_days: int = Field(
        default=7,
        ge=1,
        le=365,
        validation_alias="GAMESTATS_EXPORT_DAYS",
        description="Days for which people can download the archive of their personal data.",
    )
    job_days: int = Field(
        default=90,
        ge=1,
        le=36_500,
        validation_alias="GAMESTATS_JOB_DAYS",
        description="Days for which the outcomes of people's requests are kept; those of uploads stay as long as the "
        "upload does.",
    )
    encryption_key: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_ENCRYPTION_KEY",
        description="Fernet keys, the newest first, which encrypt e-mail addresses and account ids; by default a key "
        "is created in the state folder.",
    )
    anthropic_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="ANTHROPIC_API_KEY",
        description="Key of Anthropic's API, whose models can write rules of demo data. The analyst needs no key.",
    )
    anthropic_base_url: str | None = Field(
        default=None, validation_alias="ANTHROPIC_BASE_URL", description="Another address of Anthropic's API."
    )
    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="OPENAI_API_KEY",
        description="Key of OpenAI's API, whose models can write rules of demo data. The analyst needs no key.",
    )
    openai_base_url: str | None = Field(
        default=None, validation_alias="OPENAI_BASE_URL", description="Another address of OpenAI's API, with its /v1."
    )
    ai_model: str | None = Field(
        default=None, validation_alias="GAMESTATS_AI_MODEL", description="Language model; each provider has a default."
    )
    ai_requests_per_minute: int = Field(
        default=10, ge=1, validation_alias="GAMESTATS_AI_REQUESTS_PER_MINUTE", description="Requests to it per minute."
    )
    ai_timeout_s: float = Field(
        default=600,
        gt=0,
        validation_alias="GAMESTATS_AI_TIMEOUT_S",
        description="Longest wait for an answer, in seconds.",
    )
    ai_max_output_tokens: int = Field(
        default=64_000,
        ge=1000,
        validation_alias="GAMESTATS_AI_MAX_OUTPUT_TOKENS",
        description="Longest answer, in tokens.",
    )
    l2m_inbox: Path | None = Field(
        default=None,
        validation_alias="GAMESTATS_L2M_INBOX",
        description="Folder for an MMO's logs from a studio, with a folder for each day (YYYY-MM-DD); fetched daily.",
    )
    l2m_iceberg: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_L2M_ICEBERG",
        description="Iceberg catalogue with an MMO's logs, as JSON: catalogue, properties, tables, day_column.",
    )
    l2m_columns: Path | None = Field(
        default=None,
        validation_alias="GAMESTATS_L2M_COLUMNS",
        description="JSON file that maps our column names for an MMO's logs to the studio's own.",
    )
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        validation_alias="GAMESTATS_WORKERS",
        description="Processes that decode raw files and generate demo data.",
    )

    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@\s]+$",
        validation_alias="GAMESTATS_PUBLIC_URL",
        description="Public address of the server, such as https://stats.example.org.",
    )
    hosts: Words = Field(
        default=(),
        validation_alias="GAMESTATS_HOSTS",
        description="Further host names of the server, separated by commas.",
    )
    requests_a_minute: int | None = Field(
        default=60,
        ge=1,
        validation_alias="GAMESTATS_REQUESTS_A_MINUTE",
        description="Requests per minute from one address; answers that are unchanged do not count.",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        validation_alias="GAMESTATS_METRICS_PORT",
        description="Port at which `gamestats serve` offers metrics for Prometheus; none by default.",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        validation_alias="GAMESTATS_METRICS_HOST",
        description="Address of that port; only this machine by default.",
    )
    request_logs: Path | None = Field(
        default=None,
        validation_alias="GAMESTATS_REQUEST_LOGS",
        description="Folder for logs of requests, one file per day, kept for 14 days; printed by default.",
    )
    dagster_socket: Path | None = Field(
        default=None,
        validation_alias="GAMESTATS_DAGSTER_SOCKET",
        description="Unix socket of Dagster's webserver, which admins see under /dagster/; set by `gamestats up`.",
    )
    requests_a_minute_of_user: int = Field(
        default=300,
        ge=1,
        validation_alias="GAMESTATS_REQUESTS_A_MINUTE_OF_USER",
        description="Requests per minute of a signed-in user; five times as many for a premium user.",
    )
    requests_a_minute_of_admin: int = Field(
        default=1000,
        ge=1,
        validation_alias="GAMESTATS_REQUESTS_A_MINUTE_OF_ADMIN",
        description="Requests per minute of an admin or tournament admin.",
    )
    guesses_a_minute: int = Field(
        default=10,
        ge=1,
        validation_alias="GAMESTATS_GUESSES_A_MINUTE",
        description="Invalid links and tokens that one address may try per minute.",
    )
    files_an_hour: int = Field(
        default=30,
        ge=1,
        validation_alias="GAMESTATS_FILES_AN_HOUR",
        description="Files that a user may upload per hour; five times as many for a premium user, any number for "
        "admins.",
    )
    limits_url: str = Field(
        default="memory://",
        pattern=r"^(memory|redis|rediss|valkey)://",
        repr=False,
        validation_alias="GAMESTATS_LIMITS_URL",
        description="Where requests are counted: in each process, or for all processes at a redis:// address.",
    )
    trusted_proxies: Words = Field(
        default=(),
        validation_alias="GAMESTATS_TRUSTED_PROXIES",
        description="Addresses or networks of proxies whose forwarded client addresses are trusted, separated by "
        "commas.",
    )
    largest_request_mb: int = Field(
        default=8,
        ge=1,
        validation_alias="GAMESTATS_LARGEST_REQUEST_MB",
        description="Largest request, in megabytes.",
    )
    largest_upload_mb: int = Field(
        default=128,
        ge=1,
        validation_alias="GAMESTATS_LARGEST_UPLOAD_MB",
        description="Largest upload of replays, in megabytes, compressed or not.",
    )
    largest_replay_mb: int = Field(
        default=16,
        ge=1,
        validation_alias="GAMESTATS_LARGEST_REPLAY_MB",
        description="Largest uploaded replay, in megabytes.",
    )
    longest_upload_s: float = Field(
        default=300,
        gt=0,
        validation_alias="GAMESTATS_LONGEST_UPLOAD_S",
        description="Longest time for an upload of replays, in seconds.",
    )
    longest_request_s: float = Field(
        default=30,
        gt=0,
        validation_alias="GAMESTATS_LONGEST_REQUEST_S",
        description="Longest time to answer a request, in seconds.",
    )
    sign_in: tuple[SignInProvider, ...] = Field(
        default_factory=lambda: (SignInProvider(name="steam", title="Steam"),),
        validation_alias="GAMESTATS_SIGN_IN",
        description="Accounts with which people may sign in, as a JSON list: Steam by default (see the README).",
    )
    sign_in_secrets: dict[str, SecretStr] = Field(
        default_factory=dict,
        validation_alias="GAMESTATS_SIGN_IN_SECRETS",
        description="JSON object with the client secrets of sign-in providers, by name.",
    )
    largest_file_mb: int = Field(
        default=128,
        ge=1,
        validation_alias="GAMESTATS_LARGEST_FILE_MB",
        description="Largest match file, document or workbook, in megabytes, compressed or not. A compressed log may "
        "unpack to this size or to 100 times its own.",
    )
    longest_read_s: int = Field(
        default=600,
        ge=1,
        validation_alias="GAMESTATS_LONGEST_READ_S",
        description="Longest time to read one file, in seconds.",
    )
    decoding_mb: int = Field(
        default=2048,
        ge=64,
        validation_alias="GAMESTATS_DECODING_MB",
        description="Most memory for decoding one replay in its own process, in megabytes.",
    )
    longest_decoding_s: int = Field(
        default=120,
        ge=1,
        validation_alias="GAMESTATS_LONGEST_DECODING_S",
        description="Longest time to decode one replay, in seconds.",
    )

    @property
    def data_is_remote(self) -> bool:
        """Whether the data are in an object store."""
        return "://" in self.data

    @property
    def fetches_l2m_logs(self) -> bool:
        """Whether an MMO's logs are fetched from somewhere."""
        return self.l2m_inbox is not None or self.l2m_iceberg is not None

    @property
    def data_folder(self) -> Path:
        """The local data folder with links resolved; created for its owner alone if missing."""
        return own_folder(Path(self.data))

    @property
    def state_folder(self) -> Path:
        """Local folder, under a plain name, for what must be on a disk: Dagster's files and the embedded PostgreSQL.

        Raises:
            OSError: if its path is not plain and no link to it can be created.
        """
        if self.state is not None:
            return plainly_named(own_folder(self.state))
        return plainly_named(own_folder(Path.home() / ".gamestats") if self.data_is_remote else self.data_folder)

    def under_data(self, name: str) -> str:
        """Path or URL of a part of the data folder, such as `landing` or `lake`, that programs can open.

        Raises:
            OSError: if the data folder's path is not plain and no plain link or folder can be created.
        """
        if self.data_is_remote:
            return f"{self.data.rstrip('/')}/{name}"
        return str(lake_folder(self.data_folder) if name == "lake" else plainly_named(self.data_folder) / name)

    def model_post_init(self, context: Any) -> None:
        """Refuses a URL scheme that the lake could not open."""
        if self.data_is_remote and not self.data.startswith(("s3://", "gs://", "az://", "abfss://")):
            raise ValueError(f"GAMESTATS_DATA is {self.data!r}; give a folder, or an s3://, gs:// or az:// URL.")
