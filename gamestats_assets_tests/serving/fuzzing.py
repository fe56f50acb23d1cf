"""Requests that the API's description allows, and such that it does not; every answer must be as it is described."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
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
    base_url: str,
    each: int,
    *,
    headers: Callable[[], Mapping[str, str]] = dict,
    only: str | tuple[str, ...] = "",
    seeded: bool = True,
    stops: bool = True,
    aim: Callable[[schemathesis.Case], None] = lambda case: None,
) -> tuple[Counter[str], list[str]]:
    """Ask every operation so many times, half of them wrongly.

    Args:
        headers: gives those of every request of an operation, as of a person who signs in anew for each.
        only: what paths begin with.
        seeded: whether the same is asked every time.
        aim: changes what is asked rightly, as to what there is.
        stops: whether the first answer that is not as described ends it.

    Returns:
        How many answers there were of each status, and the requests of which an answer was not as described.

    Raises:
        AssertionError: when an answer is not as described, where that ends it; it names the request.
    """
    schema = schemathesis.openapi.from_url(f"{base_url}/api/v1/openapi.json")
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    session = requests.Session()

    def ask(case: schemathesis.Case) -> None:
        if case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE:
            aim(case)
        response = case.call(base_url=base_url, session=session)
        seen[f"{response.status_code}"] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as failed:
            message = "\n".join(str(each) for each in failed.exceptions)
            raise AssertionError(f"{case.as_curl_command()}\n{message}") from None

    once = settings(
        max_examples=max(1, each // 2),
        deadline=None,
        derandomize=seeded,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.startswith(only):
            continue
        session.headers.update(headers())
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            # There is nothing wrong to ask where nothing is asked.
            if mode is GenerationMode.NEGATIVE and not [*operation.iter_parameters(), *operation.body]:
                continue
            try:
                once(given(case=operation.as_strategy(generation_mode=mode))(ask))()
            except Unsatisfiable:
                # Whatever is asked of it may be right, as what browsers come back with.
                continue
            except AssertionError as failed:
                if stops:
                    raise
                wrong.append(str(failed))

    return seen, wrong
