import type { Track } from "./track";

/** A clip of a page: a whole replay, or a part of one. */
export interface Clip {
  track: string;
  title: string;
  /** Address of the whole replay, for a part. */
  whole: string | null;
  moments: Moment[];
  /** Indices of the viewer's own players. */
  own: number[];
  player: number | null;
  from_s: number | null;
  to_s: number | null;
}
export interface Moment {
  kind: string;
  time_s: number;
  end_s: number | null;
  /** Indices in the track's list of players. */
  player: number | null;
  other_player: number | null;
  team: string | null;
}

export const SPEEDS = [0.25, 0.5, 1, 2, 4];
/** Seconds that a goal is shown before the rest is skipped. */
const AFTER_GOAL_S = 2;
/** Seconds of a countdown that are not skipped. */
const BEFORE_KICKOFF_S = 0.6;
/** Seconds at the end of a replay or clip that count as its end. */
const END_S = 0.05;

/** Position of a replay, and how it plays. */
export class Playback {
  time = 0;
  speed = 1;
  isPlaying = false;
  skips = true;
  /** Whether it waits for data. */
  isWaiting = false;

  constructor(
    readonly track: Track,
    readonly clip: Clip,
  ) {
    this.time = this.first;
  }

  get first(): number {
    return this.clip.from_s ?? 0;
  }

  get last(): number {
    return Math.min(this.clip.to_s ?? Infinity, this.track.isWhole ? this.track.loaded_s : this.track.header.duration_s);
  }

  get isOver(): boolean {
    return this.time >= this.last - END_S;
  }

  seek(time_s: number): void {
    this.time = Math.min(Math.max(time_s, this.first), Math.max(this.first, this.last));
  }

  /** Goes to the previous or next frame. */
  step(by: number): void {
    const frame = this.track.frameAt(this.time + 1e-6);
    const isBetween = by < 0 && this.time > this.track.time_s[frame]! + 1e-6;
    const next = Math.min(Math.max(isBetween ? frame : frame + by, 0), this.track.loaded - 1);
    this.seek(this.track.time_s[next]!);
  }

  /** Advances by the seconds passed; returns whether it jumped. */
  advance(passed_s: number): boolean {
    const next = Math.min(this.time + passed_s * this.speed, this.last);
    const target = this.skips ? this.skipped(next) : next;
    this.isWaiting = target > this.track.loaded_s && !this.track.isWhole;
    if (this.isWaiting) return false;
    this.time = Math.min(target, this.last);
    if (this.isOver) this.isPlaying = false;
    return target > next;
  }

  /** Returns the time, or where play resumes if it lies in a countdown or after a goal. */
  private skipped(time_s: number): number {
    const { track } = this;
    let at = time_s;
    for (const [goal_s, , , goesOn_s] of track.header.goals) {
      if (goesOn_s !== null && at > goal_s + AFTER_GOAL_S && at < goesOn_s && goesOn_s < this.last) at = goesOn_s;
    }
    let frame = track.frameAt(at);
    if (at > track.loaded_s || !track.isCountdown(frame)) return at;
    while (frame + 1 < track.loaded && track.isCountdown(frame)) frame += 1;
    return Math.max(at, track.time_s[frame]! - BEFORE_KICKOFF_S);
  }
}
