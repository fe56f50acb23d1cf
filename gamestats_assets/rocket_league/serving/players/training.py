"""Training: recommendations, a plan, packs, sessions, and whether it has helped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any

import polars as pl
import psycopg
from fastapi import APIRouter, Depends, Path, Request
from fastapi.exceptions import RequestValidationError
from psycopg import sql
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from starlette.responses import Response

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.training import FEWEST_SESSIONS, trained
from gamestats_assets.rocket_league.analysis.training_packs import CATEGORIES, PackSearchError, find_packs
from gamestats_assets.rocket_league.analysis.training_packs import training_packs as training_packs_known
from gamestats_assets.rocket_league.players.entered import TRAINING_SESSION
from gamestats_assets.rocket_league.reference.playlists import playlist_name
from gamestats_assets.rocket_league.serving.context import (
    CONTEXT_TABLES,
    NEXT,
    Limit,
    Newest,
    Of,
    OfPlaylist,
    OwnAccount,
    accounts,
    choose,
    model_of,
    of_playlist,
    own_answer,
    rounded,
)
from gamestats_assets.rocket_league.serving.players.standings import with_packs
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.rocket_league.tables.ops import TrainingSessions
from gamestats_assets.serving.answers.formats import json_answer
from gamestats_assets.serving.answers.lines import Lines, answer_of, answer_with, are_published, rows_of
from gamestats_assets.serving.answers.routes import Made, Name, Number, Parameters, Route, router_of
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.principal import SignedIn
from gamestats_assets.serving.middleware.problems import ProblemError, only_known
from gamestats_assets.serving.people.own import OfPlayer, OwnMetadata, OwnRouter, Scope

own = OwnRouter(GAME, "/training")

# --------------------------------------------------------------------------- recommendations

RECOMMENDATION_TABLES = (t.TrainingRecommendations, t.TrainingPacks, t.Weaknesses)
_WHY = ("percentile", "percentile_low", "percentile_high", "improvement_potential", "is_weakness")


def _of_weakness(name: str, kind: Any) -> Any:
    return Annotated[kind | None, Field(description=f"For the skill: {t.Weaknesses.columns()[name].description}")]


RECOMMENDATION = Lines(
    "Recommendation",
    t.TrainingRecommendations,
    {
        **{name: name for name in ("rank", "skill", "playlist", "is_simulated", "code", "pack_name", "difficulty")},
        "description": Annotated[str | None, Field(description="What the pack trains, in one sentence.")],
        "creator": Annotated[str | None, Field(description="Maker of the pack.")],
        "tags": Annotated[list[str] | None, Field(description="Search words of the pack.")],
        "reason": "reason",
        **{name: _of_weakness(name, float) for name in _WHY[:-1]},
        "is_weakness": _of_weakness("is_weakness", bool),
        "times_trained": "times_trained",
    },
    digits={"percentile": 1, "percentile_low": 1, "percentile_high": 1, "improvement_potential": 2},
)
_NOTE = Annotated[str | None, Field(description="Why the list is empty; null if it is not.")]
RecommendationList = own_answer("RecommendationList", recommendations=list[RECOMMENDATION.model], note=_NOTE)


@own.asks("/recommendations", "What to train next", RecommendationList, RECOMMENDATION_TABLES, "player")
async def recommendations(conn: Connection, asked: OfPlayer, scope: Scope) -> Made:
    """The packs to train next, the most useful first, each with the reason.

    `improvement_potential` is the number of ranks gained by reaching the middle of the cohort in the skill. There are
    no recommendations without a measured skill; `note` then says what is missing.
    """
    packs: list[dict[str, Any]] = []
    note = None
    if await are_published(conn, *RECOMMENDATION_TABLES):
        packs = await rows_of(conn, _RECOMMENDED, {"player": scope.player})
        if not packs:
            refused = await rows_of(conn, _REFUSED, {"player": scope.player})
            if refused:
                why = "Recommendations need a measured skill"
                note = f"{why}; {playlist_name(refused[0]['playlist'])} has none. {refused[0]['reason']}"
    if not packs and note is None:
        note = "No match of yours has been analysed yet: agree to the analysis, and upload replays of ranked matches."
    return {"data": {"recommendations": [RECOMMENDATION.line(row) for row in packs], "note": note}}


_RECOMMENDED = RECOMMENDATION.select(
    description="p.description",
    creator="p.creator",
    tags="p.tags",
    **{name: f"w.{name}" for name in _WHY},  # type: ignore[arg-type]
) + sql.SQL("""
    LEFT JOIN rocket_league.training_packs p ON p.code = training_recommendations.code
    LEFT JOIN rocket_league.weaknesses w
        ON w.player_id = training_recommendations.player_id AND w.is_simulated = training_recommendations.is_simulated
        AND w.playlist = training_recommendations.playlist AND w.skill = training_recommendations.skill
    WHERE training_recommendations.player_id = %(player)s
        -- Simulated matches count only without others.
        AND training_recommendations.is_simulated = (
            SELECT bool_and(is_simulated) FROM rocket_league.training_recommendations WHERE player_id = %(player)s
        )
    ORDER BY training_recommendations.rank
