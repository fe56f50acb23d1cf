import { BufferAttribute, BufferGeometry, Color, IcosahedronGeometry, Vector3 } from "three";
import { TEAM_COLOURS } from "./field";

/** A family of hit boxes, and the shape of a car that fills it. */
interface Family {
  /** Length, width and height of the hit box, and how far forward and up its middle lies. */
  box: [length: number, width: number, height: number];
  offset: [forward: number, up: number];
  /** From the rear to the front, as shares of the box: where, how wide, how high the body is. */
  body: [at: number, wide: number, high: number][];
  /** The same of the cabin. */
  cabin: [at: number, wide: number, high: number][];
}

const FAMILIES: Record<string, Family> = {
  octane: {
    box: [118.01, 84.2, 36.16],
    offset: [13.88, 20.75],
    body: [[0, 0.8, 0.62], [0.1, 0.95, 0.72], [0.4, 1, 0.66], [0.68, 1, 0.56], [0.9, 0.88, 0.42], [1, 0.62, 0.28]],
    cabin: [[0.08, 0.56, 0.74], [0.2, 0.64, 1], [0.48, 0.6, 0.98], [0.72, 0.5, 0.55]],
  },
  dominus: {
    box: [127.93, 83.28, 31.3],
    offset: [9, 15.75],
    body: [[0, 0.84, 0.6], [0.08, 0.98, 0.66], [0.45, 1, 0.6], [0.75, 1, 0.55], [0.95, 0.92, 0.46], [1, 0.74, 0.34]],
    cabin: [[0.06, 0.56, 0.66], [0.22, 0.62, 1], [0.42, 0.58, 0.98], [0.62, 0.54, 0.56]],
  },
  plank: {
    box: [128.82, 84.67, 29.39],
    offset: [9.01, 12.09],
    body: [[0, 0.9, 0.66], [0.12, 1, 0.66], [0.5, 0.94, 0.62], [0.8, 0.98, 0.56], [0.96, 0.9, 0.5], [1, 0.8, 0.4]],
    cabin: [[0.2, 0.4, 0.64], [0.36, 0.46, 1], [0.54, 0.42, 0.96], [0.7, 0.34, 0.58]],
  },
  breakout: {
    box: [131.49, 80.52, 30.3],
    offset: [12.5, 11.75],
    body: [[0, 0.92, 0.7], [0.1, 1, 0.74], [0.4, 0.98, 0.66], [0.7, 0.9, 0.5], [0.92, 0.72, 0.32], [1, 0.46, 0.18]],
    cabin: [[0.14, 0.5, 0.74], [0.3, 0.56, 1], [0.46, 0.52, 0.94], [0.68, 0.42, 0.5]],
  },
  hybrid: {
    box: [127.02, 82.19, 34.16],
    offset: [13.88, 20.75],
    body: [[0, 0.82, 0.6], [0.08, 0.96, 0.68], [0.42, 1, 0.62], [0.72, 0.98, 0.54], [0.94, 0.88, 0.42], [1, 0.66, 0.3]],
    cabin: [[0.1, 0.56, 0.7], [0.24, 0.62, 1], [0.48, 0.6, 0.98], [0.68, 0.52, 0.54]],
  },
  merc: {
    box: [120.72, 76.71, 41.66],
    offset: [11.37, 21.5],
    body: [[0, 0.94, 0.58], [0.06, 1, 0.6], [0.5, 1, 0.6], [0.8, 1, 0.56], [0.96, 0.96, 0.5], [1, 0.86, 0.4]],
    cabin: [[0, 0.8, 0.6], [0.05, 0.84, 1], [0.56, 0.84, 1], [0.76, 0.78, 0.58]],
  },
};
/** How high a car's origin is when it stands. */
const STANDS_UU = 17;
const GLASS = new Color(0.03, 0.045, 0.07);
const TYRE = new Color(0.025, 0.025, 0.03);
const RIM = new Color(0.5, 0.52, 0.56);
const LAMP = new Color(1, 0.97, 0.82);
const TAIL = new Color(0.75, 0.02, 0.03);
const WHITE = new Color(1, 1, 1);

