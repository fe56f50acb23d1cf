"""What commands write: harmless in a spreadsheet, harmless on a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

from gamestats_assets.cli.frames import Format, write_frame
from gamestats_assets.cli.terminal import CarefulConsole

PLAYERS = pl.DataFrame({"player": ["=cmd", "+1", "-Alpha-", "@x", "\tx", "a=b", "", None], "score": [-1.5] * 8})
AS_THEY_ARE = 'player,score\n=cmd,-1.5\n+1,-1.5\n-Alpha-,-1.5\n@x,-1.5\n\tx,-1.5\na=b,-1.5\n"",-1.5\n,-1.5\n'
HARMLESS = "player,score\n'=cmd,-1.5\n'+1,-1.5\n'-Alpha-,-1.5\n'@x,-1.5\n'\tx,-1.5\na=b,-1.5\n\"\",-1.5\n,-1.5\n"


@pytest.mark.parametrize(
    ("harmless", "in_file", "on_stdout"),
    [(None, HARMLESS, AS_THEY_ARE), (True, HARMLESS, HARMLESS), (False, AS_THEY_ARE, AS_THEY_ARE)],
)
def test_formulas_are_made_harmless_in_files_unless_told_otherwise(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], harmless: bool | None, in_file: str, on_stdout: str
) -> None:
    write_frame(PLAYERS, Format.CSV, tmp_path / "players.csv", harmless=harmless)
    capfd.readouterr()
    write_frame(PLAYERS, Format.CSV, None, harmless=harmless)

    assert (tmp_path / "players.csv").read_text() == in_file
    assert capfd.readouterr().out == on_stdout


def test_what_programs_read_keeps_every_text(tmp_path: Path) -> None:
    write_frame(PLAYERS, Format.JSON, tmp_path / "players.json")
    write_frame(PLAYERS, Format.PARQUET, tmp_path / "players.parquet")

    assert pl.read_json(tmp_path / "players.json")["player"].to_list() == PLAYERS["player"].to_list()
    assert pl.read_parquet(tmp_path / "players.parquet").equals(PLAYERS)


def test_binary_values_are_texts_for_programs_and_their_size_for_people(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frame = pl.DataFrame({"track": [bytes(1_200), b"\x1f\x8b", None]})
    for form in (Format.JSON, Format.CSV, Format.TABLE):
        write_frame(frame.tail(2) if form is not Format.TABLE else frame, form, tmp_path / form.value)

    assert pl.read_json(tmp_path / "json")["track"].to_list() == ["H4s=", None]
    assert (tmp_path / "csv").read_text() == "track\nH4s=\n\n"
    assert [line.strip() for line in (tmp_path / "table").read_text().splitlines()[2:4]] == ["1,200 bytes", "2 bytes"]


def test_a_terminal_gets_its_own_colours_and_none_of_a_text() -> None:
    output = io.StringIO()
    console = CarefulConsole(file=output, force_terminal=True, color_system="standard", width=80)

    console.print("\x1b[2J\x9b\udcff", style="red", markup=False, highlight=False)

    assert output.getvalue() == "\x1b[31m␛[2J\ufffd\ufffd\x1b[0m\n"
