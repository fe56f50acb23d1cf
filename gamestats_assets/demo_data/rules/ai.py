"""Rules from a language model, through Anthropic's or OpenAI's own SDK, held to the JSON schema of `Rules`.

An answer is never trusted: it is validated against the model of rules and against the taxonomy, and its problems go
back to the language model, up to `RETRIES` times. Without a key the analyst makes the rules.

The SDKs retry by themselves when a server fails; each request they send counts against this module's own limit.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr, TypeAdapter, ValidationError

from gamestats_assets.apis.http import retry_after_s
from gamestats_assets.apis.limits import InProcessLimits, Window
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.rules.prompt import INSTRUCTIONS, prompt, rules_schema
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.lakehouse.errors import GamestatsError, violations

Provider = Literal["anthropic", "openai"]

LONGEST_WAIT_S = 120.0
"""Longest wait that a server may ask for before it is given up."""
RETRIES = 3
"""How often an unusable answer is sent back with its problems."""
DEFAULT_MODELS: Mapping[Provider, str] = {"anthropic": "claude-sonnet-5-5", "openai": "gpt-6.2-sol"}
KEY_VARIABLES: Mapping[Provider, str] = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}

_WITHOUT = "Without a language model the analyst makes the rules, and everything else works the same."
_TOOL = "give_rules"
_KEY = re.compile(r"[A-Za-z0-9._~+/=-]+")
_COMPLAINT_LINES = 40
_COMPLAINT_CHARACTERS = 6000
_SAID_CHARACTERS = 300

_log = logging.getLogger(__name__)
_limits = InProcessLimits()
"""Requests sent by this process, by provider."""

Reason = Literal["setup", "key", "unavailable", "refused", "declined", "cut", "unusable"]


class AiError(GamestatsError):
    """A language model gave no rules.

    Attributes:
        reason: `setup`: the SDK or the key is missing; `key`: the key is not accepted or may not use the model;
        `unavailable`: limits, server errors, broken connections or timeouts until the last try; `refused`: a cause that
            a retry would not change (an unknown model, no credit, ...); `declined`: by the language model; `cut`:
            longer than `max_output_tokens`; `unusable`: no answer fits the schema and the taxonomy.
        problems: problems of the last unusable answer.
    """

    def __init__(self, reason: Reason, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(f"{message} {_WITHOUT}")
        self.reason: Reason = reason
        self.problems = list(problems)


def _address(text: str) -> str:
    TypeAdapter(HttpUrl).validate_python(text)
    return text


class AiSettings(BaseModel):
    """Settings of the connection to a language model.

    Attributes:
        key: the provider's API key.
        model: id of the model; None takes the provider's in `DEFAULT_MODELS`.
        base_url: address of the API; None takes the provider's own.
        timeout_s: longest wait for an answer, in seconds, for each request.
        requests_per_minute: most requests in any 60 seconds, over all calls of this process.
        max_output_tokens: longest answer, including the model's thinking.
        tries: requests sent for one answer while the server fails or is too slow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key: SecretStr | None = None
    model: str | None = None
    base_url: Annotated[str, AfterValidator(_address)] | None = None
    timeout_s: float = Field(default=600, gt=0)
    requests_per_minute: int = Field(default=10, gt=0)
    max_output_tokens: int = Field(default=64_000, gt=0)
    tries: int = Field(default=3, gt=0)

    def model_for(self, provider: Provider) -> str:
        """Returns the id of the model to ask."""
        return self.model or DEFAULT_MODELS[provider]


@dataclass(frozen=True, slots=True)
class AiAnswer:
    """Rules that a language model made.

    Attributes:
        rules: valid, and without problems for the taxonomy.
        model: id of the model that answered, as the server names it.
        attempts: number of answers, including the last one.
        input_tokens, output_tokens: tokens of all answers together.
    """

    rules: Rules
    model: str
    attempts: int
    input_tokens: int
    output_tokens: int


# --------------------------------------------------------------------------- asking


