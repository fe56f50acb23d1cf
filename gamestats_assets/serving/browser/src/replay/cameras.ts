import { MathUtils, type PerspectiveCamera, Quaternion, Vector3 } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import type { Field } from "./field";
import { SCORE_PX } from "./picture";
import type { Sample, Track } from "./track";
import type { View } from "./views";

/** The game's default camera settings. */
const USUAL = { fov_deg: 110, height_uu: 100, pitch_deg: -3, distance_uu: 270, stiffness: 0.5 };
/** Aspect ratio to which the field of view refers. */
const SCREEN = 16 / 9;
const WIDEST_LOOK_UP = MathUtils.degToRad(62);

/** The camera. */
export class Cameras {
  view: View = "orbit";
  private readonly controls: OrbitControls;
  private readonly ball = new Vector3();
  private readonly car = new Vector3();
  private readonly way = new Vector3();
  private readonly aim = new Vector3();
  private readonly turn = new Quaternion();
  private heading = 0;
  private rise = 0;
  private snaps = true;
  private aspect = 0;

  constructor(
    private readonly camera: PerspectiveCamera,
    private readonly canvas: HTMLCanvasElement,
    private readonly field: Field,
    onMoved: () => void,
  ) {
    this.controls = new OrbitControls(camera, canvas);
    this.controls.enablePan = true;
    this.controls.maxDistance = 20_000;
    this.controls.minDistance = 350;
    this.controls.maxPolarAngle = MathUtils.degToRad(88);
    this.controls.addEventListener("change", onMoved);
    // One finger scrolls the page; two fingers zoom.
    canvas.style.touchAction = "pan-y";
    // The wheel scrolls the page until the picture has the focus.
    canvas.addEventListener("wheel", () => (this.controls.enableZoom = canvas.ownerDocument.activeElement === canvas), { capture: true });
  }

  dispose(): void {
    this.controls.dispose();
  }

  choose(view: View): void {
    this.view = view;
    this.snaps = true;
    this.controls.enabled = view === "orbit" || view === "ball";
    this.camera.up.set(0, 1, 0);
    const { long, wide } = this.field;
    if (view === "orbit") {
      const away = Math.max(1, 1.6 / this.camera.aspect) * Math.max(wide / 4096, long / 5120);
      this.camera.position.set(-8500 * away, 5000 * away, 0);
      this.controls.target.set(-150, 0, 0);
    } else if (view === "ball") {
      this.controls.target.copy(this.ball);
      this.camera.position.copy(this.ball).add(this.way.set(-1500, 750, 0));
    } else if (view === "top") {
      const isWide = this.camera.aspect > 1;
      this.camera.up.set(isWide ? 1 : 0, 0, isWide ? 0 : 1);
      const [across, up] = isWide ? [long + 1000, wide + 250] : [wide + 250, long + 1000];
      this.lens(28);
      // Leaves room for the score above the field.
      const room = Math.min(0.3, SCORE_PX[1] / Math.max(1, this.canvas.clientHeight));
      const half = Math.max(up / (1 - room), across / this.camera.aspect);
      this.aim.copy(this.camera.up).multiplyScalar(half * room);
      this.camera.position.set(this.aim.x, half / Math.tan(MathUtils.degToRad(14)), this.aim.z);
      this.camera.lookAt(this.aim);
    }
    if (view === "orbit" || view === "ball") {
      this.lens(45);
      this.controls.update();
    }
  }

  /** Fits the whole field again if the picture changes its shape. */
  reshape(): void {
    const isSame = Math.abs(this.camera.aspect - this.aspect) < 0.02;
    this.aspect = this.camera.aspect;
    if (!isSame && (this.view === "top" || this.view === "orbit")) this.choose(this.view);
  }

  /** Follows the scene; `jumps`: without a transition from the last picture. */
  move(track: Track, sample: Sample, chosen: number, passed_s: number, jumps: boolean): void {
    const ball = sample.body[0]!;
    this.aim.set(ball[0]!, ball[2]!, ball[1]!);
    if (this.view === "ball") {
      this.way.subVectors(this.aim, this.ball);
      this.camera.position.add(this.way);
      this.camera.position.y = Math.max(this.camera.position.y, 60);
      this.controls.target.copy(this.aim);
      this.controls.update();
    }
    this.ball.copy(this.aim);
    if (this.view === "follow") this.follow(track, sample, chosen, passed_s, jumps || this.snaps);
    this.snaps = false;
  }

  /** The player's own view, with the player's settings, and on the ball while ball cam was on. */
  private follow(track: Track, sample: Sample, chosen: number, passed_s: number, snaps: boolean): void {
    const number = chosen < 1 ? 1 : chosen;
    const body = sample.body[number];
    if (!body) return;
    const set = track.header.players[number - 1]!.camera ?? USUAL;
    this.lens(MathUtils.radToDeg(2 * Math.atan(Math.tan(MathUtils.degToRad(set.fov_deg / 2)) / SCREEN)));
    if (sample.isThere[number]) {
      this.car.set(body[0]!, body[2]!, body[1]!);
      this.turn.set(-body[3]!, -body[5]!, -body[4]!, body[6]!);
    }
    let [heading, rise] = [this.heading, 0];
    if (sample.isBallCam[number]) {
      this.way.subVectors(this.ball, this.car);
      this.way.y -= set.height_uu;
      heading = Math.atan2(this.way.z, this.way.x);
      rise = MathUtils.clamp(Math.atan2(this.way.y, Math.hypot(this.way.x, this.way.z)), -0.6, WIDEST_LOOK_UP);
    } else {
      this.way.set(1, 0, 0).applyQuaternion(this.turn);
      // A car that stands on its nose has no heading to follow.
      if (Math.hypot(this.way.x, this.way.z) > 0.25) heading = Math.atan2(this.way.z, this.way.x);
      rise = 0.5 * Math.asin(MathUtils.clamp(this.way.y, -1, 1));
    }
    const share = snaps ? 1 : 1 - Math.exp(-passed_s / MathUtils.lerp(0.16, 0.05, set.stiffness));
    let by = heading - this.heading;
    by -= 2 * Math.PI * Math.round(by / (2 * Math.PI));
    this.heading += share * by;
    this.rise += share * (rise - this.rise);
    const pitch = this.rise + MathUtils.degToRad(set.pitch_deg);
    this.way.set(Math.cos(this.heading) * Math.cos(this.rise), Math.sin(this.rise), Math.sin(this.heading) * Math.cos(this.rise));
    this.aim.copy(this.car);
    this.aim.y += set.height_uu;
    this.camera.position.copy(this.aim).addScaledVector(this.way, -set.distance_uu);
    this.keepInside(this.camera.position);
    this.way.set(Math.cos(this.heading) * Math.cos(pitch), Math.sin(pitch), Math.sin(this.heading) * Math.cos(pitch));
    this.aim.copy(this.camera.position).add(this.way);
    this.camera.lookAt(this.aim);
  }

  private keepInside(at: Vector3): void {
    const { wide, long, high, goal } = this.field;
    const isInMouth = goal && Math.abs(at.x) < goal.wide - 40 && at.y < goal.high - 30;
    const end = isInMouth ? long + goal.deep - 60 : long - 40;
    at.set(MathUtils.clamp(at.x, -wide + 40, wide - 40), MathUtils.clamp(at.y, 40, high - 40), MathUtils.clamp(at.z, -end, end));
  }

  private lens(fov_deg: number): void {
    if (Math.abs(this.camera.fov - fov_deg) < 0.01) return;
    this.camera.fov = fov_deg;
    this.camera.updateProjectionMatrix();
  }
}
