// Where the data comes from and how old it is: a silent feed is grey, never green. Below it, what was refused and why.
import type { Quarantined } from "../city.ts";
import { el, fill } from "../dom.ts";
import { ageWords, count } from "../format.ts";
import type { Feed } from "../rows.ts";
import { say } from "../text.ts";
import { panel } from "./panel.ts";
import type { Scene } from "./scene.ts";

/** Reasons that fit; the rest is in table `quarantine`. */
const REASONS_SHOWN = 3;

export function feeds() {
  const frame = panel("feeds", "feeds");
  const list = el("ul", { class: "feeds" });
  const heading = el("h3");
  const refused = el("ul", { class: "refused" });
  frame.body.append(list, heading, refused);
  function draw(scene: Scene): void {
    const { city, view } = scene;
    frame.head(view.language, say("feedsNote", view.language), city.failures.get("feeds") ?? city.failures.get("quarantine"));
    const nobody = el("li", { class: "waiting" }, say(scene.fresh.condition === "empty" ? "noFeeds" : "waiting", view.language));
    fill(list, ...(city.feeds ? city.feeds.value.map((feed) => line(feed, scene)) : [nobody]));
    heading.textContent = say("quarantine", view.language);
    const rows = city.quarantine?.value.slice(0, REASONS_SHOWN) ?? [];
    const none = city.quarantine ? [el("li", { class: "none" }, say("noQuarantine", view.language))] : [];
    fill(refused, ...(rows.length === 0 ? none : rows.map((row) => reason(row, scene))));
  }
  return { root: frame.root, draw };
}

/** A feed counts as live only while the page itself is: after the door is gone nobody knows. */
function line(feed: Feed, { view, fresh, now, asOf }: Scene): HTMLElement {
  const live = feed.live && (fresh.condition === "live" || fresh.condition === "archive");
  // In an archive the present of the feed is the city's clock.
  const present = fresh.condition === "archive" ? (asOf ?? now) : now;
  const age = feed.lastEventAt === null ? null : (present - feed.lastEventAt) / 1000;
  return el(
    "li",
    { class: live ? "live" : "silent", "data-feed": feed.source, "data-status": feed.live ? "live" : "silent", "data-events-24h": feed.events24h, "data-rejected-24h": feed.rejected24h },
    el("span", { class: "shape", "aria-hidden": "true" }, live ? "●" : "○"),
    el("b", {}, feed.source),
    el("span", { class: "state" }, say(live ? "feedLive" : feed.live ? "feedUnknown" : "feedSilent", view.language)),
    el("span", { class: "age" }, say("ago", view.language, ageWords(age, view.language))),
    el("span", { class: "number" }, count(feed.events24h)),
  );
}

function reason(row: Quarantined, { city, view }: Scene): HTMLElement {
  const words = city.reasons?.value.get(row.reason);
  const sentence = words ? (view.language === "zh" ? words.zh : words.en) : "";
  return el(
    "li",
    { "data-quarantine": `${row.source}/${row.reason}`, "data-records": row.records },
    el("b", { class: "number" }, count(row.records)),
    el("span", { title: sentence }, `${row.source} · `, el("code", {}, row.reason), sentence === "" ? null : el("small", {}, ` ${sentence}`)),
  );
}