def ask_for_rules(
    taxonomy: Taxonomy,
    product: ProductInfo,
    *,
    provider: Provider,
    draft: Rules | None = None,
    deviations: Sequence[str] = (),
    settings: AiSettings,
) -> AiAnswer:
    """Asks a language model for the rules of a product.

    Args:
        draft: rules to improve, such as the analyst's.
        deviations: deviations of data made by the draft, in sentences.

    Raises:
        AiError: when it gives no rules, with the reason.
    """
    conversation_of = _Anthropic if provider == "anthropic" else _OpenAi
    with closing(conversation_of(settings, prompt(taxonomy, product, draft, deviations))) as conversation:
        replies: list[_Reply] = []
        problems: list[str] = []
        for attempt in range(1, RETRIES + 2):
            _log.info("Asking %s for rules, attempt %d", conversation, attempt)
            replies.append(conversation.reply())
            rules, problems = _checked(replies[-1].text, taxonomy)
            if rules is not None:
                tokens = (sum(found) for found in zip(*(reply.tokens for reply in replies), strict=True))
                return AiAnswer(rules, replies[-1].model, attempt, *tokens)
            _log.warning("%s: attempt %d cannot be used, for %d reasons", conversation, attempt, len(problems))
            conversation.send_back(_complaint(problems))
    listed = "\n".join(f"- {problem}" for problem in problems[:10])
    raise AiError(
        "unusable",
        f"None of {RETRIES + 1} answers of {conversation} holds rules that fit the taxonomy. The last one:\n{listed}\n"
        "Try another model.",
        problems,
    )


def _checked(text: str, taxonomy: Taxonomy) -> tuple[Rules | None, list[str]]:
    """Returns the rules in an answer, or its problems."""
    from gamestats_assets.demo_data.rules.soundness import problems

    try:
        found = json.loads(re.sub(r"\A\s*```\w*\n|\n?```\s*\Z", "", text))
        json.dumps(found, allow_nan=False)
    except ValueError as error:
        return None, [f"The answer is not a JSON object: {error}."]
    try:
        rules = Rules.model_validate(found)
    except ValidationError as error:
        inputs = [repr(found["input"]) for found in error.errors(include_url=False)]
        given = [text if len(text) <= 80 else text[:77] + "..." for text in inputs]
        return None, [f"{line} (given: {text})" for line, text in zip(violations(error), given, strict=True)]
    wrong = problems(rules, taxonomy)
    return (None, wrong) if wrong else (rules, [])


def _complaint(problems: Sequence[str]) -> str:
    more = len(problems) - _COMPLAINT_LINES
    text = "\n".join(f"- {problem}" for problem in problems[:_COMPLAINT_LINES])[:_COMPLAINT_CHARACTERS]
    return (
        f"These rules cannot be used:\n{text}\n"
        + (f"- and {more} more of this kind\n" if more > 0 else "")
        + "Give all the rules again, corrected."
    )


