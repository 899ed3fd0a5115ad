#!/usr/bin/env python3
"""Apache Flink SQL over the calls of a topic: parse the JSON, count and average by minute, place and category.

flink_tumble.py BROKERS JARS TOPIC PARTITIONS RECORDS_PER_PARTITION [RESULTS]

JARS are the connector's and that of LZ4, which the connector needs and does not bring, with colons between them.

Reads so many records of each partition. The results go to topic RESULTS, exactly once, committed each second; without it they are kept
nowhere and only summed up. Prints one JSON line: what it counted, wall time and processor time of the job. Mini-batches and object reuse
are on, as Flink's documentation recommends for throughput; parallelism is the number of cores. A minute is told an hour after it ended:
requests that were on their way together stand in the topic minutes out of order, and no record may be late.
"""
import json
import os
import sys
import tempfile
import time

TUMBLE = """
    SELECT window_start, address_id, category, COUNT(*) AS n, AVG(CAST(CHAR_LENGTH(address) AS DOUBLE)) AS mean
    FROM TABLE(TUMBLE(TABLE calls, DESCRIPTOR(ts), INTERVAL '1' MINUTES))
    GROUP BY window_start, window_end, address_id, category"""


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


def total(query):
    """The first column of a query's last row: a stream tells a sum again each time it grows."""
    last = 0
    with query.collect() as rows:
        for row in rows:
            last = row[0]
    return last


def main():
    brokers, jars, topic, partitions, records = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    results = sys.argv[6] if len(sys.argv) > 6 else None
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
    checkpoints = tempfile.TemporaryDirectory()
    if results:
        settings["execution.checkpointing.interval"] = "1 s"
        settings["execution.checkpointing.dir"] = "file://" + checkpoints.name
    configuration = Configuration()
    for name, value in settings.items():
        configuration.set_string(name, str(value))
    world = TableEnvironment.create(EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build())
    connection = f"'connector' = 'kafka', 'properties.bootstrap.servers' = '{brokers}', 'format' = 'json'"
    committed = "'properties.isolation.level' = 'read_committed', 'scan.startup.mode' = 'earliest-offset'"
    bounds = ";".join(f"partition:{partition},offset:{records}" for partition in range(partitions))
    world.execute_sql(f"""
        CREATE TABLE calls (
            event_id STRING, source STRING, kind STRING, occurred_at STRING, case_id STRING, channel STRING, category STRING,
            urgency STRING, address STRING, address_id STRING, caller STRING, lon DOUBLE, lat DOUBLE, attributes MAP<STRING, STRING>,
            ts AS TO_TIMESTAMP(occurred_at, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z'''),
            WATERMARK FOR ts AS ts - INTERVAL '1' HOUR
        ) WITH (
            {connection}, 'topic' = '{topic}', {committed},
            'scan.bounded.mode' = 'specific-offsets', 'scan.bounded.specific-offsets' = '{bounds}'
        )""")
    before, began = processor_seconds(), time.time()
    if results:
        columns = "ws TIMESTAMP(3), address_id STRING, category STRING, n BIGINT, mean DOUBLE"
        world.execute_sql(f"""
            CREATE TABLE results ({columns}) WITH (
                {connection}, 'topic' = '{results}', {committed}, 'scan.bounded.mode' = 'latest-offset',
                'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{results}',
                'properties.transaction.timeout.ms' = '600000'
            )""")
        world.execute_sql("INSERT INTO results" + TUMBLE).wait()
    else:
        # Summed up at the end, so that it shows whether every record was counted.
        counted = total(world.execute_sql(f"SELECT SUM(n), COUNT(mean) FROM ({TUMBLE})"))
    wall, processor = time.time() - began, processor_seconds() - before
    if results:
        counted = total(world.execute_sql("SELECT SUM(n) FROM results"))
    if counted != records * partitions:
        sys.exit(f"Flink counted {counted} of {records * partitions} records")
    print(json.dumps({"counted": counted, "wall_s": round(wall, 2), "processor_s": round(processor, 2)}), flush=True)


if __name__ == "__main__":
    main()
