import type { Track } from "./track";

/** Measures of a field in unreal units: x across, y along, z up; blue's goal has the smallest y. */
export interface Field {
  wide: number;
  long: number;
  high: number;
  /** Largest |x| + |y|: the walls across the corners. */
  corner: number;
  goal: { wide: number; high: number; deep: number } | null;
  /** Game mode: dropshot has hexagonal tiles, hoops has hoops for goals. */
  game: "soccar" | "hoops" | "dropshot";
  /** Whether its walls are known, so that they are drawn. */
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

/** Soccer maps with other walls. */
const OTHER_WALLS = /^(labs_|arc_p|neotokyo_p|wasteland_p|wasteland_night_p|throwback)/;

/** Returns the field of a track; a plain floor for maps with unknown walls. */
export function fieldOf(track: Track): Field {
  const { field, map } = track.header;
  if (field === "hoops") return HOOPS;
  if (field === "dropshot") return DROPSHOT;
  if (!OTHER_WALLS.test(map ?? "")) return SOCCAR;
  return { ...SOCCAR, goal: null, hasWalls: false, wide: 4500, long: 5600, high: 2000, corner: 10_100 };
}

/** Returns the corners of the floor in order, moved inward by `inset`. */
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

/** State of each boost pad, from the times of pickups. */
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

  /** Returns how far a pad has recharged: from 0 at the pickup to 1 when it is available. */
  back(pad: number, time_s: number): number {
    const events = this.events[pad]!;
    for (let index = events.length - 1; index >= 0; index--) {
      const [taken_s, back_s] = events[index]!;
      if (taken_s <= time_s) return Math.min(1, (time_s - taken_s) / Math.max(0.001, back_s - taken_s));
    }
    return 1;
  }
}

/** Signs that distinguish the teams without colours. */
export const SIGNS = { blue: "●", orange: "◆" } as const;
export const TEAM_COLOURS = { blue: "#2f86ff", orange: "#ff8a1f" } as const;
/** Speed in unreal units per second from which a car is supersonic. */
export const SUPERSONIC_UU_S = 2200;
