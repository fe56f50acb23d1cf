import {
  BufferAttribute,
  BufferGeometry,
  CanvasTexture,
  CircleGeometry,
  Color,
  ConeGeometry,
  DynamicDrawUsage,
  Group,
  IcosahedronGeometry,
  InstancedMesh,
  LineBasicMaterial,
  LineSegments,
  LinearFilter,
  Matrix4,
  Mesh,
  MeshBasicMaterial,
  PlaneGeometry,
  Quaternion,
  RingGeometry,
  SRGBColorSpace,
  Vector3,
} from "three";
import { LineMaterial } from "three/addons/lines/LineMaterial.js";
import { LineSegments2 } from "three/addons/lines/LineSegments2.js";
import { LineSegmentsGeometry } from "three/addons/lines/LineSegmentsGeometry.js";
import type { Paints } from "./arena";
import { type Field, TEAM_COLOURS } from "./field";
import type { Shown } from "./picture";
import type { Moment } from "./playback";
import type { Sample, Touch, Track } from "./track";

const TRAIL_FRAMES = 24;
const BURST_S = 0.9;
const MOST_BURSTS = 4;
const HIDDEN = new Matrix4().makeScale(0, 0, 0);

/** What is seen of bodies beside themselves: shadows, trails, flames, where they hit and where they were. */
export class Traces {
  readonly group = new Group();
  private readonly shadows: InstancedMesh;
  private readonly flames: InstancedMesh;
  private readonly bursts: InstancedMesh;
  private readonly drops: LineSegments<BufferGeometry, LineBasicMaterial>;
  private readonly trails: LineSegments2;
  private readonly trailColours: Color[];
  private readonly ring: Mesh<BufferGeometry, MeshBasicMaterial>;
  private readonly hits: InstancedMesh;
  private readonly heat: Mesh<PlaneGeometry, MeshBasicMaterial>;
  private readonly blasts: Moment[];
  private readonly touches: Touch[];
  private readonly matrix = new Matrix4();
  private readonly place = new Vector3();
  private readonly size = new Vector3();
  private readonly turn = new Quaternion();
  private readonly flat = new Quaternion().setFromAxisAngle(new Vector3(1, 0, 0), -Math.PI / 2);
  private readonly upright = new Quaternion();
  private readonly backwards = new Quaternion().setFromAxisAngle(new Vector3(0, 0, 1), Math.PI / 2);
  private readonly tint = new Color();
  private readonly fade = new Color();

  constructor(
    private readonly track: Track,
    private readonly field: Field,
    moments: Moment[],
  ) {
    const bodies = track.bodies.length;
    const dark = new MeshBasicMaterial({ color: 0, transparent: true, opacity: 0.38, depthWrite: false });
    this.shadows = instanced(new CircleGeometry(1, 20), dark, bodies);
    this.flames = instanced(new ConeGeometry(11, 80, 8, 1, true), new MeshBasicMaterial({ color: 0xffb63d, transparent: true, opacity: 0.85 }), bodies);
    const blast = new MeshBasicMaterial({ transparent: true, opacity: 0.45, depthWrite: false });
    this.bursts = instanced(new IcosahedronGeometry(1, 3), blast, MOST_BURSTS);
    this.blasts = moments.filter((each) => each.kind === "demolition" || each.kind === "goal");
    this.touches = track.header.touches.filter(([, , , x]) => x !== null);
    this.hits = instanced(new IcosahedronGeometry(46, 1), new MeshBasicMaterial(), this.touches.length);
    const drops = new BufferGeometry();
    drops.setAttribute("position", new BufferAttribute(new Float32Array(6 * bodies), 3).setUsage(DynamicDrawUsage));
    this.drops = new LineSegments(drops, new LineBasicMaterial({ transparent: true, opacity: 0.55 }));
    this.trails = new LineSegments2(
      new LineSegmentsGeometry().setPositions(new Float32Array(6 * bodies * TRAIL_FRAMES)).setColors(new Float32Array(6 * bodies * TRAIL_FRAMES)),
      new LineMaterial({ vertexColors: true, linewidth: 3 }),
    );
    this.trailColours = track.bodies.map((_, number) => new Color(number ? TEAM_COLOURS[track.header.players[number - 1]!.team] : "#ffffff"));
    this.ring = new Mesh(new RingGeometry(120, 150, 32), new MeshBasicMaterial({ color: 0xffffff, transparent: true, opacity: 0.9, depthWrite: false }));
    this.ring.quaternion.copy(this.flat);
    this.heat = new Mesh(new PlaneGeometry(2 * field.wide, 2 * field.long), new MeshBasicMaterial({ transparent: true, depthWrite: false }));
    this.heat.quaternion.copy(this.flat);
    this.heat.position.y = 5;
    for (const each of [this.drops, this.trails, this.ring]) each.frustumCulled = false;
    for (const [order, each] of [this.heat, this.shadows, this.ring].entries()) each.renderOrder = 1 + order;
    this.group.add(this.heat, this.shadows, this.ring, this.flames, this.bursts, this.drops, this.trails, this.hits);
    this.showHeat(null);
    this.showHits(-1, false);
  }

