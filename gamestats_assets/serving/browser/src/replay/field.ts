import type { Track } from "./track";

/** A field's measures, in unreal units: x across, y along, z up; blue's goal is where y is least. */
export interface Field {
  wide: number;
  long: number;
  high: number;
  /** What x and y come to together at most: the walls across the corners. */
  corner: number;
  goal: { wide: number; high: number; deep: number } | null;
  /** Whether its walls are known and drawn. */
  hasWalls: boolean;
  shape: "octagon" | "hexagon";
  ball: number;
}

const SOCCAR: Field = {
  wide: 4096,
  long: 5120,
  high: 2044,
  corner: 8064,
  goal: { wide: 892.755, high: 642.775, deep: 880 },
  hasWalls: true,
  shape: "octagon",
  ball: 92.75,
};
const NONE = { goal: null, hasWalls: false, high: 2000 } as const;

/** Maps of soccer whose walls stand elsewhere. */
const OTHER_WALLS = /^(labs_|arc_p|neotokyo_p|wasteland_p|wasteland_night_p|throwback)/;

/** The field of a track; of a map whose walls are not known, a plain floor. */
export function fieldOf(track: Track): Field {
  const { field, map } = track.header;
  if (field === "soccar" && !OTHER_WALLS.test(map ?? "")) return SOCCAR;
  if (field === "hoops") return { ...NONE, wide: 2966, long: 3581, corner: 6000, shape: "octagon", ball: 96 };
  if (field === "dropshot") return { ...NONE, hasWalls: true, high: 2020, wide: 5300, long: 4590, corner: Infinity, shape: "hexagon", ball: 103 };
  return { ...SOCCAR, ...NONE, wide: 4500, long: 5600, corner: 10_100 };
}

/** The corners of the floor, or of what lies further in by `inset`, one after another. */
export function outline(field: Field, inset = 0): [number, number][] {
  const [wide, long] = [field.wide - inset, field.long - inset];
  if (field.shape === "hexagon") {
    const wide = (field.wide * long) / field.long;
    return [[wide, 0], [wide / 2, long], [-wide / 2, long], [-wide, 0], [-wide / 2, -long], [wide / 2, -long]];
  }
  const corner = field.corner - inset * Math.SQRT2;
  const [x, y] = [corner - long, corner - wide];
  return [[wide, -y], [wide, y], [x, long], [-x, long], [-wide, y], [-wide, -y], [-x, -long], [x, -long]];
}

export interface Colours {
  floor: string;
  stripe: string;
  line: string;
  blue: string;
  orange: string;
}

/** Draws the floor and its lines; one unit of the context is one unreal unit, x and y as those of the field. */
export function drawField(pen: CanvasRenderingContext2D, field: Field, colours: Colours, isWholeFloor: boolean): void {
  const { wide, long, goal } = field;
  const depth = goal?.deep ?? 0;
  pen.save();
  if (!isWholeFloor) {
    pen.beginPath();
    path(pen, outline(field));
    if (goal) pen.rect(-goal.wide, -long - depth, 2 * goal.wide, 2 * (long + depth));
    pen.clip();
  }
  pen.fillStyle = colours.floor;
  pen.fillRect(-wide, -long - depth, 2 * wide, 2 * (long + depth));
  pen.fillStyle = colours.stripe;
  for (let band = -long; band < long; band += long / 5) pen.fillRect(-wide, band, 2 * wide, long / 10);
  for (const [side, colour] of [[-1, colours.blue], [1, colours.orange]] as const) {
    const tint = pen.createLinearGradient(0, side * (long + depth), 0, 0);
    tint.addColorStop(0, colour);
    tint.addColorStop(1, "transparent");
    pen.globalAlpha = 0.42;
    pen.fillStyle = tint;
    pen.fillRect(-wide, side > 0 ? 0 : -long - depth, 2 * wide, long + depth);
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = colours.line;
  pen.lineWidth = 34;
  pen.beginPath();
  pen.moveTo(-wide, 0);
  pen.lineTo(wide, 0);
  pen.moveTo(1024, 0);
  pen.arc(0, 0, 1024, 0, 2 * Math.PI);
  if (goal) {
    for (const side of [-1, 1]) {
      pen.moveTo(-goal.wide, side * long);
      pen.lineTo(goal.wide, side * long);
      pen.rect(-2000, side > 0 ? long - 1100 : -long, 4000, 1100);
    }
  }
  pen.stroke();
  // Thirds of the field, as figures of players speak of them.
  pen.globalAlpha = 0.5;
  pen.lineWidth = 20;
  pen.setLineDash([130, 150]);
  pen.beginPath();
  for (const y of [-long / 3, long / 3]) {
    pen.moveTo(-wide, y);
    pen.lineTo(wide, y);
  }
  pen.stroke();
  pen.restore();
}

function path(pen: CanvasRenderingContext2D, corners: [number, number][]): void {
  for (const [index, [x, y]] of corners.entries()) index ? pen.lineTo(x, y) : pen.moveTo(x, y);
  pen.closePath();
}

/** Whether a pad is taken, pad by pad, and until when: by the times at which somebody took it. */
export class Pads {
  private readonly events: [taken_s: number, back_s: number][][];

  constructor(track: Track) {
    this.events = track.header.pads.map(() => []);
    for (const [pad, taken_s, back_s] of track.header.pad_events) {
      const wait = track.header.pads[pad]?.[3] ? 10 : 4;
      this.events[pad]?.push([taken_s, back_s ?? taken_s + wait]);
    }
    for (const events of this.events) events.sort((one, other) => one[0] - other[0]);
  }

  /** How much of its way back a pad has: from 0 when it was taken to 1 while it is there. */
  back(pad: number, time_s: number): number {
    const events = this.events[pad]!;
    for (let index = events.length - 1; index >= 0; index--) {
      const [taken_s, back_s] = events[index]!;
      if (taken_s <= time_s) return Math.min(1, (time_s - taken_s) / Math.max(0.001, back_s - taken_s));
    }
    return 1;
  }
}

/** Where the players of a team are told apart from the other's without their colours. */
export const SIGNS = { blue: "●", orange: "◆" } as const;
export const TEAM_COLOURS = { blue: "#2f86ff", orange: "#ff8a1f" } as const;
/** Unreal units a second at which a car is supersonic. */
export const SUPERSONIC_UU_S = 2200;