/** A car of a family in a team's colour: x forward, y up, z to the right. */
export function carShape(hitbox: string, team: "blue" | "orange"): BufferGeometry {
  const family = FAMILIES[hitbox] ?? FAMILIES.octane!;
  const shape = new Shape();
  const [length, width, height] = family.box;
  const [forward, up] = family.offset;
  const [rear, bottom] = [forward - length / 2, up - height / 2];
  const paint = new Color(TEAM_COLOURS[team]);
  const dark = paint.clone().multiplyScalar(0.35);
  const section = (at: number, wide: number, low: number, high: number, lean: number): Vector3[] => {
    const [x, half] = [rear + at * length, (wide * width) / 2];
    return [
      new Vector3(x, low, -half * 0.94), new Vector3(x, low + (high - low) * 0.55, -half), new Vector3(x, high, -half * lean),
      new Vector3(x, high, half * lean), new Vector3(x, low + (high - low) * 0.55, half), new Vector3(x, low, half * 0.94),
    ];
  };
  const sill = bottom - 3;
  shape.loft(family.body.map(([at, wide, high]) => section(at, wide, sill, bottom + high * height, 0.9)), (face) => (face === 5 ? dark : paint));
  // The cabin: glass around, and a roof in the colour of the car.
  const belt = bottom + 0.5 * height;
  shape.loft(family.cabin.map(([at, wide, high]) => section(at, wide, belt, bottom + high * height, 0.86)), (face, span) =>
    face === 2 && span === 1 ? paint : GLASS);
  // Where it looks: lamps and a bright stripe to the front, red lamps and a wing at the rear.
  const nose = family.body.at(-1)!;
  const high = bottom + nose[2] * height;
  for (const side of [-1, 1]) {
    const at = side * width * nose[1] * 0.36;
    shape.box([rear + length - 7, high - 5, at], [7, 3.2, 8], LAMP);
    shape.box([rear + 0.5, bottom + 0.42 * height, side * width * 0.32], [3, 4, 11], TAIL);
    shape.box([rear + 5, bottom + 0.72 * height, side * width * 0.3], [3, 9, 2], dark);
  }
  shape.box([rear + 4, bottom + 0.92 * height, 0], [11, 2.4, width * 0.46], paint);
  const hood = family.body.at(-2)!;
  const [x0, x1] = [rear + 0.76 * length, rear + hood[0] * length];
  const level = (at: number): number => {
    const after = family.body.findIndex(([where]) => where >= at);
    const [from, to] = [family.body[Math.max(0, after - 1)]!, family.body[after]!];
    const share = to[0] === from[0] ? 0 : (at - from[0]) / (to[0] - from[0]);
    return bottom + (from[2] + share * (to[2] - from[2])) * height + 0.7;
  };
  shape.quad(new Vector3(x0, level(0.76), -7), new Vector3(x0, level(0.76), 7), new Vector3(x1, level(hood[0]), 7), new Vector3(x1, level(hood[0]), -7), WHITE);
  // On the roof the team's sign, which is seen from above.
  const [, [from, , top], [to]] = family.cabin as [unknown, [number, number, number], [number]];
  sign(shape, rear + ((from + to) / 2) * length, bottom + top * height + 0.8, width * 0.19, team);
  const radius = 14.5;
  for (const [at, side] of [[0.2, -1], [0.2, 1], [0.8, -1], [0.8, 1]] as const) {
    shape.wheel(rear + at * length, radius - STANDS_UU, side * (width / 2 - 3), radius, side * 10);
  }
  return shape.geometry();
}

function sign(shape: Shape, x: number, y: number, size: number, team: "blue" | "orange"): void {
  const corners = team === "blue" ? 10 : 4;
  const rim = Array.from({ length: corners }, (_, index) => {
    const angle = (2 * Math.PI * index) / corners;
    return new Vector3(x + size * Math.cos(angle), y, size * Math.sin(angle));
  });
  const centre = new Vector3(x, y, 0);
  for (const [index, corner] of rim.entries()) shape.triangle(centre, rim[(index + 1) % corners]!, corner, WHITE);
}

