import {
  BufferAttribute,
  BufferGeometry,
  CanvasTexture,
  Color,
  DoubleSide,
  Group,
  LineBasicMaterial,
  LineSegments,
  Mesh,
  MeshBasicMaterial,
  ShapeUtils,
  SRGBColorSpace,
  Vector2,
} from "three";
import { type Field, outline } from "./field";
import { type Colours, drawField, HOOP, hoop } from "./floor";

/** How far the floor bends into the walls, and the walls into the ceiling. */
const BEND = 256;
const BEND_STEPS = 6;
const TEXELS = 2048;
/** How far lines stand off the walls that they are on. */
const OFF = 6;

export interface Paints extends Colours {
  sky: string;
  ground: string;
  wall: string;
  grid: string;
}

type Point = [x: number, y: number, z: number];
interface Wire {
  points: Point[];
  inwards: { normal: [number, number]; at: [number, number] } | null;
}

/** The arena: its floor, walls that are seen from inside alone, goals, and lines; x, y and z of the game are given as
 * x, z and y to what draws it. */
export class Arena {
  readonly group = new Group();
  private readonly floor: Mesh<BufferGeometry, MeshBasicMaterial>;
  private readonly walls: Shell;
  private readonly ink = new LineBasicMaterial({ transparent: true, opacity: 0.5 });
  private readonly wires: { lines: LineSegments; inwards: Wire["inwards"] }[];
  private readonly ground: Mesh<BufferGeometry, MeshBasicMaterial>;
  private readonly texture: CanvasTexture<HTMLCanvasElement>;

  /** `isPlain`: drawn with less care for what is seen from the side. */
  constructor(
    private readonly field: Field,
    isPlain: boolean,
  ) {
    const canvas = document.createElement("canvas");
    const length = this.length;
    canvas.height = TEXELS;
    canvas.width = Math.round((TEXELS * field.wide) / length);
    this.texture = new CanvasTexture(canvas);
    this.texture.colorSpace = SRGBColorSpace;
    this.texture.anisotropy = isPlain ? 1 : 8;
    this.floor = new Mesh(this.floorShape(), new MeshBasicMaterial({ map: this.texture, side: DoubleSide }));
    this.walls = new Shell(field);
    if (field.hasWalls) raise(this.walls, field);
    this.wires = wires(field).map(({ points, inwards }) => ({ lines: new LineSegments(lines(points), this.ink), inwards }));
    this.ground = new Mesh(disc(26_000), new MeshBasicMaterial({ vertexColors: true }));
    this.ground.position.y = -40;
    this.group.add(this.ground, this.floor, this.walls.mesh, ...this.wires.map(({ lines }) => lines));
  }

  private get length(): number {
    return this.field.long + (this.field.goal?.deep ?? 0);
  }

  /** Hides the lines of walls that are looked through from outside. */
  lookFrom(x: number, y: number): void {
    for (const { lines, inwards } of this.wires) {
      if (inwards) lines.visible = (x - inwards.at[0]) * inwards.normal[0] + (y - inwards.at[1]) * inwards.normal[1] > 0;
    }
  }

  paint(paints: Paints): void {
    const canvas = this.texture.image;
    const pen = canvas.getContext("2d")!;
    pen.setTransform(canvas.width / 2 / this.field.wide, 0, 0, canvas.height / 2 / this.length, canvas.width / 2, canvas.height / 2);
    drawField(pen, this.field, paints, true);
    this.texture.needsUpdate = true;
    this.walls.paint(paints);
    this.ink.color.set(paints.grid);
    const [inner, outer] = [new Color(paints.ground), new Color(paints.sky)];
    const colours = this.ground.geometry.getAttribute("color");
    for (let index = 0; index < colours.count; index++) {
      const { r, g, b } = index === 0 ? inner : outer;
      colours.setXYZ(index, r, g, b);
    }
    colours.needsUpdate = true;
  }

