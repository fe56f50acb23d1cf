"""The commands around demo data, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gamestats_assets.cli import app
from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
from gamestats_assets.settings import shipped
from gamestats_assets_tests.demo_data.logs.receiver import Receiver
from gamestats_assets_tests.demo_data.rules.ai_server import AiServer, Answer
from gamestats_assets_tests.demo_data.small_shop import RULES

pytestmark = pytest.mark.timeout(240)
SHORT = ("--users", "40", "--days", "2", "--processes", "1")


@pytest.fixture
def gamestats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Runs a command in an empty folder; a traceback fails the test."""
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GAMESTATS_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(arguments), input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in sorted(folder.glob("logs_*.jsonl")) for line in path.open()]


def test_generate_writes_logs_rules_and_a_report_and_tells_what_it_did(gamestats, tmp_path: Path) -> None:
    done = gamestats("generate", "ecommerce", *SHORT, "--start", "2026-02-01", "--seed", "9")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "demo-ecommerce"
    assert sorted(path.name for path in folder.iterdir()) == [
        "logs_20260201.jsonl", "logs_20260202.jsonl", "manifest.json", "report.html", "rules.json", "run.json",
    ]  # fmt: skip
    output = json.loads((folder / "manifest.json").read_text())
    assert (output["configuration"]["seed"], output["configuration"]["product"]["industry"]) == (9, "ecommerce")
    assert f"{output['records']:,} records in" in done.output
    assert "Rules: the analyst." in done.output
    for segment, users in output["users"].items():
        assert any(line.split()[:2] == [f"{users:,}", segment] for line in done.output.splitlines())
    checked = gamestats("logs", "check", str(folder), "--taxonomy", "ecommerce")
    assert checked.exit_code == 0, checked.output
    first = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    assert gamestats("report", str(folder)).exit_code == 0
    assert len((folder / "report.html").read_text()) == pytest.approx(len(first), rel=0.01)


def test_farmers_are_planted_in_the_logs_of_an_mmo_unless_they_are_few(gamestats, tmp_path: Path) -> None:
    done = gamestats("generate", "l2m", "--days", "1", "--processes", "1", "--out", "many")
    assert done.exit_code == 0, done.output
    known = json.loads((tmp_path / "many" / "manifest.json").read_text())["known"]
    assert {each["kind"] for each in known} == {"shared_address", "standstill"}
    few = gamestats("generate", "l2m", *SHORT, "--out", "few")
    assert few.exit_code == 0, few.output
    assert "Nothing is planted in so few users; give 1,000 or more" in few.output
    assert not json.loads((tmp_path / "few" / "manifest.json").read_text()).get("known")


def test_planted_truths_and_refining_are_told(gamestats, tmp_path: Path) -> None:
    config = tmp_path / "run.json"
    truth = {"kind": "conversion", "from_event": "pricing_page_viewed", "to_event": "checkout_started", "rate": 0.5}
    config.write_text(json.dumps({"users": 10, "truths": [truth], "dirt": {"duplicate": 0.05}}))
    done = gamestats("generate", "saas", *SHORT, "--config", str(config), "--refine", "--out", "here")
    assert done.exit_code == 0, done.output
    assert "pricing_page_viewed to checkout_started" in " ".join(done.output.split())
    assert "misses" not in done.output
    assert "Refined: distance to the rules" in done.output or "Nothing to refine" in done.output
    # Options win over the file.
    assert json.loads(Path("here/manifest.json").read_text())["configuration"]["users"] == 40


def test_rules_of_a_person_are_used_as_they_are(gamestats, tmp_path: Path) -> None:
    printed = gamestats("taxonomy", "rules", "saas", "--industry", "saas")
    rules = json.loads(printed.stdout)
    only = sorted(rules["segment_analysis"]["power_user"]["event_probabilities"])[0]
    for analysis in rules["segment_analysis"].values():
        analysis["event_sequence"] = []
        analysis["event_probabilities"] = dict.fromkeys(analysis["event_probabilities"], 0.0) | {only: 1.0}
    Path("mine.json").write_text(json.dumps(rules))
    done = gamestats("generate", "saas", *SHORT, "--rules", "mine.json", "--out", "mine")
    assert done.exit_code == 0, done.output
    assert "Rules: a file." in done.output
    Path("mine.json").write_text(RULES.model_dump_json())
    refused = gamestats("generate", "saas", *SHORT, "--rules", "mine.json", "--out", "other")
    assert refused.exit_code == 1
    assert "tour" in refused.output


