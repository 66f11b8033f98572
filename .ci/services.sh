# shellcheck shell=bash
# start_services sets database_url and redis_url to servers that answer; stop_services ends what it started. For `source`, after
# `npm ci`: it asks the servers with the project's own clients, so that neither psql nor redis-cli is needed.

database_url=''
redis_url=''
own_postgres=''
own_redis=''

start_services() {
  find_postgres || start_postgres
  find_redis || start_redis
}

stop_services() {
  if [[ -n $own_redis ]]; then kill "$own_redis" 2>/dev/null && wait "$own_redis" || true; fi
  if [[ -n $own_postgres ]]; then
    as_postgres "$(postgres_bin)/pg_ctl" -D "$own_postgres/data" -m immediate stop >/dev/null || true
    rm -rf "$own_postgres"
  fi
}

find_postgres() {
  local url
  for url in "${DATABASE_URL:-}" "postgres://postgres@127.0.0.1:${PG_PORT:-5432}/postgres"; do
    if [[ -n $url ]] && postgres_answers "$url"; then
      database_url=$url
      echo 'PostgreSQL: using the one that runs'
      return
    fi
  done
  return 1
}

find_redis() {
  local url
  for url in "${REDIS_URL:-}" "redis://127.0.0.1:${REDIS_PORT:-6379}"; do
    if [[ -n $url ]] && redis_answers "$url"; then
      redis_url=$url
      echo 'Redis: using the one that runs'
      return
    fi
  done
  return 1
}

# A cluster of its own in a temporary folder: no setting of an installed one is touched.
start_postgres() {
  local port
  [[ -n $(postgres_bin) ]] || install_packages postgresql
  port=$(free_port)
  own_postgres=$(mktemp -d)
  if ((EUID == 0)); then chown postgres "$own_postgres"; fi
  as_postgres "$(postgres_bin)/initdb" -D "$own_postgres/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
  as_postgres "$(postgres_bin)/pg_ctl" -D "$own_postgres/data" -l "$own_postgres/log" -w start >/dev/null \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$own_postgres -c fsync=off" ||
    { cat "$own_postgres/log" >&2; return 1; }
  database_url="postgres://postgres@127.0.0.1:$port/postgres"
  echo "PostgreSQL: started one on port $port"
}

start_redis() {
  local port attempt
  command -v redis-server >/dev/null || install_packages redis-server
  port=$(free_port)
  redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --loglevel warning >/dev/null &
  own_redis=$!
  redis_url="redis://127.0.0.1:$port"
  for attempt in {1..20}; do
    if redis_answers "$redis_url"; then
      echo "Redis: started one on port $port"
      return
    fi
    sleep 0.2
  done
  echo "Redis does not answer on port $port" >&2
  return 1
}

# Answers, and lets this role create the databases that the tests throw away.
postgres_answers() {
  node -e '
    const { Client } = require("pg")
    const client = new Client({ connectionString: process.argv[1], connectionTimeoutMillis: 3000 })
    const sql = "select from pg_roles where rolname = current_user and (rolcreatedb or rolsuper)"
    client.on("error", () => process.exit(1))
    client.connect().then(() => client.query(sql)).then(({ rowCount }) => process.exit(rowCount === 1 ? 0 : 1), () => process.exit(1))
  ' "$1"
}

redis_answers() {
  node -e '
    const { Redis } = require("ioredis")
    const client = new Redis(process.argv[1], { connectTimeout: 3000, commandTimeout: 3000, retryStrategy: null })
    client.on("error", () => process.exit(1))
    client.ping().then(() => process.exit(0), () => process.exit(1))
  ' "$1"
}

# The programs of the newest PostgreSQL that is installed; Debian keeps the servers off the path.
postgres_bin() {
  local initdb
  initdb=$(find /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1)
  [[ -n $initdb ]] || initdb=$(command -v initdb || true)
  [[ -z $initdb ]] || dirname "$initdb"
}

# PostgreSQL refuses to run as root.
as_postgres() {
  if ((EUID == 0)); then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

install_packages() {
  local root=()
  if ((EUID != 0)); then root=(sudo -n); fi
  echo "Installing $*"
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

free_port() {
  node -e 'const server = require("node:net").createServer().listen(0, "127.0.0.1", () => {
    console.log(server.address().port)
    server.close()
  })'
}
