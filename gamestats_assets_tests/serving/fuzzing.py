"""Requests that the API's description allows, and such that it does not; every answer must be as it is described."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


def fuzz(
    base_url: str, each: int, *, headers: Mapping[str, str] | None = None, only: str = "", seeded: bool = True
) -> Counter[str]:
    """Ask every operation so many times, half of them wrongly; how many answers there were of each status.

    Args:
        headers: of every request, as a signed-in person's.
        only: what paths begin with.
        seeded: whether the same is asked every time.

    Raises:
        AssertionError: when an answer is not as described; it names the request.
    """
    schema = schemathesis.openapi.from_url(f"{base_url}/api/v1/openapi.json")
    seen: Counter[str] = Counter()
    session = requests.Session()
    session.headers.update(headers or {})
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.startswith(only):
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            # There is nothing wrong to ask where nothing is asked.
            if mode is GenerationMode.NEGATIVE and not [*operation.iter_parameters(), *operation.body]:
                continue

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=max(1, each // 2),
                deadline=None,
                derandomize=seeded,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=[*HealthCheck],
            )
            def ask(case: schemathesis.Case) -> None:
                response = case.call(base_url=base_url, session=session)
                seen[f"{response.status_code}"] += 1
                try:
                    case.validate_response(response, checks=CHECKS)
                except FailureGroup as failed:
                    told = "\n".join(str(each) for each in failed.exceptions)
                    raise AssertionError(f"{case.as_curl_command()}\n{told}") from None

            ask()
    return seen
