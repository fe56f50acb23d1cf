import { type Field, fieldOf, Pads, SIGNS, TEAM_COLOURS } from "./field";
import { type Colours, drawField } from "./floor";
import { heatOf } from "./heat";
import { isDark, type Picture, type Place, SCORE_PX, type Shown } from "./picture";
import { Sample, type Track } from "./track";

const LIGHT: Colours & Inks = {
  floor: "#dfe9e3", stripe: "#d6e2db", line: "#7d938a", blue: "#8dbcf2", orange: "#f7b877", ink: "#14181c", halo: "#ffffff", page: "#f1f2ef",
};
const DARK: Colours & Inks = {
  floor: "#26332d", stripe: "#2b3932", line: "#8ea79b", blue: "#1d4c85", orange: "#8a4a12", ink: "#eef1f4", halo: "#0d1115", page: "#20252b",
};
interface Inks {
  ink: string;
  halo: string;
  page: string;
}
const TRAIL_FRAMES = 24;
const PAD = "#f2b71c";
type Box = [left: number, top: number, right: number, bottom: number];

/** The field from above, drawn without WebGL: what is printed, and what is seen where there is nothing else. */
export class TopView implements Picture {
  private readonly pen: CanvasRenderingContext2D;
  private readonly ground = document.createElement("canvas");
  private track: Track | null = null;
  private field!: Field;
  private pads!: Pads;
  private sample!: Sample;
  private scale = 1;
  private isWide = true;
  private width = 0;
  private height = 0;
  private heat: HTMLCanvasElement | null = null;
  private heatOf = "";

  /** `isForPaper`: light, whatever the page is. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly isForPaper = false,
  ) {
    this.pen = canvas.getContext("2d")!;
  }

  open(track: Track): void {
    [this.track, this.field, this.heatOf] = [track, fieldOf(track), ""];
    [this.pads, this.sample] = [new Pads(track), new Sample(track.bodies.length)];
    if (this.width) this.resize(this.width, this.height);
  }

  colour(): void {
    this.resize(this.width, this.height);
  }

  resize(width: number, height: number): void {
    [this.width, this.height] = [width, height];
    if (!this.track || !width) return;
    const ratio = Math.min(2, devicePixelRatio);
    for (const each of [this.canvas, this.ground]) [each.width, each.height] = [width * ratio, height * ratio];
    this.isWide = width > height;
    const { wide, long, goal } = this.field;
    const [along, across] = [long + (goal?.deep ?? 0) + 150, wide + 150];
    const [half, other] = this.isWide ? [along, across] : [across, along];
    this.scale = ratio * Math.min(width / 2 / half, (height - this.top) / 2 / other);
    const pen = this.ground.getContext("2d")!;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = this.inks.page;
    pen.fillRect(0, 0, this.ground.width, this.ground.height);
    this.turn(pen);
    drawField(pen, this.field, this.inks, false);
  }

  private get inks(): Colours & Inks {
    return !this.isForPaper && isDark() ? DARK : LIGHT;
  }

  /** What the score takes at the top: the field lies below it. On paper there is none. */
  private get top(): number {
    return this.isForPaper ? 0 : SCORE_PX[1];
  }

  /** Where the middle of the field is drawn, in pixels of the canvas. */
  private get middle(): [x: number, y: number] {
    return [this.canvas.width / 2, (this.canvas.height + (this.top * this.canvas.width) / this.width) / 2];
  }

  /** So that what is drawn stands in the field's own axes: orange's goal is to the right, or above. */
  private turn(pen: CanvasRenderingContext2D): void {
    const [s, [x, y]] = [this.scale, this.middle];
    if (this.isWide) pen.setTransform(0, -s, s, 0, x, y);
    else pen.setTransform(-s, 0, 0, -s, x, y);
  }

  draw(shown: Shown): void {
    const { track, pen, sample } = this;
    if (!track) return;
    track.sample(shown.time, sample);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.drawImage(this.ground, 0, 0);
    this.turn(pen);
    this.drawHeat(shown);
    this.drawPads(shown.time);
    if (shown.hits) this.drawHits(shown.chosen);
    if (shown.trails) for (let number = 0; number < sample.body.length; number++) this.drawTrail(number);
    for (let number = sample.body.length - 1; number >= 0; number--) if (sample.isThere[number]) this.drawBody(number, shown);
    if (shown.labels) this.drawNames(shown.chosen);
  }

  private drawHeat({ heat, chosen }: Shown): void {
    const { pen, track, field } = this;
    const key = `${heat} ${chosen} ${track!.loaded}`;
    if (key !== this.heatOf) [this.heat, this.heatOf] = [heatOf(track!, field, Math.max(0, chosen), heat), key];
    if (!this.heat) return;
    pen.imageSmoothingEnabled = true;
    pen.drawImage(this.heat, -field.wide, -field.long, 2 * field.wide, 2 * field.long);
  }

  private drawPads(time_s: number): void {
    for (const [pad, [x, y, , isBig]] of this.track!.header.pads.entries()) {
      const back = this.pads.back(pad, time_s);
      const radius = isBig ? 150 : 70;
      this.pen.fillStyle = PAD;
      this.pen.strokeStyle = this.inks.line;
      this.pen.lineWidth = 18;
      this.circle(x, y, radius);
      if (back === 1) this.pen.fill();
      this.pen.stroke();
      if (back === 1 || !isBig) continue;
      // So much of the ring is full.
      this.pen.strokeStyle = PAD;
      this.pen.lineWidth = 44;
      this.pen.beginPath();
      this.pen.arc(x, y, radius - 30, 0, 2 * Math.PI * back);
      this.pen.stroke();
    }
  }

