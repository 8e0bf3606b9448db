"""Engine, session scope, tables, roles, row-level security and the embedded servers. Builds no query."""
