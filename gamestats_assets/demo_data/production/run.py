"""A run from beginning to end: taxonomy, rules, logs, what is measured of them, and the report.

The folder of a run holds the logs, `manifest.json`, `rules.json` (which may be edited and given to a next run)
and `report.html`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gamestats_assets.demo_data.configuration import Configuration
from gamestats_assets.demo_data.generator.generate import Generated, Progress, generate, read_manifest
from gamestats_assets.demo_data.production.rule_making import MadeRules, made_rules
from gamestats_assets.demo_data.rules.ai import AiSettings, Provider
from gamestats_assets.demo_data.rules.cache import RulesCache
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.lakehouse.errors import GamestatsError, violations
from gamestats_assets.lakehouse.files.local import write_whole

if TYPE_CHECKING:
    from gamestats_assets.demo_data.findings.deviations import Deviations
    from gamestats_assets.demo_data.findings.measured import Measured
    from gamestats_assets.demo_data.findings.truths import Verdict

RULES_FILE = "rules.json"
REPORT_FILE = "report.html"
_KEPT = "run.json"


class RulesFileError(GamestatsError):
    """A file of rules cannot be read."""


class NotARunError(GamestatsError):
    """A folder is not that of a run."""


@dataclass(frozen=True, slots=True)
class RuleMaker:
    """Who makes the rules.

    Attributes:
        provider: a language model's; None is the analyst.
        refresh: ask the language model again, cached or not.
    """

    cache: RulesCache
    provider: Provider | None = None
    settings: AiSettings | None = None
    refresh: bool = False

    def make(
        self,
        taxonomy: Taxonomy,
        configuration: Configuration,
        *,
        draft: Rules | None = None,
        deviations: Sequence[str] = (),
    ) -> MadeRules:
        """The rules of a product; with deviations, better ones than the draft."""
        return made_rules(
            taxonomy,
            configuration.product,
            ai=self.settings,
            provider=self.provider,
            cache=self.cache,
            refresh=self.refresh,
            draft=draft,
            deviations=deviations,
        )


@dataclass(frozen=True, slots=True)
class Produced:
    """What a run gave.

    Attributes:
        before, after: how far the data were from the rules; after is None unless they were refined.
    """

    made: MadeRules
    generated: Generated
    measured: Measured
    verdicts: Sequence[Verdict]
    before: Deviations
    after: Deviations | None = None


def produce(
    taxonomy: Taxonomy,
    configuration: Configuration,
    folder: Path,
    *,
    maker: RuleMaker,
    rules: Rules | None = None,
    refine: bool = False,
    processes: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Produced:
    """Make rules, generate, measure; refine once when asked; write the report.

    Args:
        rules: to be used as they are; None has them made.
        refine: measure the data against the rules, have better rules made and the data made again. The second data
            are kept only where they lie nearer. Nothing is done where the data are as the rules want them.

    Raises:
        RulesError: when the rules contradict each other or the taxonomy.
        GenerationError: when the files cannot be written.
    """
    from gamestats_assets.demo_data.findings.deviations import corrected, deviations

    made = MadeRules(rules, "file", "") if rules is not None else maker.make(taxonomy, configuration)

    def attempt(chosen: Rules, replace: bool) -> tuple[Generated, Measured, Deviations]:
        generated = generate(
            taxonomy, chosen, configuration, folder, processes=processes, overwrite=replace, progress=progress
        )
        # Always against the first rules: they say what is wanted.
        measured = _measured(folder, taxonomy, made.rules, configuration, progress)
        return generated, measured, deviations(measured, made.rules, taxonomy)

    generated, measured, before = attempt(made.rules, overwrite)
    kept, after = made, None
    if refine and before.list:
        better = (
            maker.make(taxonomy, configuration, draft=made.rules, deviations=list(before.lines()))
            if maker.provider is not None and rules is None
            else MadeRules(corrected(made.rules, before), made.origin, "Corrected by what was measured.")
        )
        second = attempt(better.rules, True)
        after = second[2]
        if after.distance < before.distance:
            (generated, measured, _), kept = second, better
        else:
            generated, measured, _ = attempt(made.rules, True)
    write_whole(folder / RULES_FILE, kept.rules.model_dump_json(indent=2, exclude_defaults=True) + "\n")
    about = {"taxonomy": taxonomy.model_dump(mode="json"), "origin": kept.origin, "detail": kept.detail}
    write_whole(folder / _KEPT, json.dumps(about, ensure_ascii=False) + "\n")
    verdicts = _verdicts(folder, measured, configuration)
    _write_report(folder, folder / REPORT_FILE, kept, measured, verdicts, before, after)
    return Produced(kept, generated, measured, verdicts, before, after)


def _measured(
    folder: Path, taxonomy: Taxonomy, rules: Rules, configuration: Configuration, progress: Progress | None
) -> Measured:
    from gamestats_assets.demo_data.findings.measure import measure

    if progress:
        progress("Measuring", 0, 1)
    found = measure(folder, taxonomy, rules, configuration)
    if progress:
        progress("Measuring", 1, 1)
    return found


def _verdicts(folder: Path, measured: Measured, configuration: Configuration) -> Sequence[Verdict]:
    from gamestats_assets.demo_data.findings.accounts import known_accounts
    from gamestats_assets.demo_data.findings.truths import verify

    return verify(measured, configuration, known_accounts(read_manifest(folder)))


def details(made: MadeRules) -> str:
    """How rules were made, for people; of the analyst only that they were corrected."""
    return "" if made.origin == "analyst" and "model" in made.detail else made.detail


def _write_report(
    folder: Path,
    path: Path,
    made: MadeRules,
    measured: Measured,
    verdicts: Sequence[Verdict],
    *distances: Deviations | None,
) -> None:
    from gamestats_assets.demo_data.findings.report import write_report

    manifest = read_manifest(folder)
    model = "a language model"
    origin = {"ai": model, "cache": f"{model} (cached)", "analyst": "the analyst", "file": "a person"}
    facts = {
        "taxonomy": manifest["taxonomy"]["name"],
        "rules_by": ". ".join(part for part in (origin[made.origin], details(made)) if part),
        "segments": manifest["users"],
        "files": len(manifest["files"]),
    }
    write_report(path, measured, verdicts, facts, *distances)


def report_again(folder: Path, path: Path | None = None) -> Path:
    """Measure a run's files again, and write its report anew.

    Raises:
        NotARunError: when the folder holds no finished run.
    """
    from gamestats_assets.demo_data.findings.deviations import deviations

    manifest = read_manifest(folder)
    try:
        kept = json.loads((folder / _KEPT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        kept = None
    if not manifest or kept is None:
        raise NotARunError(f"{folder} holds no finished run. Make one: gamestats generate TAXONOMY --out {folder}")
    taxonomy = Taxonomy.model_validate(kept["taxonomy"])
    configuration = Configuration.model_validate(manifest["configuration"])
    rules = read_rules(folder / RULES_FILE)
    measured = _measured(folder, taxonomy, rules, configuration, None)
    path = path or folder / REPORT_FILE
    made = MadeRules(rules, kept["origin"], kept["detail"])
    verdicts = _verdicts(folder, measured, configuration)
    _write_report(folder, path, made, measured, verdicts, deviations(measured, rules, taxonomy))
    return path


def read_rules(path: Path) -> Rules:
    """The rules in a JSON file, as a run leaves them.

    Raises:
        RulesFileError: naming every field that cannot be read.
    """
    try:
        return Rules.model_validate_json(path.read_bytes())
    except ValidationError as error:
        lines = [f"- {line}" for line in violations(error)]
        raise RulesFileError(f"{path} holds no rules of a product:\n" + "\n".join(lines)) from None
