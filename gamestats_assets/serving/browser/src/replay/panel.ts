import { SIGNS, SUPERSONIC_UU_S } from "./field";
import type { Playback } from "./playback";
import { clock } from "./timeline";
import { Sample, type Track } from "./track";

const KM_H = 0.036;
/** Milliseconds between updates of the figures. */
const EVERY_MS = 100;
/** A player without a car for longer, up to the end, has left; for less, the car was demolished. */
const LEFT_S = 8;

interface Row {
  item: HTMLElement;
  button: HTMLButtonElement;
  who: HTMLElement;
  boost: HTMLElement;
  bar: HTMLElement;
  /** Times of the player in the match. */
  from_s: number;
  to_s: number;
}

/** The players with their boost, the figures of the selected player, and the score. */
export class Panel {
  private track: Track | null = null;
  private sample = new Sample(0);
  private rows: Row[] = [];
  private isArranged = false;
  private readonly figures: Map<string, HTMLElement>;
  private shownAt = -Infinity;

  constructor(
    private readonly root: HTMLElement,
    private readonly texts: Record<string, string>,
    private readonly choose: (player: number) => void,
  ) {
    const found = [...root.querySelectorAll<HTMLElement>("[data-figure]")];
    this.figures = new Map(found.map((each) => [each.dataset.figure!, each]));
  }

  open(track: Track): void {
    this.track = track;
    this.sample = new Sample(track.bodies.length);
    this.isArranged = false;
    this.rows = track.header.players.map(({ name, team }, index) => {
      const item = document.createElement("li");
      const button = Object.assign(document.createElement("button"), { type: "button", className: `player ${team}` });
      const who = Object.assign(document.createElement("bdi"), { textContent: name, className: "who" });
      const sign = Object.assign(document.createElement("span"), { textContent: SIGNS[team], className: "sign" });
      sign.setAttribute("aria-label", this.texts[team]!);
      sign.setAttribute("role", "img");
      const boost = Object.assign(document.createElement("span"), { className: "boost" });
      const tank = Object.assign(document.createElement("span"), { className: "tank" });
      const bar = document.createElement("i");
      tank.append(bar);
      button.append(sign, who, tank, boost);
      button.addEventListener("click", () => this.choose(index + 1));
      item.append(button);
      return { item, button, who, boost, bar, from_s: -Infinity, to_s: Infinity };
    });
    this.list(this.rows);
  }

  private list(rows: Row[]): void {
    this.root.querySelector("[data-players]")!.replaceChildren(...rows.map(({ item }) => item));
  }

  /** After loading: moves players who left early below the others, with the time. */
  private arrange(track: Track): void {
    this.isArranged = true;
    const left = this.rows.filter((row, index) => {
      const [from_s, to_s] = track.presence(index);
      row.from_s = from_s - LEFT_S;
      if (to_s > track.loaded_s - LEFT_S) return false;
      row.to_s = to_s;
      const when = Object.assign(document.createElement("span"), { className: "until", textContent: `${this.texts.until} ${clock(to_s)}` });
      row.who.after(when);
      row.item.classList.add("has-left");
      return true;
    });
    // Old replays without any car list all players.
    if (left.length < this.rows.length) this.list([...this.rows.filter((row) => !left.includes(row)), ...left]);
    else for (const row of this.rows) [row.from_s, row.to_s] = [-Infinity, Infinity];
  }

  show(playback: Playback, chosen: number): void {
    const { track, sample } = this;
    const now = performance.now();
    if (!track || (playback.isPlaying && now - this.shownAt < EVERY_MS)) return;
    this.shownAt = now;
    track.sample(playback.time, sample);
    if (track.isWhole && !this.isArranged) this.arrange(track);
    for (const [index, { item, button, boost, bar, from_s, to_s }] of this.rows.entries()) {
      item.hidden = playback.time < from_s || playback.time > to_s;
      const has = Math.round(sample.boost[index + 1]!);
      put(boost, String(has));
      bar.style.transform = `scaleX(${has / 100})`;
      button.setAttribute("aria-pressed", String(index + 1 === chosen));
      button.classList.toggle("out", !sample.isThere[index + 1]);
    }
    this.showScore(playback.time);
    const player = track.header.players[chosen - 1];
    this.root.querySelector<HTMLElement>("[data-chosen]")!.hidden = !player;
    if (player) this.showFigures(chosen);
  }

  private showScore(time_s: number): void {
    const { track, sample } = this;
    const scores = { blue: 0, orange: 0 };
    let said = "";
    for (const [at, team, player] of track!.header.goals) {
      if (at > time_s) continue;
      scores[team === "blue" ? "blue" : "orange"] += 1;
      if (time_s - at < 3) said = [this.texts.goal, player === null ? undefined : track!.header.players[player]?.name].filter(Boolean).join(": ");
    }
    put(this.figure("blue"), String(scores.blue));
    put(this.figure("orange"), String(scores.orange));
    const overtime_s = track!.overtime_s(time_s);
    const left_s = track!.secondsRemaining[sample.frame]!;
    put(this.figure("clock"), overtime_s === null ? clock(left_s) : `+${clock(Math.max(left_s, time_s - overtime_s))}`);
    put(this.figure("said"), said);
  }

  private showFigures(chosen: number): void {
    const { sample, texts } = this;
    const isThere = sample.isThere[chosen] === 1;
    const speed = sample.speed[chosen]!;
    const fast = speed >= SUPERSONIC_UU_S - 5 ? ` · ${texts.supersonic}` : "";
    const away = distance(sample, chosen);
    put(this.figure("name"), this.track!.header.players[chosen - 1]!.name);
    put(this.figure("speed"), isThere ? `${Math.round(speed * KM_H)} km/h${fast}` : texts.off_field!);
    put(this.figure("boost"), String(Math.round(sample.boost[chosen]!)));
    put(this.figure("height"), isThere ? `${(Math.max(0, sample.body[chosen]![2]! - 17) / 100).toFixed(1)} m` : "–");
    put(this.figure("away"), isThere && sample.isThere[0] ? `${(away / 100).toFixed(0)} m` : "–");
    put(this.figure("role"), (isThere && this.role(chosen, sample.time)) || "–");
    put(this.figure("camera"), texts[sample.isBallCam[chosen] ? "ball_cam" : "car_cam"]!);
  }

  /** First man is the teammate nearest to the ball, and so on, as in the tables. */
  private role(chosen: number, time_s: number): string {
    const stint = this.track!.header.stints.find(
      ([player, , start_s, end_s]) => player === chosen - 1 && start_s <= time_s && time_s <= end_s,
    );
    return stint ? (this.texts[["first_man", "second_man", "third_man"][stint[1] - 1] ?? "last_man"] ?? "") : "";
  }

  private figure(name: string): HTMLElement {
    return this.figures.get(name)!;
  }
}

function distance({ body }: Sample, number: number): number {
  const [ball, car] = [body[0]!, body[number]!];
  return Math.hypot(ball[0]! - car[0]!, ball[1]! - car[1]!, ball[2]! - car[2]!);
}

function put(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
