// What the viewer chose, and how the choice of language is remembered.
import { ALL } from "./questions.ts";

export type Language = "zh" | "en";
export type Period = "24h" | "7d";
export type Measure = "count" | "excess";

export interface View {
  language: Language;
  category: string;
  period: Period;
  measure: Measure;
  /** The grid whose detail is shown; null follows the top of the list. */
  grid: string | null;
}

const KEY = "gridwatch.language";

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // Storage may be forbidden on a kiosk; the choice then lasts until the page is loaded again.
  }
}

/** The view of a freshly opened page: Chinese unless the address (`?lang=en`) or an earlier choice says otherwise. */
export function openingView(address: string): View {
  const asked = new URLSearchParams(address).get("lang") ?? remembered();
  return { language: asked === "en" ? "en" : "zh", category: ALL, period: "24h", measure: "count", grid: null };
}

export function remember(language: Language): void {
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // See `remembered`.
  }
}
