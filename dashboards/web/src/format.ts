// Numbers, times and ages in words, in both languages. Pure, so that every case has a test.
import type { Language } from "./view.ts";

export const NONE = "–";

export function count(value: number | null, digits = 0): string {
  if (value === null) return NONE;
  return new Intl.NumberFormat("en-US", { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);
}

export function percent(share: number | null, digits = 1): string {
  return share === null ? NONE : `${(share * 100).toFixed(digits)} %`;
}

export function score(z: number | null): string {
  if (z === null) return NONE;
  return z < 0 ? `−${Math.abs(z).toFixed(2)}` : z.toFixed(2);
}

/** A probability: never shown as 0, because none is. */
export function probability(p: number | null): string {
  if (p === null) return NONE;
  if (p < 0.001) return "<0.001";
  return p < 0.1 ? p.toFixed(3) : p.toFixed(2);
}

/** Two units at most, so that a leader can read it at a glance: "12 min", "5 h 12 min", "3 d 4 h", "7 y 3 mo". */
export function ageWords(seconds: number | null, language: Language): string {
  if (seconds === null) return language === "zh" ? "未知" : "unknown";
  const units = language === "zh" ? ["秒", "分钟", "小时", "天", "个月", "年"] : ["s", "min", "h", "d", "mo", "y"];
  const word = (value: number, unit: number) => `${value} ${units[unit]}`;
  const pair = (large: number, unit: number, small: number, below: number) => (small > 0 ? `${word(large, unit)} ${word(small, below)}` : word(large, unit));
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86_400);
  if (whole < 60) return word(whole, 0);
  if (whole < 600) return pair(Math.floor(whole / 60), 1, whole % 60, 0);
  if (whole < 3600) return word(Math.floor(whole / 60), 1);
  if (days < 1) return pair(Math.floor(whole / 3600), 2, Math.floor((whole % 3600) / 60), 1);
  if (days < 60) return pair(days, 3, Math.floor((whole % 86_400) / 3600), 2);
  // A mean month of 30.44 days is exact enough for words of this size.
  const months = Math.floor(days / 30.4375);
  return months < 24 ? word(months, 4) : pair(Math.floor(months / 12), 5, months % 12, 4);
}

export interface Moment {
  date: string;
  time: string;
  weekday: number;
  hour: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", weekday: "short",
  });
  formats.set(zone, format);
  return format;
}

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** An instant on the city's own calendar and 24-hour clock. */
export function moment(at: number, zone: string): Moment {
  const parts = Object.fromEntries(formatOf(zone).formatToParts(at).map((part) => [part.type, part.value]));
  return {
    date: `${parts["year"]}-${parts["month"]}-${parts["day"]}`,
    time: `${parts["hour"]}:${parts["minute"]}:${parts["second"]}`,
    weekday: WEEKDAYS.indexOf(parts["weekday"] ?? ""),
    hour: Number(parts["hour"]),
  };
}

export function weekdayName(weekday: number, language: Language): string {
  return (language === "zh" ? ["周日", "周一", "周二", "周三", "周四", "周五", "周六"] : WEEKDAYS)[weekday] ?? "";
}

/** "Asia/Taipei (UTC+8)": the zone's name and its offset at that instant. */
export function zoneName(at: number, zone: string): string {
  const part = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "shortOffset" }).formatToParts(at).find(({ type }) => type === "timeZoneName");
  return `${zone} (${(part?.value ?? "UTC").replace("GMT", "UTC")})`;
}

/** A zone the browser knows; an unknown name falls back to UTC, which the clock then shows. */
export function knownZone(zone: string): string {
  try {
    formatOf(zone);
    return zone;
  } catch {
    return "UTC";
  }
}