  paint(paints: Paints): void {
    this.drops.material.color.set(paints.line);
    this.fade.set(paints.floor);
  }

  showHeat(canvas: HTMLCanvasElement | null): void {
    this.heat.visible = canvas !== null;
    this.heat.material.map?.dispose();
    if (!canvas) return;
    const texture = new CanvasTexture(canvas);
    texture.colorSpace = SRGBColorSpace;
    texture.magFilter = LinearFilter;
    // The picture's rows go along y, which is towards whom looks at the plane from above.
    texture.flipY = true;
    this.heat.material.map = texture;
    this.heat.material.needsUpdate = true;
  }

  /** Where the ball was touched: by a player, or with 0 by everybody. */
  showHits(player: number, shows: boolean): void {
    this.hits.visible = shows && this.touches.length > 0;
    for (const [index, [, by, isOrange, x, y, z]] of this.touches.entries()) {
      this.matrix.makeTranslation(x!, z!, y!);
      this.hits.setMatrixAt(index, player < 1 || by === player - 1 ? this.matrix : HIDDEN);
      this.hits.setColorAt(index, this.tint.set(TEAM_COLOURS[isOrange ? "orange" : "blue"]));
    }
    this.hits.instanceMatrix.needsUpdate = true;
    if (this.hits.instanceColor) this.hits.instanceColor.needsUpdate = true;
  }

  show(sample: Sample, { chosen, trails, view }: Shown, scale: Float64Array): void {
    const drops = this.drops.geometry.getAttribute("position") as BufferAttribute;
    for (let number = 0; number < sample.body.length; number++) {
      const [x, y, z] = sample.body[number] as unknown as [number, number, number];
      const isThere = sample.isThere[number] === 1;
      const half = number ? 62 : this.field.ball;
      const shrink = (1 - 0.5 * Math.min(1, z / this.field.high)) * half * scale[number]!;
      this.place.set(x, 3, y);
      this.matrix.compose(this.place, this.flat, this.size.setScalar(shrink));
      this.shadows.setMatrixAt(number, isThere ? this.matrix : HIDDEN);
      const isHigh = isThere && z > 260;
      drops.setXYZ(2 * number, x, isHigh ? z : 0, y);
      drops.setXYZ(2 * number + 1, x, 0, y);
      this.flame(sample, number, isThere, scale[number]!);
    }
    drops.needsUpdate = true;
    this.shadows.instanceMatrix.needsUpdate = true;
    this.flames.instanceMatrix.needsUpdate = true;
    // Who is followed needs no ring, and his way lies behind him.
    const followed = view === "follow" ? Math.max(1, chosen) : -1;
    const body = chosen > 0 && chosen !== followed ? sample.body[chosen] : undefined;
    this.ring.visible = body !== undefined && sample.isThere[chosen] === 1;
    if (body) {
      this.ring.position.set(body[0]!, 4, body[1]!);
      this.ring.scale.setScalar(scale[chosen]!);
    }
    this.burst(sample);
    this.trails.visible = trails;
    if (trails) this.trail(sample, followed);
  }

  private flame(sample: Sample, number: number, isThere: boolean, scale: number): void {
    if (!number || !isThere || !sample.isBoosting[number]) {
      this.flames.setMatrixAt(number, HIDDEN);
      return;
    }
    const [x, y, z, a, b, c, d] = sample.body[number] as unknown as number[];
    this.turn.set(-a!, -c!, -b!, d!);
    // Behind the car, and flickering a little with time.
    const long = 1 + 0.25 * Math.sin(sample.time * 60 + number);
    this.place.set(-50 - 40 * long, 15, 0).multiplyScalar(scale).applyQuaternion(this.turn);
    this.place.x += x!;
    this.place.y += z!;
    this.place.z += y!;
    this.turn.multiply(this.backwards);
    this.matrix.compose(this.place, this.turn, this.size.set(scale, scale * long, scale));
    this.flames.setMatrixAt(number, this.matrix);
  }

