"""Settings and stores: the environment, defaults and secrets."""

import json
import re
import shutil
import stat
import traceback
from pathlib import Path

import pytest

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.settings import Settings, shipped
from gamestats_assets_tests.lakehouse.declared import MARCH_1, Goals, goals
from gamestats_assets_tests.support.s3_fixture import S3

SECRET = "hunter2"
OPTIONS = {"aws_secret_access_key": SECRET}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATA", "STATE", "POSTGRES_URL", "STORAGE_OPTIONS", "WORKERS"):
        monkeypatch.delenv(f"GAMESTATS_{name}", raising=False)
    monkeypatch.delenv("PUBG_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_everything_works_without_a_variable() -> None:
    settings = Settings()
    assert settings.data == str(shipped("data"))
    assert settings.state_folder == shipped("data")
    assert settings.postgres_url is None
    assert settings.pubg_api_key is None
    assert settings.storage_options == {}
    assert settings.workers >= 1


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GAMESTATS_DATA", "s3://bucket/prefix/")
    monkeypatch.setenv("GAMESTATS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("GAMESTATS_POSTGRES_URL", "postgresql://user@server/db")
    monkeypatch.setenv("GAMESTATS_STORAGE_OPTIONS", json.dumps(OPTIONS))
    monkeypatch.setenv("GAMESTATS_WORKERS", "3")
    monkeypatch.setenv("PUBG_API_KEY", "key")
    settings = Settings()
    assert settings.data_is_remote
    assert settings.under_data("lake") == "s3://bucket/prefix/lake"
    assert settings.state_folder == tmp_path / "state"
    assert settings.postgres_url is not None
    assert settings.postgres_url.get_secret_value() == "postgresql://user@server/db"
    assert settings.pubg_api_key is not None
    assert settings.pubg_api_key.get_secret_value() == "key"
    assert settings.storage_options == OPTIONS
    assert settings.workers == 3


def test_variables_of_other_programs_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATA", "STATE", "WORKERS", "POSTGRES_URL", "STORAGE_OPTIONS"):
        monkeypatch.setenv(name, "7")
    settings = Settings()
    assert settings.data == str(shipped("data"))
    assert settings.state is None
    assert settings.postgres_url is None


def test_state_stands_beside_local_data_and_at_home_for_remote_data(tmp_path: Path) -> None:
    assert Settings(data=str(tmp_path)).state_folder == tmp_path
    assert Settings(data="s3://bucket").state_folder == tmp_path / "home" / ".gamestats"
    assert Settings(data="~/games").under_data("lake") == str(tmp_path / "home" / "games" / "lake")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("GAMESTATS_DATA", "ftp://server/x", "GAMESTATS_DATA is 'ftp://server/x'; give a folder, or an s3://"),
        ("GAMESTATS_WORKERS", "0", "GAMESTATS_WORKERS"),
        ("GAMESTATS_WORKERS", "many", "GAMESTATS_WORKERS"),
        ("GAMESTATS_STORAGE_OPTIONS", f'["{SECRET}"]', "GAMESTATS_STORAGE_OPTIONS"),
        ("GAMESTATS_STORAGE_OPTIONS", f'{{"key": ["{SECRET}"]}}', "GAMESTATS_STORAGE_OPTIONS"),
        ("GAMESTATS_STORAGE_OPTIONS", f'{{"key": "{SECRET}"', "storage_options"),
    ],
)
def test_a_wrong_variable_is_named_and_no_secret_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv("GAMESTATS_POSTGRES_URL", f"postgresql://user:{SECRET}@server/db")
    monkeypatch.setenv("GAMESTATS_STORAGE_OPTIONS", json.dumps(OPTIONS))
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError) as refused:
        Settings()
    assert said in str(refused.value)
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_stores_stand_under_the_data_folder(tmp_path: Path) -> None:
    stores = Stores(Settings(data=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []
    stores.landing.put_undated("demo", "players", b"[]", b"[]")
    stores.lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    assert (tmp_path / "landing" / "demo" / "players").is_dir()
    assert (tmp_path / "lake" / "demo" / "goals" / "_delta_log").is_dir()
    assert stores.lake is stores.lake


NAMES = ["a b", "josé", "日本", "100%", "a%20b", "a#b", "[1]", "li\nne", "q'u\"o", "a&b;$HOME`x`", "a=b", "*", "\udcff"]


@pytest.mark.parametrize("name", NAMES)
def test_a_data_folder_of_any_name_is_reached_by_a_plain_one(tmp_path: Path, name: str) -> None:
    first, again = Settings(data=str(tmp_path / name)), Settings(data=str(tmp_path / name))

    paths = [str(first.state_folder), first.under_data("landing"), first.under_data("lake")]

    assert paths == [str(again.state_folder), again.under_data("landing"), again.under_data("lake")]
    assert [re.sub("[a-zA-Z0-9/._-]", "", path) for path in paths[:2]] == ["", ""]
    Path(paths[1]).mkdir()
    assert (tmp_path / name / "landing").is_dir()
    assert Path(paths[2]) == (tmp_path / name / "lake").resolve()
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700


def test_a_copied_data_folder_gets_its_own_lake(tmp_path: Path) -> None:
    first, copy = Settings(data=str(tmp_path / "[1]")), Settings(data=str(tmp_path / "[2]"))
    Path(first.under_data("lake"), "table").touch()
    shutil.copytree(tmp_path / "[1]", tmp_path / "[2]", symlinks=True)

    assert list(Path(copy.under_data("lake")).iterdir()) == []
    assert (tmp_path / "[2]" / "lake").resolve() == Path(copy.under_data("lake"))
    assert [path.name for path in Path(first.under_data("lake")).iterdir()] == ["table"]


def test_a_link_that_somebody_else_made_is_not_taken(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path / "a b"))
    link = settings.state_folder
    link.unlink()
    link.symlink_to(tmp_path)
    try:
        with pytest.raises(FileExistsError, match="move away what is there"):
            assert settings.state_folder
    finally:
        link.unlink()


def test_a_data_folder_that_is_there_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o750)
    assert stat.S_IMODE(Settings(data=str(tmp_path / "shared")).state_folder.stat().st_mode) == 0o750


def test_stores_of_remote_data_write_nothing_to_the_disk(s3: S3, tmp_path: Path) -> None:
    stores = Stores(Settings(data=s3.empty(), state=tmp_path, storage_options=s3.storage_options))
    stores.landing.put_undated("demo", "players", b"[]", b"[]")
    stores.lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1])
    assert len(stores.landing.files("demo", "players")) == 1
    assert stores.lake.scan(Goals).collect().height == 2
    assert list(tmp_path.iterdir()) == []
