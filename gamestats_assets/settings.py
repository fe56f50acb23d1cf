"""Every setting, read from environment variables in this one place.

`Settings()` reads the environment when it is called, never at import.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gamestats_assets.folders import lake_folder, own_folder, plainly_named

_PACKAGE = Path(__file__).resolve().parent


def shipped(*parts: str) -> Path:
    """A file or folder that travels with gamestats: `sql/`, `data/reference/`, `dagster.yaml`, ...

    In a checkout these stand beside the package; in a wheel they are inside it.
    """
    checkout = _PACKAGE.parent
    root = checkout if (checkout / "workspace.yaml").exists() else _PACKAGE / "_shipped"
    return root.joinpath(*parts)


def _default_data() -> str:
    return str(shipped("data")) if (_PACKAGE.parent / "workspace.yaml").exists() else str(Path.home() / ".gamestats")


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(lambda given: _words(given))]


def _words(given: Any) -> Any:
    return tuple(word.strip() for word in given.split(",") if word.strip()) if isinstance(given, str) else given


class SignInProvider(BaseModel):
    """By which accounts people may sign in.

    Attributes:
        name: in addresses.
        title: for people.
        issuer: who vouches for the accounts: the address of an OpenID Connect provider, without its `/.well-known/...`.
        client_id: as the provider knows gamestats. Without it the provider is Steam, or another one of OpenID 2.0.
        scope: what is asked for.
        platform: of games whose accounts these are, such as `steam` or `epic`: whoever signs in has those players.
            Accounts of Steam itself are of `steam`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    title: str = ""
    issuer: str = Field(default="https://steamcommunity.com/openid", pattern=r"^https?://[^?#\s]+$")
    client_id: str | None = None
    scope: str = "openid profile"
    platform: str | None = Field(default=None, pattern=r"^[a-z0-9]{1,20}$")

    def model_post_init(self, context: Any) -> None:
        """Refuse a provider that could be listened to on its way."""
        here = urlsplit(self.issuer).hostname in ("localhost", "127.0.0.1", "::1")
        if not (self.issuer.startswith("https:") or here):
            raise ValueError(f"The issuer of {self.name} must have an https:// address.")


