// What Gi* says of one grid, as one honest sentence: what was counted, how unusual it is, and whether that survives testing all grids.
import { count, percent, probability, score } from "./format.ts";
import { heatOf } from "./heat.ts";
import type { Hotspot } from "./rows.ts";
import { reasonName } from "./text.ts";
import type { Language } from "./view.ts";

export interface Finding {
  row: Hotspot;
  neighbours: number;
  neighbourShare: number | null;
  /** The counts stand in an explanation below: only the verdict is said. */
  explained?: boolean;
}

export function sentence(finding: Finding, language: Language): string {
  return (language === "zh" ? inChinese(finding) : inEnglish(finding)).trim();
}

function inChinese({ row, neighbours, neighbourShare, explained }: Finding): string {
  const period = row.period === "7d" ? "7 天" : "24 小时";
  const usual = row.baseline === null ? "" : `（往常 ${count(row.baseline, 1)} 件）`;
  const facts = explained ? "" : `过去 ${period}本格 ${count(row.events)} 件${usual}，与 ${neighbours} 个邻格合看，邻格占 ${percent(neighbourShare, 0)}。`;
  if (row.z === null) return `${facts}无法判断是否为热点：${reasonName(row.reason, "zh") || "没有统计量"}。`;
  const what = row.measure === "excess" ? "超出往常的幅度" : "件数";
  const numbers = `z = ${score(row.z)}，p ${equal(row.p)}，同时检验 ${count(row.n)} 个网格后 q ${equal(row.q)}`;
  if (row.hot) return `${facts}若${what}在全市随机分布，很难出现这样的集中：${numbers}，判为热点。`;
  const heat = heatOf(row.z);
  if (heat === "cold") return `${facts}${what}明显低于全市一般水平：${numbers}。`;
  if (heat === "even") return `${facts}${what}与随机分布没有显著差别：${numbers}。`;
  if (row.reason !== "") return `${facts}单看偏热（${numbers}），但${reasonName(row.reason, "zh")}，不足以判断是否为热点。`;
  return `${facts}单看偏热，但 ${numbers}，尚不足以判为热点，宜留意。`;
}

function inEnglish({ row, neighbours, neighbourShare, explained }: Finding): string {
  const period = row.period === "7d" ? "7 days" : "24 hours";
  const usual = row.baseline === null ? "" : ` (usually ${count(row.baseline, 1)})`;
  const facts = explained ? "" : `${count(row.events)} events in ${period}${usual}; of all events here and in its ${neighbours} neighbours, ${percent(neighbourShare, 0)} lie in the neighbours.`;
  if (row.z === null) return `${facts} Cannot say whether it is a hotspot: ${reasonName(row.reason, "en") || "no statistic"}.`;
  const what = row.measure === "excess" ? "The excess over the usual" : "The count";
  const numbers = `z = ${score(row.z)}, p ${equal(row.p)}; q ${equal(row.q)} over ${count(row.n)} grids`;
  if (row.hot) return `${facts} ${what} is hardly this concentrated by chance: ${numbers}. A hotspot.`;
  const heat = heatOf(row.z);
  if (heat === "cold") return `${facts} ${what} is clearly below the city's level: ${numbers}.`;
  if (heat === "even") return `${facts} ${what} does not differ from chance: ${numbers}.`;
  if (row.reason !== "") return `${facts} Warm by itself (${numbers}), but ${reasonName(row.reason, "en")}: cannot say whether it is a hotspot.`;
  return `${facts} Warm by itself (${numbers}), which chance may do: no hotspot yet, worth a look.`;
}

function equal(p: number | null): string {
  const text = probability(p);
  return text.startsWith("<") ? `< ${text.slice(1)}` : `= ${text}`;
}
