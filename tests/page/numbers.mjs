// Compares what the page shows with what SQL says. The statements are written again here, not taken from the page: the same mistake
// would otherwise be made twice.

/** A live city changes while we look: the page is given this many looks at one unchanged answer. */
const LOOKS = 25;
const BETWEEN_MS = 1200;

const HOUR_MS = 3_600_000;

export async function sql(visit, statement) {
  const response = await fetch(new URL("/v1/sql", visit.url), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ sql: statement }) });
  const body = await response.json();
  if (!response.ok) throw new Error(`${body.title}: ${body.detail} (${statement.slice(0, 80)}…)`);
  return body.rows;
}

const number = (value) => (value === null || value === undefined || value === "" ? null : Number(value));

/**
 * Looks until the page shows what SQL says or said since we look: the page asks every few seconds, so on a busy city it is a little
 * behind. A difference that stays is an error that shows both.
 */
async function agree(visit, asked, shown) {
  const said = [];
  let difference = "";
  for (let look = 0; look < LOOKS; look += 1) {
    const expected = await asked();
    said.push(expected);
    const found = await shown();
    if (said.some((answer) => differing(answer, found) === "")) return expected;
    difference = differing(expected, found);
    await visit.page.waitForTimeout(BETWEEN_MS);
  }
  throw new Error(`SQL and page differ: ${difference}`);
}

function differing(expected, found, path = "") {
  if (typeof expected === "number" && typeof found === "number") {
    // Values travel as decimal text, so they are equal up to the last bits.
    return Math.abs(expected - found) <= 1e-9 * Math.max(1, Math.abs(expected)) ? "" : `${path}: ${expected} against ${found}`;
  }
  if (expected !== null && found !== null && typeof expected === "object" && typeof found === "object") {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(found)])) {
      const difference = differing(expected[key], found[key], `${path}/${key}`);
      if (difference !== "") return difference;
    }
    return "";
  }
  return Object.is(expected, found) ? "" : `${path}: ${JSON.stringify(expected)} against ${JSON.stringify(found)}`;
}

async function kpisOfSql(visit) {
  const [feeds] = await sql(visit, "SELECT SUM(rejected_24h) AS rejected FROM jobs.feed_health");
  const hours = await sql(visit, "SELECT bin_start, as_of, SUM(events) AS events FROM jobs.volume WHERE category = '*' AND bin = 'hour' GROUP BY bin_start, as_of");
  const day = hours.filter((row) => Date.parse(row.bin_start) > Math.floor(Date.parse(row.as_of) / HOUR_MS) * HOUR_MS - 24 * HOUR_MS);
  const hot = await sql(visit, "SELECT measure, SUM(CASE WHEN hot THEN 1 ELSE 0 END) AS hot FROM jobs.hotspots WHERE category = '*' AND period = '24h' GROUP BY measure");
  const [repeat] = await sql(visit, `SELECT repeat_rate FROM jobs.recurrence WHERE category = '*' AND "key" = 'matter' AND days = 30`);
  const of = (measure) => number(hot.find((row) => row.measure === measure)?.hot);
  return { events_24h: day.length === 0 ? null : day.reduce((sum, row) => sum + number(row.events), 0), hot_grids: of("count"), hotter_than_usual: of("excess"), repeat_rate_30d: number(repeat?.repeat_rate), quarantined_24h: number(feeds?.rejected) };
}

const kpisOfPage = (visit) =>
  visit.page.$$eval("[data-kpi]", (tiles) => Object.fromEntries(tiles.map((tile) => [tile.dataset.kpi, tile.dataset.value === undefined ? null : Number(tile.dataset.value)])));

/** The words a person reads must say the same as the attribute a test reads. */
async function kpisAsRead(visit) {
  const tiles = await visit.page.$$eval("[data-kpi]", (tiles) => tiles.map((tile) => [tile.dataset.kpi, tile.dataset.value, tile.querySelector("strong").textContent]));
  for (const [name, value, text] of tiles) {
    const read = Number.parseFloat(text.replace(/[^\d.]/g, ""));
    const meant = text.includes("%") ? Number(value) * 100 : Number(value);
    if (value !== undefined && Math.abs(read - meant) > 0.051) throw new Error(`${name} reads ${JSON.stringify(text)} but means ${value}`);
  }
}

