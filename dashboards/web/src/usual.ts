// The hourly curve of the last seven days beside what is usual: the mean of the same hour in the four weeks before it.

export const HOUR_MS = 3_600_000;
const WEEK_HOURS = 168;
export const SHOWN_HOURS = WEEK_HOURS;
const WEEKS = 4;

export interface HourPoint {
  at: number;
  events: number;
  /** Null where the stored history holds fewer than two earlier weeks. */
  usual: number | null;
  /** The hour has not ended yet, so its count is not final. */
  open: boolean;
}

/** The first hour a curve up to `asOf` needs. */
export function since(asOf: number): number {
  return floorHour(asOf) - (SHOWN_HOURS - 1 + WEEKS * WEEK_HOURS) * HOUR_MS;
}

export function floorHour(at: number): number {
  return Math.floor(at / HOUR_MS) * HOUR_MS;
}

/**
 * Spells out the hours without events and finds the usual. `historyFrom` is the city's first stored hour: before it a missing hour
 * means "not recorded", after it "nothing happened".
 */
export function curve(counts: ReadonlyMap<number, number>, asOf: number, historyFrom: number): HourPoint[] {
  const last = floorHour(asOf);
  return Array.from({ length: SHOWN_HOURS }, (_, index) => {
    const at = last - (SHOWN_HOURS - 1 - index) * HOUR_MS;
    const earlier = Array.from({ length: WEEKS }, (_, week) => at - (week + 1) * WEEK_HOURS * HOUR_MS).filter((hour) => hour >= historyFrom);
    const sum = earlier.reduce((total, hour) => total + (counts.get(hour) ?? 0), 0);
    return { at, events: counts.get(at) ?? 0, usual: earlier.length >= 2 ? sum / earlier.length : null, open: at === last };
  });
}
