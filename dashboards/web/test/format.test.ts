import { describe, expect, test } from "vitest";
import { ageWords, count, knownZone, moment, percent, probability, score, weekdayName, zoneName } from "../src/format.ts";

describe("age in words", () => {
  const cases: [number | null, string, string][] = [
    [null, "未知", "unknown"],
    [-3, "0 秒", "0 s"],
    [8.9, "8 秒", "8 s"],
    [60, "1 分钟", "1 min"],
    [103, "1 分钟 43 秒", "1 min 43 s"],
    [599, "9 分钟 59 秒", "9 min 59 s"],
    [725, "12 分钟", "12 min"],
    [3599, "59 分钟", "59 min"],
    [18_720, "5 小时 12 分钟", "5 h 12 min"],
    [86_400, "1 天", "1 d"],
    [3 * 86_400 + 4 * 3600, "3 天 4 小时", "3 d 4 h"],
    [61 * 86_400, "2 个月", "2 mo"],
    [729 * 86_400, "23 个月", "23 mo"],
    [731 * 86_400, "2 年", "2 y"],
    [2650 * 86_400, "7 年 3 个月", "7 y 3 mo"],
  ];
  test.each(cases)("of %s s is %s or %s", (seconds, zh, en) => {
    expect([ageWords(seconds, "zh"), ageWords(seconds, "en")]).toEqual([zh, en]);
  });
});

test("what is not known is a dash, never 0", () => {
  expect([count(null), percent(null), score(null), probability(null)]).toEqual(["–", "–", "–", "–"]);
  expect([count(0), percent(0), score(0)]).toEqual(["0", "0.0 %", "0.00"]);
});

test("numbers have thousands separators, and a minus that is a minus", () => {
  expect([count(1234567), count(18.26, 1), percent(0.13678), score(-2.346)]).toEqual(["1,234,567", "18.3", "13.7 %", "−2.35"]);
});

test("no probability is shown as nought", () => {
  expect([probability(0), probability(0.0004), probability(0.0123), probability(0.35)]).toEqual(["<0.001", "<0.001", "0.012", "0.35"]);
});

test("the clock runs 24 hours in the city's own zone, and midnight is 00", () => {
  const at = Date.parse("2026-11-21T16:00:05Z");
  expect(moment(at, "Asia/Taipei")).toEqual({ date: "2026-11-22", time: "00:00:05", weekday: 0, hour: 0 });
  expect(moment(at, "UTC")).toEqual({ date: "2026-11-21", time: "16:00:05", weekday: 6, hour: 16 });
  expect([weekdayName(0, "zh"), weekdayName(6, "en")]).toEqual(["周日", "Sat"]);
});

test("the zone is named with the offset of that day", () => {
  expect(zoneName(Date.parse("2026-01-01T00:00:00Z"), "Asia/Shanghai")).toBe("Asia/Shanghai (UTC+8)");
  expect(zoneName(Date.parse("2026-07-01T00:00:00Z"), "Europe/Berlin")).toBe("Europe/Berlin (UTC+2)");
});

test("an unknown zone becomes UTC instead of an error", () => {
  expect([knownZone("Mars/Base"), knownZone("Asia/Taipei")]).toEqual(["UTC", "Asia/Taipei"]);
});
