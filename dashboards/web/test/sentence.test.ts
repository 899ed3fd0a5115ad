import { expect, test } from "vitest";
import { hotspot, type Hotspot } from "../src/rows.ts";
import { sentence } from "../src/sentence.ts";

function finding(changes: Partial<Hotspot>) {
  const row = hotspot({ category: "*", period: "24h", measure: "count", events: 14, baseline: 18.26, z: 4.6, p: 0.000004, q: 0.0005, n: 123, hot: true });
  return { row: { ...row, ...changes }, neighbours: 8, neighbourShare: 0.92 };
}

test("a hotspot is told with its counts, its odds and the number of grids tested", () => {
  expect(sentence(finding({}), "zh")).toBe(
    "过去 24 小时本格 14 件（往常 18.3 件），与 8 个邻格合看，邻格占 92 %。若件数在全市随机分布，很难出现这样的集中：z = 4.60，p < 0.001，同时检验 123 个网格后 q < 0.001，判为热点。",
  );
  expect(sentence(finding({}), "en")).toContain("z = 4.60, p < 0.001; q < 0.001 over 123 grids. A hotspot.");
});

test("beside an explanation only the verdict is said", () => {
  expect(sentence({ ...finding({}), explained: true }, "en")).toBe("The count is hardly this concentrated by chance: z = 4.60, p < 0.001; q < 0.001 over 123 grids. A hotspot.");
  expect(sentence({ ...finding({}), explained: true }, "zh")).toMatch(/^若件数/);
});

test("warm is not hot while chance may do it", () => {
  expect(sentence(finding({ z: 2.1, p: 0.036, q: 0.21, hot: false }), "zh")).toContain("尚不足以判为热点");
  expect(sentence(finding({ z: 2.1, p: 0.036, q: 0.21, hot: false }), "en")).toContain("no hotspot yet");
});

test("of too few events no verdict is given, however high z is", () => {
  const few = { z: 14, q: 0.0001, hot: false, reason: "too_few_cases" };
  expect(sentence(finding(few), "zh")).toContain("但事件太少，不足以判断是否为热点");
  expect(sentence(finding(few), "en")).toContain("but too few events: cannot say whether it is a hotspot");
});

test("an undefined statistic is told with its reason, never as calm", () => {
  const undefinedRow = { z: null, p: null, q: null, reason: "zero_variance" };
  expect(sentence(finding(undefinedRow), "zh")).toContain("无法判断是否为热点：各网格数值相同");
  expect(sentence(finding({ ...undefinedRow, reason: "new_reason" }), "en")).toContain("Cannot say whether it is a hotspot: new_reason");
});

test("cold, even and excess each have their own words", () => {
  expect(sentence(finding({ z: -2, hot: false }), "en")).toContain("clearly below");
  expect(sentence(finding({ z: 0.3, q: 0.9, hot: false }), "zh")).toContain("没有显著差别");
  expect(sentence(finding({ measure: "excess" }), "zh")).toContain("超出往常的幅度");
});
