# The server's program, its directory, its port: makes the database where there is none, and becomes the server.
set -e
server=$1 directory=$2 port=$3
if [ "$(id -u)" = 0 ]; then
    # It refuses to run as root. Debian's package has made this user.
    chown postgres: "$directory"
    as="setpriv --reuid=postgres --regid=postgres --init-groups"
fi
if [ ! -f "$directory/data/PG_VERSION" ]; then
    $as "${server%/*}/initdb" --pgdata "$directory/data" --auth trust --username postgres --encoding UTF8 \
        --locale C.UTF-8 --no-sync
fi
# Of a server that was killed.
rm -f "$directory/data/postmaster.pid"
exec $as "$server" -D "$directory/data" -h 127.0.0.1 -p "$port" -k "$directory" -c fsync=off
