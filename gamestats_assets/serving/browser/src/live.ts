import htmx from "htmx.org";
import { timeOfDay } from "./times";

const LONGEST_WAIT_S = 300;
const RUNS_FOR_MS = 60 * 60 * 1000;

let timer = 0;
let due = 0;
let tag = "";
let address = "";
let failures = 0;
let updated = new Date();

/** Keeps the page of a running round current: fetches it regularly and updates what has changed. */
export function keepLive(): void {
  const shown = location.pathname + location.search;
  if (shown !== address) {
    [address, tag, failures, updated] = [shown, "", 0, new Date()];
    say("status", "");
    schedule(period());
  }
  sayRunning();
}

function period(): number {
  return Number(document.getElementById("live")?.dataset.live ?? 0);
}

function schedule(seconds: number): void {
  clearTimeout(timer);
  due = Date.now() + 1000 * seconds;
  // Hidden pages fetch nothing; a page that is shown again fetches at once if it is due.
  if (seconds && !document.hidden) timer = window.setTimeout(ask, 1000 * seconds);
}

document.addEventListener("visibilitychange", () => {
  if (period() && !document.hidden) schedule(Math.max(0.001, (due - Date.now()) / 1000));
  else clearTimeout(timer);
});

async function ask(): Promise<void> {
  const of = address;
  try {
    const headers: Record<string, string> = { Accept: "text/html" };
    if (tag) headers["If-None-Match"] = tag;
    // Only the browser knows the page's own ETag, so the first request leaves it to the browser.
    const cache = tag ? "no-store" : "no-cache";
    const response = await fetch(of, { headers, cache, signal: AbortSignal.timeout(10_000) });
    if (of !== address) return;
    if (response.status !== 304 && !response.ok) throw new Retry(Number(response.headers.get("retry-after") ?? 0));
    if (response.status !== 304) {
      const text = await response.text();
      if (of !== address) return;
      put(text);
      tag = response.headers.get("etag") ?? "";
    }
    [failures, updated] = [0, new Date()];
    say("status", element("status")?.dataset.updated?.replace("{time}", timeOfDay(updated)) ?? "");
    schedule(period());
  } catch (error) {
    if (of !== address) return;
    failures += 1;
    say("status", element("status")?.dataset.failing?.replace("{time}", timeOfDay(updated)) ?? "");
    const wait = Math.min(LONGEST_WAIT_S, period() * 2 ** failures);
    schedule(Math.max(wait, error instanceof Retry ? error.seconds : 0));
  }
}

class Retry extends Error {
  constructor(readonly seconds: number) {
    super("the server said to wait");
  }
}

/** Replaces this page by a newer one; moved rows are animated, and what was open stays open. */
function put(text: string): void {
  const before = rows();
  const opened = new Map([...document.querySelectorAll<HTMLElement>("tr.detail")].map((row) => [row.dataset.of, row]));
  const folded = [...document.querySelectorAll<HTMLDetailsElement>("#main details[id]")].map((each) => [each.id, each.open] as const);
  const places = [...before].map(([key, row]) => [key, { rank: row.dataset.rank, top: row.getBoundingClientRect().top }] as const);
  const shown = figures();
  for (const row of opened.values()) row.remove();
  const main = document.getElementById("main")!;
  void htmx.swap({ text, target: main, select: "#main", swap: "outerMorph", sourceElement: main });
  for (const [id, open] of folded) document.querySelector<HTMLDetailsElement>(`#${CSS.escape(id)}`)?.toggleAttribute("open", open);
  const after = rows();
  for (const [key, row] of opened) {
    const owner = after.get(`player-${key}`);
    owner?.after(row);
    owner?.querySelector("[data-radar]")?.setAttribute("aria-expanded", "true");
  }
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let moved = 0;
  for (const [key, { rank, top }] of places) {
    const row = after.get(key);
    if (!row) continue;
    if (row.dataset.rank !== rank) moved += 1;
    const by = top - row.getBoundingClientRect().top;
    if (by && !still && row.dataset.rank !== rank) {
      row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], { duration: 700, easing: "ease-in-out" });
    }
  }
  const news = element("news")?.dataset;
  if (!news) return;
  if (moved) say("news", moved === 1 ? news.movedOne! : news.moved!.replace("{n}", String(moved)));
  else if (shown !== figures()) say("news", news.changed!);
}

/** Returns the text of the board without times, which are in the viewer's zone here but in UTC in a new page. */
function figures(): string {
  const board = document.getElementById("board")?.cloneNode(true) as HTMLElement | undefined;
  board?.querySelectorAll("time").forEach((time) => time.remove());
  return board?.textContent ?? "";
}

function rows(): Map<string, HTMLElement> {
  const found = document.querySelectorAll<HTMLElement>("#board tr[data-key]");
  return new Map([...found].map((row) => [row.dataset.key!, row]));
}

function element(id: string): HTMLElement | null {
  return document.getElementById(id);
}

function say(id: string, text: string): void {
  const where = element(id);
  if (where) where.textContent = text;
}

/** Marks the next match as running once its time has come, and as late if it has no result long after. */
function sayRunning(): void {
  for (const next of document.querySelectorAll<HTMLElement>("[data-running-from]")) {
    const since = Date.now() - Date.parse(next.dataset.runningFrom!);
    if (since >= 0) next.textContent = (since < RUNS_FOR_MS ? next.dataset.running : next.dataset.late)!;
  }
}