def test_interactive_asks_for_what_is_missing_and_takes_what_is_given(gamestats, tmp_path: Path) -> None:
    answers = ["nowhere.xlsx", "health", "2", "someday", "2026-03-01", "", "", "web", "Fit", "", "n", "fit-logs"]
    done = gamestats("generate", "--interactive", "--users", "30", "--processes", "1", input="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    assert "There is no taxonomy at nowhere.xlsx" in done.output
    assert "Write it as YYYY-MM-DD." in done.output
    output = json.loads((tmp_path / "fit-logs" / "manifest.json").read_text())["configuration"]
    assert (output["users"], output["days"], output["start"], output["seed"]) == (30, 2, "2026-03-01", 7)
    assert output["product"] == {"industry": "health", "platform": "web", "name": "Fit", "description": ""}


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("generate",), "Give a TAXONOMY"),
        (("generate", "nowhere"), "There is no taxonomy at nowhere"),
        (("generate", "game", "--ai", "oracle"), "give anthropic or openai"),
        (("generate", "game", "--ai", "anthropic"), "ANTHROPIC_API_KEY"),
        (("generate", "game", "--config", "missing.json"), "missing.json cannot be read"),
        (("report", "."), "holds no finished run"),
        (("logs", "check", "."), "There are no logs in there"),
        (("logs", "check", "nowhere"), "No logs at nowhere"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(gamestats, arguments: tuple[str, ...], output: str) -> None:
    done = gamestats(*arguments)
    assert done.exit_code in (1, 2)
    assert output in " ".join(done.output.replace("│", " ").split())


def test_every_wrong_field_of_a_configuration_is_named(gamestats, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"users": 0, "segments": {"new_user": 0.5}, "colour": 1}))
    done = gamestats("generate", "game", "--config", "run.json")
    assert done.exit_code == 1
    assert "users" in done.output
    assert "colour" in done.output


def test_a_retention_day_beyond_the_run_is_refused(gamestats, tmp_path: Path) -> None:
    truth = {"kind": "retention", "curve": {"1": 0.4, "3": 0.1}}
    (tmp_path / "run.json").write_text(json.dumps({"users": 20, "truths": [truth]}))
    run = ("generate", "saas", "--config", "run.json", "--processes", "1", "--days")
    refused = gamestats(*run, "3")
    assert refused.exit_code == 1
    assert "planted for day 3, but sign-ups in a run of 3 days" in " ".join(refused.output.split())
    assert not (tmp_path / "demo-saas").exists()
    assert gamestats(*run, "4").exit_code == 0


