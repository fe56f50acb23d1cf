import {
  Color,
  DirectionalLight,
  HemisphereLight,
  InstancedMesh,
  type BufferGeometry,
  CylinderGeometry,
  Matrix4,
  Mesh,
  MeshBasicMaterial,
  MeshLambertMaterial,
  PerspectiveCamera,
  Scene,
  SphereGeometry,
  Vector3,
  WebGLRenderer,
} from "three";
import { Arena, type Paints } from "./arena";
import { Cameras } from "./cameras";
import { ballShape, carShape } from "./cars";
import { type Field, fieldOf, Pads } from "./field";
import { heatOf } from "./heat";
import { Labels } from "./labels";
import { isDark, type Picture, type Place, type Shown } from "./picture";
import type { Moment } from "./playback";
import { Sample, type Track } from "./track";
import { Traces } from "./traces";
import type { View } from "./views";

const LIGHT: Paints = {
  floor: "#5d7f6f", stripe: "#678a79", line: "#f4f8f6", blue: "#2f7fe0", orange: "#ee8a2e",
  sky: "#dfe8ef", ground: "#b9c7cf", wall: "#8fa3b0", grid: "#ffffff",
};
const DARK: Paints = {
  floor: "#2c4039", stripe: "#31473f", line: "#c9d8d1", blue: "#2360ad", orange: "#b5611a",
  sky: "#13181f", ground: "#222a33", wall: "#36434f", grid: "#8fa3b3",
};
/** Least size of a distant car on the screen, in pixels, and its largest enlargement. */
const SEEN_PX = 30;
const MOST_ENLARGED = 2.6;
const SLOW_MS = 42;
/** Colours of a pad's ground just after a pickup and just before the boost returns. */
const EMPTY = new Color("#5c676f");
const FULL = new Color("#d9b34a");
const PAD_STEPS = 16;

/** The field in three dimensions. */
export class World implements Picture {
  private readonly renderer: WebGLRenderer;
  private readonly camera = new PerspectiveCamera(45, 1.6, 20, 60_000);
  private readonly scene = new Scene();
  private readonly sun = new DirectionalLight(0xffffff, 1.9);
  private readonly labels: Labels;
  private stage: Stage | null = null;
  private ratio = Math.min(devicePixelRatio, 2);
  private slow = 0;
  private last = 0;
  private readonly isSoft: boolean;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    labels: HTMLElement,
    private readonly changed: () => void,
  ) {
    this.isSoft = drawsInSoftware();
    this.renderer = new WebGLRenderer({ canvas, antialias: !this.isSoft, powerPreference: "high-performance" });
    this.labels = new Labels(labels);
    this.sun.position.set(-4000, 9000, -2500);
    this.scene.add(this.sun, new HemisphereLight(0xe4efff, 0x55645c, 1.7));
    canvas.addEventListener("webglcontextrestored", changed);
  }

  open(track: Track, moments: Moment[]): void {
    this.stage?.dispose();
    this.stage = new Stage(track, moments, this.camera, this.canvas, this.isSoft, this.changed);
    this.scene.add(this.stage.arena.group, this.stage.traces.group, ...this.stage.objects);
    this.labels.open(track);
    this.colour();
  }

  colour(): void {
    const paints = isDark() ? DARK : LIGHT;
    this.scene.background = new Color(paints.sky);
    this.stage?.arena.paint(paints);
    this.stage?.traces.paint(paints);
  }

  resize(width: number, height: number): void {
    this.renderer.setPixelRatio(this.ratio);
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.stage?.cameras.reshape();
  }

  draw(shown: Shown): void {
    const { stage } = this;
    if (!stage) return;
    stage.show(shown, this.canvas.clientHeight);
    this.renderer.render(this.scene, this.camera);
    this.labels.show(shown, stage.sample, this.camera, this.canvas, stage.scale);
    this.ease(shown.passed_s > 0);
  }

  /** Draws fewer pixels if frames take long. */
  private ease(isPlaying: boolean): void {
    const now = performance.now();
    const took_ms = now - this.last;
    this.last = isPlaying ? now : Infinity;
    this.slow = took_ms > SLOW_MS ? this.slow + 1 : Math.max(0, this.slow - 1);
    if (this.slow < 12 || this.ratio <= 0.7) return;
    this.slow = 0;
    this.ratio *= 0.8;
    this.resize(this.canvas.clientWidth, this.canvas.clientHeight);
  }

  places(): Place[] {
    return (this.stage?.bodies ?? []).map(({ position, quaternion, visible }) => ({
      isThere: visible,
      x: position.x,
      y: position.z,
      z: position.y,
      turn: [-quaternion.x, -quaternion.z, -quaternion.y, quaternion.w],
    }));
  }
}