  private drawHits(chosen: number): void {
    for (const [, player, isOrange, x, y] of this.track!.header.touches) {
      if (x === null || y === null || (chosen > 0 && player !== chosen - 1)) continue;
      this.circle(x, y, 60);
      this.pen.fillStyle = TEAM_COLOURS[isOrange ? "orange" : "blue"];
      this.pen.globalAlpha = 0.7;
      this.pen.fill();
      this.pen.globalAlpha = 1;
    }
  }

  private drawTrail(number: number): void {
    const { pen, track, sample } = this;
    const body = track!.bodies[number]!;
    const [px, py] = body.place as [Int16Array, Int16Array];
    const { scale } = track!.header;
    pen.strokeStyle = this.colourOf(number);
    pen.globalAlpha = 0.55;
    pen.lineWidth = Math.max(34, 2 / this.scale);
    pen.beginPath();
    pen.moveTo(sample.body[number]![0]!, sample.body[number]![1]!);
    for (let back = 0; back < TRAIL_FRAMES; back++) {
      const frame = sample.frame - back;
      if (frame < 0 || (back && !track!.joins(body, frame))) break;
      pen.lineTo(px[frame]! / scale, py[frame]! / scale);
    }
    pen.stroke();
    pen.globalAlpha = 1;
  }

  private drawBody(number: number, shown: Shown): void {
    const { pen, sample, inks } = this;
    const [x, y, z, qx, qy, qz, qw] = sample.body[number] as unknown as [number, number, number, number, number, number, number];
    const unit = this.unit(z);
    pen.lineWidth = 3 / this.scale;
    pen.strokeStyle = inks.halo;
    if (!number) {
      this.circle(x, y, this.field.ball * Math.max(1.25, unit));
      pen.fillStyle = "#ffffff";
      pen.strokeStyle = "#14181c";
      pen.fill();
      pen.stroke();
      return;
    }
    pen.save();
    pen.translate(x, y);
    pen.rotate(Math.atan2(2 * (qx * qy + qz * qw), 1 - 2 * (qy * qy + qz * qz)));
    pen.scale(unit * 1.35, unit * 1.35);
    pen.beginPath();
    for (const [index, [u, v]] of CAR.entries()) index ? pen.lineTo(u, v) : pen.moveTo(u, v);
    pen.closePath();
    pen.restore();
    pen.fillStyle = this.colourOf(number);
    if (number === shown.chosen) [pen.strokeStyle, pen.lineWidth] = [inks.ink, 5 / this.scale];
    pen.stroke();
    pen.fill();
  }

  /** Names over the cars, or where there is room near them: not on each other, nor under the score. */
  private drawNames(chosen: number): void {
    const { pen, inks, sample } = this;
    const [s, ratio] = [this.scale, this.canvas.width / this.width];
    const [width, height, high] = [this.canvas.width, this.canvas.height, 15 * ratio];
    const [across, down] = this.middle;
    const taken: Box[] = this.isForPaper ? [] : [[width / 2 - SCORE_PX[0] * ratio, 0, width / 2 + SCORE_PX[0] * ratio, SCORE_PX[1] * ratio]];
    pen.save();
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.textAlign = "center";
    pen.lineWidth = 3.5 * ratio;
    pen.lineJoin = "round";
    pen.strokeStyle = inks.halo;
    pen.fillStyle = inks.ink;
    for (let number = 1; number < sample.body.length; number++) {
      if (!sample.isThere[number]) continue;
      const { name, team } = this.track!.header.players[number - 1]!;
      const text = `${SIGNS[team]} ${name} ${Math.round(sample.boost[number]!)}`;
      pen.font = `${number === chosen ? 700 : 500} ${12 * ratio}px system-ui, sans-serif`;
      const half = pen.measureText(text).width / 2 + 2 * ratio;
      const [x, y, z] = sample.body[number] as unknown as [number, number, number];
      const [u, v] = this.isWide ? [across + y * s, down - x * s] : [across - x * s, down - y * s];
      const middle = Math.min(Math.max(u, half), width - half);
      const away = 120 * s * this.unit(z);
      const box = (bottom: number): Box => [middle - half, bottom - high, middle + half, bottom];
      // Above, below, and then further and further away.
      const bottoms = [0, 1, 2, 3, 4].flatMap((line) => [v - away - line * high, v + away + (line + 1) * high]);
      const bottom = bottoms.find((each) => each > high && each < height && !taken.some((other) => overlap(box(each), other))) ?? bottoms[0]!;
      taken.push(box(bottom));
      pen.strokeText(text, middle, bottom - 3 * ratio);
      pen.fillText(text, middle, bottom - 3 * ratio);
    }
    pen.restore();
  }

  /** How much larger than it is a body is drawn: what is high stands nearer, and small fields still show who is who. */
  private unit(z: number): number {
    return Math.max(1, 10 / (118 * this.scale)) * (1 + 0.6 * Math.min(1, z / this.field.high));
  }

  private circle(x: number, y: number, radius: number): void {
    this.pen.beginPath();
    this.pen.arc(x, y, radius, 0, 2 * Math.PI);
  }

  private colourOf(number: number): string {
    return number ? TEAM_COLOURS[this.track!.header.players[number - 1]!.team] : this.inks.ink;
  }

  places(): Place[] {
    return this.sample.body.map(([x, y, z, ...turn], number) => ({ isThere: this.sample.isThere[number] === 1, x: x!, y: y!, z: z!, turn }));
  }
}

function overlap(one: Box, other: Box): boolean {
  return one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];
}

/** A car from above, its nose to the right. */
const CAR: [number, number][] = [[74, 0], [48, 38], [-52, 42], [-60, 30], [-60, -30], [-52, -42], [48, -38]];
