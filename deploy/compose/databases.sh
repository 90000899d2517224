#!/bin/sh
# Run by the postgres image when its volume is empty: a role and a database of its own for each service, closed to the others.
# Each password is the one in the database URL that the service itself gets.
set -eu
for service in employees teams gateway; do
    psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --set service="$service" --username "$POSTGRES_USER" --dbname postgres <<EOF
\set password \`sed 's|.*://[^:]*:\([^@]*\)@.*|\1|' /run/secrets/$service.database-url\`
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"service";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
EOF
done
