# Runs a Redis Cluster of three nodes and ends with it, as one server would:
#   sh cluster.sh SERVER DIRECTORY BIND ANNOUNCED PORT OPTION...
# The nodes listen on PORT and the two after it, and for each other on the three after those. Clients and nodes find them at the
# IP address ANNOUNCED. In a container the ports are the same as outside: that address leads to them from either side.
set -eu
server=$1 directory=$2 bind=$3 announced=$4 first=$5
shift 5
nodes=
trap 'trap "" TERM; [ -z "$nodes" ] || kill $nodes 2>/dev/null || :; wait' EXIT
trap 'exit 0' TERM

node() { # NUMBER COMMAND...: asks a node
  port=$((first + $1))
  shift
  redis-cli -h 127.0.0.1 -p "$port" "$@"
}

for number in 0 1 2; do
  port=$((first + number))
  mkdir -p "$directory/$port"
  "$server" "$@" --bind "$bind" --protected-mode no --port "$port" --dir "$directory/$port" \
    --cluster-enabled yes --cluster-port $((port + 3)) --cluster-node-timeout 5000 \
    --cluster-announce-ip "$announced" --cluster-announce-port "$port" --cluster-announce-bus-port $((port + 3)) &
  nodes="$nodes $!"
done

wait_until() { # NUMBER WORD COMMAND...: until the node's answer has the word
  number=$1 word=$2
  shift 2
  until node "$number" "$@" 2>/dev/null | grep -q "$word"; do
    for pid in $nodes; do kill -0 "$pid" || exit 1; done
    sleep 0.1
  done
}

for number in 0 1 2; do wait_until $number PONG ping; done
# At a later start the nodes know each other.
if ! [ -f "$directory/joined" ]; then
  node 0 cluster addslotsrange 0 5460
  node 1 cluster addslotsrange 5461 10922
  node 2 cluster addslotsrange 10923 16383
  for number in 0 1 2; do node $number cluster set-config-epoch $((number + 1)); done
  for number in 1 2; do node 0 cluster meet "$announced" $((first + number)) $((first + number + 3)); done
  : >"$directory/joined"
fi
for number in 0 1 2; do
  wait_until $number cluster_known_nodes:3 cluster info
  wait_until $number cluster_state:ok cluster info
done
echo "The cluster is ready"
wait
