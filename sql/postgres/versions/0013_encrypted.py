"""Ids at sign-in providers are encrypted and found by a keyed hash; texts of consent are kept when they are agreed to
again."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ENCRYPTED = """
ALTER TABLE accounts.identities
    ALTER COLUMN subject DROP NOT NULL,
    ADD COLUMN subject_encrypted text,
    ADD COLUMN subject_hash bytea,
    ADD CONSTRAINT identities_have_a_subject CHECK (
        num_nonnulls(subject, subject_encrypted) = 1 AND (subject_encrypted IS NULL) = (subject_hash IS NULL)
    ),
    ADD CONSTRAINT identities_are_somebodys UNIQUE (issuer, subject_hash);
COMMENT ON COLUMN accounts.identities.subject IS 'Only until it is encrypted, which what serves does when it starts.';
COMMENT ON COLUMN accounts.identities.subject_encrypted IS 'The id at the provider, encrypted.';
COMMENT ON COLUMN accounts.identities.subject_hash IS 'Keyed hash of issuer and id, by which it is found.';
COMMENT ON COLUMN accounts.signing_keys.private_key IS 'A JSON Web Key, encrypted.';
"""


def upgrade() -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(ENCRYPTED, execution_options={"no_parameters": True})


def downgrade() -> None:
    # Users known only by an encrypted id cannot be found without it.
    op.get_bind().exec_driver_sql(
        "DELETE FROM accounts.identities WHERE subject IS NULL; "
        "DELETE FROM accounts.signing_keys WHERE private_key NOT LIKE '{%'; "
        "ALTER TABLE accounts.identities DROP COLUMN subject_encrypted, DROP COLUMN subject_hash, "
        "ALTER COLUMN subject SET NOT NULL",
        execution_options={"no_parameters": True},
    )
