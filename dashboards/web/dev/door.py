"""An invented SQL door for work on the page: the tables the page asks, filled with an invented city, behind DataFusion's Python package.

    pip install datafusion
    python dev/door.py --port 8499 --mode live      # or stale, silent, archive; --hostile puts markup into names

The dialect is the real one, so a statement that works here is one the real door understands. Numbers are invented; Gi* and
Benjamini-Hochberg are computed from them, so that map, list and sentence agree as they do in the product.
"""

import argparse
import functools
import itertools
import json
import math
import random
import threading
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

import pyarrow as pa
from datafusion import SessionContext

CATEGORIES = ["噪音扰民", "占道经营", "垃圾倾倒", "乱停乱放", "餐饮油烟", "交通拥堵", "线路蜘蛛网"]
WEIGHTS = [1.0, 0.9, 0.7, 1.1, 0.5, 0.6, 0.2]
DISTRICTS = [("城东区", "Chengdong"), ("湖滨区", "Hubin"), ("钟楼区", "Zhonglou"), ("南桥区", "Nanqiao"), ("云山区", "Yunshan"), ("河西区", "Hexi")]
FIRST, SECOND = "梧桐柳竹松荷兰桂枫杏", "园台桥亭塘坊巷溪湾屯岭营井"
FIRST_EN = "Wu Tong Liu Zhu Song He Lan Gui Feng Xing".split()
SECOND_EN = "yuan tai qiao ting tang fang xiang xi wan tun ling ying jing".split()
COLUMNS, ROWS = 13, 11
DAYS = 36
PERIODS = (("24h", 24), ("7d", 168))
ZONE = timezone(timedelta(hours=8))
US = pa.timestamp("us", tz="UTC")


