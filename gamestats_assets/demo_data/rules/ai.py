"""Rules from a language model: asked through Anthropic's or OpenAI's own SDK, held to the JSON schema of `Rules`.

What comes back is never trusted: it is validated against the model of rules and against the taxonomy, and
what is wrong with it goes back to the language model, up to `RETRIES` times. Nothing here is needed for
rules: without a key the analyst makes them.

The SDKs themselves try again when a server is in trouble; each request they send counts against our own limit.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from pydantic import HttpUrl, SecretStr, TypeAdapter, ValidationError

from gamestats_assets.apis.http import retry_after_s
from gamestats_assets.apis.limits import InProcessLimits, Window
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.rules.prompt import INSTRUCTIONS, prompt, rules_schema
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.lakehouse.errors import GamestatsError, violations

Provider = Literal["anthropic", "openai"]

LONGEST_WAIT_S = 120.0
"""A server that asks for a longer wait is given up."""
RETRIES = 3
"""How often an answer that cannot be used is sent back with what is wrong."""
DEFAULT_MODELS: Mapping[Provider, str] = {"anthropic": "claude-sonnet-5-5", "openai": "gpt-6.2-sol"}
KEY_VARIABLES: Mapping[Provider, str] = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}

_WITHOUT = "Without a language model the analyst makes the rules, and everything else works the same."
_TOOL = "give_rules"
_KEY = re.compile(r"[A-Za-z0-9._~+/=-]+")
_COMPLAINT_LINES = 40
_COMPLAINT_CHARACTERS = 6000
_SAID_CHARACTERS = 300

_log = logging.getLogger(__name__)


# --------------------------------------------------------------------------- errors


Reason = Literal["setup", "key", "unavailable", "refused", "declined", "cut", "unusable"]


class AiError(GamestatsError):
    """A language model gave no rules.

    Attributes:
        reason: `setup`, the SDK or the key is missing; `key`, the key is not accepted or may not use the model;
            `unavailable`, limits, server errors, broken connections or timeouts until the last try; `refused`, for a
            cause that asking again would not change (an unknown model, no credit, ...); `declined` by the language
            model; `cut`, longer than `max_output_tokens`; `unusable`, no answer kept to the schema and the taxonomy.
        problems: what is wrong with an unusable answer, the last one.
    """

    def __init__(self, reason: Reason, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.problems = list(problems)


# --------------------------------------------------------------------------- settings and result


@dataclass(frozen=True, slots=True)
class AiSettings:
    """How a language model is reached.

    Attributes:
        key: the provider's API key.
        model: id of the model; None is the provider's in `DEFAULT_MODELS`.
        base_url: address of the API; None is the provider's own.
        timeout_s: longest wait for an answer, in seconds, for each request.
        requests_per_minute: requests sent in any 60 seconds, over all calls of this process.
        max_output_tokens: longest answer, the model's thinking included.
        tries: requests sent for one answer while the server is in trouble or too slow.
    """

    key: SecretStr | None = None
    model: str | None = None
    base_url: str | None = None
    timeout_s: float = 600
    requests_per_minute: int = 10
    max_output_tokens: int = 64_000
    tries: int = 3

    def __post_init__(self) -> None:
        for name in ("timeout_s", "requests_per_minute", "max_output_tokens", "tries"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} of the language model is {getattr(self, name)}; it must be above 0")
        if self.base_url is not None and not _is_address(self.base_url):
            raise ValueError("base_url of the language model is no address; it looks like https://example.org/v1")

    def model_for(self, provider: Provider) -> str:
        """Id of the model to ask."""
        return self.model or DEFAULT_MODELS[provider]


def _is_address(text: str) -> bool:
    try:
        TypeAdapter(HttpUrl).validate_python(text)
    except ValidationError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class AiAnswer:
    """Rules that a language model made.

    Attributes:
        rules: valid, and without problems for the taxonomy.
        model: id of the model that answered, as the server names it.
        attempts: answers it took, the last one included.
        input_tokens, output_tokens: of all answers together.
    """

    rules: Rules
    model: str
    attempts: int
    input_tokens: int
    output_tokens: int


def _complaint(problems: Sequence[str]) -> str:
    more = len(problems) - _COMPLAINT_LINES
    text = "\n".join(f"- {problem}" for problem in problems[:_COMPLAINT_LINES])[:_COMPLAINT_CHARACTERS]
    return (
        f"These rules cannot be used:\n{text}\n"
        + (f"- and {more} more of this kind\n" if more > 0 else "")
        + "Give all the rules again, corrected."
    )


_limits = InProcessLimits()
"""Requests sent by this process, by provider."""


# --------------------------------------------------------------------------- asking


@dataclass(frozen=True, slots=True)
class _Reply:
    text: str
    ending: Literal["whole", "cut", "declined"]
    model: str
    input_tokens: int
    output_tokens: int
    why: str = ""


class _Conversation(Protocol):
    """What was said so far with one provider; its SDK is `sdk`."""

    sdk: Any

    def ask(self) -> _Reply: ...
    def send_back(self, complaint: str) -> None: ...
    def close(self) -> None: ...


def ask_for_rules(
    taxonomy: Taxonomy,
    product: ProductInfo,
    *,
    provider: Provider,
    draft: Rules | None = None,
    deviations: Sequence[str] = (),
    settings: AiSettings,
) -> AiAnswer:
    """Have a language model make the rules of a product.

    Args:
        draft: rules to improve, such as the analyst's.
        deviations: where data made by the draft differ from it, in sentences.

    Raises:
        AiError: when it gives none; its reason says why.
    """
    asked = _Asked(provider, settings)
    with closing(_conversation(asked, prompt(taxonomy, product, draft, deviations))) as conversation:
        replies: list[_Reply] = []
        problems: list[str] = []
        for attempt in range(1, RETRIES + 2):
            _log.info("Asking %s for rules, attempt %d", asked, attempt)
            replies.append(_ask(conversation, asked))
            _refuse_unfinished(replies[-1], asked)
            rules, problems = _checked(replies[-1].text, taxonomy)
            if rules is not None:
                return AiAnswer(
                    rules,
                    replies[-1].model,
                    attempt,
                    sum(reply.input_tokens for reply in replies),
                    sum(reply.output_tokens for reply in replies),
                )
            _log.warning("%s: attempt %d cannot be used, for %d reasons", asked, attempt, len(problems))
            conversation.send_back(_complaint(problems))
    told = "\n".join(f"- {problem}" for problem in problems[:10])
    raise AiError(
        "unusable",
        f"None of {RETRIES + 1} answers of {asked} holds rules that fit the taxonomy. The last one:\n{told}\n"
        f"Try another model. {_WITHOUT}",
        problems,
    )


def _checked(text: str, taxonomy: Taxonomy) -> tuple[Rules | None, list[str]]:
    """The rules in an answer, or what is wrong with it."""
    from gamestats_assets.demo_data.rules.soundness import problems

    try:
        found = json.loads(re.sub(r"\A\s*```\w*\n|\n?```\s*\Z", "", text))
        json.dumps(found, allow_nan=False)
    except ValueError as error:
        return None, [f"The answer is no JSON object: {error}."]
    try:
        rules = Rules.model_validate(found)
    except ValidationError as error:
        inputs = [repr(found["input"]) for found in error.errors(include_url=False)]
        given = [text if len(text) <= 80 else text[:77] + "..." for text in inputs]
        return None, [f"{line} (given: {text})" for line, text in zip(violations(error), given, strict=True)]
    wrong = problems(rules, taxonomy)
    return (None, wrong) if wrong else (rules, [])


def _refuse_unfinished(reply: _Reply, asked: _Asked) -> None:
    if reply.ending == "cut":
        raise AiError(
            "cut",
            f"The answer of {asked} was cut after {reply.output_tokens} tokens ({reply.why}); at most "
            f"{asked.settings.max_output_tokens} are allowed. Raise max_output_tokens (with it, timeout_s), "
            f"or take a model that thinks less. {_WITHOUT}",
        )
    if reply.ending == "declined":
        raise AiError(
            "declined",
            f"{asked} declined to make rules: {reply.why or 'it gave no reason'}. "
            f"Look at the texts of the taxonomy and of the product information. {_WITHOUT}",
        )


def _ask(conversation: _Conversation, asked: _Asked) -> _Reply:
    # Raised after the except clause: the SDK's error, which holds the request and with it the key,
    # must not hang on ours as its context.
    try:
        return conversation.ask()
    except AiError:
        raise
    except conversation.sdk.APIError as error:
        failure = asked.failure(error, conversation.sdk)
    except json.JSONDecodeError:
        failure = AiError("unavailable", f"{asked} sent an answer that is no JSON. Try again later. {_WITHOUT}")
    raise failure


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whom we ask; its text is how messages name it."""

    provider: Provider
    settings: AiSettings

    @property
    def model(self) -> str:
        return self.settings.model_for(self.provider)

    def __str__(self) -> str:
        host = urlsplit(self.settings.base_url or "").hostname
        return f"{self.model} of {self.provider}" + (f" at {host}" if host else "")

    def key(self) -> str:
        """The key in plain; for the SDK's client alone.

        It is in no variable here, for tracebacks can show those.

        Raises:
            AiError: when there is none, or it cannot be one.
        """
        variable = KEY_VARIABLES[self.provider]
        if self.settings.key is None or not self.settings.key.get_secret_value().strip():
            raise AiError("setup", f"{self} needs a key: set {variable}. {_WITHOUT}")
        if not _KEY.fullmatch(self.settings.key.get_secret_value().strip()):
            # In a header it would raise an error that shows it.
            message = f"{variable} holds a space, a line break or a letter that no key has. Copy it again."
            raise AiError("setup", message)
        return self.settings.key.get_secret_value().strip()

    def harmless(self, said: str) -> str:
        """What the server said, short and without the key, should it have repeated that."""
        text = " ".join(said.split()).replace(self.key(), "***")
        return text if len(text) <= _SAID_CHARACTERS else text[: _SAID_CHARACTERS - 3] + "..."

    def failure(self, error: Any, sdk: Any) -> AiError:
        """Our error for one of the SDK's."""
        if isinstance(error, sdk.APITimeoutError):
            return self.unavailable(f"did not answer within {self.settings.timeout_s:g} s")
        if isinstance(error, sdk.APIConnectionError):
            return self.unavailable(f"cannot be reached: {self.harmless(str(error.__cause__ or error))}")
        if not isinstance(error, sdk.APIStatusError):
            return self.foreign()
        said = f"{error.status_code}: {self.harmless(_said(error))}"
        if error.request_id:
            said += f" (request {error.request_id})"
        if _is_passing(error):
            return self.unavailable(f"answers {said}", retry_after_s(error.response.headers, time.time()))
        if error.status_code in (401, 403):
            variable = KEY_VARIABLES[self.provider]
            return AiError("key", f"{self} refuses the key ({said}). Check {variable}. {_WITHOUT}")
        return AiError("refused", f"{self} refuses the request ({said}). {_WITHOUT}")

    def unavailable(self, trouble: str, wait_s: float | None = None) -> AiError:
        """The error for trouble that may pass."""
        when = f"in {wait_s:.0f} seconds" if wait_s else "later"
        return AiError(
            "unavailable", f"{self} {trouble}. Tries: up to {self.settings.tries}. Try again {when}. {_WITHOUT}"
        )

    def foreign(self) -> AiError:
        """The error for an answer in another shape than the API's, which the SDKs do not look at."""
        return AiError(
            "refused",
            f"What answers for {self} does not speak the API of {self.provider}. Check the address. {_WITHOUT}",
        )

    def client_options(self, sdk: Any) -> dict[str, Any]:
        """How an SDK's client is to behave."""
        window = Window(self.settings.requests_per_minute, 60.0)

        def count(_: Any) -> None:
            _limits.acquire({self.provider: [window]})

        def keep_from_waiting(response: Any) -> None:
            # Anthropic's SDK waits for as long as it is asked to.
            if (retry_after_s(response.headers, time.time()) or 0) > LONGEST_WAIT_S:
                response.headers["x-should-retry"] = "false"

        # A redirect would carry the key to wherever it leads.
        hooks = {"request": [count], "response": [keep_from_waiting]}
        return {
            "base_url": self.settings.base_url,
            "timeout": sdk.Timeout(self.settings.timeout_s, connect=min(10.0, self.settings.timeout_s)),
            "max_retries": self.settings.tries - 1,
            "http_client": sdk.DefaultHttpxClient(follow_redirects=False, event_hooks=hooks),
        }