# --------------------------------------------------------------------------- conversations


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer; `tokens` are input and output, `why` is the reason if it was cut or declined."""

    text: str
    model: str
    tokens: tuple[int, int]
    ending: Literal["whole", "cut", "declined"] = "whole"
    why: str = ""


class _Conversation(ABC):
    """The conversation with a model of one provider; its text names the model in messages."""

    provider: ClassVar[Provider]
    client: ClassVar[str]

    def __init__(self, settings: AiSettings, message: str) -> None:
        self.settings = settings
        self._turns: list[Any] = [{"role": "user", "content": message}]
        # Before the SDK, which takes a second to load.
        self._key()
        try:
            self._sdk: Any = importlib.import_module(self.provider)
        except ImportError:
            how = f"pip install 'gamestats[{self.provider}]'."
            raise AiError("setup", f"{self} is asked through an SDK that is not installed: {how}") from None
        self._client = getattr(self._sdk, self.client)(api_key=self._key(), **self._options())

    def __str__(self) -> str:
        host = urlsplit(self.settings.base_url or "").hostname
        return f"{self.settings.model_for(self.provider)} of {self.provider}" + (f" at {host}" if host else "")

    def close(self) -> None:
        self._client.close()

    def reply(self) -> _Reply:
        """Returns the model's next complete answer.

        Raises:
            AiError: when there is none.
        """
        # Raised after the except clause: the SDK's error has the request and so the key, and must not be attached to
        # this one as its context.
        try:
            found = self._ask()
        except self._sdk.APIError as error:
            failure = self._failure(error)
        except json.JSONDecodeError:
            failure = AiError("unavailable", f"{self} sent an answer that is not JSON. Try again later.")
        else:
            if found.ending == "whole":
                return found
            failure = self._unfinished(found)
        raise failure

    def send_back(self, complaint: str) -> None:
        """Adds the problems of the last answer."""
        self._turns.append({"role": "user", "content": complaint})

    @abstractmethod
    def _ask(self) -> _Reply: ...

    def _key(self) -> str:
        # Not kept in a variable here, because tracebacks can show variables.
        variable = KEY_VARIABLES[self.provider]
        if self.settings.key is None or not self.settings.key.get_secret_value().strip():
            raise AiError("setup", f"{self} needs a key: set {variable}.")
        if not _KEY.fullmatch(self.settings.key.get_secret_value().strip()):
            # In a header it would raise an error that shows it.
            message = f"{variable} holds a space, a line break or a letter that no key has. Copy it again."
            raise AiError("setup", message)
        return self.settings.key.get_secret_value().strip()

    def _options(self) -> dict[str, Any]:
        """Returns the options of the SDK's client."""
        settings, window = self.settings, Window(self.settings.requests_per_minute, 60.0)

        def count(_: Any) -> None:
            _limits.acquire({self.provider: [window]})

        def keep_from_waiting(response: Any) -> None:
            # Anthropic's SDK waits for as long as the server asks.
            if (retry_after_s(response.headers, time.time()) or 0) > LONGEST_WAIT_S:
                response.headers["x-should-retry"] = "false"

        # A redirect would send the key elsewhere.
        hooks = {"request": [count], "response": [keep_from_waiting]}
        return {
            "base_url": settings.base_url,
            "timeout": self._sdk.Timeout(settings.timeout_s, connect=min(10.0, settings.timeout_s)),
            "max_retries": settings.tries - 1,
            "http_client": self._sdk.DefaultHttpxClient(follow_redirects=False, event_hooks=hooks),
        }

    # ----------------------------------------------------------------- errors

    def _harmless(self, text: str) -> str:
        """Returns the server's words, shortened, and without the key if they repeat it."""
        text = " ".join(text.split()).replace(self._key(), "***")
        return text if len(text) <= _SAID_CHARACTERS else text[: _SAID_CHARACTERS - 3] + "..."

    def _failure(self, error: Any) -> AiError:
        """Returns the error of this module for one of the SDK's."""
        if isinstance(error, self._sdk.APITimeoutError):
            return self._unavailable(f"did not answer within {self.settings.timeout_s:g} s")
        if isinstance(error, self._sdk.APIConnectionError):
            return self._unavailable(f"cannot be reached: {self._harmless(str(error.__cause__ or error))}")
        if not isinstance(error, self._sdk.APIStatusError):
            return self._foreign()
        answer = f"{error.status_code}: {self._harmless(_said(error))}"
        if error.request_id:
            answer += f" (request {error.request_id})"
        # Limits, conflicts and server errors may pass, used-up credit does not.
        is_passing = error.status_code in (408, 409, 429) or error.status_code >= 500
        if is_passing and getattr(error, "code", None) != "insufficient_quota":
            return self._unavailable(f"answers {answer}", retry_after_s(error.response.headers, time.time()))
        if error.status_code in (401, 403):
            return AiError("key", f"{self} refuses the key ({answer}). Check {KEY_VARIABLES[self.provider]}.")
        return AiError("refused", f"{self} refuses the request ({answer}).")

    def _unavailable(self, trouble: str, wait_s: float | None = None) -> AiError:
        when = f"in {wait_s:.0f} seconds" if wait_s else "later"
        return AiError("unavailable", f"{self} {trouble}. Tries: up to {self.settings.tries}. Try again {when}.")

    def _foreign(self) -> AiError:
        """Returns the error for an answer in another shape than the API's, which the SDKs do not check."""
        message = f"The server that answers for {self} does not use the API of {self.provider}. Check the address."
        return AiError("refused", message)

    def _unfinished(self, found: _Reply) -> AiError:
        if found.ending == "cut":
            return AiError(
                "cut",
                f"The answer of {self} was cut after {found.tokens[1]} tokens ({found.why}); at most "
                f"{self.settings.max_output_tokens} are allowed. Raise max_output_tokens (with it, timeout_s), "
                "or take a model that thinks less.",
            )
        return AiError(
            "declined",
            f"{self} declined to make rules: {found.why or 'it gave no reason'}. "
            "Look at the texts of the taxonomy and of the product information.",
        )


