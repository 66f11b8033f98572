#!/bin/sh
# Run once by the image of PostgreSQL, as the owner of the schema: the service's own role, which may read and write rows and
# nothing else. Migrations grant it what it needs on the tables they make.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$APP_DB_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
create role plinth login password :'password';
SQL
