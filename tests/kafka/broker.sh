#!/usr/bin/env bash
# Runs a real Apache Kafka for tests: one or three brokers (KRaft) on free ports of this machine, from Maven's jars.
#
#   broker.sh check              whether Java 17 and Maven are here; says what to get where not, and ends with 3
#   broker.sh fetch              fetches the jars into the cache, unless they are there
#   broker.sh run N [secure]     starts N brokers, prints `key=value` lines and `ready`, and stays
#
# While it stays it reads commands from its standard input and answers each with a line:
#   restart I    starts broker I again on its ports and data, after somebody killed it: `broker.I.pid=...`, then `ready`
# When its standard input ends (whoever started it is gone, even by kill -9) it kills the brokers and removes their data.
#
# `secure` adds listeners with TLS and certificates made here: SCRAM-SHA-512 users over a good, an expired and another
# host's certificate, and one that asks for client certificates.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=4.3.1
cache=${GRIDWATCH_KAFKA_CACHE:-$HOME/.cache/gridwatch/kafka-$version}
# 16 bytes in base64, as a cluster's id has to be.
cluster=Z3JpZHdhdGNoLXRlc3RzMQ
user=gridwatch
password=rig-password
# A broker of a test lives a minute: the quick compiler and the small collector start it sooner and leave the cores to the test.
java_options=(-Xms128m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData)

check() {
    if ! command -v java >/dev/null 2>&1; then
        echo "Java 17 or later is not installed; get it with: apt-get install default-jre-headless"
        exit 3
    fi
    local found
    found=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    if [ "${found:-0}" -lt 17 ]; then
        echo "Java 17 or later is needed, this is Java ${found:-unknown}; get it with: apt-get install default-jre-headless"
        exit 3
    fi
    if [ ! -e "$cache/jars" ] && ! command -v mvn >/dev/null 2>&1; then
        echo "Maven is not installed; get it with: apt-get install maven"
        exit 3
    fi
}

# Two tests may fetch at once: each into a folder of its own, and the first to finish puts it in place.
fetch() {
    if [ -e "$cache/jars" ]; then return; fi
    mkdir -p "$cache"
    local part
    part=$(mktemp -d "$cache/part.XXXXXX")
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$part" >&2
    mv -T "$part" "$cache/jars" 2>/dev/null || rm -rf "$part"
}

# === certificates ===

sign() { # name, subject alternative name, start, end
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
    printf 'subjectAltName=%s\n' "$2" >"$1.ext"
    openssl ca -batch -notext -config ca.conf -startdate "$3" -enddate "$4" -extfile "$1.ext" -in "$1.csr" -out "$1.pem" 2>/dev/null
    cat "$1.key" "$1.pem" >"$1.store.pem"
}

certificates() { # folder
    mkdir -p "$1"
    cd "$1"
    local name
    for name in ca other-ca; do
        openssl req -x509 -newkey rsa:2048 -nodes -keyout "$name.key" -out "$name.pem" -days 3650 -subj "/CN=$name" 2>/dev/null
    done
    : >index.txt
    cat >ca.conf <<-CONF
	[ca]
	default_ca=rig
	[rig]
	new_certs_dir=.
	database=index.txt
	rand_serial=yes
	unique_subject=no
	default_md=sha256
	policy=any
	certificate=ca.pem
	private_key=ca.key
	[any]
	commonName=supplied
	CONF
    sign good IP:127.0.0.1,DNS:localhost 20240101000000Z 20440101000000Z
    sign expired IP:127.0.0.1,DNS:localhost 20240101000000Z 20240201000000Z
    sign elsewhere DNS:kafka.elsewhere.example 20240101000000Z 20440101000000Z
    sign client DNS:client 20240101000000Z 20440101000000Z
}

# === brokers ===

taken=" "
# A port nobody listens at, below the range the system hands out by itself.
free_port() {
    while true; do
        port=$((RANDOM % 12000 + 20000))
        case $taken in *" $port "*) continue ;; esac
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue; fi
        taken="$taken$port "
        return
    done
}

configure() { # node, its folder; answers in $folder/server.properties and, as lines for the test, in $folder/addresses
    local node=$1 at=$2 names="PLAIN CONTROLLER" name
    local listeners="PLAIN://127.0.0.1:${plain[$node]},CONTROLLER://127.0.0.1:${control[$node]}"
    local advertised="PLAIN://127.0.0.1:${plain[$node]}" map="PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT" copies=$((brokers > 1 ? 3 : 1))
    mkdir -p "$at"
    if [ -n "$secure" ]; then names="SCRAM EXPIRED ELSEWHERE MUTUAL"; else names=""; fi
    {
        for name in $names; do
            local lower=${name,,}
            free_port
            listeners="$listeners,$name://127.0.0.1:$port"
            advertised="$advertised,$name://127.0.0.1:$port"
            if [ "$name" = MUTUAL ]; then map="$map,$name:SSL"; else map="$map,$name:SASL_SSL"; fi
            echo "broker.$node.$lower=127.0.0.1:$port" >>"$at/addresses"
            case $name in EXPIRED) certificate=expired ;; ELSEWHERE) certificate=elsewhere ;; *) certificate=good ;; esac
            echo "listener.name.$lower.ssl.keystore.type=PEM"
            echo "listener.name.$lower.ssl.keystore.location=$folder/certificates/$certificate.store.pem"
            echo "listener.name.$lower.ssl.truststore.type=PEM"
            echo "listener.name.$lower.ssl.truststore.location=$folder/certificates/ca.pem"
            if [ "$name" = MUTUAL ]; then
                echo "listener.name.$lower.ssl.client.auth=required"
            else
                echo "listener.name.$lower.sasl.enabled.mechanisms=SCRAM-SHA-512"
                echo "listener.name.$lower.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
            fi
        done
        cat <<-CONF
		process.roles=broker,controller
		node.id=$node
		listeners=$listeners
		advertised.listeners=$advertised
		listener.security.protocol.map=$map
		controller.listener.names=CONTROLLER
		inter.broker.listener.name=PLAIN
		controller.quorum.voters=$voters
		log.dirs=$at/data
		auto.create.topics.enable=false
		default.replication.factor=$copies
		min.insync.replicas=$((copies > 1 ? 2 : 1))
		unclean.leader.election.enable=false
		offsets.topic.num.partitions=4
		offsets.topic.replication.factor=$copies
		transaction.state.log.num.partitions=4
		transaction.state.log.replication.factor=$copies
		transaction.state.log.min.isr=$((copies > 1 ? 2 : 1))
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		group.initial.rebalance.delay.ms=0
		# One of three that is gone is noticed soon, but not one that waits for a busy machine; segments are looked at each second.
		broker.heartbeat.interval.ms=500
		broker.session.timeout.ms=6000
		log.retention.check.interval.ms=1000
		log.initial.task.delay.ms=500
		num.network.threads=2
		num.io.threads=4
		num.recovery.threads.per.data.dir=1
		log.cleaner.dedupe.buffer.size=4194304
		CONF
    } >"$at/server.properties"
    echo "broker.$node.plain=127.0.0.1:${plain[$node]}" >>"$at/addresses"
}

