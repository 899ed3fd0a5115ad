// Every word of the page in Chinese and English, side by side, so that none is forgotten in one of them.
import type { Heat } from "./heat.ts";
import type { Language } from "./view.ts";

const WORDS = {
  title: ["城市网格值守", "City grid watch"],
  cityClock: ["数据时间", "Data as of"],
  dataAge: ["数据时差", "Data age"],
  live: ["实时", "Live"],
  stale: ["数据停滞", "Stale"],
  archive: ["历史数据", "Archive"],
  away: ["连接中断", "Disconnected"],
  starting: ["正在连接", "Connecting"],
  empty: ["尚无数据", "No data yet"],
  ago: ["{0}前", "{0} ago"],
  bannerStale: ["数据已停滞 {0}：以下不是现在的情况", "No new data for {0}: this is not the present situation"],
  bannerAllSilent: ["全部数据源静默：以下不是现在的情况", "Every feed is silent: this is not the present situation"],
  bannerArchive: ["历史数据：以下是 {0} 的情况，距今 {1}", "Archive: this is the situation of {0}, {1} ago"],
  bannerAway: ["数据服务无应答，正在重连；以下是 {0}前的最后结果", "The data service does not answer, reconnecting; these are the last results, {0} old"],
  bannerAwayEmpty: ["数据服务无应答，正在重连", "The data service does not answer, reconnecting"],
  bannerEmpty: ["尚未收到任何数据：空白不代表平静。请检查数据源，或用 gridwatch replay 导入历史", "Nothing has come in yet: blank does not mean calm. Check the feeds, or bring in an archive with gridwatch replay"],
  bannerSilent: ["静默数据源：{0}；相关区域的平静不代表无事", "Silent feeds: {0}; calm there does not mean nothing happens"],
  veil: ["非当前情况", "Not current"],
  events24h: ["24 小时事件", "Events, 24 h"],
  hotGrid: ["热点", "hot"],
  hotCount: ["热点网格", "Hot grids"],
  hotExcess: ["比往常热", "Hotter than usual"],
  repeatRate: ["30 天重复率", "Repeats, 30 d"],
  quarantined24h: ["24 小时隔离", "Quarantined, 24 h"],
  ofGrids: ["24 小时 · 共 {0} 格", "24 h · of {0}"],
  ofRecords: ["共收到 {0} 条", "of {0}"],
  ofContacts: ["{0} / {1} 件", "{0} of {1}"],
  unlocated: ["其中未定位 {0}", "{0} unlocated"],
  allLocated: ["电话与上报", "calls and reports"],
  map: ["热点地图", "Hotspot map"],
  measureCount: ["哪里热", "By count"],
  measureExcess: ["哪里比往常热", "Above usual"],
  period24h: ["24 小时", "24 h"],
  period7d: ["7 天", "7 days"],
  measureLabel: ["口径", "Measure"],
  periodLabel: ["时段", "Period"],
  category: ["类别", "Category"],
  allCategories: ["全部类别", "All categories"],
  hotspots: ["热点榜", "Top hotspots"],
  noHotspots: ["没有高于平均的网格", "No grid is above the average"],
  events: ["事件", "Events"],
  usual: ["往常", "Usual"],
  driver: ["主因", "Driven by"],
  repeat: ["重复诉求", "Recurrence"],
  repeatMatter: ["同址同类", "Same matter"],
  repeatCaller: ["同一来电人", "Same caller"],
  repeatMatters: ["重复事项占比", "Repeating matters"],
  repeatVoices: ["每事项声音", "Voices per matter"],
  days: ["{0} 天", "{0} d"],
  leftCensored: ["* 所存历史不足，实际比率可能更高", "* History too short: the true rate may be higher"],
  trend: ["全市事件 · 每小时", "City events per hour"],
  trendNote: ["近 7 天；虚线：往常（前四周同时均值）", "7 days; dashed: usual (4 weeks before)"],
  detail: ["网格详情", "Grid"],
  quiet: ["此网格在该类别与时段内没有事件。", "No events of this category here in this period."],
  followTop: ["跟随榜首", "Follow top"],
  following: ["榜首", "Top"],
  byCategory: ["按类别", "By category"],
  feeds: ["数据源", "Feeds"],
  feedsNote: ["最近事件 · 24 小时到达数", "newest event · arrived in 24 h"],
  noFeeds: ["尚无数据源上报", "No feed has spoken yet"],
  feedLive: ["正常", "live"],
  feedSilent: ["静默", "silent"],
  feedUnknown: ["不明", "unknown"],
  lastEvent: ["最近事件", "Last event"],
  rejected: ["隔离", "Rejected"],
  quarantine: ["隔离原因（累计）", "Quarantine, all time"],
  noQuarantine: ["没有被隔离的记录", "Nothing is quarantined"],
  records: ["条", "records"],
  table: ["表格", "Table"],
  chart: ["图形", "Chart"],
  language: ["English", "中文"],
  fullscreen: ["全屏 (F)", "Full screen (F)"],
  grid: ["网格", "Grid"],
  district: ["上级", "Part of"],
  class: ["等级", "Class"],
  hour: ["时间", "Hour"],
  openHour: ["本小时未完", "hour not over"],
  source: ["来源", "Source"],
  reason: ["原因", "Reason"],
  status: ["状态", "State"],
  waiting: ["等待数据…", "Waiting for data…"],
  noGrids: ["尚未载入网格（gridwatch grids load）", "No grids are loaded yet (gridwatch grids load)"],
  failed: ["此处查询失败：{0}", "This question failed: {0}"],
  z: ["z 值", "z"],
  q: ["q 值", "q"],
  fdrNote: ["白框：判为热点（q < 0.01 且事件数足够），与告警一致", "White frame: hot, as in the alerts (q < 0.01 and enough events)"],
  zoomIn: ["放大", "Zoom in"],
  zoomOut: ["缩小", "Zoom out"],
  mapAlt: ["网格地图，可用表格代替", "Map of the grids; a table is available"],
} as const satisfies Record<string, readonly [string, string]>;

export type Word = keyof typeof WORDS;

/** The word in that language, `{0}`, `{1}` … filled in. */
export function say(word: Word, language: Language, ...values: string[]): string {
  const text: string = WORDS[word][language === "zh" ? 0 : 1];
  return text.replace(/\{(\d)\}/g, (_, index: string) => values[Number(index)] ?? "");
}

const HEATS: Record<Heat, readonly [string, string]> = {
  hot99: ["热 99 %", "Hot 99 %"],
  hot95: ["热 95 %", "Hot 95 %"],
  hot90: ["热 90 %", "Hot 90 %"],
  even: ["无显著", "Not significant"],
  cold: ["偏少", "Cold"],
  unknown: ["无法判断", "Undefined"],
};

export function heatName(heat: Heat, language: Language): string {
  return HEATS[heat][language === "zh" ? 0 : 1];
}

const REASONS: Record<string, readonly [string, string]> = {
  zero_variance: ["各网格数值相同", "all grids have the same value"],
  short_history: ["历史不足 28 天", "less than 28 days of history"],
  too_few_cases: ["事件太少", "too few events"],
  too_few_grids: ["网格太少", "too few grids"],
  incomplete_bin: ["时段尚未结束", "the period is not over yet"],
  missing_value: ["缺少数值", "a value is missing"],
};

/** Why a statistic is undefined; a reason this page does not know is shown by its name. */
export function reasonName(reason: string, language: Language): string {
  return REASONS[reason]?.[language === "zh" ? 0 : 1] ?? reason;
}
