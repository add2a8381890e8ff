#!/bin/sh
# Copies everything from one database of Inlay to another: the way from the embedded PostgreSQL to a server of yours,
# and between versions of PostgreSQL. Inlay must be stopped. It needs psql 14 or newer, and the tables must stand in
# the target, empty:
#   DATABASE_URL=<target> npm run inlay -- migrate
#   sh deploy/move-database.sh <source URL> <target URL>
# The role of the target URL must be a superuser for this once (foreign keys are not checked row by row).
set -eu
source=$1
target=$2
# Without this a connection sees no rows: row-level security holds for the owner too.
export PGOPTIONS='-c inlay.scope=system'

tables=$(psql "$target" -XAtc "
  select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = current_schema() and c.relkind in ('r', 'p') and not c.relispartition
  order by c.relname")
for table in $tables; do
  columns=$(psql "$target" -XAtc "
    select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
    where attrelid = '\"$table\"'::regclass and attnum > 0 and not attisdropped and attgenerated = ''")
  # What the migration itself wrote is replaced; a table that fails leaves the target's as it was.
  psql "$source" -XqAtc "copy (select $columns from \"$table\") to stdout" |
    psql "$target" -Xq -v ON_ERROR_STOP=1 --single-transaction \
      -c "set session_replication_role = replica" \
      -c "delete from \"$table\"" \
      -c "copy \"$table\" ($columns) from stdin"
  echo "$table: $(psql "$source" -XAtc "select count(*) from \"$table\"") in the source," \
    "$(psql "$target" -XAtc "select count(*) from \"$table\"") in the target"
done
