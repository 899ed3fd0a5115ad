// The only place that makes elements. Text goes in as text, never as markup: a feed's words cannot become script.

type Attributes = Record<string, string | number | boolean | null | undefined>;
type Child = Node | string | null;

/** Makes an element. Attributes that are null, undefined or false are left out. */
export function el<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function button(label: string, attributes: Attributes, press: () => void): HTMLButtonElement {
  const element = el("button", { type: "button", ...attributes }, label);
  element.addEventListener("click", press);
  return element;
}

/** Replaces the children; the element that had the keyboard keeps it if its successor bears the same `data-key`. */
export function fill(container: Element, ...children: Child[]): void {
  const focused = document.activeElement;
  const key = focused && container.contains(focused) ? focused.getAttribute("data-key") : null;
  const scrolled = container.scrollTop;
  container.replaceChildren(...children.filter((child) => child !== null));
  container.scrollTop = scrolled;
  if (key !== null) container.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

export interface Column {
  head: string;
  /** Numbers stand right-aligned under each other. */
  numeric?: boolean;
}

/** The table that stands in for a chart. */
export function table(caption: string, columns: Column[], rows: string[][]): HTMLTableElement {
  const side = (index: number) => (columns[index]?.numeric ? "number" : null);
  const head = el("tr", {}, ...columns.map(({ head }, index) => el("th", { scope: "col", class: side(index) }, head)));
  const body = rows.map((row) => el("tr", {}, ...row.map((cell, index) => el(index === 0 ? "th" : "td", { class: side(index), scope: index === 0 ? "row" : null }, cell))));
  return el("table", {}, el("caption", { class: "unseen" }, caption), el("thead", {}, head), el("tbody", {}, ...body));
}
