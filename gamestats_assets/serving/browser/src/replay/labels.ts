import { type PerspectiveCamera, Vector3 } from "three";
import { SIGNS } from "./field";
import { SCORE_PX, type Shown } from "./picture";
import type { Sample, Track } from "./track";

/** Height of a name above its car, and its distance on the screen. */
const ABOVE_UU = 70;
const ABOVE_PX = 12;

interface Label {
  root: HTMLElement;
  boost: HTMLElement;
  bar: HTMLElement;
  /** Its text. */
  has: number;
  isSeen: boolean;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Names of the players over their cars, with their boost. */
export class Labels {
  private labels: Label[] = [];
  private lowestFirst: Label[] = [];
  private readonly place = new Vector3();

  constructor(private readonly root: HTMLElement) {}

  open(track: Track): void {
    this.root.replaceChildren();
    this.labels = track.header.players.map(({ name, team }) => {
      const root = element("div", `label ${team}`);
      const boost = element("span", "boost");
      const bar = element("i", "tank");
      const who = element("span", "who");
      const text = element("bdi", "");
      text.textContent = name;
      who.append(`${SIGNS[team]} `, text);
      root.append(who, boost, bar);
      this.root.append(root);
      return { root, boost, bar, has: -1, isSeen: false, x: 0, y: 0, width: 0, height: 0 };
    });
    this.lowestFirst = [...this.labels];
  }

  show(shown: Shown, sample: Sample, camera: PerspectiveCamera, canvas: HTMLCanvasElement, scale: Float64Array): void {
    this.root.hidden = !shown.labels;
    if (!shown.labels) return;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    for (const [index, label] of this.labels.entries()) {
      const number = index + 1;
      const body = sample.body[number]!;
      this.place.set(body[0]!, body[2]! + ABOVE_UU * scale[number]!, body[1]!).project(camera);
      const { x, y, z } = this.place;
      // The followed car needs no name.
      const isSeen = sample.isThere[number] === 1 && z < 1 && Math.abs(x) < 1.1 && Math.abs(y) < 1.1 && !(shown.view === "follow" && number === Math.max(1, shown.chosen));
      label.isSeen = isSeen;
      label.root.hidden = !isSeen;
      if (!isSeen) continue;
      const boost = Math.round(sample.boost[number]!);
      if (boost !== label.has) {
        label.has = boost;
        label.boost.textContent = String(boost);
        label.bar.style.transform = `scaleX(${boost / 100})`;
      }
      if (!label.width) [label.width, label.height] = [label.root.offsetWidth, label.root.offsetHeight];
      label.x = ((x + 1) / 2) * width;
      label.y = ((1 - y) / 2) * height - ABOVE_PX;
      label.root.classList.toggle("chosen", number === shown.chosen);
    }
    this.stack(width);
  }

  /** Moves names up that would overlap, and down those that the score would hide. */
  private stack(width: number): void {
    this.lowestFirst.sort((one, other) => other.y - one.y);
    for (let index = 0; index < this.lowestFirst.length; index++) {
      const label = this.lowestFirst[index]!;
      if (!label.isSeen) continue;
      for (let below = 0; below < index; below++) {
        const other = this.lowestFirst[below]!;
        if (!other.isSeen || Math.abs(other.x - label.x) > (other.width + label.width) / 2) continue;
        if (label.y > other.y - other.height && label.y - label.height < other.y) label.y = other.y - other.height - 2;
      }
      const isUnderScore = Math.abs(label.x - width / 2) < SCORE_PX[0] + label.width / 2 && label.y - label.height < SCORE_PX[1];
      if (isUnderScore) label.y = SCORE_PX[1] + label.height;
      label.root.style.transform = `translate(-50%, -100%) translate(${label.x.toFixed(1)}px, ${label.y.toFixed(1)}px)`;
    }
  }
}

function element(name: string, className: string): HTMLElement {
  return Object.assign(document.createElement(name), { className });
}
