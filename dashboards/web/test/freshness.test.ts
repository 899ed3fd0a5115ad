import { describe, expect, test } from "vitest";
import { freshness, type Sight } from "../src/freshness.ts";
import type { Feed } from "../src/rows.ts";

const NOW = Date.parse("2026-11-22T06:00:00Z");
const ago = (seconds: number) => NOW - seconds * 1000;
const YEARS = 7 * 365 * 86_400;

function feed(changes: Partial<Feed> = {}): Feed {
  return { source: "hotline", lastEventAt: ago(10), lastIngestedAt: ago(8), events24h: 1, records24h: 1, rejected24h: 0, live: true, ...changes };
}

function seen(changes: Partial<Sight> = {}) {
  return freshness({ now: NOW, asOf: ago(10), lastAnswerAt: ago(1), failing: false, feeds: [feed()], ...changes });
}

describe("the picture may be taken for the present", () => {
  test("while the newest event is at most two minutes old", () => {
    expect(seen({ asOf: ago(120) })).toMatchObject({ condition: "live", ageSeconds: 120 });
    expect(seen({ asOf: ago(121) }).condition).toBe("stale");
  });

  test("but not when every feed is silent, however young the clock", () => {
    expect(seen({ feeds: [feed({ live: false })] })).toMatchObject({ condition: "stale", allSilent: true });
  });

  test("and one silent feed among others is named", () => {
    expect(seen({ feeds: [feed(), feed({ source: "water", live: false })] })).toMatchObject({ condition: "live", silent: ["water"], allSilent: false });
  });
});

describe("old data", () => {
  test("that was old when it came in is an archive, not an alarm", () => {
    const feeds = [feed({ lastEventAt: ago(YEARS), lastIngestedAt: ago(30) })];
    expect(seen({ asOf: ago(YEARS), feeds }).condition).toBe("archive");
  });

  test("that was fresh when it came in is a dead feed, even after years", () => {
    const feeds = [feed({ lastEventAt: ago(YEARS), lastIngestedAt: ago(YEARS - 5) })];
    expect(seen({ asOf: ago(YEARS), feeds }).condition).toBe("stale");
  });

  test("of which nobody knows when it came in is an archive after a month, a dead feed before", () => {
    const unknown = (days: number) => ({ asOf: ago(days * 86_400), feeds: [feed({ lastEventAt: ago(days * 86_400), lastIngestedAt: null, live: false })] });
    expect(seen(unknown(31)).condition).toBe("archive");
    expect(seen(unknown(29)).condition).toBe("stale");
  });

  test("beside a live feed does not make an archive", () => {
    const feeds = [feed({ lastEventAt: ago(YEARS), lastIngestedAt: ago(30) }), feed({ source: "sensors" })];
    expect(seen({ feeds }).condition).toBe("live");
  });
});

describe("a door that does not answer", () => {
  test("is not mentioned while it restarts", () => {
    expect(seen({ failing: true, lastAnswerAt: ago(9) }).condition).toBe("live");
  });

  test("makes the picture the past after ten seconds, archive or not", () => {
    expect(seen({ failing: true, lastAnswerAt: ago(11) })).toMatchObject({ condition: "away", answerAgeSeconds: 11 });
  });

  test("is away at once where nothing was known before", () => {
    expect(seen({ failing: true, lastAnswerAt: null, asOf: null, feeds: [] }).condition).toBe("away");
    expect(seen({ lastAnswerAt: null, asOf: null, feeds: [] }).condition).toBe("starting");
  });
});

test("a door that answers and knows of no event has nothing to show, which is not calm", () => {
  expect(seen({ asOf: null, feeds: [] })).toMatchObject({ condition: "empty", ageSeconds: null });
});

test("a clock that runs ahead makes no negative age", () => {
  expect(seen({ asOf: NOW + 5000 }).ageSeconds).toBe(0);
});
