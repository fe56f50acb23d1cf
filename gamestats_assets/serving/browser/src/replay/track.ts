/** A replay track: a header, then chunks of frames; it can be watched while it loads. */

export interface Player {
  name: string;
  team: "blue" | "orange";
  hitbox: string;
  camera: { fov_deg: number; height_uu: number; pitch_deg: number; distance_uu: number; stiffness: number } | null;
}
/** A touch of the ball: its place and player. */
export type Touch = [
  time_s: number, player: number | null, isOrange: number, x_uu: number | null, y_uu: number | null, z_uu: number | null,
  speed_uu_s: number | null, isAerial: number,
];
export interface Header {
  map: string | null;
  duration_s: number;
  frames: number;
  chunk_frames: number;
  scale: number;
  field: string;
  players: Player[];
  pads: [x: number, y: number, z: number, isBig: boolean][];
  pad_events: [pad: number, taken_s: number, back_s: number | null, player?: number | null][];
  kickoffs: [countdown_from_s: number, ball_hit_s: number | null][];
  goals: [time_s: number, team: string, player: number | null, play_goes_on_s: number | null][];
  touches: Touch[];
  /** Each player's role (first man, second man, ...) over time. */
  stints: [player: number, role: number, start_s: number, end_s: number][];
}

const MAGIC = "GST1";
const COUNTDOWN = 1;
const BALL_CAM = 2;
/** Frames further apart are not joined: goal replays between them are not recorded. */
const LONGEST_STEP_S = 0.45;
/** Bodies that move faster were repositioned. */
const FASTEST_UU_S = 7500;
const FASTEST_CAR_UU_S = 2300;
const SPEED_FRAMES = 2;
/** Speeds that differ by more come from before and after a hit. */
const HIT_UU_S = 260;

/** The ball or a car, frame by frame, in arrays allocated once. */
export class Body {
  readonly isThere: Uint8Array;
  readonly place: Int16Array[];
  readonly turn: Int16Array[];
  readonly boost: Uint8Array;
  readonly flags: Uint8Array;

  constructor(
    frames: number,
    readonly isCar: boolean,
  ) {
    this.isThere = new Uint8Array(frames);
    this.place = [0, 1, 2].map(() => new Int16Array(frames));
    this.turn = [0, 1, 2, 3].map(() => new Int16Array(frames));
    this.boost = new Uint8Array(isCar ? frames : 0);
    this.flags = new Uint8Array(isCar ? frames : 0);
  }
}

/** Positions of all bodies at a time; body 0 is the ball, the others are the players in order. */
export class Sample {
  time = 0;
  frame = 0;
  /** x, y, z in unreal units, and the quaternion's x, y, z, w of each body. */
  readonly body: Float64Array[];
  readonly isThere: Uint8Array;
  readonly speed: Float64Array;
  /** From 0 to 100. */
  readonly boost: Float64Array;
  readonly isBoosting: Uint8Array;
  readonly isBallCam: Uint8Array;

  constructor(bodies: number) {
    this.body = Array.from({ length: bodies }, () => new Float64Array(7));
    this.isThere = new Uint8Array(bodies);
    this.speed = new Float64Array(bodies);
    this.boost = new Float64Array(bodies);
    this.isBoosting = new Uint8Array(bodies);
    this.isBallCam = new Uint8Array(bodies);
  }
}

export class Track {
  /** Number of loaded frames. */
  loaded = 0;
  readonly time_s: Float64Array;
  readonly secondsRemaining: Int16Array;
  readonly flags: Uint8Array;
  readonly bodies: Body[];

  constructor(readonly header: Header) {
    this.time_s = new Float64Array(header.frames);
    this.secondsRemaining = new Int16Array(header.frames);
    this.flags = new Uint8Array(header.frames);
    this.bodies = [false, ...header.players.map(() => true)].map((isCar) => new Body(header.frames, isCar));
  }

  /** End of the loaded part. */
  get loaded_s(): number {
    return this.loaded ? this.time_s[this.loaded - 1]! : 0;
  }

  get isWhole(): boolean {
    return this.loaded === this.header.frames;
  }

  /** Start of overtime: the kick-off after the clock had run out. */
  overtime_s(time_s: number): number | null {
    for (const [from_s, hit_s] of this.header.kickoffs) {
      if (from_s > 1 && from_s <= time_s && this.secondsRemaining[this.frameAt(from_s)]! <= 0) return hit_s ?? from_s;
    }
    return null;
  }