/** The objects of one replay. */
class Stage {
  readonly field: Field;
  readonly sample: Sample;
  readonly arena: Arena;
  readonly traces: Traces;
  readonly cameras: Cameras;
  readonly bodies: Mesh[];
  readonly scale: Float64Array;
  private readonly pads: Pads;
  private readonly smallPads: InstancedMesh;
  private readonly bigPads: InstancedMesh;
  private readonly bases: InstancedMesh;
  private readonly padIsBack: Int8Array;
  private readonly tint = new Color();
  private readonly matrix = new Matrix4();
  private readonly away = new Vector3();
  private heat = "";
  private hits = "";
  private view: View | null = null;

  constructor(
    private readonly track: Track,
    moments: Moment[],
    private readonly camera: PerspectiveCamera,
    canvas: HTMLCanvasElement,
    isSoft: boolean,
    changed: () => void,
  ) {
    const { players, pads } = track.header;
    this.field = fieldOf(track);
    this.sample = new Sample(track.bodies.length);
    this.scale = new Float64Array(track.bodies.length).fill(1);
    this.arena = new Arena(this.field, isSoft);
    this.traces = new Traces(track, this.field, moments);
    this.cameras = new Cameras(camera, canvas, this.field, changed);
    const paint = new MeshLambertMaterial({ vertexColors: true, flatShading: true });
    const shapes = new Map<string, BufferGeometry>();
    const cars = players.map(({ hitbox, team }) => {
      const key = `${hitbox} ${team}`;
      if (!shapes.has(key)) shapes.set(key, carShape(hitbox, team));
      return new Mesh(shapes.get(key)!, paint);
    });
    this.bodies = [new Mesh(ballShape(this.field.ball), new MeshLambertMaterial({ vertexColors: true, emissive: 0x303438 })), ...cars];
    this.pads = new Pads(track);
    const count = Math.max(1, pads.length);
    this.bases = new InstancedMesh(new CylinderGeometry(1, 1, 8, 20), new MeshBasicMaterial(), count);
    this.smallPads = new InstancedMesh(new CylinderGeometry(44, 44, 22, 12), new MeshBasicMaterial({ color: 0xffd24a }), count);
    this.bigPads = new InstancedMesh(new SphereGeometry(82, 16, 12), new MeshLambertMaterial({ color: 0xffc21f, emissive: 0xa06a00 }), count);
    this.padIsBack = new Int8Array(pads.length).fill(-1);
    for (const [pad, [x, y, , isBig]] of pads.entries()) {
      const wide = isBig ? 125 : 62;
      this.bases.setMatrixAt(pad, this.matrix.makeScale(wide, 1, wide).setPosition(x, 4, y));
      for (const mesh of [this.smallPads, this.bigPads]) mesh.setMatrixAt(pad, this.matrix.makeScale(0, 0, 0));
    }
    for (const each of [this.bases, this.smallPads, this.bigPads]) {
      each.frustumCulled = false;
      each.visible = pads.length > 0;
    }
  }

