import { expect, test } from "vitest";
import * as questions from "../src/questions.ts";
import { openingView } from "../src/view.ts";

test("a name from the data cannot end its literal", () => {
  const view = { ...openingView(""), category: "o'clock'; DROP TABLE x --" };
  expect(questions.literal("it's")).toBe("'it''s'");
  expect(questions.hotspots(view)).toContain("category = 'o''clock''; DROP TABLE x --'");
  expect(questions.gridRows("G'1")).toContain("grid_id = 'G''1'");
  expect(questions.why("G'1", view, 0)).toContain("why('G''1', 'o''clock''; DROP TABLE x --', TIMESTAMP '1970-01-01T00:00:00.000Z')");
});

test("every statement is one bounded SELECT", () => {
  const view = openingView("");
  const all = [questions.feeds(), questions.volume(), questions.hotGrids(), questions.hotspots(view), questions.hotspots({ ...view, category: "noise" }), questions.categories(), questions.recurrence(view),
    questions.hours("G1", "noise", 0), questions.gridRows("G1"), questions.why("G1", view, 0), questions.quarantine(), questions.quarantineReasons(), questions.grids()];
  for (const statement of all) {
    expect(statement).toMatch(/^(SELECT|WITH)\b/);
    expect(statement).toMatch(/\bLIMIT \d+$/);
    expect(statement).not.toContain(";");
    expect(statement).not.toContain("SELECT *");
  }
});

test("hours are asked for the city, a grid, and a category of it", () => {
  expect(questions.hours(null, "*", 0)).not.toMatch(/grid_id|category/);
  expect(questions.hours("G1", "noise", 0)).toContain("kind IN ('hotline_call', 'grid_report') AND hour >= TIMESTAMP '1970-01-01T00:00:00.000Z' AND grid_id = 'G1' AND category = 'noise'");
});