class City:
    """Grids with shared corners, so that neighbours really touch."""

    def __init__(self, hostile):
        dice = random.Random(7)
        corner = {(c, r): (120.55 + c * 0.016 + dice.uniform(-0.005, 0.005), 31.25 + r * 0.0135 + dice.uniform(-0.0042, 0.0042))
                  for c in range(COLUMNS + 1) for r in range(ROWS + 1)}
        self.grids, self.features = [], []
        places = [(c, r) for c in range(COLUMNS) for r in range(ROWS) if ((c - 6) / 6.9) ** 2 + ((r - 5) / 5.9) ** 2 <= 1]
        names = [(a + b + "里", f"{ae}{be} Village") for a, ae in zip(FIRST, FIRST_EN) for b, be in zip(SECOND, SECOND_EN)]
        dice.shuffle(names)
        for number, (c, r) in enumerate(places):
            ring = [corner[c, r], corner[c + 1, r], corner[c + 1, r + 1], corner[c, r + 1], corner[c, r]]
            district = min(5, (c * 3 // COLUMNS) + 3 * (r * 2 // ROWS))
            zh, en = names[number]
            if hostile and number == 60:
                zh = en = "<img src=x onerror=window.broken=1>"
            grid = {"grid_id": f"G{number:03d}", "place": (c, r), "name_zh": zh, "name_en": en, "parent": f"D{district}",
                    "population": dice.randint(1800, 9000), "lon": sum(p[0] for p in ring[:4]) / 4, "lat": sum(p[1] for p in ring[:4]) / 4}
            self.grids.append(grid)
            self.features.append({"type": "Feature", "properties": {k: grid[k] for k in ("grid_id", "name_zh", "name_en", "parent")},
                                  "geometry": {"type": "Polygon", "coordinates": [[list(p) for p in ring]]}})
        by_place = {g["place"]: g for g in self.grids}
        for grid in self.grids:
            c, r = grid["place"]
            near = [(c + i, r + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
            grid["neighbours"] = [by_place[p]["grid_id"] for p in near if p in by_place]


def poisson(dice, mean):
    if mean <= 0:
        return 0
    limit, product, count = math.exp(-mean), dice.random(), 0
    while product > limit:
        product *= dice.random()
        count += 1
    return count


def rate(grid, index, at):
    """Expected events of a grid and category in the hour that begins at `at`."""
    c, r = grid["place"]
    local = at.astimezone(ZONE)
    day = 0.35 + 0.65 * max(0.0, math.sin((local.hour - 5) / 19 * math.pi)) if local.hour >= 5 else 0.12
    week = 0.8 if local.weekday() >= 5 else 1.0
    center = math.exp(-((c - 6) ** 2 + (r - 5) ** 2) / 26)
    return 0.11 * WEIGHTS[index] * day * week * (0.35 + 1.5 * center) * (0.6 + grid["population"] / 9000)


def episode(grid, index, hours_ago):
    """How much more is going on: a noise surge in the last day, rubbish all week, a market that is always there."""
    c, r = grid["place"]
    if index == 0 and abs(c - 9) <= 1 and abs(r - 7) <= 0 and hours_ago < 30:
        return 1.1
    if index == 2 and abs(c - 3) <= 1 and abs(r - 3) <= 1 and hours_ago < 150:
        return 0.3
    if index == 1 and (c, r) in ((6, 5), (6, 4), (7, 5)):
        return 0.5
    return 0.0


def cells(city, as_of):
    last = as_of.replace(minute=0, second=0, microsecond=0)
    return history(city, last) + hours_of(city, last, range(1), (as_of - last).seconds / 3600)


@functools.lru_cache(maxsize=2)
def history(city, last):
    """The full hours before `last`: most of the work, so it is done once an hour."""
    return hours_of(city, last, range(1, DAYS * 24), 1.0)


def hours_of(city, last, backs, part):
    dice = random.Random(11)
    rows = []
    for back in backs:
        hour = last - timedelta(hours=back)
        for grid in city.grids:
            for index, category in enumerate(CATEGORIES):
                count = poisson(dice, part * (rate(grid, index, hour) + episode(grid, index, back) * (0.4 + 0.6 * (hour.astimezone(ZONE).hour > 6))))
                if count:
                    rows.append((grid["grid_id"], category, "field-reports" if index == 5 else "hotline", "hotline_call", hour, count))
    return rows


def gi_star(city, values):
    ids = [g["grid_id"] for g in city.grids]
    xs = [values.get(i) for i in ids]
    known = [x for x in xs if x is not None]
    n = len(known)
    mean = sum(known) / n
    spread = math.sqrt(max(0.0, sum(x * x for x in known) / n - mean * mean))
    out = {}
    for grid in city.grids:
        own = [grid["grid_id"], *grid["neighbours"]]
        w = len(own)
        if spread == 0:
            out[grid["grid_id"]] = (None, None, "zero_variance")
            continue
        z = (sum(values[i] for i in own) - mean * w) / (spread * math.sqrt((n * w - w * w) / (n - 1)))
        out[grid["grid_id"]] = (z, math.erfc(abs(z) / math.sqrt(2)), None)
    return out, n


def fdr(ps):
    known = sorted((p, key) for key, p in ps.items() if p is not None)
    out, least, m = dict.fromkeys(ps), 1.0, len(known)
    for rank in range(m, 0, -1):
        p, key = known[rank - 1]
        least = min(least, p * m / rank)
        out[key] = least
    return out


def sums(rows, as_of):
    """Events and usual events by (category, period) and grid, in one pass over the cells."""
    last = as_of.replace(minute=0, second=0, microsecond=0)
    events, base = defaultdict(lambda: defaultdict(int)), defaultdict(lambda: defaultdict(float))
    for grid_id, category, _, _, hour, count in rows:
        ago = (last - hour).total_seconds() / 3600
        for period, hours in PERIODS:
            for key in ((category, period), ("*", period)):
                if ago < hours:
                    events[key][grid_id] += count
                elif ago < 28 * 24 + hours:
                    base[key][grid_id] += count * hours / (28 * 24)
    return events, base


def hotspots(city, rows, as_of, version):
    out = []
    all_events, all_base = sums(rows, as_of)
    for category, (period, _) in itertools.product(["*", *CATEGORIES], PERIODS):
        events, base = all_events[category, period], all_base[category, period]
        for measure in ("count", "excess"):
            ids = [grid["grid_id"] for grid in city.grids]
            values = {i: float(events[i]) if measure == "count" else (events[i] - base[i]) / math.sqrt(base[i] + 0.5) for i in ids}
            result, n = gi_star(city, values)
            q = fdr({i: p for i, (_, p, _) in result.items()})
            for i, (z, p, reason) in result.items():
                if category == CATEGORIES[6] and measure == "excess":
                    z, p, reason = None, None, "short_history"
                if category != "*" and events[i] == 0 and not (z is not None and q[i] < 0.05):
                    continue
                out.append((as_of, version, i, category, period, measure, events[i], base[i], values[i], z, p, None if z is None else q[i], n, reason))
    return out


class Door:
    def __init__(self, mode, hostile):
        self.city, self.mode, self.lock, self.version, self.built = City(hostile), mode, threading.Lock(), 100, None
        self.context = None

    def as_of(self, now):
        if self.mode == "archive":
            return datetime(2019, 8, 21, 9, 14, 37, tzinfo=timezone.utc)
        return now - timedelta(minutes=14) if self.mode == "stale" else now - timedelta(seconds=3)

    def refreshed(self):
        """Builds the tables again when they are older than forty seconds, as a live city does; others stand still."""
        now = datetime.now(timezone.utc)
        if self.built and (self.mode in ("archive", "stale") or now - self.built < timedelta(seconds=40)):
            return self.context
        self.built, self.version = now, self.version + 7
        as_of = self.as_of(now)
        context = SessionContext()
        context.sql("CREATE SCHEMA jobs").collect()
        context.sql("CREATE SCHEMA system").collect()
        for name, table in self.tables(as_of, now).items():
            context.from_arrow(table, f"raw_{name.replace('.', '_')}")
            context.sql(f"CREATE TABLE {name} AS SELECT * FROM raw_{name.replace('.', '_')}").collect()
        self.context, self.cut = context, {"table_version": self.version, "as_of": text(as_of)}
        return context

    def tables(self, as_of, now):
        rows = cells(self.city, as_of)
        grids = self.city.grids
        parents = [(f"D{i}", zh, en, "district", None, None, []) for i, (zh, en) in enumerate(DISTRICTS)]
        leaves = [(g["grid_id"], g["name_zh"], g["name_en"], "village", g["parent"], g["population"], g["neighbours"]) for g in grids]
        lists = {"neighbours": pa.list_(pa.string()), "population": pa.int64(), "parent": pa.string()}
        day = sum(count for *_, hour, count in rows if as_of - hour < timedelta(hours=24))
        ingested = now if self.mode == "archive" else as_of
        silent_at = as_of - timedelta(hours=5, minutes=12)
        live = "silent" if self.mode in ("stale", "silent") else "live"
        feeds = [("hotline", as_of, ingested, 3.0, day - 61, day - 41, 20, live), ("field-reports", as_of - timedelta(seconds=96), ingested, 99.0, 61, 64, 3, live),
                 ("noise-sensors", as_of - timedelta(seconds=40), ingested, 43.0, 11520, 11522, 2, live), ("water-level", silent_at, silent_at, 18720.0, 902, 902, 0, "silent")]
        quarantine = [("hotline", "shifted_row", ingested)] * 14 + [("hotline", "bad_time", ingested)] * 6 + [("noise-sensors", "bad_number", ingested)] * 2 + [("field-reports", "missing_place", ingested)] * 3
        reasons = [("shifted_row", "The row's columns are shifted or cut.", "该行的列错位或被截断。"), ("bad_time", "A time cannot be read.", "时间无法解析。"),
                   ("bad_number", "A number cannot be read or is not finite.", "数值无法解析或不是有限数。"), ("missing_place", "The event has no place.", "事件没有地点。")]
        return {
            "grids": table(("grid_id", "name_zh", "name_en", "level", "parent", "population", "neighbours"), parents + leaves, lists),
            "cells": table(("grid_id", "category", "source", "kind", "hour", "events"), rows + readings(as_of), {"hour": US}),
            "jobs.volume": volume(rows, as_of, self.version),
            "jobs.hotspots": table(("as_of", "table_version", "grid_id", "category", "period", "measure", "events", "baseline", "value", "z", "p", "q", "n", "reason"),
                                   hotspots(self.city, rows, as_of, self.version), {"as_of": US, "reason": pa.string()}),
            "jobs.feed_health": table(("source", "last_event_at", "last_ingested_at", "age_seconds", "events_24h", "records_24h", "rejected_24h", "status", "reject_rate", "as_of", "table_version"),
                                      [(*f, f[6] / f[5], as_of, self.version) for f in feeds], {"last_event_at": US, "last_ingested_at": US, "as_of": US}),
            "jobs.recurrence": recurrence(as_of, self.version, rows),
            "quarantine": table(("source", "reason", "ingested_at"), quarantine, {"ingested_at": US}),
            "system.quarantine_reasons": table(("reason", "en", "zh"), reasons, {}),
        }


def readings(as_of):
    """Sensor readings stand in `cells` too; who counts them as events is wrong."""
    last = as_of.replace(minute=0, second=0, microsecond=0)
    return [("G060", "noise_level", "noise-sensors", "sensor_event", last - timedelta(hours=back), 480) for back in range(48)]


def volume(rows, as_of, version):
    last = as_of.replace(minute=0, second=0, microsecond=0)
    found = defaultdict(int)
    for grid_id, category, _, _, hour, count in rows:
        if last - hour < timedelta(hours=24):
            found[grid_id, category, hour] += count
            found[grid_id, "*", hour] += count
    found["unlocated", "*", last] = 12
    out = [(as_of, version, *key[:2], "hour", key[2], count) for key, count in found.items()]
    return table(("as_of", "table_version", "grid_id", "category", "bin", "bin_start", "events"), out, {"as_of": US, "bin_start": US})


def recurrence(as_of, version, rows):
    names = ("as_of", "table_version", "key", "category", "days", "contacts", "repeat_contacts", "repeat_rate", "matters", "repeat_matters",
             "repeat_share", "voices_per_matter", "left_censored")
    out = []
    for category in ["*", *CATEGORIES]:
        for key, factor in (("matter", 0.72), ("caller", 0.9)):
            for days, share in ((7, 0.11), (30, 0.19), (90, 0.26)):
                known = min(days, DAYS)
                contacts = sum(r[5] for r in rows if category in ("*", r[1]) and as_of - r[4] < timedelta(days=known)) * days // known
                repeats = int(contacts * share * factor)
                matters = contacts - repeats
                again = int(matters * share * 0.55)
                out.append((as_of, version, key, category, days, contacts, repeats, repeats / contacts if contacts else None, matters, again,
                            again / matters if matters else None, contacts / matters if matters else None, 0 if days < 36 else contacts // 9))
    return table(names, out, {"as_of": US})


def table(names, rows, types):
    columns = list(zip(*rows))
    return pa.table({name: pa.array(columns[i], type=types.get(name)) for i, name in enumerate(names)})


def text(at):
    return at.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def plain(value):
    if isinstance(value, datetime):
        return text(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    door: Door

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path != "/v1/sql":
            return self.answer(404, {"title": "no such path", "detail": self.path, "status": 404})
        try:
            with self.door.lock:
                context = self.door.refreshed()
                frame = context.sql(json.loads(body)["sql"])
                rows = [{k: plain(v) for k, v in row.items()} for batch in frame.collect() for row in batch.to_pylist()]
                columns = [{"name": f.name, "type": str(f.type)} for f in frame.schema()]
            return self.answer(200, {"columns": columns, "rows": rows, "row_count": len(rows), "cut": self.door.cut})
        except Exception as error:
            print(error, flush=True)
            return self.answer(400, {"title": "statement refused", "detail": str(error), "status": 400}, "application/problem+json")

    def do_GET(self):
        if urlparse(self.path).path != "/v1/grids.geojson":
            return self.answer(404, {"title": "no such path", "detail": self.path, "status": 404})
        return self.answer(200, {"type": "FeatureCollection", "features": self.door.city.features}, "application/geo+json")

    def answer(self, status, body, media="application/json"):
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", media)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8499)
    parser.add_argument("--mode", choices=["live", "stale", "silent", "archive"], default="live")
    parser.add_argument("--hostile", action="store_true")
    options = parser.parse_args()
    Handler.door = Door(options.mode, options.hostile)
    print(f"invented door at 127.0.0.1:{options.port}, mode {options.mode}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()
