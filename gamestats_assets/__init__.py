"""gamestats: a lakehouse for game analytics, built from partitioned Dagster assets."""