class Settings(BaseSettings):
    """Settings of one process, from the environment, with working defaults.

    Raises:
        pydantic.ValidationError: when a variable cannot be read; the message names it.
    """

    # Inputs stay out of error messages: one of them is a password, another holds keys.
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
        description="Local folder of Dagster's files and the embedded PostgreSQL; the data folder where that is local.",
    )
    postgres_url: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_POSTGRES_URL",
        description="PostgreSQL to publish to and to keep Dagster's storage in; without it an embedded server is used.",
    )
    postgres_reader_url: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_POSTGRES_READER_URL",
        description="The same PostgreSQL, as a user who may only read; people's queries are asked as that user.",
    )
    postgres_serving_url: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_POSTGRES_SERVING_URL",
        description="The same PostgreSQL, as a user in the role gamestats_serving, who reads public answers.",
    )
    postgres_writer_url: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_POSTGRES_WRITER_URL",
        description="The same PostgreSQL, as a user in the role gamestats_writer, who writes for signed-in people.",
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
        description="Address of the PUBG API; another one for a proxy.",
    )
    pubg_requests_per_minute: int = Field(
        default=10,
        ge=1,
        validation_alias="PUBG_REQUESTS_PER_MINUTE",
        description="Requests for players that the key allows a minute, until the API tells its own figure.",
    )
    riot_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="RIOT_API_KEY",
        description="Key of the Riot API, for fetching players' matches. Ingesting files works without it.",
    )
    riot_api_url: str = Field(
        default="https://{region}.api.riotgames.com",
        validation_alias="RIOT_API_URL",
        description="Address of the Riot API, with {region} for americas, asia, europe or sea; another for a proxy.",
    )
    riot_platform: str | None = Field(
        default=None,
        validation_alias="RIOT_PLATFORM",
        description="Platform of League of Legends players where none is given, such as euw1, kr or na1.",
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
        description="Address of ballchasing's API; another one for a proxy.",
    )
    ballchasing_files: bool = Field(
        default=False,
        validation_alias="GAMESTATS_BALLCHASING_FILES",
        description="Fetch the replays themselves, too, 200 an hour at most; ballchasing's statistics come always.",
    )
    retention_days: int = Field(
        default=730,
        ge=1,
        le=36_500,
        validation_alias="GAMESTATS_RETENTION_DAYS",
        description="Days for which a player's matches are kept, unless the player wants it otherwise.",
    )
    privacy_contact: str | None = Field(
        default=None,
        max_length=500,
        validation_alias="GAMESTATS_PRIVACY_CONTACT",
        description="Whom people ask about what is held on them, as the page about privacy tells it.",
    )
    export_days: int = Field(
        default=7,
        ge=1,
        le=365,
        validation_alias="GAMESTATS_EXPORT_DAYS",
        description="Days for which somebody can download the archive of everything that is held on them.",
    )
    job_days: int = Field(
        default=90,
        ge=1,
        le=36_500,
        validation_alias="GAMESTATS_JOB_DAYS",
        description="Days for which is kept what became of something that people asked for; of a replay that somebody "
        "sent, for as long as the upload is.",
    )
    encryption_key: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_ENCRYPTION_KEY",
        description="Fernet keys, the newest first, that e-mail addresses and ids of accounts are encrypted with; "
        "without it one is made in the state folder.",
    )
    anthropic_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="ANTHROPIC_API_KEY",
        description="Key of Anthropic's API, for rules of demo data made by its models. The analyst needs none.",
    )
    anthropic_base_url: str | None = Field(
        default=None, validation_alias="ANTHROPIC_BASE_URL", description="Another address of Anthropic's API."
    )
    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="OPENAI_API_KEY",
        description="Key of OpenAI's API, for rules of demo data made by its models. The analyst needs none.",
    )
    openai_base_url: str | None = Field(
        default=None, validation_alias="OPENAI_BASE_URL", description="Another address of OpenAI's API, with its /v1."
    )
    ai_model: str | None = Field(
        default=None, validation_alias="GAMESTATS_AI_MODEL", description="Language model to ask; each provider has one."
    )
    ai_requests_per_minute: int = Field(
        default=10, ge=1, validation_alias="GAMESTATS_AI_REQUESTS_PER_MINUTE", description="Requests to it a minute."
    )
    ai_timeout_s: float = Field(
        default=600, gt=0, validation_alias="GAMESTATS_AI_TIMEOUT_S", description="Longest wait for an answer, seconds."
    )
    ai_max_output_tokens: int = Field(
        default=64_000, ge=1000, validation_alias="GAMESTATS_AI_MAX_OUTPUT_TOKENS", description="Longest answer."
    )
    l2m_inbox: Path | None = Field(
        default=None,
        validation_alias="GAMESTATS_L2M_INBOX",
        description="Folder that a studio drops an MMO's logs in, a folder for each day (YYYY-MM-DD); fetched daily.",
    )
    l2m_iceberg: SecretStr | None = Field(
        default=None,
        validation_alias="GAMESTATS_L2M_ICEBERG",
        description="Iceberg catalogue that holds an MMO's logs, as JSON: catalogue, properties, tables, day_column.",
    )
    l2m_columns: Path | None = Field(
        default=None,
        validation_alias="GAMESTATS_L2M_COLUMNS",
        description="JSON file that maps our column names of an MMO's logs to a studio's own.",
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
        description="Address by which people reach what is served, such as https://stats.example.org.",
    )
    hosts: Words = Field(
        default=(),
        validation_alias="GAMESTATS_HOSTS",
        description="Further host names by which what is served may be asked for, with commas between them.",
    )
    requests_a_minute: int | None = Field(
        default=60,
        ge=1,
        validation_alias="GAMESTATS_REQUESTS_A_MINUTE",
        description="Requests a minute that the API answers an address; those that bring nothing new are not counted.",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        validation_alias="GAMESTATS_METRICS_PORT",
        description="Port at which `gamestats serve` tells Prometheus of itself; without it, it tells nobody.",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        validation_alias="GAMESTATS_METRICS_HOST",
        description="Address of that port; this machine alone unless set.",
    )
    request_logs: Path | None = Field(
        default=None,
        validation_alias="GAMESTATS_REQUEST_LOGS",
        description="Folder for the lines about requests, a file a day, kept for 14 days; without it they are printed.",
    )
    dagster_socket: Path | None = Field(
        default=None,
        validation_alias="GAMESTATS_DAGSTER_SOCKET",
        description="Unix socket of Dagster's webserver, which admins reach under /dagster/; `gamestats up` sets it.",
    )
    requests_a_minute_of_user: int = Field(
        default=300,
        ge=1,
        validation_alias="GAMESTATS_REQUESTS_A_MINUTE_OF_USER",
        description="The same of a signed-in user; a premium user may ask five times as often.",
    )
    requests_a_minute_of_admin: int = Field(
        default=1000,
        ge=1,
        validation_alias="GAMESTATS_REQUESTS_A_MINUTE_OF_ADMIN",
        description="The same of an admin and of a tournament admin.",
    )
    guesses_a_minute: int = Field(
        default=10,
        ge=1,
        validation_alias="GAMESTATS_GUESSES_A_MINUTE",
        description="Links and tokens that are none which an address may try a minute.",
    )
    files_an_hour: int = Field(
        default=30,
        ge=1,
        validation_alias="GAMESTATS_FILES_AN_HOUR",
        description="Files that a user may send an hour; a premium user five times as many, admins any number.",
    )
    limits_url: str = Field(
        default="memory://",
        pattern=r"^(memory|redis|rediss|valkey)://",
        repr=False,
        validation_alias="GAMESTATS_LIMITS_URL",
        description="Where requests are counted: in each process, or for all together at a redis:// address.",
    )
    trusted_proxies: Words = Field(
        default=(),
        validation_alias="GAMESTATS_TRUSTED_PROXIES",
        description="Addresses or networks of proxies, with commas between them, that say for whom they ask.",
    )
    largest_request_mb: int = Field(
        default=8,
        ge=1,
        validation_alias="GAMESTATS_LARGEST_REQUEST_MB",
        description="Megabytes that a request may have.",
    )
    largest_upload_mb: int = Field(
        default=128,
        ge=1,
        validation_alias="GAMESTATS_LARGEST_UPLOAD_MB",
        description="Megabytes of replays that may be sent at once, packed or not.",
    )
    largest_replay_mb: int = Field(
        default=16,
        ge=1,
        validation_alias="GAMESTATS_LARGEST_REPLAY_MB",
        description="Megabytes that a replay which is sent may have.",
    )
    longest_upload_s: float = Field(
        default=300,
        gt=0,
        validation_alias="GAMESTATS_LONGEST_UPLOAD_S",
        description="Seconds in which replays must be sent.",
    )
    longest_request_s: float = Field(
        default=30,
        gt=0,
        validation_alias="GAMESTATS_LONGEST_REQUEST_S",
        description="Seconds in which a request must be answered.",
    )
    sign_in: tuple[SignInProvider, ...] = Field(
        default_factory=lambda: (SignInProvider(name="steam", title="Steam"),),
        validation_alias="GAMESTATS_SIGN_IN",
        description="By which accounts people may sign in, as a JSON list: Steam by default (see the README).",
    )
    sign_in_secrets: dict[str, SecretStr] = Field(
        default_factory=dict,
        validation_alias="GAMESTATS_SIGN_IN_SECRETS",
        description="JSON object of the client secrets of those that have one, by name.",
    )
    largest_file_mb: int = Field(
        default=128,
        ge=1,
        validation_alias="GAMESTATS_LARGEST_FILE_MB",
        description="Megabytes that a match file, a document or a workbook may have, packed or not. A packed log may "
        "unpack to so much, or to 100 times its size.",
    )
    longest_read_s: int = Field(
        default=600,
        ge=1,
        validation_alias="GAMESTATS_LONGEST_READ_S",
        description="Seconds that reading one file may take.",
    )
    decoding_mb: int = Field(
        default=2048,
        ge=64,
        validation_alias="GAMESTATS_DECODING_MB",
        description="Megabytes of memory that decoding one replay may take, in a process of its own.",
    )
    longest_decoding_s: int = Field(
        default=120,
        ge=1,
        validation_alias="GAMESTATS_LONGEST_DECODING_S",
        description="Seconds that decoding one replay may take.",
    )

    @property
    def data_is_remote(self) -> bool:
        """Whether the data stand in an object store."""
        return "://" in self.data

    @property
    def fetches_l2m_logs(self) -> bool:
        """Whether an MMO's logs are fetched from somewhere."""
        return self.l2m_inbox is not None or self.l2m_iceberg is not None

    @property
    def data_folder(self) -> Path:
        """The data folder as it was named, where the data are local; made for its owner alone where there is none."""
        return own_folder(Path(self.data))

    @property
    def state_folder(self) -> Path:
        """Local folder for what must be on a disk: Dagster's files, the embedded PostgreSQL; under a plain name.

        Raises:
            OSError: when its path is not plain, and the link that is cannot be made.
        """
        if self.state is not None:
            return plainly_named(own_folder(self.state))
        return plainly_named(own_folder(Path.home() / ".gamestats") if self.data_is_remote else self.data_folder)

    def under_data(self, name: str) -> str:
        """Path or URL of a part of the data folder, such as `landing` or `lake`, as programs can open it.

        Raises:
            OSError: when the data folder's path is not plain, and no link or folder that is can be made.
        """
        if self.data_is_remote:
            return f"{self.data.rstrip('/')}/{name}"
        return str(lake_folder(self.data_folder) if name == "lake" else plainly_named(self.data_folder) / name)

    def model_post_init(self, context: Any) -> None:
        """Refuse a URL scheme that the lake could not open."""
        if self.data_is_remote and not self.data.startswith(("s3://", "gs://", "az://", "abfss://")):
            raise ValueError(f"GAMESTATS_DATA is {self.data!r}; give a folder, or an s3://, gs:// or az:// URL.")
