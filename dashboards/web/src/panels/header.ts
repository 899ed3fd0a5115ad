// The head of the page: the city's clock, the age of the data in words, and the banner that says when it is not the present.
import { button, el } from "../dom.ts";
import { ageWords, moment, weekdayName, zoneName } from "../format.ts";
import type { Condition } from "../freshness.ts";
import { say } from "../text.ts";
import { remember } from "../view.ts";
import type { Scene } from "./scene.ts";

/** Shapes beside the colours of the condition. */
const SHAPE: Record<Condition, string> = { starting: "○", empty: "○", live: "●", stale: "■", archive: "◆", away: "✕" };

export function header() {
  const title = el("h1");
  const time = el("span", { class: "time" });
  const date = el("span", { class: "date" });
  const clockLabel = el("span", { class: "label" });
  const clock = el("div", { class: "clock" }, clockLabel, el("span", { class: "row" }, time, date));
  const shape = el("span", { class: "shape", "aria-hidden": "true" });
  const state = el("span", { class: "state" });
  const age = el("span", { class: "age" });
  const pill = el("div", { class: "pill", role: "status" }, shape, state, age);
  let scene: Scene | null = null;
  const language = button("", { class: "quiet", "data-control": "language" }, () => {
    if (!scene) return;
    const next = scene.view.language === "zh" ? "en" : "zh";
    remember(next);
    scene.choose({ language: next });
  });
  const full = button("", { class: "quiet full" }, toggleFullScreen);
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "f" && !event.ctrlKey && !event.metaKey && !(event.target instanceof HTMLSelectElement)) toggleFullScreen();
  });
  const root = el("header", { class: "head" }, title, clock, pill, el("div", { class: "tools" }, language, full));
  const banner = el("div", { class: "banner", role: "alert", hidden: true });

  function draw(next: Scene): void {
    scene = next;
    const { view, fresh, asOf, zone, cityName } = next;
    document.documentElement.lang = view.language === "zh" ? "zh-CN" : "en";
    title.textContent = cityName === "" ? say("title", view.language) : `${cityName} · ${say("title", view.language)}`;
    document.title = `gridwatch · ${title.textContent}`;
    clockLabel.textContent = say("cityClock", view.language);
    const at = asOf === null ? null : moment(asOf, zone);
    time.textContent = at?.time ?? "--:--:--";
    date.textContent = at && asOf !== null ? `${at.date} ${weekdayName(at.weekday, view.language)} · ${zoneName(asOf, zone)}` : zone;
    set(shape, SHAPE[fresh.condition]);
    set(state, say(fresh.condition, view.language));
    set(age, ageText(next));
    set(language, say("language", view.language));
    set(full, say("fullscreen", view.language));
    const words = bannerText(next);
    banner.hidden = words === "";
    set(banner, words);
    document.body.dataset["condition"] = fresh.condition;
    document.body.dataset["asOf"] = asOf === null ? "" : new Date(asOf).toISOString();
  }
  return { root, banner, draw };
}

/** A live region speaks whenever its text is set, so it is set only when it changes. */
function set(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function ageText({ fresh, view }: Scene): string {
  if (fresh.condition === "away" && fresh.answerAgeSeconds !== null) return say("ago", view.language, ageWords(fresh.answerAgeSeconds, view.language));
  if (fresh.ageSeconds === null) return "";
  // "Stale 14 min": how long it has been standing still, not when.
  if (fresh.condition === "stale") return ageWords(fresh.ageSeconds, view.language);
  return say("ago", view.language, ageWords(fresh.ageSeconds, view.language));
}

function bannerText({ fresh, view, asOf, zone }: Scene): string {
  const language = view.language;
  const age = ageWords(fresh.ageSeconds, language);
  switch (fresh.condition) {
    case "away":
      return fresh.answerAgeSeconds === null ? say("bannerAwayEmpty", language) : say("bannerAway", language, ageWords(fresh.answerAgeSeconds, language));
    case "stale":
      return fresh.allSilent && (fresh.ageSeconds ?? 0) < 120 ? say("bannerAllSilent", language) : say("bannerStale", language, age);
    case "archive": {
      const at = moment(asOf ?? 0, zone);
      return say("bannerArchive", language, `${at.date} ${at.time.slice(0, 5)}`, age);
    }
    case "live":
      return fresh.silent.length > 0 ? say("bannerSilent", language, fresh.silent.join(language === "zh" ? "、" : ", ")) : "";
    case "empty":
      return say("bannerEmpty", language);
    case "starting":
      return "";
  }
}

function toggleFullScreen(): void {
  // A browser may refuse (no gesture, kiosk policy); the page works the same without.
  if (document.fullscreenElement) document.exitFullscreen().catch(() => undefined);
  else document.documentElement.requestFullscreen().catch(() => undefined);
}