async function feedsOfSql(visit) {
  const rows = await sql(visit, "SELECT source, status, events_24h, rejected_24h FROM jobs.feed_health");
  return Object.fromEntries(rows.map((row) => [row.source, { status: row.status, events: number(row.events_24h), rejected: number(row.rejected_24h) }]));
}

const feedsOfPage = (visit) =>
  visit.page.$$eval("[data-feed]", (rows) => Object.fromEntries(rows.map(({ dataset }) => [dataset.feed, { status: dataset.status, events: Number(dataset["events-24h"]), rejected: Number(dataset["rejected-24h"]) }])));

async function repeatsOfSql(visit) {
  const rows = await sql(visit, `SELECT "key", days, contacts, repeat_contacts, repeat_rate, matters, repeat_matters, repeat_share FROM jobs.recurrence WHERE category = '*'`);
  const cells = {};
  for (const row of rows) {
    cells[`${row.key}-rate-${row.days}`] = { share: number(row.repeat_rate), part: number(row.repeat_contacts), whole: number(row.contacts) };
    if (row.key === "matter") cells[`matter-share-${row.days}`] = { share: number(row.repeat_share), part: number(row.repeat_matters), whole: number(row.matters) };
  }
  return cells;
}

const repeatsOfPage = (visit) =>
  visit.page.$$eval("[data-repeat]", (cells) => {
    const read = (text) => (text === undefined ? null : Number(text));
    return Object.fromEntries(cells.map(({ dataset }) => [dataset.repeat, { share: read(dataset.share), part: read(dataset.part), whole: read(dataset.whole) }]));
  });

async function quarantineOfSql(visit) {
  const rows = await sql(visit, "SELECT source, reason, COUNT(*) AS records FROM quarantine GROUP BY source, reason ORDER BY records DESC, source, reason LIMIT 3");
  return Object.fromEntries(rows.map((row) => [`${row.source}/${row.reason}`, number(row.records)]));
}

const quarantineOfPage = (visit) => visit.page.$$eval("[data-quarantine]", (rows) => Object.fromEntries(rows.map(({ dataset }) => [dataset.quarantine, Number(dataset.records)])));

async function listOfSql(visit, { category, period, measure }) {
  const where = `category = '${category.replaceAll("'", "''")}' AND period = '${period}' AND measure = '${measure}'`;
  const rows = await sql(visit, `SELECT grid_id, events, baseline, z, q FROM jobs.hotspots WHERE z > 0 AND ${where} ORDER BY z DESC, events DESC, grid_id LIMIT 8`);
  const [classes] = await sql(visit, `SELECT SUM(CASE WHEN z >= 2.5758 THEN 1 ELSE 0 END) AS hot99, SUM(CASE WHEN z >= 1.96 AND z < 2.5758 THEN 1 ELSE 0 END) AS hot95,
    SUM(CASE WHEN z >= 1.6449 AND z < 1.96 THEN 1 ELSE 0 END) AS hot90, SUM(CASE WHEN z <= -1.6449 THEN 1 ELSE 0 END) AS cold,
    SUM(CASE WHEN z > -1.6449 AND z < 1.6449 THEN 1 ELSE 0 END) AS even, SUM(CASE WHEN z IS NULL THEN 1 ELSE 0 END) AS unknown FROM jobs.hotspots WHERE ${where}`);
  // For a single category the job leaves out grids without events: they are told as not significant.
  const [{ quiet }] = await sql(visit, `SELECT (SELECT COUNT(*) FROM jobs.hotspots WHERE category = '*' AND period = '${period}' AND measure = '${measure}') - COUNT(*) AS quiet FROM jobs.hotspots WHERE ${where}`);
  if (classes) classes.even = (number(classes.even) ?? 0) + number(quiet);
  const list = rows.map((row) => ({ grid: row.grid_id, events: number(row.events), baseline: number(row.baseline), z: number(row.z), q: number(row.q) }));
  return { list, classes: Object.fromEntries(Object.entries(classes ?? {}).map(([name, value]) => [name, number(value) ?? 0])) };
}