  /** Returns the last frame at or before a time. */
  frameAt(time_s: number): number {
    let [low, high] = [0, this.loaded - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.time_s[middle]! <= time_s) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Returns when a player joined and left: the first and last frames with a car. */
  presence(player: number): [from_s: number, to_s: number] {
    const { isThere } = this.bodies[player + 1]!;
    const last = isThere.lastIndexOf(1, this.loaded - 1);
    return last < 0 ? [Infinity, -Infinity] : [this.time_s[isThere.indexOf(1)]!, this.time_s[last]!];
  }

  isCountdown(frame: number): boolean {
    return (this.flags[frame]! & COUNTDOWN) !== 0;
  }

  /** Returns all positions at a time, interpolated between frames. */
  sample(time_s: number, into: Sample): void {
    const frame = this.frameAt(time_s);
    into.time = time_s;
    into.frame = frame;
    for (let number = 0; number < this.bodies.length; number++) this.sampleBody(number, frame, time_s, into);
  }

  private sampleBody(number: number, frame: number, time_s: number, into: Sample): void {
    const body = this.bodies[number]!;
    const out = into.body[number]!;
    const scale = this.header.scale;
    into.isThere[number] = body.isThere[frame]!;
    if (body.isCar) {
      into.boost[number] = body.boost[frame]! / 2.55;
      into.isBallCam[number] = body.flags[frame]! & BALL_CAM;
    }
    into.speed[number] = this.speed(body, frame);
    into.isBoosting[number] = 0;
    if (!this.joins(body, frame)) {
      for (let axis = 0; axis < 3; axis++) out[axis] = body.place[axis]![frame]! / scale;
      for (let part = 0; part < 4; part++) out[3 + part] = body.turn[part]![frame]! / 32767;
      return;
    }
    const [from, to] = [this.time_s[frame]!, this.time_s[frame + 1]!];
    const step = to - from;
    const share = Math.min(1, Math.max(0, (time_s - from) / step));
    for (let axis = 0; axis < 3; axis++) {
      const place = body.place[axis]!;
      const [a, b] = [place[frame]! / scale, place[frame + 1]! / scale];
      const now = (b - a) / step;
      const begin = this.slope(body, place, frame - 1, now);
      const end = this.slope(body, place, frame + 1, now);
      const [s2, s3] = [share * share, share * share * share];
      // A Hermite curve through both positions.
      out[axis] =
        a * (2 * s3 - 3 * s2 + 1) + b * (3 * s2 - 2 * s3) + begin * step * (s3 - 2 * s2 + share) + end * step * (s3 - s2);
    }
    slerp(body.turn, frame, share, out);
    if (body.isCar) {
      const [has, next] = [body.boost[frame]!, body.boost[frame + 1]!];
      into.isBoosting[number] = next < has ? 1 : 0;
      if (next < has) into.boost[number] = (has + share * (next - has)) / 2.55;
    }
  }

  /** Whether a body moved from a frame to the next, and was not repositioned. */
  joins(body: Body, frame: number): boolean {
    if (frame < 0 || frame + 1 >= this.loaded) return false;
    if (!body.isThere[frame] || !body.isThere[frame + 1]) return false;
    const step = this.time_s[frame + 1]! - this.time_s[frame]!;
    return step > 0 && step <= LONGEST_STEP_S && this.away(body, frame) <= FASTEST_UU_S * step;
  }

  private away(body: Body, frame: number): number {
    const [x, y, z] = body.place as [Int16Array, Int16Array, Int16Array];
    const next = frame + 1;
    return Math.hypot(x[next]! - x[frame]!, y[next]! - y[frame]!, z[next]! - z[frame]!) / this.header.scale;
  }

  /** Over several frames, because the server's updates are not evenly spaced. */
  private speed(body: Body, frame: number): number {
    let [way, time] = [0, 0];
    for (let at = frame - SPEED_FRAMES; at < frame + SPEED_FRAMES; at++) {
      if (!this.joins(body, at)) continue;
      way += this.away(body, at);
      time += this.time_s[at + 1]! - this.time_s[at]!;
    }
    return time ? Math.min(way / time, body.isCar ? FASTEST_CAR_UU_S : Infinity) : 0;
  }

  /** Returns the slope between two steps: their mean, unless there was a hit. */
  private slope(body: Body, place: Int16Array, other: number, now: number): number {
    if (!this.joins(body, other)) return now;
    const step = this.time_s[other + 1]! - this.time_s[other]!;
    const there = (place[other + 1]! - place[other]!) / this.header.scale / step;
    return Math.abs(there - now) > HIT_UU_S ? now : (there + now) / 2;
  }
}

function slerp(turn: Int16Array[], frame: number, share: number, out: Float64Array): void {
  let dot = 0;
  for (let part = 0; part < 4; part++) dot += (turn[part]![frame]! / 32767) * (turn[part]![frame + 1]! / 32767);
  // The shorter of the two rotations.
  const sign = dot < 0 ? -1 : 1;
  const angle = Math.acos(Math.min(1, Math.abs(dot)));
  const near = angle < 1e-3;
  const first = near ? 1 - share : Math.sin((1 - share) * angle) / Math.sin(angle);
  const second = sign * (near ? share : Math.sin(share * angle) / Math.sin(angle));
  let length = 0;
  for (let part = 0; part < 4; part++) {
    const value = (first * turn[part]![frame]! + second * turn[part]![frame + 1]!) / 32767;
    out[3 + part] = value;
    length += value * value;
  }
  length = Math.sqrt(length) || 1;
  for (let part = 3; part < 7; part++) out[part]! /= length;
}

/** Reads a track as it loads: resolves with its first frames; calls `more` for each chunk, then `end`. */
export async function open(
  response: Promise<Response>,
  more: () => void,
  end: (error: unknown) => void,
): Promise<Track> {
  const answer = await response;
  if (!answer.ok || !answer.body) throw new Error(`the track was answered ${answer.status}`);
  const bytes = new Incoming(answer.body.getReader());
  const start = await bytes.take(8);
  if (new TextDecoder().decode(start.subarray(0, 4)) !== MAGIC) throw new Error("this is no track");
  const size = new DataView(start.buffer, start.byteOffset).getUint32(4, true);
  const track = new Track(JSON.parse(new TextDecoder().decode(await bytes.take(size))));
  await fill(track, bytes);
  void (async () => {
    try {
      while (!track.isWhole) {
        await fill(track, bytes);
        more();
      }
      end(null);
    } catch (error) {
      end(error);
    }
  })();
  return track;
}

async function fill(track: Track, bytes: Incoming): Promise<void> {
  const from = track.loaded;
  const frames = Math.min(track.header.chunk_frames, track.header.frames - from);
  if (!frames) return;
  const each = 4 + 2 + 1 + track.bodies.reduce((sum, body) => sum + 1 + 7 * 2 + (body.isCar ? 2 : 0), 0);
  const chunk = await bytes.take(frames * each);
  const view = new DataView(chunk.buffer, chunk.byteOffset);
  let at = 0;
  for (let frame = 0; frame < frames; frame++) track.time_s[from + frame] = view.getUint32(at + 4 * frame, true) / 1000;
  at += 4 * frames;
  const shorts = (into: Int16Array): void => {
    for (let frame = 0; frame < frames; frame++) into[from + frame] = view.getInt16(at + 2 * frame, true);
    at += 2 * frames;
  };
  const octets = (into: Uint8Array): void => {
    into.set(chunk.subarray(at, at + frames), from);
    at += frames;
  };
  shorts(track.secondsRemaining);
  octets(track.flags);
  for (const body of track.bodies) {
    octets(body.isThere);
    for (const values of [...body.place, ...body.turn]) shorts(values);
    if (body.isCar) for (const values of [body.boost, body.flags]) octets(values);
  }
  track.loaded += frames;
}

/** Reads given numbers of bytes from a stream. */
class Incoming {
  private kept = new Uint8Array(0);

  constructor(private readonly reader: ReadableStreamDefaultReader<Uint8Array>) {}

  async take(length: number): Promise<Uint8Array> {
    while (this.kept.length < length) {
      const { done, value } = await this.reader.read();
      if (done) throw new Error("the track ends too early");
      const joined = new Uint8Array(this.kept.length + value.length);
      joined.set(this.kept);
      joined.set(value, this.kept.length);
      this.kept = joined;
    }
    const taken = this.kept.slice(0, length);
    this.kept = this.kept.subarray(length);
    return taken;
  }
}
