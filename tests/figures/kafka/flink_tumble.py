#!/usr/bin/env python3
"""Apache Flink SQL over the calls of a topic: parse the JSON, count and average by minute, place and category, and sum the counts up.

flink_tumble.py BROKERS JARS TOPIC PARTITIONS RECORDS_PER_PARTITION

JARS are the connector's and that of zstd, which the connector needs and does not bring, with colons between them.

Reads so many records of each partition, prints one JSON line: what it counted, wall time and processor time of the job. Mini-batches
and object reuse are on, as Flink's documentation recommends for throughput; parallelism is the number of cores. A minute is told ten minutes
after it ended: requests that were on their way together stand in the topic a few minutes out of order, and no record may be late.
"""
import json
import os
import sys
import time


def processor_seconds():
    """Of this process and all below it: Python and the virtual machine with the mini cluster."""
    parents = {}
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat") as file:
                parents[int(process)] = file.read().rsplit(")", 1)[1].split()
        except OSError:
            pass
    ours, new = {os.getpid()}, {os.getpid()}
    while new:
        new = {process for process, fields in parents.items() if int(fields[1]) in new} - ours
        ours |= new
    return sum(int(parents[process][11]) + int(parents[process][12]) for process in ours) / os.sysconf("SC_CLK_TCK")


def main():
    brokers, jars, topic, partitions, records = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    from pyflink.common import Configuration
    from pyflink.table import EnvironmentSettings, TableEnvironment

    settings = {
        "parallelism.default": os.cpu_count(),
        "pipeline.object-reuse": "true",
        "pipeline.jars": ";".join("file://" + os.path.abspath(jar) for jar in jars.split(":")),
        "table.exec.mini-batch.enabled": "true",
        "table.exec.mini-batch.allow-latency": "500 ms",
        "table.exec.mini-batch.size": "10000",
    }
    configuration = Configuration()
    for name, value in settings.items():
        configuration.set_string(name, str(value))
    world = TableEnvironment.create(EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build())
    bounds = ";".join(f"partition:{partition},offset:{records}" for partition in range(partitions))
    world.execute_sql(f"""
        CREATE TABLE calls (
            event_id STRING, source STRING, kind STRING, occurred_at STRING, case_id STRING, channel STRING, category STRING,
            urgency STRING, address STRING, address_id STRING, caller STRING, lon DOUBLE, lat DOUBLE, attributes MAP<STRING, STRING>,
            ts AS TO_TIMESTAMP(occurred_at, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z'''),
            WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE
        ) WITH (
            'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{brokers}', 'format' = 'json',
            'properties.isolation.level' = 'read_committed', 'scan.startup.mode' = 'earliest-offset',
            'scan.bounded.mode' = 'specific-offsets', 'scan.bounded.specific-offsets' = '{bounds}'
        )""")
    before, began = processor_seconds(), time.time()
    # Summed up at the end, so that it shows whether every record was counted.
    counts = world.execute_sql("""
        SELECT SUM(n), COUNT(mean) FROM (
            SELECT window_start, address_id, category, COUNT(*) AS n, AVG(CAST(CHAR_LENGTH(address) AS DOUBLE)) AS mean
            FROM TABLE(TUMBLE(TABLE calls, DESCRIPTOR(ts), INTERVAL '1' MINUTES))
            GROUP BY window_start, window_end, address_id, category)""")
    counted = 0
    with counts.collect() as rows:
        for row in rows:
            counted = row[0]
    wall, processor = time.time() - began, processor_seconds() - before
    if counted != records * partitions:
        sys.exit(f"Flink counted {counted} of {records * partitions} records")
    print(json.dumps({"counted": counted, "wall_s": round(wall, 2), "processor_s": round(processor, 2)}), flush=True)


if __name__ == "__main__":
    main()