# Formatting needs a JVM; what it writes depends on the number only, so it is kept in the cache.
format() { # node, its folder
    local kept="$cache/formatted/$1"
    if [ ! -e "$kept" ]; then
        mkdir -p "$cache/formatted"
        local part
        part=$(mktemp -d "$cache/part.XXXXXX")
        sed "s|^log.dirs=.*|log.dirs=$part|" "$2/server.properties" >"$2/format.properties"
        java "${java_options[@]}" "-Dlog4j2.configurationFile=$here/log4j2.properties" -cp "$cache/jars/*" kafka.tools.StorageTool format -t "$cluster" \
            -c "$2/format.properties" --add-scram "SCRAM-SHA-512=[name=$user,password=$password]" >"$2/format.log" 2>&1 || {
            cat "$2/format.log" >&2
            return 1
        }
        mv -T "$part" "$kept" 2>/dev/null || rm -rf "$part"
    fi
    cp -r "$kept" "$2/data"
}

launch() { # node
    java "${java_options[@]}" "-Dlog4j2.configurationFile=$here/log4j2.properties" -cp "$cache/jars/*" kafka.Kafka \
        "$folder/$1/server.properties" >"$folder/$1/log" 2>&1 </dev/null &
    pids[$1]=$!
    echo $! >"$folder/$1/pid"
}

# The port opens before the broker may keep topics; it says when it has started.
await() { # node
    local tries
    for ((tries = 0; tries < 1200; tries++)); do
        if grep -q 'Kafka Server started' "$folder/$1/log"; then return; fi
        if ! kill -0 "${pids[$1]}" 2>/dev/null; then break; fi
        sleep 0.1
    done
    echo "broker $1 did not start:" >&2
    tail -n 40 "$folder/$1/log" >&2
    return 1
}

cleanup() {
    trap - EXIT INT TERM HUP
    local pid
    for pid in "${pids[@]}"; do
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    kill -9 "$watcher" 2>/dev/null || true
    rm -rf "$folder"
}

run() {
    brokers=$1 secure=${2:-}
    check
    fetch
    declare -gA plain control pids
    folder=$(mktemp -d "${TMPDIR:-/tmp}/gridwatch-kafka.XXXXXX")
    trap cleanup EXIT INT TERM HUP
    # Should this script itself be killed, its brokers and their data still go.
    (
        trap '' INT TERM HUP
        while kill -0 $$ 2>/dev/null; do sleep 1; done
        for pid in "$folder"/*/pid; do kill -9 "$(cat "$pid")" 2>/dev/null || true; done
        rm -rf "$folder"
    ) </dev/null >/dev/null 2>&1 &
    watcher=$!
    disown "$watcher"
    if [ -n "$secure" ]; then
        (certificates "$folder/certificates")
    fi
    local node
    voters=""
    for ((node = 1; node <= brokers; node++)); do
        free_port && plain[$node]=$port
        free_port && control[$node]=$port
        voters="$voters${voters:+,}$node@127.0.0.1:$port"
    done
    for ((node = 1; node <= brokers; node++)); do
        configure "$node" "$folder/$node"
        format "$node" "$folder/$node"
        launch "$node"
    done
    for ((node = 1; node <= brokers; node++)); do
        await "$node"
        cat "$folder/$node/addresses"
        echo "broker.$node.pid=${pids[$node]}"
    done
    echo "folder=$folder"
    echo "jars=$cache/jars"
    echo "user=$user"
    echo "password=$password"
    if [ -n "$secure" ]; then
        echo "certificates=$folder/certificates"
    fi
    echo ready
    local command
    while read -r command node; do
        case $command in
        restart)
            kill -9 "${pids[$node]}" 2>/dev/null || true
            wait "${pids[$node]}" 2>/dev/null || true
            launch "$node"
            await "$node"
            echo "broker.$node.pid=${pids[$node]}"
            echo ready
            ;;
        *) echo "no such command: $command" >&2 ;;
        esac
    done
}

case ${1:-} in
check) check ;;
fetch) check && fetch ;;
run) run "${2:-1}" "${3:-}" ;;
*)
    sed -n '2,15p' "$0" >&2
    exit 2
    ;;
esac
