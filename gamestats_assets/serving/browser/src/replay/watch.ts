import { onColours } from "../colours";
import { type View, VIEWS } from "./views";
import type { Heat } from "./heat";
import { Panel } from "./panel";
import type { Picture, Place, Shown } from "./picture";
import { type Clip, Playback, SPEEDS } from "./playback";
import { clock, Timeline } from "./timeline";
import { TopView } from "./topview";
import { open, type Track } from "./track";

interface Data {
  clips: Clip[];
  texts: Record<string, string>;
}

const SKIP_S = 5;
/** A tab that was hidden continues where it was. */
const LONGEST_STEP_S = 0.25;
const BETWEEN_CLIPS_MS = 900;
/** Number of tracks kept in memory, so that clips of one replay load it once. */
const MOST_TRACKS = 3;

/** The page of the replay viewer. */
class Watch {
  private readonly data: Data;
  private readonly timeline: Timeline;
  private readonly panel: Panel;
  private readonly flat: HTMLCanvasElement;
  private readonly solid: HTMLCanvasElement;
  private readonly top: TopView;
  private world: Picture | null = null;
  private picture: Picture | null = null;
  private playback: Playback | null = null;
  private readonly tracks = new Map<string, Promise<Track>>();
  private clip = -1;
  private chosen = 0;
  private view: View = "orbit";
  private jumps = true;
  private asked = 0;
  private last = 0;
  private failed = "";
  private readonly ready: Promise<typeof import("./world") | null>;

  constructor(private readonly root: HTMLElement) {
    this.data = JSON.parse(document.getElementById("replay-data")!.textContent!);
    [this.solid, this.flat] = [this.one("[data-solid]"), this.one("[data-flat]")];
    this.top = new TopView(this.flat);
    const say = (kind: string, { player }: { player: number | null }): string => {
      const name = player === null ? undefined : this.playback?.track.header.players[player]?.name;
      return [this.data.texts[kind] ?? kind, name].filter(Boolean).join(" · ");
    };
    this.timeline = new Timeline(this.root, say, (time_s) => this.seek(time_s));
    this.panel = new Panel(this.root, this.data.texts, (player) => this.choose(player === this.chosen ? 0 : player));
    const asked = this.address();
    const first = Math.min(Math.max(Number(asked.get("clip") ?? 1) - 1, 0), this.data.clips.length - 1);
    // The renderer is large: it loads together with the track.
    this.ready = hasWebGl() ? import("./world").catch(() => null) : Promise.resolve(null);
    this.wire();
    if (this.data.clips.length) void this.open(first, asked);
  }

