import type { Track } from "./track";

/** A field's measures, in unreal units: x across, y along, z up; blue's goal is where y is least. */
export interface Field {
  wide: number;
  long: number;
  high: number;
  /** What x and y come to together at most: the walls across the corners. */
  corner: number;
  goal: { wide: number; high: number; deep: number } | null;
  /** What is played on it: a hexagon of tiles in dropshot, and with hoops for goals in hoops. */
  game: "soccar" | "hoops" | "dropshot";
  /** Whether its walls are known and drawn. */
  hasWalls: boolean;
  ball: number;
}

const SOCCAR: Field = {
  wide: 4096,
  long: 5120,
  high: 2044,
  corner: 8064,
  goal: { wide: 892.755, high: 642.775, deep: 880 },
  game: "soccar",
  hasWalls: true,
  ball: 92.75,
};
const HOOPS: Field = { ...SOCCAR, wide: 2966.67, long: 3581, high: 1820, corner: 5782, goal: null, game: "hoops", ball: 98.38 };
const DROPSHOT: Field = { ...SOCCAR, wide: 5300, long: 4590, high: 2020, corner: Infinity, goal: null, game: "dropshot", ball: 103 };

/** Maps of soccer whose walls stand elsewhere. */
const OTHER_WALLS = /^(labs_|arc_p|neotokyo_p|wasteland_p|wasteland_night_p|throwback)/;

/** The field of a track; of a map whose walls are not known, a plain floor. */
export function fieldOf(track: Track): Field {
  const { field, map } = track.header;
  if (field === "hoops") return HOOPS;
  if (field === "dropshot") return DROPSHOT;
  if (!OTHER_WALLS.test(map ?? "")) return SOCCAR;
  return { ...SOCCAR, goal: null, hasWalls: false, wide: 4500, long: 5600, high: 2000, corner: 10_100 };
}

/** The corners of the floor, or of what lies further in by `inset`, one after another. */
export function outline(field: Field, inset = 0): [number, number][] {
  const [wide, long] = [field.wide - inset, field.long - inset];
  if (field.game === "dropshot") {
    const wide = (field.wide * long) / field.long;
    return [[wide, 0], [wide / 2, long], [-wide / 2, long], [-wide, 0], [-wide / 2, -long], [wide / 2, -long]];
  }
  const corner = field.corner - inset * Math.SQRT2;
  const [x, y] = [corner - long, corner - wide];
  return [[wide, -y], [wide, y], [x, long], [-x, long], [-wide, y], [-wide, -y], [-x, -long], [x, -long]];
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
