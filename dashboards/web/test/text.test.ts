import { expect, test } from "vitest";
import { reasonName, say } from "../src/text.ts";

test("places are filled in, in both languages", () => {
  expect(say("ago", "zh", "8 秒")).toBe("8 秒前");
  expect(say("bannerArchive", "en", "2019-08-21 17:14", "7 y")).toBe("Archive: this is the situation of 2019-08-21 17:14, 7 y ago");
});

test("a reason nobody translated is shown by its name", () => {
  expect([reasonName("short_history", "zh"), reasonName("brand_new", "en")]).toEqual(["历史不足 28 天", "brand_new"]);
});
