import type { Heat } from "./heat";
import type { View } from "./views";
import type { Moment } from "./playback";
import type { Track } from "./track";

/** What is to be seen at a moment. */
export interface Shown {
  time: number;
  /** How much of the replay's time has passed since the last picture. */
  passed_s: number;
  /** Whether there is no way from the last picture to this. */
  jumps: boolean;
  /** A body: 0 is the ball, or nobody. */
  chosen: number;
  view: View;
  trails: boolean;
  hits: boolean;
  labels: boolean;
  heat: Heat;
}

/** Where a body is, in the game's own axes. */
export interface Place {
  isThere: boolean;
  x: number;
  y: number;
  z: number;
  turn: number[];
}

/** What draws a replay: in three dimensions, or from above. */
export interface Picture {
  open(track: Track, moments: Moment[]): void;
  resize(width: number, height: number): void;
  colour(): void;
  draw(shown: Shown): void;
  /** Where everything was drawn last; the ball first. */
  places(): Place[];
}

/** Half of the width, and the height, of what the score takes at the top of a picture. */
export const SCORE_PX = [105, 44] as const;

/** Whether the page is dark now. */
export function isDark(): boolean {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
