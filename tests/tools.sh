#!/bin/sh
# Installs the programs the tests talk to (psql, promtool, Chromium), what a real Kafka runs on and is spoken to with (Java, Maven, kcat) and what drives the
# browser, or names what is missing and how to get it.
set -eu
missing=""
need() {
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need psql postgresql-client
need promtool prometheus
need chromium chromium
need npm npm
need docker-compose docker-compose
need javac default-jdk-headless
need kcat kcat
need mvn maven
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq
        # shellcheck disable=SC2086 # a list of package names
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        for package in $missing; do
            echo "skipped: tests that need $package; get it with: apt-get install $package"
        done
    fi
fi
# The brokers' jars, so that no test waits for the network.
if command -v java >/dev/null 2>&1 && command -v mvn >/dev/null 2>&1; then
    bash "$(dirname "$0")/kafka/broker.sh" fetch || echo "skipped: Kafka's jars could not be fetched from Maven"
fi
# npm writes the hidden lock last: older than the lock of the repository, it is of another install.
page="$(dirname "$0")/page"
if command -v npm >/dev/null 2>&1 && [ ! "$page/node_modules/.package-lock.json" -nt "$page/package-lock.json" ]; then
    (cd "$page" && npm ci --no-audit --no-fund)
fi