  private floorShape(): BufferGeometry {
    const { field } = this;
    const shapes = [outline(field, field.hasWalls ? BEND : 0)];
    if (field.goal) {
      const { wide, deep } = field.goal;
      for (const side of [-1, 1]) {
        const [near, far] = [side * (field.long - BEND), side * (field.long + deep)];
        shapes.push([[-wide, near], [wide, near], [wide, far], [-wide, far]]);
      }
    }
    const positions: number[] = [];
    const places: number[] = [];
    for (const shape of shapes) {
      const corners = shape.map(([x, y]) => new Vector2(x, y));
      for (const triangle of ShapeUtils.triangulateShape(corners, [])) {
        for (const index of triangle) {
          const { x, y } = corners[index]!;
          positions.push(x, 0, y);
          places.push((x / field.wide + 1) / 2, 1 - (y / this.length + 1) / 2);
        }
      }
    }
    const geometry = new BufferGeometry();
    geometry.setAttribute("position", new BufferAttribute(new Float32Array(positions), 3));
    geometry.setAttribute("uv", new BufferAttribute(new Float32Array(places), 2));
    return geometry;
  }
}

/** Faces that are seen from one side, coloured by where they are. */
class Shell {
  readonly mesh: Mesh<BufferGeometry, MeshBasicMaterial>;
  private readonly positions: number[] = [];
  private readonly shades: number[] = [];
  private readonly kinds: number[] = [];

  constructor(private readonly field: Field) {
    this.mesh = new Mesh(new BufferGeometry(), new MeshBasicMaterial({ vertexColors: true }));
  }

  /** A face with the side that is seen towards a point; `isFrame`: in its team's colour. */
  face(corners: Point[], towards: Point, isFrame = false): void {
    const [a, b, c] = corners as [Point, Point, Point];
    const normal = cross(minus(b, a), minus(c, a));
    const faces = dot(normal, minus(towards, a)) > 0;
    // Between the game's axes and those of what draws it lies a mirror, so the order is the other way round.
    const order = faces ? [...corners].reverse() : corners;
    const slant = Math.abs(normal[2]) / (Math.hypot(...normal) || 1);
    for (let index = 1; index + 1 < order.length; index++) {
      for (const [x, y, z] of [order[0]!, order[index]!, order[index + 1]!]) {
        this.positions.push(x, z, y);
        this.shades.push(slant);
        this.kinds.push(isFrame ? 1 : 0);
      }
    }
  }

  /** A beam between two points along an axis. */
  beam(from: Point, to: Point, half: number): void {
    const low = from.map((value, axis) => Math.min(value, to[axis]!) - half) as Point;
    const high = from.map((value, axis) => Math.max(value, to[axis]!) + half) as Point;
    const centre = low.map((value, axis) => (value + high[axis]!) / 2) as Point;
    for (let axis = 0; axis < 3; axis++) {
      const [u, v] = [(axis + 1) % 3, (axis + 2) % 3];
      for (const end of [low, high]) {
        const corners = [[low, low], [high, low], [high, high], [low, high]].map(([one, other]) => {
          const corner: Point = [0, 0, 0];
          corner[axis] = end[axis]!;
          corner[u] = one![u]!;
          corner[v] = other![v]!;
          return corner;
        });
        const outside = [...centre] as Point;
        outside[axis] = end[axis]! * 2 - centre[axis]!;
        this.face(corners, outside, true);
      }
    }
  }

  paint(paints: Paints): void {
    const { geometry } = this.mesh;
    if (!geometry.hasAttribute("position")) {
      geometry.setAttribute("position", new BufferAttribute(new Float32Array(this.positions), 3));
      geometry.setAttribute("color", new BufferAttribute(new Float32Array(this.positions.length), 3));
    }
    const colours = geometry.getAttribute("color");
    const [wall, sky, floor] = [paints.wall, paints.sky, paints.floor].map((each) => new Color(each)) as [Color, Color, Color];
    const teams = [new Color(paints.blue), new Color(paints.orange)];
    const colour = new Color();
    for (let index = 0; index < colours.count; index++) {
      const [height, along] = [this.positions[3 * index + 1]!, this.positions[3 * index + 2]!];
      const team = teams[along < 0 ? 0 : 1]!;
      if (this.kinds[index]) colour.copy(team);
      else {
        const rise = Math.min(1, height / this.field.high);
        colour.copy(wall).lerp(floor, 0.65 * this.shades[index]! * (rise < 0.3 ? 1 : 0));
        colour.lerp(team, 0.3 * Math.min(1, Math.abs(along) / this.field.long) ** 2);
        // Walls fade into what lies behind them.
        colour.lerp(sky, 0.8 * rise * rise);
      }
      colours.setXYZ(index, colour.r, colour.g, colour.b);
    }
    colours.needsUpdate = true;
  }
}