def test_taxonomy_check_lists_every_mistake_and_fails(gamestats, tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    folder.mkdir()
    (folder / "events.csv").write_text("event_name,event_tag,description,properties\nbuy,,,price\nbuy,,,\n9lives,,,\n")
    (folder / "properties.csv").write_text("name,type,description,constraint\nprice,numbr,,\n")
    done = gamestats("taxonomy", "check", str(folder))
    assert done.exit_code == 1
    for expected in ("row 3", "row 4", "numbr", "9lives"):
        assert expected in done.output
    assert gamestats("taxonomy", "check", "game").exit_code == 0


def test_taxonomy_check_doubts_empty_limits_and_circular_formulas(gamestats, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text('event_name,event_tag,description,properties\nbuy,,Buys,"a,b,c,d"\n')
    (tmp_path / "properties.csv").write_text(
        "name,type,description,constraint\na,number,= b + 1,\nb,number,= a + 1,\nc,number,,low-high\nd,number,,1-9\n"
    )
    done = gamestats("taxonomy", "check", str(tmp_path))
    assert done.exit_code == 0
    output = " ".join(done.output.split())
    assert output.count("Doubtful:") == 2
    assert "row 4, column 'constraint' (D): expected limits such as 1-150, or numbers, found 'low-high'" in output
    assert "buy/b = a + 1 needs its own result" in output


def test_logs_are_uploaded_once_and_configured_for_logbus(gamestats, tmp_path: Path) -> None:
    gamestats("generate", "saas", *SHORT, "--out", "logs")
    total = len(lines(Path("logs")))
    with Receiver() as receiver:
        where = ("--receiver", receiver.url, "--app-id", receiver.app_id)
        dry = gamestats("logs", "upload", "logs", *where, "--dry-run")
        assert dry.exit_code == 0, dry.output
        assert receiver.requests == []
        sent = gamestats("logs", "upload", "logs", *where)
        assert sent.exit_code == 0, sent.output
        assert len(receiver.stored) == total
        before = len(receiver.requests)
        assert gamestats("logs", "upload", "logs", *where).exit_code == 0
        assert len(receiver.requests) == before
        assert gamestats("logs", "upload", "logs", *where, "--state", "states/another.json").exit_code == 0
        assert len(receiver.requests) == 2 * before
    done = gamestats("logs", "logbus", "logs", "--push-url", "https://receiver.example.com", "--app-id", "id1")
    assert done.exit_code == 0, done.output
    assert json.loads(Path("daemon.json").read_text())["push_url"] == "https://receiver.example.com"


def test_a_language_model_makes_the_rules_once_and_again_when_asked_to(
    gamestats, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = analyse(read_taxonomy(shipped("data", "taxonomies", "saas")), ProductInfo(industry="saas"))
    with AiServer("a-key") as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url("anthropic"))
        server.queue(*[Answer(rules.model_dump(mode="json"))] * 2)
        run = ("generate", "saas", *SHORT, "--ai", "anthropic")
        first, second = gamestats(*run, "--out", "one"), gamestats(*run, "--out", "two")
        assert "Rules: a language model." in first.output
        assert "Rules: a language model, cached." in second.output
        assert len(server.requests) == 1
        assert gamestats(*run, "--refresh", "--out", "three").exit_code == 0
        assert len(server.requests) == 2
        assert "a-key" not in first.output + second.output
    assert Path("one/rules.json").read_text() == Path("two/rules.json").read_text()
    assert "cached" in Path("two/report.html").read_text()


def test_a_language_model_is_told_what_was_measured_when_rules_are_refined(
    gamestats, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = analyse(read_taxonomy(shipped("data", "taxonomies", "saas")), ProductInfo(industry="saas"))
    given = rules.model_dump(mode="json")
    # Hardly anybody new is so far within two days: what is measured will deviate from the step's probability.
    given["event_constraints"]["lifecycle"]["checkout_started"] = "active"
    # Of a step that several sequences begin with, a log does not tell which one went on.
    sequences = given["event_constraints"]["sequences"]
    heads = [each for each in sequences if each["steps"][0]["events"] == ["pricing_page_viewed"]]
    deal, *others = sorted(heads, key=lambda each: each["steps"][1]["events"] != ["checkout_started"])
    given["event_constraints"]["sequences"] = [each for each in sequences if each not in others]
    new_user = given["segment_analysis"]["new_user"]
    new_user["event_sequence"] = ["pricing_page_viewed"]
    new_user["event_probabilities"]["pricing_page_viewed"] = 1
    Path("new.json").write_text('{"segments": {"new_user": 1}}')
    with AiServer("a-key") as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url("anthropic"))
        server.queue(*[Answer(given)] * 2)
        refined = gamestats("generate", "saas", *SHORT, "--config", "new.json", "--ai", "anthropic", "--refine")
        assert refined.exit_code == 0, refined.output
        step = deal["steps"][1]
        output = f"sequence {deal['name']}, step 2 should follow step 1 in {step['probability']:.1%} of cases and "
        assert [output in request.text for request in server.requests] == [False, True]