def _said(error: Any) -> str:
    body = error.body
    if isinstance(body, dict):
        body = body.get("error", body)
    return str(body.get("message") or body) if isinstance(body, dict) else str(body or error.message)


class _Anthropic(_Conversation):
    """The Messages API; rules come as the input of a tool, or else as text.

    Strict tools and structured outputs do not support schemas with free keys, so answers are validated here. Models
    that always think do not accept a forced tool call, so every model is asked to make one.
    """

    provider = "anthropic"
    client = "Anthropic"

    def _ask(self) -> _Reply:
        answer: Any = self._client.messages.create(
            model=self.settings.model_for(self.provider),
            max_tokens=self.settings.max_output_tokens,
            system=f"{INSTRUCTIONS}\n\nCall {_TOOL} with the rules, once; nothing else you write is read.",
            messages=self._turns,
            tools=[
                {
                    "name": _TOOL,
                    "description": "Hands over all rules of the product.",
                    "input_schema": rules_schema(),
                }
            ],
            tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        )
        if not isinstance(getattr(answer, "content", None), list) or answer.usage is None:
            raise self._foreign()
        blocks = [block for block in answer.content if block.type != "text" or block.text]
        if blocks:
            self._turns.append({"role": "assistant", "content": blocks})
        calls = [block for block in blocks if block.type == "tool_use"]
        written = "".join(block.text for block in blocks if block.type == "text")
        usage = answer.usage
        given = usage.input_tokens + (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        return _Reply(
            json.dumps(calls[0].input) if calls else written,
            answer.model,
            (given, usage.output_tokens),
            _ANTHROPIC_ENDINGS.get(answer.stop_reason or "", "whole"),
            self._harmless((answer.stop_details and answer.stop_details.explanation) or answer.stop_reason or ""),
        )

    def send_back(self, complaint: str) -> None:
        last = self._turns[-1]
        calls = [block.id for block in last["content"] if block.type == "tool_use"] if last["role"] != "user" else []
        results = [
            {"type": "tool_result", "tool_use_id": call, "is_error": True, "content": complaint} for call in calls
        ]
        self._turns.append({"role": "user", "content": results or f"{complaint} Call {_TOOL}."})


_ANTHROPIC_ENDINGS: Mapping[str, Literal["cut", "declined"]] = {
    "max_tokens": "cut",
    "model_context_window_exceeded": "cut",
    "refusal": "declined",
}


class _OpenAi(_Conversation):
    """The Responses API; rules come as text, in a JSON schema that is not strict, because strict ones have no free
    keys."""

    provider = "openai"
    client = "OpenAI"

    def _ask(self) -> _Reply:
        answer: Any = self._client.responses.create(
            model=self.settings.model_for(self.provider),
            max_output_tokens=self.settings.max_output_tokens,
            instructions=f"{INSTRUCTIONS}\n\nAnswer with the JSON object alone.",
            input=self._turns,
            text={"format": {"type": "json_schema", "name": "rules", "schema": rules_schema(), "strict": False}},
            store=False,
        )
        if not isinstance(getattr(answer, "output", None), list):
            raise self._foreign()
        if answer.status == "failed":
            raise self._failed(answer.error)
        parts = [part for item in answer.output if item.type == "message" for part in item.content]
        refusals = [part.refusal for part in parts if part.type == "refusal"]
        why = (answer.incomplete_details and answer.incomplete_details.reason) or ""
        if answer.output_text:
            self._turns.append({"role": "assistant", "content": answer.output_text})
        declined = refusals or why == "content_filter"
        return _Reply(
            answer.output_text,
            answer.model,
            (answer.usage.input_tokens, answer.usage.output_tokens) if answer.usage else (0, 0),
            "declined" if declined else "cut" if answer.status == "incomplete" else "whole",
            self._harmless(" ".join(refusals) or why),
        )

    def _failed(self, error: Any) -> AiError:
        reason = self._harmless(f"{error.code}: {error.message}" if error else "no reason")
        if error and error.code in ("server_error", "rate_limit_exceeded"):
            return self._unavailable(f"failed: {reason}")
        return AiError("refused", f"{self} failed: {reason}.")
