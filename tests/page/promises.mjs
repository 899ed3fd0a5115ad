// What the page promises besides its numbers. The door's absence and age are played by intercepting its answers in the browser, so the
// real server need not be disturbed.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

function must(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

export async function accessible({ page }) {
  // Evaluated by the debugger, which the page's policy does not bind; a script tag would be refused, as it should be.
  await page.evaluate(`${axe}; undefined`);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  must(serious.length === 0, serious.map(({ id, nodes }) => `${id} at ${nodes.slice(0, 3).map(({ target, any }) => `${target} (${any[0]?.message ?? ""})`).join(", ")}`).join(" | "));
  return `${found.passes?.length ?? 0} rules passed, ${found.violations.length} minor findings`;
}

export async function keyboard({ page }) {
  const second = await page.$eval("[data-hotspot]:nth-child(2)", (row) => row.dataset.hotspot).catch(() => null);
  if (second === null) return "skipped: fewer than two hotspots at the moment";
  await page.focus(`[data-key="rank-${second}"]`);
  await page.keyboard.press("Enter");
  await page.waitForFunction((grid) => document.querySelector("[data-panel=detail]").dataset.grid === grid, second);
  const kept = await page.evaluate(() => document.activeElement?.getAttribute("data-key"));
  must(kept === `rank-${second}`, `the focus went to ${kept}`);
  await page.waitForFunction(() => document.querySelector(".sentence").textContent.includes("z = ") || document.querySelector(".sentence").textContent.length > 20);
  await page.keyboard.press("Enter");
  return second;
}

export async function keepsLanguage(visit) {
  const { page } = visit;
  const before = await page.evaluate(() => document.documentElement.lang);
  await page.click("[data-control=language]");
  const after = await page.evaluate(() => document.documentElement.lang);
  must(before !== after, `the language stayed ${before}`);
  await visit.open(visit.url.href);
  must((await page.evaluate(() => document.documentElement.lang)) === after, `${after} was not remembered`);
  // Every word of the page itself has changed; names and categories are the city's own.
  const heads = await page.$$eval("h1, h2, h3, .kpi .label, .pill .state, [data-control]:not(select):not([data-control=language])", (all) => all.map((one) => one.textContent));
  const chinese = heads.filter((text) => /\p{Script=Han}/u.test(text.replace(/^.* · /, "")));
  must((after === "en") === (chinese.length === 0), `${after} page says ${heads.join(", ")}`);
  await page.click("[data-control=language]");
  return `${before} → ${after}`;
}

export async function narrow({ page }) {
  const size = page.viewportSize();
  for (const [width, height] of [[1280, 800], [640, 800]]) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(500);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    must(over <= 0, `${over} pixels too wide at ${width}`);
  }
  await page.setViewportSize(size);
}

/** What a wall and a laptop show of the page, in either language: all of every word, all of the map, and no panel that has to be scrolled. */
export async function whole({ page }) {
  const size = page.viewportSize();
  const found = [];
  for (const [width, height] of [[1920, 1080], [1366, 768]]) {
    await page.setViewportSize({ width, height });
    for (let language = 0; language < 2; language += 1) {
      await page.click("[data-control=language]");
      await page.waitForTimeout(1000);
      const cut = await page.evaluate(cutOff);
      found.push(...cut.map((what) => `${what} at ${width}x${height}, ${language}`));
    }
  }
  await page.setViewportSize(size);
  must(found.length === 0, found.join("; "));
}

/** Runs in the page. */
function cutOff() {
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = element.childElementCount === 0 ? element.textContent.trim() : "";
    // Reasons of quarantine are sentences: they end in dots and are whole in their title. What is unseen is for screen readers.
    if (text === "" || element.closest(".unseen, .refused, select, [hidden]") || getComputedStyle(element).display === "inline") continue;
    if (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 8) found.push(`${element.className || element.tagName} ${JSON.stringify(text.slice(0, 40))}`);
  }
  for (const body of document.querySelectorAll(".panel .body")) {
    if (body.scrollHeight > body.clientHeight + 1) found.push(`panel ${body.parentElement.dataset.panel} hides ${body.scrollHeight - body.clientHeight} pixels`);
  }
  // The ground is not painted, so whatever is painted on the rim of the canvas goes on beyond it.
  const canvas = document.querySelector(".map canvas");
  const { width, height } = canvas;
  const painted = (...area) => canvas.getContext("2d").getImageData(...area).data.some((value, index) => index % 4 === 3 && value > 0);
  const sides = { left: [0, 0, 1, height], right: [width - 1, 0, 1, height], top: [0, 0, width, 1], bottom: [0, height - 1, width, 1] };
  for (const [side, area] of Object.entries(sides)) if (painted(...area)) found.push(`map is cut at its ${side}`);
  return found;
}