/** How far in, and how high: from the floor's edge over the bend up the wall, and over into the ceiling. */
function profile(high: number): [inset: number, z: number][] {
  const bend = (step: number): [number, number] => {
    const angle = (Math.PI / 2) * (step / BEND_STEPS);
    return [BEND * (1 - Math.sin(angle)), BEND * (1 - Math.cos(angle))];
  };
  const low = Array.from({ length: BEND_STEPS + 1 }, (_, step) => bend(step));
  const steps = [0.4, 0.6, 0.8].map((share): [number, number] => [0, share * high]);
  return [...low, ...steps, ...[...low].reverse().map(([inset, z]): [number, number] => [inset, high - z])];
}

function raise(shell: Shell, field: Field): void {
  const middle: Point = [0, 0, field.high / 2];
  const rings = profile(field.high).map(([inset, z]) => outline(field, inset).map(([x, y]): Point => [x, y, z]));
  const { goal } = field;
  for (let level = 0; level + 1 < rings.length; level++) {
    const [low, high] = [rings[level]!, rings[level + 1]!];
    for (let side = 0; side < low.length; side++) {
      const next = (side + 1) % low.length;
      const [a, b, c, d] = [low[side]!, low[next]!, high[next]!, high[side]!];
      const isBack = goal !== null && Math.abs(a[1]) === Math.abs(b[1]) && Math.sign(a[1]) === Math.sign(b[1]) && Math.abs(a[1]) > field.long - BEND - 1;
      if (!isBack) shell.face([a, b, c, d], middle);
      else for (const face of aroundGoal([a, b, c, d], goal)) shell.face(face, middle);
    }
  }
  if (field.game === "hoops") for (const side of [-1, 1]) rim(shell, hoop(field, side));
  if (!goal) return;
  for (const side of [-1, 1]) {
    const [line, back] = [side * field.long, side * (field.long + goal.deep)];
    const inside: Point = [0, (line + back) / 2, goal.high / 2];
    const [w, h] = [goal.wide, goal.high];
    shell.face([[-w, back, 0], [w, back, 0], [w, back, h], [-w, back, h]], inside);
    shell.face([[-w, line, h], [w, line, h], [w, back, h], [-w, back, h]], inside);
    for (const x of [-w, w]) {
      shell.face([[x, line, 0], [x, back, 0], [x, back, h], [x, line, h]], inside);
      // Where the bend ends beside the mouth.
      const bend = profile(field.high).slice(0, BEND_STEPS + 1);
      const cut = bend.map(([inset, z]): Point => [x, side * (field.long - inset), z]);
      shell.face([[x, line, 0], ...cut], [0, line, 100]);
      shell.beam([x, line, 0], [x, line, h], 22);
    }
    shell.beam([-w, line, h], [w, line, h], 22);
  }
}

/** The ring of a hoop, in its team's colour from outside and from inside. */
function rim(shell: Shell, ring: [number, number][]): void {
  const [low, high] = [HOOP.high - HOOP.thick / 2, HOOP.high + HOOP.thick / 2];
  const middle: Point = [0, HOOP.away * Math.sign(ring[0]![1]), HOOP.high];
  for (const [index, [x, y]] of ring.slice(0, -1).entries()) {
    const [u, v] = ring[index + 1]!;
    const face: Point[] = [[x, y, low], [u, v, low], [u, v, high], [x, y, high]];
    shell.face(face, middle, true);
    shell.face(face, [2 * x - middle[0], 2 * y - middle[1], HOOP.high], true);
  }
}

