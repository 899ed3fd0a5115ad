"""Reads a lake with the PyPI packages deltalake, duckdb and polars and says what it holds; none of gridwatch's code is used.

usage: check.py LAKE [--acked FILE] [--order SOURCE] [--hash]

--acked FILE   one `source<TAB>event_id` a line: what a sender was told is durable
--order SOURCE within each key of that source `value` must grow with the offset, in one partition
--hash         a hash of what the tables say, whatever the order of rows and files

Prints one JSON object. `broken` lists every rule that does not hold; exit 1 if there is one.
"""

import argparse
import hashlib
import json
import pathlib
import sys

import deltalake
import duckdb
import polars

# What a table says, leaving out when and through which file it came.
CONTENT = """event_id, source, kind, occurred_at, received_at, case_id, device_id, stage, channel, request_kind, category, urgency, unit_id,
    observed_property, value, value_unit, address, address_id, caller, lon, lat, grid_id, deadline_at, attributes, disposition, revision"""


def relation(db, lake, name):
    table = deltalake.DeltaTable(str(lake / name))
    files = table.file_uris()
    if files:
        db.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({files!r}, hive_partitioning = true, hive_types_autocast = false)")
    return table, len(files)


def number(db, sql):
    return db.execute(sql).fetchone()[0]


def digest(db, sql):
    rows = sorted(str(row) for row in db.execute(sql).fetchall())
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lake", type=pathlib.Path)
    parser.add_argument("--acked", type=pathlib.Path)
    parser.add_argument("--order")
    parser.add_argument("--hash", action="store_true")
    arguments = parser.parse_args()
    lake = arguments.lake.resolve()
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    table, files = relation(db, lake, "records")
    _, cell_files = relation(db, lake, "cells")
    broken = []
    said = {"version": table.version(), "files": files, "cell_files": cell_files}

    dispositions = dict(db.execute("SELECT disposition, count(*) FROM records GROUP BY 1 ORDER BY 1").fetchall())
    said["dispositions"] = dispositions
    rows = number(db, "SELECT count(*) FROM records")
    said["rows"] = rows
    if (found := polars.scan_delta(str(lake / "records")).select(polars.len()).collect().item()) != rows:
        broken.append(f"polars reads {found} rows, duckdb {rows}")

    if twice := number(db, "SELECT count(*) FROM (SELECT 1 FROM records GROUP BY log_topic, log_partition, log_offset HAVING count(*) > 1)"):
        broken.append(f"{twice} records of the log are several rows")
    if twice := number(db, "SELECT count(*) FROM (SELECT 1 FROM records WHERE disposition = 'accepted' GROUP BY source, event_id, revision HAVING count(*) > 1)"):
        broken.append(f"{twice} ids are accepted twice")
    # Offsets at which no record stands (markers of transactions, what was aborted) are counted in the table's own log.
    said["gaps"] = 0
    for topic, partition, count in db.execute("SELECT log_topic, log_partition, count(*) FROM records GROUP BY 1, 2").fetchall():
        reached = table.transaction_version(f"{topic}/{partition}") or 0
        skipped = table.transaction_version(f"skipped/{topic}/{partition}") or 0
        said["gaps"] += skipped
        if reached != count + skipped:
            broken.append(f"{topic}/{partition}: {count} rows and {skipped} gaps do not make its {reached} offsets")
    differing = """
        WITH newest AS (SELECT *, row_number() OVER (PARTITION BY source, event_id ORDER BY revision DESC) AS nth FROM records WHERE disposition = 'accepted'),
        sides AS (
            SELECT grid_id, category, source, kind, date_trunc('hour', occurred_at) AS hour, 1 AS counted, 0 AS kept FROM newest WHERE nth = 1
            UNION ALL SELECT grid_id, category, source, kind, hour, 0, events FROM cells)
        SELECT count(*) FROM (SELECT 1 FROM sides GROUP BY ALL HAVING sum(counted) <> sum(kept))"""
    differing = differing.replace("GROUP BY ALL", "GROUP BY grid_id, category, source, kind, hour")
    if cells := number(db, differing):
        broken.append(f"{cells} cells differ from their recomputation")

    if arguments.acked:
        acked = [tuple(line.split("\t")) for line in arguments.acked.read_text().splitlines() if "\t" in line]
        db.execute("CREATE TABLE acked (source VARCHAR, event_id VARCHAR)")
        for start in range(0, len(acked), 10_000):
            part = acked[start:start + 10_000]
            db.execute("INSERT INTO acked SELECT unnest(?), unnest(?)", [[row[0] for row in part], [row[1] for row in part]])
        said["acked"] = len(set(acked))
        lost = number(db, "SELECT count(*) FROM (SELECT DISTINCT * FROM acked) a ANTI JOIN records r ON r.source = a.source AND r.event_id = a.event_id AND r.disposition = 'accepted'")
        if lost:
            broken.append(f"{lost} acknowledged events are not in the lake")
    if arguments.order:
        keyed = """
            SELECT coalesce(device_id, case_id) AS key, log_topic, log_partition, value,
                lag(value) OVER (PARTITION BY log_topic, coalesce(device_id, case_id) ORDER BY log_partition, log_offset) AS before
            FROM records WHERE source = ? AND disposition = 'accepted' AND coalesce(device_id, case_id) IS NOT NULL"""
        db.execute(f"CREATE TABLE keyed AS {keyed}", [arguments.order])
        said["keys"] = number(db, "SELECT count(*) FROM (SELECT DISTINCT log_topic, key FROM keyed)")
        if swapped := number(db, "SELECT count(*) FROM keyed WHERE before >= value"):
            broken.append(f"{swapped} events came before their predecessors of the same key")
        if split := number(db, "SELECT count(*) FROM (SELECT 1 FROM keyed GROUP BY log_topic, key HAVING count(DISTINCT log_partition) > 1)"):
            broken.append(f"{split} keys are in several partitions")
    if arguments.hash:
        said["hash"] = {
            "records": digest(db, f"SELECT {CONTENT} FROM records WHERE disposition = 'accepted'"),
            "cells": digest(db, "SELECT grid_id, category, source, kind, hour, sum(events), sum(voices) FROM cells GROUP BY 1, 2, 3, 4, 5 HAVING sum(events) <> 0"),
        }
    said["broken"] = broken
    print(json.dumps(said, default=str))
    sys.exit(1 if broken else 0)


main()