/** A lake into which nothing ever came is neither calm nor broken. */
export async function blank({ page }) {
  const seen = await page.evaluate(() => ({
    banner: document.querySelector(".banner:not([hidden])")?.textContent ?? "",
    failed: [...document.querySelectorAll(".failed:not([hidden])")].map((one) => one.textContent),
    numbers: [...document.querySelectorAll("[data-kpi]")].filter(({ dataset }) => dataset.value !== undefined).map(({ dataset }) => dataset.kpi),
    filter: getComputedStyle(document.querySelector("main")).filter,
    green: document.querySelectorAll(".feeds .live").length,
  }));
  must(seen.banner !== "", "nothing says that there is no data");
  must(seen.failed.length === 0, `it is told as a fault: ${seen.failed.join(" | ")}`);
  must(seen.numbers.length === 0 && seen.green === 0, `numbers of nothing: ${seen.numbers.join(", ")}, ${seen.green} live feeds`);
  must(seen.filter.includes("grayscale"), `the picture keeps its colours (${seen.filter})`);
  return seen.banner;
}

const condition = (page) => page.evaluate(() => document.body.dataset.condition);

async function becomes(page, wanted) {
  try {
    await page.waitForFunction((name) => document.body.dataset.condition === name, wanted, { timeout: 40_000 });
  } catch {
    throw new Error(`the page says ${await condition(page)}, not ${wanted}`);
  }
}

async function looksPast(page) {
  const seen = await page.evaluate(() => ({ banner: document.querySelector(".banner").textContent, hidden: document.querySelector(".banner").hidden, veil: document.querySelector(".veil").textContent, filter: getComputedStyle(document.querySelector("main")).filter, green: document.querySelectorAll(".feeds .live").length }));
  must(!seen.hidden && seen.banner !== "" && seen.veil !== "", `banner ${JSON.stringify(seen.banner)}, veil ${JSON.stringify(seen.veil)}`);
  must(seen.filter.includes("grayscale"), `the picture keeps its colours (${seen.filter})`);
  must(seen.green === 0, `${seen.green} feeds are still shown as live`);
  return seen.banner;
}

/** The same answers, twenty minutes older. */
export async function stale({ page }) {
  if ((await condition(page)) === "archive") return "skipped: the page shows an archive";
  const was = await condition(page);
  const older = (text) => text.replace(/"(as_of|last_event_at|last_ingested_at)":\s*"([^"]+)"/g, (_, name, at) => `"${name}":"${new Date(Date.parse(at) - 1_200_000).toISOString()}"`);
  const route = async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: older(await response.text()) });
  };
  await page.route("**/v1/sql", route);
  await becomes(page, "stale");
  const banner = await looksPast(page);
  // An answer may be on its way through the handler.
  await page.unrouteAll({ behavior: "wait" });
  await becomes(page, was);
  return banner;
}

/** Plays an absence, sees that the last numbers stay under a banner, and that the page comes back by itself. */
async function absent(page, answer) {
  const was = await condition(page);
  const numbers = () => page.$$eval("[data-kpi]", (tiles) => tiles.map(({ dataset }) => dataset.value ?? ""));
  const before = await numbers();
  const asked = page.waitForRequest("**/v1/sql");
  await page.route("**/v1/sql", answer);
  await asked;
  // More than a person would wait (HANGING_MS, AWAY_AFTER_SECONDS in the page).
  await page.clock.fastForward(11_000);
  await becomes(page, "away");
  const banner = await looksPast(page);
  const kept = await numbers();
  must(kept.length === before.length && kept.every((value, index) => (value === "") === (before[index] === "")), "the last numbers are gone");
  await page.unroute("**/v1/sql", answer);
  return { banner, back: () => becomes(page, was) };
}

export async function away({ page }) {
  const { banner, back } = await absent(page, (route) => route.abort("connectionrefused"));
  await back();
  return banner;
}

export async function hanging({ page }) {
  const held = [];
  const { banner, back } = await absent(page, (route) => void held.push(route));
  // Taking the interception away may have let some of them go already.
  await Promise.all(held.map((route) => route.abort("connectionreset").catch(() => undefined)));
  await back();
  return banner;
}
