// How much comes back: repeat rates with numerator and denominator, by matter and by caller, over 7, 30 and 90 days.
import { el, fill } from "../dom.ts";
import { count, NONE, percent } from "../format.ts";
import { ALL } from "../questions.ts";
import type { Recurrence } from "../rows.ts";
import { say, type Word } from "../text.ts";
import { panel } from "./panel.ts";
import type { Scene } from "./scene.ts";

const WINDOWS = [7, 30, 90] as const;

interface Line {
  word: Word;
  key: string;
  name: string;
  share: (row: Recurrence) => number | null;
  part: (row: Recurrence) => number | null;
  whole: (row: Recurrence) => number | null;
}

const LINES: readonly Line[] = [
  { word: "repeatMatter", key: "matter", name: "rate", share: (row) => row.repeatRate, part: (row) => row.repeatContacts, whole: (row) => row.contacts },
  { word: "repeatCaller", key: "caller", name: "rate", share: (row) => row.repeatRate, part: (row) => row.repeatContacts, whole: (row) => row.contacts },
  { word: "repeatMatters", key: "matter", name: "share", share: (row) => row.repeatShare, part: (row) => row.repeatMatters, whole: (row) => row.matters },
];

export function recurrence() {
  const frame = panel("recurrence", "repeat");
  function draw({ city, view }: Scene): void {
    const language = view.language;
    const asked = city.recurrence?.view.category;
    frame.head(language, asked === undefined ? "" : asked === ALL ? say("allCategories", language) : asked, city.failures.get("recurrence"));
    const rows = (city.recurrence?.value ?? []).filter((row) => row.category === asked);
    const find = (key: string, days: number) => rows.find((row) => row.key === key && row.days === days);
    const head = el("tr", {}, el("td", {}), ...WINDOWS.map((days) => el("th", { scope: "col" }, say("days", language, String(days)))));
    const body = LINES.map((line) => el("tr", {}, el("th", { scope: "row" }, say(line.word, language)), ...WINDOWS.map((days) => cell(line, days, find(line.key, days)))));
    const voices = el("tr", { class: "voices" }, el("th", { scope: "row" }, say("repeatVoices", language)), ...WINDOWS.map((days) => el("td", {}, count(find("matter", days)?.voicesPerMatter ?? null, 2))));
    const censored = rows.some((row) => row.leftCensored > 0);
    fill(frame.body, el("table", {}, el("thead", {}, head), el("tbody", {}, ...body, voices)), censored ? el("p", { class: "foot" }, say("leftCensored", language)) : null);
  }
  return { root: frame.root, draw };
}

function cell(line: Line, days: number, row: Recurrence | undefined): HTMLElement {
  if (!row) return el("td", {}, NONE);
  const [share, part, whole] = [line.share(row), line.part(row), line.whole(row)];
  const star = row.leftCensored > 0 ? "*" : "";
  return el(
    "td",
    { "data-repeat": `${line.key}-${line.name}-${days}`, "data-share": share, "data-part": part, "data-whole": whole },
    el("b", {}, `${percent(share)}${star}`),
    el("small", {}, `${count(part)}/${count(whole)}`),
  );
}