const listOfPage = (visit) =>
  visit.page.evaluate(() => {
    const read = (text) => (text === undefined ? null : Number(text));
    const list = [...document.querySelectorAll("[data-hotspot]")].map(({ dataset }) => ({ grid: dataset.hotspot, events: read(dataset.events), baseline: read(dataset.baseline), z: read(dataset.z), q: read(dataset.q) }));
    const classes = [...document.querySelectorAll("[data-class]")].map((item) => [item.dataset.class, Number(item.querySelector("b").textContent.replaceAll(",", ""))]);
    return { list, classes: Object.fromEntries(classes) };
  });

/** The explanation of the shown grid, of the run the list shows; each line stands for itself. */
async function whyOfSql(visit) {
  const { grid, language } = await visit.page.evaluate(() => ({ grid: document.querySelector("[data-panel=detail]").dataset.grid ?? "", language: document.documentElement.lang.startsWith("zh") ? "zh" : "en" }));
  const run = "(SELECT MAX(as_of) FROM jobs.hotspots)";
  const [{ as_of: asOf }] = await sql(visit, `SELECT ${run} AS as_of`);
  const rows = await sql(visit, `SELECT aspect, SUM(contribution) AS contribution, MAX(total) AS total, MAX(text_${language}) AS text FROM why('${grid}', '*', '${asOf}')
    WHERE detector = 'hotspots' AND period = '24h' AND measure = 'count' GROUP BY aspect`);
  for (const { aspect, contribution, total } of rows) {
    if (Math.abs(contribution - total) > 1e-9 * Math.max(1, Math.abs(total))) throw new Error(`${aspect} of ${grid} adds up to ${contribution}, not ${total}`);
  }
  return { grid, lines: (rows.find(({ aspect }) => aspect === "summary")?.text ?? "").split("\n") };
}

const whyOfPage = (visit) =>
  visit.page.evaluate(() => ({ grid: document.querySelector("[data-panel=detail]").dataset.grid ?? "", lines: document.querySelector(".why:not([hidden])")?.textContent.split("\n") ?? [] }));

export async function compare(visit) {
  const kpis = await agree(visit, () => kpisOfSql(visit), () => kpisOfPage(visit));
  await kpisAsRead(visit);
  const feeds = await agree(visit, () => feedsOfSql(visit), () => feedsOfPage(visit));
  const repeats = await agree(visit, () => repeatsOfSql(visit), () => repeatsOfPage(visit));
  await agree(visit, () => quarantineOfSql(visit), () => quarantineOfPage(visit));
  const { list } = await agree(visit, () => listOfSql(visit, { category: "*", period: "24h", measure: "count" }), () => listOfPage(visit));
  const { grid, lines } = await agree(visit, () => whyOfSql(visit), () => whyOfPage(visit));
  if (lines.length > 2 || !/^\D*\d/.test(lines[0])) throw new Error(`${grid} is explained by ${JSON.stringify(lines)}`);
  const [{ grids }] = await sql(visit, "SELECT COUNT(*) AS grids FROM jobs.hotspots WHERE category = '*' AND period = '24h' AND measure = 'count'");
  return `${JSON.stringify(kpis)}, ${Object.keys(feeds).length} feeds, ${Object.keys(repeats).length} repeat cells, ${list.length} hotspots of ${grids} grids`;
}

/** Every switch of the map, one after the other, and back. */
export async function compareList(visit) {
  const { page } = visit;
  const view = { category: "*", period: "24h", measure: "count" };
  const category = await page.$eval("[data-control=category]", (select) => select.options[1]?.value ?? "*");
  const moves = [
    [{ measure: "excess" }, () => page.click("[data-control=excess]")],
    [{ period: "7d" }, () => page.click("[data-control='7d']")],
    [{ category }, () => page.selectOption("[data-control=category]", category)],
    [{ measure: "count" }, () => page.click("[data-control=count]")],
    [{ category: "*", period: "24h" }, async () => (await page.click("[data-control='24h']"), page.selectOption("[data-control=category]", "*"))],
  ];
  for (const [change, move] of moves) {
    Object.assign(view, change);
    await move();
    await agree(visit, () => listOfSql(visit, view), () => listOfPage(visit));
  }
  return `${moves.length} views`;
}
