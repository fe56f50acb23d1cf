-- Every pattern found on any patch, with its results on each patch with enough games, ordered by patch.
with found as (
    select pattern_id, min(patch_number) as first_found_patch_number
    from lol.pattern_tests
    where is_found
    group by pattern_id
)

select
    tests.pattern_id,
    tests.patch_number,
    tests.patch,
    tests.family,
    tests.queue_group,
    tests.position,
    tests.champion_id,
    tests.champion_name,
    tests.condition,
    tests.outcome,
    cast(tests.games as bigint) as games,
    cast(tests.effect as double) as effect,
    cast(tests.effect_low as double) as effect_low,
    cast(tests.effect_high as double) as effect_high,
    cast(tests.q_value as double) as q_value,
    tests.is_found,
    cast(tests.discovery_half_q_value as double) as discovery_half_q_value,
    tests.is_replicated,
    tests.reason,
    cast(lag(tests.effect) over of_pattern as double) as previous_effect,
    cast(sum(case when tests.is_found then 1 else 0 end) over up_to_patch as bigint) as patches_found,
    found.first_found_patch_number
from lol.pattern_tests as tests
inner join found on tests.pattern_id = found.pattern_id
window
    of_pattern as (partition by tests.pattern_id order by tests.patch_number),
    up_to_patch as (
        partition by tests.pattern_id
        order by tests.patch_number rows between unbounded preceding and current row
    )
