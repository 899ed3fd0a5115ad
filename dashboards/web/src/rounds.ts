// The polling loop: one request in flight, each question at its own pace, all answers of a round shown together.
//
// A refused question marks only its own panel. When the door is away the round ends, the last good answers stay, and the pause grows
// to at most fifteen seconds. Questions of one job are asked again together when their `as_of` differ, so that the numbers on the
// screen come from one run of the job.
import { type City, cityClock, type Name, READ } from "./city.ts";
import { ask, Away, NotYet, polygons } from "./door.ts";
import { byHeat } from "./heat.ts";
import * as questions from "./questions.ts";
import { asOf } from "./rows.ts";
import { since } from "./usual.ts";
import type { View } from "./view.ts";

const PAUSE_MS = 3000;
const PAUSE_AWAY_MAX_MS = 15_000;

interface Question {
  name: Name;
  /** Seconds after which an answer is asked for again. */
  every: number;
  /** The statement, or null while something it needs is not known. */
  statement: (view: View, city: City) => string | null;
}

/** In the order they are asked. The three of one job stand together. */
const QUESTIONS: Question[] = [
  { name: "feeds", every: 0, statement: questions.feeds },
  { name: "grids", every: 300, statement: questions.grids },
  { name: "polygons", every: 300, statement: () => "polygons" },
  { name: "volume", every: 5, statement: questions.volume },
  { name: "hotGrids", every: 5, statement: questions.hotGrids },
  { name: "hotspots", every: 5, statement: questions.hotspots },
  { name: "gridRows", every: 5, statement: (view, city) => withGrid(view, city, (grid) => questions.gridRows(grid)) },
  { name: "why", every: 30, statement: (view, city) => withGrid(view, city, (grid) => withRun(city, (at) => questions.why(grid, view, at))) },
  { name: "gridHours", every: 15, statement: (view, city) => withGrid(view, city, (grid) => withClock(city, (at) => questions.hours(grid, view.category, since(at)))) },
  { name: "cityHours", every: 15, statement: (_, city) => withClock(city, (at) => questions.hours(null, questions.ALL, since(at))) },
  { name: "recurrence", every: 15, statement: questions.recurrence },
  { name: "categories", every: 60, statement: questions.categories },
  { name: "quarantine", every: 15, statement: questions.quarantine },
  { name: "reasons", every: 600, statement: questions.quarantineReasons },
];

const ONE_JOB: readonly Name[] = ["hotGrids", "hotspots", "gridRows"];

function withClock(city: City, statement: (at: number) => string): string | null {
  const at = cityClock(city);
  return at === null ? null : statement(at);
}

/** With the run of the list, so that what explains it is of the same instant. */
function withRun(city: City, statement: (at: number) => string): string | null {
  const at = city.hotspots?.asOf ?? null;
  return at === null ? null : statement(at);
}

function withGrid(view: View, city: City, statement: (grid: string) => string | null): string | null {
  const grid = shownGrid(view, city);
  return grid === null ? null : statement(grid);
}

/** The grid whose detail is shown: the chosen one, else the top of the list. */
export function shownGrid(view: View, city: City): string | null {
  return view.grid ?? [...(city.hotspots?.value ?? [])].sort(byHeat)[0]?.gridId ?? null;
}

export interface Report {
  /** The server's clock at the newest answer, and this machine's at the same moment. */
  serverNow: number | null;
  receivedAt: number | null;
  /** The newest attempt failed, or has been waiting for longer than a person would. */
  failing: boolean;
}

/** A door that has not answered for so long is as good as away, whatever comes of the request. */
const HANGING_MS = 10_000;

export class Rounds {
  private serverNow: number | null = null;
  private receivedAt: number | null = null;
  private failed = false;
  private waitingSince: number | null = null;
  private readonly asked = new Map<Name, { statement: string; at: number }>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running = false;
  private again = false;
  private failures = 0;

  constructor(
    private readonly city: City,
    private readonly view: () => View,
    private readonly shown: () => void,
  ) {}

  report(): Report {
    const hanging = this.waitingSince !== null && performance.now() - this.waitingSince > HANGING_MS;
    return { serverNow: this.serverNow, receivedAt: this.receivedAt, failing: this.failed || hanging };
  }

  /** Starts a round now, or right after the one that is running. */
  wake(): void {
    if (this.running) {
      this.again = true;
      return;
    }
    clearTimeout(this.timer);
    void this.round();
  }

  private async round(): Promise<void> {
    this.running = true;
    this.again = false;
    try {
      await this.askAll();
      this.failures = 0;
      this.failed = false;
    } catch (error) {
      this.failures += 1;
      this.failed = true;
      if (!(error instanceof Away)) console.error(error);
    }
    this.shown();
    this.running = false;
    // A hidden page asks nothing; it asks again the moment it is seen.
    if (document.hidden) return;
    const pause = this.again ? 0 : Math.min(PAUSE_MS * 2 ** Math.max(0, this.failures - 1), PAUSE_AWAY_MAX_MS);
    this.timer = setTimeout(() => void this.round(), pause);
  }

  private async askAll(): Promise<void> {
    for (const question of QUESTIONS) {
      if (this.again && this.city.feeds) return;
      await this.askIfDue(question, false);
    }
    const runs = new Set(ONE_JOB.map((name) => this.city[name]?.asOf ?? null).filter((at) => at !== null));
    if (runs.size > 1) for (const question of QUESTIONS.filter(({ name }) => ONE_JOB.includes(name))) await this.askIfDue(question, true);
  }

  private async askIfDue(question: Question, force: boolean): Promise<void> {
    const view = { ...this.view(), grid: shownGrid(this.view(), this.city) };
    const statement = question.statement(view, this.city);
    const asked = this.asked.get(question.name);
    const due = force || asked?.statement !== statement || performance.now() - asked.at >= question.every * 1000;
    if (statement === null || !due) return;
    this.waitingSince = performance.now();
    try {
      await this.askOne(question.name, statement, view);
      this.city.failures.delete(question.name);
    } catch (error) {
      if (error instanceof Away) throw error;
      if (error instanceof NotYet) this.city.failures.delete(question.name);
      else this.city.failures.set(question.name, error instanceof Error ? error.message : String(error));
    } finally {
      this.waitingSince = null;
    }
    this.asked.set(question.name, { statement, at: performance.now() });
  }

  private async askOne(name: Name, statement: string, view: View): Promise<void> {
    if (name === "polygons") {
      this.city.polygons = { value: await polygons(), asOf: null, view };
      return;
    }
    const answer = await ask(statement);
    this.serverNow = answer.serverNow;
    this.receivedAt = Date.now();
    const known = { value: READ[name](answer.rows, view), asOf: asOf(answer.rows), view };
    Object.assign(this.city, { [name]: known });
  }
}
