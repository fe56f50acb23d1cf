"""Objections and erasures without any identity of the people; anyone with its address can see an erasure's progress."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OBJECTIONS = """
ALTER TABLE ops.rl_objections
    ALTER COLUMN player_id DROP NOT NULL,
    ALTER COLUMN reason DROP NOT NULL,
    ADD CONSTRAINT rl_objections_name_nobody_once_granted CHECK (
        (state = 'granted') = (player_id IS NULL) AND (player_id IS NULL) = (reason IS NULL)
    );
COMMENT ON COLUMN ops.rl_objections.player_id IS 'Who is not to be in the data; null once that was granted.';

CREATE FUNCTION ops.erasure(job uuid) RETURNS TABLE (state text, said text, error text, result jsonb, at timestamptz)
    STABLE LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT state, said, error, result, coalesce(finished_at, alive_at, created_at) FROM ops.jobs
    WHERE job_id = job AND kind = 'erasure'
$$;
COMMENT ON FUNCTION ops.erasure IS 'How far an erasure is, to whoever knows its number: nobody is signed in by then.';
"""

CONSENT_LOG = """
CREATE OR REPLACE FUNCTION ops.keep_consents() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO ops.rl_consents (player_id, purpose, is_given, text_version)
    SELECT NEW.player_id, purpose, is_given, NEW.consent_text
    FROM (VALUES
        ('analysis', 'consented_at'), ('cohorts', 'cohorts_at'), ('models', 'models_at'),
        ('comparison', 'comparison_at'), ('ballchasing', 'share_at_ballchasing')
    ) AS purposes (purpose, of), LATERAL (
        -- A new row has no old one, and no consent was given before.
        SELECT to_jsonb(OLD) ->> of IS NOT NULL AS was_given, to_jsonb(NEW) ->> of IS NOT NULL AS is_given
    ) AS told
    -- An existing consent is given again when another text is agreed to.
    WHERE was_given <> is_given OR is_given AND NEW.consent_text <> coalesce(OLD.consent_text, 0);
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    for statements in (OBJECTIONS, CONSENT_LOG):
        op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def downgrade() -> None:
    # The log of consents stays as it is, with the texts that were agreed to again.
    op.get_bind().exec_driver_sql(
        "DROP FUNCTION ops.erasure; DELETE FROM ops.rl_objections WHERE player_id IS NULL; "
        "ALTER TABLE ops.rl_objections DROP CONSTRAINT rl_objections_name_nobody_once_granted, "
        "ALTER COLUMN player_id SET NOT NULL, ALTER COLUMN reason SET NOT NULL",
        execution_options={"no_parameters": True},
    )
