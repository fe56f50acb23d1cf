import type { Clip, Moment, Playback } from "./playback";

/** Marks of the timeline: their lanes and signs. */
const KINDS: Record<string, { lane: number; sign: string; group: string }> = {
  goal: { lane: 0, sign: "●", group: "goal" },
  shot: { lane: 1, sign: "▲", group: "shot" },
  save: { lane: 1, sign: "■", group: "save" },
  demolition: { lane: 1, sign: "✖", group: "demolition" },
  double_commit: { lane: 2, sign: "!", group: "mistake" },
  missed_rotation: { lane: 2, sign: "!", group: "mistake" },
  boost_starved: { lane: 2, sign: "!", group: "mistake" },
  missed_aerial: { lane: 2, sign: "!", group: "mistake" },
  conceded: { lane: 2, sign: "!", group: "mistake" },
};
/** Seconds before a mark at which a jump to it begins. */
const LEAD_S = 4;
/** Marks closer than this, to each other or to now, count as one jump. */
const NEAR_S = 1;

/** The timeline: position, loaded part, and marks of events. */
export class Timeline {
  private moments: Moment[] = [];
  private playback: Playback | null = null;
  private readonly slider: HTMLInputElement;
  private readonly marks: HTMLElement;
  private readonly clock: HTMLElement;
  private readonly loaded: HTMLElement;
  private shownTenth = -1;

  constructor(
    private readonly root: HTMLElement,
    private readonly say: (kind: string, moment: Moment) => string,
    private readonly seek: (time_s: number) => void,
  ) {
    this.slider = root.querySelector("[data-seek]")!;
    this.marks = root.querySelector("[data-marks]")!;
    this.clock = root.querySelector("[data-time]")!;
    this.loaded = root.querySelector("[data-loaded]")!;
    this.slider.addEventListener("input", () => seek(Number(this.slider.value)));
    for (const each of this.kinds) each.addEventListener("change", () => this.mark());
  }

  private get kinds(): HTMLInputElement[] {
    return [...this.root.querySelectorAll<HTMLInputElement>("[data-kind]")];
  }

  open(playback: Playback, clip: Clip, player: number): void {
    this.playback = playback;
    const [first, last] = [playback.first, playback.last];
    this.moments = clip.moments
      .filter(({ kind, time_s }) => kind in KINDS && time_s >= first && time_s <= last + 1)
      .sort((one, other) => one.time_s - other.time_s);
    [this.slider.min, this.slider.max, this.shownTenth] = [String(first), String(last), -1];
    const found = new Set(this.moments.map(({ kind }) => KINDS[kind]!.group));
    for (const each of this.kinds) each.closest("label")!.hidden = !found.has(each.dataset.kind!);
    this.choose(player);
  }

  /** Player whose mistakes are shown; 0: all. */
  choose(player: number): void {
    this.player = player;
    this.mark();
  }

  private player = 0;

  private get visible(): Moment[] {
    const asked = new Set(this.kinds.filter((each) => each.checked).map((each) => each.dataset.kind!));
    return this.moments.filter((each) => {
      const { group } = KINDS[each.kind]!;
      return asked.has(group) && (group !== "mistake" || this.player < 1 || each.player === this.player - 1);
    });
  }

  private mark(): void {
    const { playback } = this;
    if (!playback) return;
    const span = playback.last - playback.first || 1;
    const lanes = [...new Set(this.visible.map(({ kind }) => KINDS[kind]!.lane))].sort();
    this.marks.style.height = `${1.15 * lanes.length}rem`;
    this.marks.replaceChildren(
      ...this.visible.map((moment) => {
        const { lane, sign, group } = KINDS[moment.kind]!;
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: sign, tabIndex: -1 });
        button.className = `${group} ${moment.team ?? ""} lane-${lanes.indexOf(lane)}`;
        button.style.insetInlineStart = `${((100 * (moment.time_s - playback.first)) / span).toFixed(3)}%`;
        button.title = `${clock(moment.time_s)} ${this.say(moment.kind, moment)}`;
        button.setAttribute("aria-label", button.title);
        button.addEventListener("click", () => this.seek(Math.max(playback.first, moment.time_s - LEAD_S)));
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
    );
  }

  /** Jumps to the mark before or after now. */
  jump(way: 1 | -1): void {
    if (!this.playback) return;
    const now = this.playback.time + LEAD_S;
    const times = this.visible.map(({ time_s }) => time_s);
    const next = way > 0 ? times.find((time) => time > now + NEAR_S / 2) : times.findLast((time) => time < now - NEAR_S);
    if (next !== undefined) this.seek(Math.max(this.playback.first, next - LEAD_S));
    else if (way < 0) this.seek(this.playback.first);
  }

  show(): void {
    const { playback } = this;
    if (!playback) return;
    const tenth = Math.round(playback.time * 10);
    if (tenth !== this.shownTenth) {
      this.shownTenth = tenth;
      this.slider.value = playback.time.toFixed(2);
      const text = `${clock(playback.time)} / ${clock(playback.last)}`;
      this.clock.textContent = text;
      this.slider.setAttribute("aria-valuetext", text);
    }
    const span = playback.last - playback.first || 1;
    const has = playback.track.isWhole ? 1 : Math.min(1, Math.max(0, (playback.track.loaded_s - playback.first) / span));
    this.loaded.style.transform = `scaleX(${has})`;
  }
}

export function clock(time_s: number): string {
  const seconds = Math.max(0, Math.floor(time_s + 1e-6));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
