// The frame every panel shares: title, note, tools, body, a table in place of its chart, and the line that says what failed.
import { button, el, fill } from "../dom.ts";
import { say, type Word } from "../text.ts";
import type { Language } from "../view.ts";

export interface Panel {
  root: HTMLElement;
  tools: HTMLElement;
  body: HTMLElement;
  /** Sets title and note in the chosen language, and the failure of the panel's question, if any. */
  head(language: Language, note: string, failure: string | undefined): void;
}

export function panel(name: string, title: Word): Panel {
  const heading = el("h2", { id: `${name}-title` });
  const remark = el("p", { class: "note" });
  const tools = el("div", { class: "tools" });
  const failed = el("p", { class: "failed", role: "status", hidden: true });
  const body = el("div", { class: "body" });
  const root = el("section", { class: `panel ${name}`, "aria-labelledby": `${name}-title`, "data-panel": name }, el("header", {}, heading, remark, tools), failed, body);
  return {
    root,
    tools,
    body,
    head(language, note, failure) {
      heading.textContent = say(title, language);
      remark.textContent = note;
      failed.hidden = failure === undefined;
      failed.textContent = failure === undefined ? "" : say("failed", language, failure);
    },
  };
}

export interface Swap {
  chart: HTMLElement;
  /** Shows chart or table as chosen; `table` is made only when it is on the screen. */
  show(language: Language, table: () => HTMLElement): void;
}

/** A chart and the table that says the same. */
export function swap(tools: HTMLElement, body: HTMLElement, changed: () => void): Swap {
  let asTable = false;
  const chart = el("div", { class: "chart" });
  const words = el("div", { class: "words", tabindex: 0, hidden: true });
  // Before there is anything to show there is nothing to switch.
  const toggle = button("", { class: "quiet", "aria-pressed": "false", hidden: true }, () => {
    asTable = !asTable;
    changed();
  });
  tools.append(toggle);
  body.append(chart, words);
  return {
    chart,
    show(language, table) {
      toggle.hidden = false;
      toggle.textContent = say(asTable ? "chart" : "table", language);
      toggle.setAttribute("aria-pressed", String(asTable));
      chart.hidden = asTable;
      words.hidden = !asTable;
      if (asTable) fill(words, table());
      else words.replaceChildren();
    },
  };
}