/** A face of a back wall, without what lies in the goal's mouth. */
function aroundGoal(face: [Point, Point, Point, Point], goal: { wide: number; high: number }): Point[][] {
  const [a, b, c, d] = face;
  const at = (from: Point, to: Point, x: number): Point => {
    const share = (x - from[0]) / (to[0] - from[0]);
    return from.map((value, axis) => value + share * (to[axis]! - value)) as Point;
  };
  const edge = Math.sign(a[0]) * goal.wide;
  const beside = [
    [a, at(a, b, edge), at(d, c, edge), d],
    [at(a, b, -edge), b, c, at(d, c, -edge)],
  ];
  const above = [at(a, b, edge), at(a, b, -edge), at(d, c, -edge), at(d, c, edge)];
  if (d[2] <= goal.high) return beside;
  for (const corner of above) corner[2] = Math.max(corner[2], goal.high);
  return [...beside, above];
}

/** Lines on the walls and the nets of the goals: those of each side by themselves, with the side's normal to the inside. */
function wires(field: Field): Wire[] {
  if (!field.hasWalls) {
    const edge = outline(field);
    return [{ inwards: null, points: edge.flatMap(([x, y], index) => [[x, y, 6], [...edge[(index + 1) % edge.length]!, 6]] as Point[]) }];
  }
  const { goal } = field;
  const levels = [BEND, 2 * BEND, 4 * BEND, 6 * BEND].map((z): [number, number] => [OFF, z]);
  levels.push([BEND + OFF, field.high]);
  const corners = outline(field, OFF);
  return corners.map(([x, y], side) => {
    const points: Point[] = [];
    const next = (side + 1) % corners.length;
    const [p, q] = corners[next]!;
    const isBack = goal !== null && Math.abs(y - q) < 1 && Math.abs(y) > field.long - BEND;
    for (const [inset, z] of levels) {
      const ring = outline(field, inset);
      const [a, b] = [ring[side]!, ring[next]!];
      if (isBack && z < goal.high) {
        const edge = Math.sign(a[0]) * goal.wide;
        points.push([...a, z], [edge, a[1], z], [-edge, a[1], z], [...b, z]);
      } else points.push([...a, z], [...b, z]);
    }
    const parts = Math.max(1, Math.round(Math.hypot(p - x, q - y) / 1024));
    for (let part = 0; part < parts; part++) {
      const [u, v] = [x + ((p - x) * part) / parts, y + ((q - y) * part) / parts];
      points.push([u, v, isBack && Math.abs(u) < goal.wide ? goal.high : BEND], [u, v, field.high - BEND]);
    }
    if (isBack) net(points, field, Math.sign(y));
    const length = Math.hypot(p - x, q - y);
    return { inwards: { normal: [-(q - y) / length, (p - x) / length], at: [x, y] }, points };
  });
}

function net(points: Point[], field: Field, side: number): void {
  const { wide, high, deep } = field.goal!;
  const [near, back] = [side * field.long, side * (field.long + deep - OFF)];
  for (let x = -wide + 150; x < wide; x += 150) points.push([x, back, 0], [x, back, high], [x, near, high - OFF], [x, back, high - OFF]);
  for (let z = 130; z < high; z += 130) {
    points.push([-wide, back, z], [wide, back, z]);
    for (const x of [-wide + OFF, wide - OFF]) points.push([x, near, z], [x, back, z]);
  }
}

function lines(points: Point[]): BufferGeometry {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(points.flatMap(([x, y, z]) => [x, z, y])), 3));
  return geometry;
}

/** What the arena stands on, which fades into the sky. */
function disc(radius: number): BufferGeometry {
  const steps = 48;
  const positions = [0, 0, 0];
  const index: number[] = [];
  for (let step = 0; step < steps; step++) {
    const angle = (2 * Math.PI * step) / steps;
    positions.push(radius * Math.cos(angle), 0, radius * Math.sin(angle));
    index.push(0, 1 + ((step + 1) % steps), 1 + step);
  }
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(positions), 3));
  geometry.setAttribute("color", new BufferAttribute(new Float32Array(positions.length), 3));
  geometry.setIndex(index);
  return geometry;
}

function minus(a: Point, b: Point): Point {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}
function cross(a: Point, b: Point): Point {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
function dot(a: Point, b: Point): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