""")
_REFUSED = """
    SELECT playlist, reason FROM rocket_league.weaknesses WHERE player_id = %(player)s AND state = 'refused'
    ORDER BY is_simulated, matches DESC, playlist, skill LIMIT 1
"""


class OfPlan(OfPlayer):
    """A session to plan."""

    minutes: Annotated[Number, Field(ge=10, le=180, description="Available time.")] = 45


class PlanStep(BaseModel):
    """A part of a session."""

    step: Annotated[int, Field(description="Place in the session, from 1.")]
    minutes: Annotated[int, Field(description="Length.")]
    code: Annotated[str, Field(description="Training pack.")]
    pack_name: Annotated[str, Field(description="Its name.")]
    skill: Annotated[str, Field(description="Trained skill.")]
    difficulty: Annotated[int, Field(description="Difficulty, from 1 to 10.")]
    reason: Annotated[str, Field(description="Why, in words.")]


class _Plan(BaseModel):
    minutes: Annotated[int, Field(description="Length of the session.")]
    steps: list[PlanStep]
    note: _NOTE


Plan = answer_with("Plan", _Plan, OwnMetadata)
STEP_MINUTES = 15
"""Minutes per pack in a suggested session."""


@own.asks("/suggested", "A session to train next", Plan, RECOMMENDATION_TABLES, "player")
async def suggested_session(conn: Connection, asked: OfPlan, scope: Scope) -> Made:
    """A session to train next: the first recommended packs, a quarter of an hour each.

    The remaining time goes to the first of them, which trains the skill that needs it most.
    """
    data = (await recommendations(conn, asked, scope))["data"]
    packs = data["recommendations"][: max(asked.minutes // STEP_MINUTES, 1)]
    left = asked.minutes - STEP_MINUTES * len(packs)
    steps = [
        {**{name: pack[name] for name in ("code", "pack_name", "skill", "difficulty", "reason")}, "step": place}
        | {"minutes": STEP_MINUTES + (left if place == 1 else 0)}
        for place, pack in enumerate(packs, 1)
    ]
    lines = [{name: step[name] for name in PlanStep.model_fields} for step in steps]
    return {"data": {"minutes": asked.minutes if lines else 0, "steps": lines, "note": data["note"]}}


# --------------------------------------------------------------------------- packs

PACK_TABLES = (t.TrainingPacks,)
_PACK_COLUMNS = ("code", "name", "category", "difficulty", "description", "creator", "tags")
PACK = Lines("TrainingPack", t.TrainingPacks, {name: name for name in _PACK_COLUMNS})
PackList = answer_of("PackList", {"packs": PACK.model}, counted=True)


class SoughtPacks(Parameters):
    """Search criteria for packs; all packs by default."""

    page: Annotated[Number, Field(ge=1, le=100_000, description="Page number, with `limit` packs per page.")] = 1
    limit: Limit = 20
    q: Annotated[
        Name | None,
        Field(description="Words in the name, description, creator, tags or code.", examples=["backboard"]),
    ] = None
    category: Annotated[
        Name | None, Field(description=f"Trained skill or category: {', '.join(CATEGORIES)}.", examples=["saves"])
    ] = None
    difficulty_from: Annotated[Number, Field(ge=1, le=10, description="Lowest difficulty.")] = 1
    difficulty_to: Annotated[Number, Field(ge=1, le=10, description="Highest difficulty.")] = 10
    tags: Annotated[Name | None, Field(description="Tags, separated by commas; packs must have all of them.")] = None
    code: Annotated[Name | None, Field(description="Code of a pack.")] = None


async def training_packs(conn: Connection, asked: SoughtPacks) -> Made:
    """Training packs by category, difficulty, tags, words or code, in the order of the catalogue.

    Raises:
        RequestValidationError: for an unknown category, and if the lowest difficulty is above the highest.
    """
    rows: list[dict[str, Any]] = []
    if await are_published(conn, *PACK_TABLES):
        rows = await rows_of(conn, _PACKS, [])
    frame = pl.DataFrame(rows, schema={name: t.TrainingPacks.schema()[name] for name in _PACK_COLUMNS})
    if asked.code is not None:
        frame = frame.filter(pl.col("code") == asked.code.strip().upper())
    tags = [tag.strip() for tag in (asked.tags or "").split(",") if tag.strip()]
    try:
        difficulty = (asked.difficulty_from, asked.difficulty_to)
        frame = find_packs(frame, category=asked.category, difficulty=difficulty, tags=tags, text=asked.q)
    except PackSearchError as error:
        name = "category" if asked.category and str(error).startswith("There is no category") else "difficulty_from"
        raise RequestValidationError([{"type": "value_error", "loc": (name,), "msg": str(error)}]) from None
    page = frame.slice((asked.page - 1) * asked.limit, asked.limit)
    return {"data": {"packs": [PACK.line(row) for row in page.to_dicts()], "total_count": frame.height}}


_PACKS = PACK.select() + sql.SQL(" ORDER BY category, difficulty, name, code")
_SEARCH: Route[SoughtPacks] = Route(
    "/packs",
    "Search training packs",
    SoughtPacks,
    training_packs,
    PackList,
    PACK_TABLES,
    keeps_s=300,
    listed=("packs", PACK.model),
)
packs = router_of("/training", (_SEARCH,))


# --------------------------------------------------------------------------- sessions


SESSION = Lines(
    "TrainingSessionLine",
    TrainingSessions,
    {
        **{name: name for name in ("training_session_id", "player_id", "code")},
        "pack_name": Annotated[str | None, Field(description="Name of the pack, if it is in the catalogue.")],
        **{name: name for name in ("skill", "completed_at", "duration_s", "attempts", "successes")},
    },
)
SessionList = own_answer("SessionList", sessions=list[SESSION.model], next=NEXT)
SESSION_TABLES = (t.TrainingPacks,)


class NewestSessions(Newest):
    """Sessions, newest first."""

    skill: Annotated[Name | None, Field(description="Only this skill or category.")] = None


@own.asks("/sessions", "Training sessions", SessionList, SESSION_TABLES, "never")
async def training_sessions(conn: Connection, asked: NewestSessions, scope: Scope) -> Made:
    """Training sessions of the user's accounts, newest first."""
    bound = {**asked.place, "players": [*accounts(asked, scope)], "skill": asked.skill}
    rows, place = asked.part(await _sessions(conn, _NEWEST_SESSIONS, bound), "completed_at", "training_session_id")
    return {"data": {"sessions": [SESSION.line(row) for row in rows], "next": place}}