  get objects() {
    return [...this.bodies, this.bases, this.smallPads, this.bigPads];
  }

  show(shown: Shown, height_px: number): void {
    this.track.sample(shown.time, this.sample);
    for (const [number, mesh] of this.bodies.entries()) {
      const body = this.sample.body[number]!;
      mesh.position.set(body[0]!, body[2]!, body[1]!);
      mesh.quaternion.set(-body[3]!, -body[5]!, -body[4]!, body[6]!);
      mesh.visible = this.sample.isThere[number] === 1;
    }
    if (shown.view !== this.view) this.cameras.choose((this.view = shown.view));
    this.cameras.move(this.track, this.sample, shown.chosen, shown.passed_s, shown.jumps);
    this.camera.updateMatrixWorld();
    this.arena.lookFrom(this.camera.position.x, this.camera.position.z);
    this.enlarge(height_px);
    this.showPads(shown.time);
    this.traces.show(this.sample, shown, this.scale);
    this.showFigures(shown);
  }

  /** Enlarges distant cars in place. */
  private enlarge(height_px: number): void {
    const focal = height_px / 2 / Math.tan((this.camera.fov * Math.PI) / 360);
    for (const [number, mesh] of this.bodies.entries()) {
      const seen = ((number ? 120 : 2 * this.field.ball) * focal) / this.away.subVectors(mesh.position, this.camera.position).length();
      const wanted = this.view === "follow" ? 1 : Math.min(MOST_ENLARGED, Math.max(1, SEEN_PX / seen));
      this.scale[number] = number ? wanted : Math.min(1.6, wanted);
      mesh.scale.setScalar(this.scale[number]!);
    }
  }

  /** Shows a pad's boost, or on its ground how soon it returns. */
  private showPads(time_s: number): void {
    const { pads } = this.track.header;
    for (let pad = 0; pad < pads.length; pad++) {
      const back = Math.floor(this.pads.back(pad, time_s) * PAD_STEPS);
      if (back === this.padIsBack[pad]) continue;
      const wasThere = this.padIsBack[pad] === PAD_STEPS;
      this.padIsBack[pad] = back;
      this.bases.setColorAt(pad, this.tint.lerpColors(EMPTY, FULL, back / PAD_STEPS));
      this.bases.instanceColor!.needsUpdate = true;
      if (wasThere !== (back === PAD_STEPS)) this.raisePad(pad, back === PAD_STEPS ? 1 : 0);
    }
  }

  private raisePad(pad: number, size: number): void {
    const [x, y, , isBig] = this.track.header.pads[pad]!;
    const mesh = isBig ? this.bigPads : this.smallPads;
    mesh.setMatrixAt(pad, this.matrix.makeScale(size, size, size).setPosition(x, isBig ? 150 : 14, y));
    mesh.instanceMatrix.needsUpdate = true;
  }

  private showFigures({ heat, hits, chosen }: Shown): void {
    const heatKey = `${heat} ${chosen} ${this.track.loaded}`;
    if (heatKey !== this.heat) {
      this.heat = heatKey;
      this.traces.showHeat(heatOf(this.track, this.field, Math.max(0, chosen), heat));
    }
    const hitsKey = `${hits} ${chosen}`;
    if (hitsKey !== this.hits) {
      this.hits = hitsKey;
      this.traces.showHits(chosen, hits);
    }
  }

  dispose(): void {
    this.cameras.dispose();
    for (const root of [this.arena.group, this.traces.group, ...this.objects]) {
      root.removeFromParent();
      root.traverse((each) => {
        const { geometry, material } = each as Partial<Mesh<BufferGeometry, MeshBasicMaterial>>;
        geometry?.dispose();
        material?.map?.dispose();
        material?.dispose();
      });
    }
  }
}

/** Whether WebGL runs in software; edges are then not smoothed. */
function drawsInSoftware(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2");
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = info ? String(gl!.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}
