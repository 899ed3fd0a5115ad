#!/usr/bin/env python3
"""Apache Flink SQL over the calls of a topic: parse the JSON, count and average by minute, place and category, throw the answer away.

flink_tumble.py BROKERS JARS TOPIC PARTITIONS RECORDS_PER_PARTITION

JARS are the connector's and that of zstd, which the connector needs and does not bring, with colons between them.

Reads so many records of each partition, prints one JSON line: what it counted, wall time and processor time of the job. Mini-batches
and object reuse are on, as Flink's documentation recommends for throughput; parallelism is the number of cores.
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
            urgency STRING, address STRING, caller STRING, lon DOUBLE, lat DOUBLE, attributes MAP<STRING, STRING>,
            ts AS TO_TIMESTAMP(occurred_at, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z'''),
            WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
        ) WITH (
            'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{brokers}', 'format' = 'json',
            'properties.isolation.level' = 'read_committed', 'scan.startup.mode' = 'earliest-offset',
            'scan.bounded.mode' = 'specific-offsets', 'scan.bounded.specific-offsets' = '{bounds}'
        )""")
    world.execute_sql("CREATE TABLE nowhere (ws TIMESTAMP(3), lon DOUBLE, lat DOUBLE, category STRING, n BIGINT, mean DOUBLE) "
                      "WITH ('connector' = 'blackhole')")
    before, began = processor_seconds(), time.time()
    world.execute_sql("""
        INSERT INTO nowhere
        SELECT window_start, lon, lat, category, COUNT(*), AVG(CAST(CHAR_LENGTH(address) AS DOUBLE))
        FROM TABLE(TUMBLE(TABLE calls, DESCRIPTOR(ts), INTERVAL '1' MINUTES))
        GROUP BY window_start, window_end, lon, lat, category""").wait()
    print(json.dumps({
        "counted": records * partitions,
        "wall_s": round(time.time() - began, 2),
        "processor_s": round(processor_seconds() - before, 2),
    }), flush=True)


if __name__ == "__main__":
    main()