_SESSIONS = sql.SQL("SELECT {} FROM ops.training_sessions s WHERE player_id = ANY (%(players)s)").format(
    sql.SQL(", ").join(sql.Identifier("s", column) for column in SESSION.columns.values())
)
_NEWEST_SESSIONS = _SESSIONS + sql.SQL("""
    AND (%(skill)s::text IS NULL OR skill = %(skill)s)
    AND (%(before_at)s::timestamptz IS NULL
        OR (completed_at, training_session_id) < (%(before_at)s, %(before_id)s::bigint))
    ORDER BY completed_at DESC, training_session_id DESC LIMIT %(limit)s
""")


async def _sessions(conn: Connection, query: sql.Composed, bound: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns sessions with the names of their packs."""
    return await with_packs(conn, await rows_of(conn, query, bound))


# --------------------------------------------------------------------------- progress

PROGRESS_TABLES = (*CONTEXT_TABLES, t.TrainingProgress)


class TrainedWeek(BaseModel):
    """Training of a skill in a week."""

    week: Annotated[date, Field(description="Monday of the week, UTC.")]
    sessions: Annotated[int, Field(description="Training sessions.")]
    minutes: Annotated[float, Field(description="Time trained.")]
    attempts: Annotated[int, Field(description="Attempts in sessions that counted both attempts and successes.")]
    success_share: Annotated[float | None, Field(description="Share of these attempts that succeeded.")]


_EFFECT = ("state", "reason", "matches_before", "matches_since", "skill_before", "skill_since", "change")
_EFFECT += ("change_low", "change_high", "has_helped")
EFFECT = Lines(
    "TrainingEffect",
    t.TrainingProgress,
    {name: name for name in _EFFECT},
    digits=dict.fromkeys(("skill_before", "skill_since", "change", "change_low", "change_high"), 3),
)
Trained = model_of(
    "TrainedSkill",
    skill=Annotated[str, Field(description="Skill, or another category of packs.")],
    sessions=Annotated[int, Field(description="Training sessions.")],
    minutes=Annotated[float, Field(description="Time trained.")],
    success_share=Annotated[
        float | None, Field(description="Share of successful attempts, in sessions that counted both.")
    ],
    improvement_score=Annotated[
        float | None,
        Field(
            description="Success share of the last third of the sessions minus that of the first third; null below "
            f"{FEWEST_SESSIONS} sessions with attempts."
        ),
    ],
    first_session_at=Annotated[datetime, Field(description="First session.")],
    last_session_at=Annotated[datetime, Field(description="Last session.")],
    effect=Annotated[
        EFFECT.model | None,
        Field(description="The skill in matches of the playlist before and since the first session, as last computed."),
    ],
    weeks=list[TrainedWeek],
)
Progress = own_answer("TrainingProgressAnswer", of=Of, skills=list[Trained])


@own.asks("/progress", "Training by week, and its effect", Progress, PROGRESS_TABLES, "never")
async def training_progress(conn: Connection, asked: OfPlaylist, scope: Scope) -> Made:
    """Training of each skill by week, and the skill in matches before and since, with its 90% interval.

    A difference does not prove that training caused it: form and rank change, too. With fewer than five matches on
    either side the change is refused, and `reason` says how many there are.
    """
    chosen = await choose(conn, asked.playlist, scope, [t.TrainingProgress])
    rows = await rows_of(conn, _SESSIONS, {"players": [scope.player]})
    effects: dict[str, dict[str, Any]] = {}
    if rows and chosen.played:
        effects = {row["skill"]: EFFECT.line(row) for row in await of_playlist(conn, t.TrainingProgress, chosen.bound)}
    frame = _frame(rows).with_columns(week=pl.col("completed_at").dt.truncate("1w").dt.date())
    weeks: dict[str, list[dict[str, Any]]] = {}
    for row in trained(frame, "week").sort("week").collect().to_dicts():
        weeks.setdefault(row["skill"], []).append({"week": row["week"], **_sums(row)})
    order = {skill: place for place, skill in enumerate(SKILLS)}
    skills = sorted(
        trained(frame).collect().to_dicts(), key=lambda row: (order.get(row["skill"], len(order)), row["skill"])
    )
    lines = [
        {
            "skill": row["skill"],
            **{name: value for name, value in _sums(row).items() if name != "attempts"},
            "improvement_score": rounded(row["improvement_score"], 4),
            "first_session_at": row["first_session_at"],
            "last_session_at": row["last_session_at"],
            "effect": effects.get(row["skill"]),
            "weeks": weeks[row["skill"]],
        }
        for row in skills
    ]
    return {"data": {"of": chosen.described, "skills": lines}}


def _frame(rows: Sequence[Mapping[str, Any]]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=t.TrainingSessions.schema())


def _sums(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the figures of a row of `trained`."""
    share = rounded(row["success_share"], 4)
    counts = {"sessions": row["sessions"], "minutes": round(row["trained_s"] / 60, 1)}
    return {**counts, "attempts": row["attempts"] or 0, "success_share": share}


# --------------------------------------------------------------------------- acts

acts = APIRouter(prefix="/training", tags=["training"], dependencies=[Depends(only_known)])


class SessionGiven(BaseModel):
    """A training session."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[
        str | None,
        Field(
            max_length=50,
            validation_alias=AliasChoices("code", "training_pack_id"),
            description="Code of the training pack; also accepted as `training_pack_id`.",
            examples=["5CCE-FB29-7B05-A0B1"],
        ),
    ] = None
    skill: Annotated[
        str | None, Field(max_length=50, description=f"Needed without a known pack: {', '.join(CATEGORIES)}.")
    ] = None
    duration_s: Annotated[
        int,
        Field(
            ge=1,
            le=86_400,
            validation_alias=AliasChoices("duration_s", "duration"),
            description="Length, in seconds; also accepted as `duration`.",
            examples=[1200],
        ),
    ]
    attempts: Annotated[int | None, Field(ge=0, le=1_000_000, description="Attempts.", examples=[60])] = None
    successes: Annotated[int | None, Field(ge=0, description="Successful attempts.", examples=[36])] = None
    completed_at: Annotated[datetime | None, Field(description="End of the session; now by default.")] = None


class SessionChanged(SessionGiven):
    """Changes of a session."""

    duration_s: Annotated[int | None, Field(ge=1, le=86_400, description="How long, in seconds.")] = None  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]


Logged = model_of(
    "LoggedSession",
    __base__=SESSION.model,
    improvement_score=Annotated[
        float | None,
        Field(description="Success share of the last third of the skill's sessions minus that of the first third."),
    ],
    note=Annotated[str, Field(description="Basis of the score, or what it needs.")],
)
_LoggedAnswer = model_of("LoggedSessionAnswer", data=Logged)
SessionId = Annotated[int, Path(description="Number of the session.")]


@acts.post("/sessions", status_code=201, responses={201: {"model": _LoggedAnswer}}, summary="Log a training session")
def log_session(request: Request, player: OwnAccount, given: SessionGiven) -> Response:
    """Log a training session: a pack of the catalogue, which determines the skill, or a skill in free play.

    The answer has the improvement score of the skill, once it has enough sessions with attempts and successes.
    """
    with request.state.writing() as conn:
        refuse_untracked(conn, player)
        done = TRAINING_SESSION.add(conn, player, **given.model_dump(exclude_none=True))
        logged = _logged(conn, done.row)
    return json_answer({"data": logged}, 201)


@acts.patch("/sessions/{training_session_id}", responses={200: {"model": _LoggedAnswer}}, summary="Correct a session")
def correct_session(
    request: Request, person: SignedIn, training_session_id: SessionId, given: SessionChanged
) -> Response:
    """Correct a session; fields left out stay, and null removes a value."""
    with request.state.writing() as conn:
        row = _own_session(conn, training_session_id)
        TRAINING_SESSION.change_row(conn, row, **given.model_dump(exclude_unset=True))
        logged = _logged(conn, _own_session(conn, training_session_id))
    return json_answer({"data": logged})


@acts.delete("/sessions/{training_session_id}", status_code=204, summary="Remove a session")
def take_back_session(request: Request, person: SignedIn, training_session_id: SessionId) -> None:
    """Remove a session that was logged by mistake."""
    with request.state.writing() as conn:
        TRAINING_SESSION.remove_row(conn, _own_session(conn, training_session_id))


def _own_session(conn: psycopg.Connection, number: int) -> ops.Row:
    # PostgreSQL shows only the user's own rows.
    rows = TRAINING_SESSION.rows(conn, training_session_id=number)
    if not rows:
        raise ProblemError(404, f"You have no training session numbered {number}.")
    return rows[0]


def _logged(conn: psycopg.Connection, row: ops.Row) -> dict[str, Any]:
    of_skill = TRAINING_SESSION.rows(conn, player_id=row["player_id"], skill=row["skill"])
    score = trained(_frame(of_skill)).select("improvement_score").collect().item()
    counted = sum(bool(each["attempts"]) and each["successes"] is not None for each in of_skill)
    known = f"{counted} of {len(of_skill)} sessions of {row['skill']} counted attempts and successes"
    note = f"{known}." if score is not None else f"{known}; a score needs {FEWEST_SESSIONS}."
    if row["skill"] not in SKILLS:
        note = f"{row['skill']} is not measured in matches, so it has no score."
    names = training_packs_known().filter(pl.col("code") == (row["code"] or "")).get_column("name").to_list()
    more = {"pack_name": names[0] if names else None, "improvement_score": score, "note": note}
    session = {**row, **more}
    return {name: session[name] for name in Logged.model_fields}


def refuse_untracked(conn: psycopg.Connection, player: str) -> None:
    """Refuse entries for an account that is not tracked.

    Raises:
        ProblemError: 409 with the remedy.
    """
    if not ops.rows(conn, "SELECT 1 FROM ops.rl_players WHERE player_id = %s", [player]):
        detail = f"{player} has not agreed to the analysis yet: agree first, in your settings or at /users/consents."
        raise ProblemError(409, detail)
