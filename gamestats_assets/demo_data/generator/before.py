"""What users did before the run, by the habits that they have in it."""

from __future__ import annotations

import numpy as np

from gamestats_assets.demo_data.generator.blueprint import Array, Blueprint
from gamestats_assets.demo_data.generator.random_streams import Streams
from gamestats_assets.demo_data.generator.users import Users


def days_before(plan: Blueprint, streams: Streams, users: Users) -> Array:
    """On how many days each user was there before the run, the day of the sign-up among them."""
    probability = np.array([activity.daily_probability for activity in plan.activities])[users.segment]
    age = np.maximum(-users.signed_up_day, 0)
    others = np.maximum(age - 1, 0) * probability + streams.uniform("days before", users.number)
    return np.minimum(1 + np.floor(others).astype(np.int64), age)


def happened_before(plan: Blueprint, streams: Streams, users: Users, event: str) -> Array:
    """How often each user did an event before the run."""
    days, number = days_before(plan, streams, users), plan.event_index[event]
    if plan.once[number]:
        return np.minimum(days, 1)
    means = np.array([activity.sessions_per_day for activity in plan.activities])[users.segment]
    sessions = days * (1 + (means - 1) * users.keenness)
    given, chosen = (rates[users.segment, number] for rates in plan.per_session)
    expected = sessions * (given + chosen * users.keenness)
    drawn = np.floor(expected + streams.uniform(f"{event} before", users.number)).astype(np.int64)
    return np.minimum(drawn, days) if plan.daily[number] else np.where(days > 0, drawn, 0)
