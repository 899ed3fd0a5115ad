#!/bin/sh
# What each detector said of Taipei's labelled days (taipei.toml), arrival-true: `make labelled-days DATA=FOLDER`.
#
# FOLDER holds hotline1999_YYYY.csv.zst, zones_district.geojson.zst and zones_village.geojson.zst as data.taipei publishes them. Prints one
# table as CSV: a line an episode and detector. A year is looked at every day by surges, every week by surges_weekly (a week is its bin),
# every fourth day by hotspots and emerging, once a month by clusters, whose 999 permutations a category are dear; and every day near the
# label by all of them. alarms_a_year is the alarms seen times 365 over the looks; of surges_weekly, whose looks hold seven days each,
# that is seven times too many, and its alarms are about a year's. In 2017 addresses are cut to the district, so that year is looked at
# by districts.
set -eu
gridwatch=$1
data=$2
labels=$(dirname "$0")/taipei.toml
lakes=$(mktemp -d "${TMPDIR:-/tmp}/labelled-days.XXXXXX")
trap 'rm -rf "$lakes"' EXIT

load() {
    lake=$1
    shift
    "$gridwatch" grids load "$data/zones_district.geojson.zst" --level district --id CPTID --name TNAME --data-dir "$lakes/$lake" >&2
    if [ "$lake" = villages ]; then
        "$gridwatch" grids load "$data/zones_village.geojson.zst" --level village --id CPTVID --name VNAME --parent TNAME --data-dir "$lakes/$lake" >&2
    fi
    for year in "$@"; do set -- "$@" "$data/hotline1999_$year.csv.zst"; shift; done
    "$gridwatch" replay taipei-hotline "$@" --data-dir "$lakes/$lake" --time-zone Asia/Taipei >&2
}
# The lines of one year: lake, year, then detectors and how often they look.
look() {
    lake=$1 year=$2
    shift 2
    "$gridwatch" backtest --labels "$labels" --from "$year-01-01" --to "$year-12-31" --data-dir "$lakes/$lake" --time-zone Asia/Taipei --format csv "$@" |
        if [ -z "${said:-}" ]; then cat; else tail -n +2; fi
    said=yes
}

load districts 2017
look districts 2017 --job surges --job surges_weekly --job hotspots --job emerging --job clusters --every 4
load villages 2017 2019 2020 2021 2022 2023 2024
for year in 2020 2022 2024; do
    look villages $year --job surges
    look villages $year --job surges_weekly --every 7 --near 4
    look villages $year --job hotspots --job emerging --every 4 --near 4
    look villages $year --job clusters --every 30 --near 4
done
