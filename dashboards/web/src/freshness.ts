// Decides whether what is on the screen may be taken for the present: the one rule that keeps a calm map off a dead feed.
import type { Feed } from "./rows.ts";

/**
 * - `starting`: no answer yet.
 * - `empty`: the door answers, and nothing has ever come in. Nobody may take that for a calm city.
 * - `live`: the newest event is at most two minutes old.
 * - `stale`: it is older although the feeds deliver the present, or every feed is silent.
 * - `archive`: the feeds deliver the past (a replay of an earlier year); its age is no fault.
 * - `away`: the door does not answer; what is shown is the last good answer.
 */
export type Condition = "starting" | "empty" | "live" | "stale" | "archive" | "away";

export interface Freshness {
  condition: Condition;
  /** Seconds between the city's clock (watermark) and now; null before the first answer. */
  ageSeconds: number | null;
  /** Seconds since the door last answered. */
  answerAgeSeconds: number | null;
  silent: string[];
  allSilent: boolean;
}

export interface Sight {
  /** The server's clock now, in ms. */
  now: number;
  asOf: number | null;
  lastAnswerAt: number | null;
  /** The newest attempt failed. */
  failing: boolean;
  feeds: Feed[];
}

export const STALE_AFTER_SECONDS = 120;

/** A restart of the door takes a second or two: only a longer absence is told. */
export const AWAY_AFTER_SECONDS = 10;

/** Data that was older than this when it was taken in is history: no working feed delivers two days late. */
const ARCHIVE_LAG_MS = 48 * 3600 * 1000;

/** Where nobody knows any more when the data came in, a month without any event is no outage that a wall still has to announce. */
const ARCHIVE_AGE_MS = 30 * 24 * 3600 * 1000;

/** Whether the feed that sets the city's clock brings history: its newest event was old already when it came in. */
export function deliversHistory(feeds: Feed[], now: number): boolean {
  const newest = feeds.reduce<Feed | null>((best, feed) => ((feed.lastEventAt ?? -Infinity) > (best?.lastEventAt ?? -Infinity) ? feed : best), null);
  if (newest?.lastEventAt == null) return false;
  if (newest.lastIngestedAt === null) return now - newest.lastEventAt > ARCHIVE_AGE_MS;
  return newest.lastIngestedAt - newest.lastEventAt > ARCHIVE_LAG_MS;
}

function seconds(from: number | null, now: number): number | null {
  return from === null ? null : Math.max(0, (now - from) / 1000);
}

export function freshness(sight: Sight): Freshness {
  const ageSeconds = seconds(sight.asOf, sight.now);
  const answerAgeSeconds = seconds(sight.lastAnswerAt, sight.now);
  const silent = sight.feeds.filter((feed) => !feed.live).map((feed) => feed.source);
  const allSilent = sight.feeds.length > 0 && silent.length === sight.feeds.length;
  return { condition: conditionOf(sight, ageSeconds, answerAgeSeconds, allSilent), ageSeconds, answerAgeSeconds, silent, allSilent };
}

function conditionOf(sight: Sight, age: number | null, answerAge: number | null, allSilent: boolean): Condition {
  if (answerAge === null) return sight.failing ? "away" : "starting";
  if (sight.failing && answerAge > AWAY_AFTER_SECONDS) return "away";
  if (age === null) return "empty";
  if (deliversHistory(sight.feeds, sight.now)) return "archive";
  return age > STALE_AFTER_SECONDS || allSilent ? "stale" : "live";
}
