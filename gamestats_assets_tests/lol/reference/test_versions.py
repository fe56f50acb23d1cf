"""The version of Data Dragon that stands for a patch."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.lol.reference.versions import patch_number, standing_versions

PATCHES = st.tuples(st.integers(9, 16), st.integers(1, 25))


@given(wanted=st.lists(PATCHES, min_size=1, max_size=5), listed=st.lists(st.tuples(PATCHES, st.integers(1, 12))))
def test_the_nearest_version_before_a_patch_stands_for_it_else_the_nearest_after(
    wanted: list[tuple[int, int]], listed: list[tuple[tuple[int, int], int]]
) -> None:
    versions = [f"{major}.{minor}.{build}" for (major, minor), build in listed]
    found = standing_versions(
        pl.LazyFrame({"patch": [f"{major}.{minor}" for major, minor in wanted]}, schema={"patch": pl.String}),
        pl.LazyFrame({"version": versions}, schema={"version": pl.String}),
    ).collect()
    assert found.height == len(set(wanted))
    chosen = {patch: (version, how) for patch, version, how in found.iter_rows()}
    for patch in wanted:
        known = {each for each, _ in listed}
        before, after = [each for each in known if each <= patch], [each for each in known if each > patch]
        nearest = max(before) if before else min(after) if after else None
        how = "none" if nearest is None else "exact" if nearest == patch else "earlier" if nearest < patch else "later"
        build = max((number for each, number in listed if each == nearest), default=None)
        version = None if nearest is None else f"{nearest[0]}.{nearest[1]}.{build}"
        assert chosen[f"{patch[0]}.{patch[1]}"] == (version, how)


def test_numbers_order_patches() -> None:
    texts = ["10.25", "13.9", "13.10", "13.10.1", "13", "x", "99999999999.1"]
    found = pl.DataFrame({"version": texts}).select(patch_number(pl.col("version"))).to_series().to_list()
    assert found == [10025, 13009, 13010, 13010, None, None, None]
