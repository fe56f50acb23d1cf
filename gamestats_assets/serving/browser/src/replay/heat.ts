import type { Field } from "./field";
import type { Track } from "./track";

export type Heat = "" | "place" | "boost";

const CELL_UU = 128;
const LIVE = 2;
const REACH = 3;

/** How long a body was where, or where it burned boost, while play was on: a picture of the field, x to the right and y
 * down; nothing where it never was. */
export function heatOf(track: Track, field: Field, number: number, kind: Heat): HTMLCanvasElement | null {
  const body = track.bodies[number];
  if (!kind || !body || (kind === "boost" && !body.isCar)) return null;
  const [columns, rows] = [Math.ceil((2 * field.wide) / CELL_UU), Math.ceil((2 * field.long) / CELL_UU)];
  const [x, y] = body.place as [Int16Array, Int16Array];
  const spread = new Float64Array(columns * rows);
  for (let frame = 0; frame + 1 < track.loaded; frame++) {
    if (!(track.flags[frame]! & LIVE) || !track.joins(body, frame)) continue;
    if (kind === "boost" && body.boost[frame + 1]! >= body.boost[frame]!) continue;
    const column = Math.floor((x[frame]! / track.header.scale + field.wide) / CELL_UU);
    const row = Math.floor((y[frame]! / track.header.scale + field.long) / CELL_UU);
    for (let down = -REACH; down <= REACH; down++) {
      for (let right = -REACH; right <= REACH; right++) {
        const [u, v] = [column + right, row + down];
        if (u < 0 || v < 0 || u >= columns || v >= rows) continue;
        spread[v * columns + u]! += Math.exp(-(right * right + down * down) / 4);
      }
    }
  }
  const sorted = [...spread].filter((value) => value > 0).sort((one, other) => one - other);
  const most = sorted[Math.floor(0.985 * (sorted.length - 1))] ?? 0;
  if (!most) return null;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  const pen = canvas.getContext("2d")!;
  const picture = pen.createImageData(columns, rows);
  for (const [cell, value] of spread.entries()) {
    const share = Math.min(1, value / most);
    picture.data.set(shade(share), 4 * cell);
  }
  pen.putImageData(picture, 0, 0);
  return canvas;
}

/** From nothing over violet and red to yellow: lighter is more, for every eye. */
function shade(share: number): [number, number, number, number] {
  const stops = [[70, 20, 120], [190, 40, 110], [250, 120, 60], [255, 235, 130]] as const;
  const at = share * (stops.length - 1);
  const low = stops[Math.floor(at)]!;
  const high = stops[Math.ceil(at)]!;
  const [r, g, b] = [0, 1, 2].map((part) => low[part]! + (at - Math.floor(at)) * (high[part]! - low[part]!));
  return [r!, g!, b!, 215 * Math.min(1, share * 2.4)];
}