  /** A goal and a demolition are seen for a moment: as long ago as they are, so wide. */
  private burst(sample: Sample): void {
    let used = 0;
    for (const each of this.blasts) {
      const since = sample.time - each.time_s;
      if (since < 0 || since > BURST_S || used === MOST_BURSTS) continue;
      const share = since / BURST_S;
      const isGoal = each.kind === "goal";
      if (!lastPlace(this.track, isGoal ? 0 : (each.other_player ?? -2) + 1, each.time_s, this.place)) continue;
      this.matrix.compose(this.place, this.upright, this.size.setScalar((isGoal ? 900 : 260) * Math.sqrt(share) + 30));
      this.bursts.setMatrixAt(used, this.matrix);
      const colour = isGoal ? TEAM_COLOURS[each.team === "blue" ? "blue" : "orange"] : "#ffe2a0";
      this.bursts.setColorAt(used, this.tint.set(colour));
      used += 1;
    }
    this.bursts.visible = used > 0;
    this.bursts.count = used;
    this.bursts.instanceMatrix.needsUpdate = true;
    if (this.bursts.instanceColor) this.bursts.instanceColor.needsUpdate = true;
  }

  private trail(sample: Sample, followed: number): void {
    const { geometry } = this.trails;
    const points = (geometry.attributes.instanceStart as unknown as Interleaved).data;
    const colours = (geometry.attributes.instanceColorStart as unknown as Interleaved).data;
    let at = 0;
    for (let number = 0; number < sample.body.length; number++) {
      const body = this.track.bodies[number]!;
      const [px, py, pz] = body.place as [Int16Array, Int16Array, Int16Array];
      const now = sample.body[number]!;
      let [x, y, z] = [now[0]!, now[1]!, now[2]!];
      let isBroken = !sample.isThere[number] || number === followed;
      for (let back = 0; back < TRAIL_FRAMES; back++) {
        const frame = sample.frame - back;
        // From now to the frame before, and from there on back.
        isBroken ||= frame < 0 || (back > 0 && !this.track.joins(body, frame));
        const { scale } = this.track.header;
        const [u, v, w] = isBroken ? [x, y, z] : [px[frame]! / scale, py[frame]! / scale, pz[frame]! / scale];
        const colour = this.trailColours[number]!;
        put(points.array, at, x, z, y);
        put(points.array, at + 3, u, w, v);
        mix(colours.array, at, this.fade, colour, 1 - back / TRAIL_FRAMES);
        mix(colours.array, at + 3, this.fade, colour, 1 - (back + 1) / TRAIL_FRAMES);
        [x, y, z] = [u, v, w];
        at += 6;
      }
    }
    points.needsUpdate = true;
    colours.needsUpdate = true;
  }
}

interface Interleaved {
  data: { array: Float32Array; needsUpdate: boolean };
}

function put(array: Float32Array, at: number, x: number, y: number, z: number): void {
  array[at] = x;
  array[at + 1] = y;
  array[at + 2] = z;
}

function mix(array: Float32Array, at: number, from: Color, to: Color, share: number): void {
  put(array, at, from.r + share * (to.r - from.r), from.g + share * (to.g - from.g), from.b + share * (to.b - from.b));
}

/** Where a body was last at a time, as it is drawn. */
function lastPlace(track: Track, number: number, time_s: number, into: Vector3): boolean {
  const body = track.bodies[number];
  if (!body) return false;
  let frame = track.frameAt(time_s);
  while (frame > 0 && !body.isThere[frame]) frame -= 1;
  const [x, y, z] = body.place as [Int16Array, Int16Array, Int16Array];
  into.set(x[frame]!, z[frame]!, y[frame]!).divideScalar(track.header.scale);
  return true;
}

function instanced(geometry: BufferGeometry, material: MeshBasicMaterial, count: number): InstancedMesh {
  const mesh = new InstancedMesh(geometry, material, Math.max(count, 1));
  mesh.frustumCulled = false;
  mesh.instanceMatrix.setUsage(DynamicDrawUsage);
  return mesh;
}
