import type { Heat } from "./heat";
import type { View } from "./views";
import type { Moment } from "./playback";
import type { Track } from "./track";

/** The scene at a moment. */
export interface Shown {
  time: number;
  /** Seconds of the replay since the last picture. */
  passed_s: number;
  /** Whether the scene jumped since the last picture. */
  jumps: boolean;
  /** Index of the followed body; 0 is the ball, or none. */
  chosen: number;
  view: View;
  trails: boolean;
  hits: boolean;
  labels: boolean;
  heat: Heat;
}

/** Position of a body in the game's axes. */
export interface Place {
  isThere: boolean;
  x: number;
  y: number;
  z: number;
  turn: number[];
}

/** A renderer of replays: in 3D, or from above. */
export interface Picture {
  open(track: Track, moments: Moment[]): void;
  resize(width: number, height: number): void;
  colour(): void;
  draw(shown: Shown): void;
  /** Last drawn positions; the ball first. */
  places(): Place[];
}

/** Half width and height of the score at the top of a picture. */
export const SCORE_PX = [105, 44] as const;

/** Whether the page is in dark colours. */
export function isDark(): boolean {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
