"""The PostgreSQL server: connections, roles, row security, encryption."""
