// Opens the duty page in a real browser and holds it to what it promises: its numbers are those of SQL, nothing it shows is foreign or
// inline, it is readable without colour, mouse or Chinese, and it says so when the data is not the present.
//
//   node check.mjs http://127.0.0.1:8420/ [--screenshot page.png] [--size 1920x1080] [--lang zh|en] [--quick]
//
// --quick compares the numbers and takes the picture only. Exit: 0 all held, 1 something did not, 2 usage, 69 no browser or no page.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { launch } from "./browser.mjs";
import { compare, compareList } from "./numbers.mjs";
import { accessible, away, blank, hanging, keepsLanguage, keyboard, narrow, stale, whole } from "./promises.mjs";

const USAGE = "usage: node check.mjs URL [--screenshot FILE] [--size WIDTHxHEIGHT] [--lang zh|en] [--quick]";

function readArguments() {
  const options = { screenshot: { type: "string" }, size: { type: "string", default: "1920x1080" }, lang: { type: "string", default: "zh" }, quick: { type: "boolean", default: false } };
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const [width, height] = values.size.split("x").map(Number);
    if (positionals.length !== 1 || !width || !height) throw new Error("one URL and a size like 1920x1080 are needed");
    return { ...values, url: new URL(positionals[0]), width, height };
  } catch (error) {
    console.error(`${error.message}\n${USAGE}`);
    process.exit(2);
  }
}

async function main() {
  const given = readArguments();
  const executable = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executable)) {
    console.error(`no browser at ${executable}: install Debian's package chromium, or name one in CHROMIUM`);
    process.exit(69);
  }
  const visit = await launch(executable, given);
  const failures = [];
  const step = async (name, work) => {
    const begun = performance.now();
    try {
      const said = await work();
      console.log(`ok    ${name}${said ? `: ${said}` : ""} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failures.push(name);
      console.log(`FAIL  ${name}: ${error.message}`);
    }
  };
  try {
    await visit.open();
  } catch (error) {
    console.error(`the page at ${given.url} did not become ready: ${error.message.split("\n")[0]}\n${visit.complaints.join("\n")}`);
    await visit.close();
    process.exit(69);
  }
  const empty = (await visit.page.evaluate(() => document.body.dataset.condition)) === "empty";
  if (empty) await step("a lake without data is told as such, never calm", () => blank(visit));
  else await step("numbers on the page are those of SQL", () => compare(visit));
  if (given.screenshot) await step("screenshot", () => visit.picture(given.screenshot));
  if (!given.quick) {
    if (!empty) await step("list follows measure, period and category", () => compareList(visit));
    await step("no serious accessibility violation", () => accessible(visit));
    if (!empty) await step("grid is chosen by keyboard alone", () => keyboard(visit));
    await step("language changes and is remembered", () => keepsLanguage(visit));
    if (!empty) await step("nothing is cut on a wall or a laptop, in either language", () => whole(visit));
    await step("no sideways scrolling at 1280 and at 640 pixels", () => narrow(visit));
    if (!empty) await step("old data is grey, never calm", () => stale(visit));
    await step("a door that is away keeps the last picture and says so", () => away(visit));
    await step("a door that hangs is told like one that is away", () => hanging(visit));
  }
  await step("no error, nothing foreign, nothing inline, no markup from data", () => visit.clean());
  await visit.close();
  console.log(failures.length === 0 ? "the page holds what it promises" : `${failures.length} failed: ${failures.join("; ")}`);
  process.exit(failures.length === 0 ? 0 : 1);
}

await main();