def _said(error: Any) -> str:
    body = error.body
    if isinstance(body, dict):
        body = body.get("error", body)
    return str(body.get("message") or body) if isinstance(body, dict) else str(body or error.message)


def _is_passing(error: Any) -> bool:
    """Whether trying again later may help: limits, conflicts and the server's own trouble; no used-up credit."""
    if getattr(error, "code", None) == "insufficient_quota":
        return False
    return error.status_code in (408, 409, 429) or error.status_code >= 500


# --------------------------------------------------------------------------- the two providers


def _conversation(asked: _Asked, message: str) -> _Conversation:
    return _Anthropic(asked, message) if asked.provider == "anthropic" else _OpenAi(asked, message)


def _not_installed(asked: _Asked) -> AiError:
    return AiError(
        "setup",
        f"{asked} is asked through an SDK that is not installed: pip install 'gamestats[{asked.provider}]'. {_WITHOUT}",
    )


class _Anthropic:
    """The Messages API; rules come as the input of a tool that the model must call.

    Schemas with free keys are beyond strict tools and structured outputs, so the answer is validated here.
    Models that always think refuse to be forced to call a tool (400); they are asked to.
    """

    def __init__(self, asked: _Asked, message: str) -> None:
        try:
            import anthropic
        except ImportError:
            raise _not_installed(asked) from None
        self.sdk: Any = anthropic
        self._asked = asked
        self._client = anthropic.Anthropic(api_key=asked.key(), **asked.client_options(anthropic))
        self._messages: list[Any] = [{"role": "user", "content": message}]
        self._calls: list[str] = []
        self._choice: Any = {"type": "tool", "name": _TOOL, "disable_parallel_tool_use": True}

    def ask(self) -> _Reply:
        answer = self._created()
        if not isinstance(getattr(answer, "content", None), list) or answer.usage is None:
            raise self._asked.foreign()
        calls = [block for block in answer.content if block.type == "tool_use"]
        self._calls = [call.id for call in calls]
        said = [block for block in answer.content if block.type != "text" or block.text]
        if said:
            self._messages.append({"role": "assistant", "content": said})
        usage = answer.usage
        given = usage.input_tokens + (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        written = "".join(block.text for block in answer.content if block.type == "text")
        return _Reply(
            json.dumps(calls[0].input) if calls else written,
            _ANTHROPIC_ENDINGS.get(answer.stop_reason or "", "whole"),
            answer.model,
            given,
            usage.output_tokens,
            self._asked.harmless((answer.stop_details and answer.stop_details.explanation) or answer.stop_reason or ""),
        )

    def _created(self) -> Any:
        try:
            return self._create()
        except self.sdk.BadRequestError as error:
            if self._choice["type"] == "auto" or "tool_choice" not in _said(error):
                raise
        self._choice = {"type": "auto", "disable_parallel_tool_use": True}
        return self._create()

    def _create(self) -> Any:
        return self._client.messages.create(
            model=self._asked.model,
            max_tokens=self._asked.settings.max_output_tokens,
            system=f"{INSTRUCTIONS}\n\nCall {_TOOL} with the rules, once; nothing else you write is read.",
            messages=self._messages,
            tools=[
                {
                    "name": _TOOL,
                    "description": "Hands over all rules of the product.",
                    "input_schema": rules_schema(),
                }
            ],
            tool_choice=self._choice,
        )

    def send_back(self, complaint: str) -> None:
        results = [
            {"type": "tool_result", "tool_use_id": call, "is_error": True, "content": complaint} for call in self._calls
        ]
        self._messages.append({"role": "user", "content": results or f"{complaint} Call {_TOOL}."})

    def close(self) -> None:
        self._client.close()


_ANTHROPIC_ENDINGS: Mapping[str, Literal["cut", "declined"]] = {
    "max_tokens": "cut",
    "model_context_window_exceeded": "cut",
    "refusal": "declined",
}


class _OpenAi:
    """The Responses API; rules come as the text, in a JSON schema that is not strict: strict ones have no free keys."""

    def __init__(self, asked: _Asked, message: str) -> None:
        try:
            import openai
        except ImportError:
            raise _not_installed(asked) from None
        self.sdk: Any = openai
        self._asked = asked
        self._client = openai.OpenAI(api_key=asked.key(), **asked.client_options(openai))
        self._input: list[Any] = [{"role": "user", "content": message}]

    def ask(self) -> _Reply:
        answer = self._client.responses.create(
            model=self._asked.model,
            max_output_tokens=self._asked.settings.max_output_tokens,
            instructions=f"{INSTRUCTIONS}\n\nAnswer with the JSON object alone.",
            input=self._input,
            text={
                "format": {
                    "type": "json_schema",
                    "name": "rules",
                    "schema": rules_schema(),
                    "strict": False,
                }
            },
            store=False,
        )
        if not isinstance(getattr(answer, "output", None), list):
            raise self._asked.foreign()
        if answer.status == "failed":
            raise self._failed(answer.error)
        refusals = [
            part.refusal
            for item in answer.output
            if item.type == "message"
            for part in item.content
            if part.type == "refusal"
        ]
        why = (answer.incomplete_details and answer.incomplete_details.reason) or ""
        declined = refusals or why == "content_filter"
        if answer.output_text:
            self._input.append({"role": "assistant", "content": answer.output_text})
        return _Reply(
            answer.output_text,
            "declined" if declined else "cut" if answer.status == "incomplete" else "whole",
            answer.model,
            answer.usage.input_tokens if answer.usage else 0,
            answer.usage.output_tokens if answer.usage else 0,
            self._asked.harmless(" ".join(refusals) or why),
        )

    def _failed(self, error: Any) -> AiError:
        said = self._asked.harmless(f"{error.code}: {error.message}" if error else "no reason")
        if error and error.code in ("server_error", "rate_limit_exceeded"):
            return self._asked.unavailable(f"failed: {said}")
        return AiError("refused", f"{self._asked} failed: {said}. {_WITHOUT}")

    def send_back(self, complaint: str) -> None:
        self._input.append({"role": "user", "content": complaint})

    def close(self) -> None:
        self._client.close()