/** A ball whose turning is seen. */
export function ballShape(radius: number): BufferGeometry {
  const geometry = new IcosahedronGeometry(radius, 9);
  const spots = new IcosahedronGeometry(1, 0).getAttribute("position");
  const places = geometry.getAttribute("position");
  const colours = new Float32Array(places.count * 3);
  const [centre, corner] = [new Vector3(), new Vector3()];
  for (let face = 0; face < places.count; face += 3) {
    centre.set(0, 0, 0);
    for (let index = 0; index < 3; index++) centre.add(corner.fromBufferAttribute(places, face + index));
    centre.normalize();
    let nearest = -1;
    for (let spot = 0; spot < spots.count; spot++) nearest = Math.max(nearest, corner.fromBufferAttribute(spots, spot).dot(centre));
    const shade = nearest > 0.945 ? 0.16 : nearest > 0.9 ? 0.5 : 0.92;
    colours.fill(shade, 3 * face, 3 * face + 9);
  }
  geometry.setAttribute("color", new BufferAttribute(colours, 3));
  return geometry;
}

/** Triangles with a colour and a flat side each. */
class Shape {
  private readonly positions: number[] = [];
  private readonly colours: number[] = [];

  triangle(a: Vector3, b: Vector3, c: Vector3, colour: Color): void {
    for (const { x, y, z } of [a, b, c]) this.positions.push(x, y, z);
    for (let corner = 0; corner < 3; corner++) this.colours.push(colour.r, colour.g, colour.b);
  }

  quad(a: Vector3, b: Vector3, c: Vector3, d: Vector3, colour: Color): void {
    this.triangle(a, b, c, colour);
    this.triangle(a, c, d, colour);
  }

  /** A skin over sections from the rear to the front; each face has its colour. */
  loft(sections: Vector3[][], colour: (face: number, span: number) => Color): void {
    for (let span = 0; span + 1 < sections.length; span++) {
      const [from, to] = [sections[span]!, sections[span + 1]!];
      for (let face = 0; face < from.length; face++) {
        const next = (face + 1) % from.length;
        this.quad(from[face]!, from[next]!, to[next]!, to[face]!, colour(face, span));
      }
    }
    for (const [section, isFront] of [[sections[0]!, false], [sections.at(-1)!, true]] as const) {
      for (let index = 1; index + 1 < section.length; index++) {
        const [b, c] = isFront ? [index + 1, index] : [index, index + 1];
        this.triangle(section[0]!, section[c]!, section[b]!, colour(-1, 0));
      }
    }
  }

  /** A box around a point. */
  box(at: [number, number, number], size: [number, number, number], colour: Color): void {
    const corner = (x: number, y: number, z: number): Vector3 =>
      new Vector3(at[0] + (x * size[0]) / 2, at[1] + (y * size[1]) / 2, at[2] + (z * size[2]) / 2);
    const [rear, front] = [-1, 1].map((x) => [corner(x, -1, -1), corner(x, 1, -1), corner(x, 1, 1), corner(x, -1, 1)]);
    this.loft([rear!, front!], () => colour);
  }

  wheel(x: number, y: number, z: number, radius: number, wide: number): void {
    const steps = 12;
    const rim = (side: number, size: number): Vector3[] =>
      Array.from({ length: steps }, (_, step) => {
        const angle = (2 * Math.PI * step) / steps;
        return new Vector3(x + size * Math.cos(angle), y + size * Math.sin(angle), z + side);
      });
    const [inner, outer] = [rim(-wide / 2, radius), rim(wide / 2, radius)];
    const [hub, middle] = [rim(wide / 2 + Math.sign(wide) * 0.6, radius * 0.55), new Vector3(x, y, z + wide / 2 + Math.sign(wide) * 0.6)];
    for (let step = 0; step < steps; step++) {
      const next = (step + 1) % steps;
      const faces: [Vector3, Vector3, Vector3, Vector3, Color][] = [
        [inner[step]!, inner[next]!, outer[next]!, outer[step]!, TYRE],
        [outer[step]!, outer[next]!, hub[next]!, hub[step]!, TYRE],
      ];
      for (const [a, b, c, d, colour] of faces) wide > 0 ? this.quad(a, b, c, d, colour) : this.quad(d, c, b, a, colour);
      const [a, b] = wide > 0 ? [hub[step]!, hub[next]!] : [hub[next]!, hub[step]!];
      this.triangle(middle, a, b, RIM);
    }
  }

  geometry(): BufferGeometry {
    const geometry = new BufferGeometry();
    geometry.setAttribute("position", new BufferAttribute(new Float32Array(this.positions), 3));
    geometry.setAttribute("color", new BufferAttribute(new Float32Array(this.colours), 3));
    geometry.computeVertexNormals();
    return geometry;
  }
}
