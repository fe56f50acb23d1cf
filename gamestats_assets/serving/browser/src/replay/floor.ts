import { type Field, outline } from "./field";

export interface Colours {
  floor: string;
  stripe: string;
  line: string;
  blue: string;
  orange: string;
}
type Pen = CanvasRenderingContext2D;

/** Dropshot's tiles: seven rows in each half, of thirteen in the middle to seven at the wall; each with a corner towards
 * the goals' ends. Along the middle a strip without tiles lies over the first rows' inner corners. */
const TILES = { apart: 768, rows: 7, longest: 13, first: 128, strip: 64 } as const;
/** From a tile's middle to its corners, and how much of that is drawn, so that a joint is seen between two. */
const TILE_RADIUS = TILES.apart / Math.sqrt(3);
const TILE_DRAWN = 0.95;
/** A hoop: half a ring, with its ends straight to the wall; how far its middle is from the field's, and how high. */
export const HOOP = { away: 2969, radius: 655, high: 364, thick: 42 } as const;
const HOOP_STEPS = 24;

/** Draws the floor and its lines; one unit of the context is one unreal unit, x and y as those of the field. */
export function drawField(pen: Pen, field: Field, colours: Colours, isWholeFloor: boolean): void {
  const { wide, long, goal } = field;
  const depth = goal?.deep ?? 0;
  pen.save();
  if (!isWholeFloor) {
    pen.beginPath();
    path(pen, outline(field));
    pen.closePath();
    if (goal) pen.rect(-goal.wide, -long - depth, 2 * goal.wide, 2 * (long + depth));
    pen.clip();
  }
  pen.fillStyle = colours.floor;
  pen.fillRect(-wide, -long - depth, 2 * wide, 2 * (long + depth));
  if (field.game === "soccar") {
    pen.fillStyle = colours.stripe;
    for (let band = -long; band < long; band += long / 5) pen.fillRect(-wide, band, 2 * wide, long / 10);
  }
  pen.strokeStyle = colours.line;
  pen.lineWidth = 34;
  if (field.game === "dropshot") drawTiles(pen, colours);
  else {
    drawHalves(pen, field, colours);
    drawMiddle(pen, field);
    if (field.game === "hoops") drawHoops(pen, field, colours);
    else drawEnds(pen, field);
  }
  pen.restore();
}

/** Each half in its team's colour, most of it where the team's goal is. */
function drawHalves(pen: Pen, { wide, long, goal }: Field, colours: Colours): void {
  const end = long + (goal?.deep ?? 0);
  pen.globalAlpha = 0.42;
  for (const [side, colour] of [[-1, colours.blue], [1, colours.orange]] as const) {
    const tint = pen.createLinearGradient(0, side * end, 0, 0);
    tint.addColorStop(0, colour);
    tint.addColorStop(1, "transparent");
    pen.fillStyle = tint;
    pen.fillRect(-wide, side > 0 ? 0 : -end, 2 * wide, end);
  }
  pen.globalAlpha = 1;
}

function drawMiddle(pen: Pen, { wide, game }: Field): void {
  const radius = game === "hoops" ? 640 : 1024;
  pen.beginPath();
  pen.moveTo(-wide, 0);
  pen.lineTo(wide, 0);
  pen.moveTo(radius, 0);
  pen.arc(0, 0, radius, 0, 2 * Math.PI);
  pen.stroke();
}

/** Soccar's goal lines and boxes, where goals are known to be, and the thirds that figures of players speak of. */
function drawEnds(pen: Pen, { wide, long, goal }: Field): void {
  if (goal) {
    pen.beginPath();
    for (const side of [-1, 1]) {
      pen.moveTo(-goal.wide, side * long);
      pen.lineTo(goal.wide, side * long);
      pen.rect(-2000, side > 0 ? long - 1100 : -long, 4000, 1100);
    }
    pen.stroke();
  }
  pen.globalAlpha = 0.5;
  pen.lineWidth = 20;
  pen.setLineDash([130, 150]);
  pen.beginPath();
  for (const y of [-long / 3, long / 3]) {
    pen.moveTo(-wide, y);
    pen.lineTo(wide, y);
  }
  pen.stroke();
}

/** What lies under the hoops, in the colours of those who keep the ball out of them. */
function drawHoops(pen: Pen, field: Field, colours: Colours): void {
  pen.lineWidth = 1.5 * HOOP.thick;
  for (const [side, colour] of [[-1, colours.blue], [1, colours.orange]] as const) {
    pen.strokeStyle = pen.fillStyle = colour;
    pen.beginPath();
    path(pen, hoop(field, side));
    pen.globalAlpha = 0.3;
    pen.fill();
    pen.globalAlpha = 1;
    pen.stroke();
  }
}

/** The ring of a side's hoop, from wall to wall. */
export function hoop({ long }: Field, side: number): [number, number][] {
  const { away, radius } = HOOP;
  const ring = Array.from({ length: HOOP_STEPS + 1 }, (_, step): [number, number] => {
    const angle = (Math.PI * step) / HOOP_STEPS;
    return [-radius * Math.cos(angle), side * (away - radius * Math.sin(angle))];
  });
  return [[-radius, side * long], ...ring, [radius, side * long]];
}

function drawTiles(pen: Pen, colours: Colours): void {
  for (const [side, colour] of [[-1, colours.blue], [1, colours.orange]] as const) {
    pen.fillStyle = colour;
    pen.globalAlpha = 0.5;
    pen.beginPath();
    for (let row = 0; row < TILES.rows; row++) {
      const tiles = TILES.longest - row;
      const y = TILES.first + 1.5 * TILE_RADIUS * row;
      for (let tile = 0; tile < tiles; tile++) path(pen, tileAt((tile - (tiles - 1) / 2) * TILES.apart, side * y));
    }
    pen.fill();
  }
  pen.globalAlpha = 1;
  pen.fillStyle = colours.floor;
  pen.fillRect(-TILES.longest * TILES.apart, -TILES.strip, 2 * TILES.longest * TILES.apart, 2 * TILES.strip);
  pen.beginPath();
  pen.moveTo(-TILES.longest * TILES.apart, 0);
  pen.lineTo(TILES.longest * TILES.apart, 0);
  pen.stroke();
}

/** The part of a tile that lies in its own half. */
function tileAt(x: number, y: number): [number, number][] {
  const side = Math.sign(y);
  const radius = TILE_DRAWN * TILE_RADIUS;
  return Array.from({ length: 6 }, (_, corner): [number, number] => {
    const angle = (Math.PI / 3) * (corner + 0.5);
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  }).map(([u, v]) => [u, side * Math.max(0, side * v)]);
}

function path(pen: Pen, corners: [number, number][]): void {
  for (const [index, [x, y]] of corners.entries()) index ? pen.lineTo(x, y) : pen.moveTo(x, y);
}