  /** Shows a clip of the page's list; a deep link shows its moment paused. */
  async open(index: number, asked: URLSearchParams): Promise<void> {
    const clip = this.data.clips[index]!;
    this.clip = index;
    this.playback = null;
    delete this.root.dataset.drawn;
    this.say(this.data.texts.loading!);
    if (clip.whole) {
      this.one<HTMLElement>("[data-clip-title]").textContent = clip.title;
      this.one<HTMLAnchorElement>("[data-whole]").href = clip.whole;
    }
    for (const [number, each] of [...this.root.querySelectorAll("[data-clip]")].entries()) {
      if (number === index) each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    }
    try {
      const [track, found] = await Promise.all([this.track(clip.track), this.ready]);
      if (this.clip !== index) return;
      this.playback = new Playback(track, clip);
      this.playback.speed = Number(this.one<HTMLSelectElement>("[data-speed]").value);
      this.playback.skips = this.isOn("skips");
      this.build(found);
      for (const each of this.pictures) each.open(track, clip.moments);
      const wanted = Number(asked.get("player") ?? (clip.player === null ? (clip.own[0] ?? -1) : clip.player) + 1);
      this.panel.open(track);
      this.timeline.open(this.playback, clip, 0);
      this.choose(wanted >= 0 && wanted <= track.header.players.length ? wanted : 0);
      this.follow(asked);
      const isLinked = asked.has("t");
      if (!isLinked && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.play(true);
      else if (this.isList && !isLinked) this.play(true);
      this.say("");
      this.jump();
      const next = this.data.clips[index + 1];
      if (next) void this.track(next.track).catch(() => undefined);
    } catch {
      if (this.clip === index) this.say(this.data.texts.failed!, true);
    }
  }

  private get isList(): boolean {
    return this.data.clips.length > 1;
  }

  private get pictures(): Picture[] {
    return this.world ? [this.world, this.top] : [this.top];
  }

  private track(address: string): Promise<Track> {
    const known = this.tracks.get(address);
    if (known) return known;
    const coming = open(
      fetch(address),
      () => this.ask(),
      (error) => {
        if (error) this.tracks.delete(address);
        if (error && this.data.clips[this.clip]?.track === address) this.say(this.data.texts.cut_off!, true);
        if (this.playback && this.data.clips[this.clip]?.track === address) {
          this.timeline.open(this.playback, this.playback.clip, this.chosen);
        }
        this.ask();
      },
    );
    coming.catch(() => this.tracks.delete(address));
    this.tracks.set(address, coming);
    if (this.tracks.size > MOST_TRACKS) this.tracks.delete(this.tracks.keys().next().value!);
    return coming;
  }

  private build(found: typeof import("./world") | null): void {
    if (this.picture) return;
    try {
      if (found) this.world = new found.World(this.solid, this.one("[data-labels]"), () => this.ask());
    } catch {
      // WebGL has failed.
    }
    if (!this.world) {
      for (const each of this.all<HTMLInputElement>("[data-view]")) if (each.value !== "flat") each.disabled = true;
      this.one<HTMLElement>("[data-no-webgl]").hidden = false;
    }
    this.see(this.world ? "orbit" : "flat");
    new ResizeObserver(() => this.resize()).observe(this.one("[data-stage]"));
    onColours(() => {
      for (const each of this.pictures) each.colour();
      this.ask();
    });
  }

  /* ------------------------------------------------------------ what is asked for */

  play(is: boolean): void {
    const { playback } = this;
    if (!playback) return;
    if (is && playback.isOver) this.seek(playback.first);
    playback.isPlaying = is;
    this.last = 0;
    this.showPlaying();
    if (!is) this.remember();
    this.ask();
  }

  seek(time_s: number): void {
    this.playback?.seek(time_s);
    this.jump();
    if (this.playback && !this.playback.isPlaying) this.remember();
  }

  private jump(): void {
    this.jumps = true;
    this.ask();
  }

  choose(player: number): void {
    this.chosen = player;
    this.timeline.choose(player);
    this.jump();
  }

  see(view: View): void {
    this.view = this.world ? view : "flat";
    const isFlat = this.view === "flat";
    this.picture = isFlat ? this.top : this.world;
    this.solid.hidden = this.one<HTMLElement>("[data-labels]").hidden = isFlat;
    this.flat.hidden = !isFlat;
    for (const each of this.all<HTMLInputElement>("[data-view]")) each.checked = each.value === this.view;
    if (this.view === "follow" && !this.chosen) this.choose((this.data.clips[this.clip]?.own[0] ?? 0) + 1);
    this.resize();
    this.jump();
  }

  private async next(by: number): Promise<void> {
    const index = this.clip + by;
    if (index >= 0 && index < this.data.clips.length) await this.open(index, new URLSearchParams());
  }

  /** Goes to the moment in the address: `#t=83.2&player=2&camera=follow`. */
  private follow(asked: URLSearchParams): void {
    const camera = asked.get("camera") as View | null;
    if (camera && VIEWS.includes(camera)) this.see(camera);
    const time = Number(asked.get("t"));
    if (asked.has("t") && Number.isFinite(time)) this.seek(time);
  }

  /** Reads the address; after `?`, a player is the account whose page it is. */
  private address(): URLSearchParams {
    const asked = new URLSearchParams(location.hash.slice(1));
    const more = new URLSearchParams(location.search);
    for (const name of ["t", "camera", "clip"]) if (!asked.has(name) && more.has(name)) asked.set(name, more.get(name)!);
    return asked;
  }

  private link(): string {
    const said: Record<string, string> = this.isList ? { clip: String(this.clip + 1) } : {};
    if (this.playback) said.t = this.playback.time.toFixed(2).replace(/\.?0+$/, "");
    if (this.chosen) said.player = String(this.chosen);
    if (this.view !== "orbit") said.camera = this.view;
    return `#${new URLSearchParams(said)}`;
  }

  private remember(): void {
    history.replaceState(history.state, "", this.link());
  }

  /* ------------------------------------------------------------ drawing */

  /** Requests another frame. */
  private ask(): void {
    if (!this.asked) this.asked = requestAnimationFrame((now) => this.frame(now));
  }

  private frame(now: number): void {
    this.asked = 0;
    const { playback } = this;
    if (!playback || !this.picture) return;
    const before = playback.time;
    if (playback.isPlaying) {
      const passed = this.last ? Math.min((now - this.last) / 1000, LONGEST_STEP_S) : 0;
      this.last = now;
      if (playback.advance(passed)) this.jumps = true;
      if (!this.failed) this.say(playback.isWaiting ? this.data.texts.loading! : "");
      if (!playback.isPlaying) this.ended();
      this.ask();
    }
    this.draw(this.jumps ? 0 : playback.time - before);
  }

  private readonly shown: Shown = {
    time: 0, passed_s: 0, jumps: true, chosen: 0, view: "orbit", trails: true, hits: false, labels: true, heat: "",
  };

  private draw(passed_s: number): void {
    const { shown, playback } = this;
    shown.time = playback!.time;
    [shown.passed_s, shown.jumps, shown.chosen, shown.view] = [passed_s, this.jumps, this.chosen, this.view];
    this.jumps = false;
    this.picture!.draw(shown);
    this.timeline.show();
    this.panel.show(playback!, this.chosen);
    if (!this.root.dataset.drawn) performance.mark("first picture");
    // How much is drawn: `some` of the replay, or the `whole`.
    const drawn = playback!.track.isWhole ? "whole" : "some";
    if (this.root.dataset.drawn !== drawn) this.root.dataset.drawn = drawn;
  }

  private ended(): void {
    this.showPlaying();
    if (!this.isList) return this.remember();
    const clip = this.clip;
    setTimeout(() => {
      if (this.clip === clip && !this.playback?.isPlaying && this.playback?.isOver) void this.next(1);
    }, BETWEEN_CLIPS_MS);
  }

  private resize(): void {
    const stage = this.one<HTMLElement>("[data-stage]");
    if (stage.clientWidth) this.picture?.resize(stage.clientWidth, stage.clientHeight);
    this.ask();
  }

  private showPlaying(): void {
    const is = this.playback?.isPlaying ?? false;
    const button = this.one<HTMLElement>("[data-play]");
    button.setAttribute("aria-label", this.data.texts[is ? "pause" : "play"]!);
    button.title = this.data.texts[is ? "pause" : "play"]!;
    button.classList.toggle("playing", is);
  }

  private say(text: string, isWrong = false): void {
    const said = this.one<HTMLElement>("[data-said]");
    this.failed = isWrong ? text : "";
    if (said.textContent !== text) said.textContent = text;
    said.classList.toggle("error", isWrong);
  }

  /* ------------------------------------------------------------ what is clicked and pressed */

  private wire(): void {
    const acts: Record<string, () => void> = {
      "[data-play]": () => this.play(!this.playback?.isPlaying),
      "[data-previous]": () => this.timeline.jump(-1),
      "[data-next]": () => this.timeline.jump(1),
      "[data-frame-back]": () => this.step(-1),
      "[data-frame-on]": () => this.step(1),
      "[data-help]": () => this.one<HTMLDialogElement>("dialog").showModal(),
      "[data-full]": () => void (document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen()),
      "[data-link]": () => void this.copy(),
      "[data-clip-back]": () => void this.next(-1),
      "[data-clip-on]": () => void this.next(1),
    };
    for (const [selector, act] of Object.entries(acts)) this.root.querySelector(selector)?.addEventListener("click", act);
    this.one("[data-speed]").addEventListener("change", () => this.hurry(0));
    for (const each of this.all<HTMLInputElement>("[data-view]")) each.addEventListener("change", () => this.see(each.value as View));
    for (const each of this.all("[data-option], [data-heat]")) each.addEventListener("change", () => this.options());
    for (const [index, each] of this.all<HTMLElement>("[data-clip]").entries()) {
      each.addEventListener("click", (event) => {
        event.preventDefault();
        void this.open(index, new URLSearchParams());
      });
    }
    for (const canvas of [this.solid, this.flat]) canvas.addEventListener("dblclick", () => this.play(!this.playback?.isPlaying));
    document.addEventListener("keydown", (event) => this.press(event));
    addEventListener("hashchange", () => {
      const asked = this.address();
      const clip = Number(asked.get("clip") ?? this.clip + 1) - 1;
      if (clip !== this.clip && this.data.clips[clip]) return void this.open(clip, asked);
      if (asked.has("player")) this.choose(Number(asked.get("player")));
      this.follow(asked);
      this.root.scrollIntoView({ block: "nearest" });
    });
    addEventListener("beforeprint", () => this.print());
    this.options();
  }

  private options(): void {
    const { shown } = this;
    [shown.trails, shown.hits, shown.labels] = [this.isOn("trails"), this.isOn("hits"), this.isOn("labels")];
    shown.heat = this.one<HTMLSelectElement>("[data-heat]").value as Heat;
    if (this.playback) this.playback.skips = this.isOn("skips");
    this.ask();
  }

  private isOn(name: string): boolean {
    return this.one<HTMLInputElement>(`[data-option="${name}"]`).checked;
  }

  private step(by: number): void {
    if (this.playback?.isPlaying) this.play(false);
    this.playback?.step(by);
    this.jump();
    this.remember();
  }

  private hurry(by: number): void {
    const select = this.one<HTMLSelectElement>("[data-speed]");
    const at = Math.min(Math.max(SPEEDS.indexOf(Number(select.value)) + by, 0), SPEEDS.length - 1);
    select.value = String(SPEEDS[at]);
    if (this.playback) this.playback.speed = SPEEDS[at]!;
  }

  private press(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const isForm = target.matches("select, textarea, input:not([type=range], [type=radio], [type=checkbox])");
    if (event.ctrlKey || event.metaKey || event.altKey || isForm || this.root.querySelector("dialog[open]")) return;
    // The space bar presses a focused button by itself.
    if (event.key === " " && target.matches("button, summary, a, [type=radio], [type=checkbox]")) return;
    if (event.key.startsWith("Arrow") && target.matches("[type=radio]")) return;
    const { time } = this.playback ?? { time: 0 };
    const acts: Record<string, () => void> = {
      " ": () => this.play(!this.playback?.isPlaying),
      ArrowLeft: () => this.seek(time - SKIP_S),
      ArrowRight: () => this.seek(time + SKIP_S),
      ArrowUp: () => this.hurry(1),
      ArrowDown: () => this.hurry(-1),
      ",": () => this.step(-1),
      ".": () => this.step(1),
      p: () => this.timeline.jump(-1),
      n: () => this.timeline.jump(1),
      "?": () => this.one<HTMLDialogElement>("dialog").showModal(),
    };
    for (const [index, view] of VIEWS.entries()) acts[String(index + 1)] = () => this.see(view);
    const act = acts[event.key];
    // Arrows up and down scroll the page unless the picture has the focus.
    if (!act || (/Arrow(Up|Down)/.test(event.key) && !this.root.contains(target))) return;
    event.preventDefault();
    act();
  }

  private async copy(): Promise<void> {
    this.remember();
    try {
      await navigator.clipboard.writeText(location.href);
      this.say(this.data.texts.copied!);
    } catch {
      this.say(this.data.texts.in_address!);
    }
    setTimeout(() => this.say(""), 2500);
  }

  /** Prints show the field from above at this moment. */
  private print(): void {
    const { playback } = this;
    if (!playback) return;
    const paper = this.one<HTMLCanvasElement>("[data-paper]");
    const view = new TopView(paper, true);
    view.open(playback.track);
    view.resize(1000, 720);
    view.draw({ ...this.shown, time: playback.time, chosen: this.chosen, labels: true });
    this.one<HTMLElement>("[data-paper-time]").textContent = clock(playback.time);
  }

  private one<T extends Element = HTMLElement>(selector: string): T {
    return this.root.querySelector<T>(selector)!;
  }

  private all<T extends Element = HTMLElement>(selector: string): T[] {
    return [...this.root.querySelectorAll<T>(selector)];
  }

  /* ------------------------------------------------------------ what tests and extensions ask */

  get state() {
    const { playback, view, chosen, clip } = this;
    return {
      time: playback?.time ?? 0, isPlaying: playback?.isPlaying ?? false, speed: playback?.speed ?? 1, view, chosen, clip,
      loaded: playback?.track.loaded ?? 0, isWhole: playback?.track.isWhole ?? false, isFlat: this.picture === this.top,
    };
  }

  /** Returns the drawn positions at a time, in unreal units: the ball, then the players in order. */
  at(time_s: number): Place[] {
    this.playback!.seek(time_s);
    this.draw(0);
    return this.picture!.places();
  }
}

function hasWebGl(): boolean {
  try {
    return document.createElement("canvas").getContext("webgl2") !== null;
  } catch {
    return false;
  }
}

const root = document.getElementById("replay");
if (root) Object.assign(window, { gamestatsReplay: new Watch(root) });
