"""Pages and routes for admins: users and roles, claims on game accounts, the audit log, and Dagster's pages."""
