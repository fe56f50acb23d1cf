"""A complete run: taxonomy, rules, logs, measurements and report.

The folder of a run holds the logs, `manifest.json`, `rules.json` (which can be edited and given to the next run)
and `report.html`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gamestats_assets.demo_data.generator.generate import Generated, Progress, generate, read_manifest
from gamestats_assets.demo_data.products.rule_making import MadeRules, RuleMaker
from gamestats_assets.demo_data.rules.configuration import Configuration
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
_MADE_BY = {
    "ai": "a language model",
    "cache": "a language model (cached)",
    "analyst": "the analyst",
    "file": "a person",
}


class RulesFileError(GamestatsError):
    """A file of rules cannot be read."""


class NotARunError(GamestatsError):
    """A folder holds no run."""


@dataclass(frozen=True, slots=True)
class Produced:
    """The result of a run.

    Attributes:
        before, after: deviations of the data from the rules; after is None unless the rules were refined.
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
    """Makes rules, generates and measures, refines once if asked, and writes the report.

    Args:
        rules: rules to use as they are; None makes them.
        refine: if the data deviate from the rules, have better rules made and generate again; the second data are kept
            only if they deviate less.

    Raises:
        RulesError: when the rules contradict each other or the taxonomy.
        GenerationError: when the files cannot be written.
    """
    from gamestats_assets.demo_data.findings.deviations import corrected, deviations
    from gamestats_assets.demo_data.findings.measure import measure

    product = configuration.product
    made = MadeRules(rules, "file", "") if rules is not None else maker.make(taxonomy, product)

    def attempt(chosen: Rules, replace: bool) -> tuple[Generated, Measured, Deviations]:
        generated = generate(
            taxonomy, chosen, configuration, folder, processes=processes, overwrite=replace, progress=progress
        )
        if progress:
            progress("Measuring", 0, 1)
        # Always measured against the first rules: they say what is wanted.
        measured = measure(folder, taxonomy, made.rules, configuration)
        if progress:
            progress("Measuring", 1, 1)
        return generated, measured, deviations(measured, made.rules, taxonomy)

    generated, measured, before = attempt(made.rules, overwrite)
    kept, after = made, None
    if refine and before.list:
        better = (
            maker.make(taxonomy, product, draft=made.rules, deviations=list(before.lines()))
            if maker.provider is not None and rules is None
            else MadeRules(corrected(made.rules, before), made.origin, "Corrected by the measurements.")
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
    verdicts = _report(folder, folder / REPORT_FILE, kept, measured, before, after)
    return Produced(kept, generated, measured, verdicts, before, after)


def details(made: MadeRules) -> str:
    """Returns how rules were made, for people; for the analyst only whether they were corrected."""
    return "" if made.origin == "analyst" and "model" in made.detail else made.detail


def _report(
    folder: Path, path: Path, made: MadeRules, measured: Measured, *distances: Deviations | None
) -> Sequence[Verdict]:
    """Writes the report of a run; returns the verdicts on its truths."""
    from gamestats_assets.demo_data.findings.accounts import known_accounts
    from gamestats_assets.demo_data.findings.report import write_report
    from gamestats_assets.demo_data.findings.truths import verify

    manifest = read_manifest(folder)
    verdicts = verify(measured, measured.configuration, known_accounts(manifest))
    facts = {
        "taxonomy": manifest["taxonomy"]["name"],
        "rules_by": ". ".join(part for part in (_MADE_BY[made.origin], details(made)) if part),
        "segments": manifest["users"],
        "files": len(manifest["files"]),
    }
    write_report(path, measured, verdicts, facts, *distances)
    return verdicts


def report_again(folder: Path, path: Path | None = None) -> Path:
    """Measures a run's files and writes its report again.

    Raises:
        NotARunError: when the folder holds no finished run.
    """
    from gamestats_assets.demo_data.findings.deviations import deviations
    from gamestats_assets.demo_data.findings.measure import measure

    manifest = read_manifest(folder)
    try:
        kept = json.loads((folder / _KEPT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        kept = None
    if not manifest or kept is None:
        raise NotARunError(f"{folder} holds no finished run. Make one: gamestats generate TAXONOMY --out {folder}")
    taxonomy = Taxonomy.model_validate(kept["taxonomy"])
    made = MadeRules(read_rules(folder / RULES_FILE), kept["origin"], kept["detail"])
    measured = measure(folder, taxonomy, made.rules, Configuration.model_validate(manifest["configuration"]))
    path = path or folder / REPORT_FILE
    _report(folder, path, made, measured, deviations(measured, made.rules, taxonomy))
    return path


def read_rules(path: Path) -> Rules:
    """Reads rules from a JSON file, as a run leaves it.

    Raises:
        RulesFileError: when fields are invalid; names all of them.
    """
    try:
        return Rules.model_validate_json(path.read_bytes())
    except ValidationError as error:
        lines = [f"- {line}" for line in violations(error)]
        raise RulesFileError(f"{path} holds no valid rules:\n" + "\n".join(lines)) from None
